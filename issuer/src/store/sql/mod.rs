//! What the store says to a database, in words that both dialects understand.
//!
//! This is compiled once for each: `sqlite` and `postgres` say what is their own, which are the types (`Own`, `Tx`, `Row`),
//! which rows are locked (`locked!`) and how what is over is taken away (`forget!`). Every change is one transaction that
//! locks the row whose step it takes before it reads it, and rows of one kind in one order; what may be there once has a
//! unique key.

mod deferring;
mod imports;
mod issuing;
mod linking;
mod offers;
mod statuses;

use super::{Own, Row, Tx};
