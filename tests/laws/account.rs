//! A small account of roles and policies: what it is, how AWS changes it, and its raw JSON.

use std::collections::{BTreeMap, BTreeSet};

use aws_iam_gitops::aws::Account as Id;
use aws_iam_gitops::resource::{Inventory, KINDS, Reading};
use serde_json::{Value, json};

use crate::random::Random;

pub const ID: &str = "111122223333";
/// Customer policies; `data` is the name of one and part of another's.
pub const POLICIES: &[&str] = &["data", "data-read"];
pub const OF_AWS: &[&str] = &["ReadOnlyAccess", "SecurityAudit"];

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    pub roles: BTreeMap<String, Role>,
    pub policies: BTreeMap<String, Policy>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Role {
    pub description: Option<String>,
    pub hours: u32,
    pub tags: BTreeMap<String, String>,
    pub services: BTreeSet<String>,
    pub inline: BTreeMap<String, Statements>,
    pub attached: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    pub tags: BTreeMap<String, String>,
    pub statements: Statements,
}

/// The actions of each statement, by its Sid.
pub type Statements = BTreeMap<String, BTreeSet<String>>;

impl Account {
    pub fn random(random: &mut Random) -> Account {
        let mut account = Account::default();
        for name in POLICIES {
            let (tags, statements) = (tags(random), statements(random));
            account.policies.insert((*name).to_owned(), Policy { tags, statements });
        }
        let names = ["deploy", "deploy-2", "audit"];
        for name in &names[..1 + random.below(3)] {
            account.roles.insert((*name).to_owned(), Role::random(random));
        }
        account
    }

    pub fn inventory(&self) -> Inventory {
        let readings = KINDS.iter().map(|kind| {
            let texts: Vec<String> = match kind.plural {
                "roles" => self.roles.keys().map(|name| self.role_json(name)).collect(),
                "policies" => self.policies.keys().map(|name| self.policy_json(name)).collect(),
                _ => Vec::new(),
            };
            let parse = |text: &String| (kind.parse)(text).expect("raw JSON");
            let reading = Reading {
                entities: texts.iter().map(parse).collect(),
                complete: kind.folders.iter().copied().collect(),
                ..Reading::default()
            };
            (*kind, reading)
        });
        Inventory { readings: readings.collect(), ..Inventory::default() }
    }

    pub fn id() -> Id {
        Id { id: ID.to_owned(), partition: "aws".to_owned() }
    }

    pub fn role_json(&self, name: &str) -> String {
        let role = &self.roles[name];
        let mut value = json!({
            "Path": "/",
            "RoleName": name,
            "RoleId": "AROAEXAMPLE",
            "Arn": format!("arn:aws:iam::{ID}:role/{name}"),
            "MaxSessionDuration": role.hours * 3600,
            "AssumeRolePolicyDocument": trust(&role.services),
            "InstanceProfileList": [],
            "RolePolicyList": role.inline.iter().map(|(name, statements)| json!({
                "PolicyName": name, "PolicyDocument": document(statements)
            })).collect::<Vec<_>>(),
            "AttachedManagedPolicies": role.attached.iter().map(|name| json!({
                "PolicyName": name, "PolicyArn": policy_arn(name)
            })).collect::<Vec<_>>(),
            "Tags": tag_list(&role.tags),
        });
        if let Some(description) = &role.description {
            value["Description"] = json!(description);
        }
        sorted(&mut value, "AttachedManagedPolicies", "PolicyArn");
        value.to_string()
    }

    pub fn policy_json(&self, name: &str) -> String {
        let policy = &self.policies[name];
        json!({
            "PolicyName": name,
            "PolicyId": "ANPAEXAMPLE",
            "Arn": policy_arn(name),
            "Path": "/",
            "DefaultVersionId": "v1",
            "IsAttachable": true,
            "Description": "for tests",
            "PolicyVersionList": [{
                "Document": document(&policy.statements),
                "VersionId": "v1",
                "IsDefaultVersion": true,
            }],
            "Tags": tag_list(&policy.tags),
        })
        .to_string()
    }

    /// One change as somebody makes it in AWS's console.
    pub fn change(&mut self, random: &mut Random) {
        if random.percent(20) {
            let name = random.pick(POLICIES).expect("policies");
            let policy = self.policies.get_mut(name).expect("it is there");
            match random.below(2) {
                0 => change_tags(&mut policy.tags, random),
                _ => change_statements(&mut policy.statements, random),
            }
            return;
        }
        let names: Vec<String> = self.roles.keys().cloned().collect();
        let Some(name) = random.pick(&names) else { return };
        match random.below(20) {
            0 => drop(self.roles.remove(&name)),
            1 => drop(self.roles.insert(format!("new{}", random.below(9)), Role::random(random))),
            _ => self.roles.get_mut(&name).expect("it is there").change(random),
        }
    }
}

