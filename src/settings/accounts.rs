//! Several accounts in one repository: which they are, and how each is entered.
//!
//! Whatever says so, file, environment or arguments, says it with the same words; what is said of one
//! thing by several of them is settled in [`Choices::settled`].

use std::collections::BTreeSet;

use super::account_id;
use super::values::{Invalid, Prefix};
use crate::invisible::visible;

/// The folder below which each account has one of its own, named by its ID.
pub const FOLDER: &str = "accounts";

/// The role that is assumed, unless settings name another: what `terraform/modules/member` makes.
pub const ROLE: &str = "aws-iam-gitops-member";

const SESSION_NAME: &str = "aws-iam-gitops";

/// How many accounts are read at once, unless settings say otherwise.
const AT_ONCE: usize = 4;

/// Which accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    Ids(BTreeSet<String>),
    /// Every active account of the organization.
    Organization,
    /// Every active account of these organizational units and of those below them.
    Units(BTreeSet<String>),
}

/// Several accounts, as far as one place says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    pub which: Option<Which>,
    pub exclude: Option<BTreeSet<String>>,
    pub role: Option<String>,
    pub external_id: Option<String>,
    pub session_name: Option<String>,
    pub at_once: Option<usize>,
}

/// Several accounts, with all that is needed to read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    pub which: Which,
    pub exclude: BTreeSet<String>,
    /// With its path, without a slash before it.
    pub role: String,
    pub external_id: Option<String>,
    pub session_name: String,
    pub at_once: usize,
}

impl Choices {
    /// These choices, and the other's where these say nothing.
    pub fn or(self, other: Choices) -> Choices {
        Choices {
            which: self.which.or(other.which),
            exclude: self.exclude.or(other.exclude),
            role: self.role.or(other.role),
            external_id: self.external_id.or(other.external_id),
            session_name: self.session_name.or(other.session_name),
            at_once: self.at_once.or(other.at_once),
        }
    }

    /// The accounts; none where nothing names any.
    ///
    /// # Errors
    ///
    /// Accounts are left out of a list that names each, or of none at all.
    pub fn settled(self) -> Result<Option<Accounts>, Invalid> {
        let Some(which) = self.which else {
            return match self {
                Choices { exclude: Some(_), .. } => Err(Invalid::new(
                    "accounts are left out, and none are named",
                    "name the organization or its units too, or no `exclude`",
                )),
                // A role by itself says how accounts would be entered, if there were any.
                _ => Ok(None),
            };
        };
        let exclude = self.exclude.unwrap_or_default();
        if matches!(which, Which::Ids(_)) && !exclude.is_empty() {
            return Err(Invalid::new(
                "accounts are named one by one, and some are left out besides",
                "leave them out of the list, without `exclude`",
            ));
        }
        Ok(Some(Accounts {
            which,
            exclude,
            role: self.role.unwrap_or_else(|| ROLE.to_owned()),
            external_id: self.external_id,
            session_name: self.session_name.unwrap_or_else(|| SESSION_NAME.to_owned()),
            at_once: self.at_once.unwrap_or(AT_ONCE),
        }))
    }
}

/// The folder of one account.
pub fn folder_of(account: &str) -> Prefix {
    Prefix::parse(&format!("{FOLDER}/{account}")).expect("an ID is a folder's name")
}

/// IDs of accounts with commas, `organization`, or IDs of organizational units with commas.
///
/// # Errors
///
/// None, or different ones together.
pub fn which(text: &str) -> Result<Which, Invalid> {
    let right = "IDs of accounts as in `111122223333,444455556666`, `organization`, or IDs of \
                 organizational units as in `ou-ab12-cdefgh34`";
    let items: Vec<&str> = text.split(',').map(str::trim).collect();
    if items == ["organization"] {
        return Ok(Which::Organization);
    }
    let all = |parse: fn(&str) -> Result<String, Invalid>| {
        items.iter().map(|item| parse(item)).collect::<Result<BTreeSet<_>, _>>()
    };
    if let Ok(ids) = all(id) {
        return Ok(Which::Ids(ids));
    }
    if let Ok(units) = all(unit) {
        return Ok(Which::Units(units));
    }
    Err(Invalid::new(format!("`{}` names no accounts", visible(text)), right))
}

/// IDs of accounts, with commas.
///
/// # Errors
///
/// One that is none.
pub fn ids(text: &str) -> Result<BTreeSet<String>, Invalid> {
    text.split(',').map(|item| id(item.trim())).collect()
}

/// The ID of an account.
///
/// # Errors
///
/// Anything else.
pub fn id(text: &str) -> Result<String, Invalid> {
    account_id(text).map_err(|_| {
        Invalid::new(format!("`{}` is not the ID of an account", visible(text)), "twelve digits")
    })
}

