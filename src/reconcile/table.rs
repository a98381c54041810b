//! The truth table, which is also the one of `docs/reconcile.md`.
//!
//! A letter is a value, another letter another value, `–` none, and `?` what cannot be known from
//! the files.

use std::collections::BTreeSet;

use super::Verdict::{Conflicting, Converged, Drifted, Pending, Unchanged};
use super::*;
use crate::terraform::node::Member;

const NONE: &str = "–";
const DOCUMENTATION: &str = include_str!("../../docs/reconcile.md");

/// Base, desired, actual, what comes of it, and what is written.
type Row = (&'static str, &'static str, &'static str, Verdict, &'static str);

const NOTHING: &str = "nothing";
const JSON: &str = "JSON";
const BOTH: &str = "JSON and Terraform";
const REQUEST: &str = "nothing; a pull request";

/// A whole entity. Values inside it, where the entity itself is everywhere, go by the same rows.
const ENTITY: &[Row] = &[
    ("x", "x", "x", Unchanged, NOTHING),
    ("x", "y", "x", Pending, NOTHING),
    ("x", "x", "y", Drifted, BOTH),
    ("x", "y", "y", Converged, JSON),
    ("x", "y", "z", Conflicting, REQUEST),
    ("–", "–", "x", Drifted, BOTH),
    ("–", "x", "–", Pending, NOTHING),
    ("–", "x", "x", Converged, JSON),
    ("–", "x", "y", Conflicting, REQUEST),
    ("x", "–", "x", Pending, NOTHING),
    ("x", "–", "–", Converged, "JSON is removed"),
    ("x", "–", "y", Conflicting, REQUEST),
    ("x", "x", "–", Drifted, "JSON and Terraform are removed"),
    ("x", "y", "–", Conflicting, REQUEST),
    ("–", "–", "–", Unchanged, NOTHING),
];

/// A value that the files do not tell.
const UNKNOWN: &[Row] = &[
    ("x", "?", "x", Unchanged, NOTHING),
    ("–", "?", "–", Unchanged, NOTHING),
    ("x", "?", "y", Conflicting, REQUEST),
    ("–", "?", "x", Conflicting, REQUEST),
    ("x", "?", "–", Conflicting, REQUEST),
];

/// A value of two parts, of which the files do not tell the second.
const PARTLY: &[Row] = &[
    ("x 1", "x ?", "x 1", Unchanged, NOTHING),
    ("x 1", "x ?", "y 1", Drifted, "JSON, and the known part of Terraform"),
    ("x 1", "x ?", "x 2", Conflicting, REQUEST),
    ("x 1", "x ?", "y 2", Drifted, "nothing: the edit ends at `?`, so it is Conflicting"),
    ("x 1", "y ?", "x 1", Pending, NOTHING),
    ("x 1", "y ?", "y 1", Converged, JSON),
    ("x 1", "y ?", "y 2", Conflicting, REQUEST),
    ("x 1", "y ?", "x 2", Conflicting, REQUEST),
    ("x 1", "y ?", "z 1", Conflicting, REQUEST),
    ("x 1", "y ?", "z 2", Conflicting, REQUEST),
    ("–", "x ?", "x 1", Converged, JSON),
    ("–", "x ?", "y 1", Conflicting, REQUEST),
];

/// A resource of a type of which the files may declare more than can be told.
const COVERED: &[Row] = &[
    ("–", "covered", "–", Unchanged, NOTHING),
    ("x", "covered", "x", Unchanged, NOTHING),
    ("x", "covered", "y", Conflicting, REQUEST),
    ("–", "covered", "x", Conflicting, REQUEST),
    ("x", "covered", "–", Conflicting, REQUEST),
    ("x", "x, covered", "y", Drifted, BOTH),
    ("x", "y, covered", "x", Pending, NOTHING),
    ("x", "y, covered", "y", Converged, JSON),
    ("x", "y, covered", "z", Conflicting, REQUEST),
];

