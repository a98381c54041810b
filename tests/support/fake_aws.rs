//! A small AWS at the HTTP level, for what the emulator cannot do: pages of any size, refusals,
//! throttling, outages, answers that stop half-way, accounts that change while they are read.
//!
//! It speaks IAM's and STS's query protocol and the JSON of Organizations, Secrets Manager, Parameter
//! Store and SQS, as far as an export asks. Besides the account of the credentials there may be others,
//! each entered by its role: the access key says which of them a request is for.
//! [`World`] is what it holds, [`Fault`]s are what it does wrong, [`Request`]s are what it was
//! asked. Signatures are not checked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::fake_organization::Structure;
use super::http_server::HttpServer;

pub const ACCOUNT: &str = "111122223333";
/// What the other accounts ask of who enters.
pub const MEMBER_ROLE: &str = "aws-iam-gitops-member";
pub const EXTERNAL_ID: &str = "the-external-id";
/// How the access keys of sessions in the other accounts begin; the account's ID follows.
const MEMBER_KEY: &str = "ASIA0000";
pub const SECRET_ACCESS_KEY: &str = "the+secret/access=key0123456789abcdefghi";
pub const SESSION_TOKEN: &str = "the-session-token//0123456789+abcdefghij==";

/// RFC 3986's unreserved characters stay, as in IAM's answers.
const DOCUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[derive(Clone)]
pub struct Role {
    pub name: String,
    pub description: Option<String>,
    pub trust: Value,
    pub inline: Vec<(String, Value)>,
    pub attached: Vec<String>,
    pub boundary: Option<String>,
    pub profiles: Vec<String>,
    pub tags: Vec<(String, String)>,
    /// Which listings and calls know it; a role that comes or goes is not in all of them.
    pub in_details: bool,
    pub in_list: bool,
    pub exists: bool,
}

impl Role {
    pub fn new(name: &str) -> Role {
        Role {
            name: name.to_owned(),
            description: Some(format!("what {name} does")),
            trust: json!({"Version": "2012-10-17", "Statement": [{
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Effect": "Allow",
                "Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com", "ssm.amazonaws.com"]},
            }]}),
            inline: Vec::new(),
            attached: Vec::new(),
            boundary: None,
            profiles: Vec::new(),
            tags: Vec::new(),
            in_details: true,
            in_list: true,
            exists: true,
        }
    }
}

#[derive(Clone)]
pub struct Policy {
    pub name: String,
    pub description: Option<String>,
    pub document: Value,
    pub tags: Vec<(String, String)>,
    /// Whether GetPolicy still finds it.
    pub exists: bool,
    /// It is AWS's own; no listing of the account's policies has it.
    pub of_aws: bool,
}

