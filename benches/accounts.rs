//! An export of 50 accounts of 200 roles each in one run, and of 10: what it takes in calls, time and
//! memory, and that memory does not grow with the number of accounts.
//!
//! The real program reads a fake AWS over HTTP, which answers at once. Fails above [`LIMIT`].

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::fake_aws::{EXTERNAL_ID, FakeAws, Policy, Role, World};

const ROLES: usize = 200;
const POLICIES: usize = 20;

/// How many times the memory of ten accounts fifty may take.
const LIMIT: f64 = 1.25;

fn main() {
    let few = measure(10);
    let many = measure(50);
    let ratio = many / few;
    println!("memory of 50 accounts / of 10: {ratio:.2}");
    assert!(ratio <= LIMIT, "memory grows with the number of accounts");
}

/// Exports so many accounts twice; the peak of the first run's memory, in megabytes.
fn measure(accounts: usize) -> f64 {
    let ids: Vec<String> = (0..accounts).map(|number| format!("{:012}", 100 + number)).collect();
    let aws = FakeAws::start(World::small()).with_members(ids.iter().map(|id| account(id)));
    let folder = tempfile::tempdir().expect("a folder");
    let settings = format!("[accounts]\nids = {ids:?}\nexternal_id = \"{EXTERNAL_ID}\"\n");
    fs::write(folder.path().join("aws-iam-gitops.toml"), settings).expect("settings");
    let (first, peak) = export(&aws, folder.path());
    let calls = aws.take_requests().len();
    let (second, _) = export(&aws, folder.path());
    println!(
        "{accounts} accounts of {ROLES} roles and {POLICIES} policies: {calls} calls, {first:.1?}, {peak:.0} MB; \
         again, with nothing to write: {second:.1?}"
    );
    peak
}

fn account(id: &str) -> World {
    let roles = (0..ROLES).map(|number| {
        let mut role = Role::new(&format!("service-{number:03}"));
        let policy = format!("arn:aws:iam::{id}:policy/shared-{:02}", number % POLICIES);
        role.attached.push(policy);
        role
    });
    let policies = (0..POLICIES).map(|number| Policy::new(&format!("shared-{number:02}")));
    World { roles: roles.collect(), policies: policies.collect(), ..World::member(id) }
}

/// How long a run takes, and the most memory that it holds, in megabytes.
fn export(aws: &FakeAws, to: &std::path::Path) -> (Duration, f64) {
    let start = Instant::now();
    let mut program = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(["export", "--quiet", "--to"])
        .arg(to)
        .env_clear()
        .envs(aws.environment())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut peak = 0.0_f64;
    let status = loop {
        peak = peak.max(high_water_mark(program.id()));
        if let Some(status) = program.try_wait().expect("the program") {
            break status;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success());
    (start.elapsed(), peak)
}

/// The high-water mark of a process's resident memory, in megabytes.
fn high_water_mark(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1_000.0
}
