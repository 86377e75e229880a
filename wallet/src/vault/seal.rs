//! Sealing one record, bound to its section and row.

use vouchsafe_mutants as mutants;
use vouchsafe_service::entropy::Entropy;
use vouchsafe_service::secret::Sealer;
use zeroize::Zeroizing;

/// The length of a key.
pub(super) const KEY_BYTES: usize = 32;

/// A key that seals records. No Debug, no way out.
pub(super) struct DataKey(Sealer);

impl DataKey {
    /// Takes a key of [`KEY_BYTES`] bytes.
    pub(super) fn from_bytes(key: &[u8]) -> Option<Self> {
        key.try_into().ok().map(|key| Self(Sealer::new(key)))
    }

    /// Seals `plain` for one row.
    pub(super) fn seal(&self, section: &str, id: &str, plain: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        self.0.seal(plain, &row(section, id), entropy)
    }

    /// Opens a sealed record of that row; `None` when it was altered or belongs to another row or key.
    pub(super) fn open(&self, section: &str, id: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.open(sealed, &row(section, id)).ok()
    }
}

/// The associated data: section and row id, each behind its length.
fn row(section: &str, id: &str) -> Vec<u8> {
    let mut bytes = b"vouchsafe/vault/1".to_vec();
    if !mutants::skips("wallet-vault-row") {
        for part in [section, id] {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
    }
    bytes
}
