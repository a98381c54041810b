//! `demo`: the story in a minute, on a built-in account and repositories on this machine.
//!
//! Only the account is made up: what happens to it goes through the function's own pipeline.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::{print, runtime};
use crate::aws::{Dump, DumpError, Source};
use crate::error::Refused;
use crate::event::{Content, Invocation, Record, scope_of};
use crate::repository::local::{self, Shown};
use crate::repository::{Anonymous, Remote};
use crate::scope::Scope;
use crate::session::Session;
use crate::settings::environment::Environment;
use crate::settings::{SyncArguments, SyncSettings};
use crate::sync::Task;

/// Show on a made-up account what this program does, without AWS and without GitHub
///
/// Exports the account to a Git repository in a new folder, lets somebody attach a policy to a
/// role, and commits that with their name. Nothing leaves this machine, and no credentials are
/// read. The folder is there to look at afterwards; remove it when you have seen enough.
#[derive(Args)]
pub struct DemoCommand {
    /// The folder to make
    #[arg(value_name = "DIR", default_value = "aws-iam-gitops-demo")]
    folder: PathBuf,
}

const BRANCH: &str = "main";

macro_rules! account {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/demo/", $name)))),*]
    };
}

/// The account, as the AWS CLI prints it.
const ACCOUNT: [(&str, &str); 7] = account![
    "get-account-authorization-details.json",
    "list-roles.json",
    "get-policy.deploy-site.json",
    "list-policies.json",
    "describe-policy.p-k3v8x1m5.json",
    "list-targets-for-policy.p-k3v8x1m5.json",
    "list-tags-for-resource.p-k3v8x1m5.json",
];

/// What EventBridge passes on when somebody attaches a policy to the role `deploy`.
const EVENT: &str = include_str!("../../templates/demo/event.json");

/// Where the attachments of that role begin, which comes first, and what is new there.
const ATTACHED: &str = r#""AttachedManagedPolicies": ["#;
const NEW: &str = r#"{
  "PolicyName": "AdministratorAccess",
  "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"
},"#;

