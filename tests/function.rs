//! The function: the real program under a Runtime API, between a fake AWS and a Git repository.
//!
//! Invocations go in as Lambda makes them; looked at are its answers, its log, the commits, and
//! what AWS was asked.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::bare::{Bare, Files};
use support::fake_aws::{
    ACCOUNT, FakeAws, Fault, How, Policy, Request, Role, SECRET_ACCESS_KEY, SESSION_TOKEN, World,
};
use support::git_server::{self, GitServer, basic};
use support::python::project;
use support::random::Random;
use support::runtime_api::{Answer, Function, Invocation, Outcome, eventbridge, scheduled, sqs_batch};

const READ_ONLY_ACCESS: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

/// An account and a repository for it.
struct Site {
    aws: FakeAws,
    bare: Bare,
}

impl Site {
    fn new(world: World) -> Site {
        Site { aws: FakeAws::start(world), bare: Bare::new() }
    }

    /// With everything of the account in the repository already.
    fn exported(world: World) -> (Site, Function) {
        let site = Site::new(world);
        let function = site.function();
        function.invoke(&json!({})).succeeded();
        site.aws.take_requests();
        (site, function)
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

    fn function(&self) -> Function {
        Function::start(&self.environment())
    }

    /// A function with further or other settings.
    fn function_with(&self, settings: &[(&'static str, &str)]) -> Function {
        let mut environment = self.environment();
        environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Function::start(&environment)
    }

    fn commits(&self) -> Vec<String> {
        self.bare.head("main").map(|_| self.bare.commits("main")).unwrap_or_default()
    }

    fn files(&self) -> Files {
        self.bare.files("main")
    }

    /// Commits files as a person does.
    fn commit(&self, files: &[(&str, &str)]) {
        let files: Vec<_> = files.iter().map(|(path, content)| (*path, Some(*content))).collect();
        git_server::Bare { path: self.bare.path() }.commit("main", &files, "by hand");
    }

    /// What one format of `git log` says of the last commit.
    fn last(&self, format: &str) -> String {
        self.bare.git(&["log", "-1", &format!("--format={format}"), "main"]).trim().to_owned()
    }

    /// Fails the test unless each commit declares what it refers to, and nothing twice.
    #[track_caller]
    fn assert_every_commit_is_whole(&self) {
        for commit in self.commits() {
            assert_whole(&commit, &self.bare.files(&commit));
        }
    }
}

#[track_caller]
fn assert_whole(commit: &str, files: &Files) {
    let module = files.iter().filter(|(path, _)| path.ends_with(".tf"));
    let text: String = module.map(|(_, content)| content.as_str()).collect();
    let mut declared = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("resource \"")) {
        let parts: Vec<&str> = line.split('"').collect();
        assert!(declared.insert(format!("{}.{}", parts[1], parts[3])), "{commit}: twice: {line}");
    }
    for line in text.lines().filter(|line| line.contains(" = aws_iam_")) {
        let (_, reference) = line.split_once(" = ").expect("an assignment");
        let address: Vec<&str> = reference.split('.').take(2).collect();
        assert!(declared.contains(&address.join(".")), "{commit}: dangling: {line}\n{declared:#?}");
    }
}

// --- events ----------------------------------------------------------------

/// What CloudTrail writes of a call by Alice.
fn record(name: &str, request: Value, response: Value) -> Value {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE000000000:alice@example.com",
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/Admin/alice@example.com"),
            "accountId": ACCOUNT,
        },
        "eventTime": "2026-11-22T10:15:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": request,
        "responseElements": response,
        "requestID": format!("5f0e0000-0000-4000-8000-{count:012}"),
        "eventID": format!("6f0e0000-0000-4000-8000-{count:012}"),
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
    })
}

fn on_role(name: &str, role: &str) -> Value {
    record(name, json!({"roleName": role}), Value::Null)
}

fn on_policy(name: &str, policy: &str) -> Value {
    record(name, json!({"policyArn": arn(policy)}), Value::Null)
}

fn attached(role: &str, arn: &str) -> Value {
    record("AttachRolePolicy", json!({"roleName": role, "policyArn": arn}), Value::Null)
}

