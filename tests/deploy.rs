//! `make deploy` and `make destroy`, with the real Terraform: from nothing to everything, a second
//! time without effect, and back to nothing. The AWS CLI and the program that builds images are
//! stand-ins that note how they are called.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use support::infrastructure::Infrastructure;
use support::python::project;

const TOKEN: &str = "ghp_never-to-be-seen";

/// What the CLI answers depends on what was pushed and put before.
const AWS: &str = r#"#!/bin/sh
echo "aws $*" >>"$STANDINS/log"
case "$1 $2" in
  "sts get-caller-identity") [ -z "$NO_CREDENTIALS" ] && echo 111122223333 ;;
  "ecr describe-images")
    tag=$(echo "$*" | sed 's/.*imageTag=\([^ ]*\).*/\1/')
    [ -f "$STANDINS/pushed-$tag" ] && cat "$STANDINS/pushed-$tag" ;;
  "ecr get-login-password") echo password ;;
  "secretsmanager describe-secret") [ -f "$STANDINS/secret" ] && echo 1 || echo 0 ;;
  "secretsmanager put-secret-value") cat /dev/stdin >"$STANDINS/secret" ;;
  "s3api list-object-versions") cat "$STANDINS/state" 2>/dev/null || echo 0 ;;
  "lambda invoke") : ;;
  *) echo "no stand-in for $*" >&2; exit 9 ;;
esac
"#;

const ENGINE: &str = r#"#!/bin/sh
echo "docker $*" >>"$STANDINS/log"
case "$1" in
  login) cat >/dev/null ;;
  push) printf 'sha256:%064d' 7 >"$STANDINS/pushed-${2##*:}" ;;
esac
"#;

struct Deployment {
    infrastructure: Infrastructure,
    standins: PathBuf,
}

impl Deployment {
    fn new() -> Deployment {
        let infrastructure = Infrastructure::new();
        let root = infrastructure.root();
        for file in [".dockerignore", "Cargo.lock", "Cargo.toml", "Dockerfile"] {
            fs::write(root.join(file), file).expect("a source");
        }
        for folder in ["benches", "src", "templates"] {
            fs::create_dir(root.join(folder)).expect("a folder");
            fs::write(root.join(folder).join("file"), folder).expect("a source");
        }
        let standins = root.join("standins");
        fs::create_dir(&standins).expect("a folder");
        for (name, text) in [("aws", AWS), ("docker", ENGINE)] {
            fs::write(standins.join(name), text).expect("a program");
            let executable = fs::Permissions::from_mode(0o755);
            fs::set_permissions(standins.join(name), executable).expect("an executable");
        }
        fs::write(root.join("token"), TOKEN).expect("a token");
        Deployment { infrastructure, standins }
    }

    fn make(&self, target: &str, environment: &[(&str, &str)]) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        self.infrastructure
            .command("make", &[])
            .arg(target)
            .env("PATH", format!("{}:{path}", self.standins.display()))
            .env("STANDINS", &self.standins)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("this test needs the program `make`")
    }

    #[track_caller]
    fn made(&self, target: &str, environment: &[(&str, &str)]) -> String {
        let output = self.make(target, environment);
        let said = text(&output);
        assert!(output.status.success(), "{said}");
        said
    }

    /// How the stand-ins were called since the last time.
    fn calls(&self) -> Vec<String> {
        let log = self.standins.join("log");
        let calls = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        calls.lines().map(str::to_owned).collect()
    }
}

fn text(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.concat()
}

fn count(calls: &[String], start: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(start)).count()
}

