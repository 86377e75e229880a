//! The issuer as its users meet it: a council with its register, and wallets that collect.

mod council;
mod imports;
mod limits;
#[cfg(feature = "mutants")]
mod mutants;
mod opening;
mod refusals;
mod story;
mod wallet;
