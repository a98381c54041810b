"""The organization and IAM Identity Center of the emulator: how they are filled from an account,
and what the emulator lacks or tells otherwise than AWS documents it."""

import datetime
import functools
import json
import re
import time
import uuid

#: Key of an account given as one file -> members that tell an entity of that kind in a folder.
KINDS = {
    "permission_sets": ("PermissionSetArn", "Name"),
    "delegated_administrators": ("Id", "DelegatedServices"),
    "organizations_accounts": ("Id", "Email", "Name"),
    "organizational_units": ("Id", "Arn", "Name"),
    "resource_policy": ("ResourcePolicySummary", "Content"),
}
ADMINISTRATORS = "DelegatedAdministrators"
#: Members of the outputs of the AWS CLI that hold one or several entities.
OUTPUTS = (
    "Account",
    "Accounts",
    ADMINISTRATORS,
    "OrganizationalUnit",
    "OrganizationalUnits",
    "PermissionSet",
    "ResourcePolicy",
)
#: Outputs about an entity that the file's name tells, as `list-tags-for-resource.IDENTIFIER.json`.
DETAILS = (
    "AttachedManagedPolicies",
    "CustomerManagedPolicyReferences",
    "DelegatedServices",
    "InlinePolicy",
    "PermissionsBoundary",
    "Tags",
)


# --- reading ---------------------------------------------------------------


def read_folder(outputs):
    """Returns the entities of a folder's files by kind, from an export or outputs of the CLI."""
    found = {kind: {} for kind in KINDS}
    for content in outputs.values():
        for name in (None, *OUTPUTS):
            for entity in several(content.get(name) if name else content):
                kind = "delegated_administrators" if name == ADMINISTRATORS else kind_of(entity)
                if kind:
                    found[kind].setdefault(identifier_of(entity), {}).update(entity)
    for file, content in outputs.items():
        identifier = file.name.removesuffix(".json").partition(".")[2].partition(".")[0]
        for entities in found.values():
            complete(entities.get(identifier), content)
    return {kind: list(entities.values()) for kind, entities in found.items()}


def several(value):
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def kind_of(entity):
    for kind, members in KINDS.items():
        if all(member in entity for member in members):
            is_unit = str(entity.get("Id", "")).startswith("ou-")
            if (kind == "organizational_units") == is_unit:
                return kind
    return None


def identifier_of(entity):
    if "ResourcePolicySummary" in entity:
        return entity["ResourcePolicySummary"]["Id"]
    return entity.get("Id") or entity["PermissionSetArn"].rpartition("/")[2]


def complete(entity, content):
    if entity is None:
        return
    entity.update({name: content[name] for name in DETAILS if name in content})
    if content.get("Parents"):
        entity["ParentId"] = content["Parents"][0]["Id"]
    if "AccountAssignments" in content:
        entity.setdefault("AccountAssignments", []).extend(content["AccountAssignments"])


# --- filling ---------------------------------------------------------------


def seconds(moment):
    """Returns a time as the API tells it, from its text or as it is."""
    if isinstance(moment, str):
        return datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    return moment or time.time()


def naive(moment):
    found = datetime.datetime.fromtimestamp(seconds(moment), datetime.timezone.utc)
    return found.replace(tzinfo=None)


def text_of(document):
    if isinstance(document, str):
        return document
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def add_members(backend, account):
    """Adds units, accounts, the resource policy and delegated administrators."""
    from moto.organizations import models

    for unit in account.organizational_units:
        made = models.FakeOrganizationalUnit(
            backend.org,
            Name=unit["Name"],
            ParentId=unit.get("ParentId") or backend.org.root_id,
            Tags=unit.get("Tags") or [],
        )
        made.id = unit["Id"]
        backend.ou.append(made)
    for member in account.organizations_accounts:
        add_account(backend, member)
    known = {member.id for member in backend.accounts}
    for administrator in account.delegated_administrators:
        if administrator["Id"] not in known:
            add_account(backend, administrator)
    for policy in several(account.resource_policy):
        put_resource_policy(backend, text_of(policy["Content"]), policy.get("Tags") or [])
        backend.resource_policy.id = policy["ResourcePolicySummary"]["Id"]
    for administrator in account.delegated_administrators:
        made = models.FakeDelegatedAdministrator(backend.get_account_by_id(administrator["Id"]))
        made.enabled_date = naive(administrator.get("DelegationEnabledDate"))
        for service in administrator.get("DelegatedServices") or ():
            made.services[service["ServicePrincipal"]] = {
                "ServicePrincipal": service["ServicePrincipal"],
                "DelegationEnabledDate": seconds(service.get("DelegationEnabledDate")),
            }
        backend.admins.append(made)


