//! A real Git server over HTTP: Git's own `http-backend` behind a server that can go wrong.
//!
//! It holds any number of bare repositories, asks for a login, tells what it was asked, and does
//! what [`Fault`]s say. Hooks are files in the repositories.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;

use super::http_server::HttpServer;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum How {
    /// Answers with this status and a line of text instead.
    Status(u16),
    /// Answers with this status and text.
    Text(u16, String),
    /// Handles the request and ends the connection after so many bytes of the answer.
    CutAnswer(usize),
    /// Ends the connection in the middle of the request, which has no effect.
    CutRequest,
    /// Handles the request so much later.
    Delay(Duration),
    /// Redirects to the same path and query at another place, such as `http://host:port`.
    Redirect(String),
}

/// One thing that goes wrong, for as many requests as it says.
#[derive(Clone, Debug)]
pub struct Fault {
    about: &'static str,
    how: How,
    skip: usize,
    left: usize,
}

impl Fault {
    /// For every request whose method, path and query hold this text, such as
    /// `POST /a.git/git-receive-pack`, `service=git-upload-pack` or the empty one.
    pub fn all(about: &'static str, how: How) -> Fault {
        Fault { about, how, skip: 0, left: usize::MAX }
    }

    /// For the next such request alone.
    pub fn once(about: &'static str, how: How) -> Fault {
        Fault { left: 1, ..Fault::all(about, how) }
    }

    /// For one such request, after so many that go well.
    pub fn after(skip: usize, about: &'static str, how: How) -> Fault {
        Fault { skip, ..Fault::once(about, how) }
    }
}

/// A request as it was answered; bytes are those of the bodies.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    pub authorization: Option<String>,
    pub status: u16,
    pub received: usize,
    pub sent: usize,
}

/// Something to do before a push is handled.
type Before = Box<dyn FnMut() + Send>;

/// A server on a port of this machine; it ends with the value.
pub struct GitServer {
    /// `http://127.0.0.1:…`, without a slash at its end.
    pub url: String,
    shared: Arc<Shared>,
    /// Ends with the value.
    server: HttpServer,
}

struct Shared {
    folder: tempfile::TempDir,
    state: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    authorization: Option<String>,
    faults: Vec<Fault>,
    requests: Vec<Request>,
    before_push: Option<(Before, usize)>,
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().expect("no panic while held")
    }
}

impl GitServer {
    pub fn start() -> GitServer {
        let folder = tempfile::tempdir().expect("a folder");
        let shared = Arc::new(Shared { folder, state: Mutex::default() });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = HttpServer::start(router);
        let url = server.url();
        GitServer { url, shared, server }
    }

    /// Makes an empty bare repository `NAME.git`, and returns its folder.
    pub fn repository(&self, name: &str) -> Bare {
        let path = self.shared.folder.path().join(format!("{name}.git"));
        Bare::init(&path)
    }

    /// The URL of a repository.
    pub fn url_of(&self, name: &str) -> String {
        format!("{}/{name}.git", self.url)
    }

    /// Asks for this login from now on; none: for no login.
    pub fn ask_for(&self, login: Option<(&str, &str)>) {
        self.shared.inner().authorization = login.map(|(name, password)| basic(name, password));
    }

    /// What goes wrong from now on.
    pub fn faults(&self, faults: Vec<Fault>) {
        self.shared.inner().faults = faults;
    }

    /// Calls this before each of the next so many pushes is handled.
    pub fn before_pushes(&self, count: usize, before: impl FnMut() + Send + 'static) {
        self.shared.inner().before_push = Some((Box::new(before), count));
    }

    /// Requests since this was last asked.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.inner().requests)
    }
}

