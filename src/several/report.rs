//! What a run over several accounts did: one line for each and one for all, then what is to be told.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;
use serde_json::{Value, json};

use crate::invisible::visible;
use crate::settings::accounts::FOLDER;
use crate::summary::{Failure, KindSummary, Summary, count};

/// How many accounts a note names before it only counts them.
const ACCOUNTS_SHOWN: usize = 5;

/// The outcomes of all accounts, of each without what only its own run needed.
#[derive(Debug, Default)]
pub struct Report {
    pub to: String,
    pub dry_run: bool,
    /// By the account's ID.
    pub accounts: BTreeMap<String, Summary>,
    /// Accounts that have a folder and are not among those that are meant.
    pub gone: Vec<String>,
}

/// The numbers of a line.
#[derive(Debug, Default, Serialize)]
struct Numbers {
    written: usize,
    unchanged: usize,
    removed: usize,
    skipped: usize,
    failures: usize,
    calls: usize,
}

impl Numbers {
    fn of(summary: &Summary) -> Numbers {
        let sum = |of: fn(&KindSummary) -> usize| summary.kinds.iter().map(of).sum();
        Numbers {
            written: sum(|kind| kind.written.len()),
            unchanged: sum(|kind| kind.unchanged),
            removed: sum(|kind| kind.removed.len()),
            skipped: sum(|kind| kind.skipped.len()),
            failures: summary.failures.len(),
            calls: summary.calls.unwrap_or_default(),
        }
    }

    fn add(&mut self, other: &Numbers) {
        self.written += other.written;
        self.unchanged += other.unchanged;
        self.removed += other.removed;
        self.skipped += other.skipped;
        self.failures += other.failures;
        self.calls += other.calls;
    }
}

impl Report {
    /// Takes what came of one account.
    pub fn add(&mut self, id: String, outcome: Result<Summary, Failure>) {
        let mut summary = outcome.unwrap_or_else(|failure| Summary {
            to: self.to.clone(),
            dry_run: self.dry_run,
            failures: vec![failure],
            ..Summary::default()
        });
        summary.account = Some(id.clone());
        summary.shrink();
        self.accounts.insert(id, summary);
    }

    /// All failures, each with its account.
    pub fn failures(&self) -> Vec<Failure> {
        let of = |(id, summary): (&String, &Summary)| {
            let named = |failure: &Failure| Failure {
                error: format!("account `{id}`: {}", failure.error),
                ..failure.clone()
            };
            summary.failures.iter().map(named).collect::<Vec<_>>()
        };
        self.accounts.iter().flat_map(of).collect()
    }

    /// The text for programs.
    pub fn value(&self) -> Value {
        json!({
            "to": self.to,
            "dry_run": self.dry_run,
            "accounts": self.accounts.values().collect::<Vec<_>>(),
            "total": self.total(),
            "failed": self.failed().collect::<Vec<_>>(),
            "gone": self.gone,
        })
    }