impl Role {
    pub fn random(random: &mut Random) -> Role {
        let mut role = Role {
            description: random.percent(70).then(|| format!("text {}", random.below(1000))),
            hours: 1 + random.below(3) as u32,
            tags: tags(random),
            services: BTreeSet::from(["ec2".to_owned()]),
            ..Role::default()
        };
        for name in ["read", "write"] {
            if random.percent(60) {
                role.inline.insert(name.to_owned(), statements(random));
            }
        }
        for name in POLICIES.iter().chain(OF_AWS) {
            if random.percent(40) {
                role.attached.insert((*name).to_owned());
            }
        }
        role
    }

    fn change(&mut self, random: &mut Random) {
        match random.below(8) {
            0 => {
                let text = format!("AWS {}", random.below(1000));
                self.description = random.percent(80).then_some(text);
            }
            1 => self.hours = 1 + random.below(12) as u32,
            2 => change_tags(&mut self.tags, random),
            3 => {
                let service = random.pick(&["ec2", "lambda", "ecs"]).expect("services").to_owned();
                if !self.services.remove(&service) || self.services.is_empty() {
                    self.services.insert(service);
                }
            }
            4 | 5 => {
                let name = random.pick(&["read", "write", "more"]).expect("names").to_owned();
                match self.inline.get_mut(&name) {
                    Some(_) if random.percent(25) => drop(self.inline.remove(&name)),
                    Some(statements) => change_statements(statements, random),
                    None => drop(self.inline.insert(name, statements(random))),
                }
            }
            _ => {
                let names: Vec<&str> = POLICIES.iter().chain(OF_AWS).copied().collect();
                let name = random.pick(&names).expect("names").to_owned();
                if !self.attached.remove(&name) {
                    self.attached.insert(name);
                }
            }
        }
    }
}

fn tags(random: &mut Random) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for key in ["team", "cost"] {
        if random.percent(60) {
            tags.insert(key.to_owned(), format!("v{}", random.below(1000)));
        }
    }
    tags
}

fn change_tags(tags: &mut BTreeMap<String, String>, random: &mut Random) {
    let key = random.pick(&["team", "cost", "owner"]).expect("keys").to_owned();
    if random.percent(30) && tags.remove(&key).is_some() {
        return;
    }
    tags.insert(key, format!("aws{}", random.below(1000)));
}

fn statements(random: &mut Random) -> Statements {
    let mut statements = Statements::new();
    for index in 0..1 + random.below(3) {
        let actions = (0..1 + random.below(3)).map(|at| format!("s3:Do{index}{at}"));
        statements.insert(format!("S{index}"), actions.collect());
    }
    statements
}

fn change_statements(statements: &mut Statements, random: &mut Random) {
    let sids: Vec<String> = statements.keys().cloned().collect();
    let sid = random.pick(&sids).expect("statements");
    if random.percent(15) && sids.len() > 1 {
        statements.remove(&sid);
        return;
    }
    if random.percent(20) {
        let number = random.below(100);
        statements.insert(format!("Aws{number}"), BTreeSet::from([format!("s3:Aws{number}")]));
        return;
    }
    let actions = statements.get_mut(&sid).expect("it is there");
    let all: Vec<String> = actions.iter().cloned().collect();
    if random.percent(50) && all.len() > 1 {
        actions.remove(&random.pick(&all).expect("actions"));
    } else {
        actions.insert(format!("s3:Aws{}", random.below(1000)));
    }
}

pub fn policy_arn(name: &str) -> String {
    let owner = if POLICIES.contains(&name) { ID } else { "aws" };
    format!("arn:aws:iam::{owner}:policy/{name}")
}

pub fn document(statements: &Statements) -> Value {
    let statements: Vec<Value> = statements
        .iter()
        .map(|(sid, actions)| {
            json!({ "Sid": sid, "Effect": "Allow", "Action": one_or_more(actions), "Resource": "*" })
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn trust(services: &BTreeSet<String>) -> Value {
    let services = services.iter().map(|name| format!("{name}.amazonaws.com")).collect();
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": one_or_more(&services) },
        "Action": "sts:AssumeRole"
    }] })
}

fn one_or_more(texts: &BTreeSet<String>) -> Value {
    match texts.len() {
        1 => json!(texts.first()),
        _ => json!(texts),
    }
}

fn tag_list(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

fn sorted(value: &mut Value, list: &str, by: &str) {
    let list = value[list].as_array_mut().expect("a list");
    list.sort_by_key(|item| item[by].as_str().map(str::to_owned));
}
