//! Judges a plan before it is applied: what may pass, what is refused and why.
//!
//! Pure: a [`plan::Plan`], the repository's settings and what its raw JSON says ([`exported`]) in, a
//! [`Judgement`] out. Each rule is a file below `rules/` and a line of [`rules::RULES`]; the
//! [`summary`] shows plan and judgement to a reviewer.
//!
//! Whatever cannot be told from the plan counts as the worst it could be. Texts of a judgement are
//! foreign and unchecked; only the summary makes them harmless.

pub mod difference;
pub mod exported;
pub mod identity;
pub mod plan;
pub mod rules;
pub mod statement;
pub mod summary;
pub mod wildcard;

use crate::settings::guard::GuardSettings;
use exported::Exported;
use plan::Plan;
use rules::{Case, RULES, Rule};

/// What the guard thinks of a plan.
#[derive(Debug, Default)]
pub struct Judgement {
    /// In the order of the rules, then of the plan.
    pub refusals: Vec<Refusal>,
    /// The rules that the settings turn off.
    pub disabled: Vec<&'static str>,
    /// The rules that this run overrides, with the reason, whether or not they refuse anything.
    pub overrides: Vec<Override>,
}

/// One thing that a rule has against the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub rule: &'static str,
    /// None: the plan as a whole.
    pub address: Option<String>,
    pub reason: String,
    /// Why it may be applied all the same.
    pub overridden: Option<String>,
}

/// A rule that does not hold for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub rule: &'static str,
    pub reason: String,
}

impl Judgement {
    /// Whether nothing speaks against the plan that is not overridden.
    pub fn may_be_applied(&self) -> bool {
        self.standing().next().is_none()
    }

    /// What speaks against it.
    pub fn standing(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.iter().filter(|refusal| refusal.overridden.is_none())
    }
}

/// Holds a plan against every rule.
pub fn judge(
    plan: &Plan,
    settings: &GuardSettings,
    exported: &Exported,
    overrides: &[Override],
) -> Judgement {
    let case = Case::new(plan, settings, exported);
    let is_enabled = |rule: &&&Rule| !settings.disabled.contains(rule.name);
    let refusals = RULES.iter().filter(is_enabled).flat_map(|rule| {
        let overridden = overrides.iter().find(|found| found.rule == rule.name);
        let mut findings = (rule.check)(&case);
        findings.dedup();
        findings.into_iter().map(move |finding| Refusal {
            rule: rule.name,
            address: finding.address,
            reason: finding.reason,
            overridden: overridden.map(|found| found.reason.clone()),
        })
    });
    Judgement {
        refusals: refusals.collect(),
        disabled: settings.disabled.iter().copied().collect(),
        overrides: overrides.to_vec(),
    }
}
