//! Several accounts: the same run for each, some at once, none in the way of another.
//!
//! What one account's run holds in memory is gone when its files are written; what is kept of it is
//! its summary.

mod report;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures::StreamExt;
use tracing::{info, warn};

use crate::aws::{CallError, Found, Members, Source};
use crate::error::hint_of;
use crate::export;
use crate::progress::Progress;
use crate::settings::accounts::{Accounts, FOLDER};
use crate::settings::{ExportSettings, account_id};
use crate::summary::{Failure, Summary};
pub use report::Report;

/// What all accounts' runs have in common.
struct Shared {
    members: Members,
    accounts: Accounts,
    found: Found,
    settings: ExportSettings,
}

/// Brings a folder for each account to the account's state.
///
/// # Errors
///
/// Nobody knows which accounts there are. What fails for one of them is in the report.
pub async fn export(
    members: Members,
    accounts: Accounts,
    settings: ExportSettings,
) -> anyhow::Result<Report> {
    let found = members.find(&accounts, None).await.context("cannot find the accounts")?;
    let mut report = Report {
        to: settings.to.display().to_string(),
        dry_run: settings.dry_run,
        gone: gone(&settings.to, &found),
        ..Report::default()
    };
    let progress = members.own.progress.clone();
    let (ids, at_once) = (found.ids.clone(), accounts.at_once);
    let shared = Arc::new(Shared { members, accounts, found, settings });
    let number = ids.len();
    let mut runs = futures::stream::iter(ids)
        .map(|id| {
            let shared = Arc::clone(&shared);
            // A task of its own, so that a panic is the account's alone, and files are written at once.
            async move { (id.clone(), tokio::spawn(export_one(shared, id)).await) }
        })
        .buffer_unordered(at_once);
    while let Some((id, outcome)) = runs.next().await {
        let outcome = outcome.unwrap_or_else(|error| Err(anyhow::Error::from(error)));
        report.add(id.clone(), outcome.map_err(|error| failure(&error)));
        tell(&report, &id, number, &progress);
    }
    progress.stop(FOLDER);
    Ok(report)
}

async fn export_one(shared: Arc<Shared>, id: String) -> anyhow::Result<Summary> {
    let Shared { members, accounts, found, settings } = &*shared;
    let live = members.enter(&id, accounts, None).await?;
    let is_reader = found.reader.as_ref() == Some(&id);
    let coverage = settings.coverage.of_account(&id, is_reader);
    let settings = ExportSettings { coverage, ..settings.clone() };
    export::export(&Source::Live(live), &settings).await
}

/// Progress: a bar for a terminal, else a line for each account.
fn tell(report: &Report, id: &str, number: usize, progress: &Progress) {
    let done = report.accounts.len();
    progress.count(FOLDER, done, Some(number));
    match report.accounts[id].failures.first() {
        None => info!(account = id, done, of = number, "account done"),
        Some(failure) => {
            warn!(account = id, done, of = number, error = failure.error, "account failed");
        }
    }
}

/// What a run as a whole failed of, as a failure of the account.
pub fn failure(error: &anyhow::Error) -> Failure {
    let of_aws = error.chain().find_map(|cause| cause.downcast_ref::<CallError>());
    let parts: Vec<String> = error.chain().map(ToString::to_string).collect();
    Failure {
        error: parts.join(": "),
        hint: error.chain().find_map(hint_of),
        is_passing: of_aws.is_some_and(|error| error.reason.is_passing()),
    }
}

/// Accounts that have a folder and are not meant any more.
fn gone(root: &Path, found: &Found) -> Vec<String> {
    let entries = std::fs::read_dir(root.join(FOLDER)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut gone: Vec<String> =
        names.filter(|name| account_id(name).is_ok() && !found.ids.contains(name)).collect();
    gone.sort();
    gone
}
