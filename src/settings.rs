//! What a run is to do, as one validated value.
//!
//! Arguments win over the [`environment`], the environment over the repository's own [`file`]. What
//! a value may be is in [`values`]; nothing else of the program reads the environment.

pub mod accounts;
pub mod environment;
pub mod file;
pub mod guard;
pub mod ignore;
mod spelling;
pub mod values;

use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Url;
use secrecy::SecretString;

use crate::aws::{Connection, PAUSE};
use crate::error::Refused;
use crate::repository::Remote;
use crate::resource::{Entity, KINDS};
use crate::sync::LEASE;
use accounts::Accounts;
use environment::Environment;
use file::FileSettings;
use ignore::IgnoreRules;
use values::{Mode, Prefix};

/// One export, from files or from AWS, to a folder.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    /// What the AWS CLI wrote; empty means AWS itself.
    pub from: Vec<PathBuf>,
    pub to: PathBuf,
    /// Twelve digits; whose entities to take from the files.
    pub account: Option<String>,
    pub connection: Connection,
    pub coverage: Coverage,
    pub overwrite: bool,
    /// Whether the folder's hand-written Terraform is taken over.
    pub is_adopting: bool,
    pub dry_run: bool,
}

/// The settings that lie in a folder; the default where there are none.
///
/// # Errors
///
/// The file cannot be read, or says what cannot be.
pub fn of_folder(folder: &Path) -> anyhow::Result<FileSettings> {
    let path = folder.join(file::FILE_NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(FileSettings::parse(&path.display().to_string(), &text)?),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(FileSettings::default())
        }
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// An account ID: twelve digits.
///
/// # Errors
///
/// Anything else, with what is expected.
pub fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account ID has twelve digits".to_owned())
    }
}

/// A setting that cannot be: where, what is wrong, what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// A variable, or a file with line and column.
    pub place: String,
    pub problem: String,
    pub right: String,
}

impl SettingsError {
    pub fn hint(&self) -> &str {
        &self.right
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for SettingsError {}

/// What is written, as far as the arguments, the environment or the file say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    pub prefix: Option<Prefix>,
    /// Plural names, as in [`crate::resource::Kind::plural`].
    pub kinds: Option<BTreeSet<&'static str>>,
    pub aws_managed: Option<bool>,
    pub organizations_attachments: Option<bool>,
    pub managed_elsewhere: Option<bool>,
    pub exclusive: Option<bool>,
    pub imports: Option<bool>,
    pub mode: Option<Mode>,
    /// Several accounts instead of the one of the credentials.
    pub accounts: accounts::Choices,
}

impl Choices {
    /// These choices, and the other's where these say nothing.
    pub fn or(self, mut other: Choices) -> Choices {
        // Who names one folder means one account, who names accounts means their folders.
        if self.prefix.is_some() {
            other.accounts = accounts::Choices::default();
        }
        if self.accounts.which.is_some() {
            other.prefix = None;
        }
        Choices {
            accounts: self.accounts.or(other.accounts),
            prefix: self.prefix.or(other.prefix),
            kinds: self.kinds.or(other.kinds),
            aws_managed: self.aws_managed.or(other.aws_managed),
            organizations_attachments: self
                .organizations_attachments
                .or(other.organizations_attachments),
            managed_elsewhere: self.managed_elsewhere.or(other.managed_elsewhere),
            exclusive: self.exclusive.or(other.exclusive),
            imports: self.imports.or(other.imports),
            mode: self.mode.or(other.mode),
        }
    }
}

/// What is written to the repository, once its own file has been read.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The folder of the repository below which everything lies; `None` is its root.
    pub prefix: Option<Prefix>,
    /// Plural names, as in [`crate::resource::Kind::plural`]; other kinds are left as they are.
    pub kinds: BTreeSet<&'static str>,
    /// Whether AWS's own policies are written too.
    pub aws_managed: bool,
    pub organizations_attachments: bool,
    /// Whether Terraform is written for what something else manages.
    pub managed_elsewhere: bool,
    /// Whether Terraform is told that roles have no policies but those written.
    pub exclusive: bool,
    /// Whether resources come with import blocks.
    pub imports: bool,
    /// How what is written reaches the branch; a folder has none.
    pub mode: Mode,
    pub ignore: IgnoreRules,
    /// Several accounts, as far as somebody says; see [`Coverage::several`].
    pub accounts: accounts::Choices,
    /// Whether what belongs to the organization is written to the folder of another account.
    pub leaves_organization: bool,
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage::new(Choices::default(), FileSettings::default())
    }
}

