//! What an export does, entity by entity: the verdict, and the files to write.
//!
//! A file that is as an earlier export wrote it is written anew as a whole; what a person wrote or
//! edited is read back ([`crate::desired`]) and changed in place ([`crate::in_place`]).
//!
//! Terraform files are written before raw JSON. The JSON is the base that the next run compares
//! with, so an export that is interrupted leaves a folder in which AWS still differs from the base
//! and the next run goes on, rather than one in which a stale `.tf` looks like a person's edit. For
//! the same reason what refers is written before what it refers to: a role that has its new
//! reference is as AWS has it, one with its old reference is as the policy's old file has it.

mod survey;
mod verdicts;
mod write;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::aws::Account;
use crate::desired::Desired;
use crate::directory::Files;
use crate::in_place::Edits;
use crate::inventory::base_paths;
use crate::known;
use crate::known::KnownResource;
use crate::module::{Module, body, with_imports_of, with_imports_of_existing};
use crate::reconcile::Identity;
use crate::resource::parts::managed_elsewhere;
use crate::resource::{
    Context, Entity, Inventory, JsonOnly, KINDS, Kind, Reading, Refused, resource_type,
};
use crate::settings::Coverage;
use crate::summary::{EntityStanding, Failure, KindSummary, Standing, Summary};
use crate::terraform::read::{declarations, has_the_same_lines, means_the_same};
use crate::terraform::{Expression, format};

/// Bytes of the longest path that is written; AWS's longest names take about 150.
const LONGEST_PATH: usize = 220;

/// How a run writes.
pub struct Options<'a> {
    pub coverage: &'a Coverage,
    /// Whether a person's edits are written over.
    pub overwrite: bool,
    pub dry_run: bool,
    /// Entities, by kind and key, to bring to AWS's version whatever was edited, and no other.
    pub only: Option<&'a BTreeSet<(&'static str, String)>>,
    /// Whether what the files say of an entity that has no raw JSON yet stays as it is.
    pub is_adopting: bool,
    /// Whether the entities are what people ask for and not what AWS has: what is new is not there
    /// to be imported, and what Terraform cannot hold is a conflict.
    pub proposed: bool,
}

