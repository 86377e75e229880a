//! Issuing: the facts of one person become copies, each with randomness of its own.
//!
//! Every copy of a batch has its own salts, seed, commitments and holder key; what they share is coarse: `iat` and
//! `exp` are multiples of 86,400 and `facts_as_of` is the same for a whole import. All copies of a type have the same
//! `zkc` pointers and the same number of digests, whatever the row lacks.
//!
//! Security: a seed opens every commitment of its copy. It leaves in the encrypted answer and is wiped here.

use jiff::civil::Date;
use rand_core::CryptoRngCore;
use serde_json::{Map, Value, json};
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::commitment::{Commitment, Seed};
use vouchsafe_protocol::jose::jws::{EncodedHeader, NewHeader};
use vouchsafe_protocol::jose::{PublicJwk, Signer};
use vouchsafe_protocol::openid4vci::credential::{Copy, Openings};
use vouchsafe_protocol::sd_jwt::issue::Issuable;
use vouchsafe_protocol::sd_jwt::{Builder, vc};
use vouchsafe_protocol::status::{self, Reference};
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::types::{
    Answer, Attribute, CodeLists, CredentialType, Kind as ValueKind, Month, PERIOD,
};
use vouchsafe_protocol::zkc;
use vouchsafe_service::entropy::{Entropy, EntropyRng};
use zeroize::Zeroizing;

use crate::import;
use crate::kind::Kind;
use crate::types::vct;

/// What all copies of a batch have in common.
pub struct Batch<'a> {
    /// The issuer identifier.
    pub iss: &'a str,
    /// The type.
    pub credential_type: &'a CredentialType,
    /// Plain or proof copies.
    pub kind: Kind,
    /// The person's facts: pointer to value.
    pub facts: &'a Map<String, Value>,
    /// The day on which they were true.
    pub facts_as_of: Date,
    /// The lists of codes that the type names.
    pub lists: &'a CodeLists,
    /// The issuer's certificates in DER, leaf first.
    pub chain: &'a [Vec<u8>],
    /// The commitments to the wallet's link secret, one for each holder key, where the copies are linked.
    pub links: Option<&'a [Commitment]>,
    /// The time of issue.
    pub now: UnixTime,
}

/// What a copy has of its own beside its key and chance.
#[derive(Clone, Copy, Default)]
pub struct Own<'a> {
    /// Its entry in a status list.
    pub status: Option<&'a Reference>,
    /// The commitment to its wallet's link secret.
    pub link: Option<Commitment>,
}

/// Why nothing was issued. All are the issuer's own fault.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum IssueError {
    /// The person's row does not fit the type, which has changed since the row was imported.
    #[error("the register's row does not fit the type any more; import it again")]
    Facts,
    /// The copy could not be built.
    #[error("the copy could not be built from its type; check the type's attributes")]
    Build,
    /// The key could not sign.
    #[error("the signing key could not sign; check the key store")]
    Sign,
}

