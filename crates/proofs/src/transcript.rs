//! The one list of what a proof is bound to, absorbed item by item before any challenge is drawn.
//!
//! Implements `specs/proofs/README.md` section 5. Every append has a label `<item>.<field>`; texts are UTF-8,
//! hashes raw 32 bytes, integers and counts 8 bytes big-endian (merlin's own `append_u64` is little-endian
//! and is not used), absent values empty; a count stands before every repeated group.
//! Each append can be switched off by the mutant named beside it, and a test notices each.

use merlin::Transcript;
use vouchsafe_mutants as mutants;

use crate::{
    context::{Attribute, Authorisation, Context, Credential, IssuerKey, Policy, ReplyTo, Request},
    group,
    planner::Plan,
    statement::{Predicate, Statement, Term},
};

const PROTOCOL: &[u8] = b"vouchsafe/v1";
const SUITE: &[u8] = b"ristretto255-merlin-bp1";
const TIER: u64 = 1;
const GENERATORS: &[u8] = b"bp5-default";
/// The type byte of an aggregated range proof.
pub(crate) const RANGE_PROOF: u8 = 0x01;

/// Items 1 to 6: everything that is known before the first sub-proof.
pub(crate) fn bound(context: &Context, statements: &[Statement]) -> Transcript {
    let mut t = protocol();
    request(&mut t, &context.request);
    policy(&mut t, &context.policy);
    authorisation(&mut t, &context.authorisation);
    credentials(&mut t, context, statements);
    asked(&mut t, statements);
    t
}

/// The challenge "vector" of 64 bytes that a copy of the transcript gives after each of the items 1 to 6.
///
/// For comparing implementations: two that disagree learn at which item.
#[must_use]
pub fn checkpoints(context: &Context, statements: &[Statement]) -> [[u8; 64]; 6] {
    let mut t = protocol();
    let mut after = [challenge(&t); 6];
    request(&mut t, &context.request);
    after[1] = challenge(&t);
    policy(&mut t, &context.policy);
    after[2] = challenge(&t);
    authorisation(&mut t, &context.authorisation);
    after[3] = challenge(&t);
    credentials(&mut t, context, statements);
    after[4] = challenge(&t);
    asked(&mut t, statements);
    after[5] = challenge(&t);
    after
}

pub(crate) fn challenge(t: &Transcript) -> [u8; 64] {
    let mut bytes = [0; 64];
    t.clone().challenge_bytes(b"vector", &mut bytes);
    bytes
}

/// Item 1: protocol, suite, tier, generators.
fn protocol() -> Transcript {
    started(PROTOCOL)
}

/// A protocol's label, then suite, tier and generators.
pub(crate) fn started(protocol: &'static [u8]) -> Transcript {
    let mut t = Transcript::new(if mutants::skips("zk-bind-protocol") { b"" } else { protocol });
    bytes(&mut t, "zk-bind-suite", b"1.suite", SUITE);
    number(&mut t, "zk-bind-tier", b"1.tier", TIER);
    bytes(&mut t, "zk-bind-generators", b"1.generators", GENERATORS);
    bytes(&mut t, "zk-bind-base", b"1.base", &group::B);
    bytes(&mut t, "zk-bind-blinding-base", b"1.blinding-base", &group::H);
    t
}

/// Item 2: the request.
fn request(t: &mut Transcript, request: &Request) {
    text(t, "zk-bind-service", b"2.service", &request.service);
    text(t, "zk-bind-client-id", b"2.client-id", &request.client_id);
    text(t, "zk-bind-nonce", b"2.nonce", &request.nonce);
    bytes(t, "zk-bind-state", b"2.state", &request.state_sha256);
    let (tag, uri) = match &request.reply_to {
        ReplyTo::ResponseUri(uri) => (0, uri),
        ReplyTo::Origin(origin) => (1, origin),
    };
    tagged(t, "zk-bind-reply-to", b"2.reply-to", tag, uri.as_bytes());
    optional(t, "zk-bind-encryption-key", b"2.encryption-key", request.encryption_key.as_ref());
}

