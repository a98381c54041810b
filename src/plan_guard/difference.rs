//! What a change does to a resource, argument by argument; policy documents statement by statement.
//!
//! Lines here hold foreign text, but no line breaks: every value is written as JSON. Making it
//! harmless is the [`super::summary`]'s part.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::plan::{Action, ResourceChange, has_true};
use crate::json::Json;
use crate::policy_document::{Dialect, Document};
use crate::resource::resource_type;

/// Longest value that is shown whole, in characters: longer than any policy document of IAM.
const LONGEST: usize = 12_000;

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `+`, `-` or a space.
    pub mark: char,
    pub text: String,
}

fn line(mark: char, text: impl Into<String>) -> Line {
    let text: String = text.into();
    let length = text.chars().count();
    if length <= LONGEST {
        return Line { mark, text };
    }
    let shown: String = text.chars().take(LONGEST).collect();
    Line { mark, text: format!("{shown}… ({} characters more)", length - LONGEST) }
}

/// The lines of a change, in the order of the arguments' names.
pub fn lines(change: &ResourceChange) -> Vec<Line> {
    let nothing = Map::new();
    let before = change.change.before.as_object().unwrap_or(&nothing);
    let after = change.change.after.as_object().unwrap_or(&nothing);
    let unknown = change.change.after_unknown.as_object().unwrap_or(&nothing);
    let is_one_sided = matches!(change.action(), Action::Create | Action::Destroy | Action::Forget);
    let names: BTreeSet<&String> =
        before.keys().chain(after.keys()).chain(unknown.keys()).collect();
    let mut lines = Vec::new();
    let mut computed = Vec::new();
    for name in names {
        let old = before.get(name).filter(|value| !value.is_null());
        let new = after.get(name).filter(|value| !value.is_null());
        let is_unknown = change.is_unknown(name);
        if is_unknown && new.is_none() && (old.is_none() || is_id(name)) {
            computed.push(name.as_str());
            continue;
        }
        if !is_unknown && old == new || name == "tags_all" && is_told_by_tags(before, after) {
            continue;
        }
        if is_one_sided && old.or(new).is_some_and(is_empty) {
            continue;
        }
        lines.extend(argument(change, name, old, new, is_unknown));
    }
    if !computed.is_empty() {
        lines.push(line(' ', format!("known after apply: {}", computed.join(", "))));
    }
    lines
}

fn is_id(name: &str) -> bool {
    matches!(name, "arn" | "id" | "unique_id" | "create_date" | "policy_id")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn is_told_by_tags(before: &Map<String, Value>, after: &Map<String, Value>) -> bool {
    let is_same = |of: &Map<String, Value>| match (of.get("tags"), of.get("tags_all")) {
        (Some(tags), Some(all)) => tags == all,
        (_, all) => all.is_none_or(|all| all.is_null() || is_empty(all)),
    };
    is_same(before) && is_same(after)
}

fn argument(
    change: &ResourceChange,
    name: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    is_unknown: bool,
) -> Vec<Line> {
    let is_sensitive = [&change.change.before_sensitive, &change.change.after_sensitive]
        .iter()
        .any(|marks| **marks == Value::Bool(true) || marks.get(name).is_some_and(has_true));
    if is_sensitive {
        return vec![line(' ', format!("{name}: (sensitive)"))];
    }
    if is_unknown {
        let mut lines: Vec<Line> =
            old.map(|old| line('-', format!("{name}: {old}"))).into_iter().collect();
        lines.push(line('+', format!("{name}: (known after apply)")));
        return lines;
    }
    if let Some(dialect) = dialect(change, name) {
        let (old, new) = (old.and_then(Value::as_str), new.and_then(Value::as_str));
        return document_lines(name, old, new, dialect);
    }
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => members(name, old, new),
        (Some(Value::Array(old)), Some(Value::Array(new))) => items(name, old, new),
        (old, new) => {
            let removed = old.map(|old| line('-', format!("{name}: {old}")));
            let added = new.map(|new| line('+', format!("{name}: {new}")));
            removed.into_iter().chain(added).collect()
        }
    }
}

/// How the documents of an argument are compared, if it holds any.
fn dialect(change: &ResourceChange, name: &str) -> Option<Dialect> {
    let known = resource_type(&change.resource_type).and_then(|(_, described)| described.document);
    match known {
        Some((argument, dialect)) if argument == name => Some(dialect),
        _ if matches!(name, "policy" | "assume_role_policy") => Some(Dialect::Iam),
        _ => None,
    }
}

