//! Validated certificate paths, kept so that the same issuer's path is not walked for every answer.
//!
//! Keyed by the exact bytes that were sent; an entry serves only while [`VerifiedLeaf::covers`] says that it
//! still holds under today's anchors. Bounded, and nothing of a person is in it: an issuer's leaf is public.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vouchsafe_protocol::encoding::sha256;
use vouchsafe_protocol::jose::x5c::VerifiedLeaf;

/// How many paths are kept; there are few issuers, and each changes its leaf rarely.
const MOST: usize = 64;

/// The cache.
#[derive(Default)]
pub struct PathCache(Mutex<HashMap<[u8; 32], Arc<VerifiedLeaf>>>);

impl PathCache {
    /// What was kept for this path, to be checked by whoever takes it.
    #[must_use]
    pub fn get(&self, x5c: &[Vec<u8>]) -> Option<Arc<VerifiedLeaf>> {
        self.kept().get(&key(x5c)).cloned()
    }

    /// Keeps a validated path; when there are too many, all others are forgotten.
    pub fn put(&self, leaf: &Arc<VerifiedLeaf>) {
        let mut kept = self.kept();
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(key(leaf.x5c()), leaf.clone());
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<VerifiedLeaf>>> {
        // The map is never left half changed, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each certificate by its own hash, so that two different cuts of the same bytes differ.
fn key(x5c: &[Vec<u8>]) -> [u8; 32] {
    sha256(x5c.iter().flat_map(sha256).collect::<Vec<u8>>())
}
