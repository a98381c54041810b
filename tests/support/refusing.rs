//! What stands before the emulator and refuses operations as AWS does.

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;

use super::http_server::HttpServer;

/// A port of this machine that leads to the emulator; it ends with the value.
pub struct Refusing {
    pub endpoint: String,
    shared: Arc<Shared>,
    /// Ends with the value.
    _server: HttpServer,
}

struct Shared {
    emulator: String,
    client: reqwest::Client,
    /// `ListRoles`.
    refused: Mutex<Option<String>>,
    /// Operations refused so far.
    count: Mutex<usize>,
}

impl Refusing {
    pub fn start(emulator: &str) -> Refusing {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        let shared = Arc::new(Shared {
            emulator: emulator.to_owned(),
            client: client.build().expect("a client"),
            refused: Mutex::default(),
            count: Mutex::default(),
        });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = HttpServer::start(router);
        Refusing { endpoint: server.url(), shared, _server: server }
    }

    /// From now on this operation is refused, and no other.
    pub fn refuse(&self, operation: &str) {
        *self.shared.refused.lock().expect("no panic while held") = Some(operation.to_owned());
        *self.shared.count.lock().expect("no panic while held") = 0;
    }

    /// How often something was refused since.
    pub fn count(&self) -> usize {
        *self.shared.count.lock().expect("no panic while held")
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = match target {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        None => String::from_utf8_lossy(&body)
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="))
            .unwrap_or_default()
            .to_owned(),
    };
    let is_refused =
        shared.refused.lock().expect("no panic while held").as_deref() == Some(&operation);
    if is_refused {
        *shared.count.lock().expect("no panic while held") += 1;
        return refusal(target.is_some(), &operation);
    }
    let mut passed = headers;
    passed.remove(header::HOST);
    passed.remove(header::CONTENT_LENGTH);
    let request = shared.client.post(&shared.emulator).headers(passed).body(body);
    let answer = request.send().await.expect("the emulator answers");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    *response.body_mut() = Body::from(answer.bytes().await.expect("a whole answer"));
    response
}

fn refusal(is_json: bool, operation: &str) -> Response {
    let message = format!("You are not allowed to perform {operation}");
    let (status, kind, text) = match is_json {
        true => (
            400,
            "application/x-amz-json-1.1",
            format!(r#"{{"__type":"AccessDeniedException","Message":"{message}"}}"#),
        ),
        false => (
            403,
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                 <Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            ),
        ),
    };
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, kind);
    response.body(Body::from(text)).expect("an answer")
}
