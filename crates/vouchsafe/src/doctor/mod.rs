//! `vouchsafe doctor`: looks at an installation as `serve` would find it, and says what is wrong, whose it is and what to do.
//!
//! It mends nothing and asks nobody but the database; what it finds holds no secret and no word about residents. Each
//! file of `doctor` looks at one kind of thing; [`examine`] puts them in order. Where nothing stands out, the program is
//! opened once as `config check` opens it, which finds what remains (and remembers the register's version, as serving does).

mod database;
mod doors;
mod installation;
mod keys;
mod register;

use std::fmt;
use std::path::Path;

use serde::Serialize;
use vouchsafe_service::clock::{Clock as _, SystemClock};

use self::installation::Installation;
use crate::cli::serve::Program;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// It serves, and should be looked at.
    Warning,
    /// The program would not serve, or not safely.
    Fault,
}

/// Whose something is to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Whose {
    /// Whoever runs this installation.
    Operator,
    /// Whoever runs the database's server.
    DatabaseServer,
    /// The registrar, who signs the register.
    Registrar,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "yours",
            Self::DatabaseServer => "the database server's",
            Self::Registrar => "the registrar's",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at: a closed word for scripts.
    pub(crate) check: &'static str,
    /// How it stands.
    pub(crate) state: State,
    /// What was found, in a sentence.
    pub(crate) found: String,
    /// Whose it is to mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) whose: Option<Whose>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl fmt::Display) -> Self {
        Self { check, state: State::Ok, found: found.to_string(), whose: None, remedy: None }
    }

    fn of(state: State, check: &'static str, whose: Whose, found: String, remedy: String) -> Self {
        Self { check, state, found, whose: Some(whose), remedy: Some(remedy) }
    }

    fn warning(
        check: &'static str,
        whose: Whose,
        found: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        Self::of(State::Warning, check, whose, found.to_string(), remedy.to_string())
    }

    fn fault(check: &'static str, whose: Whose, found: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self::of(State::Fault, check, whose, found.to_string(), remedy.to_string())
    }

    /// Whether the program would not serve, or not safely.
    pub(crate) fn is_fault(&self) -> bool {
        self.state == State::Fault
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok     ",
            State::Warning => "warning",
            State::Fault => "FAULT  ",
        };
        write!(f, "{state} {}: {}", self.check, self.found)?;
        if let (Some(whose), Some(remedy)) = (self.whose, &self.remedy) {
            write!(f, ". It is {whose} to mend: {remedy}")?;
        }
        Ok(())
    }
}

/// Looks at the installation of `program` whose settings are at `config`.
pub(crate) async fn examine(program: Program, config: &Path) -> Vec<Finding> {
    let installation = match Installation::read(program, config) {
        Ok(installation) => installation,
        Err(fault) => {
            let remedy = format!("correct {} or the VOUCHSAFE__ variables around it", config.display());
            return vec![Finding::fault("settings", Whose::Operator, fault, remedy)];
        }
    };
    let mut findings = vec![Finding::ok("settings", format_args!("{} can be read", config.display()))];
    findings.extend(keys::examine(&installation));
    findings.extend(database::examine(&installation).await);
    findings.extend(register::examine(&installation.register, SystemClock.now()));
    findings.extend(doors::examine(&installation.doors).await);
    if !findings.iter().any(Finding::is_fault) {
        findings.push(opened(&installation).await);
    }
    findings
}

/// What no single look finds: types, policies, clients, certificates that do not belong together.
async fn opened(installation: &Installation) -> Finding {
    match installation.open().await {
        Ok(()) => Finding::ok("rules", "types, policies, keys and certificates belong together"),
        Err(fault) => Finding::fault("rules", Whose::Operator, fault, "correct what the sentence names"),
    }
}
