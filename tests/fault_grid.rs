//! Every fault at every moment: the real function, a fake AWS and a real Git server that go wrong.
//!
//! Whatever goes wrong, what is committed is what AWS holds, what is not done is not called done,
//! and when the fault is over and the queue delivers again, the repository is a full export. The
//! outcomes are a table in `docs/faults.md`.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake_aws::{self, FakeAws, Fault, How, OrganizationsPolicy, Role, World};
use support::gate::{Do, Gate};
use support::git_server::{Bare, GitServer, basic, git};
use support::run::export;
use support::runtime_api::{Answer, Function, Invocation, eventbridge, scheduled, sqs_batch};

const SECRET: &str = "git/token";
const TOKEN: &str = "first-token-0123456789";
const NEW_TOKEN: &str = "second-token-987654321";
const USER: &str = "x-access-token";

const FETCH: [&str; 2] = ["service=git-upload-pack", "POST /r.git/git-upload-pack"];
const PUSH: [&str; 2] = ["service=git-receive-pack", "POST /r.git/git-receive-pack"];

// --- what happens in AWS -------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Role,
    RoleDeleted,
    Policy,
    OrganizationsPolicy,
}

use Change::{OrganizationsPolicy as Organizations, Policy, RoleDeleted};

const ALL: [Change; 4] = [Change::Role, RoleDeleted, Policy, Organizations];

impl Change {
    fn make(self, world: &mut World) {
        match self {
            Change::Role => {
                let role = world.role("deploy");
                role.inline[0].1["Statement"][0]["Action"] = json!("s3:*");
                role.tags = vec![("changed".to_owned(), "yes".to_owned())];
            }
            RoleDeleted => world.roles.retain(|role| role.name != "audit"),
            Policy => world.policy("read").document["Statement"][0]["Resource"] = json!("*"),
            Organizations => world.organizations_policies[0].name = "changed".to_owned(),
        }
    }

    fn record(self) -> Value {
        let arn = format!("arn:aws:iam::{}:policy/read", fake_aws::ACCOUNT);
        let (service, name, parameters) = match self {
            Change::Role => ("iam", "PutRolePolicy", json!({"roleName": "deploy"})),
            RoleDeleted => ("iam", "DeleteRole", json!({"roleName": "audit"})),
            Policy => ("iam", "CreatePolicyVersion", json!({"policyArn": arn})),
            Organizations => ("organizations", "UpdatePolicy", json!({"policyId": "p-aaaaaaaa"})),
        };
        record(service, name, &parameters)
    }
}

fn record(service: &str, name: &str, parameters: &Value) -> Value {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    json!({
        "eventVersion": "1.11",
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name,
        "eventID": format!("0dd3f2c8-0000-4000-8000-{number:012}"),
        "eventTime": "2026-11-22T08:00:00Z",
        "requestParameters": parameters,
        "recipientAccountId": fake_aws::ACCOUNT,
        "userIdentity": {
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::{}:assumed-role/admin/alice@example.com", fake_aws::ACCOUNT),
        },
    })
}

/// An account whose listings have several pages.
fn account() -> World {
    let mut world = World { page_sizes: vec![2], ..World::small() };
    world.roles.push(Role::new("zoo"));
    world.organizations_policies.push(OrganizationsPolicy::new("p-dddddddd"));
    world.secrets.insert(SECRET.to_owned(), TOKEN.to_owned());
    let own = |name: &str| format!("arn:aws:iam::{}:policy/{name}", fake_aws::ACCOUNT);
    let document = world.policy("read").document.clone();
    let role = world.role("deploy");
    role.inline = ["a", "b"].map(|name| (name.to_owned(), document.clone())).to_vec();
    role.attached = vec![own("read"), own("write")];
    world
}

fn account_after(changes: &BTreeSet<Change>) -> World {
    let mut world = account();
    changes.iter().for_each(|change| change.make(&mut world));
    world
}

/// A repository that holds a full export of the account after some changes.
#[derive(Clone)]
struct Exported {
    path: PathBuf,
    tree: String,
}

