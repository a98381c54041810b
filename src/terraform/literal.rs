//! Texts and numbers as Terraform reads them, from the bytes of the file.
//!
//! The parser's own strings are not used: it loses a `$` where two template markers stand close to
//! each other, and has no Unicode normalization.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_segmentation::UnicodeSegmentation;

use crate::json::Json;

/// How far from its digits the point of a number may stand.
const MAX_EXPONENT: i64 = 400;
/// Terraform's numbers have 512 bits, so that longer ones are rounded.
const MAX_DIGITS: usize = 150;

/// The text of a string with its quotes; `None` if it is a template or no string.
pub(super) fn quoted(raw: &str) -> Option<String> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    Some(normalized(decoded(inner, true)?.into_owned()))
}

/// The text between two interpolations, or between the quotes or the markers around it all.
///
/// `None`: the text holds an interpolation, an escape that Terraform does not know, or, between
/// quotes, a line break.
pub(super) fn decoded(raw: &str, is_quoted: bool) -> Option<Cow<'_, str>> {
    let is_special = |byte: u8| match byte {
        b'$' | b'%' => true,
        b'\\' | b'"' | b'\n' | b'\r' => is_quoted,
        _ => false,
    };
    let Some(first) = raw.bytes().position(is_special) else { return Some(Cow::Borrowed(raw)) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(c) = rest.chars().next() {
        let marked = |marker| rest.strip_prefix(marker);
        if let Some(after) = marked("$${").or_else(|| marked("%%{")) {
            text.push(c);
            text.push('{');
            rest = after;
            continue;
        }
        match c {
            '$' | '%' if rest[1..].starts_with('{') => return None,
            '"' | '\n' | '\r' if is_quoted => return None,
            '\\' if is_quoted => {
                let (escaped, after) = escape(&rest[1..])?;
                text.push(escaped);
                rest = after;
            }
            _ => {
                text.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    Some(Cow::Owned(text))
}

/// The character that follows a backslash, and what follows that.
fn escape(rest: &str) -> Option<(char, &str)> {
    let code = |digits: usize| {
        let hex = rest.get(1..=digits)?;
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let code = is_hex.then(|| u32::from_str_radix(hex, 16).ok())??;
        Some((char::from_u32(code)?, &rest[digits + 1..]))
    };
    let c = match rest.chars().next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        c @ ('"' | '\\') => c,
        'u' => return code(4),
        'U' => return code(8),
        _ => return None,
    };
    Some((c, &rest[1..]))
}

/// The text in Unicode's normalization form C, which every text of Terraform is in.
pub(super) fn normalized(text: String) -> String {
    if text.is_ascii() || is_nfc(&text) { text } else { text.nfc().collect() }
}

/// A piece of a template.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a, T> {
    /// As it is written, escapes and all.
    Text(&'a str),
    Hole(T),
}

/// Takes the indentation off the lines of a `<<-` heredoc that all of them have. Lines without
/// anything on them do not count and are left alone.
pub(super) fn without_indentation<'a, T: Copy>(parts: &[Part<'a, T>]) -> Vec<Part<'a, T>> {
    let mut lines = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => lines.extend(text.split_inclusive('\n').map(Part::Text)),
            Part::Hole(_) => lines.push(*part),
        }
    }
    let mut starts = Vec::new();
    let mut indentation = usize::MAX;
    let mut is_line_start = true;
    for (index, part) in lines.iter().enumerate() {
        let Part::Text(text) = part else {
            if is_line_start {
                indentation = 0;
            }
            is_line_start = false;
            continue;
        };
        let trimmed = text.trim_start();
        if is_line_start && !(trimmed.is_empty() && text.ends_with('\n')) {
            let spaces = &text[..text.len() - trimmed.len()];
            indentation = indentation.min(spaces.graphemes(true).count());
            starts.push(index);
        }
        is_line_start = text.ends_with('\n');
    }
    for index in starts {
        if let Part::Text(text) = &mut lines[index] {
            let cut = text.grapheme_indices(true).nth(indentation).map_or(text.len(), |(at, _)| at);
            *text = &text[cut..];
        }
    }
    lines
}

