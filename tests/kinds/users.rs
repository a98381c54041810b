//! Users, their policies and the groups that they are in.

use serde_json::{Value, json};

use super::support::python::Emulator;
use super::support::raw_json::ACCOUNT;
use super::support::repository::{Repository, differences};
use super::{Cases, Change, Edit, READ_ONLY, assert_export_changes, attached, document, iam, tags};

pub static CASES: Cases = Cases {
    kind: "users",
    account,
    // Five users, two inline policies, three attachments, three memberships.
    resources: 13,
    edits: &[
        Edit {
            file: "terraform/iam_user.alice.tf",
            from: "= \"web\"",
            to: "= \"site\" # since May",
            address: "aws_iam_user.alice",
            arguments: &["tags", "tags_all"],
            json: &["users/alice.json"],
        },
        Edit {
            file: "terraform/iam_user.alice.tf",
            from: "Action   = [\"s3:GetObject\"]",
            to: "Action   = [\"s3:GetObject\", \"s3:ListBucket\"]",
            address: "aws_iam_user_policy.alice__has__read",
            arguments: &["policy"],
            json: &["users/alice.json"],
        },
    ],
    changes,
    // The provider keeps a membership of no group; its end calls nothing.
    unseen: &["aws_iam_user_group_membership.alice__in__x__dot__y delete"],
    listings: &["GetAccountAuthorizationDetails"],
};

fn user(name: &str, path: &str) -> Value {
    json!({
        "Path": path, "UserName": name, "UserId": format!("AIDA{:0>17}", name.len()),
        "Arn": format!("arn:aws:iam::{ACCOUNT}:user{path}{name}"),
        "CreateDate": "2024-05-06T07:08:09Z",
        "UserPolicyList": [], "GroupList": [], "AttachedManagedPolicies": [], "Tags": []
    })
}

fn account() -> Value {
    let boundary = format!("arn:aws:iam::{ACCOUNT}:policy/boundary");
    let mut alice = user("alice", "/people/");
    alice["UserPolicyList"] = json!([
        { "PolicyName": "read", "PolicyDocument": document("s3:GetObject") },
        { "PolicyName": "re.ad", "PolicyDocument": document("s3:${aws:username}%{x}") }
    ]);
    alice["GroupList"] = json!(["x.y", "Developers"]);
    alice["AttachedManagedPolicies"] =
        attached(&[READ_ONLY, &format!("arn:aws:iam::{ACCOUNT}:policy/ReadOnlyAccess"), &boundary]);
    alice["PermissionsBoundary"] = json!({
        "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary
    });
    alice["Tags"] = tags(&[("team", "web"), ("note", "\"${x}\" %{ é\t日本"), ("empty", "")]);
    let mut plain = user("a_b", "/");
    plain["GroupList"] = json!(["Developers"]);
    json!({ "users": [
        alice, plain, user("a.b", "/"), user("9=,+@-x", "/"), user("alice_override", "/")
    ]})
}

fn changes() -> Vec<Change> {
    let both = &["changed terraform/iam_user.alice.tf", "changed users/alice.json"];
    vec![
        iam(
            "CreateUser",
            json!({ "UserName": "bob" }),
            &["added terraform/iam_user.bob.tf", "added users/bob.json"],
        ),
        iam(
            "AddUserToGroup",
            json!({ "UserName": "bob", "GroupName": "Developers" }),
            &["changed terraform/iam_user.bob.tf", "changed users/bob.json"],
        ),
        iam("RemoveUserFromGroup", json!({ "UserName": "alice", "GroupName": "Builders" }), both),
        iam(
            "AttachUserPolicy",
            json!({
                "UserName": "alice", "PolicyArn": format!("arn:aws:iam::{ACCOUNT}:policy/x/bound.ary")
            }),
            both,
        ),
        iam("DetachUserPolicy", json!({ "UserName": "alice", "PolicyArn": READ_ONLY }), both),
        iam(
            "PutUserPolicy",
            json!({
                "UserName": "alice", "PolicyName": "read",
                "PolicyDocument": document("s3:*").to_string()
            }),
            both,
        ),
        iam("DeleteUserPolicy", json!({ "UserName": "alice", "PolicyName": "re.ad" }), both),
        iam("DeleteUserPermissionsBoundary", json!({ "UserName": "alice" }), both),
        iam("UntagUser", json!({ "UserName": "alice", "TagKeys": ["note"] }), both),
        iam(
            "UpdateUser",
            json!({ "UserName": "a.b", "NewUserName": "ab", "NewPath": "/x/" }),
            &[
                "added terraform/iam_user.ab.tf",
                "added users/ab.json",
                "removed terraform/iam_user.a.b.tf",
                "removed users/a.b.json",
            ],
        ),
        iam(
            "DeleteUser",
            json!({ "UserName": "9=,+@-x" }),
            &["removed terraform/iam_user.9=,+@-x.tf", "removed users/9=,+@-x.json"],
        ),
    ]
}

