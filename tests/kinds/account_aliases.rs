//! The account's alias.

use serde_json::{Value, json};

use super::support::python::Emulator;
use super::support::repository::Repository;
use super::{Cases, Change, Edit, assert_export_changes, iam};

pub static CASES: Cases = Cases {
    kind: "account aliases",
    account: || json!({ "account_aliases": [{ "AccountAlias": "example" }] }),
    resources: 1,
    edits: &[Edit {
        file: "terraform/iam_account_alias.account.tf",
        from: "account_alias = \"example\"",
        to: "account_alias = \"example-org\"",
        address: "aws_iam_account_alias.account delete+create",
        arguments: &["account_alias"],
        json: &["account_alias/account.json"],
    }],
    changes,
    unseen: &[],
    listings: &["ListAccountAliases"],
};

fn alias(action: &'static str, alias: &str, files: &'static [&'static str]) -> Change {
    let request: Value = json!({ "AccountAlias": alias });
    iam(action, request, files)
}

fn changes() -> Vec<Change> {
    vec![
        alias(
            "CreateAccountAlias",
            "other",
            &[
                "changed account_alias/account.json",
                "changed terraform/iam_account_alias.account.tf",
            ],
        ),
        alias(
            "DeleteAccountAlias",
            "other",
            &[
                "removed account_alias/account.json",
                "removed terraform/iam_account_alias.account.tf",
            ],
        ),
        alias(
            "CreateAccountAlias",
            "third",
            &["added account_alias/account.json", "added terraform/iam_account_alias.account.tf"],
        ),
    ]
}

/// Whoever starts without Terraform's state imports the alias that is there.
#[test]
fn import_of_an_edited_file_follows_the_alias() {
    let emulator = Emulator::start(None);
    emulator.call("client.iam('CreateAccountAlias', AccountAlias='example')");
    let repository = Repository::new();
    repository.write("aws-iam-gitops.toml", "kinds = [\"account_aliases\"]\n");
    repository.export(&emulator, &[]);
    let file = "terraform/iam_account_alias.account.tf";
    repository.edit(file, "resource", "# ours\nresource");
    let edited = repository.read(file);
    emulator.call("client.iam('CreateAccountAlias', AccountAlias='example-org')");
    let json = "changed account_alias/account.json";
    assert_export_changes(&repository, &emulator, &[json, &format!("changed {file}")]);
    let expected = edited.replace("\"example\"", "\"example-org\"");
    assert_eq!(repository.read(file), expected);

    // What is not a plain text is the person's own.
    let (before, import) = expected.split_once("  id = \"example-org\"").expect("an import");
    let text =
        format!("{before}  id = local.alias{import}\nlocals {{\n  alias = \"example-org\"\n}}\n");
    repository.write(file, &text);
    assert_export_changes(&repository, &emulator, &[]);
    emulator.call("client.iam('CreateAccountAlias', AccountAlias='third')");
    assert_export_changes(&repository, &emulator, &[json, &format!("changed {file}")]);
    let resource = "account_alias = \"third\"";
    let expected = text.replace("account_alias = \"example-org\"", resource);
    assert_eq!(repository.read(file), expected);
}
