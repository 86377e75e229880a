//! `serve` holds to what production needs: no development keys, no clear text, no database of another version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use vouchsafe::district::{self, Addresses, BUSES, District};
use vouchsafe_service::clock::{Clock as _, SystemClock};
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::keys::{self, SigningKey};

use crate::child::{Ended, command, free_base, run, signal};

/// A folder with the settings of both programs, made as `dev` makes them.
pub(crate) struct Installation {
    pub(crate) dir: tempfile::TempDir,
    district: District,
    pub(crate) at: Addresses,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        Self::over(|_, _| {}).await
    }

    /// One that could be served: nothing in it was certified by the authorities of development.
    pub(crate) async fn sound() -> Self {
        Self::over(certify_by_an_authority_of_its_own).await
    }

    /// Over what `before` puts into the folder: what is there is kept.
    async fn over(before: impl FnOnce(&Path, &Addresses)) -> Self {
        keys::install();
        let dir = tempfile::tempdir().unwrap();
        let base = free_base();
        let local = |n: u16| std::net::SocketAddr::from(([127, 0, 0, 1], base + n));
        let (issuer, verifier, bureau, ops) = (local(1), local(2), local(4), local(9));
        let at = Addresses { issuer, bureau, payers: [local(5), local(6)], verifier, schools: local(7), ops };
        let now = SystemClock.now();
        before(dir.path(), &at);
        district::prepare_listeners(dir.path(), now).unwrap();
        let district = district::set_up(dir.path(), &at, now).await.unwrap();
        Self { dir, district, at }
    }

    pub(crate) fn config(&self, program: &str) -> PathBuf {
        match program {
            "issuer" => self.district.issuer_config(),
            _ => self.district.verifier_config(),
        }
    }

    fn serve(&self, program: &str) -> Ended {
        run(self.dir.path(), &["serve", program, "--config", self.config(program).to_str().unwrap()])
    }

    /// Certificates of an authority of one's own in place of the development ones.
    fn own_certificates(&self) {
        let now = SystemClock.now();
        let ca = DevCa::generate("Larkfield District Council", now).unwrap();
        for program in ["issuer", "verifier"] {
            let leaf = ca.server(&["localhost"], now).unwrap();
            let keys = self.dir.path().join(program).join("keys");
            std::fs::write(keys.join("tls.pem"), leaf.key.to_pkcs8_pem().as_bytes()).unwrap();
            std::fs::write(keys.join("tls-chain.pem"), leaf.certificate_pem()).unwrap();
        }
        let issuer = self.at.issuer_origin();
        for (name, uri) in [("issuer/keys/signing", issuer.as_str()), ("verifier/keys/request", BUSES)] {
            let key = self.dir.path().join(format!("{name}.pem"));
            let key = SigningKey::from_pkcs8_pem(&std::fs::read_to_string(key).unwrap()).unwrap();
            let leaf: Leaf = ca.signer(uri, key, now).unwrap();
            let chain = self.dir.path().join(format!("{name}-chain.pem"));
            std::fs::write(chain, leaf.certificate_pem()).unwrap();
        }
    }

    pub(crate) fn edit(&self, program: &str, from: &str, to: &str) {
        let path = self.config(program);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }
}

/// Keys and certificates in the places where the district looks for them before it makes its own.
fn certify_by_an_authority_of_its_own(dir: &Path, at: &Addresses) {
    let now = SystemClock.now();
    let ca = DevCa::generate("Larkfield District Council", now).unwrap();
    let (put, put_secret) = (
        |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap(),
        |name: &str, text: &str| drop(SecretFile::create(dir.join(name), text).unwrap()),
    );
    for program in ["issuer", "verifier"] {
        std::fs::create_dir_all(dir.join(program).join("keys")).unwrap();
        let leaf = ca.server(&["localhost"], now).unwrap();
        put_secret(&format!("{program}/keys/tls.pem"), &leaf.key.to_pkcs8_pem());
        put(&format!("{program}/keys/tls-chain.pem"), &leaf.certificate_pem());
    }
    put("anchor.pem", &ca.certificate_pem());
    put_secret("anchor.key", &ca.key_pem());
    for (name, uri) in
        [("issuer/keys/signing", at.issuer_origin()), ("verifier/keys/request", BUSES.to_owned())]
    {
        let leaf = ca.signer(&uri, SigningKey::generate().unwrap(), now).unwrap();
        put_secret(&format!("{name}.pem"), &leaf.key.to_pkcs8_pem());
        put(&format!("{name}-chain.pem"), &leaf.certificate_pem());
        put(&format!("{name}.uri"), &uri);
    }
}

