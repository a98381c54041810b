//! Organizations policies of every type: service control policies first.

use std::collections::{BTreeSet, HashSet};

use aws_sdk_organizations::types as sdk;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches};
use super::parts::{Tag, document_problem, json_encode, tags_argument, tags_problem};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, Refused, ResourceType, Unreadable, address,
    organization, read_each,
};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::invisible::visible;
use crate::policy_document::{Dialect, Document};
use crate::summary::{Failure, Missing, count};
use crate::terraform::{Address, Body, label, resource};

pub static KIND: Kind = Kind {
    name: "organizations policy",
    plural: "organizations policies",
    folders: &[
        "scps",
        "rcps",
        "tag_policies",
        "backup_policies",
        "ai_services_opt_out_policies",
        "chatbot_policies",
        "declarative_policies_ec2",
        "securityhub_policies",
        "upgrade_rollout_policies",
        "inspector_policies",
        "bedrock_policies",
        "s3_policies",
        "network_security_director_policies",
        "guardduty_policies",
        OTHER_FOLDER,
    ],
    terraform_prefix: "organizations_policy",
    case: Case::Counts,
    asked_by: None,
    do_keys_end_in_names: true,
    detail_list: None,
    resource_types: &[
        ResourceType {
            name: "aws_organizations_policy",
            import_id: "POLICY_ID",
            identity: &["type", "name"],
            document: Some(("content", Dialect::Organizations)),
            defaults: &[("type", "SERVICE_CONTROL_POLICY")],
            written: &["content", "description", "name", "tags", "type"],
            left_out: &[
                ("id", "the provider computes it"),
                ("skip_destroy", "concerns Terraform's own delete; AWS holds no such value"),
                ("tags_all", "the provider computes it from `tags`"),
            ],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: "aws_organizations_policy_attachment",
            import_id: "TARGET_ID:POLICY_ID",
            identity: &["target_id", "policy_id"],
            owner: Some("policy_id"),
            written: &["policy_id", "target_id"],
            left_out: &[
                ("id", "the provider computes it"),
                ("skip_destroy", "concerns Terraform's own delete; AWS holds no such value"),
            ],
            ..ResourceType::PLAIN
        },
    ],
    permissions: &[
        "organizations:DescribePolicy",
        "organizations:ListPolicies",
        "organizations:ListTagsForResource",
        "organizations:ListTargetsForPolicy",
    ],
    named_permissions: &[
        "organizations:DescribePolicy",
        "organizations:ListTagsForResource",
        "organizations:ListTargetsForPolicy",
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
            &["AttachPolicy", "DeletePolicy", "DetachPolicy", "UpdatePolicy"],
            Touches::Named(&[Key { place: Place::Request(&["policyId"]), read: id_in_record }]),
        ),
        // Of the service that manages accounts. The raw JSON has the names of targets.
        Action {
            service: "account",
            names: &["PutAccountName"],
            touches: Touches::All,
            is_reported: false,
        },
        Action::organizations(
            &["CreatePolicy"],
            Touches::Named(&[Key {
                place: Place::Response(&["policy", "policySummary", "id"]),
                read: id_in_record,
            }]),
        ),
        Action::organizations(
            &["TagResource", "UntagResource"],
            Touches::Named(&[Key {
                place: Place::Request(&["resourceId"]),
                read: |id, _| organization::tagged(id, is_policy_id),
            }]),
        ),
        // Accounts, units and roots come, go or change names: they are targets of policies, and AWS
        // attaches its own policies to new ones. What is attached to an account moves with it.
        Action::organizations(
            &[
                "AcceptHandshake",
                "CloseAccount",
                "CreateAccount",
                "CreateGovCloudAccount",
                "CreateOrganization",
                "CreateOrganizationalUnit",
                "DeleteOrganization",
                "DeleteOrganizationalUnit",
                "DisablePolicyType",
                "EnableAllFeatures",
                "EnablePolicyType",
                "LeaveOrganization",
                "RemoveAccountFromOrganization",
                "UpdateOrganizationalUnit",
            ],
            Touches::All,
        ),
        Action::of_organizations(
            &[
                "AccountDepartedOrganization",
                "AccountJoinedOrganization",
                "CloseAccountResult",
                "CreateAccountResult",
            ],
            Touches::All,
        ),
    ],
    deeds: &[
        ("AttachPolicy", "targetId", "attached it to"),
        ("DetachPolicy", "targetId", "detached it from"),
    ],
    parts: &[],
    parse: super::parse::<OrganizationsPolicy>,
};

