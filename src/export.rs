//! The pipeline: read the account, compare it with what lies in the folder, write the difference.
//!
//! Terraform files are written before raw JSON. The JSON is the base that the next run compares
//! with, so an export that is interrupted leaves a folder in which AWS still differs from the base
//! and the next run goes on, rather than one in which a stale `.tf` looks like a person's edit. For
//! the same reason what refers is written before what it refers to: a role that has its new
//! reference is as AWS has it, one with its old reference is as the policy's old file has it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tracing::info;

use crate::aws::{Account, Source};
use crate::directory::Directory;
use crate::error::Refused;
use crate::invisible::visible;
use crate::reconcile::{Comparison, Verdict};
use crate::resource::parts::managed_elsewhere;
use crate::resource::{Context, Entity, JsonOnly, KINDS, Kind, Reading};
use crate::settings::ExportSettings;
use crate::summary::{Failure, KindSummary, Skipped, Summary};
use crate::terraform::read::{Declarations, declarations, json_declarations, means_the_same};
use crate::terraform::{Address, Block, Body, Expression, format};

/// The file of a module that the whole module shares, written when it is not there.
const VERSIONS: &str = include_str!("../templates/terraform/versions.tf");

/// Bytes of the longest path that is written; AWS's longest names take about 150.
const LONGEST_PATH: usize = 220;

/// Brings a folder to the state of an account.
///
/// # Errors
///
/// Input files that cannot be used, a folder of another account, or a file that cannot be read or
/// written. Calls that fail are in the summary.
pub async fn export(source: &Source, settings: &ExportSettings) -> anyhow::Result<Summary> {
    let readings = read_all(source).await;
    let account = source.account();
    let directory = Directory::new(&settings.to, settings.dry_run);
    refuse_another_account(&directory, account)?;

    let mut plan = Plan::new(&directory, settings, &readings)?;
    for (kind, reading) in KINDS.iter().zip(readings) {
        plan.add_kind(kind, reading)?;
    }
    let module_files = plan.module_files(account);
    plan.write(&module_files)?;

    let mut summary = plan.summary;
    summary.account = account.map(|account| account.id.clone());
    summary.to = settings.to.display().to_string();
    summary.dry_run = settings.dry_run;
    summary.module_files_written = module_files.into_iter().map(|(path, _)| path).collect();
    if let Source::Live(live) = source {
        summary.calls = Some(live.calls());
    }
    info!(
        written = summary.kinds.iter().map(|kind| kind.written.len()).sum::<usize>(),
        removed = summary.kinds.iter().map(|kind| kind.removed.len()).sum::<usize>(),
        failures = summary.failures.len(),
        calls = summary.calls,
        "exported"
    );
    Ok(summary)
}

/// Reads all kinds at once, in the order of [`KINDS`].
async fn read_all(source: &Source) -> Vec<Reading> {
    let readings = KINDS.iter().map(|kind| async move {
        let reading = (kind.read)(source).await;
        info!(
            kind = kind.plural,
            count = reading.entities.len(),
            unreadable = reading.unreadable.len(),
            failures = reading.failures.len(),
            "read"
        );
        reading
    });
    futures::future::join_all(readings).await
}

/// Exporting one account over another would remove all of the other's files.
fn refuse_another_account(directory: &Directory, account: Option<&Account>) -> anyhow::Result<()> {
    let Some(account) = account else { return Ok(()) };
    for folder in ["roles", "policies"] {
        let kind = kind_of(folder);
        for name in directory.files(folder)? {
            let Some(entity) = parse_base(directory, kind, &format!("{folder}/{name}"))?.0 else {
                continue;
            };
            if let Some(other) = Account::of_arn(entity.arn())
                && other.id != account.id
            {
                return Err(Refused {
                    error: format!(
                        "the folder holds account `{}` (`{folder}/{name}`), and this is account `{}`",
                        other.id, account.id
                    ),
                    hint: "give each account a folder of its own",
                }
                .into());
            }
            break;
        }
    }
    Ok(())
}

fn kind_of(folder: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.folders.contains(&folder)).expect("every folder has a kind")
}

/// The entity in a raw JSON file, and the file's bytes. No entity: the file is not ours.
type Base = (Option<Box<dyn Entity>>, Vec<u8>);

