//! The state of an entity that is known whole: AWS's, or the raw JSON's.
//!
//! It is what the entity's Terraform would say if it were written anew, so that whatever a kind
//! writes is compared, and nothing else.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

use crate::json::Json;
use crate::reconcile::{Argument, Identity, Resource, State};
use crate::resource::{Context, Entity, ResourceType, resource_type};
use crate::terraform::edit::Meaning;
use crate::terraform::{Address, Block, Body, Expression};

/// What an entity says of one resource.
pub struct KnownResource {
    /// Where a file that nobody edited has it.
    pub address: Address,
    pub identity: Identity,
    /// The values of [`ResourceType::identity`].
    pub named_by: Vec<String>,
    pub resource: Resource,
}

/// The resources of an entity, the entity itself first.
pub fn resources(entity: &dyn Entity, context: &Context) -> Vec<KnownResource> {
    let context = Context { references: Default::default(), ..context.clone() };
    let body = entity.terraform(&context);
    let import_ids: BTreeMap<String, &str> =
        body.declarations().filter_map(|(address, id)| Some((address.to_string(), id?))).collect();
    let blocks = body.blocks.iter().filter(|block| block.keyword == "resource");
    let known = |block: &Block| {
        let address = address_of(block);
        let id = import_ids.get(&address.to_string()).copied().unwrap_or_default();
        let (_, written_as) = resource_type(&address.resource_type)?;
        let resolved = |value: &Expression| resolve(value, &body, &import_ids, entity);
        let values = values(block, &resolved);
        let named_by = written_as.identity.iter().map(|name| match value_at(&values, name) {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Array(items)) => match items.as_slice() {
                [Json::String(text)] => text.clone(),
                _ => String::new(),
            },
            _ => default(written_as, name).unwrap_or_default().to_owned(),
        });
        let named_by: Vec<String> = named_by.collect();
        // Where no argument tells which one it is there is one, whatever its ID.
        let id = if named_by.is_empty() { "" } else { id };
        let arguments = values
            .into_iter()
            .filter_map(|(name, value)| {
                let value = without_defaults(written_as, &name, value);
                let argument = argument(written_as, &name, value)?;
                Some((name, argument))
            })
            .collect();
        let resource = Resource { arguments, ignored: ignored(block) };
        let identity = (address.resource_type.to_string(), id.to_owned());
        Some(KnownResource { address, identity, named_by, resource })
    };
    blocks.filter_map(known).collect()
}

/// The resources of an entity as one state.
pub fn state(resources: &[KnownResource]) -> State {
    let resources = resources.iter().map(|known| (known.identity.clone(), known.resource.clone()));
    State { resources: resources.collect(), ..State::default() }
}

/// The value of an argument to compare; none: it is what the provider takes anyway.
pub fn argument(of: &ResourceType, name: &str, value: Json) -> Option<Argument> {
    if is_default(of, name, &value) || of.of_provider.contains(&name) {
        return None;
    }
    match of.document {
        Some((document, dialect)) if document == name => {
            let value = match &value {
                // A document that is written as text: see `parts::json_encode`.
                Json::String(text) => Json::parse(text).unwrap_or(value),
                _ => value,
            };
            Some(Argument::Known { value, meaning: Meaning::Document(dialect) })
        }
        _ if of.sets.contains(&name) => Some(Argument::Known { value, meaning: Meaning::Set }),
        _ => Some(Argument::Known { value, meaning: Meaning::Plain }),
    }
}

/// What the provider takes for an argument that is not given, or for one of a block: `block.argument`.
pub fn default(of: &ResourceType, name: &str) -> Option<&'static str> {
    of.defaults.iter().find(|(of, _)| *of == name).map(|(_, default)| *default)
}

/// Whether an argument may as well be left out.
pub fn is_default(of: &ResourceType, name: &str, value: &Json) -> bool {
    let default = default(of, name);
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty() || default == Some(text),
        Json::Number(digits) => default == Some(digits),
        // A set is not left out: where one may be empty, it has to be said.
        Json::Array(items) => items.is_empty() && !of.sets.contains(&name),
        Json::Object(members) => members.is_empty(),
        Json::Bool(value) => default == Some(if *value { "true" } else { "false" }),
    }
}

