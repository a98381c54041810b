//! Whether an expression of a file means a value, as far as the expression is known.

use std::borrow::Cow;

use super::super::node::{Content, Node};
use crate::json::Json;
use crate::policy_document::{Dialect, Document, account_of_root_arn, number_value};

/// What a value is, which decides what counts as equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// An ordinary argument: `3600` and `"3600"` are the same, lists are ordered.
    Plain,
    /// An argument that is a list whose order says nothing.
    Set,
    /// A text that holds a policy document. The value to compare with is the document.
    Document(Dialect),
}

/// Whether an expression means a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    Differs,
    /// The same as far as it is known: some part is not.
    Assumed,
    Same,
}

/// Whether the expression means the value.
pub fn compare(node: &Node, value: &Json, meaning: Meaning) -> Match {
    matches(View::Node(node), value, Place::of(meaning))
}

/// Where in a value something stands, which decides what counts as equal there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Plain,
    /// A list of plain values in any order.
    Set,
    /// A text whose content is a document.
    Text(Dialect),
    /// Within JSON that is compared as JSON.
    Json,
    Document,
    Statements,
    Statement,
    Sid,
    Effect,
    /// A set of texts, where one stands for a list of one.
    Values,
    Value,
    Principals,
    PrincipalValues,
    PrincipalValue,
    Operators,
    ConditionKeys,
}

impl Place {
    pub fn of(meaning: Meaning) -> Place {
        match meaning {
            Meaning::Plain => Place::Plain,
            Meaning::Set => Place::Set,
            Meaning::Document(dialect) => Place::Text(dialect),
        }
    }

    /// The place of the content of a text.
    pub fn content(self) -> Place {
        match self {
            Place::Text(Dialect::Iam) => Place::Document,
            Place::Text(Dialect::Organizations) | Place::Plain => Place::Json,
            within => within,
        }
    }

    pub fn member(self, key: &str) -> Place {
        match self {
            Place::Plain | Place::Set => Place::Plain,
            Place::Document if key.eq_ignore_ascii_case("statement") => Place::Statements,
            Place::Statement => match key.to_lowercase().as_str() {
                "sid" => Place::Sid,
                "effect" => Place::Effect,
                "action" | "notaction" | "resource" | "notresource" => Place::Values,
                "principal" | "notprincipal" => Place::Principals,
                "condition" => Place::Operators,
                _ => Place::Json,
            },
            Place::Principals => Place::PrincipalValues,
            Place::Operators => Place::ConditionKeys,
            Place::ConditionKeys => Place::Values,
            _ => Place::Json,
        }
    }

    pub fn item(self) -> Place {
        match self {
            Place::Statements => Place::Statement,
            Place::Values => Place::Value,
            Place::PrincipalValues => Place::PrincipalValue,
            Place::Plain | Place::Set => Place::Plain,
            _ => Place::Json,
        }
    }

    /// Whether the order of a list says nothing, and one value is a list of one.
    pub fn is_set(self) -> bool {
        matches!(self, Place::Set | Place::Statements | Place::Values | Place::PrincipalValues)
    }

    /// Whether two keys of an object at this place are the same.
    pub fn is_same_key(self, one: &str, other: &str) -> bool {
        one == other
            || (matches!(self, Place::Document | Place::Statement)
                && one.to_lowercase() == other.to_lowercase())
    }

    pub fn is_policy(self) -> bool {
        !matches!(self, Place::Plain | Place::Set)
    }
}

/// Something to compare with a value: an expression, or a value that one is known to have.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Node(&'a Node),
    Json(&'a Json),
}

enum Shape<'a> {
    Unknown,
    Scalar(Cow<'a, Json>),
    List(Vec<View<'a>>),
    Object(Vec<(&'a str, View<'a>)>),
}

impl<'a> View<'a> {
    fn shape(self) -> Shape<'a> {
        let json = match self {
            View::Json(json) => json,
            View::Node(node) => match &node.content {
                Content::Unknown => return Shape::Unknown,
                Content::Scalar(value) | Content::Computed { value, .. } => value,
                Content::List(items) => return Shape::List(items.iter().map(View::Node).collect()),
                Content::Object(members) => {
                    let member = |member: &'a super::super::node::Member| {
                        (member.key.as_str(), View::Node(&member.value))
                    };
                    return Shape::Object(members.iter().map(member).collect());
                }
                Content::JsonEncode(_) | Content::JsonText(_) => {
                    return match node.value() {
                        Some(text) => Shape::Scalar(Cow::Owned(text)),
                        None => Shape::Unknown,
                    };
                }
            },
        };
        match json {
            Json::Array(items) => Shape::List(items.iter().map(View::Json).collect()),
            Json::Object(members) => Shape::Object(
                members.iter().map(|(key, value)| (key.as_str(), View::Json(value))).collect(),
            ),
            scalar => Shape::Scalar(Cow::Borrowed(scalar)),
        }
    }
}

