//! `aws-iam-gitops.toml`: what the repository itself says of what is written to it.
//!
//! ```toml
//! kinds = ["roles", "policies", "organizations_policies"]
//! aws_managed = false
//! organizations_attachments = false
//! managed_elsewhere = false
//! exclusive = false
//! imports = true
//! mode = "push"
//!
//! [[ignore]]
//! kind = "roles"
//! path = "/sandbox/*"
//!
//! [[ignore]]
//! tag = "owner=team-*"
//!
//! [accounts]
//! organization = true
//! exclude = ["444455556666"]
//! role = "aws-iam-gitops-member"
//! external_id = "example-org-iam"
//! session_name = "aws-iam-gitops"
//! concurrency = 4
//!
//! [guard]
//! disabled = ["drift"]
//! protected = ["break-glass-*", "arn:aws:iam::*:role/billing"]
//! max_destroys = 5
//! max_destroy_share = 0.2
//! max_forgets = 5
//! allowed_types = ["aws_ram_*"]
//! allowed_provider_arguments = ["assume_role"]
//! allowed_module_sources = ["git::https://github.com/example-org/*"]
//! ```
//!
//! All keys may be left out; what is not known is refused. Instead of `[accounts]` there may be
//! `prefix = "accounts/111122223333"`, for one account of several. Where the repository is and which branch
//! is meant cannot be in here: both must be known before this file is.

pub mod accounts;
mod guard;

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::guard::GuardSettings;
use super::ignore::{IgnoreRules, Rule, TagPattern, glob, kind_glob};
use super::spelling::allowed;
use super::values::{Invalid, Prefix, kind, mode};
use super::{Choices, SettingsError};
use crate::invisible::visible;

/// The file's name, in the root of the repository.
pub const FILE_NAME: &str = "aws-iam-gitops.toml";

/// The keys, each with what it sets.
pub const KEYS: [(&str, &str); 11] = [
    ("prefix", "the folder of the repository below which everything lies"),
    ("kinds", "the kinds that are written; otherwise `default`"),
    ("aws_managed", "AWS's own policies, those in use, as raw JSON too"),
    ("organizations_attachments", "attachments of organizations policies as Terraform too"),
    ("managed_elsewhere", "Terraform also for what something else manages"),
    ("exclusive", "`*_exclusive` resources, so that what else roles have shows in a plan"),
    ("imports", "import blocks; `false` leaves them out"),
    ("mode", "`push` to the branch, or `pull-request` for one that is protected"),
    ("ignore", "rules for what is left out, each under its own `[[ignore]]`"),
    ("accounts", "several accounts instead of one, under `[accounts]`"),
    ("guard", "what a plan must not do, under `[guard]`"),
];
/// The conditions of a rule.
pub const CONDITIONS: [&str; 4] = ["kind", "name", "path", "tag"];

/// What the file says.
#[derive(Clone, Debug, Default)]
pub struct FileSettings {
    pub choices: Choices,
    pub ignore: IgnoreRules,
    pub guard: GuardSettings,
}

impl FileSettings {
    /// Reads the file's text. `shown` is what errors call the file.
    ///
    /// # Errors
    ///
    /// The first key or value that cannot be, with line and column.
    pub fn parse(shown: &str, text: &str) -> Result<FileSettings, SettingsError> {
        let file = File { shown, text };
        let table = DeTable::parse(text).map_err(|error| {
            let problem = Invalid::new(visible(error.message()), "see https://toml.io");
            file.error(error.span().unwrap_or_default(), problem)
        })?;
        let mut settings = FileSettings::default();
        let choices = &mut settings.choices;
        let mut accounts_at = None;
        for (key, value) in in_order(table.get_ref()) {
            match key.get_ref().as_ref() {
                "prefix" => choices.prefix = Some(file.text(value, Prefix::parse)?),
                "kinds" => choices.kinds = Some(file.kinds(value)?),
                "aws_managed" => choices.aws_managed = Some(file.boolean(value)?),
                "organizations_attachments" => {
                    choices.organizations_attachments = Some(file.boolean(value)?);
                }
                "managed_elsewhere" => choices.managed_elsewhere = Some(file.boolean(value)?),
                "exclusive" => choices.exclusive = Some(file.boolean(value)?),
                "imports" => choices.imports = Some(file.boolean(value)?),
                "mode" => choices.mode = Some(file.text(value, mode)?),
                "ignore" => settings.ignore = file.rules(value)?,
                "accounts" => {
                    choices.accounts = file.accounts(value)?;
                    accounts_at = Some(key.span());
                }
                "guard" => settings.guard = file.guard(value)?,
                unknown => return Err(file.error(key.span(), unknown_key(unknown))),
            }
        }
        if let (Some(place), Some(_)) = (accounts_at, &settings.choices.prefix) {
            let problem = Invalid::new(
                "`prefix` is for one account, and here are several",
                "one of the two: each of several accounts lies below `accounts/`, by its ID",
            );
            return Err(file.error(place, problem));
        }
        settings.guard.kinds = settings.choices.kinds.clone().unwrap_or_default();
        Ok(settings)
    }
}

