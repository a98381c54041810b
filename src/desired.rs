//! The desired state: what the module's files say of each entity, wherever in them it stands.
//!
//! Holds the files that people wrote or edited, all of them read back, and finds in them the
//! resources of an entity: by import block, else by the arguments that say which object of AWS a
//! resource is, else by the address that we would give it. What cannot be evaluated is unknown.
//! Nothing is decided or written here.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::file_name::Case;
use crate::json::Json;
use crate::known::{self, KnownResource, is_default};
use crate::reconcile::{Argument, Identity, Resource, State};
use crate::resource::{Entity, KINDS, Kind, ResourceType, resource_type};
use crate::terraform::Address;
use crate::terraform::evaluate::{
    Bindings, Facts, Instances, Reference, Resolver, Scope, TextFile,
};
use crate::terraform::node::{Content, Member, Node};
use crate::terraform::source::{self, SourceFile, SyntaxError};

/// The files of a module that are read back.
#[derive(Default)]
pub struct Desired {
    files: BTreeMap<String, SourceFile>,
    /// Files whose arguments replace those of blocks in the others.
    overrides: Vec<SourceFile>,
    /// Files with values of variables.
    variables: Vec<SourceFile>,
    /// Text files beside them that expressions name.
    texts: RefCell<BTreeMap<String, String>>,
    declared: Vec<Declared>,
    by_import: HashMap<(String, String), Vec<usize>>,
    by_name: HashMap<(String, Vec<String>), Vec<usize>>,
    by_address: HashMap<String, usize>,
    by_owner: HashMap<String, Vec<usize>>,
    opaque: Vec<Opaque>,
    /// Whether `*_exclusive` resources are compared like others, and not taken for declarations of
    /// what they list.
    has_exclusive: bool,
}

/// One resource of the files, or one instance of it.
#[derive(Clone, Debug)]
pub struct Declared {
    pub file: String,
    /// Its place among the file's resources.
    pub index: usize,
    pub address: Address,
    /// Whether the block stands for several.
    pub is_instance: bool,
    pub full_address: String,
    pub import_ids: Vec<String>,
    /// Arguments that override files set.
    pub overridden: BTreeSet<String>,
    /// Whether its provider may be that of another account.
    is_doubtful: bool,
    /// The values of [`ResourceType::identity`], if all are known.
    named_by: Option<Vec<String>>,
    owner: Option<String>,
    /// Where the block declares several, by what one list names.
    pub listed: Option<Listed>,
    pub resource: Resource,
}

/// One text of the list that [`ResourceType::each`] is.
#[derive(Clone, Debug)]
pub struct Listed {
    pub argument: &'static str,
    pub list: Node,
    pub text: String,
}

/// Resources of which it is not known how many and which they are.
#[derive(Clone, Debug)]
struct Opaque {
    resource_type: &'static str,
    /// The entity they hang on; none: any.
    owner: Option<String>,
    /// Of the block.
    address: String,
    /// Whether it lists what hangs on the owner, whatever else declares that.
    is_list: bool,
}

/// Whose objects a provider makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProviderStanding {
    /// This account's.
    Ours,
    Others,
    Unknown,
}

/// What is known of the entities of the module, whoever declares them.
#[derive(Clone, Debug, Default)]
pub struct Entities {
    by_name: HashMap<(String, Vec<String>), Attributes>,
    by_address: HashMap<String, Attributes>,
}

/// What the provider computes of a resource, and its name.
#[derive(Clone, Debug, Default)]
struct Attributes {
    name: String,
    arn: String,
    id: String,
}

/// What the files say of one entity.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub state: State,
    /// Which resource of the files each one of the state is.
    pub places: BTreeMap<Identity, usize>,
    /// Resources of AWS's version that the files have as another entity's.
    pub moved: BTreeMap<Identity, usize>,
    /// Whether an untouched file of ours declares what a person's file declares, too, which has
    /// taken over what Terraform keeps of it, or will.
    pub is_twice: bool,
    /// Whether files declare resources of it of a type that is not written.
    pub has_left_out: bool,
    /// What lists some of its resources once more.
    pub list: Option<String>,
    /// Two addresses of one resource, of which neither takes over from the other.
    pub doubled: Option<(String, String)>,
}

impl Entities {
    /// Adds an entity by its own resource.
    pub fn add(&mut self, entity: &dyn Entity, main: &KnownResource) {
        let attributes = Attributes {
            name: entity.name().to_owned(),
            arn: entity.arn().to_owned(),
            id: main.identity.1.clone(),
        };
        let resource_type = main.address.resource_type.to_string();
        self.by_address.insert(main.address.to_string(), attributes.clone());
        let named_by = folded(&resource_type, &main.named_by);
        self.by_name.insert((resource_type, named_by), attributes);
    }

