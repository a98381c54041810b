"""Proves that the double behaves like the provider it stands for.

Each rule is shown with and without the difference it is about: through the real
Terraform and the emulator, or directly where a rule is a pure function. A
scenario holds many resources, because a Terraform run costs about a second.

    python -m unittest discover tests/provider
"""

import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import data_sources
import emulator
import mirror
import policy_documents
import protocol
from api import ApiError, Client
from harness import Emulator, Workspace, changes
from resources import RESOURCES
from resources.base import Provider, Refused
from values import UNKNOWN, Schema, are_equivalent, from_msgpack, to_msgpack

ACCOUNT = "111122223333"
ARN = f"arn:aws:iam::{ACCOUNT}"
BOUNDARY = f"{ARN}:policy/boundary"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ROOT, UNIT = "r-ab12", "ou-ab12-w0rk1oad"

NO_OP, UPDATE, CREATE, DELETE = ("no-op",), ("update",), ("create",), ("delete",)
REPLACE = ("delete", "create")


def trust(*services):
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
        ],
    }


def permissions(*actions):
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    }


TRUST = trust("ec2.amazonaws.com", "lambda.amazonaws.com")
PERMISSIONS = permissions("s3:GetObject", "s3:ListBucket")


def role(name, **members):
    return {
        "RoleName": name,
        "RoleId": f"AROA{name.upper():0>17}",
        "Arn": f"{ARN}:role{members.get('Path', '/')}{name}",
        "AssumeRolePolicyDocument": TRUST,
        **members,
    }


def policy(name, document=None, **members):
    return {
        "Arn": f"{ARN}:policy{members.get('Path', '/')}{name}",
        "PolicyVersionList": [
            {"VersionId": "v1", "IsDefaultVersion": True, "Document": document or PERMISSIONS}
        ],
        **members,
    }


def organizations_policy(identifier, content=None, targets=(), tags=(), **summary):
    policy_type = summary.get("Type", "SERVICE_CONTROL_POLICY")
    return {
        "PolicySummary": {
            "Id": identifier,
            "Arn": f"arn:aws:organizations::{ACCOUNT}:policy/o-exampleorgid/"
            f"{policy_type.lower()}/{identifier}",
            "Name": identifier,
            "Description": "",
            "Type": policy_type,
            "AwsManaged": False,
            **summary,
        },
        "Content": content or PERMISSIONS,
        "Tags": list(tags),
        "Targets": [{"TargetId": target, "Name": target} for target in targets],
    }


def tags(**values):
    return [{"Key": key, "Value": value} for key, value in values.items()]


def block(kind, label, body, import_id=None):
    text = f'resource "{kind}" "{label}" {{\n{body}\n}}\n'
    if import_id is not None:
        text += f'import {{\n  to = {kind}.{label}\n  id = "{import_id}"\n}}\n'
    return text


def encoded(document):
    return f"jsonencode({json.dumps(document)})"


def role_block(name, body="", document=TRUST, import_id=None):
    return block(
        "aws_iam_role",
        name,
        f'  name = "{name}"\n  assume_role_policy = {encoded(document)}\n{body}',
        import_id,
    )


def importing_role(name, body="", document=TRUST):
    return role_block(name, body, document, import_id=name)


class Recorder(Client):
    """A client that remembers which operations of IAM were called."""

    def __init__(self, endpoint):
        super().__init__(endpoint)
        self.operations = []

    def iam(self, operation, **parameters):
        self.operations.append(operation)
        return super().iam(operation, **parameters)


class Case(unittest.TestCase):
    maxDiff = None

    def assert_plan(self, plan, expected):
        """Compares a plan with {address: actions or (actions, changed arguments)}."""
        wanted = {
            address: found if isinstance(found[0], tuple) else (found, set())
            for address, found in expected.items()
        }
        self.assertEqual(changes(plan), wanted)


