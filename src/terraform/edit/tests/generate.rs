//! Hand-written files, in every style that people write them in, and documents edited at random.

use std::collections::HashMap;
use std::fmt::Write;

use crate::json::Json;
use crate::policy_document::Dialect;
use crate::terraform::format;

/// A source of choices that a seed decides.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const VALUES: [&str; 16] = [
    "s3:GetObject",
    "s3:PutObject",
    "iam:PassRole",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b",
    "*",
    "arn:aws:s3:::home/${aws:username}/*",
    "%{if} $${x} ${",
    "arn:aws:iam::111122223333:root",
    "444455556666",
    "ec2.amazonaws.com",
    "a \"quoted\" \\ text\n",
    "# no comment // nor this /* */",
    "é 東京 👩‍👩‍👧 e\u{200b}",
    "[{(",
    "<<EOT",
];

fn text(dice: &mut Dice) -> Json {
    Json::String((*dice.pick(&VALUES)).to_owned())
}

fn texts(dice: &mut Dice, dialect: Dialect) -> Json {
    let mut items: Vec<Json> = Vec::new();
    for _ in 0..dice.below(5) {
        let item = text(dice);
        if dialect == Dialect::Organizations || !items.contains(&item) {
            items.push(item);
        }
    }
    if items.len() == 1 && dice.one_in(2) { items.remove(0) } else { Json::Array(items) }
}

fn object(members: Vec<(&str, Json)>) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn string(text: &str) -> Json {
    Json::String(text.to_owned())
}

fn condition(dice: &mut Dice, dialect: Dialect) -> Json {
    let mut operators = Vec::new();
    for operator in ["StringEquals", "Bool", "NumericLessThan"] {
        if dice.one_in(2) {
            let mut keys = Vec::new();
            for key in ["aws:SourceAccount", "iam:PassedToService", "é${x}"] {
                if dice.one_in(2) {
                    keys.push((key, texts(dice, dialect)));
                }
            }
            if dice.one_in(3) {
                keys.push(("aws:MultiFactorAuthAge", Json::Number("3600".to_owned())));
            }
            if dice.one_in(3) {
                keys.push(("aws:SecureTransport", Json::Bool(dice.one_in(2))));
            }
            operators.push((operator, object(keys)));
        }
    }
    object(operators)
}

fn statement(dice: &mut Dice, dialect: Dialect) -> Json {
    let mut members = Vec::new();
    if dice.one_in(2) {
        members.push(("Sid", Json::String(format!("Sid{}", dice.below(6)))));
    }
    members.push(("Effect", string(if dice.one_in(3) { "Deny" } else { "Allow" })));
    members.push((if dice.one_in(4) { "NotAction" } else { "Action" }, texts(dice, dialect)));
    if dice.one_in(2) {
        members.push(("Resource", texts(dice, dialect)));
    }
    if dice.one_in(3) {
        members.push((
            "Principal",
            match dice.below(3) {
                0 => string("*"),
                1 => object(vec![("AWS", texts(dice, dialect))]),
                _ => object(vec![("Service", texts(dice, dialect)), ("AWS", texts(dice, dialect))]),
            },
        ));
    }
    if dice.one_in(3) {
        members.push(("Condition", condition(dice, dialect)));
    }
    object(members)
}

pub fn document(dice: &mut Dice, dialect: Dialect) -> Json {
    let mut members = vec![("Version", string("2012-10-17"))];
    if dice.one_in(4) {
        members.push(("Id", text(dice)));
    }
    let count = 1 + dice.below(4);
    let statements: Vec<Json> = (0..count).map(|_| statement(dice, dialect)).collect();
    let is_single = statements.len() == 1 && dice.one_in(2);
    let statements = if is_single { statements[0].clone() } else { Json::Array(statements) };
    members.push(("Statement", statements));
    object(members)
}