/// Reads a raw JSON file back.
fn parse_base(directory: &Directory, kind: &Kind, path: &str) -> anyhow::Result<Base> {
    let Some(content) = directory.read(path)? else { return Ok((None, Vec::new())) };
    let entity = std::str::from_utf8(&content)
        .ok()
        .and_then(|text| (kind.parse)(text).ok())
        .filter(|entity| entity.json_path() == path);
    Ok((entity, content))
}

/// Whether Terraform takes a file of the module for configuration. Override files are, too, but they
/// declare nothing of their own.
fn is_configuration(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".tf").or_else(|| name.strip_suffix(".tf.json")) else {
        return false;
    };
    !name.starts_with('.') && stem != "override" && !stem.ends_with("_override")
}

/// The Terraform files of entities that are gone from AWS. They are about to go as well, so what
/// they declare (an instance profile, say) may already belong to another entity.
fn files_of_the_gone(
    directory: &Directory,
    kind: &Kind,
    reading: &Reading,
) -> anyhow::Result<Vec<String>> {
    let known: HashSet<String> = reading.entities.iter().map(|entity| entity.json_path()).collect();
    let mut found = Vec::new();
    for folder in kind.folders.iter().filter(|folder| reading.complete.contains(*folder)) {
        for name in directory.files(folder)? {
            let path = format!("{folder}/{name}");
            if name.ends_with(".json")
                && !known.contains(&path)
                && let (Some(base), _) = parse_base(directory, kind, &path)?
                && !reading.unreadable.iter().any(|unreadable| unreadable.name == base.name())
            {
                found.push(base.terraform_path());
            }
        }
    }
    Ok(found)
}

/// What is going to be done, entity by entity.
struct Plan<'a> {
    directory: &'a Directory,
    settings: &'a ExportSettings,
    /// What rendering may refer to once all is written, what it can as the files are now, and what
    /// it could before a person took something out of them.
    context: Context,
    base_context: Context,
    former_context: Context,
    terraform_files: BTreeSet<String>,
    /// What the `.tf` files declare that are none of ours.
    foreign: BTreeMap<String, Declarations>,
    /// Whether there is no Terraform at all yet, so that a missing file is no edit.
    is_fresh: bool,
    steps: Vec<Step>,
    summary: Summary,
}

struct Step {
    entity: Box<dyn Entity>,
    terraform: Action,
    json: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Keep,
    Write,
    Remove,
    /// Tell Terraform to forget what the file declared, without destroying it.
    Forget,
}

