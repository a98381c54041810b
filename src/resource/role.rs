//! Roles, with what hangs on them: inline policies, attachments and instance profiles.

use std::collections::{BTreeSet, HashMap, HashSet};

use aws_sdk_iam::types as sdk;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches, is_name, name_of_64};
use super::parts::{
    AttachedPolicy, InlinePolicy, PermissionsBoundary, Tag, arn_mismatch, date,
    description_problem, document_problem, json_encode, managed_elsewhere, name_problem,
    non_default_path, path_problem, sdk_date, tags_argument, tags_problem,
};
use super::principal::Hanging;
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, Unreadable, address,
    principal, read_each,
};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::invisible::visible;
use crate::policy_document::{Dialect, Document};
use crate::summary::{Failure, Missing, count};
use crate::terraform::{Address, Body, Expression, resource};

pub static KIND: Kind = Kind {
    name: "role",
    plural: "roles",
    folders: &["roles"],
    terraform_prefix: "iam_role",
    case: Case::Ignored,
    asked_by: None,
    do_keys_end_in_names: true,
    detail_list: Some("RoleDetailList"),
    resource_types: &[
        ResourceType {
            name: "aws_iam_role",
            import_id: "ROLE",
            identity: &["name"],
            document: Some(("assume_role_policy", Dialect::Iam)),
            defaults: &[("max_session_duration", "3600"), ("path", "/")],
            written: &[
                "assume_role_policy",
                "description",
                "max_session_duration",
                "name",
                "path",
                "permissions_boundary",
                "tags",
            ],
            left_out: &[
                (
                    "force_detach_policies",
                    "concerns Terraform's own delete; AWS holds no such value",
                ),
                ("id", "the provider computes it"),
                ("inline_policy", "deprecated in 5.68; each is an `aws_iam_role_policy`"),
                (
                    "managed_policy_arns",
                    "deprecated in 5.72; each is an `aws_iam_role_policy_attachment`",
                ),
                ("name_prefix", "conflicts with `name`"),
                ("tags_all", "the provider computes it from `tags`"),
            ],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_role_policy",
            import_id: "ROLE:POLICY",
            identity: &["role", "name"],
            owner: Some("role"),
            document: Some(("policy", Dialect::Iam)),
            also_declared_by: &[
                ("aws_iam_role", "inline_policy", "name"),
                ("aws_iam_role_policies_exclusive", "policy_names", "role_name"),
            ],
            written: &["name", "policy", "role"],
            left_out: &[
                ("id", "the provider computes it"),
                ("name_prefix", "conflicts with `name`"),
            ],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_role_policy_attachment",
            import_id: "ROLE/POLICY_ARN",
            identity: &["role", "policy_arn"],
            owner: Some("role"),
            also_declared_by: &[
                ("aws_iam_role", "managed_policy_arns", "name"),
                ("aws_iam_policy_attachment", "roles", "roles"),
                ("aws_iam_role_policy_attachments_exclusive", "policy_arns", "role_name"),
            ],
            written: &["policy_arn", "role"],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_role_policies_exclusive",
            import_id: "ROLE",
            identity: &["role_name"],
            owner: Some("role_name"),
            sets: &["policy_names"],
            written: &["policy_names", "role_name"],
            left_out: &[],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_role_policy_attachments_exclusive",
            import_id: "ROLE",
            identity: &["role_name"],
            owner: Some("role_name"),
            sets: &["policy_arns"],
            written: &["policy_arns", "role_name"],
            left_out: &[],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_instance_profile",
            import_id: "PROFILE",
            identity: &["name"],
            owner: Some("role"),
            defaults: &[("path", "/")],
            written: &["name", "path", "role", "tags"],
            left_out: &[
                ("id", "the provider computes it"),
                ("name_prefix", "conflicts with `name`"),
                ("tags_all", "the provider computes it from `tags`"),
            ],
            ..ResourceType::PLAIN
        },
    ],
    permissions: &[
        "iam:GetAccountAuthorizationDetails",
        "iam:GetInstanceProfile",
        "iam:GetRole",
        "iam:ListRoles",
    ],
    named_permissions: &[
        "iam:GetInstanceProfile",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole",
        "iam:ListRolePolicies",
    ],
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
                "AttachRolePolicy",
                "CreateRole",
                "DeleteRole",
                "DeleteRolePermissionsBoundary",
                "DeleteRolePolicy",
                "DeleteServiceLinkedRole",
                "DetachRolePolicy",
                "PutRolePermissionsBoundary",
                "PutRolePolicy",
                "TagRole",
                "UntagRole",
                "UpdateAssumeRolePolicy",
                "UpdateRole",
                "UpdateRoleDescription",
            ],
            Touches::Named(&[ROLE_KEY]),
        ),
        Action::iam(&["AcquireRole", "CreateServiceLinkedRole"], Touches::Named(&[NEW_ROLE_KEY])),
        Action::iam(
            &["AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"],
            Touches::Named(&[ROLE_KEY, PROFILE_KEY]),
        ),
        Action::iam(
            &["DeleteInstanceProfile", "TagInstanceProfile", "UntagInstanceProfile"],
            Touches::Named(&[PROFILE_KEY]),
        ),
    ],
    deeds: &[
        ("AddRoleToInstanceProfile", "instanceProfileName", "added it to the instance profile"),
        ("AttachRolePolicy", "policyArn", "attached"),
        ("DeleteRolePolicy", "policyName", "deleted the inline policy"),
        ("DetachRolePolicy", "policyArn", "detached"),
        ("PutRolePermissionsBoundary", "permissionsBoundary", "set the permissions boundary to"),
        ("PutRolePolicy", "policyName", "put the inline policy"),
        (
            "RemoveRoleFromInstanceProfile",
            "instanceProfileName",
            "removed it from the instance profile",
        ),
    ],
    parts: &[(INSTANCE_PROFILE, "instance profile")],
    parse: super::parse::<Role>,
};

