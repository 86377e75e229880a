//! The answer of a wallet, from the post to the decision.
//!
//! The order is cheap before dear, and is the order below: 1 sizes and form; 2 the request, read only; 3 decryption;
//! 4 strict parts; 5 the key binding's audience, nonce, time and hash; 6 algorithms, anchors, both signatures, and
//! from here on the sender holds a credential: the attempt is counted and the lease taken in one statement; 7 claim
//! types, times, issuer to type; 8 completeness; 9 status; 10 commitments; 11 proofs; 12 policy; 13 one
//! transaction. Garbage before 6 costs the resident nothing; from 7 on only verified data is reachable.
//!
//! A crash before 13 consumed nothing, one after it loses nothing. From the lease on the work runs to its end even
//! when the wallet leaves, and keeps its room among the answers under way for as long. Where the pool has no worker in
//! time, or no place any more after 9, the wallet is told to come again, the lease is given back and no attempt counted.
//! Presentations are dropped with this function; what stays are codes.

mod check;
mod together;

use std::sync::Arc;

use axum::body::Bytes;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::KeyAgreement as _;
use vouchsafe_protocol::openid4vp::response::{Answered, Opener, Posted, Response, ResponseError};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy;
use vouchsafe_service::keys::RingAead;
use vouchsafe_service::secret::same;
use vouchsafe_service::store::detached;

pub use self::check::Refusal;
use self::check::{Authentic, Pinned};
pub(crate) use self::together::Concluding;
use self::together::Ready;
use crate::app::{App, Unavailable};
use crate::decision::{Closing, Finding};
use crate::pool::{Full, Lost, Place};
use crate::question::QuestionError;
use crate::request::{self, MODE};
use crate::secrets::{Kind, OpenSecrets};
use crate::store::{ATTEMPTS, Flow, Ground, Key, Lease, NoLease, Once, Request, Status, StoreError};

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There never was such a request.
    #[error("there is no such request")]
    Missing,
    /// The request was answered before, is decided, is over, or has no attempts left.
    #[error("the request takes no answer any more")]
    Closed,
    /// Another answer is being verified; nothing was counted.
    #[error("another answer to the request is being verified; try again")]
    Held,
    /// The answer is wrong; to the wallet all reasons look alike.
    #[error("the answer was not accepted: {0}")]
    Refused(#[from] Refusal),
    /// We could not serve; nothing was consumed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl AnswerError {
    /// A closed code for counters; the wallet never sees it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Closed => "closed",
            Self::Held => "held",
            Self::Refused(refusal) => refusal.code(),
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Whether the attempt of an answer that held a lease counts: not where we could not look.
    fn counts(&self) -> bool {
        !matches!(self, Self::Unavailable(_))
    }
}

impl From<Lost> for AnswerError {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Panicked => {
                tracing::error!("a check of an answer ended without a result");
                Self::Refused(Refusal::Broken)
            }
            Lost::Stopping | Lost::Late => Self::Unavailable(Full.into()),
        }
    }
}

impl From<StoreError> for AnswerError {
    fn from(fault: StoreError) -> Self {
        Self::Unavailable(fault.into())
    }
}

impl From<QuestionError> for AnswerError {
    fn from(fault: QuestionError) -> Self {
        Self::Unavailable(fault.into())
    }
}

impl From<ResponseError> for AnswerError {
    fn from(fault: ResponseError) -> Self {
        Self::Refused(fault.into())
    }
}

