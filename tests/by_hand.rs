//! The circle with Terraform as people write it: files of their own, comments, references, labels of
//! their own, several resources in a file.
//!
//! The real program reads the emulated account over HTTP, the real Terraform applies to it. What
//! the files say after an export is compared byte for byte.

mod support;

use std::fs;

use serde_json::{Value, json};
use support::assert_formatted;
use support::module::Module;
use support::python::Emulator;
use support::repository::{Repository, Summary, differences};

const ACCOUNT: &str = "111122223333";

const MAIN: &str = r#"# The web team's roles. Ask Ann before you change anything.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region = "us-east-1"
}

variable "ci" {
  description = "The account that builds"
  type        = string
  default     = "444455556666"
}

variable "session" {
  type    = number
  default = 10800
}

locals {
  team = "web"
  tags = {
    team  = local.team
    stage = "live"
  }
}

/* ---- Deploying ---- */

# Deploys the site.
resource "aws_iam_role" "deployer" {
  name        = "deploy"
  path        = "/web/"
  description = "Deploys the site" # twice an hour

  # Built elsewhere, deployed from EC2.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Instances"
        Effect    = "Allow"
        Principal = { Service = "ec2.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
      {
        Sid       = "Builds" # see the wiki
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${var.ci}:root" }
        Action    = "sts:AssumeRole"
        Condition = {
          Bool = { "aws:MultiFactorAuthPresent" = "true" }
        }
      },
    ]
  })

  max_session_duration = 7200
  tags                 = local.tags
}

resource "aws_iam_role_policy" "deployer_state" {
  name = "state"
  role = aws_iam_role.deployer.id

  policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "Read",
          "Effect": "Allow",
          "Action": ["s3:GetObject"],
          "Resource": "arn:aws:s3:::state/$${aws:username}/*"
        }
      ]
    }
  EOT
}

resource "aws_iam_policy" "uploads" {
  name        = "upload"
  description = "Uploads"
  policy      = <<EOT
{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Action": "s3:PutObject",
    "Resource": "*"
  }
}
EOT
}

resource "aws_iam_role_policy_attachment" "deployer_uploads" {
  role       = aws_iam_role.deployer.name
  policy_arn = aws_iam_policy.uploads.arn
}

resource "aws_iam_instance_profile" "machines" {
  name = "deploy"
  role = aws_iam_role.deployer.name
}

/* ---- Reading ---- */

resource "aws_iam_role" "reader" {
  name               = "reader"
  assume_role_policy = file("trust.json")
}

// The console needs both.
resource "aws_iam_role_policy_attachment" "reader" {
  for_each = toset([
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "arn:aws:iam::aws:policy/SecurityAudit",
  ])
  role       = aws_iam_role.reader.name
  policy_arn = each.value
}

/* ---- Guards ---- */

resource "aws_organizations_policy" "stay" {
  name        = "Nobody leaves"
  description = "Stay"
  type        = "SERVICE_CONTROL_POLICY"

  content = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Deny"
      Action   = ["organizations:LeaveOrganization"] # and nothing else
      Resource = "*"
    }]
  })
}
"#;

const TRUST: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
}
"#;

/// Another team's file, with the line ends of another system.
const WORKER: &str = r#"# Works at night.
resource "aws_iam_role" "worker" {
  name        = "worker"
  description = "Works"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = {
      Effect    = "Allow"
      Principal = { Service = ["lambda.amazonaws.com", "ec2.amazonaws.com"] }
      Action    = "sts:AssumeRole"
    }
  })
}

resource "aws_iam_role_policy_attachment" "worker" {
  count      = 1
  role       = aws_iam_role.worker.name
  policy_arn = aws_iam_policy.uploads.arn
}
"#;

fn emulator() -> Emulator {
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    let aws_managed = |name: &str| json!({ "Arn": format!("arn:aws:iam::aws:policy/{name}") });
    let account = json!({
        "account": ACCOUNT,
        "roles": [],
        "policies": [aws_managed("ReadOnlyAccess"), aws_managed("SecurityAudit")],
        "organizations_policies": [{
            "PolicySummary": {
                "Id": "p-FullAWSAccess", "Name": "FullAWSAccess", "Description": "Everything",
                "Arn": "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess",
                "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": true
            },
            "Content": { "Version": "2012-10-17", "Statement": [] }, "Tags": [], "Targets": []
        }]
    });
    fs::write(file.path(), account.to_string()).expect("write the account");
    Emulator::start(Some(file.path()))
}

