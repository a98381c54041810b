//! Groups and their policies.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, READ_ONLY, attached, document, iam};

pub static CASES: Cases = Cases {
    kind: "groups",
    account,
    // Four groups, an inline policy, two attachments.
    resources: 7,
    edits: &[Edit {
        file: "terraform/iam_group.Developers.tf",
        from: "Action   = [\"ec2:Describe*\"]",
        to: "Action   = [\"ec2:*\"]",
        address: "aws_iam_group_policy.Developers__has__look",
        arguments: &["policy"],
        json: &["groups/Developers.json"],
    }],
    changes,
    unseen: &[],
    listings: &["GetAccountAuthorizationDetails"],
};

fn group(name: &str, path: &str) -> Value {
    json!({
        "Path": path, "GroupName": name, "GroupId": format!("AGPA{:0>17}", name.len()),
        "Arn": format!("arn:aws:iam::{ACCOUNT}:group{path}{name}"),
        "CreateDate": "2024-05-06T07:08:09Z",
        "GroupPolicyList": [], "AttachedManagedPolicies": []
    })
}

fn account() -> Value {
    let mut developers = group("Developers", "/teams/");
    developers["GroupPolicyList"] =
        json!([{ "PolicyName": "look", "PolicyDocument": document("ec2:Describe*") }]);
    developers["AttachedManagedPolicies"] =
        attached(&[READ_ONLY, &format!("arn:aws:iam::{ACCOUNT}:policy/boundary")]);
    json!({ "groups": [developers, group("x.y", "/"), group("x_y", "/"), group("old", "/")] })
}

fn changes() -> Vec<Change> {
    let both = &["changed groups/Developers.json", "changed terraform/iam_group.Developers.tf"];
    vec![
        iam(
            "CreateGroup",
            json!({ "GroupName": "new" }),
            &["added groups/new.json", "added terraform/iam_group.new.tf"],
        ),
        iam(
            "AttachGroupPolicy",
            json!({
                "GroupName": "Developers", "PolicyArn": format!("arn:aws:iam::{ACCOUNT}:policy/x/bound.ary")
            }),
            both,
        ),
        iam(
            "DetachGroupPolicy",
            json!({ "GroupName": "Developers", "PolicyArn": READ_ONLY }),
            both,
        ),
        iam("DeleteGroupPolicy", json!({ "GroupName": "Developers", "PolicyName": "look" }), both),
        // Whoever is in it is, under its new name.
        iam(
            "UpdateGroup",
            json!({ "GroupName": "x.y", "NewGroupName": "Builders" }),
            &[
                "added groups/Builders.json",
                "added terraform/iam_group.Builders.tf",
                "changed terraform/iam_user.alice.tf",
                "changed users/alice.json",
                "removed groups/x.y.json",
                "removed terraform/iam_group.x.y.tf",
            ],
        ),
        iam(
            "DeleteGroup",
            json!({ "GroupName": "old" }),
            &["removed groups/old.json", "removed terraform/iam_group.old.tf"],
        ),
    ]
}
