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

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::aws::Account;
use crate::desired::{Desired, Entities, Found};
use crate::directory::Files;
use crate::in_place::{Edit, Edits, merged};
use crate::inventory::{base_of, spellings};
use crate::invisible::visible;
use crate::known::{self, KnownResource};
use crate::module::{Module, body, is_tombstone, with_imports_of, with_imports_of_existing};
use crate::reconcile::{Comparison, Identity, State, Verdict, reconcile};
use crate::resource::parts::managed_elsewhere;
use crate::resource::{Context, Entity, Inventory, JsonOnly, KINDS, Kind, Reading, resource_type};
use crate::settings::Coverage;
use crate::summary::{
    Conflict, EntityStanding, Failure, FileChange, KindSummary, Skipped, Standing, Summary,
};
use crate::terraform::align::apply_keeping_alignment;
use crate::terraform::edit::Splice;
use crate::terraform::evaluate::{Facts, TextFile};
use crate::terraform::read::{
    Declarations, declarations, has_the_same_lines, means_the_same, refers,
};
use crate::terraform::source::SourceFile;
use crate::terraform::{Address, Expression, format};

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
        let mut desired = Desired::default();
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
            summary: Summary { notes, ..Summary::default() },
        };
        steps.refer_to_unread(&inventory)?;
        steps.strays = inventory.strays;
        let mut surveys = Vec::new();
        for (kind, reading) in inventory.readings {
            surveys.push(steps.survey(kind, reading)?);
        }
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

    /// Notes what entities mention that were not read: their files are as they were.
    fn refer_to_unread(&mut self, inventory: &Inventory) -> anyhow::Result<()> {
        let mut seen = HashSet::new();
        for (kind, reading) in inventory.readings.iter().filter(|(_, read)| read.named.is_some()) {
            let mut bases = Vec::new();
            for path in base_files(self.directory, kind, reading)? {
                bases.extend(parse_base(self.directory, kind, &path)?.0);
            }
            let entities = reading.entities.iter().chain(&bases);
            for (mentioned, arn) in entities.flat_map(|entity| entity.mentions()) {
                let is_read =
                    |read: &Reading| read.named.as_ref().is_none_or(|keys| keys.contains(arn));
                if inventory.reading(mentioned).is_some_and(is_read) || !seen.insert(arn.to_owned())
                {
                    continue;
                }
                let Some(unread) = base_of(self.directory, mentioned, arn)? else { continue };
                let desired = self.module.text(&unread.terraform_path())?;
                if self.is_declared(unread.as_ref(), desired.as_deref()) {
                    self.refer(unread.as_ref(), None, true);
                } else {
                    // It may have another label, or lie elsewhere.
                    let named = spellings(unread.as_ref()).collect();
                    for path in self.directory.naming("terraform", &named)? {
                        self.read_back(&path)?;
                    }
                }
                self.refer_formerly(unread.as_ref());
                self.unread.push(unread);
            }
        }
        Ok(())
    }

    fn refer_formerly(&mut self, entity: &dyn Entity) {
        if let Some(Expression::Reference(reference)) = entity.reference() {
            self.former_context.references.insert(entity.arn().to_owned(), reference);
        }
    }

    /// Looks at every entity of one kind, read or in the folder.
    fn survey(&mut self, kind: &'static Kind, mut reading: Reading) -> anyhow::Result<Survey> {
        let mut summary =
            KindSummary { kind: kind.plural, one: kind.name, ..KindSummary::default() };
        summary.complete =
            reading.complete.contains(kind.folders[0]) && reading.unreadable.is_empty();
        summary.skipped = reading
            .skipped
            .iter()
            .map(|(name, reason)| Skipped {
                name: name.clone(),
                reason: reason.clone(),
                json: false,
            })
            .collect();
        self.summary.notes.extend(reading.notes.iter().cloned());
        self.summary.missing.extend(reading.missing.iter().cloned());
        for failure in &reading.failures {
            let error = format!("cannot read {}: {}", kind.plural, failure.error);
            self.fail(Failure { error, ..failure.clone() });
        }
        for unreadable in &reading.unreadable {
            let name = visible(&unreadable.name);
            let error = format!("cannot read {} `{name}`: {}", kind.name, unreadable.error);
            self.fail(Failure { error, ..Failure::from(unreadable.error.clone()) });
        }

        let mut base_files = base_files(self.directory, kind, &reading)?;
        if let Some(error) = reading.refused.clone().filter(|_| !base_files.is_empty()) {
            let failure = Failure::from(error);
            let error = format!("cannot read {} any more: {}", kind.plural, failure.error);
            self.fail(Failure { error, ..failure });
        }
        let mut entities = std::mem::take(&mut reading.entities);
        entities.sort_by_cached_key(|entity| entity.json_path());
        // A listing whose entities shift while it is read has one of them on two pages.
        entities.dedup_by_key(|entity| entity.json_path());
        let mut candidates = Vec::new();
        for entity in entities {
            if entity.json_path().len() > LONGEST_PATH {
                let reason = "its name is longer than any that AWS takes".to_owned();
                summary.skipped.push(Skipped {
                    name: entity.name().to_owned(),
                    reason,
                    json: false,
                });
                continue;
            }
            let has_base = base_files.remove(&entity.json_path());
            if !self.is_wanted(entity.as_ref()) {
                self.keep(entity)?;
            } else if self.options.coverage.ignores(entity.as_ref()) {
                self.ignore(entity.as_ref(), &mut summary)?;
                self.keep_step(entity);
            } else {
                candidates.extend(self.survey_actual(entity, has_base)?);
            }
        }
        for path in base_files {
            let (Some(base), _) = parse_base(self.directory, kind, &path)? else { continue };
            if !self.is_wanted(base.as_ref()) {
                let desired = self.module.text(&base.terraform_path())?;
                if self.is_declared(base.as_ref(), desired.as_deref()) {
                    self.refer(base.as_ref(), None, true);
                }
                continue;
            }
            if self.options.coverage.ignores(base.as_ref()) {
                self.ignore(base.as_ref(), &mut summary)?;
                continue;
            }
            let is_gone = is_gone(base.as_ref(), &reading, self.options);
            let is_left_out = base.json_only() == Some(JsonOnly::AwsManaged)
                && !self.options.coverage.aws_managed;
            candidates.push(self.survey_missing(base, is_gone && !is_left_out)?);
        }
        Ok(Survey { kind, reading, summary, candidates })
    }

    /// Whether this run may write the files of an entity.
    fn is_wanted(&self, entity: &dyn Entity) -> bool {
        self.options
            .only
            .is_none_or(|only| only.contains(&(entity.kind().plural, entity.key().to_owned())))
    }

    /// An entity that AWS has; none: its raw JSON is of no use, so it stays as it is.
    fn survey_actual(
        &mut self,
        mut entity: Box<dyn Entity>,
        has_base: bool,
    ) -> anyhow::Result<Option<Candidate>> {
        let json_path = entity.json_path();
        let (base, base_content) = match has_base {
            true => parse_base(self.directory, entity.kind(), &json_path)?,
            false => (None, Vec::new()),
        };
        if has_base && base.is_none() {
            let hint = "restore the file from Git, or remove it to have it written again";
            self.fail(Failure {
                error: format!("`{json_path}` is not the raw JSON of a {}", entity.kind().name),
                hint: Some(hint.to_owned()),
                is_passing: false,
            });
            self.keep(entity)?;
            return Ok(None);
        }
        let base = base.map(|mut base| {
            settle(entity.as_mut(), base.as_mut());
            entity.keep_known(base.as_ref());
            base
        });
        self.note_existing(base.as_deref());
        let desired = self.module.text(&entity.terraform_path())?;
        let is_rendering = match (&desired, &base) {
            (Some(desired), Some(base)) => self.is_rendering_of(base.as_ref(), desired),
            _ => false,
        };
        if self.is_declared(entity.as_ref(), desired.as_deref()) {
            self.refer(entity.as_ref(), None, true);
        }
        if let Some(base) = base.as_ref().filter(|_| self.json_only(entity.as_ref()).is_none()) {
            self.refer_formerly(entity.as_ref());
            // Made anew under another path, it is the same resource with another ARN.
            if base.arn() != entity.arn() && desired.is_some() {
                self.refer_formerly(base.as_ref());
            }
        }
        Ok(Some(Candidate {
            actual: Some(entity),
            base,
            base_content,
            desired,
            is_rendering,
            is_unreadable: None,
            is_followed: false,
            is_gone: false,
        }))
    }

    fn note_existing(&mut self, base: Option<&dyn Entity>) {
        let Some(base) = base.filter(|_| self.options.proposed) else { return };
        let body = base.terraform(&self.context);
        let existing = body.declarations().filter_map(|(address, id)| {
            let id = id?.to_owned();
            Some((address.to_string(), id))
        });
        self.existing.extend(existing);
    }

    /// An entity that has files and was not read.
    fn survey_missing(
        &mut self,
        base: Box<dyn Entity>,
        is_gone: bool,
    ) -> anyhow::Result<Candidate> {
        let desired = self.module.text(&base.terraform_path())?;
        let is_rendering = desired.as_ref().is_some_and(|desired| {
            is_tombstone(desired) || self.is_rendering_of(base.as_ref(), desired)
        });
        if self.is_declared(base.as_ref(), desired.as_deref()) {
            self.refer(base.as_ref(), None, true);
        }
        Ok(Candidate {
            actual: None,
            base: Some(base),
            base_content: Vec::new(),
            desired,
            is_rendering,
            is_unreadable: None,
            is_followed: false,
            is_gone,
        })
    }

    /// Reads back what people wrote, and finds out which entities that is about.
    fn follow(&mut self, surveys: &mut [Survey], account: Option<&Account>) -> anyhow::Result<()> {
        for candidate in surveys.iter_mut().flat_map(|survey| &mut survey.candidates) {
            let path = candidate.entity().terraform_path();
            let Some(text) = candidate.desired.as_deref() else { continue };
            if candidate.is_rendering || is_tombstone(text) {
                continue;
            }
            candidate.is_unreadable = self.read_back(&path)?;
            // What it refers to may have another label in a file that was not looked at.
            for path in self.unread.iter().map(|unread| unread.terraform_path()).collect::<Vec<_>>()
            {
                self.read_back(&path)?;
            }
        }
        if self.desired.is_empty() {
            return Ok(());
        }
        self.index(surveys, account)?;
        if !self.desired.has_resources() {
            return Ok(());
        }
        for unread in std::mem::take(&mut self.unread) {
            let resources = known::resources(unread.as_ref(), &self.context);
            let (left_out, is_others) = (BTreeSet::new(), |_: &str, _: &[String]| false);
            let entity = unread.as_ref();
            let found = self.desired.find(entity, &resources, &left_out, None, &is_others);
            if let Some(address) = found.and_then(|found| self.main_address(&found)) {
                self.refer(entity, Some(&address), true);
            }
            self.unread.push(unread);
        }
        let mut is_more = false;
        for candidate in surveys.iter_mut().flat_map(|survey| &mut survey.candidates) {
            let resources = self.resources_of(candidate);
            let name = candidate.entity().name().to_owned();
            candidate.is_followed = self.desired.concerns(&resources, &name);
            let path = candidate.entity().terraform_path();
            if candidate.is_followed
                && candidate.is_rendering
                && candidate.desired.as_deref().is_some_and(|text| !is_tombstone(text))
            {
                candidate.is_unreadable = self.read_back(&path)?;
                is_more = true;
            }
        }
        if is_more {
            self.index(surveys, account)?;
        }
        for survey in surveys.iter() {
            for entity in survey.candidates.iter().filter_map(|it| it.actual.as_deref()) {
                if self.json_only(entity).is_some() {
                    continue;
                }
                for (index, known) in
                    known::resources(entity, &self.context).into_iter().enumerate()
                {
                    if index == 0 {
                        let resource_type = known.address.resource_type.to_string();
                        let named_by = known.named_by.iter().map(|name| name.to_lowercase());
                        self.actual_names.insert((resource_type, named_by.collect()));
                    }
                    self.actual_resources.insert(known.identity);
                }
            }
        }
        Ok(())
    }

    /// Finds out what the files' resources are.
    fn index(&mut self, surveys: &[Survey], account: Option<&Account>) -> anyhow::Result<()> {
        let mut entities = Entities::default();
        let candidates = surveys.iter().flat_map(|survey| &survey.candidates);
        let known = candidates.flat_map(|candidate| candidate.base.iter().chain(&candidate.actual));
        for entity in known.chain(&self.unread).filter(|entity| entity.json_only().is_none()) {
            if let Some(main) = known::resources(entity.as_ref(), &self.context).first() {
                entities.add(entity.as_ref(), main);
            }
        }
        let facts = Facts {
            account_id: account.map(|account| account.id.clone()),
            partition: account.map(|account| account.partition.clone()),
        };
        let read = |path: &str| {
            let path = format!("terraform/{path}");
            let text = self.module.raw(&path).ok()??;
            Some(TextFile { path, text })
        };
        self.desired.index(facts, &entities, &read);
        Ok(())
    }

    /// Why a file cannot be read back, if it cannot.
    fn read_back(&mut self, path: &str) -> anyhow::Result<Option<String>> {
        let Some(text) = self.module.raw(path)? else { return Ok(None) };
        Ok(self
            .desired
            .add(path, text)
            .err()
            .map(|error| format!("line {} column {}: {}", error.line, error.column, error.message)))
    }

    /// The resources of an entity as AWS and as the raw JSON have it.
    fn resources_of(&self, candidate: &Candidate) -> Vec<KnownResource> {
        let entities = candidate.actual.iter().chain(&candidate.base);
        let expressible = entities.filter(|entity| entity.json_only().is_none());
        expressible.flat_map(|entity| known::resources(entity.as_ref(), &self.context)).collect()
    }

    /// Decides on every entity of one kind.
    fn decide(&mut self, survey: Survey) -> anyhow::Result<()> {
        let Survey { kind, reading, mut summary, candidates } = survey;
        for candidate in candidates {
            let is_left = candidate.is_unreadable.is_some() && !self.options.overwrite;
            match (is_left, candidate.actual.is_some()) {
                (true, _) => self.leave(candidate, &mut summary)?,
                (false, true) => self.decide_actual(candidate, &mut summary)?,
                (false, false) => self.decide_missing(candidate, &mut summary)?,
            }
        }
        self.summary.kinds.push(summary);
        self.readings.push((kind, reading));
        Ok(())
    }

    /// An entity whose file cannot be read.
    fn leave(&mut self, candidate: Candidate, summary: &mut KindSummary) -> anyhow::Result<()> {
        let entity = candidate.entity();
        let (path, name) = (entity.terraform_path(), visible(entity.name()).into_owned());
        let of = entity.kind().name;
        self.summary.notes.push(match candidate.is_unreadable.as_deref() {
            Some(why) => format!("`{}` {why}; {of} `{name}` is left alone", visible(&path)),
            None => {
                let file = self.module.unreadable(entity, candidate.base.is_some());
                let file = visible(file.unwrap_or_default());
                format!("{of} `{name}` is left alone: `{file}` may declare it")
            }
        });
        summary.stands(entity, Standing::Unreadable, Some(path.clone()));
        summary.unknown += 1;
        self.kept.extend(candidate.desired.map(|text| (path, text)));
        if let Some(entity) = candidate.actual {
            self.keep_step(entity);
        }
        Ok(())
    }

    /// Whether no file says anything of an entity and one that cannot be read may.
    fn may_be_unreadable(&self, candidate: &Candidate) -> bool {
        candidate.desired.is_none()
            && !self.is_overwriting()
            && self.module.unreadable(candidate.entity(), candidate.base.is_some()).is_some()
    }

    /// An entity that AWS has.
    fn decide_actual(
        &mut self,
        candidate: Candidate,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
        let json_only = self.json_only(candidate.entity());
        if json_only.is_none()
            && let Some(found) = self.find(&candidate)
        {
            let own = candidate.entity().terraform_path();
            let is_elsewhere = |index: &usize| self.desired.at(*index).file != own;
            if !self.options.overwrite || found.places.values().any(is_elsewhere) {
                return self.decide_in_place(candidate, found, summary);
            }
        }
        if json_only.is_none() && self.may_be_unreadable(&candidate) {
            return self.leave(candidate, summary);
        }
        let Candidate { actual, base, base_content, desired, is_rendering, .. } = candidate;
        let entity = actual.expect("the caller looked");
        let terraform_path = entity.terraform_path();
        let is_tombstone = desired.as_deref().is_some_and(is_tombstone);
        let has_base = base.is_some();
        let is_somebodys = desired.is_some() && !is_rendering && !is_tombstone;
        if is_somebodys && json_only.is_none() && !self.options.overwrite {
            // The file is there and says nothing of the entity.
            return self.decide_undeclared(entity, base, base_content, desired, summary);
        }
        let wanted = match &json_only {
            None => desired.as_deref().map(|old| self.render(entity.as_ref(), old)),
            Some(_) => None,
        };
        let actual_is_base = has_base
            && match entity.json() {
                json if json == base_content => true,
                json => base.as_ref().is_some_and(|base| base.json() == json),
            };
        let desired_is_actual = match (&desired, &json_only) {
            (None, None) => false,
            (None, Some(_)) => true,
            (Some(_), Some(_)) => is_tombstone,
            (Some(desired), None) => {
                wanted.as_ref().is_some_and(|wanted| means_the_same(wanted, desired))
            }
        };
        let was_json_only = base.as_ref().is_some_and(|base| {
            base.json_only().is_some() || managed_elsewhere(base.tags()).is_some()
        });
        let desired_is_base = match (&desired, &base) {
            (None, None) => true,
            (Some(_), None) => false,
            (None, Some(_)) => self.module.is_fresh() || was_json_only,
            // `removed` blocks for what could be resources are a person's: Terraform is to forget it.
            (Some(_), Some(_)) if is_tombstone => was_json_only,
            (Some(_), Some(_)) => is_rendering,
        };
        let comparison = Comparison { actual_is_base, desired_is_base, desired_is_actual };
        let mut verdict = comparison.verdict();
        let mut reason = None;
        if self.options.proposed {
            let is_inexpressible = matches!(json_only, Some(JsonOnly::Inexpressible(_)));
            let is_drifted = verdict == Verdict::Drifted;
            if is_drifted && actual_is_base && (!is_rendering || json_only.is_some()) {
                verdict = Verdict::Unchanged;
            } else if !actual_is_base
                && (is_drifted && json_only.is_some() || is_inexpressible && !is_tombstone)
            {
                verdict = Verdict::Conflicting;
                reason = json_only.as_ref().map(ToString::to_string);
            }
        }
        let is_edited = matches!(verdict, Verdict::Pending | Verdict::Conflicting);
        let is_forced = is_edited && self.is_overwriting();
        if is_forced {
            verdict = Verdict::Drifted;
        } else if is_edited {
            self.kept.extend(desired.clone().map(|text| (terraform_path.clone(), text)));
        }
        let (terraform, json) = match verdict {
            Verdict::Unchanged | Verdict::Pending | Verdict::Conflicting => {
                (Action::Keep, Action::Keep)
            }
            Verdict::Converged => (Action::Keep, Action::Write),
            Verdict::Drifted => {
                let terraform = match (&json_only, &desired) {
                    (None, _) => Action::Write,
                    (Some(_), Some(_)) => Action::Forget,
                    (Some(_), None) => Action::Keep,
                };
                (terraform, if actual_is_base { Action::Keep } else { Action::Write })
            }
        };
        self.count(entity.as_ref(), verdict, has_base, &terraform_path, summary);
        if verdict == Verdict::Conflicting {
            let git = FileChange {
                path: terraform_path.clone(),
                before: base.as_ref().map_or_else(String::new, |base| self.rendered(base.as_ref())),
                after: desired.clone().unwrap_or_default(),
            };
            self.conflict(Some(entity.as_ref()), base.as_deref(), reason, vec![git]);
        }
        if let Some(reason) = json_only.as_ref().filter(|_| verdict != Verdict::Conflicting) {
            let (name, reason) = (entity.name().to_owned(), reason.to_string());
            summary.stands(entity.as_ref(), Standing::Skipped, Some(reason.clone()));
            summary.skipped.push(Skipped { name, reason, json: true });
        }
        let is_declared = self.is_declared(entity.as_ref(), desired.as_deref());
        let stays = match &terraform {
            Action::Keep => is_declared,
            Action::Write => true,
            _ => false,
        };
        self.refer(entity.as_ref(), None, stays);
        self.steps.push(Step { entity, is_actual: true, terraform, json, is_forced });
        Ok(())
    }

    /// An entity with a file of its name that says nothing of it: for a new one a person may have
    /// taken the name; else a person took it out.
    fn decide_undeclared(
        &mut self,
        entity: Box<dyn Entity>,
        base: Option<Box<dyn Entity>>,
        base_content: Vec<u8>,
        desired: Option<String>,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
        let path = entity.terraform_path();
        let json = entity.json();
        let is_base = json == base_content || base.as_ref().is_some_and(|it| it.json() == json);
        let verdict = match (self.is_overwriting(), is_base) {
            (true, _) => Verdict::Drifted,
            (false, true) => Verdict::Pending,
            (false, false) => Verdict::Conflicting,
        };
        let is_forced = verdict == Verdict::Drifted;
        let (terraform, json) = match is_forced {
            true => (Action::Write, if is_base { Action::Keep } else { Action::Write }),
            false => (Action::Keep, Action::Keep),
        };
        self.count(entity.as_ref(), verdict, base.is_some(), &path, summary);
        if verdict == Verdict::Conflicting {
            let git = FileChange {
                path: path.clone(),
                before: base.as_ref().map_or_else(String::new, |base| self.rendered(base.as_ref())),
                after: desired.clone().unwrap_or_default(),
            };
            self.conflict(Some(entity.as_ref()), base.as_deref(), None, vec![git]);
        }
        if !is_forced {
            self.kept.extend(desired.map(|text| (path, text)));
        }
        self.refer(entity.as_ref(), None, is_forced);
        self.steps.push(Step { entity, is_actual: true, terraform, json, is_forced });
        Ok(())
    }

    /// What people's files say of an entity; none: nothing, or it is not for Terraform.
    fn find(&mut self, candidate: &Candidate) -> Option<Found> {
        let is_somebodys = candidate.desired.is_some() && !candidate.is_rendering;
        if self.desired.is_empty() || !(candidate.is_followed || is_somebodys) {
            return None;
        }
        let resources = self.resources_of(candidate);
        let entity = candidate.entity();
        let left_out = entity.left_out(&self.context);
        let left_out = left_out.iter().map(|address| address.resource_type.to_string()).collect();
        let is_others = |resource_type: &str, named_by: &[String]| {
            let named_by = named_by.iter().map(|name| name.to_lowercase()).collect();
            self.actual_names.contains(&(resource_type.to_owned(), named_by))
        };
        let own = entity.terraform_path();
        let untouched = candidate.is_rendering.then_some(own.as_str());
        let found = self.desired.find(entity, &resources, &left_out, untouched, &is_others)?;
        self.claimed.extend(found.places.values());
        Some(found)
    }

    /// An entity that people's files say something of.
    fn decide_in_place(
        &mut self,
        candidate: Candidate,
        found: Found,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
        let Candidate { actual, base, base_content, desired, .. } = candidate;
        let entity = actual.expect("the caller looked");
        let known_actual = known::resources(entity.as_ref(), &self.context);
        let known_base = base
            .as_ref()
            .filter(|base| base.json_only().is_none())
            .map(|base| known::resources(base.as_ref(), &self.context));
        let base_state = known_base.as_deref().map(known::state);
        let actual_state = known::state(&known_actual);
        let mut verdict = reconcile(base_state.as_ref(), Some(&found.state), Some(&actual_state));
        let is_adopted = self.options.is_adopting
            && base.is_none()
            && matches!(verdict, Verdict::Conflicting | Verdict::Converged);
        if is_adopted {
            // What a person wrote before there was any raw JSON is ahead of AWS; what nobody wrote is
            // added.
            let mut complete = found.state.clone();
            for (identity, resource) in &actual_state.resources {
                complete.resources.entry(identity.clone()).or_insert_with(|| resource.clone());
            }
            verdict = match reconcile(None, Some(&complete), Some(&actual_state)) {
                Verdict::Conflicting => Verdict::Pending,
                verdict => verdict,
            };
        }
        let is_edited = matches!(verdict, Verdict::Pending | Verdict::Conflicting);
        let is_forced = is_edited && self.is_overwriting();
        let mut terraform = Action::Keep;
        let mut reason = None;
        if verdict == Verdict::Drifted || is_forced {
            verdict = Verdict::Drifted;
            let is_anothers = self.is_anothers();
            let to = Some(entity.as_ref());
            match self.edit(&found, base_state.as_ref(), to, is_forced, &is_anothers).edits() {
                Ok(edits) => terraform = Action::Edit(edits),
                Err(obstacle) => {
                    verdict = Verdict::Conflicting;
                    reason = Some(obstacle.to_string());
                }
            }
        }
        if is_adopted {
            let is_anothers = self.is_anothers();
            let additions = self.edit(&found, None, Some(entity.as_ref()), false, &is_anothers);
            terraform = Action::Edit(additions.additions());
        }
        if self.options.proposed && verdict == Verdict::Conflicting {
            // Of what is in the way, a value that is left open is the least obvious.
            let is_anothers = self.is_anothers();
            let to = Some(entity.as_ref());
            let edits = self.edit(&found, base_state.as_ref(), to, false, &is_anothers).edits();
            reason = edits.err().map(|obstacle| obstacle.to_string());
        }
        if found.is_twice && verdict != Verdict::Conflicting && !self.options.proposed {
            let mut edits = match terraform {
                Action::Edit(edits) => edits,
                _ => Edits::default(),
            };
            self.hand_over(&found, entity.as_ref(), desired.as_deref(), &mut edits);
            terraform = Action::Edit(edits);
        }
        let json = entity.json();
        let json = match verdict {
            Verdict::Conflicting => Action::Keep,
            _ if json == base_content => Action::Keep,
            _ if base.as_ref().is_some_and(|base| base.json() == json) => Action::Keep,
            _ => Action::Write,
        };
        let path = self.path_of(&found, entity.as_ref());
        let told = match verdict {
            Verdict::Unchanged if matches!(json, Action::Write) => Verdict::Converged,
            verdict => verdict,
        };
        self.count(entity.as_ref(), told, base.is_some(), &path, summary);
        if let Action::Edit(edits) = &terraform {
            self.summary.notes.extend(edits.left.iter().map(|left| format!("{left}; left alone")));
        }
        if verdict == Verdict::Conflicting {
            let git = self.changes_in_git(&found, base.as_deref(), base_state.as_ref());
            self.conflict(Some(entity.as_ref()), base.as_deref(), reason, git);
        }
        let main = self.main_address(&found);
        self.refer(entity.as_ref(), main.as_deref(), main.is_some());
        if main.is_none() && matches!(terraform, Action::Edit(_)) {
            self.refer(entity.as_ref(), None, true);
        }
        self.steps.push(Step { entity, is_actual: true, terraform, json, is_forced });
        Ok(())
    }

    fn is_overwriting(&self) -> bool {
        self.options.overwrite || self.options.only.is_some()
    }

    /// Of a file of ours that nobody edited, takes out what a person's file declares, too.
    fn hand_over(&self, found: &Found, entity: &dyn Entity, old: Option<&str>, edits: &mut Edits) {
        let own = entity.terraform_path();
        let is_anothers = self.is_anothers();
        let edit = self.edit(found, None, Some(entity), false, &is_anothers);
        let is_ours = |known: &&KnownResource| {
            let index = found.places.get(&known.identity);
            index.is_none_or(|index| self.desired.at(*index).file == own)
        };
        let ours: Vec<&KnownResource> = edit.actual.iter().filter(is_ours).collect();
        let kept = edit.blocks(&ours, &edit.addresses());
        let declared = declarations(&kept).unwrap_or_default();
        let lost = old.and_then(|old| self.module.forget(old, &declared));
        let parts: Vec<String> =
            [kept, lost.unwrap_or_default()].into_iter().filter(|it| !it.is_empty()).collect();
        edits.splices.remove(&own);
        edits.anew = Some((own, parts.join("\n")));
    }

    fn is_anothers(&self) -> impl Fn(&Identity) -> bool + use<'_, 'a> {
        |identity| self.actual_resources.contains(identity)
    }

    fn edit<'b>(
        &'b self,
        found: &'b Found,
        base: Option<&'b State>,
        to: Option<&'b dyn Entity>,
        is_forced: bool,
        is_anothers: &'b dyn Fn(&Identity) -> bool,
    ) -> Edit<'b> {
        Edit {
            desired: &self.desired,
            found,
            base,
            actual: to.map(|to| known::resources(to, &self.context)).unwrap_or_default(),
            body: to.map(|to| to.terraform(&self.context)).unwrap_or_default(),
            imports: self.options.coverage.imports && !self.options.proposed,
            is_anothers,
            is_forced,
        }
    }

    /// The file that declares the entity itself.
    fn path_of(&self, found: &Found, entity: &dyn Entity) -> String {
        match self.main(found) {
            Some(index) => self.desired.at(index).file.clone(),
            None => entity.terraform_path(),
        }
    }

    fn main(&self, found: &Found) -> Option<usize> {
        let is_main =
            |of_type: &str| resource_type(of_type).is_some_and(|(_, of)| of.owner.is_none());
        found.places.iter().find(|((of, _), _)| is_main(of)).map(|(_, index)| *index)
    }

    fn main_address(&self, found: &Found) -> Option<String> {
        self.main(found).map(|index| self.desired.at(index).full_address.clone())
    }

    /// What people changed: each file as it would be if it said what the raw JSON says, and as it
    /// is.
    fn changes_in_git(
        &self,
        found: &Found,
        base: Option<&dyn Entity>,
        base_state: Option<&State>,
    ) -> Vec<FileChange> {
        let edit = self.edit(found, base_state, base, true, &|_| false);
        let undone = edit.edits().unwrap_or_default();
        let files: BTreeSet<&String> =
            found.places.values().map(|index| &self.desired.at(*index).file).collect();
        let change = |path: &String| {
            let after = self.desired.text(path)?;
            let splices = undone.splices.get(path).cloned().unwrap_or_default();
            let before = apply_keeping_alignment(&after, &merged(splices)).ok()?;
            Some(FileChange { path: path.clone(), before, after })
        };
        files.into_iter().filter_map(change).collect()
    }

    /// Notes a conflict, with both sides' changes.
    fn conflict(
        &mut self,
        actual: Option<&dyn Entity>,
        base: Option<&dyn Entity>,
        reason: Option<String>,
        git: Vec<FileChange>,
    ) {
        let Some(entity) = actual.or(base) else { return };
        let rendered = |of: Option<&dyn Entity>| of.map(|of| self.rendered(of)).unwrap_or_default();
        let aws = FileChange {
            path: entity.terraform_path(),
            before: rendered(base),
            after: rendered(actual),
        };
        self.summary.conflicts.push(Conflict {
            kind: entity.kind(),
            key: entity.key().to_owned(),
            name: entity.name().to_owned(),
            terraform_path: entity.terraform_path(),
            json_path: entity.json_path(),
            reason,
            git,
            aws,
        });
    }

    /// An entity's Terraform as it would be written anew.
    fn rendered(&self, entity: &dyn Entity) -> String {
        match entity.json_only() {
            None => format::file(&entity.terraform(&self.context)),
            Some(_) => String::new(),
        }
    }

    /// Counts an entity under its verdict.
    fn count(
        &self,
        entity: &dyn Entity,
        verdict: Verdict,
        has_base: bool,
        path: &str,
        summary: &mut KindSummary,
    ) {
        let standing = match verdict {
            Verdict::Unchanged => Standing::InStep,
            Verdict::Pending => Standing::Pending,
            Verdict::Conflicting => Standing::Conflicting,
            Verdict::Converged => Standing::Converged,
            Verdict::Drifted if has_base => Standing::Drifted,
            Verdict::Drifted => Standing::Unmanaged,
        };
        summary.stands(entity, standing, Some(path.to_owned()));
        match verdict {
            Verdict::Unchanged => summary.unchanged += 1,
            Verdict::Pending => summary.pending.push(path.to_owned()),
            Verdict::Conflicting => summary.conflicting.push(path.to_owned()),
            Verdict::Converged | Verdict::Drifted => {
                summary.written.push(entity.name().to_owned());
            }
        }
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

    /// An entity that has files and was not read: it is gone, or nothing is known.
    fn decide_missing(
        &mut self,
        candidate: Candidate,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
        let found = self.find(&candidate);
        if found.is_none()
            && candidate.entity().json_only().is_none()
            && self.may_be_unreadable(&candidate)
        {
            return self.leave(candidate, summary);
        }
        let Candidate { base, desired, is_rendering, is_gone, .. } = candidate;
        let base = base.expect("the caller looked");
        let terraform_path = base.terraform_path();
        if !is_gone && !base.was_made() && desired.is_some() {
            summary.stands(base.as_ref(), Standing::Pending, Some(terraform_path.clone()));
            summary.pending.push(terraform_path.clone());
            self.kept.extend(desired.map(|text| (terraform_path, text)));
            return Ok(());
        }
        if !is_gone {
            summary.unknown += 1;
            summary.stands(base.as_ref(), Standing::Unknown, Some(terraform_path.clone()));
            self.kept.extend(desired.map(|text| (terraform_path, text)));
            return Ok(());
        }
        let mut terraform = if desired.is_some() { Action::Remove } else { Action::Keep };
        if let Some(found) = &found {
            let state = match base.json_only() {
                None => Some(known::state(&known::resources(base.as_ref(), &self.context))),
                Some(_) => None,
            };
            let verdict = reconcile(state.as_ref(), Some(&found.state), None);
            let is_forced = verdict != Verdict::Drifted;
            let edits = {
                let is_anothers = self.is_anothers();
                self.edit(found, state.as_ref(), None, is_forced, &is_anothers).edits()
            };
            match edits {
                Ok(edits) if !is_forced || self.is_overwriting() => {
                    terraform = Action::Edit(edits);
                }
                blocked => {
                    let reason = blocked.err().map(|obstacle| obstacle.to_string());
                    let path = self.path_of(found, base.as_ref());
                    self.count(base.as_ref(), Verdict::Conflicting, true, &path, summary);
                    let git = self.changes_in_git(found, Some(base.as_ref()), state.as_ref());
                    self.conflict(None, Some(base.as_ref()), reason, git);
                    return Ok(());
                }
            }
        } else if desired.is_some() && !is_rendering {
            if !self.is_overwriting() && base.json_only().is_some() {
                self.count(base.as_ref(), Verdict::Conflicting, true, &terraform_path, summary);
                self.kept.extend(desired.map(|text| (terraform_path, text)));
                return Ok(());
            }
            if !self.is_overwriting() {
                // A person took it out of the file, and AWS has followed.
                terraform = Action::Keep;
            }
        }
        self.context.references.remove(base.arn());
        summary.removed.push(base.name().to_owned());
        summary.removed_keys.push(base.key().to_owned());
        summary.stands(base.as_ref(), Standing::Gone, Some(terraform_path));
        let json = Action::Remove;
        self.steps.push(Step { entity: base, is_actual: false, terraform, json, is_forced: false });
        Ok(())
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
        [&self.base_context, &self.former_context].into_iter().any(|context| {
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
        let arn = entity.arn().to_owned();
        if is_declared {
            self.base_context.references.entry(arn.clone()).or_insert_with(|| reference.clone());
            self.context.references.insert(arn, reference);
        } else {
            self.context.references.remove(&arn);
        }
    }

    /// Writes and removes files. The module's shared files come first, if there is anything in it.
    ///
    /// # Errors
    ///
    /// A file cannot be written or removed; all files are then old or new.
    pub fn write(&mut self, account: Option<&Account>) -> anyhow::Result<()> {
        self.hold_back()?;
        let directory = self.directory;
        let edited = self.steps.iter().filter(|step| !matches!(step.terraform, Action::Keep));
        let edited = edited.map(|step| (step.entity.kind().plural, step.entity.key().to_owned()));
        self.summary.edited = edited.collect();
        // Who takes them out of a module that is in use has a reason.
        if !self.steps.is_empty() && (!self.options.proposed || self.module.is_fresh()) {
            for (path, content) in self.module.missing_files(account) {
                directory.write(&path, content.as_bytes())?;
                self.summary.module_files_written.push(path);
            }
        }
        for (path, text) in self.edited(None)? {
            match text.trim_start_matches('\u{feff}').trim().is_empty() {
                true => directory.remove(&path)?,
                false => directory.write(&path, text.as_bytes())?,
            }
        }
        for kind in KINDS.iter().rev() {
            self.write_terraform(kind)?;
        }
        for step in self.steps.iter().filter(|step| matches!(step.json, Action::Remove)) {
            directory.remove(&step.entity.json_path())?;
        }
        for step in self.steps.iter().filter(|step| matches!(step.json, Action::Write)) {
            directory.write(&step.entity.json_path(), &step.entity.json())?;
        }
        Ok(())
    }

    /// The files that are changed in place, as they will be; `only` of these.
    fn edited(&self, only: Option<&str>) -> anyhow::Result<BTreeMap<String, String>> {
        let mut splices: BTreeMap<&String, Vec<Splice>> = BTreeMap::new();
        for step in &self.steps {
            let Action::Edit(edits) = &step.terraform else { continue };
            for (path, of_path) in &edits.splices {
                if only.is_none_or(|only| only == path) {
                    splices.entry(path).or_default().extend(of_path.iter().cloned());
                }
            }
        }
        let anew = self.steps.iter().filter_map(|step| match &step.terraform {
            Action::Edit(edits) => edits.anew.clone(),
            _ => None,
        });
        let anew = anew.filter(|(path, _)| only.is_none_or(|only| only == path)).map(Ok);
        let edited = splices.into_iter().map(|(path, splices)| {
            let text = self.desired.text(path).unwrap_or_default();
            let text = apply_keeping_alignment(&text, &merged(splices))
                .map_err(|error| anyhow::anyhow!("cannot edit `{path}`: {error}"))?;
            Ok((path.clone(), text))
        });
        edited.chain(anew).collect()
    }

    /// What would make the module invalid has to wait, and with it what depends on that.
    fn hold_back(&mut self) -> anyhow::Result<()> {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for index in 0..self.steps.len() {
                if let Some(reason) = self.obstacle(&self.steps[index])? {
                    self.hold_back_step(index, &reason)?;
                    is_settled = false;
                }
            }
        }
        Ok(())
    }

    /// What stands against a step. A file that stays may declare what AWS has given to another
    /// entity by now, such as an instance profile, and Terraform refuses a second declaration. Or
    /// it may refer to what the step takes out of the module.
    fn obstacle(&self, step: &Step) -> anyhow::Result<Option<String>> {
        let has_others = self.module.has_foreign() || !self.desired.is_empty();
        if matches!(step.terraform, Action::Keep) || (self.kept.is_empty() && !has_others) {
            return Ok(None);
        }
        if let Action::Edit(edits) = &step.terraform {
            let leaving = edits.leaving.iter().filter_map(|address| {
                let (resource_type, label) = address.split_once('.')?;
                Some(Address {
                    resource_type: resource_type.to_owned().into(),
                    label: label.to_owned(),
                })
            });
            return self.referring(&leaving.collect(), step);
        }
        let path = step.entity.terraform_path();
        let new: BTreeSet<Address> = match &step.terraform {
            Action::Write => {
                let body = step.entity.terraform(&self.context);
                body.declarations().map(|(address, _)| address).collect()
            }
            _ => BTreeSet::new(),
        };
        let declares = |text: &str| {
            declarations(text)
                .is_ok_and(|found| found.resources.iter().any(|(address, _)| new.contains(address)))
        };
        let is_taken = |file: &&SourceFile| {
            file.path() != path
                && file.resources().any(|found| {
                    new.contains(&found.address) && !self.is_leaving(&found.address.to_string())
                })
        };
        if let Some(other) = self.desired.files().find(is_taken) {
            let other = visible(other.path());
            return Ok(Some(format!("`{other}` declares something else under its address")));
        }
        if !new.is_empty()
            && let Some((other, _)) = self.kept.iter().find(|(_, text)| declares(text))
        {
            return Ok(Some(format!("`{}` still declares a part of it", visible(other))));
        }
        let old = self.module.text(&path)?.map(|text| declarations(&text).unwrap_or_default());
        let old = old.into_iter().flat_map(|found| found.resources);
        let is_leaving =
            |address: &Address| !new.contains(address) && !self.module.declares(address);
        let leaving: BTreeSet<Address> =
            old.map(|(address, _)| address).filter(is_leaving).collect();
        self.referring(&leaving, step)
    }

    /// Whether a step takes an address out of a file that people wrote.
    fn is_leaving(&self, address: &str) -> bool {
        self.steps.iter().any(|step| match &step.terraform {
            Action::Edit(edits) => edits.leaving.contains(address),
            _ => false,
        })
    }

    /// What still refers to resources that a step takes out of the module.
    fn referring(
        &self,
        leaving: &BTreeSet<Address>,
        step: &Step,
    ) -> anyhow::Result<Option<String>> {
        if leaving.is_empty() {
            return Ok(None);
        }
        let own = step.entity.terraform_path();
        let is_other = |path: &str| path != own || matches!(step.terraform, Action::Edit(_));
        let mut files: BTreeMap<String, String> = self.kept.iter().cloned().collect();
        for path in self.module.foreign_files() {
            files.insert(path.clone(), self.module.text(path)?.unwrap_or_default());
        }
        for file in self.desired.files() {
            files.insert(file.path().to_owned(), file.text().to_owned());
        }
        // What is written anew as a whole no longer says what the old file said.
        for other in &self.steps {
            if matches!(other.terraform, Action::Write | Action::Remove | Action::Forget) {
                files.remove(&other.entity.terraform_path());
            }
        }
        files.retain(|path, text| is_other(path) && refers(text, leaving));
        for path in files.keys() {
            let edited = self.edited(Some(path))?.remove(path);
            if edited.is_none_or(|text| refers(&text, leaving)) {
                return Ok(Some(format!("`{}` still refers to it", visible(path))));
            }
        }
        Ok(None)
    }

    fn hold_back_step(&mut self, index: usize, reason: &str) -> anyhow::Result<()> {
        let step = &mut self.steps[index];
        let path = step.entity.terraform_path();
        (step.terraform, step.json) = (Action::Keep, Action::Keep);
        let (name, kind) = (step.entity.name().to_owned(), step.entity.kind());
        let key = step.entity.key().to_owned();
        let text = self.module.text(&path)?;
        self.kept.extend(text.map(|text| (path.clone(), text)));
        let kinds = self.summary.kinds.iter_mut();
        for summary in kinds.filter(|summary| summary.kind == kind.plural) {
            summary.written.retain(|written| *written != name);
            summary.removed.retain(|removed| *removed != name);
            summary.removed_keys.retain(|removed| *removed != key);
            summary.conflicting.push(path.clone());
        }
        self.summary.held_back.push((kind.plural, key));
        self.summary.notes.push(format!("`{path}` stays as it is: {reason}"));
        Ok(())
    }

    /// Removals first: on a disk that ignores case, a new file may take a removed one's name.
    fn write_terraform(&self, kind: &'static Kind) -> anyhow::Result<()> {
        let directory = self.directory;
        let steps = || self.steps.iter().filter(|step| std::ptr::eq(step.entity.kind(), kind));
        for step in steps().filter(|step| matches!(step.terraform, Action::Remove)) {
            directory.remove(&step.entity.terraform_path())?;
        }
        for step in steps() {
            let entity = step.entity.as_ref();
            match &step.terraform {
                Action::Write => {
                    let path = entity.terraform_path();
                    let old = self.module.text(&path)?.unwrap_or_default();
                    let mut text = self.render(entity, &old);
                    if step.is_forced {
                        let ours = declarations(&text).unwrap_or_default();
                        let lost = self.module.forget(&old, &ours).unwrap_or_default();
                        text = [text, lost]
                            .into_iter()
                            .filter(|part| !part.is_empty())
                            .collect::<Vec<_>>()
                            .join("\n");
                    }
                    directory.write(&path, text.as_bytes())?;
                }
                Action::Forget => {
                    let path = entity.terraform_path();
                    let old = self.module.text(&path)?.unwrap_or_default();
                    match self.module.forget(&old, &Declarations::default()) {
                        Some(text) => directory.write(&path, text.as_bytes())?,
                        None => directory.remove(&path)?,
                    }
                }
                Action::Keep | Action::Remove | Action::Edit(_) => {}
            }
        }
        Ok(())
    }

    fn fail(&mut self, failure: Failure) {
        if !self.summary.failures.contains(&failure) {
            self.summary.failures.push(failure);
        }
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
    let paths = named.iter().flat_map(|key| kind.base_paths(key));
    for path in paths.chain(reading.entities.iter().map(|entity| entity.json_path())) {
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
