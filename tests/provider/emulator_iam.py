"""Users, groups, identity providers and settings of an account in the emulator.

Owns how they are read from an account's files, how the emulator is filled with
them, and what the emulator's IAM lacks of what AWS documents.
"""

import types

REGION = "us-east-1"

PASSWORD_POLICY_MEMBERS = {
    "AllowUsersToChangePassword": "allow_users_to_change_password",
    "ExpirePasswords": "expire_passwords",
    "HardExpiry": "hard_expiry",
    "MaxPasswordAge": "max_password_age",
    "MinimumPasswordLength": "minimum_password_length",
    "PasswordReusePrevention": "password_reuse_prevention",
    "RequireLowercaseCharacters": "require_lowercase_characters",
    "RequireNumbers": "require_numbers",
    "RequireSymbols": "require_symbols",
    "RequireUppercaseCharacters": "require_uppercase_characters",
}


# What AWS documents of the numbers in a password policy; zero is none of them.
PASSWORD_POLICY_RANGES = {
    "MaxPasswordAge": (1, 1095),
    "MinimumPasswordLength": (6, 128),
    "PasswordReusePrevention": (1, 24),
}


# --- reading ---------------------------------------------------------------


class Kinds:
    """What an account has besides roles, policies and organizations policies."""

    def __init__(self, content=None):
        content = content or {}
        self.users = list(content.get("users") or content.get("UserDetailList") or ())
        self.groups = list(content.get("groups") or content.get("GroupDetailList") or ())
        self.openid_connect_providers = list(content.get("openid_connect_providers") or ())
        self.saml_providers = list(content.get("saml_providers") or ())
        self.account_aliases = list(content.get("account_aliases") or ())
        self.password_policy = content.get("password_policy")

    def with_arns(self):
        return [
            *self.users, *self.groups, *self.openid_connect_providers, *self.saml_providers
        ]


def read_outputs(outputs):
    """Reads an export or outputs of the AWS CLI; each file is told by what it holds."""
    kinds = Kinds()
    users, groups, issuers, documents, arns = {}, {}, {}, {}, []
    for file, content in outputs.items():
        for user in content.get("UserDetailList", [content] if "UserId" in content else []):
            users[user["UserName"]] = dict(user)
        for group in content.get("GroupDetailList", [content] if "GroupId" in content else []):
            groups[group["GroupName"]] = dict(group)
        if "ClientIDList" in content:
            issuers[content["Url"]] = dict(content)
        if "SAMLMetadataDocument" in content:
            # The answer does not name what it is about, so the file's name does.
            name = file.name.removesuffix(".json").partition(".")[2]
            documents[content.get("Arn", f"/{name}").rpartition("/")[2]] = dict(content)
        for listing in ("OpenIDConnectProviderList", "SAMLProviderList"):
            arns += [provider["Arn"] for provider in content.get(listing, ())]
        if "AccountAlias" in content:
            kinds.account_aliases.append(content)
        kinds.account_aliases += content.get("AccountAliases", ())
        if "PasswordPolicy" in content:
            kinds.password_policy = content
    for content in outputs.values():
        described = content.get("User", {})
        user = users.get(described.get("UserName"))
        if user is not None:
            for name in ("Tags", "PermissionsBoundary"):
                if name in described:
                    user[name] = described[name]
    for arn in arns:
        kind, _, name = arn.split(":", 5)[5].partition("/")
        provider = (issuers if kind == "oidc-provider" else documents).get(name)
        if provider is not None:
            provider.setdefault("Arn", arn)
    for name, provider in documents.items():
        provider.setdefault("Name", name)
    kinds.users, kinds.groups = list(users.values()), list(groups.values())
    kinds.openid_connect_providers = list(issuers.values())
    kinds.saml_providers = list(documents.values())
    return kinds


# --- filling ---------------------------------------------------------------