const ROLE_KEY: Key = Key { place: Place::Request(&["roleName"]), read: name_of_64 };
const NEW_ROLE_KEY: Key = Key { place: Place::Response(&["role", "roleName"]), read: name_of_64 };
const PROFILE_KEY: Key = Key {
    place: Place::Request(&["instanceProfileName"]),
    read: |name, _| match is_name(name, 128) {
        true => Found::Key(format!("{INSTANCE_PROFILE}{name}")),
        false => Found::Unclear,
    },
};

/// The RoleDetail of GetAccountAuthorizationDetails, plus what only ListRoles returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Role {
    path: String,
    role_name: String,
    /// Empty where a person wrote the role and AWS has not made it yet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    role_id: String,
    arn: String,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
    /// Unknown as long as [`Role::max_session_duration`] is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Seconds. Every role has one; `None` means that ListRoles was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_session_duration: Option<i32>,
    assume_role_policy_document: Document,
    #[serde(default)]
    instance_profile_list: Vec<InstanceProfile>,
    #[serde(default)]
    role_policy_list: Vec<InlinePolicy>,
    #[serde(default)]
    attached_managed_policies: Vec<AttachedPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<PermissionsBoundary>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceProfile {
    path: String,
    instance_profile_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    instance_profile_id: String,
    arn: String,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
    /// `None` means that GetInstanceProfile was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<Tag>>,
}

/// What ListRoles knows and GetAccountAuthorizationDetails does not.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    arn: String,
    description: Option<String>,
    max_session_duration: Option<i32>,
}

impl Role {
    fn add_summary(&mut self, summary: &Summary) {
        self.description = summary.description.clone();
        self.max_session_duration = summary.max_session_duration;
    }

    /// Brings what AWS returns in any order into one.
    fn sort(&mut self) {
        self.instance_profile_list
            .sort_by(|a, b| a.instance_profile_name.cmp(&b.instance_profile_name));
        principal::sort(&mut self.role_policy_list, &mut self.attached_managed_policies);
        self.tags.sort();
        for profile in &mut self.instance_profile_list {
            profile.tags.iter_mut().for_each(|tags| tags.sort());
        }
    }

