//! What is looked for, in every form in which it might have been written down.

use serde_json::json;
use vouchsafe_proofs::encoding::day;
use vouchsafe_protocol::encoding::{b64, b64u};

/// One thing that must be nowhere.
pub(crate) struct Needle {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Needle {
    /// A text of eight bytes or more: as it is, in either base64 at each of three alignments, in hex, and escaped.
    pub(crate) fn text(name: &str, text: &str) -> Self {
        assert!(text.len() >= 6, "{name} is too short to be told from chance");
        let mut forms = vec![
            ("as it is", text.as_bytes().to_vec()),
            ("in lower case", text.to_lowercase().into_bytes()),
            ("in upper case", text.to_uppercase().into_bytes()),
            ("hex", hex(text, |byte| format!("{byte:02x}"))),
            ("HEX", hex(text, |byte| format!("{byte:02X}"))),
            ("escaped in JSON", hex(text, |byte| format!("\\u{byte:04x}"))),
            ("escaped in a URL", text.replace(' ', "%20").into_bytes()),
            ("escaped in a form", text.replace(' ', "+").into_bytes()),
        ];
        forms.extend(aligned(text).into_iter().map(|form| ("base64", form)));
        Self { name: name.to_owned(), forms }
    }

    /// Bytes of chance: as they are, in either base64 at each of three alignments, in base64 twice, in hex, and as a list.
    pub(crate) fn bytes(name: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 16, "{name} is too short to be told from chance");
        let list = |between: &str| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(between);
        let mut forms = vec![
            ("as it is", bytes.to_vec()),
            ("hex", hex(bytes, |byte| format!("{byte:02x}"))),
            ("HEX", hex(bytes, |byte| format!("{byte:02X}"))),
            ("as a list", list(",").into_bytes()),
            ("as a list", list(", ").into_bytes()),
        ];
        forms.extend(aligned(bytes).into_iter().map(|form| ("base64", form)));
        // As a member of a token or of a message that was written down whole.
        forms.extend(aligned(b64u(bytes)).into_iter().map(|form| ("base64 in base64", form)));
        Self { name: name.to_owned(), forms }
    }

    /// A decimal number, found only where it [stands alone](stands_alone).
    pub(crate) fn number(name: &str, digits: &str) -> Self {
        Self { name: name.to_owned(), forms: vec![(NUMBER, digits.as_bytes().to_vec())] }
    }

    /// A birth date: as text, in the order that people write it, and as the day number that proofs use.
    pub(crate) fn birth_date(of: &str, date: jiff::civil::Date) -> Vec<Self> {
        let name = format!("the birth date of {of}");
        vec![
            Self::text(&name, &date.to_string()),
            Self::text(&name, &date.strftime("%d/%m/%Y").to_string()),
            Self::text(&name, &date.strftime("%Y%m%d").to_string()),
            Self::text(&name, &date.strftime("%-d %B %Y").to_string()),
            Self::number(&name, &day(date).unwrap().to_string()),
        ]
    }

    /// The form in which this is in `hay`, if it is.
    fn found(&self, hay: &[u8]) -> Option<&'static str> {
        let is_there = |form: &(&'static str, Vec<u8>)| match form.0 {
            NUMBER => positions(hay, &form.1).any(|at| stands_alone(hay, at, form.1.len())),
            _ => positions(hay, &form.1).next().is_some(),
        };
        self.forms.iter().find(|form| is_there(form)).map(|form| form.0)
    }
}

const NUMBER: &str = "as a number";

/// Every needle that is in `hay`, told by name and form, never by value.
pub(crate) fn hits(place: &str, hay: &[u8], needles: &[Needle]) -> Vec<String> {
    let found = needles.iter().filter_map(|needle| Some((needle, needle.found(hay)?)));
    found.map(|(needle, form)| format!("{place}: {}, {form}", needle.name)).collect()
}