def fill(backend, kinds, add_policy, document_text, moment):
    """Fills the emulator; the functions are those that fill it with roles."""
    filling = Filling(backend, add_policy, document_text, moment)
    for group in kinds.groups:
        filling.add_group(group)
    for user in kinds.users:
        filling.add_user(user)
    for provider in kinds.openid_connect_providers:
        filling.add_openid_connect_provider(provider)
    for provider in kinds.saml_providers:
        filling.add_saml_provider(provider)
    if kinds.account_aliases:
        backend.account_aliases = [
            alias if isinstance(alias, str) else alias["AccountAlias"]
            for alias in kinds.account_aliases
        ]
    if kinds.password_policy:
        policy = kinds.password_policy.get("PasswordPolicy", kinds.password_policy)
        backend.account_password_policy = types.SimpleNamespace(
            **{PASSWORD_POLICY_MEMBERS[name]: value for name, value in policy.items()}
        )


class Filling:
    def __init__(self, backend, add_policy, document_text, moment):
        self.backend, self.add_policy = backend, add_policy
        self.document_text, self.moment = document_text, moment

    def add_group(self, group):
        from moto.iam.models import Group

        made = Group(self.backend.account_id, REGION, group["GroupName"], group.get("Path") or "/")
        self._complete(made, group, "GroupId", "GroupPolicyList")
        self.backend.groups[made.name] = made
        return made

    def add_user(self, user):
        from moto.iam.models import User

        made = User(self.backend.account_id, REGION, user["UserName"], user.get("Path") or "/")
        self._complete(made, user, "UserId", "UserPolicyList")
        boundary = user.get("PermissionsBoundary") or {}
        made.permissions_boundary_arn = boundary.get("PermissionsBoundaryArn")
        self.backend.users[made.name] = made
        self.backend.tagger.tag_resource(made.arn, [dict(tag) for tag in user.get("Tags") or ()])
        for name in user.get("GroupList") or ():
            group = self.backend.groups.get(name) or self.add_group({"GroupName": name})
            group.users.append(made)

    def _complete(self, made, detail, identifier, inline_policies):
        made.id = detail.get(identifier) or made.id
        made.create_date = self.moment(detail.get("CreateDate")) or made.create_date
        for policy in detail.get(inline_policies) or ():
            made.policies[policy["PolicyName"]] = self.document_text(policy["PolicyDocument"])
        for attached in detail.get("AttachedManagedPolicies") or ():
            arn = attached["PolicyArn"]
            if arn not in self.backend.managed_policies:
                self.add_policy(self.backend, {"Arn": arn})
            self.backend.managed_policies[arn].attach_to(made)

    def add_openid_connect_provider(self, provider):
        from moto.iam import models

        url = provider["Url"].removeprefix("https://")
        made = models.OpenIDConnectProvider(
            self.backend.account_id, REGION, f"https://{url}", [], [], {}
        )
        # What AWS once accepted is taken as it is.
        made.url = url
        made.thumbprint_list = list(provider.get("ThumbprintList") or ())
        made.client_id_list = list(provider.get("ClientIDList") or ())
        made.tags = {tag["Key"].lower(): dict(tag) for tag in provider.get("Tags") or ()}
        made.create_date = self.moment(provider.get("CreateDate")) or made.create_date
        self.backend.open_id_providers[provider.get("Arn") or made.arn] = made

    def add_saml_provider(self, provider):
        from moto.iam import models

        name = provider.get("Name") or provider["Arn"].split(":saml-provider/", 1)[1]
        made = models.SAMLProvider(
            self.backend.account_id, REGION, name, provider["SAMLMetadataDocument"]
        )
        made.create_date = self.moment(provider.get("CreateDate")) or made.create_date
        made.valid_until = self.moment(provider.get("ValidUntil")) or made.valid_until
        made.saml_provider_uuid = provider.get("SAMLProviderUUID")
        made.tags = [dict(tag) for tag in provider.get("Tags") or ()]
        self.backend.saml_providers[name] = made


# --- what the emulator lacks -----------------------------------------------


def extend_emulator():
    """Gives the emulator's IAM what AWS documents and the resource types need."""
    from moto.iam import models, responses

    extend_users(models.User, models.IAMBackend, responses.IamResponse)
    extend_groups(models.IAMBackend)
    extend_openid_connect_providers(responses.IamResponse)
    extend_saml_providers(models.SAMLProvider, responses.IamResponse)
    extend_service_linked_roles(models.IAMBackend)
    extend_account(models.IAMBackend, responses.IamResponse)


