//! Nonces for proofs of possession: authenticated and dated, so that nothing is stored until one is spent.
//!
//! A nonce is base64url of eight octets of time, sixteen of chance and sixteen of an HMAC under the server's key. Those
//! for the keys of copies (OpenID4VCI 7) are used once, which the store sees to when the batch is recorded; those for
//! the keys of tokens (RFC 9449 8) are used until they end, with proofs that are used once. Neither serves as the other.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, b64u_array};
use vouchsafe_protocol::time::{SKEW, UnixTime};
use vouchsafe_service::entropy::{Entropy, bytes};
use vouchsafe_service::secret::same;

use crate::secrets::Secrets;

const TIME: usize = 8;
const CHANCE: usize = 16;
const TAG: usize = 16;
const BODY: usize = TIME + CHANCE;

/// What a nonce is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The keys that copies are bound to.
    Credential,
    /// The keys that tokens are bound to.
    Token,
}

impl Use {
    fn label(self) -> &'static str {
        match self {
            Self::Credential => "issuer nonce",
            Self::Token => "issuer token nonce",
        }
    }
}

/// The nonce is not ours, or too old: fetch a new one.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("the nonce is not one of ours, or too old; fetch a new one")]
pub(crate) struct BadNonce;

/// A fresh nonce.
pub(crate) fn fresh(secrets: &Secrets, of: Use, now: UnixTime, entropy: &dyn Entropy) -> String {
    let mut nonce = [0; BODY + TAG];
    nonce[..TIME].copy_from_slice(&now.0.to_be_bytes());
    nonce[TIME..BODY].copy_from_slice(&bytes::<CHANCE>(entropy));
    let tag = secrets.nonce_tag(of.label(), &nonce[..BODY]);
    nonce[BODY..].copy_from_slice(&tag[..TAG]);
    b64u(nonce)
}

/// Until when a nonce that is ours and alive must be remembered once it is used: past its end, for replicas whose clocks are
/// behind.
///
/// # Errors
/// [`BadNonce`].
pub(crate) fn check(
    secrets: &Secrets,
    of: Use,
    nonce: &str,
    now: UnixTime,
    ttl_s: u32,
) -> Result<UnixTime, BadNonce> {
    let nonce: [u8; BODY + TAG] = b64u_array(nonce).map_err(|_| BadNonce)?;
    let tag = secrets.nonce_tag(of.label(), &nonce[..BODY]);
    if !(mutants::skips("vci-nonce-tag") || same(&tag[..TAG], &nonce[BODY..])) {
        return Err(BadNonce);
    }
    let mut time = [0; TIME];
    time.copy_from_slice(&nonce[..TIME]);
    let issued_at = UnixTime(i64::from_be_bytes(time));
    let ends_at = issued_at.plus(i64::from(ttl_s));
    if !(mutants::skips("vci-nonce-old") || now < ends_at) {
        return Err(BadNonce);
    }
    // From a replica whose clock is ahead, at most.
    if !(mutants::skips("vci-nonce-future") || issued_at <= now.plus(SKEW)) {
        return Err(BadNonce);
    }
    let margin = if mutants::skips("vci-nonce-kept") { 0 } else { SKEW };
    Ok(ends_at.plus(margin))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use vouchsafe_service::entropy::OsEntropy;
    use vouchsafe_service::secret::ServerKey;

    use super::*;

    const NOW: UnixTime = UnixTime(1_795_000_000);

    fn secrets() -> Secrets {
        Secrets::new(ServerKey::generate(&OsEntropy::new()))
    }

    #[test]
    fn a_nonce_lives_its_time() {
        let ours = secrets();
        let nonce = fresh(&ours, Use::Credential, NOW, &OsEntropy::new());
        assert_eq!(check(&ours, Use::Credential, &nonce, NOW, 300), Ok(NOW.plus(300 + SKEW)));
        assert_eq!(check(&ours, Use::Credential, &nonce, NOW.plus(299), 300), Ok(NOW.plus(300 + SKEW)));
        assert_eq!(check(&ours, Use::Credential, &nonce, NOW.plus(300), 300), Err(BadNonce));
        assert_eq!(check(&ours, Use::Credential, &nonce, NOW.minus(SKEW), 300), Ok(NOW.plus(300 + SKEW)));
        assert_eq!(check(&ours, Use::Credential, &nonce, NOW.minus(SKEW + 1), 300), Err(BadNonce));
    }

    #[test]
    fn what_we_did_not_make_is_no_nonce() {
        let ours = secrets();
        let nonce = fresh(&ours, Use::Credential, NOW, &OsEntropy::new());
        assert_eq!(check(&secrets(), Use::Credential, &nonce, NOW, 300), Err(BadNonce));
        assert_eq!(check(&ours, Use::Token, &nonce, NOW, 300), Err(BadNonce));
        let bytes = vouchsafe_protocol::encoding::b64u_decode(&nonce).unwrap();
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 1;
            assert_eq!(check(&ours, Use::Credential, &b64u(&spoilt), NOW, 300), Err(BadNonce), "octet {at}");
            assert_eq!(check(&ours, Use::Credential, &b64u(&bytes[..at]), NOW, 300), Err(BadNonce));
        }
    }
}
