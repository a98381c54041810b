//! `adopt`: hand-written Terraform becomes ours without a line of it being rewritten.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::Args;

use super::accounts::AccountsArguments;
use super::{ExportArguments, Output, run_export};
use crate::error::Refused;
use crate::invisible::visible;

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
        exclusive: false,
        no_import: false,
        overwrite: false,
        dry_run: command.dry_run,
        output: command.output,
        profile: command.profile,
        region: command.region,
        concurrency: 8,
        accounts: AccountsArguments::default(),
    };
    run_export(arguments, true, quiet)
}

/// Where nothing is declared everything would be written anew, next to files that were meant.
pub fn refuse_without_terraform(folder: &Path) -> anyhow::Result<()> {
    let shown = visible(&folder.display().to_string()).into_owned();
    let Ok(beside) = has_terraform(folder) else {
        let hint = "name the folder of the repository, which holds `terraform/`";
        return Err(
            Refused { error: format!("`{shown}` is not a folder that can be read"), hint }.into()
        );
    };
    if has_terraform(&folder.join("terraform")).unwrap_or(false) {
        return Ok(());
    }
    let hint = match beside {
        true => "its Terraform lies beside it: move it to `terraform/`, which keeps its state",
        false => "`aws-iam-gitops export` writes an account that nobody declared yet",
    };
    Err(Refused { error: format!("`{shown}` has no Terraform files in `terraform/`"), hint }.into())
}

fn has_terraform(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".tf") || name.ends_with(".tf.json") {
            return Ok(true);
        }
    }
    Ok(false)
}
