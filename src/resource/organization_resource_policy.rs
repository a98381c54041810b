//! The resource policy of an organization: what of its administration is delegated to whom.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches};
use super::organization;
use super::parts::{Tag, document_problem, json_encode, tags_argument, tags_problem};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, Unreadable, address,
    read_each,
};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::summary::{Failure, Missing};
use crate::terraform::{Body, resource};

pub static KIND: Kind = Kind {
    name: "organization resource policy",
    plural: "organization resource policies",
    folders: &["organization_resource_policies"],
    terraform_prefix: "organizations_resource_policy",
    case: Case::Counts,
    do_keys_end_in_names: true,
    asked_by: Some(organization::STRUCTURE),
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_organizations_resource_policy",
        import_id: "RESOURCE_POLICY_ID",
        // An organization has one at most.
        identity: &[],
        document: Some(("content", Dialect::Iam)),
        written: &["content", "tags"],
        left_out: &[
            ("id", "the provider computes it"),
            ("tags_all", "the provider computes it from `tags`"),
        ],
        ..ResourceType::PLAIN
    }],
    permissions: &["organizations:DescribeResourcePolicy", "organizations:ListTagsForResource"],
    named_permissions: &[
        "organizations:DescribeResourcePolicy",
        "organizations:ListTagsForResource",
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
        Action::organizations(
            &["PutResourcePolicy"],
            Touches::Named(&[Key {
                place: Place::Response(&["resourcePolicy", "resourcePolicySummary", "id"]),
                read: |id, _| match organization::is_resource_policy_id(id) {
                    true => Found::Key(id.to_owned()),
                    false => Found::Unclear,
                },
            }]),
        ),
        // The request names nothing, since there is but one.
        Action::organizations(&["DeleteResourcePolicy"], Touches::All),
        Action::organizations(
            &["TagResource", "UntagResource"],
            Touches::Named(&[Key {
                place: Place::Request(&["resourceId"]),
                read: |id, _| organization::tagged(id, organization::is_resource_policy_id),
            }]),
        ),
    ],
    deeds: &[],
    parts: &[],
    parse: super::parse::<ResourcePolicy>,
};

/// The ResourcePolicy of DescribeResourcePolicy, plus its tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourcePolicy {
    resource_policy_summary: Summary,
    content: Document,
    /// `None` means that ListTagsForResource was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<Tag>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    arn: String,
}

impl ResourcePolicy {
    fn problem(&self) -> Option<String> {
        let id = &self.resource_policy_summary.id;
        if !organization::is_resource_policy_id(id) {
            return Some(format!("`{id}` is not the ID of an organization's resource policy"));
        }
        document_problem("its content", &self.content).or_else(|| tags_problem(self.tags()))
    }
}

impl Entity for ResourcePolicy {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        &self.resource_policy_summary.id
    }

    fn arn(&self) -> &str {
        &self.resource_policy_summary.arn
    }

    fn folder(&self) -> &'static str {
        "organization_resource_policies"
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        vec![(String::new(), Dialect::Iam, &mut self.content)]
    }

    fn json_only(&self) -> Option<JsonOnly> {
        self.problem().map(JsonOnly::Inexpressible)
    }

    fn tags(&self) -> &[Tag] {
        self.tags.as_deref().unwrap_or_default()
    }

    fn keep_known(&mut self, base: &dyn Entity) {
        let Some(base) = base.as_any().downcast_ref::<ResourcePolicy>() else { return };
        self.tags = self.tags.take().or_else(|| base.tags.clone());
    }

    fn is_named_by_aws(&self) -> bool {
        true
    }

    fn take_defaults(&mut self, base: Option<&dyn Entity>) {
        let base = base.and_then(|base| base.as_any().downcast_ref::<ResourcePolicy>());
        if base.is_none_or(|base| base.tags.is_some()) {
            self.tags.get_or_insert_default();
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, _: &Context) -> Body<'a> {
        let id = &self.resource_policy_summary.id;
        let at = address("aws_organizations_resource_policy", id);
        let unknown: &[&str] = if self.tags.is_none() { &["tags", "tags_all"] } else { &[] };
        let block = resource(&at)
            .optional("content", json_encode(&self.content))
            .optional("tags", tags_argument(self.tags()))
            .ignore_changes(unknown);
        let mut body = Body::default();
        body.import(&at, id.clone(), block);
        body
    }
}

