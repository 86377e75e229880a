//! The one table of encodings: a plain value becomes an integer `v` in `[0, 2^b)`.
//!
//! Implements `specs/proofs/README.md` section 2. A `str` becomes a scalar and can only be compared for
//! equality, so it has no width and is never range-proved. Leaves out the canonical form of texts (each type
//! URI has its own) and the index of a code in its list: callers give the index.

use curve25519_dalek::Scalar;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};
use zeroize::Zeroize;

/// The first day that `day` can express, number 0.
const EPOCH: Date = jiff::civil::date(1600, 1, 1);
/// The day from which the calendar type counts both ways as far as it goes, and its number.
const MIDDLE: (Date, i64) = (jiff::civil::date(1970, 1, 1), 135_140);
const SECONDS_PER_DAY: i64 = 86_400;

/// How a plain value is read as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// A civil date as days since 1600-01-01.
    Day,
    /// Money in pence.
    Pence,
    /// A count in the unit and scale that the type declares.
    Int,
    /// The index of a code in a published, versioned list.
    Code,
    /// No is 0, yes is 1.
    Bool,
    /// A text, hashed to a scalar: equality only.
    Str,
}

/// A value as the credential's JSON holds it.
#[derive(Clone, Copy)]
pub enum Plain<'a> {
    /// A JSON string: a date, or a decimal amount where the attribute is 64 bits wide.
    Text(&'a str),
    /// A JSON integer, or the index of a code.
    Integer(i64),
    /// A JSON boolean.
    Flag(bool),
}

/// Why a plain value has no integer; never says which value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The issuer's data has another JSON type than the encoding wants.
    #[error("the value has the wrong JSON type for its encoding")]
    Kind,
    /// Not a date of the form YYYY-MM-DD.
    #[error("the value is not a date of the form YYYY-MM-DD")]
    NotADate,
    /// Days before 1600-01-01 have no number.
    #[error("the date lies before 1600-01-01")]
    BeforeEpoch,
    /// Not a whole number written in its shortest decimal form.
    #[error("the value is not a whole number in plain decimal digits")]
    NotANumber,
    /// Outside `[0, 2^b)`.
    #[error("the value does not fit the attribute's declared width")]
    Width,
    /// The attribute declares a width that its encoding does not have.
    #[error("the encoding does not allow the declared width")]
    WidthNotAllowed,
}

impl Encoding {
    /// The name used in credentials and transcripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Pence => "pence",
            Self::Int => "int",
            Self::Code => "code",
            Self::Bool => "bool",
            Self::Str => "str",
        }
    }

    /// The width `b` unless the type declares the wide form; `None` for `str`.
    #[must_use]
    pub const fn bits(self) -> Option<u8> {
        match self {
            Self::Day | Self::Pence | Self::Int | Self::Code => Some(32),
            Self::Bool => Some(8),
            Self::Str => None,
        }
    }

    /// Whether an attribute of this encoding may be `bits` wide: the usual width, or 64 for large amounts.
    #[must_use]
    pub const fn allows(self, bits: u8) -> bool {
        match (self, self.bits()) {
            (Self::Pence, _) => bits == 32 || bits == 64,
            (_, Some(usual)) => bits == usual,
            (_, None) => false,
        }
    }

    /// The integer of `plain` for an attribute `bits` wide.
    ///
    /// # Errors
    /// When the value has the wrong form or does not fit. A `str` has no integer: see [`Text`].
    pub fn encode(self, plain: Plain<'_>, bits: u8) -> Result<u64, EncodeError> {
        if !self.allows(bits) {
            return Err(EncodeError::WidthNotAllowed);
        }
        let v = match (self, plain) {
            (Self::Day, Plain::Text(text)) => day(date_from(text)?)?,
            (Self::Pence, Plain::Text(text)) if bits == 64 => decimal(text)?,
            (Self::Pence, Plain::Integer(n)) if bits == 32 => natural(n)?,
            (Self::Int | Self::Code, Plain::Integer(n)) => natural(n)?,
            (Self::Bool, Plain::Flag(flag)) => u64::from(flag),
            _ => return Err(EncodeError::Kind),
        };
        if bits < 64 && v >> bits != 0 { Err(EncodeError::Width) } else { Ok(v) }
    }
}