#[test]
fn from_nothing_to_everything_and_back() {
    let deployment = Deployment::new();
    let token = deployment.infrastructure.root().join("token");
    let token = token.to_str().expect("UTF-8");
    let repository = ("TF_VAR_repository", "example-org/iam");
    let approved = [repository, ("APPROVE", "yes")];

    let said = deployment.made("deploy", &[repository, ("APPROVE", "yes"), ("TOKEN_FILE", token)]);
    assert!(said.contains("Deployed."), "{said}");
    let calls = deployment.calls();
    let image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/aws-iam-gitops:arm64-";
    assert_eq!(count(&calls, "docker build --platform linux/arm64"), 1, "{calls:?}");
    assert_eq!(count(&calls, &format!("docker push {image}")), 1, "{calls:?}");
    assert_eq!(count(&calls, "aws lambda invoke"), 1, "{calls:?}");
    assert_eq!(fs::read_to_string(deployment.standins.join("secret")).expect("a secret"), TOKEN);
    let state = fs::read_to_string(deployment.infrastructure.module().join("terraform.tfstate"));
    assert!(!state.expect("a state").contains(TOKEN));
    assert!(!said.contains(TOKEN) && !calls.concat().contains(TOKEN));

    // The second time there is nothing to do.
    let said = deployment.made("deploy", &approved);
    assert!(said.contains("No changes."), "{said}");
    let calls = deployment.calls();
    assert_eq!(count(&calls, "docker build") + count(&calls, "docker push"), 0, "{calls:?}");
    assert_eq!(count(&calls, "aws secretsmanager put"), 0, "{calls:?}");

    // Other sources are another image; the token stays.
    fs::write(deployment.infrastructure.root().join("src/file"), "changed").expect("a source");
    deployment.made("deploy", &approved);
    assert_eq!(count(&deployment.calls(), "docker push"), 1);

    // A rotated token needs no deployment.
    fs::write(token, "another").expect("a token");
    deployment.made("token", &[repository, ("TOKEN_FILE", token)]);
    assert_eq!(fs::read_to_string(deployment.standins.join("secret")).expect("it"), "another");

    // The state of IAM is not thrown away unasked.
    fs::write(deployment.standins.join("state"), "3").expect("objects");
    let refused = deployment.make("destroy", &approved);
    assert!(!refused.status.success() && text(&refused).contains("STATE=delete"));
    assert_ne!(deployment.infrastructure.run(&["state", "list"], &[]), "");
    deployment.made("destroy", &[repository, ("APPROVE", "yes"), ("STATE", "delete")]);
    assert_eq!(deployment.infrastructure.run(&["state", "list"], &[]), "");
    assert!(!deployment.infrastructure.module().join("image.auto.tfvars.json").exists());
}

#[test]
fn all_that_is_missing_is_said_at_once_and_before_anything_is_made() {
    let deployment = Deployment::new();
    fs::remove_file(deployment.infrastructure.root().join("Dockerfile")).expect("it was there");
    let output = deployment.make("deploy", &[("NO_CREDENTIALS", "1"), ("ENGINE", "lorry")]);
    let said = text(&output);
    assert!(!output.status.success());
    for what in ["credentials of AWS", "`lorry`", "the repository", "`Dockerfile`", "APPROVE=yes"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let repository = ("TF_VAR_repository", "example-org/iam");
    for (environment, what) in [
        (("TF_VAR_region", "eu-west-1"), "Events of IAM and Organizations arrive in one region"),
        (("TF_VAR_account_id", "999999999999"), "credentials of account 999999999999"),
        (("TOKEN_FILE", "/nowhere"), "a token in the file `/nowhere`"),
        (("ENGINE", "docker"), "the token or the App's private key"),
    ] {
        let output = deployment.make("deploy", &[repository, environment]);
        let said = text(&output);
        assert!(!output.status.success() && said.contains(what), "{what}: {said}");
    }
    let made = deployment.calls();
    assert!(
        made.iter().all(|call| call.starts_with("aws sts")
            || call.contains("describe-secret")
            || call == "docker info"),
        "{made:?}"
    );
    assert!(!deployment.infrastructure.module().join("terraform.tfstate").exists());
}

#[test]
fn the_tag_is_a_checksum_of_all_that_the_image_is_built_from() {
    let read = |file: &str| fs::read_to_string(project().join(file)).expect("a file");
    let script = read("terraform/deploy.sh");
    let sources = script.lines().find_map(|line| line.strip_prefix("sources=(")?.strip_suffix(')'));
    let sources: BTreeSet<&str> = sources.expect("a list").split(' ').collect();
    let ignored = read(".dockerignore");
    let sent = ignored.lines().filter_map(|line| line.strip_prefix('!'));
    assert_eq!(sources, sent.chain([".dockerignore", "Dockerfile"]).collect());
}
