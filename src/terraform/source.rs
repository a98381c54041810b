//! A `.tf` file as people wrote it: what stands in it, and at which bytes.
//!
//! The parser locates; the text is never printed from what it holds. All spans count bytes of the
//! text as it was given, its byte-order mark and its carriage returns included. What an expression
//! evaluates to is a question for [`super::evaluate`].

use std::borrow::Cow;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::structure::Body;
use hcl_edit::template::HeredocTemplate;
use hcl_edit::visit::{Visit, visit_heredoc_template};

use super::Address;

pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// One parsed file.
#[derive(Debug)]
pub struct SourceFile {
    path: String,
    text: String,
    body: Body,
    /// What the parser did not see: it takes no byte-order mark.
    offset: usize,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line} column {column}")]
pub struct SyntaxError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// A block, at the top of a file or within another.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    file: &'a SourceFile,
    inner: &'a hcl_edit::structure::Block,
}

/// An argument of a block.
#[derive(Clone, Debug)]
pub struct Attribute<'a> {
    pub name: &'a str,
    /// From the first byte of the name to the last of the value.
    pub span: Range<usize>,
    pub key_span: Range<usize>,
    pub value: Value<'a>,
}

/// The right-hand side of an argument, not evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) expression: &'a Expression,
}

/// A `resource` block, or a `data` block.
#[derive(Clone, Debug)]
pub struct Resource<'a> {
    pub address: Address,
    pub block: Block<'a>,
}

/// One of the instances of a resource that has `count` or `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// `[0]`
    Number(u64),
    /// `["x"]`
    Text(String),
}

/// A resource or one instance of it, as `import`, `moved` and `removed` name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: Address,
    pub key: Option<InstanceKey>,
}

/// An `import` block.
#[derive(Clone, Debug)]
pub struct Import<'a> {
    pub block: Block<'a>,
    /// `None`: in a module, or with a key that is an expression.
    pub to: Option<Target>,
    /// `None`: by `identity`, or broken.
    pub id: Option<Value<'a>>,
    /// Whether it stands for any number of imports.
    pub has_for_each: bool,
}

/// A `moved` block.
#[derive(Clone, Debug)]
pub struct Moved<'a> {
    pub block: Block<'a>,
    pub from: Option<Target>,
    pub to: Option<Target>,
}

/// A `removed` block.
#[derive(Clone, Debug)]
pub struct Removed<'a> {
    pub block: Block<'a>,
    pub from: Option<Target>,
    /// Whether Terraform destroys the object; `None` if that is an expression.
    pub destroys: Option<bool>,
}

impl SourceFile {
    /// Parses a file of Terraform's native syntax, or one of variables (`*.tfvars`).
    ///
    /// # Errors
    ///
    /// A file that is not HCL, one that Terraform would understand in another way than this parser
    /// (a heredoc whose closing marker does not stand alone), and one that only this parser
    /// refuses: a key that stands twice in an object, nesting deeper than 64 levels.
    pub fn parse(path: &str, text: String) -> Result<SourceFile, SyntaxError> {
        let inner = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        let offset = text.len() - inner.len();
        let body: Body = inner.parse().map_err(|error: hcl_edit::parser::Error| SyntaxError {
            line: error.location().line(),
            column: error.location().column(),
            message: error.message().replace('\n', "; "),
        })?;
        let file = SourceFile { path: path.to_owned(), text, body, offset };
        file.check_heredocs()?;
        Ok(file)
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether what stands in it replaces arguments of blocks that stand in other files.
    pub fn is_override(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name == "override.tf" || name.ends_with("_override.tf")
    }

    /// Line and column of a byte, both from 1, in characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[self.offset.min(at)..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The blocks at the top of the file.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.body.blocks().map(|inner| Block { file: self, inner })
    }

