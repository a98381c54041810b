//! What holds for every kind, driven by the table of kinds: zero diff, the circle, events, edits in
//! place, refusals, files in place of calls. A kind without cases fails.
//!
//! All cases share one account, one repository and one module, so that kinds meet each other and
//! Terraform is started a few times only.

#[path = "../support/mod.rs"]
mod support;

mod account_aliases;
mod delegated_administrators;
mod documented;
mod groups;
mod openid_connect_providers;
mod organization_resource_policies;
mod organizational_units;
mod organizations_accounts;
mod organizations_policies;
mod outputs;
mod password_policies;
mod permission_sets;
mod policies;
mod roles;
mod saml_providers;
mod service_linked_roles;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use aws_iam_gitops::resource::{KINDS, export_permissions, sync_permissions};
use aws_iam_gitops::settings::values::kind_name;
use serde_json::{Map, Value, json};
use support::bare::{Bare, git};
use support::module::Module;
use support::python::Emulator;
use support::raw_json::ACCOUNT;
use support::refusing::Refusing;
use support::repository::{Repository, Summary, Tree, differences};

/// What is known of one kind.
pub struct Cases {
    /// Its plural.
    pub kind: &'static str,
    /// What of it is in the account, as members of the emulator's account.
    pub account: fn() -> Value,
    /// How many resources that are.
    pub resources: usize,
    pub edits: &'static [Edit],
    pub changes: fn() -> Vec<Change>,
    /// What Terraform plans after the changes though AWS has it already, since the provider does not
    /// look: applying it changes nothing.
    pub unseen: &'static [&'static str],
    /// Operations without which the kind is not known whole: `ListRoles`.
    pub listings: &'static [&'static str],
}

/// What a person changes in Terraform.
pub struct Edit {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    /// What Terraform updates; what else it does stands behind it: `x delete+create`.
    pub address: &'static str,
    /// The arguments in which it does.
    pub arguments: &'static [&'static str],
    /// The raw JSON files that are written once AWS has it.
    pub json: &'static [&'static str],
}

/// A change in AWS, and what CloudTrail records of it.
pub struct Change {
    /// In Python: `client.iam('TagUser', …)`.
    pub call: String,
    /// `iam`.
    pub service: &'static str,
    pub action: &'static str,
    pub request: Value,
    pub response: Value,
    /// What the event writes: `changed users/alice.json`.
    pub files: &'static [&'static str],
}

static CASES: &[&Cases] = &[
    &policies::CASES,
    &groups::CASES,
    &users::CASES,
    &roles::CASES,
    &service_linked_roles::CASES,
    &openid_connect_providers::CASES,
    &saml_providers::CASES,
    &account_aliases::CASES,
    &password_policies::CASES,
    &organizational_units::CASES,
    &organizations_accounts::CASES,
    &delegated_administrators::CASES,
    &organization_resource_policies::CASES,
    &organizations_policies::CASES,
    &permission_sets::CASES,
];

impl Edit {
    fn address(&self) -> &str {
        self.address.split(' ').next().unwrap_or_default()
    }

    fn action(&self) -> String {
        let action = self.address.split(' ').nth(1).unwrap_or("update");
        format!("{} {action}", self.address())
    }
}

/// A call of IAM with these parameters, as the API and CloudTrail call them.
pub fn iam(action: &'static str, request: Value, files: &'static [&'static str]) -> Change {
    change("iam", action, &request, files)
}

/// A call of Organizations.
pub fn organizations(
    action: &'static str,
    request: Value,
    files: &'static [&'static str],
) -> Change {
    change("organizations", action, &request, files)
}

fn change(
    service: &'static str,
    action: &'static str,
    parameters: &Value,
    files: &'static [&'static str],
) -> Change {
    let mut call = format!("import json\nclient.{service}('{action}'");
    let mut request = Map::new();
    for (name, value) in parameters.as_object().expect("parameters") {
        let text = Value::String(value.to_string()).to_string();
        call.push_str(&format!(", {name}=json.loads({text})"));
        request.insert(format!("{}{}", name[..1].to_lowercase(), &name[1..]), value.clone());
    }
    call.push(')');
    let request = Value::Object(request);
    Change { call, service, action, request, response: Value::Null, files }
}

/// A document that allows one action.
pub fn document(action: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Sid": "One", "Effect": "Allow", "Action": [action], "Resource": "*" }]
    })
}

