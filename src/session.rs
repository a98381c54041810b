//! The connections of a function or of one command: AWS, the repository, and the login for it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tracing::{info, warn};

use crate::aws::{self, Connection, Live, Secrets, Source};
use crate::credentials::{self, SystemClock};
use crate::github::PullRequests;
use crate::progress::Progress;
use crate::repository::{Credentials, Repository};
use crate::settings::SyncSettings;
use crate::sync::{Outcome, Task, sync};

/// Between two looks whether the clone is free.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Connections that may serve many runs, one after the other.
pub struct Session {
    pub source: Source,
    repository: Repository,
    pulls: Option<PullRequests>,
    settings: SyncSettings,
    /// Held as long as the clone is in use.
    _lock: File,
}

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
        let live = Live::connect(&connection, &config, progress)
            .await
            .context("cannot find out which AWS account this is")?;
        info!(account = live.account.id, principal = live.principal, "connected");
        let secrets = Secrets::new(&config);
        let login = credentials::open(&settings, secrets, Arc::new(SystemClock))?;
        Session::with(settings, Source::Live(live), login).await
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
        let remote = settings.repository.clone();
        let lock = lock(&settings.clone).await?;
        let certificates = settings.certificates.as_deref();
        let pulls = PullRequests::open(&settings, Arc::clone(&login), Arc::new(SystemClock))?;
        let repository = Repository::open(remote, &settings.clone, login, certificates)?;
        Ok(Session { source, repository, pulls, settings, _lock: lock })
    }

    /// Does one run.
    ///
    /// # Errors
    ///
    /// As [`sync`].
    pub async fn sync(&mut self, task: &Task) -> anyhow::Result<Outcome> {
        let pulls = self.pulls.as_ref();
        sync(&self.source, &mut self.repository, pulls, &self.settings, task).await
    }
}
