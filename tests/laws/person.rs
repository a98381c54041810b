//! A person who edits the files, and what they want the account to be by that.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::account::{Account, document, policy_arn};
use crate::random::Random;

pub type Tree = BTreeMap<String, String>;

/// One person's working copy.
pub struct Person {
    pub files: Tree,
    /// What the files say.
    pub wants: Account,
    /// Roles whose description is a variable.
    pub own: BTreeSet<String>,
    pub comments: Vec<Comment>,
    count: usize,
}

/// A comment, and what it stands at.
#[derive(Clone, Debug)]
pub struct Comment {
    pub text: String,
    pub path: String,
    /// The block and the attribute, where it stands in one.
    pub at: Option<(Block, String)>,
    /// Whether it stands in the attribute's value.
    pub is_within: bool,
}

/// A block of a file that says something of an entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub path: String,
    pub span: Range<usize>,
    /// `resource` or `import`.
    pub keyword: String,
    pub resource_type: String,
    pub label: String,
    pub text: String,
    /// The role or the policy that it is a part of.
    pub entity: String,
    /// The inline policy or the attached policy.
    pub part: String,
}

impl Person {
    pub fn new(files: Tree, account: &Account) -> Person {
        Person {
            files,
            wants: account.clone(),
            own: BTreeSet::new(),
            comments: Vec::new(),
            count: 0,
        }
    }

