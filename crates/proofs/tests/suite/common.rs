//! One resident, two credentials, one request: what every test here starts from. All of it is made up.
use jiff::civil::date;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde::Serialize;
use vouchsafe_proofs::{
    answer::{self, Openings, ProofFailed, ProveError},
    commitment::{Commitment, Seed, commit},
    context::{
        Attribute, Authorisation, Context, Credential, IssuerKey, Policy, Pseudonym, ReplyTo, Request,
        SignedRange, Table,
    },
    encoding::{Encoding, day},
    statement::{Predicate, Statement},
};

pub(crate) const ISS: &str = "https://issuer.larkfield.example";
pub(crate) const VCT: &str = "https://larkfield.example/types/residency/1/zk";
pub(crate) const PAYER: &str = "https://payer.larkfield.example";
pub(crate) const INCOME: &str = "https://larkfield.example/types/income/1/zk";

/// An opening as the vectors write it.
#[derive(Clone, Serialize)]
pub(crate) struct Secret {
    pub(crate) query: &'static str,
    pub(crate) pointer: &'static str,
    pub(crate) seed: [u8; 32],
    pub(crate) iss: &'static str,
    pub(crate) vct: &'static str,
    pub(crate) v: u64,
}

/// A request, what is presented, and the openings.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) context: Context,
    pub(crate) statements: Vec<Statement>,
    pub(crate) secrets: Vec<Secret>,
}

impl Case {
    pub(crate) fn prove(&self) -> Result<Vec<u8>, ProveError> {
        answer::prove(&self.context, &self.statements, &self.openings(), &mut rng(24))
    }

    pub(crate) fn verify(&self, bytes: &[u8]) -> Result<(), ProofFailed> {
        answer::verify(&self.context, &self.statements, bytes)
    }

    pub(crate) fn openings(&self) -> Openings {
        let mut openings = Openings::new();
        for s in &self.secrets {
            openings.add(s.query, s.pointer, s.v, Seed::new(s.seed).blinding(s.iss, s.vct, s.pointer));
        }
        openings
    }
}

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// The spine's question: old enough by a table, and in one of the wards. One credential.
pub(crate) fn bus_pass() -> Case {
    let secrets = vec![residency("/birth_date", birth_date()), residency("/ward", 6)];
    let mut context = full_context(&secrets);
    context.authorisation = Authorisation::default();
    context.policy.tables.truncate(2);
    let statements = vec![
        Statement::of("age-q0", "q0", "/birth_date", Predicate::Le(131_699)),
        Statement::of("ward-q0", "q0", "/ward", Predicate::In { lo: 3, hi: 9 }),
    ];
    Case { context, statements, secrets }
}

/// One day bound alone: the least answer there is.
pub(crate) fn age() -> Case {
    let mut case = bus_pass();
    case.statements.truncate(1);
    case
}

/// Every field of the context in use, two credentials, every kind of bound.
pub(crate) fn everything() -> Case {
    let secrets = vec![
        residency("/birth_date", birth_date()),
        residency("/ward", 6),
        residency("/rooms", 4),
        income("/total", 1_234_500),
        income("/savings", 1 << 40),
    ];
    let statements = vec![
        Statement::of("age", "q0", "/birth_date", Predicate::Le(131_699)),
        Statement::of("total", "q1", "/total", Predicate::Ge(1_234_500)),
        Statement::of("ward", "q0", "/ward", Predicate::In { lo: 6, hi: 9 }),
        Statement::of("savings", "q1", "/savings", Predicate::Le(1 << 41)),
        Statement::of("not-too-old", "q0", "/birth_date", Predicate::Ge(120_000)),
        Statement::of("rooms", "q0", "/rooms", Predicate::Le(4)),
    ];
    Case { context: full_context(&secrets), statements, secrets }
}

pub(crate) fn birth_date() -> u64 {
    day(date(1958, 3, 14)).unwrap()
}

fn residency(pointer: &'static str, v: u64) -> Secret {
    Secret { query: "q0", pointer, seed: [7; 32], iss: ISS, vct: VCT, v }
}

fn income(pointer: &'static str, v: u64) -> Secret {
    Secret { query: "q1", pointer, seed: [8; 32], iss: PAYER, vct: INCOME, v }
}

fn full_context(secrets: &[Secret]) -> Context {
    let mut credentials = vec![credential("q0", ISS, VCT, IssuerKey::Certificate([0x31; 32]), 0x32)];
    if secrets.iter().any(|secret| secret.query == "q1") {
        credentials.push(credential("q1", PAYER, INCOME, IssuerKey::Key([0x41; 32]), 0x42));
    }
    for credential in &mut credentials {
        let own = secrets.iter().filter(|secret| secret.query == credential.query);
        credential.attributes = own.map(attribute).collect();
    }
    Context { request: request(), policy: policy(), authorisation: authorisation(), credentials }
}

fn request() -> Request {
    Request {
        service: "https://register.larkfield.example/services/bus".into(),
        client_id: "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk".into(),
        nonce: "n-0S6_WzA2MjM4OTQxNTI1Nw".into(),
        state_sha256: [0x11; 32],
        reply_to: ReplyTo::ResponseUri("https://bus.larkfield.example/a/4Zq".into()),
        encryption_key: Some([0x12; 32]),
    }
}

fn policy() -> Policy {
    let table = |id: &str, version, byte| Table { id: id.into(), version, hash: [byte; 32] };
    Policy {
        purpose: "https://register.larkfield.example/purposes/concession".into(),
        id: "bus-pass".into(),
        version: 3,
        digest: [0x21; 32],
        statements: [0x22; 32],
        option: 0,
        as_of: day(date(2026, 11, 30)).unwrap(),
        // Not in order: the transcript sorts them by id and version.
        tables: vec![table("wards", 2, 0x25), table("pension-age", 4, 0x23), table("wards", 1, 0x24)],
    }
}

fn authorisation() -> Authorisation {
    Authorisation {
        transactions: vec![[0x26; 32], [0x27; 32]],
        pseudonym: Some(Pseudonym { context: "leisure/2026".into(), value: vec![1, 2, 3] }),
        permission_key: Some([0x28; 32]),
    }
}

fn credential(query: &str, iss: &str, vct: &str, issuer: IssuerKey, byte: u8) -> Credential {
    Credential {
        query: query.into(),
        iss: iss.into(),
        issuer,
        vct: vct.into(),
        jwt_sha256: [byte; 32],
        holder_key: [byte + 1; 32],
        attributes: Vec::new(),
    }
}

fn attribute(secret: &Secret) -> Attribute {
    let (enc, unit, b, lo, hi) = match secret.pointer {
        "/birth_date" => (Encoding::Day, "day", 32, 102_268, 164_724),
        "/ward" => (Encoding::Code, "https://register.larkfield.example/lists/wards#2", 32, 0, 23),
        "/rooms" => (Encoding::Int, "rooms", 32, 0, 50),
        "/total" => (Encoding::Pence, "GBP-pence", 32, 0, 4_000_000_000),
        "/savings" => (Encoding::Pence, "GBP-pence", 64, 0, u64::MAX),
        other => panic!("no attribute {other}"),
    };
    Attribute {
        pointer: secret.pointer.into(),
        enc,
        unit: unit.into(),
        range: Some(SignedRange { b, lo, hi }),
        c: signed(secret),
    }
}

/// The commitment as the issuer signs it.
pub(crate) fn signed(secret: &Secret) -> Commitment {
    commit(secret.v, &Seed::new(secret.seed).blinding(secret.iss, secret.vct, secret.pointer))
}
