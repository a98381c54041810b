//! Splits HCL text into tokens, far enough to tell lines, brackets, assignments and comments apart
//! from the same characters within a string, a heredoc or a comment.
//!
//! Any text has tokens; whether it is valid HCL is not asked here.

use std::ops::Range;

use memchr::memchr;

/// What a token is to the layout of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Newline,
    /// One that runs to the end of its line includes the line's end.
    Comment,
    /// `{`, `[`, `(`, `${` or `%{`.
    Open,
    Close,
    /// A lone `=`.
    Equal,
    /// The start of a heredoc, up to the end of its line.
    Heredoc,
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
    /// The number of blanks before it, which are the bytes since the token before.
    pub blanks: usize,
    /// Whether [`Token::blanks`] is what is wanted rather than what is there.
    pub is_set: bool,
    /// Whether the token stands in an interpolation within a string or a heredoc.
    pub is_nested: bool,
}

/// What the scanner is in the middle of.
enum Mode {
    /// An expression, with the number of braces open in it. Only the outermost is not nested.
    Normal {
        braces: usize,
    },
    Quoted,
    Heredoc {
        marker: Range<usize>,
    },
}

/// The tokens of a text; what is between two of them is blanks.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner { text, at: 0, modes: vec![Mode::Normal { braces: 0 }], out: vec![] };
    while scanner.at < text.len() {
        match scanner.modes.last() {
            Some(Mode::Quoted) => scanner.quoted(),
            Some(Mode::Heredoc { marker }) => {
                let marker = marker.clone();
                scanner.heredoc(marker);
            }
            Some(Mode::Normal { .. }) | None => scanner.normal(),
        }
    }
    scanner.out
}

