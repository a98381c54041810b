//! Rules for what is left out of the repository.
//!
//! Within a rule all conditions must hold, across rules one suffices. Conditions are globs over the
//! whole text, in which `*` stands for any characters, `/` included, as in a policy's ARNs.

use globset::{GlobBuilder, GlobMatcher};

use super::values::{Invalid, kind_name, kind_names, unknown_kind};
use crate::invisible::visible;
use crate::resource::parts::Tag;

/// All rules; an entity that one of them matches is not written.
#[derive(Clone, Debug, Default)]
pub struct IgnoreRules(Vec<Rule>);

impl IgnoreRules {
    pub fn new(rules: Vec<Rule>) -> IgnoreRules {
        IgnoreRules(rules)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an entity is left out. `kind` is [`crate::resource::Kind::plural`]; `names` are all
    /// that it goes by, of an organizations policy its ID and its display name.
    pub fn matches(&self, kind: &str, names: &[&str], path: Option<&str>, tags: &[Tag]) -> bool {
        let kind = kind_name(kind);
        self.0.iter().any(|rule| rule.matches(&kind, names, path, tags))
    }
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    pub kind: Option<GlobMatcher>,
    pub name: Option<GlobMatcher>,
    pub path: Option<GlobMatcher>,
    pub tag: Option<TagPattern>,
}

impl Rule {
    pub fn is_empty(&self) -> bool {
        self.kind.is_none() && self.name.is_none() && self.path.is_none() && self.tag.is_none()
    }

    fn matches(&self, kind: &str, names: &[&str], path: Option<&str>, tags: &[Tag]) -> bool {
        holds(self.kind.as_ref(), |glob| glob.is_match(kind))
            && holds(self.name.as_ref(), |glob| names.iter().any(|name| glob.is_match(name)))
            && holds(self.path.as_ref(), |glob| path.is_some_and(|path| glob.is_match(path)))
            && holds(self.tag.as_ref(), |tag| tags.iter().any(|of_entity| tag.matches(of_entity)))
    }
}

fn holds<T>(condition: Option<T>, is_met: impl FnOnce(T) -> bool) -> bool {
    condition.is_none_or(is_met)
}

/// `KEY` or `KEY=VALUE`, globs both.
#[derive(Clone, Debug)]
pub struct TagPattern {
    key: GlobMatcher,
    value: Option<GlobMatcher>,
}

impl TagPattern {
    /// The first `=` ends the key; a `?` stands for one inside the key.
    ///
    /// # Errors
    ///
    /// No key, or no glob.
    pub fn parse(text: &str) -> Result<TagPattern, Invalid> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (text, None),
        };
        if key.is_empty() {
            return Err(Invalid::new("no key of a tag is named", "`KEY` or `KEY=VALUE`"));
        }
        let value = value.map(any_glob).transpose()?;
        Ok(TagPattern { key: any_glob(key)?, value })
    }

    fn matches(&self, tag: &Tag) -> bool {
        self.key.is_match(&tag.key)
            && self.value.as_ref().is_none_or(|value| value.is_match(&tag.value))
    }
}

/// A glob that matches a name or a path.
///
/// # Errors
///
/// Empty, or no glob.
pub fn glob(text: &str) -> Result<GlobMatcher, Invalid> {
    match text {
        "" => Err(Invalid::new("an empty text matches nothing", GLOB)),
        _ => any_glob(text),
    }
}

/// A glob that matches a name whatever its case.
///
/// # Errors
///
/// Empty, or no glob.
pub fn glob_of_any_case(text: &str) -> Result<GlobMatcher, Invalid> {
    glob(text)?;
    let mut builder = GlobBuilder::new(text);
    built(builder.literal_separator(false).backslash_escape(true).case_insensitive(true), text)
}

/// A glob that matches at least one kind, so that a misspelt one does not go unseen.
///
/// # Errors
///
/// No glob, or one that no kind matches.
pub fn kind_glob(text: &str) -> Result<GlobMatcher, Invalid> {
    let glob = glob(text)?;
    match kind_names().iter().any(|name| glob.is_match(name)) {
        true => Ok(glob),
        false => Err(unknown_kind(text, &[])),
    }
}

const GLOB: &str = "a text in which `*` stands for any characters and `?` for one, `[ab]` for one of \
                    these and `{x,y}` for either; `\\` before one of these means itself";

fn any_glob(text: &str) -> Result<GlobMatcher, Invalid> {
    built(GlobBuilder::new(text).literal_separator(false).backslash_escape(true), text)
}

fn built(builder: &GlobBuilder, text: &str) -> Result<GlobMatcher, Invalid> {
    let glob = builder.build().map_err(|error| {
        Invalid::new(format!("`{}` is no glob: {}", visible(text), error.kind()), GLOB)
    })?;
    Ok(glob.compile_matcher())
}
