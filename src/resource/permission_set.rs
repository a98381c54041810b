//! Permission sets of IAM Identity Center, with what hangs on them: the inline policy, attachments,
//! the permissions boundary and the assignments to accounts.
//!
//! The roles that AWS makes of them in the accounts are roles like others, which only AWS changes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ssoadmin::config::Region;
use aws_sdk_ssoadmin::types as sdk;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::actions::{Action, Found, Key, Place, Touches};
use super::parts::{
    Tag, arn_problem, date, document_problem, json_encode, name_problem, non_default_path,
    sdk_date, tags_argument, tags_problem,
};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, Refused, ResourceType, Unreadable, address,
    read_each,
};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::invisible::visible;
use crate::policy_document::{Dialect, Document};
use crate::terraform::{Address, Block, Body, Expression, label, resource};

pub static KIND: Kind = Kind {
    name: "permission set",
    plural: "permission sets",
    folders: &[FOLDER],
    terraform_prefix: "ssoadmin_permission_set",
    // Whether names may differ by case alone AWS does not say; if they do, a note tells.
    case: Case::Ignored,
    asked_by: Some("identity_center"),
    do_keys_end_in_names: false,
    detail_list: None,
    resource_types: &[
        ResourceType {
            name: SET,
            import_id: "PERMISSION_SET_ARN,INSTANCE_ARN",
            identity: &["name"],
            defaults: &[("session_duration", "PT1H")],
            of_provider: &["region"],
            written: &[
                "description",
                "instance_arn",
                "name",
                "region",
                "relay_state",
                "session_duration",
                "tags",
            ],
            left_out: &[
                ("id", "the provider computes it"),
                ("tags_all", "the provider computes it from `tags`"),
                TIMEOUTS,
            ],
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: INLINE_POLICY,
            import_id: "PERMISSION_SET_ARN,INSTANCE_ARN",
            identity: &["permission_set_arn"],
            owner: Some("permission_set_arn"),
            document: Some(("inline_policy", Dialect::Iam)),
            of_provider: &["region"],
            written: &["inline_policy", "instance_arn", "permission_set_arn", "region"],
            left_out: PART_LEFT_OUT,
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: MANAGED_POLICY,
            import_id: "POLICY_ARN,PERMISSION_SET_ARN,INSTANCE_ARN",
            identity: &["permission_set_arn", "managed_policy_arn"],
            owner: Some("permission_set_arn"),
            also_declared_by: &[(
                "aws_ssoadmin_managed_policy_attachments_exclusive",
                "managed_policy_arns",
                "permission_set_arn",
            )],
            of_provider: &["region"],
            written: &["instance_arn", "managed_policy_arn", "permission_set_arn", "region"],
            left_out: PART_LEFT_OUT,
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: CUSTOMER_POLICY,
            import_id: "POLICY_NAME,POLICY_PATH,PERMISSION_SET_ARN,INSTANCE_ARN",
            identity: &[
                "permission_set_arn",
                "customer_managed_policy_reference.path",
                "customer_managed_policy_reference.name",
            ],
            owner: Some("permission_set_arn"),
            also_declared_by: &[(
                "aws_ssoadmin_customer_managed_policy_attachments_exclusive",
                "customer_managed_policy_reference",
                "permission_set_arn",
            )],
            defaults: &[("customer_managed_policy_reference.path", "/")],
            of_provider: &["region"],
            written: &[
                "customer_managed_policy_reference",
                "instance_arn",
                "permission_set_arn",
                "region",
            ],
            left_out: PART_LEFT_OUT,
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: BOUNDARY,
            import_id: "PERMISSION_SET_ARN,INSTANCE_ARN",
            identity: &["permission_set_arn"],
            owner: Some("permission_set_arn"),
            defaults: &[("permissions_boundary.customer_managed_policy_reference.path", "/")],
            of_provider: &["region"],
            written: &["instance_arn", "permission_set_arn", "permissions_boundary", "region"],
            left_out: PART_LEFT_OUT,
            ..ResourceType::PLAIN
        },
        ResourceType {
            name: ASSIGNMENT,
            import_id: "PRINCIPAL_ID,PRINCIPAL_TYPE,ACCOUNT_ID,AWS_ACCOUNT,PERMISSION_SET_ARN,INSTANCE_ARN",
            identity: &["permission_set_arn", "target_id", "principal_type", "principal_id"],
            owner: Some("permission_set_arn"),
            of_provider: &["region"],
            written: &[
                "instance_arn",
                "permission_set_arn",
                "principal_id",
                "principal_type",
                "region",
                "target_id",
                "target_type",
            ],
            left_out: PART_LEFT_OUT,
            ..ResourceType::PLAIN
        },
    ],
    permissions: &[
        LIST_ASSIGNMENTS,
        LIST_ACCOUNTS,
        LIST_CUSTOMER_POLICIES,
        LIST_INSTANCES,
        LIST_MANAGED_POLICIES,
        LIST_SETS,
        LIST_TAGS,
        DESCRIBE,
        GET_INLINE_POLICY,
        GET_BOUNDARY,
    ],
    named_permissions: &[
        LIST_ASSIGNMENTS,
        LIST_ACCOUNTS,
        LIST_CUSTOMER_POLICIES,
        LIST_INSTANCES,
        LIST_MANAGED_POLICIES,
        LIST_TAGS,
        DESCRIBE,
        GET_INLINE_POLICY,
        GET_BOUNDARY,
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
        of_identity_center(
            &[
                "AttachCustomerManagedPolicyReferenceToPermissionSet",
                "AttachManagedPolicyToPermissionSet",
                "CreateAccountAssignment",
                "DeleteAccountAssignment",
                "DeleteInlinePolicyFromPermissionSet",
                "DeletePermissionSet",
                "DeletePermissionsBoundaryFromPermissionSet",
                "DetachCustomerManagedPolicyReferenceFromPermissionSet",
                "DetachManagedPolicyFromPermissionSet",
                "PutInlinePolicyToPermissionSet",
                "PutPermissionsBoundaryToPermissionSet",
                "UpdatePermissionSet",
            ],
            Touches::Named(&[Key {
                place: Place::Request(&["permissionSetArn"]),
                read: arn_in_record,
            }]),
        ),
        of_identity_center(
            &["CreatePermissionSet"],
            Touches::Named(&[Key {
                place: Place::Response(&["permissionSet", "permissionSetArn"]),
                read: arn_in_record,
            }]),
        ),
        of_identity_center(
            &["TagResource", "UntagResource"],
            Touches::Named(&[Key {
                place: Place::Request(&["resourceArn"]),
                read: |arn, account| match arn.is_empty() || arn.contains(":permissionSet/") {
                    true => arn_in_record(arn, account),
                    false => {
                        Found::Foreign("of IAM Identity Center, only permission sets are exported")
                    }
                },
            }]),
        ),
        // What an instance holds goes with it; the others are how the console of instances from before
        // October 2020 changes permission sets and assignments.
        of_identity_center(
            &[
                "AssociateProfile",
                "CreateProfile",
                "DeleteApplicationInstance",
                "DeleteInstance",
                "DeletePermissionsPolicy",
                "DeleteProfile",
                "DisassociateProfile",
                "ProvisionApplicationProfileForAWSAccountInstance",
                "PutPermissionsPolicy",
                "UpdateProfile",
            ],
            Touches::All,
        ),
    ],
    deeds: &[
        ("AttachManagedPolicyToPermissionSet", "managedPolicyArn", "attached"),
        ("CreateAccountAssignment", "targetId", "assigned it in the account"),
        ("DeleteAccountAssignment", "targetId", "took back an assignment in the account"),
        ("DetachManagedPolicyFromPermissionSet", "managedPolicyArn", "detached"),
    ],
    parts: &[],
    parse: super::parse::<PermissionSet>,
};

