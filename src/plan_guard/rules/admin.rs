//! Grants of everything that are not there yet.
//!
//! A document counts, all its statements together, that allows on every resource: every action, every
//! action but some (`NotAction`), or the actions of IAM by which one gives oneself the rest. Conditions
//! do not help, and neither does a `Deny` beside it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Case, Finding, Resolved, Rule};
use crate::plan_guard::plan::{ResourceChange, Side};
use crate::plan_guard::statement::{Statement, statements};
use crate::plan_guard::wildcard::{has_wildcard, is_open, matches};

pub static RULE: Rule = Rule {
    name: "admin",
    refuses: "to grant anew, on every resource, every action, every action but some (`NotAction`), or those \
              of IAM by which one gives oneself the rest (to attach and put policies of users, groups and \
              roles, and new versions of policies): by a document, or by attaching such a policy or AWS's \
              `AdministratorAccess`, `IAMFullAccess` or `PowerUserAccess`; and documents or attached \
              policies that cannot be told before the apply",
    keys: &[],
    check,
};

/// Resource types with an identity policy, and whom it is for.
const DOCUMENTS: [(&str, &str); 4] = [
    ("aws_iam_policy", "name"),
    ("aws_iam_role_policy", "role"),
    ("aws_iam_user_policy", "user"),
    ("aws_iam_group_policy", "group"),
];

/// Arguments with the ARNs of policies that are attached.
const ATTACHED: [&str; 3] = ["policy_arn", "policy_arns", "managed_policy_arns"];

/// Arguments that say whom policies are attached to.
const HOLDERS: [&str; 10] = [
    "role",
    "roles",
    "role_name",
    "user",
    "users",
    "user_name",
    "group",
    "groups",
    "group_name",
    "name",
];

/// AWS's own policies that grant everything in the sense of this rule.
const OF_AWS: [&str; 3] = ["AdministratorAccess", "IAMFullAccess", "PowerUserAccess"];

/// Who may do all of these, each to any of its kind, may do everything soon.
const GIVING: [(&str, &str); 7] = [
    ("iam:AttachGroupPolicy", "group"),
    ("iam:AttachRolePolicy", "role"),
    ("iam:AttachUserPolicy", "user"),
    ("iam:CreatePolicyVersion", "policy"),
    ("iam:PutGroupPolicy", "group"),
    ("iam:PutRolePolicy", "role"),
    ("iam:PutUserPolicy", "user"),
];

/// What of everything is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grant {
    Everything,
    EverythingBut,
    Giving,
}

impl Grant {
    fn as_text(self) -> &'static str {
        match self {
            Grant::Everything => "every action on every resource",
            Grant::EverythingBut => "every action but some (`NotAction`) on every resource",
            Grant::Giving => {
                "all of IAM by which one gives oneself every other permission, on every resource"
            }
        }
    }
}

fn check(case: &Case) -> Vec<Finding> {
    let changes = case.plan.managed().filter(|change| change.changes_aws());
    let reasons = changes.flat_map(|change| {
        let reasons = documents(case, change).into_iter().chain(attachments(case, change));
        reasons.map(move |reason| Finding::at(&change.address, reason))
    });
    reasons.collect()
}

fn documents(case: &Case, change: &ResourceChange) -> Vec<String> {
    let kind = change.resource_type.as_str();
    if kind == "aws_iam_role" {
        return inline(case, change);
    }
    let Some((_, owner)) = DOCUMENTS.iter().find(|(known, _)| *known == kind) else {
        return Vec::new();
    };
    let argument = "policy";
    let is_same = change.text(Side::Before, owner) == change.text(Side::After, owner);
    let before = change.text(Side::Before, argument).filter(|_| is_same);
    match case.resolved(change, argument) {
        Resolved::Text(document) => anew(before, &document),
        Resolved::Absent => Vec::new(),
        Resolved::Of(_) | Resolved::Unknown => vec![unknown(argument)],
    }
}

