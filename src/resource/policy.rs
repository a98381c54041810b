//! Customer managed policies; AWS's own ones as raw JSON where they are asked for.

use std::collections::{BTreeSet, HashSet};

use aws_sdk_iam::types as sdk;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches, is_name};
use super::parts::{
    Tag, arn_mismatch, date, document_problem, json_encode, name_problem, non_default_path,
    path_problem, sdk_date, tags_argument, tags_problem,
};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, Unreadable, address, group,
    read_each, role, user,
};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::scope::Scope;
use crate::summary::{Failure, Missing, count};
use crate::terraform::{Body, Expression, resource};

pub static KIND: Kind = Kind {
    name: "policy",
    plural: "policies",
    folders: &["policies", "aws_managed_policies"],
    terraform_prefix: "iam_policy",
    case: Case::Ignored,
    asked_by: None,
    do_keys_end_in_names: true,
    detail_list: Some("Policies"),
    resource_types: &[ResourceType {
        name: "aws_iam_policy",
        import_id: "ARN",
        identity: &["name"],
        document: Some(("policy", Dialect::Iam)),
        defaults: &[("path", "/")],
        written: &["description", "name", "path", "policy", "tags"],
        left_out: &[
            (
                "delay_after_policy_creation_in_ms",
                "concerns Terraform's own create; AWS holds no such value",
            ),
            ("id", "the provider computes it"),
            ("name_prefix", "conflicts with `name`"),
            ("tags_all", "the provider computes it from `tags`"),
        ],
        ..ResourceType::PLAIN
    }],
    permissions: &["iam:GetAccountAuthorizationDetails", "iam:GetPolicy"],
    named_permissions: &["iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListEntitiesForPolicy"],
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
    users: Some(|live, arn| Box::pin(users(live, arn))),
    actions: &[
        Action::iam(
            &[
                "CreatePolicyVersion",
                "DeletePolicy",
                "DeletePolicyVersion",
                "SetDefaultPolicyVersion",
                "TagPolicy",
                "UntagPolicy",
            ],
            Touches::Named(&[Key { place: Place::Request(&["policyArn"]), read: arn_in_record }]),
        ),
        Action::iam(
            &["CreatePolicy"],
            Touches::Named(&[Key {
                place: Place::Response(&["policy", "arn"]),
                read: arn_in_record,
            }]),
        ),
    ],
    deeds: &[],
    parts: &[],
    parse: super::parse::<Policy>,
};

/// The ARN of a policy of the account in which something happened.
fn arn_in_record(arn: &str, own: Option<&str>) -> Found {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "iam", "", account, resource] = parts[..] else { return Found::Unclear };
    let name = resource.strip_prefix("policy/").and_then(|path| path.rsplit('/').next());
    let is_plain = arn.len() <= 2048 && arn.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !name.is_some_and(|name| is_name(name, 128)) {
        return Found::Unclear;
    }
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    match account {
        "aws" => Found::Foreign("AWS manages this policy"),
        _ if own.is_some_and(|own| own != account) => Found::Unclear,
        _ if is_account => Found::Key(arn.to_owned()),
        _ => Found::Unclear,
    }
}

/// The ManagedPolicyDetail of GetAccountAuthorizationDetails with its default version alone, plus
/// what only GetPolicy returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    #[serde(default)]
    policy_name: String,
    #[serde(default)]
    policy_id: String,
    arn: String,
    path: String,
    default_version_id: String,
    #[serde(default)]
    is_attachable: bool,
    /// Unknown as long as [`Policy::tags`] are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    update_date: Option<String>,
    policy_version_list: Vec<Version>,
    /// `None` means that GetPolicy was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<Tag>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    document: Document,
    version_id: String,
    is_default_version: bool,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
}

