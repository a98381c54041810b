"""Starts the AWS emulator in this process, optionally filled with an account.

    python emulator.py [ACCOUNT] [--port PORT] [--account NUMBER] [--unchecked]

prints the port as its first line and serves until it is ended. ACCOUNT is one of

- a JSON file `{"account": …, "roles": […], "policies": […],
  "organizations_policies": […]}` of the objects an exported repository holds; and
  `users`, `groups`, `openid_connect_providers`, `saml_providers`,
  `account_aliases`, `password_policy`, `organizational_units`,
  `organizations_accounts`, `resource_policy`, `delegated_administrators` and
  `permission_sets`,
- a folder of an exported account: `roles/*.json`, `policies/*.json`, `scps/*.json` …,
- an output of `aws iam get-account-authorization-details`, or a folder with such
  outputs of the AWS CLI, as in `examples/account`.

The account goes straight into the emulator's backends, so thousands of entities
take a second, and identifiers, ARNs and dates are those of the input. Nothing
is checked on the way: what AWS once accepted is taken as it is. What the API is
given later is checked, in places more strictly than AWS does (a number in a
condition is refused); with --unchecked any policy document is taken.

`POST /moto-api/reset` brings back the account as it was at the start.
"""

import argparse
import datetime
import functools
import json
import logging
import os
import pathlib
import re
import sys
import threading
import urllib.parse

import emulated_organization
import emulator_iam

PARTITION = "aws"
REGION = "us-east-1"
DEFAULT_ACCOUNT = "123456789012"

# What AWS documents; the emulator's own patterns are narrower.
IDENTIFIER_PATTERNS = {
    "POLICY_ID_REGEX": r"p-[0-9a-zA-Z_]{8,128}",
    "ROOT_ID_REGEX": r"r-[0-9a-z]{4,32}",
    "OU_ID_REGEX": r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}",
}
ORGANIZATIONS_POLICY_TYPES = [
    "AISERVICES_OPT_OUT_POLICY",
    "BACKUP_POLICY",
    "BEDROCK_POLICY",
    "CHATBOT_POLICY",
    "DECLARATIVE_POLICY_EC2",
    "GUARDDUTY_POLICY",
    "INSPECTOR_POLICY",
    "NETWORK_SECURITY_DIRECTOR_POLICY",
    "RESOURCE_CONTROL_POLICY",
    "S3_POLICY",
    "SECURITYHUB_POLICY",
    "SERVICE_CONTROL_POLICY",
    "TAG_POLICY",
    "UPGRADE_ROLLOUT_POLICY",
]


class Account:
    """The entities of one account, whatever files they came from."""

    def __init__(
        self,
        number=None,
        roles=(),
        policies=(),
        organizations_policies=(),
        iam=None,
        organization=None,
    ):
        self.roles = list(roles)
        self.policies = list(policies)
        self.organizations_policies = list(organizations_policies)
        self.iam = iam or emulator_iam.Kinds()
        for kind in emulated_organization.KINDS:
            found = (organization or {}).get(kind) or []
            setattr(self, kind, [found] if isinstance(found, dict) else list(found))
        self.number = number or self._number_in_arns() or DEFAULT_ACCOUNT

    def of_organization(self):
        """Returns the entities that mention the organization."""
        return [
            *self.organizations_policies,
            *self.organizational_units,
            *self.organizations_accounts,
            *self.resource_policy,
            *self.delegated_administrators,
        ]

    def _number_in_arns(self):
        summaries = [
            entity.get("PolicySummary") or entity.get("ResourcePolicySummary") or entity
            for entity in self.of_organization()
        ]
        for entity in [*self.roles, *self.policies, *summaries, *self.iam.with_arns()]:
            number = entity.get("Arn", "").split(":")[4:5]
            if number and number[0].isdigit():
                return number[0]
        return None


# --- reading ---------------------------------------------------------------