fn arn(policy: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{policy}")
}

/// A batch of the queue, with messages `m0`, `m1` …
fn batch(bodies: &[Value]) -> Value {
    let messages = bodies.iter().enumerate();
    sqs_batch(&messages.map(|(n, body)| (format!("m{n}"), body.clone())).collect::<Vec<_>>())
}

fn events(records: &[Value]) -> Value {
    batch(&records.iter().map(eventbridge).collect::<Vec<_>>())
}

/// The messages that come again.
#[track_caller]
fn handed_back(outcome: Outcome) -> Vec<String> {
    let answer = outcome.succeeded();
    let failures = answer["batchItemFailures"].as_array().expect("the answer to a batch");
    let id = |item: &Value| item["itemIdentifier"].as_str().expect("an ID").to_owned();
    failures.iter().map(id).collect()
}

const NONE: [&str; 0] = [];

/// How often each operation was asked for, about whom.
fn counted(requests: &[Request]) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        let about = request.about.clone().unwrap_or_default();
        *counts.entry((request.operation.clone(), about)).or_default() += 1;
    }
    counts
}

fn operations(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.operation.as_str()).collect()
}

/// The lines of a log that say one thing.
fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
    lines.filter(|line: &Value| line["message"] == message).collect()
}

// --- commits ---------------------------------------------------------------

#[test]
fn an_event_becomes_a_commit_that_says_who_did_what() {
    let (site, function) = Site::exported(World::small());
    site.aws.world().role("deploy").attached.push(READ_ONLY_ACCESS.to_owned());
    let record = attached("deploy", READ_ONLY_ACCESS);
    let answer = function.invoke(&eventbridge(&record)).succeeded();
    let commits = site.commits();
    assert_eq!(answer["commits"], json!([commits[1]]));
    assert_eq!(commits.len(), 2);
    assert_eq!(site.last("%an <%ae>"), "alice@example.com <alice@example.com>");
    assert_eq!(
        site.last("%cn <%ce>"),
        "aws-iam-gitops <aws-iam-gitops@aws-iam-gitops.invalid>"
    );
    let id = record["eventID"].as_str().expect("an ID");
    let expected = format!(
        "iam: AttachRolePolicy on role deploy\n\
         \n\
         alice@example.com attached {READ_ONLY_ACCESS}.\n\
         \n\
         Actor: arn:aws:sts::{ACCOUNT}:assumed-role/Admin/alice@example.com\n\
         Event: AttachRolePolicy\n\
         Event-Id: {id}\n\
         Event-Time: 2026-11-22T10:15:00Z\n\
         Source-Ip: 203.0.113.7"
    );
    assert_eq!(site.last("%B"), expected);
    assert!(site.files()["roles/deploy.json"].contains(READ_ONLY_ACCESS));

    let answer = function.invoke(&eventbridge(&record)).succeeded();
    assert_eq!(answer["commits"], json!([]), "a duplicate changes nothing");
    assert!(handed_back(function.invoke(&events(&[record]))).is_empty());
    assert_eq!(site.commits(), commits);
}

#[test]
fn an_empty_repository_gets_its_first_commit() {
    let site = Site::new(World::small());
    let function = site.function();
    let record = on_role("CreateRole", "deploy");
    function.invoke(&eventbridge(&record)).succeeded();
    let files = site.files();
    assert_eq!(site.commits().len(), 1);
    assert!(files.contains_key("roles/deploy.json") && !files.contains_key("roles/audit.json"));
    assert!(files.contains_key("terraform/versions.tf"), "{:?}", files.keys());
    site.assert_every_commit_is_whole();
}

#[test]
fn a_policy_that_git_does_not_have_comes_with_the_role_that_it_is_attached_to() {
    let (site, function) = Site::exported(World::small());
    {
        let mut world = site.aws.world();
        world.policies.push(Policy::new("fresh"));
        world.role("deploy").attached.push(arn("fresh"));
        world.role("deploy").boundary = Some(arn("fresh"));
    }
    let records = [attached("deploy", &arn("fresh"))];
    assert_eq!(handed_back(function.invoke(&events(&records))), NONE);
    assert_eq!(site.commits().len(), 2);
    assert!(site.files().contains_key("policies/fresh.json"));
    let created = json!({"policy": {"arn": arn("fresh")}});
    let records = [record("CreatePolicy", json!({"policyName": "fresh"}), created)];
    assert_eq!(handed_back(function.invoke(&events(&records))), NONE);
    assert_eq!(site.commits().len(), 2, "its own event comes late");
    site.assert_every_commit_is_whole();
}

