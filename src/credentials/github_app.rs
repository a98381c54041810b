//! A GitHub App: its private key signs a token for the App, and that is exchanged for one of the
//! installation, which may write to this one repository for an hour.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use aws_smithy_types::date_time::{DateTime, Format};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use tracing::warn;

use super::{Clock, Login, Vault};
use crate::error::Refused;
use crate::github::{Api, Call, GitHubError};
use crate::repository::Remote;
use crate::settings::GitHubApp;

/// How long before its end a token is renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);
/// What a token may do that opens pull requests, and one that only pushes.
const PERMISSIONS: [&[&str]; 2] = [&["contents", "pull_requests"], &["contents"]];

pub struct App {
    app: GitHubApp,
    api: Api,
    owner: String,
    name: String,
    vault: Vault,
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
        let api = api.expect("an address with owner and name has a host");
        let (runtime, deadline) = (vault.runtime.clone(), Arc::clone(&vault.deadline));
        Ok(App {
            app: app.clone(),
            api: Api::new(&api, certificates, runtime, clock, deadline)?,
            owner: owner.to_owned(),
            name: name.to_owned(),
            vault,
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
        let now = self.api.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
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
                let found: Installation = self
                    .api
                    .call(Call::FindInstallation, jwt, |client, url| {
                        client.get(format!("{url}/{path}"))
                    })?
                    .parse(Call::FindInstallation)?;
                *self.installation.get_or_init(|| found.id)
            }
        };
        let path = format!("app/installations/{installation}/access_tokens");
        let exchange = |permissions: &[&str]| {
            let permissions: Map<_, _> =
                permissions.iter().map(|name| ((*name).to_owned(), json!("write"))).collect();
            let body = json!({"repositories": [self.name], "permissions": permissions});
            self.api
                .call(Call::ExchangeToken, jwt, |client, url| {
                    client.post(format!("{url}/{path}")).json(&body)
                })?
                .parse(Call::ExchangeToken)
        };
        match exchange(PERMISSIONS[0]) {
            // A permission that the App was not given: without it, it can push all the same.
            Err(error) if error.is_invalid() => {
                let token = exchange(PERMISSIONS[1])?;
                warn!(%error, "the App may not open pull requests");
                Ok(token)
            }
            exchanged => exchanged,
        }
    }
}
