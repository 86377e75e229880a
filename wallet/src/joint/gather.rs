//! The wallet that invites: it makes the proof over what both hold, and sends the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::answer::{Openings, ProveError as NotProved};
use vouchsafe_protocol::answer::{
    AnswerClaims, Holding, PROOF_CLAIM, PROOF_HASH_CLAIM, ProveError, carried, prove_over,
};
use vouchsafe_protocol::encoding::{b64u, b64u_decode, sha256};
use vouchsafe_protocol::openid4vp::response::VpToken;
use vouchsafe_protocol::openid4vp::transaction_data;
use vouchsafe_protocol::openid4vp::{Asked, Chosen};
use vouchsafe_protocol::sd_jwt::key_binding::{Expected, MAX_AGE};
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status};
use vouchsafe_protocol::sd_jwt::{Unverified, key_binding};
use vouchsafe_service::entropy::EntropyRng;
use vouchsafe_service::keys::{AgreementKey, Jws};

use super::foreign::Foreign;
use super::message::{
    Bindings, Contribution, Invitation, Proof, Sealed, Step, Thread, Told, VERSION, check_version, reply_key,
};
use super::record::{Begins, Conversation, Open, Role};
use super::share::{self, Own, wanted};
use super::{CheckNumber, Joining, JointError, Mine, Refusal, mine, policy};
use crate::answer::{TakenCopy, ToProve};
use crate::history::{self, Event};
use crate::review::{Review, Way};
use crate::store::{self, Held};
use crate::vault::{Section, VaultError};
use crate::{Answered, Wallet};

impl Wallet {
    /// Begins: makes a key for this conversation and gives the invitation for the other wallet, one line of text that
    /// fits a QR code. Nothing about the resident is in it, and no copy is used. Its [`CheckNumber`] is for the other
    /// person, by another way than the invitation's.
    ///
    /// # Errors
    /// [`JointError`].
    pub async fn invite(&self, joining: &Joining) -> Result<String, JointError> {
        let (review, way) = (&joining.review, joining.way()?);
        self.forget(&joining.reading()).await?;
        let (mine, entropy) = (&joining.mine, &*self.machine.entropy);
        let key = AgreementKey::generate(entropy);
        let link = &review.fetched().link;
        let text = Invitation::new(link, &key, mine.option, &mine.theirs).text();
        let begins = Begins {
            role: Role::Gathers,
            asked: crate::review::asked(review.request()),
            fetched: review.fetched(),
            expires_at: review.request().expires_at(),
            option: mine.option,
            person: &mine.label,
            batches: &mine.batches(way),
            partner: None,
            check: Some(CheckNumber::of(&text)),
        };
        let conversation = Conversation::begin(begins, &key, sha256(&text));
        self.begin_exchange(&conversation, Vec::new()).await?;
        Ok(text)
    }

    /// Takes what the other wallet tells, makes the proof, and gives the message that lets the other wallet check it.
    /// One copy of each own credential is used from here on; where it fails, none is.
    pub(super) async fn gather(&self, sealed: Sealed, mut open: Open) -> Result<String, JointError> {
        let (last, key) = (sealed.sha256, open.conversation.key()?);
        let told_of = open.conversation.asked.clone();
        let review = self.look_again(&open.conversation.fetched, Some(&open.conversation.person)).await?;
        let contribution: Contribution =
            sealed.open(&thread(&review, &open.conversation, Step::Contribution)?, &key)?;
        check_version(contribution.v)?;
        let partner = reply_key(&contribution.key).ok_or(Refusal::Content)?;
        let mine = mine(&review, open.conversation.option, &open.conversation.person)?;
        let way = mine.way(&review, &open.conversation.batches)?;
        let (asked, chosen) = policy(&review, mine.option)?;
        let foreign = self.foreign(&review, &mine.other(asked, &chosen), &contribution.credentials).await?;
        let wanted = wanted(&asked.statements(&chosen), &|query: &str| mine.is_other(asked, query));
        share::check(&contribution.openings, &wanted)?;

        let taken = self.take(way, &review, &mine.batches(way)).await?;
        let done = async {
            let proof = self.prove_with(&review, &mine, &taken, &foreign, contribution.openings).await?;
            let credentials = jwts(&mine.own(asked, &chosen), &taken);
            let message = Proof { v: VERSION, option: mine.option, credentials, proof: b64u(&proof) };
            let thread = Thread { party: asked.party(), step: Step::Proof, previous: last };
            let text = thread.seal(&message, &partner, &*self.machine.entropy)?;
            let theirs = foreign.iter().map(|one| (one.query.clone(), one.jwt.clone()));
            open.conversation.awaits = Step::Binding;
            open.conversation.theirs = theirs.collect();
            open.conversation.proof = Some(b64u(&proof));
            open.conversation.follows(sha256(&text));
            let told = Event::Prepared { asked: told_of, names: mine.names(way), used: mine.used(way) };
            self.spend_with(&review, way, &taken, open, told).await?;
            Ok(text)
        };
        let done = done.await;
        if done.is_err() {
            self.release(&taken).await?;
        }
        done
    }