impl<'a> Options<'a> {
    pub fn new(coverage: &'a Coverage) -> Options<'a> {
        Options {
            coverage,
            overwrite: false,
            dry_run: false,
            only: None,
            is_adopting: false,
            proposed: false,
        }
    }
}

/// What is going to be done, entity by entity.
pub struct Steps<'a> {
    directory: &'a dyn Files,
    options: &'a Options<'a>,
    /// What rendering may refer to once all is written, what it can as the files are now, and what
    /// it could before a person took something out of them.
    context: Context,
    base_context: Context,
    former_context: Context,
    module: Module<'a>,
    /// What people wrote or edited.
    desired: Desired,
    /// The main resources of what AWS has, by resource type and name.
    actual_names: HashSet<(String, Vec<String>)>,
    /// All resources of what AWS has.
    actual_resources: HashSet<Identity>,
    /// Addresses and import IDs of what the raw JSON has, where AWS does not tell what there is.
    existing: HashSet<(String, String)>,
    /// Entities that were not read and that those that were refer to.
    unread: Vec<Box<dyn Entity>>,
    claimed: BTreeSet<usize>,
    /// Entities on which nothing is decided, by kind and name.
    left_aside: Vec<(&'static str, String)>,
    steps: Vec<Step>,
    /// Terraform files that stay as they are though they are not as AWS has it, with their text.
    kept: Vec<(String, String)>,
    /// What was read, its entities taken out of it.
    readings: Vec<(&'static Kind, Reading)>,
    strays: BTreeSet<String>,
    /// What this principal may not read, with the kinds that have files all the same.
    refusals: Vec<(Refused, Option<&'static str>)>,
    pub summary: Summary,
}

struct Step {
    entity: Box<dyn Entity>,
    /// Whether AWS has the entity.
    is_actual: bool,
    terraform: Action,
    json: Action,
    /// Whether a person's edit is written over.
    is_forced: bool,
}

#[derive(Clone, Debug)]
enum Action {
    Keep,
    Write,
    Remove,
    /// Tell Terraform to forget what the file declared, without destroying it.
    Forget,
    /// Change what people wrote, in place.
    Edit(Edits),
}

/// One entity before it is decided on: as AWS has it, as the raw JSON has it, or both.
struct Candidate {
    actual: Option<Box<dyn Entity>>,
    base: Option<Box<dyn Entity>>,
    base_content: Vec<u8>,
    /// The file named after it.
    desired: Option<String>,
    /// Whether that file is as an earlier export wrote it.
    is_rendering: bool,
    /// Why that file cannot be read.
    is_unreadable: Option<String>,
    /// Whether files that people wrote may say something of it.
    is_followed: bool,
    /// Not read from AWS: whether it is gone from there.
    is_gone: bool,
}

impl Candidate {
    fn entity(&self) -> &dyn Entity {
        self.actual.as_ref().or(self.base.as_ref()).expect("it is somewhere").as_ref()
    }
}

/// The entities of one kind before they are decided on.
struct Survey {
    kind: &'static Kind,
    reading: Reading,
    summary: KindSummary,
    candidates: Vec<Candidate>,
}

impl<'a> Steps<'a> {
    /// Compares what was read with what lies in the folder.
    ///
    /// # Errors
    ///
    /// A file that is there and cannot be read.
    pub fn new(
        directory: &'a dyn Files,
        options: &'a Options<'a>,
        account: Option<&Account>,
        inventory: Inventory,
    ) -> anyhow::Result<Steps<'a>> {
        let context = Context {
            organizations_attachments: options.coverage.organizations_attachments,
            managed_elsewhere: options.coverage.managed_elsewhere,
            exclusive: options.coverage.exclusive,
            ..Context::default()
        };
        let mut own: BTreeSet<String> =
            inventory.entities().map(|entity| entity.terraform_path()).collect();
        for (kind, reading) in &inventory.readings {
            own.extend(files_of_the_gone(directory, kind, reading, options)?);
        }
        let is_whole = |kind: &&&Kind| inventory.reading(kind).is_some_and(|r| r.named.is_none());
        let partly_read: Vec<&Kind> =
            KINDS.iter().filter(|kind| !is_whole(kind)).copied().collect();
        let mut module = Module::open(directory, &own, &inventory.strays, &partly_read)?;
        let mut desired = Desired::new(options.coverage.exclusive);
        let notes = module.read_foreign(&own, &mut desired)?;
        let mut steps = Steps {
            directory,
            options,
            base_context: context.clone(),
            former_context: context.clone(),
            context,
            module,
            desired,
            actual_names: HashSet::new(),
            actual_resources: HashSet::new(),
            existing: HashSet::new(),
            unread: Vec::new(),
            claimed: BTreeSet::new(),
            left_aside: Vec::new(),
            steps: Vec::new(),
            kept: Vec::new(),
            readings: Vec::new(),
            strays: BTreeSet::new(),
            refusals: Vec::new(),
            summary: Summary { notes, ..Summary::default() },
        };
        steps.refer_to_unread(&inventory)?;
        steps.strays = inventory.strays;
        let mut surveys = Vec::new();
        for (kind, reading) in inventory.readings {
            surveys.push(steps.survey(kind, reading)?);
        }
        steps.tell_refusals();
        steps.follow(&mut surveys, account)?;
        let names: HashSet<(&str, String)> = surveys
            .iter()
            .flat_map(|survey| {
                let entities = survey.candidates.iter().map(Candidate::entity);
                entities
                    .flat_map(|it| it.names())
                    .map(|name| (survey.kind.plural, name.to_lowercase()))
            })
            .collect();
        let names = names.into_iter().chain(steps.left_aside.drain(..)).collect();
        for survey in surveys {
            steps.decide(survey)?;
        }
        steps.note_creations(&names);
        Ok(steps)
    }

    /// Says once what may not be read: it is one reason for all kinds.
    fn tell_refusals(&mut self) {
        let refusals = std::mem::take(&mut self.refusals);
        let Some((first, _)) = refusals.first() else { return };
        let what: Vec<&str> = refusals.iter().map(|(refused, _)| refused.what.as_str()).collect();
        self.summary.notes.push(format!(
            "{} are not exported, which only the management account or a delegated administrator may read: {}",
            listed(&what),
            first.error
        ));
        let of_files = refusals.iter().filter_map(|(refused, kind)| Some((refused, (*kind)?)));
        let (errors, kinds): (Vec<_>, Vec<_>) = of_files.unzip();
        if let Some(refused) = errors.first() {
            let failure = Failure::from(refused.error.clone());
            let error = format!("cannot read {} any more: {}", listed(&kinds), failure.error);
            self.fail(Failure { error, ..failure });
        }
    }

    /// What the files declare and nobody has yet, as far as everything was read.
    fn note_creations(&mut self, names: &HashSet<(&'static str, String)>) {
        for declared in self.desired.unclaimed(&self.claimed) {
            let Some((kind, _)) = resource_type(&declared.address.resource_type) else { continue };
            let name = declared.name().unwrap_or(&declared.full_address);
            if names.contains(&(kind.plural, name.to_lowercase())) {
                continue;
            }
            let reading = self.readings.iter().find(|(of, _)| std::ptr::eq(*of, kind));
            let is_whole = reading.is_some_and(|(_, reading)| {
                reading.named.is_none() && reading.complete.contains(kind.folders[0])
            });
            let summary = self.summary.kinds.iter_mut().find(|of| of.kind == kind.plural);
            if let Some(summary) = summary.filter(|_| is_whole) {
                summary.standings.push(EntityStanding {
                    key: declared.full_address.clone(),
                    title: None,
                    name: name.to_owned(),
                    terraform_path: declared.file.clone(),
                    standing: Standing::Pending,
                    detail: Some(declared.file.clone()),
                });
            }
        }
    }

    /// What was read, to compare it with another state of the folder.
    pub fn into_parts(self) -> (Summary, Inventory) {
        let mut readings = self.readings;
        for step in self.steps.into_iter().filter(|step| step.is_actual) {
            let of_kind =
                |(kind, _): &&mut (&'static Kind, Reading)| std::ptr::eq(*kind, step.entity.kind());
            let (_, reading) = readings.iter_mut().find(of_kind).expect("its kind was read");
            reading.entities.push(step.entity);
        }
        (self.summary, Inventory { readings, strays: self.strays })
    }

    /// The resources of an entity as AWS and as the raw JSON have it.
    fn resources_of(&self, candidate: &Candidate) -> Vec<KnownResource> {
        let entities = candidate.actual.iter().chain(&candidate.base);
        let expressible = entities.filter(|entity| entity.json_only().is_none());
        expressible.flat_map(|entity| known::resources(entity.as_ref(), &self.context)).collect()
    }

    fn is_overwriting(&self) -> bool {
        self.options.overwrite || self.options.only.is_some()
    }

    /// An entity that is not to be written; files that it has stay as they are.
    fn ignore(&mut self, entity: &dyn Entity, summary: &mut KindSummary) -> anyhow::Result<()> {
        summary.ignored += 1;
        summary.stands(entity, Standing::Ignored, None);
        let names = entity.names().into_iter().map(str::to_lowercase);
        self.left_aside.extend(names.map(|name| (entity.kind().plural, name)));
        let path = entity.terraform_path();
        let desired = self.module.text(&path)?;
        if self.is_declared(entity, desired.as_deref()) {
            self.refer(entity, None, true);
        }
        self.kept.extend(desired.map(|text| (path, text)));
        Ok(())
    }

    /// An entity of AWS whose files stay as they are.
    fn keep(&mut self, entity: Box<dyn Entity>) -> anyhow::Result<()> {
        let desired = self.module.text(&entity.terraform_path())?;
        if self.is_declared(entity.as_ref(), desired.as_deref()) {
            self.refer(entity.as_ref(), None, true);
        }
        self.keep_step(entity);
        Ok(())
    }

    fn keep_step(&mut self, entity: Box<dyn Entity>) {
        let (terraform, json) = (Action::Keep, Action::Keep);
        self.steps.push(Step { entity, is_actual: true, terraform, json, is_forced: false });
    }

    /// The Terraform of an entity, as it is to be in place of `old`.
    fn render(&self, entity: &dyn Entity, old: &str) -> String {
        let body = body(entity, &self.context, old);
        if self.options.proposed {
            let exists = |to: &str, id: &str| {
                self.existing.contains(&(to.to_owned(), id.to_owned()))
                    && self.options.coverage.imports
            };
            return format::file(&with_imports_of_existing(old, body, &exists));
        }
        if !self.options.coverage.imports {
            return format::file(&body.without_imports());
        }
        let text = format::file(&body);
        if old.is_empty() || text == old || self.is_overwriting() {
            text
        } else {
            format::file(&with_imports_of(old, body))
        }
    }

    /// Whether a file is what an earlier export wrote, whoever took import blocks out of it since.
    fn is_rendering_of(&self, base: &dyn Entity, text: &str) -> bool {
        // Of a time when the settings asked for them.
        let exclusive = (!self.context.exclusive && text.contains("_exclusive\" "))
            .then(|| Context { exclusive: true, ..self.base_context.clone() });
        let contexts = [&self.base_context, &self.former_context];
        contexts.into_iter().chain(&exclusive).any(|context| {
            let body = body(base, context, text);
            let written = format::file(&body);
            if written == text {
                return true;
            }
            let written = format::file(&with_imports_of(text, body));
            // AWS has the documents that Terraform wrote with their keys in another order.
            has_the_same_lines(&written, text) && means_the_same(&written, text)
        })
    }

    /// Why an entity is raw JSON only, here and with these settings.
    fn json_only(&self, entity: &dyn Entity) -> Option<JsonOnly> {
        let owner = || {
            managed_elsewhere(entity.tags()).filter(|_| !self.options.coverage.managed_elsewhere)
        };
        entity
            .json_only()
            .or_else(owner)
            .or_else(|| self.module.declared_elsewhere(entity, &self.context))
    }

    /// Whether the file named after an entity declares what others refer to.
    fn is_declared(&self, entity: &dyn Entity, desired: Option<&str>) -> bool {
        let Some(Expression::Reference(reference)) = entity.reference() else { return false };
        let declares = |text: &str| {
            declarations(text).is_ok_and(|found| {
                found
                    .resources
                    .iter()
                    .any(|(address, _)| reference.starts_with(&format!("{address}.")))
            })
        };
        desired.is_some_and(declares) || self.module.has_under_our_address(entity, &self.context)
    }

    /// Notes what other entities may refer to: as things are until this entity is decided on, and
    /// after that as they will be. `address` is where the files have it, if not where we would.
    fn refer(&mut self, entity: &dyn Entity, address: Option<&str>, is_declared: bool) {
        let Some(Expression::Reference(reference)) = entity.reference() else { return };
        let reference = match (address, reference.rsplit_once('.')) {
            (Some(address), Some((_, attribute))) => format!("{address}.{attribute}"),
            _ => reference,
        };
        let key = (entity.kind().plural, entity.key().to_owned());
        if is_declared {
            self.base_context.references.entry(key.clone()).or_insert_with(|| reference.clone());
            self.context.references.insert(key, reference);
        } else {
            self.context.references.remove(&key);
        }
    }

    fn fail(&mut self, failure: Failure) {
        if !self.summary.failures.contains(&failure) {
            self.summary.failures.push(failure);
        }
    }
}

/// `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// The Terraform files of entities that are gone from AWS. They are about to go as well, so what
/// they declare (an instance profile, say) may already belong to another entity.
fn files_of_the_gone(
    directory: &dyn Files,
    kind: &Kind,
    reading: &Reading,
    options: &Options,
) -> anyhow::Result<Vec<String>> {
    let known: HashSet<String> = reading.entities.iter().map(|entity| entity.json_path()).collect();
    let mut found = Vec::new();
    for path in base_files(directory, kind, reading)? {
        if !known.contains(&path)
            && let (Some(base), _) = parse_base(directory, kind, &path)?
            && is_gone(base.as_ref(), reading, options)
        {
            found.push(base.terraform_path());
        }
    }
    Ok(found)
}

/// Whether an entity is no more. What a person wrote and AWS never had is still to be made.
fn is_gone(base: &dyn Entity, reading: &Reading, options: &Options) -> bool {
    reading.is_gone(base) && (options.proposed || base.was_made())
}

/// The raw JSON files that a reading speaks of.
fn base_files(
    directory: &dyn Files,
    kind: &Kind,
    reading: &Reading,
) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let Some(named) = &reading.named else {
        for folder in kind.folders {
            let files = directory.files(folder)?;
            let json = files.into_iter().filter(|name| name.ends_with(".json"));
            found.extend(json.map(|name| format!("{folder}/{name}")));
        }
        return Ok(found);
    };
    let mut paths: Vec<String> = reading.entities.iter().map(|entity| entity.json_path()).collect();
    for key in named {
        paths.append(&mut base_paths(directory, kind, key)?);
    }
    for path in paths {
        if directory.has(&path)? {
            found.insert(path);
        }
    }
    Ok(found)
}

/// The entity in a raw JSON file, and the file's bytes. No entity: the file is not ours.
pub type Base = (Option<Box<dyn Entity>>, Vec<u8>);

/// Reads a raw JSON file back.
///
/// # Errors
///
/// The file is there and cannot be read.
pub fn parse_base(directory: &dyn Files, kind: &Kind, path: &str) -> anyhow::Result<Base> {
    let Some(content) = directory.read(path)? else { return Ok((None, Vec::new())) };
    let entity = std::str::from_utf8(&content)
        .ok()
        .and_then(|text| (kind.parse)(text).ok())
        .filter(|entity| entity.json_path() == path);
    Ok((entity, content))
}

/// Keeps the base's wording of every document that means the same: AWS returns lists that are sets
/// in another order from one read to the next.
fn settle(entity: &mut dyn Entity, base: &mut dyn Entity) {
    let mut base_documents: HashMap<_, _> =
        base.documents().into_iter().map(|(key, _, document)| (key, document)).collect();
    for (key, dialect, document) in entity.documents() {
        if let Some(base) = base_documents.remove(&key)
            && *base != *document
            && document.means_the_same(base, dialect)
        {
            document.clone_from(base);
        }
    }
}
