"""Proves the types of an organization and of IAM Identity Center, and what the emulator adds.

One Terraform run serves many resources: an object may be imported under several labels, so each
row below is a configuration of an object that is there, and what the plan says of it.
"""

import json
import pathlib
import tempfile
import unittest
import urllib.request

import emulator
from api import ApiError
from harness import Emulator, Workspace, changes
from test_provider import (
    ACCOUNT,
    CREATE,
    DELETE,
    NO_OP,
    REPLACE,
    ROOT,
    UNIT,
    UPDATE,
    Case,
    block,
    encoded,
    permissions,
    tags,
)

OU, MEMBER, ADMINISTRATOR = (
    "aws_organizations_organizational_unit",
    "aws_organizations_account",
    "aws_organizations_delegated_administrator",
)
POLICY = "aws_organizations_resource_policy"
SET, INLINE = "aws_ssoadmin_permission_set", "aws_ssoadmin_permission_set_inline_policy"
MANAGED = "aws_ssoadmin_managed_policy_attachment"
CUSTOMER = "aws_ssoadmin_customer_managed_policy_attachment"
BOUNDARY = "aws_ssoadmin_permissions_boundary_attachment"
ASSIGNMENT = "aws_ssoadmin_account_assignment"

INNER, FULL, CLOSING, CLOSED = "ou-ab12-inner000", "222233334444", "333344445555", "444455556666"
ORGANIZATION = f"arn:aws:organizations::{ACCOUNT}"
INSTANCE = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
SETS = {
    name: f"arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-{name}"
    for name in ("full", "bare", "own")
}
VIEW = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"
BILLING = "arn:aws:iam::aws:policy/job-function/Billing"
USER = "1234567890-a1b2c3d4-1111-2222-3333-444455556666"
GROUP = "a1b2c3d4-1111-2222-3333-444455556666"
GUARD, ACCESS = "guardduty.amazonaws.com", "access-analyzer.amazonaws.com"
DELEGATION = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{FULL}:root"},
            "Action": ["organizations:ListRoots", "organizations:ListAccounts"],
            "Resource": "*",
        }
    ],
}
INLINE_POLICY = permissions("s3:GetObject", "s3:ListBucket")
IGNORED = "lifecycle {\n  ignore_changes = [close_on_deletion, create_govcloud]\n}"
TIMES = {"JoinedMethod": "CREATED", "JoinedTimestamp": "2024-05-06T07:08:09Z"}


def unit(identifier, name, parent, **members):
    arn = f"{ORGANIZATION}:ou/o-exampleorgid/{identifier}"
    return {"Id": identifier, "Arn": arn, "Name": name, "ParentId": parent, "Tags": [], **members}


def member(identifier, name, **members):
    return {
        "Id": identifier,
        "Arn": f"{ORGANIZATION}:account/o-exampleorgid/{identifier}",
        "Email": f"{name}@example.com",
        "Name": name,
        "Status": "ACTIVE",
        "ParentId": UNIT,
        "Tags": [],
        **TIMES,
        **members,
    }


def permission_set(name, **members):
    return {
        "InstanceArn": INSTANCE,
        "PermissionSetArn": SETS[name],
        "Name": name,
        "SessionDuration": "PT1H",
        "CreatedDate": "2024-05-06T07:08:09.123Z",
        **members,
    }


def organization():
    """An account with one entity of each kind, and what its rows need besides."""
    full = member(FULL, "full", Tags=tags(team="web", **{"aws:x": "of AWS"}))
    return {
        "organizational_units": [
            unit(UNIT, "Workloads", ROOT, Tags=tags(team="web")),
            unit(INNER, "Inner", UNIT),
        ],
        "organizations_accounts": [
            full,
            member(CLOSING, "closing", Status="PENDING_CLOSURE", ParentId=ROOT),
            member(CLOSED, "closed", Status="SUSPENDED", State="CLOSED"),
        ],
        "resource_policy": {
            "ResourcePolicySummary": {
                "Id": "rp-12345678",
                "Arn": f"{ORGANIZATION}:resourcepolicy/o-exampleorgid/rp-12345678",
            },
            "Content": DELEGATION,
            "Tags": tags(team="security"),
        },
        "delegated_administrators": [
            {
                **full,
                "DelegationEnabledDate": "2025-01-02T03:04:05Z",
                "DelegatedServices": [
                    {"ServicePrincipal": GUARD, "DelegationEnabledDate": "2025-01-02T03:04:05Z"}
                ],
            }
        ],
        "permission_sets": [
            permission_set(
                "full",
                Description="Sees “all”",
                SessionDuration="PT8H",
                RelayState="https://example.com/a?b=c&d=${e}",
                InlinePolicy=INLINE_POLICY,
                AttachedManagedPolicies=[{"Name": "ViewOnlyAccess", "Arn": VIEW}],
                CustomerManagedPolicyReferences=[
                    {"Name": "deploy", "Path": "/teams/"},
                    {"Name": "plain", "Path": "/"},
                ],
                PermissionsBoundary={
                    "CustomerManagedPolicyReference": {"Name": "boundary", "Path": "/"}
                },
                Tags=tags(team="web"),
                AccountAssignments=[
                    {"AccountId": FULL, "PrincipalType": "GROUP", "PrincipalId": GROUP},
                    {"AccountId": FULL, "PrincipalType": "USER", "PrincipalId": USER},
                ],
            ),
            permission_set("bare"),
            permission_set("own", PermissionsBoundary={"ManagedPolicyArn": VIEW}),
        ],
    }


