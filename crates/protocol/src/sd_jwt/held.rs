//! The holder's side: a credential that is kept, and what is shown of it.
//!
//! RFC 9901 sections 7.2 and 4.3. A Disclosure goes out once, together with those that it stands in, in the
//! order in which the issuer sent them. Choosing what to show is the caller's.
//!
//! Security: a held credential contains every claim of a person. It has no `Debug`, and is kept sealed.

use std::ops::Range;

use serde_json::{Map, Value};

use super::disclose::disclose;
use super::key_binding::{Binding, holder};
use super::vc::VcError;
use super::{Disclosed, Disclosure, ParseError, Path, Unverified};
use crate::encoding::sha256;
use crate::jose::jws::Unsigned;
use crate::jose::{PublicJwk, SignError, Signer};
use crate::json::JsonError;
use crate::status::{self, Reference};

/// A credential that its holder verified and keeps.
#[derive(Clone)]
pub struct Held {
    text: String,
    disclosed: Disclosed,
    places: Vec<Range<usize>>,
    holder: PublicJwk,
}

/// Why a stored text is no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeldError {
    /// The text is not an SD-JWT.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Its Disclosures or claims are not those of a credential.
    #[error(transparent)]
    Claims(#[from] VcError),
}

/// Why a presentation could not be made. All are the holder's own fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PresentError {
    /// A path that no Disclosure shows.
    #[error("a claim to be shown is not among the credential's Disclosures")]
    NoSuchDisclosure,
    /// An extra claim has a name that key binding uses itself.
    #[error("an extra claim of the key binding has a name that is taken")]
    Claims(#[from] JsonError),
}

impl Held {
    /// Reads a credential back from where it was kept sealed since [`Unverified::receive`] checked it: no
    /// signature, time or certificate is looked at again.
    ///
    /// # Errors
    /// See [`HeldError`].
    pub fn dangerous_from_store(text: &str) -> Result<Self, HeldError> {
        let parts = Unverified::parse(text)?;
        Ok(Self::of(parts.text, parts.payload, parts.disclosures)?)
    }

    pub(super) fn of(
        text: String,
        payload: Map<String, Value>,
        disclosures: Vec<Disclosure>,
    ) -> Result<Self, VcError> {
        let (disclosed, places) = disclose(payload, disclosures)?;
        let holder = holder(disclosed.claims()).map_err(|_| VcError::Confirmation)?;
        Ok(Self { text, disclosed, places, holder })
    }

    /// The credential with every Disclosure, as the issuer sent it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every claim, and the path of every Disclosure.
    #[must_use]
    pub fn disclosed(&self) -> &Disclosed {
        &self.disclosed
    }

    /// Every claim.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        self.disclosed.claims()
    }

    /// `iss`.
    #[must_use]
    pub fn iss(&self) -> Option<&str> {
        self.claims().get("iss").and_then(Value::as_str)
    }

    /// `vct`.
    #[must_use]
    pub fn vct(&self) -> Option<&str> {
        self.claims().get("vct").and_then(Value::as_str)
    }

    /// Where the credential's status stands, if it has one.
    #[must_use]
    pub fn status(&self) -> Option<Reference> {
        self.claims().get(status::CLAIM).and_then(|claim| Reference::from_claim(claim).ok())
    }

    /// The key that the issuer confirmed, which must sign every key binding.
    #[must_use]
    pub fn holder(&self) -> &PublicJwk {
        &self.holder
    }

    /// SHA-256 of the issuer-signed token, the text before the first tilde.
    #[must_use]
    pub fn issuer_jwt_sha256(&self) -> [u8; 32] {
        sha256(self.issuer_jwt())
    }

    /// `x5c` of the issuer-signed token as DER, leaf first.
    #[must_use]
    pub fn x5c(&self) -> Vec<Vec<u8>> {
        let token = crate::jose::jws::Compact::parse(self.issuer_jwt(), self.text.len());
        token.ok().and_then(|token| token.header().x5c().map(<[_]>::to_vec)).unwrap_or_default()
    }

    /// Shows the claims at `paths`, each the path of a Disclosure, and no others, bound to `binding`. What a
    /// claim stands in is shown with it; what stands in it is shown only when named as well.
    ///
    /// # Errors
    /// See [`PresentError`].
    pub fn present(
        &self,
        paths: &[Path],
        binding: Binding<'_>,
    ) -> Result<UnsignedPresentation, PresentError> {
        let shown = self.disclosed.paths();
        if !paths.iter().all(|path| shown.contains(path)) {
            return Err(PresentError::NoSuchDisclosure);
        }
        let mut text = self.issuer_jwt().to_owned();
        text.push('~');
        for (path, place) in shown.iter().zip(&self.places) {
            if paths.iter().any(|wanted| wanted.starts_with(path)) {
                text.push_str(&self.text[place.clone()]);
                text.push('~');
            }
        }
        let unsigned = binding.over(&text, &self.holder)?;
        Ok(UnsignedPresentation { text, unsigned })
    }

    fn issuer_jwt(&self) -> &str {
        self.text.split('~').next().unwrap_or_default()
    }
}

/// A presentation whose key binding lacks the holder's signature.
#[derive(Clone)]
pub struct UnsignedPresentation {
    text: String,
    unsigned: Unsigned,
}

impl UnsignedPresentation {
    /// The bytes to sign with the holder's key.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.unsigned.signing_input()
    }

    /// The presentation, complete.
    #[must_use]
    pub fn finish(mut self, signature: &[u8]) -> String {
        self.text.push_str(&self.unsigned.finish(signature));
        self.text
    }

    /// Signs with a key that is held.
    ///
    /// # Errors
    /// The key could not sign, or is of another algorithm than the credential confirms.
    pub async fn sign(self, signer: &dyn Signer) -> Result<String, SignError> {
        if self.unsigned.alg() != signer.alg() {
            return Err(SignError);
        }
        let signature = signer.sign(self.unsigned.signing_input()).await?;
        Ok(self.finish(&signature))
    }
}
