//! A whole presentation that the independent model made from the profile alone, `specs/vectors/vouchsafe-1/model.json`:
//! register, policy, plan, credential, key binding and proof are accepted here, and the outcome is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use vouchsafe_protocol::answer::{AnswerError, Presented, Proven};
use vouchsafe_protocol::decision::{Evidence, Outcome};
use vouchsafe_protocol::encoding::sha256;
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::jose::x5c::{Anchor, validate};
use vouchsafe_protocol::openid4vp::{Asked, Party, ReplyTo};
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::sd_jwt::Unverified;
use vouchsafe_protocol::sd_jwt::key_binding::Expected;
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status, Verified};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{Judge, Register, TrustFile};
use vouchsafe_protocol::types::CredentialType;

use crate::provider::Ring;

struct Told(Value);

impl Told {
    fn read() -> Self {
        let file: Value = serde_json::from_str(&crate::vector("vouchsafe-1/model.json")).unwrap();
        Self(file["presentation"].clone())
    }

    fn now(&self) -> UnixTime {
        UnixTime(self.0["now"].as_i64().unwrap())
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap()
    }

    fn trust(&self) -> TrustFile {
        TrustFile::parse(self.0["trust"].to_string().as_bytes()).unwrap()
    }

    fn register(&self) -> Register {
        let trust = self.trust();
        let judge = Judge { registrar: &trust.registrar, last_seen: 0, now: self.now(), verifier: &Ring };
        Register::load(self.text("/register"), &judge).unwrap()
    }

    fn asked(&self) -> Asked {
        let party = Party {
            service: self.text("/party/service").to_owned(),
            client_id: self.text("/party/client_id").to_owned(),
            nonce: self.text("/party/nonce").to_owned(),
            state_sha256: sha256(self.text("/party/state")),
            reply_to: ReplyTo::ResponseUri(self.text("/party/response_uri").to_owned()),
            encryption_key: Some(
                PublicJwk::from_value(&self.0["party"]["encryption_key"]).unwrap().thumbprint(),
            ),
        };
        let policy = Policy::from_json(self.0["policy"].clone()).unwrap();
        let as_of = self.text("/as_of").parse().unwrap();
        Asked::new(party, policy, self.register().tables().clone(), as_of).unwrap()
    }

    fn verified(&self, anchors: &[Anchor]) -> Verified {
        let (aud, nonce) = (self.text("/party/client_id"), self.text("/party/nonce"));
        let parts = Unverified::parse(self.text("/vp_token/q0/0")).ok().unwrap();
        let leaf = Arc::new(validate(parts.x5c().unwrap(), anchors, self.now(), &Ring).unwrap());
        let bound =
            parts.check_binding(&Expected { aud, nonce, now: self.now(), max_age: 300 }).ok().unwrap();
        let signed = bound.check_signatures(leaf, &Ring).ok().unwrap();
        signed.accept(&Rules { now: self.now(), audience: aud, status: Status::NotInType }).ok().unwrap()
    }

    fn proven(&self, asked: &Asked) -> Proven {
        let types = [CredentialType::from_json(&self.0["type"]).unwrap()];
        let presented = BTreeMap::from([("q0".to_owned(), self.verified(&self.trust().anchors))]);
        let committed = Presented::new(asked, presented)
            .and_then(|presented| presented.check_trust(asked, &self.register(), Env::Test))
            .and_then(|trusted| trusted.check_complete(asked))
            .and_then(|complete| complete.check_commitments(asked, &types));
        let proven: Result<_, AnswerError> = committed.map(|committed| committed.check_proof());
        proven.ok().unwrap().ok().unwrap()
    }
}

#[test]
fn the_model_and_we_plan_alike() {
    let told = Told::read();
    let asked = told.asked();
    assert_eq!(
        serde_json::to_value(&asked.plan().query.statements).unwrap(),
        told.0["dcql_query"]["statements"]
    );
    assert_eq!(serde_json::to_value(asked.options()).unwrap(), told.0["options"]);
    let digest: String = asked.policy().digest().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, told.text("/policy_digest"));
}

#[test]
fn the_models_presentation_is_accepted() {
    let told = Told::read();
    let asked = told.asked();
    let judged = told.proven(&asked).judge(&asked, None);
    assert_eq!(judged.evidence, Evidence::Proved);
    assert_eq!(judged.outcome, Outcome::Met);
}
