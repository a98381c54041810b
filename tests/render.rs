//! Raw JSON that people edit: the same change in Terraform, and a check that none is missing there.
//!
//! The real program in a real checkout; the real Terraform applies what comes of it.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::module::Module;
use support::python::Emulator;
use support::raw_json::{self, ACCOUNT};
use support::repository::{Repository, Summary, Tree, differences};

const JSON: &str = "roles/deploy.json";
const ROLE: &str = "terraform/iam_role.deploy.tf";
const POLICY: &str = "terraform/iam_policy.upload.tf";
const SCP: &str = "terraform/organizations_policy.p-a1b2c3d4.tf";

fn document(action: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Sid": "One", "Effect": "Allow", "Action": [action], "Resource": "*" }]
    })
}

fn role(name: &str, path: &str) -> Value {
    raw_json::role(name, path, &format!("The role {name}"))
}

fn attachment(arn: &str) -> Value {
    json!({ "PolicyName": arn.rsplit('/').next(), "PolicyArn": arn })
}

/// A role with all that hangs on it, its policy, another role, a service control policy.
fn roles_and_policies() -> (Vec<Value>, Value, Value) {
    let upload = format!("arn:aws:iam::{ACCOUNT}:policy/upload");
    let mut deploy = role("deploy", "/");
    deploy["RolePolicyList"] =
        json!([{ "PolicyName": "state", "PolicyDocument": document("s3:GetObject") }]);
    deploy["AttachedManagedPolicies"] =
        json!([attachment("arn:aws:iam::aws:policy/ReadOnlyAccess"), attachment(&upload)]);
    deploy["InstanceProfileList"] = json!([{
        "Path": "/", "InstanceProfileName": "deploy", "InstanceProfileId": "AIPADEPLOY0000000000",
        "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/deploy"),
        "CreateDate": "2024-05-06T07:08:09Z", "Roles": [], "Tags": []
    }]);
    deploy["Tags"] = json!([{ "Key": "team", "Value": "web" }]);
    let policy = json!({
        "PolicyName": "upload", "PolicyId": "ANPAUPLOAD0000000000", "Arn": upload, "Path": "/",
        "DefaultVersionId": "v1", "AttachmentCount": 1, "IsAttachable": true,
        "Description": "Uploads", "Tags": [],
        "CreateDate": "2024-05-06T07:08:09Z", "UpdateDate": "2024-05-06T07:08:09Z",
        "PolicyVersionList": [{
            "VersionId": "v1", "IsDefaultVersion": true, "CreateDate": "2024-05-06T07:08:09Z",
            "Document": document("s3:PutObject")
        }]
    });
    let organizations = json!({
        "PolicySummary": {
            "Id": "p-a1b2c3d4", "Name": "Nobody leaves", "Description": "Stay",
            "Arn": format!("arn:aws:organizations::{ACCOUNT}:policy/o-example123/service_control_policy/p-a1b2c3d4"),
            "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": false
        },
        "Content": document("organizations:LeaveOrganization"),
        "Tags": [], "Targets": []
    });
    (vec![deploy, role("reader", "/")], policy, organizations)
}

/// A checkout that an export filled and that is committed.
struct Checkout(Repository);