def extend_users(user_model, backend_model, response_model):
    """Adds permissions boundaries, keeps tags of renamed users, refuses to delete users in use."""
    from moto.core.responses import EmptyResult
    from moto.core.serialize import never_return
    from moto.iam.exceptions import DeleteConflictException

    def permissions_boundary(user):
        return user.permissions_boundary_arn and {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": user.permissions_boundary_arn,
        }

    user_model.permissions_boundary_arn = None
    user_model.permissions_boundary = property(permissions_boundary)
    listed = "ListUsersResponse.Users.User.PermissionsBoundary"
    response_model.RESPONSE_KEY_PATH_TO_TRANSFORMER[listed] = never_return

    create_user = response_model.create_user

    def create_user_with_boundary(self):
        boundary = self._get_param("PermissionsBoundary")
        if boundary:
            self.backend.get_policy(boundary)
        result = create_user(self)
        user = self.backend.get_user(self._get_param("UserName"))
        user.permissions_boundary_arn = boundary
        return result

    def put_user_permissions_boundary(self):
        user = self.backend.get_user(self._get_param("UserName"))
        boundary = self._get_param("PermissionsBoundary")
        self.backend.get_policy(boundary)
        user.permissions_boundary_arn = boundary
        return EmptyResult()

    def delete_user_permissions_boundary(self):
        user = self.backend.get_user(self._get_param("UserName"))
        user.permissions_boundary_arn = None
        return EmptyResult()

    update_user = backend_model.update_user

    def update_user_with_tags(self, user_name, new_path=None, new_user_name=None):
        user = self.get_user(user_name)
        arn, tags = user.arn, user.tags or []
        update_user(self, user_name, new_path, new_user_name)
        self.tagger.delete_all_tags_for_resource(arn)
        self.tagger.tag_resource(user.arn, tags)

    delete_user = backend_model.delete_user

    def delete_unused_user(self, user_name):
        user = self.get_user(user_name)
        for found, what in (
            (self.get_groups_for_user(user_name), "remove users from group"),
            (user.access_keys, "delete access keys"),
            (user.password, "delete login profile"),
            (user.mfa_devices, "delete MFA device"),
            (user.signing_certificates, "delete signing certificates"),
            (user.ssh_public_keys, "delete SSH public keys"),
        ):
            if found:
                raise DeleteConflictException(f"Cannot delete entity, must {what} first.")
        delete_user(self, user_name)

    response_model.create_user = create_user_with_boundary
    response_model.put_user_permissions_boundary = put_user_permissions_boundary
    response_model.delete_user_permissions_boundary = delete_user_permissions_boundary
    backend_model.update_user = update_user_with_tags
    backend_model.delete_user = delete_unused_user


def extend_groups(backend_model):
    """Lets a group keep its name and get a path; refuses to delete groups in use."""
    from moto.iam.exceptions import DeleteConflictException, EntityAlreadyExists

    def update_group(self, group_name, new_group_name, new_path):
        group = self.get_group(group_name)
        if new_group_name and new_group_name != group_name:
            if new_group_name in self.groups:
                raise EntityAlreadyExists(f"Group {new_group_name} already exists")
            group.name = new_group_name
            self.groups[new_group_name] = self.groups.pop(group_name)
        group.path = new_path or group.path

    delete_group = backend_model.delete_group

    def delete_unused_group(self, group_name):
        group = self.get_group(group_name)
        for found, what in (
            (group.users, "remove users from group"),
            (group.managed_policies, "detach all policies"),
            (group.policies, "delete policies"),
        ):
            if found:
                raise DeleteConflictException(f"Cannot delete entity, must {what} first.")
        delete_group(self, group_name)

    backend_model.update_group = update_group
    backend_model.delete_group = delete_unused_group


