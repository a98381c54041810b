//! A thousand changes in AWS to what people wrote, through the whole program: text outside what
//! changed stays, comments stay, and the real Terraform has nothing to do.
//!
//! Modules are generated from a seed, in many styles; each round changes many entities, exports once
//! and plans once.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use serde_json::{Value, json};
use support::module::Module;
use support::python::Emulator;
use support::random::Random;
use support::repository::{Repository, Tree, differences};
use support::terraform_output;

const ACCOUNT: &str = "111122223333";
const ROLES: usize = 44;
const POLICIES: usize = 16;
const FILES: usize = 8;
const ROUNDS: usize = 6;
const EDITS: usize = 1020;

const ACTIONS: [&str; 9] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "ec2:Describe*",
    "sqs:SendMessage",
    "sns:Publish",
    "kms:Decrypt",
    "logs:*",
    "iam:PassRole",
];
const RESOURCES: [&str; 5] = [
    "*",
    "arn:aws:s3:::site/*",
    "arn:aws:s3:::home/${aws:username}/*",
    "arn:aws:sqs:eu-west-1:111122223333:jobs",
    "arn:aws:kms:eu-west-1:111122223333:key/%{not a directive}",
];
const SERVICES: [&str; 4] = [
    "ec2.amazonaws.com",
    "lambda.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "events.amazonaws.com",
];
const WORDS: [&str; 8] = [
    "Deploys the site",
    "Reads \"all\"",
    "Costs $5 and ${more}",
    "Straße",
    "a = b",
    "# no comment",
    "Back\\slash",
    "x",
];
const AWS_MANAGED: [&str; 3] = ["ReadOnlyAccess", "SecurityAudit", "PowerUserAccess"];

fn managed(name: &str) -> String {
    format!("arn:aws:iam::aws:policy/{name}")
}

#[derive(Clone)]
struct Role {
    label: String,
    name: String,
    file: String,
    description: Option<String>,
    session: u32,
    boundary: Option<String>,
    tags: BTreeMap<String, String>,
    trust: Value,
    /// Whether AWS's side of it is left alone, since a data source makes it.
    is_trust_fixed: bool,
    inline: BTreeMap<String, Value>,
    attached: BTreeSet<String>,
}

#[derive(Clone)]
struct Policy {
    label: String,
    name: String,
    file: String,
    tags: BTreeMap<String, String>,
    document: Value,
}

impl Policy {
    fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:policy/{}", self.name)
    }
}

/// A comment and what it is about: it may leave with that.
struct Comment {
    text: String,
    document: Option<(String, String)>,
    sid: Option<String>,
    element: Option<String>,
}

struct World {
    random: Random,
    roles: Vec<Role>,
    policies: Vec<Policy>,
    comments: Vec<Comment>,
    files: BTreeMap<String, String>,
    calls: Vec<Value>,
    /// Resource and argument that AWS changed since the last export; no argument: it came or went.
    touched: BTreeSet<(String, String)>,
    entities: BTreeSet<String>,
    edits: usize,
    sids: usize,
}

impl World {
    fn new(seed: u64) -> World {
        let mut world = World {
            random: Random::new(seed),
            roles: Vec::new(),
            policies: Vec::new(),
            comments: Vec::new(),
            files: BTreeMap::new(),
            calls: Vec::new(),
            touched: BTreeSet::new(),
            entities: BTreeSet::new(),
            edits: 0,
            sids: 0,
        };
        world.files.insert(
            "terraform/main.tf".to_owned(),
            "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n\n\
             provider \"aws\" {\n  region = \"us-east-1\"\n}\n\nlocals {\n  tags = { team = \"web\" }\n  \
             purpose = \"Deploys the site\"\n}\n\nvariable \"session\" {\n  default = 7200\n}\n"
                .to_owned(),
        );
        for index in 0..POLICIES {
            let (document, tags) = (world.document(false), world.tags());
            world.policies.push(Policy {
                label: format!("policy_{index}"),
                name: format!("Policy{index}"),
                file: format!("terraform/team_{}.tf", index % FILES),
                tags,
                document,
            });
        }
        for index in 0..ROLES {
            let mut inline = BTreeMap::new();
            for number in 0..world.random.below(3) {
                let document = world.document(false);
                inline.insert(format!("inline{number}"), document);
            }
            let trust = world.document(true);
            let attached = world.arns();
            let description =
                world.random.percent(60).then(|| WORDS[world.random.below(WORDS.len())].to_owned());
            let session = [3600, 7200, 43200][world.random.below(3)];
            let boundary = world.random.percent(30).then(|| managed("PowerUserAccess"));
            let tags = world.tags();
            world.roles.push(Role {
                label: format!("role_{index}"),
                name: format!("Role{index}"),
                file: format!("terraform/team_{}.tf", index % FILES),
                description,
                session,
                boundary,
                tags,
                trust,
                is_trust_fixed: false,
                inline,
                attached,
            });
        }
        for index in 0..POLICIES {
            world.write_policy(index);
        }
        for index in 0..ROLES {
            world.write_role(index);
        }
        world
    }

