//! `status`: where each entity stands between AWS and Git, for people and for programs.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::accounts::AccountsArguments;
use super::sync::{Target, open};
use super::{Output, print, report_failures, runtime};
use crate::invisible::visible;
use crate::scope::Scope;
use crate::settings::values::kind_name;
use crate::summary::{EntityStanding, Standing, Summary};
use crate::sync::Task;

/// The exit code where something is out of step.
const DIFFERENCES: u8 = 3;

/// Names shown of each group; `--output json` has all.
const SHOWN: usize = 20;

/// Tell where the account and a Git repository differ, and who is ahead
///
/// Compares AWS as it is now, the raw JSON (AWS as of the last export) and the Terraform of each
/// entity. Nothing is written. A branch of a local checkout can be looked at as well: its commits,
/// not its uncommitted files.
#[derive(Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct StatusCommand {
    #[command(flatten)]
    target: Target,
}

const AFTER_HELP: &str = "\
What it tells:
  in step          AWS, raw JSON and Terraform say the same
  pending in Git   edited in Git, not in AWS yet: an apply will follow
  applied          AWS has what was edited in Git; the next export writes the raw JSON
  drifted in AWS   changed in AWS: the next export writes it
  new in AWS       not in the repository yet
  gone from AWS    the next export removes its files
  conflicting      edited in Git and changed in AWS, differently
  unreadable       its file is not HCL
  not read         AWS did not tell: the errors say why
  skipped          raw JSON only, with the reason in --output json
  ignored          as aws-iam-gitops.toml says

Settings and permissions are those of `sync`.

Example:
  aws-iam-gitops status --repository https://github.com/example-org/iam

Exit codes:
  0 in step, 1 something failed, 2 usage, 3 something is out of step";

/// The groups in the order they are told, with whether they are in step.
const GROUPS: [(Standing, &str, bool); 11] = [
    (Standing::InStep, "in step", true),
    (Standing::Pending, "pending in Git", false),
    (Standing::Converged, "applied", false),
    (Standing::Drifted, "drifted in AWS", false),
    (Standing::Unmanaged, "new in AWS", false),
    (Standing::Gone, "gone from AWS", false),
    (Standing::Conflicting, "conflicting", false),
    (Standing::Unreadable, "unreadable", false),
    (Standing::Unknown, "not read", true),
    (Standing::Skipped, "skipped", true),
    (Standing::Ignored, "ignored", true),
];

/// Runs `status`.
pub fn status(command: StatusCommand, quiet: bool) -> anyhow::Result<ExitCode> {
    let output = command.target.output;
    let branch = command.target.branch.clone();
    let summary = runtime()?.block_on(async {
        let mut session = open(command.target, None, AccountsArguments::default(), quiet).await?;
        let task = Task { scope: Scope::everything(), dry_run: true, ..Task::default() };
        Ok::<_, anyhow::Error>(session.sync(&task).await?.summary)
    })?;
    print(&match output {
        Output::Text => text(&summary, branch.as_deref()),
        Output::Json => format!("{}\n", serde_json::to_string_pretty(&value(&summary))?),
    })?;
    match report_failures(&summary) {
        ExitCode::SUCCESS if is_in_step(&summary) => Ok(ExitCode::SUCCESS),
        ExitCode::SUCCESS => Ok(ExitCode::from(DIFFERENCES)),
        failed => Ok(failed),
    }
}

fn entities(summary: &Summary) -> impl Iterator<Item = (&'static str, &EntityStanding)> {
    summary.kinds.iter().flat_map(|kind| kind.standings.iter().map(|entity| (kind.kind, entity)))
}

fn is_in_step(summary: &Summary) -> bool {
    entities(summary).all(|(_, entity)| {
        GROUPS.iter().any(|(standing, _, is_in_step)| *standing == entity.standing && *is_in_step)
    })
}

fn text(summary: &Summary, branch: Option<&str>) -> String {
    let mut out = String::new();
    let account = summary.account.as_deref().unwrap_or("unknown");
    let branch = branch.map(|branch| format!("`{}` of ", visible(branch))).unwrap_or_default();
    let _ = writeln!(out, "account `{account}` and {branch}`{}`\n", visible(&summary.to));
    for (standing, title, is_in_step) in GROUPS {
        let group: Vec<_> =
            entities(summary).filter(|(_, entity)| entity.standing == standing).collect();
        if group.is_empty() && standing != Standing::InStep {
            continue;
        }
        let _ = writeln!(out, "{title:<16}{:>6}", group.len());
        if is_in_step {
            continue;
        }
        for (kind, entity) in group.iter().take(SHOWN) {
            let one = summary.kinds.iter().find(|of| of.kind == *kind).map_or(*kind, |of| of.one);
            let name = visible(&entity.name);
            let _ = match &entity.detail {
                Some(detail) => writeln!(out, "  {one} `{name}`  {}", visible(detail)),
                None => writeln!(out, "  {one} `{name}`"),
            };
            if let Some(obstacle) = summary.obstacle(kind, &entity.key) {
                let _ = writeln!(out, "    {}", visible(obstacle));
            }
        }
        if let more @ 1.. = group.len().saturating_sub(SHOWN) {
            let _ = writeln!(out, "  and {more} more");
        }
    }
    for note in &summary.notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    out
}

fn value(summary: &Summary) -> Value {
    let entities = entities(summary).map(|(kind, entity)| {
        json!({
            "kind": kind_name(kind),
            "name": entity.name,
            "standing": entity.standing,
            "detail": entity.detail,
            "obstacle": summary.obstacle(kind, &entity.key),
        })
    });
    json!({
        "account": summary.account,
        "repository": summary.to,
        "in_step": is_in_step(summary),
        "entities": entities.collect::<Vec<_>>(),
        "notes": summary.notes,
        "failures": summary.failures,
    })
}
