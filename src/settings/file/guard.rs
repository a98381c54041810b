//! The table `[guard]`: which rules a plan is held against, and how strictly.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use super::{File, in_order, wrong_type};
use crate::invisible::visible;
use crate::plan_guard::rules::{RULES, keys, rule_name};
use crate::settings::SettingsError;
use crate::settings::guard::{GuardSettings, Pattern};
use crate::settings::ignore::glob;
use crate::settings::spelling::allowed;
use crate::settings::values::Invalid;

impl File<'_> {
    pub(super) fn guard(&self, value: &Spanned<DeValue>) -> Result<GuardSettings, SettingsError> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(self.error(value.span(), wrong_type(value, "a table: `[guard]`")));
        };
        let mut guard = GuardSettings::default();
        for (key, value) in in_order(table) {
            match key.get_ref().as_ref() {
                "disabled" => guard.disabled = self.list(value, rule)?.into_iter().collect(),
                "protected" => guard.protected = self.list(value, Pattern::parse)?,
                "max_destroys" => guard.max_destroys = self.number(value)?,
                "max_destroy_share" => guard.max_destroy_share = self.share(value)?,
                "max_forgets" => guard.max_forgets = self.number(value)?,
                "allowed_types" => guard.allowed_types = self.list(value, glob)?,
                "allowed_provider_arguments" => {
                    let arguments: BTreeSet<_> = self.list(value, argument)?.into_iter().collect();
                    guard.allowed_provider_arguments = arguments;
                }
                "allowed_module_sources" => {
                    guard.allowed_module_sources = self.list(value, glob)?
                }
                unknown => {
                    let names: Vec<&str> = keys().map(|key| key.name).collect();
                    let problem = format!("the guard has no setting `{}`", visible(unknown));
                    let invalid = Invalid::new(problem, allowed(unknown, &names));
                    return Err(self.error(key.span(), invalid));
                }
            }
        }
        Ok(guard)
    }

    pub(super) fn list<T>(
        &self,
        value: &Spanned<DeValue>,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Result<Vec<T>, SettingsError> {
        let Some(items) = value.get_ref().as_array() else {
            return Err(self.error(value.span(), wrong_type(value, "a list of texts in quotes")));
        };
        items.iter().map(|item| self.text(item, &parse)).collect()
    }

    pub(super) fn number(&self, value: &Spanned<DeValue>) -> Result<usize, SettingsError> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| self.error(value.span(), not_a("number", "a whole number like `5`")))
    }

    fn share(&self, value: &Spanned<DeValue>) -> Result<f64, SettingsError> {
        let share = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            _ => None,
        };
        share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| {
            self.error(value.span(), not_a("share", "a number from 0 to 1, like `0.2`"))
        })
    }
}

fn not_a(what: &str, right: &str) -> Invalid {
    Invalid::new(format!("that is no {what}"), right)
}

fn rule(name: &str) -> Result<&'static str, Invalid> {
    rule_name(name).ok_or_else(|| {
        let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        Invalid::new(format!("there is no rule `{}`", visible(name)), allowed(name, &names))
    })
}

fn argument(name: &str) -> Result<String, Invalid> {
    match name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty() {
        true => Ok(name.to_owned()),
        false => Err(Invalid::new(
            format!("`{}` is no argument of a provider block", visible(name)),
            "a name like `assume_role`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FILE_NAME, FileSettings};
    use crate::plan_guard::rules::{RULES, keys};

    fn problem(text: &str) -> String {
        let error = FileSettings::parse(FILE_NAME, text).unwrap_err();
        format!("{error}; {}", error.hint())
    }

    #[test]
    fn every_key_of_every_rule_is_read() {
        for key in keys() {
            let error = problem(&format!("[guard]\n{} = {{}}\n", key.name));
            assert!(!error.contains("no setting"), "{error}");
        }
        for rule in RULES {
            let text = format!("[guard]\ndisabled = ['{}']\n", rule.name);
            let settings = FileSettings::parse(FILE_NAME, &text).unwrap().guard;
            assert!(settings.disabled.contains(rule.name));
        }
    }

    #[test]
    fn values_are_taken() {
        let text = "[guard]\nmax_destroys = 1_0\nmax_destroy_share = 1\nmax_forgets = 0\n\
                    protected = ['x-*']\nallowed_types = ['aws_s3_*']\n\
                    allowed_provider_arguments = ['assume_role']\nallowed_module_sources = ['git::*']\n";
        let guard = FileSettings::parse(FILE_NAME, text).unwrap().guard;
        assert_eq!((guard.max_destroys, guard.max_forgets), (10, 0));
        assert!((guard.max_destroy_share - 1.0).abs() < f64::EPSILON);
        assert!(guard.protected[0].matches_name("role", None, "X-1"));
        assert!(guard.allowed_types[0].is_match("aws_s3_bucket"));
        assert!(guard.allowed_provider_arguments.contains("assume_role"));
        assert!(guard.allowed_module_sources[0].is_match("git::https://x"));
        let share = FileSettings::parse(FILE_NAME, "[guard]\nmax_destroy_share = 0.5\n").unwrap();
        assert!((share.guard.max_destroy_share - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn wrong_values_are_refused_with_their_place() {
        for (line, place, saying) in [
            ("max_destroy = 1", "line 2, column 1", "no setting `max_destroy`; did you mean"),
            ("max_destroys = -1", "line 2, column 16", "no number"),
            ("max_destroys = '1'", "line 2, column 16", "no number"),
            ("max_destroys = 1.5", "line 2, column 16", "no number"),
            ("max_destroy_share = 20", "line 2, column 21", "from 0 to 1"),
            ("max_destroy_share = -0.1", "line 2, column 21", "from 0 to 1"),
            ("max_destroy_share = nan", "line 2, column 21", "from 0 to 1"),
            ("disabled = ['imprts']", "line 2, column 13", "did you mean `imports`"),
            ("disabled = true", "line 2, column 12", "a list of texts"),
            ("protected = ['']", "line 2, column 14", "matches nothing"),
            ("protected = ['[']", "line 2, column 14", "is no glob"),
            ("protected = [1]", "line 2, column 14", "a text in quotes"),
            ("allowed_provider_arguments = ['a b']", "line 2, column 31", "no argument"),
            ("allowed_provider_arguments = ['']", "line 2, column 31", "no argument"),
        ] {
            let error = problem(&format!("[guard]\n{line}\n"));
            assert!(error.contains(place) && error.contains(saying), "{error}");
        }
        assert!(problem("guard = 1\n").contains("a number cannot be here"));
    }
}
