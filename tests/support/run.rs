//! Runs the program as a user does, and looks at what it left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

/// What a run of the program came to.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `aws-iam-gitops export --to TO …` with this environment and nothing of the caller's.
pub fn export(environment: &[(&str, String)], to: &Path, arguments: &[&str]) -> Outcome {
    let home = tempfile::tempdir().expect("a home");
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .arg("export")
        .arg("--to")
        .arg(to)
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .expect("the program runs");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout in UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr in UTF-8"),
    }
}

impl Outcome {
    /// Fails the test unless the run succeeded and had nothing to complain about.
    #[track_caller]
    pub fn succeeded(self) -> Outcome {
        assert_eq!(self.code, Some(0), "{self}");
        assert!(!self.stderr.contains("error"), "{self}");
        self
    }

    /// Fails the test unless the run failed, and said all this on stderr.
    #[track_caller]
    pub fn failed_saying(self, texts: &[&str]) -> Outcome {
        assert_eq!(self.code, Some(1), "{self}");
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is missing\n{self}");
        }
        self
    }

    /// The summary of `--output json`.
    #[track_caller]
    pub fn summary(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    #[track_caller]
    pub fn wrote_nothing(&self) {
        assert!(self.stdout.contains("nothing changed, nothing written"), "{self}");
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

/// What a summary says of a kind, by its plural.
#[track_caller]
pub fn of_kind<'a>(summary: &'a Value, kind: &str) -> &'a Value {
    let kinds = summary["kinds"].as_array().expect("kinds");
    kinds.iter().find(|of| of["kind"] == kind).expect("such a kind")
}

/// Every file below a folder, with its content and when it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree(BTreeMap<String, (String, SystemTime)>);

impl Tree {
    pub fn of(folder: &Path) -> Tree {
        let mut found = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let written = fs::metadata(&path).and_then(|of| of.modified()).expect("a date");
                let content = fs::read_to_string(&path).expect("a file in UTF-8");
                let name = path.strip_prefix(folder).expect("below the folder");
                found.insert(name.to_str().expect("UTF-8").to_owned(), (content, written));
            }
        }
        Tree(found)
    }

    pub fn content(&self, path: &str) -> &str {
        let file =
            self.0.get(path).unwrap_or_else(|| panic!("`{path}` is missing: {:?}", self.paths()));
        &file.0
    }

    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    pub fn paths(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    pub fn contents(&self) -> BTreeMap<&str, &str> {
        self.0.iter().map(|(path, (content, _))| (path.as_str(), content.as_str())).collect()
    }

    /// The files whose path holds one of these texts.
    pub fn only(&self, texts: &[&str]) -> Tree {
        let wanted = |path: &str| texts.iter().any(|text| path.contains(text));
        Tree(
            self.0
                .iter()
                .filter(|(path, _)| wanted(path))
                .map(|(p, f)| (p.clone(), f.clone()))
                .collect(),
        )
    }

    /// All files but those whose path holds this text.
    pub fn without(&self, text: &str) -> Tree {
        let mut rest = self.clone();
        rest.0.retain(|path, _| !path.contains(text));
        rest
    }

    /// What happened on the way to a later tree: `+ new`, `- removed`, `~ written`.
    pub fn changes(&self, later: &Tree) -> Vec<String> {
        let mut paths: Vec<_> = self.0.keys().chain(later.0.keys()).collect();
        paths.sort();
        paths.dedup();
        let change = |path: &&String| match (self.0.get(*path), later.0.get(*path)) {
            (None, _) => Some(format!("+ {path}")),
            (_, None) => Some(format!("- {path}")),
            (before, after) => (before != after).then(|| format!("~ {path}")),
        };
        paths.iter().filter_map(change).collect()
    }
}