/// What a run came to.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Answer {
    #[track_caller]
    fn is(&self, code: i32) -> &Answer {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.is_empty(), code == 0, "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn says(&self, texts: &[&str]) -> &Answer {
        for text in texts {
            let said = [&self.stdout, &self.stderr].iter().any(|said| said.contains(text));
            assert!(said, "`{text}` is missing in\n{}\n{}", self.stdout, self.stderr);
        }
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("JSON")
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("these tests need the program `git` on the PATH");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn render(folder: &Path, arguments: &[&str]) -> Answer {
    let home = tempfile::tempdir().expect("a home");
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(["render", "--quiet"])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", home.path())
        .output()
        .expect("the program runs");
    Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

impl Checkout {
    fn new() -> Checkout {
        Checkout::with_settings("")
    }

    fn with_settings(settings: &str) -> Checkout {
        let checkout = Checkout(Repository::new());
        if !settings.is_empty() {
            checkout.write("aws-iam-gitops.toml", settings);
        }
        checkout.export_again();
        git(checkout.folder(), &["init", "--quiet", "--initial-branch=main"]);
        checkout.commit();
        checkout
    }

    /// Exports the account as it was.
    fn export_again(&self) -> Summary {
        let (roles, policy, organizations) = roles_and_policies();
        let from = tempfile::tempdir().expect("a folder");
        let details = json!({ "RoleDetailList": roles, "Policies": [policy] });
        fs::write(from.path().join("details.json"), details.to_string()).expect("write");
        fs::write(from.path().join("scp.json"), organizations.to_string()).expect("write");
        self.export_from(from.path(), &[])
    }

    fn commit(&self) -> String {
        fs::write(self.folder().join(".gitignore"), ".terraform*\nterraform.tfstate*\nplan\n")
            .expect("write");
        git(self.folder(), &["add", "--all"]);
        git(self.folder(), &["commit", "--quiet", "--allow-empty", "-m", "a commit"]);
        git(self.folder(), &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// With the raw JSON as it is edited, to be compared with what was written.
    fn render(&self, arguments: &[&str]) -> Answer {
        render(self.folder(), &[&["--keep-json"], arguments].concat())
    }

    /// Changes a raw JSON file as a person with an editor does.
    fn edit_json(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut value: Value = serde_json::from_str(&self.read(path)).expect("JSON");
        change(&mut value);
        self.write_json(path, &value);
    }

    fn write_json(&self, path: &str, value: &Value) {
        self.write(path, &format!("{value:#}\n"));
    }

    /// Renders; these files change and no other.
    #[track_caller]
    fn renders(&self, expected: &[&str]) {
        let before = self.tree();
        let check = self.render(&["--check"]);
        assert_eq!(differences(&before, &self.tree()), [""; 0], "a check writes");
        check.is(if expected.is_empty() { 0 } else { 1 });
        self.render(&[]).is(0);
        assert_eq!(differences(&before, &self.tree()), expected);
        support::assert_formatted(&self.root());
        // Both say the same by now.
        self.render(&["--check"]).is(0);
        let after = self.tree();
        self.render(&[]).is(0);
        assert_eq!(differences(&after, &self.tree()), [""; 0], "twice");
    }

    /// Is refused: nothing is written.
    #[track_caller]
    fn refuses(&self, texts: &[&str]) -> Answer {
        let before = self.tree();
        self.render(&["--check"]).is(1).says(texts);
        let answer = self.render(&[]);
        answer.is(1).says(texts);
        assert_eq!(differences(&before, &self.tree()), [""; 0]);
        answer
    }
}

impl std::ops::Deref for Checkout {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.0
    }
}

#[track_caller]
fn lines_changed(before: &str, after: &str) -> Vec<String> {
    let of = |one: &str, other: &str, sign: char| -> Vec<String> {
        let other: Vec<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line));
        lines.map(|line| format!("{sign}{}", line.trim())).collect()
    };
    [of(before, after, '-'), of(after, before, '+')].concat()
}

mod verdicts {
    use super::*;

    #[test]
    fn nothing_edited_is_nothing_to_do() {
        let checkout = Checkout::new();
        checkout.renders(&[]);
        let answer = checkout.render(&[]);
        assert!(answer.stdout.starts_with("no raw JSON changed since `HEAD` (`"), "{answer:?}");
    }

    #[test]
    fn json_changed_alone_changes_terraform() {
        let checkout = Checkout::new();
        let before = checkout.read(ROLE);
        checkout.edit_json(JSON, |role| {
            role["Description"] = json!("Deploys the site");
            role["RolePolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] =
                json!(["s3:ListBucket"]);
            role["AttachedManagedPolicies"]
                .as_array_mut()
                .expect("a list")
                .push(attachment("arn:aws:iam::aws:policy/AlexaForBusinessReadOnlyAccess"));
        });
        checkout.renders(&[&format!("changed {ROLE}")]);
        let after = checkout.read(ROLE);
        // What is new is not in AWS to be imported; what was imported still is.
        assert_eq!(after.matches("import {").count(), before.matches("import {").count());
        assert_eq!(
            lines_changed(&before, &after),
            [
                "-description = \"The role deploy\"",
                "-Action   = [\"s3:GetObject\"]",
                "+description = \"Deploys the site\"",
                "+Action   = [\"s3:ListBucket\"]",
                "+resource \"aws_iam_role_policy_attachment\" \"deploy__has-aws__AlexaForBusinessReadOnlyAccess\" {",
                "+policy_arn = \"arn:aws:iam::aws:policy/AlexaForBusinessReadOnlyAccess\"",
            ]
        );
    }

    #[test]
    fn both_changed_to_the_same_is_fine() {
        let checkout = Checkout::new();
        checkout.edit_json(JSON, |role| role["Description"] = json!("Deploys the site"));
        checkout.edit(ROLE, "\"The role deploy\"", "\"Deploys the ${\"site\"}\" # said Ann");
        checkout.renders(&[]);
        checkout.render(&[]).says(&["Terraform says the same already"]);
    }

    #[test]
    fn terraform_changed_alone_is_ahead() {
        let checkout = Checkout::new();
        checkout.edit(ROLE, "\"The role deploy\"", "\"Deploys the site\"");
        checkout.remove(SCP);
        checkout.renders(&[]);
        checkout.edit_json("roles/reader.json", |role| role["Description"] = json!("Reads"));
        checkout.renders(&["changed terraform/iam_role.reader.tf"]);
        checkout.render(&[]).says(&["ahead of the raw JSON, until it is applied:\n", ROLE]);
    }

    #[test]
    fn both_changed_differently_is_an_error_that_shows_what_differs() {
        let checkout = Checkout::new();
        checkout.edit_json(JSON, |role| role["Description"] = json!("the JSON's"));
        checkout.edit(ROLE, "\"The role deploy\"", "\"Terraform's\"");
        // Nothing is written then, not even what could be.
        checkout.edit_json("roles/reader.json", |role| role["Description"] = json!("Reads"));
        let answer = checkout.refuses(&[
            "error: `roles/deploy.json`: `terraform/iam_role.deploy.tf` changed too, and differently\n",
            "  | -  description = \"Terraform's\"\n  | +  description = \"the JSON's\"\n",
            "hint: nothing was written; make both say the same",
        ]);
        assert_eq!(
            answer.stdout,
            "2 files of raw JSON changed since `HEAD` (`".to_owned()
                + &checkout.commit_id()
                + "`)\n"
        );
        checkout.edit(ROLE, "\"Terraform's\"", "\"the JSON's\"");
        checkout.renders(&["changed terraform/iam_role.reader.tf"]);
    }

    #[test]
    fn what_a_person_left_to_a_variable_is_not_decided_over() {
        let checkout = Checkout::new();
        checkout.edit(ROLE, "\"The role deploy\"", "var.description");
        checkout
            .write("terraform/variables.tf", "variable \"description\" {\n  type = string\n}\n");
        checkout.commit();
        checkout.edit_json(JSON, |role| role["MaxSessionDuration"] = json!(7200));
        checkout.renders(&[&format!("changed {ROLE}")]);
        checkout.edit_json(JSON, |role| role["Description"] = json!("the JSON's"));
        checkout.refuses(&["`roles/deploy.json`", "Terraform cannot follow: `description` of `aws_iam_role.deploy` in `terraform/iam_role.deploy.tf` line 8 the value is known to Terraform only"]);
    }

    #[test]
    fn removed_on_one_side_and_changed_on_the_other_is_an_error() {
        let checkout = Checkout::new();
        checkout.remove(JSON);
        checkout.edit(ROLE, "\"The role deploy\"", "\"Terraform's\"");
        checkout.remove(SCP);
        checkout.edit_json("scps/p-a1b2c3d4.json", |policy| {
            policy["PolicySummary"]["Description"] = json!("Really");
        });
        checkout.refuses(&[
            "`roles/deploy.json`: `terraform/iam_role.deploy.tf` changed too",
            "`scps/p-a1b2c3d4.json`: ",
        ]);
    }

    #[test]
    fn what_aws_makes_is_no_change_of_terraform() {
        let checkout = Checkout::new();
        checkout.edit_json(JSON, |role| {
            role["RoleId"] = json!("AROAOTHER");
            role["CreateDate"] = json!("2025-01-01T00:00:00Z");
            role["AttachedManagedPolicies"].as_array_mut().expect("a list").reverse();
        });
        checkout.renders(&[]);
        let text = checkout.read("roles/reader.json").replace("  ", "\t");
        checkout.write("roles/reader.json", &text);
        let answer = checkout.render(&["--output", "json"]);
        assert_eq!(answer.json()["changed"], json!([JSON]));
    }
}

impl Checkout {
    fn commit_id(&self) -> String {
        git(self.folder(), &["rev-parse", "HEAD"])[..7].to_owned()
    }
}

mod terraform {
    use super::*;

    #[test]
    fn comments_and_layout_of_an_edited_file_stay() {
        let checkout = Checkout::new();
        let edited = checkout
            .read(ROLE)
            .replace("  description = ", "  # agreed with Ann\n  description  =   ")
            .replace(
                "      Action   = [\"s3:GetObject\"]",
                "      Action   = [\n        \"s3:GetObject\", # the state\n      ]",
            );
        checkout.write(ROLE, &edited);
        checkout.commit();
        checkout.edit_json(JSON, |role| {
            role["RolePolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] =
                json!(["s3:GetObject", "s3:ListBucket"]);
        });
        let before = checkout.read(ROLE);
        checkout.render(&[]).is(0);
        let changed = lines_changed(&before, &checkout.read(ROLE));
        assert_eq!(changed, ["+\"s3:ListBucket\","]);
        checkout.render(&["--check"]).is(0);
    }

    #[test]
    fn hand_written_files_are_followed_wherever_they_are() {
        let checkout = Checkout::new();
        let text = checkout.read(ROLE);
        let (imports, resources): (Vec<&str>, Vec<&str>) =
            text.split("\n\n").partition(|block| block.starts_with("import"));
        checkout.remove(ROLE);
        checkout.write("terraform/imports.tf", &format!("{}\n", imports.join("\n\n")));
        let main = format!("# All of the site's.\n{}", resources.join("\n\n"))
            .replace("\"deploy\" {", "\"site\" {");
        let main = main.replace("aws_iam_role.deploy.", "aws_iam_role.site.");
        checkout.write("terraform/main.tf", &main);
        let imports = checkout.read("terraform/imports.tf");
        checkout.write(
            "terraform/imports.tf",
            &imports
                .replace("aws_iam_role.deploy\n", "aws_iam_role.site\n")
                .replace("aws_iam_instance_profile.deploy\n", "aws_iam_instance_profile.site\n"),
        );
        checkout.commit();
        checkout.renders(&[]);
        checkout.edit_json(JSON, |role| {
            role["Description"] = json!("Deploys the site");
            let attached = role["AttachedManagedPolicies"].as_array_mut().expect("a list");
            attached.retain(|policy| policy["PolicyName"] != "ReadOnlyAccess");
            role["Tags"] = json!([]);
        });
        checkout.renders(&["changed terraform/imports.tf", "changed terraform/main.tf"]);
        let after = checkout.read("terraform/main.tf");
        assert!(after.starts_with("# All of the site's.\n"), "{after}");
        assert!(
            after.contains("\"Deploys the site\"") && !after.contains("ReadOnlyAccess"),
            "{after}"
        );
        assert!(!checkout.read("terraform/imports.tf").contains("ReadOnlyAccess"));

        checkout.commit();
        checkout.remove(JSON);
        checkout.render(&[]).is(0);
        assert_eq!(checkout.tree().get("terraform/main.tf"), None::<&String>);
        checkout.render(&["--check"]).is(0);
    }

    #[test]
    fn new_json_becomes_a_resource_without_import() {
        let checkout = Checkout::new();
        checkout.write_json(
            "policies/orders.json",
            &json!({
                "PolicyName": "orders", "Path": "/",
                "Arn": format!("arn:aws:iam::{ACCOUNT}:policy/orders"), "DefaultVersionId": "v1",
                "PolicyVersionList": [{
                    "VersionId": "v1", "IsDefaultVersion": true, "Document": document("s3:Get*")
                }]
            }),
        );
        checkout.write_json(
            "roles/orders.json",
            &json!({
                "Path": "/app/", "RoleName": "orders",
                "Arn": format!("arn:aws:iam::{ACCOUNT}:role/app/orders"),
                "AssumeRolePolicyDocument": document("sts:AssumeRole"),
                "AttachedManagedPolicies": [attachment(&format!("arn:aws:iam::{ACCOUNT}:policy/orders"))],
                "InstanceProfileList": [{
                    "Path": "/", "InstanceProfileName": "orders",
                    "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/orders")
                }]
            }),
        );
        checkout.renders(&[
            "added terraform/iam_policy.orders.tf",
            "added terraform/iam_role.orders.tf",
        ]);
        let role = checkout.read("terraform/iam_role.orders.tf");
        assert!(role.contains("policy_arn = aws_iam_policy.orders.arn"), "{role}");
        for text in [&role, &checkout.read("terraform/iam_policy.orders.tf")] {
            assert!(!text.contains("import") && !text.contains("ignore_changes"), "{text}");
        }
    }

    #[test]
    fn file_that_is_gone_takes_its_resources_with_it() {
        let checkout = Checkout::new();
        checkout.remove(JSON);
        checkout.remove("scps/p-a1b2c3d4.json");
        checkout.renders(&[&format!("removed {ROLE}"), &format!("removed {SCP}")]);
        // Gone from both is no news.
        checkout.commit();
        checkout.remove("roles/reader.json");
        checkout.remove("terraform/iam_role.reader.tf");
        checkout.renders(&[]);
    }

    #[test]
    fn resource_that_a_person_refers_to_does_not_go() {
        let checkout = Checkout::new();
        checkout.write(
            "terraform/outputs.tf",
            "output \"arn\" {\n  value = aws_iam_policy.upload.arn\n}\n",
        );
        checkout.commit();
        checkout.remove("policies/upload.json");
        checkout.edit_json(JSON, |role| role["AttachedManagedPolicies"] = json!([]));
        checkout.refuses(&["error: `policies/upload.json`: Terraform cannot follow: `terraform/outputs.tf` still refers to it"]);
    }

    #[test]
    fn policy_that_is_still_attached_does_not_go() {
        let checkout = Checkout::new();
        checkout.remove("policies/upload.json");
        checkout.refuses(&[
            "error: `policies/upload.json`: it is gone, and `roles/deploy.json` still names it",
        ]);
        checkout.edit_json(JSON, |role| role["AttachedManagedPolicies"] = json!([]));
        checkout.render(&[]).is(0).says(&[&format!("  `{POLICY}`")]);
    }

    #[test]
    fn text_that_is_no_object_is_told_plainly() {
        let checkout = Checkout::new();
        for (text, fault) in [
            ("", "line 1: the file is empty"),
            ("[]", "line 1: the file does not hold a JSON object"),
            ("\u{feff}{}", "line 1: the file begins with a byte order mark"),
        ] {
            checkout.write(JSON, text);
            checkout.render(&[]).is(1).says(&[fault, "hint: nothing was written"]);
        }
    }

    #[test]
    fn policy_that_moves_is_imported_by_its_old_arn() {
        let checkout = Checkout::new();
        checkout.edit_json("policies/upload.json", |policy| {
            policy["Path"] = json!("/site/");
            policy["Arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:policy/site/upload"));
        });
        checkout.render(&[]).is(0);
        let text = checkout.read(POLICY);
        assert!(text.contains(&format!("id = \"arn:aws:iam::{ACCOUNT}:policy/upload\"")), "{text}");
        assert!(
            text.contains("path = \"/site/\"") || text.contains("path        = \"/site/\""),
            "{text}"
        );
    }

    #[test]
    fn module_files_that_a_person_took_out_stay_out() {
        let checkout = Checkout::new();
        checkout.remove("terraform/provider.tf");
        checkout.remove("terraform/versions.tf");
        checkout.commit();
        checkout.edit_json(JSON, |role| role["Description"] = json!("Deploys the site"));
        checkout.renders(&[&format!("changed {ROLE}")]);
    }

    #[test]
    fn json_without_any_terraform_is_for_an_export() {
        let checkout = Checkout::new();
        fs::remove_dir_all(checkout.root()).expect("remove");
        checkout.commit();
        checkout.render(&["--check"]).is(0);
        checkout.edit_json(JSON, |role| role["Description"] = json!("Deploys the site"));
        checkout.refuses(&["no Terraform beside it", "`aws-iam-gitops export` writes it"]);
    }
}

mod faults {
    use super::*;

    #[test]
    fn malformed_json_is_named_with_line_and_column_and_nothing_is_written() {
        let checkout = Checkout::new();
        checkout.edit_json("roles/reader.json", |role| role["Description"] = json!("Reads"));
        let (text, scp) = (checkout.read(JSON), checkout.read("scps/p-a1b2c3d4.json"));
        checkout
            .write(JSON, &text.replace("\"RoleName\": \"deploy\",", "\"RoleName\": \"deploy\""));
        checkout.edit_json("scps/p-a1b2c3d4.json", |policy| {
            drop(policy.as_object_mut().expect("an object").remove("Content"))
        });
        checkout.refuses(&[
            "error: `roles/deploy.json` line 4 column 3: expected `,` or `}`\n",
            "error: `scps/p-a1b2c3d4.json` line ",
            " column 1: missing field `Content`\n",
        ]);
        fs::write(checkout.folder().join(JSON), b"{\n\"\xff\"}").expect("write");
        let answer = checkout.render(&[]);
        answer.is(1).says(&["error: `roles/deploy.json` line 2: the text is not UTF-8\n"]);
        // What was malformed may be put right.
        checkout.commit();
        checkout.write(JSON, &text);
        checkout.write("scps/p-a1b2c3d4.json", &scp);
        checkout.renders(&[]);
    }

    #[test]
    fn entity_is_what_its_file_is_named_after() {
        let checkout = Checkout::new();
        checkout.edit_json(JSON, |role| role["RoleName"] = json!("dep\u{202e}loy"));
        checkout.refuses(&["error: `roles/deploy.json`: it holds the role `dep\\u{202e}loy`, whose file is `roles/"]);
        checkout.edit_json(JSON, |role| {
            role["RoleName"] = json!("deploy");
            role["Arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:role/other"));
        });
        checkout.edit_json("roles/reader.json", |role| {
            role["Arn"] = json!("arn:aws:iam::444455556666:role/reader");
        });
        checkout.edit_json("policies/upload.json", |policy| policy["Path"] = json!("/site/"));
        checkout.refuses(&[
            "`roles/deploy.json`: the ARN `arn:aws:iam::111122223333:role/other` is another entity's: its own ends with `/deploy`",
            "`roles/reader.json`: the ARN `arn:aws:iam::444455556666:role/reader` is not of account `111122223333`",
            "`policies/upload.json`: the ARN `arn:aws:iam::111122223333:policy/upload` is another entity's: its own ends with `/site/upload`",
        ]);
    }

    #[test]
    fn misspelt_member_is_not_passed_over() {
        let checkout = Checkout::new();
        checkout.edit_json(JSON, |role| {
            role["Descripton"] = json!("Deploys the site");
            role["InstanceProfileList"][0]["Rolez"] = json!(["x"]);
            role["RoleLastUsed"] = json!({});
        });
        let answer = checkout.refuses(&[
            "error: `roles/deploy.json`: the raw JSON of a role has no `Descripton`\n",
            "has no `InstanceProfileList.Rolez`\n",
        ]);
        assert!(!answer.stderr.contains("RoleLastUsed"));
    }

    #[test]
    fn what_terraform_cannot_hold_is_an_error_and_not_forgotten() {
        let checkout = Checkout::new();
        checkout.edit_json(JSON, |role| role["Description"] = json!("“Deploys”"));
        let mut new = role("new", "/");
        new["MaxSessionDuration"] = json!(5);
        checkout.write_json("roles/new.json", &new);
        let answer = checkout.refuses(&[
            "error: `roles/deploy.json`: Terraform cannot follow: its description holds `“`",
            "error: `roles/new.json`: Terraform cannot follow: the provider refuses a maximum session of 5 seconds",
        ]);
        assert!(!answer.stderr.contains(" | "));
        let text = checkout.read(JSON).replace("“Deploys”", "x");
        let twice = text.replacen(
            "\"Effect\": \"Allow\",",
            "\"Effect\": \"Allow\", \"Effect\": \"Deny\",",
            1,
        );
        assert_ne!(text, twice);
        checkout.write(JSON, &twice);
        checkout.refuses(&["`roles/deploy.json`: Terraform cannot follow: its trust policy is not what the provider takes: the key `Effect` stands twice"]);
    }

    #[test]
    fn what_has_no_terraform_is_only_noted() {
        let checkout = Checkout::new();
        let mut new = role("AWSServiceRoleForX", "/aws-service-role/x.amazonaws.com/");
        new["Description"] = json!("##[add-mask]x");
        checkout.write_json("roles/AWSServiceRoleForX.json", &new);
        checkout.renders(&[]);
        checkout.render(&[]).says(&["note: `roles/AWSServiceRoleForX.json` has no Terraform (service-linked, `/aws-service-role/`): an export will put it back"]);
    }

    #[test]
    fn organizations_policy_is_edited_and_not_made_in_json() {
        let checkout = Checkout::new();
        checkout.edit_json("scps/p-a1b2c3d4.json", |policy| {
            policy["Content"]["Statement"][0]["Action"] = json!(["account:CloseAccount"]);
        });
        checkout.renders(&[&format!("changed {SCP}")]);
        let text = checkout.read("scps/p-a1b2c3d4.json").replace("p-a1b2c3d4", "p-new12345");
        checkout.write("scps/p-new12345.json", &text);
        checkout.refuses(&["`scps/p-new12345.json`: AWS names a new organizations policy itself: write it as Terraform"]);
    }

    #[test]
    fn names_are_no_commands_of_a_workflow() {
        let checkout = Checkout::new();
        let text = checkout.read(JSON);
        fs::write(checkout.folder().join("roles/a\n::error::##[add-mask]b\u{1b}[31m.json"), text)
            .expect("write");
        checkout.edit_json(JSON, |role| role["Description"] = json!("##[add-mask]c\n::error::d"));
        let check = |answer: &Answer| {
            let all = format!("{}\n{}", answer.stdout, answer.stderr);
            assert!(!all.contains("##[") && !all.contains('\u{1b}'), "{all}");
            assert!(!all.lines().any(|line| line.trim_start().starts_with("::")), "{all}");
        };
        check(
            &checkout.refuses(&["it holds the role `deploy`, whose file is `roles/deploy.json`"]),
        );
        fs::remove_file(checkout.folder().join("roles/a\n::error::##[add-mask]b\u{1b}[31m.json"))
            .expect("remove");
        checkout.edit(
            ROLE,
            "\"The role deploy\"",
            "<<-EOT\n    ::error::e\n    ##[add-mask]f\n  EOT",
        );
        check(&checkout.refuses(&["changed too, and differently"]));
    }
}