class ImportsAndPlans(Case):
    """Reading and planning what exists; every expectation has its counterpart."""

    def test_what_is_written_as_it_is_plans_without_a_change(self):
        profile = {
            "InstanceProfileName": "all",
            "Path": "/profiles/",
            "Tags": tags(team="web"),
        }
        everything = role(
            "all",
            Path="/teams/",
            Description='Bac à sable, 東京, "HQ" & <b>',
            MaxSessionDuration=7200,
            PermissionsBoundary={"PermissionsBoundaryArn": BOUNDARY},
            Tags=tags(**{"team": "web", "aws:cloudformation:stack-id": "of AWS"}),
            RolePolicyList=[{"PolicyName": "inline", "PolicyDocument": PERMISSIONS}],
            AttachedManagedPolicies=[{"PolicyArn": READ_ONLY}, {"PolicyArn": BOUNDARY}],
            InstanceProfileList=[profile],
        )
        account = {
            "roles": [everything, role("bare")],
            "policies": [
                policy("boundary"),
                policy("all", Path="/p/", Description="são", Tags=tags(team="web")),
            ],
            "organizations_policies": [
                organizations_policy(
                    "p-aaaaaaaa", targets=[ROOT, UNIT], tags=tags(team="security"), Description="é"
                ),
                organizations_policy("p-bbbbbbbb", Type="TAG_POLICY", content={"tags": {}}),
            ],
        }
        configuration = "".join(
            (
                importing_role(
                    "all",
                    f"""
                    path                 = "/teams/"
                    description          = "Bac à sable, 東京, \\"HQ\\" & <b>"
                    max_session_duration = 7200
                    permissions_boundary = "{BOUNDARY}"
                    tags                 = {{ team = "web" }}
                    """,
                ),
                importing_role("bare"),
                block(
                    "aws_iam_role_policy",
                    "all",
                    f'role = aws_iam_role.all.name\nname = "inline"\npolicy = {encoded(PERMISSIONS)}',
                    "all:inline",
                ),
                block(
                    "aws_iam_role_policy_attachment",
                    "all",
                    f'role = "all"\npolicy_arn = "{READ_ONLY}"',
                    f"all/{READ_ONLY}",
                ),
                block(
                    "aws_iam_instance_profile",
                    "all",
                    'name = "all"\npath = "/profiles/"\nrole = "all"\ntags = { team = "web" }',
                    "all",
                ),
                block(
                    "aws_iam_policy",
                    "all",
                    f'name = "all"\npath = "/p/"\ndescription = "são"\n'
                    f'policy = {encoded(PERMISSIONS)}\ntags = {{ team = "web" }}',
                    f"{ARN}:policy/p/all",
                ),
                block(
                    "aws_organizations_policy",
                    "all",
                    f'name = "p-aaaaaaaa"\ncontent = {encoded(PERMISSIONS)}\n'
                    'description = "é"\ntags = { team = "security" }',
                    "p-aaaaaaaa",
                ),
                block(
                    "aws_organizations_policy",
                    "tags",
                    'name = "p-bbbbbbbb"\ncontent = "{\\"tags\\":{}}"\ntype = "TAG_POLICY"',
                    "p-bbbbbbbb",
                ),
                block(
                    "aws_organizations_policy_attachment",
                    "all",
                    f'policy_id = "p-aaaaaaaa"\ntarget_id = "{UNIT}"',
                    f"{UNIT}:p-aaaaaaaa",
                ),
            )
        )
        with Emulator(**account) as aws, Workspace(aws, configuration) as workspace:
            plan = workspace.plan()
            self.assertEqual({actions for actions, _ in changes(plan).values()}, {NO_OP})
            importing = [found["change"].get("importing") for found in plan["resource_changes"]]
            self.assertEqual(len(importing), 9)
            self.assertTrue(all(importing))

            workspace.apply()
            self.assertEqual({actions for actions, _ in changes(workspace.plan()).values()}, {NO_OP})
            state = workspace.state()["aws_iam_role.all"]
            self.assertEqual(state["tags"], {"team": "web"})
            self.assertEqual(state["tags_all"], {"team": "web"})
            self.assertEqual(state["managed_policy_arns"], sorted([READ_ONLY, BOUNDARY]))
            self.assertEqual(state["inline_policy"][0]["name"], "inline")
            self.assertEqual(state["unique_id"], everything["RoleId"])
            bare = workspace.state()["aws_iam_role.bare"]
            self.assertEqual((bare["path"], bare["max_session_duration"]), ("/", 3600))
            self.assertIs(bare["force_detach_policies"], False)

    def test_each_difference_is_a_change_and_each_equivalent_is_none(self):
        bounded = {"PermissionsBoundary": {"PermissionsBoundaryArn": BOUNDARY}}
        service = {"Path": "/teams/"}
        order = permissions("s3:ListBucket", "s3:GetObject")
        roles = {
            # name: what AWS has, what is configured, what the plan says
            "no-description": ({"Description": "x"}, "", (UPDATE, {"description"})),
            "same-description": ({"Description": "x"}, 'description = "x"', NO_OP),
            "empty-description": ({}, 'description = ""', NO_OP),
            "absent-description": ({"Description": ""}, "", NO_OP),
            "line-breaks": ({"Description": "a\r\nb\n"}, 'description = "a\\r\\nb\\n"', NO_OP),
            "ignored-description": (
                {"Description": "x"},
                "lifecycle {\n ignore_changes = [description]\n}",
                NO_OP,
            ),
            "no-boundary": (bounded, "", (UPDATE, {"permissions_boundary"})),
            "same-boundary": (bounded, f'permissions_boundary = "{BOUNDARY}"', NO_OP),
            "new-boundary": (
                {},
                f'permissions_boundary = "{BOUNDARY}"',
                (UPDATE, {"permissions_boundary"}),
            ),
            "no-session": ({"MaxSessionDuration": 7200}, "", (UPDATE, {"max_session_duration"})),
            "default-session": ({}, "max_session_duration = 3600", NO_OP),
            "no-path": (service, "", (REPLACE, None)),
            "same-path": (service, 'path = "/teams/"', NO_OP),
            "default-path": ({}, 'path = "/"', NO_OP),
            "default-force": ({}, "force_detach_policies = false", NO_OP),
            "force": ({}, "force_detach_policies = true", (UPDATE, {"force_detach_policies"})),
            "no-tag": ({"Tags": tags(a="1")}, "", (UPDATE, {"tags", "tags_all"})),
            "other-tag": (
                {"Tags": tags(a="1")},
                'tags = { a = "2" }',
                (UPDATE, {"tags", "tags_all"}),
            ),
            "same-tag": ({"Tags": tags(a="1")}, 'tags = { a = "1" }', NO_OP),
            "empty-tags": ({}, "tags = {}", NO_OP),
            "tag-of-aws": ({"Tags": tags(**{"aws:x": "1"})}, "", NO_OP),
            "no-attachment": ({"AttachedManagedPolicies": [{"PolicyArn": READ_ONLY}]}, "", NO_OP),
            "same-attachment": (
                {"AttachedManagedPolicies": [{"PolicyArn": READ_ONLY}]},
                f'managed_policy_arns = ["{READ_ONLY}"]',
                NO_OP,
            ),
            "exclusive-attachment": (
                {"AttachedManagedPolicies": [{"PolicyArn": READ_ONLY}]},
                f'managed_policy_arns = ["{BOUNDARY}"]',
                (UPDATE, {"managed_policy_arns"}),
            ),
        }
        expected = {f"aws_iam_role.{name}": found[2] for name, found in roles.items()}
        configuration = "".join(
            importing_role(name, body) for name, (_, body, _) in roles.items()
        )
        # A role that is renamed, and trust policies that differ or only seem to.
        configuration += block(
            "aws_iam_role",
            "renamed",
            f'name = "new-name"\nassume_role_policy = {encoded(TRUST)}',
            "old-name",
        )
        expected["aws_iam_role.renamed"] = (REPLACE, None)
        documents = {
            "reordered": (trust("lambda.amazonaws.com", "ec2.amazonaws.com"), NO_OP),
            "other": (trust("ec2.amazonaws.com"), (UPDATE, {"assume_role_policy"})),
        }
        for name, (document, found) in documents.items():
            configuration += importing_role(name, "", document)
            expected[f"aws_iam_role.{name}"] = found
        # name: what AWS has, what is configured, what the plan says
        policies = {
            "same": ({"Description": "x"}, 'description = "x"', PERMISSIONS, NO_OP),
            "reordered": ({}, "", order, NO_OP),
            "absent-description": ({"Description": ""}, "", PERMISSIONS, NO_OP),
            "no-description": ({"Description": "x"}, "", PERMISSIONS, (REPLACE, None)),
            "no-path": ({"Path": "/p/"}, "", PERMISSIONS, (REPLACE, None)),
            "other": ({}, "", permissions("s3:*"), (UPDATE, {"policy"})),
            "no-tag": ({"Tags": tags(a="1")}, "", PERMISSIONS, (UPDATE, {"tags", "tags_all"})),
        }
        for name, (members, body, document, found) in policies.items():
            path = members.get("Path", "/")
            configuration += block(
                "aws_iam_policy",
                name,
                f'name = "{name}"\n{body}\npolicy = {encoded(document)}',
                f"{ARN}:policy{path}{name}",
            )
            expected[f"aws_iam_policy.{name}"] = found
        scp = organizations_policy
        controls = {
            "same": (scp("p-00000001"), PERMISSIONS, "", NO_OP),
            "keys": (
                scp("p-00000002"),
                dict(reversed(PERMISSIONS.items())),
                "",
                NO_OP,
            ),
            "order": (scp("p-00000003"), order, "", (UPDATE, {"content"})),
            "single": (
                scp("p-00000004", content=permissions("s3:*")),
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
                },
                "",
                (UPDATE, {"content"}),
            ),
            "no-description": (
                scp("p-00000005", Description="x"),
                PERMISSIONS,
                "",
                (UPDATE, {"description"}),
            ),
            "no-type": (
                scp("p-00000006", Type="RESOURCE_CONTROL_POLICY"),
                PERMISSIONS,
                "",
                (REPLACE, None),
            ),
            "same-type": (
                scp("p-00000007", Type="RESOURCE_CONTROL_POLICY"),
                PERMISSIONS,
                'type = "RESOURCE_CONTROL_POLICY"',
                NO_OP,
            ),
            "kept": (scp("p-00000008"), PERMISSIONS, "skip_destroy = false", (UPDATE, {"skip_destroy"})),
            "no-tag": (
                scp("p-00000009", tags=tags(a="1")),
                PERMISSIONS,
                "",
                (UPDATE, {"tags", "tags_all"}),
            ),
        }
        for name, (entity, document, body, found) in controls.items():
            identifier = entity["PolicySummary"]["Id"]
            configuration += block(
                "aws_organizations_policy",
                name,
                f'name = "{identifier}"\n{body}\ncontent = {encoded(document)}',
                identifier,
            )
            expected[f"aws_organizations_policy.{name}"] = found
        # Inline policies, attachments, instance profiles of one role.
        parts = role(
            "parts",
            RolePolicyList=[
                {"PolicyName": name, "PolicyDocument": PERMISSIONS}
                for name in ("same", "reordered", "other", "renamed")
            ],
            AttachedManagedPolicies=[{"PolicyArn": READ_ONLY}, {"PolicyArn": BOUNDARY}],
            InstanceProfileList=[
                {"InstanceProfileName": name, "Path": path}
                for name, path in (("same", "/"), ("no-path", "/p/"), ("no-role", "/"))
            ],
        )
        inline = {
            "same": (PERMISSIONS, "same", NO_OP),
            "reordered": (order, "reordered", NO_OP),
            "other": (permissions("s3:*"), "other", (UPDATE, {"policy"})),
            "renamed": (PERMISSIONS, "new", (REPLACE, None)),
        }
        for name, (document, configured, found) in inline.items():
            configuration += block(
                "aws_iam_role_policy",
                name,
                f'role = "parts"\nname = "{configured}"\npolicy = {encoded(document)}',
                f"parts:{name}",
            )
            expected[f"aws_iam_role_policy.{name}"] = found
        for name, configured, found in (
            ("same", READ_ONLY, NO_OP),
            ("other", f"{ARN}:policy/same", (REPLACE, None)),
        ):
            attached = READ_ONLY if name == "same" else BOUNDARY
            configuration += block(
                "aws_iam_role_policy_attachment",
                name,
                f'role = "parts"\npolicy_arn = "{configured}"',
                f"parts/{attached}",
            )
            expected[f"aws_iam_role_policy_attachment.{name}"] = found
        for name, body, found in (
            ("same", 'role = "parts"', NO_OP),
            ("no-path", 'role = "parts"', (REPLACE, None)),
            ("no-role", "", (UPDATE, {"role"})),
        ):
            configuration += block(
                "aws_iam_instance_profile", name, f'name = "{name}"\n{body}', name
            )
            expected[f"aws_iam_instance_profile.{name}"] = found
        for name, policy_id, found in (
            ("same", "p-00000001", NO_OP),
            ("other", "p-00000002", (REPLACE, None)),
        ):
            configuration += block(
                "aws_organizations_policy_attachment",
                name,
                f'policy_id = "{policy_id}"\ntarget_id = "{UNIT if name == "same" else ROOT}"',
                f"{UNIT if name == 'same' else ROOT}:p-00000001",
            )
            expected[f"aws_organizations_policy_attachment.{name}"] = found

        controls["same"][0]["Targets"] = [
            {"TargetId": UNIT, "Name": "Workloads"},
            {"TargetId": ROOT, "Name": "Root"},
        ]
        account = {
            "roles": [
                *(role(name, **members) for name, (members, _, _) in roles.items()),
                *(role(name) for name in [*documents, "old-name"]),
                parts,
            ],
            "policies": [
                policy("boundary"),
                *(policy(name, **members) for name, (members, *_) in policies.items()),
            ],
            "organizations_policies": [entity for entity, *_ in controls.values()],
        }
        with Emulator(**account) as aws, Workspace(aws, configuration) as workspace:
            found = changes(workspace.plan())
            # What a replacement changes besides its cause is not of interest here.
            wanted = {
                address: found if isinstance(found[0], tuple) else (found, set())
                for address, found in expected.items()
            }
            found = {
                address: (actions, None if actions == REPLACE else differing)
                for address, (actions, differing) in found.items()
            }
            self.assertEqual(found, wanted)

    def test_a_refresh_keeps_the_text_that_means_the_same(self):
        configuration = role_block("kept")
        with Emulator() as aws, Workspace(aws, configuration) as workspace:
            workspace.apply()
            text = workspace.state()["aws_iam_role.kept"]["assume_role_policy"]
            for services, kept in (
                (("lambda.amazonaws.com", "ec2.amazonaws.com"), True),
                (("lambda.amazonaws.com",), False),
            ):
                aws.client.iam(
                    "UpdateAssumeRolePolicy",
                    RoleName="kept",
                    PolicyDocument=json.dumps(trust(*services)),
                )
                workspace.run("apply", "-refresh-only", "-auto-approve")
                now = workspace.state()["aws_iam_role.kept"]["assume_role_policy"]
                self.assertEqual(now == text, kept)

    def test_default_tags_are_added_to_tags_all_only(self):
        account = {"roles": [role("tagged", Tags=tags(team="web", stage="prod"))]}
        provider = 'default_tags {\n  tags = { stage = "prod" }\n}'
        configuration = importing_role("tagged", 'tags = { team = "web" }')
        with Emulator(**account) as aws:
            with Workspace(aws, configuration, provider) as workspace:
                self.assert_plan(workspace.plan(), {"aws_iam_role.tagged": NO_OP})
            with Workspace(aws, configuration) as workspace:
                self.assert_plan(
                    workspace.plan(), {"aws_iam_role.tagged": (UPDATE, {"tags", "tags_all"})}
                )


