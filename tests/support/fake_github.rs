//! A small GitHub over HTTP: the part of its REST API that is about pull requests.
//!
//! It refuses what GitHub refuses, in GitHub's words and shapes, and does what [`Fault`]s say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::http_server::HttpServer;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum How {
    /// Answers with this instead: status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, Value),
    /// Handles the request and ends the connection without an answer.
    Cut,
    /// Ends the connection; the request has no effect.
    Refuse,
    /// Handles it so much later.
    Delay(Duration),
}

/// A thing that goes wrong once, with a request whose method and path begin so.
#[derive(Clone, Debug)]
pub struct Fault(pub &'static str, pub How);

/// A pull request as the fake keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    pub title: String,
    pub body: Option<String>,
    pub head: String,
    pub base: String,
    pub is_open: bool,
    /// Whether its branch is one of somebody's fork.
    pub is_of_fork: bool,
    pub comments: Vec<String>,
}

impl Pull {
    pub fn new(head: &str, title: &str, body: &str) -> Pull {
        Pull {
            title: title.to_owned(),
            body: Some(body.to_owned()),
            head: head.to_owned(),
            base: "main".to_owned(),
            is_open: true,
            is_of_fork: false,
            comments: Vec::new(),
        }
    }
}

/// What somebody else does meanwhile.
type Before = Box<dyn FnOnce(&mut Vec<Pull>) + Send>;

/// The commit at the head of a branch, if there is one.
type Heads = Box<dyn Fn(&str) -> Option<String> + Send>;

pub struct World {
    /// Those that are let in.
    pub tokens: Vec<String>,
    /// Of the only repository, `o/n`; the first one is number 1.
    pub pulls: Vec<Pull>,
    pub faults: Vec<Fault>,
    /// `GET /repos/o/n/pulls`, without what was asked for.
    pub calls: Vec<String>,
    /// Called before a pull request is opened.
    pub before_opening: Option<Before>,
    heads: Heads,
}

/// A server on a port of this machine; it ends with the value.
pub struct FakeGitHub {
    /// The address of the API, without a slash at its end.
    pub url: String,
    world: Arc<Mutex<World>>,
    /// Ends with the value.
    server: HttpServer,
}

impl FakeGitHub {
    /// Starts it with a token that is let in; every branch is there, each with commits of its own.
    pub fn start(token: &str) -> FakeGitHub {
        let world = Arc::new(Mutex::new(World {
            tokens: vec![token.to_owned()],
            pulls: Vec::new(),
            faults: Vec::new(),
            calls: Vec::new(),
            before_opening: None,
            heads: Box::new(|branch| Some(branch.to_owned())),
        }));
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&world));
        let server = HttpServer::start(router);
        let url = format!("{}/api/v3", server.url());
        FakeGitHub { url, world, server }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no panic while held")
    }

    /// Where branches are, as the repository has them.
    pub fn with_heads(&self, heads: impl Fn(&str) -> Option<String> + Send + 'static) {
        self.world().heads = Box::new(heads);
    }

    /// The calls since this was last asked.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.world().calls)
    }
}

