//! `init`: arguments, and what the folder and AWS tell, become what a repository needs.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use reqwest::Url;

use super::{print, runtime};
use crate::aws::{self, Account, Connection, Live, PAUSE};
use crate::directory::Directory;
use crate::error::Refused;
use crate::export::account_of;
use crate::init::{Fate, File, InitSettings, Program, Workflow, init};
use crate::invisible::visible;
use crate::progress::Progress;
use crate::repository::local::{Checkout, checkout};
use crate::settings::file::FILE_NAME;
use crate::settings::values::{self, Prefix};
use crate::settings::{account_id, accounts, of_folder};

/// Write what a repository needs: backend, settings, owners, a README, and the workflows
///
/// The workflows are for GitHub Actions. `plan` shows on a pull request what it would change in AWS;
/// `apply` applies the branch, one run at a time; `drift` tells once a day what is out of step;
/// `export`, with --export, brings the account to the branch every hour without anything deployed in
/// AWS but a role. What can be found out is not asked: the branch from the checkout, the account from
/// the export in it or from the AWS credentials. A file that is there is never written over.
#[derive(Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct InitCommand {
    /// The root of the checkout; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// The account's ID; otherwise that of the export in the folder, or of the AWS credentials
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: Option<String>,

    /// The profile in the AWS configuration; otherwise AWS_PROFILE
    #[arg(long, value_name = "NAME", conflicts_with = "account")]
    profile: Option<String>,

    /// The region of the state bucket; otherwise the one in which IAM is kept
    #[arg(long, value_name = "REGION", value_parser = region)]
    region: Option<String>,

    /// The bucket of Terraform's state; otherwise aws-iam-gitops-state-ACCOUNT
    #[arg(long, value_name = "NAME", value_parser = bucket)]
    state_bucket: Option<String>,

    /// The role that plans pull requests; otherwise the role aws-iam-gitops-plan
    #[arg(long, value_name = "ARN", value_parser = role)]
    plan_role: Option<String>,

    /// The role that applies the branch; otherwise the role aws-iam-gitops-apply
    #[arg(long, value_name = "ARN", value_parser = role)]
    apply_role: Option<String>,

    /// The role that reads the account for `drift` and `export`; otherwise the role
    /// aws-iam-gitops-export
    #[arg(long, value_name = "ARN", value_parser = role)]
    export_role: Option<String>,

    /// The branch that AWS follows; otherwise the default branch of `origin`, the one that is checked
    /// out, or main
    #[arg(long, value_name = "NAME", value_parser = branch)]
    branch: Option<String>,

    /// The folder of the repository below which the account lies, for one of several accounts;
    /// otherwise `accounts/ID` where aws-iam-gitops.toml names several, and the root where it does not
    #[arg(long, value_name = "FOLDER", value_parser = prefix)]
    prefix: Option<Prefix>,

    /// The environment of GitHub Actions in which the apply runs, with reviewers if it has some
    #[arg(long, value_name = "NAME", value_parser = environment)]
    environment: Option<String>,

    /// Who must approve changes of the workflows and settings, as in @example-org/security
    #[arg(long, value_name = "TEAM", value_parser = team)]
    team: Option<String>,

    /// Where the workflows get this program from: the address of the file itself
    #[arg(long, value_name = "URL", value_parser = program_url, requires = "program_sha256")]
    program_url: Option<String>,

    /// The SHA-256 of that file
    #[arg(long, value_name = "HEX", value_parser = program_sha256, requires = "program_url")]
    program_sha256: Option<String>,

    /// Write the workflow that exports the account every hour, too
    #[arg(long)]
    export: bool,

    /// Leave out a workflow; may be repeated
    #[arg(long, value_enum, value_name = "WORKFLOW")]
    without: Vec<Without>,

    /// Write nothing, tell what would be written
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Without {
    Plan,
    Apply,
    Drift,
}

const AFTER_HELP: &str = "Examples:
  aws-iam-gitops init --account 111122223333 --export
  aws-iam-gitops init --team @example-org/security --environment production

Exit codes:
  0 done, also if all was there already; 1 something failed; 2 usage";

