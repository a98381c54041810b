//! Arguments and blocks that come and go.

use super::generate::{Author, Dice, document};
use super::random::{cases, formatted, without_blanks};
use super::reader::{Block, read};
use crate::policy_document::Dialect;
use crate::terraform::Expression;
use crate::terraform::align::apply_keeping_alignment;
use crate::terraform::edit::{
    Splice, append_blocks, insert_attribute, insert_blocks_after, remove_attribute, remove_block,
};

const ORDER: [&str; 5] = ["name", "description", "x", "path", "tags"];

fn insert(text: &str, name: &str, value: &Expression) -> String {
    let file = read(text);
    let block = file.blocks.last().unwrap();
    applied(text, insertion(text, block, name, value))
}

fn insertion(text: &str, block: &Block, name: &str, value: &Expression) -> Splice {
    let attributes: Vec<(&str, std::ops::Range<usize>)> = block
        .attributes
        .iter()
        .map(|attribute| (attribute.name.as_str(), attribute.span.clone()))
        .collect();
    insert_attribute(text, block.body.clone(), &attributes, name, value, &ORDER)
}

fn applied(text: &str, splice: Splice) -> String {
    apply_keeping_alignment(text, &[splice]).unwrap()
}

fn remove(text: &str, name: &str) -> String {
    applied(text, remove_attribute(text, read(text).attribute(name).span.clone()))
}

#[test]
fn argument_goes_after_the_one_before_it() {
    let path = Expression::from("/x/");
    let text = "r \"t\" \"l\" {\n  # n\n  name = \"a\" # c\n  tags = {}\n}\n";
    let expected = text.replace("# c\n", "# c\n  path = \"/x/\"\n");
    assert_eq!(insert(text, "path", &path), expected);
    let expected = "r \"t\" \"l\" {\n  name = \"n\"\n  path = \"/x/\"\n\n  # why\n  b {\n  }\n}\n";
    let text = "r \"t\" \"l\" {\n  path = \"/x/\"\n\n  # why\n  b {\n  }\n}\n";
    assert_eq!(insert(text, "name", &Expression::from("n")), expected);
    let text = "r \"t\" \"l\" {\n  # why\n  b {\n  }\n}\n";
    let expected = "r \"t\" \"l\" {\n  path = \"/x/\"\n\n  # why\n  b {\n  }\n}\n";
    assert_eq!(insert(text, "path", &path), expected);
    let text = "r \"t\" \"l\" {\r\n\ta = <<X\r\nb = }\r\nX\r\n}\r\n";
    let list = Expression::List(vec![Expression::Number(1), Expression::Number(2)]);
    let expected = text.replace("\r\nX\r\n", "\r\nX\r\n\tz = [\r\n\t\t1,\r\n\t\t2,\r\n\t]\r\n");
    assert_eq!(insert(text, "z", &list), expected);
}

#[test]
fn one_line_block_opens_up() {
    let path = Expression::from("/x/");
    for empty in ["r \"t\" \"l\" {}\n", "r \"t\" \"l\" {  }\n", "r \"t\" \"l\" {\n}\n"] {
        assert_eq!(insert(empty, "path", &path), "r \"t\" \"l\" {\n  path = \"/x/\"\n}\n");
    }
    let text = "r \"t\" \"l\" { name = \"x\" }\n";
    let expected = "r \"t\" \"l\" {\n  name = \"x\"\n  path = \"/x/\"\n}\n";
    assert_eq!(insert(text, "path", &path), expected);
    let text = "r \"t\" \"l\" { tags = \"x\" }\n";
    let expected = "r \"t\" \"l\" {\n  path = \"/x/\"\n  tags = \"x\"\n}\n";
    assert_eq!(insert(text, "path", &path), expected);
}

#[test]
fn argument_goes_with_its_line() {
    let text =
        "r \"t\" \"l\" {\n  name = \"a\" # c\n\n  x = {\n    a = 1\n  } // d\n\n  b = 2\n}\n";
    let expected = "r \"t\" \"l\" {\n  name = \"a\" # c\n\n  b = 2\n}\n";
    assert_eq!(remove(text, "x"), expected);
    let expected = "r \"t\" \"l\" {\n  x = {\n    a = 1\n  } // d\n\n  b = 2\n}\n";
    assert_eq!(remove(text, "name"), expected);
    let expected = "r \"t\" \"l\" {\n  name = \"a\" # c\n\n  x = {\n    a = 1\n  } // d\n}\n";
    assert_eq!(remove(text, "b"), expected);
    assert_eq!(remove("r \"t\" \"l\" { name = \"x\" }\n", "name"), "r \"t\" \"l\" {}\n");
}

