//! The doors in: our own accept loop over HTTP/1.1, with the timers and caps that the web framework does not set.
//!
//! RFC 9112 as narrowed by [`Limits`]. A request body needs a `Content-Length`: `Transfer-Encoding` is refused (411),
//! and with it every message whose end two parsers could see in two places. Bodies are read whole, within their cap and
//! time, before a handler sees them, and all of them together within a sum. HTTP/2 is left out of the process.
//!
//! A connection is watched from outside the HTTP code: whoever is slow with a handshake, a header, a body, or with
//! taking the answer is cut. A handler may be dropped at its deadline, so database work belongs in
//! [`crate::store::detached`].

mod connection;
mod exchange;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use vouchsafe_mutants as mutants;

use crate::limits::AddressPrefix;
pub use tls::Identity;

/// How often the certificate files are looked at.
const RELOAD: Duration = Duration::from_secs(30);
/// How long to wait after the system refused a connection, for want of file descriptors for instance.
const PAUSE: Duration = Duration::from_millis(100);

/// The timers and caps of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request's header to its last; also from connecting to the first header.
    pub header: Duration,
    /// For a request's body.
    pub body: Duration,
    /// From the end of the header to the handler's answer.
    pub request: Duration,
    /// For the peer to take the answer, beyond `request`.
    pub taking: Duration,
    /// Between two requests on one connection.
    pub idle: Duration,
    /// For requests in progress when the server stops.
    pub drain: Duration,
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// Of the header block with its request line, in bytes.
    pub header_bytes: usize,
    /// Header fields.
    pub header_fields: usize,
    /// Of the request target, in bytes.
    pub uri_bytes: usize,
    /// Of a request's body, in bytes; a route may allow less by axum's `DefaultBodyLimit`.
    pub body_bytes: usize,
    /// Of all bodies together that are being received or handled, in bytes. Counted as they arrive and not as they are
    /// announced, so that whoever announces much and sends nothing takes nothing from others.
    pub bodies_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            body: Duration::from_secs(15),
            request: Duration::from_secs(20),
            taking: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(25),
            connections: 10_000,
            header_bytes: 16 * 1024,
            header_fields: 64,
            uri_bytes: 4 * 1024,
            body_bytes: 256 * 1024,
            bodies_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Why a door could not be opened. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, or not one of this machine.
    #[error("cannot listen on {0}: the address is in use or not this machine's")]
    Bind(SocketAddr),
    /// Clear text is for loopback, or for operations.
    #[error("{0} is not a loopback address, and clear text is for loopback")]
    NotLoopback(SocketAddr),
    /// The certificate or its key cannot be used.
    #[error("the certificate chain or its private key cannot be used")]
    Certificate,
}

/// What a listener without TLS is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearText {
    /// Tests and development, on loopback only.
    Loopback,
    /// Health and metrics, on whatever network the operator keeps for them.
    Operations,
}

enum Door {
    Tls(TlsAcceptor, Arc<Identity>),
    Clear,
}

/// A bound address that does not yet answer.
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    door: Arc<Door>,
    limits: Limits,
}

impl Listener {
    /// Binds `address` for TLS; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ListenError::Bind`].
    pub async fn tls(
        address: SocketAddr,
        identity: Arc<Identity>,
        limits: Limits,
    ) -> Result<Self, ListenError> {
        let acceptor = TlsAcceptor::from(tls::server_config(Arc::clone(&identity))?);
        Self::bind(address, Door::Tls(acceptor, identity), limits).await
    }

    /// Binds `address` for clear text.
    ///
    /// # Errors
    /// [`ListenError::NotLoopback`] and [`ListenError::Bind`].
    pub async fn clear(address: SocketAddr, purpose: ClearText, limits: Limits) -> Result<Self, ListenError> {
        let permitted = purpose == ClearText::Operations || address.ip().is_loopback();
        if !(mutants::skips("svc-clear-loopback") || permitted) {
            return Err(ListenError::NotLoopback(address));
        }
        Self::bind(address, Door::Clear, limits).await
    }

    async fn bind(address: SocketAddr, door: Door, limits: Limits) -> Result<Self, ListenError> {
        let tcp = TcpListener::bind(address).await.map_err(|_| ListenError::Bind(address))?;
        let address = tcp.local_addr().map_err(|_| ListenError::Bind(address))?;
        Ok(Self { tcp, address, door: Arc::new(door), limits })
    }

    /// The address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers by `router` until `stop` is ready, then finishes what is in progress and returns.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()> + Send) {
        let (stopping, stopped) = watch::channel(false);
        let bodies = Arc::new(Semaphore::new(self.limits.bodies_bytes.min(Semaphore::MAX_PERMITS)));
        let door = Arc::clone(&self.door);
        let server = Arc::new(Server { router, limits: self.limits, bodies, door, stopped });
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(&self.tcp, &server, &mut connections) => {}
            () = keep_current(&self.door) => {}
            () = stop => {}
        }
        drop(self.tcp);
        let _ = stopping.send(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout(self.limits.drain, drained).await.is_err() {
            tracing::warn!("stopped with requests still in progress");
        }
    }
}

/// Ready when the process is asked to stop: by the terminal or by the service manager.
pub async fn stop_signal() {
    let interrupt = async { tokio::signal::ctrl_c().await.is_ok() };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await.is_some(),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<bool>();
    tokio::select! {
        _ = interrupt => {}
        _ = terminate => {}
    }
}

/// What every connection of a listener shares.
struct Server {
    router: Router,
    limits: Limits,
    /// A permit for each byte of a body that may be held.
    bodies: Arc<Semaphore>,
    door: Arc<Door>,
    stopped: watch::Receiver<bool>,
}

async fn accept(tcp: &TcpListener, server: &Arc<Server>, connections: &mut JoinSet<()>) {
    let slots = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match tcp.accept().await {
            Ok((stream, peer)) => {
                connections.spawn(connect(stream, AddressPrefix::of(peer.ip()), slot, Arc::clone(server)));
            }
            Err(_) => sleep(PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(stream: TcpStream, peer: AddressPrefix, slot: OwnedSemaphorePermit, server: Arc<Server>) {
    // Answers are small and written at once; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    match &*server.door {
        Door::Clear => connection::run(stream, peer, &server).await,
        Door::Tls(acceptor, _) => {
            if let Ok(Ok(stream)) = timeout(server.limits.handshake, acceptor.accept(stream)).await {
                connection::run(stream, peer, &server).await;
            }
        }
    }
    drop(slot);
}

/// Looks at the certificate files from time to time; never returns.
async fn keep_current(door: &Door) {
    let mut tick = interval(RELOAD);
    loop {
        tick.tick().await;
        if let Door::Tls(_, identity) = door {
            identity.reload();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests;
