//! Raw JSON that people edited, rendered: the same change in Terraform.
//!
//! The raw JSON of a commit is the base, that of the working tree takes AWS's place, and the
//! module's files are what they are: so who is ahead is decided as in an export. All of it happens in
//! memory; what comes of it is written at the end, or not at all. Raw JSON is never written.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use serde::Serialize;
use tracing::info;
use unicode_normalization::UnicodeNormalization;

use crate::aws::Account;
use crate::directory::{Directory, Files};
use crate::error::Refused;
use crate::export::{self, kind_of_folder};
use crate::invisible::visible;
use crate::json::Json;
use crate::raw_json;
use crate::repository::hunks;
use crate::repository::local::{self, Snapshot};
use crate::resource::{Entity, Inventory, KINDS, Kind, Reading};
use crate::settings::Coverage;
use crate::steps::Options;
use crate::summary::{EntityStanding, Standing, Summary};

/// What to render.
#[derive(Clone, Debug)]
pub struct RenderSettings {
    /// The checkout, or the folder in it that holds everything.
    pub folder: PathBuf,
    /// The revision whose raw JSON is the base.
    pub base: String,
    /// Whether nothing is written and what would be is a problem.
    pub check: bool,
    /// Whether the raw JSON stays as it is edited.
    pub keeps_json: bool,
    pub coverage: Coverage,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// The ID of the commit that was compared with.
    pub base: String,
    pub check: bool,
    /// Raw JSON files that say something else than at the base.
    pub changed: Vec<String>,
    /// Terraform files that were written or, with `check`, would be.
    pub written: Vec<String>,
    /// The same of files that are removed.
    pub removed: Vec<String>,
    /// Raw JSON files that are as at the base again, now that Terraform says what they said.
    pub taken_back: Vec<String>,
    /// Terraform files that are ahead of the raw JSON.
    pub pending: Vec<String>,
    /// If there are any, nothing was written.
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
}

/// Why raw JSON and Terraform do not agree, or cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The raw JSON file.
    pub file: String,
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub problem: String,
    /// What would make Terraform say what the JSON says.
    pub difference: Option<String>,
    #[serde(skip)]
    pub remedy: Remedy,
}

/// What a person can do about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    Correct,
    /// Run without `check`.
    Render,
    Decide,
}

/// Renders what is edited, or checks that nothing is left to render.
///
/// # Errors
///
/// The base cannot be read, or a file cannot be read or written. What people wrote and cannot be
/// is in the outcome.
pub fn render(settings: &RenderSettings) -> anyhow::Result<Outcome> {
    let prefix = settings.coverage.prefix();
    let folders: Vec<&str> =
        kinds(&settings.coverage).flat_map(|kind| kind.folders).copied().collect();
    let snapshot = local::snapshot(&settings.folder, prefix, &folders, &settings.base)?;
    let folder = Directory::new(&settings.folder.join(prefix), settings.check);
    let mut outcome =
        Outcome { base: snapshot.commit.clone(), check: settings.check, ..Outcome::default() };
    let proposal = Proposal::read(&folder, &settings.coverage, snapshot)?;
    outcome.changed = proposal.changed.iter().cloned().collect();
    outcome.problems = proposal.problems;
    if outcome.problems.is_empty() && !outcome.changed.is_empty() {
        refuse_without_terraform(&folder, &proposal.base)?;
        let run = Run { coverage: &settings.coverage, folder: &folder, base: &proposal.base };
        let account = proposal.account.as_ref();
        let changes = run.decide(proposal.entities, account, &proposal.paths, &mut outcome)?;
        let is_written = outcome.problems.is_empty();
        if is_written || settings.check {
            for (path, content) in &changes {
                match content {
                    Some(_) => outcome.written.push(path.clone()),
                    None => outcome.removed.push(path.clone()),
                }
            }
        }
        if is_written && !settings.check {
            write(&folder, &changes)?;
            if !settings.keeps_json {
                // Until it is applied, JSON that is ahead of AWS would look like a change of AWS.
                write(&folder, &proposal.takes_back)?;
                outcome.taken_back = proposal.takes_back.into_keys().collect();
            }
        }
    }
    info!(
        changed = outcome.changed.len(),
        written = outcome.written.len(),
        removed = outcome.removed.len(),
        problems = outcome.problems.len(),
        "rendered"
    );
    Ok(outcome)
}

fn kinds(coverage: &Coverage) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(|kind| coverage.kinds.contains(kind.plural))
}

