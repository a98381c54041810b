//! What can go wrong with a Git remote or its clone, said so that a caller can decide.

use std::error::Error;
use std::fmt;

use crate::invisible::visible;

/// An operation on a Git repository that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {message}")]
pub struct GitError {
    pub reason: Reason,
    /// What was tried: ``cannot fetch `main` of `https://…` ``.
    action: String,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The server knows no such login (401), also after the credentials were renewed.
    Unauthorized,
    /// The login may not do this (403).
    Forbidden,
    /// No such repository, or none that the login may see (404).
    NotFound,
    /// No usable answer: 5xx, connection refused or cut, time-out.
    Unavailable,
    /// Somebody else pushed first: worth a new attempt, from the fetch on.
    Rejected,
    /// A hook or a rule of the server declined the push: a new attempt changes nothing.
    Refused,
    /// The server's certificate or its TLS is not to be trusted.
    Tls,
    /// The clone is damaged; the next fetch makes it anew.
    Corrupt,
    /// The disk of the clone is full.
    NoSpace,
    Other,
}

impl GitError {
    pub(super) fn new(reason: Reason, action: impl Into<String>, message: &str) -> GitError {
        GitError { reason, action: action.into(), message: bounded(message) }
    }

    /// What was said about the cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same again, from the fetch on, may succeed.
    pub fn is_retryable(&self) -> bool {
        use Reason::{Corrupt, NoSpace, Rejected, Unavailable};
        matches!(self.reason, Unavailable | Rejected | Corrupt | NoSpace)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self.reason {
            Reason::Unauthorized => Some("check the token: it may be missing, expired or revoked"),
            Reason::Forbidden => {
                Some("allow the token to read and write the repository's contents")
            }
            Reason::NotFound => Some(
                "check the URL; a server also says so of a repository that the token may not see",
            ),
            Reason::Unavailable => Some("check the network and the server, then run again"),
            Reason::Rejected => Some("somebody else pushed at the same time: run again"),
            Reason::Refused => Some(
                "allow the push in the rules of the branch, choose another branch, or set `mode = \"pull-request\"`",
            ),
            Reason::Tls => Some("GIT_SSL_CAINFO names a file with further certificate authorities"),
            Reason::Corrupt => Some("run again: the clone is made anew"),
            Reason::NoSpace => Some("free some space for the clone"),
            Reason::Other => None,
        }
    }
}

/// The cause of a failure before it is known what was tried.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub reason: Reason,
    pub message: String,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Failure {
        Failure { reason, message: message.into() }
    }

    pub fn during(&self, action: impl Into<String>) -> GitError {
        GitError::new(self.reason, action, &self.message)
    }
}

/// The failure of an operation on the clone itself: what it says cannot be read is damaged. So is
/// what is locked: a process that was killed leaves its locks.
impl From<git2::Error> for Failure {
    fn from(error: git2::Error) -> Failure {
        use git2::{ErrorClass, ErrorCode};
        let message = error.message();
        let reason = match (error.code(), error.class()) {
            _ if is_no_space(message) => Reason::NoSpace,
            (ErrorCode::NotFastForward | ErrorCode::Modified | ErrorCode::Exists, _) => {
                Reason::Rejected
            }
            (ErrorCode::Eof, _) | (_, ErrorClass::Net) => Reason::Unavailable,
            (ErrorCode::Owner | ErrorCode::InvalidSpec, _) => Reason::Other,
            _ => Reason::Corrupt,
        };
        Failure::new(reason, message)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        let message = error.to_string();
        let reason = if is_no_space(&message) { Reason::NoSpace } else { Reason::Other };
        Failure { reason, message }
    }
}

/// libgit2 hands on the system's text alone.
fn is_no_space(message: &str) -> bool {
    ["No space left on device", "Disk quota exceeded"].iter().any(|text| message.contains(text))
}

/// One line of untrusted text, not too long.
fn bounded(text: &str) -> String {
    const LIMIT: usize = 600;
    let text = text.trim();
    let mut cut = String::new();
    let short = if text.chars().count() > LIMIT {
        cut.extend(text.chars().take(LIMIT));
        cut.push('…');
        &cut
    } else {
        text
    };
    visible(short).into_owned()
}

/// What a remote text without a place to be is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    pub(super) message: &'static str,
    pub(super) hint: String,
}

impl RemoteError {
    /// What to do about it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for RemoteError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_server_is_bounded_and_visible() {
        let error = GitError::new(Reason::Refused, "cannot push", &"\u{1b}[31m\n".repeat(1000));
        let text = error.to_string();
        assert!(!text.contains(['\u{1b}', '\n']));
        assert!(text.chars().count() < 8000);
        assert!(text.starts_with("cannot push: \\u{1b}[31m"));
    }

    #[test]
    fn full_disk_is_told_from_damage() {
        let full = git2::Error::from_str("failed to write: No space left on device");
        assert_eq!(Failure::from(full).reason, Reason::NoSpace);
        let damaged = git2::Error::new(
            git2::ErrorCode::HashsumMismatch,
            git2::ErrorClass::Odb,
            "object hash mismatch",
        );
        assert_eq!(Failure::from(damaged).reason, Reason::Corrupt);
    }
}
