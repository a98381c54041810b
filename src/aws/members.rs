//! The way from one account to others: which there are, and the role that is assumed in each.
//!
//! The account of the credentials itself is read with them as they are, without the role. Each other
//! account has clients, retries and rates of its own, so that one that is throttled slows down no
//! other.

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_organizations::types::{Account as Listed, AccountState, AccountStatus};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};

use super::call::in_time;
use super::live::retry_partition;
use super::whole_answer::WholeAnswers;
use super::{Account, CallError, Connection, Live, Pages, Reason};
use crate::progress::Progress;
use crate::settings::accounts::{Accounts, Which};

/// What finding and entering several accounts takes besides the permissions of an export.
pub const PERMISSIONS: [&str; 5] = [
    "organizations:DescribeOrganization",
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "sts:AssumeRole",
];

const ALL: &str = "organizations:ListAccounts";
const BELOW: &str = "organizations:ListAccountsForParent";

/// The account of the credentials, and from there the others.
pub struct Members {
    pub own: Live,
    config: SdkConfig,
    connection: Connection,
}

/// The accounts that are meant, and the one of them in which the organization is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In order.
    pub ids: BTreeSet<String>,
    pub reader: Option<String>,
    /// Accounts that have a folder and are not among them; who knows the folders says so.
    pub gone: Vec<String>,
}

impl Members {
    /// Connects with the credentials.
    ///
    /// # Errors
    ///
    /// As [`Live::connect`].
    pub async fn connect(
        connection: Connection,
        config: SdkConfig,
        progress: Progress,
    ) -> Result<Members, CallError> {
        let own = Live::connect(&connection, &config, progress).await?;
        Ok(Members { own, config, connection })
    }

