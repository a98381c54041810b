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
use support::runtime_api::{
    Answer, Function, Invocation, Outcome, eventbridge, scheduled, sqs_batch,
};

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
    assert_eq!(site.last("%cn <%ce>"), "aws-iam-gitops <aws-iam-gitops@aws-iam-gitops.invalid>");
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
        record(
            "DetachRolePolicy",
            json!({"roleName": "deploy", "policyArn": arn("read")}),
            Value::Null,
        ),
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

// --- batches ---------------------------------------------------------------

/// A batch with texts as they are, JSON or not.
fn raw_batch(bodies: &[Value]) -> Value {
    let mut batch = batch(bodies);
    for (message, body) in batch["Records"].as_array_mut().expect("messages").iter_mut().zip(bodies)
    {
        if body.is_string() || body.is_null() {
            message["body"] = body.clone();
        }
    }
    batch
}

#[test]
fn poison_messages_come_back_alone() {
    let (site, function) = Site::exported(World::small());
    site.aws.world().role("deploy").description = Some("changed".to_owned());
    let good = eventbridge(&on_role("UpdateRole", "deploy"));
    let s3 = json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]});
    let wrong_detail = json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "detail": "text",
    });
    let bodies = [
        json!("{"),
        json!("no JSON at all"),
        good,
        Value::Null,
        json!("\"text\""),
        json!("[[]]"),
        json!({"hello": "world"}),
        s3,
        wrong_detail,
        json!({"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2"}),
    ];
    let back = handed_back(function.invoke(&raw_batch(&bodies)));
    assert_eq!(back, ["m0", "m1", "m3", "m4", "m5", "m6", "m7", "m8", "m9"]);
    assert_eq!(site.commits().len(), 2);
    assert!(site.files()["roles/deploy.json"].contains("changed"));

    let back = handed_back(function.invoke(&raw_batch(&[json!("{"), Value::Null])));
    assert_eq!(back, ["m0", "m1"]);
    assert_eq!(site.commits().len(), 2);
}

#[test]
fn events_that_change_nothing_of_ours_ask_aws_nothing() {
    let (site, function) = Site::exported(World::small());
    let with = |member: &str, value: Value| {
        let mut record = on_role("TagRole", "deploy");
        record[member] = value;
        record
    };
    let records = [
        with("errorCode", json!("AccessDenied")),
        with("readOnly", json!(true)),
        with("eventSource", json!("s3.amazonaws.com")),
        with("recipientAccountId", json!("999988887777")),
        record("CreateAccessKey", json!({"userName": "eve"}), Value::Null),
        record("AttachRolePolicy", Value::Null, Value::Null),
    ];
    assert_eq!(handed_back(function.invoke(&events(&records[..5]))), NONE);
    assert_eq!(operations(&site.aws.take_requests()), NONE);
    assert_eq!(handed_back(function.invoke(&events(&records[5..]))), NONE);
    let read = site.aws.take_requests();
    assert!(operations(&read).contains(&"ListRoles"), "whose role is not said: all are read");
    assert_eq!(site.commits().len(), 1);
}

#[test]
fn what_is_not_understood_of_iam_is_a_full_export() {
    let (site, function) = Site::exported(World::small());
    site.aws.world().policy("run").description = Some("changed".to_owned());
    let records = [record("InventRole", json!({"roleName": "deploy"}), Value::Null)];
    assert_eq!(handed_back(function.invoke(&events(&records))), NONE);
    assert!(site.files()["policies/run.json"].contains("changed"));
    assert_eq!(site.last("%s"), "iam: InventRole");
}

