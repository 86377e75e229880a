//! Each check of requests and of transaction data, switched off alone: the test that is named beside it notices.

use std::panic::catch_unwind;

use vouchsafe_mutants::without;

use crate::{browser, plain, requests, transactions};

/// A test of this folder, and the checks that it would miss.
type Notices = (fn(), &'static [&'static str]);

const ALL: [Notices; 9] = [
    (browser::answers_come_as_they_were_asked_for, &["vp-dc-mode"]),
    (browser::origins_are_compared_as_texts, &["vp-dc-origin"]),
    (
        browser::requests_of_pages_that_are_refused,
        &["vp-dc-aud", "vp-dc-formats", "vp-dc-nonce", "vp-dc-response-type"],
    ),
    (plain::a_query_alone_proves_nothing, &["vp-plain-statements"]),
    (plain::a_query_alone_that_asks_for_more_than_its_purpose, &["vp-may-ask-claim", "vp-plain-type"]),
    (requests::a_service_known_by_a_name_of_its_certificate, &["vp-x509-san-dns", "vp-x509-san-dns-host"]),
    (requests::to_whom_a_refusal_is_told, &["vp-error-known"]),
    (
        transactions::a_wallet_takes_what_it_knows_and_refuses_all_else,
        &[
            "vp-transaction-data",
            "vp-transaction-data-alg",
            "vp-transaction-data-binding",
            "vp-transaction-data-credential",
            "vp-transaction-data-member",
            "vp-transaction-data-twice",
            "vp-transaction-data-value",
        ],
    ),
    (
        transactions::what_does_not_cover_is_refused,
        &[
            "vp-transaction-data-covered",
            "vp-transaction-data-hash-alg",
            "vp-transaction-data-hashes",
            "vp-transaction-data-unasked",
        ],
    ),
];

#[test]
fn each_is_noticed() {
    let unnoticed = |(test, names): &Notices| {
        names.iter().filter(|name| without(name, || catch_unwind(test).is_ok())).copied().collect::<Vec<_>>()
    };
    let missed: Vec<_> = ALL.iter().flat_map(unnoticed).collect();
    assert!(missed.is_empty(), "no test notices that these are gone: {missed:?}");
}
