//! The Git server's login, from a fake of AWS and GitHub over HTTP, from the AWS emulator, and from
//! git's own helpers.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_iam_gitops::aws::Secrets;
use aws_iam_gitops::credentials::{Clock, open};
use aws_iam_gitops::error;
use aws_iam_gitops::repository::{Credentials, Login, Remote};
use aws_iam_gitops::settings::environment::Environment;
use aws_iam_gitops::settings::{SyncArguments, SyncSettings};
use aws_sdk_iam::config::{Credentials as AwsCredentials, SharedCredentialsProvider};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use support::python::Emulator;

/// One answer of the fake: status, headers, body.
type Answer = (u16, Vec<(&'static str, String)>, Value);

/// What the fake holds and was asked.
#[derive(Default)]
struct World {
    secrets: Vec<(&'static str, String)>,
    parameters: Vec<(&'static str, String)>,
    /// The App's public key, in PEM.
    public_key: String,
    /// Answers of GitHub that come before it behaves.
    faults: Vec<Answer>,
    /// How long its tokens last.
    lifetime: Duration,
    /// The time at GitHub.
    now: Duration,
    /// `GetSecretValue git/token`, `GET /repos/o/n/installation` …
    calls: Vec<String>,
    /// The bodies of the requests for a token.
    asked_for: Vec<Value>,
}

#[derive(Clone)]
struct Fake(Arc<Mutex<World>>);

impl Fake {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("not poisoned")
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.world().calls)
    }
}

async fn serve(world: World) -> (Fake, String) {
    let fake = Fake(Arc::new(Mutex::new(world)));
    let router = axum::Router::new().fallback(answer).with_state(fake.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async { axum::serve(listener, router).await });
    (fake, address)
}

async fn answer(
    State(fake): State<Fake>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, headers, body) = match headers.get("x-amz-target") {
        Some(target) => aws(&fake, target.to_str().expect("ASCII"), &body),
        None => github(&fake, &format!("{method} {}", uri.path()), &headers, body),
    };
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = (status, axum::Json(body)).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

fn aws(fake: &Fake, target: &str, body: &Value) -> Answer {
    let mut world = fake.world();
    let operation = target.rsplit('.').next().expect("a name");
    let name = body["SecretId"].as_str().or(body["Name"].as_str()).expect("a name").to_owned();
    world.calls.push(format!("{operation} {name}"));
    let (of, missing) = match operation {
        "GetSecretValue" => (&world.secrets, "ResourceNotFoundException"),
        _ => (&world.parameters, "ParameterNotFound"),
    };
    let Some((_, value)) = of.iter().find(|(known, _)| *known == name) else {
        let error = json!({"__type": missing, "Message": "there is none of that name"});
        return (400, vec![], error);
    };
    let answer = match operation {
        "GetSecretValue" => json!({"Name": name, "SecretString": value}),
        _ => {
            assert_eq!(body["WithDecryption"], true);
            json!({"Parameter": {"Name": name, "Type": "SecureString", "Value": value}})
        }
    };
    (200, vec![], answer)
}

fn github(fake: &Fake, call: &str, headers: &HeaderMap, body: Value) -> Answer {
    let mut world = fake.world();
    world.calls.push(call.to_owned());
    assert_eq!(headers["accept"], "application/vnd.github+json");
    assert!(headers["user-agent"].to_str().expect("ASCII").starts_with("aws-iam-gitops/"));
    if !world.faults.is_empty() {
        return world.faults.remove(0);
    }
    let jwt = headers["authorization"].to_str().expect("ASCII").strip_prefix("Bearer ");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&["12345"]);
    validation.set_required_spec_claims(&["exp", "iss"]);
    // The fake's clock is not the machine's.
    validation.validate_exp = false;
    let key = DecodingKey::from_rsa_pem(world.public_key.as_bytes()).expect("a public key");
    let claims = match jsonwebtoken::decode::<Value>(jwt.expect("a JWT"), &key, &validation) {
        Ok(token) => token.claims,
        Err(_) => {
            let message = "A JSON web token could not be decoded";
            return (401, vec![], json!({"message": message, "status": "401"}));
        }
    };
    let (issued, ends) = (claims["iat"].as_u64(), claims["exp"].as_u64());
    let now = world.now.as_secs();
    assert!(issued.is_some_and(|at| at + 60 <= now && at + 120 > now), "{claims} at {now}");
    assert!(ends.is_some_and(|at| at > now && at <= now + 600), "{claims} at {now}");
    match call {
        "GET /repos/o/n/installation" => {
            (200, vec![], json!({"id": 77, "account": {"login": "o"}}))
        }
        "POST /app/installations/77/access_tokens" => {
            world.asked_for.push(body);
            let number = world.asked_for.len();
            let ends = aws_smithy_types::DateTime::from(UNIX_EPOCH + world.now + world.lifetime)
                .fmt(aws_smithy_types::date_time::Format::DateTime)
                .expect("a date");
            let token = json!({
                "token": format!("ghs_installation{number}"),
                "expires_at": ends,
                "permissions": {"contents": "write", "metadata": "read"},
                "repository_selection": "selected",
            });
            (201, vec![], token)
        }
        _ => (404, vec![], json!({"message": "Not Found", "status": "404"})),
    }
}

/// A clock that stands still but for the pauses.
#[derive(Default)]
struct TestClock {
    now: Mutex<Duration>,
    pauses: Mutex<Vec<Duration>>,
}

impl TestClock {
    fn forward(&self, duration: Duration) {
        *self.now.lock().expect("not poisoned") += duration;
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + *self.now.lock().expect("not poisoned")
    }

    fn pause(&self, duration: Duration) {
        self.pauses.lock().expect("not poisoned").push(duration);
        self.forward(duration);
    }
}

const START: Duration = Duration::from_secs(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn config(endpoint: &str) -> SdkConfig {
    let credentials = AwsCredentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

struct Case {
    credentials: Arc<dyn Credentials>,
    clock: Arc<TestClock>,
}

impl Case {
    fn open(endpoint: &str, variables: &[(&str, &str)]) -> Case {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = Environment::read(variables).expect("good variables");
        let settings = SyncSettings::new(SyncArguments::default(), environment).expect("settings");
        let clock = Arc::new(TestClock { now: Mutex::new(START), ..TestClock::default() });
        let secrets = Secrets::new(&config(endpoint));
        let credentials = open(&settings, secrets, clock.clone()).expect("credentials");
        Case { credentials, clock }
    }

    async fn login(&self) -> anyhow::Result<Option<Login>> {
        let credentials = self.credentials.clone();
        let asked = tokio::task::spawn_blocking(move || {
            credentials.authorization(&Remote::parse("https://github.com/o/n").expect("an address"))
        });
        asked.await.expect("no panic")
    }

    async fn refused(&self) {
        let credentials = self.credentials.clone();
        tokio::task::spawn_blocking(move || credentials.refused()).await.expect("no panic");
    }

    /// User name and password, with a space between.
    async fn pair(&self) -> String {
        let login = self.login().await.expect("no error").expect("a login");
        format!("{} {}", login.username, login.password.expose_secret())
    }

    /// The error as people read it.
    async fn error(&self) -> String {
        error::text(&self.login().await.expect_err("no login"))
    }
}

const REPOSITORY: (&str, &str) = ("AWS_IAM_GITOPS_REPOSITORY", "https://git.example.com/o/n.git");
const SECRET: (&str, &str) = ("AWS_IAM_GITOPS_TOKEN_SECRET", "git/token");
const PARAMETER: (&str, &str) = ("AWS_IAM_GITOPS_TOKEN_PARAMETER", "/git/token");

fn with_secret(value: &str) -> World {
    World { secrets: vec![("git/token", value.to_owned())], ..World::default() }
}

#[tokio::test]
async fn secret_is_read_once_and_again_after_its_time() {
    let (fake, address) = serve(with_secret("tok1\n")).await;
    let case = Case::open(&address, &[REPOSITORY, SECRET]);
    for _ in 0..3 {
        assert_eq!(case.pair().await, "x-access-token tok1");
        case.clock.forward(MINUTE);
    }
    assert_eq!(fake.calls(), ["GetSecretValue git/token"]);
    fake.world().secrets[0].1 = r#"{"username": "robot", "password": "tok2"}"#.to_owned();
    assert_eq!(case.pair().await, "x-access-token tok1");
    case.clock.forward(2 * MINUTE);
    assert_eq!(case.pair().await, "robot tok2");
    assert_eq!(fake.calls(), ["GetSecretValue git/token"]);
}

#[tokio::test]
async fn rotated_secret_is_read_once_more_when_the_server_refuses_the_old_one() {
    let (fake, address) = serve(with_secret("tok1")).await;
    let case = Case::open(&address, &[REPOSITORY, SECRET]);
    assert_eq!(case.pair().await, "x-access-token tok1");
    fake.world().secrets[0].1 = "tok2".to_owned();
    case.refused().await;
    assert_eq!(case.pair().await, "x-access-token tok2");
    assert_eq!(case.pair().await, "x-access-token tok2");
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test]
async fn many_threads_read_a_secret_once() {
    let (fake, address) = serve(with_secret("tok")).await;
    let case = Case::open(&address, &[REPOSITORY, SECRET]);
    let pairs = futures::future::join_all((0..8).map(|_| case.pair())).await;
    assert!(pairs.iter().all(|pair| pair == "x-access-token tok"));
    assert_eq!(fake.calls().len(), 1);
}

#[tokio::test]
async fn secret_is_read_anew_when_the_clock_goes_back() {
    let (fake, address) = serve(with_secret("tok")).await;
    let case = Case::open(&address, &[REPOSITORY, SECRET]);
    case.pair().await;
    *case.clock.now.lock().expect("not poisoned") = START - MINUTE;
    case.pair().await;
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test]
async fn parameter_is_read_decrypted() {
    let world = World { parameters: vec![("/git/token", "tok".to_owned())], ..World::default() };
    let (fake, address) = serve(world).await;
    let case = Case::open(&address, &[REPOSITORY, PARAMETER]);
    assert_eq!(case.pair().await, "x-access-token tok");
    assert_eq!(fake.calls(), ["GetParameter /git/token"]);
}

#[tokio::test]
async fn missing_secret_is_an_error_that_names_it_and_is_not_remembered() {
    let (fake, address) = serve(World::default()).await;
    for (variable, place, call) in [
        (SECRET, "secret `git/token`", "`secretsmanager:GetSecretValue` failed"),
        (PARAMETER, "parameter `/git/token`", "`ssm:GetParameter` failed"),
    ] {
        let case = Case::open(&address, &[REPOSITORY, variable]);
        let error = case.error().await;
        assert!(error.contains(place) && error.contains(call), "{error}");
    }
    let case = Case::open(&address, &[REPOSITORY, SECRET]);
    case.error().await;
    fake.world().secrets.push(("git/token", "tok".to_owned()));
    assert_eq!(case.pair().await, "x-access-token tok");
}

#[tokio::test]
async fn secret_of_the_wrong_shape_is_refused_without_a_word_of_it() {
    let (_, address) = serve(with_secret(r#"{"pass": "topsecret"}"#)).await;
    let case = Case::open(&address, &[REPOSITORY, SECRET]);
    let error = case.error().await;
    assert!(error.contains("secret `git/token` does not hold"), "{error}");
    assert!(error.contains("hint: the value is the token alone"), "{error}");
    let whole = format!("{error} {:?}", case.login().await.expect_err("no login"));
    assert!(!whole.contains("topsecret"), "{whole}");
}

/// A private key made for this run, and its public half.
static KEYS: LazyLock<(String, String)> = LazyLock::new(|| key_pair(&["-traditional"]));

fn key_pair(form: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key.pem");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("these tests need the program `openssl` on the PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("PEM")
    };
    let key = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    fs::write(&file, key).expect("write the key");
    let private = openssl(&[&["rsa", "-in", "key.pem"], form].concat());
    let public = openssl(&["rsa", "-in", "key.pem", "-pubout"]);
    (private, public)
}

fn with_app(keys: &(String, String)) -> World {
    World {
        secrets: vec![("app/key", keys.0.clone())],
        public_key: keys.1.clone(),
        lifetime: 60 * MINUTE,
        now: START,
        ..World::default()
    }
}

fn app_case(address: &str, more: &[(&str, &str)]) -> Case {
    let repository = format!("{address}/o/n.git");
    let variables = [
        ("AWS_IAM_GITOPS_REPOSITORY", repository.as_str()),
        ("AWS_IAM_GITOPS_GITHUB_APP_ID", "12345"),
        ("AWS_IAM_GITOPS_GITHUB_APP_KEY_SECRET", "app/key"),
        ("AWS_IAM_GITOPS_GITHUB_API", address),
    ];
    Case::open(address, &[&variables, more].concat())
}

const KEY: &str = "GetSecretValue app/key";
const FIND: &str = "GET /repos/o/n/installation";
const EXCHANGE: &str = "POST /app/installations/77/access_tokens";

#[tokio::test]
async fn app_gets_a_token_for_one_repository_and_renews_it_before_it_ends() {
    let (fake, address) = serve(with_app(&KEYS)).await;
    let case = app_case(&address, &[]);
    assert_eq!(case.pair().await, "x-access-token ghs_installation1");
    assert_eq!(fake.calls(), [KEY, FIND, EXCHANGE]);
    let permissions = json!({"contents": "write", "pull_requests": "write"});
    let scope = json!({"repositories": ["n"], "permissions": permissions});
    assert_eq!(fake.world().asked_for, [scope]);

    let forward = |duration| {
        case.clock.forward(duration);
        fake.world().now += duration;
    };
    forward(54 * MINUTE);
    assert_eq!(case.pair().await, "x-access-token ghs_installation1");
    assert_eq!(fake.calls(), [""; 0]);
    forward(MINUTE);
    assert_eq!(case.pair().await, "x-access-token ghs_installation2");
    assert_eq!(fake.calls(), [KEY, EXCHANGE]);
    case.refused().await;
    assert_eq!(case.pair().await, "x-access-token ghs_installation3");
}

#[tokio::test]
async fn app_that_may_not_open_pull_requests_pushes_all_the_same() {
    let message = "The permissions requested are not granted to this installation.";
    let mut world = with_app(&KEYS);
    let refused = (422, vec![], json!({"message": message, "status": "422"}));
    world.faults = vec![(200, vec![], json!({"id": 77})), refused];
    let (fake, address) = serve(world).await;
    assert_eq!(app_case(&address, &[]).pair().await, "x-access-token ghs_installation1");
    assert_eq!(fake.calls(), [KEY, FIND, EXCHANGE, EXCHANGE]);
    let scope = json!({"repositories": ["n"], "permissions": {"contents": "write"}});
    assert_eq!(fake.world().asked_for, [scope]);
}

#[tokio::test]
async fn installation_that_is_given_is_not_looked_for() {
    let (fake, address) = serve(with_app(&KEYS)).await;
    let case = app_case(&address, &[("AWS_IAM_GITOPS_GITHUB_APP_INSTALLATION_ID", "77")]);
    assert_eq!(case.pair().await, "x-access-token ghs_installation1");
    assert_eq!(fake.calls(), [KEY, EXCHANGE]);
}

#[tokio::test]
async fn key_is_taken_in_both_forms_and_with_its_line_breaks_spelled_out() {
    let (private, public) = key_pair(&[]);
    assert!(private.starts_with("-----BEGIN PRIVATE KEY"), "PKCS#8");
    assert!(KEYS.0.starts_with("-----BEGIN RSA PRIVATE KEY"), "PKCS#1");
    for private in [private.clone(), private.trim().replace('\n', "\\n")] {
        let (_, address) = serve(with_app(&(private, public.clone()))).await;
        assert_eq!(app_case(&address, &[]).pair().await, "x-access-token ghs_installation1");
    }
}

#[tokio::test]
async fn passing_failures_of_github_are_waited_out() {
    let limit = json!({"message": "You have exceeded a secondary rate limit", "status": "403"});
    let mut world = with_app(&KEYS);
    // The fake's time does not pass while the client waits: the JWT was signed before.
    world.faults = vec![
        (403, vec![("retry-after", "7".to_owned())], limit),
        (502, vec![], json!({})),
        (500, vec![], json!({})),
    ];
    let (fake, address) = serve(world).await;
    let case = app_case(&address, &[]);
    assert_eq!(case.pair().await, "x-access-token ghs_installation1");
    let pauses = case.clock.pauses.lock().expect("not poisoned").clone();
    assert_eq!(pauses, [7, 2, 4].map(Duration::from_secs));
    assert_eq!(fake.calls(), [KEY, FIND, FIND, FIND, FIND, EXCHANGE]);
}

#[tokio::test]
async fn failure_that_lasts_is_given_up_on() {
    let mut world = with_app(&KEYS);
    world.faults = vec![(503, vec![], json!({"message": "Unicorn"})); 4];
    let (fake, address) = serve(world).await;
    let error = app_case(&address, &[]).error().await;
    assert!(error.contains("failed with status 503: Unicorn"), "{error}");
    assert_eq!(fake.calls(), [KEY, FIND, FIND, FIND, FIND]);

    fake.world().faults = vec![(429, vec![("retry-after", "3600".to_owned())], json!({}))];
    let case = app_case(&address, &[]);
    let error = case.error().await;
    assert!(error.contains("failed with status 429"), "{error}");
    assert!(case.clock.pauses.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn refusal_of_github_says_what_to_do() {
    let other = key_pair(&["-traditional"]);
    let (_, address) = serve(with_app(&(other.0, KEYS.1.clone()))).await;
    let error = app_case(&address, &[]).error().await;
    assert!(error.contains("status 401: A JSON web token could not be decoded"), "{error}");
    assert!(error.contains("hint: AWS_IAM_GITOPS_GITHUB_APP_ID and the private key"), "{error}");

    let (fake, address) = serve(with_app(&KEYS)).await;
    let not_found = || (404, vec![], json!({"message": "Not Found", "status": "404"}));
    fake.world().faults = vec![not_found()];
    let error = app_case(&address, &[]).error().await;
    assert!(error.contains("hint: install the App on the repository"), "{error}");

    let wrong = [("AWS_IAM_GITOPS_GITHUB_APP_INSTALLATION_ID", "78")];
    let error = app_case(&address, &wrong).error().await;
    assert!(error.contains("hint: AWS_IAM_GITOPS_GITHUB_APP_INSTALLATION_ID"), "{error}");

    let refused = (422, vec![], json!({"message": "The permissions\nrequested"}));
    fake.world().faults = vec![(200, vec![], json!({"id": 77})), refused.clone(), refused];
    let error = app_case(&address, &[]).error().await;
    assert!(error.contains("The permissions\\u{a}requested"), "{error}");
    assert!(error.contains("`Contents: read and write`"), "{error}");
}

#[tokio::test]
async fn answer_that_is_not_githubs_is_an_error_without_a_word_of_it() {
    let (fake, address) = serve(with_app(&KEYS)).await;
    for body in [json!({"token": "topsecret"}), json!({"token": "topsecret", "expires_at": "soon"})]
    {
        let found = (200, vec![], json!({"id": 77}));
        fake.world().faults = vec![found, (201, vec![], body)];
        let case = app_case(&address, &[]);
        let error = case.login().await.expect_err("no login");
        assert!(!format!("{error:#} {error:?}").contains("topsecret"));
    }
}

#[tokio::test]
async fn secret_that_is_no_key_is_refused_without_a_word_of_it() {
    for value in
        ["topsecret", "-----BEGIN RSA PRIVATE KEY-----\ntopsecret\n-----END RSA PRIVATE KEY-----"]
    {
        let (_, address) = serve(with_app(&(value.to_owned(), KEYS.1.clone()))).await;
        let case = app_case(&address, &[]);
        let error = case.error().await;
        assert!(error.contains("does not hold an RSA private key"), "{error}");
        assert!(error.contains("hint: store the `.pem` file"), "{error}");
        let error = case.login().await.expect_err("no login");
        assert!(!format!("{error:#} {error:?}").contains("topsecret"));
    }
}

/// What all tests of this program log, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_of_any_level_holds_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("no other test sets it");
    let world = World {
        parameters: vec![("/git/token", "topsecret-parameter".to_owned())],
        ..with_secret(r#"{"username": "robot", "password": "topsecret-secret"}"#)
    };
    let (_, address) = serve(world).await;
    Case::open(&address, &[REPOSITORY, SECRET]).pair().await;
    Case::open(&address, &[REPOSITORY, PARAMETER]).pair().await;
    let (_, address) = serve(with_app(&KEYS)).await;
    app_case(&address, &[]).pair().await;
    let text = String::from_utf8_lossy(&log.0.lock().expect("not poisoned")).into_owned();
    assert!(text.contains("GetSecretValue"), "the SDK logs");
    let of_key = KEYS.0.lines().nth(1).expect("a line of the key");
    for secret in ["topsecret", "ghs_installation", "PRIVATE KEY", "eyJ0eXAi", of_key] {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "`{secret}`: {line:?}");
    }
}

#[tokio::test]
async fn token_of_a_workflow_goes_to_its_own_server_alone() {
    let token = ("GITHUB_TOKEN", "tok");
    let server = ("GITHUB_SERVER_URL", "https://git.example.com");
    let case = Case::open("http://127.0.0.1:9", &[REPOSITORY, token, server]);
    assert_eq!(case.pair().await, "x-access-token tok");
    let given = ("AWS_IAM_GITOPS_TOKEN", "mine");
    let case = Case::open("http://127.0.0.1:9", &[REPOSITORY, token, server, given]);
    assert_eq!(case.pair().await, "x-access-token mine");
    for server in ["https://github.com", "https://git.example.com:8443", "https://example.com"] {
        let variables = [REPOSITORY, token, ("GITHUB_SERVER_URL", server)];
        let login = Case::open("http://127.0.0.1:9", &variables).login().await.expect("no error");
        assert!(login.is_none_or(|login| login.password.expose_secret() != "tok"), "{server}");
    }
}

#[tokio::test]
async fn folder_needs_no_login() {
    for repository in ["/srv/x.git", "file:///srv/x.git", "./x"] {
        let repository = ("AWS_IAM_GITOPS_REPOSITORY", repository);
        let case = Case::open("http://127.0.0.1:9", &[repository, SECRET]);
        assert!(case.login().await.expect("no error").is_none());
    }
}

/// What `gits_own_helpers_are_asked` runs in an environment of its own.
#[tokio::test]
#[ignore = "run by another test, with a helper set up"]
async fn ask_git() {
    let case = Case::open("http://127.0.0.1:9", &[REPOSITORY]);
    match case.login().await.expect("no error") {
        Some(login) => println!("<{}:{}>", login.username, login.password.expose_secret()),
        None => println!("<none>"),
    }
    case.refused().await;
    println!("<then {}>", case.login().await.expect("no error").map_or("none", |_| "again"));
}

#[test]
fn gits_own_helpers_are_asked_and_told_of_a_refusal() {
    let folder = tempfile::tempdir().expect("a folder");
    let configuration = folder.path().join("gitconfig");
    let (store, log) = (folder.path().join("store"), folder.path().join("log"));
    let ask = || {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "ask_git", "--ignored", "--nocapture"])
            .env("HOME", folder.path())
            .env("GIT_CONFIG_GLOBAL", &configuration)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .current_dir(folder.path())
            .output()
            .expect("this program runs");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        stdout
    };
    let write = |path: &PathBuf, text: String| fs::write(path, text).expect("write");

    write(&configuration, String::new());
    assert!(ask().contains("<none>"));

    let logging = format!("!f() {{ echo \\\"$1\\\" >> {}; }}; f", log.display());
    let helpers = format!(
        "[credential]\n\thelper = \"{logging}\"\n\thelper = store --file {}\n",
        store.display()
    );
    write(&configuration, helpers);
    write(&store, "https://me:tok@git.example.com\n".to_owned());
    let output = ask();
    assert!(output.contains("<me:tok>") && output.contains("<then none>"), "{output}");
    let log = fs::read_to_string(log).expect("the helper was asked");
    assert_eq!(log.lines().collect::<Vec<_>>(), ["get", "erase", "get"]);
    assert_eq!(fs::read_to_string(store).expect("the store"), "");
}

#[tokio::test]
async fn emulator_keeps_secrets_and_parameters() {
    let emulator = tokio::task::spawn_blocking(|| Emulator::start(None)).await.expect("it starts");
    let put = "import boto3\n\
        region = {'region_name': 'eu-west-1'}\n\
        boto3.client('secretsmanager').create_secret(Name='git/token', SecretString='tok1')\n\
        arn = boto3.client('secretsmanager', **region).create_secret(Name='far', SecretString='tok2')\n\
        boto3.client('ssm').put_parameter(Name='/git/token', Value='tok3', Type='SecureString')\n\
        print(arn['ARN'])\n";
    let output = Command::new(support::python::python())
        .args(["-c", put])
        .envs(emulator.environment())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let arn = String::from_utf8(output.stdout).expect("an ARN");
    let far = ("AWS_IAM_GITOPS_TOKEN_SECRET", arn.trim());
    for (variable, token) in [(SECRET, "tok1"), (far, "tok2"), (PARAMETER, "tok3")] {
        let case = Case::open(&emulator.endpoint, &[REPOSITORY, variable]);
        assert_eq!(case.pair().await, format!("x-access-token {token}"));
    }
}
