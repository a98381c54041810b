//! Base, desired, actual → verdict: who is ahead, AWS or the person who edits in Git.
//!
//! - **actual** is AWS now,
//! - **base** is the raw JSON in the repository: AWS as of the last export,
//! - **desired** is the `.tf` file.
//!
//! Pure: the callers compare, this decides.

/// Which of the three states are the same. Absence is a state like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub actual_is_base: bool,
    pub desired_is_base: bool,
    pub desired_is_actual: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do.
    Unchanged,
    /// A person edited Terraform; AWS has not followed yet. Nothing is written.
    Pending,
    /// AWS changed; JSON and Terraform are written.
    Drifted,
    /// AWS has what the person wrote; only the JSON is written.
    Converged,
    /// Both changed, differently. Nothing is written.
    Conflicting,
}

impl Comparison {
    pub fn verdict(self) -> Verdict {
        match (self.actual_is_base, self.desired_is_base, self.desired_is_actual) {
            (true, _, true) => Verdict::Unchanged,
            (false, _, true) => Verdict::Converged,
            (_, true, false) => Verdict::Drifted,
            (true, false, false) => Verdict::Pending,
            (false, false, false) => Verdict::Conflicting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(base: u8, desired: u8, actual: u8) -> Verdict {
        Comparison {
            actual_is_base: actual == base,
            desired_is_base: desired == base,
            desired_is_actual: desired == actual,
        }
        .verdict()
    }

    #[test]
    fn every_row_of_the_truth_table() {
        assert_eq!(verdict(1, 1, 1), Verdict::Unchanged);
        assert_eq!(verdict(1, 2, 1), Verdict::Pending);
        assert_eq!(verdict(1, 1, 2), Verdict::Drifted);
        assert_eq!(verdict(1, 2, 2), Verdict::Converged);
        assert_eq!(verdict(1, 2, 3), Verdict::Conflicting);
    }

    #[test]
    fn an_edit_is_never_written_over() {
        for (base, desired, actual) in
            (0..3).flat_map(|b| (0..3).flat_map(move |d| (0..3).map(move |a| (b, d, a))))
        {
            if desired != base && desired != actual {
                let verdict = verdict(base, desired, actual);
                assert!(matches!(verdict, Verdict::Pending | Verdict::Conflicting));
            }
        }
    }

    #[test]
    fn same_account_with_another_rendering_counts_as_drift() {
        // A policy became part of the module: the role's JSON is the same, its Terraform is not.
        let comparison =
            Comparison { actual_is_base: true, desired_is_base: true, desired_is_actual: false };
        assert_eq!(comparison.verdict(), Verdict::Drifted);
    }
}
