//! An expression as it stands in a file: where, and what it evaluates to as far as that is known.
//!
//! Reading a file back makes these, comparing looks at them, and editing in place replaces the text
//! of as few of them as it can. Nothing here reads or writes a file.

use std::ops::Range;

use crate::json::Json;

/// One expression, or one value within a JSON text.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Bytes of the text of the file that it stands in, without the white space and the comments
    /// around it.
    pub span: Range<usize>,
    pub content: Content,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// What only Terraform can tell: a data source, a variable without a default, a function.
    Unknown,
    /// `null`, a boolean, a number or a text, written out.
    Scalar(Json),
    /// `[…]`.
    List(Vec<Node>),
    /// `{…}`, with each key once.
    Object(Vec<Member>),
    /// `jsonencode(…)`, with its argument. Its value is a text.
    JsonEncode(Box<Node>),
    /// A text that is JSON, written out in a heredoc or in a file of its own. Its value is a text.
    JsonText(JsonText),
    /// Known by way of something else, such as a local value or another resource's argument.
    Computed {
        value: Json,
        /// Whether a literal may take its place. A document that a data source builds may not.
        is_replaceable: bool,
    },
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub key: String,
    /// Where the key stands, with its quotes.
    pub key_span: Range<usize>,
    pub value: Node,
}

/// JSON that stands in a text as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonText {
    /// The file whose text the spans of [`JsonText::root`] are of, such as `terraform/trust.json`;
    /// `None`: the same as that of the node itself.
    pub file: Option<String>,
    /// Whether the text is a template, so that `${` in a text of it is written `$${`.
    pub is_template: bool,
    pub root: Box<Node>,
}

impl Node {
    /// The value, if all of it is known.
    pub fn value(&self) -> Option<Json> {
        match &self.content {
            Content::Unknown => None,
            Content::Scalar(value) | Content::Computed { value, .. } => Some(value.clone()),
            Content::List(items) => {
                items.iter().map(Node::value).collect::<Option<_>>().map(Json::Array)
            }
            Content::Object(members) => {
                let member = |member: &Member| Some((member.key.clone(), member.value.value()?));
                members.iter().map(member).collect::<Option<_>>().map(Json::Object)
            }
            Content::JsonEncode(inner) => Some(Json::String(inner.value()?.to_string())),
            Content::JsonText(text) => Some(Json::String(text.root.value()?.to_string())),
        }
    }

    /// The text, if it is one and known.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Json::String(text))
            | Content::Computed { value: Json::String(text), .. } => Some(text),
            _ => None,
        }
    }
}