/// Applies these files to the empty account and exports: the files stay, nothing is left to do.
fn in_step<'a>(emulator: &'a Emulator, files: &[(&str, &str)]) -> (Repository, Module<'a>) {
    let repository = Repository::new();
    fs::create_dir(repository.root()).expect("a folder");
    for (path, text) in files {
        repository.write(path, text);
    }
    let module = Module::new(&repository.root(), emulator);
    module.plan();
    module.apply();
    let before = repository.tree();
    repository.export(emulator, &[]);
    for difference in differences(&before, &repository.tree()) {
        assert!(difference.starts_with("added") && difference.ends_with(".json"), "{difference}");
    }
    assert_still(&repository, &module, emulator);
    (repository, module)
}

fn hand_written(emulator: &Emulator) -> (Repository, Module<'_>) {
    let worker = WORKER.replace('\n', "\r\n");
    let files = [
        ("terraform/main.tf", MAIN),
        ("terraform/trust.json", TRUST),
        ("terraform/worker.tf", worker.as_str()),
    ];
    let found = in_step(emulator, &files);
    let tree = found.0.tree();
    let json: Vec<&str> = tree.keys().map(String::as_str).collect();
    assert_eq!(json.len(), 8, "{json:?}");
    found
}

/// Nothing is left to do: the plan is empty and an export writes nothing.
#[track_caller]
fn assert_still(repository: &Repository, module: &Module, emulator: &Emulator) {
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0], "{}", repository.read("terraform/main.tf"));
    assert_eq!(plan.imports(), [""; 0]);
    assert_export_changes(repository, emulator, &[]);
}

/// An export touches these files and no other.
#[track_caller]
fn assert_export_changes(
    repository: &Repository,
    emulator: &Emulator,
    expected: &[&str],
) -> Summary {
    let before = repository.tree();
    let summary = repository.export(emulator, &[]);
    assert_eq!(differences(&before, &repository.tree()), expected, "{:#}", summary.0);
    summary
}

/// A text with these replacements, each at the one place where it fits.
#[track_caller]
fn with(text: &str, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "`{from}`");
        text.replace(from, to)
    })
}

#[track_caller]
fn assert_text(found: &str, expected: &str) {
    let show = |text: &str| text.replace('\r', "␍");
    assert_eq!(found, expected, "\n--- found\n{}\n--- expected\n{}", show(found), show(expected));
}

/// What AWS changed is in the files, Terraform has nothing to do but these imports, and a second
/// export writes nothing.
#[track_caller]
fn assert_came_back(
    repository: &Repository,
    module: &Module,
    emulator: &Emulator,
    imports: &[&str],
) {
    assert_formatted(&repository.root());
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0], "{}", repository.read("terraform/main.tf"));
    assert_eq!(plan.imports(), imports);
    assert_export_changes(repository, emulator, &[]);
    if !imports.is_empty() {
        module.apply();
        assert_still(repository, module, emulator);
    }
}

