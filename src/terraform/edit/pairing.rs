//! Which item of a list in a file is which value of the list that it is to be.

use super::super::node::{Content, Node};
use super::compare::{Match, Place, View, is_same, matches, pair};
use super::container::Entry;
use crate::json::Json;

/// Which item of a list becomes which value, and which it has been.
pub(super) struct Pairing {
    pub value_of: Vec<Option<usize>>,
    pub base_of: Vec<Option<usize>>,
}

impl Pairing {
    /// An unknown item that is gone, if there is no telling whether it is that one.
    pub fn guess<'a>(&self, items: &'a [Node], has_base: bool) -> Option<&'a Node> {
        let unknown: Vec<usize> = (0..items.len())
            .filter(|index| matches!(items[*index].content, Content::Unknown))
            .collect();
        let mut gone = unknown.iter().filter(|index| self.value_of[**index].is_none());
        let first = gone.next()?;
        (!has_base || gone.count() + 1 < unknown.len()).then_some(&items[*first])
    }
}

/// Which item of a list whose order says nothing becomes which value.
pub(super) fn pair_in_set(
    items: &[Node],
    base: Option<&[Json]>,
    values: &[Json],
    place: Place,
) -> Pairing {
    let views: Vec<View> = items.iter().map(View::Node).collect();
    let base_values: Vec<&Json> = base.unwrap_or_default().iter().collect();
    let mut base_of = pair(&views, &base_values, place);
    pair_similar(items, &base_values, place, &mut base_of);
    let all: Vec<&Json> = values.iter().collect();
    let is_known: Vec<bool> = items.iter().map(|item| item.value().is_some()).collect();
    let mut value_of: Vec<Option<usize>> = vec![None; items.len()];
    let mut is_taken = vec![false; values.len()];

    // What is known goes to its equals; what is not, to what it has been before.
    for index in 0..items.len() {
        if is_known[index] {
            value_of[index] = (0..values.len())
                .find(|at| !is_taken[*at] && matches(views[index], all[*at], place) == Match::Same);
        }
        if let Some(at) = value_of[index] {
            is_taken[at] = true;
        }
    }
    for index in (0..items.len()).filter(|index| !is_known[*index]) {
        let Some(before) = base_of[index].map(|at| base_values[at]) else { continue };
        value_of[index] = (0..values.len()).find(|at| {
            !is_taken[*at]
                && is_same(before, all[*at], place)
                && matches(views[index], all[*at], place) != Match::Differs
        });
        if let Some(at) = value_of[index] {
            is_taken[at] = true;
        }
    }
    // The rest as far as it fits.
    let open: Vec<usize> =
        (0..items.len()).filter(|index| !is_known[*index] && value_of[*index].is_none()).collect();
    let free: Vec<usize> = (0..values.len()).filter(|at| !is_taken[*at]).collect();
    let open_views: Vec<View> = open.iter().map(|index| views[*index]).collect();
    let free_values: Vec<&Json> = free.iter().map(|at| all[*at]).collect();
    for (index, at) in open.iter().zip(pair(&open_views, &free_values, place)) {
        value_of[*index] = at.map(|at| free[at]);
    }
    pair_similar(items, &all, place, &mut value_of);

    Pairing { value_of, base_of }
}

/// Which item of a list becomes which value, so that those that stay are in the right order.
pub(super) fn pair_in_order(
    items: &[Node],
    base: Option<&[Json]>,
    values: &[Json],
    place: Place,
) -> Pairing {
    let base_of = match base {
        Some(base) => aligned(items, base, |_, item, value| weight(item, value, place)),
        None => vec![None; items.len()],
    };
    let value_of = aligned(items, values, |index, item, value| {
        let before = base_of[index].and_then(|at: usize| base?.get(at));
        match (matches(View::Node(item), value, place), before) {
            (Match::Assumed, Some(before)) if is_same(before, value, place) => SURE,
            (Match::Assumed, Some(_)) => 2,
            _ => weight(item, value, place),
        }
    });
    Pairing { value_of, base_of }
}

/// The weight of a pair that is one beyond doubt.
const SURE: usize = 2000;

fn weight(item: &Node, value: &Json, place: Place) -> usize {
    match matches(View::Node(item), value, place) {
        Match::Same => SURE,
        Match::Assumed => SURE - 1,
        Match::Differs => likeness(item, value, place).unwrap_or(0),
    }
}

/// Pairs items with values in the order of both, so that the pairs weigh most together.
fn aligned(
    items: &[Node],
    values: &[Json],
    weight: impl Fn(usize, &Node, &Json) -> usize,
) -> Vec<Option<usize>> {
    let (rows, columns) = (items.len(), values.len());
    let weights: Vec<Vec<usize>> = items
        .iter()
        .enumerate()
        .map(|(row, item)| values.iter().map(|value| weight(row, item, value)).collect())
        .collect();
    let mut best = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            let paired = match weights[row][column] {
                0 => 0,
                weight => weight + best[row + 1][column + 1],
            };
            best[row][column] = paired.max(best[row + 1][column]).max(best[row][column + 1]);
        }
    }
    let mut value_of = vec![None; rows];
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        let weight = weights[row][column];
        if weight > 0 && best[row][column] == weight + best[row + 1][column + 1] {
            value_of[row] = Some(column);
            row += 1;
            column += 1;
        } else if best[row][column] == best[row + 1][column] {
            row += 1;
        } else {
            column += 1;
        }
    }
    value_of
}

