//! What stands at the address of a type: names for people (SD-JWT VC 6), never authority.
//!
//! Whoever serves the document learns who fetches it, and when. So it is fetched while collecting alone, from the issuer
//! that is talked to anyway, and from nobody else. One that is not there is no fault; one that is, is held to its form,
//! and to the digest that copies name.

use std::collections::BTreeMap;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vci::batch::Received;
use vouchsafe_protocol::openid4vci::type_metadata::{
    INTEGRITY, MAX_TYPE_METADATA, TypeMetadata, TypeMetadataError,
};

use super::session::JSON;
use super::{Machine, ReceiveError};
use crate::http::{self, Outgoing};
use crate::status::same_origin;

/// The documents of those of `vcts` that are addresses of the issuer's own, by `vct`.
pub(super) async fn fetch(
    machine: &Machine,
    issuer: &str,
    vcts: &[&str],
) -> Result<BTreeMap<String, Vec<u8>>, ReceiveError> {
    let mut documents = BTreeMap::new();
    for vct in vcts {
        if !(mutants::skips("wallet-type-host") || same_origin(issuer, vct)) {
            continue;
        }
        let most = MAX_TYPE_METADATA;
        let request = Outgoing { url: vct, accept: JSON, body: None, token: None, proof: None, most };
        // Names are not worth a failure: the issuer's metadata has some too.
        let Ok(reply) = http::send(&*machine.http, request).await else { continue };
        if reply.is(JSON) {
            TypeMetadata::parse(&reply.body, vct, None)?;
            documents.insert((*vct).to_owned(), reply.body.to_vec());
        }
    }
    Ok(documents)
}

/// The document of a batch, which must be the one that its copies name by digest, where they do.
pub(super) fn check(
    document: Option<&[u8]>,
    vct: &str,
    received: &[Received],
) -> Result<Option<TypeMetadata>, TypeMetadataError> {
    // All copies of a batch say the same.
    let named = received.first().and_then(|copy| copy.held.claims().get(INTEGRITY));
    let digest = named.map(|named| named.as_str().ok_or(TypeMetadataError::Malformed)).transpose()?;
    if let Some(digest) = digest {
        // Every service sees it. More than the one digest could be a number of the resident's own.
        let bare = !digest.contains(|c: char| c.is_ascii_whitespace() || c == '?');
        if !(mutants::skips("wallet-type-mark") || bare) {
            return Err(TypeMetadataError::Digest);
        }
        // So could a digest of nothing that others can see.
        if !(mutants::skips("wallet-type-absent") || document.is_some()) {
            return Err(TypeMetadataError::Integrity);
        }
    }
    document.map(|text| TypeMetadata::parse(text, vct, digest)).transpose()
}
