//! What an export does to a folder that is not empty: the real program, run the way a user runs it.
//!
//! Accounts are made here as the AWS CLI would print them. What the files say in detail is the
//! snapshots' matter; this is about which files are written, left alone and removed.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

const ACCOUNT: &str = "111122223333";
const CLOUDFORMATION: &str = "aws:cloudformation:stack-name";

/// An account, as it is to appear in the files of the AWS CLI.
#[derive(Clone)]
struct Account {
    id: &'static str,
    /// RoleDetails; Description and MaxSessionDuration go to list-roles.
    roles: BTreeMap<String, Value>,
    /// ManagedPolicyDetails; Description and Tags go to get-policy.
    policies: BTreeMap<String, Value>,
    /// The Policy of DescribePolicy; Tags go to list-tags-for-resource.
    organizations: BTreeMap<String, Value>,
}

impl Account {
    fn new() -> Account {
        Account {
            id: ACCOUNT,
            roles: BTreeMap::new(),
            policies: BTreeMap::new(),
            organizations: BTreeMap::new(),
        }
    }

    /// Three roles, two policies and a service control policy; `deploy` and `build` refer to the
    /// policy `data`.
    fn small() -> Account {
        let mut account = Account::new();
        for name in ["data", "office"] {
            account.add_policy(name);
        }
        for name in ["audit", "build", "deploy"] {
            account.add_role(name);
        }
        account.attach("deploy", "data");
        account.attach("build", "data");
        account.add_organizations_policy("p-abcd1234");
        account
    }

    fn policy_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:policy/{name}", self.id)
    }

    fn role(&mut self, name: &str) -> &mut Value {
        self.roles.get_mut(name).expect("a role of this name")
    }

    fn policy(&mut self, name: &str) -> &mut Value {
        self.policies.get_mut(name).expect("a policy of this name")
    }

    fn add_role(&mut self, name: &str) {
        let role = json!({
            "Path": "/",
            "RoleName": name,
            "RoleId": format!("AROA{:X}", name.len()),
            "Arn": format!("arn:aws:iam::{}:role/{name}", self.id),
            "CreateDate": "2024-03-05T09:12:44+00:00",
            "Description": "for tests",
            "MaxSessionDuration": 3600,
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"] },
                    "Action": "sts:AssumeRole"
                }]
            },
            "InstanceProfileList": [],
            "RolePolicyList": [{
                "PolicyName": "read",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{
                        "Effect": "Allow",
                        "Action": ["s3:GetObject", "s3:ListBucket"],
                        "Resource": "*"
                    }]
                }
            }],
            "AttachedManagedPolicies": [],
            "Tags": [{ "Key": "team", "Value": "web" }, { "Key": "cost", "Value": "12" }]
        });
        self.roles.insert(name.to_owned(), role);
    }

    fn add_policy(&mut self, name: &str) {
        let policy = json!({
            "PolicyName": name,
            "PolicyId": format!("ANPA{:X}", name.len()),
            "Arn": self.policy_arn(name),
            "Path": "/",
            "DefaultVersionId": "v1",
            "AttachmentCount": 0,
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": true,
            "Description": "for tests",
            "CreateDate": "2024-03-05T09:12:44+00:00",
            "UpdateDate": "2024-03-05T09:12:44+00:00",
            "PolicyVersionList": [{
                "Document": {
                    "Version": "2012-10-17",
                    "Statement": [{ "Effect": "Allow", "Action": "s3:Get*", "Resource": "*" }]
                },
                "VersionId": "v1",
                "IsDefaultVersion": true,
                "CreateDate": "2024-03-05T09:12:44+00:00"
            }],
            "Tags": []
        });
        self.policies.insert(name.to_owned(), policy);
    }

    fn add_organizations_policy(&mut self, id: &str) {
        let policy = json!({
            "PolicySummary": {
                "Id": id,
                "Arn": format!("arn:aws:organizations::{}:policy/o-exampleorgid/service_control_policy/{id}", self.id),
                "Name": format!("the policy {id}"),
                "Description": "for tests",
                "Type": "SERVICE_CONTROL_POLICY",
                "AwsManaged": false
            },
            "Content": "{\"Version\":\"2012-10-17\",\"Statement\":[]}",
            "Tags": []
        });
        self.organizations.insert(id.to_owned(), policy);
    }

    fn attach_to_target(&mut self, policy: &str, target: &str) {
        let policy = self.organizations.get_mut(policy).expect("a policy of this ID");
        policy["Targets"] = json!([{
            "TargetId": target,
            "Arn": format!("arn:aws:organizations::{ACCOUNT}:root/o-exampleorgid/{target}"),
            "Name": "Root",
            "Type": "ROOT"
        }]);
    }

    fn attach(&mut self, role: &str, policy: &str) {
        let attached = json!({ "PolicyName": policy, "PolicyArn": self.policy_arn(policy) });
        let list = self.role(role)["AttachedManagedPolicies"].as_array_mut();
        list.expect("a list").push(attached);
    }

    fn detach(&mut self, role: &str, policy: &str) {
        let arn = self.policy_arn(policy);
        let list = self.role(role)["AttachedManagedPolicies"].as_array_mut();
        list.expect("a list").retain(|attached| attached["PolicyArn"] != arn.as_str());
    }

    fn remove_policy(&mut self, name: &str) {
        let roles: Vec<_> = self.roles.keys().cloned().collect();
        roles.iter().for_each(|role| self.detach(role, name));
        self.policies.remove(name);
    }

    /// The files of the AWS CLI, by name.
    fn files(&self) -> BTreeMap<String, Value> {
        let mut files = BTreeMap::new();
        let without = |entity: &Value, members: &[&str]| {
            let mut entity = entity.clone();
            members.iter().for_each(|name| {
                entity.as_object_mut().expect("an object").remove(*name);
            });
            entity
        };
        let details: Vec<_> = self
            .roles
            .values()
            .map(|role| without(role, &["Description", "MaxSessionDuration"]))
            .collect();
        let policies: Vec<_> = self
            .policies
            .values()
            .map(|policy| without(policy, &["Description", "Tags"]))
            .collect();
        files.insert(
            "authorization-details.json".to_owned(),
            json!({
                "UserDetailList": [], "GroupDetailList": [],
                "RoleDetailList": details, "Policies": policies, "IsTruncated": false
            }),
        );
        let listed: Vec<_> = self
            .roles
            .values()
            .map(|role| {
                without(role, &["RolePolicyList", "AttachedManagedPolicies", "InstanceProfileList"])
            })
            .collect();
        files.insert("list-roles.json".to_owned(), json!({ "Roles": listed }));
        for (name, policy) in &self.policies {
            let policy = without(policy, &["PolicyVersionList"]);
            files.insert(format!("get-policy.{name}.json"), json!({ "Policy": policy }));
        }
        for profile in self
            .roles
            .values()
            .flat_map(|role| role["InstanceProfileList"].as_array().into_iter().flatten())
        {
            let name = profile["InstanceProfileName"].as_str().expect("a name");
            files.insert(
                format!("get-instance-profile.{name}.json"),
                json!({ "InstanceProfile": profile }),
            );
        }
        let mut summaries = Vec::new();
        for (id, policy) in &self.organizations {
            summaries.push(policy["PolicySummary"].clone());
            files.insert(
                format!("list-tags-for-resource.{id}.json"),
                json!({ "Tags": policy["Tags"] }),
            );
            if let Some(targets) = policy.get("Targets") {
                files.insert(
                    format!("list-targets-for-policy.{id}.json"),
                    json!({ "Targets": targets }),
                );
            }
            files.insert(
                format!("describe-policy.{id}.json"),
                json!({ "Policy": without(policy, &["Tags", "Targets"]) }),
            );
        }
        files.insert("list-policies.json".to_owned(), json!({ "Policies": summaries }));
        files
    }
}

/// A folder to export to, and one for the files of the AWS CLI.
struct Place {
    root: TempDir,
}

/// What a run printed.
struct Run {
    code: Option<i32>,
    summary: Value,
    stderr: String,
}

impl Place {
    fn new() -> Place {
        Place { root: tempfile::tempdir().expect("temporary folder") }
    }

    /// A folder that `account` has been exported to.
    fn with(account: &Account) -> Place {
        let place = Place::new();
        place.export(account, &[]).succeeded();
        place
    }

    fn input(&self) -> PathBuf {
        self.root.path().join("input")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("to").join(path)
    }

    fn put_files(&self, files: &BTreeMap<String, Value>) {
        let _ = fs::remove_dir_all(self.input());
        fs::create_dir(self.input()).expect("make a folder");
        for (name, content) in files {
            fs::write(self.input().join(name), format!("{content:#}\n")).expect("write");
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"));
        command.arg("export").arg("--from").arg(self.input()).arg("--to").arg(self.path(""));
        command.args(["--output", "json", "-q"]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().expect("the program starts");
        Run::of(&output)
    }

    /// What a person is told.
    fn told(&self, account: &Account) -> String {
        self.put_files(&account.files());
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"));
        command.args(["export", "-q", "--from"]).arg(self.input()).arg("--to").arg(self.path(""));
        String::from_utf8(command.output().expect("the program starts").stdout).expect("UTF-8")
    }

    fn export(&self, account: &Account, arguments: &[&str]) -> Run {
        self.export_files(&account.files(), arguments)
    }

    fn export_files(&self, files: &BTreeMap<String, Value>, arguments: &[&str]) -> Run {
        self.put_files(files);
        self.run(arguments)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        fs::write(path, content).expect("write");
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).expect("remove");
    }

    fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Edits a file the way a person would.
    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "`{path}` does not hold `{from}`:\n{text}");
        self.write(path, &text.replace(from, to));
    }

    /// Every file below the folder, with its content.
    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        collect(&self.path(""), &self.path(""), &mut |path, _| {
            tree.insert(path.to_owned(), fs::read(self.path(path)).expect("read"));
        });
        tree
    }

    fn put_tree(&self, tree: &Tree) {
        let _ = fs::remove_dir_all(self.path(""));
        for (path, content) in tree {
            let path = self.path(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
            fs::write(path, content).expect("write");
        }
    }

    fn times(&self) -> BTreeMap<String, SystemTime> {
        let mut times = BTreeMap::new();
        collect(&self.path(""), &self.path(""), &mut |path, metadata| {
            times.insert(path.to_owned(), metadata.modified().expect("a time"));
        });
        times
    }

    /// Whether the real Terraform takes the module's text, as far as it can without a provider.
    fn assert_formatted(&self) {
        support::assert_formatted(&self.path("terraform"));
    }
}

type Tree = BTreeMap<String, Vec<u8>>;

fn collect(root: &Path, folder: &Path, found: &mut dyn FnMut(&str, &fs::Metadata)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).expect("below").to_str().expect("UTF-8");
            found(name, &path.metadata().expect("metadata"));
        }
    }
}