/// Item 3: purpose, policy, statements as sent, option, day, lists and tables.
fn policy(t: &mut Transcript, policy: &Policy) {
    text(t, "zk-bind-purpose", b"3.purpose", &policy.purpose);
    text(t, "zk-bind-policy", b"3.policy", &policy.id);
    number(t, "zk-bind-policy-version", b"3.policy-version", policy.version);
    bytes(t, "zk-bind-policy-digest", b"3.policy-digest", &policy.digest);
    bytes(t, "zk-bind-statements-digest", b"3.statements-digest", &policy.statements);
    number(t, "zk-bind-option", b"3.option", policy.option);
    number(t, "zk-bind-as-of", b"3.as-of", policy.as_of);
    let mut tables: Vec<_> = policy.tables.iter().collect();
    tables.sort();
    count(t, "zk-bind-tables", b"3.tables", tables.len());
    for table in tables {
        bytes(t, "zk-bind-table", b"3.table", &table.hash);
    }
}

/// Item 4: transactions, pseudonym, permission.
fn authorisation(t: &mut Transcript, given: &Authorisation) {
    count(t, "zk-bind-transactions", b"4.transactions", given.transactions.len());
    for hash in &given.transactions {
        bytes(t, "zk-bind-transaction", b"4.transaction", hash);
    }
    let (scope, value) =
        given.pseudonym.as_ref().map_or(("", &[][..]), |shown| (&shown.context, shown.value.as_slice()));
    text(t, "zk-bind-pseudonym-context", b"4.pseudonym-context", scope);
    bytes(t, "zk-bind-pseudonym", b"4.pseudonym", value);
    optional(t, "zk-bind-permission-key", b"4.permission-key", given.permission_key.as_ref());
}

/// Item 5: the credentials that a statement names, each with its used attributes in order of first use.
fn credentials(t: &mut Transcript, context: &Context, statements: &[Statement]) {
    let named: Vec<_> =
        context.credentials.iter().filter(|c| terms(statements).any(|x| x.query == c.query)).collect();
    count(t, "zk-bind-credentials", b"5.credentials", named.len());
    for presented in named {
        credential(t, presented);
        let used = used(presented, statements);
        count(t, "zk-bind-attributes", b"5.attributes", used.len());
        used.into_iter().for_each(|one| attribute(t, one));
    }
}

fn credential(t: &mut Transcript, credential: &Credential) {
    text(t, "zk-bind-query", b"5.query", &credential.query);
    text(t, "zk-bind-issuer", b"5.issuer", &credential.iss);
    let (tag, key) = match &credential.issuer {
        IssuerKey::Certificate(sha256) => (0, sha256),
        IssuerKey::Key(thumbprint) => (1, thumbprint),
    };
    tagged(t, "zk-bind-issuer-key", b"5.issuer-key", tag, key);
    text(t, "zk-bind-type", b"5.type", &credential.vct);
    bytes(t, "zk-bind-jwt", b"5.jwt", &credential.jwt_sha256);
    bytes(t, "zk-bind-holder-key", b"5.holder-key", &credential.holder_key);
}

fn attribute(t: &mut Transcript, attribute: &Attribute) {
    text(t, "zk-bind-pointer", b"5.pointer", &attribute.pointer);
    text(t, "zk-bind-encoding", b"5.encoding", attribute.enc.as_str());
    text(t, "zk-bind-unit", b"5.unit", &attribute.unit);
    let range = attribute.range.map(|r| [u64::from(r.b), r.lo, r.hi].map(u64::to_be_bytes));
    let [b, lo, hi] = range.as_ref().map_or([&[][..]; 3], |fields| fields.each_ref().map(|f| f.as_slice()));
    bytes(t, "zk-bind-bits", b"5.bits", b);
    bytes(t, "zk-bind-lo", b"5.lo", lo);
    bytes(t, "zk-bind-hi", b"5.hi", hi);
    bytes(t, "zk-bind-commitment", b"5.commitment", &attribute.c.0);
}

/// Item 6: the statements that apply.
fn asked(t: &mut Transcript, statements: &[Statement]) {
    count(t, "zk-bind-statements", b"6.statements", statements.len());
    for statement in statements {
        text(t, "zk-bind-id", b"6.id", &statement.id);
        text(t, "zk-bind-op", b"6.op", statement.predicate.op());
        count(t, "zk-bind-terms", b"6.terms", statement.terms.len());
        for term in &statement.terms {
            text(t, "zk-bind-term-query", b"6.term-query", &term.query);
            text(t, "zk-bind-term-pointer", b"6.term-pointer", &term.pointer);
            bytes(t, "zk-bind-coefficient", b"6.coefficient", &term.coeff.to_be_bytes());
        }
        bounds(t, &statement.predicate);
    }
}

