//! `authorization-details`: the raw JSON as AWS's own listing, for other tools.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::print;
use super::render::inert;
use crate::authorization_details::{Request, authorization_details};
use crate::settings::account_id;
use crate::settings::values::Prefix;

/// Print the raw JSON as one `get-account-authorization-details`, for the tools that read that
///
/// What `aws iam get-account-authorization-details` would have printed of the account, put together
/// from a folder of an export, a checkout, or any commit of its history: cloudsplaining, parliament
/// and others run on it without credentials. AttachmentCount and PermissionsBoundaryUsageCount are
/// counted anew. Of a policy there is its default version, and nothing tells when a role was last used.
/// Descriptions, session durations and tags that are known are there besides, so `export --from` makes
/// the same files of it. Organizations policies are no part of that listing.
#[derive(Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct AuthorizationDetailsCommand {
    /// The checkout or folder of an export, with `aws-iam-gitops.toml` if there is one
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Of several accounts, take this one; it lies in `accounts/ID`
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: Option<String>,

    /// The commit to read, with its settings; otherwise the files as they are
    #[arg(long, value_name = "REV")]
    revision: Option<String>,

    /// The folder of the repository below which everything lies; otherwise the file's `prefix`
    #[arg(long, value_name = "FOLDER", value_parser = Prefix::parse)]
    prefix: Option<Prefix>,
}

const AFTER_HELP: &str = "\
If any file of raw JSON cannot be read, nothing is printed but the reason. Notes on stderr say what
the repository does not have, such as AWS's own policies where they are not exported.

Examples:
  aws-iam-gitops authorization-details > details.json
  aws-iam-gitops authorization-details --revision HEAD~10 --account 111122223333
  cloudsplaining scan --input-file details.json

Exit codes:
  0 done, 1 something failed, 2 usage";

/// Runs `authorization-details`.
pub fn run(command: AuthorizationDetailsCommand, quiet: bool) -> anyhow::Result<ExitCode> {
    let details = authorization_details(&Request {
        folder: command.folder,
        prefix: command.prefix,
        account: command.account,
        revision: command.revision,
    })?;
    if !quiet {
        for note in &details.notes {
            eprintln!("note: {}", inert(note));
        }
    }
    print(&details.text)?;
    Ok(ExitCode::SUCCESS)
}
