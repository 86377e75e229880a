//! Counting: what passed and what failed, step by step and in all.

use crate::process::say;

/// Tests or checks counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Tally {
    /// One check.
    pub(crate) fn one(ok: bool) -> Self {
        Self { passed: usize::from(ok), failed: usize::from(!ok) }
    }

    /// A check that says what is wrong when something is.
    pub(crate) fn of_faults(what: &str, faults: &[String]) -> Self {
        for fault in faults {
            say(&format!("{what}: {fault}"));
        }
        Self::one(faults.is_empty())
    }

    /// What a runner counted; a runner that failed without naming a failed test counts as one.
    pub(crate) fn of_run(counted: Option<Self>, succeeded: bool) -> Self {
        match (counted, succeeded) {
            (Some(tally), true) => tally,
            (Some(tally), false) => Self { failed: tally.failed.max(1), ..tally },
            (None, _) => Self::one(false),
        }
    }
}

impl std::ops::Add for Tally {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| sum + tally)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Adds up every line that counts: nextest's summary, libtest's result lines, `N passed, N failed` of ours.
pub(crate) fn of_lines(lines: &[String]) -> Option<Tally> {
    lines.iter().filter_map(|line| of_line(line)).reduce(|sum, tally| sum + tally)
}

/// The counts in one summary line; "timed out" and "exec failed" are failures too. What a failed test printed is shown
/// indented, with a result line of its own in it that is not to be counted again; only nextest indents its summary.
fn of_line(line: &str) -> Option<Tally> {
    let line = line.trim_end();
    let counts =
        line.trim_start().starts_with("Summary [") || line.starts_with("test result:") || is_ours(line);
    counts.then(|| Tally {
        passed: before(line, " passed"),
        failed: before(line, " failed") + before(line, " timed out") + before(line, " exec failed"),
    })
}

fn is_ours(line: &str) -> bool {
    line.split_once(" passed, ").is_some_and(|(first, rest)| {
        first.parse::<usize>().is_ok()
            && rest.strip_suffix(" failed").is_some_and(|count| count.parse::<usize>().is_ok())
    })
}

/// The number that stands before `word`, or nought.
fn before(line: &str, word: &str) -> usize {
    let Some(at) = line.find(word) else { return 0 };
    let head = &line[..at];
    let digits = head.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |last| last + 1);
    head[digits..].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(line: &str) -> Option<(usize, usize)> {
        of_line(line).map(|tally| (tally.passed, tally.failed))
    }

    #[test]
    fn reads_the_summaries_of_the_runners() {
        let nextest =
            "     Summary [   4.2s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 3 skipped";
        assert_eq!(count(nextest), Some((9, 3)));
        assert_eq!(count("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured"), Some((5, 0)));
        assert_eq!(count("    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured"), None);
        assert_eq!(count("118 passed, 0 failed"), Some((118, 0)));
        assert_eq!(count("a test that passed, and one that failed"), None);
    }

    #[test]
    fn a_failed_run_is_never_clean() {
        assert_eq!(Tally::of_run(None, true).failed, 1);
        assert_eq!(Tally::of_run(Some(Tally { passed: 3, failed: 0 }), false).failed, 1);
        assert_eq!(Tally::of_run(Some(Tally { passed: 3, failed: 2 }), false).failed, 2);
    }
}
