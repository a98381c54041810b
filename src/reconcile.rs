//! Base, desired, actual → verdict: who is ahead, AWS or the person who edits in Git.
//!
//! - **actual** is AWS now,
//! - **base** is the raw JSON in the repository: AWS as of the last export,
//! - **desired** is what the module's files say, wherever in them.
//!
//! All three are [`State`]s of one entity, and each may be absent. Of what the files say some may be
//! unknown, such as a variable: that is the person's own. It counts as the same as the base, and what
//! AWS changes there is a conflict.
//!
//! Pure and total; nothing here knows a kind, a file or a commit.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::Json;
use crate::policy_document::Document;
use crate::terraform::edit::{Match, Meaning, compare, may_be_unmoved};
use crate::terraform::node::{Content, Node};

/// What one entity's resources say, by what each of them is in AWS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub resources: BTreeMap<Identity, Resource>,
    /// Resource types of which the files may declare more than can be told, such as by a `for_each`
    /// over what is not known.
    pub covered: BTreeSet<String>,
    /// Those of them that a list beside the resources names once more, such as that of a role's
    /// `*_exclusive`: what goes from the files and stays in the list comes back.
    pub listed: BTreeSet<String>,
}

/// A resource type, and what AWS's side of it is: the import ID.
pub type Identity = (String, String);

/// The arguments of one resource; what has the provider's default is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    pub arguments: BTreeMap<String, Argument>,
    /// Arguments that Terraform is told to leave alone, or that a reading does not know.
    pub ignored: BTreeSet<String>,
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// Of AWS or the raw JSON. A policy document is the document itself, not its text.
    Known { value: Json, meaning: Meaning },
    /// As a file has it.
    Read(Node),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do.
    Unchanged,
    /// A person edited Terraform; AWS has not followed yet. Nothing is written.
    Pending,
    /// AWS changed; JSON and Terraform are written.
    Drifted,
    /// AWS has what the person wrote; only the JSON is written.
    Converged,
    /// Both changed, differently. The branch stays as it is.
    Conflicting,
}

/// Who is ahead.
pub fn reconcile(base: Option<&State>, desired: Option<&State>, actual: Option<&State>) -> Verdict {
    if base.is_some() && actual.is_some() && desired.is_some_and(|it| it.lost(base, actual)) {
        return Verdict::Conflicting;
    }
    let is_same = |one: Option<&State>, other: Option<&State>| match (one, other) {
        (Some(one), Some(other)) => one.matches(other) != Match::Differs,
        (one, other) => one.is_none() && other.is_none(),
    };
    let comparison = Comparison {
        actual_is_base: is_same(base, actual),
        desired_is_base: is_same(base, desired),
        desired_is_actual: is_same(actual, desired),
    };
    match comparison.verdict() {
        // The base does not know what the file says and AWS has otherwise.
        Verdict::Drifted if comparison.actual_is_base => Verdict::Pending,
        verdict => verdict,
    }
}

/// Which of the three states are the same. Absence is a state like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub actual_is_base: bool,
    pub desired_is_base: bool,
    pub desired_is_actual: bool,
}

impl Comparison {
    pub fn verdict(self) -> Verdict {
        match (self.actual_is_base, self.desired_is_base, self.desired_is_actual) {
            (true, _, true) => Verdict::Unchanged,
            (false, _, true) => Verdict::Converged,
            (_, true, false) => Verdict::Drifted,
            (true, false, false) => Verdict::Pending,
            (false, false, false) => Verdict::Conflicting,
        }
    }
}

impl State {
    /// Whether this known state is what `other` says, which may be a file's.
    pub fn matches(&self, other: &State) -> Match {
        let mut found = Match::Same;
        for (identity, resource) in &self.resources {
            found = worse(
                found,
                match other.resources.get(identity) {
                    Some(other) => resource.matches(other),
                    None if other.covered.contains(&identity.0) => Match::Assumed,
                    None => Match::Differs,
                },
            );
        }
        let is_more = |identity: &Identity| !self.resources.contains_key(identity);
        if other.resources.keys().any(is_more) { Match::Differs } else { found }
    }

