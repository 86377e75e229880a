//! The attacks by name, each with the policy that asks.

use serde_json::json;
use vouchsafe_protocol::answer::{PROOF_CLAIM, PROOF_HASH_CLAIM};
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::statement::WireStatement;

use super::Trick::{Answer, Bound, Bytes, Carriage, Copies, CopiesAndProof, More, Nonce, OneCopy};
use super::{Case, Papers, REVOKED, Trick};
use crate::forge::paper::{Hidden, Paper};
use crate::forge::prover::Prover;
use crate::town::{ONE, TWO};

pub(super) const ME: &str = "LF-0042";
pub(super) const YOU: &str = "LF-0043";
const THIRD: &str = "LF-0044";

/// Version, then type and length of the first sub-proof; then 64 bytes of an equality.
const FIRST: usize = 1;
const EQUALITY: usize = 5 + 64;

pub(super) fn find(mutation: &str) -> (&'static str, Trick) {
    let all = [BINDINGS, PEOPLE, SUMS, LISTS, FORM].concat();
    let found = all.into_iter().find(|(name, ..)| *name == mutation);
    let (_, policy, trick) = found.unwrap_or_else(|| panic!("ways: no mutation {mutation}"));
    (policy, trick)
}

type Attack = (&'static str, &'static str, Trick);

/// What an answer was made for.
const BINDINGS: &[Attack] = &[
    ("another-session", "payers", Bound(|p, case| p.context.request.nonce = case.other.nonce().to_owned())),
    (
        "another-request",
        "payers",
        Bound(|p, case| {
            let asked = case.other.request.asked();
            p.context = asked.context(&asked.option(0).unwrap(), p.context.credentials.clone());
        }),
    ),
    ("another-policy-version", "payers", Bound(|p, _| p.context.policy.version += 1)),
    ("another-policy-digest", "payers", Bound(|p, _| p.context.policy.digest[0] ^= 1)),
    ("another-policy", "payers", Bound(|p, _| p.context.policy.id = "hours".into())),
    ("another-day", "payers", Bound(|p, _| p.context.policy.as_of -= 1)),
    ("another-option", "payers", Bound(|p, _| p.context.policy.option = 1)),
    ("another-list-version", "zones", Bound(|p, _| p.context.policy.tables[0].hash[0] ^= 1)),
    ("another-copy-signed", "payers", Bound(|p, _| p.context.credentials[1].jwt_sha256[0] ^= 1)),
    ("another-copy-held", "payers", Bound(|p, _| p.context.credentials[1].holder_key[0] ^= 1)),
    ("another-payer-named", "payers", Bound(|p, _| p.context.credentials[1].iss = ONE.into())),
    ("credentials-exchanged", "payers", Bound(|p, _| p.context.credentials.swap(0, 1))),
    ("terms-exchanged", "hours", Bound(|p, _| p.statements[0].terms.swap(0, 1))),
    ("statement-of-another-id", "payers", Bound(|p, _| p.statements[1].id = "w0-same1".into())),
    ("binding-of-another-session", "payers", Nonce("pay2")),
];

/// Whose the credentials are.
const PEOPLE: &[Attack] = &[
    ("two-people-pool", "payers", Copies(|c| change(c, "pay2", "/person", Hidden::Text(YOU)))),
    (
        "equality-left-out",
        "payers",
        CopiesAndProof(
            |c| change(c, "pay2", "/person", Hidden::Text(YOU)),
            |p, case| leave_out(p, case, "w0-same"),
        ),
    ),
    (
        "equality-of-others",
        "payers",
        CopiesAndProof(
            |c| change(c, "pay2", "/person", Hidden::Text(YOU)),
            |p, _| p.foreign = Some((0, equality_elsewhere(p))),
        ),
    ),
    ("home-of-another", "zones", Copies(|c| change(c, "home1", "/person", Hidden::Text(YOU)))),
    ("person-of-another-kind", "payers", Copies(|c| signed(c, "/person", "u", "https://other.example/ids"))),
    (
        "same-person-twice",
        "household",
        Copies(|c| ["homeb", "payb"].iter().for_each(|query| change(c, query, "/person", Hidden::Text(ME)))),
    ),
    (
        "same-person-twice-by-identity",
        "household",
        CopiesAndProof(
            |c| ["homeb", "payb"].iter().for_each(|query| change(c, query, "/person", Hidden::Text(ME))),
            |p, _| p.identity = true,
        ),
    ),
    (
        "difference-left-out",
        "household",
        CopiesAndProof(
            |c| ["homeb", "payb"].iter().for_each(|query| change(c, query, "/person", Hidden::Text(ME))),
            |p, case| leave_out(p, case, "w0-apart"),
        ),
    ),
    ("pay-of-a-third", "household", Copies(|c| change(c, "payb", "/person", Hidden::Text(THIRD)))),
    (
        "pay-exchanged",
        "household",
        Copies(|c| {
            change(c, "paya", "/person", Hidden::Text(YOU));
            change(c, "payb", "/person", Hidden::Text(ME));
        }),
    ),
    (
        "one-equality-for-two",
        "household",
        CopiesAndProof(
            |c| change(c, "payb", "/person", Hidden::Text(THIRD)),
            // Households, adults, then the first person's credentials and the second's.
            |p, _| p.copied = Some((3, 2)),
        ),
    ),
    ("two-households", "household", Copies(|c| change(c, "homeb", "/household", Hidden::Text("H0002")))),
    (
        "adults-of-another-number",
        "household",
        CopiesAndProof(
            |c| change(c, "homea", "/adults", Hidden::Number(3)),
            |p, _| drop(p.lists.insert(1, vec![3])),
        ),
    ),
    ("too-few-adults", "household", Copies(|c| change(c, "homea", "/adults", Hidden::Number(3)))),
];

