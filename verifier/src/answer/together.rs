//! Steps 10 to 12 of answers that waited for a worker at the same time: their proofs are checked in one sum.
//!
//! Each answer has its own context, statements and verdict. A wrong proof, or a check that ends without a result, is
//! told from the others', and nobody's verdict depends on the company.

use std::mem::replace;
use std::sync::Arc;

use vouchsafe_protocol::answer::{Committed, Complete, check_proofs};
use vouchsafe_service::clock::Clock;
use vouchsafe_service::entropy::{Entropy, EntropyRng};

use super::check::{self, Pinned, Refusal};
use crate::app::Rules;
use crate::decision::Finding;
use crate::pool::gather::{Crew, Gathering};

/// So many answers are checked in one sum: beyond it little more is saved, and the first waits for the last.
const MOST: usize = 32;

/// How answers are concluded.
pub(crate) struct Concluding {
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
}

/// An answer whose statuses were looked up.
pub(crate) struct Ready {
    pinned: Pinned,
    rules: Arc<Rules>,
    stage: Stage,
}

enum Stage {
    Complete(Box<Complete>),
    Committed(Box<Committed>),
    Refused(Refusal),
}

impl Concluding {
    /// Answers that wait for a worker; weights are drawn from `entropy`.
    pub(crate) fn gathering(entropy: Arc<dyn Entropy>, clock: Arc<dyn Clock>) -> Gathering<Self> {
        Gathering::new(Self { entropy, clock }, MOST)
    }
}

impl Crew for Concluding {
    type Work = Ready;
    type Done = Result<Finding, Refusal>;

    fn together(&self, all: &mut [Ready]) {
        all.iter_mut().for_each(Ready::commit);
        check_proofs(all.iter_mut().filter_map(Ready::committed), &mut EntropyRng(&*self.entropy));
    }

    fn alone(&self, mut ready: Ready) -> Result<Finding, Refusal> {
        ready.commit();
        match ready.stage {
            Stage::Committed(committed) => check::conclude(&ready.pinned, *committed, self.clock.now()),
            Stage::Refused(refusal) => Err(refusal),
            Stage::Complete(_) => Err(Refusal::Broken),
        }
    }
}

impl Ready {
    pub(super) fn new(pinned: Pinned, complete: Complete, rules: Arc<Rules>) -> Self {
        Self { pinned, rules, stage: Stage::Complete(Box::new(complete)) }
    }

    /// Step 10, unless it was done. Should it end without a result, that is what is left.
    fn commit(&mut self) {
        self.stage = match replace(&mut self.stage, Stage::Refused(Refusal::Broken)) {
            Stage::Complete(complete) => match check::commit(&self.pinned, *complete, &self.rules) {
                Ok(committed) => Stage::Committed(Box::new(committed)),
                Err(refusal) => Stage::Refused(refusal),
            },
            done => done,
        };
    }

    fn committed(&mut self) -> Option<&mut Committed> {
        match &mut self.stage {
            Stage::Committed(committed) => Some(committed),
            Stage::Complete(_) | Stage::Refused(_) => None,
        }
    }
}
