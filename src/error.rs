//! How errors are told to people: what failed, why, and what to do about it.

use std::fmt::Write;

use crate::aws::{CallError, DumpError};
use crate::github::GitHubError;
use crate::repository::{GitError, RemoteError};
use crate::settings::SettingsError;

/// Something this program does not do, and what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Refused {
    pub error: String,
    pub hint: &'static str,
}

/// The text for people: the error, its causes, one hint.
pub fn text(error: &anyhow::Error) -> String {
    let mut out = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        let _ = writeln!(out, "  caused by: {cause}");
    }
    if let Some(hint) = error.chain().find_map(hint_of) {
        let _ = write!(out, "\nhint: {hint}\n");
    }
    out
}

/// The text for one line: the error, its causes, and the hint in parentheses.
pub fn described(error: &anyhow::Error) -> String {
    let parts: Vec<String> = error.chain().map(ToString::to_string).collect();
    let text = parts.join(": ");
    match error.chain().find_map(hint_of) {
        Some(hint) => format!("{text} ({hint})"),
        None => text,
    }
}

/// What to do about an error, if it is one that says so.
pub fn hint_of(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<CallError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<GitHubError>() {
        return error.hint().map(str::to_owned);
    }
    if let Some(error) = error.downcast_ref::<SettingsError>() {
        return Some(error.hint().to_owned());
    }
    if let Some(error) = error.downcast_ref::<GitError>() {
        return error.hint().map(str::to_owned);
    }
    if let Some(error) = error.downcast_ref::<RemoteError>() {
        return Some(error.hint().to_owned());
    }
    if let Some(error) = error.downcast_ref::<DumpError>() {
        return error.hint().map(str::to_owned);
    }
    error.downcast_ref::<Refused>().map(|error| error.hint.to_owned())
}

/// An error and its causes, each once: many texts leave their causes out, and some repeat them.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn error_causes_and_hint_are_told_once() {
        let refused = Refused { error: "no".to_owned(), hint: "try that" };
        let error = Err::<(), _>(refused).context("cannot export").unwrap_err();
        assert_eq!(text(&error), "error: cannot export\n  caused by: no\n\nhint: try that\n");
        assert_eq!(described(&error), "cannot export: no (try that)");
    }
}
