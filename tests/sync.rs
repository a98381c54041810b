//! `sync` and `event` from the command line: one commit or none, what they print, what they refuse.
//!
//! The account is the emulator's, the repository a bare one on this machine. What the pipeline does
//! to the repository is proven in `converges.rs`; here it is what a person meets.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::bare::{Bare, git};
use support::python::{Emulator, project};
use support::run::{Outcome, export};
use support::runtime_api::{scheduled, sqs_batch};

/// An emulated account, a repository, and a home in which nothing is set.
struct Case {
    emulator: Emulator,
    bare: Bare,
    home: tempfile::TempDir,
}

impl Case {
    fn new() -> Case {
        let emulator = Emulator::start(Some(&project().join("examples/account")));
        Case { emulator, bare: Bare::new(), home: tempfile::tempdir().expect("a home") }
    }

    /// Runs the program with the account and the repository.
    fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(&[], arguments, "")
    }

    fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Outcome {
        let mut environment = self.emulator.environment();
        environment.push(("AWS_IAM_GITOPS_REPOSITORY", self.bare.path().display().to_string()));
        environment.push(("AWS_IAM_GITOPS_PAUSE", "0".to_owned()));
        environment.push(("AWS_IAM_GITOPS_LEASE", "0".to_owned()));
        let mut environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        environment.extend(variables);
        program(self.home.path(), &environment, arguments, stdin)
    }

    fn commits(&self) -> usize {
        self.bare.head("main").map_or(0, |_| self.bare.commits("main").len())
    }

    fn attach(&self) {
        self.emulator.call(&format!(
            "client.iam('AttachRolePolicy', RoleName='github-deploy', PolicyArn='{ADMINISTRATOR}')"
        ));
    }

    /// Writes a file of the home and names it.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.home.path().join(name);
        fs::write(&path, content).expect("write");
        path.display().to_string()
    }

    /// Commits a file to a branch as a person does.
    fn push(&self, branch: &str, path: &str, content: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let clone = folder.path();
        let url = self.bare.path().display().to_string();
        git(clone, &["clone", "--quiet", &url, "."]);
        git(clone, &["checkout", "--quiet", "-B", branch]);
        fs::write(clone.join(path), content).expect("write");
        git(clone, &["add", "."]);
        let person = ["-c", "user.name=bob", "-c", "user.email=bob@example.com"];
        git(clone, &[&person[..], &["commit", "--quiet", "-m", "settings"]].concat());
        git(clone, &["push", "--quiet", "origin", branch]);
    }
}

/// Runs the program in a folder with this environment alone.
fn program(home: &Path, environment: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("COLUMNS", "100")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // It may not want any of it.
    let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// What EventBridge passes on when alice has attached that policy.
fn event() -> Value {
    let text = include_str!("../templates/demo/event.json");
    let text = text.replace("\"roleName\": \"deploy\"", "\"roleName\": \"github-deploy\"");
    serde_json::from_str(&text).expect("JSON")
}

/// Nothing on stdout, this on stderr.
#[track_caller]
fn refused(outcome: &Outcome, code: i32, texts: &[&str]) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""), "{outcome}");
    for text in texts {
        assert!(outcome.stderr.contains(text), "`{text}` is missing\n{outcome}");
    }
}

#[test]
fn an_account_is_one_commit_and_then_none() {
    let case = Case::new();
    let first = case.run(&["sync", "--quiet"]).succeeded();
    let head = case.bare.head("main").expect("a commit");
    assert!(first.stdout.contains("exported account `111122223333` to `"), "{first}");
    assert!(first.stdout.ends_with(&format!("\ncommitted and pushed {head}\n")), "{first}");
    assert_eq!(
        case.bare.message(&head).trim(),
        "export: 8 policies, 1 group, 1 user, 17 roles, 5 organizations policies…"
    );
    let folder = tempfile::tempdir().expect("a folder");
    export(&case.emulator.environment(), folder.path(), &["--quiet"]).succeeded();
    assert_eq!(support::bare::files_of(folder.path()), case.bare.files("main"));

    let second = case.run(&["sync", "--quiet"]).succeeded();
    second.wrote_nothing();
    assert!(!second.stdout.contains("committed"), "{second}");
    assert_eq!(case.commits(), 1);
}

