"""aws_iam_role_policy_attachment."""

from resources.iam_policy_attachment import PolicyAttachment


class IamRolePolicyAttachment(PolicyAttachment):
    kind = "Role"
