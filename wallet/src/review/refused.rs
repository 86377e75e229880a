//! Why a request is refused: for each reason a code of its own, stable for scripts and the history, and plain words that
//! say whose fault it is and what to do.
//!
//! The words are the wallet's own (`messages/`, keys `refused_…` and `do_…`): nothing of what was refused is repeated.

use vouchsafe_protocol::openid4vp::link::LinkError;
use vouchsafe_protocol::openid4vp::request::RequestError;
use vouchsafe_protocol::openid4vp::transaction_data::TransactionDataError;

use super::ReviewError;
use crate::http::HttpError;
use crate::permissions::NotAgain;
use crate::vault::VaultError;
use crate::words::{Language, say};

/// What a resident can do about a refusal.
#[derive(Clone, Copy)]
enum Advice {
    /// Give the right link.
    Link,
    /// Ask for a new request.
    Again,
    /// Tell the service, whose mistake it is.
    Service,
    /// Go no further: it may be somebody else.
    Beware,
    /// Look at the clock; else it is the service's mistake.
    Clock,
    /// Name something else.
    Wish,
    /// Read it first.
    Read,
    /// Add a trust file.
    Trust,
    /// Wait.
    Later,
    /// Restore the vault.
    Restore,
    /// Look at the disk.
    Disk,
}

impl Advice {
    fn key(self) -> &'static str {
        match self {
            Self::Link => "do_link",
            Self::Again => "do_again",
            Self::Service => "do_service",
            Self::Beware => "do_beware",
            Self::Clock => "do_clock",
            Self::Wish => "do_wish",
            Self::Read => "do_read",
            Self::Trust => "do_trust",
            Self::Later => "do_later",
            Self::Restore => "do_restore",
            Self::Disk => "do_disk",
        }
    }
}

/// A reason: its code, and what to do.
type Reason = (&'static str, Advice);

impl ReviewError {
    /// A stable code, another for each reason.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reason().0
    }

    /// The reason in plain words: whose fault it is, what to do, and that nothing was shared.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let (code, advice) = self.reason();
        let reason = format!("refused_{}", code.replace('-', "_"));
        [reason.as_str(), advice.key(), "refused_nothing"].map(|key| say(language, key, &[])).join(" ")
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Link(link) => of_link(link),
            Self::NoTrust => ("no-trust", Advice::Trust),
            Self::Gone => ("gone", Advice::Again),
            Self::NotARequest => ("not-a-request", Advice::Service),
            Self::Refused(refused) => of_request(refused),
            Self::Code => ("typed-code", Advice::Again),
            Self::Wish => ("wish", Advice::Wish),
            Self::Unread => ("unread", Advice::Read),
            Self::Changed => ("changed", Advice::Read),
            Self::NotAgain(NotAgain::Given) => ("permission-again", Advice::Service),
            Self::NotAgain(NotAgain::Over) => ("permission-over", Advice::Service),
            Self::Http(HttpError::Address) => ("address", Advice::Service),
            Self::Http(HttpError::Unreachable) => ("network", Advice::Later),
            Self::Http(HttpError::TooLarge) => ("too-large", Advice::Service),
            Self::Vault(VaultError::Damaged) => ("vault-damaged", Advice::Restore),
            Self::Vault(VaultError::Stale | VaultError::Unavailable) => ("vault", Advice::Disk),
        }
    }
}

fn of_link(link: &LinkError) -> Reason {
    match link {
        LinkError::Form => ("link", Advice::Link),
        LinkError::Unsigned => ("unsigned", Advice::Beware),
        LinkError::OlderDraft(_) => ("older-draft", Advice::Service),
        LinkError::RequestUri => ("link-address", Advice::Service),
        LinkError::Method => ("link-method", Advice::Service),
    }
}

/// Every refusal of the protocol, each with a code of its own.
fn of_request(refused: &RequestError) -> Reason {
    use Advice::{Again, Beware, Clock, Service};
    use RequestError as E;
    match refused {
        E::Unsigned => ("unsigned", Beware),
        E::Malformed => ("malformed", Service),
        E::Typ => ("request-type", Service),
        E::OlderDraft(_) => ("older-draft", Service),
        E::ClientId => ("other-client-id", Beware),
        E::Prefix(_) => ("client-id-prefix", Service),
        E::Certificate(_) => ("certificate", Beware),
        E::CertificateHash => ("certificate-name", Beware),
        E::CertificateName => ("certificate-host", Beware),
        E::Signature => ("signature", Beware),
        E::Audience => ("audience", Service),
        E::ResponseType => ("response-type", Service),
        E::Times => ("times", Clock),
        E::Expired => ("expired", Again),
        E::Nonce => ("nonce", Service),
        E::State => ("state", Service),
        E::WalletNonce => ("wallet-nonce", Again),
        E::TransactionData(fault) => of_permission(*fault),
        E::RedirectUri => ("redirect-uri", Service),
        E::ResponseUri => ("response-uri", Service),
        E::ResponseHost => ("response-host", Beware),
        E::Origin => ("page-origin", Beware),
        E::Protocol(_) => ("page-request", Service),
        E::Formats => ("formats", Service),
        E::EncryptionKey => ("encryption-key", Service),
        E::Info => ("register-extracts", Service),
        E::Service(_) => ("unknown-service", Beware),
        E::OtherService => ("other-service", Beware),
        E::Env => ("environment", Service),
        E::Purpose(_) => ("purpose", Service),
        E::PurposeNotAllowed => ("purpose-not-allowed", Beware),
        E::OtherPurpose => ("other-purpose", Service),
        E::Table(_) => ("table", Service),
        E::TwoRegisters => ("two-registers", Service),
        E::Policy => ("policy", Service),
        E::PolicyDigest => ("policy-digest", Service),
        E::AsOf => ("as-of", Clock),
        E::Plan(_) => ("policy-plan", Service),
        E::Dcql(_) => ("query-form", Service),
        E::Statements => ("statements", Service),
        E::Query => ("query", Service),
        E::Options => ("options", Service),
        E::Pseudonym => ("pseudonym", Service),
        E::OverAsking(_) => ("over-asking", Service),
        E::TooManyOffered => ("too-many-offered", Service),
    }
}