    /// Whether an entity goes by these values of [`ResourceType::identity`].
    pub fn has(&self, resource_type: &str, named_by: &[String]) -> bool {
        self.by_name.contains_key(&(resource_type.to_owned(), folded(resource_type, named_by)))
    }

    /// Gives a resource whose name the provider made the name of the one entity that it can be.
    fn name(&self, of: &ResourceType, arguments: &mut BTreeMap<String, Node>) {
        let is_named = |arguments: &BTreeMap<String, Node>| {
            arguments
                .get("name")
                .is_some_and(|node| !matches!(node.content, Content::Scalar(Json::Null)))
        };
        if of.owner.is_some() || !of.identity.contains(&"name") || is_named(arguments) {
            return;
        }
        let prefix = match arguments.get("name_prefix") {
            None => None,
            Some(node) => match node.text() {
                Some(text) => Some(text.to_owned()),
                None => return,
            },
        };
        if let Some(attributes) = self.made_of(of, prefix) {
            let value = Json::String(attributes.name.clone());
            let content = Content::Computed { value, is_replaceable: false };
            arguments.insert("name".to_owned(), Node { span: 0..0, content });
        }
    }

    /// The one entity with a name that the provider made of this prefix.
    fn made_of(&self, of: &ResourceType, prefix: Option<String>) -> Option<&Attributes> {
        let prefix = prefix.unwrap_or_else(|| "terraform-".to_owned());
        let is_made = |name: &str| {
            name.strip_prefix(prefix.as_str()).is_some_and(|rest| {
                rest.len() == 26
                    && rest
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            })
        };
        let mut made = self.by_name.iter().filter(|((resource_type, _), attributes)| {
            resource_type == of.name && is_made(&attributes.name)
        });
        match (made.next(), made.next()) {
            (Some((_, attributes)), None) => Some(attributes),
            _ => None,
        }
    }

    fn attribute(&self, reference: &Reference) -> Option<String> {
        let (_, of) = resource_type(&reference.address.resource_type)?;
        let attributes = match reference.block {
            None => self.by_address.get(&reference.address.to_string())?,
            Some(block) => {
                let value = |name: &&str| match block.value(name) {
                    Some(_) => reference.argument(name),
                    None => default(of, name),
                };
                match block.value("name") {
                    None => self.made_of(of, reference.argument("name_prefix"))?,
                    Some(_) => {
                        let named_by: Vec<String> =
                            of.identity.iter().map(value).collect::<Option<_>>()?;
                        self.by_name.get(&(of.name.to_owned(), folded(of.name, &named_by)))?
                    }
                }
            }
        };
        match reference.attribute {
            "name" => Some(attributes.name.clone()),
            "arn" => Some(attributes.arn.clone()),
            "id" => Some(attributes.id.clone()).filter(|id| !id.is_empty()),
            _ => None,
        }
    }
}

