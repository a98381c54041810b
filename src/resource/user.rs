//! Users, with what hangs on them: inline policies, attachments and memberships of groups.
//!
//! Access keys, passwords and MFA devices are secrets or lead to them: they are never read.

use std::collections::BTreeSet;

use aws_sdk_iam::types as sdk;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches, name_of_64};
use super::parts::{
    AttachedPolicy, InlinePolicy, PermissionsBoundary, Tag, arn_mismatch, date, name_problem,
    non_default_path, path_problem, sdk_date, tags_argument, tags_problem,
};
use super::principal::{self, Hanging};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, address, group, read_each,
};
use crate::aws::{CallError, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::terraform::{Address, Body, Expression, label, resource};

pub static KIND: Kind = Kind {
    name: "user",
    plural: "users",
    folders: &["users"],
    terraform_prefix: "iam_user",
    case: Case::Ignored,
    asked_by: None,
    do_keys_end_in_names: true,
    detail_list: Some("UserDetailList"),
    resource_types: &[
        ResourceType {
            name: "aws_iam_user",
            import_id: "USER",
            identity: &["name"],
            defaults: &[("path", "/")],
            written: &["name", "path", "permissions_boundary", "tags"],
            left_out: &[
                ("force_destroy", "concerns Terraform's own delete; AWS holds no such value"),
                ("id", "the provider computes it"),
                ("tags_all", "the provider computes it from `tags`"),
            ],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_user_policy",
            import_id: "USER:POLICY",
            identity: &["user", "name"],
            owner: Some("user"),
            document: Some(("policy", Dialect::Iam)),
            also_declared_by: &[("aws_iam_user_policies_exclusive", "policy_names", "user_name")],
            written: &["name", "policy", "user"],
            left_out: &[
                ("id", "the provider computes it"),
                ("name_prefix", "conflicts with `name`"),
            ],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_user_policy_attachment",
            import_id: "USER/POLICY_ARN",
            identity: &["user", "policy_arn"],
            owner: Some("user"),
            also_declared_by: &[
                ("aws_iam_policy_attachment", "users", "users"),
                ("aws_iam_user_policy_attachments_exclusive", "policy_arns", "user_name"),
            ],
            written: &["policy_arn", "user"],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_user_group_membership",
            import_id: "USER/GROUP",
            identity: &["user", "groups"],
            owner: Some("user"),
            each: Some("groups"),
            also_declared_by: &[("aws_iam_group_membership", "users", "users")],
            written: &["groups", "user"],
            ..ResourceType::PLAIN
        },
    ],
    permissions: &["iam:GetAccountAuthorizationDetails"],
    named_permissions: &[
        "iam:GetUser",
        "iam:GetUserPolicy",
        "iam:ListAttachedUserPolicies",
        "iam:ListGroupsForUser",
        "iam:ListUserPolicies",
    ],
    read: |source| {
        Box::pin(async move {
            match source {
                Source::Live(live) => read_live(live).await,
                Source::Dump(dump) => Reading::of_details::<User>(dump, "UserDetail", "users"),
            }
        })
    },
    shelve,
    read_named: |live, keys| Box::pin(read_named(live, keys)),
    users: None,
    actions: &[
        Action::iam(
            &[
                "AddUserToGroup",
                "AttachUserPolicy",
                "CreateUser",
                "DeleteUser",
                "DeleteUserPermissionsBoundary",
                "DeleteUserPolicy",
                "DetachUserPolicy",
                "PutUserPermissionsBoundary",
                "PutUserPolicy",
                "RemoveUserFromGroup",
                "TagUser",
                "UntagUser",
            ],
            Touches::Named(&[USER_KEY]),
        ),
        Action::iam(
            &["UpdateUser"],
            Touches::Named(&[
                USER_KEY,
                Key {
                    place: Place::Request(&["newUserName"]),
                    read: |name, account| match name {
                        "" => Found::Foreign("the name stays"),
                        _ => name_of_64(name, account),
                    },
                },
            ]),
        ),
        // Whoever is in a group that gets another name.
        Action::iam(
            &["UpdateGroup"],
            Touches::Named(&[Key {
                place: Place::Request(&["newGroupName"]),
                read: |name, _| match name {
                    "" => Found::Foreign("the name of the group stays"),
                    _ => Found::Unclear,
                },
            }]),
        ),
    ],
    deeds: &[
        ("AddUserToGroup", "groupName", "added it to the group"),
        ("AttachUserPolicy", "policyArn", "attached"),
        ("DeleteUserPolicy", "policyName", "deleted the inline policy"),
        ("DetachUserPolicy", "policyArn", "detached"),
        ("PutUserPermissionsBoundary", "permissionsBoundary", "set the permissions boundary to"),
        ("PutUserPolicy", "policyName", "put the inline policy"),
        ("RemoveUserFromGroup", "groupName", "removed it from the group"),
        ("UpdateUser", "newUserName", "gave it the name"),
    ],
    parts: &[],
    parse: super::parse::<User>,
};

const USER_KEY: Key = Key { place: Place::Request(&["userName"]), read: name_of_64 };

const HANGING: Hanging = Hanging {
    owner: "user",
    inline_policy: "aws_iam_user_policy",
    attachment: "aws_iam_user_policy_attachment",
};

/// The UserDetail of GetAccountAuthorizationDetails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct User {
    path: String,
    user_name: String,
    /// Empty where a person wrote the user and AWS has not made it yet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    user_id: String,
    arn: String,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
    #[serde(default)]
    user_policy_list: Vec<InlinePolicy>,
    #[serde(default)]
    group_list: Vec<String>,
    #[serde(default)]
    attached_managed_policies: Vec<AttachedPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<PermissionsBoundary>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl User {
    /// Brings what AWS returns in any order into one.
    fn sort(&mut self) {
        principal::sort(&mut self.user_policy_list, &mut self.attached_managed_policies);
        self.group_list.sort();
        self.group_list.dedup();
        self.tags.sort();
    }

    fn problem(&self) -> Option<String> {
        name_problem("user name", &self.user_name, 64)
            .or_else(|| path_problem(&self.path))
            .or_else(|| arn_mismatch(&self.arn, &self.path, &self.user_name))
            .or_else(|| tags_problem(&self.tags))
            .or_else(|| {
                let mut groups = self.group_list.iter();
                groups.find_map(|group| name_problem("group name", group, 128))
            })
            .or_else(|| {
                principal::problem(
                    self.permissions_boundary.as_ref(),
                    &self.user_policy_list,
                    &self.attached_managed_policies,
                )
            })
    }
}

impl Entity for User {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        &self.user_name
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn folder(&self) -> &'static str {
        "users"
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        principal::documents(&mut self.user_policy_list).collect()
    }

    fn json_only(&self) -> Option<JsonOnly> {
        self.problem().map(JsonOnly::Inexpressible)
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }

    fn was_made(&self) -> bool {
        !self.user_id.is_empty()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, context: &Context) -> Body<'a> {
        let name = &self.user_name;
        let at = address("aws_iam_user", name);
        let boundary = self.permissions_boundary.as_ref();
        let block = resource(&at)
            .attribute("name", name.as_str())
            .optional("path", non_default_path(&self.path))
            .optional("permissions_boundary", principal::boundary(boundary, context))
            .optional("tags", tags_argument(&self.tags))
            // An import leaves it without a value, which shows as a change to its default.
            .ignore_changes(&["force_destroy"]);
        let mut body = Body::default();
        body.import(&at, name.clone(), block);
        principal::hang(
            &mut body,
            &HANGING,
            name,
            &at.attribute("name"),
            &self.user_policy_list,
            &self.attached_managed_policies,
            context,
        );
        // One for each: Terraform does not see a group that AWS adds to those of a resource.
        for group in &self.group_list {
            let membership =
                Address::new("aws_iam_user_group_membership", label::joint(name, "in", group));
            let block = resource(&membership)
                .attribute("user", at.attribute("name"))
                .attribute("groups", Expression::List(vec![context.refer(&group::KIND, group)]));
            body.import(&membership, format!("{name}/{group}"), block);
        }
        body
    }

    fn mentions(&self) -> Vec<(&'static Kind, &str)> {
        let groups = self.group_list.iter().map(|name| (&group::KIND, name.as_str()));
        let boundary = self.permissions_boundary.as_ref();
        principal::mentions(boundary, &self.attached_managed_policies).chain(groups).collect()
    }
}

