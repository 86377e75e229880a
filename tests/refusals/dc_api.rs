//! Requests and answers through the browser, and the transaction data that both carry (OpenID4VP 1.0, appendix A; 8.4).
//!
//! In process, by the steps of a wallet and of a verifier: no service of ours asks this way yet. A mutation is a list of
//! commands separated by ` ; `:
//!
//! | command | what it does |
//! |---|---|
//! | `header EDIT`, `claims EDIT` | edits the request object; the service signs again |
//! | `entry EDIT` | edits the first entry of the transaction data before it is encoded |
//! | `entries JSON` | other transaction data in its place |
//! | `as rogue` | certificate and key of another party |
//! | `unsigned` | the request in clear, without an object |
//! | `browser EDIT` | edits what the page gives to the browser |
//! | `origin TEXT` | the origin that the browser names |
//! | `binding EDIT` | edits the key binding of an answer; the holder signs again |
//! | `other-entry` | the key binding covers an entry of another request |
//! | `token EDIT` | edits `vp_token` |
//! | `in-clear` | the answer is not encrypted |
//! | `kid TEXT` | the answer is encrypted to a key of that name |
//! | `data EDIT` | edits what the page gets back |
//!
//! `{hash}` in an answer's command stands for the hash of the entry that was asked for, `{decoded}` for that of its text
//! decoded.

use serde_json::{Value, json};
use vouchsafe_protocol::answer::Presented;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::encoding::{b64, b64u, b64u_decode, sha256};
use vouchsafe_protocol::jose::jwe::{Recipient, encrypt};
use vouchsafe_protocol::jose::x5c::{Anchor, validate};
use vouchsafe_protocol::jose::{Alg, KeyAgreement as _, NamedJwk};
use vouchsafe_protocol::openid4vp::dc_api::{self, Answer, Draft, Expected, Mode};
use vouchsafe_protocol::openid4vp::response::Opener;
use vouchsafe_protocol::openid4vp::transaction_data::{self, Entry, TransactionType};
use vouchsafe_protocol::openid4vp::{Asked, Party, ReplyTo, client_id};
use vouchsafe_protocol::sd_jwt::Unverified;
use vouchsafe_protocol::sd_jwt::key_binding;
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::Judge;
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, SigningKey};

use crate::forge::{Credential, sign};
use crate::openid4vp::edit;
use crate::runner::{Seen, Surface, run};
use crate::world::{BUSES, NOON, World};

const ORIGIN: &str = "https://apply.larkfield.example";
const ANOTHER: &str = "https://other.larkfield.example";
const NONCE: &str = "0123456789abcdefghijklmnop";
const KID: &str = "tx-9";

/// A type of transaction data that this wallet knows, and no other.
const PAYMENT: TransactionType = TransactionType {
    name: "https://larkfield.example/transactions/payment",
    members: &["amount"],
    is_of_form: |members| members.get("amount").is_some_and(Value::is_string),
};

/// A service, its request, and the key to its answer.
struct Town {
    world: World,
    asked: Asked,
    key: AgreementKey,
}

impl Town {
    async fn new() -> Self {
        let world = World::new().await;
        let key = AgreementKey::generate(&OsEntropy::new());
        let rules = world.app.rules();
        let party = Party {
            service: BUSES.to_owned(),
            client_id: client_id(&sha256(&world.request.certificate)),
            nonce: NONCE.to_owned(),
            state_sha256: sha256(""),
            reply_to: ReplyTo::Origin(ORIGIN.to_owned()),
            encryption_key: Some(key.public().thumbprint()),
        };
        let policy = rules.policies["plain"].as_ref().clone();
        let asked = Asked::new(party, policy, rules.register.tables().clone(), NOON.london_date()).unwrap();
        let entry = Entry::parse(&b64u(entry().to_string())).unwrap();
        Self { world, asked: asked.with_transaction_data(vec![entry]), key }
    }

    fn named(&self, kid: &str) -> NamedJwk {
        NamedJwk {
            key: self.key.public().clone(),
            kid: Some(kid.to_owned()),
            usage: Some("enc".to_owned()),
            alg: Some("ECDH-ES".to_owned()),
        }
    }

