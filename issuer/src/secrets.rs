//! How secrets and facts are kept: as HMACs under the server's key, or sealed under a key made from it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vouchsafe_proofs::commitment::Commitment;
use vouchsafe_proofs::pseudonym::Nym;
use vouchsafe_protocol::encoding::{b64u, b64u_array};
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_service::entropy::Entropy;
use vouchsafe_service::keys::AgreementKey;
use vouchsafe_service::secret::{Sealer, SecretError, ServerKey};
use zeroize::Zeroizing;

use crate::linking::{Holders, Linked};
use crate::store::Mac;

/// The server's key and what is derived from it. Never in the database.
pub struct Secrets {
    server: ServerKey,
    sealer: Sealer,
}

impl Secrets {
    /// Everything that follows from the server's key.
    #[must_use]
    pub fn new(server: ServerKey) -> Self {
        let sealer = server.sealer("issuer register");
        Self { server, sealer }
    }

    /// Who a row is about: the partner's key of the person, apart for every type.
    #[must_use]
    pub fn person(&self, credential_type: &CredentialType, key: &str) -> Mac {
        let id = credential_type.id.as_bytes();
        let length = u32::try_from(id.len()).expect("an id is far below 4 GiB").to_be_bytes();
        let named = Zeroizing::new([&length[..], id, key.as_bytes()].concat());
        Mac(self.server.hmac("issuer person", &named))
    }

