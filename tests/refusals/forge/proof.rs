//! Proof copies, and proofs about anything that one likes.

use serde_json::{Map, Value, json};
use vouchsafe_proofs::answer::{Openings, prove};
use vouchsafe_proofs::commitment::{Blinding, Seed, commit};
use vouchsafe_proofs::context::{Attribute, Context, Credential as Bound, IssuerKey};
use vouchsafe_proofs::pseudonym::{LinkSecret, Scope};
use vouchsafe_proofs::statement::Statement;
use vouchsafe_protocol::answer::PROOF_CLAIM;
use vouchsafe_protocol::encoding::{b64_decode, b64u, sha256};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::zkc;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::{EntropyRng, OsEntropy, bytes};

use super::{Credential, Token};
use crate::world::{ISS, VCT_PROOF, WARDS};

/// 1950-01-01, and the index of W100, as they are committed to.
pub(crate) const BORN: u64 = 127_835;
pub(crate) const WARD: u64 = 100;

/// 2026-01-05, as it is committed to.
const SINCE: u64 = 155_598;

/// The resident's link secret, or another's.
pub(crate) fn secret(name: u8) -> LinkSecret {
    LinkSecret::from_canonical_bytes([name; 32]).unwrap()
}

/// What hides it in a copy.
pub(crate) fn link_blinding() -> Blinding {
    Seed::new([6; 32]).blinding(ISS, VCT_PROOF, zkc::LINK)
}

