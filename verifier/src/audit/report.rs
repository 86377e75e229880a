//! How many decisions there were: by policy, month and outcome, and nothing finer.
//!
//! A small number may be one person that somebody knows of: below five it is not told. Sums are not told either, since the
//! difference would tell it.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::store::Database;

use super::AuditError;
use super::purposes::csv_line;
use super::rows::Reader;
use crate::config::Config;

/// The least number that is told.
pub const LEAST: u64 = 5;

/// A number that is told where it is not small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Many(u64);

impl Many {
    /// The number in words.
    #[must_use]
    pub fn told(self) -> String {
        if mutants::skips("audit-few") || self.0 >= LEAST {
            return self.0.to_string();
        }
        format!("fewer than {LEAST}")
    }
}

impl Serialize for Many {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 >= LEAST { to.serialize_u64(self.0) } else { to.serialize_str(&self.told()) }
    }
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The policy's id.
    pub policy: String,
    /// The month in London, `2026-11`.
    pub month: String,
    /// How the requests ended.
    pub outcome: String,
    /// How many they were.
    pub count: Many,
}

/// Counts the decisions of an installation.
///
/// # Errors
/// [`AuditError`].
pub async fn report(config: &Config) -> Result<Vec<Line>, AuditError> {
    let mut reader = Reader::of(Database::read(&config.database).await?);
    let mut counts: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    let mut after = (String::new(), String::new());
    loop {
        let rows = reader.ends(after).await?;
        let Some(last) = rows.last() else { break };
        after = (last.service_id.clone(), last.id.clone());
        for row in rows {
            let day = UnixTime(row.decided_at).london_date();
            let month = format!("{:04}-{:02}", day.year(), day.month());
            *counts.entry((row.policy_id, month, row.outcome.unwrap_or_default())).or_default() += 1;
        }
    }
    let line = |((policy, month, outcome), count)| Line { policy, month, outcome, count: Many(count) };
    Ok(counts.into_iter().map(line).collect())
}

/// The report as CSV (RFC 4180).
#[must_use]
pub fn csv(lines: &[Line]) -> String {
    let mut text = csv_line(["policy", "month", "outcome", "count"]);
    for line in lines {
        text += &csv_line([&line.policy, &line.month, &line.outcome, &line.count.told()]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small_numbers() -> (String, String) {
        let line = |count| Line {
            policy: "p".into(),
            month: "2026-11".into(),
            outcome: "met".into(),
            count: Many(count),
        };
        (csv(&[line(4), line(5)]), serde_json::to_string(&[line(1), line(5)]).unwrap_or_default())
    }

    #[test]
    fn small_numbers_are_not_told() {
        let (csv, json) = small_numbers();
        assert_eq!(csv, "policy,month,outcome,count\r\np,2026-11,met,fewer than 5\r\np,2026-11,met,5\r\n");
        assert!(json.contains(r#""count":"fewer than 5""#) && json.contains(r#""count":5"#), "{json}");
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_switch_that_is_noticed() {
        assert!(mutants::without("audit-few", small_numbers).0.contains(",4\r\n"));
    }
}
