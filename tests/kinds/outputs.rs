//! What the AWS CLI prints of identity providers and of the account's settings, in place of calls.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::CASES;
use super::support::raw_json::ACCOUNT;
use super::support::run::{Outcome, Tree, export};

/// A folder of files to read, and one to write to.
struct Place {
    from: TempDir,
    to: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = || tempfile::tempdir().expect("a folder");
        Place { from: folder(), to: folder() }
    }

    /// The outputs about all that the cases have, lists included.
    fn with_outputs() -> Place {
        let place = Place::new();
        for (index, provider) in of_cases("openid_connect_providers").iter().enumerate() {
            let name = format!("get-open-id-connect-provider.{index}.json");
            place.put(&name, &without_arn(provider));
        }
        for provider in &of_cases("saml_providers") {
            let name = arn(provider).rsplit('/').next().expect("a name");
            place.put(&format!("get-saml-provider.{name}.json"), &without_arn(provider));
        }
        place.list("OpenIDConnectProviderList", &of_cases("openid_connect_providers"));
        place.list("SAMLProviderList", &of_cases("saml_providers"));
        place.put("list-account-aliases.json", &json!({ "AccountAliases": ["example"] }));
        place.put("get-account-password-policy.json", &json!({ "PasswordPolicy": policy() }));
        place
    }

    fn put(&self, name: &str, content: &Value) {
        fs::write(self.from.path().join(name), content.to_string()).expect("write");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.from.path().join(name)).expect("a file");
    }

    fn list(&self, list: &str, providers: &[Value]) {
        let entries: Vec<_> = providers.iter().map(|it| json!({ "Arn": it["Arn"] })).collect();
        self.put(&format!("{list}.json"), &json!({ list: entries }));
    }

    fn export(&self, arguments: &[&str]) -> Outcome {
        let from = self.from.path().to_str().expect("UTF-8");
        export(&[], self.to.path(), &[&["--quiet", "--from", from], arguments].concat())
    }

    fn has(&self, path: &str) -> bool {
        self.to.path().join(path).exists()
    }
}

fn of_cases(member: &str) -> Vec<Value> {
    let accounts = CASES.iter().map(|cases| (cases.account)());
    let lists = accounts.filter_map(|account| account[member].as_array().cloned());
    lists.flatten().collect()
}

fn policy() -> Value {
    let accounts = CASES.iter().map(|cases| (cases.account)());
    accounts
        .map(|account| account["password_policy"].clone())
        .find(|it| !it.is_null())
        .expect("one")
}

fn arn(provider: &Value) -> &str {
    provider["Arn"].as_str().expect("an ARN")
}

fn without_arn(provider: &Value) -> Value {
    let mut provider = provider.clone();
    provider.as_object_mut().expect("an object").remove("Arn");
    provider
}

fn tree(folder: &Path) -> Vec<(String, String)> {
    let owned = |(path, content): (&str, &str)| (path.to_owned(), content.to_owned());
    Tree::of(folder).contents().into_iter().map(owned).collect()
}

#[test]
fn outputs_give_the_files_of_raw_json() {
    let raw = Place::new();
    let providers = [of_cases("openid_connect_providers"), of_cases("saml_providers")].concat();
    for (index, provider) in providers.iter().enumerate() {
        raw.put(&format!("{index}.json"), provider);
    }
    raw.put("alias.json", &json!({ "AccountAlias": "example" }));
    raw.put("policy.json", &json!({ "PasswordPolicy": policy() }));
    raw.export(&[]).succeeded();
    let outputs = Place::with_outputs();
    outputs.export(&[]).succeeded();
    assert_eq!(tree(outputs.to.path()), tree(raw.to.path()));
    // Who they are of is told by the listings, else by the command line.
    outputs.remove("OpenIDConnectProviderList.json");
    outputs.remove("SAMLProviderList.json");
    outputs.export(&[]).failed_saying(&["of which account the saml providers are", "--account"]);
    assert_eq!(tree(outputs.to.path()), tree(raw.to.path()));
    outputs.export(&["--account", ACCOUNT]).succeeded();
    assert_eq!(tree(outputs.to.path()), tree(raw.to.path()));
}

#[test]
fn only_a_listing_whose_entries_are_all_described_proves_what_is_gone() {
    let place = Place::with_outputs();
    place.export(&[]).succeeded();
    let path = "saml_providers/nul%.x.json";
    place.remove("get-saml-provider.nul.x.json");
    place.export(&[]).succeeded();
    assert!(place.has(path));
    place.remove("SAMLProviderList.json");
    place.export(&[]).succeeded();
    assert!(place.has(path));
    let mut left = of_cases("saml_providers");
    left.retain(|provider| !arn(provider).ends_with("/nul.x"));
    place.list("SAMLProviderList", &left);
    place.export(&[]).succeeded();
    assert!(!place.has(path) && place.has("saml_providers/okta.json"));

    place.remove("list-account-aliases.json");
    place.remove("get-account-password-policy.json");
    place.export(&[]).succeeded();
    assert!(place.has("account_alias/account.json") && place.has("password_policy/account.json"));
    place.put("list-account-aliases.json", &json!({ "AccountAliases": [] }));
    place.export(&[]).succeeded();
    assert!(!place.has("account_alias/account.json"));
}

#[test]
fn outputs_that_contradict_each_other_remove_nothing() {
    let place = Place::with_outputs();
    place.export(&[]).succeeded();
    let before = tree(place.to.path());
    place.put("another.json", &json!({ "AccountAliases": ["another"] }));
    place.put("looser.json", &json!({ "PasswordPolicy": { "MinimumPasswordLength": 6 } }));
    place
        .export(&[])
        .failed_saying(&["account alias `account` is not the same in", "password policy"]);
    assert_eq!(tree(place.to.path()), before);
}

#[test]
fn answer_about_a_saml_provider_needs_a_name() {
    let place = Place::new();
    let provider = &of_cases("saml_providers")[0];
    place.put("okta.json", &without_arn(provider));
    place.export(&["--account", ACCOUNT]).failed_saying(&[
        "neither name nor content of",
        "which SAML provider it is about",
        "`get-saml-provider.NAME.json`",
    ]);
}
