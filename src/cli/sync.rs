//! `sync` and `event`: what the function does, once, from the command line.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use tracing::{info, warn};

use super::accounts::AccountsArguments;
use super::{Output, lines, print, report_each, report_failures, runtime, usage};
use crate::aws::Found;
use crate::error::{Refused, described};
use crate::event::{Content, Invocation};
use crate::progress::Progress;
use crate::repository::Remote;
use crate::resource::sync_permissions;
use crate::session::Session;
use crate::settings::accounts::{Accounts, FOLDER};
use crate::settings::environment::{self, Environment};
use crate::settings::file;
use crate::settings::values::{self, Invalid, Mode, Prefix};
use crate::settings::{Choices, SyncArguments, SyncSettings};
use crate::several::{self, Asked, Report};
use crate::sync::{Outcome, Task};

/// Bring a Git repository to the state of the account, as one commit that is pushed
///
/// What the Lambda function does on its schedule, once. Nothing is checked out: the commit is made
/// on top of the branch as the server has it, and never forced. A second run that finds nothing
/// changed makes no commit. An empty repository gets its first one.
#[derive(Args)]
#[command(after_long_help = after_help("sync --repository https://github.com/example-org/iam"))]
pub struct SyncCommand {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    writing: Writing,

    #[command(flatten)]
    accounts: AccountsArguments,
}

/// Handle recorded events, as the Lambda function does when they happen
///
/// What the events touched is read from AWS as it is now and committed under the name of who made
/// the last of the changes. Calls that failed or only read are passed over; an unknown action is
/// answered with a full export, and so are `{}` and a scheduled event.
#[derive(Args)]
#[command(after_long_help = after_help("event event.json --repository ./iam.git --dry-run"))]
pub struct EventCommand {
    /// An EventBridge event, an SQS batch of them, or CloudTrail records; `-` reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    writing: Writing,

    #[command(flatten)]
    accounts: AccountsArguments,
}

/// How what differs is written.
#[derive(Args)]
struct Writing {
    /// `push` to the branch, or keep one `pull-request` with all exports; otherwise
    /// AWS_IAM_GITOPS_MODE, the file's `mode`, or push
    #[arg(long, value_name = "MODE", value_parser = values::mode)]
    mode: Option<Mode>,

    /// Commit nothing, print the differences
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// What is compared.
#[derive(Args)]
pub(super) struct Target {
    /// The repository: an https:// address without a token, or a folder; otherwise
    /// AWS_IAM_GITOPS_REPOSITORY
    #[arg(long, value_name = "URL", value_parser = AddressParser)]
    repository: Option<Remote>,

    /// The branch that is exported to; otherwise AWS_IAM_GITOPS_BRANCH, or main
    #[arg(long, value_name = "NAME", value_parser = values::branch)]
    pub(super) branch: Option<String>,

    /// The folder of the repository below which everything lies; otherwise AWS_IAM_GITOPS_PREFIX,
    /// or the file's `prefix`
    #[arg(long, value_name = "FOLDER", value_parser = Prefix::parse)]
    prefix: Option<Prefix>,

    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub(super) output: Output,

