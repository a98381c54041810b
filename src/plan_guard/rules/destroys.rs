//! How much of what there is may go in one apply.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Case, Finding, Key, Rule};
use crate::plan_guard::plan::{Action, Plan};
use crate::resource::resource_type;

pub static RULE: Rule = Rule {
    name: "destroys",
    refuses: "more destroys and replacements than `max_destroys`, or, from three on, more than the \
              share `max_destroy_share` of all that Terraform manages; and more resources that Terraform \
              would let go (`removed` with `destroy = false`) than `max_forgets`; and to destroy or replace an \
              account of the organization, which closes it or lets it leave. What hangs on a destroyed \
              entity counts with it",
    keys: &[
        Key {
            name: "max_destroys",
            default: "5",
            meaning: "how many entities a plan may destroy or replace",
        },
        Key {
            name: "max_destroy_share",
            default: "0.2",
            meaning: "the same as a share of all, from 0 to 1; looked at from three on",
        },
        Key {
            name: "max_forgets",
            default: "5",
            meaning: "how many entities Terraform may let go without destroying them",
        },
    ],
    check,
};

/// What nobody brings back is never destroyed unseen.
const ALWAYS_TOO_MANY: [&str; 1] = ["aws_organizations_account"];

/// So few are never too large a share: the smallest repository may remove a role.
const ALWAYS_FINE: usize = 2;

fn check(case: &Case) -> Vec<Finding> {
    let (plan, settings) = (case.plan, case.settings);
    let mut findings = Vec::new();
    let lost = plan.managed().filter(|change| change.destroys());
    findings.extend(
        lost.filter(|change| ALWAYS_TOO_MANY.contains(&change.resource_type.as_str())).map(
            |change| {
                let reason = "it would close the account, or remove it from the organization";
                Finding::at(&change.address, reason)
            },
        ),
    );
    let destroyed =
        entities(affected(plan, |action| matches!(action, Action::Destroy | Action::Replace)));
    let forgotten = entities(affected(plan, |action| {
        matches!(action, Action::Forget | Action::CreateAndForget)
    }));
    let prior = plan.prior_state.resources();
    let all = entities(prior.iter().map(|found| (found.resource_type.as_str(), &found.values)));
    if destroyed > settings.max_destroys {
        findings.push(Finding::of_plan(format!(
            "it destroys or replaces {destroyed} entities, and `max_destroys` is {}",
            settings.max_destroys
        )));
    }
    if destroyed > ALWAYS_FINE && destroyed as f64 > settings.max_destroy_share * all as f64 {
        findings.push(Finding::of_plan(format!(
            "it destroys or replaces {destroyed} of {all} entities, and `max_destroy_share` is {}",
            settings.max_destroy_share
        )));
    }
    if forgotten > settings.max_forgets {
        findings.push(Finding::of_plan(format!(
            "Terraform would let go of {forgotten} entities, and `max_forgets` is {}",
            settings.max_forgets
        )));
    }
    findings
}

fn affected(
    plan: &Plan,
    is_meant: impl Fn(Action) -> bool,
) -> impl Iterator<Item = (&str, &Value)> {
    let changes = plan.managed().filter(move |change| is_meant(change.action()));
    let changes =
        changes.filter(|change| !calls_nothing(&change.resource_type, &change.change.before));
    changes.map(|change| (change.resource_type.as_str(), &change.change.before))
}

