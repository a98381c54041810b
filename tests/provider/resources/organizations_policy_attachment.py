"""aws_organizations_policy_attachment."""

from api import ApiError
from resources.base import Refused, Resource, ignoring

NOT_FOUND = (
    "AWSOrganizationsNotInUseException",
    "PolicyNotFoundException",
    "TargetNotFoundException",
)


class OrganizationsPolicyAttachment(Resource):
    type_name = "aws_organizations_policy_attachment"
    force_new = frozenset({"policy_id", "target_id"})

    def read(self, provider, state):
        target, policy = parsed(state["id"])
        try:
            targets = provider.client.organizations_pages(
                "ListTargetsForPolicy", "Targets", PolicyId=policy
            )
            if all(found["TargetId"] != target for found in targets):
                return None
        except ApiError as error:
            if error.code in NOT_FOUND:
                return None
            raise
        return {"policy_id": policy, "target_id": target}

    def create(self, provider, planned):
        policy, target = planned["policy_id"], planned["target_id"]
        provider.client.organizations("AttachPolicy", PolicyId=policy, TargetId=target)
        return f"{target}:{policy}"

    def delete(self, provider, state):
        if state["skip_destroy"]:
            return
        target, policy = parsed(state["id"])
        ignoring(
            NOT_FOUND,
            provider.client.organizations,
            "DetachPolicy",
            PolicyId=policy,
            TargetId=target,
        )


def parsed(identifier):
    parts = identifier.split(":")
    if len(parts) != 2:
        raise Refused(f"expected ID in format of TARGETID:POLICYID, received: {identifier}")
    return parts
