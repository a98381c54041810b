"""aws_organizations_delegated_administrator: one account for one service."""

from resources import organizations
from resources.base import Refused, Resource, ignoring
from validators import is_account_id, length_between


class OrganizationsDelegatedAdministrator(Resource):
    type_name = "aws_organizations_delegated_administrator"
    force_new = frozenset({"account_id", "service_principal"})
    validators = {
        "account_id": [is_account_id],
        "service_principal": [length_between(1, 128)],
    }

    def read(self, provider, state):
        account_id, principal = parsed(state["id"])
        found = provider.client.organizations_pages(
            "ListDelegatedAdministrators", "DelegatedAdministrators", ServicePrincipal=principal
        )
        account = next((account for account in found if account["Id"] == account_id), None)
        if account is None:
            return None
        return {
            "account_id": account_id,
            "arn": account["Arn"],
            "delegation_enabled_date": organizations.date(account["DelegationEnabledDate"]),
            "email": account["Email"],
            "joined_method": account.get("JoinedMethod"),
            "joined_timestamp": organizations.date(account["JoinedTimestamp"]),
            "name": account["Name"],
            "service_principal": principal,
            "status": account.get("Status"),
        }

    def create(self, provider, planned):
        account_id, principal = planned["account_id"], planned["service_principal"]
        provider.client.organizations(
            "RegisterDelegatedAdministrator", AccountId=account_id, ServicePrincipal=principal
        )
        return f"{account_id}/{principal}"

    def delete(self, provider, state):
        account_id, principal = parsed(state["id"])
        ignoring(
            ("AccountNotRegisteredException",),
            provider.client.organizations,
            "DeregisterDelegatedAdministrator",
            AccountId=account_id,
            ServicePrincipal=principal,
        )


def parsed(identifier):
    parts = identifier.split("/")
    if len(parts) != 2 or not all(parts):
        raise Refused(
            f"unexpected format for ID ({identifier}), expected ACCOUNTID/SERVICEPRINCIPAL"
        )
    return parts
