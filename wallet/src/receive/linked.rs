//! Copies that are linked to this wallet's secret (`specs/profiles/issuing.md`).
//!
//! Each copy carries the secret under a blinding of its own; the proof beside the request says that it is the same in all
//! of them, and shows the name by which the issuer knows the secret again. The issuer learns that name and nothing else.

use rand_core::CryptoRngCore;
use vouchsafe_proofs::commitment::{Blinding, Commitment};
use vouchsafe_proofs::pseudonym::LinkSecret;
use vouchsafe_proofs::sigma::link::registration::{Asked, NewCopy, blindings, prove};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_service::keys::SigningKey;

/// What a linked batch is asked for with.
pub(super) struct Linking {
    /// What hides the secret in each copy, in the order of the keys.
    pub(super) blindings: Vec<Blinding>,
    /// The commitments that the copies shall carry.
    pub(super) links: Vec<Commitment>,
    /// The proof about all of them.
    pub(super) proof: String,
}

impl Linking {
    /// Draws the blindings for `keys` and proves the secret, for one request: `nonce` is that of its proofs.
    pub(super) fn new(
        issuer: &str,
        vct: &str,
        nonce: &str,
        keys: &[SigningKey],
        secret: &LinkSecret,
        rng: &mut dyn CryptoRngCore,
    ) -> Option<Self> {
        let asked = Asked { issuer, vct, c_nonce: nonce };
        let blindings = blindings(&asked, keys.len(), secret, rng);
        let links: Vec<Commitment> = blindings.iter().map(|t| secret.commit(t)).collect();
        let copy = |(key, link): (&SigningKey, &Commitment)| NewCopy {
            holder_key: key.public().thumbprint(),
            link: *link,
        };
        let copies: Vec<NewCopy> = keys.iter().zip(&links).map(copy).collect();
        let proof = b64u(prove(&asked, &copies, secret, &blindings, rng)?);
        Some(Self { blindings, links, proof })
    }
}
