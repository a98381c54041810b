//! Organizations policies. What else there is to say of them is in tests of their own.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, organizations, tags};

pub static CASES: Cases = Cases {
    kind: "organizations policies",
    account,
    // Two policies, an attachment.
    resources: 3,
    edits: &[Edit {
        file: "terraform/organizations_policy.p-a1b2c3d4.tf",
        from: "\"Nobody leaves\"",
        to: "\"Nobody left\"",
        address: "aws_organizations_policy.p-a1b2c3d4",
        arguments: &["name"],
        json: &["scps/p-a1b2c3d4.json"],
    }],
    changes,
    unseen: &[],
    listings: &["ListPolicies", "DescribePolicy", "ListTargetsForPolicy"],
};

fn policy(id: &str, name: &str, targets: Value) -> Value {
    json!({
        "PolicySummary": {
            "Id": id, "Name": name, "Description": "Stay", "AwsManaged": false,
            "Arn": format!("arn:aws:organizations::{ACCOUNT}:policy/o-exampleorgid/service_control_policy/{id}"),
            "Type": "SERVICE_CONTROL_POLICY"
        },
        "Content": {
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Deny", "Action": "organizations:Leave*", "Resource": "*" }]
        },
        "Tags": tags(&[("a", "b")]), "Targets": targets
    })
}

fn account() -> Value {
    json!({ "organizations_policies": [
        policy("p-a1b2c3d4", "Nobody leaves", json!([{
            "TargetId": "444455556666", "Name": "dev", "Type": "ACCOUNT",
            "Arn": format!("arn:aws:organizations::{ACCOUNT}:account/o-exampleorgid/444455556666")
        }])),
        policy("p-A1b2c3d4", "Nobody leaves!", json!([])),
    ]})
}

fn changes() -> Vec<Change> {
    vec![
        organizations(
            "UpdatePolicy",
            json!({ "PolicyId": "p-a1b2c3d4", "Description": "Go" }),
            &[
                "changed scps/p-a1b2c3d4.json",
                "changed terraform/organizations_policy.p-a1b2c3d4.tf",
            ],
        ),
        organizations(
            "DeletePolicy",
            json!({ "PolicyId": "p-A1b2c3d4" }),
            &[
                "removed scps/p-%411b2c3d4.json",
                "removed terraform/organizations_policy.p-%411b2c3d4.tf",
            ],
        ),
    ]
}
