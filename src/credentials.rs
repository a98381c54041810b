//! The login for the Git server: where the token comes from, how long it is kept.
//!
//! It is handed to the transport as a value and lies nowhere else: no URL, log, error or file holds
//! it. Which source it comes from is decided in [`crate::settings`].

mod github_app;
mod helper;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::runtime::Handle;

use crate::aws::Secrets;
use crate::error::Refused;
use crate::github::Deadline;
use crate::repository::{Credentials, Login, Remote};
use crate::settings::{Stored, SyncSettings, TokenSource};
use github_app::App;
use helper::Helper;

/// The ways to give a token, for a hint.
pub const WAYS: &str = "give a token: AWS_IAM_GITOPS_TOKEN_SECRET, AWS_IAM_GITOPS_TOKEN_PARAMETER or \
                        AWS_IAM_GITOPS_GITHUB_APP_ID; on the command line also AWS_IAM_GITOPS_TOKEN, \
                        GITHUB_TOKEN or git's credential helpers";

/// How long a value is used before it is read again, so that a rotated one is seen.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// Time, as it passes.
pub trait Clock: Send + Sync {
    fn now(&self) -> SystemTime;
    /// Blocks the thread.
    fn pause(&self, duration: Duration);
}

/// The machine's own time.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// The credentials that the settings name. Must be called inside the runtime that is to make the
/// calls; `secrets` is asked only when the settings say so.
///
/// # Errors
///
/// The file with certificates cannot be used.
pub fn open(
    settings: &SyncSettings,
    secrets: Secrets,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Credentials>> {
    let remote = &settings.repository;
    let Some(url) = remote.url() else { return Ok(Arc::new(Kept::new(Source::None, clock))) };
    let username = default_username(remote);
    let given = |token: &SecretString| {
        Source::Given(Login { username: username.to_owned(), password: token.clone() })
    };
    let deadline = Arc::new(Mutex::new(None));
    let vault = Vault { secrets, runtime: Handle::current(), deadline: Arc::clone(&deadline) };
    let source = match &settings.token {
        TokenSource::Given(token) => given(token),
        TokenSource::Ambient { token: Some(token), server } if server.origin() == url.origin() => {
            given(token)
        }
        TokenSource::Ambient { .. } => Source::Helper(Helper::new(url)),
        TokenSource::Stored(place) => Source::Stored { vault, place: place.clone(), username },
        TokenSource::GitHubApp(app) => Source::App(Box::new(App::new(
            app,
            remote,
            settings.certificates.as_deref(),
            vault,
            clock.clone(),
        )?)),
    };
    Ok(Arc::new(Kept { deadline, ..Kept::new(source, clock) }))
}

/// The user name that goes with a token where none is given. GitHub ignores it, Gitea takes the
/// password for the token whatever it is, GitLab wants `oauth2` for one kind of token.
fn default_username(remote: &Remote) -> &'static str {
    match remote.url().and_then(|url| url.host_str()) {
        Some("bitbucket.org") => "x-token-auth",
        Some(host) if host.contains("gitlab") => "oauth2",
        _ => "x-access-token",
    }
}

/// What AWS keeps, read from a thread that may block.
struct Vault {
    secrets: Secrets,
    runtime: Handle,
    deadline: Deadline,
}

impl Vault {
    fn read(&self, place: &Stored) -> anyhow::Result<SecretString> {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let read = async {
            match place {
                Stored::Secret(name) => self.secrets.secret(name, deadline).await,
                Stored::Parameter(name) => self.secrets.parameter(name, deadline).await,
            }
        };
        let value = self.runtime.block_on(read);
        value.with_context(|| {
            format!("cannot read {place}, which the Git server's token comes from")
        })
    }
}

enum Source {
    None,
    Given(Login),
    Stored { vault: Vault, place: Stored, username: &'static str },
    App(Box<App>),
    Helper(Helper),
}

impl Source {
    /// The login, and until when it may be used.
    fn read(&self, now: SystemTime) -> anyhow::Result<(Option<Login>, SystemTime)> {
        match self {
            Source::None => Ok((None, now + KEPT)),
            Source::Given(login) => Ok((Some(login.clone()), now + KEPT)),
            Source::Stored { vault, place, username } => {
                let value = vault.read(place)?;
                let login = login_of(value.expose_secret(), username)
                    .with_context(|| format!("{place} does not hold the Git server's token"))?;
                Ok((Some(login), now + KEPT))
            }
            Source::App(app) => {
                let (login, until) = app.login()?;
                Ok((Some(login), until))
            }
            Source::Helper(helper) => Ok((helper.fill(), now + KEPT)),
        }
    }
}

/// A source with what it last said.
struct Kept {
    source: Source,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Last>>,
    deadline: Deadline,
}

struct Last {
    login: Option<Login>,
    since: SystemTime,
    until: SystemTime,
}

impl Kept {
    fn new(source: Source, clock: Arc<dyn Clock>) -> Kept {
        Kept { source, clock, last: Mutex::new(None), deadline: Deadline::default() }
    }