const FOLDER: &str = "permission_sets";

const SET: &str = "aws_ssoadmin_permission_set";
const INLINE_POLICY: &str = "aws_ssoadmin_permission_set_inline_policy";
const MANAGED_POLICY: &str = "aws_ssoadmin_managed_policy_attachment";
const CUSTOMER_POLICY: &str = "aws_ssoadmin_customer_managed_policy_attachment";
const BOUNDARY: &str = "aws_ssoadmin_permissions_boundary_attachment";
const ASSIGNMENT: &str = "aws_ssoadmin_account_assignment";

const TIMEOUTS: (&str, &str) = ("timeouts", "how long Terraform waits; AWS holds no such value");
const PART_LEFT_OUT: &[(&str, &str)] = &[("id", "the provider computes it"), TIMEOUTS];

const LIST_INSTANCES: &str = "sso:ListInstances";
const LIST_SETS: &str = "sso:ListPermissionSets";
const DESCRIBE: &str = "sso:DescribePermissionSet";
const GET_INLINE_POLICY: &str = "sso:GetInlinePolicyForPermissionSet";
const GET_BOUNDARY: &str = "sso:GetPermissionsBoundaryForPermissionSet";
const LIST_MANAGED_POLICIES: &str = "sso:ListManagedPoliciesInPermissionSet";
const LIST_CUSTOMER_POLICIES: &str = "sso:ListCustomerManagedPolicyReferencesInPermissionSet";
const LIST_TAGS: &str = "sso:ListTagsForResource";
const LIST_ACCOUNTS: &str = "sso:ListAccountsForProvisionedPermissionSet";
const LIST_ASSIGNMENTS: &str = "sso:ListAccountAssignments";

const fn of_identity_center(names: &'static [&'static str], touches: Touches) -> Action {
    Action { service: "sso", names, touches, is_reported: false }
}

fn arn_in_record(arn: &str, _: Option<&str>) -> Found {
    if instance_of(arn).is_some() { Found::Key(arn.to_owned()) } else { Found::Unclear }
}

