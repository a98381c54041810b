//! The Git repository that exports go to: fetch, read, commit without a checkout, push.
//!
//! The only place that names git2. Everything here blocks: call it from `spawn_blocking`. The bare
//! clone it keeps is a cache and never trusted: one that is damaged, too full or of another remote
//! is made anew. What goes into a commit is not decided here.

mod error;
mod files;
mod history;
pub mod local;
mod memory;
mod mentions;
mod remote;
mod transport;
mod tree;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub use git2::Oid;
use git2::{Direction, FetchOptions, PushOptions, RemoteCallbacks};

pub use crate::commit_message::Person;
use error::Failure;
pub use error::{GitError, Reason, RemoteError};
pub use files::hunks;
pub use history::{History, Logged};
use mentions::Mentions;
pub use remote::Remote;
pub use transport::{Anonymous, Credentials, Login};
use transport::{Connection, lock};
use tree::Folder;
pub use tree::{Change, Tree};

/// A file in the clone's folder that says whose it is; empty: the clone is not to be used.
const OWNER: &str = "aws-iam-gitops";
/// Keeps what was fetched last reachable, for the next fetch to say what is here already.
const LAST: &str = "refs/fetched/last";
const BRANCHES: &str = "refs/heads/";
/// What may pile up on disk before a clone is made anew, and in memory before it is opened anew.
const PACKS: usize = 50;
const WRITTEN: usize = 32 << 20;

/// A remote repository and the clone through which it is read and written.
pub struct Repository {
    remote: Remote,
    folder: PathBuf,
    connection: Option<Arc<Connection>>,
    store: Arc<Store>,
    /// What the remote had when it was asked last.
    heads: Heads,
}

/// Heads of branches, by their full reference.
type Heads = BTreeMap<String, Oid>;

/// Where a branch of the remote has to be for it to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// There is no such branch yet.
    Absent,
    At(Oid),
}

/// What a commit says besides its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub message: String,
    pub author: Person,
    pub committer: Person,
    /// When the author did it and when it is committed: seconds since 1970, UTC.
    pub author_time: i64,
    pub time: i64,
}

