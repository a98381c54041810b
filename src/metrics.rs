//! One line of metrics for each invocation, in CloudWatch's embedded metric format.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::sync::Outcome;

/// What is counted of one invocation.
#[derive(Debug, Default)]
pub struct Metrics {
    function: String,
    pub events: usize,
    pub entities_read: usize,
    pub commits: usize,
    pub conflicts: usize,
    /// Fetches and pushes that were done again.
    pub retries: usize,
    pub calls: usize,
    pub failures: usize,
    /// Full exports that left nothing out.
    pub full_exports: usize,
    pub oldest_event: Option<Duration>,
}

impl Metrics {
    pub fn new(function: &str) -> Metrics {
        Metrics { function: function.to_owned(), ..Metrics::default() }
    }

    pub fn add(&mut self, outcome: &Outcome) {
        self.entities_read += outcome.entities_read;
        self.commits += outcome.commits.len();
        self.retries += outcome.retries;
        self.calls += outcome.summary.calls.unwrap_or_default();
        let kinds = outcome.summary.kinds.iter();
        self.conflicts += kinds.map(|kind| kind.conflicting.len()).sum::<usize>();
    }

    /// Prints the line to stdout, where Lambda collects it.
    pub fn print(&self, request_id: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        println!("{}", self.line(request_id, now));
    }

    fn line(&self, request_id: &str, now: Duration) -> Value {
        let mut values = vec![
            ("Events", "Count", json!(self.events)),
            ("EntitiesRead", "Count", json!(self.entities_read)),
            ("Commits", "Count", json!(self.commits)),
            ("Conflicts", "Count", json!(self.conflicts)),
            ("Retries", "Count", json!(self.retries)),
            ("Calls", "Count", json!(self.calls)),
            ("Failures", "Count", json!(self.failures)),
            ("FullExports", "Count", json!(self.full_exports)),
        ];
        if let Some(age) = self.oldest_event {
            values.push(("OldestEventAge", "Seconds", json!(age.as_secs_f64())));
        }
        let metrics: Vec<Value> =
            values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
                "CloudWatchMetrics": [{
                    "Namespace": "aws-iam-gitops",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": metrics,
                }],
            },
            "FunctionName": self.function,
            "request_id": request_id,
        });
        for (name, _, value) in values {
            line[name] = value;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_is_declared_has_a_value_and_is_documented() {
        let metrics = Metrics { oldest_event: Some(Duration::from_secs(3)), ..Metrics::new("f") };
        let line = metrics.line("r", Duration::from_millis(1_700_000_000_123));
        assert_eq!(line["_aws"]["Timestamp"], json!(1_700_000_000_123_u64));
        let declared = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(declared["Dimensions"], json!([["FunctionName"]]));
        let names = declared["Metrics"].as_array().unwrap();
        assert_eq!(names.len(), 9);
        let documentation = include_str!("../docs/function.md");
        for metric in names {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_number(), "{name}");
            assert!(documentation.contains(&format!("\n| `{name}` | ")), "{name}");
        }
        assert_eq!(line["FunctionName"], "f");
    }

    #[test]
    fn age_is_left_out_where_there_is_no_event() {
        let line = Metrics::new("f").line("r", Duration::ZERO);
        assert!(!line.to_string().contains("OldestEventAge"));
    }
}
