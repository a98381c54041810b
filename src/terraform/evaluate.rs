//! What an expression of a file evaluates to, as far as that is cheap to tell.
//!
//! Either exactly what Terraform says, or [`Content::Unknown`]. Literals keep their place, so that
//! they can be edited; what is known by way of a local value, a variable or another resource is
//! [`Content::Computed`]. Everything reads untrusted text, so depth and work are bounded.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use hcl_edit::expr::{
    BinaryOp, BinaryOperator, Conditional, Expression, Object, ObjectKey, UnaryOp, UnaryOperator,
};
use hcl_edit::template::{Element, HeredocTemplate, Strip, Template};

use super::json_text::{self, Hole, has_repeated_key, interpolated};
use super::literal::{self, Part};
use super::node::{Content, JsonText, Member, Node};
use super::source::{Block, InstanceKey, SourceFile, Value};
use super::{Address, functions};
use crate::json::Json;

/// References and nesting together; the parser allows 64 levels of nesting in one file.
pub(super) const MAX_DEPTH: usize = 80;
/// Values looked at for one expression, with those that references lead to.
const MAX_STEPS: usize = 1 << 16;
/// Texts count as a step for each so many bytes.
pub(super) const BYTES_A_STEP: usize = 32;

/// What names mean in the files of one module.
pub struct Scope<'a> {
    /// `None` in these: declared twice, which an override file may do.
    pub(super) locals: HashMap<&'a str, Option<Value<'a>>>,
    pub(super) variables: HashMap<&'a str, Option<Block<'a>>>,
    pub(super) resources: HashMap<(&'a str, &'a str), Option<Block<'a>>>,
    pub(super) data_sources: HashMap<(&'a str, &'a str), Option<Block<'a>>>,
    pub(super) assigned: HashMap<&'a str, Value<'a>>,
    pub(super) facts: Facts,
    pub(super) reader: Option<&'a Reader<'a>>,
    pub(super) resolver: Option<&'a Resolver<'a>>,
    pub(super) depth: Cell<usize>,
    steps: Cell<usize>,
}

/// Reads a file by its path from the module's folder, without `..`.
pub type Reader<'a> = dyn Fn(&str) -> Option<TextFile> + 'a;

/// Tells an attribute of a resource that its arguments do not, such as `arn`.
pub type Resolver<'a> = dyn Fn(&Reference<'_, 'a>) -> Option<String> + 'a;

/// A file that `file(…)` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// As [`JsonText::file`] is to name it.
    pub path: String,
    pub text: String,
}

/// An attribute of a resource that an expression refers to.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'s, 'a> {
    pub scope: &'s Scope<'a>,
    pub address: &'s Address,
    pub key: Option<&'s InstanceKey>,
    pub attribute: &'s str,
    /// `None`: not declared in the files of the scope.
    pub block: Option<Block<'a>>,
    /// What `each` and `count` are in the instance.
    pub bindings: &'s Bindings,
}

impl Reference<'_, '_> {
    /// The text of an argument of the resource that is referred to.
    pub fn argument(&self, name: &str) -> Option<String> {
        let node = self.scope.node_with(self.block?.value(name)?, self.bindings);
        node.text().map(str::to_owned)
    }
}

/// What is known of the account that the default provider is configured for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub account_id: Option<String>,
    /// Such as `aws`.
    pub partition: Option<String>,
}

/// What `each` and `count` stand for in one instance of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bindings {
    pub(super) each: Option<(String, Node)>,
    pub(super) index: Option<u64>,
}

/// The instances of a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Instances {
    /// One, without a key.
    One,
    Known(Vec<(InstanceKey, Bindings)>),
    /// `count` or `for_each` is not known.
    Unknown,
}

pub(super) static NO_BINDINGS: Bindings = Bindings { each: None, index: None };

