//! What the body signs of a month: totals and texts that are only proved, honest or not.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};
use vouchsafe_proofs::commitment::{Seed, commit};
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::{Alg, PublicJwk};
use vouchsafe_protocol::openid4vci::credential::{self, Copy, Openings, ResponseKey};
use vouchsafe_protocol::sd_jwt::Builder;
use vouchsafe_protocol::time::DAY;
use vouchsafe_protocol::types::{CodeLists, CredentialType};
use vouchsafe_protocol::zkc;
use vouchsafe_service::entropy::{self, EntropyRng, OsEntropy};
use vouchsafe_wallet::http::Incoming;

use super::{COPIES, ISSUER, Issuer, NOW, Spoil, both, sealed};

const TOTAL: u64 = 184_000;
pub(crate) const MONTH: &str = "2026-10";

pub(super) fn described() -> CredentialType {
    CredentialType::from_json(&json!({
        "id": "pay", "vct": "https://larkfield.example/types/pay/1", "name": both("Pay of a month"), "ttl_days": 60,
        "batch": COPIES, "status": true, "period": "month",
        "attributes": [
            {"pointer": "/person", "column": "number", "label": both("number"), "kind": "text", "answer": ["prove"],
             "pattern": "AA-9999", "unit": "https://larkfield.example/ids/person"},
            {"pointer": "/total", "column": "total", "label": both("pay"), "kind": "money", "answer": ["prove"],
             "lo": "1", "hi": "10000000"},
        ]
    }))
    .unwrap()
}

impl Issuer {
    pub(super) async fn paid(&self, keys: &[PublicJwk], to: Option<&ResponseKey>) -> Incoming {
        let (entropy, made) = (OsEntropy::new(), AtomicUsize::new(0));
        let shared = entropy::bytes(&entropy);
        let mut copies = Vec::new();
        for key in keys {
            let own = entropy::bytes(&entropy);
            let seed = Seed::new(if self.spoil == Spoil::ReusedSeed { shared } else { own });
            copies.push(self.pay_copy(key, seed, made.fetch_add(1, Ordering::SeqCst)).await);
        }
        sealed(200, &credential::write_response(&copies, None), to)
    }

    async fn pay_copy(&self, key: &PublicJwk, seed: Seed, number: usize) -> Copy {
        let (pay, midnight) = (described(), NOW.day_start().0);
        let said = if self.spoil == Spoil::Negative { json!(-10_000) } else { json!(TOTAL) };
        let mut values =
            Map::from_iter([("/person".to_owned(), json!("LD-0042")), ("/total".to_owned(), said)]);
        let mut zkc = zkc_of(&pay, &seed, self.spoil);
        self.spoil_zkc(number, &mut zkc, &mut values);
        let status = json!({"status_list": {"idx": 7 * number, "uri": format!("{ISSUER}/status/a")}});
        let mut claims = Map::from_iter([
            ("iss".to_owned(), json!(ISSUER)),
            ("vct".to_owned(), json!(pay.proof_vct())),
            ("iat".to_owned(), json!(midnight)),
            ("exp".to_owned(), json!(midnight + 60 * DAY)),
            ("facts_as_of".to_owned(), json!("2026-11-01")),
            ("status".to_owned(), status),
            ("zkc".to_owned(), zkc),
        ]);
        claims.extend(self.month(number).map(|month| ("period".to_owned(), json!(month))));
        let header = NewHeader::new(Alg::Es256, "dc+sd-jwt").x5c(&[&self.leaf.certificate]).encode();
        let builder = Builder::new(claims).holder(key);
        let issuable = builder.build(&header, &mut EntropyRng(&OsEntropy::new())).unwrap();
        let openings = Some(Openings::new(seed, values));
        Copy { credential: issuable.sign(&self.leaf.key).await.unwrap(), openings }
    }

    /// The month that a copy shows.
    fn month(&self, number: usize) -> Option<String> {
        match self.spoil {
            Spoil::ForeignPeriod => Some("2026-12".to_owned()),
            Spoil::OwnPeriods => Some(format!("2026-0{}", number + 1)),
            Spoil::NoPeriod => None,
            _ => Some(MONTH.to_owned()),
        }
    }

    fn spoil_zkc(&self, number: usize, zkc: &mut Value, values: &mut Map<String, Value>) {
        match self.spoil {
            Spoil::WrongUnit => zkc["/total"]["u"] = json!("GBP-pounds"),
            Spoil::RangedText => zkc["/person"]["b"] = json!(32),
            Spoil::OtherPointers if number == 0 => {
                zkc.as_object_mut().unwrap().remove("/total");
                values.remove("/total");
            }
            Spoil::LinkedUnasked => {
                let link = commit(7, &Seed::new([number as u8; 32]).blinding("a", "b", "c"));
                zkc::write_link(zkc, link);
            }
            Spoil::OtherText => values["/person"] = json!("LD-0043"),
            _ => {}
        }
    }
}

fn zkc_of(pay: &CredentialType, seed: &Seed, spoil: Spoil) -> Value {
    let total = if spoil == Spoil::WrongValue { TOTAL - 1 } else { TOTAL };
    let hidden = |pointer: &str| match pointer {
        "/total" => json!(if spoil == Spoil::Negative { 1 } else { total }),
        _ => json!("LD-0042"),
    };
    let members: Vec<_> = pay
        .provable()
        .map(|attribute| {
            let r = seed.blinding(ISSUER, &pay.proof_vct(), &attribute.pointer);
            let hidden = attribute.hidden(&hidden(&attribute.pointer), &CodeLists::default()).unwrap();
            (attribute.pointer.as_str(), attribute.form().unwrap(), hidden.commit(attribute.unit(), &r))
        })
        .collect();
    zkc::write(members.iter().map(|(pointer, form, c)| (*pointer, form, *c)))
}