#[test]
fn what_aws_changes_is_edited_in_place() {
    let emulator = emulator();
    let (repository, module) = hand_written(&emulator);
    emulator.call(
        r#"
import json
client.iam('UpdateRole', RoleName='deploy', Description='Ships the site', MaxSessionDuration=3600)
client.iam('UpdateAssumeRolePolicy', RoleName='deploy', PolicyDocument=json.dumps({
    'Version': '2012-10-17',
    'Statement': [
        {'Sid': 'Instances', 'Effect': 'Allow', 'Principal': {'Service': 'ec2.amazonaws.com'}, 'Action': 'sts:AssumeRole'},
        {'Sid': 'Builds', 'Effect': 'Allow', 'Principal': {'AWS': 'arn:aws:iam::444455556666:root'}, 'Action': 'sts:AssumeRole',
         'Condition': {'Bool': {'aws:MultiFactorAuthPresent': 'false'}}},
    ]}))
client.iam('PutRolePolicy', RoleName='deploy', PolicyName='state', PolicyDocument=json.dumps({
    'Version': '2012-10-17',
    'Statement': [{'Sid': 'Read', 'Effect': 'Allow', 'Action': ['s3:GetObject', 's3:ListBucket'],
                   'Resource': 'arn:aws:s3:::state/${aws:username}/*'}]}))
client.iam('CreatePolicyVersion', PolicyArn='arn:aws:iam::111122223333:policy/upload', SetAsDefault='true', PolicyDocument=json.dumps({
    'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': 's3:PutObject', 'Resource': 'arn:aws:s3:::site/*'}}))
client.iam('UpdateRole', RoleName='reader', Description='Reads')
client.iam('UpdateAssumeRolePolicy', RoleName='reader', PolicyDocument=json.dumps({
    'Version': '2012-10-17',
    'Statement': [{'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]}))
client.iam('UpdateRole', RoleName='worker', Description='Works at night', MaxSessionDuration=43200)
client.iam('TagRole', RoleName='worker', Tags=[{'Key': 'team', 'Value': 'night'}])
[scp] = [p for p in client.organizations('ListPolicies', Filter='SERVICE_CONTROL_POLICY')['Policies'] if not p['AwsManaged']]
client.organizations('UpdatePolicy', PolicyId=scp['Id'], Content=json.dumps({
    'Version': '2012-10-17',
    'Statement': [{'Effect': 'Deny', 'Action': ['organizations:LeaveOrganization', 'account:CloseAccount'], 'Resource': '*'}]}))
"#,
    );
    let before = repository.tree();
    let summary = repository.export(&emulator, &[]);
    let changed = differences(&before, &repository.tree());
    let changed: Vec<&str> =
        changed.iter().filter(|path| !path.contains(" scps/")).map(String::as_str).collect();
    assert_eq!(
        changed,
        [
            "changed policies/upload.json",
            "changed roles/deploy.json",
            "changed roles/reader.json",
            "changed roles/worker.json",
            "changed terraform/main.tf",
            "changed terraform/trust.json",
            "changed terraform/worker.tf",
        ],
        "{:#}",
        summary.0
    );
    let expected = with(
        MAIN,
        &[
            ("\"Deploys the site\" #", "\"Ships the site\" #"),
            (
                "  max_session_duration = 7200\n  tags                 = local.tags\n",
                "  tags = local.tags\n",
            ),
            ("MultiFactorAuthPresent\" = \"true\"", "MultiFactorAuthPresent\" = \"false\""),
            ("\"Action\": [\"s3:GetObject\"]", "\"Action\": [\"s3:GetObject\", \"s3:ListBucket\"]"),
            (
                "    \"Action\": \"s3:PutObject\",\n    \"Resource\": \"*\"",
                "    \"Action\": \"s3:PutObject\",\n    \"Resource\": \"arn:aws:s3:::site/*\"",
            ),
            (
                "  name               = \"reader\"\n",
                "  name               = \"reader\"\n  description        = \"Reads\"\n",
            ),
            (
                "[\"organizations:LeaveOrganization\"] #",
                "[\"organizations:LeaveOrganization\", \"account:CloseAccount\"] #",
            ),
        ],
    );
    assert_text(&repository.read("terraform/main.tf"), &expected);
    assert_text(
        &repository.read("terraform/trust.json"),
        &with(TRUST, &[("ec2.amazonaws.com", "lambda.amazonaws.com")]),
    );
    let expected = with(
        WORKER,
        &[
            (
                "  name        = \"worker\"\n  description = \"Works\"\n",
                "  name                 = \"worker\"\n  description          = \"Works at night\"\n  max_session_duration = 43200\n",
            ),
            ("  })\n}\n", "  })\n  tags = {\n    team = \"night\"\n  }\n}\n"),
        ],
    );
    assert_text(&repository.read("terraform/worker.tf"), &expected.replace('\n', "\r\n"));
    assert_came_back(&repository, &module, &emulator, &[]);
}

#[test]
fn what_people_change_comes_back_as_json_alone() {
    let emulator = emulator();
    let (repository, module) = hand_written(&emulator);
    repository.edit("terraform/main.tf", "\"Deploys the site\" #", "\"Ships the ${local.team}\" #");
    repository.edit("terraform/main.tf", "team  = local.team", "team  = \"site\"");
    repository.edit(
        "terraform/main.tf",
        "max_session_duration = 7200",
        "max_session_duration = var.session",
    );
    repository.edit("terraform/main.tf", "    \"arn:aws:iam::aws:policy/SecurityAudit\",\n", "");
    repository.edit("terraform/trust.json", "ec2.amazonaws.com", "lambda.amazonaws.com");
    let summary = assert_export_changes(&repository, &emulator, &[]);
    assert_eq!(summary.names("pending"), ["terraform/main.tf"; 2]);
    let plan = module.plan();
    let mut actions = plan.actions();
    actions.sort();
    assert_eq!(
        actions,
        [
            "aws_iam_role.deployer update",
            "aws_iam_role.reader update",
            "aws_iam_role_policy_attachment.reader[\"arn:aws:iam::aws:policy/SecurityAudit\"] delete",
        ]
    );
    // An event of another role in between.
    emulator.call("client.iam('UpdateRole', RoleName='worker', Description='Rests')");
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/worker.json", "changed terraform/worker.tf"],
    );
    module.plan();
    module.apply();
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/deploy.json", "changed roles/reader.json"],
    );
    let role: Value = serde_json::from_str(&repository.read("roles/deploy.json")).expect("JSON");
    assert_eq!(role["Description"], "Ships the web");
    assert_eq!(role["MaxSessionDuration"], 10800);
    assert_still(&repository, &module, &emulator);
}

#[test]
fn renames_moves_and_comments_are_nothing_to_do() {
    let emulator = emulator();
    let (repository, module) = hand_written(&emulator);
    let text = repository.read("terraform/main.tf");
    let (head, tail) = text.split_once("/* ---- Reading ---- */\n\n").expect("the mark");
    let head = head.replace("aws_iam_role.deployer", "aws_iam_role.shipper");
    let head = head.replace("\"deployer\"", "\"shipper\"");
    let moved = "\nmoved {\n  from = aws_iam_role.deployer\n  to   = aws_iam_role.shipper\n}\n";
    repository.write("terraform/main.tf", &format!("{head}{moved}"));
    repository.write("terraform/reading.tf", &format!("\u{feff}# Reading and guards\n{tail}"));
    assert_export_changes(&repository, &emulator, &[]);
    module.plan();
    module.apply();
    assert_still(&repository, &module, &emulator);
    emulator.call(
        "client.iam('UpdateRole', RoleName='deploy', Description='Ships')\n\
         client.iam('UpdateRole', RoleName='reader', Description='Reads')",
    );
    let before = repository.read("terraform/reading.tf");
    assert_export_changes(
        &repository,
        &emulator,
        &[
            "changed roles/deploy.json",
            "changed roles/reader.json",
            "changed terraform/main.tf",
            "changed terraform/reading.tf",
        ],
    );
    let expected = with(
        &before,
        &[(
            "  name               = \"reader\"\n",
            "  name               = \"reader\"\n  description        = \"Reads\"\n",
        )],
    );
    assert_text(&repository.read("terraform/reading.tf"), &expected);
    assert_still(&repository, &module, &emulator);
}

#[test]
fn parts_that_aws_adds_and_takes_away_come_and_go() {
    let emulator = emulator();
    let (repository, module) = hand_written(&emulator);
    emulator.call(
        r#"
document = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
client.iam('PutRolePolicy', RoleName='deploy', PolicyName='stop', PolicyDocument=document)
client.iam('AttachRolePolicy', RoleName='deploy', PolicyArn='arn:aws:iam::aws:policy/ReadOnlyAccess')
client.iam('AttachRolePolicy', RoleName='reader', PolicyArn='arn:aws:iam::111122223333:policy/upload')
client.iam('PutRolePolicy', RoleName='worker', PolicyName='stop', PolicyDocument=document)
client.iam('CreateInstanceProfile', InstanceProfileName='worker')
client.iam('AddRoleToInstanceProfile', InstanceProfileName='worker', RoleName='worker')
"#,
    );
    let before = repository.tree();
    assert_export_changes(
        &repository,
        &emulator,
        &[
            "changed policies/upload.json",
            "changed roles/deploy.json",
            "changed roles/reader.json",
            "changed roles/worker.json",
            "changed terraform/main.tf",
            "changed terraform/worker.tf",
        ]
        .into_iter()
        .filter(|path| !path.contains("policies/"))
        .collect::<Vec<_>>(),
    );
    assert_came_back(
        &repository,
        &module,
        &emulator,
        &[
            "aws_iam_instance_profile.worker",
            "aws_iam_role_policy.deploy__has__stop",
            "aws_iam_role_policy.worker__has__stop",
            "aws_iam_role_policy_attachment.deploy__has-aws__ReadOnlyAccess",
            "aws_iam_role_policy_attachment.reader__has__upload",
        ],
    );
    assert!(!repository.read("terraform/worker.tf").replace("\r\n", "").contains('\n'));
    // New parts refer to the names that people gave.
    let text = repository.read("terraform/main.tf");
    let new = "resource \"aws_iam_role_policy_attachment\" \"reader__has__upload\" {\n  role       = aws_iam_role.reader.name\n  policy_arn = aws_iam_policy.uploads.arn\n}\n";
    assert!(text.contains(new), "{text}");

    emulator.call(
        r#"
client.iam('DeleteRolePolicy', RoleName='deploy', PolicyName='stop')
client.iam('DetachRolePolicy', RoleName='deploy', PolicyArn='arn:aws:iam::aws:policy/ReadOnlyAccess')
client.iam('DetachRolePolicy', RoleName='reader', PolicyArn='arn:aws:iam::111122223333:policy/upload')
client.iam('DeleteRolePolicy', RoleName='worker', PolicyName='stop')
client.iam('RemoveRoleFromInstanceProfile', InstanceProfileName='worker', RoleName='worker')
client.iam('DeleteInstanceProfile', InstanceProfileName='worker')
"#,
    );
    repository.export(&emulator, &[]);
    // All is as it was, to the byte.
    let now = repository.tree();
    for (path, text) in &before {
        assert_text(&now[path], text);
    }
    assert_came_back(&repository, &module, &emulator, &[]);

    emulator.call(
        r#"
client.iam('DeleteRolePolicy', RoleName='deploy', PolicyName='state')
client.iam('DetachRolePolicy', RoleName='deploy', PolicyArn='arn:aws:iam::111122223333:policy/upload')
client.iam('RemoveRoleFromInstanceProfile', InstanceProfileName='deploy', RoleName='deploy')
client.iam('DeleteInstanceProfile', InstanceProfileName='deploy')
"#,
    );
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/deploy.json", "changed terraform/main.tf"],
    );
    let start = MAIN.find("resource \"aws_iam_role_policy\"").expect("a place");
    let uploads = MAIN.find("resource \"aws_iam_policy\"").expect("a place");
    let attachment =
        MAIN.find("resource \"aws_iam_role_policy_attachment\" \"deployer").expect("a place");
    let reading = MAIN.find("/* ---- Reading").expect("a place");
    let expected = [&MAIN[..start], &MAIN[uploads..attachment], &MAIN[reading..]].concat();
    assert_text(&repository.read("terraform/main.tf"), &expected);
    assert_came_back(&repository, &module, &emulator, &[]);
}

#[test]
fn what_is_gone_from_aws_leaves_the_file_it_shares() {
    let emulator = emulator();
    let (repository, module) = hand_written(&emulator);
    let imports = "\nimport {\n  to = aws_iam_role.deployer\n  id = \"deploy\"\n}\n\n# The site's.\nimport {\n  to = aws_iam_role.reader\n  id = \"reader\"\n}\n";
    repository.write("terraform/imports.tf", imports.trim_start());
    assert_export_changes(&repository, &emulator, &[]);
    emulator.call(
        r#"
client.iam('DeleteRolePolicy', RoleName='deploy', PolicyName='state')
client.iam('DetachRolePolicy', RoleName='deploy', PolicyArn='arn:aws:iam::111122223333:policy/upload')
client.iam('RemoveRoleFromInstanceProfile', InstanceProfileName='deploy', RoleName='deploy')
client.iam('DeleteInstanceProfile', InstanceProfileName='deploy')
client.iam('DeleteRole', RoleName='deploy')
"#,
    );
    assert_export_changes(
        &repository,
        &emulator,
        &["removed roles/deploy.json", "changed terraform/imports.tf", "changed terraform/main.tf"],
    );
    let deployer = MAIN.find("# Deploys the site.\n").expect("a place");
    let uploads = MAIN.find("resource \"aws_iam_policy\"").expect("a place");
    let attachment =
        MAIN.find("resource \"aws_iam_role_policy_attachment\" \"deployer").expect("a place");
    let reading = MAIN.find("/* ---- Reading").expect("a place");
    let expected = [&MAIN[..deployer], &MAIN[uploads..attachment], &MAIN[reading..]].concat();
    assert_text(&repository.read("terraform/main.tf"), &expected);
    assert_text(
        &repository.read("terraform/imports.tf"),
        "# The site's.\nimport {\n  to = aws_iam_role.reader\n  id = \"reader\"\n}\n",
    );
    assert_came_back(&repository, &module, &emulator, &[]);
}

#[test]
fn what_people_delete_stays_deleted() {
    let emulator = emulator();
    let (repository, module) = hand_written(&emulator);
    let attachment =
        MAIN.find("resource \"aws_iam_role_policy_attachment\" \"deployer").expect("a place");
    let profile = MAIN.find("resource \"aws_iam_instance_profile\"").expect("a place");
    let guards = MAIN.find("/* ---- Guards").expect("a place");
    // An attachment, and the service control policy.
    let edited = [&MAIN[..attachment], &MAIN[profile..guards]].concat();
    repository.write("terraform/main.tf", &edited);
    repository.remove("terraform/worker.tf");
    let summary = assert_export_changes(&repository, &emulator, &[]);
    assert_eq!(summary.names("pending").len(), 3, "{:#}", summary.0);
    emulator.call("client.iam('UpdateRole', RoleName='reader', Description='Reads')");
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/reader.json", "changed terraform/main.tf"],
    );
    let mut actions = module.plan().actions();
    actions.sort();
    assert_eq!(
        actions,
        [
            "aws_iam_role.worker delete",
            "aws_iam_role_policy_attachment.deployer_uploads delete",
            "aws_iam_role_policy_attachment.worker[0] delete",
            "aws_organizations_policy.stay delete",
        ]
    );
    module.apply();
    let before = repository.tree();
    repository.export(&emulator, &[]);
    let changes = differences(&before, &repository.tree());
    assert!(changes.iter().all(|change| change.ends_with(".json")), "{changes:?}");
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert_still(&repository, &module, &emulator);
}

