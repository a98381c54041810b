//! Permission sets of IAM Identity Center, whose instance is in another region than IAM.

use serde_json::{Value, json};

use super::support::module::Module;
use super::support::python::Emulator;
use super::support::raw_json::ACCOUNT;
use super::support::refusing::Refusing;
use super::support::repository::Repository;
use super::support::run;
use super::{Cases, Change, Edit, assert_export_changes, change, document, tags};

pub static CASES: Cases = Cases {
    kind: "permission sets",
    account,
    // Five sets, an inline policy, three policies of AWS, three of customers, two boundaries, four
    // assignments.
    resources: 18,
    edits: &[
        Edit {
            file: "terraform/ssoadmin_permission_set.Admin.tf",
            from: "\"PT12H\"",
            to: "\"PT4H\" # since May",
            address: "aws_ssoadmin_permission_set.Admin",
            arguments: &["session_duration"],
            json: &["permission_sets/Admin.json"],
        },
        Edit {
            file: "terraform/ssoadmin_permission_set.Admin.tf",
            from: "Action   = [\"s3:GetObject\"]",
            to: "Action   = [\"s3:GetObject\", \"s3:ListBucket\"]",
            address: "aws_ssoadmin_permission_set_inline_policy.Admin",
            arguments: &["inline_policy"],
            json: &["permission_sets/Admin.json"],
        },
    ],
    changes,
    unseen: &[],
    listings: &[
        "ListInstances",
        "ListPermissionSets",
        "DescribePermissionSet",
        "GetInlinePolicyForPermissionSet",
        "ListManagedPoliciesInPermissionSet",
        "ListCustomerManagedPolicyReferencesInPermissionSet",
        "GetPermissionsBoundaryForPermissionSet",
        "ListTagsForResource",
        "ListAccountsForProvisionedPermissionSet",
        "ListAccountAssignments",
    ],
};

const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-0123456789abcdef";
const REGION: &str = "eu-central-1";
const GROUP: &str = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
const USER: &str = "90675e0c1b-0b4a5c2d-7dec-11d0-a765-00a0c91e6bf6";

fn arn(number: usize) -> String {
    format!("arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-{number:016}")
}

fn set(number: usize, name: &str) -> Value {
    json!({
        "InstanceArn": INSTANCE, "PermissionSetArn": arn(number), "Region": REGION, "Name": name,
        "SessionDuration": "PT1H", "CreatedDate": "2024-05-06T07:08:09Z"
    })
}

fn assignment(account: &str, kind: &str, principal: &str) -> Value {
    json!({ "AccountId": account, "PrincipalType": kind, "PrincipalId": principal })
}

fn of_aws(path_and_name: &str) -> Value {
    let name = path_and_name.rsplit('/').next().unwrap_or_default();
    json!({ "Name": name, "Arn": format!("arn:aws:iam::aws:policy/{path_and_name}") })
}

fn account() -> Value {
    let mut admin = set(1, "Admin");
    admin["Description"] = json!("\"${x}\" %{ é\t日本");
    admin["SessionDuration"] = json!("PT12H");
    admin["RelayState"] = json!("https://console.aws.amazon.com/?x=${y}&z=%{a}");
    admin["InlinePolicy"] = document("s3:GetObject");
    admin["AttachedManagedPolicies"] = json!([
        of_aws("ReadOnlyAccess"),
        of_aws("job-function/Billing"),
        of_aws("AmazonEC2FullAccess")
    ]);
    // One name, three policies.
    admin["CustomerManagedPolicyReferences"] = json!([
        { "Name": "ReadOnlyAccess", "Path": "/" },
        { "Name": "ReadOnlyAccess", "Path": "/a/" },
        { "Name": "ReadOnlyAccess", "Path": "/a/b/" }
    ]);
    admin["PermissionsBoundary"] =
        json!({ "CustomerManagedPolicyReference": { "Name": "bound,ary", "Path": "/x/" } });
    admin["Tags"] = tags(&[("team", "web"), ("note", "\"${x}\" %{ é\t日本"), ("empty", "")]);
    admin["AccountAssignments"] = json!([
        assignment("444455556666", "GROUP", GROUP),
        assignment("444455556666", "USER", GROUP),
        assignment("444455556666", "USER", USER),
        assignment("777788889999", "GROUP", GROUP),
    ]);
    let mut bounded = set(2, "9=,+@-x");
    bounded["PermissionsBoundary"] =
        json!({ "ManagedPolicyArn": "arn:aws:iam::aws:policy/PowerUserAccess" });
    // The provider cannot import it, so it is raw JSON only.
    let mut comma = set(6, "Comma");
    comma["CustomerManagedPolicyReferences"] = json!([{ "Name": "a,b", "Path": "/" }]);
    json!({ "permission_sets": [
        admin, bounded, set(3, "Ad.min"), set(4, "Ad_min"), set(5, "Admin_override"), comma
    ]})
}

