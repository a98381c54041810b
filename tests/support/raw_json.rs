//! Entities as AWS prints them, with nothing that a test does not need.

use serde_json::{Value, json};

pub const ACCOUNT: &str = "111122223333";

/// A role that EC2 may take, without policies.
pub fn role(name: &str, path: &str, description: &str) -> Value {
    json!({
        "Path": path, "RoleName": name, "RoleId": format!("AROA{name}00000000000"),
        "Arn": format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"),
        "CreateDate": "2024-05-06T07:08:09Z",
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "ec2.amazonaws.com" },
                "Action": "sts:AssumeRole"
            }]
        },
        "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": [],
        "Description": description, "MaxSessionDuration": 3600, "Tags": []
    })
}
