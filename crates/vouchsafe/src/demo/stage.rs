//! What every story needs: the running district, a clock that the story moves, and the narrator.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use vouchsafe_service::clock::{Clock, ManualClock};
use vouchsafe_verifier::expiry;
use vouchsafe_wallet::http::Http;

use super::narrate::Narrator;
use super::operator::Operator;
use super::resident::Resident;
use crate::exit::Failure;
use crate::world::{Ports, World, opening};

/// A stage with everything up.
pub struct Stage<W> {
    /// The running district.
    pub world: World,
    /// The bus operator's system.
    pub operator: Operator,
    /// The schools' system.
    pub schools: Operator,
    clock: Arc<ManualClock>,
    narrator: Narrator<W>,
    dir: PathBuf,
    step: String,
}

impl<W: io::Write> Stage<W> {
    /// Sets the district up in `dir`, at ten in the morning of 21 November 2026.
    ///
    /// # Errors
    /// When the district cannot be started.
    pub async fn open(dir: &Path, narrator: Narrator<W>) -> Result<Self, Failure> {
        let clock = Arc::new(ManualClock::at(opening()));
        let held: Arc<dyn Clock> = clock.clone();
        let world = World::start(&dir.join("district"), Ports::default(), held).await?;
        let operator = Operator::new(world.client()?, &world.at.verifier_origin(), &world.test_key()?);
        let schools = Operator::new(world.client()?, &world.at.verifier_origin(), &world.schools_key()?);
        Ok(Self { world, operator, schools, clock, narrator, dir: dir.to_owned(), step: "setup".into() })
    }

    /// A resident with an empty wallet that trusts the district.
    ///
    /// # Errors
    /// When the vault cannot be made.
    pub async fn resident(&self, number: u32) -> Result<Resident, Failure> {
        Resident::new(&self.world, &self.dir.join(format!("wallet-{number:04}")), number, self.clock.clone())
            .await
    }

    /// The same with another wallet than in the stories before.
    ///
    /// # Errors
    /// When the vault cannot be made.
    pub async fn resident_named(&self, number: u32, name: &str) -> Result<Resident, Failure> {
        let dir = self.dir.join(format!("wallet-{number:04}-{name}"));
        Resident::new(&self.world, &dir, number, self.clock.clone()).await
    }

    /// The same, with somebody between the wallet and everybody else.
    ///
    /// # Errors
    /// When the vault cannot be made.
    pub async fn resident_over(&self, number: u32, http: Arc<dyn Http>) -> Result<Resident, Failure> {
        let dir = self.dir.join(format!("wallet-{number:04}-meddled"));
        Resident::over(&self.world, http, &dir, number, self.clock.clone()).await
    }

    /// A heading or an explanation.
    ///
    /// # Errors
    /// When the narrator cannot write.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.narrator.say(text).map_err(Failure::unavailable)
    }

    /// Runs one step, which gives its outcome and a sentence, and tells it.
    ///
    /// # Errors
    /// When the step fails.
    pub async fn step<T>(
        &mut self,
        name: &str,
        work: impl AsyncFnOnce(&Self) -> Result<Told<T>, Failure>,
    ) -> Result<T, Failure> {
        self.step = name.to_owned();
        let started = started();
        let told = work(self).await?;
        self.narrator
            .step(name, &told.outcome, started.elapsed(), &told.sentence)
            .map_err(Failure::unavailable)?;
        Ok(told.value)
    }

    /// Lets time pass, and with it what is over-due.
    ///
    /// # Errors
    /// When the verifier cannot close what is over-due.
    pub async fn pass(&self, seconds: i64) -> Result<(), Failure> {
        self.clock.advance(seconds);
        expiry::sweep(&self.world.verifier, self.clock.now()).await.map(drop).map_err(Failure::unavailable)
    }

    /// The last line, and the end of the programs.
    pub(super) async fn close(mut self, told: Result<(), Failure>) -> Result<(), Failure> {
        self.world.stop().await;
        let last = match &told {
            Ok(()) => self.narrator.done(),
            Err(failure) => self.narrator.failed(&self.step, &failure.to_string()),
        };
        last.map_err(Failure::unavailable)?;
        told.map_err(|failure| Failure::demo(failure.to_string()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the demo reports how long its steps took on this machine")]
fn started() -> Instant {
    Instant::now()
}

/// How a step ended.
pub struct Told<T> {
    value: T,
    outcome: String,
    sentence: String,
}

impl<T> Told<T> {
    /// A step that did what it should.
    pub fn ok(value: T, sentence: impl Into<String>) -> Self {
        Self::with(value, "ok", sentence)
    }

    /// A step that ended with this outcome.
    pub fn with(value: T, outcome: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { value, outcome: outcome.into(), sentence: sentence.into() }
    }
}