/// Tags of an entity.
pub fn tags(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

pub fn attached(arns: &[&str]) -> Value {
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    arns.iter().map(|arn| json!({ "PolicyName": name(arn), "PolicyArn": arn })).collect()
}

pub const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

/// One account with what all cases have.
fn account() -> Value {
    let mut account = Map::new();
    account.insert("account".to_owned(), json!(ACCOUNT));
    for cases in CASES {
        let Value::Object(members) = (cases.account)() else { panic!("{}: no object", cases.kind) };
        for (member, value) in members {
            match (account.get_mut(&member), value) {
                (Some(Value::Array(list)), Value::Array(more)) => list.extend(more),
                (None, value) => drop(account.insert(member, value)),
                (Some(_), _) => panic!("`{member}` is there twice"),
            }
        }
    }
    Value::Object(account)
}

fn emulator() -> Emulator {
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    fs::write(file.path(), account().to_string()).expect("write the account");
    Emulator::start(Some(file.path()))
}

/// A folder whose settings ask for every kind.
fn repository() -> Repository {
    let repository = Repository::new();
    let names: Vec<_> = KINDS.iter().map(|kind| kind_name(kind.plural)).collect();
    let settings =
        format!("kinds = {names:?}\norganizations_attachments = true\nexclusive = true\n");
    repository.write("aws-iam-gitops.toml", &settings);
    repository
}

fn files_in(tree: &Tree, folder: &str) -> Tree {
    let files = tree.iter().filter(|(path, _)| path.starts_with(folder));
    files.map(|(path, content)| (path.clone(), content.clone())).collect()
}

/// The arguments that Terraform files give to resources, by type.
fn written_arguments(tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for content in files_in(tree, "terraform/").values() {
        let mut resource_type = None;
        for line in content.lines() {
            if let Some(rest) = line.strip_prefix("resource \"") {
                resource_type = rest.split('"').next();
            } else if line == "}" {
                resource_type = None;
            } else if let (Some(of), Some(rest)) = (resource_type, line.strip_prefix("  "))
                && let Some((argument, _)) = rest.split_once(" = ").or(rest.split_once(" {"))
                && !rest.starts_with(' ')
                && argument != "lifecycle"
            {
                found.entry(of.to_owned()).or_default().insert(argument.trim().to_owned());
            }
        }
    }
    found
}

#[track_caller]
fn assert_export_changes(
    repository: &Repository,
    emulator: &Emulator,
    expected: &[&str],
) -> Summary {
    let before = repository.tree();
    let summary = repository.export(emulator, &[]);
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let mut found = differences(&before, &repository.tree());
    found.sort();
    assert_eq!(found, expected, "{:#}", summary.0);
    summary
}

#[test]
fn every_kind_has_cases() {
    let with_cases: Vec<_> = CASES.iter().map(|cases| cases.kind).collect();
    let kinds: Vec<_> = KINDS.iter().map(|kind| kind.plural).collect();
    assert_eq!(with_cases, kinds);
    for cases in CASES {
        assert!(cases.resources > 0 && !cases.listings.is_empty(), "{}", cases.kind);
        let kind = KINDS.iter().find(|kind| kind.plural == cases.kind).expect("checked");
        // What is nothing but its identity cannot be edited, only made and removed.
        let mut types = kind.resource_types.iter();
        let is_editable = types.any(|of| of.written.iter().any(|name| !of.identity.contains(name)));
        assert_ne!(is_editable, cases.edits.is_empty(), "{}", cases.kind);
        let changes = (cases.changes)();
        // An action in which its changes are seen, and one by which an entity comes or goes.
        let is_its = |change: &&Change| {
            kind.actions.iter().any(|action| action.names.contains(&change.action))
        };
        assert!(changes.iter().all(|change| is_its(&change)), "{}", cases.kind);
        let comes_or_goes = |file: &&str| !file.starts_with("changed ");
        let files = || changes.iter().flat_map(|change| change.files);
        assert!(files().any(&comes_or_goes), "{}", cases.kind);
        assert!(files().any(|file| !comes_or_goes(file)), "{}", cases.kind);
    }
}

#[test]
fn every_kind_goes_round() {
    let emulator = emulator();
    let repository = repository();
    let first = repository.export(&emulator, &[]);
    assert_export_changes(&repository, &emulator, &[]);
    let again = support::run::export(&emulator.environment(), repository.folder(), &["-v"]);
    assert_eq!(calls(&again.stderr), owned(export_permissions()));
    support::assert_formatted(&repository.root());

    // All that can be written is, in some case.
    let written = written_arguments(&repository.tree());
    for resource_type in KINDS.iter().flat_map(|kind| kind.resource_types) {
        let arguments = written.get(resource_type.name).cloned().unwrap_or_default();
        let listed = resource_type.written.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(arguments, listed, "{}", resource_type.name);
    }

    let module = Module::new(&repository.root(), &emulator);
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    let types_of = |cases: &Cases| -> BTreeSet<&str> {
        let kind = KINDS.iter().find(|kind| kind.plural == cases.kind).expect("a kind");
        kind.resource_types.iter().map(|of| of.name).collect()
    };
    for cases in CASES {
        let types = types_of(cases);
        let imports = plan.imports();
        let its: Vec<_> = imports
            .iter()
            .filter(|address| types.contains(address.split('.').next().unwrap_or_default()))
            .collect();
        assert_eq!(its.len(), cases.resources, "{}: {its:#?}\n{:#}", cases.kind, first.0);
    }
    assert_eq!(plan.imports().len(), plan.resources());
    module.apply();
    assert_eq!(module.plan().actions(), [""; 0]);

    what_files_leave_to_aws_is_no_edit(&repository, &module, &emulator);
    edits_go_to_aws(&repository, &module, &emulator);
    events_are_written_between_comments(&repository, &module, &emulator);
}

/// Arguments that the provider takes from AWS where a file does not give them may go from the files:
/// nothing is pending, and nothing is planned.
fn what_files_leave_to_aws_is_no_edit(
    repository: &Repository,
    module: &Module,
    emulator: &Emulator,
) {
    let before = repository.tree();
    let mut went = BTreeSet::new();
    for (path, content) in files_in(&before, "terraform/") {
        let shorter = without_computed(&content, &mut went);
        if shorter != content {
            repository.write(&path, &shorter);
        }
    }
    let computed = KINDS
        .iter()
        .flat_map(|kind| kind.resource_types)
        .flat_map(|of| of.computed.iter().map(|name| (of.name.to_owned(), (*name).to_owned())));
    assert_eq!(went, computed.collect());
    let summary = assert_export_changes(repository, emulator, &[]);
    assert_eq!(summary.names("pending"), [""; 0]);
    assert_eq!(module.plan().actions(), [""; 0]);
    for (path, content) in files_in(&before, "terraform/") {
        repository.write(&path, &content);
    }
}

/// A file without its computed arguments; adds which went.
fn without_computed(content: &str, went: &mut BTreeSet<(String, String)>) -> String {
    let types = || KINDS.iter().flat_map(|kind| kind.resource_types);
    let (mut kept, mut of, mut is_within) = (String::new(), None, false);
    for line in content.lines() {
        if let Some(rest) = line.strip_prefix("resource \"") {
            of = types().find(|of| rest.starts_with(&format!("{}\"", of.name)));
        }
        let computed = of.and_then(|of| {
            let name = line.strip_prefix("  ")?.split(' ').next()?;
            of.computed.contains(&name).then(|| (of.name.to_owned(), name.to_owned()))
        });
        let is_first = computed.is_some();
        went.extend(computed);
        if is_first {
            is_within = line.ends_with('[');
        } else if is_within {
            is_within = line != "  ]";
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// What people edit is pending until it is applied, and then comes back as raw JSON alone.
fn edits_go_to_aws(repository: &Repository, module: &Module, emulator: &Emulator) {
    let edits: Vec<_> = CASES.iter().flat_map(|cases| cases.edits).collect();
    for edit in &edits {
        repository.edit(edit.file, edit.from, edit.to);
    }
    let summary = assert_export_changes(repository, emulator, &[]);
    let pending: BTreeSet<_> = summary.names("pending").into_iter().collect();
    assert_eq!(pending, edits.iter().map(|edit| edit.file).collect());
    let plan = module.plan();
    let actions: BTreeSet<_> = plan.actions().into_iter().collect();
    let expected = edits.iter().map(|edit| edit.action()).collect();
    assert_eq!(actions, expected);
    for edit in &edits {
        assert_eq!(plan.changed_arguments(edit.address()), edit.arguments, "{}", edit.address);
    }
    module.apply();
    let edited = files_in(&repository.tree(), "terraform/");
    let json = edits.iter().flat_map(|edit| edit.json);
    let json: BTreeSet<_> = json.map(|path| format!("changed {path}")).collect();
    let json: Vec<_> = json.iter().map(String::as_str).collect();
    assert_export_changes(repository, emulator, &json);
    assert_eq!(files_in(&repository.tree(), "terraform/"), edited);
    assert_eq!(module.plan().actions(), [""; 0]);
}

const COMMENT: &str = "  # agreed in the spring\n";

/// With a comment in every resource, AWS changes, event after event: each writes what it touched, the
/// comments stay, and in the end a full export and Terraform have nothing to do.
fn events_are_written_between_comments(
    repository: &Repository,
    module: &Module,
    emulator: &Emulator,
) {
    for (path, content) in files_in(&repository.tree(), "terraform/") {
        let commented = content.lines().map(|line| match line.starts_with("resource \"") {
            true => format!("{line}\n{COMMENT}"),
            false => format!("{line}\n"),
        });
        repository.write(&path, &commented.collect::<String>());
    }
    assert_export_changes(repository, emulator, &[]);
    let commented = files_in(&repository.tree(), "terraform/");
    let bare = Bare::new();
    commit(repository, &bare);
    let mut called = BTreeSet::new();
    for (number, change) in CASES.iter().flat_map(|cases| (cases.changes)()).enumerate() {
        emulator.call(&change.call);
        let before = bare.head("main");
        let record = bare.scratch("event.json");
        fs::write(&record, record_of(number, &change).to_string()).expect("write the event");
        let (told, calls) = sync(&bare, emulator, &["event", record.to_str().expect("UTF-8")]);
        called.extend(calls);
        let after = bare.head("main");
        assert_ne!(before, after, "{}: no commit\n{told}", change.action);
        let names = bare.git(&["diff", "--name-status", "--no-renames", "main~1", "main"]);
        let found: BTreeSet<_> = names.lines().map(described).collect();
        let expected = change.files.iter().map(|file| (*file).to_owned()).collect();
        assert_eq!(found, expected, "{} {}\n{told}", change.action, change.request);
        let subject = bare.git(&["log", "-1", "--format=%s", "main"]);
        assert!(!subject.contains("ps-"), "an ID in place of a name: {subject}");
    }
    let named = KINDS.iter().flat_map(|kind| kind.named_permissions).copied();
    assert_eq!(&owned(named) - &called, BTreeSet::new(), "permissions that no event needs");
    assert_eq!(&called - &owned(sync_permissions()), BTreeSet::new(), "calls beyond those told");
    let head = bare.head("main");
    sync(&bare, emulator, &["sync"]);
    let all = bare.git(&["log", "-1", "-p", "main"]);
    assert_eq!(bare.head("main"), head, "a full export has something to write:\n{all}");

    let files = bare.files("main");
    for path in files_in(&repository.tree(), "terraform/").keys() {
        repository.remove(path);
    }
    for (path, content) in files.iter().filter(|(path, _)| path.starts_with("terraform/")) {
        repository.write(path, content);
    }
    // What was there from the beginning and all the time has its comment still.
    let changes = || CASES.iter().flat_map(|cases| (cases.changes)());
    let went = |path: &str| {
        let removed = format!("removed {path}");
        changes().any(|change| change.files.contains(&removed.as_str()))
    };
    for (path, content) in commented.iter().filter(|(path, _)| !went(path)) {
        let Some(now) = files.get(path) else { continue };
        let headers = content.lines().filter(|line| line.starts_with("resource \""));
        for header in headers.filter(|header| now.contains(*header)) {
            assert!(now.contains(&format!("{header}\n{COMMENT}")), "{path}:\n{now}");
        }
    }
    let unseen: BTreeSet<_> = CASES.iter().flat_map(|cases| cases.unseen).copied().collect();
    let planned = module.plan().actions();
    assert_eq!(planned.iter().map(String::as_str).collect::<BTreeSet<_>>(), unseen);
    module.apply();
    assert_eq!(module.plan().actions(), [""; 0]);
    sync(&bare, emulator, &["sync"]);
    assert_eq!(bare.head("main"), head, "applying what the provider did not see changed something");
}

/// `M\tusers/alice.json` as `changed users/alice.json`.
fn described(line: &str) -> String {
    let (status, path) = line.split_once('\t').expect("a status and a path");
    let what = match status {
        "A" => "added",
        "D" => "removed",
        _ => "changed",
    };
    format!("{what} {path}")
}

fn record_of(number: usize, change: &Change) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "arn": format!("arn:aws:iam::{ACCOUNT}:user/carol"),
            "accountId": ACCOUNT, "userName": "carol"
        },
        "eventTime": format!("2026-11-22T10:{:02}:{:02}Z", number / 60, number % 60),
        "eventSource": format!("{}.amazonaws.com", change.service),
        "eventName": change.action,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "requestParameters": change.request,
        "responseElements": change.response,
        "eventID": format!("00000000-0000-0000-0000-{number:012}"),
        "readOnly": false, "eventType": "AwsApiCall", "recipientAccountId": ACCOUNT
    })
}

