//! What an export did: counted for programs, told for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::aws::{CallError, DumpError};
use crate::invisible::visible;
use crate::resource::{Entity, Kind};

/// How many names a reason lists before it only counts.
const NAMES_SHOWN: usize = 5;

/// How many characters of a name or a reason are shown; AWS's longest names have 128.
const CHARACTERS_SHOWN: usize = 160;

/// The outcome of one export.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Twelve digits; absent where the input names none.
    pub account: Option<String>,
    pub to: String,
    pub dry_run: bool,
    /// Whether it was to a folder, not to a repository.
    #[serde(skip)]
    pub is_of_folder: bool,
    pub kinds: Vec<KindSummary>,
    /// Files of the module that were missing: `terraform/versions.tf` …
    pub module_files_written: Vec<String>,
    pub notes: Vec<String>,
    /// What the files given do not tell.
    pub missing: Vec<Missing>,
    pub failures: Vec<Failure>,
    /// Kind and key of entities whose step has to wait, since other files depend on theirs.
    #[serde(skip)]
    pub held_back: Vec<(&'static str, String)>,
    /// Kind and key of entities whose Terraform was written, changed or removed.
    #[serde(skip)]
    pub edited: Vec<(&'static str, String)>,
    /// What changed in Git and in AWS.
    #[serde(skip)]
    pub conflicts: Vec<Conflict>,
    /// Where AWS's versions are that the branch does not have.
    #[serde(rename = "branches")]
    pub places: Vec<Place>,
    /// API calls made, retries not counted; absent when files were read.
    pub calls: Option<usize>,
}

/// The outcome for one kind of entity.
#[derive(Debug, Default, Serialize)]
pub struct KindSummary {
    pub kind: &'static str,
    /// Singular of the kind, for people.
    #[serde(skip)]
    pub one: &'static str,
    /// Names of entities of which a file was written.
    pub written: Vec<String>,
    pub unchanged: usize,
    /// Names of entities that are gone from AWS and whose files were removed.
    pub removed: Vec<String>,
    /// The same entities by key.
    #[serde(skip)]
    pub removed_keys: Vec<String>,
    /// How many the settings say to leave out.
    pub ignored: usize,
    /// Not written as Terraform, or not at all, each with the reason.
    pub skipped: Vec<Skipped>,
    /// Terraform files that a person edited and AWS does not have yet; left alone.
    pub pending: Vec<String>,
    /// Terraform files that a person edited while AWS changed otherwise; left alone.
    pub conflicting: Vec<String>,
    /// Entities with files that were not in an incomplete reading; left alone.
    pub unknown: usize,
    /// Whether everything of this kind was read.
    pub complete: bool,
    /// Where each entity stands, in the order they were looked at.
    #[serde(skip)]
    pub standings: Vec<EntityStanding>,
}

/// Where an entity stands, and the file or the reason that says more.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityStanding {
    pub key: String,
    pub name: String,
    /// What people call it, where its name is an ID.
    pub title: Option<String>,
    /// The file named after it.
    pub terraform_path: String,
    pub standing: Standing,
    pub detail: Option<String>,
}

/// Where an entity stands between AWS and Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    InStep,
    /// Git is ahead.
    Pending,
    /// AWS has followed Git; the raw JSON has not.
    Converged,
    /// AWS is ahead.
    Drifted,
    Conflicting,
    /// AWS has it, and the repository does not.
    Unmanaged,
    /// The repository has it, and AWS does not any more.
    Gone,
    /// Raw JSON only.
    Skipped,
    Ignored,
    /// It was not read from AWS.
    Unknown,
    /// Its file is not HCL.
    Unreadable,
}

/// An entity that changed in Git and in AWS.
#[derive(Clone, Debug)]
pub struct Conflict {
    pub kind: &'static Kind,
    pub key: String,
    pub name: String,
    pub terraform_path: String,
    pub json_path: String,
    /// What stands in the way, if it is not that both changed.
    pub reason: Option<String>,
    /// What people changed, by file, since the raw JSON was written.
    pub git: Vec<FileChange>,
    /// What AWS changed, as it would be written anew.
    pub aws: FileChange,
}

/// A branch beside the default one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The Terraform file of the entity in conflict; empty: of all exports.
    pub path: String,
    pub branch: String,
    /// Its pull request.
    pub url: Option<String>,
}

/// A text before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChange {
    pub path: String,
    pub before: String,
    pub after: String,
}

#[derive(Debug, Serialize)]
pub struct Skipped {
    pub name: String,
    pub reason: String,
    /// Whether the raw JSON is written all the same.
    pub json: bool,
}

