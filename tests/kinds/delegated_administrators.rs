//! Delegated administrators: of accounts that the module declares, and of the closed one, which it
//! does not.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, organizations};

pub static CASES: Cases = Cases {
    kind: "delegated administrators",
    account,
    resources: 4,
    // A resource is nothing but its identity.
    edits: &[],
    changes,
    unseen: &[],
    listings: &["ListDelegatedAdministrators", "ListDelegatedServicesForAccount"],
};

fn administrator(id: &str, services: &[&str]) -> Value {
    let date = "2024-06-07T08:09:10Z";
    let service = |name: &&str| json!({ "ServicePrincipal": name, "DelegationEnabledDate": date });
    json!({
        "Id": id, "Name": "dev", "Email": format!("{id}@example.com"),
        "Arn": format!("arn:aws:organizations::{ACCOUNT}:account/o-exampleorgid/{id}"),
        "Status": "ACTIVE", "JoinedMethod": "CREATED", "JoinedTimestamp": "2024-05-06T07:08:09Z",
        "DelegationEnabledDate": date,
        "DelegatedServices": services.iter().map(service).collect::<Vec<_>>()
    })
}

fn account() -> Value {
    json!({ "delegated_administrators": [
        administrator("444455556666", &["ram.amazonaws.com", "guardduty.amazonaws.com"]),
        administrator("444455556667", &["config.amazonaws.com"]),
        administrator("444455556668", &["config.amazonaws.com"]),
    ]})
}

fn changes() -> Vec<Change> {
    let parameters =
        |id: &str, service: &str| json!({ "AccountId": id, "ServicePrincipal": service });
    let both = &[
        "changed delegated_administrators/444455556666.json",
        "changed terraform/organizations_delegated_administrator.444455556666.tf",
    ];
    vec![
        organizations(
            "RegisterDelegatedAdministrator",
            parameters("444455556666", "config.amazonaws.com"),
            both,
        ),
        organizations(
            "DeregisterDelegatedAdministrator",
            parameters("444455556666", "ram.amazonaws.com"),
            both,
        ),
        organizations(
            "DeregisterDelegatedAdministrator",
            parameters("444455556667", "config.amazonaws.com"),
            &[
                "removed delegated_administrators/444455556667.json",
                "removed terraform/organizations_delegated_administrator.444455556667.tf",
            ],
        ),
    ]
}
