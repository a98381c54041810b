//! Disaster recovery: an account is made anew from Git, in an empty account with the same number.
//!
//! What comes back is exported and held against what was lost. Terraform's plan cannot tell that
//! something was never written to a file; this can.

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::module::Module;
use support::python::{Emulator, project};
use support::repository::{Repository, Tree, differences};
use unicode_normalization::UnicodeNormalization;

/// Members that AWS assigns anew, or that hold such a value, whatever Terraform asks for.
const ASSIGNED: &[&str] = &[
    "RoleId",
    "PolicyId",
    "UserId",
    "GroupId",
    "InstanceProfileId",
    "CreateDate",
    "UpdateDate",
    // A new policy starts at its first version.
    "DefaultVersionId",
    "VersionId",
];

/// The raw JSON of what `restore` has Terraform for: what can be made anew.
fn expressible(lost: &Tree, restore: &Tree) -> Tree {
    let terraform: Vec<&str> = restore.keys().filter_map(|path| stem(path, "terraform/")).collect();
    lost.iter()
        .filter(|(path, _)| !path.starts_with("terraform/"))
        .filter(|(path, _)| {
            let (folder, name) = path.split_once('/').expect("a folder");
            let name = name.strip_suffix(".json").expect("raw JSON");
            let prefix = match folder {
                "roles" => "iam_role",
                "policies" => "iam_policy",
                "users" => "iam_user",
                "groups" => "iam_group",
                _ => "organizations_policy",
            };
            // A device's name or an override file's is marked in one of the two spellings only.
            let plain = |text: &str| text.replace("%.", ".").trim_end_matches('%').to_owned();
            let wanted = plain(&format!("{prefix}.{name}"));
            terraform.iter().any(|found| plain(found) == wanted)
        })
        .map(|(path, content)| (path.clone(), content.clone()))
        .collect()
}

fn stem<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_suffix(".tf")
}

