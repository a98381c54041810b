"""aws_ssoadmin_permission_set_inline_policy."""

import policy_documents
from resources import ssoadmin
from validators import is_iam_policy


class SsoadminPermissionSetInlinePolicy(ssoadmin.SsoadminResource):
    type_name = "aws_ssoadmin_permission_set_inline_policy"
    suppressed = {"inline_policy": policy_documents.suppresses_difference}
    state_form = {"inline_policy": policy_documents.normalized}
    validators = {**ssoadmin.SsoadminResource.validators, "inline_policy": [is_iam_policy]}

    def read(self, provider, state):
        arns = ssoadmin.permission_set(state["id"])
        text = ssoadmin.found(
            provider, state, "GetInlinePolicyForPermissionSet", "InlinePolicy", **arns
        )
        if not text:
            return None
        return {
            "inline_policy": policy_documents.normalized(text),
            "instance_arn": arns["InstanceArn"],
            "permission_set_arn": arns["PermissionSetArn"],
            "region": state["region"],
        }

    def create(self, provider, planned):
        arns = ssoadmin.planned_permission_set(planned)
        ssoadmin.call(
            provider,
            planned,
            "PutInlinePolicyToPermissionSet",
            InlinePolicy=policy_documents.normalized(planned["inline_policy"]),
            **arns,
        )
        ssoadmin.provision(provider, planned, arns)
        return f"{arns['PermissionSetArn']},{arns['InstanceArn']}"

    def update(self, provider, prior, planned):
        self.create(provider, planned)

    def delete(self, provider, state):
        arns = ssoadmin.permission_set(state["id"])
        ssoadmin.remove(provider, state, "DeleteInlinePolicyFromPermissionSet", arns)
