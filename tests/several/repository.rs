//! Several accounts in one Git repository: `sync`, recorded events, and the function with its queue.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::support::bare::Bare;
use super::support::fake_aws::{ACCOUNT, EXTERNAL_ID, FakeAws, Fault, How, MEMBER_ROLE, Role};
use super::support::git_server::{self, GitServer, How::Status};
use super::support::run::Outcome;
use super::support::runtime_api::{Function, eventbridge, scheduled, sqs_batch};
use super::{BUILD, DATA, organization};

const NONE: [&str; 0] = [];

struct Site {
    aws: FakeAws,
    bare: Bare,
}

impl Site {
    /// Three accounts, and a repository whose settings name them.
    fn new() -> Site {
        let site = Site { aws: organization(), bare: Bare::new() };
        site.settings(&format!(
            "[accounts]\norganization = true\nexternal_id = \"{EXTERNAL_ID}\"\n"
        ));
        site
    }

    fn settings(&self, text: &str) {
        let repository = git_server::Bare { path: self.bare.path() };
        repository.commit("main", &[("aws-iam-gitops.toml", Some(text))], "settings");
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |path: std::path::PathBuf| path.to_str().expect("UTF-8").to_owned();
        let mut environment = self.aws.environment();
        environment.extend([
            ("AWS_IAM_GITOPS_REPOSITORY", path(self.bare.path())),
            ("AWS_IAM_GITOPS_CLONE", path(self.bare.scratch("clone"))),
            ("AWS_IAM_GITOPS_PAUSE", "0".to_owned()),
            ("AWS_IAM_GITOPS_LEASE", "0".to_owned()),
        ]);
        environment
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(&[], arguments)
    }

