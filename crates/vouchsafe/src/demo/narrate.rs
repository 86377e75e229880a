//! What the demo says: sentences for a person, or one JSON object a step for a script.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

/// One finished step: the object that `demo --json` prints.
#[derive(Serialize)]
pub struct Step<'a> {
    step: &'a str,
    outcome: &'a str,
    ms: u128,
}

#[derive(Serialize)]
struct Done {
    demo: &'static str,
    steps: usize,
}

#[derive(Serialize)]
struct Failed<'a> {
    demo: &'static str,
    step: &'a str,
    reason: &'a str,
}

/// Writes the story to `out`, as sentences or as JSON lines.
pub struct Narrator<W> {
    out: W,
    json: bool,
    steps: usize,
}

impl<W: Write> Narrator<W> {
    /// A narrator that has said nothing yet.
    pub fn new(out: W, json: bool) -> Self {
        Self { out, json, steps: 0 }
    }

    /// A heading or an explanation; nothing in JSON.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        if self.json { Ok(()) } else { writeln!(self.out, "{text}") }
    }

    /// A finished step with its outcome: `ok`, one of the five outcomes, or `refused:<code>`.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn step(&mut self, step: &str, outcome: &str, took: Duration, sentence: &str) -> io::Result<()> {
        self.steps += 1;
        if self.json {
            return self.line(&Step { step, outcome, ms: took.as_millis() });
        }
        writeln!(self.out, "  {sentence}\n      [{step}: {outcome}, {} ms]", took.as_millis())
    }

    /// The last line of a story that went through.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn done(&mut self) -> io::Result<()> {
        let steps = self.steps;
        if self.json {
            return self.line(&Done { demo: "ok", steps });
        }
        writeln!(self.out, "\nThe demo is complete: {steps} steps, everything as it should be.")
    }

    /// The last line of a story that broke at `step`.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn failed(&mut self, step: &str, reason: &str) -> io::Result<()> {
        if self.json {
            return self.line(&Failed { demo: "failed", step, reason });
        }
        writeln!(self.out, "\nThe demo stopped at {step}: {reason}")
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        writeln!(self.out)
    }
}