def in_set(name="full", instance=INSTANCE, body=""):
    return f'permission_set_arn = "{SETS[name]}"\ninstance_arn = "{instance}"\n{body}'


def set_body(name, body=""):
    return f'name = "{name}"\ninstance_arn = "{INSTANCE}"\n{body}'


def member_body(name="full", email=None, body=IGNORED, tagged='tags = { team = "web" }'):
    return f'name = "{name}"\nemail = "{email or name + "@example.com"}"\n{tagged}\n{body}'


def reference(name, path=None):
    path = "" if path is None else f'path = "{path}"\n'
    return f'customer_managed_policy_reference {{\nname = "{name}"\n{path}}}\n'


def assignment(**arguments):
    given = {
        "principal_id": USER,
        "principal_type": "USER",
        "target_id": FULL,
        "target_type": "AWS_ACCOUNT",
        **arguments,
    }
    return in_set(body="".join(f'{key} = "{value}"\n' for key, value in given.items()))


def of_set(name, *before):
    return ",".join([*before, SETS[name], INSTANCE])


FULL_SET = (
    'description = "Sees “all”"\nsession_duration = "PT8H"\n'
    'relay_state = "https://example.com/a?b=c&d=$${e}"\ntags = { team = "web" }\n'
)
FULL_ID = of_set("full")
USER_ID = of_set("full", USER, "USER", FULL, "AWS_ACCOUNT")
INLINE_BODY = in_set(body=f"inline_policy = {encoded(INLINE_POLICY)}")
POLICY_BODY = f'content = {encoded(DELEGATION)}\ntags = {{ team = "security" }}'
UNIT_BODY = f'name = "Workloads"\nparent_id = "{ROOT}"\ntags = {{ team = "web" }}'


def within(wrapped):
    return f"permissions_boundary {{\n{wrapped}}}\n"


def reordered(document):
    statement = dict(document["Statement"][0])
    statement["Action"] = statement["Action"][::-1]
    return {"Statement": [statement], "Version": document["Version"]}


def other(document):
    statement = {**document["Statement"][0], "Action": ["organizations:ListRoots"]}
    return {**document, "Statement": [statement]}