#[test]
fn a_policy_that_is_gone_waits_for_what_refers_to_it() {
    let emulator = emulator();
    let (repository, module) = hand_written(&emulator);
    // A person's output refers to it, too.
    repository.write(
        "terraform/outputs.tf",
        "output \"uploads\" {\n  value = aws_iam_policy.uploads.arn\n}\n",
    );
    assert_export_changes(&repository, &emulator, &[]);
    emulator.call(
        r#"
arn = 'arn:aws:iam::111122223333:policy/upload'
client.iam('DetachRolePolicy', RoleName='deploy', PolicyArn=arn)
client.iam('DetachRolePolicy', RoleName='worker', PolicyArn=arn)
client.iam('DeletePolicy', PolicyArn=arn)
"#,
    );
    let summary = repository.export(&emulator, &[]);
    let text = repository.read("terraform/main.tf");
    assert!(text.contains("resource \"aws_iam_policy\" \"uploads\""), "{text}");
    module.run(&["validate"]);
    assert_formatted(&repository.root());
    let summary = summary.0.to_string();
    assert!(summary.contains("still refers to it"), "{summary}");
    repository.remove("terraform/outputs.tf");
    // The attachment that stands for several is the person's own.
    repository.edit(
        "terraform/worker.tf",
        "\r\nresource \"aws_iam_role_policy_attachment\" \"worker\" {\r\n  count      = 1\r\n  role       = aws_iam_role.worker.name\r\n  policy_arn = aws_iam_policy.uploads.arn\r\n}\r\n",
        "",
    );
    repository.export(&emulator, &[]);
    let text = repository.read("terraform/main.tf");
    assert!(!text.contains("resource \"aws_iam_policy\" \"uploads\""), "{text}");
    assert_came_back(&repository, &module, &emulator, &[]);
}

