//! Conflicts as pull requests: the branch of one, and what its pull request says.
//!
//! An entity that changed both in Git and in AWS is left alone on the default branch. AWS's version
//! goes to a branch of its own, whose pull request shows both changes and who made them. The same
//! is done with everything where a repository wants pull requests for all exports.
//!
//! Pure: what is said depends on what is given alone, so that nothing is written while nothing
//! changes.

use std::fmt::Write;

use crate::event::Record;
use crate::github::markdown::{LONGEST_BODY, cut, fence_of, text, title};
use crate::repository::{History, Logged, hunks};

const OURS: &str = "aws-iam-gitops";
/// How many events and commits are told one by one.
const SHOWN: usize = 10;
/// Bytes of a difference that are shown; two of them and the rest fit into a body.
const LONGEST_DIFF: usize = 18_000;
/// The longest last part of a branch's name: servers keep it as a file.
const LONGEST_PART: usize = 200;

const CHANGED_BY: &str = "Changed by";
const WHAT_TO_DO: &str = "\n## What to do\n";

/// How the branches of a folder's conflicts begin; each folder of accounts has its own.
pub fn branch_start(folder: &str) -> String {
    match folder.trim_matches('/') {
        "" => format!("{OURS}/conflict/"),
        folder => format!("{OURS}/conflict-in/{}/", part(folder)),
    }
}

/// The branch of an entity's conflict, by the name of its Terraform file: `iam_role.deploy.tf`.
///
/// Two entities never share one, also where a server does not tell names apart by case: file
/// names are as careful.
pub fn branch(folder: &str, terraform_file: &str) -> String {
    let name = terraform_file.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".tf").unwrap_or(name);
    format!("{}{}", branch_start(folder), part(name))
}

/// The branch that exports go to where they are to be pull requests.
pub fn export_branch(folder: &str) -> String {
    match folder.trim_matches('/') {
        "" => format!("{OURS}/export"),
        folder => format!("{OURS}/export-in/{}", part(folder)),
    }
}

/// One part of a branch's name. What Git does not take there is spelled as file names spell it.
fn part(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut out = String::with_capacity(name.len());
    for (at, &byte) in bytes.iter().enumerate() {
        let is_dot_alone = byte == b'.'
            && at > 0
            && at + 1 < bytes.len()
            && bytes[at - 1] != b'.'
            && !bytes[at + 1..].eq_ignore_ascii_case(b"lock");
        let is_plain = byte.is_ascii_alphanumeric() || b"_+=,@-%".contains(&byte);
        let is_first_dash = byte == b'-' && at == 0;
        if is_dot_alone || is_plain && !is_first_dash {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if out == "@" {
        return "%40".to_owned();
    }
    if out.len() > LONGEST_PART {
        // No file's name holds `%-`, so no whole name is one that was cut.
        let end = LONGEST_PART - 18;
        out = format!("{}%-{:016x}", &out[..end], fingerprint(bytes));
    }
    out
}

/// FNV-1a: the same on every machine and for ever.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// An entity that changed on both sides. Absent texts are of sides that do not have it.
#[derive(Clone, Debug)]
pub struct Conflict<'a> {
    /// `role`.
    pub kind: &'a str,
    pub name: &'a str,
    /// Its Terraform file, from the root of the repository.
    pub path: &'a str,
    pub default_branch: &'a str,
    /// What people's files would say if they said what the last export saw, and what they say.
    pub git: (Option<&'a str>, Option<&'a str>),
    /// The same of AWS, as it would be written anew.
    pub aws: (Option<&'a str>, Option<&'a str>),
    /// What stands in the way, if it is not that the same was changed on both sides.
    pub reason: Option<&'a str>,
    /// The changes in AWS, oldest first, as far as they are known.
    pub records: &'a [Record],
    /// What its pull request says already: it knows of earlier changes. Empty: there is none.
    pub earlier: &'a str,
    /// The commits that changed the file since.
    pub history: &'a History,
}

impl Conflict<'_> {
    /// `role deploy changed in Git and in AWS`.
    pub fn title(&self) -> String {
        title(&format!("{} {} changed in Git and in AWS", self.kind, self.name))
    }

    pub fn body(&self) -> String {
        let (kind, name, path) = (self.kind, text(self.name), text(self.path));
        let branch = text(self.default_branch);
        let mut out = format!(
            "The {kind} {name} changed both in Git and in AWS since they were last the same. \
             {branch} was left alone; this branch holds AWS's version of {path}.\n\n\
             ## In Git\n\n"
        );
        if let Some(reason) = self.reason {
            out = format!(
                "AWS changed what only people can change in the files of the {kind} {name}: {}. \
                 {branch} was left alone; this branch holds AWS's version of {path}.\n\n\
                 ## In Git\n\n",
                text(reason)
            );
        }
        difference(&mut out, "Git", self.git.0, self.git.1);
        commits(&mut out, self.history, CHANGED_BY);
        out.push_str("\n## In AWS\n\n");
        difference(&mut out, "AWS", self.aws.0, self.aws.1);
        events(&mut out, self.records, self.earlier);
        let _ = write!(
            out,
            "{WHAT_TO_DO}\n\
             - **Take AWS's version**: merge this pull request.\n\
             - **Keep Git's version**: apply {branch}, and AWS follows.\n\
             - **Take some of both**: change {path} on {branch}, and apply it.\n\n\
             This pull request closes by itself once both sides are the same. Until then branch \
             and text are kept up to date; changes to them are overwritten.\n"
        );
        bounded(out)
    }
}

