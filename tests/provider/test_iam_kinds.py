"""Proves that users, groups, identity providers and account settings behave like the provider's.

What holds for all resource types is shown in `test_provider.py`, and so are roles
and policies. Each rule here has a row with and one without its difference.

    python -m unittest discover tests/provider
"""

import json
import pathlib
import tempfile
import urllib.request

import emulator
from api import ApiError
from harness import Emulator, Workspace, changes
from resources import RESOURCES
from resources.base import Provider
from test_provider import (
    ACCOUNT,
    ARN,
    BOUNDARY,
    CREATE,
    NO_OP,
    PERMISSIONS,
    READ_ONLY,
    REPLACE,
    UPDATE,
    Case,
    block,
    encoded,
    permissions,
    policy,
    role,
    role_block,
    tags,
)
from values import Schema

GITHUB = "token.actions.githubusercontent.com"
THUMBPRINTS = ["a" * 40, "b" * 40]
METADATA = '<EntityDescriptor entityID="https://idp.example.com">\r\n<X>${é} &amp; %{x}</X>\n'
METADATA += "<!-- " + "x" * 1000 + " -->\n</EntityDescriptor>"
IGNORING = "lifecycle {\n ignore_changes = [force_destroy]\n}\n"
LINKED = f"{ARN}:role/aws-service-role"


def hcl(value):
    """Returns a list, text, number or boolean as HCL that is taken to the letter."""
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")


def user(name, **members):
    return {
        "UserName": name,
        "UserId": f"AIDA{name.upper():0>17}",
        "Arn": f"{ARN}:user{members.get('Path', '/')}{name}",
        "CreateDate": "2024-05-06T07:08:09Z",
        **members,
    }


def group(name, **members):
    return {
        "GroupName": name,
        "GroupId": f"AGPA{name.upper():0>17}",
        "Arn": f"{ARN}:group{members.get('Path', '/')}{name}",
        **members,
    }


def issuer(url, **members):
    return {
        "Arn": f"{ARN}:oidc-provider/{url}",
        "Url": url,
        "ClientIDList": ["sts.amazonaws.com", "other"],
        "ThumbprintList": THUMBPRINTS,
        **members,
    }


def saml(name, **members):
    return {
        "Arn": f"{ARN}:saml-provider/{name}",
        "SAMLMetadataDocument": METADATA,
        "ValidUntil": "2034-05-06T07:08:09Z",
        **members,
    }


def linked(service, name, **members):
    return role(name, Path=f"/aws-service-role/{service}/", **members)


def inline(*names):
    return [{"PolicyName": name, "PolicyDocument": PERMISSIONS} for name in names]


def attached(*arns):
    return [{"PolicyArn": arn} for arn in arns]


