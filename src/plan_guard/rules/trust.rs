//! Trust policies that let anybody in.
//!
//! A principal is anybody if it is a pattern, or an identity provider that everybody can have a token
//! of, and no condition says whose. Only conditions count that a stranger cannot meet.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Case, Finding, Resolved, Rule};
use crate::plan_guard::plan::{ResourceChange, Side};
use crate::plan_guard::statement::{Condition, Statement, statements};
use crate::plan_guard::wildcard::has_wildcard;

pub static RULE: Rule = Rule {
    name: "trust",
    refuses: "to open a role's trust policy or the organization's resource policy anew to everyone (a principal with `*`, `NotPrincipal`) unless a \
              condition on `aws:PrincipalOrgID`, `aws:PrincipalOrgPaths`, `aws:PrincipalAccount` or \
              `aws:PrincipalArn` says to whom, or to everyone with a token of GitHub or another public \
              identity provider unless one on its `sub` (of those for applications, `sub` or `aud`) does; \
              to have an identity provider that is there take other tokens (SAML metadata, thumbprints, \
              further client IDs), or to make a SAML provider that a role trusts already; and policies \
              and providers that cannot be told before the apply",
    keys: &[],
    check,
};

const GITHUB: &str = "token.actions.githubusercontent.com";

/// Identity providers of which everybody can have a token, with the claims that say whose it is.
const PUBLIC: [(&str, &[&str]); 11] = [
    (GITHUB, &["sub"]),
    ("gitlab.com", &["sub"]),
    ("app.terraform.io", &["sub"]),
    ("agent.buildkite.com", &["sub"]),
    ("oidc.vercel.com", &["sub"]),
    ("accounts.google.com", &["sub", "aud", "oaud"]),
    ("cognito-identity.amazonaws.com", &["sub", "aud"]),
    ("graph.facebook.com", &["id", "app_id"]),
    ("www.amazon.com", &["user_id", "app_id"]),
    ("api.bitbucket.org", &["sub"]),
    ("api.pulumi.com", &["sub", "aud"]),
];

/// Resource types with a policy that says who may come, the argument, and the one that names what it
/// is of; none: the organization has one.
const POLICIES: [(&str, &str, Option<&str>); 2] = [
    ("aws_iam_role", "assume_role_policy", Some("name")),
    ("aws_organizations_resource_policy", "content", None),
];

fn check(case: &Case) -> Vec<Finding> {
    let changed = case.plan.managed().filter(|change| change.changes_aws());
    let reasons = changed.flat_map(|change| {
        let reasons = problems(case, change).into_iter().chain(provider_problem(case, change));
        reasons.map(|reason| Finding::at(&change.address, reason))
    });
    reasons.collect()
}

/// What is wrong with whose tokens an identity provider is going to take.
fn provider_problem(case: &Case, change: &ResourceChange) -> Option<String> {
    let is_there = !change.change.before.is_null();
    let (name, documents): (&str, &[&str]) = match change.resource_type.as_str() {
        "aws_iam_saml_provider" => ("name", &["saml_metadata_document"]),
        "aws_iam_openid_connect_provider" => ("url", &["client_id_list", "thumbprint_list"]),
        _ => return None,
    };
    if change.change.after.is_null() {
        return None;
    }
    let is_same = is_there && change.text(Side::Before, name) == change.text(Side::After, name);
    if is_same {
        let other = documents.iter().find(|argument| takes_other(change, argument))?;
        return Some(format!("it takes other tokens than before: `{other}` changes"));
    }
    let name = change.text(Side::After, name)?;
    let is_trusted = || {
        let provider = format!(":saml-provider/{}", name.to_lowercase());
        let planned =
            case.plan.managed().filter_map(|role| role.text(Side::Before, "assume_role_policy"));
        let exported = case.exported.trusts.iter().map(String::as_str);
        planned.chain(exported).any(|trust| trust.to_lowercase().contains(&provider))
    };
    (change.resource_type == "aws_iam_saml_provider" && is_trusted())
        .then(|| format!("a role trusts `{name}` already, so whoever made its metadata gets in"))
}

