//! The arguments that name several accounts.

use std::collections::BTreeSet;

use clap::Args;

use crate::settings::accounts::{self, Choices, Which};

/// Several accounts in place of the one of the credentials.
#[derive(Args, Default)]
#[command(next_help_heading = "Several accounts")]
pub struct AccountsArguments {
    /// Several accounts, each to a folder below `accounts/`: their IDs with commas, `organization`
    /// for all that are active, or the IDs of organizational units
    #[arg(long, value_name = "ACCOUNTS", value_parser = accounts::which)]
    accounts: Option<Which>,

    /// Accounts of the organization or its units that are left out, with commas
    #[arg(long, value_name = "IDS", value_parser = Excluded::parse)]
    accounts_exclude: Option<Excluded>,

    /// The role to assume in each account but the one of the credentials; otherwise
    /// aws-iam-gitops-member
    #[arg(long, value_name = "NAME", value_parser = accounts::role)]
    accounts_role: Option<String>,

    /// The external ID that these roles ask for
    #[arg(long, value_name = "ID", value_parser = accounts::external_id)]
    accounts_external_id: Option<String>,

    /// What the sessions of these roles are called; otherwise aws-iam-gitops
    #[arg(long, value_name = "NAME", value_parser = accounts::session_name)]
    accounts_session_name: Option<String>,

    /// Accounts that are read at once; otherwise 4
    #[arg(long, value_name = "N", value_parser = accounts::at_once)]
    accounts_concurrency: Option<usize>,
}

/// A set is one value here, not many.
#[derive(Clone)]
struct Excluded(BTreeSet<String>);

impl Excluded {
    fn parse(text: &str) -> Result<Excluded, crate::settings::values::Invalid> {
        accounts::ids(text).map(Excluded)
    }
}

impl AccountsArguments {
    pub fn are_named(&self) -> bool {
        self.accounts.is_some()
    }

    pub fn choices(self) -> Choices {
        Choices {
            which: self.accounts,
            exclude: self.accounts_exclude.map(|excluded| excluded.0),
            role: self.accounts_role,
            external_id: self.accounts_external_id,
            session_name: self.accounts_session_name,
            at_once: self.accounts_concurrency,
        }
    }
}
