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
