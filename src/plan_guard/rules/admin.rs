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
use crate::policy_document::Dialect;
use crate::resource::resource_type;

pub static RULE: Rule = Rule {
    name: "admin",
    refuses: "to grant anew, on every resource, every action, every action but some (`NotAction`), or those \
              of IAM by which one gives oneself the rest (to attach and put policies of users, groups and \
              roles, and new versions of policies): by a document, by attaching such a policy or AWS's \
              `AdministratorAccess`, `IAMFullAccess` or `PowerUserAccess`, by joining a group or by the \
              assignment of a permission set that has such; to make an account the delegated \
              administrator of a service; and documents, attached policies, groups and permission sets \
              that cannot be told before the apply",
    keys: &[],
    check,
};

/// Arguments with the ARNs of policies that are attached.
const ATTACHED: [&str; 4] =
    ["managed_policy_arn", "managed_policy_arns", "policy_arn", "policy_arns"];

/// Policies of each account that are attached by name.
const BY_NAME: &str = "customer_managed_policy_reference";

/// Arguments that say whom policies are attached to.
const HOLDERS: [&str; 11] = [
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
    "permission_set_arn",
];

const ASSIGNMENT: &str = "aws_ssoadmin_account_assignment";
const PERMISSION_SET: &str = "aws_ssoadmin_permission_set";

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
        let reasons = [documents, attachments, joins, assignments].map(|found| found(case, change));
        let delegated = delegation(change).into_iter();
        reasons
            .into_iter()
            .flatten()
            .chain(delegated)
            .map(move |reason| Finding::at(&change.address, reason))
    });
    reasons.collect()
}

fn documents(case: &Case, change: &ResourceChange) -> Vec<String> {
    let kind = change.resource_type.as_str();
    if kind == "aws_iam_role" {
        return inline(case, change);
    }
    let Some((argument, owner)) = identity_policy(kind) else { return Vec::new() };
    let is_same = change.text(Side::Before, owner) == change.text(Side::After, owner);
    let before = change.text(Side::Before, argument).filter(|_| is_same);
    match case.resolved(change, argument) {
        Resolved::Text(document) => anew(before, &document),
        Resolved::Absent => Vec::new(),
        Resolved::Of(_) | Resolved::Unknown => vec![unknown(argument)],
    }
}