/// The ARN of the instance that a permission set is of; none: it is no permission set's ARN.
fn instance_of(arn: &str) -> Option<String> {
    let (start, resource) = arn.split_once(":sso:::permissionSet/")?;
    let (instance, set) = resource.split_once('/')?;
    let is_partition = start.strip_prefix("arn:aws").is_some_and(|rest| {
        rest.len() <= 30 && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    });
    let is_id = |text: &str, prefix: &str| {
        let id = text.strip_prefix(prefix);
        id.is_some_and(|id| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        })
    };
    let is_instance = is_id(instance, "ssoins-") || is_id(instance, "ins-");
    (is_partition && is_instance && is_id(set, "ps-"))
        .then(|| format!("{start}:sso:::instance/{instance}"))
}

/// The PermissionSet of DescribePermissionSet, with what the other calls tell of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PermissionSet {
    instance_arn: String,
    permission_set_arn: String,
    /// The instance's, where it is not that of the partition's IAM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_duration: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relay_state: Option<String>,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    created_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inline_policy: Option<Document>,
    #[serde(default)]
    attached_managed_policies: Vec<ManagedPolicy>,
    #[serde(default)]
    customer_managed_policy_references: Vec<PolicyReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<Boundary>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    account_assignments: Vec<Assignment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ManagedPolicy {
    name: String,
    arn: String,
}

/// A policy that each account is to have under this name and path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyReference {
    name: String,
    #[serde(default = "root")]
    path: String,
}

fn root() -> String {
    "/".to_owned()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Boundary {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_managed_policy_reference: Option<PolicyReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    managed_policy_arn: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Assignment {
    account_id: String,
    principal_type: String,
    principal_id: String,
}

impl PermissionSet {
    /// Brings what AWS returns in any order into one.
    fn sort(&mut self) {
        self.attached_managed_policies.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.attached_managed_policies.dedup_by(|a, b| a.arn == b.arn);
        self.customer_managed_policy_references
            .sort_by(|a, b| (&a.path, &a.name).cmp(&(&b.path, &b.name)));
        self.customer_managed_policy_references.dedup();
        self.tags.sort();
        self.account_assignments.sort();
        self.account_assignments.dedup();
    }

    fn problem(&self) -> Option<String> {
        name_problem("permission set's name", &self.name, 32)
            .or_else(|| {
                let own = instance_of(&self.permission_set_arn);
                (own.as_ref() != Some(&self.instance_arn)).then(|| {
                    format!(
                        "`{}` is not the ARN of a permission set of `{}`",
                        self.permission_set_arn, self.instance_arn
                    )
                })
            })
            .or_else(|| self.text_problem())
            .or_else(|| tags_problem(&self.tags))
            .or_else(|| {
                let document = self.inline_policy.as_ref()?;
                document_problem("its inline policy", document)
            })
            .or_else(|| {
                self.attached_managed_policies.iter().find_map(|policy| {
                    arn_problem("attached policy", &policy.arn)
                        .or_else(|| comma_problem(&policy.arn))
                })
            })
            .or_else(|| {
                self.customer_managed_policy_references.iter().find_map(|reference| {
                    reference.problem().or_else(|| {
                        comma_problem(&reference.name).or_else(|| comma_problem(&reference.path))
                    })
                })
            })
            .or_else(|| self.permissions_boundary.as_ref()?.problem())
            .or_else(|| self.account_assignments.iter().find_map(Assignment::problem))
    }

    /// The provider counts bytes.
    fn text_problem(&self) -> Option<String> {
        let longest = |what: &str, text: &Option<String>, longest: usize| {
            let length = text.as_deref().map_or(0, str::len);
            (length > longest)
                .then(|| format!("its {what} has {length} bytes, and the provider takes {longest}"))
        };
        let is_legal =
            |c: char| c.is_ascii_alphanumeric() || "&$@#\\/%?=~-_'\"|!:,.;*+[] (){}".contains(c);
        let relay_state = self.relay_state.as_deref().unwrap_or_default();
        longest("description", &self.description, 700)
            .or_else(|| longest("relay state", &self.relay_state, 240))
            .or_else(|| longest("session duration", &self.session_duration, 100))
            .or_else(|| {
                (!relay_state.is_empty() && !relay_state.contains(is_legal))
                    .then(|| "the provider refuses its relay state".to_owned())
            })
    }

    /// The resource of a part, so far as all parts are alike.
    fn part<'a>(&'a self, main: &Address, at: &Address) -> Block<'a> {
        resource(at)
            .attribute("instance_arn", self.instance_arn.as_str())
            .attribute("permission_set_arn", main.attribute("arn"))
            .optional("region", self.region.as_deref())
    }

    /// An import ID, which ends in the region where that is not the provider's.
    fn import_id(&self, parts: &[&str]) -> String {
        let mut id = parts.join(",");
        for arn in [&self.permission_set_arn, &self.instance_arn] {
            if !id.is_empty() {
                id.push(',');
            }
            id.push_str(arn);
        }
        if let Some(region) = &self.region {
            id.push('@');
            id.push_str(region);
        }
        id
    }

    fn attach<'a>(&'a self, main: &Address, body: &mut Body<'a>) {
        for policy in &self.attached_managed_policies {
            let arn = policy.arn.as_str();
            // What is below `policy/` is the policy's own; the rest is the same for all of AWS.
            let (relation, own) = match arn.split_once(":iam::aws:policy/") {
                Some((_, own)) => ("has-aws", own),
                None => ("has", arn),
            };
            let at = Address::new(MANAGED_POLICY, label::joint(&self.name, relation, own));
            let block = self.part(main, &at).attribute("managed_policy_arn", arn);
            body.import(&at, self.import_id(&[arn]), block);
        }
        for reference in &self.customer_managed_policy_references {
            let PolicyReference { name, path } = reference;
            let own = format!("{}{name}", path.strip_prefix('/').unwrap_or(path));
            let at = Address::new(CUSTOMER_POLICY, label::joint(&self.name, "has-customer", &own));
            let block = self.part(main, &at).block(reference.block());
            body.import(&at, self.import_id(&[name, path]), block);
        }
    }

    fn assign<'a>(&'a self, main: &Address, body: &mut Body<'a>) {
        for Assignment { account_id, principal_type, principal_id } in &self.account_assignments {
            let kind = principal_type.to_ascii_lowercase();
            let own = format!("{account_id}-{kind}-{principal_id}");
            let at = Address::new(ASSIGNMENT, label::joint(&self.name, "on", &own));
            let block = self
                .part(main, &at)
                .attribute("principal_id", principal_id.as_str())
                .attribute("principal_type", principal_type.as_str())
                .attribute("target_id", account_id.as_str())
                .attribute("target_type", "AWS_ACCOUNT");
            let parts = [principal_id, principal_type, account_id.as_str(), "AWS_ACCOUNT"];
            body.import(&at, self.import_id(&parts), block);
        }
    }
}

