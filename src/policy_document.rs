//! Policy documents: how AWS hands them out, and when two of them mean the same.
//!
//! Documents are never rewritten here. [`Document::means_the_same`] answers the question the
//! Terraform provider asks before it shows a difference, so that an answer of AWS that only
//! shuffled a list does not become a commit.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::json::Json;

/// A policy document as AWS holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    Json(Json),
    /// A document that no JSON value can stand for, such as one with a key twice; its exact text
    /// is kept, and `problem` says why.
    Text {
        text: String,
        problem: String,
    },
}

/// Which notion of equality the provider applies to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Identity policies and trust policies: lists are sets, one value is a list of one.
    Iam,
    /// Organizations policies: plain JSON equality, the order of lists counts.
    Organizations,
}

impl Document {
    /// Reads a document in any form AWS hands out: JSON text, or JSON text that is URL-encoded
    /// (RFC 3986, so a `+` is a plus).
    pub fn from_text(text: &str) -> Document {
        let decoded = if text.trim_start().starts_with('{') {
            Cow::Borrowed(text)
        } else {
            let decoded = percent_decode_str(text).decode_utf8_lossy();
            if decoded.trim_start().starts_with('{') { decoded } else { Cow::Borrowed(text) }
        };
        // Terraform normalizes the text it gets from the provider, so that is the text to match. What
        // is escaped in it is out of reach of that, here and there.
        let normal = if is_nfc(&decoded) { None } else { Some(decoded.nfc().collect::<String>()) };
        let parsed = normal.and_then(|normal| Json::parse(&normal).ok());
        match parsed.map_or_else(|| Json::parse(&decoded), Ok) {
            Ok(json) => Document::Json(json),
            Err(error) => Document::Text { text: decoded.into_owned(), problem: error.to_string() },
        }
    }

    /// Why Terraform cannot hold this document, if it cannot: the provider refuses policies that are
    /// not a JSON object, and those with a key twice.
    pub fn problem(&self) -> Option<String> {
        match self {
            Document::Text { problem, .. } => Some(problem.clone()),
            Document::Json(Json::Object(_)) => None,
            Document::Json(_) => Some("it is not a JSON object".to_owned()),
        }
    }

    /// Whether the provider would show no difference between the two.
    pub fn means_the_same(&self, other: &Document, dialect: Dialect) -> bool {
        match (self, other) {
            (Document::Json(a), Document::Json(b)) if dialect == Dialect::Iam => {
                a == b || iam_canonical(a) == iam_canonical(b)
            }
            (Document::Json(a), Document::Json(b)) => a == b || canonical(a) == canonical(b),
            _ => self == other,
        }
    }
}

/// The text of the document, on one line where it is JSON.
impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Document::Json(json) => json.fmt(f),
            Document::Text { text, .. } => f.write_str(text),
        }
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Document::Json(json) => json.serialize(serializer),
            Document::Text { text, .. } => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Cow<'de, RawValue> = BorrowedOrOwned::deserialize(deserializer)?.0;
        if !raw.get().starts_with('"') {
            return Ok(Document::from_text(raw.get()));
        }
        let text: String = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Document::from_text(&text))
    }
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct BorrowedOrOwned<'a>(#[serde(borrow)] Cow<'a, RawValue>);

/// Plain JSON equality: members by key, numbers by value.
fn canonical(json: &Json) -> Json {
    match json {
        Json::Number(text) => Json::Number(number_value(text)),
        Json::Array(items) => Json::Array(items.iter().map(canonical).collect()),
        Json::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(key, value)| (key.clone(), canonical(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(members)
        }
        other => other.clone(),
    }
}

/// The double a number stands for, as the provider compares; its own text when it is none.
pub(crate) fn number_value(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => value.to_string(),
        _ => text.to_owned(),
    }
}

