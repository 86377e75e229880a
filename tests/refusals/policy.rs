//! Policies that are not asked with, as `policies check` says it.
//!
//! A mutation is the name of a policy of the town, then commands separated by ` ; `.
//!
//! | command | what it does |
//! |---|---|
//! | `EDIT` | edits the policy (`openid4vp.rs`) |
//! | `type NAME EDIT`, `without NAME` | edits a type, or takes it away |
//! | `register EDIT` | edits the registrar's sources; LONG is a long word |
//! | `cases EDIT` | edits the policy's table of test cases; `untried` takes it away |
//! | `repeat POINTER N` | so many more of the first of a list of conditions |
//! | `ways N` | so many more of the first way |
//! | `live N` | so many more policies, each with a bound of its own |
//! | `again` | the same policy in a second file |
//!
//! Status 1 is what the report of a policy says, 2 a file that cannot be read, 3 a register that its registrar does not
//! sign. The code is the kind of fault, the reason what the author of the policy reads.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::date;
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::policy::{CheckError, PolicyError};
use vouchsafe_protocol::trust::{Judge, Register, Registrar};
use vouchsafe_service::config::json_of_toml;
use vouchsafe_service::keys::{Jws, SigningKey, install};
use vouchsafe_verifier::policies::{Fault, FileFault, Refusal, Report, Sender, check};
use vouchsafe_verifier::trust::{Sources, sign};

use crate::openid4vp::edit;
use crate::runner::{Seen, Surface, run};
use crate::town::{POLICIES, REGISTER, TYPES, cases};
use crate::world::{NOON, ORIGIN};

#[tokio::test]
async fn policies() {
    run::<Policies>().await;
}

struct Policies {
    registrar: SigningKey,
}

impl Surface for Policies {
    const NAME: &'static str = "policy";

    /// The policy as it is.
    type Case = String;

    async fn new() -> Self {
        install();
        Self { registrar: SigningKey::generate().unwrap() }
    }

    async fn open(&self, mutation: &str) -> String {
        mutation.split_once(" ; ").unwrap().0.to_owned()
    }

    async fn attack(&self, _: &String, mutation: &str) -> Seen {
        let mut commands = mutation.split(" ; ");
        let mut files = Files::new(commands.next().unwrap());
        commands.for_each(|command| files.change(command));
        self.check(&files).await
    }

    async fn honest(&self, case: &String) -> Seen {
        self.check(&Files::new(case)).await
    }
}

impl Policies {
    async fn check(&self, files: &Files) -> Seen {
        let sources = Sources::parse([text(&files.register).as_str()]).unwrap();
        let signed = match sign(&sources, &self.registrar, None, NOON).await {
            Ok(signed) => signed,
            Err(fault) => return seen(3, "entry", &fault),
        };
        let public = self.registrar.public().clone();
        let registrar = Registrar { iss: sources.iss, keys: vec![(b64u(public.thumbprint()), public)] };
        let judge = Judge { registrar: &registrar, last_seen: 0, now: NOON, verifier: &Jws };
        let register = Register::load(&signed.jws, &judge).unwrap();
        let folder = tempfile::tempdir().unwrap();
        files.write(folder.path());
        let [policies, types] = ["policies", "types"].map(|name| folder.path().join(name));
        let sender = Sender { origin: ORIGIN, chain: &[] };
        match check(&policies, &types, &register, sender, date(2026, 11, 21)) {
            Ok(reports) => reported(&reports),
            Err(FileFault { fault, .. }) => seen(2, kind_of_fault(&fault), &fault),
        }
    }
}

/// What stands in the folders, as JSON.
struct Files {
    policy: Value,
    cases: Option<Value>,
    types: BTreeMap<&'static str, Value>,
    register: Value,
    more: Vec<Value>,
}

impl Files {
    fn new(policy: &str) -> Self {
        let (_, text) = POLICIES.iter().find(|(id, _)| *id == policy).unwrap();
        let register = REGISTER.replace("{anchor}", &b64u([7; 32]));
        let mut register = json_of_toml(&register).unwrap();
        register["iss"] = json!("https://registrar.larkfield.example");
        register["reg_version"] = json!(3);
        Self {
            policy: json_of_toml(text).unwrap(),
            cases: Some(json_of_toml(cases(policy)).unwrap()),
            types: TYPES.iter().map(|(id, text)| (*id, json_of_toml(text).unwrap())).collect(),
            register,
            more: Vec::new(),
        }
    }

