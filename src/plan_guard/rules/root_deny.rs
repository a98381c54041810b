//! What would lock a whole organization out: at its root, a policy that denies everything, or no
//! policy any more that allows anything; and a resource policy of it that denies everything.

use std::collections::{BTreeMap, BTreeSet};

use super::admin::is_every_resource;
use super::{Case, Finding, Resolved, Rule};
use crate::plan_guard::exported::Attached;
use crate::plan_guard::plan::{Action, ResourceChange, Side};
use crate::plan_guard::statement::{Condition, Statement, statements};
use crate::plan_guard::wildcard::{has_wildcard, is_open, matches};

pub static RULE: Rule = Rule {
    name: "root-deny",
    refuses: "a service or resource control policy at the organization's root that denies everything, or \
              everything but some (`NotAction`), on every resource and without a condition that names \
              principals, accounts, tags or regions; to take the last policy from the root that allows \
              everything; the organization's resource policy if it denies everything like that; and what cannot be told before the apply. A policy whose targets are not known \
              counts as attached to the root",
    keys: &[],
    check,
};

const POLICY: &str = "aws_organizations_policy";
const ATTACHMENT: &str = "aws_organizations_policy_attachment";
const RESOURCE_POLICY: &str = "aws_organizations_resource_policy";
const SERVICE_CONTROL: &str = "SERVICE_CONTROL_POLICY";

/// AWS's own policies, which allow everything.
const ALLOWING: [&str; 2] = ["p-FullAWSAccess", "p-RCPFullAWSAccess"];

fn check(case: &Case) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for change in case.plan.managed().filter(|change| change.changes_aws()) {
        let reason = match change.resource_type.as_str() {
            POLICY => policy_problem(case, change),
            ATTACHMENT => attachment_problem(case, change),
            RESOURCE_POLICY => resource_policy_problem(case, change),
            _ => None,
        };
        findings.extend(reason.map(|reason| Finding::at(&change.address, reason)));
    }
    findings.extend(lost_allowance(case).into_iter().map(Finding::of_plan));
    findings
}

/// What is wrong with what becomes of a policy that is or may be at the root.
fn policy_problem(case: &Case, change: &ResourceChange) -> Option<String> {
    let before = change.text(Side::Before, "content");
    let is_new = change.change.before.is_null();
    if change.change.after.is_null() || is_new || !may_be_at_root(case, change) {
        return None;
    }
    if !is_control(change.text(Side::After, "type").unwrap_or(SERVICE_CONTROL)) {
        return None;
    }
    let Resolved::Text(after) = case.resolved(change, "content") else {
        return Some("what it denies at the root is only known after the apply".to_owned());
    };
    match denies_all(&after) {
        Err(problem) => Some(format!("its content cannot be judged: {problem}")),
        Ok(false) => None,
        Ok(true) if before.is_some_and(|before| denies_all(before) == Ok(true)) => None,
        Ok(true) => {
            Some("it is attached to the root, or may be, and would deny everything".to_owned())
        }
    }
}

/// What is wrong with whom the organization's own policy keeps from administering it.
fn resource_policy_problem(case: &Case, change: &ResourceChange) -> Option<String> {
    if change.change.after.is_null() {
        return None;
    }
    let Resolved::Text(after) = case.resolved(change, "content") else {
        return Some("what it denies is only known after the apply".to_owned());
    };
    let before = change.text(Side::Before, "content");
    let is_new = before.is_none_or(|before| denies_all(before) != Ok(true));
    match denies_all(&after) {
        Ok(true) if is_new => Some("it would deny everything".to_owned()),
        Ok(_) => None,
        Err(problem) => Some(format!("its content cannot be judged: {problem}")),
    }
}

