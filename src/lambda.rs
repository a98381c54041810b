//! The function: an invocation becomes a scope, a run and an answer.
//!
//! Connections are made at the first invocation and kept, so that a function that cannot work says
//! so in its answers. Every run starts from what the repository and AWS hold then.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tracing::{Instrument, error, info, info_span, warn};

use crate::aws::{CallError, Source};
use crate::error::described;
use crate::event::{Content, Invocation, Message, Record, scope_of};
use crate::metrics::Metrics;
use crate::repository::GitError;
use crate::scope::{Scope, Selection};
use crate::session::Session;
use crate::settings::SyncSettings;
use crate::summary::Summary;
use crate::sync::{Outcome, Task};

/// What is left of the time limit for the answer, and for what is under way to end.
const RESERVE: Duration = Duration::from_millis(1_500);

/// Serves the Lambda runtime API until the process is ended.
pub fn run() -> ExitCode {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(tracing_subscriber::EnvFilter::new("off,aws_iam_gitops=info"))
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(error = error.to_string(), "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let function = Arc::new(Mutex::new(Function::default()));
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let function = Arc::clone(&function);
        async move { function.lock().await.handle(event).await }
    });
    match runtime.block_on(lambda_runtime::run(handler)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = error.to_string(), "the runtime API failed");
            ExitCode::FAILURE
        }
    }
}

/// What a warm function keeps.
#[derive(Default)]
struct Function {
    session: Option<Session>,
}

/// Why an invocation failed, and whether the same again may succeed.
#[derive(Debug)]
struct Failed {
    is_retryable: bool,
    message: String,
}

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Diagnostic {
        let error_type = match failed.is_retryable {
            true => "AwsIamGitops.Retryable",
            false => "AwsIamGitops.Permanent",
        };
        Diagnostic { error_type: error_type.to_owned(), error_message: failed.message }
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Failed {
        let of_git = error.chain().find_map(|cause| cause.downcast_ref::<GitError>());
        let of_aws = error.chain().find_map(|cause| cause.downcast_ref::<CallError>());
        let is_retryable = of_git.is_some_and(GitError::is_retryable)
            || of_aws.is_some_and(|error| error.reason.is_passing());
        Failed { is_retryable, message: described(&error) }
    }
}

impl Function {
    async fn handle(&mut self, event: LambdaEvent<Value>) -> Result<Value, Failed> {
        let (payload, context) = event.into_parts();
        let span = info_span!("invocation", request_id = context.request_id);
        let mut metrics = Metrics::new(&context.env_config.function_name);
        let answer = self.answer(&payload, &context, &mut metrics).instrument(span.clone()).await;
        metrics.failures = match &answer {
            Ok(answer) => answer["batchItemFailures"].as_array().map_or(0, Vec::len),
            Err(failed) => {
                let _entered = span.enter();
                error!(error = failed.message, retryable = failed.is_retryable, "failed");
                1
            }
        };
        metrics.print(&context.request_id);
        answer
    }

    async fn answer(
        &mut self,
        payload: &Value,
        context: &Context,
        metrics: &mut Metrics,
    ) -> Result<Value, Failed> {
        let started = Instant::now();
        let invocation = Invocation::parse(payload)
            .map_err(|error| Failed { is_retryable: false, message: error.to_string() })?;
        let deadline = deadline(context)?;
        let request = Request::new(&invocation);
        metrics.events = request.records.len();
        metrics.oldest_event = request.oldest;
        let mut task = Task { deadline: Some(deadline), ..Task::default() };
        if !request.records.is_empty() || request.is_full {
            let session = self.session(deadline).await?;
            let Source::Live(live) = &session.source else { unreachable!("a function reads AWS") };
            let (ours, others): (Vec<Record>, Vec<Record>) =
                request.records.iter().cloned().partition(|record| {
                    record.account.as_ref().is_none_or(|id| *id == live.account.id)
                });
            if !others.is_empty() {
                warn!(events = others.len(), "of another account, ignored");
            }
            (task.scope, task.records) = scope_of(ours);
            if request.is_full {
                task.scope = Scope::everything();
            }
        }
        let ids: Vec<&str> =
            task.records.iter().filter_map(|record| record.id.as_deref()).collect();
        info!(
            events = request.records.len(),
            relevant = task.records.len(),
            full = request.is_full,
            event_ids = ids.iter().take(50).copied().collect::<Vec<_>>().join(" "),
            "invoked"
        );
        let outcome = match task.scope.is_empty() {
            true => Outcome::default(),
            false => self.session(deadline).await?.sync(&task).await?,
        };
        metrics.add(&outcome);
        let is_complete = outcome.summary.failures.is_empty();
        metrics.full_exports = usize::from(request.is_full && is_complete);
        log(&outcome, started);
        answer(&invocation, &outcome, request.is_full)
    }