/// The argument that is an identity policy, and the one that says whom it is for.
fn identity_policy(kind: &str) -> Option<(&'static str, &'static str)> {
    let is_for_identities = kind.starts_with("aws_iam_") || kind.starts_with("aws_ssoadmin_");
    let (_, exported) = resource_type(kind).filter(|_| is_for_identities)?;
    match exported.document {
        Some((argument, Dialect::Iam)) => Some((argument, exported.owner.unwrap_or("name"))),
        _ => None,
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
    if change.is_unknown(BY_NAME) {
        reasons.push(unknown(BY_NAME));
        return reasons;
    }
    let before = if is_same { named(change.side(Side::Before)) } else { Vec::new() };
    let new = named(change.side(Side::After)).into_iter().filter(|policy| !before.contains(policy));
    reasons.extend(new.filter_map(|policy| attached_by_name(case, &policy)));
    reasons
}

/// Path and name of policies that are attached by name: `/team/x`.
fn named(values: &Value) -> Vec<String> {
    let references = values.get(BY_NAME).and_then(Value::as_array);
    let text = |of: &Value, member: &str| of.get(member).and_then(Value::as_str).map(str::to_owned);
    let name = |of: &Value| {
        let path = text(of, "path").filter(|path| !path.is_empty()).unwrap_or("/".to_owned());
        format!("{path}{}", text(of, "name").unwrap_or_default())
    };
    references.into_iter().flatten().map(name).collect()
}

/// What is wrong with attaching what goes by this path and name in each account. What it is in other
/// accounts than this nobody here knows.
fn attached_by_name(case: &Case, policy: &str) -> Option<String> {
    let end = format!(":policy{policy}");
    let is_it = |change: &&ResourceChange| {
        change.resource_type == "aws_iam_policy" && {
            let path = change.text(Side::After, "path").unwrap_or("/");
            format!("{path}{}", change.text(Side::After, "name").unwrap_or_default()) == policy
        }
    };
    if let Some(change) = case.plan.managed().find(is_it) {
        return match change.text(Side::After, "policy") {
            Some(document) => problem_of(document).map(|problem| format!("`{policy}`: {problem}")),
            None => Some(format!("what `{policy}` grants is only known after the apply")),
        };
    }
    match case.exported.policies.keys().find(|arn| arn.ends_with(&end)) {
        Some(arn) => attached(case, arn),
        None => Some(format!("what `{policy}` grants is not known: no raw JSON has it")),
    }
}

/// What is wrong with the groups that users join.
fn joins(case: &Case, change: &ResourceChange) -> Vec<String> {
    let (user, list) = match change.resource_type.as_str() {
        "aws_iam_user_group_membership" => ("user", "groups"),
        "aws_iam_group_membership" => ("group", "users"),
        _ => return Vec::new(),
    };
    if change.is_unknown(list) || change.is_unknown(user) {
        return vec!["who joins which group is only known after the apply".to_owned()];
    }
    let is_same = change.text(Side::Before, user) == change.text(Side::After, user);
    let before = if is_same { texts(change.side(Side::Before).get(list)) } else { Vec::new() };
    let after = texts(change.side(Side::After).get(list)).into_iter();
    let mut new = after.filter(|joining| !before.contains(joining)).peekable();
    let groups: Vec<&str> = match list {
        "groups" => new.collect(),
        _ => new.peek().and_then(|_| change.text(Side::After, user)).into_iter().collect(),
    };
    let problem = |group: &str| {
        let problem = group_problem(case, group)?;
        Some(format!("somebody joins the group `{group}`, and {problem}"))
    };
    groups.into_iter().filter_map(problem).collect()
}

/// What is wrong with having what a group has. What the plan gives it besides has a finding of its
/// own.
fn group_problem(case: &Case, group: &str) -> Option<String> {
    let names = |side: &Value, argument: &str| {
        side.get(argument).and_then(Value::as_str).is_some_and(|of| of.eq_ignore_ascii_case(group))
    };
    let exported = case.exported.group(group);
    let in_plan = |change: &ResourceChange| {
        change.resource_type == "aws_iam_group" && names(change.side(Side::After), "name")
    };
    if exported.is_none() && !case.plan.managed().any(in_plan) {
        return Some("what it grants is not known: no raw JSON has it".to_owned());
    }
    let hanging = case.plan.managed().filter(|of| names(of.side(Side::After), "group"));
    let of_plan = hanging.filter_map(|of| match of.resource_type.as_str() {
        "aws_iam_group_policy" => problem_of(of.text(Side::After, "policy")?),
        "aws_iam_group_policy_attachment" => attached(case, of.text(Side::After, "policy_arn")?),
        _ => None,
    });
    let documents = exported.iter().flat_map(|group| &group.documents);
    let arns = exported.iter().flat_map(|group| &group.attached);
    let of_export =
        documents.filter_map(|of| problem_of(of)).chain(arns.filter_map(|arn| attached(case, arn)));
    of_plan.chain(of_export).next()
}

/// What is wrong with the permission set that somebody is assigned.
fn assignments(case: &Case, change: &ResourceChange) -> Vec<String> {
    if change.resource_type != ASSIGNMENT || !change.creates() {
        return Vec::new();
    }
    let argument = "permission_set_arn";
    // What a change is about: an ARN, or the permission set that the source refers to.
    let about = |change: &ResourceChange| match case.resolved(change, argument) {
        Resolved::Text(arn) => Some((arn.into_owned(), String::new())),
        Resolved::Of(reference) => Some((String::new(), reference.resource.clone())),
        Resolved::Absent | Resolved::Unknown => None,
    };
    let Some((arn, resource)) = about(change) else { return vec![unknown(argument)] };
    let is_set = |of: &&ResourceChange| {
        of.resource_type == PERMISSION_SET
            && (of.resource() == resource || of.text(Side::After, "arn") == Some(arn.as_str()))
    };
    let sets: Vec<&ResourceChange> = case.plan.managed().filter(is_set).collect();
    if sets.is_empty() {
        return vec!["what the permission set grants is not known: no Terraform has it".to_owned()];
    }
    let arns: Vec<&str> = sets.iter().filter_map(|set| set.text(Side::After, "arn")).collect();
    let resources: Vec<String> = sets.iter().map(|set| set.resource()).collect();
    let is_part = |of: &&ResourceChange| {
        of.resource_type != ASSIGNMENT
            && !of.change.after.is_null()
            && about(of).is_some_and(|(arn, resource)| {
                arns.contains(&arn.as_str()) || resources.contains(&resource)
            })
    };
    let problem = |part: &ResourceChange| {
        let document = identity_policy(&part.resource_type)
            .and_then(|(argument, _)| part.text(Side::After, argument))
            .and_then(problem_of);
        let after = part.side(Side::After);
        let mut by_arn = ATTACHED.iter().flat_map(|argument| texts(after.get(argument)));
        let arn = || by_arn.find_map(|arn| attached(case, arn));
        let name = || named(after).iter().find_map(|name| attached_by_name(case, name));
        document.or_else(arn).or_else(name)
    };
    let found = case.plan.managed().filter(is_part).find_map(problem);
    found
        .map(|problem| format!("its permission set is no small thing: {problem}"))
        .into_iter()
        .collect()
}

/// Who administers a service for the whole organization may do in every account what the service may.
fn delegation(change: &ResourceChange) -> Option<String> {
    let is_new =
        change.resource_type == "aws_organizations_delegated_administrator" && change.creates();
    let service = change.text(Side::After, "service_principal").unwrap_or("a service");
    is_new.then(|| format!("it makes an account the organization's administrator of `{service}`"))
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

    const SET: &str = "arn:aws:sso:::permissionSet/ssoins-1/ps-1";
    const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
    const READER: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

    fn found(changes: impl IntoIterator<Item = Value>, exported: &Exported) -> Vec<String> {
        findings_with(&RULE, &plan(changes), &GuardSettings::default(), exported)
    }

    #[test]
    fn permission_sets_are_given_nothing_of_it() {
        let inline =
            |document: &str| json!({ "permission_set_arn": SET, "inline_policy": document });
        let kind = "aws_ssoadmin_permission_set_inline_policy";
        let wide = change(kind, &["create"], Value::Null, inline(&everything()));
        assert_refused(&RULE, &plan([wide]), "every action on every resource");
        let little = allow(r#""Action":"s3:*","Resource":"*""#);
        assert_passed(&RULE, &plan([change(kind, &["create"], Value::Null, inline(&little))]));
        let widened = change(kind, &["update"], inline(&little), inline(&everything()));
        assert_refused(&RULE, &plan([widened]), "every action on every resource");
        let kind = "aws_ssoadmin_managed_policy_attachment";
        let attached = |arn: &str| json!({ "permission_set_arn": SET, "managed_policy_arn": arn });
        let administrator = change(kind, &["create"], Value::Null, attached(ADMINISTRATOR));
        assert_refused(&RULE, &plan([administrator]), "it attaches AWS's `AdministratorAccess`");
        let reader = change(kind, &["create"], Value::Null, attached(READER));
        assert_passed(&RULE, &plan([reader]));
    }

    #[test]
    fn policies_by_name_are_those_of_this_account() {
        let attached = |path: Value, name: &str| {
            let reference = json!([{ "name": name, "path": path }]);
            let values = json!({ "permission_set_arn": SET, BY_NAME: reference });
            change(
                "aws_ssoadmin_customer_managed_policy_attachment",
                &["create"],
                Value::Null,
                values,
            )
        };
        let exported = Exported::default()
            .with_policy("arn:aws:iam::1:policy/team/all", &everything())
            .with_policy("arn:aws:iam::1:policy/some", &allow(r#""Action":"s3:*","Resource":"*""#));
        assert!(found([attached(json!("/"), "some")], &exported).is_empty());
        assert!(found([attached(Value::Null, "some")], &exported).is_empty());
        for (path, name, saying) in [
            ("/team/", "all", "every action on every resource"),
            ("/", "all", "no raw JSON has it"),
            ("/", "ome", "no raw JSON has it"),
        ] {
            let said = found([attached(json!(path), name)], &exported);
            assert!(said.len() == 1 && said[0].contains(saying), "{path}{name}: {said:?}");
        }
        let mut unknown = attached(json!("/"), "some");
        unknown["change"]["after_unknown"] = json!({ BY_NAME: [{ "name": true }] });
        assert_eq!(found([unknown], &exported).len(), 1);
        let planned = change("aws_iam_policy", &["no-op"], Value::Null, {
            let mut policy = policy(&everything());
            policy["path"] = json!("/");
            policy
        });
        let said = found([attached(json!("/"), "x"), planned], &exported);
        assert!(said.len() == 1 && said[0].contains("`/x`: it grants every action"), "{said:?}");
    }

    #[test]
    fn assignments_give_what_the_permission_set_has() {
        let set =
            change("aws_ssoadmin_permission_set", &["no-op"], Value::Null, json!({ "arn": SET }));
        let values = |set: &str, principal: &str| json!({ "permission_set_arn": set, "principal_id": principal, "target_id": "222" });
        let assigned = |set: &str| change(ASSIGNMENT, &["create"], Value::Null, values(set, "p"));
        let attached = |arn: &str| {
            let values = json!({ "permission_set_arn": SET, "managed_policy_arn": arn });
            change("aws_ssoadmin_managed_policy_attachment", &["no-op"], values.clone(), values)
        };
        let inline = |document: &str| {
            let values = json!({ "permission_set_arn": SET, "inline_policy": document });
            change("aws_ssoadmin_permission_set_inline_policy", &["no-op"], values.clone(), values)
        };
        let nothing = Exported::default();
        assert!(found([set.clone(), assigned(SET), attached(READER)], &nothing).is_empty());
        for part in [attached(ADMINISTRATOR), inline(&everything())] {
            let said = found([set.clone(), assigned(SET), part.clone()], &nothing);
            assert!(said.len() == 1 && said[0].contains("no small thing"), "{said:?}");
            let replaced =
                change(ASSIGNMENT, &["delete", "create"], values(SET, "p"), values(SET, "q"));
            assert_eq!(found([set.clone(), replaced, part.clone()], &nothing).len(), 1);
            for action in ["delete", "no-op"] {
                let other = change(ASSIGNMENT, &[action], values(SET, "p"), Value::Null);
                assert!(found([set.clone(), other, part.clone()], &nothing).is_empty());
            }
            let other = format!("{SET}2");
            let other_set =
                change(PERMISSION_SET, &["no-op"], Value::Null, json!({ "arn": other }));
            assert!(found([other_set, assigned(&other), part], &nothing).is_empty());
        }
        let said = found([assigned(SET)], &nothing);
        assert!(said.len() == 1 && said[0].contains("is not known: no Terraform"), "{said:?}");

        // A permission set of the same plan, by reference.
        let mut new = change(PERMISSION_SET, &["create"], Value::Null, json!({ "name": "x" }));
        new["change"]["after_unknown"] = json!({ "arn": true });
        let mut by_reference = assigned(SET);
        let mut part = attached(ADMINISTRATOR);
        for change in [&mut by_reference, &mut part] {
            change["change"]["after"]["permission_set_arn"] = Value::Null;
            change["change"]["after_unknown"] = json!({ "permission_set_arn": true });
        }
        let said = found([new.clone(), by_reference.clone()], &nothing);
        assert!(said.len() == 1 && said[0].contains("after the apply"), "{said:?}");
        let reference = "aws_ssoadmin_permission_set.x.arn";
        let known = Exported::default()
            .with_reference(&format!("{ASSIGNMENT}.x"), "permission_set_arn", reference)
            .with_reference(
                "aws_ssoadmin_managed_policy_attachment.x",
                "permission_set_arn",
                reference,
            );
        assert!(found([new.clone(), by_reference.clone()], &known).is_empty());
        assert_eq!(found([new, by_reference, part], &known).len(), 1);
    }

    #[test]
    fn who_joins_a_group_gets_what_it_has() {
        let kind = "aws_iam_user_group_membership";
        let member = |groups: &[&str]| json!({ "user": "alice", "groups": groups });
        let joins = |groups: &[&str]| change(kind, &["create"], Value::Null, member(groups));
        let exported = Exported::default()
            .with_group("Admins", &[], &[ADMINISTRATOR])
            .with_group("inline", &[&everything()], &[])
            .with_group("readers", &[&allow(r#""Action":"s3:*","Resource":"*""#)], &[READER])
            .with_group("strange", &[], &["arn:aws:iam::1:policy/unknown"]);
        assert!(found([joins(&["readers"])], &exported).is_empty());
        for (group, saying) in [
            ("admins", "`admins`, and it attaches AWS's `AdministratorAccess`"),
            ("inline", "it grants every action"),
            ("strange", "is not known"),
            ("other", "no raw JSON has it"),
        ] {
            let said = found([joins(&["readers", group])], &exported);
            assert!(said.len() == 1 && said[0].contains(saying), "{group}: {said:?}");
        }
        // Who is in it already does not join; who takes another's place does.
        let stays = change(kind, &["update"], member(&["admins"]), member(&["admins", "readers"]));
        assert!(found([stays], &exported).is_empty());
        let mut other = member(&["admins"]);
        other["user"] = json!("bob");
        let moved = change(kind, &["delete", "create"], member(&["admins"]), other);
        assert_eq!(found([moved], &exported).len(), 1);
        let leaves = change(kind, &["delete"], member(&["admins"]), Value::Null);
        assert!(found([leaves], &exported).is_empty());
        let mut unknown = joins(&["readers"]);
        unknown["change"]["after_unknown"] = json!({ "groups": [true] });
        assert_eq!(found([unknown], &exported).len(), 1);

        // The other way round, and groups that only the plan knows.
        let users = json!({ "name": "x", "group": "new", "users": ["alice"] });
        let membership = change("aws_iam_group_membership", &["create"], Value::Null, users);
        let group = change("aws_iam_group", &["no-op"], Value::Null, json!({ "name": "new" }));
        let policy = json!({ "group": "new", "policy_arn": ADMINISTRATOR });
        let attached =
            change("aws_iam_group_policy_attachment", &["no-op"], policy.clone(), policy);
        assert!(found([membership.clone(), group.clone()], &exported).is_empty());
        assert_eq!(found([membership.clone(), group, attached], &exported).len(), 1);
        assert_eq!(found([membership], &exported).len(), 1);
    }

    #[test]
    fn administrators_of_services_are_not_made() {
        let kind = "aws_organizations_delegated_administrator";
        let values = json!({ "account_id": "222", "service_principal": "sso.amazonaws.com" });
        let made = change(kind, &["create"], Value::Null, values.clone());
        assert_refused(&RULE, &plan([made]), "administrator of `sso.amazonaws.com`");
        assert_passed(&RULE, &plan([change(kind, &["delete"], values, Value::Null)]));
    }
}