/// The arguments of a block; the blocks in it are lists of objects.
fn values(block: &Block, resolved: &dyn Fn(&Expression) -> Json) -> Vec<(String, Json)> {
    let attributes = block.attributes.iter();
    let mut found: Vec<(String, Json)> =
        attributes.map(|(name, value)| ((*name).to_owned(), resolved(value))).collect();
    for nested in block.blocks.iter().filter(|nested| nested.keyword != "lifecycle") {
        let value = Json::Object(values(nested, resolved));
        match found.iter_mut().find(|(name, _)| name == nested.keyword) {
            Some((_, Json::Array(items))) => items.push(value),
            _ => found.push((nested.keyword.to_owned(), Json::Array(vec![value]))),
        }
    }
    found
}

/// An argument, or `block.argument` of the one block of that name.
fn value_at<'a>(values: &'a [(String, Json)], path: &str) -> Option<&'a Json> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let (_, value) = values.iter().find(|(of, _)| of == name)?;
    match (rest, value) {
        (None, value) => Some(value),
        (Some(rest), Json::Array(blocks)) => match blocks.as_slice() {
            [Json::Object(values)] => value_at(values, rest),
            _ => None,
        },
        _ => None,
    }
}

/// A block's value without what the provider takes anyway.
fn without_defaults(of: &ResourceType, path: &str, value: Json) -> Json {
    let has_within = |path: &str| {
        of.defaults
            .iter()
            .any(|(of, _)| of.strip_prefix(path).is_some_and(|it| it.starts_with('.')))
    };
    match value {
        Json::Array(items) if has_within(path) => {
            Json::Array(items.into_iter().map(|item| without_defaults(of, path, item)).collect())
        }
        Json::Object(members) if has_within(path) => {
            let member = |(name, value): (String, Json)| {
                let path = format!("{path}.{name}");
                let value = without_defaults(of, &path, value);
                (!is_default(of, &path, &value)).then_some((name, value))
            };
            Json::Object(members.into_iter().filter_map(member).collect())
        }
        value => value,
    }
}

fn address_of(block: &Block) -> Address {
    Address { resource_type: block.labels[0].clone().into(), label: block.labels[1].clone() }
}

/// What Terraform is told to leave alone.
fn ignored(block: &Block) -> std::collections::BTreeSet<String> {
    let lifecycle = block.blocks.iter().filter(|nested| nested.keyword == "lifecycle");
    let lists =
        lifecycle.flat_map(|nested| &nested.attributes).filter_map(|(name, value)| {
            match (*name, value) {
                ("ignore_changes", Expression::List(names)) => Some(names),
                _ => None,
            }
        });
    let name = |name: &Expression| match name {
        Expression::Reference(name) => Some(name.clone()),
        _ => None,
    };
    lists.flatten().filter_map(name).collect()
}

/// The value of an expression; references are to resources of the same entity.
fn resolve(
    value: &Expression,
    body: &Body,
    import_ids: &BTreeMap<String, &str>,
    entity: &dyn Entity,
) -> Json {
    let resolved = |value: &Expression| resolve(value, body, import_ids, entity);
    match value {
        Expression::String(text) => Json::String(text.nfc().collect()),
        Expression::Number(number) => Json::Number(number.to_string()),
        Expression::Bool(value) => Json::Bool(*value),
        Expression::List(items) => Json::Array(items.iter().map(resolved).collect()),
        Expression::Map(entries) => {
            let entry = |(key, value): &(_, Expression)| {
                (nfc(std::convert::AsRef::as_ref(key)), resolved(value))
            };
            Json::Object(entries.iter().map(entry).collect())
        }
        Expression::JsonEncode(json) => (*json).clone(),
        Expression::Reference(reference) => {
            let Some((address, name)) = reference.rsplit_once('.') else { return Json::Null };
            let block = body.blocks.iter().find(|block| {
                block.keyword == "resource" && address_of(block).to_string() == address
            });
            let value = block
                .and_then(|block| block.attributes.iter().find(|(of, _)| *of == name))
                .map(|(_, value)| resolved(value));
            match (value, name) {
                (Some(value), _) => value,
                (None, "arn") => Json::String(entity.arn().to_owned()),
                (None, "id") => {
                    Json::String(import_ids.get(address).copied().unwrap_or_default().to_owned())
                }
                (None, _) => Json::Null,
            }
        }
    }
}

fn nfc(text: &str) -> String {
    text.nfc().collect()
}
