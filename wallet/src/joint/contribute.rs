//! The wallet that is invited: it tells what its part of the proof needs, and signs what it has verified.

use std::collections::BTreeMap;

use vouchsafe_mutants as mutants;
use vouchsafe_proofs::answer;
use vouchsafe_proofs::context::Credential;
use vouchsafe_protocol::answer::{AnswerClaims, carried};
use vouchsafe_protocol::encoding::{b64u_decode, sha256};
use vouchsafe_protocol::jose::KeyAgreement as _;
use vouchsafe_protocol::openid4vp::{Asked, Chosen};
use vouchsafe_protocol::zkc;
use vouchsafe_service::keys::AgreementKey;

use super::foreign::{Foreign, bound};
use super::gather::{jwts, taken_copies, thread};
use super::message::{
    Bindings, Contribution, Invitation, Proof, Sealed, Step, Thread, VERSION, check_version,
};
use super::page::{Fact, Tells};
use super::record::{Begins, Conversation, Open, Role};
use super::share::{self, Own, wanted};
use super::{CheckNumber, Invited, JointError, Mine, Refusal, check_shown, mine, policy};
use crate::Wallet;
use crate::answer::{TakenCopy, ToProve};
use crate::history::{self, Event};
use crate::review::read::{self, About, Seen};
use crate::review::{Review, Way, Wish, asked};
use crate::store::{self, Held};
use crate::vault::{Section, VaultError};

impl Wallet {
    /// Reads an invitation: fetches and verifies the request itself, and says what the service and what the other
    /// person's wallet would learn. Tells nobody anything.
    ///
    /// # Errors
    /// [`JointError`].
    pub async fn invited(&self, invitation: &str) -> Result<Invited, JointError> {
        let done = self.look_invited(invitation.trim(), None).await;
        self.noted(None, done).await
    }

    /// As [`Wallet::invited`], of the request as it was when its page was last shown ([`Wallet::shown`]).
    ///
    /// # Errors
    /// As [`Wallet::invited`], [`crate::ReviewError::Unread`] and [`crate::ReviewError::Changed`].
    pub async fn invited_as_read(&self, invitation: &str) -> Result<Invited, JointError> {
        let done = async {
            let text = invitation.trim();
            let seen = self.seen(&About::Invitation(sha256(text))).await?;
            let invited = self.look_invited(text, seen.as_ref()).await?;
            read::check(seen.as_ref(), &invited.reading())?;
            Ok(invited)
        };
        let done = done.await;
        self.noted(None, done).await
    }

    async fn look_invited(&self, text: &str, seen: Option<&Seen>) -> Result<Invited, JointError> {
        let (invitation, key) = Invitation::parse(text)?;
        let (wish, person) = (Wish::default(), Some(invitation.person.as_str()));
        let review = self.look_at(&invitation.request, &wish, person, seen).await?;
        let mine = mine(&review, invitation.option, &invitation.person)?;
        check_shown(&review, mine.option, &mine.label)?;
        mine.able(&review)?;
        let tells = self.tells(&review, &mine).await?;
        let check = CheckNumber::of(text);
        Ok(Invited { review, mine, key, invitation: sha256(text), tells, check })
    }

    /// What the other person's wallet would learn: one for everything that is wanted of what this wallet holds.
    async fn tells(&self, review: &Review, mine: &Mine) -> Result<Vec<Tells>, JointError> {
        let (question, chosen) = policy(review, mine.option)?;
        let way = mine.find(review)?;
        let (own, batches) = (mine.own(question, &chosen), mine.batches(way));
        let all = store::credentials(&self.vault).await?;
        let mut tells = Vec::new();
        for one in wanted(&question.statements(&chosen), &|query: &str| own.contains(&query)) {
            let (mut of, mut texts) = (Vec::new(), false);
            for at in &one.of {
                let place = own.iter().position(|query| *query == at.query);
                let Some(batch) = place.and_then(|place| batches.get(place)) else { continue };
                let Some((_, credential)) = all.iter().find(|(id, _)| id == batch) else { continue };
                texts |= self.is_text(batch, &at.pointer).await?;
                of.push(Fact::of(&at.pointer, credential));
            }
            tells.extend(Tells::new(of, one.value, texts));
        }
        Ok(tells)
    }

