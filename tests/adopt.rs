//! `adopt`: a Terraform repository that people wrote and applied is taken over by the real program,
//! and the real Terraform has nothing against it.

mod support;

use std::process::{Command, Stdio};

use support::module::Module;
use support::python::Emulator;
use support::repository::{Repository, differences};
use support::run::Outcome;

/// As people write it: one file, locals, a loop, comments, a document in another file.
const MAIN: &str = r#"terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

locals {
  team   = "orders" # see the wiki
  bucket = "${local.team}-data"
}

variable "session" {
  default = 7200
}

# Reads the orders, since the merger.
resource "aws_iam_role" "reader" {
  name                 = "${local.team}-reader"
  max_session_duration = var.session
  assume_role_policy   = file("${path.module}/trust.json")
  tags = {
    team = local.team
  }
}

resource "aws_iam_policy" "read" {
  name   = "${local.team}-read"
  policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::${local.bucket}/*"}
      ]
    }
  EOT
}

resource "aws_iam_policy" "list" {
  name   = "${local.team}-list"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:ListBucket", Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "all" {
  for_each   = { read = aws_iam_policy.read.arn, list = aws_iam_policy.list.arn }
  role       = aws_iam_role.reader.name
  policy_arn = each.value
}

resource "aws_iam_role_policy" "extra" { # one line less, one day
  name = "extra"
  role = aws_iam_role.reader.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = { Effect = "Deny", Action = "s3:DeleteObject", Resource = "*" }
  })
}
"#;

const TRUST: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
"#;

const MAIN_FILE: &str = "terraform/main.tf";

fn adopt(repository: &Repository, emulator: &Emulator, arguments: &[&str]) -> Outcome {
    let home = tempfile::tempdir().expect("a home");
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(["adopt", "--quiet"])
        .args(arguments)
        .current_dir(repository.folder())
        .env_clear()
        .env("HOME", home.path())
        .envs(emulator.environment())
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn hand_written_repository_is_taken_over_without_rewriting_a_line() {
    let emulator = Emulator::start(None);
    let repository = Repository::new();
    std::fs::create_dir(repository.root()).expect("a folder");
    repository.write(MAIN_FILE, MAIN);
    repository.write("terraform/trust.json", TRUST);
    let module = Module::new(&repository.root(), &emulator);
    assert_eq!(module.plan().actions().len(), 6);
    module.apply();
    // Somebody was at the console.
    emulator.call(
        "client.iam('CreateRole', RoleName='late', AssumeRolePolicyDocument='{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}')\n\
         client.iam('PutRolePolicy', RoleName='orders-reader', PolicyName='console', PolicyDocument='{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}')",
    );

    let before = repository.tree();
    adopt(&repository, &emulator, &["--dry-run"]).succeeded();
    assert_eq!(differences(&before, &repository.tree()), [""; 0]);
    let outcome = adopt(&repository, &emulator, &[]).succeeded();
    assert!(!outcome.stdout.contains("edited in Git"), "{outcome}");
    assert_eq!(
        differences(&before, &repository.tree()),
        [
            "added policies/orders-list.json",
            "added policies/orders-read.json",
            "added roles/late.json",
            "added roles/orders-reader.json",
            "added terraform/iam_role.late.tf",
            "changed terraform/main.tf",
        ]
    );
    let text = repository.read(MAIN_FILE);
    let added = text.strip_prefix(MAIN).expect("every line is as it was");
    assert!(added.contains("role = aws_iam_role.reader.name\n  name = \"console\""), "{added}");
    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert_eq!(
        plan.imports(),
        ["aws_iam_role.late", "aws_iam_role_policy.orders-reader__has__console"]
    );
    module.apply();

    // From then on it is one of ours: nothing to do, and changes of AWS come to where it stands.
    let before = repository.tree();
    repository.export(&emulator, &[]);
    assert_eq!(differences(&before, &repository.tree()), [""; 0]);
    emulator.call(
        "client.iam('TagRole', RoleName='orders-reader', Tags=[{'Key': 'cost', 'Value': '12'}])\n\
         client.iam('UpdateAssumeRolePolicy', RoleName='orders-reader', PolicyDocument='{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ecs-tasks.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}')",
    );
    let before = repository.tree();
    repository.export(&emulator, &[]);
    assert_eq!(
        differences(&before, &repository.tree()),
        [
            "changed roles/orders-reader.json",
            "changed terraform/main.tf",
            "changed terraform/trust.json",
        ]
    );
    let text = repository.read(MAIN_FILE);
    assert!(text.contains("  tags = {\n    team = local.team\n    cost = \"12\"\n  }\n"), "{text}");
    assert_eq!(
        repository.read("terraform/trust.json"),
        TRUST.replace("lambda.amazonaws.com", "ecs-tasks.amazonaws.com")
    );
    let plan = module.plan();
    assert_eq!((plan.actions(), plan.imports()), (Vec::new(), Vec::new()));
}

#[test]
fn where_files_and_aws_differ_the_files_are_ahead() {
    let emulator = Emulator::start(None);
    let repository = Repository::new();
    std::fs::create_dir(repository.root()).expect("a folder");
    repository.write(MAIN_FILE, MAIN);
    repository.write("terraform/trust.json", TRUST);
    let module = Module::new(&repository.root(), &emulator);
    module.plan();
    module.apply();
    let edited = MAIN.replace("default = 7200", "default = 3600");
    repository.write(MAIN_FILE, &edited);
    let outcome = adopt(&repository, &emulator, &[]).succeeded();
    assert!(outcome.stdout.contains("edited in Git and not yet in AWS"), "{outcome}");
    assert_eq!(repository.read(MAIN_FILE), edited);
    assert!(repository.read("roles/orders-reader.json").contains("7200"));
    repository.export(&emulator, &[]);
    assert_eq!(repository.read(MAIN_FILE), edited);
    assert_eq!(module.plan().actions(), ["aws_iam_role.reader update"]);
    module.apply();
    let before = repository.tree();
    repository.export(&emulator, &[]);
    assert_eq!(differences(&before, &repository.tree()), ["changed roles/orders-reader.json"]);
}

#[test]
fn folder_without_terraform_is_refused() {
    let emulator = Emulator::start(None);
    let repository = Repository::new();
    std::fs::create_dir(repository.root()).expect("a folder");
    let refused = |arguments: &[&str], says: &str| {
        let outcome = adopt(&repository, &emulator, arguments);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(outcome.stderr.contains(says), "{outcome}");
        assert!(repository.tree().iter().all(|(path, _)| path == "main.tf"), "{outcome}");
    };
    refused(&["elsewhere"], "is not a folder that can be read");
    refused(&[], "an account that nobody declared yet");
    repository.write("main.tf", MAIN);
    refused(&[], "move it to `terraform/`");
}