class Refusals(Case):
    """What ends a plan with an error, in words like the provider's."""

    def test_wrong_import_ids_are_refused(self):
        account = {
            "roles": [role("present")],
            "organizations_policies": [organizations_policy("p-aaaaaaaa", targets=[ROOT])],
        }
        bodies = {
            "aws_iam_role": f'name = "x"\nassume_role_policy = {encoded(TRUST)}',
            "aws_iam_policy": f'name = "x"\npolicy = {encoded(PERMISSIONS)}',
            "aws_iam_role_policy": f'role = "x"\nname = "x"\npolicy = {encoded(PERMISSIONS)}',
            "aws_iam_role_policy_attachment": f'role = "x"\npolicy_arn = "{READ_ONLY}"',
            "aws_iam_instance_profile": 'name = "x"',
            "aws_organizations_policy": f'name = "x"\ncontent = {encoded(PERMISSIONS)}',
            "aws_organizations_policy_attachment": 'policy_id = "x"\ntarget_id = "x"',
        }
        missing = "Cannot import non-existent remote object"
        cases = [
            ("aws_iam_role", "gone", missing),
            ("aws_iam_role", f"{ARN}:role/present", missing),
            ("aws_iam_policy", f"{ARN}:policy/gone", missing),
            ("aws_iam_policy", "name-only", 'could not parse import ID "name-only" as ARN'),
            ("aws_iam_role_policy", "present:gone", missing),
            ("aws_iam_role_policy", "present/gone", "role_policy id must be of the form"),
            ("aws_iam_role_policy_attachment", f"present/{READ_ONLY}", missing),
            (
                "aws_iam_role_policy_attachment",
                "present:policy",
                'unexpected format for Import ID ("present:policy")',
            ),
            ("aws_iam_instance_profile", "gone", missing),
            ("aws_organizations_policy", "p-bbbbbbbb", "couldn't find resource"),
            (
                "aws_organizations_policy",
                "p-FullAWSAccess",
                "AWS-managed Organizations policy (p-FullAWSAccess) cannot be imported",
            ),
            ("aws_organizations_policy_attachment", f"{UNIT}:p-aaaaaaaa", missing),
            (
                "aws_organizations_policy_attachment",
                f"p-aaaaaaaa/{ROOT}",
                "expected ID in format of TARGETID:POLICYID, received: p-aaaaaaaa",
            ),
        ]
        with Emulator(**account) as aws, Workspace(aws) as workspace:
            for kind, import_id, message in cases:
                with self.subTest(kind=kind, import_id=import_id):
                    workspace.write(block(kind, "x", bodies[kind], import_id))
                    errors = workspace.run("plan", "-input=false", fails=True)
                    self.assertIn(message, " ".join(errors.replace("│", "").split()))

    def test_arguments_are_refused_before_any_call(self):
        good_trust = f"assume_role_policy = {encoded(TRUST)}"
        good_policy = f"policy = {encoded(PERMISSIONS)}"
        cases = {
            # label: type, body, part of the message or None for accepted
            "curly": ("aws_iam_role", f'description = "“x”"\n{good_trust}', "specially formatted"),
            "single_curly": ("aws_iam_role", f'description = "‘x"\n{good_trust}', "specially"),
            "apostrophe": ("aws_iam_role", f'description = "don’t"\n{good_trust}', None),
            "long": (
                "aws_iam_role",
                f'description = "{"x" * 1001}"\n{good_trust}',
                "expected length of description to be in the range (0 - 1000)",
            ),
            "longest": ("aws_iam_role", f'description = "{"x" * 1000}"\n{good_trust}', None),
            "long_in_bytes": (
                "aws_iam_role",
                f'description = "{"é" * 501}"\n{good_trust}',
                "expected length of description",
            ),
            "no_object": ("aws_iam_role", 'assume_role_policy = "[]"', "a JSON array"),
            "leading_space": (
                "aws_iam_role",
                'assume_role_policy = " {}"',
                "leading space characters",
            ),
            "no_json": ("aws_iam_policy", 'policy = "{"', "invalid JSON policy"),
            "duplicate_key": (
                "aws_iam_policy",
                'policy = "{\\"Version\\":\\"2012-10-17\\",\\"a\\":1,\\"a\\":2}"',
                "contains duplicate JSON keys",
            ),
            "duplicate_inline": (
                "aws_iam_role_policy",
                'role = "r"\npolicy = "{\\"a\\":1,\\"a\\":2}"',
                "contains duplicate JSON keys",
            ),
            "boundary": (
                "aws_iam_role",
                f'permissions_boundary = "arn:aws:iam::12345:policy/x"\n{good_trust}',
                "invalid account ID value",
            ),
            "boundary_name": (
                "aws_iam_role",
                f'permissions_boundary = "boundary"\n{good_trust}',
                "invalid prefix",
            ),
            "boundary_of_aws": (
                "aws_iam_role",
                f'permissions_boundary = "{READ_ONLY}"\n{good_trust}',
                None,
            ),
            "short_session": (
                "aws_iam_role",
                f"max_session_duration = 3599\n{good_trust}",
                "range (3600 - 43200)",
            ),
            "long_session": (
                "aws_iam_role",
                f"max_session_duration = 43201\n{good_trust}",
                "range (3600 - 43200)",
            ),
            "longest_session": ("aws_iam_role", f"max_session_duration = 43200\n{good_trust}", None),
            "name_length": ("aws_iam_role", f'name = "{"x" * 65}"\n{good_trust}', "range (1 - 64)"),
            "longest_name": ("aws_iam_role", f'name = "{"x" * 64}"\n{good_trust}', None),
            "name_letters": ("aws_iam_role", f'name = "a b"\n{good_trust}', "must match"),
            "name_ascii": ("aws_iam_role", f'name = "é"\n{good_trust}', "must match"),
            "all_letters": ("aws_iam_role", f'name = "a_b+=,.@-9"\n{good_trust}', None),
            "two_names": (
                "aws_iam_role",
                f'name = "a"\nname_prefix = "b"\n{good_trust}',
                "Conflicting configuration arguments",
            ),
            "role_path": (
                "aws_iam_role",
                f'path = "/{"x" * 512}/"\n{good_trust}',
                "expected length of path",
            ),
            "policy_name": (
                "aws_iam_policy",
                f'name = "{"x" * 129}"\n{good_policy}',
                "range (1 - 128)",
            ),
            "longest_policy_name": ("aws_iam_policy", f'name = "{"x" * 128}"\n{good_policy}', None),
            "policy_path": ("aws_iam_policy", f'path = "x"\n{good_policy}', "must begin and end"),
            "role_arn": (
                "aws_iam_role_policy",
                f'role = "{ARN}:role/x"\n{good_policy}',
                "must be the role's name not its ARN",
            ),
            "no_arn": (
                "aws_iam_role_policy_attachment",
                'role = "x"\npolicy_arn = "ReadOnlyAccess"',
                "invalid ARN",
            ),
            "profile_name": ("aws_iam_instance_profile", 'name = "a/b"', "must match"),
            "type": (
                "aws_organizations_policy",
                f'name = "x"\ncontent = {encoded(PERMISSIONS)}\ntype = "LATER_POLICY"',
                "expected type to be one of",
            ),
            "newest_type": (
                "aws_organizations_policy",
                f'name = "x"\ncontent = {encoded(PERMISSIONS)}\ntype = "GUARDDUTY_POLICY"',
                None,
            ),
            "content": (
                "aws_organizations_policy",
                'name = "x"\ncontent = "{"',
                "contains an invalid JSON",
            ),
        }
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

    def test_the_account_and_the_region_are_checked(self):
        configuration = importing_role("present")
        with Emulator(roles=[role("present")]) as aws:
            for provider, environment, message in (
                (f'allowed_account_ids = ["{ACCOUNT}"]', {}, None),
                (
                    'allowed_account_ids = ["999999999999"]',
                    {},
                    f"AWS account ID not allowed: {ACCOUNT}",
                ),
                (f'forbidden_account_ids = ["{ACCOUNT}"]', {}, "AWS account ID not allowed"),
                ('region = "nowhere"', {}, "invalid AWS Region: nowhere"),
                ("", {"AWS_REGION": ""}, "invalid AWS Region"),
                ('region = "eu-west-1"', {"AWS_REGION": ""}, None),
                ("", {"AWS_ENDPOINT_URL": ""}, "must be the http:// address of an emulator"),
            ):
                with self.subTest(provider=provider, environment=environment):
                    with Workspace(aws, configuration, provider, **environment) as workspace:
                        if message is None:
                            self.assert_plan(workspace.plan(), {"aws_iam_role.present": NO_OP})
                        else:
                            errors = workspace.run("plan", "-input=false", fails=True)
                            self.assertIn(message, " ".join(errors.replace("│", "").split()))

    def test_unknown_arguments_are_unknown_to_the_schema(self):
        configuration = role_block("x", 'descriptoin = "x"')
        with Emulator() as aws, Workspace(aws, configuration) as workspace:
            (problem,) = workspace.diagnostics()
            self.assertEqual(problem["summary"], "Unsupported argument")


