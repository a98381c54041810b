//! What an invocation asks for, and what the CloudTrail records in it touched and who made them.
//!
//! A record is a hint where to look and says who acted; what is exported is always read from AWS
//! afterwards. Which action touches what, each kind says ([`crate::resource::actions`]); the rest
//! that may change something, and why that is nothing to us, is in [`OF_NO_KIND`].

use std::collections::HashSet;
use std::fmt;

use aws_smithy_types::date_time::{DateTime, Format};
use serde_json::Value;

use crate::invisible::visible;
use crate::resource::actions::{Action, Found, Key, Place, Touches};
use crate::resource::{KINDS, Kind};
use crate::scope::Scope;

/// Bytes kept of a text of a record; AWS's longest ARNs have 2,048.
const LONGEST_TEXT: usize = 2048;

/// What the function was invoked with.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    Direct(Content),
    /// Messages of a queue, each of which succeeds or fails on its own.
    Batch(Vec<Message>),
}

/// What one invocation or message asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A full export: a schedule, or an empty test event.
    Full,
    /// A full export of one of several accounts, by its ID.
    Account(String),
    Records(Vec<Record>),
}

/// One message of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub id: String,
    /// When it was sent, in milliseconds since 1970.
    pub sent_milliseconds: Option<u64>,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// An error concerns this message alone: it is never going to be understood.
    pub content: Result<Content, InvocationError>,
}

/// An invocation that is none of those understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot handle {got}; understood are CloudTrail records from EventBridge, SQS batches of them, \
     scheduled events, `{{}}` for a full export, and `{{\"account\": \"111122223333\"}}` for one of an account"
)]
pub struct InvocationError {
    /// What came instead, fit for one line.
    pub got: String,
}

impl InvocationError {
    fn new(got: impl Into<String>) -> InvocationError {
        InvocationError { got: got.into() }
    }
}

impl Invocation {
    /// Reads what Lambda hands over, or what a file with CloudTrail records holds.
    ///
    /// # Errors
    ///
    /// Anything that is neither. A message of a batch that is malformed is an error of that
    /// message alone.
    pub fn parse(value: &Value) -> Result<Invocation, InvocationError> {
        let queued = value.get("Records").and_then(Value::as_array).filter(|records| {
            records.iter().any(|record| text(record, "eventSource").as_deref() == Some("aws:sqs"))
        });
        match queued {
            Some(records) => {
                records.iter().map(Message::parse).collect::<Result<_, _>>().map(Invocation::Batch)
            }
            None => Content::parse(value).map(Invocation::Direct),
        }
    }
}

impl Message {
    fn parse(value: &Value) -> Result<Message, InvocationError> {
        let is_message = text(value, "eventSource").as_deref() == Some("aws:sqs");
        let Some(id) = text(value, "messageId").filter(|id| is_message && !id.is_empty()) else {
            return Err(InvocationError::new("an SQS batch with a record that is no message"));
        };
        let attribute = |name| value.pointer(name).and_then(Value::as_str);
        let content = match value.get("body") {
            Some(Value::String(body)) => match serde_json::from_str(body) {
                Ok(body) => Content::parse(&body),
                Err(error) => Err(InvocationError::new(format!("a body that is no JSON: {error}"))),
            },
            _ => Err(InvocationError::new("a message without a body")),
        };
        Ok(Message {
            id,
            sent_milliseconds: attribute("/attributes/SentTimestamp").and_then(|n| n.parse().ok()),
            receive_count: attribute("/attributes/ApproximateReceiveCount")
                .and_then(|n| n.parse().ok())
                .unwrap_or(1),
            content,
        })
    }
}

impl Content {
    fn parse(value: &Value) -> Result<Content, InvocationError> {
        let is_schedule = || {
            let source = text(value, "source").unwrap_or_default();
            text(value, "detail-type").as_deref() == Some("Scheduled Event")
                || matches!(&*source, "aws.events" | "aws.scheduler")
        };
        match value {
            Value::Null => Ok(Content::Full),
            Value::Object(members) if members.is_empty() => Ok(Content::Full),
            Value::Object(_) if is_schedule() => Ok(Content::Full),
            Value::Object(members) if members.len() == 1 && members.contains_key("account") => {
                let id = text(value, "account").filter(|id| is_account(id));
                let error = || InvocationError::new("an account that is no ID of twelve digits");
                id.map(Content::Account).ok_or_else(error)
            }
            Value::Object(members) => match members.get("Records") {
                Some(Value::Array(records)) => Content::of_list(records),
                _ => Ok(Content::Records(vec![Record::parse(value)?])),
            },
            Value::Array(records) => Content::of_list(records),
            _ => Err(InvocationError::new(described(value))),
        }
    }

    /// The records in it; a full export has none.
    pub fn records(&self) -> &[Record] {
        match self {
            Content::Full | Content::Account(_) => &[],
            Content::Records(records) => records,
        }
    }

    fn of_list(records: &[Value]) -> Result<Content, InvocationError> {
        records.iter().map(Record::parse).collect::<Result<_, _>>().map(Content::Records)
    }
}

/// What a value is, in a few words.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "`null`".to_owned(),
        Value::Bool(_) => "a truth value".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(members) => {
            if let Some(detail_type) = text(value, "detail-type") {
                let source = text(value, "source").unwrap_or_default();
                return format!(
                    "an EventBridge event `{}` from `{}`",
                    shown(&detail_type),
                    shown(&source)
                );
            }
            if let Some(source) = text(value, "eventSource").or_else(|| text(value, "EventSource"))
            {
                return format!("a record from `{}`", shown(&source));
            }
            let keys: Vec<_> =
                members.keys().take(5).map(|key| format!("`{}`", shown(key))).collect();
            format!("an object with {}", keys.join(", "))
        }
    }
}

fn shown(text: &str) -> String {
    visible(cut(text, 60)).into_owned()
}