impl<'a> Scope<'a> {
    /// What is declared in the `.tf` files of a module.
    pub fn new(files: impl IntoIterator<Item = &'a SourceFile>) -> Scope<'a> {
        let mut scope = Scope {
            locals: HashMap::new(),
            variables: HashMap::new(),
            resources: HashMap::new(),
            data_sources: HashMap::new(),
            assigned: HashMap::new(),
            facts: Facts::default(),
            reader: None,
            resolver: None,
            depth: Cell::new(0),
            steps: Cell::new(MAX_STEPS),
        };
        for block in files.into_iter().flat_map(SourceFile::blocks) {
            scope.declare(block);
        }
        scope
    }

    /// Forgets what override files replace.
    #[must_use]
    pub fn with_overrides(mut self, files: impl IntoIterator<Item = &'a SourceFile>) -> Self {
        let is_told = |name: &str| {
            !matches!(
                name,
                "name" | "name_prefix" | "path" | "role" | "policy_arn" | "count" | "for_each"
            )
        };
        for block in files.into_iter().flat_map(SourceFile::blocks) {
            let is_the_same = block.name() == "resource"
                && block.attributes().all(|attribute| is_told(attribute.name));
            if !is_the_same {
                self.declare(block);
            }
        }
        self
    }

    /// Takes the values of variables from `terraform.tfvars` and `*.auto.tfvars`. Later files win,
    /// in the order of Terraform: that one, then the others by name.
    #[must_use]
    pub fn with_variable_files(mut self, files: impl IntoIterator<Item = &'a SourceFile>) -> Self {
        let mut files: Vec<_> = files.into_iter().collect();
        let is_auto = |file: &SourceFile| !file.path().ends_with("terraform.tfvars");
        files.sort_by_key(|file| (is_auto(file), file.path()));
        for attribute in files.into_iter().flat_map(SourceFile::attributes) {
            self.assigned.insert(attribute.name, attribute.value);
        }
        self
    }

    #[must_use]
    pub fn with_facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    #[must_use]
    pub fn with_reader(mut self, reader: &'a Reader<'a>) -> Self {
        self.reader = Some(reader);
        self
    }

    #[must_use]
    pub fn with_resolver(mut self, resolver: &'a Resolver<'a>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Evaluates an argument of a block that has one instance.
    pub fn node(&self, value: Value<'a>) -> Node {
        self.node_with(value, &NO_BINDINGS)
    }

    /// Evaluates an argument of one instance of a block.
    pub fn node_with(&self, value: Value<'a>, bindings: &Bindings) -> Node {
        self.start();
        let evaluator = Evaluator {
            scope: self,
            file: value.file,
            bindings,
            is_document: true,
            is_literal: false,
        };
        evaluator.node(value.expression)
    }

    /// The text that an argument evaluates to.
    pub fn text(&self, value: Value<'a>) -> Option<String> {
        self.node(value).text().map(str::to_owned)
    }

    /// The instances of a resource or of a data source.
    pub fn instances(&self, block: Block<'a>) -> Instances {
        self.start();
        self.instances_of(block)
    }

    /// A resolver may ask in turn; what it asks counts towards the same question.
    fn start(&self) {
        if self.depth.get() == 0 {
            self.steps.set(MAX_STEPS);
        }
    }

    fn declare(&mut self, block: Block<'a>) {
        let mut labels = block.labels();
        match (block.name(), labels.next(), labels.next()) {
            ("resource", Some(resource_type), Some(label)) => {
                declare(&mut self.resources, (resource_type, label), block);
            }
            ("data", Some(resource_type), Some(label)) => {
                declare(&mut self.data_sources, (resource_type, label), block);
            }
            ("variable", Some(name), None) => declare(&mut self.variables, name, block),
            ("locals", None, None) => {
                for local in block.attributes() {
                    declare(&mut self.locals, local.name, local.value);
                }
            }
            _ => {}
        }
    }

    pub(super) fn instances_of(&self, block: Block<'a>) -> Instances {
        let evaluator = self.evaluator(block.file(), &NO_BINDINGS);
        let instances = match (block.value("count"), block.value("for_each")) {
            (None, None) => Some(Instances::One),
            (Some(count), None) => evaluator.counted(count.expression),
            (None, Some(each)) => evaluator.each(each.expression),
            (Some(_), Some(_)) => None,
        };
        instances.unwrap_or(Instances::Unknown)
    }

    pub(super) fn evaluator<'s>(
        &'s self,
        file: &'a SourceFile,
        bindings: &'s Bindings,
    ) -> Evaluator<'s, 'a> {
        Evaluator { scope: self, file, bindings, is_document: false, is_literal: false }
    }

    pub(super) fn spend(&self, steps: usize) -> bool {
        let left = self.steps.get();
        self.steps.set(left.saturating_sub(steps));
        left > steps
    }
}

fn declare<K: Eq + std::hash::Hash, V>(names: &mut HashMap<K, Option<V>>, name: K, value: V) {
    match names.entry(name) {
        Entry::Occupied(mut entry) => *entry.get_mut() = None,
        Entry::Vacant(entry) => {
            entry.insert(Some(value));
        }
    }
}

/// A known value, and whether a literal may take its place.
pub(super) type Known = (Json, bool);

/// The evaluation of expressions in one place.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'s, 'a> {
    pub scope: &'s Scope<'a>,
    pub file: &'a SourceFile,
    pub bindings: &'s Bindings,
    /// Whether a text may be a document of its own, to be looked into.
    pub is_document: bool,
    /// Whether names and functions mean nothing, as in a file of variables.
    pub is_literal: bool,
}

