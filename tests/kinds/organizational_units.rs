//! Organizational units, three levels deep. Their IDs are in no order of the tree.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, organizations, tags};

pub const TOP: &str = "ou-a1b2-zzzzzzzz";
pub const MIDDLE: &str = "ou-a1b2-mmmmmmmm";
pub const BESIDE: &str = "ou-a1b2-mmmmmmmn";

pub const LONG: &str = "ou-a1b2-nnnnnnnn";

pub static CASES: Cases = Cases {
    kind: "organizational units",
    account,
    resources: 5,
    edits: &[Edit {
        file: "terraform/organizations_organizational_unit.ou-a1b2-mmmmmmmm.tf",
        from: "\"Prod\"",
        to: "\"Production\"",
        address: "aws_organizations_organizational_unit.ou-a1b2-mmmmmmmm",
        arguments: &["name"],
        json: &["organizational_units/ou-a1b2-mmmmmmmm.json"],
    }],
    changes,
    unseen: &[],
    listings: &["ListRoots", "ListOrganizationalUnitsForParent", "ListTagsForResource"],
};

fn unit(id: &str, name: &str, parent: Option<&str>, tags: Value) -> Value {
    json!({
        "Id": id, "Name": name, "ParentId": parent, "Tags": tags,
        "Arn": format!("arn:aws:organizations::{ACCOUNT}:ou/o-exampleorgid/{id}")
    })
}

fn account() -> Value {
    json!({ "organizational_units": [
        unit(TOP, "Workloads", None, json!([])),
        unit(MIDDLE, "Prod", Some(TOP), tags(&[("team", "web"), ("note", "\"${x}\" %{ é\t日本")])),
        unit(BESIDE, "prod", Some(TOP), json!([])),
        unit("ou-a1b2-aaaaaaaa", "\"${x}\" %{ é\t日本", Some(MIDDLE), json!([])),
        unit("ou-a1b2-00000000", "Prod", Some(BESIDE), json!([])),
        // More bytes than the provider takes.
        unit(LONG, &"é".repeat(100), None, json!([])),
    ]})
}

fn changes() -> Vec<Change> {
    let both = &[
        "changed organizational_units/ou-a1b2-zzzzzzzz.json",
        "changed terraform/organizations_organizational_unit.ou-a1b2-zzzzzzzz.tf",
    ];
    vec![
        organizations(
            "UpdateOrganizationalUnit",
            json!({ "OrganizationalUnitId": TOP, "Name": "Work" }),
            both,
        ),
        organizations(
            "TagResource",
            json!({ "ResourceId": TOP, "Tags": [{ "Key": "a", "Value": "${b}" }] }),
            both,
        ),
        organizations("UntagResource", json!({ "ResourceId": TOP, "TagKeys": ["a"] }), both),
        organizations(
            "UpdateOrganizationalUnit",
            json!({ "OrganizationalUnitId": LONG, "Name": "é" }),
            &[
                "added terraform/organizations_organizational_unit.ou-a1b2-nnnnnnnn.tf",
                "changed organizational_units/ou-a1b2-nnnnnnnn.json",
            ],
        ),
        organizations(
            "DeleteOrganizationalUnit",
            json!({ "OrganizationalUnitId": "ou-a1b2-00000000" }),
            &[
                "removed organizational_units/ou-a1b2-00000000.json",
                "removed terraform/organizations_organizational_unit.ou-a1b2-00000000.tf",
            ],
        ),
    ]
}
