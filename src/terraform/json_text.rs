//! JSON that stands in a heredoc or in a file of its own, with the place of every value.
//!
//! [`crate::json`] holds documents; this reads them where a person may have written template
//! interpolations into them, so that the rest stays known and can be edited.

use std::collections::HashSet;
use std::ops::Range;

use super::literal::{normalized, number_text};
use super::node::{Content, Member, Node};
use crate::json::Json;

/// As deep as [`Json::parse`] goes.
const MAX_DEPTH: usize = 128;

/// An interpolation in the text, evaluated.
#[derive(Debug)]
pub(super) struct Hole {
    pub span: Range<usize>,
    /// With whether a literal may take its place.
    pub value: Option<(Json, bool)>,
}

/// Parses what stands at `range` of a text; the spans are of the whole text.
///
/// `None`: it is not one object or array of JSON, or has a key twice, or would not be JSON with the
/// interpolations filled in.
pub(super) fn parse(
    text: &str,
    range: Range<usize>,
    is_template: bool,
    holes: &[Hole],
) -> Option<Node> {
    let text = text.get(..range.end)?;
    text.get(range.start..)?;
    let mut parser = Parser { text, at: range.start, is_template, holes };
    parser.skip_space();
    if !matches!(parser.peek(), Some(b'{' | b'[')) {
        return None;
    }
    let root = parser.value(0)?;
    parser.skip_space();
    (parser.at == text.len()).then_some(root)
}

/// The text of an interpolated value.
pub(super) fn interpolated(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => number_text(number),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

struct Parser<'t, 'h> {
    text: &'t str,
    at: usize,
    is_template: bool,
    /// Those that are still to come.
    holes: &'h [Hole],
}

/// A text of the document, with the part that interpolations have in it.
struct Text {
    span: Range<usize>,
    /// `None`: an interpolation is not known.
    value: Option<String>,
    has_holes: bool,
    is_replaceable: bool,
}

impl<'h> Parser<'_, 'h> {
    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_space();
        let start = self.at;
        let content = match self.hole() {
            Some(hole) => filled(hole),
            None => match self.peek()? {
                b'{' => self.object(depth)?,
                b'[' => self.array(depth)?,
                b'"' => self.string()?.content(),
                b't' => self.word("true", Json::Bool(true))?,
                b'f' => self.word("false", Json::Bool(false))?,
                b'n' => self.word("null", Json::Null)?,
                _ => self.number()?,
            },
        };
        Some(Node { span: start..self.at, content })
    }

    fn object(&mut self, depth: usize) -> Option<Content> {
        self.at += 1;
        let mut members: Vec<Member> = Vec::new();
        let mut is_known = true;
        self.skip_space();
        if self.take(b'}') {
            return Some(Content::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return None;
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return None;
            }
            let value = self.value(depth + 1)?;
            match key.value {
                Some(text) => members.push(Member { key: text, key_span: key.span, value }),
                None => is_known = false,
            }
            self.skip_space();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return None;
            }
        }
        if has_repeated_key(&members) {
            return None;
        }
        Some(if is_known { Content::Object(members) } else { Content::Unknown })
    }

    fn array(&mut self, depth: usize) -> Option<Content> {
        self.at += 1;
        let mut items = Vec::new();
        // An interpolation may stand for any number of items.
        let mut is_known = true;
        self.skip_space();
        if self.take(b']') {
            return Some(Content::List(items));
        }
        loop {
            self.skip_space();
            let is_hole = self.is_at_hole();
            let item = self.value(depth + 1)?;
            is_known &= !(is_hole && item.content == Content::Unknown);
            items.push(item);
            self.skip_space();
            if self.take(b']') {
                break;
            }
            if !self.take(b',') {
                return None;
            }
        }
        Some(if is_known { Content::List(items) } else { Content::Unknown })
    }

    fn string(&mut self) -> Option<Text> {
        let start = self.at;
        self.at += 1;
        let mut piece_start = self.at;
        let mut raw = String::new();
        let mut text =
            Text { span: start..start, value: None, has_holes: false, is_replaceable: true };
        let (mut is_known, mut has_escapes, mut is_ascii) = (true, false, true);
        loop {
            if let Some(hole) = self.hole() {
                raw.push_str(&self.text[piece_start..hole.span.start]);
                piece_start = self.at;
                text.has_holes = true;
                match &hole.value {
                    Some((value, is_replaceable)) => {
                        let value = interpolated(value)?;
                        let is_plain = |c: char| c != '"' && c != '\\' && c >= ' ';
                        if !value.chars().all(is_plain) {
                            return None;
                        }
                        is_ascii &= value.is_ascii();
                        text.is_replaceable &= is_replaceable;
                        raw.push_str(&value);
                    }
                    None => is_known = false,
                }
                continue;
            }
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    has_escapes = true;
                    let is_pair =
                        matches!(self.text.as_bytes().get(self.at + 1), Some(b'"' | b'\\'));
                    self.at += if is_pair { 2 } else { 1 };
                }
                0..=0x1f => return None,
                b'$' | b'%' if self.is_escaped_marker() => {
                    raw.push_str(&self.text[piece_start..=self.at]);
                    piece_start = self.at + 2;
                    self.at += 3;
                }
                byte => {
                    is_ascii &= byte.is_ascii();
                    self.at += 1;
                }
            }
        }
        raw.push_str(&self.text[piece_start..self.at]);
        self.at += 1;
        text.span = start..self.at;
        if !is_ascii {
            raw = normalized(raw);
        }
        text.value = match (is_known, has_escapes) {
            (false, _) => None,
            (true, false) => Some(raw),
            (true, true) => Some(serde_json::from_str(&format!("\"{raw}\"")).ok()?),
        };
        Some(text)
    }

    fn is_escaped_marker(&self) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        self.is_template && (rest.starts_with(b"$${") || rest.starts_with(b"%%{"))
    }

    fn number(&mut self) -> Option<Content> {
        let start = self.at;
        let is_part = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        while self.peek().is_some_and(is_part) && !self.is_at_hole() {
            self.at += 1;
        }
        match Json::parse(&self.text[start..self.at]) {
            Ok(number @ Json::Number(_)) => Some(Content::Scalar(number)),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Content> {
        if !self.text[self.at..].starts_with(word) {
            return None;
        }
        self.at += word.len();
        Some(Content::Scalar(value))
    }

    fn is_at_hole(&self) -> bool {
        self.holes.first().is_some_and(|hole| hole.span.start == self.at)
    }

    fn hole(&mut self) -> Option<&'h Hole> {
        let (hole, rest) = self.holes.split_first().filter(|_| self.is_at_hole())?;
        self.at = hole.span.end;
        self.holes = rest;
        Some(hole)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte) && !self.is_at_hole();
        if found {
            self.at += 1;
        }
        found
    }
}

