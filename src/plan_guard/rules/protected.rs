//! What nobody changes through Git: the deployment itself, AWS's own roles, and whom the settings
//! name.
//!
//! Both sides of a change count, and so does what hangs on a protected entity. A name that only the
//! apply will tell counts as protected.

use serde_json::Value;

use super::{Case, Finding, Key, Resolved, Rule};
use crate::plan_guard::identity::{self, Identity};
use crate::plan_guard::plan::{Action, ResourceChange, Side};
use crate::plan_guard::wildcard::matches;

pub static RULE: Rule = Rule {
    name: "protected",
    refuses: "any change of the roles, policies and tags of the deployment itself (names that are \
              `aws-iam-gitops` or begin with `aws-iam-gitops-`, the tag `managed-by = aws-iam-gitops`), of \
              roles that are AWS's (`/aws-reserved/`, `/aws-service-role/`, `AWSReservedSSO_*`, \
              `AWSServiceRoleFor*`), of GitHub's OIDC provider and the SAML provider of IAM Identity Center \
              (`AWSSSO_*`), of what `protected` names, of what hangs on \
              any of these, and of what has a name that only the apply will tell",
    keys: &[Key {
        name: "protected",
        default: "none",
        meaning: "further names or ARNs, such as `break-glass-*`",
    }],
    check,
};

/// Names that are always protected, in any case.
const NAMES: [&str; 6] = [
    "aws-iam-gitops",
    "aws-iam-gitops-*",
    "AWSReservedSSO_*",
    "AWSSSO_*",
    "AWSServiceRoleFor*",
    "token.actions.githubusercontent.com*",
];

/// Beginnings of paths that are AWS's.
const PATHS: [&str; 2] = ["/aws-reserved/*", "/aws-service-role/*"];

fn check(case: &Case) -> Vec<Finding> {
    let known = known(case);
    let changes = case.plan.managed().filter(|change| change.is_effective());
    let changes = changes.filter(|change| !is_first_import(case, change));
    changes.filter_map(|change| finding(case, &known, change)).collect()
}

/// All entities that the plan or the repository tells more of than a name.
fn known(case: &Case) -> Vec<Identity> {
    let sides = [Side::Before, Side::After];
    let of_plan = case
        .plan
        .managed()
        .flat_map(|change| sides.into_iter().filter_map(|side| identity::own(change, side)));
    case.exported.identities.iter().cloned().chain(of_plan).collect()
}

/// Whether the plan only takes over what is there, under the name that an export gives it.
fn is_first_import(case: &Case, change: &ResourceChange) -> bool {
    let importing = change.change.importing.as_ref();
    let id = importing.and_then(|importing| importing.id.as_deref()).unwrap_or_default();
    change.action() == Action::Nothing
        && !change.is_move()
        && case.exported.import(&change.resource_type, id) == Some(change.address.as_str())
}

fn finding(case: &Case, known: &[Identity], change: &ResourceChange) -> Option<Finding> {
    for side in [Side::Before, Side::After] {
        let own = identity::own(change, side);
        let all = own.into_iter().chain(identity::owners(change, side));
        if let Some(found) = all.into_iter().find(|identity| is_protected(case, known, identity)) {
            let what = if found.kind.is_empty() { "entity" } else { &found.kind };
            return Some(Finding::at(
                &change.address,
                format!("the {what} `{}` is protected", found.name),
            ));
        }
    }
    if let Some(boundary) = taken_boundary(change)
        && is_protected(case, known, &boundary)
    {
        let name = boundary.arn.unwrap_or(boundary.name);
        return Some(Finding::at(
            &change.address,
            format!("the boundary `{name}` is protected, and this would take it away"),
        ));
    }
    let is_unknown = |argument: &&str| case.resolved(change, argument) == Resolved::Unknown;
    let unknown = identity::arguments(&change.resource_type).find(is_unknown)?;
    Some(Finding::at(
        &change.address,
        format!("`{unknown}` is only known after the apply, so it may name what is protected"),
    ))
}