fn exported(changes: &BTreeSet<Change>) -> Exported {
    static REPOSITORIES: Mutex<BTreeMap<BTreeSet<Change>, Exported>> = Mutex::new(BTreeMap::new());
    let mut repositories = lock(&REPOSITORIES);
    let found = repositories.entry(changes.clone()).or_insert_with(|| {
        let aws = FakeAws::start(account_after(changes));
        let folder = tempfile::tempdir().expect("a folder");
        export(&aws.environment(), folder.path(), &["--quiet"]).succeeded();
        let tree = support::run::Tree::of(folder.path());
        let files: Vec<_> =
            tree.contents().into_iter().map(|(path, text)| (path, Some(text))).collect();
        let path = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder").keep();
        Bare::init(&path).commit("main", &files, "Export");
        let tree = git(&path, &["rev-parse", "main^{tree}"]).trim().to_owned();
        Exported { path, tree }
    });
    found.clone()
}

fn tree_after(changes: &BTreeSet<Change>) -> String {
    exported(changes).tree
}

// --- a function and its surroundings ----------------------------------------------

/// How a case differs from the usual one: an event about a role, in a queue, to a new function.
#[derive(Clone)]
struct Setting {
    changes: &'static [Change],
    /// The function has served an invocation before.
    is_warm: bool,
    how: Way,
    /// How long an invocation may take.
    time: Duration,
    lease: &'static str,
    /// The size of a disk of its own for the clone.
    disk: Option<&'static str>,
}

/// How the function hears of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Queue,
    Direct,
    /// A schedule, by way of the queue.
    Schedule,
}

const USUAL: Setting = Setting {
    changes: &[Change::Role],
    is_warm: false,
    how: Way::Queue,
    time: Duration::from_secs(60),
    lease: "1",
    disk: None,
};
const WARM: Setting = Setting { is_warm: true, ..USUAL };
/// The lease with which a function looks at AWS again after every push.
const AGAIN: &str = "0.001";
const SHORT: Setting = Setting { time: Duration::from_secs(10), ..USUAL };
const SMALL_DISK: Setting = Setting { disk: Some("1m"), ..USUAL };

struct Stage {
    aws: FakeAws,
    git: GitServer,
    gate: Gate,
    bare: Bare,
    clone: PathBuf,
    function: Mutex<Option<Arc<Function>>>,
    setting: Setting,
    /// What the functions before this one wrote.
    logs: Mutex<String>,
    answers: Mutex<String>,
    _folder: tempfile::TempDir,
}

/// What came of an invocation, as the queue sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Converged,
    HandedBack,
    Retryable,
    Permanent,
    Ended,
}

impl Outcome {
    fn text(self) -> &'static str {
        match self {
            Outcome::Converged => "converged",
            Outcome::HandedBack => "handed back",
            Outcome::Retryable => "failed, retryable",
            Outcome::Permanent => "failed, permanent",
            Outcome::Ended => "process ended",
        }
    }
}

impl Stage {
    fn new(setting: &Setting) -> Arc<Stage> {
        let folder = tempfile::tempdir().expect("a folder");
        let git_server = GitServer::start();
        git_server.ask_for(Some((USER, TOKEN)));
        let bare = git_server.repository("r");
        let start = exported(&BTreeSet::new()).path;
        copy_folder(&start.join("objects"), &bare.path.join("objects"));
        copy_folder(&start.join("refs"), &bare.path.join("refs"));
        let stage = Arc::new(Stage {
            aws: FakeAws::start(account()),
            gate: Gate::start(&git_server.url),
            git: git_server,
            bare,
            clone: folder.path().join("clone"),
            function: Mutex::default(),
            setting: setting.clone(),
            logs: Mutex::default(),
            answers: Mutex::default(),
            _folder: folder,
        });
        stage.start_function();
        stage
    }

    /// Starts a function with what the one before left in the clone's folder.
    fn start_function(&self) {
        let mut environment = self.aws.environment();
        let ours = [
            ("REPOSITORY", format!("{}/r.git", self.gate.url)),
            ("TOKEN_SECRET", SECRET.to_owned()),
            ("CLONE", self.clone.to_str().expect("UTF-8").to_owned()),
            ("PAUSE", "0.3".to_owned()),
            ("LEASE", self.setting.lease.to_owned()),
        ];
        for (name, value) in ours {
            environment.push((Box::leak(format!("AWS_IAM_GITOPS_{name}").into_boxed_str()), value));
        }
        let program = env!("CARGO_BIN_EXE_aws-iam-gitops");
        let function = match self.setting.disk {
            None => Function::start(&environment),
            Some(size) => {
                fs::create_dir_all(&self.clone).expect("a folder");
                environment.push(("PATH", std::env::var("PATH").unwrap_or_default()));
                let mut shell = Command::new("unshare");
                let script = format!(
                    "mount -t tmpfs -o size={size} tmpfs \"$AWS_IAM_GITOPS_CLONE\" && \
                     mkdir \"$AWS_IAM_GITOPS_CLONE/clone\" && \
                     export AWS_IAM_GITOPS_CLONE=\"$AWS_IAM_GITOPS_CLONE/clone\" && exec {program}"
                );
                shell.args(["--map-root-user", "--mount", "sh", "-c", &script]);
                Function::of(shell, &environment)
            }
        };
        if let Some(old) = lock(&self.function).replace(Arc::new(function)) {
            lock(&self.logs).push_str(&old.log());
        }
    }

