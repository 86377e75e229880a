//! Running a script: once, for its one result, or as a server that is told things and says things.
//!
//! Every script ends by itself after a minute, and a server when it is dropped.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}

/// The interpreter of a script, with the script.
fn command(script: &str) -> Command {
    let folder = folder();
    let needed = |path: PathBuf| {
        assert!(path.exists(), "{} is missing: run `cargo xtask test`, which installs it", path.display());
        path
    };
    let mut command = if script.ends_with(".py") {
        Command::new(needed(folder.join("../../target/interop-python/bin/python")))
    } else {
        needed(folder.join("node_modules/@openid4vc"));
        Command::new("node")
    };
    command.arg(folder.join(script));
    command
}

/// Hands `input` to a script and gives what it found, or what it complains of. `authority` is whose certificates it
/// takes for servers.
pub(crate) fn try_run(script: &str, input: &Value, authority: Option<&Path>) -> Result<Value, String> {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("input.json");
    std::fs::write(&file, input.to_string()).expect("a file");
    let mut command = command(script);
    command.arg(&file).stdin(Stdio::null());
    if let Some(authority) = authority {
        command.env("NODE_EXTRA_CA_CERTS", authority);
    }
    // The servers that the script calls go on meanwhile.
    let run = tokio::task::block_in_place(|| command.output()).expect("the interpreter runs");
    let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
    if !run.status.success() {
        return Err(complaint);
    }
    serde_json::from_slice(&run.stdout).map_err(|_| complaint)
}

/// As [`try_run`]; the script must succeed.
pub(crate) fn run(script: &str, input: &Value, authority: Option<&Path>) -> Value {
    try_run(script, input, authority).unwrap_or_else(|complaint| panic!("{script}: {complaint}"))
}

/// A script that serves.
pub(crate) struct Server {
    child: Child,
    ears: ChildStdin,
    mouth: BufReader<ChildStdout>,
    _dir: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(script: &str, input: &Value) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("input.json");
        std::fs::write(&file, input.to_string()).expect("a file");
        let mut child = command(script)
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter runs");
        let ears = child.stdin.take().expect("it was piped");
        let mouth = BufReader::new(child.stdout.take().expect("it was piped"));
        Self { child, ears, mouth, _dir: dir }
    }

    /// Tells it one thing.
    pub(crate) fn tell(&mut self, what: &Value) {
        writeln!(self.ears, "{what}").expect("the script listens");
    }

    /// The next thing that it says.
    pub(crate) fn said(&mut self) -> Value {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.mouth.read_line(&mut line)).expect("text");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the script ended; see its complaint above"))
    }

    /// A text member of the next thing that it says.
    pub(crate) fn said_text(&mut self, member: &str) -> String {
        let said = self.said();
        said[member].as_str().unwrap_or_else(|| panic!("no {member} in {said}")).to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for a script that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