/// The paths at which two trees differ.
fn changes(before: &Tree, after: &Tree) -> BTreeSet<String> {
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

fn set<const N: usize>(paths: [&str; N]) -> BTreeSet<String> {
    paths.into_iter().map(str::to_owned).collect()
}

impl Run {
    fn of(output: &Output) -> Run {
        Run {
            code: output.status.code(),
            summary: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn succeeded(self) -> Run {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        assert_eq!(self.stderr, "");
        self
    }

    fn failed(self) -> Run {
        assert_eq!(self.code, Some(1), "{}\n{}", self.summary, self.stderr);
        self
    }

    /// One member of all kinds' summaries, put together.
    fn all(&self, member: &str) -> Vec<Value> {
        let kinds = self.summary["kinds"].as_array().expect("kinds");
        kinds.iter().flat_map(|kind| kind[member].as_array().expect("a list").clone()).collect()
    }

    fn written(&self) -> Vec<Value> {
        self.all("written")
    }

    fn removed(&self) -> Vec<Value> {
        self.all("removed")
    }

    fn pending(&self) -> Vec<Value> {
        self.all("pending")
    }

    fn conflicting(&self) -> Vec<Value> {
        self.all("conflicting")
    }

    /// The reason why an entity was left out of Terraform.
    fn reason(&self, name: &str) -> String {
        let skipped = self.all("skipped");
        let found = skipped.iter().find(|skipped| skipped["name"] == name);
        found.map_or(String::new(), |skipped| skipped["reason"].as_str().expect("text").to_owned())
    }

    fn assert_still(&self) {
        assert_eq!(self.written(), [] as [Value; 0]);
        assert_eq!(self.removed(), [] as [Value; 0]);
        assert_eq!(self.summary["module_files_written"], json!([]));
    }

    fn assert_no_edits(&self) {
        assert_eq!(self.pending(), [] as [Value; 0]);
        assert_eq!(self.conflicting(), [] as [Value; 0]);
    }
}

/// `removed` blocks for these addresses and nothing else.
fn forgotten(addresses: &[&str]) -> String {
    let blocks: Vec<_> = addresses
        .iter()
        .map(|address| {
            format!(
                "removed {{\n  from = {address}\n\n  lifecycle {{\n    destroy = false\n  }}\n}}\n"
            )
        })
        .collect();
    blocks.join("\n")
}

mod again {
    use super::*;

    #[test]
    fn second_export_writes_nothing_and_says_so() {
        let account = Account::small();
        let place = Place::with(&account);
        let (tree, times) = (place.tree(), place.times());
        let run = place.run(&[]).succeeded();
        run.assert_still();
        run.assert_no_edits();
        assert_eq!(crate::support::run::of_kind(&run.summary, "roles")["unchanged"], 3);
        assert_eq!(place.tree(), tree);
        assert_eq!(place.times(), times);
        let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
            .args(["export", "--from"])
            .arg(place.input())
            .arg("--to")
            .arg(place.path(""))
            .output()
            .expect("the program starts");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.ends_with("\nnothing changed, nothing written\n"), "{text}");
    }

    #[test]
    fn changed_entity_rewrites_only_its_own_files() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let before = place.tree();
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.written(), ["deploy"]);
        assert_eq!(
            changes(&before, &place.tree()),
            set(["roles/deploy.json", "terraform/iam_role.deploy.tf"])
        );
    }

    #[test]
    fn lists_that_are_sets_in_another_order_write_nothing() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let statement = &mut account.role("deploy")["AssumeRolePolicyDocument"]["Statement"][0];
        statement["Principal"]["Service"] = json!(["lambda.amazonaws.com", "ec2.amazonaws.com"]);
        account.role("deploy")["RolePolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] =
            json!(["s3:ListBucket", "s3:GetObject"]);
        place.export(&account, &[]).succeeded().assert_still();

        // With another change beside it, the order that is committed stays too.
        let before = place.read("roles/deploy.json");
        account.role("deploy")["Description"] = json!("changed");
        place.export(&account, &[]).succeeded();
        assert_eq!(
            place.read("roles/deploy.json"),
            before.replace("\"Description\": \"for tests\"", "\"Description\": \"changed\"")
        );
    }

    #[test]
    fn order_of_files_and_lists_does_not_matter() {
        let mut account = Account::small();
        account.attach("deploy", "office");
        let inline = json!({ "PolicyName": "another", "PolicyDocument": { "Statement": [] } });
        account.role("deploy")["RolePolicyList"].as_array_mut().unwrap().push(inline);
        let tree = Place::with(&account).tree();

        let mut files = BTreeMap::new();
        for (index, (name, mut content)) in account.files().into_iter().rev().enumerate() {
            for list in ["RoleDetailList", "Policies", "Roles", "Tags"] {
                if let Some(list) = content.get_mut(list).and_then(Value::as_array_mut) {
                    list.reverse();
                }
            }
            let roles = content.get_mut("RoleDetailList").and_then(Value::as_array_mut);
            for role in roles.into_iter().flatten() {
                for list in ["RolePolicyList", "AttachedManagedPolicies", "Tags"] {
                    role[list].as_array_mut().unwrap().reverse();
                }
            }
            files.insert(format!("{index:02}.{name}"), content);
        }
        let place = Place::new();
        place.export_files(&files, &[]).succeeded();
        assert_eq!(place.tree(), tree);
    }

    #[test]
    fn file_that_a_checkout_gave_windows_line_ends_is_no_edit() {
        let mut account = Account::small();
        let place = Place::with(&account);
        for (path, content) in place.tree() {
            let text = String::from_utf8(content).unwrap().replace('\n', "\r\n");
            place.write(&path, &text);
        }
        let before = place.tree();
        let run = place.run(&[]).succeeded();
        run.assert_still();
        run.assert_no_edits();
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        assert_eq!(place.export(&account, &[]).succeeded().written(), ["deploy"]);
        assert_eq!(changes(&before, &place.tree()).len(), 2);
    }

    #[test]
    fn dry_run_writes_nothing_and_reports_the_same_counts() {
        let mut account = Account::small();
        let place = Place::new();
        place.put_files(&account.files());
        let run = place.run(&["--dry-run"]).succeeded();
        assert!(!place.has(""));
        let mut expected = place.run(&[]).succeeded().summary;
        expected["dry_run"] = json!(true);
        assert_eq!(run.summary, expected);

        account.remove_policy("data");
        account.add_role("new");
        account.role("audit")["Description"] = json!("“x”");
        place.write("terraform/.iam_role.x.tf.aws-iam-gitops-unfinished", "half");
        let before = place.tree();
        let mut dry = place.export(&account, &["-n"]).succeeded().summary;
        assert_eq!(place.tree(), before);
        dry["dry_run"] = json!(false);
        assert_eq!(place.run(&[]).succeeded().summary, dry);
    }
}

mod absence {
    use super::*;

