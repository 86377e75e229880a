//! What the wallet holds, without values.

use serde::Serialize;
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::types;

use crate::store::{self, Count};
use crate::vault::{Vault, VaultError};

/// A batch of copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its id in this wallet.
    pub id: String,
    /// What people call it.
    pub name: Bilingual,
    /// Who signed it.
    pub issuer: Bilingual,
    /// The type.
    pub vct: String,
    /// Whether it answers by proof.
    pub proof: bool,
    /// The date of the facts, on proof copies.
    pub facts_as_of: Option<String>,
    /// When it ends, in Unix seconds.
    pub expires_at: i64,
    /// Names of what it says something about.
    pub attributes: Vec<Bilingual>,
    /// Copies left and used.
    pub copies: Count,
}

/// Every batch, oldest first.
pub(crate) async fn all(vault: &Vault) -> Result<Vec<Listed>, VaultError> {
    let mut listed = Vec::new();
    for (id, credential) in store::credentials(vault).await? {
        let copies = store::count(vault, &id).await?;
        listed.push(Listed {
            id,
            proof: types::is_proof(&credential.vct),
            name: credential.name,
            issuer: credential.issuer,
            vct: credential.vct,
            facts_as_of: credential.facts_as_of,
            expires_at: credential.expires_at,
            attributes: credential.attributes.into_iter().map(|attribute| attribute.label).collect(),
            copies,
        });
    }
    Ok(listed)
}
