//! SD-JWT.