/// What is added up.
const SUMS: &[Attack] = &[
    ("sum-over-the-bound", "payers", Copies(|c| change(c, "pay2", "/total", Hidden::Number(80_001)))),
    (
        "payer-counted-as-nothing",
        "payers",
        CopiesAndProof(
            |c| change(c, "pay2", "/total", Hidden::Number(900_000)),
            |p, _| p.sum(|terms| terms.truncate(1)),
        ),
    ),
    ("payer-missing", "payers", Answer(|a| drop(a.remove("pay2")))),
    ("payer-twice", "payers", Copies(|c| drop(c.insert("pay2", Paper::pay(ME, 1))))),
    (
        "terms-swapped",
        "hours",
        CopiesAndProof(
            |c| {
                change(c, "pay1", "/hours", Hidden::Number(1));
                change(c, "pay2", "/hours", Hidden::Number(70));
            },
            |p, _| {
                p.sum(|terms| {
                    let [one, other] = [terms[0].coeff, terms[1].coeff];
                    (terms[0].coeff, terms[1].coeff) = (other, one);
                });
            },
        ),
    ),
    (
        "coefficient-changed",
        "hours",
        CopiesAndProof(
            |c| change(c, "pay1", "/hours", Hidden::Number(10)),
            |p, _| p.sum(|terms| terms[0].coeff = 4),
        ),
    ),
    ("one-statement-twice", "hours", Copies(|c| drop(c.insert("pay2", Paper::pay(ME, 1))))),
    (
        "one-statement-twice-by-identity",
        "hours",
        CopiesAndProof(|c| drop(c.insert("pay2", Paper::pay(ME, 1))), |p, _| p.identity = true),
    ),
    ("one-copy-for-both", "hours", OneCopy(["pay1", "pay2"], |p, _| p.identity = true)),
    (
        "sources-left-out",
        "hours",
        CopiesAndProof(
            |c| drop(c.insert("pay2", Paper::pay(ME, 1))),
            |p, case| leave_out(p, case, "w0-source"),
        ),
    ),
    (
        "less-than-nothing",
        "payers",
        Copies(|c| {
            change(c, "pay1", "/total", Hidden::Number(155_000));
            change(c, "pay2", "/total", Hidden::Minus(10_000));
        }),
    ),
    (
        "more-than-there-is",
        "hours",
        Copies(|c| {
            change(c, "pay1", "/hours", Hidden::Number(5));
            change(c, "pay2", "/hours", Hidden::Number(60_000));
        }),
    ),
    ("wider-range", "payers", Copies(|c| signed(c, "/total", "hi", "20000000"))),
    ("other-unit", "payers", Copies(|c| signed(c, "/total", "u", "EUR-cent"))),
    ("foreign-month", "payers", Copies(|c| claim(c, "period", "2026-09"))),
    ("month-of-own-choice", "payers", Copies(|c| c.get_mut("pay2").unwrap().concealed.push("period"))),
    ("month-not-over", "payers", Copies(|c| claim(c, "facts_as_of", "2026-10-31"))),
    (
        "facts-of-long-ago",
        "zones",
        Copies(|c| c.get_mut("home1").unwrap().claims["facts_as_of"] = json!("2026-01-01")),
    ),
    (
        "superseded",
        "payers",
        Copies(|c| {
            let uri = format!("{TWO}/status/a");
            c.get_mut("pay2").unwrap().claims["status"] =
                json!({"status_list": {"idx": REVOKED, "uri": uri}});
        }),
    ),
];