impl Repository {
    /// Opens the clone in a folder, which is made if missing; nothing is sent yet.
    ///
    /// `authorities` is a PEM file of certificate authorities to trust besides the system's.
    ///
    /// # Errors
    ///
    /// The folder holds something else, or cannot be written.
    pub fn open(
        remote: Remote,
        folder: &Path,
        credentials: Arc<dyn Credentials>,
        authorities: Option<&Path>,
    ) -> Result<Repository, GitError> {
        transport::register();
        let action = format!("cannot open `{remote}`");
        let connection = remote
            .url()
            .map(|base| Connection::new(&remote, base, credentials, authorities))
            .transpose()
            .map_err(|failure| failure.during(&action))?;
        let store = Store::open(folder, &identity(&remote))
            .map_err(|failure| failure.during(format!("{action} in `{}`", folder.display())))?;
        let (folder, store) = (folder.to_owned(), Arc::new(store));
        Ok(Repository { remote, folder, connection, store, heads: Heads::new() })
    }

    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// From when on every request fails instead of being sent or waited for.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        if let Some(connection) = &self.connection {
            connection.set_deadline(deadline);
        }
    }

    /// Brings the head of a branch here as the remote has it now; none: there is no such branch.
    ///
    /// A damaged clone is made anew on the way; trees of before are then of no use.
    ///
    /// # Errors
    ///
    /// The remote cannot be read.
    pub fn fetch(&mut self, branch: &str) -> Result<Option<Oid>, GitError> {
        let action = format!("cannot fetch `{branch}` of `{}`", self.remote);
        let reference = reference(branch).map_err(|failure| failure.during(&action))?;
        let prepared = if self.store.is_usable() { self.store.forget() } else { self.renew() };
        prepared.map_err(|failure| failure.during(&action))?;
        let wanted = [reference];
        let fetched = match self.try_fetch(&wanted, true) {
            Err(failure) if matches!(failure.reason, Reason::Corrupt | Reason::NoSpace) => {
                self.renew().and_then(|()| self.try_fetch(&wanted, true))
            }
            fetched => fetched,
        };
        fetched.map_err(|failure| failure.during(action))?;
        Ok(self.heads.get(&wanted[0]).copied())
    }

    /// Brings the heads of further branches here, in their order; none: there is no such branch.
    ///
    /// What the last [`Repository::fetch`] brought, trees and commits stay of use. The branches
    /// are where that fetch found them, unless one has to be brought: then the remote is asked.
    ///
    /// # Errors
    ///
    /// The remote cannot be read, or the clone is damaged: the next fetch makes it anew.
    pub fn fetch_also(&mut self, branches: &[&str]) -> Result<Vec<Option<Oid>>, GitError> {
        let names: Vec<_> = branches.iter().map(|branch| format!("`{branch}`")).collect();
        let action = format!("cannot fetch {} of `{}`", names.join(", "), self.remote);
        let wanted: Result<Vec<_>, _> = branches.iter().map(|branch| reference(branch)).collect();
        let fetched = wanted.and_then(|references| {
            let is_here = {
                let git = lock(&self.store.git);
                let odb = git.odb()?;
                let heads = references.iter().filter_map(|reference| self.heads.get(reference));
                heads.copied().all(|head| odb.exists(head))
            };
            if !is_here {
                self.try_fetch(&references, false)?;
            }
            Ok(references.iter().map(|reference| self.heads.get(reference).copied()).collect())
        });
        fetched.map_err(|failure| {
            self.store.note(&failure);
            failure.during(action)
        })
    }

    /// The branches that begin so and their heads, as the last fetch found them.
    pub fn heads(&self, start: &str) -> impl Iterator<Item = (&str, Oid)> {
        let full = format!("{BRANCHES}{start}");
        let heads = self.heads.range(full.clone()..);
        heads.map_while(move |(name, head)| {
            name.strip_prefix(&full)?;
            Some((name.strip_prefix(BRANCHES)?, *head))
        })
    }

    /// The branches that the remote has.
    ///
    /// # Errors
    ///
    /// The remote cannot be read.
    pub fn branches(&self) -> Result<Vec<String>, GitError> {
        let references = match self.remote.folder() {
            Some(folder) => references_of_folder(folder),
            None => self.references_of_server(),
        };
        let references = references.map_err(|failure| {
            failure.during(format!("cannot list the branches of `{}`", self.remote))
        })?;
        let branch = |name: &String| name.strip_prefix(BRANCHES).map(str::to_owned);
        Ok(references.iter().filter_map(branch).collect())
    }

    /// The files of a commit below a prefix; none: a repository without a commit.
    ///
    /// # Errors
    ///
    /// The clone is damaged, or the prefix is no path.
    pub fn tree(&self, commit: Option<Oid>, prefix: &str) -> Result<Tree, GitError> {
        let root = match commit {
            None => None,
            Some(id) => {
                let action = "cannot read the clone";
                Some(self.store.with(action, |git| Ok(git.find_commit(id)?.tree_id()))?)
            }
        };
        Tree::new(Arc::clone(&self.store), commit, root, prefix)
    }

    /// Commits a tree's changes on top of its commit; none: nothing differs. Nothing is sent.
    ///
    /// # Errors
    ///
    /// The clone is damaged or its disk full.
    pub fn commit(&self, tree: &Tree, commit: &Commit) -> Result<Option<Oid>, GitError> {
        self.commit_on(tree, commit, tree.commit.as_slice())
    }

    /// Commits the files of a tree with its changes on top of other commits than its own, which
    /// have to be here; none: the first of them has just these files.
    ///
    /// With the heads of a branch and of the default branch as parents, the branch moves forward
    /// to files that stand on the default branch, and a server takes that unforced.
    ///
    /// # Errors
    ///
    /// As [`Repository::commit`].
    pub fn commit_on(
        &self,
        tree: &Tree,
        commit: &Commit,
        parents: &[Oid],
    ) -> Result<Option<Oid>, GitError> {
        self.store.with("cannot commit", |git| {
            let (root, written) = tree.store(&git.odb()?)?;
            self.store.written.fetch_add(written, Ordering::Relaxed);
            let Some(root) = root.or(tree.root) else { return Ok(None) };
            let parents = parents.iter().map(|id| git.find_commit(*id));
            let parents = parents.collect::<Result<Vec<_>, _>>()?;
            if parents.first().is_some_and(|first| first.tree_id() == root) {
                return Ok(None);
            }
            let signature = |person: &Person, time: i64| {
                let time = git2::Time::new(time, 0);
                git2::Signature::new(&clean(&person.name), &clean(&person.email), &time)
            };
            let id = git.commit(
                None,
                &signature(&commit.author, commit.author_time)?,
                &signature(&commit.committer, commit.time)?,
                &commit.message.replace('\0', ""),
                &git.find_tree(root)?,
                &parents.iter().collect::<Vec<_>>(),
            )?;
            Ok(Some(id))
        })
    }

    /// Makes a commit the head of a branch, if its parent still is; never forced.
    ///
    /// Hooks run on a server, not in a repository reached by its path.
    ///
    /// # Errors
    ///
    /// Somebody else pushed, the server declined, or it is not known what became of it.
    pub fn push(&self, commit: Oid, branch: &str) -> Result<(), GitError> {
        let parent = self.store.with(&format!("cannot push to `{branch}`"), |git| {
            Ok(git.find_commit(commit)?.parent_ids().next())
        })?;
        self.push_to(commit, branch, parent.map_or(Expected::Absent, Expected::At))
    }

    /// Makes a commit the head of a branch that is where it is expected, or of a new one; never
    /// forced: the commit has to stand on the branch's head.
    ///
    /// # Errors
    ///
    /// As [`Repository::push`].
    pub fn push_to(&self, commit: Oid, branch: &str, expected: Expected) -> Result<(), GitError> {
        let pushed = self.update(branch, Some(commit), expected);
        pushed.map_err(|failure| {
            self.store.note(&failure);
            failure.during(format!("cannot push to `{branch}` of `{}`", self.remote))
        })
    }

    /// Removes a branch whose head is this commit; one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// Somebody pushed to it, the server declined, or it is not known what became of it.
    pub fn remove_branch(&self, branch: &str, at: Oid) -> Result<(), GitError> {
        let removed = self.update(branch, None, Expected::At(at));
        removed.map_err(|failure| {
            self.store.note(&failure);
            failure.during(format!("cannot remove `{branch}` of `{}`", self.remote))
        })
    }

    /// The files below a prefix that two commits do not have in common, by path relative to it.
    ///
    /// Trees are compared, not histories; all files count as changed when the old commit is not
    /// here.
    ///
    /// # Errors
    ///
    /// The clone is damaged, or a file is where the prefix should be a folder.
    pub fn changed_paths(
        &self,
        old: Option<Oid>,
        new: Oid,
        prefix: &str,
    ) -> Result<Vec<String>, GitError> {
        let prefix = Path::new(prefix.trim_matches('/'));
        self.store.with("cannot compare commits", |git| {
            let root = |id: Oid| {
                let tree = git.find_commit(id)?.tree()?;
                if prefix.as_os_str().is_empty() {
                    return Ok(Some(tree));
                }
                match tree.get_path(prefix) {
                    Ok(entry) => git.find_tree(entry.id()).map(Some),
                    Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            };
            let odb = git.odb()?;
            let old = old.filter(|id| odb.exists(*id)).map(root).transpose()?.flatten();
            let mut options = git2::DiffOptions::new();
            options.skip_binary_check(true).include_typechange(true);
            let new = root(new)?;
            let diff = git.diff_tree_to_tree(old.as_ref(), new.as_ref(), Some(&mut options))?;
            let path = |delta: git2::DiffDelta<'_>| {
                let file =
                    if delta.new_file().exists() { delta.new_file() } else { delta.old_file() };
                file.path_bytes().map(|path| String::from_utf8_lossy(path).into_owned())
            };
            Ok(diff.deltas().filter_map(path).collect())
        })
    }

    fn renew(&mut self) -> Result<(), Failure> {
        self.store.spoil();
        self.store = Arc::new(Store::open(&self.folder, &identity(&self.remote))?);
        Ok(())
    }

    /// Lists the branches and brings those here that are wanted; the first one is remembered for the
    /// next fetch if it is the one that others stand on.
    fn try_fetch(&mut self, wanted: &[String], is_base: bool) -> Result<(), Failure> {
        self.heads = match self.remote.folder() {
            Some(folder) => self.fetch_from_folder(folder, wanted, is_base)?,
            None => self.fetch_from_server(wanted, is_base)?,
        };
        Ok(())
    }

    fn fetch_from_server(&self, wanted: &[String], is_base: bool) -> Result<Heads, Failure> {
        let connection = self.connection();
        let git = lock(&self.store.git);
        let real = |error| connection.take_failure().unwrap_or_else(|| Failure::from(error));
        connection.take_failure();
        let mut remote = git.remote_anonymous(&connection.url())?;
        let mut server = remote.connect_auth(Direction::Fetch, None, None).map_err(real)?;
        let heads: Heads = server
            .list()?
            .iter()
            .filter(|head| head.name().starts_with(BRANCHES))
            .map(|head| (head.name().to_owned(), head.oid()))
            .collect();
        let odb = git.odb()?;
        let is_missing = |reference: &&String| {
            heads.get(reference.as_str()).is_some_and(|head| !odb.exists(*head))
        };
        let missing: Vec<&str> = wanted.iter().filter(is_missing).map(String::as_str).collect();
        if !missing.is_empty() {
            let mut options = FetchOptions::new();
            options.depth(1).download_tags(git2::AutotagOption::None);
            server.remote().download(&missing, Some(&mut options)).map_err(real)?;
            if is_base {
                remember(&git, heads[missing[0]])?;
            }
        }
        check(&git, &heads, wanted)?;
        Ok(heads)
    }

    fn references_of_server(&self) -> Result<Vec<String>, Failure> {
        let connection = self.connection();
        let git = lock(&self.store.git);
        let real = |error| connection.take_failure().unwrap_or_else(|| Failure::from(error));
        connection.take_failure();
        let mut remote = git.remote_anonymous(&connection.url())?;
        let server = remote.connect_auth(Direction::Fetch, None, None).map_err(real)?;
        Ok(server.list()?.iter().map(|head| head.name().to_owned()).collect())
    }

    fn fetch_from_folder(
        &self,
        folder: &Path,
        wanted: &[String],
        is_base: bool,
    ) -> Result<Heads, Failure> {
        let there = open_folder(folder)?;
        let heads = heads_of_folder(&there, wanted)?;
        let git = lock(&self.store.git);
        for head in wanted.iter().filter_map(|reference| heads.get(reference)) {
            if !git.odb()?.exists(*head) {
                copy(&there, &git, *head, git.refname_to_id(LAST).ok().as_slice())?;
                if is_base {
                    remember(&git, *head)?;
                }
            }
        }
        check(&git, &heads, wanted)?;
        Ok(heads)
    }

    /// Moves or, without a commit, removes a branch.
    fn update(&self, branch: &str, to: Option<Oid>, expected: Expected) -> Result<(), Failure> {
        let reference = reference(branch)?;
        match self.remote.folder() {
            Some(folder) => self.update_folder(folder, &reference, to, expected),
            None => self.update_server(&reference, to, expected),
        }
    }

    fn update_server(
        &self,
        reference: &str,
        to: Option<Oid>,
        expected: Expected,
    ) -> Result<(), Failure> {
        let connection = self.connection();
        let git = lock(&self.store.git);
        let (found, declined) = (Cell::new(None), RefCell::new(None));
        let said = RefCell::new(Vec::new());
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_negotiation(|updates| {
            // libgit2 would make a branch anew that somebody removed.
            let is = updates.first().map(|update| update.src()).filter(|head| !head.is_zero());
            let place = place(is, to, expected);
            found.set(Some(place));
            match place {
                Place::Expected => Ok(()),
                _ => Err(git2::Error::from_str("the branch is elsewhere")),
            }
        });
        callbacks.push_update_reference(|_, status| {
            *declined.borrow_mut() = status.map(str::to_owned);
            Ok(())
        });
        callbacks.sideband_progress(|text| {
            let mut said = said.borrow_mut();
            let room = 2000 - said.len().min(2000);
            said.extend_from_slice(&text[..text.len().min(room)]);
            true
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        connection.take_failure();
        let mut remote = git.remote_anonymous(&connection.url())?;
        let from = to.map(|commit| commit.to_string()).unwrap_or_default();
        let pushed = remote.push(&[format!("{from}:{reference}")], Some(&mut options));
        drop((remote, options));
        match found.get() {
            Some(Place::Done) => return Ok(()),
            Some(Place::Other(message)) => return Err(Failure::new(Reason::Rejected, message)),
            Some(Place::Expected) | None => {}
        }
        let said = connection.without_login(&String::from_utf8_lossy(&said.into_inner()));
        if let Some(status) = declined.into_inner() {
            let status = connection.without_login(&status);
            let message = match said.trim() {
                "" => status.clone(),
                said => format!("{status} ({said})"),
            };
            return Err(Failure::new(declined_reason(&status, said.trim()), message));
        }
        pushed.map_err(|error| {
            let mut failure = connection.take_failure().unwrap_or_else(|| Failure::from(error));
            if !said.trim().is_empty() {
                failure.message = format!("{} ({})", failure.message, said.trim());
            }
            failure
        })
    }

    /// As a server would, but for hooks: the branch moves only if it is where it was.
    fn update_folder(
        &self,
        folder: &Path,
        reference: &str,
        to: Option<Oid>,
        expected: Expected,
    ) -> Result<(), Failure> {
        let there = open_folder(folder)?;
        if !there.is_bare() {
            let message = "it has a working tree; push to a bare repository (`git init --bare`)";
            return Err(Failure::new(Reason::Refused, message));
        }
        let is = there.refname_to_id(reference).ok();
        match place(is, to, expected) {
            Place::Done => return Ok(()),
            Place::Other(message) => return Err(Failure::new(Reason::Rejected, message)),
            Place::Expected => {}
        }
        let moved = match (to, expected) {
            (None, _) => there.find_reference(reference).and_then(|mut found| found.delete()),
            (Some(commit), Expected::Absent) => {
                self.copy_to(&there, commit)?;
                there.reference(reference, commit, false, "push").map(drop)
            }
            (Some(commit), Expected::At(at)) => {
                self.copy_to(&there, commit)?;
                if !there.graph_descendant_of(commit, at).map_err(|error| foreign(&error))? {
                    let message = "the commit does not stand on the branch's head";
                    return Err(Failure::new(Reason::Rejected, message));
                }
                there.reference_matching(reference, commit, true, at, "push").map(drop)
            }
        };
        if let Err(error) = moved {
            let reason = match error.code() {
                git2::ErrorCode::NotFound => Reason::Rejected,
                _ => foreign(&error).reason,
            };
            return Err(Failure::new(reason, error.message()));
        }
        Ok(())
    }

    fn copy_to(&self, there: &git2::Repository, commit: Oid) -> Result<(), Failure> {
        let git = lock(&self.store.git);
        let parents: Vec<Oid> = git.find_commit(commit)?.parent_ids().collect();
        copy(&git, there, commit, &parents)
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a remote that is no folder has a connection")
    }
}

/// Why a server did not move a branch: only what another push caused is worth a new attempt.
///
/// `said` is what came besides, and counts where the status itself is not known.
fn declined_reason(status: &str, said: &str) -> Reason {
    const RACE: [&str; 10] = [
        "non-fast-forward",
        "fetch first",
        "stale info",
        "cannot lock ref",
        "failed to lock",
        "failed to update ref",
        "incorrect old value",
        "reference already exists",
        "missing necessary objects",
        "but expected",
    ];
    const OUTAGE: [&str; 4] = ["unpacker error", "internal", "timed out", "timeout"];
    if status.contains("hook declined") || status.contains("rule violations") {
        return Reason::Refused;
    }
    for text in [status, said].map(str::to_lowercase) {
        let is = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if is(&RACE) {
            return Reason::Rejected;
        }
        if is(&OUTAGE) {
            return Reason::Unavailable;
        }
    }
    Reason::Refused
}

/// The full name of a branch.
fn reference(branch: &str) -> Result<String, Failure> {
    let reference = format!("{BRANCHES}{branch}");
    let is_plain = !branch.contains(['*', ':']) && git2::Reference::is_valid_name(&reference);
    if is_plain { Ok(reference) } else { Err(Failure::new(Reason::Other, "no name of a branch")) }
}

/// Remembers what was fetched for the next fetch.
fn remember(git: &git2::Repository, commit: Oid) -> Result<(), Failure> {
    git.reference(LAST, commit, true, "fetched")?;
    Ok(())
}

/// Checks that what was wanted can be read.
fn check(git: &git2::Repository, heads: &Heads, wanted: &[String]) -> Result<(), Failure> {
    for head in wanted.iter().filter_map(|reference| heads.get(reference)) {
        git.find_commit(*head)?.tree()?;
    }
    Ok(())
}

/// Where a branch is that is to be moved or removed.
#[derive(Clone, Copy)]
enum Place {
    /// There is nothing left to do.
    Done,
    Expected,
    Other(&'static str),
}

fn place(is: Option<Oid>, to: Option<Oid>, expected: Expected) -> Place {
    match (is, expected) {
        _ if is == to => Place::Done,
        (None, Expected::Absent) => Place::Expected,
        (Some(is), Expected::At(at)) if is == at => Place::Expected,
        (Some(_), Expected::Absent) => Place::Other("the branch is there already"),
        (None, Expected::At(_)) => Place::Other("the branch was removed on the server"),
        (Some(_), Expected::At(_)) => Place::Other("somebody else pushed to the branch"),
    }
}

fn open_folder(folder: &Path) -> Result<git2::Repository, Failure> {
    git2::Repository::open(folder).map_err(|error| {
        let reason = match error.code() {
            git2::ErrorCode::NotFound => Reason::NotFound,
            _ => Reason::Other,
        };
        Failure::new(reason, error.message())
    })
}

/// The branches of a folder; only those that are wanted have to be in order.
fn heads_of_folder(there: &git2::Repository, wanted: &[String]) -> Result<Heads, Failure> {
    let mut heads = Heads::new();
    for reference in there.references().map_err(|error| foreign(&error))?.flatten() {
        let Ok(name) = std::str::from_utf8(reference.name_bytes()) else { continue };
        if name.starts_with(BRANCHES)
            && let Ok(commit) = reference.peel_to_commit()
        {
            heads.insert(name.to_owned(), commit.id());
        }
    }
    for name in wanted {
        if heads.contains_key(name) {
            continue;
        }
        match there.find_reference(name) {
            Ok(found) => {
                let head = found.peel_to_commit().map_err(|error| foreign(&error))?.id();
                heads.insert(name.clone(), head);
            }
            Err(error) if error.code() == git2::ErrorCode::NotFound => {}
            Err(error) => return Err(foreign(&error)),
        }
    }
    Ok(heads)
}

fn references_of_folder(folder: &Path) -> Result<Vec<String>, Failure> {
    let there = open_folder(folder)?;
    let references = there.references().map_err(|error| foreign(&error))?;
    let name =
        |reference: git2::Reference| String::from_utf8_lossy(reference.name_bytes()).into_owned();
    Ok(references.flatten().map(name).collect())
}

/// A failure of a repository that is not our clone: making the clone anew would not help.
fn foreign(error: &git2::Error) -> Failure {
    let failure = Failure::new(Reason::Other, error.message());
    if error.code() == git2::ErrorCode::Locked {
        return Failure { reason: Reason::Unavailable, ..failure };
    }
    match Failure::from(git2::Error::new(error.code(), error.class(), error.message())) {
        found if found.reason == Reason::Corrupt => failure,
        found => found,
    }
}

/// Copies a commit with its history, without what commits of both repositories bring along.
fn copy(
    from: &git2::Repository,
    to: &git2::Repository,
    commit: Oid,
    known: &[Oid],
) -> Result<(), Failure> {
    let mut walk = from.revwalk()?;
    walk.push(commit)?;
    for known in known {
        if from.find_commit(*known).is_ok() && to.find_commit(*known).is_ok() {
            walk.hide(*known)?;
        }
    }
    let mut pack = from.packbuilder()?;
    pack.insert_walk(&mut walk)?;
    let odb = to.odb()?;
    let mut writer = odb.packwriter()?;
    let mut written = Ok(());
    pack.foreach(|bytes| {
        written = std::io::Write::write_all(&mut writer, bytes);
        written.is_ok()
    })?;
    written?;
    writer.commit()?;
    Ok(())
}

/// Git's own format has no place for these in a name.
fn clean(text: &str) -> String {
    let text: String =
        text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
    let text = text.trim_matches(|c: char| c.is_whitespace() || ".,:;\"\\'".contains(c));
    if text.is_empty() { "unknown".to_owned() } else { text.to_owned() }
}

/// What a clone is a clone of.
fn identity(remote: &Remote) -> String {
    match remote.folder() {
        Some(folder) => {
            std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).display().to_string()
        }
        None => remote.to_string(),
    }
}

/// The bare clone: what was fetched is on disk, what is committed stays in memory.
///
/// Loose objects are never written: libgit2 reads one that was cut short for ever.
struct Store {
    git: Mutex<git2::Repository>,
    folder: PathBuf,
    /// Bytes in memory.
    written: AtomicUsize,
    mentions: Mutex<Mentions>,
    /// Folders that were read or written last: one of ten thousand files takes its time to read.
    folders: Mutex<HashMap<Oid, Arc<Folder>>>,
}

/// How many folders are kept; a repository has one for each kind.
const FOLDERS: usize = 64;

impl Store {
    fn keep(&self, id: Oid, folder: Folder) -> Arc<Folder> {
        let mut folders = lock(&self.folders);
        if folders.len() >= FOLDERS {
            folders.clear();
        }
        let folder = Arc::new(folder);
        folders.insert(id, Arc::clone(&folder));
        folder
    }

    /// Opens the clone if it is one of this remote and in order, else makes it anew.
    fn open(folder: &Path, identity: &str) -> Result<Store, Failure> {
        let owner = folder.join(OWNER);
        let store = |git| {
            let (git, folder) = (Mutex::new(git), folder.to_owned());
            Store {
                git,
                folder,
                written: AtomicUsize::new(0),
                mentions: Mutex::default(),
                folders: Mutex::default(),
            }
        };
        let is_ours = fs::read_to_string(&owner).is_ok_and(|found| found == identity);
        if is_ours
            && is_in_order(folder)
            && let Ok(git) = open_clone(folder)
        {
            return Ok(store(git));
        }
        if owner.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        if fs::read_dir(folder)?.next().is_some() {
            let message = "there is something else, which is left alone";
            return Err(Failure::new(Reason::Other, message));
        }
        // First, so that a clone that is cut short here is known as one.
        fs::write(&owner, "")?;
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false);
        let git = git2::Repository::init_opts(folder, &options)?;
        // Trees of large folders are no use as deltas of each other, and trying takes long. That
        // libgit2 takes its threshold for large objects from here is an oversight of its own.
        git.config()?.set_i32("pack.deltaCacheSize", 64 << 10)?;
        drop(git);
        fs::write(&owner, identity)?;
        Ok(store(open_clone(folder)?))
    }

    fn is_usable(&self) -> bool {
        fs::metadata(self.folder.join(OWNER)).is_ok_and(|owner| owner.len() > 0)
            && is_in_order(&self.folder)
    }

    /// Frees the memory of commits, once it is much.
    fn forget(&self) -> Result<(), Failure> {
        if self.written.load(Ordering::Relaxed) > WRITTEN {
            *lock(&self.git) = open_clone(&self.folder)?;
            self.written.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Works on the clone; what fails in it spoils it.
    fn with<T>(
        &self,
        action: &str,
        work: impl FnOnce(&git2::Repository) -> Result<T, Failure>,
    ) -> Result<T, GitError> {
        work(&lock(&self.git)).map_err(|failure| {
            self.note(&failure);
            failure.during(action)
        })
    }

    fn note(&self, failure: &Failure) {
        if failure.reason == Reason::Corrupt {
            self.spoil();
        }
    }

    /// The next fetch, of whichever process, makes the clone anew.
    fn spoil(&self) {
        let _ = fs::write(self.folder.join(OWNER), "");
    }
}

fn open_clone(folder: &Path) -> Result<git2::Repository, Failure> {
    let git = git2::Repository::open_bare(folder)?;
    git.odb()?.add_new_mempack_backend(1000)?;
    Ok(git)
}

/// Whether a clone holds packs alone, and not so many that searching them takes long.
fn is_in_order(folder: &Path) -> bool {
    let files = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let objects = folder.join("objects");
    let is_pack = |file: &fs::DirEntry| file.path().extension().is_some_and(|end| end == "pack");
    files(objects.join("pack")).filter(is_pack).count() <= PACKS
        && files(objects)
            .all(|folder| ["pack", "info"].iter().any(|name| folder.file_name() == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_race_is_worth_a_new_attempt_and_a_rule_is_not() {
        let rejected = [
            "non-fast-forward",
            "fetch first",
            "cannot lock ref 'refs/heads/main': is at 1 but expected 2",
            "failed to update ref",
            "incorrect old value provided",
        ];
        for status in rejected {
            assert_eq!(declined_reason(status, ""), Reason::Rejected, "{status}");
        }
        let refused = [
            "pre-receive hook declined",
            "protected branch hook declined",
            "push declined due to repository rule violations",
            "something never heard of",
        ];
        for status in refused {
            assert_eq!(declined_reason(status, ""), Reason::Refused, "{status}");
        }
        assert_eq!(declined_reason("unpacker error", ""), Reason::Unavailable);
    }

    #[test]
    fn name_fits_into_a_commit() {
        assert_eq!(clean(" a <b>\n\0c. "), "a bc");
        assert_eq!(clean("<>"), "unknown");
    }

    #[test]
    fn folder_that_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("precious"), "1").unwrap();
        let remote = Remote::parse("/nowhere").unwrap();
        let error = Repository::open(remote, folder.path(), Arc::new(Anonymous), None).err();
        assert_eq!(error.unwrap().reason, Reason::Other);
        assert!(folder.path().join("precious").exists());
    }
}