/// The expression within a text that is JSON, if the text is written that way.
pub(super) fn json_within(node: &Node) -> Option<&Node> {
    match &node.content {
        Content::JsonEncode(inner) => Some(inner),
        Content::JsonText(text) => Some(&text.root),
        _ => None,
    }
}

/// Whether two known values mean the same at a place.
pub(super) fn is_same(one: &Json, other: &Json, place: Place) -> bool {
    one == other || matches(View::Json(one), other, place) == Match::Same
}

pub(super) fn matches(view: View, value: &Json, place: Place) -> Match {
    if let View::Json(json) = view
        && json == value
    {
        return Match::Same;
    }
    if let Place::Text(dialect) = place {
        return text_matches(view, value, dialect);
    }
    if place == Place::Plain
        && let View::Node(node) = view
        && let Some(inner) = json_within(node)
        && let Json::String(text) = value
        && let Ok(value) = Json::parse(text)
    {
        return matches(View::Node(inner), &value, Place::Json);
    }
    let shape = view.shape();
    if place.is_set() && !matches!(shape, Shape::Unknown) {
        let views = match shape {
            Shape::List(items) => items,
            _ => vec![view],
        };
        let values: Vec<&Json> = match value {
            Json::Array(items) => items.iter().collect(),
            single => vec![single],
        };
        return set_matches(&views, &values, place.item());
    }
    match (shape, value) {
        (Shape::Unknown, _) => Match::Assumed,
        (Shape::Scalar(scalar), _) => {
            let is_container = |json: &Json| matches!(json, Json::Array(_) | Json::Object(_));
            known(!is_container(value) && scalar_key(&scalar, place) == scalar_key(value, place))
        }
        (Shape::List(views), Json::Array(values)) if views.len() == values.len() => {
            let pairs = views.into_iter().zip(values);
            all(pairs.map(|(view, value)| matches(view, value, place.item())))
        }
        (Shape::Object(members), Json::Object(values)) => object_matches(&members, values, place),
        _ => Match::Differs,
    }
}

fn text_matches(view: View, value: &Json, dialect: Dialect) -> Match {
    let place = Place::Text(dialect).content();
    if let View::Node(node) = view
        && let Some(inner) = json_within(node)
    {
        return matches(View::Node(inner), value, place);
    }
    match view.shape() {
        Shape::Scalar(scalar) => match scalar.as_ref() {
            Json::String(text) => match Document::from_text(text) {
                Document::Json(document) => known(is_same(&document, value, place)),
                Document::Text { .. } => Match::Differs,
            },
            _ => Match::Differs,
        },
        Shape::Unknown => Match::Assumed,
        Shape::List(_) | Shape::Object(_) => matches(view, value, place),
    }
}

fn object_matches(members: &[(&str, View)], values: &[(String, Json)], place: Place) -> Match {
    let is_nothing =
        |key: &str, value: &Json| member_is_nothing(place, key, View::Json(value)) == Match::Same;
    let mut is_taken: Vec<bool> =
        values.iter().map(|(key, value)| is_nothing(key, value)).collect();
    let mut found = Match::Same;
    for (key, view) in members {
        let nothing = member_is_nothing(place, key, *view);
        if nothing == Match::Same {
            continue;
        }
        let free = |at: &usize| !is_taken[*at];
        let index = (0..values.len()).filter(free).find(|at| values[*at].0 == *key).or_else(|| {
            (0..values.len()).filter(free).find(|at| place.is_same_key(key, &values[*at].0))
        });
        found = found.min(match index {
            Some(index) => {
                is_taken[index] = true;
                matches(*view, &values[index].1, place.member(key))
            }
            None => nothing,
        });
        if found == Match::Differs {
            return found;
        }
    }
    if is_taken.iter().all(|is_taken| *is_taken) { found } else { Match::Differs }
}

/// Whether a member says as much as none: a statement's empty Sid.
pub(super) fn member_is_nothing(place: Place, key: &str, view: View) -> Match {
    if place != Place::Statement || place.member(key) != Place::Sid {
        return Match::Differs;
    }
    matches(view, &Json::String(String::new()), Place::Json)
}

