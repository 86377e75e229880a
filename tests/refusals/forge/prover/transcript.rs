//! What is absorbed before the first sub-proof, written from the standard (`specs/proofs/README.md`, section 5).

use merlin::Transcript;
use vouchsafe_proofs::context::{Context, Credential, IssuerKey, ReplyTo};
use vouchsafe_proofs::set::Set;
use vouchsafe_proofs::statement::{Predicate, Statement};
use vouchsafe_protocol::encoding::sha256;

use super::{Attribute, PedersenGens};

fn put(t: &mut Transcript, label: &'static [u8], message: impl AsRef<[u8]>) {
    t.append_message(label, message.as_ref());
}

/// A number or a count: 8 bytes, big-endian.
pub(crate) fn number(t: &mut Transcript, label: &'static [u8], n: u64) {
    put(t, label, n.to_be_bytes());
}

/// Items 1 to 6.
pub(super) fn bound(context: &Context, statements: &[Statement]) -> Transcript {
    let bases = PedersenGens::default();
    let mut t = Transcript::new(b"vouchsafe/v1");
    put(&mut t, b"1.suite", "ristretto255-merlin-bp1");
    number(&mut t, b"1.tier", 1);
    put(&mut t, b"1.generators", "bp5-default");
    put(&mut t, b"1.base", bases.B.compress().0);
    put(&mut t, b"1.blinding-base", bases.B_blinding.compress().0);
    request(&mut t, context);
    policy(&mut t, context);
    number(&mut t, b"4.transactions", 0);
    for label in [&b"4.pseudonym-context"[..], b"4.pseudonym", b"4.permission-key"] {
        put(&mut t, label, "");
    }
    let named = |one: &&Credential| statements.iter().any(|s| s.terms.iter().any(|x| x.query == one.query));
    let credentials: Vec<_> = context.credentials.iter().filter(named).collect();
    number(&mut t, b"5.credentials", credentials.len() as u64);
    credentials.into_iter().for_each(|one| credential(&mut t, one, statements));
    number(&mut t, b"6.statements", statements.len() as u64);
    statements.iter().for_each(|one| statement(&mut t, one));
    t
}

fn request(t: &mut Transcript, context: &Context) {
    let request = &context.request;
    put(t, b"2.service", &request.service);
    put(t, b"2.client-id", &request.client_id);
    put(t, b"2.nonce", &request.nonce);
    put(t, b"2.state", request.state_sha256);
    let (tag, uri) = match &request.reply_to {
        ReplyTo::ResponseUri(uri) => (0, uri),
        ReplyTo::Origin(origin) => (1, origin),
    };
    put(t, b"2.reply-to", [&[tag], uri.as_bytes()].concat());
    put(t, b"2.encryption-key", request.encryption_key.unwrap());
}

fn policy(t: &mut Transcript, context: &Context) {
    let policy = &context.policy;
    put(t, b"3.purpose", &policy.purpose);
    put(t, b"3.policy", &policy.id);
    number(t, b"3.policy-version", policy.version);
    put(t, b"3.policy-digest", policy.digest);
    put(t, b"3.statements-digest", policy.statements);
    number(t, b"3.option", policy.option);
    number(t, b"3.as-of", policy.as_of);
    let mut tables = policy.tables.clone();
    tables.sort();
    number(t, b"3.tables", tables.len() as u64);
    tables.iter().for_each(|table| put(t, b"3.table", table.hash));
}

fn credential(t: &mut Transcript, one: &Credential, statements: &[Statement]) {
    put(t, b"5.query", &one.query);
    put(t, b"5.issuer", &one.iss);
    let (tag, key) = match &one.issuer {
        IssuerKey::Certificate(hash) => (0, hash),
        IssuerKey::Key(thumbprint) => (1, thumbprint),
    };
    put(t, b"5.issuer-key", [&[tag], &key[..]].concat());
    put(t, b"5.type", &one.vct);
    put(t, b"5.jwt", one.jwt_sha256);
    put(t, b"5.holder-key", one.holder_key);
    let mut pointers = Vec::new();
    for term in statements.iter().flat_map(|s| &s.terms).filter(|term| term.query == one.query) {
        if !pointers.contains(&&term.pointer) {
            pointers.push(&term.pointer);
        }
    }
    number(t, b"5.attributes", pointers.len() as u64);
    for pointer in pointers {
        attribute(t, one.attributes.iter().find(|one| one.pointer == *pointer).unwrap());
    }
}

fn attribute(t: &mut Transcript, one: &Attribute) {
    put(t, b"5.pointer", &one.pointer);
    put(t, b"5.encoding", one.enc.as_str());
    put(t, b"5.unit", &one.unit);
    let range = one.range.map(|range| [u64::from(range.b), range.lo, range.hi].map(u64::to_be_bytes));
    for (i, label) in [&b"5.bits"[..], b"5.lo", b"5.hi"].into_iter().enumerate() {
        put(t, label, range.map_or(Vec::new(), |fields| fields[i].to_vec()));
    }
    put(t, b"5.commitment", one.c.0);
}

fn statement(t: &mut Transcript, one: &Statement) {
    put(t, b"6.id", &one.id);
    put(t, b"6.op", one.predicate.op());
    number(t, b"6.terms", one.terms.len() as u64);
    for term in &one.terms {
        put(t, b"6.term-query", &term.query);
        put(t, b"6.term-pointer", &term.pointer);
        put(t, b"6.coefficient", term.coeff.to_be_bytes());
    }
    match &one.predicate {
        Predicate::Le(k) | Predicate::Ge(k) | Predicate::Eq(k) | Predicate::Ne(k) => number(t, b"6.k", *k),
        Predicate::In { lo, hi } => {
            number(t, b"6.lo", *lo);
            number(t, b"6.hi", *hi);
        }
        Predicate::Member(set) | Predicate::NotMember(set) => put(t, b"6.set", digest(set)),
    }
}

/// SHA-256 of the count, then of each interval's ends.
pub(super) fn digest(set: &Set) -> [u8; 32] {
    let count = (set.intervals().len() as u64).to_be_bytes();
    let ends = set.intervals().iter().flatten().flat_map(|end| end.to_be_bytes());
    sha256(count.into_iter().chain(ends).collect::<Vec<_>>())
}
