"""aws_organizations_account.

The importer leaves `close_on_deletion` and `create_govcloud` absent, so their defaults are a
change of every account just imported, unless they are ignored.
"""

import time

from resources import organizations
from resources.base import Refused, Resource, api_tags, changed, ignoring, tags_to_write
from validators import length_between, matches, one_of

NOT_FOUND = ("AccountNotFoundException",)
#: A closed account is no longer there, though AWS still tells of it for 90 days.
GONE = ("SUSPENDED", "CLOSED")


class OrganizationsAccount(Resource):
    type_name = "aws_organizations_account"
    has_tags = True
    defaults = {"close_on_deletion": False, "create_govcloud": False}
    force_new = frozenset({"email", "iam_user_access_to_billing", "role_name"})
    validators = {
        "email": [
            length_between(6, 64),
            matches(r"^[^\s@]+@[^\s@]+\.[^\s@]+\Z", "must be a valid email address"),
        ],
        "iam_user_access_to_billing": [one_of("ALLOW", "DENY")],
        "name": [length_between(1, 50)],
        "parent_id": [organizations.is_parent("MoveAccount")],
        "role_name": [
            matches(
                r"^[\w+=,.@-]{1,64}\Z",
                "must consist of uppercase letters, lowercase letters, digits with no spaces, "
                "and any of the following characters",
            )
        ],
    }

    def import_state(self, provider, import_id):
        if "_" not in import_id:
            return {"id": import_id}
        parts = import_id.split("_")
        if len(parts) != 2 or not all(parts):
            raise Refused(
                f"unexpected format of ID ({import_id}), "
                "expected <account_id>_<IAM User Access Status> or <account_id>"
            )
        return {"id": parts[0], "iam_user_access_to_billing": parts[1]}

    def read(self, provider, state):
        identifier = state["id"]
        account = self._describe(provider, identifier)
        if account is None:
            return None
        result = {
            "arn": account["Arn"],
            "email": account["Email"],
            "joined_method": account.get("JoinedMethod"),
            "joined_timestamp": organizations.date(account["JoinedTimestamp"]),
            "name": account["Name"],
            "parent_id": organizations.parent_of(provider, identifier),
            "state": account.get("State"),
            "status": account.get("Status"),
        }
        self.set_tags(provider, result, organizations.tags_of(provider, identifier))
        return result

    def _describe(self, provider, identifier):
        account = organizations.found(
            provider.client, NOT_FOUND, "DescribeAccount", "Account", AccountId=identifier
        )
        if account and {account.get("Status"), account.get("State")}.intersection(GONE):
            return None
        return account

    def create(self, provider, planned):
        call = provider.client.organizations
        operation = "CreateGovCloudAccount" if planned["create_govcloud"] else "CreateAccount"
        answer = call(
            operation,
            AccountName=planned["name"],
            Email=planned["email"],
            IamUserAccessToBilling=planned["iam_user_access_to_billing"] or None,
            RoleName=planned["role_name"] or None,
            Tags=api_tags(tags_to_write(provider, planned)),
        )
        identifier = self._wait(provider, answer["CreateAccountStatus"]["Id"])
        if isinstance(planned["parent_id"], str) and planned["parent_id"]:
            self._move(
                provider,
                identifier,
                organizations.parent_of(provider, identifier),
                planned["parent_id"],
            )
        return identifier

    def _wait(self, provider, request):
        deadline = time.monotonic() + provider.retry_seconds
        while True:
            status = provider.client.organizations(
                "DescribeCreateAccountStatus", CreateAccountRequestId=request
            )["CreateAccountStatus"]
            if status["State"] == "SUCCEEDED":
                return status["AccountId"]
            if status["State"] == "FAILED" or time.monotonic() > deadline:
                raise Refused(
                    f"waiting for AWS Organizations Account create: {status.get('FailureReason')}"
                )
            time.sleep(0.2)

    def _move(self, provider, identifier, source, destination):
        if source != destination:
            provider.client.organizations(
                "MoveAccount",
                AccountId=identifier,
                SourceParentId=source,
                DestinationParentId=destination,
            )

    def update(self, provider, prior, planned):
        identifier = prior["id"]
        if changed(prior, planned, "name"):
            provider.client.account(
                "PutAccountName", AccountId=identifier, AccountName=planned["name"]
            )
        if changed(prior, planned, "parent_id"):
            self._move(provider, identifier, prior["parent_id"], planned["parent_id"])
        organizations.write_tags(provider, prior, planned)

    def delete(self, provider, state):
        closing = state["close_on_deletion"]
        operation = "CloseAccount" if closing else "RemoveAccountFromOrganization"
        ignoring(NOT_FOUND, provider.client.organizations, operation, AccountId=state["id"])
        deadline = time.monotonic() + provider.retry_seconds
        while closing and self._describe(provider, state["id"]) is not None:
            if time.monotonic() > deadline:
                raise Refused(f"waiting for AWS Organizations Account ({state['id']}) delete")
            time.sleep(0.2)
