//! Every refusal and failure of the API: one closed list, from which the description of the API is made too.

use vouchsafe_protocol::permission::{PaymentError, TermsError};
use vouchsafe_service::problem::Problem;

use crate::app::Unavailable;
use crate::clients::{Denied, Scope};
use crate::log::LogError;
use crate::permissions::CheckError;
use crate::request::{BodyError, CreateError, ListError};
use crate::webhook::EventError;

macro_rules! refusals {
    ($($name:ident => $make:expr;)*) => {
        /// A refusal or failure of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::http) enum Refusal {
            $($name),*
        }

        impl Refusal {
            /// Every one there is.
            pub(in crate::http) const ALL: &[Self] = &[$(Self::$name),*];

            /// As it is answered.
            pub(in crate::http) fn problem(self) -> Problem {
                match self {
                    $(Self::$name => $make),*
                }
            }
        }
    };
}

refusals! {
    NoCredentials => Problem::unauthorized("no-credentials", "The call carries no credentials.")
        .detail("Send an access token, or for test services the test key, as Authorization: Bearer.")
        .challenge("Bearer realm=\"vouchsafe\"");
    InvalidToken => Problem::unauthorized("invalid-token", "The token or key is unknown, expired or revoked.")
        .detail("Ask for a new token at /oauth/token.")
        .challenge("Bearer realm=\"vouchsafe\", error=\"invalid_token\"");
    InvalidProof => Problem::unauthorized("invalid-dpop-proof", "The proof of the token's key is not one for this call.")
        .detail("Send one new proof for this method, address and token, signed with the key that the token is bound to.")
        .challenge("DPoP realm=\"vouchsafe\", error=\"invalid_dpop_proof\", algs=\"ES256\"");
    NeedsRequestsWrite => Problem::forbidden("insufficient-scope", "The token is not for opening requests.")
        .challenge("Bearer realm=\"vouchsafe\", error=\"insufficient_scope\", scope=\"requests:write\"");
    NeedsDecisionsRead => Problem::forbidden("insufficient-scope", "The token is not for seeing requests.")
        .challenge("Bearer realm=\"vouchsafe\", error=\"insufficient_scope\", scope=\"decisions:read\"");
    NeedsPermissionsRead => Problem::forbidden("insufficient-scope", "The token is not for seeing permissions.")
        .challenge("Bearer realm=\"vouchsafe\", error=\"insufficient_scope\", scope=\"permissions:read\"");
    NeedsPermissionsWrite => Problem::forbidden("insufficient-scope", "The token is not for using or ending permissions.")
        .challenge("Bearer realm=\"vouchsafe\", error=\"insufficient_scope\", scope=\"permissions:write\"");
    Rate => Problem::too_many("too-many-calls", "This client calls too often. Nothing was done; try again later.")
        .retry_after(60);
    Streams => Problem::too_many("too-many-streams", "This client follows as many requests as it may.")
        .detail("End a stream, or look at the requests one by one.").retry_after(30);
    NoSuchRequest => Problem::not_found("no-such-request", "This service has no such request.");
    NotDecided => Problem::conflict("not-decided", "The request is not decided yet.").detail("Ask again later.");
    NotLogged => Problem::conflict("not-logged", "No checkpoint of the log has the decision yet, or no log is shown.")
        .detail("Ask again when the next checkpoint is signed.").retry_after(60);
    MediaType => Problem::unsupported("media-type", "This call takes application/json.");
    TooLarge => Problem::too_large("body-too-large", "The body is too large.");
    NotAnObject => Problem::bad_request("not-an-object", "The body is not one JSON object with each member once.");
    UnknownMember => Problem::unprocessable("unknown-member", "The body has a member that this call does not take.")
        .detail("It takes policy, flow, reference, expect, authorise and permission.");
    Member => Problem::unprocessable("member", "A member is missing or not of its form.");
    UnknownPolicy => Problem::unprocessable("unknown-policy", "There is no live policy of that id.").pointer("/policy");
    Purpose => Problem::forbidden("purpose", "The register does not let this service ask for the policy's purpose.")
        .pointer("/policy");
    PolicyUnusable => Problem::conflict("policy-unusable", "The policy cannot be asked with today.")
        .pointer("/policy").detail("The operator sees why with `vouchsafe verifier policies check`.");
    Flow => Problem::unprocessable("flow", "This policy needs the flow same_device.").pointer("/flow");
    ExpectMissing => Problem::unprocessable("expect-missing", "This policy compares a disclosed value with expect.")
        .pointer("/expect");
    ExpectUnused => Problem::unprocessable("expect-unused", "This policy compares no disclosed value.")
        .pointer("/expect");
    Payment => Problem::unprocessable("payment", "The payment has a value that no payment has.")
        .detail("pence is 1 to 100000000; payee has 1 to 140 and reference 1 to 35 printable characters of the Latin script.");
    AuthoriseMissing => Problem::unprocessable("authorise-missing", "This policy asks to authorise a payment.")
        .pointer("/authorise").detail("Say its pence, payee and reference.");
    AuthoriseUnused => Problem::unprocessable("authorise-unused", "This policy asks for no payment.").pointer("/authorise");
    AuthoriseAmount => Problem::unprocessable("authorise-amount", "The amount is more than this policy lets be paid.")
        .pointer("/authorise/pence");
    PermissionUnknown => Problem::unprocessable("unknown-permission", "This service has no such permission.")
        .pointer("/permission");
    NotAgain => Problem::conflict("not-in-force", "Under this permission the policy cannot be asked again.")
        .pointer("/permission").detail("It must be a standing one of the very same policy, and in force.");
    TooSoon => Problem::conflict("too-soon", "Under this permission it was asked too lately.").pointer("/permission")
        .detail("every_days of the policy says how long to wait.");
    NoSuchPermission => Problem::not_found("no-such-permission", "This service has no such permission.");
    OtherPolicy => Problem::conflict("other-policy", "The permission was given under another policy.").pointer("/policy")
        .detail("It holds under no other: ask the resident anew.");
    PermissionQuestion => Problem::unprocessable("member", "The body is one object with policy and use, or with neither.")
        .detail("policy is a digest, use is true or false.");
    RepeatKey => Problem::bad_request("idempotency-key", "Idempotency-Key is one text of 1 to 255 visible characters.");
    KeyTaken => Problem::unprocessable("idempotency-key-taken", "Another body came with this Idempotency-Key before.")
        .detail("Use a new key for a new request.");
    KeyBusy => Problem::conflict("idempotency-key-busy", "A call with this Idempotency-Key is under way.")
        .retry_after(1);
    KeyOver => Problem::conflict("idempotency-key-over", "The request that this Idempotency-Key opened is over.")
        .detail("Its links are gone. Location says where to see how it ended.");
    Query => Problem::bad_request("query", "The query is not of its form.")
        .detail("It takes cursor, limit (1 to 100) and status (waiting, answered or decided), each once.");
    Cursor => Problem::bad_request("cursor", "The cursor is not one that this list gave out.");
    LastEvent => Problem::bad_request("last-event-id", "Last-Event-ID is not one that this stream gave out.");
    EventQuery => Problem::bad_request("query", "The query is not of its form.")
        .detail("It takes after, limit (1 to 100) and state (waiting, delivered or dead), each once.");
    NoSuchEvent => Problem::not_found("no-such-event", "This service has no such event that was delivered or given up.")
        .detail("An event that is on its way is sent without being asked for.");
    EventTest => Problem::forbidden("test-only", "Events are made up for test services alone.");
    EventType => Problem::unprocessable("unknown-event", "There is no event of that type.").pointer("/type");
    EventMember => Problem::unprocessable("unknown-member", "The body has a member that this call does not take.")
        .detail("It takes type.");
    Unavailable => Problem::unavailable();
    Internal => Problem::internal();
}

