//! Blanks against those that the real `terraform fmt` sets.

use std::fmt::Write;

use super::generate::{Author, Dice, document};
use super::random::{cases, formatted};
use crate::policy_document::Dialect;
use crate::terraform::align::{align, indent};
use crate::terraform::scan::{Kind, tokens};

/// Arguments and blocks with anything in them that looks like an assignment, a comment or a
/// bracket and is none.
const ITEMS: [&str; 34] = [
    "a = 1",
    "name = \"x = y # z\"",
    "a_longer_name = var.x",
    "b = \"${var.x == 1 ? \"a\" : \"b = c\"}\"",
    "c = x == y ? 1 : 2",
    "cc = x >= y && x <= z || !w",
    "d = { e = 1, f = { g = 2 } }",
    "h = [1, 2, { i = 3 }]",
    "j = {\n k = 1\n long_key = 2 # c\n \"quoted é\" = 3\n}",
    "l = [\n 1, # one\n 100, # hundred\n]",
    "m = <<EOT\n text = \"x\" # no comment\n  ${var.x}\nEOT",
    "mm = <<-EOT\n  { \"a\" = [\n  $${x} = %%{y}\n  EOT",
    "n = jsonencode({\n o = 1\n pp = [\n \"q\"\n ]\n})",
    "r = { for k, v in var.x : k => v if v != \"\" }",
    "s = [for x in var.y : x]",
    "t = -1",
    "u = \"%{if var.x}a = b%{else}c%{endif}\"",
    "v = (\n var.x\n)",
    "w = merge(var.a, {\n x = 1\n}, {\n yy = 2\n})",
    "\"x\" = 1",
    "é = \"é\"",
    "日本 = 1",
    "z = /* why = not */ 1",
    "aa = \"\\\"}\" # } ]",
    "ab = \"a$b%c$$d\"",
    "ac = \"// no\"",
    "block {\n x = 1\n yyy = 2 // c\n}",
    "block \"label = x\" {}",
    "block { x = 1 }",
    "\"e\u{301}\" = 1",
    "ad = a.b[0].c[\"d\"]",
    "ae = f(<<EOT\nx = 1\nEOT\n)",
    "af = [{\n x = 1\n}, {\n yy = 2\n}]",
    "ag = \"👩‍👩‍👧\" # c",
];

fn file(dice: &mut Dice) -> String {
    let mut out = String::new();
    for block in 0..1 + dice.below(2) {
        let _ = writeln!(out, "resource \"t\" \"b{block}\" {{");
        let first = dice.below(ITEMS.len());
        // Coprime to the number of items, so that none comes twice.
        let step = *dice.pick(&[1, 3, 5, 7, 9, 13]);
        for index in 0..2 + dice.below(10) {
            let item = ITEMS[(first + index * step) % ITEMS.len()];
            match item.starts_with(['"', '日', 'é']) {
                true => {
                    let _ = write!(out, "o{index} = {{\n {item}\n b = 2 # c\n}}");
                }
                false => out.push_str(item),
            }
            let may_have_comment = !item.ends_with("EOT") && !item.contains('#');
            if may_have_comment && dice.one_in(3) {
                let comment: &str = dice.pick::<&str>(&[" # c", " // é = 1", " # {", " /* x */"]);
                out.push_str(comment);
            }
            out.push('\n');
            if dice.one_in(6) {
                out.push('\n');
            }
            if dice.one_in(8) {
                out.push_str("# a line = 1\n");
            }
        }
        out.push_str("}\n");
    }
    if dice.one_in(4) { out.replace('\n', "\r\n") } else { out }
}

/// The text with other blanks before what is aligned.
fn disarranged(text: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    let mut copied = 0;
    let all = tokens(text);
    let mut has_equal = false;
    for (index, token) in all.iter().enumerate() {
        let ends_line =
            |token: &crate::terraform::scan::Token| text[token.range.clone()].ends_with('\n');
        let is_first = index == 0 || ends_line(&all[index - 1]);
        has_equal &= !is_first;
        let is_equal = token.kind == Kind::Equal && !has_equal && !is_first;
        let is_comment = token.kind == Kind::Comment && ends_line(token) && !is_first;
        has_equal |= token.kind == Kind::Equal;
        if is_equal || is_comment {
            out.push_str(&text[copied..token.range.start - token.blanks]);
            out.push_str(&" ".repeat(dice.below(6)));
            copied = token.range.start;
        }
    }
    out + &text[copied..]
}

fn agree(texts: Vec<String>) {
    let numbered: Vec<(u64, &str)> = (0..).zip(texts.iter().map(String::as_str)).collect();
    let clean = formatted(&numbered);
    let mut dice = Dice::new(7);
    let disarranged: Vec<String> = clean.iter().map(|text| disarranged(text, &mut dice)).collect();
    let numbered: Vec<(u64, &str)> = (0..).zip(disarranged.iter().map(String::as_str)).collect();
    for ((clean, disarranged), formatted) in
        clean.iter().zip(&disarranged).zip(formatted(&numbered))
    {
        assert_eq!(*clean, formatted, "more than blanks differ in\n{disarranged}");
        assert_eq!(align(disarranged), *clean, "{disarranged}");
        assert_eq!(align(clean), *clean);
        assert_eq!(indent(clean), *clean);
        let outdented: Vec<&str> = clean.lines().map(|line| line.trim_start_matches(' ')).collect();
        let outdented = outdented.join("\n") + "\n";
        if !clean.contains("<<") && !clean.contains('\r') {
            assert_eq!(indent(&outdented), *clean, "{outdented}");
        }
    }
}

#[test]
fn blanks_of_policies_are_those_of_terraform() {
    let policy = |seed| Author::new(seed).file(&document(&mut Dice::new(seed), Dialect::Iam)).text;
    agree((0..cases() / 2).map(policy).collect());
}

#[test]
fn blanks_of_anything_are_those_of_terraform() {
    agree((0..cases()).map(|seed| file(&mut Dice::new(seed))).collect());
}
