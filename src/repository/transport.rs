//! Git's smart HTTP protocol for libgit2, over reqwest and rustls: requests, logins, time-outs.
//!
//! libgit2 forgets what went wrong in a transport; the connection keeps it.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use reqwest::header::{self, HeaderMap};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Runtime;

use super::error::{Failure, Reason};
use super::remote::Remote;
use crate::error::chain;
use crate::github::is_passing;

/// libgit2 sees this scheme and a connection's number, never the real URL.
const SCHEME: &str = "aws-iam-gitops";

const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// What a request's body is given time for, in bytes a second.
const SLOWEST_UPLOAD: u64 = 50_000;
const REDIRECTS: usize = 5;

/// Where a server's logins come from.
pub trait Credentials: Send + Sync {
    /// The login for a server; none where it needs none. It is asked for before each request, on
    /// the thread that uses the repository.
    ///
    /// # Errors
    ///
    /// There should be a login, and it cannot be had.
    fn authorization(&self, remote: &Remote) -> anyhow::Result<Option<Login>>;

    /// The server did not accept the login: what is remembered of it is to be forgotten.
    fn refused(&self);

    /// From when on nobody waits for a login any more.
    fn set_deadline(&self, _: Option<Instant>) {}
}

/// For servers that need no login.
pub struct Anonymous;

impl Credentials for Anonymous {
    fn authorization(&self, _: &Remote) -> anyhow::Result<Option<Login>> {
        Ok(None)
    }

    fn refused(&self) {}
}

/// What basic authentication sends.
#[derive(Clone)]
pub struct Login {
    pub username: String,
    pub password: SecretString,
}

/// Some servers take a token as the user name, so that is not shown either.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login([REDACTED])")
    }
}

/// What all requests to one remote share.
pub(super) struct Connection {
    number: u64,
    remote: Remote,
    client: reqwest::Client,
    credentials: Arc<dyn Credentials>,
    state: Mutex<State>,
}

struct State {
    /// The repository's URL, after redirects.
    base: Url,
    deadline: Option<Instant>,
    failure: Option<Failure>,
    /// What must not be repeated even when a server does.
    secrets: Vec<SecretString>,
}

static CONNECTIONS: LazyLock<Mutex<HashMap<u64, Weak<Connection>>>> =
    LazyLock::new(Default::default);