#[test]
fn empty_and_scheduled_invocations_are_a_full_export() {
    let site = Site::new(World::small());
    let function = site.function();
    for (number, payload) in [json!({}), Value::Null, scheduled()].iter().enumerate() {
        site.aws.world().role("deploy").description = Some(format!("change {number}"));
        let answer = function.invoke(payload).succeeded();
        assert_eq!(
            (&answer["full"], answer["commits"].as_array().map(Vec::len)),
            (&json!(true), Some(1))
        );
        assert_eq!(site.commits().len(), number + 1);
        assert_eq!(site.last("%an"), "aws-iam-gitops");
    }
    assert!(site.last("%s").starts_with("export: 1 role changed"), "{}", site.last("%s"));
    assert_eq!(handed_back(function.invoke(&batch(&[scheduled(), json!({})]))), NONE);
    assert_eq!(site.commits().len(), 3);
}

#[test]
fn an_invocation_that_is_none_of_ours_is_refused() {
    let site = Site::new(World::small());
    let function = site.function();
    for (payload, told) in [
        (json!({"hello": "world"}), "an object with `hello`"),
        (json!("text"), "a text"),
        (json!([1]), "a number"),
        (json!({"Records": [{"eventSource": "aws:s3"}]}), "a record from `aws:s3`"),
        (json!({"Records": [{"EventSource": "aws:sns"}]}), "a record from `aws:sns`"),
        (
            json!({"detail-type": "AWS Console Sign In via CloudTrail", "source": "aws.signin"}),
            "`AWS Console Sign In via CloudTrail`",
        ),
    ] {
        let error = function.invoke(&payload).failed();
        assert_eq!(error.error_type, "AwsIamGitops.Permanent", "{error:?}");
        assert!(error.error_message.contains(told), "{error:?}");
        assert!(error.error_message.contains("understood are"), "{error:?}");
    }
    assert_eq!(operations(&site.aws.take_requests()), NONE);
    assert_eq!(site.commits(), NONE);
    function.invoke(&json!({})).succeeded();
}

#[test]
fn an_entity_that_cannot_be_read_brings_its_own_message_back() {
    let (site, function) = Site::exported(World::small());
    {
        let mut world = site.aws.world();
        for name in ["audit", "build", "deploy"] {
            world.role(name).description = Some("changed".to_owned());
        }
        world.faults = vec![Fault::new("GetRole", How::Denied).about("build")];
    }
    let records = ["audit", "build", "deploy"].map(|name| on_role("UpdateRole", name));
    let outcome = function.invoke(&events(&records));
    let errors = lines(&outcome.log(), "not read");
    assert_eq!(handed_back(outcome), ["m1"]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0]["error"].as_str().is_some_and(|text| text.contains("`iam:GetRole` was denied"))
    );
    assert_eq!(site.commits().len(), 2);
    let changed = |name: &str| site.files()[&format!("roles/{name}.json")].contains("changed");
    assert_eq!((changed("audit"), changed("build"), changed("deploy")), (true, false, true));
    let message = site.last("%B");
    assert!(!message.contains(records[1]["eventID"].as_str().expect("an ID")), "{message}");

    // Without a queue the answer is an error.
    let error = function.invoke(&eventbridge(&records[1])).failed();
    assert_eq!(error.error_type, "AwsIamGitops.Permanent");
    assert!(error.error_message.contains("`build`"), "{error:?}");
    assert!(error.error_message.contains("nothing was committed"), "{error:?}");

    site.aws.world().faults.clear();
    assert_eq!(handed_back(function.invoke(&events(&records[1..2]))), NONE);
    assert!(changed("build"));
    assert_eq!(site.commits().len(), 3);
}