impl<'s, 'a> Evaluator<'s, 'a> {
    /// Of what stands within something else, where no text is a document of its own.
    pub fn inner(self) -> Self {
        Evaluator { is_document: false, ..self }
    }

    pub fn node(self, expression: &'a Expression) -> Node {
        let depth = self.scope.depth.get();
        if let Expression::Parenthesis(inner) = expression {
            return self.deeper(depth, expression, |evaluator| evaluator.node(inner.inner()));
        }
        self.deeper(depth, expression, |evaluator| {
            // An operation that is an operand of another has no place.
            let span = evaluator.file.span_of(expression).unwrap_or(0..0);
            let content = evaluator.content(expression, &span);
            Node { span, content }
        })
    }

    fn deeper(
        self,
        depth: usize,
        expression: &'a Expression,
        evaluate: impl FnOnce(Self) -> Node,
    ) -> Node {
        if depth >= MAX_DEPTH || !self.scope.spend(1) {
            let span = self.file.span_of(expression).unwrap_or(0..0);
            return Node { span, content: Content::Unknown };
        }
        self.scope.depth.set(depth + 1);
        let node = evaluate(self);
        self.scope.depth.set(depth);
        node
    }

    /// The value of an expression, exactly as Terraform has it.
    pub fn known(self, expression: &'a Expression) -> Option<Known> {
        known(&self.inner().node(expression))
    }

    fn content(self, expression: &'a Expression, span: &Range<usize>) -> Content {
        match expression {
            Expression::Null(_) => Content::Scalar(Json::Null),
            Expression::Bool(value) => Content::Scalar(Json::Bool(*value.value())),
            Expression::Number(_) => match self.raw(span) {
                "" => Content::Unknown,
                raw => Content::Scalar(Json::Number(literal::json_number(raw))),
            },
            Expression::String(_) => self.string(span),
            Expression::Array(items) => {
                let evaluator = self.inner();
                Content::List(items.iter().map(|item| evaluator.node(item)).collect())
            }
            Expression::Object(object) => self.inner().object(object),
            _ => self.computed(expression, span).unwrap_or(Content::Unknown),
        }
    }

    fn computed(self, expression: &'a Expression, span: &Range<usize>) -> Option<Content> {
        match expression {
            Expression::StringTemplate(template) => {
                let inside = span.start + 1..span.end.checked_sub(1)?;
                let template = template.iter();
                let holes = self.holes(template)?;
                self.template(inside, &holes, true, false)
            }
            Expression::HeredocTemplate(heredoc) => self.heredoc(heredoc, span),
            Expression::FuncCall(call) => functions::call(self, call),
            Expression::Variable(_) => self.collapsed(self.reference(expression, &[])?),
            Expression::Traversal(traversal) => {
                self.collapsed(self.reference(&traversal.expr, &traversal.operators)?)
            }
            Expression::Conditional(conditional) => self.conditional(conditional),
            Expression::UnaryOp(operation) => self.unary(operation),
            Expression::BinaryOp(operation) => self.binary(operation),
            _ => None,
        }
    }

