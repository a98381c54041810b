//! A GitHub App: its private key signs a token for the App, and that is exchanged for one of the
//! installation, which may write to this one repository for an hour.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use aws_smithy_types::date_time::{DateTime, Format};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::debug;

use super::{Clock, Login, Vault};
use crate::error::Refused;
use crate::invisible::visible;
use crate::repository::Remote;
use crate::settings::GitHubApp;

/// How long before its end a token is renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);
const ATTEMPTS: u32 = 4;
/// A longer wait is left to whoever runs this again.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

pub struct App {
    app: GitHubApp,
    api: Url,
    owner: String,
    name: String,
    client: Client,
    vault: Vault,
    clock: Arc<dyn Clock>,
    installation: OnceLock<u64>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: u64,
    exp: u64,
    iss: &'a str,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct AccessToken {
    token: String,
    expires_at: String,
}

impl App {
    pub fn new(
        app: &GitHubApp,
        remote: &Remote,
        certificates: Option<&Path>,
        vault: Vault,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<App> {
        let (owner, name) =
            remote.owner_and_name().expect("the settings place an App on a repository of GitHub");
        let api = app.api.clone().or_else(|| remote.github_api());
        Ok(App {
            app: app.clone(),
            api: api.expect("an address with owner and name has a host"),
            owner: owner.to_owned(),
            name: name.to_owned(),
            client: client(certificates)?,
            vault,
            clock,
            installation: app.installation.map(OnceLock::from).unwrap_or_default(),
        })
    }

    /// A token of the installation, and when to renew it.
    pub fn login(&self) -> anyhow::Result<(Login, SystemTime)> {
        let key = self.vault.read(&self.app.key)?;
        let jwt = self.sign(&key).with_context(|| format!("cannot use {}", self.app.key))?;
        let token = self.access_token(&jwt).context("cannot log in to GitHub as an App")?;
        let ends = DateTime::from_str(&token.expires_at, Format::DateTimeWithOffset)
            .ok()
            .and_then(|end| SystemTime::try_from(end).ok())
            .context("GitHub's token has no date at which it ends")?;
        let login = Login {
            username: "x-access-token".to_owned(),
            password: SecretString::from(token.token),
        };
        Ok((login, ends - RENEWED_BEFORE))
    }

    /// The App's own token, good for less than ten minutes. Its start lies back a minute, for
    /// clocks that differ.
    fn sign(&self, key: &SecretString) -> Result<SecretString, Refused> {
        // Keys that went through JSON or a form often have their line breaks spelled out.
        let pem = key.expose_secret().trim().replace("\\n", "\n");
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = Claims { iat: now.saturating_sub(60), exp: now + 9 * 60, iss: &self.app.id };
        EncodingKey::from_rsa_pem(pem.as_bytes())
            .and_then(|key| jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key))
            .map(SecretString::from)
            .map_err(|_| Refused {
                error: "it does not hold an RSA private key".to_owned(),
                hint: "store the `.pem` file as GitHub gave it, from `-----BEGIN` to the end",
            })
    }

    fn access_token(&self, jwt: &SecretString) -> Result<AccessToken, GitHubError> {
        let installation = match self.installation.get() {
            Some(installation) => *installation,
            None => {
                let path = format!("repos/{}/{}/installation", self.owner, self.name);
                let found: Installation =
                    self.call(Call::Find, jwt, |client, url| client.get(format!("{url}/{path}")))?;
                *self.installation.get_or_init(|| found.id)
            }
        };
        let path = format!("app/installations/{installation}/access_tokens");
        let body = json!({"repositories": [self.name], "permissions": {"contents": "write"}});
        self.call(Call::Exchange, jwt, |client, url| {
            client.post(format!("{url}/{path}")).json(&body)
        })
    }

