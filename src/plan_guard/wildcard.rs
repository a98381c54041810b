//! Patterns of AWS: `*` stands for any characters, `?` for one.

/// Whether a pattern covers a text, upper and lower case being the same.
pub fn matches(pattern: &str, text: &str) -> bool {
    let lower = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (pattern, text) = (lower(pattern), lower(text));
    // Whether the pattern read so far covers the first so many characters.
    let mut covers = vec![false; text.len() + 1];
    covers[0] = true;
    for mark in pattern {
        let mut next = vec![false; text.len() + 1];
        next[0] = mark == '*' && covers[0];
        for (at, c) in text.iter().enumerate() {
            next[at + 1] = match mark {
                '*' => covers[at + 1] || next[at],
                '?' => covers[at],
                literal => covers[at] && literal == *c,
            };
        }
        covers = next;
    }
    covers[text.len()]
}

/// Whether a text holds anything that stands for something else.
pub fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a pattern says nothing at all about what it covers: `*`, `**`, `?*`.
pub fn is_open(pattern: &str) -> bool {
    pattern.contains('*') && pattern.chars().all(|c| matches!(c, '*' | '?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_whole_texts() {
        for (pattern, text, is_covered) in [
            ("*", "", true),
            ("*", "anything", true),
            ("?", "", false),
            ("?", "a", true),
            ("?", "ab", false),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("iam:*Role*", "IAM:PutRolePolicy", true),
            ("iam:Put?olePolicy", "iam:PutRolePolicy", true),
            ("iam:Put?olePolicy", "iam:PutolePolicy", false),
            ("**a**", "xay", true),
            ("*a*b*", "xbya", false),
            ("", "", true),
            ("", "a", false),
            ("é?", "ÉX", true),
        ] {
            assert_eq!(matches(pattern, text), is_covered, "{pattern} {text}");
        }
    }

    #[test]
    fn wildcards_are_seen() {
        assert!(has_wildcard("a*") && has_wildcard("?a") && !has_wildcard("a"));
        assert!(is_open("*") && is_open("?*") && is_open("**"));
        assert!(!is_open("?") && !is_open("") && !is_open("a*") && !is_open("*a"));
    }
}
