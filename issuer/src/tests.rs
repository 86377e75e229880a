//! The issuer as its users meet it: a council with its register, and wallets that collect.

mod attack;
mod bound;
mod council;
mod discovery;
mod imports;
mod limits;
mod linked;
#[cfg(feature = "mutants")]
mod mutants;
mod opening;
mod periods;
mod refusals;
mod statuses;
mod story;
mod wallet;