/// Whether each of the views can be paired with one of the values, all different.
fn set_matches(views: &[View], values: &[&Json], place: Place) -> Match {
    if views.len() != values.len() {
        return Match::Differs;
    }
    let pairs = pair(views, values, place);
    all(views.iter().zip(pairs).map(|(view, value)| match value {
        Some(value) => matches(*view, values[value], place),
        None => Match::Differs,
    }))
}

/// For each view a value that it means, no value twice: as many as there can be, those first that
/// are the same beyond doubt.
pub(super) fn pair(views: &[View], values: &[&Json], place: Place) -> Vec<Option<usize>> {
    let mut value_of: Vec<Option<usize>> = vec![None; views.len()];
    let mut view_of: Vec<Option<usize>> = vec![None; values.len()];
    let mut assumed: Vec<Vec<usize>> = vec![Vec::new(); views.len()];
    for (index, view) in views.iter().enumerate() {
        let mut candidates = Vec::new();
        for (at, value) in values.iter().enumerate() {
            match matches(*view, value, place) {
                Match::Same if view_of[at].is_none() => {
                    value_of[index] = Some(at);
                    view_of[at] = Some(index);
                    break;
                }
                Match::Differs => {}
                Match::Same | Match::Assumed => candidates.push(at),
            }
        }
        if value_of[index].is_none() {
            assumed[index] = candidates;
        }
    }
    // What is known can only be paired with its equals, so leaving it in place loses nothing.
    for index in 0..views.len() {
        if value_of[index].is_none() && !assumed[index].is_empty() {
            let mut seen = vec![false; values.len()];
            augment(index, &assumed, &mut view_of, &mut seen);
        }
    }
    for (at, view) in view_of.iter().enumerate() {
        if let Some(view) = view {
            value_of[*view] = Some(at);
        }
    }
    value_of
}

fn augment(
    view: usize,
    candidates: &[Vec<usize>],
    view_of: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for at in &candidates[view] {
        if std::mem::replace(&mut seen[*at], true) {
            continue;
        }
        // One that is the same beyond doubt has no other candidates, and stays.
        let is_free = match view_of[*at] {
            None => true,
            Some(other) => augment(other, candidates, view_of, seen),
        };
        if is_free {
            view_of[*at] = Some(view);
            return true;
        }
    }
    false
}

fn all(matches: impl Iterator<Item = Match>) -> Match {
    matches.min().unwrap_or(Match::Same)
}

fn known(is_same: bool) -> Match {
    if is_same { Match::Same } else { Match::Differs }
}

