//! To be filled.
pub(crate) fn assess() {}