TAGS = (UPDATE, {"tags", "tags_all"})
REPLACED = (REPLACE, None)
NULLS = {"close_on_deletion", "create_govcloud"}
ROWS = {
    # label: type, import ID, body, what the plan says
    "unit": (OU, UNIT, UNIT_BODY, NO_OP),
    "inner_unit": (OU, INNER, f'name = "Inner"\nparent_id = "{UNIT}"', NO_OP),
    "unit_name": (OU, INNER, f'name = "inner"\nparent_id = "{UNIT}"', (UPDATE, {"name"})),
    "unit_parent": (OU, INNER, f'name = "Inner"\nparent_id = "{ROOT}"', REPLACED),
    "unit_tags": (OU, UNIT, f'name = "Workloads"\nparent_id = "{ROOT}"', TAGS),
    "member": (MEMBER, FULL, member_body(body=f'parent_id = "{UNIT}"\n{IGNORED}'), NO_OP),
    "no_parent": (MEMBER, FULL, member_body(), NO_OP),
    "not_ignored": (MEMBER, FULL, member_body(body=""), (UPDATE, NULLS)),
    "half_ignored": (
        MEMBER,
        FULL,
        member_body(body="lifecycle {\n  ignore_changes = [close_on_deletion]\n}"),
        (UPDATE, {"create_govcloud"}),
    ),
    "explicit": (
        MEMBER,
        FULL,
        member_body(body="close_on_deletion = false\ncreate_govcloud = false"),
        (UPDATE, NULLS),
    ),
    "member_name": (MEMBER, FULL, member_body("new", "full@example.com"), (UPDATE, {"name"})),
    "member_email": (MEMBER, FULL, member_body(email="other@example.com"), REPLACED),
    "member_parent": (
        MEMBER,
        FULL,
        member_body(body=f'parent_id = "{ROOT}"\n{IGNORED}'),
        (UPDATE, {"parent_id"}),
    ),
    "member_tags": (MEMBER, FULL, member_body(tagged=""), TAGS),
    "member_role": (MEMBER, FULL, member_body(body=f'role_name = "x"\n{IGNORED}'), REPLACED),
    "member_billing": (
        MEMBER,
        FULL,
        member_body(body=f'iam_user_access_to_billing = "ALLOW"\n{IGNORED}'),
        REPLACED,
    ),
    "told_billing": (
        MEMBER,
        f"{FULL}_ALLOW",
        member_body(body=f'iam_user_access_to_billing = "ALLOW"\n{IGNORED}'),
        NO_OP,
    ),
    "closing": (MEMBER, CLOSING, member_body("closing", tagged=""), NO_OP),
    "policy": (POLICY, "rp-12345678", POLICY_BODY, NO_OP),
    "policy_order": (
        POLICY,
        "rp-12345678",
        f'content = {encoded(reordered(DELEGATION))}\ntags = {{ team = "security" }}',
        NO_OP,
    ),
    "policy_content": (
        POLICY,
        "rp-12345678",
        f'content = {encoded(other(DELEGATION))}\ntags = {{ team = "security" }}',
        (UPDATE, {"content"}),
    ),
    "policy_tags": (POLICY, "rp-12345678", f"content = {encoded(DELEGATION)}", TAGS),
    "administrator": (
        ADMINISTRATOR,
        f"{FULL}/{GUARD}",
        f'account_id = "{FULL}"\nservice_principal = "{GUARD}"',
        NO_OP,
    ),
    "administrator_account": (
        ADMINISTRATOR,
        f"{FULL}/{GUARD}",
        f'account_id = "{CLOSING}"\nservice_principal = "{GUARD}"',
        REPLACED,
    ),
    "administrator_service": (
        ADMINISTRATOR,
        f"{FULL}/{GUARD}",
        f'account_id = "{FULL}"\nservice_principal = "{ACCESS}"',
        REPLACED,
    ),
    "set": (SET, FULL_ID, set_body("full", FULL_SET), NO_OP),
    "bare_set": (SET, of_set("bare"), set_body("bare"), NO_OP),
    "default_session": (
        SET,
        of_set("bare"),
        set_body("bare", 'session_duration = "PT1H"'),
        NO_OP,
    ),
    "set_region": (SET, of_set("bare"), set_body("bare", 'region = "us-east-1"'), NO_OP),
    "told_region": (SET, f"{of_set('bare')}@us-east-1", set_body("bare"), NO_OP),
    "other_region": (SET, of_set("bare"), set_body("bare", 'region = "eu-west-1"'), REPLACED),
    "set_timeouts": (
        SET,
        of_set("bare"),
        set_body("bare", 'timeouts {\n  update = "5m"\n}'),
        NO_OP,
    ),
    "set_name": (SET, of_set("bare"), set_body("Bare"), REPLACED),
    "set_instance": (
        SET,
        of_set("bare"),
        'name = "bare"\ninstance_arn = "arn:aws:sso:::instance/ssoins-other"',
        REPLACED,
    ),
    "set_texts": (
        SET,
        FULL_ID,
        set_body("full", 'tags = { team = "web" }'),
        (UPDATE, {"description", "relay_state", "session_duration"}),
    ),
    "set_tags": (SET, FULL_ID, set_body("full", FULL_SET.replace('"web"', '"x"')), TAGS),
    "inline": (INLINE, FULL_ID, INLINE_BODY, NO_OP),
    "inline_order": (
        INLINE,
        FULL_ID,
        in_set(body=f"inline_policy = {encoded(reordered(INLINE_POLICY))}"),
        NO_OP,
    ),
    "inline_content": (
        INLINE,
        FULL_ID,
        in_set(body=f"inline_policy = {encoded(other(INLINE_POLICY))}"),
        (UPDATE, {"inline_policy"}),
    ),
    "inline_set": (
        INLINE,
        FULL_ID,
        in_set("bare", body=f"inline_policy = {encoded(INLINE_POLICY)}"),
        REPLACED,
    ),
    "managed": (
        MANAGED,
        of_set("full", VIEW),
        in_set(body=f'managed_policy_arn = "{VIEW}"'),
        NO_OP,
    ),
    "managed_policy": (
        MANAGED,
        of_set("full", VIEW),
        in_set(body=f'managed_policy_arn = "{BILLING}"'),
        REPLACED,
    ),
    "customer": (
        CUSTOMER,
        of_set("full", "deploy", "/teams/"),
        in_set(body=reference("deploy", "/teams/")),
        NO_OP,
    ),
    "customer_default_path": (
        CUSTOMER,
        of_set("full", "plain", "/"),
        in_set(body=reference("plain")),
        NO_OP,
    ),
    "customer_path": (
        CUSTOMER,
        of_set("full", "deploy", "/teams/"),
        in_set(body=reference("deploy")),
        REPLACED,
    ),
    "customer_name": (
        CUSTOMER,
        of_set("full", "plain", "/"),
        in_set(body=reference("deploy", "/")),
        REPLACED,
    ),
    "boundary": (BOUNDARY, FULL_ID, in_set(body=within(reference("boundary"))), NO_OP),
    "boundary_of_aws": (
        BOUNDARY,
        of_set("own"),
        in_set("own", body=within(f'managed_policy_arn = "{VIEW}"\n')),
        NO_OP,
    ),
    "boundary_name": (BOUNDARY, FULL_ID, in_set(body=within(reference("other"))), REPLACED),
    "boundary_kind": (
        BOUNDARY,
        FULL_ID,
        in_set(body=within(f'managed_policy_arn = "{VIEW}"\n')),
        REPLACED,
    ),
    "assignment": (ASSIGNMENT, USER_ID, assignment(), NO_OP),
    "assignment_principal": (ASSIGNMENT, USER_ID, assignment(principal_id=GROUP), REPLACED),
    "assignment_type": (ASSIGNMENT, USER_ID, assignment(principal_type="GROUP"), REPLACED),
    "assignment_target": (ASSIGNMENT, USER_ID, assignment(target_id=CLOSING), REPLACED),
}


