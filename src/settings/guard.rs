//! What the repository says of the rules that a plan is held against.

use std::collections::BTreeSet;

use globset::GlobMatcher;

use super::ignore::glob_of_any_case;
use super::values::Invalid;

/// `[guard]` of the repository's file.
#[derive(Clone, Debug)]
pub struct GuardSettings {
    /// Names of rules that do not hold.
    pub disabled: BTreeSet<&'static str>,
    /// Who else is protected, besides what always is.
    pub protected: Vec<Pattern>,
    pub max_destroys: usize,
    /// Of the entities that Terraform manages, between 0 and 1.
    pub max_destroy_share: f64,
    pub max_forgets: usize,
    /// Kinds that the repository asks for, by their plurals: their resource types are allowed.
    pub kinds: BTreeSet<&'static str>,
    /// Resource types besides those that are always allowed.
    pub allowed_types: Vec<GlobMatcher>,
    /// Arguments of a provider block besides those that are always allowed.
    pub allowed_provider_arguments: BTreeSet<String>,
    /// Where modules may come from besides the repository itself.
    pub allowed_module_sources: Vec<GlobMatcher>,
}

impl Default for GuardSettings {
    fn default() -> GuardSettings {
        GuardSettings {
            disabled: BTreeSet::new(),
            protected: Vec::new(),
            max_destroys: 5,
            max_destroy_share: 0.2,
            max_forgets: 5,
            kinds: BTreeSet::new(),
            allowed_types: Vec::new(),
            allowed_provider_arguments: BTreeSet::new(),
            allowed_module_sources: Vec::new(),
        }
    }
}

/// A name or an ARN in which `*` and `?` stand for others; upper and lower case are the same, as in
/// IAM's names.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Of an ARN the whole, of a name the name.
    whole: GlobMatcher,
    arn: Option<ArnPattern>,
}

/// What an ARN's pattern says of resources whose ARN is not known yet.
#[derive(Clone, Debug)]
struct ArnPattern {
    /// `role/team/x` of `arn:aws:iam::*:role/team/x`.
    resource: GlobMatcher,
    /// `role/x`, for where the path is not known.
    pathless: GlobMatcher,
}

impl Pattern {
    /// # Errors
    ///
    /// Empty, or no glob.
    pub fn parse(text: &str) -> Result<Pattern, Invalid> {
        let whole = glob_of_any_case(text)?;
        let arn = match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
            ["arn", _, _, _, _, resource] => {
                let (kind, rest) = resource.split_once('/').unwrap_or((resource, "*"));
                let name = rest.rsplit('/').next().unwrap_or(rest);
                Some(ArnPattern {
                    resource: glob_of_any_case(resource)?,
                    pathless: glob_of_any_case(&format!("{kind}/{name}"))?,
                })
            }
            _ => None,
        };
        Ok(Pattern { whole, arn })
    }

    /// Whether it means what goes by this ARN.
    pub fn matches_arn(&self, arn: &str) -> bool {
        self.arn.is_some() && self.whole.is_match(arn)
    }

    /// Whether it means what goes by this name: of a `role`, a `policy`, … with its path, both
    /// slashes included, if that is known.
    pub fn matches_name(&self, kind: &str, path: Option<&str>, name: &str) -> bool {
        match (&self.arn, path) {
            (None, _) => self.whole.is_match(name),
            (Some(arn), Some(path)) => arn.resource.is_match(format!("{kind}{path}{name}")),
            (Some(arn), None) => arn.pathless.is_match(format!("{kind}/{name}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_in_any_case() {
        let pattern = Pattern::parse("break-glass-*").unwrap();
        assert!(pattern.matches_name("role", Some("/x/"), "Break-Glass-1"));
        assert!(pattern.matches_name("role", None, "break-glass-"));
        assert!(!pattern.matches_name("role", None, "my-break-glass-1"));
        assert!(!pattern.matches_arn("break-glass-1"));
    }

    #[test]
    fn arns_match_names_with_and_without_path() {
        let pattern = Pattern::parse("arn:aws:iam::*:role/team/x").unwrap();
        assert!(pattern.matches_arn("arn:aws:iam::111122223333:role/team/X"));
        assert!(!pattern.matches_arn("arn:aws:iam::111122223333:role/x"));
        assert!(pattern.matches_name("role", Some("/team/"), "x"));
        assert!(!pattern.matches_name("role", Some("/"), "x"));
        assert!(pattern.matches_name("role", None, "x"));
        assert!(!pattern.matches_name("policy", None, "x"));
        assert!(!pattern.matches_name("role", None, "y"));
        let all = Pattern::parse("arn:aws:iam::111122223333:role/team/*").unwrap();
        assert!(all.matches_name("role", None, "anything"));
        assert!(!all.matches_name("role", Some("/"), "anything"));
        assert!(
            !all.matches_name("role", Some("/team/"), "") || all.matches_name("role", None, "x")
        );
        assert!(Pattern::parse("").is_err() && Pattern::parse("[").is_err());
    }
}