    fn raw(self, span: &Range<usize>) -> &'a str {
        self.file.text().get(span.clone()).unwrap_or_default()
    }

    fn string(self, span: &Range<usize>) -> Content {
        let raw = self.raw(span);
        if !self.scope.spend(raw.len() / BYTES_A_STEP) {
            return Content::Unknown;
        }
        literal::quoted(raw).map_or(Content::Unknown, |text| Content::Scalar(Json::String(text)))
    }

    fn object(self, object: &'a Object) -> Content {
        let mut members = Vec::with_capacity(object.len());
        for (key, value) in object.iter() {
            let (Some(text), Some(key_span)) = (self.key(key), self.file.span_of(key)) else {
                return Content::Unknown;
            };
            members.push(Member { key: text, key_span, value: self.node(value.expr()) });
        }
        if has_repeated_key(&members) { Content::Unknown } else { Content::Object(members) }
    }

    pub fn key(self, key: &'a ObjectKey) -> Option<String> {
        let expression = match key {
            ObjectKey::Ident(name) => return Some(literal::normalized(name.as_str().to_owned())),
            ObjectKey::Expression(expression) => expression,
        };
        match expression {
            // Keywords are names here, and names with a dot are refused.
            Expression::Null(_) => Some("null".to_owned()),
            Expression::Bool(value) => Some(value.value().to_string()),
            Expression::Traversal(_) => None,
            _ => interpolated(&self.known(expression)?.0),
        }
    }

    /// The interpolations of a template; `None` if it has directives or takes white space away.
    fn holes(self, elements: impl Iterator<Item = &'a Element>) -> Option<Vec<Hole>> {
        let mut holes = Vec::new();
        for element in elements {
            match element {
                Element::Literal(_) => {}
                Element::Interpolation(interpolation) if interpolation.strip == Strip::None => {
                    let span = self.file.span_of(element)?;
                    holes.push(Hole { span, value: self.known(&interpolation.expr) });
                }
                _ => return None,
            }
        }
        Some(holes)
    }

    /// The text of a template that stands at `range`.
    fn template(
        self,
        range: Range<usize>,
        holes: &[Hole],
        is_quoted: bool,
        is_indented: bool,
    ) -> Option<Content> {
        // A template of one interpolation is its value, whatever that is.
        if let [hole] = holes
            && hole.span == range
        {
            let (value, is_replaceable) = hole.value.clone()?;
            return Some(Content::Computed { value, is_replaceable });
        }
        let mut parts = Vec::with_capacity(holes.len() * 2 + 1);
        let mut at = range.start;
        for hole in holes {
            parts.push(Part::Text(self.file.text().get(at..hole.span.start)?));
            parts.push(Part::Hole(hole));
            at = hole.span.end;
        }
        parts.push(Part::Text(self.file.text().get(at..range.end)?));
        parts.retain(|part| !matches!(part, Part::Text("")));
        if is_indented {
            parts = literal::without_indentation(&parts);
        }
        let mut text = String::with_capacity(range.len());
        let mut are_replaceable = true;
        for part in parts {
            match part {
                Part::Text(raw) => text.push_str(&literal::decoded(raw, is_quoted)?),
                Part::Hole(hole) => {
                    let (value, is_replaceable) = hole.value.as_ref()?;
                    text.push_str(&interpolated(value)?);
                    are_replaceable &= is_replaceable;
                }
            }
        }
        if !self.scope.spend(text.len() / BYTES_A_STEP) {
            return None;
        }
        let value = Json::String(literal::normalized(text));
        Some(if holes.is_empty() {
            Content::Scalar(value)
        } else {
            Content::Computed { value, is_replaceable: are_replaceable }
        })
    }

    fn heredoc(self, heredoc: &'a HeredocTemplate, span: &Range<usize>) -> Option<Content> {
        let body = self.file.heredoc_body(heredoc)?;
        let template: &Template = &heredoc.template;
        let holes = self.holes(template.iter())?;
        if self.is_document
            && let Some(root) = json_text::parse(self.file.text(), body.clone(), true, &holes)
        {
            let root = Box::new(root);
            return Some(Content::JsonText(JsonText { file: None, is_template: true, root }));
        }
        let is_indented = self.raw(span).starts_with("<<-");
        self.template(body, &holes, false, is_indented)
    }

    fn conditional(self, conditional: &'a Conditional) -> Option<Content> {
        let condition = self.known(&conditional.cond_expr)?;
        let (taken, other) = match boolean(&condition.0)? {
            true => (&conditional.true_expr, &conditional.false_expr),
            false => (&conditional.false_expr, &conditional.true_expr),
        };
        let (value, is_replaceable) = self.known(taken)?;
        // Both sides become one type, and everything that may stand beside a text becomes a text.
        let is_converted = || self.known(other).is_none_or(|(other, _)| !are_alike(&value, &other));
        if !matches!(value, Json::String(_)) && is_converted() {
            return None;
        }
        Some(Content::Computed { value, is_replaceable })
    }

    fn unary(self, operation: &'a UnaryOp) -> Option<Content> {
        let (value, is_replaceable) = self.known(&operation.expr)?;
        let value = match (operation.operator.value(), value) {
            (UnaryOperator::Neg, Json::Number(number)) => {
                Json::Number(match number.strip_prefix('-') {
                    Some(positive) => positive.to_owned(),
                    None => format!("-{number}"),
                })
            }
            (UnaryOperator::Not, Json::Bool(value)) => Json::Bool(!value),
            _ => return None,
        };
        Some(Content::Computed { value, is_replaceable })
    }

    fn binary(self, operation: &'a BinaryOp) -> Option<Content> {
        let (left, right) =
            (self.known(&operation.lhs_expr)?.0, self.known(&operation.rhs_expr)?.0);
        let value = match operation.operator.value() {
            BinaryOperator::Eq => are_equal(&left, &right)?,
            BinaryOperator::NotEq => !are_equal(&left, &right)?,
            BinaryOperator::And => boolean(&left)? && boolean(&right)?,
            BinaryOperator::Or => boolean(&left)? || boolean(&right)?,
            _ => return None,
        };
        Some(Content::Computed { value: Json::Bool(value), is_replaceable: true })
    }

    /// Something known by way of something else.
    fn collapsed(self, node: Node) -> Option<Content> {
        let (value, is_replaceable) = known(&node)?;
        self.scope.spend(weight(&value)).then_some(Content::Computed { value, is_replaceable })
    }
}

