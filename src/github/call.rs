//! Calls of GitHub's REST API: how they are sent, when they are sent again, what a refusal means.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tracing::debug;

use crate::credentials::Clock;
use crate::error::chain;
use crate::invisible::visible;

pub(super) const ATTEMPTS: u32 = 4;
/// A longer wait is left to whoever runs this again.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// From when on nothing is waited for.
pub type Deadline = Arc<Mutex<Option<Instant>>>;

/// GitHub's REST API, called from a thread that may block.
pub struct Api {
    /// Without a slash at its end.
    url: String,
    client: Client,
    runtime: Handle,
    clock: Arc<dyn Clock>,
    deadline: Deadline,
}

/// What GitHub is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The installation of an App on the repository.
    FindInstallation,
    /// An App's token for one of its installation.
    ExchangeToken,
    Find,
    Open,
    Update,
    Comments,
    /// Done twice there are two of them.
    Comment,
    Close,
}

pub struct Answer {
    body: Vec<u8>,
    /// Whether a list goes on.
    pub has_more: bool,
}

impl Answer {
    pub fn parse<T: DeserializeOwned>(&self, call: Call) -> Result<T, GitHubError> {
        // The parser's own error would repeat a part of the answer.
        serde_json::from_slice(&self.body).map_err(|_| GitHubError {
            call,
            status: None,
            message: "its answer does not hold what was asked for".to_owned(),
            wait: Wait::Never,
        })
    }
}

