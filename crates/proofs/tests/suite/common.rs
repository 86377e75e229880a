//! One resident, two credentials, one request: what every test here starts from. All of it is made up.
use jiff::civil::date;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde::Serialize;
use vouchsafe_proofs::{
    answer::{self, Openings, ProofFailed, ProveError},
    commitment::{Blinding, Commitment, Seed, commit, commit_text},
    context::{
        Attribute, Authorisation, Context, Credential, IssuerKey, Policy, ReplyTo, Request, SignedRange,
        Table,
    },
    encoding::{Encoding, Text, day},
    planner::{Declared, Plan, plan},
    pseudonym::{LinkSecret, Scope},
    statement::{Predicate, Set, Statement, Term},
};

pub(crate) const ISS: &str = "https://issuer.larkfield.example";
const SERVICE: &str = "https://register.larkfield.example/services/bus";
pub(crate) const VCT: &str = "https://larkfield.example/types/residency/1/zk";
pub(crate) const PAYER: &str = "https://payer.larkfield.example";
pub(crate) const INCOME: &str = "https://larkfield.example/types/income/1/zk";
pub(crate) const PERSON: &str = "https://register.larkfield.example/text/person";

/// An opening as the vectors write it.
#[derive(Clone, Serialize)]
pub(crate) struct Secret {
    pub(crate) query: &'static str,
    pub(crate) pointer: &'static str,
    pub(crate) seed: [u8; 32],
    pub(crate) iss: &'static str,
    pub(crate) vct: &'static str,
    pub(crate) v: u64,
    /// Instead of `v`: a text of the type [`PERSON`].
    pub(crate) text: Option<&'static str>,
}

impl Secret {
    pub(crate) fn blinding(&self) -> Blinding {
        Seed::new(self.seed).blinding(self.iss, self.vct, self.pointer)
    }

    pub(crate) fn as_text(&self) -> Option<Text> {
        self.text.map(|text| Text::new(PERSON, text))
    }
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
            match s.as_text() {
                None => openings.add(s.query, s.pointer, s.v, s.blinding()),
                Some(text) => openings.add_text(s.query, s.pointer, text, s.blinding()),
            }
        }
        for linked in self.context.credentials.iter().filter(|credential| credential.link.is_some()) {
            openings.add_link(&linked.query, &link_secret(), &link_blinding());
        }
        openings
    }

    pub(crate) fn plan(&self) -> Plan {
        let plan = plan(&self.statements, |term| declared(&self.context, term)).unwrap();
        if self.context.authorisation.pseudonym.is_some() { plan.with_pseudonym().unwrap() } else { plan }
    }
}

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// The resident's link secret, and what blinds it in the first credential.
pub(crate) fn link_secret() -> LinkSecret {
    LinkSecret::from_canonical_bytes([9; 32]).unwrap()
}

pub(crate) fn link_blinding() -> Blinding {
    Seed::new([6; 32]).blinding(ISS, VCT, "/_link")
}

/// What the pseudonym is for.
pub(crate) fn scope(epoch: &str) -> Scope {
    Scope::new(SERVICE, "leisure", epoch).unwrap()
}

/// The spine's question: old enough by a table, and in one of the wards. One credential.
pub(crate) fn bus_pass() -> Case {
    let secrets = vec![residency("/birth_date", birth_date()), residency("/ward", 6)];
    let mut context = full_context(&secrets);
    context.authorisation = Authorisation::default();
    context.credentials[0].link = None;
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
    Secret { query: "q0", pointer, seed: [7; 32], iss: ISS, vct: VCT, v, text: None }
}

fn income(pointer: &'static str, v: u64) -> Secret {
    Secret { query: "q1", pointer, seed: [8; 32], iss: PAYER, vct: INCOME, v, text: None }
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
    credentials[0].link = Some(link_secret().commit(&link_blinding()));
    Context { request: request(), policy: policy(), authorisation: authorisation(), credentials }
}

fn request() -> Request {
    Request {
        service: SERVICE.into(),
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
        pseudonym: Some(link_secret().pseudonym(&scope("2026"))),
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
        link: None,
    }
}

