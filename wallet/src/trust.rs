//! Whom the wallet believes: pinned registrars and certificate anchors, and how far each register has come.
//!
//! A trust file is added by hand (`vouchsafe wallet trust add FILE`), never fetched. The newest `reg_version` seen of
//! each registrar is kept, and an older document is refused (`specs/profiles/registrar.md`).

use serde::Serialize;
use thiserror::Error;
use vouchsafe_protocol::json;
use vouchsafe_protocol::trust::{MAX_ENTRY, TrustError, TrustFile};
use vouchsafe_service::entropy::Entropy;
use zeroize::Zeroizing;

use crate::store;
use crate::vault::{Change, Section, Vault, VaultError};

/// What a trust file added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrustAdded {
    /// The registrar.
    pub registrar: String,
    /// How many keys of it are pinned now.
    pub keys: usize,
    /// How many anchors came with it.
    pub anchors: usize,
    /// Whether an earlier file of the same registrar was replaced.
    pub replaced: bool,
}

/// Why a trust file was not added.
#[derive(Debug, Error)]
pub enum TrustAddError {
    /// The file is not a trust file.
    #[error(transparent)]
    File(#[from] TrustError),
    /// The vault did not take it.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A pinned registrar with its anchors and the newest version of its register seen.
pub(crate) struct Pinned {
    pub(crate) file: TrustFile,
    pub(crate) last_seen: u64,
}

/// Adds a trust file, or replaces that of the same registrar.
pub(crate) async fn add(
    vault: &Vault,
    file: &[u8],
    entropy: &dyn Entropy,
) -> Result<TrustAdded, TrustAddError> {
    let parsed = TrustFile::parse(file)?;
    let registrar = parsed.registrar.iss.clone();
    let replaced = vault.read(Section::Trust, &registrar).await?.is_some();
    let change = Change::Put(Section::Trust, registrar.clone(), Zeroizing::new(file.to_vec()));
    vault.apply(vec![change], entropy).await?;
    Ok(TrustAdded { registrar, keys: parsed.registrar.keys.len(), anchors: parsed.anchors.len(), replaced })
}

/// Every pinned registrar.
pub(crate) async fn pinned(vault: &Vault) -> Result<Vec<Pinned>, VaultError> {
    let mut all = Vec::new();
    for record in vault.scan(Section::Trust).await? {
        let file = TrustFile::parse(&record.plain).map_err(|_| VaultError::Damaged)?;
        let last_seen = last_seen(vault, &record.id).await?;
        all.push(Pinned { file, last_seen });
    }
    Ok(all)
}

async fn last_seen(vault: &Vault, registrar: &str) -> Result<u64, VaultError> {
    match vault.read(Section::RegisterVersion, registrar).await? {
        Some(record) => store::decode(&record),
        None => Ok(0),
    }
}

/// Keeps `version` of the registrar's register if it is the newest seen.
pub(crate) async fn saw(
    vault: &Vault,
    registrar: &str,
    version: u64,
    entropy: &dyn Entropy,
) -> Result<(), VaultError> {
    if version <= last_seen(vault, registrar).await? {
        return Ok(());
    }
    let change = Change::Put(Section::RegisterVersion, registrar.to_owned(), store::encode(&version));
    vault.apply(vec![change], entropy).await
}

/// The registrar that a signed document names, read before its signature is checked, to choose among pinned ones.
pub(crate) fn named(pinned: &[Pinned], jws: &str) -> Option<usize> {
    let payload = jws.split('.').nth(1)?;
    let payload = vouchsafe_protocol::encoding::b64u_decode(payload).ok()?;
    let claims = json::parse(&payload, MAX_ENTRY).ok()?;
    let iss = claims.get("iss")?.as_str()?;
    pinned.iter().position(|known| known.file.registrar.iss == iss)
}
