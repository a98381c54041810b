//! `sanitize`: what another program prints, fit for a log or for Markdown.

use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::print;
use crate::github::markdown;
use crate::sanitize::copy;

/// Make foreign output fit for the log of a workflow
///
/// Copies stdin to stdout. Control characters and whatever else nobody sees are spelled out as
/// `\u{…}`, and so is the first character of what GitHub's runner would take for a workflow command:
/// names and descriptions from AWS are other people's text, and Terraform prints them as they are.
/// Nothing is left out.
#[derive(Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct SanitizeCommand {
    /// What to make of it
    #[arg(long, value_enum, default_value_t = Form::Log, value_name = "FORMAT")]
    output: Form,

    /// For Markdown, the bytes to show at most; a line tells how many lines were left out
    #[arg(long, value_name = "BYTES", default_value_t = 60_000)]
    limit: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// Lines of a log
    Log,
    /// A block of code that nothing in it can leave, mention or link from
    Markdown,
}

const AFTER_HELP: &str = "Example:
  terraform plan -no-color 2>&1 | aws-iam-gitops sanitize

Exit codes:
  0 done, 1 something failed, 2 usage";

/// Runs `sanitize`.
pub fn run(command: &SanitizeCommand) -> anyhow::Result<ExitCode> {
    match command.output {
        Form::Log => match copy(io::stdin().lock(), io::stdout().lock()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(error).context("cannot copy stdin to stdout");
            }
            _ => {}
        },
        Form::Markdown => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).context("cannot read stdin")?;
            let text = String::from_utf8_lossy(&bytes);
            let (mut block, left_out) = markdown::fence_of("", &text, command.limit);
            if left_out > 0 {
                block.push_str(&format!("\n{left_out} more lines are left out.\n"));
            }
            print(&block)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
