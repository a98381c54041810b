//! The account's alias, which stands in the URL of its sign-in page: one or none.
//!
//! It has neither ARN nor ID: it goes by the word `account` here, so that another alias is the same
//! entity changed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches};
use super::parts::Tag;
use super::{ACCOUNT, Context, Entity, JsonOnly, Kind, Reading, ResourceType, address, read_each};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::summary::Failure;
use crate::terraform::{Body, resource};

pub static KIND: Kind = Kind {
    name: "account alias",
    plural: "account aliases",
    folders: &[FOLDER],
    terraform_prefix: "iam_account_alias",
    case: Case::Ignored,
    do_keys_end_in_names: true,
    asked_by: None,
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_iam_account_alias",
        import_id: "ALIAS",
        written: &["account_alias"],
        ..ResourceType::PLAIN
    }],
    permissions: &["iam:ListAccountAliases"],
    named_permissions: &["iam:ListAccountAliases"],
    read: |source| {
        Box::pin(async move {
            match source {
                Source::Live(live) => Reading::of_one(FOLDER, read_alias(live).await),
                Source::Dump(dump) => read_dump(dump),
            }
        })
    },
    shelve,
    read_named: |live, keys| Box::pin(read_named(live, keys)),
    users: None,
    actions: &[Action::iam(
        &["CreateAccountAlias", "DeleteAccountAlias"],
        Touches::Named(&[Key {
            place: Place::Request(&[]),
            read: |_, _| Found::Key(ACCOUNT.to_owned()),
        }]),
    )],
    deeds: &[
        ("CreateAccountAlias", "accountAlias", "gave the account the alias"),
        ("DeleteAccountAlias", "accountAlias", "removed the alias"),
    ],
    parts: &[],
    parse: |text| Ok(Box::new(serde_json::from_str::<AccountAlias>(text)?)),
};

const FOLDER: &str = "account_alias";

/// What CreateAccountAlias takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountAlias {
    account_alias: String,
}

/// Why the provider refuses an alias.
fn problem(alias: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_alias = (3..=63).contains(&alias.len())
        && alias.bytes().all(is_plain)
        && !alias.starts_with('-')
        && !alias.ends_with('-')
        && !alias.contains("--");
    (!is_alias).then(|| format!("the provider refuses the alias `{alias}`"))
}

impl Entity for AccountAlias {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        ACCOUNT
    }

    fn names(&self) -> Vec<&str> {
        vec![ACCOUNT, &self.account_alias]
    }

    fn arn(&self) -> &str {
        ""
    }

    fn has_arn(&self) -> bool {
        false
    }

    fn folder(&self) -> &'static str {
        FOLDER
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        Vec::new()
    }

    fn json_only(&self) -> Option<JsonOnly> {
        problem(&self.account_alias).map(JsonOnly::Inexpressible)
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, _: &Context) -> Body<'a> {
        let at = address("aws_iam_account_alias", ACCOUNT);
        let block = resource(&at).attribute("account_alias", self.account_alias.as_str());
        let mut body = Body::default();
        body.import(&at, self.account_alias.clone(), block);
        body
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    if let Some(list) = page.get("AccountAliases") {
        page.put("AccountAliases", Rank::OfAccount, list);
    }
    if page.has("AccountAlias") {
        page.put("AccountAlias", Rank::OfAccount, page.whole);
    }
    Ok(())
}

fn read_dump(dump: &Dump) -> Reading {
    let mut errors = Vec::new();
    let lists = dump.parse::<Vec<String>>("AccountAliases", "list of aliases", &mut errors);
    let is_whole = !lists.is_empty() && lists.iter().all(|(item, _)| !item.is_truncated);
    let listed = lists.into_iter().flat_map(|(item, aliases)| {
        aliases.into_iter().map(move |account_alias| (item, AccountAlias { account_alias }))
    });
    let mut found: Vec<_> = listed.collect();
    found.extend(dump.parse("AccountAlias", KIND.name, &mut errors));
    let mut reading = Reading::of_files(&KIND, found);
    reading.failures.extend(errors.into_iter().map(Failure::from));
    if is_whole {
        reading.set_complete(FOLDER);
    }
    reading
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |_| read_alias(live)).await
}

async fn read_alias(live: &Live) -> Result<Option<AccountAlias>, CallError> {
    let call = "iam:ListAccountAliases";
    let request = |marker| live.iam.list_account_aliases().set_marker(marker).send();
    let aliases = live
        .list(call, request, |page| (page.account_aliases, page.is_truncated, page.marker))
        .await?;
    match <[String; 1]>::try_from(aliases) {
        Ok([account_alias]) => Ok(Some(AccountAlias { account_alias })),
        Err(none) if none.is_empty() => Ok(None),
        // An account has one. Of several nobody can tell which it is.
        Err(_) => Err(CallError::empty(call)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_that_the_provider_takes() {
        for alias in ["abc", "0-a", &"a".repeat(63)] {
            assert_eq!(problem(alias), None, "{alias}");
        }
        for alias in ["", "ab", "-ab", "ab-", "a--b", "Abc", "a.b", &"a".repeat(64)] {
            assert!(problem(alias).is_some(), "{alias}");
        }
    }
}
