//! `render`: raw JSON that people edited becomes the same change in Terraform.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Output, print};
use crate::invisible::visible;
use crate::render::{Outcome, Problem, Remedy, RenderSettings, render};
use crate::settings::values::Prefix;
use crate::settings::{self, Choices, Coverage};

/// How many lines of a difference are shown.
const LINES_SHOWN: usize = 40;

/// Bring edits of the raw JSON to Terraform, or check that none is missing there
///
/// What changed in the raw JSON since a commit is made the same change in the `.tf` files, in
/// place: comments, references and layout stay. New files become new resources, without import
/// blocks since AWS does not have them yet; resources of removed files go. Then the raw JSON is as
/// it was again: it is a mirror of AWS, and the export after the apply brings the change to it.
/// Terraform that changed alone is the normal way and stays. If there is an error, nothing is
/// written.
#[derive(Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct RenderCommand {
    /// The checkout, with `aws-iam-gitops.toml` if there is one
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// The commit to compare the raw JSON with; where HEAD does not stand on it, the one at which
    /// the two parted
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    base: String,

    /// The folder of the repository below which everything lies; otherwise the file's `prefix`
    #[arg(long, value_name = "FOLDER", value_parser = Prefix::parse)]
    prefix: Option<Prefix>,

    /// Write nothing; fail if raw JSON changed that Terraform does not say
    #[arg(long)]
    check: bool,

    /// Leave the raw JSON as it is edited
    ///
    /// An export that comes before the apply then takes JSON and Terraform back to what AWS has.
    #[arg(long)]
    keep_json: bool,

    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    output: Output,
}

const AFTER_HELP: &str = "Examples:
  aws-iam-gitops render                            what is edited and not committed
  aws-iam-gitops render --base origin/main         what a branch changes
  aws-iam-gitops render --base HEAD^1 --check      in a workflow for pull requests

Exit codes:
  0 done, or all agree; 1 something cannot be rendered, or does not agree; 2 usage";

/// Runs `render`.
pub fn run(command: RenderCommand) -> anyhow::Result<ExitCode> {
    let file = settings::of_folder(&command.folder)?;
    let settings = RenderSettings {
        folder: command.folder,
        base: command.base,
        check: command.check,
        keeps_json: command.keep_json,
        coverage: Coverage::new(
            Choices { prefix: command.prefix.clone(), ..Choices::default() },
            file,
        ),
    };
    settings.coverage.refuse_several()?;
    let outcome = render(&settings)?;
    print(&match command.output {
        Output::Text => text(&outcome, &settings.base),
        Output::Json => format!("{}\n", serde_json::to_string_pretty(&outcome)?),
    })?;
    if outcome.problems.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprint!("{}", complaint(&outcome, &settings, command.prefix.as_ref()));
    Ok(ExitCode::FAILURE)
}

fn text(outcome: &Outcome, base: &str) -> String {
    let short = outcome.base.get(..7).unwrap_or(&outcome.base);
    let mut out = match outcome.changed.len() {
        0 if !outcome.problems.is_empty() => String::new(),
        0 => format!("no raw JSON changed since `{}` (`{short}`)\n", inert(base)),
        1 => format!("1 file of raw JSON changed since `{}` (`{short}`)\n", inert(base)),
        many => format!("{many} files of raw JSON changed since `{}` (`{short}`)\n", inert(base)),
    };
    if outcome.problems.is_empty() {
        let mut list = |what: &str, files: &[String]| {
            for (index, file) in files.iter().enumerate() {
                let _ = match index {
                    0 => writeln!(out, "\n{what}:\n  `{}`", inert(file)),
                    _ => writeln!(out, "  `{}`", inert(file)),
                };
            }
        };
        list("written", &outcome.written);
        list("removed", &outcome.removed);
        list("as it was again, until it is applied", &outcome.taken_back);
        list("ahead of the raw JSON, until it is applied", &outcome.pending);
        let is_still = outcome.written.is_empty() && outcome.removed.is_empty();
        if is_still && !outcome.changed.is_empty() {
            out.push_str("\nTerraform says the same already\n");
        }
    }
    for note in &outcome.notes {
        let _ = writeln!(out, "\nnote: {}", inert(note));
    }
    out
}

fn complaint(outcome: &Outcome, settings: &RenderSettings, prefix: Option<&Prefix>) -> String {
    let mut out = String::new();
    for problem in &outcome.problems {
        let _ = writeln!(out, "error: {}: {}", place(problem), inert(&problem.problem));
        if let Some(difference) = &problem.difference {
            out.push_str("  what the JSON asks for, in Terraform:\n");
            let lines = difference.lines();
            for line in lines.clone().take(LINES_SHOWN) {
                let _ = writeln!(out, "  | {}", inert(line));
            }
            let more = lines.count().saturating_sub(LINES_SHOWN);
            if more > 0 {
                let _ = writeln!(out, "  | … and {more} more lines");
            }
        }
    }
    let has = |remedy: Remedy| outcome.problems.iter().any(|problem| problem.remedy == remedy);
    if has(Remedy::Correct) {
        out.push_str("\nhint: nothing was written; correct the raw JSON, or take it back with `git restore`\n");
    }
    if has(Remedy::Decide) {
        out.push_str(
            "\nhint: nothing was written; make both say the same, or take one of them back with `git restore`\n",
        );
    }
    if has(Remedy::Render) {
        let _ = writeln!(
            out,
            "\nhint: run `{}` and commit what it writes; raw JSON that is edited alone would only be put back",
            repetition(settings, prefix)
        );
    }
    out
}

/// The command that brings Terraform to what the JSON says.
fn repetition(settings: &RenderSettings, prefix: Option<&Prefix>) -> String {
    let mut command = "aws-iam-gitops render".to_owned();
    let folder = settings.folder.to_string_lossy();
    if folder != "." {
        let _ = write!(command, " {}", inert(&folder));
    }
    if settings.base != "HEAD" {
        let _ = write!(command, " --base {}", inert(&settings.base));
    }
    if let Some(prefix) = prefix {
        let _ = write!(command, " --prefix {prefix}");
    }
    command
}

/// ``` `roles/x.json` line 3 column 5 ```
fn place(problem: &Problem) -> String {
    let mut place = format!("`{}`", inert(&problem.file));
    for (what, number) in [("line", problem.line), ("column", problem.column)] {
        if let Some(number) = number {
            let _ = write!(place, " {what} {number}");
        }
    }
    place
}

/// Foreign text that neither a terminal nor the log of a workflow acts on. A runner of GitHub looks
/// for `##[` anywhere in a line, and for `::` at its start, where foreign text never stands.
pub(super) fn inert(text: &str) -> String {
    let text = match text.split_once('\t') {
        Some(_) => text.replace('\t', "    "),
        None => text.to_owned(),
    };
    visible(&text).replace("##[", "#\\u{23}[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_no_command() {
        assert_eq!(inert("a\u{1b}[31m\n::error::"), "a\\u{1b}[31m\\u{a}::error::");
        assert_eq!(inert("###[add-mask]x"), "##\\u{23}[add-mask]x");
    }
}