/// A call or an event that CloudTrail recorded.
#[derive(Clone, PartialEq)]
pub struct Record {
    pub id: Option<String>,
    /// `AttachRolePolicy`.
    pub name: String,
    /// `iam.amazonaws.com`.
    pub source: String,
    pub time: Option<Time>,
    pub source_ip: Option<String>,
    pub user_agent: Option<String>,
    /// The account in which it happened.
    pub account: Option<String>,
    pub region: Option<String>,
    /// There when the call failed, so nothing changed.
    pub error_code: Option<String>,
    pub read_only: bool,
    /// Whether the service itself reports something, rather than a call.
    pub is_service_event: bool,
    pub actor: Actor,
    request: Value,
    response: Value,
}

/// A moment in UTC, to the second.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Since 1970.
    pub seconds: i64,
    /// RFC 3339: `2026-11-22T10:15:00Z`.
    pub text: String,
}

/// Who made a change, as AWS tells it: nothing here is proven beyond that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The name of the session or user, `root`, or the service; never empty.
    pub name: String,
    pub arn: Option<String>,
    /// Twelve digits.
    pub account: Option<String>,
}

/// Parameters may hold anything a caller sent, so they are not shown.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Record {
    /// Reads a CloudTrail record, bare or as the `detail` of an EventBridge event.
    ///
    /// Only the event's name and source have to be there: a record from which less can be read
    /// widens what is exported.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub fn parse(value: &Value) -> Result<Record, InvocationError> {
        let envelope = match text(value, "detail-type") {
            // API calls, service events and actions in the console.
            Some(detail_type) if detail_type.ends_with(" via CloudTrail") => Some(value),
            Some(_) => return Err(InvocationError::new(described(value))),
            None => None,
        };
        let nothing = Value::Null;
        let detail = match envelope {
            Some(envelope) => envelope.get("detail").unwrap_or(&nothing),
            None => value,
        };
        // Lambda's other triggers have sources such as `aws:s3`.
        let source = text(detail, "eventSource").filter(|source| !source.starts_with("aws:"));
        let name = text(detail, "eventName").filter(|name| !name.trim().is_empty());
        let (Some(source), Some(name)) = (source, name) else {
            let lack = if envelope.is_some() { " without a CloudTrail record in it" } else { "" };
            return Err(InvocationError::new(format!("{}{lack}", described(value))));
        };
        let outside = |member| envelope.and_then(|envelope| text(envelope, member));
        let is_service_event = text(detail, "eventType").as_deref() == Some("AwsServiceEvent");
        let parameters = |member| {
            let found = detail.get(member).filter(|found| !found.is_null());
            let told_by_service = || detail.get("serviceEventDetails").filter(|_| is_service_event);
            found.or_else(told_by_service).cloned().unwrap_or_default()
        };
        Ok(Record {
            id: text(detail, "eventID").or_else(|| outside("id")),
            name,
            source,
            time: text(detail, "eventTime").or_else(|| outside("time")).and_then(|t| time(&t)),
            source_ip: text(detail, "sourceIPAddress"),
            user_agent: text(detail, "userAgent"),
            account: text(detail, "recipientAccountId").or_else(|| outside("account")),
            region: text(detail, "awsRegion").or_else(|| outside("region")),
            error_code: text(detail, "errorCode"),
            read_only: detail.get("readOnly").and_then(Value::as_bool).unwrap_or(false),
            is_service_event,
            actor: Actor::parse(detail.get("userIdentity").unwrap_or(&nothing)),
            request: parameters("requestParameters"),
            response: parameters("responseElements"),
        })
    }

    /// `iam`, `organizations`.
    pub fn service(&self) -> &str {
        self.source.split('.').next().unwrap_or_default()
    }

    /// A text among the request's parameters.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.request.get(name).and_then(Value::as_str)
    }
}

impl Actor {
    fn parse(identity: &Value) -> Actor {
        let member = |path: &str| {
            let found = identity.pointer(path).and_then(Value::as_str)?;
            Some(cut(found, LONGEST_TEXT).to_owned()).filter(|found| !found.trim().is_empty())
        };
        let arn = member("/arn");
        let after = |text: Option<String>, separator: char| {
            let (_, name) = text.as_deref()?.rsplit_once(separator)?;
            Some(name.to_owned()).filter(|name| !name.trim().is_empty())
        };
        let by_type = match member("/type").unwrap_or_default().as_str() {
            // Who assumed the first role of a chain cannot be changed by the later ones.
            "AssumedRole" => member("/sessionContext/sourceIdentity")
                .or_else(|| after(arn.clone(), '/'))
                .or_else(|| after(member("/principalId"), ':')),
            "FederatedUser" => after(arn.clone(), '/'),
            "Root" => Some("root".to_owned()),
            "AWSService" => member("/invokedBy"),
            _ => None,
        };
        let name = by_type
            .or_else(|| member("/userName"))
            .or_else(|| member("/onBehalfOf/userId"))
            .or_else(|| member("/invokedBy"))
            .or_else(|| after(arn.clone(), '/'))
            .or_else(|| member("/principalId"))
            .or_else(|| member("/accountId"))
            .unwrap_or_else(|| "unknown".to_owned());
        Actor { name, arn, account: member("/accountId").filter(|id| is_account(id)) }
    }
}

fn text(value: &Value, member: &str) -> Option<String> {
    value.get(member)?.as_str().map(|found| cut(found, LONGEST_TEXT).to_owned())
}

/// The text's beginning, of at most so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn time(text: &str) -> Option<Time> {
    let moment = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
    let text = DateTime::from_secs(moment.secs()).fmt(Format::DateTime).ok()?;
    Some(Time { seconds: moment.secs(), text })
}

/// What a record says to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    These(Vec<Hit>),
    /// All entities of all kinds.
    Everything,
    /// Nothing that is exported, for this reason.
    Nothing(&'static str),
}

/// An entity that a record touched, or all of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its plural.
    pub kind: &'static str,
    /// What a [`Scope`] calls the entity; none: all of the kind.
    pub key: Option<String>,
}

impl Touched {
    /// Whether an entity of a kind for which this holds may have been touched.
    pub fn meets(&self, kind: &str, is_key: impl Fn(&str) -> bool) -> bool {
        match self {
            Touched::These(hits) => {
                hits.iter().any(|hit| hit.kind == kind && hit.key.as_deref().is_none_or(&is_key))
            }
            Touched::Everything => true,
            Touched::Nothing(_) => false,
        }
    }
}