    #[test]
    fn entity_that_is_gone_takes_its_files_with_it() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let before = place.tree();
        account.roles.remove("deploy");
        account.organizations.remove("p-abcd1234");
        account.add_organizations_policy("p-efgh5678");
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.removed(), ["deploy", "p-abcd1234"]);
        assert_eq!(
            changes(&before, &place.tree()),
            set([
                "roles/deploy.json",
                "scps/p-abcd1234.json",
                "scps/p-efgh5678.json",
                "terraform/iam_role.deploy.tf",
                "terraform/organizations_policy.p-abcd1234.tf",
                "terraform/organizations_policy.p-efgh5678.tf",
            ])
        );
        assert!(!place.has("roles/deploy.json") && !place.has("terraform/iam_role.deploy.tf"));
    }

    #[test]
    fn reference_comes_and_goes_with_the_policy() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let role = "terraform/iam_role.deploy.tf";
        let reference = "policy_arn = aws_iam_policy.data.arn";
        assert!(place.read(role).contains(reference));

        // The dump still has the attachment: only the policy itself is gone.
        let before = place.tree();
        let policy = account.policies.remove("data").unwrap();
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.removed(), ["data"]);
        run.assert_no_edits();
        let literal = format!("policy_arn = \"{}\"", account.policy_arn("data"));
        assert!(place.read(role).contains(&literal), "{}", place.read(role));
        assert!(!place.has("terraform/iam_policy.data.tf") && !place.has("policies/data.json"));
        assert_eq!(place.tree()["roles/deploy.json"], before["roles/deploy.json"]);
        place.run(&[]).succeeded().assert_still();

        account.policies.insert("data".to_owned(), policy);
        place.export(&account, &[]).succeeded().assert_no_edits();
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn what_hangs_on_a_role_that_is_gone_may_hang_on_another() {
        let mut account = Account::small();
        account.role("audit")["InstanceProfileList"] = json!([profile("web", json!([]))]);
        let place = Place::with(&account);
        let profiles = account.role("audit")["InstanceProfileList"].take();
        account.roles.remove("audit");
        account.role("deploy")["InstanceProfileList"] = profiles;
        let run = place.export(&account, &[]).succeeded();
        run.assert_no_edits();
        assert_eq!(run.reason("deploy"), "");
        assert_eq!(place.tree(), Place::with(&account).tree());
    }

    #[test]
    fn name_in_another_case_is_another_entity() {
        let mut account = Account::small();
        let place = Place::with(&account);
        account.roles.remove("deploy");
        account.add_role("Deploy");
        assert_eq!(place.export(&account, &[]).succeeded().removed(), ["deploy"]);
        assert_eq!(place.tree(), Place::with(&account).tree());
    }

    /// Each case takes something away from an account's files such that nobody can say what is
    /// gone from AWS.
    #[test]
    fn incomplete_input_deletes_nothing() {
        type Files = BTreeMap<String, Value>;
        /// What is missing, whether the export succeeds all the same, how to take it away.
        type Case = (&'static str, bool, fn(&mut Files));
        const DETAILS: &str = "authorization-details.json";
        let cases: &[Case] = &[
            ("a page that says more follows", true, |files| {
                let details = files.get_mut(DETAILS).unwrap();
                details["IsTruncated"] = json!(true);
                details["Marker"] = json!("x");
                details["RoleDetailList"].as_array_mut().unwrap().pop();
                details["Policies"].as_array_mut().unwrap().pop();
            }),
            ("a page that ends with a token", true, |files| {
                let details = files.get_mut(DETAILS).unwrap();
                details["NextToken"] = json!("x");
                details["RoleDetailList"].as_array_mut().unwrap().pop();
                details["Policies"].as_array_mut().unwrap().pop();
            }),
            ("details of policies alone", true, |files| {
                files.get_mut(DETAILS).unwrap()["RoleDetailList"] = json!([]);
                files.remove("list-roles.json");
            }),
            ("details of roles alone", true, |files| {
                files.get_mut(DETAILS).unwrap()["Policies"] = json!([]);
                files.retain(|name, _| !name.starts_with("get-policy"));
            }),
            ("roles that are listed and not described", true, |files| {
                files.get_mut(DETAILS).unwrap()["RoleDetailList"].as_array_mut().unwrap().pop();
            }),
            ("policies that are known and not described", true, |files| {
                files.get_mut(DETAILS).unwrap()["Policies"].as_array_mut().unwrap().pop();
            }),
            ("no word of the organization", true, |files| {
                files.retain(|name, _| {
                    name == DETAILS || name == "list-roles.json" || name.starts_with("get-policy")
                });
            }),
            ("no list of the organization's policies", true, |files| {
                files
                    .retain(|name, _| !name.contains("p-abcd1234") && name != "list-policies.json");
            }),
            ("a list of the organization's policies that goes on", true, |files| {
                let list = files.get_mut("list-policies.json").unwrap();
                list["NextToken"] = json!("x");
                list["Policies"] = json!([]);
                files.retain(|name, _| !name.contains("p-abcd1234"));
            }),
            ("an organizations policy that is listed and not described", true, |files| {
                files.remove("describe-policy.p-abcd1234.json");
            }),
            ("a malformed role", false, |files| {
                let details = files.get_mut(DETAILS).unwrap();
                details["RoleDetailList"].as_array_mut().unwrap().remove(0);
                details["RoleDetailList"][0]["RoleName"] = json!(1);
                files.remove("list-roles.json");
            }),
            ("a malformed policy", false, |files| {
                let details = files.get_mut(DETAILS).unwrap();
                details["Policies"].as_array_mut().unwrap().remove(0);
                details["Policies"][0]["Path"] = json!([]);
                files.retain(|name, _| !name.starts_with("get-policy"));
            }),
            ("a malformed organizations policy", false, |files| {
                files.get_mut("describe-policy.p-abcd1234.json").unwrap()["Policy"]["PolicySummary"]
                    ["Name"] = json!(null);
            }),
            ("a role that is two different roles", false, |files| {
                let details = files.get_mut(DETAILS).unwrap();
                let mut role = details["RoleDetailList"][0].clone();
                role["Path"] = json!("/x/");
                details["RoleDetailList"].as_array_mut().unwrap().push(role);
            }),
        ];
        let account = Account::small();
        for (case, succeeds, take_away) in cases {
            let place = Place::with(&account);
            let before = place.tree();
            let mut files = account.files();
            take_away(&mut files);
            let run = place.export_files(&files, &[]);
            assert_eq!(run.code, Some(if *succeeds { 0 } else { 1 }), "{case}: {}", run.stderr);
            assert_eq!(run.removed(), [] as [Value; 0], "{case}");
            run.assert_no_edits();
            let after = place.tree();
            assert!(before.keys().eq(after.keys()), "{case}");
        }
    }

    #[test]
    fn entities_that_were_not_read_are_counted() {
        let account = Account::small();
        let place = Place::with(&account);
        let mut files = account.files();
        files.get_mut("authorization-details.json").unwrap()["IsTruncated"] = json!(true);
        files.get_mut("authorization-details.json").unwrap()["RoleDetailList"]
            .as_array_mut()
            .unwrap()
            .pop();
        let run = place.export_files(&files, &[]).succeeded();
        assert_eq!(crate::support::run::of_kind(&run.summary, "roles")["unknown"], 1);
        assert_eq!(crate::support::run::of_kind(&run.summary, "roles")["complete"], false);
    }

    #[test]
    fn list_of_targets_that_was_cut_short_detaches_nothing() {
        let mut account = Account::small();
        account.add_organizations_policy("p-abcd1234");
        account.attach_to_target("p-abcd1234", "ou-ab12-11111111");
        account.attach_to_target("p-abcd1234", "ou-ab12-22222222");
        let place = Place::new();
        place.export(&account, &["--organizations-attachments"]).succeeded();
        let before = place.tree();
        let mut files = account.files();
        let name = files.keys().find(|name| name.contains("targets")).expect("targets").clone();
        let targets = files.get_mut(&name).expect("targets");
        targets["Targets"].as_array_mut().expect("a list").truncate(1);
        targets["NextToken"] = json!("more");
        let run = place.export_files(&files, &["--organizations-attachments"]).failed();
        assert!(run.stderr.contains("says that more follows"), "{}", run.stderr);
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn organizations_policies_of_aws_are_not_gone_for_not_being_asked_for() {
        let mut account = Account::small();
        account.add_organizations_policy("p-FullAWSAccess");
        let policy = account.organizations.get_mut("p-FullAWSAccess").expect("it");
        policy["PolicySummary"]["AwsManaged"] = json!(true);
        let place = Place::new();
        place.export(&account, &["--aws-managed"]).succeeded();
        assert!(place.has("scps/p-FullAWSAccess.json"));
        let before = place.tree();
        assert!(place.export(&account, &[]).succeeded().removed().is_empty());
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn folder_of_another_organization_is_refused() {
        let mut account = Account::small();
        account.add_organizations_policy("p-abcd1234");
        let place = Place::with(&account);
        let before = place.tree();
        let policy = account.organizations.get_mut("p-abcd1234").expect("it");
        let arn =
            "arn:aws:organizations::111122223333:policy/o-other/service_control_policy/p-abcd1234";
        policy["PolicySummary"]["Arn"] = json!(arn);
        let run = place.export(&account, &[]).failed();
        assert!(run.stderr.contains("holds organization `o-exampleorgid`"), "{}", run.stderr);
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn roles_that_two_listings_describe_otherwise_are_a_contradiction() {
        let account = Account::small();
        let place = Place::with(&account);
        let before = place.tree();
        let mut files = account.files();
        let mut other = files["list-roles.json"].clone();
        other["Roles"][0]["Description"] = json!("otherwise");
        files.insert("list-roles.2.json".to_owned(), other);
        let run = place.export_files(&files, &[]).failed();
        assert!(run.stderr.contains("list-roles.2.json"), "{}", run.stderr);
        assert!(run.removed().is_empty());
        assert_eq!(place.tree().len(), before.len());
    }

    #[test]
    fn files_as_powershell_writes_them_are_read() {
        let account = Account::small();
        let place = Place::with(&account);
        for (name, content) in account.files() {
            let text = content.to_string();
            let bytes = match name.contains("list") {
                true => [&[0xef, 0xbb, 0xbf][..], text.as_bytes()].concat(),
                false => {
                    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
                    units.flat_map(u16::to_le_bytes).collect()
                }
            };
            fs::write(place.input().join(name), bytes).unwrap();
        }
        place.run(&[]).succeeded().assert_still();
    }

    #[test]
    fn pages_do_not_show_whether_one_is_missing() {
        let mut account = Account::small();
        let place = Place::with(&account);
        account.roles.remove("deploy");
        let mut files = account.files();
        let mut first = files["authorization-details.json"].clone();
        let mut second = first.clone();
        first["IsTruncated"] = json!(true);
        first["Policies"] = json!([]);
        second["RoleDetailList"] = json!([]);
        files.insert("authorization-details.json".to_owned(), first);
        files.insert("authorization-details.2.json".to_owned(), second);
        assert!(place.export_files(&files, &[]).succeeded().removed().is_empty());
        assert!(place.has("roles/deploy.json"));
    }
}

fn profile(name: &str, tags: Value) -> Value {
    json!({
        "Path": "/",
        "InstanceProfileName": name,
        "InstanceProfileId": "AIPAEXAMPLE",
        "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/{name}"),
        "CreateDate": "2024-03-05T09:12:44+00:00",
        "Tags": tags
    })
}

mod edits {
    use super::*;

    const FILE: &str = "terraform/iam_role.deploy.tf";

    type Edit = (&'static str, fn(&Place));

    /// What a person may do to the file of one role that AWS does not have yet.
    const PENDING: &[Edit] = &[
        ("an argument changed", |place| {
            place.edit(FILE, "\"for tests\"", "\"edited\"");
        }),
        ("an inline policy taken out", |place| {
            let text = place.read(FILE);
            let start = text.find("import {\n  to = aws_iam_role_policy.").unwrap();
            let end = text.find("import {\n  to = aws_iam_role_policy_attachment.").unwrap();
            place.write(FILE, &format!("{}{}", &text[..start], &text[end..]));
        }),
        ("all taken out", |place| place.write(FILE, "# nothing left\n")),
        ("the file deleted", |place| place.remove(FILE)),
    ];

    #[test]
    fn edit_that_aws_does_not_have_survives_every_export_and_is_reported() {
        let account = Account::small();
        for (case, edit) in PENDING {
            let place = Place::with(&account);
            edit(&place);
            let before = place.tree();
            for _ in 0..2 {
                let run = place.run(&[]).succeeded();
                assert_eq!(run.pending(), [FILE], "{case}");
                run.assert_still();
                assert_eq!(place.tree(), before, "{case}");
            }
        }
    }

    #[test]
    fn deleting_the_only_file_is_an_edit_too() {
        let mut account = Account::new();
        account.add_role("deploy");
        let place = Place::with(&account);
        place.remove(FILE);
        assert_eq!(place.run(&[]).succeeded().pending(), [FILE]);
        assert!(!place.has(FILE));
    }

    #[test]
    fn edit_survives_an_export_in_which_others_changed() {
        let mut account = Account::small();
        for (case, edit) in PENDING {
            let place = Place::with(&account);
            edit(&place);
            let before = place.tree();
            account.role("audit")["Description"] = json!(format!("changed: {case}"));
            account.role("build")["Tags"] = json!([]);
            let run = place.export(&account, &[]).succeeded();
            assert_eq!(run.pending(), [FILE], "{case}");
            assert_eq!(run.written(), ["audit", "build"], "{case}");
            assert!(changes(&before, &place.tree()).iter().all(|path| !path.contains("deploy")));
            account = Account::small();
        }
    }

    #[test]
    fn where_aws_changed_too_nothing_of_the_entity_is_written() {
        let mut changed = Account::small();
        changed.role("deploy")["MaxSessionDuration"] = json!(7200);
        changed.role("audit")["Description"] = json!("changed");
        for (case, edit) in PENDING {
            let place = Place::with(&Account::small());
            edit(&place);
            let before = place.tree();
            let run = place.export(&changed, &[]).succeeded();
            assert_eq!(run.conflicting(), [FILE], "{case}");
            assert_eq!(
                changes(&before, &place.tree()),
                set(["roles/audit.json", "terraform/iam_role.audit.tf"]),
                "{case}"
            );
            assert_eq!(place.run(&[]).succeeded().conflicting(), [FILE], "{case}");

            let run = place.export(&changed, &["--overwrite"]).succeeded();
            run.assert_no_edits();
            assert_eq!(run.written(), ["deploy"], "{case}");
            assert_eq!(without_forgotten(place.tree()), Place::with(&changed).tree(), "{case}");
        }
    }

    #[test]
    fn overwrite_writes_over_an_edit_that_aws_does_not_have() {
        let account = Account::small();
        for (case, edit) in PENDING {
            let place = Place::with(&account);
            let before = place.tree();
            edit(&place);
            place.export(&account, &["--overwrite"]).succeeded().assert_no_edits();
            assert_eq!(without_forgotten(place.tree()), before, "{case}");
            // It may be applied already: to leave the block out alone would destroy it.
            let is_forgotten = place.read(FILE).contains("from = aws_iam_group.x\n");
            assert_eq!(is_forgotten, *case == "a resource added", "{case}");
            place.export(&account, &[]).succeeded().assert_still();
        }
    }

    /// The tree as it is but for what the edited file tells Terraform to forget.
    fn without_forgotten(mut tree: Tree) -> Tree {
        let text = tree.get_mut(FILE).unwrap();
        let start = text.windows(9).position(|bytes| bytes == b"\nremoved ");
        text.truncate(start.unwrap_or(text.len()));
        tree
    }

    #[test]
    fn overwrite_writes_import_blocks_again() {
        let account = Account::small();
        let place = Place::with(&account);
        let before = place.tree();
        place.export(&account, &["--no-import"]).succeeded();
        assert!(!place.read(FILE).contains("import {"));
        place.export(&account, &[]).succeeded().assert_still();
        place.export(&account, &["--overwrite"]).succeeded().assert_no_edits();
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn profile_that_an_edited_file_still_declares_is_not_declared_twice() {
        let mut account = Account::small();
        account.role("deploy")["InstanceProfileList"] = json!([profile("nodes", json!([]))]);
        let place = Place::with(&account);
        place.edit(FILE, "\"for tests\"", "\"edited\"");
        let moved = account.role("deploy")["InstanceProfileList"].take();
        account.role("deploy")["InstanceProfileList"] = json!([]);
        account.role("audit")["InstanceProfileList"] = moved;
        let before = place.tree();
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), [FILE]);
        assert_eq!(run.written(), ["audit"]);
        assert_eq!(changes(&before, &place.tree()), set(["roles/audit.json", FILE]));
        // It is one object, so it stays under its address.
        let text = place.read(FILE);
        let block = "resource \"aws_iam_instance_profile\" \"nodes\" {\n  name = \"nodes\"\n  \
                     role = aws_iam_role.audit.name\n}\n";
        assert!(text.contains(block), "{text}");
        assert!(text.contains("\"edited\""));
        place.run(&[]).succeeded().assert_still();
    }

    #[test]
    fn lesser_files_leave_what_is_known_already() {
        let account = Account::small();
        let place = Place::with(&account);
        let before = place.tree();
        let mut files = account.files();
        files.retain(|name, _| name == "authorization-details.json");
        assert_eq!(files.len(), 1);
        let run = place.export_files(&files, &[]).succeeded();
        assert!(run.written().is_empty(), "{:?}", run.written());
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn where_aws_is_gone_an_edited_file_stays() {
        let mut account = Account::small();
        let place = Place::with(&account);
        place.edit(FILE, "\"for tests\"", "\"edited\"");
        account.roles.remove("deploy");
        let before = place.tree();
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), [FILE]);
        assert_eq!(place.tree(), before);
        assert_eq!(place.export(&account, &["--overwrite"]).succeeded().removed(), ["deploy"]);
        assert_eq!(place.tree(), Place::with(&account).tree());
    }

    #[test]
    fn where_aws_has_the_edit_by_now_only_json_is_written() {
        let mut account = Account::small();
        let place = Place::with(&account);
        place.edit(FILE, "\"for tests\"", "\"edited\"");
        let before = place.tree();
        account.role("deploy")["Description"] = json!("edited");
        let run = place.export(&account, &[]).succeeded();
        run.assert_no_edits();
        assert_eq!(run.written(), ["deploy"]);
        assert_eq!(changes(&before, &place.tree()), set(["roles/deploy.json"]));
        place.run(&[]).succeeded().assert_still();
    }

    #[test]
    fn edit_that_aws_has_by_now_need_not_be_written_as_this_program_writes() {
        let mut account = Account::small();
        let place = Place::with(&account);
        place.edit(
            FILE,
            "  description = \"for tests\"",
            "  # why\n  description =   \"edited\" // so",
        );
        place.edit(FILE, "Version = \"2012-10-17\"", "Version   : \"2012-10-17\", # language");
        let before = place.tree();
        assert_eq!(place.run(&[]).succeeded().pending(), [FILE]);
        account.role("deploy")["Description"] = json!("edited");
        let run = place.export(&account, &[]).succeeded();
        run.assert_no_edits();
        assert_eq!(changes(&before, &place.tree()), set(["roles/deploy.json"]));
        place.run(&[]).succeeded().assert_no_edits();
    }

    #[test]
    fn comment_survives_and_is_never_written_over() {
        let mut account = Account::small();
        let place = Place::with(&account);
        place.edit(FILE, "  tags = {", "  # who pays\n  tags = {");
        let before = place.tree();
        let run = place.run(&[]).succeeded();
        run.assert_still();
        assert_eq!(place.tree(), before);
        // To write AWS's version would lose the comment.
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        let run = place.export(&account, &[]).succeeded();
        run.assert_no_edits();
        assert_eq!(changes(&before, &place.tree()), set(["roles/deploy.json", FILE]));
        let text = place.read(FILE);
        assert!(text.contains("  # who pays\n  tags = {"), "{text}");
        assert!(text.contains("  max_session_duration = 7200\n"), "{text}");
        assert!(text.contains("  description          = \"for tests\"\n"), "{text}");
        place.run(&[]).succeeded().assert_still();
    }

    #[test]
    fn edits_that_mean_the_same_stay_and_what_aws_changes_is_changed_among_them() {
        let edits: &[Edit] = &[
            ("a resource added", |place| {
                let text = place.read(FILE);
                let more = "resource \"aws_iam_group\" \"x\" {\n  name = \"x\"\n}\n";
                place.write(FILE, &format!("{text}\n{more}"));
            }),
            ("a variable in place of a literal", |place| {
                place.edit(FILE, "\"for tests\"", "var.description");
            }),
            ("another label", |place| {
                let text = place.read(FILE).replace("\"deploy\" {", "\"ci\" {");
                let text = text.replace("aws_iam_role.deploy", "aws_iam_role.ci");
                let moved = "moved {\n  from = aws_iam_role.deploy\n  to   = aws_iam_role.ci\n}\n";
                place.write(FILE, &format!("{moved}\n{text}"));
            }),
        ];
        let mut changed = Account::small();
        changed.role("deploy")["MaxSessionDuration"] = json!(7200);
        for (case, edit) in edits {
            let place = Place::with(&Account::small());
            edit(&place);
            let before = place.tree();
            let run = place.run(&[]).succeeded();
            run.assert_still();
            run.assert_no_edits();
            assert_eq!(place.tree(), before, "{case}");
            let text = place.read(FILE);
            let run = place.export(&changed, &[]).succeeded();
            run.assert_no_edits();
            assert_eq!(run.written(), ["deploy"], "{case}");
            let lines = |text: &str| {
                let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
                text.lines().map(words).collect::<Vec<_>>()
            };
            let mut now = lines(&place.read(FILE));
            let at = now.iter().position(|line| line == "max_session_duration = 7200");
            now.remove(at.expect("the new argument"));
            assert_eq!(now, lines(&text), "{case}");
            place.run(&[]).succeeded().assert_still();
        }
    }

    #[test]
    fn what_is_empty_or_the_default_is_as_good_as_left_out() {
        let mut account = Account::small();
        account.role("deploy")["Tags"] = json!([]);
        let place = Place::with(&account);
        place.edit(
            FILE,
            "  assume_role_policy = ",
            "  max_session_duration = local.hour\n  tags = {}\n  assume_role_policy = ",
        );
        place.write("terraform/locals.tf", "locals {\n  hour = 3600\n}\n");
        let before = place.tree();
        let run = place.run(&[]).succeeded();
        run.assert_still();
        run.assert_no_edits();
        assert_eq!(place.tree(), before);
        // It stands there already when AWS gives it a value.
        account.role("deploy")["Tags"] = json!([{ "Key": "team", "Value": "web" }]);
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        place.export(&account, &[]).succeeded().assert_no_edits();
        let text = place.read(FILE);
        assert_eq!(text.matches("tags").count(), 1, "{text}");
        assert_eq!(text.matches("max_session_duration").count(), 1, "{text}");
        assert!(text.contains("= 7200\n") && text.contains("team = \"web\""), "{text}");
        place.run(&[]).succeeded().assert_still();
    }

    #[test]
    fn what_a_variable_stands_for_and_aws_changed_is_a_conflict() {
        let mut account = Account::small();
        let place = Place::with(&account);
        place.edit(FILE, "\"for tests\"", "var.description");
        let before = place.tree();
        account.role("deploy")["Description"] = json!("changed");
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), [FILE]);
        assert_eq!(place.tree(), before);
        let told = place.told(&account);
        assert!(
            told.contains(&format!(
                "  role `deploy` in `{FILE}`\n    `description` of `aws_iam_role.deploy`"
            )) && told.contains("known to Terraform only"),
            "{told}"
        );
    }

    #[test]
    fn file_that_is_not_hcl_is_left_alone_and_the_rest_goes_on() {
        let mut account = Account::small();
        let place = Place::with(&account);
        place.write(FILE, "# mine\n<<<<<<< HEAD\n");
        let before = place.tree();
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        account.role("audit")["MaxSessionDuration"] = json!(7200);
        let run = place.export(&account, &[]).succeeded();
        let note = run.summary["notes"][0].as_str().unwrap().to_owned();
        assert!(note.starts_with(&format!("`{FILE}` line 2 column ")), "{note}");
        assert!(note.ends_with("role `deploy` is left alone"), "{note}");
        assert_eq!(
            changes(&before, &place.tree()),
            set(["roles/audit.json", "terraform/iam_role.audit.tf"])
        );
        place.export(&account, &["--overwrite"]).succeeded();
        assert_eq!(place.tree(), Place::with(&account).tree());
    }

    #[test]
    fn file_that_is_not_utf8_is_left_alone() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let text = [place.read(FILE).as_bytes(), b"# \xff\n"].concat();
        fs::write(place.path(FILE), text).unwrap();
        let before = place.tree();
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(
            run.summary["notes"][0].as_str().unwrap(),
            format!("`{FILE}` is not UTF-8; role `deploy` is left alone")
        );
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn file_that_nobody_edited_keeps_its_line_ends() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let text = place.read(FILE).replace('\n', "\r\n");
        place.write(FILE, &text);
        place.run(&[]).succeeded().assert_still();
        account.role("deploy")["Description"] = json!("changed");
        place.export(&account, &[]).succeeded();
        assert_eq!(place.read(FILE), text.replace("for tests", "changed"));
    }

    #[test]
    fn what_a_person_told_terraform_to_forget_stays_forgotten() {
        let account = Account::small();
        let place = Place::with(&account);
        place.write(FILE, &forgotten(&["aws_iam_role.deploy"]));
        let before = place.tree();
        for _ in 0..2 {
            let run = place.run(&[]).succeeded();
            assert_eq!(run.pending(), [FILE]);
            assert_eq!(place.tree(), before);
        }
    }

    #[test]
    fn import_blocks_that_a_person_took_out_stay_out() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let text = place.read(FILE);
        let without: Vec<&str> =
            text.split("\n\n").filter(|block| !block.starts_with("import")).collect();
        place.write(FILE, &without.join("\n\n"));
        let before = place.tree();
        place.run(&[]).succeeded().assert_still();
        assert_eq!(place.tree(), before);
        // What is new comes with its own, and what is changed without one.
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        account.add_policy("logs");
        account.attach("deploy", "logs");
        for round in 0..2 {
            let run = place.export(&account, &[]).succeeded();
            assert_eq!(run.written().is_empty(), round > 0);
            let text = place.read(FILE);
            assert_eq!(text.matches("import {").count(), 1, "{text}");
            assert!(text.contains("  id = \"deploy/arn:aws:iam::"), "{text}");
            assert!(text.contains("max_session_duration = 7200"), "{text}");
        }
    }

    #[test]
    fn file_under_another_name_stays_in_charge() {
        let mut account = Account::small();
        let place = Place::with(&account);
        for (from, to) in
            [(FILE, "terraform/ci.tf"), ("terraform/iam_policy.data.tf", "terraform/s3.tf")]
        {
            fs::rename(place.path(from), place.path(to)).unwrap();
        }
        let before = place.tree();
        for _ in 0..2 {
            let run = place.run(&[]).succeeded();
            run.assert_still();
            run.assert_no_edits();
            assert_eq!(place.tree(), before);
        }
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        place.export(&account, &[]).succeeded();
        assert_eq!(changes(&before, &place.tree()), set(["roles/deploy.json", "terraform/ci.tf"]));
        assert!(place.read("terraform/ci.tf").contains("  max_session_duration = 7200\n"));
    }

    #[test]
    fn policy_that_a_person_took_out_is_no_edit_of_the_roles() {
        let mut account = Account::small();
        let policy = "terraform/iam_policy.data.tf";
        let place = Place::with(&account);
        place.remove(policy);
        let run = place.run(&[]).succeeded();
        assert_eq!(run.pending(), [policy]);
        // A reference to what is not there would break every plan.
        assert_eq!(run.written(), ["build", "deploy"]);
        assert!(place.read(FILE).contains(&format!("\"{}\"", account.policy_arn("data"))));
        place.run(&[]).succeeded().assert_still();

        let place = Place::with(&account);
        place.edit(policy, "\"aws_iam_policy\" \"data\"", "\"aws_iam_policy\" \"s3\"");
        place.edit(FILE, "aws_iam_policy.data.arn", "aws_iam_policy.s3.arn");
        let before = place.tree();
        account.role("deploy")["Description"] = json!("changed");
        let run = place.export(&account, &[]).succeeded();
        run.assert_no_edits();
        assert_eq!(
            changes(&before, &place.tree()),
            set(["roles/deploy.json", FILE, "terraform/iam_role.build.tf"])
        );
        let text = place.read("terraform/iam_role.build.tf");
        assert!(text.contains("policy_arn = aws_iam_policy.s3.arn"), "{text}");
        assert!(place.read(FILE).contains("  description = \"changed\"\n"));
    }

    #[test]
    fn raw_json_in_another_format_is_the_same_json() {
        let account = Account::small();
        let place = Place::with(&account);
        let value: Value = serde_json::from_str(&place.read("roles/deploy.json")).unwrap();
        place.write("roles/deploy.json", &value.to_string());
        let before = place.tree();
        let run = place.run(&[]).succeeded();
        run.assert_still();
        assert_eq!(place.tree(), before);
    }
}

