//! Repositories on this machine, a person's own: made, checked out, their commits shown and read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::error::GitError;
use super::{Person, foreign};
use crate::error::Refused;
use crate::invisible::visible;

/// What a commit says and does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub author: Person,
    pub message: String,
    /// The files that it changed.
    pub files: Vec<String>,
    /// The changes of the files below the folder that was asked for.
    pub patch: String,
}

/// Makes a bare repository without a commit.
///
/// # Errors
///
/// The folder cannot be written.
pub fn create(folder: &Path, branch: &str) -> Result<(), GitError> {
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).external_template(false).initial_head(branch);
    let made = git2::Repository::init_opts(folder, &options);
    made.map(drop).map_err(|error| during("cannot make", folder, &error))
}

/// Clones a repository with a working tree.
///
/// # Errors
///
/// The one cannot be read, or the other not be written.
pub fn check_out(from: &Path, to: &Path) -> Result<(), GitError> {
    let cloned = git2::build::RepoBuilder::new().clone(&from.to_string_lossy(), to);
    cloned.map(drop).map_err(|error| during("cannot check out", to, &error))
}

/// Shows a commit; its patch holds the files below a folder.
///
/// # Errors
///
/// There is no such commit.
pub fn show(repository: &Path, commit: &str, folder: &str) -> Result<Shown, GitError> {
    let shown = || {
        let git = git2::Repository::open(repository)?;
        let commit = git.find_commit(git2::Oid::from_str(commit)?)?;
        let parent = commit.parents().next().map(|parent| parent.tree()).transpose()?;
        let diff = |below: &str| {
            let mut options = git2::DiffOptions::new();
            options.pathspec(below);
            git.diff_tree_to_tree(parent.as_ref(), Some(&commit.tree()?), Some(&mut options))
        };
        let files = diff("*")?
            .deltas()
            .filter_map(|delta| Some(delta.new_file().path()?.display().to_string()))
            .collect();
        let diff = diff(folder)?;
        let mut patch = String::new();
        for index in 0..diff.deltas().len() {
            if let Some(mut file) = git2::Patch::from_diff(&diff, index)? {
                patch.push_str(&String::from_utf8_lossy(&file.to_buf()?));
            }
        }
        let author = commit.author();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Shown {
            author: Person { name: text(author.name_bytes()), email: text(author.email_bytes()) },
            message: text(commit.message_bytes()),
            files,
            patch,
        })
    };
    shown().map_err(|error: git2::Error| during("cannot show", repository, &error))
}

/// The files of a commit below some folders.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The commit's ID.
    pub commit: String,
    /// By path, relative to the folder that was asked about.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The checkout around a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The folder at its root.
    pub root: PathBuf,
    /// Where it came from, as it is written there: it may hold a token.
    pub origin: Option<String>,
    /// The default branch of where it came from, or the one that is checked out.
    pub branch: Option<String>,
}

