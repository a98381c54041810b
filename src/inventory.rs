//! Reading AWS: everything, or a scope and what has to be looked at with it.
//!
//! A module is more than its files: a role refers to a policy, an instance profile moves from one
//! role's file to another's. So an export of a few entities also reads those companions of theirs
//! whose files would otherwise no longer fit, and then the module is valid after each commit.

use std::collections::{BTreeSet, HashMap, HashSet};

use tracing::info;

use crate::aws::{CallError, Live, Source};
use crate::directory::Files;
use crate::resource::{Context, Entity, Inventory, KINDS, Kind, Reading, resource_type};
use crate::scope::{Scope, Selection};
use crate::steps::parse_base;
use crate::terraform::Address;
use crate::terraform::label::label;
use crate::terraform::read::{EXPRESSIONS, declarations, literal, mention};

/// Reads a scope, all kinds at once.
pub async fn read(source: &Source, scope: &Scope) -> Inventory {
    let wanted = KINDS.iter().filter_map(|kind| Some((*kind, scope.of(kind.plural)?)));
    let readings = wanted.map(|(kind, selection)| async move {
        let reading = match (selection, source) {
            (Selection::All, _) => (kind.read)(source).await,
            (Selection::Named(keys), Source::Live(live)) => (kind.read_named)(live, keys).await,
            (Selection::Named(keys), Source::Dump(_)) => {
                (kind.read)(source).await.narrowed_to(keys)
            }
        };
        info!(
            kind = kind.plural,
            count = reading.entities.len(),
            absent = reading.absent.len(),
            unreadable = reading.unreadable.len(),
            failures = reading.failures.len(),
            "read"
        );
        (kind, reading)
    });
    Inventory { readings: futures::future::join_all(readings).await, ..Inventory::default() }
}

/// Reads what the entities of an inventory cannot be written without, until nothing is missing.
///
/// `kinds` are the ones that are exported.
///
/// # Errors
///
/// The files cannot be read.
pub async fn add_companions(
    source: &Source,
    files: &dyn Files,
    kinds: &dyn Fn(&Kind) -> bool,
    inventory: &mut Inventory,
) -> anyhow::Result<()> {
    let mut asked = BTreeSet::new();
    loop {
        let mut found = companions(files, inventory)?;
        inventory.strays.append(&mut found.strays);
        if let Source::Live(live) = source {
            found.appearing.retain(|(kind, key)| asked.insert((kind.plural, key.clone())));
            for (kind, key) in std::mem::take(&mut found.appearing) {
                match users(live, files, kind, &key, inventory).await? {
                    Ok(users) => found.scope.merge(&users),
                    Err(error) => {
                        let reading = inventory.readings.iter_mut();
                        let reading = reading.filter(|(read, _)| std::ptr::eq(*read, kind));
                        for (_, reading) in reading {
                            reading.failures.push(error.clone().into());
                        }
                    }
                }
            }
        }
        let scope = found.scope.retain(|kind, key| kinds(kind) && !inventory.has(kind, key));
        if scope.is_empty() {
            return Ok(());
        }
        inventory.replace(read(source, &scope).await);
    }
}