    fn tags(&mut self) -> BTreeMap<String, String> {
        let keys = ["team", "cost center", "stage", "aws-like:owner"];
        let count = self.random.below(3);
        (0..count)
            .map(|_| {
                let key = keys[self.random.below(keys.len())];
                (
                    key.to_owned(),
                    WORDS[self.random.below(WORDS.len())]
                        .replace("# ", "")
                        .replace(['\"', '$', '{', '}', '\\'], ""),
                )
            })
            .collect()
    }

    fn arns(&mut self) -> BTreeSet<String> {
        let mut arns = BTreeSet::new();
        for _ in 0..self.random.below(3) {
            arns.insert(self.arn());
        }
        arns
    }

    fn arn(&mut self) -> String {
        match self.random.percent(50) {
            true => managed(AWS_MANAGED[self.random.below(AWS_MANAGED.len())]),
            false => self.policies[self.random.below(POLICIES)].arn(),
        }
    }

    // --- documents -----------------------------------------------------------------------------

    fn document(&mut self, is_trust: bool) -> Value {
        let count = 1 + self.random.below(3);
        let statements: Vec<Value> = (0..count).map(|_| self.statement(is_trust)).collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    fn statement(&mut self, is_trust: bool) -> Value {
        self.sids += 1;
        let mut statement = json!({ "Sid": format!("S{}", self.sids), "Effect": "Allow" });
        if is_trust {
            statement["Principal"] = self.principal();
            statement["Action"] = json!("sts:AssumeRole");
        } else {
            statement["Action"] = self.some(&ACTIONS);
            statement["Resource"] = self.some(&RESOURCES);
        }
        if self.random.percent(40) {
            statement["Condition"] = self.condition();
        }
        statement
    }

    fn principal(&mut self) -> Value {
        match self.random.percent(60) {
            true => json!({ "Service": self.some(&SERVICES) }),
            false => {
                json!({ "AWS": format!("arn:aws:iam::{}:root", 444_455_556_600 + self.random.below(9)) })
            }
        }
    }

    fn condition(&mut self) -> Value {
        match self.random.below(3) {
            0 => json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } }),
            1 => {
                json!({ "StringEquals": { "aws:PrincipalTag/team": self.some(&["web", "ops", "${aws:username}"]) } })
            }
            _ => json!({
                "StringLike": { "aws:SourceArn": "arn:aws:s3:::*" },
                "NumericLessThan": { "aws:MultiFactorAuthAge": "3600" }
            }),
        }
    }

    /// A text, or a list of different ones.
    fn some(&mut self, of: &[&str]) -> Value {
        if self.random.percent(40) {
            return json!(of[self.random.below(of.len())]);
        }
        let mut all: Vec<&str> = of.to_vec();
        self.random.shuffle(&mut all);
        all.truncate(1 + self.random.below(of.len().min(4)));
        json!(all)
    }

    /// Another document, near the old one.
    fn edited(&mut self, document: &Value, is_trust: bool) -> Value {
        let mut document = document.clone();
        let mut statements = document["Statement"].as_array().expect("a list").clone();
        let at = self.random.below(statements.len());
        match self.random.below(9) {
            0 | 1 => {
                let new = self.statement(is_trust);
                let place = self.random.below(statements.len() + 1);
                statements.insert(place, new);
            }
            2 if statements.len() > 1 => {
                statements.remove(at);
            }
            3 => {
                self.random.shuffle(&mut statements);
                let effect = statements[0]["Effect"] == "Allow";
                statements[0]["Effect"] = json!(if effect && !is_trust { "Deny" } else { "Allow" });
            }
            4 => statements[at]["Condition"] = self.condition(),
            5 => {
                statements[at].as_object_mut().expect("an object").remove("Condition");
            }
            6 if is_trust => statements[at]["Principal"] = self.principal(),
            6 => statements[at]["Resource"] = self.some(&RESOURCES),
            _ if is_trust => {
                statements[at]["Principal"] = json!({ "Service": self.some(&SERVICES) })
            }
            _ => match statements[at]["Action"].clone() {
                Value::Array(mut items) if items.len() > 1 && self.random.percent(50) => {
                    items.remove(self.random.below(items.len()));
                    statements[at]["Action"] = json!(items);
                }
                Value::Array(mut items) => {
                    let new = json!(ACTIONS[self.random.below(ACTIONS.len())]);
                    if !items.contains(&new) {
                        let place = self.random.below(items.len() + 1);
                        items.insert(place, new);
                    }
                    statements[at]["Action"] = json!(items);
                }
                _ => statements[at]["Action"] = self.some(&ACTIONS),
            },
        }
        document["Statement"] = json!(statements);
        document
    }

    // --- how people write ----------------------------------------------------------------------

    fn comment(
        &mut self,
        document: Option<(&str, &str)>,
        sid: Option<&str>,
        element: Option<&str>,
    ) -> String {
        let text = format!("note {}.", self.comments.len());
        self.comments.push(Comment {
            text: text.clone(),
            document: document.map(|(block, argument)| (block.to_owned(), argument.to_owned())),
            sid: sid.map(str::to_owned),
            element: element.map(str::to_owned),
        });
        text
    }

    fn append(&mut self, file: &str, text: &str) {
        let gap = if self.random.percent(90) { "\n" } else { "\n\n\n" };
        let content = self.files.entry(file.to_owned()).or_default();
        if !content.is_empty() {
            content.push_str(gap);
        }
        content.push_str(text);
    }

    fn header(&mut self, resource_type: &str, label: &str) -> String {
        let block = format!("{resource_type}.{label}");
        let mut text = String::new();
        if self.random.percent(40) {
            let note = self.comment(Some((&block, "")), None, None);
            let _ = match self.random.below(3) {
                0 => writeln!(text, "# {note}"),
                1 => writeln!(text, "// {note}"),
                _ => writeln!(text, "/* {note}\n   and more */"),
            };
        }
        let _ = writeln!(text, "resource \"{resource_type}\" \"{label}\" {{");
        text
    }

    fn line(&mut self, block: &str, name: &str, value: &str) -> String {
        let mut text = String::new();
        if self.random.percent(15) {
            let note = self.comment(Some((block, "")), None, None);
            let _ = writeln!(text, "  # {note}");
        }
        let note = match self.random.percent(15) && !value.contains('\n') {
            true => format!(" # {}", self.comment(Some((block, name)), None, None)),
            false => String::new(),
        };
        let _ = writeln!(text, "  {name} = {value}{note}");
        text
    }

    fn tags_value(&mut self, tags: &BTreeMap<String, String>) -> Option<String> {
        if tags.is_empty() {
            return None;
        }
        let is_local = tags.len() == 1 && tags.get("team").is_some_and(|team| team == "web");
        if is_local {
            return Some("local.tags".to_owned());
        }
        let quoted = |key: &str| match key.bytes().all(|byte| byte.is_ascii_lowercase()) {
            true => key.to_owned(),
            false => quote(key),
        };
        let entries: Vec<String> =
            tags.iter().map(|(key, value)| format!("{} = {}", quoted(key), quote(value))).collect();
        Some(match self.random.percent(30) {
            true => format!("{{ {} }}", entries.join(", ")),
            false => format!("{{\n    {}\n  }}", entries.join("\n    ")),
        })
    }

    fn document_value(&mut self, block: &str, name: &str, document: &Value) -> String {
        match self.random.below(10) {
            0 => {
                let text = format!("{document:#}\n").replace("${", "$${").replace("%{", "%%{");
                format!("<<EOT\n{text}EOT")
            }
            1 => {
                let text = format!("{document:#}").replace("${", "$${").replace("%{", "%%{");
                let text = text.replace('\n', "\n    ");
                format!("<<-EOT\n    {text}\n  EOT")
            }
            2 => {
                let path = format!("documents/{}.{name}.json", block.replace('.', "-"));
                let text = match self.random.percent(50) {
                    true => format!("{document:#}\n"),
                    false => document.to_string(),
                };
                self.files.insert(format!("terraform/{path}"), text);
                format!("file(\"${{path.module}}/{path}\")")
            }
            _ => {
                let text = self.hcl(document, 1, (block, name), None, None);
                format!("jsonencode({text})")
            }
        }
    }

    fn hcl(
        &mut self,
        value: &Value,
        depth: usize,
        at: (&str, &str),
        sid: Option<&str>,
        element: Option<&str>,
    ) -> String {
        let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
        match value {
            Value::String(text) => quote(text),
            Value::Array(items)
                if items.iter().all(Value::is_string) && self.random.percent(60) =>
            {
                let items: Vec<String> =
                    items.iter().map(|item| self.hcl(item, depth, at, sid, element)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Array(items) => {
                let mut text = "[\n".to_owned();
                for (index, item) in items.iter().enumerate() {
                    let own = item["Sid"].as_str();
                    if own.is_some() && self.random.percent(25) {
                        let note = self.comment(Some(at), own, None);
                        let _ = writeln!(text, "{inner}# {note}");
                    }
                    let item = self.hcl(item, depth + 1, at, own.or(sid), element);
                    let comma =
                        if index + 1 < items.len() || self.random.percent(80) { "," } else { "" };
                    let _ = writeln!(text, "{inner}{item}{comma}");
                }
                format!("{text}{outer}]")
            }
            Value::Object(members) => {
                let mut keys: Vec<&String> = members.keys().collect();
                self.random.shuffle(&mut keys);
                let mut text = "{\n".to_owned();
                for key in keys {
                    let element = element.or(sid.map(|_| key.as_str()));
                    let value = self.hcl(&members[key], depth + 1, at, sid, element);
                    let name = match key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                        true if self.random.percent(90) => key.clone(),
                        _ => quote(key),
                    };
                    let is_own = element == Some(key.as_str()) && !value.contains('\n');
                    let note = match sid.is_some() && is_own && self.random.percent(12) {
                        true => format!(" # {}", self.comment(Some(at), sid, element)),
                        false => String::new(),
                    };
                    let _ = writeln!(text, "{inner}{name} = {value}{note}");
                }
                format!("{text}{outer}}}")
            }
            other => other.to_string(),
        }
    }

    fn write_policy(&mut self, index: usize) {
        let policy = self.policies[index].clone();
        let block = format!("aws_iam_policy.{}", policy.label);
        let mut text = self.header("aws_iam_policy", &policy.label);
        text += &self.line(&block, "name", &quote(&policy.name));
        let value = self.document_value(&block, "policy", &policy.document);
        text += &self.line(&block, "policy", &value);
        if let Some(tags) = self.tags_value(&policy.tags) {
            text += "\n";
            text += &self.line(&block, "tags", &tags);
        }
        text += "}\n";
        self.append(&policy.file, &text);
    }

    fn write_role(&mut self, index: usize) {
        let role = self.roles[index].clone();
        let block = format!("aws_iam_role.{}", role.label);
        let mut text = self.header("aws_iam_role", &role.label);
        text += &self.line(&block, "name", &quote(&role.name));
        match &role.description {
            Some(words) => {
                let value = match words == WORDS[0] && self.random.percent(60) {
                    true => "local.purpose".to_owned(),
                    false => quote(words),
                };
                text += &self.line(&block, "description", &value);
            }
            None if self.random.percent(20) => text += &self.line(&block, "description", "null"),
            None => {}
        }
        if self.random.percent(15) {
            self.roles[index].is_trust_fixed = true;
            let trust = json!({
                "Version": "2012-10-17",
                "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
                                "Principal": { "Service": SERVICES[index % SERVICES.len()] } }]
            });
            let data = format!(
                "data \"aws_iam_policy_document\" \"{}\" {{\n  statement {{\n    actions = [\"sts:AssumeRole\"]\n    principals {{\n      type = \"Service\"\n      identifiers = [\"{}\"]\n    }}\n  }}\n}}\n",
                role.label,
                SERVICES[index % SERVICES.len()]
            );
            self.append(&role.file, &data);
            self.roles[index].trust = trust;
            text += "\n";
            let value = format!("data.aws_iam_policy_document.{}.json", role.label);
            text += &self.line(&block, "assume_role_policy", &value);
        } else {
            let value = self.document_value(&block, "assume_role_policy", &role.trust);
            if self.random.percent(50) {
                text += "\n";
            }
            text += &self.line(&block, "assume_role_policy", &value);
        }
        if role.session != 3600 || self.random.percent(20) {
            let value = match role.session == 7200 && self.random.percent(50) {
                true => "var.session".to_owned(),
                false => role.session.to_string(),
            };
            text += &self.line(&block, "max_session_duration", &value);
        }
        if let Some(boundary) = &role.boundary {
            text += &self.line(&block, "permissions_boundary", &quote(boundary));
        }
        if let Some(tags) = self.tags_value(&role.tags) {
            text += &self.line(&block, "tags", &tags);
        }
        text += "}\n";
        self.append(&role.file, &text);
        for (number, (name, document)) in role.inline.iter().enumerate() {
            let label = format!("{}_{number}", role.label);
            let block = format!("aws_iam_role_policy.{label}");
            let mut text = self.header("aws_iam_role_policy", &label);
            text += &self.line(&block, "name", &quote(name));
            let attribute = if self.random.percent(50) { "id" } else { "name" };
            text += &self.line(&block, "role", &format!("aws_iam_role.{}.{attribute}", role.label));
            let value = self.document_value(&block, "policy", document);
            text += &self.line(&block, "policy", &value);
            text += "}\n";
            self.append(&role.file, &text);
        }
        for (number, arn) in role.attached.iter().enumerate() {
            let label = format!("{}_{number}", role.label);
            let block = format!("aws_iam_role_policy_attachment.{label}");
            let mut text = self.header("aws_iam_role_policy_attachment", &label);
            text += &self.line(&block, "role", &format!("aws_iam_role.{}.name", role.label));
            let own = self.policies.iter().find(|policy| policy.arn() == *arn);
            let value = match own {
                Some(policy) => format!("aws_iam_policy.{}.arn", policy.label),
                None => quote(arn),
            };
            text += &self.line(&block, "policy_arn", &value);
            text += "}\n";
            self.append(&role.file, &text);
        }
    }

    // --- what AWS's people do ------------------------------------------------------------------

    fn call(&mut self, operation: &str, parameters: Value) {
        self.calls.push(json!([operation, parameters]));
    }

    fn touch(&mut self, resource: &str, argument: &str, entity: &str) {
        self.touched.insert((resource.to_owned(), argument.to_owned()));
        self.entities.insert(entity.to_owned());
        self.edits += 1;
    }

    fn edit(&mut self) {
        if self.random.percent(20) {
            let index = self.random.below(POLICIES);
            return self.edit_policy(index);
        }
        let index = self.random.below(ROLES);
        self.edit_role(index);
    }

    fn edit_policy(&mut self, index: usize) {
        let policy = self.policies[index].clone();
        let (block, entity) =
            (format!("aws_iam_policy.{}", policy.label), format!("policies/{}.json", policy.name));
        if self.random.percent(40) {
            let tags = self.tags();
            self.tag("Policy", ("PolicyArn", &policy.arn()), &policy.tags, &tags);
            self.policies[index].tags = tags;
            return self.touch(&block, "tags", &entity);
        }
        let document = self.edited(&policy.document, false);
        self.call(
            "NewVersion",
            json!({ "PolicyArn": policy.arn(), "PolicyDocument": document.to_string() }),
        );
        self.policies[index].document = document;
        self.touch(&block, "policy", &entity);
    }

    fn tag(
        &mut self,
        of: &str,
        (member, name): (&str, &str),
        old: &BTreeMap<String, String>,
        new: &BTreeMap<String, String>,
    ) {
        let gone: Vec<&String> = old.keys().filter(|key| !new.contains_key(*key)).collect();
        if !gone.is_empty() {
            self.call(&format!("Untag{of}"), json!({ member: name, "TagKeys": gone }));
        }
        if !new.is_empty() {
            let tags: Vec<Value> =
                new.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            self.call(&format!("Tag{of}"), json!({ member: name, "Tags": tags }));
        }
    }

    fn edit_role(&mut self, index: usize) {
        let role = self.roles[index].clone();
        let name = role.name.clone();
        let (block, entity) =
            (format!("aws_iam_role.{}", role.label), format!("roles/{}.json", role.name));
        match self.random.below(14) {
            0 | 1 => {
                let description = self
                    .random
                    .percent(75)
                    .then(|| WORDS[self.random.below(WORDS.len())].to_owned());
                let text = description.clone().unwrap_or_default();
                self.call("UpdateRole", json!({ "RoleName": name, "Description": text, "MaxSessionDuration": role.session }));
                self.roles[index].description = description;
                self.touch(&block, "description", &entity);
            }
            2 => {
                let session = 3600 * (1 + self.random.below(12) as u32);
                self.call("UpdateRole", json!({ "RoleName": name, "Description": role.description.unwrap_or_default(), "MaxSessionDuration": session }));
                self.roles[index].session = session;
                self.touch(&block, "max_session_duration", &entity);
            }
            3 => {
                match role.boundary {
                    Some(_) => {
                        self.call("DeleteRolePermissionsBoundary", json!({ "RoleName": name }));
                        self.roles[index].boundary = None;
                    }
                    None => {
                        let arn = managed(AWS_MANAGED[self.random.below(3)]);
                        self.call(
                            "PutRolePermissionsBoundary",
                            json!({ "RoleName": name, "PermissionsBoundary": arn }),
                        );
                        self.roles[index].boundary = Some(arn);
                    }
                }
                self.touch(&block, "permissions_boundary", &entity);
            }
            4 | 5 => {
                let tags = self.tags();
                self.tag("Role", ("RoleName", &name), &role.tags, &tags);
                self.roles[index].tags = tags;
                self.touch(&block, "tags", &entity);
            }
            6..=8 if !role.is_trust_fixed => {
                let trust = self.edited(&role.trust, true);
                self.call(
                    "UpdateAssumeRolePolicy",
                    json!({ "RoleName": name, "PolicyDocument": trust.to_string() }),
                );
                self.roles[index].trust = trust;
                self.touch(&block, "assume_role_policy", &entity);
            }
            9..=11 if !role.inline.is_empty() => {
                let names: Vec<String> = role.inline.keys().cloned().collect();
                let policy = self.random.pick(&names).expect("there is one");
                if self.random.percent(20) {
                    self.call(
                        "DeleteRolePolicy",
                        json!({ "RoleName": name, "PolicyName": policy }),
                    );
                    self.roles[index].inline.remove(&policy);
                    return self.touch(&format!("inline {name} {policy}"), "", &entity);
                }
                let document = self.edited(&role.inline[&policy], false);
                self.call("PutRolePolicy", json!({ "RoleName": name, "PolicyName": policy, "PolicyDocument": document.to_string() }));
                self.roles[index].inline.insert(policy.clone(), document);
                self.touch(&format!("inline {name} {policy}"), "policy", &entity);
            }
            12 if role.inline.len() < 4 => {
                self.sids += 1;
                let policy = format!("new{}", self.sids);
                let document = self.document(false);
                self.call("PutRolePolicy", json!({ "RoleName": name, "PolicyName": policy, "PolicyDocument": document.to_string() }));
                self.roles[index].inline.insert(policy.clone(), document);
                self.touch(&format!("inline {name} {policy}"), "", &entity);
            }
            _ => {
                let arn = self.arn();
                if role.attached.contains(&arn) {
                    self.call("DetachRolePolicy", json!({ "RoleName": name, "PolicyArn": arn }));
                    self.roles[index].attached.remove(&arn);
                } else {
                    self.call("AttachRolePolicy", json!({ "RoleName": name, "PolicyArn": arn }));
                    self.roles[index].attached.insert(arn.clone());
                }
                self.touch(&format!("attachment {name} {arn}"), "", &entity);
            }
        }
    }

    fn carry_out(&mut self, emulator: &Emulator) {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        fs::write(file.path(), Value::from(std::mem::take(&mut self.calls)).to_string())
            .expect("write");
        emulator.call(&format!(
            r#"
import json
for operation, parameters in json.load(open('{}')):
    if operation == 'NewVersion':
        arn = parameters['PolicyArn']
        versions = list(client.iam_pages('ListPolicyVersions', 'Versions', PolicyArn=arn))
        old = [v for v in versions if str(v['IsDefaultVersion']).lower() != 'true']
        if len(versions) > 4:
            client.iam('DeletePolicyVersion', PolicyArn=arn, VersionId=old[-1]['VersionId'])
        client.iam('CreatePolicyVersion', SetAsDefault='true', **parameters)
    else:
        client.iam(operation, **parameters)
"#,
            file.path().display()
        ));
    }

    /// The documents that comments may be in, as AWS has them, by block and argument.
    fn documents(&self, tree: &Tree) -> BTreeMap<(String, String), Value> {
        let mut found = BTreeMap::new();
        for policy in &self.policies {
            found.insert(
                (format!("aws_iam_policy.{}", policy.label), "policy".to_owned()),
                policy.document.clone(),
            );
        }
        for role in &self.roles {
            found.insert(
                (format!("aws_iam_role.{}", role.label), "assume_role_policy".to_owned()),
                role.trust.clone(),
            );
        }
        // Inline policies by what their blocks say.
        for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".tf")) {
            for segment in segments(text) {
                if segment.argument == "name" && segment.block.starts_with("aws_iam_role_policy.") {
                    let name = segment.text.split('"').nth(1).unwrap_or_default().to_owned();
                    let label = segment.block.trim_start_matches("aws_iam_role_policy.");
                    let role = self.roles.iter().find(|role| {
                        label
                            .strip_prefix(&format!("{}_", role.label))
                            .is_some_and(|rest| rest.parse::<usize>().is_ok())
                            || label.starts_with(&format!("{}__has__", role.name))
                    });
                    let role = role.unwrap_or_else(|| panic!("{label} in {path}"));
                    if let Some(document) = role.inline.get(&name) {
                        found
                            .insert((segment.block.clone(), "policy".to_owned()), document.clone());
                    }
                }
            }
        }
        found
    }
}