    /// Who a row of a type with periods is about: a person in one period. [`Self::person`] is the same person over all of
    /// them.
    #[must_use]
    pub fn person_in(&self, credential_type: &CredentialType, key: &str, period: &str) -> Mac {
        let parts = [credential_type.id.as_bytes(), period.as_bytes(), key.as_bytes()];
        let mut named = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum()));
        for part in parts {
            let length = u32::try_from(part.len()).expect("ids, months and keys are far below 4 GiB");
            named.extend_from_slice(&length.to_be_bytes());
            named.extend_from_slice(part);
        }
        Mac(self.server.hmac("issuer person in a period", &named))
    }

    /// A person over all types, by the partner's key: whom the issuer holds to one link secret.
    #[must_use]
    pub fn link_person(&self, key: &str) -> Mac {
        Mac(self.server.hmac("issuer link person", key.as_bytes()))
    }

    /// The name at rest of a registered pseudonym.
    #[must_use]
    pub fn link_nym(&self, nym: &Nym) -> Mac {
        Mac(self.server.hmac("issuer link pseudonym", &nym.to_bytes()))
    }

    /// The name at rest of an offer's handle.
    #[must_use]
    pub fn handle(&self, handle: &str) -> Mac {
        Mac(self.server.hmac("issuer offer handle", handle.as_bytes()))
    }

    /// The pre-authorised code behind a handle. It is computed, so that the offer can be served again and again while
    /// only HMACs are stored.
    #[must_use]
    pub fn code_of(&self, handle: &str) -> Zeroizing<String> {
        let code = Zeroizing::new(self.server.hmac("issuer pre-authorised code", handle.as_bytes()));
        Zeroizing::new(b64u(code.as_slice()))
    }

    /// The name at rest of a pre-authorised code.
    #[must_use]
    pub fn code(&self, code: &str) -> Mac {
        Mac(self.server.hmac("issuer code", code.as_bytes()))
    }

    /// The name at rest of a transaction code, bound to the code it belongs to.
    #[must_use]
    pub fn tx_code(&self, code: Mac, tx_code: &str) -> Mac {
        let bound = Zeroizing::new([&code.0[..], tx_code.as_bytes()].concat());
        Mac(self.server.hmac("issuer transaction code", &bound))
    }

    /// The name at rest of an access token.
    #[must_use]
    pub fn token(&self, token: &str) -> Mac {
        Mac(self.server.hmac("issuer access token", token.as_bytes()))
    }

    /// The name at rest of a spent nonce.
    #[must_use]
    pub fn nonce(&self, nonce: &str) -> Mac {
        Mac(self.server.hmac("issuer spent nonce", nonce.as_bytes()))
    }

    /// The authenticator of a nonce that the issuer hands out and does not store: one for each use of nonces.
    #[must_use]
    pub fn nonce_tag(&self, use_of_it: &'static str, body: &[u8]) -> [u8; 32] {
        self.server.hmac(use_of_it, body)
    }

    /// The name at rest of the key that a token is bound to, by its thumbprint.
    #[must_use]
    pub fn bound_key(&self, thumbprint: &[u8; 32]) -> Mac {
        Mac(self.server.hmac("issuer bound key", thumbprint))
    }

    /// The name at rest of a proof of possession that was used: the key that made it, and its number.
    #[must_use]
    pub fn used_proof(&self, thumbprint: &[u8; 32], jti: &str) -> Mac {
        Mac(self.server.hmac("issuer used proof", &[&thumbprint[..], jti.as_bytes()].concat()))
    }

    /// The name at rest of a transaction that was put off.
    #[must_use]
    pub fn transaction(&self, id: &str) -> Mac {
        Mac(self.server.hmac("issuer transaction", id.as_bytes()))
    }

    /// The name at rest of a notification id.
    #[must_use]
    pub fn notification(&self, id: &str) -> Mac {
        Mac(self.server.hmac("issuer notification", id.as_bytes()))
    }

    /// Seals the keys of a batch that is put off, and what it is to be linked to, for their transaction's row.
    #[must_use]
    pub fn seal_holders(&self, transaction: Mac, holders: &Holders, entropy: &dyn Entropy) -> Vec<u8> {
        let keys = holders.keys.clone();
        let kept = match &holders.linked {
            None => Sealed::Bare(keys),
            Some(linked) => Sealed::Linked { keys, nym: b64u(linked.nym.0), links: linked.links.clone() },
        };
        let plain = serde_json::to_vec(&kept).expect("keys can be written");
        self.sealer.seal(&plain, &holders_place(transaction), entropy)
    }

    /// Opens the keys of a batch that was put off.
    ///
    /// # Errors
    /// [`SecretError::Sealed`] when the row was altered or moved, or the server's key is another.
    pub fn open_holders(&self, transaction: Mac, sealed: &[u8]) -> Result<Holders, SecretError> {
        let plain = self.sealer.open(sealed, &holders_place(transaction))?;
        match serde_json::from_slice(&plain).map_err(|_| SecretError::Sealed)? {
            Sealed::Bare(keys) => Ok(Holders { keys, linked: None }),
            Sealed::Linked { keys, nym, links } => {
                let nym = Mac(b64u_array(&nym).map_err(|_| SecretError::Sealed)?);
                Ok(Holders { keys, linked: Some(Linked { nym, links }) })
            }
        }
    }

    /// The key to which wallets encrypt credential requests.
    #[must_use]
    pub fn request_encryption(&self) -> AgreementKey {
        // A digest outside 1..n happens once in 2^32 keys; the next number is as good.
        (0_u8..=u8::MAX)
            .find_map(|number| {
                let secret = Zeroizing::new(self.server.hmac("issuer request encryption", &[number]));
                AgreementKey::from_bytes(&secret).ok()
            })
            .expect("256 digests in a row are not all outside 1..n")
    }

    /// Seals a person's facts for their row.
    #[must_use]
    pub fn seal_facts(
        &self,
        type_id: &str,
        person: Mac,
        facts: &Map<String, Value>,
        entropy: &dyn Entropy,
    ) -> Vec<u8> {
        let plain = Zeroizing::new(serde_json::to_vec(facts).expect("JSON values can be written"));
        self.sealer.seal(&plain, &place(type_id, person), entropy)
    }

    /// Opens the facts of a person's row.
    ///
    /// # Errors
    /// [`SecretError::Sealed`] when the row was altered or moved, or the server's key is another.
    pub fn open_facts(
        &self,
        type_id: &str,
        person: Mac,
        sealed: &[u8],
    ) -> Result<Map<String, Value>, SecretError> {
        let plain = self.sealer.open(sealed, &place(type_id, person))?;
        serde_json::from_slice(&plain).map_err(|_| SecretError::Sealed)
    }
}

/// The keys of a batch that is put off. Those of copies that are not linked stand alone, as they always have.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Sealed {
    Bare(Vec<PublicJwk>),
    Linked { keys: Vec<PublicJwk>, nym: String, links: Vec<Commitment> },
}

fn holders_place(transaction: Mac) -> Vec<u8> {
    [b"deferred holders", &transaction.0[..]].concat()
}

/// Table and row: the person's HMAC has a fixed length and comes first.
fn place(type_id: &str, person: Mac) -> Vec<u8> {
    [b"person", &person.0[..], type_id.as_bytes()].concat()
}