/// A call in the instance's region.
fn identity_center(
    action: &'static str,
    mut request: Value,
    files: &'static [&'static str],
) -> Change {
    request["InstanceArn"] = json!(INSTANCE);
    let mut change = change("ssoadmin", action, &request, files);
    change.call = change.call.replace("('", "(region='eu-central-1', operation='");
    change.service = "sso";
    change
}

fn changes() -> Vec<Change> {
    let both = &[
        "changed permission_sets/Admin.json",
        "changed terraform/ssoadmin_permission_set.Admin.tf",
    ];
    let admin = arn(1);
    let assigned = json!({
        "PermissionSetArn": admin, "TargetId": "777788889999", "TargetType": "AWS_ACCOUNT",
        "PrincipalType": "USER", "PrincipalId": USER
    });
    let mut unassigned = assigned.clone();
    unassigned["TargetId"] = json!("444455556666");
    vec![
        identity_center(
            "UpdatePermissionSet",
            json!({ "PermissionSetArn": admin, "Description": "All", "SessionDuration": "PT2H" }),
            both,
        ),
        identity_center(
            "PutInlinePolicyToPermissionSet",
            json!({ "PermissionSetArn": admin, "InlinePolicy": document("s3:*").to_string() }),
            both,
        ),
        identity_center(
            "DetachManagedPolicyFromPermissionSet",
            json!({
                "PermissionSetArn": admin,
                "ManagedPolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"
            }),
            both,
        ),
        identity_center(
            "AttachManagedPolicyToPermissionSet",
            json!({
                "PermissionSetArn": admin,
                "ManagedPolicyArn": "arn:aws:iam::aws:policy/PowerUserAccess"
            }),
            both,
        ),
        identity_center(
            "DetachCustomerManagedPolicyReferenceFromPermissionSet",
            json!({
                "PermissionSetArn": admin,
                "CustomerManagedPolicyReference": { "Name": "ReadOnlyAccess", "Path": "/a/" }
            }),
            both,
        ),
        identity_center(
            "AttachCustomerManagedPolicyReferenceToPermissionSet",
            json!({
                "PermissionSetArn": admin,
                "CustomerManagedPolicyReference": { "Name": "extra", "Path": "/" }
            }),
            both,
        ),
        identity_center(
            "PutPermissionsBoundaryToPermissionSet",
            json!({
                "PermissionSetArn": admin,
                "PermissionsBoundary": {
                    "ManagedPolicyArn": "arn:aws:iam::aws:policy/PowerUserAccess"
                }
            }),
            both,
        ),
        identity_center("CreateAccountAssignment", assigned, both),
        identity_center("DeleteAccountAssignment", unassigned, both),
        identity_center(
            "TagResource",
            json!({ "ResourceArn": admin, "Tags": [{ "Key": "a", "Value": "b" }] }),
            both,
        ),
        identity_center(
            "UntagResource",
            json!({ "ResourceArn": admin, "TagKeys": ["note"] }),
            both,
        ),
        identity_center(
            "DeletePermissionsBoundaryFromPermissionSet",
            json!({ "PermissionSetArn": arn(2) }),
            &[
                "changed permission_sets/9=,+@-x.json",
                "changed terraform/ssoadmin_permission_set.9=,+@-x.tf",
            ],
        ),
        identity_center(
            "DeletePermissionSet",
            json!({ "PermissionSetArn": arn(3) }),
            &[
                "removed permission_sets/Ad.min.json",
                "removed terraform/ssoadmin_permission_set.Ad.min.tf",
            ],
        ),
    ]
}

const MAIN: &str = r#"terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region = "eu-central-1" # where the instance is
}

locals {
  instance = "arn:aws:sso:::instance/ssoins-0123456789abcdef"
  accounts = { live = "444455556666", test = "777788889999" }
}

# Whoever is on call.
resource "aws_ssoadmin_permission_set" "on_call" {
  name         = "Operators"
  description  = "On call" # day and night
  instance_arn = local.instance
}

resource "aws_ssoadmin_managed_policy_attachment" "on_call" {
  for_each           = toset(["ReadOnlyAccess", "PowerUserAccess"])
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.on_call.arn
  managed_policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_ssoadmin_customer_managed_policy_attachment" "tools" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.on_call.arn
  customer_managed_policy_reference {
    name = "tools" # in every account
  }
}