#[test]
fn a_file_that_does_not_parse_is_left_alone() {
    let emulator = emulator();
    let (repository, module) = hand_written(&emulator);
    let text = repository.read("terraform/worker.tf");
    let broken = text.replacen("jsonencode({", "jsonencode({{", 1);
    repository.write("terraform/worker.tf", &broken);
    emulator.call(
        "client.iam('UpdateRole', RoleName='worker', Description='Rests')\n\
         client.iam('UpdateRole', RoleName='deploy', Description='Ships')",
    );
    let summary = assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/deploy.json", "changed terraform/main.tf"],
    );
    let notes = summary.0["notes"].to_string();
    assert!(notes.contains("`terraform/worker.tf` line 13 column 5"), "{:#}", summary.0);
    assert!(notes.contains("role `worker` is left alone"), "{:#}", summary.0);
    assert_eq!(summary.names("conflicting"), [""; 0]);
    repository.write("terraform/worker.tf", &text);
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/worker.json", "changed terraform/worker.tf"],
    );
    assert_came_back(&repository, &module, &emulator, &[]);
}

/// The settings of a module, and a role with one attachment that is written in ways of its own.
const SETTINGS: &str = "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n\nprovider \"aws\" {\n  region = \"us-east-1\"\n}\n";

fn role(label: &str, arguments: &str) -> String {
    format!(
        "resource \"aws_iam_role\" \"{label}\" {{\n{arguments}\n  assume_role_policy = data.aws_iam_policy_document.trust.json\n}}\n"
    )
}

