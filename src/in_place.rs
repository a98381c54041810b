//! Brings what files say of one entity to what AWS has, in as little of their text as can be.
//!
//! Which text is replaced by what; [`crate::terraform::edit`] knows how to replace it, and nothing is
//! written here.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Declared, Desired, Found};
use crate::json::Json;
use crate::known::KnownResource;
use crate::reconcile::{Argument, Identity, Resource, State, match_arguments};
use crate::resource::resource_type;
use crate::terraform::edit::{self, Match, Meaning, Splice};
use crate::terraform::node::{Content, Node};
use crate::terraform::source::{self, SourceFile};
use crate::terraform::{Block, Body, Expression, format};

/// Replacements, by file.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    pub splices: BTreeMap<String, Vec<Splice>>,
    /// A file that is written anew, or removed where the text is empty.
    pub anew: Option<(String, String)>,
    /// Addresses that the files declare no longer, and new ones.
    pub leaving: BTreeSet<String>,
    pub new: BTreeSet<String>,
    /// What could not be brought to AWS's version; only where edits were forced.
    pub left: Vec<String>,
}

/// Why files cannot be brought to AWS's version: something that changed is the person's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} in `{file}` line {line} {why}")]
pub struct Obstacle {
    pub what: String,
    pub file: String,
    pub line: usize,
    pub why: String,
}

/// One entity and what is known of it.
pub struct Edit<'a> {
    pub desired: &'a Desired,
    pub found: &'a Found,
    pub base: Option<&'a State>,
    /// The entity as AWS has it, with its resources; none: it is gone.
    pub actual: Vec<KnownResource>,
    /// The entity's Terraform as it would be written anew.
    pub body: Body<'a>,
    pub imports: bool,
    /// Whether another entity has a resource by now.
    pub is_anothers: &'a dyn Fn(&Identity) -> bool,
    /// Whether literals take the place of what is the person's own.
    pub is_forced: bool,
}

