//! Accounts of the organization: in units, closed, misnamed, and the management account.

use serde_json::{Value, json};

use super::organizational_units::{BESIDE, LONG, MIDDLE, TOP};
use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, change, organizations, tags};

pub static CASES: Cases = Cases {
    kind: "organizations accounts",
    account,
    // The management account, a closed one and one with a long name are raw JSON only.
    resources: 5,
    edits: &[
        Edit {
            file: "terraform/organizations_account.444455556666.tf",
            from: "aws_organizations_organizational_unit.ou-a1b2-mmmmmmmm.id",
            to: "aws_organizations_organizational_unit.ou-a1b2-mmmmmmmn.id",
            address: "aws_organizations_account.__444455556666",
            arguments: &["parent_id"],
            json: &["organizations_accounts/444455556666.json"],
        },
        Edit {
            file: "terraform/organizations_account.444455556667.tf",
            from: "= \"web\"",
            to: "= \"site\"",
            address: "aws_organizations_account.__444455556667",
            arguments: &["tags", "tags_all"],
            json: &["organizations_accounts/444455556667.json"],
        },
    ],
    changes,
    unseen: &[],
    listings: &[
        "ListAccounts",
        "ListAccountsForParent",
        "ListOrganizationalUnitsForParent",
        "ListTagsForResource",
    ],
};

fn member(id: &str, name: &str, parent: Option<&str>) -> Value {
    json!({
        "Id": id, "Name": name, "Email": format!("{id}@example.com"), "ParentId": parent,
        "Arn": format!("arn:aws:organizations::{ACCOUNT}:account/o-exampleorgid/{id}"),
        "State": "ACTIVE", "JoinedMethod": "CREATED", "JoinedTimestamp": "2024-05-06T07:08:09Z",
        "Tags": []
    })
}

fn account() -> Value {
    let mut hostile = member("444455556667", "\"${x}\" %{ <#1>", Some(MIDDLE));
    hostile["Tags"] = tags(&[("team", "web"), ("note", "\"${x}\" %{ é\t日本"), ("empty", "")]);
    let mut closed = member("444455556668", "closed", None);
    closed["State"] = json!("CLOSED");
    json!({ "organizations_accounts": [
        member("444455556666", "dev", Some(MIDDLE)),
        hostile,
        closed,
        member("444455556669", &"long ".repeat(11), None),
        member("444455556670", "dev", Some(TOP)),
        member("444455556671", "Dev", None),
        member("444455556672", "in a unit that the module does not declare", Some(LONG)),
    ]})
}

fn changes() -> Vec<Change> {
    let both = &[
        "changed organizations_accounts/444455556670.json",
        "changed terraform/organizations_account.444455556670.tf",
    ];
    vec![
        organizations(
            "MoveAccount",
            json!({
                "AccountId": "444455556670", "SourceParentId": TOP, "DestinationParentId": BESIDE
            }),
            both,
        ),
        organizations(
            "TagResource",
            json!({ "ResourceId": "444455556670", "Tags": [{ "Key": "a", "Value": "${b}" }] }),
            both,
        ),
        organizations(
            "UntagResource",
            json!({ "ResourceId": "444455556670", "TagKeys": ["a"] }),
            both,
        ),
        change(
            "account",
            "PutAccountName",
            &json!({ "AccountId": "444455556672", "AccountName": "renamed ${x}" }),
            &[
                "changed organizations_accounts/444455556672.json",
                "changed terraform/organizations_account.444455556672.tf",
            ],
        ),
        organizations(
            "RemoveAccountFromOrganization",
            json!({ "AccountId": "444455556671" }),
            &[
                "removed organizations_accounts/444455556671.json",
                "removed terraform/organizations_account.444455556671.tf",
            ],
        ),
    ]
}
