//! The pipeline of the function and of `sync`: fetch, read AWS, compare, commit, push.
//!
//! What is pushed was read from AWS after the head it is based on was fetched, and a push only
//! succeeds on that head. So of two runs at once the later reading wins, whatever the order of
//! their pushes: the other is rejected and reads again. Two gaps are left, and closed by time
//! ([`LEASE`]): a run whose reading is older than that when its push is done reads once more, and a
//! run that found nothing to do looks again after as long whether somebody pushed meanwhile.

mod branches;

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::block_in_place;
use tracing::{debug, info, warn};

use crate::aws::Source;
use crate::commit_message::{CommitMessage, committer};
use crate::conflict;
use crate::error::Refused;
use crate::event::{Record, touched};
use crate::export;
use crate::github::PullRequests;
use crate::inventory;
use crate::invisible::visible;
use crate::repository::{Commit, GitError, Oid, Reason, Repository, Tree};
use crate::resource::{Inventory, KINDS, Kind};
use crate::scope::Scope;
use crate::settings::file::{FILE_NAME, FileSettings};
use crate::settings::values::Mode;
use crate::settings::{Coverage, SyncSettings};
use crate::steps::{Options, parse_base};
use crate::summary::{KindSummary, Summary};

/// How long what was read from AWS counts as read just now.
pub const LEASE: Duration = Duration::from_secs(4);

/// How often a push is tried that others keep coming before.
const MOST_REJECTIONS: usize = 30;
/// How often a server is asked that gives no usable answer.
const MOST_OUTAGES: usize = 4;
/// What of a run's time is kept for the push at most.
const LONGEST_PUSH: Duration = Duration::from_secs(10);
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// What one run is to do.
#[derive(Clone, Debug, Default)]
pub struct Task {
    pub scope: Scope,
    /// The changes that caused the run; none: a schedule or a person did.
    pub records: Vec<Record>,
    pub deadline: Option<Instant>,
    /// Commit nothing, tell the differences.
    pub dry_run: bool,
    /// The source is one of several accounts.
    pub one_of_several: Option<OneOfSeveral>,
}

/// One of several accounts that the settings name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneOfSeveral {
    /// Whether what belongs to the organization is read there.
    pub reads_organization: bool,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    pub summary: Summary,
    /// The IDs of what was committed; hardly ever more than one.
    pub commits: Vec<String>,
    /// The differences that a dry run would have committed, as a patch.
    pub patch: String,
    /// What could not be read, or had to wait for it.
    pub unread: Scope,
    pub entities_read: usize,
    /// Pushes and fetches that had to be done again.
    pub retries: usize,
}

/// Brings a repository to the state of a scope of an account.
///
/// # Errors
///
/// The repository cannot be read or written, its settings are wrong, or it is another account's.
/// Calls to AWS that fail are in the outcome.
pub async fn sync(
    source: &Source,
    repository: &mut Repository,
    pulls: Option<&PullRequests>,
    settings: &SyncSettings,
    task: &Task,
) -> anyhow::Result<Outcome> {
    let (seen, outcome) = Default::default();
    let mut run = Run { source, repository, pulls, settings, task, seen, outcome };
    run.repository.set_deadline(task.deadline);
    if let Some(pulls) = pulls {
        pulls.set_deadline(task.deadline);
    }
    let (mut rejections, mut outages) = (0, 0);
    loop {
        let error = match run.attempt().await {
            Ok(Next::Done) => break,
            Ok(Next::Again) => continue,
            Err(error) => error,
        };
        let reason = error.downcast_ref::<GitError>().map(|error| error.reason);
        let failures = match reason {
            Some(Reason::Rejected) => {
                rejections += 1;
                (rejections < MOST_REJECTIONS).then_some(rejections)
            }
            Some(Reason::Unavailable | Reason::Corrupt) => {
                outages += 1;
                after_outages(outages)
            }
            _ => None,
        };
        let Some(pause) = failures.and_then(|failures| pause(failures, task.deadline)) else {
            return Err(error);
        };
        run.outcome.retries += 1;
        warn!(error = format!("{error:#}"), pause_ms = pause.as_millis() as u64, "trying again");
        tokio::time::sleep(pause).await;
    }
    Ok(run.outcome)
}

