//! What a permission's key signs: compact signatures that bring their key along, and nothing else about it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use vouchsafe_mutants as mutants;

use crate::jose::jws::{Compact, NewHeader, Unsigned};
use crate::jose::{Alg, PublicJwk, SignatureVerifier};

/// Why such a text is not taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not a token of the type with exactly these members.
    Form,
    /// Not a P-256 key by its required members alone.
    Key,
    /// The signature is not that of the key.
    Signature,
}

/// The bytes to sign with `key`.
pub(super) fn unsigned<T: Serialize>(typ: &str, key: &PublicJwk, claims: &T) -> Unsigned {
    let header = NewHeader::new(key.alg(), typ).jwk(key).encode();
    Unsigned::new(&header, claims).expect("the claims are strings and integers")
}

/// Reads a text that its own key signed. Who holds the key is for the caller to know by its thumbprint.
pub(super) fn verify<T: DeserializeOwned>(
    text: &str,
    typ: &str,
    most: usize,
    verifier: &dyn SignatureVerifier,
) -> Result<(PublicJwk, T), Fault> {
    let compact = Compact::parse(text, most).map_err(|_| Fault::Form)?;
    if !(mutants::skips("perm-header") || compact.header().is_exactly(&["alg", "typ", "jwk"])) {
        return Err(Fault::Form);
    }
    compact.check_typ(typ).map_err(|_| Fault::Form)?;
    let key = compact.header().dangerous_embedded_jwk().map_err(|_| Fault::Key)?;
    // It is kept, so nothing rides along in it.
    let bare = compact.header().member("jwk") == Some(&key.to_value());
    if !(mutants::skips("perm-jwk-bare") || bare) {
        return Err(Fault::Key);
    }
    if !(mutants::skips("perm-jwk-alg") || key.alg() == Alg::Es256) {
        return Err(Fault::Key);
    }
    let payload = compact.verify(typ, &key, verifier).map_err(|_| Fault::Signature)?;
    let claims = payload.typed().map_err(|_| Fault::Form)?;
    Ok((key, claims))
}