    async fn session(&mut self, deadline: Instant) -> Result<&mut Session, Failed> {
        if self.session.is_none() {
            let settings = SyncSettings::of_function()
                .map_err(|error| Failed::from(anyhow::Error::from(error)))?;
            let connecting = Session::of_function(settings);
            let session = tokio::time::timeout_at(deadline.into(), connecting).await;
            let late = |_| anyhow::Error::from(CallError::out_of_time("sts:GetCallerIdentity"));
            self.session = Some(session.map_err(late)??);
        }
        Ok(self.session.as_mut().expect("it was just made"))
    }
}

/// What all messages of an invocation ask for together.
struct Request {
    records: Vec<Record>,
    is_full: bool,
    oldest: Option<Duration>,
}

impl Request {
    fn new(invocation: &Invocation) -> Request {
        let (contents, sent): (Vec<&Content>, Vec<u64>) = match invocation {
            Invocation::Direct(content) => (vec![content], Vec::new()),
            Invocation::Batch(messages) => (
                messages.iter().filter_map(|message| message.content.as_ref().ok()).collect(),
                messages.iter().filter_map(|message| message.sent_milliseconds).collect(),
            ),
        };
        let records: Vec<Record> = contents
            .iter()
            .flat_map(|content| match content {
                Content::Full => &[][..],
                Content::Records(records) => records,
            })
            .cloned()
            .collect();
        let made = records.iter().filter_map(|record| record.time.as_ref());
        let made = made.filter_map(|time| u64::try_from(time.seconds).ok()?.checked_mul(1_000));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let oldest = sent.into_iter().chain(made).min();
        Request {
            is_full: contents.contains(&&Content::Full),
            oldest: oldest.map(|oldest| now.saturating_sub(Duration::from_millis(oldest))),
            records,
        }
    }
}

/// When the run has to end.
fn deadline(context: &Context) -> Result<Instant, Failed> {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    match left.checked_sub(RESERVE) {
        Some(left) => Ok(Instant::now() + left),
        None => Err(Failed {
            is_retryable: true,
            message: format!(
                "the time limit is {} ms away, and a run needs more; nothing was done",
                left.as_millis()
            ),
        }),
    }
}

/// What Lambda is told: of a batch the messages that are to come again.
fn answer(invocation: &Invocation, outcome: &Outcome, is_full: bool) -> Result<Value, Failed> {
    match invocation {
        Invocation::Batch(messages) => {
            let failed = failed_messages(messages, &outcome.unread);
            let failed: Vec<Value> =
                failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
            if !failed.is_empty() {
                warn!(messages = failed.len(), "handed back");
            }
            Ok(json!({ "batchItemFailures": failed }))
        }
        Invocation::Direct(_) if outcome.summary.failures.is_empty() => Ok(json!({
            "commits": outcome.commits,
            "full": is_full,
            "summary": outcome.summary,
        })),
        Invocation::Direct(_) => Err(unfinished(&outcome.summary, outcome)),
    }
}

fn unfinished(summary: &Summary, outcome: &Outcome) -> Failed {
    let errors: Vec<&str> =
        summary.failures.iter().take(5).map(|failure| failure.error.as_str()).collect();
    let commits = match outcome.commits.as_slice() {
        [] => "nothing was committed".to_owned(),
        commits => format!("what could be read is committed as {}", commits.join(", ")),
    };
    Failed {
        is_retryable: summary.failures.iter().any(|failure| failure.is_passing),
        message: format!("{}; {commits}", errors.join("; ")),
    }
}