impl<'a> Plan<'a> {
    fn new(
        directory: &'a Directory,
        settings: &'a ExportSettings,
        readings: &[Reading],
    ) -> anyhow::Result<Plan<'a>> {
        let terraform_files: BTreeSet<String> = directory
            .files("terraform")?
            .into_iter()
            .filter(|name| is_configuration(name))
            .map(|name| format!("terraform/{name}"))
            .collect();
        let context = Context {
            organizations_attachments: settings.organizations_attachments,
            managed_elsewhere: settings.managed_elsewhere,
            ..Context::default()
        };
        let mut own: BTreeSet<String> = readings
            .iter()
            .flat_map(|reading| &reading.entities)
            .map(|entity| entity.terraform_path())
            .collect();
        for (kind, reading) in KINDS.iter().zip(readings) {
            own.extend(files_of_the_gone(directory, kind, reading)?);
        }
        let mut summary = Summary::default();
        let mut foreign = BTreeMap::new();
        for path in terraform_files.difference(&own) {
            let content = directory.read(path)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&content);
            let found = match path.ends_with(".json") {
                true => json_declarations(&text).map_err(|error| (error.line(), error.column())),
                false => declarations(&text)
                    .map_err(|error| (error.location().line(), error.location().column())),
            };
            match found {
                Ok(found) => {
                    foreign.insert(path.clone(), found);
                }
                Err((line, column)) => {
                    let syntax = if path.ends_with(".json") { "JSON" } else { "HCL" };
                    summary.notes.push(format!(
                        "`{}` line {line} column {column}: this is not {syntax}, so what it declares is not known",
                        visible(path)
                    ));
                }
            }
        }
        let is_fresh = terraform_files.is_empty();
        Ok(Plan {
            directory,
            settings,
            base_context: context.clone(),
            former_context: context.clone(),
            context,
            terraform_files,
            foreign,
            is_fresh,
            steps: Vec::new(),
            summary,
        })
    }

    fn add_kind(&mut self, kind: &'static Kind, reading: Reading) -> anyhow::Result<()> {
        let mut summary =
            KindSummary { kind: kind.plural, one: kind.name, ..KindSummary::default() };
        summary.complete =
            reading.complete.contains(kind.folders[0]) && reading.unreadable.is_empty();
        summary.skipped = reading
            .skipped
            .into_iter()
            .map(|(name, reason)| Skipped { name, reason, json: false })
            .collect();
        self.summary.notes.extend(reading.notes);
        for failure in reading.failures {
            self.fail(format!("cannot read {}: {}", kind.plural, failure.error), failure.hint);
        }
        for unreadable in &reading.unreadable {
            let name = visible(&unreadable.name);
            self.fail(
                format!("cannot read {} `{name}`: {}", kind.name, unreadable.error),
                unreadable.error.hint(),
            );
        }
        let unreadable: HashSet<&str> =
            reading.unreadable.iter().map(|unreadable| unreadable.name.as_str()).collect();

        let mut entities = reading.entities;
        entities.sort_by_cached_key(|entity| entity.json_path());
        // A listing whose entities shift while it is read has one of them on two pages.
        entities.dedup_by_key(|entity| entity.json_path());
        let mut base_files: BTreeSet<String> = BTreeSet::new();
        for folder in kind.folders {
            let files = self.directory.files(folder)?;
            let json = files.into_iter().filter(|name| name.ends_with(".json"));
            base_files.extend(json.map(|name| format!("{folder}/{name}")));
        }
        for entity in entities {
            if entity.json_path().len() > LONGEST_PATH {
                let reason = "its name is longer than any that AWS takes".to_owned();
                summary.skipped.push(Skipped {
                    name: entity.name().to_owned(),
                    reason,
                    json: false,
                });
                continue;
            }
            let has_base = base_files.remove(&entity.json_path());
            self.add_actual(entity, has_base, &mut summary)?;
        }
        for path in base_files {
            let (Some(base), _) = parse_base(self.directory, kind, &path)? else { continue };
            let is_gone =
                reading.complete.contains(base.folder()) && !unreadable.contains(base.name());
            self.add_missing(base, is_gone, &mut summary)?;
        }
        self.summary.kinds.push(summary);
        Ok(())
    }

    /// An entity that AWS has.
    fn add_actual(
        &mut self,
        mut entity: Box<dyn Entity>,
        has_base: bool,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
        let json_path = entity.json_path();
        let (base, base_content) = match has_base {
            true => parse_base(self.directory, entity.kind(), &json_path)?,
            false => (None, Vec::new()),
        };
        if has_base && base.is_none() {
            self.fail(
                format!("`{json_path}` is not the raw JSON of a {}", entity.kind().name),
                Some("restore the file from Git, or remove it to have it written again".to_owned()),
            );
            let desired = self.desired(&entity.terraform_path())?;
            self.refer(entity.as_ref(), Action::Keep, desired.as_deref(), None);
            return Ok(());
        }
        let base = base.map(|mut base| {
            settle(entity.as_mut(), base.as_mut());
            base
        });
        let terraform_path = entity.terraform_path();
        let desired = self.desired(&terraform_path)?;
        let is_tombstone = desired.as_deref().is_some_and(is_tombstone);
        let json_only = self.json_only(entity.as_ref());
        let wanted = match &json_only {
            None => desired.as_deref().map(|old| self.render(entity.as_ref(), old)),
            Some(_) => None,
        };
        let actual_is_base = has_base
            && match entity.json() {
                json if json == base_content => true,
                json => base.as_ref().is_some_and(|base| base.json() == json),
            };
        let desired_is_actual = match (&desired, &json_only) {
            (None, None) => false,
            (None, Some(_)) => true,
            (Some(_), Some(_)) => is_tombstone,
            (Some(desired), None) => {
                wanted.as_ref().is_some_and(|wanted| means_the_same(wanted, desired))
            }
        };
        let desired_is_base = match (&desired, &base) {
            (None, None) => true,
            (Some(_), None) => false,
            (None, Some(base)) => {
                self.is_fresh
                    || base.json_only().is_some()
                    || managed_elsewhere(base.tags()).is_some()
            }
            (Some(desired), Some(base)) => {
                is_tombstone || self.is_rendering_of(base.as_ref(), desired)
            }
        };
        let comparison = Comparison { actual_is_base, desired_is_base, desired_is_actual };
        let mut verdict = comparison.verdict();
        if self.settings.overwrite && matches!(verdict, Verdict::Pending | Verdict::Conflicting) {
            verdict = Verdict::Drifted;
        }
        let name = entity.name().to_owned();
        let (terraform, json) = match verdict {
            Verdict::Unchanged => {
                summary.unchanged += 1;
                (Action::Keep, Action::Keep)
            }
            Verdict::Pending => {
                summary.pending.push(terraform_path.clone());
                (Action::Keep, Action::Keep)
            }
            Verdict::Conflicting => {
                summary.conflicting.push(terraform_path.clone());
                (Action::Keep, Action::Keep)
            }
            Verdict::Converged => {
                summary.written.push(name.clone());
                (Action::Keep, Action::Write)
            }
            Verdict::Drifted => {
                summary.written.push(name.clone());
                let terraform = match (&json_only, &desired) {
                    (None, _) => Action::Write,
                    (Some(_), Some(_)) => Action::Forget,
                    (Some(_), None) => Action::Keep,
                };
                (terraform, if actual_is_base { Action::Keep } else { Action::Write })
            }
        };
        if let Some(reason) = &json_only {
            summary.skipped.push(Skipped { name, reason: reason.to_string(), json: true });
        }
        self.refer(entity.as_ref(), terraform, desired.as_deref(), wanted.as_deref());
        if base.is_some()
            && json_only.is_none()
            && let Some(Expression::Reference(reference)) = entity.reference()
        {
            self.former_context.references.insert(entity.arn().to_owned(), reference);
        }
        self.steps.push(Step { entity, terraform, json });
        Ok(())
    }

    /// An entity that has files and was not read: it is gone, or nothing is known.
    fn add_missing(
        &mut self,
        base: Box<dyn Entity>,
        is_gone: bool,
        summary: &mut KindSummary,
    ) -> anyhow::Result<()> {
        let terraform_path = base.terraform_path();
        let desired = self.desired(&terraform_path)?;
        let is_ours = desired.as_ref().is_none_or(|desired| {
            is_tombstone(desired) || self.is_rendering_of(base.as_ref(), desired)
        });
        self.refer(base.as_ref(), Action::Keep, desired.as_deref(), None);
        if !is_gone {
            summary.unknown += 1;
            return Ok(());
        }
        if !is_ours && !self.settings.overwrite {
            summary.conflicting.push(terraform_path);
            return Ok(());
        }
        self.context.references.remove(base.arn());
        summary.removed.push(base.name().to_owned());
        let terraform = if desired.is_some() { Action::Remove } else { Action::Keep };
        self.steps.push(Step { entity: base, terraform, json: Action::Remove });
        Ok(())
    }

    /// The Terraform file of an entity, if it is there, with the line ends this program writes:
    /// Git may check files out with others.
    fn desired(&self, path: &str) -> anyhow::Result<Option<String>> {
        if !self.terraform_files.contains(path) {
            return Ok(None);
        }
        let content = self.directory.read(path)?;
        Ok(content.map(|content| {
            let text = String::from_utf8_lossy(&content);
            if text.contains('\r') { text.replace("\r\n", "\n") } else { text.into_owned() }
        }))
    }

    /// The Terraform of an entity, as it is to be in place of `old`.
    fn render(&self, entity: &dyn Entity, old: &str) -> String {
        let body = body(entity, &self.context, old);
        if !self.settings.imports {
            return format::file(&body.without_imports());
        }
        let text = format::file(&body);
        if old.is_empty() || text == old { text } else { format::file(&with_imports_of(old, body)) }
    }

    /// Whether a file is what an earlier export wrote, whoever took import blocks out of it since.
    fn is_rendering_of(&self, base: &dyn Entity, text: &str) -> bool {
        [&self.base_context, &self.former_context].into_iter().any(|context| {
            let body = body(base, context, text);
            format::file(&body) == text || format::file(&with_imports_of(text, body)) == text
        })
    }

    /// Why an entity is raw JSON only, here and with these settings.
    fn json_only(&self, entity: &dyn Entity) -> Option<JsonOnly> {
        let owner =
            || managed_elsewhere(entity.tags()).filter(|_| !self.settings.managed_elsewhere);
        entity.json_only().or_else(owner).or_else(|| self.declared_elsewhere(entity))
    }

    fn declared_elsewhere(&self, entity: &dyn Entity) -> Option<JsonOnly> {
        if !self.has_foreign_resources() {
            return None;
        }
        let body = entity.terraform(&self.context);
        let ours: Vec<_> = body.declarations().collect();
        let is_ours = |found: &Declarations| {
            found.resources.iter().any(|(address, name)| {
                ours.iter().any(|(own, _)| own == address)
                    || ours.first().is_some_and(|(own, _)| {
                        own.resource_type == address.resource_type
                            && name.as_deref() == Some(entity.name())
                    })
            }) || found.imports.iter().any(|(address, id)| {
                ours.iter().any(|(own, own_id)| {
                    own == address
                        || (own.resource_type == address.resource_type
                            && id.is_some()
                            && *own_id == id.as_deref())
                })
            })
        };
        let (path, _) = self.foreign.iter().find(|(_, found)| is_ours(found))?;
        Some(JsonOnly::DeclaredIn(path.clone()))
    }

    /// Spares a look at every entity where the other files are settings and nothing else.
    fn has_foreign_resources(&self) -> bool {
        self.foreign.values().any(|found| !found.resources.is_empty() || !found.imports.is_empty())
    }

    /// Notes what other entities may refer to, before and after this export.
    fn refer(
        &mut self,
        entity: &dyn Entity,
        terraform: Action,
        desired: Option<&str>,
        wanted: Option<&str>,
    ) {
        let Some(Expression::Reference(reference)) = entity.reference() else { return };
        let declares = |text: &str| {
            wanted == Some(text)
                || declarations(text).is_ok_and(|found| {
                    found
                        .resources
                        .iter()
                        .any(|(address, _)| reference.starts_with(&format!("{address}.")))
                })
        };
        let is_declared = desired.is_some_and(declares);
        let is_elsewhere = self.is_declared_in_another_file(entity);
        if is_declared || is_elsewhere {
            self.base_context.references.insert(entity.arn().to_owned(), reference.clone());
        }
        let stays = terraform == Action::Keep && is_declared;
        if terraform == Action::Write || stays || is_elsewhere {
            self.context.references.insert(entity.arn().to_owned(), reference);
        }
    }

    /// Whether a file that is none of ours declares this very entity under the address we give it,
    /// such as a file of ours that a person renamed.
    fn is_declared_in_another_file(&self, entity: &dyn Entity) -> bool {
        if !self.has_foreign_resources() || entity.json_only().is_some() {
            return false;
        }
        let body = entity.terraform(&self.context);
        let Some((own, own_id)) = body.declarations().next() else { return false };
        self.foreign.values().any(|found| {
            let is_imported =
                || found.imports.iter().any(|(to, id)| *to == own && id.as_deref() == own_id);
            found.resources.iter().any(|(address, name)| {
                *address == own && (name.as_deref() == Some(entity.name()) || is_imported())
            })
        })
    }

    /// The files that the whole module shares and that are not there yet.
    fn module_files(&self, account: Option<&Account>) -> Vec<(String, String)> {
        let mut files = Vec::new();
        if self.steps.is_empty() {
            return files;
        }
        let any = |has: fn(&Declarations) -> bool| self.foreign.values().any(has);
        let is_missing = |path: &str| !self.terraform_files.contains(path);
        let path = "terraform/versions.tf";
        if is_missing(path) && !any(|found| found.has_required_providers) {
            files.push((path.to_owned(), VERSIONS.to_owned()));
        }
        let path = "terraform/provider.tf";
        if is_missing(path) && !any(|found| found.has_aws_provider) {
            files.push((path.to_owned(), provider(account)));
        }
        files
    }

    fn write(&self, module_files: &[(String, String)]) -> anyhow::Result<()> {
        let directory = self.directory;
        for (path, content) in module_files {
            directory.write(path, content.as_bytes())?;
        }
        for kind in KINDS.iter().rev() {
            self.write_terraform(kind)?;
        }
        for step in self.steps.iter().filter(|step| step.json == Action::Remove) {
            directory.remove(&step.entity.json_path())?;
        }
        for step in self.steps.iter().filter(|step| step.json == Action::Write) {
            directory.write(&step.entity.json_path(), &step.entity.json())?;
        }
        Ok(())
    }

    /// `removed` blocks for everything a file declares, unless another file declares it by now or
    /// says where it has moved. To delete the file alone would make Terraform destroy what it holds
    /// in its state.
    fn forget(&self, text: &str) -> Option<String> {
        let found = declarations(text).unwrap_or_default();
        let is_elsewhere = |address: &Address| {
            self.foreign.values().any(|other| {
                other.resources.iter().any(|(declared, _)| declared == address)
                    || other.moved.contains(address)
            })
        };
        let addresses = found.resources.iter().map(|(address, _)| address);
        let blocks: Vec<_> =
            addresses.filter(|address| !is_elsewhere(address)).map(removed).collect();
        (!blocks.is_empty()).then(|| format::file(&Body { blocks }))
    }

    /// Removals first: on a disk that ignores case, a new file may take a removed one's name.
    fn write_terraform(&self, kind: &'static Kind) -> anyhow::Result<()> {
        let directory = self.directory;
        let steps = || self.steps.iter().filter(|step| std::ptr::eq(step.entity.kind(), kind));
        for step in steps().filter(|step| step.terraform == Action::Remove) {
            directory.remove(&step.entity.terraform_path())?;
        }
        for step in steps() {
            let entity = step.entity.as_ref();
            match step.terraform {
                Action::Write => {
                    let path = entity.terraform_path();
                    let old = self.desired(&path)?.unwrap_or_default();
                    directory.write(&path, self.render(entity, &old).as_bytes())?;
                }
                Action::Forget => {
                    let path = entity.terraform_path();
                    let old = self.desired(&path)?.unwrap_or_default();
                    match self.forget(&old) {
                        Some(text) => directory.write(&path, text.as_bytes())?,
                        None => directory.remove(&path)?,
                    }
                }
                Action::Keep | Action::Remove => {}
            }
        }
        Ok(())
    }

    fn fail(&mut self, error: String, hint: Option<String>) {
        let failure = Failure { error, hint };
        if !self.summary.failures.contains(&failure) {
            self.summary.failures.push(failure);
        }
    }
}

