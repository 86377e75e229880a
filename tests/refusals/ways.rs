//! Answers that join several credentials, from a wallet that does as it likes.
//!
//! The surface `ways` is the answer endpoint. What a wallet cannot prove it tries to prove all the same
//! ([`Prover`]), so that each attack is as good as it can be made. An answer that is taken and does not lead to `met` is
//! refused too: its row has the status 2, the outcome as its code and the reason of the decision.

mod attacks;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Map, Value, json};
use vouchsafe_proofs::answer::{Openings, prove};
use vouchsafe_protocol::answer::{PROOF_CLAIM, PROOF_HASH_CLAIM};
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::BoxFuture;
use vouchsafe_protocol::status::{Bits, List, Publication};
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::SigningKey;
use vouchsafe_verifier::status::{Away, Fetch, Fetched};

use crate::answer::{Case, encrypted};
use crate::forge::paper::{Hidden, Paper, Signed};
use crate::forge::proof::bound;
use crate::forge::prover::{Opens, Prover};
use crate::openid4vp::part;
use crate::runner::{Seen, Surface, run};
use crate::town::{ONE, TWO};
use crate::world::{BUS_KEY, NOON, World, json_of};

/// The place of a copy that was revoked; all others are valid.
const REVOKED: u64 = 9;

/// The copies by query.
type Papers = BTreeMap<&'static str, Paper>;

/// The claims of the key bindings by query.
type Claims = BTreeMap<String, Map<String, Value>>;

