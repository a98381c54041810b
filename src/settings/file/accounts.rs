//! The table `[accounts]`: several accounts in the repository, each below a folder of its own.

use toml::Spanned;
use toml::de::DeValue;

use super::{File, in_order, wrong_type};
use crate::invisible::visible;
use crate::settings::SettingsError;
use crate::settings::accounts::{self, Choices, Which};
use crate::settings::spelling::allowed;
use crate::settings::values::Invalid;

/// The keys, each with what it sets.
pub const KEYS: [(&str, &str); 8] = [
    ("ids", "the accounts by their IDs"),
    ("organization", "`true`: every active account of the organization"),
    ("organizational_units", "every active account of these units and of those below them"),
    ("exclude", "accounts of the organization or its units that are left out"),
    ("role", "the role that is assumed in each, perhaps with its path"),
    ("external_id", "the external ID that the roles ask for"),
    ("session_name", "what the sessions are called"),
    ("concurrency", "accounts that are read at once"),
];

impl File<'_> {
    pub(super) fn accounts(&self, value: &Spanned<DeValue>) -> Result<Choices, SettingsError> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(self.error(value.span(), wrong_type(value, "a table: `[accounts]`")));
        };
        let mut choices = Choices::default();
        for (key, value) in in_order(table) {
            let mut named = None;
            match key.get_ref().as_ref() {
                "ids" => named = Some(Which::Ids(self.set(value, accounts::id)?)),
                "organization" => {
                    named = self.boolean(value)?.then_some(Which::Organization);
                }
                "organizational_units" => {
                    named = Some(Which::Units(self.set(value, accounts::unit)?));
                }
                "exclude" => {
                    let ids = self.list(value, accounts::id)?;
                    choices.exclude = Some(ids.into_iter().collect());
                }
                "role" => choices.role = Some(self.text(value, accounts::role)?),
                "external_id" => {
                    choices.external_id = Some(self.text(value, accounts::external_id)?);
                }
                "session_name" => {
                    choices.session_name = Some(self.text(value, accounts::session_name)?);
                }
                "concurrency" => {
                    let number = self.number(value)?.to_string();
                    let parsed = accounts::at_once(&number);
                    let parsed = parsed.map_err(|invalid| self.error(value.span(), invalid));
                    choices.at_once = Some(parsed?);
                }
                unknown => {
                    let problem = format!("accounts have no setting `{}`", visible(unknown));
                    let invalid =
                        Invalid::new(problem, allowed(unknown, &KEYS.map(|(key, _)| key)));
                    return Err(self.error(key.span(), invalid));
                }
            }
            if named.is_some() && choices.which.is_some() {
                let invalid = Invalid::new(
                    "the accounts are named already",
                    "one of `ids`, `organization` and `organizational_units`",
                );
                return Err(self.error(key.span(), invalid));
            }
            choices.which = choices.which.or(named);
        }
        Ok(choices)
    }

    fn set(
        &self,
        value: &Spanned<DeValue>,
        parse: impl Fn(&str) -> Result<String, Invalid>,
    ) -> Result<std::collections::BTreeSet<String>, SettingsError> {
        let list = self.list(value, parse)?;
        match list.is_empty() {
            false => Ok(list.into_iter().collect()),
            true => Err(self.error(
                value.span(),
                Invalid::new(
                    "no account is named",
                    "one at least; leave the table out for one account",
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FILE_NAME, FileSettings};
    use super::*;

    #[track_caller]
    fn refused(text: &str, line: &str, problem: &str, right: &str) {
        let error = FileSettings::parse(FILE_NAME, &format!("[accounts]\n{text}")).unwrap_err();
        assert!(error.place.contains(line), "{error:?}");
        assert!(error.problem.contains(problem), "{error:?}");
        assert!(error.right.contains(right), "{error:?}");
    }

    #[test]
    fn every_key_is_read() {
        let text = "[accounts]\norganizational_units = ['ou-ab12-cdefgh34']\n\
                    organization = false\nexclude = ['111122223333']\nrole = 'security/reader'\n\
                    external_id = 'x1'\nsession_name = 'export'\nconcurrency = 8\n";
        let choices = FileSettings::parse(FILE_NAME, text).unwrap().choices.accounts;
        let accounts = choices.settled().unwrap().unwrap();
        assert_eq!(accounts.which, Which::Units(["ou-ab12-cdefgh34".to_owned()].into()));
        assert_eq!(accounts.exclude, ["111122223333".to_owned()].into());
        assert_eq!(accounts.role, "security/reader");
        assert_eq!(accounts.external_id.as_deref(), Some("x1"));
        assert_eq!((accounts.session_name.as_str(), accounts.at_once), ("export", 8));
        for (key, _) in KEYS {
            let error = FileSettings::parse(FILE_NAME, &format!("[accounts]\n{key} = {{}}\n"));
            assert!(!error.unwrap_err().problem.contains("no setting"), "{key}");
        }
    }

    #[test]
    fn wrong_values_are_refused_with_their_place_and_what_would_be_right() {
        refused("idz = []", "line 2, column 1", "no setting `idz`", "mean `ids`");
        refused("ids = []", "line 2, column 7", "no account is named", "leave the table out");
        refused("ids = ['1']", "line 2, column 8", "`1` is not the ID", "twelve digits");
        refused("ids = '1'", "line 2, column 7", "a text cannot", "a list");
        refused("organization = 'yes'", "line 2, column 16", "a text cannot", "without quotes");
        refused(
            "organization = true\nids = ['111122223333']",
            "line 3, column 1",
            "named already",
            "one of",
        );
        refused("organizational_units = ['x']", "line 2", "`x` is not the ID", "ou-");
        refused("role = 'arn:aws:iam::111122223333:role/x'", "line 2", "one account", "name");
        refused("role = '../x y'", "line 2", "not the name of a role", "path");
        refused("external_id = 'a b'", "line 2", "no external ID", "letters");
        refused("session_name = 'a b'", "line 2", "not the name of a session", "letters");
        refused("concurrency = 0", "line 2", "`0` is not a number", "1 to 32");
        refused("concurrency = 'x'", "line 2", "no number", "whole number");
        refused("external_id = \"\\u001b[2J\"", "line 2", "no external ID", "letters");
    }

    #[test]
    fn prefix_and_accounts_do_not_go_together() {
        let text = "prefix = 'x'\n[accounts]\nids = ['111122223333']\n";
        let error = FileSettings::parse(FILE_NAME, text).unwrap_err();
        assert!(error.place.contains("line 2, column 2"), "{error:?}");
        assert!(error.problem.contains("`prefix`"), "{error:?}");
    }
}