def add_account(backend, member):
    from moto.organizations import models

    known = {account.id: account for account in backend.accounts}
    made = known.get(member["Id"])
    if made is None:
        made = models.FakeAccount(
            backend.org, AccountName=member["Name"], Email=member["Email"]
        )
        made.id = member["Id"]
        backend.accounts.append(made)
        models.organizations_backends.master_accounts[made.id] = (
            backend.account_id,
            backend.partition,
        )
    made.name, made.email = member["Name"], member["Email"]
    made.state = member.get("State") or member.get("Status") or "ACTIVE"
    made.status = member.get("Status") or ("SUSPENDED" if made.state == "CLOSED" else made.state)
    made.joined_method = member.get("JoinedMethod") or "CREATED"
    made.create_time = naive(member.get("JoinedTimestamp"))
    made.parent_id = member.get("ParentId") or backend.org.root_id
    made.tags = {tag["Key"]: tag["Value"] for tag in member.get("Tags") or ()}


def home_of(account, region):
    """Returns the region of IAM Identity Center, as a permission set tells it."""
    told = (permission_set.get("Region") for permission_set in account.permission_sets)
    return next(filter(None, told), region)


def fill_identity_center(account, region):
    """Adds the permission sets and their assignments, and the instances they are of."""
    from moto.ssoadmin import models

    if not account.permission_sets:
        return
    region = home_of(account, region)
    backend = models.ssoadmin_backends[account.number][region]
    backend.instances.clear()
    for permission_set in account.permission_sets:
        arn = permission_set["PermissionSetArn"]
        instance_arn = permission_set.get("InstanceArn") or instance_of(arn)
        if instance_arn not in {instance.instance_arn for instance in backend.instances}:
            instance = models.Instance(account.number, region)
            instance.instance_arn = instance_arn
            backend.instances.append(instance)
        made = models.PermissionSet(
            permission_set["Name"],
            permission_set.get("Description"),
            instance_arn,
            permission_set.get("SessionDuration") or "PT1H",
            permission_set.get("RelayState"),
            [dict(tag) for tag in permission_set.get("Tags") or ()],
        )
        made.permission_set_arn = arn
        made.created_date = seconds(permission_set.get("CreatedDate"))
        if permission_set.get("InlinePolicy"):
            made.inline_policy = text_of(permission_set["InlinePolicy"])
        made.managed_policies = [
            models.ManagedPolicy(policy["Arn"], policy.get("Name") or policy["Arn"].split("/")[-1])
            for policy in permission_set.get("AttachedManagedPolicies") or ()
        ]
        made.customer_managed_policies = [
            models.CustomerManagedPolicy(policy["Name"], policy.get("Path") or "/")
            for policy in permission_set.get("CustomerManagedPolicyReferences") or ()
        ]
        made.total_managed_policies_attached = len(
            [*made.managed_policies, *made.customer_managed_policies]
        )
        made.boundary = permission_set.get("PermissionsBoundary") or None
        backend.permission_sets.append(made)
        for assignment in permission_set.get("AccountAssignments") or ():
            backend.create_account_assignment(
                instance_arn,
                assignment["AccountId"],
                "AWS_ACCOUNT",
                arn,
                assignment["PrincipalType"],
                assignment["PrincipalId"],
            )


def instance_of(permission_set_arn):
    return f"arn:aws:sso:::instance/{permission_set_arn.split('/')[1]}"


# --- the organization ------------------------------------------------------