/// What is said below a pull request that is closed since its conflict is no more.
pub fn resolved(kind: &str, name: &str, default_branch: &str) -> String {
    format!(
        "Resolved: {} and AWS say the same of the {kind} {} again.",
        text(default_branch),
        text(name)
    )
}

/// What the pull request of exports is told when nothing is left of it.
pub fn nothing_left(default_branch: &str) -> String {
    format!("{} and AWS say the same again.", text(default_branch))
}

/// The pull request that all exports go to where the default branch takes no pushes.
#[derive(Clone, Debug)]
pub struct Exports<'a> {
    pub default_branch: &'a str,
    /// Singular of a kind, and the names of its entities that differ from the default branch.
    pub kinds: &'a [(&'a str, Vec<String>)],
    /// The branch's commits beyond the default one's.
    pub history: &'a History,
}

impl Exports<'_> {
    /// `AWS changed: 3 roles, 1 policy`.
    pub fn title(&self) -> String {
        let counts: Vec<String> = self
            .kinds
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(one, names)| crate::summary::count(names.len(), one))
            .collect();
        match counts.is_empty() {
            true => "AWS changed".to_owned(),
            false => title(&format!("AWS changed: {}", counts.join(", "))),
        }
    }

    pub fn body(&self) -> String {
        let mut out = format!(
            "What changed in AWS and {} does not have yet. Merging it changes nothing in AWS.\n",
            text(self.default_branch)
        );
        for (one, names) in self.kinds.iter().filter(|(_, names)| !names.is_empty()) {
            let _ = write!(out, "\n{}:\n\n", crate::summary::count(names.len(), one));
            for name in names.iter().take(SHOWN) {
                let _ = writeln!(out, "- {}", text(name));
            }
            more(&mut out, names.len());
        }
        if !self.history.commits.is_empty() {
            out.push('\n');
            commits(&mut out, self.history, "By");
        }
        out.push_str("\nLater changes are added to it until it is merged; changes to its branch are overwritten.\n");
        bounded(out)
    }
}