class Writing(Case):
    """Create, update, replace and delete, judged by what the API then answers."""

    def test_the_life_of_every_type(self):
        first = "".join(
            (
                block(
                    "aws_iam_role",
                    "x",
                    f'name = "x"\npath = "/p/"\ndescription = "d"\nmax_session_duration = 7200\n'
                    f"permissions_boundary = aws_iam_policy.x.arn\n"
                    f'assume_role_policy = {encoded(TRUST)}\ntags = {{ a = "1", b = "2" }}',
                ),
                block(
                    "aws_iam_policy",
                    "x",
                    f'name = "x"\ndescription = "são"\npolicy = {encoded(PERMISSIONS)}\n'
                    'tags = { a = "1" }',
                ),
                block(
                    "aws_iam_role_policy",
                    "x",
                    f'role = aws_iam_role.x.id\nname = "i"\npolicy = {encoded(PERMISSIONS)}',
                ),
                block(
                    "aws_iam_role_policy_attachment",
                    "x",
                    "role = aws_iam_role.x.name\npolicy_arn = aws_iam_policy.x.arn",
                ),
                block(
                    "aws_iam_instance_profile",
                    "x",
                    'name = "x"\nrole = aws_iam_role.x.name\ntags = { a = "1" }',
                ),
                block("aws_iam_instance_profile", "generated", 'name_prefix = "generated-"'),
                block(
                    "aws_organizations_policy",
                    "x",
                    f'name = "x"\ncontent = {encoded(PERMISSIONS)}\ntags = {{ a = "1" }}',
                ),
                block(
                    "aws_organizations_policy_attachment",
                    "x",
                    f'policy_id = aws_organizations_policy.x.id\ntarget_id = "{UNIT}"',
                ),
            )
        )
        second = (
            first.replace('description = "d"', 'description = ""')
            .replace("max_session_duration = 7200", "")
            .replace("permissions_boundary = aws_iam_policy.x.arn", "")
            .replace('{ a = "1", b = "2" }', '{ a = "3" }')
            .replace("s3:ListBucket", "s3:PutObject")
            .replace("ec2.amazonaws.com", "ecs.amazonaws.com")
            .replace('role = aws_iam_role.x.name\ntags = { a = "1" }', "")
        )
        # An organization, so that there is something to attach to.
        account = {"organizations_policies": [organizations_policy("p-aaaaaaaa", targets=[UNIT])]}
        with Emulator(**account) as aws, Workspace(aws, first) as workspace:
            client = aws.client
            self.assertEqual(
                {actions for actions, _ in changes(workspace.plan()).values()}, {CREATE}
            )
            workspace.apply()
            self.assertEqual({actions for actions, _ in changes(workspace.plan()).values()}, {NO_OP})
            made = client.iam("GetRole", RoleName="x")["Role"]
            self.assertEqual(
                (made["Path"], made["Description"], made["MaxSessionDuration"]),
                ("/p/", "d", "7200"),
            )
            self.assertEqual(
                made["PermissionsBoundary"]["PermissionsBoundaryArn"], f"{ARN}:policy/x"
            )
            self.assertEqual(sorted(tag["Key"] for tag in made["Tags"]), ["a", "b"])
            state = workspace.state()
            generated = state["aws_iam_instance_profile.generated"]
            self.assertEqual(generated["name_prefix"], "generated-")
            self.assertTrue(generated["name"].startswith("generated-"))
            self.assertEqual(state["aws_iam_role_policy.x"]["id"], "x:i")
            self.assertEqual(
                state["aws_iam_role_policy_attachment.x"]["id"], f"x/{ARN}:policy/x"
            )

            plan = workspace.plan(second)
            self.assertEqual(
                {
                    address: actions
                    for address, (actions, _) in changes(plan).items()
                    if actions != NO_OP
                },
                {
                    "aws_iam_role.x": UPDATE,
                    "aws_iam_policy.x": UPDATE,
                    "aws_iam_role_policy.x": UPDATE,
                    "aws_iam_instance_profile.x": UPDATE,
                    "aws_organizations_policy.x": UPDATE,
                },
            )
            workspace.apply()
            self.assertEqual({actions for actions, _ in changes(workspace.plan()).values()}, {NO_OP})
            made = client.iam("GetRole", RoleName="x")["Role"]
            self.assertEqual(made.get("Description", ""), "")
            self.assertEqual(made["MaxSessionDuration"], "3600")
            self.assertFalse(made.get("PermissionsBoundary"))
            self.assertEqual(made["Tags"], tags(a="3"))
            self.assertIn("ecs.amazonaws.com", made["AssumeRolePolicyDocument"])
            profile = client.iam("GetInstanceProfile", InstanceProfileName="x")["InstanceProfile"]
            self.assertFalse(profile.get("Roles") or profile.get("Tags"))
            found = client.iam("GetPolicy", PolicyArn=f"{ARN}:policy/x")["Policy"]
            self.assertEqual((found["DefaultVersionId"], found["Description"]), ("v2", "são"))
            inline = client.iam("GetRolePolicy", RoleName="x", PolicyName="i")["PolicyDocument"]
            self.assertIn("PutObject", inline)
            self.assertTrue(inline.startswith("%7B%22Version%22"))

            # Gone in AWS is to be created again; a changed path replaces what depends on it.
            client.iam("DeleteRolePolicy", RoleName="x", PolicyName="i")
            found = changes(workspace.plan(second.replace('path = "/p/"', 'path = "/q/"')))
            self.assertEqual(found["aws_iam_role_policy.x"][0], CREATE)
            self.assertEqual(found["aws_iam_role.x"][0], REPLACE)
            workspace.apply()
            self.assertEqual(client.iam("GetRole", RoleName="x")["Role"]["Path"], "/q/")

            workspace.apply("")
            self.assertEqual(client.iam("ListRoles").get("Roles") or [], [])
            self.assertEqual(list(client.iam_pages("ListPolicies", "Policies", Scope="Local")), [])
            self.assertFalse(client.iam("ListInstanceProfiles").get("InstanceProfiles"))
            policies = client.organizations("ListPolicies", Filter="SERVICE_CONTROL_POLICY")
            self.assertEqual(
                [found["Name"] for found in policies["Policies"]], ["FullAWSAccess", "p-aaaaaaaa"]
            )

    def test_skip_destroy_keeps_the_object(self):
        body = f'name = "x"\ncontent = {encoded(PERMISSIONS)}\nskip_destroy = true'
        account = {"organizations_policies": [organizations_policy("p-aaaaaaaa", targets=[UNIT])]}
        configuration = block("aws_organizations_policy", "x", body)
        with Emulator(**account) as aws, Workspace(aws, configuration) as workspace:
            workspace.apply()
            workspace.apply("")
            policies = aws.client.organizations("ListPolicies", Filter="SERVICE_CONTROL_POLICY")
            self.assertIn("x", [found["Name"] for found in policies["Policies"]])

    def test_a_role_that_is_in_use_is_deleted_only_when_detaching_is_asked_for(self):
        environment = {"PROVIDER_DOUBLE_RETRY_SECONDS": "0.5"}
        for body, message in (("", "DeleteConflict"), ("force_detach_policies = true", None)):
            with Emulator() as aws:
                with Workspace(aws, role_block("x", body), **environment) as workspace:
                    workspace.apply()
                    aws.client.iam(
                        "PutRolePolicy",
                        RoleName="x",
                        PolicyName="by-hand",
                        PolicyDocument=json.dumps(PERMISSIONS),
                    )
                    # Without a refresh the state does not know of the policy.
                    arguments = ("destroy", "-auto-approve", "-refresh=false")
                    if message:
                        self.assertIn(message, workspace.run(*arguments, fails=True))
                        # The state of a refresh names it, and so it is removed first.
                        workspace.run("destroy", "-auto-approve")
                    else:
                        workspace.run(*arguments)
                    self.assertEqual(aws.client.iam("ListRoles").get("Roles") or [], [])

    def test_a_policy_keeps_five_versions_at_most(self):
        with Emulator(policies=[policy("x")]) as aws:
            provider = Provider(aws.client)
            schema = Schema()
            kind = RESOURCES["aws_iam_policy"](schema.resources["aws_iam_policy"])
            state = schema.empty("aws_iam_policy") | kind.import_state(
                provider, f"{ARN}:policy/x"
            )
            state = kind.refreshed(provider, state)
            for number in range(6):
                planned = {**state, "policy": json.dumps(permissions(f"s3:Action{number}"))}
                kind.update(provider, state, planned)
                state = kind.refreshed(provider, planned)
            versions = aws.client.iam("ListPolicyVersions", PolicyArn=f"{ARN}:policy/x")["Versions"]
            self.assertEqual(
                sorted(found["VersionId"] for found in versions), ["v3", "v4", "v5", "v6", "v7"]
            )
            self.assertIn("Action5", state["policy"])
            # The emulator would delete the policy at once, AWS would not.
            provider.client = Recorder(aws.endpoint)
            kind.delete(provider, state)
            self.assertEqual(
                provider.client.operations,
                ["ListPolicyVersions", *["DeletePolicyVersion"] * 4, "DeletePolicy"],
            )
            with self.assertRaises(ApiError):
                aws.client.iam("GetPolicy", PolicyArn=f"{ARN}:policy/x")