fn quote(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace("${", "$${").replace("%{", "%%{"))
}

/// A part of a file: an argument, or what stands between arguments and between blocks.
#[derive(Debug, PartialEq)]
struct Segment {
    block: String,
    argument: String,
    text: String,
}

/// Cuts a file into its arguments; runs of blanks count as one.
fn segments(text: &str) -> Vec<Segment> {
    let mut found: Vec<Segment> = Vec::new();
    let (mut block, mut heredoc, mut depth) = (String::new(), false, 0_i32);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let squeezed = words.join(" ");
        if heredoc || depth > 0 {
            let last = found.last_mut().expect("it began");
            last.text += "\n";
            last.text += &squeezed;
            if heredoc {
                heredoc = line.trim() != "EOT";
                continue;
            }
            depth += brackets(line);
            continue;
        }
        if block.is_empty() {
            if let Some(["resource" | "data", of, label, "{"]) =
                words.get(..4).map(|it| [it[0], it[1], it[2], it[3]])
            {
                let kind = if words[0] == "data" { "data." } else { "" };
                block = format!("{kind}{}.{}", of.trim_matches('"'), label.trim_matches('"'));
            } else if words.last() == Some(&"{") {
                block = words[..words.len() - 1].join(" ");
            }
            found.push(Segment { block: block.clone(), argument: String::new(), text: squeezed });
            continue;
        }
        if line == "}" {
            found.push(Segment {
                block: std::mem::take(&mut block),
                argument: String::new(),
                text: squeezed,
            });
            continue;
        }
        let argument = match words.get(1) {
            Some(&"=") | Some(&"{") => words[0].to_owned(),
            _ => String::new(),
        };
        heredoc = line.contains("<<");
        depth = if heredoc { 0 } else { brackets(line) };
        found.push(Segment { block: block.clone(), argument, text: squeezed });
    }
    found
}

