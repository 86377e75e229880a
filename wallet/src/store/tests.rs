//! The life of copies and credentials in the vault.

use vouchsafe_service::entropy::OsEntropy;

use super::*;
use crate::vault::Cost;

async fn vault(directory: &std::path::Path) -> Vault {
    Vault::open(directory, b"passphrase", Cost::LEAST, &OsEntropy::new()).await.unwrap()
}

fn credential() -> Credential {
    Credential {
        vct: "v/zk".to_owned(),
        iss: "https://issuer.example".to_owned(),
        issuer: bare_label("issuer"),
        env: Env::Test,
        name: bare_label("name"),
        facts_as_of: None,
        period: None,
        expires_at: 1,
        received_at: 0,
        attributes: Vec::new(),
        anchors: Vec::new(),
    }
}

fn copy(text: &str) -> NewCopy {
    let sd_jwt = Zeroizing::new(text.to_owned());
    NewCopy { sd_jwt, key: Zeroizing::new(b"key".to_vec()), openings: None, status: None }
}

async fn filled(vault: &Vault) {
    let copies = vec![("c1".to_owned(), copy("one")), ("c2".to_owned(), copy("two"))];
    vault.apply(batch("b", &credential(), copies), &OsEntropy::new()).await.unwrap();
}

#[tokio::test]
async fn a_copy_goes_from_unused_to_spent_and_leaves_no_key() {
    let directory = tempfile::tempdir().unwrap();
    let vault = vault(directory.path()).await;
    filled(&vault).await;
    let entropy = OsEntropy::new();
    let held = reserve(&vault, "b", &entropy).await.unwrap().unwrap();
    assert_eq!(count(&vault, "b").await.unwrap(), Count { unused: 1, reserved: 1, ..Count::default() });
    vault.apply(spend(&vault, &held.id).await.unwrap(), &entropy).await.unwrap();
    assert_eq!(count(&vault, "b").await.unwrap(), Count { unused: 1, spent: 1, ..Count::default() });
    assert!(vault.read(Section::HolderKey, &held.id).await.unwrap().is_none());
    assert!(matches!(spend(&vault, &held.id).await, Err(VaultError::Stale)));
    let other = reserve(&vault, "b", &entropy).await.unwrap().unwrap();
    assert_ne!(other.id, held.id);
    assert!(reserve(&vault, "b", &entropy).await.unwrap().is_none());
    release(&vault, &held.id, &entropy).await.unwrap();
    assert_eq!(count(&vault, "b").await.unwrap(), Count { reserved: 1, spent: 1, ..Count::default() });
}

/// The check alone keeps a copy from being taken by a second answer.
#[cfg(feature = "mutants")]
#[tokio::test]
async fn without_its_check_a_copy_is_taken_twice() {
    let directory = tempfile::tempdir().unwrap();
    let vault = vault(directory.path()).await;
    vault
        .apply(batch("b", &credential(), vec![("c".to_owned(), copy("one"))]), &OsEntropy::new())
        .await
        .unwrap();
    let taken = async || reserve(&vault, "b", &OsEntropy::new()).await.unwrap().is_some();
    assert!(taken().await && !taken().await);
    assert!(mutants::without_async("wallet-copy-once", taken()).await);
}

#[tokio::test]
async fn what_a_crash_left_reserved_is_unused_again() {
    let directory = tempfile::tempdir().unwrap();
    let entropy = OsEntropy::new();
    {
        let vault = vault(directory.path()).await;
        filled(&vault).await;
        reserve(&vault, "b", &entropy).await.unwrap().unwrap();
        vault.close().await;
    }
    let vault = vault(directory.path()).await;
    release_all(&vault, &entropy).await.unwrap();
    assert_eq!(count(&vault, "b").await.unwrap(), Count { unused: 2, ..Count::default() });
}

