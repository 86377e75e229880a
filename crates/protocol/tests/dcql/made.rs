//! Credentials and presentations, real in all but their signatures, at which no query looks.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};
use vouchsafe_protocol::dcql::{Candidate, Query, Seen, Selection};
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::{Alg, PublicJwk};
use vouchsafe_protocol::sd_jwt::key_binding::Binding;
use vouchsafe_protocol::sd_jwt::{Builder, Held, Path, vc};
use vouchsafe_protocol::time::UnixTime;

/// The key of RFC 7517 appendix A.1, as everybody's.
pub(crate) fn key() -> PublicJwk {
    PublicJwk::from_value(&json!({"kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}))
    .unwrap()
}

/// A credential with these claims, of which those at the pointers can be withheld.
pub(crate) fn held(vct: &str, claims: &Value, concealed: &[&str], x5c: &[Vec<u8>]) -> Held {
    let mut all = claims.as_object().cloned().unwrap();
    all.insert("vct".to_owned(), json!(vct));
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let builder = concealed.iter().fold(Builder::new(all).holder(&key()), |b, pointer| b.conceal(pointer));
    let header = NewHeader::new(Alg::Es256, vc::TYP);
    let header = if x5c.is_empty() { header.encode() } else { header.x5c(x5c).encode() };
    let text = builder.build(&header, &mut rng).unwrap().finish(&[0; 64]);
    Held::dangerous_from_store(&text).unwrap()
}

/// The credential as it looks when only those Disclosures are shown.
pub(crate) fn presented(held: &Held, disclosures: &[Path]) -> Held {
    let binding = Binding { aud: "a", nonce: "n", issued_at: UnixTime(0), extra: Map::new() };
    let text = held.present(disclosures, binding).unwrap().finish(&[0; 64]);
    Held::dangerous_from_store(&text[..=text.rfind('~').unwrap()]).unwrap()
}

/// An answer by query id.
pub(crate) type Answer = BTreeMap<String, Vec<Held>>;

pub(crate) fn answer(selection: &Selection, candidates: &[Candidate<'_>]) -> Answer {
    let mut answer = Answer::new();
    for one in &selection.presentations {
        let shown = presented(candidates[one.candidate].held, &one.disclosures);
        answer.entry(one.query.clone()).or_default().push(shown);
    }
    answer
}

pub(crate) fn check(query: &Query, answer: &Answer) -> Result<(), vouchsafe_protocol::dcql::Incomplete> {
    query.check_answer(&answer.iter().map(|(id, shown)| (id.as_str(), seen(shown))).collect())
}

fn seen(shown: &[Held]) -> Vec<Seen<'_>> {
    shown.iter().map(Seen::from).collect()
}
