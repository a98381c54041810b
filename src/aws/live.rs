//! The AWS API: clients with retries and time limits, and a bound on calls in flight.

use std::error::Error;
use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, meta::region::RegionProviderChain};
use aws_sdk_iam::config::retry::RetryPartition;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{EntityType, GroupDetail, ManagedPolicyDetail, RoleDetail, UserDetail};
use tokio::sync::{OnceCell, Semaphore};
use tracing::debug;

use super::call::{call_error, in_time};
use super::organization::{self, Organization};
use super::whole_answer::WholeAnswers;
use super::{Account, CallError};
use crate::progress::Progress;

/// How often one call is tried. IAM's and Organizations' rates are undocumented token buckets, so
/// the SDK's adaptive mode slows down all calls once one is throttled.
pub const MAX_ATTEMPTS: u32 = 10;

/// How long what is not found gets to appear, unless settings say otherwise.
pub const PAUSE: Duration = Duration::from_secs(2);

/// How to reach AWS.
#[derive(Clone, Debug)]
pub struct Connection {
    pub profile: Option<String>,
    pub region: Option<String>,
    /// Calls in flight at once, over all services.
    pub concurrency: usize,
    pub aws_managed: bool,
    /// Before what is not found is looked up again.
    pub pause: Duration,
}

/// A connection to one account.
pub struct Live {
    pub iam: aws_sdk_iam::Client,
    pub organizations: aws_sdk_organizations::Client,
    pub identity_center: aws_sdk_ssoadmin::Client,
    pub account: Account,
    /// Who reads.
    pub principal: String,
    pub aws_managed: bool,
    pub concurrency: usize,
    pub pause: Duration,
    pub progress: Progress,
    /// From when on no call is made or waited for.
    deadline: Option<Instant>,
    permits: Semaphore,
    calls: AtomicUsize,
    details: Box<OnceCell<Result<Details, CallError>>>,
    organization: Box<OnceCell<Result<Organization, CallError>>>,
}

/// All pages of GetAccountAuthorizationDetails; each kind takes its own part.
#[derive(Default)]
pub struct Details {
    pub roles: Mutex<Vec<RoleDetail>>,
    pub policies: Mutex<Vec<ManagedPolicyDetail>>,
    pub users: Mutex<Vec<UserDetail>>,
    pub groups: Mutex<Vec<GroupDetail>>,
}

impl Live {
    /// Connects and finds out which account it is.
    ///
    /// # Errors
    ///
    /// `sts:GetCallerIdentity` failed: no credentials, or no way to AWS.
    pub async fn connect(
        connection: &Connection,
        config: &SdkConfig,
        progress: Progress,
    ) -> Result<Live, CallError> {
        let (account, principal) = identity(config).await?;
        let live = Live::of_account(connection, config, account, principal, progress);
        live.count_call();
        Ok(live)
    }

    /// Connects to an account that is known; nothing is called yet.
    pub(super) fn of_account(
        connection: &Connection,
        config: &SdkConfig,
        account: Account,
        principal: String,
        progress: Progress,
    ) -> Live {
        let iam = aws_sdk_iam::config::Builder::from(config)
            .retry_partition(retry_partition())
            .interceptor(WholeAnswers)
            .build();
        let organizations = aws_sdk_organizations::config::Builder::from(config)
            .retry_partition(retry_partition())
            .build();
        let identity_center = aws_sdk_ssoadmin::config::Builder::from(config)
            .retry_partition(retry_partition())
            .build();
        Live {
            iam: aws_sdk_iam::Client::from_conf(iam),
            organizations: aws_sdk_organizations::Client::from_conf(organizations),
            identity_center: aws_sdk_ssoadmin::Client::from_conf(identity_center),
            account,
            principal,
            aws_managed: connection.aws_managed,
            concurrency: connection.concurrency,
            pause: connection.pause,
            progress,
            deadline: None,
            permits: Semaphore::new(connection.concurrency),
            calls: AtomicUsize::new(0),
            details: Box::default(),
            organization: Box::default(),
        }
    }

    /// The same connection for another run, in which nothing is read yet.
    pub fn again(&self, aws_managed: bool, deadline: Option<Instant>) -> Live {
        Live {
            iam: self.iam.clone(),
            organizations: self.organizations.clone(),
            identity_center: self.identity_center.clone(),
            account: self.account.clone(),
            principal: self.principal.clone(),
            aws_managed,
            concurrency: self.concurrency,
            pause: self.pause,
            progress: self.progress.clone(),
            deadline,
            permits: Semaphore::new(self.concurrency),
            calls: AtomicUsize::new(0),
            details: Box::default(),
            organization: Box::default(),
        }
    }

    /// The same connection for another run that shows nothing of what it does.
    pub(super) fn without_progress(&self) -> Live {
        Live { progress: Progress::default(), ..self.again(self.aws_managed, None) }
    }

