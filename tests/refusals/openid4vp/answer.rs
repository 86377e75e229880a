//! The surface `answer`: what is posted to the answer endpoint around a presentation that is itself in order.
//!
//! | command | what it does |
//! |---|---|
//! | `policy NAME` | which policy asks; `plain` without it |
//! | `answer EDIT` | edits the plaintext |
//! | `plaintext NAME` | the plaintext as no honest wallet writes it |
//! | `jwe …`, `wrapped …` | what [`Message`] does to its header and its parts |
//! | `key other` | encrypts to the key of another request, under our `kid` |
//! | `clear` | posts the members in clear |
//! | `form NAME VALUE` | one more member; `form -NAME` takes one away |
//! | `media-type TYPE`, `to HANDLE` | another media type, another address |
//! | `wait SECONDS` | time passes first |
//! | `first NAME` | what happens before: `answered`, `declined`, `leased`, `spent` |
//!
//! Words in braces stand for JSON texts: presentations by name ([`Case::presentation`]) and values of another request.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Map, Value, json};
use vouchsafe_protocol::answer::PROOF_CLAIM;
use vouchsafe_protocol::form;
use vouchsafe_protocol::openid4vp::ResponseKey;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_verifier::store::{Lease, RequestId, ServiceId};

use super::edit;
use super::encrypted::Message;
use crate::forge::Credential;
use crate::forge::proof::ProofCopy;
use crate::reasons;
use crate::runner::{Seen, Surface, run};
use crate::world::{BUSES, LIVE, NOON, Opened, STRANGER, World, seen};

#[tokio::test(flavor = "multi_thread")]
async fn answers() {
    run::<Answers>().await;
}

struct Answers {
    world: World,
}

/// A transaction, another of the same policy, and what somebody holds of the first.
pub(super) struct Case {
    pub(super) opened: Opened,
    other: Opened,
    lease: Mutex<Option<Lease>>,
}

impl Case {
    pub(super) async fn open(world: &World, policy: &str) -> Self {
        Self { opened: world.ask(policy).await, other: world.ask(policy).await, lease: Mutex::default() }
    }

    /// The query that a plain copy answers.
    fn query(&self) -> &'static str {
        if self.opened.request.asked().policy().body().id == "either" { "q1" } else { "q0" }
    }

    /// A fresh presentation, by its name.
    fn presentation(&self, world: &World, name: &str) -> String {
        let mut credential = Credential::plain(&world.ca);
        let (mut to, mut claims) = (&self.opened, Map::new());
        match name {
            "honest" => {}
            "for-other" => to = &self.other,
            "without-ward" => drop(credential.disclosures.pop()),
            "of-stranger" => credential.issued_by(STRANGER, &world.ca),
            "of-live" => credential.issued_by(LIVE, &world.ca),
            "of-nobody" => credential.issued_by("https://nobody.example", &world.ca),
            "expired" => credential.payload["exp"] = json!(NOON.minus(86_400).0),
            "with-transaction-data" => drop(claims.insert("transaction_data_hashes".into(), json!(["AAAA"]))),
            "with-proof" => drop(claims.insert(PROOF_CLAIM.into(), json!("AQ"))),
            "proof-copy" => {
                credential = ProofCopy::new(&world.ca).credential;
                credential.hide("birth_date", json!("1950-01-01"));
                credential.hide("ward", json!("W100"));
            }
            _ => panic!("no such presentation: {name}"),
        }
        let token = credential.sign();
        let binding = token.bind(self.opened.client_id(), to.nonce(), claims).sign();
        token.covered() + &binding
    }

    /// Fills in the words in braces.
    fn fill(&self, world: &World, command: &str) -> String {
        let mut text = command.to_owned();
        for (word, value) in [
            ("{other-state}", self.other.request.state()),
            ("{other-kid}", kid(&self.other)),
            ("{state}", self.opened.request.state()),
        ] {
            text = text.replace(word, value);
        }
        while let Some((before, rest)) = text.split_once("{{") {
            let (name, after) = rest.split_once("}}").unwrap();
            text = format!("{before}{}{after}", json!(self.presentation(world, name)));
        }
        text
    }
}

fn kid(opened: &Opened) -> &str {
    key(opened).key.kid.as_deref().unwrap()
}

fn key(opened: &Opened) -> &ResponseKey {
    opened.request.response_key().unwrap()
}

/// A post in the making.
struct Post<'a> {
    case: &'a Case,
    answer: Value,
    plaintext: Option<String>,
    sealing: Vec<String>,
    key: &'a ResponseKey,
    clear: bool,
    more: Vec<(String, String)>,
    media_type: String,
    path: String,
}

impl<'a> Post<'a> {
    fn honest(world: &World, case: &'a Case) -> Self {
        let presentation = case.presentation(world, "honest");
        Self {
            case,
            answer: json!({"vp_token": {case.query(): [presentation]}, "state": case.opened.request.state()}),
            plaintext: None,
            sealing: Vec::new(),
            key: key(&case.opened),
            clear: false,
            more: Vec::new(),
            media_type: "application/x-www-form-urlencoded".to_owned(),
            path: case.opened.answer_path().to_owned(),
        }
    }

