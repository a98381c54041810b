//! The pipeline: read the account, compare it with what lies in the folder, write the difference.

use tracing::info;

use crate::aws::{Account, Source};
use crate::directory::{Directory, Files};
use crate::error::Refused;
use crate::inventory;
use crate::invisible::visible;
use crate::resource::{Entity, Inventory, KINDS, Kind};
use crate::scope::Scope;
use crate::settings::{Coverage, ExportSettings};
use crate::steps::{Options, Steps, parse_base};
use crate::summary::Summary;

/// Brings a folder to the state of an account.
///
/// # Errors
///
/// Input files that cannot be used, a folder of another account, or a file that cannot be read or
/// written. Calls that fail are in the summary.
pub async fn export(source: &Source, settings: &ExportSettings) -> anyhow::Result<Summary> {
    let scope = Scope::everything().of_kinds(&settings.coverage.kinds);
    let inventory = inventory::read(source, &scope).await;
    let folder = settings.to.join(settings.coverage.prefix());
    let directory = Directory::new(&folder, settings.dry_run);
    let options = Options {
        overwrite: settings.overwrite,
        is_adopting: settings.is_adopting,
        dry_run: settings.dry_run,
        ..Options::new(&settings.coverage)
    };
    let mut summary = write(&directory, &options, source.account(), inventory)?.0;
    summary.is_of_folder = true;
    summary.to = settings.to.display().to_string();
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

/// Compares what was read with what lies in `files`, and writes the difference. Hands back what was
/// read, to do it again on other files.
///
/// # Errors
///
/// Files of another account, or a file that cannot be read or written.
pub fn write(
    files: &dyn Files,
    options: &Options,
    account: Option<&Account>,
    inventory: Inventory,
) -> anyhow::Result<(Summary, Inventory)> {
    refuse_another_account(files, account)?;
    refuse_another_organization(files, &inventory)?;
    let mut steps = Steps::new(files, options, account, inventory)?;
    steps.write(account)?;
    let (mut summary, inventory) = steps.into_parts();
    summary.account = account.map(|account| account.id.clone());
    summary.dry_run = options.dry_run;
    summary.notes.extend(owned_elsewhere(files, options.coverage)?);
    Ok((summary, inventory))
}

const BEFORE_TWO_OWNERS: &str = "take that out, with `removed` blocks for its Terraform, before two \
                                 modules undo each other's changes";

/// Tells of what is an organization's and lies here too, though another account's folder has it.
fn owned_elsewhere(files: &dyn Files, coverage: &Coverage) -> anyhow::Result<Option<String>> {
    if !coverage.leaves_organization {
        return Ok(None);
    }
    for (kind, folder) in folders().filter(|(kind, _)| kind.is_of_organization()) {
        if let Some((path, _)) = first_entity(files, kind, folder)? {
            return Ok(Some(format!(
                "`{}` is here, and what is the organization's has moved to another account's folder: \
                 {BEFORE_TWO_OWNERS}",
                visible(&path)
            )));
        }
    }
    Ok(None)
}

/// Tells of an export of one of several accounts that lies in the root, too. What is called like one
/// of its folders there, and is none, is somebody else's.
pub fn also_in_root(root: &dyn Files, id: &str) -> Option<String> {
    let mut accounts =
        folders().filter_map(|(kind, folder)| account_in(root, kind, folder).ok()?);
    let (_, account) = accounts.next()?;
    (account.id == id)
        .then(|| format!("an export of this account lies in the root, too: {BEFORE_TWO_OWNERS}"))
}

/// Exporting one account over another would remove all of the other's files.
fn refuse_another_account(directory: &dyn Files, account: Option<&Account>) -> anyhow::Result<()> {
    let Some(account) = account else { return Ok(()) };
    for (kind, folder) in folders() {
        if let Some((path, other)) = account_in(directory, kind, folder)?
            && other.id != account.id
        {
            return Err(Refused {
                error: format!(
                    "the folder holds account `{}` (`{path}`), and this is account `{}`",
                    other.id, account.id
                ),
                hint: "give each account a folder of its own",
            }
            .into());
        }
    }
    Ok(())
}

/// The account whose export lies in a folder, if there is one.
///
/// # Errors
///
/// A file that cannot be read.
pub fn account_of(directory: &dyn Files) -> anyhow::Result<Option<Account>> {
    for (kind, folder) in folders() {
        if let Some((_, account)) = account_in(directory, kind, folder)? {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

fn folders() -> impl Iterator<Item = (&'static Kind, &'static str)> {
    KINDS.iter().flat_map(|kind| kind.folders.iter().map(|folder| (*kind, *folder)))
}

/// Whose entity lies in a folder, unless it is an organization's, whose ARNs name the management
/// account.
fn account_in(
    directory: &dyn Files,
    kind: &Kind,
    folder: &str,
) -> anyhow::Result<Option<(String, Account)>> {
    let found = first_entity(directory, kind, folder)?;
    Ok(found.and_then(|(path, entity)| {
        let arn = Some(entity.arn()).filter(|arn| !arn.contains(":organizations:"))?;
        Some((path, Account::of_arn(arn)?))
    }))
}

/// Any entity whose raw JSON lies in a folder, with its path.
fn first_entity(
    directory: &dyn Files,
    kind: &Kind,
    folder: &str,
) -> anyhow::Result<Option<(String, Box<dyn Entity>)>> {
    let mut found = Ok(None);
    directory.each(folder, &[], &mut |name| {
        let path = format!("{folder}/{name}");
        found = parse_base(directory, kind, &path).map(|(base, _)| base.map(|base| (path, base)));
        matches!(found, Ok(None))
    })?;
    found
}

/// Like [`refuse_another_account`], for what is an organization's.
fn refuse_another_organization(directory: &dyn Files, inventory: &Inventory) -> anyhow::Result<()> {
    let arns = inventory.entities().map(|entity| entity.arn());
    let Some(organization) = arns.filter_map(organization_of).next() else { return Ok(()) };
    for (kind, folder) in folders() {
        let Some((path, base)) = first_entity(directory, kind, folder)? else { continue };
        match organization_of(base.arn()) {
            Some(other) if other != organization => {
                return Err(Refused {
                    error: format!(
                        "the folder holds organization `{other}` (`{path}`), and this is organization \
                         `{organization}`"
                    ),
                    hint: "give each organization a folder of its own",
                }
                .into());
            }
            Some(_) => return Ok(()),
            // The next folder, unless this kind belongs to organizations at all.
            None => {}
        }
    }
    Ok(())
}

/// `o-exampleorgid` of an ARN of Organizations; AWS's own policies are of none.
fn organization_of(arn: &str) -> Option<&str> {
    let (_, rest) = arn.split_once(":organizations::")?;
    rest.split('/').nth(1).filter(|id| id.starts_with("o-"))
}

/// The kind whose raw JSON lies in a folder.
pub fn kind_of_folder(folder: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.folders.contains(&folder)).copied()
}
