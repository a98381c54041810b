//! Files that people wrote, read by the parser, edited, and judged by the real `terraform fmt`.

use std::io::Write;
use std::process::{Command, Stdio};

use aws_iam_gitops::json::Json;
use aws_iam_gitops::policy_document::Dialect;
use aws_iam_gitops::terraform::Expression;
use aws_iam_gitops::terraform::align::apply_keeping_alignment;
use aws_iam_gitops::terraform::edit::{
    Match, Meaning, compare, edit_value, insert_attribute, remove_attribute,
};
use aws_iam_gitops::terraform::evaluate::Scope;
use aws_iam_gitops::terraform::source::SourceFile;

const IAM: Meaning = Meaning::Document(Dialect::Iam);

const ROLE: &str = r#"# Deploys the shop. Ask the platform team before you touch it.
import {
  to = aws_iam_role.deploy
  id = "deploy"
}

resource "aws_iam_role" "deploy" {
  name                 = "deploy" # as in the account
  max_session_duration = 3600     # one hour

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # GitHub
      {
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
        Condition = {
          StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
          StringLike   = { "token.actions.githubusercontent.com:sub" = ["repo:shop/*"] }
        }
      },
      # People
      {
        Sid       = "People"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = ["111122223333"] } # the main account
      }
    ]
  })

  tags = {
    Team  = "platform"
    Owner = var.owner
  }

  lifecycle {
    prevent_destroy = true
  }
}
"#;

const POLICY: &str = r#"resource "aws_iam_policy" "read" {
  name   = "read"
  policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::$${aws:username}"}
      ]
    }
  EOT
  path   = "/shop/"
}
"#;

/// Makes an argument of the last block mean a value.
fn edited(
    text: &str,
    argument: &str,
    base: Option<&str>,
    actual: &str,
    meaning: Meaning,
) -> String {
    let [base, actual] =
        [base, Some(actual)].map(|text| text.map(|text| Json::parse(text).unwrap()));
    let actual = actual.unwrap();
    let file = SourceFile::parse("a.tf", text.to_owned()).unwrap();
    let block = file.blocks().last().unwrap();
    let node = Scope::new([&file]).node(block.value(argument).unwrap());
    let splices = edit_value(text, &node, base.as_ref(), &actual, meaning, &|_| None).unwrap();
    let new = apply_keeping_alignment(text, &splices).unwrap();

    let file = SourceFile::parse("a.tf", new.clone()).unwrap();
    let block = file.blocks().last().unwrap();
    let node = Scope::new([&file]).node(block.value(argument).unwrap());
    assert_ne!(compare(&node, &actual, meaning), Match::Differs, "{new}");
    new
}

/// The lines between those at the start and at the end that two texts have in common.
fn changed_lines(old: &str, new: &str) -> String {
    assert_eq!(formatted(new), new);
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = |(one, other): &(&&str, &&str)| one == other;
    let start = old.iter().zip(&new).take_while(same).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(same).count();
    let lines = |sign: &str, lines: &[&str]| {
        lines.iter().map(|line| format!("{sign}{line}\n")).collect::<String>()
    };
    lines("-", &old[start..old.len() - end]) + &lines("+", &new[start..new.len() - end])
}

fn formatted(text: &str) -> String {
    let mut terraform = Command::new("terraform")
        .args(["fmt", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`terraform` is needed on the PATH");
    terraform.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = terraform.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stdout).unwrap()
}

/// The trust policy as AWS has it, with one part in other words.
fn trust(subjects: &str, principals: &str, more: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Sid":"People","Effect":"Allow","Principal":{{"AWS":{principals}}},"Action":"sts:AssumeRole"}},
            {{"Effect":"Allow","Principal":{{"Federated":"arn:aws:iam::111122223333:oidc-provider/x"}},
             "Action":"sts:AssumeRoleWithWebIdentity","Condition":{{
                "StringLike":{{"token.actions.githubusercontent.com:sub":{subjects}}},
                "StringEquals":{{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}}}}}{more}]}}"#
    )
}

