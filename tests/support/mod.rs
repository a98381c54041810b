//! What several test files share: the programs they drive and the folders they work in.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod actions_api;
pub mod bare;
pub mod cloudtrail;
pub mod counting_proxy;
pub mod delivery;
pub mod fake_aws;
pub mod fake_github;
pub mod fake_organization;
pub mod gate;
pub mod git_server;
pub mod github_markdown;
pub mod history;
pub mod http_server;
pub mod infrastructure;
pub mod module;
pub mod python;
pub mod random;
pub mod raw_json;
pub mod refusing;
pub mod repository;
pub mod run;
pub mod runtime_api;
pub mod tls_server;
pub mod workflows;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the real Terraform in `folder`; anything but success fails the test with its output.
pub fn terraform(folder: &Path, arguments: &[&str]) -> String {
    stdout_of(arguments, &terraform_output(folder, arguments))
}

/// The stdout of a Terraform command that must have succeeded.
pub fn stdout_of(arguments: &[&str], output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "`terraform {}` failed:\n{stdout}\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Compares a text with the golden one under `snapshots/`.
#[track_caller]
pub fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Runs the real Terraform in `folder`, whatever it answers.
pub fn terraform_output(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("terraform")
        .args(arguments)
        .current_dir(folder)
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .output()
        .expect("these tests need the program `terraform` 1.5 or newer on the PATH")
}

/// Fails the test unless `terraform fmt` would leave every file below `folder` as it is.
pub fn assert_formatted(folder: &Path) {
    let output = terraform_output(folder, &["fmt", "-check", "-diff", "-recursive"]);
    assert!(
        output.status.success(),
        "`terraform fmt` would change:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What the real Terraform makes of expressions: each is evaluated, the values come back as JSON.
pub fn evaluate(expressions: &[String]) -> Vec<serde_json::Value> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut module = String::from("output \"values\" {\n  value = [\n");
    for expression in expressions {
        module.push_str(expression);
        module.push_str(",\n");
    }
    module.push_str("  ]\n}\n");
    std::fs::write(folder.path().join("main.tf"), module).expect("write main.tf");
    terraform(folder.path(), &["apply", "-auto-approve", "-input=false", "-no-color"]);
    let answer = terraform(folder.path(), &["output", "-json", "values"]);
    serde_json::from_str(&answer).expect("terraform prints JSON")
}