#[test]
fn a_role_that_is_not_found_is_looked_up_again_before_its_files_go() {
    let (site, function) = Site::exported(World::small());
    let deleted = events(&[on_role("DeleteRole", "deploy")]);
    let lookups = || {
        let requests = site.aws.take_requests();
        counted(&requests).get(&("GetRole".to_owned(), "deploy".to_owned())).copied()
    };
    let absent = Fault::new("GetRole", How::Code("NoSuchEntity")).about("deploy");
    site.aws.world().faults = vec![absent.times(1)];
    assert_eq!(handed_back(function.invoke(&deleted)), NONE);
    assert_eq!(lookups(), Some(2));
    assert!(site.files().contains_key("roles/deploy.json"), "it was found the second time");
    assert_eq!(site.commits().len(), 1);

    site.aws.world().roles.retain(|role| role.name != "deploy");
    assert_eq!(handed_back(function.invoke(&deleted)), NONE);
    assert!(!site.files().contains_key("roles/deploy.json"));
    assert!(!site.files().contains_key("terraform/iam_role.deploy.tf"));
    assert_eq!(site.commits().len(), 2);
    assert_eq!(site.last("%s"), "iam: DeleteRole on role deploy");
}

// --- time ------------------------------------------------------------------

fn within(payload: &Value, seconds: u64) -> Invocation {
    Invocation::new(payload).time(Duration::from_secs(seconds))
}

#[track_caller]
fn assert_retryable(outcome: Outcome) {
    let error = outcome.failed();
    assert_eq!(error.error_type, "AwsIamGitops.Retryable", "{error:?}");
}

#[test]
fn without_time_nothing_is_begun() {
    let (site, function) = Site::exported(World::small());
    let started = Instant::now();
    let error = function.invoke(within(&json!({}), 1)).failed();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(error.error_type, "AwsIamGitops.Retryable");
    assert!(error.error_message.contains("nothing was done"), "{error:?}");
    assert_eq!(operations(&site.aws.take_requests()), NONE);
    function.invoke(&json!({})).succeeded();
}

#[test]
fn what_was_read_in_time_is_committed_and_the_rest_comes_back() {
    let (site, function) = Site::exported(World::small());
    drop(function);
    let function = site.function_with(&[("AWS_IAM_GITOPS_LEASE", "60")]);
    {
        let mut world = site.aws.world();
        for name in ["audit", "deploy"] {
            world.role(name).description = Some("changed".to_owned());
        }
        let late = How::Late(Duration::from_secs(30));
        world.faults = vec![Fault::new("GetRole", late).about("deploy").times(1)];
    }
    let records = ["audit", "deploy"].map(|name| on_role("UpdateRole", name));
    let outcome = function.invoke(within(&events(&records), 5));
    assert_eq!(handed_back(outcome), ["m1"]);
    assert_eq!(site.commits().len(), 2);
    assert!(site.files()["roles/audit.json"].contains("changed"));
    assert_eq!(handed_back(function.invoke(&events(&records[1..]))), NONE);
    assert!(site.files()["roles/deploy.json"].contains("changed"));
}

#[test]
fn a_server_that_is_too_slow_does_not_cost_the_function_its_life() {
    let mut world = World::small();
    world.secrets.insert("git/token".to_owned(), "the-token".to_owned());
    let site = Site::new(world);
    let server = GitServer::start();
    let bare = server.repository("iam");
    let repository = server.url_of("iam");
    let function = site.function_with(&[
        ("AWS_IAM_GITOPS_REPOSITORY", &repository),
        ("AWS_IAM_GITOPS_TOKEN_SECRET", "git/token"),
    ]);
    let long = Duration::from_secs(40);
    // First nothing works, then with each invocation one thing more.
    for operation in ["GetCallerIdentity", "GetSecretValue"] {
        site.aws.world().faults = vec![Fault::new(operation, How::Late(long)).times(1)];
        assert_retryable(function.invoke(within(&json!({}), 4)));
        assert!(function.is_alive());
    }
    for service in ["service=git-upload-pack", "service=git-receive-pack", "/git-receive-pack"] {
        server.faults(vec![git_server::Fault::once(service, git_server::How::Delay(long))]);
        assert_retryable(function.invoke(within(&json!({}), 5)));
        assert_eq!(bare.head("main"), None, "{service}");
    }
    server.faults(Vec::new());
    function.invoke(&json!({})).succeeded();
    assert_eq!(bare.log("main").len(), 1);
    let requests = site.aws.take_requests();
    let logins = operations(&requests).into_iter().filter(|name| *name == "GetCallerIdentity");
    assert_eq!(logins.count(), 2, "the connection is made once it can be, and kept");
}