/// What GetPolicy knows and GetAccountAuthorizationDetails does not.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    arn: String,
    #[serde(default)]
    policy_id: String,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl Policy {
    /// The document that counts.
    pub fn document(&self) -> Option<&Document> {
        let default = self.policy_version_list.iter().find(|version| version.is_default_version);
        default.map(|version| &version.document)
    }

    fn is_of_aws(&self) -> bool {
        self.arn.contains(":iam::aws:policy/")
    }

    fn add_summary(&mut self, summary: Summary) {
        if self.policy_id.is_empty() {
            self.policy_id = summary.policy_id;
        }
        self.description = summary.description;
        self.tags = Some(summary.tags);
    }

    /// Leaves the default version alone, and one order of what AWS returns in any.
    fn normalize(&mut self) {
        if self.policy_name.is_empty() {
            self.policy_name = self.arn.rsplit('/').next().unwrap_or_default().to_owned();
        }
        self.policy_version_list.retain(|version| version.is_default_version);
        self.tags.iter_mut().for_each(|tags| tags.sort());
    }

    fn problem(&self) -> Option<String> {
        name_problem("policy name", &self.policy_name, 128)
            .or_else(|| path_problem(&self.path))
            .or_else(|| arn_mismatch(&self.arn, &self.path, &self.policy_name))
            .or_else(|| match self.policy_version_list.as_slice() {
                [version] => document_problem("its document", &version.document),
                _ => Some("AWS did not say which version is the default".to_owned()),
            })
            .or_else(|| tags_problem(self.tags.as_deref().unwrap_or_default()))
    }
}

impl Entity for Policy {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        &self.policy_name
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    fn key(&self) -> &str {
        &self.arn
    }

    fn path(&self) -> &str {
        &self.path
    }

    /// AWS's policies have a folder of their own: one of the account may have the same name.
    fn folder(&self) -> &'static str {
        if self.is_of_aws() { "aws_managed_policies" } else { "policies" }
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        self.policy_version_list
            .iter_mut()
            .map(|version| (version.version_id.clone(), Dialect::Iam, &mut version.document))
            .collect()
    }

    fn json_only(&self) -> Option<JsonOnly> {
        let is_of_aws = self.is_of_aws().then_some(JsonOnly::AwsManaged);
        is_of_aws.or_else(|| self.problem().map(JsonOnly::Inexpressible))
    }

    fn tags(&self) -> &[Tag] {
        self.tags.as_deref().unwrap_or_default()
    }

    fn keep_known(&mut self, base: &dyn Entity) {
        let Some(base) = base.as_any().downcast_ref::<Policy>() else { return };
        if self.tags.is_none() {
            self.description.clone_from(&base.description);
            self.tags.clone_from(&base.tags);
        }
    }

    fn was_made(&self) -> bool {
        !self.policy_id.is_empty()
    }

    fn take_defaults(&mut self, base: Option<&dyn Entity>) {
        let base = base.and_then(|base| base.as_any().downcast_ref::<Policy>());
        if base.is_none_or(|base| base.tags.is_some()) && !self.is_of_aws() {
            self.tags.get_or_insert_default();
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, _: &Context) -> Body<'a> {
        let at = address("aws_iam_policy", &self.policy_name);
        // A description that is left out means *replace* to the provider.
        let unknown: &[&str] = match self.tags {
            None => &["description", "tags", "tags_all"],
            Some(_) => &[],
        };
        let document = self.policy_version_list.first().map(|version| &version.document);
        let block = resource(&at)
            .attribute("name", self.policy_name.as_str())
            .optional("path", non_default_path(&self.path))
            .optional("description", self.description.as_deref().filter(|text| !text.is_empty()))
            .optional("policy", document.and_then(json_encode))
            .optional("tags", self.tags.as_deref().and_then(tags_argument))
            .ignore_changes(unknown);
        let mut body = Body::default();
        body.import(&at, self.arn.clone(), block);
        body
    }

    fn reference(&self) -> Option<Expression<'static>> {
        Some(address("aws_iam_policy", &self.policy_name).attribute("arn"))
    }
}

