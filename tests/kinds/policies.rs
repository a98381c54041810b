//! Customer managed policies.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, document, iam, tags};

pub static CASES: Cases = Cases {
    kind: "policies",
    account,
    resources: 4,
    edits: &[Edit {
        file: "terraform/iam_policy.boundary.tf",
        from: "Action   = [\"s3:*\"]",
        to: "Action   = [\"s3:Get*\"]",
        address: "aws_iam_policy.boundary",
        arguments: &["policy"],
        json: &["policies/boundary.json"],
    }],
    changes,
    unseen: &[],
    listings: &["GetAccountAuthorizationDetails", "GetPolicy"],
};

fn policy(name: &str, path: &str, action: &str) -> Value {
    json!({
        "PolicyName": name, "PolicyId": format!("ANPA{:0>17}", name.len()), "Path": path,
        "Arn": format!("arn:aws:iam::{ACCOUNT}:policy{path}{name}"),
        "DefaultVersionId": "v1", "IsAttachable": true,
        "CreateDate": "2024-05-06T07:08:09Z", "UpdateDate": "2024-05-06T07:08:09Z",
        "PolicyVersionList": [{
            "VersionId": "v1", "IsDefaultVersion": true, "CreateDate": "2024-05-06T07:08:09Z",
            "Document": document(action)
        }],
        "Tags": []
    })
}

fn account() -> Value {
    let mut boundary = policy("boundary", "/", "s3:*");
    boundary["Description"] = json!("What people may do at most");
    boundary["Tags"] = tags(&[("team", "security")]);
    json!({ "policies": [
        boundary, policy("ReadOnlyAccess", "/", "s3:Get*"), policy("bound.ary", "/x/", "s3:List*"),
        policy("unused", "/", "s3:*")
    ]})
}

fn changes() -> Vec<Change> {
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/");
    let new = Change {
        response: json!({ "policy": { "arn": format!("{arn}new") } }),
        ..iam(
            "CreatePolicy",
            json!({
                "PolicyName": "new", "PolicyDocument": document("s3:*").to_string()
            }),
            &["added policies/new.json", "added terraform/iam_policy.new.tf"],
        )
    };
    vec![
        new,
        iam(
            "TagPolicy",
            json!({
                "PolicyArn": format!("{arn}boundary"), "Tags": [{ "Key": "a", "Value": "b" }]
            }),
            &["changed policies/boundary.json", "changed terraform/iam_policy.boundary.tf"],
        ),
        iam(
            "DeletePolicy",
            json!({ "PolicyArn": format!("{arn}unused") }),
            &["removed policies/unused.json", "removed terraform/iam_policy.unused.tf"],
        ),
    ]
}
