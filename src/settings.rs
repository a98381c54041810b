//! What a run is to do, as one validated value.

use std::path::PathBuf;

use crate::aws::Connection;

/// One export, from files or from AWS, to a folder.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    /// What the AWS CLI wrote; empty means AWS itself.
    pub from: Vec<PathBuf>,
    pub to: PathBuf,
    /// Twelve digits; whose entities to take from the files.
    pub account: Option<String>,
    pub connection: Connection,
    pub organizations_attachments: bool,
    /// Whether resources come with import blocks.
    pub imports: bool,
    pub managed_elsewhere: bool,
    pub overwrite: bool,
    pub dry_run: bool,
}

/// An account ID: twelve digits.
///
/// # Errors
///
/// Anything else, with what is expected.
pub fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account ID has twelve digits".to_owned())
    }
}
