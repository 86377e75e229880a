//! Whose fault a refusal is, for exit codes and for what to do next.

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What the caller gave is unusable: a link, a file, a code.
    Caller,
    /// The wallet refuses what the peer sent or asked.
    RefusedByUs,
    /// The peer refused what the wallet sent.
    RefusedByPeer,
    /// Nobody answers, or the vault cannot be used; trying again may help.
    Unavailable,
}
