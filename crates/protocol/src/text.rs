//! Words that people read, in both languages of the project.

use serde::{Deserialize, Serialize};

/// A sentence or a name in English and in Welsh. Closed; neither may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// English.
    pub en: String,
    /// Welsh.
    pub cy: String,
}

impl Bilingual {
    /// Whether both languages say something.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.en.trim().is_empty() && !self.cy.trim().is_empty()
    }
}

/// Test or live: an entry of one is never used with the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// Synthetic people, development keys.
    Test,
    /// Real people.
    Live,
}

/// Civil dates as `YYYY-MM-DD` and in no other spelling.
pub mod civil {
    use jiff::civil::Date;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use vouchsafe_proofs::encoding::date_from;

    /// Writes a date.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(date)
    }

    /// Reads a date.
    ///
    /// # Errors
    /// Any other spelling, and days that do not exist.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        date_from(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
