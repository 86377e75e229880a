//! The bit array of a status list and its compression (sections 4.1 to 4.3).

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use vouchsafe_mutants as mutants;

/// The most bytes that a list may inflate to unless somebody decides otherwise in writing.
pub const MAX_INFLATED: usize = 2 * 1024 * 1024;

/// How many bits an entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// Valid or not.
    One,
    /// Suspension as well.
    Two,
    /// Twelve further values.
    Four,
    /// A byte.
    Eight,
}

impl Bits {
    /// Reads the number.
    #[must_use]
    pub fn from_number(bits: u64) -> Option<Self> {
        match bits {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            4 => Some(Self::Four),
            8 => Some(Self::Eight),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    fn per_byte(self) -> u64 {
        u64::from(8 / self.number())
    }

    fn mask(self) -> u8 {
        u8::MAX >> (8 - self.number())
    }
}

/// Why compressed bytes are no list. The fault of who published them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Not zlib (RFC 1950), broken off, or with something behind it.
    #[error("the list is not compressed as the standard says")]
    Compression,
    /// More bytes than the caller allows.
    #[error("the list is larger than allowed")]
    TooLarge,
}

/// An index that the list does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the list has no entry at the credential's index")]
pub struct OutOfRange;

/// A status list, inflated.
#[derive(Clone, PartialEq, Eq)]
pub struct List {
    bits: Bits,
    bytes: Vec<u8>,
}

impl List {
    /// A list of at least `entries` zeros: as many as fill its last byte.
    #[must_use]
    pub fn new(bits: Bits, entries: usize) -> Self {
        let per_byte = usize::from(8 / bits.number());
        Self { bits, bytes: vec![0; entries.div_ceil(per_byte)] }
    }

    /// Inflates a list to `most` bytes and not one more.
    ///
    /// # Errors
    /// [`ListError`].
    pub fn inflate(bits: Bits, compressed: &[u8], most: usize) -> Result<Self, ListError> {
        // By size and not by ratio: an honest sparse list nears the best that the method can do.
        let most = if mutants::skips("status-inflate-cap") { usize::MAX - 1 } else { most };
        let mut decoder = ZlibDecoder::new(compressed);
        let mut bytes = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX - 1) + 1;
        let read = decoder.by_ref().take(limit).read_to_end(&mut bytes);
        read.map_err(|_| ListError::Compression)?;
        if bytes.len() > most {
            return Err(ListError::TooLarge);
        }
        let whole = decoder.total_in() == u64::try_from(compressed.len()).unwrap_or(u64::MAX);
        if !(mutants::skips("status-zlib-rest") || whole) {
            return Err(ListError::Compression);
        }
        Ok(Self { bits, bytes })
    }