    /// Whether what a copy of the batch hides there is a text.
    async fn is_text(&self, batch: &str, pointer: &str) -> Result<bool, JointError> {
        let held = store::peek(&self.vault, batch).await?;
        let Some(openings) = held.and_then(|held| held.openings) else { return Ok(false) };
        Ok(matches!(openings.open()?.values.get(pointer), Some(zkc::Value::Text(_))))
    }

    /// Tells the other wallet what the review listed, if `read` is the check number of the invitation as the other person
    /// read it out. One copy of each credential is used from here on.
    ///
    /// # Errors
    /// [`Refusal::Check`], and [`JointError`]; no copy is used then.
    pub async fn contribute(&self, invited: &Invited, read: &str) -> Result<String, JointError> {
        let done = self.contribute_or_fail(invited, read).await;
        self.noted(Some(asked(invited.review.request())), done).await
    }

    async fn contribute_or_fail(&self, invited: &Invited, read: &str) -> Result<String, JointError> {
        let (review, mine) = (&invited.review, &invited.mine);
        if !(mutants::skips("joint-check") || invited.check.is(read)) {
            return Err(Refusal::Check.into());
        }
        if !(mutants::skips("joint-ended") || self.machine.clock.now() < review.request().expires_at()) {
            return Err(Refusal::Ended.into());
        }
        let way = mine.able(review)?;
        self.forget(&invited.reading()).await?;
        let batches = mine.batches(way);
        let taken = self.take(way, review, &batches).await?;
        match self.tell_and_spend(invited, way, &taken).await {
            Ok(text) => Ok(text),
            Err(failed) => {
                self.release(&taken).await?;
                Err(failed)
            }
        }
    }

    async fn tell_and_spend(
        &self,
        invited: &Invited,
        way: &Way,
        taken: &[Held],
    ) -> Result<String, JointError> {
        let Invited { review, mine, .. } = invited;
        let (question, chosen) = policy(review, mine.option)?;
        let entropy = &*self.machine.entropy;
        let key = AgreementKey::generate(entropy);
        let message = contribution(question, &chosen, mine, taken, &key)?;
        let thread =
            Thread { party: question.party(), step: Step::Contribution, previous: invited.invitation };
        let text = thread.seal(&message, &invited.key, entropy)?;
        let told_of = asked(review.request());
        let begins = Begins {
            role: Role::Contributes,
            asked: told_of.clone(),
            fetched: review.fetched(),
            expires_at: review.request().expires_at(),
            option: mine.option,
            person: &mine.label,
            batches: &mine.batches(way),
            partner: Some(&invited.key),
            check: None,
        };
        let mut conversation = Conversation::begin(begins, &key, sha256(&text));
        conversation.keep(taken);
        let entry = self.new_id();
        conversation.entry = Some(entry.clone());
        let (names, used) = (mine.names(way), mine.used(way));
        let told = Event::Contributed { asked: told_of, names, used, agreed: false };
        let _turn = self.turn(review, way).await?;
        let mut changes = self.spending(review, way, taken).await?;
        changes.push(history::record(entry, &self.entry_now(told).await?));
        self.begin_exchange(&conversation, changes).await?;
        Ok(text)
    }

    /// Takes the proof of the other wallet, checks all of it, and only then signs for this person's credentials.
    pub(super) async fn agree(&self, sealed: Sealed, open: Open) -> Result<String, JointError> {
        let (conversation, last) = (&open.conversation, sealed.sha256);
        let review = self.look_again(&conversation.fetched, Some(&conversation.person)).await?;
        let thread = thread(&review, conversation, Step::Proof)?;
        let message: Proof = sealed.open(&thread, &conversation.key()?)?;
        check_version(message.v)?;
        if !(mutants::skips("joint-option") || message.option == conversation.option) {
            return Err(Refusal::Option.into());
        }
        let mine = mine(&review, conversation.option, &conversation.person)?;
        let (question, chosen) = policy(&review, mine.option)?;
        let foreign = self.foreign(&review, &mine.other(question, &chosen), &message.credentials).await?;
        let kept = conversation.copies()?;
        let copies = taken_copies(&mine.own(question, &chosen), &kept)?;
        let proof = proof(&message.proof)?;
        check_proof(question, &chosen, &copies, &foreign, &proof)?;
        let claims = carried(question, &chosen, &proof);
        let bindings = self.signed(question, &chosen, &copies, claims).await?;
        let partner = open.conversation.partner()?;
        let thread = Thread { party: question.party(), step: Step::Binding, previous: last };
        let text = thread.seal(&Bindings { v: VERSION, bindings }, &partner, &*self.machine.entropy)?;
        self.agreed(open).await?;
        Ok(text)
    }

