//! Types with periods: a row is of a person in one period, and an officer means the person.

use jiff::civil::date;
use vouchsafe_protocol::status::Standing;
use vouchsafe_service::entropy::OsEntropy;

use super::*;

/// The person over all periods.
const WHOLE: u8 = 200;

/// A row of person 200 that is named so in this period.
fn of(person: u8, line: u64, period: &str) -> SealedRow {
    let period = Some(InPeriod { whole: mac(WHOLE), period: period.to_owned() });
    SealedRow { period, ..row(person, line) }
}

/// A row of somebody else.
fn of_another(person: u8, line: u64, period: &str) -> SealedRow {
    let period = Some(InPeriod { whole: mac(person + 100), period: period.to_owned() });
    SealedRow { period, ..row(person, line) }
}

async fn import_of<S: Store>(store: &S, number: u8, day: i8, rows: Vec<SealedRow>) -> Progress {
    let import = import(number, date(2026, 11, day));
    store.begin_import(&import, NOW).await.unwrap();
    store.enrol(&import, batch(0, rows, true)).await.unwrap()
}

pub(super) async fn a_person_is_named_by_each_of_their_periods<S: Store>(store: S) {
    let first = vec![of(1, 2, "2026-09"), of(2, 3, "2026-10"), of_another(3, 4, "2026-10")];
    let done = import_of(&store, 1, 2, first).await;
    assert_eq!((done.added, done.absent), (3, 0));
    let mut names = store.in_periods("residency", mac(WHOLE)).await.unwrap();
    names.sort_unstable();
    assert_eq!(names, [mac(1), mac(2)]);
    assert_eq!(store.in_periods("residency", mac(103)).await.unwrap(), [mac(3)]);
    assert_eq!(store.in_periods("other", mac(WHOLE)).await.unwrap(), []);
    assert_eq!(store.in_periods("residency", mac(1)).await.unwrap(), []);
    // A correction of one period is a row of that period.
    let done = import_of(&store, 2, 3, vec![of(2, 2, "2026-10")]).await;
    assert_eq!((done.added, done.updated), (0, 1));
    assert_eq!(store.person("residency", mac(1)).await.unwrap().unwrap().revision, 1);
    assert_eq!(store.person("residency", mac(2)).await.unwrap().unwrap().revision, 2);
}

pub(super) async fn who_is_absent_is_counted_in_the_periods_of_the_file<S: Store>(store: S) {
    let first = vec![of(1, 2, "2026-09"), of_another(4, 3, "2026-09")];
    assert_eq!(import_of(&store, 1, 2, first).await.absent, 0);
    // Nobody of September is absent from a file of October.
    let second = vec![of(2, 2, "2026-10"), of_another(3, 3, "2026-10")];
    assert_eq!(import_of(&store, 2, 3, second).await.absent, 0);
    assert_eq!(import_of(&store, 3, 4, vec![of(2, 2, "2026-10")]).await.absent, 1);
    assert_eq!(import_of(&store, 4, 5, vec![of(1, 2, "2026-09"), of(2, 3, "2026-10")]).await.absent, 2);
}

pub(super) async fn who_is_suspended_gets_nothing_of_another_period<S: Store>(store: S) {
    let rows = vec![of(1, 2, "2026-09"), of(2, 3, "2026-10"), of_another(3, 4, "2026-10")];
    import_of(&store, 1, 2, rows).await;
    let list = PublishedList {
        shard: "a".to_owned(),
        jwt: String::new(),
        cwt: Vec::new(),
        issued_at: NOW,
        expires_at: LATER,
        ttl: 900,
    };
    store.add_shard(64, &list).await.unwrap();
    let reserve = async |person: u8| {
        let wants = Reserve {
            shard: "a".to_owned(),
            type_id: "residency".to_owned(),
            person: mac(person),
            count: 1,
            until: LATER,
        };
        when_free!(store.reserve(&wants, &OsEntropy::new())).unwrap().map(|drawn| drawn.len())
    };
    assert_eq!(reserve(1).await, Ok(1));
    let change = |to| [Change { type_id: "residency", person: mac(1), to }];
    assert_eq!(store.ask(&change(Standing::Suspended)).await.unwrap(), [Asked::Waiting]);
    for published in [false, true] {
        assert_eq!(reserve(1).await, Err(ReserveRefusal::Suspended), "{published}");
        assert_eq!(reserve(2).await, Err(ReserveRefusal::Suspended), "another period of the same person");
        assert_eq!(reserve(3).await, Ok(1), "another person");
        let snapshot = store.snapshot().await.unwrap();
        assert!(store.publish(&snapshot, &[], NOW).await.unwrap());
    }
    assert_eq!(store.ask(&change(Standing::Valid)).await.unwrap(), [Asked::Waiting]);
    let snapshot = store.snapshot().await.unwrap();
    assert!(store.publish(&snapshot, &[], NOW).await.unwrap());
    assert_eq!(reserve(2).await, Ok(1));
}
