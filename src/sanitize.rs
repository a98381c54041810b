//! Foreign output made fit for the log of a workflow: nothing in it is a workflow command, an escape
//! sequence or text that nobody sees. Nothing is left out: what is spelled out can be read back.
//!
//! GitHub's runner takes a line for a command that begins, after white space, with `::`, and one that
//! holds `##[` anywhere. It ends lines at a carriage return, too, and overlooks characters that nobody
//! sees.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use crate::invisible::is_invisible;

/// Copies all of it, line by line, as far as there is something to read.
///
/// # Errors
///
/// One of the two ends fails.
pub fn copy(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    while input.read_until(b'\n', &mut bytes)? > 0 {
        output.write_all(lines(&bytes).as_bytes())?;
        output.flush()?;
        bytes.clear();
    }
    Ok(())
}

/// The same text with whatever acts in it spelled out: `\u{…}` a character, `\x{…}` a byte that is no
/// UTF-8.
pub fn lines(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut is_line_start = true;
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        for (at, c) in text.char_indices() {
            let rest = &text[at..];
            let is_shown = match c {
                '\n' | '\t' => true,
                ':' => !(is_line_start && rest.starts_with("::")),
                '#' => !rest.starts_with("##["),
                // What looks spelled out already.
                '\\' => !(rest.starts_with("\\u{") || rest.starts_with("\\x{")),
                c => !is_invisible(c),
            };
            if is_shown {
                out.push(c);
            } else {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            is_line_start = c == '\n' || is_line_start && is_shown && c.is_whitespace();
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{{{byte:x}}}");
            is_line_start = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_output_stays_as_it_is() {
        let plan = "  # aws_iam_role.deploy will be updated in-place\n  ~ description = \"déploy::x\" -> \
                    null\n\t+ arn = \"arn:aws:iam::111122223333:role/x\" # [a] #[b]\n╷\n│ Error: ⚠\n";
        assert_eq!(lines(plan.as_bytes()), plan);
    }

    #[test]
    fn what_acts_is_spelled_out() {
        for (hostile, harmless) in [
            ("::error::x", "\\u{3a}:error::x"),
            (" \t::error::x", " \t\\u{3a}:error::x"),
            ("a\n\u{a0}\u{3000}::error::x", "a\n\u{a0}\u{3000}\\u{3a}:error::x"),
            (":::error::x", "\\u{3a}::error::x"),
            ("\u{200b}::error::x", "\\u{200b}::error::x"),
            ("a ##[error]x", "a \\u{23}#[error]x"),
            ("###[error]x", "#\\u{23}#[error]x"),
            ("a\r::error::x\r\n", "a\\u{d}::error::x\\u{d}\n"),
            ("\u{1b}[31m\u{9b}1m\u{7}\u{202e}", "\\u{1b}[31m\\u{9b}1m\\u{7}\\u{202e}"),
            ("\\u{3a} \\x{ff} \\n", "\\u{5c}u{3a} \\u{5c}x{ff} \\n"),
        ] {
            assert_eq!(lines(hostile.as_bytes()), harmless, "{hostile:?}");
        }
        assert_eq!(lines(b"a\xff::\xc3\n::b"), "a\\x{ff}::\\x{c3}\n\\u{3a}:b");
    }

    #[test]
    fn a_copy_is_the_same_line_by_line_and_without_a_last_line_end() {
        let mut out = Vec::new();
        copy(&b"a\n::b\n\n  ::c"[..], &mut out).unwrap();
        assert_eq!(out, b"a\n\\u{3a}:b\n\n  \\u{3a}:c");
    }

    /// What was spelled out, read back.
    fn read_back(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let spelled = rest.get(..3).filter(|start| matches!(*start, "\\u{" | "\\x{"));
            let Some(start) = spelled else {
                out.extend(c.to_string().as_bytes());
                rest = &rest[c.len_utf8()..];
                continue;
            };
            let (digits, after) = rest[3..].split_once('}').unwrap();
            let number = u32::from_str_radix(digits, 16).unwrap();
            match start {
                "\\u{" => out.extend(char::from_u32(number).unwrap().to_string().as_bytes()),
                _ => out.push(number as u8),
            }
            rest = after;
        }
        out
    }

    proptest! {
        #[test]
        fn nothing_acts_and_nothing_is_lost(
            parts in prop::collection::vec(
                prop_oneof![
                    "[:#\\[ \\n\\r\\\\ux{}a3]{0,6}".prop_map(String::into_bytes),
                    ".{0,3}".prop_map(String::into_bytes),
                    prop::collection::vec(any::<u8>(), 0..3),
                ],
                0..8,
            )
        ) {
            let bytes = parts.concat();
            let out = lines(&bytes);
            prop_assert!(out.lines().all(|line| !line.trim_start().starts_with("::")), "{out:?}");
            prop_assert!(!out.contains("##["), "{out:?}");
            prop_assert!(out.chars().all(|c| matches!(c, '\n' | '\t') || !is_invisible(c)));
            prop_assert_eq!(read_back(&out), bytes.clone());
            let mut copied = Vec::new();
            copy(&bytes[..], &mut copied).unwrap();
            prop_assert_eq!(String::from_utf8(copied).unwrap(), out);
        }
    }
}