// --- settings --------------------------------------------------------------

#[test]
fn settings_that_are_wrong_are_told_by_name() {
    let site = Site::new(World::small());
    for (name, value, told) in [
        ("AWS_IAM_GITOPS_BRANSH", "main", "did you mean `BRANCH`?"),
        ("AWS_IAM_GITOPS_REPOSITORY", "", "https://github.com/owner/name"),
        ("AWS_IAM_GITOPS_KINDS", "roles,polices", "did you mean `policies`?"),
        ("AWS_IAM_GITOPS_REPOSITORY", "git@github.com:o/n.git", "https://"),
    ] {
        let function = site.function_with(&[(name, value)]);
        for payload in [json!({}), events(&[on_role("TagRole", "deploy")])] {
            let error = function.invoke(&payload).failed();
            assert_eq!(error.error_type, "AwsIamGitops.Permanent", "{error:?}");
            assert!(error.error_message.contains(name), "{error:?}");
            assert!(error.error_message.contains(told), "{error:?}");
        }
    }
    assert_eq!(site.commits(), NONE);
}

#[test]
fn a_wrong_line_in_the_repositorys_settings_is_told_by_its_place() {
    let (site, function) = Site::exported(World::small());
    site.aws.world().role("deploy").description = Some("changed".to_owned());
    let payload = events(&[on_role("UpdateRole", "deploy")]);
    for (text, place, told) in [
        ("# ours\n\n  prefx = \"a\"\n", "line 3, column 3", "did you mean `prefix`?"),
        ("kinds = [\"roles\"\n", "line 1, column 17", "unclosed array"),
        ("[[ignore]]\nnames = \"x\"\n", "line 2, column 1", "`name`"),
    ] {
        site.commit(&[("aws-iam-gitops.toml", text)]);
        let before = site.commits();
        let error = function.invoke(&payload).failed();
        assert_eq!(error.error_type, "AwsIamGitops.Permanent", "{error:?}");
        let place = format!("`aws-iam-gitops.toml`, {place}");
        assert!(error.error_message.contains(&place), "{error:?}");
        assert!(error.error_message.contains(told), "{error:?}");
        assert_eq!(site.commits(), before);
    }
    site.commit(&[("aws-iam-gitops.toml", "imports = true\n")]);
    assert_eq!(handed_back(function.invoke(&payload)), NONE);
    assert!(site.files()["roles/deploy.json"].contains("changed"));
}

#[test]
fn settings_of_the_repository_say_what_is_written_where() {
    let site = Site::new(World::small());
    site.commit(&[(
        "aws-iam-gitops.toml",
        "prefix = \"accounts/test\"\nkinds = [\"roles\", \"policies\"]\n",
    )]);
    let function = site.function();
    function.invoke(&json!({})).succeeded();
    let files = site.files();
    let folders: BTreeSet<_> =
        files.keys().map(|path| path.rsplit_once('/').map_or("", |(folder, _)| folder)).collect();
    let expected = ["", "accounts/test/policies", "accounts/test/roles", "accounts/test/terraform"];
    assert_eq!(folders.into_iter().collect::<Vec<_>>(), expected);
    assert!(!files.keys().any(|path| path.contains("organizations_policy")), "{:?}", files.keys());
    let mut of_organizations =
        record("DeletePolicy", json!({"policyId": "p-aaaaaaaa"}), Value::Null);
    of_organizations["eventSource"] = json!("organizations.amazonaws.com");
    site.aws.take_requests();
    assert_eq!(handed_back(function.invoke(&events(&[of_organizations]))), NONE);
    assert_eq!(operations(&site.aws.take_requests()), NONE, "that kind is not exported");
    assert_eq!(site.commits().len(), 2);
}

