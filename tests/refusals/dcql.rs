//! The surface `dcql`: one query, one wallet, and an answer that is made of both.
//!
//! | command | what it does |
//! |---|---|
//! | `ask EDIT` | edits the query on its way to the wallet |
//! | `expect EDIT` | edits the query that the verifier remembers |
//! | `use QUERY CREDENTIAL`, `option SET OPTION` | what the holder wishes for |
//! | `hold NAMES` | the wallet holds these credentials alone |
//! | `drop QUERY`, `add QUERY FROM`, `twice QUERY`, `hide QUERY` | changes the answer |
//! | `unasked QUERY`, `several QUERY` | looks whether the wallet sends what it should not |
//!
//! Status 3 is a refusal of the wallet, 400 one of the verifier.

use std::collections::BTreeMap;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair};
use serde_json::{Map, Value, json};
use vouchsafe_protocol::dcql::{
    Candidate, CannotAnswer, DcqlError, Incomplete, Mismatch, Query, Seen as Shown, Wishes, choose,
};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::{Alg, Signer as _};
use vouchsafe_protocol::sd_jwt::key_binding::Binding;
use vouchsafe_protocol::sd_jwt::{Builder, Held, Path, vc};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::SigningKey;

use crate::openid4vp::edit;
use crate::runner::{Seen, Surface, run};

#[tokio::test]
async fn queries() {
    run::<Queries>().await;
}

/// The credentials of the wallet, in its order of preference.
struct Queries(Vec<(&'static str, Held)>);

fn query() -> Value {
    let one = |id: &str, vct: &str| json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}});
    let mut person = one("person", "person");
    person["claims"] = json!([{"id": "n", "path": ["name"]},
        {"id": "t", "path": ["address", "town"], "values": ["Larkfield"]}, {"id": "l", "path": ["lists", 1]}]);
    person["trusted_authorities"] = json!([{"type": "aki", "values": [b64u([1; 20])]}]);
    json!({"credentials": [person, one("pass", "pass"), one("card", "card"), one("spare", "pass"),
            {"id": "licence", "format": "mso_mdoc", "meta": {"doctype_value": "licence"}}],
        "credential_sets": [{"options": [["person", "pass"], ["licence"]]}, {"options": [["card"]], "required": false}]})
}

/// A leaf under the authority whose key is called 1.
fn path() -> Vec<Vec<u8>> {
    let params = |name: &str, key: u8| {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_identifier_method = KeyIdMethod::PreSpecified(vec![key; 20]);
        params.use_authority_key_identifier_extension = true;
        params
    };
    let mut authority = params("authority", 1);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
    vec![params("leaf", 2).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().to_vec()]
}

/// A credential, real in all but its signature.
fn held(vct: &str, claims: Value, concealed: &[&str]) -> Held {
    let mut claims = claims.as_object().cloned().unwrap();
    claims.insert("vct".to_owned(), json!(vct));
    let key = SigningKey::generate().unwrap();
    let builder = Builder::new(claims).holder(key.public());
    let builder = concealed.iter().fold(builder, |builder, pointer| builder.conceal(pointer));
    let header = NewHeader::new(Alg::Es256, vc::TYP).x5c(&path()).encode();
    let issuable = builder.build(&header, &mut EntropyRng(&OsEntropy::new())).unwrap();
    Held::dangerous_from_store(&issuable.finish(&[0; 64])).unwrap()
}

/// The credential as it looks when only those Disclosures are shown.
fn presented(held: &Held, disclosures: &[Path]) -> Held {
    let binding = Binding { aud: "a", nonce: "n", issued_at: UnixTime(0), extra: Map::new() };
    let text = held.present(disclosures, binding).unwrap().finish(&[0; 64]);
    Held::dangerous_from_store(&text[..=text.rfind('~').unwrap()]).unwrap()
}

impl Surface for Queries {
    const NAME: &'static str = "dcql";

    type Case = ();

    async fn new() -> Self {
        let claims =
            json!({"name": "Resident 0042", "address": {"town": "Larkfield"}, "lists": ["one", "two"]});
        let places = ["/name", "/address", "/address/town", "/lists/0", "/lists/1"];
        Self(vec![
            ("person", held("person", claims, &places)),
            ("pass", held("pass", json!({}), &[])),
            ("other-pass", held("pass", json!({}), &[])),
            ("card", held("card", json!({}), &[])),
        ])
    }

    async fn open(&self, _: &str) {}

    async fn attack(&self, (): &(), mutation: &str) -> Seen {
        let mut trial = Trial::new();
        mutation.split(" ; ").for_each(|command| trial.read(command));
        match self.answer(&trial).and_then(|answer| trial.verify(&answer)) {
            Ok(()) => Seen { status: 200, code: String::new(), reason: String::new() },
            Err((status, code)) => Seen { status, code: code.to_owned(), reason: String::new() },
        }
    }

    async fn honest(&self, case: &()) -> Seen {
        self.attack(case, "ask set /unknown 1").await
    }
}