/// The header of basic authentication.
pub fn basic(name: &str, password: &str) -> String {
    // One for all: a client reads the system's certificates.
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);
    let request = CLIENT.get("http://localhost").basic_auth(name, Some(password));
    let request = request.build().expect("a request");
    request.headers()[header::AUTHORIZATION.as_str()].to_str().expect("ASCII").to_owned()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let target = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let is_push = method == Method::POST && target.ends_with("/git-receive-pack");
    let given = text(&headers, header::AUTHORIZATION);
    let (how, is_welcome) = {
        let mut inner = shared.inner();
        let how = take_fault(&mut inner.faults, &format!("{method} {target}"));
        (how, inner.authorization.is_none() || inner.authorization.as_deref() == Some(&given))
    };
    let log = {
        let shared = Arc::clone(&shared);
        let authorization = (!given.is_empty()).then(|| given.clone());
        let (method, path) = (method.to_string(), target.clone());
        move |status: u16, received: usize, sent: usize| {
            let request = Request { method, path, authorization, status, received, sent };
            shared.inner().requests.push(request);
        }
    };
    match how.clone() {
        Some(How::Status(status)) => {
            log(status, 0, 0);
            return plain(status, "so it was told to");
        }
        Some(How::Text(status, text)) => {
            log(status, 0, 0);
            return plain(status, &text);
        }
        Some(How::Redirect(place)) => {
            log(301, 0, 0);
            return Response::builder()
                .status(301)
                .header(header::LOCATION, format!("{place}{target}"))
                .body(Body::empty())
                .expect("an answer");
        }
        Some(How::CutRequest) => {
            let mut stream = body.into_data_stream();
            let received = futures::StreamExt::next(&mut stream).await;
            log(0, received.and_then(Result::ok).map_or(0, |bytes| bytes.len()), 0);
            // Ends the task of the connection, and the connection with it.
            std::panic::resume_unwind(Box::new("cut"));
        }
        Some(How::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(How::CutAnswer(_)) | None => {}
    }
    if !is_welcome {
        log(401, 0, 0);
        let mut refusal = plain(401, "no such login");
        let challenge = header::HeaderValue::from_static("Basic realm=\"git\"");
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return refusal;
    }
    let Ok(request) = axum::body::to_bytes(body, usize::MAX).await else {
        log(0, 0, 0);
        return plain(400, "the request ends early");
    };
    let received = request.len();
    let worker = {
        let shared = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || {
            if is_push {
                call_before_push(&shared);
            }
            backend(shared.folder.path(), &method, &uri, &headers, &request)
        })
    };
    let (status, fields, content) = worker.await.expect("the backend runs");
    match how {
        Some(How::CutAnswer(length)) => {
            let length = length.min(content.len());
            log(status, received, length);
            let mut answer = cut(content, length);
            answer.headers_mut().extend(fields);
            answer
        }
        _ => {
            log(status, received, content.len());
            let mut answer = Response::new(Body::from(content));
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            answer.headers_mut().extend(fields);
            answer
        }
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn plain(status: u16, text: &str) -> Response {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(Body::from(format!("{text}\n")))
        .expect("an answer")
}

/// An answer that ends, with its connection, before it is complete.
fn cut(content: Vec<u8>, length: usize) -> Response {
    let start: Result<Bytes, std::io::Error> = Ok(Bytes::copy_from_slice(&content[..length]));
    let end = Err(std::io::Error::other("cut"));
    let stream = futures::stream::iter([start, end]);
    // What was sent has left before the connection ends.
    let stream = futures::StreamExt::then(stream, |part| async {
        if part.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        part
    });
    Response::new(Body::from_stream(stream))
}

fn take_fault(faults: &mut [Fault], request: &str) -> Option<How> {
    let fault = faults.iter_mut().find(|fault| fault.left > 0 && request.contains(fault.about))?;
    if fault.skip > 0 {
        fault.skip -= 1;
        return None;
    }
    fault.left -= 1;
    Some(fault.how.clone())
}

/// Not held while it runs: it may push to this server itself.
fn call_before_push(shared: &Shared) {
    let Some((mut before, count)) = shared.inner().before_push.take() else { return };
    before();
    if count > 1 {
        shared.inner().before_push.get_or_insert((before, count - 1));
    }
}

/// Runs `git http-backend` as CGI wants it.
fn backend(
    root: &Path,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    request: &[u8],
) -> (u16, HeaderMap, Vec<u8>) {
    let mut child = git_command()
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", text(headers, header::CONTENT_TYPE))
        .env("CONTENT_LENGTH", request.len().to_string())
        .env("REMOTE_USER", "tester")
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("`git http-backend` runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut output = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(request);
        });
        let stdout = child.stdout.as_mut().expect("a pipe");
        stdout.read_to_end(&mut output).expect("the answer is read");
    });
    child.wait().expect("the backend ends");
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(output.len());
    let (mut status, mut fields) = (200, HeaderMap::new());
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name.eq_ignore_ascii_case("status") {
            status = value[..3].parse().expect("a status");
        } else {
            let name: header::HeaderName = name.parse().expect("the name of a header");
            fields.insert(name, value.parse().expect("a header"));
        }
    }
    (status, fields, output.split_off((end + 4).min(output.len())))
}

