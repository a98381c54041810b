//! What `init` writes into a repository, and what it leaves alone.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use aws_iam_gitops::plan_guard::rules::keys;
use aws_iam_gitops::settings::file::{FileSettings, KEYS};
use support::git_server::git;
use support::python::Emulator;
use support::run::{Outcome, Tree};
use support::{assert_formatted, assert_snapshot};

const ACCOUNT: [&str; 2] = ["--account", "111122223333"];

/// A checkout, and nothing of the caller's environment.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(place.root()).expect("a folder");
        git(&place.root(), &["init", "--quiet", "--initial-branch=main"]);
        place
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("iam")
    }

    fn init(&self, arguments: &[&str]) -> Outcome {
        self.init_with(&[], &[&ACCOUNT, arguments].concat())
    }

    fn init_with(&self, environment: &[(&str, String)], arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
            .arg("init")
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .output()
            .expect("the program runs");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("write");
    }

    fn tree(&self) -> Tree {
        Tree::of(&self.root()).without(".git/")
    }

    #[track_caller]
    fn wrote_nothing(&self) {
        assert_eq!(self.tree().paths(), [""; 0]);
    }
}

/// Every file with its content.
fn told(outcome: &Outcome, tree: &Tree) -> String {
    let files =
        tree.paths().into_iter().map(|path| format!("==> {path} <==\n{}\n", tree.content(path)));
    outcome.stdout.clone() + "\n" + &files.collect::<String>()
}

#[test]
fn everything_a_repository_needs_is_written() {
    let place = Place::new();
    git(&place.root(), &["remote", "add", "origin", "git@github.com:example-org/iam.git"]);
    let outcome = place.init(&["--export"]).succeeded();
    assert_snapshot("init", &told(&outcome, &place.tree()));
    assert_formatted(&place.root());

    let before = place.tree();
    let again = place.init(&["--export"]).succeeded();
    assert!(again.stdout.ends_with("\nall is there, nothing written\n"), "{again}");
    assert_eq!(place.tree(), before);
}

/// Each account has a folder, a state and workflows of its own; what is common to all stays.
#[test]
fn accounts_that_the_settings_name_are_laid_out_one_beside_the_other() {
    let place = Place::new();
    let settings = "[accounts]\norganization = true\n";
    fs::write(place.root().join("aws-iam-gitops.toml"), settings).expect("settings");
    for id in ["111122223333", "444455556666"] {
        place.init_with(&[], &["--account", id, "--export"]).succeeded();
        let read = |path: &str| fs::read_to_string(place.root().join(path)).expect("a file");
        let backend = read(&format!("accounts/{id}/terraform/backend.tf"));
        assert!(backend.contains(&format!("\"accounts/{id}/terraform.tfstate\"")), "{backend}");
        assert!(backend.contains(&format!("aws-iam-gitops-state-{id}")), "{backend}");
        let provider = read(&format!("accounts/{id}/terraform/provider.tf"));
        assert!(provider.contains(&format!("allowed_account_ids = [\"{id}\"]")), "{provider}");
        for workflow in ["plan", "apply", "drift", "export"] {
            let text = read(&format!(".github/workflows/{workflow}-accounts-{id}.yml"));
            assert!(text.contains(&format!("accounts/{id}")) && text.contains(id), "{text}");
        }
        assert_eq!(read("aws-iam-gitops.toml"), settings);
        let readme = read(&format!("accounts/{id}/README.md"));
        assert!(readme.starts_with(&format!("# IAM of AWS account {id}\n")), "{readme}");
    }
    assert!(!place.root().join("terraform").exists());

    let settings = "[accounts]\nids = [\"111122223333\"]\n";
    fs::write(place.root().join("aws-iam-gitops.toml"), settings).expect("settings");
    let outcome = place.init_with(&[], &["--account", "999900001111"]);
    outcome.failed_saying(&["`999900001111` is none of the `ids`"]);
    assert!(!place.root().join("accounts/999900001111").exists());
}