    /// The text for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.print(&mut out).expect("writing to a string");
        out
    }

    fn failed(&self) -> impl Iterator<Item = &String> {
        self.accounts.iter().filter(|(_, of)| !of.failures.is_empty()).map(|(id, _)| id)
    }

    fn total(&self) -> Numbers {
        let mut total = Numbers::default();
        self.accounts.values().for_each(|summary| total.add(&Numbers::of(summary)));
        total
    }

    fn print(&self, out: &mut String) -> fmt::Result {
        let would = if self.dry_run { "would export" } else { "exported" };
        let number = count(self.accounts.len(), "account");
        writeln!(out, "{would} {number} to `{}`\n", visible(&self.to))?;
        let line = |out: &mut String, name: &str, of: &Numbers, is_failed: bool| {
            let (written, unchanged) = (of.written, of.unchanged);
            let failed = if is_failed { "  failed" } else { "" };
            writeln!(
                out,
                "{name:<24}{written:>9}{unchanged:>11}{:>9}{:>9}{failed}",
                of.removed, of.skipped
            )
        };
        writeln!(
            out,
            "{:<24}{:>9}{:>11}{:>9}{:>9}",
            "", "written", "unchanged", "removed", "skipped"
        )?;
        for (id, summary) in &self.accounts {
            line(out, id, &Numbers::of(summary), !summary.failures.is_empty())?;
        }
        line(out, "total", &self.total(), false)?;
        for (id, summary) in &self.accounts {
            let details = summary.details();
            if !details.is_empty() {
                write!(out, "\n{FOLDER}/{id}:\n{}", details.trim_start_matches('\n'))?;
            }
        }
        for (note, ids) in self.notes() {
            writeln!(out, "\nnote: {}: {note}", named(&ids))?;
        }
        if !self.gone.is_empty() {
            let ids: Vec<&str> = self.gone.iter().map(String::as_str).collect();
            let have = if ids.len() == 1 { "has a folder and is" } else { "have folders and are" };
            writeln!(out, "\nnote: {} {have} not among the accounts; left as it was", named(&ids))?;
        }
        let failed: Vec<&str> = self.failed().map(String::as_str).collect();
        if !failed.is_empty() {
            let all = self.accounts.len();
            writeln!(out, "\n{} of {all} failed: {}", failed.len(), named(&failed))?;
        }
        if self.accounts.values().all(Summary::is_still) {
            writeln!(out, "\nnothing changed, nothing written")?;
        }
        Ok(())
    }

    /// Each note once, with the accounts that it is of.
    fn notes(&self) -> Vec<(&str, Vec<&str>)> {
        let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
        for (id, summary) in &self.accounts {
            for note in &summary.notes {
                match notes.iter_mut().find(|(told, _)| told == note) {
                    Some((_, ids)) => ids.push(id),
                    None => notes.push((note, vec![id])),
                }
            }
        }
        notes
    }
}

/// ``account `111122223333` ``, or several.
fn named(ids: &[&str]) -> String {
    let shown: Vec<String> = ids.iter().take(ACCOUNTS_SHOWN).map(|id| format!("`{id}`")).collect();
    let accounts = if ids.len() == 1 { "account" } else { "accounts" };
    match ids.len().saturating_sub(ACCOUNTS_SHOWN) {
        0 => format!("{accounts} {}", shown.join(", ")),
        more => format!("{accounts} {} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_a_line_and_each_note_is_told_once() {
        let mut report = Report { to: "iam".to_owned(), ..Report::default() };
        let kind = |written: usize, unchanged| KindSummary {
            kind: "roles",
            one: "role",
            written: vec!["x".to_owned(); written],
            unchanged,
            ..KindSummary::default()
        };
        for (number, written) in [(1, 2), (2, 0)] {
            let summary = Summary {
                kinds: vec![kind(written, 5)],
                notes: vec!["a note".to_owned()],
                calls: Some(3),
                ..Summary::default()
            };
            report.add(format!("{number:012}"), Ok(summary));
        }
        let failure = Failure { error: "no\u{1b}".to_owned(), hint: None, is_passing: false };
        report.add(format!("{:012}", 3), Err(failure));
        report.gone.push(format!("{:012}", 4));
        assert_eq!(
            report.text(),
            "exported 3 accounts to `iam`\n\n\
             \u{20}                         written  unchanged  removed  skipped\n\
             000000000001                    2          5        0        0\n\
             000000000002                    0          5        0        0\n\
             000000000003                    0          0        0        0  failed\n\
             total                           2         10        0        0\n\n\
             note: accounts `000000000001`, `000000000002`: a note\n\n\
             note: account `000000000004` has a folder and is not among the accounts; left as it was\n\n\
             1 of 3 failed: account `000000000003`\n"
        );
        let value = report.value();
        assert_eq!(value["total"]["written"], 2);
        assert_eq!(value["total"]["calls"], 6);
        assert_eq!(value["failed"], json!(["000000000003"]));
        assert_eq!(report.failures()[0].error, "account `000000000003`: no\u{1b}");
    }
}