fn members(name: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Line> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut lines = Vec::new();
    for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
        let shown = Value::String(key.clone());
        for (mark, value) in [('-', old.get(key)), ('+', new.get(key))] {
            lines.extend(value.map(|value| line(mark, format!("{name}[{shown}]: {value}"))));
        }
    }
    lines
}

fn items(name: &str, old: &[Value], new: &[Value]) -> Vec<Line> {
    let gone = old.iter().filter(|item| !new.contains(item));
    let come = new.iter().filter(|item| !old.contains(item));
    let gone = gone.map(|item| line('-', format!("{name}: {item}")));
    let lines: Vec<Line> =
        gone.chain(come.map(|item| line('+', format!("{name}: {item}")))).collect();
    match lines.is_empty() {
        true => vec![line(' ', format!("{name}: the same items in another order or number"))],
        false => lines,
    }
}

/// Two documents by what their statements mean.
fn document_lines(name: &str, old: Option<&str>, new: Option<&str>, dialect: Dialect) -> Vec<Line> {
    let parsed = |text: Option<&str>| match text.map(Document::from_text) {
        Some(Document::Json(json @ Json::Object(_))) => Some(json),
        _ => None,
    };
    let (old_json, new_json) = (parsed(old), parsed(new));
    if old.is_some() && old_json.is_none() || new.is_some() && new_json.is_none() {
        let raw = |mark, text: Option<&str>| {
            text.map(|text| line(mark, format!("{name}: {}", Value::String(text.to_owned()))))
        };
        return raw('-', old).into_iter().chain(raw('+', new)).collect();
    }
    let (old_parts, new_parts) = (parts(old_json.as_ref()), parts(new_json.as_ref()));
    let has = |parts: &[Part], part: &Part| parts.iter().any(|other| other.is_also(part, dialect));
    let gone = old_parts.iter().filter(|part| !has(&new_parts, part)).map(|part| ('-', part));
    let come = new_parts.iter().filter(|part| !has(&old_parts, part)).map(|part| ('+', part));
    let mut lines: Vec<Line> = gone
        .chain(come)
        .map(|(mark, part)| line(mark, format!("{name} {}: {}", part.what, part.json)))
        .collect();
    // A statement that changed stands beside what it was.
    lines.sort_by_key(|shown| position(shown, &old_parts, &new_parts, name));
    if lines.is_empty() {
        lines.push(line(' ', format!("{name}: the same statements, written or counted otherwise")));
    }
    lines
}

/// A statement or another member of a document.
struct Part {
    what: String,
    sid: Option<String>,
    json: Json,
}

impl Part {
    fn is_also(&self, other: &Part, dialect: Dialect) -> bool {
        let document = |part: &Part| {
            let member = if part.what == STATEMENT { STATEMENT } else { &part.what };
            Document::Json(Json::Object(vec![(member.to_owned(), part.json.clone())]))
        };
        self.what == other.what && document(self).means_the_same(&document(other), dialect)
    }
}

const STATEMENT: &str = "Statement";

fn parts(document: Option<&Json>) -> Vec<Part> {
    let Some(Json::Object(members)) = document else { return Vec::new() };
    let mut parts = Vec::new();
    for (key, value) in members {
        let is_statement = key.eq_ignore_ascii_case(STATEMENT);
        let what = if is_statement { STATEMENT.to_owned() } else { key.clone() };
        let values = match value {
            Json::Array(items) if is_statement => items.clone(),
            single => vec![single.clone()],
        };
        parts.extend(values.into_iter().map(|json| {
            let sid = match json.member("Sid") {
                Some(Json::String(sid)) => Some(sid.clone()),
                _ => None,
            };
            Part { what: what.clone(), sid, json }
        }));
    }
    parts
}

