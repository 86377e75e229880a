//! OpenID4VCI: calls as the issuer's endpoints receive them, over its real router.
//!
//! A mutation begins with what is called and in which case, and goes on with commands separated by ` ; `:
//! `token`, `credential`, `identified` (the token response gave an identifier), `bearer`, `sealed` (proof copies),
//! `deferred`, `notification`, `put-off` (the token of a type that an officer decides on), `linked` (copies that are linked to
//! the secret of a wallet that is on record), `linked-newcomer` (the same for somebody who has none on record),
//! `replaced-linked` (somebody whose wallet was replaced before, with a new one), and `recorded-token`, `recorded-credential`,
//! `recorded-deferred`: as without the word, for somebody whose wallet is on record and may be replaced.
//!
//! * `dpop EDIT`, `dpop header EDIT` change the proof of the token's key before it is signed; `dpop none`, `dpop twice`,
//!   `dpop key` (another key altogether), `dpop signer` (signed by another), `dpop nonce-of-copies`, `dpop replay`;
//! * `form NAME VALUE`, `form -NAME` change a form; `body EDIT` the JSON of a request, before it is sealed;
//! * `jwt EDIT`, `jwt header EDIT` change the first proof of a copy's key; `jwt signer`, `jwt nonce-of-tokens`;
//! * `link second` (the wallet has another secret), `link neighbours` (it has the secret of somebody else's), `link lost` (it
//!   has the secret of the wallet that was replaced), `link nonce`, `link type`, `link issuer`, `link keys` (the proof is about
//!   another of these), `link one` (one copy has another secret), `link identity` (the registered name is everybody's);
//! * `scheme NAME`, `query TEXT`, `kid TEXT`, `token-of-another`, `after SECONDS`, `replace` (the counter replaces the wallet
//!   before the call arrives).

mod call;
mod linked;
mod office;

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};
use vouchsafe_issuer::store::Verdict;
use vouchsafe_issuer::{Kind, deferral, linking};

use crate::runner::{Seen, Surface, run};
use call::{Call, Key};
use office::{HOLDER, LINKED, NEIGHBOUR, NEWCOMER, Office, Reply};

/// What a case has reached before its call.
pub(crate) struct Case {
    pub(super) stage: String,
    pub(super) offer: vouchsafe_issuer::offer::Offer,
    pub(super) code: String,
    pub(super) key: Key,
    pub(super) token: String,
    /// A transaction or a notification id.
    pub(super) id: String,
    /// Whose wallet it is, by its link secret.
    pub(super) secret: u8,
    /// That of the wallet which the person had before.
    pub(super) lost: u8,
}

struct Issuing {
    office: Office,
    /// The last link secret that a newcomer's wallet had: one that was replaced is of no use again.
    secrets: AtomicU8,
}

impl Issuing {
    async fn token(&self, case: &Case) -> Value {
        let mut honest = Call::token(&self.office, case).await;
        if case.stage == "bearer" {
            honest.dpop.clear();
        }
        if case.stage == "identified" {
            let details = json!([{"type": "openid_credential", "credential_configuration_id": "residency"}]);
            honest.form.push(("authorization_details".to_owned(), details.to_string()));
        }
        honest.send(&self.office).await.json()
    }

    /// Goes as far as the call of the stage needs.
    async fn reach(&self, stage: &str) -> Case {
        match stage {
            "linked" | "linked-newcomer" => {
                // Two wallets are on record, and the newcomer's is not.
                for (person, secret) in [(HOLDER, linked::HOLDERS), (NEIGHBOUR, linked::NEIGHBOURS)] {
                    let case = self.reach_for("linked", person, secret).await;
                    assert!(self.honest(&case).await.is_accepted());
                }
                if stage == "linked" {
                    return self.reach_for(stage, HOLDER, linked::HOLDERS).await;
                }
                linking::release(&self.office.app, NEWCOMER).await.unwrap();
                self.reach_for("linked", NEWCOMER, self.fresh()).await
            }
            "replaced-linked" => {
                let lost = self.record().await;
                self.replace().await;
                Case { lost, ..self.reach_for("linked", NEWCOMER, self.fresh()).await }
            }
            _ => match stage.strip_prefix("recorded-") {
                Some(stage) => {
                    let secret = self.record().await;
                    self.reach_for(stage, NEWCOMER, secret).await
                }
                None => self.reach_for(stage, HOLDER, linked::HOLDERS).await,
            },
        }
    }