const TRUST_DATA: &str = r#"
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com", "lambda.amazonaws.com"]
    }
  }
}

data "aws_caller_identity" "current" {}
"#;

#[test]
fn odd_spellings_of_a_role_are_that_role() {
    let emulator = emulator();
    let main = [
        SETTINGS,
        TRUST_DATA,
        "\nvariable \"purpose\" {\n  default = \"Nothing\"\n}\n\n",
        &role("prefixed", "  name_prefix = \"deploy-\"\n"),
        "\n",
        &role("nameless", ""),
        "\n",
        &role("merged", "  name = \"merged\"\n  tags = merge({ team = \"web\" }, { stage = \"live\" })\n"),
        "\n",
        &role("several", "  count = 2\n  name  = \"several-${count.index}\"\n"),
        "\n",
        &role("given", "  name        = \"given\"\n  description = var.purpose\n"),
        "\n",
        &role("replaced", "  name        = \"replaced\"\n  description = \"Not this\"\n"),
        "\n",
        &role("frozen", "  name        = \"Frozen\"\n  description = \"Old\"\n\n  lifecycle {\n    ignore_changes = [description]\n  }\n"),
        "\nresource \"aws_iam_role_policy_attachment\" \"prefixed\" {\n  role       = aws_iam_role.prefixed.name\n  policy_arn = \"arn:aws:iam::aws:policy/ReadOnlyAccess\"\n}\n",
        "\nresource \"aws_iam_role_policy_attachment\" \"given\" {\n  role       = aws_iam_role.given.id\n  policy_arn = \"arn:aws:iam::aws:policy/ReadOnlyAccess\"\n  depends_on = [aws_iam_role_policy.given]\n}\n",
        "\nresource \"aws_iam_role_policy\" \"given\" {\n  name   = \"boundary\"\n  role   = aws_iam_role.given.id\n  policy = jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"iam:PassRole\", Resource = \"arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/*\" }] })\n}\n",
    ]
    .concat();
    let files = [
        ("terraform/main.tf", main.as_str()),
        (
            "terraform/site_override.tf",
            "resource \"aws_iam_role\" \"replaced\" {\n  description = \"But this\"\n}\n",
        ),
        ("terraform/terraform.tfvars", "purpose = \"Anything\"\n"),
        ("terraform/site.auto.tfvars.json", "{ \"purpose\": \"Some ${thing}\" }\n"),
    ];
    let (repository, module) = in_step(&emulator, &files);

    // What AWS changes is written where it stands; what is made elsewhere stays.
    emulator.call(
        r#"
names = [role['RoleName'] for role in client.iam_pages('ListRoles', 'Roles')]
prefixed = next(name for name in names if name.startswith('deploy-'))
client.iam('UpdateRole', RoleName=prefixed, Description='Deploys', MaxSessionDuration=3600)
client.iam('AttachRolePolicy', RoleName=prefixed, PolicyArn='arn:aws:iam::aws:policy/SecurityAudit')
client.iam('TagRole', RoleName='replaced', Tags=[{'Key': 'team', 'Value': 'web'}])
client.iam('UpdateRole', RoleName='Frozen', Description='New', MaxSessionDuration=7200)
"#,
    );
    let before = repository.tree();
    let summary = repository.export(&emulator, &[]);
    assert_eq!(summary.names("conflicting"), [""; 0], "{:#}", summary.0);
    let changes = differences(&before, &repository.tree());
    assert!(changes.iter().all(|it| it.starts_with("changed")), "{changes:?}");
    assert_eq!(changes.len(), 4, "{changes:?}");
    let text = repository.read("terraform/main.tf");
    assert!(
        text.contains("description = \"Not this\"")
            && text.contains("description          = \"Old\""),
        "{text}"
    );
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert_eq!(plan.imports().len(), 1, "{:?}", plan.imports());
    module.apply();
    assert_still(&repository, &module, &emulator);

    emulator.call(
        "client.iam('UpdateRole', RoleName='replaced', Description='AWS own')\n\
         client.iam('TagRole', RoleName='merged', Tags=[{'Key': 'team', 'Value': 'ops'}])\n\
         client.iam('UpdateRole', RoleName='several-1', Description='One of them')\n\
         client.iam('DeleteRolePolicy', RoleName='given', PolicyName='boundary')",
    );
    let summary = assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/merged.json", "changed terraform/main.tf"],
    );
    // Two are made elsewhere, and something depends on what would leave.
    assert_eq!(
        summary.names("conflicting"),
        ["terraform/main.tf", "terraform/main.tf", "terraform/iam_role.given.tf"]
    );
    let text = repository.read("terraform/main.tf");
    assert!(text.contains("resource \"aws_iam_role_policy\" \"given\""), "{text}");
    module.run(&["validate"]);
}

