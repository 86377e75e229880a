//! One story on every store.

/// A test of each story over SQLite files, and with the feature of the mutants one over PostgreSQL.
macro_rules! on_every_store {
    ($flavor:tt $($story:ident)*) => {
        mod sqlite { $(
            #[tokio::test $flavor]
            async fn $story() {
                super::$story($crate::house::House::open().await).await;
            }
        )* }

        #[cfg(feature = "mutants")]
        mod postgres { $(
            #[tokio::test $flavor]
            async fn $story() {
                let cluster = $crate::stores::cluster();
                super::$story($crate::house::House::open_on(&$crate::stores::on(&cluster)).await).await;
            }
        )* }
    };
}

/// A server; without one the test fails and says what is missing.
#[cfg(feature = "mutants")]
pub(crate) fn cluster() -> vouchsafe_cluster::Cluster {
    vouchsafe_cluster::Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"))
}

/// New databases on it for issuer and verifier.
#[cfg(feature = "mutants")]
pub(crate) fn on(cluster: &vouchsafe_cluster::Cluster) -> vouchsafe::district::Databases {
    use vouchsafe::district::Databases;

    // The name of a database that nobody else has is a beginning that nobody else has.
    let prefix = cluster.database();
    for program in ["issuer", "verifier"] {
        cluster.create(&Databases::name(&prefix, program));
    }
    Databases::Server { socket: cluster.socket().to_owned(), prefix }
}
