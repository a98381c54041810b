//! The connections of a function or of one command: AWS, the repository, and the login for it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, block_in_place};
use tracing::{info, warn};

use crate::aws::{self, Connection, Found, Members, Queue, Secrets, Source};
use crate::credentials::{self, SystemClock};
use crate::github::PullRequests;
use crate::progress::Progress;
use crate::repository::{Credentials, GitError, Reason, Repository};
use crate::settings::SyncSettings;
use crate::settings::accounts::{Accounts, FOLDER};
use crate::settings::file::{FILE_NAME, FileSettings};
use crate::several;
use crate::sync::{self, OneOfSeveral, Outcome, Task, sync};

/// Between two looks whether the clone is free.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What a thread gets that does a run: as much as a program's first one has.
pub const STACK: usize = 8 << 20;

/// Connections that may serve many runs, one after the other.
pub struct Session {
    pub source: Source,
    /// The way to other accounts; none: the source is files.
    members: Option<Arc<Members>>,
    /// A function's own queue.
    pub queue: Option<Queue>,
    login: Arc<dyn Credentials>,
    /// One at first; as many as accounts are brought to the repository at once.
    clones: Vec<Clone>,
    /// How many were opened so far; none takes the folder of another.
    opened: usize,
    settings: Arc<SyncSettings>,
}

/// What one run at a time needs of the repository.
struct Clone {
    repository: Repository,
    pulls: Option<PullRequests>,
    /// Held as long as the clone is in use.
    _lock: File,
}

/// What came of each account.
pub type Outcomes = BTreeMap<String, anyhow::Result<Outcome>>;