impl PolicyReference {
    fn block(&self) -> Block<'_> {
        Block::new("customer_managed_policy_reference", Vec::new())
            .attribute("name", self.name.as_str())
            .optional("path", non_default_path(&self.path))
    }

    fn problem(&self) -> Option<String> {
        let PolicyReference { name, path } = self;
        (name.is_empty() || name.len() > 128 || path.is_empty() || path.len() > 512)
            .then(|| format!("the provider refuses the customer managed policy `{path}{name}`"))
    }
}

impl Boundary {
    fn block(&self) -> Block<'_> {
        let block = Block::new("permissions_boundary", Vec::new())
            .optional("managed_policy_arn", self.managed_policy_arn.as_deref());
        match &self.customer_managed_policy_reference {
            Some(reference) => block.block(reference.block()),
            None => block,
        }
    }

    fn problem(&self) -> Option<String> {
        match (&self.managed_policy_arn, &self.customer_managed_policy_reference) {
            (Some(arn), None) => arn_problem("permissions boundary", arn),
            (None, Some(reference)) => reference.problem(),
            _ => Some("its permissions boundary is of a form that the provider lacks".to_owned()),
        }
    }
}

impl Assignment {
    fn problem(&self) -> Option<String> {
        let Assignment { account_id, principal_type, principal_id } = self;
        let is_account = account_id.len() == 12 && account_id.bytes().all(|b| b.is_ascii_digit());
        let is_principal =
            is_principal_id(principal_id) && matches!(principal_type.as_str(), "USER" | "GROUP");
        (!is_account || !is_principal).then(|| {
            format!(
                "the provider refuses the assignment to the {principal_type} `{principal_id}` in `{account_id}`"
            )
        })
    }
}

/// A UUID, of an older identity store with ten hexadecimal digits in front.
fn is_principal_id(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let (first, uuid) = match parts.as_slice() {
        [first, rest @ ..] if rest.len() == 5 => (Some(*first), rest),
        all => (None, all),
    };
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    uuid.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && uuid.iter().all(|part| is_hexadecimal(part))
        && first.is_none_or(|first| {
            first.len() == 10
                && is_hexadecimal(first)
                && !first.bytes().any(|byte| byte.is_ascii_uppercase())
        })
}

/// The provider's import IDs have commas between their parts, and none within.
fn comma_problem(text: &str) -> Option<String> {
    text.contains(',')
        .then(|| format!("the provider cannot import what hangs on `{text}`, for its comma"))
}

impl Entity for PermissionSet {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn arn(&self) -> &str {
        &self.permission_set_arn
    }

    fn key(&self) -> &str {
        &self.permission_set_arn
    }