    /// The arguments at the top of the file; only a file of variables has any.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.body.attributes().filter_map(|inner| attribute(self, inner))
    }

    pub fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        self.blocks().filter_map(|block| block.resource("resource"))
    }

    pub fn data_sources(&self) -> impl Iterator<Item = Resource<'_>> {
        self.blocks().filter_map(|block| block.resource("data"))
    }

    pub fn imports(&self) -> impl Iterator<Item = Import<'_>> {
        self.named("import").map(|block| Import {
            block,
            to: block.target("to"),
            id: block.value("id"),
            has_for_each: block.value("for_each").is_some(),
        })
    }

    pub fn moved(&self) -> impl Iterator<Item = Moved<'_>> {
        self.named("moved").map(|block| Moved {
            block,
            from: block.target("from"),
            to: block.target("to"),
        })
    }

    pub fn removed(&self) -> impl Iterator<Item = Removed<'_>> {
        self.named("removed").map(|block| {
            let lifecycle = block.blocks().find(|nested| nested.name() == "lifecycle");
            let destroy = lifecycle.and_then(|lifecycle| lifecycle.value("destroy"));
            Removed {
                block,
                from: block.target("from"),
                destroys: destroy.map_or(Some(true), |value| value.expression.as_bool()),
            }
        })
    }

    /// The arguments of `locals` blocks.
    pub fn locals(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.named("locals").flat_map(|block| block.attributes())
    }

    /// The `variable` blocks, each with its name.
    pub fn variables(&self) -> impl Iterator<Item = (&str, Block<'_>)> {
        self.named("variable").filter_map(|block| Some((block.label(0)?, block)))
    }

    /// Whether it calls other modules, which may declare anything.
    pub fn has_modules(&self) -> bool {
        self.named("module").next().is_some()
    }

    /// The `terraform` blocks.
    pub fn terraform_blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.named("terraform")
    }

    /// The `provider` blocks, each with the provider's name.
    pub fn providers(&self) -> impl Iterator<Item = (&str, Block<'_>)> {
        self.named("provider").filter_map(|block| Some((block.label(0)?, block)))
    }

    fn named<'a>(&'a self, name: &'static str) -> impl Iterator<Item = Block<'a>> {
        self.blocks().filter(move |block| block.name() == name)
    }

    /// The bytes of the text that something of the parser stands in.
    pub(super) fn span_of(&self, located: &impl Span) -> Option<Range<usize>> {
        let span = located.span()?;
        Some(span.start + self.offset..span.end + self.offset)
    }

    /// The parser lets text follow the closing marker of a heredoc on its line. For Terraform that
    /// line belongs to the heredoc, so everything after it would be understood in another way.
    fn check_heredocs(&self) -> Result<(), SyntaxError> {
        if !self.text.contains("<<") {
            return Ok(());
        }
        let mut heredocs = Heredocs { file: self, problem: None };
        heredocs.visit_body(&self.body);
        let Some(at) = heredocs.problem else { return Ok(()) };
        let (line, column) = self.position(at);
        let message = "the closing marker of a heredoc must stand alone on its line".to_owned();
        Err(SyntaxError { line, column, message })
    }

    /// What stands between the two markers of a heredoc, without the closing line.
    pub(super) fn heredoc_body(&self, heredoc: &HeredocTemplate) -> Option<Range<usize>> {
        let span = self.span_of(heredoc)?;
        let raw = self.text.get(span.clone())?;
        let start = raw.find('\n')? + 1;
        let end = raw.rfind('\n')? + 1;
        Some(span.start + start..span.start + end)
    }
}

struct Heredocs<'a> {
    file: &'a SourceFile,
    problem: Option<usize>,
}

impl Visit for Heredocs<'_> {
    fn visit_heredoc_template(&mut self, heredoc: &HeredocTemplate) {
        let file = self.file;
        let span = file.span_of(heredoc).unwrap_or(0..0);
        let after = file.text.get(span.end..).unwrap_or_default();
        let rest = after.split('\n').next().unwrap_or_default();
        let body = file.heredoc_body(heredoc).and_then(|body| file.text.get(body));
        let marker = heredoc.delimiter.as_str();
        let is_sound = rest.trim().is_empty()
            && body.is_some_and(|body| !body.lines().any(|line| line.trim() == marker));
        if !is_sound {
            self.problem.get_or_insert(span.start);
        }
        visit_heredoc_template(self, heredoc);
    }
}

