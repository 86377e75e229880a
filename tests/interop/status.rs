//! Independent readers on status lists of ours, and our reader on lists of theirs, over a million entries.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use serde_json::json;
use vouchsafe_protocol::encoding::{b64u_decode, sha256};
use vouchsafe_protocol::jose::x5c::{Anchor, validate};
use vouchsafe_protocol::status::{
    Bits, Entitled, Expected, List, MAX_INFLATED, Publication, Received, Token,
};
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::keys::{self, Jws, SigningKey};

use crate::peer;
use crate::town::{material, now};

const ISS: &str = "https://issuer.example";
const URI: &str = "https://issuer.example/status/7";
const ENTRIES: usize = 1_000_000;

/// Every value of two bits, by chance; the same in every run.
fn statuses() -> Vec<u8> {
    let mut rng = ChaCha20Rng::seed_from_u64(20);
    let mut bytes = vec![0; ENTRIES];
    rng.fill_bytes(&mut bytes);
    bytes.iter_mut().for_each(|byte| *byte &= 3);
    bytes
}

fn list_of(statuses: &[u8]) -> List {
    let mut list = List::new(Bits::Two, statuses.len());
    for (idx, status) in (0..).zip(statuses) {
        list.set(idx, *status).expect("an index of the list");
    }
    list
}

struct Publisher {
    ca: DevCa,
    leaf: Leaf,
}

impl Publisher {
    fn new() -> Self {
        keys::install();
        let ca = DevCa::generate("status", now()).expect("an authority");
        let leaf = ca.signer(ISS, SigningKey::generate().expect("a key"), now()).expect("a leaf");
        Self { ca, leaf }
    }

    async fn publish(&self, list: &List) -> (String, Vec<u8>) {
        let now = now();
        let publication =
            Publication { uri: URI, issued_at: now, expires_at: now.plus(3600), ttl: 300, list };
        publication.sign(&self.leaf.key, &[self.leaf.certificate.to_vec()]).await.expect("signatures")
    }

    /// A token as our verifier reads it.
    fn read(&self, received: Received) -> Token {
        let anchor = Anchor::from_der(self.ca.certificate().to_vec()).expect("an anchor");
        let leaf = validate(received.x5c(), &[anchor], now(), &Jws).expect("a path");
        let signer = Entitled { iss: ISS, status_signing: None };
        let expected = Expected { uri: URI, signer, now: now(), max_inflated: MAX_INFLATED };
        received.verify(&leaf, &expected, &Jws).expect("a list")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_entries_mean_the_same_to_everybody() {
    let (publisher, statuses) = (Publisher::new(), statuses());
    let (jwt, cwt) = publisher.publish(&list_of(&statuses)).await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let mut input = material(&publisher.leaf);
    input["anchor"] = json!(publisher.ca.certificate_pem());
    input["jwt"] = json!(file("list.jwt", jwt.as_bytes()));
    input["cwt"] = json!(file("list.cwt", &cwt));
    for (name, value) in
        [("iss", json!(ISS)), ("uri", json!(URI)), ("entries", json!(ENTRIES)), ("iat", json!(now().0))]
    {
        input[name] = value;
    }
    let read = peer::run("status.mjs", &input, None);
    let ours = hex(&sha256(&statuses));
    assert_eq!(read["sha256"], json!({"jwt": ours, "owf": ours, "cwt": ours}), "three readings, one meaning");
    assert_eq!(read["ttl"], 300);

    // The other way round: lists that others packed, compressed and signed.
    let theirs = |form: &str| read["own"][form].as_str().expect("a token").to_owned();
    let (jwt, cwt) = (theirs("jwt"), b64u_decode(theirs("cwt")).expect("base64url"));
    for received in [Received::jwt(jwt.as_bytes(), jwt.len()), Received::cwt(&cwt, cwt.len())] {
        let token = publisher.read(received.expect("a token"));
        let mut both = statuses.iter().zip(0..);
        assert!(both.all(|(status, idx)| token.list().get(idx) == Ok(*status)), "every entry");
        assert_eq!(token.ttl(), Some(300));
    }
}
