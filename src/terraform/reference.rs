//! What the names in an expression lead to: local values, variables, other resources, data sources,
//! and the instances of a resource.
//!
//! Names lead to nodes, of which a part may be known when the whole is not.

use hcl_edit::Decorated;
use hcl_edit::expr::{Expression, TraversalOperator};

use super::evaluate::{
    BYTES_A_STEP, Bindings, Evaluator, Instances, MAX_DEPTH, NO_BINDINGS, Reference, Resolver,
    Scope, computed, known, node_weight,
};
use super::json_text::interpolated;
use super::node::{Content, Node};
use super::source::{Block, InstanceKey, Resource, address};
use super::{data_document, functions, literal};
use crate::json::Json;

/// What takes more of the stack than one expression does.
const DEEP: usize = 4;
const MAX_INSTANCES: u64 = 1000;

type Operators<'a> = &'a [Decorated<TraversalOperator>];

impl<'a> Evaluator<'_, 'a> {
    /// What names lead to, not collapsed, so that a part may be known of what is not.
    pub fn reference(self, base: &'a Expression, operators: Operators<'a>) -> Option<Node> {
        let Expression::Variable(root) = base else {
            return walk(self.inner().node(base), &self.path(operators)?);
        };
        if self.is_literal {
            return None;
        }
        let name = || match operators.first()?.value() {
            TraversalOperator::GetAttr(name) => Some((name.as_str(), &operators[1..])),
            _ => None,
        };
        match root.as_str() {
            "local" => {
                let (name, rest) = name()?;
                let value = (*self.scope.locals.get(name)?)?;
                let path = self.path(rest)?;
                self.scope.evaluator(value.file, &NO_BINDINGS).descend(value.expression, &path)
            }
            "var" => {
                let (name, rest) = name()?;
                walk(self.variable(name)?, &self.path(rest)?)
            }
            "path" => match name()? {
                ("module" | "root", []) => Some(computed(Json::String(".".to_owned()), true)),
                _ => None,
            },
            "each" => {
                let (key, value) = self.bindings.each.as_ref()?;
                match name()? {
                    ("key", []) => Some(computed(Json::String(key.clone()), true)),
                    ("value", rest) => {
                        self.scope.spend(node_weight(value)).then_some(())?;
                        walk(value.clone(), &self.path(rest)?)
                    }
                    _ => None,
                }
            }
            "count" => match name()? {
                ("index", []) => {
                    Some(computed(Json::Number(self.bindings.index?.to_string()), true))
                }
                _ => None,
            },
            "data" => {
                let (data_type, rest) = name()?;
                self.data_source(data_type, rest)
            }
            "module" | "self" | "terraform" => None,
            resource_type => {
                let (label, rest) = name()?;
                self.resource(resource_type, label, rest)
            }
        }
    }

    /// Follows names and indices into an expression, evaluating no more of it than it must.
    fn descend(self, mut expression: &'a Expression, mut path: &[Json]) -> Option<Node> {
        while let (Expression::Object(object), [Json::String(wanted), rest @ ..]) =
            (expression, path)
        {
            let mut found = None;
            for (key, value) in object.iter() {
                self.scope.spend(1).then_some(())?;
                if self.key(key)? == *wanted && found.replace(value.expr()).is_some() {
                    return None;
                }
            }
            (expression, path) = (found?, rest);
        }
        walk(self.node(expression), path)
    }

    /// The names and indices that follow something.
    fn path(self, operators: Operators<'a>) -> Option<Vec<Json>> {
        let index = |operator: &'a Decorated<TraversalOperator>| match operator.value() {
            TraversalOperator::GetAttr(name) => Some(Json::String(name.as_str().to_owned())),
            TraversalOperator::Index(index) => Some(self.known(index)?.0),
            TraversalOperator::LegacyIndex(index) => Some(Json::Number(index.value().to_string())),
            TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => None,
        };
        operators.iter().map(index).collect()
    }

    fn variable(self, name: &str) -> Option<Node> {
        let block = (*self.scope.variables.get(name)?)?;
        let value = match self.scope.assigned.get(name) {
            Some(value) => *value,
            None => block.value("default")?,
        };
        let evaluator =
            Evaluator { is_literal: true, ..self.scope.evaluator(value.file, &NO_BINDINGS) };
        let node = evaluator.node(value.expression);
        // The default may take the place of `null`.
        if block.value("nullable").is_some() && node.content == Content::Scalar(Json::Null) {
            return None;
        }
        match block.value("type") {
            None => Some(node),
            Some(constraint) if constraint.source() == "any" => Some(node),
            Some(constraint) => {
                let (value, is_replaceable) = known(&node)?;
                Some(computed(converted(value, constraint.source())?, is_replaceable))
            }
        }
    }

    fn data_source(self, data_type: &'a str, operators: Operators<'a>) -> Option<Node> {
        let (label, rest) = operators.split_first()?;
        let TraversalOperator::GetAttr(label) = label.value() else { return None };
        let block = (*self.scope.data_sources.get(&(data_type, label.as_str()))?)?;
        let (key, rest) = self.instance_key(rest)?;
        let bindings = self.instance(block, key.as_ref())?;
        let [attribute] = rest else { return None };
        let TraversalOperator::GetAttr(attribute) = attribute.value() else { return None };
        let evaluator = self.scope.evaluator(block.file(), &bindings);
        let text = match (data_type, attribute.as_str()) {
            ("aws_iam_policy_document", attribute @ ("json" | "minified_json")) => {
                let text = evaluator.document(block, attribute == "json")?;
                return Some(computed(Json::String(text), false));
            }
            // Another provider may be that of another account.
            _ if block.value("provider").is_some() => return None,
            ("aws_caller_identity", "account_id" | "id") => self.scope.facts.account_id.clone()?,
            ("aws_partition", "partition" | "id") => self.scope.facts.partition.clone()?,
            ("aws_partition", "dns_suffix") => match self.scope.facts.partition.as_deref()? {
                "aws" | "aws-us-gov" => "amazonaws.com".to_owned(),
                "aws-cn" => "amazonaws.com.cn".to_owned(),
                _ => return None,
            },
            _ => return None,
        };
        Some(computed(Json::String(text), true))
    }

    fn document(self, block: Block<'a>, is_pretty: bool) -> Option<String> {
        let depth = self.scope.depth.get();
        if depth >= MAX_DEPTH || !self.scope.spend(1) {
            return None;
        }
        self.scope.depth.set(depth + DEEP);
        let text = data_document::text(self, block, is_pretty);
        self.scope.depth.set(depth);
        let text = text?;
        self.scope.spend(text.len() / BYTES_A_STEP).then_some(text)
    }

    fn resource(self, resource_type: &str, label: &str, operators: Operators<'a>) -> Option<Node> {
        let declared = self.scope.resources.get(&(resource_type, label));
        let block = match declared {
            Some(block) => Some((*block)?),
            None => None,
        };
        let (key, rest) = self.instance_key(operators)?;
        let (attribute, rest) = rest.split_first()?;
        let TraversalOperator::GetAttr(attribute) = attribute.value() else { return None };
        let address = address(resource_type, label);
        let attribute = attribute.as_str();
        let bindings = match block {
            Some(block) => self.instance(block, key.as_ref())?,
            None => Bindings::default(),
        };
        let rest = self.path(rest)?;
        if let Some(block) = block
            && let Some(node) =
                argument(self.scope, block, (resource_type, attribute), &rest, &bindings)
        {
            return Some(node);
        }
        let reference = Reference {
            scope: self.scope,
            address: &address,
            key: key.as_ref(),
            attribute,
            block,
            bindings: &bindings,
        };
        let resolved = self.scope.resolver.and_then(|resolver| self.resolved(resolver, &reference));
        match resolved {
            Some(text) if rest.is_empty() => Some(computed(Json::String(text), true)),
            Some(_) => None,
            None if attribute == "id" && is_identified_by_name(resource_type) => {
                argument(self.scope, block?, (resource_type, "name"), &rest, &bindings)
            }
            None => None,
        }
    }

    fn resolved(self, resolver: &Resolver<'a>, reference: &Reference<'_, 'a>) -> Option<String> {
        let depth = self.scope.depth.get();
        self.scope.spend(1).then_some(())?;
        // It may evaluate in turn, each time with frames of its own on the stack.
        self.scope.depth.set(depth + DEEP);
        let text = resolver(reference);
        self.scope.depth.set(depth);
        text
    }

    /// The key of an instance, and what follows it.
    fn instance_key(
        self,
        operators: Operators<'a>,
    ) -> Option<(Option<InstanceKey>, Operators<'a>)> {
        let Some((operator, rest)) = operators.split_first() else {
            return Some((None, operators));
        };
        let TraversalOperator::Index(index) = operator.value() else {
            return Some((None, operators));
        };
        let key = match self.known(index)?.0 {
            Json::String(text) => InstanceKey::Text(text),
            Json::Number(number) => InstanceKey::Number(number.parse().ok()?),
            _ => return None,
        };
        Some((Some(key), rest))
    }

    fn instance(self, block: Block<'a>, key: Option<&InstanceKey>) -> Option<Bindings> {
        let depth = self.scope.depth.get();
        if depth >= MAX_DEPTH {
            return None;
        }
        self.scope.depth.set(depth + DEEP);
        let instances = self.scope.instances_of(block);
        self.scope.depth.set(depth);
        match (instances, key) {
            (Instances::One, None) => Some(Bindings::default()),
            (Instances::Known(instances), Some(key)) => {
                instances.into_iter().find(|(known, _)| known == key).map(|(_, bindings)| bindings)
            }
            _ => None,
        }
    }

    pub fn counted(self, count: &'a Expression) -> Option<Instances> {
        let Json::Number(number) = self.known(count)?.0 else { return None };
        let count: u64 = literal::number_text(&number)?.parse().ok()?;
        let instance =
            |index| (InstanceKey::Number(index), Bindings { each: None, index: Some(index) });
        (count <= MAX_INSTANCES).then(|| Instances::Known((0..count).map(instance).collect()))
    }

    pub fn each(self, expression: &'a Expression) -> Option<Instances> {
        // A list is refused by Terraform.
        if matches!(expression, Expression::Array(_)) {
            return None;
        }
        let node = match expression {
            Expression::Traversal(traversal) => {
                self.reference(&traversal.expr, &traversal.operators)?
            }
            other => self.node(other),
        };
        let members: Vec<(String, Node)> = match node.content {
            Content::Object(members) => {
                members.into_iter().map(|member| (member.key, member.value)).collect()
            }
            Content::Computed { value: Json::Object(members), is_replaceable } => members
                .into_iter()
                .map(|(key, value)| (key, computed(value, is_replaceable)))
                .collect(),
            Content::Computed { value: Json::Array(items), is_replaceable } => items
                .into_iter()
                .map(|item| match item {
                    Json::String(text) => {
                        Some((text.clone(), computed(Json::String(text), is_replaceable)))
                    }
                    _ => None,
                })
                .collect::<Option<_>>()?,
            _ => return None,
        };
        let instance = |(key, value): (String, Node)| {
            let bindings = Bindings { each: Some((key.clone(), value)), index: None };
            (InstanceKey::Text(key), bindings)
        };
        Some(Instances::Known(members.into_iter().map(instance).collect()))
    }
}