/// What a service asks to be permitted, and may not.
fn of_permission(fault: TransactionDataError) -> Reason {
    use TransactionDataError as E;
    let code = match fault {
        E::Missing | E::Unasked => "permission-unasked",
        E::Several | E::Twice => "permission-several",
        E::Differs => "permission-differs",
        E::Amount => "permission-amount",
        E::NotCovered(_) => "permission-not-covered",
        E::Form | E::Type | E::Member | E::Value | E::Credential | E::Binding | E::Algorithm => {
            "transaction-data"
        }
    };
    (code, Advice::Service)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use vouchsafe_protocol::dcql::DcqlError;
    use vouchsafe_protocol::jose::x5c::X5cError;
    use vouchsafe_protocol::openid4vp::Prefix;
    use vouchsafe_protocol::policy::{NotCovered, PermissionNotCovered, PlanError};
    use vouchsafe_protocol::trust::TrustError;

    use super::*;

    /// Every reason once; one of several causes stands for all that are told alike.
    fn reasons() -> Vec<ReviewError> {
        use RequestError as E;
        let trust = TrustError::Signature;
        let not_covered = NotCovered { vct: String::new(), pointer: String::new(), how: "show" };
        let requests = [
            E::Unsigned,
            E::Malformed,
            E::Typ,
            E::OlderDraft("x"),
            E::ClientId,
            E::Prefix(Prefix::None),
            E::Certificate(X5cError::NoPath),
            E::CertificateHash,
            E::CertificateName,
            E::Signature,
            E::Audience,
            E::ResponseType,
            E::Times,
            E::Expired,
            E::Nonce,
            E::State,
            E::WalletNonce,
            E::TransactionData(TransactionDataError::Type),
            E::TransactionData(TransactionDataError::Unasked),
            E::TransactionData(TransactionDataError::Several),
            E::TransactionData(TransactionDataError::Differs),
            E::TransactionData(TransactionDataError::Amount),
            E::TransactionData(TransactionDataError::NotCovered(PermissionNotCovered::Action)),
            E::RedirectUri,
            E::ResponseUri,
            E::ResponseHost,
            E::Origin,
            E::Protocol("x"),
            E::Formats,
            E::EncryptionKey,
            E::Info,
            E::Service(trust),
            E::OtherService,
            E::Env,
            E::Purpose(trust),
            E::PurposeNotAllowed,
            E::OtherPurpose,
            E::Table(trust),
            E::TwoRegisters,
            E::Policy,
            E::PolicyDigest,
            E::AsOf,
            E::Plan(PlanError::NoTable(String::new())),
            E::Dcql(DcqlError::Malformed),
            E::Statements,
            E::Query,
            E::Options,
            E::Pseudonym,
            E::OverAsking(not_covered),
            E::TooManyOffered,
        ];
        let links = [LinkError::Form, LinkError::RequestUri, LinkError::Method];
        let nets = [HttpError::Address, HttpError::Unreachable, HttpError::TooLarge];
        let vaults = [VaultError::Damaged, VaultError::Unavailable];
        let named = [ReviewError::Code, ReviewError::Wish, ReviewError::Unread, ReviewError::Changed];
        let others = [ReviewError::NoTrust, ReviewError::Gone, ReviewError::NotARequest];
        let again = [NotAgain::Given, NotAgain::Over].map(ReviewError::NotAgain);
        let mut all: Vec<ReviewError> = requests.map(ReviewError::Refused).into();
        all.extend(links.map(ReviewError::Link));
        all.extend(nets.map(ReviewError::Http));
        all.extend(vaults.map(ReviewError::Vault));
        all.extend(named);
        all.extend(again);
        all.extend(others);
        all
    }

    #[test]
    fn every_reason_has_a_code_and_words_of_its_own() {
        let all = reasons();
        for language in [Language::En, Language::Cy] {
            let told: BTreeSet<String> = all.iter().map(|refused| refused.words(language)).collect();
            assert_eq!(told.len(), all.len());
            // A missing message reads as its key.
            assert!(
                told.iter().all(|words| !words.contains("refused_") && !words.contains("do_")),
                "{told:?}"
            );
        }
        let codes: BTreeSet<&str> = all.iter().map(ReviewError::code).collect();
        assert_eq!(codes.len(), all.len());
    }

    #[test]
    fn a_link_and_a_request_that_fail_alike_are_told_alike() {
        let unsigned = [ReviewError::Link(LinkError::Unsigned), ReviewError::Refused(RequestError::Unsigned)];
        let draft = [
            ReviewError::Link(LinkError::OlderDraft("x")),
            ReviewError::Refused(RequestError::OlderDraft("y")),
        ];
        for [one, other] in [unsigned, draft] {
            assert_eq!(one.words(Language::En), other.words(Language::En));
        }
    }

    #[test]
    fn words_say_what_is_wrong_and_what_to_do() {
        let expired = ReviewError::Refused(RequestError::Expired);
        assert_eq!(
            expired.words(Language::En),
            "The request has ended. Ask the service for a new request. Nothing was shared."
        );
        assert_eq!(
            expired.words(Language::Cy),
            "Mae’r cais wedi dod i ben. Gofynnwch i’r gwasanaeth am gais newydd. Ni rannwyd dim."
        );
    }
}
