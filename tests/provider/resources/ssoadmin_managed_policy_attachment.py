"""aws_ssoadmin_managed_policy_attachment: a policy of AWS in a permission set."""

from resources import ssoadmin
from resources.base import Refused
from validators import is_arn


class SsoadminManagedPolicyAttachment(ssoadmin.SsoadminResource):
    type_name = "aws_ssoadmin_managed_policy_attachment"
    force_new = ssoadmin.SsoadminResource.force_new | {"managed_policy_arn"}
    validators = {**ssoadmin.SsoadminResource.validators, "managed_policy_arn": [is_arn]}

    def read(self, provider, state):
        policy_arn, arns = parsed(state["id"])
        policy = self._attached(provider, state, policy_arn, arns)
        if policy is None:
            return None
        return {
            "instance_arn": arns["InstanceArn"],
            "managed_policy_arn": policy["Arn"],
            "managed_policy_name": policy.get("Name"),
            "permission_set_arn": arns["PermissionSetArn"],
            "region": state["region"],
        }

    def _attached(self, provider, state, policy_arn, arns):
        policies = ssoadmin.listed(
            provider,
            state,
            "ListManagedPoliciesInPermissionSet",
            "AttachedManagedPolicies",
            **arns,
        )
        return next((policy for policy in policies if policy["Arn"] == policy_arn), None)

    def create(self, provider, planned):
        policy_arn, arns = planned["managed_policy_arn"], ssoadmin.planned_permission_set(planned)
        set_arn = arns["PermissionSetArn"]
        if self._attached(provider, planned, policy_arn, arns):
            raise Refused(
                f"attaching Managed Policy ({policy_arn}) to SSO Permission Set ({set_arn}): "
                "already attached"
            )
        ssoadmin.call(
            provider,
            planned,
            "AttachManagedPolicyToPermissionSet",
            ManagedPolicyArn=policy_arn,
            **arns,
        )
        ssoadmin.provision(provider, planned, arns)
        return f"{policy_arn},{set_arn},{arns['InstanceArn']}"

    def delete(self, provider, state):
        policy_arn, arns = parsed(state["id"])
        ssoadmin.remove(
            provider,
            state,
            "DetachManagedPolicyFromPermissionSet",
            arns,
            ManagedPolicyArn=policy_arn,
        )


def parsed(identifier):
    expected = "MANAGED_POLICY_ARN,PERMISSION_SET_ARN,INSTANCE_ARN"
    policy_arn, arn, instance = ssoadmin.parsed(
        identifier, expected, f"parsing ID: expected {expected}"
    )
    return policy_arn, {"PermissionSetArn": arn, "InstanceArn": instance}