/// What the AWS CLI would tell and no file does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missing {
    /// The command whose output tells it, for one entity where it takes one each.
    pub command: String,
    /// `description and session duration of 78 roles`.
    pub what: String,
}

/// Something that could not be read; the exit code is 1 then.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    pub error: String,
    pub hint: Option<String>,
    /// Whether a later run may do without anybody's help.
    #[serde(skip)]
    pub is_passing: bool,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        let is_passing = error.reason.is_passing();
        Failure { hint: error.hint(), error: error.to_string(), is_passing }
    }
}

impl From<DumpError> for Failure {
    fn from(error: DumpError) -> Failure {
        let hint = error.hint().map(str::to_owned);
        Failure { hint, error: error.to_string(), is_passing: false }
    }
}

impl Summary {
    /// Whether nothing was written or removed.
    pub fn is_still(&self) -> bool {
        self.module_files_written.is_empty()
            && self.kinds.iter().all(|kind| kind.written.is_empty() && kind.removed.is_empty())
    }

    /// The text for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.print(&mut out).expect("writing to a string");
        out
    }

    /// What stands in the way of an entity in conflict, if it is not that both sides changed.
    pub fn obstacle(&self, kind: &str, key: &str) -> Option<&str> {
        let found = self.conflicts.iter().find(|it| it.kind.plural == kind && it.key == key);
        found.and_then(|conflict| conflict.reason.as_deref())
    }

    fn print(&self, out: &mut String) -> fmt::Result {
        let account = match &self.account {
            Some(account) => format!("account `{account}`"),
            None => "nothing".to_owned(),
        };
        let would = if self.dry_run { "would export" } else { "exported" };
        writeln!(out, "{would} {account} to `{}`\n", visible(&self.to))?;
        writeln!(
            out,
            "{:<24}{:>9}{:>11}{:>9}{:>9}",
            "", "written", "unchanged", "removed", "skipped"
        )?;
        for kind in self.kinds.iter().filter(|kind| kind.has_any()) {
            writeln!(
                out,
                "{:<24}{:>9}{:>11}{:>9}{:>9}",
                kind.kind,
                kind.written.len(),
                kind.unchanged,
                kind.removed.len(),
                kind.skipped.len()
            )?;
        }
        if self.kinds.iter().any(|kind| !kind.skipped.is_empty()) {
            writeln!(out, "\nskipped:")?;
        }
        for kind in &self.kinds {
            kind.print_skipped(out)?;
        }
        self.print_details(out)?;
        for note in &self.notes {
            writeln!(out, "\nnote: {note}")?;
        }
        if self.is_still() {
            writeln!(out, "\nnothing changed, nothing written")?;
        }
        Ok(())
    }

    /// What is told of single files and entities, each after an empty line; nothing if there is none.
    pub fn details(&self) -> String {
        let mut out = String::new();
        self.print_details(&mut out).expect("writing to a string");
        out
    }

    /// Lets go of what neither [`Summary::details`] nor programs are told.
    pub fn shrink(&mut self) {
        for kind in &mut self.kinds {
            kind.standings.retain(|entity| entity.standing == Standing::Conflicting);
            kind.removed_keys = Vec::new();
        }
        for conflict in &mut self.conflicts {
            conflict.git = Vec::new();
            conflict.aws = FileChange::default();
        }
        self.edited = Vec::new();
    }

    fn print_details(&self, out: &mut String) -> fmt::Result {
        let files = |of: fn(&KindSummary) -> &Vec<String>| self.kinds.iter().flat_map(of).collect();
        print_files(
            out,
            "edited in Git and not yet in AWS, left alone",
            files(|kind| &kind.pending),
        )?;
        self.print_conflicts(out)?;
        for place in &self.places {
            let what = match place.path.as_str() {
                "" => "what AWS changed".to_owned(),
                path => format!("AWS's version of `{}`", visible(path)),
            };
            let at = match &place.url {
                Some(url) => format!("pull request {}", visible(url)),
                None => format!("branch `{}`", visible(&place.branch)),
            };
            writeln!(out, "\n{what} is in {at}")?;
        }
        let ignored: Vec<_> = self
            .kinds
            .iter()
            .filter(|kind| kind.ignored > 0)
            .map(|kind| kind.counted(kind.ignored))
            .collect();
        if !ignored.is_empty() {
            writeln!(out, "\nignored, as the settings say: {}", ignored.join(", "))?;
        }
        for kind in &self.kinds {
            if kind.unknown > 0 {
                let (have, were) =
                    if kind.unknown == 1 { ("has", "was") } else { ("have", "were") };
                writeln!(
                    out,
                    "\n{} {have} files here and {were} not read, left alone",
                    kind.counted(kind.unknown)
                )?;
            }
        }
        if !self.missing.is_empty() {
            writeln!(
                out,
                "\nnote: the files do not tell everything; what they leave open stays as the folder has it, or Terraform\n\
                 is told to leave it alone (`ignore_changes`). Add the output of"
            )?;
        }
        for missing in &self.missing {
            writeln!(out, "  `{}`\n    {}", visible(&missing.command), missing.what)?;
        }
        Ok(())
    }
}

