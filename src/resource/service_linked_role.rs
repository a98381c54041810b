//! Service-linked roles as Terraform: what people may change of them is description and tags.
//!
//! As roles they are raw JSON among the others, with trust policy and permissions that AWS keeps.
//! Here is what Terraform's own resource type for them knows, where settings ask for it.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_iam::types as sdk;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Key, Place, Touches, name_of_64};
use super::parts::{
    Tag, arn_mismatch, date, description_problem, name_problem, sdk_date, tags_argument,
    tags_problem,
};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, Unreadable, address,
    look_twice,
};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::summary::{Failure, Missing, count};
use crate::terraform::{Body, resource};

pub static KIND: Kind = Kind {
    name: "service-linked role",
    plural: "service linked roles",
    folders: &["service_linked_roles"],
    terraform_prefix: "iam_service_linked_role",
    case: Case::Ignored,
    asked_by: Some("service_linked_roles"),
    do_keys_end_in_names: true,
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_iam_service_linked_role",
        import_id: "ARN",
        identity: &["aws_service_name", "custom_suffix"],
        defaults: &[("custom_suffix", "")],
        written: &["aws_service_name", "custom_suffix", "description", "tags"],
        left_out: &[
            ("id", "the provider computes it"),
            ("tags_all", "the provider computes it from `tags`"),
        ],
        ..ResourceType::PLAIN
    }],
    permissions: &["iam:GetRole", "iam:ListRoles"],
    named_permissions: &["iam:GetRole"],
    read: |source| {
        Box::pin(async move {
            match source {
                Source::Live(live) => read_live(live).await,
                Source::Dump(dump) => read_dump(dump),
            }
        })
    },
    shelve,
    read_named: |live, keys| Box::pin(read_named(live, keys)),
    users: None,
    actions: &[
        Action::iam(
            &[
                "DeleteServiceLinkedRole",
                "TagRole",
                "UntagRole",
                "UpdateRole",
                "UpdateRoleDescription",
            ],
            Touches::Named(&[Key { place: Place::Request(&["roleName"]), read: name_of_64 }]),
        ),
        Action::iam(
            &["CreateServiceLinkedRole"],
            Touches::Named(&[Key {
                place: Place::Response(&["role", "roleName"]),
                read: name_of_64,
            }]),
        ),
    ],
    deeds: &[],
    parts: &[],
    parse: super::parse::<ServiceLinkedRole>,
};

/// What a role's path begins with that is linked to a service; the service follows.
const PATH: &str = "/aws-service-role/";

/// What a role has that its service leaves to people, and what it is known by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServiceLinkedRole {
    path: String,
    role_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    role_id: String,
    arn: String,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    /// Whether the description was read; files of the AWS CLI may lack it.
    #[serde(skip, default = "yes")]
    is_described: bool,
}

fn yes() -> bool {
    true
}

/// What says that a RoleDetail is one of an export, which holds the description.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Detail {
    max_session_duration: Option<i32>,
    #[serde(flatten)]
    role: ServiceLinkedRole,
}

/// What ListRoles knows and GetAccountAuthorizationDetails does not.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    arn: String,
    description: Option<String>,
}

impl ServiceLinkedRole {
    /// `autoscaling.amazonaws.com`.
    fn service(&self) -> &str {
        self.path.strip_prefix(PATH).unwrap_or_default().trim_end_matches('/')
    }

    /// What follows the one underscore of a name; with more than one the provider knows none. The
    /// roles of Application Auto Scaling have one that AWS chooses and that nobody may ask for, so the
    /// provider wants no argument there.
    fn suffix(&self) -> Option<&str> {
        if self.service().contains(".application-autoscaling.") {
            return None;
        }
        let mut parts = self.role_name.split('_');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(_), suffix, None) => suffix,
            _ => None,
        }
    }

    fn is_linked(&self) -> bool {
        self.path.starts_with(PATH)
    }
}

impl Entity for ServiceLinkedRole {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        &self.role_name
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn folder(&self) -> &'static str {
        "service_linked_roles"
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        Vec::new()
    }

    fn json_only(&self) -> Option<JsonOnly> {
        let service = self.service();
        let is_service =
            service.ends_with(".amazonaws.com") || service.ends_with(".amazonaws.com.cn");
        name_problem("role name", &self.role_name, 64)
            .or_else(|| arn_mismatch(&self.arn, &self.path, &self.role_name))
            .or_else(|| {
                (!is_service || service.contains('/'))
                    .then(|| format!("its path `{}` names no service of AWS", self.path))
            })
            .or_else(|| {
                let is_ambiguous = self.role_name.matches('_').count() > 1;
                is_ambiguous
                    .then(|| format!("the provider cannot tell the suffix in `{}`", self.role_name))
            })
            .or_else(|| self.description.as_deref().and_then(description_problem))
            .or_else(|| tags_problem(&self.tags))
            .map(JsonOnly::Inexpressible)
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }

    fn keep_known(&mut self, base: &dyn Entity) {
        let Some(base) = base.as_any().downcast_ref::<ServiceLinkedRole>() else { return };
        if !self.is_described {
            self.description.clone_from(&base.description);
            self.is_described = base.is_described;
        }
    }

    fn was_made(&self) -> bool {
        !self.role_id.is_empty()
    }

    fn is_named_by_aws(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, _: &Context) -> Body<'a> {
        let at = address("aws_iam_service_linked_role", &self.role_name);
        let unknown: &[&str] = if self.is_described { &[] } else { &["description"] };
        let block = resource(&at)
            .attribute("aws_service_name", self.service())
            .optional("custom_suffix", self.suffix())
            .optional("description", self.description.as_deref().filter(|text| !text.is_empty()))
            .optional("tags", tags_argument(&self.tags))
            .ignore_changes(unknown);
        let mut body = Body::default();
        body.import(&at, self.arn.clone(), block);
        body
    }
}

