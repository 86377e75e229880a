//! The answer endpoint as a surface: one table of attacks for each part of a presentation.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde_json::{Map, Value, json};
use vouchsafe_protocol::form;
use vouchsafe_protocol::jose::jwe::{Recipient, encrypt};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::{AgreementKey, RingAead};

use crate::forge::proof::{Proof, ProofCopy, carrying};
use crate::forge::{Binding, Credential, Token};
use crate::runner::{Seen, Surface};
use crate::world::{Opened, World};

/// Attacks on one part of a presentation.
pub(crate) trait Part {
    /// The surface's name.
    const NAME: &'static str;
    /// By the name of the mutation: the policy that asks, and what is spoiled.
    const ATTACKS: &'static [(&'static str, &'static str, Spoil)];
}

/// Where an attack sets in. What comes after is made honestly over what was spoiled.
#[derive(Clone, Copy)]
pub(crate) enum Spoil {
    /// Before the issuer signs a plain copy.
    Credential(fn(&mut Credential, &World)),
    /// After the issuer signed.
    Token(fn(&mut Token)),
    /// Before the holder signs.
    Binding(fn(&mut Binding, &Case)),
    /// The whole presentation.
    Text(fn(String, &Case) -> String),
    /// Before the issuer signs a proof copy.
    Copy(fn(&mut ProofCopy, &World)),
    /// Before the proof is made.
    Proof(fn(&mut Proof, &Case)),
    /// Before the issuer signs a proof copy, and before the proof is made.
    CopyAndProof(fn(&mut ProofCopy), fn(&mut Proof, &Case)),
    /// The bytes of the proof.
    Bytes(fn(&mut Vec<u8>)),
    /// The claims of the key binding that carry the proof.
    Carriage(fn(&mut Map<String, Value>)),
    /// The presentations by query id.
    Answer(fn(&mut BTreeMap<String, String>)),
    /// Nothing: the honest answer, sent once more after it was accepted.
    Replay,
}

/// A transaction, and a second one at the same time from which things are borrowed.
pub(crate) struct Case {
    pub(crate) opened: Opened,
    pub(crate) other: Opened,
}

/// The answer endpoint, attacked at one part.
pub(crate) struct Door<P> {
    world: World,
    part: PhantomData<P>,
}

impl<P: Part> Surface for Door<P> {
    const NAME: &'static str = P::NAME;

    type Case = Case;

    async fn new() -> Self {
        Self { world: World::new().await, part: PhantomData }
    }

    async fn open(&self, mutation: &str) -> Case {
        let (policy, _) = find::<P>(mutation);
        let slipped = if policy == "untyped" { "trust-policy-issuer" } else { "none" };
        let ask = async || self.world.ask(policy).await;
        vouchsafe_mutants::without_async(slipped, async { Case { opened: ask().await, other: ask().await } })
            .await
    }

    async fn attack(&self, case: &Case, mutation: &str) -> Seen {
        let (policy, spoil) = find::<P>(mutation);
        let answer = presentations(&self.world, case, policy, Some(spoil));
        if matches!(spoil, Spoil::Replay) {
            let first = self.submit(case, &answer).await;
            assert!(first.is_accepted(), "{mutation}: {first:?}");
        }
        self.submit(case, &answer).await
    }

    async fn honest(&self, case: &Case) -> Seen {
        let policy = &case.opened.request.asked().policy().body().id;
        self.submit(case, &presentations(&self.world, case, policy, None)).await
    }
}

impl<P: Part> Door<P> {
    async fn submit(&self, case: &Case, answer: &BTreeMap<String, String>) -> Seen {
        self.world.submit(case.opened.answer_path(), encrypted(&case.opened, answer)).await
    }
}

fn find<P: Part>(mutation: &str) -> (&'static str, Spoil) {
    let found = P::ATTACKS.iter().find(|(name, ..)| *name == mutation);
    let (_, policy, spoil) = found.unwrap_or_else(|| panic!("{}: no mutation {mutation}", P::NAME));
    (policy, *spoil)
}