    /// Spends the copies, counts the questions, writes the history and keeps the conversation, in one transaction and
    /// before anything leaves.
    async fn spend_with(
        &self,
        review: &Review,
        way: &Way,
        taken: &[Held],
        mut open: Open,
        told: Event,
    ) -> Result<(), JointError> {
        let _turn = self.turn(review, way).await?;
        let mut changes = self.spending(review, way, taken).await?;
        let entry = self.new_id();
        changes.push(history::record(entry.clone(), &self.entry_now(told).await?));
        open.conversation.keep(taken);
        open.conversation.entry = Some(entry);
        changes.push(open.keep());
        Ok(self.vault.apply(changes, &*self.machine.entropy).await?)
    }

    /// Proves over the credentials of both, off the async threads.
    async fn prove_with(
        &self,
        review: &Review,
        mine: &Mine,
        taken: &[Held],
        foreign: &[Foreign],
        told: Vec<Told>,
    ) -> Result<Vec<u8>, JointError> {
        let (asked, chosen) = policy(review, mine.option)?;
        let copies = taken_copies(&mine.own(asked, &chosen), taken)?;
        let own: Vec<ToProve> = copies.iter().map(TakenCopy::to_prove).collect::<Result<_, _>>()?;
        let theirs = foreign.iter().map(Foreign::credential).collect::<Result<Vec<_>, _>>()?;
        let (asked, entropy) = (asked.clone(), Arc::clone(&self.machine.entropy));
        let work = move || -> Result<Vec<u8>, JointError> {
            let mut openings = Openings::new();
            let holdings = own.iter().map(holding).collect::<Result<Vec<_>, _>>()?;
            let mut credentials = theirs;
            for holding in &holdings {
                holding.open(&mut openings);
                credentials.push(holding.credential().map_err(|_| VaultError::Damaged)?);
            }
            let known: Vec<Own<'_>> = own
                .iter()
                .filter_map(|ToProve { query, held, opened, .. }| {
                    Some((query.as_str(), held, opened.as_ref()?))
                })
                .collect();
            share::open(&mut openings, &asked.statements(&chosen), &told, &known)?;
            // A pseudonym is one person's: a question about two asks for none.
            let made = prove_over(&asked, &chosen, credentials, &openings, None, &mut EntropyRng(&*entropy));
            Ok(made.map_err(why)?.ok_or(Refusal::NotForTwo)?)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Fault)?
    }

    /// Takes the signatures of the other wallet, checks the complete answer, and sends it.
    pub(super) async fn submit(&self, sealed: Sealed, open: Open) -> Result<Answered, JointError> {
        let conversation = &open.conversation;
        let review = self.look_again(&conversation.fetched, Some(&conversation.person)).await?;
        let thread = thread(&review, conversation, Step::Binding)?;
        let signed: Bindings = sealed.open(&thread, &conversation.key()?)?;
        check_version(signed.v)?;
        let mine = mine(&review, conversation.option, &conversation.person)?;
        let (asked, chosen) = policy(&review, mine.option)?;
        let others = mine.other(asked, &chosen);
        let foreign = self.foreign(&review, &others, &conversation.theirs).await?;
        let proof = conversation.proof.as_deref().and_then(|text| b64u_decode(text).ok());
        let mut claims = carried(asked, &chosen, &proof.ok_or(Refusal::Fault)?);
        if !(mutants::skips("joint-bindings") || signed.bindings.len() == others.len()) {
            return Err(Refusal::Queries.into());
        }
        let mut token = BTreeMap::new();
        for one in foreign {
            let binding = signed.bindings.get(&one.query).ok_or(Refusal::Queries)?;
            let expected = claims.remove(&one.query).unwrap_or_default();
            let text = self.checked(asked, &chosen, &one, binding, &expected)?;
            token.insert(one.query, text);
        }
        token.extend(self.own_presentations(asked, &chosen, &mine, conversation, claims).await?);
        let form = self.form(&review, VpToken::new(token))?;
        let entry = self.told_as_shared(open).await?;
        Ok(self.send(&review, form, entry).await?)
    }