    /// The secret of a wallet that nobody has seen yet.
    fn fresh(&self) -> u8 {
        self.secrets.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a wallet of the newcomer's on record; its secret.
    async fn record(&self) -> u8 {
        let _ = linking::release(&self.office.app, NEWCOMER).await.unwrap();
        let secret = self.fresh();
        let case = self.reach_for("linked", NEWCOMER, secret).await;
        assert!(self.honest(&case).await.is_accepted());
        secret
    }

    async fn replace(&self) {
        assert!(linking::release(&self.office.app, NEWCOMER).await.unwrap());
    }

    async fn reach_for(&self, stage: &str, person: &str, secret: u8) -> Case {
        let kind = if matches!(stage, "sealed" | "linked") { Kind::Proof } else { Kind::Plain };
        let type_id = match stage {
            "deferred" | "put-off" => "parking",
            "linked" => LINKED,
            _ => "residency",
        };
        let offer = self.office.offer(type_id, person, kind).await;
        let code = self.office.code(&offer).await;
        let (stage, key) = (stage.to_owned(), Key::new());
        let (token, id, lost) = (String::new(), String::new(), secret);
        let mut case = Case { stage, offer, code, key, token, id, secret, lost };
        if matches!(case.stage.as_str(), "token" | "put-off") {
            return case;
        }
        case.token = self.token(&case).await["access_token"].as_str().unwrap().to_owned();
        if matches!(case.stage.as_str(), "deferred" | "notification") {
            let reply = Call::credential(&self.office, &case).await.send(&self.office).await.json();
            let id = reply.get("transaction_id").or(reply.get("notification_id"));
            case.id = id.and_then(Value::as_str).unwrap().to_owned();
        }
        if case.stage == "deferred" {
            let waiting = deferral::waiting(&self.office.app, None).await.unwrap();
            let reference = &waiting.last().unwrap().reference;
            deferral::decide(&self.office.app, reference, Verdict::Approve).await.unwrap();
        }
        case
    }

    /// The honest call of the case.
    async fn call(&self, case: &Case) -> Call {
        match case.stage.as_str() {
            "token" | "put-off" => Call::token(&self.office, case).await,
            "credential" | "identified" | "bearer" | "sealed" | "linked" => {
                Call::credential(&self.office, case).await
            }
            "deferred" => Call::deferred(&self.office, case).await,
            "notification" => Call::notification(&self.office, case).await,
            stage => panic!("no such stage: {stage}"),
        }
    }

    async fn apply(&self, call: &mut Call, case: &Case, command: &str) {
        match command.split_once(' ').unwrap_or((command, "")) {
            ("token-of-another", _) => {
                let mut other = Box::pin(self.reach("credential")).await;
                std::mem::swap(&mut call.token, &mut other.token);
                call.key = other.key;
                call.bind(&self.office).await;
            }
            ("replace", _) => self.replace().await,
            ("after", seconds) => {
                self.office.clock.advance(seconds.parse().unwrap());
                *call = self.call(case).await;
            }
            (verb, rest) => call.edit(&self.office, verb, rest).await,
        }
    }
}

impl Surface for Issuing {
    const NAME: &'static str = "issuer";

    type Case = Case;

    async fn new() -> Self {
        Self { office: Office::new().await, secrets: AtomicU8::new(linked::NEWCOMERS) }
    }

    async fn open(&self, mutation: &str) -> Case {
        self.reach(mutation.split(' ').next().unwrap()).await
    }

    async fn attack(&self, case: &Case, mutation: &str) -> Seen {
        let mut call = self.call(case).await;
        let commands = mutation.split_once(' ').map_or("", |(_, commands)| commands);
        for command in commands.split(" ; ") {
            self.apply(&mut call, case, command).await;
        }
        seen(&call.send(&self.office).await)
    }

    async fn honest(&self, case: &Case) -> Seen {
        seen(&self.call(case).await.send(&self.office).await)
    }
}

/// What the wallet sees; every 2xx is an acceptance.
fn seen(reply: &Reply) -> Seen {
    let accepted = (200..300).contains(&reply.status);
    let code = if accepted { String::new() } else { reply.code() };
    Seen { status: if accepted { 200 } else { reply.status }, code, reason: String::new() }
}

#[tokio::test]
async fn calls_that_the_issuer_refuses() {
    run::<Issuing>().await;
}