impl Connection {
    /// Prepares for requests to a server; `authorities` is a PEM file of further ones to trust.
    pub fn new(
        remote: &Remote,
        base: &Url,
        credentials: Arc<dyn Credentials>,
        authorities: Option<&Path>,
    ) -> Result<Arc<Connection>, Failure> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            // Some servers know a Git client by this.
            .user_agent(concat!("git/2.0 (aws-iam-gitops ", env!("CARGO_PKG_VERSION"), ")"));
        if let Some(path) = authorities {
            builder = builder.tls_certs_merge(certificates(path)?);
        }
        let client = builder
            .build()
            .map_err(|error| Failure::new(Reason::Tls, format!("no TLS: {}", chain(&error))))?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let state =
            State { base: base.clone(), deadline: None, failure: None, secrets: Vec::new() };
        let connection = Arc::new(Connection {
            number,
            remote: remote.clone(),
            client,
            credentials,
            state: Mutex::new(state),
        });
        lock(&CONNECTIONS).insert(number, Arc::downgrade(&connection));
        Ok(connection)
    }

    /// The URL that libgit2 is to use.
    pub fn url(&self) -> String {
        format!("{SCHEME}://{}", self.number)
    }

    pub fn set_deadline(&self, deadline: Option<Instant>) {
        lock(&self.state).deadline = deadline;
        self.credentials.set_deadline(deadline);
    }

    /// What really was behind libgit2's last error.
    pub fn take_failure(&self) -> Option<Failure> {
        lock(&self.state).failure.take()
    }

    /// A server's text without the login, should it repeat that.
    pub fn without_login(&self, text: &str) -> String {
        let secrets = &lock(&self.state).secrets;
        let secrets = secrets.iter().map(ExposeSecret::expose_secret);
        secrets
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }

    /// The list of refs, which begins every fetch and push.
    fn advertisement(&self, service: &str) -> Result<Vec<u8>, Failure> {
        let base = lock(&self.state).base.clone();
        let mut url = below(&base, "info/refs");
        url.set_query(Some(&format!("service={service}")));
        for _ in 0..REDIRECTS {
            let response = self.request(|| self.client.get(url.clone()), SILENCE)?;
            let Some(location) = redirect(&response) else {
                let content_type = format!("application/x-{service}-advertisement");
                let mut answer = self.answer(response, &content_type)?;
                let mut refs = Vec::new();
                answer.read_to_end(&mut refs).map_err(|_| answer.failure())?;
                self.remember(&url);
                readable(&mut refs);
                return Ok(refs);
            };
            url = self.follow(&url, location)?;
        }
        Err(Failure::new(Reason::Other, "the server redirects again and again"))
    }

    fn exchange(&self, service: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        let url = below(&lock(&self.state).base, service);
        let silence = SILENCE + Duration::from_secs(body.len() as u64 / SLOWEST_UPLOAD);
        let result = format!("application/x-{service}-result");
        let request = || {
            self.client
                .post(url.clone())
                .header(header::CONTENT_TYPE, format!("application/x-{service}-request"))
                .header(header::ACCEPT, &result)
                .body(body.clone())
        };
        self.answer(self.request(request, silence)?, &result)
    }

    /// Sends a request, and once more with a renewed login when the server does not know the first.
    fn request(
        &self,
        request: impl Fn() -> reqwest::RequestBuilder,
        silence: Duration,
    ) -> Result<reqwest::Response, Failure> {
        let mut is_first = true;
        loop {
            let login = self.credentials.authorization(&self.remote).map_err(|error| {
                let reason = match is_passing(&error) {
                    true => Reason::Unavailable,
                    false => Reason::Unauthorized,
                };
                Failure::new(reason, format!("no login for the server: {error:#}"))
            })?;
            let mut request = request();
            if let Some(login) = &login {
                request = request.basic_auth(&login.username, Some(login.password.expose_secret()));
            }
            let request = request.build().map_err(network_failure)?;
            let header = request.headers().get(header::AUTHORIZATION);
            let header = header.and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
            lock(&self.state).secrets = login
                .iter()
                .map(|login| login.password.clone())
                .chain(header.map(SecretString::from))
                .collect();
            let response = self.wait(silence, self.client.execute(request))?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            if login.is_none() {
                let message = "the server wants a login, and there is no token";
                return Err(Failure::new(Reason::Unauthorized, message));
            }
            self.credentials.refused();
            if !is_first {
                return Err(self.refusal(response));
            }
            is_first = false;
        }
    }

    fn answer(&self, response: reqwest::Response, expected: &str) -> Result<Answer, Failure> {
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response));
        }
        let found = content_type(response.headers());
        if found != expected {
            let message = format!("the server does not answer as a Git server (`{found}`)");
            return Err(Failure::new(Reason::Other, message));
        }
        let deadline = lock(&self.state).deadline;
        Ok(Answer { response, rest: Default::default(), deadline, failure: None })
    }

    fn refusal(&self, mut response: reqwest::Response) -> Failure {
        let status = response.status();
        let reason = match status.as_u16() {
            401 => Reason::Unauthorized,
            403 => Reason::Forbidden,
            404 | 410 => Reason::NotFound,
            408 | 429 | 500.. => Reason::Unavailable,
            _ => Reason::Other,
        };
        let mut message = format!("the server answered {status}");
        if content_type(response.headers()) == "text/plain"
            && let Ok(Some(text)) = self.wait(SILENCE, response.chunk())
        {
            let text = String::from_utf8_lossy(&text[..text.len().min(1000)]);
            message = format!("{message}: {}", self.without_login(text.trim()));
        }
        Failure::new(reason, message)
    }

    /// Where a redirect leads, if the login may go there too.
    fn follow(&self, from: &Url, location: Option<String>) -> Result<Url, Failure> {
        let refuse = |message: String| Failure::new(Reason::Other, message);
        let to = location
            .and_then(|location| from.join(&location).ok())
            .ok_or_else(|| refuse("the server redirects to nowhere".to_owned()))?;
        let is_upgrade = from.scheme() == "http"
            && to.scheme() == "https"
            && from.host_str() == to.host_str()
            && (from.port(), to.port()) == (None, None);
        let is_advertisement = to.path().ends_with("/info/refs") && to.query() == from.query();
        if (to.origin() != from.origin() && !is_upgrade) || !is_advertisement {
            let place = format!("{}{}", to.origin().ascii_serialization(), to.path());
            return Err(refuse(format!("the server redirects to `{place}`")));
        }
        Ok(to)
    }

    fn remember(&self, advertisement: &Url) {
        let mut base = advertisement.clone();
        base.set_query(None);
        let path = base.path().trim_end_matches("/info/refs").to_owned();
        base.set_path(&path);
        lock(&self.state).base = base;
    }

    fn wait<T>(
        &self,
        silence: Duration,
        future: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, Failure> {
        wait(silence, lock(&self.state).deadline, future)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&CONNECTIONS).remove(&self.number);
    }
}

/// Waits for an answer on the runtime that all connections share.
fn wait<T>(
    silence: Duration,
    deadline: Option<Instant>,
    future: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, Failure> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left == Some(Duration::ZERO) {
        return Err(Failure::new(Reason::Unavailable, "no time is left"));
    }
    let limit = left.map_or(silence, |left| left.min(silence));
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread can be started")
    });
    match runtime.block_on(async { tokio::time::timeout(limit, future).await }) {
        Ok(result) => result.map_err(network_failure),
        Err(_) => {
            let message = format!("the server said nothing for {} s", limit.as_secs_f32().round());
            Err(Failure::new(Reason::Unavailable, message))
        }
    }
}

