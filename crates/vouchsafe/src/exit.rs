//! How the program ends: one error type with the exit code that scripts rely on.

use std::fmt;
use std::process::ExitCode;

/// Whose side a command failed on. The numbers are a contract: `ARCHITECTURE.md`, "Exit codes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The demo did not end as it should (1).
    Demo,
    /// The command line or a file given to it is wrong (2).
    Usage,
    /// We refused, for the reason in the message (3).
    Refused,
    /// The other side refused (4).
    Peer,
    /// Something needed could not be reached or failed (5).
    Unavailable,
}

impl Fault {
    fn code(self) -> u8 {
        match self {
            Self::Demo => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Peer => 4,
            Self::Unavailable => 5,
        }
    }
}

/// Why a command ended early: a sentence for the person at the terminal, and a stable code for scripts.
#[derive(Debug)]
pub struct Failure {
    fault: Fault,
    code: &'static str,
    message: String,
}

impl Failure {
    /// A failure on `fault`'s side. `message` says what was wrong and what to do, and holds no personal value.
    pub fn new(fault: Fault, code: &'static str, message: impl fmt::Display) -> Self {
        Self { fault, code, message: message.to_string() }
    }

    /// Wrong use of the command.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Fault::Usage, "usage", message)
    }

    /// We refused.
    pub fn refused(code: &'static str, message: impl fmt::Display) -> Self {
        Self::new(Fault::Refused, code, message)
    }

    /// The demo broke off, and has said where (exit code 1).
    pub fn demo(message: impl fmt::Display) -> Self {
        Self::new(Fault::Demo, "demo", message)
    }

    /// Something needed is not there.
    pub fn unavailable(message: impl fmt::Display) -> Self {
        Self::new(Fault::Unavailable, "unavailable", message)
    }

    /// The stable code, as in `refused:<code>`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.fault.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