impl Api {
    pub fn new(
        url: &Url,
        certificates: Option<&Path>,
        runtime: Handle,
        clock: Arc<dyn Clock>,
        deadline: Deadline,
    ) -> anyhow::Result<Api> {
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Api { url, client: client(certificates)?, runtime, clock, deadline })
    }

    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub fn set_deadline(&self, deadline: Option<Instant>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    /// Sends a request until it is answered, as long as that may help.
    pub fn call(
        &self,
        call: Call,
        token: &SecretString,
        request: impl Fn(&Client, &str) -> RequestBuilder,
    ) -> Result<Answer, GitHubError> {
        let mut attempt = 1;
        loop {
            let request = request(&self.client, &self.url)
                .bearer_auth(token.expose_secret())
                .header("Accept", "application/vnd.github+json")
                .header("X-GitHub-Api-Version", "2022-11-28");
            let mut error = match self.answer(call, request) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Should GitHub repeat it.
            error.message = error.message.replace(token.expose_secret(), "…");
            if call == Call::Comment && error.is_unsure() || !self.pause(&error, attempt) {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Waits before the next attempt; whether there is to be one.
    pub fn pause(&self, error: &GitHubError, attempt: u32) -> bool {
        let left = self.left();
        let pause = error.pause(attempt).filter(|pause| attempt < ATTEMPTS && *pause < left);
        debug!(call = ?error.call, attempt, ?pause, %error, "GitHub");
        if let Some(pause) = pause {
            self.clock.pause(pause);
        }
        pause.is_some()
    }

    fn left(&self) -> Duration {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        deadline.map_or(Duration::MAX, left)
    }

    fn answer(&self, call: Call, request: RequestBuilder) -> Result<Answer, GitHubError> {
        let limit = self.left().min(TIME_LIMIT);
        let unanswered = |message: String, wait| GitHubError { call, status: None, message, wait };
        if limit.is_zero() {
            return Err(unanswered("no time is left".to_owned(), Wait::Told(TIME_LIMIT)));
        }
        let failed = |error: reqwest::Error| unanswered(chain(&error.without_url()), Wait::Growing);
        let (status, headers, body) = self.runtime.block_on(async {
            let response = request.timeout(limit).send().await.map_err(failed)?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.bytes().await.map_err(failed)?.to_vec();
            Ok((status, headers, body))
        })?;
        if status.is_success() {
            return Ok(Answer { body, has_more: has_next(&headers) });
        }
        let message = said(&body);
        let wait = wait(status, &headers, &message, self.now());
        Err(GitHubError { call, status: Some(status), message, wait })
    }
}

fn client(certificates: Option<&Path>) -> anyhow::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("aws-iam-gitops/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(redirect::Policy::none());
    if let Some(path) = certificates {
        let unusable = || format!("cannot use the certificates in `{}`", path.display());
        let pem = std::fs::read(path).with_context(unusable)?;
        builder =
            builder.tls_certs_merge(Certificate::from_pem_bundle(&pem).with_context(unusable)?);
    }
    builder.build().context("cannot set up TLS")
}

/// `Link: <https://…&page=2>; rel="next"`.
fn has_next(headers: &HeaderMap) -> bool {
    let links = headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|links| links.split(',')).any(|link| link.contains("rel=\"next\""))
}

/// The message in GitHub's answer, with what it says of each field.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
        #[serde(default)]
        errors: Vec<Fault>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Fault {
        Text(String),
        Field { message: Option<String>, field: Option<String>, code: Option<String> },
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else { return String::new() };
    let faults = answer.errors.into_iter().map(|fault| match fault {
        Fault::Text(text) | Fault::Field { message: Some(text), .. } => text,
        Fault::Field { field, code, .. } => {
            format!("`{}` is {}", field.unwrap_or_default(), code.unwrap_or_default())
        }
    });
    let faults = faults.collect::<Vec<_>>().join(", ");
    let text = match faults.as_str() {
        "" => answer.message,
        faults => format!("{}: {faults}", answer.message),
    };
    text.chars().take(400).collect()
}

/// When GitHub says to ask again: <https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api>.
fn wait(status: StatusCode, headers: &HeaderMap, message: &str, now: SystemTime) -> Wait {
    let number = |name| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let is_limit = status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::FORBIDDEN && message.to_lowercase().contains("rate limit"));
    if let Some(seconds) = number("retry-after") {
        return Wait::Told(Duration::from_secs(seconds));
    }
    if number("x-ratelimit-remaining") == Some(0)
        && let Some(reset) = number("x-ratelimit-reset")
    {
        let reset = UNIX_EPOCH + Duration::from_secs(reset);
        return Wait::Told(reset.duration_since(now).unwrap_or_default());
    }
    match status {
        _ if is_limit => Wait::Told(Duration::from_secs(60)),
        _ if status.is_server_error() => Wait::Growing,
        _ => Wait::Never,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Never,
    Growing,
    Told(Duration),
}

/// What GitHub's API refused, or did not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{}", self.outcome(), self.reason())]
pub struct GitHubError {
    call: Call,
    status: Option<StatusCode>,
    message: String,
    wait: Wait,
}

impl GitHubError {
    /// Whether the same may go well later.
    pub fn is_passing(&self) -> bool {
        self.wait != Wait::Never
    }

    /// Whether the token is not known.
    pub fn is_unauthorized(&self) -> bool {
        self.status == Some(StatusCode::UNAUTHORIZED)
    }

    /// Whether a pull request was refused since its branch has nothing that its base lacks.
    pub fn is_without_commits(&self) -> bool {
        self.is_invalid() && self.message.contains("No commits between")
    }

    /// Whether a pull request was refused since its branch has one.
    pub fn is_there_already(&self) -> bool {
        self.is_invalid() && self.message.contains("already exists")
    }

    /// Whether what was asked for may have been done all the same.
    pub fn is_unsure(&self) -> bool {
        self.wait == Wait::Growing
    }

    pub fn is_invalid(&self) -> bool {
        self.status == Some(StatusCode::UNPROCESSABLE_ENTITY)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        use Call::{ExchangeToken, FindInstallation};
        if self.is_passing() {
            return None;
        }
        match (self.status?.as_u16(), self.call) {
            (401, FindInstallation | ExchangeToken) => Some(
                "AWS_IAM_GITOPS_GITHUB_APP_ID and the private key must be of one App, and the clock right",
            ),
            (404, FindInstallation) => Some("install the App on the repository"),
            (404, ExchangeToken) => Some(
                "AWS_IAM_GITOPS_GITHUB_APP_INSTALLATION_ID must be of that App; it may be left out",
            ),
            (403 | 422, FindInstallation | ExchangeToken) => Some(
                "the App needs the permission `Contents: read and write`, and access to the repository",
            ),
            (401, _) => Some("check the token: it may be missing, expired or revoked"),
            (403, _) if self.message.contains("GitHub Actions is not permitted") => {
                Some("allow GitHub Actions to create pull requests, in the repository's settings")
            }
            (403, _) => Some("allow the token `Pull requests: read and write` for the repository"),
            (404, _) => Some(
                "allow the token `Pull requests: read and write` for the repository, and check its \
                 address: GitHub also says so of what a token may not see",
            ),
            (422, _) if self.is_without_commits() => {
                Some("the branch has nothing that the other one lacks: there is nothing to merge")
            }
            (422, Call::Open) => Some("both branches must be there, and the text not too long"),
            (301..=308, _) => Some("the repository has moved: set its new address"),
            _ => None,
        }
    }

    fn pause(&self, attempt: u32) -> Option<Duration> {
        match self.wait {
            Wait::Never => None,
            Wait::Growing => Some(Duration::from_secs(1 << (attempt - 1))),
            Wait::Told(pause) => (pause <= LONGEST_PAUSE).then_some(pause),
        }
    }

    fn outcome(&self) -> String {
        let call = match self.call {
            Call::FindInstallation => "search for the App's installation",
            Call::ExchangeToken => "exchange of the App's token",
            Call::Find => "search for the pull request",
            Call::Open => "opening of the pull request",
            Call::Update => "update of the pull request",
            Call::Comments => "search for comments on the pull request",
            Call::Comment => "comment on the pull request",
            Call::Close => "closing of the pull request",
        };
        match self.status {
            Some(status) => format!("GitHub's {call} failed with status {}", status.as_u16()),
            None => format!("GitHub's {call} failed"),
        }
    }

    fn reason(&self) -> String {
        match self.message.as_str() {
            "" => String::new(),
            message => format!(": {}", visible(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    #[test]
    fn wait_is_what_github_says() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let told = |seconds| Wait::Told(Duration::from_secs(seconds));
        let limit = "You have exceeded a secondary rate limit";
        for (status, headers, message, expected) in [
            (403, vec![("retry-after", "7")], limit, told(7)),
            (
                429,
                vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1010")],
                "",
                told(10),
            ),
            (429, vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "990")], "", told(0)),
            (403, vec![], limit, told(60)),
            (403, vec![("x-ratelimit-remaining", "9")], "suspended", Wait::Never),
            (502, vec![], "", Wait::Growing),
            (401, vec![], "", Wait::Never),
        ] {
            let headers: HeaderMap = headers
                .into_iter()
                .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
                .collect();
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(wait(status, &headers, message, now), expected, "{status} {headers:?}");
        }
    }

    #[test]
    fn long_wait_is_not_waited_for() {
        let error = |wait| GitHubError {
            call: Call::FindInstallation,
            status: None,
            message: String::new(),
            wait,
        };
        assert_eq!(error(Wait::Told(Duration::from_secs(21))).pause(1), None);
        assert!(error(Wait::Told(Duration::from_secs(21))).is_passing());
        assert_eq!(error(Wait::Growing).pause(3), Some(Duration::from_secs(4)));
    }

    #[test]
    fn every_fault_is_told() {
        let body = br#"{"message": "Validation Failed", "errors": [
            {"resource": "PullRequest", "code": "custom", "message": "No commits between a and b"},
            {"resource": "PullRequest", "field": "head", "code": "invalid"}, "and that"]}"#;
        let expected = "Validation Failed: No commits between a and b, `head` is invalid, and that";
        assert_eq!(said(body), expected);
        assert_eq!(said(b"<html>"), "");
    }
}