/// The end of the comment that starts at `at`, if one does. A comment to the end of the line ends
/// before the line's end.
pub(super) fn comment_end(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    if rest.starts_with(b"#") || rest.starts_with(b"//") {
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let has_return = length > 0 && length < rest.len() && rest[length - 1] == b'\r';
        Some(at + length - usize::from(has_return))
    } else if rest.starts_with(b"/*") {
        let length = text[at + 2..].find("*/").map_or(rest.len(), |found| found + 4);
        Some(at + length)
    } else {
        None
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    modes: Vec<Mode>,
    out: Vec<Token>,
}

impl Scanner<'_> {
    fn normal(&mut self) {
        let bytes = self.text.as_bytes();
        let rest = &bytes[self.at..];
        match rest[0] {
            b' ' | b'\t' => self.at += 1,
            b'\n' => self.push(Kind::Newline, 1),
            b'\r' if rest.get(1) == Some(&b'\n') => self.push(Kind::Newline, 2),
            b'#' | b'/' if comment_end(self.text, self.at).is_some() => self.comment(),
            b'"' => {
                self.push(Kind::Other, 1);
                self.modes.push(Mode::Quoted);
            }
            b'<' if rest.starts_with(b"<<") => self.heredoc_start(),
            b'{' => {
                self.push(Kind::Open, 1);
                if let Some(Mode::Normal { braces }) = self.modes.last_mut() {
                    *braces += 1;
                }
            }
            b'[' | b'(' => self.push(Kind::Open, 1),
            b'}' => {
                self.push(Kind::Close, 1);
                let is_nested = self.modes.len() > 1;
                match self.modes.last_mut() {
                    Some(Mode::Normal { braces }) if *braces > 0 => *braces -= 1,
                    Some(Mode::Normal { .. }) if is_nested => drop(self.modes.pop()),
                    _ => {}
                }
            }
            b']' | b')' => self.push(Kind::Close, 1),
            b'=' if matches!(rest.get(1), Some(b'=' | b'>')) => self.push(Kind::Other, 2),
            b'=' => self.push(Kind::Equal, 1),
            b'!' | b'<' | b'>' if rest.get(1) == Some(&b'=') => self.push(Kind::Other, 2),
            first if is_word(first) => {
                let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                self.push(Kind::Other, length);
            }
            _ => self.push(Kind::Other, 1),
        }
    }

    fn comment(&mut self) {
        let end = comment_end(self.text, self.at).unwrap_or(self.at + 1);
        let is_block = self.text[self.at..].starts_with("/*");
        let line_end = if is_block { 0 } else { line_end_length(&self.text[end..]) };
        self.push(Kind::Comment, end + line_end - self.at);
    }

    /// A string up to its end or an interpolation.
    fn quoted(&mut self) {
        let bytes = self.text.as_bytes();
        let mut end = self.at;
        while end < bytes.len() {
            match bytes[end] {
                b'\\' => end += 2,
                b'"' => {
                    self.literal(end);
                    self.push(Kind::Other, 1);
                    self.modes.pop();
                    return;
                }
                // A line's end ends a string that is not closed: the rest is not part of it.
                b'\n' => {
                    self.literal(end);
                    self.modes.pop();
                    return;
                }
                b'$' | b'%' => match marker_length(&bytes[end..]) {
                    Marker::Escaped(length) => end += length,
                    Marker::Opens => {
                        self.literal(end);
                        self.push(Kind::Open, 2);
                        self.modes.push(Mode::Normal { braces: 0 });
                        return;
                    }
                    Marker::None => end += 1,
                },
                _ => end += 1,
            }
        }
        self.literal(bytes.len());
    }

    fn heredoc_start(&mut self) {
        let rest = &self.text[self.at..];
        let name = rest[2..].strip_prefix('-').unwrap_or(&rest[2..]);
        let name_start = rest.len() - name.len();
        let length = name.bytes().position(|byte| !is_word(byte)).unwrap_or(name.len());
        let line_end = line_end_length(&name[length..]);
        if length == 0 || line_end == 0 {
            return self.push(Kind::Other, 2);
        }
        let marker = self.at + name_start..self.at + name_start + length;
        self.push(Kind::Heredoc, name_start + length + line_end);
        self.modes.push(Mode::Heredoc { marker });
    }

    /// A heredoc up to its end or an interpolation.
    fn heredoc(&mut self, marker: Range<usize>) {
        let bytes = self.text.as_bytes();
        let mut end = self.at;
        while end < bytes.len() {
            if end == 0 || bytes[end - 1] == b'\n' {
                let line = self.text[end..].lines().next().unwrap_or_default();
                if line.trim() == &self.text[marker.clone()] {
                    self.literal(end);
                    self.push(Kind::Other, line.trim_end().len());
                    self.modes.pop();
                    return;
                }
            }
            match bytes[end] {
                b'$' | b'%' => match marker_length(&bytes[end..]) {
                    Marker::Escaped(length) => end += length,
                    Marker::Opens => {
                        self.literal(end);
                        self.push(Kind::Open, 2);
                        self.modes.push(Mode::Normal { braces: 0 });
                        return;
                    }
                    Marker::None => end += 1,
                },
                _ => end += 1,
            }
        }
        self.literal(bytes.len());
    }

    fn literal(&mut self, end: usize) {
        let end = end.min(self.text.len());
        if end > self.at {
            self.push(Kind::Other, end - self.at);
        }
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let end = (self.at + length).min(self.text.len());
        let is_nested = self.modes.len() > 1;
        let blanks = self.at - self.out.last().map_or(0, |token| token.range.end);
        self.out.push(Token { kind, range: self.at..end, blanks, is_set: false, is_nested });
        self.at = end;
    }
}

enum Marker {
    /// `$${` or `%%{`, a text.
    Escaped(usize),
    /// `${` or `%{`.
    Opens,
    None,
}

fn marker_length(rest: &[u8]) -> Marker {
    match rest {
        [a, b, b'{', ..] if a == b => Marker::Escaped(3),
        [_, b'{', ..] => Marker::Opens,
        _ => Marker::None,
    }
}

/// The length of the line's end that the text begins with.
pub(super) fn line_end_length(text: &str) -> usize {
    match text.as_bytes() {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || !byte.is_ascii()
}
