//! Starting from settings: what an operator can get wrong is said before anything is served.

use std::path::Path;
use std::sync::Arc;

use vouchsafe_service::clock::ManualClock;
use vouchsafe_service::config::parse;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{SigningKey, install};
use vouchsafe_service::secret::ServerKey;
use vouchsafe_service::store::Schema;

use super::council::{ISSUER, NOW, TYPE};
use crate::{App, Config, OpenError};

/// A folder in which an issuer opens.
fn folder() -> tempfile::TempDir {
    install();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let key = SigningKey::generate().unwrap();
    let leaf = DevCa::generate("Larkfield", NOW).unwrap().signer(ISSUER, key.clone(), NOW).unwrap();
    for name in ["types", "lists"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    write("types/residency.toml", TYPE);
    write("entry.jws", "a.b.c");
    write("signing.pem", &key.to_pkcs8_pem());
    write("chain.pem", &leaf.certificate_pem());
    write("server.key", &ServerKey::generate(&OsEntropy::new()).to_text());
    folder
}

fn settings(folder: &Path) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        "issuer = {ISSUER:?}\ndatabase = {:?}\ntypes = {:?}\nlists = {:?}\nregistrar_extract = {:?}\n\
         name = {{ en = \"Larkfield\", cy = \"Larkfield\" }}\n\
         [keys]\nsigning = {:?}\nchain = {:?}\nserver = {:?}\n",
        at("issuer.sqlite"),
        at("types"),
        at("lists"),
        at("entry.jws"),
        at("signing.pem"),
        at("chain.pem"),
        at("server.key"),
    )
}

async fn open(settings: &str, schema: Schema) -> Result<App, OpenError> {
    let config: Config = parse(settings, []).unwrap();
    App::open(&config, schema, Arc::new(ManualClock::at(NOW)), Arc::new(OsEntropy::new())).await
}

#[tokio::test]
async fn an_issuer_opens_once_it_is_migrated() {
    let folder = folder();
    let settings = settings(folder.path());
    assert!(matches!(open(&settings, Schema::Expect).await, Err(OpenError::Database(_))));
    let app = open(&settings, Schema::Migrate).await.unwrap();
    assert_eq!(app.types().iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["residency"]);
    drop(app);
    assert!(open(&settings, Schema::Expect).await.is_ok());
}

#[tokio::test]
async fn what_does_not_fit_together_does_not_open() {
    let refused = async |spoil: fn(&Path)| {
        let folder = folder();
        spoil(folder.path());
        open(&settings(folder.path()), Schema::Migrate).await.err().unwrap()
    };
    let other = |folder: &Path| {
        std::fs::write(folder.join("signing.pem"), &*SigningKey::generate().unwrap().to_pkcs8_pem()).unwrap();
    };
    assert!(matches!(refused(other).await, OpenError::OtherKey));
    let elsewhere = |folder: &Path| {
        let key = SigningKey::generate().unwrap();
        let ca = DevCa::generate("Larkfield", NOW).unwrap();
        let leaf = ca.signer("https://elsewhere.example", key.clone(), NOW).unwrap();
        std::fs::write(folder.join("signing.pem"), &*key.to_pkcs8_pem()).unwrap();
        std::fs::write(folder.join("chain.pem"), leaf.certificate_pem()).unwrap();
    };
    assert!(matches!(refused(elsewhere).await, OpenError::OtherIssuer));
    let no_chain = |folder: &Path| std::fs::write(folder.join("chain.pem"), "").unwrap();
    assert!(matches!(refused(no_chain).await, OpenError::Chain(_)));
    let short_key = |folder: &Path| std::fs::write(folder.join("server.key"), "AAAA").unwrap();
    assert!(matches!(refused(short_key).await, OpenError::ServerKey(_)));
    let no_type = |folder: &Path| std::fs::remove_file(folder.join("types/residency.toml")).unwrap();
    assert!(matches!(refused(no_type).await, OpenError::Types(_)));
    let twice = |folder: &Path| std::fs::write(folder.join("types/other.toml"), TYPE).unwrap();
    assert!(matches!(refused(twice).await, OpenError::Types(_)));
    let no_list = |folder: &Path| std::fs::write(folder.join("lists/wards.toml"), "id = 1").unwrap();
    assert!(matches!(refused(no_list).await, OpenError::Types(_)));
}

#[tokio::test]
async fn bounds_are_held() {
    let folder = folder();
    for wrong in [("offers.token_seconds", "token_seconds = 600"), ("offers.letter_days", "letter_days = 0")]
    {
        let settings = format!("{}[offers]\n{}\n", settings(folder.path()), wrong.1);
        assert!(open(&settings, Schema::Migrate).await.err().unwrap().to_string().contains(wrong.0));
    }
    let settings = settings(folder.path()).replace(ISSUER, "http://issuer.larkfield.example");
    assert!(matches!(open(&settings, Schema::Migrate).await, Err(OpenError::Settings(_))));
}
