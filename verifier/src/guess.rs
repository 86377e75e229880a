//! How often a code may be guessed, by the sender's address prefix.
//!
//! Ten misses a minute (profile, section 7). A guess is taken before the code is looked up and given back when it
//! was right, so that parallel guesses cannot pass the limit together. Prefixes are stored as keyed tags alone.

use vouchsafe_protocol::encoding::b64u;
use vouchsafe_service::limits::AddressPrefix;

use crate::secrets::{Kind, Vault};
use crate::store::Tag;

/// Wrong codes a minute from one prefix.
pub const MISSES_PER_MINUTE: i64 = 10;

/// The tag of the sender's prefix; whoever has none shares one budget.
#[must_use]
pub fn prefix(vault: &Vault, address: Option<&AddressPrefix>) -> Tag {
    vault.tag(Kind::Prefix, &address.map(|prefix| b64u(prefix.as_bytes())).unwrap_or_default())
}
