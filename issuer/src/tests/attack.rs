//! What a thief, a second wallet or an impatient one tries at the endpoints behind a token.

use std::future::poll_fn;
use std::task::Poll;

use axum::body::Body;
use serde_json::{Value, json};
use vouchsafe_protocol::dpop::{self, Call};
use vouchsafe_protocol::encoding::{b64u, b64u_decode, sha256};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::jws::sign;
use vouchsafe_protocol::openid4vci::credential::Request as Ask;
use vouchsafe_service::entropy::{OsEntropy, id16};
use vouchsafe_service::keys::SigningKey;

use super::bound::Bound;
use super::council::{Council, ISSUER, Reply};
use super::wallet::{JSON, Wallet};
use crate::config::OfferSettings;
use crate::store::{Issuing as _, Verdict};
use crate::{Kind, deferral};

/// The endpoints behind a token.
const BEHIND: [&str; 3] = ["/credential", "/deferred", "/notification"];

/// All of them, side by side.
async fn at_once<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.map(|call| (Box::pin(call), None)).collect();
    poll_fn(|context| {
        let mut done = true;
        for (call, value) in calls.iter_mut().filter(|(_, value)| value.is_none()) {
            match call.as_mut().poll(context) {
                Poll::Ready(ready) => *value = Some(ready),
                Poll::Pending => done = false,
            }
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    calls.into_iter().filter_map(|(_, value)| value).collect()
}

/// The same letters, large for small.
fn swapped(text: &str) -> String {
    let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    text.chars().map(swap).collect()
}

/// A call to an endpoint behind a token, with a proof of our own making.
struct Try<'a> {
    bound: &'a Bound<'a>,
    path: &'static str,
    token: &'a str,
}

impl Try<'_> {
    /// Sends a proof with these claims, signed by this key.
    async fn send(&self, claims: &Value, key: &SigningKey) -> Reply {
        let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": key.public().to_value()});
        let input = format!("{}.{}", b64u(header.to_string()), b64u(claims.to_string()));
        let proof = format!("{input}.{}", b64u(key.sign_now(input.as_bytes()).unwrap()));
        self.with("DPoP", &[proof]).await
    }

    async fn with(&self, scheme: &str, proofs: &[String]) -> Reply {
        let authorization = Some(format!("{scheme} {}", self.token));
        self.bound.send(self.path, JSON, authorization, proofs, "{}").await
    }

    /// The claims of an honest proof.
    async fn claims(&self) -> Value {
        json!({
            "jti": id16(&OsEntropy::new()), "htm": "POST", "htu": format!("{ISSUER}{}", self.path),
            "iat": self.bound.wallet.council.app.now().0, "ath": b64u(sha256(self.token)),
            "nonce": self.bound.proof_nonce().await,
        })
    }

    async fn spoilt(&self, name: &str, value: Value) -> Reply {
        let mut claims = self.claims().await;
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        self.send(&claims, &self.bound.key).await
    }
}

fn refused(code: &str) -> (u16, String) {
    (401, code.to_owned())
}