    fn folder(&self) -> &'static str {
        FOLDER
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        let document = self.inline_policy.as_mut();
        document.map(|document| (String::new(), Dialect::Iam, document)).into_iter().collect()
    }

    fn json_only(&self) -> Option<JsonOnly> {
        self.problem().map(JsonOnly::Inexpressible)
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// AWS makes the ARN.
    fn is_named_by_aws(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, _: &Context) -> Body<'a> {
        let text = |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty());
        let main = address(SET, &self.name);
        let block = resource(&main)
            .attribute("name", self.name.as_str())
            .optional("description", text(&self.description))
            .attribute("instance_arn", self.instance_arn.as_str())
            .optional("region", self.region.as_deref())
            .optional("relay_state", text(&self.relay_state))
            .optional(
                "session_duration",
                text(&self.session_duration).filter(|duration| *duration != "PT1H"),
            )
            .optional("tags", tags_argument(&self.tags));
        let mut body = Body::default();
        body.import(&main, self.import_id(&[]), block);
        if let Some(document) = &self.inline_policy {
            let at = address(INLINE_POLICY, &self.name);
            let block = self.part(&main, &at).optional("inline_policy", json_encode(document));
            body.import(&at, self.import_id(&[]), block);
        }
        self.attach(&main, &mut body);
        if let Some(boundary) = &self.permissions_boundary {
            let at = address(BOUNDARY, &self.name);
            let block = self.part(&main, &at).block(boundary.block());
            body.import(&at, self.import_id(&[]), block);
        }
        self.assign(&main, &mut body);
        body
    }

    fn reference(&self) -> Option<Expression<'static>> {
        Some(address(SET, &self.name).attribute("arn"))
    }
}

impl FromDump for PermissionSet {
    const WHAT: &'static str = "permission set";
    fn arn(&self) -> &str {
        &self.permission_set_arn
    }
    fn name(&self) -> &str {
        &self.name
    }
    fn normalize(&mut self) {
        self.sort();
    }
}

/// Our own raw JSON: no single output of the AWS CLI tells all of a permission set.
fn shelve(page: &mut Page) -> Result<(), DumpError> {
    if page.has("PermissionSetArn") && page.has("InstanceArn") && page.has("Name") {
        page.put("PermissionSet", Rank::OfOrganization, page.whole);
    }
    Ok(())
}

fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let found: Vec<PermissionSet> = reading.take(dump, "PermissionSet", |_: &mut PermissionSet| {});
    reading.entities = found.into_iter().map(|set| Box::new(set) as Box<dyn Entity>).collect();
    reading
}

/// An instance of IAM Identity Center.
#[derive(Clone)]
struct Instance {
    arn: String,
    client: aws_sdk_ssoadmin::Client,
    /// Its region, where that is not the one of the partition's IAM.
    region: Option<String>,
}

/// The instances that may have permission sets: the organization's.
async fn instances(live: &Live) -> Result<Vec<Instance>, CallError> {
    let request = |token| {
        let request = live.identity_center.list_instances().set_next_token(token);
        // Without this, an instance answers in its own region alone.
        request.region_scope(sdk::RegionScope::AllRegions).send()
    };
    let mut found = live
        .list(LIST_INSTANCES, request, |page| {
            let is_truncated = page.next_token.is_some();
            (page.instances.unwrap_or_default(), is_truncated, page.next_token)
        })
        .await?;
    let is_own = |instance: &sdk::InstanceMetadata| {
        instance.owner_account_id.as_deref() == Some(live.account.id.as_str())
    };
    // Beside an organization's instance, one that a member has for itself knows no permission sets.
    if found.iter().any(|instance| !is_own(instance)) {
        found.retain(|instance| !is_own(instance));
    }
    let configured = live.identity_center.config().region().map(ToString::to_string);
    let instance = |found: sdk::InstanceMetadata| {
        let home = found.primary_region.or_else(|| configured.clone());
        let client = match &home {
            Some(region) if home != configured => {
                let config = live.identity_center.config().to_builder();
                let config = config.region(Region::new(region.clone())).build();
                aws_sdk_ssoadmin::Client::from_conf(config)
            }
            _ => live.identity_center.clone(),
        };
        let region = home.filter(|region| Some(region.as_str()) != live.account.iam_region());
        Some(Instance { arn: found.instance_arn?, client, region })
    };
    Ok(found.into_iter().filter_map(instance).collect())
}

fn no_instance(call: &'static str) -> CallError {
    let message = "no instance of IAM Identity Center is visible to this account".to_owned();
    CallError { call, reason: Reason::Other, message }
}

/// A refusal leaves everything as it is.
fn refuse(reading: &mut Reading, error: CallError) {
    match error.reason {
        Reason::Denied => {
            reading.refused = Some(Refused { what: KIND.plural.to_owned(), error });
        }
        _ => reading.failures.push(error.into()),
    }
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let instances = match instances(live).await {
        Ok(instances) => instances,
        Err(error) => {
            refuse(&mut reading, error);
            return reading;
        }
    };
    if instances.is_empty() {
        let error = no_instance(LIST_INSTANCES);
        reading.refused = Some(Refused { what: KIND.plural.to_owned(), error });
        return reading;
    }
    let mut listed: Vec<(Instance, String)> = Vec::new();
    for instance in &instances {
        match list_sets(live, instance).await {
            Ok(arns) => listed.extend(arns.into_iter().map(|arn| (instance.clone(), arn))),
            Err(error) => refuse(&mut reading, error),
        }
    }
    if reading.refused.is_none() && reading.failures.is_empty() {
        reading.complete.insert(FOLDER);
    }
    let of = listed.len();
    let mut answers = futures::stream::iter(listed)
        .map(|(instance, arn)| async move {
            let found = read_set(live, &instance, &arn).await;
            (arn, found)
        })
        .buffer_unordered(live.concurrency);
    let mut sets = Vec::new();
    while let Some((arn, found)) = answers.next().await {
        match found {
            Ok(set) => sets.extend(set),
            // Its name is not known.
            Err(error) => reading.unreadable.push(Unreadable { name: arn, error }),
        }
        live.progress.count("permission sets", sets.len() + reading.unreadable.len(), Some(of));
    }
    live.progress.stop("permission sets");
    take_unlike(&mut reading, sets);
    reading
}