class PolicyDocuments(Case):
    """Which documents are the same; each group has what is not."""

    BASE = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "",
                "Effect": "Allow",
                "Principal": {"AWS": [ACCOUNT, "arn:aws:iam::444455556666:role/a"]},
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": ["a", "b"],
                "Condition": {"Bool": {"aws:SecureTransport": ["true", "x"]}},
            }
        ],
    }

    def changed(self, path, value):
        """Returns the base with one member of the document or statement changed or removed."""
        document = json.loads(json.dumps(self.BASE))
        target = document if path in ("Version", "Id", "Statement") else document["Statement"][0]
        if value is None:
            target.pop(path, None)
        else:
            target[path] = value
        return document

    def test_equal_and_different_documents(self):
        base, changed = self.BASE, self.changed
        (statement,) = base["Statement"]
        roots = [f"{ARN}:root", "arn:aws:iam::444455556666:role/a"]
        second = {"Effect": "Deny", "Action": "*", "Resource": "*"}
        upper = {key.upper(): value for key, value in statement.items()}
        condition = {"Bool": {"aws:SecureTransport": ["x", True]}}
        equal = {
            "itself": (base, base),
            "key order": (base, dict(reversed(base.items()))),
            "action order": (base, changed("Action", ["s3:ListBucket", "s3:GetObject"])),
            "resource order": (base, changed("Resource", ["b", "a"])),
            "one statement": (base, changed("Statement", statement)),
            "statement order": (
                changed("Statement", [statement, second]),
                changed("Statement", [second, statement]),
            ),
            "one action": (changed("Action", "s3:*"), changed("Action", ["s3:*"])),
            "no sid": (base, changed("Sid", None)),
            "case of effect": (base, changed("Effect", "allow")),
            "case of elements": (base, changed("Statement", [upper])),
            "root user": (base, changed("Principal", {"AWS": roots})),
            "principal order": (base, changed("Principal", {"AWS": roots[::-1]})),
            "boolean": (base, changed("Condition", condition)),
            "number": (
                changed("Condition", {"NumericLessThan": {"aws:MultiFactorAuthAge": 3600}}),
                changed("Condition", {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}),
            ),
            "empty principal": (changed("Principal", {}), changed("Principal", None)),
            "two bare principals": (changed("Principal", "*"), changed("Principal", "x")),
            "bare principal and none": (changed("Principal", "*"), changed("Principal", None)),
            "which condition value is repeated": (
                changed("Condition", {"StringLike": {"a": ["x", "x", "y"]}}),
                changed("Condition", {"StringLike": {"a": ["x", "y", "y"]}}),
            ),
            "no statement": ({"Version": "x"}, {"Version": "x"}),
            "list of one": ([base], base),
        }
        different = {
            "no version": (base, changed("Version", None)),
            "other version": (base, changed("Version", "2008-10-17")),
            "id": (base, changed("Id", "x")),
            "sid": (base, changed("Sid", "x")),
            "effect": (base, changed("Effect", "Deny")),
            "case of action": (base, changed("Action", ["s3:getobject", "s3:ListBucket"])),
            "repeated action": (
                base,
                changed("Action", ["s3:GetObject", "s3:GetObject", "s3:ListBucket"]),
            ),
            "missing action": (base, changed("Action", "s3:GetObject")),
            "not action": (
                changed("Action", "s3:*"),
                {**base, "Statement": [{**changed("Action", None)["Statement"][0], "NotAction": "s3:*"}]},
            ),
            "condition operator": (
                base,
                changed("Condition", {"bool": {"aws:SecureTransport": ["true", "x"]}}),
            ),
            "condition key": (
                base,
                changed("Condition", {"Bool": {"aws:securetransport": ["true", "x"]}}),
            ),
            "condition value": (base, changed("Condition", {"Bool": {"aws:SecureTransport": "x"}})),
            "empty condition": (changed("Condition", {}), changed("Condition", None)),
            "wildcard principal": (changed("Principal", "*"), changed("Principal", {"AWS": "*"})),
            "deleted principal": (base, changed("Principal", {"AWS": [ACCOUNT, "AROAEXAMPLE"]})),
            "other root user": (
                base,
                changed("Principal", {"AWS": ["arn:aws:iam::999999999999:root", roots[1]]}),
            ),
            "kind of principal": (
                changed("Principal", {"AWS": "x"}),
                changed("Principal", {"Service": "x"}),
            ),
            "one statement more": (base, changed("Statement", [statement, second])),
            "sid that is no text": (base, changed("Sid", 1)),
            "empty document": (base, {}),
        }
        for expected, cases in ((True, equal), (False, different)):
            for name, (one, other) in cases.items():
                with self.subTest(name):
                    one, other = json.dumps(one), json.dumps(other, indent=2)
                    for pair in ((one, other), (other, one)):
                        found = policy_documents.suppresses_difference(*pair)
                        self.assertIs(found, expected)
        self.assertTrue(policy_documents.suppresses_difference("", " {} "))
        self.assertFalse(policy_documents.suppresses_difference("{", "{"))

    def test_organizations_content_is_compared_as_json(self):
        for expected, one, other in (
            (True, '{"a": 1, "b": [1, 2]}', '{"b":[1,2],"a":1.0}'),
            (False, '{"b": [1, 2]}', '{"b": [2, 1]}'),
            (False, '{"a": "x"}', '{"a": ["x"]}'),
            (False, '{"a": 5}', '{"a": "5"}'),
            (False, '{"a": 1}', '{"a": true}'),
            (False, '{"a": 1}', '{"A": 1}'),
            (False, "{", "{"),
        ):
            self.assertIs(policy_documents.same_json(one, other), expected, (one, other))

    def test_documents_are_stored_as_go_writes_them(self):
        for text, stored in (
            ('{"b": 1, "a": "<x> & é"}', '{"a":"\\u003cx\\u003e \\u0026 é","b":1}'),
            ('{"a": [1.0, 0.5, 123456789012, 1e21, 1e-7, true, null]}',
             '{"a":[1,0.5,123456789012,1e+21,1e-7,true,null]}'),
            ('{"a": 1, "a": 2}', '{"a":2}'),
            ('{"a": "\\u2028\\n"}', '{"a":"\\u2028\\n"}'),
        ):
            self.assertEqual(policy_documents.normalized(text), stored)
        self.assertEqual(
            policy_documents.normalized_version_first('{"Statement":[],"Version":"2012-10-17"}'),
            '{"Version":"2012-10-17","Statement":[]}',
        )


