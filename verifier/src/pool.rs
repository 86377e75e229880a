//! The bounded pool for proofs: as many at once as there are cores, a short queue, never on the async threads.
//!
//! A full queue is answered at once, before it grows longer than anybody would wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vouchsafe_mutants as mutants;

/// How many may wait for each that works.
const QUEUE_PER_WORKER: usize = 4;

/// There is no room: nothing was done, and trying again is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all workers are busy; try again")]
pub struct Full;

/// The pool.
pub struct ProofPool {
    workers: Arc<Semaphore>,
    room: usize,
    inside: Arc<AtomicUsize>,
}

/// A place in the pool, given back however its holder ends.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ProofPool {
    /// A pool of `workers` at once.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let workers = workers.max(1);
        Self {
            workers: Arc::new(Semaphore::new(workers)),
            room: workers * (1 + QUEUE_PER_WORKER),
            inside: Arc::default(),
        }
    }

    /// As many workers as the machine has cores.
    #[must_use]
    pub fn per_core() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Runs `work` on a blocking thread; once begun it runs to its end, whoever still waits.
    ///
    /// # Errors
    /// [`Full`] when the queue is full, or the work ended without a result.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Full> {
        let place = self.enter()?;
        let permit = self.workers.clone().acquire_owned().await.map_err(|_| Full)?;
        let task = tokio::task::spawn_blocking(move || {
            let _held = (place, permit);
            work()
        });
        task.await.map_err(|_| Full)
    }

    fn enter(&self) -> Result<Place, Full> {
        let before = self.inside.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.inside.clone());
        if before >= self.room { Err(Full) } else { Ok(place) }
    }
}

/// A cap on what is under way at once; beyond it callers are told to come back.
pub struct Cap(Arc<Semaphore>);

impl Cap {
    /// A cap of `most`.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self(Arc::new(Semaphore::new(
            usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS),
        )))
    }

    /// Room for one, until the result is dropped.
    ///
    /// # Errors
    /// [`Full`].
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Full> {
        if mutants::skips("vp-answers-at-once") {
            self.0.add_permits(1);
        }
        self.0.clone().try_acquire_owned().map_err(|_| Full)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_is_said_at_once_and_empties_again() {
        let pool = Arc::new(ProofPool::new(1));
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(move || gate.recv().is_ok()).await }
        });
        while pool.inside.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        let waiting: Vec<_> = (0..QUEUE_PER_WORKER)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.run(|| true).await })
            })
            .collect();
        while pool.inside.load(Ordering::Acquire) <= QUEUE_PER_WORKER {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|| true).await, Err(Full));
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(true));
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(true));
        }
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn who_leaves_the_queue_gives_the_place_back() {
        let pool = ProofPool::new(1);
        let held = pool.workers.clone().acquire_owned().await.unwrap();
        {
            let mut waiting = Box::pin(pool.run(|| ()));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            assert_eq!(pool.inside.load(Ordering::Acquire), 1);
        }
        assert_eq!(pool.inside.load(Ordering::Acquire), 0);
        drop(held);
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }
}
