//! Puts arguments and blocks into a file, and takes them out.

use std::ops::Range;

use super::super::scan::{comment_end, line_end_length};
use super::super::{Expression, format};
use super::Splice;
use super::print::{indent_at, indented, newline_of, starts_line};

/// Adds an argument to a block, after the one nearest before it in the preferred order.
///
/// `body` is what stands between the block's braces, `attributes` are the arguments in it, each
/// from its name to the end of its value.
pub fn insert_attribute(
    text: &str,
    body: Range<usize>,
    attributes: &[(&str, Range<usize>)],
    name: &str,
    value: &Expression,
    preferred_order: &[&str],
) -> Splice {
    let body = within(text, body);
    let newline = newline_of(text);
    let outer = indent_at(text, body.start);
    let inner = attributes
        .iter()
        .find(|(_, span)| starts_line(text, span.start))
        .map(|(_, span)| indent_at(text, span.start).to_owned())
        .unwrap_or_else(|| format!("{outer}{}", if outer.contains('\t') { "\t" } else { "  " }));
    let unit = inner.strip_prefix(outer).filter(|unit| !unit.is_empty()).unwrap_or("  ");
    let value = indented(&format::expression(value), &inner, unit, newline);
    let line = format!("{inner}{name} = {value}{newline}");

    let rank = |name: &str| preferred_order.iter().position(|other| *other == name);
    let anchor = match rank(name) {
        Some(own) => attributes
            .iter()
            .filter_map(|(name, span)| Some((rank(name).filter(|rank| *rank < own)?, span)))
            .max_by_key(|(rank, span)| (*rank, span.end)),
        None => attributes.iter().map(|(_, span)| (0, span)).max_by_key(|(_, span)| span.end),
    };
    let inside = text.get(body.clone()).unwrap_or_default();
    if !inside.contains('\n') {
        let there = inside.trim();
        let there = match there {
            "" => String::new(),
            there => format!("{inner}{there}{newline}"),
        };
        let lines = if anchor.is_some() { there + &line } else { line + &there };
        return splice(body, format!("{newline}{lines}{outer}"));
    }
    if let Some((_, span)) = anchor {
        return match next_line(text, span.end) {
            Some(at) => splice(at..at, line),
            None => splice(span.end..span.end, format!("{newline}{line}{outer}")),
        };
    }
    let Some(at) = next_line(text, body.start) else {
        return splice(body.start..body.start, format!("{newline}{line}"));
    };
    let next = text[at..].lines().next().unwrap_or_default().trim();
    let first = first_code(text, at);
    let precedes_block = !attributes.iter().any(|(_, span)| span.start == first)
        && !next.is_empty()
        && first < body.end;
    splice(at..at, if precedes_block { line + newline } else { line })
}

/// Takes an argument out, with the comment on its line.
pub fn remove_attribute(text: &str, span: Range<usize>) -> Splice {
    let span = within(text, span);
    if !starts_line(text, span.start) {
        let before = text.get(..span.start).unwrap_or_default().trim_end_matches([' ', '\t']);
        let rest = text.get(span.end..).unwrap_or_default();
        let after = rest.trim_start_matches([' ', '\t']);
        if before.ends_with('{') && after.starts_with('}') {
            return splice(before.len()..text.len() - after.len(), String::new());
        }
        return splice(span, String::new());
    }
    let start = line_start(text, span.start);
    let end = next_line(text, span.end).unwrap_or(text.len());
    splice(without_doubled_blank(text, start..end), String::new())
}

/// Takes a block out, with the comment right above it and one of the blank lines around.
pub fn remove_block(text: &str, span: Range<usize>) -> Splice {
    let span = within(text, span);
    let start = with_comment_above(text, line_start(text, span.start));
    let end = next_line(text, span.end).unwrap_or(text.len());
    splice(without_doubled_blank(text, start..end), String::new())
}