/// The presentations that answer `case`, spoiled or not.
pub(crate) fn presentations(
    world: &World,
    case: &Case,
    policy: &str,
    spoil: Option<Spoil>,
) -> BTreeMap<String, String> {
    let text = if ["proof", "named"].contains(&policy) {
        proved(world, case, spoil)
    } else {
        shown(world, case, spoil)
    };
    let text = match spoil {
        Some(Spoil::Text(spoil)) => spoil(text, case),
        _ => text,
    };
    let mut answer = BTreeMap::from([("q0".to_owned(), text)]);
    if let Some(Spoil::Answer(spoil)) = spoil {
        spoil(&mut answer);
    }
    answer
}

/// A plain copy with everything shown.
fn shown(world: &World, case: &Case, spoil: Option<Spoil>) -> String {
    let mut credential = Credential::plain(&world.ca);
    if let Some(Spoil::Credential(spoil)) = spoil {
        spoil(&mut credential, world);
    }
    bound(credential.sign(), case, Map::new(), spoil)
}

/// A proof copy with the proof for the first option.
fn proved(world: &World, case: &Case, spoil: Option<Spoil>) -> String {
    let mut copy = ProofCopy::new(&world.ca);
    match spoil {
        Some(Spoil::Copy(spoil)) => spoil(&mut copy, world),
        Some(Spoil::CopyAndProof(spoil, _)) => spoil(&mut copy),
        _ => {}
    }
    let (token, values, attributes) = copy.sign();
    let mut proof = Proof::new(case.opened.request.asked(), &token, values, attributes);
    if let Some(Spoil::Proof(spoil) | Spoil::CopyAndProof(_, spoil)) = spoil {
        spoil(&mut proof, case);
    }
    let mut bytes = proof.prove();
    if let Some(Spoil::Bytes(spoil)) = spoil {
        spoil(&mut bytes);
    }
    let mut claims = carrying(&bytes);
    if let Some(Spoil::Carriage(spoil)) = spoil {
        spoil(&mut claims);
    }
    bound(token, case, claims, spoil)
}

/// `token` with a key binding for the case's transaction.
fn bound(mut token: Token, case: &Case, claims: Map<String, Value>, spoil: Option<Spoil>) -> String {
    if let Some(Spoil::Token(spoil)) = spoil {
        spoil(&mut token);
    }
    let mut binding = token.bind(case.opened.client_id(), case.opened.nonce(), claims);
    if let Some(Spoil::Binding(spoil)) = spoil {
        spoil(&mut binding, case);
    }
    token.covered() + &binding.sign()
}

/// The form that carries `answer`, encrypted to the request's key.
pub(crate) fn encrypted(opened: &Opened, answer: &BTreeMap<String, String>) -> String {
    encrypted_with(opened, answer, Map::new())
}

/// The same with more members beside the presentations.
pub(crate) fn encrypted_with(
    opened: &Opened,
    answer: &BTreeMap<String, String>,
    mut members: Map<String, Value>,
) -> String {
    let vp_token: Map<_, _> = answer.iter().map(|(query, text)| (query.clone(), json!([text]))).collect();
    members.insert("vp_token".to_owned(), vp_token.into());
    members.insert("state".to_owned(), opened.request.state().into());
    let plaintext = Value::Object(members).to_string();
    let (entropy, to) = (OsEntropy::new(), opened.request.response_key().unwrap());
    let recipient = Recipient::new(&to.key.key, to.key.kid.as_deref(), to.enc);
    let ephemeral = Box::new(AgreementKey::generate(&entropy));
    let jwe =
        encrypt(plaintext.as_bytes(), &recipient, ephemeral, &RingAead, &mut EntropyRng(&entropy)).unwrap();
    form::write(&[("response", &jwe)])
}