impl<'a> Block<'a> {
    pub fn file(&self) -> &'a SourceFile {
        self.file
    }

    pub fn name(&self) -> &'a str {
        self.inner.ident.as_str()
    }

    pub fn labels(&self) -> impl Iterator<Item = &'a str> {
        self.inner.labels.iter().map(|label| label.as_str())
    }

    /// From the first byte of the name to the closing brace.
    pub fn span(&self) -> Range<usize> {
        self.file.span_of(self.inner).unwrap_or(0..0)
    }

    /// What stands between the braces.
    pub fn body_span(&self) -> Range<usize> {
        let span = self.span();
        let end = span.end.saturating_sub(1).max(span.start);
        let header = match self.inner.labels.last() {
            Some(label) => self.file.span_of(label),
            None => self.file.span_of(&self.inner.ident),
        };
        let header_end = header.map_or(span.start, |header| header.end);
        let brace = opening_brace(&self.file.text, header_end).unwrap_or(span.start);
        (brace + 1).min(end)..end
    }

    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let file = self.file;
        self.inner.body.attributes().filter_map(move |inner| attribute(file, inner))
    }

    pub fn attribute(&self, name: &str) -> Option<Attribute<'a>> {
        attribute(self.file, self.inner.body.get_attribute(name)?)
    }

    /// The right-hand side of an argument.
    pub fn value(&self, name: &str) -> Option<Value<'a>> {
        let inner = self.inner.body.get_attribute(name)?;
        Some(Value { file: self.file, expression: &inner.value })
    }

    /// The blocks within, such as `lifecycle` or `inline_policy`.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'a>> + use<'a> {
        let file = self.file;
        self.inner.body.blocks().map(move |inner| Block { file, inner })
    }

    fn label(&self, index: usize) -> Option<&'a str> {
        self.inner.labels.get(index).map(|label| label.as_str())
    }

    fn resource(self, keyword: &str) -> Option<Resource<'a>> {
        let [resource_type, label] = self.inner.labels.as_slice() else { return None };
        (self.name() == keyword).then(|| Resource {
            address: address(resource_type.as_str(), label.as_str()),
            block: self,
        })
    }

    fn target(&self, name: &str) -> Option<Target> {
        self.value(name)?.target()
    }
}

impl<'a> Resource<'a> {
    /// Whether it has `count` or `for_each`, and so any number of instances.
    pub fn is_repeated(&self) -> bool {
        self.block.value("count").is_some() || self.block.value("for_each").is_some()
    }

    /// Whether blocks of it are computed, so that [`Block::blocks`] is not all there is.
    pub fn has_dynamic_blocks(&self) -> bool {
        self.block.blocks().any(|nested| nested.name() == "dynamic")
    }

    /// The `provider` argument as it is written, such as `aws.other`.
    pub fn provider(&self) -> Option<&'a str> {
        self.block.value("provider").map(|value| value.source())
    }

    /// The arguments whose changes Terraform ignores, in full or (`tags["x"]`) in part. `all` stands
    /// for all of them, and for what cannot be read.
    pub fn ignored_changes(&self) -> Vec<String> {
        let lifecycles = self.block.blocks().filter(|nested| nested.name() == "lifecycle");
        let mut ignored = Vec::new();
        for value in lifecycles.filter_map(|lifecycle| lifecycle.value("ignore_changes")) {
            match value.expression {
                Expression::Array(names) => ignored.extend(names.iter().map(ignored_change)),
                other => ignored.push(ignored_change(other)),
            }
        }
        ignored
    }
}

fn ignored_change(name: &Expression) -> String {
    match name {
        Expression::Variable(name) => name.as_str(),
        // As it was written before Terraform 0.12, and is still read.
        Expression::String(name) if name.as_str() != "*" => {
            name.split(['.', '[']).next().unwrap_or_default()
        }
        Expression::Traversal(traversal) => match &traversal.expr {
            Expression::Variable(name) => name.as_str(),
            _ => "all",
        },
        _ => "all",
    }
    .to_owned()
}

