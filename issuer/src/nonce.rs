//! Nonces for proofs of possession: authenticated and dated, so that nothing is stored until one is spent.
//!
//! OpenID4VCI 7. A nonce is base64url of eight octets of time, sixteen of chance and sixteen of an HMAC under the
//! server's key. That it is used once is seen to by the store, when the batch is recorded.

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

/// The nonce is not ours, or too old: fetch a new one.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("the nonce is not one of ours, or too old; fetch a new one")]
pub(crate) struct BadNonce;

/// A fresh nonce.
pub(crate) fn fresh(secrets: &Secrets, now: UnixTime, entropy: &dyn Entropy) -> String {
    let mut nonce = [0; BODY + TAG];
    nonce[..TIME].copy_from_slice(&now.0.to_be_bytes());
    nonce[TIME..BODY].copy_from_slice(&bytes::<CHANCE>(entropy));
    let tag = secrets.nonce_tag(&nonce[..BODY]);
    nonce[BODY..].copy_from_slice(&tag[..TAG]);
    b64u(nonce)
}

/// When a nonce ends that is ours and alive.
///
/// # Errors
/// [`BadNonce`].
pub(crate) fn check(secrets: &Secrets, nonce: &str, now: UnixTime, ttl_s: u32) -> Result<UnixTime, BadNonce> {
    let nonce: [u8; BODY + TAG] = b64u_array(nonce).map_err(|_| BadNonce)?;
    let tag = secrets.nonce_tag(&nonce[..BODY]);
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
    Ok(ends_at)
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
        let nonce = fresh(&ours, NOW, &OsEntropy::new());
        assert_eq!(check(&ours, &nonce, NOW, 300), Ok(NOW.plus(300)));
        assert_eq!(check(&ours, &nonce, NOW.plus(299), 300), Ok(NOW.plus(300)));
        assert_eq!(check(&ours, &nonce, NOW.plus(300), 300), Err(BadNonce));
        assert_eq!(check(&ours, &nonce, NOW.minus(SKEW), 300), Ok(NOW.plus(300)));
        assert_eq!(check(&ours, &nonce, NOW.minus(SKEW + 1), 300), Err(BadNonce));
    }

    #[test]
    fn what_we_did_not_make_is_no_nonce() {
        let ours = secrets();
        let nonce = fresh(&ours, NOW, &OsEntropy::new());
        assert_eq!(check(&secrets(), &nonce, NOW, 300), Err(BadNonce));
        let bytes = vouchsafe_protocol::encoding::b64u_decode(&nonce).unwrap();
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 1;
            assert_eq!(check(&ours, &b64u(&spoilt), NOW, 300), Err(BadNonce), "octet {at}");
            assert_eq!(check(&ours, &b64u(&bytes[..at]), NOW, 300), Err(BadNonce));
        }
    }
}
