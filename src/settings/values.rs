//! What a setting's value may be, whichever way it is given.
//!
//! A refusal repeats the value only where it cannot hold a secret by mistake: never an address,
//! never what looks like a token.

use std::collections::BTreeSet;
use std::env::temp_dir;
use std::error::Error;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::spelling::allowed;
use super::{SettingsError, Stored};
use crate::invisible::{is_invisible, visible};
use crate::repository::Remote;
use crate::resource::{KINDS, Kind};

/// A value that cannot be: what is wrong, what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub problem: String,
    pub right: String,
}

impl Invalid {
    pub fn new(problem: impl Into<String>, right: impl Into<String>) -> Invalid {
        Invalid { problem: problem.into(), right: right.into() }
    }

    pub fn at(self, place: impl Into<String>) -> SettingsError {
        SettingsError { place: place.into(), problem: self.problem, right: self.right }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.right)
    }
}

impl Error for Invalid {}

/// A folder inside the repository: `accounts/111122223333`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// # Errors
    ///
    /// An absolute path, an empty part, `.`, `..`, `.git`, or characters that nobody sees.
    pub fn parse(text: &str) -> Result<Prefix, Invalid> {
        let problem = if text.is_empty() {
            "no folder is named".to_owned()
        } else if text.starts_with('/') {
            format!("`{}` does not lie inside the repository", visible(text))
        } else if text.contains('\\') || text.chars().any(is_invisible) {
            format!("`{}` holds characters that a folder's name cannot", visible(text))
        } else if let Some(part) = text.split('/').find(|part| is_unusable(part)) {
            match part {
                "" => format!("`{text}` has an empty part"),
                _ => format!("`{text}` has the part `{part}`"),
            }
        } else {
            return Ok(Prefix(text.to_owned()));
        };
        Err(Invalid::new(
            problem,
            "a folder inside the repository, like `accounts/111122223333`; leave it out for the root",
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_unusable(part: &str) -> bool {
    matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git")
}

/// The name by which settings call a kind: its plural, in one word.
pub fn kind_name(plural: &str) -> String {
    plural.replace(' ', "_")
}

/// The names of all kinds, in settings.
pub fn kind_names() -> Vec<String> {
    KINDS.iter().map(|kind| kind_name(kind.plural)).collect()
}

/// The kinds that are written unless settings say otherwise.
pub fn default_kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().filter(|kind| kind.asked_by.is_none()).map(|kind| kind.plural)
}

/// The word for [`default_kinds`] in a list of kinds.
pub const DEFAULT: &str = "default";

/// The kinds that a word of a list of kinds stands for, by their plurals: a kind's own name, the
/// word for several, or [`DEFAULT`].
///
/// # Errors
///
/// It stands for none.
pub fn kind(word: &str) -> Result<BTreeSet<&'static str>, Invalid> {
    if word == DEFAULT {
        return Ok(default_kinds().collect());
    }
    let is_meant = |kind: &&&Kind| kind_name(kind.plural) == word || kind.asked_by == Some(word);
    let found: BTreeSet<_> = KINDS.iter().filter(is_meant).map(|kind| kind.plural).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let groups: BTreeSet<&str> = KINDS.iter().filter_map(|kind| kind.asked_by).collect();
    Err(unknown_kind(word, &groups.into_iter().chain([DEFAULT]).collect::<Vec<_>>()))
}

pub(super) fn unknown_kind(name: &str, words: &[&str]) -> Invalid {
    let mut names = kind_names();
    // A word for several may be a kind's own name.
    let words = words.iter().filter(|word| !names.iter().any(|name| name == *word));
    names.extend(words.map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Invalid::new(format!("there is no kind `{}`", visible(name)), allowed(name, &names))
}

/// Kinds, separated by commas.
///
/// # Errors
///
/// One that does not exist, or none at all.
pub fn kinds(text: &str) -> Result<BTreeSet<&'static str>, Invalid> {
    let mut kinds = BTreeSet::new();
    for word in text.split(',') {
        kinds.append(&mut kind(word.trim())?);
    }
    Ok(kinds)
}

/// How an export reaches the branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Commits are pushed to it.
    #[default]
    Push,
    /// Commits are pushed to a branch of their own, for which there is one pull request.
    PullRequest,
}

/// A mode by its name.
///
/// # Errors
///
/// Anything but `push` and `pull-request`.
pub fn mode(text: &str) -> Result<Mode, Invalid> {
    match text {
        "push" => Ok(Mode::Push),
        "pull-request" => Ok(Mode::PullRequest),
        _ => Err(Invalid::new(
            format!("there is no mode `{}`", visible(text)),
            allowed(text, &["push", "pull-request"]),
        )),
    }
}

/// # Errors
///
/// Anything but `true` and `false`.
pub fn boolean(text: &str) -> Result<bool, Invalid> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Invalid::new(format!("`{}` is neither", visible(text)), "`true` or `false`")),
    }
}

/// # Errors
///
/// Not a number from 1 to 64.
pub fn concurrency(text: &str) -> Result<usize, Invalid> {
    let number = text.parse().ok().filter(|number| (1..=64).contains(number));
    let problem = || format!("`{}` is not a number of calls", visible(text));
    number.ok_or_else(|| Invalid::new(problem(), "a number from 1 to 64"))
}

