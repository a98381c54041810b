"""aws_organizations_resource_policy: the one delegation policy of an organization.

The import ID is not asked for when the policy is read, only when its tags are.
"""

import policy_documents
from resources import organizations
from resources.base import Resource, api_tags, changed, ignoring, tags_to_write
from validators import is_json

NOT_FOUND = ("AWSOrganizationsNotInUseException", "ResourcePolicyNotFoundException")


class OrganizationsResourcePolicy(Resource):
    type_name = "aws_organizations_resource_policy"
    has_tags = True
    suppressed = {"content": policy_documents.suppresses_difference}
    state_form = {"content": policy_documents.normalized}
    validators = {"content": [is_json]}

    def read(self, provider, state):
        policy = organizations.found(
            provider.client, NOT_FOUND, "DescribeResourcePolicy", "ResourcePolicy"
        )
        if policy is None:
            return None
        result = {
            "arn": policy["ResourcePolicySummary"]["Arn"],
            "content": policy_documents.normalized(policy["Content"]),
        }
        self.set_tags(provider, result, organizations.tags_of(provider, state["id"]))
        return result

    def create(self, provider, planned):
        answer = provider.client.organizations(
            "PutResourcePolicy",
            Content=policy_documents.normalized(planned["content"]),
            Tags=api_tags(tags_to_write(provider, planned)),
        )
        return answer["ResourcePolicy"]["ResourcePolicySummary"]["Id"]

    def update(self, provider, prior, planned):
        if changed(prior, planned, "content"):
            provider.client.organizations(
                "PutResourcePolicy", Content=policy_documents.normalized(planned["content"])
            )
        organizations.write_tags(provider, prior, planned)

    def delete(self, provider, state):
        ignoring(
            ("ResourcePolicyNotFoundException",),
            provider.client.organizations,
            "DeleteResourcePolicy",
        )