class ImportsAndPlans(Case):
    def test_what_is_written_as_it_is_plans_without_a_change(self):
        boundary = {"PermissionsBoundaryArn": BOUNDARY}
        account = {
            "roles": [
                role("all", RolePolicyList=inline("i"), AttachedManagedPolicies=attached(READ_ONLY)),
                role("bare"),
                linked(
                    "autoscaling.amazonaws.com",
                    "AWSServiceRoleForAutoScaling_x",
                    Description="d",
                    Tags=tags(a="1"),
                ),
                linked(
                    "dynamodb.application-autoscaling.amazonaws.com",
                    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
                ),
            ],
            "policies": [policy("boundary")],
            "groups": [
                group(
                    "all",
                    Path="/g/",
                    GroupPolicyList=inline("i"),
                    AttachedManagedPolicies=attached(READ_ONLY),
                ),
                group("other"),
            ],
            "users": [
                user(
                    "all",
                    Path="/u/",
                    UserPolicyList=inline("i"),
                    AttachedManagedPolicies=attached(READ_ONLY),
                    GroupList=["all", "other"],
                    PermissionsBoundary=boundary,
                    Tags=tags(**{"a": "1", "aws:x": "of AWS"}),
                )
            ],
            "openid_connect_providers": [issuer(GITHUB, Tags=tags(a="1"))],
            "saml_providers": [saml("idp", Tags=tags(a="1"), SAMLProviderUUID="SAMLPUUID")],
            "account_aliases": [{"AccountAlias": "an-alias"}],
            "password_policy": {
                "PasswordPolicy": {
                    "MinimumPasswordLength": 14,
                    "AllowUsersToChangePassword": False,
                    "RequireNumbers": True,
                    "RequireSymbols": False,
                }
            },
        }
        written = f"policy = {encoded(PERMISSIONS)}"
        by_arn = "aws_iam_openid_connect_provider"
        resources = [
            (
                "aws_iam_user",
                f'name = "all"\npath = "/u/"\npermissions_boundary = "{BOUNDARY}"\n'
                f'tags = {{ a = "1" }}\n{IGNORING}',
                "all",
            ),
            ("aws_iam_user_policy", f'user = "all"\nname = "i"\n{written}', "all:i"),
            (
                "aws_iam_user_policy_attachment",
                f'user = "all"\npolicy_arn = "{READ_ONLY}"',
                f"all/{READ_ONLY}",
            ),
            ("aws_iam_group", 'name = "all"\npath = "/g/"', "all"),
            ("aws_iam_group_policy", f'group = "all"\nname = "i"\n{written}', "all:i"),
            (
                "aws_iam_group_policy_attachment",
                f'group = "all"\npolicy_arn = "{READ_ONLY}"',
                f"all/{READ_ONLY}",
            ),
            (
                "aws_iam_user_group_membership",
                'user = "all"\ngroups = ["other", "all"]',
                "all/all/other",
            ),
            (
                by_arn,
                f'url = "https://{GITHUB}"\nclient_id_list = ["other", "sts.amazonaws.com"]\n'
                f'thumbprint_list = {hcl(THUMBPRINTS)}\ntags = {{ a = "1" }}',
                f"{ARN}:oidc-provider/{GITHUB}",
            ),
            (
                "aws_iam_saml_provider",
                f'name = "idp"\nsaml_metadata_document = {hcl(METADATA)}\ntags = {{ a = "1" }}',
                f"{ARN}:saml-provider/idp",
            ),
            ("aws_iam_account_alias", 'account_alias = "an-alias"', "an-alias"),
            (
                "aws_iam_account_password_policy",
                "minimum_password_length = 14\nallow_users_to_change_password = false\n"
                "require_numbers = true\nrequire_symbols = false",
                "iam-account-password-policy",
            ),
            (
                "aws_iam_service_linked_role",
                'aws_service_name = "autoscaling.amazonaws.com"\ncustom_suffix = "x"\n'
                'description = "d"\ntags = { a = "1" }',
                f"{LINKED}/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling_x",
            ),
            (
                "aws_iam_role_policies_exclusive",
                'role_name = "all"\npolicy_names = ["i"]',
                "all",
            ),
            (
                "aws_iam_role_policy_attachments_exclusive",
                f'role_name = "all"\npolicy_arns = ["{READ_ONLY}"]',
                "all",
            ),
        ]
        configuration = "".join(block(kind, "all", body, name) for kind, body, name in resources)
        with Emulator(**account) as aws, Workspace(aws, configuration) as workspace:
            plan = workspace.plan()
            self.assertEqual(
                {name: found for name, found in changes(plan).items() if found[0] != NO_OP}, {}
            )
            importing = [found["change"].get("importing") for found in plan["resource_changes"]]
            self.assertEqual(len(importing), 14)
            self.assertTrue(all(importing))

            workspace.apply()
            self.assertEqual({found for found, _ in changes(workspace.plan()).values()}, {NO_OP})
            state = {
                address.removeprefix("aws_iam_").removesuffix(".all"): values
                for address, values in workspace.state().items()
            }
        self.assertEqual(state["user"]["tags_all"], {"a": "1"})
        self.assertIsNone(state["user"]["force_destroy"])
        self.assertEqual(state["user"]["unique_id"], account["users"][0]["UserId"])
        self.assertEqual(state["group"]["arn"], f"{ARN}:group/g/all")
        self.assertEqual(state["user_group_membership"]["id"][:10], "terraform-")
        # The state holds the URL as the API returns it.
        self.assertEqual(state["openid_connect_provider"]["url"], GITHUB)
        self.assertEqual(state["openid_connect_provider"]["thumbprint_list"], THUMBPRINTS)
        self.assertEqual(state["saml_provider"]["saml_metadata_document"], METADATA)
        self.assertEqual(state["saml_provider"]["valid_until"], "2034-05-06T07:08:09Z")
        self.assertEqual(state["saml_provider"]["saml_provider_uuid"], "SAMLPUUID")
        password_policy = state["account_password_policy"]
        self.assertEqual(password_policy["max_password_age"], 0)
        self.assertIs(password_policy["hard_expiry"], False)
        self.assertEqual(state["service_linked_role"]["custom_suffix"], "x")
        self.assertNotIn("id", state["role_policies_exclusive"])

    def test_each_difference_is_a_change_and_each_equivalent_is_none(self):
        bounded = {"PermissionsBoundary": {"PermissionsBoundaryArn": BOUNDARY}}
        tagged = {"Tags": tags(a="1")}
        retagged = (UPDATE, {"tags", "tags_all"})
        # name: what AWS has, what is configured, what the plan says
        users = {
            "same": ({}, IGNORING, NO_OP),
            "force-destroy": ({}, "", (UPDATE, {"force_destroy"})),
            "no-force-destroy": ({}, "force_destroy = false", (UPDATE, {"force_destroy"})),
            "no-path": ({"Path": "/u/"}, IGNORING, (UPDATE, {"path"})),
            "default-path": ({}, f'path = "/"\n{IGNORING}', NO_OP),
            "no-boundary": (bounded, IGNORING, (UPDATE, {"permissions_boundary"})),
            "same-boundary": (bounded, f'permissions_boundary = "{BOUNDARY}"\n{IGNORING}', NO_OP),
            "no-tag": (tagged, IGNORING, retagged),
            "same-tag": (tagged, f'tags = {{ a = "1" }}\n{IGNORING}', NO_OP),
        }
        rows = [
            ("aws_iam_user", name, f'name = "{name}"\n{body}', name, found)
            for name, (_, body, found) in users.items()
        ]
        rows.append(
            ("aws_iam_user", "renamed", f'name = "x"\n{IGNORING}', "same", (UPDATE, {"name"}))
        )
        rows += [
            ("aws_iam_group", "same", 'name = "same"', "same", NO_OP),
            ("aws_iam_group", "renamed", 'name = "x"', "same", (UPDATE, {"arn", "name"})),
            ("aws_iam_group", "no-path", 'name = "path"', "path", (UPDATE, {"arn", "path"})),
        ]
        for kind in ("user", "group"):
            for name, target, document, found in (
                ("same", "same", PERMISSIONS, NO_OP),
                ("reordered", "same", permissions("s3:ListBucket", "s3:GetObject"), NO_OP),
                ("other", "same", permissions("s3:*"), (UPDATE, {"policy"})),
                ("moved", "path", PERMISSIONS, (REPLACE, None)),
            ):
                rows.append(
                    (
                        f"aws_iam_{kind}_policy",
                        name,
                        f'{kind} = "{target}"\nname = "i"\npolicy = {encoded(document)}',
                        "same:i",
                        found,
                    )
                )
            rows.append(
                (
                    f"aws_iam_{kind}_policy",
                    "renamed",
                    f'{kind} = "same"\nname = "x"\npolicy = {encoded(PERMISSIONS)}',
                    "same:i",
                    (REPLACE, None),
                )
            )
            for name, target, arn, found in (
                ("same", "same", READ_ONLY, NO_OP),
                ("other", "same", BOUNDARY, (REPLACE, None)),
                ("moved", "path", READ_ONLY, (REPLACE, None)),
            ):
                rows.append(
                    (
                        f"aws_iam_{kind}_policy_attachment",
                        name,
                        f'{kind} = "{target}"\npolicy_arn = "{arn}"',
                        f"same/{READ_ONLY}",
                        found,
                    )
                )
        for name, target, groups, import_id, found in (
            ("same", "same", ["path", "same"], "same/same/path", NO_OP),
            # What the state does not name is left alone.
            ("part", "same", ["same"], "same/same", NO_OP),
            ("more", "same", ["path", "same"], "same/same", (UPDATE, {"groups"})),
            ("fewer", "same", ["same"], "same/same/path", (UPDATE, {"groups"})),
            # The importer takes a group that the user is not in, or that does not exist.
            ("stranger", "no-tag", ["same"], "no-tag/same", (UPDATE, {"groups"})),
            ("nowhere", "same", ["same"], "same/same/gone", NO_OP),
            ("moved", "no-tag", ["same"], "same/same", (REPLACE, None)),
        ):
            body = f'user = "{target}"\ngroups = {hcl(groups)}'
            rows.append(("aws_iam_user_group_membership", name, body, import_id, found))
        issuers = {
            "same": ({}, "", NO_OP),
            "no-tag": (tagged, "", retagged),
            "clients": ({"ClientIDList": ["x"]}, "", (UPDATE, {"client_id_list"})),
            "no-clients": ({"ClientIDList": []}, "client_id_list = []", NO_OP),
            "order": (
                {"ThumbprintList": THUMBPRINTS[::-1]},
                f"thumbprint_list = {hcl(THUMBPRINTS)}",
                (UPDATE, {"thumbprint_list"}),
            ),
            "computed": ({}, "", NO_OP),
            "emptied": ({}, "thumbprint_list = []", (UPDATE, {"thumbprint_list"})),
            "path": ({"Url": "a.example.com/p"}, 'url = "https://a.example.com/p"', NO_OP),
            "slash": ({"Url": "b.example.com"}, 'url = "https://b.example.com/"', (REPLACE, None)),
            "other": ({"Url": "c.example.com"}, 'url = "https://d.example.com"', (REPLACE, None)),
        }
        providers = []
        for name, (members, body, found) in issuers.items():
            url = members.get("Url", f"{name}.example.com")
            providers.append(issuer(url, **{"ClientIDList": ["sts"], **members}))
            if "url =" not in body:
                body += f'\nurl = "https://{url}"'
            if "client_id_list" not in body:
                body += '\nclient_id_list = ["sts"]'
            rows.append(
                (
                    "aws_iam_openid_connect_provider",
                    name,
                    body,
                    f"{ARN}:oidc-provider/{url}",
                    found,
                )
            )
        document = f"saml_metadata_document = {hcl(METADATA)}"
        trimmed = f"saml_metadata_document = {hcl(METADATA.replace(chr(13), ''))}"
        rows += [
            ("aws_iam_saml_provider", name, body, f"{ARN}:saml-provider/{target}", found)
            for name, target, body, found in (
                ("same", "same", f'name = "same"\n{document}', NO_OP),
                ("renamed", "same", f'name = "x"\n{document}', (REPLACE, None)),
                (
                    "line-breaks",
                    "same",
                    f'name = "same"\n{trimmed}',
                    (UPDATE, {"saml_metadata_document"}),
                ),
                ("no-tag", "tagged", f'name = "tagged"\n{document}', retagged),
            )
        ]
        rows += [
            ("aws_iam_account_alias", "same", 'account_alias = "an-alias"', "an-alias", NO_OP),
            # The import ID does not count.
            ("aws_iam_account_alias", "any", 'account_alias = "an-alias"', "any", NO_OP),
            ("aws_iam_account_alias", "other", 'account_alias = "other"', "an-alias", (REPLACE, None)),
        ]
        longer = "minimum_password_length = 14"
        numbers = f"{longer}\nmax_password_age"
        rows += [
            ("aws_iam_account_password_policy", name, body, import_id, found)
            for name, body, import_id, found in (
                ("same", longer, "iam-account-password-policy", NO_OP),
                ("any", longer, "any", NO_OP),
                ("zero", f"{numbers} = 0\nhard_expiry = false", "any", NO_OP),
                ("age", f"{numbers} = 90", "any", (UPDATE, {"max_password_age"})),
                ("absent", "", "any", (UPDATE, {"minimum_password_length"})),
                (
                    "change",
                    f"{longer}\nallow_users_to_change_password = false",
                    "any",
                    (UPDATE, {"allow_users_to_change_password"}),
                ),
                (
                    "numbers",
                    f"{longer}\nrequire_numbers = false",
                    "any",
                    (UPDATE, {"require_numbers"}),
                ),
            )
        ]
        scaling = "autoscaling.amazonaws.com"
        table = "dynamodb.application-autoscaling.amazonaws.com"
        linked_roles = {
            # name: service, role, members, what is configured, what the plan says
            "same": (scaling, "A", {}, "", NO_OP),
            "no-description": (scaling, "B", {"Description": "d"}, "", (UPDATE, {"description"})),
            "no-tag": (scaling, "C", tagged, "", retagged),
            "no-suffix": (scaling, "D_x", {}, "", (REPLACE, None)),
            "suffix": (scaling, "E_x", {}, 'custom_suffix = "x"', NO_OP),
            "two-suffixes": (scaling, "F_x_y", {}, "", NO_OP),
            "own-suffix": (table, "G_DynamoDBTable", {}, "", NO_OP),
            "named-suffix": (
                table, "H_DynamoDBTable", {}, 'custom_suffix = "DynamoDBTable"', NO_OP
            ),
            "other-service": (
                scaling, "I", {}, 'aws_service_name = "x.amazonaws.com"', (REPLACE, None)
            ),
        }
        for name, (service, role_name, _, body, found) in linked_roles.items():
            if "aws_service_name" not in body:
                body += f'\naws_service_name = "{service}"'
            rows.append(
                (
                    "aws_iam_service_linked_role",
                    name,
                    body,
                    f"{LINKED}/{service}/{role_name}",
                    found,
                )
            )
        for kind, argument, one, two in (
            ("aws_iam_role_policies_exclusive", "policy_names", "i", "j"),
            ("aws_iam_role_policy_attachments_exclusive", "policy_arns", READ_ONLY, BOUNDARY),
        ):
            for name, target, listed, found in (
                ("same", "parts", [two, one], NO_OP),
                ("fewer", "parts", [one], (UPDATE, {argument})),
                ("none", "parts", [], (UPDATE, {argument})),
                ("empty", "bare", [], NO_OP),
                ("more", "bare", [one], (UPDATE, {argument})),
            ):
                body = f'role_name = "{target}"\n{argument} = {hcl(listed)}'
                rows.append((kind, name, body, target, found))
            body = f'role_name = "bare"\n{argument} = {hcl([one, two])}'
            rows.append((kind, "moved", body, "parts", (REPLACE, None)))

        account = {
            "roles": [
                role("bare"),
                role(
                    "parts",
                    RolePolicyList=inline("i", "j"),
                    AttachedManagedPolicies=attached(READ_ONLY, BOUNDARY),
                ),
                *(
                    linked(service, name, **members)
                    for service, name, members, _, _ in linked_roles.values()
                ),
            ],
            "policies": [policy("boundary")],
            "groups": [
                group(
                    "same",
                    GroupPolicyList=inline("i"),
                    AttachedManagedPolicies=attached(READ_ONLY),
                ),
                group("path", Path="/g/"),
            ],
            "users": [user(name, **members) for name, (members, _, _) in users.items()],
            "openid_connect_providers": providers,
            "saml_providers": [saml("same"), saml("tagged", **tagged)],
            "account_aliases": ["an-alias"],
            "password_policy": {
                "MinimumPasswordLength": 14,
                "AllowUsersToChangePassword": True,
                "RequireNumbers": True,
                "ExpirePasswords": False,
            },
        }
        account["users"][0].update(
            UserPolicyList=inline("i"),
            AttachedManagedPolicies=attached(READ_ONLY),
            GroupList=["same", "path"],
        )
        configuration = "".join(block(kind, *row) for kind, *row, _ in rows)
        with Emulator(**account) as aws, Workspace(aws, configuration) as workspace:
            found = changes(workspace.plan())
        wanted = {
            f"{kind}.{name}": expected if isinstance(expected[0], tuple) else (expected, set())
            for kind, name, _, _, expected in rows
        }
        # What a replacement changes besides its cause is not of interest here.
        found = {
            address: (actions, None if actions == REPLACE else differing)
            for address, (actions, differing) in found.items()
        }
        self.assertEqual(found, wanted)


