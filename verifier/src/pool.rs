//! The bounded pool for signatures and proofs: as many at once as there are cores, a short queue, never on the async
//! threads.
//!
//! A full queue is answered at once, before it grows longer than anybody would wait. An answer takes one place for all of
//! its work, so that none is turned away half-way, when its dear part is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use vouchsafe_mutants as mutants;

/// How many may wait for each that works.
const QUEUE_PER_WORKER: usize = 4;

/// There is no room: nothing was done, and trying again is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all workers are busy; try again")]
pub struct Full;

/// The work began, or would have, and gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It panicked; that was reported where panics are.
    #[error("the work ended without a result")]
    Panicked,
    /// The program is stopping.
    #[error("the program is stopping; try again")]
    Stopping,
}

impl From<JoinError> for Lost {
    fn from(fault: JoinError) -> Self {
        if fault.is_panic() { Self::Panicked } else { Self::Stopping }
    }
}

/// The pool.
pub struct ProofPool(Arc<Pool>);

struct Pool {
    workers: Arc<Semaphore>,
    room: usize,
    inside: AtomicUsize,
}

/// A place in the pool, with its room among the answers under way. Both are given back however its holder ends, and not
/// before the work that was begun in it.
#[derive(Clone)]
pub struct Place(Arc<Seat>);

struct Seat {
    pool: Arc<Pool>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.pool.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ProofPool {
    /// A pool of `workers` at once.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let workers = workers.max(1);
        Self(Arc::new(Pool {
            workers: Arc::new(Semaphore::new(workers)),
            room: workers * (1 + QUEUE_PER_WORKER),
            inside: AtomicUsize::new(0),
        }))
    }

    /// As many workers as the machine has cores.
    #[must_use]
    pub fn per_core() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// A place for one answer, which keeps `room` for as long.
    ///
    /// # Errors
    /// [`Full`] when the queue is full.
    pub fn enter(&self, room: OwnedSemaphorePermit) -> Result<Place, Full> {
        let before = self.0.inside.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::new(Seat { pool: self.0.clone(), _room: room }));
        if before < self.0.room { Ok(place) } else { Err(Full) }
    }
}

impl Place {
    /// Runs `work` on a blocking thread; once begun it runs to its end, whoever still waits.
    ///
    /// # Errors
    /// [`Lost`] when the work ended without a result.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        let workers = self.0.pool.workers.clone();
        let permit = workers.acquire_owned().await.map_err(|_| Lost::Stopping)?;
        let place = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _held = (place, permit);
            work()
        });
        Ok(task.await?)
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

    /// A place with room enough.
    fn place(pool: &ProofPool) -> Result<Place, Full> {
        pool.enter(Cap::new(1).enter()?)
    }

    fn inside(pool: &ProofPool) -> usize {
        pool.0.inside.load(Ordering::Acquire)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_is_said_at_once_and_empties_again() {
        let pool = ProofPool::new(1);
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let working = place(&pool).unwrap();
        let first = tokio::spawn(async move { working.run(move || gate.recv().is_ok()).await });
        let waiting: Vec<_> = (0..QUEUE_PER_WORKER).map(|_| place(&pool).unwrap()).collect();
        let waiting = waiting.into_iter().map(|place| tokio::spawn(async move { place.run(|| true).await }));
        let waiting: Vec<_> = waiting.collect();
        assert!(matches!(place(&pool), Err(Full)));
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(true));
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(true));
        }
        while inside(&pool) > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(place(&pool).unwrap().run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn who_leaves_the_queue_gives_the_place_back() {
        let pool = ProofPool::new(1);
        let held = pool.0.workers.clone().acquire_owned().await.unwrap();
        {
            let place = place(&pool).unwrap();
            let mut waiting = Box::pin(place.run(|| ()));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            assert_eq!(inside(&pool), 1);
        }
        assert_eq!(inside(&pool), 0);
        drop(held);
        assert_eq!(place(&pool).unwrap().run(|| 1).await, Ok(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_leaves_the_work_gives_nothing_back_before_its_end() {
        let (pool, cap) = (ProofPool::new(1), Cap::new(1));
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let place = pool.enter(cap.enter().unwrap()).unwrap();
        let handler = tokio::spawn(async move {
            let work = move || {
                begin.send(()).unwrap();
                gate.recv().is_ok()
            };
            place.run(work).await
        });
        begun.await.unwrap();
        handler.abort();
        assert!(handler.await.is_err());
        assert_eq!((inside(&pool), cap.enter().err()), (1, Some(Full)));
        release.send(()).unwrap();
        while inside(&pool) > 0 || cap.enter().is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_is_told_apart_and_leaves_the_pool_whole() {
        let pool = ProofPool::new(1);
        let lost = place(&pool).unwrap().run(|| -> u8 { panic!("a broken invariant") }).await;
        assert_eq!(lost, Err(Lost::Panicked));
        assert_eq!(inside(&pool), 0);
        assert_eq!(place(&pool).unwrap().run(|| 1).await, Ok(1));
    }
}