/// Where a line of a document stands: at its statement's place, a changed one at its old place.
fn position(shown: &Line, old: &[Part], new: &[Part], name: &str) -> (usize, bool) {
    let text = |part: &Part| line(shown.mark, format!("{name} {}: {}", part.what, part.json)).text;
    let find = |parts: &[Part]| parts.iter().position(|part| text(part) == shown.text);
    if shown.mark == '-' {
        return (find(old).unwrap_or(usize::MAX), false);
    }
    let at = find(new).unwrap_or(usize::MAX);
    let sid = new.get(at).and_then(|part| part.sid.as_ref());
    let same = old.iter().position(|part| sid.is_some() && part.sid.as_ref() == sid);
    (same.unwrap_or(at), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(before: Value, after: Value) -> Value {
        json!({
            "address": "aws_iam_policy.x", "mode": "managed", "type": "aws_iam_policy",
            "change": { "actions": ["update"], "before": before, "after": after },
        })
    }

    fn shown(change: Value) -> Vec<String> {
        let change: ResourceChange = serde_json::from_value(change).unwrap();
        lines(&change).into_iter().map(|line| format!("{}{}", line.mark, line.text)).collect()
    }

    fn document(statements: &[&str]) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    }

    const FIRST: &str = r#"{"Sid":"a","Effect":"Allow","Action":"s3:Get","Resource":"x"}"#;
    const SECOND: &str = r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#;

    #[test]
    fn arguments_are_shown_before_and_after() {
        assert_eq!(
            shown(change(
                json!({ "a": 1, "b": "x", "c": ["p", "q"], "d": { "k": "v", "l": "w" }, "e": "same" }),
                json!({ "a": 2, "c": ["q", "r"], "d": { "k": "u", "m": "n" }, "e": "same", "f": true }),
            )),
            [
                "-a: 1",
                "+a: 2",
                "-b: \"x\"",
                "-c: \"p\"",
                "+c: \"r\"",
                "-d[\"k\"]: \"v\"",
                "+d[\"k\"]: \"u\"",
                "-d[\"l\"]: \"w\"",
                "+d[\"m\"]: \"n\"",
                "+f: true",
            ]
        );
        let order = shown(change(json!({ "c": ["p", "q"] }), json!({ "c": ["q", "p"] })));
        assert_eq!(order, [" c: the same items in another order or number"]);
    }

    #[test]
    fn statements_are_compared_by_what_they_mean() {
        let update = |old: &str, new: &str| {
            shown(change(json!({ "policy": old }), json!({ "policy": new })))
        };
        let other = FIRST.replace("s3:Get", "s3:Put");
        assert_eq!(
            update(&document(&[FIRST, SECOND]), &document(&[SECOND, &other])),
            [format!("-policy Statement: {FIRST}"), format!("+policy Statement: {other}")]
        );
        let reworded = FIRST.replace("\"s3:Get\"", "[\"s3:Get\"]");
        assert_eq!(
            update(&document(&[FIRST, SECOND]), &document(&[SECOND, &reworded])),
            [" policy: the same statements, written or counted otherwise"]
        );
        assert_eq!(
            update(&document(&[FIRST]), &document(&[FIRST]).replace("2012", "2008")),
            ["-policy Version: \"2012-10-17\"", "+policy Version: \"2008-10-17\""]
        );
        assert_eq!(update("a", &document(&[]))[0], "-policy: \"a\"");
        assert_eq!(update("{}", "{\"a\":1,\"a\":2}")[1], r#"+policy: "{\"a\":1,\"a\":2}""#);
    }

    #[test]
    fn secrets_and_what_is_not_known_are_not_shown() {
        let mut secret = change(json!({ "a": "old", "b": "x" }), json!({ "a": "new", "b": "y" }));
        secret["change"]["after_sensitive"] = json!({ "a": true });
        assert_eq!(shown(secret.clone()), [" a: (sensitive)", "-b: \"x\"", "+b: \"y\""]);
        secret["change"]["before_sensitive"] = json!(true);
        assert_eq!(shown(secret), [" a: (sensitive)", " b: (sensitive)"]);
        let mut unknown = change(json!({ "arn": "x", "p": "x" }), json!({ "t": ["x"] }));
        unknown["change"]["after_unknown"] =
            json!({ "arn": true, "n": true, "p": true, "t": [false, true] });
        assert_eq!(
            shown(unknown),
            [
                "-p: \"x\"",
                "+p: (known after apply)",
                "+t: (known after apply)",
                " known after apply: arn, n"
            ]
        );
    }

    #[test]
    fn tags_are_told_once_and_long_values_are_cut() {
        let tags = |of: Value, all: Value| json!({ "tags": of, "tags_all": all });
        let (one, two) = (json!({ "k": "v" }), json!({ "k": "w" }));
        let told = shown(change(tags(one.clone(), one.clone()), tags(two.clone(), two.clone())));
        assert_eq!(told, ["-tags[\"k\"]: \"v\"", "+tags[\"k\"]: \"w\""]);
        let hidden = shown(change(tags(json!({}), one.clone()), tags(json!({}), two)));
        assert_eq!(hidden, ["-tags_all[\"k\"]: \"v\"", "+tags_all[\"k\"]: \"w\""]);
        let long = shown(change(json!({}), json!({ "a": "x".repeat(13_000) })));
        assert!(long[0].ends_with("x… (1005 characters more)"), "{}", &long[0][11_990..]);
    }
}
