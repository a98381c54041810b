//! The AWS Lambda Runtime API, as far as a runtime asks, and the real program as a function on it.
//!
//! A [`Function`] is one execution environment: a process with a Runtime API of its own, which it
//! asks for one invocation after the other. What Lambda does around it is done here: a function
//! that is not done at its deadline is killed, one that dies has failed the invocation.
//! [`eventbridge`], [`sqs_batch`] and [`scheduled`] are the payloads of what invokes functions.

use std::fs::{self, File};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::http_server::HttpServer;

pub const FUNCTION_NAME: &str = "aws-iam-gitops";
const INVOKED_FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:aws-iam-gitops";
/// The most that Lambda gives a function.
const MOST_TIME: Duration = Duration::from_secs(15 * 60);
/// How often a process is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(5);

/// What an invocation came to, and what the function wrote since the one before.
#[derive(Debug)]
pub struct Outcome {
    pub answer: Answer,
    pub stdout: String,
    pub stderr: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Response(Value),
    Error(FunctionError),
    /// The program could not start: it said so, and ended.
    InitError(FunctionError),
    /// The process ended without an answer.
    Died(ExitStatus),
    /// The process was killed at the deadline.
    TimedOut,
}

/// An error as a function reports it to Lambda.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    pub error_type: String,
    pub error_message: String,
}

impl Outcome {
    /// The response; anything else fails the test.
    #[track_caller]
    pub fn succeeded(self) -> Value {
        match self.answer {
            Answer::Response(ref response) => response.clone(),
            _ => panic!("the invocation failed: {self:#?}"),
        }
    }

    /// The error; anything else fails the test.
    #[track_caller]
    pub fn failed(self) -> FunctionError {
        match self.answer {
            Answer::Error(ref error) => error.clone(),
            _ => panic!("the invocation did not answer with an error: {self:#?}"),
        }
    }