/// Status, headers, body.
type Answer = (u16, Vec<(&'static str, String)>, Value);

async fn answer(
    State(world): State<Arc<Mutex<World>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().strip_prefix("/api/v3").unwrap_or("nowhere").to_owned();
    let call = format!("{method} {path}");
    let fault = {
        let mut world = world.lock().expect("no panic while held");
        world.calls.push(call.clone());
        let fault = world.faults.iter().position(|Fault(about, _)| call.starts_with(about));
        fault.map(|at| world.faults.remove(at).1)
    };
    match &fault {
        Some(How::Answer(status, headers, body)) => {
            return response((*status, headers.clone(), body.clone()));
        }
        Some(How::Refuse) => std::panic::resume_unwind(Box::new("cut")),
        Some(How::Delay(delay)) => tokio::time::sleep(*delay).await,
        Some(How::Cut) | None => {}
    }
    let answer = {
        let mut world = world.lock().expect("no panic while held");
        let body = serde_json::from_slice(&body).unwrap_or_default();
        handle(&mut world, &method, &path, uri.query().unwrap_or_default(), &headers, &body)
    };
    if matches!(fault, Some(How::Cut)) {
        // Ends the task of the connection, and the connection with it.
        std::panic::resume_unwind(Box::new("cut"));
    }
    response(answer)
}

fn response((status, headers, body): Answer) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = (status, axum::Json(body)).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

fn handle(
    world: &mut World,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Value,
) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("accept"), Some("application/vnd.github+json"));
    assert_eq!(header("x-github-api-version"), Some("2022-11-28"));
    assert!(header("user-agent").is_some(), "GitHub refuses requests without");
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if !world.tokens.iter().any(|known| Some(known.as_str()) == token) {
        return refusal(401, "Bad credentials", &[]);
    }
    let query: BTreeMap<String, String> = reqwest::Url::parse(&format!("http://x/?{query}"))
        .expect("a query")
        .query_pairs()
        .into_owned()
        .collect();
    let Some(rest) = path.strip_prefix("/repos/o/n/") else {
        return refusal(404, "Not Found", &[]);
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let number = parts.get(1).and_then(|number| number.parse::<usize>().ok()).unwrap_or_default();
    let pull = number.checked_sub(1).filter(|at| *at < world.pulls.len());
    match (method.as_str(), parts.as_slice(), pull) {
        ("GET", ["pulls"], _) => list(world, &query),
        ("POST", ["pulls"], _) => open(world, body),
        ("GET", ["pulls", _], Some(at)) => (200, vec![], shown(at + 1, &world.pulls[at])),
        ("PATCH", ["pulls", _], Some(at)) => {
            if let Some(refused) = too_long(body) {
                return refused;
            }
            let pull = &mut world.pulls[at];
            if let Some(title) = body["title"].as_str() {
                pull.title = title.to_owned();
            }
            if let Some(text) = body["body"].as_str() {
                pull.body = Some(text.to_owned());
            }
            if let Some(state) = body["state"].as_str() {
                pull.is_open = state == "open";
            }
            (200, vec![], shown(at + 1, &world.pulls[at]))
        }
        ("GET", ["issues", _, "comments"], Some(at)) => {
            let comments = world.pulls[at].comments.iter().enumerate();
            let comments =
                comments.map(|(id, body)| json!({"id": id, "body": body, "user": user()}));
            page(comments.collect(), &query)
        }
        ("POST", ["issues", _, "comments"], Some(at)) => {
            let text = body["body"].as_str().unwrap_or_default();
            if text.is_empty() {
                let missing = json!({"resource": "IssueComment", "code": "unprocessable",
                    "field": "data", "message": "Body cannot be blank"});
                return refusal(422, "Validation Failed", &[missing]);
            }
            world.pulls[at].comments.push(text.to_owned());
            (201, vec![], json!({"id": 1, "body": text, "user": user()}))
        }
        _ => refusal(404, "Not Found", &[]),
    }
}

fn list(world: &World, query: &BTreeMap<String, String>) -> Answer {
    let state = query.get("state").map_or("open", String::as_str);
    // A head without its owner is no filter.
    let head = query.get("head").and_then(|head| head.split_once(':'));
    let is_wanted = |pull: &Pull| {
        let owner = if pull.is_of_fork { "mallory" } else { "o" };
        (state == "all" || (state == "open") == pull.is_open)
            && head.is_none_or(|(user, branch)| user == owner && branch == pull.head)
            && query.get("base").is_none_or(|base| *base == pull.base)
    };
    let pulls = world.pulls.iter().enumerate().rev().filter(|(_, pull)| is_wanted(pull));
    page(pulls.map(|(at, pull)| shown(at + 1, pull)).collect(), query)
}

fn page(all: Vec<Value>, query: &BTreeMap<String, String>) -> Answer {
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let size = number("per_page").unwrap_or(30).clamp(1, 100);
    let page = number("page").unwrap_or(1).max(1);
    let mut headers = Vec::new();
    if page * size < all.len() {
        let link = |rel: &str, page: usize| {
            format!("<http://x/?per_page={size}&page={page}>; rel=\"{rel}\"")
        };
        let last = all.len().div_ceil(size);
        headers.push(("link", format!("{}, {}", link("next", page + 1), link("last", last))));
    }
    let shown: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
    (200, headers, Value::Array(shown))
}

fn open(world: &mut World, body: &Value) -> Answer {
    if let Some(before) = world.before_opening.take() {
        before(&mut world.pulls);
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (head, base) = (text("head"), text("base"));
    if let Some(refused) = too_long(body) {
        return refused;
    }
    for (field, branch) in [("head", &head), ("base", &base)] {
        if (world.heads)(branch).is_none() {
            let fault = json!({"resource": "PullRequest", "field": field, "code": "invalid"});
            return refusal(422, "Validation Failed", &[fault]);
        }
    }
    let custom =
        |message: String| json!({"resource": "PullRequest", "code": "custom", "message": message});
    if (world.heads)(&head) == (world.heads)(&base) {
        let fault = custom(format!("No commits between {base} and {head}"));
        return refusal(422, "Validation Failed", &[fault]);
    }
    let is_rival =
        |pull: &Pull| pull.is_open && !pull.is_of_fork && pull.head == head && pull.base == base;
    if world.pulls.iter().any(is_rival) {
        let fault = custom(format!("A pull request already exists for o:{head}."));
        return refusal(422, "Validation Failed", &[fault]);
    }
    let pull = Pull { base, ..Pull::new(&head, &text("title"), &text("body")) };
    world.pulls.push(pull.clone());
    (201, vec![], shown(world.pulls.len(), &pull))
}

fn too_long(body: &Value) -> Option<Answer> {
    let is_too_long = |name: &str, most: usize| {
        body[name].as_str().is_some_and(|text| text.chars().count() > most)
    };
    let fault = |field: &str, most: usize| {
        let message = format!("{field} is too long (maximum is {most} characters)");
        let fault = json!({"resource": "PullRequest", "code": "custom", "field": field,
            "message": message});
        refusal(422, "Validation Failed", &[fault])
    };
    if is_too_long("title", 256) {
        return Some(fault("title", 256));
    }
    is_too_long("body", 65_536).then(|| fault("body", 65_536))
}

fn refusal(status: u16, message: &str, errors: &[Value]) -> Answer {
    let mut body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest/pulls/pulls",
        "status": status.to_string(),
    });
    if !errors.is_empty() {
        body["errors"] = errors.into();
    }
    (status, vec![], body)
}

