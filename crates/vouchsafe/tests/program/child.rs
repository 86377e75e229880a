//! Running `vouchsafe` as a child process.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

/// How a command ended and what it said.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end, its output piped, its folder `dir`.
pub(crate) fn run(dir: &Path, args: &[&str]) -> Ended {
    let output = command(dir, args).output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouchsafe"));
    command.args(args).current_dir(dir).stdin(Stdio::null());
    command
}

/// `vouchsafe dev`, up and ready. Killed with the value.
pub(crate) struct Dev {
    child: Child,
    out: BufReader<ChildStdout>,
    /// The line that says so.
    pub(crate) ready: Value,
}

impl Dev {
    /// Starts it over `data` and waits until it is ready; `base` 0 takes free ports.
    pub(crate) fn start(dir: &Path, data: &str, base: u16) -> Self {
        Self::start_with(dir, data, base, &[])
    }

    /// As [`Dev::start`], with more arguments.
    pub(crate) fn start_with(dir: &Path, data: &str, base: u16, more: &[&str]) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("dev.log")).unwrap();
        let base = base.to_string();
        let args = ["dev", "--json", "--port-base", &base, "--data-dir", data];
        let mut child =
            command(dir, &[&args[..], more].concat()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let said = || std::fs::read_to_string(dir.join("dev.log")).unwrap_or_default();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("dev did not start: {}", said()));
        Self { child, out, ready }
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.ready.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
    }

    /// The process id, for a signal.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; gives the status and what else it said on standard output.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let rest = (&mut self.out).lines().map(Result::unwrap).collect();
        (status, rest)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
pub(crate) fn signal(id: u32, name: &str) {
    let sent =
        Command::new("kill").args([&format!("-{name}"), &id.to_string()]).stderr(Stdio::null()).status();
    // A process that is already gone needs no signal.
    let _ = sent.unwrap();
}

/// The first of nine ports that are free now, outside the range that the system hands out; another one at each call.
pub(crate) fn free_base() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let apart = TAKEN.fetch_add(20, Ordering::Relaxed);
    let start = 20_000 + u16::try_from(std::process::id() % 500).unwrap() * 20 + apart;
    let free = |base: &u16| [1, 2, 9].iter().all(|n| TcpListener::bind(("127.0.0.1", base + n)).is_ok());
    (start..32_000).step_by(20).find(free).unwrap()
}
