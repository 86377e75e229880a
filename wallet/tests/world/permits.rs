//! The verifier's side of permissions, honest or not: what it asks to be permitted, its records, its answers to calls.

use std::sync::{Arc, Mutex};

use jiff::civil::Date;
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::jose::jws::{NewHeader, Unsigned};
use vouchsafe_protocol::jose::{Alg, NamedJwk, Signer as _};
use vouchsafe_protocol::json as canonical;
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::transaction_data::Entry;
use vouchsafe_protocol::permission::call::{Call, Do};
use vouchsafe_protocol::permission::record::{About, Claims, Event, Happening, Record, Route, TYP};
use vouchsafe_protocol::permission::{Jkt, Payment};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{Basis, Purpose};
use vouchsafe_service::keys::{Jws, SigningKey};
use vouchsafe_wallet::http::{HttpError, Incoming};

use super::service::{Service, granted};
use super::{World, both, reply};

pub(crate) const VERIFIER: &str = "https://verify.example";
pub(crate) const PAYEE: &str = "Larkfield Housing Trust";

/// What a verifier does to a record, or to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoilt {
    None,
    /// Nobody answers.
    Unreachable,
    /// No room.
    Busy,
    /// Knows no such permission.
    NotThere,
    /// Answers with a page.
    Page,
    /// Answers with something else than a record.
    Nonsense,
    /// Another key signs, under the name of the published one.
    Forged,
    /// Another key signs, and is published nowhere.
    Unpublished,
    /// Another key signs, and is published under the old name.
    Swapped,
    /// In the name of another verifier.
    Issuer,
    /// Of another service.
    Service,
    /// Of somebody else's permission.
    Other,
    /// Signed tomorrow.
    Future,
    /// Signed an hour ago.
    Older,
    /// With a short id.
    Jti,
    /// Of consent, or of none.
    Basis,
    /// Under another policy.
    Policy,
    /// Of another version of the purpose.
    Purpose,
    /// About another entry.
    Entry,
    /// Without its last event.
    Dropped,
    /// With an earlier first event.
    Rewritten,
    /// With another notice than before.
    Facts,
    /// A withdrawal is not appended.
    Deaf,
}

/// A permission that was granted.
struct Row {
    jkt: Jkt,
    asked: Asked,
    purpose: Purpose,
    events: Vec<Event>,
}

/// A change of the claims of a request.
pub(crate) type Alter = fn(&mut Value);

#[derive(Default)]
struct Said {
    salt: u8,
    payment: Option<Payment>,
    /// The entry that is asked under again, and when it was given.
    again: Option<(String, Date)>,
    alter: Option<Alter>,
    spoilt: Option<Spoilt>,
    /// Whether the registrar has a newer version of the purpose.
    newer: bool,
    rows: Vec<Row>,
    calls: Vec<Do>,
    jtis: Vec<String>,
    asks: Vec<String>,
}

/// The office that keeps permissions.
pub(crate) struct Permits {
    key: SigningKey,
    swap: SigningKey,
    said: Mutex<Said>,
}

impl Permits {
    pub(crate) fn new() -> Self {
        let payment = Payment::new(12_000, PAYEE, "RENT 0042").unwrap();
        let said = Said { salt: 7, payment: Some(payment), ..Said::default() };
        let [key, swap] = std::array::from_fn(|_| SigningKey::generate().unwrap());
        Self { key, swap, said: Mutex::new(said) }
    }

    /// What is asked, with the entry that its policy asks for.
    pub(crate) fn authorising(&self, asked: Asked) -> Asked {
        let said = self.said.lock().unwrap();
        let Some(permission) = asked.policy().permission.clone() else { return asked };
        if let Some((entry, given)) = &said.again {
            return asked.taking_again(Entry::parse(entry).unwrap(), *given).unwrap();
        }
        let payment = said.payment.clone().filter(|_| permission.at_most_pence.is_some());
        asked.authorising(&[said.salt; 16], payment).unwrap()
    }

    /// Changes the claims of every request from now on.
    pub(crate) fn alter(&self, alter: Option<Alter>) {
        self.said.lock().unwrap().alter = alter;
    }

    pub(crate) fn altered(&self) -> Option<Alter> {
        self.said.lock().unwrap().alter
    }

    pub(crate) fn spoil(&self, spoilt: Spoilt) {
        self.said.lock().unwrap().spoilt = Some(spoilt);
    }

    /// Asks by a fresh entry from now on.
    pub(crate) fn ask_anew(&self) {
        let mut said = self.said.lock().unwrap();
        said.salt += 1;
        said.again = None;
    }

    /// Asks once more by the entry of the newest permission, with that link.
    pub(crate) fn ask_again(&self, link: String) {
        let mut said = self.said.lock().unwrap();
        let row = said.rows.last().unwrap();
        let entry = row.asked.terms().unwrap().entry().text().to_owned();
        let given = row.asked.as_of();
        said.again = Some((entry, given));
        said.asks = vec![link];
    }