impl Desired {
    pub fn new(has_exclusive: bool) -> Desired {
        Desired { has_exclusive, ..Desired::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether any file declares a resource or imports one; settings alone are not worth a look.
    pub fn has_blocks(&self) -> bool {
        self.files
            .values()
            .chain(&self.overrides)
            .any(|file| file.resources().next().is_some() || file.imports().next().is_some())
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// It is not HCL.
    pub fn add(&mut self, path: &str, text: String) -> Result<(), SyntaxError> {
        let file = SourceFile::parse(path, text)?;
        self.files.insert(path.to_owned(), file);
        Ok(())
    }

    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.get(path)
    }

    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.values()
    }

    pub fn at(&self, index: usize) -> &Declared {
        &self.declared[index]
    }

    /// Adds an override file.
    ///
    /// # Errors
    ///
    /// It is not HCL.
    pub fn add_override(&mut self, path: &str, text: String) -> Result<(), SyntaxError> {
        self.overrides.push(SourceFile::parse(path, text)?);
        Ok(())
    }

    /// Adds a file with values of variables; one that is not HCL says nothing.
    pub fn add_variables(&mut self, path: &str, text: String) {
        self.variables.extend(SourceFile::parse(path, text));
    }

    /// The text of a file of the module.
    pub fn text(&self, path: &str) -> Option<String> {
        let text = || self.texts.borrow().get(path).cloned();
        self.files.get(path).map(|file| file.text().to_owned()).or_else(text)
    }

    /// How many expressions read a text file of the module, as far as files name it.
    pub fn readers(&self, path: &str) -> usize {
        let name = format!("{}\"", path.rsplit('/').next().unwrap_or(path));
        let files = self.files.values().chain(&self.overrides);
        files.map(|file| file.text().matches(&name).count()).sum()
    }

    /// Finds out what each resource is, once all files are here. `read` reads a file of the module's
    /// folder.
    pub fn index(
        &mut self,
        facts: Facts,
        entities: &Entities,
        read: &dyn Fn(&str) -> Option<TextFile>,
    ) {
        let (mut declared, mut opaque) = (Vec::new(), Vec::new());
        let texts = RefCell::default();
        let reader = |path: &str| {
            let file = read(path)?;
            let mut texts: std::cell::RefMut<BTreeMap<String, String>> = texts.borrow_mut();
            texts.insert(file.path.clone(), file.text.clone());
            Some(file)
        };
        let resolver: &Resolver = &|reference| entities.attribute(reference);
        let account_id = facts.account_id.clone();
        let scope = Scope::new(self.files.values())
            .with_overrides(&self.overrides)
            .with_variable_files(&self.variables)
            .with_facts(facts)
            .with_reader(&reader)
            .with_resolver(resolver);
        let imports = imports(&self.files, &scope);
        for (path, file) in &self.files {
            for (index, found) in file.resources().enumerate() {
                let overriding = self.overriding(&found.address);
                let provider = overriding.iter().rev().find_map(source::Resource::provider);
                let standing = self.provider_standing(
                    provider.or(found.provider()),
                    account_id.as_deref(),
                    &scope,
                );
                if standing == ProviderStanding::Others {
                    continue;
                }
                for block in std::iter::once(&found).chain(&overriding) {
                    note_covered(block, &scope, self.has_exclusive, &mut opaque);
                }
                let Some((_, written_as)) = resource_type(&found.address.resource_type) else {
                    continue;
                };
                let is_counted_anew = overriding.iter().any(source::Resource::is_repeated);
                let instances = match scope.instances(found.block) {
                    _ if is_counted_anew => Instances::Unknown,
                    instances => instances,
                };
                let instances = match instances {
                    Instances::One => vec![(String::new(), Bindings::default())],
                    Instances::Known(instances) => {
                        let keyed = instances.into_iter();
                        keyed.map(|(key, bindings)| (key.to_string(), bindings)).collect()
                    }
                    Instances::Unknown => {
                        let arguments = arguments(&scope, &found, &Bindings::default());
                        opaque.push(Opaque {
                            resource_type: written_as.name,
                            address: found.address.to_string(),
                            owner: owner(written_as, &arguments),
                            is_list: false,
                        });
                        continue;
                    }
                };
                let ignored: BTreeSet<String> = std::iter::once(&found)
                    .chain(&overriding)
                    .flat_map(source::Resource::ignored_changes)
                    .collect();
                let overridden: BTreeSet<String> = overriding
                    .iter()
                    .flat_map(|found| {
                        let attributes = found.block.attributes().map(|attribute| attribute.name);
                        attributes.chain(found.block.blocks().map(|nested| nested.name()))
                    })
                    .map(str::to_owned)
                    .collect();
                for (key, bindings) in instances {
                    let mut arguments = arguments(&scope, &found, &bindings);
                    for found in &overriding {
                        arguments.extend(self::arguments(&scope, found, &bindings));
                    }
                    entities.name(written_as, &mut arguments);
                    let is_unowned = |owner| {
                        arguments.get(owner).is_some_and(|node: &Node| node.text().is_none())
                    };
                    if written_as.owner.is_some_and(is_unowned) {
                        // It may be anybody's.
                        opaque.push(Opaque {
                            resource_type: written_as.name,
                            owner: None,
                            address: found.address.to_string(),
                            is_list: false,
                        });
                    }
                    let several = written_as.each.and_then(|list| several(list, &arguments));
                    if several.as_ref().is_some_and(Option::is_none) {
                        opaque.push(Opaque {
                            resource_type: written_as.name,
                            owner: owner(written_as, &arguments),
                            address: found.address.to_string(),
                            is_list: false,
                        });
                        continue;
                    }
                    let full_address = format!("{}{key}", found.address);
                    let import_ids = imports.get(&full_address).cloned().unwrap_or_default();
                    let whole = Declared {
                        file: path.clone(),
                        index,
                        address: found.address.clone(),
                        is_instance: found.is_repeated(),
                        full_address,
                        import_ids,
                        overridden: overridden.clone(),
                        is_doubtful: standing == ProviderStanding::Unknown,
                        owner: owner(written_as, &arguments),
                        named_by: named_by(written_as, &arguments),
                        listed: None,
                        resource: resource(written_as, arguments.clone(), &ignored),
                    };
                    let Some(several) = several.flatten() else {
                        declared.push(whole);
                        continue;
                    };
                    for (listed, one) in several {
                        let mut arguments = arguments.clone();
                        arguments.insert(listed.argument.to_owned(), one);
                        declared.push(Declared {
                            named_by: named_by(written_as, &arguments),
                            listed: Some(listed),
                            resource: resource(written_as, arguments, &ignored),
                            ..whole.clone()
                        });
                    }
                }
            }
        }
        drop(scope);
        self.texts = texts;
        self.declared = declared;
        self.opaque = opaque;
        self.link();
    }

    /// What override files say of a resource, the last to be heard last.
    fn overriding(&self, address: &Address) -> Vec<source::Resource<'_>> {
        let resources = self.overrides.iter().flat_map(SourceFile::resources);
        resources.filter(|found| found.address == *address).collect()
    }

