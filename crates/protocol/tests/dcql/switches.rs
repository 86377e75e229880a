//! Each check, switched off alone: the test that is named beside it notices. Each is a fixed example: what a random one
//! notices it notices by chance.

use std::panic::catch_unwind;

use vouchsafe_mutants::without;

use crate::{authorities, examples, positions};

/// A test of this folder, and the checks that it would miss.
type Notices = (fn(), &'static [&'static str]);

const ALL: [Notices; 10] = [
    (
        authorities::any_authority_of_the_path_by_any_entry_and_value,
        &["dcql-choose-authority", "vp-complete-authority"],
    ),
    (authorities::entries_are_of_their_form, &["vp-dcql-authorities-length"]),
    (
        examples::a_verifier_takes_no_part,
        &["vp-complete-all", "vp-complete-claims", "vp-complete-part", "vp-complete-set"],
    ),
    (
        examples::a_wallet_with_a_part_sends_nothing,
        &["dcql-choose-all", "dcql-choose-type", "dcql-choose-whole"],
    ),
    (examples::credentials_alternatives, &["dcql-choose-optional", "dcql-choose-required"]),
    (examples::several_only_where_several_are_allowed, &["dcql-choose-single", "vp-complete-count"]),
    (examples::the_holder_says_which_credential_answers, &["dcql-choose-wish"]),
    (examples::value_matching, &["vp-complete-values"]),
    (examples::what_nobody_asked_for, &["vp-complete-asked", "vp-complete-format", "vp-complete-known"]),
    (positions::an_element_alone_keeps_its_index, &["vp-complete-positions"]),
];

#[test]
fn each_is_noticed() {
    let unnoticed = |(test, names): &Notices| {
        names.iter().filter(|name| without(name, || catch_unwind(test).is_ok())).copied().collect::<Vec<_>>()
    };
    let missed: Vec<_> = ALL.iter().flat_map(unnoticed).collect();
    assert!(missed.is_empty(), "no test notices that these are gone: {missed:?}");
}
