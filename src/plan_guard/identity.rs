//! Whom a resource is about: names, paths, ARNs and tags among its arguments.

use std::collections::BTreeSet;

use serde_json::Value;

use super::plan::{ResourceChange, Side};
use crate::resource::parts::Tag;
use crate::resource::resource_type as exported_type;

/// What one entity of AWS goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// As in ARNs: `role`, `policy`, `oidc-provider`, …
    pub kind: String,
    pub name: String,
    /// With both slashes; none: not known.
    pub path: Option<String>,
    pub arn: Option<String>,
    /// What others call it where that is not its name: `p-k3v8x1m5`.
    pub id: Option<String>,
    pub tags: Vec<Tag>,
}

/// Resource types that are an entity themselves, with the argument that names it, as far as the table
/// of kinds does not tell.
const ENTITIES: [(&str, &str); 2] = [
    // To the table it is a part of its role.
    ("aws_iam_instance_profile", "name"),
    // AWS makes its name of this.
    ("aws_iam_service_linked_role", "aws_service_name"),
];

/// What ARNs call an entity where the resource type calls it something else.
const KINDS_IN_ARNS: [(&str, &str); 4] = [
    ("aws_iam_openid_connect_provider", "oidc-provider"),
    ("aws_organizations_account", "account"),
    ("aws_organizations_organizational_unit", "ou"),
    ("aws_ssoadmin_permission_set", "permissionSet"),
];

/// Arguments that name the entity on which a resource hangs, with its kind; those that hold ARNs
/// have none.
const OWNERS: [(&str, &str); 17] = [
    ("role", "role"),
    ("role_name", "role"),
    ("roles", "role"),
    ("user", "user"),
    ("user_name", "user"),
    ("username", "user"),
    ("users", "user"),
    ("group", "group"),
    ("group_name", "group"),
    ("groups", "group"),
    ("policy_arn", ""),
    ("policy_id", "organizations-policy"),
    ("policy_arns", ""),
    ("managed_policy_arns", ""),
    ("permission_set_arn", ""),
    ("account_id", "account"),
    // A unit's ID begins with `ou-`.
    ("target_id", "account"),
];

/// Of these lists only what joins or leaves is concerned by a change.
const LISTS: [&str; 4] = ["groups", "managed_policy_arns", "policy_arns", "users"];

/// How names of resource types begin that no export writes, that hang on an entity and have a name of
/// their own.
const HANGING: [&str; 3] = ["aws_iam_group_policy", "aws_iam_role_policy", "aws_iam_user_policy"];

const SERVICE_LINKED: &str = "aws_iam_service_linked_role";

impl Identity {
    pub fn of_arn(arn: &str) -> Identity {
        let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
        let (kind, rest) = resource.split_once('/').unwrap_or(("", resource));
        let (path, name) = match rest.rsplit_once('/') {
            // The issuer's own path is part of a provider's name.
            Some(_) if kind == "oidc-provider" => ("/".to_owned(), rest),
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".to_owned(), rest),
        };
        Identity {
            kind: kind.to_owned(),
            name: name.to_owned(),
            path: Some(path),
            arn: Some(arn.to_owned()),
            ..Identity::default()
        }
    }

    /// Whether both mean the same entity, as far as names and IDs tell.
    pub fn is_also(&self, other: &Identity) -> bool {
        let is_called = |one: &Identity, other: &Identity| {
            one.id.as_deref() == Some(other.name.as_str())
                || one.name.to_lowercase() == other.name.to_lowercase()
        };
        self.kind == other.kind && (is_called(self, other) || is_called(other, self))
    }
}

/// The entity that one side of a change is, if it is one itself.
pub fn own(change: &ResourceChange, side: Side) -> Option<Identity> {
    let own = own_of(&change.resource_type, change.side(side))?;
    let is_path_known = side == Side::Before || !change.is_unknown("path");
    Some(Identity { path: own.path.filter(|_| is_path_known), ..own })
}

