//! The bounded pool for signatures and proofs: as many at once as there are cores, a short queue, never on the async
//! threads.
//!
//! Work that is cheaper together is taken together where it waits ([`gather`]).
//!
//! A full queue is answered at once, and whoever has waited for a worker so long as nobody should is turned away too:
//! trying again is right, and nothing was done. An answer takes one place for all of its work, and gives it back where it
//! waits for somebody else than a worker ([`Place::leave`]), so that no slow host keeps answers out that need none.

pub mod gather;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
    /// No worker was free in time: nothing was done.
    #[error("no worker was free in time; try again")]
    Late,
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
    patience: Duration,
}

/// A place in the pool, with its room among the answers under way. Both are given back however its holder ends, and not
/// before the work that was begun in it.
#[derive(Clone)]
pub struct Place(Arc<Seat>);

struct Seat {
    pool: Arc<Pool>,
    room: Room,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.pool.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ProofPool {
    /// A pool of `workers` at once, for each of which nobody waits longer than `patience`.
    #[must_use]
    pub fn new(workers: usize, patience: Duration) -> Self {
        let workers = workers.max(1);
        Self(Arc::new(Pool {
            workers: Arc::new(Semaphore::new(workers)),
            room: workers * (1 + QUEUE_PER_WORKER),
            inside: AtomicUsize::new(0),
            patience,
        }))
    }

    /// As many workers as the machine has cores.
    #[must_use]
    pub fn per_core(patience: Duration) -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from), patience)
    }

    /// A place for one answer, which keeps `room` for as long.
    ///
    /// # Errors
    /// [`Full`] when the queue is full.
    pub fn enter(&self, room: Room) -> Result<Place, Full> {
        let before = self.0.inside.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::new(Seat { pool: self.0.clone(), room }));
        if mutants::skips("vp-proof-pool") || before < self.0.room { Ok(place) } else { Err(Full) }
    }

    /// How many places are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.inside.load(Ordering::Acquire)
    }

    /// How many places there are.
    #[must_use]
    pub fn places(&self) -> usize {
        self.0.room
    }
}

impl Place {
    /// Runs `work` on a blocking thread; once begun it runs to its end, whoever still waits.
    ///
    /// # Errors
    /// [`Lost`] when the work ended without a result, or never began.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        let permit = self.worker().await?;
        let place = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            // The worker is free before the place is, so that whoever finds room finds a worker too.
            let _held = (permit, place);
            work()
        });
        Ok(task.await?)
    }

    async fn worker(&self) -> Result<OwnedSemaphorePermit, Lost> {
        let pool = &self.0.pool;
        let free = pool.workers.clone().acquire_owned();
        let permit = if mutants::skips("vp-proof-wait") {
            free.await
        } else {
            tokio::time::timeout(pool.patience, free).await.map_err(|_| Lost::Late)?
        };
        permit.map_err(|_| Lost::Stopping)
    }

    /// The room that comes with the place, to be kept beyond it.
    #[must_use]
    pub fn room(&self) -> Room {
        self.0.room.clone()
    }

    /// Gives the place back and keeps the room: whoever waits for something else comes in again afterwards.
    #[must_use]
    pub fn leave(self) -> Room {
        self.room()
    }
}