    fn problem(&self) -> Option<String> {
        name_problem("role name", &self.role_name, 64)
            .or_else(|| path_problem(&self.path))
            .or_else(|| arn_mismatch(&self.arn, &self.path, &self.role_name))
            .or_else(|| self.description.as_deref().and_then(description_problem))
            .or_else(|| document_problem("its trust policy", &self.assume_role_policy_document))
            .or_else(|| self.max_session_duration.and_then(duration_problem))
            .or_else(|| tags_problem(&self.tags))
            .or_else(|| {
                principal::problem(
                    self.permissions_boundary.as_ref(),
                    &self.role_policy_list,
                    &self.attached_managed_policies,
                )
            })
            .or_else(|| {
                self.instance_profile_list.iter().find_map(|profile| {
                    name_problem("instance profile name", &profile.instance_profile_name, 128)
                        .or_else(|| path_problem(&profile.path))
                        .or_else(|| tags_problem(profile.tags.as_deref().unwrap_or_default()))
                })
            })
    }

    /// The resources that let the role have no other policies.
    fn exclusive(&self) -> [Address; 2] {
        ["aws_iam_role_policies_exclusive", "aws_iam_role_policy_attachments_exclusive"]
            .map(|of| address(of, &self.role_name))
    }

    fn role_block<'a>(&'a self, at: &Address, context: &Context) -> crate::terraform::Block<'a> {
        let unknown: &[&str] = match self.max_session_duration {
            None => &["description", "max_session_duration"],
            Some(_) => &[],
        };
        resource(at)
            .attribute("name", self.role_name.as_str())
            .optional("path", non_default_path(&self.path))
            .optional("description", self.description.as_deref().filter(|text| !text.is_empty()))
            .optional(
                "max_session_duration",
                self.max_session_duration.filter(|seconds| *seconds != 3600),
            )
            .optional(
                "permissions_boundary",
                principal::boundary(self.permissions_boundary.as_ref(), context),
            )
            .optional("assume_role_policy", json_encode(&self.assume_role_policy_document))
            .optional("tags", tags_argument(&self.tags))
            .ignore_changes(unknown)
    }
}

impl InstanceProfile {
    /// Something else manages it.
    fn is_left_out(&self, context: &Context) -> bool {
        let tags = self.tags.as_deref().unwrap_or_default();
        managed_elsewhere(tags).is_some() && !context.managed_elsewhere
    }
}

impl Role {
    /// The trust policy.
    pub fn trust(&self) -> &Document {
        &self.assume_role_policy_document
    }
}

