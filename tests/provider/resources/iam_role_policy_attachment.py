"""aws_iam_role_policy_attachment."""

from api import ApiError
from resources import iam
from resources.base import Refused, Resource, ignoring
from validators import is_arn


class IamRolePolicyAttachment(Resource):
    type_name = "aws_iam_role_policy_attachment"
    force_new = frozenset({"role", "policy_arn"})
    validators = {"policy_arn": [is_arn]}

    def import_state(self, provider, import_id):
        role, _, arn = import_id.partition("/")
        if not role or not arn:
            raise Refused(
                f'unexpected format for Import ID ("{import_id}"), '
                "expected <role-name>/<policy_arn>"
            )
        return {"id": import_id, "role": role, "policy_arn": arn}

    def read(self, provider, state):
        try:
            attached = iam.attached_policies(provider.client, state["role"])
        except ApiError as error:
            if error.code in iam.NOT_FOUND:
                return None
            raise
        return {} if state["policy_arn"] in attached else None

    def create(self, provider, planned):
        role, arn = planned["role"], planned["policy_arn"]
        provider.client.iam("AttachRolePolicy", RoleName=role, PolicyArn=arn)
        return f"{role}/{arn}"

    def delete(self, provider, state):
        ignoring(
            iam.NOT_FOUND,
            provider.client.iam,
            "DetachRolePolicy",
            RoleName=state["role"],
            PolicyArn=state["policy_arn"],
        )
