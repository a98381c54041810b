//! Prints values in the layout of the text that they go into.

use unicode_normalization::is_nfc;

use super::super::format;
use super::super::node::{Content, Node};
use crate::invisible::is_invisible;
use crate::json::Json;

/// How JSON text and expressions are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Hcl,
    Json { is_template: bool },
}

/// The habits of a text.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub syntax: Syntax,
    pub newline: &'static str,
    /// One level of indentation.
    pub unit: String,
    /// Whether a list of several scalars stands on one line, if there is an example of that.
    pub lists_on_one_line: Option<bool>,
    /// What separates key and value in JSON.
    pub colon: String,
}

impl Style {
    /// The habits of the part of a text that the expression is.
    pub fn of(text: &str, node: &Node, syntax: Syntax) -> Style {
        let mut style = Style {
            syntax,
            newline: newline_of(text),
            unit: "  ".to_owned(),
            lists_on_one_line: None,
            colon: ": ".to_owned(),
        };
        let mut found = Found::default();
        found.look(text, node);
        if let Some(unit) = found.unit {
            style.unit = unit;
        }
        style.lists_on_one_line = match (found.lists_on_one_line, found.lists_on_lines) {
            (0, 0) => None,
            (one_line, lines) => Some(one_line >= lines),
        };
        if let Some(colon) = found.colon {
            style.colon = colon;
        }
        style
    }

    /// A value on as many lines as it needs; those after the first start with `indent`.
    pub fn lines(&self, value: &Json, indent: &str) -> String {
        match self.syntax {
            Syntax::Hcl => indented(&format::json(value), indent, &self.unit, self.newline),
            Syntax::Json { .. } => {
                let mut out = String::new();
                self.json(&mut out, value, indent);
                out
            }
        }
    }

    /// A value on one line.
    pub fn line(&self, value: &Json) -> String {
        match value {
            Json::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.line(item)).collect();
                format!("[{}]", items.join(self.comma()))
            }
            Json::Object(members) if members.is_empty() => "{}".to_owned(),
            Json::Object(members) => {
                let member = |(key, value): &(String, Json)| {
                    let separator = match self.syntax {
                        Syntax::Hcl => " = ",
                        Syntax::Json { .. } => &self.colon,
                    };
                    format!("{}{separator}{}", self.key(key), self.line(value))
                };
                let members: Vec<String> = members.iter().map(member).collect();
                let members = members.join(self.comma());
                match self.syntax {
                    Syntax::Hcl => format!("{{ {members} }}"),
                    Syntax::Json { .. } => format!("{{{members}}}"),
                }
            }
            scalar => self.scalar(scalar),
        }
    }

    /// What stands between the items of a list on one line.
    pub fn comma(&self) -> &'static str {
        match self.syntax {
            Syntax::Json { .. } if self.colon == ":" => ",",
            _ => ", ",
        }
    }

    pub fn key(&self, key: &str) -> String {
        match self.syntax {
            Syntax::Hcl => format::key(key),
            Syntax::Json { .. } => self.scalar(&Json::String(key.to_owned())),
        }
    }

    fn scalar(&self, value: &Json) -> String {
        match (value, self.syntax) {
            (Json::String(text), Syntax::Json { is_template }) => json_string(text, is_template),
            (value, Syntax::Json { .. }) => value.to_string(),
            (value, Syntax::Hcl) => format::json(value),
        }
    }

    fn json(&self, out: &mut String, value: &Json, indent: &str) {
        let inner = format!("{indent}{}", self.unit);
        let is_scalar = |value: &Json| !matches!(value, Json::Array(_) | Json::Object(_));
        match value {
            Json::Array(items) if !items.is_empty() => {
                if items.iter().all(is_scalar) && self.lists_on_one_line == Some(true) {
                    out.push_str(&self.line(value));
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "[" } else { "," });
                    out.push_str(self.newline);
                    out.push_str(&inner);
                    self.json(out, item, &inner);
                }
                out.push_str(self.newline);
                out.push_str(indent);
                out.push(']');
            }
            Json::Object(members) if !members.is_empty() => {
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "{" } else { "," });
                    out.push_str(self.newline);
                    out.push_str(&inner);
                    out.push_str(&self.key(key));
                    out.push_str(&self.colon);
                    self.json(out, value, &inner);
                }
                out.push_str(self.newline);
                out.push_str(indent);
                out.push('}');
            }
            small => out.push_str(&self.line(small)),
        }
    }
}

/// A JSON text, in which what is invisible or would be normalized is escaped.
fn json_string(text: &str, is_template: bool) -> String {
    let is_normal = is_nfc(text);
    let mut out = String::new();
    for c in Json::String(text.to_owned()).to_string().chars() {
        if c.is_ascii() && !c.is_ascii_control() || is_normal && !is_invisible(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    if is_template { escaped_markers(&out) } else { out }
}

/// The text with every template marker written so that it is text.
pub(super) fn escaped_markers(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// How the lines of a text end.
pub(super) fn newline_of(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// A canonical text, moved to where it is to stand.
pub(super) fn indented(text: &str, indent: &str, unit: &str, newline: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        let code = line.trim_start_matches(' ');
        if index > 0 {
            out.push_str(newline);
            if !code.is_empty() {
                out.push_str(indent);
                out.push_str(&unit.repeat((line.len() - code.len()) / 2));
            }
        }
        out.push_str(code);
    }
    out
}

/// The white space that the line of a position starts with.
pub(super) fn indent_at(text: &str, at: usize) -> &str {
    let Some(before) = text.get(..at) else { return "" };
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[line_start..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Whether only white space precedes a position on its line.
pub(super) fn starts_line(text: &str, at: usize) -> bool {
    let Some(before) = text.get(..at) else { return false };
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    line_start > 0 && before[line_start..].bytes().all(|byte| matches!(byte, b' ' | b'\t'))
}

#[derive(Default)]
struct Found {
    unit: Option<String>,
    lists_on_one_line: usize,
    lists_on_lines: usize,
    colon: Option<String>,
}

impl Found {
    fn look(&mut self, text: &str, node: &Node) {
        let spelled = text.get(node.span.clone()).unwrap_or_default();
        match &node.content {
            Content::List(items) => {
                let is_scalar =
                    |item: &Node| !matches!(item.content, Content::List(_) | Content::Object(_));
                if items.len() > 1 && items.iter().all(is_scalar) {
                    match spelled.contains('\n') {
                        true => self.lists_on_lines += 1,
                        false => self.lists_on_one_line += 1,
                    }
                }
                for item in items {
                    self.look_at_indent(text, node, item.span.start);
                    self.look(text, item);
                }
            }
            Content::Object(members) => {
                for member in members {
                    if self.colon.is_none() {
                        let between = text.get(member.key_span.end..member.value.span.start);
                        self.colon = between
                            .filter(|between| between.trim_matches(' ') == ":")
                            .map(str::to_owned);
                    }
                    self.look_at_indent(text, node, member.key_span.start);
                    self.look(text, &member.value);
                }
            }
            Content::JsonEncode(inner) => self.look(text, inner),
            _ => {}
        }
    }

    fn look_at_indent(&mut self, text: &str, outer: &Node, inner: usize) {
        if self.unit.is_some() || !starts_line(text, inner) {
            return;
        }
        let (outer, inner) = (indent_at(text, outer.span.start), indent_at(text, inner));
        self.unit = inner.strip_prefix(outer).filter(|unit| !unit.is_empty()).map(str::to_owned);
    }
}