    /// One edit, if it is one that these files allow.
    pub fn edit(&mut self, random: &mut Random) -> &'static str {
        let names: Vec<String> = self.wants.roles.keys().cloned().collect();
        let Some(role) = random.pick(&names) else { return "" };
        self.count += 1;
        let number = self.count;
        match random.below(14) {
            0 => self.describe(&role, &format!("\"Git {number}\""), &format!("Git {number}")),
            1 => {
                self.files
                    .entry("terraform/locals.tf".to_owned())
                    .or_default()
                    .push_str(&format!("locals {{\n  text{number} = \"Git {number}\"\n}}\n"));
                self.describe(&role, &format!("local.text{number}"), &format!("Git {number}"))
            }
            2 => self.own_description(&role, number),
            3 => self.set_hours(&role, random),
            4 => self.set_tag(&role, number),
            5 => self.remove_tag(&role),
            6 => self.rename_action(&role, number),
            7 => self.add_statement(&role, number),
            8 => self.attach(&role, random, number),
            9 => self.detach(&role, random),
            10 => self.rename(&role, random, number),
            11 => self.relocate(&role, random),
            12 => self.write_heredoc(&role),
            _ if random.percent(30) => self.delete(&role),
            _ => "",
        }
    }

    pub fn blocks(&self) -> Vec<Block> {
        blocks(&self.files)
    }

    fn main(&self, role: &str) -> Option<Block> {
        let is_it = |block: &Block| {
            (block.keyword.as_str(), block.resource_type.as_str()) == ("resource", "aws_iam_role")
                && block.entity == role
        };
        self.blocks().into_iter().find(is_it)
    }

    fn replace(&mut self, block: &Block, text: &str) {
        let file = self.files.get_mut(&block.path).expect("a file");
        file.replace_range(block.span.clone(), text);
    }

    /// Sets an argument, where it stands or after the name.
    fn set(&mut self, block: &Block, name: &str, value: &str) {
        let line = format!("  {name} = {value}\n");
        let found = attributes(&block.text).into_iter().find(|(of, _)| of == name);
        let mut text = block.text.clone();
        match found {
            Some((_, span)) => text.replace_range(span, &line),
            None => {
                let (_, span) = attributes(&text).into_iter().next().expect("an attribute");
                text.insert_str(span.end, &line);
            }
        }
        self.replace(block, &text);
    }

    fn describe(&mut self, role: &str, expression: &str, text: &str) -> &'static str {
        let Some(block) = self.main(role) else { return "" };
        self.set(&block, "description", expression);
        self.own.remove(role);
        self.wants.roles.get_mut(role).expect("it is there").description = Some(text.to_owned());
        "describe"
    }

    fn own_description(&mut self, role: &str, number: usize) -> &'static str {
        let Some(block) = self.main(role) else { return "" };
        let text = format!("variable \"text{number}\" {{\n  type = string\n}}\n");
        self.files.entry("terraform/variables.tf".to_owned()).or_default().push_str(&text);
        self.set(&block, "description", &format!("var.text{number}"));
        self.own.insert(role.to_owned());
        "own"
    }

    fn set_hours(&mut self, role: &str, random: &mut Random) -> &'static str {
        let Some(block) = self.main(role) else { return "" };
        let hours = 1 + random.below(12) as u32;
        let value = match random.below(2) {
            0 => format!("{}", hours * 3600),
            _ => format!("\"{}\"", hours * 3600),
        };
        self.set(&block, "max_session_duration", &value);
        self.wants.roles.get_mut(role).expect("it is there").hours = hours;
        "hours"
    }

    fn set_tag(&mut self, role: &str, number: usize) -> &'static str {
        let Some(block) = self.main(role) else { return "" };
        let (key, value) = ("team", format!("git{number}"));
        let line = format!("    {key} = \"{value}\"\n");
        let mut text = block.text.clone();
        match (text.find("\n    team "), text.find("  tags = {\n")) {
            (Some(at), _) => {
                let end = text[at + 1..].find('\n').expect("a line") + at + 2;
                text.replace_range(at + 1..end, &line);
                self.replace(&block, &text);
            }
            (None, Some(at)) => {
                text.insert_str(at + "  tags = {\n".len(), &line);
                self.replace(&block, &text);
            }
            (None, None) if !text.contains("  tags ") => {
                self.set(&block, "tags", &format!("{{ {key} = \"{value}\" }} # new"));
            }
            _ => return "",
        }
        let role = self.wants.roles.get_mut(role).expect("it is there");
        role.tags.insert(key.to_owned(), value);
        "tag"
    }

    fn remove_tag(&mut self, role: &str) -> &'static str {
        let Some(block) = self.main(role) else { return "" };
        let mut text = block.text.clone();
        let Some(at) = text.find("\n    cost ") else { return "" };
        let end = text[at + 1..].find('\n').expect("a line") + at + 2;
        text.replace_range(at + 1..end, "");
        self.replace(&block, &text);
        self.wants.roles.get_mut(role).expect("it is there").tags.remove("cost");
        "untag"
    }

    /// A resource block of a role with a `policy`.
    fn inline(&self, role: &str) -> Option<Block> {
        let is_it = |block: &Block| {
            (block.keyword.as_str(), block.resource_type.as_str())
                == ("resource", "aws_iam_role_policy")
                && block.entity == role
        };
        self.blocks().into_iter().find(is_it)
    }

    fn rename_action(&mut self, role: &str, number: usize) -> &'static str {
        let Some(block) = self.inline(role) else { return "" };
        let Some(at) = block.text.find("\"s3:Do") else { return "" };
        let end = block.text[at + 1..].find('"').expect("a quote") + at + 2;
        let old = block.text[at + 1..end - 1].to_owned();
        let new = format!("s3:Git{number}");
        let mut text = block.text.clone();
        text.replace_range(at..end, &format!("\"{new}\""));
        self.replace(&block, &text);
        let role = self.wants.roles.get_mut(role).expect("it is there");
        for actions in role.inline.get_mut(&block.part).expect("it is there").values_mut() {
            if actions.remove(&old) {
                actions.insert(new.clone());
            }
        }
        "action"
    }

    fn add_statement(&mut self, role: &str, number: usize) -> &'static str {
        let Some(block) = self.inline(role) else { return "" };
        let before = "    Statement = [\n";
        let Some(at) = block.text.find(before) else { return "" };
        let (sid, action) = (format!("Git{number}"), format!("s3:Git{number}"));
        let mut text = block.text.clone();
        text.insert_str(
            at + before.len(),
            &format!(
                "      {{ Sid = \"{sid}\", Effect = \"Allow\", Action = [\"{action}\"], \
                 Resource = [\"*\"] }}, // {number}\n"
            ),
        );
        self.replace(&block, &text);
        let role = self.wants.roles.get_mut(role).expect("it is there");
        let statements = role.inline.get_mut(&block.part).expect("it is there");
        statements.insert(sid, BTreeSet::from([action]));
        "statement"
    }

    fn attach(&mut self, role: &str, random: &mut Random, number: usize) -> &'static str {
        let Some(main) = self.main(role) else { return "" };
        let policy = random.pick(&["SecurityAudit", "ReadOnlyAccess", "data"]).expect("names");
        if !self.wants.roles.get_mut(role).expect("it").attached.insert(policy.to_owned()) {
            return "";
        }
        let (arn, label) = (policy_arn(policy), &main.label);
        let role_text = match random.below(2) {
            0 => format!("aws_iam_role.{label}.name"),
            _ => format!("\"{role}\""),
        };
        let path = match random.below(3) {
            0 => "terraform/attachments.tf".to_owned(),
            _ => main.path,
        };
        let resource = format!(
            "resource \"aws_iam_role_policy_attachment\" \"hand{number}\" {{\n  \
             role = {role_text} # {number}\n  policy_arn = \"{arn}\"\n}}\n"
        );
        let import = format!(
            "import {{\n  to = aws_iam_role_policy_attachment.hand{number}\n  id = \"{role}/{arn}\"\n}}\n"
        );
        let file = self.files.entry(path).or_default();
        if !file.is_empty() {
            file.push('\n');
        }
        if random.percent(30) {
            file.push_str(&import);
        }
        file.push_str(&resource);
        "attach"
    }

    fn detach(&mut self, role: &str, random: &mut Random) -> &'static str {
        let attached: Vec<String> = self.wants.roles[role].attached.iter().cloned().collect();
        let Some(policy) = random.pick(&attached) else { return "" };
        self.cut(&|block| block.entity == role && block.part == policy_arn(&policy));
        self.wants.roles.get_mut(role).expect("it is there").attached.remove(&policy);
        "detach"
    }

    /// Takes blocks out of the files, and files of which nothing is left.
    fn cut(&mut self, is_it: &dyn Fn(&Block) -> bool) -> Vec<Block> {
        let found: Vec<Block> = self.blocks().into_iter().filter(|block| is_it(block)).collect();
        for block in found.iter().rev() {
            self.replace(block, "");
        }
        self.files.retain(|_, text| !text.trim().is_empty());
        found
    }

    /// Another label, wherever it is named.
    fn rename(&mut self, role: &str, random: &mut Random, number: usize) -> &'static str {
        let block = match random.below(2) {
            0 => self.main(role),
            _ => {
                let is_policy = |block: &Block| {
                    block.keyword == "resource" && block.resource_type == "aws_iam_policy"
                };
                self.blocks().into_iter().find(is_policy)
            }
        };
        let Some(block) = block else { return "" };
        let (of, old, new) = (&block.resource_type, &block.label, format!("label{number}"));
        for text in self.files.values_mut() {
            *text = text
                .replace(&format!("\"{of}\" \"{old}\" {{"), &format!("\"{of}\" \"{new}\" {{"))
                .replace(&format!("{of}.{old}."), &format!("{of}.{new}."))
                .replace(&format!("{of}.{old}\n"), &format!("{of}.{new}\n"));
        }
        let moved = format!("\nmoved {{\n  from = {of}.{old}\n  to   = {of}.{new}\n}}\n");
        self.files.get_mut(&block.path).expect("a file").push_str(&moved);
        "rename"
    }

    /// Some of a role's blocks, or all, go to another file.
    fn relocate(&mut self, role: &str, random: &mut Random) -> &'static str {
        let is_all = random.percent(50);
        let types = ["aws_iam_role", "aws_iam_role_policy", "aws_iam_role_policy_attachment"];
        let of = random.pick(&types).expect("types");
        let found =
            self.cut(&|block| block.entity == role && (is_all || block.resource_type == of));
        let path = random.pick(&["terraform/ci.tf", "terraform/main.tf"]).expect("paths");
        for block in found {
            let file = self.files.entry(path.to_owned()).or_default();
            if !file.is_empty() && !file.ends_with("\n\n") {
                file.push('\n');
            }
            file.push_str(&block.text);
        }
        "relocate"
    }

    fn write_heredoc(&mut self, role: &str) -> &'static str {
        let Some(block) = self.inline(role) else { return "" };
        let statements = &self.wants.roles[role].inline[&block.part];
        let json = format!("{:#}", document(statements)).replace('\n', "\n    ");
        self.set(&block, "policy", &format!("<<-EOT\n    {json}\n  EOT"));
        "heredoc"
    }

    fn delete(&mut self, role: &str) -> &'static str {
        self.cut(&|block| block.entity == role);
        self.wants.roles.remove(role);
        self.own.remove(role);
        "delete"
    }

    /// Comments here and there.
    pub fn comment(&mut self, random: &mut Random) {
        self.count += 1;
        let text = format!("# note {}.", self.count);
        let resources: Vec<Block> =
            self.blocks().into_iter().filter(|block| block.keyword == "resource").collect();
        let Some(block) = random.pick(&resources) else { return };
        let attributes = attributes(&block.text);
        let Some((name, span)) = random.pick(&attributes) else { return };
        let value = &block.text[span.clone()];
        let is_one_line = value.matches('\n').count() == 1;
        let mut new = block.text.clone();
        let sid = value.find("\n        Sid ");
        let (at, is_within) = match (random.below(4), sid) {
            (0, _) => {
                let file = self.files.get_mut(&block.path).expect("a file");
                file.insert_str(0, &format!("{text}\n\n"));
                self.comments.push(Comment { text, path: block.path, at: None, is_within: false });
                return;
            }
            (1, _) if is_one_line && !value.contains('#') => {
                new.insert_str(span.end - 1, &format!(" {text}"));
                (name, false)
            }
            (2, Some(sid)) => {
                new.insert_str(span.start + sid + 1, &format!("        {text}\n"));
                (name, true)
            }
            _ => {
                new.insert_str(span.start, &format!("  {text}\n"));
                (name, false)
            }
        };
        self.replace(&block, &new);
        let path = block.path.clone();
        self.comments.push(Comment { text, path, at: Some((block, at)), is_within });
    }
}