impl FromDump for ResourcePolicy {
    const WHAT: &'static str = "organization resource policy";
    fn arn(&self) -> &str {
        &self.resource_policy_summary.arn
    }
    fn name(&self) -> &str {
        &self.resource_policy_summary.id
    }
    fn normalize(&mut self) {
        self.tags.iter_mut().for_each(|tags| tags.sort());
    }
}

const SHELF: &str = "OrganizationResourcePolicy";
const TAGS: &str = "OrganizationResourcePolicyTags";

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    organization::shelve_lists(page, &[("Tags", TAGS)], organization::is_resource_policy_id);
    let whole = page.has("ResourcePolicySummary").then_some(page.whole);
    for policy in page.get("ResourcePolicy").into_iter().chain(whole) {
        page.put(SHELF, Rank::OfOrganization, policy);
    }
    Ok(())
}

/// Where there is none, the AWS CLI prints nothing: files never tell that it is gone.
fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let mut errors = Vec::new();
    let id_of = organization::owned_id_in_name;
    let tags = organization::by_id::<Tag>(dump, TAGS, "list of tags", id_of, &mut errors);
    reading.failures.extend(errors.into_iter().map(Failure::from));
    let mut policies = reading.take(dump, SHELF, |policy: &mut ResourcePolicy| {
        policy.tags = policy.tags.take().or_else(|| tags.of(&policy.resource_policy_summary.id));
    });
    policies.retain(|policy| !tags.is_cut_short(&policy.resource_policy_summary.id));
    reading.missing.extend(policies.iter().find(|policy| policy.tags.is_none()).map(|policy| {
        let id = &policy.resource_policy_summary.id;
        Missing {
            command: format!("aws organizations list-tags-for-resource --resource-id {id}"),
            what: "in a file with the ID in its name: tags of the organization's resource policy"
                .to_owned(),
        }
    }));
    reading.entities = policies.into_iter().map(|policy| Box::new(policy) as _).collect();
    reading
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let found = match describe(live).await {
        Ok(found) => found,
        Err(error) => {
            organization::fail(&mut reading, &KIND, error);
            return reading;
        }
    };
    reading.set_complete("organization_resource_policies");
    let Some(policy) = found else { return reading };
    let name = policy.resource_policy_summary.id.clone();
    match with_tags(live, policy).await {
        Ok(policy) => reading.entities.extend(policy.map(|policy| Box::new(policy) as _)),
        Err(error) => reading.unreadable.push(Unreadable { name, error }),
    }
    reading
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |id| async move {
        let found = describe(live).await?;
        match found.filter(|policy| policy.resource_policy_summary.id == id) {
            Some(policy) => with_tags(live, policy).await,
            None => Ok(None),
        }
    })
    .await
}

/// Reads the policy, without its tags; `None` when there is none.
async fn describe(live: &Live) -> Result<Option<ResourcePolicy>, CallError> {
    let call = "organizations:DescribeResourcePolicy";
    let answer = live.call(call, live.organizations.describe_resource_policy().send()).await;
    let policy = match answer {
        Ok(answer) => answer.resource_policy,
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let parts = policy.and_then(|policy| policy.resource_policy_summary.zip(policy.content));
    let (summary, content) = parts.ok_or_else(|| CallError::empty(call))?;
    let resource_policy_summary =
        Summary { id: summary.id.unwrap_or_default(), arn: summary.arn.unwrap_or_default() };
    let content = Document::from_text(&content);
    Ok(Some(ResourcePolicy { resource_policy_summary, content, tags: None }))
}

/// Adds the tags; `None` when the policy is gone by now.
async fn with_tags(
    live: &Live,
    mut policy: ResourcePolicy,
) -> Result<Option<ResourcePolicy>, CallError> {
    match organization::list_tags(live, &policy.resource_policy_summary.id).await {
        Ok(tags) => policy.tags = Some(tags),
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    policy.normalize();
    Ok(Some(policy))
}