#[test]
fn what_is_ignored_is_counted_and_its_files_stay() {
    let (site, function) = Site::exported(World::small());
    let before = site.files();
    site.commit(&[(
        "aws-iam-gitops.toml",
        "[[ignore]]\nkind = \"roles\"\nname = \"dep*\"\n\n\
         [[ignore]]\ntag = \"owner=team-*\"\n\n\
         [[ignore]]\nkind = \"policies\"\npath = \"/\"\nname = \"read\"\n",
    )]);
    {
        let mut world = site.aws.world();
        world.roles.push(Role::new("deputy"));
        world.role("deploy").description = Some("changed".to_owned());
        world.role("audit").tags.push(("owner".to_owned(), "team-a".to_owned()));
        world.policies.retain(|policy| policy.name != "read");
        world.role("build").description = Some("changed".to_owned());
    }
    let mut records = ["deploy", "deputy", "audit"].map(|name| on_role("TagRole", name)).to_vec();
    records.push(on_policy("DeletePolicy", "read"));
    let outcome = function.invoke(&events(&records));
    let done = lines(&outcome.log(), "done");
    assert_eq!(handed_back(outcome), NONE);
    assert_eq!(done[0]["ignored"], 4, "{done:?}");
    let answer = function.invoke(&json!({})).succeeded();
    let ignored = |kind: &str| {
        let kinds = answer["summary"]["kinds"].as_array().expect("kinds");
        kinds.iter().find(|of| of["kind"] == kind).expect("the kind")["ignored"].clone()
    };
    assert_eq!((ignored("roles"), ignored("policies")), (json!(3), json!(1)));
    let mut after = site.files();
    after.remove("aws-iam-gitops.toml");
    let differing: Vec<_> =
        after.iter().filter(|(path, text)| before.get(*path) != Some(text)).collect();
    assert!(differing.iter().all(|(path, _)| path.contains("build")), "{differing:?}");
    assert_eq!((after.len(), differing.len()), (before.len(), 2));
}

#[test]
fn policies_of_aws_are_written_where_settings_say_so() {
    let mut world = World::small();
    world.policies.push(Policy { of_aws: true, ..Policy::new("ReadOnlyAccess") });
    let (site, function) = Site::exported(world);
    let payload = events(&[attached("deploy", READ_ONLY_ACCESS)]);
    site.aws.world().role("deploy").attached.push(READ_ONLY_ACCESS.to_owned());
    assert_eq!(handed_back(function.invoke(&payload)), NONE);
    let of_aws = |files: &Files| files.keys().any(|path| path.contains("ReadOnlyAccess"));
    assert!(!of_aws(&site.files()));
    site.commit(&[("aws-iam-gitops.toml", "aws_managed = true\n")]);
    assert_eq!(handed_back(function.invoke(&payload)), NONE);
    assert!(of_aws(&site.files()), "{:?}", site.files().keys());
    site.assert_every_commit_is_whole();
}

// --- the log ---------------------------------------------------------------