    /// Whether AWS changed something that is unknown here, or took away what a list still names.
    fn lost(&self, base: Option<&State>, actual: Option<&State>) -> bool {
        let (Some(base), Some(actual)) = (base, actual) else { return false };
        let is_lost = |identity: &Identity| match (
            base.resources.get(identity),
            actual.resources.get(identity),
            self.resources.get(identity),
        ) {
            (Some(base), Some(actual), Some(desired)) => desired.lost(base, actual),
            (Some(base), Some(actual), None) => {
                self.covered.contains(&identity.0) && !base.differing(actual).is_empty()
            }
            (None, None, _) => false,
            (Some(_), None, Some(_)) => self.listed.contains(&identity.0),
            (_, _, None) => self.covered.contains(&identity.0),
            _ => false,
        };
        base.resources.keys().chain(actual.resources.keys()).any(is_lost)
    }
}

impl Resource {
    fn matches(&self, other: &Resource) -> Match {
        let names = self.arguments.keys().chain(other.arguments.keys());
        let names: BTreeSet<&String> = names
            .filter(|name| !self.ignored.contains(*name) && !other.ignored.contains(*name))
            .collect();
        names.into_iter().fold(Match::Same, |found, name| {
            worse(found, match_arguments(self.arguments.get(name), other.arguments.get(name)))
        })
    }

    /// Whether what is unknown here may be the one as well as the other, which are not the same.
    fn lost(&self, base: &Resource, actual: &Resource) -> bool {
        let is_assumed = |name: &str, other: &Resource| {
            match_arguments(self.arguments.get(name), other.arguments.get(name)) == Match::Assumed
        };
        // The known part was edited, and AWS has it; the unknown part has to be what it was.
        let is_moved = |name: &str| match [self, base, actual].map(|it| it.arguments.get(name)) {
            [
                Some(Argument::Read(node)),
                Some(Argument::Known { value: before, meaning }),
                Some(Argument::Known { value: after, .. }),
            ] => !may_be_unmoved(node, before, after, *meaning),
            _ => false,
        };
        base.differing(actual).into_iter().any(|name| {
            !self.ignored.contains(name)
                && is_assumed(name, actual)
                && (is_assumed(name, base) || is_moved(name))
        })
    }

    /// The arguments of which this and the other say different things.
    pub fn differing<'a>(&'a self, other: &'a Resource) -> Vec<&'a str> {
        let names: BTreeSet<&String> =
            self.arguments.keys().chain(other.arguments.keys()).collect();
        let differs = |name: &&String| {
            !self.ignored.contains(*name)
                && !other.ignored.contains(*name)
                && match_arguments(self.arguments.get(*name), other.arguments.get(*name))
                    != Match::Same
        };
        names.into_iter().filter(differs).map(String::as_str).collect()
    }
}

fn worse(one: Match, other: Match) -> Match {
    match (one, other) {
        (Match::Differs, _) | (_, Match::Differs) => Match::Differs,
        (Match::Assumed, _) | (_, Match::Assumed) => Match::Assumed,
        _ => Match::Same,
    }
}

/// Whether one argument of a known state is what the other says.
pub fn match_arguments(one: Option<&Argument>, other: Option<&Argument>) -> Match {
    let is = |same: bool| if same { Match::Same } else { Match::Differs };
    match (one, other) {
        (None, None) => Match::Same,
        (Some(Argument::Known { value, meaning }), Some(Argument::Read(node)))
        | (Some(Argument::Read(node)), Some(Argument::Known { value, meaning })) => {
            compare(node, value, *meaning)
        }
        (Some(Argument::Known { value, meaning }), Some(Argument::Known { value: other, .. })) => {
            is(known_same(value, other, *meaning))
        }
        (None, Some(Argument::Read(node))) | (Some(Argument::Read(node)), None) => {
            match node.content {
                Content::Unknown => Match::Assumed,
                Content::Scalar(Json::Null) => Match::Same,
                _ => Match::Differs,
            }
        }
        (Some(Argument::Read(one)), Some(Argument::Read(other))) => is(one == other),
        _ => Match::Differs,
    }
}

fn known_same(one: &Json, other: &Json, meaning: Meaning) -> bool {
    match meaning {
        Meaning::Plain => one == other,
        Meaning::Set => match (one, other) {
            (Json::Array(one), Json::Array(other)) => {
                one.len() == other.len() && one.iter().all(|item| other.contains(item))
            }
            _ => one == other,
        },
        Meaning::Document(dialect) => {
            Document::Json(one.clone()).means_the_same(&Document::Json(other.clone()), dialect)
        }
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod table;
