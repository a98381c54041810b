//! Repositories on this machine for a person to look at: made, checked out, their commits shown.

use std::path::Path;

use super::error::GitError;
use super::{Person, foreign};

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

fn during(action: &str, folder: &Path, error: &git2::Error) -> GitError {
    foreign(error).during(format!("{action} `{}`", folder.display()))
}
