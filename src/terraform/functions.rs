//! The few functions of Terraform whose result is plain to see.
//!
//! Those that convert do so only where it is sure into what; everything else stays unknown.

use std::collections::HashMap;

use hcl_edit::expr::{Expression, FuncCall};

use super::evaluate::{Evaluator, Known, are_alike};
use super::json_text::{self, interpolated};
use super::literal::{json_text as encoded, normalized, number_text};
use super::node::{Content, JsonText};
use crate::json::Json;

/// What a call evaluates to.
pub(super) fn call<'a>(evaluator: Evaluator<'_, 'a>, call: &'a FuncCall) -> Option<Content> {
    if call.name.is_namespaced() || call.args.expand_final() {
        return None;
    }
    let arguments: Vec<&'a Expression> = call.args.iter().collect();
    let name = call.name.name.as_str();
    match (name, arguments.as_slice()) {
        ("jsonencode", [argument]) if evaluator.is_document => {
            Some(Content::JsonEncode(Box::new(evaluator.inner().node(argument))))
        }
        ("file", [path]) => file(evaluator, &text(evaluator.known(path)?)?),
        ("concat", lists) => {
            let are_tuples = lists.iter().all(|list| matches!(list, Expression::Array(_)));
            let (lists, is_replaceable) = all_known(evaluator, lists)?;
            Some(Content::Computed { value: concatenated(lists, are_tuples)?, is_replaceable })
        }
        (
            "jsonencode" | "jsondecode" | "trimspace" | "chomp" | "lower" | "upper" | "join"
            | "format" | "merge" | "toset" | "tolist" | "tomap" | "tostring",
            arguments,
        ) => {
            let (values, is_replaceable) = all_known(evaluator, arguments)?;
            Some(Content::Computed { value: pure(name, values)?, is_replaceable })
        }
        _ => None,
    }
}

fn all_known<'a>(
    evaluator: Evaluator<'_, 'a>,
    arguments: &[&'a Expression],
) -> Option<(Vec<Json>, bool)> {
    let mut values = Vec::with_capacity(arguments.len());
    let mut are_replaceable = true;
    for argument in arguments {
        let (value, is_replaceable) = evaluator.known(argument)?;
        are_replaceable &= is_replaceable;
        values.push(value);
    }
    Some((values, are_replaceable))
}

fn text(known: Known) -> Option<String> {
    interpolated(&known.0)
}

fn file(evaluator: Evaluator<'_, '_>, path: &str) -> Option<Content> {
    let file = evaluator.read(path)?;
    if evaluator.is_document
        && let Some(root) = json_text::parse(&file.text, 0..file.text.len(), false, &[])
    {
        let (file, root) = (Some(file.path), Box::new(root));
        return Some(Content::JsonText(JsonText { file, is_template: false, root }));
    }
    Some(Content::Computed { value: Json::String(normalized(file.text)), is_replaceable: true })
}

fn pure(name: &str, arguments: Vec<Json>) -> Option<Json> {
    if matches!(name, "join" | "format") {
        let (first, rest) = arguments.split_first()?;
        let first = interpolated(first)?;
        let text = if name == "join" { joined(&first, rest) } else { formatted(&first, rest) };
        return text.map(|text| Json::String(normalized(text)));
    }
    if name == "merge" {
        return merged(arguments);
    }
    let [argument]: [Json; 1] = arguments.try_into().ok()?;
    match name {
        "jsonencode" => encoded(&argument).map(|text| Json::String(normalized(text))),
        "jsondecode" => Json::parse(&interpolated(&argument)?).ok().map(all_normalized),
        "toset" => set(argument),
        "tolist" => list(argument),
        "tomap" => map(argument),
        _ => string(name, &interpolated(&argument)?).map(Json::String),
    }
}

/// Functions from one text to another.
fn string(name: &str, text: &str) -> Option<String> {
    match name {
        "tostring" => Some(text.to_owned()),
        "trimspace" => Some(text.trim().to_owned()),
        "chomp" => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
        // Beyond ASCII the two languages differ.
        "lower" => text.is_ascii().then(|| text.to_ascii_lowercase()),
        "upper" => text.is_ascii().then(|| text.to_ascii_uppercase()),
        _ => None,
    }
}

fn joined(separator: &str, lists: &[Json]) -> Option<String> {
    let mut texts = Vec::new();
    for list in lists {
        let Json::Array(items) = list else { return None };
        for item in items {
            texts.push(interpolated(item)?);
        }
    }
    Some(texts.join(separator))
}

/// `format`, with `%s`, `%d` and `%%` only.
fn formatted(format: &str, values: &[Json]) -> Option<String> {
    let mut values = values.iter();
    let mut out = String::with_capacity(format.len());
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match (rest.next()?, &mut values) {
            ('%', _) => out.push('%'),
            ('s', values) => out.push_str(&interpolated(values.next()?)?),
            ('d', values) => {
                let Json::Number(number) = values.next()? else { return None };
                let number = number_text(number)?;
                (!number.contains('.')).then(|| out.push_str(&number))?;
            }
            _ => return None,
        }
    }
    values.next().is_none().then_some(out)
}

/// Lists whose items are of several types stay as they are, unless they were converted before.
fn concatenated(lists: Vec<Json>, are_tuples: bool) -> Option<Json> {
    if lists.is_empty() {
        return None;
    }
    let mut all = Vec::new();
    for list in lists {
        let Json::Array(items) = list else { return None };
        all.extend(items);
    }
    (are_tuples || is_uniform(&all)).then_some(Json::Array(all))
}

fn is_uniform(items: &[Json]) -> bool {
    items.split_first().is_none_or(|(first, rest)| {
        *first != Json::Null
            && rest.iter().all(|item| *item != Json::Null && are_alike(first, item))
    })
}

fn merged(objects: Vec<Json>) -> Option<Json> {
    let mut all: Vec<(String, Json)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for object in objects {
        let Json::Object(members) = object else { return None };
        for (key, value) in members {
            match places.get(&key) {
                Some(place) => all[*place].1 = value,
                None => {
                    places.insert(key.clone(), all.len());
                    all.push((key, value));
                }
            }
        }
    }
    Some(Json::Object(all))
}

/// A set of texts, in the order in which Terraform goes through it.
pub(super) fn set(value: Json) -> Option<Json> {
    let Json::Array(mut items) = value else { return None };
    if !items.iter().all(|item| matches!(item, Json::String(_))) {
        return None;
    }
    let text = |item: &Json| match item {
        Json::String(text) => text.clone(),
        _ => String::new(),
    };
    items.sort_by_cached_key(text);
    items.dedup();
    Some(Json::Array(items))
}

fn list(value: Json) -> Option<Json> {
    matches!(&value, Json::Array(items) if is_uniform(items)).then_some(value)
}

fn map(value: Json) -> Option<Json> {
    let Json::Object(members) = &value else { return None };
    let values: Vec<Json> = members.iter().map(|(_, value)| value.clone()).collect();
    is_uniform(&values).then_some(value)
}

fn all_normalized(value: Json) -> Json {
    if value.is_nfc() {
        return value;
    }
    match value {
        Json::String(text) => Json::String(normalized(text)),
        Json::Array(items) => Json::Array(items.into_iter().map(all_normalized).collect()),
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .map(|(key, value)| (normalized(key), all_normalized(value)))
                .collect(),
        ),
        other => other,
    }
}
