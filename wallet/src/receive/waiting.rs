//! What was begun and has not come in yet: an officer of the body decides first, or the program was stopped half-way.
//!
//! Each batch that is being collected has a record from the moment the code is spent until it is stored or refused. It
//! holds what nobody could get again: the token and its key, the keys of the copies, the transaction. So a program that
//! is stopped between any two steps goes on, and no two batches come of one request: storing the copies and deleting
//! the record are one transaction. What the body itself gives once, and was given while the program was being stopped,
//! is lost, for the protocol has no way to ask for it twice; then the body says so, and so does the wallet.

use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::commitment::Blinding;
use vouchsafe_proofs::pseudonym::LinkSecret;
use vouchsafe_protocol::encoding::{b64u, b64u_array, b64u_decode};
use vouchsafe_protocol::openid4vci::deferred::Transaction;
use vouchsafe_protocol::openid4vci::notification::Event as Told;
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::keys::SigningKey;
use zeroize::{Zeroize, Zeroizing};

use super::collect::{Answer, Batch, Collector, wanted};
use super::issuer::Issuer;
use super::session::Session;
use super::{ReceiveError, Received, describe};
use crate::history::{self, Event};
use crate::link::need_link_secret;
use crate::store;
use crate::vault::{Change, Section, VaultError};
use crate::words::{Language, say};
use crate::{Fault, Wallet, trust};

/// For how long after the end of its token a batch is asked for of a body that does not answer, in seconds. Whether the
/// token is good is the body's to say.
const PATIENCE_S: i64 = 30 * DAY;

/// A batch that is being collected.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begun {
    issuer: String,
    pub(super) configuration: String,
    name: Bilingual,
    body: Bilingual,
    token: String,
    token_key: Option<String>,
    token_ends_at: i64,
    keys: Vec<String>,
    /// What hides the link secret in each copy, in the order of the keys, once it was asked for; none where it is not linked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blindings: Vec<String>,
    pub(super) transaction: Option<Transaction>,
    ask_after: i64,
}

impl Begun {
    /// The keys of the copies.
    pub(super) fn keys(&self) -> Result<Vec<SigningKey>, ReceiveError> {
        self.keys.iter().map(|key| opened(key)).collect()
    }

    /// The token, and the key that it is bound to.
    pub(super) fn access(&self) -> Result<(Zeroizing<String>, Option<SigningKey>), ReceiveError> {
        let key = self.token_key.as_deref().map(opened).transpose()?;
        Ok((Zeroizing::new(self.token.clone()), key))
    }

    /// What hides the link secret in each copy.
    pub(super) fn blindings(&self) -> Result<Vec<Blinding>, ReceiveError> {
        let opened = |t: &String| {
            let bytes = Zeroizing::new(b64u_array(t).map_err(|_| VaultError::Damaged)?);
            Blinding::from_canonical_bytes(*bytes).ok_or(VaultError::Damaged)
        };
        Ok(self.blindings.iter().map(opened).collect::<Result<_, _>>()?)
    }

    /// Keeps what was drawn for the request that is about to leave.
    pub(super) fn keep_blindings(&mut self, blindings: &[Blinding]) {
        self.blindings.zeroize();
        self.blindings = blindings.iter().map(|t| b64u(t.to_bytes().as_slice())).collect();
    }

    /// When the token ends, in Unix seconds.
    pub(super) fn token_ends_at(&self) -> i64 {
        self.token_ends_at
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.token.zeroize();
        self.token_key.zeroize();
        self.keys.zeroize();
        self.blindings.zeroize();
        if let Some(transaction) = &mut self.transaction {
            transaction.transaction_id.zeroize();
        }
    }
}

fn opened(key: &str) -> Result<SigningKey, ReceiveError> {
    let der = Zeroizing::new(b64u_decode(key).map_err(|_| VaultError::Damaged)?);
    Ok(SigningKey::from_pkcs8_der(&der).map_err(|_| VaultError::Damaged)?)
}

fn written(key: &SigningKey) -> String {
    b64u(key.to_pkcs8_der().as_slice())
}

/// How far a batch came.
pub(super) enum Progress {
    Received(Received),
    Waits(Waits),
}

/// A batch that an officer of the body decides on first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// Its id among what waits.
    pub id: String,
    /// What people call it.
    pub name: Bilingual,
    /// Who decides.
    pub issuer: Bilingual,
    /// Seconds from now before which the body does not want to be asked again.
    pub wait_s: u64,
}

/// What became of a batch that waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waited {
    /// Its id among what waits.
    pub id: String,
    /// What people call it.
    pub name: Bilingual,
    /// Who decides.
    pub issuer: Bilingual,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a batch that waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It came in.
    Received {
        /// Its id in this wallet.
        credential: String,
        /// How many copies.
        copies: usize,
    },
    /// Nobody has decided yet, or it is too early to ask.
    Waits {
        /// Seconds from now before which the body does not want to be asked again.
        wait_s: u64,
    },
    /// The body could not be asked. What was begun is kept.
    NotAsked {
        /// The code of [`ReceiveError::code`].
        code: &'static str,
    },
    /// It will not come.
    Ended {
        /// The code of [`ReceiveError::code`].
        code: &'static str,
        /// Whose fault it is.
        #[serde(skip)]
        fault: Fault,
    },
}

