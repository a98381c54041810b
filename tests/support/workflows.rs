//! A repository with its workflows, on this machine: a real Git server, the program `gh` against a
//! small GitHub, the emulated account, and GitHub's runner (`tests/workflows/runner.py`).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::actions_api::ActionsApi;
use super::git_server::{Bare, GitServer, git};
use super::module::cli_configuration;
use super::python::{Emulator, project, python};
use super::run::{self, Outcome};

const ACCOUNT: &str = "111122223333";

/// All that a repository's workflows meet; it ends with the value.
pub struct Place {
    pub emulator: Emulator,
    pub api: ActionsApi,
    pub git: GitServer,
    pub bare: Bare,
    folder: tempfile::TempDir,
    files: Child,
    /// The folder of the account in the repository, with a slash at its end; or nothing.
    below: String,
}

/// What a run of a workflow came to, as `runner.py` tells it.
#[derive(Debug)]
pub struct Report(pub Value);

/// A workflow and what set it off.
pub struct Run<'a> {
    pub workflow: &'a str,
    pub commit: String,
    pub event_name: &'a str,
    pub reference: &'a str,
    pub head_ref: &'a str,
    pub event: Value,
    pub inputs: Value,
}

impl Place {
    /// An account in step with its repository, but that nothing is imported yet.
    pub fn new(account: &Value) -> Place {
        Place::with(account, &[], "")
    }

