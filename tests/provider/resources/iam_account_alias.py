"""aws_iam_account_alias: an account has one or none.

Any import ID is taken while the account has an alias; the argument then is the alias.
"""

from resources import iam
from resources.base import Refused, Resource, ignoring
from validators import is_account_alias


class IamAccountAlias(Resource):
    type_name = "aws_iam_account_alias"
    force_new = frozenset({"account_alias"})
    validators = {"account_alias": [is_account_alias]}

    def read(self, provider, state):
        aliases = list(provider.client.iam_pages("ListAccountAliases", "AccountAliases"))
        if len(aliases) > 1:
            raise Refused(
                f"reading IAM Account Alias ({state['id']}): "
                f"too many results: wanted 1, got {len(aliases)}"
            )
        return {"account_alias": aliases[0]} if aliases else None

    def create(self, provider, planned):
        provider.client.iam("CreateAccountAlias", AccountAlias=planned["account_alias"])
        return planned["account_alias"]

    def delete(self, provider, state):
        ignoring(
            iam.NOT_FOUND, provider.client.iam, "DeleteAccountAlias", AccountAlias=state["id"]
        )