/// The inline policies of a role that declares them itself.
fn inline(case: &Case, change: &ResourceChange) -> Vec<String> {
    let argument = "inline_policy";
    let policies = |side| match change.side(side).get(argument) {
        Some(Value::Array(blocks)) => {
            blocks.iter().filter_map(|of| of.get("policy")?.as_str()).collect()
        }
        _ => Vec::new(),
    };
    if change.is_unknown(argument) && !case.is_computed(change, argument) {
        return vec![unknown(argument)];
    }
    let is_same = change.text(Side::Before, "name") == change.text(Side::After, "name");
    let before: Vec<&str> = if is_same { policies(Side::Before) } else { Vec::new() };
    let granted = before.iter().filter_map(|document| grants(document).ok()).flatten().collect();
    let after = policies(Side::After).into_iter().filter(|document| !before.contains(document));
    after.flat_map(|document| new_grants(&granted, document)).collect()
}

fn unknown(argument: &str) -> String {
    format!(
        "what `{argument}` grants is only known after the apply; write it out, or apply in two steps"
    )
}

/// What a document grants that the one before it did not.
fn anew(before: Option<&str>, after: &str) -> Vec<String> {
    if before == Some(after) {
        return Vec::new();
    }
    let granted = before.and_then(|before| granted_already(before, after)).unwrap_or_default();
    new_grants(&granted, after)
}

/// What of everything a document granted that another takes the place of. What a condition or a
/// `Deny` held back then, and does not any more, was not granted.
fn granted_already(before: &str, after: &str) -> Option<BTreeSet<Grant>> {
    let (before, after) = (statements(before).ok()?, statements(after).ok()?);
    let stays = |statement: &Statement| after.contains(statement);
    if before.iter().any(|statement| !statement.is_allow && !stays(statement)) {
        return None;
    }
    let held: Vec<Statement> =
        before.into_iter().filter(|of| of.conditions.is_empty() || stays(of)).collect();
    Some(grants_of(&held))
}

fn new_grants(granted: &BTreeSet<Grant>, document: &str) -> Vec<String> {
    let grants = match grants(document) {
        Ok(grants) => grants,
        Err(problem) => return vec![format!("its policy document cannot be judged: {problem}")],
    };
    // Who has everything is given nothing by less.
    let most = granted.contains(&Grant::Everything);
    let new = grants.into_iter().filter(|grant| !most && !granted.contains(grant));
    new.map(|grant| format!("it grants {} anew", grant.as_text())).collect()
}

/// What of everything a document grants.
fn grants(document: &str) -> Result<BTreeSet<Grant>, String> {
    Ok(grants_of(&statements(document)?))
}

fn grants_of(statements: &[Statement]) -> BTreeSet<Grant> {
    let allowing = || statements.iter().filter(|statement| statement.is_allow);
    let wide: Vec<&Statement> = allowing().filter(|of| is_about(of, is_every_resource)).collect();
    let gives = |action: &str, kind: &str| {
        allowing().any(|of| is_about_iam(of, kind) && covers_action(of, action))
    };
    let mut grants = BTreeSet::new();
    if wide.iter().any(|statement| statement.not_actions.is_some()) {
        grants.insert(Grant::EverythingBut);
    }
    if actions(&wide).any(is_every_action) {
        grants.insert(Grant::Everything);
    } else if grants.is_empty() && GIVING.iter().all(|(action, kind)| gives(action, kind)) {
        grants.insert(Grant::Giving);
    }
    grants
}

fn covers_action(statement: &Statement, action: &str) -> bool {
    let is_listed = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
    statement.actions.as_deref().is_some_and(is_listed)
        || statement.not_actions.as_deref().is_some_and(|patterns| !is_listed(patterns))
}

fn actions<'a>(statements: &'a [&Statement]) -> impl Iterator<Item = &'a str> {
    let lists = statements.iter().filter_map(|statement| statement.actions.as_ref());
    lists.flatten().map(String::as_str)
}