fn id_in_record(id: &str, _: Option<&str>) -> Found {
    if is_policy_id(id) { Found::Key(id.to_owned()) } else { Found::Unclear }
}

/// `p-[0-9a-zA-Z_]{8,128}`.
pub(super) fn is_policy_id(text: &str) -> bool {
    text.strip_prefix("p-").is_some_and(|id| {
        (8..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Every policy type the provider knows, and the folder of its raw JSON.
const TYPES: &[(&str, &str)] = &[
    ("SERVICE_CONTROL_POLICY", "scps"),
    ("RESOURCE_CONTROL_POLICY", "rcps"),
    ("TAG_POLICY", "tag_policies"),
    ("BACKUP_POLICY", "backup_policies"),
    ("AISERVICES_OPT_OUT_POLICY", "ai_services_opt_out_policies"),
    ("CHATBOT_POLICY", "chatbot_policies"),
    ("DECLARATIVE_POLICY_EC2", "declarative_policies_ec2"),
    ("SECURITYHUB_POLICY", "securityhub_policies"),
    ("UPGRADE_ROLLOUT_POLICY", "upgrade_rollout_policies"),
    ("INSPECTOR_POLICY", "inspector_policies"),
    ("BEDROCK_POLICY", "bedrock_policies"),
    ("S3_POLICY", "s3_policies"),
    ("NETWORK_SECURITY_DIRECTOR_POLICY", "network_security_director_policies"),
    ("GUARDDUTY_POLICY", "guardduty_policies"),
];

/// For types that are newer than the provider.
const OTHER_FOLDER: &str = "organizations_policies";

fn folder(policy_type: &str) -> &'static str {
    TYPES.iter().find(|(name, _)| *name == policy_type).map_or(OTHER_FOLDER, |(_, folder)| folder)
}

/// The Policy of DescribePolicy, plus tags and targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OrganizationsPolicy {
    policy_summary: Summary,
    content: Document,
    /// `None` means that ListTagsForResource was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<Tag>>,
    /// `None` means that ListTargetsForPolicy was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    targets: Option<Vec<Target>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    arn: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "Type")]
    policy_type: String,
    #[serde(default)]
    aws_managed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    target_id: String,
    arn: String,
    name: String,
    #[serde(rename = "Type")]
    target_type: String,
}

impl OrganizationsPolicy {
    /// As AWS calls it: `SERVICE_CONTROL_POLICY`.
    pub fn policy_type(&self) -> &str {
        &self.policy_summary.policy_type
    }

    pub fn content(&self) -> &Document {
        &self.content
    }

    /// IDs of roots, units and accounts, if they were read.
    pub fn targets(&self) -> Option<impl Iterator<Item = &str>> {
        Some(self.targets.as_ref()?.iter().map(|target| target.target_id.as_str()))
    }

    fn sort(&mut self) {
        self.tags.iter_mut().for_each(|tags| tags.sort());
        if let Some(targets) = &mut self.targets {
            targets.sort_by(|a, b| a.target_id.cmp(&b.target_id));
        }
    }

    fn attachment(&self, target: &Target) -> Address {
        let id = &self.policy_summary.id;
        Address::new(
            "aws_organizations_policy_attachment",
            label::joint(id, "on", &target.target_id),
        )
    }

    fn problem(&self) -> Option<String> {
        let summary = &self.policy_summary;
        if folder(&summary.policy_type) == OTHER_FOLDER {
            return Some(format!(
                "the provider does not know the policy type `{}`",
                summary.policy_type
            ));
        }
        if !is_policy_id(&summary.id) {
            return Some(format!("`{}` is not the ID of an organizations policy", summary.id));
        }
        document_problem("its content", &self.content)
            .or_else(|| tags_problem(self.tags.as_deref().unwrap_or_default()))
    }
}

impl Entity for OrganizationsPolicy {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    /// The ID: names may be changed, repeated, and hold any character.
    #[expect(clippy::misnamed_getters, reason = "the ID is what AWS identifies it by")]
    fn name(&self) -> &str {
        &self.policy_summary.id
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.policy_summary.id, &self.policy_summary.name]
    }

    fn arn(&self) -> &str {
        &self.policy_summary.arn
    }

    fn folder(&self) -> &'static str {
        folder(&self.policy_summary.policy_type)
    }

    /// AWS's own IDs, such as `p-FullAWSAccess`, differ in more than case.
    fn case(&self) -> Case {
        if self.policy_summary.aws_managed { Case::Ignored } else { Case::Counts }
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        vec![(String::new(), Dialect::Organizations, &mut self.content)]
    }

    fn json_only(&self) -> Option<JsonOnly> {
        let summary = &self.policy_summary;
        summary
            .aws_managed
            .then_some(JsonOnly::AwsManaged)
            .or_else(|| self.problem().map(JsonOnly::Inexpressible))
    }

    fn tags(&self) -> &[Tag] {
        self.tags.as_deref().unwrap_or_default()
    }

    fn keep_known(&mut self, base: &dyn Entity) {
        let Some(base) = base.as_any().downcast_ref::<OrganizationsPolicy>() else { return };
        self.tags = self.tags.take().or_else(|| base.tags.clone());
        self.targets = self.targets.take().or_else(|| base.targets.clone());
    }

    fn is_named_by_aws(&self) -> bool {
        true
    }

    fn take_defaults(&mut self, base: Option<&dyn Entity>) {
        let base = base.and_then(|base| base.as_any().downcast_ref::<OrganizationsPolicy>());
        if base.is_none_or(|base| base.tags.is_some()) {
            self.tags.get_or_insert_default();
        }
        if base.is_some_and(|base| base.targets.is_some()) {
            self.targets.get_or_insert_default();
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, context: &Context) -> Body<'a> {
        let summary = &self.policy_summary;
        let at = address("aws_organizations_policy", &summary.id);
        let unknown: &[&str] = if self.tags.is_none() { &["tags", "tags_all"] } else { &[] };
        let block = resource(&at)
            .attribute("name", summary.name.as_str())
            .optional("description", summary.description.as_deref().filter(|text| !text.is_empty()))
            .attribute("type", summary.policy_type.as_str())
            .optional("content", json_encode(&self.content))
            .optional("tags", self.tags.as_deref().and_then(tags_argument))
            .ignore_changes(unknown);
        let mut body = Body::default();
        body.import(&at, summary.id.clone(), block);
        if context.organizations_attachments {
            for target in self.targets.iter().flatten() {
                let attachment = self.attachment(target);
                let block = resource(&attachment)
                    .attribute("policy_id", at.attribute("id"))
                    .attribute("target_id", organization::refer(context, &target.target_id));
                body.import(&attachment, format!("{}:{}", target.target_id, summary.id), block);
            }
        }
        body
    }

    fn mentions(&self) -> Vec<(&'static Kind, &str)> {
        let targets = self.targets.iter().flatten();
        targets.filter_map(|target| organization::mentioned(&target.target_id)).collect()
    }

    fn left_out(&self, context: &Context) -> Vec<Address> {
        match context.organizations_attachments {
            true => Vec::new(),
            false => self.targets.iter().flatten().map(|target| self.attachment(target)).collect(),
        }
    }
}

