//! Each check, switched off alone: the test that is named beside it notices.

use std::panic::catch_unwind;

use vouchsafe_mutants::without;
use vouchsafe_protocol::policy::{CheckError, PlanError};
use vouchsafe_protocol::statement::StatementError;

use crate::{
    answers, batches, collecting, credentials, documents, messages, policies, queries, requests, standard,
    types,
};

/// A test of this folder, and the checks that it would miss.
pub(crate) type Notices = (fn(), &'static [&'static str]);

pub(crate) fn each_is_noticed(all: &[Notices]) {
    let unnoticed = |(test, names): &Notices| {
        names.iter().filter(|name| without(name, || catch_unwind(test).is_ok())).copied().collect::<Vec<_>>()
    };
    let missed: Vec<_> = all.iter().flat_map(unnoticed).collect();
    assert!(missed.is_empty(), "no test notices that these are gone: {missed:?}");
}

#[test]
fn switches_that_answers_notice() {
    each_is_noticed(&[
        (
            answers::a_proof_is_carried_where_it_belongs,
            &["vp-transaction-data-unasked", "zk-carriage-first-hash", "zk-carriage-unnamed"],
        ),
        (answers::commitments_are_those_of_the_type, &["zk-form", "zk-slots"]),
        (answers::exactly_one_option, &["vp-one-option"]),
        (answers::what_a_status_means, &["vp-status-open"]),
        (
            answers::issuers_count_by_policy_and_register,
            &["vp-issuer-accepted", "vp-issuer-anchor", "vp-issuer-env", "vp-issuer-type"],
        ),
    ]);
}

#[test]
fn switches_that_batches_notice() {
    each_is_noticed(&[
        (batches::a_salt_that_could_be_guessed, &["vci-batch-salt-length"]),
        (
            batches::each_copy_has_an_entry_of_its_own_in_a_list,
            &["vci-batch-status-mark", "vci-batch-status-shared"],
        ),
        (
            batches::commitments_that_are_shared_or_of_another_form,
            &["vci-batch-committed", "vci-batch-forms", "vci-batch-shared"],
        ),
        (batches::commitments_that_do_not_open, &["vci-batch-values", "zk-open-commitment", "zk-open-range"]),
        (batches::a_period_is_that_of_the_type_and_over, &["vci-batch-period-over", "vci-batch-period-type"]),
        (
            batches::a_link_is_the_one_that_was_sent_for_its_key,
            &["vci-batch-link", "vci-batch-link-type", "zk-zkc-link"],
        ),
        (batches::a_period_is_the_same_in_all_copies, &["vci-batch-dataset"]),
        (batches::a_text_opens_to_one_spelling, &["zk-open-commitment", "zk-zkc-text"]),
        (batches::a_unit_is_that_of_its_encoding, &["vci-batch-unit"]),
        (batches::a_value_below_or_above_its_range, &["zk-open-range"]),
        (batches::an_income_is_what_it_is_said_to_be, &["zk-open-commitment"]),
        (batches::one_seed_for_two_texts, &["vci-batch-shared"]),
        (batches::pointers_differ_between_copies, &["vci-batch-forms"]),
        (
            batches::kind_key_and_number,
            &["vci-batch-anchor", "vci-batch-count", "vci-batch-iss", "vci-batch-key", "vci-batch-vct"],
        ),
        (
            batches::marks_that_no_claim_tells,
            &[
                "vci-batch-cnf",
                "vci-batch-digests",
                "vci-batch-digests-alike",
                "vci-batch-header",
                "vci-batch-headers-alike",
            ],
        ),
        (
            batches::what_could_tell_copies_apart,
            &[
                "vci-batch-coarse",
                "vci-batch-dataset",
                "vci-batch-salt",
                "vci-batch-times",
                "vci-batch-visible",
            ],
        ),
    ]);
}

