//! The circle: AWS → Git → a person's edit → Terraform → AWS → Git, until nothing is left to do.
//!
//! The real program reads the emulated account over HTTP, the real Terraform applies to it.

mod support;

use serde_json::{Value, json};
use support::module::Module;
use support::python::Emulator;
use support::raw_json::{self, ACCOUNT};
use support::repository::{Repository, Tree, differences};

const ROLE: &str = "terraform/iam_role.deploy.tf";
const POLICY: &str = "terraform/iam_policy.upload.tf";
const SCP: &str = "terraform/organizations_policy.p-a1b2c3d4.tf";

/// A role with all that hangs on it, its policy, another role, a service control policy.
fn account() -> Value {
    let document = |action: &str, resource: &str| {
        json!({
            "Version": "2012-10-17",
            "Statement": [{ "Sid": "One", "Effect": "Allow", "Action": [action], "Resource": resource }]
        })
    };
    let role = |name: &str| raw_json::role(name, "/", &format!("The role {name}"));
    let upload = format!("arn:aws:iam::{ACCOUNT}:policy/upload");
    let mut deploy = role("deploy");
    deploy["RolePolicyList"] =
        json!([{ "PolicyName": "state", "PolicyDocument": document("s3:GetObject", "*") }]);
    deploy["AttachedManagedPolicies"] = json!([
        { "PolicyName": "upload", "PolicyArn": upload },
        { "PolicyName": "ReadOnlyAccess", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess" }
    ]);
    deploy["InstanceProfileList"] = json!([{
        "Path": "/", "InstanceProfileName": "deploy", "InstanceProfileId": "AIPADEPLOY0000000000",
        "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/deploy"),
        "CreateDate": "2024-05-06T07:08:09Z", "Roles": [], "Tags": []
    }]);
    deploy["Tags"] = json!([{ "Key": "team", "Value": "web" }]);
    json!({
        "account": ACCOUNT,
        "roles": [deploy, role("reader")],
        "policies": [{
            "PolicyName": "upload", "PolicyId": "ANPAUPLOAD0000000000", "Arn": upload, "Path": "/",
            "DefaultVersionId": "v1", "AttachmentCount": 1, "IsAttachable": true,
            "Description": "Uploads", "Tags": [],
            "CreateDate": "2024-05-06T07:08:09Z", "UpdateDate": "2024-05-06T07:08:09Z",
            "PolicyVersionList": [{
                "VersionId": "v1", "IsDefaultVersion": true, "CreateDate": "2024-05-06T07:08:09Z",
                "Document": document("s3:PutObject", "arn:aws:s3:::site/*")
            }]
        }],
        "organizations_policies": [{
            "PolicySummary": {
                "Id": "p-a1b2c3d4", "Name": "Nobody leaves", "Description": "Stay",
                "Arn": format!("arn:aws:organizations::{ACCOUNT}:policy/o-example123/service_control_policy/p-a1b2c3d4"),
                "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": false
            },
            "Content": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Sid": "Stay", "Effect": "Deny",
                    "Action": ["organizations:LeaveOrganization"], "Resource": "*"
                }]
            },
            "Tags": [], "Targets": []
        }]
    })
}

fn emulator() -> Emulator {
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    std::fs::write(file.path(), account().to_string()).expect("write the account");
    Emulator::start(Some(file.path()))
}

/// The account exported, imported and applied: the circle's start.
fn in_step(emulator: &Emulator) -> (Repository, Module<'_>) {
    let repository = Repository::new();
    repository.export(emulator, &[]);
    let module = Module::new(&repository.root(), emulator);
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    // Two roles, one policy, an inline policy, two attachments, a profile and the SCP.
    assert_eq!(plan.imports().len(), 8);
    module.apply();
    assert_still(&repository, &module, emulator);
    (repository, module)
}

/// Nothing is left to do: the plan is empty and an export writes nothing.
#[track_caller]
fn assert_still(repository: &Repository, module: &Module, emulator: &Emulator) {
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert_eq!(plan.imports(), [""; 0]);
    assert_export_changes(repository, emulator, &[]);
}