impl Summary {
    /// What is held back is told in a note, and no version of AWS's could take its place.
    fn print_conflicts(&self, out: &mut String) -> fmt::Result {
        let is_held_back = |kind: &KindSummary, key: &String| {
            self.held_back.iter().any(|(of, held)| *of == kind.kind && held == key)
        };
        let of_kind = |kind: &'_ KindSummary| {
            let standings = kind.standings.iter();
            let conflicting = |it: &&EntityStanding| it.standing == Standing::Conflicting;
            let mut found: Vec<_> = standings.filter(conflicting).cloned().collect();
            found.retain(|it| !is_held_back(kind, &it.key));
            found.into_iter().map(|it| (kind.kind, kind.one, it)).collect::<Vec<_>>()
        };
        let conflicts: Vec<_> = self.kinds.iter().flat_map(of_kind).collect();
        if conflicts.is_empty() {
            return Ok(());
        }
        let hint = match self.is_of_folder {
            true => " (`--overwrite` takes AWS's version)",
            false => "",
        };
        writeln!(out, "\nedited in Git and changed in AWS, left alone{hint}:")?;
        for (kind, one, entity) in conflicts {
            let path = entity.detail.as_deref().unwrap_or(&entity.terraform_path);
            writeln!(out, "  {one} `{}` in `{}`", shortened(&entity.name), visible(path))?;
            if let Some(obstacle) = self.obstacle(kind, &entity.key) {
                writeln!(out, "    {}", shortened(obstacle))?;
            }
        }
        Ok(())
    }
}

impl KindSummary {
    /// Whether there is anything of the kind, in AWS or in Git.
    fn has_any(&self) -> bool {
        self.unchanged > 0
            || !(self.written.is_empty() && self.removed.is_empty() && self.skipped.is_empty())
    }

    /// Notes where an entity stands.
    pub fn stands(&mut self, entity: &dyn Entity, standing: Standing, detail: Option<String>) {
        let (key, name) = (entity.key().to_owned(), entity.name().to_owned());
        let title = entity.names().get(1).map(|&title| title.to_owned());
        let terraform_path = entity.terraform_path();
        match self.standings.last_mut() {
            Some(last) if last.key == key => (last.standing, last.detail) = (standing, detail),
            _ => {
                let entity = EntityStanding { key, name, title, terraform_path, standing, detail };
                self.standings.push(entity);
            }
        }
    }

    /// `1 role`, `2 roles`.
    fn counted(&self, count: usize) -> String {
        self::count(count, self.one)
    }

    fn print_skipped(&self, out: &mut String) -> fmt::Result {
        let mut by_reason: BTreeMap<(bool, &str), Vec<&str>> = BTreeMap::new();
        for skipped in &self.skipped {
            by_reason.entry((!skipped.json, &skipped.reason)).or_default().push(&skipped.name);
        }
        for ((without_json, reason), names) in by_reason {
            let written = if without_json { "not written" } else { "JSON only" };
            let shown: Vec<_> = names
                .iter()
                .take(NAMES_SHOWN)
                .map(|name| format!("`{}`", shortened(name)))
                .collect();
            let more = match names.len().saturating_sub(NAMES_SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            writeln!(
                out,
                "  {}, {written}: {}\n    {}{more}",
                self.counted(names.len()),
                shortened(reason),
                shown.join(", ")
            )?;
        }
        Ok(())
    }
}

/// A number of things: `1 role`, `2 roles`, `3 policies`.
pub fn count(number: usize, one: &str) -> String {
    match one.strip_suffix('y') {
        _ if number == 1 => format!("1 {one}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {one}s"),
    }
}

/// One line's worth of a text that may hold anything.
fn shortened(text: &str) -> String {
    let visible = visible(text);
    match visible.char_indices().nth(CHARACTERS_SHOWN) {
        Some((end, _)) => format!("{}…", &visible[..end]),
        None => visible.into_owned(),
    }
}

fn print_files(out: &mut String, what: &str, files: Vec<&String>) -> fmt::Result {
    if files.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{what}:")?;
    files.iter().try_for_each(|file| writeln!(out, "  `{}`", visible(file)))
}
