//! Whatever order events come in, and however often, the repository ends equal to the account; and
//! each commit on the way is a module that Terraform takes.
//!
//! Random histories of an account go through the real function to a real repository. The seeds are
//! fixed; `HISTORIES=200 cargo test --test converges` plays more.

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::bare::Bare;
use support::delivery::{Batch, Delivery, Plan};
use support::history::{self, History, Options};
use support::module::Module;
use support::python::Emulator;
use support::runtime_api::{Answer, Function, scheduled};

const HISTORIES: usize = 22;
const OPERATIONS: usize = 100;
/// Modules that Terraform looks at in one run.
const MODULES: usize = 30;

#[test]
fn every_history_ends_equal_to_a_full_export() {
    let histories = std::env::var("HISTORIES").map_or(HISTORIES, |n| n.parse().expect("a number"));
    let next = AtomicUsize::new(0);
    let commits = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let emulator = history::emulator();
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= histories {
                        break;
                    }
                    let plan = if seed % 3 == 2 { Plan::lossy() } else { Plan::usual() };
                    let start = std::time::Instant::now();
                    let played = play(seed as u64, plan, &emulator);
                    println!("seed {seed}: {played} commits, {:.1?}", start.elapsed());
                    commits.fetch_add(played, Ordering::SeqCst);
                }
            });
        }
    });
    let commits = commits.into_inner();
    println!("{histories} histories of {OPERATIONS} operations: {commits} commits");
    assert!(commits > 4 * histories, "{commits}");
}

/// Plays one history; how many commits it made.
fn play(seed: u64, plan: Plan, emulator: &Emulator) -> usize {
    let start = std::time::Instant::now();
    let mut history = History::new(seed, emulator, Options::default());
    let mut delivery = Delivery::new(seed, plan);
    let bare = Bare::new();
    let function = Function::start(&environment(emulator, &bare));
    invoke(&function, &mut delivery, None, seed);
    let mut done = 0;
    while done < OPERATIONS {
        let steps = 1 + (seed as usize + done) % 7;
        done += steps;
        for batch in delivery.take(history.steps(steps)) {
            invoke(&function, &mut delivery, Some(&batch), seed);
        }
    }
    loop {
        let batches = delivery.drain();
        if batches.is_empty() {
            break;
        }
        for batch in batches {
            invoke(&function, &mut delivery, Some(&batch), seed);
        }
    }
    let played = start.elapsed();
    let fresh = tempfile::tempdir().expect("a folder");
    let outcome = support::run::export(&emulator.environment(), fresh.path(), &["--quiet"]);
    outcome.succeeded();
    let expected = support::bare::files_of(fresh.path());
    let found = bare.files("main");
    assert_same(&expected, &found, seed);

    let head = bare.head("main");
    let before = function.invoke(&scheduled()).succeeded();
    assert_eq!(bare.head("main"), head, "seed {seed}: a full export finds nothing to do: {before}");
    let commits = bare.commits("main");
    println!(
        "played {played:.1?}, compared {:.1?}, cpu {:.1?}",
        start.elapsed(),
        function.cpu_time()
    );
    assert_every_commit_stands_alone(&bare, &commits, emulator, seed);
    commits.len()
}

fn environment(emulator: &Emulator, bare: &Bare) -> Vec<(&'static str, String)> {
    let mut environment: Vec<_> = emulator.environment().into_iter().collect();
    environment.extend([
        ("AWS_IAM_GITOPS_REPOSITORY", bare.path().display().to_string()),
        ("AWS_IAM_GITOPS_CLONE", bare.scratch("clone").display().to_string()),
        ("AWS_IAM_GITOPS_PAUSE", "0".to_owned()),
        ("AWS_IAM_GITOPS_LEASE", "0".to_owned()),
    ]);
    environment
}

fn invoke(function: &Function, delivery: &mut Delivery, batch: Option<&Batch>, seed: u64) {
    let payload = batch.map_or_else(scheduled, |batch| batch.payload.clone());
    let outcome = function.invoke(&payload);
    match (&outcome.answer, batch) {
        (Answer::Response(response), Some(batch)) => delivery.failed(
            batch,
            Some(response)
                .filter(|response| response.get("batchItemFailures").is_some())
                .or(Some(&serde_json::json!({ "batchItemFailures": [] }))),
        ),
        (Answer::Response(_), None) => {}
        _ => panic!("seed {seed}: {outcome:?}"),
    }
}