fn own_of(resource_type: &str, values: &Value) -> Option<Identity> {
    let text = |argument: &str| values.get(argument).and_then(Value::as_str);
    let known = naming_argument(resource_type);
    let kind = if known.is_some() { kind_in_arns(resource_type) } else { String::new() };
    let name = text(known.unwrap_or("name")).filter(|_| !is_hanging(resource_type, values))?;
    let scheme = "https://";
    let is_url = name.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme));
    let name = if is_url { &name[scheme.len()..] } else { name }.trim_end_matches('/');
    let tags = ["tags", "tags_all"].into_iter().filter_map(|of| values.get(of)?.as_object());
    let tag = |(key, value): (&String, &Value)| {
        Some(Tag { key: key.clone(), value: value.as_str()?.to_owned() })
    };
    // IAM calls its own by name; others have an ID at the end of their ARN.
    let id = text("arn").and_then(|arn| arn.rsplit('/').next()).or(text("id"));
    // The path of a service-linked role is AWS's, and the resource is there to have it all the same.
    let path = (resource_type != SERVICE_LINKED).then(|| text("path").unwrap_or("/").to_owned());
    Some(Identity {
        kind,
        name: name.to_owned(),
        path,
        arn: text("arn").map(str::to_owned),
        id: id.filter(|_| !resource_type.starts_with("aws_iam_")).map(str::to_owned),
        tags: tags.flatten().filter_map(tag).collect(),
    })
}

/// The argument that names the entity which a resource of this type is, if it is one.
fn naming_argument(resource_type: &str) -> Option<&'static str> {
    if let Some((_, argument)) = ENTITIES.iter().find(|(known, _)| *known == resource_type) {
        return Some(argument);
    }
    let (_, exported) = exported_type(resource_type).filter(|(_, of)| of.owner.is_none())?;
    let is_named = exported.written.contains(&"name");
    if is_named { Some("name") } else { exported.identity.last().copied() }
}

/// `role`, `policy`, `oidc-provider`, …
fn kind_in_arns(resource_type: &str) -> String {
    if let Some((_, kind)) = KINDS_IN_ARNS.iter().find(|(known, _)| *known == resource_type) {
        return (*kind).to_owned();
    }
    let name = ["aws_iam_", "aws_"].iter().find_map(|of| resource_type.strip_prefix(of));
    name.unwrap_or(resource_type).replace('_', "-")
}

/// Whether what it is called is no entity's name, as it hangs on another.
fn is_hanging(resource_type: &str, values: &Value) -> bool {
    naming_argument(resource_type).is_none()
        && OWNERS.iter().any(|(owner, _)| values.get(owner).is_some_and(Value::is_string))
}

/// The entities on which one side of a change hangs.
pub fn owners(change: &ResourceChange, side: Side) -> Vec<Identity> {
    let mut found = Vec::new();
    for (argument, kind) in owning(&change.resource_type) {
        let here = texts(change.side(side).get(argument));
        let other = if side == Side::Before { Side::After } else { Side::Before };
        let there = texts(change.side(other).get(argument));
        let is_list = LISTS.contains(&argument);
        let concerned = here.into_iter().filter(|text| !is_list || !there.contains(text));
        found.extend(concerned.map(|text| match kind {
            _ if text.starts_with("arn:") => Identity::of_arn(text),
            kind => {
                let kind = if text.starts_with("ou-") { "ou" } else { kind };
                Identity { kind: kind.to_owned(), name: text.to_owned(), ..Identity::default() }
            }
        }));
    }
    found
}

/// The arguments of a resource type that say whom it is about, as far as it has them.
pub fn arguments(resource_type: &str) -> impl Iterator<Item = &'static str> {
    let known = naming_argument(resource_type);
    let name = known.unwrap_or("name");
    // A role's list of attachments is computed where it is not declared.
    let owners = owning(resource_type).map(|(argument, _)| argument);
    // The name of what hangs on an entity is no entity's.
    let is_hanging = known.is_none()
        && (exported_type(resource_type).is_some()
            || HANGING.iter().any(|hanging| resource_type.starts_with(hanging)));
    let name = Some(name).filter(|_| !is_hanging);
    name.into_iter().chain(owners.filter(|argument| *argument != "managed_policy_arns"))
}

