"""aws_iam_user_policy_attachment."""

from resources.iam_policy_attachment import PolicyAttachment


class IamUserPolicyAttachment(PolicyAttachment):
    kind = "User"
