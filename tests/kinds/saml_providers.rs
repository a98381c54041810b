//! SAML providers.

use serde_json::{Value, json};

use super::support::raw_json::ACCOUNT;
use super::{Cases, Change, Edit, iam, tags};

pub static CASES: Cases = Cases {
    kind: "saml providers",
    account,
    // Six, of which Terraform refuses one and would change one.
    resources: 4,
    edits: &[Edit {
        file: "terraform/iam_saml_provider.okta.tf",
        from: "team = \"web\"",
        to: "team = \"site\"",
        address: "aws_iam_saml_provider.okta",
        arguments: &["tags", "tags_all"],
        json: &["saml_providers/okta.json"],
    }],
    changes,
    unseen: &[],
    listings: &["ListSAMLProviders", "GetSAMLProvider"],
};

fn arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:saml-provider/{name}")
}

fn provider(name: &str, document: &str) -> Value {
    json!({
        "Arn": arn(name), "SAMLMetadataDocument": document,
        "CreateDate": "2024-05-06T07:08:09Z", "ValidUntil": "2034-05-06T07:08:09Z", "Tags": []
    })
}

/// A document as long as AWS wants it.
fn document(text: &str) -> String {
    format!("{text}<!-- {} -->", "x".repeat(1000))
}

fn account() -> Value {
    let mut okta = provider(
        "okta",
        &document(
            "<?xml version=\"1.0\"?>\r\n<a b='${x}' c=\"%{if}$${y}\">\n\t&amp;é\u{202e}\\</a>\r",
        ),
    );
    okta["SAMLProviderUUID"] = json!("12345678-1234-1234-1234-123456789012");
    okta["Tags"] = tags(&[("team", "web"), ("aws:made", "1")]);
    json!({ "saml_providers": [
        okta,
        provider("Okta", &document("<a/>\n\n")),
        provider("AWSSSO_1_DO_NOT_DELETE_override", &document("EOT\n  <<EOT\n")),
        provider("nul.x", &document("\n")),
        // Not for Terraform.
        provider("short", "<a/>"),
        provider("nfd", &document("<a>e\u{301}</a>")),
    ]})
}

fn changes() -> Vec<Change> {
    let both = &["changed saml_providers/okta.json", "changed terraform/iam_saml_provider.okta.tf"];
    vec![
        iam(
            "CreateSAMLProvider",
            json!({ "Name": "Entra", "SAMLMetadataDocument": document("<b/>") }),
            &[
                "added saml_providers/Entra%_8.json",
                "added terraform/iam_saml_provider.Entra%_8.tf",
            ],
        ),
        iam(
            "UpdateSAMLProvider",
            json!({ "SAMLProviderArn": arn("okta"), "SAMLMetadataDocument": document("<c>\r\n${x}") }),
            both,
        ),
        iam(
            "TagSAMLProvider",
            json!({ "SAMLProviderArn": arn("okta"), "Tags": [{ "Key": "a", "Value": "b" }] }),
            both,
        ),
        iam(
            "UntagSAMLProvider",
            json!({ "SAMLProviderArn": arn("okta"), "TagKeys": ["team"] }),
            both,
        ),
        iam(
            "DeleteSAMLProvider",
            json!({ "SAMLProviderArn": arn("Okta") }),
            &[
                "removed saml_providers/Okta%_8.json",
                "removed terraform/iam_saml_provider.Okta%_8.tf",
            ],
        ),
    ]
}