    /// The key bindings of all own copies, by query.
    async fn signed(
        &self,
        asked: &Asked,
        chosen: &Chosen,
        copies: &[TakenCopy<'_>],
        mut claims: AnswerClaims,
    ) -> Result<BTreeMap<String, String>, JointError> {
        let mut all = BTreeMap::new();
        for copy in copies {
            let extra = claims.remove(&copy.query).unwrap_or_default();
            let text = self.presentation(asked, chosen, copy, &[], extra).await?;
            let (_, binding) = text.rsplit_once('~').ok_or(VaultError::Damaged)?;
            all.insert(copy.query.clone(), binding.to_owned());
        }
        Ok(all)
    }

    /// Ends the conversation, and notes that this wallet agreed.
    async fn agreed(&self, open: Open) -> Result<(), JointError> {
        let id = open.conversation.entry.clone().ok_or(VaultError::Damaged)?;
        let record = self.vault.read(Section::History, &id).await?.ok_or(VaultError::Damaged)?;
        let mut entry: history::Entry = store::decode(&record)?;
        if let Event::Contributed { agreed, .. } = &mut entry.event {
            *agreed = true;
        }
        let mut changes = vec![history::record(id, &entry)];
        changes.extend(open.end());
        Ok(self.vault.apply(changes, &*self.machine.entropy).await?)
    }
}

/// What the other wallet is told: what the bodies signed, and what opens it as far as the statements need.
fn contribution(
    asked: &Asked,
    chosen: &Chosen,
    mine: &Mine,
    taken: &[Held],
    key: &AgreementKey,
) -> Result<Contribution, JointError> {
    let own = mine.own(asked, chosen);
    let copies = taken_copies(&own, taken)?;
    let proved: Vec<ToProve> = copies.iter().map(TakenCopy::to_prove).collect::<Result<_, _>>()?;
    let known: Vec<Own<'_>> = proved
        .iter()
        .filter_map(|ToProve { query, held, opened, .. }| Some((query.as_str(), held, opened.as_ref()?)))
        .collect();
    let wanted = wanted(&asked.statements(chosen), &|query: &str| own.contains(&query));
    let openings = share::tell(&wanted, &known).ok_or(Refusal::NotForTwo)?;
    let (credentials, key) = (jwts(&own, taken), key.public().to_value());
    Ok(Contribution { v: VERSION, key, credentials, openings })
}

fn proof(text: &str) -> Result<Vec<u8>, Refusal> {
    let most = answer::MAX_LENGTH.div_ceil(3) * 4;
    if !(mutants::skips("joint-proof-size") || text.len() <= most) {
        return Err(Refusal::Content);
    }
    b64u_decode(text).map_err(|_| Refusal::Content)
}

/// The whole proof holds for this request and option, over the credentials of the other person that were checked and
/// over the very copies that this wallet told of. Nothing but their texts and the bytes comes from a message.
fn check_proof(
    asked: &Asked,
    chosen: &Chosen,
    copies: &[TakenCopy<'_>],
    foreign: &[Foreign],
    proof: &[u8],
) -> Result<(), JointError> {
    let mut known: BTreeMap<&str, Credential> = BTreeMap::new();
    for one in foreign {
        known.insert(&one.query, one.credential()?);
    }
    for copy in copies {
        let claim = copy.held.claims().get(zkc::CLAIM).ok_or(VaultError::Damaged)?;
        let attributes = zkc::read(claim).map_err(|_| VaultError::Damaged)?;
        known.insert(&copy.query, bound(&copy.query, &copy.held, &attributes)?);
    }
    let ordered: Vec<Credential> =
        chosen.queries().iter().filter_map(|query| known.remove(query.as_str())).collect();
    let (context, statements) = (asked.context(chosen, ordered), asked.statements(chosen));
    let holds = answer::verify(&context, &statements, proof).is_ok();
    if mutants::skips("joint-proof") || holds { Ok(()) } else { Err(Refusal::Proof.into()) }
}