/// An export touches these files and no other.
#[track_caller]
fn assert_export_changes(repository: &Repository, emulator: &Emulator, expected: &[&str]) {
    let before = repository.tree();
    let summary = repository.export(emulator, &[]);
    assert_eq!(differences(&before, &repository.tree()), expected, "{:#}", summary.0);
}

#[track_caller]
fn terraform_of(tree: &Tree) -> Tree {
    let files = tree.iter().filter(|(path, _)| path.starts_with("terraform/"));
    files.map(|(path, content)| (path.clone(), content.clone())).collect()
}

#[test]
fn what_a_person_edits_goes_to_aws_and_comes_back_as_json_alone() {
    let emulator = emulator();
    let (repository, module) = in_step(&emulator);
    repository.edit(ROLE, "\"The role deploy\"", "\"Deploys the site\" # said Ann");
    repository.edit(ROLE, "  name        = \"deploy\"\n", "  # twice an hour is enough\n  name                 = \"deploy\"\n  max_session_duration = 7200\n");
    repository.edit(ROLE, "team = \"web\"", "team = \"site\"");
    repository.edit(
        POLICY,
        "Action   = [\"s3:PutObject\"]",
        "Action = [\n          \"s3:PutObject\",\n          \"s3:DeleteObject\",\n        ]",
    );
    repository.edit(
        SCP,
        "Action   = [\"organizations:LeaveOrganization\"]",
        "Action   = [\"organizations:LeaveOrganization\", \"account:CloseAccount\"]",
    );

    // AWS does not have it yet: the edit is pending, and an export leaves it alone.
    let before = repository.tree();
    let summary = repository.export(&emulator, &[]);
    assert_eq!(summary.names("pending"), [POLICY, ROLE, SCP]);
    assert_eq!(differences(&before, &repository.tree()), [""; 0]);

    let plan = module.plan();
    let mut actions = plan.actions();
    actions.sort();
    assert_eq!(
        actions,
        [
            "aws_iam_policy.upload update",
            "aws_iam_role.deploy update",
            "aws_organizations_policy.p-a1b2c3d4 update"
        ]
    );
    assert_eq!(
        plan.changed_arguments("aws_iam_role.deploy"),
        ["description", "max_session_duration", "tags", "tags_all"]
    );
    assert_eq!(plan.changed_arguments("aws_iam_policy.upload"), ["policy"]);
    assert_eq!(plan.changed_arguments("aws_organizations_policy.p-a1b2c3d4"), ["content"]);
    module.apply();

    let edited = terraform_of(&repository.tree());
    assert_export_changes(
        &repository,
        &emulator,
        &[
            "changed policies/upload.json",
            "changed roles/deploy.json",
            "changed scps/p-a1b2c3d4.json",
        ],
    );
    assert_eq!(terraform_of(&repository.tree()), edited);
    let role: Value = serde_json::from_str(&repository.read("roles/deploy.json")).expect("JSON");
    assert_eq!(role["Description"], "Deploys the site");
    assert_eq!(role["MaxSessionDuration"], 7200);
    assert_eq!(role["Tags"], json!([{ "Key": "team", "Value": "site" }]));
    assert_still(&repository, &module, &emulator);

    // The policy's file is laid out as ours are: what AWS changes next is written to it again.
    emulator.call(&format!(
        "client.iam('TagPolicy', PolicyArn='arn:aws:iam::{ACCOUNT}:policy/upload', \
         Tags=[{{'Key': 'reviewed', 'Value': 'yes'}}])"
    ));
    assert_export_changes(
        &repository,
        &emulator,
        &["changed policies/upload.json", "changed terraform/iam_policy.upload.tf"],
    );
    assert_still(&repository, &module, &emulator);
}

/// A role, a policy and an attachment as a person writes them.
const HAND_WRITTEN: &str = r#"# Reads the orders, since the merger.
resource "aws_iam_role" "orders" {
  name        = "orders"
  description = "Reads orders"

  assume_role_policy = jsonencode({
    Statement = [{
      Action    = "sts:AssumeRole"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
    Version = "2012-10-17"
  })
}

resource "aws_iam_role_policy_attachment" "orders__has__orders" {
  role       = aws_iam_role.orders.name
  policy_arn = aws_iam_policy.orders.arn
}
"#;

const HAND_WRITTEN_POLICY: &str = r#"resource "aws_iam_policy" "orders" {
  name = "orders"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = {
      Effect   = "Allow"
      Action   = "dynamodb:GetItem"
      Resource = "*" # one table only, soon
    }
  })
}
"#;

