//! How often one part of the network may call an endpoint.
//!
//! A first shedding of floods, counted in this process and by address prefix alone ([`AddressPrefix`]: never a whole
//! address, never for longer than a minute). A call beyond the limit is refused before its body, its code or its token
//! is looked at, so that it uses up nothing: neither a code, nor a try at a transaction code, nor a nonce.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::limits::{AddressPrefix, Rate};

use super::Refusal;
use crate::app::App;
use crate::config::LimitSettings;
use crate::store::Store;

/// The seconds over which calls are counted, and after which a refused caller may come back.
pub(super) const WINDOW_S: u32 = 60;

/// An endpoint that costs work or reads the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `GET /offers/{handle}`
    Offers,
    /// `POST /token`
    Token,
    /// `POST /nonce`
    Nonce,
    /// `POST /credential`
    Credential,
    /// `POST /deferred`
    Deferred,
    /// `POST /notification`
    Notification,
    /// `GET /status/{shard}`
    Status,
}

/// The calls of this minute, endpoint by endpoint.
pub(crate) struct Rates {
    offers: Rate,
    token: Rate,
    nonce: Rate,
    credential: Rate,
    deferred: Rate,
    notification: Rate,
    status: Rate,
}

impl Rates {
    /// Nobody has called yet.
    pub(crate) fn new(limits: &LimitSettings) -> Self {
        Self {
            offers: Rate::new(limits.offers_per_minute, WINDOW_S),
            token: Rate::new(limits.token_per_minute, WINDOW_S),
            nonce: Rate::new(limits.nonce_per_minute, WINDOW_S),
            credential: Rate::new(limits.credential_per_minute, WINDOW_S),
            deferred: Rate::new(limits.deferred_per_minute, WINDOW_S),
            notification: Rate::new(limits.notification_per_minute, WINDOW_S),
            status: Rate::new(limits.status_per_minute, WINDOW_S),
        }
    }

    /// Counts a call and says whether it is within its endpoint's limit.
    fn admit(&self, endpoint: Endpoint, prefix: AddressPrefix, now: UnixTime) -> bool {
        match endpoint {
            Endpoint::Offers => mutants::skips("vci-rate-offers") || self.offers.admits(prefix, now),
            Endpoint::Token => mutants::skips("vci-rate-token") || self.token.admits(prefix, now),
            Endpoint::Nonce => mutants::skips("vci-rate-nonce") || self.nonce.admits(prefix, now),
            Endpoint::Credential => {
                mutants::skips("vci-rate-credential") || self.credential.admits(prefix, now)
            }
            Endpoint::Deferred => mutants::skips("vci-rate-deferred") || self.deferred.admits(prefix, now),
            Endpoint::Notification => {
                mutants::skips("vci-rate-notification") || self.notification.admits(prefix, now)
            }
            Endpoint::Status => mutants::skips("vci-rate-status") || self.status.admits(prefix, now),
        }
    }
}

/// Lets a call through, or refuses it before anything of it is looked at.
pub(super) async fn check<S: Store>(
    State((app, endpoint)): State<(Arc<App<S>>, Endpoint)>,
    address: Option<Extension<AddressPrefix>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    // The listener names the sender; callers without a name share one limit.
    let nobody = || AddressPrefix::of(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let prefix = address.map_or_else(nobody, |Extension(prefix)| prefix);
    if app.rates().admit(endpoint, prefix, app.now()) {
        Ok(next.run(request).await)
    } else {
        Err(Refusal::TooOften(endpoint))
    }
}
