//! Prints blocks exactly as `terraform fmt` would, so that formatting never shows in a diff.
//!
//! Layout: two spaces a level; `=` aligned over runs of single-line items, a multi-line item ends
//! the run; objects always on several lines, lists of more than one item too; widths in grapheme
//! clusters (`hclwrite` counts columns that way).
//!
//! Strings: whatever AWS holds becomes one quoted template without interpolation. Every `${` and
//! `%{` is doubled, control and invisible characters are escaped, so that what a reviewer sees is
//! what is there. Terraform splits a string at each `$` and `%`, and puts it together again in a time
//! that grows with the square of their number: where there are very many, they are escaped, too.

use std::fmt::Write;

use unicode_normalization::char::canonical_combining_class;
use unicode_segmentation::UnicodeSegmentation;

use super::{Block, Body, Expression};
use crate::invisible::is_invisible;
use crate::json::Json;

/// How many `$` and `%` in one string Terraform reads in less than half a second.
const MANY_MARKERS: usize = 2000;

/// The text of a file.
pub fn file(body: &Body) -> String {
    let mut out = String::with_capacity(1024);
    for (index, block) in body.blocks.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        print_block(&mut out, block, 0);
    }
    out
}

/// The text of one expression that stands at the left margin, such as `jsonencode({…})`.
pub fn expression(expression: &Expression) -> String {
    let mut out = String::new();
    print_expression(&mut out, expression, 0);
    out
}

/// The text of a value that stands at the left margin.
pub(super) fn json(json: &Json) -> String {
    let mut out = String::new();
    print_json(&mut out, json, 0);
    out
}

/// A quoted text.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    print_quoted(&mut out, text);
    out
}

/// An object key, in quotes only where it needs them.
pub(super) fn key(key: &str) -> String {
    let mut out = String::new();
    print_key(&mut out, key);
    out
}

/// An object key in quotes.
pub(super) fn quoted_key(key: &str) -> String {
    let mut out = String::new();
    print_quoted_key(&mut out, key);
    out
}

/// The text of one expression that stands at a depth of nesting; its first line is not indented.
pub fn expression_at(expression: &Expression, depth: usize) -> String {
    let mut out = String::new();
    print_expression(&mut out, expression, depth);
    out
}

/// The text of a block within another; its first line is not indented, its last has no line break.
pub fn block_at(block: &Block, depth: usize) -> String {
    let mut out = String::new();
    print_block(&mut out, block, depth);
    out.trim().to_owned()
}

fn print_block(out: &mut String, block: &Block, depth: usize) {
    indent(out, depth);
    out.push_str(block.keyword);
    for label in &block.labels {
        out.push(' ');
        print_quoted(out, label);
    }
    if block.attributes.is_empty() && block.blocks.is_empty() {
        out.push_str(" {}\n");
        return;
    }
    out.push_str(" {\n");
    print_items(
        out,
        &block.attributes,
        depth + 1,
        is_single_line,
        |out, name| out.push_str(name),
        print_expression,
    );
    for (index, nested) in block.blocks.iter().enumerate() {
        if index > 0 || !block.attributes.is_empty() {
            out.push('\n');
        }
        print_block(out, nested, depth + 1);
    }
    indent(out, depth);
    out.push_str("}\n");
}

fn print_expression(out: &mut String, expression: &Expression, depth: usize) {
    match expression {
        Expression::String(text) => print_quoted(out, text),
        Expression::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Expression::Bool(value) => {
            let _ = write!(out, "{value}");
        }
        Expression::Reference(reference) => out.push_str(reference),
        Expression::List(items) => {
            print_list(out, items, depth, is_single_line, print_expression);
        }
        Expression::Map(entries) => {
            print_object(out, entries, depth, is_single_line, print_expression);
        }
        Expression::JsonEncode(json) => {
            out.push_str("jsonencode(");
            print_json(out, json, depth);
            out.push(')');
        }
    }
}

fn print_json(out: &mut String, json: &Json, depth: usize) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(text) => out.push_str(text),
        Json::String(text) => print_quoted(out, text),
        Json::Array(items) => print_list(out, items, depth, is_single_line_json, print_json),
        Json::Object(members) => {
            print_object(out, members, depth, is_single_line_json, print_json);
        }
    }
}

fn is_single_line(expression: &Expression) -> bool {
    match expression {
        Expression::List(items) => items.len() < 2 && items.iter().all(is_single_line),
        Expression::Map(entries) => entries.is_empty(),
        Expression::JsonEncode(json) => is_single_line_json(json),
        _ => true,
    }
}

fn is_single_line_json(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.len() < 2 && items.iter().all(is_single_line_json),
        Json::Object(members) => members.is_empty(),
        _ => true,
    }
}

fn print_list<T>(
    out: &mut String,
    items: &[T],
    depth: usize,
    is_single_line: fn(&T) -> bool,
    print: fn(&mut String, &T, usize),
) {
    match items {
        [] => out.push_str("[]"),
        [item] if is_single_line(item) => {
            out.push('[');
            print(out, item, depth);
            out.push(']');
        }
        _ => {
            out.push_str("[\n");
            for item in items {
                indent(out, depth + 1);
                print(out, item, depth + 1);
                out.push_str(",\n");
            }
            indent(out, depth);
            out.push(']');
        }
    }
}

fn print_object<K: AsRef<str>, V>(
    out: &mut String,
    entries: &[(K, V)],
    depth: usize,
    is_single_line: fn(&V) -> bool,
    print: fn(&mut String, &V, usize),
) {
    if entries.is_empty() {
        out.push_str("{}");
        return;
    }
    out.push_str("{\n");
    print_items(
        out,
        entries,
        depth + 1,
        is_single_line,
        |out, key| print_key(out, key.as_ref()),
        print,
    );
    indent(out, depth);
    out.push('}');
}

