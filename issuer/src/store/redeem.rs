//! The life of an offer: open, then spent once or closed for good.
//!
//! Pure, so that every store takes the same step: load the row, step, write the row, in one transaction.

use subtle::ConstantTimeEq as _;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::{Mac, Redeem};
use crate::kind::Kind;

/// Where an offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its code can be used.
    Open,
    /// Its code was used.
    Spent,
    /// Too many wrong transaction codes, or the wallet of its person was replaced.
    Closed,
}

impl Stage {
    /// As it stands in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Spent => "spent",
            Self::Closed => "closed",
        }
    }

    /// The inverse of [`Stage::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Spent, Self::Closed].into_iter().find(|stage| stage.as_str() == text)
    }
}

/// Why a code gave no token. On the wire all of them are `invalid_grant`.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum RedeemRefusal {
    /// No offer has this code.
    #[error("no offer has this code")]
    UnknownCode,
    /// The offer is over.
    #[error("the offer has expired; ask the issuer for a new one")]
    Expired,
    /// The code was used.
    #[error("the code was used before; ask the issuer for a new offer")]
    Spent,
    /// The offer was closed, after too many wrong transaction codes or with a wallet that was replaced.
    #[error("the offer was closed; ask the issuer for a new one")]
    Closed,
    /// The transaction code is wrong; the offer stays open.
    #[error("the transaction code is wrong")]
    WrongTxCode,
    /// More, or something else, was asked for by authorisation details; the offer stays open.
    #[error("the authorisation details are not for what was offered")]
    OtherDetails,
    /// A scope was asked for that is not that of the offer; the offer stays open.
    #[error("the scope is not that of what was offered")]
    OtherScope,
    /// A token that lives as long as this type needs must be bound; the offer stays open.
    #[error("this type is put off, so its token must be bound to a key")]
    Unbound,
}

/// An offer as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferState {
    /// The credential type offered.
    pub type_id: String,
    /// To whom.
    pub person: Mac,
    /// Plain or proof copies.
    pub kind: Kind,
    /// Of the transaction code.
    pub tx_code: Mac,
    /// Where it stands.
    pub stage: Stage,
    /// Wrong transaction codes so far.
    pub misses: u32,
    /// When it stops being good.
    pub expires_at: UnixTime,
}

impl OfferState {
    /// Whether the offer can still be collected at `now`.
    ///
    /// # Errors
    /// Says why not.
    pub fn check_open(&self, now: UnixTime) -> Result<(), RedeemRefusal> {
        if !(mutants::skips("store-offer-spent") || self.stage != Stage::Spent) {
            return Err(RedeemRefusal::Spent);
        }
        if !(mutants::skips("store-offer-closed") || self.stage != Stage::Closed) {
            return Err(RedeemRefusal::Closed);
        }
        if !(mutants::skips("store-offer-expired") || now < self.expires_at) {
            return Err(RedeemRefusal::Expired);
        }
        Ok(())
    }

    /// Takes one try: the offer is spent, or stays open with the miss counted, or is closed by it, or stays as it is
    /// where the request asks for what the offer does not give.
    ///
    /// A wrong transaction code never spends the offer, or anybody who saw the letter's picture could burn it; the
    /// limit keeps six digits from being guessed.
    ///
    /// # Errors
    /// Says why the code gives no token. `self` has changed on success and on a wrong transaction code.
    pub fn redeem(&mut self, redeem: &Redeem) -> Result<(), RedeemRefusal> {
        self.check_open(redeem.now)?;
        let right = bool::from(self.tx_code.0.ct_eq(&redeem.tx_code.0));
        if !(mutants::skips("store-tx-code") || right) {
            self.misses = self.misses.saturating_add(1);
            if !mutants::skips("store-tx-code-limit") && self.misses >= redeem.tx_code_tries {
                self.stage = Stage::Closed;
            }
            return Err(RedeemRefusal::WrongTxCode);
        }
        // Told only to who knows both codes, so that nothing about an offer can be probed.
        redeem.objection.map_or(Ok(()), Err)?;
        self.stage = Stage::Spent;
        Ok(())
    }
}
