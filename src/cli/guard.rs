//! `guard`: a plan is shown, and refused if it does what a plan must not do.

mod repository;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::print;
use crate::directory::Directory;
use crate::error::Refused;
use crate::invisible::visible;
use crate::plan_guard::plan::Plan;
use crate::plan_guard::rules::{RULES, rule_name};
use crate::plan_guard::summary::{markdown::markdown, text::text};
use crate::plan_guard::{Override, judge};
use crate::settings::values::Prefix;
use crate::settings::{self, Choices, Coverage};

/// The exit code of a plan that must not be applied.
const REFUSED: u8 = 3;

/// Show a plan, and refuse it if it does what a plan must not do
///
/// Reads what `terraform show -json` prints of a plan and holds it against rules: nothing protected
/// is touched, not much is destroyed, only what was exported is imported, nobody is given everything,
/// let in or locked out. The summary tells what the apply would do, fit for logs and comments whatever
/// names and texts from AWS hold.
#[derive(Args)]
#[command(after_long_help = after_help())]
pub struct GuardCommand {
    /// The plan as JSON; `-` for stdin
    #[arg(value_name = "PLAN.json")]
    plan: PathBuf,

    /// The checkout that was planned, with the raw JSON and with `aws-iam-gitops.toml` if there is one
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,

    /// The folder of the repository below which everything lies; otherwise the file's `prefix`
    #[arg(long, value_name = "FOLDER", value_parser = Prefix::parse)]
    prefix: Option<Prefix>,

    /// Let the plan through in spite of a rule; the reason stands in the summary. May be repeated
    #[arg(long, value_name = "RULE=REASON", value_parser = allowance)]
    allow: Vec<Override>,

    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A summary for people
    Text,
    /// The same for a comment or a job's summary on GitHub
    Markdown,
}

fn allowance(text: &str) -> Result<Override, String> {
    let (name, reason) = text.split_once('=').unwrap_or((text, ""));
    let Some(rule) = rule_name(name) else {
        let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        return Err(format!(
            "there is no rule `{}`; there are {}",
            visible(name),
            names.join(", ")
        ));
    };
    let reason = reason.trim();
    match reason.chars().any(char::is_alphanumeric) {
        true => Ok(Override { rule, reason: reason.to_owned() }),
        false => Err(format!("a reason is missing, as in `{rule}=the ticket that asks for it`")),
    }
}

fn after_help() -> String {
    let rules: String =
        RULES.iter().map(|rule| format!("  {:<10} {}\n", rule.name, rule.refuses)).collect();
    format!(
        "Rules and what they refuse:\n{rules}\n\
         `[guard]` in aws-iam-gitops.toml sets them and turns them off.\n\n\
         Example:\n  \
         terraform plan -out plan && terraform show -json plan > plan.json\n  \
         aws-iam-gitops guard plan.json --repository .. --allow 'destroys=the old team is gone'\n\n\
         Exit codes:\n  0 may be applied, 1 the plan or the repository cannot be read, 2 usage, 3 refused"
    )
}

/// Runs `guard`.
pub fn run(command: &GuardCommand) -> anyhow::Result<ExitCode> {
    let file = settings::of_folder(&command.repository)?;
    let guard = file.guard.clone();
    let coverage =
        Coverage::new(Choices { prefix: command.prefix.clone(), ..Choices::default() }, file);
    coverage.refuse_several()?;
    let plan = read_plan(&command.plan)?;
    refuse_unreadable_names(&command.repository)?;
    let exported = repository::read(&Directory::new(&command.repository, true), &coverage, &plan)?;
    let judgement = judge(&plan, &guard, &exported, &command.allow);
    print(&match command.output {
        Format::Text => text(&plan, &judgement),
        Format::Markdown => markdown(&plan, &judgement),
    })?;
    Ok(match judgement.may_be_applied() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(REFUSED),
    })
}

/// Terraform reads files whatever the bytes of their names, and this program does not: what it does
/// not see must not be there.
fn refuse_unreadable_names(folder: &Path) -> anyhow::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list `{}`", folder.display()))?;
            let path = entry.path();
            if entry.file_name().to_str().is_none() {
                let shown = path.to_string_lossy();
                anyhow::bail!(
                    "the name of `{}` is not UTF-8, so it cannot be looked at",
                    visible(&shown)
                );
            }
            let is_kept = matches!(entry.file_name().to_str(), Some(".git" | ".terraform"));
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_kept {
                folders.push(path);
            }
        }
    }
    Ok(())
}

fn read_plan(path: &Path) -> anyhow::Result<Plan> {
    let shown = visible(&path.to_string_lossy()).into_owned();
    let content = match path == Path::new("-") {
        true => {
            let mut content = Vec::new();
            io::stdin().read_to_end(&mut content).map(|_| content)
        }
        false => fs::read(path),
    };
    let content = content.with_context(|| format!("cannot read `{shown}`"))?;
    let unreadable = |problem: &str| Refused {
        error: format!("`{shown}` is no plan that can be judged: {}", visible(problem)),
        hint: "`terraform show -json PLAN` prints one, of a file that `terraform plan -out PLAN` wrote",
    };
    let text = std::str::from_utf8(&content).map_err(|_| unreadable("it is not UTF-8"))?;
    Ok(Plan::parse(text).map_err(|error| unreadable(&error.to_string()))?)
}