/// Waits until no other process uses the clone in a folder; whoever waits may give up.
async fn lock(clone: &Path) -> anyhow::Result<File> {
    let path = clone.with_extension("lock");
    let open = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        File::create(&path)
    };
    let file = open().with_context(|| format!("cannot open `{}`", path.display()))?;
    let mut is_waiting = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
            }
        }
        if !std::mem::replace(&mut is_waiting, true) {
            warn!(lock = path.display().to_string(), "another run uses the clone, waiting for it");
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

impl Session {
    /// Connects as a function does: with what its environment says.
    ///
    /// # Errors
    ///
    /// As [`Session::open`].
    pub async fn of_function(settings: SyncSettings) -> anyhow::Result<Session> {
        Session::open(settings, None, None, Progress::default()).await
    }

    /// Connects to AWS and opens the clone; the remote is not asked yet.
    ///
    /// # Errors
    ///
    /// No way to AWS, or a clone's folder that cannot be used.
    pub async fn open(
        settings: SyncSettings,
        profile: Option<String>,
        region: Option<String>,
        progress: Progress,
    ) -> anyhow::Result<Session> {
        let connection = Connection {
            profile,
            region,
            concurrency: settings.concurrency,
            aws_managed: false,
            pause: settings.pause,
        };
        let config = aws::config(&connection).await;
        let members = Members::connect(connection, config.clone(), progress)
            .await
            .context("cannot find out which AWS account this is")?;
        info!(account = members.own.account.id, principal = members.own.principal, "connected");
        let secrets = Secrets::new(&config);
        let login = credentials::open(&settings, secrets, Arc::new(SystemClock))?;
        let queue = settings.queue.clone().map(|url| Queue::new(&config, url));
        let source = Source::Live(members.own.again(false, None));
        let session = Session::with(settings, source, login).await?;
        Ok(Session { members: Some(Arc::new(members)), queue, ..session })
    }

    /// A session that reads from a source that is open already.
    ///
    /// # Errors
    ///
    /// The clone's folder cannot be used, or the certificates.
    pub async fn with(
        settings: SyncSettings,
        source: Source,
        login: Arc<dyn Credentials>,
    ) -> anyhow::Result<Session> {
        let clones = vec![Clone::open(&settings, &login, 0).await?];
        let settings = Arc::new(settings);
        Ok(Session { source, members: None, queue: None, login, clones, opened: 1, settings })
    }

    /// The account of the credentials; none: the source is files.
    pub fn own_account(&self) -> Option<&str> {
        self.members.as_ref().map(|members| members.own.account.id.as_str())
    }

    /// The repository's address, without a login.
    pub fn remote(&self) -> String {
        self.settings.repository.to_string()
    }

    /// Whether arguments or the environment name several accounts, whatever the repository says.
    pub fn is_told_of_several(&self) -> bool {
        self.settings.choices.accounts.which.is_some()
    }

    /// Does one run for the account of the source.
    ///
    /// # Errors
    ///
    /// As [`sync`].
    pub async fn sync(&mut self, task: &Task) -> anyhow::Result<Outcome> {
        let mut clone = self.free_clone().await?;
        let Clone { repository, pulls, .. } = &mut clone;
        let done = sync(&self.source, repository, pulls.as_ref(), &self.settings, task).await;
        self.clones.push(clone);
        done
    }

    /// The several accounts that the settings name, those in the repository among them. `is_patient`
    /// asks a server of Git that gives no usable answer as often as a run does.
    ///
    /// # Errors
    ///
    /// The repository cannot be read, its settings are wrong, or AWS does not list the accounts.
    pub async fn several(
        &mut self,
        deadline: Option<Instant>,
        is_patient: bool,
    ) -> anyhow::Result<Option<(Accounts, Found)>> {
        let Some(members) = self.members.clone() else { return Ok(None) };
        let mut clone = self.free_clone().await?;
        let (repository, branch) = (&mut clone.repository, &self.settings.branch);
        let mut outages = 0;
        let read = loop {
            let read: Result<_, GitError> = block_in_place(|| {
                repository.set_deadline(deadline);
                let head = repository.fetch(branch)?;
                let root = repository.tree(head, "")?;
                Ok((root.read(FILE_NAME)?, root.folders(FOLDER)?))
            });
            let Err(error) = &read else { break read };
            outages += 1;
            let is_outage = matches!(error.reason, Reason::Unavailable | Reason::Corrupt);
            let failures = sync::after_outages(outages).filter(|_| is_patient && is_outage);
            let Some(pause) = failures.and_then(|failures| sync::pause(failures, deadline)) else {
                break read;
            };
            warn!(error = error.to_string(), pause_ms = pause.as_millis() as u64, "trying again");
            tokio::time::sleep(pause).await;
        };
        self.clones.push(clone);
        let (text, folders) = read?;
        let coverage = self.settings.coverage(match text {
            Some(text) => FileSettings::parse(FILE_NAME, &String::from_utf8_lossy(&text))?,
            None => FileSettings::default(),
        });
        let Some(accounts) = coverage.several()? else { return Ok(None) };
        let found = members.find(&accounts, deadline).await.context("cannot find the accounts")?;
        let found = Found { gone: several::gone(folders, &found), ..found };
        if !found.gone.is_empty() {
            let accounts: Vec<_> = found.gone.iter().take(20).map(String::as_str).collect();
            info!(accounts = accounts.join(" "), "have folders and are not among the accounts");
        }
        Ok(Some((accounts, found)))
    }

    /// Does a run for each of several accounts, some at once: each with its own connection, and with
    /// a clone that no other uses meanwhile. `done` hears of each.
    pub async fn sync_several(
        &mut self,
        accounts: &Accounts,
        found: &Found,
        tasks: BTreeMap<String, Task>,
        mut done: impl FnMut(&str, &anyhow::Result<Outcome>),
    ) -> Outcomes {
        let mut outcomes = Outcomes::new();
        let mut waiting = tasks.into_iter();
        let mut running = JoinSet::new();
        let mut names = HashMap::new();
        loop {
            while running.len() < accounts.at_once
                && let Some((id, mut task)) = waiting.next()
            {
                let clone = self.free_clone().await;
                let (clone, members) = match (clone, &self.members) {
                    (Ok(clone), Some(members)) => (clone, Arc::clone(members)),
                    (Ok(_), None) => unreachable!("several accounts are read from AWS"),
                    (Err(error), _) => {
                        outcomes.insert(id, Err(error));
                        continue;
                    }
                };
                let reads_organization = found.reader.as_ref() == Some(&id);
                task.one_of_several = Some(OneOfSeveral { reads_organization });
                let (accounts, settings) = (accounts.clone(), Arc::clone(&self.settings));
                let name = id.clone();
                let runtime = Handle::current();
                // Committing and pushing block: each run has a thread.
                let run = move || {
                    runtime.block_on(clone.sync(&members, &accounts, &settings, &name, &task))
                };
                names.insert(running.spawn_blocking(run).id(), id);
            }
            let Some(ended) = running.join_next_with_id().await else { break };
            let (id, outcome) = match ended {
                Ok((id, (clone, outcome))) => {
                    self.clones.push(clone);
                    (id, outcome)
                }
                // A panic took its clone with it; the next account gets a new one.
                Err(error) => (error.id(), Err(error.into())),
            };
            let id = names.remove(&id).expect("every run has a name");
            done(&id, &outcome);
            outcomes.insert(id, outcome);
        }
        outcomes
    }

    async fn free_clone(&mut self) -> anyhow::Result<Clone> {
        if let Some(clone) = self.clones.pop() {
            return Ok(clone);
        }
        let clone = Clone::open(&self.settings, &self.login, self.opened).await?;
        self.opened += 1;
        Ok(clone)
    }
}

impl Clone {
    /// The clone with a number; the first one is that of the settings.
    async fn open(
        settings: &SyncSettings,
        login: &Arc<dyn Credentials>,
        number: usize,
    ) -> anyhow::Result<Clone> {
        let mut folder = settings.clone.clone().into_os_string();
        if number > 0 {
            folder.push(format!("-{number}"));
        }
        let folder = PathBuf::from(folder);
        let lock = lock(&folder).await?;
        let pulls = PullRequests::open(settings, Arc::clone(login), Arc::new(SystemClock))?;
        let certificates = settings.certificates.as_deref();
        let remote = settings.repository.clone();
        let repository = Repository::open(remote, &folder, Arc::clone(login), certificates)?;
        Ok(Clone { repository, pulls, _lock: lock })
    }

    /// Enters an account and does its run.
    async fn sync(
        mut self,
        members: &Members,
        accounts: &Accounts,
        settings: &SyncSettings,
        id: &str,
        task: &Task,
    ) -> (Clone, anyhow::Result<Outcome>) {
        let outcome = match members.enter(id, accounts, task.deadline).await {
            Ok(live) => {
                let source = Source::Live(live);
                sync(&source, &mut self.repository, self.pulls.as_ref(), settings, task).await
            }
            Err(error) => Err(error.into()),
        };
        (self, outcome)
    }
}