impl<'a> Value<'a> {
    pub fn file(&self) -> &'a SourceFile {
        self.file
    }

    pub fn span(&self) -> Range<usize> {
        self.file.span_of(self.expression).unwrap_or(0..0)
    }

    /// The expression as it is written.
    pub fn source(&self) -> &'a str {
        self.file.text.get(self.span()).unwrap_or_default()
    }

    /// The text, where the expression is one in quotes and nothing of it is evaluated.
    pub fn literal(&self) -> Option<String> {
        super::literal::quoted(self.source())
    }

    /// The resource that the expression names, such as `aws_iam_role.deploy["x"]`.
    pub fn target(&self) -> Option<Target> {
        let Expression::Traversal(traversal) = self.expression else { return None };
        let (address, rest) = resource_name(traversal)?;
        let mut rest = rest.iter();
        let key = match rest.next().map(|operator| operator.value()) {
            None => None,
            Some(TraversalOperator::Index(index)) => Some(self.instance_key(index)?),
            Some(_) => return None,
        };
        rest.next().is_none().then_some(Target { address, key })
    }

    fn instance_key(&self, index: &Expression) -> Option<InstanceKey> {
        match index {
            Expression::Number(number) => number.as_u64().map(InstanceKey::Number),
            Expression::String(_) => {
                let span = self.file.span_of(index)?;
                super::literal::quoted(self.file.text.get(span)?).map(InstanceKey::Text)
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InstanceKey::Number(number) => write!(f, "[{number}]"),
            InstanceKey::Text(text) => {
                let text = super::Expression::from(text.as_str());
                write!(f, "[{}]", super::format::expression(&text))
            }
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}{key}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// What `aws_iam_role.deploy` at the beginning of a traversal names, and what follows.
pub(super) fn resource_name(
    traversal: &Traversal,
) -> Option<(Address, &[hcl_edit::Decorated<TraversalOperator>])> {
    let Expression::Variable(resource_type) = &traversal.expr else { return None };
    let (label, rest) = traversal.operators.split_first()?;
    let TraversalOperator::GetAttr(label) = label.value() else { return None };
    let is_other = matches!(
        resource_type.as_str(),
        "module" | "data" | "local" | "var" | "each" | "count" | "path" | "self" | "terraform"
    );
    (!is_other).then(|| (address(resource_type.as_str(), label.as_str()), rest))
}

pub(super) fn address(resource_type: &str, label: &str) -> Address {
    Address { resource_type: Cow::Owned(resource_type.to_owned()), label: label.to_owned() }
}

fn attribute<'a>(
    file: &'a SourceFile,
    inner: &'a hcl_edit::structure::Attribute,
) -> Option<Attribute<'a>> {
    let key_span = file.span_of(&inner.key)?;
    let value = Value { file, expression: &inner.value };
    let span = key_span.start..value.span().end;
    Some(Attribute { name: inner.key.as_str(), span, key_span, value })
}