/// Room among the answers under way, until the last of its holders is gone.
#[derive(Clone)]
pub struct Room(#[expect(dead_code, reason = "held, never read")] Arc<OwnedSemaphorePermit>);

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
    pub fn enter(&self) -> Result<Room, Full> {
        if mutants::skips("vp-answers-at-once") {
            self.0.add_permits(1);
        }
        self.0.clone().try_acquire_owned().map(|permit| Room(Arc::new(permit))).map_err(|_| Full)
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

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(600);

    /// Keeps the only worker busy until something is sent, or the sender dropped.
    async fn busy(pool: &ProofPool) -> std::sync::mpsc::Sender<()> {
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let place = place(pool).unwrap();
        tokio::spawn(async move {
            let work = move || {
                begin.send(()).unwrap();
                gate.recv().is_ok()
            };
            place.run(work).await
        });
        begun.await.unwrap();
        release
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_is_said_at_once_and_empties_again() {
        let pool = ProofPool::new(1, LONG);
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
        while pool.taken() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(place(&pool).unwrap().run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn who_leaves_the_queue_gives_the_place_back() {
        let pool = ProofPool::new(1, LONG);
        let held = pool.0.workers.clone().acquire_owned().await.unwrap();
        {
            let place = place(&pool).unwrap();
            let mut waiting = Box::pin(place.run(|| ()));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            assert_eq!(pool.taken(), 1);
        }
        assert_eq!(pool.taken(), 0);
        drop(held);
        assert_eq!(place(&pool).unwrap().run(|| 1).await, Ok(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_leaves_the_work_gives_nothing_back_before_its_end() {
        let (pool, cap) = (ProofPool::new(1, LONG), Cap::new(1));
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
        assert_eq!((pool.taken(), cap.enter().err()), (1, Some(Full)));
        release.send(()).unwrap();
        while pool.taken() > 0 || cap.enter().is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_is_told_apart_and_leaves_the_pool_whole() {
        let pool = ProofPool::new(1, LONG);
        let lost = place(&pool).unwrap().run(|| -> u8 { panic!("a broken invariant") }).await;
        assert_eq!(lost, Err(Lost::Panicked));
        assert_eq!(pool.taken(), 0);
        assert_eq!(place(&pool).unwrap().run(|| 1).await, Ok(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_has_waited_so_long_is_told_and_leaves_nothing_behind() {
        let pool = ProofPool::new(1, Duration::from_millis(1));
        let release = busy(&pool).await;
        for _ in 0..3 {
            // Nothing ends the wait but its own bound: the worker is busy until it is told otherwise.
            assert_eq!(place(&pool).unwrap().run(|| ()).await, Err(Lost::Late));
            assert_eq!(pool.taken(), 1);
        }
        release.send(()).unwrap();
        while pool.taken() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(place(&pool).unwrap().run(|| 7).await, Ok(7), "a free worker is never waited for");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_waits_for_somebody_else_leaves_the_place_and_keeps_the_room() {
        let (pool, cap) = (ProofPool::new(1, LONG), Cap::new(1));
        let place = pool.enter(cap.enter().unwrap()).unwrap();
        assert_eq!(place.run(|| 1).await, Ok(1));
        assert_eq!(pool.taken(), 1);
        let room = place.leave();
        assert_eq!((pool.taken(), cap.enter().err()), (0, Some(Full)));
        let again = pool.enter(room).unwrap();
        assert_eq!((pool.taken(), again.run(|| 2).await), (1, Ok(2)));
        let room = again.room();
        drop(again);
        assert_eq!((pool.taken(), cap.enter().err()), (0, Some(Full)), "kept beyond the place");
        drop(room);
        assert!(cap.enter().is_ok());
    }

    #[cfg(feature = "mutants")]
    mod switches {
        use super::*;
        use vouchsafe_mutants::{without, without_async};

        #[test]
        fn places_are_as_many_as_said() {
            let pool = ProofPool::new(1, LONG);
            let all: Vec<_> = (0..pool.places()).map(|_| place(&pool).unwrap()).collect();
            assert_eq!((all.len(), place(&pool).err()), (1 + QUEUE_PER_WORKER, Some(Full)));
            assert!(without("vp-proof-pool", || place(&pool)).is_ok());
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_wait_has_an_end() {
            let pool = ProofPool::new(1, Duration::from_millis(1));
            let _release = busy(&pool).await;
            // With the check the wait ends by itself; the second bound is looked at after it.
            let waits = || {
                tokio::time::timeout(Duration::from_secs(1), async { place(&pool).unwrap().run(|| ()).await })
            };
            assert!(matches!(waits().await, Ok(Err(Lost::Late))));
            assert!(without_async("vp-proof-wait", waits()).await.is_err(), "it waits for ever");
        }
    }
}
