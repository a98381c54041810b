//! Edits a file in place: only the text of what changed is replaced.
//!
//! Comments, order, blank lines, line ends and the spelling of everything else stay byte for byte,
//! down to the statements of a policy and the items of a list. Where things stand comes from
//! [`Node`]s; how they are laid out is looked up in the text around them. Printing is left to
//! [`super::format`], blanks that depend on other lines to [`super::align`].

mod assumed;
mod body;
mod compare;
mod container;
mod pairing;
mod print;
#[cfg(test)]
mod tests;
mod value;

use std::ops::Range;

pub use assumed::may_be_unmoved;
pub use body::{
    append_blocks, insert_attribute, insert_blocks_after, remove_attribute, remove_block,
};
pub use compare::{Match, Meaning, compare};
pub use value::edit_value;

/// A part of a text to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// The file whose text it is a part of; `None`: the file that is being edited.
    pub file: Option<String>,
    pub span: Range<usize>,
    pub text: String,
}

/// Why splices cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    #[error("two changes of bytes {} to {} overlap", .0.start, .0.end)]
    Overlap(Range<usize>),
    #[error("bytes {} to {} are not a part of the text", .0.start, .0.end)]
    Outside(Range<usize>),
}

/// Why an expression cannot be made to mean a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Blocked {
    /// The file that [`Blocked::span`] is a part of; `None`: the file that is being edited.
    pub file: Option<String>,
    /// The part that would have to change.
    pub span: Range<usize>,
    pub reason: Reason,
}

/// What is in the way of a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the value is known to Terraform only")]
    Unknown,
    #[error("the value is made elsewhere")]
    MadeElsewhere,
    #[error("there is no file `{0}`")]
    NoFile(String),
}

/// The text with its parts replaced. Splices at one place are applied in the order given.
///
/// # Errors
///
/// Splices that overlap or do not fit the text.
pub fn apply(text: &str, splices: &[Splice]) -> Result<String, SpliceError> {
    let mut sorted: Vec<&Splice> = splices.iter().collect();
    sorted.sort_by_key(|splice| (splice.span.start, splice.span.end));
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for splice in sorted {
        let span = splice.span.clone();
        if text.get(span.clone()).is_none() {
            return Err(SpliceError::Outside(span));
        }
        let Some(between) = text.get(copied..span.start) else {
            return Err(SpliceError::Overlap(span));
        };
        out.push_str(between);
        out.push_str(&splice.text);
        copied = span.end;
    }
    out.push_str(&text[copied..]);
    Ok(out)
}