/// Whether an argument holds what it did not hold before, or may. To take less is no way in.
fn takes_other(change: &ResourceChange, argument: &str) -> bool {
    let (before, after) = (change.side(Side::Before), change.side(Side::After));
    change.is_unknown(argument)
        || match (before.get(argument), after.get(argument)) {
            (Some(Value::Array(before)), Some(Value::Array(after))) => {
                after.iter().any(|one| !before.contains(one))
            }
            (before, after) => before != after,
        }
}

fn problems(case: &Case, change: &ResourceChange) -> Vec<String> {
    let found = POLICIES.iter().find(|(of, ..)| *of == change.resource_type);
    let Some((_, argument, name)) = found else { return Vec::new() };
    let is_same =
        name.is_none_or(|name| change.text(Side::Before, name) == change.text(Side::After, name));
    let before = change.text(Side::Before, argument).filter(|_| is_same);
    let after = match case.resolved(change, argument) {
        Resolved::Absent => return Vec::new(),
        Resolved::Text(after) => after,
        Resolved::Of(_) | Resolved::Unknown => {
            return vec![
                "whom it trusts is only known after the apply; write it out, or apply in two steps"
                    .to_owned(),
            ];
        }
    };
    if before == Some(&*after) {
        return Vec::new();
    }
    let was_open = before.and_then(|before| open_to(before).ok()).unwrap_or_default();
    let what = if name.is_some() { "trust policy" } else { "resource policy" };
    match open_to(&after) {
        Ok(open) => {
            open.difference(&was_open).map(|who| format!("its {what} lets in {who} anew")).collect()
        }
        Err(problem) => vec![format!("its {what} cannot be judged: {problem}")],
    }
}

/// To whom a trust policy is open that is not somebody in particular.
fn open_to(document: &str) -> Result<BTreeSet<String>, String> {
    let mut open = BTreeSet::new();
    for statement in statements(document)?.iter().filter(|statement| statement.is_allow) {
        let is_narrowed = statement.conditions.iter().any(says_whose);
        if statement.has_not_principal && !is_narrowed {
            open.insert("everyone but some (`NotPrincipal`)".to_owned());
        }
        for (kind, who) in statement.principals.iter().flatten() {
            if has_wildcard(who) && !is_narrowed {
                open.insert(format!("everyone (the principal `{who}`)"));
            } else if kind == "federated"
                && let Some(provider) = public_provider(who)
                && !names_holder(statement, provider)
            {
                open.insert(format!("everyone with a token of `{}`", provider.0));
            }
        }
    }
    Ok(open)
}

/// Whether a condition holds only for principals that it names.
fn says_whose(condition: &Condition) -> bool {
    let is_named = match condition.key.as_str() {
        "aws:principalorgid" | "aws:principalaccount" => |value: &str| !has_wildcard(value),
        "aws:principalorgpaths" => |value: &str| {
            let organization = value.split('/').next().unwrap_or_default();
            organization.starts_with("o-") && !has_wildcard(organization)
        },
        "aws:principalarn" => |value: &str| {
            let account = value.split(':').nth(4).unwrap_or_default();
            account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
        },
        _ => return false,
    };
    is_positive(&condition.operator) && condition.values.iter().all(|value| is_named(value))
}

/// Whether an operator demands that the key is there and is one of the values. With `ForAllValues:` or
/// `IfExists` it may be missing.
fn is_positive(operator: &str) -> bool {
    let operator = operator.strip_prefix("foranyvalue:").unwrap_or(operator);
    matches!(
        operator,
        "stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike"
    )
}