impl Text {
    fn content(self) -> Content {
        match self.value {
            None => Content::Unknown,
            Some(text) if self.has_holes => {
                Content::Computed { value: Json::String(text), is_replaceable: self.is_replaceable }
            }
            Some(text) => Content::Scalar(Json::String(text)),
        }
    }
}

/// What an interpolation outside of quotes stands for.
fn filled(hole: &Hole) -> Content {
    let value = hole.value.as_ref().and_then(|(value, is_replaceable)| {
        let value = Json::parse(&interpolated(value)?).ok()?;
        Some(Content::Computed { value, is_replaceable: *is_replaceable })
    });
    value.unwrap_or(Content::Unknown)
}

pub(super) fn has_repeated_key(members: &[Member]) -> bool {
    if members.len() < 8 {
        let is_repeated = |(index, member): (usize, &Member)| {
            members[..index].iter().any(|earlier| earlier.key == member.key)
        };
        return members.iter().enumerate().any(is_repeated);
    }
    let mut keys = HashSet::with_capacity(members.len());
    !members.iter().all(|member| keys.insert(member.key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str, is_template: bool, holes: &[Hole]) -> Option<Node> {
        parse(text, 0..text.len(), is_template, holes)
    }

    #[test]
    fn values_and_their_places_are_found() {
        let text = r#" {"a": ["x", -1.50, null], "é\n": {"$${b}": true}} "#;
        let root = whole(text, true, &[]).unwrap();
        assert_eq!(root.span, 1..text.len() - 1);
        let Content::Object(members) = &root.content else { panic!("{root:?}") };
        assert_eq!(&text[members[1].key_span.clone()], r#""é\n""#);
        assert_eq!(&text[members[0].value.span.clone()], r#"["x", -1.50, null]"#);
        assert_eq!(root.value(), Json::parse(r#"{"a":["x",-1.50,null],"é\n":{"${b}":true}}"#).ok());
        assert_eq!(whole(text, false, &[]).unwrap().value(), Json::parse(text).ok());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for text in ["", "1", "\"a\"", "{", "[1,]", "{\"a\":1,\"a\":2}", "[] x", "[\"\\x\"]", &deep]
        {
            assert!(whole(text, true, &[]).is_none(), "{text}");
        }
    }

    #[test]
    fn interpolations_leave_the_rest_known() {
        let text = r#"{"a": "x${1}y", "b": ${2}, "c": "${3}", "d": [1]}"#;
        let hole = |name: &str, value: Option<Json>| {
            let start = text.find(name).unwrap();
            Hole { span: start..start + name.len(), value: value.map(|value| (value, true)) }
        };
        let string = |text: &str| Some(Json::String(text.to_owned()));
        let holes = [hole("${1}", string("-")), hole("${2}", string("[2]")), hole("${3}", None)];
        let root = whole(text, true, &holes).unwrap();
        let Content::Object(members) = root.content else { panic!("no object") };
        let values: Vec<_> = members.iter().map(|member| member.value.value()).collect();
        assert_eq!(values[0], string("x-y"));
        assert_eq!(values[1], Json::parse("[2]").ok());
        assert_eq!(values[2], None);
        assert_eq!(values[3], Json::parse("[1]").ok());
    }

    #[test]
    fn interpolation_in_a_list_may_be_any_number_of_items() {
        let hole = || [Hole { span: 2..6, value: None }];
        assert_eq!(whole("[ ${x} ]", true, &hole()).unwrap().content, Content::Unknown);
        assert!(whole("[ \"x}\" ]", true, &[Hole { span: 3..5, value: None }]).is_some());
    }
}
