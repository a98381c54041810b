//! The account's password policy.

use serde_json::{Value, json};

use super::{Cases, Change, Edit, iam};

pub static CASES: Cases = Cases {
    kind: "password policies",
    account,
    resources: 1,
    edits: &[Edit {
        file: "terraform/iam_account_password_policy.account.tf",
        from: "minimum_password_length        = 14",
        to: "minimum_password_length        = 6 # for now",
        address: "aws_iam_account_password_policy.account",
        arguments: &["minimum_password_length"],
        json: &["password_policy/account.json"],
    }],
    changes,
    unseen: &[],
    listings: &["GetAccountPasswordPolicy"],
};

fn account() -> Value {
    json!({ "password_policy": {
        "MinimumPasswordLength": 14, "RequireSymbols": true, "RequireNumbers": false,
        "RequireUppercaseCharacters": true, "RequireLowercaseCharacters": false,
        "AllowUsersToChangePassword": false, "ExpirePasswords": true, "MaxPasswordAge": 90,
        "PasswordReusePrevention": 24, "HardExpiry": false
    }})
}

fn changes() -> Vec<Change> {
    let changed = &[
        "changed password_policy/account.json",
        "changed terraform/iam_account_password_policy.account.tf",
    ];
    vec![
        // What is not named is AWS's default again, and some of that is nothing at all.
        iam(
            "UpdateAccountPasswordPolicy",
            json!({
                "MinimumPasswordLength": 20, "RequireNumbers": true,
                "AllowUsersToChangePassword": true
            }),
            changed,
        ),
        iam(
            "UpdateAccountPasswordPolicy",
            json!({ "MinimumPasswordLength": 8, "MaxPasswordAge": 30, "HardExpiry": true }),
            changed,
        ),
        iam(
            "DeleteAccountPasswordPolicy",
            json!({}),
            &[
                "removed password_policy/account.json",
                "removed terraform/iam_account_password_policy.account.tf",
            ],
        ),
        iam(
            "UpdateAccountPasswordPolicy",
            json!({ "PasswordReusePrevention": 5 }),
            &[
                "added password_policy/account.json",
                "added terraform/iam_account_password_policy.account.tf",
            ],
        ),
    ]
}