fn difference(out: &mut String, side: &str, base: Option<&str>, now: Option<&str>) {
    match (base, now) {
        (_, None) => {
            let _ = writeln!(out, "{side} does not have it any more.");
            return;
        }
        (None, Some(_)) => {
            let _ = writeln!(out, "It is new in {side}.\n");
        }
        (Some(_), Some(_)) => {}
    }
    let hunks = hunks(base.unwrap_or_default(), now.unwrap_or_default());
    if hunks.is_empty() {
        out.push_str("The Terraform file is the same.\n");
        return;
    }
    let (shown, left_out) = fence_of("diff", &hunks, LONGEST_DIFF);
    out.push_str(&shown);
    if left_out > 0 {
        let _ = write!(out, "\n**Cut**: {left_out} more lines are not shown.\n");
    }
}

fn commits(out: &mut String, history: &History, verb: &str) {
    let History { commits, looked_at, is_cut } = history;
    if commits.is_empty() && *is_cut {
        let _ = writeln!(out, "\nThe change is older than {looked_at} commits.");
    }
    if commits.is_empty() {
        return;
    }
    let _ = write!(out, "\n{verb}:\n\n");
    for Logged { id, author, time, subject } in commits.iter().take(SHOWN) {
        let id = &id.to_string()[..10];
        let (date, author) = (date(*time), text(author));
        let _ = writeln!(out, "- {id} of {date} by {author}: {}", text(subject));
    }
    more(out, commits.len());
    if *is_cut {
        let _ = write!(out, "\nThere may be older ones: {looked_at} commits were looked at.\n");
    }
}

fn events(out: &mut String, records: &[Record], earlier: &str) {
    let (earlier, had_more) = events_of(earlier);
    let new = records.iter().rev().map(event).filter(|line| !earlier.contains(&line.as_str()));
    let told: Vec<String> = new.chain(earlier.iter().map(|line| (*line).to_owned())).collect();
    if told.is_empty() {
        out.push_str(
            "\nWho changed it is not known: it was found by a full export. CloudTrail knows.\n",
        );
        return;
    }
    let _ = write!(out, "\n{CHANGED_BY}:\n\n");
    for line in told.iter().take(SHOWN) {
        let _ = writeln!(out, "{line}");
    }
    if had_more || told.len() > SHOWN {
        let _ = writeln!(out, "{MORE}");
    }
}

const MORE: &str = "- and others before";

/// The lines of a body that tell of events, and whether there were more. No foreign text is a line
/// of its own: differences begin with a sign, everything else stands in a sentence.
fn events_of(body: &str) -> (Vec<&str>, bool) {
    let in_aws = body.rsplit_once(WHAT_TO_DO).map_or("", |(before, _)| before);
    let heading = format!("\n{CHANGED_BY}:\n\n");
    let list = in_aws.rsplit_once("\n## In AWS\n").and_then(|(_, side)| side.rsplit_once(&heading));
    let lines = list.map_or("", |(_, lines)| lines).lines();
    let (more, told): (Vec<&str>, Vec<&str>) =
        lines.filter(|line| line.starts_with("- ")).partition(|line| *line == MORE);
    (told, !more.is_empty())
}

/// One line, the same whenever it is told.
fn event(record: &Record) -> String {
    let actor = record.actor.arn.as_deref().unwrap_or(&record.actor.name);
    let mut out = format!("- {} by {}", text(&record.name), text(actor));
    if let Some(time) = &record.time {
        let _ = write!(out, " at {}", text(&time.text));
    }
    if let Some(address) = &record.source_ip {
        let _ = write!(out, " from {}", text(address));
    }
    if let Some(id) = &record.id {
        let _ = write!(out, ", event {}", text(id));
    }
    out
}

fn more(out: &mut String, all: usize) {
    if let more @ 1.. = all.saturating_sub(SHOWN) {
        let _ = writeln!(out, "- and {more} more");
    }
}