/// Where an attack sets in. What comes after is made over what was spoiled.
#[derive(Clone, Copy)]
enum Trick {
    /// Other copies, with a proof by hand.
    Copies(fn(&mut Papers)),
    /// Other copies, with a proof by hand about other things.
    CopiesAndProof(fn(&mut Papers), fn(&mut Prover, &Case)),
    /// One copy that answers two queries, with a proof by hand about other things.
    OneCopy([&'static str; 2], fn(&mut Prover, &Case)),
    /// The prover of honest wallets, about other things: what it is bound to is all that is changed.
    Bound(fn(&mut Prover, &Case)),
    /// The bytes of an honest proof.
    Bytes(fn(&mut Vec<u8>)),
    /// The claims that carry it.
    Carriage(fn(&mut Claims)),
    /// The nonce of the key binding of a query.
    Nonce(&'static str),
    /// The presentations by query.
    Answer(fn(&mut BTreeMap<String, String>)),
    /// One more query is answered.
    More(&'static str),
}

struct Ways {
    world: World,
}

impl Surface for Ways {
    const NAME: &'static str = "ways";

    type Case = Case;

    async fn new() -> Self {
        Self { world: World::town(|ca| Arc::new(Lists::new(ca))).await }
    }

    async fn open(&self, mutation: &str) -> Case {
        let (policy, _) = attacks::find(mutation);
        Case { opened: self.world.ask(policy).await, other: self.world.ask(policy).await }
    }

    async fn attack(&self, case: &Case, mutation: &str) -> Seen {
        self.submit(case, &self.answer(case, Some(attacks::find(mutation).1))).await
    }

    async fn honest(&self, case: &Case) -> Seen {
        self.submit(case, &self.answer(case, None)).await
    }
}

impl Ways {
    /// Posts an answer, and looks what was decided.
    async fn submit(&self, case: &Case, answer: &BTreeMap<String, String>) -> Seen {
        let seen = self.world.submit(case.opened.answer_path(), encrypted(&case.opened, answer)).await;
        if !seen.is_accepted() {
            return seen;
        }
        let path = format!("/v1/requests/{}/decision", case.opened.api["id"].as_str().unwrap());
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {BUS_KEY}"));
        let told = json_of(self.world.send(request.body(Body::empty()).unwrap()).await).await;
        let decision = part(told["decision"].as_str().unwrap(), 1);
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        match told["outcome"].as_str() {
            Some("met") => seen,
            _ => Seen { status: 2, code: word(&told["outcome"]), reason: word(&decision["reasons"][0]) },
        }
    }

    /// The presentations by query.
    fn answer(&self, case: &Case, trick: Option<Trick>) -> BTreeMap<String, String> {
        let policy = &case.opened.request.asked().policy().body().id;
        let mut papers = papers(policy);
        if let Some(Trick::Copies(spoil) | Trick::CopiesAndProof(spoil, _)) = trick {
            spoil(&mut papers);
        }
        let sign = |(query, paper): (&&'static str, &Paper)| (*query, Rc::new(paper.sign(&self.world.ca)));
        let mut signed: BTreeMap<_, _> = papers.iter().map(sign).collect();
        if let Some(Trick::OneCopy([one, other], _)) = trick {
            let same = signed[one].clone();
            signed.insert(other, same);
        }
        let mut bytes = proved(case, &signed, trick);
        if let Some(Trick::Bytes(spoil)) = trick {
            spoil(&mut bytes);
        }
        let mut claims = carried(case, &bytes);
        if let Some(Trick::Carriage(spoil)) = trick {
            spoil(&mut claims);
        }
        let mut answer = presentations(case, &signed, &claims, trick);
        match trick {
            Some(Trick::Answer(spoil)) => spoil(&mut answer),
            Some(Trick::More(query)) => {
                let more = BTreeMap::from([(query, Rc::new(Paper::home(attacks::ME).sign(&self.world.ca)))]);
                answer.extend(presentations(case, &more, &Claims::new(), None));
            }
            _ => {}
        }
        answer
    }
}

/// Copies of somebody who meets the first way of a policy.
fn papers(policy: &str) -> Papers {
    use attacks::{ME, YOU};
    let two = Paper::pay(ME, 80_000).issued_by(TWO).with("/source", Hidden::Text("LF-0042-B"));
    match policy {
        "payers" | "hours" => BTreeMap::from([("pay1", Paper::pay(ME, 70_000)), ("pay2", two)]),
        "zones" => BTreeMap::from([("home1", Paper::home(ME)), ("pay1", Paper::pay(ME, 80_000))]),
        "household" => BTreeMap::from([
            ("homea", Paper::home(ME)),
            ("paya", Paper::pay(ME, 140_000)),
            ("homeb", Paper::home(YOU)),
            ("payb", Paper::pay(YOU, 160_000)),
        ]),
        _ => panic!("nobody meets {policy}"),
    }
}

/// The proof of the first option.
fn proved(case: &Case, signed: &BTreeMap<&str, Rc<Signed>>, trick: Option<Trick>) -> Vec<u8> {
    let asked = case.opened.request.asked();
    let chosen = asked.option(0).unwrap();
    let credentials = chosen.queries().iter().map(|query| bound(query, &signed[query.as_str()].token));
    let context = asked.context(&chosen, credentials.collect());
    let (mut opens, mut openings) = (Opens::new(), Openings::new());
    for (query, one) in signed {
        one.opens(query, &mut opens);
        one.openings(query, &mut openings);
    }
    let mut prover = Prover::new(context, asked.statements(&chosen), opens);
    match trick {
        Some(Trick::Copies(_)) => return prover.prove(),
        Some(Trick::CopiesAndProof(_, spoil) | Trick::OneCopy(_, spoil)) => {
            spoil(&mut prover, case);
            return prover.prove();
        }
        Some(Trick::Bound(spoil)) => spoil(&mut prover, case),
        _ => {}
    }
    let entropy = OsEntropy::new();
    prove(&prover.context, &prover.statements, &openings, &mut EntropyRng(&entropy)).unwrap()
}

/// The proof on the first presentation, its hash on the others.
fn carried(case: &Case, bytes: &[u8]) -> Claims {
    let queries = case.opened.request.asked().option(0).unwrap();
    let claim = |i: usize| match i {
        0 => (PROOF_CLAIM.to_owned(), json!(b64u(bytes))),
        _ => (PROOF_HASH_CLAIM.to_owned(), json!(b64u(sha256(bytes)))),
    };
    let each = queries.queries().iter().enumerate();
    each.map(|(i, query)| (query.clone(), Map::from_iter([claim(i)]))).collect()
}

/// Each copy with a key binding of its holder.
fn presentations(
    case: &Case,
    signed: &BTreeMap<&str, Rc<Signed>>,
    claims: &Claims,
    trick: Option<Trick>,
) -> BTreeMap<String, String> {
    let present = |(query, one): (&&str, &Rc<Signed>)| {
        let elsewhere = matches!(trick, Some(Trick::Nonce(at)) if at == *query);
        let nonce = if elsewhere { case.other.nonce() } else { case.opened.nonce() };
        let claims = claims.get(*query).cloned().unwrap_or_default();
        let binding = one.token.bind(case.opened.client_id(), nonce, claims).sign();
        ((*query).to_owned(), one.token.covered() + &binding)
    };
    signed.iter().map(present).collect()
}

/// The lists of both payers, on which one place is revoked.
struct Lists(Vec<(&'static str, Leaf)>);

impl Lists {
    fn new(ca: &DevCa) -> Self {
        let signer = |iss| (iss, ca.signer(iss, SigningKey::generate().unwrap(), NOON).unwrap());
        Self([ONE, TWO].map(signer).into())
    }

    async fn list(&self, uri: &str) -> Fetched {
        let (_, issuer) = self.0.iter().find(|(iss, _)| uri.starts_with(iss)).unwrap();
        let mut list = List::new(Bits::Two, 64);
        list.set(REVOKED, 1).unwrap();
        let made = Publication { uri, issued_at: NOON, expires_at: NOON.plus(7200), ttl: 900, list: &list };
        let certificates = [issuer.certificate.to_vec()];
        made.sign(&issuer.key, &certificates).await.unwrap().0.into_bytes()
    }
}

impl Fetch for Lists {
    fn fetch<'a>(&'a self, uri: &'a str, _: usize) -> BoxFuture<'a, Result<Fetched, Away>> {
        Box::pin(async move { Ok(self.list(uri).await) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ways() {
    run::<Ways>().await;
}

/// The double is as good a prover as any: what it proves of honest people is taken.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_proved_by_hand_holds() {
    let surface = Ways::new().await;
    for policy in ["payers", "household", "hours", "zones"] {
        let opened = surface.world.ask(policy).await;
        let case = Case { other: surface.world.ask(policy).await, opened };
        let answer = surface.answer(&case, Some(Trick::Copies(|_| ())));
        let seen = surface.submit(&case, &answer).await;
        assert!(seen.is_accepted(), "{policy}: {seen:?}");
    }
}