mod others {
    use super::*;

    #[test]
    fn files_of_other_origin_are_never_touched() {
        let account = Account::small();
        let place = Place::new();
        let files = [
            ("README.md", "# mine\n"),
            ("roles/README.md", "# mine\n"),
            ("roles/notes.json", "{\"RoleName\": 1}\n"),
            ("roles/old/deploy.json", "{}\n"),
            ("roles/.hidden", ""),
            ("policies/notes.json", "not JSON"),
            ("scps/notes.txt", "x"),
            ("terraform/main.tf", "locals {\n  x = 1\n}\n"),
            ("terraform/modules/x/main.tf", "resource \"aws_iam_role\" \"deploy\" {}\n"),
            ("terraform/terraform.tfvars", "x = 1\n"),
            ("terraform/iam_role.tf", "# notes\n"),
            ("terraform/.iam_role.deploy.tf", "resource \"aws_iam_role\" \"deploy\" {}\n"),
            ("terraform/iam_role.long-gone.tf", "# no JSON says that this was written here\n"),
            ("users/alice.json", "{}\n"),
        ];
        for (path, content) in files {
            place.write(path, content);
        }
        place.export(&account, &[]).succeeded();
        place.write("roles/copy.json", &place.read("roles/deploy.json"));
        place.write("policies/copy.json", &place.read("policies/data.json"));
        let copies = ["roles/copy.json", "policies/copy.json"].map(|path| (path, place.read(path)));
        let mut smaller = account.clone();
        smaller.roles.remove("deploy");
        smaller.remove_policy("data");
        let run = place.export(&smaller, &["--overwrite"]).succeeded();
        assert_eq!(run.removed(), ["data", "deploy"]);
        for (path, content) in files {
            assert_eq!(place.read(path), content, "{path}");
        }
        for (path, content) in copies {
            assert_eq!(place.read(path), content, "{path}");
        }
    }

