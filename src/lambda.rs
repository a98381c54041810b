//! The function: an invocation becomes a scope, a run and an answer.
//!
//! Connections are made at the first invocation and kept, so that a function that cannot work says
//! so in its answers. Every run starts from what the repository and AWS hold then.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tracing::{Instrument, error, info, info_span, warn};

use crate::aws::{CallError, Found};
use crate::error::described;
use crate::event::{Content, Invocation, Message, Record};
use crate::invisible::visible;
use crate::metrics::Metrics;
use crate::repository::GitError;
use crate::scope::{Scope, Selection};
use crate::session::{Outcomes, STACK, Session};
use crate::settings::SyncSettings;
use crate::settings::accounts::Accounts;
use crate::several::Asked;
use crate::summary::Summary;
use crate::sync::{Outcome, Task};

/// What is left of the time limit for the answer, and for what is under way to end.
const RESERVE: Duration = Duration::from_millis(1_500);

/// How long the list of several accounts is kept, and how long if there is an event of another.
const KEPT: Duration = Duration::from_secs(5 * 60);
const KEPT_IF_NEW: Duration = Duration::from_secs(30);

/// Serves the Lambda runtime API until the process is ended.
pub fn run() -> ExitCode {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(tracing_subscriber::EnvFilter::new("off,aws_iam_gitops=info"))
        .init();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.enable_all().thread_stack_size(STACK).build() {
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
    /// When the several accounts were looked up, and what was found.
    several: Option<(Instant, Option<(Accounts, Found)>)>,
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
        metrics.events = request.records;
        metrics.oldest_event = request.oldest;
        let mut run = Run::new(started, deadline, request.is_full);
        if request.is_something {
            let several = self.several(deadline, &request.accounts).await?;
            let session = self.session(deadline).await?;
            run.own = session.own_account().unwrap_or_default().to_owned();
            run.found = several.as_ref().map(|(_, found)| found.clone());
            run.work(session, several, &invocation).await?;
        }
        run.log();
        for outcome in run.outcomes.values().flatten() {
            metrics.add(outcome);
        }
        metrics.full_exports = run.full_exports();
        run.answer(&invocation)
    }

    /// The several accounts; looked up again when they may be others by now.
    async fn several(
        &mut self,
        deadline: Instant,
        named: &BTreeSet<String>,
    ) -> Result<Option<(Accounts, Found)>, Failed> {
        if let Some((at, known)) = &self.several {
            let is_new = known.as_ref().is_some_and(|(_, found)| !named.is_subset(&found.ids));
            let kept = if is_new { KEPT_IF_NEW } else { KEPT };
            if at.elapsed() < kept {
                return Ok(known.clone());
            }
        }
        let session = self.session(deadline).await?;
        // Without the settings nobody knows of whom an event of another account is.
        let is_of_others = named.iter().any(|id| Some(id.as_str()) != session.own_account());
        let is_needed = session.is_told_of_several() || is_of_others;
        let found = match session.several(Some(deadline), is_needed).await {
            Ok(found) => found,
            // One account does without; what is wrong is told when the run meets it, too.
            Err(error) if !is_needed && is_of_git(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.several = Some((Instant::now(), found.clone()));
        Ok(found)
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

/// What is known of an invocation before anything is read.
struct Request {
    records: usize,
    is_full: bool,
    is_something: bool,
    /// Accounts that it names.
    accounts: BTreeSet<String>,
    oldest: Option<Duration>,
}

/// What messages ask for, one by one; those that were not understood ask for nothing.
fn contents(invocation: &Invocation) -> Vec<&Content> {
    match invocation {
        Invocation::Direct(content) => vec![content],
        Invocation::Batch(messages) => {
            messages.iter().filter_map(|message| message.content.as_ref().ok()).collect()
        }
    }
}

impl Request {
    fn new(invocation: &Invocation) -> Request {
        let contents = contents(invocation);
        let sent: Vec<u64> = match invocation {
            Invocation::Direct(_) => Vec::new(),
            Invocation::Batch(messages) => {
                messages.iter().filter_map(|message| message.sent_milliseconds).collect()
            }
        };
        let records = || contents.iter().flat_map(|content| content.records());
        let made = records().filter_map(|record| record.time.as_ref());
        let made = made.filter_map(|time| u64::try_from(time.seconds).ok()?.checked_mul(1_000));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let oldest = sent.into_iter().chain(made).min();
        let named = contents.iter().filter_map(|content| match content {
            Content::Account(id) => Some(id.clone()),
            _ => None,
        });
        let of_records = records().filter_map(|record| record.account.clone());
        let number = records().count();
        Request {
            is_full: contents.contains(&&Content::Full),
            is_something: contents.iter().any(|content| match content {
                Content::Records(records) => !records.is_empty(),
                Content::Full | Content::Account(_) => true,
            }),
            oldest: oldest.map(|oldest| now.saturating_sub(Duration::from_millis(oldest))),
            records: number,
            accounts: named.chain(of_records).collect(),
        }
    }
}

/// One invocation's work, by account.
struct Run {
    started: Instant,
    deadline: Instant,
    full: bool,
    own: String,
    /// The several accounts; none: there is the own alone.
    found: Option<Found>,
    /// Accounts that were asked for as a whole.
    whole: BTreeSet<String>,
    outcomes: Outcomes,
}

impl Run {
    fn new(started: Instant, deadline: Instant, full: bool) -> Run {
        Run {
            started,
            deadline,
            full,
            own: String::new(),
            found: None,
            whole: BTreeSet::new(),
            outcomes: Outcomes::new(),
        }
    }

    async fn work(
        &mut self,
        session: &mut Session,
        several: Option<(Accounts, Found)>,
        invocation: &Invocation,
    ) -> Result<(), Failed> {
        let contents = contents(invocation);
        let is_queued = several.is_some() && session.queue.is_some();
        let here =
            contents.iter().copied().filter(|content| !(is_queued && **content == Content::Full));
        let asked = Asked::of(here, &self.own, self.found.as_ref());
        if !asked.ignored.is_empty() {
            let accounts: Vec<_> = asked.ignored.iter().take(20).map(|id| visible(id)).collect();
            warn!(accounts = accounts.join(" "), "of another account, ignored");
        }
        let relevant: Vec<&Record> =
            asked.accounts.values().flat_map(|(_, records)| records).collect();
        let ids: Vec<&str> = relevant.iter().filter_map(|record| record.id.as_deref()).collect();
        info!(
            events = contents.iter().map(|content| content.records().len()).sum::<usize>(),
            relevant = relevant.len(),
            full = self.full,
            accounts =
                asked.accounts.keys().take(50).map(String::as_str).collect::<Vec<_>>().join(" "),
            event_ids = ids.iter().take(50).copied().collect::<Vec<_>>().join(" "),
            "invoked"
        );
        let deadline = Some(self.deadline);
        let everything = Scope::everything();
        let tasks = asked.accounts.into_iter().map(|(id, (scope, records))| {
            if scope == everything {
                self.whole.insert(id.clone());
            }
            (id, Task { scope, records, deadline, ..Task::default() })
        });
        let mut tasks: BTreeMap<String, Task> = tasks.collect();
        let Some((accounts, found)) = several else {
            if let Some(task) = tasks.remove(&self.own) {
                let outcome = session.sync(&task).await?;
                self.outcomes.insert(self.own.clone(), Ok(outcome));
            }
            return Ok(());
        };
        let mut unsent = BTreeMap::new();
        if let Some(queue) = session.queue.as_ref().filter(|_| self.full) {
            unsent = queue.ask_for(&found.ids, deadline).await;
            info!(accounts = found.ids.len(), failed = unsent.len(), "asked for");
        }
        self.outcomes.extend(session.sync_several(&accounts, &found, tasks, |_, _| ()).await);
        // What else was done of an account is no full export.
        self.outcomes.extend(unsent.into_iter().map(|(id, error)| (id, Err(error.into()))));
        Ok(())
    }

    fn full_exports(&self) -> usize {
        let is_whole = |(id, outcome): &(&String, &anyhow::Result<Outcome>)| {
            let is_complete = outcome.as_ref().is_ok_and(|of| of.summary.failures.is_empty());
            self.whole.contains(*id) && is_complete
        };
        self.outcomes.iter().filter(is_whole).count()
    }

    fn log(&self) {
        if self.outcomes.is_empty() {
            log(None, &Outcome::default(), self.started);
        }
        for (id, outcome) in &self.outcomes {
            match outcome {
                Ok(outcome) => log(Some(id), outcome, self.started),
                Err(error) => error!(account = id, error = described(error), "not done"),
            }
        }
    }

    /// What Lambda is told: of a batch the messages that are to come again.
    fn answer(self, invocation: &Invocation) -> Result<Value, Failed> {
        let Invocation::Batch(messages) = invocation else {
            return self.answer_directly(invocation);
        };
        let asked = |content: &Content| {
            let asked = Asked::of([content], &self.own, self.found.as_ref());
            asked.accounts.into_iter().map(|(id, (scope, _))| (id, scope)).collect()
        };
        let unread = self.outcomes.iter().map(|(id, outcome)| {
            (id.clone(), outcome.as_ref().ok().map(|outcome| outcome.unread.clone()))
        });
        let failed = failed_messages(messages, asked, &unread.collect());
        let failed: Vec<Value> =
            failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        if !failed.is_empty() {
            warn!(messages = failed.len(), "handed back");
        }
        Ok(json!({ "batchItemFailures": failed }))
    }

    fn answer_directly(self, invocation: &Invocation) -> Result<Value, Failed> {
        if let Invocation::Direct(Content::Account(id)) = invocation
            && !self.outcomes.contains_key(id)
        {
            let id = visible(id);
            return Err(Failed {
                is_retryable: false,
                message: format!("account `{id}` is none of those that are exported"),
            });
        }
        let (full, is_several) = (self.full, self.found.is_some());
        let (mut done, mut failures) = (BTreeMap::new(), Vec::new());
        for (id, outcome) in self.outcomes {
            let failed = match outcome {
                Ok(outcome) if outcome.summary.failures.is_empty() => {
                    done.insert(id, outcome);
                    continue;
                }
                Ok(outcome) => unfinished(&outcome.summary, &outcome),
                Err(error) => Failed::from(error),
            };
            failures.push(match is_several {
                true => Failed { message: format!("account `{id}`: {}", failed.message), ..failed },
                false => failed,
            });
        }
        if !failures.is_empty() {
            let messages: Vec<&str> =
                failures.iter().take(5).map(|failed| failed.message.as_str()).collect();
            return Err(Failed {
                is_retryable: failures.iter().any(|failed| failed.is_retryable),
                message: messages.join("; "),
            });
        }
        let commits: Vec<&String> = done.values().flat_map(|outcome| &outcome.commits).collect();
        if is_several {
            let accounts: BTreeMap<_, _> =
                done.iter().map(|(id, outcome)| (id, &outcome.summary)).collect();
            return Ok(json!({ "commits": commits, "full": full, "accounts": accounts }));
        }
        let summary = done.values().next().map(|outcome| &outcome.summary);
        let nothing = Summary::default();
        Ok(json!({ "commits": commits, "full": full, "summary": summary.unwrap_or(&nothing) }))
    }
}

fn is_of_git(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<GitError>())
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
/// not be read and no message names belongs to some of them, so all of that account come again.
///
/// `asked` says what a message asks for, by account; `unread` what of an account was not read,
/// nothing standing for all of it.
fn failed_messages<'a>(
    messages: &'a [Message],
    asked: impl Fn(&Content) -> BTreeMap<String, Scope>,
    unread: &BTreeMap<String, Option<Scope>>,
) -> Vec<&'a str> {
    let scopes: Vec<Option<BTreeMap<String, Scope>>> = messages
        .iter()
        .map(|message| match &message.content {
            Ok(content) => Some(asked(content)),
            Err(error) => {
                error!(message_id = message.id, error = error.to_string(), "not understood");
                None
            }
        })
        .collect();
    let is_unread = |account: &String, scope: &Scope| match unread.get(account) {
        None => false,
        Some(None) => true,
        Some(Some(unread)) if unread.is_empty() => false,
        Some(Some(unread)) => {
            let of_account = || scopes.iter().flatten().filter_map(|asked| asked.get(account));
            let named = |kind: &str, key: &str| {
                of_account().any(|scope| match scope.of(kind) {
                    Some(Selection::All) => true,
                    Some(Selection::Named(keys)) => keys.contains(key),
                    None => false,
                })
            };
            let is_of_nobody = unread.named().any(|(kind, key)| !named(kind.plural, key));
            is_of_nobody || scope.meets(unread)
        }
    };
    let failed = messages.iter().zip(&scopes).filter(|(_, asked)| match asked {
        None => true,
        Some(asked) => asked.iter().any(|(account, scope)| is_unread(account, scope)),
    });
    failed.map(|(message, _)| message.id.as_str()).collect()
}

fn log(account: Option<&String>, outcome: &Outcome, started: Instant) {
    for failure in &outcome.summary.failures {
        error!(account, error = failure.error, hint = failure.hint, "not read");
    }
    for note in &outcome.summary.notes {
        warn!(account, note, "note");
    }
    let count = |of: fn(&crate::summary::KindSummary) -> usize| {
        outcome.summary.kinds.iter().map(of).sum::<usize>()
    };
    info!(
        account,
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

    fn failed(unread: &Scope) -> Vec<String> {
        let asked = |content: &Content| {
            let asked = Asked::of([content], "1", None).accounts.into_iter();
            asked.map(|(id, (scope, _))| (id, scope)).collect()
        };
        let unread = BTreeMap::from([("1".to_owned(), Some(unread.clone()))]);
        failed_messages(&batch(), asked, &unread).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn only_what_failed_comes_back() {
        let mut unread = Scope::default();
        assert_eq!(failed(&unread), ["broken"]);
        unread.add("roles", "b");
        assert_eq!(failed(&unread), ["b", "broken"]);
    }

    #[test]
    fn what_no_message_names_brings_all_back() {
        let mut unread = Scope::default();
        unread.add("policies", "arn:aws:iam::111122223333:policy/x");
        assert_eq!(failed(&unread), ["a", "b", "broken"]);
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