impl FromDump for OrganizationsPolicy {
    const WHAT: &'static str = "organizations policy";
    fn arn(&self) -> &str {
        &self.policy_summary.arn
    }
    #[expect(clippy::misnamed_getters, reason = "the ID is what AWS identifies it by")]
    fn name(&self) -> &str {
        &self.policy_summary.id
    }
    fn normalize(&mut self) {
        self.sort();
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    let listed = if page.is_details() { Vec::new() } else { page.list("Policies")? };
    for summary in listed.into_iter().filter(|it| Page::is_of_organizations(it)) {
        page.put("PolicySummary", Rank::Part, summary);
    }
    let described = page.get("Policy").filter(|it| Page::is_of_organizations(it));
    let whole = page.has("PolicySummary").then_some(page.whole);
    for policy in described.into_iter().chain(whole) {
        page.put("OrganizationsPolicy", Rank::OfOrganization, policy);
    }
    for shelf in ["Targets", "Tags"] {
        let Some(list) = page.get(shelf).filter(|_| page.has_only(shelf)) else { continue };
        if Dump::policy_id_in_name(page.path).is_none() {
            if shelf == "Tags" && organization::id_in_name(page.path).is_some() {
                continue;
            }
            return Err(DumpError::NoPolicyId { path: page.path.to_owned() });
        }
        page.put(shelf, Rank::Part, list);
    }
    Ok(())
}

fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let mut errors = Vec::new();
    let id_of = Dump::policy_id_in_name;
    let tags = organization::by_id::<Tag>(dump, "Tags", "list of tags", id_of, &mut errors);
    let targets =
        organization::by_id::<Target>(dump, "Targets", "list of targets", id_of, &mut errors);
    let listed = dump.parse::<Summary>("PolicySummary", "policy summary", &mut errors);
    reading.failures.extend(errors.into_iter().map(Failure::from));
    let mut policies =
        reading.take(dump, "OrganizationsPolicy", |policy: &mut OrganizationsPolicy| {
            let id = &policy.policy_summary.id;
            policy.tags = policy.tags.take().or_else(|| tags.of(id));
            policy.targets = policy.targets.take().or_else(|| targets.of(id));
        });
    policies.retain(|policy| dump.aws_managed || !policy.policy_summary.aws_managed);
    policies.retain(|policy| {
        let id = &policy.policy_summary.id;
        !tags.is_cut_short(id) && !targets.is_cut_short(id)
    });