#[test]
fn the_log_is_json_that_tells_what_was_done_and_no_secret() {
    const TOKEN: &str = "ghs_TheTokenThatNobodyMaySee0123456789";
    let mut world = World::small();
    world.secrets.insert("git/token".to_owned(), TOKEN.to_owned());
    let site = Site::new(world);
    let server = GitServer::start();
    server.repository("iam");
    server.ask_for(Some(("x-access-token", TOKEN)));
    let repository = server.url_of("iam");
    let function = site.function_with(&[
        ("AWS_IAM_GITOPS_REPOSITORY", &repository),
        ("AWS_IAM_GITOPS_TOKEN_SECRET", "git/token"),
    ]);
    let mut log = function.invoke(Invocation::new(&json!({})).request_id("request-1")).log();
    site.aws.world().role("deploy").description = Some("changed".to_owned());
    let record = on_role("UpdateRole", "deploy");
    let payload = events(std::slice::from_ref(&record));
    let outcome = function.invoke(Invocation::new(&payload).request_id("request-2"));
    let of_event = outcome.log();
    assert_eq!(handed_back(outcome), NONE);
    let written: Vec<Value> =
        of_event.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let (metrics, told): (Vec<&Value>, Vec<&Value>) =
        written.iter().partition(|line| line.get("_aws").is_some());
    assert!(told.iter().all(|line| line["span"]["request_id"] == "request-2"), "{told:#?}");
    let said = |message: &str| {
        let found = told.iter().find(|line| line["message"] == message);
        *found.unwrap_or_else(|| panic!("{message}: {told:#?}"))
    };
    assert_eq!(said("invoked")["event_ids"], record["eventID"]);
    assert_eq!((&said("invoked")["events"], &said("invoked")["full"]), (&json!(1), &json!(false)));
    let done = said("done");
    for (name, expected) in [("written", 1), ("removed", 0), ("ignored", 0), ("conflicts", 0)] {
        assert_eq!(done[name], expected, "{name}: {done}");
    }
    assert!(done["duration_ms"].as_u64().is_some_and(|ms| ms > 0), "{done}");
    assert!(said("pushed")["commit"].is_string());

    assert_eq!(metrics.len(), 1);
    assert_embedded_metrics(metrics[0]);
    assert_eq!(metrics[0]["request_id"], "request-2");
    let names = ["Events", "Commits", "Failures", "FullExports", "Conflicts", "Retries"];
    assert_eq!(names.map(|name| metrics[0][name].as_u64()), [1, 1, 0, 0, 0, 0].map(Some));
    assert!(metrics[0]["OldestEventAge"].is_number(), "{}", metrics[0]);
    assert!(
        metrics[0]["EntitiesRead"].as_u64() >= Some(1) && metrics[0]["Calls"].as_u64() >= Some(5)
    );

    // What fails tells no secret either.
    server.ask_for(Some(("x-access-token", "rotated")));
    log += &function.invoke(&json!({})).log();
    server.faults(vec![git_server::Fault::once("", git_server::How::Text(500, basic("x", TOKEN)))]);
    log += &function.invoke(&json!({})).log();
    site.aws.world().faults = vec![Fault::new("GetAccountAuthorizationDetails", How::Denied)];
    server.ask_for(Some(("x-access-token", TOKEN)));
    let outcome = function.invoke(&json!({}));
    log += &outcome.log();
    log += &format!("{of_event}{:?}", outcome.answer);
    for line in log.lines().filter(|line| line.contains("\"_aws\"")) {
        assert_embedded_metrics(&serde_json::from_str(line).expect("JSON"));
    }
    let clone = support::bare::git(&site.bare.scratch("clone"), &["config", "--list"]);
    let login = basic("x-access-token", TOKEN);
    let encoded = login.trim_start_matches("Basic ");
    for secret in [TOKEN, SECRET_ACCESS_KEY, SESSION_TOKEN, encoded] {
        assert!(!log.contains(secret) && !clone.contains(secret), "{secret} in\n{log}\n{clone}");
    }
}

/// The rules of CloudWatch's embedded metric format.
#[track_caller]
fn assert_embedded_metrics(line: &Value) {
    let about = &line["_aws"];
    assert!(about["Timestamp"].as_u64().is_some_and(|ms| ms > 1_600_000_000_000), "{line}");
    let directives = about["CloudWatchMetrics"].as_array().expect("directives");
    for directive in directives {
        assert!(directive["Namespace"].as_str().is_some_and(|name| !name.is_empty()));
        for dimension in directive["Dimensions"][0].as_array().expect("a set of dimensions") {
            let name = dimension.as_str().expect("a name");
            assert!(line[name].as_str().is_some_and(|value| !value.is_empty()), "{name}: {line}");
        }
        for metric in directive["Metrics"].as_array().expect("metrics") {
            assert!(["Count", "Seconds"].contains(&metric["Unit"].as_str().expect("a unit")));
            let name = metric["Name"].as_str().expect("a name");
            assert!(line[name].is_number(), "{name}: {line}");
        }
    }
}

