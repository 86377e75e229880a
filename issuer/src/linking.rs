//! Each person is held to one link secret (`specs/proofs/README.md` 6.4).
//!
//! A service may know a resident by a name that is made from the secret of the resident's wallet. It counts persons only
//! if a person has no second secret here: so the request for linked copies comes with a proof that all of them have one
//! secret, and with the name that this secret has here. That name is registered in the transaction that issues, once for
//! each person over all types, and nobody else's; then no other wallet collects for this person, and this wallet for
//! nobody else. The secret itself is never seen.
//!
//! Who lost it comes to the counter ([`release`]): what was open for the person ends, the next collection registers anew, and
//! its copies say since when. The lost secret is registered for nobody again. What was issued before is not taken back.

use serde_json::{Map, Value};
use vouchsafe_proofs::commitment::Commitment;
use vouchsafe_protocol::encoding::{b64u, b64u_array};
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::openid4vci::credential::Received;
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_protocol::openid4vci::proof::Proofs;
use vouchsafe_protocol::types::{CredentialType, LINK_SINCE};
use vouchsafe_protocol::zkc;

use crate::app::App;
use crate::issue::IssueError;
use crate::kind::Kind;
use crate::status;
use crate::store::{Link, LinkRefusal, Mac, Store, StoreError};
use crate::types::vct;

/// Where a row keeps the name of its person over all types: no attribute can have this name.
const PERSON: &str = zkc::LINK;

/// What a batch is to be linked to, by a proof that was checked.
#[derive(Clone)]
pub struct Linked {
    /// The registered pseudonym, as it is kept.
    pub nym: Mac,
    /// The commitments, in the order of the keys.
    pub links: Vec<Commitment>,
}

/// What the copies of a batch are bound to.
#[derive(Clone)]
pub struct Holders {
    /// The wallet's keys, one for each copy.
    pub keys: Vec<PublicJwk>,
    /// What they are linked to, where their type says so.
    pub linked: Option<Linked>,
}

/// Why a batch cannot be linked so.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum LinkError {
    /// The row says nothing that could be held to a secret.
    #[error(transparent)]
    Row(#[from] IssueError),
    /// What is registered is another secret, or another person.
    #[error(transparent)]
    Refused(#[from] LinkRefusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds the person to a row's facts, where its type is linked.
pub(crate) fn name_person<S: Store>(
    app: &App<S>,
    credential_type: &CredentialType,
    key: &str,
    facts: &mut Map<String, Value>,
) {
    if credential_type.link {
        facts.insert(PERSON.to_owned(), Value::from(b64u(app.secrets().link_person(key).0)));
    }
}

/// What a request for copies of this type is linked to; `None` for copies that are not.
///
/// # Errors
/// [`CredentialError::InvalidProof`].
pub(crate) fn checked<S: Store>(
    app: &App<S>,
    credential_type: &CredentialType,
    kind: Kind,
    proofs: &Proofs,
    received: &Received,
) -> Result<Option<Linked>, CredentialError> {
    if !credential_type.link || kind != Kind::Proof {
        return Ok(None);
    }
    let vct = vct(credential_type, kind);
    let linked = proofs.linked(app.issuer(), &vct, received.link_proof.as_deref())?;
    Ok(Some(Linked { nym: app.secrets().link_nym(&linked.nym), links: linked.links }))
}

/// The registration that the write of this batch makes, or must find; its day goes into the facts. Nothing is registered
/// yet, and what is refused here would be refused there.
///
/// # Errors
/// [`LinkError`].
pub(crate) async fn to_register<S: Store>(
    app: &App<S>,
    facts: &mut Map<String, Value>,
    linked: &Linked,
) -> Result<Link, LinkError> {
    let person = facts.get(PERSON).and_then(Value::as_str).and_then(|person| b64u_array(person).ok());
    // A row from before its type was linked: import it again.
    let person = Mac(person.ok_or(IssueError::Facts)?);
    let registered = app.store().registered(person, linked.nym).await??;
    let since = registered.unwrap_or_else(|| app.now().london_date());
    facts.insert(LINK_SINCE.to_owned(), Value::from(since.to_string()));
    Ok(Link { person, nym: linked.nym, registered, since })
}

/// Gives up which link secret a person is held to, at the counter, and ends what is open for the person: the next collection
/// registers anew, with another secret. `false` where none was registered; then nothing changes.
///
/// # Errors
/// [`StoreError`].
pub async fn release<S: Store>(app: &App<S>, key: &str) -> Result<bool, StoreError> {
    let names = status::every_name(app, key).await?;
    let released = app.store().release(app.secrets().link_person(key), &names, app.now()).await?;
    if released {
        tracing::info!("gave up which wallet a person is registered with, and ended what was open");
    }
    Ok(released)
}