/// Pointer, value and blinding of a commitment.
pub(crate) type Opening = (&'static str, u64, Blinding);

/// A proof copy with what only its holder knows.
pub(crate) struct ProofCopy {
    pub(crate) credential: Credential,
    pub(crate) values: Vec<Opening>,
    /// The commitments as an honest issuer signs them.
    attributes: Vec<Attribute>,
}

impl ProofCopy {
    /// An honest copy of somebody who meets the policy.
    pub(crate) fn new(ca: &DevCa) -> Self {
        let credential = Credential::bare(ca, VCT_PROOF);
        let seed = Seed::new(bytes(&OsEntropy::new()));
        let open = |pointer: &'static str, v| (pointer, v, seed.blinding(ISS, VCT_PROOF, pointer));
        let values = vec![
            open("/birth_date", BORN),
            open("/ward", WARD),
            open("/rooms", 3),
            open("/link_since", SINCE),
        ];
        let mut copy = Self { credential, values, attributes: Vec::new() };
        copy.commit();
        copy
    }

    /// Signs commitments to the values as they are now.
    pub(crate) fn commit(&mut self) {
        let form = |pointer| match pointer {
            "/birth_date" | "/link_since" => {
                json!({"enc": "day", "u": "day", "b": 32, "lo": "102268", "hi": "164724"})
            }
            "/rooms" => json!({"enc": "int", "u": "room", "b": 32, "lo": "0", "hi": "99"}),
            _ => json!({"enc": "code", "u": WARDS, "b": 32, "lo": "0", "hi": "999"}),
        };
        let member = |(pointer, v, r): &Opening| {
            let mut member = form(*pointer);
            member["c"] = json!(b64u(commit(*v, r).0));
            ((*pointer).to_owned(), member)
        };
        let mut claim = Value::Object(self.values.iter().map(member).collect());
        zkc::write_link(&mut claim, secret(9).commit(&link_blinding()));
        self.attributes = zkc::read(&claim).unwrap();
        self.credential.payload["zkc"] = claim;
    }

    /// The issuer signs; the rest is what a proof is made of.
    pub(crate) fn sign(self) -> (Token, Vec<Opening>, Vec<Attribute>) {
        (self.credential.sign(), self.values, self.attributes)
    }

    /// One member of the signed commitments.
    pub(crate) fn zkc(&mut self, pointer: &str, member: &str) -> &mut Value {
        &mut self.credential.payload["zkc"][pointer][member]
    }
}

/// Everything that a proof is made of.
pub(crate) struct Proof {
    pub(crate) context: Context,
    pub(crate) statements: Vec<Statement>,
    pub(crate) values: Vec<Opening>,
    /// What the pseudonym is of.
    pub(crate) secret: LinkSecret,
}

impl Proof {
    /// The proof of the first option about `token`, by the commitments that it carries; by `attributes`, where what
    /// it carries cannot be read.
    pub(crate) fn new(
        asked: &Asked,
        token: &Token,
        values: Vec<Opening>,
        attributes: Vec<Attribute>,
    ) -> Self {
        let chosen = asked.option(0).unwrap();
        let mut credential = bound(&chosen.queries()[0], token);
        if credential.attributes.is_empty() {
            credential.attributes = attributes;
        }
        let mut context = asked.context(&chosen, vec![credential]);
        context.authorisation.pseudonym = asked.scope().map(|scope| secret(9).pseudonym(scope));
        Self { context, statements: asked.statements(&chosen), values, secret: secret(9) }
    }

    /// Shows a pseudonym of the secret `name`, of a commitment of the forger's own where the secret is another's.
    pub(crate) fn shows(&mut self, name: u8, service: &str, action: &str, epoch: &str) {
        self.secret = secret(name);
        let scope = Scope::new(service, action, epoch).unwrap();
        self.context.authorisation.pseudonym = Some(self.secret.pseudonym(&scope));
        self.context.credentials[0].link = Some(self.secret.commit(&link_blinding()));
    }

    /// The commitment at `pointer`.
    pub(crate) fn attribute(&mut self, pointer: &str) -> &mut Attribute {
        self.context.credentials[0].attributes.iter_mut().find(|a| a.pointer == pointer).unwrap()
    }

    /// Speaks about a commitment to `v` of the forger's own instead of the signed one.
    pub(crate) fn replace(&mut self, pointer: &'static str, v: u64) {
        let r = Seed::new(bytes(&OsEntropy::new())).blinding("", "", "");
        self.attribute(pointer).c = commit(v, &r);
        self.values.retain(|(other, ..)| *other != pointer);
        self.values.push((pointer, v, r));
    }

    /// The bytes.
    pub(crate) fn prove(&self) -> Vec<u8> {
        let entropy = OsEntropy::new();
        prove(&self.context, &self.statements, &self.openings(), &mut EntropyRng(&entropy)).unwrap()
    }

    fn openings(&self) -> Openings {
        let mut openings = Openings::new();
        for (pointer, v, r) in &self.values {
            openings.add(&self.context.credentials[0].query, pointer, *v, r.clone());
        }
        openings.add_link(&self.context.credentials[0].query, &self.secret, &link_blinding());
        openings
    }
}

/// What a proof binds of a token, read from the token itself.
pub(crate) fn bound(query: &str, token: &Token) -> Bound {
    let part = |index| {
        let text = token.jwt.split('.').nth(index).unwrap();
        serde_json::from_slice::<Value>(&vouchsafe_protocol::encoding::b64u_decode(text).unwrap()).unwrap()
    };
    let (header, payload) = (part(0), part(1));
    let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
    let leaf = b64_decode(header["x5c"][0].as_str().unwrap()).unwrap();
    Bound {
        query: query.to_owned(),
        iss: text("iss"),
        issuer: IssuerKey::Certificate(sha256(leaf)),
        vct: text("vct"),
        jwt_sha256: sha256(&token.jwt),
        holder_key: token.holder.public().thumbprint(),
        attributes: zkc::read(&payload["zkc"]).unwrap_or_default(),
        link: zkc::link(&payload["zkc"]).ok().flatten(),
    }
}

/// The claim that carries a proof.
pub(crate) fn carrying(bytes: &[u8]) -> Map<String, Value> {
    Map::from_iter([(PROOF_CLAIM.to_owned(), json!(b64u(bytes)))])
}