/// Runs `demo`.
pub fn demo(command: &DemoCommand) -> anyhow::Result<ExitCode> {
    refuse_what_is_there(&command.folder)?;
    let folder = std::path::absolute(&command.folder).context("cannot find this folder")?;
    let shown = command.folder.display();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{shown}`"))?;
    runtime()?.block_on(tell(&Place { shown: shown.to_string(), folder }))?;
    Ok(ExitCode::SUCCESS)
}

fn refuse_what_is_there(folder: &Path) -> anyhow::Result<()> {
    let is_free = match fs::read_dir(folder) {
        Ok(mut files) => files.next().is_none(),
        Err(_) => !folder.exists(),
    };
    match is_free {
        true => Ok(()),
        false => Err(Refused {
            error: format!("`{}` is there already", folder.display()),
            hint: "remove it, or name another folder: `aws-iam-gitops demo DIR`",
        }
        .into()),
    }
}

struct Place {
    /// As the person named it.
    shown: String,
    folder: PathBuf,
}

impl Place {
    fn repository(&self) -> PathBuf {
        self.folder.join("repository.git")
    }

    /// What is gone in the end: the clone that commits are made in, and its lock.
    fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }
}

async fn tell(place: &Place) -> anyhow::Result<()> {
    let shown = &place.shown;
    print("Account 111122223333 is made up, the rest is real. Nothing leaves this machine.\n")?;

    local::create(&place.repository(), BRANCH)?;
    let mut session = Session::with(settings(place)?, account(&[])?, Arc::new(Anonymous)).await?;
    let everything = Task { scope: Scope::everything(), ..Task::default() };
    let first = commit(place, &mut session, &everything).await?;
    print(&format!(
        "\n1. The account is exported to an empty repository, {shown}/repository.git:\n\n{}",
        listed(&first.context("the first export makes a commit")?)
    ))?;

    fs::write(place.folder.join("event.json"), EVENT).context("cannot write the event")?;
    session.source = account(&[(ATTACHED, &format!("{ATTACHED}{NEW}"))])?;
    let (scope, records) = scope_of(records()?);
    let event = Task { scope, records, ..Task::default() };
    let second = commit(place, &mut session, &event).await?;
    print(&format!(
        "\n2. alice@example.com attaches a policy to a role:\n\n    \
         aws iam attach-role-policy --role-name deploy \\\n        \
         --policy-arn arn:aws:iam::aws:policy/AdministratorAccess\n\n   \
         CloudTrail records the call ({shown}/event.json). Seconds later the Lambda function has\n   \
         read the role and committed what changed:\n\n{}",
        told(&second.context("the event makes a commit")?)
    ))?;

    let third = commit(place, &mut session, &event).await?;
    anyhow::ensure!(third.is_none(), "the same event made another commit");
    print(
        "\n3. The same event comes again, as events do. The repository says already what the account\n   \
         says, so there is no commit.\n",
    )?;

    drop(session);
    fs::remove_dir_all(place.scratch()).context("cannot remove the clone")?;
    local::check_out(&place.repository(), &place.folder.join("iam"))?;
    print(&format!(
        "\nLook around; {shown}/iam is checked out:\n\n    \
         git -C {shown}/iam log -p\n    \
         cat {shown}/iam/terraform/iam_role.deploy.tf\n    \
         cat {shown}/iam/roles/deploy.json\n\n\
         Then with an account of yours, which is only read:\n\n    \
         aws-iam-gitops export --to ./iam\n"
    ))
}

/// The defaults, whatever the environment says.
fn settings(place: &Place) -> anyhow::Result<SyncSettings> {
    let repository = place.repository();
    let address = repository.to_str().context("the folder's path is not UTF-8")?;
    let arguments =
        SyncArguments { repository: Some(Remote::parse(address)?), ..SyncArguments::default() };
    let mut settings = SyncSettings::new(arguments, Environment::read([])?)?;
    settings.branch = BRANCH.to_owned();
    settings.clone = place.scratch().join("clone");
    Ok(settings)
}

/// The account, after these replacements in its texts.
fn account(changes: &[(&str, &str)]) -> Result<Source, DumpError> {
    let texts = ACCOUNT.iter().map(|(name, text)| {
        let change = |text: String, (from, to): &(&str, &str)| text.replacen(from, to, 1);
        Ok((PathBuf::from(name), changes.iter().fold((*text).to_owned(), change)))
    });
    Dump::of_texts(texts, "the built-in account", None, false).map(Source::Dump)
}

fn records() -> anyhow::Result<Vec<Record>> {
    match Invocation::parse(&serde_json::from_str(EVENT)?)? {
        Invocation::Direct(Content::Records(records)) => Ok(records),
        _ => anyhow::bail!("the built-in event is none"),
    }
}

/// Does one run; none: it made no commit.
async fn commit(
    place: &Place,
    session: &mut Session,
    task: &Task,
) -> anyhow::Result<Option<(String, Shown)>> {
    let outcome = session.sync(task).await?;
    let Some(id) = outcome.commits.first() else { return Ok(None) };
    let shown = local::show(&place.repository(), id, "terraform")?;
    Ok(Some((id.clone(), shown)))
}

/// The commit's first line and its files.
fn listed((id, commit): &(String, Shown)) -> String {
    let subject = commit.message.lines().next().unwrap_or_default();
    let mut out = format!("    commit {id}\n    {subject}\n\n");
    for file in &commit.files {
        let _ = writeln!(out, "        {file}");
    }
    out
}

/// The commit as `git show` prints it, without the date.
fn told((id, commit): &(String, Shown)) -> String {
    let Shown { author, message, patch, .. } = commit;
    let mut out = format!("    commit {id}\n    Author: {} <{}>\n\n", author.name, author.email);
    let message = message.lines().map(|line| format!("    {line}"));
    for line in message.chain([String::new()]).chain(patch.lines().map(str::to_owned)) {
        let _ = writeln!(out, "{}", format!("    {line}").trim_end());
    }
    out
}
