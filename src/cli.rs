//! The command line: arguments → settings, outcome → text and exit code.

mod accounts;
mod adopt;
mod authorization_details;
mod demo;
mod guard;
mod init;
mod render;
mod sanitize;
mod status;
mod sync;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::styling::Styles;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::aws::{self, Connection, Dump, Members, PAUSE, Source};
use crate::error::Refused;
use crate::export::export;
use crate::progress::Progress;
use crate::resource::export_permissions;
use crate::session::STACK;
use crate::settings::accounts::Accounts;
use crate::settings::{self, Choices, Coverage, ExportSettings, account_id};
use crate::several;
use crate::summary::{Failure, Summary};
use accounts::AccountsArguments;

/// Keeps AWS IAM, organizations policies and a Git repository equal.
///
/// It writes roles, customer managed policies and organizations policies as raw JSON and as
/// Terraform with import blocks. `terraform plan` right after an export shows imports and nothing
/// else.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 100, styles = Styles::plain())]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// Log more to stderr: -v each API call, -vv what the AWS SDK does
    #[arg(
        short,
        long,
        global = true,
        help_heading = GLOBAL,
        action = clap::ArgAction::Count,
        conflicts_with = "quiet"
    )]
    verbose: u8,

    /// Log errors only, and show no progress
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    quiet: bool,
}

/// The heading of the options that every command takes.
const GLOBAL: &str = "Global options";

#[derive(Subcommand)]
enum Command {
    Export(Box<ExportArguments>),
    Sync(Box<sync::SyncCommand>),
    Event(Box<sync::EventCommand>),
    Status(Box<status::StatusCommand>),
    Adopt(adopt::AdoptCommand),
    Render(render::RenderCommand),
    Guard(guard::GuardCommand),
    AuthorizationDetails(authorization_details::AuthorizationDetailsCommand),
    Init(Box<init::InitCommand>),
    Sanitize(sanitize::SanitizeCommand),
    Demo(demo::DemoCommand),
    /// Print a completion script for a shell
    ///
    /// For bash: aws-iam-gitops completions bash > ~/.local/share/bash-completion/completions/aws-iam-gitops
    Completions {
        /// The shell the script is for
        shell: clap_complete::Shell,
    },
    /// Print the manual page of a command
    ///
    /// To read it: aws-iam-gitops man export | man -l -
    Man {
        /// The command; without it, the page of the program
        #[arg(value_parser = ["export", "sync", "event", "status", "adopt", "render", "guard", "authorization-details", "init", "sanitize", "demo", "completions", "man"])]
        command: Option<String>,
    },
}

/// Write an account to a folder, as raw JSON and as Terraform
///
/// Reads the account with the ordinary AWS credentials (profiles, environment, SSO, AWS_REGION,
/// AWS_ENDPOINT_URL), or from files that the AWS CLI wrote. Only files that differ are written;
/// files of entities that are gone from AWS are removed; files of other origin and Terraform that
/// a person edited are left alone.
#[derive(Args)]
#[command(after_long_help = after_help())]
struct ExportArguments {
    /// Read files that the AWS CLI wrote, instead of AWS; may be repeated
    ///
    /// A file, or a folder with all its *.json files. Told apart by content, these are read:
    /// `aws iam get-account-authorization-details` (one page or several), `aws iam list-roles`,
    /// `get-role`, `get-policy`, `get-instance-profile`, `list-open-id-connect-providers`,
    /// `get-open-id-connect-provider`, `list-saml-providers`, `get-saml-provider` in a file called
    /// `get-saml-provider.NAME.json`, `list-account-aliases` and `get-account-password-policy`, `aws
    /// organizations list-policies`, `describe-policy`, and, with the policy's ID in the file's name,
    /// `list-targets-for-policy` and `list-tags-for-resource`. Raw JSON that this program wrote is
    /// read too. Files prove that something is gone only where they are one whole listing, not pages
    /// of one.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    from: Vec<PathBuf>,

    /// The folder to write to; made if it is not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Of the accounts in the files given, take this one
    #[arg(long, value_name = "ID", value_parser = account_id, requires = "from")]
    account: Option<String>,

    /// Write AWS's own policies too, those in use, as raw JSON
    #[arg(long)]
    aws_managed: bool,

    /// Write Terraform also for what CloudFormation or this project's own infrastructure manages
    ///
    /// Such roles and policies carry the tag `aws:cloudformation:stack-name` or
    /// `managed-by = aws-iam-gitops`. They are raw JSON only otherwise: two owners of one resource
    /// undo each other's changes.
    #[arg(long)]
    managed_elsewhere: bool,