/// A number as JSON has it, with the digits as they are written.
pub(super) fn json_number(raw: &str) -> String {
    let (sign, digits) = match raw.strip_prefix('-') {
        Some(rest) => {
            // Between the sign and the digits there may be spaces and comments.
            let start = rest
                .rfind(|c: char| c.is_whitespace() || c == '/')
                .map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
            ("-", &rest[start..])
        }
        None => ("", raw),
    };
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    let is_digit = |at: usize| digits.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let start = if is_digit(zeros) { zeros } else { zeros.saturating_sub(1) };
    format!("{sign}{}", &digits[start..])
}

/// A number as Terraform writes it into a text: all digits, no exponent, nothing that could be
/// left out. `None`: it would have to be rounded.
pub(super) fn number_text(number: &str) -> Option<String> {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if exponent.abs() > MAX_EXPONENT || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i64::try_from(whole.len()).ok()? + exponent;
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Some(format!("{sign}0"));
    }
    if significant.len() > MAX_DIGITS {
        return None;
    }
    let point = point - i64::try_from(leading).ok()?;
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let length = i64::try_from(significant.len()).ok()?;
    Some(if point <= 0 {
        format!("{sign}0.{}{significant}", zeros(-point))
    } else if point >= length {
        format!("{sign}{significant}{}", zeros(point - length))
    } else {
        let (whole, fraction) = significant.split_at(usize::try_from(point).ok()?);
        format!("{sign}{whole}.{fraction}")
    })
}

/// What `jsonencode` makes of a value: keys in order, and `<`, `>` and `&` escaped.
pub(super) fn json_text(value: &Json) -> Option<String> {
    let mut text = String::new();
    write_json(&mut text, value)?;
    Some(text)
}

fn write_json(out: &mut String, value: &Json) -> Option<()> {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&number_text(number)?),
        Json::String(text) => write_json_string(out, text)?,
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, item)?;
            }
            out.push(']');
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json_string(out, key)?;
                out.push(':');
                write_json(out, value)?;
            }
            out.push('}');
        }
    }
    Some(())
}

/// A text as Go's JSON encoder writes it.
pub(super) fn write_json_string(out: &mut String, text: &str) -> Option<()> {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Versions of Go differ on these two.
            '\u{8}' | '\u{c}' => return None,
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                write!(out, "\\u{:04x}", u32::from(c)).ok()?;
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marker_of_a_string_is_read() {
        for (raw, text) in [
            (r#""$${%$${x}""#, "${%${x}"),
            (r#""$$$${b} $$ %%%{x}""#, "$$${b} $$ %%{x}"),
            (r#""a\\$${b}\"\u00e9\U0001F600\n""#, "a\\${b}\"é😀\n"),
            ("\"e\u{301}\"", "é"),
        ] {
            assert_eq!(quoted(raw).as_deref(), Some(text), "{raw}");
        }
        for raw in [r#""${a}""#, r#""\x""#, r#""\ud83d""#, r#""\u12""#, "\"a\nb\"", "a", "\""] {
            assert_eq!(quoted(raw), None, "{raw}");
        }
    }

    #[test]
    fn numbers_are_written_out() {
        for (number, text) in [
            ("1.0", "1"),
            ("1e3", "1000"),
            ("1.50", "1.5"),
            ("0.1", "0.1"),
            ("1e-7", "0.0000001"),
            ("12.5e1", "125"),
            ("-0.0", "-0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(number_text(number).as_deref(), Some(text), "{number}");
        }
        assert_eq!(number_text("1e999999999999"), None);
        for (raw, number) in
            [("007", "7"), ("0", "0"), ("00.5", "0.5"), ("- /* 1 */ 5", "-5"), ("1.0", "1.0")]
        {
            assert_eq!(json_number(raw), number, "{raw}");
        }
    }
}