/// Prints `name = value` lines with `=` aligned over each run of single-line values.
fn print_items<K, V>(
    out: &mut String,
    items: &[(K, V)],
    depth: usize,
    is_single_line: fn(&V) -> bool,
    print_name: impl Fn(&mut String, &K),
    print_value: fn(&mut String, &V, usize),
) {
    let mut run_end = 0;
    let mut run_width = 0;
    for (index, (name, value)) in items.iter().enumerate() {
        let single = is_single_line(value);
        if single && index >= run_end {
            let run = items[index..].iter().take_while(|(_, value)| is_single_line(value));
            run_width = 0;
            run_end = index;
            let mut printed = String::new();
            for (name, _) in run {
                printed.clear();
                print_name(&mut printed, name);
                run_width = run_width.max(columns(&printed));
                run_end += 1;
            }
        }
        indent(out, depth);
        let start = out.len();
        print_name(out, name);
        let padding = if single { run_width - columns(&out[start..]) } else { 0 };
        out.extend(std::iter::repeat_n(' ', padding));
        out.push_str(" = ");
        print_value(out, value, depth);
        out.push('\n');
    }
}

/// The columns of a printed name. `hclwrite` counts token by token, so a combining character never
/// joins the quote before it.
fn columns(printed: &str) -> usize {
    if printed.is_ascii() {
        return printed.len();
    }
    let inner = printed.trim_matches('"');
    printed.len() - inner.len() + inner.graphemes(true).count()
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// An object key: bare when it is an ASCII identifier that HCL gives no other meaning.
fn print_key(out: &mut String, key: &str) {
    let is_word = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let is_keyword = matches!(key, "true" | "false" | "null" | "for" | "if" | "in");
    if is_word && !is_keyword {
        out.push_str(key);
    } else {
        print_quoted_key(out, key);
    }
}

fn print_quoted_key(out: &mut String, key: &str) {
    print_escaped(out, key, |c| is_invisible(c) || is_virama(c));
}

/// Whether versions of Unicode differ on the width of what the character joins (rule GB9c, new in
/// 15.1): Terraforms would align such a key differently, unless it is escaped.
fn is_virama(c: char) -> bool {
    canonical_combining_class(c) == 9
}

/// A quoted template that evaluates to exactly `text` (Unicode normalization apart).
fn print_quoted(out: &mut String, text: &str) {
    print_escaped(out, text, is_invisible);
}

fn print_escaped(out: &mut String, text: &str, is_escaped: fn(char) -> bool) {
    out.push('"');
    let are_many = text.bytes().filter(|byte| b"$%".contains(byte)).count() > MANY_MARKERS;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '$' if are_many => out.push_str("\\u0024"),
            '%' if are_many => out.push_str("\\u0025"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' => {
                out.push(c);
                if rest.peek() == Some(&'{') {
                    out.push(c);
                }
            }
            _ if is_escaped(c) => {
                let code = u32::from(c);
                let _ = if code > 0xffff {
                    write!(out, "\\U{code:08x}")
                } else {
                    write!(out, "\\u{code:04x}")
                };
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::Address;

    fn quoted(text: &str) -> String {
        expression(&Expression::from(text))
    }

    #[test]
    fn every_template_marker_is_doubled() {
        assert_eq!(quoted("${%${abspath(path.module)}"), r#""$${%$${abspath(path.module)}""#);
        assert_eq!(quoted("${a} $${b} %{if}"), r#""$${a} $$${b} %%{if}""#);
        assert_eq!(quoted("$ % $$ 100% {"), r#""$ % $$ 100% {""#);
    }

    #[test]
    fn very_many_markers_are_escaped() {
        let text = |times: usize| "%${a}".repeat(times);
        let (few, many) = (quoted(&text(1000)), quoted(&text(1001)));
        assert!(few.contains("%$${a}") && !few.contains('\\'));
        assert_eq!(many.matches(r"\u0025\u0024{a}").count(), 1001);
        assert_eq!(super::super::literal::quoted(&many), Some(text(1001)));
    }

    #[test]
    fn control_and_invisible_characters_are_escaped() {
        assert_eq!(quoted("\"\\\n\r\t\0\u{1b}"), r#""\"\\\n\r\t\u0000\u001b""#);
        assert_eq!(quoted("a\u{202e}b\u{200d}\u{e0001}é東"), r#""a\u202eb\u200d\U000e0001é東""#);
    }

    #[test]
    fn layout_is_that_of_terraform_fmt() {
        let json = Json::parse(
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Action":["x","y"],"Resource":"*",
                "Condition":{"Bool":{"aws:Secure":false}},"for":{},"É":[]}]}"#,
        )
        .unwrap();
        let address = Address::new("aws_iam_role", "r".to_owned());
        let mut body = Body::default();
        let block = super::super::resource(&address)
            .attribute("name", "r")
            .attribute("assume_role_policy", Expression::JsonEncode(&json))
            .attribute("max_session_duration", Expression::Number(7200))
            .optional("path", Some("/x/"))
            .ignore_changes(&["tags"]);
        body.import(&address, "r".to_owned(), block);
        assert_eq!(
            file(&body),
            r#"import {
  to = aws_iam_role.r
  id = "r"
}

resource "aws_iam_role" "r" {
  name = "r"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid = "a"
        Action = [
          "x",
          "y",
        ]
        Resource = "*"
        Condition = {
          Bool = {
            "aws:Secure" = false
          }
        }
        "for" = {}
        "É"   = []
      },
    ]
  })
  max_session_duration = 7200
  path                 = "/x/"

  lifecycle {
    ignore_changes = [tags]
  }
}
"#
        );
    }
}