#[test]
fn a_dry_run_prints_the_differences_and_commits_nothing() {
    let case = Case::new();
    let first = case.run(&["sync", "-q", "--dry-run"]).succeeded();
    assert!(first.stdout.contains("+++ b/terraform/iam_role.github-deploy.tf\n"), "{first}");
    assert!(
        first.stdout.ends_with("\nnothing was committed, since this is a dry run\n"),
        "{first}"
    );
    assert_eq!(case.commits(), 0);

    case.run(&["sync", "-q"]).succeeded();
    let nothing = case.run(&["sync", "-q", "-n"]).succeeded();
    assert!(!nothing.stdout.contains("+++"), "{nothing}");
    case.attach();
    let file = case.file("event.json", &event().to_string());
    for arguments in [&["sync", "-q", "-n"][..], &["event", "-q", "-n", &file]] {
        let outcome = case.run(arguments).succeeded();
        let headers: Vec<_> =
            outcome.stdout.lines().filter(|line| line.starts_with("+++ ")).collect();
        assert_eq!(
            headers,
            ["+++ b/roles/github-deploy.json", "+++ b/terraform/iam_role.github-deploy.tf"]
        );
        assert!(outcome.stdout.contains(&format!("\n+  policy_arn = \"{ADMINISTRATOR}\"\n")));
    }
    assert_eq!(case.commits(), 1);
}

#[test]
fn programs_are_told_in_json() {
    let case = Case::new();
    let json = |arguments: &[&str]| -> Value {
        let outcome = case.run(&[arguments, &["--output", "json", "-q"]].concat()).succeeded();
        serde_json::from_str(&outcome.stdout).expect("nothing but JSON")
    };
    let dry = json(&["sync", "-n"]);
    assert_eq!(
        (dry["commits"].as_array(), &dry["summary"]["dry_run"]),
        (Some(&vec![]), &json!(true))
    );
    assert!(dry["patch"].as_str().expect("a text").starts_with("diff --git "));
    let first = json(&["sync"]);
    assert_eq!(first["commits"], json!([case.bare.head("main")]));
    assert_eq!(
        (&first["patch"], &first["summary"]["account"]),
        (&json!(""), &json!("111122223333"))
    );
    assert_eq!(json(&["sync"])["commits"], json!([]));
}

#[test]
fn an_event_is_one_commit_by_who_made_the_change() {
    let case = Case::new();
    case.run(&["sync", "-q"]).succeeded();
    case.attach();
    let file = case.file("event.json", &event().to_string());
    let outcome = case.run(&["event", "-q", &file]).succeeded();
    let head = case.bare.head("main").expect("a commit");
    assert!(outcome.stdout.ends_with(&format!("\ncommitted and pushed {head}\n")), "{outcome}");
    assert_eq!(
        case.bare.git(&["log", "-1", "--format=%an <%ae> %s", "main"]),
        "alice@example.com <alice@example.com> iam: AttachRolePolicy on role github-deploy\n"
    );
    case.run(&["event", "-q", &file]).succeeded().wrote_nothing();
    assert_eq!(case.commits(), 2);
}

#[test]
fn an_event_may_come_by_stdin_in_each_of_its_forms() {
    let case = Case::new();
    case.run(&["sync", "-q"]).succeeded();
    let record = event()["detail"].clone();
    let detach = format!(
        "client.iam('DetachRolePolicy', RoleName='github-deploy', PolicyArn='{ADMINISTRATOR}')"
    );
    let forms = [
        event(),
        record.clone(),
        json!([record]),
        json!({ "Records": [record] }),
        sqs_batch(&[("one".to_owned(), event())]),
        scheduled(),
        json!({}),
    ];
    for (index, form) in forms.iter().enumerate() {
        if index % 2 == 0 {
            case.attach()
        } else {
            drop(case.emulator.call(&detach))
        }
        case.run_with(&[], &["event", "-q", "-"], &form.to_string()).succeeded();
        assert_eq!(case.commits(), index + 2, "{form}");
    }
}

#[test]
fn an_event_that_changed_nothing_is_said_so() {
    let case = Case::new();
    let mut event = event();
    event["detail"]["errorCode"] = json!("AccessDenied");
    let outcome = case.run_with(&[], &["event", "-q", "-"], &event.to_string()).succeeded();
    assert_eq!(outcome.stdout, "the events changed nothing that is exported\n");
    assert_eq!(case.commits(), 0);
}

#[test]
fn what_is_no_event_is_refused_and_named() {
    let case = Case::new();
    let mut of_another = event();
    of_another["detail"]["recipientAccountId"] = json!("444455556666");
    let mut queued = sqs_batch(&[("one".to_owned(), event())]);
    queued["Records"][0]["body"] = json!("{");
    for (text, texts) in [
        ("", &["error: stdin is not JSON\n", "caused by: EOF"][..]),
        ("{\"a\": ", &["error: stdin is not JSON\n", "caused by: EOF"]),
        ("1", &["error: stdin is no event\n", "cannot handle a number; understood are CloudTrail"]),
        ("[{\"a\": 1}]", &["stdin is no event\n", "an object with `a`"]),
        (
            r#"{"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2"}"#,
            &["an EventBridge event `EC2 Instance State-change Notification` from `aws.ec2`"],
        ),
        (&queued.to_string(), &["a body that is no JSON"]),
        (
            &of_another.to_string(),
            &[
                "error: the event is of account `444455556666`, and the credentials are of account \
                 `111122223333`\n",
                "\nhint: choose credentials of that account with --profile or AWS_PROFILE\n",
            ],
        ),
    ] {
        refused(&case.run_with(&[], &["event", "-q", "-"], text), 1, texts);
    }
    refused(
        &case.run(&["event", "-q", "missing.json"]),
        1,
        &["error: cannot read `missing.json`\n"],
    );
    assert_eq!(case.commits(), 0);
}

