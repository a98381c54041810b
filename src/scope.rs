//! What an export is to read. Which entities an event touched is for [`crate::event`] to say, how
//! they are read for [`crate::resource`].

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{KINDS, Kind};

/// What an export is to read: everything, or named entities of some kinds.
///
/// Kinds go by their plural. The names within one are what a change tells: of roles the name
/// (`deploy`), or `instance-profile/NAME` where only the profile is known; of policies the ARN; of
/// organizations policies the ID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    kinds: BTreeMap<&'static str, Selection>,
}

/// What of one kind is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    All,
    Named(BTreeSet<String>),
}

impl Scope {
    pub fn everything() -> Scope {
        Scope { kinds: KINDS.iter().map(|kind| (kind.plural, Selection::All)).collect() }
    }

    pub fn add(&mut self, kind: &'static str, key: impl Into<String>) {
        let selection = self.kinds.entry(kind).or_insert(Selection::Named(BTreeSet::new()));
        if let Selection::Named(keys) = selection {
            keys.insert(key.into());
        }
    }

    pub fn add_all(&mut self, kind: &'static str) {
        self.kinds.insert(kind, Selection::All);
    }

    pub fn merge(&mut self, other: &Scope) {
        for (kind, selection) in &other.kinds {
            match selection {
                Selection::All => self.add_all(kind),
                Selection::Named(keys) => keys.iter().for_each(|key| self.add(kind, key)),
            }
        }
    }

    /// What of a kind is to be read; nothing where it is absent.
    pub fn of(&self, kind: &str) -> Option<&Selection> {
        self.kinds.get(kind)
    }

    /// Every entity that is named, kinds of which all is to be read left out.
    pub fn named(&self) -> impl Iterator<Item = (&'static Kind, &str)> {
        KINDS.iter().flat_map(|kind| {
            let keys = match self.of(kind.plural) {
                Some(Selection::Named(keys)) => Some(keys),
                _ => None,
            };
            keys.into_iter().flatten().map(|key| (*kind, key.as_str()))
        })
    }

    /// The named entities for which this holds, and no kind as a whole.
    pub fn retain(&self, holds: impl Fn(&Kind, &str) -> bool) -> Scope {
        let mut scope = Scope::default();
        for (kind, key) in self.named().filter(|(kind, key)| holds(kind, key)) {
            scope.add(kind.plural, key);
        }
        scope
    }

    /// Whether both hold some entity.
    pub fn meets(&self, other: &Scope) -> bool {
        self.kinds.iter().any(|(kind, selection)| match (selection, other.of(kind)) {
            (_, None) => false,
            (Selection::Named(keys), Some(Selection::Named(others))) => !keys.is_disjoint(others),
            _ => true,
        })
    }

    /// The same, other kinds left out.
    pub fn of_kinds(&self, kinds: &BTreeSet<&'static str>) -> Scope {
        let mut scope = self.clone();
        scope.kinds.retain(|kind, _| kinds.contains(kind));
        scope
    }

    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_kind_swallows_its_names() {
        let mut scope = Scope::default();
        assert!(scope.is_empty());
        scope.add("roles", "deploy");
        scope.add("roles", "deploy");
        assert_eq!(scope.of("roles"), Some(&Selection::Named(["deploy".to_owned()].into())));
        scope.add_all("roles");
        scope.add("roles", "admin");
        assert_eq!(scope.of("roles"), Some(&Selection::All));
        assert_eq!(scope.of("policies"), None);
    }

    #[test]
    fn merging_holds_what_either_holds() {
        let (mut one, mut other) = (Scope::default(), Scope::default());
        one.add("roles", "a");
        one.add_all("policies");
        other.add("roles", "b");
        other.add("policies", "arn");
        other.add("organizations policies", "p-1");
        one.merge(&other);
        assert_eq!(
            one.of("roles"),
            Some(&Selection::Named(["a".to_owned(), "b".to_owned()].into()))
        );
        assert_eq!(one.of("policies"), Some(&Selection::All));
        one.merge(&Scope::everything());
        assert_eq!(one, Scope::everything());
    }
}