class Refusals(Case):
    def test_wrong_import_ids_are_refused(self):
        document = f"policy = {encoded(PERMISSIONS)}"
        bodies = {
            "aws_iam_user": 'name = "x"',
            "aws_iam_user_policy": f'user = "x"\n{document}',
            "aws_iam_user_policy_attachment": f'user = "x"\npolicy_arn = "{READ_ONLY}"',
            "aws_iam_group": 'name = "x"',
            "aws_iam_group_policy": f'group = "x"\n{document}',
            "aws_iam_group_policy_attachment": f'group = "x"\npolicy_arn = "{READ_ONLY}"',
            "aws_iam_user_group_membership": 'user = "x"\ngroups = ["x"]',
            "aws_iam_openid_connect_provider": 'url = "https://x"\nclient_id_list = []',
            "aws_iam_saml_provider": f'name = "x"\nsaml_metadata_document = {hcl(METADATA)}',
            "aws_iam_account_alias": 'account_alias = "xxx"',
            "aws_iam_account_password_policy": "",
            "aws_iam_service_linked_role": 'aws_service_name = "x.amazonaws.com"',
            "aws_iam_role_policies_exclusive": 'role_name = "x"\npolicy_names = []',
            "aws_iam_role_policy_attachments_exclusive": 'role_name = "x"\npolicy_arns = []',
        }
        missing = None
        no_arn = 'could not parse import ID "{}" as ARN: arn: invalid prefix'
        service_role = "expected IAM Service Role ARN"
        cases = [
            ("aws_iam_user", "gone", missing),
            ("aws_iam_user", f"{ARN}:user/present", missing),
            ("aws_iam_user_policy", "present:gone", missing),
            ("aws_iam_user_policy", "present:", missing),
            ("aws_iam_user_policy", "present/gone", "user_policy id must be of the form <user"),
            ("aws_iam_user_policy_attachment", f"present/{READ_ONLY}", missing),
            (
                "aws_iam_user_policy_attachment",
                "present:x",
                'unexpected format for Import ID ("present:x"), expected <user-name>/<policy_arn>',
            ),
            ("aws_iam_group", "gone", missing),
            ("aws_iam_group_policy", "present:gone", missing),
            ("aws_iam_group_policy", "present:", "group_policy id must be of the form <group"),
            ("aws_iam_group_policy_attachment", f"present/{READ_ONLY}", missing),
            (
                "aws_iam_group_policy_attachment",
                "present/",
                'unexpected format for Import ID ("present/"), expected <group-name>/<policy_arn>',
            ),
            ("aws_iam_user_group_membership", "gone/present", missing),
            (
                "aws_iam_user_group_membership",
                "present",
                'unexpected format of ID ("present"), expected <user-name>/<group-name1>/...',
            ),
            ("aws_iam_openid_connect_provider", f"{ARN}:oidc-provider/gone", missing),
            ("aws_iam_openid_connect_provider", f"https://{GITHUB}", no_arn.format(f"https://{GITHUB}")),
            ("aws_iam_saml_provider", f"{ARN}:saml-provider/gone", missing),
            ("aws_iam_saml_provider", "saml", no_arn.format("saml")),
            ("aws_iam_account_alias", "gone", missing),
            ("aws_iam_account_password_policy", "iam-account-password-policy", missing),
            ("aws_iam_service_linked_role", f"{LINKED}/x.amazonaws.com/gone", missing),
            ("aws_iam_service_linked_role", "linked", no_arn.format("linked")),
            ("aws_iam_service_linked_role", f"{ARN}:role/present", service_role),
            ("aws_iam_role_policies_exclusive", "gone", missing),
            ("aws_iam_role_policies_exclusive", "present:i", missing),
            ("aws_iam_role_policy_attachments_exclusive", "gone", missing),
        ]
        configuration = "".join(
            block(kind, f"x{number}", bodies[kind], import_id)
            for number, (kind, import_id, _) in enumerate(cases)
        )
        account = {
            "roles": [role("present", RolePolicyList=inline("i"))],
            "groups": [group("present")],
            "users": [user("present")],
            "saml_providers": [saml("present")],
        }
        with Emulator(**account) as aws, Workspace(aws, configuration) as workspace:
            printed = workspace.run("plan", "-input=false", "-no-color", fails=True)
        text = " ".join(printed.replace("│", "").split())
        for number, (kind, import_id, message) in enumerate(cases):
            with self.subTest(kind=kind, import_id=import_id):
                if message is missing:
                    message = f'existing object to "{kind}.x{number}", the provider detected'
                self.assertIn(message, text)
        self.assertEqual(printed.count("Error: "), len(cases))

    def test_arguments_are_refused_before_any_call(self):
        document = f"policy = {encoded(PERMISSIONS)}"
        metadata = f"saml_metadata_document = {hcl(METADATA)}"
        issuer_body = 'client_id_list = []\nurl ='
        cases = {
            # label: type, body, part of the message or None for accepted
            "user_name": ("aws_iam_user", 'name = "a b"', "must only contain alphanumeric"),
            "user_line_break": ("aws_iam_user", 'name = "a\\n"', "must only contain alphanumeric"),
            "no_user_name": ("aws_iam_user", 'name = ""', "must only contain alphanumeric"),
            "user_letters": ("aws_iam_user", 'name = "a_b+=,.@-9"', None),
            "long_user_name": ("aws_iam_user", f'name = "{"x" * 200}"', None),
            "user_path": ("aws_iam_user", 'name = "x"\npath = "anything"', None),
            "boundary": (
                "aws_iam_user",
                f'name = "x"\npermissions_boundary = "{"x" * 2049}"',
                "expected length of permissions_boundary to be in the range (0 - 2048)",
            ),
            "boundary_name": ("aws_iam_user", 'name = "x"\npermissions_boundary = "x"', None),
            "group_name": ("aws_iam_group", 'name = "é"', "must only contain alphanumeric"),
            "group_letters": ("aws_iam_group", 'name = "a_b+=,.@-9"', None),
            "group_tags": ("aws_iam_group", 'name = "x"\ntags = {}', "Unsupported argument"),
            "user_policy": (
                "aws_iam_user_policy",
                'user = "x"\npolicy = "{\\"a\\":1,\\"a\\":2}"',
                "contains duplicate JSON keys",
            ),
            "user_policy_names": (
                "aws_iam_user_policy",
                f'user = "x"\nname = "a"\nname_prefix = "b"\n{document}',
                "Conflicting configuration arguments",
            ),
            "any_user_policy_name": (
                "aws_iam_user_policy",
                f'user = "{ARN}:user/x"\nname = "a b"\n{document}',
                None,
            ),
            "group_policy": (
                "aws_iam_group_policy",
                'group = "x"\npolicy = "[]"',
                "a JSON array",
            ),
            "user_attachment": (
                "aws_iam_user_policy_attachment",
                'user = "x"\npolicy_arn = "ReadOnlyAccess"',
                "invalid ARN",
            ),
            "group_attachment": (
                "aws_iam_group_policy_attachment",
                'group = "x"\npolicy_arn = "arn:aws:iam::1:policy/x"',
                "invalid account ID value",
            ),
            "no_groups": ("aws_iam_user_group_membership", 'user = "x"', "Missing required"),
            "empty_groups": ("aws_iam_user_group_membership", 'user = "x"\ngroups = []', None),
            "no_scheme": (
                "aws_iam_openid_connect_provider",
                f'{issuer_body} "{GITHUB}"',
                'expected "url" to have a host',
            ),
            "scheme": (
                "aws_iam_openid_connect_provider",
                f'{issuer_body} "http://{GITHUB}"',
                'to have a url with schema of: "https"',
            ),
            "query": (
                "aws_iam_openid_connect_provider",
                f'{issuer_body} "https://{GITHUB}/?a=1"',
                "cannot contain query parameters",
            ),
            "issuer": ("aws_iam_openid_connect_provider", f'{issuer_body} "https://{GITHUB}"', None),
            "client": (
                "aws_iam_openid_connect_provider",
                f'url = "https://x"\nclient_id_list = ["{"x" * 256}"]',
                "range (1 - 255)",
            ),
            "thumbprint": (
                "aws_iam_openid_connect_provider",
                f'{issuer_body} "https://x"\nthumbprint_list = ["{"a" * 40}", "{"a" * 39}"]',
                "expected length of thumbprint_list.1 to be in the range (40 - 40)",
            ),
            "metadata": (
                "aws_iam_saml_provider",
                f'name = "x"\nsaml_metadata_document = "{"x" * 999}"',
                "range (1000 - 10000000)",
            ),
            "saml_name": (
                "aws_iam_saml_provider",
                f'name = "{"x" * 129}"\n{metadata}',
                "range (1 - 128)",
            ),
            "saml": ("aws_iam_saml_provider", f'name = "x"\n{metadata}', None),
            "service": (
                "aws_iam_service_linked_role",
                'aws_service_name = "autoscaling"',
                "must be a full service hostname",
            ),
            "linked": ("aws_iam_service_linked_role", 'aws_service_name = "a.b"', None),
            "expires": (
                "aws_iam_account_password_policy",
                "expire_passwords = true",
                "Value for unconfigurable attribute",
            ),
            "any_length": (
                "aws_iam_account_password_policy",
                "minimum_password_length = 1000",
                None,
            ),
            "null_member": (
                "aws_iam_role_policies_exclusive",
                'role_name = "x"\npolicy_names = [null]',
                "Null Set Value",
            ),
            "exclusive_id": (
                "aws_iam_role_policy_attachments_exclusive",
                'id = "x"\nrole_name = "x"\npolicy_arns = []',
                "Unsupported argument",
            ),
        }
        for alias, message in (
            ("ab", "range (3 - 63)"),
            ("a" * 64, "range (3 - 63)"),
            ("-ab", "must start with an alphanumeric character"),
            ("Abc", "must start with an alphanumeric character"),
            ("a--b", "must not contain consecutive hyphens"),
            ("ab-", "must not end in a hyphen"),
            ("a-1", None),
            ("a" * 63, None),
        ):
            label = f"alias_{len(alias)}_{sum(map(ord, alias))}"
            cases[label] = ("aws_iam_account_alias", f'account_alias = "{alias}"', message)
        configuration = "".join(
            block(kind, label, body) for label, (kind, body, _) in cases.items()
        )
        with Emulator() as aws, Workspace(aws, configuration) as workspace:
            found = {}
            for problem in workspace.diagnostics():
                label = problem["snippet"]["context"].split('"')[3]
                found.setdefault(label, []).append(f"{problem['summary']} {problem['detail']}")
        for label, (_, _, message) in cases.items():
            with self.subTest(label=label):
                if message is None:
                    self.assertEqual(found.get(label), None)
                else:
                    self.assertIn(message, " ".join(found.get(label, [])))


