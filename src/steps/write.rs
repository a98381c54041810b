//! Does what was decided: what would make the module invalid is held back, the rest is written.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Step, Steps};
use crate::aws::Account;
use crate::in_place::merged;
use crate::invisible::visible;
use crate::resource::{KINDS, Kind};
use crate::summary::Standing;
use crate::terraform::Address;
use crate::terraform::align::apply_keeping_alignment;
use crate::terraform::edit::{Splice, apply};
use crate::terraform::read::{Declarations, declarations, refers};
use crate::terraform::source::SourceFile;

impl<'a> Steps<'a> {
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
    pub(super) fn edited(&self, only: Option<&str>) -> anyhow::Result<BTreeMap<String, String>> {
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
    pub(super) fn hold_back(&mut self) -> anyhow::Result<()> {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for index in 0..self.steps.len() {
                let obstacle = match self.obstacle(&self.steps[index])? {
                    None => self.overlap(index),
                    found => found,
                };
                if let Some(reason) = obstacle {
                    self.hold_back_step(index, &reason)?;
                    is_settled = false;
                }
            }
        }
        Ok(())
    }

    /// Whether an entity's changes are to text that an earlier one changes, too.
    fn overlap(&self, index: usize) -> Option<String> {
        let Action::Edit(edits) = &self.steps[index].terraform else { return None };
        edits.splices.iter().find_map(|(path, own)| {
            let earlier = self.steps[..index].iter().filter_map(|step| match &step.terraform {
                Action::Edit(edits) => edits.splices.get(path),
                _ => None,
            });
            let splices: Vec<Splice> = earlier.flatten().chain(own).cloned().collect();
            let text = self.desired.text(path).unwrap_or_default();
            let is_free = apply(&text, &merged(splices)).is_ok();
            (!is_free).then(|| format!("others change the same text of `{}`", visible(path)))
        })
    }

    /// What stands against a step. A file that stays may declare what AWS has given to another
    /// entity by now, such as an instance profile, and Terraform refuses a second declaration. Or
    /// it may refer to what the step takes out of the module.
    pub(super) fn obstacle(&self, step: &Step) -> anyhow::Result<Option<String>> {
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
    pub(super) fn is_leaving(&self, address: &str) -> bool {
        self.steps.iter().any(|step| match &step.terraform {
            Action::Edit(edits) => edits.leaving.contains(address),
            _ => false,
        })
    }

    /// What still refers to resources that a step takes out of the module.
    pub(super) fn referring(
        &self,
        leaving: &BTreeSet<Address>,
        step: &Step,
    ) -> anyhow::Result<Option<String>> {
        if leaving.is_empty() {
            return Ok(None);
        }
        let own = step.entity.terraform_path();
        let is_other = |path: &str| path != own || matches!(step.terraform, Action::Edit(_));
        let mut referring = BTreeSet::new();
        let mut note = |path: &str, text: &str| {
            if is_other(path) && refers(text, leaving) {
                referring.insert(path.to_owned());
            }
        };
        self.kept.iter().for_each(|(path, text)| note(path, text));
        self.desired.files().for_each(|file| note(file.path(), file.text()));
        for file in self.desired.overrides() {
            note(file.path(), file.text());
            // To replace arguments of what is not there is an error.
            if file.resources().any(|found| leaving.contains(&found.address)) {
                return Ok(Some(format!("`{}` overrides it", visible(file.path()))));
            }
        }
        let unparsed = |path: &&String| self.desired.file(path).is_none();
        for path in self.module.foreign_files().filter(unparsed) {
            note(path, &self.module.text(path)?.unwrap_or_default());
        }
        if referring.is_empty() {
            return Ok(None);
        }
        // What is written anew as a whole no longer says what the old file said.
        for other in &self.steps {
            if matches!(other.terraform, Action::Write | Action::Remove | Action::Forget) {
                referring.remove(&other.entity.terraform_path());
            }
        }
        for path in &referring {
            let edited = self.edited(Some(path))?.remove(path);
            if edited.is_none_or(|text| refers(&text, leaving)) {
                return Ok(Some(format!("`{}` still refers to it", visible(path))));
            }
        }
        Ok(None)
    }

    pub(super) fn hold_back_step(&mut self, index: usize, reason: &str) -> anyhow::Result<()> {
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
            for entity in summary.standings.iter_mut().filter(|entity| entity.key == key) {
                entity.standing = Standing::Conflicting;
                entity.detail = Some(format!("{path}: {reason}"));
            }
        }
        self.summary.held_back.push((kind.plural, key));
        self.summary.notes.push(format!("`{path}` stays as it is: {reason}"));
        Ok(())
    }

    /// Removals first: on a disk that ignores case, a new file may take a removed one's name. Then what
    /// refers before what it refers to, which was decided on earlier.
    pub(super) fn write_terraform(&self, kind: &'static Kind) -> anyhow::Result<()> {
        let directory = self.directory;
        let steps = || self.steps.iter().filter(|step| std::ptr::eq(step.entity.kind(), kind));
        for step in steps().filter(|step| matches!(step.terraform, Action::Remove)) {
            directory.remove(&step.entity.terraform_path())?;
        }
        for step in steps().rev() {
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
                    // As the folder has line ends already.
                    if self.module.raw(&path)?.is_some_and(|old| old.contains("\r\n")) {
                        text = text.replace('\n', "\r\n");
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
}
