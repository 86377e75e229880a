//! The bodies of the API: what is answered, and, for its description, what is taken.

use serde::Serialize;
use utoipa::ToSchema;
use vouchsafe_protocol::encoding::b64u;

use crate::http::permissions::PermissionName;
use crate::request::{Opened, Page, SignedDecision, Standing};
use crate::store::Status;

/// What a service asks for. Read by `Ask::parse`, which names the member at fault.
#[derive(ToSchema)]
#[schema(as = NewRequest)]
#[expect(dead_code, reason = "describes what is read strictly, member by member")]
pub(in crate::http) struct Ask {
    /// The policy's id.
    #[schema(example = "bus-pass")]
    policy: String,
    /// `same_device` when the applicant's browser and wallet are on one device, else `cross_device`.
    flow: FlowWord,
    /// The service's own reference; kept as a salted hash alone.
    #[schema(min_length = 1, max_length = 256, example = "PASS-2026-0042")]
    reference: Option<String>,
    /// What the disclosed claim must be, where the policy compares one; kept sealed until the request is over.
    #[schema(min_length = 1, max_length = 1024)]
    expect: Option<String>,
    /// The payment to authorise, where the policy asks for one; kept sealed until the request is over.
    authorise: Option<PaymentBody>,
    /// The standing permission under which the same is asked again.
    permission: Option<String>,
}

/// A payment to authorise.
#[derive(ToSchema)]
#[schema(as = Payment)]
#[expect(dead_code, reason = "describes what is read strictly, member by member")]
pub(in crate::http) struct PaymentBody {
    /// The amount in pence.
    #[schema(minimum = 1, maximum = 100_000_000, example = 12_000)]
    pence: u64,
    /// To whom, as the resident will read it.
    #[schema(min_length = 1, max_length = 140, example = "Warm Homes Heating")]
    payee: String,
    /// What the payee will read beside it.
    #[schema(min_length = 1, max_length = 35, example = "GRANT 2026 0042")]
    reference: String,
}

/// Whether the wallet is on the device that shows the page.
#[derive(ToSchema)]
#[schema(as = Flow, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of Flow::parse")]
pub(in crate::http) enum FlowWord {
    SameDevice,
    CrossDevice,
}

/// A request that was opened. It holds the ways to answer: hand them to the applicant and to nobody else.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenedRequest)]
pub(in crate::http) struct Created {
    /// The request's id.
    #[schema(example = "req_4Bq1yG0mXw2r7c9ZkT5dNA")]
    id: String,
    /// The hosted page, for the applicant's browser.
    #[schema(example = "https://ask.example/p/mN3…")]
    url: String,
    /// The link for a wallet, also to be shown as a QR code.
    #[schema(example = "openid4vp://?client_id=x509_hash…&request_uri=…")]
    qr_text: String,
    /// The code that people may type instead.
    #[schema(example = "7KQ2M4XD")]
    code: String,
    /// When the request is over, RFC 3339.
    #[schema(example = "2026-11-21T12:05:00Z")]
    expires_at: String,
}

impl From<Opened> for Created {
    fn from(opened: Opened) -> Self {
        let expires_at = opened.expires_at.rfc3339();
        Self { id: opened.id.0, url: opened.url, qr_text: opened.qr_text, code: opened.code, expires_at }
    }
}

/// How a request stands.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Status)]
pub(in crate::http) enum StatusWord {
    /// Nobody has answered in a way that counts.
    Waiting,
    /// Answered; the applicant's browser has not come back yet.
    Answered,
    /// Over, with a decision.
    Decided,
}

impl StatusWord {
    /// Reads a word of the API.
    pub(super) fn parse(word: &str) -> Option<Status> {
        match word {
            "waiting" => Some(Status::Open),
            "answered" => Some(Status::Answered),
            "decided" => Some(Status::Decided),
            _ => None,
        }
    }

    /// The word of the API.
    pub(in crate::http) fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Answered => "answered",
            Self::Decided => "decided",
        }
    }
}

impl From<Status> for StatusWord {
    fn from(status: Status) -> Self {
        match status {
            Status::Open => Self::Waiting,
            Status::Answered => Self::Answered,
            Status::Decided => Self::Decided,
        }
    }
}

/// How a request ended.
#[derive(ToSchema)]
#[schema(as = Outcome, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of Outcome::as_str")]
pub(in crate::http) enum OutcomeWord {
    Met,
    NotMet,
    Undetermined,
    Declined,
    Expired,
}

