//! Whatever order events come in, and however often, the repository ends equal to the account; and
//! each commit on the way is a module that Terraform takes.
//!
//! Random histories of an account go through the real function to a real repository. The seeds are
//! fixed; `HISTORIES=200 cargo test --test converges` plays more, and `FIRST=150` begins with that one.

mod support;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::bare::Bare;
use support::delivery::{Batch, Delivery, Plan};
use support::history::{self, History, Options};
use support::module::Module;
use support::python::Emulator;
use support::runtime_api::{Answer, Function, scheduled};

const HISTORIES: usize = 16;
const OPERATIONS: usize = 100;
/// Modules that Terraform looks at in one run.
const MODULES: usize = 30;

#[test]
fn every_history_ends_equal_to_a_full_export_and_every_commit_stands_alone() {
    let number = |name: &str| Some(std::env::var(name).ok()?.parse::<usize>().expect("a number"));
    let histories = number("HISTORIES").unwrap_or(HISTORIES);
    let first = number("FIRST").unwrap_or(0);
    let next = AtomicUsize::new(first);
    let commits = AtomicUsize::new(0);
    let modules: Mutex<Vec<Checked>> = Mutex::default();
    let emulators = [history::emulator(), history::emulator()];
    std::thread::scope(|scope| {
        for emulator in &emulators {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst) as u64;
                    if seed >= histories as u64 {
                        break;
                    }
                    let plan = if seed % 3 == 2 { Plan::lossy() } else { Plan::usual() };
                    let (count, found) = play(seed, plan, emulator);
                    commits.fetch_add(count, Ordering::SeqCst);
                    modules.lock().expect("no panic while held").extend(found);
                }
            });
        }
    });
    let commits = commits.into_inner();
    let modules = modules.into_inner().expect("no panic while held");
    println!("{commits} commits, {} different modules", modules.len());
    assert!(commits > 4 * (histories - first), "{commits}");
    let chunks: Vec<&[Checked]> = modules.chunks(MODULES).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for emulator in &emulators {
            scope.spawn(|| {
                while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::SeqCst)) {
                    assert_stand_alone(chunk, emulator);
                }
            });
        }
    });
}

/// Plays one history: how many commits it made, and their modules.
fn play(seed: u64, plan: Plan, emulator: &Emulator) -> (usize, Vec<Checked>) {
    let mut history = History::new(seed, emulator, Options::default());
    let mut delivery = Delivery::new(seed, plan);
    let bare = Bare::new();
    let function = Function::start(&environment(emulator, &bare));
    invoke(&function, &mut delivery, None, seed);
    let mut done = 0;
    while done < OPERATIONS {
        let steps = 2 + (seed as usize + done) % 11;
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
    (commits.len(), modules_of(&bare, &commits, seed))
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

/// The module of a commit, without its import blocks.
struct Checked {
    seed: u64,
    commit: String,
    folder: tempfile::TempDir,
}

/// The modules of commits, each that is new. Import blocks may stand in a root module only, and by
/// now speak of what AWS no longer has; that their targets are declared is seen here.
fn modules_of(bare: &Bare, commits: &[String], seed: u64) -> Vec<Checked> {
    let mut seen = BTreeSet::new();
    let mut modules = Vec::new();
    for commit in commits {
        let Some(tree) = bare.tree_of(commit, "terraform") else { continue };
        if !seen.insert(tree) {
            continue;
        }
        let folder = tempfile::tempdir().expect("a folder");
        for (path, content) in bare.files(commit) {
            let Some(name) = path.strip_prefix("terraform/") else { continue };
            let (content, imports) = without_imports(&content);
            for import in imports {
                assert!(
                    content.contains(&declaration(&import)),
                    "seed {seed}, {commit}: `{path}` imports `{import}` and does not declare it"
                );
            }
            std::fs::write(folder.path().join(name), content).expect("write");
        }
        modules.push(Checked { seed, commit: commit.clone(), folder });
    }
    modules
}

/// Validates and plans modules, as children of one, so that Terraform starts once for all of them.
fn assert_stand_alone(modules: &[Checked], emulator: &Emulator) {
    let root = tempfile::tempdir().expect("a folder");
    let mut main = String::new();
    for (number, Checked { seed, commit, folder }) in modules.iter().enumerate() {
        let name = format!("m{number}-seed{seed}-{}", &commit[..8]);
        std::os::unix::fs::symlink(folder.path(), root.path().join(&name)).expect("a link");
        main.push_str(&format!("module \"{name}\" {{\n  source = \"./{name}\"\n}}\n"));
    }
    std::fs::write(root.path().join("main.tf"), main).expect("write");
    let module = Module::new(root.path(), emulator);
    for arguments in
        [&["validate"][..], &["plan", "-input=false", "-refresh=false", "-parallelism=20"]]
    {
        let output = module.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`terraform {}`:\n{stderr}", arguments[0]);
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
