//! `vouchsafe openapi`: the description of the verifier's API.

use super::print;
use crate::exit::Failure;

/// Prints the description.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run() -> Result<(), Failure> {
    let document = vouchsafe_verifier::http::document();
    let text = serde_json::to_string_pretty(&document).map_err(Failure::unavailable)?;
    print::one(false, &(), || text)
}