const ORDERS: [&str; 3] = [
    "aws_iam_policy.orders create",
    "aws_iam_role.orders create",
    "aws_iam_role_policy_attachment.orders__has__orders create",
];

#[test]
fn what_a_person_creates_in_our_file_names_comes_back_as_json_alone() {
    let emulator = emulator();
    let (repository, module) = in_step(&emulator);
    repository.write("terraform/iam_role.orders.tf", HAND_WRITTEN);
    repository.write("terraform/iam_policy.orders.tf", HAND_WRITTEN_POLICY);
    assert_export_changes(&repository, &emulator, &[]);
    assert_eq!(module.plan().actions(), ORDERS);
    module.apply();
    assert_export_changes(
        &repository,
        &emulator,
        &["added policies/orders.json", "added roles/orders.json"],
    );
    assert_still(&repository, &module, &emulator);
}

#[test]
fn what_a_person_creates_in_a_file_of_their_own_is_not_declared_twice() {
    let emulator = emulator();
    let (repository, module) = in_step(&emulator);
    repository.write("terraform/main.tf", &format!("{HAND_WRITTEN}\n{HAND_WRITTEN_POLICY}"));
    assert_export_changes(&repository, &emulator, &[]);
    assert_eq!(module.plan().actions(), ORDERS);
    module.apply();
    let before = repository.tree();
    let summary = repository.export(&emulator, &[]);
    assert_eq!(
        differences(&before, &repository.tree()),
        ["added policies/orders.json", "added roles/orders.json"]
    );
    assert_eq!(summary.skipped(), [("", ""); 0]);
    assert_still(&repository, &module, &emulator);
}

#[test]
fn what_a_person_deletes_stays_deleted_until_aws_has_followed() {
    let emulator = emulator();
    let (repository, module) = in_step(&emulator);
    repository.remove(ROLE);
    repository.remove(SCP);

    // The destroy is not applied yet, and AWS has the role: its file does not come back.
    let summary = repository.export(&emulator, &[]);
    assert_eq!(summary.names("pending"), [ROLE, SCP]);
    assert!(!repository.tree().contains_key(ROLE));

    let mut actions = module.plan().actions();
    actions.sort();
    assert_eq!(
        actions,
        [
            "aws_iam_instance_profile.deploy delete",
            "aws_iam_role.deploy delete",
            "aws_iam_role_policy.deploy__has__state delete",
            "aws_iam_role_policy_attachment.deploy__has-aws__ReadOnlyAccess delete",
            "aws_iam_role_policy_attachment.deploy__has__upload delete",
            "aws_organizations_policy.p-a1b2c3d4 delete",
        ]
    );
    module.apply();
    assert_export_changes(
        &repository,
        &emulator,
        &["removed roles/deploy.json", "removed scps/p-a1b2c3d4.json"],
    );
    assert_still(&repository, &module, &emulator);
}

