//! One bound of 32 bits, as a wallet answers it wherever it runs: for `cargo xtask bench`, which asks the same natively and
//! of Node.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use vouchsafe_proofs::{
    answer::{self, Openings},
    commitment::{Seed, commit},
    context::{
        Attribute, Authorisation, Context, Credential, IssuerKey, Policy, ReplyTo, Request, SignedRange,
    },
    encoding::Encoding,
    statement::{Predicate, Statement},
};

const ISS: &str = "https://payer.example";
const VCT: &str = "https://larkfield.example/types/income/1/zk";
const POINTER: &str = "/total";
/// £1,234.56.
const TOTAL: u64 = 123_456;
/// £7,400.00 at most.
const BOUND: u64 = 740_000;

/// What is asked, and what the wallet knows.
pub struct Question {
    context: Context,
    statements: [Statement; 1],
    openings: Openings,
}

impl Default for Question {
    fn default() -> Self {
        let mut openings = Openings::new();
        let blinding = || Seed::new([7; 32]).blinding(ISS, VCT, POINTER);
        openings.add("q0", POINTER, TOTAL, blinding());
        let attribute = Attribute {
            pointer: POINTER.into(),
            enc: Encoding::Pence,
            unit: "GBP-pence".into(),
            range: Some(SignedRange { b: 32, lo: 0, hi: u64::from(u32::MAX) }),
            c: commit(TOTAL, &blinding()),
        };
        let context = Context {
            request: request(),
            policy: policy(),
            authorisation: Authorisation::default(),
            credentials: vec![credential(attribute)],
        };
        let statements = [Statement::of("low-q0", "q0", POINTER, Predicate::Le(BOUND))];
        Self { context, statements, openings }
    }
}

impl Question {
    /// The answer: 608 bytes of proof and six around them.
    ///
    /// # Panics
    /// If there is none: a fault of ours.
    #[must_use]
    pub fn prove(&self) -> Vec<u8> {
        let rng = &mut ChaCha20Rng::from_seed([1; 32]);
        answer::prove(&self.context, &self.statements, &self.openings, rng).expect("it is met")
    }
}

fn request() -> Request {
    Request {
        service: "https://meals.example".into(),
        client_id: "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk".into(),
        nonce: "n-0S6_WzA2MjQ1c8YpJ0Zg".into(),
        state_sha256: [1; 32],
        reply_to: ReplyTo::ResponseUri("https://ask.example/a/1".into()),
        encryption_key: Some([2; 32]),
    }
}

fn policy() -> Policy {
    Policy {
        purpose: "https://larkfield.example/purposes/school-meals".into(),
        id: "meals".into(),
        version: 1,
        digest: [3; 32],
        statements: [4; 32],
        option: 0,
        as_of: 155_918,
        tables: Vec::new(),
    }
}

fn credential(attribute: Attribute) -> Credential {
    Credential {
        query: "q0".into(),
        iss: ISS.into(),
        issuer: IssuerKey::Certificate([5; 32]),
        vct: VCT.into(),
        jwt_sha256: [6; 32],
        holder_key: [7; 32],
        attributes: vec![attribute],
        link: None,
    }
}