    fn change(&mut self, command: &str) {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        match word {
            "type" => {
                let (name, command) = rest.split_once(' ').unwrap();
                edit(self.types.get_mut(name).unwrap(), command);
            }
            "without" => drop(self.types.remove(rest)),
            "register" => edit(&mut self.register, &rest.replace("LONG", &"x".repeat(150_000))),
            "cases" => edit(self.cases.as_mut().unwrap(), rest),
            "untried" => self.cases = None,
            "again" => self.more.push(self.policy.clone()),
            "repeat" => {
                let (pointer, count) = rest.split_once(' ').unwrap();
                let all = self.policy.pointer_mut(pointer).and_then(Value::as_array_mut).unwrap();
                for i in 0..count.parse().unwrap() {
                    let mut one = all[0].clone();
                    one["id"] = json!(format!("more{i}"));
                    all.push(one);
                }
            }
            "ways" => (0..rest.parse().unwrap()).for_each(|i| self.another_way(i)),
            "live" => (0..rest.parse().unwrap()).for_each(|i| self.another_bound(i)),
            _ => edit(&mut self.policy, &command.replace("PAD", &"x".repeat(17_000))),
        }
    }

    /// The first way once more, with names of its own.
    fn another_way(&mut self, i: usize) {
        let mut way = self.policy["ways"][0].clone();
        way["id"] = json!(format!("way{i}"));
        let name = |id: &Value| json!(format!("{}x{i}", id.as_str().unwrap()));
        for need in way["needs"].as_array_mut().unwrap() {
            need["id"] = name(&need["id"]);
        }
        for condition in way["conditions"].as_array_mut().unwrap() {
            for term in condition["terms"].as_array_mut().unwrap() {
                term["need"] = name(&term["need"]);
            }
        }
        self.policy["ways"].as_array_mut().unwrap().push(way);
    }

    /// Another policy, that asks with another bound.
    fn another_bound(&mut self, i: u64) {
        let mut policy = self.policy.clone();
        policy["id"] = json!(format!("live{i}"));
        policy["ways"][0]["conditions"][0]["k"] = json!((200 + i).to_string());
        self.more.push(policy);
    }

    fn write(&self, folder: &Path) {
        let put = |name: String, value: &Value| std::fs::write(folder.join(name), text(value)).unwrap();
        for sub in ["policies", "types"] {
            std::fs::create_dir(folder.join(sub)).unwrap();
        }
        self.types.iter().for_each(|(id, described)| put(format!("types/{id}.toml"), described));
        let policies = std::iter::once(&self.policy).chain(&self.more);
        for (i, policy) in policies.enumerate() {
            put(format!("policies/p{i}.toml"), policy);
            self.cases.iter().for_each(|cases| put(format!("policies/p{i}.cases.toml"), cases));
        }
    }
}

/// A TOML file of one line for each member.
fn text(value: &Value) -> String {
    value.as_object().unwrap().iter().map(|(name, value)| format!("{name} = {}\n", inline(value))).collect()
}

/// A value in TOML; its strings and numbers are those of JSON.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{} = {}", json!(name), inline(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn seen(status: u16, code: &str, said: &impl ToString) -> Seen {
    Seen { status, code: code.to_owned(), reason: said.to_string() }
}

/// The first refusal of the first policy that has one.
fn reported(reports: &[Report]) -> Seen {
    assert!(!reports.is_empty(), "there is no policy");
    let refusal = reports.iter().flat_map(|report| &report.refusals).next();
    refusal.map_or_else(|| seen(200, "", &""), |refusal| seen(1, kind(refusal), refusal))
}

fn kind_of_fault(fault: &Fault) -> &'static str {
    match fault {
        Fault::Toml(_) => "toml",
        Fault::Policy(fault) => match fault {
            PolicyError::Value => "value",
            PolicyError::SilentOnSubjectBinding => "silent",
            PolicyError::NoOtherRoute => "route",
            PolicyError::Malformed(_) => "malformed",
            PolicyError::Unusable(_) => "unusable",
            PolicyError::Way { .. } => "way",
            PolicyError::Condition { .. } => "condition",
        },
        Fault::Twice => "twice",
        Fault::TooLong => "size",
        other => panic!("{other}"),
    }
}

fn kind(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoPurpose(_) => "purpose",
        Refusal::NoIssuer { .. } => "issuer",
        Refusal::Check(fault) => match fault {
            CheckError::Plan(_) => "plan",
            CheckError::NotCovered(_) => "not-covered",
            CheckError::Permission(_) => "permission",
            CheckError::Purpose => "purpose",
            CheckError::UnknownType(_) => "type",
            CheckError::NoPeriod(_) => "period",
            CheckError::Condition { .. } => "condition",
            CheckError::Need { .. } => "need",
            CheckError::NotLinked(_) => "not-linked",
            CheckError::Crowd(_) => "crowd",
            CheckError::Spelling(_) => "spelling",
            CheckError::TooManyStatements(_) => "statements",
            CheckError::Refused(_) => "refused",
            CheckError::Range(_) => "range",
        },
        Refusal::Case(_) => "case",
        Refusal::NoCases => "untried",
        Refusal::TooManyBounds(_) => "bounds",
        Refusal::TooLong(_) => "request",
    }
}