/// An argument of a resource that another expression refers to: a text, or a map of texts such as
/// `tags`. The provider converts others.
fn argument<'a>(
    scope: &Scope<'a>,
    block: Block<'a>,
    (resource_type, name): (&str, &str),
    path: &[Json],
    bindings: &Bindings,
) -> Option<Node> {
    // The provider takes `https://` away.
    if resource_type == "aws_iam_openid_connect_provider" && name == "url" {
        return None;
    }
    let resource = Resource { address: address(resource_type, ""), block };
    let is_ignored = |ignored: &String| ignored == name || ignored == "all";
    if resource.ignored_changes().iter().any(is_ignored) {
        return None;
    }
    let value = block.value(name)?;
    let node = scope.evaluator(value.file, bindings).descend(value.expression, path)?;
    let (value, is_replaceable) = known(&node)?;
    let is_text = |value: &Json| matches!(value, Json::String(_));
    let is_sound = match &value {
        Json::Object(members) => members.iter().all(|(_, value)| is_text(value)),
        value => is_text(value),
    };
    is_sound.then(|| computed(value, is_replaceable))
}

fn walk(mut node: Node, path: &[Json]) -> Option<Node> {
    for index in path {
        node = match (node.content, index) {
            (Content::Object(members), Json::String(key)) => {
                members.into_iter().find(|member| member.key == *key)?.value
            }
            (Content::List(items), Json::Number(number)) => {
                items.into_iter().nth(number.parse().ok()?)?
            }
            (Content::Scalar(value), index) => computed(item(value, index)?, true),
            (Content::Computed { value, is_replaceable }, index) => {
                computed(item(value, index)?, is_replaceable)
            }
            _ => return None,
        };
    }
    Some(node)
}