impl FromDump for Policy {
    const WHAT: &'static str = "managed policy";
    fn arn(&self) -> &str {
        &self.arn
    }
    fn name(&self) -> &str {
        &self.policy_name
    }
    fn normalize(&mut self) {
        Policy::normalize(self);
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    let whole = page.has("PolicyVersionList").then_some(page.whole);
    let details = if page.is_details() { page.list("Policies")? } else { Vec::new() };
    for policy in details.into_iter().chain(whole) {
        // AWS's own policies stand among the account's when the call had no filter.
        let is_of_aws = Page::arn_of(policy).is_some_and(|arn| arn.contains(":iam::aws:policy/"));
        let shelf = if is_of_aws { "AwsManagedPolicyDetail" } else { "ManagedPolicyDetail" };
        page.put(shelf, Rank::OfAccount, policy);
    }
    if let Some(policy) = page.get("Policy").filter(|it| !Page::is_of_organizations(it)) {
        page.put("Policy", Rank::Part, policy);
    }
    Ok(())
}

fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let mut errors = Vec::new();
    let summaries =
        dump.parse_by("Policy", "policy", |summary: &Summary| &summary.arn, &mut errors);
    reading.failures.extend(errors.into_iter().map(Failure::from));
    let mut policies: Vec<Policy> =
        reading.take(dump, "ManagedPolicyDetail", |policy: &mut Policy| {
            if let Some(summary) = summaries.get(&policy.arn) {
                policy.add_summary(summary.clone());
            }
        });
    if dump.aws_managed {
        let of_aws = reading.take(dump, "AwsManagedPolicyDetail", |_: &mut Policy| {});
        policies.extend(of_aws);
    }

    let undescribed: Vec<_> =
        policies.iter().filter(|policy| policy.tags.is_none() && !policy.is_of_aws()).collect();
    if let Some(first) = undescribed.first() {
        reading.missing.push(Missing {
            command: format!("aws iam get-policy --policy-arn {}", first.arn),
            what: format!(
                "for each: description and tags of {}, and so whether CloudFormation manages them",
                count(undescribed.len(), "customer policy")
            ),
        });
    }
    let known: HashSet<&str> = policies.iter().map(|policy| policy.arn.as_str()).collect();
    let is_listed_only = |arn: &String| dump.owns(arn) && !known.contains(arn.as_str());
    // A list of none is what a filtered call prints too: no proof that every policy is gone.
    let has_own = policies.iter().any(|policy| !policy.is_of_aws());
    if has_own && dump.has_all_details() && !summaries.keys().any(is_listed_only) {
        reading.set_complete("policies");
    }
    reading.entities =
        policies.into_iter().map(|policy| Box::new(policy) as Box<dyn Entity>).collect();
    reading
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let details = match live.authorization_details().await {
        Ok(details) => std::mem::take(&mut *details.policies.lock().expect("no panic while held")),
        Err(error) => {
            reading.failures.push(error.into());
            return reading;
        }
    };
    reading.complete.insert("policies");
    if live.aws_managed {
        reading.complete.insert("aws_managed_policies");
    }
    let of = details.len();
    let mut answers = futures::stream::iter(details)
        .map(|detail| complete_policy(live, Policy::from(detail)))
        .buffer_unordered(live.concurrency * 2);
    let mut done = 0;
    while let Some((name, answer)) = answers.next().await {
        done += 1;
        live.progress.count("policies", done, Some(of));
        match answer {
            Ok(Some(policy)) => reading.entities.push(Box::new(policy)),
            Ok(None) => {}
            Err(error) => reading.unreadable.push(Unreadable { name, error }),
        }
    }
    live.progress.stop("policies");
    reading
}