#[test]
fn records_from_before_there_was_a_status_are_read() {
    let copy: Copy = serde_json::from_str(r#"{"credential":"b","state":"unused","sd_jwt":"x"}"#).unwrap();
    assert!(copy.status.is_none() && !copy.is_revoked() && !copy.is_suspended());
    let mut old = serde_json::to_value(credential()).unwrap();
    old.as_object_mut().unwrap().remove("anchors");
    assert_eq!(serde_json::from_value::<Credential>(old).unwrap(), credential());
}

/// Openings as they were written when integers alone were proved, and as they are now.
#[test]
fn openings_are_kept_as_numbers_and_texts() {
    let kept = |values: &str| {
        let seed = b64u([7; 32]);
        let c = "07".repeat(32);
        let range = r#"{"b":32,"lo":0,"hi":9}"#;
        let attribute = format!(r#"{{"pointer":"/ward","enc":"code","unit":"u","range":{range},"c":"{c}"}}"#);
        let text = format!(r#"{{"pointer":"/person","enc":"str","unit":"u","range":null,"c":"{c}"}}"#);
        format!(r#"{{"seed":"{seed}","attributes":[{attribute},{text}],"values":{values}}}"#)
    };
    let held = |values: &str| {
        let openings = serde_json::from_str::<Openings>(&kept(values)).unwrap();
        let again = serde_json::to_string(&Openings::keep(&openings.open().unwrap(), None)).unwrap();
        assert_eq!(again, kept(values));
        Held {
            id: String::new(),
            sd_jwt: Zeroizing::default(),
            key: Zeroizing::default(),
            openings: Some(openings),
            link: None,
            suspended: false,
        }
    };
    let before = held(r#"{"/ward":3}"#);
    assert_eq!((before.encoded("/ward"), before.encoded("/person")), (Some(3), None));
    let now = held(r#"{"/person":"LD-0042","/ward":3}"#);
    assert_eq!((now.encoded("/ward"), now.encoded("/person")), (Some(3), None));
    assert_eq!(now.hidden("/person").and_then(zkc::Value::text), Some("LD-0042"));
    assert!(now.hidden("/name").is_none());
}

#[tokio::test]
async fn a_linked_copy_comes_with_what_opens_its_link() {
    let (entropy, directory) = (OsEntropy::new(), tempfile::tempdir().unwrap());
    let vault = vault(directory.path()).await;
    let secret = crate::link::need_link_secret(&vault, &entropy).await.unwrap();
    let (seed, t) = (Seed::new([7; 32]), Blinding::from_canonical_bytes([3; 32]).unwrap());
    let opened = Opened { seed, attributes: Vec::new(), values: BTreeMap::new() };
    let openings = Some(Openings::keep(&opened, Some(&t)));
    let linked = NewCopy { openings, ..copy("linked") };
    let openings = Some(Openings::keep(&opened, None));
    let bare = NewCopy { openings, ..copy("bare") };
    for (id, copy) in [("b1", linked), ("b2", bare)] {
        let changes = batch(id, &credential(), vec![(format!("{id}c"), copy)]);
        vault.apply(changes, &entropy).await.unwrap();
    }
    let held = peek(&vault, "b1").await.unwrap().unwrap();
    let link = held.link.as_ref().unwrap();
    assert!(link.x.commit(&link.t) == secret.commit(&t));
    assert!(peek(&vault, "b2").await.unwrap().unwrap().link.is_none());
    // What opens it goes with the copy; the secret stays.
    let taken = reserve(&vault, "b1", &entropy).await.unwrap().unwrap();
    vault.apply(spend(&vault, &taken.id).await.unwrap(), &entropy).await.unwrap();
    assert_eq!(vault.scan(Section::Seed).await.unwrap().len(), 1);
    assert_eq!(link_secret(&vault).await.unwrap().unwrap().to_bytes(), secret.to_bytes());
}

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let vault = vault(directory.path()).await;
    filled(&vault).await;
    let copies = vec![("c3".to_owned(), copy("three")), ("c1".to_owned(), copy("again"))];
    let refused = vault.apply(batch("b2", &credential(), copies), &OsEntropy::new()).await;
    assert!(matches!(refused, Err(VaultError::Stale)));
    assert_eq!(credentials(&vault).await.unwrap().len(), 1);
    assert_eq!(count(&vault, "b2").await.unwrap(), Count::default());
}
