//! Issuer and verifier of the example district, up on loopback over TLS.
//!
//! What `demo`, `dev` and the flow tests share. The listeners are bound first, so that free ports can be chosen
//! without a gap in which another process takes them; then the district is set up for those ports and the
//! programs start from its files.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use vouchsafe_issuer as issuer;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::client::{Http, Reach};
use vouchsafe_service::clock::{Clock, SystemClock};
use vouchsafe_service::config::{self, SecretFile};
use vouchsafe_service::entropy::{Entropy, OsEntropy};
use vouchsafe_service::keys;
use vouchsafe_service::listen::{ClearText, Identity, Limits, Listener};
use vouchsafe_service::store::Schema;
use vouchsafe_service::telemetry;
use vouchsafe_verifier as verifier;

use crate::district::{self, Addresses, Databases, District};
use crate::exit::Failure;
use crate::inbox::Inbox;

/// The ports to listen on; 0 is any free one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The issuer's.
    pub issuer: u16,
    /// The volunteer bureau's, a second issuer.
    pub bureau: u16,
    /// The payers', two more issuers.
    pub payers: [u16; 2],
    /// The verifier's.
    pub verifier: u16,
    /// The schools' receiver of webhooks.
    pub schools: u16,
    /// Health and metrics.
    pub ops: u16,
}

impl Ports {
    /// The ports of `dev`, counted from `base`; all free ones when it is 0.
    #[must_use]
    pub fn from_base(base: u16) -> Self {
        if base == 0 {
            return Self::default();
        }
        let port = |at: u16| base.saturating_add(at);
        let payers = [port(5), port(6)];
        Self { issuer: port(1), verifier: port(2), bureau: port(4), payers, schools: port(7), ops: port(9) }
    }
}

/// The running district.
pub struct World {
    /// Its files.
    pub district: District,
    /// Where it listens.
    pub at: Addresses,
    /// The issuer.
    pub issuer: Arc<issuer::App>,
    /// The volunteer bureau: a second issuer, whose credentials can be suspended.
    pub bureau: Arc<issuer::App>,
    /// The two payers: issuers of one type.
    pub payers: [Arc<issuer::App>; 2],
    /// The verifier.
    pub verifier: Arc<verifier::app::App>,
    /// What the schools were told by webhook.
    pub inbox: Arc<Inbox>,
    servers: JoinSet<()>,
    bureau_server: Mutex<JoinSet<()>>,
    stop: watch::Sender<bool>,
    stop_bureau: watch::Sender<bool>,
}

struct Doors {
    issuer: Listener,
    bureau: Listener,
    payers: [Listener; 2],
    verifier: Listener,
    schools: Listener,
    ops: Listener,
}

impl World {
    /// Sets up the district in `dir` and starts its programs by `clock`.
    ///
    /// # Errors
    /// When a port is taken, a file cannot be written or a program does not start.
    pub async fn start(dir: &Path, ports: Ports, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        Self::start_on(dir, ports, &Databases::Files, clock).await
    }

    /// As [`World::start`], with the rows where `databases` says.
    ///
    /// # Errors
    /// As [`World::start`], and when the server does not answer.
    pub async fn start_on(
        dir: &Path,
        ports: Ports,
        databases: &Databases,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        keys::install();
        district::prepare_listeners(dir, SystemClock.now())?;
        let doors = Doors::open(dir, ports).await?;
        let at = doors.addresses();
        let district = district::set_up_on(dir, &at, databases, clock.now()).await?;
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy::new());
        let (council, cleared, paid) =
            (district.issuer_config(), district.bureau_config(), district.payer_configs());
        let (issuer, bureau, one, two, verifier) = tokio::try_join!(
            open_issuer(&council, &clock, &entropy),
            open_issuer(&cleared, &clock, &entropy),
            open_issuer(&paid[0], &clock, &entropy),
            open_issuer(&paid[1], &clock, &entropy),
            open_verifier(&district, &clock, &entropy),
        )?;
        let payers = [one, two];
        let secret = std::fs::read_to_string(district.webhook_secret_file()).map_err(Failure::unavailable)?;
        let inbox = Inbox::new(&secret, clock)?;
        let (stop, stopped) = watch::channel(false);
        let (stop_bureau, bureau_stopped) = watch::channel(false);
        let (servers, bureau_server) = (JoinSet::new(), Mutex::default());
        let mut world = Self {
            district,
            at,
            issuer,
            bureau,
            payers,
            verifier,
            inbox,
            servers,
            bureau_server,
            stop,
            stop_bureau,
        };
        world.serve(doors, &stopped, bureau_stopped);
        Ok(world)
    }

    fn serve(
        &mut self,
        doors: Doors,
        stopped: &watch::Receiver<bool>,
        bureau_stopped: watch::Receiver<bool>,
    ) {
        let bureau = issuer::router(Arc::clone(&self.bureau));
        self.bureau_server.get_mut().spawn(doors.bureau.serve(bureau, until(bureau_stopped)));
        let issuer = issuer::router(Arc::clone(&self.issuer));
        let verifier = verifier::http::router(Arc::clone(&self.verifier));
        let ops = ops(Arc::clone(&self.verifier));
        let payers = self.payers.each_ref().map(|payer| issuer::router(Arc::clone(payer)));
        let paid = doors.payers.into_iter().zip(payers);
        let schools = self.inbox.router();
        let others =
            [(doors.issuer, issuer), (doors.verifier, verifier), (doors.schools, schools), (doors.ops, ops)];
        for (listener, router) in others.into_iter().chain(paid) {
            self.servers.spawn(listener.serve(router, until(stopped.clone())));
        }
        let (teller, stop) = (Arc::clone(&self.verifier), stopped.clone());
        self.servers.spawn(async move {
            tokio::select! {
                _ = verifier::webhook::deliver_every(teller) => {}
                () = until(stop) => {}
            }
        });
    }

    /// The key by which the bus operator calls the verifier.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn test_key(&self) -> Result<String, Failure> {
        std::fs::read_to_string(self.district.test_key_file()).map_err(Failure::unavailable)
    }

    /// The key by which the schools call the verifier.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn schools_key(&self) -> Result<String, Failure> {
        std::fs::read_to_string(self.district.schools_key_file()).map_err(Failure::unavailable)
    }

    /// Takes the bureau off the network, as if its host were down.
    pub async fn close_bureau(&self) {
        let _ = self.stop_bureau.send(true);
        let mut server = self.bureau_server.lock().await;
        while server.join_next().await.is_some() {}
    }

    /// Stops the programs and waits for what is in progress.
    pub async fn stop(mut self) {
        self.close_bureau().await;
        let _ = self.stop.send(true);
        while self.servers.join_next().await.is_some() {}
    }

    /// A client that trusts the district's listeners, and may reach loopback.
    ///
    /// # Errors
    /// When the authority's certificate cannot be read.
    pub fn client(&self) -> Result<Http, Failure> {
        client(&self.district.tls_ca())
    }
}