/// Takes a post to the response endpoint of `handle`.
///
/// # Errors
/// [`AnswerError`]; whatever it is, nothing but a counted attempt is left of the answer.
pub async fn answer(app: Arc<App>, handle: String, body: Bytes) -> Result<Answered, AnswerError> {
    // 1: sizes and form.
    let posted = Posted::parse(&body)?;
    drop(body);
    // 2: the request, read only, and room for one more answer.
    let now = app.now();
    let (request, secrets) = find(&app, &handle, now).await?;
    let room = app.flights.enter().map_err(Unavailable::from)?;
    if let Posted::Error { state, .. } = posted {
        let noted = async move {
            let _room = room;
            error_post(&app, &request, &secrets, state.as_deref(), now).await
        };
        return detached(noted).await.map_err(|_| StoreError::Unavailable)?;
    }
    // 3: decryption with the request's own key.
    let key = secrets.key().ok_or(QuestionError::Damaged)?;
    let opener = Opener { kid: &request::kid(key.public()), key: &key, aead: &RingAead };
    let response = posted.open(MODE, Some(opener))?;
    response.check_state(&secrets.state)?;
    let place = app.pool.enter(room).map_err(Unavailable::from)?;
    // 4 to 6: strict parts, key bindings, signatures; still read only.
    let question = app.question(&request).await?;
    let asked = request::asked(&app, &question, &secrets, key.public())?;
    let pinned = Pinned {
        asked,
        env: question.env(),
        since: request.created_at,
        expect: secrets.expect.clone(),
        question,
        again: request.permission.clone(),
        id: entropy::bytes(app.entropy()),
        withdraw_at: app.records().withdraw_at(),
    };
    let (pinned, authentic) = authenticate(&app, &place, pinned, response, now).await?;
    let work = Work { app, place, request, secrets, pinned, authentic };
    // The lease and 7 to 13, whoever still listens: a lease that nobody works under would keep the resident out.
    detached(work.finish()).await.map_err(|_| StoreError::Unavailable)?
}

async fn find(app: &App, handle: &str, now: UnixTime) -> Result<(Request, OpenSecrets), AnswerError> {
    let tag = app.vault().tag(Kind::Handle, handle);
    let request = app.store().request_by(Key::Handle(tag)).await?.ok_or(AnswerError::Missing)?;
    let open = request.status == Status::Open && request.expires_at > now && request.attempts < ATTEMPTS;
    // The statement that takes the lease says so again; this spares the work before it.
    if !open {
        return Err(AnswerError::Closed);
    }
    let secrets = request::open_secrets(app, &request).ok_or(AnswerError::Closed)?;
    Ok((request, secrets))
}

/// Steps 4 to 6, on a thread of the bounded pool.
async fn authenticate(
    app: &Arc<App>,
    place: &Place,
    pinned: Pinned,
    response: Response,
    now: UnixTime,
) -> Result<(Pinned, Authentic), AnswerError> {
    let (app, rules) = (app.clone(), app.current_rules(now)?);
    let work = move || {
        let checked = check::authenticate(&pinned, &response, &rules, &app.paths, now, &app.signatures);
        checked.map(|authentic| (pinned, authentic))
    };
    Ok(place.run(work).await??)
}

/// Step 6, its end: the statement that counts the attempt also takes the lease.
async fn lease(app: &App, request: &Request) -> Result<Lease, AnswerError> {
    match app.store().lease(&request.service, &request.id, app.now()).await? {
        Ok(lease) => Ok(lease),
        Err(NoLease::Held) => Err(AnswerError::Held),
        Err(NoLease::Closed | NoLease::Spent) => Err(AnswerError::Closed),
    }
}

/// An answer whose sender holds a credential.
struct Work {
    app: Arc<App>,
    place: Place,
    request: Request,
    secrets: OpenSecrets,
    pinned: Pinned,
    authentic: Authentic,
}

