//! What roles, users and groups have in common: inline policies, attachments, a boundary.

use std::future::Future;

use aws_sdk_iam::types as sdk;
use futures::StreamExt;

use super::parts::{
    AttachedPolicy, InlinePolicy, PermissionsBoundary, arn_problem, document_problem, json_encode,
    name_problem,
};
use super::{Context, Kind, policy};
use crate::aws::{CallError, Live, Reason};
use crate::policy_document::{Dialect, Document};
use crate::terraform::{Address, Body, Expression, label, resource};

/// How the resources are called that hang on a kind of principal.
pub struct Hanging {
    /// The argument that names the principal.
    pub owner: &'static str,
    pub inline_policy: &'static str,
    pub attachment: &'static str,
}

/// Adds a principal's inline policies and attachments; `owner` is how they name it.
pub fn hang<'a>(
    body: &mut Body<'a>,
    of: &Hanging,
    name: &str,
    owner: &Expression<'static>,
    inline: &'a [InlinePolicy],
    attached: &'a [AttachedPolicy],
    context: &Context,
) {
    for policy in inline {
        let policy_name = policy.policy_name.as_str();
        let at = inline_address(of, name, policy_name);
        let block = resource(&at)
            .attribute(of.owner, owner.clone())
            .attribute("name", policy_name)
            .optional("policy", json_encode(&policy.policy_document));
        body.import(&at, format!("{name}:{policy_name}"), block);
    }
    for policy in attached {
        let arn = policy.policy_arn.as_str();
        let at = Address::new(of.attachment, attachment_label(name, arn));
        let block = resource(&at)
            .attribute(of.owner, owner.clone())
            .attribute("policy_arn", context.refer(&policy::KIND, arn));
        body.import(&at, format!("{name}/{arn}"), block);
    }
}

/// The address of an inline policy.
pub fn inline_address(of: &Hanging, owner: &str, policy: &str) -> Address {
    Address::new(of.inline_policy, label::joint(owner, "has", policy))
}

/// AWS's own policies may be named like one of the account's, so the two get different words.
fn attachment_label(owner: &str, arn: &str) -> String {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let is_of_aws = arn.contains(":iam::aws:policy/");
    label::joint(owner, if is_of_aws { "has-aws" } else { "has" }, name)
}

/// The `permissions_boundary` argument.
pub fn boundary<'a>(
    boundary: Option<&'a PermissionsBoundary>,
    context: &Context,
) -> Option<Expression<'a>> {
    Some(context.refer(&policy::KIND, &boundary?.permissions_boundary_arn))
}

/// Brings what AWS returns in any order into one.
pub fn sort(inline: &mut [InlinePolicy], attached: &mut Vec<AttachedPolicy>) {
    inline.sort_by(|a, b| a.policy_name.cmp(&b.policy_name));
    attached.sort_by(|a, b| a.policy_arn.cmp(&b.policy_arn));
    attached.dedup_by(|a, b| a.policy_arn == b.policy_arn);
}

/// Why the provider refuses a boundary, an attachment or an inline policy.
pub fn problem(
    boundary: Option<&PermissionsBoundary>,
    inline: &[InlinePolicy],
    attached: &[AttachedPolicy],
) -> Option<String> {
    boundary
        .and_then(|boundary| {
            arn_problem("permissions boundary", &boundary.permissions_boundary_arn)
        })
        .or_else(|| {
            attached.iter().find_map(|policy| arn_problem("attached policy", &policy.policy_arn))
        })
        .or_else(|| {
            inline.iter().find_map(|policy| {
                let name = &policy.policy_name;
                name_problem("policy name", name, 128).or_else(|| {
                    let what = format!("its inline policy `{name}`");
                    document_problem(&what, &policy.policy_document)
                })
            })
        })
}

/// The managed policies that a principal refers to.
pub fn mentions<'a>(
    boundary: Option<&'a PermissionsBoundary>,
    attached: &'a [AttachedPolicy],
) -> impl Iterator<Item = (&'static Kind, &'a str)> {
    let attached = attached.iter().map(|policy| &policy.policy_arn);
    let boundary = boundary.map(|boundary| &boundary.permissions_boundary_arn);
    attached.chain(boundary).map(|arn| (&policy::KIND, arn.as_str()))
}

/// The inline policies' documents, by name.
pub fn documents(
    inline: &mut [InlinePolicy],
) -> impl Iterator<Item = (String, Dialect, &mut Document)> {
    inline
        .iter_mut()
        .map(|policy| (policy.policy_name.clone(), Dialect::Iam, &mut policy.policy_document))
}

/// Reads inline policies by their names; `get` reads one. What was deleted since the listing is
/// left out.
pub async fn inline_policies<F>(
    live: &Live,
    names: Vec<String>,
    get: impl Fn(String) -> F,
) -> Result<Vec<InlinePolicy>, CallError>
where
    F: Future<Output = Result<InlinePolicy, CallError>>,
{
    let mut policies = Vec::new();
    let mut answers = futures::stream::iter(names).map(get).buffered(live.concurrency);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(policy) => policies.push(policy),
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(policies)
}

/// What an SDK's answer says of attachments.
pub fn attached(found: Option<Vec<sdk::AttachedPolicy>>) -> Vec<AttachedPolicy> {
    found.unwrap_or_default().into_iter().map(AttachedPolicy::from).collect()
}