/// One token is tried at every endpoint in every way that is not its own, and is good in the end.
#[tokio::test]
async fn a_bound_token_is_guarded_at_every_endpoint() {
    let council = Council::enrolled().await;
    let (bound, thief) = (Bound::new(&council, 1), SigningKey::generate().unwrap());
    let token = bound.token(&council.offer(Kind::Plain).await).await;
    let other = Bound::new(&council, 1);
    let others = other.token(&council.offer(Kind::Plain).await).await;
    let of_copies = bound.wallet.nonce().await;
    for path in BEHIND {
        let at = Try { bound: &bound, path, token: &token };
        let bad = refused("invalid_dpop_proof");
        assert_eq!(
            at.with("Bearer", &[]).await.refused(),
            refused("invalid_token"),
            "{path}: sent as a bearer's"
        );
        let honest = bound.proof(path, Some(&token), Some(&bound.proof_nonce().await)).await;
        let downgraded = at.with("Bearer", std::slice::from_ref(&honest)).await;
        assert_eq!(downgraded.refused(), refused("invalid_token"), "{path}: as a bearer's, with its proof");
        assert_eq!(at.with("DPoP", &[]).await.refused(), bad, "{path}: no proof");
        assert_eq!(
            at.with("DPoP", &[honest.clone(), honest.clone()]).await.refused(),
            bad,
            "{path}: two proofs"
        );
        let joined = at.with("DPoP", &[format!("{honest}, {honest}")]).await;
        assert_eq!(joined.refused(), bad, "{path}: two proofs in one field");
        assert_eq!(
            at.send(&at.claims().await, &thief).await.refused(),
            refused("invalid_token"),
            "{path}: a thief's key"
        );
        for (name, value) in [
            ("ath", Value::Null),
            ("ath", json!(b64u(sha256(&others)))),
            ("ath", json!(token)),
            ("htm", json!("GET")),
            ("htm", json!("post")),
            ("htu", json!(format!("{ISSUER}/token"))),
            ("htu", json!(format!("{ISSUER}/nonce"))),
            ("htu", json!(ISSUER)),
            ("jti", json!("")),
            ("jti", json!(7)),
            ("iat", json!("now")),
            ("iat", Value::Null),
        ] {
            assert_eq!(at.spoilt(name, value.clone()).await.refused(), bad, "{path}: {name} {value}");
        }
        for nonce in [Value::Null, json!(""), json!(of_copies), json!("AAAA")] {
            let reply = at.spoilt("nonce", nonce.clone()).await;
            assert_eq!(reply.refused(), refused("use_dpop_nonce"), "{path}: {nonce}");
            assert!(reply.headers.contains_key("dpop-nonce"));
        }
        // Of the honest proof nothing was used up by those who sent it otherwise; it is used once.
        assert_eq!(
            at.with("DPoP", std::slice::from_ref(&honest)).await.status,
            400,
            "{path}: only the body is wrong"
        );
        assert_eq!(at.with("DPoP", &[honest]).await.refused(), bad, "{path}: again");
    }
    let reply = bound.call("/credential", JSON, &token, bound.plain_request().await).await;
    assert_eq!(bound.wallet.open(&reply).len(), 1);
}

/// RFC 9449 4.3, 9: what is the same address after normalisation is taken, and no other.
#[tokio::test]
async fn addresses_are_compared_in_their_normal_form() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    let token = bound.token(&council.offer(Kind::Plain).await).await;
    let at = Try { bound: &bound, path: "/credential", token: &token };
    for same in [
        "https://issuer.larkfield.example:443/credential",
        "HTTPS://ISSUER.larkfield.example/credential",
        "https://issuer.larkfield.example/credential?a=b#c",
        "https://issuer.larkfield.example/a/../credential",
    ] {
        assert_eq!(at.spoilt("htu", json!(same)).await.status, 400, "{same}: only the body is wrong");
    }
    for other in [
        "http://issuer.larkfield.example/credential",
        "https://issuer.larkfield.example:8443/credential",
        "https://issuer.larkfield.example/credential/",
        "https://issuer.larkfield.example/Credential",
        "https://issuer.larkfield.example//credential",
        "https://issuer.larkfield.example/%63redential",
        "https://issuer.larkfield.example/credential%3Fa=b",
        "https://issuer.larkfield.example/credential;a=b",
        "https://user@issuer.larkfield.example/credential",
        "https://issuer.larkfield.example./credential",
        "https://issuer.larkfield.example.evil.example/credential",
        "https://evil.example/https://issuer.larkfield.example/credential",
        "//issuer.larkfield.example/credential",
        "/credential",
        "",
    ] {
        assert_eq!(at.spoilt("htu", json!(other)).await.refused(), refused("invalid_dpop_proof"), "{other}");
    }
}