    fn run_with(&self, environment: &[(&str, String)], arguments: &[&str]) -> Outcome {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .output()
            .expect("the program runs");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    fn function(&self) -> Function {
        let mut environment = self.environment();
        environment.push(("AWS_IAM_GITOPS_QUEUE", format!("{}/123/queue", self.aws.endpoint)));
        Function::start(&environment)
    }

    /// Subjects of all commits but the first one, the newest last.
    fn subjects(&self) -> Vec<String> {
        let log = self.bare.git(&["log", "--reverse", "--format=%s", "main"]);
        log.lines().skip(1).map(str::to_owned).collect()
    }

    fn attach(&self, account: &str) {
        let change = |world: &mut super::World| {
            world.role("deploy").attached.push("arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned());
        };
        match account {
            ACCOUNT => change(&mut self.aws.world()),
            _ => change(self.aws.members().get_mut(account).expect("an account")),
        }
    }
}

/// What CloudTrail writes in an account.
fn record(account: &str, role: &str) -> Value {
    json!({
        "userIdentity": {
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::{account}:assumed-role/Admin/alice@example.com"),
            "accountId": account,
        },
        "eventTime": "2026-11-22T10:15:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "AttachRolePolicy",
        "requestParameters": {"roleName": role, "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        "eventID": format!("{account}-{role}"),
        "recipientAccountId": account,
    })
}

fn batch(bodies: &[Value]) -> Value {
    let messages = bodies.iter().enumerate();
    sqs_batch(&messages.map(|(n, body)| (format!("m{n}"), body.clone())).collect::<Vec<_>>())
}

#[track_caller]
fn handed_back(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array().expect("the answer to a batch");
    failures.iter().map(|item| item["itemIdentifier"].as_str().expect("an ID")).collect()
}

#[test]
fn each_account_is_a_commit_that_names_it_and_one_that_fails_stops_no_other() {
    let site = Site::new();
    let fault = Fault::new("AssumeRole", How::Denied).about(&format!("{BUILD}:role/{MEMBER_ROLE}"));
    site.aws.world().faults.push(fault);
    let said = site.run(&["sync"]).failed_saying(&[BUILD, "sts:AssumeRole"]);
    assert!(said.stdout.contains("1 of 3 failed"), "{said}");
    site.aws.world().faults.clear();
    let said = site.run(&["sync", "--quiet", "--output", "json"]).succeeded().summary();
    assert_eq!(said["commits"][BUILD].as_array().map(Vec::len), Some(1));
    assert_eq!(said["commits"][DATA], json!([]));
    let mut subjects = site.subjects();
    assert_eq!(
        subjects.pop().as_deref(),
        Some(&*format!("export {BUILD}: 3 policies, 3 roles changed"))
    );
    let subjects: BTreeSet<_> = subjects.into_iter().collect();
    let expected = [
        format!("export {ACCOUNT}: 3 policies, 3 roles, 3 organizations policies changed"),
        format!("export {DATA}: 3 policies, 3 roles changed"),
    ];
    let expected: BTreeSet<String> = expected
        .into_iter()
        .map(|full| match full.chars().count() {
            ..=72 => full,
            _ => format!("{}…", full.chars().take(71).collect::<String>().trim_end()),
        })
        .collect();
    assert_eq!(subjects, expected);
    let files = site.bare.files("main");
    for id in [ACCOUNT, BUILD, DATA] {
        assert!(files.contains_key(&format!("accounts/{id}/terraform/iam_role.deploy.tf")));
    }
    site.run(&["sync", "--quiet"]).succeeded().wrote_nothing();
    assert_eq!(site.subjects().len(), 3);
    // A command about one account says what it needs.
    site.run(&["status"]).failed_saying(&["several accounts", "--prefix accounts/"]);
}

#[test]
fn folders_that_nobody_keeps_up_to_date_are_told() {
    let site = Site::new();
    site.run(&["sync", "--quiet"]).succeeded();
    let role = site.bare.files("main")[&format!("accounts/{BUILD}/roles/deploy.json")].clone();
    let repository = git_server::Bare { path: site.bare.path() };
    repository.commit("main", &[("roles/deploy.json", Some(&role))], "as it was");
    let said = site.run(&["sync", "--quiet"]).succeeded();
    let note = format!("note: account `{BUILD}`: an export of this account lies in the root, too");
    assert!(said.stdout.contains(&note) && said.stdout.matches("note:").count() == 1, "{said}");

    // One that left the list keeps its folder.
    site.aws.world().accounts.retain(|(id, ..)| id != DATA);
    let said = site.run(&["sync", "--quiet"]).succeeded();
    let note = format!("note: account `{DATA}` has a folder and is not among the accounts");
    assert!(said.stdout.contains(&note), "{said}");
    assert!(site.bare.files("main").contains_key(&format!("accounts/{DATA}/roles/deploy.json")));
}

#[test]
fn a_dry_run_and_a_recorded_event_are_by_account_too() {
    let site = Site::new();
    let said = site.run(&["sync", "--quiet", "--dry-run"]).succeeded();
    assert!(said.stdout.contains(&format!("\naccounts/{DATA}:\ndiff --git ")), "{said}");
    assert_eq!(site.subjects(), NONE);
    let file = site.bare.scratch("event.json");
    let records = json!([record(DATA, "deploy"), record("999900001111", "deploy")]);
    fs::write(&file, records.to_string()).expect("a file");
    let said = site.run(&["event", file.to_str().expect("UTF-8")]).succeeded();
    assert!(said.stderr.contains("999900001111"), "{said}");
    assert_eq!(site.subjects(), [format!("iam {DATA}: AttachRolePolicy on role deploy")]);
    let said = site.run(&["sync", "--prefix", "x", "--accounts", "organization"]);
    assert_eq!(said.code, Some(2), "{said}");
}

#[test]
fn events_of_two_accounts_in_a_batch_are_read_where_they_happened() {
    let site = Site::new();
    site.run(&["sync", "--quiet"]).succeeded();
    let function = site.function();
    site.attach(BUILD);
    site.attach(DATA);
    site.aws.members().get_mut(BUILD).expect("an account").roles.push(Role::new("unasked"));
    site.aws.take_requests();
    let records =
        [record(BUILD, "deploy"), record(DATA, "deploy"), record("999900001111", "deploy")];
    let outcome = function.invoke(&batch(&records.map(|record| eventbridge(&record))));
    assert!(outcome.log().contains("of another account, ignored"), "{}", outcome.log());
    assert_eq!(handed_back(&outcome.succeeded()), NONE);
    let subjects: BTreeSet<String> = site.subjects().into_iter().skip(3).collect();
    let told = |id| format!("iam {id}: AttachRolePolicy on role deploy");
    assert_eq!(subjects, [told(BUILD), told(DATA)].into());
    let files = site.bare.files("main");
    assert!(files[&format!("accounts/{DATA}/roles/deploy.json")].contains("ReadOnlyAccess"));
    assert!(!files.contains_key(&format!("accounts/{BUILD}/roles/unasked.json")));
    let requests = site.aws.take_requests();
    let entered = requests.iter().filter(|request| request.operation == "AssumeRole").count();
    assert_eq!(entered, 2, "once for each account");
}

#[test]
fn only_the_messages_of_an_account_that_failed_come_again() {
    let site = Site::new();
    site.run(&["sync", "--quiet"]).succeeded();
    let function = site.function();
    site.attach(DATA);
    let fault = Fault::new("AssumeRole", How::Denied).about(&format!("{BUILD}:role/{MEMBER_ROLE}"));
    site.aws.world().faults.push(fault);
    let bodies = [
        eventbridge(&record(BUILD, "deploy")),
        eventbridge(&record(DATA, "deploy")),
        json!({"account": BUILD}),
        json!({"account": "999900001111"}),
        json!({"account": "../../x"}),
    ];
    let answer = function.invoke(&batch(&bodies)).succeeded();
    assert_eq!(handed_back(&answer), ["m0", "m2", "m4"]);
    assert_eq!(site.subjects().len(), 4);
    let error = function.invoke(&eventbridge(&record(BUILD, "deploy"))).failed();
    assert_eq!(error.error_type, "AwsIamGitops.Permanent");
    assert!(error.error_message.contains(BUILD), "{error:?}");
}

#[test]
fn while_the_settings_cannot_be_read_no_message_of_another_account_is_lost() {
    let site = Site::new();
    site.run(&["sync", "--quiet"]).succeeded();
    let away = site.bare.scratch("away");
    fs::rename(site.bare.path(), &away).expect("the repository can be moved");
    let function = site.function();
    site.attach(BUILD);
    let of_build = eventbridge(&record(BUILD, "deploy"));
    for messages in [&[of_build.clone()][..], &[json!({"account": DATA})]] {
        let error = function.invoke(&batch(messages)).failed();
        assert!(error.error_message.contains("cannot fetch"), "{error:?}");
    }
    fs::rename(&away, site.bare.path()).expect("and back");
    assert_eq!(handed_back(&function.invoke(&batch(&[of_build])).succeeded()), NONE);
    let told = format!("iam {BUILD}: AttachRolePolicy on role deploy");
    assert_eq!(site.subjects().pop(), Some(told));
}

#[test]
fn a_server_that_gives_no_usable_answer_is_asked_for_the_settings_again() {
    let server = GitServer::start();
    let repository = server.repository("iam");
    let settings = format!("[accounts]\norganization = true\nexternal_id = \"{EXTERNAL_ID}\"\n");
    repository.commit("main", &[("aws-iam-gitops.toml", Some(&settings))], "settings");
    let site = Site::new();
    let address = ("AWS_IAM_GITOPS_REPOSITORY", server.url_of("iam"));
    let sync = || site.run_with(std::slice::from_ref(&address), &["sync", "--quiet"]);
    let fault = |left| vec![git_server::Fault::once("service=git-upload-pack", Status(503)); left];
    server.faults(fault(3));
    let said = sync();
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(repository.log("main").len(), 4);
    server.faults(fault(4));
    sync().failed_saying(&["cannot fetch"]);
}

#[test]
fn a_schedule_puts_a_message_for_each_account_on_the_queue_and_each_is_an_export() {
    let site = Site::new();
    let function = site.function();
    site.aws.take_requests();
    function.invoke(&scheduled()).succeeded();
    let messages = site.aws.take_messages();
    let bodies: Vec<Value> =
        messages.iter().map(|body| serde_json::from_str(body).expect("JSON")).collect();
    let expected = [ACCOUNT, BUILD, DATA].map(|id| json!({"account": id}));
    assert_eq!(bodies, expected);
    assert_eq!(site.subjects(), NONE, "it exports nothing itself");
    assert!(!site.aws.take_requests().iter().any(|request| request.service == "iam"));
    for (number, body) in bodies.iter().enumerate() {
        let outcome = function.invoke(&batch(std::slice::from_ref(body)));
        assert!(outcome.log().contains("\"FullExports\":1"), "{}", outcome.log());
        assert_eq!(handed_back(&outcome.succeeded()), NONE);
        assert_eq!(site.subjects().len(), number + 1);
    }
}

#[test]
fn messages_that_the_queue_does_not_take_are_sent_again_and_then_told() {
    let site = Site::new();
    {
        let mut world = site.aws.world();
        for number in 0..23 {
            world.accounts.push((format!("{number:012}"), "r-ab12", "ACTIVE"));
        }
        world.queue_refuses = [(BUILD.to_owned(), 2), (DATA.to_owned(), usize::MAX)].into();
    }
    let function = site.function();
    let error = function.invoke(&scheduled()).failed();
    assert_eq!(error.error_type, "AwsIamGitops.Retryable");
    assert!(
        error.error_message.contains(DATA) && !error.error_message.contains(BUILD),
        "{error:?}"
    );
    assert_eq!(site.aws.take_messages().len(), 25);

    // An event of that account that went well is no full export of it.
    site.aws.take_messages();
    let both = batch(&[json!({}), eventbridge(&record(DATA, "deploy"))]);
    let answer = function.invoke(&both).succeeded();
    assert!(handed_back(&answer).contains(&"m0"), "{answer}");
}

#[test]
fn whoever_asks_for_an_account_that_is_none_of_them_is_told() {
    let site = Site::new();
    let function = site.function();
    let error = function.invoke(&json!({"account": "999900001111"})).failed();
    assert_eq!(error.error_type, "AwsIamGitops.Permanent");
    assert!(error.error_message.contains("`999900001111` is none of those"), "{error:?}");
    function.invoke(&json!({"account": DATA})).succeeded();
    assert_eq!(site.subjects().len(), 1);
}

#[test]
fn what_is_called_like_a_folder_of_an_export_stops_none() {
    let site = Site::new();
    let repository = git_server::Bare { path: site.bare.path() };
    // The root is not theirs.
    let own = [("policies", Some("x")), ("users/a.json", Some("[")), ("roles", Some("x"))];
    repository.commit("main", &own, "own");
    let said = site.run(&["sync", "--quiet"]).succeeded();
    assert!(!said.stdout.contains("note:"), "{said}");
    // One account has no folder of several.
    let site = Site::new();
    let repository = git_server::Bare { path: site.bare.path() };
    let own = [("aws-iam-gitops.toml", Some("")), ("accounts", Some("x"))];
    repository.commit("main", &own, "own");
    site.run(&["sync", "--quiet"]).succeeded();
}
