//! Several accounts: the same run for each, some at once, none in the way of another.
//!
//! What one account's run holds in memory is gone when its files are written; what is kept of it is
//! its summary.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use futures::StreamExt;
use tracing::{info, warn};

use crate::aws::{CallError, Found, Members, Source};
use crate::directory::Directory;
use crate::error::hint_of;
use crate::event::{Content, Record, scope_of};
use crate::export;
use crate::progress::Progress;
use crate::resource::KINDS;
use crate::scope::Scope;
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
    let entries = std::fs::read_dir(settings.to.join(FOLDER)).into_iter().flatten().flatten();
    let folders = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut report = Report {
        to: settings.to.display().to_string(),
        dry_run: settings.dry_run,
        gone: gone(folders, &found),
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
    let mut summary = export::export(&Source::Live(live), &settings).await?;
    let root = Directory::new(&settings.to, true);
    summary.notes.extend(export::also_in_root(&root, &id));
    Ok(summary)
}

/// What is asked of each account, and of how many accounts that nobody exports.
#[derive(Debug, Default)]
pub struct Asked {
    pub accounts: BTreeMap<String, (Scope, Vec<Record>)>,
    pub ignored: BTreeSet<String>,
}

impl Asked {
    /// Sorts what came by account. `found` are the several accounts; none: there is the own alone.
    pub fn of<'a>(
        contents: impl IntoIterator<Item = &'a Content>,
        own: &str,
        found: Option<&Found>,
    ) -> Asked {
        let mut asked = Asked::default();
        let mut records: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        let is_known = |id: &str| found.map_or(id == own, |found| found.ids.contains(id));
        for content in contents {
            let full = match content {
                Content::Full => match found {
                    Some(found) => found.ids.iter().cloned().collect(),
                    None => vec![own.to_owned()],
                },
                Content::Account(id) => vec![id.clone()],
                Content::Records(_) => Vec::new(),
            };
            for id in full {
                match is_known(&id) {
                    true => asked.accounts.entry(id).or_default().0 = Scope::everything(),
                    false => drop(asked.ignored.insert(id)),
                }
            }
            for record in content.records() {
                let id = account_of(record, own, found);
                match is_known(id) {
                    true => records.entry(id.to_owned()).or_default().push(record.clone()),
                    false => drop(asked.ignored.insert(id.to_owned())),
                }
            }
        }
        for (id, records) in records {
            let (scope, records) = scope_of(records);
            let entry = asked.accounts.entry(id).or_default();
            entry.0.merge(&scope);
            entry.1 = records;
        }
        asked.accounts.retain(|_, (scope, _)| !scope.is_empty());
        asked
    }
}

/// The account that a record makes somebody look at: where it happened, or, what happened to the
/// organization or its Identity Center, where that is read.
fn account_of<'a>(record: &'a Record, own: &'a str, found: Option<&'a Found>) -> &'a str {
    let account = record.account.as_deref().unwrap_or(own);
    match found.and_then(|found| found.reader.as_deref()) {
        Some(reader) if is_of_organization(record.service()) => reader,
        _ => account,
    }
}

/// Whether what a service changes is read in one account alone, wherever it was changed.
fn is_of_organization(service: &str) -> bool {
    let kinds = KINDS.iter().filter(|kind| kind.is_of_organization());
    kinds.flat_map(|kind| kind.actions).any(|action| action.service == service)
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
pub fn gone(folders: impl IntoIterator<Item = String>, found: &Found) -> Vec<String> {
    let is_gone = |name: &String| account_id(name).is_ok() && !found.ids.contains(name);
    let mut gone: Vec<String> = folders.into_iter().filter(is_gone).collect();
    gone.sort();
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(account: Option<&str>, service: &str, name: &str) -> Content {
        let record = json!({
            "eventSource": format!("{service}.amazonaws.com"), "eventName": name,
            "recipientAccountId": account, "requestParameters": {"roleName": "x"},
        });
        Content::Records(vec![Record::parse(&record).unwrap()])
    }

    fn found() -> Found {
        let ids = ["1", "2"].map(str::to_owned).into();
        Found { ids, reader: Some("1".to_owned()), gone: Vec::new() }
    }

    #[test]
    fn what_is_asked_goes_to_its_account_and_of_others_nowhere() {
        let contents = [
            record(Some("2"), "iam", "TagRole"),
            record(None, "iam", "TagRole"),
            record(Some("9"), "iam", "TagRole"),
            record(Some("9"), "organizations", "CreatePolicy"),
            record(Some("2"), "sso", "UpdatePermissionSet"),
            Content::Account("8".to_owned()),
            record(Some("2"), "iam", "GetUser"),
        ];
        let asked = Asked::of(&contents, "1", Some(&found()));
        assert_eq!(asked.accounts.keys().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(asked.accounts["1"].1.len(), 3);
        let mut of_2 = asked.accounts["2"].1.iter();
        assert!(of_2.all(|record| record.service() == "iam"), "its sets are read in 1");
        assert_eq!(asked.ignored, ["8", "9"].map(str::to_owned).into());

        let alone = Asked::of(&contents, "1", None);
        assert_eq!(alone.accounts.keys().collect::<Vec<_>>(), ["1"]);
        assert_eq!(alone.accounts["1"].1.len(), 1, "the organization's are another account's");
        assert_eq!(alone.ignored, ["2", "8", "9"].map(str::to_owned).into());
    }

    #[test]
    fn a_full_export_is_one_of_each_account() {
        let asked = Asked::of(&[Content::Full], "1", Some(&found()));
        assert!(asked.accounts.values().all(|(scope, _)| *scope == Scope::everything()));
        assert_eq!(asked.accounts.len(), 2);
        let asked = Asked::of(&[Content::Account("2".to_owned())], "1", Some(&found()));
        assert_eq!(asked.accounts.keys().collect::<Vec<_>>(), ["2"]);
        assert_eq!(Asked::of(&[Content::Full], "1", None).accounts.len(), 1);
    }
}
