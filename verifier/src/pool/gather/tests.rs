use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::join_all;

use super::super::{Cap, ProofPool};
use super::*;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// What [`Notes`] panics at, alone.
const PANIC: u32 = 13;
/// What [`Notes`] panics at in company.
const PANIC_TOGETHER: u32 = 14;

/// A crew that notes what it is given, and waits at the beginning of each where it has a gate.
#[derive(Default)]
struct Notes {
    together: Mutex<Vec<Vec<u32>>>,
    alone: Mutex<Vec<u32>>,
    gate: Option<Mutex<mpsc::Receiver<()>>>,
}

impl Crew for Arc<Notes> {
    type Work = u32;
    type Done = u32;

    fn together(&self, all: &mut [u32]) {
        self.together.lock().unwrap().push(all.to_vec());
        assert!(!all.contains(&PANIC_TOGETHER), "a broken invariant");
    }

    fn alone(&self, work: u32) -> u32 {
        self.alone.lock().unwrap().push(work);
        if let Some(gate) = &self.gate {
            gate.lock().unwrap().recv().unwrap();
        }
        assert_ne!(work, PANIC, "a broken invariant");
        work * 2
    }
}

impl Notes {
    fn batches(&self) -> Vec<Vec<u32>> {
        self.together.lock().unwrap().clone()
    }

    fn ended(&self) -> Vec<u32> {
        self.alone.lock().unwrap().clone()
    }
}

/// A pool of one worker, and a gathering of at most three.
struct Case {
    pool: ProofPool,
    notes: Arc<Notes>,
    gathering: Gathering<Arc<Notes>>,
}

type Waits<'a> = Pin<Box<dyn Future<Output = Result<u32, Lost>> + 'a>>;

impl Case {
    fn new(patience: Duration) -> Self {
        Self::with(patience, Arc::default())
    }

    fn with(patience: Duration, notes: Arc<Notes>) -> Self {
        let gathering = Gathering::new(notes.clone(), 3);
        Self { pool: ProofPool::new(1, patience), notes, gathering }
    }

    fn place(&self) -> Place {
        self.pool.enter(Cap::new(1).enter().unwrap()).unwrap()
    }

    /// Keeps the only worker busy.
    async fn busy(&self) -> OwnedSemaphorePermit {
        self.pool.0.workers.clone().acquire_owned().await.unwrap()
    }

    /// Somebody with `work`, who has come as far as possible.
    fn stands(&self, work: u32) -> Waits<'_> {
        let place = self.place();
        let mut waits: Waits<'_> = Box::pin(async move { place.gather(&self.gathering, work).await });
        assert!(poll(&mut waits).is_pending());
        waits
    }
}

