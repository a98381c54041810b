//! What happened lately: the commits of a branch that changed certain files.
//!
//! The clone is one commit deep. Older ones are brought for as long as they are looked at; then it
//! says again that it has none, so that fetches stay as small as they were.

use std::collections::{BinaryHeap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use git2::{Direction, ErrorCode, FetchOptions, Oid};

use super::error::{Failure, GitError};
use super::transport::lock;
use super::{Repository, reference};

/// How many commits of a server's history are brought.
const DEPTH: i32 = 50;
/// How many commits are looked at where all are here.
const LOOKED_AT: usize = 500;

/// A commit as a list shows it. All of it is foreign text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub id: Oid,
    pub author: String,
    /// When the author made it: seconds since 1970.
    pub time: i64,
    /// The first line of its message.
    pub subject: String,
}

/// Commits, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub commits: Vec<Logged>,
    /// How many commits were looked at.
    pub looked_at: usize,
    /// Whether there may be more.
    pub is_cut: bool,
}

impl Repository {
    /// The commits up to a head of a branch that changed any of these files since `origin` last
    /// changed, as paths from the root of the repository.
    ///
    /// # Errors
    ///
    /// The remote cannot be read, or the clone is damaged.
    pub fn log_of_paths(
        &self,
        branch: &str,
        head: Oid,
        paths: &[&str],
        origin: &str,
        most: usize,
    ) -> Result<History, GitError> {
        self.log(branch, head, |git, cut| {
            let walk = Walk { git, cut, most };
            walk.changes_of(head, paths, origin)
        })
    }

    /// The commits that a head of a branch has beyond another commit, without merges.
    ///
    /// # Errors
    ///
    /// As [`Repository::log_of_paths`].
    pub fn log_beyond(
        &self,
        branch: &str,
        head: Oid,
        base: Oid,
        most: usize,
    ) -> Result<History, GitError> {
        self.log(branch, head, |git, cut| Walk { git, cut, most }.beyond(head, base))
    }

    fn log(
        &self,
        branch: &str,
        head: Oid,
        look: impl FnOnce(&git2::Repository, &HashSet<Oid>) -> Result<History, Failure>,
    ) -> Result<History, GitError> {
        let action = format!("cannot read the history of `{branch}` of `{}`", self.remote);
        let looked = || {
            if self.remote.folder().is_some() {
                return look(&lock(&self.store.git), &HashSet::new());
            }
            // Nobody else's handle may see the history that comes and goes.
            let _held = lock(&self.store.git);
            let shallow = Shallow::remember(&self.folder)?;
            self.deepen(&reference(branch)?)?;
            let git = git2::Repository::open_bare(&self.folder)?;
            if !git.odb()?.exists(head) {
                return Ok(History { is_cut: true, ..History::default() });
            }
            look(&git, &shallow.now()?)
        };
        looked().map_err(|failure| {
            self.store.note(&failure);
            failure.during(action)
        })
    }

    fn deepen(&self, reference: &str) -> Result<(), Failure> {
        let connection = self.connection();
        let real = |error| connection.take_failure().unwrap_or_else(|| Failure::from(error));
        connection.take_failure();
        let git = git2::Repository::open_bare(&self.folder)?;
        let mut remote = git.remote_anonymous(&connection.url())?;
        let mut server = remote.connect_auth(Direction::Fetch, None, None).map_err(real)?;
        if server.list()?.iter().any(|head| head.name() == reference) {
            let mut options = FetchOptions::new();
            options.depth(DEPTH).download_tags(git2::AutotagOption::None);
            server.remote().download(&[reference], Some(&mut options)).map_err(real)?;
        }
        Ok(())
    }
}

/// Git's list of the commits whose parents are not here, put back at the end.
struct Shallow {
    file: PathBuf,
    before: Option<Vec<u8>>,
}

impl Shallow {
    fn remember(folder: &Path) -> Result<Shallow, Failure> {
        let file = folder.join("shallow");
        let before = match fs::read(&file) {
            Ok(before) => Some(before),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Shallow { file, before })
    }