impl Entity for Role {
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
        "roles"
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        let trust = (String::new(), Dialect::Iam, &mut self.assume_role_policy_document);
        std::iter::once(trust).chain(principal::documents(&mut self.role_policy_list)).collect()
    }

    /// Told by path: anybody may call a role `AWSServiceRoleForX`.
    fn json_only(&self) -> Option<JsonOnly> {
        if self.path.starts_with("/aws-service-role/") {
            return Some(JsonOnly::ServiceLinked);
        }
        if self.path.starts_with("/aws-reserved/") {
            return Some(JsonOnly::Reserved);
        }
        self.problem().map(JsonOnly::Inexpressible)
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }

    fn keep_known(&mut self, base: &dyn Entity) {
        let Some(base) = base.as_any().downcast_ref::<Role>() else { return };
        if self.max_session_duration.is_none() {
            self.description.clone_from(&base.description);
            self.max_session_duration = base.max_session_duration;
        }
        for profile in &mut self.instance_profile_list {
            let of_base = base.instance_profile_list.iter().find(|other| other.arn == profile.arn);
            profile.tags = profile.tags.take().or_else(|| of_base?.tags.clone());
        }
    }

    fn was_made(&self) -> bool {
        !self.role_id.is_empty()
    }

    fn take_defaults(&mut self, base: Option<&dyn Entity>) {
        let base = base.and_then(|base| base.as_any().downcast_ref::<Role>());
        if base.is_none_or(|base| base.max_session_duration.is_some()) {
            self.max_session_duration.get_or_insert(3600);
        }
        for profile in &mut self.instance_profile_list {
            let mut of_base = base.iter().flat_map(|base| &base.instance_profile_list);
            let of_base = of_base.find(|other| other.arn == profile.arn);
            if of_base.is_none_or(|of_base| of_base.tags.is_some()) {
                profile.tags.get_or_insert_default();
            }
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, context: &Context) -> Body<'a> {
        let name = &self.role_name;
        let at = address("aws_iam_role", name);
        let role = || at.attribute("name");
        let mut body = Body::default();
        body.import(&at, name.clone(), self.role_block(&at, context));
        principal::hang(
            &mut body,
            &HANGING,
            name,
            &role(),
            &self.role_policy_list,
            &self.attached_managed_policies,
            context,
        );
        if context.exclusive {
            // By reference, as the provider cannot make them.
            let names = self.role_policy_list.iter().map(|policy| {
                principal::inline_address(&HANGING, name, &policy.policy_name).attribute("name")
            });
            let [policies, attachments] = self.exclusive();
            let block = resource(&policies)
                .attribute("role_name", role())
                .attribute("policy_names", Expression::List(names.collect()));
            body.import(&policies, name.clone(), block);
            let arns = self.attached_managed_policies.iter();
            let arns = arns.map(|policy| context.refer(&super::policy::KIND, &policy.policy_arn));
            let block = resource(&attachments)
                .attribute("role_name", role())
                .attribute("policy_arns", Expression::List(arns.collect()));
            body.import(&attachments, name.clone(), block);
        }
        for profile in &self.instance_profile_list {
            if profile.is_left_out(context) {
                continue;
            }
            let profile_name = profile.instance_profile_name.as_str();
            let at = address("aws_iam_instance_profile", profile_name);
            let unknown: &[&str] = if profile.tags.is_none() { &["tags", "tags_all"] } else { &[] };
            let block = resource(&at)
                .attribute("name", profile_name)
                .optional("path", non_default_path(&profile.path))
                .attribute("role", role())
                .optional("tags", profile.tags.as_deref().and_then(tags_argument))
                .ignore_changes(unknown);
            body.import(&at, profile_name.to_owned(), block);
        }
        body
    }

    fn mentions(&self) -> Vec<(&'static Kind, &str)> {
        principal::mentions(self.permissions_boundary.as_ref(), &self.attached_managed_policies)
            .collect()
    }

    fn left_out(&self, context: &Context) -> Vec<Address> {
        let profiles = self.instance_profile_list.iter();
        let profiles = profiles
            .filter(|profile| profile.is_left_out(context))
            .map(|profile| address("aws_iam_instance_profile", &profile.instance_profile_name));
        let exclusive = self.exclusive().into_iter().filter(|_| !context.exclusive);
        profiles.chain(exclusive).collect()
    }
}

const HANGING: Hanging = Hanging {
    owner: "role",
    inline_policy: "aws_iam_role_policy",
    attachment: "aws_iam_role_policy_attachment",
};

fn duration_problem(seconds: i32) -> Option<String> {
    (!(3600..=43200).contains(&seconds))
        .then(|| format!("the provider refuses a maximum session of {seconds} seconds"))
}