def load(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def read_account(path, number=None):
    path = pathlib.Path(path)
    if path.is_dir():
        return read_folder(path, number)
    content = load(path)
    if "RoleDetailList" in content:
        return Account(
            number,
            content["RoleDetailList"],
            content.get("Policies", ()),
            iam=emulator_iam.Kinds(content),
        )
    return Account(
        number or content.get("account"),
        content.get("roles", ()),
        content.get("policies", ()),
        content.get("organizations_policies", ()),
        emulator_iam.Kinds(content),
        content,
    )


def read_folder(folder, number):
    """Reads an export or outputs of the AWS CLI; each file is told by what it holds."""
    outputs = {file: load(file) for file in sorted(folder.glob("**/*.json"))}
    outputs = {file: content for file, content in outputs.items() if isinstance(content, dict)}
    roles, policies, organizations_policies = {}, {}, {}
    for content in outputs.values():
        details = content.get("RoleDetailList", [content] if "RoleName" in content else [])
        for role in details:
            roles[role["RoleName"]] = dict(role)
        listed = content.get("Policies", [content])
        for policy in listed:
            if "PolicyVersionList" in policy:
                policies[policy["Arn"]] = dict(policy)
        described = content if "PolicySummary" in content else content.get("Policy", {})
        if "Content" in described:
            organizations_policies[described["PolicySummary"]["Id"]] = dict(described)
    for file, content in outputs.items():
        complete(file, content, roles, policies, organizations_policies)
    return Account(
        number,
        roles.values(),
        policies.values(),
        organizations_policies.values(),
        emulator_iam.read_outputs(outputs),
        emulated_organization.read_folder(outputs),
    )


def complete(file, content, roles, policies, organizations_policies):
    """Adds what one output of the AWS CLI says about entities of other outputs."""
    for role in content.get("Roles", ()):
        copy_members(role, roles.get(role["RoleName"]), "Description", "MaxSessionDuration")
    policy = content.get("Policy", {})
    copy_members(policy, policies.get(policy.get("Arn")), "Description", "Tags")
    described = content.get("InstanceProfile", {})
    for role in roles.values():
        for profile in role.get("InstanceProfileList") or ():
            if profile["InstanceProfileName"] == described.get("InstanceProfileName"):
                copy_members(described, profile, "Tags")
    identifier = file.name.removesuffix(".json").partition(".")[2]
    copy_members(content, organizations_policies.get(identifier), "Tags", "Targets")


def copy_members(source, target, *names):
    if target is not None:
        target.update({name: source[name] for name in names if name in source})


# --- filling ---------------------------------------------------------------


def document_text(document):
    """Returns a document as compact text; a text is taken as AWS sends it."""
    if isinstance(document, str):
        return urllib.parse.unquote(document) if document.startswith("%") else document
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def moment(text):
    if not text:
        return None
    found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def fill(account):
    from moto.iam.models import iam_backends

    backend = iam_backends[account.number][PARTITION]
    for policy in account.policies:
        add_policy(backend, policy)
    for role in account.roles:
        add_role(backend, role)
    emulator_iam.fill(backend, account.iam, add_policy, document_text, moment)
    if account.of_organization():
        fill_organization(account)
    emulated_organization.fill_identity_center(account, REGION)


def add_policy(backend, policy):
    if policy["Arn"] in backend.managed_policies:
        return
    versions = policy.get("PolicyVersionList") or [{}]
    default = next((found for found in versions if found.get("IsDefaultVersion")), versions[0])
    path, name = split_policy_arn(policy["Arn"])
    of_aws = ":iam::aws:" in policy["Arn"]
    made = policy_class(policy["Arn"], of_aws)(
        name,
        account_id=backend.account_id,
        region=REGION,
        default_version_id=default.get("VersionId") or policy.get("DefaultVersionId") or "v1",
        description=policy.get("Description"),
        document=document_text(default.get("Document") or {}),
        path=path,
        create_date=moment(policy.get("CreateDate")),
        update_date=moment(policy.get("UpdateDate") or policy.get("CreateDate")),
        tags={tag["Key"].lower(): dict(tag) for tag in policy.get("Tags") or ()},
    )
    made.id = policy.get("PolicyId") or made.id
    backend.managed_policies[made.arn] = made
    if of_aws:
        backend.aws_managed_policies.append(made)


def policy_class(policy_arn, of_aws):
    """Returns a class of policies with the given ARN, be it another account's or none at all."""
    from moto.iam import models

    class Policy(models.AWSManagedPolicy if of_aws else models.ManagedPolicy):
        # The emulator registers models by the module they claim to be from.
        __module__ = models.__name__
        arn = policy_arn

    return Policy


def split_policy_arn(arn):
    resource = arn.split(":", 5)[-1].removeprefix("policy")
    path, _, name = resource.rpartition("/")
    return f"{path}/", name


def add_role(backend, role):
    from moto.iam.models import InstanceProfile, Role

    boundary = (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    identifier = role.get("RoleId") or f"AROA{len(backend.roles):017d}"
    made = Role(
        account_id=backend.account_id,
        partition=PARTITION,
        role_id=identifier,
        name=role["RoleName"],
        assume_role_policy_document=document_text(role["AssumeRolePolicyDocument"]),
        path=role.get("Path") or "/",
        permissions_boundary=boundary,
        description=role.get("Description"),
        tags=[dict(tag) for tag in role.get("Tags") or ()],
        max_session_duration=str(role.get("MaxSessionDuration") or 3600),
    )
    made.create_date = moment(role.get("CreateDate")) or made.create_date
    backend.roles[identifier] = made
    for policy in role.get("RolePolicyList") or ():
        made.policies[policy["PolicyName"]] = document_text(policy["PolicyDocument"])
    for attached in role.get("AttachedManagedPolicies") or ():
        arn = attached["PolicyArn"]
        if arn not in backend.managed_policies:
            add_policy(backend, {"Arn": arn})
        backend.managed_policies[arn].attach_to(made)
    for profile in role.get("InstanceProfileList") or ():
        name = profile["InstanceProfileName"]
        made_profile = InstanceProfile(
            account_id=backend.account_id,
            region_name=REGION,
            instance_profile_id=profile.get("InstanceProfileId") or f"AIPA{name}",
            name=name,
            path=profile.get("Path") or "/",
            roles=[made],
            tags=[dict(tag) for tag in profile.get("Tags") or ()],
        )
        made_profile.create_date = moment(profile.get("CreateDate")) or made_profile.create_date
        backend.instance_profiles[name] = made_profile


def fill_organization(account):
    from moto.organizations import models

    backend = models.organizations_backends[account.number][PARTITION]
    backend.create_organization(REGION, FeatureSet="ALL")
    name_organization(backend, account)
    root = backend.ou[0]
    root.policy_types = [
        {"Type": policy_type, "Status": "ENABLED"} for policy_type in ORGANIZATIONS_POLICY_TYPES
    ]
    emulated_organization.add_members(backend, account)
    for policy in account.organizations_policies:
        summary = policy["PolicySummary"]
        known = {found.id: found for found in backend.policies}
        made = known.get(summary["Id"])
        if made is None:
            made = models.FakePolicy(
                backend.org,
                Content=content_text(policy["Content"]),
                Description=summary.get("Description"),
                Name=summary["Name"],
                Type="TAG_POLICY",
                Tags=policy.get("Tags") or [],
            )
            made.id, made.type = summary["Id"], summary["Type"]
            made.aws_managed = bool(summary.get("AwsManaged"))
            backend.policies.append(made)
        for target in policy.get("Targets") or ():
            backend.attach_policy(
                PolicyId=made.id, TargetId=target_of(backend, target)
            )


def content_text(content):
    return content if isinstance(content, str) else document_text(content)


def name_organization(backend, account):
    """Gives the organization and its root the identifiers that its entities mention."""
    text = json.dumps(account.of_organization(), ensure_ascii=False)
    organization = re.search(r"/(o-[a-z0-9]{10,32})/", text)
    root = re.search(r'"(r-[0-9a-z]{4,32})"', text) or re.search(r'"ou-([0-9a-z]{4,32})-', text)
    if organization:
        backend.org.id = organization.group(1)
    if root:
        found = root.group(1)
        backend.org.root_id = found if found.startswith("r-") else f"r-{found}"
    backend.ou[0].id = backend.org.root_id
    for member in [*backend.ou, *backend.accounts]:
        member.organization_id = backend.org.id
    for made_account in backend.accounts:
        made_account.parent_id = backend.org.root_id


def target_of(backend, target):
    """Returns a target's ID, after adding the account or unit if it is not there."""
    from moto.organizations.models import FakeAccount, FakeOrganizationalUnit

    identifier, name = target["TargetId"], target.get("Name") or target["TargetId"]
    known = {found.id for found in [*backend.ou, *backend.accounts]}
    if identifier in known:
        return identifier
    if identifier.startswith("ou-"):
        made = FakeOrganizationalUnit(backend.org, Name=name, ParentId=backend.org.root_id)
        backend.ou.append(made)
    elif identifier.isdigit():
        made = FakeAccount(backend.org, AccountName=name, Email=f"{identifier}@example.com")
        backend.accounts.append(made)
    else:
        raise SystemExit(f"error: the organization has no root `{identifier}`")
    made.id = identifier
    return identifier


# --- serving ---------------------------------------------------------------


def extend_emulator(account):
    """Lets the emulator take what AWS takes: all policy types, all identifiers."""
    import moto.iam.models
    from moto.organizations import models, utils

    moto.iam.models.DEFAULT_ACCOUNT_ID = account.number
    for name, pattern in IDENTIFIER_PATTERNS.items():
        setattr(utils, name, pattern)

    class OrganizationsPolicy(models.FakePolicy):
        # The emulator registers models by the module they claim to be from.
        __module__ = models.__name__
        SUPPORTED_POLICY_TYPES = ORGANIZATIONS_POLICY_TYPES

        def __init__(self, organization, **members):
            policy_type = members.get("Type", "")
            if policy_type not in ORGANIZATIONS_POLICY_TYPES:
                raise models.InvalidInputException("You specified an invalid value.")
            super().__init__(organization, **{**members, "Type": "TAG_POLICY"})
            self.type = policy_type

        @property
        def arn(self):
            name = f"{self.type.lower()}/{self.id}"
            if self.aws_managed:
                return f"arn:aws:organizations::aws:policy/{name}"
            owner = f"{self.master_account_id}:policy/{self.organization_id}"
            return f"arn:aws:organizations::{owner}/{name}"

    # AWS leaves a description alone that UpdateRole does not name.
    backend = moto.iam.models.IAMBackend
    update_role = backend.update_role

    def update_role_of_aws(self, role_name, role_description, max_session_duration):
        if role_description is None:
            role_description = self.get_role(role_name).description
        return update_role(self, role_name, role_description, max_session_duration)

    backend.update_role = update_role_of_aws
    emulator_iam.extend_emulator()
    models.FakePolicy = OrganizationsPolicy
    models.FakeRoot.SUPPORTED_POLICY_TYPES = ORGANIZATIONS_POLICY_TYPES
    emulated_organization.extend_organization()
    emulated_organization.extend_identity_center(emulated_organization.home_of(account, REGION))


def take_any_document():
    from moto.iam import policy_validation

    policy_validation.IAMPolicyDocumentValidator.validate = lambda self: None
    policy_validation.IAMTrustPolicyDocumentValidator.validate = lambda self: None


def serve(port, account):
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class KeepAliveHandler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"
        # Answers leave at once, else each waits for an acknowledgement.
        disable_nagle_algorithm = True

        def log(self, kind, message, *arguments):
            if "PROVIDER_EMULATOR_LOG" in os.environ:
                print(self.headers.get("X-Amz-Target"), message % arguments, file=sys.stderr)

    one_at_a_time = threading.Lock()

    class Dispatcher(DomainDispatcherApplication):
        # The emulator's backends are plain dicts: a listing fails if another thread adds to one.
        def __call__(self, environ, start_response):
            with one_at_a_time:
                answer = super().__call__(environ, start_response)
                if environ["PATH_INFO"] == "/moto-api/reset":
                    fill(account)
                return answer

        # The emulator lists its own folder for every request otherwise.
        @functools.lru_cache(maxsize=None)  # noqa: B019  one dispatcher, as long as the process
        def get_backend_for_host(self, host):
            return super().get_backend_for_host(host)

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(
        "127.0.0.1",
        port,
        Dispatcher(create_backend_app),
        threaded=True,
        request_handler=KeepAliveHandler,
    )
    print(server.server_port, flush=True)
    server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", help="the account to fill the emulator with")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--account", help="the account's number, if the input does not tell")
    parser.add_argument("--unchecked", action="store_true", help="take any policy document")
    arguments = parser.parse_args()
    account = read_account(arguments.path, arguments.account) if arguments.path else Account(
        arguments.account
    )
    extend_emulator(account)
    if arguments.unchecked:
        take_any_document()
    fill(account)
    serve(arguments.port, account)


if __name__ == "__main__":
    main()