    /// Whose objects a resource with this `provider` argument declares.
    fn provider_standing<'a>(
        &'a self,
        provider: Option<&str>,
        account_id: Option<&str>,
        scope: &Scope<'a>,
    ) -> ProviderStanding {
        let Some(provider) = provider else { return ProviderStanding::Ours };
        let alias = provider.strip_prefix("aws").map(|rest| rest.trim_start_matches('.'));
        let Some(alias) = alias.filter(|alias| !alias.is_empty()) else {
            return ProviderStanding::Ours;
        };
        let providers = self.files.values().flat_map(SourceFile::providers);
        let is_it = |block: &source::Block<'a>| {
            block.value("alias").and_then(|value| scope.text(value)).as_deref() == Some(alias)
        };
        let found =
            providers.filter(|(name, _)| *name == "aws").map(|(_, block)| block).find(is_it);
        let (Some(block), Some(account_id)) = (found, account_id) else {
            return ProviderStanding::Unknown;
        };
        let ids = |name: &str| match scope.node(block.value(name)?).value()? {
            Json::Array(ids) => Some(ids.contains(&Json::String(account_id.to_owned()))),
            _ => None,
        };
        match (ids("allowed_account_ids"), ids("forbidden_account_ids")) {
            (Some(false), _) | (_, Some(true)) => return ProviderStanding::Others,
            (Some(true), _) => return ProviderStanding::Ours,
            _ => {}
        }
        let assumed = block.blocks().filter(|nested| nested.name().starts_with("assume_role"));
        if let Some(assumed) = assumed.last() {
            let arn = assumed.value("role_arn").and_then(|value| scope.text(value));
            return match arn.as_deref().and_then(|arn| arn.split(':').nth(4)) {
                Some(account) if account == account_id => ProviderStanding::Ours,
                Some(_) => ProviderStanding::Others,
                None => ProviderStanding::Unknown,
            };
        }
        let is_of_same_account =
            |name: &str| matches!(name, "alias" | "region" | "default_tags" | "ignore_tags");
        match block.attributes().all(|attribute| is_of_same_account(attribute.name)) {
            true => ProviderStanding::Ours,
            false => ProviderStanding::Unknown,
        }
    }

    fn link(&mut self) {
        self.by_import.clear();
        self.by_name.clear();
        self.by_address.clear();
        self.by_owner.clear();
        for (index, declared) in self.declared.iter().enumerate() {
            let resource_type = declared.address.resource_type.to_string();
            for id in &declared.import_ids {
                self.by_import.entry((resource_type.clone(), id.clone())).or_default().push(index);
            }
            if let Some(named_by) = &declared.named_by {
                let named_by = folded(&resource_type, named_by);
                let key = (resource_type.clone(), named_by);
                self.by_name.entry(key).or_default().push(index);
            }
            self.by_address.insert(declared.full_address.clone(), index);
            if let Some(owner) = &declared.owner {
                let owner = spelled(case_of(&resource_type), owner);
                self.by_owner.entry(owner).or_default().push(index);
            }
        }
    }

    /// Whether any file may say something of an entity.
    pub fn concerns(&self, resources: &[KnownResource], entity: &dyn Entity) -> bool {
        self.owned(entity).next().is_some()
            || resources.iter().any(|known| self.is_overridden(&known.address))
            || resources.iter().any(|known| {
                self.by_import.contains_key(&known.identity)
                    || self.by_name.contains_key(&known.key())
                    || self.by_address.contains_key(&known.address.to_string())
            })
            || self
                .opaque
                .iter()
                .any(|opaque| opaque.owner.as_deref().is_some_and(|owner| is_named(entity, owner)))
    }

    /// What hangs on an entity, by the name or the ARN in the argument that says so.
    fn owned(&self, entity: &dyn Entity) -> impl Iterator<Item = usize> {
        let case = entity.kind().case;
        let names = BTreeSet::from([entity.name(), entity.arn()].map(|name| spelled(case, name)));
        names.into_iter().filter_map(|name| self.by_owner.get(&name)).flatten().copied()
    }

    fn is_overridden(&self, address: &Address) -> bool {
        let mut overridden = self.overrides.iter().flat_map(SourceFile::resources);
        overridden.any(|found| found.address == *address)
    }

    /// Whether there is anything to look for.
    pub fn has_resources(&self) -> bool {
        !self.declared.is_empty()
            || !self.opaque.is_empty()
            || self.overrides.iter().any(|file| file.resources().next().is_some())
    }

    /// Files that replace parts of others.
    pub fn overrides(&self) -> impl Iterator<Item = &SourceFile> {
        self.overrides.iter()
    }

    /// What the files say of an entity whose resources AWS or the raw JSON has; none: nothing.
    ///
    /// `left_out` are resource types that are not written for it, `untouched` is the file of ours that
    /// nobody edited, and `is_others` tells whether the arguments of a resource say that it is another
    /// entity's.
    pub fn find(
        &self,
        entity: &dyn Entity,
        resources: &[KnownResource],
        left_out: &BTreeSet<String>,
        untouched: Option<&str>,
        is_others: &dyn Fn(&str, &[String]) -> bool,
    ) -> Option<Found> {
        let mut found = Found::default();
        let mut taken = BTreeSet::new();
        for known in resources {
            if found.places.contains_key(&known.identity) {
                continue;
            }
            let candidates = self.candidates(known, &taken, is_others);
            let is_ours = |index: &usize| untouched == Some(&self.declared[*index].file);
            let chosen = candidates.iter().find(|index| !is_ours(index)).or(candidates.first());
            let Some(index) = chosen.copied() else { continue };
            let is_over = !is_ours(&index) && candidates.iter().any(is_ours);
            if is_over && self.takes_over(&self.declared[index], known) {
                found.is_twice = true;
            } else if let Some(other) = self.double(&candidates, index, known) {
                let address = |index: usize| self.declared[index].full_address.clone();
                found.doubled.get_or_insert((address(index), address(other)));
            }
            taken.extend(candidates);
            let is_anothers =
                self.declared[index].owner.as_deref().is_some_and(|owner| !is_named(entity, owner));
            match is_anothers {
                true => found.moved.insert(known.identity.clone(), index),
                false => found.places.insert(known.identity.clone(), index),
            };
        }
        for index in self.owned(entity) {
            let declared = &self.declared[index];
            let resource_type = declared.address.resource_type.to_string();
            let is_of_kind = entity.kind().resource_types.iter().any(|of| of.name == resource_type);
            found.has_left_out |= left_out.contains(&resource_type);
            if is_of_kind && !left_out.contains(&resource_type) && taken.insert(index) {
                let identity = (resource_type, format!("at {}", declared.full_address));
                found.places.insert(identity, index);
            }
        }
        let is_its = |opaque: &&Opaque| {
            entity.kind().resource_types.iter().any(|of| of.name == opaque.resource_type)
                && opaque.owner.as_ref().is_none_or(|owner| is_named(entity, owner))
        };
        for opaque in self.opaque.iter().filter(is_its) {
            found.state.covered.insert(opaque.resource_type.to_owned());
            if opaque.is_list {
                found.state.listed.insert(opaque.resource_type.to_owned());
                found.list.get_or_insert_with(|| opaque.address.clone());
            }
        }
        let is_declared = !found.places.is_empty() || !found.moved.is_empty();
        if !is_declared {
            self.covering(entity.kind())?;
            // What hangs on it is as hard to tell.
            let types = entity.kind().resource_types.iter().map(|of| of.name.to_owned());
            found.state.covered = types.collect();
        }
        for (identity, index) in &found.places {
            let resource = self.declared[*index].resource.clone();
            found.state.resources.insert(identity.clone(), resource);
        }
        Some(found)
    }

    /// Whether a file declares other entities than the one of these.
    pub fn declares_others(&self, path: &str, found: &Found) -> bool {
        let is_main = |declared: &Declared| {
            resource_type(&declared.address.resource_type).is_some_and(|(_, of)| of.owner.is_none())
        };
        let here = self.declared.iter().enumerate();
        let here = here.filter(|(_, declared)| declared.file == path && is_main(declared));
        let is_its = |index: usize| found.places.values().any(|place| *place == index);
        here.into_iter().any(|(index, _)| !is_its(index))
    }

    /// The address of a block that declares entities of a kind, and nobody can tell which.
    pub fn covering(&self, kind: &Kind) -> Option<&str> {
        let is_main = |opaque: &&Opaque| {
            resource_type(opaque.resource_type)
                .is_some_and(|(of, found)| std::ptr::eq(of, kind) && found.owner.is_none())
        };
        self.opaque.iter().find(is_main).map(|opaque| opaque.address.as_str())
    }

    /// Whether Terraform has a resource of a person's file for the one that ours declares, or is
    /// told to import it.
    fn takes_over(&self, declared: &Declared, known: &KnownResource) -> bool {
        let is_target = |moved: source::Moved| {
            moved.to.is_some_and(|to| to.to_string() == declared.full_address)
        };
        declared.full_address == known.address.to_string()
            || !declared.import_ids.is_empty()
            || self.files.values().flat_map(SourceFile::moved).any(is_target)
    }

    /// Another resource that says it is the same object of AWS.
    fn double(&self, candidates: &[usize], chosen: usize, known: &KnownResource) -> Option<usize> {
        let is_named = |index: &usize| {
            let named_by = self.declared[*index].named_by.as_deref();
            named_by.is_some_and(|named_by| known.is_named_by(named_by))
        };
        let others = candidates.iter().filter(|index| **index != chosen);
        if is_named(&chosen) { others.copied().find(is_named) } else { None }
    }

    /// The resources that may be one of AWS's, the likeliest first.
    fn candidates(
        &self,
        known: &KnownResource,
        taken: &BTreeSet<usize>,
        is_others: &dyn Fn(&str, &[String]) -> bool,
    ) -> Vec<usize> {
        let resource_type = known.address.resource_type.to_string();
        let is_free = |index: &&usize| !taken.contains(index);
        let is_this = |index: &&usize| match &self.declared[**index].named_by {
            Some(named_by) => known.is_named_by(named_by) || !is_others(&resource_type, named_by),
            None => true,
        };
        let by_import = self.by_import.get(&known.identity).into_iter().flatten();
        let by_name = self.by_name.get(&known.key());
        let is_unsaid = |index: &&usize| {
            let declared = &self.declared[**index];
            declared.named_by.is_none() && declared.import_ids.is_empty()
        };
        let at = self.by_address.get(&known.address.to_string());
        let mut found: Vec<usize> = Vec::new();
        for index in by_import
            .filter(is_this)
            .chain(by_name.into_iter().flatten())
            .chain(at.into_iter().filter(is_unsaid))
            .filter(is_free)
        {
            if !found.contains(index) {
                found.push(*index);
            }
        }
        if found.iter().any(|index| !self.declared[*index].is_doubtful) {
            found.retain(|index| !self.declared[*index].is_doubtful);
        }
        found
    }

    /// Whether a file declares a resource at an address.
    pub fn declares(&self, address: &str) -> bool {
        self.by_address.contains_key(address)
            || self
                .files
                .values()
                .any(|file| file.resources().any(|found| found.address.to_string() == address))
    }

    /// Resources of this program's kinds that belong to no entity named here.
    pub fn unclaimed<'a>(
        &'a self,
        claimed: &'a BTreeSet<usize>,
    ) -> impl Iterator<Item = &'a Declared> {
        let is_main = |declared: &Declared| {
            resource_type(&declared.address.resource_type).is_some_and(|(_, of)| of.owner.is_none())
        };
        self.declared
            .iter()
            .enumerate()
            .filter(move |(index, declared)| !claimed.contains(index) && is_main(declared))
            .map(|(_, declared)| declared)
    }
}