/// Takes the sets whose names are theirs alone: several instances may have a name each.
fn take_unlike(reading: &mut Reading, sets: Vec<PermissionSet>) {
    let mut by_name: BTreeMap<String, Vec<PermissionSet>> = BTreeMap::new();
    for set in sets {
        let same = by_name.entry(set.name.clone()).or_default();
        if same.iter().all(|other| other.permission_set_arn != set.permission_set_arn) {
            same.push(set);
        }
    }
    let mut folded: BTreeMap<String, String> = BTreeMap::new();
    for (name, mut same) in by_name {
        if let Some(other) = folded.insert(name.to_lowercase(), name.clone()) {
            reading.notes.push(format!(
                "the permission sets `{}` and `{}` differ by case alone: a file system that ignores \
                 case holds the files of one",
                visible(&other),
                visible(&name)
            ));
        }
        match same.pop() {
            Some(set) if same.is_empty() => reading.entities.push(Box::new(set)),
            _ => {
                let message = "several instances have a permission set of this name".to_owned();
                let error = CallError { call: LIST_SETS, reason: Reason::Other, message };
                reading.unreadable.push(Unreadable { name, error });
            }
        }
    }
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    let instances = match instances(live).await {
        Ok(instances) if instances.is_empty() => Err(no_instance(LIST_INSTANCES)),
        answer => answer,
    };
    let instances = &instances;
    read_each(live, keys, |arn| async move {
        let instances = instances.as_ref().map_err(Clone::clone)?;
        let own = instance_of(&arn);
        match instances.iter().find(|instance| Some(&instance.arn) == own.as_ref()) {
            Some(instance) => read_set(live, instance, &arn).await,
            // An instance that is gone, or that is not this account's to read: nobody can tell.
            None => Err(no_instance(LIST_INSTANCES)),
        }
    })
    .await
}

async fn list_sets(live: &Live, instance: &Instance) -> Result<Vec<String>, CallError> {
    let request = |token| {
        let request = instance.client.list_permission_sets().instance_arn(&instance.arn);
        request.max_results(100).set_next_token(token).send()
    };
    live.list(LIST_SETS, request, |page| {
        let is_truncated = page.next_token.is_some();
        (page.permission_sets.unwrap_or_default(), is_truncated, page.next_token)
    })
    .await
}