/// The ID of an organizational unit, or of the organization's root.
///
/// # Errors
///
/// Anything else.
pub fn unit(text: &str) -> Result<String, Invalid> {
    let is_part = |part: &str, longest: usize| {
        (4..=longest).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let is_unit = text.strip_prefix("ou-").and_then(|rest| rest.split_once('-')).is_some_and(
        |(root, unit)| is_part(root, 32) && (8..=32).contains(&unit.len()) && is_part(unit, 32),
    );
    match is_unit || text.strip_prefix("r-").is_some_and(|root| is_part(root, 32)) {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(
            format!("`{}` is not the ID of an organizational unit", visible(text)),
            "an ID like `ou-ab12-cdefgh34`",
        )),
    }
}

/// The name of the role to assume, perhaps with a path.
///
/// # Errors
///
/// A name or path that IAM does not take, or an ARN: the account is another each time.
pub fn role(text: &str) -> Result<String, Invalid> {
    let right = "a role's name, perhaps with its path: `aws-iam-gitops-member`, `security/reader`";
    let refused = |problem: String| Err(Invalid::new(problem, right));
    if text.starts_with("arn:") {
        return refused("an ARN names the role of one account".to_owned());
    }
    let inner = text.strip_prefix('/').unwrap_or(text);
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
    };
    let name = inner.rsplit('/').next().unwrap_or_default();
    match inner.split('/').all(is_part) && name.len() <= 64 && inner.len() <= 512 {
        true => Ok(inner.to_owned()),
        false => refused(format!("`{}` is not the name of a role", visible(text))),
    }
}

/// The external ID that the roles ask for.
///
/// # Errors
///
/// One that STS does not take.
pub fn external_id(text: &str) -> Result<String, Invalid> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    match (2..=1224).contains(&text.len()) && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(
            "that is no external ID",
            "2 to 1224 letters, digits and characters of `_+=,.@:/-`",
        )),
    }
}

/// What sessions are called in the trails of the accounts.
///
/// # Errors
///
/// A name that STS does not take.
pub fn session_name(text: &str) -> Result<String, Invalid> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    match (2..=64).contains(&text.len()) && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(
            format!("`{}` is not the name of a session", visible(text)),
            "2 to 64 letters, digits and characters of `_+=,.@-`",
        )),
    }
}

/// How many accounts are read at once.
///
/// # Errors
///
/// Not a number from 1 to 32.
pub fn at_once(text: &str) -> Result<usize, Invalid> {
    let number = text.parse().ok().filter(|number| (1..=32).contains(number));
    let problem = || format!("`{}` is not a number of accounts", visible(text));
    number.ok_or_else(|| Invalid::new(problem(), "a number from 1 to 32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_named_in_three_ways_and_never_two_at_once() {
        let set = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        let ids = Which::Ids(set(&["111122223333", "444455556666"]));
        assert_eq!(which("444455556666, 111122223333"), Ok(ids));
        assert_eq!(which("organization"), Ok(Which::Organization));
        let units = Which::Units(set(&["ou-ab12-cdefgh34", "r-ab12"]));
        assert_eq!(which("ou-ab12-cdefgh34,r-ab12"), Ok(units));
        for text in [
            "",
            "1111",
            "111122223333,",
            "organization,111122223333",
            "ou-ab12-cdefgh34,111122223333",
            "OU-AB12-CDEFGH34",
            "../../x",
            "11112222333３",
        ] {
            assert!(which(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_could_be_another_role_or_account_is_refused() {
        assert_eq!(role("/security/reader").as_deref(), Ok("security/reader"));
        assert_eq!(role("a+b=c,d.e@f-g_h").as_deref(), Ok("a+b=c,d.e@f-g_h"));
        for text in [
            "",
            "/",
            "a/",
            "a//b",
            "../b",
            "arn:aws:iam::111122223333:role/x",
            "a:role/b",
            "*",
            "a b",
            "a\n",
            "${aws:x}",
            "é",
        ] {
            assert!(role(text).is_err(), "{text}");
        }
        assert!(role(&"x".repeat(65)).is_err());
        for text in ["", "x", "a b", "a\nb", "é"] {
            assert!(external_id(text).is_err() && session_name(text).is_err(), "{text}");
        }
        assert!(session_name("a/b").is_err() && external_id("a/b").is_ok());
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let choices = |which: Option<&str>, exclude: Option<&str>| Choices {
            which: which.map(|text| super::which(text).unwrap()),
            exclude: exclude.map(|text| ids(text).unwrap()),
            ..Choices::default()
        };
        let id = "111122223333";
        assert_eq!(choices(None, None).settled(), Ok(None));
        assert!(choices(None, Some(id)).settled().is_err());
        assert!(choices(Some(id), Some(id)).settled().is_err());
        let settled = choices(Some("organization"), Some(id)).settled().unwrap().unwrap();
        assert_eq!((settled.role.as_str(), settled.at_once), (ROLE, AT_ONCE));
        assert_eq!(folder_of(id).as_str(), "accounts/111122223333");
    }
}