/// When to read no more, so that there is time to push what was read.
fn end_of_reading(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline - (left / 4).min(LONGEST_PUSH)
}

/// Which pause comes after so many answers of a server that were of no use; none: it is asked no more.
pub fn after_outages(outages: usize) -> Option<usize> {
    (outages < MOST_OUTAGES).then_some(outages + 2)
}

/// Growing, and different for two runs that met; none: the deadline comes before its end.
pub fn pause(failures: usize, deadline: Option<Instant>) -> Option<Duration> {
    let longest = (SHORTEST_PAUSE * (1 << failures.min(8))).min(LONGEST_PAUSE);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let pause = longest / 2 + longest / 2 * (clock.subsec_micros() % 1_000) / 1_000;
    deadline.is_none_or(|deadline| Instant::now() + pause < deadline).then_some(pause)
}

struct Run<'a> {
    source: &'a Source,
    repository: &'a mut Repository,
    pulls: Option<&'a PullRequests>,
    settings: &'a SyncSettings,
    task: &'a Task,
    seen: Option<Seen>,
    outcome: Outcome,
}

/// What earlier attempts know.
struct Seen {
    head: Option<Oid>,
    settings_text: Option<Vec<u8>>,
    coverage: Coverage,
    source: Source,
    inventory: Inventory,
    read_at: Instant,
    /// Entities to read again, whatever happened to the repository.
    doubtful: Scope,
    looked_again: bool,
    /// The head of the branch that exports go to, where they are to be a pull request.
    proposed: Option<Oid>,
}

enum Next {
    Done,
    Again,
}

