//! Two words that the page which asks and the wallet which reviews both show, so that people can see that they hold the
//! request they mean.
//!
//! Both sides compute them from client id and nonce. They guard against a mix-up: a neighbour's code typed, an older QR
//! code scanned. They do not guard against a relay: whoever passes a request on can show the words as well. 12 bits are
//! enough for the one and no use against the other. Each word is in English and Welsh, and both are shown, because page
//! and wallet may be read in different languages.

use std::fmt;

use crate::encoding::sha256;

/// What the hash is for; nothing else is hashed under this label.
const LABEL: &[u8] = b"vouchsafe/v1/match";

/// Two words of a list, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchWords {
    /// In English.
    pub en: String,
    /// In Welsh.
    pub cy: String,
}

impl MatchWords {
    /// The words of a request.
    #[must_use]
    pub fn of(client_id: &str, nonce: &str) -> Self {
        let mut text = LABEL.to_vec();
        for part in [client_id, nonce] {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part.as_bytes());
        }
        let hash = sha256(text);
        let [first, second] = [hash[0], hash[1]].map(|byte| WORDS[usize::from(byte) % WORDS.len()]);
        Self { en: format!("{} {}", first.0, second.0), cy: format!("{} {}", first.1, second.1) }
    }
}

impl fmt::Display for MatchWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {}", self.en, self.cy)
    }
}

/// Short words for things that everybody knows. Their order is part of the profile.
static WORDS: [(&str, &str); 64] = [
    ("apple", "afal"),
    ("bread", "bara"),
    ("river", "afon"),
    ("mountain", "mynydd"),
    ("sea", "môr"),
    ("moon", "lleuad"),
    ("sun", "haul"),
    ("star", "seren"),
    ("tree", "coeden"),
    ("flower", "blodyn"),
    ("house", "tŷ"),
    ("door", "drws"),
    ("window", "ffenestr"),
    ("table", "bwrdd"),
    ("chair", "cadair"),
    ("book", "llyfr"),
    ("bird", "aderyn"),
    ("cat", "cath"),
    ("dog", "ci"),
    ("horse", "ceffyl"),
    ("sheep", "dafad"),
    ("cow", "buwch"),
    ("fish", "pysgodyn"),
    ("snow", "eira"),
    ("rain", "glaw"),
    ("wind", "gwynt"),
    ("cloud", "cwmwl"),
    ("fire", "tân"),
    ("water", "dŵr"),
    ("milk", "llaeth"),
    ("cheese", "caws"),
    ("butter", "menyn"),
    ("egg", "wy"),
    ("salt", "halen"),
    ("sugar", "siwgr"),
    ("honey", "mêl"),
    ("hat", "het"),
    ("coat", "cot"),
    ("shoe", "esgid"),
    ("glove", "maneg"),
    ("bridge", "pont"),
    ("road", "ffordd"),
    ("boat", "cwch"),
    ("train", "trên"),
    ("bicycle", "beic"),
    ("bell", "cloch"),
    ("clock", "cloc"),
    ("key", "allwedd"),
    ("lamp", "lamp"),
    ("garden", "gardd"),
    ("field", "cae"),
    ("forest", "coedwig"),
    ("stone", "carreg"),
    ("sand", "tywod"),
    ("gold", "aur"),
    ("silver", "arian"),
    ("island", "ynys"),
    ("castle", "castell"),
    ("spoon", "llwy"),
    ("knife", "cyllell"),
    ("bed", "gwely"),
    ("school", "ysgol"),
    ("shop", "siop"),
    ("harbour", "harbwr"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn words(client_id: &str, nonce: &str) -> MatchWords {
        MatchWords::of(client_id, nonce)
    }

    #[test]
    fn every_word_is_there_once_in_each_language() {
        let en: BTreeSet<_> = WORDS.iter().map(|(en, _)| en).collect();
        let cy: BTreeSet<_> = WORDS.iter().map(|(_, cy)| cy).collect();
        assert_eq!((en.len(), cy.len()), (WORDS.len(), WORDS.len()));
    }

    #[test]
    fn requests_differ_in_their_words() {
        assert_eq!(words("c", "n"), words("c", "n"));
        let all: BTreeSet<String> = (0..64).map(|n| words("c", &n.to_string()).to_string()).collect();
        assert!(all.len() > 60, "{}", all.len());
        // What belongs to one text does not slip into the other.
        assert_ne!(words("cn", ""), words("c", "n"));
    }
}
