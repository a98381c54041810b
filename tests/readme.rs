//! What the documentation says of kinds, permissions and settings is what the code says.

use std::collections::BTreeSet;
use std::fmt::Write;

use aws_iam_gitops::aws::SEVERAL_PERMISSIONS;
use aws_iam_gitops::plan_guard::rules::{self, RULES};
use aws_iam_gitops::resource::{KINDS, export_permissions, sync_permissions};
use aws_iam_gitops::settings::environment;
use aws_iam_gitops::settings::file::{self, FileSettings};

const README: &str = include_str!("../README.md");
const ACCOUNTS: &str = include_str!("../docs/accounts.md");
const GUARD: &str = include_str!("../docs/guard.md");
const SETTINGS: &str = include_str!("../docs/settings.md");
const WORKFLOWS: &str = include_str!("../docs/workflows.md");

#[test]
fn supported_resources_are_those_of_the_table_of_kinds() {
    let mut table =
        String::from("| | raw JSON | Terraform | import ID |\n| --- | --- | --- | --- |\n");
    for kind in KINDS {
        for (index, resource_type) in kind.resource_types.iter().enumerate() {
            let mut folders: Vec<_> =
                kind.folders.iter().take(2).map(|folder| format!("`{folder}/`")).collect();
            folders.extend((kind.folders.len() > 2).then(|| "…".to_owned()));
            let (name, folders) =
                if index == 0 { (kind.plural, folders.join(" ")) } else { ("", String::new()) };
            let _ = writeln!(
                table,
                "| {name} | {folders} | `{}` | `{}` |",
                resource_type.name, resource_type.import_id
            );
        }
    }
    assert!(README.contains(&table), "the README lacks this table:\n{table}");
}

#[test]
fn permissions_are_those_of_the_table_of_kinds() {
    let of_export = export_permissions();
    let of_function = sync_permissions();
    for permissions in [&of_export, &(&of_function - &of_export)] {
        let list: String =
            permissions.iter().map(|permission| format!("- `{permission}`\n")).collect();
        assert!(README.contains(&format!("\n\n{list}\n")), "the README lacks this list:\n{list}");
    }
}

#[test]
fn every_setting_is_documented_and_nothing_else() {
    let rows: BTreeSet<&str> =
        SETTINGS.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let keys = file::KEYS.iter().map(|(key, _)| *key).chain(file::CONDITIONS);
    let keys = keys.chain(file::accounts::KEYS.iter().map(|(key, _)| *key));
    let known: BTreeSet<String> =
        keys.map(str::to_owned).chain(environment::variables().map(|(name, _)| name)).collect();
    assert_eq!(rows, known.iter().map(String::as_str).collect());
    for name in environment::OTHERS {
        assert!(SETTINGS.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn what_several_accounts_take_is_listed() {
    let list: String =
        SEVERAL_PERMISSIONS.iter().map(|permission| format!("- `{permission}`\n")).collect();
    assert!(ACCOUNTS.contains(&format!("\n\n{list}\n")), "docs/accounts.md lacks:\n{list}");
    let text = ACCOUNTS.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let settings = FileSettings::parse("docs/accounts.md", text.expect("an example"));
    let accounts = settings.expect("settings").choices.accounts.settled().expect("accounts");
    assert!(accounts.is_some_and(|accounts| accounts.external_id.is_some()));
}

#[test]
fn the_documentations_settings_file_is_one() {
    let mut files = SETTINGS.split("```toml\n").skip(1);
    let text = files.next().and_then(|rest| rest.split("```").next()).expect("an example");
    let settings = FileSettings::parse("docs/settings.md", text).expect("settings");
    assert!(!settings.ignore.is_empty());
    for (key, _) in file::KEYS {
        assert!(text.contains(key), "{key}");
    }
}

#[test]
fn the_role_that_reads_may_call_what_an_export_calls() {
    let documents: Vec<serde_json::Value> = WORKFLOWS
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("a document"))
        .map(|text| serde_json::from_str(text).expect("JSON"))
        .collect();
    let [_, read] = documents.as_slice() else { panic!("trust and permissions") };
    let actions = read["Statement"][0]["Action"].as_array().expect("a list");
    let actions: BTreeSet<&str> = actions.iter().filter_map(serde_json::Value::as_str).collect();
    assert_eq!(actions, sync_permissions());
}

#[test]
fn rules_of_the_guard_and_their_settings_are_those_of_the_table() {
    let mut table = String::from("| Rule | Refuses |\n| --- | --- |\n");
    for rule in RULES {
        let _ = writeln!(table, "| `{}` | {} |", rule.name, rule.refuses);
    }
    assert!(GUARD.contains(&format!("\n\n{table}\n")), "docs/guard.md lacks this table:\n{table}");
    let mut table = String::from("| Key | Default | |\n| --- | --- | --- |\n");
    for key in rules::keys() {
        let _ = writeln!(table, "| `{}` | {} | {} |", key.name, key.default, key.meaning);
    }
    assert!(GUARD.contains(&format!("\n\n{table}\n")), "docs/guard.md lacks this table:\n{table}");
    let text = GUARD.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let settings =
        FileSettings::parse("docs/guard.md", text.expect("an example")).expect("settings");
    assert_eq!((settings.guard.protected.len(), settings.guard.max_destroys), (2, 10));
}