    /// A connection to one of the accounts, until the deadline at most.
    ///
    /// # Errors
    ///
    /// The role cannot be assumed.
    pub async fn enter(
        &self,
        id: &str,
        accounts: &Accounts,
        deadline: Option<Instant>,
    ) -> Result<Live, CallError> {
        if id == self.own.account.id {
            return Ok(self.own.without_progress());
        }
        let call = "sts:AssumeRole";
        let account = Account { id: id.to_owned(), partition: self.own.account.partition.clone() };
        let role = format!("arn:{}:iam::{id}:role/{}", account.partition, accounts.role);
        let sts = aws_sdk_sts::config::Builder::from(&self.config)
            .retry_partition(retry_partition())
            .interceptor(WholeAnswers)
            .build();
        let request = aws_sdk_sts::Client::from_conf(sts)
            .assume_role()
            .role_arn(role)
            .role_session_name(&accounts.session_name)
            .set_external_id(accounts.external_id.clone());
        let answer = in_time(call, deadline, request.send()).await?;
        let given = answer.credentials.ok_or_else(|| CallError::empty(call))?;
        let assumed = answer.assumed_role_user.map(|user| user.arn).unwrap_or_default();
        // Whatever went wrong on the way: what is read as one account's is never another's.
        if Account::of_arn(&assumed).as_ref() != Some(&account) {
            let message = "its answer is of another account".to_owned();
            return Err(CallError { call, reason: Reason::Other, message });
        }
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            SystemTime::try_from(given.expiration).ok(),
            "AssumeRole",
        );
        let provider = SharedCredentialsProvider::new(credentials);
        let config = self.config.to_builder().credentials_provider(provider).build();
        let live =
            Live::of_account(&self.connection, &config, account, assumed, Progress::default());
        live.count_call();
        Ok(live)
    }

    /// Finds the accounts.
    ///
    /// # Errors
    ///
    /// A listing failed or is empty; then nobody knows which accounts there are, or who of them reads
    /// the organization.
    pub async fn find(
        &self,
        accounts: &Accounts,
        deadline: Option<Instant>,
    ) -> Result<Found, CallError> {
        let mut ids = match &accounts.which {
            Which::Ids(ids) => ids.clone(),
            Which::Organization => self.of_organization(deadline).await?,
            Which::Units(units) => self.of_units(units, deadline).await?,
        };
        ids.retain(|id| !accounts.exclude.contains(id));
        // What nobody exports would look like what has not changed.
        if ids.is_empty() {
            return Err(CallError::no_account(match &accounts.which {
                Which::Units(_) => BELOW,
                Which::Ids(_) | Which::Organization => ALL,
            }));
        }
        let reader = self.reader(&ids, deadline).await?;
        Ok(Found { ids, reader, gone: Vec::new() })
    }

    /// The management account if it is among them, otherwise that of the credentials: it may be a
    /// delegated administrator.
    async fn reader(
        &self,
        ids: &BTreeSet<String>,
        deadline: Option<Instant>,
    ) -> Result<Option<String>, CallError> {
        let call = "organizations:DescribeOrganization";
        let request = self.own.organizations.describe_organization();
        let management = match in_time(call, deadline, request.send()).await {
            Ok(answer) => answer.organization.and_then(|found| found.master_account_id),
            // Where there is none, or nobody may know, the own account tells when it is read.
            Err(error) if matches!(error.reason, Reason::NoOrganization | Reason::Denied) => None,
            // It may be known the next time: then two folders would have the policies.
            Err(error) => return Err(error),
        };
        let own = Some(self.own.account.id.clone());
        Ok(management.filter(|id| ids.contains(id)).or(own.filter(|id| ids.contains(id))))
    }

    async fn of_organization(
        &self,
        deadline: Option<Instant>,
    ) -> Result<BTreeSet<String>, CallError> {
        let call = ALL;
        let (mut ids, mut pages) = (BTreeSet::new(), Pages::new(call));
        loop {
            let request = self.own.organizations.list_accounts().set_next_token(pages.marker());
            let page = in_time(call, deadline, request.send()).await?;
            ids.extend(page.accounts.unwrap_or_default().into_iter().filter_map(active));
            if !pages.more(page.next_token.is_some(), page.next_token)? {
                return Ok(ids);
            }
        }
    }

    async fn of_units(
        &self,
        units: &BTreeSet<String>,
        deadline: Option<Instant>,
    ) -> Result<BTreeSet<String>, CallError> {
        let organizations = &self.own.organizations;
        let (mut ids, mut seen) = (BTreeSet::new(), units.clone());
        let mut left: Vec<String> = units.iter().cloned().collect();
        while let Some(unit) = left.pop() {
            let call = BELOW;
            let mut pages = Pages::new(call);
            loop {
                let request = organizations
                    .list_accounts_for_parent()
                    .parent_id(&unit)
                    .set_next_token(pages.marker());
                let page = in_time(call, deadline, request.send()).await?;
                ids.extend(page.accounts.unwrap_or_default().into_iter().filter_map(active));
                if !pages.more(page.next_token.is_some(), page.next_token)? {
                    break;
                }
            }
            let call = "organizations:ListOrganizationalUnitsForParent";
            let mut pages = Pages::new(call);
            loop {
                let request = organizations
                    .list_organizational_units_for_parent()
                    .parent_id(&unit)
                    .set_next_token(pages.marker());
                let page = in_time(call, deadline, request.send()).await?;
                let below = page.organizational_units.unwrap_or_default().into_iter();
                left.extend(below.filter_map(|unit| unit.id).filter(|id| seen.insert(id.clone())));
                if !pages.more(page.next_token.is_some(), page.next_token)? {
                    break;
                }
            }
        }
        Ok(ids)
    }
}

/// The ID of an account that can be entered: one that is suspended or not yet set up cannot.
fn active(account: Listed) -> Option<String> {
    let is_id = |id: &String| crate::settings::account_id(id).is_ok();
    let is_active = match &account.state {
        Some(state) => *state == AccountState::Active,
        // What told it before there were states.
        None => account.status == Some(AccountStatus::Active),
    };
    account.id.filter(|id| is_active && is_id(id))
}