#[test]
fn another_accounts_resources_are_not_ours() {
    let emulator = emulator();
    let main = [
        SETTINGS,
        TRUST_DATA,
        "\n",
        &role("deploy", "  name        = \"deploy\"\n  description = \"Ours\"\n"),
    ]
    .concat();
    let (repository, module) = in_step(&emulator, &[("terraform/main.tf", &main)]);
    let other = [
        "provider \"aws\" {\n  alias  = \"other\"\n  region = \"us-east-1\"\n\n  assume_role {\n    role_arn = \"arn:aws:iam::999988887777:role/admin\"\n  }\n}\n\n",
        "provider \"aws\" {\n  alias  = \"here\"\n  region = \"eu-west-1\"\n}\n\n",
        &role("theirs", "  provider    = aws.other\n  name        = \"deploy\"\n  description = \"Theirs\"\n"),
        "\n",
        &role("audit", "  provider    = aws.other\n  name        = \"audit\"\n"),
        "\n",
        &role("none", "  count       = 0\n  name        = \"none\"\n"),
    ]
    .concat();
    repository.write("terraform/other.tf", &other);
    assert_export_changes(&repository, &emulator, &[]);
    emulator.call("client.iam('UpdateRole', RoleName='deploy', Description='Still ours')");
    assert_export_changes(
        &repository,
        &emulator,
        &["changed roles/deploy.json", "changed terraform/main.tf"],
    );
    // A role of ours by the name of one of theirs, under an address that they have.
    emulator.call(
        r#"
trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
for name in ('theirs', 'none', 'audit'):
    client.iam('CreateRole', RoleName=name, AssumeRolePolicyDocument=trust)
"#,
    );
    let before = repository.tree();
    let summary = repository.export(&emulator, &[]);
    assert_eq!(repository.read("terraform/other.tf"), other);
    assert_eq!(differences(&before, &repository.tree()), [""; 0]);
    assert!(summary.0["notes"].to_string().contains("under its address"), "{:#}", summary.0);
    module.run(&["validate"]);
}

