//! What a commit says: its author and message, from the records that caused it.
//!
//! Names in records are chosen by whoever made the calls, and hosts act on what messages say: they
//! notify, close issues, skip checks. So every foreign text is cleaned: a character that would make
//! a host or git act, or that nobody sees, is spelled out as `\u{…}`; the rest stays as it is.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::event::{Actor, Record, Touched, touched};
use crate::invisible::{is_invisible, visible};
use crate::resource::KINDS;
use crate::summary::{KindSummary, count};

const LONGEST_SUBJECT: usize = 72;

/// Characters of a foreign text that are shown in a sentence, and in a trailer.
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 2048;

/// How many events of a batch are told one by one.
const EVENTS_SHOWN: usize = 20;

/// Author and text of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitMessage {
    pub author: Person,
    /// When the last change was made, in seconds since 1970; nothing for a full export.
    pub author_time: Option<i64>,
    pub text: String,
}

/// A name and an e-mail address as git takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub email: String,
}

/// Who makes all commits, and is the author where no record says who acted.
pub fn committer() -> Person {
    Person {
        name: "aws-iam-gitops".to_owned(),
        email: "aws-iam-gitops@aws-iam-gitops.invalid".to_owned(),
    }
}

impl CommitMessage {
    /// The message for these records, oldest first, or for a full export when there are none.
    ///
    /// The author is who made the last of the changes. Others are no `Co-authored-by`: they did not
    /// work on one change together, and each event's `Actor` names them all the same.
    ///
    /// `one_of` is the account where the repository holds several: the subject names it.
    pub fn new(records: &[Record], kinds: &[KindSummary], one_of: Option<&str>) -> CommitMessage {
        let place = one_of.map(|account| format!(" {account}")).unwrap_or_default();
        let Some(last) = records.last() else {
            let text = format!("{}\n", subject(&format!("export{place}: {}", export(kinds))));
            return CommitMessage { author: committer(), author_time: None, text };
        };
        let account = last.actor.account.as_deref().or(last.account.as_deref());
        CommitMessage {
            author: author(&last.actor, account),
            author_time: last.time.as_ref().map(|time| time.seconds),
            text: match records {
                [record] => one(record, &place, kinds),
                _ => several(records, &place, kinds),
            },
        }
    }

    /// The message of a commit to the branch of a conflict.
    pub fn of_conflict(
        records: &[Record],
        kinds: &[KindSummary],
        kind: &str,
        name: &str,
        one_of: Option<&str>,
    ) -> CommitMessage {
        let message = CommitMessage::new(records, kinds, one_of);
        let place = one_of.map(|account| format!(" {account}")).unwrap_or_default();
        match records {
            [] => CommitMessage {
                text: format!(
                    "{}\n",
                    subject(&format!("conflict{place}: {}", of_conflict(kind, name)))
                ),
                ..message
            },
            _ => message,
        }
    }
}

/// `AWS's version of role deploy`.
fn of_conflict(kind: &str, name: &str) -> String {
    format!("AWS's version of {kind} {}", clean(name, LONGEST_NAME))
}

/// `3 roles, 1 policy changed, 2 roles removed`.
fn export(kinds: &[KindSummary]) -> String {
    let counted = |number: fn(&KindSummary) -> usize, done: &str| {
        let counts: Vec<_> = kinds
            .iter()
            .filter(|kind| number(kind) > 0)
            .map(|kind| count(number(kind), kind.one))
            .collect();
        (!counts.is_empty()).then(|| format!("{} {done}", counts.join(", ")))
    };
    let changed = counted(|kind| kind.written.len(), "changed");
    let removed = counted(|kind| kind.removed.len(), "removed");
    let told: Vec<_> = changed.into_iter().chain(removed).collect();
    match told.is_empty() {
        true => "files of the module changed".to_owned(),
        false => told.join(", "),
    }
}

fn one(record: &Record, place: &str, kinds: &[KindSummary]) -> String {
    let full = format!("{}{place}: {}", service(record), call(record, kinds));
    let mut out = subject(&full);
    if out != full {
        let _ = write!(out, "\n\n{full}");
    }
    let _ = write!(out, "\n\n{}\n\n", sentence(record, kinds));
    trailers(&mut out, record);
    out
}