/// A request as it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Request)]
pub(in crate::http) struct StandingBody {
    /// Its id.
    #[schema(example = "req_4Bq1yG0mXw2r7c9ZkT5dNA")]
    id: String,
    /// The policy's id.
    #[schema(example = "bus-pass")]
    policy: String,
    /// Where it stands.
    status: StatusWord,
    /// The outcome once decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OutcomeWord>)]
    outcome: Option<&'static str>,
    /// When it was made, RFC 3339.
    #[schema(example = "2026-11-21T12:00:00Z")]
    created_at: String,
    /// When it is over, RFC 3339.
    #[schema(example = "2026-11-21T12:05:00Z")]
    expires_at: String,
    /// What the applicant reads from the page when something went wrong, and what the log says.
    #[schema(example = "7KQ2M4XD9TVB")]
    support_reference: String,
    /// The permission that the answer gave, or under which is asked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<PermissionName>,
}

impl From<Standing> for StandingBody {
    fn from(standing: Standing) -> Self {
        Self {
            id: standing.id.0,
            policy: standing.policy,
            status: standing.status.into(),
            outcome: standing.outcome.map(|outcome| outcome.as_str()),
            created_at: standing.created_at.rfc3339(),
            expires_at: standing.expires_at.rfc3339(),
            support_reference: standing.reference.to_string(),
            permission: standing.permission.map(PermissionName::from),
        }
    }
}

/// A page of requests, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = RequestList)]
pub(in crate::http) struct ListBody {
    /// The requests.
    requests: Vec<StandingBody>,
    /// What the next page is asked for with; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<Page> for ListBody {
    fn from(page: Page) -> Self {
        Self { requests: page.requests.into_iter().map(StandingBody::from).collect(), next: page.next }
    }
}

/// A signed decision.
#[derive(Serialize, ToSchema)]
#[schema(as = Decision)]
pub(in crate::http) struct DecisionBody {
    /// The JWS; check it with the keys at `/.well-known/jwks.json`.
    #[schema(example = "eyJhbGciOiJFUzI1NiIs…")]
    decision: String,
    /// The outcome that it states.
    #[schema(value_type = OutcomeWord)]
    outcome: &'static str,
    /// The salt of the service's reference, base64url; there when a reference was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "c2FsdC1vZi0xNi1ieXRlcw")]
    ref_salt: Option<String>,
    /// The permission that the answer gave, or under which was asked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<PermissionName>,
}

impl From<SignedDecision> for DecisionBody {
    fn from(signed: SignedDecision) -> Self {
        let (outcome, ref_salt) = (signed.outcome.as_str(), signed.ref_salt.map(b64u));
        let permission = signed.permission.map(PermissionName::from);
        Self { decision: signed.decision, outcome, ref_salt, permission }
    }
}

/// What an event of the stream carries.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(in crate::http) struct EventBody<'a> {
    /// The request's id.
    pub(in crate::http) id: &'a str,
    /// Where it stands.
    pub(in crate::http) status: StatusWord,
    /// The outcome once decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OutcomeWord>)]
    pub(in crate::http) outcome: Option<&'static str>,
}

/// An access token (RFC 6749 5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(in crate::http) struct TokenBody {
    /// The token, to be sent as `Authorization: Bearer` or `DPoP`, as `token_type` says.
    #[schema(example = "q9Zk…")]
    pub(in crate::http) access_token: String,
    /// `Bearer`, or `DPoP` where the call had a proof: then it is good with that key alone.
    #[schema(example = "Bearer")]
    pub(in crate::http) token_type: &'static str,
    /// For how many seconds it is valid.
    #[schema(example = 300)]
    pub(in crate::http) expires_in: i64,
    /// What it is for.
    #[schema(example = "requests:write decisions:read")]
    pub(in crate::http) scope: String,
}

/// What went wrong (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes the body of vouchsafe_service::problem::Problem")]
pub(in crate::http) struct ProblemBody {
    /// `urn:vouchsafe:problem:` and the code.
    #[schema(example = "urn:vouchsafe:problem:no-such-request")]
    r#type: String,
    /// A sentence for people.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    code: String,
    /// What to do about it.
    detail: Option<String>,
    /// The JSON pointer of the member at fault.
    pointer: Option<String>,
    /// What to quote: the log has the same, and so does the applicant's page where it is about one request.
    #[schema(example = "7KQ2M4XD9TVB")]
    reference: String,
}

/// What went wrong, as OAuth says it (RFC 6749 5.2).
#[derive(ToSchema)]
#[schema(as = OauthError)]
#[expect(dead_code, reason = "describes the body of vouchsafe_service::oauth::OauthError")]
pub(in crate::http) struct OauthErrorBody {
    /// The code of the standard.
    #[schema(example = "invalid_client")]
    error: String,
    /// A sentence for developers.
    error_description: Option<String>,
}