#[test]
fn parts_within_a_role_and_doubled_imports() {
    let emulator = emulator();
    let import = "\nimport {\n  to = aws_iam_role.old\n  id = \"old\"\n}\n";
    let main = [
        SETTINGS,
        TRUST_DATA,
        "\n",
        &role("old", "  name                = \"old\"\n  managed_policy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]\n"),
    ]
    .concat();
    let (repository, module) = in_step(&emulator, &[("terraform/main.tf", &main)]);
    repository.write("terraform/imports.tf", import.trim_start());
    repository.write("terraform/more.tf", &format!("locals {{\n  kept = true\n}}\n{import}"));
    emulator.call(
        "client.iam('AttachRolePolicy', RoleName='old', PolicyArn='arn:aws:iam::aws:policy/SecurityAudit')",
    );
    let summary = assert_export_changes(&repository, &emulator, &[]);
    assert_eq!(summary.names("conflicting"), ["terraform/main.tf"]);
    emulator.call(
        r#"
for name in ('SecurityAudit', 'ReadOnlyAccess'):
    client.iam('DetachRolePolicy', RoleName='old', PolicyArn=f'arn:aws:iam::aws:policy/{name}')
client.iam('DeleteRole', RoleName='old')
"#,
    );
    assert_export_changes(
        &repository,
        &emulator,
        &[
            "removed roles/old.json",
            "removed terraform/imports.tf",
            "changed terraform/main.tf",
            "changed terraform/more.tf",
        ],
    );
    assert_text(&repository.read("terraform/more.tf"), "locals {\n  kept = true\n}\n");
    module.run(&["validate"]);
}