/// What the files lack or hold that concerns the entities of an inventory.
#[derive(Default)]
struct Companions {
    scope: Scope,
    /// Entities that others may refer to and that the module does not declare so far.
    appearing: Vec<(&'static Kind, String)>,
    strays: BTreeSet<String>,
}

fn companions(files: &dyn Files, inventory: &Inventory) -> anyhow::Result<Companions> {
    let mut found = Companions::default();
    let mut named = HashSet::new();
    let mut own = BTreeSet::new();
    for (kind, reading) in inventory.readings.iter().filter(|(_, read)| read.named.is_some()) {
        for entity in &reading.entities {
            for (mentioned, key) in entity.mentions() {
                if !inventory.has(mentioned, key) && base_of(files, mentioned, key)?.is_none() {
                    found.scope.add(mentioned.plural, key);
                }
            }
            let path = entity.terraform_path();
            let old = declared(files, &path)?;
            own.insert(path);
            let new: BTreeSet<Address> = match entity.json_only() {
                None => {
                    let body = entity.terraform(&Context::default());
                    body.declarations().map(|(address, _)| address).collect()
                }
                Some(_) => BTreeSet::new(),
            };
            let changed: Vec<&Address> = new.symmetric_difference(&old).collect();
            let shared = changed.iter().filter(|address| is_shared(address, entity.as_ref()));
            named.extend(shared.map(|address| mention(address)));
            let main = Address::new(kind.resource_types[0].name, label(entity.name()));
            if !old.contains(&main) {
                named.extend(spellings(entity.as_ref()));
            }
            // A person may have declared what appears or leaves anywhere, of this entity.
            if changed.iter().any(|address| is_part(address)) {
                named.insert(mention(&main));
            }
            let (base, _) = parse_base(files, kind, &entity.json_path())?;
            if base.is_some_and(|base| base.arn() != entity.arn()) {
                named.extend(old.iter().map(mention));
            }
            let is_new = new.first().is_some() && !old.iter().any(|old| new.contains(old));
            if is_new && kind.users.is_some() {
                found.appearing.push((kind, entity.key().to_owned()));
            }
        }
        for key in &reading.absent {
            if let Some(base) = base_of(files, kind, key)? {
                let path = base.terraform_path();
                named.extend(declared(files, &path)?.iter().map(mention));
                named.extend(spellings(base.as_ref()));
                own.insert(path);
            }
        }
    }
    if own.is_empty() {
        return Ok(found);
    }
    // Whose they are is seen when they are read, and whether what was read has to do with them.
    let unclear = files.naming("terraform", &HashSet::from([EXPRESSIONS]))?;
    found.strays.extend(unclear.difference(&own).cloned());
    if named.is_empty() {
        return Ok(found);
    }
    for path in files.naming("terraform", &named)?.difference(&own) {
        match entity_of(files, path)? {
            Some((kind, entity)) => found.scope.add(kind.plural, entity.key()),
            None => drop(found.strays.insert(path.clone())),
        }
    }
    Ok(found)
}

/// The entities that AWS has referring to one, and whose raw JSON says so, too.
async fn users(
    live: &Live,
    files: &dyn Files,
    kind: &Kind,
    key: &str,
    inventory: &Inventory,
) -> anyhow::Result<Result<Scope, CallError>> {
    let Some(users) = kind.users else { return Ok(Ok(Scope::default())) };
    let mentioned = kind;
    let users = match users(live, key).await {
        Ok(users) => users,
        Err(error) => return Ok(Err(error)),
    };
    let mut bases = HashMap::new();
    for (kind, key) in users.named().filter(|(kind, key)| !inventory.has(kind, key)) {
        bases.insert((kind.plural, key.to_owned()), base_of(files, kind, key)?);
    }
    Ok(Ok(users.retain(|kind, user| {
        let base = bases.get(&(kind.plural, user.to_owned())).and_then(Option::as_ref);
        base.is_some_and(|base| {
            base.mentions().iter().any(|(of, name)| std::ptr::eq(*of, mentioned) && *name == key)
        })
    })))
}

/// Whether files of other entities may name a resource. What has the entity's name within its own
/// label, such as an attachment, is its own; an instance profile may move to another role.
fn is_shared(address: &Address, entity: &dyn Entity) -> bool {
    !address.label.starts_with(&format!("{}__", label(entity.name())))
}

/// How a file that declares an entity under any address names it.
pub fn spellings(entity: &dyn Entity) -> impl Iterator<Item = u64> {
    let arn = entity.has_arn().then(|| entity.arn());
    entity.names().into_iter().chain(arn).map(literal)
}

/// Whether a resource hangs on an entity.
fn is_part(address: &Address) -> bool {
    resource_type(&address.resource_type).is_some_and(|(_, of)| of.owner.is_some())
}

/// The entity with a key as the raw JSON has it.
///
/// # Errors
///
/// The file is there and cannot be read.
pub fn base_of(
    files: &dyn Files,
    kind: &Kind,
    key: &str,
) -> anyhow::Result<Option<Box<dyn Entity>>> {
    for path in base_paths(files, kind, key)? {
        if let (Some(base), _) = parse_base(files, kind, &path)?
            && base.key() == key
        {
            return Ok(Some(base));
        }
    }
    Ok(None)
}

/// Where the raw JSON of the entity with a key may lie.
///
/// # Errors
///
/// The files cannot be read.
pub fn base_paths(files: &dyn Files, kind: &Kind, key: &str) -> anyhow::Result<Vec<String>> {
    if kind.do_keys_end_in_names {
        return Ok(kind.base_paths(key));
    }
    let mut found = Vec::new();
    for folder in kind.folders {
        for name in files.files(folder)?.iter().filter(|name| name.ends_with(".json")) {
            let path = format!("{folder}/{name}");
            if parse_base(files, kind, &path)?.0.is_some_and(|base| base.key() == key) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The entity that a Terraform file is named after, as its raw JSON has it.
fn entity_of(
    files: &dyn Files,
    path: &str,
) -> anyhow::Result<Option<(&'static Kind, Box<dyn Entity>)>> {
    for kind in KINDS {
        for base_path in kind.base_paths_of(path) {
            if let (Some(base), _) = parse_base(files, kind, &base_path)?
                && base.terraform_path() == path
            {
                return Ok(Some((kind, base)));
            }
        }
    }
    Ok(None)
}

fn declared(files: &dyn Files, path: &str) -> anyhow::Result<BTreeSet<Address>> {
    let content = files.read(path)?.unwrap_or_default();
    let found = declarations(&String::from_utf8_lossy(&content)).unwrap_or_default();
    Ok(found.resources.into_iter().map(|(address, _)| address).collect())
}

impl Inventory {
    /// Whether an entity was asked for.
    pub fn has(&self, kind: &Kind, key: &str) -> bool {
        self.reading(kind).is_some_and(|reading| match &reading.named {
            None => true,
            Some(keys) => keys.contains(key) || reading.entities.iter().any(|e| e.key() == key),
        })
    }

    /// Takes over what was read later.
    pub fn replace(&mut self, later: Inventory) {
        for (kind, later) in later.readings {
            match self.readings.iter_mut().find(|(read, _)| std::ptr::eq(*read, kind)) {
                None => self.readings.push((kind, later)),
                Some((_, reading)) if later.named.is_none() => *reading = later,
                Some((_, reading)) => reading.replace(later),
            }
        }
        let position = |kind: &Kind| KINDS.iter().position(|other| std::ptr::eq(*other, kind));
        self.readings.sort_by_key(|(kind, _)| position(kind));
    }
}

impl Reading {
    /// Takes over what was read later of some entities.
    fn replace(&mut self, later: Reading) {
        let keys = later.named.unwrap_or_default();
        let paths: BTreeSet<String> = later.entities.iter().map(|e| e.json_path()).collect();
        self.entities
            .retain(|entity| !keys.contains(entity.key()) && !paths.contains(&entity.json_path()));
        self.unreadable
            .retain(|unreadable| !keys.iter().any(|key| key.ends_with(&unreadable.name)));
        self.absent.retain(|key| !keys.contains(key));
        self.entities.extend(later.entities);
        self.unreadable.extend(later.unreadable);
        self.absent.extend(later.absent);
        self.failures.extend(later.failures);
        self.notes.extend(later.notes);
        if let Some(named) = &mut self.named {
            named.extend(keys);
        }
    }

    /// Of a whole reading, what was asked for.
    fn narrowed_to(mut self, keys: &BTreeSet<String>) -> Reading {
        self.entities.retain(|entity| keys.contains(entity.key()));
        self.skipped.retain(|(name, _)| keys.contains(name));
        let has = |key: &&String| self.entities.iter().any(|entity| entity.key() == *key);
        if !self.complete.is_empty() {
            self.absent = keys.iter().filter(|key| !has(key)).cloned().collect();
        }
        self.named = Some(keys.clone());
        self
    }
}