impl Coverage {
    /// What these choices say, then the file, then the defaults.
    pub fn new(choices: Choices, file: FileSettings) -> Coverage {
        let choices = choices.or(file.choices);
        Coverage {
            prefix: choices.prefix,
            kinds: choices.kinds.unwrap_or_else(|| values::default_kinds().collect()),
            aws_managed: choices.aws_managed.unwrap_or(false),
            organizations_attachments: choices.organizations_attachments.unwrap_or(false),
            managed_elsewhere: choices.managed_elsewhere.unwrap_or(false),
            exclusive: choices.exclusive.unwrap_or(false),
            imports: choices.imports.unwrap_or(true),
            mode: choices.mode.unwrap_or_default(),
            ignore: file.ignore,
            accounts: choices.accounts,
            leaves_organization: false,
        }
    }

    /// The several accounts that are meant; none: the one of the credentials.
    ///
    /// # Errors
    ///
    /// What is said of them contradicts itself.
    pub fn several(&self) -> Result<Option<Accounts>, SettingsError> {
        let settled = self.accounts.clone().settled();
        settled.map_err(|invalid| invalid.at("the settings of several accounts"))
    }

    /// What is written for one of several accounts. What belongs to the organization is read in one
    /// of them only: what two folders declare has two owners.
    pub fn of_account(&self, id: &str, reads_organization: bool) -> Coverage {
        let mut coverage = self.clone();
        coverage.prefix = Some(accounts::folder_of(id));
        coverage.accounts = accounts::Choices::default();
        coverage.leaves_organization = !reads_organization;
        if !reads_organization {
            let is_of_organization = |plural: &str| {
                KINDS.iter().any(|kind| kind.plural == plural && kind.is_of_organization())
            };
            coverage.kinds.retain(|kind| !is_of_organization(kind));
        }
        coverage
    }

    /// Refuses several accounts where a command is about one.
    ///
    /// # Errors
    ///
    /// The settings name several.
    pub fn refuse_several(&self) -> Result<(), Refused> {
        match self.accounts.which {
            None => Ok(()),
            Some(_) => Err(Refused {
                error: "the settings name several accounts, and this command is about one"
                    .to_owned(),
                hint: "name its folder, as in `--prefix accounts/111122223333`",
            }),
        }
    }

    /// Whether an entity is left out, and its files left alone.
    pub fn ignores(&self, entity: &dyn Entity) -> bool {
        if self.ignore.is_empty() {
            return false;
        }
        let path = Some(entity.path()).filter(|path| !path.is_empty());
        self.ignore.matches(entity.kind().plural, &entity.names(), path, entity.tags())
    }

    /// The folder of everything, empty for the root.
    pub fn prefix(&self) -> &str {
        self.prefix.as_ref().map_or("", Prefix::as_str)
    }
}

/// What the arguments of `sync` say; each wins over its variable.
#[derive(Clone, Debug, Default)]
pub struct SyncArguments {
    pub repository: Option<Remote>,
    pub branch: Option<String>,
    pub concurrency: Option<usize>,
    pub choices: Choices,
}

/// Everything that is known before the repository is: where it is, and how to reach it and AWS.
#[derive(Clone, Debug)]
pub struct SyncSettings {
    pub repository: Remote,
    /// Without `refs/heads/`.
    pub branch: String,
    /// The folder that holds the clone from one run to the next.
    pub clone: PathBuf,
    /// A file of certificate authorities that servers are trusted by besides the system's.
    pub certificates: Option<PathBuf>,
    pub token: TokenSource,
    /// The address of GitHub's REST API; none: the repository is not known to be on GitHub.
    pub github_api: Option<Url>,
    /// Calls to AWS in flight at once.
    pub concurrency: usize,
    /// How long to wait before looking again for what AWS did not find.
    pub pause: Duration,
    /// How long what was read counts as read just now.
    pub lease: Duration,
    /// What the arguments and the environment say of what is written.
    pub choices: Choices,
    /// The queue on which a function puts a message for each of several accounts.
    pub queue: Option<Url>,
}

