//! Looks at every entity before anything is decided: which file is its own, whether somebody edited
//! it, and what people's files say.

use std::collections::{BTreeSet, HashSet};

use super::{Candidate, LONGEST_PATH, Steps, Survey, base_files, is_gone, parse_base, settle};
use crate::aws::Account;
use crate::desired::{Entities, folded};
use crate::inventory::{base_of, spellings};
use crate::invisible::visible;
use crate::known;
use crate::module::is_tombstone;
use crate::resource::{Entity, Inventory, JsonOnly, Kind, Reading};
use crate::summary::{Failure, KindSummary, Skipped};
use crate::terraform::Expression;
use crate::terraform::evaluate::{Facts, TextFile};

impl<'a> Steps<'a> {
    /// Notes what entities mention that were not read: their files are as they were.
    pub(super) fn refer_to_unread(&mut self, inventory: &Inventory) -> anyhow::Result<()> {
        // Of a full export nothing is missing that was asked for, and reading all files again is dear.
        if inventory.readings.iter().all(|(_, reading)| reading.named.is_none()) {
            return Ok(());
        }
        let mut seen = HashSet::new();
        for (kind, reading) in &inventory.readings {
            let mut bases = Vec::new();
            for path in base_files(self.directory, kind, reading)? {
                bases.extend(parse_base(self.directory, kind, &path)?.0);
            }
            let entities = reading.entities.iter().chain(&bases);
            for (mentioned, key) in entities.flat_map(|entity| entity.mentions()) {
                let is_read =
                    |read: &Reading| read.named.as_ref().is_none_or(|keys| keys.contains(key));
                if inventory.reading(mentioned).is_some_and(is_read)
                    || !seen.insert((mentioned.plural, key.to_owned()))
                {
                    continue;
                }
                let Some(unread) = base_of(self.directory, mentioned, key)? else { continue };
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

    pub(super) fn refer_formerly(&mut self, entity: &dyn Entity) {
        if let Some(Expression::Reference(reference)) = entity.reference() {
            let key = (entity.kind().plural, entity.key().to_owned());
            self.former_context.references.insert(key, reference);
        }
    }

    /// Looks at every entity of one kind, read or in the folder.
    pub(super) fn survey(
        &mut self,
        kind: &'static Kind,
        mut reading: Reading,
    ) -> anyhow::Result<Survey> {
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
        for note in &reading.notes {
            if !self.summary.notes.contains(note) {
                self.summary.notes.push(note.clone());
            }
        }
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
        if let Some(refused) = reading.refused.clone() {
            self.refusals.push((refused, (!base_files.is_empty()).then_some(kind.plural)));
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
    pub(super) fn is_wanted(&self, entity: &dyn Entity) -> bool {
        self.options
            .only
            .is_none_or(|only| only.contains(&(entity.kind().plural, entity.key().to_owned())))
    }

    /// An entity that AWS has; none: its raw JSON is of no use, so it stays as it is.
    pub(super) fn survey_actual(
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

    pub(super) fn note_existing(&mut self, base: Option<&dyn Entity>) {
        let Some(base) = base.filter(|_| self.options.proposed) else { return };
        let body = base.terraform(&self.context);
        let existing = body.declarations().filter_map(|(address, id)| {
            let id = id?.to_owned();
            Some((address.to_string(), id))
        });
        self.existing.extend(existing);
    }

    /// An entity that has files and was not read.
    pub(super) fn survey_missing(
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
    pub(super) fn follow(
        &mut self,
        surveys: &mut [Survey],
        account: Option<&Account>,
    ) -> anyhow::Result<()> {
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
        if !self.desired.has_blocks() {
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
            candidate.is_followed = self.desired.concerns(&resources, candidate.entity());
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
                        let named_by = folded(&resource_type, &known.named_by);
                        self.actual_names.insert((resource_type, named_by));
                    }
                    self.actual_resources.insert(known.identity);
                }
            }
        }
        Ok(())
    }

    /// Finds out what the files' resources are.
    pub(super) fn index(
        &mut self,
        surveys: &[Survey],
        account: Option<&Account>,
    ) -> anyhow::Result<()> {
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
    pub(super) fn read_back(&mut self, path: &str) -> anyhow::Result<Option<String>> {
        let Some(text) = self.module.raw(path)? else {
            let is_there = self.module.text(path)?.is_some();
            return Ok(is_there.then(|| "is not UTF-8".to_owned()));
        };
        Ok(self
            .desired
            .add(path, text)
            .err()
            .map(|error| format!("line {} column {}: {}", error.line, error.column, error.message)))
    }
}
