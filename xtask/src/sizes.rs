//! Bounds on the size of functions and files, over every Rust file that git knows or could know.
//!
//! The median function has at most 10 lines, nine in ten have at most 40, none has more than 100 unless a comment
//! `// Long because …` stands in it; a file has at most 600 lines. How lines are counted: `function.rs`.

use crate::function::{Function, functions};
use crate::process::{Failure, output, program, say};
use crate::tally::Tally;

const MEDIAN: usize = 10;
const NINE_IN_TEN: usize = 40;
const LONGEST: usize = 100;
const FILE: usize = 600;
const EXCUSE: &str = "// Long because ";

/// Counts four checks.
pub(crate) fn check() -> Result<Tally, Failure> {
    let listed = output(&mut program(
        "git",
        &["ls-files", "--cached", "--others", "--exclude-standard", "*.rs", "*.py"],
    ))?;
    let mut lengths = Vec::new();
    let (mut long, mut big) = (Vec::new(), Vec::new());
    for path in listed.lines().filter(|path| std::path::Path::new(path).exists()) {
        let source = std::fs::read_to_string(path)?;
        big.extend(too_big(path, &source));
        if path.ends_with(".rs") {
            let found = functions(&source);
            long.extend(found.iter().filter_map(|function| too_long(path, &source, function)));
            lengths.extend(found.iter().map(|function| function.lines));
        }
    }
    lengths.sort_unstable();
    Ok(spread(&lengths) + Tally::of_faults("sizes", &long) + Tally::of_faults("sizes", &big))
}

fn spread(lengths: &[usize]) -> Tally {
    let at = |part: usize| lengths.get(lengths.len() * part / 100).copied().unwrap_or(0);
    let (median, ninth) = (at(50), at(90));
    let last = lengths.last().copied().unwrap_or(0);
    say(&format!(
        "sizes: {} functions: median {median}, nine in ten at most {ninth}, longest {last}",
        lengths.len()
    ));
    Tally::one(median <= MEDIAN) + Tally::one(ninth <= NINE_IN_TEN)
}

fn too_big(path: &str, source: &str) -> Option<String> {
    let lines = source.lines().count();
    (lines > FILE).then(|| format!("{path} has {lines} lines: cut it by meaning"))
}

fn too_long(path: &str, source: &str, function: &Function) -> Option<String> {
    let excused =
        || source.lines().skip(function.line - 1).take(function.lines).any(|line| line.contains(EXCUSE));
    let fault = function.lines > LONGEST && !excused();
    fault.then(|| format!("{path}:{} fn {} has {} lines", function.line, function.name, function.lines))
}
