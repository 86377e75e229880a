//! Why something about a permission was not done: a code for scripts and the history, and plain words.

use vouchsafe_protocol::permission::record::SignedError;

use super::PermissionError;
use crate::Fault;
use crate::http::HttpError;
use crate::vault::VaultError;
use crate::words::{Language, say};

impl PermissionError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reason().0
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoSuch | Self::NoRecord | Self::InForce => Fault::Caller,
            Self::NotThere => Fault::RefusedByPeer,
            Self::Busy | Self::Http(_) | Self::Vault(_) => Fault::Unavailable,
            Self::Reply | Self::Key | Self::Record(_) | Self::Differs | Self::Order | Self::NotWithdrawn => {
                Fault::RefusedByUs
            }
        }
    }

    /// The reason in plain words, and what to do.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let (code, advice) = self.reason();
        let reason = format!("permission_{}", code.trim_start_matches("permission-").replace('-', "_"));
        [reason.as_str(), advice].map(|key| say(language, key, &[])).join(" ")
    }

    /// The code, and the message that says what to do.
    fn reason(&self) -> (&'static str, &'static str) {
        const LATER: &str = "do_permission_later";
        const BEWARE: &str = "do_permission_beware";
        match self {
            Self::NoSuch => ("permission-no-such", "do_permission_list"),
            Self::NoRecord => ("permission-no-record", "do_permission_check"),
            Self::InForce => ("permission-in-force", "do_permission_withdraw"),
            Self::NotThere => ("permission-not-there", "do_permission_not_there"),
            Self::Busy => ("permission-busy", LATER),
            Self::Reply => ("permission-reply", LATER),
            Self::Key => ("permission-key", BEWARE),
            Self::Record(SignedError::Malformed) => ("permission-record-form", BEWARE),
            Self::Record(SignedError::Signature) => ("permission-record-forged", BEWARE),
            Self::Record(SignedError::Issuer) => ("permission-record-origin", BEWARE),
            Self::Record(SignedError::Service) => ("permission-record-service", BEWARE),
            Self::Record(SignedError::Permission) => ("permission-record-other", BEWARE),
            Self::Record(SignedError::Time) => ("permission-record-time", "do_clock"),
            Self::Record(SignedError::Jti) => ("permission-record-jti", BEWARE),
            Self::Differs => ("permission-record-differs", BEWARE),
            Self::Order => ("permission-record-order", BEWARE),
            Self::NotWithdrawn => ("permission-not-withdrawn", "do_permission_not_withdrawn"),
            Self::Http(HttpError::TooLarge) => ("permission-too-large", BEWARE),
            Self::Http(HttpError::Address | HttpError::Unreachable) => ("permission-network", LATER),
            Self::Vault(VaultError::Damaged) => ("permission-vault-damaged", "do_restore"),
            Self::Vault(VaultError::Stale | VaultError::Unavailable) => ("permission-vault", "do_disk"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_code_and_words_of_its_own() {
        use PermissionError as E;
        use SignedError as S;
        let signed = [S::Malformed, S::Signature, S::Issuer, S::Service, S::Permission, S::Time, S::Jti]
            .map(E::Record);
        let nets = [HttpError::TooLarge, HttpError::Unreachable].map(E::Http);
        let vaults = [VaultError::Damaged, VaultError::Unavailable].map(E::Vault);
        let named = [
            E::NoSuch,
            E::NoRecord,
            E::InForce,
            E::NotThere,
            E::Busy,
            E::Reply,
            E::Key,
            E::Differs,
            E::Order,
            E::NotWithdrawn,
        ];
        let all: Vec<E> = signed.into_iter().chain(nets).chain(vaults).chain(named).collect();
        let codes: BTreeSet<&str> = all.iter().map(E::code).collect();
        assert_eq!(codes.len(), all.len());
        for language in [Language::En, Language::Cy] {
            let told: BTreeSet<String> = all.iter().map(|failed| failed.words(language)).collect();
            assert_eq!(told.len(), all.len());
            // A missing message reads as its key.
            assert!(told.iter().all(|words| !words.contains("permission_")), "{told:?}");
        }
    }
}
