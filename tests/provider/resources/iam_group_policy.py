"""aws_iam_group_policy: an inline policy of a group."""

from resources.iam_inline_policy import InlinePolicy


class IamGroupPolicy(InlinePolicy):
    kind = "Group"
    may_be_empty = False
