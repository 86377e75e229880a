//! Whether two copies, or two answers, of one resident can be told to be one person's: `specs/linkability.md`, as a test.
//!
//! Copies are issued by the body's own code to a crowd; answers are made by wallets. Every field of everything is walked, and
//! what repeats for one resident must be what everybody has.

mod answers;
mod compare;
mod controls;
mod copies;
mod walk;
