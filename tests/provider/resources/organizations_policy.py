"""aws_organizations_policy."""

import policy_documents
from resources.base import (
    Refused,
    Resource,
    api_tags,
    changed,
    ignoring,
    tag_changes,
    tags_to_write,
)
from validators import is_json, one_of

NOT_FOUND = ("AWSOrganizationsNotInUseException", "PolicyNotFoundException")
POLICY_TYPES = (
    "AISERVICES_OPT_OUT_POLICY",
    "BACKUP_POLICY",
    "BEDROCK_POLICY",
    "CHATBOT_POLICY",
    "DECLARATIVE_POLICY_EC2",
    "GUARDDUTY_POLICY",
    "INSPECTOR_POLICY",
    "NETWORK_SECURITY_DIRECTOR_POLICY",
    "RESOURCE_CONTROL_POLICY",
    "S3_POLICY",
    "SECURITYHUB_POLICY",
    "SERVICE_CONTROL_POLICY",
    "TAG_POLICY",
    "UPGRADE_ROLLOUT_POLICY",
)


class OrganizationsPolicy(Resource):
    type_name = "aws_organizations_policy"
    has_tags = True
    defaults = {"type": "SERVICE_CONTROL_POLICY"}
    force_new = frozenset({"type"})
    suppressed = {"content": policy_documents.same_json}
    validators = {"content": [is_json], "type": [one_of(*POLICY_TYPES)]}

    def import_state(self, provider, import_id):
        policy = self._describe(provider, import_id)
        if policy is None:
            raise Refused("couldn't find resource")
        if policy["PolicySummary"].get("AwsManaged"):
            raise Refused(
                f"AWS-managed Organizations policy ({import_id}) cannot be imported. "
                "Use the policy ID directly in your configuration"
            )
        return {"id": import_id}

    def _describe(self, provider, identifier):
        answer = ignoring(
            NOT_FOUND, provider.client.organizations, "DescribePolicy", PolicyId=identifier
        )
        return answer and answer["Policy"]

    def read(self, provider, state):
        policy = self._describe(provider, state["id"])
        if policy is None:
            return None
        summary = policy["PolicySummary"]
        result = {
            "arn": summary["Arn"],
            "content": policy["Content"],
            "description": summary.get("Description"),
            "name": summary["Name"],
            "type": summary["Type"],
        }
        tags = provider.client.organizations_pages(
            "ListTagsForResource", "Tags", ResourceId=state["id"]
        )
        self.set_tags(provider, result, list(tags))
        return result

    def create(self, provider, planned):
        answer = provider.client.organizations(
            "CreatePolicy",
            Content=planned["content"],
            Description=planned["description"] or "",
            Name=planned["name"],
            Type=planned["type"],
            Tags=api_tags(tags_to_write(provider, planned)) or [],
        )
        return answer["Policy"]["PolicySummary"]["Id"]

    def update(self, provider, prior, planned):
        call, identifier = provider.client.organizations, prior["id"]
        written = {
            argument.capitalize(): planned[argument] or ""
            for argument in ("content", "description", "name")
            if changed(prior, planned, argument)
        }
        if written:
            call("UpdatePolicy", PolicyId=identifier, **written)
        removed, tags = tag_changes(provider, prior, planned)
        if removed:
            call("UntagResource", ResourceId=identifier, TagKeys=removed)
        if tags:
            call("TagResource", ResourceId=identifier, Tags=api_tags(tags))

    def delete(self, provider, state):
        if not state["skip_destroy"]:
            ignoring(
                ("PolicyNotFoundException",),
                provider.client.organizations,
                "DeletePolicy",
                PolicyId=state["id"],
            )