    fn function(&self) -> Arc<Function> {
        lock(&self.function).clone().expect("it was started")
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.aws.world()
    }

    fn payload(&self) -> Value {
        let records = self.setting.changes.iter().map(|change| eventbridge(&change.record()));
        let messages: Vec<(String, Value)> = match self.setting.how {
            Way::Direct => return records.into_iter().next().expect("a change"),
            Way::Schedule => vec![("schedule".to_owned(), scheduled())],
            Way::Queue => {
                records.enumerate().map(|(number, record)| (format!("m{number}"), record)).collect()
            }
        };
        sqs_batch(&messages)
    }

    fn invoke(&self, payload: &Value) -> Outcome {
        self.invoke_for(payload, self.setting.time)
    }

    fn invoke_for(&self, payload: &Value, time: Duration) -> Outcome {
        let outcome = self.function().invoke(Invocation::new(payload).time(time));
        let _ = writeln!(lock(&self.answers), "{:?}", outcome.answer);
        match outcome.answer {
            Answer::Response(answer) => match answer.get("batchItemFailures") {
                Some(failures) if failures != &json!([]) => Outcome::HandedBack,
                _ => Outcome::Converged,
            },
            // A direct event cannot be handed back.
            Answer::Error(error)
                if self.setting.how == Way::Direct
                    && error.error_type.starts_with("AwsIamGitops.") =>
            {
                Outcome::HandedBack
            }
            Answer::Error(error) => match error.error_type.as_str() {
                "AwsIamGitops.Retryable" => Outcome::Retryable,
                "AwsIamGitops.Permanent" => Outcome::Permanent,
                other => panic!("an error of no known type: {other}"),
            },
            Answer::Died(_) => Outcome::Ended,
            other => panic!("{other:?}\n{}", self.log()),
        }
    }

    fn log(&self) -> String {
        format!("{}{}{}", lock(&self.logs), self.function().log(), lock(&self.answers))
    }

    /// Kills the process now.
    fn kill(&self) {
        self.function().kill();
    }

    /// Makes another token the one that is valid.
    fn rotate(&self) {
        self.git.ask_for(Some((USER, NEW_TOKEN)));
        self.world().secrets.insert(SECRET.to_owned(), NEW_TOKEN.to_owned());
    }

    fn revoke(&self) {
        self.git.ask_for(Some((USER, NEW_TOKEN)));
    }

    fn remove_secret(&self) {
        self.world().secrets.clear();
    }