/// Pairs the rest of the items with the rest of the values that they have most in common with.
fn pair_similar(items: &[Node], values: &[&Json], place: Place, value_of: &mut [Option<usize>]) {
    let mut is_taken = vec![false; values.len()];
    for at in value_of.iter().flatten() {
        is_taken[*at] = true;
    }
    let mut candidates = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if value_of[index].is_some() {
            continue;
        }
        for (at, value) in values.iter().enumerate().filter(|(at, _)| !is_taken[*at]) {
            if let Some(likeness) = likeness(item, value, place) {
                candidates.push((likeness, index, at));
            }
        }
    }
    candidates.sort_by_key(|(likeness, index, at)| (std::cmp::Reverse(*likeness), *index, *at));
    for (_, index, at) in candidates {
        if value_of[index].is_none() && !is_taken[at] {
            value_of[index] = Some(at);
            is_taken[at] = true;
        }
    }
}

/// How much two objects have in common, if it is enough to take one for the other edited.
fn likeness(item: &Node, value: &Json, place: Place) -> Option<usize> {
    let (Content::Object(members), Json::Object(values)) = (&item.content, value) else {
        return None;
    };
    let find = |key: &str| values.iter().find(|(other, _)| place.is_same_key(key, other));
    let sid = members.iter().find(|member| member.key.eq_ignore_ascii_case("sid"));
    let other_sid = values.iter().find(|(key, _)| key.eq_ignore_ascii_case("sid"));
    let common: usize = members
        .iter()
        .map(|member| {
            let Some((key, value)) = find(&member.key) else { return 0 };
            let place = place.member(key);
            match matches(View::Node(&member.value), value, place) {
                Match::Differs => usize::from(overlaps(&member.value, value, place)),
                Match::Assumed | Match::Same => 2,
            }
        })
        .sum();
    let count = members.len().max(values.len());
    match (sid.and_then(|sid| sid.value.text()), other_sid) {
        (Some(one), Some((_, Json::String(other)))) if !one.is_empty() && one == other => {
            Some(500 + common)
        }
        // Statements that are called differently are different ones, unless all else is the same.
        (Some(one), Some((_, Json::String(other)))) if !one.is_empty() && !other.is_empty() => {
            (common + 2 >= 2 * count).then_some(common)
        }
        _ => (common >= count && common > 0).then_some(common),
    }
}

/// Whether a member of an object has some of the values that it is to have.
fn overlaps(node: &Node, value: &Json, place: Place) -> bool {
    match (&node.content, value) {
        (Content::Object(members), Json::Object(values)) => members.iter().any(|member| {
            values.iter().any(|(key, value)| {
                let place = place.member(key);
                *key == member.key
                    && (matches(View::Node(&member.value), value, place) != Match::Differs
                        || overlaps(&member.value, value, place))
            })
        }),
        (Content::List(items), Json::Array(values)) => {
            items.iter().any(|item| values.iter().any(|value| is_like(item, value, place)))
        }
        (Content::List(items), value) => items.iter().any(|item| is_like(item, value, place)),
        (_, Json::Array(values)) => values.iter().any(|value| is_like(node, value, place)),
        _ => false,
    }
}

fn is_like(item: &Node, value: &Json, place: Place) -> bool {
    matches(View::Node(item), value, place.item()) != Match::Differs
}

/// What stays in the order it is in, and after each what comes after it in the values.
pub(super) fn in_order_of(
    kept: &[usize],
    new: &[usize],
    kept_of: &[Option<usize>],
    first_stays_first: bool,
) -> Vec<Entry<usize>> {
    let mut last = Vec::new();
    let mut first = Vec::new();
    let mut after: Vec<(usize, usize)> = Vec::new();
    let mut anchor = None;
    for (at, kept) in kept_of.iter().enumerate() {
        if kept.is_some() {
            anchor = *kept;
        } else if new.contains(&at) {
            match anchor {
                Some(index) => after.push((index, at)),
                None if first_stays_first => first.push(at),
                None => last.push(at),
            }
        }
    }
    let mut entries: Vec<Entry<usize>> = first.into_iter().map(Entry::New).collect();
    for index in kept {
        entries.push(Entry::Kept(*index));
        let follows = after.iter().filter(|(anchor, _)| anchor == index);
        entries.extend(follows.map(|(_, at)| Entry::New(*at)));
    }
    entries.extend(last.into_iter().map(Entry::New));
    entries
}