/// What two scalars have in common if they mean the same at a place.
fn scalar_key(value: &Json, place: Place) -> (u8, String) {
    const TEXT: u8 = 0;
    const NUMBER: u8 = 1;
    match (value, place) {
        (Json::String(text), Place::Effect) => (TEXT, text.to_lowercase()),
        (Json::String(text), Place::PrincipalValue) => {
            (TEXT, account_of_root_arn(text).unwrap_or(text).to_owned())
        }
        (Json::String(text), _) => (TEXT, text.clone()),
        (Json::Number(text), Place::Plain | Place::Value | Place::PrincipalValue) => {
            (TEXT, number_value(text))
        }
        (Json::Number(text), _) => (NUMBER, number_value(text)),
        (Json::Bool(value), Place::Plain | Place::Value | Place::PrincipalValue) => {
            (TEXT, value.to_string())
        }
        (Json::Bool(value), _) => (2, value.to_string()),
        (Json::Null, _) => (3, String::new()),
        (Json::Array(_) | Json::Object(_), _) => (4, value.to_string()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terraform::node::Member;

    fn unknown() -> Node {
        Node { span: 0..0, content: Content::Unknown }
    }

    /// The expression for a value in which every text `?` is unknown.
    pub fn node(value: &Json) -> Node {
        let content = match value {
            Json::String(text) if text == "?" => Content::Unknown,
            Json::Array(items) => Content::List(items.iter().map(node).collect()),
            Json::Object(members) => {
                let member = |(key, value): &(String, Json)| Member {
                    key: key.clone(),
                    key_span: 0..0,
                    value: node(value),
                };
                Content::Object(members.iter().map(member).collect())
            }
            scalar => Content::Scalar(scalar.clone()),
        };
        Node { span: 0..0, content }
    }

    fn document(text: &str) -> Node {
        let inner = node(&Json::parse(text).unwrap());
        Node { span: 0..0, content: Content::JsonEncode(Box::new(inner)) }
    }

    fn verdict(text: &str, value: &str, meaning: Meaning) -> Match {
        compare(&document(text), &Json::parse(value).unwrap(), meaning)
    }

    const IAM: Meaning = Meaning::Document(Dialect::Iam);
    const ORGANIZATIONS: Meaning = Meaning::Document(Dialect::Organizations);

    #[test]
    fn unknown_parts_are_taken_for_what_fits() {
        for (text, value, expected) in [
            (r#"{"Statement":"?"}"#, r#"{"Statement":[]}"#, Match::Assumed),
            (r#"{"Statement":"?"}"#, r#"{"Version":"v"}"#, Match::Differs),
            (
                r#"{"Statement":{"Action":["?","a"]}}"#,
                r#"{"Statement":[{"Action":["a","b"]}]}"#,
                Match::Assumed,
            ),
            (
                r#"{"Statement":{"Action":["?","a"]}}"#,
                r#"{"Statement":[{"Action":["c","b"]}]}"#,
                Match::Differs,
            ),
            (
                r#"{"Statement":{"Action":["?","?"]}}"#,
                r#"{"Statement":[{"Action":["c","b","a"]}]}"#,
                Match::Differs,
            ),
            (
                r#"{"Statement":[{"Sid":"?"},{"Sid":"a"}]}"#,
                r#"{"Statement":[{"Sid":"a"},{}]}"#,
                Match::Assumed,
            ),
            (
                r#"{"Statement":[{"Sid":"?","Action":"x"},{"Sid":"a","Action":"?"}]}"#,
                r#"{"Statement":[{"Sid":"a","Action":"x"},{"Sid":"b","Action":"x"}]}"#,
                Match::Assumed,
            ),
        ] {
            assert_eq!(verdict(text, value, IAM), expected, "{text} {value}");
        }
        let list = r#"{"a":["?","b"]}"#;
        assert_eq!(verdict(list, r#"{"a":["b","b"]}"#, ORGANIZATIONS), Match::Assumed);
        assert_eq!(verdict(list, r#"{"a":["b","c"]}"#, ORGANIZATIONS), Match::Differs);
    }

    #[test]
    fn plain_values_are_compared_as_terraform_converts_them() {
        let same = |one: &str, other: &str| {
            compare(&node(&Json::parse(one).unwrap()), &Json::parse(other).unwrap(), Meaning::Plain)
                == Match::Same
        };
        assert!(same("3600", r#""3600""#) && same(r#""true""#, "true") && same("1", "1.0"));
        assert!(same(r#"{"a":"1","b":[2]}"#, r#"{"b":["2"],"a":1}"#));
        assert!(!same(r#""012""#, "12") && !same("[1,2]", "[2,1]") && !same("null", r#""""#));
        assert_eq!(compare(&unknown(), &Json::Null, Meaning::Plain), Match::Assumed);
        let text = Node {
            span: 0..0,
            content: Content::JsonEncode(Box::new(node(&Json::parse(r#"{"b":1,"a":2}"#).unwrap()))),
        };
        let value = Json::String(r#"{ "a": 2, "b": 1.0 }"#.to_owned());
        assert_eq!(compare(&text, &value, Meaning::Plain), Match::Same);
    }

    fn any_document() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            "1|1\\.0|2|1e0".prop_map(Json::Number),
            "|a|A|1|true|allow|Allow|111122223333|arn:aws:iam::111122223333:root"
                .prop_map(Json::String),
        ];
        let values = leaf.prop_recursive(3, 16, 3, |inner| {
            let keys = "Sid|sid|Effect|Action|action|Principal|Condition|Bool|AWS|Id|Statement";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
                prop::collection::btree_map(keys, inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        });
        values.prop_map(|value| Json::Object(vec![("Statement".to_owned(), value)]))
    }

    /// Whether a key stands twice once its case is folded, which AWS does not take.
    fn has_key_twice(json: &Json) -> bool {
        match json {
            Json::Array(items) => items.iter().any(has_key_twice),
            Json::Object(members) => members.iter().enumerate().any(|(index, (key, value))| {
                let is_it = |(other, _): &(String, Json)| other.eq_ignore_ascii_case(key);
                has_key_twice(value) || members[..index].iter().any(is_it)
            }),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn known_documents_are_compared_as_documents_are(
            one in any_document(),
            other in any_document(),
        ) {
            if has_key_twice(&one) || has_key_twice(&other) {
                return Ok(());
            }
            for dialect in [Dialect::Iam, Dialect::Organizations] {
                for other in [&one, &other] {
                    let expected = Document::Json(one.clone())
                        .means_the_same(&Document::Json(other.clone()), dialect);
                    let inner = Box::new(node(&one));
                    let text = Node { span: 0..0, content: Content::JsonEncode(inner) };
                    let found = compare(&text, other, Meaning::Document(dialect));
                    prop_assert_eq!(found == Match::Same, expected, "{} {}", one, other);
                }
            }
        }
    }
}
