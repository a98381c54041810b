"""aws_iam_role_policy: an inline policy of a role."""

from resources.iam_inline_policy import InlinePolicy
from validators import is_iam_policy, is_no_arn, length_between, matches, resource_name


class IamRolePolicy(InlinePolicy):
    kind = "Role"
    validators = {
        "name": resource_name(128),
        "name_prefix": resource_name(102),
        "policy": [is_iam_policy],
        "role": [length_between(1, 128), matches(r"[\w+=,.@-]+", ""), is_no_arn],
    }

    def import_state(self, provider, import_id):
        role, name = self.parsed(import_id)
        return {"id": import_id, "role": role, "name": name}