/// Reads one permission set with all that hangs on it; `None` when there is none.
async fn read_set(
    live: &Live,
    instance: &Instance,
    arn: &str,
) -> Result<Option<PermissionSet>, CallError> {
    let read = async {
        let (set, inline_policy, managed, customer, boundary, tags, assignments) = tokio::try_join!(
            describe(live, instance, arn),
            inline_policy(live, instance, arn),
            managed_policies(live, instance, arn),
            customer_policies(live, instance, arn),
            boundary(live, instance, arn),
            tags(live, instance, arn),
            assignments(live, instance, arn),
        )?;
        let mut set = PermissionSet {
            instance_arn: instance.arn.clone(),
            permission_set_arn: arn.to_owned(),
            region: instance.region.clone(),
            name: set.name.ok_or_else(|| CallError::empty(DESCRIBE))?,
            description: set.description,
            session_duration: set.session_duration,
            relay_state: set.relay_state,
            created_date: sdk_date(set.created_date.as_ref()),
            inline_policy,
            attached_managed_policies: managed,
            customer_managed_policy_references: customer,
            permissions_boundary: boundary,
            tags,
            account_assignments: assignments,
        };
        set.sort();
        Ok(set)
    };
    match read.await {
        Ok(set) => Ok(Some(set)),
        Err(CallError { reason: Reason::NotFound, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn describe(
    live: &Live,
    instance: &Instance,
    arn: &str,
) -> Result<sdk::PermissionSet, CallError> {
    let request = instance.client.describe_permission_set().instance_arn(&instance.arn);
    let answer = live.call(DESCRIBE, request.permission_set_arn(arn).send()).await?;
    answer.permission_set.ok_or_else(|| CallError::empty(DESCRIBE))
}

async fn inline_policy(
    live: &Live,
    instance: &Instance,
    arn: &str,
) -> Result<Option<Document>, CallError> {
    let request = instance.client.get_inline_policy_for_permission_set();
    let request = request.instance_arn(&instance.arn).permission_set_arn(arn);
    let answer = live.call(GET_INLINE_POLICY, request.send()).await?;
    let text = answer.inline_policy.filter(|text| !text.is_empty());
    Ok(text.map(|text| Document::from_text(&text)))
}

async fn managed_policies(
    live: &Live,
    instance: &Instance,
    arn: &str,
) -> Result<Vec<ManagedPolicy>, CallError> {
    let request = |token| {
        let request = instance.client.list_managed_policies_in_permission_set();
        let request = request.instance_arn(&instance.arn).permission_set_arn(arn);
        request.max_results(100).set_next_token(token).send()
    };
    live.list(LIST_MANAGED_POLICIES, request, |page| {
        let found = page.attached_managed_policies.unwrap_or_default();
        let policies = found.into_iter().map(|policy| ManagedPolicy {
            name: policy.name.unwrap_or_default(),
            arn: policy.arn.unwrap_or_default(),
        });
        (policies.collect(), page.next_token.is_some(), page.next_token)
    })
    .await
}

async fn customer_policies(
    live: &Live,
    instance: &Instance,
    arn: &str,
) -> Result<Vec<PolicyReference>, CallError> {
    let request = |token| {
        let request = instance.client.list_customer_managed_policy_references_in_permission_set();
        let request = request.instance_arn(&instance.arn).permission_set_arn(arn);
        request.max_results(100).set_next_token(token).send()
    };
    live.list(LIST_CUSTOMER_POLICIES, request, |page| {
        let found = page.customer_managed_policy_references.unwrap_or_default();
        let references = found.into_iter().map(PolicyReference::from);
        (references.collect(), page.next_token.is_some(), page.next_token)
    })
    .await
}

async fn boundary(
    live: &Live,
    instance: &Instance,
    arn: &str,
) -> Result<Option<Boundary>, CallError> {
    let request = instance.client.get_permissions_boundary_for_permission_set();
    let request = request.instance_arn(&instance.arn).permission_set_arn(arn);
    let answer = match live.call(GET_BOUNDARY, request.send()).await {
        Ok(answer) => answer,
        Err(CallError { reason: Reason::NotFound, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(answer.permissions_boundary.map(|boundary| Boundary {
        customer_managed_policy_reference: boundary
            .customer_managed_policy_reference
            .map(PolicyReference::from),
        managed_policy_arn: boundary.managed_policy_arn,
    }))
}

async fn tags(live: &Live, instance: &Instance, arn: &str) -> Result<Vec<Tag>, CallError> {
    let request = |token| {
        let request = instance.client.list_tags_for_resource().instance_arn(&instance.arn);
        request.resource_arn(arn).set_next_token(token).send()
    };
    live.list(LIST_TAGS, request, |page| {
        let found = page.tags.unwrap_or_default().into_iter();
        let tags = found.map(|tag| Tag { key: tag.key, value: tag.value });
        (tags.collect(), page.next_token.is_some(), page.next_token)
    })
    .await
}

/// Every assignment provisions the set in its account first, so no account is missing from the list.
async fn assignments(
    live: &Live,
    instance: &Instance,
    arn: &str,
) -> Result<Vec<Assignment>, CallError> {
    let request = |token| {
        let request = instance.client.list_accounts_for_provisioned_permission_set();
        let request = request.instance_arn(&instance.arn).permission_set_arn(arn);
        request.max_results(100).set_next_token(token).send()
    };
    let accounts = live
        .list(LIST_ACCOUNTS, request, |page| {
            let is_truncated = page.next_token.is_some();
            (page.account_ids.unwrap_or_default(), is_truncated, page.next_token)
        })
        .await?;
    let found: Vec<Vec<Assignment>> = futures::stream::iter(accounts)
        .map(|account| async move { assignments_in(live, instance, arn, &account).await })
        .buffered(live.concurrency)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

async fn assignments_in(
    live: &Live,
    instance: &Instance,
    arn: &str,
    account: &str,
) -> Result<Vec<Assignment>, CallError> {
    let request = |token| {
        let request = instance.client.list_account_assignments().instance_arn(&instance.arn);
        let request = request.permission_set_arn(arn).account_id(account);
        request.max_results(100).set_next_token(token).send()
    };
    let found = live
        .list(LIST_ASSIGNMENTS, request, |page| {
            let found = page.account_assignments.unwrap_or_default();
            let assignments = found.into_iter().map(|assignment| Assignment {
                account_id: assignment.account_id.unwrap_or_default(),
                principal_type: assignment
                    .principal_type
                    .map(|kind| kind.as_str().to_owned())
                    .unwrap_or_default(),
                principal_id: assignment.principal_id.unwrap_or_default(),
            });
            (assignments.collect(), page.next_token.is_some(), page.next_token)
        })
        .await;
    match found {
        // The set, or the account, which then has no assignments.
        Err(CallError { reason: Reason::NotFound, .. }) => {
            describe(live, instance, arn).await.map(|_| Vec::new())
        }
        found => found,
    }
}

impl From<sdk::CustomerManagedPolicyReference> for PolicyReference {
    fn from(reference: sdk::CustomerManagedPolicyReference) -> PolicyReference {
        PolicyReference { name: reference.name, path: reference.path.unwrap_or_else(root) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str =
        "arn:aws-us-gov:sso:::permissionSet/ssoins-72233af8ea2d1f14/ps-ae5d1fa1f80b684e";

    #[test]
    fn instance_comes_from_the_arn() {
        let instance = "arn:aws-us-gov:sso:::instance/ssoins-72233af8ea2d1f14";
        assert_eq!(instance_of(ARN).as_deref(), Some(instance));
        for arn in [
            "",
            "ps-ae5d1fa1f80b684e",
            "arn:aws:sso:::instance/ssoins-72233af8ea2d1f14",
            "arn:aws:sso:::permissionSet/ssoins-72233af8ea2d1f14",
            "arn:aws:sso:::permissionSet/ssoins-72233af8ea2d1f14/ps-",
            "arn:aws:sso:::permissionSet/ssoins-72233af8ea2d1f14/ps-a/../b",
            "arn:aws:sso:::permissionSet/ssoins-72233af8ea2d1f14/ps-a,b",
            "arn:Aws:sso:::permissionSet/ssoins-72233af8ea2d1f14/ps-ae5d1fa1f80b684e",
        ] {
            assert_eq!(instance_of(arn), None, "{arn}");
        }
    }

    #[test]
    fn principals_that_the_provider_takes() {
        for id in [
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "90675e0c1b-F81D4FAE-7dec-11d0-a765-00a0c91e6bf6",
        ] {
            assert!(is_principal_id(id), "{id}");
        }
        for id in [
            "",
            "-",
            "f81d4fae",
            "F0675e0c1b-f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "x81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        ] {
            assert!(!is_principal_id(id), "{id}");
        }
    }

    #[test]
    fn what_the_provider_refuses_or_cannot_import_is_no_terraform() {
        let instance = instance_of(ARN).unwrap();
        let problem = |member: &str, value: serde_json::Value| {
            let mut set = serde_json::json!({
                "InstanceArn": instance, "PermissionSetArn": ARN, "Name": "a"
            });
            set[member] = value;
            let set = (KIND.parse)(&set.to_string()).unwrap();
            set.json_only().map(|reason| reason.to_string())
        };
        let policy = |name: &str| serde_json::json!([{ "Name": name }]);
        let assignment = |account: &str, kind: &str, id: &str| serde_json::json!([{ "AccountId": account, "PrincipalType": kind, "PrincipalId": id }]);
        let id = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
        for (member, value) in [
            ("Name", "Admin".into()),
            ("Description", "é".repeat(350).into()),
            ("Description", "".into()),
            ("RelayState", "https://x".into()),
            ("CustomerManagedPolicyReferences", policy("b")),
            (
                "PermissionsBoundary",
                serde_json::json!({ "CustomerManagedPolicyReference": { "Name": "a,b" } }),
            ),
            ("AccountAssignments", assignment("111122223333", "USER", id)),
        ] {
            assert_eq!(problem(member, value), None, "{member}");
        }
        for (member, value) in [
            ("Name", "a/b".into()),
            ("Name", "x".repeat(33).into()),
            ("PermissionSetArn", "arn:aws:sso:::permissionSet/ssoins-1/ps-1".into()),
            ("Description", "é".repeat(351).into()),
            ("RelayState", "é".into()),
            ("CustomerManagedPolicyReferences", policy("a,b")),
            ("CustomerManagedPolicyReferences", policy("")),
            ("AttachedManagedPolicies", serde_json::json!([{ "Name": "x", "Arn": "x" }])),
            ("PermissionsBoundary", serde_json::json!({})),
            ("AccountAssignments", assignment("1", "USER", id)),
            ("AccountAssignments", assignment("111122223333", "ROBOT", id)),
            ("AccountAssignments", assignment("111122223333", "USER", "x")),
        ] {
            assert!(problem(member, value).is_some(), "{member}");
        }
    }

    #[test]
    fn names_that_differ_by_case_alone_are_told_and_two_of_one_name_are_left() {
        let set = |name: &str, id: &str| PermissionSet {
            instance_arn: String::new(),
            permission_set_arn: id.to_owned(),
            region: None,
            name: name.to_owned(),
            description: None,
            session_duration: None,
            relay_state: None,
            created_date: None,
            inline_policy: None,
            attached_managed_policies: Vec::new(),
            customer_managed_policy_references: Vec::new(),
            permissions_boundary: None,
            tags: Vec::new(),
            account_assignments: Vec::new(),
        };
        let mut reading = Reading::default();
        let sets = vec![set("a", "1"), set("A", "2"), set("b", "3"), set("b", "4"), set("a", "1")];
        take_unlike(&mut reading, sets);
        let names: Vec<_> = reading.entities.iter().map(|it| it.name().to_owned()).collect();
        assert_eq!(names, ["A", "a"]);
        assert_eq!(reading.notes.len(), 1);
        assert_eq!(reading.unreadable.iter().map(|it| &it.name).collect::<Vec<_>>(), ["b"]);
    }
}