/// Runs `init`.
pub fn run(mut command: InitCommand, quiet: bool) -> anyhow::Result<ExitCode> {
    let found = find_checkout(&command.folder)?;
    let named = of_folder(&command.folder)?.choices.accounts.which;
    if command.prefix.is_none() && named.is_some() {
        let id = account(&command)?.id;
        if let Some(accounts::Which::Ids(ids)) = &named
            && !ids.contains(&id)
        {
            return Err(Refused {
                error: format!("account `{id}` is none of the `ids` of `{FILE_NAME}`"),
                hint: "add it there first, or name another with --account",
            }
            .into());
        }
        command.prefix = Some(accounts::folder_of(&id));
    }
    let settings = settle(command, found.as_ref())?;
    let files = init(&settings)?;
    if !quiet {
        let origin = found.as_ref().and_then(|found| repository_of(found.origin.as_deref()?));
        print(&text(&settings, &files, found.is_some(), origin.as_ref()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Workflows count only at the root of a repository.
fn find_checkout(folder: &Path) -> anyhow::Result<Option<Checkout>> {
    let absolute = std::path::absolute(folder).context("cannot find this folder")?;
    // The folder itself need not be there yet.
    let Some(existing) = absolute.ancestors().find(|parent| parent.is_dir()) else {
        return Ok(None);
    };
    let Some(found) = checkout(existing)? else { return Ok(None) };
    let is_root = match (absolute.canonicalize(), found.root.canonicalize()) {
        (Ok(folder), Ok(root)) => folder == root,
        _ => false,
    };
    if !is_root {
        return Err(Refused {
            error: format!(
                "`{}` is not the root of its repository, which is `{}`",
                visible(&folder.to_string_lossy()),
                visible(&found.root.to_string_lossy())
            ),
            hint: "workflows count only there: name the root, and the folder of the account with \
                   --prefix; or make the folder a repository with `git init`",
        }
        .into());
    }
    Ok(Some(found))
}

fn settle(command: InitCommand, found: Option<&Checkout>) -> anyhow::Result<InitSettings> {
    let account = account(&command)?;
    let role = |given: &Option<String>, name: &str| {
        let Account { partition, id } = &account;
        given.clone().unwrap_or_else(|| format!("arn:{partition}:iam::{id}:role/{name}"))
    };
    for given in [&command.plan_role, &command.apply_role, &command.export_role] {
        if let Some(arn) = given
            && Account::of_arn(arn).as_ref() != Some(&account)
        {
            return Err(Refused {
                error: format!("`{arn}` is no role of account `{}`", account.id),
                hint: "name the account with --account, and roles of that account",
            }
            .into());
        }
    }
    let branch = match (command.branch.clone(), found.and_then(|found| found.branch.clone())) {
        (Some(given), _) => given,
        (None, Some(name)) => branch(&name)
            .map_err(anyhow::Error::msg)
            .context("the checkout's branch cannot stand in a workflow; name one with --branch")?,
        (None, None) => "main".to_owned(),
    };
    let mut workflows = BTreeSet::from([Workflow::Plan, Workflow::Apply, Workflow::Drift]);
    workflows.extend(command.export.then_some(Workflow::Export));
    for without in &command.without {
        workflows.remove(&match without {
            Without::Plan => Workflow::Plan,
            Without::Apply => Workflow::Apply,
            Without::Drift => Workflow::Drift,
        });
    }
    let region = command.region.clone().or_else(|| account.iam_region().map(str::to_owned));
    Ok(InitSettings {
        plan_role: role(&command.plan_role, "aws-iam-gitops-plan"),
        apply_role: role(&command.apply_role, "aws-iam-gitops-apply"),
        export_role: role(&command.export_role, "aws-iam-gitops-export"),
        state_bucket: command
            .state_bucket
            .unwrap_or_else(|| format!("aws-iam-gitops-state-{}", account.id)),
        region: region.context("this partition's region is not known; name it with --region")?,
        folder: command.folder,
        prefix: command.prefix,
        account,
        branch,
        environment: command.environment,
        team: command.team,
        program: command
            .program_url
            .zip(command.program_sha256)
            .map(|(url, sha256)| Program { url, sha256 }),
        workflows,
        dry_run: command.dry_run,
    })
}

/// The account: that of the export in the folder, as named, or of the credentials.
fn account(command: &InitCommand) -> anyhow::Result<Account> {
    let folder = command.prefix.as_ref().map_or("", Prefix::as_str);
    let exported = account_of(&Directory::new(&command.folder.join(folder), true))?;
    match (&command.account, exported) {
        (Some(id), Some(exported)) if *id != exported.id => Err(Refused {
            error: format!(
                "the folder holds account `{}`, and --account names `{id}`",
                exported.id
            ),
            hint: "give each account a folder of its own, with --prefix",
        }
        .into()),
        (_, Some(exported)) => Ok(exported),
        (Some(id), None) => {
            let partition = match command.region.as_deref().unwrap_or_default() {
                region if region.starts_with("cn-") => "aws-cn",
                region if region.starts_with("us-gov-") => "aws-us-gov",
                _ => "aws",
            };
            Ok(Account { id: id.clone(), partition: partition.to_owned() })
        }
        (None, None) => {
            let connection = Connection {
                profile: command.profile.clone(),
                region: command.region.clone(),
                concurrency: 1,
                aws_managed: false,
                pause: PAUSE,
            };
            let connected = runtime()?.block_on(async {
                let config = aws::config(&connection).await;
                Live::connect(&connection, &config, Progress::default()).await
            });
            let live = connected
                .context("cannot find out which AWS account this is; --account names it")?;
            Ok(live.account)
        }
    }
}

/// Host, owner and name of a repository on a Git host.
struct Repository {
    host: String,
    owner: String,
    name: String,
}

/// Of an address in any of Git's forms. The rest of it may hold a token, and is dropped.
fn repository_of(origin: &str) -> Option<Repository> {
    let (host, path) = match origin.split_once("://") {
        Some(_) => {
            let url = Url::parse(origin).ok()?;
            (url.host_str()?.to_owned(), url.path().to_owned())
        }
        None => {
            let (host, path) = origin.split_once(':')?;
            (host.rsplit('@').next()?.to_owned(), path.to_owned())
        }
    };
    let path = path.trim_matches('/');
    let (owner, name) = path.strip_suffix(".git").unwrap_or(path).split_once('/')?;
    let is_name = |text: &str| consists_of(text, "-_.");
    (is_name(&host) && is_name(owner) && is_name(name)).then(|| Repository {
        host,
        owner: owner.to_owned(),
        name: name.to_owned(),
    })
}

fn text(
    settings: &InitSettings,
    files: &[File],
    is_checkout: bool,
    origin: Option<&Repository>,
) -> String {
    let mut out = format!("account `{}`, branch `{}`", settings.account.id, settings.branch);
    if let Some(Repository { host, owner, name }) = origin {
        let _ = write!(out, ", repository `{owner}/{name}` on `{host}`");
    }
    out.push('\n');
    let width = files.iter().map(|file| file.path.len()).max().unwrap_or_default();
    let mut list = |title: &str, is_in: fn(&Fate) -> bool| {
        for (index, file) in files.iter().filter(|file| is_in(&file.fate)).enumerate() {
            if index == 0 {
                let _ = write!(out, "\n{title}:\n");
            }
            let path = visible(&file.path);
            let _ = match &file.fate {
                Fate::Elsewhere(other) => {
                    writeln!(out, "  {path:width$}  `{}` says it", visible(other))
                }
                _ => writeln!(out, "  {path:width$}  {}", file.purpose),
            };
        }
    };
    let written = if settings.dry_run { "would be written" } else { "written" };
    list(written, |fate| *fate == Fate::Written);
    list("kept, though it says something else", |fate| *fate == Fate::Kept);
    list("kept, as it would be written", |fate| *fate == Fate::Same);
    list("not written", |fate| matches!(fate, Fate::Elsewhere(_)));
    if files.iter().any(|file| file.fate == Fate::Written) {
        out.push_str("\nnext:\n");
        for (number, step) in next(settings, is_checkout, origin).iter().enumerate() {
            let _ = writeln!(out, "  {}. {}", number + 1, step.replace('\n', "\n     "));
        }
    } else {
        out.push_str("\nall is there, nothing written\n");
    }
    out
}

/// What is left to do, in its order.
fn next(settings: &InitSettings, is_checkout: bool, origin: Option<&Repository>) -> Vec<String> {
    let mut steps = Vec::new();
    let has = |workflow| settings.workflows.contains(&workflow);
    let mut roles = Vec::new();
    if has(Workflow::Plan) {
        roles.push(format!("`{}`, for pull requests", settings.plan_role));
    }
    if has(Workflow::Apply) {
        let of = match &settings.environment {
            Some(environment) => format!("the environment `{environment}`"),
            None => format!("the branch `{}`", settings.branch),
        };
        roles.push(format!("`{}`, for {of}", settings.apply_role));
    }
    if has(Workflow::Drift) || has(Workflow::Export) {
        roles.push(format!("`{}`, for the branch `{}`", settings.export_role, settings.branch));
    }
    let has_terraform = has(Workflow::Plan) || has(Workflow::Apply);
    if !roles.is_empty() {
        let bucket = match has_terraform {
            true => format!("the bucket `{}` in `{}`, ", settings.state_bucket, settings.region),
            false => String::new(),
        };
        let roles: Vec<String> = roles.iter().map(|role| format!("\n- {role}")).collect();
        let deploy = match has_terraform {
            true => "\n`make -C terraform deploy` in a clone of aws-iam-gitops makes all of these",
            false => "",
        };
        steps.push(format!(
            "make {bucket}GitHub's OpenID Connect provider,\n\
             and the roles that the workflows take:{}{deploy}",
            roles.concat()
        ));
    }
    if settings.program.is_none() && !settings.workflows.is_empty() {
        steps.push(
            "set `PROGRAM_URL` and `PROGRAM_SHA256` at the top of each workflow: where it gets this\n\
             program from, and what it must be"
                .to_owned(),
        );
    }
    if settings.team.is_none() {
        steps.push("name in `.github/CODEOWNERS` who approves changes of what decides".to_owned());
    }
    if has_terraform {
        let folder =
            settings.prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
        steps.push(format!(
            "fix the provider's version:\n\
             `terraform -chdir={folder}terraform providers lock -platform=linux_amd64`"
        ));
    }
    let actions = match origin {
        Some(Repository { host, owner, name }) => format!("https://{host}/{owner}/{name}/settings"),
        None => "the repository's settings".to_owned(),
    };
    let mut rules = format!("in {actions}: require for `{}`", settings.branch);
    let title = settings.prefix.as_ref().map(|prefix| format!(" {prefix}")).unwrap_or_default();
    if has(Workflow::Plan) {
        let _ = write!(rules, " the checks `check{title}` and `plan{title}`,\nand");
    }
    rules.push_str(" a review by code owners");
    if let Some(environment) = &settings.environment {
        let _ = write!(rules, ";\nmake the environment `{environment}`, for this branch only");
    }
    if has(Workflow::Export) {
        rules.push_str(
            ";\nlet the workflows' own token push to it, or set `mode = \"pull-request\"` and allow\n\
             workflows to create pull requests",
        );
    }
    steps.push(rules);
    steps.push(match is_checkout {
        true => format!("`git add --all && git commit`, and push to `{}`", settings.branch),
        false => format!(
            "`git init --initial-branch={}`, `git add --all && git commit`, and push",
            settings.branch
        ),
    });
    steps
}

/// Only letters and digits of ASCII, and these.
fn consists_of(text: &str, others: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// A value that goes into YAML, HCL, TOML and scripts as it is.
fn plain(text: &str, others: &str, what: &str) -> Result<String, String> {
    match consists_of(text, others) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{}` is not {what}", visible(text))),
    }
}

fn region(text: &str) -> Result<String, String> {
    plain(text, "-", "a region, like `us-east-1`")
}

fn bucket(text: &str) -> Result<String, String> {
    let what = "a bucket's name: 3 to 63 lower-case letters, digits, `-` and `.`";
    let is_name = (3..=63).contains(&text.len()) && !text.bytes().any(|b| b.is_ascii_uppercase());
    plain(if is_name { text } else { "" }, "-.", what)
        .map_err(|_| format!("`{}` is not {what}", visible(text)))
}

fn role(text: &str) -> Result<String, String> {
    let what = "a role's ARN, like `arn:aws:iam::111122223333:role/name`";
    let is_role = Account::of_arn(text).is_some()
        && text.split(':').nth(5).is_some_and(|part| part.starts_with("role/"));
    plain(if is_role { text } else { "" }, ":/+=,.@_-", what)
        .map_err(|_| format!("`{}` is not {what}", visible(text)))
}

fn branch(text: &str) -> Result<String, String> {
    let name = values::branch(text).map_err(|invalid| invalid.to_string())?;
    plain(&name, "-_./", "a branch of letters, digits, `-`, `_`, `.` and `/`")
}

fn prefix(text: &str) -> Result<Prefix, String> {
    let prefix = Prefix::parse(text).map_err(|invalid| invalid.to_string())?;
    plain(text, "-_./", "a folder of letters, digits, `-`, `_`, `.` and `/`").map(|_| prefix)
}

fn environment(text: &str) -> Result<String, String> {
    plain(text, "-_.", "an environment of letters, digits, `-`, `_` and `.`")
}

fn team(text: &str) -> Result<String, String> {
    let what = "a team or a user, like `@example-org/security`";
    let name = text.strip_prefix('@').unwrap_or_default();
    let is_team =
        name.split('/').all(|part| consists_of(part, "-_.")) && name.matches('/').count() < 2;
    match is_team {
        true => Ok(text.to_owned()),
        false => Err(format!("`{}` is not {what}", visible(text))),
    }
}

fn program_url(text: &str) -> Result<String, String> {
    let what = "an https address without a user, a password or characters that are not plain";
    let url = Url::parse(text).ok().filter(|url| {
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
    });
    match url.is_some() && consists_of(text, "-._~:/?&=%+,") {
        true => Ok(text.to_owned()),
        // It may hold a token.
        false => Err(format!("it is not {what}")),
    }
}

fn program_sha256(text: &str) -> Result<String, String> {
    let is_digest = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match is_digest {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!("`{}` is not 64 hexadecimal digits", visible(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_recognised_in_every_form_and_its_token_dropped() {
        for origin in [
            "https://github.com/example-org/iam.git",
            "https://x:secret@github.com/example-org/iam",
            "git@github.com:example-org/iam.git",
            "ssh://git@github.com:22/example-org/iam.git/",
        ] {
            let found = repository_of(origin).unwrap_or_else(|| panic!("{origin}"));
            let found = [found.host, found.owner, found.name];
            assert_eq!(found, ["github.com", "example-org", "iam"], "{origin}");
        }
        for origin in ["", "/srv/iam.git", "file:///srv/iam.git", "https://h/a/b/c", "git@h:a/$(x)"]
        {
            assert!(repository_of(origin).is_none(), "{origin}");
        }
    }

    #[test]
    fn values_that_could_be_more_than_values_are_refused() {
        type Parse = fn(&str) -> Result<String, String>;
        let parsers: [(Parse, &str); 8] = [
            (region, "us-east-1"),
            (bucket, "aws-iam-gitops-state-111122223333"),
            (role, "arn:aws-cn:iam::111122223333:role/ci/a+b=c,d.e@f_g-h"),
            (branch, "release/1.0_x"),
            (environment, "production"),
            (team, "@example-org/security"),
            (program_url, "https://example.com/a/aws-iam-gitops?x=1%20"),
            (program_sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ];
        for (parse, good) in parsers {
            assert_eq!(parse(good).as_deref(), Ok(good));
            for bad in ["\"", "\n", "${{ x }}", "$(x)", "'", "\\", "`", " ", "\u{202e}", "#", "}"] {
                for bad in [format!("{good}{bad}"), format!("{bad}{good}")] {
                    assert!(parse(&bad).is_err(), "{bad:?}");
                }
            }
            assert!(parse("").is_err(), "{good}");
        }
        assert!(program_url("http://example.com/a").is_err());
        assert!(program_url("https://u:p@example.com/a").is_err());
        assert!(role("arn:aws:iam::111122223333:user/x").is_err());
    }
}
