//! Each check of permissions, switched off alone: the test that is named beside it notices.

use crate::switches::each_is_noticed;
use crate::{permissions, permitted, records};

#[test]
fn switches_that_policies_and_purposes_notice() {
    each_is_noticed(&[
        (
            permissions::what_a_policy_says_of_a_permission,
            &[
                "perm-amount",
                "perm-days",
                "perm-every",
                "perm-members",
                "perm-payment-once",
                "perm-person",
                "perm-uses",
            ],
        ),
        (
            permissions::a_purpose_covers_the_permissions_of_its_policies,
            &["perm-covers-action", "perm-covers-every", "perm-covers-kind", "perm-covers-with"],
        ),
        (
            permissions::what_a_purpose_says_of_permissions,
            &[
                "trust-permission-action",
                "trust-permission-facts",
                "trust-permission-once",
                "trust-permission-pairs",
                "trust-permission-recheck",
                "trust-permission-sharing",
            ],
        ),
    ]);
}

#[test]
fn switches_that_entries_notice() {
    each_is_noticed(&[
        (
            permissions::what_a_service_may_not_ask_to_be_permitted,
            &["perm-entry-amount", "perm-entry-payment", "perm-payee", "perm-pence", "perm-reference"],
        ),
        (
            permissions::a_wallet_refuses_an_entry_that_differs_from_the_policy,
            &[
                "perm-entry-amount",
                "perm-entry-differs",
                "perm-payee",
                "perm-pence",
                "perm-reference",
                "perm-salt",
            ],
        ),
        (
            permissions::a_permission_is_asked_for_where_the_policy_says_so,
            &["perm-covers-kind", "perm-entry-missing", "perm-entry-several", "perm-entry-unasked"],
        ),
    ]);
}

#[test]
fn switches_that_answers_notice() {
    each_is_noticed(&[
        (permitted::nothing_is_granted_where_the_outcome_is_not_met, &["perm-granted-met"]),
        (permitted::a_key_stands_beside_the_hash_of_the_entry, &["perm-grant-key", "perm-key-place"]),
        (
            permitted::nothing_is_given_that_was_not_asked_for,
            &["perm-answer-forgotten", "perm-answer-unasked", "perm-grant-unasked"],
        ),
        (permitted::an_answer_is_to_its_own_entry, &["perm-grant-transaction"]),
        (permitted::a_proof_is_for_its_own_entry_and_key, &["zk-bind-permission-key", "zk-bind-transaction"]),
        (permitted::a_wallet_proves_no_permission_without_a_key, &["perm-prove-key"]),
        (
            permitted::a_grant_says_what_was_asked_for,
            &[
                "perm-grant-aud",
                "perm-grant-day",
                "perm-grant-policy",
                "perm-grant-purpose",
                "perm-grant-transaction",
                "perm-header",
                "perm-jwk-alg",
                "perm-jwk-bare",
            ],
        ),
    ]);
}

#[test]
fn switches_that_records_and_calls_notice() {
    each_is_noticed(&[
        (records::events_follow_one_another, &["perm-record-order", "perm-record-renewal"]),
        (records::a_record_begins_with_what_was_said, &["perm-record-order", "perm-record-principal"]),
        (records::events_are_in_order_and_not_without_end, &["perm-record-full", "perm-record-time"]),
        (records::a_record_is_read_as_it_was_written_and_in_no_other_way, &["perm-record-form"]),
        (
            records::both_sides_check_a_signed_record,
            &[
                "perm-signed-aud",
                "perm-signed-iss",
                "perm-signed-jti",
                "perm-signed-time",
                "perm-signed-whose",
            ],
        ),
        (
            records::a_call_is_made_by_the_permissions_key_just_now,
            &["perm-call-aud", "perm-call-future", "perm-call-jti", "perm-call-old"],
        ),
    ]);
}
