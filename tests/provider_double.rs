//! The double of the AWS provider has tests of its own; a judge that is wrong proves nothing.

mod support;

use std::process::Command;

use support::python::{project, python};

#[test]
fn the_double_passes_its_own_tests() {
    let output = Command::new(python())
        .args(["-m", "unittest", "discover", "--failfast"])
        .current_dir(project().join("tests/provider"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("run Python");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stdout));
    assert!(!text.contains("Ran 0 tests"), "no test was found:\n{text}");
}