    /// Another payment from now on.
    pub(crate) fn pays(&self, payment: Payment) {
        self.said.lock().unwrap().payment = Some(payment);
    }

    /// The registrar has a newer version of the purpose from now on.
    pub(crate) fn renew_purpose(&self) {
        self.said.lock().unwrap().newer = true;
    }

    pub(crate) fn purpose_is_newer(&self) -> bool {
        self.said.lock().unwrap().newer
    }

    pub(crate) fn calls(&self) -> Vec<Do> {
        self.said.lock().unwrap().calls.clone()
    }

    /// Something happens to the newest permission.
    pub(crate) fn happens(&self, what: Happening, at: UnixTime) {
        self.said.lock().unwrap().rows.last_mut().unwrap().events.push(Event { at, what });
    }

    pub(crate) fn jwks(&self) -> Incoming {
        let swapped = self.said.lock().unwrap().spoilt == Some(Spoilt::Swapped);
        let key = if swapped { &self.swap } else { &self.key }.public().clone();
        let kid = Some(self.kid());
        let key = NamedJwk { key, kid, usage: Some("sig".to_owned()), alg: Some("ES256".to_owned()) };
        reply(200, "application/jwk-set+json", json!({"keys": [key.to_value()]}).to_string())
    }

    fn kid(&self) -> String {
        b64u(self.key.public().thumbprint())
    }

    /// Answers a call by a permission's key.
    pub(crate) fn call(&self, body: &[u8], now: UnixTime) -> Result<Incoming, HttpError> {
        let not_there = || Ok(reply(404, "application/problem+json", "{}"));
        let spoilt = self.said.lock().unwrap().spoilt.unwrap_or(Spoilt::None);
        match spoilt {
            Spoilt::Unreachable => return Err(HttpError::Unreachable),
            Spoilt::Busy => return Ok(reply(503, "application/problem+json", "{}")),
            Spoilt::Page => return Ok(reply(200, "text/html", json!({"asks": []}).to_string())),
            Spoilt::Nonsense => {
                return Ok(reply(200, "application/json", json!({"record": "x.y.z"}).to_string()));
            }
            _ => {}
        }
        let text = std::str::from_utf8(body).unwrap();
        let called = Call::verify(text, VERIFIER, now, 60, &Jws).unwrap();
        let mut said = self.said.lock().unwrap();
        assert!(!said.jtis.contains(&called.jti().to_owned()), "a call is made once");
        said.jtis.push(called.jti().to_owned());
        said.calls.push(called.what());
        let asks = said.asks.clone();
        let Some(row) = said.rows.iter_mut().find(|row| row.jkt == called.jkt()) else { return not_there() };
        if spoilt == Spoilt::NotThere {
            return not_there();
        }
        let withdrawn = row.events.iter().any(|event| matches!(event.what, Happening::Withdrawn { .. }));
        if called.what() == Do::Withdraw && !withdrawn && spoilt != Spoilt::Deaf {
            row.events.push(Event { at: now, what: Happening::Withdrawn { route: Route::Wallet } });
        }
        let record = self.signed(row, spoilt, now);
        Ok(reply(200, "application/json", json!({"record": record, "asks": asks}).to_string()))
    }

    /// The record of a permission, signed, and spoilt.
    fn signed(&self, row: &Row, spoilt: Spoilt, now: UnixTime) -> String {
        let record = recorded(row, spoilt);
        let claims = Claims {
            iss: if spoilt == Spoilt::Issuer { "https://other.example" } else { VERIFIER }.to_owned(),
            aud: if spoilt == Spoilt::Service { "https://trams.example" } else { &row.asked.party().service }
                .to_owned(),
            jti: b64u(if spoilt == Spoilt::Jti { &[5_u8; 8][..] } else { &[5; 16] }),
            iat: match spoilt {
                Spoilt::Future => now.plus(86_400),
                Spoilt::Older => row.events.last().unwrap().at,
                _ => now,
            },
            record,
        };
        let another = SigningKey::generate().unwrap();
        let (key, kid) = match spoilt {
            Spoilt::Forged => (&another, self.kid()),
            Spoilt::Swapped => (&self.swap, self.kid()),
            Spoilt::Unpublished => (&another, b64u(another.public().thumbprint())),
            _ => (&self.key, self.kid()),
        };
        let header = NewHeader::new(Alg::Es256, TYP).kid(&kid).encode();
        let unsigned = Unsigned::new(&header, &claims).unwrap();
        let signature = key.sign_now(unsigned.signing_input()).unwrap();
        unsigned.finish(&signature)
    }
}