    /// Applies a command that changes the post; others are for [`Answers::before`].
    fn change(&mut self, command: &str) {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        match word {
            "answer" => edit(&mut self.answer, rest),
            "plaintext" => self.plaintext = Some(rest.to_owned()),
            sealing if Message::COMMANDS.contains(&sealing) => self.sealing.push(command.to_owned()),
            "key" => self.key = key(&self.case.other),
            "clear" => self.clear = true,
            "form" => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                self.more.push((name.to_owned(), value.to_owned()));
            }
            "media-type" => rest.clone_into(&mut self.media_type),
            "to" => self.path = format!("/a/{rest}"),
            "policy" | "wait" | "first" => {}
            _ => panic!("no such command: {command}"),
        }
    }

    fn body(&self) -> String {
        let mut members =
            if self.clear { self.members() } else { vec![("response".to_owned(), self.sealed())] };
        for (name, value) in &self.more {
            match name.strip_prefix('-') {
                Some(gone) => members.retain(|(name, _)| name != gone),
                None => members.push((name.clone(), value.replace("PAD", &"x".repeat(300_000)))),
            }
        }
        let members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        form::write(&members)
    }

    fn members(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.answer.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    fn sealed(&self) -> String {
        let answer = self.answer.to_string();
        let plaintext = match self.plaintext.as_deref() {
            None => answer,
            Some("state-twice") => answer.replacen('{', r#"{"state":"x","#, 1),
            Some("nested-deep") => {
                answer.replacen('{', &format!(r#"{{"x":{}1{},"#, "[".repeat(33), "]".repeat(33)), 1)
            }
            Some("no-json") => "vp_token".to_owned(),
            Some(name) => panic!("no such plaintext: {name}"),
        };
        let mut message = Message::new(self.key, plaintext);
        message.header["kid"] = json!(kid(&self.case.opened));
        self.sealing.iter().for_each(|command| message.change(command));
        message.seal(self.key)
    }

    fn request(&self) -> Request<Body> {
        let request = Request::post(&self.path).header(header::CONTENT_TYPE, &self.media_type);
        request.body(Body::from(self.body())).unwrap()
    }
}

/// An honest answer by a plain copy.
pub(super) async fn answer(world: &World, case: &Case) -> axum::http::Response<Body> {
    world.send(Post::honest(world, case).request()).await
}

impl Surface for Answers {
    const NAME: &'static str = "answer";

    type Case = Case;

    async fn new() -> Self {
        Self { world: World::new().await }
    }

    async fn open(&self, mutation: &str) -> Case {
        self.world.clock.set(NOON);
        let policy = mutation.split(" ; ").find_map(|command| command.strip_prefix("policy "));
        Case::open(&self.world, policy.unwrap_or("plain")).await
    }

    async fn attack(&self, case: &Case, mutation: &str) -> Seen {
        let mut post = Post::honest(&self.world, case);
        for command in mutation.split(" ; ") {
            self.before(case, command).await;
            post.change(&case.fill(&self.world, command));
        }
        self.submit(post.request()).await
    }

    async fn honest(&self, case: &Case) -> Seen {
        let lease = case.lease.lock().unwrap().take();
        if let Some(lease) = lease {
            self.world.app.store().release(&lease).await.unwrap();
        }
        self.submit(Post::honest(&self.world, case).request()).await
    }
}

impl Answers {
    async fn submit(&self, request: Request<Body>) -> Seen {
        let _ = reasons::take();
        seen(self.world.send(request).await).await
    }

    /// What happens before the post.
    async fn before(&self, case: &Case, command: &str) {
        match command {
            "first answered" => {
                assert!(self.submit(Post::honest(&self.world, case).request()).await.is_accepted())
            }
            "first declined" => {
                let mut post = Post::honest(&self.world, case);
                ["clear", "form -vp_token", "form error access_denied"]
                    .into_iter()
                    .for_each(|command| post.change(command));
                assert!(self.submit(post.request()).await.is_accepted());
            }
            "first leased" => {
                let (service, id) =
                    (ServiceId(BUSES.into()), RequestId(case.opened.api["id"].as_str().unwrap().into()));
                let lease =
                    self.world.app.store().lease(&service, &id, self.world.clock.now()).await.unwrap();
                *case.lease.lock().unwrap() = lease.ok();
            }
            "first spent" => {
                for _ in 0..5 {
                    let mut post = Post::honest(&self.world, case);
                    post.answer["vp_token"][case.query()] =
                        json!([case.presentation(&self.world, "expired")]);
                    assert_eq!(self.submit(post.request()).await.reason, "claims");
                }
            }
            _ => {
                if let Some(seconds) = command.strip_prefix("wait ") {
                    self.world.clock.advance(seconds.parse().unwrap());
                }
            }
        }
    }
}
