//! A folder in the layout of the repository: exported to by the real program, edited as people do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::python::Emulator;
use super::run;

/// Every file, by its path, with its content.
pub type Tree = BTreeMap<String, String>;

/// A folder that ends with the value.
pub struct Repository {
    folder: tempfile::TempDir,
}

/// What an export said, as it tells programs.
pub struct Summary(pub Value);

impl Repository {
    pub fn new() -> Repository {
        Repository { folder: tempfile::tempdir().expect("temporary folder") }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The root module.
    pub fn root(&self) -> PathBuf {
        self.folder().join("terraform")
    }

    /// Exports what the AWS API answers.
    #[track_caller]
    pub fn export(&self, emulator: &Emulator, arguments: &[&str]) -> Summary {
        self.run(&emulator.environment(), arguments)
    }

    /// Exports what files hold.
    #[track_caller]
    pub fn export_from(&self, from: &Path, arguments: &[&str]) -> Summary {
        let from = ["--from", from.to_str().expect("UTF-8")];
        self.run(&[], &[&from, arguments].concat())
    }

    #[track_caller]
    fn run(&self, environment: &[(&str, String)], arguments: &[&str]) -> Summary {
        let arguments = [&["--quiet", "--output", "json"], arguments].concat();
        Summary(run::export(environment, self.folder(), &arguments).succeeded().summary())
    }

    /// All files of ours, Terraform's own left out.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        let mut folders = vec![self.folder().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let name = path.strip_prefix(self.folder()).expect("below");
                let name = name.to_str().expect("UTF-8").to_owned();
                if path.ends_with(".terraform") || name.starts_with("terraform/.terraform") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if name.ends_with(".tf") || name.ends_with(".json") {
                    tree.insert(name, fs::read_to_string(path).expect("UTF-8"));
                }
            }
        }
        tree
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder().join(path))
            .unwrap_or_else(|error| panic!("`{path}`: {error}"))
    }

    pub fn write(&self, path: &str, content: &str) {
        fs::write(self.folder().join(path), content)
            .unwrap_or_else(|error| panic!("`{path}`: {error}"));
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.folder().join(path))
            .unwrap_or_else(|error| panic!("`{path}`: {error}"));
    }

    /// Replaces the one place where `from` stands.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let content = self.read(path);
        assert_eq!(content.matches(from).count(), 1, "`{from}` in `{path}`:\n{content}");
        self.write(path, &content.replace(from, to));
    }
}

impl Summary {
    /// The names that each kind has in a list such as `written`.
    pub fn names(&self, list: &str) -> Vec<&str> {
        let kinds = self.0["kinds"].as_array().expect("kinds");
        let lists = kinds.iter().flat_map(|kind| kind[list].as_array().expect("a list"));
        lists.map(|name| name.as_str().expect("a name")).collect()
    }

    /// Name and reason of what is not Terraform.
    pub fn skipped(&self) -> Vec<(&str, &str)> {
        let kinds = self.0["kinds"].as_array().expect("kinds");
        let lists = kinds.iter().flat_map(|kind| kind["skipped"].as_array().expect("a list"));
        lists
            .map(|skipped| {
                let text = |member: &str| skipped[member].as_str().expect("a text");
                (text("name"), text("reason"))
            })
            .collect()
    }
}

/// The paths of files that are new, changed or gone, each with what happened to it.
pub fn differences(before: &Tree, after: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        found.push(format!("removed {path}"));
    }
    for (path, content) in after {
        match before.get(path) {
            None => found.push(format!("added {path}")),
            Some(old) if old != content => found.push(format!("changed {path}")),
            Some(_) => {}
        }
    }
    found
}