    fn last(&self) -> MutexGuard<'_, Option<Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credentials for Kept {
    fn authorization(&self, _: &Remote) -> anyhow::Result<Option<Login>> {
        // Held while reading: who comes second finds what the first has read.
        let mut last = self.last();
        let now = self.clock.now();
        match &*last {
            Some(last) if (last.since..last.until).contains(&now) => Ok(last.login.clone()),
            _ => {
                *last = None;
                let (login, until) = self.source.read(now)?;
                *last = Some(Last { login: login.clone(), since: now, until });
                Ok(login)
            }
        }
    }

    fn refused(&self) {
        let forgotten = self.last().take();
        if let (Source::Helper(helper), Some(Last { login: Some(_), .. })) =
            (&self.source, forgotten)
        {
            helper.reject();
        }
    }

    fn set_deadline(&self, deadline: Option<Instant>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLogin {
    username: Option<String>,
    #[serde(alias = "token")]
    password: String,
}

const SHAPE: &str =
    "the value is the token alone, or `{\"username\": \"…\", \"token\": \"…\"}`, on one line each";

/// Reads what a secret holds: a token, or JSON with a user name besides. Errors repeat none of it.
fn login_of(value: &str, username: &str) -> Result<Login, Refused> {
    let refused = |error: &str| Refused { error: error.to_owned(), hint: SHAPE };
    let value = value.trim();
    let stored = if value.starts_with('{') {
        // The parser's own error would repeat a part of the value.
        serde_json::from_str(value).map_err(|_| refused("its JSON has not the right keys"))?
    } else {
        StoredLogin { username: None, password: value.to_owned() }
    };
    let username = stored.username.as_deref().map_or(username, str::trim);
    let password = stored.password.trim();
    if password.is_empty() || username.is_empty() {
        return Err(refused("it is empty"));
    }
    if password.chars().chain(username.chars()).any(char::is_control) {
        return Err(refused("it has several lines, or control characters"));
    }
    if username.contains(':') {
        return Err(refused("its user name holds a colon"));
    }
    Ok(Login { username: username.to_owned(), password: SecretString::from(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<(String, String), String> {
        match login_of(value, "x-access-token") {
            Ok(login) => Ok((login.username, login.password.expose_secret().to_owned())),
            Err(error) => Err(format!("{error} {error:?}")),
        }
    }

    #[test]
    fn secret_is_a_token_or_json() {
        let is = |value, username: &str, password: &str| {
            assert_eq!(read(value), Ok((username.to_owned(), password.to_owned())));
        };
        is("tok\n", "x-access-token", "tok");
        is("  tok ", "x-access-token", "tok");
        is(r#"{"token": "tok"}"#, "x-access-token", "tok");
        is("\n{\"username\": \"me \", \"password\": \"p w\\n\"}", "me", "p w");
    }

    #[test]
    fn unusable_secret_is_refused_without_a_word_of_it() {
        for value in [
            "",
            " \n",
            "topsecret\ntopsecret",
            "topsecret\u{0}",
            "{\"topsecret\": \"topsecret\"}",
            "{\"token\": \"topsecret\", \"password\": \"topsecret\"}",
            "{\"token\": {\"topsecret\": 1}}",
            "{\"token\": \"topsecret\"",
            "{\"token\": \"\"}",
            "{\"token\": \"topsecret\", \"username\": \"\"}",
            "{\"token\": \"topsecret\", \"username\": \"a:b\"}",
            "{\"token\": \"top\\nsecret\"}",
        ] {
            let error = read(value).unwrap_err();
            assert!(!error.contains("topsecret"), "{error}");
            assert!(error.contains("`{\\\"username\\\""), "{error}");
        }
    }

    #[test]
    fn user_name_follows_the_server() {
        for (address, username) in [
            ("https://github.com/o/n", "x-access-token"),
            ("https://gitea.example.com/o/n", "x-access-token"),
            ("https://gitlab.com/o/n", "oauth2"),
            ("https://gitlab.example.com/o/n", "oauth2"),
            ("https://bitbucket.org/o/n", "x-token-auth"),
        ] {
            assert_eq!(default_username(&Remote::parse(address).unwrap()), username);
        }
    }

    #[test]
    fn login_shows_nothing() {
        let login = Login { username: "tok".to_owned(), password: SecretString::from("tok") };
        assert!(!format!("{login:?} {login:#?} {:?}", Some(&login)).contains("tok"));
    }
}