    /// The same with more arguments for `init`, for an account below a folder.
    pub fn with(account: &Value, arguments: &[&str], below: &str) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let of_account = folder.path().join("account.json");
        fs::write(&of_account, account.to_string()).expect("write the account");
        let emulator = Emulator::start(Some(&of_account));
        let git_server = GitServer::start();
        let bare = git_server.repository("o/n");
        // GitHub's address of a repository has no ending.
        std::os::unix::fs::symlink("n.git", bare.path.with_file_name("n")).expect("a link");
        git(&bare.path, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let heads = bare.clone();
        let api = ActionsApi::start(move |branch| heads.head(branch));

        let program = folder.path().join("program");
        fs::write(&program, wrapper()).expect("write the program");
        let mut files = Command::new(python())
            .arg(project().join("tests/workflows/file_server.py"))
            .arg(&program)
            .arg(folder.path().join("certificate.pem"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("run Python");
        let mut port = String::new();
        BufReader::new(files.stdout.as_mut().expect("a pipe"))
            .read_line(&mut port)
            .expect("the server prints its port");
        let url = format!("https://localhost:{}/aws-iam-gitops", port.trim());

        let below = below.to_owned();
        let place = Place { emulator, api, git: git_server, bare, folder, files, below };
        place.make_bucket();
        let program = ["--program-url", &url, "--program-sha256", &sha256(&program)];
        place.fill(&[&program, arguments].concat());
        place
    }

    fn make_bucket(&self) {
        let bucket = format!("aws-iam-gitops-state-{ACCOUNT}");
        let address = format!("{}/{bucket}", self.emulator.endpoint);
        let created = Command::new("curl")
            .args(["--fail", "--silent", "--show-error", "--request", "PUT", &address])
            .args(["--header", "Authorization: AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"])
            .output()
            .expect("these tests need curl");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    }

    /// The first commit: what `init` writes, the export, and the provider's version.
    fn fill(&self, arguments: &[&str]) {
        let checkout = self.checkout();
        fs::create_dir_all(&checkout).expect("a folder");
        git(&checkout, &["init", "--quiet", "--initial-branch=main"]);
        git(&checkout, &["remote", "add", "origin", &self.bare.path.display().to_string()]);
        let others = ["init", "--export", "--environment", "production", "--team", "@o/security"];
        self.program(&[&others, arguments].concat()).succeeded();
        run::export(&self.emulator.environment(), &checkout, &["--quiet"]).succeeded();
        self.terraform(&["init", "-backend=false", "-input=false"]);
        self.commit("First");
        self.push("HEAD:main");
    }

    pub fn checkout(&self) -> PathBuf {
        self.folder.path().join("checkout")
    }

    /// Runs Terraform in the checkout, which must succeed.
    pub fn terraform(&self, arguments: &[&str]) {
        let output = Command::new("terraform")
            .arg(format!("-chdir={}terraform", self.below))
            .args(arguments)
            .current_dir(self.checkout())
            .env("TF_CLI_CONFIG_FILE", cli_configuration())
            .env("CHECKPOINT_DISABLE", "1")
            .output()
            .expect("these tests need the program `terraform` 1.7 or newer on the PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs the program in the checkout, with the account's credentials.
    pub fn program(&self, arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
            .args(arguments)
            .current_dir(self.checkout())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_IAM_GITOPS_PAUSE", "0")
            .env("AWS_IAM_GITOPS_LEASE", "0")
            .envs(self.emulator.environment())
            .output()
            .expect("the program runs");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.checkout().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn write(&self, path: &str, content: &str) {
        fs::write(self.checkout().join(path), content).expect("write");
    }

    /// Replaces the one place where `from` stands.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let content = self.read(path);
        assert_eq!(content.matches(from).count(), 1, "`{from}` in `{path}`:\n{content}");
        self.write(path, &content.replace(from, to));
    }

    /// Commits all of the checkout.
    pub fn commit(&self, message: &str) -> String {
        let checkout = self.checkout();
        git(&checkout, &["add", "--all"]);
        git(
            &checkout,
            &[
                "-c",
                "user.name=A Person",
                "-c",
                "user.email=person@example.com",
                "commit",
                "--quiet",
                "--message",
                message,
            ],
        );
        git(&checkout, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub fn push(&self, what: &str) {
        git(&self.checkout(), &["push", "--quiet", "origin", what]);
    }

    /// Checks out a new branch at the end of the default branch.
    pub fn branch(&self, name: &str) {
        let checkout = self.checkout();
        git(&checkout, &["fetch", "--quiet", "origin"]);
        git(&checkout, &["checkout", "--quiet", "-B", name, "origin/main"]);
    }

    /// Runs a workflow for the end of the default branch.
    #[track_caller]
    pub fn run(&self, workflow: &str, event_name: &str) -> Report {
        self.run_with(self.run_of(workflow, event_name))
    }

    /// A run for the end of the default branch.
    pub fn run_of<'a>(&self, workflow: &'a str, event_name: &'a str) -> Run<'a> {
        Run {
            workflow,
            commit: self.bare.head("main").expect("a commit"),
            event_name,
            reference: "refs/heads/main",
            head_ref: "",
            event: json!({}),
            inputs: json!({}),
        }
    }

    /// Runs `plan` for what is checked out, as for a pull request of a branch of `from`.
    #[track_caller]
    pub fn plan(&self, from: &str) -> Report {
        let checkout = self.checkout();
        let head = git(&checkout, &["rev-parse", "HEAD"]).trim().to_owned();
        // What GitHub checks out is the merge.
        let tree = git(&checkout, &["rev-parse", "HEAD^{tree}"]);
        let merge = git(
            &checkout,
            &[
                "-c",
                "user.name=GitHub",
                "-c",
                "user.email=noreply@example.com",
                "commit-tree",
                "-p",
                "origin/main",
                "-p",
                &head,
                "-m",
                "Merge",
                tree.trim(),
            ],
        );
        self.push(&format!("+{}:refs/pull/1/merge", merge.trim()));
        self.run_with(Run {
            workflow: "plan",
            commit: merge.trim().to_owned(),
            event_name: "pull_request",
            reference: "refs/pull/1/merge",
            head_ref: "topic",
            event: json!({
                "pull_request": {"number": 1, "head": {"sha": head, "repo": {"full_name": from}}}
            }),
            inputs: json!({}),
        })
    }

    #[track_caller]
    pub fn run_with(&self, run: Run) -> Report {
        let slug = self.below.trim_end_matches('/').replace('/', "-");
        let slug = if slug.is_empty() { slug } else { format!("-{slug}") };
        let path = format!(".github/workflows/{}{slug}.yml", run.workflow);
        let workflow = self.folder.path().join(format!("{}.yml", run.workflow));
        fs::write(&workflow, self.bare.content(&run.commit, &path)).expect("write the workflow");
        let request = json!({
            "workflow": workflow,
            "origin": self.bare.path,
            "inputs": run.inputs,
            "environment": self.environment(),
            "context": {
                "event_name": run.event_name,
                "event": run.event,
                "ref": run.reference,
                "head_ref": run.head_ref,
                "sha": run.commit,
                "repository": "o/n",
                "run_id": 1234,
                "server_url": self.git.url,
            },
        });
        let mut runner = Command::new(python())
            .arg(project().join("tests/workflows/runner.py"))
            .env("TMPDIR", self.folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run Python");
        let mut stdin = runner.stdin.take().expect("a pipe");
        stdin.write_all(request.to_string().as_bytes()).expect("write");
        drop(stdin);
        let output = runner.wait_with_output().expect("the runner ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Report(serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// What the machine of the runner has. Nothing of it is a credential.
    fn environment(&self) -> Value {
        json!({
            "PATH": std::env::var("PATH").expect("a path"),
            "HOME": self.folder.path(),
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_IAM_GITOPS_PAUSE": "0",
            "AWS_IAM_GITOPS_LEASE": "0",
            "TF_CLI_CONFIG_FILE": cli_configuration(),
            "CHECKPOINT_DISABLE": "1",
            "CURL_CA_BUNDLE": self.folder.path().join("certificate.pem"),
            "GH_HOST": "github.localhost",
            "HTTP_PROXY": self.api.proxy,
            "NO_PROXY": "127.0.0.1",
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.files.kill();
        let _ = self.files.wait();
    }
}

/// What the workflows download: the program, small.
fn wrapper() -> String {
    format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_aws-iam-gitops"))
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().expect("these tests need sha256sum");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.split_whitespace().next().expect("a digest").to_owned()
}

impl Report {
    /// Jobs with their results.
    pub fn results(&self) -> Vec<(&str, &str)> {
        let jobs = self.0.as_object().expect("jobs");
        jobs.iter()
            .map(|(name, job)| (name.as_str(), job["result"].as_str().expect("a result")))
            .collect()
    }

    #[track_caller]
    pub fn succeeded(self) -> Report {
        let failed = self.results().iter().any(|(_, result)| *result != "success");
        assert!(!failed, "{self}");
        self
    }

    /// Every step that ran.
    pub fn steps(&self) -> impl Iterator<Item = &Value> {
        let jobs = self.0.as_object().expect("jobs").values();
        jobs.flat_map(|job| job["steps"].as_array().expect("steps"))
            .filter(|step| step["outcome"] != "skipped")
    }

    #[track_caller]
    pub fn step(&self, name: &str) -> &Value {
        let step = self.steps().find(|step| step["name"] == name);
        step.unwrap_or_else(|| panic!("`{name}` did not run:\n{self}"))
    }

    pub fn has_run(&self, name: &str) -> bool {
        self.steps().any(|step| step["name"] == name)
    }

    /// What people see of a step.
    #[track_caller]
    pub fn log(&self, name: &str) -> &str {
        self.step(name)["log"].as_str().expect("text")
    }

    /// All summaries.
    pub fn summary(&self) -> String {
        self.steps().filter_map(|step| step["summary"].as_str()).collect()
    }

    /// Everything that the runner took for a command: its name and data.
    pub fn commands(&self) -> Vec<(&str, &str)> {
        self.steps()
            .flat_map(|step| step["commands"].as_array().expect("commands"))
            .map(|found| {
                let text = |member: &str| found[member].as_str().expect("text");
                (text("command"), text("data"))
            })
            .collect()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, job) in self.0.as_object().expect("jobs") {
            writeln!(f, "== {name}: {}", job["result"])?;
            for step in job["steps"].as_array().expect("steps") {
                writeln!(f, "-- {} {}", step["name"], step["outcome"])?;
                writeln!(f, "{}", step["log"].as_str().unwrap_or_default())?;
                for command in step["commands"].as_array().expect("commands") {
                    writeln!(f, "command {command}")?;
                }
                writeln!(f, "{}", step["summary"].as_str().unwrap_or_default())?;
            }
        }
        Ok(())
    }
}
