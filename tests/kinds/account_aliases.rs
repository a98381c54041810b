//! The account's alias.

use serde_json::{Value, json};

use super::{Cases, Change, Edit, iam};

pub static CASES: Cases = Cases {
    kind: "account aliases",
    account: || json!({ "account_aliases": [{ "AccountAlias": "example" }] }),
    resources: 1,
    edits: &[Edit {
        file: "terraform/iam_account_alias.account.tf",
        from: "account_alias = \"example\"",
        to: "account_alias = \"example-org\"",
        address: "aws_iam_account_alias.account delete+create",
        arguments: &["account_alias"],
        json: &["account_alias/account.json"],
    }],
    changes,
    unseen: &[],
    listings: &["ListAccountAliases"],
};

fn alias(action: &'static str, alias: &str, files: &'static [&'static str]) -> Change {
    let request: Value = json!({ "AccountAlias": alias });
    iam(action, request, files)
}

fn changes() -> Vec<Change> {
    vec![
        alias(
            "CreateAccountAlias",
            "other",
            &[
                "changed account_alias/account.json",
                "changed terraform/iam_account_alias.account.tf",
            ],
        ),
        alias(
            "DeleteAccountAlias",
            "other",
            &[
                "removed account_alias/account.json",
                "removed terraform/iam_account_alias.account.tf",
            ],
        ),
        alias(
            "CreateAccountAlias",
            "third",
            &["added account_alias/account.json", "added terraform/iam_account_alias.account.tf"],
        ),
    ]
}
