//! The number by which two people see that an invitation was not changed on its way.
//!
//! An invitation travels in clear, and whoever carries it could put a key of their own there. So both wallets show a number
//! that is made of its text; the person whose wallet made it reads it out, and the other one types what they hear. Twenty
//! digits: whoever wants another invitation with the number of this one must try about 2^66 of them while its request
//! lives. It says nothing of who reads the number out.

use std::fmt;

use serde::{Deserialize, Serialize};
use vouchsafe_protocol::encoding::sha256;

use super::message::lp;
use crate::words::{Language, say};

const LABEL: &[u8] = b"vouchsafe/v1/two-wallets/check";

/// Ten to the power of the number of digits.
const RANGE: u128 = 100_000_000_000_000_000_000;

/// The check number of an invitation, in five groups of four digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckNumber(String);

impl CheckNumber {
    /// That of an invitation, as its text came, without white space around it.
    #[must_use]
    pub fn of(invitation: &str) -> Self {
        let hash = sha256([&lp(LABEL), invitation.trim().as_bytes()].concat());
        let first = hash.first_chunk::<16>().expect("a hash has 32 bytes");
        let digits = format!("{:020}", u128::from_be_bytes(*first) % RANGE);
        let groups: Vec<&str> = (0..5).map(|at| &digits[4 * at..4 * at + 4]).collect();
        Self(groups.join(" "))
    }

    /// Whether this is what somebody read out: spaces and dashes do not count.
    pub(super) fn is(&self, said: &str) -> bool {
        let dash = |c: char| matches!(c, '-' | '\u{2010}'..='\u{2015}');
        let said = said.chars().filter(|c| !c.is_whitespace() && !dash(*c));
        said.eq(self.0.chars().filter(|c| *c != ' '))
    }

    /// For the person whose wallet made the invitation: the number, and what to do with it.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        say(language, "joint_check_yours", &[("number", &self.0)])
    }
}

impl fmt::Display for CheckNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_digits_of_the_text_however_they_are_typed() {
        let number = CheckNumber::of("{\"vouchsafe_joint\":1}");
        assert_eq!(number.to_string(), "0857 3365 6777 3834 3147");
        assert_eq!(CheckNumber::of(" {\"vouchsafe_joint\":1}\n"), number);
        assert_ne!(CheckNumber::of("{\"vouchsafe_joint\":2}"), number);
        let plain = number.to_string().replace(' ', "");
        for said in
            [number.to_string(), plain.clone(), number.to_string().replace(' ', "-"), format!(" {plain}\n")]
        {
            assert!(number.is(&said), "{said}");
        }
        for said in ["", &plain[1..], &format!("{plain}0"), &format!("x{plain}")] {
            assert!(!number.is(said), "{said}");
        }
    }
}