/// `*_exclusive` resources are written for roles alone: those that people write for others would take
/// away again what AWS adds, whatever the settings say.
#[test]
fn what_a_list_of_a_person_would_take_away_again_is_a_conflict() {
    let mut dave = user("dave", "/");
    dave["AttachedManagedPolicies"] = attached(&[READ_ONLY]);
    let account = json!({ "account": ACCOUNT, "users": [user("carol", "/"), dave] });
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    std::fs::write(file.path(), account.to_string()).expect("write the account");
    let emulator = Emulator::start(Some(file.path()));
    let list = "resource \"aws_iam_user_policy_attachments_exclusive\" \"x\" {\n  \
                user_name   = aws_iam_user.carol.name\n  policy_arns = []\n}\n";
    let repositories = ["false", "true"].map(|exclusive| {
        let repository = Repository::new();
        let settings = format!("kinds = [\"users\"]\nexclusive = {exclusive}\n");
        repository.write("aws-iam-gitops.toml", &settings);
        repository.export(&emulator, &[]);
        repository.write("terraform/main.tf", list);
        repository
    });
    let attach =
        format!("client.iam('AttachUserPolicy', UserName='carol', PolicyArn='{READ_ONLY}')");
    emulator.call(&attach);
    for repository in repositories {
        let before = repository.tree();
        let summary = repository.export(&emulator, &[]);
        assert_eq!(summary.names("conflicting"), ["terraform/iam_user.carol.tf"]);
        assert_eq!(differences(&before, &repository.tree()), [""; 0]);
    }
}

const MAIN: &str = r#"resource "aws_iam_user" "carol" {
  name = "carol"
}

# Agreed in the spring.
resource "aws_iam_user_group_membership" "carol" {
  user = aws_iam_user.carol.name
  groups = [
    "night", # until May
    "day",
    "week",
  ]
}
"#;

/// One resource for all groups of a user is found again, and AWS's changes are made in its list and
/// beside it.
#[test]
fn list_of_groups_is_edited_in_place() {
    let group = |name: &str| {
        json!({
            "Path": "/", "GroupName": name, "GroupId": format!("AGPA{name:0>17}"),
            "Arn": format!("arn:aws:iam::{ACCOUNT}:group/{name}"),
            "CreateDate": "2024-05-06T07:08:09Z",
            "GroupPolicyList": [], "AttachedManagedPolicies": []
        })
    };
    let mut carol = user("carol", "/");
    carol["GroupList"] = json!(["day", "night", "week"]);
    let groups: Vec<_> = ["day", "night", "week", "x"].into_iter().map(group).collect();
    let account = json!({ "account": ACCOUNT, "users": [carol], "groups": groups });
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    std::fs::write(file.path(), account.to_string()).expect("write the account");
    let emulator = Emulator::start(Some(file.path()));
    let repository = Repository::new();
    repository.write("aws-iam-gitops.toml", "kinds = [\"users\"]\n");
    std::fs::create_dir(repository.root()).expect("a folder");
    repository.write("terraform/main.tf", MAIN);
    let export = |files: &[&str], main: &str| {
        assert_export_changes(&repository, &emulator, files);
        assert_eq!(repository.read("terraform/main.tf"), main);
    };
    let module = ["added terraform/provider.tf", "added terraform/versions.tf"];
    export(&[module[0], module[1], "added users/carol.json"], MAIN);
    let call = |action: &str, group: &str| {
        emulator.call(&format!("client.iam('{action}', UserName='carol', GroupName='{group}')"));
    };
    let both = ["changed terraform/main.tf", "changed users/carol.json"];
    call("RemoveUserFromGroup", "night");
    call("RemoveUserFromGroup", "week");
    call("AddUserToGroup", "x");
    let added = r#"
import {
  to = aws_iam_user_group_membership.carol__in__x
  id = "carol/x"
}

resource "aws_iam_user_group_membership" "carol__in__x" {
  user   = aws_iam_user.carol.name
  groups = ["x"]
}
"#;
    let shorter = MAIN.replace("    \"night\", # until May\n", "").replace("    \"week\",\n", "");
    export(&both, &format!("{shorter}{added}"));
    // What a person adds to the list is ahead of AWS.
    repository.edit("terraform/main.tf", "    \"day\",\n", "    \"day\",\n    \"night\",\n");
    let edited = repository.read("terraform/main.tf");
    export(&[], &edited);
    call("AddUserToGroup", "night");
    export(&["changed users/carol.json"], &edited);
    // With the last group its block goes.
    for group in ["day", "night"] {
        call("RemoveUserFromGroup", group);
    }
    let alone = &MAIN[..MAIN.find("\n# Agreed").expect("the comment")];
    export(&both, &format!("{alone}{added}"));
}
