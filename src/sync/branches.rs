//! Branches beside the default one: AWS's version of what is in conflict, and, where the default
//! branch takes no pushes, everything that is exported.
//!
//! Such a branch is never forced. It moves forward by commits that stand on its head and on the
//! default branch's, and hold the default branch's files with AWS's version of some. On GitHub it has
//! a pull request; elsewhere the summary names the branch.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::block_in_place;
use tracing::{info, warn};

use super::{Next, Run, Seen, signed};
use crate::commit_message::CommitMessage;
use crate::conflict::{self, Exports};
use crate::event::{Record, touched};
use crate::export;
use crate::github::{GitHubError, is_passing};
use crate::repository::{Expected, GitError, History, Oid, Reason, Tree};
use crate::resource::{Inventory, KINDS, Kind, Reading};
use crate::steps::Options;
use crate::summary::{Conflict, Failure, FileChange, Place, Standing};

/// How many commits are looked at for who changed a file.
const COMMITS_LOOKED_AT: usize = 50;

impl Run<'_> {
    /// Brings the branches of conflicts to AWS's version, and takes away those of conflicts that
    /// are none any more. `head` is the default branch's.
    ///
    /// # Errors
    ///
    /// The repository cannot be read, or somebody else pushed to such a branch. What a server
    /// refuses is a failure in the summary.
    pub(super) fn settle(&mut self, head: Option<Oid>, seen: &mut Seen) -> anyhow::Result<()> {
        let Some(head) = head else { return Ok(()) };
        let prefix = seen.coverage.prefix().to_owned();
        let start = conflict::branch_start(&prefix);
        let there: BTreeMap<String, Oid> =
            self.repository.heads(&start).map(|(branch, head)| (branch.to_owned(), head)).collect();
        let conflicts = std::mem::take(&mut self.outcome.summary.conflicts);
        if conflicts.is_empty() && there.is_empty() {
            return Ok(());
        }
        for found in &conflicts {
            let branch = conflict::branch(&prefix, &found.terraform_path);
            let shown = self.show(found, &branch, head, seen);
            self.note_failure(shown, found)?;
        }
        let is_over = |standing: Standing| {
            !matches!(standing, Standing::Conflicting | Standing::Unknown | Standing::Unreadable)
        };
        let mut over = Vec::new();
        for kind in &self.outcome.summary.kinds {
            for entity in kind.standings.iter().filter(|entity| is_over(entity.standing)) {
                let branch = conflict::branch(&prefix, &entity.terraform_path);
                if let Some(at) = there.get(&branch) {
                    over.push((branch, *at, kind.one, entity.name.clone()));
                }
            }
        }
        // Of what neither side has any more nobody speaks, where everything was read.
        let is_elsewhere = |kind: &Kind| {
            let one = self.task.one_of_several;
            kind.is_of_organization() && one.is_some_and(|one| !one.reads_organization)
        };
        let unread: Vec<String> = KINDS
            .iter()
            .filter(|kind| !is_elsewhere(kind) && seen.inventory.reading(kind).is_none())
            .map(|kind| format!("{start}{}.", kind.terraform_prefix))
            .collect();
        let is_whole = self.outcome.summary.failures.is_empty()
            && seen.inventory.readings.iter().all(|(kind, reading)| {
                reading.named.is_none() && reading.complete.contains(kind.folders[0])
            });
        let kinds = &self.outcome.summary.kinds;
        let spoken: BTreeSet<String> = kinds
            .iter()
            .flat_map(|kind| &kind.standings)
            .map(|entity| conflict::branch(&prefix, &entity.terraform_path))
            .collect();
        let is_unspoken = |branch: &String| {
            !spoken.contains(branch) && !unread.iter().any(|start| branch.starts_with(start))
        };
        for (branch, at) in there.iter().filter(|(branch, _)| is_whole && is_unspoken(branch)) {
            let name = branch.strip_prefix(&start).unwrap_or(branch);
            over.push((branch.clone(), *at, "entity", name.to_owned()));
        }
        for (branch, at, kind, name) in over {
            let removed = self.resolve(&branch, at, kind, &name);
            self.note(removed, &format!("cannot close the conflict of {kind} `{name}`"))?;
        }
        self.outcome.summary.conflicts = conflicts;
        Ok(())
    }

    /// Shows one conflict: AWS's version on its branch, and both sides in a pull request.
    fn show(
        &mut self,
        found: &Conflict,
        branch: &str,
        head: Oid,
        seen: &mut Seen,
    ) -> anyhow::Result<Place> {
        let default = self.settings.branch.clone();
        let prefix = seen.coverage.prefix().to_owned();
        let full = |path: &str| match prefix.as_str() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        };
        let there = block_in_place(|| self.repository.fetch_also(&[branch]))?[0];
        let tree = block_in_place(|| self.repository.tree(Some(head), &prefix))?;
        self.write_version(found, &tree, seen)?;
        let records: Vec<Record> = self
            .task
            .records
            .iter()
            .filter(|record| is_about(record, found.kind, &found.key))
            .cloned()
            .collect();

        let mut paths: Vec<String> = found.git.iter().map(|change| full(&change.path)).collect();
        paths.push(full(&found.terraform_path));
        paths.dedup();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let origin = full(&found.json_path);
        let history = block_in_place(|| {
            self.repository.log_of_paths(&default, head, &paths, &origin, COMMITS_LOOKED_AT)
        });
        let history = history.unwrap_or_else(|error| {
            warn!(error = format!("{error:#}"), "cannot tell who changed the file");
            History { is_cut: true, ..History::default() }
        });
        let (before, after) = joined(&found.git);
        let path = full(found.git.first().map_or(&found.terraform_path, |change| &change.path));
        let text = conflict::Conflict {
            kind: found.kind.name,
            name: &found.name,
            path: &path,
            default_branch: &default,
            git: (some(&before), some(&after)),
            aws: (some(&found.aws.before), some(&found.aws.after)),
            reason: found.reason.as_deref(),
            records: &records,
            earlier: "",
            history: &history,
        };
        let body = |earlier: &str| conflict::Conflict { earlier, ..text.clone() }.body();
        let pulls = self.pulls;
        let open = block_in_place(|| {
            pulls.map(|pulls| pulls.find_open(branch, &default)).transpose().map(Option::flatten)
        })?;
        let holds = match there {
            Some(there) => block_in_place(|| {
                let held = self.repository.tree(Some(there), &prefix)?;
                held.has_changes_of(&tree)
            })?,
            None => false,
        };
        let says = pulls.is_none()
            || open.is_some_and(|open| {
                let earlier = open.body.replace("\r\n", "\n");
                earlier.trim() == body(&earlier).trim()
            });
        if !(holds && says) {
            let (parents, expected) = match there {
                Some(there) => (vec![there, head], Expected::At(there)),
                None => (vec![head], Expected::Absent),
            };
            let commit = signed(CommitMessage::of_conflict(
                &records,
                &self.outcome.summary.kinds,
                found.kind.name,
                &found.name,
                self.named_account(),
            ));
            let commit = block_in_place(|| self.repository.commit_on(&tree, &commit, &parents))?;
            if let Some(commit) = commit {
                block_in_place(|| self.repository.push_to(commit, branch, expected))?;
                info!(commit = commit.to_string(), branch, "pushed");
            }
        }
        let url = match pulls {
            Some(pulls) => Some(block_in_place(|| {
                pulls.open_or_revise(branch, &default, &text.title(), there.is_some(), body)
            })?)
            .map(|pull| pull.url),
            None => None,
        };
        Ok(Place { path: found.terraform_path.clone(), branch: branch.to_owned(), url })
    }

    /// Writes AWS's version of one entity to a tree, and nothing else.
    fn write_version(&self, found: &Conflict, tree: &Tree, seen: &mut Seen) -> anyhow::Result<()> {
        let kind = found.kind;
        let keys = BTreeSet::from([found.key.clone()]);
        let reading = seen
            .inventory
            .readings
            .iter_mut()
            .find(|(of, _)| std::ptr::eq(*of, kind))
            .map(|(_, reading)| reading);
        let entity = reading.and_then(|reading| {
            let at = reading.entities.iter().position(|entity| entity.key() == found.key)?;
            Some(reading.entities.swap_remove(at))
        });
        let absent = if entity.is_none() { keys.clone() } else { BTreeSet::new() };
        let alone = Reading {
            entities: entity.into_iter().collect(),
            named: Some(keys),
            absent,
            ..Reading::default()
        };
        let inventory = Inventory {
            readings: vec![(kind, alone)],
            strays: found.git.iter().map(|change| change.path.clone()).collect(),
        };
        let only = BTreeSet::from([(kind.plural, found.key.clone())]);
        let options = Options { only: Some(&only), ..Options::new(&seen.coverage) };
        let account = self.source.account();
        let written = block_in_place(|| export::write(tree, &options, account, inventory));
        let (_, inventory) = written?;
        let entities = inventory.readings.into_iter().flat_map(|(_, reading)| reading.entities);
        let reading = seen.inventory.readings.iter_mut().find(|(of, _)| std::ptr::eq(*of, kind));
        if let Some((_, reading)) = reading {
            reading.entities.extend(entities);
        }
        Ok(())
    }

    /// Takes a conflict's branch away that is none any more.
    fn resolve(&self, branch: &str, at: Oid, kind: &str, name: &str) -> anyhow::Result<()> {
        let default = &self.settings.branch;
        block_in_place(|| {
            if let Some(pulls) = self.pulls
                && let Some(open) = pulls.find_open(branch, default)?
            {
                let text = conflict::resolved(kind, name, default);
                pulls.close_with_comment(open.number, &text)?;
                info!(pull_request = open.number, "closed");
            }
            self.repository.remove_branch(branch, at)?;
            info!(branch, "removed");
            Ok(())
        })
    }

    fn note_failure(
        &mut self,
        shown: anyhow::Result<Place>,
        found: &Conflict,
    ) -> anyhow::Result<()> {
        let what = format!("cannot show the conflict of {} `{}`", found.kind.name, found.name);
        if let Some(place) = self.note(shown, &what)? {
            self.outcome.summary.places.push(place);
        } else {
            self.outcome.unread.add(found.kind.plural, found.key.clone());
        }
        Ok(())
    }

    /// What is refused is told with the rest; what another push caused is tried again.
    fn note<T>(&mut self, done: anyhow::Result<T>, what: &str) -> anyhow::Result<Option<T>> {
        let error = match done {
            Ok(done) => return Ok(Some(done)),
            Err(error) => error,
        };
        let of_git = error.downcast_ref::<GitError>().map(|error| error.reason);
        if let Some(Reason::Rejected | Reason::Unavailable | Reason::Corrupt) = of_git {
            return Err(error);
        }
        let hint = error.downcast_ref::<GitHubError>().and_then(GitHubError::hint);
        self.outcome.summary.failures.push(Failure {
            error: format!("{what}: {error:#}"),
            hint: hint.map(str::to_owned),
            is_passing: is_passing(&error),
        });
        Ok(None)
    }

    /// Brings the branch of exports, and its pull request, to what differs from the default branch.
    pub(super) fn propose(
        &mut self,
        tree: &Tree,
        head: Oid,
        seen: &mut Seen,
    ) -> anyhow::Result<Next> {
        let default = self.settings.branch.clone();
        let branch = conflict::export_branch(seen.coverage.prefix());
        let there = seen.proposed;
        if !tree.is_changed() {
            if let Some(there) = there {
                self.withdraw(&branch, there)?;
                seen.proposed = None;
            }
            return Ok(Next::Done);
        }
        let (parents, expected) = match there {
            Some(there) => (vec![there, head], Expected::At(there)),
            None => (vec![head], Expected::Absent),
        };
        let commit = signed(self.message());
        let commit = block_in_place(|| self.repository.commit_on(tree, &commit, &parents))?;
        if let Some(commit) = commit {
            block_in_place(|| self.repository.push_to(commit, &branch, expected))?;
            info!(commit = commit.to_string(), branch, "pushed");
            self.outcome.commits.push(commit.to_string());
            seen.proposed = Some(commit);
        }
        let Some(proposed) = seen.proposed else { return Ok(Next::Done) };
        let kinds: Vec<(&str, Vec<String>)> = self
            .outcome
            .summary
            .kinds
            .iter()
            .map(|kind| (kind.one, kind.written.iter().chain(&kind.removed).cloned().collect()))
            .collect();
        let history = block_in_place(|| {
            self.repository.log_beyond(&branch, proposed, head, COMMITS_LOOKED_AT)
        });
        let history = history.unwrap_or_default();
        let exports = Exports { default_branch: &default, kinds: &kinds, history: &history };
        let url = match self.pulls {
            Some(pulls) => {
                let (title, body) = (exports.title(), exports.body());
                let opened =
                    block_in_place(|| pulls.open_or_update(&branch, &default, &title, &body));
                self.note(opened, "cannot open the pull request of exports")?.map(|pull| pull.url)
            }
            None => None,
        };
        self.outcome.summary.places.push(Place { path: String::new(), branch, url });
        match commit {
            Some(_) => Ok(self.next_after_push(seen)),
            None => Ok(Next::Done),
        }
    }

    /// Nothing differs any more: what was proposed is merged, or AWS has gone back.
    fn withdraw(&mut self, branch: &str, at: Oid) -> anyhow::Result<()> {
        let default = self.settings.branch.clone();
        let withdrawn = block_in_place(|| {
            if let Some(pulls) = self.pulls
                && let Some(open) = pulls.find_open(branch, &default)?
            {
                pulls.close_with_comment(open.number, &conflict::nothing_left(&default))?;
            }
            self.repository.remove_branch(branch, at)?;
            Ok(())
        });
        self.note(withdrawn, "cannot close the pull request of exports").map(drop)
    }
}

/// Whether a record touched an entity.
fn is_about(record: &Record, kind: &Kind, key: &str) -> bool {
    touched(record).meets(kind.plural, |touched| touched == key || kind.is_part(touched))
}

/// The changes of several files as one text before and one after.
fn joined(changes: &[FileChange]) -> (String, String) {
    let text = |of: fn(&FileChange) -> &String| {
        changes.iter().map(of).map(String::as_str).collect::<Vec<_>>().concat()
    };
    (text(|change| &change.before), text(|change| &change.after))
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