    /// The folder of the clone as this process sees it.
    fn disk(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.function().pid()));
        root.join(self.clone.strip_prefix("/").expect("absolute"))
    }

    /// Leaves no room on the clone's disk.
    fn fill(&self) {
        let _ = fs::write(self.disk().join("fill"), vec![1; 1 << 20]);
    }

    /// The same, with a download that broke off.
    fn fill_clone(&self) {
        let pack = self.disk().join("clone/objects/pack/pack_git2_0123456789abcdef");
        let _ = fs::write(pack, vec![1; 1 << 20]);
    }

    /// Once AWS is asked about this: does that.
    fn when_read(
        self: &Arc<Stage>,
        operation: &'static str,
        act: impl Fn(&Stage) + Send + 'static,
    ) {
        let stage = Arc::downgrade(self);
        let mut is_done = false;
        self.aws.watch(move |request| {
            if !is_done
                && request.operation == operation
                && let Some(stage) = stage.upgrade()
            {
                is_done = true;
                act(&stage);
            }
        });
    }

    /// When what AWS did not find is looked up again: does that.
    fn at_second_look(self: &Arc<Stage>, act: impl Fn(&Stage) + Send + 'static) {
        let stage = Arc::downgrade(self);
        let mut first = None;
        let mut is_done = false;
        self.aws.watch(move |request| {
            if is_done || request.service != "iam" {
                return;
            }
            if first.get_or_insert_with(Instant::now).elapsed() > Duration::from_millis(150)
                && let Some(stage) = stage.upgrade()
            {
                is_done = true;
                act(&stage);
            }
        });
    }

    /// Decides on the Git requests that hold one of these texts, the first so many of them.
    fn at_git(
        self: &Arc<Stage>,
        texts: &'static [&'static str],
        mut times: usize,
        act: impl Fn(&Stage) -> Do + Send + 'static,
    ) {
        let stage = Arc::downgrade(self);
        self.gate.watch(move |request| {
            if times == 0 || !texts.iter().any(|text| request.contains(text)) {
                return Do::Pass;
            }
            times -= 1;
            stage.upgrade().map_or(Do::Pass, |stage| act(&stage))
        });
    }

    /// The push is handled, then this happens, and the answer is lost. Requests after it are
    /// decided on as well.
    fn after_push(
        self: &Arc<Stage>,
        act: impl Fn(&Stage) + Send + 'static,
        mut later: impl FnMut(&str) -> Do + Send + 'static,
    ) {
        let stage = Arc::downgrade(self);
        self.gate.when_handled(move || {
            if let Some(stage) = stage.upgrade() {
                act(&stage);
            }
        });
        let mut is_pushed = false;
        self.gate.watch(move |request| match is_pushed {
            true => later(request),
            false if request.contains(PUSH[1]) => {
                is_pushed = true;
                Do::HandleAndCut
            }
            false => Do::Pass,
        });
    }

    /// Everything works again.
    fn lift(&self) {
        self.aws.watch_no_more();
        self.gate.open();
        {
            let mut world = self.world();
            world.faults.clear();
            world.delay = Duration::ZERO;
        }
        self.rotate();
        for hook in ["pre-receive", "post-receive"] {
            let _ = fs::remove_file(self.bare.path.join("hooks").join(hook));
        }
        if self.function().is_alive() {
            if self.setting.disk.is_some() {
                let _ = fs::remove_file(self.disk().join("fill"));
            }
        } else {
            self.start_function();
        }
    }

    /// The trees of the branch's commits, newest first.
    fn trees(&self) -> Vec<String> {
        let log = git(&self.bare.path, &["log", "--format=%T", "main"]);
        log.lines().map(str::to_owned).collect()
    }

    /// Fails the test where something was committed that AWS does not hold.
    fn assert_commits_are_true(&self, what: &str) {
        let after = tree_after(&self.setting.changes.iter().copied().collect());
        let start = tree_after(&BTreeSet::new());
        let mut trees = self.trees();
        assert_eq!(trees.pop().as_ref(), Some(&start), "{what}");
        for tree in &trees {
            let is_of_some =
                || subsets(self.setting.changes).iter().any(|of| tree_after(of) == *tree);
            assert!(
                *tree == after || is_of_some(),
                "{what}: a commit that AWS never was like\n{}\n{}",
                git(&self.bare.path, &["log", "--stat", "-p", "main"]),
                self.log()
            );
        }
        assert!(
            trees.len() <= self.setting.changes.len(),
            "{what}: too many commits\n{}",
            self.log()
        );
        let distinct: BTreeSet<&String> = trees.iter().collect();
        assert_eq!(distinct.len(), trees.len(), "{what}: a commit twice\n{}", self.log());
    }

    fn assert_no_secret(&self, what: &str) {
        let mut texts = vec![(PathBuf::from("the log"), self.log().into_bytes())];
        let clone = if self.setting.disk.is_some() { self.disk() } else { self.clone.clone() };
        files_below(&clone, &mut texts);
        let commits = git(&self.bare.path, &["log", "--format=raw", "main"]);
        texts.push((PathBuf::from("the commits"), commits.into_bytes()));
        let logins = [TOKEN, NEW_TOKEN].map(|token| basic(USER, token));
        let encoded = logins.each_ref().map(|login| login.trim_start_matches("Basic "));
        let secrets = [TOKEN, NEW_TOKEN, fake_aws::SECRET_ACCESS_KEY, fake_aws::SESSION_TOKEN];
        for (path, text) in texts {
            for secret in secrets.iter().chain(&encoded) {
                let found = memchr::memmem::find(&text, secret.as_bytes());
                assert!(found.is_none(), "{what}: a secret in {}", path.display());
            }
        }
    }
}

