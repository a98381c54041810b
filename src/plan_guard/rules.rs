//! The rules, one file each; documentation, help, settings and tests follow from the table.

mod admin;
mod allowed;
mod complete;
mod destroys;
mod drift;
mod imports;
mod protected;
mod root_deny;
mod trust;

use std::borrow::Cow;

use serde_json::Value;

use super::exported::{Exported, Reference};
use super::plan::{Known, Plan, ResourceChange};
use crate::settings::guard::GuardSettings;

/// Something that must not be applied unseen.
pub struct Rule {
    /// What settings and `--allow` call it.
    pub name: &'static str,
    /// What it refuses, as a sentence goes on after "refuses".
    pub refuses: &'static str,
    /// The keys of `[guard]` that change it.
    pub keys: &'static [Key],
    pub check: fn(&Case) -> Vec<Finding>,
}

/// A key of `[guard]`.
pub struct Key {
    pub name: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

/// Every rule, in the order in which refusals are told.
pub static RULES: &[&Rule] = &[
    &complete::RULE,
    &protected::RULE,
    &destroys::RULE,
    &imports::RULE,
    &allowed::RULE,
    &drift::RULE,
    &admin::RULE,
    &trust::RULE,
    &root_deny::RULE,
];

/// The key of `[guard]` that turns rules off.
pub static DISABLED: Key =
    Key { name: "disabled", default: "none", meaning: "names of rules that do not hold here" };

/// All keys of `[guard]`.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    std::iter::once(&DISABLED).chain(RULES.iter().flat_map(|rule| rule.keys))
}

/// The name as the table has it.
pub fn rule_name(name: &str) -> Option<&'static str> {
    RULES.iter().map(|rule| rule.name).find(|known| *known == name)
}

pub use allowed::is_allowed_type;

/// What a rule has against a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// None: the plan as a whole.
    pub address: Option<String>,
    pub reason: String,
}

impl Finding {
    fn at(address: &str, reason: impl Into<String>) -> Finding {
        Finding { address: Some(address.to_owned()), reason: reason.into() }
    }

    fn of_plan(reason: impl Into<String>) -> Finding {
        Finding { address: None, reason: reason.into() }
    }
}

/// What the rules look at.
pub struct Case<'a> {
    pub plan: &'a Plan,
    pub settings: &'a GuardSettings,
    pub exported: &'a Exported,
}

