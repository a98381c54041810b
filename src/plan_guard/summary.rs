//! Plan and judgement for a reviewer, as text and as Markdown.
//!
//! Nothing of a plan acts where it is shown: not in a terminal, not in the log of a workflow, not in
//! Markdown, not in a commit message. Refusals come first and whole; what does not fit is counted.

pub mod markdown;
pub mod text;

use std::fmt::Write;

use super::difference::{Line, lines};
use super::plan::{Action, Plan, ResourceChange};
use super::{Judgement, Refusal};

/// What is shown of a plan, in the order in which it is shown.
struct Section<'a> {
    title: &'static str,
    mark: &'static str,
    changes: Vec<&'a ResourceChange>,
}

fn sections(plan: &Plan) -> Vec<Section<'_>> {
    let of = |action: Action| -> Vec<&ResourceChange> {
        plan.managed().filter(|change| change.action() == action).collect()
    };
    let section = |title, mark, changes| Section { title, mark, changes };
    let sections = vec![
        section("destroyed", "-", of(Action::Destroy)),
        section("replaced", "-/+", of(Action::Replace)),
        section("changed", "~", of(Action::Update)),
        section("added", "+", of(Action::Create)),
        section("let go by Terraform and made anew", ".+", of(Action::CreateAndForget)),
        section("let go by Terraform, still in AWS", ".", of(Action::Forget)),
    ];
    sections.into_iter().filter(|section| !section.changes.is_empty()).collect()
}

/// Those imports that change nothing; the others are shown as what they change.
fn imports(plan: &Plan) -> Vec<&ResourceChange> {
    let imports = plan.managed().filter(|change| change.is_import());
    imports.filter(|change| change.action() == Action::Nothing).collect()
}

fn moves(plan: &Plan) -> Vec<&ResourceChange> {
    plan.managed().filter(|change| change.is_move()).collect()
}

/// What changed in AWS outside of Terraform.
fn drift(plan: &Plan) -> Vec<&ResourceChange> {
    plan.resource_drift.iter().filter(|change| change.action() != Action::Nothing).collect()
}

fn outputs(plan: &Plan) -> Vec<&str> {
    let changed = plan.output_changes.iter().filter(|(_, change)| change.actions != ["no-op"]);
    changed.map(|(name, _)| name.as_str()).collect()
}

/// `Plan: 3 to import, 1 to add, …`
fn counts(plan: &Plan) -> String {
    let count = |action: Action| plan.managed().filter(|change| change.action() == action).count();
    let anew = count(Action::CreateAndForget);
    let imported = plan.managed().filter(|change| change.is_import()).count();
    format!(
        "Plan: {imported} to import, {} to add, {} to change, {} to replace, {} to destroy, {} to forget.",
        count(Action::Create) + anew,
        count(Action::Update),
        count(Action::Replace),
        count(Action::Destroy),
        count(Action::Forget) + anew,
    )
}

fn verdict(judgement: &Judgement) -> String {
    let reasons = |count: usize| match count {
        1 => "1 reason".to_owned(),
        count => format!("{count} reasons"),
    };
    let standing = judgement.standing().count();
    let overridden = judgement.refusals.len() - standing;
    match (standing, overridden) {
        (0, 0) => "It may be applied.".to_owned(),
        (0, overridden) => {
            format!("It may be applied; overridden: {}.", reasons(overridden))
        }
        (standing, 0) => format!("It must not be applied, for {}.", reasons(standing)),
        (standing, overridden) => {
            format!(
                "It must not be applied, for {}; {overridden} more overridden.",
                reasons(standing)
            )
        }
    }
}

/// What is done to a resource, and how it came there.
fn heading(mark: &str, change: &ResourceChange) -> String {
    let mut out = format!("{mark} {}", one_line(&change.address));
    if let Some(deposed) = &change.deposed {
        let _ = write!(out, " (deposed object {})", one_line(deposed));
    }
    if let Some(previous) = change.previous_address.as_ref().filter(|_| change.is_move()) {
        let _ = write!(out, " (moved from {})", one_line(previous));
    }
    if change.is_import() {
        let _ = write!(out, " (imported, ID {})", import_id(change));
    }
    out
}

fn import_id(change: &ResourceChange) -> String {
    match change.change.importing.as_ref().and_then(|importing| importing.id.as_deref()) {
        Some(id) => serde_json::Value::from(id).to_string(),
        None => "not known".to_owned(),
    }
}