def extend_openid_connect_providers(response_model):
    """Adds the operations on client IDs."""
    from moto.core.responses import EmptyResult

    def add_client_id_to_open_id_connect_provider(self):
        provider = provider_of(self)
        client_id = self._get_param("ClientID")
        if client_id not in provider.client_id_list:
            provider.client_id_list.append(client_id)
        return EmptyResult()

    def remove_client_id_from_open_id_connect_provider(self):
        provider = provider_of(self)
        client_id = self._get_param("ClientID")
        if client_id in provider.client_id_list:
            provider.client_id_list.remove(client_id)
        return EmptyResult()

    def provider_of(response):
        arn = response._get_param("OpenIDConnectProviderArn")
        return response.backend.get_open_id_connect_provider(arn)

    for operation in (
        add_client_id_to_open_id_connect_provider,
        remove_client_id_from_open_id_connect_provider,
    ):
        setattr(response_model, operation.__name__, operation)


def extend_saml_providers(provider_model, response_model):
    """Adds tags and the identifier; refuses a second provider of a name."""
    from moto.core.responses import ActionResult, EmptyResult
    from moto.iam.exceptions import EntityAlreadyExists

    provider_model.tags = []
    provider_model.saml_provider_uuid = None
    create_saml_provider = response_model.create_saml_provider

    def create_saml_provider_with_tags(self):
        name = self._get_param("Name")
        if name in self.backend.saml_providers:
            raise EntityAlreadyExists(f"SAMLProvider with name {name} already exists.")
        result = create_saml_provider(self)
        self.backend.saml_providers[name].tags = self._get_param("Tags", [])
        return result

    def provider_of(response):
        return response.backend.get_saml_provider(response._get_param("SAMLProviderArn"))

    def tag_saml_provider(self):
        provider, written = provider_of(self), self._get_param("Tags", [])
        keys = {tag["Key"] for tag in written}
        provider.tags = [tag for tag in provider.tags if tag["Key"] not in keys] + written
        return EmptyResult()

    def untag_saml_provider(self):
        provider, keys = provider_of(self), self._get_param("TagKeys", [])
        provider.tags = [tag for tag in provider.tags if tag["Key"] not in keys]
        return EmptyResult()

    def list_saml_provider_tags(self):
        return ActionResult({"Tags": provider_of(self).tags, "IsTruncated": False})

    response_model.create_saml_provider = create_saml_provider_with_tags
    for operation in (tag_saml_provider, untag_saml_provider, list_saml_provider_tags):
        setattr(response_model, operation.__name__, operation)


def extend_service_linked_roles(backend_model):
    """Refuses a suffix where the service chooses the name."""
    from moto.iam.exceptions import InvalidInput

    create_service_linked_role = backend_model.create_service_linked_role

    def create_named_role(self, service_name, description, suffix):
        if suffix and ".application-autoscaling." in service_name:
            raise InvalidInput(f"Custom suffix is not allowed for {service_name}")
        return create_service_linked_role(self, service_name, description, suffix)

    backend_model.create_service_linked_role = create_named_role


def extend_account(backend_model, response_model):
    """Deletes no other alias than the named; knows what a password policy may be and lacks."""
    from moto.iam.exceptions import NotFoundException, ValidationError

    delete_account_alias = response_model.delete_account_alias

    def delete_named_account_alias(self):
        alias = self._get_param("AccountAlias")
        if alias not in self.backend.account_aliases:
            raise NotFoundException(f"The account alias with name {alias} cannot be found.")
        return delete_account_alias(self)

    update_account_password_policy = backend_model.update_account_password_policy

    def update_password_policy_of_aws(self, *settings):
        update_account_password_policy(self, *settings)
        policy = self.account_password_policy
        for name in ("hard_expiry", "max_password_age", "password_reuse_prevention"):
            setattr(policy, name, getattr(policy, name) or None)

    write_account_password_policy = response_model.update_account_password_policy

    def update_account_password_policy_in_range(self):
        for name, (least, most) in PASSWORD_POLICY_RANGES.items():
            value = self._get_int_param(name)
            if value is not None and not least <= value <= most:
                raise ValidationError(
                    f"Value '{value}' at '{name}' failed to satisfy constraint: "
                    f"Member must have value between {least} and {most}"
                )
        return write_account_password_policy(self)

    response_model.update_account_password_policy = update_account_password_policy_in_range
    response_model.delete_account_alias = delete_named_account_alias
    backend_model.update_account_password_policy = update_password_policy_of_aws
