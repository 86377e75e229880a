//! One decision checked from outside: the token, its proof, the log's key, and the witnesses that one relies on. No database.

use serde::Serialize;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::decision;
use vouchsafe_protocol::decision::leaf;
use vouchsafe_protocol::jose::jws::{Compact, MAX_TOKEN};
use vouchsafe_protocol::permission::record;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::tlog::checkpoint::Trust;
use vouchsafe_protocol::tlog::note::{Kind, NoteKey};
use vouchsafe_protocol::tlog::notice;
use vouchsafe_protocol::tlog::proof::{LogProof, LogProofError};
use vouchsafe_service::keys::Jws;

/// Whom somebody believes: given beforehand, never read of what is checked.
#[derive(Clone, Debug)]
pub struct Believed {
    /// The log's keys; its origin is the name of the first.
    pub log: Vec<NoteKey>,
    /// The witnesses that count.
    pub witnesses: Vec<NoteKey>,
    /// How many of them are asked for.
    pub quorum: usize,
}

/// Why a token is not shown to be in the log.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token is none that the log has entries of.
    #[error("this is not a signed document of a verifier; copy the whole token again")]
    Token,
    /// A key is not of its kind, or there is none of the log.
    #[error("the log's key is one of type 0x01 and a witness's one of type 0x04: name+id+key")]
    Keys,
    /// Fewer witnesses are named than are asked for.
    #[error("the quorum asks for more witnesses than are named")]
    Quorum,
    /// The proof.
    #[error(transparent)]
    Proof(#[from] LogProofError),
}

/// Where a token stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stands {
    /// The kind of document.
    pub typ: &'static str,
    /// Its place.
    pub index: u64,
    /// How many entries the checkpoint has.
    pub size: u64,
    /// Which witnesses have signed it, and when.
    pub witnessed: Vec<(String, UnixTime)>,
}

/// Checks that a token is in the log. Its own signature and claims are checked as ever, by `verifier decisions verify`.
///
/// # Errors
/// [`TokenError`].
pub fn check(token: &str, proof: &str, believed: &Believed) -> Result<Stands, TokenError> {
    let all = |keys: &[NoteKey], kind| keys.iter().all(|key| key.kind() == kind);
    let sound = all(&believed.log, Kind::Ed25519) && all(&believed.witnesses, Kind::Cosignature);
    let first = believed.log.first().filter(|_| mutants::skips("audit-token-keys") || sound);
    let first = first.ok_or(TokenError::Keys)?;
    if !(mutants::skips("audit-token-quorum") || believed.quorum <= believed.witnesses.len()) {
        return Err(TokenError::Quorum);
    }
    let token = token.trim();
    let compact = Compact::parse(token, MAX_TOKEN).map_err(|_| TokenError::Token)?;
    let known = [decision::TYP, notice::TYP, record::TYP];
    let typ = known.into_iter().find(|typ| compact.check_typ(typ).is_ok()).ok_or(TokenError::Token)?;
    let (input, _) = token.rsplit_once('.').ok_or(TokenError::Token)?;
    let trust = Trust {
        origin: first.name(),
        log: &believed.log,
        witnesses: &believed.witnesses,
        quorum: believed.quorum,
    };
    let proof = LogProof::parse(proof)?;
    let opened = proof.verify(&leaf(typ, input.as_bytes()), &trust, &Jws)?;
    Ok(Stands { typ, index: proof.index, size: opened.checkpoint.size(), witnessed: opened.witnessed })
}