    fn draft<T>(&self, take: impl FnOnce(Draft<'_>) -> T) -> T {
        let (rules, key) = (self.world.app.rules(), self.named(KID));
        take(Draft {
            asked: &self.asked,
            mode: Mode::Encrypted,
            encryption_key: Some(&key),
            service: rules.register.service(BUSES).unwrap(),
            purpose: rules.register.purpose("pass").unwrap(),
            expected_origins: &[ANOTHER.to_owned(), ORIGIN.to_owned()],
            iat: NOON,
            exp: NOON.plus(300),
        })
    }
}

fn entry() -> Value {
    json!({"type": PAYMENT.name, "credential_ids": ["q0"], "amount": "12.00"})
}

fn commands(mutation: &str) -> impl Iterator<Item = (&str, &str)> {
    let commands = mutation.split(" ; ").filter(|command| !command.is_empty());
    commands.map(|command| command.split_once(' ').unwrap_or((command, "")))
}

fn seen<T, E: std::fmt::Debug>(result: Result<T, E>) -> Seen {
    match result {
        Ok(_) => Seen { status: 200, code: String::new(), reason: String::new() },
        Err(fault) => Seen { status: 400, code: format!("{fault:?}"), reason: String::new() },
    }
}

/// What a page asks, as a wallet takes it.
struct Requests(Town);

/// A request on its way.
struct Sent {
    header: Value,
    claims: Value,
    entry: Value,
    entries: Option<Value>,
    key: SigningKey,
}

impl Requests {
    fn object(&self) -> Sent {
        let certificate = self.0.world.request.certificate.to_vec();
        let unsigned = self.0.draft(|draft| draft.unsigned(Alg::Es256, &[certificate]));
        let input = String::from_utf8(unsigned.signing_input().to_vec()).unwrap();
        let part = |at: usize| {
            serde_json::from_slice(&b64u_decode(input.split('.').nth(at).unwrap()).unwrap()).unwrap()
        };
        let key = self.0.world.request.key.clone();
        Sent { header: part(0), claims: part(1), entry: entry(), entries: None, key }
    }

    /// What the browser hands over, and the origin that it names.
    fn make(&self, mutation: &str) -> (Value, String) {
        let mut sent = self.object();
        for (command, rest) in commands(mutation) {
            match command {
                "header" => edit(&mut sent.header, rest),
                "claims" => edit(&mut sent.claims, rest),
                "entry" => edit(&mut sent.entry, rest),
                "entries" => sent.entries = Some(serde_json::from_str(rest).unwrap()),
                "as" => self.pose(&mut sent),
                _ => {}
            }
        }
        let mut request = dc_api::signed(&sent.sign());
        let mut origin = ORIGIN.to_owned();
        for (command, rest) in commands(mutation) {
            match command {
                "unsigned" => request = self.0.draft(|draft| draft.in_clear()),
                "browser" => edit(&mut request, rest),
                "origin" => rest.clone_into(&mut origin),
                "header" | "claims" | "entry" | "entries" | "as" => {}
                _ => panic!("dc-request: no command {command}"),
            }
        }
        (request, origin)
    }

    /// A rogue with a valid certificate of its own.
    fn pose(&self, sent: &mut Sent) {
        sent.key = SigningKey::generate().unwrap();
        let leaf = self.0.world.ca.signer("https://rogue.example", sent.key.clone(), NOON).unwrap();
        sent.header["x5c"] = json!([b64(&leaf.certificate)]);
    }

    fn review(&self, (request, origin): &(Value, String)) -> Seen {
        let trust = &self.0.world.trust;
        let judge = Judge { registrar: &trust.registrar, last_seen: 0, now: NOON, verifier: &Jws };
        let anchors = &trust.anchors;
        let expected = Expected { origin, env: Env::Test, anchors, judge, types: &[PAYMENT] };
        seen(dc_api::verify(request, &expected))
    }
}

impl Sent {
    fn sign(mut self) -> String {
        // An attack on the claim itself is left as it is.
        if let Some(sent) = self.claims.get_mut("transaction_data") {
            *sent = self.entries.unwrap_or_else(|| json!([b64u(self.entry.to_string())]));
        }
        sign(&self.header.to_string(), &self.claims.to_string(), &self.key)
    }
}

impl Surface for Requests {
    const NAME: &'static str = "dc-request";

    type Case = ();

    async fn new() -> Self {
        Self(Town::new().await)
    }

    async fn open(&self, _: &str) {}

    async fn attack(&self, (): &(), mutation: &str) -> Seen {
        self.review(&self.make(mutation))
    }

    async fn honest(&self, (): &()) -> Seen {
        self.review(&self.make(""))
    }
}

/// What a page gets back, as a verifier takes it.
struct Answers(Town);

impl Answers {
    /// The presentation of an honest plain copy, its key binding edited.
    fn presentation(&self, mutation: &str) -> String {
        let token = Credential::plain(&self.0.world.ca).sign();
        let asked = &self.0.asked;
        let mut entries = asked.transaction_data().to_vec();
        if commands(mutation).any(|(command, _)| command == "other-entry") {
            let mut other = entry();
            other["amount"] = json!("12000.00");
            entries = vec![Entry::parse(&b64u(other.to_string())).unwrap()];
        }
        let covers = transaction_data::claims(&entries, &["q0".to_owned()], "q0").unwrap();
        let mut binding = token.bind(&asked.party().audience(), NONCE, covers);
        for (_, rest) in commands(mutation).filter(|(command, _)| *command == "binding") {
            edit(&mut binding.claims, &self.filled(rest));
        }
        token.covered() + &binding.sign()
    }