/// An argument that Terraform is told to leave alone, or that a reading did not tell.
const IGNORED: &[Row] = &[
    ("x", "x, ignored", "y", Converged, JSON),
    ("x", "y, ignored", "x", Unchanged, NOTHING),
    ("x", "y, ignored", "z", Converged, JSON),
    ("x", "?, ignored", "y", Converged, JSON),
    ("not read", "x", "x", Unchanged, JSON),
    ("not read", "y", "x", Pending, JSON),
    ("not read", "x", "not read", Unchanged, NOTHING),
];

/// Each part of the table: the heading it has in the documentation, its rows, and the state that a
/// cell stands for.
type Part = (&'static str, &'static [Row], fn(&str, Side) -> Option<State>);

const PARTS: &[Part] = &[
    ("A whole entity", ENTITY, entity),
    ("A value that the files do not tell", UNKNOWN, argument),
    ("A value of which a part is not told", PARTLY, partly),
    ("Resources that cannot be counted", COVERED, covered),
    ("Arguments that are left alone", IGNORED, argument),
];

/// Whose a state is, which decides how its values are held.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Known,
    Read,
}

fn value(value: Json, side: Side) -> Argument {
    match side {
        Side::Known => Argument::Known { value, meaning: Meaning::Plain },
        Side::Read => Argument::Read(node(Content::Scalar(value))),
    }
}

fn text(text: &str) -> Json {
    Json::String(text.to_owned())
}

fn node(content: Content) -> Node {
    Node { span: 0..0, content }
}

fn identity(resource_type: &str) -> Identity {
    (resource_type.to_owned(), "deploy".to_owned())
}

fn entity(cell: &str, side: Side) -> Option<State> {
    (cell != NONE).then(|| argument(cell, side)).flatten()
}

/// A role with one argument as the cell says; the entity itself is always there.
fn argument(cell: &str, side: Side) -> Option<State> {
    let (cell, is_ignored) = match cell.split_once(", ") {
        Some((cell, _)) => (cell, true),
        None => (cell, cell == "not read"),
    };
    let argument = match cell {
        NONE | "not read" => None,
        "?" => Some(Argument::Read(node(Content::Unknown))),
        known => Some(value(text(known), side)),
    };
    let name = || "description".to_owned();
    let resource = Resource {
        arguments: argument.into_iter().map(|argument| (name(), argument)).collect(),
        ignored: is_ignored.then(name).into_iter().collect(),
    };
    let resources = BTreeMap::from([(identity("aws_iam_role"), resource)]);
    Some(State { resources, ..State::default() })
}

/// A role whose tags are the parts of the cell.
fn partly(cell: &str, side: Side) -> Option<State> {
    let (known, other) = cell.split_once(' ')?;
    let parts = [("known", known), ("other", other)];
    let tags = match side {
        Side::Known => {
            let tag = |(key, value): (&str, &str)| (key.to_owned(), text(value));
            let value = Json::Object(parts.map(tag).into());
            Argument::Known { value, meaning: Meaning::Plain }
        }
        Side::Read => {
            let member = |(key, value): (&str, &str)| Member {
                key: key.to_owned(),
                key_span: 0..0,
                value: node(match value {
                    "?" => Content::Unknown,
                    known => Content::Scalar(text(known)),
                }),
            };
            Argument::Read(node(Content::Object(parts.map(member).into())))
        }
    };
    let arguments = BTreeMap::from([("tags".to_owned(), tags)]);
    let resource = Resource { arguments, ..Resource::default() };
    let resources = BTreeMap::from([(identity("aws_iam_role"), resource)]);
    Some(State { resources, ..State::default() })
}

/// A role, and perhaps an inline policy as the cell says.
fn covered(cell: &str, side: Side) -> Option<State> {
    let mut state = argument("x", side)?;
    let (cell, is_covered) = match cell.strip_suffix("covered") {
        Some(rest) => (rest.trim_end_matches(", "), true),
        None => (cell, false),
    };
    if !matches!(cell, "" | NONE) {
        let arguments = BTreeMap::from([("policy".to_owned(), value(text(cell), side))]);
        let inline = Resource { arguments, ..Resource::default() };
        state.resources.insert(identity("aws_iam_role_policy"), inline);
    }
    state.covered = is_covered.then(|| "aws_iam_role_policy".to_owned()).into_iter().collect();
    Some(state)
}

