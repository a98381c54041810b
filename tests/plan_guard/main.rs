//! The guard on plans of the real Terraform: what must not pass does not, and what may does.
//!
//! One account is exported and applied; each case changes its repository or its state, and has a plan
//! of its own.

#[path = "../support/mod.rs"]
mod support;

mod benign;
mod harness;
mod malicious;

use std::collections::BTreeSet;

use aws_iam_gitops::plan_guard::rules::RULES;
use harness::{Case, Verdict, guard, world};
use support::assert_snapshot;

/// `RULE ADDRESS` of every refusal that a summary tells.
fn told(verdict: &Verdict, state: &str) -> BTreeSet<String> {
    let lines = verdict.stdout.lines();
    let told = lines.filter_map(|line| line.strip_prefix(state)?.strip_prefix(": "));
    told.map(|told| told.replacen(':', "", 1)).collect()
}

fn expected(case: &Case) -> BTreeSet<String> {
    let refused = case.refused.iter();
    refused.map(|(rule, address)| format!("{rule} {address}").trim_end().to_owned()).collect()
}

fn fault(case: &Case, verdict: &Verdict) -> Option<String> {
    let code = if case.refused.is_empty() { 0 } else { 3 };
    let is_right = verdict.code == Some(code) && told(verdict, "refused") == expected(case);
    (!is_right).then(|| {
        format!(
            "{}: code {:?}, expected {code} and {:?}\n{}{}",
            case.name,
            verdict.code,
            expected(case),
            verdict.stdout,
            verdict.stderr
        )
    })
}

#[test]
fn every_plan_is_judged_as_it_should_be() {
    let cases = [benign::cases(), malicious::cases()].concat();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
    assert!(cases.len() >= 100, "{}", cases.len());
    for rule in RULES {
        let count = cases.iter().filter(|case| case.refused.iter().any(|(of, _)| *of == rule.name));
        assert!(count.count() >= 1, "no case for {}", rule.name);
    }
    let verdicts = world().judge(&cases);
    let faults: Vec<_> =
        cases.iter().zip(&verdicts).filter_map(|(case, verdict)| fault(case, verdict)).collect();
    assert!(faults.is_empty(), "{} faults\n\n{}", faults.len(), faults.join("\n\n"));

    // Every refusal can be overridden, and it shows.
    for (case, verdict) in cases.iter().zip(&verdicts).filter(|(case, _)| !case.refused.is_empty())
    {
        let rules: BTreeSet<&str> = case.refused.iter().map(|(rule, _)| *rule).collect();
        let allowed: Vec<String> = rules.iter().map(|rule| format!("{rule}=ticket 7")).collect();
        let arguments: Vec<&str> =
            allowed.iter().flat_map(|allowed| ["--allow", allowed.as_str()]).collect();
        let again = guard(&verdict.folder, &arguments);
        assert_eq!(again.code, Some(0), "{}\n{}", case.name, again.stdout);
        assert_eq!(told(&again, "overridden"), expected(case), "{}", case.name);
        assert!(again.stdout.contains("allowed for this run: \"ticket 7\""), "{}", again.stdout);
    }
}

/// The case of that name, planned.
fn planned(name: &str) -> std::path::PathBuf {
    let cases = [benign::cases(), malicious::cases()].concat();
    let case = cases.iter().find(|case| case.name == name).expect(name);
    world().plan(case)
}

#[test]
fn summaries_are_as_reviewed() {
    for (name, case) in [
        ("guard_everyday", "new role with a new policy"),
        ("guard_changes", "policy comes to allow everything"),
        ("guard_imports", "everything is imported in one go"),
        ("guard_destroy", "role goes with all that hangs on it"),
        ("guard_forgotten", "break-glass role is forgotten"),
        ("guard_moved", "role is renamed in Terraform only"),
        ("guard_drift", "deleted role comes back"),
        ("guard_hostile", "hostile texts"),
        ("guard_sensitive", "sensitive values"),
    ] {
        let folder = planned(case);
        assert_snapshot(name, &guard(&folder, &[]).stdout);
        let markdown = guard(&folder, &["--output", "markdown"]).stdout;
        assert_snapshot(&format!("{name}_markdown"), &markdown);
        assert_eq!(markdown, guard(&folder, &["--output", "markdown"]).stdout, "the same again");
    }
    let folder = planned("policy comes to allow everything");
    let allowed = guard(&folder, &["--allow", "admin=ticket 7", "--allow", "trust= @team `x`"]);
    assert_snapshot("guard_overridden", &allowed.stdout);
    let arguments =
        ["--output", "markdown", "--allow", "admin=ticket 7", "--allow", "trust=@team `x`"];
    assert_snapshot("guard_overridden_markdown", &guard(&folder, &arguments).stdout);
}

/// Whether a runner takes a line of a log for a command: at its start, blanks aside, or, in the old
/// form, anywhere.
fn is_command(line: &str) -> bool {
    line.trim_start().starts_with("::") || line.contains("##[")
}