/// Which entities a record touched.
///
/// Whatever cannot be told exactly is wider, never nothing: a key that is missing or malformed is
/// every entity of its kind, an action that nobody knows everything.
pub fn touched(record: &Record) -> Touched {
    let service = record.source.strip_suffix(".amazonaws.com").unwrap_or_default();
    let rows = KINDS.iter().flat_map(|kind| kind.actions.iter().map(|action| (*kind, action)));
    let rows: Vec<_> = rows.filter(|(_, action)| action.service == service).collect();
    if rows.is_empty() && !OF_NO_KIND.iter().any(|(of, _)| *of == service) {
        return Touched::Nothing("not of a service whose entities are exported");
    }
    if record.error_code.is_some() {
        return Touched::Nothing("the call failed");
    }
    if record.read_only {
        return Touched::Nothing("the call only read");
    }
    let is_this = |(_, action): &&(&Kind, &Action)| {
        (!action.is_reported || record.is_service_event)
            && action.names.contains(&record.name.as_str())
    };
    let mut hits: Vec<Hit> = Vec::new();
    let mut foreign = None;
    let mut is_known = false;
    for (kind, action) in rows.iter().filter(is_this) {
        is_known = true;
        match action.touches {
            Touches::All => hits.push(Hit { kind: kind.plural, key: None }),
            Touches::Named(keys) => {
                foreign = named(record, kind, keys, &mut hits).or(foreign);
            }
        }
    }
    if !hits.is_empty() {
        return Touched::These(hits);
    }
    if let Some(reason) = foreign.filter(|_| is_known) {
        return Touched::Nothing(reason);
    }
    let of_no_kind = OF_NO_KIND.iter().filter(|(of, _)| *of == service);
    let mut of_no_kind = of_no_kind.flat_map(|(_, actions)| *actions);
    match of_no_kind.find(|(name, _)| *name == record.name) {
        Some((_, reason)) => Touched::Nothing(reason),
        None => Touched::Everything,
    }
}

/// Adds what a record names; hands back why a text is no key of the kind, if one is not.
fn named(
    record: &Record,
    kind: &'static Kind,
    keys: &[Key],
    hits: &mut Vec<Hit>,
) -> Option<&'static str> {
    let mut found = Vec::new();
    let mut foreign = None;
    for key in keys {
        let (parameters, path) = match key.place {
            Place::Request(path) => (&record.request, path),
            Place::Response(path) => (&record.response, path),
        };
        let value = path.iter().try_fold(parameters, |value, member| value.get(member));
        let text = value.and_then(Value::as_str).unwrap_or_default();
        match (key.read)(text, record.account.as_deref()) {
            Found::Key(key) => found.push(Hit { kind: kind.plural, key: Some(key) }),
            Found::Foreign(reason) => foreign = Some(reason),
            Found::Unclear => {
                hits.push(Hit { kind: kind.plural, key: None });
                return None;
            }
        }
    }
    hits.append(&mut found);
    foreign
}