mod revisions {
    use super::*;

    #[test]
    fn branch_is_compared_with_where_it_began() {
        let checkout = Checkout::new();
        git(checkout.folder(), &["switch", "--quiet", "-c", "topic"]);
        checkout.edit_json(JSON, |role| role["Description"] = json!("Deploys the site"));
        checkout.commit();
        git(checkout.folder(), &["switch", "--quiet", "main"]);
        checkout.edit_json("roles/reader.json", |role| role["Description"] = json!("Reads"));
        checkout.commit();
        git(checkout.folder(), &["switch", "--quiet", "topic"]);
        checkout.render(&["--check"]).is(0);
        let answer = checkout.render(&["--check", "--base", "main"]);
        answer
            .is(1)
            .says(&["hint: run `aws-iam-gitops render --base main` and commit what it writes"]);
        assert!(!answer.stderr.contains("reader"));
        checkout.render(&["--base", "main"]).is(0);
        checkout.render(&["--check", "--base", "main"]).is(0);
    }

    #[test]
    fn base_that_is_not_there_is_named() {
        let checkout = Checkout::new();
        checkout.render(&["--base", "origin/ma\u{1b}in"]).is(1).says(&[
            "error: the Git repository of `.` has no commit `origin/ma\\u{1b}in`\n",
            "hint: name a commit, a branch or a tag",
        ]);
        let empty = tempfile::tempdir().expect("a folder");
        let outside = render(empty.path(), &[]);
        outside.is(1).says(&["error: `.` is in no Git repository\n", "hint: run it in a checkout"]);
        git(empty.path(), &["init", "--quiet"]);
        render(empty.path(), &[]).is(1).says(&["has no commit `HEAD`"]);
        render(empty.path(), &["missing"]).is(1).says(&["error: cannot find `missing`\n"]);
    }