impl From<&Unavailable> for Refusal {
    fn from(fault: &Unavailable) -> Self {
        match fault {
            Unavailable::Store(_)
            | Unavailable::Sign(_)
            | Unavailable::Full(_)
            | Unavailable::Register
            | Unavailable::Log(LogError::Store(_)) => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

impl From<&Denied> for Refusal {
    fn from(denied: &Denied) -> Self {
        match denied {
            Denied::NoCredentials => Self::NoCredentials,
            Denied::InvalidToken | Denied::InvalidBound => Self::InvalidToken,
            Denied::Proof => Self::InvalidProof,
            Denied::Scope(Scope::RequestsWrite) => Self::NeedsRequestsWrite,
            Denied::Scope(Scope::DecisionsRead) => Self::NeedsDecisionsRead,
            Denied::Scope(Scope::PermissionsRead) => Self::NeedsPermissionsRead,
            Denied::Scope(Scope::PermissionsWrite) => Self::NeedsPermissionsWrite,
            Denied::Rate => Self::Rate,
            Denied::Unavailable(fault) => fault.into(),
        }
    }
}

impl From<&ListError> for Refusal {
    fn from(fault: &ListError) -> Self {
        match fault {
            ListError::Cursor => Self::Cursor,
            ListError::Unavailable(fault) => fault.into(),
        }
    }
}

impl From<&CheckError> for Refusal {
    fn from(fault: &CheckError) -> Self {
        match fault {
            CheckError::Unknown => Self::NoSuchPermission,
            CheckError::Policy => Self::OtherPolicy,
            CheckError::KeyTaken => Self::KeyTaken,
            CheckError::Unavailable(fault) => fault.into(),
        }
    }
}

impl From<&TermsError> for Refusal {
    fn from(fault: &TermsError) -> Self {
        match fault {
            TermsError::NotAsked | TermsError::Payment => Self::AuthoriseUnused,
            TermsError::NoPayment => Self::AuthoriseMissing,
            TermsError::Amount => Self::AuthoriseAmount,
            TermsError::Until => Self::PolicyUnusable,
        }
    }
}

/// The member of a payment at fault.
fn of_payment(fault: PaymentError) -> Problem {
    Refusal::Payment.problem().pointer(match fault {
        PaymentError::Amount => "/authorise/pence",
        PaymentError::Payee => "/authorise/payee",
        PaymentError::Reference => "/authorise/reference",
    })
}

impl From<&EventError> for Refusal {
    fn from(fault: &EventError) -> Self {
        match fault {
            EventError::Cursor => Self::Cursor,
            EventError::Unknown => Self::NoSuchEvent,
            EventError::Live => Self::EventTest,
            EventError::Topic => Self::EventType,
            EventError::Unavailable(fault) => fault.into(),
        }
    }
}

/// Why no request was opened, with the member at fault.
pub(super) fn of_create(fault: &CreateError) -> Problem {
    let refusal = match fault {
        CreateError::Body(BodyError::Member(pointer)) => return Refusal::Member.problem().pointer(pointer),
        CreateError::Body(BodyError::Payment(fault)) => return of_payment(*fault),
        CreateError::Body(BodyError::NotAnObject) => Refusal::NotAnObject,
        CreateError::Body(BodyError::Unknown) => Refusal::UnknownMember,
        CreateError::UnknownPolicy => Refusal::UnknownPolicy,
        CreateError::Purpose => Refusal::Purpose,
        CreateError::Policy(_) => Refusal::PolicyUnusable,
        CreateError::Flow => Refusal::Flow,
        CreateError::ExpectMissing => Refusal::ExpectMissing,
        CreateError::ExpectUnused => Refusal::ExpectUnused,
        CreateError::Terms(fault) => fault.into(),
        CreateError::UnknownPermission => Refusal::PermissionUnknown,
        CreateError::NotAgain => Refusal::NotAgain,
        CreateError::TooSoon => Refusal::TooSoon,
        CreateError::KeyTaken => Refusal::KeyTaken,
        CreateError::KeyBusy => Refusal::KeyBusy,
        CreateError::KeyOver(_) => Refusal::KeyOver,
        CreateError::Unavailable(fault) => fault.into(),
    };
    refusal.problem()
}