impl Run<'_> {
    async fn attempt(&mut self) -> anyhow::Result<Next> {
        let branch = &self.settings.branch;
        let head = block_in_place(|| self.repository.fetch(branch))?;
        debug!(head = head.map(|id| id.to_string()), "fetched");
        if head.is_none() && self.has_appeared()? {
            return Ok(Next::Again);
        }
        let mut seen = self.read(head).await?;
        let head = head.filter(|_| seen.coverage.mode == Mode::PullRequest);
        let proposing = match head {
            Some(head) => {
                self.read_proposed(head, &mut seen).await?;
                Some(head)
            }
            None => None,
        };
        let head = seen.head;
        let tree = block_in_place(|| self.repository.tree(head, seen.coverage.prefix()))?;
        let wanted = |kind: &Kind| seen.coverage.kinds.contains(kind.plural);
        inventory::add_companions(&seen.source, &tree, &wanted, &mut seen.inventory).await?;
        let options = Options { dry_run: self.task.dry_run, ..Options::new(&seen.coverage) };
        let read = std::mem::take(&mut seen.inventory);
        let account = self.source.account();
        let (mut summary, read) = block_in_place(|| export::write(&tree, &options, account, read))?;
        seen.inventory = read;
        if let Some(id) = self.named_account() {
            let root = block_in_place(|| self.repository.tree(head, ""))?;
            summary.notes.extend(block_in_place(|| export::also_in_root(&root, id)));
        }
        summary.to = self.repository.remote().to_string();
        if let Source::Live(live) = &seen.source {
            summary.calls = Some(live.calls());
        }
        self.outcome.entities_read = seen.inventory.entities().count();
        self.outcome.unread = unread(&seen.inventory, &summary);
        let earlier = std::mem::replace(&mut self.outcome.summary, summary);
        if self.task.dry_run {
            self.outcome.patch = block_in_place(|| tree.patch())?;
            return Ok(Next::Done);
        }
        seen.doubtful = changed(&self.outcome.summary, &seen.inventory);
        if let Some(head) = proposing {
            let mut next = self.propose(&tree, head, &mut seen)?;
            if matches!(next, Next::Done) && self.outcome.commits.is_empty() {
                next = self.look_again(&mut seen).await?;
            }
            if matches!(next, Next::Done) {
                self.settle(Some(head), &mut seen)?;
            }
            self.seen = Some(seen);
            return Ok(next);
        }
        let commit = self.commit(&tree)?;
        let next = match commit {
            None if !self.outcome.commits.is_empty() => {
                self.outcome.summary.kinds = earlier.kinds;
                Ok(Next::Done)
            }
            None => self.look_again(&mut seen).await,
            Some(commit) => self.push(commit, &mut seen),
        };
        let next = next?;
        if matches!(next, Next::Done) {
            let head = seen.head;
            self.settle(head, &mut seen)?;
        }
        self.seen = Some(seen);
        Ok(next)
    }

    /// Reads again what the branch of exports holds that the default branch does not have: it is a
    /// proposal, and AWS decides what is proposed.
    async fn read_proposed(&mut self, head: Oid, seen: &mut Seen) -> anyhow::Result<()> {
        let branch = conflict::export_branch(seen.coverage.prefix());
        seen.proposed = block_in_place(|| self.repository.fetch_also(&[&branch]))?[0];
        let Some(proposed) = seen.proposed else { return Ok(()) };
        let scope = self.changed_between(Some(head), proposed, seen.coverage.prefix())?;
        let is_new = |kind: &Kind, key: &str| {
            seen.coverage.kinds.contains(kind.plural) && !seen.inventory.has(kind, key)
        };
        let scope = scope.retain(is_new);
        if !scope.is_empty() {
            seen.inventory.replace(inventory::read(&seen.source, &scope).await);
        }
        Ok(())
    }

    /// A first commit is made in an empty repository alone: whether somebody else made it by now.
    fn has_appeared(&self) -> anyhow::Result<bool> {
        let branch = &self.settings.branch;
        let branches = block_in_place(|| self.repository.branches())?;
        if branches.is_empty() || branches.contains(branch) {
            return Ok(!branches.is_empty());
        }
        let mut names: Vec<_> =
            branches.iter().take(5).map(|name| format!("`{}`", visible(name))).collect();
        if let more @ 1.. = branches.len() - names.len() {
            names.push(format!("{more} more"));
        }
        Err(Refused {
            error: format!(
                "`{}` has no branch `{branch}`, only {}",
                self.repository.remote(),
                names.join(", ")
            ),
            hint: "name another with `--branch` or AWS_IAM_GITOPS_BRANCH, or make that branch first",
        }
        .into())
    }

    /// Reads the scope from AWS; later attempts only what may have changed since.
    async fn read(&mut self, head: Option<Oid>) -> anyhow::Result<Seen> {
        let root = block_in_place(|| self.repository.tree(head, ""))?;
        let settings_text = block_in_place(|| root.read(FILE_NAME))?;
        if let Some(mut seen) = self.seen.take()
            && seen.settings_text == settings_text
        {
            let mut scope = std::mem::take(&mut seen.doubtful);
            if head != seen.head {
                scope.merge(&self.changed_by_others(&seen, head)?);
            }
            let is_known = |kind: &Kind, key: &str| seen.inventory.has(kind, key);
            let scope = scope.retain(is_known);
            if !scope.is_empty() {
                seen.read_at = Instant::now();
                seen.inventory.replace(inventory::read(&seen.source, &scope).await);
            }
            seen.head = head;
            return Ok(seen);
        }
        let file = match &settings_text {
            Some(text) => FileSettings::parse(FILE_NAME, &String::from_utf8_lossy(text))?,
            None => FileSettings::default(),
        };
        let coverage = self.covered(self.settings.coverage(file))?;
        let source = match self.source {
            Source::Live(live) => Source::Live(
                live.again(coverage.aws_managed, self.task.deadline.map(end_of_reading)),
            ),
            Source::Dump(dump) => Source::Dump(dump.clone()),
        };
        let scope = self.task.scope.of_kinds(&coverage.kinds);
        let read_at = Instant::now();
        let inventory = inventory::read(&source, &scope).await;
        let doubtful = Scope::default();
        let (looked_again, proposed) = (false, None);
        Ok(Seen {
            head,
            settings_text,
            coverage,
            source,
            inventory,
            read_at,
            doubtful,
            looked_again,
            proposed,
        })
    }

    /// What is written for the account of the source.
    fn covered(&self, coverage: Coverage) -> anyhow::Result<Coverage> {
        let account = self.source.account().map(|account| account.id.as_str());
        match (self.task.one_of_several, coverage.several()?, account) {
            (Some(one), Some(_), Some(id)) => Ok(coverage.of_account(id, one.reads_organization)),
            (Some(_), ..) => Err(Refused {
                error: "the settings of the repository name no accounts any more".to_owned(),
                hint: "run again: what is written, and where, is another by now",
            }
            .into()),
            (None, ..) => {
                coverage.refuse_several()?;
                Ok(coverage)
            }
        }
    }

    /// The account, where a reader of the history has to be told.
    fn named_account(&self) -> Option<&str> {
        self.task.one_of_several?;
        self.source.account().map(|account| account.id.as_str())
    }

    /// The entities whose raw JSON is another than at the last attempt.
    fn changed_by_others(&self, seen: &Seen, head: Option<Oid>) -> anyhow::Result<Scope> {
        match head {
            Some(new) => self.changed_between(seen.head, new, seen.coverage.prefix()),
            None => Ok(Scope::default()),
        }
    }

    /// The entities whose raw JSON is another in two commits.
    fn changed_between(&self, old: Option<Oid>, new: Oid, prefix: &str) -> anyhow::Result<Scope> {
        let mut scope = Scope::default();
        block_in_place(|| {
            let trees =
                [self.repository.tree(old, prefix), self.repository.tree(Some(new), prefix)];
            let paths = self.repository.changed_paths(old, new, prefix)?;
            for tree in trees {
                // The old head may have gone with a clone that was made anew.
                let Ok(tree) = tree else { continue };
                for path in &paths {
                    let folder = path.split('/').next().unwrap_or_default();
                    let Some(kind) = KINDS.iter().find(|kind| kind.folders.contains(&folder))
                    else {
                        continue;
                    };
                    if let (Some(base), _) = parse_base(&tree, kind, path)? {
                        scope.add(kind.plural, base.key());
                    }
                }
            }
            Ok(scope)
        })
    }

    fn commit(&self, tree: &Tree) -> anyhow::Result<Option<Oid>> {
        let commit = signed(self.message());
        Ok(block_in_place(|| self.repository.commit(tree, &commit))?)
    }

    fn message(&self) -> CommitMessage {
        let records = causes(&self.task.records, &self.outcome);
        CommitMessage::new(&records, &self.outcome.summary.kinds, self.named_account())
    }

    fn push(&mut self, commit: Oid, seen: &mut Seen) -> anyhow::Result<Next> {
        let branch = &self.settings.branch;
        if let Err(error) = block_in_place(|| self.repository.push(commit, branch)) {
            let is_unsure = error.reason == Reason::Unavailable;
            let has_landed = is_unsure
                && block_in_place(|| self.repository.fetch(branch))
                    .is_ok_and(|head| head == Some(commit));
            if !has_landed {
                return Err(error.into());
            }
        }
        info!(commit = commit.to_string(), branch, "pushed");
        self.outcome.commits.push(commit.to_string());
        seen.head = Some(commit);
        Ok(self.next_after_push(seen))
    }

    /// What was read long ago is read once more.
    fn next_after_push(&self, seen: &Seen) -> Next {
        let is_old = seen.read_at.elapsed() > self.settings.lease;
        match is_old && matches!(seen.source, Source::Live(_)) {
            true => Next::Again,
            false => Next::Done,
        }
    }

    /// Somebody who read before the change that caused this run may yet push what they read.
    async fn look_again(&mut self, seen: &mut Seen) -> anyhow::Result<Next> {
        let is_by_event = !self.task.records.is_empty();
        if !is_by_event || seen.looked_again || matches!(seen.source, Source::Dump(_)) {
            return Ok(Next::Done);
        }
        let end = seen.read_at + self.settings.lease;
        let end = self.task.deadline.map_or(end, |deadline| deadline.min(end));
        tokio::time::sleep_until(end.into()).await;
        let head = block_in_place(|| self.repository.fetch(&self.settings.branch))?;
        let branch = conflict::export_branch(seen.coverage.prefix());
        let proposed = self.repository.heads(&branch).find(|(name, _)| *name == branch);
        let is_proposed = seen.proposed.is_none() || proposed.map(|(_, at)| at) == seen.proposed;
        if head == seen.head && is_proposed {
            return Ok(Next::Done);
        }
        seen.looked_again = true;
        seen.doubtful = self.task.scope.clone();
        Ok(Next::Again)
    }
}