    /// Everything the function wrote, as CloudWatch Logs has it.
    pub fn log(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// One invocation. [`Function::invoke`] makes one of a payload alone.
#[derive(Clone, Debug)]
pub struct Invocation {
    payload: Value,
    request_id: Option<String>,
    time: Duration,
}

impl Invocation {
    pub fn new(payload: &Value) -> Invocation {
        Invocation { payload: payload.clone(), request_id: None, time: MOST_TIME }
    }

    pub fn request_id(self, id: &str) -> Invocation {
        Invocation { request_id: Some(id.to_owned()), ..self }
    }

    /// How long the function has; 15 minutes if not said.
    pub fn time(self, time: Duration) -> Invocation {
        Invocation { time, ..self }
    }
}

impl From<&Value> for Invocation {
    fn from(payload: &Value) -> Invocation {
        Invocation::new(payload)
    }
}

/// A process that serves invocations; it ends with the value.
pub struct Function {
    child: Mutex<Child>,
    pid: u32,
    started: Instant,
    shared: Arc<Shared>,
    /// What was sent and not waited for yet; and the answers.
    waiting: Mutex<Vec<Sent>>,
    answers: Mutex<Receiver<(String, Answer)>>,
    invocations: tokio::sync::mpsc::UnboundedSender<Next>,
    log: Mutex<Log>,
    /// Ends with the value.
    server: HttpServer,
}

struct Sent {
    id: String,
    deadline: Instant,
}

/// An invocation as the runtime is told of it.
struct Next {
    id: String,
    time: Duration,
    body: String,
}

struct Shared {
    invocations: tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<Next>>,
    answers: Mutex<Sender<(String, Answer)>>,
    first_next: OnceLock<Instant>,
    init_error: OnceLock<FunctionError>,
}

/// The process writes to files: what it wrote before its answer is there when the answer is.
struct Log {
    folder: tempfile::TempDir,
    seen: [usize; 2],
}

impl Log {
    fn content(&self, name: &str) -> String {
        let bytes = fs::read(self.folder.path().join(name)).expect("the log file");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What was written since this was last asked.
    fn news(&mut self) -> [String; 2] {
        let mut number = 0;
        ["stdout", "stderr"].map(|name| {
            let content = self.content(name);
            let news = content[self.seen[number]..].to_owned();
            self.seen[number] = content.len();
            number += 1;
            news
        })
    }
}

impl Function {
    /// Starts the program without arguments, with this environment and what Lambda adds.
    pub fn start(environment: &[(&str, String)]) -> Function {
        Function::of(Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops")), environment)
    }

    /// Starts any program that speaks with the Runtime API.
    pub fn of(mut program: Command, environment: &[(&str, String)]) -> Function {
        let (invocations, received) = tokio::sync::mpsc::unbounded_channel();
        let (answered, answers) = channel();
        let shared = Arc::new(Shared {
            invocations: tokio::sync::Mutex::new(received),
            answers: Mutex::new(answered),
            first_next: OnceLock::new(),
            init_error: OnceLock::new(),
        });
        let server = serve(Arc::clone(&shared));
        let folder = tempfile::tempdir().expect("a folder for the log");
        let file = |name| File::create(folder.path().join(name)).expect("a log file");
        program
            .env_clear()
            .env("AWS_REGION", "us-east-1")
            .env("AWS_LAMBDA_RUNTIME_API", server.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", FUNCTION_NAME)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{FUNCTION_NAME}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/22/[$LATEST]0123456789abcdef")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let started = Instant::now();
        let child = program.spawn().expect("the program starts");
        Function {
            pid: child.id(),
            child: Mutex::new(child),
            started,
            shared,
            waiting: Mutex::default(),
            answers: Mutex::new(answers),
            invocations,
            log: Mutex::new(Log { folder, seen: [0, 0] }),
            server,
        }
    }

    /// Invokes it and waits for what comes of it.
    pub fn invoke(&self, invocation: impl Into<Invocation>) -> Outcome {
        self.send(invocation);
        self.outcome()
    }

    /// Invokes it; [`Function::outcome`] waits for what comes of it.
    pub fn send(&self, invocation: impl Into<Invocation>) {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let Invocation { payload, request_id, time } = invocation.into();
        let id = request_id.unwrap_or_else(|| {
            format!("6bc28136-4f3c-41a4-9b1c-{:012x}", COUNT.fetch_add(1, Ordering::Relaxed))
        });
        let sent = Sent { id: id.clone(), deadline: Instant::now() + time };
        self.waiting.lock().expect("no panic while held").push(sent);
        let next = Next { id, time, body: payload.to_string() };
        self.invocations.send(next).expect("the Runtime API serves");
    }

    /// Waits for what comes of the oldest invocation that was sent.
    #[track_caller]
    pub fn outcome(&self) -> Outcome {
        let sent = self.waiting.lock().expect("no panic while held").remove(0);
        let answer = self.answer(&sent);
        let [stdout, stderr] = self.log.lock().expect("no panic while held").news();
        Outcome { answer, stdout, stderr }
    }

    fn answer(&self, sent: &Sent) -> Answer {
        let answers = self.answers.lock().expect("no panic while held");
        loop {
            let exited = self.exit_status();
            match answers.recv_timeout(POLL) {
                Ok((id, answer)) => {
                    assert_eq!(id, sent.id, "the answer is to the invocation");
                    return answer;
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the server holds a sender"),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(status) = exited {
                let error = self.init_error();
                return error.map_or(Answer::Died(status), Answer::InitError);
            }
            if Instant::now() >= sent.deadline {
                self.kill();
                return Answer::TimedOut;
            }
        }
    }

    /// Kills the process, as the machine below it may do at any moment.
    pub fn kill(&self) {
        let mut child = self.child.lock().expect("no panic while held");
        let _ = child.kill();
        let _ = child.wait();
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn is_alive(&self) -> bool {
        self.exit_status().is_none()
    }

    fn exit_status(&self) -> Option<ExitStatus> {
        self.child.lock().expect("no panic while held").try_wait().expect("the process is ours")
    }

    /// Waits until it asks for its first invocation: how long that took from its start.
    #[track_caller]
    pub fn start_time(&self) -> Duration {
        loop {
            if let Some(first) = self.shared.first_next.get() {
                return first.duration_since(self.started);
            }
            assert!(self.is_alive(), "it ended before it asked for an invocation:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What it said was wrong before its first invocation.
    pub fn init_error(&self) -> Option<FunctionError> {
        self.shared.init_error.get().cloned()
    }

    /// Everything it wrote so far.
    pub fn log(&self) -> String {
        let log = self.log.lock().expect("no panic while held");
        log.content("stdout") + &log.content("stderr")
    }

    /// The most memory it ever had, in bytes; it must be alive.
    #[track_caller]
    pub fn peak_memory(&self) -> u64 {
        let status = self.proc_file("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()).expect("VmHWM");
        kibibytes.parse::<u64>().expect("a number") * 1024
    }

    /// The CPU time that it used so far; it must be alive.
    #[track_caller]
    pub fn cpu_time(&self) -> Duration {
        let stat = self.proc_file("stat");
        // The program's name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // utime and stime are the 14th and 15th field, in hundredths of a second.
        let ticks: u64 =
            fields[11..=12].iter().map(|text| text.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// The CPU time of its threads that still run, exactly.
    pub fn exact_cpu_time(pid: u32) -> Duration {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
        let nanoseconds = |thread: fs::DirEntry| {
            let schedule = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            schedule.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        Duration::from_nanos(threads.flatten().map(nanoseconds).sum())
    }

    #[track_caller]
    fn proc_file(&self, name: &str) -> String {
        assert!(self.is_alive(), "the process has ended:\n{}", self.log());
        fs::read_to_string(format!("/proc/{}/{name}", self.pid)).expect("Linux tells of a process")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.kill();
    }
}

// --- the Runtime API -------------------------------------------------------

fn serve(shared: Arc<Shared>) -> HttpServer {
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(shared);
    HttpServer::start(router)
}

/// Answers when there is an invocation, however long that takes.
async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.first_next.get_or_init(Instant::now);
    let Some(next) = shared.invocations.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", next.id),
        ("lambda-runtime-deadline-ms", (since_1970 + next.time).as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", INVOKED_FUNCTION_ARN.to_owned()),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
    ];
    (headers, next.body).into_response()
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let response = serde_json::from_slice(&body).expect("a response in JSON");
    accept(&shared, id, Answer::Response(response))
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    accept(&shared, id, Answer::Error(function_error(&headers, &body)))
}

async fn init_error(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let _ = shared.init_error.set(function_error(&headers, &body));
    accepted()
}

fn function_error(headers: &HeaderMap, body: &[u8]) -> FunctionError {
    serde_json::from_slice(body).unwrap_or_else(|_| FunctionError {
        error_type: headers
            .get("lambda-runtime-function-error-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        error_message: String::from_utf8_lossy(body).into_owned(),
    })
}

fn accept(shared: &Shared, id: String, answer: Answer) -> Response {
    let answers = shared.answers.lock().expect("no panic while held");
    // Nobody waits any more when the test has ended.
    let _ = answers.send((id, answer));
    accepted()
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, axum::Json(json!({"status": "OK"}))).into_response()
}

// --- payloads --------------------------------------------------------------

/// What EventBridge makes of a CloudTrail record.
pub fn eventbridge(record: &Value) -> Value {
    let text = |name: &str| record[name].as_str().unwrap_or_default();
    let source = text("eventSource").split('.').next().unwrap_or_default();
    json!({
        "version": "0",
        // EventBridge gives an ID of its own.
        "id": text("requestID"),
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{source}"),
        "account": record["recipientAccountId"],
        "time": record["eventTime"],
        "region": "us-east-1",
        "resources": [],
        "detail": record,
    })
}

/// What a queue invokes a function with: message IDs, and what EventBridge put into the messages.
pub fn sqs_batch(messages: &[(String, Value)]) -> Value {
    let records = messages.iter().map(|(id, body)| {
        json!({
            "messageId": id,
            "receiptHandle": format!("receipt of {id}"),
            "body": body.to_string(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1795342500000",
                "SenderId": "AIDAJXNJGGKNS7OSV23OI",
                "ApproximateFirstReceiveTimestamp": "1795342500010",
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:aws-iam-gitops",
            "awsRegion": "us-east-1",
        })
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// What a schedule of EventBridge invokes a function with.
pub fn scheduled() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-22T11:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/aws-iam-gitops"],
        "detail": {},
    })
}
