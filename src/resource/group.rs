//! Groups, with their inline policies and attachments. Who is in one stands with the user.

use std::collections::BTreeSet;

use aws_sdk_iam::types as sdk;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches, name_of_128};
use super::parts::{
    AttachedPolicy, InlinePolicy, Tag, arn_mismatch, date, name_problem, non_default_path,
    path_problem, sdk_date,
};
use super::principal::{self, Hanging};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, address, read_each, user,
};
use crate::aws::{CallError, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::scope::Scope;
use crate::terraform::{Body, Expression, resource};

pub static KIND: Kind = Kind {
    name: "group",
    plural: "groups",
    folders: &["groups"],
    terraform_prefix: "iam_group",
    case: Case::Ignored,
    asked_by: None,
    do_keys_end_in_names: true,
    detail_list: Some("GroupDetailList"),
    resource_types: &[
        ResourceType {
            name: "aws_iam_group",
            import_id: "GROUP",
            identity: &["name"],
            defaults: &[("path", "/")],
            written: &["name", "path"],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_group_policy",
            import_id: "GROUP:POLICY",
            identity: &["group", "name"],
            owner: Some("group"),
            document: Some(("policy", Dialect::Iam)),
            also_declared_by: &[("aws_iam_group_policies_exclusive", "policy_names", "group_name")],
            written: &["group", "name", "policy"],
            left_out: &[
                ("id", "the provider computes it"),
                ("name_prefix", "conflicts with `name`"),
            ],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_iam_group_policy_attachment",
            import_id: "GROUP/POLICY_ARN",
            identity: &["group", "policy_arn"],
            owner: Some("group"),
            also_declared_by: &[
                ("aws_iam_policy_attachment", "groups", "groups"),
                ("aws_iam_group_policy_attachments_exclusive", "policy_arns", "group_name"),
            ],
            written: &["group", "policy_arn"],
            ..ResourceType::PLAIN
        },
    ],
    permissions: &["iam:GetAccountAuthorizationDetails"],
    named_permissions: &[
        "iam:GetGroup",
        "iam:GetGroupPolicy",
        "iam:ListAttachedGroupPolicies",
        "iam:ListGroupPolicies",
    ],
    read: |source| {
        Box::pin(async move {
            match source {
                Source::Live(live) => read_live(live).await,
                Source::Dump(dump) => Reading::of_details::<Group>(dump, "GroupDetail", "groups"),
            }
        })
    },
    shelve,
    read_named: |live, keys| Box::pin(read_named(live, keys)),
    users: Some(|live, name| Box::pin(users(live, name))),
    actions: &[
        Action::iam(
            &[
                "AttachGroupPolicy",
                "CreateGroup",
                "DeleteGroup",
                "DeleteGroupPolicy",
                "DetachGroupPolicy",
                "PutGroupPolicy",
            ],
            Touches::Named(&[GROUP_KEY]),
        ),
        Action::iam(
            &["UpdateGroup"],
            Touches::Named(&[
                GROUP_KEY,
                Key {
                    place: Place::Request(&["newGroupName"]),
                    read: |name, account| match name {
                        "" => Found::Foreign("the name stays"),
                        _ => name_of_128(name, account),
                    },
                },
            ]),
        ),
    ],
    deeds: &[
        ("AttachGroupPolicy", "policyArn", "attached"),
        ("DeleteGroupPolicy", "policyName", "deleted the inline policy"),
        ("DetachGroupPolicy", "policyArn", "detached"),
        ("PutGroupPolicy", "policyName", "put the inline policy"),
        ("UpdateGroup", "newGroupName", "gave it the name"),
    ],
    parts: &[],
    parse: super::parse::<Group>,
};

const GROUP_KEY: Key = Key { place: Place::Request(&["groupName"]), read: name_of_128 };

const HANGING: Hanging = Hanging {
    owner: "group",
    inline_policy: "aws_iam_group_policy",
    attachment: "aws_iam_group_policy_attachment",
};

/// The GroupDetail of GetAccountAuthorizationDetails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Group {
    path: String,
    group_name: String,
    /// Empty where a person wrote the group and AWS has not made it yet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    group_id: String,
    arn: String,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
    #[serde(default)]
    group_policy_list: Vec<InlinePolicy>,
    #[serde(default)]
    attached_managed_policies: Vec<AttachedPolicy>,
}

impl Group {
    /// The documents of its inline policies.
    pub fn inline_documents(&self) -> impl Iterator<Item = &Document> {
        self.group_policy_list.iter().map(|policy| &policy.policy_document)
    }

    /// The ARNs of the policies that are attached to it.
    pub fn attached_arns(&self) -> impl Iterator<Item = &str> {
        self.attached_managed_policies.iter().map(|policy| policy.policy_arn.as_str())
    }
}