/// The document after a few changes, somewhere in it.
pub fn changed(dice: &mut Dice, document: &Json, dialect: Dialect) -> Json {
    let mut changed = document.clone();
    for _ in 0..1 + dice.below(3) {
        change(dice, &mut changed, dialect, 0);
    }
    changed
}

fn change(dice: &mut Dice, json: &mut Json, dialect: Dialect, depth: usize) {
    match json {
        Json::Object(members) => {
            if depth > 0 && dice.one_in(8) && !members.is_empty() {
                members.remove(dice.below(members.len()));
            } else if dice.one_in(10) {
                let (key, value) = match depth {
                    0 => ("Id", text(dice)),
                    1 | 2 => match dice.below(3) {
                        0 => ("Condition", condition(dice, dialect)),
                        1 => ("Resource", texts(dice, dialect)),
                        _ => ("Sid", Json::String(format!("New{}", dice.below(100)))),
                    },
                    _ => ("aws:New", texts(dice, dialect)),
                };
                if !members.iter().any(|(other, _)| other == key) {
                    let at = dice.below(members.len() + 1);
                    members.insert(at, (key.to_owned(), value));
                }
            } else if !members.is_empty() {
                // The statements are most of a document.
                let last = members.len() - 1;
                let at = if depth == 0 && !dice.one_in(6) { last } else { dice.below(last + 1) };
                change(dice, &mut members[at].1, dialect, depth + 1);
            }
        }
        Json::Array(items) => {
            let is_statements = matches!(items.first(), Some(Json::Object(_)));
            match dice.below(if items.is_empty() { 1 } else { 5 }) {
                0 => {
                    let new = if is_statements { statement(dice, dialect) } else { text(dice) };
                    let at = dice.below(items.len() + 1);
                    if dialect == Dialect::Organizations || !items.contains(&new) {
                        items.insert(at, new);
                    }
                }
                1 => {
                    items.remove(dice.below(items.len()));
                }
                2 => {
                    let at = dice.below(items.len());
                    items[..].rotate_left(at);
                }
                _ => {
                    let at = dice.below(items.len());
                    change(dice, &mut items[at], dialect, depth + 1);
                }
            }
        }
        Json::String(text) if text == "Allow" || text == "Deny" => {
            *json = string(if text == "Allow" { "Deny" } else { "Allow" });
        }
        scalar => {
            *scalar = match dice.below(3) {
                0 if depth > 2 => Json::Array(vec![scalar.clone(), string("another")]),
                _ => text(dice),
            }
        }
    }
}

/// The same document in other words.
pub fn reworded(dice: &mut Dice, json: &Json, dialect: Dialect) -> Json {
    match json {
        Json::Object(members) => {
            let member =
                |(key, value): &(String, Json)| (key.clone(), reworded(dice, value, dialect));
            let mut members: Vec<_> = members.iter().map(member).collect();
            let at = dice.below(members.len().max(1));
            members.rotate_left(at);
            Json::Object(members)
        }
        Json::Array(items) => {
            let mut items: Vec<_> =
                items.iter().map(|item| reworded(dice, item, dialect)).collect();
            if dialect == Dialect::Iam {
                let at = dice.below(items.len().max(1));
                items.rotate_left(at);
            }
            Json::Array(items)
        }
        scalar => scalar.clone(),
    }
}

/// A file, what its expressions mean that only Terraform knows, and the documents in it.
pub struct Written {
    pub text: String,
    pub unknown: HashMap<String, Json>,
}

/// The habits of one author.
pub struct Author {
    dice: Dice,
    unit: &'static str,
    has_colons: bool,
    quotes_keys: bool,
    /// One in so many places has a comment.
    comments: usize,
    is_odd: bool,
    has_trailing_commas: bool,
    has_member_commas: bool,
    one_line: usize,
    is_tight: bool,
    hugs_brackets: bool,
    /// One in so many texts is a reference.
    references: usize,
    next: usize,
    unknown: HashMap<String, Json>,
}