    /// Write attachments of organizations policies as Terraform too
    ///
    /// Refreshing them takes Terraform a number of calls that grows with the square of the targets.
    /// Whether a policy's file has them is decided when it is first written; --overwrite decides
    /// again.
    #[arg(long)]
    organizations_attachments: bool,

    /// Write `*_exclusive` resources for roles, so that other policies that a role gets show in a plan
    ///
    /// Applying them takes away what is attached behind Git's back. Without them Terraform does not
    /// look for policies that it does not know.
    #[arg(long)]
    exclusive: bool,

    /// Write Terraform without import blocks, to make everything anew in an empty account
    ///
    /// `aws-iam-gitops export --from ./iam --no-import --to ./restore` does it from the raw JSON
    /// in Git. Also for a module whose imports are applied: Terraform gets slow with thousands of
    /// import blocks. Later exports leave them out; --overwrite brings them back.
    #[arg(long)]
    no_import: bool,

    /// Write over Terraform that a person edited; what AWS does not have yet is lost
    ///
    /// Resources that a person added to such a file leave Terraform without being destroyed
    /// (`removed` blocks), and import blocks that were taken out come back.
    #[arg(long)]
    overwrite: bool,

    /// Write nothing, tell what would be written
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    output: Output,

    /// The profile in the AWS configuration; otherwise AWS_PROFILE
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    profile: Option<String>,

    /// The region to sign for; otherwise AWS_REGION, the profile's, or us-east-1
    #[arg(long, value_name = "REGION", conflicts_with = "from")]
    region: Option<String>,

    /// AWS calls in flight at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,

    #[command(flatten)]
    accounts: AccountsArguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// A summary for people
    Text,
    /// The same for programs
    Json,
}

fn after_help() -> String {
    format!(
        "Permissions that reading from AWS takes:\n{}\n\n\
         Examples:\n  \
         aws-iam-gitops export --to ./iam\n  \
         aws-iam-gitops export --from authorization-details.json list-roles.json --to ./iam\n  \
         cd iam/terraform && terraform init && terraform plan\n\n\
         Exit codes:\n  0 done, 1 something failed (what could be read is written), 2 usage",
        lines(export_permissions())
    )
}

fn lines(items: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    items.into_iter().map(|item| format!("  {item}")).collect::<Vec<_>>().join("\n")
}

/// Runs the command line; the answer is the process's exit code.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging(arguments.verbose, arguments.quiet);
    let outcome = match arguments.command {
        Command::Export(export) => run_export(*export, false, arguments.quiet),
        Command::Sync(command) => sync::sync(*command, arguments.quiet),
        Command::Event(command) => sync::event(*command, arguments.quiet),
        Command::Status(command) => status::status(*command, arguments.quiet),
        Command::Adopt(command) => adopt::adopt(command, arguments.quiet),
        Command::Render(command) => render::run(command),
        Command::Guard(command) => guard::run(&command),
        Command::AuthorizationDetails(command) => {
            authorization_details::run(command, arguments.quiet)
        }
        Command::Init(command) => init::run(*command, arguments.quiet),
        Command::Sanitize(command) => sanitize::run(&command),
        Command::Demo(command) => demo::demo(&command),
        Command::Completions { shell } => print_completions(shell),
        Command::Man { command } => print_manual(command.as_deref()),
    };
    outcome.unwrap_or_else(|error| {
        eprint!("{}", crate::error::text(&error));
        ExitCode::FAILURE
    })
}

