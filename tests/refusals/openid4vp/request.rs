//! The surface `request`: a link and the request object behind it, as a wallet reviews them.
//!
//! The object is a real one of the verifier under the policy `either`; the commands of [`super::tamper`] change it on
//! its way. The status is the exit code of `vouchsafe wallet review`, the code is the wallet's.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, header};
use tower::ServiceExt as _;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::TrustFile;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_wallet::http::{Http, HttpError, Incoming, Outgoing, Sending};
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::{Fault, Machine, ReviewError, Wallet};
use zeroize::Zeroizing;

use super::tamper::Parties;
use crate::runner::{Seen, Surface, run};
use crate::world::{NOON, ORIGIN, World, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn requests() {
    run::<Requests>().await;
}

struct Requests {
    world: World,
    parties: Arc<Parties>,
    wallet: Wallet,
    /// What happens to the next object on its way.
    mutation: Arc<Mutex<Option<String>>>,
    _vault: tempfile::TempDir,
}

impl Surface for Requests {
    const NAME: &'static str = "request";

    /// The link of a request.
    type Case = String;

    async fn new() -> Self {
        let world = World::new().await;
        // `DevCa` calls every leaf "signer": under this name leaf and authority have one name.
        let own_name = DevCa::generate("signer", NOON).unwrap();
        let parties = Arc::new(Parties::new(&world, &own_name));
        let mutation = Arc::default();
        let line = Line {
            router: world.router.clone(),
            parties: Arc::clone(&parties),
            mutation: Arc::clone(&mutation),
        };
        let machine = Machine {
            http: Arc::new(line),
            clock: world.clock.clone(),
            entropy: Arc::new(OsEntropy::new()),
            env: Env::Test,
        };
        let vault = tempfile::tempdir().unwrap();
        let wallet =
            Wallet::open(vault.path(), b"four words and one more", Cost::LEAST, machine).await.unwrap();
        let mut anchors = world.trust.anchors.clone();
        anchors.push(Anchor::from_der(own_name.certificate().to_vec()).unwrap());
        let trust = TrustFile { registrar: world.trust.registrar.clone(), anchors };
        wallet.trust_add(trust.to_value().to_string().as_bytes()).await.unwrap();
        Self { world, parties, wallet, mutation, _vault: vault }
    }

    async fn open(&self, _: &str) -> String {
        let opened = self.world.ask("either").await;
        let link = opened.api["qr_text"].as_str().unwrap().to_owned();
        // The wallet knows from here on how far the register has come.
        assert!(self.honest(&link).await.is_accepted());
        link
    }

    async fn attack(&self, link: &String, mutation: &str) -> Seen {
        *self.mutation.lock().unwrap() = Some(mutation.to_owned());
        self.review(&self.parties.link(link, mutation)).await
    }

    async fn honest(&self, link: &String) -> Seen {
        *self.mutation.lock().unwrap() = None;
        self.review(link).await
    }
}

impl Requests {
    async fn review(&self, link: &str) -> Seen {
        match self.wallet.review(link).await {
            Ok(_) => Seen { status: 200, code: String::new(), reason: String::new() },
            Err(refused) => {
                Seen { status: exit(&refused), code: refused.code().to_owned(), reason: String::new() }
            }
        }
    }
}

fn exit(refused: &ReviewError) -> u16 {
    match refused.fault() {
        Fault::Caller => 2,
        Fault::RefusedByUs => 3,
        Fault::RefusedByPeer => 4,
        Fault::Unavailable => 5,
    }
}

/// The wallet's way to the verifier, with somebody in between.
struct Line {
    router: axum::Router,
    parties: Arc<Parties>,
    mutation: Arc<Mutex<Option<String>>>,
}

impl Http for Line {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        Box::pin(self.carry(request))
    }
}

impl Line {
    async fn carry(&self, outgoing: Outgoing<'_>) -> Result<Incoming, HttpError> {
        let path = outgoing.url.strip_prefix(ORIGIN).ok_or(HttpError::Unreachable)?;
        let request = match outgoing.body {
            None => Request::get(path).body(Body::empty()),
            Some((media_type, body)) => {
                Request::post(path).header(header::CONTENT_TYPE, media_type).body(Body::from(body.to_vec()))
            }
        };
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (status, media_type) =
            (response.status().as_u16(), response.headers()[header::CONTENT_TYPE].clone());
        let text = text_of(response).await;
        let mutation = self.mutation.lock().unwrap().clone();
        let (status, content_type, text) = match mutation {
            // What the wallet posts afterwards, that it refuses, is answered as it is.
            Some(mutation) if media_type == "application/oauth-authz-req+jwt" => {
                let reply = self.parties.tamper(&text, &mutation);
                (reply.status, reply.media_type, reply.text)
            }
            _ => (status, media_type.to_str().unwrap().to_owned(), text),
        };
        Ok(Incoming {
            status,
            content_type,
            retry_after_s: None,
            dpop_nonce: None,
            body: Zeroizing::new(text.into_bytes()),
        })
    }
}
