//! A reader of the part of HCL that the tests write, independent of the one that is shipped.

use std::collections::HashMap;
use std::ops::Range;

use crate::json::Json;
use crate::terraform::node::{Content, JsonText, Member, Node};
use crate::terraform::scan::comment_end;

/// What stands in a file.
pub struct File {
    pub blocks: Vec<Block>,
}

pub struct Block {
    pub span: Range<usize>,
    pub body: Range<usize>,
    pub attributes: Vec<Attribute>,
}

pub struct Attribute {
    pub name: String,
    pub span: Range<usize>,
    pub node: Node,
}

impl File {
    pub fn attribute(&self, name: &str) -> &Attribute {
        let mut all = self.blocks.iter().flat_map(|block| &block.attributes);
        all.find(|attribute| attribute.name == name).expect(name)
    }
}

/// Reads a file; panics if it is anything but what the tests write.
pub fn read(text: &str) -> File {
    let mut reader = Reader { text, at: 0, is_json: false };
    let mut blocks = Vec::new();
    loop {
        reader.space(true);
        if reader.at == text.len() {
            return File { blocks };
        }
        blocks.push(reader.block());
    }
}

/// The value, with what is unknown looked up by its text.
pub fn value(text: &str, node: &Node, unknown: &HashMap<String, Json>) -> Json {
    match &node.content {
        Content::Unknown => {
            let spelled = &text[node.span.clone()];
            unknown.get(spelled).unwrap_or_else(|| panic!("what is {spelled}?")).clone()
        }
        Content::Scalar(value) | Content::Computed { value, .. } => value.clone(),
        Content::List(items) => {
            Json::Array(items.iter().map(|item| value(text, item, unknown)).collect())
        }
        Content::Object(members) => {
            let member =
                |member: &Member| (member.key.clone(), value(text, &member.value, unknown));
            Json::Object(members.iter().map(member).collect())
        }
        Content::JsonEncode(inner) => Json::String(value(text, inner, unknown).to_string()),
        Content::JsonText(json) => Json::String(value(text, &json.root, unknown).to_string()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    is_json: bool,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self, over_lines: bool) {
        loop {
            let before = self.at;
            if !self.is_json
                && let Some(end) = comment_end(self.text, self.at)
            {
                self.at = end;
            }
            let rest = self.rest();
            let blanks = if over_lines { " \t\r\n" } else { " \t" };
            self.at += rest.len() - rest.trim_start_matches(|c| blanks.contains(c)).len();
            if self.at == before {
                return;
            }
        }
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn expect(&mut self, wanted: &str) {
        assert!(self.take(wanted), "expected {wanted} at {}\n{}", self.rest(), self.text);
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let is_end = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
        let word = rest[..rest.find(is_end).unwrap_or(rest.len())].to_owned();
        assert!(!word.is_empty(), "expected a word at {rest}\n{}", self.text);
        self.at += word.len();
        word
    }

    fn block(&mut self) -> Block {
        let start = self.at;
        self.word();
        self.space(false);
        while self.rest().starts_with('"') {
            self.string();
            self.space(false);
        }
        self.expect("{");
        let body = self.at;
        let mut attributes = Vec::new();
        loop {
            self.space(true);
            let end = self.at;
            if self.take("}") {
                return Block { span: start..self.at, body: body..end, attributes };
            }
            let name = self.word();
            self.space(false);
            if !self.take("=") {
                self.at = end;
                self.block();
                continue;
            }
            let node = self.expression();
            attributes.push(Attribute { name, span: end..node.span.end, node });
            self.space(false);
            assert!(
                self.rest().starts_with(['\n', '\r', '}']),
                "no line end after an argument at {}\n{}",
                self.rest(),
                self.text
            );
        }
    }

    fn expression(&mut self) -> Node {
        self.space(false);
        let start = self.at;
        let content = match self.rest().as_bytes()[0] {
            b'"' => {
                let mut probe = Reader { text: self.text, at: self.at, is_json: self.is_json };
                match probe.string() {
                    Some(text) => Content::Scalar(Json::String(text)),
                    None => Content::Unknown,
                }
                .also(|| self.at = probe.at)
            }
            b'[' => self.list(),
            b'{' => self.object(),
            b'<' => self.heredoc(),
            b'0'..=b'9' => {
                let rest = self.rest();
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let number = rest[..end].to_owned();
                self.at += end;
                Content::Scalar(Json::Number(number))
            }
            _ => {
                if self.take("jsonencode(") {
                    self.space(true);
                    let inner = self.expression();
                    self.space(true);
                    self.expect(")");
                    Content::JsonEncode(Box::new(inner))
                } else {
                    let mut word = self.word();
                    while self.take(".") {
                        word = format!("{word}.{}", self.word());
                    }
                    match word.as_str() {
                        "true" => Content::Scalar(Json::Bool(true)),
                        "false" => Content::Scalar(Json::Bool(false)),
                        "null" => Content::Scalar(Json::Null),
                        _ => Content::Unknown,
                    }
                }
            }
        };
        Node { span: start..self.at, content }
    }

    fn list(&mut self) -> Content {
        self.expect("[");
        let mut items = Vec::new();
        loop {
            self.space(true);
            if self.take("]") {
                return Content::List(items);
            }
            items.push(self.expression());
            self.space(true);
            if !self.take(",") {
                self.expect("]");
                return Content::List(items);
            }
            if self.is_json {
                self.space(true);
                assert!(!self.rest().starts_with(']'), "comma before ]\n{}", self.text);
            }
        }
    }

    fn object(&mut self) -> Content {
        self.expect("{");
        let mut members: Vec<Member> = Vec::new();
        loop {
            self.space(true);
            if self.take("}") {
                return Content::Object(members);
            }
            let start = self.at;
            let key = match self.rest().starts_with('"') {
                true => self.string().expect("a key"),
                false => self.word(),
            };
            let key_span = start..self.at;
            self.space(false);
            match self.is_json {
                true => self.expect(":"),
                false => assert!(self.take("=") || self.take(":"), "no =\n{}", self.text),
            }
            let value = self.expression();
            assert!(members.iter().all(|member| member.key != key), "{key} twice\n{}", self.text);
            members.push(Member { key, key_span, value });
            self.space(self.is_json);
            let has_comma = self.take(",");
            if self.is_json {
                self.space(true);
                let is_end = self.rest().starts_with('}');
                assert_ne!(has_comma, is_end, "comma\n{}", self.text);
            } else if !has_comma {
                let rest = self.rest();
                assert!(rest.starts_with(['\n', '\r', '}']), "no end at {rest}\n{}", self.text);
            }
        }
    }

    fn heredoc(&mut self) -> Content {
        let header = self.rest().lines().next().unwrap().to_owned();
        let marker = header.trim_start_matches(['<', '-']).to_owned();
        self.at += header.len();
        let body_start = self.at + self.rest().find('\n').unwrap() + 1;
        let mut end = body_start;
        for line in self.text[body_start..].split_inclusive('\n') {
            if line.trim() == marker {
                break;
            }
            end += line.len();
        }
        let body = &self.text[body_start..end];
        let closing = self.text[end..].lines().next().unwrap().trim_end();
        self.at = end + closing.len();
        if !body.trim_start().starts_with('{') {
            let indent = if header.starts_with("<<-") {
                let indents = body.lines().map(|line| line.len() - line.trim_start().len());
                indents.min().unwrap_or(0)
            } else {
                0
            };
            let lines = body.split_inclusive('\n').map(|line| &line[indent..]);
            let text: String = lines.collect();
            let text = text.replace("$${", "${").replace("%%{", "%{");
            return Content::Scalar(Json::String(text));
        }
        let mut reader = Reader { text: &self.text[..end], at: body_start, is_json: true };
        reader.space(true);
        let root = reader.expression();
        Content::JsonText(JsonText { file: None, is_template: true, root: Box::new(root) })
    }

    /// A quoted text, or nothing if it has an interpolation.
    fn string(&mut self) -> Option<String> {
        self.expect("\"");
        let mut out = String::new();
        let mut is_known = true;
        loop {
            let rest = self.rest().to_owned();
            let mut chars = rest.chars();
            match chars.next().expect("an end of the string") {
                '"' => {
                    self.at += 1;
                    return is_known.then_some(out);
                }
                '\\' => {
                    let c = chars.next().unwrap();
                    self.at += 2;
                    let digits = match c {
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    if digits > 0 {
                        let code = &rest[2..2 + digits];
                        let code = u32::from_str_radix(code, 16).unwrap();
                        out.push(char::from_u32(code).unwrap());
                        self.at += digits;
                        continue;
                    }
                    out.push(match c {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        other => other,
                    });
                }
                _ if rest.starts_with("$${") || rest.starts_with("%%{") => {
                    out.push_str(&rest[1..3]);
                    self.at += 3;
                }
                _ if rest.starts_with("${") => {
                    self.at += rest.find('}').unwrap();
                    is_known = false;
                }
                '\n' => panic!("a line end in a string\n{}", self.text),
                c => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }
}

trait Also: Sized {
    fn also(self, then: impl FnOnce()) -> Self {
        then();
        self
    }
}

impl Also for Content {}