/// Log lines go to stderr. Where that is a terminal the progress bars tell most of it.
fn start_logging(verbose: u8, quiet: bool) {
    let level = match verbose {
        _ if quiet => LevelFilter::ERROR,
        0 if io::stderr().is_terminal() => LevelFilter::WARN,
        0 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let filter = match verbose {
        0 | 1 => EnvFilter::new(format!("off,aws_iam_gitops={level}")),
        _ => EnvFilter::new(level.to_string()),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(verbose > 1)
        .init();
}

fn run_export(
    arguments: ExportArguments,
    is_adopting: bool,
    quiet: bool,
) -> anyhow::Result<ExitCode> {
    if !arguments.from.is_empty() && arguments.accounts.are_named() {
        usage(
            ErrorKind::ArgumentConflict,
            "`--accounts` are read from AWS, not from files (`--from`)",
        );
    }
    let chosen = |flag: bool| flag.then_some(true);
    let choices = Choices {
        aws_managed: chosen(arguments.aws_managed),
        organizations_attachments: chosen(arguments.organizations_attachments),
        managed_elsewhere: chosen(arguments.managed_elsewhere),
        exclusive: chosen(arguments.exclusive),
        imports: arguments.no_import.then_some(false),
        accounts: arguments.accounts.choices(),
        ..Choices::default()
    };
    let coverage = Coverage::new(choices, settings::of_folder(&arguments.to)?);
    let several = coverage.several()?;
    if is_adopting {
        coverage.refuse_several().map_err(|refused| Refused {
            hint: "name its folder, as in `adopt accounts/111122223333`, with credentials of that account",
            ..refused
        })?;
        adopt::refuse_without_terraform(&arguments.to.join(coverage.prefix()))?;
    }
    let mut settings = ExportSettings {
        from: arguments.from,
        to: arguments.to,
        account: arguments.account,
        connection: Connection {
            profile: arguments.profile,
            region: arguments.region,
            concurrency: usize::from(arguments.concurrency),
            aws_managed: coverage.aws_managed,
            pause: PAUSE,
        },
        coverage,
        overwrite: arguments.overwrite,
        is_adopting,
        dry_run: arguments.dry_run,
    };
    let output = arguments.output;
    let progress = if quiet { Progress::default() } else { Progress::bars() };
    if settings.from.is_empty()
        && let Some(accounts) = several
    {
        return export_several(accounts, settings, progress, output);
    }
    let summary = runtime()?.block_on(async {
        let source = open(&settings, progress).await?;
        if several.is_some() {
            let account = source.account().ok_or_else(|| Refused {
                error: "the settings name several accounts, and the files do not tell of which they are"
                    .to_owned(),
                hint: "name it with `--account`",
            })?;
            settings.coverage = settings.coverage.of_account(&account.id, true);
        }
        export(&source, &settings).await
    })?;
    match output {
        Output::Text => print(&summary.text())?,
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&summary)?))?,
    }
    Ok(report_failures(&summary))
}

fn export_several(
    accounts: Accounts,
    settings: ExportSettings,
    progress: Progress,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let report = runtime()?.block_on(async {
        let members = connect(&settings.connection, progress).await?;
        several::export(members, accounts, settings).await
    })?;
    match output {
        Output::Text => print(&report.text())?,
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&report.value())?))?,
    }
    Ok(report_each(&report.failures()))
}

/// Ends the program as clap does for arguments that it refuses.
fn usage(kind: ErrorKind, message: &str) -> ! {
    Arguments::command().error(kind, message).exit()
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_stack_size(STACK).build().context("cannot start the runtime")
}

async fn connect(connection: &Connection, progress: Progress) -> anyhow::Result<Members> {
    let config = aws::config(connection).await;
    let members = Members::connect(connection.clone(), config, progress)
        .await
        .context("cannot find out which AWS account this is")?;
    tracing::info!(
        account = members.own.account.id,
        principal = members.own.principal,
        "connected"
    );
    Ok(members)
}

async fn open(settings: &ExportSettings, progress: Progress) -> anyhow::Result<Source> {
    if !settings.from.is_empty() {
        return Ok(Source::Dump(Dump::read(
            &settings.from,
            settings.account.as_deref(),
            settings.connection.aws_managed,
        )?));
    }
    Ok(Source::Live(connect(&settings.connection, progress).await?.own))
}

fn report_failures(summary: &Summary) -> ExitCode {
    report_each(&summary.failures)
}

/// Tells failures and, each once, what to do about them.
fn report_each(failures: &[Failure]) -> ExitCode {
    if failures.is_empty() {
        return ExitCode::SUCCESS;
    }
    for failure in failures {
        eprintln!("error: {}", failure.error);
    }
    let hints: BTreeSet<_> =
        failures.iter().filter_map(|failure| failure.hint.as_deref()).collect();
    for hint in hints {
        eprintln!("\nhint: {hint}");
    }
    ExitCode::FAILURE
}

fn print_completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "aws-iam-gitops", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}

fn print_manual(command: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut program = Arguments::command();
    program.build();
    let page = match command {
        None => program,
        Some(name) => program.find_subcommand(name).context("there is no such command")?.clone(),
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    print(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints to stdout; a reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::sync_permissions;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_lists_every_permission() {
        for (command, permissions) in [
            ("export", export_permissions()),
            ("sync", sync_permissions()),
            ("event", sync_permissions()),
        ] {
            let mut program = Arguments::command();
            let command = program.find_subcommand_mut(command).unwrap();
            let help = command.render_long_help().to_string();
            for permission in permissions {
                assert!(help.contains(&format!("  {permission}\n")), "{permission}");
            }
        }
    }
}
