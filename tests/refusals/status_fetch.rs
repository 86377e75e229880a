//! The verifier's way to a status list: a real host, real TLS, the verifier's own door and book.
//!
//! An attack is a host that does not do as it should, or a list that should not be believed as long as it says. Refused
//! means that the look-up says nothing (`unknown`: the answer is `undetermined`, and the resident may be asked anew), or
//! what is so (`suspended`); nothing of the attack is left behind, so that the honest list counts afterwards.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, header};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::json;
use tokio::sync::Notify;
use vouchsafe_protocol::answer::Sought;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::pki_types::CertificateDer;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::status::{Bits, JWT_MEDIA_TYPE, List, Reference, Standing};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::client::{Http, Reach};
use vouchsafe_service::clock::{Clock as _, ManualClock, SystemClock};
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::listen::{Identity, Limits, Listener};
use vouchsafe_verifier::status::{Book, Door, Host as Named, StatusSettings};

use crate::forge::list::Jwt;
use crate::runner::{Seen, Surface, run};
use crate::world::{ISS, NOON, STRANGER, World};

/// How long a slow host takes: longer than the door waits.
const SLOW: Duration = Duration::from_secs(5);
/// How long every other host has, on whatever machine this runs.
const LONG: Duration = Duration::from_secs(60);

/// Entries of the lists of this host; 0 is valid, 2 is suspended where a list is told to say so.
const ENTRIES: usize = 64;

/// What the host sends, and when.
#[derive(Clone, Default)]
struct Reply {
    status: u16,
    media_type: Option<&'static str>,
    location: Option<String>,
    body: Vec<u8>,
    hold: Hold,
    /// Opens what is held.
    gate: Arc<Notify>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Hold {
    #[default]
    Nothing,
    Everything,
    HalfTheBody,
}

/// A host of lists.
#[derive(Default)]
struct Host {
    reply: Mutex<Reply>,
    asked: AtomicUsize,
}

impl Host {
    async fn answer(self: Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut reply = self.reply.lock().unwrap().clone();
        if request.uri().path().starts_with("/lists/moved") {
            reply = Reply { status: 200, location: None, ..reply };
        }
        if reply.hold == Hold::Everything {
            reply.gate.notified().await;
        }
        let mut response = Response::builder().status(reply.status);
        if let Some(media_type) = reply.media_type {
            response = response.header(header::CONTENT_TYPE, media_type);
        }
        if let Some(location) = reply.location {
            response = response.header(header::LOCATION, location);
        }
        let body = match reply.hold {
            Hold::HalfTheBody => halved(&reply.body, reply.gate),
            _ => Body::from(reply.body),
        };
        Ok(response.body(body).unwrap())
    }
}

/// The body, whose second half waits for the gate.
fn halved(body: &[u8], gate: Arc<Notify>) -> Body {
    let (first, second) = body.split_at(body.len() / 2);
    let (first, second) = (Bytes::copy_from_slice(first), Bytes::copy_from_slice(second));
    let rest = stream::once(async move {
        gate.notified().await;
        Ok(second)
    });
    Body::from_stream(stream::once(async move { Ok::<_, Infallible>(first) }).chain(rest))
}

/// One verifier's book, at noon. It is made where it is first used: so are the rules of its door.
struct Case {
    book: OnceLock<Book>,
    settings: StatusSettings,
    reach: Reach,
    authority: CertificateDer<'static>,
    clock: Arc<ManualClock>,
    uri: String,
    /// Whether no host can be honest, since address or host are at fault: another list is looked at instead.
    astray: bool,
    /// Whether the door has the patience that it has in service.
    slow: bool,
}

impl Case {
    fn book(&self) -> &Book {
        self.book.get_or_init(|| {
            let http = Http::new(std::slice::from_ref(&self.authority), self.reach).unwrap();
            let door = if self.slow { Door::new(http) } else { Door::new(http).with_patience(LONG) };
            Book::new(self.settings.clone(), Arc::new(door), self.clock.clone())
        })
    }
}

struct StatusFetch {
    world: World,
    tls: DevCa,
    port: u16,
    host: Arc<Host>,
}

impl StatusFetch {
    /// The rules that an attack is made for.
    fn case(&self, mutation: &str) -> Case {
        let at = |host: &str, folder: &str| format!("https://{host}:{}/{folder}/", self.port);
        let prefix = at(if mutation == "address-as-number" { "127.0.0.1" } else { "localhost" }, "lists");
        let near = !mutation.starts_with("address-");
        let uri = match mutation {
            "host-not-named" => at("localhost", "other") + "a",
            "host-named-in-part" => at("localhost", "lists.other") + "a",
            _ => prefix.clone() + "a",
        };
        let issuer = if mutation == "host-of-another-issuer" { STRANGER } else { ISS }.to_owned();
        let young = if mutation == "signed-long-ago" { 1800 } else { 86_400 };
        let settings = StatusSettings {
            max_ttl_seconds: 1800,
            max_age_seconds: young,
            max_inflated_bytes: 1024,
            hosts: vec![Named { issuer, prefix }],
            ..StatusSettings::default()
        };
        Case {
            book: OnceLock::new(),
            settings,
            reach: if near { Reach::Loopback } else { Reach::Global },
            authority: self.tls.certificate().clone(),
            clock: Arc::new(ManualClock::at(NOON)),
            uri,
            astray: !near || mutation.starts_with("host-"),
            slow: mutation.starts_with("slow"),
        }
    }