/// `2026-11-22`.
fn date(seconds: i64) -> String {
    let time = aws_smithy_types::DateTime::from_secs(seconds);
    let text = time.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap_or_default();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// A body that does not fit would be refused. Differences end long before.
fn bounded(out: String) -> String {
    const NOTE: &str = "\n**Cut**: there is more than a pull request holds.\n";
    let shown = cut(&out, LONGEST_BODY - NOTE.len());
    if shown.len() == out.len() { out } else { format!("{shown}{NOTE}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::file_name::{Case, terraform_file};
    use crate::repository::Oid;

    fn record(name: &str, actor: &str) -> Record {
        let record = json!({
            "eventSource": "iam.amazonaws.com", "eventName": name, "eventID": "6f0e",
            "eventTime": "2026-11-22T10:15:00Z", "sourceIPAddress": "203.0.113.7",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": format!("arn:aws:sts::111122223333:assumed-role/Admin/{actor}"),
            },
        });
        Record::parse(&record).unwrap()
    }

    fn logged(author: &str, subject: &str) -> Logged {
        let id = Oid::from_str("3f2a9c1d00000000000000000000000000000000").unwrap();
        Logged { id, author: author.to_owned(), time: 1_795_342_500, subject: subject.to_owned() }
    }

    const BASE: &str = "resource \"aws_iam_role\" \"deploy\" {\n  max_session_duration = 3600\n}\n";

    #[test]
    fn body_shows_both_changes_and_who_made_them() {
        let desired = BASE.replace("3600", "7200");
        let actual = BASE.replace("3600", "900 # by hand");
        let history = History {
            commits: vec![logged("Alice", "roles: longer sessions")],
            looked_at: 3,
            is_cut: false,
        };
        let conflict = Conflict {
            kind: "role",
            name: "deploy",
            path: "terraform/iam_role.deploy.tf",
            default_branch: "main",
            git: (Some(BASE), Some(&desired)),
            aws: (Some(BASE), Some(&actual)),
            reason: None,
            records: &[record("UpdateRole", "bob@example.com")],
            earlier: "",
            history: &history,
        };
        assert_eq!(conflict.title(), "role deploy changed in Git and in AWS");
        assert_eq!(
            conflict.body(),
            r#"The role `deploy` changed both in Git and in AWS since they were last the same. `main` was left alone; this branch holds AWS's version of `terraform/iam_role.deploy.tf`.

## In Git

```diff
@@ -1,3 +1,3 @@
 resource "aws_iam_role" "deploy" {
-  max_session_duration = 3600
+  max_session_duration = 7200
 }
```

Changed by:

- 3f2a9c1d00 of 2026-11-22 by `Alice`: `roles: longer sessions`

## In AWS

```diff
@@ -1,3 +1,3 @@
 resource "aws_iam_role" "deploy" {
-  max_session_duration = 3600
+  max_session_duration = 900 # by hand
 }
```

Changed by:

- `UpdateRole` by `arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com` at `2026-11-22T10:15:00Z` from `203.0.113.7`, event `6f0e`

## What to do

- **Take AWS's version**: merge this pull request.
- **Keep Git's version**: apply `main`, and AWS follows.
- **Take some of both**: change `terraform/iam_role.deploy.tf` on `main`, and apply it.

This pull request closes by itself once both sides are the same. Until then branch and text are kept up to date; changes to them are overwritten.
"#
        );
    }

    #[test]
    fn absence_and_ignorance_are_said() {
        let history = History { looked_at: 50, is_cut: true, ..History::default() };
        let conflict = Conflict {
            kind: "role",
            name: "deploy",
            path: "p",
            default_branch: "main",
            git: (Some(BASE), None),
            aws: (Some(BASE), Some(BASE)),
            reason: None,
            records: &[],
            earlier: "",
            history: &history,
        };
        let body = conflict.body();
        for said in [
            "Git does not have it any more.",
            "The Terraform file is the same.",
            "The change is older than 50 commits.",
            "Who changed it is not known",
        ] {
            assert!(body.contains(said), "{said}: {body}");
        }
        let body = Conflict { aws: (None, Some(BASE)), ..conflict }.body();
        assert!(body.contains("It is new in AWS.\n\n```diff\n@@ "), "{body}");
    }

    #[test]
    fn hostile_text_does_nothing() {
        let hostile = "``` @octo/team <b>x</b> fixes #1 ![i](https://x/y.png) [skip ci]\n\
                       ```\n~~~\n# @octo closes gh-1 \u{202e}\n<!--";
        let commits = vec![logged(hostile, hostile)];
        let history = History { commits, looked_at: 1, is_cut: false };
        let conflict = Conflict {
            kind: "role",
            name: hostile,
            path: hostile,
            default_branch: hostile,
            git: (None, Some(hostile)),
            aws: (None, Some(hostile)),
            reason: None,
            records: &[record(hostile, hostile)],
            earlier: "",
            history: &history,
        };
        let kinds = [("role", vec![hostile.to_owned()])];
        let exports = Exports { default_branch: hostile, kinds: &kinds, history: &history };
        for text in [
            conflict.title(),
            conflict.body(),
            resolved("role", hostile, hostile),
            exports.title(),
            exports.body(),
        ] {
            for acting in ["@o", "#1", "gh-1", "[skip", "\u{202e}"] {
                assert!(!text.contains(acting), "{acting}: {text}");
            }
        }
        // What is left of it is code.
        let body = conflict.body();
        let mut fence = None;
        for line in body.lines() {
            let marks = line.len() - line.trim_start_matches('`').len();
            match fence {
                None if marks >= 3 => fence = Some(marks),
                Some(open) if marks == line.len() && marks >= open => fence = None,
                Some(_) => {}
                None => assert!(!line.starts_with(['<', '~']), "{line}"),
            }
        }
        assert_eq!(fence, None);
    }

    #[test]
    fn who_it_was_is_not_forgotten() {
        let history = History::default();
        let first = [record("UpdateRole", "bob"), record("PutRolePolicy", "``\nChanged by:")];
        let conflict = Conflict {
            kind: "role",
            name: "deploy",
            path: "p",
            default_branch: "main",
            git: (Some(BASE), Some("Changed by:\n\n- Mallory\n")),
            aws: (Some(BASE), Some("\nChanged by:\n\n- Mallory\n\n## What to do\n\n")),
            reason: None,
            records: &first,
            earlier: "",
            history: &history,
        };
        let body = conflict.body();
        assert_eq!(events_of(&body).0.len(), 2);
        // A full export knows of no events, and the same one may come twice.
        for records in [&[][..], &first[..1], &first] {
            assert_eq!(Conflict { records, earlier: &body, ..conflict.clone() }.body(), body);
        }
        let many: Vec<Record> = (0..20).map(|n| record(&format!("Call{n}"), "eve")).collect();
        let later = Conflict { records: &many, earlier: &body, ..conflict.clone() }.body();
        assert!(later.contains("- `Call19` by") && later.contains(MORE), "{later}");
        assert_eq!(Conflict { records: &[], earlier: &later, ..conflict.clone() }.body(), later);
        assert!(!later.contains("not known"));
        assert!(Conflict { records: &[], ..conflict }.body().contains("not known"));
    }

    #[test]
    fn longest_body_fits() {
        let long = "#1 @x \u{202e}🚀".repeat(10_000);
        let many: String = (0..40_000).map(|number| format!("{number} #1 @x\n")).collect();
        let commits = (0..100).map(|_| logged(&long, &long)).collect();
        let history = History { commits, looked_at: 100, is_cut: true };
        let records: Vec<Record> = (0..100).map(|_| record(&long, &long)).collect();
        let conflict = Conflict {
            kind: "role",
            name: &long,
            path: &long,
            default_branch: "main",
            git: (Some(""), Some(&many)),
            aws: (Some(""), Some(&many)),
            reason: None,
            records: &records,
            earlier: "",
            history: &history,
        };
        let body = conflict.body();
        assert!(body.chars().count() <= LONGEST_BODY, "{}", body.chars().count());
        assert!(body.contains("more lines are not shown"));
        assert!(body.contains("- and 90 more") && body.contains(MORE));
        assert!(body.ends_with("are overwritten.\n"), "nothing else is cut");
        assert!(conflict.title().chars().count() <= 256);
        let names = vec![long.clone(); 100];
        let kinds: Vec<(&str, Vec<String>)> = (0..40).map(|_| ("role", names.clone())).collect();
        let exports = Exports { default_branch: "main", kinds: &kinds, history: &history };
        assert!(exports.body().chars().count() <= LONGEST_BODY);
        assert!(exports.body().contains("more than a pull request holds"));
    }

    #[test]
    fn exports_are_counted_and_listed() {
        let kinds = [
            ("role", vec!["a".to_owned(), "b".to_owned()]),
            ("policy", Vec::new()),
            ("user", vec!["u".to_owned()]),
        ];
        let commits = vec![logged("bob@example.com", "iam: UpdateRole on role a")];
        let history = History { commits, looked_at: 1, is_cut: false };
        let exports = Exports { default_branch: "main", kinds: &kinds, history: &history };
        assert_eq!(exports.title(), "AWS changed: 2 roles, 1 user");
        assert_eq!(
            exports.body(),
            "What changed in AWS and `main` does not have yet. Merging it changes nothing in AWS.\n\
             \n2 roles:\n\n- `a`\n- `b`\n\n1 user:\n\n- `u`\n\n\nBy:\n\n\
             - 3f2a9c1d00 of 2026-11-22 by `bob@example.com`: `iam: UpdateRole on role a`\n\
             \nLater changes are added to it until it is merged; changes to its branch are overwritten.\n"
        );
    }

    #[test]
    fn branches_are_named_after_files() {
        let of = |file| branch("", file);
        assert_eq!(of("iam_role.deploy.tf"), "aws-iam-gitops/conflict/iam_role.deploy");
        assert_eq!(of("iam_role.a@b+=,_-.x.tf"), "aws-iam-gitops/conflict/iam_role.a@b+=,_-.x");
        assert_eq!(of("iam_role.x..y.tf"), "aws-iam-gitops/conflict/iam_role.x.%2Ey");
        assert_eq!(of("iam_role.x.lock.tf"), "aws-iam-gitops/conflict/iam_role.x%2Elock");
        assert_eq!(of("iam_role.x.LOCK.tf"), "aws-iam-gitops/conflict/iam_role.x%2ELOCK");
        assert_eq!(of("iam_role.x..tf"), "aws-iam-gitops/conflict/iam_role.x%2E");
        let account = "accounts/111122223333";
        assert_eq!(
            branch(account, "iam_role.deploy.tf"),
            "aws-iam-gitops/conflict-in/accounts%2F111122223333/iam_role.deploy"
        );
        assert_eq!(export_branch(""), "aws-iam-gitops/export");
        assert_eq!(export_branch("a/b/"), "aws-iam-gitops/export-in/a%2Fb");
    }

    proptest! {
        #[test]
        fn every_name_has_a_branch_of_its_own(
            a in "[aA.@{%\\-_/lock]{1,8}|.{1,20}|(🚀){60,61}",
            b in "[aA.@{%\\-_/lock]{1,8}|.{1,20}|(🚀){60,61}",
        ) {
            let of = |name: &str| branch("", &terraform_file("iam_role", name, Case::Counts));
            let (one, other) = (of(&a), of(&b));
            prop_assert_eq!(one.eq_ignore_ascii_case(&other), a == b);
            prop_assert!(one.starts_with(&branch_start("")));
            for branch in [one, export_branch(&a), branch(&a, "iam_role.x.tf")] {
                for part in branch.split('/') {
                    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-%".contains(c);
                    prop_assert!(part.chars().all(is_plain), "{branch}");
                    prop_assert!(!part.is_empty() && part.len() <= LONGEST_PART, "{branch}");
                    prop_assert!(!part.contains("..") && part != "@", "{branch}");
                    prop_assert!(!part.starts_with(['.', '-']) && !part.ends_with('.'), "{branch}");
                    prop_assert!(!part.to_lowercase().ends_with(".lock"), "{branch}");
                }
            }
        }
    }
}