fn bounds(t: &mut Transcript, predicate: &Predicate) {
    match predicate {
        Predicate::Le(k) | Predicate::Ge(k) | Predicate::Eq(k) | Predicate::Ne(k) => {
            number(t, "zk-bind-bound", b"6.k", *k);
        }
        Predicate::In { lo, hi } => {
            number(t, "zk-bind-interval-lo", b"6.lo", *lo);
            number(t, "zk-bind-interval-hi", b"6.hi", *hi);
        }
        Predicate::Member(set) | Predicate::NotMember(set) => {
            bytes(t, "zk-bind-set", b"6.set", &set.digest());
        }
    }
}

/// Item 7, before the first sub-proof: how many there are.
pub(crate) fn sub_proofs(t: &mut Transcript, plan: &Plan) {
    count(t, "zk-bind-sub-proofs", b"7.sub-proofs", plan.count());
}

/// Item 7 of the aggregate, the last sub-proof, before its messages: type, index, n, m, every point with the padding.
pub(crate) fn range_proof(t: &mut Transcript, plan: &Plan, points: &[[u8; 32]]) {
    number(t, "zk-bind-sub-proof", b"7.type", RANGE_PROOF.into());
    count(t, "zk-bind-index", b"7.index", plan.count() - 1);
    count(t, "zk-bind-n", b"7.n", plan.n);
    count(t, "zk-bind-m", b"7.m", plan.m);
    for point in points {
        self::point(t, point);
    }
}

/// Item 7 of a sub-proof that is no range proof: type and index.
pub(crate) fn sigma_proof(t: &mut Transcript, kind: u64, index: u64) {
    number(t, "zk-bind-sub-proof", b"7.type", kind);
    number(t, "zk-bind-index", b"7.index", index);
}

/// A point of a sub-proof's statement.
pub(crate) fn point(t: &mut Transcript, encoding: &[u8; 32]) {
    bytes(t, "zk-bind-point", b"7.point", encoding);
}

/// Item 7, after the messages: the complete bytes. The package leaves the last two scalars out of its own
/// transcript, so whatever is drawn later would otherwise not depend on them.
pub(crate) fn proof_bytes(t: &mut Transcript, proof: &[u8]) {
    bytes(t, "zk-bind-proof", b"7.proof", proof);
}

fn terms(statements: &[Statement]) -> impl Iterator<Item = &Term> {
    statements.iter().flat_map(|statement| &statement.terms)
}

fn used<'a>(credential: &'a Credential, statements: &[Statement]) -> Vec<&'a Attribute> {
    let mut used: Vec<&Attribute> = Vec::new();
    for term in terms(statements).filter(|term| term.query == credential.query) {
        let new = used.iter().all(|attribute| attribute.pointer != term.pointer);
        if new {
            used.extend(credential.attributes.iter().find(|attribute| attribute.pointer == term.pointer));
        }
    }
    used
}

fn bytes(t: &mut Transcript, mutant: &'static str, label: &'static [u8], message: &[u8]) {
    if !mutants::skips(mutant) {
        t.append_message(label, message);
    }
}

fn text(t: &mut Transcript, mutant: &'static str, label: &'static [u8], message: &str) {
    bytes(t, mutant, label, message.as_bytes());
}

fn number(t: &mut Transcript, mutant: &'static str, label: &'static [u8], n: u64) {
    bytes(t, mutant, label, &n.to_be_bytes());
}

fn count(t: &mut Transcript, mutant: &'static str, label: &'static [u8], n: usize) {
    number(t, mutant, label, n as u64);
}

/// A tag byte and its value in one append.
fn tagged(t: &mut Transcript, mutant: &'static str, label: &'static [u8], tag: u8, value: &[u8]) {
    bytes(t, mutant, label, &[&[tag], value].concat());
}

fn optional(t: &mut Transcript, mutant: &'static str, label: &'static [u8], hash: Option<&[u8; 32]>) {
    bytes(t, mutant, label, hash.map_or(&[], |hash| hash.as_slice()));
}