    #[test]
    fn resource_that_a_person_declares_is_not_declared_twice() {
        let declarations = [
            ("the same label", "resource \"aws_iam_role\" \"deploy\" {\n  name = var.name\n}\n"),
            ("the same name", "resource \"aws_iam_role\" \"ci\" {\n  name = \"deploy\"\n}\n"),
            (
                "the same inline policy",
                "resource \"aws_iam_role_policy\" \"deploy__has__read\" {\n  role = \"deploy\"\n}\n",
            ),
        ];
        let account = Account::small();
        for (case, text) in declarations {
            let place = Place::new();
            place.write("terraform/main.tf", text);
            let run = place.export(&account, &[]).succeeded();
            let path = match case {
                "the same inline policy" => "terraform/iam_role.deploy.tf",
                _ => "terraform/main.tf",
            };
            assert_eq!(run.conflicting(), [path], "{case}");
            assert!(!place.has("terraform/iam_role.deploy.tf"), "{case}");
            assert!(!place.has("roles/deploy.json"), "{case}");
            assert_eq!(place.read("terraform/main.tf"), text);
            place.run(&[]).succeeded().assert_still();
        }
    }

    #[test]
    fn import_block_alone_declares_as_well() {
        for import in [
            "import {\n  to = aws_iam_role.ci\n  id = \"deploy\"\n}\n",
            "import {\n  to = aws_iam_role.deploy\n  id = var.id\n}\n",
        ] {
            let place = Place::new();
            place.write("terraform/main.tf", import);
            let run = place.export(&Account::small(), &[]).succeeded();
            assert_eq!(run.reason("deploy"), "`terraform/main.tf` declares it already");
            assert!(!place.has("terraform/iam_role.deploy.tf"));
            assert!(place.has("roles/deploy.json"));
            place.run(&[]).succeeded().assert_still();
        }
    }