/// A key without a private half, of another kind or of another curve is no key of a proof, whatever `alg` says.
#[tokio::test]
async fn a_proof_is_by_the_one_algorithm() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    let token = bound.token(&council.offer(Kind::Plain).await).await;
    let at = Try { bound: &bound, path: "/credential", token: &token };
    let jwk = bound.key.public().to_value();
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let secret = json!({"kty": "oct", "k": "AAAA"});
    for header in [
        json!({"alg": "none", "typ": "dpop+jwt", "jwk": jwk}),
        json!({"alg": "HS256", "typ": "dpop+jwt", "jwk": secret}),
        json!({"alg": "EdDSA", "typ": "dpop+jwt", "jwk": jwk}),
        json!({"alg": "EdDSA", "typ": "dpop+jwt", "jwk": ed25519}),
        json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": ed25519}),
        json!({"alg": "ES256", "typ": "dpop+jwt", "kid": "1"}),
        json!({"alg": "ES256", "typ": "jwt", "jwk": jwk}),
        json!({"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": jwk}),
        json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk, "crit": ["b64"], "b64": true}),
    ] {
        let input = format!("{}.{}", b64u(header.to_string()), b64u(at.claims().await.to_string()));
        let signature = b64u(bound.key.sign_now(input.as_bytes()).unwrap());
        for signature in [signature.as_str(), ""] {
            let reply = at.with("DPoP", &[format!("{input}.{signature}")]).await;
            assert_eq!(reply.refused(), refused("invalid_dpop_proof"), "{header}");
        }
    }
}

/// The other signature of the same message, with `s` negated: every ECDSA signature has one.
fn malleated(proof: &str) -> String {
    let (input, signature) = proof.rsplit_once('.').unwrap();
    let mut bytes = b64u_decode(signature).unwrap();
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&order[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let left = i32::from(order[at]) - i32::from(bytes[32 + at]) - borrow;
        borrow = i32::from(left < 0);
        bytes[32 + at] = u8::try_from(left.rem_euclid(256)).unwrap();
    }
    format!("{input}.{}", b64u(bytes))
}

/// A replay is known by what the proof says, not by its octets.
#[tokio::test]
async fn another_signature_makes_no_other_proof() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    let token = bound.token(&council.offer(Kind::Plain).await).await;
    let at = Try { bound: &bound, path: "/credential", token: &token };
    let fresh = bound.proof("/credential", Some(&token), Some(&bound.proof_nonce().await)).await;
    assert_eq!(at.with("DPoP", &[malleated(&fresh)]).await.status, 400, "it is a good signature too");
    assert_eq!(at.with("DPoP", &[fresh]).await.refused(), refused("invalid_dpop_proof"));
}

/// Whether a proof that was used is taken once more by a replica whose clock is half a minute behind one that has
/// forgotten it.
async fn replay_a_proof_where_the_clock_is_behind() -> bool {
    let offers = OfferSettings { nonce_seconds: 600, ..OfferSettings::default() };
    let council = Council::lasting(offers).await;
    let (bound, other) = (Bound::new(&council, 1), Bound::new(&council, 1));
    let (offer, later) = (council.offer(Kind::Plain).await, council.offer(Kind::Plain).await);
    let nonce = bound.proof_nonce().await;
    // At the token endpoint a proof names no token, so it serves for every code.
    let proof = bound.proof("/token", None, Some(&nonce)).await;
    let redeem = async |offer: &crate::offer::Offer| {
        let code = bound.wallet.offer(offer).await.grants.pre_authorized.code;
        let form = Wallet::token_form(&code, Some(offer.tx_code()));
        bound.send("/token", super::wallet::FORM, None, std::slice::from_ref(&proof), form).await
    };
    assert_eq!(redeem(&offer).await.status, 200);
    // What is forgotten is forgotten when somebody else's proof comes.
    council.clock.advance(361);
    let fresh = other.token_with(&council.offer(Kind::Plain).await, &[]).await;
    assert_eq!(fresh.status, 200);
    council.clock.advance(-30);
    redeem(&later).await.status == 200
}

#[tokio::test]
async fn a_proof_is_remembered_for_replicas_that_are_behind() {
    assert!(!replay_a_proof_where_the_clock_is_behind().await);
}

/// The same for a nonce of copies' keys.
async fn replay_a_nonce_where_the_clock_is_behind() -> bool {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let nonce = wallet.nonce().await;
    let first = wallet.token(&council.offer(Kind::Plain).await).await;
    assert_eq!(wallet.ask_plain(&first, &nonce).await.status, 200);
    council.clock.advance(200);
    let second = wallet.token(&council.offer(Kind::Plain).await).await;
    let third = wallet.token(&council.offer(Kind::Plain).await).await;
    council.clock.advance(101);
    let ask = async |token: &str, nonce: &str| {
        let proofs = wallet.proofs_at(nonce, council.app.now()).await;
        wallet.ask(token, JSON, Ask::new("residency", proofs, None).to_bytes()).await
    };
    assert_eq!(ask(&second, &wallet.nonce().await).await.status, 200);
    council.clock.advance(-2);
    ask(&third, &nonce).await.status == 200
}