impl Policy {
    pub fn new(name: &str) -> Policy {
        Policy {
            name: name.to_owned(),
            description: Some(format!("what {name} allows")),
            document: json!({"Version": "2012-10-17", "Statement": [{
                "Action": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
                "Effect": "Allow",
                "Resource": [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")],
            }]}),
            tags: Vec::new(),
            exists: true,
            of_aws: false,
        }
    }
}

#[derive(Clone)]
pub struct OrganizationsPolicy {
    pub id: String,
    pub name: String,
    pub policy_type: String,
    pub content: Value,
    pub tags: Vec<(String, String)>,
    /// Account IDs.
    pub targets: Vec<String>,
}

impl OrganizationsPolicy {
    pub fn new(id: &str) -> OrganizationsPolicy {
        OrganizationsPolicy {
            id: id.to_owned(),
            name: format!("about {id}"),
            policy_type: "SERVICE_CONTROL_POLICY".to_owned(),
            content: json!({"Version": "2012-10-17", "Statement": [
                {"Action": ["ec2:*"], "Effect": "Deny", "Resource": "*"},
            ]}),
            tags: Vec::new(),
            targets: vec!["444455556666".to_owned(), "777788889999".to_owned()],
        }
    }
}

/// What the account holds, and in which manner it is told.
#[derive(Clone)]
pub struct World {
    pub account: String,
    pub partition: String,
    pub roles: Vec<Role>,
    pub policies: Vec<Policy>,
    /// Instance profiles without a role.
    pub empty_profiles: Vec<String>,
    pub organizations_policies: Vec<OrganizationsPolicy>,
    /// By name: what Secrets Manager and Parameter Store keep.
    pub secrets: BTreeMap<String, String>,
    /// `None`: the account is in no organization. Types that are not here are not enabled.
    pub organization: Option<Vec<String>>,
    /// What the organization is made of, for those who ask.
    pub structure: Option<Structure>,
    /// Sizes of the pages, over and over; 0 is an empty page that says there is more.
    pub page_sizes: Vec<usize>,
    /// Not 0: lists, and arrays inside policy documents, come in an order made of it.
    pub order: u64,
    pub faults: Vec<Fault>,
    pub delay: Duration,
    /// The organization's management account, its accounts with parent and state, and its units.
    pub management: String,
    pub accounts: Vec<(String, &'static str, &'static str)>,
    pub units: Vec<(&'static str, &'static str)>,
    /// By account: how often the queue does not take its message.
    pub queue_refuses: BTreeMap<String, usize>,
    /// By operation: the result, where it is not made of the rest.
    pub answers: BTreeMap<&'static str, String>,
}

impl World {
    /// An account with three of each kind, in an organization with service control policies.
    pub fn small() -> World {
        World {
            account: ACCOUNT.to_owned(),
            partition: "aws".to_owned(),
            roles: ["audit", "build", "deploy"].map(Role::new).to_vec(),
            policies: ["read", "run", "write"].map(Policy::new).to_vec(),
            organizations_policies: ["p-aaaaaaaa", "p-bbbbbbbb", "p-cccccccc"]
                .map(OrganizationsPolicy::new)
                .to_vec(),
            empty_profiles: Vec::new(),
            secrets: BTreeMap::new(),
            organization: Some(vec!["SERVICE_CONTROL_POLICY".to_owned()]),
            structure: None,
            page_sizes: vec![1000],
            order: 0,
            faults: Vec::new(),
            delay: Duration::ZERO,
            management: ACCOUNT.to_owned(),
            accounts: Vec::new(),
            units: Vec::new(),
            queue_refuses: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// A member account of the organization, which cannot read the organization's policies.
    pub fn member(account: &str) -> World {
        let denied = Fault::new("ListPolicies", How::Denied);
        World { account: account.to_owned(), faults: vec![denied], ..World::small() }
    }

    pub fn role(&mut self, name: &str) -> &mut Role {
        self.roles.iter_mut().find(|role| role.name == name).expect("a role of that name")
    }

    pub fn policy(&mut self, name: &str) -> &mut Policy {
        self.policies.iter_mut().find(|policy| policy.name == name).expect("such a policy")
    }

    fn arn(&self, what: &str) -> String {
        format!("arn:{}:iam::{}:{what}", self.partition, self.account)
    }

    fn policy_arn(&self, policy: &Policy) -> String {
        let owner = if policy.of_aws { "aws" } else { &self.account };
        format!("arn:{}:iam::{owner}:policy/{}", self.partition, policy.name)
    }

    fn ordered<T: Clone>(&self, items: &[T]) -> Vec<T> {
        let mut items = items.to_vec();
        shuffle(&mut items, self.order);
        items
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Denied,
    Throttled,
    /// An answer of status 503, or 500 from Organizations.
    Unavailable,
    /// The connection ends in the middle of the answer.
    ConnectionCut,
    /// The answer itself ends in the middle, and nothing else shows it.
    TextCut,
    /// The page says that there is more and not where.
    MissingMarker,
    /// Every page names the same next one.
    RepeatedMarker,
    /// Any other error, by its code.
    Code(&'static str),
    /// A right answer, so much later.
    Late(Duration),
}

/// One thing that goes wrong, for as many requests as it says.
#[derive(Clone, Debug)]
pub struct Fault {
    operation: &'static str,
    how: How,
    about: Option<String>,
    page: Option<usize>,
    left: usize,
}

impl Fault {
    /// Goes wrong for every request of an operation.
    pub fn new(operation: &'static str, how: How) -> Fault {
        Fault { operation, how, about: None, page: None, left: usize::MAX }
    }

    /// Only for requests about one entity or one policy type.
    pub fn about(self, about: &str) -> Fault {
        Fault { about: Some(about.to_owned()), ..self }
    }

    /// Only for one page of a listing; the first is 0.
    pub fn page(self, page: usize) -> Fault {
        Fault { page: Some(page), ..self }
    }

    /// Only so many times.
    pub fn times(self, left: usize) -> Fault {
        Fault { left, ..self }
    }
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose credentials it came with, where they are not those of the fake's own account.
    pub member: Option<String>,
    /// `sts`, `iam`, `organizations`, `secretsmanager`, `ssm`, `sqs`.
    pub service: &'static str,
    pub operation: String,
    /// The entity or the policy type, where the request names one.
    pub about: Option<String>,
    /// The SDK's header that counts the attempts.
    pub attempt: String,
    /// The region that the request is signed for.
    pub region: String,
    parameters: BTreeMap<String, String>,
    marker: Option<String>,
    limit: usize,
}

impl Request {
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    fn is_json(&self) -> bool {
        !["sts", "iam"].contains(&self.service)
    }

    fn page(&self) -> usize {
        position(self.marker.as_deref()).1
    }
}

/// The server; it ends with the value.
pub struct FakeAws {
    pub endpoint: String,
    shared: Arc<Shared>,
    /// Ends with the value.
    server: HttpServer,
}

/// Something to do when a request comes.
type Watch = Box<dyn FnMut(&Request) + Send>;

struct Shared {
    world: Mutex<World>,
    members: Mutex<BTreeMap<String, World>>,
    /// The bodies of the messages on the queue.
    messages: Mutex<Vec<String>>,
    watch: Mutex<Option<Watch>>,
    requests: Mutex<Vec<Request>>,
    in_flight: Mutex<InFlight>,
}

#[derive(Default)]
struct InFlight {
    now: usize,
    most: usize,
    /// Requests with credentials of each account.
    accounts: BTreeMap<String, usize>,
    most_accounts: usize,
}

impl FakeAws {
    pub fn start(world: World) -> FakeAws {
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            members: Mutex::default(),
            messages: Mutex::default(),
            watch: Mutex::default(),
            requests: Mutex::default(),
            in_flight: Mutex::default(),
        });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = HttpServer::start(router);
        let endpoint = server.url();
        FakeAws { endpoint, shared, server }
    }

    /// The environment in which the AWS SDKs use it, with temporary credentials.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEEXAMPLE00".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
            ("AWS_SESSION_TOKEN", SESSION_TOKEN.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// The same credentials, in a file.
    pub fn profile(&self) -> Profile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let content = format!(
            "[default]\naws_access_key_id = ASIAEXAMPLEEXAMPLE00\naws_secret_access_key = {SECRET_ACCESS_KEY}\naws_session_token = {SESSION_TOKEN}\n"
        );
        std::fs::write(file.path(), content).expect("write the profile");
        let path = file.path().to_str().expect("UTF-8").to_owned();
        let environment = vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_SHARED_CREDENTIALS_FILE", path),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        Profile { environment, _file: file }
    }

    /// What it holds, to be changed between two exports.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().expect("no panic while held")
    }

    /// Other accounts, to be entered by [`MEMBER_ROLE`].
    pub fn with_members(self, members: impl IntoIterator<Item = World>) -> FakeAws {
        let members = members.into_iter().map(|world| (world.account.clone(), world));
        self.members().extend(members);
        self
    }

    /// What the other accounts hold, by their ID.
    pub fn members(&self) -> MutexGuard<'_, BTreeMap<String, World>> {
        self.shared.members.lock().expect("no panic while held")
    }

