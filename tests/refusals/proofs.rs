//! Attacks on the proof: made for something else, about something else, or carried elsewhere.

use serde_json::json;
use vouchsafe_proofs::context::{IssuerKey, ReplyTo};
use vouchsafe_proofs::encoding::Encoding;
use vouchsafe_proofs::pseudonym::Scope;
use vouchsafe_proofs::statement::Predicate;
use vouchsafe_protocol::answer::{PROOF_CLAIM, PROOF_HASH_CLAIM};
use vouchsafe_protocol::encoding::{b64, b64u, b64u_decode, sha256};

use crate::answer::Spoil::{Answer, Bytes, Carriage, Copy, CopyAndProof, Proof, Replay};
use crate::answer::{Case, Door, Part, Spoil};
use crate::forge::proof::{self, BORN, WARD};
use crate::runner::run;
use crate::world::BUSES;

struct Proofs;

/// Version, type and length.
const HEADER: usize = 6;

impl Part for Proofs {
    const NAME: &'static str = "proofs";
    const ATTACKS: &'static [(&'static str, &'static str, Spoil)] = &[
        // Item 2: made for another request.
        (
            "service",
            "proof",
            Proof(|p, _| p.context.request.service = "https://pool.larkfield.example".into()),
        ),
        ("client-id", "proof", Proof(|p, _| p.context.request.client_id.push('x'))),
        ("nonce", "proof", Proof(|p, case| p.context.request.nonce = case.other.nonce().to_owned())),
        (
            "state",
            "proof",
            Proof(|p, case| p.context.request.state_sha256 = sha256(case.other.request.state())),
        ),
        (
            "response-uri",
            "proof",
            Proof(|p, case| {
                p.context.request.reply_to =
                    ReplyTo::ResponseUri(case.other.request.response_uri().to_owned());
            }),
        ),
        (
            "origin",
            "proof",
            Proof(|p, case| {
                p.context.request.reply_to = ReplyTo::Origin(case.opened.request.response_uri().to_owned());
            }),
        ),
        (
            "encryption-key",
            "proof",
            Proof(|p, case| {
                p.context.request.encryption_key = case.other.request.asked().party().encryption_key;
            }),
        ),
        ("encryption-key-absent", "proof", Proof(|p, _| p.context.request.encryption_key = None)),
        (
            "another-transaction",
            "proof",
            Proof(|p, case| {
                let asked = case.other.request.asked();
                p.context = asked.context(&asked.option(0).unwrap(), p.context.credentials.clone());
            }),
        ),
        // Item 3: by another policy, option, day or table.
        ("purpose", "proof", Proof(|p, _| p.context.policy.purpose.push('x'))),
        ("policy", "proof", Proof(|p, _| p.context.policy.id = "either".into())),
        ("policy-version", "proof", Proof(|p, _| p.context.policy.version = 2)),
        ("policy-digest", "proof", Proof(|p, _| p.context.policy.digest[31] ^= 1)),
        ("statements-digest", "proof", Proof(|p, _| p.context.policy.statements[31] ^= 1)),
        ("option", "proof", Proof(|p, _| p.context.policy.option = 1)),
        ("as-of", "proof", Proof(|p, _| p.context.policy.as_of += 1)),
        ("table", "proof", Proof(|p, _| p.context.policy.tables[0].hash[0] ^= 1)),
        ("table-order", "proof", Proof(|p, _| p.context.policy.tables[1].id = "a".into())),
        ("table-missing", "proof", Proof(|p, _| p.context.policy.tables.truncate(1))),
        // Item 4: with more authorised than was asked.
        ("transaction-data", "proof", Proof(|p, _| p.context.authorisation.transactions.push([1; 32]))),
        ("pseudonym-unasked", "proof", Proof(|p, _| p.shows(9, BUSES, "ride", "2026"))),
        (
            "pseudonym-of-another-service",
            "named",
            Proof(|p, _| p.shows(9, "https://trams.example", "ride", "2026")),
        ),
        ("pseudonym-of-another-action", "named", Proof(|p, _| p.shows(9, BUSES, "vote", "2026"))),
        ("pseudonym-of-another-epoch", "named", Proof(|p, _| p.shows(9, BUSES, "ride", "2025"))),
        ("pseudonym-of-another-secret", "named", Proof(|p, _| p.shows(8, BUSES, "ride", "2026"))),
        (
            "pseudonym-missing",
            "named",
            Proof(|p, _| {
                p.context.authorisation.pseudonym = None;
                p.context.credentials[0].link = None;
            }),
        ),
        (
            "pseudonym-swapped",
            "named",
            Bytes(|b| {
                let scope = Scope::new(BUSES, "ride", "2026").unwrap();
                put_pseudonym(b, &proof::secret(8).pseudonym(&scope).value);
            }),
        ),
        ("pseudonym-identity", "named", Bytes(|b| put_pseudonym(b, &[0; 32]))),
        ("pseudonym-no-point", "named", Bytes(|b| put_pseudonym(b, &[0xff; 32]))),
        (
            "link-of-another-secret",
            "named",
            CopyAndProof(
                |c| {
                    let other = proof::secret(8).commit(&proof::link_blinding());
                    *c.zkc("/_link", "c") = json!(b64u(other.0));
                },
                |p, _| p.shows(9, BUSES, "ride", "2026"),
            ),
        ),
        (
            "link-missing",
            "proof",
            Copy(|c, _| drop(c.credential.payload["zkc"].as_object_mut().unwrap().remove("/_link"))),
        ),
        ("link-more-members", "proof", Copy(|c, _| *c.zkc("/_link", "u") = json!("link"))),
        ("link-as-an-attribute", "proof", Copy(|c, _| *c.zkc("/_link", "enc") = json!("str"))),
        ("permission-key", "proof", Proof(|p, _| p.context.authorisation.permission_key = Some([1; 32]))),
        // Item 5: about another credential.
        (
            "query",
            "proof",
            Proof(|p, _| {
                p.context.credentials[0].query = "q1".into();
                p.statements.iter_mut().for_each(|s| s.terms[0].query = "q1".into());
            }),
        ),
        ("issuer", "proof", Proof(|p, _| p.context.credentials[0].iss.push('/'))),
        (
            "issuer-certificate",
            "proof",
            Proof(|p, _| p.context.credentials[0].issuer = IssuerKey::Certificate([1; 32])),
        ),
        (
            "issuer-key",
            "proof",
            Proof(|p, _| {
                if let IssuerKey::Certificate(hash) = p.context.credentials[0].issuer {
                    p.context.credentials[0].issuer = IssuerKey::Key(hash);
                }
            }),
        ),
        ("type", "proof", Proof(|p, _| p.context.credentials[0].vct = crate::world::VCT.into())),
        ("token", "proof", Proof(|p, _| p.context.credentials[0].jwt_sha256[7] ^= 1)),
        ("holder-key", "proof", Proof(|p, _| p.context.credentials[0].holder_key[7] ^= 1)),
        (
            "pointer",
            "proof",
            Proof(|p, _| {
                p.attribute("/birth_date").pointer = "/birthday".into();
                p.values[0].0 = "/birthday";
                p.statements[0].terms[0].pointer = "/birthday".into();
            }),
        ),
        ("encoding", "proof", Proof(|p, _| p.attribute("/ward").enc = Encoding::Int)),
        (
            "unit",
            "proof",
            Proof(|p, _| p.attribute("/ward").unit = "https://larkfield.example/lists/county-wards/2".into()),
        ),
        ("range-lo", "proof", Proof(|p, _| p.attribute("/ward").range.as_mut().unwrap().lo = 1)),
        ("range-hi", "proof", Proof(|p, _| p.attribute("/ward").range.as_mut().unwrap().hi = 998)),
        ("commitment-of-own-making", "proof", Proof(|p, _| p.replace("/birth_date", BORN))),
        (
            "commitment-of-another-copy",
            "proof",
            CopyAndProof(
                |c| {
                    c.values[0].1 = 150_000;
                    c.commit();
                },
                |p, _| p.replace("/birth_date", BORN),
            ),
        ),
        // Item 6: of another statement.
        ("statement-id", "proof", Proof(|p, _| p.statements[0].id = "other".into())),
        ("statement-order", "proof", Proof(|p, _| p.statements.swap(0, 1))),
        ("statement-missing", "proof", Proof(|p, _| p.statements.truncate(1))),
        (
            "bound-later",
            "proof",
            CopyAndProof(
                |c| {
                    c.values[0].1 = 140_000;
                    c.commit();
                },
                |p, _| p.statements[0].predicate = Predicate::Le(150_000),
            ),
        ),
        (
            "bound-by-one",
            "proof",
            Proof(|p, _| p.statements[0].predicate = moved(&p.statements[0].predicate)),
        ),
        (
            "interval-wider",
            "proof",
            CopyAndProof(
                |c| {
                    c.values[1].1 = 120;
                    c.commit();
                },
                |p, _| p.statements[1].predicate = Predicate::In { lo: 100, hi: 139 },
            ),
        ),
        (
            "complement-as-met",
            "proof",
            CopyAndProof(
                |c| {
                    c.values[0].1 = 150_000;
                    c.commit();
                },
                complement,
            ),
        ),
        // The bytes.
        ("version", "proof", Bytes(|b| b[0] = 2)),
        ("sub-proof-type", "proof", Bytes(|b| b[1] = 2)),
        ("length", "proof", Bytes(|b| b[5] ^= 1)),
        ("trailing", "proof", Bytes(|b| b.push(0))),
        ("truncated", "proof", Bytes(|b| b.truncate(b.len() - 1))),
        ("header-alone", "proof", Bytes(|b| b.truncate(HEADER))),
        ("empty", "proof", Bytes(Vec::clear)),
        ("proof-flipped", "proof", Bytes(|b| b[HEADER + 3] ^= 1)),
        ("scalar-flipped", "proof", Bytes(|b| *b.last_mut().unwrap() ^= 1)),
        ("scalar-not-canonical", "proof", Bytes(|b| fill(b, 0xff, usize::MAX))),
        ("point-not-canonical", "proof", Bytes(|b| fill(b, 0xff, 0))),
        ("point-identity", "proof", Bytes(|b| fill(b, 0, 0))),
        (
            "halves-exchanged",
            "proof",
            Bytes(|b| {
                let at = HEADER + 7 * 32;
                let (left, right) = b[at..at + 64].split_at_mut(32);
                left.swap_with_slice(right);
            }),
        ),
        // How it is carried.
        ("proof-missing", "proof", Carriage(serde_json::Map::clear)),
        (
            "hash-beside-proof",
            "proof",
            Carriage(|c| {
                let bytes = b64u_decode(c[PROOF_CLAIM].as_str().unwrap()).unwrap();
                c.insert(PROOF_HASH_CLAIM.to_owned(), json!(b64u(sha256(bytes))));
            }),
        ),
        (
            "hash-instead-of-proof",
            "proof",
            Carriage(|c| {
                let proof = c.remove(PROOF_CLAIM).unwrap();
                c.insert(
                    PROOF_HASH_CLAIM.to_owned(),
                    json!(b64u(sha256(b64u_decode(proof.as_str().unwrap()).unwrap()))),
                );
            }),
        ),
        ("proof-in-list", "proof", Carriage(|c| c[PROOF_CLAIM] = json!([c[PROOF_CLAIM]]))),
        (
            "proof-padded",
            "proof",
            Carriage(|c| {
                c[PROOF_CLAIM] =
                    json!(b64([b64u_decode(c[PROOF_CLAIM].as_str().unwrap()).unwrap(), vec![0]].concat()));
            }),
        ),
        ("proof-much-too-long", "proof", Carriage(|c| c[PROOF_CLAIM] = json!("A".repeat(22_000)))),
        // The signed commitments against the type's own description.
        (
            "zkc-missing",
            "proof",
            Copy(|c, _| drop(c.credential.payload.as_object_mut().unwrap().remove("zkc"))),
        ),
        ("zkc-disclosed", "proof", Copy(|c, _| c.credential.hide_visible("zkc"))),
        ("zkc-other-encoding", "proof", Copy(|c, _| *c.zkc("/ward", "enc") = json!("int"))),
        ("zkc-other-unit", "proof", Copy(|c, _| *c.zkc("/ward", "u") = json!("ward"))),
        ("zkc-wider-range", "proof", Copy(|c, _| *c.zkc("/ward", "hi") = json!("9999"))),
        ("zkc-narrower-range", "proof", Copy(|c, _| *c.zkc("/birth_date", "lo") = json!("120000"))),
        (
            "zkc-slot-missing",
            "proof",
            Copy(|c, _| {
                c.credential.payload["zkc"].as_object_mut().unwrap().remove("/rooms");
            }),
        ),
        (
            "zkc-slot-unknown",
            "proof",
            Copy(|c, _| {
                let slot = c.credential.payload["zkc"]["/rooms"].clone();
                c.credential.payload["zkc"]["/doors"] = slot;
            }),
        ),
        ("zkc-more-members", "proof", Copy(|c, _| *c.zkc("/rooms", "note") = json!("x"))),
        ("zkc-leading-zero", "proof", Copy(|c, _| *c.zkc("/rooms", "lo") = json!("00"))),
        ("commitment-short", "proof", Copy(|c, _| *c.zkc("/rooms", "c") = json!("AA"))),
        (
            "commitment-identity",
            "proof",
            CopyAndProof(|c| *c.zkc("/ward", "c") = json!(b64u([0; 32])), |p, _| p.replace("/ward", WARD)),
        ),
        (
            "commitment-not-canonical",
            "proof",
            CopyAndProof(|c| *c.zkc("/ward", "c") = json!(b64u([0xff; 32])), |p, _| p.replace("/ward", WARD)),
        ),
        // The answer.
        (
            "complement-query",
            "proof",
            Answer(|a| {
                let text = a.remove("q0").unwrap();
                a.insert("n0".to_owned(), text);
            }),
        ),
        (
            "both-queries",
            "proof",
            Answer(|a| {
                let text = a["q0"].clone();
                a.insert("n0".to_owned(), text);
            }),
        ),
        ("replay", "proof", Replay),
    ];
}

/// Overwrites the value of the pseudonym: the last sub-proof of 128 bytes begins with it.
fn put_pseudonym(bytes: &mut [u8], value: &[u8]) {
    let at = bytes.len() - 128;
    bytes[at..at + 32].copy_from_slice(value);
}

fn moved(predicate: &Predicate) -> Predicate {
    match predicate {
        Predicate::Le(k) => Predicate::Le(k + 1),
        other => other.clone(),
    }
}

/// Proves that the resident is too young, to be shown as the answer of somebody who is not.
fn complement(proof: &mut proof::Proof, case: &Case) {
    let asked = case.opened.request.asked();
    let complement = asked.option(1).unwrap();
    proof.statements = asked.statements(&complement);
    proof.context.policy.option = 1;
    proof.context.credentials[0].query.clone_from(&complement.queries()[0]);
}

/// Overwrites one 32-byte part after the header: that at `part`, or the last.
fn fill(bytes: &mut [u8], with: u8, part: usize) {
    let at = part.saturating_mul(32).saturating_add(HEADER).min(bytes.len() - 32);
    bytes[at..at + 32].fill(with);
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs() {
    run::<Door<Proofs>>().await;
}
