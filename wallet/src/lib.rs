//! The resident's side: a vault of credentials, and the conversation about each request.
//!
//! A [`Wallet`] receives credentials ([`Wallet::receive`]), tells in plain words what a service asks
//! ([`Wallet::review`]), and answers only what was reviewed ([`Wallet::share`], [`Wallet::decline`]). It prints
//! nothing: it returns data, and [`Review::page`] gives the words.
//!
//! What it holds to:
//! * an issuer must stand in a pinned registrar's register, and every copy and commitment is checked before a batch is
//!   stored, all or none;
//! * a request must be signed by a registered service, for a registered purpose, and ask no more than the purpose
//!   allows; what would be learnt is rendered from the statements and claims, never from the requester's words;
//! * what a service can do without is sent only where the resident adds it, and nothing where something needed is missing;
//! * a copy is shown once, and is marked spent before its presentation leaves;
//! * of several credentials in one answer none is used twice, and a copy of each is spent or of none;
//! * what its issuer took back is not offered; that is looked up when the resident asks, never while answering;
//! * who agrees in another process than the one that showed the review agrees to what that one showed, or to nothing;
//! * an answer that a rule is not met is sent only on a confirmation of its own;
//! * what somebody qualifies for is worked out here ([`Wallet::entitled_at`]), by a document that is the same for everybody;
//! * what an answer permits besides is told from the entry that was verified, signed with a key made for it alone, and kept
//!   before the answer leaves; what is taken back here is answered under no more, whatever the other side does;
//! * the history keeps names, times and purposes, never values;
//! * where another person's wallet answers too, it is told what its part of the proof needs and no more, both residents
//!   have read what they tell, and who does not gather signs only what they have verified.
//!
//! Left out: the authorisation code flow, several wallets of one person, one answer of more than two people's wallets.

pub mod budget;
pub mod entitled;
pub mod history;
pub mod http;
pub mod joint;
pub mod list;
pub mod permissions;
pub mod review;
pub mod status;
pub mod store;
pub mod trust;
pub mod vault;
pub mod words;

mod answer;
mod link;
mod receive;
mod refusal;

use std::path::Path;
use std::sync::Arc;

use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::Clock;
use vouchsafe_service::entropy::{self, Entropy};

pub use answer::{AnswerError, Answered, Confirmed};
pub use entitled::{Entitled, EntitledError};
pub use permissions::{Permission, PermissionError};
pub use receive::{Collected, Outcome, ReceiveError, Received, Waited, Waits};
pub use refusal::Fault;
pub use review::{Review, ReviewError};

use http::Http;
use vault::{Cost, OpenError, Vault, VaultError};

/// What a wallet needs of the machine it runs on.
#[derive(Clone)]
pub struct Machine {
    /// The network.
    pub http: Arc<dyn Http>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Test or live: an issuer or service of the other kind is refused.
    pub env: Env,
}

/// An open wallet.
pub struct Wallet {
    vault: Vault,
    machine: Machine,
    /// Held while a copy is taken, and while it is spent and counted: two answers at once take turns there. One
    /// process at a time has the vault, so that this is enough.
    turn: tokio::sync::Mutex<()>,
    /// Held while collecting: what is begun is gone on with once.
    collecting: tokio::sync::Mutex<()>,
}

impl Wallet {
    /// Opens the vault in `directory`, or makes one there.
    ///
    /// Copies that a crash left reserved were never sent and become unused again. Keys of exchanges whose request has
    /// ended are deleted.
    ///
    /// # Errors
    /// [`OpenError`]: a wrong passphrase, a vault in use, unusable files.
    pub async fn open(
        directory: &Path,
        passphrase: &[u8],
        cost: Cost,
        machine: Machine,
    ) -> Result<Self, OpenError> {
        let vault = Vault::open(directory, passphrase, cost, &*machine.entropy).await?;
        store::release_all(&vault, &*machine.entropy).await.map_err(|_| OpenError::Database)?;
        let (now, entropy) = (machine.clock.now(), &*machine.entropy);
        joint::wipe_ended(&vault, now, entropy).await.map_err(|_| OpenError::Database)?;
        review::read::forget_ended(&vault, now, entropy).await.map_err(|_| OpenError::Database)?;
        let (turn, collecting) = Default::default();
        Ok(Self { vault, machine, turn, collecting })
    }

    /// Closes the vault and lets another process open it.
    pub async fn close(self) {
        self.vault.close().await;
    }

    /// Adds a trust file: a registrar's keys and certificate anchors. Replaces an earlier one of the same registrar.
    ///
    /// # Errors
    /// [`trust::TrustAddError`] when the file is not of its form or the vault refuses.
    pub async fn trust_add(&self, file: &[u8]) -> Result<trust::TrustAdded, trust::TrustAddError> {
        trust::add(&self.vault, file, &*self.machine.entropy).await
    }

    /// Every batch of copies, without values.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn list(&self) -> Result<Vec<list::Listed>, VaultError> {
        list::all(&self.vault, self.machine.clock.now()).await
    }

    /// What happened, newest first, without values.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn history(&self) -> Result<Vec<history::Entry>, VaultError> {
        history::all(&self.vault).await
    }

    /// A fresh random row id.
    fn new_id(&self) -> String {
        entropy::id16(&*self.machine.entropy)
    }

    /// The vault itself, for exports and tests.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }
}