/// Brackets that a line opens and does not close, outside its texts and its comment.
fn brackets(line: &str) -> i32 {
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    let mut previous = ' ';
    for character in line.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '#' => break,
            '/' if previous == '/' => break,
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            _ => {}
        }
        previous = character;
    }
    depth
}

/// The files that `terraform fmt` would leave as they are.
fn formatted_files(repository: &Repository) -> BTreeSet<String> {
    let output = terraform_output(&repository.root(), &["fmt", "-check", "-list=true"]);
    let unformatted = String::from_utf8_lossy(&output.stdout).into_owned();
    let unformatted: BTreeSet<&str> = unformatted.lines().collect();
    let tree = repository.tree();
    tree.keys()
        .filter_map(|path| path.strip_prefix("terraform/"))
        .filter(|path| path.ends_with(".tf") && !unformatted.contains(path))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_thousand_changes_in_aws_touch_nothing_else() {
    let account = tempfile::NamedTempFile::new().expect("temporary file");
    let policies: Vec<Value> =
        AWS_MANAGED.iter().map(|name| json!({ "Arn": managed(name) })).collect();
    let content = json!({ "account": ACCOUNT, "roles": [], "policies": policies, "organizations_policies": [] });
    fs::write(account.path(), content.to_string()).expect("write the account");
    let emulator = Emulator::unchecked(account.path());
    let mut world = World::new(20_261_129);
    let repository = Repository::new();
    fs::create_dir_all(repository.root().join("documents")).expect("a folder");
    for (path, text) in &world.files {
        // One team has another system.
        let text =
            if path.ends_with("team_3.tf") { text.replace('\n', "\r\n") } else { text.clone() };
        repository.write(path, &text);
    }
    // One team does not format.
    for file in 0..FILES - 1 {
        terraform_output(&repository.root(), &["fmt", &format!("team_{file}.tf")]);
    }
    let module = Module::new(&repository.root(), &emulator);
    module.plan();
    module.apply();
    let before = repository.tree();
    repository.export(&emulator, &[]);
    let added = differences(&before, &repository.tree());
    assert!(added.iter().all(|it| it.starts_with("added") && it.ends_with(".json")), "{added:?}");
    assert_eq!(added.len(), ROLES + POLICIES);

    for round in 0..ROUNDS {
        let (before, formatted) = (repository.tree(), formatted_files(&repository));
        let documents_before = world.documents(&before);
        (world.touched, world.entities) = (BTreeSet::new(), BTreeSet::new());
        let until = (round + 1) * EDITS / ROUNDS + 1;
        while world.edits < until {
            world.edit();
        }
        world.carry_out(&emulator);
        let summary = repository.export(&emulator, &[]);
        let after = repository.tree();
        assert_eq!(summary.names("conflicting"), [""; 0], "{:#}", summary.0);
        assert_eq!(summary.names("pending"), [""; 0], "{:#}", summary.0);
        check_texts(&world, &before, &after);
        check_comments(&mut world, &documents_before, &after);
        let still = formatted_files(&repository);
        let lost: Vec<&String> = formatted.difference(&still).collect();
        assert!(lost.is_empty(), "{lost:?}");
        for (path, text) in &after {
            if path.ends_with("team_3.tf") {
                assert!(!text.replace("\r\n", "").contains('\n'), "{path}");
            }
        }
        let plan = module.plan();
        let actions = plan.actions();
        for action in actions.iter().take(3) {
            let address = action.split(' ').next().expect("a word");
            println!("{action}: {:#}", plan.change(address));
        }
        assert_eq!(actions, [""; 0]);
        repository.export(&emulator, &[]);
        assert_eq!(differences(&after, &repository.tree()), [""; 0]);
        // Terraform forgets what is gone, and knows what is new.
        module.apply();
        println!("round {round}: {} edits", world.edits);
    }
    let plan = module.plan();
    assert_eq!((plan.actions(), plan.imports()), (Vec::new(), Vec::new()));
    assert!(world.edits >= EDITS);
}

/// Nothing but what AWS changed is another text than before.
fn check_texts(world: &World, before: &Tree, after: &Tree) {
    let mut allowed: BTreeSet<(String, String)> = world.touched.clone();
    // Parts by what their blocks say.
    for tree in [before, after] {
        for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".tf")) {
            for (block, arguments) in blocks(text) {
                let Some(of) = arguments.get("role") else { continue };
                let role = world
                    .roles
                    .iter()
                    .find(|role| of.contains(&format!("aws_iam_role.{}.", role.label)));
                let role = role.unwrap_or_else(|| panic!("{block} in {path}: {of}"));
                let key = match arguments.get("policy_arn") {
                    None => format!("inline {} {}", role.name, argument_text(&arguments["name"])),
                    Some(arn) => {
                        let own = world.policies.iter().find(|policy| {
                            arn.contains(&format!("aws_iam_policy.{}.", policy.label))
                        });
                        let arn = own.map_or_else(|| argument_text(arn), Policy::arn);
                        format!("attachment {} {arn}", role.name)
                    }
                };
                if world.touched.contains(&(key.clone(), String::new())) {
                    allowed.insert((block.clone(), String::new()));
                    allowed.insert((format!("import {block}"), String::new()));
                } else if world.touched.contains(&(key, "policy".to_owned())) {
                    allowed.insert((block.clone(), "policy".to_owned()));
                }
            }
        }
    }
    let is_whole = |block: &str| allowed.contains(&(block.to_owned(), String::new()));
    for change in differences(before, after) {
        let (what, path) = change.split_once(' ').expect("two words");
        assert_eq!(what, "changed", "{change}");
        if path.ends_with(".json") && !path.starts_with("terraform/") {
            assert!(world.entities.contains(path), "{change}");
            continue;
        }
        if path.ends_with(".json") {
            let name = path.rsplit('/').next().expect("a name");
            let mut parts = name.split('.');
            let block = parts.next().expect("a block").replacen('-', ".", 1);
            let argument = parts.next().expect("an argument");
            assert!(
                allowed.contains(&(block.clone(), argument.to_owned())),
                "{change} {block} {argument}"
            );
            continue;
        }
        let kept = |text: &str| -> Vec<String> {
            segments(text)
                .into_iter()
                .filter(|segment| {
                    if segment.block == "import" {
                        return false;
                    }
                    // Removed and new blocks take a blank line and a comment above with them.
                    let is_outside = segment.block.is_empty() && segment.text != "}";
                    !segment.text.is_empty()
                        && !is_outside
                        && !is_whole(&segment.block)
                        && !allowed.contains(&(segment.block.clone(), segment.argument.clone()))
                })
                .map(|segment| format!("{}: {}", segment.block, segment.text))
                .collect()
        };
        let (old, new) = (kept(&before[path]), kept(&after[path]));
        let at = old.iter().zip(&new).position(|(old, new)| old != new);
        if let Some(at) = at {
            panic!("{path}\n{}\n{}", old[at], new[at]);
        }
        assert_eq!(old.len(), new.len(), "{path}: {:?} {:?}", old.last(), new.last());
    }
}