type Refused = (u16, &'static str);

type Answer = BTreeMap<String, Vec<Held>>;

/// One query on its way, and what becomes of its answer.
struct Trial {
    asked: Value,
    expected: Value,
    wishes: Wishes,
    held: Option<String>,
    after: Vec<(String, String)>,
}

impl Trial {
    fn new() -> Self {
        Self { asked: query(), expected: query(), wishes: Wishes::default(), held: None, after: Vec::new() }
    }

    fn read(&mut self, command: &str) {
        let (word, rest) = command.split_once(' ').unwrap();
        let both = || rest.split_once(' ').unwrap();
        match word {
            "ask" => edit(&mut self.asked, rest),
            "expect" => edit(&mut self.expected, rest),
            "use" => {
                let (query, copy) = both();
                self.wishes.using.entry(query.to_owned()).or_default().insert(copy.to_owned());
            }
            "option" => {
                self.wishes.options.insert(both().0.parse().unwrap(), both().1.parse().unwrap());
            }
            "hold" => self.held = Some(rest.to_owned()),
            _ => self.after.push((word.to_owned(), rest.to_owned())),
        }
    }

    /// What is done to an answer, and what is looked for in it.
    fn change(&self, answer: &mut Answer) -> Result<(), Refused> {
        for (word, rest) in &self.after {
            match word.as_str() {
                "drop" => drop(answer.remove(rest)),
                "add" => {
                    let (query, from) = rest.split_once(' ').unwrap();
                    let same = answer[from].clone();
                    answer.insert(query.to_owned(), same);
                }
                "twice" => {
                    let same = answer[rest][0].clone();
                    answer.get_mut(rest).unwrap().push(same);
                }
                "hide" => {
                    let shown = presented(&answer[rest][0], &[]);
                    answer.insert(rest.clone(), vec![shown]);
                }
                "unasked" if !answer.contains_key(rest) => return Err((3, "not-sent")),
                "several" if answer[rest].len() == 1 => return Err((3, "not-sent")),
                "unasked" | "several" => {
                    // Sent although it should not be: for the runner, the attack went through.
                    let _ = answer.remove(rest);
                    answer.clear();
                }
                _ => panic!("no such command: {word}"),
            }
        }
        Ok(())
    }

    fn verify(&self, answer: &Answer) -> Result<(), Refused> {
        if answer.is_empty() && self.after.iter().any(|(word, _)| word == "unasked" || word == "several") {
            return Ok(());
        }
        let query = Query::from_value(&self.expected).map_err(|fault| (400, malformed(fault)))?;
        let answered =
            answer.iter().map(|(id, shown)| (id.as_str(), shown.iter().map(Shown::from).collect()));
        query.check_answer(&answered.collect()).map_err(|fault| (400, incomplete(fault)))
    }
}

impl Queries {
    /// What the wallet sends, after what is done to it.
    fn answer(&self, trial: &Trial) -> Result<Answer, Refused> {
        let query = Query::from_value(&trial.asked).map_err(|fault| (3, malformed(fault)))?;
        let holds = |id: &&str| trial.held.as_ref().is_none_or(|held| held.split(',').any(|one| one == *id));
        let candidates: Vec<_> = self.0.iter().filter(|(id, _)| holds(id)).collect();
        let candidates: Vec<_> = candidates.iter().map(|(id, held)| Candidate { id, held }).collect();
        let selection = choose(&query, &candidates, &trial.wishes).map_err(|fault| (3, cannot(&fault)))?;
        let mut answer = Answer::new();
        for one in selection.presentations {
            let shown = presented(candidates[one.candidate].held, &one.disclosures);
            answer.entry(one.query).or_default().push(shown);
        }
        trial.change(&mut answer)?;
        Ok(answer)
    }
}

fn malformed(fault: DcqlError) -> &'static str {
    match fault {
        DcqlError::Malformed => "malformed",
        DcqlError::Length => "length",
        DcqlError::Id => "id",
        DcqlError::UnknownId => "unknown-id",
        DcqlError::ClaimSets => "claim-sets",
        DcqlError::Values => "values",
        DcqlError::Meta => "meta",
        DcqlError::StatementQuery | DcqlError::Statement(_) => "statement",
    }
}

fn cannot(fault: &CannotAnswer) -> &'static str {
    match fault {
        CannotAnswer::Query(_) => "query",
        CannotAnswer::Set(_) => "set",
        CannotAnswer::Wish => "wish",
    }
}

fn incomplete(fault: Incomplete) -> &'static str {
    match fault {
        Incomplete::Unasked => "unasked",
        Incomplete::Count => "count",
        Incomplete::Missing => "missing",
        Incomplete::Set => "set",
        Incomplete::Part => "part",
        Incomplete::Presentation(Mismatch::Format) => "format",
        Incomplete::Presentation(Mismatch::Type) => "type",
        Incomplete::Presentation(Mismatch::Authority) => "authority",
        Incomplete::Presentation(Mismatch::Claims) => "claims",
    }
}
