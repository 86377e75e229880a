//! Why there is no list, in plain words: whose fault it is and what to do.
//!
//! The words are the wallet's own (`messages/`): nothing of what was refused is repeated.

use vouchsafe_protocol::openid4vp::request::RequestError;
use vouchsafe_protocol::trust::TrustError;

use super::EntitledError;
use crate::http::HttpError;
use crate::vault::VaultError;
use crate::words::{Language, say};

/// A reason and what to do, each the key of a message.
type Reason = [&'static str; 2];

impl EntitledError {
    /// The reason in plain words: whose fault it is, what to do, and that nobody was told anything.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let [reason, advice] = match self {
            Self::Review(refused) => return refused.words(language),
            Self::NoTrust => ["refused_no_trust", "do_trust"],
            Self::NoList => ["entitled_no_list", "do_entitled_address"],
            Self::Http(HttpError::Address) => ["entitled_address", "do_entitled_address"],
            Self::Http(HttpError::Unreachable) => ["refused_network", "do_later"],
            Self::Http(HttpError::TooLarge) => ["refused_too_large", "do_service"],
            Self::Vault(VaultError::Damaged) => ["refused_vault_damaged", "do_restore"],
            Self::Vault(VaultError::Stale | VaultError::Unavailable) => ["refused_vault", "do_disk"],
            Self::Refused(refused) => of_list(refused),
        };
        [reason, advice, "entitled_nobody"].map(|key| say(language, key, &[])).join(" ")
    }
}

/// What a list of policies can be refused for; for the rest a request would have to be there.
fn of_list(refused: &RequestError) -> Reason {
    match refused {
        RequestError::Malformed => ["entitled_malformed", "do_service"],
        RequestError::TwoRegisters => ["refused_two_registers", "do_service"],
        RequestError::Service(fault) | RequestError::Purpose(fault) | RequestError::Table(fault) => {
            of_register(*fault)
        }
        _ => ["entitled_not_ours", "do_service"],
    }
}

/// A part that the registrar is to have signed.
fn of_register(fault: TrustError) -> Reason {
    use TrustError as E;
    match fault {
        E::UnknownKey | E::Signature | E::Issuer => ["entitled_foreign", "do_beware"],
        E::NotYet | E::Expired | E::RolledBack => ["entitled_out_of_date", "do_clock"],
        E::File | E::Malformed | E::Kind | E::Members | E::Validity | E::Contradiction => {
            ["entitled_not_ours", "do_service"]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::review::ReviewError;

    /// Every reason once; one of several causes stands for all that are told alike.
    fn reasons() -> Vec<EntitledError> {
        use RequestError as E;
        let lists = [
            E::Malformed,
            E::TwoRegisters,
            E::Service(TrustError::UnknownKey),
            E::Purpose(TrustError::Expired),
            E::Table(TrustError::Members),
        ];
        let nets = [HttpError::Address, HttpError::Unreachable, HttpError::TooLarge];
        let vaults = [VaultError::Damaged, VaultError::Unavailable];
        let mut all = vec![EntitledError::NoTrust, EntitledError::NoList];
        all.push(EntitledError::Review(ReviewError::Refused(E::Statements)));
        all.extend(lists.map(EntitledError::Refused));
        all.extend(nets.map(EntitledError::Http));
        all.extend(vaults.map(EntitledError::Vault));
        all
    }

    #[test]
    fn every_reason_has_words_of_its_own() {
        let all = reasons();
        for language in [Language::En, Language::Cy] {
            let told: BTreeSet<String> = all.iter().map(|refused| refused.words(language)).collect();
            assert_eq!(told.len(), all.len());
            // A missing message reads as its key.
            assert!(told.iter().all(|words| !words.contains('_')), "{told:?}");
        }
    }

    #[test]
    fn the_same_fault_is_told_alike_wherever_it_is() {
        let words = |refused: RequestError| EntitledError::Refused(refused).words(Language::En);
        for fault in [TrustError::UnknownKey, TrustError::Signature, TrustError::Issuer] {
            let all =
                [RequestError::Service(fault), RequestError::Purpose(fault), RequestError::Table(fault)];
            assert!(
                all.into_iter().all(|one| words(one).contains("Do not go on: this may be somebody else."))
            );
        }
        for fault in [TrustError::NotYet, TrustError::Expired, TrustError::RolledBack] {
            assert!(words(RequestError::Service(fault)).contains("Check this device’s date and time."));
        }
        // What no list is refused for has words too.
        assert!(words(RequestError::Nonce).starts_with("What is published there is not what"));
    }

    #[test]
    fn words_say_whose_fault_it_is_and_what_to_do() {
        assert_eq!(
            EntitledError::NoList.words(Language::En),
            "No list of rules is published at that address. Check the address with the service, and copy all of it. \
             Nobody was told anything about you."
        );
        assert_eq!(
            EntitledError::Refused(RequestError::Malformed).words(Language::Cy),
            "Ni ellir darllen yr hyn a gyhoeddwyd yno. Rhaid i’r gwasanaeth gywiro hyn: dywedwch wrtho, neu defnyddiwch \
             ei ffordd arall. Ni ddywedwyd dim amdanoch wrth neb."
        );
    }
}
