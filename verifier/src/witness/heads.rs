//! What a witness remembers: for each log the size and root that it signed last, in a file of its own.

use std::path::Path;

use sqlx::migrate::Migrator;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::tlog::tree::Hash;
use vouchsafe_protocol::tlog::witness::Head;
use vouchsafe_service::store::{OpenError, Schema, Sqlite, detached};

static MIGRATOR: Migrator = sqlx::migrate!("migrations/witness");

/// One statement that compares what is held with what was decided by. A mutant writes in any case.
const ADVANCE: &str =
    "UPDATE heads SET size = $2, root = $3 WHERE origin = $1 AND ($6 OR (size = $4 AND root = $5))";
const BEGIN: &str = "INSERT INTO heads (origin, size, root) VALUES ($1, $2, $3) \
     ON CONFLICT (origin) DO UPDATE SET size = $2, root = $3 WHERE $4";

pub(super) struct Heads(Sqlite);

impl Heads {
    pub(super) async fn open(path: &Path) -> Result<Self, OpenError> {
        Sqlite::open(path, &MIGRATOR, Schema::Migrate).await.map(Self)
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }

    pub(super) async fn held(&self, origin: &str) -> Result<Option<Head>, sqlx::Error> {
        let row: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT size, root FROM heads WHERE origin = $1")
            .bind(origin)
            .fetch_optional(self.0.reader())
            .await?;
        row.map(head).transpose()
    }

    /// Writes down what is about to be signed where `from` is still what is held; `false` where it is not.
    pub(super) async fn advance(
        &self,
        origin: &str,
        from: Option<Head>,
        to: Head,
    ) -> Result<bool, sqlx::Error> {
        let (database, origin) = (self.0.clone(), origin.to_owned());
        let (size, root) = row(to);
        let work = async move {
            let mut writing = database.write().await?;
            let skipped = mutants::skips("witness-held");
            let statement = sqlx::query(if from.is_some() { ADVANCE } else { BEGIN }).bind(origin);
            let statement = statement.bind(size).bind(root);
            let done = match from.map(row) {
                Some((size, root)) => statement.bind(size).bind(root).bind(skipped),
                None => statement.bind(skipped),
            };
            let done = done.execute(&mut *writing).await?.rows_affected() == 1;
            writing.commit().await?;
            Ok(done)
        };
        detached(work).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }
}

fn row(head: Head) -> (i64, Vec<u8>) {
    // Sizes are below 2^62.
    (i64::try_from(head.size).unwrap_or(i64::MAX), head.root.to_vec())
}

fn head((size, root): (i64, Vec<u8>)) -> Result<Head, sqlx::Error> {
    let damaged = || sqlx::Error::Decode("a head that nobody wrote".into());
    let root: Hash = root.try_into().map_err(|_| damaged())?;
    Ok(Head { size: u64::try_from(size).map_err(|_| damaged())?, root })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn at(size: u64, root: u8) -> Head {
        Head { size, root: [root; 32] }
    }

    /// Of two that were decided by the same head, one alone is written down.
    async fn a_second_history_is_written_down() -> bool {
        let folder = tempfile::tempdir().unwrap();
        let heads = Heads::open(&folder.path().join("w.sqlite")).await.unwrap();
        assert_eq!(heads.held("a").await.unwrap(), None);
        assert!(heads.advance("a", None, at(2, 1)).await.unwrap());
        let begun_again = heads.advance("a", None, at(3, 9)).await.unwrap();
        if !begun_again {
            assert!(heads.advance("a", Some(at(2, 1)), at(5, 2)).await.unwrap());
            assert!(heads.advance("a", Some(at(5, 2)), at(5, 2)).await.unwrap(), "the same again");
            assert_eq!(heads.held("a").await.unwrap(), Some(at(5, 2)));
        }
        let from_before = heads.advance("a", Some(at(2, 1)), at(6, 3)).await.unwrap();
        let other_root = heads.advance("a", Some(at(5, 7)), at(7, 4)).await.unwrap();
        assert!(heads.held("b").await.unwrap().is_none());
        assert_eq!(begun_again, from_before);
        assert_eq!(begun_again, other_root);
        begun_again
    }

    #[tokio::test]
    async fn what_is_written_continues_what_was_held() {
        assert!(!a_second_history_is_written_down().await);
    }

    #[cfg(feature = "mutants")]
    #[tokio::test]
    async fn a_switch_that_is_noticed() {
        assert!(mutants::without_async("witness-held", a_second_history_is_written_down()).await);
    }
}