fn item(value: Json, index: &Json) -> Option<Json> {
    match (value, index) {
        (Json::Object(members), Json::String(key)) => {
            members.into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
        }
        (Json::Array(items), Json::Number(number)) => items.into_iter().nth(number.parse().ok()?),
        _ => None,
    }
}

/// A value that a variable with a type takes; `None` for types that convert in ways of their own.
fn converted(value: Json, constraint: &str) -> Option<Json> {
    let is_text = |value: &Json| matches!(value, Json::String(_));
    if value == Json::Null {
        return Some(value);
    }
    let fits = match constraint {
        "string" => return interpolated(&value).map(Json::String),
        "number" => matches!(value, Json::Number(_)),
        "bool" => matches!(value, Json::Bool(_)),
        "list(string)" => matches!(&value, Json::Array(items) if items.iter().all(is_text)),
        "set(string)" => return functions::set(value),
        "map(string)" => {
            matches!(&value, Json::Object(members) if members.iter().all(|(_, value)| is_text(value)))
        }
        _ => false,
    };
    fits.then_some(value)
}

fn is_identified_by_name(resource_type: &str) -> bool {
    matches!(
        resource_type,
        "aws_iam_role" | "aws_iam_user" | "aws_iam_group" | "aws_iam_instance_profile"
    )
}
