//! A service's receiver of webhooks: a real host over real TLS, that remembers what came and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, Response, header};
use tokio::sync::watch;
use vouchsafe_service::clock::{Clock as _, SystemClock};
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::listen::{Identity, Limits, Listener};

/// Longer than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(120);

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }
}

pub(crate) struct Receiver {
    pub(crate) tls: DevCa,
    port: u16,
    host: Arc<Host>,
    count: watch::Receiver<usize>,
}

struct Host {
    got: Mutex<Vec<Got>>,
    answers: Mutex<VecDeque<u16>>,
    open: watch::Sender<bool>,
    count: watch::Sender<usize>,
}

impl Host {
    async fn take(self: Arc<Self>, request: Request<Body>) -> Response<Body> {
        // Where redirects lead: everything is well there.
        if request.uri().path() == "/moved" {
            return Response::builder().status(204).body(Body::empty()).unwrap();
        }
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        self.got.lock().unwrap().push(Got { headers: parts.headers, body });
        self.count.send_modify(|count| *count += 1);
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.unwrap();
        let status = self.answers.lock().unwrap().pop_front().unwrap_or(204);
        let moved = (300..400).contains(&status).then_some("/moved");
        let response = moved.into_iter().fold(Response::builder().status(status), |response, place| {
            response.header(header::LOCATION, place)
        });
        response.body(Body::empty()).unwrap()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let now = SystemClock.now();
        let tls = DevCa::generate("Hosts of receivers", now).unwrap();
        let leaf = tls.server(&["localhost", "127.0.0.1"], now).unwrap();
        let identity = Arc::new(Identity::from_leaf(&leaf).unwrap());
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        // As patient as a host that hangs.
        let limits = Limits { request: LONG, ..Limits::default() };
        let listener = Listener::tls(address, identity, limits).await.unwrap();
        let (port, (sender, count)) = (listener.address().port(), watch::channel(0));
        let (got, answers, open) = (Mutex::default(), Mutex::default(), watch::Sender::new(true));
        let host = Arc::new(Host { got, answers, open, count: sender });
        let ours = Arc::clone(&host);
        let router = Router::new().fallback(move |request| Arc::clone(&ours).take(request));
        tokio::spawn(listener.serve(router, std::future::pending()));
        Self { tls, port, host, count }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/hook", self.port)
    }

    /// Everything that came so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.host.got.lock().unwrap().clone()
    }

    /// The next answers, in their order; after them all is well.
    pub(crate) fn answers(&self, statuses: impl IntoIterator<Item = u16>) {
        *self.host.answers.lock().unwrap() = statuses.into_iter().collect();
    }

    /// Whether it answers at all.
    pub(crate) fn hang(&self, hangs: bool) {
        self.host.open.send_replace(!hangs);
    }

    /// Waits until so many came.
    pub(crate) async fn came(&self, count: usize) {
        let mut told = self.count.clone();
        let came = tokio::time::timeout(LONG, told.wait_for(|came| *came >= count)).await;
        came.unwrap().unwrap();
    }
}
