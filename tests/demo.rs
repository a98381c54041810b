//! The story that `demo` tells: what it prints, and the repositories that it leaves.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::assert_snapshot;
use support::bare::git;
use support::run::Outcome;

/// Runs the program in a folder, without a PATH, a home or credentials.
fn demo(folder: &Path, arguments: &[&str]) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .arg("demo")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the program runs");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The text with `COMMIT` for each commit's ID.
fn without_ids(text: &str) -> String {
    let word = |word: &str| {
        let is_id = word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { "COMMIT".to_owned() } else { word.to_owned() }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn the_story_is_told_with_two_commits() {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = demo(folder.path(), &["--quiet"]).succeeded();
    assert_eq!(outcome.stderr, "");
    assert_snapshot("demo", &without_ids(&outcome.stdout));

    let made = folder.path().join("aws-iam-gitops-demo");
    let repository = made.join("repository.git");
    let log = git(&repository, &["log", "--format=%an <%ae>, %cn: %s", "main"]);
    assert_eq!(
        log,
        "alice@example.com <alice@example.com>, aws-iam-gitops: iam: AttachRolePolicy on role deploy\n\
         aws-iam-gitops <aws-iam-gitops@aws-iam-gitops.invalid>, aws-iam-gitops: \
         export: 1 policy, 2 roles, 1 organizations policy changed\n"
    );
    assert_eq!(
        git(&repository, &["diff", "--name-only", "main^", "main"]),
        "roles/deploy.json\nterraform/iam_role.deploy.tf\n"
    );

    let clone = made.join("iam");
    assert_eq!(git(&clone, &["status", "--porcelain", "--branch"]), "## main...origin/main\n");
    let mut left: Vec<_> = fs::read_dir(&made)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    left.sort();
    assert_eq!(left, ["event.json", "iam", "repository.git"]);
    support::assert_formatted(&clone);
}

/// The commands that it tells a person to run are run.
#[test]
fn the_commands_it_names_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = demo(folder.path(), &["there"]).succeeded();
    let commands: Vec<_> = outcome
        .stdout
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("git ") || line.starts_with("cat "))
        .collect();
    assert_eq!(commands.len(), 3, "{outcome}");
    for command in commands {
        let mut words = command.split(' ');
        let run = Command::new(words.next().expect("a program"))
            .args(words)
            .current_dir(folder.path())
            .output()
            .expect("this test needs `git` and `cat` on the PATH");
        assert!(run.status.success(), "{command}");
        assert!(String::from_utf8_lossy(&run.stdout).contains("AdministratorAccess"), "{command}");
    }
}

#[test]
fn what_is_there_already_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    demo(folder.path(), &["empty"]).succeeded();
    fs::write(folder.path().join("file"), "precious").expect("a file");
    for name in ["empty", "file"] {
        let outcome = demo(folder.path(), &["-q", name]);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert_eq!(outcome.stdout, "");
        assert_eq!(
            outcome.stderr,
            format!(
                "error: `{name}` is there already\n\nhint: remove it, or name another folder: \
                 `aws-iam-gitops demo DIR`\n"
            )
        );
    }
    assert_eq!(fs::read_to_string(folder.path().join("file")).expect("a file"), "precious");
}

#[test]
fn settings_in_the_environment_do_not_change_the_story() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = demo(folder.path(), &["-q", "one"]).succeeded();
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(["demo", "-q", "two"])
        .current_dir(folder.path())
        .env("AWS_IAM_GITOPS_BRANCH", "other")
        .env("AWS_IAM_GITOPS_PREFIX", "accounts/1")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("GITHUB_TOKEN", "not-a-token")
        .output()
        .expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(without_ids(&text).replace("two/", "one/"), without_ids(&plain.stdout));
}
