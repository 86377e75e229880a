//! What the body signs so that persons can be counted: copies that are linked to the wallet's secret, honest or not.

use jiff::civil::{Date, date};
use serde_json::{Map, Value, json};
use vouchsafe_proofs::commitment::{Commitment, Seed, commit};
use vouchsafe_proofs::encoding::day;
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::{Alg, PublicJwk};
use vouchsafe_protocol::openid4vci::credential::{self, Copy, Openings, ResponseKey};
use vouchsafe_protocol::openid4vci::offer::Offer;
use vouchsafe_protocol::openid4vci::proof::Proofs;
use vouchsafe_protocol::sd_jwt::Builder;
use vouchsafe_protocol::time::DAY;
use vouchsafe_protocol::types::{CredentialType, LINK_SINCE};
use vouchsafe_protocol::zkc;
use vouchsafe_service::entropy::{self, EntropyRng, OsEntropy};
use vouchsafe_wallet::http::Incoming;

use super::{COPIES, ISSUER, Issuer, NOW, Spoil, both, sealed};

/// Since when the wallet is on record.
const SINCE: Date = date(2026, 11, 21);

pub(crate) fn described() -> CredentialType {
    CredentialType::from_json(&json!({
        "id": "card", "vct": "https://larkfield.example/types/card/1", "name": both("Resident card"), "ttl_days": 60,
        "batch": COPIES, "link": true,
        "attributes": [
            {"pointer": LINK_SINCE, "label": both("on record since"), "kind": "date", "answer": ["prove"],
             "lo": "2020-01-01", "hi": "2119-12-31"},
        ]
    }))
    .unwrap()
}

impl Issuer {
    /// An offer of copies that are linked.
    pub(crate) fn card_offer(&self) -> Offer {
        Offer { credential_configuration_ids: vec![described().proof_configuration()], ..self.offer() }
    }

    /// What the copies shall be linked to; the body notes by which name.
    pub(super) fn linked(&self, proofs: &Proofs, link_proof: Option<&str>) -> Vec<Commitment> {
        let linked = proofs.linked(ISSUER, &described().proof_vct(), link_proof).unwrap();
        self.desk.nyms.lock().unwrap().push(linked.nym.to_bytes());
        linked.links
    }

    pub(super) async fn carded(
        &self,
        keys: &[PublicJwk],
        links: &[Commitment],
        to: Option<&ResponseKey>,
    ) -> Incoming {
        let mut copies = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            copies.push(self.card(key, self.link_of(at, links)).await);
        }
        sealed(200, &credential::write_response(&copies, None), to)
    }

    /// The link that a copy gets.
    fn link_of(&self, at: usize, links: &[Commitment]) -> Option<Commitment> {
        match self.spoil {
            Spoil::LinkedToAnother if at == 0 => Some(commit(7, &Seed::new([7; 32]).blinding("a", "b", "c"))),
            Spoil::SwappedLinks => Some(links[(at + 1) % links.len()]),
            Spoil::Unlinked => None,
            Spoil::OneUnlinked if at == 0 => None,
            _ => Some(links[at]),
        }
    }

    async fn card(&self, key: &PublicJwk, link: Option<Commitment>) -> Copy {
        let (card, entropy, midnight) = (described(), OsEntropy::new(), NOW.day_start().0);
        let (vct, seed) = (card.proof_vct(), Seed::new(entropy::bytes(&entropy)));
        let since = commit(day(SINCE).unwrap(), &seed.blinding(ISSUER, &vct, LINK_SINCE));
        let form = card.attribute(LINK_SINCE).unwrap().form().unwrap();
        let mut zkc = zkc::write([(LINK_SINCE, &form, since)]);
        self.put_link(&mut zkc, link);
        let claims = Map::from_iter([
            ("iss".to_owned(), json!(ISSUER)),
            ("vct".to_owned(), json!(vct)),
            ("iat".to_owned(), json!(midnight)),
            ("exp".to_owned(), json!(midnight + 60 * DAY)),
            ("facts_as_of".to_owned(), json!("2026-11-01")),
            ("zkc".to_owned(), zkc),
        ]);
        let header = NewHeader::new(Alg::Es256, "dc+sd-jwt").x5c(&[&self.leaf.certificate]).encode();
        let issuable = Builder::new(claims).holder(key).build(&header, &mut EntropyRng(&entropy)).unwrap();
        let openings =
            Openings::new(seed, Map::from_iter([(LINK_SINCE.to_owned(), json!(SINCE.to_string()))]));
        Copy { credential: issuable.sign(&self.leaf.key).await.unwrap(), openings: Some(openings) }
    }

    /// Puts a link where it belongs.
    fn put_link(&self, claim: &mut Value, link: Option<Commitment>) {
        if let Some(link) = link {
            zkc::write_link(claim, link);
        }
        if self.spoil == Spoil::MarkedLink {
            claim[zkc::LINK]["u"] = json!("42");
        }
    }
}