impl SyncSettings {
    /// What a function's environment says.
    ///
    /// # Errors
    ///
    /// As [`Environment::read`] and [`SyncSettings::new`].
    pub fn of_function() -> Result<SyncSettings, SettingsError> {
        SyncSettings::new(SyncArguments::default(), Environment::of_process()?)
    }

    /// Joins arguments and environment.
    ///
    /// # Errors
    ///
    /// Neither names a repository, or a GitHub App is to reach one that is not on GitHub.
    pub fn new(
        arguments: SyncArguments,
        environment: Environment,
    ) -> Result<SyncSettings, SettingsError> {
        let Some(repository) = arguments.repository.or(environment.repository) else {
            return Err(SettingsError {
                place: "`AWS_IAM_GITOPS_REPOSITORY`".to_owned(),
                problem: "no repository is named".to_owned(),
                right:
                    "set it, or `--repository`, to an address like `https://github.com/owner/name`"
                        .to_owned(),
            });
        };
        let mut token = environment.token;
        if let TokenSource::GitHubApp(app) = &mut token {
            app.place(&repository)?;
        }
        let github_api = repository.owner_and_name().and_then(|_| {
            let workflow = environment.workflow.filter(|(server, _)| {
                repository.url().is_some_and(|url| url.origin() == server.origin())
            });
            let is_github = matches!(token, TokenSource::GitHubApp(_)) || repository.is_github();
            environment
                .github_api
                .or_else(|| repository.github_api().filter(|_| is_github))
                .or_else(|| workflow.map(|(_, api)| api))
        });
        Ok(SyncSettings {
            github_api,
            branch: arguments.branch.or(environment.branch).unwrap_or_else(|| "main".to_owned()),
            clone: environment.clone.unwrap_or_else(|| {
                values::default_clone(&repository, environment.cache.as_deref())
            }),
            repository,
            certificates: environment.certificates,
            token,
            concurrency: arguments.concurrency.or(environment.concurrency).unwrap_or(8),
            pause: environment.pause.unwrap_or(PAUSE),
            lease: environment.lease.unwrap_or(LEASE),
            choices: arguments.choices.or(environment.choices),
            queue: environment.queue,
        })
    }

    /// What is written, now that the repository's own file is known.
    pub fn coverage(&self, file: FileSettings) -> Coverage {
        Coverage::new(self.choices.clone(), file)
    }
}

/// Where the token for the repository comes from.
#[derive(Clone, Debug)]
pub enum TokenSource {
    Given(SecretString),
    Stored(Stored),
    GitHubApp(GitHubApp),
    /// The token of a GitHub workflow, for repositories on that server alone; else git's own
    /// credential helpers.
    Ambient {
        token: Option<SecretString>,
        server: Url,
    },
}

/// A secret that AWS keeps, by name or ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Of Secrets Manager.
    Secret(String),
    /// Of Systems Manager.
    Parameter(String),
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stored::Secret(name) => write!(f, "secret `{name}`"),
            Stored::Parameter(name) => write!(f, "parameter `{name}`"),
        }
    }
}

/// A GitHub App that may write to the repository.
#[derive(Clone, Debug)]
pub struct GitHubApp {
    /// The App's ID or client ID.
    pub id: String,
    /// GitHub is asked for it when it is not given.
    pub installation: Option<u64>,
    /// The App's private key, in PEM.
    pub key: Stored,
    /// The address of GitHub's REST API; known at the latest when the repository is.
    pub api: Option<Url>,
}

impl GitHubApp {
    fn place(&mut self, repository: &Remote) -> Result<(), SettingsError> {
        if repository.owner_and_name().is_none() {
            return Err(SettingsError {
                place: "`AWS_IAM_GITOPS_GITHUB_APP_ID`".to_owned(),
                problem: "a GitHub App cannot reach that repository".to_owned(),
                right: "name one on GitHub, like `https://github.com/owner/name`".to_owned(),
            });
        }
        self.api = self.api.take().or_else(|| repository.github_api());
        Ok(())
    }
}