fn is_about(statement: &Statement, is_covered: impl Fn(&str) -> bool) -> bool {
    let resources = statement.resources.as_deref().unwrap_or_default();
    statement.not_resources.is_some() || resources.iter().any(|resource| is_covered(resource))
}

/// Whether it is about any group, policy, role or user of an account.
fn is_about_iam(statement: &Statement, kind: &str) -> bool {
    is_about(statement, |pattern| {
        // Whatever account and partition a pattern names may be this one.
        let mut parts: Vec<&str> = pattern.splitn(6, ':').collect();
        let count = parts.len();
        for at in [1, 4] {
            if at < count && (at + 1 < count || parts[at].contains('*')) {
                parts[at] = "*";
            }
        }
        matches(&parts.join(":"), &format!("arn:aws:iam::111122223333:{kind}/x/y"))
    })
}

/// Whether a pattern leaves open which service's resources it means: `*`, `arn:*`, `arn:aws:*:*`.
/// The account that it names may be this one.
pub(super) fn is_every_resource(pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let is_wide = |part: &&str| part.is_empty() || is_open(part);
    match parts.as_slice() {
        [all] | [_, all] | [_, _, all] => is_open(all),
        [_, _, service, region] => is_open(service) && is_wide(region),
        [_, _, service, region, _] => is_open(service) && is_wide(region),
        [_, _, service, region, _, resource] => {
            is_open(service) && is_wide(region) && is_open(resource)
        }
        _ => false,
    }
}

/// Whether a pattern leaves open which service's actions it means: `*`, `*:*`, `?*:*`.
fn is_every_action(pattern: &str) -> bool {
    match pattern.split_once(':') {
        Some((service, action)) => has_wildcard(service) && is_open(action),
        None => is_open(pattern),
    }
}

fn attachments(case: &Case, change: &ResourceChange) -> Vec<String> {
    let mut reasons = Vec::new();
    let holders =
        |side| HOLDERS.map(|holder| change.side(side).get(holder).filter(|of| !of.is_null()));
    let is_same = holders(Side::Before) == holders(Side::After);
    for argument in ATTACHED {
        let before =
            if is_same { texts(change.side(Side::Before).get(argument)) } else { Vec::new() };
        if change.is_unknown(argument) {
            let is_computed = case.is_computed(change, argument);
            reasons.extend((!is_computed).then(|| referred(case, change, argument)).flatten());
            continue;
        }
        let after = texts(change.side(Side::After).get(argument)).into_iter();
        let new = after.filter(|arn| !before.contains(arn));
        reasons.extend(new.filter_map(|arn| attached(case, arn)));
    }
    reasons
}

/// What is wrong with attaching a policy whose ARN only the apply will tell.
fn referred(case: &Case, change: &ResourceChange, argument: &str) -> Option<String> {
    let Resolved::Of(reference) = case.resolved(change, argument) else {
        return Some(unknown(argument));
    };
    let mut found = case.instances(&reference.resource).peekable();
    if found.peek().is_none() {
        return Some(unknown(argument));
    }
    found.find_map(|policy| match policy.text(Side::After, "policy") {
        Some(document) => {
            problem_of(document).map(|problem| format!("{}: {problem}", policy.address))
        }
        None => Some(unknown(argument)),
    })
}

/// What is wrong with attaching the policy with an ARN.
fn attached(case: &Case, arn: &str) -> Option<String> {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    if arn.split(':').nth(4) == Some("aws") {
        let is_wide = OF_AWS.iter().any(|of_aws| of_aws.eq_ignore_ascii_case(name));
        return is_wide.then(|| format!("it attaches AWS's `{name}`"));
    }
    let is_it = |change: &&ResourceChange| {
        change.resource_type == "aws_iam_policy" && change.text(Side::After, "arn") == Some(arn)
    };
    if let Some(change) = case.plan.managed().find(is_it) {
        return match change.text(Side::After, "policy") {
            Some(document) => problem_of(document).map(|problem| format!("`{arn}`: {problem}")),
            None => Some(format!("what `{arn}` grants is only known after the apply")),
        };
    }
    match case.exported.policy(arn) {
        Some(document) => problem_of(document).map(|problem| format!("`{arn}`: {problem}")),
        None => Some(format!("what `{arn}` grants is not known: no raw JSON has it")),
    }
}

