//! The laws of reconciling, on whole folders: a person edits, AWS changes, an export runs.
//!
//! Everything is random, the same for a seed. What the person wants and what AWS has is known
//! beside the texts, so that each verdict can be foretold. `HISTORIES=20000 cargo test --test laws`
//! plays more.

#[path = "../support/random.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod random;

mod account;
mod person;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use account::{Account, Role};
use aws_iam_gitops::directory::Files;
use aws_iam_gitops::export::write;
use aws_iam_gitops::reconcile::Comparison;
use aws_iam_gitops::reconcile::Verdict;
use aws_iam_gitops::settings::Coverage;
use aws_iam_gitops::steps::Options;
use aws_iam_gitops::summary::{Standing, Summary};
use person::{Person, Tree, attributes, blocks};
use random::Random;

const HISTORIES: u64 = 2_000;

/// A folder in memory.
#[derive(Default)]
struct Memory(RefCell<Tree>);

impl Files for Memory {
    fn files(&self, folder: &str) -> anyhow::Result<BTreeSet<String>> {
        let start = format!("{folder}/");
        let names = self.0.borrow();
        let names = names.keys().filter_map(|path| path.strip_prefix(&start));
        Ok(names.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.0.borrow().get(path).map(|text| text.clone().into_bytes()))
    }

    fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let text = String::from_utf8(content.to_vec())?;
        self.0.borrow_mut().insert(path.to_owned(), text);
        Ok(())
    }

    fn remove(&self, path: &str) -> anyhow::Result<()> {
        self.0.borrow_mut().remove(path);
        Ok(())
    }
}