/// Whether destroying a resource calls nothing: that of an `*_exclusive`, which only ends Terraform's
/// watch over what there is, and of one that is about nothing any more, such as a user's membership in
/// groups that AWS has ended, which Terraform keeps.
fn calls_nothing(found: &str, values: &Value) -> bool {
    if found.ends_with("_exclusive") {
        return true;
    }
    let list = resource_type(found).and_then(|(_, described)| values.get(described.each?));
    list.and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// How many entities there are among resources: what hangs on another of them is a part of it.
fn entities<'a>(resources: impl Iterator<Item = (&'a str, &'a Value)>) -> usize {
    let resources: Vec<_> = resources.collect();
    let names: BTreeSet<(&str, &str)> = resources
        .iter()
        .flat_map(|(found, values)| {
            ["name", "id", "arn"].map(|argument| Some((*found, values.get(argument)?.as_str()?)))
        })
        .flatten()
        .collect();
    let is_part = |found: &str, values: &Value| {
        let Some((kind, described)) = resource_type(found) else { return false };
        let Some(owner) = described.owner.and_then(|owner| values.get(owner)?.as_str()) else {
            return false;
        };
        names.contains(&(kind.resource_types[0].name, owner))
    };
    resources.iter().filter(|(found, values)| !is_part(found, values)).count()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_passed, assert_refused, change, findings_with, plan};
    use super::*;
    use crate::plan_guard::exported::Exported;
    use crate::settings::guard::GuardSettings;
    use serde_json::json;

    /// A plan that does this to so many roles of so many.
    fn roles(actions: &[&str], count: usize, all: usize) -> Value {
        let role = |index: usize| json!({ "name": format!("r{index}") });
        let changes =
            (0..count).map(|index| change("aws_iam_role", actions, role(index), Value::Null));
        let mut plan = plan(changes);
        let state = |index| {
            json!({ "address": format!("aws_iam_role.r{index}"), "mode": "managed",
                    "type": "aws_iam_role", "values": role(index) })
        };
        let (root, child): (Vec<_>, Vec<_>) =
            (0..all).map(state).enumerate().partition(|(index, _)| index % 2 == 0);
        let values = |resources: Vec<(usize, Value)>| {
            resources.into_iter().map(|(_, one)| one).collect::<Vec<_>>()
        };
        let data = json!({ "address": "data.x.y", "mode": "data", "type": "x", "values": {} });
        let child =
            json!({ "resources": values(child), "child_modules": [{ "resources": [data] }] });
        plan["prior_state"] = json!({ "values": { "root_module": {
            "resources": values(root), "child_modules": [child],
        } } });
        plan
    }

    #[test]
    fn count_has_a_limit() {
        for actions in [&["delete"][..], &["delete", "create"], &["create", "delete"]] {
            assert_passed(&RULE, &roles(actions, 5, 100));
            assert_refused(&RULE, &roles(actions, 6, 100), "6 entities, and `max_destroys` is 5");
        }
        for actions in [&["create"][..], &["update"], &["no-op"]] {
            assert_passed(&RULE, &roles(actions, 100, 100));
        }
    }

    #[test]
    fn share_has_a_limit_from_three_on() {
        assert_passed(&RULE, &roles(&["delete"], 2, 2));
        assert_refused(
            &RULE,
            &roles(&["delete"], 3, 14),
            "3 of 14 entities, and `max_destroy_share` is 0.2",
        );
        assert_passed(&RULE, &roles(&["delete"], 3, 15));
        assert_refused(&RULE, &roles(&["delete"], 3, 0), "3 of 0");
    }

    #[test]
    fn one_account_is_too_many() {
        let account = json!({ "name": "x", "email": "x@example.com" });
        for actions in [&["delete"][..], &["delete", "create"], &["create", "delete"]] {
            let gone = change("aws_organizations_account", actions, account.clone(), Value::Null);
            assert_refused(&RULE, &plan([gone]), "aws_organizations_account.x: it would close");
        }
        for actions in [&["forget"][..], &["update"], &["no-op"]] {
            let kept =
                change("aws_organizations_account", actions, account.clone(), account.clone());
            assert_passed(&RULE, &plan([kept]));
        }
    }

    #[test]
    fn letting_go_has_a_limit_of_its_own() {
        for actions in [&["forget"][..], &["create", "forget"]] {
            assert_passed(&RULE, &roles(actions, 5, 5));
            assert_refused(&RULE, &roles(actions, 6, 6), "6 entities, and `max_forgets` is 5");
        }
    }

    #[test]
    fn limits_are_settings() {
        let settings = GuardSettings {
            max_destroys: 3,
            max_destroy_share: 0.5,
            max_forgets: 0,
            ..GuardSettings::default()
        };
        let count =
            |plan: &Value| findings_with(&RULE, plan, &settings, &Exported::default()).len();
        assert_eq!(count(&roles(&["delete"], 3, 6)), 0);
        assert_eq!(count(&roles(&["delete"], 3, 5)), 1);
        assert_eq!(count(&roles(&["delete"], 4, 4)), 2);
        assert_eq!(count(&roles(&["forget"], 1, 4)), 1);
    }

    #[test]
    fn memberships_that_aws_ended_are_not_destroyed() {
        let memberships = |groups: Value| {
            let membership = |index: usize| {
                let values = json!({ "user": format!("u{index}"), "groups": groups });
                change("aws_iam_user_group_membership", &["delete"], values, Value::Null)
            };
            let mut plan = plan((0..9).map(membership));
            plan["prior_state"] = roles(&[], 0, 100)["prior_state"].clone();
            plan
        };
        assert_passed(&RULE, &memberships(json!([])));
        assert_refused(&RULE, &memberships(json!(["admins"])), "9 entities");
        assert_refused(&RULE, &memberships(Value::Null), "9 entities");
    }

    #[test]
    fn exclusive_resources_hold_nothing_that_could_be_destroyed() {
        // Those that an export writes no more are let go of.
        for action in ["delete", "forget"] {
            let exclusive = |index: usize| {
                let values = json!({ "role_name": format!("r{index}"), "policy_names": ["a"] });
                change("aws_iam_role_policies_exclusive", &[action], values, Value::Null)
            };
            let mut plan = plan((0..9).map(exclusive));
            plan["prior_state"] = roles(&[], 0, 9)["prior_state"].clone();
            assert_passed(&RULE, &plan);
        }
    }

    #[test]
    fn what_hangs_on_a_destroyed_entity_counts_with_it() {
        let hanging = |index: usize, role: &str| {
            let values = json!({ "role": role, "name": format!("p{index}") });
            change("aws_iam_role_policy", &["delete"], values, Value::Null)
        };
        let role = change("aws_iam_role", &["delete"], json!({ "name": "r" }), Value::Null);
        let with_role = (0..9).map(|index| hanging(index, "r")).chain([role.clone()]);
        assert_passed(&RULE, &plan(with_role));
        let without = (0..6).map(|index| hanging(index, "other")).chain([role]);
        let mut without = plan(without);
        without["prior_state"] = roles(&[], 0, 100)["prior_state"].clone();
        assert_refused(&RULE, &without, "7 entities");
        let policy =
            change("aws_organizations_policy", &["delete"], json!({ "id": "p-1" }), Value::Null);
        let attached = |index: usize| {
            let values = json!({ "policy_id": "p-1", "target_id": format!("ou-{index}") });
            change("aws_organizations_policy_attachment", &["delete"], values, Value::Null)
        };
        assert_passed(&RULE, &plan((0..9).map(attached).chain([policy])));
    }
}
