//! Where the programs get randomness from.
//!
//! Core functions take a random number generator as an argument; shells draw from an [`Entropy`] held in their state.
//! Everything drawn here comes from the operating system by way of `ring`. A test may put its own source in place.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use ring::rand::{SecureRandom, SystemRandom};
use vouchsafe_protocol::encoding::b64u;

/// Letters of a code that people type: Crockford's base 32, without I, L, O and U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    ///
    /// # Panics
    /// When the source fails: without randomness nothing that follows is safe, so there is no error to handle.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's generator.
#[derive(Clone)]
pub struct OsEntropy(SystemRandom);

impl OsEntropy {
    /// The operating system's generator.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's randomness enters")]
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for OsEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OsEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OsEntropy")
    }
}

impl Entropy for OsEntropy {
    fn fill(&self, out: &mut [u8]) {
        self.0.fill(out).expect("the operating system gives random bytes to every process that has started");
    }
}

/// An [`Entropy`] in the shape that the pure crates take: `rand_core` 0.6's `CryptoRngCore`.
pub struct EntropyRng<'a>(pub &'a dyn Entropy);

impl RngCore for EntropyRng<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(bytes(self.0))
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(bytes(self.0))
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl CryptoRng for EntropyRng<'_> {}

/// `N` unpredictable bytes.
#[must_use]
pub fn bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

/// 16 unpredictable bytes as base64url: 22 letters, for identifiers and handles.
#[must_use]
pub fn id16(entropy: &dyn Entropy) -> String {
    b64u(bytes::<16>(entropy))
}

/// 32 unpredictable bytes as base64url: 43 letters, for nonces, tokens and sessions.
#[must_use]
pub fn token32(entropy: &dyn Entropy) -> String {
    b64u(bytes::<32>(entropy))
}

/// A code of `letters` letters for people to type, five bits each, in Crockford's base 32.
#[must_use]
pub fn code(entropy: &dyn Entropy, letters: usize) -> String {
    let mut drawn = vec![0; letters];
    entropy.fill(&mut drawn);
    crockford(&drawn)
}

/// A letter for the low five bits of each byte, in Crockford's base 32; for bytes that are chance or a digest.
#[must_use]
pub fn crockford(bytes: &[u8]) -> String {
    // 256 is a multiple of 32, so the remainder is uniform.
    bytes.iter().map(|byte| char::from(CROCKFORD[usize::from(byte % 32)])).collect()
}

/// A code of `digits` decimal digits, each uniform.
#[must_use]
pub fn digits(entropy: &dyn Entropy, digits: usize) -> String {
    let mut out = String::with_capacity(digits);
    while out.len() < digits {
        let [byte] = bytes::<1>(entropy);
        // 250 is the largest multiple of 10 in a byte; above it the remainder would favour low digits.
        if byte < 250 {
            out.push(char::from(b'0' + byte % 10));
        }
    }
    out
}

/// What a person typed as a Crockford code, in the form [`code`] gives: upper case, I and L as 1, O as 0, without
/// spaces and hyphens. `None` when a letter is left that no code has.
#[must_use]
pub fn normal_code(typed: &str) -> Option<String> {
    typed
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-'))
        .map(|letter| match letter.to_ascii_uppercase() {
            'I' | 'L' => Some('1'),
            'O' => Some('0'),
            upper => u8::try_from(upper).ok().filter(|byte| CROCKFORD.contains(byte)).map(char::from),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts upwards, so that the tests can foresee what is drawn.
    struct Counting(std::sync::atomic::AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, out: &mut [u8]) {
            out.fill_with(|| self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        }
    }

    #[test]
    fn identifiers_have_their_length_and_differ() {
        let entropy = OsEntropy::new();
        assert_eq!(id16(&entropy).len(), 22);
        assert_eq!(token32(&entropy).len(), 43);
        assert_ne!(token32(&entropy), token32(&entropy));
    }

    #[test]
    fn codes_use_the_alphabet_and_read_back() {
        let entropy = Counting(0.into());
        let drawn = code(&entropy, 32);
        assert_eq!(drawn.as_bytes(), CROCKFORD);
        assert_eq!(normal_code("o1l-I abz"), Some("0111ABZ".to_owned()));
        assert_eq!(normal_code("U"), None);
        assert_eq!(normal_code("é"), None);
    }

    #[test]
    fn digits_skip_the_biased_tail() {
        let entropy = Counting(248.into());
        assert_eq!(digits(&entropy, 4), "8901");
    }

    #[test]
    fn the_adapter_draws_from_the_source() {
        let entropy = Counting(1.into());
        let mut rng = EntropyRng(&entropy);
        assert_eq!(rng.next_u32(), 0x0403_0201);
        let mut rest = [0; 2];
        rng.fill_bytes(&mut rest);
        assert_eq!(rest, [5, 6]);
    }
}
