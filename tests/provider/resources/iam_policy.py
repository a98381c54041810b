"""aws_iam_policy."""

import policy_documents
from api import ApiError
from resources import iam
from resources.base import (
    Resource,
    api_tags,
    changed,
    generated_name,
    ignoring,
    prefix_of,
    tag_changes,
    tags_to_write,
)
from validators import is_iam_policy, is_path, resource_name

MOST_VERSIONS = 5


class IamPolicy(Resource):
    type_name = "aws_iam_policy"
    has_tags = True
    defaults = {"path": "/"}
    force_new = frozenset({"name", "name_prefix", "path", "description"})
    conflicts = (("name", "name_prefix"), ("name_prefix", "name"))
    suppressed = {"policy": policy_documents.suppresses_difference}
    state_form = {"policy": policy_documents.normalized}
    validators = {
        "name": resource_name(128),
        "name_prefix": resource_name(102),
        "path": [is_path],
        "policy": [is_iam_policy],
    }

    def import_state(self, provider, import_id):
        return iam.imported_by_arn(import_id)

    def read(self, provider, state):
        client, arn = provider.client, state["id"]
        policy = iam.found(client, "GetPolicy", "Policy", PolicyArn=arn)
        version = policy and iam.found(
            client,
            "GetPolicyVersion",
            "PolicyVersion",
            PolicyArn=arn,
            VersionId=policy["DefaultVersionId"],
        )
        if version is None:
            return None
        result = {
            "arn": policy["Arn"],
            "attachment_count": int(policy.get("AttachmentCount") or 0),
            "description": policy.get("Description"),
            "name": policy["PolicyName"],
            "name_prefix": prefix_of(policy["PolicyName"]),
            "path": policy["Path"],
            "policy_id": policy["PolicyId"],
            "policy": policy_documents.normalized(iam.document(version["Document"])),
        }
        self.set_tags(provider, result, policy.get("Tags"))
        return result

    def create(self, provider, planned):
        answer = provider.client.iam(
            "CreatePolicy",
            PolicyName=generated_name(planned),
            PolicyDocument=planned["policy"],
            Path=planned["path"],
            Description=planned["description"] or "",
            Tags=api_tags(tags_to_write(provider, planned)),
        )
        return answer["Policy"]["Arn"]

    def update(self, provider, prior, planned):
        client, arn = provider.client, prior["id"]
        if changed(prior, planned, "policy"):
            self._make_room(client, arn)
            client.iam(
                "CreatePolicyVersion",
                PolicyArn=arn,
                PolicyDocument=planned["policy"],
                SetAsDefault=True,
            )
        removed, written = tag_changes(provider, prior, planned)
        if removed:
            client.iam("UntagPolicy", PolicyArn=arn, TagKeys=removed)
        if written:
            client.iam("TagPolicy", PolicyArn=arn, Tags=api_tags(written))

    def _make_room(self, client, arn):
        versions = self._versions(client, arn)
        others = [version for version in versions if version["IsDefaultVersion"] != "true"]
        if len(versions) >= MOST_VERSIONS and others:
            oldest = min(others, key=lambda version: version["CreateDate"])
            client.iam("DeletePolicyVersion", PolicyArn=arn, VersionId=oldest["VersionId"])

    def _versions(self, client, arn):
        return list(client.iam_pages("ListPolicyVersions", "Versions", PolicyArn=arn))

    def delete(self, provider, state):
        client, arn = provider.client, state["id"]
        try:
            versions = self._versions(client, arn)
        except ApiError as error:
            if error.code in iam.NOT_FOUND:
                return
            raise
        for version in versions:
            if version["IsDefaultVersion"] != "true":
                client.iam("DeletePolicyVersion", PolicyArn=arn, VersionId=version["VersionId"])
        ignoring(iam.NOT_FOUND, client.iam, "DeletePolicy", PolicyArn=arn)