impl Waits {
    /// The same in plain words.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let text = |both: &Bilingual| language.pick(&both.en, &both.cy).to_owned();
        // Two at least: no language has to count to one.
        let minutes = self.wait_s.div_ceil(60).max(2);
        let (key, n) = if minutes < 120 {
            ("waiting_minutes", minutes)
        } else {
            ("waiting_hours", minutes.div_ceil(60))
        };
        let (name, issuer) = (text(&self.name), text(&self.issuer));
        say(language, key, &[("credential", &name), ("issuer", &issuer), ("n", &n.to_string())])
    }
}

impl Waited {
    /// The same in plain words.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let Self { id, name, issuer, outcome } = self.clone();
        let (key, value) = match outcome {
            Outcome::Received { copies, .. } => ("received_line", copies.to_string()),
            Outcome::Waits { wait_s } => return Waits { id, name, issuer, wait_s }.words(language),
            Outcome::NotAsked { code } => ("waiting_not_asked", code.to_owned()),
            Outcome::Ended { code: "other-wallet", .. } => ("waiting_other_wallet", String::new()),
            Outcome::Ended { code: "denied", .. } => ("waiting_denied", String::new()),
            Outcome::Ended { code: "over" | "lost", .. } => ("waiting_over", String::new()),
            Outcome::Ended { code, .. } => ("waiting_refused", code.to_owned()),
        };
        let text = |both: &Bilingual| language.pick(&both.en, &both.cy).to_owned();
        let values =
            [("credential", &*text(&name)), ("issuer", &*text(&issuer)), ("n", &*value), ("code", &*value)];
        say(language, key, &values)
    }
}

impl Wallet {
    /// Asks again for everything that waits, as far as the body's wish to be left alone is over.
    ///
    /// # Errors
    /// [`VaultError`]; what a body says, or that it cannot be asked, is an outcome.
    pub async fn receive_waiting(&self) -> Result<Vec<Waited>, VaultError> {
        let _turn = self.collecting.lock().await;
        let mut all = Vec::new();
        for record in self.vault.scan(Section::Waiting).await? {
            let begun: Begun = store::decode(&record)?;
            all.push(self.ask_again(record.id, begun).await?);
        }
        Ok(all)
    }

    async fn ask_again(&self, id: String, begun: Begun) -> Result<Waited, VaultError> {
        let (name, issuer) = (begun.name.clone(), begun.body.clone());
        let told = |outcome| Waited { id: id.clone(), name: name.clone(), issuer: issuer.clone(), outcome };
        let wait_s = self.wait_s(&begun);
        // 9.2: the wallet waits for at least `interval` seconds.
        if !(mutants::skips("wallet-waiting-interval") || wait_s == 0) {
            return Ok(told(Outcome::Waits { wait_s }));
        }
        let over = begun.token_ends_at + PATIENCE_S <= self.machine.clock.now().0;
        let refused = match self.resume(id.clone(), begun).await {
            Ok(Progress::Received(Received { id: credential, copies, .. })) => {
                return Ok(told(Outcome::Received { credential, copies }));
            }
            Ok(Progress::Waits(waits)) => return Ok(told(Outcome::Waits { wait_s: waits.wait_s })),
            Err(ReceiveError::Vault(fault)) => return Err(fault),
            Err(refused) => refused,
        };
        let gone = self.vault.read(Section::Waiting, &id).await?.is_none();
        if !gone && !over {
            return Ok(told(Outcome::NotAsked { code: refused.code() }));
        }
        // Whatever holds the body up, its permission to collect has long been over.
        self.give_up([id.clone()]).await?;
        let (code, fault) = (refused.code(), refused.fault());
        let event =
            Event::NotIssued { credential: name.clone(), issuer: issuer.clone(), code: code.to_owned() };
        self.record(event).await?;
        Ok(told(Outcome::Ended { code, fault }))
    }

    async fn resume(&self, id: String, begun: Begun) -> Result<Progress, ReceiveError> {
        // Read anew: the body may have gone from the register since.
        let issuer = self.issuer(&begun.issuer, std::slice::from_ref(&begun.configuration)).await?;
        let session = Session::resume(&self.machine, &begun)?;
        self.proceed(&issuer, &session, id, begun).await
    }