class Writing(Case):
    def test_the_life_of_every_type(self):
        written = f"policy = {encoded(PERMISSIONS)}"
        first = "".join(
            block(kind, "x", body)
            for kind, body in (
                (
                    "aws_iam_user",
                    'name = "x"\npath = "/p/"\ntags = { a = "1", b = "2" }\n'
                    "permissions_boundary = aws_iam_policy.x.arn",
                ),
                ("aws_iam_policy", f'name = "x"\n{written}'),
                ("aws_iam_user_policy", f'user = aws_iam_user.x.name\nname = "i"\n{written}'),
                (
                    "aws_iam_user_policy_attachment",
                    "user = aws_iam_user.x.name\npolicy_arn = aws_iam_policy.x.arn",
                ),
                ("aws_iam_group", 'name = "x"\npath = "/p/"'),
                ("aws_iam_group_policy", f'group = aws_iam_group.x.name\nname_prefix = "i-"\n{written}'),
                (
                    "aws_iam_group_policy_attachment",
                    "group = aws_iam_group.x.name\npolicy_arn = aws_iam_policy.x.arn",
                ),
                (
                    "aws_iam_user_group_membership",
                    "user = aws_iam_user.x.name\ngroups = [aws_iam_group.x.name]",
                ),
                (
                    "aws_iam_openid_connect_provider",
                    f'url = "https://{GITHUB}"\nclient_id_list = ["a", "b"]\n'
                    f'thumbprint_list = {hcl(THUMBPRINTS)}\ntags = {{ a = "1" }}',
                ),
                (
                    "aws_iam_saml_provider",
                    f'name = "x"\nsaml_metadata_document = {hcl(METADATA)}\ntags = {{ a = "1" }}',
                ),
                ("aws_iam_account_alias", 'account_alias = "first"'),
                (
                    "aws_iam_account_password_policy",
                    "max_password_age = 90\nrequire_numbers = true\nhard_expiry = true",
                ),
                (
                    "aws_iam_service_linked_role",
                    'aws_service_name = "autoscaling.amazonaws.com"\ncustom_suffix = "x"\n'
                    'description = "d"\ntags = { a = "1" }',
                ),
                (
                    "aws_iam_role_policies_exclusive",
                    "role_name = aws_iam_role.r.name\npolicy_names = [aws_iam_role_policy.r.name]",
                ),
                (
                    "aws_iam_role_policy_attachments_exclusive",
                    "role_name = aws_iam_role.r.name\npolicy_arns = [aws_iam_policy.x.arn]",
                ),
            )
        )
        first += role_block("r") + block(
            "aws_iam_role_policy", "r", f'role = aws_iam_role.r.name\nname = "i"\n{written}'
        )
        second = (
            first.replace('"/p/"', '"/q/"')
            .replace('{ a = "1", b = "2" }', '{ a = "3" }')
            .replace('{ a = "1" }', '{ c = "3" }')
            .replace("permissions_boundary = aws_iam_policy.x.arn", "")
            .replace("s3:ListBucket", "s3:PutObject")
            .replace("groups = [aws_iam_group.x.name]", "groups = []")
            .replace('client_id_list = ["a", "b"]', 'client_id_list = ["b", "c"]')
            .replace(hcl(THUMBPRINTS), hcl(THUMBPRINTS[:1]))
            .replace("https://idp.example.com", "https://other.example.com")
            .replace("max_password_age = 90", "max_password_age = 0")
            .replace("require_numbers = true", "require_numbers = false")
            .replace('description = "d"', "")
            .replace("policy_arns = [aws_iam_policy.x.arn]", "policy_arns = []")
        )
        third = (
            second.replace(f'url = "https://{GITHUB}"', 'url = "https://other.example.com"')
            .replace('account_alias = "first"', 'account_alias = "second"')
            .replace('name = "x"\npath = "/q/"', 'name = "y"\npath = "/q/"')
            .replace('name = "x"\nsaml', 'name = "y"\nsaml')
            .replace('custom_suffix = "x"', 'custom_suffix = "y"')
        )
        with Emulator() as aws, Workspace(aws, first) as workspace:
            client = aws.client
            self.assertEqual({found for found, _ in changes(workspace.plan()).values()}, {CREATE})
            workspace.apply()
            self.assert_nothing_to_do(workspace)
            made = client.iam("GetUser", UserName="x")["User"]
            self.assertEqual((made["Path"], made["Arn"]), ("/p/", f"{ARN}:user/p/x"))
            self.assertEqual(
                made["PermissionsBoundary"]["PermissionsBoundaryArn"], f"{ARN}:policy/x"
            )
            self.assertEqual(made["Tags"], tags(a="1", b="2"))
            (listed,) = client.iam("ListUsers")["Users"]
            self.assertFalse({"Tags", "PermissionsBoundary"} & set(listed))
            (detail,) = client.iam("GetAccountAuthorizationDetails")["UserDetailList"]
            self.assertEqual(detail["GroupList"], ["x"])
            self.assertEqual(detail["PermissionsBoundary"], made["PermissionsBoundary"])
            self.assertEqual(detail["Tags"], made["Tags"])
            found = self.openid_connect_provider(client, GITHUB)
            self.assertEqual(found["Url"], GITHUB)
            self.assertEqual(found["ClientIDList"], ["a", "b"])
            self.assertEqual(found["ThumbprintList"], THUMBPRINTS)
            self.assertEqual(found["Tags"], tags(a="1"))
            found = self.saml_provider(client, "x")
            self.assertEqual(found["SAMLMetadataDocument"], METADATA)
            self.assertEqual(found["Tags"], tags(a="1"))
            found = client.iam("GetAccountPasswordPolicy")["PasswordPolicy"]
            self.assertEqual((found["MaxPasswordAge"], found["ExpirePasswords"]), ("90", "true"))
            self.assertEqual(found["MinimumPasswordLength"], "6")
            state = workspace.state()
            self.assertEqual(state["aws_iam_user_policy.x"]["id"], "x:i")
            # The URL is no difference, and still the state holds it as the API returns it.
            self.assertEqual(state["aws_iam_openid_connect_provider.x"]["url"], GITHUB)
            self.assertEqual(state["aws_iam_group_policy.x"]["name_prefix"], "i-")
            self.assertEqual(
                state["aws_iam_user_policy_attachment.x"]["id"], f"x/{ARN}:policy/x"
            )
            self.assertEqual(
                state["aws_iam_account_password_policy.x"]["id"], "iam-account-password-policy"
            )
            linked_role = state["aws_iam_service_linked_role.x"]
            self.assertTrue(linked_role["name"].endswith("_x"))
            made = client.iam("GetRole", RoleName=linked_role["name"])["Role"]
            self.assertEqual((made["Description"], made["Tags"]), ("d", tags(a="1")))
            self.assertEqual(client.iam("ListAccountAliases")["AccountAliases"], ["first"])

            # What nobody wrote is found, and removed.
            client.iam(
                "PutRolePolicy",
                RoleName="r",
                PolicyName="by-hand",
                PolicyDocument=json.dumps(PERMISSIONS),
            )
            planned = changes(workspace.plan(second))
            self.assertEqual(
                {address for address, (actions, _) in planned.items() if actions == NO_OP},
                {
                    "aws_iam_account_alias.x",
                    "aws_iam_group_policy_attachment.x",
                    "aws_iam_role.r",
                    "aws_iam_user_policy_attachment.x",
                },
            )
            self.assertEqual(
                {actions for actions, _ in planned.values()}, {NO_OP, UPDATE}
            )
            workspace.apply()
            self.assert_nothing_to_do(workspace)
            made = client.iam("GetUser", UserName="x")["User"]
            self.assertEqual((made["Path"], made["Tags"]), ("/q/", tags(a="3")))
            self.assertNotIn("PermissionsBoundary", made)
            self.assertEqual(client.iam("GetGroup", GroupName="x")["Group"]["Path"], "/q/")
            self.assertFalse(client.iam("ListGroupsForUser", UserName="x")["Groups"])
            found = client.iam("GetUserPolicy", UserName="x", PolicyName="i")
            self.assertIn("PutObject", found["PolicyDocument"])
            found = self.openid_connect_provider(client, GITHUB)
            self.assertEqual(found["ClientIDList"], ["b", "c"])
            self.assertEqual(found["ThumbprintList"], THUMBPRINTS[:1])
            self.assertEqual(found["Tags"], tags(c="3"))
            found = self.saml_provider(client, "x")
            self.assertIn("other.example.com", found["SAMLMetadataDocument"])
            self.assertEqual(found["Tags"], tags(c="3"))
            found = client.iam("GetAccountPasswordPolicy")["PasswordPolicy"]
            self.assertNotIn("MaxPasswordAge", found)
            self.assertEqual((found["RequireNumbers"], found["HardExpiry"]), ("false", "true"))
            made = client.iam("GetRole", RoleName=linked_role["name"])["Role"]
            self.assertEqual((made.get("Description", ""), made["Tags"]), ("", tags(c="3")))
            self.assertEqual(client.iam("ListRolePolicies", RoleName="r")["PolicyNames"], ["i"])
            attached_now = client.iam("ListAttachedRolePolicies", RoleName="r")
            self.assertFalse(attached_now["AttachedPolicies"])

            # A renamed user or group is the same one, but what belongs to it is replaced.
            identifier = made_id(client)
            planned = {
                address: actions
                for address, (actions, _) in changes(workspace.plan(third)).items()
                if actions != NO_OP
            }
            self.assertEqual(
                planned,
                {
                    "aws_iam_user.x": UPDATE,
                    "aws_iam_group.x": UPDATE,
                    **dict.fromkeys(
                        (
                            "aws_iam_account_alias.x",
                            "aws_iam_group_policy.x",
                            "aws_iam_group_policy_attachment.x",
                            "aws_iam_openid_connect_provider.x",
                            "aws_iam_saml_provider.x",
                            "aws_iam_service_linked_role.x",
                            "aws_iam_user_group_membership.x",
                            "aws_iam_user_policy.x",
                            "aws_iam_user_policy_attachment.x",
                        ),
                        REPLACE,
                    ),
                },
            )
            workspace.apply()
            self.assertEqual(made_id(client, "y"), identifier)
            self.assertEqual(
                client.iam("GetUser", UserName="y")["User"]["Tags"], tags(a="3")
            )
            self.assertEqual(client.iam("ListAccountAliases")["AccountAliases"], ["second"])
            self.assert_nothing_to_do(workspace)
            self.assertEqual(workspace.state()["aws_iam_group.x"]["id"], "y")

            # An inline policy cannot be made by the type that only names it.
            client.iam("DeleteRolePolicy", RoleName="r", PolicyName="i")
            exclusive = third.replace("[aws_iam_role_policy.r.name]", '["i", "j"]')
            workspace.write(exclusive)
            printed = workspace.run("apply", "-input=false", "-auto-approve", fails=True)
            self.assertIn("PutRolePolicyInput.PolicyDocument", printed.replace("\n", " "))

            workspace.apply("")
            for operation, member in (
                ("ListUsers", "Users"),
                ("ListGroups", "Groups"),
                ("ListRoles", "Roles"),
                ("ListOpenIDConnectProviders", "OpenIDConnectProviderList"),
                ("ListSAMLProviders", "SAMLProviderList"),
                ("ListAccountAliases", "AccountAliases"),
            ):
                self.assertFalse(client.iam(operation).get(member), operation)
            with self.assertRaises(ApiError):
                client.iam("GetAccountPasswordPolicy")

    def assert_nothing_to_do(self, workspace):
        self.assertEqual(
            {name: found for name, found in changes(workspace.plan()).items() if found[0] != NO_OP},
            {},
        )

    def openid_connect_provider(self, client, url):
        arn = f"{ARN}:oidc-provider/{url}"
        return client.iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)

    def saml_provider(self, client, name):
        return client.iam("GetSAMLProvider", SAMLProviderArn=f"{ARN}:saml-provider/{name}")

    def test_what_is_in_use_is_deleted_only_when_that_is_asked_for(self):
        """Directly, because a refresh finds nothing of it."""
        members = {
            "UserPolicyList": inline("i"),
            "AttachedManagedPolicies": attached(READ_ONLY),
            "GroupList": ["g"],
        }
        account = {"users": [user("kept", **members), user("forced", **members)]}
        with Emulator(**account) as aws:
            client, provider = aws.client, Provider(aws.client)
            users = kind_of("aws_iam_user")
            for name in ("kept", "forced"):
                client.iam("CreateAccessKey", UserName=name)
                client.iam("CreateLoginProfile", UserName=name, Password="x")
            with self.assertRaises(ApiError) as raised:
                users.delete(provider, {"id": "kept", "force_destroy": None})
            self.assertEqual(raised.exception.code, "DeleteConflict")
            users.delete(provider, {"id": "forced", "force_destroy": True})
            self.assertEqual(
                [found["UserName"] for found in client.iam("ListUsers")["Users"]], ["kept"]
            )
            # Even so, the user has left its groups.
            self.assertFalse(client.iam("ListGroupsForUser", UserName="kept")["Groups"])
            users.delete(provider, {"id": "gone", "force_destroy": True})
            groups = kind_of("aws_iam_group")
            client.iam("AddUserToGroup", UserName="kept", GroupName="g")
            with self.assertRaises(ApiError) as raised:
                groups.delete(provider, {"id": "g"})
            self.assertEqual(raised.exception.code, "DeleteConflict")
            client.iam("RemoveUserFromGroup", UserName="kept", GroupName="g")
            groups.delete(provider, {"id": "g"})
            groups.delete(provider, {"id": "g"})