impl Declared {
    /// The name that its arguments give it.
    pub fn name(&self) -> Option<&str> {
        self.named_by.as_ref()?.last().map(String::as_str)
    }
}

impl KnownResource {
    /// What it is found by, other than its import ID.
    fn key(&self) -> (String, Vec<String>) {
        let resource_type = self.address.resource_type.to_string();
        let named_by = folded(&resource_type, &self.named_by);
        (resource_type, named_by)
    }

    fn is_named_by(&self, named_by: &[String]) -> bool {
        self.key().1 == folded(&self.address.resource_type, named_by)
    }
}

/// Whether AWS tells names of a resource type apart by case alone.
fn case_of(of_type: &str) -> Case {
    resource_type(of_type).map_or(Case::Counts, |(kind, _)| kind.case)
}

/// A name in the spelling in which it is unique: mostly without regard to case.
fn spelled(case: Case, name: &str) -> String {
    if case == Case::Ignored { name.to_lowercase() } else { name.to_owned() }
}

/// Values of [`ResourceType::identity`], to compare with others.
pub fn folded(of_type: &str, names: &[String]) -> Vec<String> {
    names.iter().map(|name| spelled(case_of(of_type), name)).collect()
}

/// Whether what names the owner of something means an entity.
fn is_named(entity: &dyn Entity, name: &str) -> bool {
    let case = entity.kind().case;
    spelled(case, name) == spelled(case, entity.name()) || name == entity.arn()
}