impl Edit<'_> {
    /// The replacements that bring the files to AWS's version.
    ///
    /// # Errors
    ///
    /// What AWS changed is unknown in the files, unless edits are forced.
    pub fn edits(&self) -> Result<Edits, Obstacle> {
        let mut edits = Edits::default();
        let mut new = Vec::new();
        for known in &self.actual {
            let moved = || self.found.moved.get(&known.identity);
            match self.found.places.get(&known.identity).or_else(moved) {
                Some(index) => {
                    let declared = self.desired.at(*index);
                    self.edit_resource(declared, known, &mut edits)?;
                    self.edit_import(declared, known, &mut edits);
                }
                None if self.is_covered(&known.identity) => {}
                None => new.push(known),
            }
        }
        let is_actual =
            |identity: &Identity| self.actual.iter().any(|known| known.identity == *identity);
        let mut listed: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
        for (identity, index) in &self.found.places {
            if is_actual(identity) || (self.is_anothers)(identity) {
                continue;
            }
            let declared = self.desired.at(*index);
            match declared.listed {
                Some(_) => listed.entry(&declared.full_address).or_default().push(declared),
                None => self.remove(declared, &mut edits)?,
            }
        }
        for gone in listed.values() {
            self.shorten(gone, &mut edits)?;
        }
        self.add(&new, &mut edits);
        for (path, splices) in &edits.splices {
            let text = self.desired.text(path).unwrap_or_default();
            if edit::apply(&text, &merged(splices.clone())).is_err() {
                return Err(Obstacle {
                    what: "several changes".to_owned(),
                    file: path.clone(),
                    line: 1,
                    why: "are to the same text".to_owned(),
                });
            }
        }
        Ok(edits)
    }

    /// What no file declares, and nothing else.
    pub fn additions(&self) -> Edits {
        let mut edits = Edits::default();
        let is_new = |known: &&KnownResource| {
            !self.found.places.contains_key(&known.identity)
                && !self.found.moved.contains_key(&known.identity)
                && !self.is_covered(&known.identity)
        };
        let new: Vec<&KnownResource> = self.actual.iter().filter(is_new).collect();
        self.add(&new, &mut edits);
        edits
    }

    /// Whether the files may declare it where that cannot be told.
    fn is_covered(&self, identity: &Identity) -> bool {
        self.found.state.covered.contains(&identity.0)
            && self.base.is_none_or(|base| base.resources.contains_key(identity))
    }

    fn edit_resource(
        &self,
        declared: &Declared,
        known: &KnownResource,
        edits: &mut Edits,
    ) -> Result<(), Obstacle> {
        let desired = &declared.resource;
        let base = self.base.and_then(|base| base.resources.get(&known.identity));
        let names: BTreeSet<&String> =
            desired.arguments.keys().chain(known.resource.arguments.keys()).collect();
        let is_compared = |name: &&String| {
            !desired.ignored.contains(*name) && !known.resource.ignored.contains(*name)
        };
        let mut names: Vec<&String> = names.into_iter().filter(is_compared).collect();
        let order = self.order(known);
        names.sort_by_key(|name| order.iter().position(|of| of == name));
        for name in names {
            self.edit_argument(declared, known, desired, base, name, edits)?;
        }
        Ok(())
    }

    /// What an account has one of stays the same resource when AWS gives it another ID.
    fn edit_import(&self, declared: &Declared, known: &KnownResource, edits: &mut Edits) {
        let address = known.address.to_string();
        let id = self.body.declarations().find(|(of, _)| of.to_string() == address);
        let Some((_, Some(id))) = id.filter(|_| known.named_by.is_empty()) else { return };
        if declared.import_ids.iter().any(|of| of == id) {
            return;
        }
        for file in self.desired.files() {
            for import in file.imports() {
                let is_its = import.to.is_some_and(|to| to.to_string() == declared.full_address);
                if let Some(value) = import.id.filter(|id| is_its && id.literal().is_some()) {
                    let text = format::expression(&Expression::from(id));
                    let splice = Splice { file: None, span: value.span(), text };
                    edits.splices.entry(file.path().to_owned()).or_default().push(splice);
                }
            }
        }
    }

    fn edit_argument(
        &self,
        declared: &Declared,
        known: &KnownResource,
        desired: &Resource,
        base: Option<&Resource>,
        name: &str,
        edits: &mut Edits,
    ) -> Result<(), Obstacle> {
        let (read, actual) = (desired.arguments.get(name), known.resource.arguments.get(name));
        let base = base.and_then(|base| base.arguments.get(name));
        match match_arguments(read, actual) {
            Match::Same => return Ok(()),
            // Known to be the same, but for what is the person's own and AWS did not change.
            Match::Assumed
                if self.base.is_none() || match_arguments(base, actual) == Match::Same =>
            {
                return Ok(());
            }
            Match::Assumed | Match::Differs => {}
        }
        let (file, block) = self.place(declared);
        let obstacle = |why: &str| self.obstacle(declared, name, why);
        if declared.is_instance {
            return self.refuse(edits, obstacle("stands for several resources"));
        }
        if declared.overridden.contains(name) {
            return self.refuse(edits, obstacle("is replaced by an override file"));
        }
        if let Some(splice) = self.edit_block(known, read, actual, block, name) {
            match splice {
                Ok(splice) => {
                    edits.splices.entry(declared.file.clone()).or_default().push(splice);
                }
                Err(why) => return self.refuse(edits, obstacle(why)),
            }
            return Ok(());
        }
        let attribute = block.attribute(name);
        let reference = match (read, self.value(known, name)) {
            // What was said by way of something else is said by way of something else again.
            (
                Some(Argument::Read(node @ Node { content: Content::Computed { .. }, .. })),
                Some(value @ Expression::Reference(_)),
            ) => Some((node, format::expression(&value))),
            _ => None,
        };
        let splices = match (read, actual) {
            (Some(_), Some(_)) if reference.is_some() => reference
                .map(|(node, text)| Splice { file: None, span: node.span.clone(), text })
                .into_iter()
                .collect(),
            (Some(Argument::Read(node)), Some(Argument::Known { value, meaning })) => {
                let base = match base {
                    Some(Argument::Known { value, .. }) => Some(value),
                    _ => None,
                };
                match self.edit_value(file, node, base, value, *meaning) {
                    Ok(splices) => splices,
                    Err(why) if !self.is_forced => return Err(obstacle(&why)),
                    Err(_) => match self.value(known, name) {
                        Some(value) => {
                            let text = format::expression_at(&value, 1);
                            vec![Splice { file: None, span: node.span.clone(), text }]
                        }
                        None => Vec::new(),
                    },
                }
            }
            (Some(_), None) => match (attribute, self.value(known, name)) {
                // One that the provider insists on, be it empty.
                (Some(attribute), Some(value)) => {
                    let text = format::expression_at(&value, 1);
                    vec![Splice { file: None, span: attribute.value.span(), text }]
                }
                (Some(attribute), None) => {
                    vec![edit::remove_attribute(file.text(), attribute.span)]
                }
                (None, _) => Vec::new(),
            },
            (None, Some(_)) => {
                let Some(value) = self.value(known, name) else { return Ok(()) };
                if let Some(attribute) = attribute {
                    // It stands there with the value that the provider would take anyway.
                    let text = format::expression_at(&value, 1);
                    vec![Splice { file: None, span: attribute.value.span(), text }]
                } else {
                    let order = self.order(known);
                    let present: Vec<_> = block.attributes().map(|it| (it.name, it.span)).collect();
                    vec![edit::insert_attribute(
                        file.text(),
                        block.body_span(),
                        &present,
                        name,
                        &value,
                        &order,
                    )]
                }
            }
            _ => Vec::new(),
        };
        for splice in splices {
            let path = splice.file.clone().unwrap_or_else(|| declared.file.clone());
            edits.splices.entry(path).or_default().push(splice);
        }
        Ok(())
    }

    /// Writes a block within a resource anew, where no replacement of values in it will do.
    fn edit_block(
        &self,
        known: &KnownResource,
        read: Option<&Argument>,
        actual: Option<&Argument>,
        block: source::Block<'_>,
        name: &str,
    ) -> Option<Result<Splice, &'static str>> {
        let blocks = self.block(known)?.blocks.iter();
        let wanted: Vec<&Block> = blocks.filter(|nested| nested.keyword == name).collect();
        let present: Vec<_> = block.blocks().filter(|nested| nested.name() == name).collect();
        if wanted.is_empty() && present.is_empty() {
            return None;
        }
        if let (Some(Argument::Read(node)), Some(Argument::Known { value, .. })) = (read, actual)
            && (has_shape(node, value) || matches!(node.content, Content::Unknown))
        {
            return None;
        }
        let ([present], [wanted]) = (present.as_slice(), wanted.as_slice()) else {
            return Some(Err("stands in other blocks than would be written"));
        };
        let text = format::block_at(&renamed((*wanted).clone(), &self.addresses()), 1);
        Some(Ok(Splice { file: None, span: present.span(), text }))
    }

    fn edit_value(
        &self,
        file: &SourceFile,
        node: &Node,
        base: Option<&Json>,
        actual: &Json,
        meaning: Meaning,
    ) -> Result<Vec<Splice>, String> {
        let text_of = |path: &str| self.desired.text(path);
        edit::edit_value(file.text(), node, base, actual, meaning, &text_of)
            .map_err(|blocked| blocked.reason.to_string())
            .and_then(|splices| {
                let shared = splices.iter().filter_map(|splice| splice.file.as_deref());
                match shared.into_iter().find(|path| self.desired.readers(path) > 1) {
                    Some(path) => Err(format!("is in `{path}`, which others read, too")),
                    None => Ok(splices),
                }
            })
    }

    fn remove(&self, declared: &Declared, edits: &mut Edits) -> Result<(), Obstacle> {
        if declared.is_instance {
            let why = "stands for several resources";
            return self.refuse(edits, self.obstacle(declared, "for_each", why));
        }
        let (file, block) = self.place(declared);
        edits
            .splices
            .entry(declared.file.clone())
            .or_default()
            .push(edit::remove_block(file.text(), block.span()));
        edits.leaving.insert(declared.full_address.clone());
        for file in self.desired.files() {
            for import in file.imports() {
                if import.to.is_some_and(|to| to.to_string() == declared.full_address) {
                    let splice = edit::remove_block(file.text(), import.block.span());
                    edits.splices.entry(file.path().to_owned()).or_default().push(splice);
                }
            }
        }
        Ok(())
    }

    /// Takes some of what one list names out of it, and with the last its block.
    fn shorten(&self, gone: &[&Declared], edits: &mut Edits) -> Result<(), Obstacle> {
        let Some((declared, of)) = gone.first().and_then(|it| Some((it, it.listed.as_ref()?)))
        else {
            return Ok(());
        };
        let is_gone = |item: &Json| {
            let texts = gone.iter().filter_map(|gone| gone.listed.as_ref());
            texts.into_iter().any(|gone| *item == Json::String(gone.text.clone()))
        };
        let Some(Json::Array(all)) = of.list.value() else { return Ok(()) };
        let rest: Vec<Json> = all.iter().filter(|item| !is_gone(item)).cloned().collect();
        if rest.is_empty() || declared.is_instance {
            return self.remove(declared, edits);
        }
        let (file, _) = self.place(declared);
        let (all, rest) = (Json::Array(all), Json::Array(rest));
        match self.edit_value(file, &of.list, Some(&all), &rest, Meaning::Set) {
            Ok(splices) => {
                for splice in splices {
                    let path = splice.file.clone().unwrap_or_else(|| declared.file.clone());
                    edits.splices.entry(path).or_default().push(splice);
                }
                Ok(())
            }
            Err(why) => self.refuse(edits, self.obstacle(declared, of.argument, &why)),
        }
    }

    /// New resources go after their siblings.
    fn add(&self, new: &[&KnownResource], edits: &mut Edits) {
        if new.is_empty() {
            return;
        }
        let mut addresses = self.addresses();
        let mut by_place: BTreeMap<usize, Vec<&KnownResource>> = BTreeMap::new();
        let mut homeless = Vec::new();
        for known in new {
            let wanted = known.address.to_string();
            let is_taken =
                |address: &String| self.desired.declares(address) || edits.new.contains(address);
            let free = std::iter::once(wanted.clone())
                .chain((2..).map(|number| format!("{wanted}__{number}")))
                .find(|address| !is_taken(address))
                .expect("one of endlessly many is free");
            edits.new.insert(free.clone());
            addresses.insert(wanted, free);
            match self.sibling(known, edits) {
                Some(index) => by_place.entry(index).or_default().push(known),
                None => homeless.push(*known),
            }
        }
        for (index, known) in by_place {
            let declared = self.desired.at(index);
            let (file, block) = self.place(declared);
            let text = self.blocks(&known, &addresses);
            let splice = edit::insert_blocks_after(file.text(), block.span(), &text);
            edits.splices.entry(declared.file.clone()).or_default().push(splice);
        }
        debug_assert!(
            homeless.is_empty() || self.found.places.is_empty(),
            "an entity that is found somewhere has a place"
        );
    }

    /// The last of the entity's resources that stays: of the same type if there is one.
    fn sibling(&self, known: &KnownResource, edits: &Edits) -> Option<usize> {
        let stays = |index: &&usize| {
            !edits.leaving.contains(&self.desired.at(**index).full_address)
                && !self.desired.at(**index).is_instance
        };
        let of_type = self
            .found
            .places
            .iter()
            .filter(|(identity, _)| identity.0 == known.address.resource_type);
        let last = |places: &mut dyn Iterator<Item = &usize>| {
            places
                .filter(stays)
                .max_by_key(|index| {
                    let declared = self.desired.at(**index);
                    (&declared.file, declared.index)
                })
                .copied()
        };
        let main = self.found.places.iter().find(|(identity, _)| {
            resource_type(&identity.0).is_some_and(|(_, of)| of.owner.is_none())
        });
        let of_type = last(&mut of_type.map(|(_, index)| index));
        let in_main_file = main.and_then(|(_, main)| {
            let file = &self.desired.at(*main).file;
            let here = self.found.places.values();
            last(&mut here.filter(|index| self.desired.at(**index).file == *file))
        });
        of_type
            .or(in_main_file)
            .or_else(|| last(&mut self.found.places.values()))
            .or_else(|| self.found.places.values().next().copied())
    }

    /// How the files address what we would give other labels.
    pub fn addresses(&self) -> BTreeMap<String, String> {
        let found = self.actual.iter().filter_map(|known| {
            let index = self.found.places.get(&known.identity)?;
            Some((known.address.to_string(), self.desired.at(*index).full_address.clone()))
        });
        found.collect()
    }

    pub fn blocks(&self, known: &[&KnownResource], addresses: &BTreeMap<String, String>) -> String {
        let is_wanted = |address: &str| known.iter().any(|of| of.address.to_string() == address);
        let mut body = Body::default();
        for block in &self.body.blocks {
            let address = match (block.keyword, block.attributes.first()) {
                ("import", Some((_, Expression::Reference(to)))) if self.imports => to.clone(),
                ("resource", _) => format!("{}.{}", block.labels[0], block.labels[1]),
                _ => continue,
            };
            if is_wanted(&address) {
                body.blocks.push(renamed(block.clone(), addresses));
            }
        }
        format::file(&body)
    }

    fn block(&self, known: &KnownResource) -> Option<&Block<'_>> {
        let address = known.address.to_string();
        self.body.blocks.iter().find(|block| {
            block.keyword == "resource"
                && format!("{}.{}", block.labels[0], block.labels[1]) == address
        })
    }

    /// An argument's value as it would be written anew.
    fn value(&self, known: &KnownResource, name: &str) -> Option<Expression<'_>> {
        let block = self.block(known)?;
        let (_, value) = block.attributes.iter().find(|(of, _)| *of == name)?;
        Some(renamed_expression(value.clone(), &self.addresses()))
    }

    /// The arguments of a resource in the order in which we write them.
    fn order(&self, known: &KnownResource) -> Vec<&'static str> {
        let written = resource_type(&known.address.resource_type);
        let block = self.block(known).into_iter().flat_map(|block| &block.attributes);
        let mut order: Vec<&'static str> = block.map(|(name, _)| *name).collect();
        let others = written.into_iter().flat_map(|(_, of)| of.written).copied();
        order.extend(others.filter(|name| !order.contains(name)).collect::<Vec<_>>());
        order
    }

    fn place(&self, declared: &Declared) -> (&SourceFile, source::Block<'_>) {
        let file = self.desired.file(&declared.file).expect("what is declared has a file");
        let found = file.resources().nth(declared.index).expect("and a block in it");
        (file, found.block)
    }

    fn obstacle(&self, declared: &Declared, name: &str, why: &str) -> Obstacle {
        let (file, block) = self.place(declared);
        let span = block.attribute(name).map_or_else(|| block.span(), |attribute| attribute.span);
        let (line, _) = file.position(span.start);
        Obstacle {
            what: format!("`{name}` of `{}`", declared.full_address),
            file: declared.file.clone(),
            line,
            why: why.to_owned(),
        }
    }

    /// An obstacle, or a note where edits are forced.
    fn refuse(&self, edits: &mut Edits, obstacle: Obstacle) -> Result<(), Obstacle> {
        if !self.is_forced {
            return Err(obstacle);
        }
        edits.left.push(obstacle.to_string());
        Ok(())
    }
}