/// Whether a policy that is there is attached to the root, or it is not known where it is.
fn may_be_at_root(case: &Case, change: &ResourceChange) -> bool {
    let id = change.text(Side::Before, "id").unwrap_or_default();
    let targets = case.exported.organizations_policy(id).and_then(|policy| policy.targets.as_ref());
    let is_attached = |attachment: &ResourceChange| {
        [Side::Before, Side::After].into_iter().any(|side| {
            attachment.text(side, "policy_id") == Some(id)
                && attachment.text(side, "target_id").is_some_and(is_root)
        })
    };
    targets.is_none_or(|targets| targets.iter().any(|target| is_root(target)))
        || attachments(case).any(is_attached)
}

fn attachments<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a ResourceChange> {
    case.plan.managed().filter(|change| change.resource_type == ATTACHMENT)
}

fn is_root(target: &str) -> bool {
    target.starts_with("r-")
}

fn is_control(policy_type: &str) -> bool {
    matches!(policy_type, SERVICE_CONTROL | "RESOURCE_CONTROL_POLICY")
}

/// What is wrong with attaching a policy.
fn attachment_problem(case: &Case, change: &ResourceChange) -> Option<String> {
    if !change.creates() {
        return None;
    }
    let unknown = |argument| {
        format!("`{argument}` is only known after the apply, so it may be the root that it locks")
    };
    match case.resolved(change, "target_id") {
        Resolved::Text(target) if !is_root(&target) => return None,
        Resolved::Text(_) => {}
        // A new account or unit is not the root.
        Resolved::Of(_) => return None,
        Resolved::Absent | Resolved::Unknown => {
            return Some(unknown("target_id"));
        }
    }
    let contents = match case.resolved(change, "policy_id") {
        Resolved::Absent | Resolved::Unknown => return Some(unknown("policy_id")),
        Resolved::Text(id) if ALLOWING.contains(&&*id) => return None,
        Resolved::Text(id) => vec![content_of(case, &id)],
        Resolved::Of(reference) => {
            let policies = case.instances(&reference.resource);
            policies.map(|policy| planned(case, policy)).collect()
        }
    };
    if contents.is_empty() {
        return Some(unknown("policy_id"));
    }
    contents.into_iter().find_map(|content| match content {
        None => Some("what the policy denies at the root is not known".to_owned()),
        Some(policy) if !is_control(&policy.policy_type) => None,
        Some(policy) => match denies_all(&policy.content) {
            Ok(false) => None,
            Ok(true) => Some("it attaches a policy to the root that denies everything".to_owned()),
            Err(problem) => Some(format!("the policy's content cannot be judged: {problem}")),
        },
    })
}

/// A policy as the plan leaves it, else as the export found it.
fn content_of(case: &Case, id: &str) -> Option<Attached> {
    match case.plan.managed().find(|change| is_policy(change, Side::After, id)) {
        Some(change) => planned(case, change),
        None => case.exported.organizations_policy(id).cloned(),
    }
}

fn planned(case: &Case, change: &ResourceChange) -> Option<Attached> {
    let Resolved::Text(content) = case.resolved(change, "content") else { return None };
    let policy_type = change.text(Side::After, "type").unwrap_or(SERVICE_CONTROL);
    Some(Attached {
        policy_type: policy_type.to_owned(),
        content: content.into_owned(),
        targets: None,
    })
}

/// What is said where a root that allowed everything by a service control policy would no more.
fn lost_allowance(case: &Case) -> Option<String> {
    // The policies at each root, before and after.
    let mut roots: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for (id, policy) in &case.exported.organizations {
        for target in policy.targets.iter().flatten().filter(|target| is_root(target)) {
            let (before, after) = roots.entry(target).or_default();
            before.insert(id);
            after.insert(id);
        }
    }
    // What Terraform lets go stays attached.
    let acts = |change: &&ResourceChange| change.action() != Action::Forget;
    for change in attachments(case).filter(acts) {
        if let Some((root, id)) = at_root(change, Side::Before) {
            let (before, after) = roots.entry(root).or_default();
            before.insert(id);
            after.remove(id);
        }
    }
    for change in attachments(case) {
        if let Some((root, id)) = at_root(change, Side::After) {
            roots.entry(root).or_default().1.insert(id);
        }
    }
    let locked = roots.into_iter().find(|(_, (before, after))| {
        let is_lost = |id: &&str| {
            allowed_before(case, id) && !(after.contains(*id) && allows(case, id) != Some(false))
        };
        before.iter().any(is_lost) && !after.iter().any(|id| allows(case, id) == Some(true))
    })?;
    Some(format!(
        "no policy that is known to allow everything would be left at the root `{}`",
        locked.0
    ))
}

