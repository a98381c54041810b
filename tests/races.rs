//! Two functions and a person push to one repository at the same time: nobody's update is lost.
//!
//! AWS changes, and often changes back, while the functions are at work. Each change has its event,
//! which goes to one of the two; no scheduled run repairs anything.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use support::fake_aws::{ACCOUNT, FakeAws, World};
use support::git_server::{Bare, GitServer};
use support::random::Random;
use support::runtime_api::{Answer, Function, scheduled, sqs_batch};

const ROUNDS: usize = 205;

const POLICIES: [&str; 3] = [
    "arn:aws:iam::111122223333:policy/read",
    "arn:aws:iam::111122223333:policy/write",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
];

#[test]
fn nobody_loses_an_update() {
    let aws = FakeAws::start(World::small());
    let server = GitServer::start();
    server.ask_for(Some(("x-access-token", "the-token")));
    let bare = server.repository("iam");
    let clones = tempfile::tempdir().expect("a folder");
    let functions = ["one", "other"].map(|name| {
        let mut environment = aws.environment();
        environment.extend([
            ("AWS_IAM_GITOPS_REPOSITORY", server.url_of("iam")),
            ("AWS_IAM_GITOPS_TOKEN", "the-token".to_owned()),
            ("AWS_IAM_GITOPS_CLONE", clones.path().join(name).display().to_string()),
            ("AWS_IAM_GITOPS_PAUSE", "0".to_owned()),
            ("AWS_IAM_GITOPS_LEASE", "0.4".to_owned()),
        ]);
        Function::start(&environment)
    });
    functions[0].invoke(&scheduled()).succeeded();

    let queue: Mutex<Vec<(String, Value)>> = Mutex::default();
    let is_over = AtomicBool::new(false);
    let rounds = AtomicUsize::new(0);
    let edits = std::thread::scope(|scope| {
        for function in &functions {
            scope.spawn(|| serve(function, &queue, &rounds, &is_over));
        }
        let person = scope.spawn(|| edit(&bare, &is_over));
        let mut random = Random::new(7);
        let mut sent = 0;
        while rounds.load(Ordering::SeqCst) < ROUNDS {
            let records = change(&aws, &mut random);
            for record in records {
                sent += 1;
                queue.lock().expect("no panic while held").push((format!("m{sent}"), record));
            }
            while queue.lock().expect("no panic while held").len() > 4 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        while !queue.lock().expect("no panic while held").is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, Ordering::SeqCst);
        person.join().expect("a person who pushes")
    });

    let notes = bare.content("main", "notes.txt");
    let lines: Vec<String> = (0..edits).map(|number| format!("line {number}")).collect();
    assert_eq!(notes.lines().collect::<Vec<_>>(), lines, "every line of the person is there");
    assert!(edits > 10, "{edits}");

    let fresh = tempfile::tempdir().expect("a folder");
    support::run::export(&aws.environment(), fresh.path(), &["--quiet"]).succeeded();
    for (path, expected) in support::bare::files_of(fresh.path()) {
        assert_eq!(bare.content("main", &path), expected, "`{path}`");
    }
    let commits = bare.log("main").len();
    println!("{} rounds, {edits} edits, {commits} commits", rounds.into_inner());
    bare.check();
}

/// One function: takes what lies in the queue, and puts back what is handed back.
fn serve(
    function: &Function,
    queue: &Mutex<Vec<(String, Value)>>,
    rounds: &AtomicUsize,
    is_over: &AtomicBool,
) {
    while !is_over.load(Ordering::SeqCst) {
        let messages: Vec<_> = {
            let mut queue = queue.lock().expect("no panic while held");
            let count = queue.len().min(3);
            queue.drain(..count).collect()
        };
        if messages.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let outcome = function.invoke(&sqs_batch(&messages));
        rounds.fetch_add(1, Ordering::SeqCst);
        let again: Vec<_> = match &outcome.answer {
            Answer::Response(response) => {
                let failed = response["batchItemFailures"].as_array().expect("a list");
                let is_failed = |id: &str| failed.iter().any(|item| item["itemIdentifier"] == id);
                messages.into_iter().filter(|(id, _)| is_failed(id)).collect()
            }
            Answer::Error(error) => {
                assert_eq!(error.error_type, "AwsIamGitops.Retryable", "{error:?}");
                messages
            }
            other => panic!("{other:?}\n{}{}", outcome.stdout, outcome.stderr),
        };
        queue.lock().expect("no panic while held").extend(again);
    }
}

/// A person who adds a line to a file, over and over; how many lines they got in.
fn edit(bare: &Bare, is_over: &AtomicBool) -> usize {
    let work = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| {
        std::process::Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
            .args(arguments)
            .current_dir(work.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("these tests need git")
            .status
            .success()
    };
    let remote = bare.path.to_str().expect("UTF-8");
    assert!(git(&["clone", "--quiet", remote, "."]));
    let mut count = 0;
    while !is_over.load(Ordering::SeqCst) {
        let notes = work.path().join("notes.txt");
        let mut text = std::fs::read_to_string(&notes).unwrap_or_default();
        text.push_str(&format!("line {count}\n"));
        std::fs::write(notes, text).expect("write");
        assert!(git(&["add", "."]) && git(&["commit", "--quiet", "-m", "a note"]));
        while !git(&["push", "--quiet", "origin", "HEAD:main"]) {
            assert!(git(&["fetch", "--quiet"]) && git(&["rebase", "--quiet", "origin/main"]));
        }
        count += 1;
        std::thread::sleep(Duration::from_millis(700));
    }
    count
}

/// Changes a role or two, and often back at once; the events of it.
fn change(aws: &FakeAws, random: &mut Random) -> Vec<Value> {
    let mut records = Vec::new();
    for _ in 0..=random.below(2) {
        let role = ["audit", "build", "deploy"][random.below(3)];
        let policy = POLICIES[random.below(POLICIES.len())];
        let toggles = 1 + random.below(2);
        for _ in 0..toggles {
            let mut world = aws.world();
            let attached = &mut world.role(role).attached;
            let name = match attached.iter().position(|arn| arn == policy) {
                Some(at) => {
                    attached.remove(at);
                    "DetachRolePolicy"
                }
                None => {
                    attached.push(policy.to_owned());
                    "AttachRolePolicy"
                }
            };
            drop(world);
            records.push(record(name, role, policy, random));
            std::thread::sleep(Duration::from_millis(random.below(25) as u64));
        }
    }
    records
}

fn record(name: &str, role: &str, policy: &str, random: &mut Random) -> Value {
    json!({
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "eventID": random.uuid(),
        "eventTime": "2026-11-22T10:15:00Z",
        "recipientAccountId": ACCOUNT,
        "userIdentity": {
            "type": "IAMUser", "userName": "ann", "accountId": ACCOUNT,
            "arn": format!("arn:aws:iam::{ACCOUNT}:user/ann"),
        },
        "requestParameters": { "roleName": role, "policyArn": policy },
    })
}