#[test]
fn what_aws_creates_changes_and_deletes_comes_to_git() {
    let emulator = emulator();
    let (repository, module) = in_step(&emulator);

    emulator.call(
        "trust = '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\
         \"Principal\":{\"Service\":\"ec2.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}'\n\
         client.iam('CreateRole', RoleName='new', AssumeRolePolicyDocument=trust)\n\
         client.iam('AttachRolePolicy', RoleName='new', PolicyArn='arn:aws:iam::aws:policy/ReadOnlyAccess')",
    );
    assert_export_changes(
        &repository,
        &emulator,
        &["added roles/new.json", "added terraform/iam_role.new.tf"],
    );
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert_eq!(
        plan.imports(),
        ["aws_iam_role.new", "aws_iam_role_policy_attachment.new__has-aws__ReadOnlyAccess"]
    );
    module.apply();
    assert_still(&repository, &module, &emulator);

    emulator.call(
        "client.iam('UpdateRole', RoleName='new', Description='Not so new', MaxSessionDuration=7200)\n\
         client.iam('TagRole', RoleName='new', Tags=[{'Key': 'team', 'Value': 'web'}])\n\
         client.iam('PutRolePolicy', RoleName='new', PolicyName='more', PolicyDocument=\
         '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}')",
    );
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/new.json", "changed terraform/iam_role.new.tf"],
    );
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert_eq!(plan.imports(), ["aws_iam_role_policy.new__has__more"]);
    module.apply();
    assert_still(&repository, &module, &emulator);

    emulator.call(
        "client.iam('DeleteRolePolicy', RoleName='new', PolicyName='more')\n\
         client.iam('DetachRolePolicy', RoleName='new', PolicyArn='arn:aws:iam::aws:policy/ReadOnlyAccess')\n\
         client.iam('DeleteRole', RoleName='new')\n\
         client.organizations('DeletePolicy', PolicyId='p-a1b2c3d4')",
    );
    assert_export_changes(
        &repository,
        &emulator,
        &[
            "removed roles/new.json",
            "removed scps/p-a1b2c3d4.json",
            "removed terraform/iam_role.new.tf",
            "removed terraform/organizations_policy.p-a1b2c3d4.tf",
        ],
    );
    // What is gone from AWS is gone from Terraform's state too: nothing is left to destroy.
    assert_still(&repository, &module, &emulator);
}

#[test]
fn a_conflict_is_reported_and_nothing_of_the_entity_is_written() {
    let emulator = emulator();
    let (repository, module) = in_step(&emulator);
    repository.edit(ROLE, "\"The role deploy\"", "\"Git's\"");
    emulator.call(
        "client.iam('UpdateRole', RoleName='deploy', Description='AWS own')\n\
         client.iam('UpdateRole', RoleName='reader', Description='Reads')",
    );
    let before = repository.tree();
    let summary = repository.export(&emulator, &[]);
    assert_eq!(summary.names("conflicting"), [ROLE]);
    assert_eq!(summary.names("written"), ["reader"]);
    assert_eq!(
        differences(&before, &repository.tree()),
        ["changed roles/reader.json", "changed terraform/iam_role.reader.tf"]
    );
    // Applying says whose it is to be; then both agree.
    assert_eq!(module.plan().actions(), ["aws_iam_role.deploy update"]);
    module.apply();
    assert_export_changes(&repository, &emulator, &["changed roles/deploy.json"]);
    assert_still(&repository, &module, &emulator);
}

#[test]
fn a_role_that_terraform_cannot_hold_any_more_is_forgotten_and_not_destroyed() {
    let emulator = emulator();
    let (repository, module) = in_step(&emulator);
    emulator.call("client.iam('UpdateRole', RoleName='deploy', Description='“Deploys”')");
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/deploy.json", "changed terraform/iam_role.deploy.tf"],
    );
    let file = repository.read(ROLE);
    assert_eq!(file.matches("removed {").count(), 5, "{file}");
    assert!(!file.contains("resource"), "{file}");

    let plan = module.plan();
    let mut actions = plan.actions();
    actions.sort();
    assert_eq!(
        actions,
        [
            "aws_iam_instance_profile.deploy forget",
            "aws_iam_role.deploy forget",
            "aws_iam_role_policy.deploy__has__state forget",
            "aws_iam_role_policy_attachment.deploy__has-aws__ReadOnlyAccess forget",
            "aws_iam_role_policy_attachment.deploy__has__upload forget",
        ]
    );
    module.apply();
    let still_there = emulator.call(
        "role = client.iam('GetRole', RoleName='deploy')['Role']\n\
         attached = client.iam('ListAttachedRolePolicies', RoleName='deploy')['AttachedPolicies']\n\
         inline = client.iam('ListRolePolicies', RoleName='deploy')['PolicyNames']\n\
         print(role['RoleName'], len(attached), inline)",
    );
    assert_eq!(still_there.trim(), "deploy 2 ['state']");
    assert_still(&repository, &module, &emulator);

    // Once it is expressible again, it is imported again.
    emulator.call("client.iam('UpdateRole', RoleName='deploy', Description='Deploys')");
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/deploy.json", "changed terraform/iam_role.deploy.tf"],
    );
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert_eq!(plan.imports().len(), 5);
    module.apply();
    assert_still(&repository, &module, &emulator);
}
