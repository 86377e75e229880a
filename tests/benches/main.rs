//! `cargo xtask bench`: what the hot paths cost, as ratios to a floor measured in the same run.
//!
//! Function and floor are interleaved, so that a noisy machine slows both; every figure is the median of many
//! rounds. One JSON object a line. Nothing is asserted here: results are kept in `specs/results/`.

mod answer;
mod asked;
mod browser;
mod credential;
mod household;
mod log;
mod measure;
mod permission;
mod range;

use measure::Report;

fn main() {
    vouchsafe_service::keys::install();
    let mut reports: Vec<Report> = Vec::new();
    // `bench log` measures what goes to a database alone.
    let only_log = std::env::args().nth(1).as_deref() == Some("log");
    if !only_log {
        reports.extend(credential::benches());
        reports.extend(answer::benches());
        reports.push(household::benches());
        reports.extend(range::benches());
        reports.extend(browser::benches());
    }
    reports.extend(log::benches());
    reports.extend(permission::benches());
    for report in reports {
        report.print();
    }
}