/// The permissions boundary that a role, a user or a permission set loses.
fn taken_boundary(change: &ResourceChange) -> Option<Identity> {
    let argument = "permissions_boundary";
    if change.resource_type == "aws_ssoadmin_permissions_boundary_attachment" {
        let before = change.side(Side::Before).get(argument)?;
        let is_kept = change.side(Side::After).get(argument) == Some(before);
        return boundary_in_block(before).filter(|_| !is_kept);
    }
    let before = change.text(Side::Before, argument).filter(|before| !before.is_empty())?;
    let after = change.text(Side::After, argument);
    (change.change.after != Value::Null && after != Some(before)).then(|| Identity::of_arn(before))
}

/// The policy of AWS or of each account that bounds a permission set.
fn boundary_in_block(block: &Value) -> Option<Identity> {
    let block = block.get(0)?;
    let arn = block.get("managed_policy_arn").and_then(Value::as_str).filter(|arn| !arn.is_empty());
    if let Some(arn) = arn {
        return Some(Identity::of_arn(arn));
    }
    let name = block.get("customer_managed_policy_reference")?.get(0)?.get("name")?.as_str()?;
    let kind = "policy".to_owned();
    Some(Identity { kind, name: name.to_owned(), ..Identity::default() })
}

fn is_protected(case: &Case, known: &[Identity], identity: &Identity) -> bool {
    let same: Vec<&Identity> = known.iter().filter(|other| other.is_also(identity)).collect();
    let knows_path = same.iter().any(|other| other.path.is_some());
    let itself = Some(identity).filter(|identity| identity.path.is_some() || !knows_path);
    itself.into_iter().chain(same).any(|identity| is_protected_as(case, identity))
}