    #[test]
    fn shallow_clone_lacks_history() {
        let checkout = Checkout::new();
        let first = checkout.commit();
        checkout.edit_json(JSON, |role| role["Description"] = json!("Deploys the site"));
        checkout.commit();
        checkout.commit();
        let clones = tempfile::tempdir().expect("a folder");
        let url = format!("file://{}", checkout.folder().display());
        for (depth, parent) in [("1", false), ("2", true)] {
            let folder = clones.path().join(depth);
            let folder_name = folder.to_str().expect("UTF-8");
            git(clones.path(), &["clone", "--quiet", "--depth", depth, &url, folder_name]);
            let shallow = "hint: this clone is shallow: fetch more history (`git fetch --unshallow`, or `fetch-depth: 0`";
            for base in ["HEAD^^", first.as_str()] {
                render(&folder, &["--base", base]).is(1).says(&["has no commit", shallow]);
            }
            let answer = render(&folder, &["--base", "HEAD^"]);
            if parent {
                answer.is(0);
            } else {
                answer.is(1).says(&[shallow]);
            }
            render(&folder, &[]).is(0);
        }
        // The branch is there, and where the two parted is not.
        git(checkout.folder(), &["switch", "--quiet", "-c", "other", &first]);
        checkout.commit();
        git(checkout.folder(), &["switch", "--quiet", "main"]);
        let folder = clones.path().join("1");
        git(&folder, &["fetch", "--quiet", "--depth", "1", "origin", "other:other"]);
        render(&folder, &["--base", "other"])
            .is(1)
            .says(&["error: `other` and `HEAD` have no commit in common", "fetch-depth: 0"]);
    }

