//! Foreign text in titles and bodies of pull requests: shown as it is, and nothing more.
//!
//! Code is where GitHub's Markdown does nothing. That is not enough: where pull requests are
//! squashed, title and body become a commit message, which is no Markdown, and in which GitHub
//! notifies people, closes issues and skips workflows. So what acts there is spelled out in code
//! too, as `\u{…}`, and so is what nobody sees.

use std::fmt::Write;

use crate::invisible::is_invisible;

/// GitHub's longest title and body, in characters.
const LONGEST_TITLE: usize = 256;
pub const LONGEST_BODY: usize = 65_536;

/// Characters of a foreign text that are shown in a line.
const LONGEST_TEXT: usize = 256;

/// A foreign text in a line of Markdown.
pub fn text(text: &str) -> String {
    let text = shown(text, LONGEST_TEXT);
    let text = text.trim();
    if text.is_empty() {
        return "(nothing)".to_owned();
    }
    let marks = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{marks}{pad}{text}{pad}{marks}")
}

/// Foreign lines as a block of their own, which ends with a line end.
pub fn fence(language: &str, text: &str) -> String {
    fence_of(language, text, usize::MAX).0
}

/// As [`fence`], with as many of the lines as fit into so many bytes, and how many do not.
pub fn fence_of(language: &str, text: &str, bytes: usize) -> (String, usize) {
    let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    let lines: Vec<String> = lines.map(|line| harmless(line, true)).collect();
    let mut room = bytes;
    let fits = |line: &&String| {
        let left = room.checked_sub(line.len() + 1);
        room = left.unwrap_or_default();
        left.is_some()
    };
    let shown: Vec<&str> = lines.iter().take_while(fits).map(String::as_str).collect();
    let left_out = lines.len() - shown.len();
    let shown = shown.join("\n");
    let marks = "`".repeat((longest_run(&shown) + 1).max(3));
    (format!("{marks}{language}\n{shown}\n{marks}\n"), left_out)
}

/// A title, which is no Markdown.
pub fn title(text: &str) -> String {
    shown(text, LONGEST_TITLE)
}

/// As much of a text as fits into so many characters, by whole lines.
pub fn cut(text: &str, characters: usize) -> &str {
    let Some((end, _)) = text.char_indices().nth(characters) else { return text };
    &text[..text[..end].rfind('\n').map_or(0, |end| end + 1)]
}

