//! What somebody deleted in AWS is not brought back without a word.

use super::{Case, Finding, Rule};
use crate::plan_guard::plan::{Action, Mode, ResourceChange};

pub static RULE: Rule = Rule {
    name: "drift",
    refuses: "to make anew what was deleted in AWS and Git still has",
    keys: &[],
    check,
};

fn check(case: &Case) -> Vec<Finding> {
    let drift = case.plan.resource_drift.iter();
    let gone: Vec<&ResourceChange> = drift
        .filter(|drift| drift.mode == Mode::Managed && drift.action() == Action::Destroy)
        .collect();
    let comes_back = |change: &&ResourceChange| {
        let previous = change.previous_address.as_ref().unwrap_or(&change.address);
        change.creates()
            && gone.iter().any(|gone| gone.address == change.address || gone.address == *previous)
    };
    case.plan
        .managed()
        .filter(comes_back)
        .map(|change| {
            let reason = "it was deleted in AWS, and this would make it anew";
            Finding::at(&change.address, reason)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_passed, assert_refused, change, plan};
    use super::RULE;
    use serde_json::{Value, json};

    fn with_drift(drift: Value, changes: impl IntoIterator<Item = Value>) -> Value {
        let mut plan = plan(changes);
        plan["resource_drift"] = json!([drift]);
        plan
    }

    #[test]
    fn what_is_gone_does_not_come_back() {
        let role = json!({ "name": "x" });
        let gone = change("aws_iam_role", &["delete"], role.clone(), Value::Null);
        let anew = change("aws_iam_role", &["create"], Value::Null, role.clone());
        assert_refused(
            &RULE,
            &with_drift(gone.clone(), [anew.clone()]),
            "aws_iam_role.x: it was deleted in AWS",
        );
        assert_passed(&RULE, &plan([anew.clone()]));
        assert_passed(&RULE, &with_drift(gone.clone(), []));
        let mut elsewhere = anew.clone();
        elsewhere["address"] = json!("aws_iam_role.y");
        assert_passed(&RULE, &with_drift(gone.clone(), [elsewhere.clone()]));
        elsewhere["previous_address"] = json!("aws_iam_role.x");
        assert_refused(&RULE, &with_drift(gone.clone(), [elsewhere]), "aws_iam_role.y: ");
        let mut new_address = anew.clone();
        new_address["previous_address"] = json!("aws_iam_role.z");
        assert_refused(&RULE, &with_drift(gone.clone(), [new_address]), "aws_iam_role.x: ");
        for action in ["update", "no-op"] {
            let other = change("aws_iam_role", &[action], role.clone(), role.clone());
            assert_passed(&RULE, &with_drift(gone.clone(), [other]));
        }
        let changed = change("aws_iam_role", &["update"], role.clone(), role.clone());
        assert_passed(&RULE, &with_drift(changed, [anew.clone()]));
        let mut data = gone;
        data["mode"] = json!("data");
        assert_passed(&RULE, &with_drift(data, [anew]));
    }
}
