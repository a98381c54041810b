//! What an export does, entity by entity: the verdict, and the files to write.
//!
//! Terraform files are written before raw JSON. The JSON is the base that the next run compares
//! with, so an export that is interrupted leaves a folder in which AWS still differs from the base
//! and the next run goes on, rather than one in which a stale `.tf` looks like a person's edit. For
//! the same reason what refers is written before what it refers to: a role that has its new
//! reference is as AWS has it, one with its old reference is as the policy's old file has it.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::aws::Account;
use crate::directory::Files;
use crate::inventory::base_of;
use crate::invisible::visible;
use crate::module::{Module, body, is_tombstone, with_imports_of};
use crate::reconcile::{Comparison, Verdict};
use crate::resource::parts::managed_elsewhere;
use crate::resource::{Context, Entity, Inventory, JsonOnly, KINDS, Kind, Reading};
use crate::settings::Coverage;
use crate::summary::{Failure, KindSummary, Skipped, Summary};
use crate::terraform::read::{
    Declarations, declarations, has_the_same_lines, means_the_same, refers,
};
use crate::terraform::{Address, Expression, format};

/// Bytes of the longest path that is written; AWS's longest names take about 150.
const LONGEST_PATH: usize = 220;

/// How a run writes.
pub struct Options<'a> {
    pub coverage: &'a Coverage,
    /// Whether a person's edits are written over.
    pub overwrite: bool,
    pub dry_run: bool,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Keep,
    Write,
    Remove,
    /// Tell Terraform to forget what the file declared, without destroying it.
    Forget,
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
            own.extend(files_of_the_gone(directory, kind, reading)?);
        }
        let is_whole = |kind: &&&Kind| inventory.reading(kind).is_some_and(|r| r.named.is_none());
        let partly_read: Vec<&Kind> =
            KINDS.iter().filter(|kind| !is_whole(kind)).copied().collect();
        let mut module = Module::open(directory, &own, &inventory.strays, &partly_read)?;
        let notes = module.read_foreign(&own)?;
        let mut steps = Steps {
            directory,
            options,
            base_context: context.clone(),
            former_context: context.clone(),
            context,
            module,
            steps: Vec::new(),
            kept: Vec::new(),
            readings: Vec::new(),
            strays: BTreeSet::new(),
            summary: Summary { notes, ..Summary::default() },
        };
        steps.refer_to_unread(&inventory)?;
        steps.strays = inventory.strays;
        for (kind, reading) in inventory.readings {
            steps.add_kind(kind, reading)?;
        }
        Ok(steps)
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
                self.refer(unread.as_ref(), Action::Keep, desired.as_deref(), None);
                self.refer_formerly(unread.as_ref());
            }
        }
        Ok(())
    }

    fn refer_formerly(&mut self, entity: &dyn Entity) {
        if let Some(Expression::Reference(reference)) = entity.reference() {
            self.former_context.references.insert(entity.arn().to_owned(), reference);
        }
    }

    /// Decides on every entity of one kind, read or in the folder.
    fn add_kind(&mut self, kind: &'static Kind, mut reading: Reading) -> anyhow::Result<()> {
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
            if self.options.coverage.ignores(entity.as_ref()) {
                self.ignore(entity.as_ref(), &mut summary)?;
                self.keep(entity);
                continue;
            }
            self.add_actual(entity, has_base, &mut summary)?;
        }
        for path in base_files {
            let (Some(base), _) = parse_base(self.directory, kind, &path)? else { continue };
            if self.options.coverage.ignores(base.as_ref()) {
                self.ignore(base.as_ref(), &mut summary)?;
                continue;
            }
            let is_gone = reading.is_gone(base.as_ref());
            let is_left_out = base.json_only() == Some(JsonOnly::AwsManaged)
                && !self.options.coverage.aws_managed;
            let is_gone = is_gone && !is_left_out;
            self.add_missing(base, is_gone, &mut summary)?;
        }
        self.summary.kinds.push(summary);
        self.readings.push((kind, reading));
        Ok(())
    }

    /// An entity that AWS has.
    fn add_actual(
        &mut self,
        mut entity: Box<dyn Entity>,
        has_base: bool,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
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
            let desired = self.module.text(&entity.terraform_path())?;
            self.refer(entity.as_ref(), Action::Keep, desired.as_deref(), None);
            self.keep(entity);
            return Ok(());
        }
        let base = base.map(|mut base| {
            settle(entity.as_mut(), base.as_mut());
            entity.keep_known(base.as_ref());
            base
        });
        let terraform_path = entity.terraform_path();
        let desired = self.module.text(&terraform_path)?;
        let is_tombstone = desired.as_deref().is_some_and(is_tombstone);
        let json_only = self.json_only(entity.as_ref());
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
            (Some(desired), Some(base)) => self.is_rendering_of(base.as_ref(), desired),
        };
        let comparison = Comparison { actual_is_base, desired_is_base, desired_is_actual };
        let mut verdict = comparison.verdict();
        let is_edited = matches!(verdict, Verdict::Pending | Verdict::Conflicting);
        let is_forced = is_edited && self.options.overwrite;
        if is_forced {
            verdict = Verdict::Drifted;
        } else if is_edited {
            self.kept.extend(desired.clone().map(|text| (terraform_path.clone(), text)));
        }
        let name = entity.name().to_owned();
        let (terraform, json) = match verdict {
            Verdict::Unchanged => {
                summary.unchanged += 1;
                (Action::Keep, Action::Keep)
            }
            Verdict::Pending => {
                summary.pending.push(terraform_path.clone());
                (Action::Keep, Action::Keep)
            }
            Verdict::Conflicting => {
                summary.conflicting.push(terraform_path.clone());
                (Action::Keep, Action::Keep)
            }
            Verdict::Converged => {
                summary.written.push(name.clone());
                (Action::Keep, Action::Write)
            }
            Verdict::Drifted => {
                summary.written.push(name.clone());
                let terraform = match (&json_only, &desired) {
                    (None, _) => Action::Write,
                    (Some(_), Some(_)) => Action::Forget,
                    (Some(_), None) => Action::Keep,
                };
                (terraform, if actual_is_base { Action::Keep } else { Action::Write })
            }
        };
        if let Some(reason) = &json_only {
            summary.skipped.push(Skipped { name, reason: reason.to_string(), json: true });
        }
        self.refer(entity.as_ref(), terraform, desired.as_deref(), wanted.as_deref());
        if let Some(base) = base.filter(|_| json_only.is_none()) {
            self.refer_formerly(entity.as_ref());
            // Made anew under another path, it is the same resource with another ARN.
            if base.arn() != entity.arn() && desired.is_some() {
                self.refer_formerly(base.as_ref());
            }
        }
        self.steps.push(Step { entity, is_actual: true, terraform, json, is_forced });
        Ok(())
    }

    /// An entity that is not to be written; files that it has stay as they are.
    fn ignore(&mut self, entity: &dyn Entity, summary: &mut KindSummary) -> anyhow::Result<()> {
        summary.ignored += 1;
        let path = entity.terraform_path();
        let desired = self.module.text(&path)?;
        self.refer(entity, Action::Keep, desired.as_deref(), None);
        self.kept.extend(desired.map(|text| (path, text)));
        Ok(())
    }

    /// An entity of AWS whose files stay as they are.
    fn keep(&mut self, entity: Box<dyn Entity>) {
        let (terraform, json) = (Action::Keep, Action::Keep);
        self.steps.push(Step { entity, is_actual: true, terraform, json, is_forced: false });
    }

    /// An entity that has files and was not read: it is gone, or nothing is known.
    fn add_missing(
        &mut self,
        base: Box<dyn Entity>,
        is_gone: bool,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
        let terraform_path = base.terraform_path();
        let desired = self.module.text(&terraform_path)?;
        let is_ours = desired.as_ref().is_none_or(|desired| {
            is_tombstone(desired) || self.is_rendering_of(base.as_ref(), desired)
        });
        self.refer(base.as_ref(), Action::Keep, desired.as_deref(), None);
        if !is_gone {
            summary.unknown += 1;
            self.kept.extend(desired.map(|text| (terraform_path, text)));
            return Ok(());
        }
        if !is_ours && !self.options.overwrite {
            summary.conflicting.push(terraform_path.clone());
            self.kept.extend(desired.map(|text| (terraform_path, text)));
            return Ok(());
        }
        self.context.references.remove(base.arn());
        summary.removed.push(base.name().to_owned());
        summary.removed_keys.push(base.key().to_owned());
        let terraform = if desired.is_some() { Action::Remove } else { Action::Keep };
        let json = Action::Remove;
        self.steps.push(Step { entity: base, is_actual: false, terraform, json, is_forced: false });
        Ok(())
    }

    /// The Terraform of an entity, as it is to be in place of `old`.
    fn render(&self, entity: &dyn Entity, old: &str) -> String {
        let body = body(entity, &self.context, old);
        if !self.options.coverage.imports {
            return format::file(&body.without_imports());
        }
        let text = format::file(&body);
        if old.is_empty() || text == old || self.options.overwrite {
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

    /// Notes what other entities may refer to, before and after this export.
    fn refer(
        &mut self,
        entity: &dyn Entity,
        terraform: Action,
        desired: Option<&str>,
        wanted: Option<&str>,
    ) {
        let Some(Expression::Reference(reference)) = entity.reference() else { return };
        let declares = |text: &str| {
            wanted == Some(text)
                || declarations(text).is_ok_and(|found| {
                    found
                        .resources
                        .iter()
                        .any(|(address, _)| reference.starts_with(&format!("{address}.")))
                })
        };
        let is_declared = desired.is_some_and(declares);
        let is_elsewhere = self.module.has_under_our_address(entity, &self.context);
        if is_declared || is_elsewhere {
            self.base_context.references.insert(entity.arn().to_owned(), reference.clone());
        }
        let stays = terraform == Action::Keep && is_declared;
        if terraform == Action::Write || stays || is_elsewhere {
            self.context.references.insert(entity.arn().to_owned(), reference);
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
        if !self.steps.is_empty() {
            for (path, content) in self.module.missing_files(account) {
                directory.write(&path, content.as_bytes())?;
                self.summary.module_files_written.push(path);
            }
        }
        for kind in KINDS.iter().rev() {
            self.write_terraform(kind)?;
        }
        for step in self.steps.iter().filter(|step| step.json == Action::Remove) {
            directory.remove(&step.entity.json_path())?;
        }
        for step in self.steps.iter().filter(|step| step.json == Action::Write) {
            directory.write(&step.entity.json_path(), &step.entity.json())?;
        }
        Ok(())
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
        if step.terraform == Action::Keep || (self.kept.is_empty() && !self.module.has_foreign()) {
            return Ok(None);
        }
        let path = step.entity.terraform_path();
        let new: BTreeSet<Address> = match step.terraform {
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
        if leaving.is_empty() {
            return Ok(None);
        }
        let kept = self.kept.iter().find(|(_, text)| refers(text, &leaving));
        let referring = match kept {
            Some((other, _)) => Some(other.clone()),
            None => self.module.refers(&leaving)?,
        };
        Ok(referring.map(|other| format!("`{}` still refers to it", visible(&other))))
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
        for step in steps().filter(|step| step.terraform == Action::Remove) {
            directory.remove(&step.entity.terraform_path())?;
        }
        for step in steps() {
            let entity = step.entity.as_ref();
            match step.terraform {
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
                Action::Keep | Action::Remove => {}
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
) -> anyhow::Result<Vec<String>> {
    let known: HashSet<String> = reading.entities.iter().map(|entity| entity.json_path()).collect();
    let mut found = Vec::new();
    for path in base_files(directory, kind, reading)? {
        if !known.contains(&path)
            && let (Some(base), _) = parse_base(directory, kind, &path)?
            && reading.is_gone(base.as_ref())
        {
            found.push(base.terraform_path());
        }
    }
    Ok(found)
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
