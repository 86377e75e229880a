//! Why a credential was not received.

use thiserror::Error;
use vouchsafe_protocol::openid4vci::batch::BatchError;
use vouchsafe_protocol::openid4vci::credential::ResponseError;
use vouchsafe_protocol::openid4vci::metadata::MetadataError;
use vouchsafe_protocol::openid4vci::offer::OfferError;
use vouchsafe_protocol::openid4vci::type_metadata::TypeMetadataError;
use vouchsafe_protocol::trust::TrustError;

use crate::Fault;
use crate::http::HttpError;
use crate::vault::VaultError;

/// Why a credential was not received. Nothing of it was stored.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// The offer is unusable.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// A code is needed that was not given.
    #[error("this offer needs the code that came separately: give it with --tx-code")]
    CodeNeeded,
    /// A code was given that the offer does not know.
    #[error("this offer needs no code: leave it out")]
    CodeNotNeeded,
    /// No trust file was added.
    #[error("this wallet trusts nobody yet: add a trust file first")]
    NoTrust,
    /// The entry is not of a registrar that this wallet trusts.
    #[error("the body that offers this is registered nowhere that this wallet trusts")]
    UnknownRegistrar,
    /// The issuer's metadata or its entry are refused.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A list of codes in the metadata is refused.
    #[error("a list in the issuer's metadata is refused: {0}")]
    Tables(TrustError),
    /// The code is wrong, used or too old.
    #[error("the offer or its code is wrong, was used before, or is too old: ask for a new one")]
    CodeRefused,
    /// The issuer refused the request.
    #[error("the body refused the request ({0}): try again, or ask for a new offer")]
    Refused(&'static str),
    /// The issuer is busy, or takes no more calls from this network just now. Nothing was used up.
    #[error("the body is busy: wait a minute, then use the same offer and the same code again")]
    Busy,
    /// The issuer stayed busy after it had taken the code. What was begun is kept.
    #[error("the body stayed busy after it took the code: go on with `receive --waiting` in a minute")]
    StayedBusy,
    /// The connection broke after the issuer had taken the code. What was begun is kept.
    #[error("the connection broke after the body took the code: go on with `receive --waiting`")]
    Interrupted,
    /// The issuer decided not to issue.
    #[error("the body decided not to issue this: ask it why")]
    Denied,
    /// The issuer holds the person to the secret of another wallet, or this wallet's to another person.
    #[error(
        "the body has another wallet on record for you: go to its counter, and ask for a new offer there"
    )]
    OtherWallet,
    /// The access token is no longer good: it ended, or had its batch.
    #[error("the time to collect this is over, or it was collected: ask for a new offer")]
    Over,
    /// What was put off is unknown to the issuer: it was collected, or given up.
    #[error("the body does not know of this any more, or it was collected: ask for a new offer")]
    Lost,
    /// The document of the type is refused.
    #[error("what the body says about the type is refused: {0}")]
    Type(#[from] TypeMetadataError),
    /// The issuer answered something else than the protocol says.
    #[error("the body's answer cannot be understood: tell them, and try again later")]
    Answer,
    /// The response does not open.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// A copy or a commitment is off; the whole batch is refused.
    #[error("the whole batch is refused: {0}")]
    Batch(#[from] BatchError),
    /// The network.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A key could not be made or could not sign.
    #[error("a key could not be made on this machine")]
    Key,
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl ReceiveError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Offer(OfferError::OlderDraft(_)) => "older-draft",
            Self::Offer(_) => "offer",
            Self::CodeNeeded => "code-needed",
            Self::CodeNotNeeded => "code-not-needed",
            Self::NoTrust => "no-trust",
            Self::UnknownRegistrar => "unknown-registrar",
            Self::Metadata(MetadataError::Trust(_) | MetadataError::NoEntry | MetadataError::OtherEntry) => {
                "unknown-issuer"
            }
            Self::Metadata(MetadataError::Type) => "issuer-type",
            Self::Metadata(MetadataError::Env) => "environment",
            Self::Metadata(MetadataError::Signature) => "metadata-signature",
            Self::Metadata(MetadataError::Time) => "metadata-time",
            Self::Metadata(_) => "issuer-metadata",
            Self::Tables(_) => "issuer-tables",
            Self::CodeRefused => "code-refused",
            Self::Refused(_) => "issuer-refused",
            Self::Busy => "busy",
            Self::StayedBusy => "stayed-busy",
            Self::Interrupted => "interrupted",
            Self::Denied => "denied",
            Self::OtherWallet => "other-wallet",
            Self::Over => "over",
            Self::Lost => "lost",
            Self::Type(_) => "type-document",
            Self::Answer => "issuer-answer",
            Self::Response(_) => "issuer-response",
            Self::Batch(_) => "batch",
            Self::Http(_) => "network",
            Self::Key => "key",
            Self::Vault(_) => "vault",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Offer(_) | Self::CodeNeeded | Self::CodeNotNeeded | Self::NoTrust => Fault::Caller,
            Self::CodeRefused
            | Self::Refused(_)
            | Self::Denied
            | Self::OtherWallet
            | Self::Over
            | Self::Lost => Fault::RefusedByPeer,
            Self::Busy | Self::StayedBusy | Self::Interrupted => Fault::Unavailable,
            Self::Http(HttpError::Unreachable) | Self::Key | Self::Vault(_) => Fault::Unavailable,
            _ => Fault::RefusedByUs,
        }
    }

    /// Whether the same may work later: nothing was refused, and what was begun is kept.
    pub(super) fn passes(&self) -> bool {
        let unreachable = matches!(self, Self::Http(HttpError::Unreachable) | Self::Interrupted);
        unreachable
            || matches!(self, Self::Busy | Self::StayedBusy | Self::Answer | Self::Key | Self::Vault(_))
    }

    /// The same after the code was spent.
    pub(super) fn after_the_code(self) -> Self {
        match self {
            Self::Http(HttpError::Unreachable) => Self::Interrupted,
            other => other,
        }
    }
}