    /// The list compressed, as small as the method can.
    #[must_use]
    pub fn deflate(&self) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        let written = encoder.write_all(&self.bytes).and_then(|()| encoder.finish());
        written.expect("writing to memory does not fail")
    }

    /// How many bits an entry has.
    #[must_use]
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// How many entries there are.
    #[must_use]
    pub fn entries(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX).saturating_mul(self.bits.per_byte())
    }

    /// The value at `idx`.
    ///
    /// # Errors
    /// [`OutOfRange`]: such an index is never read as valid.
    pub fn get(&self, idx: u64) -> Result<u8, OutOfRange> {
        let byte = self.place(idx).and_then(|at| self.bytes.get(at)).copied();
        if !(mutants::skips("status-idx-range") || byte.is_some()) {
            return Err(OutOfRange);
        }
        Ok((byte.unwrap_or_default() >> self.shift(idx)) & self.bits.mask())
    }

    /// Sets the value at `idx`; bits beyond the width of an entry are left out.
    ///
    /// # Errors
    /// [`OutOfRange`].
    pub fn set(&mut self, idx: u64, value: u8) -> Result<(), OutOfRange> {
        let (shift, mask) = (self.shift(idx), self.bits.mask());
        let byte = self.place(idx).and_then(|at| self.bytes.get_mut(at)).ok_or(OutOfRange)?;
        *byte = (*byte & !(mask << shift)) | ((value & mask) << shift);
        Ok(())
    }

    fn place(&self, idx: u64) -> Option<usize> {
        usize::try_from(idx / self.bits.per_byte()).ok()
    }

    /// Section 4.1: the first entry of a byte is in its least significant bits.
    fn shift(&self, idx: u64) -> u64 {
        (idx % self.bits.per_byte()) * u64::from(self.bits.number())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    const ALL: [Bits; 4] = [Bits::One, Bits::Two, Bits::Four, Bits::Eight];

    /// Section 4.1: the sixteen one-bit entries and the twelve two-bit entries of its figures.
    #[test]
    fn the_first_entry_is_in_the_lowest_bits() {
        let mut one = List::new(Bits::One, 16);
        for (idx, value) in [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1].into_iter().enumerate() {
            one.set(idx as u64, value).unwrap();
        }
        assert_eq!(one.bytes, [0xb9, 0xa3]);
        let mut two = List::new(Bits::Two, 12);
        for (idx, value) in [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3].into_iter().enumerate() {
            two.set(idx as u64, value).unwrap();
        }
        assert_eq!(two.bytes, [0xc9, 0x44, 0xf9]);
    }

    #[test]
    fn an_index_beyond_the_list_has_no_value() {
        for bits in ALL {
            let mut list = List::new(bits, 16);
            assert_eq!(list.entries(), 16, "{bits:?}");
            assert_eq!(list.get(15), Ok(0));
            for idx in [16, 17, u64::MAX] {
                assert_eq!(list.get(idx), Err(OutOfRange));
                assert_eq!(list.set(idx, 1), Err(OutOfRange));
            }
        }
        assert_eq!(List::new(Bits::One, 1).entries(), 8);
    }

    #[test]
    fn a_bomb_inflates_to_the_cap_and_not_further() {
        let bomb = List::new(Bits::Eight, 64 * 1024 * 1024).deflate();
        assert!(bomb.len() < 70_000);
        assert_eq!(List::inflate(Bits::Eight, &bomb, MAX_INFLATED).err(), Some(ListError::TooLarge));
        let exact = List::new(Bits::Eight, MAX_INFLATED);
        assert!(List::inflate(Bits::Eight, &exact.deflate(), MAX_INFLATED).is_ok());
        let more = List::new(Bits::Eight, MAX_INFLATED + 1).deflate();
        assert_eq!(List::inflate(Bits::Eight, &more, MAX_INFLATED).err(), Some(ListError::TooLarge));
        // What is read of the bomb: the decoder stops where the cap is, far before its end.
        let mut decoder = ZlibDecoder::new(bomb.as_slice());
        let mut bytes = Vec::new();
        decoder.by_ref().take(MAX_INFLATED as u64 + 1).read_to_end(&mut bytes).unwrap();
        assert!(decoder.total_out() <= MAX_INFLATED as u64 + 64 * 1024, "{}", decoder.total_out());
    }

    #[test]
    fn what_is_not_one_whole_stream_is_refused() {
        let good = List::new(Bits::Two, 4096).deflate();
        let mut changed = good.clone();
        *changed.last_mut().unwrap() ^= 1;
        let longer = [&good[..], b"x"].concat();
        for bad in [&[][..], b"x", &good[..good.len() - 1], &changed, &longer, &good[2..]] {
            assert_eq!(List::inflate(Bits::Two, bad, MAX_INFLATED).err(), Some(ListError::Compression));
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_set_is_read(width in 0..4_usize, set: Vec<(u16, u8)>) {
            let mut list = List::new(ALL[width], 2048);
            let mut model = std::collections::BTreeMap::new();
            for (idx, value) in set {
                let idx = idx % 2048;
                list.set(u64::from(idx), value).unwrap();
                model.insert(idx, value & ALL[width].mask());
            }
            let read = List::inflate(ALL[width], &list.deflate(), 1 << 20).unwrap();
            for idx in 0..2048 {
                let value = model.get(&idx).copied().unwrap_or_default();
                proptest::prop_assert_eq!(read.get(u64::from(idx)), Ok(value));
            }
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = List::inflate(Bits::One, &bytes, 4096);
        }
    }
}