/// A commit of now.
fn signed(message: CommitMessage) -> Commit {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = clock.as_secs().try_into().unwrap_or(i64::MAX);
    Commit {
        message: message.text,
        author: message.author,
        author_time: message.author_time.map_or(time, |made| made.clamp(0, time)),
        committer: committer(),
        time,
    }
}

/// The records that touched what changed; all of them where that cannot be told.
fn causes(records: &[Record], outcome: &Outcome) -> Vec<Record> {
    let mut changed: BTreeSet<(&str, &str)> = BTreeSet::new();
    for kind in &outcome.summary.kinds {
        let names = kind.written.iter().chain(&kind.removed);
        changed.extend(names.map(|name| (kind.kind, name.as_str())));
    }
    let is_cause = |record: &&Record| {
        let touched = touched(record);
        changed.iter().any(|(kind, name)| {
            let of = KINDS.iter().find(|of| of.plural == *kind);
            touched.meets(kind, |key| {
                of.is_some_and(|of| {
                    of.is_part(key) || !of.do_keys_end_in_names || of.noun(key).1 == *name
                })
            })
        })
    };
    let causes: Vec<Record> = records.iter().filter(is_cause).cloned().collect();
    if causes.is_empty() { records.to_vec() } else { causes }
}

/// What was written or removed, by key.
fn changed(summary: &Summary, inventory: &Inventory) -> Scope {
    let mut scope = Scope::default();
    for (kind, reading) in &inventory.readings {
        let Some(of_kind) = summary.kinds.iter().find(|of| of.kind == kind.plural) else {
            continue;
        };
        let written: BTreeSet<&str> = of_kind.written.iter().map(String::as_str).collect();
        for entity in reading.entities.iter().filter(|entity| written.contains(entity.name())) {
            scope.add(kind.plural, entity.key());
        }
        of_kind.removed_keys.iter().for_each(|key| scope.add(kind.plural, key));
    }
    scope
}

/// What could not be read; with it what has to wait for that.
fn unread(inventory: &Inventory, summary: &Summary) -> Scope {
    let mut scope = Scope::default();
    for (kind, reading) in &inventory.readings {
        let Some(keys) = &reading.named else {
            let has_files = |of: &KindSummary| of.kind == kind.plural && of.unknown > 0;
            let is_refused = reading.refused.is_some() && summary.kinds.iter().any(has_files);
            if is_refused || !reading.failures.is_empty() || !reading.unreadable.is_empty() {
                scope.add_all(kind.plural);
            }
            continue;
        };
        for key in keys {
            let name = key.rsplit('/').next().unwrap_or(key);
            let is_unread = |name: &str, key: &str| {
                reading.unreadable.iter().any(|entity| entity.name == name || entity.name == key)
            };
            if is_unread(name, key) || !reading.failures.is_empty() {
                scope.add(kind.plural, key.clone());
            }
        }
        for entity in reading.unreadable.iter().filter(|entity| !keys.contains(&entity.name)) {
            scope.add(kind.plural, entity.name.clone());
        }
    }
    if !scope.is_empty() {
        for (kind, key) in &summary.held_back {
            scope.add(kind, key.clone());
        }
    }
    scope
}