/// Only where folders beside it are other accounts' is a change there nothing to an account.
#[test]
fn pull_requests_are_sorted_by_account_where_accounts_lie_side_by_side() {
    for (prefix, is_sorted) in [
        (None, false),
        (Some("infra/iam"), false),
        (Some("accounts"), false),
        (Some("accounts/1"), false),
        (Some("accounts/444455556666"), true),
        (Some("iam/live/444455556666"), true),
    ] {
        let place = Place::new();
        let mut arguments = vec!["--account", "444455556666"];
        arguments.extend(prefix.into_iter().flat_map(|prefix| ["--prefix", prefix]));
        place.init_with(&[], &arguments).succeeded();
        let slug = prefix.map(|prefix| format!("-{}", prefix.replace('/', "-")));
        let path = format!(".github/workflows/plan{}.yml", slug.unwrap_or_default());
        let text = fs::read_to_string(place.root().join(path)).expect("a workflow");
        assert_eq!(text.contains("concerned"), is_sorted, "{prefix:?}");
    }
}

#[test]
fn one_account_of_several_lies_below_its_prefix() {
    let place = Place::new();
    let outcome = place
        .init(&[
            "--prefix",
            "accounts/111122223333",
            "--branch",
            "release/1.0",
            "--environment",
            "production",
            "--team",
            "@example-org/security",
            "--without",
            "plan",
            "--without",
            "drift",
            "--region",
            "eu-central-1",
            "--state-bucket",
            "states",
            "--apply-role",
            "arn:aws:iam::111122223333:role/ci/apply",
            "--program-url",
            "https://example.com/releases/1/aws-iam-gitops",
            "--program-sha256",
            "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        ])
        .succeeded();
    assert_snapshot("init_prefix", &told(&outcome, &place.tree()));
    assert_formatted(&place.root());

    let other =
        place.init_with(&[], &["--account", "444455556666", "--prefix", "accounts/444455556666"]);
    let other = other.succeeded();
    for path in [
        "accounts/444455556666/terraform/backend.tf",
        ".github/workflows/plan-accounts-444455556666.yml",
    ] {
        assert!(place.tree().has(path), "{other}");
    }
    assert!(other.stdout.contains("kept, though it says something else:\n  "), "{other}");
}

#[test]
fn a_file_that_is_there_is_kept() {
    let place = Place::new();
    place.write("README.md", "# Ours\n");
    place.write(".github/workflows/plan.yml", "on: push\n");
    place.write("docs/CODEOWNERS", "* @o/t\n");
    place.write(
        "terraform/main.tf",
        "terraform {\n  backend \"local\" {}\n  required_providers {}\n}\n",
    );
    place.write("terraform/p.tf.json", r#"{"provider": {"aws": {"region": "us-east-1"}}}"#);
    let before = place.tree();
    let dry = place.init(&["--dry-run"]).succeeded();
    assert!(dry.stdout.contains("\nwould be written:\n"), "{dry}");
    assert_eq!(place.tree(), before);

    let outcome = place.init(&[]).succeeded();
    let changes = before.changes(&place.tree());
    assert_eq!(
        changes,
        [
            "+ .github/workflows/apply.yml",
            "+ .github/workflows/drift.yml",
            "+ .gitignore",
            "+ aws-iam-gitops.toml"
        ]
    );
    for line in [
        "  README.md                    how the team works with it\n",
        "  terraform/backend.tf         `terraform/main.tf` says it\n",
        "  terraform/versions.tf        `terraform/main.tf` says it\n",
        "  terraform/provider.tf        `terraform/p.tf.json` says it\n",
        "  .github/CODEOWNERS           `docs/CODEOWNERS` says it\n",
    ] {
        assert!(outcome.stdout.contains(line), "{line}{outcome}");
    }
}

#[test]
fn what_can_be_found_out_is_not_asked() {
    // The default branch is the origin's, whatever is checked out; an address may hold a token.
    let place = Place::new();
    git(&place.root(), &["remote", "add", "origin", "https://x:ghs_secret@github.com/o/iam"]);
    git(&place.root(), &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]);
    let outcome = place.init(&["--dry-run"]).succeeded();
    let first = "account `111122223333`, branch `trunk`, repository `o/iam` on `github.com`\n";
    assert!(outcome.stdout.starts_with(first), "{outcome}");
    assert!(!outcome.to_string().contains("ghs_secret"));

    // The account is that of the export in the folder.
    let role = r#"{"RoleName": "a", "RoleId": "AROAEXAMPLE", "Path": "/", "CreateDate": "2024-05-06T07:08:09Z",
        "Arn": "arn:aws-cn:iam::444455556666:role/a", "AssumeRolePolicyDocument": {},
        "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": [], "Tags": []}"#;
    place.write("roles/a.json", role);
    let outcome = place.init_with(&[], &[]).succeeded();
    assert!(outcome.stdout.starts_with("account `444455556666`"), "{outcome}");
    let backend = place.tree().content("terraform/backend.tf").to_owned();
    assert!(backend.contains("region       = \"cn-north-1\""), "{backend}");
    let plan = place.tree().content(".github/workflows/plan.yml").to_owned();
    assert!(plan.contains("\"arn:aws-cn:iam::444455556666:role/aws-iam-gitops-plan\""), "{plan}");
    place.init(&[]).failed_saying(&["the folder holds account `444455556666`"]);

    // Or that of the credentials.
    let emulator = Emulator::start(None);
    let place = Place::new();
    let outcome = place.init_with(&emulator.environment(), &[]).succeeded();
    assert!(outcome.stdout.starts_with("account `123456789012`"), "{outcome}");
    let outcome = Place::new().init_with(&[], &[]);
    outcome.failed_saying(&["cannot find out which AWS account this is; --account names it"]);
}

#[test]
fn nothing_is_written_outside_of_the_repository() {
    let place = Place::new();
    let outside = place.folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    for link in [".github", "terraform"] {
        symlink(&outside, place.root().join(link)).expect("a link");
        place.init(&[]).failed_saying(&[&format!("`./{link}` is no folder"), "symbolic link"]);
        fs::remove_file(place.root().join(link)).expect("remove");
        place.write(link, "a file");
        place.init(&[]).failed_saying(&["is no folder"]);
        fs::remove_file(place.root().join(link)).expect("remove");
        place.wrote_nothing();
    }
    // A link that leads nowhere is a file that is there.
    symlink(outside.join("new"), place.root().join("README.md")).expect("a link");
    let outcome = place.init(&[]).succeeded();
    assert!(
        outcome.stdout.contains("kept, though it says something else:\n  README.md"),
        "{outcome}"
    );
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
}

#[test]
fn workflows_are_written_to_the_root_of_a_repository_only() {
    let place = Place::new();
    for folder in ["accounts/1", "new"] {
        let outcome = place.init(&[folder]);
        outcome.failed_saying(&["is not the root of its repository", "--prefix"]);
    }
    place.wrote_nothing();
    // A folder that is none yet is made, and told how to become one.
    let outside = place.folder.path().join("other").display().to_string();
    let outcome = place.init(&[&outside]).succeeded();
    assert!(outcome.stdout.contains("`git init --initial-branch=main`"), "{outcome}");
    place.init(&["../iam/.git/HEAD"]).failed_saying(&["error: "]);
    place.wrote_nothing();
}

#[test]
fn a_name_that_could_be_more_than_a_name_is_refused() {
    let place = Place::new();
    for (option, values) in [
        ("--branch", &["a b", "${{x}}", "a'b", "-x", "a..b", "refs/heads/x", "a\nb"][..]),
        ("--prefix", &["/x", "..", "a/../b", ".git", "a b", "a\"b", "${{x}}"]),
        ("--environment", &["", "a b", "${{x}}"]),
        ("--team", &["x", "@", "@a/b/c", "@a b", "@a\n* @b"]),
        ("--state-bucket", &["A", "ab", "a\"b", "a/b"]),
        ("--region", &["", "us east"]),
        ("--plan-role", &["x", "arn:aws:iam::111122223333:user/x", "arn:aws:iam::1:role/x"]),
    ] {
        for value in values {
            let outcome = place.init(&[&format!("{option}={value}")]);
            assert_eq!(outcome.code, Some(2), "{option} {value:?}\n{outcome}");
        }
    }
    for arguments in [
        &["--program-url", "https://example.com/x"][..],
        &["--program-sha256", "00"],
        &["--account", "1"],
        &["--without", "export"],
    ] {
        assert_eq!(place.init_with(&[], arguments).code, Some(2), "{arguments:?}");
    }
    let other = "arn:aws:iam::444455556666:role/x";
    place.init(&["--plan-role", other]).failed_saying(&["is no role of account `111122223333`"]);
    // Git takes branches that a workflow does not.
    git(&place.root(), &["symbolic-ref", "HEAD", "refs/heads/a'&&b"]);
    place
        .init(&[])
        .failed_saying(&["the checkout's branch cannot stand in a workflow", "--branch"]);
    place.wrote_nothing();
    place.init(&["--branch", "main"]).succeeded();
}

#[test]
fn the_settings_are_settings_and_show_every_key() {
    let place = Place::new();
    place.init(&["--prefix", "a/b"]).succeeded();
    let tree = place.tree();
    let text = tree.content("aws-iam-gitops.toml");
    let settings = FileSettings::parse("aws-iam-gitops.toml", text).expect("settings");
    assert_eq!(settings.choices.prefix.expect("a prefix").as_str(), "a/b");
    // What is commented out is valid, too.
    let is_setting = |line: &str| line.contains(" = ") || line.starts_with('[');
    let all: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    // A folder of one account and several accounts exclude each other.
    let several: String = all
        .lines()
        .filter(|line| !line.starts_with("prefix = "))
        .map(|line| format!("{line}\n"))
        .collect();
    let settings = FileSettings::parse("aws-iam-gitops.toml", &several).expect("settings");
    assert!(settings.choices.accounts.settled().expect("accounts").is_some());
    for (key, _) in aws_iam_gitops::settings::file::accounts::KEYS {
        let is_another_way = ["ids", "organizational_units"].contains(&key);
        assert!(is_another_way || several.contains(&format!("\n{key} = ")), "{key}");
    }
    for key in KEYS.iter().map(|(key, _)| *key).chain(keys().map(|key| key.name)) {
        let starts = [format!("{key} = "), format!("[[{key}]]"), format!("[{key}]")];
        let is_there = |line: &str| starts.iter().any(|start| line.starts_with(start));
        assert!(all.lines().any(is_there), "{key}");
    }

    // Roles of other names than the deployment's are protected all the same.
    let place = Place::new();
    let role = "arn:aws:iam::111122223333:role/ci/apply";
    place.init(&["--apply-role", role]).succeeded();
    let text = place.tree().content("aws-iam-gitops.toml").to_owned();
    assert!(text.contains(&format!("\n[guard]\nprotected = [\"{role}\"]\n")), "{text}");
    let guard = FileSettings::parse("aws-iam-gitops.toml", &text).expect("settings").guard;
    assert!(guard.protected[0].matches_name("role", Some("/ci/"), "apply"));
}

#[test]
fn the_workflows_get_the_program_in_one_way() {
    let place = Place::new();
    place.init(&["--export"]).succeeded();
    let tree = place.tree().only(&[".github/workflows/"]);
    let mut found = Vec::new();
    for path in tree.paths() {
        for rest in tree.content(path).split("- name: Get aws-iam-gitops\n").skip(1) {
            let step = rest.split("\n\n").next().expect("a step");
            let lines = step.lines().filter(|line| !line.trim_start().starts_with("if:"));
            found.push(lines.collect::<Vec<_>>());
        }
    }
    assert_eq!(found.len(), 5);
    found.dedup();
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn the_commands_in_the_documentation_are_commands() {
    let documents = [include_str!("../README.md"), include_str!("../docs/workflows.md")];
    let lines = documents.iter().flat_map(|document| document.lines());
    let commands: Vec<&str> =
        lines.filter_map(|line| line.strip_prefix("aws-iam-gitops init ")).collect();
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--dry-run"]).collect();
        Place::new().init_with(&[], &arguments).succeeded();
    }
}

#[test]
fn the_workflows_may_do_little_and_trust_nobody() {
    let place = Place::new();
    place.init(&["--export"]).succeeded();
    let tree = place.tree().only(&[".github/workflows/"]);
    assert_eq!(tree.paths().len(), 4);
    for (path, text) in tree.contents() {
        assert!(text.contains("\n\npermissions: {}\n\n"), "{path}");
        for trusting in ["pull_request_target", "workflow_run", "actor", "secrets.", "write-all"] {
            assert!(!text.contains(trusting), "{path}: {trusting}");
        }
        // A run that changes something is not cancelled for a newer one.
        let is_cancelled = path.ends_with("plan.yml");
        assert!(text.contains(&format!("cancel-in-progress: {is_cancelled}\n")), "{path}");
        for line in text.lines().filter(|line| line.contains("uses:")) {
            let (_, pinned) = line.split_once('@').expect("a version");
            let (commit, version) = pinned.split_once(" # v").expect("its name");
            let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_commit && version.split('.').count() == 3, "{line}");
        }
    }
    // Only one job may write comments, and it runs nothing but its own script.
    let plan = tree.content(".github/workflows/plan.yml");
    let (before, comment) = plan.split_once("\n  comment:\n").expect("the job");
    assert!(!before.contains("pull-requests: write") && !comment.contains("uses:"));
    assert_eq!(comment.matches("run: |").count(), 1);
}