/// A value that has no place: what refers to it has.
pub(super) fn computed(value: Json, is_replaceable: bool) -> Node {
    Node { span: 0..0, content: Content::Computed { value, is_replaceable } }
}

/// The value of a node, exactly as Terraform has it.
pub(super) fn known(node: &Node) -> Option<Known> {
    match &node.content {
        Content::Unknown => None,
        Content::Scalar(value) => Some((value.clone(), true)),
        Content::Computed { value, is_replaceable } => Some((value.clone(), *is_replaceable)),
        Content::List(items) => {
            let mut values = Vec::with_capacity(items.len());
            let mut are_replaceable = true;
            for item in items {
                let (value, is_replaceable) = known(item)?;
                are_replaceable &= is_replaceable;
                values.push(value);
            }
            Some((Json::Array(values), are_replaceable))
        }
        Content::Object(members) => {
            let mut values = Vec::with_capacity(members.len());
            let mut are_replaceable = true;
            for member in members {
                let (value, is_replaceable) = known(&member.value)?;
                are_replaceable &= is_replaceable;
                values.push((member.key.clone(), value));
            }
            Some((Json::Object(values), are_replaceable))
        }
        // Only a document is left in this form, and it is not asked for its value.
        Content::JsonEncode(_) | Content::JsonText(_) => None,
    }
}

fn weight(value: &Json) -> usize {
    1 + match value {
        Json::Array(items) => items.iter().map(weight).sum(),
        Json::Object(members) => members.iter().map(|(_, value)| weight(value)).sum(),
        Json::String(text) => text.len() / BYTES_A_STEP,
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}

pub(super) fn node_weight(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar(value) | Content::Computed { value, .. } => weight(value),
        Content::List(items) => items.iter().map(node_weight).sum(),
        Content::Object(members) => members.iter().map(|member| node_weight(&member.value)).sum(),
        Content::JsonEncode(inner) => node_weight(inner),
        Content::JsonText(text) => node_weight(&text.root),
        Content::Unknown => 0,
    }
}

fn boolean(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(value) => Some(*value),
        _ => None,
    }
}

/// `==`, for values that are not collections. Those of different types are not equal.
fn are_equal(one: &Json, other: &Json) -> Option<bool> {
    let is_collection = |value: &Json| matches!(value, Json::Array(_) | Json::Object(_));
    if is_collection(one) || is_collection(other) {
        return None;
    }
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            let unsigned = |text: String| if text == "-0" { "0".to_owned() } else { text };
            let text = |number| literal::number_text(number).map(unsigned);
            Some(text(one)? == text(other)?)
        }
        _ => Some(one == other),
    }
}

/// Whether two values are of one type for sure, so that neither is converted when one of them may
/// stand for the other.
pub(super) fn are_alike(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Array(items), Json::Array(others)) => {
            items.iter().chain(others).all(|item| matches!(item, Json::String(_)))
                || items.len() == others.len()
                    && items.iter().zip(others).all(|(item, other)| are_alike(item, other))
        }
        (Json::Object(members), Json::Object(others)) => {
            let mut values = members.iter().chain(others).map(|(_, value)| value);
            values.all(|value| matches!(value, Json::String(_)))
                || members.len() == others.len()
                    && members.iter().all(|(key, value)| {
                        other.member(key).is_some_and(|other| are_alike(value, other))
                    })
        }
        (_, Json::Null) => true,
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

