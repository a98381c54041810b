//! The summary as Markdown, for a comment or a job's summary on GitHub.

use std::fmt::Write;

use super::{
    because, block, counts, drift, drifted, heading, imports, moves, one_line, outputs, remedy,
    sections, verdict, without_commands,
};
use crate::github::markdown::{LONGEST_BODY, fence, fence_of, text as code};
use crate::plan_guard::Judgement;
use crate::plan_guard::plan::{Plan, ResourceChange};

/// Room that is left for what a workflow writes around it.
const RESERVED: usize = 2_000;

/// What refusals may take of it; more than these are counted.
const LONGEST_REFUSALS: usize = 40_000;

/// With less room than this no further resource is begun.
const SMALLEST: usize = 1_000;

/// The whole summary.
pub fn markdown(plan: &Plan, judgement: &Judgement) -> String {
    let mark = if judgement.may_be_applied() { "✅" } else { "❌" };
    let mut out = format!("{mark} **{}** {}\n", verdict(judgement), counts(plan));
    out.push_str(&refusals(judgement));
    let longest = LONGEST_BODY - RESERVED;
    let mut left_out = 0;
    for section in sections(plan) {
        let _ = writeln!(out, "\n**{}** ({})\n", section.title, section.changes.len());
        for change in section.changes {
            let room = longest.saturating_sub(out.len());
            if room <= SMALLEST {
                left_out += 1;
                continue;
            }
            let block = block(section.mark, change);
            let whole = fence("diff", &block);
            if whole.len() <= room {
                out.push_str(&whole);
            } else {
                let (part, lines) = fence_of("diff", &block, room - SMALLEST / 2);
                let _ = write!(out, "{part}{lines} more lines do not fit in here.\n\n");
            }
        }
    }
    for (title, lines) in [
        ("moved", headings(&moves(plan))),
        ("changed in AWS outside of Terraform", drift(plan).into_iter().map(drifted).collect()),
        ("imported without a change", headings(&imports(plan))),
        (
            "outputs that change",
            outputs(plan).into_iter().map(|name| format!("  {}", one_line(name))).collect(),
        ),
    ] {
        let room = longest.saturating_sub(out.len() + 500);
        if lines.is_empty() {
            continue;
        }
        let (shown, missing) = fence_of("", &lines.join("\n"), room);
        let _ = write!(out, "\n<details><summary>{title} ({})</summary>\n\n{shown}", lines.len());
        if missing > 0 {
            let _ = writeln!(out, "\n{missing} more do not fit in here.");
        }
        out.push_str("\n</details>\n");
    }
    if left_out > 0 {
        let _ = writeln!(out, "\n{left_out} more resources do not fit in here.");
    }
    without_commands(&out)
}

fn headings(changes: &[&ResourceChange]) -> Vec<String> {
    changes.iter().map(|change| heading(" ", change)).collect()
}

fn refusals(judgement: &Judgement) -> String {
    let mut out = String::new();
    let mut left_out = 0;
    for refusal in &judgement.refusals {
        let mut item = String::new();
        let state = if refusal.overridden.is_some() { "overridden" } else { "refused" };
        let _ = write!(item, "- {state} by `{}`", refusal.rule);
        if let Some(address) = &refusal.address {
            let _ = write!(item, ", {}", code(address));
        }
        item.push_str(":\n");
        for line in fence("", &because(refusal)).lines() {
            let _ = writeln!(item, "  {line}");
        }
        let _ = match &refusal.overridden {
            Some(reason) => writeln!(item, "  allowed for this run: {}", code(reason)),
            None => writeln!(item, "  to apply it all the same: `{}`", remedy(refusal)),
        };
        if out.len() + item.len() > LONGEST_REFUSALS {
            left_out += 1;
            continue;
        }
        out.push_str(&item);
    }
    if left_out > 0 {
        let _ = writeln!(out, "- and {left_out} more reasons");
    }
    for over in &judgement.overrides {
        if !judgement.refusals.iter().any(|refusal| refusal.rule == over.rule) {
            let _ =
                writeln!(out, "- `{}` overridden without need: {}", over.rule, code(&over.reason));
        }
    }
    if !judgement.disabled.is_empty() {
        let rules: Vec<_> = judgement.disabled.iter().map(|rule| format!("`{rule}`")).collect();
        let _ = writeln!(out, "- turned off in `aws-iam-gitops.toml`: {}", rules.join(", "));
    }
    match out.is_empty() {
        true => out,
        false => format!("\n{out}"),
    }
}
