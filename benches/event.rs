//! What one event costs, whatever the size of the repository: CPU time of a warm function in a
//! repository of 100 entities and in one of 10,000, in turn, up to its push. And what a function
//! costs at all: time from its start to its first poll, and memory for a full export of 10,000
//! roles.
//!
//! Fails above [`LIMIT`] and [`MEMORY`].

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::fake_aws::{ACCOUNT, FakeAws, Role, World};
use support::gate::{Do, Gate};
use support::git_server::{Bare, GitServer};
use support::runtime_api::{Function, scheduled};

const SMALL: usize = 100;
const LARGE: usize = 10_000;
const EVENTS: usize = 20;
const ROUNDS: usize = 5;

/// How many times the CPU time of the small repository the large one may take.
const LIMIT: f64 = 2.0;

/// Bytes that a full export of [`LARGE`] roles may take.
const MEMORY: u64 = 256 << 20;

fn main() {
    let starts: Vec<Duration> = (0..20).map(|_| start_time()).collect();
    println!("start to first poll: {}", spread(&starts));

    let (small, large) = (Place::of(SMALL), Place::of(LARGE));
    println!(
        "memory after a full export: {} MB of {SMALL} roles, {} MB of {LARGE} roles",
        small.memory() / 1_000_000,
        large.memory() / 1_000_000
    );
    assert!(large.memory() <= MEMORY, "a full export takes more than a function of 256 MB");
    let mut above = Vec::new();
    for (name, event) in [
        ("attachment", Place::attach as fn(&Place, usize)),
        ("new role", Place::create),
        ("role that goes", Place::delete),
    ] {
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            let one = small.cpu_time(round, event);
            let other = large.cpu_time(round, event);
            println!("{name}: {one:.1?} in {SMALL} entities, {other:.1?} in {LARGE}");
            ratios.push(other.as_secs_f64() / one.as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        println!("{name}: median ratio {:.2}", ratios[ROUNDS / 2]);
        if ratios[ROUNDS / 2] > LIMIT {
            above.push(name);
        }
    }
    assert!(above.is_empty(), "more than {LIMIT} times: {}", above.join(", "));
}

fn spread(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort();
    format!(
        "median {:.1?}, {:.1?} to {:.1?}",
        times[times.len() / 2],
        times[0],
        times[times.len() - 1]
    )
}

fn start_time() -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let environment = [("AWS_IAM_GITOPS_REPOSITORY", folder.path().display().to_string())];
    Function::start(&environment).start_time()
}

/// An account, its repository and a function between them.
struct Place {
    aws: FakeAws,
    function: Function,
    bare: Bare,
    /// The function's CPU time when it last began to push.
    at_push: Arc<Mutex<Duration>>,
    _server: GitServer,
    _gate: Gate,
    _clone: tempfile::TempDir,
}

impl Place {
    fn of(roles: usize) -> Place {
        let mut world = World::small();
        world.roles.extend((0..roles).map(|number| {
            let mut role = Role::new(&format!("service-{number:05}"));
            let document = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::b-{number}/*")},
            ]});
            role.inline = vec![("own".to_owned(), document.clone()), ("more".to_owned(), document)];
            role.attached = vec![format!("arn:aws:iam::{ACCOUNT}:policy/read")];
            role
        }));
        let aws = FakeAws::start(world);
        let server = GitServer::start();
        let bare = server.repository("iam");
        let gate = Gate::start(&server.url);
        let clone = tempfile::tempdir().expect("a folder");
        let mut environment = aws.environment();
        environment.extend([
            ("AWS_IAM_GITOPS_REPOSITORY", format!("{}/iam.git", gate.url)),
            ("AWS_IAM_GITOPS_TOKEN", "token".to_owned()),
            ("AWS_IAM_GITOPS_CLONE", clone.path().join("clone").display().to_string()),
            ("AWS_IAM_GITOPS_PAUSE", "0".to_owned()),
        ]);
        let function = Function::start(&environment);
        function.invoke(&scheduled()).succeeded();
        let at_push = Arc::new(Mutex::default());
        let (pid, at) = (function.pid(), Arc::clone(&at_push));
        gate.watch(move |request| {
            if request.contains("service=git-receive-pack") {
                *at.lock().expect("no panic while held") = Function::exact_cpu_time(pid);
            }
            Do::Pass
        });
        Place { aws, function, bare, at_push, _server: server, _gate: gate, _clone: clone }
    }

    fn memory(&self) -> u64 {
        self.function.peak_memory()
    }

    /// The CPU time of an event up to its push, the median of some.
    fn cpu_time(&self, round: usize, event: fn(&Place, usize)) -> Duration {
        let mut spent = Vec::new();
        for number in 0..EVENTS {
            let head = self.bare.head("main");
            let before = Function::exact_cpu_time(self.function.pid());
            event(self, round * EVENTS + number);
            assert_ne!(head, self.bare.head("main"), "the event is committed");
            spent.push(*self.at_push.lock().expect("no panic while held") - before);
        }
        spent.sort();
        spent[EVENTS / 2]
    }

    fn attach(&self, number: usize) {
        let name = format!("service-{:05}", number % SMALL);
        let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
        let mut world = self.aws.world();
        let attached = &mut world.role(&name).attached;
        match attached.iter().position(|arn| arn == policy) {
            Some(at) => drop(attached.remove(at)),
            None => attached.push(policy.to_owned()),
        }
        drop(world);
        self.send("AttachRolePolicy", &name);
    }

    fn create(&self, number: usize) {
        let name = format!("new-{number}");
        self.aws.world().roles.push(Role::new(&name));
        self.send("CreateRole", &name);
    }

    fn delete(&self, number: usize) {
        let name = format!("new-{number}");
        self.aws.world().roles.retain(|role| role.name != name);
        self.send("DeleteRole", &name);
    }

    fn send(&self, name: &str, role: &str) {
        let event: Value = json!({
            "eventSource": "iam.amazonaws.com", "eventName": name,
            "eventID": format!("{name} {role}"), "recipientAccountId": ACCOUNT,
            "userIdentity": {"type": "IAMUser", "userName": "ann"},
            "requestParameters": {"roleName": role},
        });
        self.function.invoke(&event).succeeded();
    }
}
