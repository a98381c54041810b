//! Whether what an expression does not tell may have stayed as it was, while what it tells changed.

use super::compare::{Match, Place, View, json_within, matches, pair};
use super::{Meaning, compare};
use crate::json::Json;
use crate::terraform::node::{Content, Node};

/// Whether the unknown parts of an expression are in `after` what they are in `before`, as far as
/// both can be told to have them. `after` is what the expression is assumed to mean.
pub fn may_be_unmoved(node: &Node, before: &Json, after: &Json, meaning: Meaning) -> bool {
    compare(node, after, meaning) != Match::Assumed
        || is_unmoved(node, before, after, Place::of(meaning))
}

fn is_unmoved(node: &Node, before: &Json, after: &Json, place: Place) -> bool {
    if node.value().is_some() {
        return true;
    }
    if let Some(inner) = json_within(node) {
        return match (place, before, after) {
            (Place::Text(_), ..) => is_unmoved(inner, before, after, place.content()),
            (_, Json::String(before), Json::String(after)) => {
                match (Json::parse(before), Json::parse(after)) {
                    (Ok(before), Ok(after)) => is_unmoved(inner, &before, &after, Place::Json),
                    _ => true,
                }
            }
            _ => true,
        };
    }
    match &node.content {
        Content::Object(members) if !(place.is_set() && is_list(before, after)) => {
            let place = if place.is_set() { place.item() } else { place };
            members.iter().all(|member| {
                let of = |value| found(value, &member.key, place);
                let (Some(before), Some(after)) = (of(before), of(after)) else { return true };
                is_unmoved(&member.value, before, after, place.member(&member.key))
            })
        }
        Content::List(items) => are_unmoved(items.iter(), before, after, place),
        Content::Object(_) => are_unmoved(std::iter::once(node), before, after, place),
        _ => matches(View::Json(before), after, place) == Match::Same,
    }
}

fn is_list(before: &Json, after: &Json) -> bool {
    [before, after].into_iter().any(|value| matches!(value, Json::Array(_)))
}

fn found<'a>(value: &'a Json, key: &str, place: Place) -> Option<&'a Json> {
    let Json::Object(members) = value else { return None };
    let exact = members.iter().find(|(other, _)| other == key);
    let found = exact.or_else(|| members.iter().find(|(other, _)| place.is_same_key(key, other)));
    found.map(|(_, value)| value)
}

/// An item that was there before must be able to be what it was. One that is new may be anything.
fn are_unmoved<'a>(
    items: impl Iterator<Item = &'a Node>,
    before: &Json,
    after: &Json,
    place: Place,
) -> bool {
    let nodes: Vec<&Node> = items.collect();
    let (before, after) = (as_list(before), as_list(after));
    let place = if place.is_set() {
        place.item()
    } else {
        if nodes.len() != before.len() || nodes.len() != after.len() {
            return true;
        }
        let mut triples = nodes.iter().zip(before.iter().zip(&after));
        return triples
            .all(|(node, (before, after))| is_unmoved(node, before, after, place.item()));
    };
    let views: Vec<View> = nodes.iter().map(|node| View::Node(node)).collect();
    let (was, is) = (pair(&views, &before, place), pair(&views, &after, place));
    let is_known = |at: &usize| nodes[*at].value().is_some();
    let told: Vec<usize> = (0..nodes.len()).filter(is_known).filter_map(|at| was[at]).collect();
    let rest: Vec<&&Json> =
        (0..before.len()).filter(|at| !told.contains(at)).map(|at| &before[at]).collect();
    let changed = (0..nodes.len()).filter(|at| was[*at].is_none()).count();
    (0..nodes.len()).filter(|at| !is_known(at)).all(|at| {
        let Some(after) = is[at].map(|index| after[index]) else { return true };
        let unmoved = |before: &&Json| is_unmoved(nodes[at], before, after, place);
        match was[at] {
            Some(_) => rest.iter().any(|before| {
                matches(views[at], before, place) != Match::Differs && unmoved(before)
            }),
            // Its known part was edited. It can be told what it was if nothing else was edited.
            None => {
                let left = |index: &usize| !was.contains(&Some(*index));
                let mut left = (0..before.len()).filter(left);
                match (left.next(), left.next(), changed) {
                    (Some(only), None, 1) => unmoved(&before[only]),
                    _ => true,
                }
            }
        }
    })
}

