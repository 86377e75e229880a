//! How requests end that nobody answered, or whose answer nobody came back for.
//!
//! The sweep skips live leases: an answer that is being verified may still commit. It is asked with the time, and
//! closes through the same transaction as an answer does, so that every request ends in one signed decision.

use std::convert::Infallible;
use std::time::Duration;

use vouchsafe_protocol::decision::{Outcome, Reason};
use vouchsafe_protocol::time::UnixTime;

use crate::app::{App, Unavailable};
use crate::decision::{Closing, Finding};
use crate::permissions;
use crate::store::{ATTEMPTS, Ground, Request, Status};

/// How many requests one round closes.
const ROUND: u32 = 200;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Requests that ended as declined.
    pub declined: u32,
    /// Requests that ended as expired.
    pub expired: u32,
}

/// Closes every request that is over at `now`, forgets tokens and keys of calls that are, and ends permissions.
///
/// # Errors
/// When the store does not answer; what was closed stays closed.
pub async fn sweep(app: &App, now: UnixTime) -> Result<Swept, Unavailable> {
    let mut swept = Swept::default();
    loop {
        let due = app.store().due(now, ROUND).await?;
        let before = swept;
        close(app, &due, now, &mut swept).await?;
        // A round that closed nothing will not do better at the same instant.
        if due.len() < ROUND as usize || swept == before {
            app.store().forget(now).await?;
            permissions::sweep(app, now).await?;
            return Ok(swept);
        }
    }
}

async fn close(app: &App, due: &[Request], now: UnixTime, swept: &mut Swept) -> Result<(), Unavailable> {
    let mut members = Vec::with_capacity(due.len());
    for request in due {
        let question = match app.question(request).await {
            Ok(question) => question,
            Err(Unavailable::Question(fault)) => {
                tracing::error!("a request cannot be closed, since what it asked cannot be read: {fault}");
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let closing = Closing { request, question: &question, finding: &finding(request), at: now };
        members.push(app.closing(&closing, Ground::Expiry));
    }
    if members.is_empty() {
        return Ok(());
    }
    for decided in app.decide_many(members).await?.into_iter().flatten() {
        match decided.outcome {
            Outcome::Declined => swept.declined += 1,
            _ => swept.expired += 1,
        }
    }
    Ok(())
}

/// Sweeps for as long as it is polled, every `period` of the runtime's time; for `serve`.
///
/// A store that does not answer is tried again with the next round.
pub async fn sweep_every(app: &App, period: Duration) -> Infallible {
    let mut rounds = tokio::time::interval(period);
    loop {
        rounds.tick().await;
        if let Err(fault) = sweep(app, app.now()).await {
            tracing::warn!("requests that are over were not closed: {fault}");
        }
    }
}

/// Closes this one request if it is over at `now`, so that nobody who asks has to wait for the sweep.
///
/// # Errors
/// When the store does not answer.
pub async fn settle(app: &App, request: Request, now: UnixTime) -> Result<Request, Unavailable> {
    if request.status == Status::Decided || request.lease_until > now || !is_over(&request, now) {
        return Ok(request);
    }
    close(app, std::slice::from_ref(&request), now, &mut Swept::default()).await?;
    Ok(app.store().request(&request.tenant(), &request.id).await?.unwrap_or(request))
}

fn is_over(request: &Request, now: UnixTime) -> bool {
    request.close_at <= now || (request.status == Status::Open && request.attempts >= ATTEMPTS)
}

/// Profile, section 7: declined if an `error` with the right `state` came in and nothing was decided, else expired.
fn finding(request: &Request) -> Finding {
    let (outcome, reason) = match request.status {
        Status::Answered => (Outcome::Expired, Reason::NotReturned),
        _ if request.attempts >= ATTEMPTS => (Outcome::Expired, Reason::AttemptsSpent),
        _ if request.error_seen => (Outcome::Declined, Reason::WalletDeclined),
        _ => (Outcome::Expired, Reason::NoAnswer),
    };
    Finding::without_answer(outcome, reason)
}