#[test]
fn block_goes_with_its_comment_and_one_blank_line() {
    let text = "# top\n\n# a\na {\n}\n\n/* b\n b */\nb {\n} # b\n\nc {\n}\n";
    let spans: Vec<_> = read(text).blocks.into_iter().map(|block| block.span).collect();
    let without = |at: usize| applied(text, remove_block(text, spans[at].clone()));
    assert_eq!(without(0), "# top\n\n/* b\n b */\nb {\n} # b\n\nc {\n}\n");
    assert_eq!(without(1), "# top\n\n# a\na {\n}\n\nc {\n}\n");
    assert_eq!(without(2), "# top\n\n# a\na {\n}\n\n/* b\n b */\nb {\n} # b\n");
    assert_eq!(applied("a {}\n", remove_block("a {}\n", 0..4)), "");
    assert_eq!(applied("a {}\n\nb {}\n", remove_block("a {}\n\nb {}\n", 0..4)), "b {}\n");
}

#[test]
fn no_blank_line_is_left_at_the_end() {
    for newline in ["\n", "\r\n"] {
        let text = "a {\n}\n\nb {\n}\n\nc {\n}\n".replace('\n', newline);
        let spans: Vec<_> = read(&text).blocks.into_iter().map(|block| block.span).collect();
        let end = remove_block(&text, spans[1].start..spans[2].end).span.end;
        // Two blocks that go share the blank line between them, and the one before stays.
        let gone = Splice { file: None, span: spans[1].start..end, text: String::new() };
        let new = insert_blocks_after(&text, spans[0].clone(), "n {\n}\n");
        let after = |splices: &[Splice]| apply_keeping_alignment(&text, splices).unwrap();
        assert_eq!(after(std::slice::from_ref(&gone)), "a {\n}\n".replace('\n', newline));
        let expected = "a {\n}\n\nn {\n}\n".replace('\n', newline);
        assert_eq!(after(&[new, gone]), expected);
    }
    let text = "a {}\n\n";
    let new = insert_blocks_after(text, 0..4, "n {\n}\n");
    // Whoever wanted one keeps it.
    assert_eq!(apply_keeping_alignment(text, &[new]).unwrap(), "a {}\n\nn {\n}\n\n");
}

#[test]
fn blocks_come_with_a_blank_line() {
    let after = |text: &str| applied(text, insert_blocks_after(text, 0..4, "n {\n}\n"));
    assert_eq!(after("a {}"), "a {}\n\nn {\n}\n");
    assert_eq!(after("a {} # c\n"), "a {} # c\n\nn {\n}\n");
    assert_eq!(after("a {}\nb {}\n"), "a {}\n\nn {\n}\n\nb {}\n");
    assert_eq!(after("a {}\r\n\r\nb {}\r\n"), "a {}\r\n\r\nn {\r\n}\r\n\r\nb {}\r\n");
    let appended = |text: &str| applied(text, append_blocks(text, "n {\n}\n"));
    assert_eq!(appended(""), "n {\n}\n");
    assert_eq!(appended("a {}"), "a {}\n\nn {\n}\n");
    assert_eq!(appended("a {}\n"), "a {}\n\nn {\n}\n");
    assert_eq!(appended("a {}\n\n"), "a {}\n\nn {\n}\n");
}

#[test]
fn files_stay_formatted() {
    let texts: Vec<String> = (0..cases() / 2)
        .map(|seed| Author::new(seed).file(&document(&mut Dice::new(seed), Dialect::Iam)).text)
        .collect();
    let numbered: Vec<(u64, &str)> = (0..).zip(texts.iter().map(String::as_str)).collect();
    let mut new = Vec::new();
    for (seed, text) in formatted(&numbered).iter().enumerate() {
        let mut dice = Dice::new(seed as u64);
        let file = read(text);
        let block = file.blocks.last().unwrap();
        let attribute = dice.pick(&block.attributes);
        let (splice, expected) = match dice.below(5) {
            0 => {
                let map = vec![("k".into(), "v".into()), ("a.b".into(), "${w}".into())];
                let splice = insertion(text, block, "zeta", &Expression::Map(map));
                (splice, block.attributes.len() + 1)
            }
            1 => {
                let splice = insertion(text, block, "description_of", &Expression::from("d"));
                (splice, block.attributes.len() + 1)
            }
            2 => (remove_attribute(text, attribute.span.clone()), block.attributes.len() - 1),
            3 => (remove_block(text, file.blocks[0].span.clone()), block.attributes.len()),
            _ => {
                let splice = insert_blocks_after(text, file.blocks[0].span.clone(), "n {\n}\n");
                (splice, block.attributes.len())
            }
        };
        let edited = applied(text, splice);
        assert!(!edited.contains("\n\n\n") || text.contains("\n\n\n"), "{text}\n{edited}");
        let again = read(&edited);
        let attributes = &again.blocks.last().unwrap().attributes;
        assert_eq!(attributes.len(), expected, "{text}\n{edited}");
        for old in &block.attributes {
            if let Some(new) = attributes.iter().find(|new| new.name == old.name) {
                let (old, new) = (&text[old.node.span.clone()], &edited[new.node.span.clone()]);
                assert_eq!(without_blanks(old), without_blanks(new));
            }
        }
        new.push(edited);
    }
    let numbered: Vec<(u64, &str)> = (0..).zip(new.iter().map(String::as_str)).collect();
    assert_eq!(formatted(&numbered), new);
}