/// Commits a folder as the first commit of a repository.
fn commit(repository: &Repository, bare: &Bare) {
    let folder = tempfile::tempdir().expect("a folder");
    let clone = folder.path();
    git(clone, &["init", "--quiet", "--initial-branch=main"]);
    let tree = repository.tree();
    let settings = repository.read("aws-iam-gitops.toml");
    let files = tree.iter().map(|(path, content)| (path.as_str(), content));
    for (path, content) in files.chain([("aws-iam-gitops.toml", &settings)]) {
        let path = clone.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("write");
    }
    git(clone, &["add", "."]);
    let person = ["-c", "user.name=bob", "-c", "user.email=bob@example.com"];
    git(clone, &[&person[..], &["commit", "--quiet", "-m", "first"]].concat());
    git(clone, &["push", "--quiet", bare.path().to_str().expect("UTF-8"), "main"]);
}

/// The calls that a run made, as the log of `-v` names them.
fn calls(log: &str) -> BTreeSet<String> {
    let called =
        log.lines().filter_map(|line| line.split_once("called call=\"")?.1.split('"').next());
    called.map(str::to_owned).collect()
}

fn owned(permissions: impl IntoIterator<Item = &'static str>) -> BTreeSet<String> {
    permissions.into_iter().map(str::to_owned).collect()
}