/// How often `word` is in `hay`.
pub(crate) fn count(hay: &[u8], word: &str) -> usize {
    positions(hay, word.as_bytes()).count()
}

fn positions<'a>(hay: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    memchr::memmem::find_iter(hay, needle)
}

/// Whether no further digit touches the number, and it is no fraction: those of a second are in every line of a log, and
/// among so many each six digits come up by chance.
fn stands_alone(hay: &[u8], at: usize, length: usize) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| hay.get(at)).is_some_and(u8::is_ascii_digit);
    let before = at.checked_sub(1);
    let is_point = before.is_some_and(|before| hay[before] == b'.');
    let is_fraction = is_point && is_digit(at.checked_sub(2));
    !(is_digit(before) || is_digit(Some(at + length)) || is_fraction)
}

fn hex(bytes: impl AsRef<[u8]>, form: impl Fn(u8) -> String) -> Vec<u8> {
    bytes.as_ref().iter().copied().map(form).collect::<String>().into_bytes()
}

/// The characters that a text leaves in base64 wherever it begins in its group of three, both alphabets.
fn aligned(text: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for lead in 0..3 {
        let padded = [vec![0; lead], text.as_ref().to_vec()].concat();
        // Characters that hold only bits of the text: whole groups, without what the bytes around it share.
        let from = (lead * 8).div_ceil(6);
        let to = padded.len() * 8 / 6;
        for encoded in [b64u(&padded), b64(&padded)] {
            forms.push(encoded.as_bytes()[from..to].to_vec());
        }
    }
    forms
}

#[test]
fn every_form_of_a_needle_is_found_and_nothing_else() {
    let needles = [Needle::text("the address", "42 Canary Street"), Needle::number("the day", "130805")];
    let clean =
        br#"2026-11-22T07:05:35.130805Z elapsed=1.130805ms {"iat":1308051,"text":"canary street 42"}"#;
    assert_eq!(hits("clean", clean, &needles), [""; 0]);
    for lead in ["", "x", "xy", "xyz"] {
        let text = format!("{lead}42 Canary Street{lead}");
        for hay in [text.clone(), b64u(&text), b64(&text), text.replace(' ', "+"), text.to_uppercase()] {
            assert_eq!(hits("planted", hay.as_bytes(), &needles).len(), 1, "{hay}");
        }
    }
    for day in [&br#"{"v":130805}"#[..], b"day.130805", b"130805", b"born=130805."] {
        assert_eq!(hits("planted", day, &needles), ["planted: the day, as a number"]);
    }
}

#[test]
fn every_form_of_bytes_is_found_and_nothing_else() {
    let seed: [u8; 32] = std::array::from_fn(|at| 7 * at as u8 + 3);
    let mut other = seed;
    other[0] ^= 1;
    let needles = [Needle::bytes("a seed", &seed)];
    for lead in 0..4 {
        let within = |bytes: &[u8]| [&vec![7; lead], bytes, &vec![9; lead]].concat();
        let forms = |bytes: &[u8]| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let text = [
                b64u(bytes),
                b64(bytes),
                hex.to_uppercase(),
                hex,
                format!("{bytes:?}"),
                json!(bytes).to_string(),
            ];
            text.into_iter().map(String::into_bytes).chain([bytes.to_vec()]).collect::<Vec<_>>()
        };
        let member = |bytes: &[u8]| b64u(format!(r#"{:lead$}{{"seed":"{}"}}"#, "", b64u(bytes)));
        assert_eq!(hits("planted", member(&seed).as_bytes(), &needles).len(), 1, "{lead}");
        assert_eq!(hits("clean", member(&other).as_bytes(), &needles), [""; 0], "{lead}");
        for hay in forms(&within(&seed)) {
            assert_eq!(hits("planted", &hay, &needles).len(), 1, "{lead}: {hay:?}");
        }
        for hay in forms(&within(&other)) {
            assert_eq!(hits("clean", &hay, &needles), [""; 0], "{lead}");
        }
    }
}
