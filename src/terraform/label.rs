//! Resource labels: a readable, reversible spelling of any AWS name as an HCL identifier.
//!
//! A label depends on the name alone and no two names share one, so a new role never renames
//! another. Letters, digits, `-` and a lone `_` stand for themselves; everything else becomes a
//! word between double underscores (`my.role` is `my__dot__role`), and so does an underscore next
//! to anything that is spelled out, which is what makes the spelling reversible.

use std::fmt::Write;

/// The label for one AWS name.
pub fn label(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    if name.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        // No spelled-out word starts with a digit or `-`, so this prefix is unmistakable.
        out.push_str("__");
    }
    spell(name, &mut out);
    out
}

/// The label for something that hangs on something else, such as an inline policy on a role.
///
/// `relation` is one of a few fixed words; the joint is no spelling of any name.
pub fn joint(owner: &str, relation: &'static str, name: &str) -> String {
    let mut out = label(owner);
    let _ = write!(out, "__{relation}__");
    spell(name, &mut out);
    out
}

fn spell(name: &str, out: &mut String) {
    let is_lone = |other: Option<char>| other.is_none_or(stands_for_itself);
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '_' if is_lone(before) && is_lone(rest.peek().copied()) => out.push('_'),
            '_' => out.push_str("__us__"),
            _ if stands_for_itself(c) => out.push(c),
            _ => spell_out(c, out),
        }
        before = Some(c);
    }
    if name.is_empty() {
        out.push_str("__empty__");
    }
}

fn stands_for_itself(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn spell_out(c: char, out: &mut String) {
    let word = match c {
        '.' => "dot",
        '@' => "at",
        '+' => "plus",
        '=' => "eq",
        ',' => "comma",
        _ => {
            // `u` and hexadecimal digits: no word above is spelled like that.
            let _ = write!(out, "__u{:x}__", u32::from(c));
            return;
        }
    };
    let _ = write!(out, "__{word}__");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Undoes [`label`]; `None` when no name has that label.
    fn name_of(label: &str) -> Option<String> {
        let mut name = String::new();
        let mut rest = label;
        if let Some(tail) = rest.strip_prefix("__")
            && tail.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        {
            rest = tail;
        }
        while !rest.is_empty() {
            let Some(tail) = rest.strip_prefix("__") else {
                let c = rest.chars().next()?;
                name.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            };
            let (word, tail) = tail.split_once("__")?;
            match word {
                "us" => name.push('_'),
                "dot" => name.push('.'),
                "at" => name.push('@'),
                "plus" => name.push('+'),
                "eq" => name.push('='),
                "comma" => name.push(','),
                "empty" => {}
                _ => name
                    .push(char::from_u32(u32::from_str_radix(word.strip_prefix('u')?, 16).ok()?)?),
            }
            rest = tail;
        }
        Some(name)
    }

    fn is_identifier(label: &str) -> bool {
        label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in
            ["deploy", "My-Role", "my_role", "x_override", "_x", "p-a1b2c3d4", "a_b_c", "x_"]
        {
            assert_eq!(label(name), name);
        }
    }

    #[test]
    fn awkward_names_are_spelled_out() {
        for (name, expected) in [
            ("my.role", "my__dot__role"),
            ("alice@example.com", "alice__at__example__dot__com"),
            ("0x", "__0x"),
            ("-x", "__-x"),
            ("a__b", "a__us____us__b"),
            ("a_.b", "a__us____dot__b"),
            ("naïve/..", "na__uef__ve__u2f____dot____dot__"),
            ("", "__empty__"),
        ] {
            assert_eq!(label(name), expected);
        }
    }

    #[test]
    fn a_role_and_its_policy_share_no_label_with_another_pair() {
        assert_ne!(joint("a", "has", "dot.p"), joint("a.dot", "has", "p"));
        assert_ne!(joint("a", "has", "b"), joint("a__has__b", "has", ""));
    }

    proptest! {
        #[test]
        fn every_name_has_its_own_identifier(name in "[a-zA-Z0-9_+=,.@-]{1,64}|[_.-]{1,8}|.{1,12}") {
            let label = label(&name);
            prop_assert!(is_identifier(&label), "{}", label);
            prop_assert_eq!(name_of(&label), Some(name));
        }

        #[test]
        fn every_pair_has_its_own_identifier(
            a in "[a_.-]{1,6}", b in "[a_.-]{1,6}", c in "[a_.-]{1,6}", d in "[a_.-]{1,6}"
        ) {
            prop_assert_eq!(joint(&a, "has", &b) == joint(&c, "has", &d), (a, b) == (c, d));
        }
    }
}
