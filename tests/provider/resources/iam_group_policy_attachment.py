"""aws_iam_group_policy_attachment."""

from resources.iam_policy_attachment import PolicyAttachment


class IamGroupPolicyAttachment(PolicyAttachment):
    kind = "Group"