/// What was never rendered has no place for an edit, and would be made a second time.
fn refuse_without_terraform(folder: &Directory, base: &BaseFiles) -> anyhow::Result<()> {
    let has_terraform = folder.files("terraform")?.iter().any(|name| name.contains(".tf"));
    if has_terraform || base.is_empty() {
        return Ok(());
    }
    Err(Refused {
        error: "there is raw JSON of an export, and no Terraform beside it".to_owned(),
        hint: "`aws-iam-gitops export` writes it, with import blocks",
    }
    .into())
}

/// New files first: what was interrupted can be run again.
fn write(folder: &Directory, changes: &Changes) -> anyhow::Result<()> {
    for (path, content) in changes {
        if let Some(content) = content {
            folder.write(path, content)?;
        }
    }
    for (path, _) in changes.iter().filter(|(_, content)| content.is_none()) {
        folder.remove(path)?;
    }
    Ok(())
}

/// Raw JSON, by path.
type BaseFiles = BTreeMap<String, Vec<u8>>;

/// What becomes of files; none: they are removed.
type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// Where the raw JSON and the Terraform of an entity lie, by kind and key.
type Paths = HashMap<(&'static str, String), (String, String)>;

/// What the working tree's raw JSON asks for.
struct Proposal {
    /// The raw JSON of the base, what is none left out.
    base: BaseFiles,
    entities: Inventory,
    account: Option<Account>,
    paths: Paths,
    changed: BTreeSet<String>,
    /// The edited files as they were.
    takes_back: Changes,
    problems: Vec<Problem>,
}

/// An entity of the working tree, with its kind and its file's bytes.
type Read = (&'static Kind, Box<dyn Entity>, Vec<u8>);

impl Proposal {
    fn read(
        folder: &Directory,
        coverage: &Coverage,
        snapshot: Snapshot,
    ) -> anyhow::Result<Proposal> {
        let mut bases: BTreeMap<String, Box<dyn Entity>> = BTreeMap::new();
        for (path, content) in &snapshot.files {
            let kind = path.split('/').next().and_then(kind_of_folder);
            let entity = kind.and_then(|kind| entity(kind, path, content).ok());
            bases.extend(entity.map(|entity| (path.clone(), entity)));
        }
        let mut base = snapshot.files;
        let known: BTreeSet<String> = base.keys().cloned().collect();
        base.retain(|path, _| bases.contains_key(path));
        let mut problems = Vec::new();
        let mut found: BTreeMap<String, Read> = BTreeMap::new();
        for kind in kinds(coverage) {
            for path in raw_json::paths(folder, kind)? {
                let content = folder.read(&path)?.unwrap_or_default();
                match entity(kind, &path, &content) {
                    Ok(entity) => drop(found.insert(path, (kind, entity, content))),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        let entities = || bases.values().chain(found.values().map(|(_, entity, _)| entity));
        let account = entities()
            .filter(|entity| !entity.path().is_empty())
            .find_map(|entity| Account::of_arn(entity.arn()));
        let path_of = |entity: &dyn Entity| {
            let key = (entity.kind().plural, entity.key().to_owned());
            (key, (entity.json_path(), entity.terraform_path()))
        };
        let paths = entities().map(|entity| path_of(entity.as_ref())).collect();
        let is_gone = |path: &&String| {
            !found.contains_key(*path) && !problems.iter().any(|problem| problem.file == **path)
        };
        let mut changed: BTreeSet<String> = bases.keys().filter(is_gone).cloned().collect();
        let is_terraforms =
            |entity: &dyn Entity| entity.json_only().is_none() && !coverage.ignores(entity);
        let mut takes_back: Changes = changed
            .iter()
            .filter(|path| is_terraforms(bases[*path].as_ref()))
            .map(|path| (path.clone(), base.get(path).cloned()))
            .collect();
        let mut readings: Vec<(&'static Kind, Reading)> =
            kinds(coverage).map(|kind| (kind, complete(kind))).collect();
        for (path, (kind, mut entity, content)) in found {
            let of_base = bases.get(&path).map(Box::as_ref);
            if base.get(&path) != Some(&content) {
                entity.take_defaults(of_base);
                if of_base.is_none_or(|base| base.json() != entity.json()) {
                    changed.insert(path.clone());
                    if is_terraforms(entity.as_ref())
                        && (of_base.is_some() || !known.contains(&path))
                    {
                        takes_back.insert(path.clone(), base.get(&path).cloned());
                    }
                }
                if !coverage.ignores(entity.as_ref()) {
                    let is_new = !known.contains(&path);
                    let faults =
                        faults(entity.as_ref(), of_base, is_new, account.as_ref(), &content);
                    problems.extend(faults.into_iter().map(|fault| Problem::at(&path, fault)));
                }
            }
            let of_kind = readings.iter_mut().find(|(read, _)| std::ptr::eq(*read, kind));
            let (_, reading) = of_kind.expect("its kind is read");
            reading.entities.push(entity);
        }
        let is_gone = |path: &&String| {
            bases.contains_key(*path) && !paths_of(&readings).any(|found| found == **path)
        };
        for path in changed.iter().filter(is_gone) {
            problems.extend(still_used(bases[path].as_ref(), path, &readings));
        }
        let entities = Inventory { readings, ..Inventory::default() };
        Ok(Proposal { base, entities, account, paths, changed, takes_back, problems })
    }
}

fn paths_of(readings: &[(&'static Kind, Reading)]) -> impl Iterator<Item = String> {
    readings.iter().flat_map(|(_, reading)| reading.entities.iter().map(|it| it.json_path()))
}

/// AWS deletes nothing that others have: an apply would fail halfway.
fn still_used(
    removed: &dyn Entity,
    path: &str,
    readings: &[(&'static Kind, Reading)],
) -> Option<Problem> {
    let users = readings.iter().flat_map(|(_, reading)| &reading.entities);
    let user = users.filter(|user| user.json_path() != path).find(|user| {
        let is_it = |(kind, key): &(&'static Kind, &str)| {
            std::ptr::eq(*kind, removed.kind()) && *key == removed.key()
        };
        user.mentions().iter().any(is_it)
    })?;
    let user = user.json_path();
    Some(Problem::at(path, format!("it is gone, and `{}` still names it", visible(&user))))
}

/// A reading of everything there is.
fn complete(kind: &Kind) -> Reading {
    Reading { complete: kind.folders.iter().copied().collect(), ..Reading::default() }
}

/// The entity that a raw JSON file holds.
fn entity(kind: &Kind, path: &str, content: &[u8]) -> Result<Box<dyn Entity>, Problem> {
    raw_json::parse(kind, path, content).map_err(|fault| Problem {
        line: fault.line,
        column: fault.column,
        ..Problem::at(path, fault.fault)
    })
}

/// What no export would have written in a file that a person changed.
fn faults(
    entity: &dyn Entity,
    base: Option<&dyn Entity>,
    is_new: bool,
    account: Option<&Account>,
    content: &[u8],
) -> Vec<String> {
    let mut faults = Vec::new();
    let arn = entity.arn();
    let end = match entity.path() {
        "" => format!("/{}", entity.name()),
        path => format!("{path}{}", entity.name()),
    };
    if !entity.has_arn() {
        // Nothing to hold it against.
    } else if !entity.kind().do_keys_end_in_names {
        if let Some(base) = base.filter(|base| base.arn() != arn) {
            let (arn, own) = (visible(arn), visible(base.arn()));
            faults.push(format!("the ARN `{arn}` is another entity's: its own is `{own}`"));
        }
    } else if !arn.ends_with(&end) {
        let (arn, end) = (visible(arn), visible(&end));
        faults.push(format!("the ARN `{arn}` is another entity's: its own ends with `{end}`"));
    } else if let Some(account) = account.filter(|account| !account.owns(arn)) {
        let arn = visible(arn);
        faults.push(format!("the ARN `{arn}` is not of account `{}`", account.id));
    }
    if is_new && entity.is_named_by_aws() {
        let kind = entity.kind().name;
        faults.push(format!(
            "AWS names a new {kind} itself: write it as Terraform, and the next export adds its raw JSON"
        ));
    }
    let written = String::from_utf8(entity.json()).ok();
    let written = written.and_then(|text| Json::parse(&text).ok());
    let found = std::str::from_utf8(content).ok().and_then(|text| Json::parse(text).ok());
    if let (Some(found), Some(written)) = (found, written) {
        let mut unknown = BTreeSet::new();
        note_unknown(&found, &[&written], "", &mut unknown);
        for member in unknown {
            let member = visible(&member).into_owned();
            faults.push(format!("the raw JSON of a {} has no `{member}`", entity.kind().name));
        }
    }
    faults
}

/// Notes the members that say something and that reading passes over.
fn note_unknown(found: &Json, written: &[&Json], place: &str, unknown: &mut BTreeSet<String>) {
    match found {
        Json::Object(members) => {
            for (key, value) in members.iter().filter(|(_, value)| !is_empty(value)) {
                let below: Vec<&Json> = written.iter().filter_map(|of| member(of, key)).collect();
                let is_object = |of: &&Json| matches!(of, Json::Object(_));
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                if !below.is_empty() {
                    note_unknown(value, &below, &place, unknown);
                } else if written.iter().any(is_object) {
                    unknown.insert(place);
                }
            }
        }
        Json::Array(items) => {
            let of_arrays = written.iter().filter_map(|of| match of {
                Json::Array(items) => Some(items),
                _ => None,
            });
            let below: Vec<&Json> = of_arrays.flatten().collect();
            for item in items {
                note_unknown(item, &below, place, unknown);
            }
        }
        _ => {}
    }
}

/// A member by its key, however that is spelled in Unicode: documents are normalized.
fn member<'a>(of: &'a Json, key: &str) -> Option<&'a Json> {
    let Json::Object(members) = of else { return None };
    let is_same = |of: &str| of == key || of.nfc().eq(key.nfc());
    members.iter().find(|(of, _)| is_same(of)).map(|(_, value)| value)
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The files to decide on.
struct Run<'a> {
    coverage: &'a Coverage,
    folder: &'a Directory,
    base: &'a BaseFiles,
}

impl Run<'_> {
    /// Compares and adds to the outcome what it comes to; the answer is what is to be written.
    fn decide(
        &self,
        entities: Inventory,
        account: Option<&Account>,
        paths: &Paths,
        outcome: &mut Outcome,
    ) -> anyhow::Result<Changes> {
        let overlay = self.overlay();
        let options = Options { proposed: true, ..Options::new(self.coverage) };
        let (summary, entities) = export::write(&overlay, &options, account, entities)?;
        let changes = overlay.changes.into_inner();
        let changed: HashSet<String> = outcome.changed.iter().cloned().collect();
        let mut undecided = BTreeSet::new();
        for kind in &summary.kinds {
            outcome.pending.extend(kind.pending.iter().cloned());
            for standing in &kind.standings {
                let key = (kind.kind, standing.key.clone());
                let Some((json, terraform)) = paths.get(&key) else { continue };
                let of =
                    Of { key: &key, standing, json, terraform, is_changed: changed.contains(json) };
                if let Some(problem) = of.problem(&summary, outcome.check) {
                    outcome.problems.push(problem);
                    let is_open = standing.standing == Standing::Conflicting;
                    if is_open && of.reason(&summary).is_none() {
                        undecided.insert(key);
                    }
                } else if of.is_changed && standing.standing == Standing::Skipped {
                    let why = standing.detail.as_deref().unwrap_or_default();
                    outcome.notes.push(format!(
                        "`{}` has no Terraform ({}): an export will put it back as AWS has it",
                        visible(json),
                        visible(why)
                    ));
                }
            }
        }
        let is_told = |note: &String| {
            summary.held_back.iter().any(|key| {
                paths.get(key).is_some_and(|(_, path)| note.starts_with(&held_back(path)))
            })
        };
        outcome.notes.extend(summary.notes.iter().filter(|note| !is_told(note)).cloned());
        if !undecided.is_empty() {
            self.tell_differences(entities, account, paths, &undecided, outcome)?;
        }
        Ok(changes)
    }

    /// Finds out what the JSON's version of Terraform would be where both sides changed.
    fn tell_differences(
        &self,
        mut entities: Inventory,
        account: Option<&Account>,
        paths: &Paths,
        undecided: &BTreeSet<(&'static str, String)>,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        for key in undecided {
            let Some((json, _)) = paths.get(key) else { continue };
            let only = BTreeSet::from([key.clone()]);
            let overlay = self.overlay();
            let options =
                Options { proposed: true, only: Some(&only), ..Options::new(self.coverage) };
            (_, entities) = export::write(&overlay, &options, account, entities)?;
            let mut difference = String::new();
            for (path, content) in overlay.changes.take() {
                let old = self.folder.read(&path)?.unwrap_or_default();
                let new = content.unwrap_or_default();
                difference.push_str(&format!("--- {path}\n"));
                let text = hunks(&String::from_utf8_lossy(&old), &String::from_utf8_lossy(&new));
                difference.push_str(&text);
            }
            let of_file = outcome.problems.iter_mut().find(|problem| problem.file == *json);
            if let Some(problem) = of_file.filter(|_| !difference.is_empty()) {
                problem.difference = Some(difference);
            }
        }
        Ok(())
    }

    fn overlay(&self) -> Overlay<'_> {
        Overlay { base: self.base, folder: self.folder, changes: RefCell::default() }
    }
}

/// How the note begins that says why a step has to wait.
fn held_back(terraform_path: &str) -> String {
    format!("`{terraform_path}` stays as it is: ")
}

/// One entity that was decided on.
struct Of<'a> {
    key: &'a (&'static str, String),
    standing: &'a EntityStanding,
    json: &'a str,
    terraform: &'a str,
    is_changed: bool,
}

impl Of<'_> {
    fn problem(&self, summary: &Summary, check: bool) -> Option<Problem> {
        let file = self.standing.detail.as_deref().unwrap_or(self.terraform);
        let decide =
            |text: String| Some(Problem { remedy: Remedy::Decide, ..Problem::at(self.json, text) });
        if summary.held_back.contains(self.key) {
            let start = held_back(self.terraform);
            let reason = summary.notes.iter().find_map(|note| note.strip_prefix(&start));
            let reason = reason.unwrap_or("other files depend on it");
            return decide(format!("Terraform cannot follow: {reason}"));
        }
        match self.standing.standing {
            Standing::Conflicting => match self.reason(summary) {
                Some(reason) => decide(format!("Terraform cannot follow: {}", visible(&reason))),
                None => decide(format!("`{}` changed too, and differently", visible(file))),
            },
            Standing::Unreadable if self.is_changed => {
                decide(format!("`{}` is not HCL, so it cannot follow", visible(file)))
            }
            _ if check && summary.edited.contains(self.key) => {
                let file = visible(file);
                let text = match self.standing.standing {
                    _ if !self.is_changed => {
                        format!("what it refers to changed, and `{file}` did not")
                    }
                    Standing::Unmanaged => "it is new, and Terraform has nothing of it".to_owned(),
                    Standing::Gone => "it is gone, and Terraform still has it".to_owned(),
                    _ => format!("it changed, and `{file}` did not"),
                };
                let problem = Problem::at(self.json, text);
                Some(Problem { remedy: Remedy::Render, ..problem })
            }
            _ => None,
        }
    }

    fn reason(&self, summary: &Summary) -> Option<String> {
        let mut conflicts = summary.conflicts.iter();
        let is_this = |plural: &str, key: &str| plural == self.key.0 && key == self.key.1;
        conflicts.find(|it| is_this(it.kind.plural, &it.key))?.reason.clone()
    }
}

impl Problem {
    fn at(file: &str, problem: String) -> Problem {
        let file = file.to_owned();
        let remedy = Remedy::Correct;
        Problem { file, line: None, column: None, problem, difference: None, remedy }
    }
}

/// The raw JSON of a commit over the Terraform of a folder; what is written stays in memory.
struct Overlay<'a> {
    base: &'a BaseFiles,
    folder: &'a Directory,
    changes: RefCell<Changes>,
}

impl Overlay<'_> {
    fn change(&self, path: &str, content: Option<&[u8]>) -> anyhow::Result<()> {
        if is_raw(path) {
            return Ok(());
        }
        let mut changes = self.changes.borrow_mut();
        if self.folder.read(path)?.as_deref() == content {
            changes.remove(path);
        } else {
            changes.insert(path.to_owned(), content.map(<[u8]>::to_vec));
        }
        Ok(())
    }
}

fn is_raw(path: &str) -> bool {
    path.split('/').next().and_then(kind_of_folder).is_some()
}

impl Files for Overlay<'_> {
    fn files(&self, folder: &str) -> anyhow::Result<BTreeSet<String>> {
        if !is_raw(folder) {
            return self.folder.files(folder);
        }
        let name = |path: &String| {
            path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned)
        };
        Ok(self.base.keys().filter_map(name).collect())
    }

    fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        if is_raw(path) {
            return Ok(self.base.get(path).cloned());
        }
        match self.changes.borrow().get(path) {
            Some(content) => Ok(content.clone()),
            None => self.folder.read(path),
        }
    }

    fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        self.change(path, Some(content))
    }

    fn remove(&self, path: &str) -> anyhow::Result<()> {
        self.change(path, None)
    }
}