struct File<'a> {
    shown: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn error(&self, span: Range<usize>, invalid: Invalid) -> SettingsError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        invalid.at(format!("`{}`, line {line}, column {column}", self.shown))
    }

    fn text<T>(
        &self,
        value: &Spanned<DeValue>,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<T, SettingsError> {
        let parsed = match value.get_ref().as_str() {
            Some(text) => parse(text),
            None => Err(wrong_type(value, "a text in quotes")),
        };
        parsed.map_err(|invalid| self.error(value.span(), invalid))
    }

    fn boolean(&self, value: &Spanned<DeValue>) -> Result<bool, SettingsError> {
        let boolean = value.get_ref().as_bool();
        boolean.ok_or_else(|| {
            self.error(value.span(), wrong_type(value, "`true` or `false`, without quotes"))
        })
    }

    fn kinds(&self, value: &Spanned<DeValue>) -> Result<BTreeSet<&'static str>, SettingsError> {
        let expected = "a list like `[\"roles\", \"policies\"]`";
        let Some(list) = value.get_ref().as_array() else {
            return Err(self.error(value.span(), wrong_type(value, expected)));
        };
        let mut kinds = BTreeSet::new();
        for word in list {
            kinds.append(&mut self.text(word, kind)?);
        }
        if kinds.is_empty() {
            let invalid = Invalid::new(
                "no kind is left to write",
                format!("{expected}; leave it out for all"),
            );
            return Err(self.error(value.span(), invalid));
        }
        Ok(kinds)
    }

    fn rules(&self, value: &Spanned<DeValue>) -> Result<IgnoreRules, SettingsError> {
        let Some(list) = value.get_ref().as_array() else {
            let invalid = wrong_type(value, "each rule under its own `[[ignore]]`");
            return Err(self.error(value.span(), invalid));
        };
        let rules = list.iter().map(|rule| self.rule(rule)).collect::<Result<_, _>>()?;
        Ok(IgnoreRules::new(rules))
    }

    fn rule(&self, value: &Spanned<DeValue>) -> Result<Rule, SettingsError> {
        let Some(table) = value.get_ref().as_table() else {
            let invalid = wrong_type(value, "each rule under its own `[[ignore]]`");
            return Err(self.error(value.span(), invalid));
        };
        let mut rule = Rule::default();
        for (key, value) in in_order(table) {
            match key.get_ref().as_ref() {
                "kind" => rule.kind = Some(self.text(value, kind_glob)?),
                "name" => rule.name = Some(self.text(value, glob)?),
                "path" => rule.path = Some(self.text(value, glob)?),
                "tag" => rule.tag = Some(self.text(value, TagPattern::parse)?),
                unknown => {
                    let problem = format!("a rule has no condition `{}`", visible(unknown));
                    let invalid = Invalid::new(problem, allowed(unknown, &CONDITIONS));
                    return Err(self.error(key.span(), invalid));
                }
            }
        }
        if rule.is_empty() {
            let right = "at least one of `kind`, `name`, `path`, `tag`";
            let invalid = Invalid::new("a rule without conditions would ignore everything", right);
            return Err(self.error(value.span(), invalid));
        }
        Ok(rule)
    }
}