/// # Errors
///
/// Not a number of seconds up to a minute.
pub fn pause(text: &str) -> Result<Duration, Invalid> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=60.0).contains(seconds));
    let problem = || format!("`{}` is not a number of seconds", visible(text));
    let seconds = seconds.ok_or_else(|| Invalid::new(problem(), "a number from 0 to 60"))?;
    Ok(Duration::from_secs_f64(seconds))
}

/// A branch, by Git's rules for names.
///
/// # Errors
///
/// No name that Git takes, or one with `refs/heads/`.
pub fn branch(text: &str) -> Result<String, Invalid> {
    if let Some(name) = text.strip_prefix("refs/heads/") {
        let right = format!("`{}`, without `refs/heads/`", visible(name));
        return Err(Invalid::new(format!("`{}` is a whole reference", visible(text)), right));
    }
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.ends_with(".lock")
    };
    let is_name = text.split('/').all(is_part)
        && !text.starts_with('-')
        && !text.contains("..")
        && !text.contains("@{")
        && text != "@"
        && !text.chars().any(|c| " ~^:?*[\\".contains(c) || is_invisible(c));
    match is_name {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(
            format!("`{}` is not the name of a branch", visible(text)),
            "a name like `main`",
        )),
    }
}

/// Where the repository is: an address without credentials, or a folder.
///
/// # Errors
///
/// As [`Remote::parse`]; or an address that names no repository.
pub fn remote(text: &str) -> Result<Remote, Invalid> {
    let remote =
        Remote::parse(text).map_err(|error| Invalid::new(error.to_string(), error.hint()))?;
    let path = remote.path().map(|path| percent_decode_str(path).decode_utf8_lossy());
    match path {
        Some(path) if path.is_empty() || path.chars().any(is_invisible) => Err(Invalid::new(
            "that address names no repository",
            "an address like `https://github.com/owner/name`, or a folder",
        )),
        _ => Ok(remote),
    }
}

/// An address of the web, over TLS unless it is this machine's own.
///
/// # Errors
///
/// Another scheme, user name, password or query; the value is not repeated, for it may hold a
/// token.
pub fn web_address(text: &str) -> Result<Url, Invalid> {
    let url = Url::parse(text).map_err(|error| {
        Invalid::new(
            format!("that is no address: {error}"),
            "an address that begins with `https://`",
        )
    })?;
    let is_own = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if is_own => {}
        "http" => {
            return Err(Invalid::new(
                "over `http://` anybody on the way reads the token",
                "the same address with `https://`",
            ));
        }
        _ => return Err(Invalid::new("that is no address of the web", "`https://…`")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Invalid::new(
            "the address holds a user name or token",
            "the address without it; give the token by AWS_IAM_GITOPS_TOKEN_SECRET or AWS_IAM_GITOPS_TOKEN",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Invalid::new(
            "the address goes on behind the path",
            "the address up to `?` or `#`",
        ));
    }
    Ok(url)
}

/// A secret of Secrets Manager, by name or ARN.
///
/// # Errors
///
/// No name, an ARN of something else, or the token itself.
pub fn secret(text: &str) -> Result<Stored, Invalid> {
    stored_name(text, "secretsmanager", "secret").map(Stored::Secret)
}

/// A parameter of Systems Manager, by name or ARN.
///
/// # Errors
///
/// No name, an ARN of something else, or the token itself.
pub fn parameter(text: &str) -> Result<Stored, Invalid> {
    stored_name(text, "ssm", "parameter").map(Stored::Parameter)
}

/// How the tokens of GitHub and GitLab begin.
const TOKENS: [&str; 7] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"];

fn stored_name(text: &str, service: &str, what: &str) -> Result<String, Invalid> {
    let right = format!("the name or ARN of a {what}");
    if TOKENS.iter().any(|token| text.starts_with(token)) || text.contains("-----") {
        return Err(Invalid::new("that looks like the secret itself", right));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || "/_+=.@:!-".contains(c);
    if text.is_empty() || !text.chars().all(is_name) {
        return Err(Invalid::new(format!("that names no {what}"), right));
    }
    if text.starts_with("arn:") && text.split(':').nth(2) != Some(service) {
        return Err(Invalid::new(format!("`{text}` is the ARN of something else"), right));
    }
    Ok(text.to_owned())
}

/// A GitHub App's ID, or its client ID.
///
/// # Errors
///
/// Neither.
pub fn github_app_id(text: &str) -> Result<String, Invalid> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    let is_client =
        text.starts_with("Iv") && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    match !text.is_empty() && (is_number || is_client) {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(
            "that is no ID of a GitHub App",
            "the App ID, a number, or the client ID, which begins with `Iv`",
        )),
    }
}

/// # Errors
///
/// Not a number.
pub fn github_installation(text: &str) -> Result<u64, Invalid> {
    let right = "the number at the end of the address of the installation's page";
    text.parse().map_err(|_| Invalid::new("that is no ID of an installation", right))
}

/// A folder of its own for the clone of each repository, in the cache or else the system's
/// temporary folder.
pub fn default_clone(repository: &Remote, cache: Option<&Path>) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    repository.to_string().hash(&mut hasher);
    let name = format!("{:016x}", hasher.finish());
    match cache {
        Some(cache) => cache.join("aws-iam-gitops").join(name),
        None => temp_dir().join(format!("aws-iam-gitops-{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_are_allowed_are_named_once() {
        let told = kind("nothing").unwrap_err().to_string();
        for name in ["service_linked_roles", "identity_center", DEFAULT] {
            assert_eq!(told.matches(&format!("`{name}`")).count(), 1, "{told}");
        }
    }
}
