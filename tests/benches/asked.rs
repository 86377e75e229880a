//! A request and its policy as an answer is bound to them: stand-ins, the same for everything that is measured.

use vouchsafe_proofs::context::{Policy, ReplyTo, Request};

pub(crate) fn request() -> Request {
    Request {
        service: "https://buses.larkfield.example".into(),
        client_id: "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk".into(),
        nonce: "n-0S6_WzA2MjQ1c8YpJ0Zg".into(),
        state_sha256: [1; 32],
        reply_to: ReplyTo::ResponseUri("https://ask.larkfield.example/a/1".into()),
        encryption_key: Some([2; 32]),
    }
}

pub(crate) fn policy() -> Policy {
    Policy {
        purpose: "https://larkfield.example/purposes/older-persons-bus-pass".into(),
        id: "bus-pass".into(),
        version: 1,
        digest: [3; 32],
        statements: [4; 32],
        option: 0,
        as_of: 155_918,
        tables: Vec::new(),
    }
}
