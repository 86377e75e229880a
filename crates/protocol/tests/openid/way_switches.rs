//! Each check of policies that join credentials, switched off alone: the test that is named beside it notices.

use crate::switches::each_is_noticed;
use crate::{answers, joined, pseudonyms, ways};

#[test]
fn switches_that_ways_notice() {
    each_is_noticed(&[
        (ways::ways_stand_alone, &["vp-policy-household", "vp-way-alone"]),
        (
            ways::terms_that_go_with_no_operation,
            &["vp-way-coeff", "vp-way-rule", "vp-way-shape", "vp-way-terms"],
        ),
        (
            ways::a_join_says_whose_each_is,
            &["vp-way-need-id", "vp-way-person", "vp-way-plain", "vp-way-same-person"],
        ),
        (ways::what_is_shown_is_not_added_up, &["vp-way-plain-sum"]),
        (
            ways::a_sum_that_must_not_pass_a_bound_is_whole,
            &[
                "vp-way-everybody",
                "vp-way-issuer",
                "vp-way-issuer-twice",
                "vp-way-period",
                "vp-way-period-ended",
            ],
        ),
        (ways::one_fact_is_not_counted_twice, &["vp-way-source"]),
        (
            ways::a_household_is_linked_and_counted,
            &["vp-way-adults", "vp-way-household", "vp-way-household-people"],
        ),
        (
            ways::types_that_a_way_cannot_use,
            &[
                "vp-way-household-text",
                "vp-way-period-said",
                "vp-way-period-type",
                "vp-way-status",
                "vp-way-text",
                "vp-way-total",
            ],
        ),
    ]);
}

#[test]
fn switches_that_lists_notice() {
    each_is_noticed(&[
        (ways::lists_with_gaps_are_sets, &["vp-list-gaps"]),
        (ways::lists_that_do_not_load, &["trust-list-indices", "trust-list-spans"]),
        (ways::a_list_of_few_singles_out, &["vp-list-crowd"]),
        (ways::a_crowd_is_left_on_each_side, &["vp-crowd"]),
    ]);
}

#[test]
fn switches_that_pseudonyms_notice() {
    each_is_noticed(&[
        (
            pseudonyms::what_a_policy_says_of_a_pseudonym,
            &[
                "vp-nym-action",
                "vp-nym-asked",
                "vp-nym-binding",
                "vp-nym-issuer",
                "vp-nym-most",
                "vp-nym-needs",
                "vp-nym-person",
                "vp-nym-proof",
                "vp-nym-said",
            ],
        ),
        (pseudonyms::what_a_pseudonym_needs_of_types_and_purpose, &["vp-nym-type", "vp-may-ask-pseudonym"]),
        (pseudonyms::a_request_asks_for_the_pseudonym_of_its_policy, &["vp-plan-pseudonym"]),
        (pseudonyms::a_copy_is_linked_as_its_type_says, &["zk-link-slot"]),
    ]);
}

#[test]
fn switches_that_joined_answers_notice() {
    each_is_noticed(&[
        (joined::a_period_is_the_one_that_was_asked_about, &["vp-period"]),
        (joined::each_need_has_its_own_issuers, &["vp-issuer-accepted"]),
        (joined::sources_that_are_not_complete, &["vp-period-over"]),
        (joined::each_status_counts, &["vp-status-open"]),
        (answers::no_proof_of_too_small_a_crowd, &["vp-crowd"]),
    ]);
}