    fn now(&self) -> Result<HashSet<Oid>, Failure> {
        let now = match fs::read_to_string(&self.file) {
            Ok(now) => now,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(now.lines().filter_map(|line| Oid::from_str(line.trim()).ok()).collect())
    }
}

impl Drop for Shallow {
    fn drop(&mut self) {
        // What was there before is true still: more than it says is here.
        let _ = match &self.before {
            Some(before) => fs::write(&self.file, before),
            None => Ok(()),
        };
    }
}

struct Walk<'a> {
    git: &'a git2::Repository,
    /// Commits whose parents are not here.
    cut: &'a HashSet<Oid>,
    most: usize,
}

impl Walk<'_> {
    /// As `git log` simplifies a history: of a merge that one parent has the files of already, the
    /// other parents are of no interest.
    fn changes_of(&self, head: Oid, paths: &[&str], origin: &str) -> Result<History, Failure> {
        let mut history = History::default();
        let mut waiting = BinaryHeap::from([self.at(head)?]);
        let mut seen = HashSet::from([head]);
        while let Some((_, id)) = waiting.pop() {
            if history.looked_at == LOOKED_AT || history.commits.len() == self.most {
                history.is_cut = true;
                break;
            }
            history.looked_at += 1;
            if self.cut.contains(&id) {
                history.is_cut = true;
                continue;
            }
            let commit = self.git.find_commit(id)?;
            let (files, first) = (self.files(id, paths)?, self.files(id, &[origin])?);
            let parents: Vec<Oid> = commit.parent_ids().collect();
            let mut followed = parents.clone();
            let has_parents = !parents.is_empty();
            let mut is_changed = has_parents || files.iter().any(Option::is_some);
            let mut is_origin = has_parents || first.iter().any(Option::is_some);
            for parent in parents {
                let is_same = self.files(parent, paths)? == files;
                let is_same_origin = self.files(parent, &[origin])? == first;
                is_changed &= !is_same;
                is_origin &= !is_same_origin;
                if is_same && is_same_origin {
                    followed = vec![parent];
                    break;
                }
            }
            if is_origin {
                continue;
            }
            if is_changed && followed.len() < 2 {
                history.commits.push(logged(&commit));
            }
            for parent in followed {
                if seen.insert(parent) {
                    waiting.push(self.at(parent)?);
                }
            }
        }
        Ok(history)
    }

    fn beyond(&self, head: Oid, base: Oid) -> Result<History, Failure> {
        let mut history = History::default();
        let mut walk = self.git.revwalk()?;
        walk.set_sorting(git2::Sort::TIME | git2::Sort::TOPOLOGICAL)?;
        walk.push(head)?;
        if self.git.find_commit(base).is_ok() {
            walk.hide(base)?;
        }
        for id in walk {
            let commit = self.git.find_commit(id?)?;
            if history.commits.len() == self.most || history.looked_at == LOOKED_AT {
                history.is_cut = true;
                break;
            }
            history.looked_at += 1;
            if self.cut.contains(&commit.id()) {
                history.is_cut = true;
                continue;
            }
            if commit.parent_count() < 2 {
                history.commits.push(logged(&commit));
            }
        }
        Ok(history)
    }

    fn at(&self, id: Oid) -> Result<(i64, Oid), Failure> {
        Ok((self.git.find_commit(id)?.time().seconds(), id))
    }

    fn files(&self, commit: Oid, paths: &[&str]) -> Result<Vec<Option<Oid>>, Failure> {
        let tree = self.git.find_commit(commit)?.tree()?;
        let file = |path: &&str| match tree.get_path(Path::new(path)) {
            Ok(entry) => Ok(Some(entry.id())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        };
        paths.iter().map(file).collect()
    }
}

fn logged(commit: &git2::Commit<'_>) -> Logged {
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    Logged {
        id: commit.id(),
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
        time: commit.author().when().seconds(),
        subject: message.trim().lines().next().unwrap_or_default().to_owned(),
    }
}