fn is_protected_as(case: &Case, identity: &Identity) -> bool {
    let path = identity.path.as_deref();
    let is_ours = identity.tags.iter().any(|tag| {
        tag.key.eq_ignore_ascii_case("managed-by")
            && tag.value.eq_ignore_ascii_case("aws-iam-gitops")
    });
    is_ours
        || NAMES.iter().any(|name| matches(name, &identity.name))
        || path.is_some_and(|path| PATHS.iter().any(|of_aws| matches(of_aws, path)))
        || case.settings.protected.iter().any(|pattern| {
            identity.arn.as_deref().is_some_and(|arn| pattern.matches_arn(arn))
                || pattern.matches_name(&identity.kind, path, &identity.name)
        })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_passed, assert_refused, change, findings_with, plan};
    use super::*;
    use crate::plan_guard::exported::Exported;
    use crate::settings::guard::{GuardSettings, Pattern};
    use serde_json::json;

    fn role(name: &str) -> Value {
        json!({ "name": name, "path": "/" })
    }

    fn created(values: Value) -> Value {
        plan([change("aws_iam_role", &["create"], Value::Null, values)])
    }

    #[test]
    fn names_paths_and_tags_are_protected_in_any_case() {
        for values in [
            role("aws-iam-gitops"),
            role("AWS-IAM-GitOps-apply"),
            role("awsreservedsso_Admin_1"),
            role("AWSServiceRoleForX"),
            json!({ "name": "x", "path": "/aws-reserved/sso/" }),
            json!({ "name": "x", "path": "/AWS-Service-Role/x/" }),
            json!({ "name": "x", "tags": { "Managed-By": "aws-iam-gitops" } }),
            json!({ "name": "x", "tags_all": { "managed-by": "AWS-IAM-GitOps" } }),
        ] {
            assert_refused(&RULE, &created(values), "is protected");
        }
        for values in [
            role("my-aws-iam-gitops"),
            role("aws-iam-gitopsx"),
            json!({ "name": "x", "path": "/my/aws-reserved/" }),
            json!({ "name": "x", "tags": { "managed-by": "terraform", "x": "aws-iam-gitops" } }),
        ] {
            assert_passed(&RULE, &created(values));
        }
    }

    #[test]
    fn finding_names_address_and_entity() {
        let reason = "aws_iam_role.x: the role `aws-iam-gitops` is protected";
        assert_refused(&RULE, &created(role("aws-iam-gitops")), reason);
        let other =
            plan([change("aws_ssoadmin_x", &["create"], Value::Null, role("aws-iam-gitops"))]);
        assert_refused(&RULE, &other, "the entity `aws-iam-gitops` is protected");
    }

    #[test]
    fn both_sides_and_all_actions_count() {
        let (ours, other) = (role("aws-iam-gitops-plan"), role("x"));
        for (actions, before, after) in [
            (&["update"][..], &ours, &other),
            (&["update"], &other, &ours),
            (&["delete"], &ours, &Value::Null),
            (&["forget"], &ours, &Value::Null),
            (&["delete", "create"], &ours, &ours),
        ] {
            let plan = plan([change("aws_iam_role", actions, before.clone(), after.clone())]);
            assert_refused(&RULE, &plan, "`aws-iam-gitops-plan` is protected");
        }
        for action in ["no-op", "read"] {
            let still = plan([change("aws_iam_role", &[action], ours.clone(), ours.clone())]);
            assert_passed(&RULE, &still);
        }
    }

    #[test]
    fn moves_and_imports_count() {
        let mut moved =
            change("aws_iam_role", &["no-op"], role("aws-iam-gitops"), role("aws-iam-gitops"));
        moved["previous_address"] = json!("aws_iam_role.y");
        assert_refused(&RULE, &plan([moved.clone()]), "is protected");
        let mut imported = moved.clone();
        imported["previous_address"] = json!("aws_iam_role.x");
        assert_passed(&RULE, &plan([imported.clone()]));
        imported["change"]["importing"] = json!({ "id": "aws-iam-gitops" });
        assert_refused(&RULE, &plan([imported.clone()]), "is protected");

        let settings = GuardSettings::default();
        let refused = |change: &Value, exported: &Exported| {
            !findings_with(&RULE, &plan([change.clone()]), &settings, exported).is_empty()
        };
        let own =
            Exported::default().with_import("aws_iam_role", "aws-iam-gitops", "aws_iam_role.x");
        assert!(!refused(&imported, &own));
        let other =
            Exported::default().with_import("aws_iam_role", "aws-iam-gitops", "aws_iam_role.z");
        assert!(refused(&imported, &other));
        let mut changed = imported.clone();
        changed["change"]["actions"] = json!(["update"]);
        assert!(refused(&changed, &own));
        let mut moved = imported.clone();
        moved["previous_address"] = json!("aws_iam_role.y");
        assert!(refused(&moved, &own));
    }

    #[test]
    fn what_hangs_on_a_protected_entity_counts() {
        for (resource_type, values) in [
            ("aws_iam_role_policy", json!({ "role": "aws-iam-gitops-apply", "name": "x" })),
            (
                "aws_iam_role_policy_attachment",
                json!({ "role": "x", "policy_arn": "arn:aws:iam::1:policy/aws-iam-gitops-boundary" }),
            ),
            ("aws_iam_instance_profile", json!({ "name": "x", "role": "aws-iam-gitops" })),
            ("aws_iam_policy_attachment", json!({ "name": "x", "roles": ["y", "AWS-iam-gitops"] })),
            ("aws_iam_user_policy", json!({ "user": "aws-iam-gitops-x", "name": "x" })),
            ("aws_iam_role_policies_exclusive", json!({ "role_name": "aws-iam-gitops" })),
            (
                "aws_iam_openid_connect_provider",
                json!({ "url": "https://token.actions.githubusercontent.com" }),
            ),
            (
                "aws_iam_role",
                json!({ "name": "x", "managed_policy_arns": ["arn:aws:iam::1:policy/aws-iam-gitops-x"] }),
            ),
            (
                "aws_iam_role_policy",
                json!({ "role": "arn:aws:iam::1:role/aws-iam-gitops", "name": "x" }),
            ),
        ] {
            for actions in [&["create"][..], &["delete"]] {
                let (before, after) = match actions {
                    ["create"] => (Value::Null, values.clone()),
                    _ => (values.clone(), Value::Null),
                };
                let plan = plan([change(resource_type, actions, before, after)]);
                assert_refused(&RULE, &plan, "is protected");
            }
        }
    }

    #[test]
    fn list_that_stays_as_it_is_does_not_count() {
        let with = |description: &str, arns: Value| json!({ "name": "x", "description": description, "managed_policy_arns": arns });
        let arns = json!(["arn:aws:iam::1:policy/aws-iam-gitops-x"]);
        let update = |before, after| plan([change("aws_iam_role", &["update"], before, after)]);
        assert_passed(&RULE, &update(with("a", arns.clone()), with("b", arns.clone())));
        assert_refused(&RULE, &update(with("a", arns), with("a", json!([]))), "is protected");
    }

    #[test]
    fn tag_and_path_of_a_role_protect_what_hangs_on_it() {
        let attachment = |name: &str| {
            let mut found = change(
                "aws_iam_role_policy_attachment",
                &["create"],
                Value::Null,
                json!({ "role": name, "policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess" }),
            );
            found["address"] = json!("aws_iam_role_policy_attachment.x");
            found
        };
        let tagged =
            json!({ "name": "deployer", "path": "/", "tags": { "managed-by": "aws-iam-gitops" } });
        let still = change("aws_iam_role", &["no-op"], tagged.clone(), tagged);
        assert_refused(
            &RULE,
            &plan([still.clone(), attachment("Deployer")]),
            "`Deployer` is protected",
        );
        assert_passed(&RULE, &plan([still, attachment("other")]));
        let mut exported = Exported::default();
        exported.identities.push(Identity::of_arn("arn:aws:iam::1:role/aws-reserved/x/deployer"));
        let settings = GuardSettings::default();
        let refused =
            |name| findings_with(&RULE, &plan([attachment(name)]), &settings, &exported).len();
        assert_eq!((refused("deployer"), refused("other")), (1, 0));
    }

    fn findings_of(pattern: &str, changes: Vec<Value>, exported: &Exported) -> usize {
        let protected = vec![Pattern::parse(pattern).expect("a pattern")];
        let settings = GuardSettings { protected, ..GuardSettings::default() };
        findings_with(&RULE, &plan(changes), &settings, exported).len()
    }

    #[test]
    fn attachment_of_a_protected_organizations_policy_counts() {
        let kind = "aws_organizations_policy_attachment";
        let values = json!({ "policy_id": "p-1", "target_id": "r-1" });
        let detached = change(kind, &["delete"], values, Value::Null);
        let policy = json!({ "name": "guardrail-iam", "id": "p-1" });
        let still = change("aws_organizations_policy", &["no-op"], policy.clone(), policy);
        let of = |pattern: &str, changes: &[&Value], exported: &Exported| {
            findings_of(pattern, changes.iter().copied().cloned().collect(), exported)
        };
        let none = Exported::default();
        assert_eq!(of("guardrail-*", &[&still, &detached], &none), 1);
        assert_eq!(of("other-*", &[&still, &detached], &none), 0);
        assert_eq!(of("guardrail-*", &[&detached], &none), 0);
        let mut exported = Exported::default();
        exported.identities.push(Identity {
            kind: "organizations-policy".to_owned(),
            name: "guardrail-iam".to_owned(),
            id: Some("p-1".to_owned()),
            ..Identity::default()
        });
        assert_eq!(of("guardrail-*", &[&detached], &exported), 1);
    }

    #[test]
    fn path_that_only_the_apply_tells_may_be_a_protected_one() {
        let mut made = change("aws_iam_role", &["create"], Value::Null, json!({ "name": "payer" }));
        let of = |made: &Value| {
            let pattern = "arn:aws:iam::*:role/billing/*";
            findings_of(pattern, vec![made.clone()], &Exported::default())
        };
        assert_eq!(of(&made), 0);
        made["change"]["after_unknown"] = json!({ "path": true });
        assert_eq!(of(&made), 1);
    }

    #[test]
    fn settings_protect_names_and_arns() {
        let settings = GuardSettings {
            protected: vec![
                Pattern::parse("break-glass-*").unwrap(),
                Pattern::parse("arn:aws:iam::*:role/team/*").unwrap(),
            ],
            ..GuardSettings::default()
        };
        let refused = |exported: &Exported, resource_type: &str, values: Value| {
            let plan = plan([change(resource_type, &["create"], Value::Null, values)]);
            !findings_with(&RULE, &plan, &settings, exported).is_empty()
        };
        let nothing = Exported::default();
        assert!(refused(&nothing, "aws_iam_role", role("Break-Glass-1")));
        assert!(refused(&nothing, "aws_iam_policy", json!({ "name": "break-glass-x" })));
        assert!(refused(&nothing, "aws_iam_role", json!({ "name": "x", "path": "/team/" })));
        assert!(!refused(&nothing, "aws_iam_role", role("x")));
        let with_arn = json!({ "name": "x", "arn": "arn:aws:iam::1:role/team/x" });
        assert!(refused(&nothing, "aws_iam_role", with_arn));
        // The path of the role is not known, so it may be there.
        let inline = json!({ "role": "x", "name": "y" });
        assert!(refused(&nothing, "aws_iam_role_policy", inline.clone()));
        let mut exported = Exported::default();
        exported.identities.push(Identity::of_arn("arn:aws:iam::1:role/x"));
        assert!(!refused(&exported, "aws_iam_role_policy", inline));
    }

    #[test]
    fn protected_boundary_may_be_given_and_not_taken() {
        let boundary = "arn:aws:iam::1:policy/aws-iam-gitops-boundary";
        let with = |boundary: Value| json!({ "name": "x", "permissions_boundary": boundary });
        let update = |before, after| plan([change("aws_iam_role", &["update"], before, after)]);
        assert_passed(&RULE, &update(with(Value::Null), with(json!(boundary))));
        assert_passed(&RULE, &update(with(json!("")), with(json!(boundary))));
        assert_passed(&RULE, &created(with(json!(boundary))));
        let taken = "would take it away";
        assert_refused(&RULE, &update(with(json!(boundary)), with(Value::Null)), taken);
        assert_refused(
            &RULE,
            &update(with(json!(boundary)), with(json!("arn:aws:iam::1:policy/x"))),
            taken,
        );
        assert_passed(&RULE, &update(with(json!("arn:aws:iam::1:policy/x")), with(Value::Null)));
        let mut same =
            change("aws_iam_role", &["update"], with(json!(boundary)), with(json!(boundary)));
        same["change"]["after"]["description"] = json!("x");
        assert_passed(&RULE, &plan([same]));
        let gone = change("aws_iam_role", &["delete"], with(json!(boundary)), Value::Null);
        assert_passed(&RULE, &plan([gone]));
    }

    #[test]
    fn names_that_only_the_apply_tells_count() {
        let mut unknown =
            change("aws_iam_role_policy", &["create"], Value::Null, json!({ "name": "x" }));
        unknown["change"]["after_unknown"] = json!({ "role": true, "id": true });
        let reason = "`role` is only known after the apply";
        assert_refused(&RULE, &plan([unknown.clone()]), reason);
        let settings = GuardSettings::default();
        let exported = Exported::default().with_reference(
            "aws_iam_role_policy.x",
            "role",
            "aws_iam_role.y.id",
        );
        assert!(findings_with(&RULE, &plan([unknown.clone()]), &settings, &exported).is_empty());
        unknown["module_address"] = json!("module.m");
        assert_eq!(findings_with(&RULE, &plan([unknown]), &settings, &exported).len(), 1);

        let mut policy = change("aws_iam_policy", &["create"], Value::Null, json!({ "name": "x" }));
        policy["change"]["after_unknown"] = json!({ "policy_id": true, "arn": true });
        assert_passed(&RULE, &plan([policy]));
        let mut profile =
            change("aws_iam_instance_profile", &["create"], Value::Null, json!({ "name": "x" }));
        profile["change"]["after_unknown"] = json!({ "role": true });
        assert_refused(&RULE, &plan([profile]), "`role` is only known");

        let mut nameless = change("aws_iam_role", &["create"], Value::Null, json!({ "path": "/" }));
        nameless["change"]["after_unknown"] =
            json!({ "name": true, "arn": true, "managed_policy_arns": true });
        assert_refused(&RULE, &plan([nameless.clone()]), "`name` is only known");
        nameless["change"]["after_unknown"] = json!({ "arn": true, "managed_policy_arns": true });
        assert_passed(&RULE, &plan([nameless]));
        let mut users =
            change("aws_iam_policy_attachment", &["create"], Value::Null, json!({ "name": "x" }));
        users["change"]["after_unknown"] = json!({ "users": [true] });
        assert_refused(&RULE, &plan([users]), "`users` is only known");
    }

    #[test]
    fn data_sources_do_not_count() {
        let mut data = change("aws_iam_role", &["read"], Value::Null, role("aws-iam-gitops"));
        data["mode"] = json!("data");
        assert_passed(&RULE, &plan([data]));
    }

    #[test]
    fn kinds_of_the_organization_are_protected_by_name_and_id() {
        let settings = GuardSettings {
            protected: ["Billing", "ps-1", "ou-ab12-security", "333", "admins"]
                .map(|pattern| Pattern::parse(pattern).unwrap())
                .to_vec(),
            ..GuardSettings::default()
        };
        let refused = |changes: Vec<Value>| {
            findings_with(&RULE, &plan(changes), &settings, &Exported::default())
        };
        let updated = |kind: &str, values: Value| change(kind, &["update"], values.clone(), values);
        let created = |kind: &str, values: Value| change(kind, &["create"], Value::Null, values);
        let account =
            json!({ "name": "Billing", "arn": "arn:aws:organizations::1:account/o-1/222" });
        let set = "arn:aws:sso:::permissionSet/ssoins-1/ps-1";
        for change in [
            updated("aws_organizations_account", account),
            created(
                "aws_ssoadmin_account_assignment",
                json!({ "permission_set_arn": set, "target_id": "444" }),
            ),
            created(
                "aws_ssoadmin_account_assignment",
                json!({ "permission_set_arn": "x", "target_id": "333" }),
            ),
            created("aws_ssoadmin_managed_policy_attachment", json!({ "permission_set_arn": set })),
            created(
                "aws_organizations_policy_attachment",
                json!({ "policy_id": "p-1", "target_id": "ou-ab12-security" }),
            ),
            created(
                "aws_organizations_delegated_administrator",
                json!({ "account_id": "333", "name": "x" }),
            ),
            created(
                "aws_iam_user_group_membership",
                json!({ "user": "alice", "groups": ["readers", "Admins"] }),
            ),
            created(
                "aws_iam_group_membership",
                json!({ "group": "admins", "users": ["alice"], "name": "x" }),
            ),
            created("aws_iam_saml_provider", json!({ "name": "AWSSSO_1_DO_NOT_DELETE" })),
        ] {
            assert_eq!(refused(vec![change.clone()]).len(), 1, "{change}");
        }
        // Who is in it already may join another.
        let member = |groups: &[&str]| json!({ "user": "alice", "groups": groups });
        let kind = "aws_iam_user_group_membership";
        let joins = change(kind, &["update"], member(&["admins"]), member(&["admins", "readers"]));
        assert!(refused(vec![joins]).is_empty());
        for change in [
            created(
                "aws_ssoadmin_account_assignment",
                json!({ "permission_set_arn": format!("{set}2"), "target_id": "444" }),
            ),
            created(
                "aws_iam_service_linked_role",
                json!({ "aws_service_name": "x.amazonaws.com" }),
            ),
        ] {
            assert!(refused(vec![change.clone()]).is_empty(), "{change}");
        }
    }

    #[test]
    fn boundary_of_a_permission_set_is_not_taken() {
        let kind = "aws_ssoadmin_permissions_boundary_attachment";
        let block = |boundary: Value| json!({ "permission_set_arn": "x", "permissions_boundary": [boundary] });
        let by_name = block(json!({ "managed_policy_arn": "",
            "customer_managed_policy_reference": [{ "name": "AWS-iam-gitops-boundary", "path": "/" }] }));
        let by_arn =
            block(json!({ "managed_policy_arn": "arn:aws:iam::1:policy/aws-iam-gitops-boundary",
            "customer_managed_policy_reference": [] }));
        let other =
            block(json!({ "managed_policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess" }));
        for before in [by_name, by_arn] {
            for after in [Value::Null, other.clone()] {
                let action: &[&str] =
                    if after.is_null() { &["delete"] } else { &["delete", "create"] };
                let taken = change(kind, action, before.clone(), after);
                assert_refused(&RULE, &plan([taken]), "would take it away");
            }
            assert_passed(&RULE, &plan([change(kind, &["create"], Value::Null, before.clone())]));
        }
        assert_passed(&RULE, &plan([change(kind, &["delete"], other, Value::Null)]));
    }
}