#[tokio::test]
async fn a_nonce_is_remembered_for_replicas_that_are_behind() {
    assert!(!replay_a_nonce_where_the_clock_is_behind().await);
}

/// One nonce for two tokens at once gives one batch, and costs the other nothing but a nonce.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_wallets_with_one_nonce_one_is_served() {
    let council = Council::enrolled().await;
    let (one, other) = (Wallet::new(&council, 1), Wallet::new(&council, 1));
    let first = one.token(&council.offer(Kind::Plain).await).await;
    let second = other.token(&council.offer(Kind::Plain).await).await;
    let nonce = one.nonce().await;
    let (a, b) = tokio::join!(one.ask_plain(&first, &nonce), other.ask_plain(&second, &nonce));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    let (loser, token) = if a.status == 200 { (&other, &second) } else { (&one, &first) };
    assert_eq!(loser.ask_plain(token, &loser.nonce().await).await.status, 200);
}

/// Twenty wrong transaction codes at once close an offer after five, and are told alike.
#[tokio::test(flavor = "multi_thread")]
async fn transaction_codes_are_not_guessed_side_by_side() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let offer = council.offer(Kind::Plain).await;
    let code = wallet.offer(&offer).await.grants.pre_authorized.code;
    let wrong =
        (0..20).map(|number| format!("{:06}", 900_000 + number)).filter(|guess| guess != offer.tx_code());
    let guesses: Vec<String> = wrong.collect();
    let mut replies = at_once(guesses.iter().map(|guess| wallet.ask_token(&code, Some(guess)))).await;
    // Behind nineteen others a second may not be enough to get at the database; then nothing was tried.
    replies.retain(|reply| reply.status != 503);
    while replies.len() < 5 {
        replies.push(wallet.ask_token(&code, Some(&guesses[0])).await);
    }
    for reply in &replies {
        assert_eq!(reply.refused(), (400, "invalid_grant".to_owned()));
        assert_eq!(reply.body, replies[0].body);
    }
    let right = wallet.ask_token(&code, Some(offer.tx_code())).await;
    assert_eq!(
        (right.refused().0, &right.body),
        (400, &replies[0].body),
        "closed, and told like a wrong code"
    );
    let address = council.get(offer.address().strip_prefix(ISSUER).unwrap()).await;
    assert_eq!(address.refused(), (410, "offer-over".to_owned()));
}

/// What is refused before the transaction code is looked at uses up no try at it.
#[tokio::test]
async fn nobody_closes_an_offer_without_guessing() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    let offer = council.offer(Kind::Plain).await;
    let code = bound.wallet.offer(&offer).await.grants.pre_authorized.code;
    let form = || Wallet::token_form(&code, Some("000000"));
    for _ in 0..8 {
        let stale = bound.proof("/token", None, Some("AAAA")).await;
        let reply = bound.send("/token", super::wallet::FORM, None, &[stale], form()).await;
        assert_eq!(reply.refused(), (400, "use_dpop_nonce".to_owned()));
        assert_eq!(bound.wallet.ask_token(&code, None).await.refused(), (400, "invalid_request".to_owned()));
        let empty = bound.wallet.ask_token(&code, Some("")).await;
        assert_eq!(empty.refused(), (400, "invalid_request".to_owned()));
        assert_eq!(bound.wallet.post("/token", JSON, form()).await.status, 415);
    }
    bound.token(&offer).await;
}

