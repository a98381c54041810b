//! The resource policy of the organization.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, organizations, tags};

const ID: &str = "rp-a1b2c3d4";

pub static CASES: Cases = Cases {
    kind: "organization resource policies",
    account,
    resources: 1,
    edits: &[Edit {
        file: "terraform/organizations_resource_policy.rp-a1b2c3d4.tf",
        from: "\"Delegate\"",
        to: "\"Delegated\"",
        address: "aws_organizations_resource_policy.rp-a1b2c3d4",
        arguments: &["content"],
        json: &["organization_resource_policies/rp-a1b2c3d4.json"],
    }],
    changes,
    unseen: &[],
    listings: &["DescribeResourcePolicy", "ListTagsForResource"],
};

fn content(action: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "Delegate", "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::444455556666:root" },
            "Action": [action, "organizations:List*"], "Resource": "*",
            "Condition": { "StringLike": { "organizations:PolicyType": "${x}%{y}" } }
        }]
    })
}

fn account() -> Value {
    json!({ "resource_policy": {
        "ResourcePolicySummary": {
            "Id": ID,
            "Arn": format!("arn:aws:organizations::{ACCOUNT}:resourcepolicy/o-exampleorgid/{ID}")
        },
        "Content": content("organizations:Describe*"),
        "Tags": tags(&[("team", "web"), ("note", "\"${x}\" %{ é\t日本")])
    }})
}

fn changes() -> Vec<Change> {
    let both = &[
        "changed organization_resource_policies/rp-a1b2c3d4.json",
        "changed terraform/organizations_resource_policy.rp-a1b2c3d4.tf",
    ];
    let put = organizations(
        "PutResourcePolicy",
        json!({ "Content": content("organizations:UpdatePolicy").to_string() }),
        both,
    );
    vec![
        Change {
            response: json!({ "resourcePolicy": { "resourcePolicySummary": { "id": ID } } }),
            ..put
        },
        organizations("UntagResource", json!({ "ResourceId": ID, "TagKeys": ["note"] }), both),
        organizations(
            "DeleteResourcePolicy",
            json!({}),
            &[
                "removed organization_resource_policies/rp-a1b2c3d4.json",
                "removed terraform/organizations_resource_policy.rp-a1b2c3d4.tf",
            ],
        ),
    ]
}
