//! JOSE itself: signatures and certificate paths of requests, keys, and validations that were kept.
//!
//! Most rows change a request object on its way to a wallet (`openid4vp/tamper.rs`, with the parties and texts of this
//! module). The surface `jose` has two commands: `jwk EDIT` changes a key that was received, and `kept NAME` says what
//! happened to a certificate path since it was validated.

mod paths;

use std::sync::Arc;

use serde_json::json;
use vouchsafe_protocol::jose::jws::MAX_TOKEN;
use vouchsafe_protocol::jose::x5c::{self, Anchor, X5cError};
use vouchsafe_protocol::jose::{JwkError, PublicJwk, Signer as _};
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::keys::{Jws, SigningKey};

use crate::forge::certificate::{issue, leaf};
use crate::forge::{altered, der, sign};
use crate::openid4vp::edit;
use crate::runner::{Seen, Surface, run};
use crate::world::{NOON, World};

pub(crate) use paths::parties;

/// A request object as no honest service writes it: `header` and `claims` are what would be signed by `key`.
pub(crate) fn text(name: &str, header: &str, claims: &str, key: &SigningKey) -> String {
    let object = || sign(header, claims, key);
    let with = |more: String| sign(&header.replacen('{', &format!("{{{more},"), 1), claims, key);
    match name {
        "header-member-twice" => with(r#""typ":"JWT""#.to_owned()),
        "header-nested-deep" => with(format!(r#""x":{}1{}"#, "[".repeat(33), "]".repeat(33))),
        "header-long" => with(format!(r#""x":"{}""#, "x".repeat(MAX_TOKEN))),
        "header-list" => sign(&format!("[{header}]"), claims, key),
        "signature-flipped" => altered(&object(), 2, |s| change(s, 7)),
        "signature-empty" => altered(&object(), 2, |_| Vec::new()),
        "signature-zero" => altered(&object(), 2, |_| vec![0; 64]),
        "signature-cut" => altered(&object(), 2, |s| s[..63].to_vec()),
        "signature-longer" => altered(&object(), 2, |s| [s, vec![0]].concat()),
        "signature-halves-exchanged" => altered(&object(), 2, |s| [&s[32..], &s[..32]].concat()),
        "signature-der" => altered(&object(), 2, |s| der(&s)),
        "signature-of-another-text" => {
            let other = sign(header, "{}", key);
            let (input, (_, signature)) = (object(), other.rsplit_once('.').unwrap());
            format!("{}.{signature}", input.rsplit_once('.').unwrap().0)
        }
        "claims-after-signing" => altered(&object(), 1, |claims| [b"{\"x\":1,", &claims[1..]].concat()),
        "header-after-signing" => altered(&object(), 0, |header| [b"{\"x\":1,", &header[1..]].concat()),
        "two-parts" => object().rsplit_once('.').unwrap().0.to_owned(),
        "four-parts" => object() + ".AA",
        "padded" => object() + "==",
        "white-space" => object().replacen('.', "\n.", 1),
        "json-form" => {
            let object = object();
            let parts: Vec<_> = object.split('.').collect();
            json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string()
        }
        _ => panic!("no such text: {name}"),
    }
}

fn change(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

struct Jose {
    world: World,
}

impl Jose {
    fn key(command: &str) -> Result<(), &'static str> {
        let mut jwk = SigningKey::generate().unwrap().public().to_value();
        if !command.is_empty() {
            edit(&mut jwk, command);
        }
        let code = |fault| match fault {
            JwkError::Malformed => "malformed",
            JwkError::Unsupported => "unsupported",
            JwkError::Private => "private",
            JwkError::NotOnCurve => "not-on-curve",
        };
        PublicJwk::from_value(&jwk).map(drop).map_err(code)
    }

    /// A path was validated and kept; then `what` happened, and it comes again.
    fn kept(&self, what: &str) -> Result<(), &'static str> {
        let key = SigningKey::generate().unwrap();
        let path = vec![issue(&leaf(), &key, &self.world.ca)];
        let [ours, others] = [&self.world.ca, &self.world.other_ca]
            .map(|ca| vec![Anchor::from_der(ca.certificate().to_vec()).unwrap()]);
        let kept = Arc::new(x5c::validate(&path, &ours, NOON, &Jws).unwrap());
        let (anchors, now, sent) = match what {
            "" => (ours, NOON, path),
            "anchor-withdrawn" => (others, NOON, path),
            "all-anchors-withdrawn" => (Vec::new(), NOON, path),
            "expired" => (ours, NOON.plus(3 * DAY), path),
            "clock-set-back" => (ours, NOON.minus(3 * DAY), path),
            "another-path" => (others, NOON, vec![issue(&leaf(), &key, &self.world.ca)]),
            _ => panic!("no such thing happens: {what}"),
        };
        let fault = |fault| match fault {
            X5cError::NoPath => "no-path",
            X5cError::Validity => "validity",
            _ => "malformed",
        };
        x5c::validate_or_cached(&sent, Some(kept), &anchors, now, &Jws).map(drop).map_err(fault)
    }

    fn submit(&self, mutation: &str) -> Seen {
        let done = match mutation.split_once(' ') {
            None => Self::key("").and_then(|()| self.kept("")),
            Some(("jwk", command)) => Self::key(command),
            Some(("kept", what)) => self.kept(what),
            Some(_) => panic!("no such command: {mutation}"),
        };
        let (status, code) = done.map_or_else(|code| (400, code), |()| (200, ""));
        Seen { status, code: code.to_owned(), reason: String::new() }
    }
}

impl Surface for Jose {
    const NAME: &'static str = "jose";

    type Case = ();

    async fn new() -> Self {
        Self { world: World::new().await }
    }

    async fn open(&self, _: &str) {}

    async fn attack(&self, (): &(), mutation: &str) -> Seen {
        self.submit(mutation)
    }

    async fn honest(&self, (): &()) -> Seen {
        self.submit("")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jose() {
    run::<Jose>().await;
}
