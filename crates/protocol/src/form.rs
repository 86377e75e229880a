//! `application/x-www-form-urlencoded` bodies and query strings, strictly.
//!
//! Unknown members are ignored, as OAuth asks; a member that comes twice is refused, since two readers could
//! take two different ones.

use std::collections::BTreeMap;

use thiserror::Error;
use vouchsafe_mutants as mutants;

/// Why a form is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FormError {
    /// More bytes than allowed.
    #[error("the form is longer than allowed")]
    TooLong,
    /// A member comes twice.
    #[error("a member of the form comes twice")]
    Repeated,
    /// Not UTF-8.
    #[error("the form is not text")]
    NotText,
}

/// A form whose members come once each. It may hold secrets and is not shown.
#[derive(Clone, Default)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a form of at most `max` bytes.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn parse(body: &[u8], max: usize) -> Result<Self, FormError> {
        if body.len() > max {
            return Err(FormError::TooLong);
        }
        let mut members = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            // The decoder puts U+FFFD for what is not UTF-8.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(FormError::NotText);
            }
            let first = members.insert(name.into_owned(), value.into_owned()).is_none();
            if !(mutants::skips("vp-form-repeated") || first) {
                return Err(FormError::Repeated);
            }
        }
        Ok(Self(members))
    }

    /// A member.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes a form.
#[must_use]
pub fn write(members: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn members_come_once() {
        let form = Form::parse(b"state=a%20b&x=&vp_token=%7B%7D", 99).unwrap();
        assert_eq!((form.member("state"), form.member("x"), form.member("y")), (Some("a b"), Some(""), None));
        assert_eq!(form.len(), 3);
        assert_eq!(Form::parse(b"a=1&b=2&%61=3", 99).err(), Some(FormError::Repeated));
        assert_eq!(Form::parse(b"a=%ff", 99).err(), Some(FormError::NotText));
        assert_eq!(Form::parse(b"a=1", 2).err(), Some(FormError::TooLong));
    }

    #[test]
    fn what_is_written_is_read() {
        let text = write(&[("a&b", "c=d e+f"), ("ŵ", "ŷ")]);
        let form = Form::parse(text.as_bytes(), 99).unwrap();
        assert_eq!((form.member("a&b"), form.member("ŵ")), (Some("c=d e+f"), Some("ŷ")));
    }
}
