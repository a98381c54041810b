//! A plan that is not the whole plan: what is missing cannot be judged.

use super::{Case, Finding, Rule};

pub static RULE: Rule = Rule {
    name: "complete",
    refuses: "a plan that ended with an error, was made with `-target`, or puts changes off",
    keys: &[],
    check,
};

fn check(case: &Case) -> Vec<Finding> {
    let plan = case.plan;
    let deferred = plan.deferred_changes.len() + plan.deferred_action_invocations.len();
    let mut findings = Vec::new();
    if plan.errored {
        findings.push(Finding::of_plan("planning ended with an error"));
    }
    if plan.complete == Some(false) {
        let reason = "it is only a part of what the configuration asks for, as with `-target`";
        findings.push(Finding::of_plan(reason));
    }
    if deferred > 0 {
        findings.push(Finding::of_plan("changes of it are put off until after the apply"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_passed, assert_refused, plan};
    use super::RULE;
    use serde_json::json;

    #[test]
    fn whole_plan_passes() {
        assert_passed(&RULE, &plan([]));
        let mut whole = plan([]);
        whole["complete"] = json!(true);
        whole["errored"] = json!(false);
        whole["deferred_changes"] = json!([]);
        assert_passed(&RULE, &whole);
    }

    #[test]
    fn every_sign_of_a_part_counts() {
        for (member, value, saying) in [
            ("errored", json!(true), "ended with an error"),
            ("complete", json!(false), "only a part"),
            ("deferred_changes", json!([{}]), "put off"),
            ("deferred_action_invocations", json!([{}]), "put off"),
        ] {
            let mut part = plan([]);
            part[member] = value;
            assert_refused(&RULE, &part, saying);
        }
    }
}
