//! Plain copies or proof copies: two configurations of one type, never offered together.

/// Which copies of a type an offer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Ordinary SD-JWT VCs that any wallet can hold.
    Plain,
    /// Copies that carry commitments, for wallets that prove.
    Proof,
}

impl Kind {
    /// As it stands in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Proof => "proof",
        }
    }

    /// The inverse of [`Kind::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Plain, Self::Proof].into_iter().find(|kind| kind.as_str() == text)
    }
}
