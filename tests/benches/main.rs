//! `cargo xtask bench`: what the hot paths cost, as ratios to a floor measured in the same run.
//!
//! Function and floor are interleaved, so that a noisy machine slows both; every figure is the median of many
//! rounds. One JSON object a line. Nothing is asserted here: results are kept in `specs/results/`.

mod answer;
mod asked;
mod browser;
mod credential;
mod household;
mod measure;
mod range;

use measure::Report;

fn main() {
    vouchsafe_service::keys::install();
    let mut reports: Vec<Report> = credential::benches();
    reports.extend(answer::benches());
    reports.push(household::benches());
    reports.extend(range::benches());
    reports.extend(browser::benches());
    for report in reports {
        report.print();
    }
}
