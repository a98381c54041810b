"""aws_iam_user_policy: an inline policy of a user."""

from resources.iam_inline_policy import InlinePolicy


class IamUserPolicy(InlinePolicy):
    kind = "User"