resource "aws_ssoadmin_customer_managed_policy_attachment" "old" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.on_call.arn
  customer_managed_policy_reference {
    name = "tools"
    path = "/old/"
  }
}

resource "aws_ssoadmin_permissions_boundary_attachment" "this" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.on_call.arn

  # Agreed with the auditors.
  permissions_boundary {
    customer_managed_policy_reference {
      name = "boundary"
      path = "/"
    }
  }
}

resource "aws_ssoadmin_account_assignment" "on_call" {
  for_each           = local.accounts
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.on_call.arn
  principal_type     = "GROUP"
  principal_id       = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
  target_type        = "AWS_ACCOUNT"
  target_id          = each.value
}
"#;

const ATTACHMENT: &str = "aws_ssoadmin_customer_managed_policy_attachment";

/// Blocks within resources, labels of their own and loops are found again, and AWS's changes are made
/// in them.
#[test]
fn what_people_wrote_is_edited_in_place() {
    let account = json!({ "account": ACCOUNT, "permission_sets": [set(5, "Other")] });
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    std::fs::write(file.path(), account.to_string()).expect("write the account");
    let emulator = Emulator::start(Some(file.path()));
    let repository = Repository::new();
    repository.write("aws-iam-gitops.toml", "kinds = [\"identity_center\"]\n");
    std::fs::create_dir(repository.root()).expect("a folder");
    repository.write("terraform/main.tf", MAIN);
    let module = Module::new(&repository.root(), &emulator);
    module.plan();
    module.apply();
    let other = [
        "added permission_sets/Operators.json",
        "added permission_sets/Other.json",
        "added terraform/ssoadmin_permission_set.Other.tf",
    ];
    assert_export_changes(&repository, &emulator, &other);
    assert_eq!(module.plan().actions(), [""; 0]);

    emulator.call(&format!(
        r#"
region, instance = "{REGION}", "{INSTANCE}"
sets = client.ssoadmin("ListPermissionSets", region, InstanceArn=instance)["PermissionSets"]
[arn] = [arn for arn in sets if arn != "{}"]
def call(operation, **parameters):
    client.ssoadmin(operation, region, InstanceArn=instance, PermissionSetArn=arn, **parameters)
call("UpdatePermissionSet", Description="On duty", SessionDuration="PT8H")
call("DetachCustomerManagedPolicyReferenceFromPermissionSet",
     CustomerManagedPolicyReference={{"Name": "tools", "Path": "/old/"}})
call("PutPermissionsBoundaryToPermissionSet", PermissionsBoundary={{
     "CustomerManagedPolicyReference": {{"Name": "narrow", "Path": "/x/"}}}})
"#,
        arn(5)
    ));
    let changed = ["changed permission_sets/Operators.json", "changed terraform/main.tf"];
    assert_export_changes(&repository, &emulator, &changed);
    let old = MAIN.find(&format!("resource \"{ATTACHMENT}\" \"old\"")).expect("its block");
    let end = old + MAIN[old..].find("\n}\n\n").expect("its end") + "\n}\n\n".len();
    let expected = format!("{}{}", &MAIN[..old], &MAIN[end..])
        .replace(
            "  name         = \"Operators\"\n  description  = \"On call\"",
            "  name             = \"Operators\"\n  description      = \"On duty\"",
        )
        .replace(
            "  instance_arn = local.instance\n",
            "  instance_arn     = local.instance\n  session_duration = \"PT8H\"\n",
        )
        .replace(
            "      name = \"boundary\"\n      path = \"/\"\n",
            "      name = \"narrow\"\n      path = \"/x/\"\n",
        );
    assert_eq!(repository.read("terraform/main.tf"), expected);
    assert_eq!(module.plan().actions(), [""; 0]);
}

/// Whoever asks for permission sets where they cannot be read is told why.
#[test]
fn only_some_accounts_may_read_permission_sets() {
    let emulator = Emulator::start(None);
    let gate = Refusing::start(&emulator.endpoint);
    let mut environment = emulator.environment();
    environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
    environment.push(("AWS_ENDPOINT_URL", gate.endpoint.clone()));
    let repository = Repository::new();
    repository.write("aws-iam-gitops.toml", "kinds = [\"permission_sets\"]\n");
    for operation in ["ListInstances", "ListPermissionSets"] {
        gate.refuse(operation);
        let outcome = run::export(&environment, repository.folder(), &[]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let told = "only the management account or a delegated administrator may read";
        assert!(outcome.stdout.contains(told), "{outcome}");
        assert!(outcome.stdout.contains(operation), "{outcome}");
    }
}
