"""Proves that users, groups, identity providers and account settings behave like the provider's.

What holds for all resource types is shown in `test_provider.py`, and so are roles
and policies. Each rule here has a row with and one without its difference.

    python -m unittest discover tests/provider
"""

import json
import pathlib
import tempfile

import emulator
from harness import Emulator, Workspace, changes
from test_provider import (
    ACCOUNT,
    ARN,
    BOUNDARY,
    CREATE,
    NO_OP,
    PERMISSIONS,
    READ_ONLY,
    REPLACE,
    TRUST,
    UPDATE,
    Case,
    block,
    encoded,
    permissions,
    policy,
    role,
    role_block,
    tags,
    trust,
)

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
        missing = "Cannot import non-existent remote object"
        no_arn = "could not parse import ID"
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
            ("aws_iam_openid_connect_provider", f"https://{GITHUB}", no_arn),
            ("aws_iam_saml_provider", f"{ARN}:saml-provider/gone", missing),
            ("aws_iam_saml_provider", "present", no_arn),
            ("aws_iam_account_alias", "gone", missing),
            ("aws_iam_account_password_policy", "iam-account-password-policy", missing),
            ("aws_iam_service_linked_role", f"{LINKED}/x.amazonaws.com/gone", missing),
            ("aws_iam_service_linked_role", "present", no_arn),
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
        errors = {}
        for error in printed.split("Error: ")[1:]:
            text = " ".join(error.replace("│", "").replace("╵", "").replace("╷", "").split())
            for number, (kind, *_) in enumerate(cases):
                if f'{kind}.x{number},' in text or f'"{kind}.x{number}"' in text:
                    errors.setdefault(number, []).append(text)
        for number, (kind, import_id, message) in enumerate(cases):
            with self.subTest(kind=kind, import_id=import_id):
                self.assertIn(message, " ".join(errors.get(number, [])))
        self.assertEqual(printed.count("Error: "), len(cases))
