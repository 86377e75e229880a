//! Running other programs, and saying what happened.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Why a chore could not be done; the sentence says what to do about it where there is something to do.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A line for the reader of the screen.
#[expect(clippy::print_stderr, reason = "a chore talks to the person who started it")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// A line of the result.
#[expect(clippy::print_stdout, reason = "results go to standard output, so that they can be piped")]
pub(crate) fn report(line: &str) {
    println!("{line}");
}

/// Chores name paths from the root of the workspace, wherever they were started.
pub(crate) fn enter_workspace() -> Result<(), Failure> {
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().expect("xtask lies in a folder of the workspace");
    std::env::set_current_dir(root).map_err(|error| Failure(format!("no workspace at its place: {error}")))
}

/// `cargo`, the one that started us.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(args);
    command
}

/// A program with its arguments.
pub(crate) fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args);
    command
}

/// How a command is named on the screen.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(name, |line, arg| format!("{line} {}", arg.to_string_lossy()))
}

/// Runs with the screen as its own; true if it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool, Failure> {
    say(&format!("$ {}", shown(command)));
    let status = command.stdin(Stdio::null()).status();
    Ok(status.map_err(|error| Failure(format!("{}: {error}", shown(command))))?.success())
}

/// Runs quietly; true if it could be started and succeeded.
pub(crate) fn quietly(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs and returns standard output, or the failure.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let out = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let out = out.map_err(|error| Failure(format!("{}: {error}", shown(command))))?;
    if !out.status.success() {
        return Err(Failure(format!("{}: {}", shown(command), out.status)));
    }
    String::from_utf8(out.stdout).map_err(|_| Failure(format!("{}: its output is not text", shown(command))))
}

/// Which of its two streams a program writes its results to.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Runs, repeats each line of one stream on the screen as it comes, and returns the lines and whether it succeeded.
pub(crate) fn watch(command: &mut Command, stream: Stream) -> Result<(Vec<String>, bool), Failure> {
    say(&format!("$ {}", shown(command)));
    let command = match stream {
        Stream::Out => command.stdout(Stdio::piped()),
        Stream::Err => command.stderr(Stdio::piped()),
    };
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| Failure(format!("{}: {error}", shown(command))))?;
    let lines = match stream {
        Stream::Out => repeat(child.stdout.take().expect("the stream was piped above")),
        Stream::Err => repeat(child.stderr.take().expect("the stream was piped above")),
    };
    Ok((lines, child.wait()?.success()))
}

fn repeat(stream: impl std::io::Read) -> Vec<String> {
    let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).inspect(|line| say(line)).collect()
}