fn files_below(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        } else if let Ok(content) = fs::read(&path) {
            found.push((path, content));
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(from, to).expect("a copy");
        }
    }
}

fn subsets(changes: &[Change]) -> Vec<BTreeSet<Change>> {
    let members = |bits: usize| {
        let is_in = move |number: &usize| bits & (1 << number) != 0;
        (0..changes.len()).filter(is_in).map(|number| changes[number]).collect()
    };
    (0..1 << changes.len()).map(members).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

// --- the grid ----------------------------------------------------------------------

const MOMENTS: [&str; 4] =
    ["before reading", "while reading", "before the push", "after the push, before the answer"];

struct Row {
    fault: String,
    cells: [Cell; 4],
}

enum Cell {
    /// It cannot occur, and why.
    Never(&'static str),
    Cases(Vec<Case>),
}

#[derive(Clone)]
struct Case {
    setting: Setting,
    arm: Arm,
}

/// Makes the fault happen, now or at its moment.
type Arm = Arc<dyn Fn(&Arc<Stage>) + Send + Sync>;

fn case(setting: Setting, arm: impl Fn(&Arc<Stage>) + Send + Sync + 'static) -> Case {
    Case { setting, arm: Arc::new(arm) }
}

fn of(cases: impl IntoIterator<Item = Case>) -> Cell {
    Cell::Cases(cases.into_iter().collect())
}

/// Plays one case; returns what came of the invocation that met the fault.
fn play(case: &Case, what: &str) -> Outcome {
    let stage = Stage::new(&case.setting);
    if case.setting.is_warm {
        let about = record("iam", "TagRole", &json!({"roleName": "build"}));
        let outcome = stage.invoke(&sqs_batch(&[("warm".to_owned(), eventbridge(&about))]));
        assert_eq!(outcome, Outcome::Converged, "{what}\n{}", stage.log());
    }
    case.setting.changes.iter().for_each(|change| change.make(&mut stage.world()));
    let wanted = tree_after(&case.setting.changes.iter().copied().collect());
    (case.arm)(&stage);
    let payload = stage.payload();
    let outcome = stage.invoke(&payload);
    stage.assert_commits_are_true(what);
    let is_there = stage.trees().first() == Some(&wanted);
    assert!(
        outcome != Outcome::Converged || is_there,
        "{what}: success was reported and AWS's state is not there\n{}",
        stage.log()
    );
    stage.lift();
    if outcome != Outcome::Converged {
        // Calls that were throttled stay slow for a while.
        let again = stage.invoke_for(&payload, Duration::from_secs(60));
        assert_eq!(again, Outcome::Converged, "{what}, delivered again\n{}", stage.log());
        stage.assert_commits_are_true(what);
    }
    assert_eq!(stage.trees().first(), Some(&wanted), "{what}\n{}", stage.log());
    stage.bare.check();
    stage.assert_no_secret(what);
    outcome
}

const NO_CALL: &str = "AWS is not called between the last reading and the push";
const NO_GIT: &str = "the Git server is not asked while AWS is read";
const ONLY_PUSH: &str = "hooks run when the server gets a push";
const NO_LOGIN: &str = "the token is kept between the fetch and the push";

/// How often something fails that lifts by itself.
const BRIEFLY: usize = 2;
const EVER: usize = usize::MAX;

/// A fault of AWS: while connecting, at every call of a reading, and at the second look that
/// follows a slow push.
fn aws_row(name: &str, base: &Setting, how: How, times: usize) -> Row {
    let fault = move |operation| Fault::new(operation, how).times(times);
    let at = |operation, changes, how| {
        case(Setting { changes, how, ..base.clone() }, move |stage| {
            stage.world().faults.push(fault(operation));
        })
    };
    let mut reading = vec![
        at("GetRole", &[Change::Role][..], Way::Queue),
        at("GetRolePolicy", &[Change::Role], Way::Queue),
        at("GetRolePolicy", &[Change::Role], Way::Direct),
        at("GetPolicyVersion", &[Policy], Way::Queue),
        at("ListTargetsForPolicy", &[Organizations], Way::Queue),
        at("GetPolicyVersion", &[Change::Role, Policy], Way::Queue),
        at("ListRoles", &ALL, Way::Schedule),
        at("GetAccountAuthorizationDetails", &ALL, Way::Schedule),
    ];
    // Who is denied the first page may be in an account that has no say in its organization.
    reading
        .push(case(Setting { changes: &ALL, how: Way::Schedule, ..base.clone() }, move |stage| {
            stage.world().faults.push(fault("ListPolicies").page(1))
        }));
    reading.push(case(Setting { is_warm: true, ..base.clone() }, move |stage| {
        stage.world().faults.push(fault("ListAttachedRolePolicies"));
    }));
    // A refusal that is cut still says what it is.
    if how != How::TextCut {
        reading.push(case(Setting { changes: &[RoleDeleted], ..base.clone() }, move |stage| {
            stage.at_second_look(move |stage| {
                let operations = [
                    "GetRole",
                    "ListRolePolicies",
                    "ListAttachedRolePolicies",
                    "ListInstanceProfilesForRole",
                ];
                stage.world().faults.extend(operations.map(fault));
            });
        }));
    }
    let again = case(Setting { lease: AGAIN, ..base.clone() }, move |stage| {
        stage.at_git(&PUSH[1..], 1, move |stage| {
            stage.world().faults.push(fault("GetRole"));
            Do::Pass
        });
    });
    Row {
        fault: format!("AWS {name}"),
        cells: [
            of([at("GetCallerIdentity", &[Change::Role], Way::Queue)]),
            of(reading),
            Cell::Never(NO_CALL),
            of([again]),
        ],
    }
}

/// AWS answers after the time limit.
fn slow_aws_row() -> Row {
    let late = |stage: &Stage| stage.world().delay = Duration::from_secs(60);
    Row {
        fault: "AWS slower than the time limit".to_owned(),
        cells: [
            of([case(SHORT, move |stage| late(stage))]),
            of([case(SHORT, move |stage| stage.when_read("GetSecretValue", late))]),
            Cell::Never(NO_CALL),
            of([case(Setting { lease: AGAIN, ..SHORT }, move |stage| {
                stage.at_git(&PUSH[1..], 1, move |stage| {
                    late(stage);
                    Do::Pass
                });
            })]),
        ],
    }
}

/// A fault of the Git server: at both requests of a fetch, at both of a push, and where the push
/// is looked up whose answer was lost.
fn git_row(name: &str, setting: &Setting, what: Do, times: usize) -> Row {
    let at = |text: usize, texts: &'static [&'static str; 2], setting: &Setting| {
        case(setting.clone(), move |stage| {
            stage.at_git(&texts[text..=text], times, move |_| what);
        })
    };
    let warm = Setting { is_warm: true, ..setting.clone() };
    let lost = case(setting.clone(), move |stage| {
        let mut left = times;
        stage.after_push(
            |_| {},
            move |_| {
                if left == 0 {
                    return Do::Pass;
                }
                left -= 1;
                what
            },
        );
    });
    Row {
        fault: format!("Git {name}"),
        cells: [
            of([at(0, &FETCH, setting), at(1, &FETCH, setting), at(0, &FETCH, &warm)]),
            Cell::Never(NO_GIT),
            of([at(0, &PUSH, setting), at(1, &PUSH, setting)]),
            of([lost]),
        ],
    }
}

fn grid() -> Vec<Row> {
    let mut rows = vec![
        aws_row("throttled, briefly", &USUAL, How::Throttled, 1),
        aws_row("throttled", &SHORT, How::Throttled, EVER),
        aws_row("5xx, briefly", &USUAL, How::Unavailable, BRIEFLY),
        aws_row("5xx", &USUAL, How::Unavailable, EVER),
        aws_row("denied", &USUAL, How::Denied, EVER),
        aws_row("answer cut, briefly", &USUAL, How::ConnectionCut, BRIEFLY),
        aws_row("answer cut", &SHORT, How::ConnectionCut, EVER),
        aws_row("answer cut without a sign", &USUAL, How::TextCut, EVER),
        slow_aws_row(),
        git_row("401", &USUAL, Do::Answer(401), EVER),
        git_row("403", &USUAL, Do::Answer(403), EVER),
        git_row("404", &USUAL, Do::Answer(404), EVER),
        git_row("5xx, briefly", &USUAL, Do::Answer(503), BRIEFLY),
        git_row("5xx", &USUAL, Do::Answer(503), EVER),
        git_row("connection cut, briefly", &USUAL, Do::Cut, BRIEFLY),
        git_row("connection cut", &USUAL, Do::Cut, EVER),
        git_row("slow", &SHORT, Do::Delay(Duration::from_millis(300)), BRIEFLY),
        git_row("slower than the time limit", &SHORT, Do::Delay(Duration::from_secs(60)), EVER),
    ];
    let refuse = |hook: &'static str| {
        of([case(USUAL, move |stage| stage.bare.hook(hook, "echo 'not today' >&2\nexit 1"))])
    };
    rows.push(Row {
        fault: "Git hook refuses".to_owned(),
        cells: [
            Cell::Never(ONLY_PUSH),
            Cell::Never(ONLY_PUSH),
            refuse("pre-receive"),
            refuse("post-receive"),
        ],
    });
    rows.extend(secret_rows());
    rows.push(disk_row("disk full", Stage::fill));
    rows.push(disk_row("disk full of what was left in the clone", Stage::fill_clone));
    let kill_at = |texts: &'static [&'static str], what| {
        case(USUAL, move |stage| {
            stage.at_git(texts, 1, move |stage| {
                stage.kill();
                what
            });
        })
    };
    let kill_while = |operation| case(USUAL, move |stage| stage.when_read(operation, Stage::kill));
    rows.push(Row {
        fault: "process killed".to_owned(),
        cells: [
            of([
                kill_while("GetCallerIdentity"),
                kill_at(&FETCH[..1], Do::Pass),
                kill_at(&FETCH[1..], Do::Pass),
            ]),
            of([kill_while("GetRole"), kill_while("GetRolePolicy")]),
            of([kill_at(&PUSH[..1], Do::Pass), kill_at(&PUSH[1..], Do::Cut)]),
            of([
                case(USUAL, |stage| stage.after_push(Stage::kill, |_| Do::Pass)),
                case(USUAL, |stage| {
                    stage.after_push(
                        |stage| {
                            stage.kill();
                            leave_locks(&stage.clone);
                        },
                        |_| Do::Pass,
                    );
                }),
            ]),
        ],
    });
    rows
}

