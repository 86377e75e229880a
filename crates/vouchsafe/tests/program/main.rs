//! The program as people and scripts meet it: a child process, its files, its ports, its exit codes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod auditor;
mod child;
mod contracts;
mod crash;
mod doctor;
mod first_run;
mod integrations;
mod production;
mod town;
mod two_wallets;
mod webhooks;
