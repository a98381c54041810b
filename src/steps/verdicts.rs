//! Decides on every entity: the verdict, and what is to be done with its files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Action, Candidate, Step, Steps, Survey};
use crate::desired::{Found, folded};
use crate::in_place::{Edit, Edits, merged};
use crate::invisible::visible;
use crate::known;
use crate::known::KnownResource;
use crate::module::is_tombstone;
use crate::reconcile::{Comparison, Identity, State, Verdict, reconcile};
use crate::resource::parts::managed_elsewhere;
use crate::resource::{Entity, JsonOnly, Kind, resource_type};
use crate::summary::{Conflict, FileChange, KindSummary, Skipped, Standing};
use crate::terraform::align::apply_keeping_alignment;
use crate::terraform::edit::append_blocks;
use crate::terraform::format;
use crate::terraform::read::{declarations, means_the_same};

impl<'a> Steps<'a> {
    /// Decides on every entity of one kind.
    pub(super) fn decide(&mut self, survey: Survey) -> anyhow::Result<()> {
        let Survey { kind, reading, mut summary, candidates } = survey;
        for candidate in referred_to_first(kind, candidates) {
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
    pub(super) fn leave(
        &mut self,
        candidate: Candidate,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
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
    pub(super) fn may_be_unreadable(&self, candidate: &Candidate) -> bool {
        candidate.desired.is_none()
            && !self.is_overwriting()
            && self.module.unreadable(candidate.entity(), candidate.base.is_some()).is_some()
    }

    /// An entity that AWS has.
    pub(super) fn decide_actual(
        &mut self,
        candidate: Candidate,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
        let json_only = self.json_only(candidate.entity());
        let is_theirs = match json_only {
            Some(JsonOnly::Inexpressible(_) | JsonOnly::ManagedElsewhere(_)) => {
                candidate.desired.is_none()
                    && self.find(&candidate).is_some_and(|found| !found.places.is_empty())
            }
            _ => false,
        };
        let mut is_found = false;
        if json_only.is_none()
            && let Some(found) = self.find(&candidate)
        {
            is_found = true;
            let own = candidate.entity().terraform_path();
            let is_elsewhere = |index: &usize| self.desired.at(*index).file != own;
            if !self.options.overwrite
                || found.places.values().any(is_elsewhere)
                || self.desired.declares_others(&own, &found)
            {
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
        let has_others =
            || !is_found && self.desired.declares_others(&terraform_path, &Found::default());
        if is_somebodys && json_only.is_none() && (!self.options.overwrite || has_others()) {
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
        if is_theirs && verdict == Verdict::Converged {
            // Their file says what the raw JSON says, and there is nothing to bring it to.
            verdict = Verdict::Conflicting;
            reason = json_only.as_ref().map(ToString::to_string);
        }
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
            if verdict == Verdict::Unchanged || self.options.proposed {
                summary.stands(entity.as_ref(), Standing::Skipped, Some(reason.clone()));
            }
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
    pub(super) fn decide_undeclared(
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
        let verdict = match (self.is_overwriting() || base.is_none(), is_base) {
            (true, _) => Verdict::Drifted,
            (false, true) => Verdict::Pending,
            (false, false) => Verdict::Conflicting,
        };
        let is_forced = verdict == Verdict::Drifted;
        let (terraform, json) = match is_forced {
            true => {
                let json = if is_base { Action::Keep } else { Action::Write };
                (self.appended(entity.as_ref()), json)
            }
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

    /// Adds an entity to what its file holds of others.
    fn appended(&self, entity: &dyn Entity) -> Action {
        let path = entity.terraform_path();
        let Some(text) = self.desired.text(&path) else { return Action::Write };
        let body = entity.terraform(&self.context);
        let addresses = body.declarations().map(|(address, _)| address.to_string()).collect();
        let blocks = match self.options.coverage.imports {
            true => format::file(&body),
            false => format::file(&body.without_imports()),
        };
        let splices = vec![append_blocks(&text, &blocks)];
        Action::Edit(Edits {
            splices: BTreeMap::from([(path, splices)]),
            new: addresses,
            ..Edits::default()
        })
    }

    /// What people's files say of an entity; none: nothing, or it is not for Terraform.
    pub(super) fn find(&mut self, candidate: &Candidate) -> Option<Found> {
        let is_somebodys = candidate.desired.is_some() && !candidate.is_rendering;
        let is_hidden = candidate.desired.is_none()
            && self.desired.covering(candidate.entity().kind()).is_some();
        if self.desired.is_empty() || !(candidate.is_followed || is_somebodys || is_hidden) {
            return None;
        }
        let resources = self.resources_of(candidate);
        let entity = candidate.entity();
        let entities = candidate.actual.iter().chain(&candidate.base);
        let left_out: Vec<_> = entities.flat_map(|entity| entity.left_out(&self.context)).collect();
        let left_out = left_out.iter().map(|address| address.resource_type.to_string()).collect();
        let is_others = |resource_type: &str, named_by: &[String]| {
            let named_by = folded(resource_type, named_by);
            self.actual_names.contains(&(resource_type.to_owned(), named_by))
        };
        let own = entity.terraform_path();
        let untouched = candidate.is_rendering.then_some(own.as_str());
        let found = self.desired.find(entity, &resources, &left_out, untouched, &is_others)?;
        self.claimed.extend(found.places.values());
        Some(found)
    }

    /// An entity that people's files say something of.
    pub(super) fn decide_in_place(
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
        let is_hidden = is_hidden(&found);
        let covering = self.desired.covering(entity.kind()).filter(|_| is_hidden);
        let mut reason = covering.map(hidden);
        if is_hidden && base.is_none() {
            match self.options.is_adopting {
                true => self.summary.notes.extend(reason.as_ref().map(|why| {
                    format!("{} `{}`: {why}", entity.kind().name, visible(entity.name()))
                })),
                false => verdict = Verdict::Conflicting,
            }
        }
        let left_out = |of: &dyn Entity| -> BTreeSet<String> {
            of.left_out(&self.context).iter().map(ToString::to_string).collect()
        };
        if found.has_left_out
            && base
                .as_ref()
                .is_some_and(|base| left_out(base.as_ref()) != left_out(entity.as_ref()))
            && matches!(verdict, Verdict::Unchanged | Verdict::Converged | Verdict::Drifted)
        {
            verdict = Verdict::Conflicting;
            let why = "its files declare what these settings leave out, such as attachments";
            reason = Some(why.to_owned());
        }
        if let Some((one, other)) = &found.doubled {
            let why = format!("`{one}` and `{other}` are the same object");
            self.summary.notes.push(format!("{why}: take one of them out"));
            if verdict == Verdict::Drifted {
                verdict = Verdict::Conflicting;
                reason = Some(why);
            }
        }
        let is_edited = matches!(verdict, Verdict::Pending | Verdict::Conflicting);
        let is_forced = is_edited && self.is_overwriting();
        let mut terraform = Action::Keep;
        if verdict == Verdict::Drifted || is_forced {
            verdict = Verdict::Drifted;
            let is_anothers = self.is_anothers();
            let to = Some(entity.as_ref());
            match self.edit(&found, base_state.as_ref(), to, is_forced, &is_anothers).edits() {
                _ if is_hidden => terraform = Action::Write,
                Ok(edits) => terraform = Action::Edit(edits),
                Err(obstacle) => {
                    verdict = Verdict::Conflicting;
                    reason = Some(obstacle.to_string());
                }
            }
        }
        if is_adopted && !is_hidden {
            let is_anothers = self.is_anothers();
            let additions = self.edit(&found, None, Some(entity.as_ref()), false, &is_anothers);
            terraform = Action::Edit(additions.additions());
        }
        if verdict == Verdict::Conflicting
            && let Some(list) = found.list.as_ref().filter(|_| reason.is_none())
        {
            let base = base_state.as_ref();
            let is_there =
                |state: &State, identity: &Identity| state.resources.contains_key(identity);
            let is_moved = |identity: &Identity| {
                found.state.listed.contains(&identity.0)
                    && base.is_some_and(|base| is_there(base, identity))
                        != is_there(&actual_state, identity)
            };
            let all = base.into_iter().chain([&actual_state]).flat_map(|it| it.resources.keys());
            if all.into_iter().any(is_moved) {
                reason = Some(format!("`{list}` lists what AWS added or took away"));
            }
        }
        if verdict == Verdict::Conflicting && (self.options.proposed || reason.is_none()) {
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
            if matches!(verdict, Verdict::Unchanged | Verdict::Pending) {
                summary.written.push(entity.name().to_owned());
            }
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

    /// Of a file of ours that nobody edited, takes out what a person's file declares, too.
    pub(super) fn hand_over(
        &self,
        found: &Found,
        entity: &dyn Entity,
        old: Option<&str>,
        edits: &mut Edits,
    ) {
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
        let old = old.map(|old| declarations(old).unwrap_or_default()).unwrap_or_default();
        let leaving = old.resources.iter().map(|(address, _)| address).filter(|address| {
            !declared.resources.iter().any(|(kept, _)| kept == *address)
                && !self.module.declares(address)
        });
        edits.leaving.extend(leaving.map(ToString::to_string));
        edits.splices.remove(&own);
        edits.anew = Some((own, parts.join("\n")));
    }

    pub(super) fn is_anothers(&self) -> impl Fn(&Identity) -> bool + use<'_, 'a> {
        |identity| self.actual_resources.contains(identity)
    }

    pub(super) fn edit<'b>(
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
    pub(super) fn path_of(&self, found: &Found, entity: &dyn Entity) -> String {
        match self.main(found) {
            Some(index) => self.desired.at(index).file.clone(),
            None => entity.terraform_path(),
        }
    }

    pub(super) fn main(&self, found: &Found) -> Option<usize> {
        let is_main =
            |of_type: &str| resource_type(of_type).is_some_and(|(_, of)| of.owner.is_none());
        found.places.iter().find(|((of, _), _)| is_main(of)).map(|(_, index)| *index)
    }

    pub(super) fn main_address(&self, found: &Found) -> Option<String> {
        self.main(found).map(|index| self.desired.at(index).full_address.clone())
    }

    /// What people changed: each file as it would be if it said what the raw JSON says, and as it
    /// is.
    pub(super) fn changes_in_git(
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
    pub(super) fn conflict(
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
    pub(super) fn rendered(&self, entity: &dyn Entity) -> String {
        match entity.json_only() {
            None => format::file(&entity.terraform(&self.context)),
            Some(_) => String::new(),
        }
    }

    /// Counts an entity under its verdict.
    pub(super) fn count(
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

    /// An entity that has files and was not read: it is gone, or nothing is known.
    pub(super) fn decide_missing(
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
                Ok(edits) if self.is_overwriting() || !(is_forced || is_hidden(found)) => {
                    terraform = Action::Edit(edits);
                }
                blocked => {
                    let covering = self.desired.covering(base.kind()).filter(|_| is_hidden(found));
                    let reason = match blocked {
                        Err(obstacle) => Some(obstacle.to_string()),
                        Ok(_) => covering.map(hidden),
                    };
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
        self.context.references.remove(&(base.kind().plural, base.key().to_owned()));
        summary.removed.push(base.name().to_owned());
        summary.removed_keys.push(base.key().to_owned());
        summary.stands(base.as_ref(), Standing::Gone, Some(terraform_path));
        let json = Action::Remove;
        self.steps.push(Step { entity: base, is_actual: false, terraform, json, is_forced: false });
        Ok(())
    }
}

/// The same, but what others of the kind refer to stands before them: what they are to say is known
/// once it is decided on.
fn referred_to_first(kind: &Kind, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mentioned = |candidate: &Candidate| -> Vec<String> {
        let mentions = candidate.entity().mentions().into_iter();
        let own = mentions.filter(|(of, _)| std::ptr::eq(*of, kind));
        own.map(|(_, key)| key.to_owned()).collect()
    };
    let mentions: HashMap<String, Vec<String>> = candidates
        .iter()
        .map(|candidate| (candidate.entity().key().to_owned(), mentioned(candidate)))
        .collect();
    if mentions.values().all(Vec::is_empty) {
        return candidates;
    }
    let mut depths: HashMap<&str, usize> = HashMap::new();
    // No chain is longer than this, and one that bites its own tail ends here.
    for _ in 0..mentions.len() {
        let mut is_settled = true;
        for (key, mentioned) in &mentions {
            let below = mentioned.iter().filter(|key| mentions.contains_key(*key));
            let depth = below.map(|key| 1 + depths.get(key.as_str()).copied().unwrap_or(0)).max();
            let depth = depth.unwrap_or(0);
            is_settled &= depths.insert(key, depth) == Some(depth);
        }
        if is_settled {
            break;
        }
    }
    candidates.sort_by_key(|candidate| depths.get(candidate.entity().key()).copied());
    candidates
}

/// Whether files may declare an entity, and it cannot be told where.
fn is_hidden(found: &Found) -> bool {
    found.places.is_empty() && found.moved.is_empty()
}

fn hidden(address: &str) -> String {
    format!("`{address}` may declare it: which objects it declares cannot be told")
}