/// Import IDs by the address they are imported to.
fn imports<'a>(
    files: &'a BTreeMap<String, SourceFile>,
    scope: &Scope<'a>,
) -> HashMap<String, Vec<String>> {
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for file in files.values() {
        for import in file.imports().filter(|import| !import.has_for_each) {
            let id = import.id.and_then(|id| scope.text(id));
            if let (Some(to), Some(id)) = (import.to, id) {
                found.entry(to.to_string()).or_default().push(id);
            }
        }
    }
    found
}

/// What declares resources of other types inside itself, such as a role's `managed_policy_arns`.
fn note_covered<'a>(
    found: &source::Resource<'a>,
    scope: &Scope<'a>,
    has_exclusive: bool,
    opaque: &mut Vec<Opaque>,
) {
    let block = found.block;
    let has = |name: &str| {
        block.attribute(name).is_some()
            || block
                .blocks()
                .any(|nested| nested.labels().chain([nested.name()]).any(|it| it == name))
    };
    let types = KINDS.iter().flat_map(|kind| kind.resource_types);
    for covered in types {
        for (by, argument, owner) in covered.also_declared_by {
            let is_compared = has_exclusive && resource_type(by).is_some();
            if *by != found.address.resource_type || !has(argument) || is_compared {
                continue;
            }
            // One that lists owners is about one thing that they all have.
            let is_list = argument != owner;
            let owners = block.value(owner).and_then(|value| scope.node(value).value());
            match owners {
                Some(Json::Array(names)) => opaque.extend(names.into_iter().map(|name| Opaque {
                    address: found.address.to_string(),
                    resource_type: covered.name,
                    owner: match name {
                        Json::String(name) => Some(name),
                        _ => None,
                    },
                    is_list,
                })),
                Some(Json::String(name)) => {
                    opaque.push(Opaque {
                        resource_type: covered.name,
                        owner: Some(name),
                        address: found.address.to_string(),
                        is_list,
                    });
                }
                _ => opaque.push(Opaque {
                    resource_type: covered.name,
                    owner: None,
                    address: found.address.to_string(),
                    is_list,
                }),
            }
        }
    }
}

