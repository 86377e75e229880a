//! One connection, watched: hyper reads and writes, and a watchdog beside it knows how long each phase may take.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use vouchsafe_mutants as mutants;

use super::{Limits, Server, exchange};
use crate::limits::AddressPrefix;

/// The smallest read buffer that hyper takes.
const MIN_BUFFER: usize = 8_192;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between two requests.
    Idle,
    /// Some of a header has come, or nothing yet on a fresh connection.
    Header,
    /// From the end of a header until the answer has been handed to the socket.
    Exchange,
}

/// The phase and when it began, shared by the socket, the service and the watchdog.
#[derive(Clone)]
struct Progress(Arc<Shared>);

struct Shared {
    now: Mutex<(Phase, Instant)>,
    /// Wakes the watchdog, since the next phase's deadline may be nearer.
    changed: Notify,
}

impl Progress {
    fn new() -> Self {
        Self(Arc::new(Shared { now: Mutex::new((Phase::Header, now())), changed: Notify::new() }))
    }

    fn enter(&self, phase: Phase) {
        *self.0.now.lock().unwrap_or_else(PoisonError::into_inner) = (phase, now());
        self.0.changed.notify_one();
    }

    fn phase(&self) -> Phase {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn deadline(&self, limits: &Limits) -> Instant {
        let (phase, since) = *self.0.now.lock().unwrap_or_else(PoisonError::into_inner);
        since
            + match phase {
                Phase::Idle => limits.idle,
                Phase::Header => limits.header,
                Phase::Exchange => limits.request + limits.taking,
            }
    }

    /// Ready when a phase took too long.
    async fn overrun(&self, limits: &Limits) {
        if mutants::skips("svc-watchdog") {
            return std::future::pending().await;
        }
        loop {
            tokio::select! {
                () = self.0.changed.notified() => continue,
                () = sleep_until(self.deadline(limits)) => {}
            }
            if self.deadline(limits) <= now() {
                return;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "deadlines of sockets run on the runtime's time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Serves one connection until it ends, overruns a limit, or the server stops.
pub(super) async fn run<IO>(io: IO, peer: AddressPrefix, server: &Server)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Progress::new();
    let service =
        service_fn(|request: hyper::Request<Incoming>| answer(request, peer, server, progress.clone()));
    let io = TokioIo::new(Watched { io, progress: progress.clone() });
    let mut connection = pin!(builder(&server.limits).serve_connection(io, service));
    let mut stopped = server.stopped.clone();
    tokio::select! {
        _ = connection.as_mut() => return,
        () = progress.overrun(&server.limits) => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = progress.overrun(&server.limits) => {}
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The watchdog tells an idle connection from a slow header; hyper's own timer cannot and is the outer belt.
        .header_read_timeout(limits.idle.max(limits.header) * 2)
        .max_buf_size(limits.header_bytes.max(MIN_BUFFER))
        .max_header_size(limits.header_bytes)
        .max_headers(limits.header_fields);
    builder
}

async fn answer(
    request: hyper::Request<Incoming>,
    peer: AddressPrefix,
    server: &Server,
    progress: Progress,
) -> Result<Response<Tracked>, Infallible> {
    progress.enter(Phase::Exchange);
    let mut request: Request<Incoming> = request;
    request.extensions_mut().insert(peer);
    let response = exchange::answer(request, server).await;
    Ok(response.map(|body| Tracked { body, progress }))
}

/// An answer's body that tells when the last of it has been handed over.
struct Tracked {
    body: Body,
    progress: Progress,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.progress.enter(Phase::Idle);
    }
}

/// A socket that tells when the first byte of a request came.
struct Watched<IO> {
    io: IO,
    progress: Progress,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before && self.progress.phase() == Phase::Idle {
            self.progress.enter(Phase::Header);
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