impl FromDump for User {
    const WHAT: &'static str = "user";
    fn arn(&self) -> &str {
        &self.arn
    }
    fn name(&self) -> &str {
        &self.user_name
    }
    fn normalize(&mut self) {
        self.sort();
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    for user in page.list("UserDetailList")? {
        page.put("UserDetail", Rank::OfAccount, user);
    }
    if page.has("UserPolicyList") || page.has("UserName") && page.has("GroupList") {
        page.put("UserDetail", Rank::OfAccount, page.whole);
    }
    Ok(())
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    match live.authorization_details().await {
        Ok(details) => {
            let users = std::mem::take(&mut *details.users.lock().expect("no panic while held"));
            reading.complete.insert("users");
            reading.entities.extend(users.into_iter().map(|user| Box::new(User::from(user)) as _));
        }
        Err(error) => reading.failures.push(error.into()),
    }
    reading
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |name| async move { read_user(live, &name).await }).await
}

/// Reads one user; `None` when there is none of that name.
async fn read_user(live: &Live, name: &str) -> Result<Option<User>, CallError> {
    let user = async {
        let call = "iam:GetUser";
        let answer = live.call(call, live.iam.get_user().user_name(name).send()).await?;
        answer.user.ok_or_else(|| CallError::empty(call))
    };
    let read = async {
        tokio::try_join!(
            user,
            inline_policies(live, name),
            attached(live, name),
            groups(live, name)
        )
    };
    let (user, user_policy_list, attached_managed_policies, group_list) = match read.await {
        Ok(answers) => answers,
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut user = User {
        path: user.path,
        user_name: user.user_name,
        user_id: user.user_id,
        arn: user.arn,
        create_date: sdk_date(Some(&user.create_date)),
        user_policy_list,
        group_list,
        attached_managed_policies,
        permissions_boundary: user.permissions_boundary.map(PermissionsBoundary::from),
        tags: user.tags.unwrap_or_default().into_iter().map(Tag::from).collect(),
    };
    user.sort();
    Ok(Some(user))
}

async fn inline_policies(live: &Live, user: &str) -> Result<Vec<InlinePolicy>, CallError> {
    let request = |marker| {
        let request = live.iam.list_user_policies().user_name(user).set_marker(marker);
        request.max_items(1000).send()
    };
    let call = "iam:ListUserPolicies";
    let names = live
        .list(call, request, |page| (page.policy_names, page.is_truncated, page.marker))
        .await?;
    principal::inline_policies(live, names, |name| async move {
        let request = live.iam.get_user_policy().user_name(user).policy_name(name);
        let answer = live.call("iam:GetUserPolicy", request.send()).await?;
        Ok(InlinePolicy {
            policy_name: answer.policy_name,
            policy_document: Document::from_text(&answer.policy_document),
        })
    })
    .await
}

async fn attached(live: &Live, user: &str) -> Result<Vec<AttachedPolicy>, CallError> {
    let request = |marker| {
        let request = live.iam.list_attached_user_policies().user_name(user).set_marker(marker);
        request.max_items(1000).send()
    };
    live.list("iam:ListAttachedUserPolicies", request, |page| {
        (principal::attached(page.attached_policies), page.is_truncated, page.marker)
    })
    .await
}

async fn groups(live: &Live, user: &str) -> Result<Vec<String>, CallError> {
    let request = |marker| {
        let request = live.iam.list_groups_for_user().user_name(user).set_marker(marker);
        request.max_items(1000).send()
    };
    live.list("iam:ListGroupsForUser", request, |page| {
        let names: Vec<_> = page.groups.into_iter().map(|group| group.group_name).collect();
        (names, page.is_truncated, page.marker)
    })
    .await
}

impl From<sdk::UserDetail> for User {
    fn from(detail: sdk::UserDetail) -> User {
        let inline = detail.user_policy_list.unwrap_or_default();
        let tags = detail.tags.unwrap_or_default();
        let mut user = User {
            path: detail.path.unwrap_or_else(|| "/".to_owned()),
            user_name: detail.user_name.unwrap_or_default(),
            user_id: detail.user_id.unwrap_or_default(),
            arn: detail.arn.unwrap_or_default(),
            create_date: sdk_date(detail.create_date.as_ref()),
            user_policy_list: inline.into_iter().map(InlinePolicy::from).collect(),
            group_list: detail.group_list.unwrap_or_default(),
            attached_managed_policies: principal::attached(detail.attached_managed_policies),
            permissions_boundary: detail.permissions_boundary.map(PermissionsBoundary::from),
            tags: tags.into_iter().map(Tag::from).collect(),
        };
        user.sort();
        user
    }
}
