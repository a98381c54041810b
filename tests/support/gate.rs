//! What stands before a server: it passes requests on, and at a moment of the test's choice not.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;

use super::http_server::HttpServer;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Do {
    Pass,
    /// The server never sees it: this status is the answer.
    Answer(u16),
    /// The connection ends, and the server never sees the request.
    Cut,
    /// The server handles it; this status is the answer.
    HandleAndAnswer(u16),
    /// The server handles it, and the connection ends.
    HandleAndCut,
    /// The server sees it so much later.
    Delay(Duration),
}

/// Decides on a request by its method, path and query; it may also do something of its own.
type Watch = Box<dyn FnMut(&str) -> Do + Send>;

/// A port of this machine that leads to another one; it ends with the value.
pub struct Gate {
    /// `http://127.0.0.1:…`, without a slash at its end.
    pub url: String,
    shared: Arc<Shared>,
    /// Ends with the value.
    server: HttpServer,
}

/// One for all, as a client reads the system's certificates; its connections end with their use, as
/// each belongs to a gate's own runtime.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let builder = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    builder.build().expect("a client")
});

struct Shared {
    server: String,
    watch: Mutex<Option<Watch>>,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Gate {
    /// Starts to pass on to a server such as `http://127.0.0.1:5000`.
    pub fn start(server: &str) -> Gate {
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            watch: Mutex::default(),
            then: Mutex::default(),
        });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = HttpServer::start(router);
        let url = server.url();
        Gate { url, shared, server }
    }

    /// Decides on every request from now on.
    pub fn watch(&self, watch: impl FnMut(&str) -> Do + Send + 'static) {
        *self.shared.watch.lock().expect("no panic while held") = Some(Box::new(watch));
    }

    /// Is done once, when the server has handled a request whose answer is not passed on.
    pub fn when_handled(&self, then: impl FnOnce() + Send + 'static) {
        *self.shared.then.lock().expect("no panic while held") = Some(Box::new(then));
    }

    /// Passes everything on from now on.
    pub fn open(&self) {
        *self.shared.watch.lock().expect("no panic while held") = None;
        *self.shared.then.lock().expect("no panic while held") = None;
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let target = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let request = format!("{method} {target}");
    let what = match &mut *shared.watch.lock().expect("no panic while held") {
        Some(watch) => watch(&request),
        None => Do::Pass,
    };
    match what {
        Do::Answer(status) => return plain(status),
        Do::Cut => cut(),
        Do::Delay(delay) => tokio::time::sleep(delay).await,
        Do::Pass | Do::HandleAndAnswer(_) | Do::HandleAndCut => {}
    }
    let body = to_bytes(body, usize::MAX).await.expect("a whole request");
    let (status, fields, content) = pass(&shared, method, &target, headers, body).await;
    if let Do::HandleAndAnswer(_) | Do::HandleAndCut = what
        && let Some(then) = shared.then.lock().expect("no panic while held").take()
    {
        then();
    }
    match what {
        Do::HandleAndAnswer(status) => plain(status),
        Do::HandleAndCut => cut(),
        _ => {
            let mut response = Response::new(Body::from(content));
            *response.status_mut() = status;
            *response.headers_mut() = fields;
            response
        }
    }
}

async fn pass(
    shared: &Shared,
    method: Method,
    target: &str,
    mut headers: HeaderMap,
    body: Bytes,
) -> (axum::http::StatusCode, HeaderMap, Bytes) {
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let url = format!("{}{target}", shared.server);
    let request = CLIENT.request(method, url).headers(headers).body(body);
    let response = request.send().await.expect("the server answers");
    let (status, mut fields) = (response.status(), response.headers().clone());
    fields.remove(header::CONTENT_LENGTH);
    fields.remove(header::TRANSFER_ENCODING);
    (status, fields, response.bytes().await.expect("a whole answer"))
}

fn plain(status: u16) -> Response {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(Body::from("so it was told to\n"))
        .expect("an answer")
}

/// Ends the task of the connection, and the connection with it.
fn cut() -> ! {
    std::panic::resume_unwind(Box::new("cut"))
}
