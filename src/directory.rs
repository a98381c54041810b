//! Where an export's files lie: what every such place can do, and the folder on a disk, where writing
//! never leaves half a file. The other place is the tree of a commit (`repository`).

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::terraform::read::mentions;

/// Ends the name of a file that is not yet whole; such files are removed when a folder is opened.
const UNFINISHED: &str = ".aws-iam-gitops-unfinished";

/// A place in the layout of the repository; none of it need exist. Paths have `/` between their parts.
pub trait Files {
    /// The names of the files in a folder, sorted; none where there is no folder.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed.
    fn files(&self, folder: &str) -> anyhow::Result<BTreeSet<String>>;

    /// The content of a file, if it exists.
    ///
    /// # Errors
    ///
    /// The file exists and cannot be read.
    fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>>;

    /// Writes a file as a whole or not at all.
    ///
    /// # Errors
    ///
    /// The disk is full, the folder is not writable, …; the old file is still there then.
    fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()>;

    /// Removes a file; one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// The file is still there.
    fn remove(&self, path: &str) -> anyhow::Result<()>;

    /// Whether there is a file.
    ///
    /// # Errors
    ///
    /// As for [`Files::read`].
    fn has(&self, path: &str) -> anyhow::Result<bool> {
        Ok(self.read(path)?.is_some())
    }

    /// Shows the names of [`Files::files`] one by one, in any order, as long as `visit` asks for
    /// more; without those that begin with one of `skipped`.
    ///
    /// # Errors
    ///
    /// As for [`Files::files`].
    fn each(
        &self,
        folder: &str,
        skipped: &[String],
        visit: &mut dyn FnMut(&str) -> bool,
    ) -> anyhow::Result<()> {
        let is_skipped = |name: &str| skipped.iter().any(|start| name.starts_with(start));
        self.files(folder)?.iter().all(|name| is_skipped(name) || visit(name));
        Ok(())
    }

    /// The files of a folder that name any of these resources ([`mentions`]).
    ///
    /// # Errors
    ///
    /// As for [`Files::files`] and [`Files::read`].
    fn naming(&self, folder: &str, resources: &HashSet<u64>) -> anyhow::Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for name in self.files(folder)? {
            let path = format!("{folder}/{name}");
            let content = self.read(&path)?.unwrap_or_default();
            if mentions(&content).iter().any(|named| resources.contains(named)) {
                found.insert(path);
            }
        }
        Ok(found)
    }
}

/// A folder in the layout of the repository; it need not exist.
pub struct Directory {
    root: PathBuf,
    dry_run: bool,
    made: std::cell::RefCell<BTreeSet<PathBuf>>,
}

impl Directory {
    /// With `dry_run` nothing is ever written or removed.
    pub fn new(root: &Path, dry_run: bool) -> Directory {
        Directory { root: root.to_owned(), dry_run, made: Default::default() }
    }

    /// Where a file is written: a link to a file of the same folder stays a link. One that leads
    /// out of it is replaced, so that what is in a repository never says what else is written.
    fn place(&self, path: &str) -> PathBuf {
        let path = self.root.join(path);
        let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        if is_link
            && let (Ok(target), Ok(root)) = (fs::canonicalize(&path), fs::canonicalize(&self.root))
            && target.starts_with(root)
        {
            return target;
        }
        path
    }

    /// Best effort: what stays is discarded the next time.
    fn discard(&self, path: &Path) {
        if !self.dry_run {
            let _ = fs::remove_file(path);
        }
    }
}

impl Files for Directory {
    fn files(&self, folder: &str) -> anyhow::Result<BTreeSet<String>> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot list `{}`", path.display()));
            }
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list `{}`", path.display()))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.ends_with(UNFINISHED) {
                self.discard(&entry.path());
            } else if entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
                names.insert(name);
            }
        }
        Ok(names)
    }

    fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.root.join(path);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        if self.dry_run {
            return Ok(());
        }
        let path = self.place(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            anyhow::bail!("`{}` is no file name", path.display());
        };
        let unfinished = folder.join(format!(".{}{UNFINISHED}", name.to_string_lossy()));
        let write = || {
            if self.made.borrow_mut().insert(folder.to_owned()) {
                fs::create_dir_all(folder)?;
            }
            let mut file = fs::File::create(&unfinished)?;
            file.write_all(content)?;
            drop(file);
            if let Ok(old) = fs::metadata(&path) {
                fs::set_permissions(&unfinished, old.permissions())?;
            }
            fs::rename(&unfinished, &path)
        };
        write()
            .inspect_err(|_| self.discard(&unfinished))
            .with_context(|| format!("cannot write `{}`", path.display()))
    }

    fn remove(&self, path: &str) -> anyhow::Result<()> {
        if self.dry_run {
            return Ok(());
        }
        let path = self.root.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_whole_and_leftovers_are_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path(), false);
        assert!(directory.files("roles").unwrap().is_empty());
        directory.write("roles/a.json", b"1").unwrap();
        fs::write(folder.path().join(format!("roles/.b.json{UNFINISHED}")), "half").unwrap();
        assert_eq!(directory.files("roles").unwrap(), BTreeSet::from(["a.json".to_owned()]));
        assert_eq!(fs::read_dir(folder.path().join("roles")).unwrap().count(), 1);
        assert_eq!(directory.read("roles/a.json").unwrap().unwrap(), b"1");
        assert_eq!(directory.read("roles/b.json").unwrap(), None);
        directory.remove("roles/a.json").unwrap();
        directory.remove("roles/a.json").unwrap();
    }

    #[test]
    fn failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path(), false);
        // A folder stands where the file should go: the rename fails.
        fs::create_dir_all(folder.path().join("roles/a.json/x")).unwrap();
        let error = directory.write("roles/a.json", b"1").unwrap_err();
        assert!(error.to_string().contains("cannot write"));
        assert_eq!(fs::read_dir(folder.path().join("roles")).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_within_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directory = Directory::new(folder.path(), false);
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("shared")).unwrap();
        fs::create_dir_all(at("terraform")).unwrap();
        fs::write(at("shared/a.tf"), "old").unwrap();
        fs::set_permissions(at("shared/a.tf"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("../shared/a.tf", at("terraform/a.tf")).unwrap();
        directory.write("terraform/a.tf", b"new").unwrap();
        assert!(at("terraform/a.tf").is_symlink());
        assert_eq!(fs::read(at("shared/a.tf")).unwrap(), b"new");
        let mode = fs::metadata(at("shared/a.tf")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);

        let theirs = outside.path().join("profile");
        fs::write(&theirs, "theirs").unwrap();
        symlink(&theirs, at("terraform/b.tf")).unwrap();
        directory.write("terraform/b.tf", b"new").unwrap();
        assert!(!at("terraform/b.tf").is_symlink());
        assert_eq!(fs::read(&theirs).unwrap(), b"theirs");
    }

    #[test]
    fn dry_run_touches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path(), true);
        directory.write("roles/a.json", b"1").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