fn attribute(secret: &Secret) -> Attribute {
    let (enc, unit, b, lo, hi) = match secret.pointer {
        "/birth_date" => (Encoding::Day, "day", 32, 102_268, 164_724),
        "/ward" => (Encoding::Code, "https://register.larkfield.example/lists/wards#2", 32, 0, 23),
        "/rooms" => (Encoding::Int, "rooms", 32, 0, 50),
        "/total" => (Encoding::Pence, "GBP-pence", 32, 0, 4_000_000_000),
        "/savings" => (Encoding::Pence, "GBP-pence", 64, 0, u64::MAX),
        "/person" | "/source" => (Encoding::Str, PERSON, 0, 0, 0),
        other => panic!("no attribute {other}"),
    };
    Attribute {
        pointer: secret.pointer.into(),
        enc,
        unit: unit.into(),
        range: (enc != Encoding::Str).then_some(SignedRange { b, lo, hi }),
        c: signed(secret),
    }
}

/// The commitment as the issuer signs it.
pub(crate) fn signed(secret: &Secret) -> Commitment {
    match secret.as_text() {
        None => commit(secret.v, &secret.blinding()),
        Some(text) => commit_text(&text, &secret.blinding()),
    }
}

/// What the credentials of an answer declare of an attribute.
pub(crate) fn declared<'c>(context: &'c Context, term: &Term) -> Option<Declared<'c>> {
    let credential = context.credentials.iter().find(|c| c.query == term.query)?;
    let attribute = credential.attributes.iter().find(|a| a.pointer == term.pointer)?;
    Some(Declared { enc: attribute.enc, unit: &attribute.unit, range: attribute.range })
}

const OTHER_PAYER: &str = "https://other-payer.larkfield.example";

/// One resident's three credentials, and a statement of every kind about them.
pub(crate) fn every_kind() -> Case {
    let secrets = three_credentials();
    let mut context = full_context(&secrets);
    let mut third = credential("q2", OTHER_PAYER, INCOME, IssuerKey::Certificate([0x51; 32]), 0x52);
    third.attributes = secrets.iter().filter(|secret| secret.query == "q2").map(attribute).collect();
    context.credentials.push(third);
    let set = |intervals: &[[u64; 2]]| Set::of(intervals.iter().copied()).unwrap();
    let every =
        |step: usize, count: usize| set(&(0..count as u64).map(|i| [i * step as u64; 2]).collect::<Vec<_>>());
    let of = Statement::of;
    let statements = vec![
        Statement::pair("person-1", [("q0", "/person"), ("q1", "/person")], Predicate::Eq(0)),
        Statement::pair("person-2", [("q1", "/person"), ("q2", "/person")], Predicate::Eq(0)),
        Statement::pair("source", [("q1", "/source"), ("q2", "/source")], Predicate::Ne(0)),
        sum("total", &[("q1", "/total", 1), ("q2", "/total", 1)], Predicate::Le(2_000_000)),
        sum("yearly", &[("q1", "/total", 52), ("q2", "/total", -12)], Predicate::Ge(60_000_000)),
        of("few-wards", "q0", "/ward", Predicate::Member(set(&[[2, 4], [6, 6], [9, 9]]))),
        of("many-wards", "q0", "/ward", Predicate::Member(every(2, 12))),
        of("not-there", "q0", "/ward", Predicate::NotMember(set(&[[1, 2], [20, 20]]))),
        of("rooms", "q0", "/rooms", Predicate::Eq(4)),
        of("not-five", "q0", "/rooms", Predicate::Ne(5)),
        of("born", "q0", "/birth_date", Predicate::Member(set(&[[110_000, 112_000], [130_000, 131_000]]))),
        of("listed", "q2", "/total", Predicate::NotMember(every(1_000, 20))),
        of("age", "q0", "/birth_date", Predicate::Le(131_699)),
    ];
    Case { context, statements, secrets }
}

fn three_credentials() -> Vec<Secret> {
    let text = |secret: Secret, text| Secret { text: Some(text), ..secret };
    let third = |secret: Secret| Secret { query: "q2", seed: [9; 32], iss: OTHER_PAYER, ..secret };
    vec![
        text(residency("/person", 0), "resident-0042"),
        residency("/birth_date", birth_date()),
        residency("/ward", 6),
        residency("/rooms", 4),
        text(income("/person", 0), "resident-0042"),
        text(income("/source", 0), "resident-0042/payer-1/2026-10"),
        income("/total", 1_234_500),
        third(text(income("/person", 0), "resident-0042")),
        third(text(income("/source", 0), "resident-0042/payer-2/2026-10")),
        third(income("/total", 56_700)),
    ]
}

pub(crate) fn sum(id: &str, terms: &[(&str, &str, i64)], predicate: Predicate) -> Statement {
    let terms = terms.iter().map(|(query, pointer, coeff)| Term::new(query, pointer, *coeff)).collect();
    Statement { id: id.into(), terms, predicate }
}