fn public_provider(who: &str) -> Option<(&'static str, &'static [&'static str])> {
    let issuer = who.split_once("oidc-provider/").map_or(who, |(_, issuer)| issuer);
    let host = issuer.split('/').next().unwrap_or(issuer);
    PUBLIC.iter().copied().find(|(public, _)| host.eq_ignore_ascii_case(public))
}

/// Whether a condition on a claim says whose token it has to be.
fn names_holder(statement: &Statement, (host, claims): (&str, &[&str])) -> bool {
    let is_claim = |key: &str| {
        let claim = key.rsplit(':').next().unwrap_or_default();
        key.starts_with(host) && claims.contains(&claim)
    };
    statement.conditions.iter().any(|condition| {
        is_claim(&condition.key)
            && is_positive(&condition.operator)
            && condition.values.iter().all(|value| is_holder(host, value))
    })
}

/// Whether a claim says more than what many have: `repo:example-org/*`, and neither `repo:*` nor
/// `repo:example-*`. A subject of GitHub can be made of other claims, of which those that say whose
/// it is name the repository.
fn is_holder(host: &str, value: &str) -> bool {
    let is_named = host != GITHUB || value.starts_with("repo:") || names_repository(value);
    let literal = value.split(['*', '?']).next().unwrap_or_default();
    let mut parts: Vec<&str> = literal.split([':', '/', '@']).collect();
    if has_wildcard(value) {
        // The wildcard goes on with the last part.
        parts.pop();
        return is_named && parts.iter().filter(|part| !part.is_empty()).count() >= 2;
    }
    is_named && !value.is_empty()
}

/// Whether a subject made of other claims has one that says whose repository it is.
fn names_repository(value: &str) -> bool {
    let parts: Vec<&str> = value.split(':').collect();
    parts.chunks_exact(2).any(|claim| {
        ["repository", "repository_id", "repository_owner", "repository_owner_id"]
            .contains(&claim[0])
            && !claim[1].is_empty()
            && !claim[1].starts_with(['*', '?'])
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_passed, assert_refused, change, findings_with, plan};
    use super::*;
    use crate::plan_guard::exported::Exported;
    use crate::settings::guard::GuardSettings;
    use serde_json::{Value, json};

    fn trusting(members: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole",{members}}}]}}"#
        )
    }

    fn role(document: &str) -> Value {
        json!({ "name": "x", "assume_role_policy": document })
    }

    fn created(members: &str) -> Value {
        plan([change("aws_iam_role", &["create"], Value::Null, role(&trusting(members)))])
    }

    const EVERYONE: &str = r#""Principal":"*""#;

    #[test]
    fn everyone_is_seen_in_every_spelling() {
        for (members, saying) in [
            (EVERYONE, "everyone (the principal `*`)"),
            (r#""Principal":{"AWS":"*"}"#, "everyone (the principal `*`)"),
            (r#""principal":{"aws":["arn:aws:iam::111122223333:root","*"]}"#, "everyone"),
            (r#""Principal":{"AWS":"\u002a"}"#, "everyone"),
            (r#""Principal":{"AWS":"arn:aws:iam::*:root"}"#, "the principal `arn:aws:iam::*:root`"),
            (r#""Principal":{"AWS":"1111222?3333"}"#, "everyone"),
            (r#""Principal":{"Federated":"*"}"#, "everyone"),
            (r#""Principal":{"Service":"*"}"#, "everyone"),
            (r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:root"}"#, "everyone but some"),
        ] {
            assert_refused(
                &RULE,
                &created(members),
                "aws_iam_role.x: its trust policy lets in everyone",
            );
            assert_refused(&RULE, &created(members), saying);
        }
    }

    #[test]
    fn somebody_in_particular_passes() {
        for members in [
            r#""Principal":{"AWS":"111122223333"}"#,
            r#""Principal":{"AWS":"arn:aws:iam::111122223333:root"}"#,
            r#""Principal":{"Service":"lambda.amazonaws.com"}"#,
            r#""Principal":{"Federated":"arn:aws:iam::1:saml-provider/x"}"#,
            r#""Principal":{"Federated":"arn:aws:iam::1:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/X"}"#,
            r#""Resource":"*""#,
        ] {
            assert_passed(&RULE, &created(members));
        }
        let denied = trusting(EVERYONE).replace("Allow", "Deny");
        assert_passed(
            &RULE,
            &plan([change("aws_iam_role", &["create"], Value::Null, role(&denied))]),
        );
    }

    #[test]
    fn conditions_count_that_a_stranger_cannot_meet() {
        let with = |operator: &str, key: &str, value: &str| {
            created(&format!(r#"{EVERYONE},"Condition":{{"{operator}":{{"{key}":{value}}}}}"#))
        };
        for (operator, key, value) in [
            ("StringEquals", "aws:PrincipalOrgID", r#""o-a1b2c3d4e5""#),
            ("stringequalsignorecase", "AWS:principalorgid", r#"["o-a","o-b"]"#),
            ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", r#""o-a1/r-1/ou-1/*""#),
            ("StringLike", "aws:PrincipalAccount", r#""111122223333""#),
            ("ArnLike", "aws:PrincipalArn", r#""arn:aws:iam::111122223333:role/*""#),
            ("ArnEquals", "aws:PrincipalArn", r#""arn:aws:iam::111122223333:role/x""#),
        ] {
            assert_passed(&RULE, &with(operator, key, value));
        }
        for (operator, key, value) in [
            ("StringEqualsIfExists", "aws:PrincipalOrgID", r#""o-a""#),
            ("ForAllValues:StringEquals", "aws:PrincipalOrgID", r#""o-a""#),
            ("StringNotEquals", "aws:PrincipalOrgID", r#""o-a""#),
            ("StringLike", "aws:PrincipalOrgID", r#""o-*""#),
            ("StringLike", "aws:PrincipalOrgID", r#"["o-a","*"]"#),
            ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", r#""*/r-1/*""#),
            ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", r#""o-*/r-1/""#),
            ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", r#""""#),
            ("StringLike", "aws:PrincipalAccount", r#""1111*""#),
            ("ArnLike", "aws:PrincipalArn", r#""arn:aws:iam::*:role/x""#),
            ("ArnLike", "aws:PrincipalArn", r#""arn:aws:iam::1111222233??:role/x""#),
            ("ArnLike", "aws:PrincipalArn", r#""arn:aws:iam::1111:role/x""#),
            ("ArnLike", "aws:PrincipalArn", r#""*""#),
            ("StringEquals", "sts:ExternalId", r#""secret""#),
            ("Bool", "aws:MultiFactorAuthPresent", r#""true""#),
        ] {
            assert_refused(&RULE, &with(operator, key, value), "everyone");
        }
        let narrowed = r#""NotPrincipal":{"AWS":"x"},"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a"}}"#;
        assert_passed(&RULE, &created(narrowed));
    }

    #[test]
    fn tokens_of_public_providers_need_a_subject() {
        let with = |provider: &str, condition: &str| {
            created(&format!(r#""Principal":{{"Federated":"{provider}"}},"Condition":{condition}"#))
        };
        let github = "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com";
        let subject = |operator: &str, value: &str| {
            format!(r#"{{"{operator}":{{"token.actions.githubusercontent.com:sub":{value}}}}}"#)
        };
        for value in [
            r#""repo:example-org/site:ref:refs/heads/main""#,
            r#""repo:example-org/*""#,
            r#"["repo:example-org@1/site@2:*"]"#,
            r#""repo:example-org/site:environment:?""#,
            r#""job_workflow_ref:x:repository_owner:example-org:*""#,
        ] {
            assert_passed(&RULE, &with(github, &subject("StringLike", value)));
        }
        for condition in [
            "{}",
            r#"{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}"#,
            r#"{"StringLike":{"example.com:sub":"repo:example-org/site:*"}}"#,
            &subject("StringLike", r#""*""#),
            &subject("StringEquals", r#""repository_visibility:public""#),
            &subject("StringEquals", r#""environment:repository""#),
            &subject("StringLike", r#""environment:repository:*""#),
            &subject("StringLike", r#""repository_owner:*""#),
            &subject("StringLike", r#""repository_id:?:x""#),
            &subject("StringEquals", r#""repository_owner:""#),
            &subject("StringLike", r#""repo:*""#),
            &subject("StringLike", r#""repo:*/site:*""#),
            &subject("StringLike", r#""repo:?*/site:*""#),
            &subject("StringLike", r#""r*""#),
            &subject("StringLike", r#""repo:s*""#),
            &subject("StringLike", r#""repo:example-org*""#),
            &subject("StringLike", r#""repo::*""#),
            &subject("StringEquals", r#""ref:refs/heads/main""#),
            &subject("StringEquals", r#""""#),
            &subject("StringLike", r#"["repo:example-org/site:*","repo:*"]"#),
            &subject("StringLikeIfExists", r#""repo:example-org/site:*""#),
            &subject("StringNotLike", r#""repo:example-org/site:*""#),
        ] {
            assert_refused(
                &RULE,
                &with(github, condition),
                "everyone with a token of `token.actions.githubusercontent.com`",
            );
        }
        let enterprise = format!("{github}/example-org");
        assert_refused(&RULE, &with(&enterprise, "{}"), "everyone with a token");
        assert_refused(
            &RULE,
            &with("cognito-identity.amazonaws.com", "{}"),
            "`cognito-identity.amazonaws.com`",
        );
        let audience =
            r#"{"StringEquals":{"cognito-identity.amazonaws.com:aud":"eu-west-1:pool"}}"#;
        assert_passed(&RULE, &with("cognito-identity.amazonaws.com", audience));
        let other_host =
            "arn:aws:iam::1:oidc-provider/my.token.actions.githubusercontent.com.example";
        assert_passed(&RULE, &with(other_host, "{}"));
        let not_federated = created(r#""Principal":{"AWS":"gitlab.com"}"#);
        assert_passed(&RULE, &not_federated);
    }

    #[test]
    fn what_was_open_before_is_not_new() {
        let update = |before: &str, after: &str| {
            plan([change("aws_iam_role", &["update"], role(before), role(after))])
        };
        let (closed, open) = (trusting(r#""Principal":{"AWS":"1"}"#), trusting(EVERYONE));
        assert_refused(&RULE, &update(&closed, &open), "everyone");
        assert_passed(&RULE, &update(&open, &closed));
        assert_passed(&RULE, &update(&open, &trusting(r#""Sid":"x","Principal":{"AWS":"*"}"#)));
        assert_refused(
            &RULE,
            &update(&open, &trusting(r#""NotPrincipal":{"AWS":"1"}"#)),
            "but some",
        );
        assert_passed(&RULE, &update("broken", "broken"));
        assert_refused(&RULE, &update(&closed, "broken"), "cannot be judged");
        assert_refused(&RULE, &update("broken", &open), "everyone");
        let mut other = role(&open);
        other["name"] = json!("y");
        let renamed = change("aws_iam_role", &["delete", "create"], other, role(&open));
        assert_refused(&RULE, &plan([renamed]), "everyone");
        assert_passed(
            &RULE,
            &plan([change("aws_iam_role", &["delete"], role(&open), Value::Null)]),
        );
        assert_passed(
            &RULE,
            &plan([change("aws_iam_role", &["no-op"], role(&closed), role(&open))]),
        );
        assert_passed(
            &RULE,
            &plan([change("aws_iam_user", &["create"], Value::Null, role(&open))]),
        );
    }

    #[test]
    fn resource_policy_of_the_organization_counts() {
        let kind = "aws_organizations_resource_policy";
        let policy = |document: &str| json!({ "content": document });
        let open = policy(&trusting(EVERYONE));
        let closed = policy(&trusting(r#""Principal":{"AWS":"111122223333"}"#));
        let said = "its resource policy lets in everyone";
        assert_refused(&RULE, &plan([change(kind, &["create"], Value::Null, open.clone())]), said);
        assert_refused(
            &RULE,
            &plan([change(kind, &["update"], closed.clone(), open.clone())]),
            said,
        );
        assert_passed(&RULE, &plan([change(kind, &["update"], open.clone(), open)]));
        assert_passed(&RULE, &plan([change(kind, &["create"], Value::Null, closed)]));
    }

    #[test]
    fn providers_that_are_there_take_no_other_tokens() {
        let saml = |metadata: &str| json!({ "name": "Corp", "saml_metadata_document": metadata });
        let oidc = |ids: Value, prints: Value| json!({ "url": "a.b", "client_id_list": ids, "thumbprint_list": prints });
        let (saml_type, oidc_type) = ("aws_iam_saml_provider", "aws_iam_openid_connect_provider");
        let update = |kind: &str, before: Value, after: Value| {
            plan([change(kind, &["update"], before, after)])
        };
        let one = oidc(json!(["x"]), json!(["p"]));
        for (kind, before, after, argument) in [
            (saml_type, saml("a"), saml("b"), "saml_metadata_document"),
            (oidc_type, one.clone(), oidc(json!(["x", "y"]), json!(["p"])), "client_id_list"),
            (oidc_type, one.clone(), oidc(json!(["x"]), json!(["q"])), "thumbprint_list"),
            (oidc_type, oidc(json!(["x"]), Value::Null), one.clone(), "thumbprint_list"),
        ] {
            let said = format!("it takes other tokens than before: `{argument}` changes");
            assert_refused(&RULE, &update(kind, before.clone(), after.clone()), &said);
            let replaced = change(kind, &["delete", "create"], before, after);
            assert_refused(&RULE, &plan([replaced]), &said);
        }
        let less = oidc(json!([]), json!([]));
        assert_passed(&RULE, &update(oidc_type, one.clone(), less));
        let mut tagged = one.clone();
        tagged["tags"] = json!({ "team": "x" });
        assert_passed(&RULE, &update(oidc_type, one.clone(), tagged));
        assert_passed(&RULE, &plan([change(oidc_type, &["create"], Value::Null, one.clone())]));
        assert_passed(&RULE, &plan([change(oidc_type, &["delete"], one.clone(), Value::Null)]));
        let mut unknown = change(oidc_type, &["update"], one.clone(), one);
        unknown["change"]["after_unknown"] = json!({ "thumbprint_list": true });
        assert_refused(&RULE, &plan([unknown]), "`thumbprint_list` changes");
    }

    #[test]
    fn provider_that_a_role_trusts_already_is_not_made() {
        let saml = json!({ "name": "Corp", "saml_metadata_document": "a" });
        let created = change("aws_iam_saml_provider", &["create"], Value::Null, saml);
        let trust = trusting(r#""Principal":{"Federated":"arn:aws:iam::1:saml-provider/corp"}"#);
        assert_passed(&RULE, &plan([created.clone()]));
        let there = change("aws_iam_role", &["no-op"], role(&trust), role(&trust));
        let said = "a role trusts `Corp` already";
        assert_refused(&RULE, &plan([created.clone(), there]), said);
        let new = change("aws_iam_role", &["create"], Value::Null, role(&trust));
        assert_passed(&RULE, &plan([created.clone(), new]));
        let exported = Exported::default().with_trust(&trust);
        let found = findings_with(&RULE, &plan([created]), &GuardSettings::default(), &exported);
        assert!(found.len() == 1 && found[0].contains(said), "{found:?}");
    }

    #[test]
    fn trust_that_only_the_apply_tells_is_refused() {
        let mut unknown = change("aws_iam_role", &["create"], Value::Null, json!({ "name": "x" }));
        assert_passed(&RULE, &plan([unknown.clone()]));
        unknown["change"]["after_unknown"] = json!({ "assume_role_policy": true });
        assert_refused(&RULE, &plan([unknown.clone()]), "only known after the apply");
        let referring = Exported::default().with_reference(
            "aws_iam_role.x",
            "assume_role_policy",
            "aws_iam_role.y.assume_role_policy",
        );
        assert_eq!(
            findings_with(&RULE, &plan([unknown]), &GuardSettings::default(), &referring).len(),
            1
        );
    }
}
