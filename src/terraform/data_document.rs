//! The document that an `aws_iam_policy_document` data source builds.
//!
//! Follows the provider (`policy_document_data_source.go`, `policy_model.go`): sets sorted in
//! reverse, one value without a list around it, `&{` for `${`. Where several blocks name the same
//! principal type or condition key, the provider's order is that of a hash; here it is sorted. A list
//! of one principal in a merged document is written without the list. Both mean the same.

use std::collections::BTreeMap;

use super::evaluate::Evaluator;
use super::json_text::interpolated;
use super::literal::write_json_string;
use super::source::Block;
use crate::json::Json;

const DEFAULT_VERSION: &str = "2012-10-17";
const OLD_VERSION: &str = "2008-10-17";

/// The elements of a statement, in the order in which the provider writes them.
const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
];

/// The text of the document, laid out as `json` or as `minified_json` has it.
pub(super) fn text<'a>(
    evaluator: Evaluator<'_, 'a>,
    block: Block<'a>,
    is_pretty: bool,
) -> Option<String> {
    let document = document(Reader { evaluator }, block)?;
    let mut out = String::new();
    write(&mut out, &document, is_pretty.then_some(0))?;
    Some(out)
}

#[derive(Default)]
struct Document {
    version: String,
    id: String,
    statements: Vec<Json>,
}

#[derive(Clone, Copy)]
struct Reader<'s, 'a> {
    evaluator: Evaluator<'s, 'a>,
}

fn document<'a>(reader: Reader<'_, 'a>, block: Block<'a>) -> Option<Json> {
    let mut merged = Document::default();
    let sources = reader.texts(block, "source_policy_documents")?.unwrap_or_default();
    for source in sources {
        let source = source_document(&source)?;
        let is_repeated = |statement: &Json| {
            sid(statement).is_some_and(|sid| {
                merged.statements.iter().any(|other| self::sid(other) == Some(sid))
            })
        };
        if source.statements.iter().any(is_repeated) {
            return None;
        }
        merged.merge(source);
    }
    merged.merge(own_document(reader, block)?);
    for text in reader.texts(block, "override_policy_documents")?.unwrap_or_default() {
        merged.merge(source_document(&text)?);
    }
    let mut members = Vec::new();
    for (key, value) in [("Version", merged.version), ("Id", merged.id)] {
        if !value.is_empty() {
            members.push((key.to_owned(), Json::String(value)));
        }
    }
    if !merged.statements.is_empty() {
        members.push(("Statement".to_owned(), Json::Array(merged.statements)));
    }
    Some(Json::Object(members))
}

impl Document {
    /// Takes in another document, whose statements replace those with the same Sid.
    fn merge(&mut self, other: Document) {
        if !other.id.is_empty() {
            self.id = other.id;
        }
        if other.version > self.version {
            self.version = other.version;
        }
        for statement in other.statements {
            let has_its_sid = |existing: &&mut Json| {
                sid(&statement).is_some() && sid(existing) == sid(&statement)
            };
            match self.statements.iter_mut().find(has_its_sid) {
                Some(existing) => *existing = statement,
                None => self.statements.push(statement),
            }
        }
    }
}

fn sid(statement: &Json) -> Option<&str> {
    match statement.member("Sid") {
        Some(Json::String(sid)) => Some(sid),
        _ => None,
    }
}

fn own_document<'a>(reader: Reader<'_, 'a>, block: Block<'a>) -> Option<Document> {
    let known = [
        "source_policy_documents",
        "override_policy_documents",
        "version",
        "policy_id",
        "count",
        "for_each",
        "provider",
        "depends_on",
    ];
    if !block.attributes().all(|attribute| known.contains(&attribute.name)) {
        return None;
    }
    let version = reader.text(block, "version")?.unwrap_or_else(|| DEFAULT_VERSION.to_owned());
    let mut statements: Vec<Json> = Vec::new();
    for nested in block.blocks() {
        match nested.name() {
            "statement" => {
                let statement = statement(reader, nested, &version)?;
                let is_repeated =
                    |other: &Json| sid(other).is_some() && sid(other) == sid(&statement);
                if statements.iter().any(is_repeated) {
                    return None;
                }
                statements.push(statement);
            }
            "lifecycle" => {}
            _ => return None,
        }
    }
    let id = reader.text(block, "policy_id")?.unwrap_or_default();
    Some(Document { version, id, statements })
}

