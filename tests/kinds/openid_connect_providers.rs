//! OpenID Connect providers.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, iam, tags};

pub static CASES: Cases = Cases {
    kind: "openid connect providers",
    account,
    // Ten, of which Terraform refuses three or would change them.
    resources: 7,
    edits: &[
        Edit {
            file: "terraform/iam_openid_connect_provider.a.example.tf",
            from: "client_id_list  = [\"x\"]",
            to: "client_id_list  = [\"x\", \"a\"]",
            address: "aws_iam_openid_connect_provider.a__dot__example",
            arguments: &["client_id_list"],
            json: &["openid_connect_providers/a.example.json"],
        },
        Edit {
            file: "terraform/iam_openid_connect_provider.token.actions.githubusercontent.com.tf",
            from: "team = \"$${x}\"",
            to: "team = \"web\"",
            address: "aws_iam_openid_connect_provider.token__dot__actions__dot__githubusercontent__dot__com",
            arguments: &["tags", "tags_all"],
            json: &["openid_connect_providers/token.actions.githubusercontent.com.json"],
        },
    ],
    changes,
    unseen: &[],
    listings: &["ListOpenIDConnectProviders", "GetOpenIDConnectProvider"],
};

fn arn(issuer: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}")
}

fn provider(issuer: &str, client_ids: &[&str], thumbprints: &[&str]) -> Value {
    let thumbprints: Vec<_> = thumbprints.iter().map(|text| text.repeat(40)).collect();
    json!({
        "Arn": arn(issuer), "Url": issuer, "ClientIDList": client_ids,
        "ThumbprintList": thumbprints, "CreateDate": "2024-05-06T07:08:09Z", "Tags": []
    })
}

fn account() -> Value {
    let mut github = provider(
        "token.actions.githubusercontent.com",
        &["sts.amazonaws.com", "${x}%{y}", "\"\\\n日本"],
        &["f", "a"],
    );
    github["Tags"] = tags(&[("team", "${x}"), ("aws:made", "1")]);
    let long = "/L/o/n/g".repeat(29);
    json!({ "openid_connect_providers": [
        github,
        provider("a.example", &["x"], &["a"]),
        // A slash at the end, and case, make others.
        provider("a.example/", &[], &[]),
        provider("a.example/Tenant_override", &["x"], &["a"]),
        provider("a.example/tenant_override", &["x"], &["a"]),
        provider(&format!("a.example{long}/1"), &["x"], &["a"]),
        provider(&format!("a.example{long}/2"), &["x"], &["a"]),
        // Not for Terraform.
        provider("a.example/?x=1", &["x"], &["a"]),
        provider("nfd.example", &["e\u{301}"], &["a"]),
        provider("short.example", &["x"], &["aa"]),
    ]})
}

fn changes() -> Vec<Change> {
    let both = &[
        "changed openid_connect_providers/a.example.json",
        "changed terraform/iam_openid_connect_provider.a.example.tf",
    ];
    let new = "oidc.eks.eu-west-1.amazonaws.com/id/AB12";
    vec![
        Change {
            response: json!({ "openIDConnectProviderArn": arn(new) }),
            ..iam(
                "CreateOpenIDConnectProvider",
                json!({
                    "Url": format!("https://{new}"), "ClientIDList": ["sts.amazonaws.com"],
                    "ThumbprintList": ["b".repeat(40)]
                }),
                &[
                    "added openid_connect_providers/oidc.eks.eu-west-1.amazonaws.com%2Fid%2FAB12%_00000018.json",
                    "added terraform/iam_openid_connect_provider.oidc.eks.eu-west-1.amazonaws.com%2Fid%2FAB12%_00000018.tf",
                ],
            )
        },
        iam(
            "AddClientIDToOpenIDConnectProvider",
            json!({ "OpenIDConnectProviderArn": arn("a.example"), "ClientID": "b" }),
            both,
        ),
        iam(
            "RemoveClientIDFromOpenIDConnectProvider",
            json!({ "OpenIDConnectProviderArn": arn("a.example"), "ClientID": "x" }),
            both,
        ),
        iam(
            "UpdateOpenIDConnectProviderThumbprint",
            json!({
                "OpenIDConnectProviderArn": arn("a.example"),
                "ThumbprintList": ["c".repeat(40), "a".repeat(40)]
            }),
            both,
        ),
        iam(
            "TagOpenIDConnectProvider",
            json!({
                "OpenIDConnectProviderArn": arn("a.example"),
                "Tags": [{ "Key": "a", "Value": "b" }]
            }),
            both,
        ),
        iam(
            "UntagOpenIDConnectProvider",
            json!({ "OpenIDConnectProviderArn": arn("a.example"), "TagKeys": ["a"] }),
            both,
        ),
        // The last one: the argument stays, since the provider insists on it.
        iam(
            "RemoveClientIDFromOpenIDConnectProvider",
            json!({
                "OpenIDConnectProviderArn": arn("a.example/tenant_override"), "ClientID": "x"
            }),
            &[
                "changed openid_connect_providers/a.example%2Ftenant_override.json",
                "changed terraform/iam_openid_connect_provider.a.example%2Ftenant_override%.tf",
            ],
        ),
        iam(
            "DeleteOpenIDConnectProvider",
            json!({ "OpenIDConnectProviderArn": arn("a.example/") }),
            &[
                "removed openid_connect_providers/a.example%2F.json",
                "removed terraform/iam_openid_connect_provider.a.example%2F.tf",
            ],
        ),
    ]
}