    /// The profile in the AWS configuration; otherwise AWS_PROFILE
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// The region to sign for; otherwise AWS_REGION, the profile's, or us-east-1
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// AWS calls in flight at once; otherwise AWS_IAM_GITOPS_CONCURRENCY, or 8
    #[arg(long, value_name = "N", value_parser = concurrency)]
    concurrency: Option<usize>,
}

/// Refuses an address without repeating it, for it may hold a token.
#[derive(Clone)]
struct AddressParser;

impl TypedValueParser for AddressParser {
    type Value = Remote;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Remote, clap::Error> {
        values::remote(&value.to_string_lossy()).map_err(|invalid| {
            let text = format!("invalid value for '--repository <URL>': {invalid}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

fn concurrency(text: &str) -> Result<usize, Invalid> {
    values::concurrency(text)
}

fn after_help(example: &str) -> String {
    format!(
        "What is written is set by `aws-iam-gitops.toml` in the root of the repository. Its keys, all\n\
         optional:\n{}\n\n\
         Variables of the environment, which win over that file; arguments win over both:\n{}\n\n\
         Without a token of ours: GH_TOKEN or GITHUB_TOKEN, for the server that GITHUB_SERVER_URL names\n\
         (https://github.com) and no other, or git's credential helpers. GIT_SSL_CAINFO names a file\n\
         of certificate authorities to trust. docs/settings.md tells each in full.\n\n\
         Permissions that reading from AWS takes:\n{}\n\n\
         Example:\n  aws-iam-gitops {example}\n\n\
         Exit codes:\n  0 done, 1 something failed (what could be read is committed), 2 usage",
        table(file::KEYS.iter().map(|(key, meaning)| ((*key).to_owned(), *meaning))),
        table(environment::variables()),
        lines(sync_permissions()),
    )
}

/// Two columns.
fn table(rows: impl Iterator<Item = (String, &'static str)>) -> String {
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines(rows.iter().map(|(name, meaning)| format!("{name:width$}  {meaning}")))
}

/// Runs `sync`.
pub fn sync(command: SyncCommand, quiet: bool) -> anyhow::Result<ExitCode> {
    run(command.target, command.writing, command.accounts, quiet, None)
}

/// Runs `event`.
pub fn event(command: EventCommand, quiet: bool) -> anyhow::Result<ExitCode> {
    let invocation = read(&command.file)?;
    run(command.target, command.writing, command.accounts, quiet, Some(invocation))
}

fn read(file: &Path) -> anyhow::Result<Invocation> {
    let (shown, text) = match file.as_os_str() == "-" {
        true => ("stdin".to_owned(), io::read_to_string(io::stdin())),
        false => (format!("`{}`", file.display()), std::fs::read_to_string(file)),
    };
    let text = text.with_context(|| format!("cannot read {shown}"))?;
    let value = serde_json::from_str(&text).with_context(|| format!("{shown} is not JSON"))?;
    Invocation::parse(&value).with_context(|| format!("{shown} is no event"))
}

/// Connects to what the arguments and the environment name.
pub(super) async fn open(
    target: Target,
    mode: Option<Mode>,
    accounts: AccountsArguments,
    quiet: bool,
) -> anyhow::Result<Session> {
    if target.prefix.is_some() && accounts.are_named() {
        usage(
            ErrorKind::ArgumentConflict,
            "`--prefix` is for one account, `--accounts` for several",
        );
    }
    let arguments = SyncArguments {
        repository: target.repository,
        branch: target.branch,
        concurrency: target.concurrency,
        choices: Choices {
            prefix: target.prefix,
            mode,
            accounts: accounts.choices(),
            ..Choices::default()
        },
    };
    let settings = SyncSettings::new(arguments, Environment::of_process()?)?;
    let progress = if quiet { Progress::default() } else { Progress::bars() };
    Session::open(settings, target.profile, target.region, progress).await
}

fn run(
    target: Target,
    writing: Writing,
    accounts: AccountsArguments,
    quiet: bool,
    invocation: Option<Invocation>,
) -> anyhow::Result<ExitCode> {
    let (output, dry_run) = (target.output, writing.dry_run);
    runtime()?.block_on(async {
        let mut session = open(target, writing.mode, accounts, quiet).await?;
        let several = session.several(None, true).await?;
        let found = several.as_ref().map(|(_, found)| found);
        let asked = asked(&session, invocation.as_ref(), found)?;
        let task =
            |(id, (scope, records))| (id, Task { scope, records, dry_run, ..Task::default() });
        let tasks: BTreeMap<String, Task> = asked.accounts.into_iter().map(task).collect();
        match several {
            Some((accounts, found)) => {
                sync_several(&mut session, &accounts, &found, tasks, output, dry_run).await
            }
            None => sync_one(&mut session, tasks.into_values().next(), output, dry_run).await,
        }
    })
}

async fn sync_one(
    session: &mut Session,
    task: Option<Task>,
    output: Output,
    dry_run: bool,
) -> anyhow::Result<ExitCode> {
    let outcome = match task {
        None => Outcome::default(),
        Some(task) => session.sync(&task).await?,
    };
    print(&match output {
        Output::Text => text(&outcome, dry_run),
        Output::Json => format!(
            "{}\n",
            serde_json::to_string_pretty(&serde_json::json!({
                "commits": outcome.commits,
                "patch": outcome.patch,
                "summary": outcome.summary,
            }))?
        ),
    })?;
    Ok(report_failures(&outcome.summary))
}

async fn sync_several(
    session: &mut Session,
    accounts: &Accounts,
    found: &Found,
    tasks: BTreeMap<String, Task>,
    output: Output,
    dry_run: bool,
) -> anyhow::Result<ExitCode> {
    let number = tasks.len();
    let mut done = 0;
    let outcomes = session.sync_several(accounts, found, tasks, |id, outcome| {
        done += 1;
        match outcome {
            Ok(_) => info!(account = id, done, of = number, "account done"),
            Err(error) => {
                warn!(account = id, done, of = number, error = described(error), "account failed");
            }
        }
    });
    let outcomes = outcomes.await;
    let gone = found.gone.clone();
    let mut report = Report { to: session.remote(), dry_run, gone, ..Report::default() };
    let (mut patches, mut commits) = (BTreeMap::new(), BTreeMap::new());
    for (id, outcome) in outcomes {
        let outcome = outcome.map(|outcome| {
            if !outcome.patch.is_empty() {
                patches.insert(id.clone(), outcome.patch);
            }
            commits.insert(id.clone(), outcome.commits);
            outcome.summary
        });
        report.add(id, outcome.map_err(|error| several::failure(&error)));
    }
    print(&match output {
        Output::Text => {
            let mut out = String::new();
            for (id, patch) in &patches {
                out.push_str(&format!("{FOLDER}/{id}:\n{patch}\n"));
            }
            out.push_str(&report.text());
            for (id, commit) in
                commits.iter().flat_map(|(id, of)| of.iter().map(move |it| (id, it)))
            {
                out.push_str(&format!("\n{id}: committed and pushed {commit}\n"));
            }
            out
        }
        Output::Json => {
            let mut value = report.value();
            value["commits"] = serde_json::to_value(&commits)?;
            value["patches"] = serde_json::to_value(&patches)?;
            format!("{}\n", serde_json::to_string_pretty(&value)?)
        }
    })?;
    Ok(report_each(&report.failures()))
}

/// What is asked for, by account; without an invocation everything of each.
fn asked(
    session: &Session,
    invocation: Option<&Invocation>,
    found: Option<&Found>,
) -> anyhow::Result<Asked> {
    let contents = match invocation {
        None => vec![&Content::Full],
        Some(Invocation::Direct(content)) => vec![content],
        Some(Invocation::Batch(messages)) => messages
            .iter()
            .map(|message| message.content.as_ref().map_err(Clone::clone))
            .collect::<Result<_, _>>()?,
    };
    let own = session.own_account().unwrap_or_default();
    let asked = Asked::of(contents, own, found);
    match asked.ignored.first() {
        Some(other) if found.is_none() => Err(Refused {
            error: format!(
                "the event is of account `{}`, and the credentials are of account `{own}`",
                crate::invisible::visible(other),
            ),
            hint: "choose credentials of that account with --profile or AWS_PROFILE",
        }
        .into()),
        _ => {
            for other in &asked.ignored {
                let account = &*crate::invisible::visible(other);
                warn!(account, "the event's account is not among the accounts, ignored");
            }
            Ok(asked)
        }
    }
}

fn text(outcome: &Outcome, dry_run: bool) -> String {
    if outcome.summary.kinds.is_empty() {
        return "the events changed nothing that is exported\n".to_owned();
    }
    let mut out = outcome.patch.clone();
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&outcome.summary.text());
    for commit in &outcome.commits {
        out.push_str(&format!("\ncommitted and pushed {commit}\n"));
    }
    if dry_run && !outcome.patch.is_empty() {
        out.push_str("\nnothing was committed, since this is a dry run\n");
    }
    out
}
