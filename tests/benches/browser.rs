//! Proving in the browser's format, as Node runs it, beside proving natively.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use vouchsafe_browser::Question;

use crate::measure::{Report, timed_elsewhere};

/// What `cargo xtask bench` has built before; see there.
const MODULE: &str = "target/browser/wasm32-unknown-unknown/release/prove.wasm";
const HOST: &str = "tests/browser/prove.mjs";

/// None where there is no module, or no Node: a bench run by hand.
pub(crate) fn benches() -> Option<Report> {
    let mut node = Node::start()?;
    let question = Question::default();
    Some(
        timed_elsewhere("zk/prove/32x1/wasm", || node.prove(), || question.prove())
            .part("host", node.version()),
    )
}

/// A Node that makes a proof for every line it is given.
struct Node {
    process: Child,
    asked: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Node {
    fn start() -> Option<Self> {
        let module = Path::new(MODULE);
        if !module.exists() {
            return None;
        }
        let mut command = Command::new("node");
        command.arg(HOST).arg(module).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().ok()?;
        let (asked, told) = (process.stdin.take()?, BufReader::new(process.stdout.take()?));
        Some(Self { process, asked, told })
    }

    /// The nanoseconds of one proof.
    fn prove(&mut self) -> f64 {
        writeln!(self.asked).expect("Node reads");
        let mut line = String::new();
        self.told.read_line(&mut line).expect("Node writes");
        line.trim().parse().expect("Node writes nanoseconds")
    }

    fn version(&self) -> String {
        let output = Command::new("node").arg("--version").output().expect("it ran before");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It ends with its input too; nothing is left running where the bench stopped early.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