#[test]
fn switches_that_types_notice() {
    each_is_noticed(&[
        (types::a_text_is_proved_under_a_unit_and_a_mask, &["type-text-pattern", "type-text-unit"]),
        (types::a_text_has_one_spelling, &["type-text-canonical"]),
        (types::a_type_that_is_linked_says_since_when, &["type-link-column", "type-link-since"]),
        (types::totals_can_be_corrected, &["type-period-status"]),
        (types::a_range_on_a_text_is_no_member, &["zk-zkc-text"]),
    ]);
}

#[test]
fn switches_that_collecting_notices() {
    each_is_noticed(&[
        (collecting::a_bound_token_is_sent_with_a_proof, &["dpop-one"]),
        (
            collecting::proofs_of_bound_tokens_that_are_refused,
            &[
                "dpop-alg",
                "dpop-ath",
                "dpop-future",
                "dpop-htm",
                "dpop-htu",
                "dpop-jti",
                "dpop-old",
                "dpop-signature",
                "dpop-typ",
            ],
        ),
        (collecting::authorisation_details, &["vci-details-locations", "vci-details-type"]),
        (collecting::what_was_put_off_is_asked_for_again, &["vci-response-key-plain"]),
        (
            collecting::encryption_that_is_required,
            &["vci-offer-encryption-required", "vci-request-required", "vci-response-required"],
        ),
        (collecting::notifications, &["vci-notification-description"]),
        (
            collecting::signed_metadata,
            &[
                "vci-signed-exp",
                "vci-signed-iat",
                "vci-signed-leaf",
                "vci-signed-signature",
                "vci-signed-sub",
                "vci-signed-typ",
            ],
        ),
        (collecting::documents_of_types, &["vct-document-extends", "vct-document-type", "vct-integrity"]),
        (standard::members_of_drafts, &["vci-metadata-batch", "vci-metadata-endpoint"]),
    ]);
}

#[test]
fn switches_that_credentials_notice() {
    each_is_noticed(&[
        (
            credentials::answers_are_posted_as_they_were_asked_for,
            &["vp-mode-plain", "vp-response-kid", "vp-response-state"],
        ),
        (credentials::issuer_metadata, &["vci-configuration", "vci-offer-encryption", "vci-offer-mixed"]),
        (
            credentials::metadata_that_is_refused,
            &[
                "vci-entry-env",
                "vci-entry-issuer",
                "vci-entry-type",
                "vci-metadata-endpoint",
                "vci-metadata-issuer",
                "vci-server-endpoint",
                "vci-server-grant",
                "vci-server-issuer",
            ],
        ),
        (
            credentials::proofs_of_possession,
            &[
                "vci-proof-alg",
                "vci-proof-attestation",
                "vci-proof-aud",
                "vci-proof-count",
                "vci-proof-distinct",
                "vci-proof-future",
                "vci-proof-iss",
                "vci-proof-key",
                "vci-proof-nonce",
                "vci-proof-old",
                "vci-proof-one-nonce",
            ],
        ),
        (
            credentials::requests_for_proof_copies_are_encrypted,
            &["vci-request-kid", "vci-response-alg", "vci-response-key-plain", "vci-response-zip"],
        ),
        (credentials::requests_that_are_refused, &["vci-request-one-id", "vci-request-one-type"]),
        (credentials::responses, &["vci-response-both", "vci-response-kid"]),
        (credentials::shapes_of_vp_token, &["vp-older-response", "vp-token-count", "vp-token-single"]),
    ]);
}

#[test]
fn switches_that_documents_notice() {
    each_is_noticed(&[
        (
            documents::a_decision_is_for_one_service_one_request_and_a_short_time,
            &[
                "vp-decision-aud",
                "vp-decision-env",
                "vp-decision-iss",
                "vp-decision-request",
                "vp-decision-time",
            ],
        ),
        (
            documents::entries_that_are_refused,
            &[
                "trust-expired",
                "trust-header",
                "trust-iss",
                "trust-not-yet",
                "trust-reg-version",
                "trust-validity",
            ],
        ),
        (documents::registers_that_are_refused, &["trust-entry-version", "trust-once", "trust-table-once"]),
    ]);
}

