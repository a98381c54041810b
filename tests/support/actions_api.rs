//! A small GitHub over HTTP, for the program `gh` in workflows: comments, issues, workflows, branches.
//!
//! It holds a token to the permissions that the token names (`token:contents=read;issues=write`), and
//! is the proxy of the host `api.github.localhost`, which `gh` speaks to without TLS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::http_server::HttpServer;

/// Who the token of a workflow is.
const BOT: &str = "github-actions[bot]";

/// A comment.
#[derive(Clone, Debug)]
pub struct Comment {
    pub issue: u64,
    pub author: String,
    pub body: String,
}

/// An issue; pull requests have numbers of their own here.
#[derive(Clone, Debug)]
pub struct Issue {
    pub title: String,
    pub body: String,
    pub is_open: bool,
}

/// The commit at the head of a branch, if there is one.
type Heads = Box<dyn Fn(&str) -> Option<String> + Send>;

pub struct World {
    pub comments: Vec<Comment>,
    /// The first one is number 1.
    pub issues: Vec<Issue>,
    /// Paths of workflows.
    pub workflows: Vec<String>,
    /// Workflow and branch of each run that was asked for.
    pub dispatches: Vec<(String, String)>,
    pub calls: Vec<String>,
    heads: Heads,
}

/// A server on a port of this machine; it ends with the value.
pub struct ActionsApi {
    /// Its address, as a proxy.
    pub proxy: String,
    world: Arc<Mutex<World>>,
    /// Ends with the value.
    server: HttpServer,
}

impl ActionsApi {
    /// Starts it for the repository `o/n`, whose branches are where this says.
    pub fn start(heads: impl Fn(&str) -> Option<String> + Send + 'static) -> ActionsApi {
        let world = Arc::new(Mutex::new(World {
            comments: Vec::new(),
            issues: Vec::new(),
            workflows: Vec::new(),
            dispatches: Vec::new(),
            calls: Vec::new(),
            heads: Box::new(heads),
        }));
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&world));
        let server = HttpServer::start(router);
        let proxy = server.url();
        ActionsApi { proxy, world, server }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no panic while held")
    }
}

/// Status and body.
type Answer = (u16, Value);

async fn answer(
    State(world): State<Arc<Mutex<World>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut world = world.lock().expect("no panic while held");
    world.calls.push(format!("{method} {}", uri.path()));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = text(header::AUTHORIZATION).strip_prefix("token token:").unwrap_or_default();
    let permissions: BTreeMap<&str, &str> =
        token.split(';').filter_map(|permission| permission.split_once('=')).collect();
    let query: BTreeMap<String, String> =
        reqwest::Url::parse(&format!("http://x/?{}", uri.query().unwrap_or_default()))
            .expect("a query")
            .query_pairs()
            .into_owned()
            .collect();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let (status, found) = match uri.path().strip_prefix("/repos/o/n/") {
        Some(path) => handle(&mut world, &method, path, &permissions, &body),
        None => missing(),
    };
    let (page, next) = page_of(found, &query);
    let status = StatusCode::from_u16(status).expect("a status");
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    let mut response = (status, axum::Json(page)).into_response();
    if let Some(next) = next {
        let link = format!("<http://api.github.localhost{}?{next}>; rel=\"next\"", uri.path());
        response.headers_mut().insert(header::LINK, link.parse().expect("a header"));
    }
    response
}

/// A page of a list, and the query of the next one.
fn page_of(found: Value, query: &BTreeMap<String, String>) -> (Value, Option<String>) {
    let Value::Array(all) = found else { return (found, None) };
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let (size, page) = (number("per_page").unwrap_or(30).min(100), number("page").unwrap_or(1));
    let next = (page * size < all.len()).then(|| format!("per_page={size}&page={}", page + 1));
    (all.into_iter().skip((page - 1) * size).take(size).collect(), next)
}

fn missing() -> Answer {
    (404, json!({"message": "Not Found"}))
}

fn handle(
    world: &mut World,
    method: &Method,
    path: &str,
    permissions: &BTreeMap<&str, &str>,
    body: &Value,
) -> Answer {
    let is_reading = method == Method::GET;
    let may = |names: &[&str]| {
        names.iter().any(|name| {
            let granted = permissions.get(name).copied().unwrap_or_default();
            granted == "write" || granted == "read" && is_reading
        })
    };
    let parts: Vec<&str> = path.split('/').collect();
    let needed: &[&str] = match parts.as_slice() {
        ["git", "ref", "heads", ..] => &["contents"],
        ["issues", "comments", _] | ["issues", _, "comments"] => &["issues", "pull-requests"],
        ["issues", ..] => &["issues"],
        ["actions", ..] => &["actions"],
        _ => return missing(),
    };
    if !may(needed) {
        return (403, json!({"message": "Resource not accessible by integration"}));
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    if body["body"].as_str().is_some_and(|body| body.chars().count() > 65_536) {
        return (422, json!({"message": "Validation Failed"}));
    }
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["git", "ref", "heads", branch @ ..]) => match (world.heads)(&branch.join("/")) {
            Some(commit) => (200, json!({"object": {"sha": commit, "type": "commit"}})),
            None => missing(),
        },
        ("GET", ["issues", issue, "comments"]) => {
            let found = world.comments.iter().enumerate();
            let found = found.filter(|(_, comment)| comment.issue == number(issue));
            let shown = |(id, comment): (usize, &Comment)| json!({"id": id, "body": comment.body, "user": {"login": comment.author}});
            (200, found.map(shown).collect())
        }
        ("POST", ["issues", issue, "comments"]) => {
            let author = BOT.to_owned();
            world.comments.push(Comment { issue: number(issue), author, body: text("body") });
            (201, json!({}))
        }
        ("PATCH", ["issues", "comments", id]) => {
            match world.comments.get_mut(number(id) as usize) {
                Some(comment) if comment.author == BOT => {
                    comment.body = text("body");
                    (200, json!({}))
                }
                _ => missing(),
            }
        }
        ("GET", ["issues"]) => {
            let open = world.issues.iter().enumerate().filter(|(_, issue)| issue.is_open);
            let shown = |(at, issue): (usize, &Issue)| json!({"number": at + 1, "title": issue.title, "body": issue.body, "user": {"login": BOT}});
            (200, open.map(shown).collect())
        }
        ("POST", ["issues"]) => {
            let issue = Issue { title: text("title"), body: text("body"), is_open: true };
            world.issues.push(issue);
            (201, json!({}))
        }
        ("PATCH", ["issues", at]) => {
            let Some(issue) = world.issues.get_mut(number(at).wrapping_sub(1) as usize) else {
                return missing();
            };
            if body["body"].is_string() {
                issue.body = text("body");
            }
            issue.is_open = text("state") != "closed";
            (200, json!({}))
        }
        ("GET", ["actions", "workflows"]) => {
            let found = world.workflows.iter().map(|path| json!({"path": path}));
            (200, json!({"workflows": found.collect::<Vec<_>>()}))
        }
        ("POST", ["actions", "workflows", file, "dispatches"]) => {
            world.dispatches.push(((*file).to_owned(), text("ref")));
            (204, Value::Null)
        }
        _ => missing(),
    }
}