    #[test]
    fn json_syntax_declares_as_well() {
        let account = Account::small();
        let place = Place::new();
        place.write(
            "terraform/main.tf.json",
            "{\"resource\": {\"aws_iam_role\": {\"ci\": {\"name\": \"deploy\"}}},\n \
             \"provider\": {\"aws\": {\"region\": \"eu-west-1\"}},\n \
             \"terraform\": {\"required_providers\": {\"aws\": {\"source\": \"hashicorp/aws\"}}}}\n",
        );
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.reason("deploy"), "`terraform/main.tf.json` declares it already");
        assert!(!place.has("terraform/provider.tf") && !place.has("terraform/versions.tf"));
    }

    #[test]
    fn override_file_declares_nothing_of_its_own() {
        let account = Account::small();
        let place = Place::with(&account);
        for path in ["terraform/iam_override.tf", "terraform/override.tf"] {
            place.write(
                path,
                "resource \"aws_iam_role\" \"deploy\" {\n  max_session_duration = 7200\n}\n",
            );
        }
        let before = place.tree();
        let run = place.run(&[]).succeeded();
        run.assert_still();
        assert_eq!(run.reason("deploy"), "");
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn resource_in_a_file_of_ones_own_is_handed_over() {
        // Under the same addresses: to forget them would contradict the other file.
        for ours in ["terraform/iam_role.deploy.tf", "terraform/iam_policy.data.tf"] {
            let place = Place::with(&Account::small());
            place.write("terraform/main.tf", &place.read(ours));
            let mut expected = place.tree();
            expected.remove(ours);
            for _ in 0..2 {
                place.run(&[]).succeeded().assert_no_edits();
                assert_eq!(place.tree(), expected, "{ours}");
            }
            place.run(&[]).succeeded().assert_still();
        }
    }

    #[test]
    fn resource_under_another_label_is_forgotten_under_ours() {
        let ours = "terraform/iam_role.deploy.tf";
        let others = [
            "aws_iam_role_policy.deploy__has__read",
            "aws_iam_role_policy_attachment.deploy__has__data",
        ];
        let resource = "resource \"aws_iam_role\" \"ci\" {\n  name = \"deploy\"\n}\n";
        let import = "import {\n  to = aws_iam_role.ci\n  id = \"deploy\"\n}\n";
        let moved = "moved {\n  from = aws_iam_role.deploy\n  to   = aws_iam_role.ci\n}\n";
        for (hint, is_forgotten) in [
            (import, true),
            (moved, false), // the state follows the `moved` block
        ] {
            let place = Place::with(&Account::small());
            place.write("terraform/main.tf", &format!("{hint}\n{resource}"));
            place.run(&[]).succeeded();
            let text = place.read(ours);
            // What only our file declares stays there.
            for address in others {
                let (resource_type, label) = address.split_once('.').unwrap();
                assert!(text.contains(&format!("resource \"{resource_type}\" \"{label}\"")));
            }
            assert_eq!(text.matches("aws_iam_role.ci.name").count(), 2, "{text}");
            assert!(!text.contains("resource \"aws_iam_role\" "), "{text}");
            assert_eq!(text.contains(&forgotten(&["aws_iam_role.deploy"])), is_forgotten);
            let before = place.tree();
            place.run(&[]).succeeded();
            assert_eq!(place.tree(), before);
        }
    }

    /// A trust policy in a file that two roles read: to change it for one would change the other.
    #[test]
    fn text_file_that_several_read_is_changed_for_none() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let trust = account.role("audit")["AssumeRolePolicyDocument"].to_string();
        place.write("terraform/trust.json", &trust);
        for role in ["audit", "build"] {
            let path = format!("terraform/iam_role.{role}.tf");
            let text = place.read(&path);
            let start = text.find("jsonencode({").unwrap();
            let end = start + text[start..].find("\n  })").unwrap() + 5;
            let file = "file(\"${path.module}/trust.json\")";
            place.write(&path, &format!("{}{file}{}", &text[..start], &text[end..]));
        }
        let before = place.tree();
        place.run(&[]).succeeded().assert_no_edits();
        assert_eq!(place.tree(), before);
        for (role, sid) in [("audit", "One"), ("build", "Two")] {
            account.role(role)["AssumeRolePolicyDocument"]["Statement"][0]["Sid"] = json!(sid);
        }
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(
            run.conflicting(),
            ["terraform/iam_role.audit.tf", "terraform/iam_role.build.tf"]
        );
        assert_eq!(
            changes(&before, &place.tree()),
            set(["roles/deploy.json", "terraform/iam_role.deploy.tf"])
        );
    }

    #[test]
    fn override_of_an_untouched_file_is_an_edit() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let text = "resource \"aws_iam_role\" \"deploy\" {\n  max_session_duration = 7200\n}\n";
        place.write("terraform/my_override.tf", text);
        let before = place.tree();
        let run = place.run(&[]).succeeded();
        assert_eq!(run.pending(), ["terraform/iam_role.deploy.tf"]);
        account.role("deploy")["MaxSessionDuration"] = json!(9000);
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), ["terraform/iam_role.deploy.tf"]);
        assert_eq!(place.tree(), before);
        // What is overridden cannot leave.
        account.roles.remove("deploy");
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), ["terraform/iam_role.deploy.tf"]);
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn output_in_an_override_file_holds_a_role_back() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let text = "output \"a\" {\n  value = aws_iam_role.audit.arn\n}\n";
        place.write("terraform/x_override.tf", text);
        let before = place.tree();
        account.roles.remove("audit");
        place.export(&account, &[]).succeeded();
        assert_eq!(place.tree(), before);
    }

    /// Without an import block Terraform would make it a second time.
    #[test]
    fn second_declaration_without_import_takes_nothing_over() {
        let mut account = Account::small();
        let ours = "terraform/iam_role.audit.tf";
        for is_edited in [false, true] {
            let place = Place::with(&account);
            let text = place.read(ours);
            let resource = &text[text.find("resource \"aws_iam_role\"").unwrap()..];
            let resource = &resource[..resource.find("\n}\n").unwrap() + 3];
            let second = resource.replace("\"audit\" {", "\"second\" {");
            place.write("terraform/dup.tf", &second);
            if is_edited {
                place.write(ours, &format!("# mine\n{text}"));
            }
            let before = place.tree();
            let run = place.run(&[]).succeeded();
            assert_eq!(place.tree(), before);
            let note = run.summary["notes"][0].as_str().unwrap().to_owned();
            assert!(note.contains("are the same object"), "{note}");
            account.role("audit")["MaxSessionDuration"] = json!(7200);
            let run = place.export(&account, &[]).succeeded();
            assert_eq!(run.conflicting().len(), 1);
            assert_eq!(place.tree(), before);
            account = Account::small();
        }
    }

    #[test]
    fn what_a_list_of_a_person_would_take_away_again_is_a_conflict() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let list = "resource \"aws_iam_role_policy_attachments_exclusive\" \"x\" {\n  \
                    role_name = aws_iam_role.audit.name\n  policy_arns = []\n}\n";
        place.write("terraform/main.tf", list);
        let before = place.tree();
        place.run(&[]).succeeded().assert_no_edits();
        account.attach("audit", "data");
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), ["terraform/iam_role.audit.tf"]);
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn what_a_list_of_a_person_still_names_is_a_conflict() {
        let mut account = Account::small();
        account.attach("audit", "data");
        let place = Place::with(&account);
        let arn = format!("arn:aws:iam::{ACCOUNT}:policy/data");
        let list = format!(
            "resource \"aws_iam_role_policy_attachments_exclusive\" \"x\" {{\n  \
             role_name = aws_iam_role.audit.name\n  policy_arns = [\"{arn}\"]\n}}\n"
        );
        place.write("terraform/main.tf", &list);
        let before = place.tree();
        place.run(&[]).succeeded().assert_no_edits();
        account.role("audit")["AttachedManagedPolicies"] = json!([]);
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), ["terraform/iam_role.audit.tf"]);
        assert_eq!(place.tree(), before);
        // Once the list has followed, so does the rest.
        place.remove("terraform/main.tf");
        let run = place.export(&account, &[]).succeeded();
        assert!(run.conflicting().is_empty());
        assert!(!place.read("terraform/iam_role.audit.tf").contains("attachment"));
    }

    /// Nobody took it out of a file in which it never was.
    #[test]
    fn new_role_joins_what_its_file_holds() {
        let account = Account::small();
        let place = Place::new();
        let notes = "# notes\n\nlocals {\n  team = \"web\"\n}\n";
        place.write("terraform/iam_role.deploy.tf", notes);
        let run = place.export(&account, &[]).succeeded();
        run.assert_no_edits();
        let text = place.read("terraform/iam_role.deploy.tf");
        let with = Place::with(&account).read("terraform/iam_role.deploy.tf");
        assert_eq!(text, format!("{notes}\n{with}"));
        place.run(&[]).succeeded().assert_still();
    }

    /// `for_each` over what only Terraform knows: a role that appears may be one of these.
    #[test]
    fn role_that_a_loop_may_declare_is_not_declared_beside_it() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let text = "variable \"teams\" {\n  type = set(string)\n}\n\n\
                    resource \"aws_iam_role\" \"team\" {\n  for_each = var.teams\n  \
                    name = each.key\n  assume_role_policy = \"{}\"\n}\n";
        place.write("terraform/teams.tf", text);
        let before = place.tree();
        place.run(&[]).succeeded().assert_no_edits();
        assert_eq!(place.tree(), before);
        account.add_role("red");
        account.role("audit")["MaxSessionDuration"] = json!(7200);
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), ["terraform/iam_role.red.tf"]);
        assert_eq!(
            changes(&before, &place.tree()),
            set(["roles/audit.json", "terraform/iam_role.audit.tf"])
        );
        // A person says that it is one of these: the raw JSON is enough.
        let with = Place::with(&account);
        place.write("roles/red.json", &with.read("roles/red.json"));
        let run = place.run(&[]).succeeded();
        run.assert_still();
        run.assert_no_edits();
        account.roles.remove("red");
        let before = place.tree();
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), ["terraform/iam_role.red.tf"]);
        assert_eq!(place.tree(), before);
    }

    /// Its own file would be told to forget it; nobody can bring a person's file to it.
    #[test]
    fn role_that_terraform_cannot_hold_any_more_is_a_conflict_with_a_persons_file() {
        let mut account = Account::small();
        for tags in [false, true] {
            let place = Place::with(&account);
            fs::rename(place.path("terraform/iam_role.audit.tf"), place.path("terraform/main.tf"))
                .unwrap();
            let before = place.tree();
            if tags {
                account.role("audit")["Tags"] = json!([{ "Key": CLOUDFORMATION, "Value": "x" }]);
            } else {
                account.role("audit")["Description"] = json!("the “main” one");
            }
            let run = place.export(&account, &[]).succeeded();
            assert_eq!(run.conflicting(), ["terraform/iam_role.audit.tf"]);
            assert_eq!(place.tree(), before);
            account = Account::small();
        }
    }

    #[test]
    fn what_others_refer_to_is_not_handed_over() {
        let place = Place::with(&Account::small());
        place.write(
            "terraform/dup.tf",
            "import {\n  to = aws_iam_role.ci\n  id = \"audit\"\n}\n\n\
             resource \"aws_iam_role\" \"ci\" {\n  name = \"audit\"\n}\n\n\
             output \"a\" {\n  value = aws_iam_role.audit.arn\n}\n",
        );
        let before = place.tree();
        place.run(&[]).succeeded();
        assert_eq!(place.tree(), before);
        let text = place.read("terraform/dup.tf").replace("aws_iam_role.audit.arn", "1");
        place.write("terraform/dup.tf", &text);
        let run = place.run(&[]).succeeded();
        assert_eq!(run.written(), ["audit"]);
        assert!(!place.read("terraform/iam_role.audit.tf").contains("resource \"aws_iam_role\" "));
    }

    #[test]
    fn file_that_is_not_hcl_is_named_in_a_note() {
        let place = Place::new();
        place.write("terraform/broken.tf", "resource \"a\" \"b\" {\n  x =\n}\n");
        let run = place.export(&Account::small(), &[]).succeeded();
        let note = run.summary["notes"][0].as_str().unwrap().to_owned();
        assert!(note.starts_with("`terraform/broken.tf` line 2 column "), "{note}");
    }

    #[test]
    fn settings_of_ones_own_are_not_set_again() {
        let account = Account::small();
        for (text, written) in [
            ("provider \"aws\" {\n  region = \"eu-west-1\"\n}\n", vec!["terraform/versions.tf"]),
            (
                "terraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n    }\n  }\n}\n",
                vec!["terraform/provider.tf"],
            ),
            (
                "provider \"aws\" {\n  alias = \"other\"\n}\n",
                vec!["terraform/versions.tf", "terraform/provider.tf"],
            ),
        ] {
            let place = Place::new();
            place.write("terraform/main.tf", text);
            let run = place.export(&account, &[]).succeeded();
            assert_eq!(run.summary["module_files_written"], json!(written));
            assert_eq!(
                place.has("terraform/provider.tf"),
                written.contains(&"terraform/provider.tf")
            );
            assert_eq!(
                place.has("terraform/versions.tf"),
                written.contains(&"terraform/versions.tf")
            );
        }
    }

    #[test]
    fn module_files_are_written_once_and_then_the_users() {
        let account = Account::small();
        let place = Place::with(&account);
        for path in ["terraform/provider.tf", "terraform/versions.tf"] {
            place.write(path, "# mine\n");
        }
        place.export(&account, &["--overwrite"]).succeeded().assert_still();
        for path in ["terraform/provider.tf", "terraform/versions.tf"] {
            assert_eq!(place.read(path), "# mine\n");
        }
    }

    #[test]
    fn corrupt_raw_json_is_named_and_the_rest_is_exported() {
        let mut account = Account::small();
        for path in ["roles/deploy.json", "policies/data.json"] {
            let place = Place::with(&account);
            let text = place.read(path);
            place.write(path, &text[..text.len() / 2]);
            let before = place.tree();
            account.role("audit")["Description"] = json!(path);
            let run = place.export(&account, &[]).failed();
            assert!(
                run.stderr.contains(&format!("`{path}` is not the raw JSON of a ")),
                "{}",
                run.stderr
            );
            assert!(run.stderr.contains("\n\nhint: "), "{}", run.stderr);
            run.assert_no_edits();
            assert_eq!(
                changes(&before, &place.tree()),
                set(["roles/audit.json", "terraform/iam_role.audit.tf"])
            );
            place.remove(path);
            place.run(&[]).succeeded().assert_no_edits();
            assert_eq!(place.tree(), Place::with(&account).tree());
        }
    }
}