#[test]
fn every_row_of_the_truth_table() {
    for (part, rows, state) in PARTS {
        for row @ (base, desired, actual, verdict, _) in *rows {
            let (base, actual) = (state(base, Side::Known), state(actual, Side::Known));
            let is_known = !desired.contains('?');
            for side in [Side::Read, Side::Known].into_iter().take(1 + usize::from(is_known)) {
                let desired = state(desired, side);
                let found = reconcile(base.as_ref(), desired.as_ref(), actual.as_ref());
                assert_eq!(found, *verdict, "{part}: {row:?}, {side:?}");
            }
        }
    }
}

/// The letters in the order in which they come first.
fn class(cells: [&str; 3]) -> [&'static str; 3] {
    let mut letters = vec![NONE];
    cells.map(|cell| {
        let known = if cell == NONE { Some(0) } else { None };
        let at = known.or_else(|| letters.iter().position(|letter| *letter == cell));
        let at = at.unwrap_or_else(|| {
            letters.push(["x", "y", "z"].into_iter().find(|it| *it == cell).expect("a letter"));
            letters.len() - 1
        });
        [NONE, "x", "y", "z"][at]
    })
}

#[test]
fn the_table_has_every_combination_of_known_values_once() {
    let mut classes = BTreeSet::new();
    for (base, desired, actual, ..) in ENTITY {
        assert!(classes.insert([*base, *desired, *actual]), "{base} {desired} {actual} is twice");
    }
    let cells = [NONE, "x", "y", "z"];
    let mut found = BTreeSet::new();
    for base in cells {
        for desired in cells {
            for actual in cells {
                let class = class([base, desired, actual]);
                found.insert(class);
                let row = ENTITY.iter().find(|row| [row.0, row.1, row.2] == class);
                let (.., verdict, _) = row.expect("a row for each class");
                for state in [entity, argument] {
                    let [base, actual] = [base, actual].map(|cell| state(cell, Side::Known));
                    let desired = state(desired, Side::Read);
                    assert_eq!(
                        reconcile(base.as_ref(), desired.as_ref(), actual.as_ref()),
                        *verdict,
                        "{class:?}"
                    );
                }
            }
        }
    }
    assert_eq!(found, classes);
}

#[test]
fn the_table_has_every_combination_with_an_unknown_value_once() {
    let cells = [NONE, "x", "y"];
    let mut found = BTreeSet::new();
    for base in cells {
        for actual in cells {
            let [base, actual, _] = class([base, actual, NONE]);
            let rows = UNKNOWN.iter().filter(|row| (row.0, row.2) == (base, actual));
            assert_eq!(rows.count(), 1, "{base} ? {actual}");
            found.insert([base, actual]);
        }
    }
    assert_eq!(found.len(), UNKNOWN.len());
}

#[test]
fn the_documentation_has_the_same_table() {
    let sections: Vec<&str> = DOCUMENTATION.split("\n### ").collect();
    for (heading, rows, _) in PARTS {
        let mut table = String::from(
            "| base | desired | actual | verdict | what is written |\n\
             | --- | --- | --- | --- | --- |\n",
        );
        for (base, desired, actual, verdict, written) in *rows {
            table += &format!("| {base} | {desired} | {actual} | {verdict:?} | {written} |\n");
        }
        let section = sections.iter().find(|section| section.starts_with(heading));
        let rest = section.and_then(|section| Some(section.split_once(&table)?.1));
        assert!(
            rest.is_some_and(|rest| !rest.starts_with('|')),
            "docs/reconcile.md lacks this table under `{heading}`:\n{table}"
        );
    }
    let tables = DOCUMENTATION.matches("| base | desired | actual |").count();
    assert_eq!(tables, PARTS.len(), "docs/reconcile.md has another table");
}