fn network_failure(error: reqwest::Error) -> Failure {
    let text = chain(&error.without_url());
    // rustls has no error type of its own in reqwest's interface.
    let is_tls = ["certificate", "TLS", "tls handshake", "received fatal alert"];
    let reason = if is_tls.iter().any(|word| text.contains(word)) {
        Reason::Tls
    } else {
        Reason::Unavailable
    };
    Failure::new(reason, text)
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let refuse = |error: String| {
        let path = path.display();
        Failure::new(Reason::Tls, format!("cannot read certificates from `{path}`: {error}"))
    };
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| refuse(chain(&error)))?;
    if certificates.is_empty() {
        return Err(refuse("there are none".to_owned()));
    }
    Ok(certificates)
}

fn below(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{name}", base.path().trim_end_matches('/')));
    url
}

/// Where it leads, should it be a redirect.
fn redirect(response: &reqwest::Response) -> Option<Option<String>> {
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308).then_some(location)
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_lowercase()
}

/// Makes names of refs and messages UTF-8: git2 panics on others. They keep their length.
fn readable(refs: &mut [u8]) {
    for line in refs.split_mut(|byte| *byte == b'\n') {
        if std::str::from_utf8(line).is_err() {
            line.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        }
    }
}

/// The body of an answer, read as it comes.
struct Answer {
    response: reqwest::Response,
    rest: io::Cursor<Vec<u8>>,
    deadline: Option<Instant>,
    failure: Option<Failure>,
}

impl Answer {
    fn failure(&mut self) -> Failure {
        self.failure
            .take()
            .unwrap_or_else(|| Failure::new(Reason::Unavailable, "the answer cannot be read"))
    }
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.rest.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match wait(SILENCE, self.deadline, self.response.chunk()) {
                Ok(None) => return Ok(0),
                Ok(Some(chunk)) => self.rest = io::Cursor::new(chunk.into()),
                Err(failure) => {
                    self.failure = Some(failure);
                    return Err(io::Error::other("the answer was cut"));
                }
            }
        }
    }
}

/// Teaches libgit2 the scheme, once per process.
pub(super) fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let transport = |remote: &git2::Remote<'_>| {
            let number = remote.url()?.rsplit('/').next().and_then(|number| number.parse().ok());
            let connection = number
                .and_then(|number: u64| lock(&CONNECTIONS).get(&number).and_then(Weak::upgrade))
                .ok_or_else(|| git2::Error::from_str("the connection is closed"))?;
            Transport::smart(remote, true, Subtransport(connection))
        };
        // SAFETY: `Once` keeps other registrations out, and a remote of this scheme is only made
        // with the URL of a connection, which is registered before.
        unsafe { git2::transport::register(SCHEME, transport) }
            .expect("the scheme is registered once");
    });
}

struct Subtransport(Arc<Connection>);

impl SmartSubtransport for Subtransport {
    fn action(
        &self,
        _: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let connection = Arc::clone(&self.0);
        Ok(Box::new(Exchange { connection, service, request: Vec::new(), answer: None }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request and its answer: libgit2 writes in pieces, and then reads.
struct Exchange {
    connection: Arc<Connection>,
    service: Service,
    request: Vec<u8>,
    answer: Option<Body>,
}

enum Body {
    Whole(io::Cursor<Vec<u8>>),
    Stream(Box<Answer>),
}

impl Exchange {
    fn send(&mut self) -> Result<Body, Failure> {
        let (connection, request) = (&self.connection, std::mem::take(&mut self.request));
        let refs = |service| connection.advertisement(service).map(io::Cursor::new);
        let exchange = |service| connection.exchange(service, request).map(Box::new);
        match self.service {
            Service::UploadPackLs => refs("git-upload-pack").map(Body::Whole),
            Service::ReceivePackLs => refs("git-receive-pack").map(Body::Whole),
            Service::UploadPack => exchange("git-upload-pack").map(Body::Stream),
            Service::ReceivePack => {
                let mut answer = exchange("git-receive-pack")?;
                let mut report = Vec::new();
                answer.read_to_end(&mut report).map_err(|_| answer.failure())?;
                readable(&mut report);
                Ok(Body::Whole(io::Cursor::new(report)))
            }
        }
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut body = match self.answer.take() {
            Some(body) => body,
            None => self.send()?,
        };
        let count = match &mut body {
            Body::Whole(refs) => refs.read(buffer).unwrap_or_default(),
            Body::Stream(answer) => answer.read(buffer).map_err(|_| answer.failure())?,
        };
        self.answer = Some(body);
        Ok(count)
    }
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer).map_err(|failure| {
            lock(&self.connection.state).failure = Some(failure);
            io::Error::other("the connection knows what went wrong")
        })
    }
}

impl Write for Exchange {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.request.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_refs_become_readable_and_keep_their_length() {
        let mut refs = b"003f refs/heads/\xe9t\xe9\n003f refs/heads/\xc3\xa9\n".to_vec();
        let length = refs.len();
        readable(&mut refs);
        assert_eq!(refs.len(), length);
        assert_eq!(std::str::from_utf8(&refs), Ok("003f refs/heads/?t?\n003f refs/heads/é\n"));
    }

    #[test]
    fn login_is_not_in_its_debug_output() {
        let login = Login { username: "x".to_owned(), password: "s3cret".into() };
        assert!(!format!("{login:?}").contains("s3cret"));
    }
}