    fn call<T: DeserializeOwned>(
        &self,
        call: Call,
        jwt: &SecretString,
        request: impl Fn(&Client, &str) -> RequestBuilder,
    ) -> Result<T, GitHubError> {
        let api = self.api.as_str().trim_end_matches('/');
        let mut attempt = 1;
        loop {
            let request = request(&self.client, api)
                .bearer_auth(jwt.expose_secret())
                .header("Accept", "application/vnd.github+json")
                .header("X-GitHub-Api-Version", "2022-11-28");
            let answer = self.vault.runtime.block_on(answer(call, request, self.clock.now()));
            let error = match answer {
                Ok(body) => return parse(call, &body),
                Err(error) => error,
            };
            let pause = error.pause(attempt);
            debug!(?call, attempt, ?pause, %error, "GitHub");
            let Some(pause) = pause.filter(|_| attempt < ATTEMPTS) else { return Err(error) };
            self.clock.pause(pause);
            attempt += 1;
        }
    }
}

fn client(certificates: Option<&Path>) -> anyhow::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("aws-iam-gitops/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(30))
        .redirect(redirect::Policy::none());
    if let Some(path) = certificates {
        let unusable = || format!("cannot use the certificates in `{}`", path.display());
        let pem = std::fs::read(path).with_context(unusable)?;
        builder =
            builder.tls_certs_merge(Certificate::from_pem_bundle(&pem).with_context(unusable)?);
    }
    builder.build().context("cannot set up TLS")
}

async fn answer(
    call: Call,
    request: RequestBuilder,
    now: SystemTime,
) -> Result<Vec<u8>, GitHubError> {
    let unanswered = |error: reqwest::Error| GitHubError {
        call,
        status: None,
        message: causes(&error.without_url()),
        wait: Wait::Growing,
    };
    let response = request.send().await.map_err(unanswered)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(unanswered)?;
    if status.is_success() {
        return Ok(body.to_vec());
    }
    let message = said(&body);
    let wait = wait(status, &headers, &message, now);
    Err(GitHubError { call, status: Some(status), message, wait })
}

fn parse<T: DeserializeOwned>(call: Call, body: &[u8]) -> Result<T, GitHubError> {
    // The parser's own error would repeat a part of the answer.
    serde_json::from_slice(body).map_err(|_| GitHubError {
        call,
        status: None,
        message: "its answer does not hold what was asked for".to_owned(),
        wait: Wait::Never,
    })
}

/// An error and its causes: reqwest's own text leaves the causes out.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// The message in GitHub's answer.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
    }
    let message = serde_json::from_slice(body).map(|answer: Answer| answer.message);
    message.unwrap_or_default().chars().take(200).collect()
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
enum Call {
    /// The installation of the App on the repository.
    Find,
    /// The App's token for one of the installation.
    Exchange,
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

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        if self.is_passing() {
            return None;
        }
        match (self.status?.as_u16(), self.call) {
            (401, _) => Some(
                "AWS_IAM_GITOPS_GITHUB_APP_ID and the private key must be of one App, and the clock right",
            ),
            (404, Call::Find) => Some("install the App on the repository"),
            (404, Call::Exchange) => Some(
                "AWS_IAM_GITOPS_GITHUB_APP_INSTALLATION_ID must be of that App; it may be left out",
            ),
            (403 | 422, _) => Some(
                "the App needs the permission `Contents: read and write`, and access to the repository",
            ),
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
            Call::Find => "GitHub's search for the App's installation",
            Call::Exchange => "GitHub's exchange of the App's token",
        };
        match self.status {
            Some(status) => format!("{call} failed with status {}", status.as_u16()),
            None => format!("{call} failed"),
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
        let error =
            |wait| GitHubError { call: Call::Find, status: None, message: String::new(), wait };
        assert_eq!(error(Wait::Told(Duration::from_secs(21))).pause(1), None);
        assert!(error(Wait::Told(Duration::from_secs(21))).is_passing());
        assert_eq!(error(Wait::Growing).pause(3), Some(Duration::from_secs(4)));
    }
}