/// Adds blocks after another one.
pub fn insert_blocks_after(text: &str, span: Range<usize>, blocks: &str) -> Splice {
    let newline = newline_of(text);
    let blocks = with_line_ends(blocks, newline);
    match next_line(text, span.end) {
        None => splice(text.len()..text.len(), format!("{newline}{newline}{blocks}")),
        Some(at) => {
            let next = text[at..].lines().next();
            let gap = if next.is_some_and(|line| !line.trim().is_empty()) { newline } else { "" };
            splice(at..at, format!("{newline}{blocks}{gap}"))
        }
    }
}

/// Adds blocks at the end of a file.
pub fn append_blocks(text: &str, blocks: &str) -> Splice {
    let newline = newline_of(text);
    let blocks = with_line_ends(blocks, newline);
    let is_blank = |line: &str| line.trim_start_matches('\u{feff}').trim().is_empty();
    let last = text.split_inclusive('\n').next_back().unwrap_or_default();
    let gap = if is_blank(text) || text.ends_with('\n') && is_blank(last) {
        String::new()
    } else if text.ends_with('\n') {
        newline.to_owned()
    } else {
        format!("{newline}{newline}")
    };
    splice(text.len()..text.len(), gap + &blocks)
}

/// The span, or the nearest that is a part of the text.
fn within(text: &str, span: Range<usize>) -> Range<usize> {
    let end = text.floor_char_boundary(span.end);
    text.floor_char_boundary(span.start).min(end)..end
}

fn splice(span: Range<usize>, text: String) -> Splice {
    Splice { file: None, span, text }
}

fn with_line_ends(blocks: &str, newline: &str) -> String {
    let mut out = String::with_capacity(blocks.len() + 2);
    for line in blocks.trim_end_matches(['\r', '\n']).lines() {
        out.push_str(line);
        out.push_str(newline);
    }
    out
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// Where the line after the one that `at` is on starts; a comment may come before that.
fn next_line(text: &str, at: usize) -> Option<usize> {
    let mut at = text.floor_char_boundary(at);
    while at < text.len() {
        if let Some(end) = comment_end(text, at) {
            at = end;
            continue;
        }
        match line_end_length(&text[at..]) {
            0 => at += text[at..].chars().next().map_or(1, char::len_utf8),
            length => return Some(at + length),
        }
    }
    None
}

/// Where the next thing stands that is neither blank nor a comment.
fn first_code(text: &str, at: usize) -> usize {
    let mut at = at;
    while let Some(next) = text[at..].chars().next() {
        if let Some(end) = comment_end(text, at) {
            at = end;
        } else if next.is_whitespace() {
            at += next.len_utf8();
        } else {
            break;
        }
    }
    at
}

/// The start of the comment right above a line, or of the line if there is none.
fn with_comment_above(text: &str, start: usize) -> usize {
    let mut start = start;
    loop {
        let before = &text[..start];
        let Some(line) = before.split_inclusive('\n').next_back() else { return start };
        let code = line.trim();
        if code.starts_with('#') || code.starts_with("//") {
            start -= line.len();
        } else if code.ends_with("*/")
            && let Some(open) = before.rfind("/*")
            && before[line_start(text, open)..open].trim().is_empty()
        {
            start = line_start(text, open);
        } else {
            return start;
        }
    }
}

/// Lines to be removed, with a blank line if two would meet, or one would be first or last in its
/// block or file.
fn without_doubled_blank(text: &str, lines: Range<usize>) -> Range<usize> {
    let is_blank = |line: &str| line.trim().is_empty();
    let before = text[..lines.start].split_inclusive('\n').next_back();
    let after = text[lines.end..].split_inclusive('\n').next();
    let is_first = before.is_none_or(|line| line.trim_end().ends_with('{'));
    let is_last = after.is_none_or(|line| line.trim_start().starts_with('}'));
    match (before, after) {
        (before, Some(after)) if is_blank(after) && (is_first || before.is_some_and(is_blank)) => {
            lines.start..lines.end + after.len()
        }
        (Some(before), _) if is_last && is_blank(before) => lines.start - before.len()..lines.end,
        _ => lines,
    }
}