fn poll(waits: &mut Waits<'_>) -> Poll<Result<u32, Lost>> {
    waits.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn who_finds_a_worker_works_alone() {
    let case = Case::new(LONG);
    for work in [1, 2] {
        assert_eq!(case.place().gather(&case.gathering, work).await, Ok(2 * work));
        assert_eq!(case.pool.taken(), 0);
    }
    assert_eq!((case.notes.batches(), case.notes.ended()), (vec![], vec![1, 2]));
}

#[tokio::test]
async fn who_waits_is_taken_along() {
    let case = Case::new(LONG);
    let busy = case.busy().await;
    let waits = [1, 2, 3, 4].map(|work| case.stands(work));
    assert_eq!((case.gathering.waiting(), case.pool.taken()), (4, 4));
    drop(busy);
    assert_eq!(join_all(waits).await, [2, 4, 6, 8].map(Ok));
    // As many as may be, first come first; the last got the worker after them.
    assert_eq!((case.notes.batches(), case.notes.ended()), (vec![vec![1, 2, 3]], vec![1, 2, 3, 4]));
    assert_eq!((case.gathering.waiting(), case.pool.taken()), (0, 0));
}

#[tokio::test]
async fn other_work_is_not_overtaken() {
    let case = Case::new(LONG);
    let busy = case.busy().await;
    let (place, notes) = (case.place(), case.notes.clone());
    let mut other = Box::pin(place.run(move || notes.batches().len()));
    assert!(other.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let waits = [1, 2].map(|work| case.stands(work));
    drop(busy);
    let (batches, done) = tokio::join!(other, join_all(waits));
    assert_eq!((batches, done), (Ok(0), vec![Ok(2), Ok(4)]));
}

#[tokio::test]
async fn who_leaves_the_line_is_not_taken_along() {
    let case = Case::new(LONG);
    let busy = case.busy().await;
    let [first, second, third] = [1, 2, 3].map(|work| case.stands(work));
    drop(second);
    assert_eq!((case.gathering.waiting(), case.pool.taken()), (2, 2));
    drop(busy);
    assert_eq!(join_all([first, third]).await, [Ok(2), Ok(6)]);
    assert_eq!(case.notes.batches(), [[1, 3]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_work_stops_nobody_and_keeps_the_place_to_its_end() {
    let (release, gate) = mpsc::channel();
    let notes = Arc::new(Notes { gate: Some(Mutex::new(gate)), ..Notes::default() });
    let case = Case::with(LONG, notes);
    let busy = case.busy().await;
    // The first takes the others along and leaves; so does the second.
    let [mut first, second, third] = [1, 2, 3].map(|work| case.stands(work));
    drop(busy);
    assert!(poll(&mut first).is_pending());
    drop((first, second));
    assert_eq!((case.gathering.waiting(), case.pool.taken()), (0, 3));
    (0..3).for_each(|_| release.send(()).unwrap());
    assert_eq!(third.await, Ok(6));
    assert_eq!((case.notes.batches(), case.notes.ended()), (vec![vec![1, 2, 3]], vec![1, 2, 3]));
    while case.pool.taken() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_is_nobody_elses() {
    let case = Case::new(LONG);
    for (work, done) in [(PANIC, Err(Lost::Panicked)), (PANIC_TOGETHER, Ok(2 * PANIC_TOGETHER))] {
        let busy = case.busy().await;
        let waits = [1, work, 3].map(|work| case.stands(work));
        drop(busy);
        assert_eq!(join_all(waits).await, [Ok(2), done, Ok(6)]);
        assert_eq!((case.gathering.waiting(), case.pool.taken()), (0, 0));
    }
    assert_eq!(case.place().gather(&case.gathering, PANIC).await, Err(Lost::Panicked));
    assert_eq!(case.place().gather(&case.gathering, 7).await, Ok(14));
}

#[tokio::test]
async fn who_waited_too_long_is_told_and_leaves_nothing_behind() {
    let case = Case::new(Duration::from_millis(1));
    let _busy = case.busy().await;
    // Nothing ends the wait but its own bound: nobody frees the worker.
    assert_eq!(case.place().gather(&case.gathering, 1).await, Err(Lost::Late));
    assert_eq!((case.gathering.waiting(), case.pool.taken()), (0, 0));
    assert_eq!((case.notes.batches(), case.notes.ended()), (vec![], vec![]));
}

#[tokio::test]
async fn who_was_taken_along_is_not_late() {
    let case = Case::new(Duration::from_millis(1));
    let _busy = case.busy().await;
    let mut waits = case.stands(1);
    let taken = case.gathering.0.line().waiting.pop_front().unwrap();
    // The bound is long over; only who works on it can end the wait now, and nobody does before the next line.
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut waits).await.is_err());
    taken.tell.send(Ok(2)).unwrap();
    assert_eq!(waits.await, Ok(2));
}

#[test]
fn the_end_of_the_program_is_told_apart() {
    let case = Case::new(LONG);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let _inside = handle.enter();
    let place = case.place();
    let mut waits: Waits<'_> = Box::pin(place.gather(&case.gathering, 1));
    assert_eq!(poll(&mut waits), Poll::Ready(Err(Lost::Stopping)));
    drop(waits);
    drop(place);
    assert_eq!((case.notes.ended(), case.pool.taken()), (vec![], 0));
}

#[cfg(feature = "mutants")]
mod switches {
    use super::*;
    use vouchsafe_mutants::without_async;

    /// How many are taken at once where four wait.
    async fn largest() -> Option<usize> {
        let case = Case::new(LONG);
        let busy = case.busy().await;
        let waits = [1, 2, 3, 4].map(|work| case.stands(work));
        drop(busy);
        join_all(waits).await;
        case.notes.batches().first().map(Vec::len)
    }

    #[tokio::test]
    async fn a_batch_is_bounded() {
        assert_eq!(largest().await, Some(3));
        assert_eq!(without_async("vp-gather-most", largest()).await, Some(4));
    }

    #[tokio::test]
    async fn who_leaves_leaves_nothing() {
        let left = async || {
            let case = Case::new(LONG);
            let _busy = case.busy().await;
            drop(case.stands(1));
            case.pool.taken()
        };
        let kept = without_async("vp-gather-leave", left()).await;
        assert_eq!((left().await, kept), (0, 1));
    }
}