/// Masks what cannot be the same in a new account, and nothing else.
fn normalized(tree: &Tree) -> Tree {
    let mut normalized = Tree::new();
    for (path, content) in tree {
        let mut value: Value = serde_json::from_str(content).expect("JSON");
        mask(&mut value);
        let mut path = path.clone();
        if let Some(summary) = value.get_mut("PolicySummary") {
            // An organizations policy is named by its ID; its own name has to do.
            let folder = path.split('/').next().expect("a folder");
            path = format!("{folder}/{}", summary["Name"].as_str().expect("a name"));
            summary["Id"] = "ID".into();
            summary["Arn"] = "ARN".into();
        }
        drop_what_aws_owns(&mut value);
        level(&mut value);
        let text = serde_json::to_string_pretty(&value).expect("plain data");
        assert_eq!(normalized.insert(path.clone(), text), None, "`{path}` stands for two");
    }
    normalized
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if ASSIGNED.contains(&name.as_str()) {
                    *member = name.as_str().into();
                } else if !name.ends_with("Document") && name != "Content" {
                    mask(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// Targets of an organization that is not there, and tags and profiles that Terraform may not or
/// must not make.
fn drop_what_aws_owns(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.remove("Targets");
    // Terraform cannot set an empty description: AWS then has none.
    if members.get("Description").is_some_and(|description| description == "") {
        members.remove("Description");
    }
    if let Some(summary) = members.get_mut("PolicySummary").and_then(Value::as_object_mut)
        && summary.get("Description").is_some_and(|description| description == "")
    {
        summary.remove("Description");
    }
    if let Some(tags) = members.get_mut("Tags").and_then(Value::as_array_mut) {
        tags.retain(|tag| !is_of_aws(tag));
    }
    if let Some(profiles) = members.get_mut("InstanceProfileList").and_then(Value::as_array_mut) {
        profiles.retain(|profile| {
            let tags = profile["Tags"].as_array().expect("tags");
            !tags.iter().any(|tag| tag["Key"] == "aws:cloudformation:stack-name")
        });
    }
}

fn is_of_aws(tag: &Value) -> bool {
    tag["Key"].as_str().is_some_and(|key| key.starts_with("aws:"))
}

/// Terraform normalizes every text to NFC, and writes the numbers `1.0` and `-0` as `1` and `0`.
fn level(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let leveled = std::mem::take(members).into_iter().map(|(name, mut member)| {
                level(&mut member);
                (name.nfc().collect(), member)
            });
            *members = leveled.collect();
        }
        Value::Array(items) => items.iter_mut().for_each(level),
        Value::Number(number) => {
            let number = number.as_f64().expect("a number") + 0.0;
            *value = json!({ "number": number.to_string() });
        }
        Value::String(text) => *text = text.nfc().collect(),
        _ => {}
    }
}

fn assert_same(lost: &Tree, made: &Tree) {
    let (lost, made) = (normalized(lost), normalized(made));
    for (path, content) in &lost {
        let found = made.get(path).unwrap_or_else(|| panic!("`{path}` did not come back"));
        let different = content.lines().zip(found.lines()).find(|(old, new)| old != new);
        assert!(content == found, "{path}: {different:?}");
    }
    assert_eq!(differences(&lost, &made), [""; 0]);
}

/// An account with nothing in it but what no module makes: the policies that are attached by their
/// ARN, most of them AWS's own, and an organization.
fn empty_account(account_id: &str, tree: &Tree) -> Emulator {
    let lines = tree.values().flat_map(|content| content.lines());
    let arns =
        lines.filter_map(|line| line.trim().strip_prefix("policy_arn = \"")?.strip_suffix('"'));
    let policies: Vec<Value> = arns.map(|arn| json!({ "Arn": arn })).collect();
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    let account = json!({ "account": account_id, "policies": policies });
    std::fs::write(file.path(), account.to_string()).expect("write the account");
    let emulator = Emulator::unchecked(file.path());
    emulator.call("client.organizations('CreateOrganization', FeatureSet='ALL')");
    emulator
}

/// Applies what was exported without import blocks to an empty account, in one go; the answer is
/// an export of what came of it.
fn recovered(restore: &Repository, account_id: &str) -> Tree {
    let emulator = empty_account(account_id, &restore.tree());
    let module = Module::new(&restore.root(), &emulator);
    let plan = module.plan();
    assert_eq!(plan.actions().len(), plan.resources());
    assert!(plan.actions().iter().all(|action| action.ends_with(" create")));
    module.apply();
    assert_eq!(module.plan().actions(), [""; 0]);

    let live = Repository::new();
    live.export(&emulator, &[]);
    let mut made = live.tree();
    made.retain(|path, _| !path.starts_with("terraform/"));
    made
}

/// From files to Terraform to an empty account; `left_out` are Terraform files that no account
/// takes together with the others.
fn assert_recovers(account: &Path, account_id: &str, left_out: &[&str]) {
    let emulator = Emulator::start(Some(account));
    let lost = Repository::new();
    lost.export(&emulator, &[]);
    let restore = Repository::new();
    restore.export_from(account, &["--no-import"]);
    for path in left_out {
        restore.remove(path);
    }
    let lost = expressible(&lost.tree(), &restore.tree());
    assert_same(&lost, &recovered(&restore, account_id));
}

#[test]
fn example_account_comes_back_from_files() {
    assert_recovers(&project().join("examples/account"), "111122223333", &[]);
}

#[test]
fn hostile_account_comes_back_from_files() {
    // Its name is another's in Unicode's other form, and Terraform makes one of the two.
    let twin = "terraform/organizations_policy.p-name0013.tf";
    assert_recovers(&project().join("tests/accounts/hostile"), "999988887777", &[twin]);
}

#[test]
fn example_account_comes_back_from_the_raw_json_in_git() {
    let account = project().join("examples/account");
    let emulator = Emulator::start(Some(&account));
    let git = Repository::new();
    git.export(&emulator, &[]);
    let restore = Repository::new();
    restore.export_from(git.folder(), &["--no-import"]);
    let lost = expressible(&git.tree(), &restore.tree());
    assert_same(&lost, &recovered(&restore, "111122223333"));
}