/// Keeps the base's wording of every document that means the same: AWS returns lists that are sets
/// in another order from one read to the next.
fn settle(entity: &mut dyn Entity, base: &mut dyn Entity) {
    let mut base_documents: HashMap<_, _> =
        base.documents().into_iter().map(|(key, _, document)| (key, document)).collect();
    for (key, dialect, document) in entity.documents() {
        if let Some(base) = base_documents.remove(&key)
            && *base != *document
            && document.means_the_same(base, dialect)
        {
            document.clone_from(base);
        }
    }
}

/// The Terraform of an entity, in place of `old`. What AWS has and is left out of it Terraform
/// forgets, if it was in the old file: blocks that are only left out would be destroyed.
fn body<'a>(entity: &'a dyn Entity, context: &Context, old: &str) -> Body<'a> {
    let mut body = entity.terraform(context);
    let left_out = entity.left_out(context);
    if !left_out.is_empty() && !old.is_empty() {
        let old = declarations(old).unwrap_or_default();
        let is_known = |address: &&Address| {
            old.removed.contains(address)
                || old.resources.iter().any(|(found, _)| found == *address)
        };
        body.blocks.extend(left_out.iter().filter(is_known).map(removed));
    }
    body
}

/// Leaves import blocks out where the old file has none for a resource that it declares: people take
/// them out once they are applied. What is new still comes with its own.
fn with_imports_of<'a>(old: &str, mut body: Body<'a>) -> Body<'a> {
    let old = declarations(old).unwrap_or_default();
    body.retain_imports(|to| {
        old.imports.iter().any(|(address, _)| address.to_string() == to)
            || !old.resources.iter().any(|(address, _)| address.to_string() == to)
    });
    body
}

fn is_tombstone(text: &str) -> bool {
    text.starts_with("removed") && declarations(text).is_ok_and(|found| found.only_removed)
}

/// The block by which Terraform forgets a resource without destroying it.
fn removed<'a>(address: &Address) -> Block<'a> {
    let lifecycle = Block::new("lifecycle", Vec::new())
        .attribute("destroy", Expression::Reference("false".to_owned()));
    Block::new("removed", Vec::new())
        .attribute("from", Expression::Reference(address.to_string()))
        .block(lifecycle)
}

/// `provider.tf`: the region of the partition's IAM, and no other account than this one.
fn provider(account: Option<&Account>) -> String {
    let mut block = Block::new("provider", vec!["aws".to_owned()])
        .optional("region", account.and_then(Account::iam_region));
    if let Some(account) = account {
        let ids = vec![Expression::from(account.id.as_str())];
        block = block.attribute("allowed_account_ids", Expression::List(ids));
    }
    format::file(&Body { blocks: vec![block] })
}
