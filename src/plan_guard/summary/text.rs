//! The summary for a terminal and for a log.

use std::fmt::Write;

use super::{
    because, block, counts, drift, drifted, heading, imports, moves, outputs, remedy, sections,
    verdict, without_commands,
};
use crate::invisible::visible;
use crate::plan_guard::Judgement;
use crate::plan_guard::plan::{Plan, ResourceChange};

/// Longest summary, in characters; refusals are whole all the same.
const LONGEST: usize = 200_000;

/// The whole summary.
pub fn text(plan: &Plan, judgement: &Judgement) -> String {
    let mut out = format!("{}\n{}\n", counts(plan), verdict(judgement));
    out.push_str(&refusals(judgement));
    let mut left_out = 0;
    let mut add = |out: &mut String, title: &str, blocks: Vec<String>| {
        let mut has_title = false;
        for block in blocks {
            if out.len() + block.len() > LONGEST {
                left_out += 1;
                continue;
            }
            if !has_title {
                let _ = writeln!(out, "\n{title}");
                has_title = true;
            }
            out.push_str(&block);
        }
    };
    for section in sections(plan) {
        let title = format!("{} ({}):", section.title, section.changes.len());
        let blocks = section.changes.iter().map(|change| inert_lines(&block(section.mark, change)));
        add(&mut out, &title, blocks.collect());
    }
    for (title, changes) in [
        ("moved", moves(plan)),
        ("changed in AWS outside of Terraform", drift(plan)),
        ("imported without a change", imports(plan)),
    ] {
        let line = |change: &&ResourceChange| match title {
            "changed in AWS outside of Terraform" => format!("  {}\n", inert(&drifted(change))),
            _ => format!("{}\n", inert(&heading(" ", change))),
        };
        let title = format!("{title} ({}):", changes.len());
        add(&mut out, &title, changes.iter().map(line).collect());
    }
    let outputs = outputs(plan);
    if !outputs.is_empty() {
        let _ = writeln!(out, "\noutputs that change: {}", inert(&outputs.join(", ")));
    }
    if left_out > 0 {
        let _ = writeln!(out, "\n{left_out} more resources do not fit in here");
    }
    out
}

fn refusals(judgement: &Judgement) -> String {
    let mut out = String::new();
    for refusal in &judgement.refusals {
        let address = refusal.address.as_deref().map(|address| format!(" {}", inert(address)));
        let state = if refusal.overridden.is_some() { "overridden" } else { "refused" };
        let _ = writeln!(out, "\n{state}: {}:{}", refusal.rule, address.unwrap_or_default());
        let _ = writeln!(out, "  {}", inert(&because(refusal)));
        let _ = match &refusal.overridden {
            Some(reason) => writeln!(out, "  allowed for this run: {}", quoted(reason)),
            None => writeln!(out, "  to apply it all the same: {}", remedy(refusal)),
        };
    }
    for over in &judgement.overrides {
        if !judgement.refusals.iter().any(|refusal| refusal.rule == over.rule) {
            let reason = quoted(&over.reason);
            let _ = writeln!(out, "\noverridden without need: {}: {reason}", over.rule);
        }
    }
    if !judgement.disabled.is_empty() {
        let rules = judgement.disabled.join(", ");
        let _ = writeln!(out, "\nturned off in aws-iam-gitops.toml: {rules}");
    }
    out
}

fn quoted(text: &str) -> String {
    inert(&serde_json::Value::from(text).to_string())
}

fn inert(text: &str) -> String {
    without_commands(&visible(text))
}

fn inert_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", inert(line))).collect()
}