    /// Counts a call that was made on the way here.
    pub(super) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes one call when there is room for it. `call` is its name in a policy.
    ///
    /// # Errors
    ///
    /// The call failed, retries included.
    pub async fn call<T, E>(
        &self,
        call: &'static str,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let work = async {
            let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
            self.calls.fetch_add(1, Ordering::Relaxed);
            request.await
        };
        let answer = in_time(call, self.deadline, work).await;
        debug!(call, failed = answer.is_err(), "called");
        answer
    }

    /// Makes the calls of a listing, page after page. `request` makes the one that starts at a
    /// marker; `take` takes the items of its answer, whether more follows, and where.
    ///
    /// # Errors
    ///
    /// Any page failed, or one says that there is more and not where: a listing is whole or none.
    pub async fn list<T, O, E, F>(
        &self,
        call: &'static str,
        request: impl Fn(Option<String>) -> F,
        take: impl Fn(O) -> (Vec<T>, bool, Option<String>),
    ) -> Result<Vec<T>, CallError>
    where
        F: Future<Output = Result<O, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut found = Vec::new();
        let mut pages = Pages::new(call);
        loop {
            let answer = self.call(call, request(pages.marker())).await?;
            let (items, is_truncated, marker) = take(answer);
            found.extend(items);
            if !pages.more(is_truncated, marker)? {
                return Ok(found);
            }
        }
    }

    /// Calls made so far, retries not counted.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// The account's authorization details, read once for all kinds.
    ///
    /// # Errors
    ///
    /// Any page failed; then nothing of the listing is used.
    pub async fn authorization_details(&self) -> Result<&Details, CallError> {
        let read = || async {
            let details = self.read_authorization_details().await;
            self.progress.stop("authorization details");
            details
        };
        self.details.get_or_init(read).await.as_ref().map_err(Clone::clone)
    }

    /// The tree of the account's organization, read once for all kinds.
    ///
    /// # Errors
    ///
    /// Its roots cannot be listed; what else could not is in the answer.
    pub async fn organization(&self) -> Result<&Organization, CallError> {
        let read = || organization::read(self);
        self.organization.get_or_init(read).await.as_ref().map_err(Clone::clone)
    }

    /// Waits before what is not found is looked up again, but not beyond the deadline.
    pub async fn pause(&self) {
        let end = Instant::now() + self.pause;
        let end = self.deadline.map_or(end, |deadline| deadline.min(end));
        tokio::time::sleep_until(end.into()).await;
    }

    async fn read_authorization_details(&self) -> Result<Details, CallError> {
        let call = "iam:GetAccountAuthorizationDetails";
        let mut filters = vec![
            EntityType::User,
            EntityType::Group,
            EntityType::Role,
            EntityType::LocalManagedPolicy,
        ];
        filters.extend(self.aws_managed.then_some(EntityType::AwsManagedPolicy));
        let mut details = Details::default();
        let mut pages = Pages::new(call);
        loop {
            let request = self
                .iam
                .get_account_authorization_details()
                .set_filter(Some(filters.clone()))
                .max_items(1000)
                .set_marker(pages.marker());
            let page = self.call(call, request.send()).await?;
            let roles = details.roles.get_mut().expect("not shared yet");
            let policies = details.policies.get_mut().expect("not shared yet");
            let users = details.users.get_mut().expect("not shared yet");
            let groups = details.groups.get_mut().expect("not shared yet");
            users.extend(page.user_detail_list.unwrap_or_default());
            groups.extend(page.group_detail_list.unwrap_or_default());
            roles.extend(page.role_detail_list.unwrap_or_default());
            // The filter is AWS's to apply; what it lets through all the same is not wanted.
            policies.extend(page.policies.unwrap_or_default().into_iter().filter(|policy| {
                let is_of_aws = policy.arn().is_some_and(|arn| arn.contains(":iam::aws:policy/"));
                self.aws_managed || !is_of_aws
            }));
            let number = users.len() + groups.len() + roles.len() + policies.len();
            self.progress.count("authorization details", number, None);
            if !pages.more(page.is_truncated, page.marker)? {
                return Ok(details);
            }
        }
    }
}

/// The SDK's configuration: region, credentials, retries, time limits.
pub async fn config(connection: &Connection) -> SdkConfig {
    let mut of_profile = aws_config::default_provider::region::Builder::default();
    if let Some(profile) = &connection.profile {
        of_profile = of_profile.profile_name(profile);
    }
    let region = RegionProviderChain::first_try(connection.region.clone().map(Region::new))
        .or_else(of_profile.build())
        .or_else("us-east-1");
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .retry_config(RetryConfig::adaptive().with_max_attempts(MAX_ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(10))
                .read_timeout(Duration::from_secs(60))
                .build(),
        );
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

/// Rates and retries of a client's own: AWS counts calls by account, and where clients share the
/// SDK's budget of retries, one that is throttled takes all of it.
pub(super) fn retry_partition() -> RetryPartition {
    RetryPartition::custom("aws-iam-gitops").build()
}

/// Which account the credentials are of, and who they are.
async fn identity(config: &SdkConfig) -> Result<(Account, String), CallError> {
    let call = "sts:GetCallerIdentity";
    let sts = aws_sdk_sts::config::Builder::from(config).interceptor(WholeAnswers).build();
    let identity = aws_sdk_sts::Client::from_conf(sts)
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| call_error(call, &error))?;
    let principal = identity.arn.unwrap_or_default();
    let account = Account::of_arn(&principal).ok_or_else(|| CallError {
        call,
        reason: super::Reason::Other,
        message: format!("its answer names no account: `{principal}`"),
    })?;
    Ok((account, principal))
}

/// The pages of one listing: short pages are normal, a missing or repeated marker is an error.
pub struct Pages {
    call: &'static str,
    marker: Option<String>,
}

impl Pages {
    pub fn new(call: &'static str) -> Pages {
        Pages { call, marker: None }
    }

    pub fn marker(&self) -> Option<String> {
        self.marker.clone()
    }

    /// Whether another page follows.
    ///
    /// # Errors
    ///
    /// AWS says that there is more and gives no marker, or the one it gave before.
    pub fn more(&mut self, is_truncated: bool, marker: Option<String>) -> Result<bool, CallError> {
        if !is_truncated {
            return Ok(false);
        }
        let marker = marker.filter(|marker| !marker.is_empty());
        if marker.is_none() || marker == self.marker {
            return Err(CallError::cut_short(self.call));
        }
        self.marker = marker;
        Ok(true)
    }
}