/// Adds what GetPolicy knows; `None` when the policy is gone by now.
async fn complete_policy(
    live: &Live,
    mut policy: Policy,
) -> (String, Result<Option<Policy>, CallError>) {
    policy.normalize();
    let name = policy.policy_name.clone();
    if policy.is_of_aws() {
        return (name, Ok(Some(policy)));
    }
    let request = live.iam.get_policy().policy_arn(&policy.arn);
    let completed = match live.call("iam:GetPolicy", request.send()).await {
        Ok(answer) => match answer.policy {
            Some(answer) => {
                let tags = answer.tags.unwrap_or_default();
                policy.add_summary(Summary {
                    arn: policy.arn.clone(),
                    policy_id: answer.policy_id.unwrap_or_default(),
                    description: answer.description,
                    tags: tags.into_iter().map(Tag::from).collect(),
                });
                policy.normalize();
                Ok(Some(policy))
            }
            None => Err(CallError::empty("iam:GetPolicy")),
        },
        Err(error) if error.reason == Reason::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    (name, completed)
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    let mut wanted = keys.clone();
    wanted.retain(|arn| live.aws_managed || !arn.contains(":iam::aws:policy/"));
    let read = read_each(live, &wanted, |arn| async move { read_policy(live, &arn).await }).await;
    Reading { named: Some(keys.clone()), ..read }
}

/// Reads one policy; `None` when there is none with that ARN.
async fn read_policy(live: &Live, arn: &str) -> Result<Option<Policy>, CallError> {
    let (policy_call, version_call) = ("iam:GetPolicy", "iam:GetPolicyVersion");
    let read = async {
        let request = live.iam.get_policy().policy_arn(arn);
        let answer = live.call(policy_call, request.send()).await?;
        let policy = answer.policy.ok_or_else(|| CallError::empty(policy_call))?;
        let default = policy.default_version_id.clone().unwrap_or_default();
        let request = live.iam.get_policy_version().policy_arn(arn).version_id(default);
        let answer = live.call(version_call, request.send()).await?;
        let version = answer.policy_version.ok_or_else(|| CallError::empty(version_call))?;
        Ok((policy, version))
    };
    let (summary, version) = match read.await {
        Ok(answers) => answers,
        Err(CallError { reason: Reason::NotFound, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut policy = Policy {
        policy_name: summary.policy_name.unwrap_or_default(),
        policy_id: summary.policy_id.unwrap_or_default(),
        arn: summary.arn.unwrap_or_else(|| arn.to_owned()),
        path: summary.path.unwrap_or_else(|| "/".to_owned()),
        default_version_id: summary.default_version_id.unwrap_or_default(),
        is_attachable: summary.is_attachable,
        description: summary.description,
        create_date: sdk_date(summary.create_date.as_ref()),
        update_date: sdk_date(summary.update_date.as_ref()),
        policy_version_list: vec![Version {
            document: Document::from_text(&version.document.unwrap_or_default()),
            version_id: version.version_id.unwrap_or_default(),
            is_default_version: true,
            create_date: sdk_date(version.create_date.as_ref()),
        }],
        tags: Some(summary.tags.unwrap_or_default().into_iter().map(Tag::from).collect()),
    };
    if policy.is_of_aws() {
        (policy.description, policy.tags) = (None, None);
    }
    policy.normalize();
    Ok(Some(policy))
}

/// The principals that a policy is attached to or is the boundary of.
async fn users(live: &Live, arn: &str) -> Result<Scope, CallError> {
    let request = |marker| {
        let request = live.iam.list_entities_for_policy().policy_arn(arn).set_marker(marker);
        request.max_items(1000).send()
    };
    let found = live.list("iam:ListEntitiesForPolicy", request, |page| {
        let groups = page.policy_groups.unwrap_or_default().into_iter();
        let groups = groups.map(|group| (&group::KIND, group.group_name));
        let users = page.policy_users.unwrap_or_default().into_iter();
        let users = users.map(|user| (&user::KIND, user.user_name));
        let roles = page.policy_roles.unwrap_or_default().into_iter();
        let roles = roles.map(|role| (&role::KIND, role.role_name));
        let principals = groups.chain(users).chain(roles).collect();
        (principals, page.is_truncated, page.marker)
    });
    let mut scope = Scope::default();
    match found.await {
        Ok(principals) => {
            for (kind, name) in principals {
                scope.add(kind.plural, name.unwrap_or_default());
            }
            Ok(scope)
        }
        Err(error) if error.reason == Reason::NotFound => Ok(scope),
        Err(error) => Err(error),
    }
}

impl From<sdk::ManagedPolicyDetail> for Policy {
    fn from(detail: sdk::ManagedPolicyDetail) -> Policy {
        Policy {
            policy_name: detail.policy_name.unwrap_or_default(),
            policy_id: detail.policy_id.unwrap_or_default(),
            arn: detail.arn.unwrap_or_default(),
            path: detail.path.unwrap_or_else(|| "/".to_owned()),
            default_version_id: detail.default_version_id.unwrap_or_default(),
            is_attachable: detail.is_attachable,
            description: None,
            create_date: sdk_date(detail.create_date.as_ref()),
            update_date: sdk_date(detail.update_date.as_ref()),
            policy_version_list: detail
                .policy_version_list
                .unwrap_or_default()
                .into_iter()
                .map(|version| Version {
                    document: Document::from_text(&version.document.unwrap_or_default()),
                    version_id: version.version_id.unwrap_or_default(),
                    is_default_version: version.is_default_version,
                    create_date: sdk_date(version.create_date.as_ref()),
                })
                .collect(),
            tags: None,
        }
    }
}
