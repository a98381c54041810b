//! What can go wrong with a call, said so that a person knows what to do.

use std::error::Error;
use std::fmt;
use std::time::Instant;

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};

use crate::error::chain;
use crate::invisible::visible;

/// A call that failed after all retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// Service and operation, as in a policy: `iam:ListRoles`.
    pub call: &'static str,
    pub reason: Reason,
    /// What AWS or the network said.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Denied,
    /// What was asked for does not exist.
    NotFound,
    Throttled,
    /// The account is in no organization.
    NoOrganization,
    /// The organization does not have this type of policy.
    NotEnabled,
    /// AWS does not know the credentials, or no longer.
    Unauthenticated,
    /// No answer of AWS: no credentials, network, time-out.
    Unreachable,
    /// A listing that says there is more and not where.
    CutShort,
    /// The run's time was over before the answer.
    OutOfTime,
    Other,
}

impl Reason {
    /// Whether the same call may succeed later.
    pub fn is_passing(self) -> bool {
        use Reason::{CutShort, Other, OutOfTime, Throttled, Unreachable};
        matches!(self, Throttled | Unreachable | CutShort | OutOfTime | Other)
    }
}

impl CallError {
    pub fn cut_short(call: &'static str) -> CallError {
        let message = "AWS said that there is more and gave no usable marker".to_owned();
        CallError { call, reason: Reason::CutShort, message }
    }

    /// An answer that lacks what was asked for: nothing is known then.
    pub fn empty(call: &'static str) -> CallError {
        let message = "its answer does not hold what was asked for".to_owned();
        CallError { call, reason: Reason::Other, message }
    }

    /// A listing of several accounts of which none is left.
    pub(super) fn no_account(call: &'static str) -> CallError {
        let message = "it lists no active account that is not left out".to_owned();
        CallError { call, reason: Reason::NotFound, message }
    }

    /// One of several things that a call was about was refused, for good or for now.
    pub(super) fn refused_entry(
        call: &'static str,
        message: String,
        is_passing: bool,
    ) -> CallError {
        let reason = if is_passing { Reason::Other } else { Reason::Denied };
        CallError { call, reason, message }
    }

    pub fn out_of_time(call: &'static str) -> CallError {
        let message = "the run has to end before its time limit".to_owned();
        CallError { call, reason: Reason::OutOfTime, message }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self.reason {
            Reason::Denied if self.call == "sts:AssumeRole" => Some(
                "make that role in the account (`terraform/modules/member`), let it trust who reads, and \
                 give both the same external ID"
                    .to_owned(),
            ),
            Reason::Denied => Some(format!(
                "allow `{}` to that principal; `aws-iam-gitops export --help` lists all permissions",
                self.call
            )),
            Reason::Throttled => Some("run again later, or with a smaller `--concurrency`".to_owned()),
            Reason::Unauthenticated | Reason::Unreachable => Some(
                "check the credentials (`aws sts get-caller-identity`), AWS_PROFILE, AWS_REGION and the network"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.reason {
            Reason::Denied => "was denied",
            Reason::Throttled => "was throttled to the end of all retries",
            Reason::Unauthenticated => "was refused",
            Reason::Unreachable => "got no answer",
            Reason::CutShort => "was cut short",
            Reason::OutOfTime => "was given up",
            _ => "failed",
        };
        write!(f, "`{}` {outcome}: {}", self.call, visible(&self.message))
    }
}

impl Error for CallError {}

/// Waits for one SDK call, until the deadline at most.
pub(super) async fn in_time<T, E>(
    call: &'static str,
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<T, CallError>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let answer = match deadline {
        None => work.await,
        Some(deadline) => match tokio::time::timeout_at(deadline.into(), work).await {
            Ok(answer) => answer,
            Err(_) => return Err(CallError::out_of_time(call)),
        },
    };
    answer.map_err(|error| call_error(call, &error))
}

/// The error of one SDK call.
pub(super) fn call_error<E>(call: &'static str, error: &SdkError<E>) -> CallError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let SdkError::ServiceError(service) = error else {
        return CallError { call, reason: Reason::Unreachable, message: chain(error) };
    };
    let code = service.err().code().unwrap_or("unknown error");
    let reason = match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Reason::Denied,
        "AccountNotFoundException"
        | "AccountNotRegisteredException"
        | "ChildNotFoundException"
        | "NoSuchEntity"
        | "OrganizationalUnitNotFoundException"
        | "ParameterNotFound"
        | "ParentNotFoundException"
        | "PolicyNotFoundException"
        | "ResourceNotFoundException"
        | "ResourcePolicyNotFoundException"
        | "TargetNotFoundException" => Reason::NotFound,
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => Reason::Throttled,
        "AWSOrganizationsNotInUseException" => Reason::NoOrganization,
        "PolicyTypeNotEnabledException"
        | "PolicyTypeNotAvailableForOrganizationException"
        | "InvalidInputException" => Reason::NotEnabled,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => Reason::Unauthenticated,
        _ => Reason::Other,
    };
    let message = match service.err().message() {
        Some(message) => format!("{message} ({code})"),
        None => code.to_owned(),
    };
    CallError { call, reason, message }
}