/// The arguments of each resource.
fn blocks(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for segment in segments(text).into_iter().filter(|segment| segment.block.starts_with("aws_")) {
        found.entry(segment.block).or_default().insert(segment.argument, segment.text);
    }
    found
}

fn argument_text(line: &str) -> String {
    line.split('"').nth(1).unwrap_or_default().to_owned()
}

/// Every comment is there, unless what it is about is gone.
fn check_comments(world: &mut World, before: &BTreeMap<(String, String), Value>, after: &Tree) {
    let documents = world.documents(after);
    let text: String = after
        .iter()
        .filter(|(path, _)| path.ends_with(".tf"))
        .map(|(_, text)| text.as_str())
        .collect();
    let blocks_after: BTreeMap<String, BTreeMap<String, String>> = after
        .iter()
        .filter(|(path, _)| path.ends_with(".tf"))
        .flat_map(|(_, text)| blocks(text))
        .collect();
    let mut comments = std::mem::take(&mut world.comments);
    comments.retain(|comment| {
        let is_there = text.contains(&comment.text);
        let Some((block, argument)) = &comment.document else {
            assert!(is_there, "{}", comment.text);
            return true;
        };
        let is_about_something = match (blocks_after.get(block), argument.as_str(), &comment.sid) {
            (None, _, _) => false,
            (Some(_), "", _) => true,
            (Some(arguments), argument, None) => arguments.contains_key(argument),
            (Some(_), _, Some(sid)) => {
                let key = (block.clone(), argument.clone());
                let statement = |documents: &BTreeMap<(String, String), Value>| {
                    let document = documents.get(&key)?;
                    let mut statements = document["Statement"].as_array()?.iter();
                    statements.find(|statement| statement["Sid"] == sid.as_str()).cloned()
                };
                let element = |statement: Option<Value>| match (&comment.element, statement) {
                    (_, None) => false,
                    (None, Some(_)) => true,
                    (Some(element), Some(statement)) => statement.get(element).is_some(),
                };
                element(statement(before)) && element(statement(&documents))
            }
        };
        assert!(
            is_there || !is_about_something,
            "`{}` of {block} {argument} {:?} {:?}",
            comment.text,
            comment.sid,
            comment.element
        );
        is_there
    });
    world.comments = comments;
}