/// Lists, intervals and what is outside of them.
const LISTS: &[Attack] = &[
    ("not-of-the-few", "zones", Copies(|c| change(c, "home1", "/zone", Hidden::Number(99)))),
    (
        "few-of-another-list",
        "zones",
        CopiesAndProof(
            |c| change(c, "home1", "/zone", Hidden::Number(99)),
            |p, _| drop(p.lists.insert(0, vec![3, 14, 25, 99, 61])),
        ),
    ),
    ("not-of-the-many", "zones", Copies(|c| change(c, "home1", "/zone", Hidden::Number(61)))),
    (
        "many-of-another-list",
        "zones",
        CopiesAndProof(
            |c| change(c, "home1", "/zone", Hidden::Number(61)),
            |p, _| drop(p.lists.insert(1, vec![1, 3, 14, 20, 25, 30, 42, 55, 61, 71, 80, 99])),
        ),
    ),
    ("of-the-listed", "zones", Copies(|c| change(c, "home1", "/zone", Hidden::Number(25)))),
    (
        "of-the-listed-by-identity",
        "zones",
        CopiesAndProof(|c| change(c, "home1", "/zone", Hidden::Number(25)), |p, _| p.identity = true),
    ),
    (
        // The listed are 2, 7, 25 and 90, each by a sub-proof of its own: that of 7 stands for that of 25 as well.
        "of-the-listed-by-another",
        "zones",
        CopiesAndProof(|c| change(c, "home1", "/zone", Hidden::Number(25)), |p, _| p.copied = Some((4, 3))),
    ),
    ("ends-of-two-pairs", "zones", Copies(|c| change(c, "pay1", "/total", Hidden::Number(60_000)))),
    (
        "beyond-its-ends",
        "zones",
        CopiesAndProof(|c| change(c, "pay1", "/total", Hidden::Number(60_000)), |p, _| p.near = true),
    ),
];

/// What travels, and how.
const FORM: &[Attack] = &[
    ("without-its-equality", "payers", Bytes(|b| drop(b.drain(FIRST..FIRST + EQUALITY)))),
    ("without-its-ranges", "payers", Bytes(|b| b.truncate(FIRST + EQUALITY))),
    ("with-one-more", "payers", Bytes(|b| b.extend_from_within(FIRST..FIRST + EQUALITY))),
    (
        "with-one-more-first",
        "payers",
        Bytes(|b| {
            let equality = b[FIRST..FIRST + EQUALITY].to_vec();
            drop(b.splice(FIRST..FIRST, equality));
        }),
    ),
    ("of-another-type", "payers", Bytes(|b| b[FIRST] = 3)),
    ("of-another-length", "payers", Bytes(|b| b[FIRST + 4] += 1)),
    ("two-options-at-once", "payers", More("home1")),
    (
        "half-of-each-option",
        "payers",
        Answer(|a| {
            let pay = a.remove("pay2").unwrap();
            a.insert("home1".to_owned(), pay);
        }),
    ),
    (
        "hash-of-another-proof",
        "payers",
        Carriage(|c| c.get_mut("pay2").unwrap()[PROOF_HASH_CLAIM] = json!(b64u(sha256("another")))),
    ),
    ("hash-missing", "payers", Carriage(|c| c.get_mut("pay2").unwrap().clear())),
    (
        "proof-on-both",
        "payers",
        Carriage(|c| {
            let proof = c["pay1"][PROOF_CLAIM].clone();
            c.get_mut("pay2").unwrap().insert(PROOF_CLAIM.to_owned(), proof);
        }),
    ),
    (
        "proof-on-the-second",
        "payers",
        Carriage(|c| {
            let (first, second) = (c.remove("pay1").unwrap(), c.remove("pay2").unwrap());
            c.extend([("pay1".to_owned(), second), ("pay2".to_owned(), first)]);
        }),
    ),
];

fn change(papers: &mut Papers, query: &str, pointer: &'static str, value: Hidden) {
    papers.get_mut(query).unwrap().values.insert(pointer, value);
}

fn claim(papers: &mut Papers, name: &str, value: &str) {
    papers.get_mut("pay2").unwrap().claims[name] = json!(value);
}

fn signed(papers: &mut Papers, pointer: &'static str, member: &'static str, value: &'static str) {
    papers.get_mut("pay2").unwrap().signed.push((pointer, member, value));
}

/// Proves everything but the statements whose ids begin so, as if they had not been asked.
fn leave_out(prover: &mut Prover, case: &Case, id: &str) {
    prover.statements.retain(|one| !one.id.starts_with(id));
    let sent = &case.opened.request.asked().plan().query.statements;
    let kept: Vec<&WireStatement> = sent.iter().filter(|one| !one.id.starts_with(id)).collect();
    prover.context.policy.statements = sha256(vouchsafe_protocol::json::canonical(&kept).unwrap());
}

/// An equality that holds, of the first person and of another copy about the same.
fn equality_elsewhere(prover: &Prover) -> Vec<u8> {
    let mut honest = Prover::new(prover.context.clone(), prover.statements.clone(), prover.opens.clone());
    let [one, other] = ["pay1", "pay2"].map(|query| (query.to_owned(), "/person".to_owned()));
    let v = honest.opens[&one].v;
    let open = honest.opens.get_mut(&other).unwrap();
    open.v = v;
    let c = open.commit();
    let second = &mut honest.context.credentials[1].attributes;
    second.iter_mut().find(|one| one.pointer == "/person").unwrap().c.0 = c;
    honest.prove()[FIRST + 5..FIRST + EQUALITY].to_vec()
}