class ResourcePolicy:
    """The one resource policy of an organization."""

    def __init__(self, backend, tags):
        self.organization, self.account_id = backend.org, backend.account_id
        self.id = f"rp-{uuid.uuid4().hex[:8]}"
        self.tags = {tag["Key"]: tag["Value"] for tag in tags}
        self.content = ""

    def describe(self):
        owner = f"{self.account_id}:resourcepolicy/{self.organization.id}"
        arn = f"arn:aws:organizations::{owner}/{self.id}"
        summary = {"Id": self.id, "Arn": arn}
        return {"ResourcePolicy": {"ResourcePolicySummary": summary, "Content": self.content}}


def put_resource_policy(backend, content, tags):
    if getattr(backend, "resource_policy", None) is None:
        backend.resource_policy = ResourcePolicy(backend, tags)
    backend.resource_policy.content = content
    return backend.resource_policy


def resource_policy_of(backend):
    from moto.organizations import models

    if getattr(backend, "resource_policy", None) is None:
        raise models.RESTError(
            "ResourcePolicyNotFoundException", "We can't find a resource policy request."
        )
    return backend.resource_policy


def extend_organization():
    """Adds resource policies and names of accounts, and refuses what AWS refuses of units."""
    from moto.account import urls
    from moto.account.responses import AccountResponse
    from moto.core.responses import EmptyResult
    from moto.organizations import models, utils
    from moto.organizations.responses import OrganizationsResponse

    backend_class = models.OrganizationsBackend
    # Accounts that joined at the same moment are told apart, and pages are those of AWS.
    utils.PAGINATION_MODEL["list_accounts"].update(unique_attribute="Id", limit_default=20)
    # Which services may be delegated is for AWS to know.
    models.FakeDelegatedAdministrator.supported_service = staticmethod(
        lambda principal: bool(re.fullmatch(r"[\w+=,.@-]{1,128}", principal))
    )

    def put(self):
        backend, parameters = self.organizations_backend, self.request_params
        backend.describe_organization()
        policy = put_resource_policy(backend, parameters["Content"], parameters.get("Tags") or [])
        return json.dumps(policy.describe())

    def describe(self):
        return json.dumps(resource_policy_of(self.organizations_backend).describe())

    def delete(self):
        resource_policy_of(self.organizations_backend)
        self.organizations_backend.resource_policy = None
        return "{}"

    OrganizationsResponse.put_resource_policy = put
    OrganizationsResponse.describe_resource_policy = describe
    OrganizationsResponse.delete_resource_policy = delete

    tagged = backend_class._get_resource_for_tagging

    def tagged_with_resource_policy(self, resource_id):
        if not resource_id.startswith("rp-"):
            return tagged(self, resource_id)
        policy = getattr(self, "resource_policy", None)
        if policy is None or policy.id != resource_id:
            raise models.TargetNotFoundException
        return policy

    backend_class._get_resource_for_tagging = tagged_with_resource_policy

    def refuse_second_name(self, name, parent_id, but=None):
        for unit in self.ou:
            if unit.name == name and unit.parent_id == parent_id and unit is not but:
                raise models.DuplicateOrganizationalUnitException

    create_unit = backend_class.create_organizational_unit

    def create_organizational_unit(self, **members):
        self.validate_parent_id(members["ParentId"])
        refuse_second_name(self, members["Name"], members["ParentId"])
        return create_unit(self, **members)

    def update_organizational_unit(self, **members):
        unit = self.get_organizational_unit_by_id(members["OrganizationalUnitId"])
        if "Name" in members:
            refuse_second_name(self, members["Name"], unit.parent_id, but=unit)
            unit.name = members["Name"]
        return unit.describe()

    delete_unit = backend_class.delete_organizational_unit

    def delete_organizational_unit(self, **members):
        identifier = members["OrganizationalUnitId"]
        if any(child.parent_id == identifier for child in [*self.ou, *self.accounts]):
            raise models.RESTError(
                "OrganizationalUnitNotEmptyException",
                "The specified OU is not empty. Move all accounts to another root or to other "
                "OUs, remove all child OUs, and try the operation again.",
            )
        unit = self.get_organizational_unit_by_id(identifier)
        for policy in unit.attached_policies:
            policy.attachments.remove(unit)
        delete_unit(self, **members)

    describe_unit = backend_class.describe_organizational_unit

    def describe_organizational_unit(self, **members):
        if not members["OrganizationalUnitId"].startswith("ou-"):
            raise models.InvalidInputException("You specified an invalid value.")
        return describe_unit(self, **members)

    backend_class.describe_organizational_unit = describe_organizational_unit
    backend_class.create_organizational_unit = create_organizational_unit
    backend_class.update_organizational_unit = update_organizational_unit
    backend_class.delete_organizational_unit = delete_organizational_unit

    close = models.FakeAccount.close

    def close_account(self):
        close(self)
        self.state = "CLOSED"

    models.FakeAccount.close = close_account

    def put_account_name(self):
        identifier = self._get_param("AccountId") or self.current_account
        backend = models.organizations_backends[self.current_account][self.partition]
        backend.get_account_by_id(identifier).name = self._get_param("AccountName")
        return EmptyResult()

    AccountResponse.put_account_name = put_account_name
    urls.url_paths["{0}/putAccountName$"] = AccountResponse.dispatch