impl Author {
    pub fn new(seed: u64) -> Author {
        let mut dice = Dice::new(seed);
        Author {
            unit: ["  ", "  ", "  ", "\t", "    "][dice.below(5)],
            has_colons: dice.one_in(6),
            quotes_keys: dice.one_in(4),
            comments: *dice.pick(&[3, 8, 1000]),
            is_odd: dice.one_in(3),
            has_trailing_commas: dice.one_in(2),
            has_member_commas: dice.one_in(4),
            one_line: *dice.pick(&[1, 2, 1000]),
            is_tight: dice.one_in(3),
            hugs_brackets: dice.one_in(4),
            references: *dice.pick(&[6, 1000, 1000]),
            next: 0,
            unknown: HashMap::new(),
            dice,
        }
    }

    /// A file with the document as argument `x`, written in one of the ways there are.
    pub fn file(self, document: &Json) -> Written {
        self.write(document, true)
    }

    /// A file with the value as argument `x`.
    pub fn file_with(self, value: &Json) -> Written {
        self.write(value, false)
    }

    fn write(mut self, document: &Json, is_document: bool) -> Written {
        let mut out = String::new();
        self.comment_line(&mut out, "");
        let _ = writeln!(out, "import {{\n  to = aws_iam_role.r\n  id = \"r\"\n}}\n");
        self.comment_line(&mut out, "");
        out.push_str("resource \"aws_iam_role\" \"r\" {\n");
        let unit = self.unit;
        let pad = if self.is_odd { "   " } else { " " };
        let _ = write!(out, "{unit}name{pad}= \"r\"");
        self.line_end(&mut out);
        let _ = write!(out, "{unit}description = \"é\"");
        self.line_end(&mut out);
        if self.dice.one_in(2) {
            out.push('\n');
        }
        self.comment_line(&mut out, unit);
        let _ = write!(out, "{unit}x{pad}= ");
        match self.dice.below(4) {
            _ if !is_document => self.value(&mut out, document, unit, false),
            0 => self.heredoc(&mut out, document),
            _ => {
                out.push_str("jsonencode(");
                self.value(&mut out, document, unit, false);
                out.push(')');
            }
        }
        let _ = write!(out, "\n{unit}path = \"/\"");
        self.line_end(&mut out);
        let _ = write!(out, "\n{unit}tags = {{ A = \"b\", c = \"d\" }}");
        self.line_end(&mut out);
        self.comment_line(&mut out, unit);
        let _ = write!(out, "\n{unit}lifecycle {{\n{unit}{unit}prevent_destroy = true");
        self.line_end(&mut out);
        let _ = writeln!(out, "{unit}}}\n}}");
        self.comment_line(&mut out, "");
        if self.dice.one_in(6) {
            out = out.replace('\n', "\r\n");
        }
        Written { text: out, unknown: self.unknown }
    }

    fn comment(&mut self) -> String {
        self.next += 1;
        let words = *self.dice.pick(&["why", "[ { (", "é = \"x\"", "a, b,", "}"]);
        format!("{} c{:03} {words}", self.dice.pick(&["#", "#", "//"]), self.next)
    }

    fn comment_line(&mut self, out: &mut String, indent: &str) {
        if self.dice.one_in(self.comments) {
            let _ = writeln!(out, "{indent}{}", self.comment());
        }
    }

    fn line_end(&mut self, out: &mut String) {
        if self.dice.one_in(self.comments) {
            let blanks = if self.is_odd { "   " } else { " " };
            let _ = write!(out, "{blanks}{}", self.comment());
        }
        out.push('\n');
    }

    fn blank_line(&mut self, out: &mut String) {
        if self.dice.one_in(10) {
            out.push('\n');
        }
    }

