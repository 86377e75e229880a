//! Interleaved timing of a function and its floor.

use std::time::Instant;

use serde_json::{Map, Value, json};

/// Rounds of which the median is taken. A round is one call, so that function and floor, in turn, find the processor's
/// caches in the same state, and most rounds fit between two interruptions.
const ROUNDS: usize = 901;
/// Rounds of what takes milliseconds and has many sizes.
const FEW: usize = 61;

/// One line of the output.
pub(crate) struct Report {
    name: String,
    ns: f64,
    floor_ns: f64,
    parts: Map<String, Value>,
}

impl Report {
    /// Adds a part that explains the figure.
    pub(crate) fn part(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parts.insert(name.to_owned(), value.into());
        self
    }

    #[expect(clippy::print_stdout, reason = "the lines are what a bench is for")]
    pub(crate) fn print(&self) {
        let line = json!({
            "bench": self.name,
            "ns": self.ns.round(),
            "floor_ns": self.floor_ns.round(),
            "ratio": (self.ns / self.floor_ns * 1000.0).round() / 1000.0,
            "parts": self.parts,
        });
        println!("{line}");
    }
}

/// Measures `function` against `floor`.
pub(crate) fn against<A, B>(name: &str, function: impl FnMut() -> A, floor: impl FnMut() -> B) -> Report {
    compared(name, ROUNDS, function, floor)
}

/// As [`against`], in fewer rounds; one call of `function` does `count` of what `floor` does once.
pub(crate) fn against_few<A, B>(
    name: &str,
    count: u32,
    function: impl FnMut() -> A,
    floor: impl FnMut() -> B,
) -> Report {
    let report = compared(name, FEW, function, floor);
    Report { ns: report.ns / f64::from(count), ..report }
}

fn compared<A, B>(
    name: &str,
    rounds: usize,
    mut function: impl FnMut() -> A,
    mut floor: impl FnMut() -> B,
) -> Report {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    round(&mut function);
    round(&mut floor);
    for _ in 0..rounds {
        ours.push(round(&mut function));
        theirs.push(round(&mut floor));
    }
    Report { name: name.to_owned(), ns: median(&mut ours), floor_ns: median(&mut theirs), parts: Map::new() }
}

/// Measures against `floor` what runs in another program and says itself how many nanoseconds it took.
pub(crate) fn timed_elsewhere<B>(
    name: &str,
    mut function: impl FnMut() -> f64,
    mut floor: impl FnMut() -> B,
) -> Report {
    // The other program's compiler may need some calls before it has the code as it wants it.
    (0..FEW).for_each(|_| _ = function());
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..FEW {
        ours.push(function());
        theirs.push(round(&mut floor));
    }
    Report { name: name.to_owned(), ns: median(&mut ours), floor_ns: median(&mut theirs), parts: Map::new() }
}

/// The median nanoseconds of one function alone.
pub(crate) fn alone<A>(function: impl FnMut() -> A) -> f64 {
    median_of(ROUNDS, function)
}

/// As [`alone`], in fewer rounds.
pub(crate) fn alone_few<A>(function: impl FnMut() -> A) -> f64 {
    median_of(FEW, function)
}

fn median_of<A>(rounds: usize, mut function: impl FnMut() -> A) -> f64 {
    let mut times: Vec<f64> = (0..rounds).map(|_| round(&mut function)).collect();
    median(&mut times).round()
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn round<A>(function: &mut impl FnMut() -> A) -> f64 {
    let started = Instant::now();
    std::hint::black_box(function());
    started.elapsed().as_secs_f64() * 1e9
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