/// Finds the checkout that a folder lies in; none where there is none.
///
/// # Errors
///
/// There is one, and it cannot be read.
pub fn checkout(folder: &Path) -> Result<Option<Checkout>, GitError> {
    let found = || {
        let git = match git2::Repository::discover(folder) {
            Ok(git) => git,
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(root) = git.workdir().map(Path::to_owned) else { return Ok(None) };
        let target = |name: &str, prefix: &str| {
            let reference = git.find_reference(name).ok()?;
            let target = String::from_utf8_lossy(reference.symbolic_target_bytes()?).into_owned();
            target.strip_prefix(prefix).map(str::to_owned)
        };
        let branch = target("refs/remotes/origin/HEAD", "refs/remotes/origin/")
            .or_else(|| target("HEAD", "refs/heads/"));
        let origin = git.find_remote("origin").ok();
        let origin = origin.map(|remote| String::from_utf8_lossy(remote.url_bytes()).into_owned());
        Ok(Some(Checkout { root, origin, branch }))
    };
    found()
        .map_err(|error: git2::Error| during("cannot read the Git repository of", folder, &error))
}

const NO_REPOSITORY: &str = "run it in a checkout of the repository, or name its folder";
const NO_REVISION: &str =
    "name a commit, a branch or a tag of this repository, such as `HEAD` or `origin/main`";
const SHALLOW: &str = "this clone is shallow: fetch more history (`git fetch --unshallow`, or `fetch-depth: 0` for \
                       `actions/checkout`)";

/// Reads what the repository around a folder had where its `HEAD` and a revision parted: at the
/// revision itself, if `HEAD` stands on it. `prefix` is the folder below it whose subfolders
/// `folders` are read; symbolic links are left out.
///
/// # Errors
///
/// The folder is in no repository, the revision is not there, or the two have no common history.
pub fn snapshot(
    folder: &Path,
    prefix: &str,
    folders: &[&str],
    revision: &str,
) -> anyhow::Result<Snapshot> {
    let mut past = Past::open(folder, revision)?;
    let head = past.commit_of("HEAD")?;
    past.commit = past.git.merge_base(past.commit, head).map_err(|_| {
        let error = format!("`{}` and `HEAD` have no commit in common", visible(revision));
        anyhow::Error::new(Refused { error, hint: past.hint() })
    })?;
    let mut files = BTreeMap::new();
    for name in folders {
        let path = if prefix.is_empty() { (*name).to_owned() } else { format!("{prefix}/{name}") };
        let content = past.files(&path)?;
        files
            .extend(content.into_iter().map(|(file, content)| (format!("{name}/{file}"), content)));
    }
    Ok(Snapshot { commit: past.commit.to_string(), files })
}

/// A folder of a checkout as a commit has it. Paths are relative to the folder, with `/` between
/// their parts; symbolic links and submodules are left out.
pub struct Past {
    git: git2::Repository,
    folder: PathBuf,
    /// Where the folder lies in the repository.
    below: PathBuf,
    commit: git2::Oid,
}

impl Past {
    /// Finds a revision in the repository around a folder.
    ///
    /// # Errors
    ///
    /// The folder is in no repository, or the revision is not there.
    pub fn open(folder: &Path, revision: &str) -> anyhow::Result<Past> {
        let shown = || visible(&folder.to_string_lossy()).into_owned();
        let refused = |error: String, hint| anyhow::Error::new(Refused { error, hint });
        let absolute =
            folder.canonicalize().with_context(|| format!("cannot find `{}`", shown()))?;
        let git = git2::Repository::discover(&absolute).map_err(|error| match error.code() {
            git2::ErrorCode::NotFound => {
                refused(format!("`{}` is in no Git repository", shown()), NO_REPOSITORY)
            }
            git2::ErrorCode::Owner => refused(
                format!("the Git repository of `{}` belongs to somebody else", shown()),
                "`git config --global --add safe.directory '*'` says that it is to be trusted",
            ),
            _ => during("cannot open the Git repository of", folder, &error).into(),
        })?;
        let Some(root) = git.workdir().and_then(|root| root.canonicalize().ok()) else {
            return Err(refused(format!("`{}` has no working tree", shown()), NO_REPOSITORY));
        };
        let below = absolute.strip_prefix(&root).unwrap_or(Path::new("")).to_owned();
        let mut past = Past { git, folder: folder.to_owned(), below, commit: git2::Oid::ZERO_SHA1 };
        past.commit = past.commit_of(revision)?;
        Ok(past)
    }

    /// The commit's ID.
    pub fn commit(&self) -> String {
        self.commit.to_string()
    }

    /// The content of a file; none: there is no such file.
    ///
    /// # Errors
    ///
    /// The repository is damaged.
    pub fn file(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let read = || {
            let Some(entry) = self.entry(path)?.filter(is_file) else { return Ok(None) };
            Ok(Some(self.git.find_blob(entry.id())?.content().to_vec()))
        };
        read().map_err(|error| self.unreadable(&error))
    }

    /// The files in a folder, by name; none where there is no folder.
    ///
    /// # Errors
    ///
    /// The repository is damaged.
    pub fn files(&self, path: &str) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        self.entries(path, is_file, |id| Ok(self.git.find_blob(id)?.content().to_vec()))
    }

    /// The names of the folders in a folder.
    ///
    /// # Errors
    ///
    /// The repository is damaged.
    pub fn folders(&self, path: &str) -> anyhow::Result<Vec<String>> {
        let is_folder = |entry: &git2::TreeEntry| entry.kind() == Some(git2::ObjectType::Tree);
        Ok(self.entries(path, is_folder, |_| Ok(()))?.into_keys().collect())
    }

    fn entries<T>(
        &self,
        path: &str,
        is_wanted: impl Fn(&git2::TreeEntry) -> bool,
        read: impl Fn(git2::Oid) -> Result<T, git2::Error>,
    ) -> anyhow::Result<BTreeMap<String, T>> {
        let found = || {
            let is_tree = |of: &git2::TreeEntry| of.kind() == Some(git2::ObjectType::Tree);
            let Some(folder) = self.entry(path)?.filter(is_tree) else {
                return Ok(BTreeMap::new());
            };
            let tree = self.git.find_tree(folder.id())?;
            let wanted = tree.iter().filter(|entry| is_wanted(entry));
            let named =
                wanted.filter_map(|entry| Some((entry.name().ok()?.to_owned(), entry.id())));
            named.map(|(name, id)| Ok((name, read(id)?))).collect()
        };
        found().map_err(|error| self.unreadable(&error))
    }

    fn entry(&self, path: &str) -> Result<Option<git2::TreeEntry<'static>>, git2::Error> {
        match self.git.find_commit(self.commit)?.tree()?.get_path(&self.below.join(path)) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn commit_of(&self, revision: &str) -> anyhow::Result<git2::Oid> {
        let found = self.git.revparse_single(revision).and_then(|object| object.peel_to_commit());
        let found = found.map(|commit| commit.id());
        found.map_err(|_| {
            let folder = self.folder.to_string_lossy();
            let error = format!(
                "the Git repository of `{}` has no commit `{}`",
                visible(&folder),
                visible(revision)
            );
            Refused { error, hint: self.hint() }.into()
        })
    }

    fn hint(&self) -> &'static str {
        if self.git.is_shallow() { SHALLOW } else { NO_REVISION }
    }

    fn unreadable(&self, error: &git2::Error) -> anyhow::Error {
        during(&format!("cannot read commit `{}` of", self.commit), &self.folder, error).into()
    }
}

fn is_file(entry: &git2::TreeEntry) -> bool {
    matches!(entry.filemode(), 0o100_644 | 0o100_755 | 0o100_664)
}

fn during(action: &str, folder: &Path, error: &git2::Error) -> GitError {
    foreign(error).during(format!("{action} `{}`", folder.display()))
}
