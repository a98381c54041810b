//! What blobs name, turned around: by the hash of what is named. Found out once for each blob and
//! kept from one run to the next, so that a question costs what its answer does.

use std::collections::{BTreeSet, HashSet};

use git2::Oid;

use crate::terraform::read::mentions;

/// The blobs that were looked into so far. A blob is never another one, so nothing here grows stale.
#[derive(Default)]
pub(super) struct Mentions {
    blobs: BTreeSet<(u64, Oid)>,
    known: HashSet<Oid>,
}

impl Mentions {
    pub(super) fn knows(&self, blob: Oid) -> bool {
        self.known.contains(&blob)
    }

    pub(super) fn add(&mut self, blob: Oid, content: &[u8]) {
        self.blobs.extend(mentions(content).into_iter().map(|named| (named, blob)));
        self.known.insert(blob);
    }

    /// The blobs that name any of these, sorted.
    pub(super) fn of_any(&self, wanted: &[u64]) -> Vec<Oid> {
        let of = |wanted: u64| {
            let from = self.blobs.range((wanted, Oid::ZERO_SHA1)..);
            from.take_while(move |(named, _)| *named == wanted).map(|(_, blob)| *blob)
        };
        let mut found: Vec<Oid> = wanted.iter().flat_map(|wanted| of(*wanted)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use git2::ObjectType;

    use super::*;
    use crate::terraform::read::literal;

    #[test]
    fn blobs_are_found_by_each_thing_they_name() {
        let mut index = Mentions::default();
        let add = |index: &mut Mentions, text: &str| {
            let blob = Oid::hash_object(ObjectType::Blob, text.as_bytes()).unwrap();
            assert!(!index.knows(blob));
            index.add(blob, text.as_bytes());
            assert!(index.knows(blob));
            blob
        };
        let both = add(&mut index, "x = \"a\"\ny = \"b\"\nz = \"a\"\n");
        let one = add(&mut index, "x = \"a\"\n");
        let mut expected = vec![both, one];
        expected.sort();
        assert_eq!(index.of_any(&[literal("a"), literal("b")]), expected);
        assert_eq!(index.of_any(&[literal("b")]), [both]);
        assert!(index.of_any(&[literal("c")]).is_empty());
    }
}