/// The messages that were not understood, and those whose entities could not be read. What could
/// not be read and no message names belongs to some of them, so all come again.
fn failed_messages<'a>(messages: &'a [Message], unread: &Scope) -> Vec<&'a str> {
    let scopes: Vec<Option<Scope>> = messages
        .iter()
        .map(|message| match &message.content {
            Ok(Content::Full) => Some(Scope::everything()),
            Ok(Content::Records(records)) => Some(scope_of(records.clone()).0),
            Err(error) => {
                error!(message_id = message.id, error = error.to_string(), "not understood");
                None
            }
        })
        .collect();
    let named = |kind: &str, key: &str| {
        scopes.iter().flatten().any(|scope| match scope.of(kind) {
            Some(Selection::All) => true,
            Some(Selection::Named(keys)) => keys.contains(key),
            None => false,
        })
    };
    let is_of_nobody = unread.named().any(|(kind, key)| !named(kind.plural, key));
    let is_unread = |scope: &Scope| {
        !scope.is_empty() && !unread.is_empty() && (is_of_nobody || scope.meets(unread))
    };
    let failed = messages.iter().zip(&scopes).filter(|(_, scope)| match scope {
        None => true,
        Some(scope) => is_unread(scope),
    });
    failed.map(|(message, _)| message.id.as_str()).collect()
}

fn log(outcome: &Outcome, started: Instant) {
    for failure in &outcome.summary.failures {
        error!(error = failure.error, hint = failure.hint, "not read");
    }
    for note in &outcome.summary.notes {
        warn!(note, "note");
    }
    let count = |of: fn(&crate::summary::KindSummary) -> usize| {
        outcome.summary.kinds.iter().map(of).sum::<usize>()
    };
    info!(
        commits = outcome.commits.join(" "),
        written = count(|kind| kind.written.len()),
        removed = count(|kind| kind.removed.len()),
        unchanged = count(|kind| kind.unchanged),
        ignored = count(|kind| kind.ignored),
        conflicts = count(|kind| kind.conflicting.len()),
        calls = outcome.summary.calls,
        retries = outcome.retries,
        duration_ms = started.elapsed().as_millis() as u64,
        "done"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, body: &Value) -> Value {
        json!({ "messageId": id, "eventSource": "aws:sqs", "body": body.to_string() })
    }

    fn attach(role: &str) -> Value {
        json!({
            "eventSource": "iam.amazonaws.com", "eventName": "AttachRolePolicy", "eventID": role,
            "requestParameters": { "roleName": role },
        })
    }

    fn batch() -> Vec<Message> {
        let mut broken = message("broken", &json!(null));
        broken["body"] = json!("{");
        let records = json!({ "Records": [
            message("a", &attach("a")),
            message("b", &attach("b")),
            message("read", &json!({
                "eventSource": "iam.amazonaws.com", "eventName": "GetRole", "readOnly": true,
            })),
            broken,
        ] });
        match Invocation::parse(&records).unwrap() {
            Invocation::Batch(messages) => messages,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_failed_comes_back() {
        let mut unread = Scope::default();
        assert_eq!(failed_messages(&batch(), &unread), ["broken"]);
        unread.add("roles", "b");
        assert_eq!(failed_messages(&batch(), &unread), ["b", "broken"]);
    }

    #[test]
    fn what_no_message_names_brings_all_back() {
        let mut unread = Scope::default();
        unread.add("policies", "arn:aws:iam::111122223333:policy/x");
        assert_eq!(failed_messages(&batch(), &unread), ["a", "b", "broken"]);
    }

    #[test]
    fn errors_have_a_stable_type() {
        let typed = |is_retryable| {
            let failed = Failed { is_retryable, message: String::new() };
            Diagnostic::from(failed).error_type
        };
        assert_eq!(typed(true), "AwsIamGitops.Retryable");
        assert_eq!(typed(false), "AwsIamGitops.Permanent");
    }
}
