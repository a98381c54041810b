//! The double of the AWS provider has tests of its own; a judge that is wrong proves nothing.

mod support;

use std::fs;
use std::process::{Child, Command, Stdio};

use support::python::{project, python};

/// The files with tests, each in a process of its own: most of their time they wait for Terraform.
#[test]
fn the_double_passes_its_own_tests() {
    let folder = project().join("tests/provider");
    let entries = fs::read_dir(&folder).expect("the double's folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    let start = |name: String| {
        let run = Command::new(python())
            .args(["-m", "unittest", "--failfast", &name])
            .current_dir(&folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run Python");
        (name, run)
    };
    let is_test = |name: &String| name.starts_with("test_") && name.ends_with(".py");
    let runs: Vec<(String, Child)> = names.filter(is_test).map(start).collect();
    assert!(runs.len() >= 3, "tests of the double are missing");
    for (name, run) in runs {
        let output = run.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}:\n{said}{text}");
        assert!(!text.contains("Ran 0 tests"), "{name} has no test:\n{text}");
    }
}
