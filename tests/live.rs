//! The live path against an emulated account: the real program and the real SDK, over real HTTP.
//!
//! What is exported from AWS is what is exported from the AWS CLI's output of the same account; a
//! change in AWS changes its files and no others; the number of calls stays small.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::counting_proxy::CountingProxy;
use support::python::{Emulator, project, python};
use support::run::{Outcome, Tree, export, of_kind};

/// An emulated account and a folder to export it to.
struct Case {
    emulator: Emulator,
    folder: tempfile::TempDir,
}

impl Case {
    fn new(account: &Path) -> Case {
        let emulator = Emulator::start(Some(account));
        Case { emulator, folder: tempfile::tempdir().expect("a folder") }
    }

    fn export(&self, arguments: &[&str]) -> Outcome {
        export(&self.emulator.environment(), self.folder.path(), arguments)
    }

    fn tree(&self) -> Tree {
        Tree::of(self.folder.path())
    }

    /// Runs Python with clients `iam` and `organizations`, as an administrator would change things.
    fn change(&self, code: &str) {
        let clients = "import boto3, json\n\
                       iam = boto3.client('iam')\n\
                       organizations = boto3.client('organizations')\n";
        let output = Command::new(python())
            .args(["-c", &format!("{clients}{code}")])
            .envs(self.emulator.environment())
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .output()
            .expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn example() -> PathBuf {
    project().join("examples/account")
}

fn hostile() -> PathBuf {
    project().join("tests/accounts/hostile")
}

/// What an export of the AWS CLI's output writes.
fn tree_from_files(account: &Path, arguments: &[&str]) -> Tree {
    let folder = tempfile::tempdir().expect("a folder");
    let account = account.to_str().expect("UTF-8");
    export(&[], folder.path(), &[&["--from", account], arguments].concat()).succeeded();
    Tree::of(folder.path())
}

/// Fails the test unless the live tree is that of the files, once the emulator's differences are
/// put right: `(path, what the emulator says, what the files say)`, each exactly once in its file.
fn assert_same_but(live: &Tree, files: &Tree, differences: &[(&str, &str, &str)]) {
    let files = files.contents();
    let mut live: std::collections::BTreeMap<&str, String> =
        live.contents().into_iter().map(|(path, text)| (path, text.to_owned())).collect();
    for (path, emulated, true_text) in differences {
        let content = live.get_mut(path).unwrap_or_else(|| panic!("`{path}` is missing"));
        assert_eq!(content.matches(emulated).count(), 1, "`{emulated}` in {path}:\n{content}");
        *content = content.replacen(emulated, true_text, 1);
    }
    assert_eq!(live.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    for (path, content) in files {
        assert_eq!(live[path], content, "{path}");
    }
}

#[test]
fn example_account_is_the_same_from_aws_and_from_files() {
    for arguments in [&[][..], &["--organizations-attachments"]] {
        let case = Case::new(&example());
        case.export(arguments).succeeded();
        let live = case.tree();
        assert_same_but(&live, &tree_from_files(&example(), arguments), &[]);
        let attachment = "resource \"aws_organizations_policy_attachment\"";
        let has_attachments = live.contents().values().any(|content| content.contains(attachment));
        assert_eq!(has_attachments, !arguments.is_empty());
        case.export(arguments).succeeded().wrote_nothing();
        assert_eq!(case.tree(), live, "a second export writes nothing");
    }
}

#[test]
fn hostile_account_is_the_same_from_aws_and_from_files() {
    let case = Case::new(&hostile());
    case.export(&["--organizations-attachments"]).succeeded();
    let live = case.tree();
    let files = tree_from_files(&hostile(), &["--organizations-attachments"]);
    // The emulator keeps one of two tag keys that are equal in lower case, and so it is Terraform.
    let merged = "tag-keys-of-policy-nfc-nfd";
    assert!(live.has(&format!("terraform/iam_policy.{merged}.tf")));
    assert_same_but(
        &live.without(merged),
        &files.without(merged),
        &[
            // It drops an empty description.
            (
                "policies/description-of-policy-empty.json",
                "\"IsAttachable\": true,\n",
                "\"IsAttachable\": true,\n  \"Description\": \"\",\n",
            ),
            // It has one date for a policy and its version.
            (
                "policies/encoded-versions.json",
                "\"CreateDate\": \"2025-08-17T10:29:21Z\"",
                "\"CreateDate\": \"2019-08-17T10:29:21Z\"",
            ),
            // It names the management account itself.
            ("scps/p-indent01.json", "\"Name\": \"master\"", "\"Name\": \"management\""),
        ],
    );
    case.export(&["--organizations-attachments"]).succeeded().wrote_nothing();
    assert_eq!(case.tree(), live, "a second export writes nothing");
}

#[test]
fn aws_managed_policies_are_raw_json_where_asked_for() {
    let case = Case::new(&example());
    case.export(&[]).succeeded();
    let before = case.tree();
    assert!(before.only(&["aws_managed_policies/", "FullAWSAccess"]).paths().is_empty());
    case.export(&["--aws-managed"]).succeeded();
    let live = case.tree();
    let changes = before.changes(&live);
    let is_of_aws = |change: &String| {
        change.starts_with("+ aws_managed_policies/")
            || ["+ scps/p-FullAWSAccess.json", "+ rcps/p-RCPFullAWSAccess.json"]
                .contains(&change.as_str())
    };
    assert!(changes.iter().all(is_of_aws), "{changes:?}");
    assert!(changes.len() > 4, "{changes:?}");

    let files = tree_from_files(&example(), &["--aws-managed"]);
    for name in ["AWSLambdaBasicExecutionRole", "IAMUserChangePassword"] {
        let path = format!("aws_managed_policies/{name}.json");
        assert_eq!(live.content(&path), files.content(&path));
    }
    // The emulator attaches its own policies to every account, and describes one otherwise.
    for path in ["scps/p-FullAWSAccess.json", "rcps/p-RCPFullAWSAccess.json"] {
        let without = |tree: &Tree| {
            let mut policy: Value = serde_json::from_str(tree.content(path)).expect("JSON");
            let members = policy.as_object_mut().expect("an object");
            members.remove("Targets").expect("targets");
            members["PolicySummary"].as_object_mut().expect("an object").remove("Description");
            policy
        };
        assert_eq!(without(&live), without(&files));
    }
    case.export(&["--aws-managed"]).succeeded().wrote_nothing();
    // Who no longer asks for them keeps the files.
    case.export(&[]).succeeded();
    assert!(case.tree().has("aws_managed_policies/AWSLambdaBasicExecutionRole.json"));
}

#[test]
fn each_change_in_aws_changes_its_files_alone() {
    let case = Case::new(&example());
    case.export(&[]).succeeded();
    let step = |code: &str, expected: &[&str]| {
        let before = case.tree();
        case.change(code);
        let outcome = case.export(&[]).succeeded();
        assert_eq!(before.changes(&case.tree()), expected, "{code}\n{outcome}");
        case.export(&[]).succeeded().wrote_nothing();
    };
    step(
        "iam.create_role(RoleName='night-watch', Description='new', AssumeRolePolicyDocument=json.dumps(\
         {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'sts:AssumeRole', \
         'Principal': {'Service': 'ec2.amazonaws.com'}}]}))",
        &["+ roles/night-watch.json", "+ terraform/iam_role.night-watch.tf"],
    );
    let document = "json.dumps({'Version': '2012-10-17', 'Statement': \
                    [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]})";
    step(
        &format!(
            "iam.create_policy(PolicyName='lamp', Description='light', PolicyDocument={document})\n\
             iam.put_role_policy(RoleName='night-watch', PolicyName='inline', PolicyDocument={document})"
        ),
        &[
            "+ policies/lamp.json",
            "~ roles/night-watch.json",
            "+ terraform/iam_policy.lamp.tf",
            "~ terraform/iam_role.night-watch.tf",
        ],
    );
    step(
        "iam.attach_role_policy(RoleName='night-watch', PolicyArn='arn:aws:iam::111122223333:policy/lamp')\n\
         iam.tag_policy(PolicyArn='arn:aws:iam::111122223333:policy/lamp', Tags=[{'Key': 'a', 'Value': 'b'}])",
        &[
            "~ policies/lamp.json",
            "~ roles/night-watch.json",
            "~ terraform/iam_policy.lamp.tf",
            "~ terraform/iam_role.night-watch.tf",
        ],
    );
    let tree = case.tree();
    let role = tree.content("terraform/iam_role.night-watch.tf");
    assert!(role.contains("aws_iam_policy.lamp.arn"), "{role}");
    step(
        "organizations.update_policy(PolicyId='p-k3v8x1m5', Description='another')",
        &["~ scps/p-k3v8x1m5.json", "~ terraform/organizations_policy.p-k3v8x1m5.tf"],
    );
    // Targets are in the raw JSON, and in Terraform only where they are asked for.
    step(
        "for target in organizations.list_targets_for_policy(PolicyId='p-k3v8x1m5')['Targets']:\n    \
         organizations.detach_policy(PolicyId='p-k3v8x1m5', TargetId=target['TargetId'])",
        &["~ scps/p-k3v8x1m5.json"],
    );
    step(
        "iam.detach_role_policy(RoleName='night-watch', PolicyArn='arn:aws:iam::111122223333:policy/lamp')\n\
         iam.delete_role_policy(RoleName='night-watch', PolicyName='inline')\n\
         iam.delete_role(RoleName='night-watch')\n\
         iam.delete_policy(PolicyArn='arn:aws:iam::111122223333:policy/lamp')\n\
         organizations.delete_policy(PolicyId='p-k3v8x1m5')",
        &[
            "- policies/lamp.json",
            "- roles/night-watch.json",
            "- scps/p-k3v8x1m5.json",
            "- terraform/iam_policy.lamp.tf",
            "- terraform/iam_role.night-watch.tf",
            "- terraform/organizations_policy.p-k3v8x1m5.tf",
        ],
    );
}

/// An account of so many roles, policies and service control policies, in a file.
fn account(
    roles: usize,
    policies: usize,
    organizations_policies: usize,
) -> tempfile::NamedTempFile {
    let id = "111122223333";
    let document = |action: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": "*"},
        ]})
    };
    let role = |n: usize| {
        json!({
            "RoleName": format!("role-{n}"), "Path": "/", "RoleId": format!("AROA{n:017}"),
            "Arn": format!("arn:aws:iam::{id}:role/role-{n}"), "CreateDate": "2024-03-05T09:12:44Z",
            "AssumeRolePolicyDocument": document("sts:AssumeRole"),
        })
    };
    let policy = |n: usize| {
        json!({
            "PolicyName": format!("policy-{n}"), "PolicyId": format!("ANPA{n:017}"),
            "Arn": format!("arn:aws:iam::{id}:policy/policy-{n}"), "Path": "/",
            "DefaultVersionId": "v1", "CreateDate": "2024-03-05T09:12:44Z",
            "PolicyVersionList": [
                {"VersionId": "v1", "IsDefaultVersion": true, "Document": document("s3:Get*")},
            ],
        })
    };
    let organizations_policy = |n: usize| {
        let policy_id = format!("p-{n:08}");
        let arn = format!(
            "arn:aws:organizations::{id}:policy/o-example000/service_control_policy/{policy_id}"
        );
        json!({
            "PolicySummary": {
                "Id": policy_id, "Arn": arn, "Name": format!("policy {n}"), "Description": "",
                "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": false,
            },
            "Content": document("ec2:*"),
            "Tags": [],
            "Targets": [],
        })
    };
    let account = json!({
        "account": id,
        "roles": (0..roles).map(role).collect::<Vec<_>>(),
        "policies": (0..policies).map(policy).collect::<Vec<_>>(),
        "organizations_policies":
            (0..organizations_policies).map(organizations_policy).collect::<Vec<_>>(),
    });
    let file = tempfile::NamedTempFile::with_suffix(".json").expect("a file");
    fs::write(file.path(), account.to_string()).expect("write the account");
    file
}

#[test]
fn large_account_takes_few_calls() {
    let file = account(2_000, 1_000, 100);
    let emulator = Emulator::start(Some(file.path()));
    let proxy = CountingProxy::start(&emulator.endpoint);
    let mut environment = emulator.environment();
    environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
    environment.push(("AWS_ENDPOINT_URL", proxy.endpoint.clone()));
    let folder = tempfile::tempdir().expect("a folder");

    let outcome = export(&environment, folder.path(), &["--output", "json"]).succeeded();
    let requests = proxy.take_count();
    let summary = outcome.summary();
    assert!(requests <= 1_350, "{requests} requests");
    assert_eq!(summary["calls"], requests, "the summary counts what is on the wire");
    let written = |kind: &str| of_kind(&summary, kind)["written"].as_array().expect("names").len();
    assert_eq!((written("policies"), written("roles")), (1_000, 2_000));
    assert_eq!(written("organizations policies"), 100);
    // One call for each policy and three for each organizations policy; the rest are pages.
    assert!(requests >= 1_300, "the proxy missed some: {requests}");
}