class OrganizationKinds(Case):
    def test_each_difference_is_a_change_and_each_equivalent_is_none(self):
        configuration = "".join(
            block(kind, label, body, identifier)
            for label, (kind, identifier, body, _) in ROWS.items()
        )
        with Emulator(**organization()) as aws, Workspace(aws, configuration) as workspace:
            plan = workspace.plan()
            found = {
                address.partition(".")[2]: (actions, None if actions == REPLACE else differing)
                for address, (actions, differing) in changes(plan).items()
            }
            expected = {
                label: wanted if isinstance(wanted[0], tuple) else (wanted, set())
                for label, (*_, wanted) in ROWS.items()
            }
            self.assertEqual(found, expected)

            same = [label for label, (*_, wanted) in ROWS.items() if wanted == NO_OP]
            workspace.apply(
                "".join(
                    block(kind, label, body, identifier)
                    for label, (kind, identifier, body, _) in ROWS.items()
                    if label in same
                )
            )
            state = workspace.state()
            self.assertEqual(len(state), len(same))
        account = state[f"{MEMBER}.member"]
        self.assertIs(account["close_on_deletion"], None)
        self.assertEqual(
            (account["status"], account["state"], account["joined_timestamp"], account["tags"]),
            ("ACTIVE", "ACTIVE", "2024-05-06T07:08:09Z", {"team": "web"}),
        )
        self.assertEqual(
            [found["id"] for found in state[f"{OU}.unit"]["accounts"]], [FULL, CLOSED]
        )
        self.assertEqual(
            state[f"{ADMINISTRATOR}.administrator"]["delegation_enabled_date"],
            "2025-01-02T03:04:05Z",
        )
        self.assertEqual(state[f"{SET}.set"]["created_date"], "2024-05-06T07:08:09Z")
        self.assertEqual(state[f"{SET}.told_region"]["region"], "us-east-1")
        self.assertEqual(state[f"{MANAGED}.managed"]["managed_policy_name"], "ViewOnlyAccess")

    def test_wrong_import_ids_are_refused(self):
        missing = None
        bodies = {kind: body for kind, _, body, wanted in ROWS.values() if wanted == NO_OP}
        parts = "unexpected format for ID ({}), expected {}"
        cases = [
            (OU, "ou-ab12-gone0000", missing),
            (OU, ROOT, "DescribeOrganizationalUnit: InvalidInputException"),
            (MEMBER, "999999999999", missing),
            (MEMBER, CLOSED, missing),
            (MEMBER, f"{FULL}_", f"unexpected format of ID ({FULL}_)"),
            (POLICY, "rp-87654321", "TargetNotFoundException"),
            (ADMINISTRATOR, f"{CLOSING}/{GUARD}", missing),
            (ADMINISTRATOR, f"{FULL}/{ACCESS}", missing),
            (ADMINISTRATOR, FULL, parts.format(FULL, "ACCOUNTID/SERVICEPRINCIPAL")),
            (ADMINISTRATOR, f"{FULL}:{GUARD}", parts.format(f"{FULL}:{GUARD}", "ACCOUNTID")),
            (SET, SETS["bare"], parts.format(SETS["bare"], "PERMISSION_SET_ARN,INSTANCE_ARN")),
            (SET, f"{INSTANCE},{SETS['bare']}", missing),
            (SET, f"{of_set('full')}@eu-west-1", missing),
            (INLINE, of_set("bare"), missing),
            (INLINE, SETS["own"], parts.format(SETS["own"], "PERMISSION_SET_ARN")),
            (MANAGED, of_set("full", BILLING), missing),
            (MANAGED, FULL_ID, "parsing ID: expected MANAGED_POLICY_ARN,PERMISSION_SET_ARN"),
            (CUSTOMER, of_set("full", "deploy", "/"), missing),
            (CUSTOMER, of_set("full", "deploy"), "expected CUSTOMER_MANAGED_POLICY_NAME,"),
            (BOUNDARY, of_set("bare"), missing),
            (BOUNDARY, f"{SETS['own']}/{INSTANCE}", "expected PERMISSION_SET_ARN,INSTANCE_ARN"),
            (ASSIGNMENT, of_set("bare", USER, "USER", FULL, "AWS_ACCOUNT"), missing),
            (ASSIGNMENT, of_set("full", USER, FULL), "expected PRINCIPAL_ID,PRINCIPAL_TYPE,"),
        ]
        configuration = "".join(
            block(kind, f"x{index}", bodies[kind], identifier)
            for index, (kind, identifier, _) in enumerate(cases)
        )
        with Emulator(**organization()) as aws, Workspace(aws, configuration) as workspace:
            errors = workspace.run("plan", "-input=false", fails=True)
        errors = " ".join(errors.replace("│", "").split())
        self.assertEqual(errors.count("Error: "), len(cases))
        for index, (kind, identifier, message) in enumerate(cases):
            with self.subTest(kind=kind, identifier=identifier):
                missing = f'import an existing object to "{kind}.x{index}"'
                self.assertIn(message or missing, errors)

    def test_arguments_are_refused_before_any_call(self):
        long = "x" * 200
        cases = {
            # label: type, body, part of the message or None for accepted
            "unit_name": (OU, f'name = "{long}"\nparent_id = "{ROOT}"', "range (1 - 128)"),
            "unit_parent": (OU, 'name = "x"\nparent_id = "ou-1"', "invalid value for parent_id"),
            "no_parent": (OU, 'name = "x"', 'argument "parent_id" is required'),
            "name": (MEMBER, member_body("x" * 51, "a@b.cd"), "range (1 - 50)"),
            "longest_name": (MEMBER, member_body("x" * 50, "a@b.cd"), None),
            "email": (MEMBER, member_body(email="a b@c.de"), "must be a valid email address"),
            "long_email": (MEMBER, member_body(email=f"{long}@c.de"), "range (6 - 64)"),
            "billing": (
                MEMBER,
                member_body(body='iam_user_access_to_billing = "allow"'),
                'to be one of ["ALLOW" "DENY"]',
            ),
            "role": (MEMBER, member_body(body='role_name = "a/b"'), "invalid value for role_name"),
            "state": (MEMBER, member_body(body='state = "ACTIVE"'), "Can't configure a value"),
            "id": (SET, set_body("x", 'id = "x"'), "Invalid or unknown key"),
            "content": (POLICY, 'content = "{"', "contains an invalid JSON"),
            "account": (
                ADMINISTRATOR,
                f'account_id = "12345"\nservice_principal = "{GUARD}"',
                "doesn't look like AWS Account ID",
            ),
            "service": (
                ADMINISTRATOR,
                f'account_id = "{FULL}"\nservice_principal = ""',
                "range (1 - 128)",
            ),
            "empty_description": (SET, set_body("x", 'description = ""'), "range (1 - 700)"),
            "any_description": (SET, set_body("x", 'description = "“東京”\\n"'), None),
            "set_name": (SET, set_body("x" * 33), "range (1 - 32)"),
            "set_letters": (SET, set_body("é"), "must match"),
            "relay": (SET, set_body("x", f'relay_state = "{long}{long}"'), "range (1 - 240)"),
            "region": (SET, set_body("x", 'region = "nowhere"'), "must be an AWS Region code"),
            "instance": (SET, 'name = "x"\ninstance_arn = "ssoins-1"', "invalid ARN"),
            "inline": (INLINE, in_set(body='inline_policy = "[]"'), "a JSON array"),
            "duplicate": (
                INLINE,
                in_set(body='inline_policy = "{\\"a\\":1,\\"a\\":2}"'),
                "contains duplicate JSON keys",
            ),
            "managed": (MANAGED, in_set(body='managed_policy_arn = "x"'), "invalid ARN"),
            "no_reference": (CUSTOMER, in_set(), "At least 1"),
            "two_references": (
                CUSTOMER,
                in_set(body=reference("a") + reference("b")),
                "No more than 1",
            ),
            "reference_name": (CUSTOMER, in_set(body=reference(long)), "range (0 - 128)"),
            "no_boundary": (BOUNDARY, in_set(), "At least 1"),
            "boundary_name": (BOUNDARY, in_set(body=within(reference(long))), "range (0 - 128)"),
            "boundary_two": (
                BOUNDARY,
                in_set(body=within(reference("a") + reference("b"))),
                "No more than 1",
            ),
            "principal": (ASSIGNMENT, assignment(principal_id="ann"), "must match"),
            "principal_type": (
                ASSIGNMENT,
                assignment(principal_type="ROLE"),
                'one of ["USER" "GROUP"]',
            ),
            "target": (ASSIGNMENT, assignment(target_id="1"), "doesn't look like AWS Account ID"),
            "target_type": (ASSIGNMENT, assignment(target_type="OU"), 'one of ["AWS_ACCOUNT"]'),
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

    def test_everything_is_created_changed_replaced_and_destroyed(self):
        account = {**organization(), "resource_policy": None}
        with Emulator(**account) as aws, Workspace(aws) as workspace:
            workspace.apply(written())
            plan = workspace.plan()
            self.assertEqual({actions for actions, _ in changes(plan).values()}, {NO_OP})
            before = workspace.state()
            self.assertEqual(before[f"{MEMBER}.x"]["parent_id"], before[f"{OU}.x"]["id"])
            self.assertIs(before[f"{MEMBER}.x"]["close_on_deletion"], True)
            arn, instance = before[f"{SET}.x"]["id"].split(",")
            self.assertEqual((before[f"{SET}.x"]["arn"], instance), (arn, INSTANCE))
            self.assertEqual(
                before[f"{CUSTOMER}.x"]["id"], f"deploy,/teams/,{arn},{INSTANCE}"
            )
            self.assertEqual(
                before[f"{ASSIGNMENT}.x"]["id"],
                f"{GROUP},GROUP,{FULL},AWS_ACCOUNT,{arn},{INSTANCE}",
            )

            workspace.apply(written("new", "PT4H", other(INLINE_POLICY), path="/"))
            after = workspace.state()
            kept = {
                address for address in before if before[address]["id"] == after[address]["id"]
            }
            self.assertEqual(set(before) - kept, {f"{CUSTOMER}.x"})
            boundary = after[f"{BOUNDARY}.x"]["permissions_boundary"]
            self.assertEqual(boundary[0]["managed_policy_arn"], VIEW)
            described = aws.client.organizations(
                "DescribeAccount", AccountId=after[f"{MEMBER}.x"]["id"]
            )["Account"]
            self.assertEqual(described["Name"], "new")
            found = aws.client.ssoadmin(
                "DescribePermissionSet", PermissionSetArn=arn, InstanceArn=INSTANCE
            )["PermissionSet"]
            self.assertEqual(
                (found["SessionDuration"], found["Description"], found.get("RelayState")),
                ("PT4H", "new", "https://x.y"),
            )
            policy = aws.client.organizations("DescribeResourcePolicy")["ResourcePolicy"]
            self.assertEqual(json.loads(policy["Content"]), other(DELEGATION))
            self.assertEqual(
                {actions for actions, _ in changes(workspace.plan()).values()}, {NO_OP}
            )

            # What was changed past Terraform is set right, what is gone is made again.
            aws.client.ssoadmin(
                "DeleteInlinePolicyFromPermissionSet", PermissionSetArn=arn, InstanceArn=INSTANCE
            )
            aws.client.organizations(
                "UntagResource", ResourceId=after[f"{OU}.x"]["id"], TagKeys=["stage"]
            )
            drifted = {
                address: found
                for address, found in changes(workspace.plan()).items()
                if found[0] != NO_OP
            }
            self.assertEqual(
                drifted, {f"{INLINE}.x": (CREATE, set()), f"{OU}.x": TAGS}
            )

            # A closed account stays in its unit, so the unit cannot go with it.
            errors = workspace.run("destroy", "-auto-approve", fails=True)
            self.assertIn("OrganizationalUnitNotEmptyException", errors)
            self.assertEqual(set(workspace.state()), {f"{OU}.x"})
            identifier = after[f"{MEMBER}.x"]["id"]
            described = aws.client.organizations("DescribeAccount", AccountId=identifier)
            self.assertEqual(described["Account"]["State"], "CLOSED")
            aws.client.organizations("RemoveAccountFromOrganization", AccountId=identifier)
            plan = workspace.plan("")
            self.assertEqual(changes(plan), {f"{OU}.x": (DELETE, set())})
            workspace.apply("")
            with self.assertRaisesRegex(ApiError, "ResourceNotFoundException"):
                aws.client.ssoadmin(
                    "DescribePermissionSet", PermissionSetArn=arn, InstanceArn=INSTANCE
                )
            with self.assertRaisesRegex(ApiError, "ResourcePolicyNotFoundException"):
                aws.client.organizations("DescribeResourcePolicy")

    def test_what_is_already_there_is_not_created(self):
        configuration = block(MANAGED, "x", in_set(body=f'managed_policy_arn = "{VIEW}"'))
        configuration += block(ASSIGNMENT, "x", assignment())
        configuration += block(BOUNDARY, "x", in_set("bare", body=within("")))
        with Emulator(**organization()) as aws, Workspace(aws, configuration) as workspace:
            errors = workspace.run("apply", "-auto-approve", fails=True)
        for message in ("already attached", "already exists", "ValidationException"):
            self.assertIn(message, errors)


def written(name="x", session="PT2H", inline=INLINE_POLICY, path="/teams/"):
    """A configuration of everything, to be created and then changed."""
    delegation = DELEGATION if name == "x" else other(DELEGATION)
    boundary = reference("boundary") if name == "x" else f'managed_policy_arn = "{VIEW}"\n'
    here = f'permission_set_arn = {SET}.x.arn\ninstance_arn = "{INSTANCE}"\n'
    return "".join(
        (
            block(
                OU, "x", f'name = "{name}"\nparent_id = "{ROOT}"\ntags = {{ stage = "{name}" }}'
            ),
            block(
                MEMBER,
                "x",
                f'name = "{name}"\nemail = "x@example.com"\nparent_id = {OU}.x.id\n'
                f'close_on_deletion = true\ntags = {{ stage = "{name}" }}',
            ),
            block(POLICY, "x", f'content = {encoded(delegation)}\ntags = {{ stage = "{name}" }}'),
            block(
                ADMINISTRATOR,
                "x",
                f'account_id = {MEMBER}.x.id\nservice_principal = "{GUARD}"',
            ),
            block(
                SET,
                "x",
                set_body(
                    "made",
                    f'description = "{name}"\nsession_duration = "{session}"\n'
                    f'relay_state = "https://x.y"\ntags = {{ stage = "{name}" }}',
                ),
            ),
            block(INLINE, "x", f"{here}inline_policy = {encoded(inline)}"),
            block(MANAGED, "x", f'{here}managed_policy_arn = "{BILLING}"'),
            block(CUSTOMER, "x", f"{here}{reference('deploy', path)}"),
            block(BOUNDARY, "x", f"{here}{within(boundary)}"),
            block(
                ASSIGNMENT,
                "x",
                f'{here}principal_id = "{GROUP}"\nprincipal_type = "GROUP"\n'
                f'target_id = "{FULL}"\ntarget_type = "AWS_ACCOUNT"',
            ),
        )
    )


class EmulatedOrganization(Case):
    """What the emulator is filled with, and what it does as AWS does."""

    def test_a_folder_tells_the_same_as_a_file(self):
        account = organization()
        exported = {
            f"{kind}/{index}.json": entity
            for kind, entities in account.items()
            for index, entity in enumerate(
                entities if isinstance(entities, list) else [entities]
            )
        }
        self.assertEqual(read(exported), read({"account.json": account}, "account.json"))

    def test_outputs_of_the_cli_tell_the_same(self):
        account = organization()
        units = account["organizational_units"]
        full, *others = account["permission_sets"]
        outputs = {}
        for entity in units:
            tagged, identifier = entity["Tags"], entity["Id"]
            plain = {name: entity[name] for name in ("Id", "Arn", "Name")}
            outputs[f"describe-organizational-unit.{identifier}"] = {"OrganizationalUnit": plain}
            outputs[f"list-tags-for-resource.{identifier}"] = {"Tags": tagged}
            outputs[f"list-parents.{identifier}"] = {"Parents": [{"Id": entity["ParentId"]}]}
        described = ("Name", "PermissionSetArn", "Description", "SessionDuration", "RelayState")
        identifier = full["PermissionSetArn"].split("/")[-1]
        outputs[f"describe-permission-set.{identifier}"] = {
            "PermissionSet": {name: full[name] for name in (*described, "CreatedDate")}
        }
        for operation, member in (
            ("get-inline-policy-for-permission-set", "InlinePolicy"),
            ("get-permissions-boundary-for-permission-set", "PermissionsBoundary"),
            ("list-account-assignments", "AccountAssignments"),
            ("list-managed-policies-in-permission-set", "AttachedManagedPolicies"),
            (
                "list-customer-managed-policy-references-in-permission-set",
                "CustomerManagedPolicyReferences",
            ),
            ("list-tags-for-resource", "Tags"),
        ):
            suffix = f".{FULL}" if member == "AccountAssignments" else ""
            outputs[f"{operation}.{identifier}{suffix}"] = {member: full[member]}
        found = read({f"{name}.json": content for name, content in outputs.items()})
        wanted = {name: value for name, value in full.items() if name != "InstanceArn"}
        self.assertCountEqual(found["organizational_units"], units)
        self.assertEqual(found["permission_sets"], [wanted])
        self.assertEqual(len(others), 2)

    def test_the_api_answers_as_aws_documents(self):
        account = organization()
        account["organizations_accounts"] += [
            member(f"5{index:011}", f"member{index}") for index in range(25)
        ]
        with Emulator(**account) as aws:
            call, sso = aws.client.organizations, aws.client.ssoadmin
            first = call("ListAccounts")
            self.assertEqual(len(first["Accounts"]), 20)
            pages = aws.client.organizations_pages("ListAccounts", "Accounts")
            self.assertEqual(len({found["Id"] for found in pages}), 29)
            closed = call("DescribeAccount", AccountId=CLOSED)["Account"]
            self.assertEqual((closed["Status"], closed["State"]), ("SUSPENDED", "CLOSED"))
            self.assertEqual(
                call("ListParents", ChildId=INNER)["Parents"],
                [{"Id": UNIT, "Type": "ORGANIZATIONAL_UNIT"}],
            )
            services = call("ListDelegatedServicesForAccount", AccountId=FULL)
            self.assertEqual(services["DelegatedServices"][0]["ServicePrincipal"], GUARD)

            def refused(code, operation, **parameters):
                with self.assertRaises(ApiError) as raised:
                    (sso if "PermissionSet" in operation else call)(operation, **parameters)
                self.assertEqual(raised.exception.code, code)

            duplicate = "DuplicateOrganizationalUnitException"
            refused(duplicate, "CreateOrganizationalUnit", Name="Inner", ParentId=UNIT)
            made = call("CreateOrganizationalUnit", Name="Inner", ParentId=ROOT)
            made = made["OrganizationalUnit"]["Id"]
            rename = {"OrganizationalUnitId": made, "Name": "Workloads"}
            refused(duplicate, "UpdateOrganizationalUnit", **rename)
            call("DeleteOrganizationalUnit", OrganizationalUnitId=made)
            refused(
                "OrganizationalUnitNotEmptyException",
                "DeleteOrganizationalUnit",
                OrganizationalUnitId=UNIT,
            )

            self.assertEqual(
                [found["InstanceArn"] for found in sso("ListInstances")["Instances"]], [INSTANCE]
            )
            self.assertEqual(sso("ListInstances", "eu-west-1")["Instances"], [])
            arns = {"InstanceArn": INSTANCE, "PermissionSetArn": SETS["full"]}
            self.assertEqual(
                sso("ListAccountsForProvisionedPermissionSet", **arns)["AccountIds"], [FULL]
            )
            for account_id, found in ((FULL, [SETS["full"]]), (CLOSING, [])):
                sets = sso(
                    "ListPermissionSetsProvisionedToAccount",
                    InstanceArn=INSTANCE,
                    AccountId=account_id,
                )
                self.assertEqual(sets["PermissionSets"], found)
            refused("ConflictException", "DeletePermissionSet", **arns)
            refused(
                "ConflictException", "CreatePermissionSet", InstanceArn=INSTANCE, Name="full"
            )
            bare = {**arns, "PermissionSetArn": SETS["bare"]}
            refused(
                "ResourceNotFoundException", "GetPermissionsBoundaryForPermissionSet", **bare
            )
            described = sso("DescribePermissionSet", **bare)["PermissionSet"]
            self.assertNotIn("Description", described)
            sso("UpdatePermissionSet", **arns, Description="x")
            updated = sso("DescribePermissionSet", **arns)["PermissionSet"]
            self.assertEqual((updated["SessionDuration"], updated["Description"]), ("PT8H", "x"))
            self.assertNotIn("RelayState", updated)

            sso("DeletePermissionSet", **bare)
            call("DeleteResourcePolicy")
            call("RemoveAccountFromOrganization", AccountId=FULL)
            reset = urllib.request.Request(f"{aws.endpoint}/moto-api/reset", method="POST")
            urllib.request.urlopen(reset).close()
            self.assertEqual(sso("DescribePermissionSet", **bare)["PermissionSet"], described)
            self.assertEqual(
                call("DescribeResourcePolicy")["ResourcePolicy"]["ResourcePolicySummary"],
                account["resource_policy"]["ResourcePolicySummary"],
            )
            joined = call("DescribeAccount", AccountId=FULL)["Account"]
            self.assertEqual(joined["Arn"], account["organizations_accounts"][0]["Arn"])


def read(files, name=""):
    """Returns what the emulator reads of files, by kind."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for path, content in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(json.dumps(content), encoding="utf-8")
        account = emulator.read_account(folder / name)
    return {kind: getattr(account, kind) for kind in emulator.emulated_organization.KINDS}


if __name__ == "__main__":
    unittest.main()
