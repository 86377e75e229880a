//! The link secret: what services may know this resident by is made from it.
//!
//! A wallet has one, made when the first credential that is linked is asked for, and no way to give it away. Whoever holds
//! it, and a copy that is linked to it, answers under this resident's names: it is sealed in the vault as keys are, and
//! each copy hides it under a blinding of its own.

use serde::{Deserialize, Serialize};
use vouchsafe_proofs::commitment::Blinding;
use vouchsafe_proofs::pseudonym::LinkSecret;
use vouchsafe_protocol::encoding::{b64u, b64u_array};
use vouchsafe_service::entropy::{Entropy, EntropyRng};
use zeroize::{Zeroize, Zeroizing};

use crate::store::{decode, encode};
use crate::vault::{Change, Section, Vault, VaultError};

/// The link secret as the vault keeps it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptSecret {
    x: String,
}

impl Drop for KeptSecret {
    fn drop(&mut self) {
        self.x.zeroize();
    }
}

/// The row of the link secret: there is one.
const LINK_ROW: &str = "secret";

/// The link secret of this wallet; `None` before the first credential that is linked.
pub(crate) async fn link_secret(vault: &Vault) -> Result<Option<LinkSecret>, VaultError> {
    let Some(record) = vault.read(Section::Link, LINK_ROW).await? else { return Ok(None) };
    let kept: KeptSecret = decode(&record)?;
    let x = Zeroizing::new(b64u_array(&kept.x).map_err(|_| VaultError::Damaged)?);
    LinkSecret::from_canonical_bytes(*x).map(Some).ok_or(VaultError::Damaged)
}

/// The link secret of this wallet, made on first need. It is in the vault before anybody sees anything that was made with
/// it: an issuer holds its person to it.
pub(crate) async fn need_link_secret(vault: &Vault, entropy: &dyn Entropy) -> Result<LinkSecret, VaultError> {
    if let Some(secret) = link_secret(vault).await? {
        return Ok(secret);
    }
    let secret = LinkSecret::random(&mut EntropyRng(entropy)).ok_or(VaultError::Unavailable)?;
    let kept = KeptSecret { x: b64u(secret.to_bytes().as_slice()) };
    vault.apply(vec![Change::Insert(Section::Link, LINK_ROW.to_owned(), encode(&kept))], entropy).await?;
    Ok(secret)
}

/// What opens the link commitment of a copy. Both are wiped after use.
pub(crate) struct Link {
    /// The link secret.
    pub(crate) x: LinkSecret,
    /// What hides it in this copy.
    pub(crate) t: Blinding,
}

impl Link {
    /// The same, for whoever proves with it on another thread.
    pub(crate) fn again(&self) -> Option<Self> {
        let x = LinkSecret::from_canonical_bytes(*self.x.to_bytes())?;
        Some(Self { x, t: self.t.clone() })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use vouchsafe_service::entropy::OsEntropy;

    use super::*;
    use crate::vault::Cost;

    async fn vault(directory: &std::path::Path) -> Vault {
        Vault::open(directory, b"passphrase", Cost::LEAST, &OsEntropy::new()).await.unwrap()
    }

    #[tokio::test]
    async fn a_wallet_has_one_secret_and_keeps_it() {
        let (entropy, directory) = (OsEntropy::new(), tempfile::tempdir().unwrap());
        let first = vault(directory.path()).await;
        assert!(link_secret(&first).await.unwrap().is_none());
        let made = need_link_secret(&first, &entropy).await.unwrap().to_bytes();
        assert_eq!(need_link_secret(&first, &entropy).await.unwrap().to_bytes(), made);
        first.close().await;
        let again = vault(directory.path()).await;
        assert_eq!(link_secret(&again).await.unwrap().unwrap().to_bytes(), made);
        let other = tempfile::tempdir().unwrap();
        let other = need_link_secret(&vault(other.path()).await, &entropy).await.unwrap();
        assert!(other.to_bytes() != made);
    }

    #[tokio::test]
    async fn a_secret_that_is_none_is_damage() {
        let (entropy, directory) = (OsEntropy::new(), tempfile::tempdir().unwrap());
        let vault = vault(directory.path()).await;
        for bytes in [[0; 32], [0xff; 32]] {
            let kept = KeptSecret { x: b64u(bytes) };
            let change = Change::Put(Section::Link, LINK_ROW.to_owned(), encode(&kept));
            vault.apply(vec![change], &entropy).await.unwrap();
            assert!(matches!(need_link_secret(&vault, &entropy).await, Err(VaultError::Damaged)));
        }
    }
}
