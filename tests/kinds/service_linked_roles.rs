//! Service-linked roles, as Terraform's own resource type for them.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, iam, tags};

pub static CASES: Cases = Cases {
    kind: "service linked roles",
    account,
    // Of five roles one has a suffix that the provider cannot tell.
    resources: 4,
    edits: &[Edit {
        file: "terraform/iam_service_linked_role.AWSServiceRoleForSupport.tf",
        from: "\"Lets us help\"",
        to: "\"Lets them help\"",
        address: "aws_iam_service_linked_role.AWSServiceRoleForSupport",
        arguments: &["description"],
        json: &[
            "roles/AWSServiceRoleForSupport.json",
            "service_linked_roles/AWSServiceRoleForSupport.json",
        ],
    }],
    changes,
    unseen: &[],
    listings: &["ListRoles", "GetRole"],
};

fn role(name: &str, service: &str) -> Value {
    let path = format!("/aws-service-role/{service}.amazonaws.com/");
    json!({
        "Path": path, "RoleName": name, "RoleId": format!("AROA{:0>17}", name.len()),
        "Arn": format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"),
        "CreateDate": "2024-05-06T07:08:09Z",
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": format!("{service}.amazonaws.com") }
            }]
        },
        "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": [],
        "Description": "", "MaxSessionDuration": 3600, "Tags": []
    })
}

fn account() -> Value {
    let mut support = role("AWSServiceRoleForSupport", "support");
    support["Description"] = json!("Lets us help");
    support["Tags"] = tags(&[("team", "web")]);
    json!({ "roles": [
        support,
        role("AWSServiceRoleForAutoScaling_blue", "autoscaling"),
        role("AWSServiceRoleForAutoScaling_a_b", "autoscaling"),
        role("AWSServiceRoleForTrustedAdvisor", "trustedadvisor"),
        role(
            "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
            "dynamodb.application-autoscaling"
        )
    ]})
}

fn changes() -> Vec<Change> {
    vec![
        iam(
            "TagRole",
            json!({
                "RoleName": "AWSServiceRoleForSupport", "Tags": [{ "Key": "a", "Value": "b" }]
            }),
            &[
                "changed roles/AWSServiceRoleForSupport.json",
                "changed service_linked_roles/AWSServiceRoleForSupport.json",
                "changed terraform/iam_service_linked_role.AWSServiceRoleForSupport.tf",
            ],
        ),
        Change {
            action: "DeleteServiceLinkedRole",
            ..iam(
                "DeleteRole",
                json!({ "RoleName": "AWSServiceRoleForTrustedAdvisor" }),
                &[
                    "removed roles/AWSServiceRoleForTrustedAdvisor.json",
                    "removed service_linked_roles/AWSServiceRoleForTrustedAdvisor.json",
                    "removed terraform/iam_service_linked_role.AWSServiceRoleForTrustedAdvisor.tf",
                ],
            )
        },
    ]
}
