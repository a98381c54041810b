//! Pull requests on GitHub and GitHub Enterprise: found, opened, updated, closed.
//!
//! Everything here blocks, as the repository does: call it where a thread may. Whatever is called
//! twice does its work once. What a pull request says is not decided here, but for
//! [`markdown`], which makes foreign text fit for one.

mod call;
pub mod markdown;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tracing::info;

use crate::aws::CallError;
use crate::credentials::{Clock, WAYS};
use crate::error::Refused;
use crate::repository::{Credentials, Remote};
use crate::settings::SyncSettings;
use call::Answer;
pub use call::{Api, Call, Deadline, GitHubError};

/// A list's longest page, and how many of them are read.
const PAGE: usize = 100;
const PAGES: usize = 30;

/// The pull requests of one repository.
pub struct PullRequests {
    api: Api,
    remote: Remote,
    /// `repos/owner/name`.
    path: String,
    owner: String,
    credentials: Arc<dyn Credentials>,
}

/// An open pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    /// For people.
    pub url: String,
    pub title: String,
    pub body: String,
    /// The branch that is to be merged.
    pub branch: String,
}

#[derive(Deserialize)]
struct Found {
    number: u64,
    html_url: String,
    title: String,
    body: Option<String>,
    state: String,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    /// None: the fork is gone.
    repo: Option<Whose>,
}

#[derive(Deserialize, PartialEq)]
struct Whose {
    id: u64,
}

impl Found {
    /// Whether it comes from this repository, and not from somebody's fork with such a branch.
    fn is_ours(&self) -> bool {
        self.head.repo.is_some() && self.head.repo == self.base.repo
    }

    fn into_pull_request(self) -> PullRequest {
        PullRequest {
            number: self.number,
            url: self.html_url,
            title: self.title,
            body: self.body.unwrap_or_default(),
            branch: self.head.branch,
        }
    }
}

#[derive(Deserialize)]
struct Comment {
    body: Option<String>,
}

/// Whether the same may go well later.
pub fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_aws = cause.downcast_ref::<CallError>();
        of_aws.is_some_and(|error| error.reason.is_passing())
            || cause.downcast_ref::<GitHubError>().is_some_and(GitHubError::is_passing)
    })
}

impl PullRequests {
    /// The pull requests of the settings' repository; none: it is not known to be on GitHub. Must
    /// be called inside the runtime that is to make the calls; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The file with certificates cannot be used.
    pub fn open(
        settings: &SyncSettings,
        credentials: Arc<dyn Credentials>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Option<PullRequests>> {
        let remote = &settings.repository;
        let (Some(url), Some((owner, name))) = (&settings.github_api, remote.owner_and_name())
        else {
            return Ok(None);
        };
        let certificates = settings.certificates.as_deref();
        let api = Api::new(url, certificates, Handle::current(), clock, Deadline::default())?;
        Ok(Some(PullRequests {
            api,
            path: format!("repos/{owner}/{name}"),
            owner: owner.to_owned(),
            remote: remote.clone(),
            credentials,
        }))
    }

    /// From when on every call fails instead of being sent or waited for.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.api.set_deadline(deadline);
    }

    /// The open pull request that is to bring a branch to another one.
    ///
    /// # Errors
    ///
    /// GitHub refuses, does not answer, or there is no token.
    pub fn find_open(&self, branch: &str, base: &str) -> anyhow::Result<Option<PullRequest>> {
        let head = format!("{}:{branch}", self.owner);
        // GitHub passes over a filter that it does not understand.
        let mut found = self.list("open", &[("head", &head), ("base", base)], |found| {
            found.head.branch == branch && found.base.branch == base
        })?;
        Ok(if found.is_empty() { None } else { Some(found.remove(0)) })
    }

    /// The last one that was closed.
    fn find_closed(&self, branch: &str, base: &str) -> anyhow::Result<Option<PullRequest>> {
        let head = format!("{}:{branch}", self.owner);
        let found = self.list("closed", &[("head", &head), ("base", base)], |found| {
            found.head.branch == branch && found.base.branch == base
        })?;
        Ok(found.into_iter().max_by_key(|found| found.number))
    }

