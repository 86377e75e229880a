//! What a request for linked copies is about, right or wrong.

use vouchsafe_proofs::commitment::{Blinding, Commitment};
use vouchsafe_proofs::pseudonym::LinkSecret;
use vouchsafe_proofs::sigma::link::registration::{Asked, NewCopy, blindings, prove};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};

use crate::world::ISS;

/// The link secrets of the people's wallets, by number.
pub(super) const HOLDERS: u8 = 1;
pub(super) const NEIGHBOURS: u8 = 2;
/// That of a wallet which nobody has on record.
const SECOND: u8 = 3;
/// Those of newcomers' wallets begin here.
pub(super) const NEWCOMERS: u8 = 4;

const VCT: &str = "https://larkfield.example/types/pass/1/zk";

/// What the commitments are made of, and what the proof is about.
pub(super) struct Linking {
    secret: u8,
    /// That of the wallet before.
    lost: u8,
    nonce: String,
    issuer: &'static str,
    vct: &'static str,
    /// Whether the proof is about the keys in another order.
    other_keys: bool,
    /// Whether the first copy gets another secret than the proof is about.
    one_other: bool,
    /// Whether the name is that of x = 0.
    identity: bool,
}

fn secret(number: u8) -> LinkSecret {
    let mut bytes = [9; 32];
    bytes[0] = number;
    LinkSecret::from_canonical_bytes(bytes).unwrap()
}

impl Linking {
    pub(super) fn new(nonce: &str, secret: u8, lost: u8) -> Self {
        let (nonce, issuer, vct) = (nonce.to_owned(), ISS, VCT);
        Self { secret, lost, nonce, issuer, vct, other_keys: false, one_other: false, identity: false }
    }

    pub(super) fn edit(&mut self, what: &str) {
        match what {
            "second" => self.secret = SECOND,
            "neighbours" => self.secret = NEIGHBOURS,
            "holders" => self.secret = HOLDERS,
            "lost" => self.secret = self.lost,
            "nonce" => self.nonce.push('x'),
            "type" => self.vct = "https://larkfield.example/types/residency/1/zk",
            "issuer" => self.issuer = "https://issuer.example/other",
            "keys" => self.other_keys = true,
            "one" => self.one_other = true,
            "identity" => self.identity = true,
            _ => panic!("no such link: {what}"),
        }
    }

    /// The commitments for these keys, and the proof.
    pub(super) fn made(&self, keys: &[[u8; 32]]) -> (Vec<String>, String) {
        let (x, entropy) = (secret(self.secret), OsEntropy::new());
        let rng = &mut EntropyRng(&entropy);
        let asked = Asked { issuer: self.issuer, vct: self.vct, c_nonce: &self.nonce };
        let t: Vec<Blinding> = blindings(&asked, keys.len(), &x, rng);
        let links: Vec<Commitment> = t.iter().map(|t| x.commit(t)).collect();
        let mut copies: Vec<NewCopy> =
            keys.iter().zip(&links).map(|(key, link)| NewCopy { holder_key: *key, link: *link }).collect();
        if self.other_keys {
            let first = copies[0].holder_key;
            copies[0].holder_key = std::mem::replace(&mut copies[1].holder_key, first);
        }
        let mut proof = prove(&asked, &copies, &x, &t, rng).unwrap();
        if self.identity {
            proof[..32].fill(0);
        }
        let mut written: Vec<String> = links.iter().map(|link| b64u(link.0)).collect();
        if self.one_other {
            written[0] = b64u(secret(SECOND).commit(&t[0]).0);
        }
        (written, b64u(proof))
    }
}
