"""aws_iam_role_policy_attachments_exclusive: all managed policies of a role."""

from resources import iam
from resources.base import ignoring
from resources.iam_role_exclusive import RoleExclusive


class IamRolePolicyAttachmentsExclusive(RoleExclusive):
    type_name = "aws_iam_role_policy_attachments_exclusive"
    policies = "policy_arns"

    def present(self, client, role):
        return iam.attached_policies(client, role)

    def add(self, client, role, policy):
        client.iam("AttachRolePolicy", RoleName=role, PolicyArn=policy)

    def remove(self, client, role, policy):
        ignoring(iam.NOT_FOUND, client.iam, "DetachRolePolicy", RoleName=role, PolicyArn=policy)
