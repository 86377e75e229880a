//! Credential offers: how a resident is invited to collect copies.
//!
//! OpenID4VCI 4.1 with the pre-authorised code flow. An offer names the plain or the proof configuration of one type,
//! never both: a stranger's wallet asks for every configuration in an offer. The code travels in the link, the
//! transaction code apart from it; the store keeps HMACs of both. The code is good once, until the offer expires or
//! too many transaction codes were wrong.

mod letter;
mod picture;

use vouchsafe_protocol::openid4vci::offer as wire;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::{CredentialType, Month, Period};
use vouchsafe_service::entropy;
use zeroize::Zeroizing;

pub use letter::{Language, Letter, LetterError};
pub use picture::PictureError;

use crate::app::App;
use crate::kind::Kind;
use crate::store::{AddOfferError, Mac, NewOffer, Store};
use crate::types;

/// Digits of a transaction code.
const TX_CODE_DIGITS: u32 = 6;

/// Whom to offer what, and how it will reach them.
#[derive(Clone, Debug)]
pub struct OfferRequest {
    /// The id of the credential type.
    pub type_id: String,
    /// The partner's key of the person, as in the import's key column.
    pub person: String,
    /// Plain or proof copies.
    pub kind: Kind,
    /// How the offer travels, which says how long it is good.
    pub delivery: Delivery,
}

/// How an offer reaches its resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By post.
    Letter,
    /// By link, or on a screen at the counter.
    Link,
}

/// An offer as it is handed over. Whoever has the link and the transaction code can collect: neither is printed by
/// `Debug`, kept or logged.
pub struct Offer {
    type_id: String,
    handle: String,
    issuer: String,
    document: wire::Offer,
    tx_code: Zeroizing<String>,
    expires_at: UnixTime,
}

/// Why no offer was made.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum OfferError {
    /// There is no such type.
    #[error("no credential type has this id")]
    UnknownType,
    /// A type with periods, and no period.
    #[error("this type has a credential for each period; name the period")]
    PeriodNeeded,
    /// A period that is none, or of a type without periods.
    #[error("this type has no such period; months are written YYYY-MM")]
    NoPeriod,
    /// A proof configuration without anything to prove.
    #[error("nothing of this type can be proved; offer plain copies")]
    NothingToProve,
    /// A plain configuration without anything to show.
    #[error("nothing of this type can be shown; offer proof copies")]
    NothingToShow,
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] AddOfferError),
}

/// Makes an offer for one person and writes it down.
///
/// # Errors
/// [`OfferError`]; nothing was written.
pub async fn create<S: Store>(app: &App<S>, request: &OfferRequest) -> Result<Offer, OfferError> {
    write(app, request, None).await
}

/// Makes an offer of a type with periods, for one person and one period (`YYYY-MM`), and writes it down.
///
/// # Errors
/// [`OfferError`]; nothing was written.
pub async fn create_for_period<S: Store>(
    app: &App<S>,
    request: &OfferRequest,
    period: &str,
) -> Result<Offer, OfferError> {
    write(app, request, Some(period)).await
}

/// Who the offer is to, as the register's row names them.
fn person<S: Store>(
    app: &App<S>,
    credential_type: &CredentialType,
    key: &str,
    period: Option<&str>,
) -> Result<Mac, OfferError> {
    match (credential_type.period, period) {
        (None, None) => Ok(app.secrets().person(credential_type, key)),
        (Some(Period::Month), Some(month)) if Month::parse(month).is_some() => {
            Ok(app.secrets().person_in(credential_type, key, month))
        }
        (Some(_), None) => Err(OfferError::PeriodNeeded),
        (_, Some(_)) => Err(OfferError::NoPeriod),
    }
}

async fn write<S: Store>(
    app: &App<S>,
    request: &OfferRequest,
    period: Option<&str>,
) -> Result<Offer, OfferError> {
    let credential_type = app.types().by_id(&request.type_id).ok_or(OfferError::UnknownType)?;
    let person = person(app, credential_type, &request.person, period)?;
    let configuration = types::offered(credential_type, request.kind)?;
    let now = app.now();
    let handle = entropy::id16(app.entropy());
    let code = app.secrets().code_of(&handle);
    let tx_code = tx_code(app.entropy());
    let code_mac = app.secrets().code(&code);
    let expires_at = now.plus(app.offer_settings().ttl(request.delivery));
    let row = NewOffer {
        handle: app.secrets().handle(&handle),
        code: code_mac,
        tx_code: app.secrets().tx_code(code_mac, &tx_code),
        type_id: credential_type.id.clone(),
        person,
        kind: request.kind,
        created_at: now,
        expires_at,
    };
    app.store().add_offer(row).await?;
    let document = document(app.issuer(), configuration, &code);
    let type_id = credential_type.id.clone();
    Ok(Offer { type_id, handle, issuer: app.issuer().to_owned(), document, tx_code, expires_at })
}

/// The offer as wallets read it.
pub(crate) fn document(issuer: &str, configuration: String, code: &str) -> wire::Offer {
    let tx_code = wire::TxCode {
        input_mode: Some(wire::InputMode::Numeric),
        length: Some(TX_CODE_DIGITS),
        description: None,
    };
    let pre_authorized =
        wire::PreAuthorized { code: code.to_owned(), tx_code: Some(tx_code), authorization_server: None };
    wire::Offer {
        credential_issuer: issuer.to_owned(),
        credential_configuration_ids: vec![configuration],
        grants: wire::Grants { pre_authorized },
    }
}

/// Six digits, each as likely as any other.
fn tx_code(source: &dyn entropy::Entropy) -> Zeroizing<String> {
    let length = TX_CODE_DIGITS as usize;
    let mut digits = Zeroizing::new(String::with_capacity(length));
    while digits.len() < length {
        let [byte] = entropy::bytes::<1>(source);
        // 250 is the largest multiple of ten in a byte: what lies above would make some digits likelier.
        if byte < 250 {
            digits.push(char::from(b'0' + byte % 10));
        }
    }
    digits
}

impl Offer {
    /// The link for wallets, by reference: `openid-credential-offer://?credential_offer_uri=…`.
    #[must_use]
    pub fn link(&self) -> String {
        wire::Offer::link_to(&self.address())
    }

    /// The link for wallets with the whole offer inside.
    #[must_use]
    pub fn link_by_value(&self) -> String {
        self.document.link()
    }

    /// Where the offer can be fetched: unguessable, and gone when it expires.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}/offers/{}", self.issuer, self.handle)
    }

    /// The code to hand over apart from the link.
    #[must_use]
    pub fn tx_code(&self) -> &str {
        &self.tx_code
    }

    /// When the offer ends.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The link as a QR code in SVG.
    ///
    /// # Errors
    /// [`PictureError`] when the link is too long for a code.
    pub fn qr_svg(&self) -> Result<String, PictureError> {
        picture::svg(&self.link())
    }

    /// The link as a QR code in characters, for a terminal.
    ///
    /// # Errors
    /// [`PictureError`] when the link is too long for a code.
    pub fn qr_text(&self) -> Result<String, PictureError> {
        picture::text(&self.link())
    }
}