    let untagged: Vec<_> = policies
        .iter()
        .filter(|policy| policy.tags.is_none() && !policy.policy_summary.aws_managed)
        .collect();
    if let Some(policy) = untagged.first() {
        let id = &policy.policy_summary.id;
        reading.missing.push(Missing {
            command: format!("aws organizations list-tags-for-resource --resource-id {id}"),
            what: format!(
                "for each, in a file with the ID in its name: tags of {}",
                count(untagged.len(), "organizations policy")
            ),
        });
    }
    let described: HashSet<&str> =
        policies.iter().map(|policy| policy.policy_summary.id.as_str()).collect();
    let mut listed_folders: BTreeSet<&'static str> = BTreeSet::new();
    let mut undescribed: BTreeSet<(&'static str, String)> = BTreeSet::new();
    for (_, summary) in listed {
        listed_folders.insert(folder(&summary.policy_type));
        let is_left_out = summary.aws_managed && !dump.aws_managed;
        if !is_left_out && !described.contains(summary.id.as_str()) {
            undescribed.insert((folder(&summary.policy_type), summary.id));
        }
    }
    if let Some((_, id)) = undescribed.first() {
        reading.notes.push(format!(
            "the content of {} organizations policies that are listed is not in these files; add the output of \
             `aws organizations describe-policy --policy-id {}` for each",
            undescribed.len(),
            visible(id)
        ));
    }
    if dump.has_whole_listings() {
        listed_folders
            .into_iter()
            .filter(|folder| !undescribed.iter().any(|(other, _)| other == folder))
            .for_each(|folder| reading.set_complete(folder));
    }
    reading.entities =
        policies.into_iter().map(|policy| Box::new(policy) as Box<dyn Entity>).collect();
    reading
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let mut listed = Vec::new();
    let mut denied: Vec<(&str, CallError)> = Vec::new();
    // The first type alone tells whether there is an organization at all.
    let (first, others) = TYPES.split_at(1);
    let mut types = first;
    loop {
        let requests: Vec<_> =
            types.iter().map(|(policy_type, _)| list_policies(live, policy_type)).collect();
        let answers = futures::future::join_all(requests).await;
        for ((policy_type, folder), answer) in types.iter().zip(answers) {
            match answer {
                Ok(found) => {
                    reading.complete.insert(*folder);
                    listed.extend(found);
                }
                Err(Refusal { error, .. }) if error.reason == Reason::NoOrganization => {
                    reading.notes.push("the account is in no organization".to_owned());
                    return reading;
                }
                // Nobody knows which policies of the type are left, so none of them is "gone".
                Err(Refusal { error, is_first_page: true })
                    if error.reason == Reason::NotEnabled => {}
                Err(Refusal { error, is_first_page: true }) if error.reason == Reason::Denied => {
                    denied.push((policy_type, error));
                }
                Err(Refusal { error, .. }) => reading.failures.push(error.into()),
            }
        }
        if types.len() == others.len() {
            break;
        }
        types = others;
    }
    if let Some((_, error)) = denied.first() {
        let types: Vec<_> =
            denied.iter().map(|(policy_type, _)| format!("`{policy_type}`")).collect();
        let types =
            if denied.len() == TYPES.len() { "all types".to_owned() } else { types.join(", ") };
        let what = format!("organizations policies of {types}");
        reading.refused = Some(Refused { what, error: error.clone() });
    }
    listed.retain(|summary| live.aws_managed || !summary.aws_managed);
    let of = listed.len();
    let mut answers = futures::stream::iter(listed)
        .map(|summary| async move { (summary.id.clone(), describe(live, &summary).await) })
        .buffer_unordered(live.concurrency);
    let mut done = 0;
    while let Some((name, answer)) = answers.next().await {
        done += 1;
        live.progress.count("organizations policies", done, Some(of));
        match answer {
            Ok(Some(policy)) => reading.entities.push(Box::new(policy)),
            Ok(None) => {}
            Err(error) => reading.unreadable.push(Unreadable { name, error }),
        }
    }
    live.progress.stop("organizations policies");
    reading
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    let mut reading =
        read_each(live, keys, |id| async move { describe_named(live, &id).await }).await;
    reading
        .entities
        .retain(|policy| live.aws_managed || policy.json_only() != Some(JsonOnly::AwsManaged));
    reading
}

/// A listing that was refused, and when: what nobody may list is refused at once, a refusal later on
/// means that the listing was cut short.
struct Refusal {
    error: CallError,
    is_first_page: bool,
}

async fn list_policies(live: &Live, policy_type: &str) -> Result<Vec<Summary>, Refusal> {
    let call = "organizations:ListPolicies";
    let mut summaries = Vec::new();
    let mut pages = crate::aws::Pages::new(call);
    loop {
        let request = live
            .organizations
            .list_policies()
            .filter(sdk::PolicyType::from(policy_type))
            .max_results(20)
            .set_next_token(pages.marker());
        let is_first_page = pages.marker().is_none();
        let refused = |error| Refusal { error, is_first_page };
        let page = live.call(call, request.send()).await.map_err(refused)?;
        summaries.extend(page.policies.unwrap_or_default().into_iter().map(Summary::from));
        let more = pages.more(page.next_token.is_some(), page.next_token);
        if !more.map_err(|error| Refusal { error, is_first_page: false })? {
            return Ok(summaries);
        }
    }
}

/// Reads one policy of a listing; `None` when it is gone by now.
async fn describe(live: &Live, listed: &Summary) -> Result<Option<OrganizationsPolicy>, CallError> {
    let id = &listed.id;
    let tags = tags_of(live, id, listed.aws_managed);
    let read = async { tokio::try_join!(content(live, id), tags, list_targets(live, id)) };
    found(read.await.map(|((summary, content), tags, targets)| (summary, content, tags, targets)))
}

/// Reads one policy by its ID alone; `None` when there is none.
async fn describe_named(live: &Live, id: &str) -> Result<Option<OrganizationsPolicy>, CallError> {
    let read = async {
        let (summary, content) = content(live, id).await?;
        let tags = tags_of(live, id, summary.aws_managed);
        let (tags, targets) = tokio::try_join!(tags, list_targets(live, id))?;
        Ok((summary, content, tags, targets))
    };
    found(read.await)
}

type Answers = (Summary, Document, Option<Vec<Tag>>, Vec<Target>);

fn found(answers: Result<Answers, CallError>) -> Result<Option<OrganizationsPolicy>, CallError> {
    let (policy_summary, content, tags, targets) = match answers {
        Ok(answers) => answers,
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let targets = Some(targets);
    let mut policy = OrganizationsPolicy { policy_summary, content, tags, targets };
    policy.sort();
    Ok(Some(policy))
}

async fn content(live: &Live, id: &str) -> Result<(Summary, Document), CallError> {
    let call = "organizations:DescribePolicy";
    let request = live.organizations.describe_policy().policy_id(id);
    let answer = live.call(call, request.send()).await?;
    let parts = answer.policy.and_then(|policy| policy.policy_summary.zip(policy.content));
    let (summary, content) = parts.ok_or_else(|| CallError::empty(call))?;
    Ok((Summary::from(summary), Document::from_text(&content)))
}

/// Nobody can tag AWS's own policies.
async fn tags_of(live: &Live, id: &str, is_of_aws: bool) -> Result<Option<Vec<Tag>>, CallError> {
    match is_of_aws {
        true => Ok(None),
        false => organization::list_tags(live, id).await.map(Some),
    }
}

/// IDs of the policies attached to a root, unit or account.
pub(super) async fn attached_to(live: &Live, target: &str) -> Result<Vec<String>, CallError> {
    let call = "organizations:ListPoliciesForTarget";
    let of_type = |policy_type: &'static str| async move {
        let request = |token| {
            let request = live.organizations.list_policies_for_target().target_id(target);
            let request = request.filter(sdk::PolicyType::from(policy_type)).max_results(20);
            request.set_next_token(token).send()
        };
        let found = live.list(call, request, |page| {
            let policies = page.policies.unwrap_or_default().into_iter();
            let ids = policies.filter_map(|policy| policy.id);
            (ids.collect::<Vec<_>>(), page.next_token.is_some(), page.next_token)
        });
        match found.await {
            Err(error) if error.reason == Reason::NotEnabled => Ok(Vec::new()),
            found => found,
        }
    };
    let types = TYPES.iter().map(|(policy_type, _)| of_type(policy_type));
    let found = futures::future::try_join_all(types).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn list_targets(live: &Live, id: &str) -> Result<Vec<Target>, CallError> {
    let call = "organizations:ListTargetsForPolicy";
    let mut targets = Vec::new();
    let mut pages = crate::aws::Pages::new(call);
    loop {
        let request = live
            .organizations
            .list_targets_for_policy()
            .policy_id(id)
            .max_results(20)
            .set_next_token(pages.marker());
        let page = live.call(call, request.send()).await?;
        targets.extend(page.targets.unwrap_or_default().into_iter().map(Target::from));
        if !pages.more(page.next_token.is_some(), page.next_token)? {
            return Ok(targets);
        }
    }
}

impl From<sdk::PolicySummary> for Summary {
    fn from(summary: sdk::PolicySummary) -> Summary {
        Summary {
            id: summary.id.unwrap_or_default(),
            arn: summary.arn.unwrap_or_default(),
            name: summary.name.unwrap_or_default(),
            description: summary.description,
            policy_type: summary.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            aws_managed: summary.aws_managed,
        }
    }
}

impl From<sdk::PolicyTargetSummary> for Target {
    fn from(target: sdk::PolicyTargetSummary) -> Target {
        Target {
            target_id: target.target_id.unwrap_or_default(),
            arn: target.arn.unwrap_or_default(),
            name: target.name.unwrap_or_default(),
            target_type: target.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        }
    }
}