/// What records ask to read, and those of them that touched something: each once, oldest first.
pub fn scope_of(records: Vec<Record>) -> (Scope, Vec<Record>) {
    let mut scope = Scope::default();
    let mut ids = HashSet::new();
    let mut relevant = Vec::new();
    for record in records {
        if record.id.as_ref().is_some_and(|id| !ids.insert(id.clone())) {
            continue;
        }
        match touched(&record) {
            Touched::These(hits) => hits.into_iter().for_each(|hit| match hit.key {
                Some(key) => scope.add(hit.kind, key),
                None => scope.add_all(hit.kind),
            }),
            Touched::Everything => scope.merge(&Scope::everything()),
            Touched::Nothing(_) => continue,
        }
        relevant.push(record);
    }
    relevant.sort_by(|a, b| (&a.time, &a.id).cmp(&(&b.time, &b.id)));
    (scope, relevant)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Actions by their names, each with why nothing that is exported follows from it.
type OfNoKind = [(&'static str, &'static str)];

const ACCOUNT_SETTING: &str = "this setting of the account is not exported";
const APPLICATION: &str = "applications of IAM Identity Center are not exported";
const CONTACT: &str = "of accounts, contacts are not exported";
const CREDENTIAL: &str = "credentials are not exported";
const DELEGATION: &str =
    "delegation requests are not exported; what is done with one is recorded itself";
const INSTANCE: &str = "of IAM Identity Center, only permission sets are exported";
const INVITATION: &str = "invitations are not exported";
const MFA_DEVICE: &str = "MFA devices are not exported";
const PROVISIONING: &str =
    "provisioning changes roles in accounts, of which IAM has events, and no permission set";
const REGION: &str = "which regions an account uses is not exported";
const SERVER_CERTIFICATE: &str = "server certificates are not exported";
const SERVICE_ACCESS: &str = "access of AWS services is not exported";
const SIGN_IN: &str = "people who sign in change nothing";

/// What may change something and concerns no kind.
static OF_NO_KIND: &[(&str, &OfNoKind)] = &[
    ("account", ACCOUNT),
    ("iam", IAM),
    ("organizations", ORGANIZATIONS),
    ("sso", IDENTITY_CENTER),
];

static ACCOUNT: &OfNoKind = &[
    ("DeleteAlternateContact", CONTACT),
    ("DisableRegion", REGION),
    ("EnableRegion", REGION),
    ("PutAlternateContact", CONTACT),
    ("PutContactInformation", CONTACT),
    ("StartPrimaryEmailUpdate", "the address is what it was until the update is accepted"),
];

static IAM: &OfNoKind = &[
    ("AcceptDelegationRequest", DELEGATION),
    ("AssociateDelegationRequest", DELEGATION),
    ("ChangePassword", CREDENTIAL),
    ("CreateAccessKey", CREDENTIAL),
    ("CreateDelegationRequest", DELEGATION),
    ("CreateInstanceProfile", "an instance profile goes with its role, and a new one has none"),
    ("CreateLoginProfile", CREDENTIAL),
    ("CreateServiceSpecificCredential", CREDENTIAL),
    ("CreateVirtualMFADevice", MFA_DEVICE),
    ("DeactivateMFADevice", MFA_DEVICE),
    ("DeleteAccessKey", CREDENTIAL),
    ("DeleteLoginProfile", CREDENTIAL),
    ("DeleteSSHPublicKey", CREDENTIAL),
    ("DeleteServerCertificate", SERVER_CERTIFICATE),
    ("DeleteServiceSpecificCredential", CREDENTIAL),
    ("DeleteSigningCertificate", CREDENTIAL),
    ("DeleteVirtualMFADevice", MFA_DEVICE),
    ("DisableOrganizationsRootCredentialsManagement", ACCOUNT_SETTING),
    ("DisableOrganizationsRootSessions", ACCOUNT_SETTING),
    ("DisableOutboundWebIdentityFederation", ACCOUNT_SETTING),
    ("EnableMFADevice", MFA_DEVICE),
    ("EnableOrganizationsRootCredentialsManagement", ACCOUNT_SETTING),
    ("EnableOrganizationsRootSessions", ACCOUNT_SETTING),
    ("EnableOutboundWebIdentityFederation", ACCOUNT_SETTING),
    ("PutAccountProperties", ACCOUNT_SETTING),
    ("RejectDelegationRequest", DELEGATION),
    ("ResetServiceSpecificCredential", CREDENTIAL),
    ("ResyncMFADevice", MFA_DEVICE),
    ("SendDelegationToken", DELEGATION),
    ("SetSecurityTokenServicePreferences", ACCOUNT_SETTING),
    ("TagMFADevice", MFA_DEVICE),
    ("TagServerCertificate", SERVER_CERTIFICATE),
    ("UntagMFADevice", MFA_DEVICE),
    ("UntagServerCertificate", SERVER_CERTIFICATE),
    ("UpdateAccessKey", CREDENTIAL),
    ("UpdateDelegationRequest", DELEGATION),
    ("UpdateLoginProfile", CREDENTIAL),
    ("UpdateSSHPublicKey", CREDENTIAL),
    ("UpdateServerCertificate", SERVER_CERTIFICATE),
    ("UpdateServiceSpecificCredential", CREDENTIAL),
    ("UpdateSigningCertificate", CREDENTIAL),
    ("UploadSSHPublicKey", CREDENTIAL),
    ("UploadServerCertificate", SERVER_CERTIFICATE),
    ("UploadSigningCertificate", CREDENTIAL),
];

static ORGANIZATIONS: &OfNoKind = &[
    ("CancelHandshake", INVITATION),
    ("DeclineHandshake", INVITATION),
    ("DisableAWSServiceAccess", SERVICE_ACCESS),
    ("EnableAWSServiceAccess", SERVICE_ACCESS),
    ("InviteAccountToOrganization", INVITATION),
    ("InviteOrganizationToTransferResponsibility", INVITATION),
    ("TerminateResponsibilityTransfer", INVITATION),
    ("UpdateResponsibilityTransfer", INVITATION),
];

static IDENTITY_CENTER: &OfNoKind = &[
    ("AddRegion", INSTANCE),
    ("AssociateDirectory", INSTANCE),
    ("Authenticate", SIGN_IN),
    ("CreateApplication", APPLICATION),
    ("CreateApplicationAssignment", APPLICATION),
    ("CreateApplicationInstance", APPLICATION),
    ("CreateApplicationInstanceCertificate", APPLICATION),
    ("CreateInstance", INSTANCE),
    ("CreateInstanceAccessControlAttributeConfiguration", INSTANCE),
    ("CreateManagedApplicationInstance", APPLICATION),
    ("CreateToken", SIGN_IN),
    ("CreateTrust", APPLICATION),
    ("CreateTrustedTokenIssuer", APPLICATION),
    ("DeleteApplication", APPLICATION),
    ("DeleteApplicationAccessScope", APPLICATION),
    ("DeleteApplicationAssignment", APPLICATION),
    ("DeleteApplicationAuthenticationMethod", APPLICATION),
    ("DeleteApplicationGrant", APPLICATION),
    ("DeleteApplicationInstanceCertificate", APPLICATION),
    ("DeleteInstanceAccessControlAttributeConfiguration", INSTANCE),
    ("DeleteManagedApplicationInstance", APPLICATION),
    ("DeleteTrust", APPLICATION),
    ("DeleteTrustedTokenIssuer", APPLICATION),
    ("DisassociateDirectory", INSTANCE),
    ("Federate", SIGN_IN),
    ("GetRoleCredentials", SIGN_IN),
    ("ImportApplicationInstanceServiceProviderMetadata", APPLICATION),
    ("Logout", SIGN_IN),
    ("ProvisionApplicationInstanceForAWSAccount", PROVISIONING),
    ("ProvisionPermissionSet", PROVISIONING),
    ("ProvisionSAMLProvider", PROVISIONING),
    ("PutApplicationAccessScope", APPLICATION),
    ("PutApplicationAssignmentConfiguration", APPLICATION),
    ("PutApplicationAuthenticationMethod", APPLICATION),
    ("PutApplicationGrant", APPLICATION),
    ("PutApplicationSessionConfiguration", APPLICATION),
    ("PutMfaDeviceManagementForDirectory", INSTANCE),
    ("RegisterClient", SIGN_IN),
    ("RemoveRegion", INSTANCE),
    ("StartDeviceAuthorization", SIGN_IN),
    ("StartSSO", INSTANCE),
    ("UpdateApplication", APPLICATION),
    ("UpdateApplicationInstanceActiveCertificate", APPLICATION),
    ("UpdateApplicationInstanceDisplayData", APPLICATION),
    ("UpdateApplicationInstanceResponseConfiguration", APPLICATION),
    ("UpdateApplicationInstanceResponseSchemaConfiguration", APPLICATION),
    ("UpdateApplicationInstanceSecurityConfiguration", APPLICATION),
    ("UpdateApplicationInstanceServiceProviderConfiguration", APPLICATION),
    ("UpdateApplicationInstanceStatus", APPLICATION),
    ("UpdateDirectoryAssociation", INSTANCE),
    ("UpdateInstance", INSTANCE),
    ("UpdateInstanceAccessControlAttributeConfiguration", INSTANCE),
    ("UpdateManagedApplicationInstanceStatus", APPLICATION),
    ("UpdateSSOConfiguration", INSTANCE),
    ("UpdateTrust", APPLICATION),
    ("UpdateTrustedTokenIssuer", APPLICATION),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn record(value: Value) -> Record {
        Record::parse(&value).expect("a record")
    }

    fn iam(name: &str, request: Value, response: Value) -> Record {
        record(json!({
            "eventSource": "iam.amazonaws.com", "eventName": name, "eventID": "e",
            "recipientAccountId": "111122223333",
            "requestParameters": request, "responseElements": response,
        }))
    }

    fn organizations(name: &str, request: Value, response: Value) -> Record {
        let source = "organizations.amazonaws.com".to_owned();
        Record { source, ..iam(name, request, response) }
    }

    fn identity_center(name: &str, request: Value, response: Value) -> Record {
        Record { source: "sso.amazonaws.com".to_owned(), ..iam(name, request, response) }
    }

    fn hit(kind: &'static str, key: &str) -> Hit {
        Hit { kind, key: Some(key.to_owned()) }
    }

    fn one(kind: &'static str, key: &str) -> Touched {
        Touched::These(vec![hit(kind, key)])
    }

    fn all(kind: &'static str) -> Touched {
        Touched::These(vec![Hit { kind, key: None }])
    }

    /// What a record touches, service-linked roles aside: most actions on roles are on these, too.
    fn touched_first(record: &Record) -> Touched {
        match touched(record) {
            Touched::These(mut hits) => {
                hits.retain(|hit| hit.kind != "service linked roles");
                Touched::These(hits)
            }
            other => other,
        }
    }

    fn shared(path: &str) -> Option<std::path::PathBuf> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
        if !path.exists() {
            eprintln!("skipped: there is no {}", path.display());
        }
        path.exists().then_some(path)
    }

    #[test]
    fn what_concerns_no_kind_is_sorted_and_concerns_none() {
        for (service, actions) in OF_NO_KIND {
            assert!(actions.is_sorted_by(|(a, _), (b, _)| a < b));
            for (name, _) in *actions {
                for kind in KINDS {
                    let mut of_service = kind.actions.iter().filter(|it| it.service == *service);
                    assert!(!of_service.any(|it| it.names.contains(name)), "{name}: {kind:?}");
                }
            }
        }
    }

    #[test]
    fn all_actions_that_may_change_something_are_known_and_no_other() {
        let Some(path) = shared("write-actions.json") else { return };
        let text = std::fs::read_to_string(path).expect("readable");
        let services: Value = serde_json::from_str(&text).expect("JSON");
        for (service, of_no_kind) in OF_NO_KIND {
            let source = format!("{service}.amazonaws.com");
            let Some(actions) = services.get(&source) else { continue };
            let actions = actions.as_object().expect("an object");
            let of_kinds = KINDS.iter().flat_map(|kind| kind.actions);
            let of_kinds: Vec<_> =
                of_kinds.filter(|it| it.service == *service && !it.is_reported).collect();
            let names = of_kinds.iter().flat_map(|action| action.names.iter().copied());
            let known: BTreeSet<&str> =
                names.chain(of_no_kind.iter().map(|(name, _)| *name)).collect();
            let wanted: BTreeSet<&str> = actions.keys().map(String::as_str).collect();
            assert_eq!(known, wanted, "{service}");
            for action in of_kinds {
                let Touches::Named(keys) = action.touches else { continue };
                for (name, key) in
                    action.names.iter().flat_map(|name| keys.iter().map(move |key| (name, key)))
                {
                    let members = match key.place {
                        Place::Request(_) => "request",
                        Place::Response(_) => "response",
                    };
                    let members = actions[*name][members].as_array().expect("a list");
                    let path = key.place.path();
                    let is_there = path.first().is_none_or(|first| members.contains(&json!(first)));
                    assert!(is_there, "{name}: {path:?} of {members:?}");
                }
            }
        }
    }

    #[test]
    fn accounts_that_are_renamed_are_touched() {
        let call = |name, request| Record {
            source: "account.amazonaws.com".to_owned(),
            account: Some("111122223333".to_owned()),
            ..iam(name, request, json!(null))
        };
        let hit = |kind, key: Option<&str>| Hit { kind, key: key.map(str::to_owned) };
        let renamed = json!({"accountId": "444455556666", "accountName": "x"});
        let own = json!({"accountName": "x"});
        for (request, key) in [(renamed, "444455556666"), (own, "111122223333")] {
            let mut hits = vec![hit("organizations accounts", Some(key))];
            // They have the names of their targets.
            hits.push(hit("organizations policies", None));
            assert_eq!(touched(&call("PutAccountName", request)), Touched::These(hits));
        }
        let unclear = call("AcceptPrimaryEmailUpdate", json!({"accountId": "4444"}));
        assert_eq!(touched(&unclear), all("organizations accounts"));
        for name in ["EnableRegion", "PutAlternateContact", "StartPrimaryEmailUpdate"] {
            assert!(matches!(touched(&call(name, json!({}))), Touched::Nothing(_)), "{name}");
        }
        assert_eq!(touched(&call("PutSomethingNew", json!({}))), Touched::Everything);
    }

    #[test]
    fn calls_of_identity_center_touch_permission_sets() {
        let set = "arn:aws:sso:::permissionSet/ssoins-72233af8ea2d1f14/ps-ae5d1fa1f80b684e";
        let created = json!({"permissionSet": {"permissionSetArn": set}});
        let created = identity_center("CreatePermissionSet", json!({"name": "x"}), created);
        assert_eq!(touched(&created), one("permission sets", set));
        let assigned = json!({"permissionSetArn": set, "targetId": "111122223333"});
        let assigned = identity_center("CreateAccountAssignment", assigned, json!({}));
        assert_eq!(touched(&assigned), one("permission sets", set));
        for arn in [json!(null), json!("ps-ae5d1fa1f80b684e"), json!(format!("{set}/x"))] {
            let record = json!({"permissionSetArn": arn});
            let record = identity_center("UpdatePermissionSet", record, json!(null));
            assert_eq!(touched(&record), all("permission sets"), "{arn}");
        }
        let application = "arn:aws:sso::111122223333:application/ssoins-1/apl-1";
        let tagged = json!({"resourceArn": application});
        let tagged = identity_center("TagResource", tagged, json!({}));
        assert!(matches!(touched(&tagged), Touched::Nothing(_)));
        let signed_in = identity_center("Federate", json!(null), json!(null));
        assert!(matches!(touched(&signed_in), Touched::Nothing(_)));
    }

    /// Besides the calls of its API, IAM Identity Center has some of its console.
    #[test]
    fn calls_of_identity_center_that_may_change_something_are_known() {
        let calls = "AddRegion AttachCustomerManagedPolicyReferenceToPermissionSet \
            AttachManagedPolicyToPermissionSet CreateAccountAssignment CreateApplication \
            CreateApplicationAssignment CreateInstance \
            CreateInstanceAccessControlAttributeConfiguration CreatePermissionSet \
            CreateTrustedTokenIssuer DeleteAccountAssignment DeleteApplication \
            DeleteApplicationAccessScope DeleteApplicationAssignment \
            DeleteApplicationAuthenticationMethod DeleteApplicationGrant \
            DeleteInlinePolicyFromPermissionSet DeleteInstance \
            DeleteInstanceAccessControlAttributeConfiguration DeletePermissionSet \
            DeletePermissionsBoundaryFromPermissionSet DeleteTrustedTokenIssuer \
            DetachCustomerManagedPolicyReferenceFromPermissionSet \
            DetachManagedPolicyFromPermissionSet ProvisionPermissionSet \
            PutApplicationAccessScope PutApplicationAssignmentConfiguration \
            PutApplicationAuthenticationMethod PutApplicationGrant \
            PutApplicationSessionConfiguration PutInlinePolicyToPermissionSet \
            PutPermissionsBoundaryToPermissionSet RemoveRegion TagResource UntagResource \
            UpdateApplication UpdateInstance \
            UpdateInstanceAccessControlAttributeConfiguration UpdatePermissionSet \
            UpdateTrustedTokenIssuer";
        let of_kinds = KINDS.iter().flat_map(|kind| kind.actions);
        let of_kinds = of_kinds.filter(|action| action.service == "sso");
        let of_kinds = of_kinds.flat_map(|action| action.names.iter().copied());
        let known: BTreeSet<&str> =
            of_kinds.chain(IDENTITY_CENTER.iter().map(|(name, _)| *name)).collect();
        let unknown: Vec<&str> =
            calls.split_whitespace().filter(|call| !known.contains(call)).collect();
        assert_eq!(unknown, [""; 0]);
    }

    #[test]
    fn recorded_calls_touch_what_they_name() {
        let Some(folder) = shared("cloudtrail-events") else { return };
        let mut seen = Vec::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("readable");
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let Ok(Invocation::Direct(Content::Records(records))) = Invocation::parse(&value)
            else {
                panic!("not records: {text}");
            };
            for record in &records {
                assert!(record.time.is_some() && record.id.is_some());
                seen.push((record.name.clone(), record.actor.name.clone(), touched(record)));
            }
        }
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        let role = |name| one("roles", name);
        let expected = [
            ("AttachRolePolicy", role("stratus-red-team-malicious-iam-role")),
            ("AttachUserPolicy", one("users", "malicious-iam-user")),
            ("CreateAccessKey", Touched::Nothing("credentials are not exported")),
            ("CreateAccessKey", Touched::Nothing("credentials are not exported")),
            ("CreateLoginProfile", Touched::Nothing("credentials are not exported")),
            ("CreateRole", role("stratus-red-team-malicious-iam-role")),
            ("CreateUser", one("users", "malicious-iam-user")),
            ("DeleteLoginProfile", Touched::Nothing("the call failed")),
            ("LeaveOrganization", Touched::Nothing("the call failed")),
            ("UpdateAssumeRolePolicy", role("stratus-red-team-backdoor-r-role")),
            ("UpdateLoginProfile", Touched::Nothing("credentials are not exported")),
        ];
        assert_eq!(seen.len(), expected.len());
        for ((name, actor, touched), (wanted, what)) in seen.iter().zip(expected) {
            assert_eq!((name.as_str(), touched), (wanted, &what));
            let is_role = name == "LeaveOrganization";
            assert_eq!(
                actor,
                if is_role { "aws-go-sdk-1722587398902687000" } else { "christophe" }
            );
        }
    }

    #[test]
    fn keys_are_found_where_an_action_has_them() {
        let arn = "arn:aws:iam::111122223333:policy/team/deploy";
        for (record, wanted) in [
            (iam("TagRole", json!({"roleName": "deploy"}), json!(null)), one("roles", "deploy")),
            (
                iam("CreateServiceLinkedRole", json!({}), json!({"role": {"roleName": "slr"}})),
                one("roles", "slr"),
            ),
            (
                iam("TagInstanceProfile", json!({"instanceProfileName": "web"}), json!(null)),
                one("roles", "instance-profile/web"),
            ),
            (
                iam(
                    "AddRoleToInstanceProfile",
                    json!({"instanceProfileName": "web", "roleName": "deploy"}),
                    json!(null),
                ),
                Touched::These(vec![hit("roles", "deploy"), hit("roles", "instance-profile/web")]),
            ),
            (iam("CreatePolicy", json!({}), json!({"policy": {"arn": arn}})), one("policies", arn)),
            (
                iam("DeletePolicyVersion", json!({"policyArn": arn}), json!(null)),
                one("policies", arn),
            ),
            (
                organizations(
                    "CreatePolicy",
                    json!({"name": "x"}),
                    json!({"policy": {"policySummary": {"id": "p-12345678"}}}),
                ),
                one("organizations policies", "p-12345678"),
            ),
            (
                organizations("TagResource", json!({"resourceId": "p-12345678"}), json!(null)),
                one("organizations policies", "p-12345678"),
            ),
        ] {
            assert_eq!(touched_first(&record), wanted, "{record:?}");
        }
        for (id, kind) in [
            ("111122223333", "organizations accounts"),
            ("ou-a1b2-cdefgh34", "organizational units"),
            ("rp-a1b2cdef", "organization resource policies"),
        ] {
            let tagged = organizations("TagResource", json!({"resourceId": id}), json!({}));
            assert_eq!(touched(&tagged), one(kind, id));
        }
        let tagged = organizations("TagResource", json!({"resourceId": "r-a1b2"}), json!({}));
        assert!(matches!(touched(&tagged), Touched::Nothing(_)));
        let arn = "arn:aws-cn:iam::aws:policy/job-function/ViewOnlyAccess";
        let of_aws = iam("TagPolicy", json!({"policyArn": arn}), json!({}));
        assert_eq!(touched(&of_aws), Touched::Nothing("AWS manages this policy"));
    }

    #[test]
    fn malformed_keys_widen_to_the_kind() {
        for name in [
            json!(null),
            json!(7),
            json!(""),
            json!([]),
            json!({"roleName": "x"}),
            json!("../../x"),
            json!("a b"),
            json!("a\n"),
            json!("x".repeat(65)),
            json!("é"),
            json!("a/b"),
        ] {
            let record = iam("TagRole", json!({"roleName": name}), json!(null));
            assert_eq!(touched_first(&record), all("roles"), "{name}");
        }
        for arn in [
            json!(null),
            json!("deploy"),
            json!("arn:aws:iam::111122223333:role/x"),
            json!("arn:aws:iam::999999999999:policy/x"),
            json!("arn:aws:iam::1:policy/x"),
            json!("arn:aws:iam::111122223333:policy/"),
            json!("arn:aws:iam::111122223333:policy/ /x"),
            json!(format!("arn:aws:iam::111122223333:policy/{}/x", "y".repeat(3000))),
        ] {
            let record = iam("DeletePolicy", json!({"policyArn": arn}), json!(null));
            assert_eq!(touched(&record), all("policies"), "{arn}");
        }
        for id in [json!(null), json!("p-"), json!("p-short"), json!("p-1234567/"), json!({})] {
            for (name, member) in [("UpdatePolicy", "policyId"), ("UntagResource", "resourceId")] {
                let record = organizations(name, json!({member: id}), json!(null));
                let Touched::These(hits) = touched(&record) else { panic!("{id}: {record:?}") };
                assert!(hits.iter().all(|hit| hit.key.is_none()), "{id}: {hits:?}");
                assert!(hits.iter().any(|hit| hit.kind == "organizations policies"), "{id}");
            }
        }
        for request in [json!(null), json!([]), json!("roleName"), json!(3)] {
            let record = iam("DeleteRole", request, json!(null));
            assert_eq!(touched_first(&record), all("roles"));
        }
    }

    #[test]
    fn failed_read_only_and_other_services_calls_touch_nothing() {
        let role = iam("TagRole", json!({"roleName": "deploy"}), json!(null));
        let failed = Record { error_code: Some("AccessDenied".to_owned()), ..role.clone() };
        assert_eq!(touched(&failed), Touched::Nothing("the call failed"));
        let read = Record { read_only: true, name: "GetRole".to_owned(), ..role.clone() };
        assert_eq!(touched(&read), Touched::Nothing("the call only read"));
        let other = Record { source: "signin.amazonaws.com".to_owned(), ..role.clone() };
        assert!(matches!(touched(&other), Touched::Nothing(_)));
        let unknown = Record { name: "ReshapeRole".to_owned(), ..role };
        assert_eq!(touched(&unknown), Touched::Everything);
    }

    #[test]
    fn service_events_have_their_parameters_elsewhere() {
        let event = |source: &str, name: &str, details: Value| {
            record(json!({
                "eventSource": source, "eventName": name, "eventType": "AwsServiceEvent",
                "requestParameters": null, "serviceEventDetails": details,
            }))
        };
        let deleted = event(
            "iam.amazonaws.com",
            "DeleteServiceLinkedRole",
            json!({"roleName": "AWSServiceRoleForSupport"}),
        );
        assert_eq!(touched_first(&deleted), one("roles", "AWSServiceRoleForSupport"));
        let source = "organizations.amazonaws.com";
        let created = event(source, "CreateAccountResult", json!({"createAccountStatus": {}}));
        let of_all = |kind| Hit { kind, key: None };
        let policies = of_all("organizations policies");
        let wanted = vec![of_all("organizations accounts"), policies.clone()];
        assert_eq!(touched(&created), Touched::These(wanted));
        let of_one = json!({"createAccountStatus": {"accountId": "444455556666"}});
        let wanted = vec![hit("organizations accounts", "444455556666"), policies];
        let of_one = event(source, "CreateAccountResult", of_one);
        assert_eq!(touched(&of_one), Touched::These(wanted));
        assert_eq!(touched(&event(source, "Unheard", json!(null))), Touched::Everything);
        let called = Record { is_service_event: false, ..created };
        assert_eq!(touched(&called), Touched::Everything);
    }

    #[test]
    fn schedules_and_empty_events_are_full_exports() {
        for value in [
            json!(null),
            json!({}),
            json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
            json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}),
        ] {
            let parsed = Invocation::parse(&value);
            assert_eq!(parsed, Ok(Invocation::Direct(Content::Full)), "{value}");
        }
    }

    fn bridged(detail_type: &str) -> Value {
        json!({
            "id": "bridge", "detail-type": detail_type, "source": "aws.iam",
            "account": "111122223333", "time": "2026-11-22T10:15:00Z", "region": "us-east-1",
            "detail": {
                "eventSource": "iam.amazonaws.com", "eventName": "TagRole",
                "requestParameters": {"roleName": "deploy"},
            },
        })
    }

    #[test]
    fn cloudtrail_records_come_through_eventbridge() {
        for detail_type in [
            "AWS API Call via CloudTrail",
            "AWS Service Event via CloudTrail",
            "AWS Console Action via CloudTrail",
        ] {
            let Ok(Invocation::Direct(Content::Records(records))) =
                Invocation::parse(&bridged(detail_type))
            else {
                panic!("not a record: {detail_type}");
            };
            let [record] = &records[..] else { panic!("not one record") };
            assert_eq!(touched_first(record), one("roles", "deploy"));
            assert_eq!(record.id.as_deref(), Some("bridge"));
            assert_eq!(record.account.as_deref(), Some("111122223333"));
            assert_eq!(record.time.as_ref().map(|time| time.seconds), Some(1_795_342_500));
        }
    }

    #[test]
    fn a_malformed_message_spoils_itself_alone() {
        let message = |id: &str, body: Value| {
            json!({
                "messageId": id, "eventSource": "aws:sqs", "body": body,
                "attributes": {"SentTimestamp": "1732270500000", "ApproximateReceiveCount": "3"},
            })
        };
        let good = bridged("AWS API Call via CloudTrail").to_string();
        let bodies = [
            json!(good),
            json!("{}"),
            json!("no JSON"),
            json!("[7]"),
            json!({}),
            json!(null),
            json!("{\"source\": \"aws.s3\", \"detail-type\": \"Object Created\"}"),
        ];
        let records: Vec<_> = bodies
            .into_iter()
            .enumerate()
            .map(|(number, body)| message(&format!("m{number}"), body))
            .collect();
        let Ok(Invocation::Batch(messages)) = Invocation::parse(&json!({"Records": records}))
        else {
            panic!("not a batch");
        };
        let ok: Vec<_> = messages.iter().map(|message| message.content.is_ok()).collect();
        assert_eq!(ok, [true, true, false, false, false, false, false]);
        assert_eq!(messages[1].content, Ok(Content::Full));
        assert_eq!(messages[6].id, "m6");
        assert_eq!(
            (messages[0].sent_milliseconds, messages[0].receive_count),
            (Some(1_732_270_500_000), 3)
        );
    }

    #[test]
    fn anything_else_is_refused_and_named() {
        for (value, got) in [
            (json!("x"), "a text"),
            (json!(3), "a number"),
            (json!({"key1": "value1"}), "an object with `key1`"),
            (json!([{}]), "an object with "),
            (
                json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}),
                "a record from `aws:s3`",
            ),
            (
                json!({"source": "aws.ec2\n", "detail-type": "EC2 Instance"}),
                "an EventBridge event `EC2 Instance` from `aws.ec2\\u{a}`",
            ),
            (
                json!({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail"}),
                "an EventBridge event `AWS API Call via CloudTrail` from `aws.iam` \
                 without a CloudTrail record in it",
            ),
            (
                json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}),
                "an SQS batch with a record that is no message",
            ),
        ] {
            let error = Invocation::parse(&value).expect_err("refused");
            assert_eq!(error.got, got);
        }
    }

    #[test]
    fn actors_are_named_by_session_user_or_service() {
        for (identity, name) in [
            (
                json!({
                    "type": "AssumedRole",
                    "arn": "arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com",
                }),
                "alice@example.com",
            ),
            (json!({"type": "AssumedRole", "principalId": "AROAX:GitHubActions"}), "GitHubActions"),
            (
                json!({
                    "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/Admin/x",
                    "sessionContext": {"sourceIdentity": "alice@example.com"},
                }),
                "alice@example.com",
            ),
            (json!({"type": "IAMUser", "userName": "bob", "arn": "a/b"}), "bob"),
            (json!({"type": "Root", "arn": "arn:aws:iam::111122223333:root"}), "root"),
            (
                json!({"type": "AWSService", "invokedBy": "organizations.amazonaws.com"}),
                "organizations.amazonaws.com",
            ),
            (json!({"type": "SAMLUser", "principalId": "x:y", "userName": "carol"}), "carol"),
            (json!({"type": "WebIdentityUser", "userName": "dave"}), "dave"),
            (
                json!({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "544894e8"}}),
                "544894e8",
            ),
            (json!({"type": "AWSAccount", "principalId": "AIDAX", "accountId": "1"}), "AIDAX"),
            (json!({"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/x/"}), "arn"),
            (json!(null), "unknown"),
            (json!({"type": 7, "arn": [], "userName": {}}), "unknown"),
        ] {
            let actor = Actor::parse(&identity);
            let wanted = if name == "arn" { "unknown" } else { name };
            assert_eq!(actor.name, wanted, "{identity}");
        }
    }

    #[test]
    fn records_are_taken_once_and_in_order() {
        let at = |id: &str, time: &str, role: &str| {
            record(json!({
                "eventSource": "iam.amazonaws.com", "eventName": "TagRole", "eventID": id,
                "eventTime": time, "requestParameters": {"roleName": role},
            }))
        };
        let ignored = iam("CreateAccessKey", json!({}), json!({}));
        let (scope, records) = scope_of(vec![
            at("b", "2026-11-22T10:15:01Z", "two"),
            at("c", "2026-11-22T10:15:00Z", "one"),
            ignored,
            at("b", "2026-11-22T10:15:01Z", "two"),
            at("a", "2026-11-22T10:15:01Z", "three"),
        ]);
        let ids: Vec<_> = records.iter().filter_map(|record| record.id.as_deref()).collect();
        assert_eq!(ids, ["c", "a", "b"]);
        let mut wanted = Scope::default();
        for kind in ["roles", "service linked roles"] {
            ["one", "two", "three"].iter().for_each(|role| wanted.add(kind, *role));
        }
        assert_eq!(scope, wanted);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let word = || {
            let words = "Records messageId body attributes eventSource eventName eventID eventTime \
                eventType AwsServiceEvent detail detail-type source aws:sqs iam.amazonaws.com \
                organizations.amazonaws.com TagRole CreatePolicy AttachPolicy userIdentity type \
                AssumedRole arn principalId requestParameters responseElements serviceEventDetails \
                roleName policyArn policy errorCode readOnly 2026-11-22T10:15:00Z é/ /";
            let words: Vec<_> = words.split_whitespace().collect();
            prop_oneof![
                4 => prop::sample::select(words).prop_map(str::to_owned),
                1 => Just("AWS API Call via CloudTrail".to_owned()),
                1 => any::<String>(),
            ]
        };
        let leaf = prop_oneof![
            4 => word().prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            1 => Just(Value::Null),
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                4 => prop::collection::vec((word(), inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_makes_parsing_panic(mut value in any_json(), is_record in any::<bool>()) {
            if let (true, Some(members)) = (is_record, value.as_object_mut()) {
                members.insert("eventSource".to_owned(), json!("iam.amazonaws.com"));
                members.entry("eventName").or_insert_with(|| json!("CreatePolicy"));
            }
            match Invocation::parse(&value) {
                Ok(Invocation::Direct(Content::Records(records))) => {
                    for record in &records {
                        prop_assert!(!record.actor.name.trim().is_empty());
                    }
                    scope_of(records);
                }
                Ok(_) => {}
                Err(error) => prop_assert!(error.got.len() < 10_000),
            }
        }
    }
}