#[test]
fn switches_that_messages_notice() {
    each_is_noticed(&[
        (messages::forms_links_and_returns, &["vp-form-repeated", "vp-link-https", "vp-redirect-https"]),
        (
            messages::offers_and_their_links,
            &[
                "vci-offer-configurations",
                "vci-offer-description",
                "vci-offer-issuer",
                "vci-offer-one",
                "vci-offer-reference",
            ],
        ),
        (
            messages::statements,
            &[
                "vp-statement-coeff",
                "vp-statement-id",
                "vp-statement-interval",
                "vp-statement-list",
                "vp-statement-shape",
                "vp-statement-terms",
            ],
        ),
        (
            messages::tokens,
            &[
                "vci-grant-type",
                "vci-token-type",
                "vci-tx-code",
                "vci-tx-code-missing",
                "vci-tx-code-unexpected",
            ],
        ),
    ]);
}

#[test]
fn switches_that_policies_notice() {
    each_is_noticed(&[
        (policies::a_policy_that_every_wallet_would_refuse, &["vp-policy-taken"]),
        (policies::only_plain_values_and_known_members, &["vp-policy-values"]),
    ]);
}

/// The cost of an option is that of all its statements: none is dropped where the wallets' checks are gone.
#[test]
fn costs_leave_no_statement_out() {
    let fault = PlanError::Statement { id: format!("{}-q0", "a".repeat(40)), fault: StatementError::Id };
    let said = without("vp-policy-taken", policies::checked_with_a_long_id);
    assert_eq!(said, Some(CheckError::Plan(fault)));
}

#[test]
fn switches_that_queries_notice() {
    each_is_noticed(&[
        (
            queries::claim_sets_are_taken_in_order_and_checked_again,
            &["vp-complete-claims", "vp-complete-vct"],
        ),
        (queries::paths_and_values, &["vp-complete-values"]),
        (queries::statements_in_a_query, &["vp-dcql-statement-id", "vp-dcql-statement-query"]),
        (
            queries::the_rules_of_a_query,
            &[
                "vp-dcql-claim-id",
                "vp-dcql-claim-set-id",
                "vp-dcql-claim-sets",
                "vp-dcql-claims-length",
                "vp-dcql-id",
                "vp-dcql-length",
                "vp-dcql-meta",
                "vp-dcql-path",
                "vp-dcql-set-id",
                "vp-dcql-set-length",
                "vp-dcql-values",
            ],
        ),
    ]);
}

#[test]
fn switches_that_requests_notice() {
    each_is_noticed(&[
        (
            requests::a_policy_that_asks_for_more_than_the_purpose_allows,
            &["vp-may-ask-claim", "vp-may-ask-statement"],
        ),
        (requests::client_ids, &["vp-client-id", "vp-older-client-id"]),
        (requests::older_drafts_are_named, &["vp-older-draft", "vp-older-format"]),
        (
            requests::parameters_that_are_refused,
            &[
                "vp-aud",
                "vp-expired",
                "vp-formats",
                "vp-iat-future",
                "vp-lifetime",
                "vp-nonce",
                "vp-redirect-uri",
                "vp-response-type",
                "vp-response-uri",
                "vp-state",
                "vp-transaction-data",
                "vp-wallet-nonce",
            ],
        ),
        (requests::unsigned_foreign_and_wrongly_signed_requests, &["vp-x509-hash"]),
        (
            requests::what_is_asked_is_what_the_policy_says,
            &[
                "vp-as-of",
                "vp-plan-options",
                "vp-plan-query",
                "vp-plan-statements",
                "vp-policy-digest",
                "vp-policy-purpose",
            ],
        ),
        (
            requests::who_asks_and_what_for_is_the_registrars_word,
            &[
                "vp-info-order",
                "vp-one-register",
                "vp-service-client-id",
                "vp-service-env",
                "vp-service-purpose",
                "vp-table-once",
            ],
        ),
    ]);
}