#[test]
fn wrong_usage_is_told_before_anything_is_asked() {
    let home = tempfile::tempdir().expect("a home");
    for (arguments, text) in [
        (&["sync", "--nope"][..], "unexpected argument '--nope'"),
        (&["sync", "--branch", "refs/heads/x"], "`x`, without `refs/heads/`"),
        (&["sync", "--branch", "a b"], "is not the name of a branch"),
        (&["sync", "--prefix", "/a"], "does not lie inside the repository"),
        (&["sync", "--prefix", "a/../b"], "has the part `..`"),
        (
            &["sync", "--repository", "git@github.com:o/n.git"],
            "use `https://github.com/o/n.git` and a token",
        ),
        (&["sync", "--repository", "http://git.example.com/o/n"], "use its `https://` URL"),
        (&["sync", "--concurrency", "65"], "a number from 1 to 64"),
        (&["sync", "--output", "yaml"], "[possible values: text, json]"),
        (&["sync", "file"], "unexpected argument 'file'"),
        (&["event"], "<FILE>"),
        (&["event", "a", "b"], "unexpected argument 'b'"),
        (&["demo", "a", "b"], "unexpected argument 'b'"),
    ] {
        refused(&program(home.path(), &[], arguments, ""), 2, &[text]);
    }
}

#[test]
fn a_token_in_the_address_is_refused_and_not_repeated() {
    let home = tempfile::tempdir().expect("a home");
    let address = "https://x-access-token:ghp_s3cret@github.com/o/n";
    let given = program(home.path(), &[], &["sync", "--repository", address], "");
    refused(&given, 2, &["the repository's URL holds a user name or a secret"]);
    let variable = [("AWS_IAM_GITOPS_REPOSITORY", address)];
    let set = program(home.path(), &variable, &["sync"], "");
    refused(
        &set,
        1,
        &[
            "error: `AWS_IAM_GITOPS_REPOSITORY`: the repository's URL holds a user name or a secret\n",
        ],
    );
    for outcome in [given, set] {
        assert!(!outcome.stderr.contains("s3cret"), "{outcome}");
        assert!(outcome.stderr.contains("AWS_IAM_GITOPS_TOKEN_SECRET"), "{outcome}");
    }
}

#[test]
fn a_setting_that_cannot_be_is_refused_with_what_would_be_right() {
    let home = tempfile::tempdir().expect("a home");
    let run = |variables: &[(&str, &str)]| program(home.path(), variables, &["sync"], "");
    refused(
        &run(&[]),
        1,
        &[
            "error: `AWS_IAM_GITOPS_REPOSITORY`: no repository is named\n\nhint: set it, or `--repository`",
        ],
    );
    refused(&run(&[("AWS_IAM_GITOPS_BRANCHES", "x")]), 1, &["did you mean `BRANCH`?"]);
    refused(&run(&[("AWS_IAM_GITOPS_KINDS", "role")]), 1, &["no kind `role`", "`roles`?"]);
}

#[test]
fn a_repository_that_is_not_there_is_named_with_a_hint() {
    let case = Case::new();
    let outcome = case.run(&["sync", "-q", "--repository", "nowhere.git"]);
    refused(&outcome, 1, &["error: cannot fetch `main` of `nowhere.git`", "\nhint: check the URL"]);
    // A folder with files is a repository, but none to push to.
    git(case.home.path(), &["init", "--quiet", "worked-in"]);
    let outcome = case.run(&["sync", "-q", "--repository", "worked-in"]);
    refused(&outcome, 1, &["it has a working tree; push to a bare repository"]);
}

#[test]
fn a_repository_of_another_account_is_refused() {
    let case = Case::new();
    case.push("main", "README.md", "Roles of account 444455556666\n");
    case.run(&["sync", "-q"]).succeeded();
    let role =
        case.bare.files("main")["roles/break-glass.json"].replace("111122223333", "444455556666");
    let folder = tempfile::tempdir().expect("a folder");
    let url = case.bare.path().display().to_string();
    git(folder.path(), &["clone", "--quiet", &url, "."]);
    for entry in fs::read_dir(folder.path().join("roles")).expect("roles") {
        fs::remove_file(entry.expect("an entry").path()).expect("remove");
    }
    fs::write(folder.path().join("roles/break-glass.json"), role).expect("write");
    git(folder.path(), &["add", "--all", "."]);
    let person = ["-c", "user.name=bob", "-c", "user.email=bob@example.com"];
    git(folder.path(), &[&person[..], &["commit", "--quiet", "-m", "theirs"]].concat());
    git(folder.path(), &["push", "--quiet"]);
    let head = case.bare.head("main");

    let outcome = case.run(&["sync", "-q"]);
    refused(
        &outcome,
        1,
        &[
            "holds account `444455556666`",
            "this is account `111122223333`",
            "\nhint: give each account a folder of its own",
        ],
    );
    assert_eq!(case.bare.head("main"), head);
    // Which is what a prefix is for.
    case.run(&["sync", "-q", "--prefix", "accounts/111122223333"]).succeeded();
}

