"""aws_iam_account_password_policy: an account has one or none.

Any import ID is taken while the account has a policy. What the API leaves out
is zero or false in the state, and only what is neither is written.
"""

from resources import iam
from resources.base import Resource, ignoring
from values import UNKNOWN

IDENTIFIER = "iam-account-password-policy"
MEMBERS = {
    "allow_users_to_change_password": "AllowUsersToChangePassword",
    "expire_passwords": "ExpirePasswords",
    "hard_expiry": "HardExpiry",
    "max_password_age": "MaxPasswordAge",
    "minimum_password_length": "MinimumPasswordLength",
    "password_reuse_prevention": "PasswordReusePrevention",
    "require_lowercase_characters": "RequireLowercaseCharacters",
    "require_numbers": "RequireNumbers",
    "require_symbols": "RequireSymbols",
    "require_uppercase_characters": "RequireUppercaseCharacters",
}


class IamAccountPasswordPolicy(Resource):
    type_name = "aws_iam_account_password_policy"
    defaults = {"allow_users_to_change_password": True, "minimum_password_length": 6}

    def read(self, provider, state):
        policy = iam.found(provider.client, "GetAccountPasswordPolicy", "PasswordPolicy")
        if policy is None:
            return None
        return {
            argument: policy.get(member, "false") == "true"
            if self.attributes[argument]["type"] == "bool"
            else int(policy.get(member) or 0)
            for argument, member in MEMBERS.items()
        }

    def create(self, provider, planned):
        self._write(provider, planned)
        return IDENTIFIER

    def update(self, provider, prior, planned):
        self._write(provider, planned)

    def _write(self, provider, planned):
        written = {
            member: planned[argument]
            for argument, member in MEMBERS.items()
            if argument != "expire_passwords"
            and planned[argument] is not UNKNOWN
            and planned[argument]
        }
        provider.client.iam("UpdateAccountPasswordPolicy", **written)

    def delete(self, provider, state):
        ignoring(iam.NOT_FOUND, provider.client.iam, "DeleteAccountPasswordPolicy")