/// A line without what depends on its place.
fn words(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").trim_end_matches(',').to_owned()
}

/// A document that says the same in other words keeps the words it had, so lines are compared
/// whatever their order.
fn assert_same(expected: &support::bare::Files, found: &support::bare::Files, seed: u64) {
    let paths: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let differing: Vec<String> = paths
        .into_iter()
        .filter_map(|path| {
            let lines = |files: &support::bare::Files| -> Vec<String> {
                let mut lines: Vec<String> =
                    files.get(path).into_iter().flat_map(|text| text.lines()).map(words).collect();
                lines.sort_unstable();
                lines
            };
            let (found, expected) = (lines(found), lines(expected));
            if found == expected {
                return None;
            }
            let first = found.iter().zip(&expected).position(|(one, other)| one != other);
            let first = first.unwrap_or(found.len().min(expected.len()));
            let (one, other) = (found.get(first), expected.get(first));
            Some(format!("`{path}`: {one:?}, of a full export {other:?}"))
        })
        .collect();
    assert!(differing.is_empty(), "seed {seed}:\n{}", differing.join("\n"));
}

/// The modules of many commits are children of one: Terraform starts once for all of them. Import
/// blocks may stand in a root module only, and by now speak of what AWS no longer has; that their
/// targets are declared is seen without Terraform.
fn assert_every_commit_stands_alone(
    bare: &Bare,
    commits: &[String],
    emulator: &Emulator,
    seed: u64,
) {
    let mut seen = BTreeSet::new();
    let mut modules: Vec<(String, PathBuf)> = Vec::new();
    let folder = tempfile::tempdir().expect("a folder");
    for commit in commits {
        let Some(tree) = bare.tree_of(commit, "terraform") else { continue };
        if !seen.insert(tree) {
            continue;
        }
        let to = folder.path().join(commit);
        std::fs::create_dir(&to).expect("a folder");
        for (path, content) in bare.files(commit) {
            if let Some(name) = path.strip_prefix("terraform/") {
                let (content, imports) = without_imports(&content);
                for import in imports {
                    assert!(
                        content.contains(&declaration(&import)),
                        "seed {seed}, commit {commit}: `{path}` imports `{import}` and does not declare it"
                    );
                }
                std::fs::write(to.join(name), content).expect("write");
            }
        }
        modules.push((commit.clone(), to));
    }
    for modules in modules.chunks(MODULES) {
        let root = tempfile::tempdir().expect("a folder");
        let mut main = String::new();
        for (commit, folder) in modules {
            let moved = root.path().join(commit);
            std::fs::rename(folder, moved).expect("move");
            main.push_str(&format!("module \"c{commit}\" {{\n  source = \"./{commit}\"\n}}\n"));
        }
        std::fs::write(root.path().join("main.tf"), main).expect("write");
        let module = Module::new(root.path(), emulator);
        for arguments in
            [&["validate"][..], &["plan", "-input=false", "-refresh=false", "-parallelism=20"]]
        {
            let output = module.output(arguments);
            assert!(
                output.status.success(),
                "seed {seed}: {}\n{}",
                String::from_utf8_lossy(&output.stdout)
                    .lines()
                    .rev()
                    .take(5)
                    .collect::<Vec<_>>()
                    .join("\n"),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

/// The text without its import blocks, and their targets.
fn without_imports(text: &str) -> (String, Vec<String>) {
    let mut out = String::new();
    let mut targets = Vec::new();
    let mut is_import = false;
    for line in text.lines() {
        if line == "import {" {
            is_import = true;
        }
        if !is_import {
            out.push_str(line);
            out.push('\n');
        } else if let Some(target) = line.strip_prefix("  to = ") {
            targets.push(target.to_owned());
        }
        if line == "}" {
            is_import = false;
        }
    }
    (out, targets)
}

fn declaration(address: &str) -> String {
    let (resource_type, label) = address.split_once('.').expect("an address");
    format!("resource \"{resource_type}\" \"{label}\" {{")
}
