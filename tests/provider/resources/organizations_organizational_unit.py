"""aws_organizations_organizational_unit."""

from resources import organizations
from resources.base import Resource, api_tags, changed, ignoring, tags_to_write
from validators import length_between

NOT_FOUND = ("OrganizationalUnitNotFoundException",)


class OrganizationsOrganizationalUnit(Resource):
    type_name = "aws_organizations_organizational_unit"
    has_tags = True
    force_new = frozenset({"parent_id"})
    validators = {
        "name": [length_between(1, 128)],
        "parent_id": [organizations.is_parent("CreateOrganizationalUnit")],
    }

    def read(self, provider, state):
        client, identifier = provider.client, state["id"]
        unit = organizations.found(
            client,
            NOT_FOUND,
            "DescribeOrganizationalUnit",
            "OrganizationalUnit",
            OrganizationalUnitId=identifier,
        )
        if unit is None:
            return None
        accounts = client.organizations_pages(
            "ListAccountsForParent", "Accounts", ParentId=identifier
        )
        result = {
            "accounts": [
                {member.lower(): account[member] for member in ("Arn", "Email", "Id", "Name")}
                for account in accounts
            ],
            "arn": unit["Arn"],
            "name": unit["Name"],
            "parent_id": organizations.parent_of(provider, identifier),
        }
        self.set_tags(provider, result, organizations.tags_of(provider, identifier))
        return result

    def create(self, provider, planned):
        answer = provider.client.organizations(
            "CreateOrganizationalUnit",
            Name=planned["name"],
            ParentId=planned["parent_id"],
            Tags=api_tags(tags_to_write(provider, planned)),
        )
        return answer["OrganizationalUnit"]["Id"]

    def update(self, provider, prior, planned):
        if changed(prior, planned, "name"):
            provider.client.organizations(
                "UpdateOrganizationalUnit",
                OrganizationalUnitId=prior["id"],
                Name=planned["name"],
            )
        organizations.write_tags(provider, prior, planned)

    def delete(self, provider, state):
        ignoring(
            NOT_FOUND,
            provider.client.organizations,
            "DeleteOrganizationalUnit",
            OrganizationalUnitId=state["id"],
        )