impl Work {
    async fn finish(self) -> Result<Answered, AnswerError> {
        let Self { app, place, request, secrets, pinned, authentic } = self;
        // The place goes where no worker is needed any more; the room stays until the answer is at its end.
        let _room = place.room();
        let lease = lease(&app, &request).await?;
        let result = match judge(&app, place, pinned, authentic).await {
            Ok(finding) => decide(&app, &request, &secrets, &lease, finding).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = &result {
            // Best effort: whoever tries again need not wait for the lease to end.
            let _ = match fault.counts() {
                false => app.store().give_back(&lease).await,
                true => app.store().release(&lease).await,
            };
        }
        result
    }
}

/// Steps 7 to 12: 9 may wait for a host, and does so outside the bounded pool; the others are on a thread of it, the last
/// three with other answers that wait for them.
async fn judge(
    app: &App,
    place: Place,
    pinned: Pinned,
    authentic: Authentic,
) -> Result<Finding, AnswerError> {
    let now = app.now();
    let rules = app.current_rules(now)?;
    let ours = rules.clone();
    let signatures = app.signatures;
    let work = move || {
        check::complete(&pinned, authentic, &ours, now, &signatures).map(|complete| (pinned, complete))
    };
    let (pinned, mut complete) = place.run(work).await??;
    let sought = complete.take_references();
    let place = if sought.is_empty() {
        place
    } else {
        let room = place.leave();
        let standings = app.statuses.look_up(sought, |iss| check::anchors_of(iss, &rules)).await;
        complete.told(&standings);
        app.pool.enter(room).map_err(Unavailable::from)?
    };
    Ok(place.gather(&app.proofs, Ready::new(pinned, complete, rules)).await??)
}

/// Step 12, its end, and 13: an answer that rests on a permission is by its key.
async fn decide(
    app: &App,
    request: &Request,
    secrets: &OpenSecrets,
    lease: &Lease,
    mut finding: Finding,
) -> Result<Answered, AnswerError> {
    if let Some(permitted) = finding.permitted.as_deref_mut() {
        if !permitted.is_by_its_key(app, &request.tenant()).await? {
            return Err(Refusal::OtherPermission.into());
        }
        permitted.keep(app, request, secrets.entry.as_deref().unwrap_or_default());
    }
    commit(app, request, secrets, lease, &finding).await
}

/// Step 13: what was found becomes the decision, or waits for the browser that must come back.
async fn commit(
    app: &App,
    request: &Request,
    secrets: &OpenSecrets,
    lease: &Lease,
    finding: &Finding,
) -> Result<Answered, AnswerError> {
    match request.flow {
        Flow::SameDevice => {
            let code = entropy::token32(app.entropy());
            let response = app.vault().tag(Kind::Response, &code);
            let finding = finding.to_text();
            let finding = app.vault().bind(Kind::Finding, &request.service, &request.id, &finding);
            let kept = app.store().answered(lease, finding, response, app.now()).await?;
            kept.map_err(|_| AnswerError::Closed)?;
            app.clients().changes.tell(&request.id);
            Ok(returning(app, secrets, &code))
        }
        Flow::CrossDevice => {
            let question = app.question(request).await?;
            let ground = Ground::Lease { fence: lease.fence };
            let closing = Closing { request, question: &question, finding, at: app.now() };
            let member = app.closing(&closing, ground);
            let decided = app.decide_many(vec![member]).await?.pop();
            decided.and_then(Result::ok).map(|_| Answered::default()).ok_or(AnswerError::Closed)
        }
    }
}

/// An `error` post (OpenID4VP 1.0, 8.5) is unauthenticated: it is noted and never closes the request.
async fn error_post(
    app: &App,
    request: &Request,
    secrets: &OpenSecrets,
    state: Option<&str>,
    now: UnixTime,
) -> Result<Answered, AnswerError> {
    let sent = app.vault().tag(Kind::Once(Once::State), state.unwrap_or_default());
    if !(mutants::skips("vp-error-state") || same(&sent.0, &request.state.0)) {
        return Err(AnswerError::Refused(Refusal::Form(ResponseError::State)));
    }
    let code = (request.flow == Flow::SameDevice).then(|| entropy::token32(app.entropy()));
    let response = code.as_deref().map(|code| app.vault().tag(Kind::Response, code));
    if !app.store().error_seen(&request.service, &request.id, response, now).await? {
        return Err(AnswerError::Closed);
    }
    Ok(code.map_or_else(Answered::default, |code| returning(app, secrets, &code)))
}

fn returning(app: &App, secrets: &OpenSecrets, code: &str) -> Answered {
    Answered::returning(&format!("{}/return", request::page_url(app, &secrets.page)), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_counts_as_an_attempt_and_our_own_load_does_not() {
        let panicked = AnswerError::from(Lost::Panicked);
        assert!(matches!(panicked, AnswerError::Refused(Refusal::Broken)));
        assert_eq!((panicked.counts(), panicked.code()), (true, "broken"));
        for ours in [Lost::Stopping.into(), Lost::Late.into(), AnswerError::from(StoreError::Unavailable)] {
            assert_eq!((ours.counts(), ours.code()), (false, "unavailable"));
        }
    }
}