impl Entity for Group {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        &self.group_name
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn folder(&self) -> &'static str {
        "groups"
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        principal::documents(&mut self.group_policy_list).collect()
    }

    fn json_only(&self) -> Option<JsonOnly> {
        name_problem("group name", &self.group_name, 128)
            .or_else(|| path_problem(&self.path))
            .or_else(|| arn_mismatch(&self.arn, &self.path, &self.group_name))
            .or_else(|| {
                let attached = &self.attached_managed_policies;
                principal::problem(None, &self.group_policy_list, attached)
            })
            .map(JsonOnly::Inexpressible)
    }

    /// AWS knows no tags of groups.
    fn tags(&self) -> &[Tag] {
        &[]
    }

    fn was_made(&self) -> bool {
        !self.group_id.is_empty()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, context: &Context) -> Body<'a> {
        let name = &self.group_name;
        let at = address("aws_iam_group", name);
        let block = resource(&at)
            .attribute("name", name.as_str())
            .optional("path", non_default_path(&self.path));
        let mut body = Body::default();
        body.import(&at, name.clone(), block);
        principal::hang(
            &mut body,
            &HANGING,
            name,
            &at.attribute("name"),
            &self.group_policy_list,
            &self.attached_managed_policies,
            context,
        );
        body
    }

    fn mentions(&self) -> Vec<(&'static Kind, &str)> {
        principal::mentions(None, &self.attached_managed_policies).collect()
    }

    fn reference(&self) -> Option<Expression<'static>> {
        Some(address("aws_iam_group", &self.group_name).attribute("name"))
    }
}

impl FromDump for Group {
    const WHAT: &'static str = "group";
    fn arn(&self) -> &str {
        &self.arn
    }
    fn name(&self) -> &str {
        &self.group_name
    }
    fn normalize(&mut self) {
        principal::sort(&mut self.group_policy_list, &mut self.attached_managed_policies);
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    for group in page.list("GroupDetailList")? {
        page.put("GroupDetail", Rank::OfAccount, group);
    }
    if page.has("GroupPolicyList") {
        page.put("GroupDetail", Rank::OfAccount, page.whole);
    }
    Ok(())
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    match live.authorization_details().await {
        Ok(details) => {
            let groups = std::mem::take(&mut *details.groups.lock().expect("no panic while held"));
            reading.complete.insert("groups");
            let groups = groups.into_iter().map(|group| Box::new(Group::from(group)) as _);
            reading.entities.extend(groups);
        }
        Err(error) => reading.failures.push(error.into()),
    }
    reading
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |name| async move { read_group(live, &name).await }).await
}

/// Reads one group; `None` when there is none of that name.
async fn read_group(live: &Live, name: &str) -> Result<Option<Group>, CallError> {
    let group = async {
        let call = "iam:GetGroup";
        let request = live.iam.get_group().group_name(name).max_items(1);
        let answer = live.call(call, request.send()).await?;
        answer.group.ok_or_else(|| CallError::empty(call))
    };
    let read = async { tokio::try_join!(group, inline_policies(live, name), attached(live, name)) };
    let (group, group_policy_list, attached_managed_policies) = match read.await {
        Ok(answers) => answers,
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut group = Group {
        path: group.path,
        group_name: group.group_name,
        group_id: group.group_id,
        arn: group.arn,
        create_date: sdk_date(Some(&group.create_date)),
        group_policy_list,
        attached_managed_policies,
    };
    group.normalize();
    Ok(Some(group))
}

async fn inline_policies(live: &Live, group: &str) -> Result<Vec<InlinePolicy>, CallError> {
    let request = |marker| {
        let request = live.iam.list_group_policies().group_name(group).set_marker(marker);
        request.max_items(1000).send()
    };
    let call = "iam:ListGroupPolicies";
    let names = live
        .list(call, request, |page| (page.policy_names, page.is_truncated, page.marker))
        .await?;
    principal::inline_policies(live, names, |name| async move {
        let request = live.iam.get_group_policy().group_name(group).policy_name(name);
        let answer = live.call("iam:GetGroupPolicy", request.send()).await?;
        Ok(InlinePolicy {
            policy_name: answer.policy_name,
            policy_document: Document::from_text(&answer.policy_document),
        })
    })
    .await
}

async fn attached(live: &Live, group: &str) -> Result<Vec<AttachedPolicy>, CallError> {
    let request = |marker| {
        let request = live.iam.list_attached_group_policies().group_name(group).set_marker(marker);
        request.max_items(1000).send()
    };
    live.list("iam:ListAttachedGroupPolicies", request, |page| {
        (principal::attached(page.attached_policies), page.is_truncated, page.marker)
    })
    .await
}

/// The users in a group.
async fn users(live: &Live, name: &str) -> Result<Scope, CallError> {
    let request = |marker| {
        let request = live.iam.get_group().group_name(name).set_marker(marker);
        request.max_items(1000).send()
    };
    let found =
        live.list("iam:GetGroup", request, |page| (page.users, page.is_truncated, page.marker));
    let mut scope = Scope::default();
    match found.await {
        Ok(users) => {
            users.into_iter().for_each(|user| scope.add(user::KIND.plural, user.user_name));
            Ok(scope)
        }
        Err(error) if error.reason == Reason::NotFound => Ok(scope),
        Err(error) => Err(error),
    }
}

impl From<sdk::GroupDetail> for Group {
    fn from(detail: sdk::GroupDetail) -> Group {
        let inline = detail.group_policy_list.unwrap_or_default();
        let mut group = Group {
            path: detail.path.unwrap_or_else(|| "/".to_owned()),
            group_name: detail.group_name.unwrap_or_default(),
            group_id: detail.group_id.unwrap_or_default(),
            arn: detail.arn.unwrap_or_default(),
            create_date: sdk_date(detail.create_date.as_ref()),
            group_policy_list: inline.into_iter().map(InlinePolicy::from).collect(),
            attached_managed_policies: principal::attached(detail.attached_managed_policies),
        };
        group.normalize();
        group
    }
}