/// Removals that share a blank line become one.
pub fn merged(mut splices: Vec<Splice>) -> Vec<Splice> {
    splices.sort_by_key(|splice| (splice.span.start, splice.span.end));
    let mut merged: Vec<Splice> = Vec::with_capacity(splices.len());
    for splice in splices {
        match merged.last_mut() {
            Some(last)
                if last.text.is_empty()
                    && splice.text.is_empty()
                    && splice.span.start <= last.span.end =>
            {
                last.span.end = last.span.end.max(splice.span.end);
            }
            _ => merged.push(splice),
        }
    }
    merged
}

fn renamed<'a>(mut block: Block<'a>, addresses: &BTreeMap<String, String>) -> Block<'a> {
    if block.keyword == "resource" {
        let address = format!("{}.{}", block.labels[0], block.labels[1]);
        if let Some((_, label)) = addresses.get(&address).and_then(|to| to.split_once('.')) {
            block.labels[1] = label.to_owned();
        }
    }
    for (_, value) in &mut block.attributes {
        *value = renamed_expression(value.clone(), addresses);
    }
    block.blocks = block.blocks.into_iter().map(|nested| renamed(nested, addresses)).collect();
    block
}

/// Whether blocks hold the same arguments and blocks, whatever their values.
fn has_shape(node: &Node, value: &Json) -> bool {
    match (&node.content, value) {
        (Content::List(items), Json::Array(values)) => {
            items.len() == values.len()
                && items.iter().zip(values).all(|(item, value)| has_shape(item, value))
        }
        (Content::Object(members), Json::Object(values)) => {
            let value = |key: &str| values.iter().find(|(of, _)| of == key).map(|(_, it)| it);
            members.len() == values.len()
                && members.iter().all(|member| {
                    value(&member.key).is_some_and(|value| has_shape(&member.value, value))
                })
        }
        (_, Json::Array(_) | Json::Object(_)) => false,
        _ => true,
    }
}

fn renamed_expression<'a>(
    expression: Expression<'a>,
    addresses: &BTreeMap<String, String>,
) -> Expression<'a> {
    let Expression::Reference(reference) = &expression else { return expression };
    for (from, to) in addresses {
        match reference.strip_prefix(from.as_str()) {
            Some("") => return Expression::Reference(to.clone()),
            Some(rest) if rest.starts_with('.') => {
                return Expression::Reference(format!("{to}{rest}"));
            }
            _ => {}
        }
    }
    expression
}