    #[test]
    fn settings_of_the_folder_hold() {
        let settings = "prefix = \"accounts/1\"\n\n[[ignore]]\nname = \"reader\"\n";
        let checkout = Checkout::with_settings(settings);
        let prefixed = |path: &str| format!("accounts/1/{path}");
        checkout.write_json(&prefixed("roles/reader.json"), &role("reader", "/"));
        checkout.edit_json(&prefixed(JSON), |role| role["Description"] = json!("Deploys the site"));
        checkout.render(&["--check"]).is(1).says(&["`roles/deploy.json`"]);
        checkout.render(&["--check", "--prefix", "accounts/2"]).is(0);
        checkout
            .render(&["--check", "--prefix", "accounts/1"])
            .is(1)
            .says(&["run `aws-iam-gitops render --prefix accounts/1` and commit"]);
        let before = checkout.tree();
        checkout.render(&[]).is(0);
        assert_eq!(differences(&before, &checkout.tree()), [format!("changed {}", prefixed(ROLE))]);
        checkout.write("aws-iam-gitops.toml", "nonsense = 1\n");
        checkout.render(&[]).is(1).says(&["nonsense"]);
    }

    #[test]
    fn folder_may_be_a_part_of_the_repository() {
        let checkout = Checkout::new();
        let outer = tempfile::tempdir().expect("a folder");
        let copied = Command::new("cp")
            .args(["-r", checkout.folder().to_str().expect("UTF-8")])
            .arg(outer.path().join("iam"))
            .status();
        assert!(copied.expect("cp").success());
        fs::remove_dir_all(outer.path().join("iam/.git")).expect("remove");
        git(outer.path(), &["init", "--quiet"]);
        git(outer.path(), &["add", "--all"]);
        git(outer.path(), &["commit", "--quiet", "-m", "a commit"]);
        fs::remove_file(outer.path().join("iam").join(JSON)).expect("remove");
        render(outer.path(), &["iam", "--check"]).is(1).says(&[
            "`roles/deploy.json`: it is gone, and Terraform still has it",
            "hint: run `aws-iam-gitops render iam` and",
        ]);
        render(outer.path(), &["iam"]).is(0);
        assert!(!outer.path().join("iam").join(ROLE).exists());
        render(outer.path(), &[]).is(0).says(&["no raw JSON changed"]);
    }

