//! Imports are what the export found, and nothing else.

use std::collections::BTreeMap;

use super::{Case, Finding, Rule};
use crate::plan_guard::plan::ResourceChange;
use crate::resource::resource_type;

pub static RULE: Rule = Rule {
    name: "imports",
    refuses: "an import whose ID an export of the raw JSON beside it would not write for that resource \
              type, and two imports of one object",
    keys: &[],
    check,
};

fn check(case: &Case) -> Vec<Finding> {
    let mut taken: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let imports = case.plan.managed().filter(|change| change.is_import());
    imports
        .filter_map(|change| {
            let reason = problem(case, change, &mut taken)?;
            Some(Finding::at(&change.address, reason))
        })
        .collect()
}

fn problem<'a>(
    case: &Case,
    change: &'a ResourceChange,
    taken: &mut BTreeMap<(&'a str, &'a str), &'a str>,
) -> Option<String> {
    let kind = change.resource_type.as_str();
    let Some(id) = change.change.importing.as_ref()?.id.as_deref() else {
        return Some("it is imported by something else than a known ID".to_owned());
    };
    if resource_type(kind).is_none() {
        return Some(format!("`{kind}` is no resource type that is exported"));
    }
    if case.exported.import(kind, id).is_none() {
        return Some(format!("there is no raw JSON of an export that has the ID `{id}`"));
    }
    let first = taken.insert((kind, id), &change.address)?;
    Some(format!("`{id}` is imported as `{first}` already"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{change, findings_with, plan};
    use super::*;
    use crate::plan_guard::exported::Exported;
    use crate::settings::guard::GuardSettings;
    use serde_json::{Value, json};

    fn import(resource_type: &str, importing: Value) -> Value {
        let mut found = change(resource_type, &["no-op"], json!({}), json!({}));
        found["change"]["importing"] = importing;
        found
    }

    fn found(changes: impl IntoIterator<Item = Value>) -> Vec<String> {
        let exported = Exported::default()
            .with_import("aws_iam_role", "deploy", "aws_iam_role.deploy")
            .with_import("aws_iam_policy", "other", "aws_iam_policy.other")
            .with_import("aws_iam_access_key", "AKIA", "aws_iam_access_key.somebody");
        findings_with(&RULE, &plan(changes), &GuardSettings::default(), &exported)
    }

    #[test]
    fn exported_ids_pass_under_any_address() {
        assert!(found([import("aws_iam_role", json!({ "id": "deploy" }))]).is_empty());
        assert!(found([change("aws_iam_role", &["create"], Value::Null, json!({}))]).is_empty());
    }

    #[test]
    fn other_ids_types_and_ways_are_refused() {
        for (resource_type, importing, saying) in [
            (
                "aws_iam_role",
                json!({ "id": "Deploy" }),
                "no raw JSON of an export that has the ID `Deploy`",
            ),
            ("aws_iam_role", json!({ "id": "other" }), "ID `other`"),
            (
                "aws_iam_access_key",
                json!({ "id": "AKIA" }),
                "`aws_iam_access_key` is no resource type",
            ),
            ("aws_iam_role", json!({ "identity": { "name": "deploy" } }), "something else"),
            ("aws_iam_role", json!({}), "something else"),
        ] {
            let found = found([import(resource_type, importing)]);
            assert!(found.len() == 1 && found[0].contains(saying), "{found:?}");
            assert!(found[0].starts_with(&format!("{resource_type}.x: ")), "{found:?}");
        }
    }

    #[test]
    fn one_object_is_imported_once() {
        let one = import("aws_iam_role", json!({ "id": "deploy" }));
        let mut two = one.clone();
        two["address"] = json!("aws_iam_role.y");
        let found = found([one, two]);
        assert_eq!(found, ["aws_iam_role.y: `deploy` is imported as `aws_iam_role.x` already"]);
    }
}