impl FromDump for ServiceLinkedRole {
    const WHAT: &'static str = "service-linked role";
    fn arn(&self) -> &str {
        &self.arn
    }
    fn name(&self) -> &str {
        &self.role_name
    }
    fn normalize(&mut self) {
        self.tags.sort();
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    let is_of_export = page.has("RoleName") && !page.has("AssumeRolePolicyDocument");
    if is_of_export
        && Page::arn_of(page.whole).is_some_and(|arn| arn.contains(":role/aws-service-role/"))
    {
        page.put("ServiceLinkedRole", Rank::OfAccount, page.whole);
    }
    Ok(())
}

/// Takes what an export wrote, and beside that the details of roles.
fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let mut errors = Vec::new();
    let summaries = dump.parse_by("Role", "role", |role: &Summary| &role.arn, &mut errors);
    let details = dump.parse::<Detail>("RoleDetail", "role", &mut errors);
    reading.failures.extend(errors.into_iter().map(Failure::from));
    let written: Vec<ServiceLinkedRole> = reading.take(dump, "ServiceLinkedRole", |_| {});
    let mut roles: HashMap<String, ServiceLinkedRole> =
        written.into_iter().map(|role| (role.arn.clone(), role)).collect();
    for (_, Detail { max_session_duration, mut role }) in details {
        if !role.is_linked() || !dump.owns(&role.arn) {
            continue;
        }
        role.normalize();
        if let Some(summary) = summaries.get(&role.arn) {
            role.description.clone_from(&summary.description);
        } else {
            role.is_described = max_session_duration.is_some();
        }
        roles.entry(role.arn.clone()).or_insert(role);
    }
    let undescribed = roles.values().filter(|role| !role.is_described).count();
    if undescribed > 0 {
        reading.missing.push(Missing {
            command: "aws iam list-roles".to_owned(),
            what: format!("description of {}", count(undescribed, KIND.name)),
        });
    }
    if !roles.is_empty() && dump.has_all_details() {
        reading.set_complete("service_linked_roles");
    }
    reading.entities = roles.into_values().map(|role| Box::new(role) as _).collect();
    reading
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let request = |marker| {
        let request = live.iam.list_roles().path_prefix(PATH).set_marker(marker);
        request.max_items(1000).send()
    };
    let listed =
        live.list("iam:ListRoles", request, |page| (page.roles, page.is_truncated, page.marker));
    let listed = match listed.await {
        Ok(listed) => listed,
        Err(error) => {
            reading.failures.push(error.into());
            return reading;
        }
    };
    reading.complete.insert("service_linked_roles");
    let names = listed.into_iter().map(|role| role.role_name);
    let mut answers = futures::stream::iter(names)
        .map(|name| async move { (name.clone(), read_role(live, &name).await) })
        .buffer_unordered(live.concurrency);
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(Some(role)) if role.is_linked() => reading.entities.push(Box::new(role)),
            // Deleted since the listing.
            Ok(_) => {}
            Err(error) => reading.unreadable.push(Unreadable { name, error }),
        }
    }
    reading
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    let mut reading = Reading::of_named(keys);
    let mut answers = futures::stream::iter(keys.clone())
        .map(|name| async move {
            let found = look_twice(live, || read_role(live, &name)).await;
            (name, found)
        })
        .buffer_unordered(live.concurrency);
    while let Some((name, found)) = answers.next().await {
        // Any role may be named: of this kind there is none then.
        reading.add(name, found.map(|role| role.filter(ServiceLinkedRole::is_linked)));
    }
    reading
}

/// Reads one role, of whatever path; `None` when there is none of that name.
async fn read_role(live: &Live, name: &str) -> Result<Option<ServiceLinkedRole>, CallError> {
    let call = "iam:GetRole";
    match live.call(call, live.iam.get_role().role_name(name).send()).await {
        Ok(answer) => match answer.role {
            Some(role) => Ok(Some(ServiceLinkedRole::from(role))),
            None => Err(CallError::empty(call)),
        },
        Err(error) if error.reason == Reason::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl From<sdk::Role> for ServiceLinkedRole {
    fn from(role: sdk::Role) -> ServiceLinkedRole {
        let mut tags: Vec<Tag> = role.tags.unwrap_or_default().into_iter().map(Tag::from).collect();
        tags.sort();
        ServiceLinkedRole {
            path: role.path,
            role_name: role.role_name,
            role_id: role.role_id,
            arn: role.arn,
            create_date: sdk_date(Some(&role.create_date)),
            description: role.description,
            tags,
            is_described: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffix_is_what_people_may_choose() {
        for (service, name, suffix) in [
            ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", None),
            ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling_blue", Some("blue")),
            (
                "dynamodb.application-autoscaling.amazonaws.com",
                "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
                None,
            ),
        ] {
            let role = serde_json::json!({
                "Path": format!("{PATH}{service}/"), "RoleName": name,
                "Arn": format!("arn:aws:iam::111122223333:role{PATH}{service}/{name}")
            });
            let role: ServiceLinkedRole = serde_json::from_value(role).unwrap();
            assert_eq!(role.json_only(), None);
            assert_eq!(role.suffix(), suffix, "{name}");
        }
    }
}