fn statement<'a>(reader: Reader<'_, 'a>, block: Block<'a>, version: &str) -> Option<Json> {
    let known = ["sid", "effect", "actions", "not_actions", "resources", "not_resources"];
    if !block.attributes().all(|attribute| known.contains(&attribute.name)) {
        return None;
    }
    let mut elements: BTreeMap<&str, Json> = BTreeMap::new();
    if let Some(sid) = reader.text(block, "sid")?.filter(|sid| !sid.is_empty()) {
        elements.insert("Sid", Json::String(sid));
    }
    let effect = reader.text(block, "effect")?.unwrap_or_else(|| "Allow".to_owned());
    elements.insert("Effect", Json::String(effect));
    for (name, element) in [
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ] {
        let mut texts = reader.texts(block, name)?.unwrap_or_default();
        if name.ends_with("resources") {
            texts = with_variables(texts, version)?;
        }
        if !texts.is_empty() {
            elements.insert(element, one_or_list(reversed_set(texts)));
        }
    }
    let nested = |name: &'static str| block.blocks().filter(move |nested| nested.name() == name);
    if !block
        .blocks()
        .all(|nested| matches!(nested.name(), "principals" | "not_principals" | "condition"))
    {
        return None;
    }
    for (name, element) in [("principals", "Principal"), ("not_principals", "NotPrincipal")] {
        let mut found = Vec::new();
        for nested in nested(name) {
            let identifiers = with_variables(reader.texts(nested, "identifiers")??, version)?;
            found.push((reader.text(nested, "type")??, reversed_set(identifiers)));
        }
        if !found.is_empty() {
            elements.insert(element, principals(found));
        }
    }
    let mut conditions = Vec::new();
    for nested in nested("condition") {
        let values = with_variables(reader.texts(nested, "values")??, version)?;
        let (test, variable) = (reader.text(nested, "test")??, reader.text(nested, "variable")??);
        conditions.push((test, variable, values));
    }
    if !conditions.is_empty() {
        elements.insert("Condition", condition(conditions));
    }
    Some(in_order(elements))
}

fn in_order(mut elements: BTreeMap<&str, Json>) -> Json {
    let element = |name: &str| Some((name.to_owned(), elements.remove(name)?));
    Json::Object(ELEMENTS.into_iter().filter_map(element).collect())
}

fn principals(mut found: Vec<(String, Vec<String>)>) -> Json {
    found.sort();
    found.dedup();
    if let [(kind, identifiers)] = found.as_slice()
        && kind == "*"
        && identifiers == &["*"]
    {
        return Json::String("*".to_owned());
    }
    let mut by_type: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, identifiers) in found {
        by_type.entry(kind).or_default().extend(identifiers);
    }
    object(by_type.into_iter().map(|(kind, identifiers)| (kind, one_or_list(identifiers))))
}

fn condition(mut found: Vec<(String, String, Vec<String>)>) -> Json {
    found.sort();
    found.dedup();
    let mut by_test: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for (test, variable, values) in found {
        by_test.entry(test).or_default().entry(variable).or_default().extend(values);
    }
    object(by_test.into_iter().map(|(test, variables)| {
        let values = variables.into_iter().map(|(key, values)| (key, one_or_list(values)));
        (test, object(values))
    }))
}

fn object(members: impl Iterator<Item = (String, Json)>) -> Json {
    Json::Object(members.collect())
}

fn one_or_list(mut texts: Vec<String>) -> Json {
    if texts.len() == 1 {
        return texts.pop().map_or(Json::Null, Json::String);
    }
    Json::Array(texts.into_iter().map(Json::String).collect())
}

fn reversed_set(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.dedup();
    texts.reverse();
    texts
}

/// `&{` stands for `${`, which the old version does not have.
fn with_variables(texts: Vec<String>, version: &str) -> Option<Vec<String>> {
    let is_wrong = |text: &String| version == OLD_VERSION && text.contains("&{");
    if texts.iter().any(is_wrong) {
        return None;
    }
    Some(texts.into_iter().map(|text| text.replace("&{", "${")).collect())
}