fn problem_of(document: &str) -> Option<String> {
    new_grants(&BTreeSet::new(), document).into_iter().next()
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_passed, assert_refused, change, findings_with, plan};
    use super::*;
    use crate::plan_guard::exported::Exported;
    use crate::settings::guard::GuardSettings;
    use serde_json::json;

    fn allow(members: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{members}}}]}}"#)
    }

    fn everything() -> String {
        allow(r#""Action":"*","Resource":"*""#)
    }

    fn giving() -> String {
        allow(r#""Action":"iam:*","Resource":"*""#)
    }

    fn policy(document: &str) -> Value {
        json!({ "name": "x", "arn": "arn:aws:iam::1:policy/x", "policy": document })
    }

    fn created(document: &str) -> Value {
        plan([change("aws_iam_policy", &["create"], Value::Null, policy(document))])
    }

    #[test]
    fn everything_is_seen_in_every_spelling() {
        for members in [
            r#""Action":"*","Resource":"*""#,
            r#""action":["s3:Get","*:*"],"resource":["arn:aws:s3:::x","*"]"#,
            r#""Action":"**","Resource":"**""#,
            r#""Action":"?*","Resource":"*:*""#,
            r#""Action":"\u002a","Resource":"arn:*""#,
            r#""Action":"i*:*","Resource":"arn:aws:*""#,
            r#""Action":"*","Resource":"arn:aws:*:*""#,
            r#""Action":"*","Resource":"arn:aws:*::1""#,
            r#""Action":"*","Resource":"arn:aws:*:*:111122223333:*""#,
            r#""Action":"*","Resource":"arn:aws:*:::**""#,
            r#""Action":"*","NotResource":"arn:aws:s3:::x""#,
            r#""Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
        ] {
            assert_refused(
                &RULE,
                &created(&allow(members)),
                "grants every action on every resource anew",
            );
        }
        let lower = everything().replace("Allow", "aLLOW");
        assert_refused(&RULE, &created(&lower), "aws_iam_policy.x: it grants every action on");
    }

    #[test]
    fn less_than_everything_passes() {
        for members in [
            r#""Action":"s3:*","Resource":"*""#,
            r#""Action":"*","Resource":"arn:aws:s3:::x""#,
            r#""Action":"*","Resource":"arn:aws:s3:*:*:*""#,
            r#""Action":"*","Resource":"arn:aws:*:eu-west-1:*:*""#,
            r#""Action":"*","Resource":"arn:aws:*:eu-west-1""#,
            r#""Action":"*","Resource":"arn:aws:*:eu-west-1:1""#,
            r#""Action":"*","Resource":"arn:aws:*:*:*:x/*""#,
            r#""Action":"*","Resource":"arn:aws:s3""#,
            r#""Action":"*","Resource":"arn:aws:s3:*""#,
            r#""Action":"*","Resource":"arn:aws""#,
            r#""Action":"*","Resource":"""#,
            r#""Action":["s3:*","*:Get*"],"Resource":"*""#,
            r#""Action":"*x","Resource":"*""#,
            r#""NotAction":"iam:*","Resource":"arn:aws:s3:::x""#,
            r#""Action":["iam:PutRolePolicy","iam:AttachRolePolicy"],"Resource":"*""#,
            r#""Action":"iam:*","Resource":"arn:aws:iam::*:role/*""#,
            r#""Action":"iam:*","Resource":["arn:aws:iam::*:role/team-*","arn:aws:iam::*:policy/*"]"#,
        ] {
            assert_passed(&RULE, &created(&allow(members)));
        }
        assert_passed(&RULE, &created(&everything().replace("Allow", "Deny")));
        assert_passed(
            &RULE,
            &created(&allow(r#""NotAction":"x","Resource":"*""#).replace("Allow", "Deny")),
        );
    }

    #[test]
    fn everything_but_and_giving_are_as_good() {
        assert_refused(
            &RULE,
            &created(&allow(r#""NotAction":"iam:*","Resource":"*""#)),
            "every action but some",
        );
        for members in [
            r#""Action":"iam:*","Resource":"*""#,
            r#""Action":["IAM:?ttach*","iam:put*","iam:Create*"],"Resource":"*""#,
            r#""Action":"iam:*","Resource":"arn:aws:iam::111122223333:*""#,
            r#""Action":"*","Resource":"arn:aws-cn:iam::*:*""#,
            r#""Action":"iam:*","Resource":["arn:aws:iam::1:role/*","arn:aws:iam::1:user/*","arn:aws:iam::*:group/*","arn:*:policy/*"]"#,
            r#""Action":"iam:*","NotResource":"arn:aws:iam::1:role/x""#,
        ] {
            assert_refused(&RULE, &created(&allow(members)), "all of IAM by which");
        }
        let split = r#"{"Statement":[
            {"Effect":"Allow","Action":["iam:Attach*","iam:Put*"],"Resource":"*"},
            {"Effect":"Allow","Action":["iam:CreatePolicyVersion"],"Resource":"arn:aws:iam::1:*"}]}"#;
        assert_refused(&RULE, &created(split), "all of IAM by which");
        let other = split.replace("arn:aws:iam::1:*", "arn:aws:iam::1:policy/x");
        assert_passed(&RULE, &created(&other));
        let both = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
            {"Effect":"Allow","NotAction":"x","Resource":"*"}]}"#;
        let found =
            findings_with(&RULE, &created(both), &GuardSettings::default(), &Exported::default());
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn all_of_iam_is_seen_by_exclusion_by_parts_and_with_half_an_account() {
        for members in [
            r#""NotAction":"s3:x","Resource":"arn:aws:iam::*:*""#,
            r#""Action":"*","Resource":"arn:aws:iam::12345678901?:*""#,
            r#""Action":"*","Resource":"arn:aws:iam::*3456789012:*""#,
            r#""Action":"iam:*","Resource":"arn:aws-*:iam::*:*""#,
            r#""Action":"iam:*","Resource":"arn:aws:iam::12*""#,
        ] {
            assert_refused(&RULE, &created(&allow(members)), "all of IAM by which");
        }
        let split = |last: &str| {
            let kinds = ["role/*", "user/*", "group/*", last];
            let statement = |kind: &str| {
                format!(
                    r#"{{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::1:{kind}"}}"#
                )
            };
            format!(r#"{{"Statement":[{}]}}"#, kinds.map(statement).join(","))
        };
        assert_refused(&RULE, &created(&split("policy/*")), "all of IAM by which");
        assert_passed(&RULE, &created(&split("policy/x")));
        let but = r#""NotAction":"iam:Put*","Resource":"arn:aws:iam::*:*""#;
        assert_passed(&RULE, &created(&allow(but)));
        let elsewhere = r#""Action":"*","Resource":"arn:aws:s3:::12*""#;
        assert_passed(&RULE, &created(&allow(elsewhere)));
    }

    #[test]
    fn what_a_condition_or_a_deny_held_back_is_new_without_it() {
        let update = |before: &str, after: &str| {
            plan([change("aws_iam_policy", &["update"], policy(before), policy(after))])
        };
        let document =
            |statements: &[&str]| format!(r#"{{"Statement":[{}]}}"#, statements.join(","));
        let all = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
        let deny = r#"{"Effect":"Deny","Action":"iam:*","Resource":"*"}"#;
        let some = r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#;
        let more = r#"{"Effect":"Allow","Action":"s3:Get","Resource":"*"}"#;
        let everything = "every action on every resource anew";
        assert_refused(&RULE, &update(&document(&[all, deny]), &document(&[all])), everything);
        assert_refused(&RULE, &update(&document(&[some]), &document(&[all])), everything);
        assert_passed(&RULE, &update(&document(&[all, deny]), &document(&[all, deny, more])));
        assert_passed(&RULE, &update(&document(&[some]), &document(&[some, more])));
    }

    #[test]
    fn what_was_granted_before_is_not_new() {
        let update = |before: &str, after: &str| {
            plan([change("aws_iam_policy", &["update"], policy(before), policy(after))])
        };
        let more = everything().replace("\"*\"", "\"**\"");
        assert_passed(&RULE, &update(&everything(), &more));
        assert_passed(&RULE, &update(&everything(), &giving()));
        assert_refused(
            &RULE,
            &update(&giving(), &everything()),
            "every action on every resource anew",
        );
        assert_refused(&RULE, &update("{}", &giving()), "all of IAM");
        assert_passed(&RULE, &update(&everything(), "{}"));
        assert_passed(&RULE, &update("broken", "broken"));
        assert_refused(&RULE, &update("{}", "broken"), "cannot be judged: expected");
        assert_refused(&RULE, &update("broken", &giving()), "all of IAM");
        let mut other = policy(&everything());
        other["name"] = json!("y");
        let renamed = change("aws_iam_policy", &["delete", "create"], other, policy(&everything()));
        assert_refused(&RULE, &plan([renamed]), "every action on every resource anew");
        let gone = change("aws_iam_policy", &["delete"], policy(&everything()), Value::Null);
        assert_passed(&RULE, &plan([gone]));
        let still = change("aws_iam_policy", &["no-op"], policy("{}"), policy(&everything()));
        assert_passed(&RULE, &plan([still]));
    }

    #[test]
    fn inline_policies_of_everybody_count() {
        for (kind, owner) in [
            ("aws_iam_role_policy", "role"),
            ("aws_iam_user_policy", "user"),
            ("aws_iam_group_policy", "group"),
        ] {
            let of = |who: &str| json!({ "name": "p", owner: who, "policy": everything() });
            let create = plan([change(kind, &["create"], Value::Null, of("a"))]);
            assert_refused(&RULE, &create, "every action on every resource anew");
            let moved = plan([change(kind, &["delete", "create"], of("a"), of("b"))]);
            assert_refused(&RULE, &moved, "every action on every resource anew");
            let same = plan([change(kind, &["delete", "create"], of("a"), of("a"))]);
            assert_passed(&RULE, &same);
        }
        let other = plan([change("aws_iam_x", &["create"], Value::Null, policy(&everything()))]);
        assert_passed(&RULE, &other);
    }

    #[test]
    fn inline_policies_in_the_role_itself_count() {
        let role = |name: &str, documents: &[String]| {
            let blocks =
                documents.iter().map(|document| json!({ "name": "p", "policy": document }));
            json!({ "name": name, "inline_policy": blocks.collect::<Vec<_>>() })
        };
        let update = |before, after| plan([change("aws_iam_role", &["update"], before, after)]);
        let all = [everything()];
        assert_refused(&RULE, &update(role("x", &[]), role("x", &all)), "every action");
        assert_passed(&RULE, &update(role("x", &all), role("x", &all)));
        assert_passed(&RULE, &update(role("x", &all), role("x", &[everything(), giving()])));
        assert_refused(&RULE, &update(role("y", &all), role("x", &all)), "every action");
        let mut unknown = change("aws_iam_role", &["create"], Value::Null, json!({ "name": "x" }));
        unknown["change"]["after_unknown"] = json!({ "inline_policy": true });
        assert_refused(
            &RULE,
            &plan([unknown.clone()]),
            "`inline_policy` grants is only known after",
        );
        let plain = Exported::default().with_plain("aws_iam_role.x");
        let found = |change: &Value| {
            findings_with(&RULE, &plan([change.clone()]), &GuardSettings::default(), &plain).len()
        };
        assert_eq!(found(&unknown), 0);
        unknown["change"]["after_unknown"] =
            json!({ "inline_policy": true, "managed_policy_arns": true });
        assert_eq!(found(&unknown), 0);
        unknown["change"]["after_unknown"] = json!({ "inline_policy": [{ "policy": true }] });
        assert_eq!(found(&unknown), 1);
        unknown["change"]["after_unknown"] = json!({ "managed_policy_arns": [true] });
        assert_eq!(found(&unknown), 1);
        unknown["change"]["after_unknown"] = json!({ "policy_arn": true });
        assert_eq!(found(&unknown), 1);
        unknown["change"]["after_unknown"] = json!({ "managed_policy_arns": true });
        unknown["type"] = json!("aws_iam_x");
        let plain = Exported::default().with_plain("aws_iam_x.x");
        let plan = plan([unknown]);
        assert_eq!(findings_with(&RULE, &plan, &GuardSettings::default(), &plain).len(), 1);
    }

    #[test]
    fn documents_that_only_the_apply_tells_are_refused() {
        let mut unknown =
            change("aws_iam_role_policy", &["create"], Value::Null, json!({ "role": "x" }));
        unknown["change"]["after_unknown"] = json!({ "policy": true });
        assert_refused(&RULE, &plan([unknown.clone()]), "what `policy` grants is only known after");
        let referring = Exported::default().with_reference(
            "aws_iam_role_policy.x",
            "policy",
            "aws_iam_policy.y.policy",
        );
        let settings = GuardSettings::default();
        assert_eq!(findings_with(&RULE, &plan([unknown]), &settings, &referring).len(), 1);
        let nothing =
            change("aws_iam_role_policy", &["create"], Value::Null, json!({ "role": "x" }));
        assert_passed(&RULE, &plan([nothing]));
    }

    fn attachment(arn: &str) -> Value {
        json!({ "role": "r", "policy_arn": arn })
    }

    #[test]
    fn attaching_what_only_looks_like_awss_counts() {
        let arn = "arn:aws:iam::123456789012:policy/x:iam::aws:policy/Harmless";
        let attachment = json!({ "role": "r", "policy_arn": arn });
        let kind = "aws_iam_role_policy_attachment";
        let made = plan([change(kind, &["create"], Value::Null, attachment)]);
        assert_refused(&RULE, &made, "no raw JSON has it");
    }

    #[test]
    fn attaching_what_grants_everything_counts() {
        let attach =
            |kind: &str, values: Value| plan([change(kind, &["create"], Value::Null, values)]);
        let of_aws = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
        for name in
            ["AdministratorAccess", "administratoraccess", "IAMFullAccess", "PowerUserAccess"]
        {
            let found = attach("aws_iam_role_policy_attachment", attachment(&of_aws(name)));
            assert_refused(&RULE, &found, &format!("it attaches AWS's `{name}`"));
        }
        let job = attach(
            "aws_iam_user_policy_attachment",
            attachment(&of_aws("job-function/SystemAdministrator")),
        );
        assert_passed(&RULE, &job);
        let admin = of_aws("AdministratorAccess");
        for (kind, values) in [
            ("aws_iam_role", json!({ "name": "x", "managed_policy_arns": [admin] })),
            (
                "aws_iam_role_policy_attachments_exclusive",
                json!({ "role_name": "x", "policy_arns": [admin] }),
            ),
            ("aws_iam_policy_attachment", json!({ "users": ["x"], "policy_arn": admin })),
        ] {
            assert_refused(&RULE, &attach(kind, values), "AdministratorAccess");
        }
    }

    #[test]
    fn attaching_a_policy_of_the_account_looks_into_it() {
        let arn = "arn:aws:iam::1:policy/x";
        let attach =
            || change("aws_iam_role_policy_attachment", &["create"], Value::Null, attachment(arn));
        assert_refused(&RULE, &plan([attach()]), "is not known: no raw JSON has it");
        let settings = GuardSettings::default();
        let found = |document: &str| {
            let exported = Exported::default().with_policy(arn, document);
            findings_with(&RULE, &plan([attach()]), &settings, &exported)
        };
        assert!(found(&allow(r#""Action":"s3:*","Resource":"*""#)).is_empty());
        assert!(
            found(&everything())[0].contains("`arn:aws:iam::1:policy/x`: it grants every action")
        );
        // What the plan says of the policy counts more than what the export found.
        let mut planned =
            change("aws_iam_policy", &["no-op"], policy(&everything()), policy(&everything()));
        let harmless = Exported::default().with_policy(arn, "{}");
        let found = findings_with(&RULE, &plan([planned.clone(), attach()]), &settings, &harmless);
        assert!(found.len() == 1 && found[0].contains("every action"), "{found:?}");
        planned["change"]["after"]["policy"] = Value::Null;
        let found = findings_with(&RULE, &plan([planned.clone(), attach()]), &settings, &harmless);
        assert!(found.len() == 1 && found[0].contains("only known after"), "{found:?}");
        planned["type"] = json!("aws_iam_x");
        assert!(findings_with(&RULE, &plan([planned, attach()]), &settings, &harmless).is_empty());
        let mut other = change("aws_iam_policy", &["no-op"], Value::Null, policy(&everything()));
        other["change"]["after"]["arn"] = json!("arn:aws:iam::1:policy/y");
        assert!(findings_with(&RULE, &plan([other, attach()]), &settings, &harmless).is_empty());
    }

    #[test]
    fn attachment_that_was_there_is_not_new() {
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        let kind = "aws_iam_role_policy_attachment";
        let replaced = |before, after| plan([change(kind, &["delete", "create"], before, after)]);
        assert_passed(&RULE, &replaced(attachment(admin), attachment(admin)));
        let mut other = attachment(admin);
        other["role"] = json!("other");
        assert_refused(&RULE, &replaced(other, attachment(admin)), "AdministratorAccess");
        let read = attachment("arn:aws:iam::aws:policy/ReadOnlyAccess");
        assert_refused(&RULE, &replaced(read, attachment(admin)), "AdministratorAccess");
        assert_passed(&RULE, &plan([change(kind, &["delete"], attachment(admin), Value::Null)]));
    }

    #[test]
    fn policy_whose_arn_only_the_apply_tells_is_looked_up_by_its_bare_reference() {
        let settings = GuardSettings::default();
        let mut attach = change(
            "aws_iam_role_policy_attachment",
            &["create"],
            Value::Null,
            json!({ "role": "r" }),
        );
        attach["change"]["after_unknown"] = json!({ "policy_arn": true });
        let made =
            |document: &str| change("aws_iam_policy", &["create"], Value::Null, policy(document));
        let harmless = allow(r#""Action":"s3:*","Resource":"*""#);
        let found = |changes: &[Value], source: &str| {
            let exported = match source {
                "" => Exported::default(),
                source => Exported::default().with_reference(
                    "aws_iam_role_policy_attachment.x",
                    "policy_arn",
                    source,
                ),
            };
            findings_with(&RULE, &plan(changes.iter().cloned()), &settings, &exported)
        };
        let arn = "aws_iam_policy.x.arn";
        assert!(found(&[attach.clone(), made(&harmless)], arn).is_empty());
        assert_eq!(found(&[attach.clone(), made(&harmless)], "").len(), 1);
        assert_eq!(found(&[attach.clone(), made(&harmless)], "aws_iam_policy.y.arn").len(), 1);
        assert_eq!(found(&[attach.clone(), made(&harmless)], "aws_iam_policy.x.name").len(), 1);
        let description = "aws_iam_policy.x.description";
        assert_eq!(found(&[attach.clone(), made(&harmless)], description).len(), 1);
        let both = found(&[attach.clone(), made(&everything())], arn);
        assert!(both.len() == 2 && both[0].contains("aws_iam_policy.x: it grants"), "{both:?}");
        let mut unknown = made("");
        unknown["change"]["after"]["policy"] = Value::Null;
        assert_eq!(found(&[attach, unknown], arn).len(), 1);
    }
}
