//! The Git repository that exports go to: fetch, read, commit without a checkout, push.
//!
//! The only place that names git2. Everything here blocks: call it from `spawn_blocking`. The bare
//! clone it keeps is a cache and never trusted: one that is damaged, too full or of another remote
//! is made anew. What goes into a commit is not decided here.

mod error;
mod files;
pub mod local;
mod memory;
mod mentions;
mod remote;
mod transport;
mod tree;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
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
/// What may pile up on disk before a clone is made anew, and in memory before it is opened anew.
const PACKS: usize = 50;
const WRITTEN: usize = 32 << 20;

/// A remote repository and the clone through which it is read and written.
pub struct Repository {
    remote: Remote,
    folder: PathBuf,
    connection: Option<Arc<Connection>>,
    store: Arc<Store>,
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
        Ok(Repository { remote, folder: folder.to_owned(), connection, store: Arc::new(store) })
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
        let fetched = match self.try_fetch(&reference) {
            Err(failure) if matches!(failure.reason, Reason::Corrupt | Reason::NoSpace) => {
                self.renew().and_then(|()| self.try_fetch(&reference))
            }
            fetched => fetched,
        };
        fetched.map_err(|failure| failure.during(action))
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
        let branch = |name: &String| name.strip_prefix("refs/heads/").map(str::to_owned);
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
        self.store.with("cannot commit", |git| {
            let (root, written) = tree.store(&git.odb()?)?;
            self.store.written.fetch_add(written, Ordering::Relaxed);
            let Some(root) = root else { return Ok(None) };
            let parent = tree.commit.map(|id| git.find_commit(id)).transpose()?;
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
                &parent.iter().collect::<Vec<_>>(),
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
        let pushed = reference(branch).and_then(|reference| {
            match self.remote.folder() {
                Some(folder) => self.push_to_folder(folder, commit, &reference)?,
                None => self.push_to_server(commit, &reference)?,
            }
            Ok(())
        });
        pushed.map_err(|failure| {
            self.store.note(&failure);
            failure.during(format!("cannot push to `{branch}` of `{}`", self.remote))
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

    fn try_fetch(&self, reference: &str) -> Result<Option<Oid>, Failure> {
        match self.remote.folder() {
            Some(folder) => self.fetch_from_folder(folder, reference),
            None => self.fetch_from_server(reference),
        }
    }

    fn fetch_from_server(&self, reference: &str) -> Result<Option<Oid>, Failure> {
        let connection = self.connection();
        let git = lock(&self.store.git);
        let real = |error| connection.take_failure().unwrap_or_else(|| Failure::from(error));
        connection.take_failure();
        let mut remote = git.remote_anonymous(&connection.url())?;
        let mut server = remote.connect_auth(Direction::Fetch, None, None).map_err(real)?;
        let heads = server.list()?.iter();
        let head = heads.filter(|head| head.name() == reference).map(|head| head.oid()).next();
        let Some(head) = head else { return Ok(None) };
        if !git.odb()?.exists(head) {
            let mut options = FetchOptions::new();
            options.depth(1).download_tags(git2::AutotagOption::None);
            server.remote().download(&[reference], Some(&mut options)).map_err(real)?;
            remember(&git, head)?;
        }
        check(&git, head)?;
        Ok(Some(head))
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

    fn fetch_from_folder(&self, folder: &Path, reference: &str) -> Result<Option<Oid>, Failure> {
        let there = open_folder(folder)?;
        let head = match there.find_reference(reference) {
            Ok(found) => found.peel_to_commit().map_err(|error| foreign(&error))?.id(),
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(foreign(&error)),
        };
        let git = lock(&self.store.git);
        if !git.odb()?.exists(head) {
            copy(&there, &git, head, git.refname_to_id(LAST).ok())?;
            remember(&git, head)?;
        }
        check(&git, head)?;
        Ok(Some(head))
    }

    fn push_to_server(&self, commit: Oid, reference: &str) -> Result<(), Failure> {
        let connection = self.connection();
        let git = lock(&self.store.git);
        let is_first = git.find_commit(commit)?.parent_count() == 0;
        let (is_gone, declined) = (Cell::new(false), RefCell::new(None));
        let said = RefCell::new(Vec::new());
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_negotiation(|updates| {
            // libgit2 would make a branch anew that somebody removed.
            is_gone.set(!is_first && updates.iter().any(|update| update.src().is_zero()));
            if is_gone.get() { Err(git2::Error::from_str("the branch is gone")) } else { Ok(()) }
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
        let pushed = remote.push(&[format!("{commit}:{reference}")], Some(&mut options));
        drop((remote, options));
        if is_gone.get() {
            return Err(Failure::new(Reason::Rejected, "the branch was removed on the server"));
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
    fn push_to_folder(&self, folder: &Path, commit: Oid, reference: &str) -> Result<(), Failure> {
        let there = open_folder(folder)?;
        if !there.is_bare() {
            let message = "it has a working tree; push to a bare repository (`git init --bare`)";
            return Err(Failure::new(Reason::Refused, message));
        }
        let git = lock(&self.store.git);
        let parent = git.find_commit(commit)?.parent_ids().next();
        copy(&git, &there, commit, parent)?;
        let moved = match parent {
            Some(parent) => there.reference_matching(reference, commit, true, parent, "push"),
            None => there.reference(reference, commit, false, "push"),
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
    if status.contains("hook declined") {
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
    let reference = format!("refs/heads/{branch}");
    let is_plain = !branch.contains(['*', ':']) && git2::Reference::is_valid_name(&reference);
    if is_plain { Ok(reference) } else { Err(Failure::new(Reason::Other, "no name of a branch")) }
}

/// Remembers what was fetched for the next fetch.
fn remember(git: &git2::Repository, commit: Oid) -> Result<(), Failure> {
    git.reference(LAST, commit, true, "fetched")?;
    Ok(())
}

/// Checks that a commit can be read.
fn check(git: &git2::Repository, commit: Oid) -> Result<(), Failure> {
    git.find_commit(commit)?.tree()?;
    Ok(())
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

/// Copies a commit with its history, without what another one of both repositories brings along.
fn copy(
    from: &git2::Repository,
    to: &git2::Repository,
    commit: Oid,
    known: Option<Oid>,
) -> Result<(), Failure> {
    let mut walk = from.revwalk()?;
    walk.push(commit)?;
    if let Some(known) = known.filter(|id| from.find_commit(*id).is_ok()) {
        walk.hide(known)?;
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
