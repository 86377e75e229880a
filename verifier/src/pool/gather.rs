//! Work that waits is taken together.
//!
//! Part of what a proof costs is shared by all that are checked in one sum. Nobody waits for company: who finds a worker
//! free works alone, at once. Who finds none stands in the pool's queue as ever, and whoever of them gets a worker takes
//! along what the others brought. So a batch is as large as the load makes it, and the pool's own patience is all that
//! bounds the gathering (`specs/decisions/0018`).

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::oneshot::{self, Receiver, Sender};
use vouchsafe_mutants as mutants;

use super::{Lost, Place};

/// How a kind of work is done.
pub trait Crew: Send + Sync + 'static {
    /// What is to be done.
    type Work: Send + 'static;
    /// What comes of it.
    type Done: Send + 'static;

    /// Does for all of them what is cheaper together. It may stop anywhere, by a panic too: [`Crew::alone`] ends each.
    fn together(&self, all: &mut [Self::Work]);

    /// Ends one, whatever was done for it before. The verdict never depends on the company.
    fn alone(&self, work: Self::Work) -> Self::Done;
}

/// Work of one kind that waits for workers of a pool.
pub struct Gathering<C: Crew>(Arc<Gathered<C>>);

struct Gathered<C: Crew> {
    crew: C,
    most: usize,
    line: Mutex<Line<C>>,
}

/// Who waits, first come first.
struct Line<C: Crew> {
    last: u64,
    waiting: VecDeque<Waiting<C>>,
}

struct Waiting<C: Crew> {
    number: u64,
    work: C::Work,
    place: Place,
    tell: Sender<Result<C::Done, Lost>>,
}

impl<C: Crew> Line<C> {
    fn take(&mut self, number: u64) -> Option<Waiting<C>> {
        let at = self.waiting.iter().position(|one| one.number == number)?;
        self.waiting.remove(at)
    }
}

impl<C: Crew> Gathering<C> {
    /// A gathering of which at most `most` are done together.
    #[must_use]
    pub fn new(crew: C, most: usize) -> Self {
        let line = Mutex::new(Line { last: 0, waiting: VecDeque::new() });
        Self(Arc::new(Gathered { crew, most, line }))
    }

    /// How many wait for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.line().waiting.len()
    }

    fn stand(&self, place: Place, work: C::Work) -> Stand<'_, C> {
        let (tell, told) = oneshot::channel();
        let mut line = self.0.line();
        line.last += 1;
        let number = line.last;
        line.waiting.push_back(Waiting { number, work, place, tell });
        Stand { gathered: &self.0, number, told }
    }
}

impl<C: Crew> Gathered<C> {
    fn line(&self) -> MutexGuard<'_, Line<C>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a batch to its end, whoever still waits for it. The worker is free before any place is, and the places before
    /// anybody is told.
    fn work(&self, batch: Vec<Waiting<C>>, permit: OwnedSemaphorePermit) {
        let part = |one: Waiting<C>| (one.work, (one.place, one.tell));
        let (mut all, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(part).unzip();
        let size = u32::try_from(all.len()).unwrap_or(u32::MAX);
        metrics::histogram!("vouchsafe_proof_batch_size").record(size);
        if size > 1 && catch_unwind(AssertUnwindSafe(|| self.crew.together(&mut all))).is_err() {
            tracing::error!(batch.size = size, "work that was done together ended without a result");
        }
        let done: Vec<_> = all.into_iter().map(|work| self.alone(work)).collect();
        drop(permit);
        for ((place, tell), done) in waiting.into_iter().zip(done) {
            drop(place);
            // Whoever left needs no answer.
            let _ = tell.send(done);
        }
    }

    /// The panic of one is nobody else's.
    fn alone(&self, work: C::Work) -> Result<C::Done, Lost> {
        catch_unwind(AssertUnwindSafe(|| self.crew.alone(work))).map_err(|_| Lost::Panicked)
    }
}

/// Somebody's stand in the line, which ends with it.
struct Stand<'a, C: Crew> {
    gathered: &'a Arc<Gathered<C>>,
    number: u64,
    told: Receiver<Result<C::Done, Lost>>,
}

impl<C: Crew> Stand<'_, C> {
    /// Takes the own work out of the line; none if somebody took it along.
    fn step_out(&self) -> Option<Waiting<C>> {
        self.gathered.line().take(self.number)
    }

    /// The own work, if nobody took it along, and what waits beside it.
    fn batch(&self) -> Option<Vec<Waiting<C>>> {
        let mut line = self.gathered.line();
        let own = line.take(self.number)?;
        let room = self.gathered.most.saturating_sub(1);
        let room = if mutants::skips("vp-gather-most") { usize::MAX } else { room };
        let company = room.min(line.waiting.len());
        Some(std::iter::once(own).chain(line.waiting.drain(..company)).collect())
    }

    async fn told(&mut self) -> Result<C::Done, Lost> {
        // Nobody tells only where the work was dropped before it began, as the runtime does at its end.
        (&mut self.told).await.unwrap_or(Err(Lost::Stopping))
    }
}

impl<C: Crew> Drop for Stand<'_, C> {
    fn drop(&mut self) {
        if !mutants::skips("vp-gather-leave") {
            self.step_out();
        }
    }
}

impl Place {
    /// Does `work` on a worker of the pool: alone if one is free, else with whatever waits beside it. Once begun it runs to
    /// its end, whoever still waits.
    ///
    /// # Errors
    /// [`Lost`] when the work ended without a result, or never began.
    pub async fn gather<C: Crew>(&self, gathering: &Gathering<C>, work: C::Work) -> Result<C::Done, Lost> {
        let mut stand = gathering.stand(self.clone(), work);
        let worker = tokio::select! {
            biased;
            told = stand.told() => return told,
            worker = self.worker() => worker,
        };
        match worker {
            Ok(permit) => {
                if let Some(batch) = stand.batch() {
                    let gathered = gathering.0.clone();
                    tokio::task::spawn_blocking(move || gathered.work(batch, permit));
                }
            }
            // Nothing was done, unless somebody has taken it along by now.
            Err(lost) => {
                if stand.step_out().is_some() {
                    return Err(lost);
                }
            }
        }
        stand.told().await
    }
}
