//! A request object between the service and the wallet, and what can be done to it there.
//!
//! | command | what it does |
//! |---|---|
//! | `header EDIT`, `request EDIT` | edits the header or the claims; the service signs again |
//! | `service EDIT`, `purpose EDIT`, `wards EDIT`, `pension EDIT` | edits a document, which the registrar signs again |
//! | `own-purpose EDIT`, … | the same, but the service signs, under the registrar's `kid` |
//! | `own-kid-purpose EDIT`, … | the same, under a `kid` of the service |
//! | `document-header PART EDIT` | edits the header of a document, which the registrar signs again |
//! | `as PARTY` | link, client id, certificate and key are those of another party |
//! | `x5c PARTY …` | another certificate path; `anchor` is the authority |
//! | `key PARTY` | another key signs |
//! | `reply STATUS TYPE` | status and media type of the reply |
//! | `text NAME` | the object as no honest service writes it; further names are in `jose.rs` |
//! | `link NAME=VALUE`, `link -NAME` | changes the link |
//!
//! `{service}`, `{rogue}`, `{foreign}`, `{expired}`, `{own}` in a command stand for the client ids of the parties, of
//! which there are more in `jose/paths.rs`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64, b64u, sha256};
use vouchsafe_protocol::form::{self, Form};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::openid4vp::client_id;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::keys::SigningKey;

use super::{edit, part};
use crate::forge::sign;
use crate::jose;
use crate::world::{BUSES, NOON, World};

/// The places of the registrar's documents in `verifier_info` under the policy `either`.
const DOCUMENTS: [&str; 4] = ["service", "purpose", "wards", "pension"];

/// Everybody who might ask.
pub(super) struct Parties {
    leaves: BTreeMap<&'static str, Leaf>,
    anchor: Vec<u8>,
    registrar: SigningKey,
    kid: String,
}

impl Parties {
    /// The honest service; a rogue with a valid certificate; certificates of another authority, of years ago, and of an
    /// authority that gave a leaf its own name.
    pub(super) fn new(world: &World, own_name: &DevCa) -> Self {
        let fresh = || SigningKey::generate().unwrap();
        let elsewhere = DevCa::generate("elsewhere", NOON).unwrap();
        let service = Leaf { certificate: world.request.certificate.clone(), key: world.request.key.clone() };
        let mut leaves = BTreeMap::from([
            ("service", service),
            ("rogue", world.ca.signer("https://rogue.example", fresh(), NOON).unwrap()),
            ("foreign", elsewhere.signer(BUSES, fresh(), NOON).unwrap()),
            ("expired", world.ca.signer(BUSES, fresh(), NOON.minus(900 * 86_400)).unwrap()),
            ("own", own_name.signer(BUSES, fresh(), NOON).unwrap()),
        ]);
        leaves.extend(jose::parties(world));
        let registrar = world.registrar.clone();
        let kid = b64u(registrar.public().thumbprint());
        Self { leaves, anchor: world.ca.certificate().to_vec(), registrar, kid }
    }

    fn leaf(&self, name: &str) -> &Leaf {
        self.leaves.get(name).unwrap_or_else(|| panic!("nobody is called {name}"))
    }

    fn certificate(&self, name: &str) -> String {
        b64(if name == "anchor" { self.anchor.as_slice() } else { &self.leaf(name).certificate })
    }

    fn client_id(&self, name: &str) -> String {
        client_id(&sha256(&self.leaf(name).certificate))
    }

    /// The commands of a mutation, with the client ids filled in.
    fn commands(&self, mutation: &str) -> Vec<String> {
        let fill = |text: String, name: &&str| text.replace(&format!("{{{name}}}"), &self.client_id(name));
        mutation.split(" ; ").map(|command| self.leaves.keys().fold(command.to_owned(), fill)).collect()
    }

    /// The link as the attack changes it.
    pub(super) fn link(&self, link: &str, mutation: &str) -> String {
        let (prefix, query) = link.split_once('?').unwrap();
        let form = Form::parse(query.as_bytes(), 4096).unwrap();
        let names = ["client_id", "request_uri", "request_uri_method"];
        let mut members: BTreeMap<String, String> = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), form.member(name)?.to_owned())))
            .collect();
        for command in self.commands(mutation) {
            match command.split_once(' ') {
                Some(("as", party)) => drop(members.insert("client_id".to_owned(), self.client_id(party))),
                Some(("link", change)) => match change.split_once('=') {
                    Some((name, value)) => drop(members.insert(name.to_owned(), value.to_owned())),
                    None => drop(members.remove(change.trim_start_matches('-'))),
                },
                _ => {}
            }
        }
        let members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        format!("{prefix}?{}", form::write(&members))
    }
}