#[test]
fn events_in_the_wrong_order_leave_no_reference_dangling() {
    let mut world = World::small();
    world.role("deploy").attached.push(arn("read"));
    world.role("audit").boundary = Some(arn("read"));
    let (site, function) = Site::exported(world);
    {
        let mut world = site.aws.world();
        world.role("deploy").attached.clear();
        world.role("audit").boundary = None;
        world.policies.retain(|policy| policy.name != "read");
    }
    assert_eq!(handed_back(function.invoke(&events(&[on_policy("DeletePolicy", "read")]))), NONE);
    let files = site.files();
    assert!(!files.contains_key("policies/read.json"), "{:?}", files.keys());
    assert!(!files["roles/deploy.json"].contains(&arn("read")));
    for record in [
        record("DetachRolePolicy", json!({"roleName": "deploy", "policyArn": arn("read")}), Value::Null),
        on_role("DeleteRolePermissionsBoundary", "audit"),
    ] {
        assert_eq!(handed_back(function.invoke(&events(&[record]))), NONE);
    }
    assert_eq!(site.commits().len(), 2);
    site.assert_every_commit_is_whole();
}

#[test]
fn an_instance_profile_that_moves_is_never_declared_twice() {
    let mut world = World::small();
    world.role("audit").profiles.push("web".to_owned());
    let (site, function) = Site::exported(world);
    {
        let mut world = site.aws.world();
        world.role("audit").profiles.clear();
        world.role("build").profiles.push("web".to_owned());
    }
    let moved = |name, role| {
        record(name, json!({"roleName": role, "instanceProfileName": "web"}), Value::Null)
    };
    let added = moved("AddRoleToInstanceProfile", "build");
    assert_eq!(handed_back(function.invoke(&events(&[added]))), NONE);
    assert!(!site.files()["terraform/iam_role.audit.tf"].contains("aws_iam_instance_profile"));
    assert!(site.files()["terraform/iam_role.build.tf"].contains("aws_iam_instance_profile"));
    let removed = moved("RemoveRoleFromInstanceProfile", "audit");
    assert_eq!(handed_back(function.invoke(&events(&[removed]))), NONE);
    assert_eq!(site.commits().len(), 2);
    site.assert_every_commit_is_whole();
}

#[test]
fn a_policy_that_a_person_refers_to_keeps_its_files() {
    let (site, function) = Site::exported(World::small());
    let main = "output \"read\" {\n  value = aws_iam_policy.read.arn\n}\n";
    site.commit(&[("terraform/main.tf", main)]);
    site.aws.world().policies.retain(|policy| policy.name != "read");
    let outcome = function.invoke(&events(&[on_policy("DeletePolicy", "read")]));
    let notes = lines(&outcome.log(), "note");
    assert_eq!(handed_back(outcome), NONE);
    assert!(site.files().contains_key("terraform/iam_policy.read.tf"));
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0]["note"].as_str().is_some_and(|note| note.contains("main.tf")), "{notes:?}");
    site.assert_every_commit_is_whole();

    site.commit(&[("terraform/main.tf", "# nothing\n")]);
    assert_eq!(handed_back(function.invoke(&events(&[on_policy("DeletePolicy", "read")]))), NONE);
    assert!(!site.files().contains_key("terraform/iam_policy.read.tf"));
}

// --- cost ------------------------------------------------------------------