/// A resource with its difference. A line begins with a mark of ours, never with foreign text.
fn block(mark: &str, change: &ResourceChange) -> String {
    let mut out = format!("{}\n", heading(mark, change));
    for Line { mark, text } in lines(change) {
        let _ = writeln!(out, "{mark}   {}", one_line(&text));
    }
    out
}

fn drifted(change: &ResourceChange) -> String {
    let what = match change.action() {
        Action::Destroy => "deleted",
        Action::Create => "made",
        _ => "changed",
    };
    format!("{what}: {}", one_line(&change.address))
}

/// Longest reason that is shown whole, in characters.
const LONGEST_REASON: usize = 1_000;

/// Why something is refused, on one line; what a plan names may be long.
fn because(refusal: &Refusal) -> String {
    let reason = one_line(&refusal.reason);
    match reason.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("because {}…", &reason[..end]),
        None => format!("because {reason}"),
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}

/// The command that lets a plan through in spite of a rule.
fn remedy(refusal: &Refusal) -> String {
    format!("--allow {}=REASON", refusal.rule)
}

/// What the runner of a workflow takes for a command wherever it stands in a line.
fn without_commands(text: &str) -> String {
    text.replace("##[", "#\\u{23}[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::markdown::LONGEST_BODY;
    use serde_json::json;

    /// A plan of so many changed roles, and a judgement with so many refusals.
    fn large(changes: usize, refusals: usize) -> (Plan, Judgement) {
        let change = |index: usize| {
            json!({
                "address": format!("aws_iam_role.r{index}"), "mode": "managed", "type": "aws_iam_role",
                "name": format!("r{index}"),
                "change": { "actions": ["update"], "before": { "description": "é".repeat(3_000) },
                            "after": { "description": "`".repeat(3_000) } },
            })
        };
        let plan = json!({
            "format_version": "1.2", "planned_values": {}, "configuration": {},
            "resource_changes": (0..changes).map(change).collect::<Vec<_>>(),
        });
        let refusal = |index: usize| Refusal {
            rule: "admin",
            address: Some(format!("aws_iam_role.r{index}")),
            reason: "x".repeat(5_000),
            overridden: None,
        };
        let refusals = (0..refusals).map(refusal).collect();
        (Plan::parse(&plan.to_string()).unwrap(), Judgement { refusals, ..Judgement::default() })
    }

    #[test]
    fn long_summaries_are_cut_where_they_say_so() {
        let (plan, judgement) = large(200, 30);
        let markdown = markdown::markdown(&plan, &judgement);
        assert!(markdown.chars().count() <= LONGEST_BODY, "{}", markdown.chars().count());
        assert_eq!(markdown.matches("- refused by `admin`").count(), 30);
        assert!(markdown.contains("200 to change") && markdown.contains("for 30 reasons"));
        assert!(markdown.contains("more resources do not fit in here."), "{markdown}");
        let text = text::text(&plan, &judgement);
        assert!(text.len() < 300_000 && text.contains("more resources do not fit in here"));
        assert_eq!(text.matches("refused: admin: aws_iam_role.r").count(), 30);
    }

    #[test]
    fn more_refusals_than_fit_are_counted() {
        let (plan, judgement) = large(3, 500);
        let markdown = markdown::markdown(&plan, &judgement);
        assert!(markdown.chars().count() <= LONGEST_BODY);
        let shown = markdown.matches("- refused by `admin`").count();
        assert!(markdown.contains(&format!("- and {} more reasons", 500 - shown)));
        assert_eq!(text::text(&plan, &judgement).matches("refused: admin").count(), 500);
    }

    #[test]
    fn verdict_counts_what_stands_and_what_is_overridden() {
        let mut judgement = large(0, 2).1;
        assert_eq!(verdict(&judgement), "It must not be applied, for 2 reasons.");
        judgement.refusals[0].overridden = Some("x".to_owned());
        assert_eq!(verdict(&judgement), "It must not be applied, for 1 reason; 1 more overridden.");
        judgement.refusals[1].overridden = Some("x".to_owned());
        assert_eq!(verdict(&judgement), "It may be applied; overridden: 2 reasons.");
        judgement.refusals.clear();
        assert_eq!(verdict(&judgement), "It may be applied.");
    }
}