fn disk_row(name: &str, fill: fn(&Stage)) -> Row {
    let at_push = |texts: &'static [&'static str]| {
        case(SMALL_DISK, move |stage| {
            stage.at_git(texts, 1, move |stage| {
                fill(stage);
                Do::Pass
            });
        })
    };
    Row {
        fault: name.to_owned(),
        cells: [
            of([case(SMALL_DISK, move |stage| stage.when_read("GetSecretValue", fill))]),
            of([case(SMALL_DISK, move |stage| stage.when_read("GetRole", fill))]),
            of([at_push(&PUSH[..1]), at_push(&PUSH[1..])]),
            of([case(SMALL_DISK, move |stage| stage.after_push(fill, |_| Do::Pass))]),
        ],
    }
}

/// What a process that is killed at a bad moment leaves in the clone.
fn leave_locks(clone: &Path) {
    for name in ["HEAD.lock", "refs/fetched/last.lock", "objects/pack/pack_git2_0123456789abcdef"] {
        fs::write(clone.join(name), "").expect("a file");
    }
}

fn secret_rows() -> Vec<Row> {
    let missing = Row {
        fault: "secret missing".to_owned(),
        cells: [
            of([case(USUAL, |stage| stage.remove_secret())]),
            of([case(USUAL, |stage| stage.when_read("GetRole", Stage::remove_secret))]),
            of([case(USUAL, |stage| {
                stage.at_git(&PUSH[..1], 1, |stage| {
                    stage.remove_secret();
                    Do::Pass
                });
            })]),
            of([case(USUAL, |stage| stage.after_push(Stage::remove_secret, |_| Do::Pass))]),
        ],
    };
    let both = |stage: &Stage| {
        stage.revoke();
        stage.remove_secret();
    };
    let revoked = |name: &str, act: fn(&Stage)| Row {
        fault: name.to_owned(),
        cells: [
            of([case(WARM, move |stage| act(stage))]),
            of([case(USUAL, move |stage| stage.when_read("GetRole", act))]),
            of([case(USUAL, move |stage| {
                stage.at_git(&PUSH[1..], 1, move |stage| {
                    act(stage);
                    Do::Pass
                });
            })]),
            of([case(USUAL, move |stage| stage.after_push(act, |_| Do::Pass))]),
        ],
    };
    let secrets_manager = |name: &str, setting: Setting, how: How, times: usize| {
        let fault = move || Fault::new("GetSecretValue", how).times(times);
        let refused = move |stage: &Stage| {
            stage.rotate();
            stage.world().faults.push(fault());
        };
        Row {
            fault: format!("Secrets Manager {name}"),
            cells: [
                of([case(setting.clone(), move |stage| stage.world().faults.push(fault()))]),
                Cell::Never(NO_LOGIN),
                of([case(setting.clone(), move |stage| {
                    stage.at_git(&PUSH[1..], 1, move |stage| {
                        refused(stage);
                        Do::Pass
                    });
                })]),
                of([case(setting.clone(), move |stage| stage.after_push(refused, |_| Do::Pass))]),
            ],
        }
    };
    vec![
        missing,
        revoked("secret missing, its token revoked", both),
        revoked("secret rotated", Stage::rotate),
        revoked("token revoked, secret not yet rotated", Stage::revoke),
        secrets_manager("throttled, briefly", USUAL, How::Throttled, 1),
        secrets_manager("throttled", SHORT, How::Throttled, EVER),
        secrets_manager("denied", USUAL, How::Denied, EVER),
    ]
}