    /// The open pull requests for a base whose branches begin so.
    ///
    /// # Errors
    ///
    /// As [`PullRequests::find_open`].
    pub fn list_open(&self, start: &str, base: &str) -> anyhow::Result<Vec<PullRequest>> {
        self.list("open", &[("base", base)], |found| {
            found.head.branch.starts_with(start) && found.base.branch == base
        })
    }

    /// Sees to it that a branch has an open pull request with this text; nothing is written where
    /// there is one. Its number is that of the one that was open, or of a new one.
    ///
    /// # Errors
    ///
    /// As [`PullRequests::find_open`], and where the branch has nothing that the base lacks
    /// ([`GitHubError::is_without_commits`]).
    pub fn open_or_update(
        &self,
        branch: &str,
        base: &str,
        title: &str,
        body: &str,
    ) -> anyhow::Result<PullRequest> {
        self.open_or_revise(branch, base, title, false, |_| body.to_owned())
    }

    /// As [`PullRequests::open_or_update`], with a text that goes on from the one that is there. If
    /// none is open it goes on from that of the last one that was closed, if `goes_on`, else from
    /// nothing.
    ///
    /// # Errors
    ///
    /// As [`PullRequests::open_or_update`].
    pub fn open_or_revise(
        &self,
        branch: &str,
        base: &str,
        title: &str,
        goes_on: bool,
        body: impl Fn(&str) -> String,
    ) -> anyhow::Result<PullRequest> {
        let update = |found: PullRequest| {
            let body = body(&found.body.replace("\r\n", "\n"));
            self.update(found, title, &body)
        };
        if let Some(found) = self.find_open(branch, base)? {
            return update(found);
        }
        let closed = if goes_on { self.find_closed(branch, base)? } else { None };
        let body =
            body(&closed.map(|closed| closed.body.replace("\r\n", "\n")).unwrap_or_default());
        let text = json!({"title": title, "body": body, "head": branch, "base": base});
        let opened = self.call(Call::Open, |client, url| {
            client.post(format!("{url}/{}/pulls", self.path)).json(&text)
        });
        let error = match opened {
            Ok(answer) => {
                let opened: Found = answer.parse(Call::Open)?;
                info!(pull_request = opened.number, "opened");
                return Ok(opened.into_pull_request());
            }
            Err(error) => error,
        };
        // Somebody was faster, or this is the answer to a request that was sent twice.
        let of_github = error.downcast_ref::<GitHubError>();
        if of_github.is_some_and(GitHubError::is_there_already)
            && let Some(found) = self.find_open(branch, base)?
        {
            return update(found);
        }
        Err(error).with_context(|| format!("cannot open a pull request for `{branch}`"))
    }

    fn update(
        &self,
        mut found: PullRequest,
        title: &str,
        body: &str,
    ) -> anyhow::Result<PullRequest> {
        if is_same(&found.title, title) && is_same(&found.body, body) {
            return Ok(found);
        }
        self.change(Call::Update, found.number, &json!({"title": title, "body": body}))?;
        info!(pull_request = found.number, "updated");
        found.title = title.to_owned();
        found.body = body.to_owned();
        Ok(found)
    }

    /// Says something below a pull request; what is said there already is not said again.
    ///
    /// # Errors
    ///
    /// As [`PullRequests::find_open`].
    pub fn comment(&self, number: u64, text: &str) -> anyhow::Result<()> {
        let mut attempt = 1;
        while !self.has_comment(number, text)? {
            let said = self.call(Call::Comment, |client, url| {
                let url = format!("{url}/{}/issues/{number}/comments", self.path);
                client.post(url).json(&json!({"body": text}))
            });
            let Err(error) = said else { return Ok(()) };
            let of_github = error.downcast_ref::<GitHubError>();
            let is_again =
                of_github.is_some_and(|error| error.is_unsure() && self.api.pause(error, attempt));
            if !is_again {
                return Err(error).with_context(|| format!("cannot comment on #{number}"));
            }
            attempt += 1;
        }
        Ok(())
    }