    /// A list that is signed at `now`, of which entry 0 is valid or suspended.
    fn list(&self, case: &Case, now: UnixTime, suspended: bool) -> Jwt {
        let mut list = List::new(Bits::Two, ENTRIES);
        list.set(0, if suspended { 2 } else { 0 }).unwrap();
        let mut token = Jwt::honest(&self.world.ca);
        token.claims = json!({"sub": case.uri, "iat": now.0, "exp": now.plus(7200).0, "ttl": 900});
        token.hold(&list.deflate());
        token
    }

    fn sends(&self, change: impl FnOnce(&mut Reply), token: Jwt) {
        let body = token.sign().into_bytes();
        let mut reply = Reply { status: 200, media_type: Some(JWT_MEDIA_TYPE), body, ..Reply::default() };
        change(&mut reply);
        *self.host.reply.lock().unwrap() = reply;
    }

    fn sends_list(&self, case: &Case, suspended: bool) {
        self.sends(|_| (), self.list(case, case.clock.now(), suspended));
    }

    fn is_away(&self) {
        *self.host.reply.lock().unwrap() = Reply { status: 503, ..Reply::default() };
    }

    fn asked(&self) -> usize {
        self.host.asked.load(Ordering::SeqCst)
    }

    async fn look_up(&self, case: &Case) -> Standing {
        let sought = Sought { iss: ISS.to_owned(), reference: Reference::new(0, &case.uri).unwrap() };
        let anchor = Anchor::from_der(self.world.ca.certificate().to_vec()).unwrap();
        case.book().look_up(vec![sought], |_| vec![anchor.clone()]).await[0]
    }

    /// Looks up at a host that goes on only when nobody can be waiting any more.
    async fn look_up_slowly(&self, case: &Case) -> Standing {
        let gate = Arc::clone(&self.host.reply.lock().unwrap().gate);
        let looking = self.look_up(case);
        tokio::pin!(looking);
        tokio::select! {
            biased;
            standing = &mut looking => return standing,
            () = tokio::time::sleep(SLOW) => gate.notify_one(),
        }
        looking.await
    }

    /// What the host does to one look-up.
    async fn at_once(&self, case: &Case, mutation: &str) -> Standing {
        let here = |path: &str| Some(format!("https://localhost:{}{path}", self.port));
        let there = Some(format!("https://127.0.0.1:{}/lists/moved", self.port));
        let mut token = self.list(case, case.clock.now(), false);
        let change: Box<dyn FnOnce(&mut Reply)> = match mutation {
            "page" => Box::new(|reply| reply.media_type = Some("text/html")),
            "type-missing" => Box::new(|reply| reply.media_type = None),
            "type-of-cwt" => Box::new(|reply| reply.media_type = Some("application/statuslist+cwt")),
            "type-of-credential" => Box::new(|reply| reply.media_type = Some("application/dc+sd-jwt")),
            "type-of-any-jwt" => Box::new(|reply| reply.media_type = Some("application/jwt")),
            "not-found" => Box::new(|reply| reply.status = 404),
            "server-error" => Box::new(|reply| reply.status = 500),
            "partial" => Box::new(|reply| reply.status = 206),
            "moved-for-good" => Box::new(move |reply| moved(reply, 301, here("/lists/moved"))),
            "moved" => Box::new(move |reply| moved(reply, 302, here("/lists/moved"))),
            "moved-for-now" => Box::new(move |reply| moved(reply, 307, here("/lists/moved"))),
            "moved-to-another-host" => Box::new(move |reply| moved(reply, 308, there)),
            "too-long" => {
                token.claims["more"] = json!(b64u([7; 80_000]));
                Box::new(|_| ())
            }
            "slow" => Box::new(|reply| reply.hold = Hold::Everything),
            "slow-body" => Box::new(|reply| reply.hold = Hold::HalfTheBody),
            "expired" => {
                token.claims["exp"] = json!(case.clock.now().minus(61).0);
                Box::new(|_| ())
            }
            "signed-long-ago" => {
                token.claims["iat"] = json!(case.clock.now().minus(1800).0);
                Box::new(|_| ())
            }
            _ => Box::new(|_| ()),
        };
        self.sends(change, token);
        if case.slow { self.look_up_slowly(case).await } else { self.look_up(case).await }
    }