    fn filled(&self, command: &str) -> String {
        let text = self.0.asked.transaction_data()[0].text();
        let (hash, decoded) = (b64u(sha256(text)), b64u(sha256(b64u_decode(text).unwrap())));
        command.replace("{hash}", &hash).replace("{decoded}", &decoded)
    }

    /// What the browser gives to the page.
    fn make(&self, mutation: &str) -> Value {
        let mut token = json!({"q0": [self.presentation(mutation)]});
        let (mut kid, mut clear) = (KID.to_owned(), false);
        for (command, rest) in commands(mutation) {
            match command {
                "token" => edit(&mut token, rest),
                "kid" => rest.clone_into(&mut kid),
                "in-clear" => clear = true,
                "binding" | "other-entry" | "data" => {}
                _ => panic!("dc-answer: no command {command}"),
            }
        }
        let body = json!({"vp_token": token});
        let mut data = if clear { body } else { json!({"response": self.seal(&body, &kid)}) };
        for (_, rest) in commands(mutation).filter(|(command, _)| *command == "data") {
            edit(&mut data, rest);
        }
        data
    }

    fn seal(&self, body: &Value, kid: &str) -> String {
        let (entropy, to) = (OsEntropy::new(), self.0.named(kid));
        let request = self.0.draft(|draft| draft.in_clear());
        let enc = vouchsafe_protocol::jose::jwe::Enc::A256Gcm;
        assert!(request["data"]["client_metadata"].to_string().contains("A256GCM"));
        let recipient = Recipient::new(&to.key, to.kid.as_deref(), enc);
        let ephemeral = Box::new(AgreementKey::generate(&entropy));
        let mut rng = EntropyRng(&entropy);
        encrypt(body.to_string().as_bytes(), &recipient, ephemeral, &RingAead, &mut rng).unwrap()
    }

    /// The steps of a verifier, over what it recorded: the reason of the first that refuses.
    fn judge(&self, data: &Value) -> Result<(), String> {
        fn why<E: std::fmt::Debug>(fault: E) -> String {
            format!("{fault:?}")
        }
        let asked = &self.0.asked;
        let opener = Opener { kid: KID, key: &self.0.key, aead: &RingAead };
        let answer = Answer::parse(data.to_string().as_bytes()).map_err(why)?;
        let vp_token = answer.open(Mode::Encrypted, Some(opener)).map_err(why)?;
        asked.choose(vp_token.queries()).map_err(why)?;
        let text = vp_token.presentation("q0").ok_or("Nothing")?;
        let aud = asked.party().audience();
        let expected = key_binding::Expected { aud: &aud, nonce: NONCE, now: NOON, max_age: 300 };
        let bound = Unverified::parse(text).map_err(why)?.check_binding(&expected).map_err(why)?;
        let anchors = [Anchor::from_der(self.0.world.ca.certificate().to_vec()).unwrap()];
        let leaf = validate(bound.parts().x5c().unwrap_or_default(), &anchors, NOON, &Jws).map_err(why)?;
        let signed = bound.check_signatures(leaf.into(), &Jws).map_err(why)?;
        let conditions = Rules { now: NOON, audience: &aud, status: Status::NotInType };
        let verified = signed.accept(&conditions).map_err(why)?;
        let rules = self.0.world.app.rules();
        let presented = Presented::new(asked, [("q0".to_owned(), verified)].into()).map_err(why)?;
        let trusted = presented.check_trust(asked, &rules.register, Env::Test).map_err(why)?;
        let complete = trusted.check_complete(asked).map_err(why)?;
        let committed = complete.check_commitments(asked, &rules.types).map_err(why)?;
        let judged = committed.check_proof().map_err(why)?.judge(asked, None);
        if judged.outcome == Outcome::Met { Ok(()) } else { Err(why(judged.outcome)) }
    }

    fn take(&self, data: &Value) -> Seen {
        match self.judge(data) {
            Ok(()) => seen(Ok::<_, ()>(())),
            Err(code) => Seen { status: 400, code, reason: String::new() },
        }
    }
}

impl Surface for Answers {
    const NAME: &'static str = "dc-answer";

    type Case = ();

    async fn new() -> Self {
        Self(Town::new().await)
    }

    async fn open(&self, _: &str) {}

    async fn attack(&self, (): &(), mutation: &str) -> Seen {
        self.take(&self.make(mutation))
    }

    async fn honest(&self, (): &()) -> Seen {
        self.take(&self.make(""))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dc_requests() {
    run::<Requests>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dc_answers() {
    run::<Answers>().await;
}