    /// Keeps what it takes to collect each of the configurations, before the first of them is asked for.
    pub(super) async fn begin(
        &self,
        issuer: &Issuer,
        session: &Session<'_>,
        ids: &[String],
    ) -> Result<Vec<(String, Begun)>, ReceiveError> {
        let mut all = Vec::new();
        for configuration in ids {
            all.push((self.new_id(), begun(issuer, session, configuration)?));
        }
        let insert = |(id, begun): &(String, Begun)| {
            Change::Insert(Section::Waiting, id.clone(), store::encode(begun))
        };
        self.vault.apply(all.iter().map(insert).collect(), &*self.machine.entropy).await?;
        Ok(all)
    }

    /// Forgets what was begun.
    pub(super) async fn give_up(&self, ids: impl IntoIterator<Item = String>) -> Result<(), VaultError> {
        let changes = ids.into_iter().map(|id| Change::Delete(Section::Waiting, id)).collect();
        self.vault.apply(changes, &*self.machine.entropy).await
    }

    /// Asks for one batch, and keeps what comes of it.
    pub(super) async fn proceed(
        &self,
        issuer: &Issuer,
        session: &Session<'_>,
        id: String,
        mut begun: Begun,
    ) -> Result<Progress, ReceiveError> {
        let secret = self.secret_for(issuer, &begun).await?;
        let collector = Collector::new(&self.machine, issuer, session, secret);
        match collector.ask(&mut begun).await {
            Ok(Answer::Issued(batch)) => {
                let notification = batch.notification();
                let received = self.keep(issuer, id, *batch).await?;
                if let Some(notification) = notification {
                    collector.notify(notification, Told::CredentialAccepted).await;
                }
                Ok(Progress::Received(received))
            }
            Ok(Answer::Later(transaction)) => self.put_off(id, begun, transaction).await.map(Progress::Waits),
            Err(refused) if refused.passes() => Err(refused),
            Err(refused) => {
                self.give_up([id]).await?;
                Err(refused)
            }
        }
    }

    /// The link secret, where what is collected is linked by the issuer's metadata.
    async fn secret_for(&self, issuer: &Issuer, begun: &Begun) -> Result<Option<LinkSecret>, VaultError> {
        let configurations = &issuer.metadata.credential_configurations_supported;
        if !configurations.get(&begun.configuration).is_some_and(|configuration| configuration.link) {
            return Ok(None);
        }
        need_link_secret(&self.vault, &*self.machine.entropy).await.map(Some)
    }

    /// Stores a batch in place of what was begun, in one transaction.
    async fn keep(&self, issuer: &Issuer, id: String, batch: Batch) -> Result<Received, ReceiveError> {
        let received = batch.told(self.new_id());
        let mut changes = batch.store(&received.id, || self.new_id());
        changes.push(history::record(self.new_id(), &self.entry_now(received.event()).await?));
        changes.push(Change::Delete(Section::Waiting, id));
        self.vault.apply(changes, &*self.machine.entropy).await?;
        let document = issuer.entry.document();
        trust::saw(&self.vault, &document.iss, document.reg_version, &*self.machine.entropy).await?;
        Ok(received)
    }

    /// Keeps the transaction and when to ask for it.
    async fn put_off(
        &self,
        id: String,
        mut begun: Begun,
        transaction: Transaction,
    ) -> Result<Waits, ReceiveError> {
        let first = begun.transaction.is_none();
        begun.ask_after = self.machine.clock.now().plus(i64::from(transaction.interval)).0;
        begun.transaction = Some(transaction);
        let mut changes = vec![Change::Put(Section::Waiting, id.clone(), store::encode(&begun))];
        if first {
            let event = Event::PutOff { credential: begun.name.clone(), issuer: begun.body.clone() };
            changes.push(history::record(self.new_id(), &self.entry_now(event).await?));
        }
        self.vault.apply(changes, &*self.machine.entropy).await?;
        let wait_s = self.wait_s(&begun);
        Ok(Waits { id, name: begun.name.clone(), issuer: begun.body.clone(), wait_s })
    }

    fn wait_s(&self, begun: &Begun) -> u64 {
        u64::try_from(begun.ask_after - self.machine.clock.now().0).unwrap_or(0)
    }
}

fn begun(issuer: &Issuer, session: &Session<'_>, id: &str) -> Result<Begun, ReceiveError> {
    let configurations = &issuer.metadata.credential_configurations_supported;
    let configuration = configurations.get(id).ok_or(ReceiveError::Answer)?;
    let key = |_| SigningKey::generate().map(|key| written(&key)).map_err(|_| ReceiveError::Key);
    Ok(Begun {
        issuer: issuer.metadata.credential_issuer.clone(),
        configuration: id.to_owned(),
        name: describe::name(configuration, None, id),
        body: issuer.entry.document().name.clone(),
        token: session.token().to_owned(),
        token_key: session.key().map(written),
        token_ends_at: session.ends_at(),
        // A fresh key for every copy.
        keys: (0..wanted(issuer)).map(key).collect::<Result<_, _>>()?,
        blindings: Vec::new(),
        transaction: None,
        ask_after: 0,
    })
}