# --- IAM Identity Center ---------------------------------------------------


@functools.cache
def policies_of_aws():
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return json.loads(aws_managed_policies_data)


def extend_identity_center(home):
    """Adds boundaries, tags and the state of provisioning; the instance is in one region."""
    from moto.core.exceptions import JsonRESTError
    from moto.ssoadmin import models
    from moto.ssoadmin.exceptions import ConflictException, ResourceNotFoundException
    from moto.ssoadmin.responses import SSOAdminResponse

    backend_class, permission_set_class = models.SSOAdminBackend, models.PermissionSet
    initialize, describe = backend_class.__init__, permission_set_class.to_json
    permission_set_class.boundary = None

    def initialize_in_home_region(self, region_name, account_id):
        initialize(self, region_name, account_id)
        if region_name != home:
            self.instances.clear()

    def describe_what_is_there(self, include_creation_date=False):
        members = describe(self, include_creation_date).items()
        return {name: value for name, value in members if value is not None}

    def arn_of_aws(instance_arn):
        instance = instance_arn.rpartition("/")[2]
        return f"arn:aws:sso:::permissionSet/{instance}/ps-{uuid.uuid4().hex[:16]}"

    backend_class.__init__ = initialize_in_home_region
    permission_set_class.to_json = describe_what_is_there
    permission_set_class.generate_id = staticmethod(arn_of_aws)

    create, delete = backend_class.create_permission_set, backend_class.delete_permission_set
    update = backend_class.update_permission_set

    def create_permission_set(self, **members):
        for permission_set in self.permission_sets:
            if (permission_set.instance_arn, permission_set.name) == (
                members["instance_arn"],
                members["name"],
            ):
                raise ConflictException(f"PermissionSet with name {members['name']} exists")
        if not isinstance(members["session_duration"], str):
            members["session_duration"] = "PT1H"
        return create(self, **members)

    def update_permission_set(self, **members):
        if not isinstance(members["session_duration"], str):
            found = self._find_permission_set(
                members["instance_arn"], members["permission_set_arn"]
            )
            members["session_duration"] = found.session_duration
        return update(self, **members)

    def delete_permission_set(self, instance_arn, permission_set_arn):
        if accounts_of(self, instance_arn, permission_set_arn):
            raise ConflictException("PermissionSet has account assignments")
        return delete(self, instance_arn, permission_set_arn)

    def accounts_of(self, instance_arn, permission_set_arn):
        self._find_permission_set(instance_arn, permission_set_arn)
        return sorted(
            {
                assignment.target_id
                for assignment in self.account_assignments
                if assignment.permission_set_arn == permission_set_arn
            }
        )

    def find_managed_policy(self, arn):
        name = arn.rpartition("/")[2]
        path = policies_of_aws().get(name, {}).get("Path")
        if path is None or arn != f"arn:aws:iam::aws:policy{path}{name}":
            raise ResourceNotFoundException(f"Policy does not exist with ARN: {arn}")
        return models.ManagedPolicy(arn, name)

    backend_class._find_managed_policy = find_managed_policy
    backend_class.create_permission_set = create_permission_set
    backend_class.update_permission_set = update_permission_set
    backend_class.delete_permission_set = delete_permission_set
    backend_class.list_accounts_for_provisioned_permission_set = accounts_of

    def permission_set_of(response, parameter="PermissionSetArn"):
        parameters = json.loads(response.body)
        found = response.ssoadmin_backend._find_permission_set(
            parameters["InstanceArn"], parameters[parameter]
        )
        return found, parameters

    def list_tags(self):
        permission_set, _ = permission_set_of(self, "ResourceArn")
        return json.dumps({"Tags": permission_set.tags or []})

    def tag(self):
        permission_set, parameters = permission_set_of(self, "ResourceArn")
        added = {tag["Key"] for tag in parameters["Tags"]}
        kept = [tag for tag in permission_set.tags or [] if tag["Key"] not in added]
        permission_set.tags = [*kept, *parameters["Tags"]]
        return "{}"

    def untag(self):
        permission_set, parameters = permission_set_of(self, "ResourceArn")
        removed = parameters["TagKeys"]
        permission_set.tags = [
            tag for tag in permission_set.tags or [] if tag["Key"] not in removed
        ]
        return "{}"

    def put_boundary(self):
        permission_set, parameters = permission_set_of(self)
        boundary = parameters["PermissionsBoundary"]
        if len(boundary) != 1:
            raise JsonRESTError(
                "ValidationException", "Exactly one of the boundary's members is to be given"
            )
        reference = boundary.get("CustomerManagedPolicyReference")
        if reference:
            boundary = {"CustomerManagedPolicyReference": {"Path": "/", **reference}}
        permission_set.boundary = boundary
        return "{}"

    def get_boundary(self):
        permission_set, _ = permission_set_of(self)
        if not permission_set.boundary:
            raise ResourceNotFoundException("The permission set has no permissions boundary")
        return json.dumps({"PermissionsBoundary": permission_set.boundary})

    def delete_boundary(self):
        permission_set, _ = permission_set_of(self)
        if not permission_set.boundary:
            raise ResourceNotFoundException("The permission set has no permissions boundary")
        permission_set.boundary = None
        return "{}"

    def sets_of_account(self):
        parameters = json.loads(self.body)
        assigned = {
            assignment.permission_set_arn: None
            for assignment in self.ssoadmin_backend.account_assignments
            if assignment.target_id == parameters["AccountId"]
            and assignment.instance_arn == parameters["InstanceArn"]
        }
        return json.dumps({"PermissionSets": list(assigned)})

    def list_instances(self):
        everywhere = json.loads(self.body or "{}").get("RegionScope") == "ALL_REGIONS"
        region = home if everywhere else self.region
        instances = models.ssoadmin_backends[self.current_account][region].instances
        found = [{**instance.to_json(), "PrimaryRegion": home} for instance in instances]
        return json.dumps({"Instances": found})

    def provisioning_status(self):
        # Provisioning is done when it is asked for.
        request = json.loads(self.body)["ProvisionPermissionSetRequestId"]
        status = {"RequestId": request, "Status": "SUCCEEDED"}
        return json.dumps({"PermissionSetProvisioningStatus": status})

    SSOAdminResponse.list_instances = list_instances
    SSOAdminResponse.list_tags_for_resource = list_tags
    SSOAdminResponse.list_permission_sets_provisioned_to_account = sets_of_account
    SSOAdminResponse.tag_resource = tag
    SSOAdminResponse.untag_resource = untag
    SSOAdminResponse.put_permissions_boundary_to_permission_set = put_boundary
    SSOAdminResponse.get_permissions_boundary_for_permission_set = get_boundary
    SSOAdminResponse.delete_permissions_boundary_from_permission_set = delete_boundary
    SSOAdminResponse.describe_permission_set_provisioning_status = provisioning_status