class DataSources(unittest.TestCase):
    def test_a_document_is_written_as_the_provider_writes_it(self):
        statement = {
            "sid": "",
            "effect": None,
            "actions": ["s3:GetObject", "s3:PutObject"],
            "resources": ["arn:aws:s3:::home/&{aws:username}"],
            "principals": [{"type": "*", "identifiers": ["*"]}],
            "condition": [{"test": "Bool", "variable": "aws:Via", "values": ["true"]}],
        }
        found = data_sources.read(None, "aws_iam_policy_document", {"statement": [statement]})
        self.assertEqual(
            json.loads(found["json"]),
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["s3:PutObject", "s3:GetObject"],
                        "Resource": "arn:aws:s3:::home/${aws:username}",
                        "Principal": "*",
                        "Condition": {"Bool": {"aws:Via": "true"}},
                    }
                ],
            },
        )
        self.assertEqual(json.loads(found["minified_json"]), json.loads(found["json"]))

    def test_documents_are_not_merged(self):
        with self.assertRaises(Refused):
            config = {"source_policy_documents": ["{}"]}
            data_sources.read(None, "aws_iam_policy_document", config)


class Foundations(Case):
    """The wire, the values, the schema, the mirror and the emulator."""

    def test_messages_survive_the_wire(self):
        fields = protocol.METHODS["PlanResourceChange"][1]
        message = {
            "planned_state": {"msgpack": b"\x00\xff"},
            "requires_replace": [{"steps": [{"attribute_name": "é" * 200}]}, {}],
            "legacy_type_system": 1,
        }
        data = protocol.encode(message, fields)
        self.assertEqual(protocol.decode(data, fields), message)
        # A field of a newer protocol, of each wire type, is passed over.
        for unknown in (b"\xf8\x07\x05", b"\xfa\x07\x01x", b"\xf9\x07" + b"x" * 8):
            self.assertEqual(protocol.decode(data + unknown, fields), message)

    def test_unknown_values_survive_msgpack(self):
        value = from_msgpack(to_msgpack({"a": UNKNOWN, "b": [None, 3600, "é", True]}))
        self.assertEqual(value, {"a": UNKNOWN, "b": [None, 3600, "é", True]})

    def test_zero_and_absent_are_the_same_to_the_old_sdk(self):
        for one, other, expected in (
            ({"a": None, "b": []}, {"a": "", "b": None}, True),
            ({"a": None}, {"a": False}, True),
            ({"a": None}, {"a": "x"}, False),
            ({"a": UNKNOWN}, {"a": None}, False),
            ({"a": ["x", ""]}, {"a": ["x", None]}, True),
            ({"a": ["x", "y"]}, {"a": ["y", "x"]}, False),
        ):
            self.assertIs(are_equivalent(one, other), expected, (one, other))

    def test_the_schema_has_every_served_type(self):
        self.assertEqual(set(Schema().resources), set(RESOURCES))

    def test_the_mirror_may_be_built_by_many_at_once(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(pathlib.Path(mirror.__file__)), folder]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                runs = [
                    pool.submit(subprocess.run, command, capture_output=True, text=True, check=True)
                    for _ in range(4)
                ]
                printed = {run.result().stdout for run in runs}
            self.assertEqual(len(printed), 1)
            configuration = pathlib.Path(printed.pop().strip())
            before = configuration.stat().st_mtime_ns
            self.assertEqual(mirror.build(folder), configuration)
            self.assertEqual(configuration.stat().st_mtime_ns, before)
            self.assertIn("filesystem_mirror", configuration.read_text(encoding="utf-8"))

    def test_the_client_refuses_amazon(self):
        for endpoint in (None, "https://iam.amazonaws.com", "http://iam.amazonaws.com"):
            with self.assertRaises(ValueError):
                Client(endpoint)

    def test_the_emulator_reads_an_exported_folder_and_command_line_outputs(self):
        written = role("x", Description="d", Tags=tags(a="1"))
        control = organizations_policy("p-aaaaaaaa", targets=[ROOT], tags=tags(a="1"))
        with tempfile.TemporaryDirectory() as folder:
            exported, outputs = pathlib.Path(folder, "exported"), pathlib.Path(folder, "outputs")
            for file, content in (
                (exported / "roles/x.json", written),
                (exported / "policies/y.json", policy("y", Tags=tags(b="2"))),
                (exported / "scps/p-aaaaaaaa.json", control),
                (
                    outputs / "iam/get-account-authorization-details.json",
                    {
                        "RoleDetailList": [role("x", Tags=tags(a="1"))],
                        "Policies": [policy("y")],
                    },
                ),
                (outputs / "iam/list-roles.json", {"Roles": [role("x", Description="d")]}),
                (
                    outputs / "iam/get-policy.y.json",
                    {"Policy": {"Arn": f"{ARN}:policy/y", "Tags": tags(b="2")}},
                ),
                (
                    outputs / "organizations/describe-policy.p-aaaaaaaa.json",
                    {"Policy": {key: control[key] for key in ("PolicySummary", "Content")}},
                ),
                (
                    outputs / "organizations/list-tags-for-resource.p-aaaaaaaa.json",
                    {"Tags": control["Tags"]},
                ),
                (
                    outputs / "organizations/list-targets-for-policy.p-aaaaaaaa.json",
                    {"Targets": control["Targets"]},
                ),
            ):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(content), encoding="utf-8")
            for path in (exported, outputs):
                account = emulator.read_account(path)
                self.assertEqual(account.number, ACCOUNT)
                (found,) = account.roles
                self.assertEqual((found["Description"], found["Tags"]), ("d", tags(a="1")))
                (found,) = account.policies
                self.assertEqual(found["Tags"], tags(b="2"))
                (found,) = account.organizations_policies
                self.assertEqual(found["Targets"], control["Targets"])
                self.assertEqual(found["Tags"], control["Tags"])


if __name__ == "__main__":
    unittest.main()
