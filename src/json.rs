//! A JSON value that loses nothing: key order, scalar forms and the digits of every number.
//!
//! `serde_json::Value` turns numbers into machine numbers and lets the last of two equal keys win
//! without a word. A policy document must come out as it went in, so documents are held here.
//! Everything that is not a document stays with serde_json.

use std::collections::HashSet;
use std::fmt::{self, Write};

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

/// Nesting beyond this is refused; IAM documents nest about eight levels deep.
const MAX_DEPTH: usize = 128;

/// One JSON value; object members keep their order, numbers their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// A number as it was written, such as `3600`, `1.0` or `1e3`.
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Why a text is not a JSON value that can be held without loss.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at line {line} column {column}")]
pub struct ParseError {
    pub problem: String,
    pub line: usize,
    pub column: usize,
}

impl Json {
    /// Parses exactly one JSON value.
    ///
    /// # Errors
    ///
    /// Anything that is not JSON (RFC 8259), a key that stands twice in one object, lone
    /// surrogates, and nesting deeper than 128 levels.
    pub fn parse(text: &str) -> Result<Json, ParseError> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.error("text after the end of the value"));
        }
        Ok(value)
    }

    /// The member of an object, if this is an object that has it.
    pub fn member(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }
}

impl Json {
    /// Whether Terraform would leave every string in it as it is.
    pub fn is_nfc(&self) -> bool {
        match self {
            Json::String(text) => unicode_normalization::is_nfc(text),
            Json::Array(items) => items.iter().all(Json::is_nfc),
            Json::Object(members) => members
                .iter()
                .all(|(key, value)| unicode_normalization::is_nfc(key) && value.is_nfc()),
            Json::Null | Json::Bool(_) | Json::Number(_) => true,
        }
    }

    /// Compact JSON with everything beyond ASCII escaped.
    pub fn ascii(&self) -> String {
        let mut out = String::new();
        for c in self.to_string().chars() {
            if c.is_ascii() {
                out.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        out
    }
}

/// Compact JSON, as `jsonencode` in Terraform would count its length.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(text) => serialize_number(text, serializer),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    sequence.serialize_element(item)?;
                }
                sequence.end()
            }
            Json::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

fn serialize_number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match text.parse::<u64>() {
        Ok(value) if value.to_string() == text => serializer.serialize_u64(value),
        _ => RawValue::from_string(text.to_owned())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Json, ParseError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nesting deeper than 128 levels"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("unexpected end of text")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key in quotes"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.error("expected `:`"));
            }
            let value = self.value(depth + 1)?;
            members.push((key, value));
            self.skip_space();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.error("expected `,` or `}`"));
            }
        }
        match repeated_key(&members) {
            Some(key) => Err(self.error(&format!("the key `{key}` stands twice in one object"))),
            None => Ok(Json::Object(members)),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return Err(self.error("expected `,` or `]`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += 2;
                }
                Some(0..=0x1f) => {
                    self.at = end;
                    return Err(self.error("control character in a string"));
                }
                Some(_) => end += 1,
                None => return Err(self.error("string without an end")),
            }
        }
        self.at = end + 1;
        if !escaped {
            return Ok(self.text[start + 1..end].to_owned());
        }
        serde_json::from_str(&self.text[start..=end])
            .map_err(|_| self.error("string with an invalid escape"))
    }

    fn number(&mut self) -> Result<Json, ParseError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Json::Number(self.text[start..self.at].to_owned()))
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error("expected a digit"));
        }
        Ok(())
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, ParseError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(value)
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
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn error(&self, problem: &str) -> ParseError {
        let before = &self.text.as_bytes()[..self.at.min(self.text.len())];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        ParseError {
            problem: problem.to_owned(),
            line: before.iter().filter(|b| **b == b'\n').count() + 1,
            column: before.len() - line_start + 1,
        }
    }
}

fn repeated_key(members: &[(String, Json)]) -> Option<&str> {
    if members.len() < 9 {
        let mut rest = members;
        while let Some(((key, _), tail)) = rest.split_first() {
            if tail.iter().any(|(other, _)| other == key) {
                return Some(key);
            }
            rest = tail;
        }
        return None;
    }
    let mut seen = HashSet::with_capacity(members.len());
    members.iter().map(|(key, _)| key.as_str()).find(|key| !seen.insert(*key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(text: &str) -> String {
        Json::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn key_order_and_number_text_survive() {
        let text = r#"{"b":1.0,"a":[1e3,-0,123456789012345678901234567890,"x"],"c":null,"d":{}}"#;
        assert_eq!(Json::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn repeated_key_is_refused_at_any_size() {
        assert_eq!(
            problem(r#"{"a":1,"a":2}"#),
            "the key `a` stands twice in one object at line 1 column 14"
        );
        let many: Vec<_> = (0..20).map(|i| format!(r#""k{}":1"#, i % 19)).collect();
        assert!(problem(&format!("{{{}}}", many.join(","))).contains("`k0` stands twice"));
    }

    #[test]
    fn errors_name_line_and_column() {
        assert_eq!(problem("{\n  \"a\": x\n}"), "expected a value at line 2 column 8");
        for text in
            ["", "[1,]", "01", "1.", "[", "\"\\ud800\"", "\"a", "nul", "{\"a\":1}x", "\"\u{1}\""]
        {
            problem(text);
        }
        assert!(problem(&"[".repeat(1000)).contains("nesting"));
    }

    #[test]
    fn a_key_that_serde_json_keeps_for_itself_is_only_a_key() {
        let text = r#"{"$serde_json::private::Number":"1","$serde_json::private::RawValue":"x"}"#;
        assert_eq!(Json::parse(text).unwrap().to_string(), text);
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(|n| Json::Number(n.to_string())),
            ".*".prop_map(Json::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
                prop::collection::btree_map(".*", inner, 0..5)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn printed_and_parsed_is_the_same_value(value in any_json()) {
            prop_assert_eq!(Json::parse(&value.to_string()), Ok(value.clone()));
            prop_assert_eq!(Json::parse(&serde_json::to_string_pretty(&value).unwrap()), Ok(value));
        }

        #[test]
        fn accepts_what_serde_json_accepts(text in r#"[\[\]{}:,"\\a0-9.eE+\- ]{0,24}"#) {
            if Json::parse(&text).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok() || text.contains(['e', 'E']));
            }
        }
    }
}
