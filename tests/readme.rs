//! What the README says of kinds and permissions is what the table of kinds says.

use std::collections::BTreeSet;
use std::fmt::Write;

use aws_iam_gitops::resource::KINDS;

const README: &str = include_str!("../README.md");

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
    let permissions: BTreeSet<&str> =
        KINDS.iter().flat_map(|kind| kind.permissions).copied().collect();
    let list: String = permissions.iter().map(|permission| format!("- `{permission}`\n")).collect();
    assert!(README.contains(&list), "the README lacks this list:\n{list}");
}