/// Runs the program with the account and the repository; it must succeed. What it printed, and the
/// calls that it made.
#[track_caller]
fn sync(bare: &Bare, emulator: &Emulator, arguments: &[&str]) -> (String, BTreeSet<String>) {
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(arguments)
        .arg("-v")
        .env_clear()
        .env("HOME", bare.scratch("home"))
        .envs(emulator.environment())
        .env("AWS_IAM_GITOPS_REPOSITORY", bare.path())
        .env("AWS_IAM_GITOPS_PAUSE", "0")
        .env("AWS_IAM_GITOPS_LEASE", "0")
        .output()
        .expect("the program runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (String::from_utf8_lossy(&output.stdout).into_owned(), calls(&stderr))
}

/// Whatever listing is refused: no file changes or goes, and the refusal is told.
#[test]
fn a_refused_listing_removes_nothing() {
    let emulator = emulator();
    let repository = repository();
    repository.export(&emulator, &[]);
    let before = repository.tree();
    let gate = Refusing::start(&emulator.endpoint);
    let mut environment = emulator.environment();
    environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
    environment.push(("AWS_ENDPOINT_URL", gate.endpoint.clone()));
    for cases in CASES {
        for listing in cases.listings {
            gate.refuse(listing);
            let outcome = support::run::export(&environment, repository.folder(), &["--quiet"]);
            assert!(gate.count() > 0, "{}: `{listing}` is not called", cases.kind);
            let changed = differences(&before, &repository.tree());
            assert_eq!(changed, [""; 0], "{listing}: {outcome}");
            assert_eq!(outcome.code, Some(1), "{listing}: {outcome}");
            assert!(outcome.stderr.contains(listing), "{listing}: {outcome}");
        }
    }
}

/// What an export wrote is input of another one.
#[test]
fn raw_json_in_place_of_calls_gives_the_same_files() {
    let emulator = emulator();
    let first = repository();
    first.export(&emulator, &[]);
    let second = repository();
    second.export_from(first.folder(), &[]);
    let changed = differences(&first.tree(), &second.tree());
    assert_eq!(changed, [""; 0]);
}

/// Whoever exports one kind alone changes no file of another.
#[test]
fn one_kind_alone_leaves_the_others_as_they_are() {
    let emulator = emulator();
    let repository = repository();
    repository.export(&emulator, &[]);
    let before = repository.tree();
    let settings = repository.read("aws-iam-gitops.toml");
    for kind in KINDS {
        let rest = settings.lines().skip(1).collect::<Vec<_>>().join("\n");
        let only = format!("kinds = [\"{}\"]\n{rest}\n", kind_name(kind.plural));
        repository.write("aws-iam-gitops.toml", &only);
        repository.export(&emulator, &[]);
        assert_eq!(differences(&before, &repository.tree()), [""; 0], "{kind:?}");
    }
}