mod forgetting {
    use super::*;

    const POLICY: &str = "terraform/iam_policy.data.tf";
    const ROLE: &str = "terraform/iam_role.deploy.tf";

    fn role_forgotten() -> String {
        forgotten(&[
            "aws_iam_role.deploy",
            "aws_iam_role_policy.deploy__has__read",
            "aws_iam_role_policy_attachment.deploy__has__data",
        ])
    }

    #[test]
    fn role_that_becomes_inexpressible_is_forgotten_and_never_destroyed() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let before = place.tree();
        account.role("deploy")["Description"] = json!("the “main” one");
        let run = place.export(&account, &[]).succeeded();
        run.assert_no_edits();
        assert!(run.reason("deploy").contains("`“`"), "{}", run.reason("deploy"));
        assert_eq!(place.read(ROLE), role_forgotten());
        place.assert_formatted();
        let run = place.run(&[]).succeeded();
        run.assert_still();
        run.assert_no_edits();

        // A change of the raw JSON alone leaves the blocks as they are.
        account.role("deploy")["Tags"] = json!([]);
        place.export(&account, &[]).succeeded().assert_no_edits();
        assert_eq!(place.read(ROLE), role_forgotten());

        account = Account::small();
        place.export(&account, &[]).succeeded().assert_no_edits();
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn what_something_else_manages_by_now_is_forgotten() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let before = place.tree();
        let owner = json!([{ "Key": CLOUDFORMATION, "Value": "network" }]);
        account.role("deploy")["Tags"] = owner.clone();
        account.policy("data")["Tags"] = owner;
        let run = place.export(&account, &[]).succeeded();
        run.assert_no_edits();
        assert!(run.reason("data").contains("`aws:cloudformation:stack-name = network`"));
        assert_eq!(place.read(ROLE), role_forgotten());
        assert_eq!(place.read(POLICY), forgotten(&["aws_iam_policy.data"]));
        // Whoever refers to the policy says its ARN again.
        let literal = format!("\"{}\"", account.policy_arn("data"));
        assert!(place.read("terraform/iam_role.build.tf").contains(&literal));
        place.run(&[]).succeeded().assert_still();

        let run = place.export(&account, &["--managed-elsewhere"]).succeeded();
        run.assert_no_edits();
        assert!(place.read(ROLE).contains("resource \"aws_iam_role\" \"deploy\""));
        assert!(place.read(POLICY).contains("resource \"aws_iam_policy\" \"data\""));
        place.run(&["--managed-elsewhere"]).succeeded().assert_still();
        place.run(&[]).succeeded().assert_no_edits();
        assert_eq!(place.read(ROLE), role_forgotten());

        let account = Account::small();
        place.export(&account, &[]).succeeded().assert_no_edits();
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn instance_profile_that_something_else_manages_by_now_is_forgotten() {
        let mut account = Account::small();
        account.role("deploy")["InstanceProfileList"] = json!([profile("web", json!([]))]);
        let place = Place::with(&account);
        let before = place.tree();
        let owner = json!([{ "Key": CLOUDFORMATION, "Value": "network" }]);
        account.role("deploy")["InstanceProfileList"] = json!([profile("web", owner)]);
        place.export(&account, &[]).succeeded().assert_no_edits();
        let text = place.read(ROLE);
        assert!(text.ends_with(&forgotten(&["aws_iam_instance_profile.web"])), "{text}");
        assert!(!text.contains("resource \"aws_iam_instance_profile\""));
        let run = place.run(&[]).succeeded();
        run.assert_still();
        run.assert_no_edits();
        account.role("deploy")["InstanceProfileList"] = json!([profile("web", json!([]))]);
        place.export(&account, &[]).succeeded().assert_no_edits();
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn attachments_of_organizations_policies_come_and_go_with_overwrite_alone() {
        let mut account = Account::small();
        account.attach_to_target("p-abcd1234", "r-ab12");
        let place = Place::with(&account);
        let file = "terraform/organizations_policy.p-abcd1234.tf";
        let without = place.read(file);
        // A person may have taken them out, or never asked for them: nobody knows.
        let run = place.run(&["--organizations-attachments"]).succeeded();
        assert_eq!(run.pending(), [file]);
        place.run(&["--organizations-attachments", "--overwrite"]).succeeded();
        let with = place.read(file);
        assert!(with.contains("id = \"r-ab12:p-abcd1234\""), "{with}");
        place.run(&["--organizations-attachments"]).succeeded().assert_no_edits();

        place.run(&[]).succeeded().assert_still();
        assert_eq!(place.read(file), with);
        place.run(&["--overwrite"]).succeeded();
        let address = "aws_organizations_policy_attachment.p-abcd1234__on__r-ab12";
        assert_eq!(place.read(file), format!("{without}\n{}", forgotten(&[address])));
        let run = place.run(&[]).succeeded();
        run.assert_still();
        run.assert_no_edits();
    }

    /// Its blocks would attach it again.
    #[test]
    fn target_that_leaves_a_file_with_attachments_is_a_conflict_without_them() {
        let mut account = Account::small();
        account.attach_to_target("p-abcd1234", "r-ab12");
        let place = Place::new();
        place.export(&account, &["--organizations-attachments"]).succeeded();
        let before = place.tree();
        place.run(&[]).succeeded().assert_still();
        account.organizations.get_mut("p-abcd1234").unwrap()["Targets"] = json!([]);
        let run = place.export(&account, &[]).succeeded();
        assert_eq!(run.conflicting(), ["terraform/organizations_policy.p-abcd1234.tf"]);
        assert_eq!(place.tree(), before);
        let run = place.run(&["--organizations-attachments"]).succeeded();
        assert_eq!(run.written(), ["p-abcd1234"]);
        assert!(!place.read("terraform/organizations_policy.p-abcd1234.tf").contains("r-ab12"));
    }

    #[test]
    fn overwrite_leaves_others_in_the_file_alone() {
        let mut account = Account::small();
        let place = Place::with(&account);
        let audit = "terraform/iam_role.audit.tf";
        let both = format!("{}\n{}", place.read(ROLE), place.read(audit));
        place.write(ROLE, &both);
        place.remove(audit);
        account.role("deploy")["MaxSessionDuration"] = json!(7200);
        place.edit(ROLE, "\"for tests\"", "\"edited\"");
        place.export(&account, &["--overwrite"]).succeeded();
        let text = place.read(ROLE);
        assert!(text.contains("resource \"aws_iam_role\" \"audit\"") && !text.contains("removed"));
        assert!(text.contains("= 7200") && !text.contains("edited"), "{text}");
        place.run(&[]).succeeded().assert_still();
        assert!(!place.has(audit));
    }

    #[test]
    fn what_was_never_terraform_leaves_nothing_to_forget() {
        let mut account = Account::small();
        account.role("deploy")["Description"] = json!("the “main” one");
        let place = Place::with(&account);
        assert!(!place.has(ROLE));
        account.roles.remove("deploy");
        assert_eq!(place.export(&account, &[]).succeeded().removed(), ["deploy"]);
        assert_eq!(place.tree(), Place::with(&account).tree());
    }

    #[test]
    fn edit_is_not_forgotten() {
        let mut account = Account::small();
        let place = Place::with(&account);
        place.edit(ROLE, "\"for tests\"", "\"edited\"");
        let before = place.tree();
        account.role("deploy")["Description"] = json!("the “main” one");
        assert_eq!(place.export(&account, &[]).succeeded().conflicting(), [ROLE]);
        assert_eq!(place.tree(), before);
    }

    #[test]
    fn forgotten_entity_that_is_gone_takes_its_blocks_with_it() {
        let mut account = Account::small();
        let place = Place::with(&account);
        account.role("deploy")["Description"] = json!("the “main” one");
        place.export(&account, &[]).succeeded();
        account.roles.remove("deploy");
        assert_eq!(place.export(&account, &[]).succeeded().removed(), ["deploy"]);
        assert_eq!(place.tree(), Place::with(&account).tree());
    }
}

mod interruption {
    use super::*;

    /// Every kind of change at once, `size` times.
    fn before_and_after(size: usize) -> (Account, Account) {
        let mut before = Account::new();
        for index in 0..size {
            for kind in ["appears", "changes", "curly", "gone", "stays"] {
                before.add_policy(&format!("{kind}{index}"));
                before.add_role(&format!("{kind}{index}"));
            }
            let owner = json!([{ "Key": CLOUDFORMATION, "Value": "network" }]);
            before.policy(&format!("appears{index}"))["Tags"] = owner;
            for policy in ["appears", "curly", "gone", "stays"] {
                before.attach(&format!("stays{index}"), &format!("{policy}{index}"));
            }
            before.attach(&format!("changes{index}"), &format!("appears{index}"));
            before.attach(&format!("appears{index}"), &format!("curly{index}"));
            before.attach(&format!("gone{index}"), &format!("gone{index}"));
        }
        let mut after = before.clone();
        for index in 0..size {
            after.policy(&format!("appears{index}"))["Tags"] = json!([]);
            after.policy(&format!("changes{index}"))["Description"] = json!("changed");
            let owner = json!([{ "Key": CLOUDFORMATION, "Value": "network" }]);
            after.policy(&format!("curly{index}"))["Tags"] = owner;
            after.remove_policy(&format!("gone{index}"));
            let name = format!("appears{index}");
            after.role(&name)["Description"] = json!("changed");
            after.role(&format!("changes{index}"))["MaxSessionDuration"] = json!(7200);
            after.role(&format!("curly{index}"))["Description"] = json!("“x”");
            after.roles.remove(&format!("gone{index}"));
            after.add_role(&format!("new{index}"));
            after.add_policy(&format!("new{index}"));
            after.attach(&format!("new{index}"), &format!("new{index}"));
            after.attach(&format!("stays{index}"), &format!("new{index}"));
        }
        (before, after)
    }