/// The arguments of one instance of a resource.
fn arguments<'a>(
    scope: &Scope<'a>,
    of: &source::Resource<'a>,
    bindings: &Bindings,
) -> BTreeMap<String, Node> {
    let node = |attribute: source::Attribute<'a>| {
        (attribute.name.to_owned(), scope.node_with(attribute.value, bindings))
    };
    let mut found: BTreeMap<String, Node> = of.block.attributes().map(node).collect();
    if let Some((_, written_as)) = resource_type(&of.address.resource_type) {
        let is_written = |name: &str| written_as.written.contains(&name);
        found.extend(nested(scope, of.block, bindings, "", written_as, &is_written));
    }
    found
}

/// The blocks within a block, those of one name as a list of objects; `path` leads to the block.
fn nested<'a>(
    scope: &Scope<'a>,
    block: source::Block<'a>,
    bindings: &Bindings,
    path: &str,
    of: &ResourceType,
    is_wanted: &dyn Fn(&str) -> bool,
) -> BTreeMap<String, Node> {
    let mut found: BTreeMap<String, Node> = BTreeMap::new();
    for inner in block.blocks() {
        let is_computed = inner.name() == "dynamic";
        let name =
            if is_computed { inner.labels().next().unwrap_or_default() } else { inner.name() };
        if !is_wanted(name) {
            continue;
        }
        let content = if is_computed {
            Content::Unknown
        } else {
            Content::Object(members(scope, inner, bindings, &format!("{path}{name}."), of))
        };
        let node = Node { span: inner.span(), content };
        let list = found.entry(name.to_owned()).or_insert_with(|| Node {
            span: node.span.clone(),
            content: Content::List(Vec::new()),
        });
        list.span = list.span.start.min(node.span.start)..list.span.end.max(node.span.end);
        match &mut list.content {
            Content::List(items) if !is_computed => items.push(node),
            content => *content = Content::Unknown,
        }
    }
    found
}