/// Plays a part of the grid alone: the cases whose description holds this, such as `Git 5xx`.
fn chosen() -> Option<String> {
    std::env::var("FAULT").ok().filter(|text| !text.is_empty())
}

/// Plays all cases of the grid, some at once; the outcomes of each cell.
fn play_all(rows: &[Row]) -> Vec<[BTreeSet<Outcome>; 4]> {
    let only = chosen().unwrap_or_default();
    let mut jobs = Vec::new();
    for (row, Row { fault, cells }) in rows.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            let Cell::Cases(cases) = cell else { continue };
            for (number, case) in cases.iter().enumerate() {
                let what = format!("{fault}, {}, case {number}", MOMENTS[column]);
                if what.contains(&only) {
                    jobs.push((row, column, what, case));
                }
            }
        }
    }
    let outcomes = Mutex::new(vec![<[BTreeSet<Outcome>; 4]>::default(); rows.len()]);
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                while let Some((row, column, what, case)) =
                    jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let started = Instant::now();
                    let played = std::panic::AssertUnwindSafe(|| play(case, what));
                    match std::panic::catch_unwind(played) {
                        Ok(outcome) => {
                            lock(&outcomes)[*row][*column].insert(outcome);
                            println!("{what}: {} {:?}", outcome.text(), started.elapsed());
                        }
                        Err(_) => lock(&failures).push(what.clone()),
                    }
                }
            });
        }
    });
    let failures = lock(&failures);
    assert!(
        failures.is_empty(),
        "{} of {} cases failed: {failures:#?}",
        failures.len(),
        jobs.len()
    );
    outcomes.into_inner().expect("no panic while held")
}

