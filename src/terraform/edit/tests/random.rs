//! What must hold for every edit of every file.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use super::generate::{Author, Dice, Written, changed, document, reworded};
use super::reader::{File, read, value};
use crate::json::Json;
use crate::policy_document::{Dialect, Document};
use crate::terraform::align::{align, apply_keeping_alignment, indent};
use crate::terraform::edit::{Match, Meaning, compare, edit_value};
use crate::terraform::node::{Content, Node};
use crate::terraform::scan::{Kind, tokens};

/// One edit of one file.
struct Case {
    seed: u64,
    dialect: Dialect,
    written: Written,
    document: Json,
    actual: Json,
}

impl Case {
    fn meaning(&self) -> Meaning {
        Meaning::Document(self.dialect)
    }
}

fn case(seed: u64) -> Case {
    let mut dice = Dice::new(seed);
    let dialect = if dice.one_in(4) { Dialect::Organizations } else { Dialect::Iam };
    let document = document(&mut dice, dialect);
    let actual = changed(&mut dice, &document, dialect);
    let written = Author::new(seed ^ 0x5555).file(&document);
    Case { seed, dialect, written, document, actual }
}

fn folder_with(files: &[(u64, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (seed, text) in files {
        std::fs::write(folder.path().join(format!("f{seed}.tf")), text).unwrap();
    }
    folder
}

fn format_all(folder: &Path) {
    let output =
        Command::new("terraform").args(["fmt", "-list=false"]).current_dir(folder).output();
    let output = output.expect("`terraform` is needed on the PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The files as `terraform fmt` writes them.
pub fn formatted(files: &[(u64, &str)]) -> Vec<String> {
    let folder = folder_with(files);
    format_all(folder.path());
    files
        .iter()
        .map(|(seed, _)| {
            std::fs::read_to_string(folder.path().join(format!("f{seed}.tf"))).unwrap()
        })
        .collect()
}

pub fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect()
}

fn comments(text: &str) -> HashSet<&str> {
    let tokens = tokens(text);
    let comments = tokens.iter().filter(|token| token.kind == Kind::Comment);
    comments.map(|token| text[token.range.clone()].trim_end()).collect()
}

fn root(node: &Node) -> &Node {
    match &node.content {
        Content::JsonEncode(inner) => inner,
        Content::JsonText(text) => &text.root,
        _ => node,
    }
}

/// The statements of a document, where they are written one by one.
fn statements(node: &Node) -> Vec<&Node> {
    let Content::Object(members) = &root(node).content else { return Vec::new() };
    let Some(member) = members.iter().find(|member| member.key == "Statement") else {
        return Vec::new();
    };
    match &member.value.content {
        Content::List(items) => items.iter().collect(),
        Content::Object(_) => vec![&member.value],
        _ => Vec::new(),
    }
}

fn has_unknown(node: &Node) -> bool {
    match &node.content {
        Content::Unknown => true,
        Content::List(items) => items.iter().any(has_unknown),
        Content::Object(members) => members.iter().any(|member| has_unknown(&member.value)),
        Content::JsonEncode(_) | Content::JsonText(_) => has_unknown(root(node)),
        Content::Scalar(_) | Content::Computed { .. } => false,
    }
}

/// The text of a statement with the comments right above it and on its last line.
fn with_comments_around<'a>(text: &'a str, statement: &Node) -> &'a str {
    let before = &text[..statement.span.start];
    let mut start = before.rfind('\n').map_or(0, |at| at + 1);
    let is_comment = |line: &&str| line.trim().starts_with(['#', '/']);
    let above = text[..start].split_inclusive('\n').rev().take_while(is_comment);
    start -= above.map(str::len).sum::<usize>();
    let end = statement.span.end;
    let rest = text[end..].lines().next().unwrap_or_default();
    let has_comment = rest.trim_start_matches([' ', ',']).starts_with(['#', '/']);
    &text[start..if has_comment { end + rest.len() } else { end }]
}

/// Edits the file and looks at all that must hold; the new text, unless an unknown part changed.
fn edit(case: &Case, text: &str) -> Option<String> {
    let Case { seed, dialect, written, document, actual } = case;
    let file = read(text);
    let x = file.attribute("x");
    let means = |text: &str, node: &Node| {
        let value = value(text, node, &written.unknown);
        let Json::String(document) = value else { panic!("no text") };
        Document::from_text(&document)
    };
    assert!(means(text, &x.node) == Document::Json(document.clone()), "seed {seed}\n{text}");

    let is_the_same =
        Document::Json(document.clone()).means_the_same(&Document::Json(actual.clone()), *dialect);
    let verdict = compare(&x.node, actual, case.meaning());
    if !has_unknown(&x.node) {
        let expected = if is_the_same { Match::Same } else { Match::Differs };
        assert_eq!(verdict, expected, "seed {seed}");
    } else if is_the_same {
        assert_ne!(verdict, Match::Differs, "seed {seed}");
    }
    let result = edit_value(text, &x.node, Some(document), actual, case.meaning(), &|_| None);
    let splices = match result {
        Ok(splices) => splices,
        Err(blocked) => {
            assert!(has_unknown(&x.node), "seed {seed}: {blocked}\n{text}");
            return None;
        }
    };
    assert!(!is_the_same || splices.is_empty(), "seed {seed}: {splices:?}\n{text}");
    let new = apply_keeping_alignment(text, &splices).unwrap();
    let context = || {
        let target = serde_json::to_string_pretty(actual).unwrap();
        format!("seed {seed}\n{text}\n--- to\n{target}\n--- is\n{new}")
    };

    // The meaning is the target.
    let new_file: File = read(&new);
    let new_x = new_file.attribute("x");
    let found = means(&new, &new_x.node);
    assert!(
        found.means_the_same(&Document::Json(actual.clone()), *dialect),
        "{found:?}\n{}",
        context()
    );

    // Nothing around the argument has changed but blanks.
    let (before, after) = (&text[..x.span.start], &text[x.span.end..]);
    let (new_before, new_after) = (&new[..new_x.span.start], &new[new_x.span.end..]);
    let is_kept = before.lines().map(without_blanks).eq(new_before.lines().map(without_blanks))
        && without_blanks(after) == without_blanks(new_after);
    assert!(is_kept, "{}", context());
    if align(text) != text {
        assert!(new.ends_with(after) && new.starts_with(before), "{}", context());
    }

    // Comments around the argument are there, and statements that stay are the same text, with
    // their comments.
    let kept_comments = comments(&new);
    for comment in comments(before).iter().chain(&comments(after)) {
        assert!(kept_comments.contains(comment), "{comment}\n{}", context());
    }
    let Some(values) = actual.member("Statement") else { return Some(new) };
    let values = match values {
        Json::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let wrap = |statement: &Json| {
        Document::Json(Json::Object(vec![("Statement".to_owned(), statement.clone())]))
    };
    let spelled = without_blanks(&new);
    for statement in statements(&x.node) {
        let meaning = value(text, statement, &written.unknown);
        let stays =
            values.iter().any(|value| wrap(&meaning).means_the_same(&wrap(value), *dialect));
        let is_it = |other: &&&Node| {
            wrap(&value(text, other, &written.unknown)).means_the_same(&wrap(&meaning), *dialect)
        };
        let is_twice = statements(&x.node).iter().filter(is_it).count() > 1;
        if !stays || is_twice || *dialect == Dialect::Organizations {
            continue;
        }
        let old = &text[statement.span.clone()];
        assert!(
            spelled.contains(&without_blanks(old)),
            "a statement is gone\n{old}\n{}",
            context()
        );
        for comment in comments(with_comments_around(text, statement)) {
            assert!(kept_comments.contains(comment), "{comment}\n{}", context());
        }
    }
    Some(new)
}

pub fn cases() -> u64 {
    std::env::var("EDIT_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(1200)
}

#[test]
fn files_as_written_are_edited() {
    let (mut edited, mut blocked) = (0, 0);
    for seed in 0..cases() {
        let case = case(seed);
        match edit(&case, &case.written.text) {
            Some(_) => edited += 1,
            None => blocked += 1,
        }
    }
    assert!(blocked * 8 < edited, "{blocked} of {edited} are blocked");
}

#[test]
fn formatted_files_stay_formatted() {
    let cases: Vec<Case> = (10_000..10_000 + cases()).map(case).collect();
    let texts: Vec<(u64, &str)> =
        cases.iter().map(|case| (case.seed, case.written.text.as_str())).collect();
    let mut texts: Vec<(u64, String)> =
        texts.iter().map(|(seed, _)| *seed).zip(formatted(&texts)).collect();
    let mut new = Vec::new();
    for (case, (seed, text)) in cases.iter().zip(&mut texts) {
        assert_eq!(indent(text), *text, "seed {seed}");
        assert_eq!(align(text), *text, "seed {seed}");
        if let Some(edited) = edit(case, text) {
            new.push((*seed, edited));
        }
    }
    let borrowed: Vec<(u64, &str)> =
        new.iter().map(|(seed, text)| (*seed, text.as_str())).collect();
    let mut bad = 0;
    for ((seed, text), formatted) in new.iter().zip(formatted(&borrowed)) {
        if *text != formatted {
            bad += 1;
            if bad < 4 {
                println!("seed {seed}\n--- is\n{text}\n--- formatted\n{formatted}");
            }
        }
    }
    assert_eq!(bad, 0);
}

#[test]
fn same_in_other_words_is_no_edit() {
    for seed in 0..cases() {
        let case = case(seed);
        let same = reworded(&mut Dice::new(seed), &case.document, case.dialect);
        let file = read(&case.written.text);
        let x = &file.attribute("x").node;
        for base in [None, Some(&case.document)] {
            let text = &case.written.text;
            let splices = edit_value(text, x, base, &same, case.meaning(), &|_| None);
            assert_eq!(splices, Ok(Vec::new()), "seed {seed}\n{text}");
        }
    }
}