impl FromDump for Role {
    const WHAT: &'static str = "role";
    fn arn(&self) -> &str {
        &self.arn
    }
    fn name(&self) -> &str {
        &self.role_name
    }
    fn normalize(&mut self) {
        self.sort();
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    for role in page.list("RoleDetailList")? {
        page.put("RoleDetail", Rank::OfAccount, role);
    }
    for role in page.list("Roles")?.into_iter().chain(page.get("Role")) {
        page.put("Role", Rank::Part, role);
    }
    if let Some(profile) = page.get("InstanceProfile") {
        page.put("InstanceProfile", Rank::Part, profile);
    }
    if page.has("AssumeRolePolicyDocument") && page.has("RoleName") {
        page.put("RoleDetail", Rank::OfAccount, page.whole);
    }
    Ok(())
}

fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let mut errors = Vec::new();
    let summaries = dump.parse_by("Role", "role", |summary: &Summary| &summary.arn, &mut errors);
    let profiles = dump.parse_by(
        "InstanceProfile",
        "instance profile",
        |profile: &InstanceProfile| &profile.arn,
        &mut errors,
    );
    reading.failures.extend(errors.into_iter().map(Failure::from));
    let roles: Vec<Role> = reading.take(dump, "RoleDetail", |role: &mut Role| {
        if let Some(summary) = summaries.get(&role.arn) {
            role.add_summary(summary);
        }
        for profile in &mut role.instance_profile_list {
            if let Some(described) = profiles.get(&profile.arn) {
                profile.tags = Some(described.tags.clone().unwrap_or_default());
            }
        }
    });

    let undescribed = roles.iter().filter(|role| role.max_session_duration.is_none()).count();
    if undescribed > 0 {
        reading.missing.push(Missing {
            command: "aws iam list-roles".to_owned(),
            what: format!("description and session duration of {}", count(undescribed, "role")),
        });
    }
    let untagged: Vec<_> = roles
        .iter()
        .flat_map(|role| &role.instance_profile_list)
        .filter(|profile| profile.tags.is_none())
        .map(|profile| profile.instance_profile_name.as_str())
        .collect();
    if let Some(name) = untagged.first() {
        reading.missing.push(Missing {
            command: format!("aws iam get-instance-profile --instance-profile-name {name}"),
            what: format!("for each: tags of {}", count(untagged.len(), "instance profile")),
        });
    }
    // A list of none is what a filtered call prints too: no proof that every role is gone.
    let known: HashSet<&str> = roles.iter().map(|role| role.arn.as_str()).collect();
    let is_listed_only = |arn: &String| dump.owns(arn) && !known.contains(arn.as_str());
    if !roles.is_empty() && dump.has_all_details() && !summaries.keys().any(is_listed_only) {
        reading.set_complete("roles");
    }
    reading.entities = roles.into_iter().map(|role| Box::new(role) as Box<dyn Entity>).collect();
    reading
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let (details, summaries) = tokio::join!(live.authorization_details(), list_roles(live));
    let (details, summaries) = match (details, summaries) {
        (Ok(details), Ok(summaries)) => (details, summaries),
        (details, summaries) => {
            let errors = [details.err(), summaries.err()];
            reading.failures.extend(errors.into_iter().flatten().map(Failure::from));
            return reading;
        }
    };
    let details = std::mem::take(&mut *details.roles.lock().expect("no panic while held"));
    let detailed: HashSet<&str> = details.iter().filter_map(sdk::RoleDetail::arn).collect();
    // The first by name, whatever the order of the answers.
    match summaries.keys().filter(|arn| !detailed.contains(arn.as_str())).min() {
        None => {
            reading.complete.insert("roles");
        }
        Some(arn) => reading.notes.push(format!(
            "`{}` is listed and its details are not, as roles were made or deleted during this export; no role \
             counts as gone: run again",
            visible(arn)
        )),
    }
    let mut answers = futures::stream::iter(details)
        .map(|detail| complete_role(live, &summaries, Role::from(detail)))
        .buffer_unordered(live.concurrency * 2);
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(Some(role)) => reading.entities.push(Box::new(role)),
            Ok(None) => {}
            Err(error) => reading.unreadable.push(Unreadable { name, error }),
        }
    }
    reading
}