/// What AWS is asked for one event about a role with two inline policies by a cold function, whose
/// login is in a secret.
fn calls_of_one_event(roles: usize) -> Vec<String> {
    let mut world = World::small();
    world.roles.extend((0..roles).map(|number| Role::new(&format!("role-{number}"))));
    for name in ["first", "second"] {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
        ]});
        world.role("deploy").inline.push((name.to_owned(), document));
    }
    world.role("deploy").attached.push(arn("read"));
    world.secrets.insert("git/token".to_owned(), "the-token".to_owned());
    let site = Site::new(world);
    let server = GitServer::start();
    server.repository("iam");
    server.ask_for(Some(("x-access-token", "the-token")));
    let settings = [
        ("AWS_IAM_GITOPS_REPOSITORY", server.url_of("iam")),
        ("AWS_IAM_GITOPS_TOKEN_SECRET", "git/token".to_owned()),
        ("AWS_IAM_GITOPS_LEASE", "60".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    site.function_with(&settings).invoke(&json!({})).succeeded();
    site.aws.take_requests();
    fs::remove_dir_all(site.bare.scratch("clone")).expect("a clone");

    site.aws.world().role("deploy").tags.push(("team".to_owned(), "lyon".to_owned()));
    let function = site.function_with(&settings);
    let answer = function.invoke(&eventbridge(&on_role("TagRole", "deploy"))).succeeded();
    assert_eq!(answer["commits"].as_array().map(Vec::len), Some(1), "{answer}");
    let requests = site.aws.take_requests();
    let mut calls: Vec<String> = operations(&requests).into_iter().map(str::to_owned).collect();
    calls.sort();
    calls
}

#[test]
fn an_event_takes_eight_calls_however_large_the_account_is() {
    let expected = [
        "GetCallerIdentity",
        "GetRole",
        "GetRolePolicy",
        "GetRolePolicy",
        "GetSecretValue",
        "ListAttachedRolePolicies",
        "ListInstanceProfilesForRole",
        "ListRolePolicies",
    ];
    assert_eq!(calls_of_one_event(0), expected);
    assert_eq!(calls_of_one_event(2_000), expected);
}

#[test]
fn a_burst_of_a_thousand_events_is_one_commit_that_reads_nothing_twice() {
    let mut world = World::small();
    let roles: Vec<String> = (0..20).map(|number| format!("role-{number}")).collect();
    let policies: Vec<String> = (0..10).map(|number| format!("policy-{number}")).collect();
    world.roles.extend(roles.iter().map(|name| Role::new(name)));
    world.policies.extend(policies.iter().map(|name| Policy::new(name)));
    let (site, function) = Site::exported(world);
    drop(function);
    let mut random = Random::new(1);
    let mut records = Vec::new();
    {
        let mut world = site.aws.world();
        while records.len() < 1_000 {
            let role = random.pick(&roles).expect("a role");
            let policy = random.pick(&policies).expect("a policy");
            let record = match random.below(4) {
                0 => {
                    let held = &mut world.role(&role).attached;
                    if !held.contains(&arn(&policy)) {
                        held.push(arn(&policy));
                    }
                    attached(&role, &arn(&policy))
                }
                1 => {
                    world.role(&role).description = Some(random.uuid());
                    on_role("UpdateRole", &role)
                }
                2 => {
                    world.policy(&policy).tags = vec![("is".to_owned(), random.uuid())];
                    on_policy("TagPolicy", &policy)
                }
                _ => random.pick(&records).unwrap_or_else(|| on_role("UpdateRole", &role)),
            };
            records.push(record);
        }
    }
    random.shuffle(&mut records);
    let function = site.function_with(&[("AWS_IAM_GITOPS_LEASE", "60")]);
    assert_eq!(handed_back(function.invoke(&events(&records))), NONE);
    assert_eq!(site.commits().len(), 2);
    let requests = site.aws.take_requests();
    let twice: Vec<_> = counted(&requests)
        .into_iter()
        .filter(|((operation, _), count)| operation != "GetRolePolicy" && *count > 1)
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
    let read = operations(&requests);
    let count = |operation| read.iter().filter(|found| **found == operation).count();
    assert_eq!((count("GetRole"), count("GetPolicy")), (20, 10));
    assert_eq!(count("GetAccountAuthorizationDetails"), 0);

    let head = site.commits();
    function.invoke(&json!({})).succeeded();
    assert_eq!(site.commits(), head, "a full export finds nothing to do");
    site.assert_every_commit_is_whole();
}