    fn value(&mut self, out: &mut String, json: &Json, indent: &str, is_inline: bool) {
        match json {
            Json::String(text) if self.dice.one_in(self.references) => {
                let reference = match self.dice.below(2) {
                    0 => format!("aws_s3_bucket.b{}.arn", self.unknown.len()),
                    _ => format!("\"${{var.v{}}}/*\"", self.unknown.len()),
                };
                out.push_str(&reference);
                self.unknown.insert(reference, Json::String(text.clone()));
            }
            Json::Array(items) => self.list(out, items, indent, is_inline),
            Json::Object(members) => self.object(out, members, indent, is_inline),
            scalar => out.push_str(&format::json(scalar)),
        }
    }

    fn list(&mut self, out: &mut String, items: &[Json], indent: &str, is_inline: bool) {
        let inner = format!("{indent}{}", self.unit);
        let has_objects = items.iter().any(|item| matches!(item, Json::Object(_)));
        if items.is_empty() {
            out.push_str("[]");
        } else if is_inline || !has_objects && self.dice.one_in(self.one_line) {
            let pad = if self.is_odd { " " } else { "" };
            let comma = if self.is_tight && self.is_odd { "," } else { ", " };
            out.push('[');
            out.push_str(pad);
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(comma);
                }
                self.value(out, item, indent, true);
            }
            out.push_str(pad);
            out.push(']');
        } else if has_objects && self.hugs_brackets {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                self.value(out, item, indent, false);
            }
            out.push(']');
        } else {
            out.push('[');
            self.line_end(out);
            for (index, item) in items.iter().enumerate() {
                self.blank_line(out);
                self.comment_line(out, &inner);
                out.push_str(&inner);
                self.value(out, item, &inner, false);
                if index + 1 < items.len() || self.has_trailing_commas {
                    out.push(',');
                }
                self.line_end(out);
            }
            out.push_str(indent);
            out.push(']');
        }
    }

    fn object(
        &mut self,
        out: &mut String,
        members: &[(String, Json)],
        indent: &str,
        is_inline: bool,
    ) {
        let inner = format!("{indent}{}", self.unit);
        let is_small =
            members.len() < 3 && !members.iter().any(|(_, value)| matches!(value, Json::Object(_)));
        let is_inline = is_inline || is_small && self.dice.one_in(self.one_line + 1);
        if members.is_empty() {
            out.push_str("{}");
            return;
        }
        let separator = match (self.has_colons, self.is_odd) {
            (true, _) => ": ",
            (false, true) if self.is_tight => "=",
            (false, true) => "  = ",
            (false, false) => " = ",
        };
        if is_inline {
            out.push_str("{ ");
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                let _ = write!(out, "{}{separator}", self.key(key));
                self.value(out, value, indent, true);
            }
            out.push_str(" }");
            return;
        }
        out.push('{');
        self.line_end(out);
        for (index, (key, value)) in members.iter().enumerate() {
            self.blank_line(out);
            self.comment_line(out, &inner);
            let _ = write!(out, "{inner}{}{separator}", self.key(key));
            self.value(out, value, &inner, false);
            if self.has_member_commas && (index + 1 < members.len() || self.has_trailing_commas) {
                out.push(',');
            }
            self.line_end(out);
        }
        out.push_str(indent);
        out.push('}');
    }

    fn key(&mut self, key: &str) -> String {
        if self.quotes_keys { format::quoted_key(key) } else { format::key(key) }
    }

    fn heredoc(&mut self, out: &mut String, document: &Json) {
        let text = match self.dice.below(3) {
            0 => document.to_string(),
            _ => serde_json::to_string_pretty(document).unwrap(),
        };
        let text = text.replace('\u{200b}', "\\u200b");
        let text = text.replace("${", "$${").replace("%{", "%%{");
        match self.dice.one_in(2) {
            true => {
                let indent = self.unit.repeat(2).replace('\t', "  ");
                out.push_str("<<-EOT\n");
                for line in text.lines() {
                    let _ = writeln!(out, "{indent}{line}");
                }
                let _ = write!(out, "{}EOT", self.unit);
            }
            false => {
                let _ = write!(out, "<<POLICY\n{text}\nPOLICY");
            }
        }
    }
}