    #[test]
    fn outcome_is_told_to_programs() {
        let checkout = Checkout::new();
        checkout.edit_json(JSON, |role| role["Description"] = json!("Deploys the site"));
        let answer = checkout.render(&["--check", "--output", "json"]);
        let base = git(checkout.folder(), &["rev-parse", "HEAD"]);
        assert_eq!(
            answer.json(),
            json!({
                "base": base.trim(), "check": true, "changed": [JSON], "written": [ROLE],
                "removed": [], "taken_back": [], "pending": [], "notes": [],
                "problems": [{
                    "file": JSON, "line": null, "column": null, "difference": null,
                    "problem": format!("it changed, and `{ROLE}` did not")
                }]
            })
        );
    }
}

#[test]
fn new_role_outlives_an_export_before_it_is_applied() {
    let checkout = Checkout::new();
    let mut orders = role("orders", "/");
    orders.as_object_mut().expect("an object").remove("RoleId");
    checkout.write_json("roles/orders.json", &orders);
    checkout.renders(&["added terraform/iam_role.orders.tf"]);
    checkout.commit();
    let before = checkout.tree();
    let summary = checkout.export_again();
    assert_eq!(summary.names("pending"), ["terraform/iam_role.orders.tf"]);
    assert_eq!(differences(&before, &checkout.tree()), [""; 0]);
    // Of its own, an edit of the JSON removes it again.
    checkout.remove("roles/orders.json");
    checkout.renders(&["removed terraform/iam_role.orders.tf"]);
}

