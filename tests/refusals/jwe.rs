//! The surface `credential-response`: what a wallet that asked for encryption takes for its issuer's answer.
//!
//! In process, by the function that the wallet calls. The commands are those of [`Message`], and `asked ENC` (another
//! content encryption was asked for than is used), `key other` (encrypted to another key), `clear` (not at all) and
//! `plaintext NAME`. The code is that of the wallet's error.

use serde_json::json;
use vouchsafe_protocol::jose::{Enc, KeyAgreement as _, NamedJwk};
use vouchsafe_protocol::openid4vci::credential::{ResponseError, open_response};
use vouchsafe_protocol::openid4vp::ResponseKey;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{AgreementKey, RingAead};

use crate::openid4vp::encrypted::Message;
use crate::runner::{Seen, Surface, run};
use crate::world::World;

struct Responses {
    /// Alone in the process, as switches are.
    _world: World,
}

/// The wallet's key for one response.
struct Case {
    key: AgreementKey,
    to: ResponseKey,
}

impl Case {
    fn new() -> Self {
        let key = AgreementKey::generate(&OsEntropy::new());
        let to = ResponseKey { key: named(&key), enc: Enc::A256Gcm };
        Self { key, to }
    }

    fn open(&self, body: &str, asked: Enc) -> Seen {
        let code = match open_response(body, "1", asked, &self.key, &RingAead) {
            Ok(_) => return Seen { status: 200, code: String::new(), reason: String::new() },
            Err(ResponseError::Encryption) => "encryption",
            Err(_) => "malformed",
        };
        Seen { status: 400, code: code.to_owned(), reason: String::new() }
    }
}

fn named(key: &AgreementKey) -> NamedJwk {
    NamedJwk { key: key.public().clone(), kid: Some("1".to_owned()), usage: None, alg: None }
}

fn plaintext(name: &str) -> String {
    let honest = json!({"credentials": [{"credential": "a~b~"}]}).to_string();
    match name {
        "honest" => honest,
        "member-twice" => honest.replacen('{', r#"{"credentials":[{"credential":"c~"}],"#, 1),
        "nested-deep" => honest.replacen('{', &format!(r#"{{"x":{}1{},"#, "[".repeat(33), "]".repeat(33)), 1),
        // One byte more than is decrypted.
        "long" => honest.replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(256 * 1024)), 1),
        "no-json" => "credentials".to_owned(),
        _ => panic!("no such plaintext: {name}"),
    }
}

impl Surface for Responses {
    const NAME: &'static str = "credential-response";

    type Case = Case;

    async fn new() -> Self {
        Self { _world: World::new().await }
    }

    async fn open(&self, _: &str) -> Case {
        Case::new()
    }

    async fn attack(&self, case: &Case, mutation: &str) -> Seen {
        let rest = |word: &str| mutation.split(" ; ").find_map(|command| command.strip_prefix(word));
        let text = plaintext(rest("plaintext ").unwrap_or("honest"));
        let other = Case::new();
        let to = if rest("key other").is_some() { &other.to } else { &case.to };
        let asked = rest("asked ").map_or(case.to.enc, |name| Enc::from_name(name).unwrap());
        if rest("clear").is_some() {
            return case.open(&text, asked);
        }
        let mut message = Message::new(to, text);
        for command in mutation.split(" ; ") {
            match command.split_once(' ') {
                Some((word, _)) if Message::COMMANDS.contains(&word) => message.change(command),
                _ => assert!(["plaintext", "key", "asked"].iter().any(|word| command.starts_with(word))),
            }
        }
        case.open(&message.seal(to), asked)
    }

    async fn honest(&self, case: &Case) -> Seen {
        case.open(&Message::new(&case.to, plaintext("honest")).seal(&case.to), case.to.enc)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credential_responses() {
    run::<Responses>().await;
}
