//! AWS: clients, calls and their errors, and the AWS CLI's output in place of calls.
//!
//! Which calls a kind needs is the kind's own business (`resource/`). Here is what all kinds
//! share: bounded concurrency, retries, errors that name the call, the one big listing.

mod call;
mod dump;
mod live;
mod members;
mod organization;
mod queue;
mod secrets;
mod whole_answer;

pub use call::{CallError, Reason};
pub use dump::{Dump, DumpError, Item, Page, Rank};
pub use live::{Connection, Details, Live, MAX_ATTEMPTS, PAUSE, Pages, config};
pub use members::{Found, Members, PERMISSIONS as SEVERAL_PERMISSIONS};
pub use organization::{Organization, Unit};
pub use queue::{Queue, Unsent};
pub use secrets::Secrets;

/// Where entities are read from.
pub enum Source {
    /// The AWS API.
    Live(Live),
    /// Files that the AWS CLI wrote.
    Dump(Dump),
}

impl Source {
    /// The account that is read, where that is known.
    pub fn account(&self) -> Option<&Account> {
        match self {
            Source::Live(live) => Some(&live.account),
            Source::Dump(dump) => dump.account.as_ref(),
        }
    }
}

/// The account that is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// `aws`, `aws-cn`, `aws-us-gov` …
    pub partition: String,
}

impl Account {
    /// The account and partition of an ARN, unless it is AWS's own or none at all.
    pub fn of_arn(arn: &str) -> Option<Account> {
        let mut parts = arn.splitn(6, ':');
        let (prefix, partition) = (parts.next()?, parts.next()?);
        let id = parts.nth(2)?;
        let is_account = id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        let is_partition = partition.starts_with("aws")
            && partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        (prefix == "arn" && is_account && is_partition)
            .then(|| Account { id: id.to_owned(), partition: partition.to_owned() })
    }

    /// Whether an entity with this ARN is to be read for the account: AWS's own policies are,
    /// organizations policies, which carry the management account's ID, whoever reads them, and
    /// what is of no account.
    pub fn owns(&self, arn: &str) -> bool {
        arn.contains(":organizations:")
            || arn.contains(":iam::aws:policy/")
            || arn.starts_with("arn:") && arn.split(':').nth(4) == Some("")
            || Account::of_arn(arn).as_ref() == Some(self)
    }

    /// The region in which the partition keeps IAM and its events.
    pub fn iam_region(&self) -> Option<&'static str> {
        match self.partition.as_str() {
            "aws" => Some("us-east-1"),
            "aws-us-gov" => Some("us-gov-west-1"),
            "aws-cn" => Some("cn-north-1"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_comes_from_the_arn() {
        let account = Account::of_arn("arn:aws-cn:iam::111122223333:role/x").unwrap();
        assert_eq!((account.id.as_str(), account.partition.as_str()), ("111122223333", "aws-cn"));
        assert_eq!(account.iam_region(), Some("cn-north-1"));
        for arn in ["", "arn:aws:iam::aws:policy/x", "arn:x\":iam::111122223333:role/x", "role/x"] {
            assert_eq!(Account::of_arn(arn), None, "{arn}");
        }
    }

    #[test]
    fn an_account_owns_its_own_entities_and_its_organization() {
        let account = Account::of_arn("arn:aws:iam::111122223333:role/x").unwrap();
        assert!(account.owns("arn:aws:iam::111122223333:policy/a/b"));
        assert!(
            account
                .owns("arn:aws:organizations::444455556666:policy/o-x/service_control_policy/p-x")
        );
        assert!(!account.owns("arn:aws:iam::444455556666:role/x"));
        assert!(account.owns("arn:aws:iam::aws:policy/x"));
        assert!(account.owns("arn:aws:sso:::permissionSet/ssoins-1/ps-1"));
        assert!(!account.owns("x") && !account.owns("arn:aws:iam"));
    }
}