/// Links are unguessable, whole, and told apart from nothing.
#[tokio::test]
async fn an_offer_is_found_by_its_whole_handle_alone() {
    let council = Council::enrolled().await;
    let offer = council.offer(Kind::Plain).await;
    let handle = offer.address().rsplit('/').next().unwrap().to_owned();
    let unknown = council.get("/offers/AAAAAAAAAAAAAAAAAAAAAA").await;
    let code = |reply: &Reply| (reply.refused(), reply.headers["content-type"].clone());
    let handles = [
        &handle[..21],
        &format!("{handle}A"),
        &swapped(&handle),
        &format!("%20{handle}"),
        "%FF",
        "%00",
        "..%2Fnonce",
    ];
    for other in handles {
        let reply = council.get(&format!("/offers/{other}")).await;
        assert_eq!(code(&reply), code(&unknown), "{other}");
        assert_eq!(reply.refused(), (404, "not-found".to_owned()));
    }
    assert_eq!(council.get(&format!("/offers/{handle}")).await.status, 200);
    for shard in ["%FF", "AAAAAAAAAAAAAAAAAAAAA%FF", "AAAAAAAAAAAAAAAAAAAAA%00", "..%2Foffers%2FAAAAAAAAAAA"]
    {
        assert_eq!(
            council.get(&format!("/status/{shard}")).await.refused(),
            (404, "not-found".to_owned()),
            "{shard}"
        );
    }
}

/// A wallet whose batch waits, with its token and its transaction.
struct Waits<'a> {
    bound: Bound<'a>,
    token: String,
    id: String,
}

impl<'a> Waits<'a> {
    async fn new(council: &'a Council) -> Self {
        let bound = Bound::new(council, 2);
        let token = bound.token(&council.offer(Kind::Plain).await).await;
        let reply = bound.call("/credential", JSON, &token, bound.plain_request().await).await;
        let id = reply.json()["transaction_id"].as_str().unwrap().to_owned();
        Self { bound, token, id }
    }

    async fn collect(&self, id: &str) -> Reply {
        self.bound.call("/deferred", JSON, &self.token, json!({"transaction_id": id}).to_string()).await
    }
}