/// The top-level attributes of a block with their lines, comments above left out.
pub fn attributes(block: &str) -> Vec<(String, Range<usize>)> {
    let mut found: Vec<(String, Range<usize>)> = Vec::new();
    let mut at = 0;
    let mut is_open = false;
    for line in block.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let name = line
            .strip_prefix("  ")
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        if let Some(rest) = name.filter(|rest| rest.contains(" = ")) {
            let name = rest.split(' ').next().unwrap_or_default().to_owned();
            found.push((name, start..at));
            is_open = !["\"", "name", "arn"].iter().any(|end| line.trim_end().ends_with(end))
                && (line.trim_end().ends_with(['{', '(', '[']) || line.contains("<<-"));
        } else if is_open && let Some((_, span)) = found.last_mut() {
            span.end = at;
            is_open = !(line.starts_with("  }") || line.starts_with("  EOT"));
        }
    }
    found
}

/// All resource and import blocks of the files that say something of an entity.
pub fn blocks(files: &Tree) -> Vec<Block> {
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".tf")) {
        let mut at = 0;
        let mut start = None;
        for line in text.split_inclusive('\n') {
            if start.is_none() && (line.starts_with("resource \"") || line.starts_with("import {"))
            {
                start = Some(at);
            }
            at += line.len();
            if line == "}\n"
                && let Some(start) = start.take()
            {
                found.push(block(path, start..at, &text[start..at]));
            }
        }
    }
    let names: BTreeMap<(String, String), (String, String)> = found
        .iter()
        .filter(|block| block.keyword == "resource")
        .map(|block| {
            let key = (block.resource_type.clone(), block.label.clone());
            (key, (value(&block.text, "name"), value(&block.text, "role")))
        })
        .collect();
    let resource_name = |of: &str, label: &str| {
        names.get(&(of.to_owned(), label.to_owned())).map(|(name, _)| name.clone())
    };
    let arn = |text: &str| match text.strip_prefix("aws_iam_policy.") {
        Some(rest) => {
            let label = rest.trim_end_matches(".arn");
            policy_arn(&resource_name("aws_iam_policy", label).unwrap_or_default())
        }
        None => text.to_owned(),
    };
    let role = |text: &str| match text.strip_prefix("aws_iam_role.") {
        Some(rest) => {
            resource_name("aws_iam_role", rest.trim_end_matches(".name")).unwrap_or_default()
        }
        None => text.to_owned(),
    };
    let said: BTreeMap<(String, String), (String, String)> = found
        .iter()
        .filter(|block| block.keyword == "resource")
        .map(|block| {
            let said = match block.resource_type.as_str() {
                "aws_iam_role_policy" => {
                    (role(&value(&block.text, "role")), value(&block.text, "name"))
                }
                "aws_iam_role_policy_attachment" => {
                    (role(&value(&block.text, "role")), arn(&value(&block.text, "policy_arn")))
                }
                _ => (value(&block.text, "name"), String::new()),
            };
            ((block.resource_type.clone(), block.label.clone()), said)
        })
        .collect();
    for block in &mut found {
        let key = (block.resource_type.clone(), block.label.clone());
        if let Some((entity, part)) = said.get(&key) {
            (block.entity, block.part) = (entity.clone(), part.clone());
        }
    }
    found.retain(|block| block.resource_type.starts_with("aws_iam_"));
    found
}

fn block(path: &str, span: Range<usize>, text: &str) -> Block {
    let words: Vec<&str> = text.split('"').collect();
    let (keyword, resource_type, label) = match text.starts_with("resource") {
        true => ("resource", words[1].to_owned(), words[3].to_owned()),
        false => {
            let to = value(text, "to");
            let (resource_type, label) = to.split_once('.').unwrap_or_default();
            ("import", resource_type.to_owned(), label.to_owned())
        }
    };
    Block {
        path: path.to_owned(),
        span,
        keyword: keyword.to_owned(),
        resource_type,
        label,
        text: text.to_owned(),
        entity: String::new(),
        part: String::new(),
    }
}

/// The value of an argument on one line, without quotes and comments.
fn value(block: &str, name: &str) -> String {
    let line = block.lines().find(|line| {
        line.strip_prefix("  ").is_some_and(|rest| {
            rest.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with("= "))
        })
    });
    let value = line.and_then(|line| line.split_once("= ")).map(|(_, value)| value);
    let value = value.unwrap_or_default();
    value.split(" #").next().unwrap_or_default().trim().trim_matches('"').to_owned()
}
