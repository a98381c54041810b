//! The promise: a plan right after an export shows imports and nothing else.

mod support;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use support::module::Module;
use support::python::{Emulator, project};

fn export(arguments: &[&str], to: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(["export", "--quiet", "--to"])
        .arg(to)
        .args(arguments)
        .output()
        .expect("run the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Import blocks in the files of a module.
fn import_blocks(folder: &Path) -> usize {
    let files =
        fs::read_dir(folder).expect("a module").map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "tf"))
        .map(|path| fs::read_to_string(path).expect("UTF-8").matches("import {\n").count())
        .sum()
}

/// Export, plan: imports only; apply, plan: nothing.
fn assert_zero_diff(account: &Path, arguments: &[&str]) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let from = account.to_str().expect("UTF-8");
    export(&[&["--from", from], arguments].concat(), folder.path());
    let emulator = Emulator::start(Some(account));
    let root = folder.path().join("terraform");
    let module = Module::new(&root, &emulator);
    module.run(&["validate"]);

    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert_eq!(plan.imports().len(), plan.resources());
    assert_eq!(plan.resources(), import_blocks(&root));
    assert!(plan.resources() > 0);
    module.apply();

    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert!(plan.imports().is_empty());
}

#[test]
fn example_account_plans_as_imports_only() {
    assert_zero_diff(&project().join("examples/account"), &["--organizations-attachments"]);
}

#[test]
fn hostile_account_plans_as_imports_only() {
    assert_zero_diff(&project().join("tests/accounts/hostile"), &["--organizations-attachments"]);
}

#[test]
fn real_dumps_plan_as_imports_only() {
    let folder = project().join("../shared/data/authorization-details");
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
        return;
    }
    for name in ["cloudmapper-demo.json", "cloudsplaining-example.json"] {
        assert_zero_diff(&folder.join(name), &[]);
    }
}
