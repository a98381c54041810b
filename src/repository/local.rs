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
    let shown = || visible(&folder.to_string_lossy()).into_owned();
    let refused = |error: String, hint: &'static str| anyhow::Error::new(Refused { error, hint });
    let absolute = folder.canonicalize().with_context(|| format!("cannot find `{}`", shown()))?;
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
    let below = absolute.strip_prefix(&root).unwrap_or(Path::new("")).join(prefix);
    let hint = if git.is_shallow() { SHALLOW } else { NO_REVISION };
    let no_commit = |name: &str| {
        let error =
            format!("the Git repository of `{}` has no commit `{}`", shown(), visible(name));
        refused(error, hint)
    };
    let commit = |name: &str| {
        let found = git.revparse_single(name).and_then(|object| object.peel_to_commit());
        found.map_err(|_| no_commit(name))
    };
    let (base, head) = (commit(revision)?, commit("HEAD")?);
    let common = git.merge_base(base.id(), head.id()).map_err(|_| {
        let error = format!("`{}` and `HEAD` have no commit in common", visible(revision));
        refused(error, hint)
    })?;
    let read = || {
        let tree = git.find_commit(common)?.tree()?;
        let mut files = BTreeMap::new();
        for name in folders {
            let entry = match tree.get_path(&below.join(name)) {
                Ok(entry) if entry.kind() == Some(git2::ObjectType::Tree) => entry,
                Ok(_) => continue,
                Err(error) if error.code() == git2::ErrorCode::NotFound => continue,
                Err(error) => return Err(error),
            };
            for file in &git.find_tree(entry.id())? {
                let is_file = matches!(file.filemode(), 0o100_644 | 0o100_755 | 0o100_664);
                if let Some(file_name) = file.name().ok().filter(|_| is_file) {
                    let content = git.find_blob(file.id())?.content().to_vec();
                    files.insert(format!("{name}/{file_name}"), content);
                }
            }
        }
        Ok(files)
    };
    let files = read().map_err(|error: git2::Error| {
        during(&format!("cannot read commit `{common}` of"), folder, &error)
    })?;
    Ok(Snapshot { commit: common.to_string(), files })
}

fn during(action: &str, folder: &Path, error: &git2::Error) -> GitError {
    foreign(error).during(format!("{action} `{}`", folder.display()))
}
