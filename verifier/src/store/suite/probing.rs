//! What services have asked, in every store.

use std::sync::Arc;

use super::super::probing::{Asking, Probe};
use super::super::*;
use super::{BUSY_TRIES, START, tenant, when_free};

const YEAR: i64 = 365 * 86_400;

fn asking(attribute: u8, questions: impl IntoIterator<Item = u8>, at: i64) -> Asking {
    let probe = |question| Probe { attribute: [attribute; 32], question: [question; 32] };
    let now = START.plus(at);
    Asking { probes: questions.into_iter().map(probe).collect(), now, since: now.minus(YEAR), most: 5 }
}

pub(super) async fn so_many_questions_about_one_attribute(store: &dyn Store) {
    let bus = tenant("bus");
    let asks = async |attribute: u8, questions: &[u8], at: i64| {
        store.probe(&bus, asking(attribute, questions.iter().copied(), at)).await.unwrap()
    };
    assert!(asks(1, &[1, 2, 3], 0).await);
    assert!(asks(1, &[3, 4, 5, 5], 1).await, "what was asked before is not asked anew");
    assert!(!asks(1, &[6], 2).await);
    assert!(!asks(1, &[1, 6], 2).await);
    assert!(asks(1, &[1, 2, 3, 4, 5], 3).await);
    assert!(asks(2, &[6], 3).await, "another attribute has its own");
    // What was refused was not kept, in part or whole.
    let mixed =
        Asking { probes: [asking(2, [7], 4).probes, asking(1, [7], 4).probes].concat(), ..asking(1, [], 4) };
    assert!(!store.probe(&bus, mixed).await.unwrap());
    assert!(asks(2, &[8, 9, 10, 11], 5).await);
    // Another service, and the same one's live part, have asked nothing yet.
    for other in [tenant("pool"), Tenant { env: Env::Live, ..tenant("bus") }] {
        assert!(store.probe(&other, asking(1, [6, 7, 8, 9, 10], 5)).await.unwrap());
    }
    // A year after it was last asked a question is forgotten, and not before.
    assert!(asks(1, &[1], 10).await);
    assert!(!asks(1, &[6], 3 + YEAR).await);
    assert!(asks(1, &[6, 7, 8, 9], 4 + YEAR).await);
    assert!(!asks(1, &[2], 4 + YEAR).await);
}

/// Of many new questions at once no more are asked than may be.
pub(super) async fn questions_at_once_are_counted_together(store: Arc<dyn Store>) {
    let asks = (1..=20).map(|question| {
        let store = store.clone();
        tokio::spawn(async move {
            let bus = tenant("bus");
            when_free!(store.probe(&bus, asking(1, [question], 0))).unwrap()
        })
    });
    let mut asked = 0;
    for one in asks.collect::<Vec<_>>() {
        asked += usize::from(one.await.unwrap());
    }
    assert_eq!(asked, 5);
}