/// What of Markdown is no code, as CommonMark reads it.
fn outside_code(markdown: &str) -> String {
    let mut fence: Option<usize> = None;
    let mut out = String::new();
    for line in markdown.lines() {
        let text = line.trim_start();
        let marks = text.len() - text.trim_start_matches('`').len();
        match fence {
            Some(opened) if marks >= opened && text.trim_end().len() == marks => fence = None,
            Some(_) => {}
            None if marks >= 3 => fence = Some(marks),
            None => {
                // Spans of code end with as many marks as they begin with.
                let mut rest = line;
                while let Some(start) = rest.find('`') {
                    let (before, from) = rest.split_at(start);
                    let marks = "`".repeat(from.len() - from.trim_start_matches('`').len());
                    let inside = &from[marks.len()..];
                    let is_end = |at: &usize| {
                        !inside[at + marks.len()..].starts_with('`')
                            && !inside[..*at].ends_with('`')
                    };
                    let ends = inside.match_indices(&marks).map(|(at, _)| at);
                    let end =
                        ends.into_iter().find(is_end).expect("a span of code ends in its line");
                    out.push_str(before);
                    rest = &inside[end + marks.len()..];
                }
                out.push_str(rest);
                out.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "a block of code ends");
    out
}

#[test]
fn hostile_texts_do_nothing_in_logs_and_comments() {
    let raw = "::error::x\u{1b}[31m ##[add-mask]x `y` ``` @octo/team <img src=x> fixes #1 \u{202e} [skip ci]";
    for name in ["hostile texts", "hostile name is refused"] {
        let folder = planned(name);
        for allowed in [vec![], vec!["--allow".to_owned(), format!("allowed={raw}\n::error::y")]] {
            let arguments: Vec<&str> = allowed.iter().map(String::as_str).collect();
            for output in ["text", "markdown"] {
                let shown =
                    guard(&folder, &[&["--output", output], &arguments[..]].concat()).stdout;
                assert!(shown.contains("error::owned"), "{shown}");
                for line in shown.lines() {
                    assert!(!is_command(line), "{line}");
                    let is_hidden = |c: char| aws_iam_gitops::invisible::is_invisible(c);
                    assert!(!line.chars().any(is_hidden), "{line}");
                }
                if output == "markdown" {
                    for acting in ["@octo", "fixes #1", "[skip ci]"] {
                        assert!(!shown.contains(acting), "{acting}: {shown}");
                    }
                    let prose = outside_code(&shown);
                    let own = ["<details>", "<summary>", "</summary>", "</details>"]
                        .iter()
                        .fold(prose, |prose, tag| prose.replace(tag, ""));
                    for acting in ["<", "@", "#", "[", "http", "owned", "\\u"] {
                        assert!(!own.contains(acting), "{acting}: {own}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_no_plan_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    for (content, saying) in [
        ("", "not valid JSON"),
        ("{}", "no `format_version`"),
        (r#"{"format_version":"1.0","values":{}}"#, "it is no plan"),
        (r#"{"format_version":"9.0","planned_values":{},"configuration":{}}"#, "version `9.0`"),
    ] {
        std::fs::write(folder.path().join("plan.json"), content).expect("a file");
        let verdict = guard(folder.path(), &[]);
        assert_eq!((verdict.code, verdict.stdout.as_str()), (Some(1), ""), "{content}");
        assert!(verdict.stderr.contains(saying), "{}", verdict.stderr);
        assert!(verdict.stderr.contains("hint: `terraform show -json PLAN`"), "{}", verdict.stderr);
    }
    for (arguments, saying) in [
        (["--allow", "admin"], "a reason is missing"),
        (["--allow", "admin=  "], "a reason is missing"),
        (["--allow", "amin=x"], "there is no rule `amin`"),
        (["--output", "json"], "possible values"),
    ] {
        let verdict = guard(folder.path(), &arguments);
        assert_eq!(verdict.code, Some(2), "{arguments:?}");
        assert!(verdict.stderr.contains(saying), "{}", verdict.stderr);
    }
    let plan = r#"{"format_version":"1.2","planned_values":{},"configuration":{}}"#;
    std::fs::write(folder.path().join("plan.json"), plan).expect("a file");
    assert_eq!(guard(folder.path(), &[]).code, Some(0));
    let hidden = std::os::unix::ffi::OsStrExt::from_bytes(b"hidden-\xff.tf");
    let hidden: &std::ffi::OsStr = hidden;
    std::fs::write(folder.path().join(hidden), "").expect("a file");
    let verdict = guard(folder.path(), &[]);
    assert_eq!(verdict.code, Some(1));
    assert!(verdict.stderr.contains("is not UTF-8"), "{}", verdict.stderr);
    std::fs::remove_file(folder.path().join(hidden)).expect("a file");
    std::fs::create_dir(folder.path().join("roles")).expect("a folder");
    std::fs::write(folder.path().join("roles/x.json"), "{}").expect("a file");
    let verdict = guard(folder.path(), &[]);
    assert_eq!(verdict.code, Some(1));
    assert!(verdict.stderr.contains("`roles/x.json` is no raw JSON"), "{}", verdict.stderr);
}
