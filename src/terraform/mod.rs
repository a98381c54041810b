//! Terraform's language: blocks out ([`format`]), labels ([`label`]), declarations in ([`read`]),
//! whole files in ([`source`]) and what they evaluate to ([`evaluate`]).
//!
//! The types here are the little of HCL that generated files need. Expressions borrow from the
//! entity they render, so a policy document is never copied on its way to the file.

pub mod align;
mod data_document;
pub mod edit;
pub mod evaluate;
pub mod format;
mod functions;
mod json_text;
pub mod label;
mod literal;
pub mod node;
pub mod read;
mod reference;
mod scan;
pub mod source;

use std::borrow::Cow;
use std::fmt;

use crate::json::Json;

/// The content of one `.tf` file: blocks with an empty line between them.
#[derive(Clone, Debug, Default)]
pub struct Body<'a> {
    pub blocks: Vec<Block<'a>>,
}

/// One block, such as `resource "aws_iam_role" "deploy" { … }`.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    pub keyword: &'static str,
    pub labels: Vec<String>,
    pub attributes: Vec<(&'static str, Expression<'a>)>,
    pub blocks: Vec<Block<'a>>,
}

/// The right-hand side of an attribute.
#[derive(Clone, Debug)]
pub enum Expression<'a> {
    String(Cow<'a, str>),
    Number(i64),
    Bool(bool),
    /// A reference such as `aws_iam_role.deploy.name`; every part is an identifier of ours.
    Reference(String),
    List(Vec<Expression<'a>>),
    /// A map with string values; keys are printed in the order given.
    Map(Vec<(Cow<'a, str>, Expression<'a>)>),
    /// `jsonencode(…)` around a document.
    JsonEncode(&'a Json),
}

/// Where Terraform keeps a resource: `aws_iam_role.deploy`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub resource_type: Cow<'static, str>,
    pub label: String,
}

impl Address {
    pub fn new(resource_type: &'static str, label: String) -> Address {
        Address { resource_type: Cow::Borrowed(resource_type), label }
    }

    /// A reference to one attribute of the resource.
    pub fn attribute(&self, name: &str) -> Expression<'static> {
        Expression::Reference(format!("{self}.{name}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.resource_type, self.label)
    }
}

impl<'a> Block<'a> {
    pub fn new(keyword: &'static str, labels: Vec<String>) -> Block<'a> {
        Block { keyword, labels, attributes: Vec::new(), blocks: Vec::new() }
    }

    pub fn attribute(mut self, name: &'static str, value: impl Into<Expression<'a>>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// Adds the attribute when there is a value.
    pub fn optional(
        mut self,
        name: &'static str,
        value: Option<impl Into<Expression<'a>>>,
    ) -> Self {
        if let Some(value) = value {
            self.attributes.push((name, value.into()));
        }
        self
    }

    pub fn block(mut self, block: Block<'a>) -> Self {
        self.blocks.push(block);
        self
    }

    /// Tells Terraform to leave attributes alone whose value is not known.
    pub fn ignore_changes(self, attributes: &[&str]) -> Self {
        if attributes.is_empty() {
            return self;
        }
        let names = attributes.iter().map(|name| Expression::Reference((*name).to_owned()));
        self.block(
            Block::new("lifecycle", Vec::new())
                .attribute("ignore_changes", Expression::List(names.collect())),
        )
    }
}

impl<'a> Body<'a> {
    /// Adds a resource and the import block that brings it under Terraform's control.
    pub fn import(&mut self, address: &Address, id: String, resource: Block<'a>) {
        self.blocks.push(
            Block::new("import", Vec::new())
                .attribute("to", Expression::Reference(address.to_string()))
                .attribute("id", id),
        );
        self.blocks.push(resource);
    }

    /// Takes the import blocks out, for an account in which the resources are to be made.
    pub fn without_imports(mut self) -> Self {
        self.retain_imports(|_| false);
        self
    }

    /// Keeps the import blocks whose target is to be kept.
    pub fn retain_imports(&mut self, keep: impl Fn(&str) -> bool) {
        self.blocks.retain(|block| match block.attributes.first() {
            Some((_, Expression::Reference(to))) if block.keyword == "import" => keep(to),
            _ => true,
        });
    }

    /// The resources declared here, each with its import ID if it has an import block.
    pub fn declarations(&self) -> impl Iterator<Item = (Address, Option<&str>)> {
        let import_id = |address: &str| {
            self.blocks.iter().filter(|block| block.keyword == "import").find_map(|block| {
                match block.attributes.as_slice() {
                    [(_, Expression::Reference(to)), (_, Expression::String(id))]
                        if to == address =>
                    {
                        Some(id.as_ref())
                    }
                    _ => None,
                }
            })
        };
        self.blocks.iter().filter(|block| block.keyword == "resource").map(move |block| {
            let address = Address {
                resource_type: Cow::Owned(block.labels[0].clone()),
                label: block.labels[1].clone(),
            };
            let id = import_id(&address.to_string());
            (address, id)
        })
    }
}

/// The block that declares the resource at `address`.
pub fn resource<'a>(address: &Address) -> Block<'a> {
    Block::new("resource", vec![address.resource_type.to_string(), address.label.clone()])
}

impl<'a> From<&'a str> for Expression<'a> {
    fn from(text: &'a str) -> Self {
        Expression::String(Cow::Borrowed(text))
    }
}

impl From<String> for Expression<'_> {
    fn from(text: String) -> Self {
        Expression::String(Cow::Owned(text))
    }
}

impl From<i32> for Expression<'_> {
    fn from(number: i32) -> Self {
        Expression::Number(number.into())
    }
}

impl From<bool> for Expression<'_> {
    fn from(value: bool) -> Self {
        Expression::Bool(value)
    }
}
