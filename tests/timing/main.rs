//! `cargo xtask timing`: whether making a proof takes longer for one hidden value than for another.
//!
//! The method is that of dudect (Reparaz, Balasch and Verbauwhede, 2017). Two classes of input, one fixed value and fresh
//! random ones, or the two ends of a list, come in random order; each call has fresh blindings and fresh nonces, so that
//! the value is all that the classes differ in. Welch's t of the two sets of times, whole and with the slowest cut off at
//! several percentiles, shows a difference of the means; beyond 5 it is no accident. A control does the same with a step
//! that leaks on purpose: a harness that does not see it shows nothing.
//!
//! Nothing is asserted here: results are kept in `specs/results/`. `--samples N` and `--runs N` change the size of a run,
//! and `--only PART` leaves the lines whose names have that part.

#[path = "../benches/asked.rs"]
mod asked;
mod provers;
mod several;
mod welch;

use std::process::ExitCode;
use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::json;
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};

use provers::{Prover, all};
use welch::Classes;

const SAMPLES: usize = 100_000;
const RUNS: usize = 3;

fn main() -> ExitCode {
    let (Some(samples), Some(runs)) = (option("--samples", SAMPLES), option("--runs", RUNS)) else {
        return ExitCode::from(2);
    };
    let only = std::env::args().skip_while(|arg| arg != "--only").nth(1).unwrap_or_default();
    for prover in all().into_iter().filter(|prover| prover.name.contains(&only)) {
        let found: Vec<f64> = (0..runs).map(|_| run(&prover, samples / prover.less).worst()).collect();
        report(&prover, samples / prover.less, &found);
    }
    ExitCode::SUCCESS
}

/// The number after `name` on the command line, `usual` without one, `None` if it is none.
fn option(name: &str, usual: usize) -> Option<usize> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    match args.next() {
        None => Some(usual),
        Some(_) => args.next()?.parse().ok().filter(|number| *number > 0),
    }
}

/// Inputs are made before the clock starts; which class is next is drawn anew for each call.
#[expect(clippy::disallowed_methods, reason = "this is what measures")]
fn run(prover: &Prover, samples: usize) -> Classes {
    let mut seed = [0; 32];
    EntropyRng(&OsEntropy::new()).fill_bytes(&mut seed);
    let mut rng = ChaCha20Rng::from_seed(seed);
    let mut classes = Classes::default();
    for _ in 0..samples {
        let is_fixed = rng.next_u32() & 1 == 0;
        let random = rng.next_u64();
        let call = (prover.input)(if is_fixed { None } else { Some(random) }, &mut rng);
        let started = Instant::now();
        call();
        classes.add(is_fixed, started.elapsed().as_secs_f64() * 1e9);
    }
    classes
}

#[expect(clippy::print_stdout, reason = "the lines are what a measurement is for")]
fn report(prover: &Prover, samples: usize, found: &[f64]) {
    let rounded = |t: f64| (t * 100.0).round() / 100.0;
    let line = json!({
        "timing": prover.name,
        "samples": samples,
        "t": found.iter().copied().map(rounded).collect::<Vec<_>>(),
        "worst": rounded(found.iter().copied().fold(0.0, f64::max)),
        "leaks_on_purpose": prover.leaks,
    });
    println!("{line}");
}
