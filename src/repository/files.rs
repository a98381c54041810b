//! A commit's tree as the place of an export, and its pending changes as a patch.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::error::GitError;
use super::tree::{Change, Tree};
use crate::directory::Files;
use crate::invisible::visible;

impl Files for Tree {
    fn files(&self, folder: &str) -> anyhow::Result<BTreeSet<String>> {
        Ok(Tree::files(self, folder)?)
    }

    fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(Tree::read(self, path)?)
    }

    fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        Ok(Tree::write(self, path, content)?)
    }

    fn remove(&self, path: &str) -> anyhow::Result<()> {
        Ok(Tree::remove(self, path)?)
    }

    fn has(&self, path: &str) -> anyhow::Result<bool> {
        Ok(Tree::has(self, path)?)
    }

    fn each(
        &self,
        folder: &str,
        skipped: &[String],
        visit: &mut dyn FnMut(&str) -> bool,
    ) -> anyhow::Result<()> {
        Ok(self.names_without(folder, skipped, visit)?)
    }

    fn naming(&self, folder: &str, resources: &HashSet<u64>) -> anyhow::Result<BTreeSet<String>> {
        let wanted: Vec<u64> = resources.iter().copied().collect();
        Ok(self.naming_any(folder, &wanted)?)
    }
}

impl Tree {
    /// The pending changes as people read them; what a terminal would act on is spelled out.
    ///
    /// # Errors
    ///
    /// The clone is damaged.
    pub fn patch(&self) -> Result<String, GitError> {
        let changes = self.changes()?;
        Ok(changes.iter().filter_map(patch).collect())
    }
}

/// None where nothing differs or a file is not text.
fn patch(change: &Change) -> Option<String> {
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    let patch = unified(&change.path, old.unwrap_or_default(), new.unwrap_or_default())?;
    let lines = patch.lines().map(|line| match line.strip_prefix('\t') {
        Some(rest) => format!("\t{}\n", visible(rest)),
        None => format!("{}\n", visible(line)),
    });
    Some(lines.collect())
}

/// The differences of two texts, without the lines that name files; nothing is spelled out.
pub fn hunks(old: &str, new: &str) -> String {
    let patch = unified("file", old.as_bytes(), new.as_bytes()).unwrap_or_default();
    match patch.find("\n@@ ") {
        Some(start) => patch[start + 1..].to_owned(),
        None => String::new(),
    }
}

fn unified(path: &str, old: &[u8], new: &[u8]) -> Option<String> {
    let path = Path::new(path);
    let mut patch = git2::Patch::from_buffers(old, Some(path), new, Some(path), None).ok()?;
    let buffer = patch.to_buf().ok()?;
    Some(String::from_utf8_lossy(&buffer).into_owned())
}