/// What the wallet gets.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) media_type: String,
    pub(super) text: String,
}

/// The object on its way.
struct Sent<'a> {
    parties: &'a Parties,
    header: Value,
    claims: Value,
    key: &'a SigningKey,
    reply: (u16, String),
    text: Option<&'a str>,
}

impl Parties {
    /// The honest object as the attack changes it.
    pub(super) fn tamper(&self, object: &str, mutation: &str) -> Reply {
        let media_type = "application/oauth-authz-req+jwt".to_owned();
        let mut sent = Sent {
            parties: self,
            header: part(object, 0),
            claims: part(object, 1),
            key: &self.leaf("service").key,
            reply: (200, media_type),
            text: None,
        };
        let commands = self.commands(mutation);
        commands.iter().for_each(|command| sent.change(command));
        sent.finish()
    }
}

impl<'a> Sent<'a> {
    fn change(&mut self, command: &'a str) {
        let (word, rest) = command.split_once(' ').unwrap();
        match word {
            "header" => edit(&mut self.header, rest),
            "request" => edit(&mut self.claims, rest),
            "document-header" => {
                let (document, change) = rest.split_once(' ').unwrap();
                self.document(document, |header, _| edit(header, change), &self.parties.registrar);
            }
            "as" => {
                self.claims["client_id"] = json!(self.parties.client_id(rest));
                self.header["x5c"] = json!([self.parties.certificate(rest)]);
                self.key = &self.parties.leaf(rest).key;
            }
            "x5c" => {
                let chain = rest.split(' ').map(|name| Value::from(self.parties.certificate(name)));
                self.header["x5c"] = chain.collect();
            }
            "key" => self.key = &self.parties.leaf(rest).key,
            "reply" => {
                let (status, media_type) = rest.split_once(' ').unwrap();
                self.reply = (status.parse().unwrap(), media_type.to_owned());
            }
            "text" => self.text = Some(rest),
            "link" => {}
            document => self.edit_document(document, rest),
        }
    }

    fn edit_document(&mut self, word: &str, change: &str) {
        let own = &self.parties.leaf("service").key;
        if let Some(document) = word.strip_prefix("own-kid-") {
            let kid = b64u(own.public().thumbprint());
            let both = |header: &mut Value, payload: &mut Value| {
                header["kid"] = json!(kid);
                edit(payload, change);
            };
            self.document(document, both, own);
        } else if let Some(document) = word.strip_prefix("own-") {
            self.document(document, |_, payload| edit(payload, change), own);
        } else {
            self.document(word, |_, payload| edit(payload, change), &self.parties.registrar);
        }
    }

    /// Changes one document and has `key` sign it.
    fn document(&mut self, name: &str, change: impl FnOnce(&mut Value, &mut Value), key: &SigningKey) {
        let at = DOCUMENTS
            .iter()
            .position(|known| *known == name)
            .unwrap_or_else(|| panic!("no such command: {name}"));
        let data = &mut self.claims["verifier_info"][at]["data"];
        let jws = data.as_str().unwrap();
        let (mut header, mut payload) = (part(jws, 0), part(jws, 1));
        assert_eq!(header["kid"], json!(self.parties.kid));
        change(&mut header, &mut payload);
        *data = json!(sign(&header.to_string(), &payload.to_string(), key));
    }

    fn finish(self) -> Reply {
        let (header, claims) = (self.header.to_string(), self.claims.to_string());
        let object = sign(&header, &claims, self.key);
        let text = match self.text {
            None => object,
            Some("alg-none") => {
                let header =
                    json!({"alg": "none", "typ": self.header["typ"], "x5c": self.header["x5c"]}).to_string();
                format!("{}.{}.", b64u(header), b64u(claims))
            }
            Some("claims-in-clear") => claims,
            Some("claim-twice") => {
                sign(&header, &claims.replacen('{', r#"{"nonce":"0123456789abcdefghijklmn","#, 1), self.key)
            }
            Some("nested-deep") => {
                let deep = format!(r#"{{"x":{}1{},"#, "[".repeat(33), "]".repeat(33));
                sign(&header, &claims.replacen('{', &deep, 1), self.key)
            }
            Some("long") => {
                let long = format!(r#"{{"x":"{}","#, "x".repeat(400 * 1024));
                sign(&header, &claims.replacen('{', &long, 1), self.key)
            }
            Some(name) => jose::text(name, &header, &claims, self.key),
        };
        Reply { status: self.reply.0, media_type: self.reply.1, text }
    }
}