    /// A presentation of the other person: made just now for this request by the key that its body confirmed, with what
    /// it must say of the proof, over what was proved and nothing else.
    fn checked(
        &self,
        asked: &Asked,
        chosen: &Chosen,
        one: &Foreign,
        binding: &str,
        expected: &Map<String, Value>,
    ) -> Result<String, Refusal> {
        let refused = || Refusal::Binding;
        let text = format!("{}~{binding}", one.jwt);
        let (party, now) = (asked.party(), self.machine.clock.now());
        let aud = party.audience();
        let wanted = Expected { aud: &aud, nonce: &party.nonce, now, max_age: MAX_AGE };
        let bound: key_binding::Bound =
            Unverified::parse(&text).map_err(|_| refused())?.check_binding(&wanted).map_err(|_| refused())?;
        let signed = bound.check_signatures(Arc::new(one.leaf.clone()), &Jws).map_err(|_| refused())?;
        let rules = Rules { now, audience: &party.client_id, status: Status::AsSigned };
        let verified = signed.accept(&rules).map_err(|_| refused())?;
        let covered = transaction_data::claims(asked.transaction_data(), chosen.queries(), &one.query);
        let covered = covered.map_err(|_| refused())?;
        let says = |name: &str| {
            let wanted = expected.get(name).or_else(|| covered.get(name));
            verified.binding_claim(name) == wanted
        };
        let names = [PROOF_CLAIM, PROOF_HASH_CLAIM, transaction_data::HASHES, transaction_data::HASHES_ALG];
        if !(mutants::skips("joint-binding-claims") || names.into_iter().all(says)) {
            return Err(refused());
        }
        Ok(text)
    }

    async fn own_presentations(
        &self,
        asked: &Asked,
        chosen: &Chosen,
        mine: &Mine,
        conversation: &Conversation,
        mut claims: AnswerClaims,
    ) -> Result<Vec<(String, String)>, JointError> {
        let kept = conversation.copies()?;
        let mut all = Vec::new();
        for copy in taken_copies(&mine.own(asked, chosen), &kept)? {
            let query = asked.plan().query.credential(&copy.query).ok_or(Refusal::Changed)?;
            let paths = query.disclosures(&copy.held).map_err(|_| VaultError::Damaged)?;
            let extra = claims.remove(&copy.query).unwrap_or_default();
            let text = self.presentation(asked, chosen, &copy, &paths, extra).await?;
            all.push((copy.query.clone(), text));
        }
        Ok(all)
    }

    /// Ends the conversation; what the history said was prepared is shared from now on.
    async fn told_as_shared(&self, open: Open) -> Result<(String, history::Entry), JointError> {
        let id = open.conversation.entry.clone().ok_or(VaultError::Damaged)?;
        let record = self.vault.read(Section::History, &id).await?.ok_or(VaultError::Damaged)?;
        let entry: history::Entry = store::decode(&record)?;
        let Event::Prepared { asked, names, used } = entry.event else {
            return Err(VaultError::Damaged.into());
        };
        let event =
            Event::Shared { asked, contrary: false, names, used, permission: None, acknowledged: false };
        let entry = self.entry_now(event).await?;
        let mut changes = vec![history::record(id.clone(), &entry)];
        changes.extend(open.end());
        self.vault.apply(changes, &*self.machine.entropy).await?;
        Ok((id, entry))
    }
}

pub(super) fn thread<'a>(
    review: &'a Review,
    conversation: &Conversation,
    step: Step,
) -> Result<Thread<'a>, JointError> {
    Ok(Thread { party: review.request().asked().party(), step, previous: conversation.previous()? })
}

pub(super) fn taken_copies<'h>(
    queries: &[&str],
    taken: &'h [Held],
) -> Result<Vec<TakenCopy<'h>>, JointError> {
    if queries.len() != taken.len() {
        return Err(VaultError::Damaged.into());
    }
    let open = |(query, held): (&&str, &'h Held)| Ok(TakenCopy::open(query, held)?);
    queries.iter().zip(taken).map(open).collect()
}

/// What issuers signed of own copies, by query.
pub(super) fn jwts(queries: &[&str], taken: &[Held]) -> BTreeMap<String, String> {
    let jwt = |held: &Held| held.sd_jwt.split('~').next().unwrap_or_default().to_owned();
    queries.iter().zip(taken).map(|(query, held)| ((*query).to_owned(), jwt(held))).collect()
}

fn holding(ToProve { query, held, opened, .. }: &ToProve) -> Result<Holding<'_>, Refusal> {
    let opened = opened.as_ref().ok_or(Refusal::NotForTwo)?;
    let (attributes, values) = (opened.attributes.as_slice(), &opened.values);
    Ok(Holding { query, held, attributes, values, seed: Some(&opened.seed), link: None })
}

/// What was told opens nothing that was signed, or it is not enough: nothing says which value is at fault.
fn why(refused: ProveError) -> Refusal {
    match refused {
        ProveError::Proof(NotProved::NotMet) => Refusal::NotMet,
        ProveError::Proof(NotProved::WrongOpening | NotProved::NoOpening) => Refusal::Opening,
        _ => Refusal::Fault,
    }
}