/// An edit is Terraform's alone once it is rendered, so nothing takes it back before the apply.
#[test]
fn raw_json_is_as_it_was_again_and_no_export_undoes_the_edit() {
    let checkout = Checkout::new();
    let before = checkout.tree();
    checkout.edit_json(JSON, |role| role["Description"] = json!("Deploys the site"));
    checkout.write_json("roles/orders.json", &role("orders", "/"));
    checkout.remove("roles/reader.json");
    let answer = render(checkout.folder(), &[]);
    answer.is(0);
    assert!(answer.stdout.contains("as it was again, until it is applied:\n"), "{}", answer.stdout);
    let terraform = [
        "removed terraform/iam_role.reader.tf".to_owned(),
        format!("changed {ROLE}"),
        "added terraform/iam_role.orders.tf".to_owned(),
    ];
    assert_eq!(differences(&before, &checkout.tree()), terraform);
    assert!(checkout.read(ROLE).contains("\"Deploys the site\""));
    checkout.render(&["--check"]).is(0);
    checkout.commit();

    // The account is as it was: an export before the apply leaves everything alone.
    let rendered = checkout.tree();
    let summary = checkout.export_again();
    assert_eq!(summary.names("pending"), [ROLE, "terraform/iam_role.reader.tf"]);
    assert_eq!(differences(&rendered, &checkout.tree()), [""; 0]);
}