fn is_refused(ended: &Ended, code: i32, why: &str) {
    assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{}", ended.err);
    assert!(ended.err.contains(why), "{}", ended.err);
}

#[tokio::test]
async fn development_keys_are_not_served() {
    let installation = Installation::new().await;
    for program in ["issuer", "verifier"] {
        is_refused(&installation.serve(program), 3, "[development-keys]");
    }
}

#[tokio::test]
async fn nothing_is_served_in_the_clear() {
    let installation = Installation::new().await;
    installation.own_certificates();
    let dir = installation.dir.path().canonicalize().unwrap();
    let chain = |program: &str| format!("{}/{program}/keys/tls-chain.pem", dir.display());
    installation.edit("issuer", &format!("chain = \"{}\"\nkey", chain("issuer")), "key");
    is_refused(&installation.serve("issuer"), 2, "over TLS alone");
    installation.edit("verifier", &format!("certificate = \"{}\"\n", chain("verifier")), "");
    is_refused(&installation.serve("verifier"), 2, "certificate");
}

#[tokio::test]
async fn endpoints_on_this_machine_are_not_served() {
    let installation = Installation::new().await;
    installation.own_certificates();
    // The district's schools are told on this machine.
    is_refused(&installation.serve("verifier"), 2, "webhooks.loopback");
}

#[tokio::test]
async fn a_database_that_was_not_migrated_is_not_served_and_one_that_was_is() {
    let installation = Installation::new().await;
    installation.own_certificates();
    let config = installation.config("issuer");
    let config = config.to_str().unwrap();
    let database = installation.dir.path().join("issuer/issuer.sqlite");
    is_refused(&installation.serve("issuer"), 5, "[unavailable]");
    assert!(!database.exists(), "serve makes no database");
    std::fs::write(&database, "").unwrap();
    is_refused(&installation.serve("issuer"), 5, "migrate");
    let migrated = run(installation.dir.path(), &["migrate", "issuer", "--config", config]);
    assert_eq!((migrated.code, migrated.out.as_str(), migrated.err.as_str()), (0, "", ""));
    let checked = run(installation.dir.path(), &["config", "check", "issuer", "--config", config]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    serves(installation.dir.path(), config, installation.at.issuer).await;
}

#[cfg(feature = "mutants")]
#[tokio::test]
async fn postgres_that_was_not_migrated_is_not_served_and_one_that_was_is() {
    let cluster = vouchsafe_cluster::Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"));
    let installation = Installation::new().await;
    installation.own_certificates();
    let file = installation.dir.path().canonicalize().unwrap().join("issuer/issuer.sqlite");
    let server = format!(
        "{{ host = \"{}\", name = \"{}\", user = \"{}\" }}",
        cluster.socket().display(),
        cluster.database(),
        vouchsafe_cluster::USER
    );
    installation.edit("issuer", &format!("\"{}\"", file.display()), &server);
    let config = installation.config("issuer");
    let config = config.to_str().unwrap();
    let dir = installation.dir.path();
    is_refused(&installation.serve("issuer"), 5, "migrate");
    is_refused(&run(dir, &["config", "check", "issuer", "--config", config]), 5, "migrate");
    // Twice, as two operators do: the second finds nothing to do.
    for _ in 0..2 {
        let migrated = run(dir, &["migrate", "issuer", "--config", config]);
        assert_eq!((migrated.code, migrated.out.as_str(), migrated.err.as_str()), (0, "", ""));
    }
    let checked = run(dir, &["config", "check", "issuer", "--config", config]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    serves(dir, config, installation.at.issuer).await;
    assert!(!file.exists());
    // Over the network nobody is believed without a certificate.
    installation.edit("issuer", cluster.socket().to_str().unwrap(), "db.example");
    is_refused(&installation.serve("issuer"), 5, "root_certificate");
}

/// The issuer comes up at `address`, and goes when asked.
async fn serves(dir: &Path, config: &str, address: std::net::SocketAddr) {
    let mut child = command(dir, &["serve", "issuer", "--config", config]).spawn().unwrap();
    let mut up = false;
    for _ in 0..1_200 {
        up = tokio::net::TcpStream::connect(address).await.is_ok();
        if up {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    signal(child.id(), "TERM");
    let status = child.wait().unwrap();
    assert!(up && status.success(), "up: {up}, {status}");
}