/// The root that an attachment is about, and the policy.
fn at_root(change: &ResourceChange, side: Side) -> Option<(&str, &str)> {
    let target = change.text(side, "target_id").filter(|target| is_root(target))?;
    Some((target, change.text(side, "policy_id")?))
}

/// Whether a policy allows everything after the plan; none: nobody knows.
fn allows(case: &Case, id: &str) -> Option<bool> {
    let is_gone =
        case.plan.managed().any(|change| change.destroys() && is_policy(change, Side::Before, id));
    if is_gone {
        return Some(false);
    }
    match content_of(case, id) {
        Some(policy) => Some(policy.policy_type == SERVICE_CONTROL && allows_all(&policy.content)),
        None => (id == ALLOWING[0]).then_some(true),
    }
}

fn is_policy(change: &ResourceChange, side: Side, id: &str) -> bool {
    change.resource_type == POLICY && change.text(side, "id") == Some(id)
}

/// Whether a policy allowed everything before the plan, as far as anybody knows.
fn allowed_before(case: &Case, id: &str) -> bool {
    if let Some(change) = case.plan.managed().find(|change| is_policy(change, Side::Before, id)) {
        let content = change.text(Side::Before, "content").unwrap_or_default();
        let policy_type = change.text(Side::Before, "type").unwrap_or(SERVICE_CONTROL);
        return policy_type == SERVICE_CONTROL && allows_all(content);
    }
    match case.exported.organizations_policy(id) {
        Some(policy) => policy.policy_type == SERVICE_CONTROL && allows_all(&policy.content),
        None => id != ALLOWING[1],
    }
}

fn denies_all(content: &str) -> Result<bool, String> {
    Ok(statements(content)?.iter().any(denies))
}

fn denies(statement: &Statement) -> bool {
    let actions = statement.actions.as_deref().unwrap_or_default();
    let is_every_action = actions.iter().any(|action| is_every(action));
    !statement.is_allow
        && (is_every_action || statement.not_actions.is_some())
        && is_about_everything(statement)
        && !statement.conditions.iter().any(narrows)
}

fn is_about_everything(statement: &Statement) -> bool {
    let resources = statement.resources.as_deref().unwrap_or_default();
    statement.not_resources.is_some() || resources.iter().any(|pattern| is_every_resource(pattern))
}

/// `*`, and `*:*`.
fn is_every(pattern: &str) -> bool {
    pattern.split(':').all(is_open)
}

/// Whether a condition leaves somebody or something alone for sure.
fn narrows(condition: &Condition) -> bool {
    let key = condition.key.as_str();
    let is_tag = ["aws:principaltag/", "aws:resourcetag/", "aws:requesttag/"]
        .iter()
        .any(|tag| key.starts_with(tag));
    let names_few = match key {
        // A role of nobody in particular.
        "aws:principalarn" => |value: &str| !matches(value, "arn:aws:iam::111122223333:role/x/y"),
        "aws:principalaccount" | "aws:sourceaccount" | "aws:resourceaccount" => {
            |value: &str| !has_wildcard(value)
        }
        "aws:requestedregion" => |value: &str| !is_open(value),
        _ if is_tag => |value: &str| !is_open(value),
        _ => return false,
    };
    let operator = condition.operator.strip_prefix("foranyvalue:").unwrap_or(&condition.operator);
    let is_positive = matches!(
        operator,
        "stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike"
    );
    let is_region = key == "aws:requestedregion"
        && matches!(operator, "stringnotequals" | "stringnotequalsignorecase" | "stringnotlike");
    (is_positive || is_region) && condition.values.iter().all(|value| names_few(value))
}