    /// The bodies of the messages that were put on the queue since this was last asked.
    pub fn take_messages(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.messages.lock().expect("no panic while held"))
    }

    /// The most accounts that were ever read at once.
    pub fn most_accounts_in_flight(&self) -> usize {
        self.shared.in_flight.lock().expect("no panic while held").most_accounts
    }

    /// Calls this with every request from now on, before what it holds is looked at.
    pub fn watch(&self, watch: impl FnMut(&Request) + Send + 'static) {
        *self.shared.watch.lock().expect("no panic while held") = Some(Box::new(watch));
    }

    /// Calls nothing any more.
    pub fn watch_no_more(&self) {
        *self.shared.watch.lock().expect("no panic while held") = None;
    }

    /// What it was asked since it was last asked for that.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.requests.lock().expect("no panic while held"))
    }

    /// The most requests that were ever answered at once.
    pub fn most_in_flight(&self) -> usize {
        self.shared.in_flight.lock().expect("no panic while held").most
    }
}

/// The environment that leads to a file of credentials; the file ends with the value.
pub struct Profile {
    pub environment: Vec<(&'static str, String)>,
    _file: tempfile::NamedTempFile,
}

struct Flight<'a>(&'a Mutex<InFlight>, Option<String>);

impl<'a> Flight<'a> {
    fn new(counter: &'a Mutex<InFlight>, member: Option<String>) -> Flight<'a> {
        let mut guard = counter.lock().expect("no panic while held");
        guard.now += 1;
        guard.most = guard.most.max(guard.now);
        if let Some(member) = &member {
            *guard.accounts.entry(member.clone()).or_default() += 1;
            guard.most_accounts = guard.most_accounts.max(guard.accounts.len());
        }
        Flight(counter, member)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut guard = self.0.lock().expect("no panic while held");
        guard.now -= 1;
        if let Some(member) = &self.1 {
            let left = guard.accounts.entry(member.clone()).or_default();
            *left -= 1;
            if *left == 0 {
                guard.accounts.remove(member);
            }
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let request = read_request(&headers, &body);
    let _flight = Flight::new(&shared.in_flight, request.member.clone());
    let delay = with_world(&shared, &request, |world| world.delay);
    shared.requests.lock().expect("no panic while held").push(request.clone());
    if let Some(watch) = &mut *shared.watch.lock().expect("no panic while held") {
        watch(&request);
    }
    tokio::time::sleep(delay).await;

    let how = with_world(&shared, &request, |world| take_fault(&mut world.faults, &request));
    if let Some(How::Late(delay)) = how {
        tokio::time::sleep(delay).await;
    }
    let answer = match how.and_then(|how| error_of(how, &request)) {
        Some(error) => Err(error),
        None if request.operation == "AssumeRole" => shared.assume(&request),
        None if request.operation == "SendMessageBatch" => Ok(shared.take_batch(&request)),
        None => with_world(&shared, &request, |world| world.answer(&request, how)),
    };
    respond(&request, answer, how)
}

/// Looks at the account that a request is for.
fn with_world<T>(shared: &Shared, request: &Request, look: impl FnOnce(&mut World) -> T) -> T {
    match &request.member {
        None => look(&mut shared.world.lock().expect("no panic while held")),
        Some(id) => {
            let mut members = shared.members.lock().expect("no panic while held");
            look(members.get_mut(id).expect("credentials are given for accounts there are"))
        }
    }
}

impl Shared {
    fn assume(&self, request: &Request) -> Result<String, ServiceError> {
        let arn = request.parameter("RoleArn");
        let members = self.members.lock().expect("no panic while held");
        let account = arn.split(':').nth(4).unwrap_or_default();
        let is_trusted = request.member.is_none()
            && members.contains_key(account)
            && arn == format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}")
            && request.parameter("ExternalId") == EXTERNAL_ID;
        if !is_trusted {
            let message = format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/exporter/test is not authorized to perform: \
                 sts:AssumeRole on resource: {arn}"
            );
            return Err(ServiceError { status: 403, code: "AccessDenied", message });
        }
        let session = request.parameter("RoleSessionName");
        let credentials = element("AccessKeyId", &format!("{MEMBER_KEY}{account}"))
            + &element("SecretAccessKey", SECRET_ACCESS_KEY)
            + &element("SessionToken", SESSION_TOKEN)
            + &element("Expiration", "2126-11-22T10:15:00Z");
        let name = arn.rsplit('/').next().unwrap_or_default();
        let assumed = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
        let user = element("AssumedRoleId", "AROAEXAMPLE:x") + &element("Arn", &assumed);
        Ok(group("Credentials", credentials) + &group("AssumedRoleUser", user))
    }

    fn take_batch(&self, request: &Request) -> String {
        let entries: Vec<Value> =
            serde_json::from_str(request.parameter("Entries")).expect("entries");
        assert!((1..=10).contains(&entries.len()), "SQS takes ten at most");
        let mut world = self.world.lock().expect("no panic while held");
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in &entries {
            let id = entry["Id"].as_str().expect("an ID");
            match world.queue_refuses.get_mut(id).filter(|left| **left > 0) {
                Some(left) => {
                    *left = left.saturating_sub(1);
                    failed.push(json!({"Id": id, "Code": "InternalError", "SenderFault": false}));
                }
                None => {
                    let body = entry["MessageBody"].as_str().expect("a body").to_owned();
                    self.messages.lock().expect("no panic while held").push(body);
                    successful.push(json!({"Id": id, "MessageId": id, "MD5OfMessageBody": ""}));
                }
            }
        }
        json!({"Successful": successful, "Failed": failed}).to_string()
    }
}

fn read_request(headers: &HeaderMap, body: &[u8]) -> Request {
    let header =
        |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let attempt = header("amz-sdk-request").unwrap_or_default().to_owned();
    // AWS4-HMAC-SHA256 Credential=<key>/<day>/<region>/<service>/aws4_request, …
    let scope = header("authorization").unwrap_or_default().split('/').nth(2);
    let region = scope.unwrap_or_default().to_owned();
    let key = header("authorization").unwrap_or_default().split("Credential=").nth(1);
    let key = key.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let member = key.strip_prefix(MEMBER_KEY).map(str::to_owned);
    let text = std::str::from_utf8(body).expect("a request in UTF-8");
    if let Some(target) = header("x-amz-target") {
        let members: BTreeMap<String, Value> =
            serde_json::from_str(text).expect("a request in JSON");
        let text_of = |value: Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let parameters: BTreeMap<String, String> =
            members.into_iter().map(|(name, value)| (name, text_of(value))).collect();
        let parameter = |name: &str| parameters.get(name).cloned();
        let service = match target {
            _ if target.starts_with("secretsmanager.") => "secretsmanager",
            _ if target.starts_with("AmazonSSM.") => "ssm",
            _ if target.starts_with("AmazonSQS.") => "sqs",
            _ => "organizations",
        };
        return Request {
            member,
            service,
            operation: target.rsplit('.').next().unwrap_or_default().to_owned(),
            about: ["PolicyId", "ResourceId", "Filter", "SecretId", "Name", "ParentId"]
                .into_iter()
                .find_map(parameter),
            attempt,
            region,
            marker: parameter("NextToken"),
            limit: parameter("MaxResults").and_then(|text| text.parse().ok()).unwrap_or(20),
            parameters,
        };
    }
    let parameters: BTreeMap<String, String> = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let parameter = |name: &str| parameters.get(name).cloned();
    let operation = parameter("Action").expect("an action");
    let is_of_sts = ["GetCallerIdentity", "AssumeRole"].contains(&operation.as_str());
    Request {
        member,
        service: if is_of_sts { "sts" } else { "iam" },
        operation,
        about: ["RoleName", "PolicyArn", "InstanceProfileName", "RoleArn"]
            .into_iter()
            .find_map(parameter),
        attempt,
        region,
        marker: parameter("Marker"),
        limit: parameter("MaxItems").and_then(|text| text.parse().ok()).unwrap_or(100),
        parameters,
    }
}

fn decoded(value: &str) -> String {
    percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn take_fault(faults: &mut [Fault], request: &Request) -> Option<How> {
    let fault = faults.iter_mut().find(|fault| {
        fault.left > 0
            && fault.operation == request.operation
            && fault.about.as_ref().is_none_or(|about| {
                request.about.as_ref().is_some_and(|entity| entity.ends_with(about.as_str()))
            })
            && fault.page.is_none_or(|page| page == request.page())
    })?;
    fault.left -= 1;
    Some(fault.how)
}

/// An error as AWS tells it.
pub(super) struct ServiceError {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

fn error_of(how: How, request: &Request) -> Option<ServiceError> {
    let is_organizations = request.service == "organizations";
    let (status, code) = match how {
        How::Denied if request.is_json() => (400, "AccessDeniedException"),
        How::Denied => (403, "AccessDenied"),
        How::Throttled if is_organizations => (400, "TooManyRequestsException"),
        How::Throttled if request.is_json() => (400, "ThrottlingException"),
        How::Throttled => (400, "Throttling"),
        How::Unavailable if is_organizations => (500, "ServiceException"),
        How::Unavailable if request.is_json() => (500, "InternalServiceError"),
        How::Unavailable => (503, "ServiceUnavailable"),
        How::Code("NoSuchEntity") => (404, "NoSuchEntity"),
        How::Code(code) => (400, code),
        How::ConnectionCut
        | How::TextCut
        | How::MissingMarker
        | How::RepeatedMarker
        | How::Late(_) => return None,
    };
    let message = match how {
        How::Denied => format!(
            "User: arn:aws:sts::{ACCOUNT}:assumed-role/exporter/test is not authorized to perform: {}:{}",
            request.service, request.operation
        ),
        _ => format!("said for {}", request.operation),
    };
    Some(ServiceError { status, code, message })
}

fn no_such_entity(message: String) -> ServiceError {
    ServiceError { status: 404, code: "NoSuchEntity", message }
}

fn respond(request: &Request, answer: Result<String, ServiceError>, how: Option<How>) -> Response {
    let is_json = request.is_json();
    let (status, text) = match answer {
        Ok(text) if is_json => (200, text),
        Ok(text) => {
            let name = &request.operation;
            let result = format!("<{name}Result>{text}</{name}Result>");
            let metadata = "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>";
            let space = "https://iam.amazonaws.com/doc/2010-05-08/";
            (200, format!("<{name}Response xmlns=\"{space}\">{result}{metadata}</{name}Response>"))
        }
        Err(error) if is_json => {
            let text = json!({"__type": error.code, "Message": error.message});
            (error.status, text.to_string())
        }
        Err(error) => {
            let (code, message) = (element("Code", error.code), element("Message", &error.message));
            let text = format!(
                "<ErrorResponse><Error><Type>Sender</Type>{code}{message}</Error><RequestId>1</RequestId></ErrorResponse>"
            );
            (error.status, text)
        }
    };
    let content_type = if is_json { "application/x-amz-json-1.1" } else { "text/xml" };
    let mut response = Response::builder()
        .status(status)
        .header("content-type", content_type)
        // What AWS sends with some errors, in milliseconds: a retry need not wait longer.
        .header("x-amz-retry-after", "1");
    // Cut in the last element, after everything that a reader would want to know.
    let half = text.len() * 3 / 4;
    let half = (0..=half).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
    let body = match how {
        Some(How::ConnectionCut) => {
            response = response.header("content-length", text.len());
            let sent = Bytes::copy_from_slice(&text.as_bytes()[..half]);
            let cut = async {
                // The first half leaves before the connection ends.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::Error::other("cut"))
            };
            let sent = futures::stream::iter([Ok(sent)]);
            Body::from_stream(sent.chain(futures::stream::once(cut)))
        }
        Some(How::TextCut) => Body::from(text[..half].to_owned()),
        _ => Body::from(text),
    };
    response.body(body).expect("a response")
}

// --- answers ---------------------------------------------------------------

impl World {
    fn answer(&self, request: &Request, how: Option<How>) -> Result<String, ServiceError> {
        let about = request.about.as_deref().unwrap_or_default();
        if let Some(answer) = self.answers.get(request.operation.as_str()) {
            return Ok(answer.clone());
        }
        match request.operation.as_str() {
            "GetCallerIdentity" => {
                let arn = format!(
                    "arn:{}:sts::{}:assumed-role/exporter/test",
                    self.partition, self.account
                );
                Ok(element("Arn", &arn)
                    + &element("UserId", "AROAEXAMPLE:test")
                    + &element("Account", &self.account))
            }
            "GetAccountAuthorizationDetails" => Ok(self.authorization_details(request, how)),
            "ListRoles" => {
                let roles: Vec<_> = self.roles.iter().filter(|role| role.in_list).collect();
                let page = self.page(&self.ordered(&roles), request, how);
                Ok(page.xml()
                    + &members("Roles", page.items.iter().map(|role| self.role_summary(role))))
            }
            "GetRole" => {
                let role = self.known_role(about)?;
                let last_used = group("RoleLastUsed", element("Region", "us-east-1"));
                Ok(group(
                    "Role",
                    self.role_summary(role)
                        + &boundary(role)
                        + &tags("Tags", &self.ordered(&role.tags))
                        + &last_used,
                ))
            }
            "ListRolePolicies" => {
                let role = self.known_role(about)?;
                let page = self.page(&self.ordered(&role.inline), request, how);
                let names = page.items.iter().map(|(name, _)| escaped(name));
                Ok(page.xml() + &members("PolicyNames", names))
            }
            "GetRolePolicy" => {
                let (role, name) = (self.known_role(about)?, request.parameter("PolicyName"));
                let found = role.inline.iter().find(|(found, _)| found == name);
                let (name, document) = found.ok_or_else(|| {
                    no_such_entity(format!("The role policy with name {name} cannot be found."))
                })?;
                Ok(element("RoleName", &role.name)
                    + &element("PolicyName", name)
                    + &self.document("PolicyDocument", document))
            }
            "ListAttachedRolePolicies" => {
                let role = self.known_role(about)?;
                let page = self.page(&self.ordered(&role.attached), request, how);
                let attached = page.items.iter().map(|arn| attached_policy(arn));
                Ok(page.xml() + &members("AttachedPolicies", attached))
            }
            "ListInstanceProfilesForRole" => {
                let role = self.known_role(about)?;
                let page = self.page(&self.ordered(&role.profiles), request, how);
                let profiles =
                    page.items.iter().map(|name| self.instance_profile(name, Some(role)));
                Ok(page.xml() + &members("InstanceProfiles", profiles))
            }
            "GetInstanceProfile" => {
                let has_profile =
                    |role: &&Role| role.exists && role.profiles.iter().any(|name| name == about);
                let role = self.roles.iter().find(has_profile);
                if role.is_none() && !self.empty_profiles.iter().any(|name| name == about) {
                    let message = format!("Instance Profile {about} cannot be found.");
                    return Err(no_such_entity(message));
                }
                Ok(group("InstanceProfile", self.instance_profile(about, role)))
            }
            "GetPolicy" => {
                let policy = self.known_policy(about)?;
                let description =
                    policy.description.iter().map(|text| element("Description", text));
                Ok(group(
                    "Policy",
                    self.policy_head(policy)
                        + &description.collect::<String>()
                        + &tags("Tags", &self.ordered(&policy.tags)),
                ))
            }
            "GetPolicyVersion" => {
                let (policy, id) = (self.known_policy(about)?, request.parameter("VersionId"));
                let version = self.versions(policy).into_iter().find(|(found, _)| *found == id);
                let (_, version) = version.ok_or_else(|| {
                    no_such_entity(format!(
                        "Policy {about} version {id} does not exist or is not attachable."
                    ))
                })?;
                Ok(group("PolicyVersion", version))
            }
            "ListPolicyVersions" => {
                let versions = self.versions(self.known_policy(about)?);
                let page = self.page(&self.ordered(&versions), request, how);
                let versions = page.items.iter().map(|(_, version)| version.clone());
                Ok(page.xml() + &members("Versions", versions))
            }
            "ListEntitiesForPolicy" => {
                let policy = self.known_policy(about)?;
                let usage = request.parameter("PolicyUsageFilter");
                let roles = self.roles_with(policy, usage);
                let filter = request.parameter("EntityFilter");
                let roles = if ["", "Role"].contains(&filter) { roles } else { Vec::new() };
                let page = self.page(&self.ordered(&roles), request, how);
                let roles = page.items.iter().map(|role| {
                    element("RoleName", &role.name) + &element("RoleId", &role_id(role))
                });
                Ok(page.xml() + "<PolicyGroups/><PolicyUsers/>" + &members("PolicyRoles", roles))
            }
            // The account has none of these.
            "ListOpenIDConnectProviders" => Ok("<OpenIDConnectProviderList/>".to_owned()),
            "ListSAMLProviders" => Ok("<SAMLProviderList/>".to_owned()),
            "ListAccountAliases" => Ok(element("IsTruncated", "false") + "<AccountAliases/>"),
            "GetAccountPasswordPolicy" => Err(no_such_entity(format!(
                "The Password Policy with domain name {} cannot be found.",
                self.account
            ))),
            "GetSecretValue" => {
                let refused = || ServiceError {
                    status: 400,
                    code: "ResourceNotFoundException",
                    message: "Secrets Manager can't find the specified secret.".to_owned(),
                };
                let arn = |name: &str| {
                    format!(
                        "arn:aws:secretsmanager:us-east-1:{}:secret:{name}-a1B2c3",
                        self.account
                    )
                };
                let is_asked =
                    |(name, _): &(&String, &String)| *name == about || arn(name) == about;
                let (name, value) = self.secrets.iter().find(is_asked).ok_or_else(refused)?;
                Ok(json!({
                    "ARN": arn(name), "Name": name, "SecretString": value,
                    "VersionId": "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE",
                    "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_772_700_000.123,
                })
                .to_string())
            }
            "GetParameter" => {
                let refused = || ServiceError {
                    status: 400,
                    code: "ParameterNotFound",
                    message: String::new(),
                };
                let value = self.secrets.get(about).ok_or_else(refused)?;
                let is_decrypted = request.parameter("WithDecryption") == "true";
                let value = if is_decrypted { value } else { "AQICAHencrypted" };
                Ok(json!({"Parameter": {
                    "Name": about, "Type": "SecureString", "Value": value, "Version": 1,
                    "LastModifiedDate": 1_772_700_000.123, "DataType": "text",
                }})
                .to_string())
            }
            operation => self.organizations_answer(operation, about, request, how),
        }
    }

    fn known_role(&self, name: &str) -> Result<&Role, ServiceError> {
        let role = self.roles.iter().find(|role| role.name == name && role.exists);
        role.ok_or_else(|| no_such_entity(format!("The role with name {name} cannot be found.")))
    }

    fn known_policy(&self, arn: &str) -> Result<&Policy, ServiceError> {
        let is_asked = |policy: &&Policy| policy.exists && self.policy_arn(policy) == arn;
        let policy = self.policies.iter().find(is_asked);
        policy.ok_or_else(|| no_such_entity(format!("Policy {arn} was not found.")))
    }

    /// The roles that use a policy: as `PermissionsPolicy`, `PermissionsBoundary`, or either.
    fn roles_with(&self, policy: &Policy, usage: &str) -> Vec<&Role> {
        let arn = self.policy_arn(policy);
        let is_using = |role: &&Role| {
            let is_attached = usage != "PermissionsBoundary" && role.attached.contains(&arn);
            let is_boundary = usage != "PermissionsPolicy" && role.boundary.as_ref() == Some(&arn);
            role.exists && (is_attached || is_boundary)
        };
        self.roles.iter().filter(is_using).collect()
    }

    fn authorization_details(&self, request: &Request, how: Option<How>) -> String {
        #[derive(Clone)]
        enum Detail<'a> {
            Role(&'a Role),
            Policy(&'a Policy),
        }
        let roles = self.roles.iter().filter(|role| role.in_details).map(Detail::Role);
        let policies = self.policies.iter().filter(|policy| !policy.of_aws).map(Detail::Policy);
        let details: Vec<Detail<'_>> = roles.chain(policies).collect();
        let page = self.page(&self.ordered(&details), request, how);
        let roles = page.items.iter().filter_map(|detail| match detail {
            Detail::Role(role) => Some(self.role_detail(role)),
            Detail::Policy(_) => None,
        });
        let policies = page.items.iter().filter_map(|detail| match detail {
            Detail::Policy(policy) => Some(self.policy_detail(policy)),
            Detail::Role(_) => None,
        });
        page.xml() + &members("RoleDetailList", roles) + &members("Policies", policies)
    }

    fn role_head(&self, role: &Role) -> String {
        element("Path", "/")
            + &element("RoleName", &role.name)
            + &element("RoleId", &role_id(role))
            + &element("Arn", &self.arn(&format!("role/{}", role.name)))
            + &element("CreateDate", "2024-03-05T09:12:44Z")
            + &self.document("AssumeRolePolicyDocument", &role.trust)
    }

    /// ListRoles knows description and duration, and neither tags nor boundary.
    fn role_summary(&self, role: &Role) -> String {
        let description = role.description.iter().map(|text| element("Description", text));
        self.role_head(role)
            + &description.collect::<String>()
            + &element("MaxSessionDuration", "7200")
    }

    /// GetAccountAuthorizationDetails knows all but description and duration.
    fn role_detail(&self, role: &Role) -> String {
        let inline = self.ordered(&role.inline);
        let inline = inline.iter().map(|(name, document)| {
            element("PolicyName", name) + &self.document("PolicyDocument", document)
        });
        let attached = self.ordered(&role.attached);
        let attached = attached.iter().map(|arn| attached_policy(arn));
        let profiles = self.ordered(&role.profiles);
        let profiles = profiles.iter().map(|profile| self.instance_profile(profile, None));
        self.role_head(role)
            + &members("RolePolicyList", inline)
            + &members("AttachedManagedPolicies", attached)
            + &members("InstanceProfileList", profiles)
            + &boundary(role)
            + &tags("Tags", &self.ordered(&role.tags))
            + &group("RoleLastUsed", element("Region", "us-east-1"))
    }

    fn instance_profile(&self, name: &str, role: Option<&Role>) -> String {
        element("Path", "/")
            + &element("InstanceProfileName", name)
            + &element("InstanceProfileId", &format!("AIPA{}", name.to_uppercase()))
            + &element("Arn", &self.arn(&format!("instance-profile/{name}")))
            + &element("CreateDate", "2024-03-05T09:12:45Z")
            + &members("Roles", role.iter().map(|role| self.role_head(role)))
    }

    fn policy_head(&self, policy: &Policy) -> String {
        let count = |usage| self.roles_with(policy, usage).len().to_string();
        element("PolicyName", &policy.name)
            + &element("PolicyId", &format!("ANPA{}", policy.name.to_uppercase()))
            + &element("Arn", &self.policy_arn(policy))
            + &element("Path", "/")
            + &element("DefaultVersionId", "v2")
            + &element("AttachmentCount", &count("PermissionsPolicy"))
            + &element("PermissionsBoundaryUsageCount", &count("PermissionsBoundary"))
            + &element("IsAttachable", "true")
            + &element("CreateDate", "2024-03-05T09:12:46Z")
            + &element("UpdateDate", "2024-03-06T09:12:46Z")
    }

    fn policy_detail(&self, policy: &Policy) -> String {
        let versions = self.ordered(&self.versions(policy));
        let versions = versions.into_iter().map(|(_, version)| version);
        self.policy_head(policy) + &members("PolicyVersionList", versions)
    }

    /// By their IDs: an old version that allows nothing, and the default one.
    fn versions(&self, policy: &Policy) -> [(&'static str, String); 2] {
        let version = |id: &'static str, is_default: &str, document: &Value| {
            let version = self.document("Document", document)
                + &element("VersionId", id)
                + &element("IsDefaultVersion", is_default)
                + &element("CreateDate", "2024-03-06T09:12:46Z");
            (id, version)
        };
        [
            version("v1", "false", &json!({"Version": "2012-10-17", "Statement": []})),
            version("v2", "true", &policy.document),
        ]
    }

    fn document(&self, name: &str, document: &Value) -> String {
        let text = self.with_shuffled_arrays(document).to_string();
        element(name, &utf8_percent_encode(&text, DOCUMENT).to_string())
    }

    fn with_shuffled_arrays(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.with_shuffled_arrays(item));
                Value::Array(self.ordered(&items.collect::<Vec<_>>()))
            }
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| (key.clone(), self.with_shuffled_arrays(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    fn organizations_answer(
        &self,
        operation: &str,
        about: &str,
        request: &Request,
        how: Option<How>,
    ) -> Result<String, ServiceError> {
        let refused = |code| ServiceError { status: 400, code, message: "refused".to_owned() };
        let Some(types) = &self.organization else {
            return Err(refused("AWSOrganizationsNotInUseException"));
        };
        if let Some(structure) = &self.structure {
            let page = |items: Vec<Value>| self.page(&self.ordered(&items), request, how);
            if let Some(answer) = structure.answer(request, &page) {
                return answer;
            }
        }
        match operation {
            "DescribeOrganization" => {
                return Ok(json!({"Organization": {
                    "Id": "o-example00", "MasterAccountId": self.management, "FeatureSet": "ALL",
                }})
                .to_string());
            }
            "ListAccounts" | "ListAccountsForParent" => {
                let is_asked = |(_, parent, _): &&(String, &str, &str)| {
                    operation == "ListAccounts" || *parent == about
                };
                let found: Vec<_> = self.accounts.iter().filter(is_asked).collect();
                let page = self.page(&found, request, how);
                let account =
                    |(id, _, state): &&(String, &str, &str)| json!({"Id": id, "State": state});
                return Ok(page.json("Accounts", page.items.iter().map(account).collect()));
            }
            "ListOrganizationalUnitsForParent" => {
                let found: Vec<_> =
                    self.units.iter().filter(|(_, parent)| *parent == about).collect();
                let page = self.page(&found, request, how);
                let units = page.items.iter().map(|(id, _)| json!({"Id": id}));
                return Ok(page.json("OrganizationalUnits", units.collect()));
            }
            _ => {}
        }
        if operation == "ListPolicies" {
            if !types.iter().any(|policy_type| policy_type == about) {
                return Err(refused("PolicyTypeNotEnabledException"));
            }
            let of_type: Vec<_> = self
                .organizations_policies
                .iter()
                .filter(|policy| policy.policy_type == about)
                .collect();
            let page = self.page(&self.ordered(&of_type), request, how);
            let policies: Vec<_> =
                page.items.iter().map(|policy| self.organizations_summary(policy)).collect();
            return Ok(page.json("Policies", policies));
        }
        let policy = self
            .organizations_policies
            .iter()
            .find(|policy| policy.id == about)
            .ok_or_else(|| refused("PolicyNotFoundException"))?;
        match operation {
            "DescribePolicy" => {
                let summary = self.organizations_summary(policy);
                let content = policy.content.to_string();
                Ok(json!({"Policy": {"PolicySummary": summary, "Content": content}}).to_string())
            }
            "ListTagsForResource" => {
                let page = self.page(&self.ordered(&policy.tags), request, how);
                let tags =
                    page.items.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
                Ok(page.json("Tags", tags.collect()))
            }
            "ListTargetsForPolicy" => {
                let page = self.page(&self.ordered(&policy.targets), request, how);
                let targets = page.items.iter().map(|id| {
                    json!({"TargetId": id, "Name": format!("account {id}"), "Type": "ACCOUNT",
                           "Arn": format!("arn:aws:organizations::{ACCOUNT}:account/o-example00/{id}")})
                });
                Ok(page.json("Targets", targets.collect()))
            }
            other => panic!("an operation that is not faked: {other}"),
        }
    }

    fn organizations_summary(&self, policy: &OrganizationsPolicy) -> Value {
        let folder = policy.policy_type.to_lowercase();
        json!({
            "Id": policy.id,
            "Arn": format!(
                "arn:{}:organizations::{}:policy/o-example00/{folder}/{}",
                self.partition, self.account, policy.id
            ),
            "Name": policy.name,
            "Description": format!("described as {}", policy.name),
            "Type": policy.policy_type,
            "AwsManaged": false,
        })
    }

    fn page<T: Clone>(&self, items: &[T], request: &Request, how: Option<How>) -> Page<T> {
        let (start, number) = position(request.marker.as_deref());
        let size = self.page_sizes[number % self.page_sizes.len()].min(request.limit);
        let end = items.len().min(start + size);
        let is_truncated = end < items.len();
        // Characters that have to be encoded on the way, each way.
        let marker = is_truncated.then(|| format!("{end} {} +/=&<é>", number + 1));
        let (is_truncated, marker) = match how {
            Some(How::MissingMarker) => (true, None),
            Some(How::RepeatedMarker) => (true, Some(format!("{start} {number}"))),
            _ => (is_truncated, marker),
        };
        Page { items: items[start.min(end)..end].to_vec(), is_truncated, marker }
    }
}

pub(super) struct Page<T> {
    pub items: Vec<T>,
    is_truncated: bool,
    marker: Option<String>,
}

impl<T> Page<T> {
    fn xml(&self) -> String {
        let marker = self.marker.iter().map(|marker| element("Marker", marker));
        element("IsTruncated", if self.is_truncated { "true" } else { "false" })
            + &marker.collect::<String>()
    }

    /// Organizations says that there is more by the token alone; an empty one leads nowhere.
    pub fn json(&self, name: &str, items: Vec<Value>) -> String {
        let mut answer = serde_json::Map::from_iter([(name.to_owned(), Value::Array(items))]);
        if self.is_truncated {
            let token = self.marker.clone().unwrap_or_default();
            answer.insert("NextToken".to_owned(), token.into());
        }
        Value::Object(answer).to_string()
    }
}

/// Where a page starts, and which page it is.
fn position(marker: Option<&str>) -> (usize, usize) {
    let mut parts = marker.unwrap_or("0 0").split(' ');
    let mut number = || parts.next().and_then(|part| part.parse().ok()).expect("a marker of ours");
    (number(), number())
}

fn shuffle<T>(items: &mut [T], order: u64) {
    let mut state = order;
    for index in (1..items.len()).rev().filter(|_| order != 0) {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(index, (state >> 33) as usize % (index + 1));
    }
}

fn role_id(role: &Role) -> String {
    format!("AROA{}", role.name.to_uppercase())
}

fn attached_policy(arn: &str) -> String {
    let name = arn.rsplit('/').next().unwrap_or_default();
    element("PolicyName", name) + &element("PolicyArn", arn)
}

/// Nothing if the role has none.
fn boundary(role: &Role) -> String {
    let boundary = role.boundary.iter().map(|arn| {
        let kind = element("PermissionsBoundaryType", "Policy");
        group("PermissionsBoundary", kind + &element("PermissionsBoundaryArn", arn))
    });
    boundary.collect()
}

fn element(name: &str, text: &str) -> String {
    group(name, escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn group(name: &str, content: String) -> String {
    format!("<{name}>{content}</{name}>")
}

fn members(name: &str, items: impl Iterator<Item = String>) -> String {
    group(name, items.map(|item| group("member", item)).collect())
}

fn tags(name: &str, tags: &[(String, String)]) -> String {
    members(name, tags.iter().map(|(key, value)| element("Key", key) + &element("Value", value)))
}