impl<'a> Reader<'_, 'a> {
    /// A text argument: not known, absent, or there.
    fn text(self, block: Block<'a>, name: &str) -> Option<Option<String>> {
        match self.evaluator.argument_of(block, name)? {
            None | Some((Json::Null, _)) => Some(None),
            Some((value, _)) => Some(Some(interpolated(&value)?)),
        }
    }

    fn texts(self, block: Block<'a>, name: &str) -> Option<Option<Vec<String>>> {
        match self.evaluator.argument_of(block, name)? {
            None | Some((Json::Null, _)) => Some(None),
            Some((Json::Array(items), _)) => {
                items.iter().map(interpolated).collect::<Option<_>>().map(Some)
            }
            Some(_) => None,
        }
    }
}

/// A document that is merged into another, as far as it is in the usual form.
fn source_document(text: &str) -> Option<Document> {
    let Ok(Json::Object(members)) = Json::parse(text) else { return None };
    let mut document = Document::default();
    for (key, value) in members {
        match (key.as_str(), value) {
            ("Version", Json::String(version)) => document.version = version,
            ("Id", Json::String(id)) => document.id = id,
            ("Statement", Json::Array(statements)) => {
                document.statements =
                    statements.into_iter().map(source_statement).collect::<Option<_>>()?;
            }
            _ => return None,
        }
    }
    Some(document)
}

fn source_statement(statement: Json) -> Option<Json> {
    let Json::Object(members) = statement else { return None };
    let mut elements: BTreeMap<&str, Json> = BTreeMap::new();
    for (key, value) in members {
        let name = ELEMENTS.into_iter().find(|name| *name == key)?;
        let value = match (name, value) {
            ("Sid" | "Effect", Json::String(text)) if text.is_empty() => continue,
            ("Sid" | "Effect", value @ Json::String(_)) => value,
            ("Principal" | "NotPrincipal", Json::String(text)) if text == "*" => Json::String(text),
            ("Principal" | "NotPrincipal", Json::Object(members)) if members.is_empty() => continue,
            ("Principal" | "NotPrincipal", Json::Object(members)) => {
                let member = |(kind, value)| Some((kind, texts_of(value)?));
                let members = members.into_iter().map(member).collect::<Option<Vec<_>>>()?;
                let sorted = members.into_iter().map(|(kind, value)| (kind, reversed_set(value)));
                principals(sorted.collect())
            }
            ("Condition", Json::Object(tests)) if tests.is_empty() => continue,
            ("Condition", Json::Object(tests)) => {
                let mut found = Vec::new();
                for (test, variables) in tests {
                    let Json::Object(variables) = variables else { return None };
                    for (variable, values) in variables {
                        found.push((test.clone(), variable, texts_of(values)?));
                    }
                }
                condition(found)
            }
            ("Action" | "NotAction" | "Resource" | "NotResource", value) => {
                texts_of(value.clone())?;
                value
            }
            _ => return None,
        };
        elements.insert(name, value);
    }
    Some(in_order(elements))
}

fn texts_of(value: Json) -> Option<Vec<String>> {
    match value {
        Json::String(text) => Some(vec![text]),
        Json::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Json::String(text) => Some(text),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// Writes as Go does, members in the order given; `depth` is that of an indented layout.
fn write(out: &mut String, value: &Json, depth: Option<usize>) -> Option<()> {
    let deeper = depth.map(|depth| depth + 1);
    match value {
        Json::String(text) => write_json_string(out, text)?,
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index, deeper);
                write(out, item, deeper)?;
            }
            close(out, items.is_empty(), depth, ']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                separate(out, index, deeper);
                write_json_string(out, key)?;
                out.push_str(if depth.is_some() { ": " } else { ":" });
                write(out, value, deeper)?;
            }
            close(out, members.is_empty(), depth, '}');
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => return None,
    }
    Some(())
}

fn separate(out: &mut String, index: usize, depth: Option<usize>) {
    if index > 0 {
        out.push(',');
    }
    new_line(out, depth);
}

fn close(out: &mut String, is_empty: bool, depth: Option<usize>, bracket: char) {
    if !is_empty {
        new_line(out, depth);
    }
    out.push(bracket);
}

fn new_line(out: &mut String, depth: Option<usize>) {
    if let Some(depth) = depth {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    }
}