fn terraform_of(tree: &Tree) -> Tree {
    let files = tree.iter().filter(|(path, _)| path.starts_with("terraform/"));
    files.map(|(path, content)| (path.clone(), content.clone())).collect()
}

#[test]
fn edit_of_json_goes_to_aws_and_leaves_nothing_to_do() {
    let (roles, policy, organizations) = roles_and_policies();
    let account = json!({
        "account": ACCOUNT, "roles": roles, "policies": [policy],
        "organizations_policies": [organizations]
    });
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    fs::write(file.path(), account.to_string()).expect("write the account");
    let emulator = Emulator::start(Some(file.path()));
    let checkout = Checkout(Repository::new());
    checkout.export(&emulator, &[]);
    git(checkout.folder(), &["init", "--quiet"]);
    let module = Module::new(&checkout.root(), &emulator);
    module.plan();
    module.apply();
    checkout.commit();

    checkout.edit_json(JSON, |role| {
        role["Description"] = json!("Deploys the site");
        role["RolePolicyList"][0]["PolicyDocument"]["Statement"]
            .as_array_mut()
            .expect("a list")
            .push(
                json!({ "Sid": "Two", "Effect": "Deny", "Action": "s3:Delete*", "Resource": "*" }),
            );
        let attached = role["AttachedManagedPolicies"].as_array_mut().expect("a list");
        attached.retain(|policy| policy["PolicyName"] != "ReadOnlyAccess");
    });
    checkout.edit_json("roles/reader.json", |role| {
        role["AttachedManagedPolicies"] =
            json!([attachment(&format!("arn:aws:iam::{ACCOUNT}:policy/upload"))]);
    });
    let mut orders = role("orders", "/");
    orders.as_object_mut().expect("an object").remove("RoleId");
    checkout.write_json("roles/orders.json", &orders);
    checkout.renders(&[
        &format!("changed {ROLE}"),
        "added terraform/iam_role.orders.tf",
        "changed terraform/iam_role.reader.tf",
    ]);
    let plan = module.plan();
    let mut actions = plan.actions();
    actions.sort();
    assert_eq!(
        actions,
        [
            "aws_iam_role.deploy update",
            "aws_iam_role.orders create",
            "aws_iam_role_policy.deploy__has__state update",
            "aws_iam_role_policy_attachment.deploy__has-aws__ReadOnlyAccess delete",
            "aws_iam_role_policy_attachment.reader__has__upload create",
        ]
    );
    assert_eq!(plan.imports(), [""; 0]);
    assert_eq!(plan.changed_arguments("aws_iam_role.deploy"), ["description"]);
    module.apply();

    // Of what is new only AWS knows the ID.
    let before = checkout.tree();
    checkout.export(&emulator, &[]);
    assert_eq!(differences(&before, &checkout.tree()), ["changed roles/orders.json"]);
    assert_eq!(terraform_of(&before), terraform_of(&checkout.tree()));
    assert_eq!(module.plan().actions(), [""; 0]);
    let before = checkout.tree();
    checkout.export(&emulator, &[]);
    assert_eq!(differences(&before, &checkout.tree()), [""; 0]);
    checkout.commit();

    // And gone again.
    checkout.remove("roles/orders.json");
    checkout.renders(&["removed terraform/iam_role.orders.tf"]);
    assert_eq!(module.plan().actions(), ["aws_iam_role.orders delete"]);
    module.apply();
    let before = checkout.tree();
    checkout.export(&emulator, &[]);
    assert_eq!(differences(&before, &checkout.tree()), [""; 0]);
}