    /// Closes a pull request; one that is closed already stays so.
    ///
    /// # Errors
    ///
    /// As [`PullRequests::find_open`].
    pub fn close(&self, number: u64) -> anyhow::Result<()> {
        self.change(Call::Close, number, &json!({"state": "closed"}))?;
        info!(pull_request = number, "closed");
        Ok(())
    }

    /// Closes a pull request and says why; whether it was still open. Nothing is said of one that
    /// somebody closed or merged.
    ///
    /// # Errors
    ///
    /// As [`PullRequests::find_open`].
    pub fn close_with_comment(&self, number: u64, text: &str) -> anyhow::Result<bool> {
        let found = self.call(Call::Find, |client, url| {
            client.get(format!("{url}/{}/pulls/{number}", self.path))
        });
        let found: Found =
            found.with_context(|| format!("cannot look at #{number}"))?.parse(Call::Find)?;
        if found.state != "open" {
            return Ok(false);
        }
        self.comment(number, text)?;
        self.close(number)?;
        Ok(true)
    }

    fn has_comment(&self, number: u64, text: &str) -> anyhow::Result<bool> {
        let path = format!("issues/{number}/comments");
        let mut is_there = false;
        self.pages(Call::Comments, &path, &[], |comments: Vec<Comment>| {
            let mut bodies = comments.iter().filter_map(|comment| comment.body.as_deref());
            is_there |= bodies.any(|body| is_same(body, text));
            !is_there
        })
        .with_context(|| format!("cannot read the comments on #{number}"))?;
        Ok(is_there)
    }

    fn list(
        &self,
        state: &str,
        filter: &[(&str, &str)],
        is_wanted: impl Fn(&Found) -> bool,
    ) -> anyhow::Result<Vec<PullRequest>> {
        let mut wanted = Vec::new();
        let filter = [&[("state", state)], filter].concat();
        self.pages(Call::Find, "pulls", &filter, |found: Vec<Found>| {
            let ours = found
                .into_iter()
                .filter(|found| found.state == state && found.is_ours() && is_wanted(found));
            wanted.extend(ours.map(Found::into_pull_request));
            true
        })
        .context("cannot look for pull requests")?;
        Ok(wanted)
    }

    /// Shows the pages of a list, as long as `visit` asks for more.
    fn pages<T: serde::de::DeserializeOwned>(
        &self,
        call: Call,
        path: &str,
        filter: &[(&str, &str)],
        mut visit: impl FnMut(T) -> bool,
    ) -> anyhow::Result<()> {
        for page in 1..=PAGES {
            let answer = self.call(call, |client, url| {
                let url = format!("{url}/{}/{path}", self.path);
                let mut url: Url = url.parse().expect("the API's address was read before");
                url.query_pairs_mut()
                    .extend_pairs(filter)
                    .append_pair("per_page", &PAGE.to_string())
                    .append_pair("page", &page.to_string());
                client.get(url)
            })?;
            if !visit(answer.parse(call)?) || !answer.has_more {
                break;
            }
        }
        Ok(())
    }

    fn change(&self, call: Call, number: u64, change: &Value) -> anyhow::Result<()> {
        let changed = self.call(call, |client, url| {
            client.patch(format!("{url}/{}/pulls/{number}", self.path)).json(change)
        });
        changed.map(drop).with_context(|| format!("cannot change #{number}"))
    }

    /// Calls with the repository's token, once more with a renewed one.
    fn call(
        &self,
        call: Call,
        request: impl Fn(&Client, &str) -> RequestBuilder,
    ) -> anyhow::Result<Answer> {
        let mut is_first = true;
        loop {
            let login = self.credentials.authorization(&self.remote)?;
            let login = login.ok_or_else(|| Refused {
                error: "GitHub wants a token for pull requests, and there is none".to_owned(),
                hint: WAYS,
            })?;
            match self.api.call(call, &login.password, &request) {
                Err(error) if error.is_unauthorized() => {
                    self.credentials.refused();
                    if !std::mem::take(&mut is_first) {
                        return Err(error.into());
                    }
                }
                answered => return Ok(answered?),
            }
        }
    }
}

/// Whether two texts say the same: forms send other line ends.
fn is_same(a: &str, b: &str) -> bool {
    a.replace("\r\n", "\n").trim() == b.replace("\r\n", "\n").trim()
}