// --- real records ----------------------------------------------------------

#[test]
fn real_records_become_commits_of_what_they_touched() {
    let folder = project().join("../shared/data/cloudtrail-events");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: there is no {}", folder.display());
        return;
    };
    let mut committed = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a file in UTF-8");
        let records: Vec<Value> = serde_json::from_str(&text).expect("a list of records");
        let account = records[0]["recipientAccountId"].as_str().expect("an account").to_owned();
        let roles: BTreeSet<&str> = records
            .iter()
            .filter_map(|record| record["requestParameters"]["roleName"].as_str())
            .collect();
        let mut world = World { account, ..World::small() };
        world.roles.extend(roles.iter().map(|name| Role::new(name)));
        for payload in
            [json!({"Records": records}), events(&records), batch(&[json!({"Records": records})])]
        {
            let site = Site::new(world.clone());
            let outcome = site.function().invoke(&payload);
            let Answer::Response(answer) = &outcome.answer else { panic!("{path:?}: {outcome:?}") };
            assert!(answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty), "{answer}");
            assert_eq!(site.commits().len(), usize::from(!roles.is_empty()), "{path:?}");
            for role in &roles {
                assert!(site.files().contains_key(&format!("roles/{role}.json")), "{path:?}");
                let message = site.last("%B");
                for record in &records {
                    let id = record["eventID"].as_str().expect("an ID");
                    assert!(message.contains(&format!("Event-Id: {id}")), "{message}");
                }
                let arn = records[0]["userIdentity"]["arn"].as_str().expect("an ARN");
                assert!(message.contains(&format!("Actor: {arn}")), "{message}");
                committed += 1;
            }
        }
    }
    assert_eq!(committed, 6, "two of the files are about roles");
}

// --- the clone -------------------------------------------------------------

#[test]
fn a_clone_that_is_damaged_or_of_another_repository_is_made_anew() {
    let (site, function) = Site::exported(World::small());
    drop(function);
    let clone = site.bare.scratch("clone");
    let mut count = 1;
    let mut changes_arrive = |function: &Function, what: &str| {
        site.aws.world().role("deploy").description = Some(format!("change {count}"));
        let payload = events(&[on_role("UpdateRole", "deploy")]);
        assert_eq!(handed_back(function.invoke(&payload)), NONE, "{what}");
        count += 1;
        assert_eq!(site.commits().len(), count, "{what}");
    };
    let damages: [(&str, &dyn Fn()); 4] = [
        ("HEAD", &|| fs::write(clone.join("HEAD"), "garbage").expect("write")),
        ("objects", &|| fs::remove_dir_all(clone.join("objects")).expect("remove")),
        ("all of it", &|| fs::remove_dir_all(&clone).expect("remove")),
        ("packs", &|| {
            for entry in fs::read_dir(clone.join("objects/pack")).expect("packs") {
                let path = entry.expect("an entry").path();
                fs::remove_file(&path).expect("remove");
                fs::write(&path, "garbage").expect("write");
            }
        }),
    ];
    for (what, damage) in damages {
        damage();
        let function = site.function();
        changes_arrive(&function, what);
        damage();
        changes_arrive(&function, what);
    }

    let other = Bare::new();
    let address = other.path().to_str().expect("UTF-8").to_owned();
    let function = site.function_with(&[("AWS_IAM_GITOPS_REPOSITORY", &address)]);
    function.invoke(&json!({})).succeeded();
    assert_eq!(other.commits("main").len(), 1);
    assert_eq!(site.commits().len(), count, "the other repository is left alone");
    assert!(other.files("main")["roles/deploy.json"].contains(&format!("change {}", count - 1)));
}
