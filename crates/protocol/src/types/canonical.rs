//! The canonical form of texts that are compared: Unicode's NFC (UAX 15), and nothing else in it.
//!
//! A text is proved equal to another or different from it by its octets. So each has one spelling: issuers bring it into
//! NFC and hold it to the mask of its type, and wallets keep no other.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The most characters of a text that is compared.
const MAX_TEXT: usize = 1_000;

/// The text in NFC.
#[must_use]
pub fn canonical(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Whether a text is as it is compared: in NFC, not empty, without control characters, not endless.
#[must_use]
pub fn is_canonical(text: &str) -> bool {
    let sized = !text.is_empty() && text.chars().count() <= MAX_TEXT;
    let printable = !text.chars().any(char::is_control);
    sized && printable && ComposingNormalizerBorrowed::new_nfc().is_normalized(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_one_text() {
        for (spelt, form) in [
            ("LD-0042", "LD-0042"),
            ("e\u{301}", "\u{e9}"),
            ("A\u{30a}", "\u{c5}"),
            ("\u{212b}", "\u{c5}"),
            ("o\u{302}\u{323}", "\u{1ed9}"),
            ("w\u{302}y", "\u{175}y"),
            ("\u{1112}\u{1161}\u{11ab}", "\u{d55c}"),
        ] {
            assert_eq!(canonical(spelt), form);
            assert_eq!(is_canonical(spelt), spelt == form, "{spelt:?}");
            assert!(is_canonical(form));
        }
    }

    #[test]
    fn what_is_compared_is_a_text() {
        assert!(is_canonical(&"x".repeat(1_000)) && is_canonical("a b"));
        for not in ["", "a\n", "\u{7f}", "a\0b"] {
            assert!(!is_canonical(not), "{not:?}");
        }
        assert!(!is_canonical(&"x".repeat(1_001)));
    }
}
