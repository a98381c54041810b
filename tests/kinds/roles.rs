//! Roles. What else there is to say of them is in tests of their own.

use serde_json::{Value, json};

use super::support::module::Module;
use super::support::python::Emulator;
use super::support::raw_json::{self, ACCOUNT};
use super::support::repository::Repository;
use super::{Cases, Change, Edit, READ_ONLY, assert_export_changes, attached, document, iam, tags};

pub static CASES: Cases = Cases {
    kind: "roles",
    account,
    // Two roles, an inline policy, an attachment, a profile, two exclusive resources for each role,
    // six of them of roles that are there for other cases.
    resources: 9,
    edits: &[Edit {
        file: "terraform/iam_role.deploy.tf",
        from: "\"What it is for\"",
        to: "\"What it was for\"",
        address: "aws_iam_role.deploy",
        arguments: &["description"],
        json: &["roles/deploy.json"],
    }],
    changes,
    unseen: &[],
    listings: &["GetAccountAuthorizationDetails", "ListRoles", "GetInstanceProfile"],
};

fn account() -> Value {
    let mut deploy = raw_json::role("deploy", "/x/", "What it is for");
    deploy["MaxSessionDuration"] = json!(7200);
    deploy["RolePolicyList"] =
        json!([{ "PolicyName": "state", "PolicyDocument": document("s3:GetObject") }]);
    deploy["AttachedManagedPolicies"] = attached(&[READ_ONLY]);
    deploy["PermissionsBoundary"] = json!({
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": format!("arn:aws:iam::{ACCOUNT}:policy/boundary")
    });
    deploy["InstanceProfileList"] = json!([{
        "Path": "/y/", "InstanceProfileName": "deploy", "InstanceProfileId": "AIPADEPLOY0000000000",
        "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/y/deploy"),
        "CreateDate": "2024-05-06T07:08:09Z", "Roles": [], "Tags": tags(&[("a", "b")])
    }]);
    deploy["Tags"] = tags(&[("team", "web")]);
    json!({ "roles": [deploy, raw_json::role("reader", "/", "")] })
}

fn changes() -> Vec<Change> {
    let both = &["changed roles/deploy.json", "changed terraform/iam_role.deploy.tf"];
    vec![
        iam("DetachRolePolicy", json!({ "RoleName": "deploy", "PolicyArn": READ_ONLY }), both),
        iam(
            "DeleteRole",
            json!({ "RoleName": "reader" }),
            &["removed roles/reader.json", "removed terraform/iam_role.reader.tf"],
        ),
    ]
}

/// Files of ours follow the setting: a list that stayed would attach again what AWS detaches.
#[test]
fn lists_that_are_asked_for_no_longer_are_forgotten() {
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    let mut account = account();
    account["account"] = json!(ACCOUNT);
    std::fs::write(file.path(), account.to_string()).expect("write the account");
    let emulator = Emulator::start(Some(file.path()));
    let repository = Repository::new();
    let settings = |exclusive: bool| format!("kinds = [\"roles\"]\nexclusive = {exclusive}\n");
    repository.write("aws-iam-gitops.toml", &settings(true));
    repository.export(&emulator, &[]);
    let module = Module::new(&repository.root(), &emulator);
    module.plan();
    module.apply();
    repository.write("aws-iam-gitops.toml", &settings(false));
    let files = ["changed terraform/iam_role.deploy.tf", "changed terraform/iam_role.reader.tf"];
    assert_export_changes(&repository, &emulator, &files);
    let actions = module.plan().actions();
    assert!(actions.len() == 4 && actions.iter().all(|it| it.ends_with(" forget")), "{actions:?}");
    module.apply();

    emulator.call(&format!(
        "client.iam('DetachRolePolicy', RoleName='deploy', PolicyArn='{READ_ONLY}')"
    ));
    let files = ["changed roles/deploy.json", "changed terraform/iam_role.deploy.tf"];
    assert_export_changes(&repository, &emulator, &files);
    assert_eq!(module.plan().actions(), [""; 0]);
}