fn allows_all(content: &str) -> bool {
    let Ok(statements) = statements(content) else { return false };
    statements.iter().any(|statement| {
        let covers = |patterns: &Option<Vec<String>>| {
            patterns.iter().flatten().any(|pattern| is_every(pattern))
        };
        statement.is_allow
            && statement.conditions.is_empty()
            && covers(&statement.actions)
            && covers(&statement.resources)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{change, findings_with, plan};
    use super::*;
    use crate::plan_guard::exported::Exported;
    use crate::settings::guard::GuardSettings;
    use serde_json::{Value, json};

    const ROOT: &str = "r-ab12";
    const DENY: &str = r#"{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    const ALLOW: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    const LITTLE: &str = r#"{"Statement":[{"Effect":"Deny","Action":"s3:x","Resource":"*"}]}"#;

    fn exported_as(
        id: &str,
        policy_type: &str,
        content: &str,
        targets: Option<&[&str]>,
    ) -> Exported {
        let policy = Attached {
            policy_type: policy_type.to_owned(),
            content: content.to_owned(),
            targets: targets.map(|of| of.iter().map(|one| (*one).to_owned()).collect()),
        };
        Exported::default().with_organizations_policy(id, policy)
    }

    fn exported(content: &str, targets: Option<&[&str]>) -> Exported {
        exported_as("p-1", SERVICE_CONTROL, content, targets)
    }

    /// The root's usual policies.
    fn full(of: Exported) -> Exported {
        let policy = Attached {
            policy_type: SERVICE_CONTROL.to_owned(),
            content: ALLOW.to_owned(),
            targets: Some(vec![ROOT.to_owned()]),
        };
        of.with_organizations_policy("p-FullAWSAccess", policy)
    }

    #[test]
    fn resource_policy_that_denies_everything_is_refused() {
        let found = |before: Value, after: Value| {
            let action = if before.is_null() { "create" } else { "update" };
            let changed = change(RESOURCE_POLICY, &[action], before, after);
            findings_with(&RULE, &plan([changed]), &GuardSettings::default(), &Exported::default())
        };
        let policy = |content: &str| json!({ "content": content });
        let principals = DENY.replace(r#""Deny","#, r#""Deny","Principal":"*","#);
        for before in [Value::Null, policy(LITTLE)] {
            let said = found(before.clone(), policy(&principals));
            assert_eq!(said, ["aws_organizations_resource_policy.x: it would deny everything"]);
            assert!(found(before, policy(LITTLE)).is_empty());
        }
        assert!(found(policy(DENY), policy(&principals)).is_empty());
        assert_eq!(found(policy(LITTLE), policy("broken")).len(), 1);
        let mut unknown = change(RESOURCE_POLICY, &["create"], Value::Null, json!({}));
        unknown["change"]["after_unknown"] = json!({ "content": true });
        let settings = GuardSettings::default();
        assert_eq!(
            findings_with(&RULE, &plan([unknown]), &settings, &Exported::default()).len(),
            1
        );
    }

    fn policy(content: &str) -> Value {
        json!({ "id": "p-1", "name": "x", "type": SERVICE_CONTROL, "content": content })
    }

    fn attachment(target: &str, policy: &str) -> Value {
        json!({ "target_id": target, "policy_id": policy })
    }

    fn found(changes: &[Value], exported: &Exported) -> Vec<String> {
        findings_with(&RULE, &plan(changes.iter().cloned()), &GuardSettings::default(), exported)
    }

    #[track_caller]
    fn assert_found(changes: &[Value], exported: &Exported, saying: &str) {
        let found = found(changes, exported);
        assert!(found.len() == 1 && found[0].contains(saying), "{saying}: {found:?}");
    }

    #[track_caller]
    fn assert_nothing(changes: &[Value], exported: &Exported) {
        assert_eq!(found(changes, exported), Vec::<String>::new());
    }

    fn updated(before: &str, after: &str) -> Value {
        change(POLICY, &["update"], policy(before), policy(after))
    }

    fn attached(target: &str, policy: &str) -> Value {
        change(ATTACHMENT, &["create"], Value::Null, attachment(target, policy))
    }

    fn detached(target: &str, policy: &str) -> Value {
        change(ATTACHMENT, &["delete"], attachment(target, policy), Value::Null)
    }

    #[test]
    fn denying_everything_is_seen_in_every_spelling() {
        for statement in [
            r#""Action":"*","Resource":"*""#,
            r#""action":["s3:x","*:*"],"resource":["**"]"#,
            r#""Action":"*","Resource":"arn:*:*:*:*:*""#,
            r#""Action":"*","Resource":"arn:aws:*""#,
            r#""Action":"*","Resource":"arn:aws:*:*:*:*""#,
            r#""NotAction":[],"Resource":"*""#,
            r#""NotAction":["iam:*"],"Resource":"*""#,
            r#""Action":"*","NotResource":"arn:aws:s3:::x""#,
            r#""Action":"*","Resource":"*","Condition":{}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalArn":"*"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":["arn:aws:iam::*:root","arn:*:role/*"]}}"#,
            r#""Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalAccount":"1*"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringLike":{"aws:RequestedRegion":"*"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalTag/x":"*"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/x":"y"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#,
        ] {
            let content = format!(r#"{{"Statement":[{{"Effect":"Deny",{statement}}}]}}"#);
            assert_eq!(denies_all(&content), Ok(true), "{statement}");
        }
        for statement in [
            r#""Action":"s3:*","Resource":"*""#,
            r#""Action":"*","Resource":"arn:aws:s3:::x""#,
            r#""Resource":"*""#,
            r#""Action":"*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"ForAnyValue:ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/team-*"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceAccount":"111122223333"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-west-1"]}}"#,
            r#""NotAction":["iam:*"],"Resource":"*","Condition":{"StringNotLike":{"aws:RequestedRegion":"eu-*"}}"#,
            r#""NotAction":["iam:*"],"Resource":"*","Condition":{"StringNotEqualsIgnoreCase":{"aws:RequestedRegion":"eu-west-1"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringEqualsIgnoreCase":{"aws:PrincipalTag/x":"y"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/x":"y"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/x":"y"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"Bool":{"aws:x":"y"},"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::1:role/x"}}"#,
        ] {
            let content = format!(r#"{{"Statement":[{{"Effect":"Deny",{statement}}}]}}"#);
            assert_eq!(denies_all(&content), Ok(false), "{statement}");
        }
        assert_eq!(denies_all(ALLOW), Ok(false));
        assert!(denies_all("broken").is_err());
    }

    #[test]
    fn allowing_everything_takes_all_of_it() {
        assert!(allows_all(ALLOW));
        assert!(!allows_all(DENY) && !allows_all("broken") && !allows_all("{}"));
        for (from, to) in [
            (r#""Action":"*""#, r#""Action":"s3:*""#),
            (r#""Resource":"*""#, r#""Resource":"arn:aws:s3:::x""#),
            (r#""Resource":"*""#, r#""Resource":"*","Condition":{"Bool":{"a":"b"}}"#),
        ] {
            assert!(!allows_all(&ALLOW.replace(from, to)), "{to}");
        }
    }

    #[test]
    fn policy_at_the_root_must_not_come_to_deny_everything() {
        let at_root = full(exported(LITTLE, Some(&["ou-1", ROOT])));
        assert_found(
            &[updated(LITTLE, DENY)],
            &at_root,
            "aws_organizations_policy.x: it is attached to the root",
        );
        assert_nothing(&[updated(LITTLE, LITTLE)], &at_root);
        assert_nothing(&[updated(DENY, DENY)], &at_root);
        assert_found(&[updated("broken", DENY)], &at_root, "would deny everything");
        assert_found(&[updated(LITTLE, "broken")], &at_root, "cannot be judged");
        assert_nothing(&[updated(LITTLE, DENY)], &full(exported(LITTLE, Some(&["ou-1"]))));
        assert_found(&[updated(LITTLE, DENY)], &full(exported(LITTLE, None)), "or may be");
        assert_found(&[updated(LITTLE, DENY)], &full(Exported::default()), "or may be");
        assert_nothing(
            &[change(POLICY, &["create"], Value::Null, policy(DENY))],
            &full(Exported::default()),
        );
        assert_nothing(&[change(POLICY, &["delete"], policy(DENY), Value::Null)], &at_root);
        assert_nothing(&[change(POLICY, &["no-op"], policy(LITTLE), policy(DENY))], &at_root);
        let mut unknown = updated(LITTLE, LITTLE);
        unknown["change"]["after_unknown"] = json!({ "content": true });
        assert_found(&[unknown], &at_root, "only known after the apply");
        for (policy_type, count) in [("TAG_POLICY", 0), ("RESOURCE_CONTROL_POLICY", 1)] {
            let mut other = updated(LITTLE, DENY);
            other["change"]["after"]["type"] = json!(policy_type);
            assert_eq!(found(&[other], &at_root).len(), count, "{policy_type}");
        }
        let mut typeless = updated(LITTLE, DENY);
        typeless["change"]["after"]["type"] = Value::Null;
        assert_eq!(found(&[typeless], &at_root).len(), 1);
    }

    #[test]
    fn attachments_in_the_plan_say_where_a_policy_is() {
        let elsewhere = full(exported(LITTLE, Some(&["ou-1"])));
        let still = |target: &str, policy: &str| {
            change(ATTACHMENT, &["no-op"], attachment(target, policy), attachment(target, policy))
        };
        assert_found(
            &[updated(LITTLE, DENY), still(ROOT, "p-1")],
            &elsewhere,
            "it is attached to the root",
        );
        assert_nothing(&[updated(LITTLE, DENY), still("ou-2", "p-1")], &elsewhere);
        assert_nothing(&[updated(LITTLE, DENY), still(ROOT, "p-2")], &elsewhere);
        let both = found(&[updated(LITTLE, DENY), attached(ROOT, "p-1")], &elsewhere);
        assert_eq!(both.len(), 2, "{both:?}");
    }

    #[test]
    fn attaching_to_the_root_looks_into_the_policy() {
        let of = |content: &str| full(exported(content, Some(&[])));
        assert_found(
            &[attached(ROOT, "p-1")],
            &of(DENY),
            "aws_organizations_policy_attachment.x: it attaches a policy to the root",
        );
        assert_nothing(&[attached(ROOT, "p-1")], &of(LITTLE));
        assert_nothing(&[attached("ou-1", "p-1")], &of(DENY));
        assert_nothing(&[attached("111122223333", "p-1")], &of(DENY));
        assert_found(&[attached(ROOT, "p-1")], &of("broken"), "cannot be judged");
        assert_found(&[attached(ROOT, "p-2")], &of(LITTLE), "is not known");
        for own in ALLOWING {
            assert_nothing(&[attached(ROOT, own)], &Exported::default());
        }
        let tags = full(exported_as("p-1", "TAG_POLICY", DENY, Some(&[])));
        assert_nothing(&[attached(ROOT, "p-1")], &tags);
        let rcp = full(exported_as("p-1", "RESOURCE_CONTROL_POLICY", DENY, Some(&[])));
        assert_found(&[attached(ROOT, "p-1")], &rcp, "denies everything");
        let moved = change(
            ATTACHMENT,
            &["delete", "create"],
            attachment("ou-1", "p-1"),
            attachment(ROOT, "p-1"),
        );
        assert_found(&[moved], &of(DENY), "it attaches");
        // What the plan says counts more than what the export found.
        let planned = change(POLICY, &["no-op"], policy(DENY), policy(DENY));
        assert_found(&[planned.clone(), attached(ROOT, "p-1")], &of(LITTLE), "it attaches");
    }

    #[test]
    fn attachments_that_only_the_apply_tells_are_refused_or_looked_up() {
        let full = full(Exported::default());
        let unknown = |argument: &str| {
            let mut found = attached(ROOT, "p-1");
            found["change"]["after"][argument] = Value::Null;
            found["change"]["after_unknown"] = json!({ argument: true });
            found
        };
        assert_found(&[unknown("target_id")], &full, "`target_id` is only known");
        assert_found(&[unknown("policy_id")], &full, "`policy_id` is only known");
        let mut absent = attached(ROOT, "p-1");
        absent["change"]["after"]["policy_id"] = Value::Null;
        assert_found(&[absent.clone()], &full, "`policy_id` is only known");
        absent["change"]["after"]["target_id"] = Value::Null;
        assert_found(&[absent], &full, "`target_id` is only known");
        let made = |content: &str| {
            let mut made = change(POLICY, &["create"], Value::Null, policy(content));
            made["change"]["after"]["id"] = Value::Null;
            made
        };
        let referring = |source: &str| {
            super::tests::full(Exported::default().with_reference(
                &format!("{ATTACHMENT}.x"),
                "policy_id",
                source,
            ))
        };
        let own = referring("aws_organizations_policy.x.id");
        assert_nothing(&[unknown("policy_id"), made(LITTLE)], &own);
        assert_found(&[unknown("policy_id"), made(DENY)], &own, "it attaches a policy");
        assert_found(&[unknown("policy_id")], &own, "`policy_id` is only known");
        assert_found(
            &[unknown("policy_id"), made(LITTLE)],
            &referring("aws_organizations_policy.x.name"),
            "`policy_id` is only",
        );
        let mut hidden = made(LITTLE);
        hidden["change"]["after_unknown"] = json!({ "content": true });
        assert_found(&[unknown("policy_id"), hidden], &own, "is not known");
    }

    #[test]
    fn last_policy_that_allows_stays_at_the_root() {
        let lost = "would be left at the root `r-ab12`";
        let full_access = "p-FullAWSAccess";
        assert_found(&[detached(ROOT, full_access)], &full(Exported::default()), lost);
        assert_found(&[detached(ROOT, full_access)], &Exported::default(), lost);
        assert_nothing(&[detached("ou-1", full_access)], &full(Exported::default()));
        assert_nothing(&[detached(ROOT, full_access)], &full(exported(ALLOW, Some(&[ROOT]))));
        assert_nothing(&[detached(ROOT, "p-1")], &full(exported(LITTLE, Some(&[ROOT]))));
        assert_found(&[detached(ROOT, full_access)], &full(exported(LITTLE, Some(&[ROOT]))), lost);
        // What did not allow anything is not missed.
        assert_nothing(&[detached(ROOT, "p-1")], &exported(LITTLE, Some(&[ROOT])));
        assert_found(&[detached(ROOT, "p-2")], &exported(LITTLE, Some(&[ROOT])), lost);
        assert_nothing(&[detached(ROOT, ALLOWING[1])], &exported(LITTLE, Some(&[ROOT])));
        let still = |content: &str| change(POLICY, &["no-op"], policy(content), policy(content));
        let nothing = Exported::default();
        assert_nothing(&[detached(ROOT, "p-1"), still(LITTLE)], &nothing);
        assert_found(&[detached(ROOT, "p-1"), still(ALLOW)], &nothing, lost);
        let rcp = exported_as("p-1", "RESOURCE_CONTROL_POLICY", ALLOW, Some(&[ROOT]));
        assert_found(&[detached(ROOT, full_access)], &full(rcp), lost);
        // Another one comes in its place.
        let mut instead = attached(ROOT, "p-1");
        instead["address"] = json!("aws_organizations_policy_attachment.y");
        assert_nothing(&[detached(ROOT, full_access), instead], &full(exported(ALLOW, Some(&[]))));
        let moved = change(
            ATTACHMENT,
            &["delete", "create"],
            attachment(ROOT, full_access),
            attachment("ou-1", full_access),
        );
        assert_found(&[moved], &full(Exported::default()), lost);
        let again = change(
            ATTACHMENT,
            &["delete", "create"],
            attachment(ROOT, full_access),
            attachment(ROOT, full_access),
        );
        assert_nothing(&[again], &full(Exported::default()));
    }

    #[test]
    fn policies_are_told_apart_by_id_and_type() {
        let other = |content: &str| {
            let mut other = change(POLICY, &["no-op"], policy(content), policy(content));
            for side in ["before", "after"] {
                other["change"][side]["id"] = json!("p-9");
            }
            other
        };
        // The first policy of the plan is another one.
        let little = full(exported(LITTLE, Some(&[ROOT])));
        assert_nothing(&[other(DENY), attached(ROOT, "p-1")], &little);
        let alone = exported(LITTLE, Some(&[ROOT]));
        assert_nothing(&[other(ALLOW), detached(ROOT, "p-1")], &alone);
        // Something that is no policy has the same ID.
        let mut user = change("aws_iam_user", &["delete"], policy(ALLOW), policy(ALLOW));
        assert_nothing(&[user.clone(), detached(ROOT, "p-1")], &alone);
        let allowing = exported(ALLOW, Some(&[ROOT]));
        assert_nothing(&[user.clone()], &allowing);
        user["change"]["after"] = policy(DENY);
        assert_nothing(&[user, attached(ROOT, "p-1")], &little);
        // A policy that goes is not the one that allows.
        let gone =
            change(POLICY, &["delete"], other(ALLOW)["change"]["before"].clone(), Value::Null);
        assert_nothing(&[gone], &allowing);
    }

    #[test]
    fn what_stays_as_it_is_is_not_missed() {
        let still = |policy: &str| {
            change(ATTACHMENT, &["no-op"], attachment(ROOT, policy), attachment(ROOT, policy))
        };
        assert_nothing(&[still("p-2")], &Exported::default());
        assert_nothing(&[still("p-FullAWSAccess")], &Exported::default());
        // AWS's own policy allows everything, also where no export has it.
        let own = "p-FullAWSAccess";
        let allowing = exported(ALLOW, Some(&[ROOT]));
        assert_nothing(&[still(own), detached(ROOT, "p-1")], &allowing);
        assert_found(&[still("p-2"), detached(ROOT, "p-1")], &allowing, "would be left");
        let forgotten =
            change(ATTACHMENT, &["forget"], attachment(ROOT, "p-FullAWSAccess"), Value::Null);
        assert_nothing(&[forgotten], &full(Exported::default()));
        // At a unit, Terraform knows of an attachment and the export of none.
        assert_nothing(&[detached("ou-1", "p-2")], &full(Exported::default()));
        assert_nothing(&[], &exported(ALLOW, Some(&["ou-1"])));
    }

    #[test]
    fn only_allowing_policy_must_go_on_allowing() {
        let alone = exported(ALLOW, Some(&[ROOT]));
        let lost = "would be left at the root `r-ab12`";
        assert_found(&[updated(ALLOW, LITTLE)], &alone, lost);
        assert_nothing(&[updated(ALLOW, ALLOW)], &alone);
        assert_nothing(&[updated(ALLOW, LITTLE)], &full(exported(ALLOW, Some(&[ROOT]))));
        assert_nothing(&[updated(ALLOW, LITTLE)], &exported(ALLOW, Some(&["ou-1"])));
        let gone = change(POLICY, &["delete"], policy(ALLOW), Value::Null);
        assert_found(&[gone], &alone, lost);
        let replaced = change(POLICY, &["delete", "create"], policy(ALLOW), policy(ALLOW));
        assert_found(&[replaced], &alone, lost);
    }

    #[test]
    fn other_resources_do_not_count() {
        let other = change("aws_iam_policy", &["update"], policy(LITTLE), policy(DENY));
        assert_nothing(&[other], &Exported::default());
    }
}