/// A client for a certificate authority in a PEM file, that may reach loopback.
///
/// # Errors
/// When the file cannot be read.
pub fn client(authority: &Path) -> Result<Http, Failure> {
    keys::install();
    let pem = std::fs::read(authority)
        .map_err(|e| Failure::usage(format!("{} cannot be read: {}", authority.display(), e.kind())))?;
    let anchors: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let anchors = anchors.map_err(|_| Failure::usage(format!("{} is not PEM", authority.display())))?;
    Http::new(&anchors, Reach::Loopback).map_err(Failure::unavailable)
}

impl Doors {
    async fn open(dir: &Path, ports: Ports) -> Result<Self, Failure> {
        let clear = Listener::clear(loopback(ports.ops), ClearText::Loopback, Limits::default());
        Ok(Self {
            issuer: door(dir, "issuer", ports.issuer).await?,
            bureau: door(dir, "bureau", ports.bureau).await?,
            payers: [
                door(dir, district::PAYERS[0], ports.payers[0]).await?,
                door(dir, district::PAYERS[1], ports.payers[1]).await?,
            ],
            verifier: door(dir, "verifier", ports.verifier).await?,
            schools: door(dir, "schools", ports.schools).await?,
            ops: clear.await.map_err(Failure::unavailable)?,
        })
    }

    fn addresses(&self) -> Addresses {
        Addresses {
            issuer: self.issuer.address(),
            bureau: self.bureau.address(),
            payers: self.payers.each_ref().map(Listener::address),
            verifier: self.verifier.address(),
            schools: self.schools.address(),
            ops: self.ops.address(),
        }
    }
}

async fn door(dir: &Path, program: &str, port: u16) -> Result<Listener, Failure> {
    let keys = dir.join(program).join("keys");
    let identity = Identity::from_files(keys.join("tls-chain.pem"), SecretFile::new(keys.join("tls.pem")));
    let identity = Arc::new(identity.map_err(Failure::unavailable)?);
    Listener::tls(loopback(port), identity, Limits::default()).await.map_err(Failure::unavailable)
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

async fn open_issuer(
    config: &Path,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<issuer::App>, Failure> {
    let config = config::load(Some(config), []).map_err(Failure::usage)?;
    let app = issuer::App::open(&config, Schema::Migrate, Arc::clone(clock), Arc::clone(entropy)).await;
    app.map(Arc::new).map_err(Failure::unavailable)
}

async fn open_verifier(
    district: &District,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<verifier::app::App>, Failure> {
    let config = config::load(Some(&district.verifier_config()), []).map_err(Failure::usage)?;
    let app = verifier::app::App::open(config, Arc::clone(clock), Arc::clone(entropy), Schema::Migrate).await;
    app.map_err(Failure::unavailable)
}

fn ops(verifier: Arc<verifier::app::App>) -> Router {
    let readiness: telemetry::Readiness = Arc::new(move || {
        let verifier = Arc::clone(&verifier);
        Box::pin(async move { verifier.is_ready().await })
    });
    telemetry::ops_router(telemetry::metrics(), readiness)
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // A closed channel means that the world is gone: stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// An instant from the civil date and time in London at which the demo opens: 21 November 2026, 10:00.
#[must_use]
pub fn opening() -> UnixTime {
    UnixTime(1_795_255_200)
}
