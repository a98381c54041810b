//! A bare repository on this machine, and what is in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Files by path, with their content.
pub type Files = BTreeMap<String, String>;

/// A repository without a commit, in a folder that ends with the value.
pub struct Bare {
    folder: tempfile::TempDir,
}

impl Bare {
    pub fn new() -> Bare {
        let folder = tempfile::tempdir().expect("a folder");
        let bare = Bare { folder };
        let path = bare.path();
        git(
            bare.folder.path(),
            &["init", "--quiet", "--bare", "--initial-branch=main", path.to_str().expect("UTF-8")],
        );
        bare
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("repository.git")
    }

    /// A path beside the repository.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.path(), arguments)
    }

    /// The commit at the end of a branch, if there is one.
    pub fn head(&self, branch: &str) -> Option<String> {
        let reference = format!("refs/heads/{branch}");
        let found = self.git(&["for-each-ref", "--format=%(objectname)", &reference]);
        Some(found.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// All commits of a branch, the first one first.
    pub fn commits(&self, branch: &str) -> Vec<String> {
        let list = self.git(&["rev-list", "--reverse", branch]);
        list.lines().map(str::to_owned).collect()
    }

    /// The ID of a folder in a commit.
    pub fn tree_of(&self, commit: &str, folder: &str) -> Option<String> {
        let line = self.git(&["ls-tree", commit, folder]);
        line.split_whitespace().nth(2).map(str::to_owned)
    }

    pub fn message(&self, commit: &str) -> String {
        self.git(&["log", "-1", "--format=%B", commit])
    }

    /// The files of a commit.
    pub fn files(&self, commit: &str) -> Files {
        let to = tempfile::tempdir().expect("a folder");
        let mut archive = Command::new("git")
            .args(["archive", "--format=tar", commit])
            .current_dir(self.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need git");
        let unpacked = Command::new("tar")
            .args(["-x", "-C"])
            .arg(to.path())
            .stdin(archive.stdout.take().expect("a pipe"))
            .status()
            .expect("these tests need tar");
        assert!(archive.wait().expect("git").success() && unpacked.success(), "{commit}");
        files_of(to.path())
    }
}

/// Runs git in a folder; it must succeed.
#[track_caller]
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("these tests need git");
    assert!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The files below a folder.
pub fn files_of(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("below").to_str().expect("UTF-8");
            let content = std::fs::read_to_string(&path).expect("UTF-8");
            found.insert(name.to_owned(), content);
        }
    }
    found
}