class Accounts(Case):
    def test_an_exported_folder_and_command_line_outputs_are_read(self):
        written = user("u", GroupList=["g"], Tags=tags(a="1"))
        bare = {key: value for key, value in written.items() if key != "Tags"}
        openid = issuer(GITHUB, Tags=tags(a="1"))
        federated = saml("idp", Tags=tags(a="1"))
        password = {"PasswordPolicy": {"MinimumPasswordLength": 9}}

        def answer(entity):
            return {key: value for key, value in entity.items() if key != "Arn"}

        exported = {
            "users/u.json": written,
            "groups/g.json": group("g"),
            "oidc/x.json": openid,
            "saml/x.json": federated,
            "alias.json": {"AccountAlias": "an-alias"},
            "password-policy.json": password,
        }
        outputs = {
            "get-account-authorization-details.json": {
                "UserDetailList": [bare],
                "GroupDetailList": [group("g")],
                "RoleDetailList": [role("r")],
            },
            "get-user.u.json": {"User": {**bare, "Tags": tags(a="1")}},
            "list-open-id-connect-providers.json": {
                "OpenIDConnectProviderList": [{"Arn": openid["Arn"]}]
            },
            "get-open-id-connect-provider.x.json": answer(openid),
            "list-saml-providers.json": {"SAMLProviderList": [{"Arn": federated["Arn"]}]},
            "get-saml-provider.idp.json": answer(federated),
            "list-account-aliases.json": {"AccountAliases": ["an-alias"]},
            "get-account-password-policy.json": password,
        }
        for files in (exported, outputs):
            with tempfile.TemporaryDirectory() as folder:
                for name, content in files.items():
                    file = pathlib.Path(folder, name)
                    file.parent.mkdir(exist_ok=True)
                    file.write_text(json.dumps(content), encoding="utf-8")
                account = emulator.read_account(folder)
            self.assertEqual(account.number, ACCOUNT)
            self.assertEqual(account.iam.users, [written])
            self.assertEqual(account.iam.groups, [group("g")])
            self.assertEqual(account.iam.openid_connect_providers, [openid])
            self.assertEqual(account.iam.saml_providers, [{**federated, "Name": "idp"}])
            self.assertIn(account.iam.account_aliases, (["an-alias"], [{"AccountAlias": "an-alias"}]))
            self.assertEqual(account.iam.password_policy, password)

    def test_a_dump_is_read_with_its_users_and_groups(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "dump.json")
            dump = {
                "UserDetailList": [user("u")],
                "GroupDetailList": [group("g")],
                "RoleDetailList": [],
            }
            file.write_text(json.dumps(dump), encoding="utf-8")
            account = emulator.read_account(file)
        self.assertEqual((account.iam.users, account.iam.groups), ([user("u")], [group("g")]))
        self.assertEqual(account.number, ACCOUNT)

    def test_settings_are_as_aws_takes_them_and_as_they_were_after_a_reset(self):
        account = {"users": [user("u")], "account_aliases": ["an-alias"]}
        with Emulator(**account) as aws:
            aws.client.iam("DeleteUser", UserName="u")
            with self.assertRaises(ApiError):
                aws.client.iam("DeleteAccountAlias", AccountAlias="other")
            for outside in (0, 1096):
                with self.assertRaises(ApiError):
                    aws.client.iam("UpdateAccountPasswordPolicy", MaxPasswordAge=outside)
            aws.client.iam("UpdateAccountPasswordPolicy", MaxPasswordAge=1095)
            aws.client.iam("DeleteAccountAlias", AccountAlias="an-alias")
            request = urllib.request.Request(f"{aws.endpoint}/moto-api/reset", method="POST")
            urllib.request.urlopen(request).close()
            (found,) = aws.client.iam("ListUsers")["Users"]
            self.assertEqual(found["CreateDate"][:19], "2024-05-06T07:08:09")
            aliases = aws.client.iam("ListAccountAliases")["AccountAliases"]
            self.assertEqual(aliases, ["an-alias"])


def kind_of(type_name):
    return RESOURCES[type_name](Schema().resources[type_name])


def made_id(client, name="x"):
    return client.iam("GetUser", UserName=name)["User"]["UserId"]