fn edited_trust(actual: &str) -> String {
    let base = trust(r#""repo:shop/*""#, r#""arn:aws:iam::111122223333:root""#, "");
    edited(ROLE, "assume_role_policy", Some(&base), actual, IAM)
}

#[test]
fn same_policy_in_other_words_changes_nothing() {
    let same = trust(r#"["repo:shop/*"]"#, r#"["arn:aws:iam::111122223333:root"]"#, "");
    assert_eq!(edited_trust(&same), ROLE);
}

#[test]
fn value_of_a_condition_is_one_line() {
    let actual = trust(r#"["repo:shop/*","repo:web/*"]"#, r#""111122223333""#, "");
    assert_eq!(
        changed_lines(ROLE, &edited_trust(&actual)),
        r#"-          StringLike   = { "token.actions.githubusercontent.com:sub" = ["repo:shop/*"] }
+          StringLike   = { "token.actions.githubusercontent.com:sub" = ["repo:shop/*", "repo:web/*"] }
"#
    );
}

#[test]
fn new_statement_is_added_and_nothing_else() {
    let more = r#",{"Sid":"CI","Effect":"Deny","Action":"sts:*","Principal":{"AWS":"*"}}"#;
    let actual = trust(r#""repo:shop/*""#, r#""111122223333""#, more);
    assert_eq!(
        changed_lines(ROLE, &edited_trust(&actual)),
        r#"+      {
+        Sid    = "CI"
+        Effect = "Deny"
+        Action = "sts:*"
+        Principal = {
+          AWS = "*"
+        }
+      },
"#
    );
}

#[test]
fn plain_arguments_are_one_line_each() {
    let duration = edited(ROLE, "max_session_duration", None, "43200", Meaning::Plain);
    assert_eq!(
        changed_lines(ROLE, &duration),
        "-  max_session_duration = 3600     # one hour\n\
         +  max_session_duration = 43200    # one hour\n"
    );
    let base = Some(r#"{"Team":"platform","Owner":"me"}"#);
    let tags = r#"{"Owner":"me","Team":"platform","cost:center":"7"}"#;
    let tags = edited(ROLE, "tags", base, tags, Meaning::Plain);
    assert_eq!(
        changed_lines(ROLE, &tags),
        "-    Team  = \"platform\"\n-    Owner = var.owner\n\
         +    Team          = \"platform\"\n+    \"cost:center\" = \"7\"\n+    Owner         = var.owner\n"
    );
}

#[test]
fn heredoc_stays_json() {
    let actual = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"arn:aws:s3:::${aws:username}/*"}]}"#;
    assert_eq!(
        changed_lines(POLICY, &edited(POLICY, "policy", None, actual, IAM)),
        r#"-        {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::$${aws:username}"}
+        {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "arn:aws:s3:::$${aws:username}/*"}
"#
    );
}

#[test]
fn arguments_come_and_go_where_they_belong() {
    let file = SourceFile::parse("a.tf", ROLE.to_owned()).unwrap();
    let block = file.blocks().last().unwrap();
    let attributes: Vec<_> =
        block.attributes().map(|attribute| (attribute.name, attribute.span)).collect();
    let order = ["name", "description", "path", "max_session_duration"];
    let value = Expression::from("Deploys");
    let body = block.body_span();
    let added = insert_attribute(ROLE, body, &attributes, "description", &value, &order);
    let added = apply_keeping_alignment(ROLE, &[added]).unwrap();
    assert_eq!(
        changed_lines(ROLE, &added),
        "-  max_session_duration = 3600     # one hour\n\
         +  description          = \"Deploys\"\n\
         +  max_session_duration = 3600 # one hour\n"
    );
    let duration = block.attribute("max_session_duration").unwrap().span;
    let removed = apply_keeping_alignment(ROLE, &[remove_attribute(ROLE, duration)]).unwrap();
    assert_eq!(
        changed_lines(ROLE, &removed),
        "-  name                 = \"deploy\" # as in the account\n\
         -  max_session_duration = 3600     # one hour\n\
         +  name = \"deploy\" # as in the account\n"
    );
}