/// One form for all IAM documents between which the provider sees no difference.
///
/// Not folded, since the provider does show these: Version, Id, the case of an action or a
/// condition key, duplicate actions, `"*"` against `{"AWS": "*"}`, an empty Condition.
fn iam_canonical(document: &Json) -> Json {
    let Json::Object(members) = document else { return canonical(document) };
    sorted_object(members.iter().map(|(key, value)| {
        let key = key.to_lowercase();
        let value = match (key.as_str(), value) {
            ("statement", Json::Array(statements)) => {
                sorted_array(statements.iter().map(iam_statement).collect())
            }
            ("statement", statement) => Json::Array(vec![iam_statement(statement)]),
            _ => canonical(value),
        };
        (key, value)
    }))
}

fn iam_statement(statement: &Json) -> Json {
    let Json::Object(members) = statement else { return canonical(statement) };
    sorted_object(members.iter().filter_map(|(key, value)| {
        let key = key.to_lowercase();
        let value = match (key.as_str(), value) {
            ("sid", Json::String(sid)) if sid.is_empty() => return None,
            ("effect", Json::String(effect)) => Json::String(effect.to_lowercase()),
            ("action" | "notaction" | "resource" | "notresource", value) => set(value, scalar),
            ("principal" | "notprincipal", Json::Object(principals)) => sorted_object(
                principals.iter().map(|(kind, value)| (kind.clone(), set(value, principal))),
            ),
            ("condition", Json::Object(operators)) => {
                sorted_object(operators.iter().map(|(operator, keys)| {
                    let keys = match keys {
                        Json::Object(keys) => sorted_object(
                            keys.iter().map(|(key, value)| (key.clone(), set(value, scalar))),
                        ),
                        other => canonical(other),
                    };
                    (operator.clone(), keys)
                }))
            }
            _ => canonical(value),
        };
        Some((key, value))
    }))
}

fn set(value: &Json, scalar: fn(&Json) -> Json) -> Json {
    match value {
        Json::Array(items) => sorted_array(items.iter().map(scalar).collect()),
        single => Json::Array(vec![scalar(single)]),
    }
}

fn scalar(value: &Json) -> Json {
    match value {
        Json::Bool(value) => Json::String(value.to_string()),
        Json::Number(text) => Json::String(number_value(text)),
        other => canonical(other),
    }
}

fn principal(value: &Json) -> Json {
    match scalar(value) {
        Json::String(text) => Json::String(account_of_root_arn(&text).unwrap_or(&text).to_owned()),
        other => other,
    }
}

/// `111122223333` for `arn:aws:iam::111122223333:root`, in any partition.
pub(crate) fn account_of_root_arn(text: &str) -> Option<&str> {
    let (partition, rest) = text.strip_prefix("arn:")?.split_once(":iam::")?;
    let account = rest.strip_suffix(":root")?;
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    (is_account && !partition.contains(':')).then_some(account)
}

fn sorted_array(mut items: Vec<Json>) -> Json {
    items.sort_by_cached_key(Json::to_string);
    Json::Array(items)
}