/// What of [`OWNERS`] a resource type may have. Arguments of an entity itself may be called the same
/// and mean itself.
fn owning(resource_type: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_entity = naming_argument(resource_type).is_some();
    OWNERS.into_iter().filter(move |(argument, _)| {
        !is_entity || matches!(*argument, "role" | "managed_policy_arns")
    })
}

fn texts(value: Option<&Value>) -> BTreeSet<&str> {
    match value {
        Some(Value::String(text)) => BTreeSet::from([text.as_str()]),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arns_are_taken_apart() {
        let of = |arn: &str| {
            let found = Identity::of_arn(arn);
            assert_eq!(found.arn.as_deref(), Some(arn));
            (found.kind, found.path.unwrap(), found.name)
        };
        let parts = |kind: &str, path: &str, name: &str| {
            (kind.to_owned(), path.to_owned(), name.to_owned())
        };
        assert_eq!(of("arn:aws:iam::1:role/a/b/x"), parts("role", "/a/b/", "x"));
        assert_eq!(of("arn:aws:iam::1:policy/x"), parts("policy", "/", "x"));
        assert_eq!(of("arn:aws:iam::1:oidc-provider/a.b/c"), parts("oidc-provider", "/", "a.b/c"));
        assert_eq!(of("nothing"), parts("", "/", "nothing"));
    }

    #[test]
    fn entities_are_told_from_what_hangs_on_them() {
        let values = json!({ "name": "x", "path": "/p/", "arn": "a", "tags": { "k": "v" } });
        let found = own_of("aws_iam_role", &values).unwrap();
        assert_eq!((found.kind.as_str(), found.name.as_str()), ("role", "x"));
        assert_eq!((found.path.as_deref(), found.arn.as_deref()), (Some("/p/"), Some("a")));
        assert_eq!(found.tags, [Tag { key: "k".to_owned(), value: "v".to_owned() }]);
        assert!(own_of("aws_iam_role_policy", &json!({ "name": "x", "role": "r" })).is_none());
        assert!(own_of("aws_iam_role", &json!({})).is_none());
        let profile = json!({ "name": "x", "role": "r" });
        assert_eq!(own_of("aws_iam_instance_profile", &profile).unwrap().kind, "instance-profile");
        assert_eq!(own_of("aws_s3_bucket_policy", &json!({ "name": "x" })).unwrap().kind, "");
        for url in ["https://a.b/c/", "HTTPS://a.b/c"] {
            let found = own_of("aws_iam_openid_connect_provider", &json!({ "url": url }));
            assert_eq!(found.unwrap().name, "a.b/c");
        }
        let provider = json!({ "url": "https://a.b/c/" });
        assert_eq!(own_of("aws_iam_openid_connect_provider", &provider).unwrap().name, "a.b/c");
        let id = |resource_type: &str| {
            own_of(resource_type, &json!({ "name": "x", "id": "p-1" })).unwrap().id
        };
        assert_eq!(id("aws_organizations_policy").as_deref(), Some("p-1"));
        assert_eq!(id("aws_iam_role"), None);
        let linked = json!({ "aws_service_name": "x.amazonaws.com", "name": "AWSServiceRoleForX",
                             "path": "/aws-service-role/x.amazonaws.com/" });
        let found = own_of("aws_iam_service_linked_role", &linked).unwrap();
        assert_eq!((found.name.as_str(), found.path), ("x.amazonaws.com", None));
        let all = json!({ "name": "x", "tags_all": { "k": "v", "n": 1 } });
        assert_eq!(own_of("aws_iam_user", &all).unwrap().tags.len(), 1);
    }

    #[test]
    fn kinds_are_called_as_in_arns() {
        for (resource_type, argument, kind) in [
            ("aws_iam_role", Some("name"), "role"),
            ("aws_iam_group", Some("name"), "group"),
            ("aws_iam_instance_profile", Some("name"), "instance-profile"),
            ("aws_iam_openid_connect_provider", Some("url"), "oidc-provider"),
            ("aws_iam_saml_provider", Some("name"), "saml-provider"),
            ("aws_organizations_policy", Some("name"), "organizations-policy"),
            ("aws_iam_user_policy", None, "user-policy"),
            ("aws_iam_user_group_membership", None, "user-group-membership"),
            ("aws_s3_bucket", None, "s3-bucket"),
        ] {
            assert_eq!(naming_argument(resource_type), argument, "{resource_type}");
            assert_eq!(kind_in_arns(resource_type), kind);
        }
        let account =
            json!({ "name": "Billing", "arn": "arn:aws:organizations::1:account/o-1/222" });
        assert_eq!(
            own_of("aws_organizations_account", &account).unwrap().id.as_deref(),
            Some("222")
        );
        let set = json!({ "name": "Admins", "arn": "arn:aws:sso:::permissionSet/ssoins-1/ps-2",
                          "id": "arn:aws:sso:::permissionSet/ssoins-1/ps-2,arn:aws:sso:::instance/ssoins-1" });
        let found = own_of("aws_ssoadmin_permission_set", &set).unwrap();
        assert_eq!(found.id.as_deref(), Some("ps-2"));
    }

    #[test]
    fn what_joins_or_leaves_a_list_is_concerned() {
        let change: crate::plan_guard::plan::ResourceChange = serde_json::from_value(json!({
            "address": "aws_iam_user_group_membership.x", "mode": "managed",
            "type": "aws_iam_user_group_membership", "name": "x",
            "change": { "actions": ["update"],
                        "before": { "user": "u", "groups": ["a", "b"] },
                        "after": { "user": "u", "groups": ["b", "c"] } },
        }))
        .unwrap();
        let names = |side| -> Vec<(String, String)> {
            owners(&change, side).into_iter().map(|of| (of.kind, of.name)).collect()
        };
        let of = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        assert_eq!(names(Side::Before), [of("user", "u"), of("group", "a")]);
        assert_eq!(names(Side::After), [of("user", "u"), of("group", "c")]);
    }

    #[test]
    fn arguments_say_whom_a_resource_is_about() {
        let of = |resource_type: &str| arguments(resource_type).collect::<Vec<_>>();
        assert_eq!(of("aws_iam_openid_connect_provider"), ["url", "role"]);
        assert_eq!(of("aws_iam_role"), ["name", "role"]);
        let hanging = of("aws_iam_role_policy_attachment");
        assert_eq!((hanging[0], hanging.len()), ("role", 16));
        assert!(hanging.contains(&"policy_arn") && !hanging.contains(&"managed_policy_arns"));
        assert_eq!(of("aws_iam_service_linked_role"), ["aws_service_name", "role"]);
        assert!(!of("aws_organizations_delegated_administrator").contains(&"name"));
        assert!(of("aws_ssoadmin_account_assignment").contains(&"permission_set_arn"));
        assert!(of("aws_iam_user_ssh_key").contains(&"username"));
        assert!(of("aws_iam_group_membership").contains(&"name"));
    }

    #[test]
    fn same_name_of_the_same_kind_is_the_same_entity() {
        let of = |kind: &str, name: &str| Identity {
            kind: kind.to_owned(),
            name: name.to_owned(),
            ..Identity::default()
        };
        assert!(of("role", "X").is_also(&of("role", "x")));
        assert!(!of("role", "x").is_also(&of("user", "x")));
        assert!(!of("role", "x").is_also(&of("role", "y")));
        let policy = Identity { id: Some("p-1".to_owned()), ..of("organizations-policy", "g") };
        for name in ["g", "p-1"] {
            let other = of("organizations-policy", name);
            assert!(policy.is_also(&other) && other.is_also(&policy), "{name}");
        }
        assert!(!policy.is_also(&of("organizations-policy", "p-2")));
    }
}