/// What a block holds, without what the provider takes anyway.
fn members<'a>(
    scope: &Scope<'a>,
    block: source::Block<'a>,
    bindings: &Bindings,
    path: &str,
    of: &ResourceType,
) -> Vec<Member> {
    let attributes = block.attributes().map(|attribute| {
        let value = scope.node_with(attribute.value, bindings);
        (attribute.name.to_owned(), attribute.key_span, value)
    });
    let blocks = nested(scope, block, bindings, path, of, &|_| true)
        .into_iter()
        .map(|(name, node)| (name, node.span.start..node.span.start, node));
    attributes
        .chain(blocks)
        .filter(|(name, _, node)| match &node.content {
            Content::Scalar(value) | Content::Computed { value, .. } => {
                !is_default(of, &format!("{path}{name}"), value)
            }
            _ => true,
        })
        .map(|(key, key_span, value)| Member { key, key_span, value })
        .collect()
}

fn named_by(of: &ResourceType, arguments: &BTreeMap<String, Node>) -> Option<Vec<String>> {
    let value = |name: &&str| match name.split_once('.') {
        None => match arguments.get(*name) {
            Some(node) if of.each == Some(*name) => only_text(node),
            Some(node) => node.text().map(str::to_owned),
            None => default(of, name),
        },
        Some((block, argument)) => {
            let Content::List(blocks) = &arguments.get(block)?.content else { return None };
            let [Node { content: Content::Object(members), .. }] = blocks.as_slice() else {
                return None;
            };
            match members.iter().find(|member| member.key == argument) {
                Some(member) => member.value.text().map(str::to_owned),
                None => default(of, name),
            }
        }
    };
    of.identity.iter().map(value).collect()
}

/// The one text of a list of one.
fn only_text(node: &Node) -> Option<String> {
    match &node.content {
        Content::List(items) => match items.as_slice() {
            [item] => item.text().map(str::to_owned),
            _ => None,
        },
        _ => match node.value()? {
            Json::Array(items) => match items.as_slice() {
                [Json::String(text)] => Some(text.clone()),
                _ => None,
            },
            _ => None,
        },
    }
}

/// What a list of none or several names, each with a list of that one; `None` in it: nobody can tell.
fn several(
    list: &'static str,
    arguments: &BTreeMap<String, Node>,
) -> Option<Option<Vec<(Listed, Node)>>> {
    let node = arguments.get(list).filter(|node| only_text(node).is_none())?;
    let Content::List(items) = &node.content else { return Some(None) };
    let one = |item: &Node| {
        let text = item.text()?.to_owned();
        let listed = Listed { argument: list, list: node.clone(), text };
        let content = Content::List(vec![item.clone()]);
        Some((listed, Node { span: item.span.clone(), content }))
    };
    Some(items.iter().map(one).collect())
}

/// What the provider takes for an argument that is not given.
fn default(of: &ResourceType, name: &str) -> Option<String> {
    known::default(of, name).map(str::to_owned)
}

fn owner(of: &ResourceType, arguments: &BTreeMap<String, Node>) -> Option<String> {
    arguments.get(of.owner?)?.text().map(str::to_owned)
}

/// What is compared of a resource: the arguments that we write, too.
fn resource(
    of: &ResourceType,
    arguments: BTreeMap<String, Node>,
    ignored: &BTreeSet<String>,
) -> Resource {
    let mut ignored = ignored.clone();
    if ignored.contains("all") {
        ignored.extend(of.written.iter().map(|name| (*name).to_owned()));
    }
    let is_given = |name: &str| {
        arguments.get(name).is_some_and(|node| !matches!(node.content, Content::Scalar(Json::Null)))
    };
    let computed = of.computed.iter().filter(|name| !is_given(name));
    ignored.extend(computed.map(|name| (*name).to_owned()));
    let is_left_out = |name: &str, node: &Node| match &node.content {
        Content::Scalar(value) | Content::Computed { value, .. } => is_default(of, name, value),
        Content::List(items) => items.is_empty() && !of.sets.contains(&name),
        Content::Object(members) => members.is_empty(),
        _ => false,
    };
    let is_compared = |name: &String, node: &Node| {
        of.written.contains(&name.as_str())
            && !of.of_provider.contains(&name.as_str())
            && !is_left_out(name, node)
    };
    let arguments = arguments
        .into_iter()
        .filter(|(name, node)| is_compared(name, node))
        .map(|(name, node)| (name, Argument::Read(node)))
        .collect();
    Resource { arguments, ignored }
}
