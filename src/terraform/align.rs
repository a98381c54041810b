//! Sets the blanks that `terraform fmt` sets by looking at several lines at once, and no others.
//!
//! Those before `=` and before the comment at the end of a line put these in one column over
//! consecutive lines ([`align`]); those at the start of a line follow the brackets that are open
//! ([`indent`]). An edit of one line moves them on others. The rules are those of `hclwrite`, whose
//! widths are grapheme clusters counted token by token.

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::edit::{Splice, SpliceError, apply};
use super::scan::{Kind, Token, tokens};
use super::source::BYTE_ORDER_MARK;

/// The text after the splices, with the blanks in place if they were in place before, and no blank
/// line at its end if it had none.
///
/// # Errors
///
/// Splices that overlap or do not fit the text.
pub fn apply_keeping_alignment(old: &str, splices: &[Splice]) -> Result<String, SpliceError> {
    let new = apply(old, splices)?;
    if new == old {
        return Ok(new);
    }
    // `terraform fmt` takes a byte-order mark away; it is no part of the first line.
    let (mark, mut new) = match new.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (true, rest.to_owned()),
        None => (false, new),
    };
    let old = old.strip_prefix(BYTE_ORDER_MARK).unwrap_or(old);
    for set_blanks in [indent, align] {
        if matches!(set_blanks(old), Cow::Borrowed(_))
            && let Cow::Owned(text) = set_blanks(&new)
        {
            new = text;
        }
    }
    if !ends_in_blank_line(old) && ends_in_blank_line(&new) {
        let code = new.trim_end().len();
        let line = new[code..].find('\n').map_or(new.len(), |newline| code + newline + 1);
        new.truncate(line);
    }
    if mark {
        new.insert(0, BYTE_ORDER_MARK);
    }
    Ok(new)
}

fn ends_in_blank_line(text: &str) -> bool {
    text.split_inclusive('\n').next_back().is_some_and(|line| line.trim().is_empty())
}

/// The text with every `=` and every comment at the end of a line where `terraform fmt` has them.
pub fn align(text: &str) -> Cow<'_, str> {
    let mut tokens = tokens(text);
    let lines = lines(text, &tokens);
    for line in &lines {
        let lead = line.lead.clone();
        if let Some(equal) = lead.skip(1).find(|at| tokens[*at].kind == Kind::Equal) {
            set(&mut tokens[equal], 1);
        }
    }
    let assignments = |line: &Line| (!line.assign.is_empty()).then_some(line.assign.start);
    set_column(text, &mut tokens, &lines, assignments);
    set_column(text, &mut tokens, &lines, |line| line.comment);
    respaced(text, &tokens)
}

/// The text with every line indented as `terraform fmt` does.
pub fn indent(text: &str) -> Cow<'_, str> {
    let mut tokens = tokens(text);
    let mut open: Vec<usize> = Vec::new();
    for line in lines(text, &tokens) {
        let first = line.lead.start;
        if line.lead.is_empty() || tokens[first].kind == Kind::Newline {
            continue;
        }
        let change = net_brackets(&tokens[line.lead.start..line.assign.end.max(line.lead.end)]);
        let mut closed = usize::try_from(-change).unwrap_or_default();
        while let Some(last) = open.last_mut()
            && closed > 0
        {
            if closed < *last {
                *last -= closed;
                closed = 0;
            } else {
                closed -= *last;
                open.pop();
            }
        }
        if !tokens[first].is_nested {
            set(&mut tokens[first], 2 * open.len());
        }
        if let Ok(opened @ 1..) = usize::try_from(change) {
            open.push(opened);
        }
    }
    respaced(text, &tokens)
}

/// One line as the formatter sees it, as ranges of tokens. A heredoc is part of the line that it
/// starts on.
#[derive(Debug)]
struct Line {
    lead: Range<usize>,
    /// From `=` on, if the brackets that are opened from there on are closed there too.
    assign: Range<usize>,
    /// What ends the line, if it is a comment and not all of the line.
    comment: Option<usize>,
}

fn lines(text: &str, tokens: &[Token]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < tokens.len() {
        let ends_line = |token: &Token| match token.kind {
            Kind::Newline => true,
            Kind::Comment => text[..token.range.end].ends_with('\n'),
            _ => false,
        };
        let length = tokens[start..].iter().position(ends_line).map(|last| last + 1);
        let end = length.map_or(tokens.len(), |length| start + length);
        let has_comment = end - start > 1 && tokens[end - 1].kind == Kind::Comment;
        let comment = has_comment.then_some(end - 1);
        let code_end = comment.unwrap_or(end);
        let equal = (start + 1..code_end).find(|at| tokens[*at].kind == Kind::Equal);
        let lead_end = equal.filter(|at| net_brackets(&tokens[*at..code_end]) == 0);
        let lead_end = lead_end.unwrap_or(code_end);
        lines.push(Line { lead: start..lead_end, assign: lead_end..code_end, comment });
        start = end;
    }
    lines
}

/// Puts one token of each line in a column over each run of lines that have one.
fn set_column(
    text: &str,
    tokens: &mut [Token],
    lines: &[Line],
    token: impl Fn(&Line) -> Option<usize>,
) {
    let mut rest = lines;
    while !rest.is_empty() {
        let run: Vec<(usize, usize)> = rest
            .iter()
            .map_while(|line| {
                let at = token(line)?;
                Some((at, columns(text, &tokens[line.lead.start..at])))
            })
            .collect();
        let widest = run.iter().map(|(_, width)| *width).max().unwrap_or_default();
        for (at, width) in &run {
            set(&mut tokens[*at], widest - width + 1);
        }
        rest = &rest[run.len().max(1)..];
    }
}

fn set(token: &mut Token, blanks: usize) {
    token.blanks = blanks;
    token.is_set = true;
}

fn columns(text: &str, tokens: &[Token]) -> usize {
    let width = |token: &Token| {
        let text = &text[token.range.clone()];
        token.blanks
            + if text.is_ascii() { ascii_columns(text) } else { text.graphemes(true).count() }
    };
    tokens.iter().map(width).sum()
}

/// A carriage return and a line feed are one grapheme cluster.
fn ascii_columns(text: &str) -> usize {
    text.len() - text.matches("\r\n").count()
}

fn net_brackets(tokens: &[Token]) -> isize {
    let change = |token: &Token| match token.kind {
        Kind::Open => 1,
        Kind::Close => -1,
        _ => 0,
    };
    tokens.iter().map(change).sum()
}

/// The text with as many blanks before each token as the token says.
fn respaced<'a>(text: &'a str, tokens: &[Token]) -> Cow<'a, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut end = 0;
    for token in tokens {
        let between = &text[end..token.range.start];
        let is_there = between.len() == token.blanks && between.bytes().all(|byte| byte == b' ');
        if token.is_set && !is_there {
            out.push_str(&text[copied..end]);
            out.extend(std::iter::repeat_n(' ', token.blanks));
            copied = token.range.start;
        }
        end = token.range.end;
    }
    if copied == 0 && out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}