fn sorted_object(members: impl Iterator<Item = (String, Json)>) -> Json {
    let mut members: Vec<_> = members.collect();
    members.sort_by(|a, b| a.0.cmp(&b.0));
    Json::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str, dialect: Dialect) -> bool {
        let (a, b) = (Document::from_text(a), Document::from_text(b));
        assert!(a.problem().is_none() && b.problem().is_none(), "{a:?} {b:?}");
        let forth = a.means_the_same(&b, dialect);
        assert_eq!(forth, b.means_the_same(&a, dialect), "not symmetric");
        forth
    }

    fn statement(members: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#)
    }

    #[test]
    fn url_encoded_text_is_decoded_once_and_plus_stays_plus() {
        let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Id%22%3A%22a%2Bb+c%2520%22%7D";
        assert_eq!(
            Document::from_text(encoded),
            Document::from_text(r#"{"Version":"2012-10-17","Id":"a+b+c%20"}"#)
        );
        let plain = r#"{"Id":"%7B%22"}"#;
        assert_eq!(serde_json::to_string(&Document::from_text(plain)).unwrap(), plain);
    }

    #[test]
    fn document_that_json_cannot_hold_keeps_its_text() {
        let text = r#"{"Statement":[],"Statement":[]}"#;
        let document = Document::from_text(text);
        assert!(document.problem().unwrap().contains("stands twice"));
        let written = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&written).unwrap(), document);
        assert!(Document::from_text("[]").problem().is_some());
        assert!(Document::from_text("").problem().is_some());
    }

    #[test]
    fn literal_text_is_normalized_and_escaped_text_is_not() {
        assert_eq!(
            Document::from_text("{\"Id\":\"e\u{301}\"}"),
            Document::from_text("{\"Id\":\"\u{e9}\"}")
        );
        let escaped = Document::from_text(r#"{"Id":"e\u0301"}"#);
        let Document::Json(json) = &escaped else { panic!("no JSON") };
        assert!(!json.is_nfc());
        assert_eq!(json.ascii(), r#"{"Id":"e\u0301"}"#);
    }

    #[test]
    fn iam_documents_that_the_provider_holds_for_equal() {
        for (a, b) in [
            (r#""Action":["a:B","c:D"]"#, r#""Action":["c:D","a:B"]"#),
            (r#""Action":"a:B""#, r#""Action":["a:B"]"#),
            (r#""Sid":"","Effect":"Allow""#, r#""effect":"allow""#),
            (r#""Principal":{"Service":["x","y"]}"#, r#""Principal":{"Service":["y","x"]}"#),
            (
                r#""Principal":{"AWS":"123456789012"}"#,
                r#""Principal":{"AWS":["arn:aws:iam::123456789012:root"]}"#,
            ),
            (
                r#""Condition":{"Bool":{"k":true},"NumericLessThan":{"n":5}}"#,
                r#""Condition":{"NumericLessThan":{"n":["5"]},"Bool":{"k":"true"}}"#,
            ),
        ] {
            assert!(same(&statement(a), &statement(b), Dialect::Iam), "{a} {b}");
        }
        assert!(same(
            r#"{"Statement":{"Action":"x"}}"#,
            r#"{ "Statement" : [ {"Action":["x"]} ] }"#,
            Dialect::Iam
        ));
        assert!(same(
            r#"{"Statement":[{"Sid":"a"},{"Sid":"b"}]}"#,
            r#"{"Statement":[{"Sid":"b"},{"Sid":"a"}]}"#,
            Dialect::Iam
        ));
    }

    #[test]
    fn iam_documents_between_which_the_provider_shows_a_difference() {
        for (a, b) in [
            (r#""Action":"s3:Get""#, r#""Action":"s3:get""#),
            (r#""Action":["a:B","a:B"]"#, r#""Action":["a:B"]"#),
            (r#""Principal":"*""#, r#""Principal":{"AWS":"*"}"#),
            (r#""Condition":{}"#, r#""Effect":"Allow""#),
            (r#""Condition":{"Bool":{"K":"x"}}"#, r#""Condition":{"Bool":{"k":"x"}}"#),
            (
                r#""Principal":{"AWS":"arn:aws:iam::123456789012:role/r"}"#,
                r#""Principal":{"AWS":"AROAEXAMPLE"}"#,
            ),
        ] {
            assert!(!same(&statement(a), &statement(b), Dialect::Iam), "{a} {b}");
        }
        for (a, b) in [(r#"{"Version":"2012-10-17"}"#, "{}"), (r#"{"Id":"a"}"#, r#"{"Id":"b"}"#)] {
            assert!(!same(a, b, Dialect::Iam), "{a} {b}");
        }
    }

    #[test]
    fn organizations_content_is_compared_as_plain_json() {
        assert!(same(r#"{"a":1,"b":[1.0]}"#, r#"{"b":[1],"a":1}"#, Dialect::Organizations));
        for (a, b) in [
            (r#"{"a":["x","y"]}"#, r#"{"a":["y","x"]}"#),
            (r#"{"a":"x"}"#, r#"{"a":["x"]}"#),
            (r#"{"a":5}"#, r#"{"a":"5"}"#),
        ] {
            assert!(!same(a, b, Dialect::Organizations), "{a} {b}");
        }
    }
}