async fn list_roles(live: &Live) -> Result<HashMap<String, Summary>, CallError> {
    let request = |marker| live.iam.list_roles().max_items(1000).set_marker(marker).send();
    let roles = live
        .list("iam:ListRoles", request, |page| (page.roles, page.is_truncated, page.marker))
        .await?;
    let summary = |role: sdk::Role| Summary {
        arn: role.arn,
        description: role.description,
        max_session_duration: role.max_session_duration,
    };
    Ok(roles.into_iter().map(summary).map(|summary| (summary.arn.clone(), summary)).collect())
}

/// Adds what other calls know; `None` when the role is gone by now.
async fn complete_role(
    live: &Live,
    summaries: &HashMap<String, Summary>,
    mut role: Role,
) -> (String, Result<Option<Role>, CallError>) {
    let name = role.role_name.clone();
    let completed = async {
        match summaries.get(&role.arn) {
            Some(summary) => role.add_summary(summary),
            None => {
                // Made or deleted between the two listings.
                let request = live.iam.get_role().role_name(&name);
                match live.call("iam:GetRole", request.send()).await {
                    Ok(answer) => {
                        let answer = answer.role.ok_or_else(|| CallError::empty("iam:GetRole"))?;
                        role.description = answer.description;
                        role.max_session_duration = answer.max_session_duration;
                    }
                    Err(error) if error.reason == Reason::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
        }
        tag_instance_profiles(live, &mut role).await?;
        role.sort();
        Ok(Some(role))
    };
    let completed = completed.await;
    (name, completed)
}

/// Listings of instance profiles have no tags.
async fn tag_instance_profiles(live: &Live, role: &mut Role) -> Result<(), CallError> {
    for mut profile in std::mem::take(&mut role.instance_profile_list) {
        // Nothing: deleted since the listing.
        if let Some(answer) = instance_profile(live, &profile.instance_profile_name).await? {
            profile.tags =
                Some(answer.tags.unwrap_or_default().into_iter().map(Tag::from).collect());
            role.instance_profile_list.push(profile);
        }
    }
    Ok(())
}

async fn instance_profile(
    live: &Live,
    name: &str,
) -> Result<Option<sdk::InstanceProfile>, CallError> {
    let call = "iam:GetInstanceProfile";
    let request = live.iam.get_instance_profile().instance_profile_name(name);
    match live.call(call, request.send()).await {
        Ok(answer) => answer.instance_profile.ok_or_else(|| CallError::empty(call)).map(Some),
        Err(error) if error.reason == Reason::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a scope calls a role of which only an instance profile is known.
const INSTANCE_PROFILE: &str = "instance-profile/";

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    let mut reading = Reading::of_named(keys);
    let mut names = BTreeSet::new();
    for key in keys {
        let Some(profile) = key.strip_prefix(INSTANCE_PROFILE) else {
            names.insert(key.clone());
            continue;
        };
        match instance_profile(live, profile).await {
            Ok(Some(profile)) => names.extend(profile.roles.into_iter().map(|role| role.role_name)),
            // Its role has an event of its own.
            Ok(None) => {}
            Err(error) => reading.unreadable.push(Unreadable { name: key.clone(), error }),
        }
    }
    let read = read_each(live, &names, |name| async move { read_role(live, &name).await }).await;
    reading.entities = read.entities;
    reading.absent = read.absent;
    reading.unreadable.extend(read.unreadable);
    reading
}

/// Reads one role; `None` when there is none of that name.
async fn read_role(live: &Live, name: &str) -> Result<Option<Role>, CallError> {
    let iam = &live.iam;
    let role = async {
        let call = "iam:GetRole";
        let answer = live.call(call, iam.get_role().role_name(name).send()).await?;
        answer.role.ok_or_else(|| CallError::empty(call))
    };
    let profiles = list_instance_profiles(live, name);
    let read = async {
        tokio::try_join!(role, inline_policies(live, name), attached_policies(live, name), profiles)
    };
    let (role, inline, attached, profiles) = match read.await {
        Ok(answers) => answers,
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut role = Role {
        description: role.description,
        max_session_duration: role.max_session_duration,
        path: role.path,
        role_name: role.role_name,
        role_id: role.role_id,
        arn: role.arn,
        create_date: sdk_date(Some(&role.create_date)),
        assume_role_policy_document: Document::from_text(
            &role.assume_role_policy_document.unwrap_or_default(),
        ),
        instance_profile_list: profiles.into_iter().map(InstanceProfile::from).collect(),
        role_policy_list: inline,
        attached_managed_policies: attached,
        permissions_boundary: role.permissions_boundary.map(PermissionsBoundary::from),
        tags: role.tags.unwrap_or_default().into_iter().map(Tag::from).collect(),
    };
    tag_instance_profiles(live, &mut role).await?;
    role.sort();
    Ok(Some(role))
}

async fn inline_policies(live: &Live, role: &str) -> Result<Vec<InlinePolicy>, CallError> {
    let request = |marker| {
        let request = live.iam.list_role_policies().role_name(role).set_marker(marker);
        request.max_items(1000).send()
    };
    let call = "iam:ListRolePolicies";
    let names = live
        .list(call, request, |page| (page.policy_names, page.is_truncated, page.marker))
        .await?;
    principal::inline_policies(live, names, |name| async move {
        let request = live.iam.get_role_policy().role_name(role).policy_name(name);
        let answer = live.call("iam:GetRolePolicy", request.send()).await?;
        Ok(InlinePolicy {
            policy_name: answer.policy_name,
            policy_document: Document::from_text(&answer.policy_document),
        })
    })
    .await
}

async fn attached_policies(live: &Live, role: &str) -> Result<Vec<AttachedPolicy>, CallError> {
    let request = |marker| {
        let request = live.iam.list_attached_role_policies().role_name(role).set_marker(marker);
        request.max_items(1000).send()
    };
    live.list("iam:ListAttachedRolePolicies", request, |page| {
        (principal::attached(page.attached_policies), page.is_truncated, page.marker)
    })
    .await
}

async fn list_instance_profiles(
    live: &Live,
    role: &str,
) -> Result<Vec<sdk::InstanceProfile>, CallError> {
    let request = |marker| {
        let request = live.iam.list_instance_profiles_for_role().role_name(role);
        request.max_items(1000).set_marker(marker).send()
    };
    live.list("iam:ListInstanceProfilesForRole", request, |page| {
        (page.instance_profiles, page.is_truncated, page.marker)
    })
    .await
}

impl From<sdk::InstanceProfile> for InstanceProfile {
    fn from(profile: sdk::InstanceProfile) -> InstanceProfile {
        InstanceProfile {
            path: profile.path,
            instance_profile_name: profile.instance_profile_name,
            instance_profile_id: profile.instance_profile_id,
            arn: profile.arn,
            create_date: sdk_date(Some(&profile.create_date)),
            tags: None,
        }
    }
}

impl From<sdk::RoleDetail> for Role {
    fn from(detail: sdk::RoleDetail) -> Role {
        Role {
            path: detail.path.unwrap_or_else(|| "/".to_owned()),
            role_name: detail.role_name.unwrap_or_default(),
            role_id: detail.role_id.unwrap_or_default(),
            arn: detail.arn.unwrap_or_default(),
            create_date: sdk_date(detail.create_date.as_ref()),
            description: None,
            max_session_duration: None,
            assume_role_policy_document: Document::from_text(
                &detail.assume_role_policy_document.unwrap_or_default(),
            ),
            instance_profile_list: detail
                .instance_profile_list
                .unwrap_or_default()
                .into_iter()
                .map(InstanceProfile::from)
                .collect(),
            role_policy_list: detail
                .role_policy_list
                .unwrap_or_default()
                .into_iter()
                .map(InlinePolicy::from)
                .collect(),
            attached_managed_policies: detail
                .attached_managed_policies
                .unwrap_or_default()
                .into_iter()
                .map(AttachedPolicy::from)
                .collect(),
            permissions_boundary: detail.permissions_boundary.map(PermissionsBoundary::from),
            tags: detail.tags.unwrap_or_default().into_iter().map(Tag::from).collect(),
        }
    }
}