/// The entries as they stand in the file, so that the first wrong one is named first.
fn in_order<'t, 'a>(
    table: &'t DeTable<'a>,
) -> Vec<(&'t Spanned<std::borrow::Cow<'a, str>>, &'t Spanned<DeValue<'a>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn wrong_type(value: &Spanned<DeValue>, expected: &str) -> Invalid {
    let found = match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Invalid::new(format!("{found} cannot be here"), expected)
}

fn unknown_key(key: &str) -> Invalid {
    let problem = format!("there is no setting `{}`", visible(key));
    match key {
        "branch" | "repository" => Invalid::new(
            format!("`{key}` must be known before this file is read"),
            format!("AWS_IAM_GITOPS_{} or `--{key}`", key.to_uppercase()),
        ),
        _ => Invalid::new(problem, allowed(key, &KEYS.map(|(key, _)| key))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::parts::Tag;
    use crate::settings::values::Mode;

    fn read(text: &str) -> FileSettings {
        FileSettings::parse(FILE_NAME, text).unwrap()
    }

    #[track_caller]
    fn refused(text: &str, place: &str, problem: &str, right: &str) {
        let error = FileSettings::parse(FILE_NAME, text).unwrap_err();
        assert_eq!(error.place, format!("`aws-iam-gitops.toml`, {place}"), "{error:?}");
        assert!(error.problem.contains(problem), "{error:?}");
        assert!(error.right.contains(right), "{error:?}");
        assert!(!error.to_string().contains('\n'), "{error:?}");
    }

    #[test]
    fn every_key_of_the_documentation_is_read() {
        let documentation = include_str!("file.rs");
        let example = documentation.split("//! ```").nth(1).unwrap();
        let example: String = example
            .lines()
            .skip(1)
            .map(|line| format!("{}\n", line.trim_start_matches("//!").trim_start()))
            .collect();
        let settings = read(&example);
        let accounts = settings.choices.accounts.settled().unwrap().unwrap();
        assert_eq!((accounts.at_once, accounts.exclude.len()), (4, 1));
        assert_eq!(settings.choices.kinds.unwrap().len(), 3);
        assert_eq!(settings.choices.aws_managed, Some(false));
        assert_eq!(settings.choices.organizations_attachments, Some(false));
        assert_eq!(settings.choices.managed_elsewhere, Some(false));
        assert_eq!(settings.choices.imports, Some(true));
        assert_eq!(settings.choices.mode, Some(Mode::Push));
        assert!(settings.ignore.matches("roles", &["x"], Some("/sandbox/a/"), &[]));
        let other = "prefix = \"accounts/111122223333\"";
        assert_eq!(read(other).choices.prefix.unwrap().as_str(), "accounts/111122223333");
        assert!(documentation.contains(&format!("//! `{other}`")));
        assert!(KEYS.iter().all(|(key, _)| example.contains(key) || other.contains(key)));
    }

    #[test]
    fn empty_file_says_nothing() {
        for text in ["", "\n# nothing\n", "\u{feff}"] {
            let settings = read(text);
            assert_eq!(settings.choices, Choices::default());
            assert!(settings.ignore.is_empty());
        }
    }

    #[test]
    fn wrong_setting_is_refused_with_its_place_and_what_would_be_right() {
        refused(
            "\n  prefx = 1",
            "line 2, column 3",
            "no setting `prefx`",
            "did you mean `prefix`?",
        );
        refused("zzz = 1", "line 1, column 1", "no setting `zzz`", "allowed are `prefix`");
        refused("é.x = 1", "line 1, column 1", "key", "toml");
        refused(
            "# é\nbranch = 'x'",
            "line 2, column 1",
            "before this file",
            "AWS_IAM_GITOPS_BRANCH",
        );
        refused("repository = 'x'", "line 1, column 1", "before", "AWS_IAM_GITOPS_REPOSITORY");
        refused("prefix = 3", "line 1, column 10", "a number cannot", "a text in quotes");
        refused("prefix = '../x'", "line 1, column 10", "the part `..`", "inside the repository");
        refused("prefix = ''", "line 1, column 10", "no folder", "leave it out");
        refused("kinds = 'roles'", "line 1, column 9", "a text cannot", "a list like");
        refused("kinds = []", "line 1, column 9", "no kind is left", "leave it out");
        refused("kinds = ['roles', 'role']", "line 1, column 19", "no kind `role`", "mean `roles`");
        refused("kinds = [1]", "line 1, column 10", "a number cannot", "a text in quotes");
        refused("imports = 'true'", "line 1, column 11", "a text cannot", "without quotes");
        refused("imports = 1", "line 1, column 11", "a number cannot", "`true` or `false`");
        refused("imports = true\nimports = true", "line 2, column 1", "duplicate", "");
        refused("mode = 'pull_request'", "line 1, column 8", "no mode", "mean `pull-request`");
        refused("mode = true", "line 1, column 8", "", "a text in quotes");
        refused("imports = yes", "line 1, column 11", "", "");
        refused("prefix = \"a", "line 1, column 12", "invalid basic string", "toml");
    }

    #[test]
    fn wrong_rule_is_refused_with_its_place_and_what_would_be_right() {
        refused("[ignore]\nname = 'x'", "line 1, column 1", "a table cannot", "`[[ignore]]`");
        refused("ignore = 'x'", "line 1, column 10", "a text cannot", "`[[ignore]]`");
        refused("ignore = ['x']", "line 1, column 11", "a text cannot", "`[[ignore]]`");
        refused("[[ignore]]\n\n[[ignore]]\nname = 'x'", "line 1, column 1", "everything", "one of");
        refused("[[ignore]]\nnames = 'x'", "line 2, column 1", "no condition `names`", "`name`?");
        refused("[[ignore]]\nname = ''", "line 2, column 8", "matches nothing", "`*`");
        refused("[[ignore]]\nname = ['x']", "line 2, column 8", "a list cannot", "a text");
        refused("[[ignore]]\nname = '[x'", "line 2, column 8", "`[x` is no glob", "`*`");
        refused("[[ignore]]\nname = '{x'", "line 2, column 8", "is no glob", "`*`");
        refused("[[ignore]]\nkind = 'role'", "line 2, column 8", "no kind `role`", "`roles`?");
        let default = "[[ignore]]\nkind = 'default'";
        refused(default, "line 2, column 8", "no kind `default`", "allowed are `policies`");
        refused("[[ignore]]\ntag = '=x'", "line 2, column 7", "no key", "`KEY=VALUE`");
    }

    #[test]
    fn invisible_characters_of_the_file_do_not_reach_an_error() {
        refused("\"a\\u001b[2J\" = 1", "line 1, column 1", "`a\\u{1b}[2J`", "");
        refused("prefix = \"a\\u202eb\"", "line 1, column 10", "\\u{202e}", "");
    }

    fn tags(tags: &[(&str, &str)]) -> Vec<Tag> {
        tags.iter().map(|(k, v)| Tag { key: (*k).to_owned(), value: (*v).to_owned() }).collect()
    }

    #[test]
    fn within_a_rule_all_conditions_hold_and_across_rules_one() {
        let rules = read(
            "[[ignore]]\nkind = 'roles'\nname = 'ci-*'\npath = '/build/*'\ntag = 'team=x*'\n\
             [[ignore]]\nkind = '*policies'\nname = 'p-1'\n",
        )
        .ignore;
        let team = tags(&[("a", "b"), ("team", "xy")]);
        assert!(rules.matches("roles", &["ci-1"], Some("/build/a/b/"), &team));
        for (kind, name, path, tags) in [
            ("policies", "ci-1", "/build/", &team[..]),
            ("roles", "Ci-1", "/build/", &team),
            ("roles", "ci-1", "/builds/", &team),
            ("roles", "ci-1", "/", &team),
            ("roles", "ci-1", "/build/", &team[..1]),
            ("roles", "ci-1", "/build/", &tags(&[("team", "ab")])),
        ] {
            assert!(!rules.matches(kind, &[name], Some(path), tags), "{kind} {name} {path}");
        }
        assert!(rules.matches("policies", &["p-1"], Some("/"), &[]));
        assert!(rules.matches("organizations policies", &["x", "p-1"], None, &[]));
        assert!(!rules.matches("roles", &["p-1"], None, &[]));
    }

    #[test]
    fn globs_match_whole_texts_and_all_their_characters() {
        let matches = |glob: &str, name: &str| {
            let text = format!("[[ignore]]\nname = '{glob}'\n");
            read(&text).ignore.matches("roles", &[name], None, &[])
        };
        assert!(matches("*", "a/b.c"));
        assert!(matches("a?c", "a/c"));
        assert!(matches("{a,b}-[0-9]", "b-7"));
        assert!(matches(".*", ".x"));
        assert!(!matches("a", "ab"));
        assert!(!matches("a", "xa"));
        assert!(!matches("a.c", "abc"));
        assert!(matches(r"a\*", "a*") && !matches(r"a\*", "ab"));
    }

    #[test]
    fn tag_condition_knows_keys_and_values() {
        let matches = |pattern: &str, of: &[(&str, &str)]| {
            let text = format!("[[ignore]]\ntag = '{pattern}'\n");
            read(&text).ignore.matches("roles", &["x"], Some("/"), &tags(of))
        };
        assert!(matches("team", &[("team", "anything")]));
        assert!(matches("aws:*", &[("aws:cloudformation:stack-name", "x")]));
        assert!(matches("team=", &[("team", "")]) && !matches("team=", &[("team", "x")]));
        assert!(matches("a=b=c", &[("a", "b=c")]));
        assert!(matches("a?b=c", &[("a=b", "c")]));
        assert!(!matches("team=x", &[("team", "y"), ("other", "x")]));
        assert!(!matches("team", &[]));
    }

    #[test]
    fn path_condition_leaves_alone_what_has_no_path() {
        let rules = read("[[ignore]]\npath = '*'\n").ignore;
        assert!(rules.matches("roles", &["x"], Some("/"), &[]));
        assert!(!rules.matches("organizations policies", &["x"], None, &[]));
    }
}