/// The number of a day: days since 1600-01-01 in the proleptic Gregorian calendar.
///
/// ```
/// use vouchsafe_proofs::encoding::{date_of, day};
/// let epoch = jiff::civil::date(1970, 1, 1);
/// assert_eq!(day(epoch), Ok(135_140));
/// assert_eq!(date_of(135_140), Some(epoch));
/// ```
///
/// # Errors
/// [`EncodeError::BeforeEpoch`] for a day before 1600-01-01.
pub fn day(date: Date) -> Result<u64, EncodeError> {
    let seconds = date.duration_since(EPOCH).as_secs();
    u64::try_from(seconds / SECONDS_PER_DAY).map_err(|_| EncodeError::BeforeEpoch)
}

/// The date with this number, or `None` beyond the year 9999.
#[must_use]
pub fn date_of(day: u64) -> Option<Date> {
    let (middle, number) = MIDDLE;
    let days = i64::try_from(day).ok()?.checked_sub(number)?;
    middle.checked_add(jiff::SignedDuration::from_secs(days.checked_mul(SECONDS_PER_DAY)?)).ok()
}

/// A date written exactly as YYYY-MM-DD.
///
/// # Errors
/// [`EncodeError::NotADate`] for any other spelling and for days that do not exist.
pub fn date_from(text: &str) -> Result<Date, EncodeError> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(i, c)| if i == 4 || i == 7 { *c == b'-' } else { c.is_ascii_digit() });
    if !shape {
        return Err(EncodeError::NotADate);
    }
    let part = |range: std::ops::Range<usize>| text[range].parse::<i16>().map_err(|_| EncodeError::NotADate);
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let small = |n| i8::try_from(n).map_err(|_| EncodeError::NotADate);
    Date::new(year, small(month)?, small(day)?).map_err(|_| EncodeError::NotADate)
}

fn natural(n: i64) -> Result<u64, EncodeError> {
    u64::try_from(n).map_err(|_| EncodeError::Width)
}

/// One spelling for one number: no sign, no leading zero.
fn decimal(text: &str) -> Result<u64, EncodeError> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(EncodeError::NotANumber);
    }
    text.parse().map_err(|_| EncodeError::Width)
}

/// The scalar of a `str` attribute, wiped after use.
#[derive(Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Text(pub(crate) Scalar);

impl Text {
    /// Wide reduction of SHA-512("vouchsafe/v1/str" || LP(type URI) || LP(canonical text)).
    ///
    /// The URI is the text's semantic type and names no issuer, so that two issuers' commitments can be
    /// compared. `canonical` must already be in the canonical form of that type.
    #[must_use]
    pub fn new(type_uri: &str, canonical: &str) -> Self {
        let mut hash = Sha512::new();
        hash.update(b"vouchsafe/v1/str");
        hash.update(length_prefixed(type_uri.as_bytes()));
        hash.update(length_prefixed(canonical.as_bytes()));
        let wide: zeroize::Zeroizing<[u8; 64]> = zeroize::Zeroizing::new(hash.finalize().into());
        Self(Scalar::from_bytes_mod_order_wide(&wide))
    }

    /// The scalar's canonical little-endian encoding.
    #[must_use]
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }
}

/// LP(x) = 4-byte big-endian length || x.
pub(crate) fn length_prefixed(bytes: &[u8]) -> zeroize::Zeroizing<Vec<u8>> {
    let length = u32::try_from(bytes.len()).expect("texts of a credential are far below 4 GiB");
    let mut framed = zeroize::Zeroizing::new(Vec::with_capacity(4 + bytes.len()));
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(bytes);
    framed
}
