#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::os::unix::fs::PermissionsExt as _;

use sqlx::Connection as _;
use vouchsafe_service::entropy::OsEntropy;

use super::*;

const PASSPHRASE: &[u8] = b"correct horse battery staple";

async fn open(directory: &Path) -> Result<Vault, OpenError> {
    Vault::open(directory, PASSPHRASE, Cost::LEAST, &OsEntropy::new()).await
}

fn plain(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

async fn put(vault: &Vault, id: &str, text: &str) {
    let change = Change::Put(Section::Copy, id.to_owned(), plain(text));
    vault.apply(vec![change], &OsEntropy::new()).await.unwrap();
}

async fn text(vault: &Vault, id: &str) -> Option<String> {
    let record = vault.read(Section::Copy, id).await.unwrap()?;
    Some(String::from_utf8(record.plain.to_vec()).unwrap())
}

async fn tamper(directory: &Path, statement: &'static str) {
    let url = format!("sqlite://{}", directory.join("vault.sqlite").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(statement).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn records_survive_closing_and_opening() {
    let directory = tempfile::tempdir().unwrap();
    let vault = open(directory.path()).await.unwrap();
    put(&vault, "a", "first").await;
    put(&vault, "a", "second").await;
    vault.close().await;
    let vault = open(directory.path()).await.unwrap();
    assert_eq!(text(&vault, "a").await.as_deref(), Some("second"));
    assert_eq!(text(&vault, "b").await, None);
}

#[tokio::test]
async fn a_wrong_passphrase_is_refused_as_such() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).await.unwrap().close().await;
    let refused = Vault::open(directory.path(), b"wrong", Cost::LEAST, &OsEntropy::new()).await;
    assert!(matches!(refused, Err(OpenError::WrongPassphrase)));
    let refused = Vault::open(directory.path(), b"", Cost::LEAST, &OsEntropy::new()).await;
    assert!(matches!(refused, Err(OpenError::EmptyPassphrase)));
}

#[tokio::test]
async fn a_header_made_cheaper_or_dearer_does_not_open() {
    for (statement, unsupported) in [
        ("UPDATE header SET passes = 2", false),
        ("UPDATE header SET salt = zeroblob(16)", false),
        ("UPDATE header SET memory_kib = 4294967295", true),
        ("UPDATE header SET format = 2", true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path()).await.unwrap().close().await;
        tamper(directory.path(), statement).await;
        match open(directory.path()).await {
            Err(OpenError::WrongPassphrase) => assert!(!unsupported, "{statement}"),
            Err(OpenError::Unsupported) => assert!(unsupported, "{statement}"),
            _ => panic!("{statement}"),
        }
    }
}

#[tokio::test]
async fn a_record_opens_only_in_its_own_row() {
    for statement in [
        "UPDATE record SET sealed = (SELECT sealed FROM record WHERE id = 'b') WHERE id = 'a'",
        "UPDATE record SET section = 'seed' WHERE id = 'a'",
        "UPDATE record SET id = 'c' WHERE id = 'a'",
        "UPDATE record SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE id = 'a'",
        "UPDATE record SET sealed = x'00' WHERE id = 'a'",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let vault = open(directory.path()).await.unwrap();
        put(&vault, "a", "one").await;
        put(&vault, "b", "two").await;
        vault.close().await;
        tamper(directory.path(), statement).await;
        let vault = open(directory.path()).await.unwrap();
        let mut damaged = 0;
        for section in Section::ALL {
            damaged += usize::from(matches!(vault.scan(section).await, Err(VaultError::Damaged)));
        }
        assert_eq!(damaged, 1, "{statement}");
    }
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let vault = open(directory.path()).await.unwrap();
    put(&vault, "taken", "before").await;
    let changes = vec![
        Change::Put(Section::Copy, "new".to_owned(), plain("new")),
        Change::Insert(Section::Copy, "taken".to_owned(), plain("after")),
    ];
    let refused = vault.apply(changes, &OsEntropy::new()).await;
    assert!(matches!(refused, Err(VaultError::Stale)));
    assert_eq!(text(&vault, "new").await, None);
    assert_eq!(text(&vault, "taken").await.as_deref(), Some("before"));
}

#[tokio::test]
async fn a_change_names_the_state_it_expects() {
    let directory = tempfile::tempdir().unwrap();
    let vault = open(directory.path()).await.unwrap();
    put(&vault, "a", "unused").await;
    let read = vault.read(Section::Copy, "a").await.unwrap().unwrap();
    put(&vault, "a", "spent").await;
    let change = Change::Replace(Section::Copy, read, plain("unused"));
    assert!(matches!(vault.apply(vec![change], &OsEntropy::new()).await, Err(VaultError::Stale)));
    assert_eq!(text(&vault, "a").await.as_deref(), Some("spent"));
}

#[tokio::test]
async fn one_process_at_a_time_and_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("vault");
    let vault = open(&home).await.unwrap();
    assert!(matches!(open(&home).await, Err(OpenError::InUse)));
    put(&vault, "a", "x").await;
    for entry in std::fs::read_dir(&home).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
    vault.close().await;
    open(&home).await.unwrap();
}

#[tokio::test]
async fn nothing_stored_can_be_read_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let vault = open(directory.path()).await.unwrap();
    put(&vault, "a", "CANARY-1960-07-31").await;
    vault.close().await;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"CANARY"));
    }
}
