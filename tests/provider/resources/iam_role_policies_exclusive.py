"""aws_iam_role_policies_exclusive: all inline policies of a role."""

from resources import iam
from resources.base import Refused
from resources.iam_role_exclusive import RoleExclusive


class IamRolePoliciesExclusive(RoleExclusive):
    type_name = "aws_iam_role_policies_exclusive"
    policies = "policy_names"

    def present(self, client, role):
        return iam.inline_policy_names(client, role)

    def add(self, client, role, policy):
        # It knows no document, so what is not there yet cannot be put.
        raise Refused(
            f'IAM Role Policies Exclusive ("{role}"): operation error IAM: PutRolePolicy, '
            "1 validation error(s) found. - missing required field, "
            "PutRolePolicyInput.PolicyDocument."
        )

    def remove(self, client, role, policy):
        client.iam("DeleteRolePolicy", RoleName=role, PolicyName=policy)