/// What an argument is going to be, as far as it can be told for sure.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Resolved<'a> {
    Absent,
    Text(Cow<'a, str>),
    /// The apply will tell; the source says it is this attribute of another resource and nothing
    /// else.
    Of(&'a Reference),
    Unknown,
}

impl<'a> Case<'a> {
    pub fn new(plan: &'a Plan, settings: &'a GuardSettings, exported: &'a Exported) -> Case<'a> {
        Case { plan, settings, exported }
    }

    /// An argument after the apply. An expression cannot be told from another by the plan, so a
    /// reference counts only where the source has it bare.
    fn resolved(&self, change: &'a ResourceChange, argument: &str) -> Resolved<'a> {
        match change.after(argument) {
            Known::Absent => Resolved::Absent,
            Known::Text(text) => Resolved::Text(text),
            Known::Unknown => match self.exported.reference(&change.resource(), argument) {
                Some(reference) if names_itself(argument, reference) => Resolved::Of(reference),
                _ => Resolved::Unknown,
            },
        }
    }

    /// All instances of a resource that the plan knows.
    fn instances(&self, resource: &'a str) -> impl Iterator<Item = &'a ResourceChange> {
        let is_it = move |change: &&ResourceChange| change.resource() == resource;
        self.plan.managed().filter(is_it).filter(|change| change.deposed.is_none())
    }

    /// Whether a role's own policies are unknown as a whole because nobody declares any.
    fn is_computed(&self, change: &ResourceChange, argument: &str) -> bool {
        matches!(argument, "inline_policy" | "managed_policy_arns")
            && change.resource_type == "aws_iam_role"
            && change.change.after_unknown.get(argument) == Some(&Value::Bool(true))
            && self.exported.is_plain(&change.resource())
    }
}

/// Whether a reference is to what names the other resource in AWS. Any other attribute of it, such as
/// its description, may be anything.
fn names_itself(argument: &str, reference: &Reference) -> bool {
    let named: &[(&str, &[&str])] = match argument {
        "policy_arn" => &[("aws_iam_policy", &["arn", "id"])],
        "role" | "role_name" => &[("aws_iam_role", &["id", "name"])],
        "user" | "user_name" => &[("aws_iam_user", &["id", "name"])],
        "group" | "group_name" => &[("aws_iam_group", &["id", "name"])],
        "policy_id" => &[("aws_organizations_policy", &["id"])],
        "permission_set_arn" => &[("aws_ssoadmin_permission_set", &["arn"])],
        "account_id" => &[("aws_organizations_account", &["id"])],
        "target_id" => &[
            ("aws_organizations_account", &["id"]),
            ("aws_organizations_organizational_unit", &["id"]),
        ],
        _ => return false,
    };
    let resource_type = reference.resource.rsplit('.').nth(1);
    named.iter().any(|(named, attributes)| {
        resource_type == Some(*named) && attributes.contains(&reference.attribute.as_str())
    })
}

#[cfg(test)]
mod testing {
    //! Plans for the tests of the rules.

    use serde_json::{Value, json};

    use super::*;

    /// A change of the resource `TYPE.x`; `before` and `after` are null where there is nothing.
    pub fn change(resource_type: &str, actions: &[&str], before: Value, after: Value) -> Value {
        json!({
            "address": format!("{resource_type}.x"),
            "mode": "managed",
            "type": resource_type,
            "name": "x",
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": { "actions": actions, "before": before, "after": after },
        })
    }

    /// A plan of these changes.
    pub fn plan(changes: impl IntoIterator<Item = Value>) -> Value {
        json!({
            "format_version": "1.2",
            "planned_values": {},
            "configuration": {},
            "resource_changes": changes.into_iter().collect::<Vec<_>>(),
        })
    }

    /// What one rule has against a plan: `ADDRESS: REASON`.
    pub fn findings(rule: &Rule, plan: &Value) -> Vec<String> {
        findings_with(rule, plan, &GuardSettings::default(), &Exported::default())
    }

    pub fn findings_with(
        rule: &Rule,
        plan: &Value,
        settings: &GuardSettings,
        exported: &Exported,
    ) -> Vec<String> {
        let plan = Plan::parse(&plan.to_string()).unwrap();
        let found = (rule.check)(&Case::new(&plan, settings, exported));
        found
            .into_iter()
            .map(|found| match found.address {
                Some(address) => format!("{address}: {}", found.reason),
                None => found.reason,
            })
            .collect()
    }

    /// Fails unless there is exactly one finding, which says this.
    #[track_caller]
    pub fn assert_refused(rule: &Rule, plan: &Value, saying: &str) {
        let found = findings(rule, plan);
        assert!(found.len() == 1 && found[0].contains(saying), "{saying}: {found:?}");
    }

    #[track_caller]
    pub fn assert_passed(rule: &Rule, plan: &Value) {
        assert_eq!(findings(rule, plan), Vec::<String>::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_count_where_they_name_the_other_resource() {
        for (argument, source, counts) in [
            ("policy_arn", "aws_iam_policy.x.arn", true),
            ("policy_arn", "aws_iam_policy.x.id", true),
            ("policy_arn", "aws_iam_policy.x.description", false),
            ("policy_arn", "aws_iam_role.x.arn", false),
            ("role", "aws_iam_role.x.name", true),
            ("role_name", "aws_iam_role.x.id", true),
            ("role", "aws_iam_role.x.description", false),
            ("role", "aws_iam_user.x.name", false),
            ("user", "aws_iam_user.x.name", true),
            ("user_name", "aws_iam_user.x.id", true),
            ("user", "aws_iam_role.x.name", false),
            ("group", "aws_iam_group.x.name", true),
            ("group_name", "aws_iam_group.x.id", true),
            ("group", "aws_iam_group.x.path", false),
            ("policy_id", "aws_organizations_policy.x.id", true),
            ("policy_id", "aws_organizations_policy.x.name", false),
            ("permission_set_arn", "aws_ssoadmin_permission_set.x.arn", true),
            ("permission_set_arn", "aws_ssoadmin_permission_set.x.id", false),
            ("account_id", "aws_organizations_account.x.id", true),
            ("target_id", "aws_organizations_organizational_unit.x.id", true),
            ("target_id", "aws_organizations_account.x.parent_id", false),
            ("name", "aws_iam_role.x.name", false),
        ] {
            let mut reference = Reference::parse(source).unwrap();
            assert_eq!(names_itself(argument, &reference), counts, "{argument} {source}");
            reference.resource = format!("module.a.{}", reference.resource);
            assert_eq!(names_itself(argument, &reference), counts, "{argument} {source}");
        }
    }

    #[test]
    fn names_are_unique_and_kebab_case() {
        for (index, rule) in RULES.iter().enumerate() {
            assert!(rule.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.name);
            assert!(RULES[..index].iter().all(|other| other.name != rule.name), "{}", rule.name);
            assert_eq!(rule_name(rule.name), Some(rule.name));
        }
        assert_eq!(rule_name("nothing"), None);
        let keys: Vec<&str> = keys().map(|key| key.name).collect();
        assert!(keys.starts_with(&["disabled", "protected"]) && keys.len() == 8, "{keys:?}");
    }
}