impl Batch<'_> {
    /// Makes one copy for each holder key, all or none. `statuses` has a reference for each, or none where the type has no
    /// status.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(
        &self,
        holders: &[PublicJwk],
        statuses: &[Reference],
        signer: &dyn Signer,
        entropy: &dyn Entropy,
    ) -> Result<Vec<Copy>, IssueError> {
        let header = NewHeader::new(signer.alg(), vc::TYP).x5c(self.chain).encode();
        let mut copies = Vec::with_capacity(holders.len());
        for (at, holder) in holders.iter().enumerate() {
            let link = self.links.and_then(|links| links.get(at)).copied();
            let own = Own { status: statuses.get(at), link };
            let (unsigned, openings) = self.build(holder, &own, &header, &mut EntropyRng(entropy))?;
            let credential = unsigned.sign(signer).await.map_err(|_| IssueError::Sign)?;
            copies.push(Copy { credential, openings });
        }
        Ok(copies)
    }

    /// One copy without its signature: a pure function of the batch, the holder's key and chance.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn build(
        &self,
        holder: &PublicJwk,
        own: &Own<'_>,
        header: &EncodedHeader,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Issuable, Option<Openings>), IssueError> {
        let mut claims = self.common_claims();
        claims.extend(self.period()?);
        // A copy that cannot be withdrawn must not leave under a type that says it can.
        if self.credential_type.status != own.status.is_some() {
            return Err(IssueError::Build);
        }
        if let Some(reference) = own.status {
            claims.insert(status::CLAIM.to_owned(), reference.to_claim());
        }
        let openings = match self.kind {
            Kind::Plain => None,
            Kind::Proof => Some(self.commit(&mut claims, rng)?),
        };
        self.link(&mut claims, own.link)?;
        let mut concealed = Vec::new();
        let mut absent = 0;
        for attribute in self.credential_type.showable() {
            match self.facts.get(&attribute.pointer) {
                Some(value) => {
                    attribute.accepts(value, self.lists).map_err(|_| IssueError::Facts)?;
                    claims.insert(attribute.claim().to_owned(), value.clone());
                    concealed.push(&attribute.pointer);
                }
                None => absent += 1,
            }
        }
        let mut builder = Builder::new(claims).holder(holder);
        for pointer in concealed {
            builder = builder.conceal(pointer);
        }
        if absent > 0 {
            // A row that lacks an attribute must not be told by its number of digests.
            builder = builder.decoys("", absent);
        }
        let unsigned = builder.build(header, rng).map_err(|_| IssueError::Build)?;
        Ok((unsigned, openings))
    }

    /// When the copies run out: a whole number of days after the day of issue.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.now.day_start().plus(i64::from(self.credential_type.ttl_days) * DAY)
    }

    fn common_claims(&self) -> Map<String, Value> {
        let (iat, exp) = (self.now.day_start(), self.expires_at());
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), json!(self.iss));
        claims.insert("vct".to_owned(), json!(vct(self.credential_type, self.kind)));
        claims.insert("iat".to_owned(), json!(iat));
        claims.insert("exp".to_owned(), json!(exp));
        claims.insert(zkc::FACTS_AS_OF.to_owned(), json!(self.facts_as_of.to_string()));
        claims
    }

    /// The period that the facts are the total of, in the clear, where the type has periods. One that was not over on the
    /// day of the facts is no total.
    fn period(&self) -> Result<Option<(String, Value)>, IssueError> {
        if self.credential_type.period.is_none() {
            return Ok(None);
        }
        let month = self.facts.get(import::PERIOD).and_then(Value::as_str).and_then(Month::parse);
        let over = |month: &Month| mutants::skips("vci-issue-period") || month.is_over(self.facts_as_of);
        let month = month.filter(over).ok_or(IssueError::Facts)?;
        Ok(Some((PERIOD.to_owned(), Value::from(month.to_string()))))
    }

    /// Commits to every provable attribute under a fresh seed.
    fn commit(
        &self,
        claims: &mut Map<String, Value>,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Openings, IssueError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        let seed = Seed::new(*bytes);
        drop(bytes);
        let mut values = Map::new();
        let mut members = Vec::new();
        for attribute in self.credential_type.provable() {
            let value = self.facts.get(&attribute.pointer).ok_or(IssueError::Facts)?;
            let form = attribute.form().ok_or(IssueError::Build)?;
            members.push((attribute.pointer.as_str(), form, self.commitment(attribute, value, &seed)?));
            if !attribute.may(Answer::Show) {
                values.insert(attribute.pointer.clone(), self.opened(attribute, value)?);
            }
        }
        let members = members.iter().map(|(pointer, form, c)| (*pointer, form, *c));
        claims.insert(zkc::CLAIM.to_owned(), zkc::write(members));
        Ok(Openings::new(seed, values))
    }

    /// Signs the link secret's commitment, unseen. Without it a copy would not count persons, though its type says so.
    fn link(&self, claims: &mut Map<String, Value>, link: Option<Commitment>) -> Result<(), IssueError> {
        if (self.credential_type.link && self.kind == Kind::Proof) != link.is_some() {
            return Err(IssueError::Build);
        }
        if let (Some(link), Some(claim)) = (link, claims.get_mut(zkc::CLAIM)) {
            zkc::write_link(claim, link);
        }
        Ok(())
    }

    /// The value beside the credential. A code goes as its index, so that a wallet needs no list to open it.
    fn opened(&self, attribute: &Attribute, value: &Value) -> Result<Value, IssueError> {
        match attribute.kind {
            ValueKind::Code => {
                attribute.encode(value, self.lists).map(Value::from).map_err(|_| IssueError::Facts)
            }
            _ => Ok(value.clone()),
        }
    }

    fn commitment(
        &self,
        attribute: &Attribute,
        value: &Value,
        seed: &Seed,
    ) -> Result<Commitment, IssueError> {
        let hidden = attribute.hidden(value, self.lists).map_err(|_| IssueError::Facts)?;
        let r = seed.blinding(self.iss, &vct(self.credential_type, self.kind), &attribute.pointer);
        Ok(hidden.commit(attribute.unit(), &r))
    }
}