/// The brace that opens a block whose name and labels end at `from`.
fn opening_brace(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if trimmed.starts_with('{') {
            return Some(at);
        }
        at += if trimmed.starts_with("/*") { trimmed.find("*/")? + 2 } else { return None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> SourceFile {
        SourceFile::parse("terraform/x.tf", text.to_owned()).unwrap()
    }

    const ROLE: &str = "# c\nresource \"aws_iam_role\" \"é\" /* { */ { # d\n  name = \"a\" # e\n  \
                        policy = jsonencode(\n    { a = 1 }\n  )\n  provider = aws.other\n\n  \
                        lifecycle {\n    ignore_changes = [tags[\"x\"], name, \"path\"]\n  }\n  \
                        inline_policy {\n    name = \"p\"\n  }\n} // f\n";

    #[test]
    fn places_count_the_bytes_of_the_text_as_it_is() {
        let crlf = ROLE.replace('\n', "\r\n");
        for text in [ROLE.to_owned(), format!("\u{feff}{ROLE}"), format!("\u{feff}{crlf}"), crlf] {
            let file = parsed(&text);
            let resource = file.resources().next().unwrap();
            let at = |span: Range<usize>| text[span].replace('\r', "");
            assert_eq!(resource.address.to_string(), "aws_iam_role.é");
            let block = at(resource.block.span());
            assert!(block.starts_with("resource \"aws") && block.ends_with("}\n}"), "{block}");
            let body = at(resource.block.body_span());
            assert!(body.starts_with(" # d\n") && body.ends_with("  }\n"), "{body}");
            let policy = resource.block.attribute("policy").unwrap();
            assert_eq!(at(policy.span), "policy = jsonencode(\n    { a = 1 }\n  )");
            assert_eq!(at(policy.key_span), "policy");
            assert_eq!(policy.value.source().replace('\r', ""), "jsonencode(\n    { a = 1 }\n  )");
            assert_eq!(resource.provider(), Some("aws.other"));
            assert_eq!(resource.ignored_changes(), ["tags", "name", "path"]);
            assert!(!resource.is_repeated());
            let nested = resource.block.blocks().nth(1).unwrap();
            assert_eq!(
                (nested.name(), nested.value("name").unwrap().source()),
                ("inline_policy", "\"p\"")
            );
            assert_eq!(file.position(text.find("name").unwrap()), (3, 3));
        }
    }

    #[test]
    fn one_line_blocks_have_places_too() {
        let text = "resource aws_iam_role a { name = \"x\" }\nlocals {}\n";
        let file = parsed(text);
        let block = file.resources().next().unwrap().block;
        assert_eq!(&text[block.body_span()], " name = \"x\" ");
        assert_eq!(&text[block.attribute("name").unwrap().span], "name = \"x\"");
        assert_eq!(&text[file.blocks().nth(1).unwrap().body_span()], "");
    }

    #[test]
    fn all_changes_may_be_ignored() {
        for (list, names) in [("all", vec!["all"]), ("[\"*\"]", vec!["all"]), ("[]", vec![])] {
            let file = parsed(&format!(
                "resource \"a\" \"b\" {{\n  lifecycle {{\n    ignore_changes = {list}\n  }}\n}}\n"
            ));
            assert_eq!(file.resources().next().unwrap().ignored_changes(), names);
        }
    }

    #[test]
    fn targets_have_keys() {
        let file = parsed(
            "import {\n  to = aws_iam_role.a[\"$${x}\"]\n  id = \"y\"\n}\n\
             import {\n  to = aws_iam_role.a[0]\n  identity = { name = \"a\" }\n}\n\
             import {\n  to = module.m.aws_iam_role.a\n  id = \"y\"\n}\n\
             import {\n  for_each = local.x\n  to = aws_iam_role.a[each.key]\n  id = each.value\n}\n\
             moved {\n  from = aws_iam_role.a\n  to = aws_iam_role.b\n}\n\
             removed {\n  from = aws_iam_role.c\n  lifecycle {\n    destroy = false\n  }\n}\n\
             removed {\n  from = aws_iam_role.d\n}\n",
        );
        let target = |target: Option<Target>| target.map(|target| target.to_string());
        let imports: Vec<_> = file.imports().collect();
        assert_eq!(
            imports.iter().map(|import| target(import.to.clone())).collect::<Vec<_>>(),
            [
                Some("aws_iam_role.a[\"$${x}\"]".to_owned()),
                Some("aws_iam_role.a[0]".to_owned()),
                None,
                None
            ]
        );
        assert_eq!(imports[0].to.as_ref().unwrap().key, Some(InstanceKey::Text("${x}".to_owned())));
        assert!(imports[0].id.is_some() && imports[1].id.is_none() && imports[3].has_for_each);
        let moved = file.moved().next().unwrap();
        assert_eq!(target(moved.from).as_deref(), Some("aws_iam_role.a"));
        assert_eq!(target(moved.to).as_deref(), Some("aws_iam_role.b"));
        let destroys: Vec<_> = file.removed().map(|removed| removed.destroys).collect();
        assert_eq!(destroys, [Some(false), Some(true)]);
    }

    #[test]
    fn the_rest_of_a_module_is_found() {
        let file = parsed(
            "terraform {}\nprovider \"aws\" {\n  alias = \"x\"\n}\nmodule \"m\" {\n  source = \"x\"\n}\n\
             variable \"v\" {\n  default = 1\n}\nlocals {\n  a = 1\n}\nlocals {\n  b = 2\n}\n\
             data \"aws_iam_policy_document\" \"d\" {\n}\n",
        );
        assert!(file.has_modules() && file.terraform_blocks().count() == 1);
        assert_eq!(file.providers().next().unwrap().0, "aws");
        assert_eq!(file.variables().next().unwrap().0, "v");
        assert_eq!(file.locals().map(|local| local.name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(file.data_sources().next().unwrap().address.label, "d");
        assert!(!file.is_override() && file.resources().next().is_none());
    }

    #[test]
    fn errors_name_line_and_column() {
        let error = |text: &str| SourceFile::parse("x.tf", text.to_owned()).unwrap_err();
        assert_eq!(error("\u{feff}a = 1\nb = = 2\n").line, 2);
        let heredoc = error("a = [<<EOT\nx\nEOT, <<EOT\ny\nEOT\n]\n");
        assert_eq!((heredoc.line, heredoc.column), (1, 6), "{heredoc}");
        assert!(!error("a = \n").message.contains('\n'));
    }
}