impl<'a> Evaluator<'_, 'a> {
    /// Reads a file next to the module, by the path that `file(…)` has.
    pub fn read(self, path: &str) -> Option<TextFile> {
        if path.starts_with('/') || path.contains('\\') {
            return None;
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.is_empty() || parts.contains(&"..") {
            return None;
        }
        let file = self.scope.reader?(&parts.join("/"))?;
        self.scope.spend(file.text.len() / BYTES_A_STEP).then_some(file)
    }

    /// What an argument of a block evaluates to.
    pub fn argument_of(self, block: Block<'a>, name: &str) -> Option<Option<Known>> {
        match block.value(name) {
            None => Some(None),
            Some(value) => {
                let evaluator = Evaluator { file: value.file, ..self };
                Some(Some(evaluator.known(value.expression)?))
            }
        }
    }
}

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("locals", &self.locals.len())
            .field("variables", &self.variables.len())
            .field("resources", &self.resources.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> SourceFile {
        SourceFile::parse("x.tf", text.to_owned()).unwrap()
    }

    /// What the local value `x` is.
    fn value_of(text: &str) -> Option<Json> {
        let files = [parsed(text)];
        let facts = Facts { account_id: Some("1".to_owned()), partition: Some("aws".to_owned()) };
        let resolver = |reference: &Reference<'_, '_>| {
            let name = reference.argument("name")?;
            (reference.attribute == "arn").then(|| format!("arn:{name}"))
        };
        let scope = Scope::new(&files).with_facts(facts).with_resolver(&resolver);
        let value = files[0].locals().find(|local| local.name == "x").unwrap().value;
        scope.node(value).value()
    }

    fn string(text: &str) -> Option<Json> {
        Some(Json::String(text.to_owned()))
    }

    const ROLES: &str = "resource \"aws_iam_role\" \"a\" {\n  name = local.n\n  max = 5\n  tags = {\n    \
                         k = \"v\"\n  }\n  lifecycle {\n    ignore_changes = [description]\n  }\n  \
                         description = \"d\"\n}\nresource \"aws_iam_role\" \"b\" {\n  for_each = { x = \
                         \"one\", y = \"two\" }\n  name = \"r-${each.key}-${each.value}\"\n}\n\
                         resource \"aws_iam_role\" \"c\" {\n  count = 2\n  name = \"c${count.index}\"\n}\n\
                         locals {\n  n = \"role\"\n}\n";

    #[test]
    fn attributes_of_other_resources_are_known_by_their_arguments() {
        for (expression, value) in [
            ("aws_iam_role.a.name", string("role")),
            ("aws_iam_role.a.id", string("role")),
            ("aws_iam_role.a.arn", string("arn:role")),
            ("aws_iam_role.a.tags[\"k\"]", string("v")),
            ("aws_iam_role.a.tags.k", string("v")),
            ("aws_iam_role.a.max", None),
            ("aws_iam_role.a.description", None),
            ("aws_iam_role.a.unique_id", None),
            ("aws_iam_role.a[0].name", None),
            ("aws_iam_role.a", None),
            ("aws_iam_role.b[\"y\"].name", string("r-y-two")),
            ("aws_iam_role.b[\"x\"].arn", string("arn:r-x-one")),
            ("aws_iam_role.b[\"z\"].name", None),
            ("aws_iam_role.b.name", None),
            ("aws_iam_role.c[1].name", string("c1")),
            ("aws_iam_role.c[2].name", None),
            ("aws_iam_role.none.name", None),
            ("module.m.name", None),
            ("data.aws_caller_identity.me.account_id", string("1")),
            ("data.aws_caller_identity.other.account_id", None),
            ("data.aws_caller_identity.none.account_id", None),
            (
                "\"${data.aws_partition.p.partition}.${data.aws_partition.p.dns_suffix}\"",
                string("aws.amazonaws.com"),
            ),
        ] {
            let text = format!(
                "{ROLES}data \"aws_caller_identity\" \"me\" {{}}\ndata \"aws_partition\" \"p\" {{}}\n\
                 data \"aws_caller_identity\" \"other\" {{\n  provider = aws.other\n}}\n\
                 locals {{\n  x = {expression}\n}}\n"
            );
            assert_eq!(value_of(&text), value, "{expression}");
        }
    }

    #[test]
    fn instances_are_told_when_the_keys_are_known() {
        let instances = |argument: &str| {
            let files = [parsed(&format!(
                "resource \"t\" \"a\" {{\n  {argument}\n}}\nlocals {{\n  s = toset([\"b\", \"a\"])\n  \
                 m = {{ a = {{ n = 1, u = unknown() }} }}\n}}\n"
            ))];
            let block = files[0].resources().next().unwrap().block;
            let Instances::Known(instances) = Scope::new(&files).instances(block) else {
                return None;
            };
            Some(instances.into_iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>().concat())
        };
        for (argument, keys) in [
            ("count = 2", Some("[0][1]")),
            ("count = true ? 0 : 1", Some("")),
            ("count = 1.5", None),
            ("count = 100000", None),
            ("count = var.x", None),
            ("for_each = local.s", Some("[\"a\"][\"b\"]")),
            ("for_each = local.m", Some("[\"a\"]")),
            ("for_each = toset([])", Some("")),
            ("for_each = { \"x y\" = 1 }", Some("[\"x y\"]")),
            ("for_each = [\"a\"]", None),
            ("for_each = { for x in [1] : x => x }", None),
            ("for_each = {}\n  count = 1", None),
        ] {
            assert_eq!(instances(argument).as_deref(), keys, "{argument}");
        }
        let files = [parsed("resource \"t\" \"a\" {\n}\n")];
        let block = files[0].resources().next().unwrap().block;
        assert_eq!(Scope::new(&files).instances(block), Instances::One);
    }

    #[test]
    fn files_may_be_read_by_several_threads() {
        fn assert_shared<T: Send + Sync>() {}
        assert_shared::<SourceFile>();
        assert_shared::<Bindings>();
    }

    #[test]
    fn what_is_declared_twice_is_not_known() {
        assert_eq!(value_of("locals {\n  x = local.a\n  a = 1\n}\nlocals {\n  a = 2\n}\n"), None);
    }

    #[test]
    fn variables_have_types_and_files() {
        let files = [parsed(
            "variable \"a\" {\n  type = string\n  default = 5\n}\nvariable \"b\" {\n  type = number\n}\n\
             variable \"c\" {\n  type = object({ a = string })\n  default = { a = \"x\", b = 1 }\n}\n\
             variable \"d\" {\n  default = \"x\"\n}\n\
             locals {\n  x = [var.a, var.d]\n  y = var.b\n  z = var.c\n}\n",
        )];
        let variables = |path: &str, text: &str| SourceFile::parse(path, text.to_owned()).unwrap();
        let assigned = [
            variables("b.auto.tfvars", "d = \"auto\"\n"),
            variables("terraform.tfvars", "d = \"first\"\nb = \"no number\"\n"),
            variables("a.auto.tfvars", "a = local.x\n"),
        ];
        let scope = Scope::new(&files);
        let value = |name: &str| files[0].locals().find(|local| local.name == name).unwrap().value;
        assert_eq!(scope.node(value("x")).value(), Json::parse("[\"5\",\"x\"]").ok());
        assert_eq!(scope.node(value("y")).value(), None);
        assert_eq!(scope.node(value("z")).value(), None);
        let scope = Scope::new(&files).with_variable_files(&assigned);
        assert_eq!(scope.node(value("y")).value(), None);
        let Content::List(items) = scope.node(value("x")).content else { panic!("no list") };
        assert_eq!(items[0].value(), None);
        assert_eq!(items[1].value(), string("auto"));
    }

    #[test]
    fn documents_of_data_sources_are_those_of_the_provider() {
        let document = |body: &str| {
            let text = format!(
                "data \"aws_iam_policy_document\" \"d\" {{\n{body}\n}}\ndata \
                 \"aws_iam_policy_document\" \"s\" {{\n  statement {{\n    sid = \"S\"\n    actions = \
                 [\"s\"]\n  }}\n}}\nlocals {{\n  x = data.aws_iam_policy_document.d.minified_json\n}}\n"
            );
            value_of(&text).map(|value| match value {
                Json::String(text) => text,
                other => panic!("{other}"),
            })
        };
        let known =
            |body: &str, json: &str| assert_eq!(document(body).as_deref(), Some(json), "{body}");
        known(
            "statement {\n sid = \"A\"\n actions = [\"b\", \"a\", \"b\"]\n resources = [\"arn:&{aws:x}/<\"]\n \
             principals {\n type = \"AWS\"\n identifiers = [\"1\", \"2\"]\n }\n \
             principals {\n type = \"Service\"\n identifiers = [\"s\"]\n }\n \
             condition {\n test = \"Bool\"\n variable = \"k\"\n values = [\"b\", \"a\"]\n }\n \
             condition {\n test = \"Bool\"\n variable = \"j\"\n values = [true]\n }\n}",
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":["b","a"],"Resource":"arn:${aws:x}/\u003c","Principal":{"AWS":["2","1"],"Service":"s"},"Condition":{"Bool":{"j":"true","k":["b","a"]}}}]}"#,
        );
        known(
            "policy_id = \"p\"\nversion = \"2008-10-17\"\nstatement {\n effect = \"Deny\"\n \
             not_actions = [\"a\"]\n not_resources = [\"*\"]\n not_principals {\n type = \"*\"\n \
             identifiers = [\"*\"]\n }\n}",
            r#"{"Version":"2008-10-17","Id":"p","Statement":[{"Effect":"Deny","NotAction":"a","NotResource":"*","NotPrincipal":"*"}]}"#,
        );
        known("", r#"{"Version":"2012-10-17"}"#);
        known(
            "source_policy_documents = [data.aws_iam_policy_document.s.json]\nstatement {\n}",
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"Allow","Action":"s"},{"Effect":"Allow"}]}"#,
        );
        known(
            "override_policy_documents = [data.aws_iam_policy_document.s.json]\n\
             statement {\n sid = \"S\"\n actions = [\"replaced\"]\n}",
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"Allow","Action":"s"}]}"#,
        );
        for body in [
            "dynamic \"statement\" {\n for_each = []\n}",
            "statement {\n actions = [var.x]\n}",
            "statement {\n sid = \"A\"\n}\nstatement {\n sid = \"A\"\n}",
            "version = \"2008-10-17\"\nstatement {\n resources = [\"&{x}\"]\n}",
            "source_policy_documents = [data.aws_iam_policy_document.d.json]",
            "statement {\n new = 1\n}",
        ] {
            assert_eq!(document(body), None, "{body}");
        }
    }

    #[test]
    fn layout_of_a_document_is_that_of_the_provider() {
        let text = "data \"aws_iam_policy_document\" \"d\" {\n  statement {\n    actions = [\"a\", \"b\"]\n  \
                    }\n}\nlocals {\n  x = data.aws_iam_policy_document.d.json\n}\n";
        assert_eq!(
            value_of(text),
            string(
                "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \
                 \"Allow\",\n      \"Action\": [\n        \"b\",\n        \"a\"\n      ]\n    }\n  ]\n}"
            )
        );
        let files = [parsed(text)];
        let node = Scope::new(&files).node(files[0].locals().next().unwrap().value);
        assert!(matches!(node.content, Content::Computed { is_replaceable: false, .. }));
    }

    #[test]
    fn files_beyond_the_module_are_not_read() {
        let reader = |path: &str| {
            Some(TextFile { path: format!("terraform/{path}"), text: "{\"a\": 1}".to_owned() })
        };
        for (path, name) in [
            ("x.json", Some("terraform/x.json")),
            ("${path.module}/a/x.json", Some("terraform/a/x.json")),
            ("../x.json", None),
            ("a/../x.json", None),
            ("/etc/x.json", None),
            ("~/x.json", Some("terraform/~/x.json")),
            ("", None),
        ] {
            let files = [parsed(&format!("locals {{\n  x = file(\"{path}\")\n}}\n"))];
            let scope = Scope::new(&files).with_reader(&reader);
            let found = match scope.node(files[0].locals().next().unwrap().value).content {
                Content::JsonText(JsonText { file, is_template: false, .. }) => file,
                _ => None,
            };
            assert_eq!(found.as_deref(), name, "{path}");
        }
    }

    #[test]
    fn cycles_and_avalanches_end() {
        for locals in [
            "x = local.x",
            "x = [local.x, local.x]",
            "x = \"${local.x}${local.x}\"",
            "x = { a = local.x.a }.a",
            "x = local.y\n  y = { a = local.x }",
            "x = local.x[local.x]",
        ] {
            assert_eq!(value_of(&format!("locals {{\n  {locals}\n}}\n")), None, "{locals}");
        }
        let open = "[".repeat(60);
        let close = "]".repeat(60);
        for step in [
            "a@ = local.a#",
            "a@ = \"${local.a#}${local.a#}\"",
            "a@ = [local.a#, local.a#]",
            "a@ = { b = { c = local.a#.b.c } }",
            "a@ = true ? \"x${format(\"%s\", lower(\"${local.a#}\"))}\" : \"\"",
            "a@ = jsonencode(jsondecode(jsonencode(local.a#)))",
            &format!("a@ = {open}merge(format(\"%s\", local.a#)){close}"),
        ] {
            let mut text = "locals {\n  x = local.a600\n  a0 = \"0123456789\"\n".to_owned();
            for n in 1..=600 {
                let line = step.replace('@', &n.to_string()).replace('#', &(n - 1).to_string());
                text += &format!("  {line}\n");
            }
            assert_eq!(value_of(&(text + "}\n")), None, "{step}");
        }
        for step in [
            "resource \"t\" \"a@\" {\n  name = \"${t.a#.name}\"\n}\n",
            "resource \"t\" \"a@\" {\n  name = \"${t.a#.arn}\"\n}\n",
            "resource \"t\" \"a@\" {\n  for_each = { x = t.a#[\"x\"].name }\n  name = each.value\n}\n",
            "data \"aws_iam_policy_document\" \"a@\" {\n  statement {\n    condition {\n      test = \
             \"x\"\n      variable = \"y\"\n      values = \
             [data.aws_iam_policy_document.a#.json]\n    }\n  }\n}\n",
        ] {
            let kind = if step.starts_with("data") { "data.aws_iam_policy_document" } else { "t" };
            let mut text =
                format!("locals {{\n  x = {kind}.a600.json\n  y = {kind}.a600.name\n}}\n");
            for n in 1..=600 {
                text += &step.replace('@', &n.to_string()).replace('#', &(n - 1).to_string());
            }
            assert_eq!(value_of(&text), None, "{step}");
            assert_eq!(value_of(&text.replace("x =", "z =").replace("y =", "x =")), None, "{step}");
        }
    }

    #[test]
    fn resolvers_that_ask_in_turn_end() {
        let text = "resource \"t\" \"a\" {\n  name = t.b.arn\n}\nresource \"t\" \"b\" {\n  name = \
                    \"${t.a.arn}${t.a.arn}\"\n}\nlocals {\n  x = t.a.arn\n}\n";
        assert_eq!(value_of(text), None);
    }
}
