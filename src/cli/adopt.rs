//! `adopt`: hand-written Terraform becomes ours without a line of it being rewritten.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{ExportArguments, Output, run_export};

/// Take over a Terraform repository that people wrote, without rewriting a line
///
/// What its files declare is recognised, wherever it stands and whatever it is called: by import
/// block, or by name. Raw JSON is written for everything; for what no file declares, Terraform with
/// import blocks is added, an attachment or inline policy next to its siblings. Where the files and
/// AWS differ, the files count as ahead: that is pending until it is applied. From then on `export`
/// and `sync` change in these files only what changes in AWS.
///
/// Run it in a checkout, read what it did with `git diff`, and commit it. The files lie in
/// `terraform/` of the folder.
#[derive(Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct AdoptCommand {
    /// The folder of the repository
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Read files that the AWS CLI wrote, instead of AWS; may be repeated, as in `export`
    #[arg(long, value_name = "PATH", num_args = 1..)]
    from: Vec<PathBuf>,

    /// Write nothing, tell what would be written
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    output: Output,

    /// The profile in the AWS configuration; otherwise AWS_PROFILE
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    profile: Option<String>,

    /// The region to sign for; otherwise AWS_REGION, the profile's, or us-east-1
    #[arg(long, value_name = "REGION", conflicts_with = "from")]
    region: Option<String>,
}

const AFTER_HELP: &str = "\
Permissions are those of `export`.

Example:
  cd iam && aws-iam-gitops adopt && git add . && git diff --cached

Exit codes:
  0 done, 1 something failed (what could be read is written), 2 usage";

/// Runs `adopt`.
pub fn adopt(command: AdoptCommand, quiet: bool) -> anyhow::Result<ExitCode> {
    let arguments = ExportArguments {
        from: command.from,
        to: command.folder,
        account: None,
        aws_managed: false,
        managed_elsewhere: false,
        organizations_attachments: false,
        no_import: false,
        overwrite: false,
        dry_run: command.dry_run,
        output: command.output,
        profile: command.profile,
        region: command.region,
        concurrency: 8,
    };
    run_export(arguments, true, quiet)
}