/// Git as it is where nobody has configured it.
fn git_command() -> Command {
    let mut command = Command::new("git");
    let is_gits = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("GIT_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_gits(name)) {
        command.env_remove(name);
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "A Person")))
        .envs(
            ["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "person@example.com")),
        );
    command
}

/// Runs Git in a folder and returns what it prints; anything but success fails the test.
#[track_caller]
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    git_with_input(folder, arguments, b"")
}

#[track_caller]
fn git_with_input(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut child = git_command()
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`git` is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("git ends")
    });
    assert!(
        output.status.success(),
        "`git {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A bare repository on this machine, as it is on a server.
#[derive(Clone, Debug)]
pub struct Bare {
    pub path: PathBuf,
}

impl Bare {
    pub fn init(path: &Path) -> Bare {
        std::fs::create_dir_all(path).expect("a folder");
        git(path, &["init", "--quiet", "--bare", "--initial-branch=main"]);
        git(path, &["config", "http.receivepack", "true"]);
        Bare { path: path.to_owned() }
    }

    /// The commit at the head of a branch.
    pub fn head(&self, branch: &str) -> Option<String> {
        let reference = format!("refs/heads/{branch}");
        let found = git(&self.path, &["for-each-ref", "--format=%(objectname)", &reference]);
        found.lines().next().map(str::to_owned)
    }

    /// All paths of a commit or branch.
    pub fn files(&self, commit: &str) -> Vec<String> {
        let found = git(&self.path, &["ls-tree", "-r", "-z", "--name-only", commit]);
        found.split_terminator('\0').map(str::to_owned).collect()
    }

    pub fn content(&self, commit: &str, path: &str) -> String {
        git(&self.path, &["cat-file", "blob", &format!("{commit}:{path}")])
    }

    /// The subjects of a branch's commits, newest first.
    pub fn log(&self, branch: &str) -> Vec<String> {
        let found = git(&self.path, &["log", "--format=%s", branch, "--"]);
        found.lines().map(str::to_owned).collect()
    }

    /// Commits as a person does, with files written or, without content, removed.
    #[track_caller]
    pub fn commit(&self, branch: &str, files: &[(&str, Option<&str>)], subject: &str) -> String {
        let mut stream = format!(
            "commit refs/heads/{branch}\ncommitter A Person <person@example.com> 1700000000 +0000\n\
             data {}\n{subject}\n",
            subject.len()
        );
        if let Some(head) = self.head(branch) {
            stream.push_str(&format!("from {head}\n"));
        }
        for (path, content) in files {
            match content {
                Some(content) => stream.push_str(&format!(
                    "M 100644 inline \"{path}\"\ndata {}\n{content}\n",
                    content.len()
                )),
                None => stream.push_str(&format!("D \"{path}\"\n")),
            }
        }
        self.import(&stream);
        self.head(branch).expect("the commit is there")
    }

    /// Makes commits of a stream for `git fast-import`.
    #[track_caller]
    pub fn import(&self, stream: &str) {
        git_with_input(&self.path, &["fast-import", "--quiet", "--force"], stream.as_bytes());
    }

    /// Installs a hook: a shell script.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path.join("hooks").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("write the hook");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, executable).expect("make it executable");
    }

    /// Fails the test unless every object is whole.
    #[track_caller]
    pub fn check(&self) {
        git(&self.path, &["fsck", "--full", "--strict"]);
    }
}