fn as_list(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(items) => items.iter().collect(),
        single => vec![single],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_document::Dialect;
    use crate::terraform::edit::compare::tests::node;

    fn document(statements: &str) -> Json {
        Json::parse(&format!(r#"{{"Statement":{statements}}}"#)).expect("JSON")
    }

    fn holds(expression: &str, before: &str, after: &str) -> bool {
        let inner = node(&document(expression));
        let node = Node { span: 0..0, content: Content::JsonEncode(Box::new(inner)) };
        let meaning = Meaning::Document(Dialect::Iam);
        let (before, after) = (document(before), document(after));
        assert_eq!(compare(&node, &after, meaning), Match::Assumed, "{expression} {after}");
        may_be_unmoved(&node, &before, &after, meaning)
    }

    #[test]
    fn unknown_value_next_to_an_edited_one_stays_what_it_was() {
        for statements in [true, false] {
            let list = |text: &str| if statements { format!("[{text}]") } else { text.to_owned() };
            let edited = list(r#"{"Action":["a","b"],"Resource":"?"}"#);
            let before = list(r#"{"Action":["a"],"Resource":"r"}"#);
            let is = |after: &str| holds(&edited, &before, &list(after));
            assert!(is(r#"{"Action":["b","a"],"Resource":["r"]}"#));
            assert!(!is(r#"{"Action":["a","b"],"Resource":"*"}"#));
        }
    }

    #[test]
    fn unknown_statement_next_to_a_new_one_stays_what_it_was() {
        let edited = r#"[{"Action":"new"},{"Action":"a","Resource":"?"}]"#;
        let before = r#"{"Action":"a","Resource":"r"}"#;
        assert!(holds(edited, before, r#"[{"Action":"a","Resource":"r"},{"Action":"new"}]"#));
        assert!(!holds(edited, before, r#"[{"Action":"a","Resource":"*"},{"Action":"new"}]"#));
    }

    #[test]
    fn unknown_statement_is_not_what_another_one_was() {
        let statement = |action: &str, resource: &str| {
            format!(r#"{{"Action":"{action}","Resource":"{resource}"}}"#)
        };
        let list = |of: &[&str]| format!("[{}]", of.join(","));
        let (unknown, new) = (statement("a", "?"), statement("new", "r"));
        let (one, other) = (statement("a", "r1"), statement("a", "r2"));
        let away = statement("z", "r2");
        // The one whose resource it has now was taken out, or is another one that is told.
        let taken = list(&[&unknown, &new]);
        assert!(holds(&taken, &list(&[&one, &away]), &list(&[&one, &new])));
        assert!(!holds(&taken, &list(&[&one, &away]), &list(&[&other, &new])));
        let told = list(&[&unknown, &other, &new]);
        assert!(holds(&told, &list(&[&one, &other]), &list(&[&one, &other, &new])));
        assert!(!holds(&told, &list(&[&one, &other]), &list(&[&other, &other, &new])));
    }

    #[test]
    fn unknown_part_of_a_text_that_is_json_stays_what_it_was() {
        let text = |json: &str| Json::String(json.to_owned());
        let inner = node(&Json::parse(r#"{"a":"new","b":"?"}"#).expect("JSON"));
        let edited = Node { span: 0..0, content: Content::JsonEncode(Box::new(inner)) };
        let before = text(r#"{"a":"x","b":1}"#);
        let is = |after: &str| may_be_unmoved(&edited, &before, &text(after), Meaning::Plain);
        assert!(is(r#"{"a":"new","b":1}"#));
        assert!(!is(r#"{"a":"new","b":2}"#));
    }

    #[test]
    fn new_unknown_statement_may_be_anything() {
        let edited = r#"[{"Action":"a"},{"Action":"b","Resource":"?"}]"#;
        assert!(holds(
            edited,
            r#"{"Action":"a"}"#,
            r#"[{"Action":"b","Resource":"*"},{"Action":"a"}]"#
        ));
    }

    #[test]
    fn unknown_item_of_a_set_stays_one_of_those_that_it_may_have_been() {
        let edited = r#"{"Action":["?","c"]}"#;
        let before = r#"{"Action":["a","b"]}"#;
        assert!(holds(edited, before, r#"{"Action":["c","a"]}"#));
        assert!(holds(edited, before, r#"{"Action":["b","c"]}"#));
        assert!(!holds(edited, before, r#"{"Action":["c","*"]}"#));
        assert!(!holds(r#"{"Action":["?","b"]}"#, before, r#"{"Action":["b","*"]}"#));
    }

    #[test]
    fn items_of_a_plain_list_keep_their_places() {
        let list = |text: &str| Json::parse(text).expect("JSON");
        let moved = |after| {
            let edited = node(&list(r#"["?","new"]"#));
            !may_be_unmoved(&edited, &list(r#"["a","b"]"#), &list(after), Meaning::Plain)
        };
        assert!(!moved(r#"["a","new"]"#));
        assert!(moved(r#"["z","new"]"#));
    }
}