#[test]
fn everything_lies_below_the_prefix() {
    let case = Case::new();
    case.run(&["sync", "-q", "--prefix", "accounts/a"]).succeeded();
    let variable = [("AWS_IAM_GITOPS_PREFIX", "accounts/b")];
    case.run_with(&variable, &["sync", "-q"], "").succeeded();
    let files = case.bare.files("main");
    let below = |prefix: &str| -> BTreeSet<String> {
        files.keys().filter_map(|path| path.strip_prefix(prefix).map(str::to_owned)).collect()
    };
    assert!(below("accounts/a/").contains("roles/github-deploy.json"));
    assert_eq!(below("accounts/a/"), below("accounts/b/"));
    assert_eq!(below("accounts/").len(), files.len());
    case.run_with(&variable, &["sync", "-q"], "").succeeded().wrote_nothing();
}

#[test]
fn a_branch_that_is_not_there_is_made_in_an_empty_repository_alone() {
    let case = Case::new();
    case.run(&["sync", "-q", "--branch", "trunk"]).succeeded();
    assert!(case.bare.head("trunk").is_some() && case.bare.head("main").is_none());

    let outcome = case.run(&["sync", "-q"]);
    refused(
        &outcome,
        1,
        &[
            "has no branch `main`, only `trunk`\n",
            "\nhint: name another with `--branch` or AWS_IAM_GITOPS_BRANCH, or make that branch first\n",
        ],
    );
    assert!(case.bare.head("main").is_none());
    case.bare.git(&["branch", "main", "trunk"]);
    case.run(&["sync", "-q"]).succeeded().wrote_nothing();
}

#[test]
fn the_repositorys_own_settings_are_kept_to() {
    let case = Case::new();
    let settings = "kinds = [\"roles\", \"policies\"]\nimports = false\n\n\
                    [[ignore]]\nkind = \"roles\"\npath = \"/batch/*\"\n\n\
                    [[ignore]]\nname = \"deploy-*\"\n";
    case.push("main", "aws-iam-gitops.toml", settings);
    let outcome = case.run(&["sync", "-q"]).succeeded();
    assert!(
        outcome.stdout.contains("\nignored, as the settings say: 1 policy, 2 roles\n"),
        "{outcome}"
    );
    let files = case.bare.files("main");
    assert!(!files.keys().any(|path| path.starts_with("scps/") || path.contains("batch")));
    assert!(!files.contains_key("policies/deploy-site.json"));
    assert!(files.values().all(|content| !content.contains("import {")));

    // An export to a folder with the same file writes the same.
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("aws-iam-gitops.toml"), settings).expect("write");
    export(&case.emulator.environment(), folder.path(), &["--quiet"]).succeeded();
    assert_eq!(support::bare::files_of(folder.path()), files);

    // The environment wins over the file.
    let variables = [("AWS_IAM_GITOPS_KINDS", "organizations_policies")];
    case.run_with(&variables, &["sync", "-q"], "").succeeded();
    let with_policies = case.bare.files("main");
    assert!(with_policies.contains_key("scps/p-k3v8x1m5.json"));
    assert!(files.keys().all(|path| with_policies.contains_key(path)));
}

#[test]
fn wrong_settings_are_named_by_file_line_and_column() {
    let case = Case::new();
    let text = "imports = true\n\n[[ignore]]\nnam = \"x\"\n";
    case.push("main", "aws-iam-gitops.toml", text);
    let head = case.bare.head("main");
    let texts = [
        "`aws-iam-gitops.toml`, line 4, column 1: a rule has no condition `nam`\n",
        "\nhint: did you mean `name`?",
    ];
    for arguments in [&["sync", "-q"][..], &["sync", "-q", "-n"]] {
        refused(&case.run(arguments), 1, &texts);
    }
    assert_eq!(case.bare.head("main"), head);

    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("aws-iam-gitops.toml"), text).expect("write");
    let outcome = export(&case.emulator.environment(), folder.path(), &["--quiet"]);
    outcome.failed_saying(&["/aws-iam-gitops.toml`, line 4, column 1: a rule", texts[1]]);
}