    fn assert_old_or_new(now: &Tree, before: &Tree, after: &Tree) {
        for (path, content) in now {
            if path.ends_with(".aws-iam-gitops-unfinished") {
                continue;
            }
            let is_either = before.get(path) == Some(content) || after.get(path) == Some(content);
            assert!(is_either, "`{path}` is neither old nor new");
        }
        for path in before.keys().filter(|path| after.contains_key(*path)) {
            assert!(now.contains_key(path), "`{path}` is lost");
        }
    }

    /// A folder in the place of an unfinished file stops the export at exactly that write.
    #[test]
    fn export_that_stops_at_any_write_is_completed_by_the_next() {
        let (old, new) = before_and_after(1);
        let place = Place::with(&old);
        let before = place.tree();
        place.export(&new, &[]).succeeded().assert_no_edits();
        let after = place.tree();
        place.run(&[]).succeeded().assert_still();
        let written: Vec<_> =
            changes(&before, &after).into_iter().filter(|path| after.contains_key(path)).collect();
        assert!(written.len() > 15, "{written:?}");
        for path in &written {
            place.put_tree(&before);
            let (folder, name) = path.rsplit_once('/').expect("a folder");
            let obstacle = place.path(&format!("{folder}/.{name}.aws-iam-gitops-unfinished"));
            fs::create_dir(&obstacle).expect("make a folder");
            let run = place.run(&[]).failed();
            assert!(run.stderr.contains("cannot write"), "{}", run.stderr);
            assert!(run.stderr.contains(path), "{}", run.stderr);
            assert_old_or_new(&place.tree(), &before, &after);
            fs::remove_dir(&obstacle).expect("remove");
            place.run(&[]).succeeded().assert_no_edits();
            let now = place.tree();
            assert_eq!(changes(&now, &after), set([]), "after stopping at `{path}`");
        }
    }

    #[test]
    fn first_export_that_stops_at_any_write_is_completed_by_the_next() {
        let account = Account::small();
        let after = Place::with(&account).tree();
        let place = Place::new();
        place.put_files(&account.files());
        for path in after.keys() {
            let _ = fs::remove_dir_all(place.path(""));
            fs::create_dir_all(place.path(path)).expect("make a folder");
            let run = place.run(&[]).failed();
            assert!(run.stderr.contains(path), "{}", run.stderr);
            assert_old_or_new(&place.tree(), &Tree::new(), &after);
            fs::remove_dir(place.path(path)).expect("remove");
            place.run(&[]).succeeded().assert_no_edits();
            assert_eq!(place.tree(), after, "after stopping at `{path}`");
        }
    }

    #[test]
    fn killed_export_is_completed_by_the_next() {
        const ENOUGH: usize = 30;
        let (old, new) = before_and_after(8);
        let place = Place::with(&old);
        let before = place.tree();
        place.put_files(&new.files());
        let start = Instant::now();
        let mut child =
            place.command(&[]).stdout(Stdio::null()).spawn().expect("the program starts");
        wait_for_first_write(&place, &mut child);
        let first_write = start.elapsed();
        assert!(child.wait().expect("wait").success());
        let writing = start.elapsed() - first_write;
        let after = place.tree();
        let mut midway = 0;
        for attempt in 0..600u32 {
            if midway == ENOUGH {
                break;
            }
            place.put_tree(&before);
            // Once, and every third time twice in a row.
            for _ in 0..if attempt % 3 == 0 { 2 } else { 1 } {
                let mut child = place
                    .command(&[])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("the program starts");
                wait_for_first_write(&place, &mut child);
                std::thread::sleep(delay(attempt, writing));
                child.kill().expect("kill");
                child.wait().expect("wait");
            }
            let now = place.tree();
            assert_old_or_new(&now, &before, &after);
            midway += usize::from(now != before && now != after);
            let run = place.run(&[]).succeeded();
            run.assert_no_edits();
            assert_eq!(changes(&place.tree(), &after), set([]), "attempt {attempt}");
        }
        assert_eq!(midway, ENOUGH, "too few exports were killed while they wrote");
    }

    /// Waits until a file of the module is written, or the program has ended.
    fn wait_for_first_write(place: &Place, child: &mut Child) {
        let folder = place.path("terraform");
        let modified = || folder.metadata().expect("metadata").modified().expect("a time");
        let before = modified();
        while modified() == before && child.try_wait().expect("wait").is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Spread over the time of writing, without a pattern that the writes could fall into.
    fn delay(attempt: u32, writing: Duration) -> Duration {
        writing.mul_f64(f64::from(attempt * 61_803 % 100_000) / 100_000.0)
    }
}

mod accounts {
    use super::*;

    fn other() -> Account {
        let mut account = Account { id: "444455556666", ..Account::new() };
        account.add_role("other");
        account.add_policy("other");
        account
    }

    /// The files of two accounts side by side.
    fn together(one: &Account, two: &Account) -> BTreeMap<String, Value> {
        let prefixed = |account: &Account| -> Vec<_> {
            let id = account.id;
            account
                .files()
                .into_iter()
                .map(move |(name, file)| (format!("{id}.{name}"), file))
                .collect()
        };
        prefixed(one).into_iter().chain(prefixed(two)).collect()
    }

    #[test]
    fn folder_of_another_account_is_refused() {
        let place = Place::with(&Account::small());
        let before = place.tree();
        for arguments in [&[][..], &["--overwrite"]] {
            let run = place.export(&other(), arguments).failed();
            assert!(
                run.stderr.contains("holds account `111122223333`")
                    && run.stderr.contains("this is account `444455556666`")
                    && run.stderr.contains("\n\nhint: "),
                "{}",
                run.stderr
            );
            assert_eq!(place.tree(), before);
        }
    }

    #[test]
    fn of_two_accounts_the_larger_is_taken_and_the_other_is_reported() {
        let files = together(&Account::small(), &other());
        let place = Place::new();
        let run = place.export_files(&files, &[]).succeeded();
        assert_eq!(run.summary["account"], ACCOUNT);
        assert_eq!(run.reason("other"), "of another account than `111122223333`");
        assert_eq!(place.tree(), Place::with(&Account::small()).tree());
    }

    #[test]
    fn account_option_takes_the_other() {
        let files = together(&Account::small(), &other());
        let place = Place::new();
        let run = place.export_files(&files, &["--account", "444455556666"]).succeeded();
        assert_eq!(run.summary["account"], "444455556666");
        assert!(place.has("roles/other.json") && !place.has("roles/deploy.json"));
        assert!(place.read("terraform/provider.tf").contains("[\"444455556666\"]"));
    }

    #[test]
    fn account_that_is_not_in_the_files_is_an_error() {
        let place = Place::new();
        let run = place.export(&Account::small(), &["--account", "999999999999"]).failed();
        assert!(run.stderr.contains("`999999999999`"), "{}", run.stderr);
        assert!(run.stderr.contains("`111122223333`"), "{}", run.stderr);
        assert!(!place.has(""));
    }

    #[test]
    fn tie_is_an_error_that_names_the_option() {
        let mut one = Account::new();
        one.add_role("one");
        one.add_policy("one");
        let place = Place::new();
        let run = place.export_files(&together(&one, &other()), &[]).failed();
        assert!(run.stderr.contains("`111122223333` and `444455556666`"), "{}", run.stderr);
        assert!(run.stderr.contains("--account"), "{}", run.stderr);
        assert!(!place.has(""));
    }
}

mod names {
    use super::*;

    fn export(from: &str, to: &Path) -> Output {
        Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
            .args(["export", "--aws-managed", "--organizations-attachments", "--from"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(from))
            .arg("--to")
            .arg(to)
            .output()
            .expect("the program starts")
    }

    fn files_below(folder: &Path) -> Vec<String> {
        let mut files = Vec::new();
        collect(folder, folder, &mut |path, _| files.push(path.to_owned()));
        files
    }

    fn assert_valid_everywhere(path: &str) {
        let parts: Vec<_> = path.split('/').collect();
        assert_eq!(parts.len(), 2, "{path}");
        let name = parts[1];
        assert!(
            name.bytes().all(|b| b.is_ascii_graphic() && !b"<>:\"/\\|?*".contains(&b)),
            "{path}"
        );
        assert!(name.len() <= 255 && !name.ends_with(['.', ' ']), "{path}");
        let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let devices = ["con", "prn", "aux", "nul", "com1", "lpt1", "com9", "lpt9"];
        assert!(!devices.contains(&stem.as_str()), "{path}");
        let is_merged = parts[0] == "terraform"
            && (name == "override.tf" || name.ends_with("_override.tf") || name.starts_with('.'));
        assert!(!is_merged, "{path}");
    }

    fn assert_distinct(names: impl Iterator<Item = String>) {
        let mut seen = BTreeSet::new();
        for name in names {
            assert!(seen.insert(name.to_lowercase()), "{name}");
        }
    }

    #[test]
    fn awkward_names_are_distinct_and_formatted() {
        for from in ["examples/account", "tests/accounts/hostile"] {
            let to = tempfile::tempdir().unwrap();
            let output = export(from, to.path());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            support::assert_formatted(to.path());
            let files = files_below(to.path());
            files.iter().for_each(|path| assert_valid_everywhere(path));
            assert_distinct(files.iter().cloned());
            let mut addresses = Vec::new();
            for path in files.iter().filter(|path| path.ends_with(".tf")) {
                let text = fs::read_to_string(to.path().join(path)).unwrap();
                let resources = text.lines().filter(|line| line.starts_with("resource \""));
                addresses.extend(resources.map(str::to_owned));
            }
            assert!(addresses.len() > 20);
            assert_distinct(addresses.into_iter());
        }
    }

    #[test]
    fn what_aws_would_never_hold_does_no_harm() {
        let around = tempfile::tempdir().unwrap();
        let to = around.path().join("a/b/c");
        let output = export("tests/accounts/hostile-illegal", &to);
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("role `same` stands twice in `"), "{stderr}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        for text in [&stdout, &stderr] {
            let found = text.chars().find(|c| {
                *c != '\n'
                    && (c.is_control()
                        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}'..='\u{200f}'))
            });
            assert_eq!(found, None);
            assert!(!text.lines().any(|line| line.starts_with("::")), "a workflow command");
        }

        let below = files_below(&to);
        assert_eq!(files_below(around.path()).len(), below.len(), "outside the folder");
        below.iter().for_each(|path| assert_valid_everywhere(path));
        support::assert_formatted(&to);
        for path in [
            "roles/harmless.json",
            "policies/harmless.json",
            "terraform/iam_role.harmless.tf",
            "terraform/iam_policy.harmless.tf",
        ] {
            assert!(to.join(path).exists(), "{path}");
        }
        let before: Vec<_> = below.iter().map(|path| fs::read(to.join(path)).unwrap()).collect();
        export("tests/accounts/hostile-illegal", &to);
        let after: Vec<_> = below.iter().map(|path| fs::read(to.join(path)).unwrap()).collect();
        assert!(files_below(&to) == below && before == after);
    }
}
