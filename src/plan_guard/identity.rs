//! Whom a resource is about: names, paths, ARNs and tags among its arguments.

use std::collections::BTreeSet;

use serde_json::Value;

use super::plan::{ResourceChange, Side};
use crate::resource::parts::Tag;

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

/// Resource types that are an entity themselves, with the kind and the argument that names it.
const ENTITIES: [(&str, &str, &str); 8] = [
    ("aws_iam_role", "role", "name"),
    ("aws_iam_policy", "policy", "name"),
    ("aws_iam_user", "user", "name"),
    ("aws_iam_group", "group", "name"),
    ("aws_iam_instance_profile", "instance-profile", "name"),
    ("aws_iam_openid_connect_provider", "oidc-provider", "url"),
    ("aws_iam_saml_provider", "saml-provider", "name"),
    ("aws_organizations_policy", "organizations-policy", "name"),
];

/// Arguments that name the entity on which a resource hangs, with its kind; those that hold ARNs
/// have none.
const OWNERS: [(&str, &str); 14] = [
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
];

/// Of these lists only what joins or leaves is concerned by a change.
const LISTS: [&str; 2] = ["policy_arns", "managed_policy_arns"];

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
    let known = ENTITIES.iter().find(|(known, ..)| *known == resource_type);
    let (kind, argument) = known.map_or(("", "name"), |(_, kind, argument)| (kind, argument));
    let is_hanging = known.is_none() && OWNERS.iter().any(|(owner, _)| text(owner).is_some());
    let name = text(argument).filter(|_| !is_hanging)?;
    let scheme = "https://";
    let is_url = name.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme));
    let name = if is_url { &name[scheme.len()..] } else { name }.trim_end_matches('/');
    let tags = ["tags", "tags_all"].into_iter().filter_map(|of| values.get(of)?.as_object());
    let tag = |(key, value): (&String, &Value)| {
        Some(Tag { key: key.clone(), value: value.as_str()?.to_owned() })
    };
    Some(Identity {
        kind: kind.to_owned(),
        name: name.to_owned(),
        path: Some(text("path").unwrap_or("/").to_owned()),
        arn: text("arn").map(str::to_owned),
        id: text("id").filter(|_| kind == "organizations-policy").map(str::to_owned),
        tags: tags.flatten().filter_map(tag).collect(),
    })
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
                Identity { kind: kind.to_owned(), name: text.to_owned(), ..Identity::default() }
            }
        }));
    }
    found
}

/// The arguments of a resource type that say whom it is about, as far as it has them.
pub fn arguments(resource_type: &str) -> impl Iterator<Item = &'static str> {
    let known = ENTITIES.iter().find(|(known, ..)| *known == resource_type);
    let name = known.map_or("name", |(_, _, argument)| argument);
    // A role's list of attachments is computed where it is not declared.
    let owners = owning(resource_type).map(|(argument, _)| argument);
    // The name of what hangs on an entity is no entity's.
    let is_hanging = known.is_none()
        && ["role_policy", "user_policy", "group_policy"].iter().any(|hanging| {
            resource_type.strip_prefix("aws_iam_").is_some_and(|it| it.starts_with(hanging))
        });
    let name = Some(name).filter(|_| !is_hanging);
    name.into_iter().chain(owners.filter(|argument| *argument != "managed_policy_arns"))
}

/// What of [`OWNERS`] a resource type may have. Arguments of an entity itself may be called the same
/// and mean itself.
fn owning(resource_type: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_entity = ENTITIES.iter().any(|(known, ..)| *known == resource_type);
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
        let all = json!({ "name": "x", "tags_all": { "k": "v", "n": 1 } });
        assert_eq!(own_of("aws_iam_user", &all).unwrap().tags.len(), 1);
    }

    #[test]
    fn arguments_say_whom_a_resource_is_about() {
        let of = |resource_type: &str| arguments(resource_type).collect::<Vec<_>>();
        assert_eq!(of("aws_iam_openid_connect_provider"), ["url", "role"]);
        assert_eq!(of("aws_iam_role"), ["name", "role"]);
        let hanging = of("aws_iam_role_policy_attachment");
        assert_eq!((hanging[0], hanging.len()), ("role", 13));
        assert!(hanging.contains(&"policy_arn") && !hanging.contains(&"managed_policy_arns"));
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