/// Kind and name.
type Key = (&'static str, String);

/// What a run leaves and says.
struct Run {
    files: Tree,
    standings: BTreeMap<Key, Standing>,
    summary: Summary,
}

fn run(files: &Tree, account: &Account) -> Run {
    let memory = Memory(RefCell::new(files.clone()));
    let coverage = Coverage::default();
    let options = Options::new(&coverage);
    let (summary, _) =
        write(&memory, &options, Some(&Account::id()), account.inventory()).expect("a run");
    assert!(summary.failures.is_empty(), "{:?}", summary.failures);
    let of_kind = |kind: &aws_iam_gitops::summary::KindSummary| {
        let name = kind.kind;
        kind.standings
            .iter()
            .map(move |it| ((name, it.name.clone()), it.standing))
            .collect::<Vec<_>>()
    };
    let standings = summary.kinds.iter().flat_map(of_kind).collect();
    Run { files: memory.0.into_inner(), standings, summary }
}

/// One entity of an account, as far as it is compared.
#[derive(Clone, Debug, PartialEq)]
enum Entity {
    Role(Role),
    Policy(account::Policy),
}

fn entity(account: &Account, (kind, name): &Key) -> Option<Entity> {
    match *kind {
        "roles" => account.roles.get(name).cloned().map(Entity::Role),
        _ => account.policies.get(name).cloned().map(Entity::Policy),
    }
}

fn keys<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> BTreeSet<Key> {
    let keys = |account: &Account| {
        let roles = account.roles.keys().map(|name| ("roles", name.clone()));
        let policies = account.policies.keys().map(|name| ("policies", name.clone()));
        roles.chain(policies).collect::<Vec<_>>()
    };
    accounts.into_iter().flat_map(keys).collect()
}

/// The verdict that the three accounts make of an entity.
fn verdict(base: &Account, person: &Person, actual: &Account, key: &Key) -> Verdict {
    let [base, mut desired, actual] = [base, &person.wants, actual].map(|it| entity(it, key));
    if person.own.contains(&key.1)
        && let Some(Entity::Role(desired)) = &mut desired
    {
        // The variable says what the base says.
        let Some(Entity::Role(base)) = &base else { unreachable!("it was edited") };
        if let Some(Entity::Role(actual)) = &actual
            && actual.description != base.description
        {
            return Verdict::Conflicting;
        }
        desired.description.clone_from(&base.description);
    }
    Comparison {
        actual_is_base: actual == base,
        desired_is_base: desired == base,
        desired_is_actual: desired == actual,
    }
    .verdict()
}

fn standing(verdict: Verdict, base: bool, actual: bool) -> Standing {
    match verdict {
        Verdict::Unchanged => Standing::InStep,
        Verdict::Pending => Standing::Pending,
        Verdict::Conflicting => Standing::Conflicting,
        Verdict::Drifted | Verdict::Converged if !actual => Standing::Gone,
        Verdict::Converged => Standing::Converged,
        Verdict::Drifted if base => Standing::Drifted,
        Verdict::Drifted => Standing::Unmanaged,
    }
}

/// Whether AWS has an argument, and whether it is as in the base.
fn has_and_kept(
    base: &Account,
    actual: &Account,
    block: &person::Block,
    name: &str,
) -> (bool, bool) {
    let both = |value: &dyn Fn(&Account) -> Option<String>| {
        let (base, actual) = (value(base), value(actual));
        (actual.is_some(), base == actual)
    };
    let of_role = |value: &dyn Fn(&Role) -> Option<String>| {
        both(&|account: &Account| account.roles.get(&block.entity).and_then(value))
    };
    let tags = |tags: &BTreeMap<String, String>| (!tags.is_empty()).then(|| format!("{tags:?}"));
    match (block.resource_type.as_str(), name) {
        ("aws_iam_role", "description") => of_role(&|role| role.description.clone()),
        ("aws_iam_role", "max_session_duration") => of_role(&|role| Some(role.hours.to_string())),
        ("aws_iam_role", "tags") => of_role(&|role| tags(&role.tags)),
        ("aws_iam_role", "assume_role_policy") => of_role(&|it| Some(format!("{:?}", it.services))),
        ("aws_iam_role", _) => of_role(&|_| Some(String::new())),
        ("aws_iam_role_policy", "policy") => {
            of_role(&|it| it.inline.get(&block.part).map(|it| format!("{it:?}")))
        }
        ("aws_iam_role_policy", _) => {
            of_role(&|it| it.inline.get(&block.part).map(|_| String::new()))
        }
        ("aws_iam_role_policy_attachment", _) => of_role(&|role| {
            let is_it = |name: &&String| account::policy_arn(name) == block.part;
            role.attached.iter().find(is_it).map(|_| String::new())
        }),
        (_, name) => both(&|account: &Account| {
            let policy = account.policies.get(&block.entity)?;
            match name {
                "tags" => tags(&policy.tags),
                "policy" => Some(format!("{:?}", policy.statements)),
                _ => Some(String::new()),
            }
        }),
    }
}

/// A block's text without what changes when lines beside it do: the blanks before `=`.
fn unaligned(text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (name, value) = first.split_once('=').unwrap_or((first, ""));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{} = {}\n{rest}", words(name), words(value))
}

/// Plays one history; the answer is its verdicts.
fn play(seed: u64) -> Vec<Verdict> {
    let mut random = Random::new(seed);
    let base = Account::random(&mut random);
    let written = run(&Tree::new(), &base).files;
    let mut person = Person::new(written.clone(), &base);
    let mut edits = Vec::new();
    for _ in 0..random.below(5) {
        edits.push(person.edit(&mut random));
    }
    let edited = changed(&written, &person.files);
    for _ in 0..random.below(5) {
        person.comment(&mut random);
    }
    let mut actual = base.clone();
    for _ in 0..random.below(4) {
        actual.change(&mut random);
    }
    for name in base.roles.keys() {
        // An apply in part.
        if random.percent(15) && !person.own.contains(name) {
            match person.wants.roles.get(name) {
                Some(role) => drop(actual.roles.insert(name.clone(), role.clone())),
                None => drop(actual.roles.remove(name)),
            }
        }
    }
    let told = format!(
        "seed {seed}, edits {edits:?} of {edited:?}\nbase {:?}\nwants {:?}\nactual {:?}",
        base.roles, person.wants.roles, actual.roles
    );
    check(&told, &base, &person, &actual)
}

fn changed(before: &Tree, after: &Tree) -> BTreeSet<String> {
    let paths = before.keys().chain(after.keys());
    paths.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

fn terraform(tree: &Tree) -> Tree {
    tree.iter()
        .filter(|(path, _)| path.ends_with(".tf"))
        .map(|(a, b)| (a.clone(), b.clone()))
        .collect()
}

fn check(told: &str, base: &Account, person: &Person, actual: &Account) -> Vec<Verdict> {
    let before = &person.files;
    let first = run(before, actual);
    let said = |run: &Run| format!("{told}\n{:?}\n{}", run.summary.notes, show(before, &run.files));
    let mut verdicts = BTreeMap::new();
    for key in keys([base, actual]) {
        let found = verdict(base, person, actual, &key);
        let is = |account| entity(account, &key).is_some();
        let expected = standing(found, is(base), is(actual));
        assert_eq!(first.standings.get(&key), Some(&expected), "{key:?}: {}", said(&first));
        verdicts.insert(key, found);
    }
    keeps_what_the_person_wrote(&first, base, person, actual, &verdicts, &said);
    keeps_comments(&first, base, person, actual, &verdicts, &said);

    // Twice is once, and what AWS had is what the files say by now.
    let second = run(&first.files, actual);
    assert_eq!(changed(&first.files, &second.files), BTreeSet::new(), "{}", said(&second));
    for (key, verdict) in &verdicts {
        let expected = match verdict {
            Verdict::Pending => Some(Standing::Pending),
            Verdict::Conflicting => Some(Standing::Conflicting),
            _ if entity(actual, key).is_none() => None,
            _ => Some(Standing::InStep),
        };
        assert_eq!(second.standings.get(key).copied(), expected, "{key:?}: {}", said(&second));
    }

    // An apply: AWS has what the files say.
    let mut applied = actual.clone();
    for (key, verdict) in &verdicts {
        if matches!(verdict, Verdict::Pending | Verdict::Conflicting) {
            let mut wanted = person.wants.roles.get(&key.1).cloned();
            if person.own.contains(&key.1)
                && let Some(wanted) = &mut wanted
            {
                wanted.description.clone_from(&base.roles[&key.1].description);
            }
            match wanted {
                Some(role) => drop(applied.roles.insert(key.1.clone(), role)),
                None => drop(applied.roles.remove(&key.1)),
            }
            if key.0 == "policies" {
                unreachable!("nobody edits policies");
            }
        }
    }
    let third = run(&second.files, &applied);
    assert_eq!(terraform(&second.files), terraform(&third.files), "{}", said(&third));
    for (key, standing) in &third.standings {
        let is_so = matches!(standing, Standing::InStep | Standing::Converged | Standing::Gone);
        assert!(is_so, "{key:?} {standing:?}: {}", said(&third));
    }
    if third.files != second.files {
        let fourth = run(&third.files, &applied);
        assert_eq!(changed(&third.files, &fourth.files), BTreeSet::new(), "{}", said(&fourth));
        assert!(fourth.standings.values().all(|it| *it == Standing::InStep), "{}", said(&fourth));
    }
    for (name, text) in &third.files {
        let stem = name.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
        let Some(stem) = stem else { continue };
        let expected = match name.starts_with("roles/") {
            true => applied.role_json(stem),
            false => applied.policy_json(stem),
        };
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(json(text), json(&expected), "{name}: {}", said(&third));
    }
    verdicts.into_values().collect()
}

/// The Terraform before and after, to be read in a failure.
fn show(before: &Tree, after: &Tree) -> String {
    let text = |tree: &Tree, path: &str| tree.get(path).cloned().unwrap_or_default();
    let (before, after) = (terraform(before), terraform(after));
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let show = |path: &&String| match text(&before, path) == text(&after, path) {
        true => format!("----- {path}\n{}", text(&before, path)),
        false => {
            format!("----- {path}\n{}----- now\n{}", text(&before, path), text(&after, path))
        }
    };
    paths.iter().map(show).collect()
}

fn key_of(block: &person::Block) -> Key {
    let kind = if block.resource_type == "aws_iam_policy" { "policies" } else { "roles" };
    (kind, block.entity.clone())
}

/// Nothing that a person changed is written over, to the byte.
fn keeps_what_the_person_wrote(
    first: &Run,
    base: &Account,
    person: &Person,
    actual: &Account,
    verdicts: &BTreeMap<Key, Verdict>,
    said: &dyn Fn(&Run) -> String,
) {
    for block in blocks(&person.files) {
        let Some(verdict) = verdicts.get(&key_of(&block)) else { continue };
        let after = first.files.get(&block.path).map(String::as_str).unwrap_or_default();
        if *verdict != Verdict::Drifted {
            assert!(after.contains(&block.text), "{verdict:?}\n{}\n{}", block.text, said(first));
            continue;
        }
        let now = blocks(&first.files);
        let now = now.iter().find(|now| {
            (&now.keyword, &now.resource_type, &now.label, &now.path)
                == (&block.keyword, &block.resource_type, &block.label, &block.path)
        });
        for (name, span) in attributes(&block.text) {
            let (is_there, is_kept) = has_and_kept(base, actual, &block, &name);
            if !is_there || !is_kept {
                continue;
            }
            let text = unaligned(&block.text[span]);
            let is_same = now.is_some_and(|now| {
                attributes(&now.text)
                    .into_iter()
                    .any(|(_, span)| unaligned(&now.text[span]) == text)
            });
            assert!(is_same, "{text}\nis lost: {}", said(first));
        }
    }
}

/// Comments stay, but for those inside what AWS removed.
fn keeps_comments(
    first: &Run,
    base: &Account,
    person: &Person,
    actual: &Account,
    verdicts: &BTreeMap<Key, Verdict>,
    said: &dyn Fn(&Run) -> String,
) {
    for comment in &person.comments {
        if let Some((block, name)) = &comment.at {
            let (is_there, is_kept) = has_and_kept(base, actual, block, name);
            let is_drifted = verdicts.get(&key_of(block)) == Some(&Verdict::Drifted);
            if is_drifted && (!is_there || (comment.is_within && !is_kept)) {
                continue;
            }
        }
        let text = first.files.get(&comment.path).map(String::as_str).unwrap_or_default();
        assert_eq!(text.matches(&comment.text).count(), 1, "{comment:?}: {}", said(first));
    }
}

#[test]
fn what_people_wrote_survives_and_all_is_still_in_the_end() {
    let histories = std::env::var("HISTORIES").map_or(HISTORIES, |n| n.parse().expect("a number"));
    let first = std::env::var("SEED").map_or(0, |n| n.parse().expect("a number"));
    let next = AtomicU64::new(first);
    let counts = Mutex::new(BTreeMap::<String, usize>::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + histories {
                        break;
                    }
                    for verdict in play(seed) {
                        let mut counts = counts.lock().expect("no test has failed");
                        *counts.entry(format!("{verdict:?}")).or_default() += 1;
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().expect("no test has failed");
    if histories >= HISTORIES {
        assert!(counts.len() == 5 && counts.values().all(|count| *count >= 100), "{counts:?}");
    }
}
