//! Prints values in the layout of the text that they go into.

use unicode_normalization::is_nfc;

use super::super::align::align;
use super::super::format;
use super::super::node::{Content, Member, Node};
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
    /// What separates key and value.
    pub separator: String,
    quotes_keys: bool,
    /// Whether members that stand on a line each have commas between them.
    has_member_commas: bool,
    has_trailing_commas: bool,
}

impl Style {
    /// The habits of the part of a text that the expression is.
    pub fn of(text: &str, node: &Node, syntax: Syntax) -> Style {
        let mut found = Found::default();
        found.look(text, node);
        let separator = match syntax {
            Syntax::Hcl => found.separator.filter(|_| found.colons > found.equals),
            Syntax::Json { .. } => found.separator,
        };
        let default = if syntax == Syntax::Hcl { " = " } else { ": " };
        let examples = found.lists_on_one_line + found.lists_on_lines;
        Style {
            syntax,
            newline: newline_of(text),
            unit: found.unit.unwrap_or_else(|| "  ".to_owned()),
            lists_on_one_line: (examples > 0)
                .then_some(found.lists_on_one_line >= found.lists_on_lines),
            separator: separator.unwrap_or_else(|| default.to_owned()),
            quotes_keys: found.quoted_keys > found.bare_keys,
            has_member_commas: found.member_commas > found.member_lines,
            has_trailing_commas: found.trailing_commas >= found.bare_ends,
        }
    }

    /// A value on as many lines as it needs; those after the first start with `indent`.
    pub fn lines(&self, value: &Json, indent: &str) -> String {
        let mut out = String::new();
        self.print(&mut out, value, indent);
        // Elsewhere the columns are those of the text around.
        match self.syntax {
            Syntax::Hcl => align(&out).into_owned(),
            Syntax::Json { .. } => out,
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
                    format!("{}{}{}", self.key(key), self.separator, self.line(value))
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
            Syntax::Json { .. } if self.separator == ":" => ",",
            _ => ", ",
        }
    }

    pub fn key(&self, key: &str) -> String {
        match self.syntax {
            Syntax::Hcl if self.quotes_keys => format::quoted_key(key),
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

    fn print(&self, out: &mut String, value: &Json, indent: &str) {
        let is_hcl = self.syntax == Syntax::Hcl;
        let inner = format!("{indent}{}", self.unit);
        match value {
            Json::Array(list) if !self.is_one_line(list) => {
                let last = if is_hcl && self.has_trailing_commas { "," } else { "" };
                for (index, item) in list.iter().enumerate() {
                    out.push_str(if index == 0 { "[" } else { "," });
                    self.start_line(out, &inner);
                    self.print(out, item, &inner);
                }
                out.push_str(last);
                self.start_line(out, indent);
                out.push(']');
            }
            Json::Object(members) if !members.is_empty() => {
                let between = if is_hcl && !self.has_member_commas { "" } else { "," };
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "{" } else { between });
                    self.start_line(out, &inner);
                    out.push_str(&self.key(key));
                    out.push_str(&self.separator);
                    self.print(out, value, &inner);
                }
                self.start_line(out, indent);
                out.push('}');
            }
            small => out.push_str(&self.line(small)),
        }
    }

    fn start_line(&self, out: &mut String, indent: &str) {
        out.push_str(self.newline);
        out.push_str(indent);
    }

    /// Whether a list stands on one line where there is no need for that.
    fn is_one_line(&self, items: &[Json]) -> bool {
        let is_scalar = |value: &Json| !matches!(value, Json::Array(_) | Json::Object(_));
        match items {
            [] => true,
            [Json::Object(members)] => members.is_empty() && self.syntax == Syntax::Hcl,
            [Json::Array(items)] => self.syntax == Syntax::Hcl && self.is_one_line(items),
            [_] if self.syntax == Syntax::Hcl => true,
            _ => self.lists_on_one_line == Some(true) && items.iter().all(is_scalar),
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

/// Examples of habits.
#[derive(Default)]
struct Found {
    unit: Option<String>,
    separator: Option<String>,
    colons: usize,
    equals: usize,
    lists_on_one_line: usize,
    lists_on_lines: usize,
    quoted_keys: usize,
    bare_keys: usize,
    member_commas: usize,
    member_lines: usize,
    trailing_commas: usize,
    bare_ends: usize,
}

impl Found {
    fn look(&mut self, text: &str, node: &Node) {
        let spelled = text.get(node.span.clone()).unwrap_or_default();
        match &node.content {
            Content::List(items) => {
                let is_container =
                    |item: &Node| matches!(item.content, Content::List(_) | Content::Object(_));
                if items.len() > 1 && !items.iter().any(is_container) {
                    let is_long = spelled.contains('\n');
                    self.lists_on_lines += usize::from(is_long);
                    self.lists_on_one_line += usize::from(!is_long);
                }
                if let Some(last) = items.last()
                    && let Some(rest) = text.get(last.span.end..node.span.end)
                    && rest.contains('\n')
                {
                    let has_comma = rest.trim_start().starts_with(',');
                    self.trailing_commas += usize::from(has_comma);
                    self.bare_ends += usize::from(!has_comma);
                }
                for item in items {
                    self.look_at_indent(text, node, item.span.start);
                    self.look(text, item);
                }
            }
            Content::Object(members) => {
                for (index, member) in members.iter().enumerate() {
                    self.look_at_member(text, member);
                    if let Some(next) = members.get(index + 1)
                        && let Some(gap) = text.get(member.value.span.end..next.key_span.start)
                        && gap.contains('\n')
                    {
                        let has_comma = gap.trim_start().starts_with(',');
                        self.member_commas += usize::from(has_comma);
                        self.member_lines += usize::from(!has_comma);
                    }
                    self.look_at_indent(text, node, member.key_span.start);
                    self.look(text, &member.value);
                }
            }
            Content::JsonEncode(inner) => self.look(text, inner),
            _ => {}
        }
    }

    fn look_at_member(&mut self, text: &str, member: &Member) {
        let between = text.get(member.key_span.end..member.value.span.start).unwrap_or_default();
        match between.trim_matches([' ', '\t']) {
            ":" => {
                self.colons += 1;
                self.separator.get_or_insert_with(|| between.replace('\t', " "));
            }
            "=" => self.equals += 1,
            _ => {}
        }
        let spelled = text.get(member.key_span.clone()).unwrap_or_default();
        if !spelled.starts_with('"') {
            self.bare_keys += 1;
        } else if !format::key(&member.key).starts_with('"') {
            self.quoted_keys += 1;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<u32>().prop_map(|n| Json::Number(n.to_string())),
            "[a-zA-Z:${}%\"\\\\ é\u{301}\n]{0,12}".prop_map(Json::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
                prop::collection::btree_map("[a-c:é東]{1,4}", inner, 0..5)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn without_habits_it_is_what_is_generated(value in any_json()) {
            let empty = Node { span: 0..0, content: Content::Unknown };
            let style = Style::of("", &empty, Syntax::Hcl);
            prop_assert_eq!(style.lines(&value, ""), format::json(&value));
        }

        #[test]
        fn json_text_means_the_value(value in any_json(), is_template: bool) {
            let empty = Node { span: 0..0, content: Content::Unknown };
            let style = Style::of("", &empty, Syntax::Json { is_template });
            for printed in [style.lines(&value, "  "), style.line(&value)] {
                let text = match is_template {
                    true => printed.replace("$${", "${").replace("%%{", "%{"),
                    false => printed,
                };
                prop_assert_eq!(Json::parse(&text), Ok(value.clone()));
            }
        }
    }
}