fn table(rows: &[Row], outcomes: &[[BTreeSet<Outcome>; 4]]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    let mut text = format!("| | {} |\n|---|---|---|---|---|\n", MOMENTS.join(" | "));
    for (row, outcomes) in rows.iter().zip(outcomes) {
        let _ = write!(text, "| {} |", row.fault);
        for (cell, outcomes) in row.cells.iter().zip(outcomes) {
            let cell = match cell {
                Cell::Never(reason) => {
                    if !reasons.contains(reason) {
                        reasons.push(reason);
                    }
                    let number =
                        reasons.iter().position(|found| found == reason).expect("it is in");
                    format!("– ({})", number + 1)
                }
                Cell::Cases(_) => {
                    outcomes.iter().map(|outcome| outcome.text()).collect::<Vec<_>>().join("; ")
                }
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text.push_str("\nCannot occur:\n\n");
    for (number, reason) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {reason}", number + 1);
    }
    text
}

#[test]
fn every_fault_ends_converged_or_delivered_again_and_never_wrong() {
    let rows = grid();
    let outcomes = play_all(&rows);
    if chosen().is_none() {
        assert_documented(&table(&rows, &outcomes));
    }
}

const BEGIN: &str = "<!-- what tests/fault_grid.rs found: UPDATE_DOCS=1 writes it anew -->\n";
const END: &str = "<!-- end -->\n";

/// Compares with the table in the documentation, or writes it there.
#[track_caller]
fn assert_documented(found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let document = fs::read_to_string(&path).expect("docs/faults.md");
    let (before, rest) = document.split_once(BEGIN).expect("where the table begins");
    let (written, after) = rest.split_once(END).expect("where the table ends");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{found}{END}{after}")).expect("write the table");
        return;
    }
    assert_eq!(
        written, found,
        "docs/faults.md is not what was found; UPDATE_DOCS=1 writes it:\n{found}"
    );
}
