//! Ordinary arguments: maps, lists, texts and numbers.

use super::generate::{Author, Dice};
use super::random::{cases, formatted};
use super::reader::{read, value};
use crate::json::Json;
use crate::terraform::align::apply_keeping_alignment;
use crate::terraform::edit::{Match, Meaning, compare, edit_value};

fn scalar(dice: &mut Dice) -> Json {
    match dice.below(5) {
        0 => Json::Number(dice.below(4000).to_string()),
        1 => Json::Bool(dice.one_in(2)),
        2 => Json::String("${a} \"b\" é".to_owned()),
        3 => Json::String(dice.below(3).to_string()),
        _ => Json::String((*dice.pick(&["a", "b.c", "# d", ""])).to_owned()),
    }
}

fn any(dice: &mut Dice, depth: usize) -> Json {
    match dice.below(if depth == 0 { 1 } else { 3 }) {
        0 => scalar(dice),
        1 => Json::Array((0..dice.below(5)).map(|_| any(dice, depth - 1)).collect()),
        _ => {
            let mut members: Vec<(String, Json)> = Vec::new();
            for key in ["Team", "a-b", "c.d", "é", "true", "x"] {
                if dice.one_in(2) {
                    members.push((key.to_owned(), any(dice, depth - 1)));
                }
            }
            Json::Object(members)
        }
    }
}

fn changed(dice: &mut Dice, json: &mut Json) {
    match json {
        Json::Array(items) if !items.is_empty() && dice.one_in(2) => {
            let at = dice.below(items.len());
            changed(dice, &mut items[at]);
        }
        Json::Array(items) => match dice.below(3) {
            0 => items.push(scalar(dice)),
            1 => items.truncate(items.len().saturating_sub(1)),
            _ => items.reverse(),
        },
        Json::Object(members) if !members.is_empty() && dice.one_in(2) => {
            let at = dice.below(members.len());
            changed(dice, &mut members[at].1);
        }
        Json::Object(members) => match dice.below(2) {
            0 if !members.is_empty() => drop(members.remove(dice.below(members.len()))),
            _ if !members.iter().any(|(key, _)| key == "new") => {
                members.insert(dice.below(members.len() + 1), ("new".to_owned(), any(dice, 1)));
            }
            _ => {}
        },
        value => *value = any(dice, 1),
    }
}

#[test]
fn plain_arguments_are_edited() {
    let mut before = Vec::new();
    for seed in 0..cases() {
        let mut dice = Dice::new(seed);
        let base = any(&mut dice, 3);
        let mut actual = base.clone();
        for _ in 0..1 + dice.below(3) {
            changed(&mut dice, &mut actual);
        }
        let written = Author::new(seed).file_with(&base);
        before.push((seed, base, actual, written));
    }
    let texts: Vec<(u64, &str)> =
        before.iter().map(|(seed, _, _, written)| (*seed, written.text.as_str())).collect();
    let texts = formatted(&texts);
    let mut after = Vec::new();
    for ((seed, base, actual, written), formatted) in before.iter().zip(&texts) {
        for text in [&written.text, formatted] {
            let file = read(text);
            let node = &file.attribute("x").node;
            let edit = |base| edit_value(text, node, base, actual, Meaning::Plain, &|_| None);
            let Ok(splices) = edit(Some(base)) else {
                assert!(!written.unknown.is_empty(), "seed {seed}");
                continue;
            };
            let new = apply_keeping_alignment(text, &splices).unwrap();
            let new_file = read(&new);
            let found = &new_file.attribute("x").node;
            let verdict = compare(found, actual, Meaning::Plain);
            let context = || format!("seed {seed}\n{text}\n--- to\n{actual}\n--- is\n{new}");
            assert_ne!(verdict, Match::Differs, "{}", context());
            if written.unknown.is_empty() {
                assert_eq!(verdict, Match::Same, "{}", context());
                let again = edit_value(&new, found, None, actual, Meaning::Plain, &|_| None);
                assert_eq!(again, Ok(Vec::new()));
            }
            value(&new, found, &written.unknown);
            if text == formatted {
                after.push((*seed, new));
            }
        }
    }
    let texts: Vec<(u64, &str)> = after.iter().map(|(seed, text)| (*seed, text.as_str())).collect();
    for ((seed, text), formatted) in after.iter().zip(formatted(&texts)) {
        assert_eq!(*text, formatted, "seed {seed}");
    }
}