/// One line of it, in which nothing acts.
fn shown(text: &str, longest: usize) -> String {
    let text = harmless(text, false);
    if text.chars().count() <= longest {
        return text;
    }
    let cut: String = text.chars().take(longest - 1).collect();
    format!("{cut}…")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

fn harmless(line: &str, with_tabs: bool) -> String {
    let characters: Vec<char> = line.chars().collect();
    let mut out = String::with_capacity(line.len());
    for (at, &c) in characters.iter().enumerate() {
        let is_shown = c == '\t' && with_tabs || !is_invisible(c) && !acts(&characters, at);
        if is_shown {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
    out
}

/// Whether GitHub does more than show this character where it stands in a commit message.
fn acts(text: &[char], at: usize) -> bool {
    const SKIPPING: [&str; 5] =
        ["skip ci]", "ci skip]", "no ci]", "skip actions]", "actions skip]"];
    const NUMBERED: [&str; 5] = ["/issues", "/pull", "/pulls", "/discussions", "/commit"];
    let (before, after) = (&text[..at], &text[at + 1..]);
    let is_digit_next = after.first().is_some_and(char::is_ascii_digit);
    let is_word = |c: &char| c.is_alphanumeric();
    match text[at] {
        // People and teams; in an address there is a letter before it.
        '@' => !before.last().is_some_and(is_word) && after.first().is_some_and(is_word),
        // Issues, also of other repositories.
        '#' => is_digit_next,
        '-' => {
            is_digit_next && ends_with(before, "gh")
                || ends_with(before, "skip") && starts_with(after, "checks")
        }
        // Addresses of issues.
        '/' => is_digit_next && NUMBERED.iter().any(|path| ends_with(before, path)),
        '[' => SKIPPING.iter().any(|words| starts_with(after, words)),
        '*' => starts_with(after, "**no_ci"),
        // What looks spelled out already.
        '\\' => after.starts_with(&['u', '{']),
        _ => false,
    }
}

fn starts_with(text: &[char], word: &str) -> bool {
    text.len() >= word.len() && word.chars().zip(text).all(|(w, c)| w.eq_ignore_ascii_case(c))
}

fn ends_with(text: &[char], word: &str) -> bool {
    text.len().checked_sub(word.len()).is_some_and(|start| starts_with(&text[start..], word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_text_stays_readable() {
        assert_eq!(text("alice@example.com"), "`alice@example.com`");
        assert_eq!(
            text("feat: déploy <b> *x* [a](b) 東京 #x"),
            "`feat: déploy <b> *x* [a](b) 東京 #x`"
        );
        assert_eq!(title("role deploy_+=,.@-x changed"), "role deploy_+=,.@-x changed");
        let hcl = "  # why\n\tactions = [\"s3:*\"]\n  url = \"https://token.actions.githubusercontent.com\"";
        assert_eq!(fence("diff", hcl), format!("```diff\n{hcl}\n```\n"));
    }

    #[test]
    fn what_acts_is_spelled_out() {
        for (hostile, harmless) in [
            ("@team", "\\u{40}team"),
            ("x @octo/team", "x \\u{40}octo/team"),
            ("fixes #1", "fixes \\u{23}1"),
            ("closes o/r#12", "closes o/r\\u{23}12"),
            ("gh-7", "gh\\u{2d}7"),
            ("https://github.com/o/r/issues/5", "https://github.com/o/r/issues\\u{2f}5"),
            ("https://github.com/o/r/PULL/5", "https://github.com/o/r/PULL\\u{2f}5"),
            ("[Skip CI]", "\\u{5b}Skip CI]"),
            ("[ci skip]", "\\u{5b}ci skip]"),
            ("***NO_CI***", "\\u{2a}**NO_CI***"),
            ("skip-checks: true", "skip\\u{2d}checks: true"),
            ("a\u{202e}b\nc\u{200b}", "a\\u{202e}b\\u{a}c\\u{200b}"),
            ("\\u{40}x", "\\u{5c}u{40}x"),
        ] {
            assert_eq!(text(hostile), format!("`{harmless}`"));
            assert_eq!(title(hostile), harmless);
        }
    }

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(text("a`b"), "``a`b``");
        assert_eq!(text("``"), "``` `` ```");
        assert_eq!(text("` [x](y)"), "`` ` [x](y) ``");
        assert_eq!(text(" \n"), "`\\u{a}`");
        assert_eq!(text(""), "(nothing)");
        assert_eq!(fence("", "```\n<img src=x>\n````"), "`````\n```\n<img src=x>\n````\n`````\n");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(title(&"é".repeat(300)).chars().count(), LONGEST_TITLE);
        assert!(text(&"x".repeat(300)).ends_with("…`"));
        assert_eq!(cut("a\nb\nc\n", 5), "a\nb\n");
        assert_eq!(cut("aé\nb", 2), "");
        assert_eq!(cut("é", 1), "é");
        let (block, left_out) = fence_of("", "#1\n#2\nc", 15);
        assert_eq!((block.as_str(), left_out), ("```\n\\u{23}1\n```\n", 2));
    }

    proptest! {
        #[test]
        fn a_line_stays_a_line_of_code(hostile in "[`a \\n#1@*\\\\\\[\\]<>]{0,12}|.{0,40}") {
            let out = text(&hostile);
            prop_assert!(!out.chars().any(is_invisible), "{out:?}");
            let marks = out.len() - out.trim_start_matches('`').len();
            if out != "(nothing)" {
                let inner = &out[marks..out.len() - marks];
                prop_assert!(marks > 0 && out.ends_with(&"`".repeat(marks)));
                prop_assert!(longest_run(inner) != marks && !inner.trim().is_empty());
                let is_edge = inner.starts_with('`') || inner.ends_with('`');
                prop_assert!(!is_edge, "{out:?}");
            }
        }

        #[test]
        fn a_block_ends_where_it_ends(hostile in "([`~ a\\n\\r]{0,6}|.){0,10}") {
            let out = fence("diff", &hostile);
            let marks: String = out.chars().take_while(|c| *c == '`').collect();
            let closing = |line: &&str| line.trim_start().starts_with(&marks);
            prop_assert_eq!(out.lines().filter(closing).count(), 2);
            prop_assert!(out.lines().last().is_some_and(|line| line == marks));
        }
    }
}