fn several(records: &[Record], place: &str, kinds: &[KindSummary]) -> String {
    let mut services: Vec<_> = records.iter().map(service).collect();
    services.sort_unstable();
    services.dedup();
    let actors: BTreeSet<&str> = records.iter().map(|record| &*record.actor.name).collect();
    let who = match actors.first() {
        Some(name) if actors.len() == 1 => clean(name, LONGEST_NAME),
        _ => format!("{} people", actors.len()),
    };
    let (services, number) = (services.join(", "), records.len());
    let mut out = subject(&format!("{services}{place}: {number} changes by {who}"));
    out.push_str("\n\n");
    for record in records.iter().take(EVENTS_SHOWN) {
        let actor = clean(&record.actor.name, LONGEST_NAME);
        let _ = writeln!(out, "- {}, by {actor}", call(record, kinds));
    }
    if let more @ 1.. = records.len().saturating_sub(EVENTS_SHOWN) {
        let _ = writeln!(out, "- and {more} more");
    }
    out.push('\n');
    records.iter().take(EVENTS_SHOWN).for_each(|record| trailers(&mut out, record));
    out
}

/// One line that hosts show whole.
fn subject(full: &str) -> String {
    if full.chars().count() <= LONGEST_SUBJECT {
        return full.to_owned();
    }
    let shown: String = full.chars().take(LONGEST_SUBJECT - 1).collect();
    format!("{}…", shown.trim_end())
}

fn service(record: &Record) -> &'static str {
    match record.service() {
        "account" => "account",
        "iam" => "iam",
        "organizations" => "organizations",
        "sso" => "sso",
        _ => "aws",
    }
}

/// `AttachRolePolicy on role deploy`.
fn call(record: &Record, kinds: &[KindSummary]) -> String {
    let name = at_line_start(&clean(&record.name, LONGEST_NAME));
    match noun(record, kinds) {
        Some(noun) => format!("{name} on {noun}"),
        None => name,
    }
}

/// `role deploy`: the first entity that the record touched.
fn noun(record: &Record, kinds: &[KindSummary]) -> Option<String> {
    let Touched::These(hits) = touched(record) else { return None };
    let hit = hits.first()?;
    let kind = KINDS.iter().find(|kind| kind.plural == hit.kind)?;
    let key = hit.key.as_deref()?;
    let (one, name) = kind.noun(key);
    // A key may be but an ID, whose entity has a name.
    let mut seen = kinds.iter().filter(|of| of.kind == kind.plural).flat_map(|of| &of.standings);
    let entity = seen.find(|entity| entity.key == key);
    let name = clean(entity.map_or(name, |entity| entity.name.as_str()), LONGEST_NAME);
    Some(match entity.and_then(|entity| entity.title.as_deref()) {
        Some(title) => format!("{one} {} ({name})", clean(title, LONGEST_NAME)),
        None => format!("{one} {name}"),
    })
}

/// `alice@example.com attached arn:aws:iam::aws:policy/AdministratorAccess.`
fn sentence(record: &Record, kinds: &[KindSummary]) -> String {
    let actor = at_line_start(&clean(&record.actor.name, LONGEST_NAME));
    let mut deeds = KINDS.iter().flat_map(|kind| kind.deeds);
    let deed = deeds.find(|(call, ..)| *call == record.name).and_then(|(_, name, done)| {
        let value = clean(record.parameter(name)?, LONGEST_NAME);
        Some(format!("{done} {value}"))
    });
    match deed {
        Some(deed) => format!("{actor} {deed}."),
        None => format!("{actor} called {}.", call(record, kinds)),
    }
}

fn trailers(out: &mut String, record: &Record) {
    let actor = &record.actor;
    let time = record.time.as_ref().map(|time| &time.text);
    for (key, value) in [
        ("Actor", Some(actor.arn.as_ref().unwrap_or(&actor.name))),
        ("Event", Some(&record.name)),
        ("Event-Id", record.id.as_ref()),
        ("Event-Time", time),
        ("Source-Ip", record.source_ip.as_ref()),
    ] {
        let value = clean(value.map_or("", String::as_str), LONGEST_VALUE);
        if !value.is_empty() {
            let _ = writeln!(out, "{key}: {value}");
        }
    }
}

