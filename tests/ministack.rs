//! The whole way of an event: a queue, its mapping to the function, the program as `bootstrap` of a
//! Lambda function, a commit on a Git server; and a message that cannot be handled ends where
//! somebody sees it.
//!
//! The queue and Lambda are ministack's, what the function reads is a fake AWS.

mod support;

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake_aws::{ACCOUNT, FakeAws, World};
use support::git_server::GitServer;
use support::python::{ministacks_python, python};
use support::runtime_api::eventbridge;

const PATIENCE: Duration = Duration::from_secs(120);

/// Emulated queues and functions; they end with the value.
struct Ministack {
    process: Child,
    endpoint: String,
    folder: tempfile::TempDir,
}

impl Ministack {
    fn start() -> Ministack {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut process = Command::new(ministacks_python().with_file_name("ministack"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", address.port().to_string())
            .env("SERVICES", "lambda,sqs,iam,sts,logs")
            .stdout(Stdio::from(log.try_clone().expect("a log")))
            .stderr(Stdio::from(log))
            .process_group(0)
            .spawn()
            .expect("ministack starts");
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            let is_alive = process.try_wait().expect("the process is ours").is_none();
            assert!(is_alive && started.elapsed() < PATIENCE, "ministack does not serve");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ministack { process, endpoint: format!("http://{address}"), folder }
    }

    /// Runs Python with clients `queues` and `functions`; what it prints is JSON.
    #[track_caller]
    fn call(&self, code: &str, argument: &Value) -> Value {
        let clients = "import boto3, json, sys\n\
                       queues, functions = boto3.client('sqs'), boto3.client('lambda')\n\
                       argument = json.loads(sys.argv[1])\n";
        let output = Command::new(python())
            .args(["-c", &format!("{clients}{code}"), &argument.to_string()])
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .expect("Python runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{}", self.log());
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        // The functions are of its process group.
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}

/// The program as Lambda wants it: a zip with `bootstrap`, without what is for debuggers. It is the
/// one that `AWS_IAM_GITOPS_BOOTSTRAP` names, such as an image's.
fn package(folder: &Path) -> PathBuf {
    let (bootstrap, zip) = (folder.join("bootstrap"), folder.join("function.zip"));
    let program = std::env::var_os("AWS_IAM_GITOPS_BOOTSTRAP")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_aws-iam-gitops").into());
    let stripped = Command::new("strip")
        .arg("-o")
        .arg(&bootstrap)
        .arg(program)
        .status()
        .expect("this test needs the program `strip`");
    assert!(stripped.success());
    let code = "import sys, zipfile\n\
                with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as zip:\n\
                \x20   zip.write(sys.argv[2], 'bootstrap')\n";
    let zipped = Command::new(python())
        .args(["-c", code])
        .arg(&zip)
        .arg(&bootstrap)
        .status()
        .expect("Python");
    assert!(zipped.success());
    zip
}

const SET_UP: &str = r#"
def queue(name, **attributes):
    url = queues.create_queue(QueueName=name, Attributes=attributes)['QueueUrl']
    told = queues.get_queue_attributes(QueueUrl=url, AttributeNames=['QueueArn'])
    return url, told['Attributes']['QueueArn']

dead, dead_arn = queue('events-dead')
redrive = json.dumps({'deadLetterTargetArn': dead_arn, 'maxReceiveCount': 3})
events, events_arn = queue('events', VisibilityTimeout='6', RedrivePolicy=redrive)
for body in argument['bodies']:
    queues.send_message(QueueUrl=events, MessageBody=body)
functions.create_function(
    FunctionName='aws-iam-gitops', Runtime='provided.al2023', Handler='bootstrap', Timeout=6,
    MemorySize=256, Role='arn:aws:iam::000000000000:role/aws-iam-gitops',
    Code={'ZipFile': open(argument['zip'], 'rb').read()},
    Environment={'Variables': argument['environment']},
)
functions.create_event_source_mapping(
    EventSourceArn=events_arn, FunctionName='aws-iam-gitops', BatchSize=10,
    FunctionResponseTypes=['ReportBatchItemFailures'],
)
print(json.dumps({'events': events, 'dead': dead}))
"#;

/// The bodies in the dead-letter queue, and how many messages the other one still has.
const LOOK: &str = r#"
dead = queues.receive_message(QueueUrl=argument['dead'], MaxNumberOfMessages=10, VisibilityTimeout=0)
names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible']
left = queues.get_queue_attributes(QueueUrl=argument['events'], AttributeNames=names)['Attributes']
print(json.dumps({
    'dead': [message['Body'] for message in dead.get('Messages', [])],
    'left': sum(int(left[name]) for name in names),
}))
"#;

#[test]
fn an_event_becomes_a_commit_and_a_poison_message_ends_in_the_dead_letter_queue() {
    let mut world = World::small();
    world.secrets.insert("git/token".to_owned(), "the-token".to_owned());
    let aws = FakeAws::start(world);
    let server = GitServer::start();
    let repository = server.repository("iam");
    server.ask_for(Some(("x-access-token", "the-token")));
    let ministack = Ministack::start();
    let folder = tempfile::tempdir().expect("a folder");
    let record = json!({
        "eventSource": "iam.amazonaws.com", "eventName": "TagRole", "readOnly": false,
        "eventTime": "2026-11-22T10:15:00Z", "eventID": "6f0e0000-0000-4000-8000-000000000000",
        "recipientAccountId": ACCOUNT, "requestParameters": {"roleName": "deploy"},
        "userIdentity": {"type": "IAMUser", "userName": "dave", "accountId": ACCOUNT},
    });
    let poison = "{\"hello\": \"world\"}";
    let addresses = ministack.call(
        SET_UP,
        &json!({
            "bodies": [poison, eventbridge(&record).to_string()],
            "zip": package(folder.path()),
            "environment": {
                "AWS_ENDPOINT_URL": aws.endpoint,
                "AWS_IAM_GITOPS_REPOSITORY": server.url_of("iam"),
                "AWS_IAM_GITOPS_TOKEN_SECRET": "git/token",
                "AWS_IAM_GITOPS_CLONE": folder.path().join("clone"),
                "AWS_IAM_GITOPS_LEASE": "0",
            },
        }),
    );
    let started = Instant::now();
    let seen = loop {
        let seen = ministack.call(LOOK, &addresses);
        if seen["left"] == 0 && repository.head("main").is_some() {
            break seen;
        }
        assert!(started.elapsed() < PATIENCE, "{seen}\n{}", ministack.log());
        std::thread::sleep(Duration::from_millis(500));
    };
    assert_eq!(seen["dead"], json!([poison]), "{}", ministack.log());
    assert_eq!(repository.log("main"), ["iam: TagRole on role deploy"], "{}", ministack.log());
    let files = repository.files("main");
    assert!(files.contains(&"roles/deploy.json".to_owned()), "{files:?}");
    assert!(!files.contains(&"roles/audit.json".to_owned()), "only what the event names is read");
}