fn user() -> Value {
    json!({"login": "aws-iam-gitops[bot]", "id": 7, "type": "Bot"})
}

fn shown(number: usize, pull: &Pull) -> Value {
    let (owner, id) = if pull.is_of_fork { ("mallory", 2) } else { ("o", 1) };
    let repo = |owner: &str, id: u64| {
        json!({"id": id, "name": "n", "full_name": format!("{owner}/n"), "private": true,
            "owner": {"login": owner}, "fork": id != 1})
    };
    json!({
        "url": format!("https://api.github.com/repos/o/n/pulls/{number}"),
        "id": 1000 + number,
        "node_id": "MDExOlB1bGxSZXF1ZXN0MQ==",
        "html_url": format!("https://github.com/o/n/pull/{number}"),
        "number": number,
        "state": if pull.is_open { "open" } else { "closed" },
        "locked": false,
        "draft": false,
        "title": pull.title,
        "user": user(),
        "body": pull.body.as_ref().filter(|body| !body.is_empty()),
        "created_at": "2026-11-22T10:15:00Z",
        "updated_at": "2026-11-22T10:15:00Z",
        "closed_at": null,
        "merged_at": null,
        "head": {"label": format!("{owner}:{}", pull.head), "ref": pull.head, "sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "user": user(), "repo": repo(owner, id)},
        "base": {"label": format!("o:{}", pull.base), "ref": pull.base, "sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "user": user(), "repo": repo("o", 1)},
    })
}