/// A foreign text on one line, in which nothing makes git or a host act.
fn clean(text: &str, longest: usize) -> String {
    let mut characters = text.chars();
    let shown: Vec<char> = characters.by_ref().take(longest).collect();
    let mut out = String::with_capacity(text.len().min(longest));
    for (at, &c) in shown.iter().enumerate() {
        if is_invisible(c) || acts(&shown, at) {
            spell(&mut out, c);
        } else if !c.is_whitespace() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    if characters.next().is_some() {
        out.push('…');
    }
    out
}

fn spell(out: &mut String, c: char) {
    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
}

/// Whether git or a host would do more than show this character where it stands.
fn acts(text: &[char], at: usize) -> bool {
    let (before, after) = (&text[..at], &text[at + 1..]);
    let next_is = |test: fn(char) -> bool| after.first().is_some_and(|&c| test(c));
    match text[at] {
        // `[skip ci]` and its kin, `***NO_CI***`, issues, comment lines.
        '[' | '*' | '#' => true,
        // Mentions; in an address there is a letter before it.
        '@' => !before.last().is_some_and(char::is_ascii_alphanumeric),
        // References to merge requests, snippets, milestones, epics, labels, alerts.
        '!' | '$' | '%' | '&' | '~' | '^' => next_is(|c| c.is_alphanumeric() || c == '"'),
        // Keys of trailers, and addresses of issues.
        ':' => after.is_empty() || next_is(char::is_whitespace) || after.starts_with(&['/', '/']),
        // `GH-1`, and GitHub's `skip-checks: true`.
        '-' => {
            let is_word = !before.iter().rev().nth(2).is_some_and(char::is_ascii_alphanumeric);
            is_word && ends_with(before, "gh") && next_is(|c| c.is_ascii_digit())
                || ends_with(before, "skip") && starts_with(after, "checks")
        }
        // What looks spelled out already.
        '\\' => after.starts_with(&['u', '{']),
        _ => false,
    }
}

fn starts_with(text: &[char], word: &str) -> bool {
    text.len() >= word.len() && word.chars().zip(text).all(|(w, c)| w.eq_ignore_ascii_case(c))
}

fn ends_with(text: &[char], word: &str) -> bool {
    text.len().checked_sub(word.len()).is_some_and(|start| starts_with(&text[start..], word))
}

/// A text that begins a line: it is no trailer, command or divider.
fn at_line_start(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_spelled = text.starts_with("\\u{");
        if c == ':' || at == 0 && !c.is_alphanumeric() && !is_spelled {
            spell(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

/// Who acted, as git's author.
///
/// A session or user name that is an e-mail address becomes the author's: a host may then show that
/// person's account, and the claim is as good as the one AWS makes. Any other name gets an address
/// that no mail reaches and no host gives to anyone.
fn author(actor: &Actor, account: Option<&str>) -> Person {
    let mut name = String::new();
    for c in visible(&actor.name).chars().take(LONGEST_NAME) {
        name.push(match c {
            '<' => '(',
            '>' => ')',
            c => c,
        });
    }
    // Git drops these from both ends, and refuses a name of which nothing is left.
    let name = name.trim_matches(|c: char| c.is_whitespace() || ".,:;\"\\'".contains(c));
    let name = if name.is_empty() { "unknown" } else { name }.to_owned();
    let email = match is_address(&actor.name) {
        true => actor.name.clone(),
        false => undeliverable(&name, account),
    };
    Person { name, email }
}

/// `deploy@111122223333.aws.invalid`.
fn undeliverable(name: &str, account: Option<&str>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let local: String = name.chars().take(64).map(|c| if is_plain(c) { c } else { '-' }).collect();
    let local = match local.trim_matches(['.', '-']) {
        "" => "unknown",
        local => local,
    };
    match account.filter(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(account) => format!("{local}@{account}.aws.invalid"),
        None => format!("{local}@aws.invalid"),
    }
}

/// Whether a text is a plain e-mail address that a host does not map to an account by its form, as
/// GitHub does with `12345+name@users.noreply.github.com`.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let lower = text.to_ascii_lowercase();
    let is_part = |part: &str, longest: usize, more: &[u8]| {
        (1..=longest).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let is_label =
        |label: &str| is_part(label, 63, b"-") && !label.starts_with('-') && !label.ends_with('-');
    let top = domain.rsplit('.').next().unwrap_or_default();
    is_part(local, 64, b"._%+-")
        && local.split('.').all(|part| !part.is_empty())
        && domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(is_label)
        && top.len() >= 2
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !lower.contains("noreply")
        && !lower.contains("no-reply")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::{Content, Invocation, scope_of};
    use crate::summary::{EntityStanding, Standing};

    fn record(value: Value) -> Record {
        Record::parse(&value).expect("a record")
    }

    fn attach(actor: &str, id: &str) -> Record {
        record(json!({
            "eventSource": "iam.amazonaws.com", "eventName": "AttachRolePolicy", "eventID": id,
            "eventTime": "2026-11-22T10:15:00Z", "sourceIPAddress": "203.0.113.7",
            "recipientAccountId": "111122223333",
            "requestParameters": {
                "roleName": "deploy", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
            },
            "userIdentity": {
                "type": "AssumedRole", "accountId": "111122223333",
                "arn": format!("arn:aws:sts::111122223333:assumed-role/Admin/{actor}"),
            },
        }))
    }

    fn actor(name: &str) -> Actor {
        Actor { name: name.to_owned(), arn: None, account: None }
    }

    #[test]
    fn one_event_is_told_in_full() {
        let message = CommitMessage::new(&[attach("alice@example.com", "6f0e")], &[], None);
        assert_eq!(
            message.text,
            "iam: AttachRolePolicy on role deploy\n\
             \n\
             alice@example.com attached arn:aws:iam::aws:policy/AdministratorAccess.\n\
             \n\
             Actor: arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com\n\
             Event: AttachRolePolicy\n\
             Event-Id: 6f0e\n\
             Event-Time: 2026-11-22T10:15:00Z\n\
             Source-Ip: 203.0.113.7\n"
        );
        assert_eq!(message.author_time, Some(1_795_342_500));
        let author =
            Person { name: "alice@example.com".to_owned(), email: "alice@example.com".to_owned() };
        assert_eq!(message.author, author);
    }

    #[test]
    fn a_batch_lists_its_events() {
        let alice = |id| attach("alice@example.com", id);
        let message = CommitMessage::new(&[alice("1"), alice("2"), alice("3")], &[], None);
        assert!(message.text.starts_with("iam: 3 changes by alice@example.com\n\n- AttachRolePolicy on role deploy, by alice@example.com\n- "));
        let mut other = attach("bob", "4");
        other.source = "organizations.amazonaws.com".to_owned();
        other.name = "LeaveOrganization".to_owned();
        let message = CommitMessage::new(&[alice("1"), other], &[], None);
        assert!(message.text.starts_with("iam, organizations: 2 changes by 2 people\n\n- "));
        assert!(message.text.contains("\n- LeaveOrganization, by bob\n\nActor: "));
        assert_eq!(message.author.email, "bob@111122223333.aws.invalid");
    }

    #[test]
    fn a_burst_stays_readable() {
        let records: Vec<_> =
            (0..1000).map(|n| attach("alice@example.com", &n.to_string())).collect();
        let text = CommitMessage::new(&records, &[], None).text;
        assert!(text.starts_with("iam: 1000 changes by alice@example.com\n"));
        assert!(text.contains("\n- and 980 more\n\n"));
        assert_eq!(trailer_keys(&text).len(), EVENTS_SHOWN * 5);
    }

    #[test]
    fn a_full_export_is_counted() {
        let kind = |one, written: usize, removed: usize| KindSummary {
            one,
            written: vec![String::new(); written],
            removed: vec![String::new(); removed],
            ..KindSummary::default()
        };
        let kinds = [kind("role", 3, 0), kind("policy", 1, 0), kind("organizations policy", 0, 0)];
        let message = CommitMessage::new(&[], &kinds, None);
        assert_eq!(message.text, "export: 3 roles, 1 policy changed\n");
        assert_eq!(message.author, committer());
        let text = CommitMessage::new(&[], &[kind("role", 1, 2)], None).text;
        assert_eq!(text, "export: 1 role changed, 2 roles removed\n");
        let text = CommitMessage::new(&[], &[], None).text;
        assert_eq!(text, "export: files of the module changed\n");
    }

    #[test]
    fn one_of_several_accounts_is_named_in_the_subject() {
        let alice = |id| attach("alice@example.com", id);
        let text = |records: &[Record]| CommitMessage::new(records, &[], Some("111122223333")).text;
        assert!(
            text(&[alice("1")])
                .starts_with("iam 111122223333: AttachRolePolicy on role deploy\n\n")
        );
        let two = text(&[alice("1"), alice("2")]);
        assert!(two.starts_with("iam 111122223333: 2 changes by alice@example.com\n\n"), "{two}");
        assert_eq!(text(&[]), "export 111122223333: files of the module changed\n");
        let conflict = CommitMessage::of_conflict(&[], &[], "role", "deploy", Some("111122223333"));
        assert_eq!(conflict.text, "conflict 111122223333: AWS's version of role deploy\n");
    }

    #[test]
    fn an_entity_that_a_record_names_by_id_goes_by_its_name() {
        let arn = "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0000000000000001";
        let record = record(json!({
            "eventSource": "sso.amazonaws.com", "eventName": "UpdatePermissionSet",
            "requestParameters": {"permissionSetArn": arn},
        }));
        let records = [record];
        let Touched::These(hits) = touched(&records[0]) else { panic!("touches nothing") };
        let standing = EntityStanding {
            key: hits[0].key.clone().expect("a key"),
            name: "Admin #1".to_owned(),
            title: None,
            terraform_path: String::new(),
            standing: Standing::InStep,
            detail: None,
        };
        let kind =
            KindSummary { kind: hits[0].kind, standings: vec![standing], ..KindSummary::default() };
        let mut titled = kind.standings[0].clone();
        titled.title = Some("Ops [skip ci] @team".to_owned());
        let titled =
            KindSummary { standings: vec![titled], kind: kind.kind, ..KindSummary::default() };
        let text = |kinds: &[KindSummary]| CommitMessage::new(&records, kinds, None).text;
        let named = text(&[kind]);
        assert!(
            named.starts_with("sso: UpdatePermissionSet on permission set Admin \\u{23}1\n\n"),
            "{named}"
        );
        let titled = text(&[titled]);
        let cleaned = "permission set Ops \\u{5b}skip ci] \\u{40}team (Admin \\u{23}1)";
        assert!(titled.contains(cleaned) && !titled.contains("[skip"), "{titled}");
        let unknown = text(&[]);
        assert!(unknown.starts_with("sso: UpdatePermissionSet on permission set "), "{unknown}");
        assert!(unknown.contains("ps-0000000000000001"), "{unknown}");
    }

    #[test]
    fn long_names_are_cut_in_the_subject_alone() {
        let mut long = attach("alice", "1");
        let name = "x".repeat(64);
        long = record(json!({
            "eventSource": long.source, "eventName": long.name,
            "requestParameters": {"roleName": name},
        }));
        let text = CommitMessage::new(&[long], &[], None).text;
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].chars().count(), LONGEST_SUBJECT);
        assert_eq!(lines[2], format!("iam: AttachRolePolicy on role {name}"));
    }

    #[test]
    fn what_hosts_act_on_is_spelled_out() {
        for (text, cleaned) in [
            ("[skip ci]", "\\u{5b}skip ci]"),
            ("***NO_CI***", "\\u{2a}\\u{2a}\\u{2a}NO_CI\\u{2a}\\u{2a}\\u{2a}"),
            ("Skip-Checks:true", "Skip\\u{2d}Checks:true"),
            ("fixes #1", "fixes \\u{23}1"),
            ("a/b#1", "a/b\\u{23}1"),
            ("Gh-1 high-1 gh-x", "Gh\\u{2d}1 high-1 gh-x"),
            (
                "closes https://github.com/a/b/issues/1",
                "closes https\\u{3a}//github.com/a/b/issues/1",
            ),
            (
                "@team a @b .@c alice@example.com",
                "\\u{40}team a \\u{40}b .\\u{40}c alice@example.com",
            ),
            ("é@team", "é\\u{40}team"),
            ("!1 $2 a&b 100%", "\\u{21}1 \\u{24}2 a\\u{26}b 100%"),
            ("Signed-off-by: x", "Signed-off-by\\u{3a} x"),
            ("a\n\nb", "a\\u{a}\\u{a}b"),
            ("  a   b\u{a0} ", "a b"),
            ("\\u{40}", "\\u{5c}u{40}"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("arn:aws:iam::aws:policy/A+b=c,d.e@f-g_h", "arn:aws:iam::aws:policy/A+b=c,d.e@f-g_h"),
        ] {
            assert_eq!(clean(text, 100), cleaned);
        }
        assert_eq!(clean("abcd", 3), "abc…");
        assert_eq!(at_line_start("--- a: b"), "\\u{2d}-- a\\u{3a} b");
        assert_eq!(at_line_start("\\u{23} a"), "\\u{23} a");
    }

    #[test]
    fn authors_have_addresses_that_are_theirs_or_nobodys() {
        for (name, email) in [
            ("alice@example.com", "alice@example.com"),
            ("a.b+c@mail.example.co.uk", "a.b+c@mail.example.co.uk"),
            ("1+bob@users.noreply.github.com", "1-bob-users.noreply.github.com@1.aws.invalid"),
            ("x@users.NoReply.example.com", "x-users.NoReply.example.com@1.aws.invalid"),
            ("noreply@github.com", "noreply-github.com@1.aws.invalid"),
            ("a@b@example.com", "a-b-example.com@1.aws.invalid"),
            ("a@localhost", "a-localhost@1.aws.invalid"),
            ("a@-x.com", "a--x.com@1.aws.invalid"),
            ("root", "root@1.aws.invalid"),
            ("a <b@c.de>", "a--b-c.de@1.aws.invalid"),
            ("...", "unknown@1.aws.invalid"),
            ("é", "unknown@1.aws.invalid"),
        ] {
            let wanted = email.replace("@1.", "@111122223333.");
            assert_eq!(author(&actor(name), Some("111122223333")).email, wanted, "{name}");
        }
        assert_eq!(author(&actor("root"), Some("1\n")).email, "root@aws.invalid");
        assert_eq!(author(&actor("a <b>\n"), None).name, "a (b)\\u{a}");
        assert_eq!(author(&actor(" :. "), None).name, "unknown");
    }

    #[test]
    fn recorded_calls_make_plain_messages() {
        let path = "../shared/data/cloudtrail-events/aws.persistence.iam-create-backdoor-role.json";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if !path.exists() {
            eprintln!("skipped: there is no {}", path.display());
            return;
        }
        let text = std::fs::read_to_string(path).expect("readable");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let Ok(Invocation::Direct(Content::Records(records))) = Invocation::parse(&value) else {
            panic!("not records: {text}");
        };
        let (_, records) = scope_of(records);
        let message = CommitMessage::new(&records, &[], None);
        assert_eq!(
            message.text,
            "iam: 2 changes by christophe\n\
             \n\
             - AttachRolePolicy on role stratus-red-team-malicious-iam-role, by christophe\n\
             - CreateRole on role stratus-red-team-malicious-iam-role, by christophe\n\
             \n\
             Actor: arn:aws:iam::609418236337:user/christophe\n\
             Event: AttachRolePolicy\n\
             Event-Id: 39480357-0a1d-4531-a3f2-71be4c041c25\n\
             Event-Time: 2024-08-01T13:37:41Z\n\
             Source-Ip: 209.209.254.254\n\
             Actor: arn:aws:iam::609418236337:user/christophe\n\
             Event: CreateRole\n\
             Event-Id: d2905ac3-9898-433f-b10d-9302abe4e208\n\
             Event-Time: 2024-08-01T13:37:41Z\n\
             Source-Ip: 209.209.254.254\n"
        );
        let message = CommitMessage::new(&records[1..], &[], None);
        assert!(message.text.starts_with(
            "iam: CreateRole on role stratus-red-team-malicious-iam-role\n\n\
             christophe called CreateRole on role stratus-red-team-malicious-iam-role.\n\n"
        ));
        assert_eq!(message.author.email, "christophe@609418236337.aws.invalid");
    }

    fn trailer_keys(text: &str) -> Vec<String> {
        let trailers = git2::message_trailers_strs(text).expect("a message");
        trailers.iter().map(|(key, _)| key.to_owned()).collect()
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "[skip ci]",
                "[CI  SKIP]",
                "[ no ci ]",
                "[actions skip]",
                "***NO_CI***",
                "skip-checks: true",
                "Skip-Checks:true",
                "\n\nskip-checks:true\n",
                "@",
                "@team",
                "#1",
                "fixes #1",
                "GH-1",
                "gh-",
                "owner/repo#1",
                "https://github.com/a/b/pull/1",
                "\n",
                "\r\n",
                "\0",
                "\u{2028}",
                "\u{202e}",
                "\u{85}",
                "\t",
                "  ",
                "---",
                "-",
                "#",
                "Signed-off-by: a <a@b.c>",
                "\n\nCo-authored-by: a <a@b.c>\n",
                "Event: x",
                ":",
                "<",
                ">",
                "\\u{40}",
                ".",
                "deploy",
                "alice@example.com",
                "p-12345678",
                "/",
                "1",
                "arn:aws:iam::111122223333:policy/",
                "diff --git a/x b/x",
                "/close",
                "\u{212a}",
            ])
            .prop_map(str::to_owned),
            any::<String>(),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    prop_compose! {
        fn hostile_record()(
            call in prop_oneof![
                prop::sample::select(
                    KINDS.iter().flat_map(|kind| kind.deeds).map(|(call, ..)| (*call).to_owned()).collect::<Vec<_>>(),
                ),
                hostile().prop_map(|text| format!("{text}x")),
            ],
            service in prop::sample::select(vec!["iam", "organizations", "sts"]),
            texts in prop::collection::vec(hostile(), 9),
            kind in prop::sample::select(vec!["AssumedRole", "IAMUser", "AWSService", "SAMLUser"]),
            has_arn in any::<bool>(),
        ) -> Record {
            let mut identity = json!({
                "type": kind, "userName": texts[0], "invokedBy": texts[1], "accountId": texts[2],
            });
            if has_arn {
                identity["arn"] = json!(texts[3]);
            }
            record(json!({
                "eventSource": format!("{service}.amazonaws.com"), "eventName": call,
                "eventID": texts[4], "sourceIPAddress": texts[5], "eventTime": texts[6],
                "requestParameters": {
                    "roleName": texts[7], "policyName": texts[7], "instanceProfileName": texts[7],
                    "policyArn": texts[8], "targetId": texts[8], "policyId": texts[8],
                    "permissionsBoundary": texts[8],
                },
                "userIdentity": identity,
            }))
        }
    }

    /// Whether git would take the line for a trailer.
    fn is_trailer(line: &str) -> bool {
        line.split_once(':').is_some_and(|(key, _)| {
            let key = key.trim_end();
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    }

    proptest! {
        #[test]
        fn foreign_text_forges_nothing(
            records in prop::collection::vec(hostile_record(), 1..5),
        ) {
            let message = CommitMessage::new(&records, &[], None);
            let text = &message.text;
            let shows = |text: &str| text.chars().any(|c| !c.is_whitespace() || is_invisible(c));
            let has = |value: &Option<String>| value.as_deref().is_some_and(shows);
            let wanted: Vec<&str> = records
                .iter()
                .flat_map(|record| [
                    ("Actor", true),
                    ("Event", true),
                    ("Event-Id", has(&record.id)),
                    ("Event-Time", record.time.is_some()),
                    ("Source-Ip", has(&record.source_ip)),
                ])
                .filter_map(|(key, is_there)| is_there.then_some(key))
                .collect();
            prop_assert_eq!(trailer_keys(text), wanted);

            let (head, _) = text.trim_end().rsplit_once("\n\n").expect("trailers");
            let mut lines = head.lines();
            let subject = lines.next().expect("a subject");
            prop_assert!(subject.chars().count() <= LONGEST_SUBJECT);
            prop_assert_eq!(lines.next(), Some(""));
            let full = format!("{}: ", subject.split(':').next().expect("a service"));
            for line in lines.filter(|line| !line.starts_with(&full)) {
                prop_assert!(!is_trailer(line), "{}", line);
                prop_assert!(!line.starts_with(['#', '/']) && !line.starts_with("--"), "{}", line);
            }
            let characters: Vec<char> = text.chars().collect();
            for (at, &c) in characters.iter().enumerate() {
                prop_assert!(c == '\n' || !is_invisible(c), "{:?}", c);
                prop_assert!(!matches!(c, '[' | '*' | '#'), "{}", text);
                if c == '@' {
                    prop_assert!(characters[at - 1].is_ascii_alphanumeric(), "{}", text);
                }
            }
            let lower = text.to_ascii_lowercase();
            prop_assert!(!lower.contains("skip-checks") && !lower.contains("://"));
            for (at, _) in lower.match_indices("gh-") {
                let is_inside = lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
                let is_number = lower[at + 3..].starts_with(|c: char| c.is_ascii_digit());
                prop_assert!(is_inside || !is_number, "{}", text);
            }

            let Person { name, email } = &message.author;
            let signature = git2::Signature::new(name, email, &git2::Time::new(0, 0));
            let signature = signature.expect("git takes the author");
            prop_assert_eq!(signature.name().ok(), Some(name.as_str()));
            prop_assert_eq!(signature.email().ok(), Some(email.as_str()));
            prop_assert!(!email.to_ascii_lowercase().contains("noreply") || email.ends_with(".invalid"));
            prop_assert!(email.is_ascii() && email.matches('@').count() == 1);
        }
    }
}
