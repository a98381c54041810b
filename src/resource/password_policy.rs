//! The account's policy on its users' passwords: one or none.
//!
//! It has neither ARN nor ID: it goes by the word `account` here.

use std::collections::BTreeSet;

use aws_sdk_iam::types as sdk;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches};
use super::parts::Tag;
use super::{ACCOUNT, Context, Entity, JsonOnly, Kind, Reading, ResourceType, address, read_each};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::summary::Failure;
use crate::terraform::{Body, resource};

pub static KIND: Kind = Kind {
    name: "password policy",
    plural: "password policies",
    folders: &[FOLDER],
    terraform_prefix: "iam_account_password_policy",
    case: Case::Ignored,
    do_keys_end_in_names: true,
    asked_by: None,
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_iam_account_password_policy",
        import_id: "iam-account-password-policy",
        defaults: &[
            ("allow_users_to_change_password", "true"),
            ("hard_expiry", "false"),
            ("max_password_age", "0"),
            ("minimum_password_length", "6"),
            ("password_reuse_prevention", "0"),
            ("require_lowercase_characters", "false"),
            ("require_numbers", "false"),
            ("require_symbols", "false"),
            ("require_uppercase_characters", "false"),
        ],
        written: &[
            "allow_users_to_change_password",
            "hard_expiry",
            "max_password_age",
            "minimum_password_length",
            "password_reuse_prevention",
            "require_lowercase_characters",
            "require_numbers",
            "require_symbols",
            "require_uppercase_characters",
        ],
        computed: &[
            "hard_expiry",
            "max_password_age",
            "password_reuse_prevention",
            "require_lowercase_characters",
            "require_numbers",
            "require_symbols",
            "require_uppercase_characters",
        ],
        ..ResourceType::PLAIN
    }],
    permissions: &["iam:GetAccountPasswordPolicy"],
    named_permissions: &["iam:GetAccountPasswordPolicy"],
    read: |source| {
        Box::pin(async move {
            match source {
                Source::Live(live) => Reading::of_one(FOLDER, read_policy(live).await),
                Source::Dump(dump) => read_dump(dump),
            }
        })
    },
    shelve,
    read_named: |live, keys| Box::pin(read_named(live, keys)),
    users: None,
    actions: &[Action::iam(
        &["DeleteAccountPasswordPolicy", "UpdateAccountPasswordPolicy"],
        Touches::Named(&[Key {
            place: Place::Request(&[]),
            read: |_, _| Found::Key(ACCOUNT.to_owned()),
        }]),
    )],
    deeds: &[],
    parts: &[],
    parse: |text| Ok(Box::new(serde_json::from_str::<AccountPasswordPolicy>(text)?)),
};

const FOLDER: &str = "password_policy";

/// The answer of GetAccountPasswordPolicy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountPasswordPolicy {
    password_policy: Settings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum_password_length: Option<i32>,
    #[serde(default)]
    require_symbols: bool,
    #[serde(default)]
    require_numbers: bool,
    #[serde(default)]
    require_uppercase_characters: bool,
    #[serde(default)]
    require_lowercase_characters: bool,
    #[serde(default)]
    allow_users_to_change_password: bool,
    /// Follows from the age.
    #[serde(default)]
    expire_passwords: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_password_age: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_reuse_prevention: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hard_expiry: Option<bool>,
}

impl Entity for AccountPasswordPolicy {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        ACCOUNT
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
        None
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, _: &Context) -> Body<'a> {
        let policy = &self.password_policy;
        let at = address("aws_iam_account_password_policy", ACCOUNT);
        // AWS has no such numbers; the provider's state has them where AWS says nothing.
        let set = |number: Option<i32>| number.filter(|number| *number != 0);
        let block = resource(&at)
            .attribute("minimum_password_length", policy.minimum_password_length.unwrap_or(0))
            .attribute("require_lowercase_characters", policy.require_lowercase_characters)
            .attribute("require_uppercase_characters", policy.require_uppercase_characters)
            .attribute("require_numbers", policy.require_numbers)
            .attribute("require_symbols", policy.require_symbols)
            .attribute("allow_users_to_change_password", policy.allow_users_to_change_password)
            .optional("max_password_age", set(policy.max_password_age))
            .optional("password_reuse_prevention", set(policy.password_reuse_prevention))
            .optional("hard_expiry", policy.hard_expiry);
        let mut body = Body::default();
        body.import(&at, "iam-account-password-policy".to_owned(), block);
        body
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    if page.has("PasswordPolicy") {
        page.put("PasswordPolicy", Rank::OfAccount, page.whole);
    }
    Ok(())
}

fn read_dump(dump: &Dump) -> Reading {
    let mut errors = Vec::new();
    let found = dump.parse("PasswordPolicy", KIND.name, &mut errors);
    let mut reading = Reading::of_files::<AccountPasswordPolicy>(&KIND, found);
    reading.failures.extend(errors.into_iter().map(Failure::from));
    // Where there is none, the AWS CLI prints nothing.
    if !reading.entities.is_empty() {
        reading.set_complete(FOLDER);
    }
    reading
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |_| read_policy(live)).await
}

async fn read_policy(live: &Live) -> Result<Option<AccountPasswordPolicy>, CallError> {
    let call = "iam:GetAccountPasswordPolicy";
    match live.call(call, live.iam.get_account_password_policy().send()).await {
        Ok(answer) => {
            let policy = answer.password_policy.ok_or_else(|| CallError::empty(call))?;
            Ok(Some(AccountPasswordPolicy { password_policy: policy.into() }))
        }
        Err(error) if error.reason == Reason::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl From<sdk::PasswordPolicy> for Settings {
    fn from(policy: sdk::PasswordPolicy) -> Settings {
        Settings {
            minimum_password_length: policy.minimum_password_length,
            require_symbols: policy.require_symbols,
            require_numbers: policy.require_numbers,
            require_uppercase_characters: policy.require_uppercase_characters,
            require_lowercase_characters: policy.require_lowercase_characters,
            allow_users_to_change_password: policy.allow_users_to_change_password,
            expire_passwords: policy.expire_passwords,
            max_password_age: policy.max_password_age,
            password_reuse_prevention: policy.password_reuse_prevention,
            hard_expiry: policy.hard_expiry,
        }
    }
}