    /// A good list first; then time passes, and what it said is no longer so.
    async fn later(&self, case: &Case, mutation: &str) -> Option<Standing> {
        let (ttl, passes) = match mutation {
            "beyond-its-ttl" => (900, 900),
            "ttl-of-years" => (10 * 365 * 86_400, 1800),
            "ttl-of-a-second" => (1, 59),
            "beyond-its-exp" | "an-older-list" => (900, 7200),
            _ => return None,
        };
        let mut token = self.list(case, case.clock.now(), false);
        token.claims["ttl"] = json!(ttl);
        if mutation == "an-older-list" {
            token.claims["exp"] = json!(case.clock.now().plus(80_000).0);
            return Some(self.older(case, token).await);
        }
        self.sends(|_| (), token);
        assert_eq!(self.look_up(case).await, Standing::Valid);
        let before = self.asked();
        case.clock.advance(passes);
        match mutation {
            "beyond-its-exp" => self.is_away(),
            _ => self.sends_list(case, true),
        }
        let standing = self.look_up(case).await;
        // This publisher is after calls, not after a standing.
        if mutation == "ttl-of-a-second" {
            return Some(if self.asked() > before { Standing::Valid } else { Standing::Unknown });
        }
        Some(standing)
    }

    /// A suspension is published, and later somebody puts the list from before in its place.
    async fn older(&self, case: &Case, old: Jwt) -> Standing {
        case.clock.advance(60);
        self.sends_list(case, true);
        assert_eq!(self.look_up(case).await, Standing::Suspended);
        case.clock.advance(900);
        self.sends(|_| (), old);
        self.look_up(case).await
    }

    /// A host that fails and fails: whether it is still asked.
    async fn failing(&self, case: &Case) -> Standing {
        self.is_away();
        for _ in 0..3 {
            assert_eq!(self.look_up(case).await, Standing::Unknown);
        }
        self.sends_list(case, false);
        self.look_up(case).await
    }
}

fn moved(reply: &mut Reply, status: u16, location: Option<String>) {
    (reply.status, reply.location) = (status, location);
}

impl Surface for StatusFetch {
    const NAME: &'static str = "status-fetch";

    type Case = Case;

    async fn new() -> Self {
        let world = World::new().await;
        let now = SystemClock.now();
        let tls = DevCa::generate("Hosts of lists", now).unwrap();
        let leaf = tls.server(&["localhost", "127.0.0.1"], now).unwrap();
        let identity = Arc::new(Identity::from_leaf(&leaf).unwrap());
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::tls(address, identity, Limits::default()).await.unwrap();
        let (port, host) = (listener.address().port(), Arc::new(Host::default()));
        let ours = Arc::clone(&host);
        let router =
            Router::new().fallback(move |request| async move { ours.answer(request).await.unwrap() });
        tokio::spawn(listener.serve(router, std::future::pending()));
        Self { world, tls, port, host }
    }

    async fn open(&self, mutation: &str) -> Case {
        self.case(mutation)
    }

    async fn attack(&self, case: &Case, mutation: &str) -> Seen {
        let standing = match self.later(case, mutation).await {
            Some(standing) => standing,
            None if mutation == "failing" => self.failing(case).await,
            None => self.at_once(case, mutation).await,
        };
        seen(standing)
    }

    /// A good list, once the host may be asked again.
    async fn honest(&self, case: &Case) -> Seen {
        let other = self.case("");
        let case = if case.astray { &other } else { case };
        case.clock.advance(1800);
        self.sends_list(case, false);
        seen(self.look_up(case).await)
    }
}

fn seen(standing: Standing) -> Seen {
    match standing {
        Standing::Valid => Seen { status: 200, code: String::new(), reason: String::new() },
        other => Seen { status: 400, code: other.as_str().to_owned(), reason: String::new() },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_fetch() {
    run::<StatusFetch>().await;
}