fn recorded(row: &Row, spoilt: Spoilt) -> Record {
    let (mut asked, mut purpose, mut events) = (row.asked.clone(), row.purpose.clone(), row.events.clone());
    let mut principal = row.jkt;
    match spoilt {
        Spoilt::Other => principal = Jkt::of(SigningKey::generate().unwrap().public()),
        Spoilt::Basis if purpose.basis == Basis::Consent => purpose.basis = Basis::PublicTask,
        Spoilt::Basis => purpose.basis = Basis::Consent,
        Spoilt::Purpose => purpose.version += 1,
        Spoilt::Facts => {
            purpose.record.as_mut().unwrap().notice = "https://larkfield.example/other".to_owned()
        }
        Spoilt::Dropped => drop(events.pop()),
        Spoilt::Rewritten => events[0].at = events[0].at.minus(1),
        Spoilt::Policy | Spoilt::Entry => asked = other(&row.asked, spoilt),
        _ => {}
    }
    let about = About {
        id: [9; 16],
        principal: Some(principal),
        asked: &asked,
        purpose: &purpose,
        withdraw_at: "https://verify.example/withdraw",
    };
    let mut events = events.into_iter();
    let mut record = Record::new(&about, events.next().unwrap()).unwrap();
    events.for_each(|event| record.append(event).unwrap());
    record
}

/// The same question by another policy, or with another entry.
fn other(asked: &Asked, spoilt: Spoilt) -> Asked {
    let (party, tables, as_of) = (asked.party().clone(), asked.tables().clone(), asked.as_of());
    let mut policy = asked.policy().value().clone();
    if spoilt == Spoilt::Policy {
        policy["version"] = json!(2);
    }
    let policy = vouchsafe_protocol::policy::Policy::from_json(policy).unwrap();
    let anew = Asked::new(party, policy, tables, as_of).unwrap();
    if spoilt == Spoilt::Policy {
        return anew.taking(asked.transaction_data().to_vec()).unwrap();
    }
    let payment = Payment::new(12_000, PAYEE, "RENT 0042").unwrap();
    let payment = asked.policy().permission.as_ref().unwrap().at_most_pence.map(|_| payment);
    anew.authorising(&[99; 16], payment).unwrap()
}

impl World {
    /// The service decides by the newest answer, and records what it permits.
    pub(crate) fn decides(self: &Arc<Self>) -> bool {
        let posts = self.service.posts();
        let (asked, granted) = granted(self, posts.last().unwrap());
        let Some(granted) = granted else { return false };
        let purpose = self.service.purpose().clone();
        let mut said = self.service.permits.said.lock().unwrap();
        if said.rows.iter().all(|row| row.jkt != *granted.jkt()) {
            let events = vec![Event { at: self.now(), what: Happening::Given }];
            said.rows.push(Row { jkt: *granted.jkt(), asked, purpose, events });
        }
        true
    }

    /// How many permissions it has on record.
    pub(crate) fn recorded(&self) -> usize {
        self.service.permits.said.lock().unwrap().rows.len()
    }
}

impl Service {
    /// Asks to be permitted something as well from now on.
    pub(crate) fn ask_to_permit(&self, permission: Value) {
        self.change(|policy| policy["permission"] = permission);
    }

    /// Asks for the purpose whose basis is consent from now on.
    pub(crate) fn ask_for_consent(&self) {
        self.change(|policy| policy["purpose"] = json!("reminders"));
    }
}

pub(crate) fn payment() -> Value {
    json!({"kind": "payment", "for_days": 30, "at_most_pence": 20_000})
}

pub(crate) fn standing() -> Value {
    json!({"kind": "standing", "for_days": 365, "every_days": 3})
}

pub(crate) fn sharing() -> Value {
    json!({"kind": "sharing", "for_days": 90, "uses": 3, "with": "https://foodbank.example"})
}

pub(crate) fn action() -> Value {
    json!({"kind": "action", "for_days": 30, "uses": 1, "action": "remind"})
}

/// What a purpose says that lets every kind be asked for.
pub(crate) fn allow(purpose: &mut Value) {
    purpose["permissions"] = json!(["payment", "standing", "sharing", "action"]);
    purpose["actions"] = json!([{"id": "remind", "text": both("Remind me by post.")}]);
    purpose["sharing"] = json!([{"id": "https://foodbank.example", "name": both("The food bank"),
        "address": "2 Mill Lane, Larkfield", "contact": "https://foodbank.example/contact", "type": "non_profit"}]);
    purpose["recheck_days"] = json!(2);
    purpose["record"] = json!({"controller": {"id": "https://larkfield.example", "name": "Larkfield Council",
            "address": "1 Market Square, Larkfield", "contact": "privacy@larkfield.example", "type": "governmental"},
        "notice": "https://larkfield.example/privacy", "storage": both("In Larkfield."),
        "jurisdiction": "GB-ENG", "rights": both("Ask to see or correct it.")});
}

/// Writes the entry of a request anew, after a change.
pub(crate) fn entry(claims: &mut Value, change: impl FnOnce(&mut Value)) {
    let text = claims["transaction_data"][0].as_str().unwrap();
    let mut entry: Value = serde_json::from_slice(&b64u_decode(text).unwrap()).unwrap();
    change(&mut entry);
    claims["transaction_data"][0] = json!(b64u(canonical::canonical(&entry).unwrap()));
}