async fn reference(council: &Council) -> String {
    deferral::waiting(&council.app, None).await.unwrap().remove(0).reference
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_who_collect_at_once_one_does() {
    let council = Council::deferring().await;
    let waits = Waits::new(&council).await;
    deferral::decide(&council.app, &reference(&council).await, Verdict::Approve).await.unwrap();
    let mut replies = at_once((0..10).map(|_| waits.collect(&waits.id))).await;
    // Behind nine others a second may not be enough to get at the database; then nothing was done.
    replies.retain(|reply| reply.status != 503);
    replies.push(waits.collect(&waits.id).await);
    let (given, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(given.len(), 1);
    assert!(refused.iter().all(|reply| reply.refused() == (400, "invalid_transaction_id".to_owned())));
    let id = given[0].json()["notification_id"].as_str().unwrap().to_owned();
    let event = json!({"notification_id": id, "event": "credential_accepted"}).to_string();
    assert_eq!(waits.bound.call("/notification", JSON, &waits.token, event).await.status, 204);
}

/// Two officers who decide otherwise at the same moment: one verdict stands, and what is collected is as it says.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_verdicts_at_once_one_stands() {
    for _ in 0..6 {
        let council = Council::deferring().await;
        let waits = Waits::new(&council).await;
        let reference = reference(&council).await;
        let decide = |verdict| deferral::decide(&council.app, &reference, verdict);
        let (yes, no, early) =
            tokio::join!(decide(Verdict::Approve), decide(Verdict::Refuse), waits.collect(&waits.id));
        assert!(yes.is_ok() != no.is_ok());
        assert!(matches!(early.status.as_u16(), 200 | 202 | 400));
        assert!(no.is_err() || early.status != 200, "what was refused was not handed out");
        let late = waits.collect(&waits.id).await;
        let expected = match (early.status == 200, yes.is_ok()) {
            (true, _) => (400, "invalid_transaction_id"),
            (false, true) => (200, ""),
            (false, false) => (400, "credential_request_denied"),
        };
        let code = late.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!((late.status.as_u16(), code.as_str()), expected);
    }
}

#[tokio::test]
async fn a_transaction_is_its_own_wallets_whole_and_for_that_alone() {
    let council = Council::deferring().await;
    let (waits, other) = (Waits::new(&council).await, Waits::new(&council).await);
    for pending in deferral::waiting(&council.app, None).await.unwrap() {
        deferral::decide(&council.app, &pending.reference, Verdict::Approve).await.unwrap();
    }
    let unknown = (400, "invalid_transaction_id".to_owned());
    let cut = &waits.id[..waits.id.len() - 1];
    for id in
        [cut, &format!("{}A", waits.id), &format!(" {}", waits.id), &other.id, &swapped(&waits.id), "\u{0}"]
    {
        assert_eq!(waits.collect(id).await.refused(), unknown, "{id:?}");
    }
    assert_eq!(waits.collect("").await.refused().0, 400);
    // A thief of the token without its key, and the wallet's key without the token.
    let thief = Bound { wallet: Wallet::new(&council, 2), key: SigningKey::generate().unwrap() };
    let body = json!({"transaction_id": waits.id}).to_string();
    let stolen = thief.call("/deferred", JSON, &waits.token, body.clone()).await;
    assert_eq!(stolen.refused(), refused("invalid_token"));
    let crossed = waits.bound.call("/deferred", JSON, &other.token, body).await;
    assert_eq!(crossed.refused(), refused("invalid_token"));
    // A transaction is no notification.
    let event = json!({"notification_id": waits.id, "event": "credential_deleted"}).to_string();
    let reply = waits.bound.call("/notification", JSON, &waits.token, event).await;
    assert_eq!(reply.refused(), (400, "invalid_notification_id".to_owned()));
    for wallet in [&waits, &other] {
        let reply = wallet.collect(&wallet.id).await;
        assert_eq!(wallet.bound.wallet.open(&reply).len(), 2);
    }
    let told = council.app.store().notified().await.unwrap();
    assert_eq!(told, [0, 0, 0]);
}

/// What a wallet may say of a batch: of its own, by its whole id, while its token lives.
#[tokio::test]
async fn notifications_are_not_guessed() {
    let council = Council::enrolled().await;
    let (one, other) = (Wallet::new(&council, 1), Wallet::new(&council, 1));
    let first = one.token(&council.offer(Kind::Plain).await).await;
    let second = other.token(&council.offer(Kind::Plain).await).await;
    let issued = one.ask_plain(&first, &one.nonce().await).await;
    other.ask_plain(&second, &other.nonce().await).await;
    let id = issued.json()["notification_id"].as_str().unwrap().to_owned();
    let tell = async |token: &str, id: &str| {
        let request = axum::http::Request::post("/notification")
            .header("content-type", JSON)
            .header("authorization", format!("Bearer {token}"));
        let body = json!({"notification_id": id, "event": "credential_deleted"}).to_string();
        council.call(request.body(Body::from(body)).unwrap()).await
    };
    for (token, id) in [(&second, id.as_str()), (&first, &id[1..]), (&first, &swapped(&id)), (&first, "")] {
        assert_eq!(tell(token, id).await.refused().0, 400, "{id}");
    }
    assert_eq!(council.app.store().notified().await.unwrap(), [0, 0, 0]);
    assert_eq!(tell(&first, &id).await.status, 204);
    council.clock.advance(300);
    assert_eq!(tell(&first, &id).await.refused(), refused("invalid_token"));
    assert_eq!(council.app.store().notified().await.unwrap(), [0, 0, 1]);
}

#[cfg(feature = "mutants")]
#[tokio::test]
async fn what_is_forgotten_too_early_is_taken_again() {
    use vouchsafe_mutants::without_async;
    assert!(without_async("vci-proof-kept", replay_a_proof_where_the_clock_is_behind()).await);
    assert!(without_async("vci-nonce-kept", replay_a_nonce_where_the_clock_is_behind()).await);
}

/// The helper above signs as the library does: what it sends is refused for what was spoilt alone.
#[tokio::test]
async fn an_honest_proof_of_our_own_making_is_taken() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    let token = bound.token(&council.offer(Kind::Plain).await).await;
    let at = Try { bound: &bound, path: "/deferred", token: &token };
    assert_eq!(at.send(&at.claims().await, &bound.key).await.status, 400);
    let url = format!("{ISSUER}/deferred");
    let call = Call { method: "POST", url: &url, token: Some(&token), now: council.app.now() };
    let nonce = bound.proof_nonce().await;
    let unsigned = dpop::unsigned(bound.key.public(), &call, "1", Some(&nonce));
    assert_eq!(at.with("DPoP", &[sign(unsigned, &bound.key).await.unwrap()]).await.status, 400);
}
