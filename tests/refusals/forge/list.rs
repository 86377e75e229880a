//! Status list tokens made by hand, as JWT and as CWT, and a bomb in zlib.
//!
//! Neither CBOR nor DEFLATE is written by the packages that read them: a forger writes what they would not.

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64, b64u};
use vouchsafe_protocol::status::{Bits, CWT_MEDIA_TYPE, JWT_TYP, List};
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::keys::SigningKey;

use super::{Write, sign};
use crate::world::{ISS, NOON};

/// Where the honest list is.
pub(crate) const URI: &str = "https://issuer.larkfield.example/status/a";
/// How many entries it has.
pub(crate) const ENTRIES: usize = 4096;

/// Two-bit entries: 1 revoked, 2 suspended, 3 of nobody's meaning, the others valid.
pub(crate) fn honest() -> List {
    let mut list = List::new(Bits::Two, ENTRIES);
    for value in 1..=3 {
        list.set(u64::from(value), value).unwrap();
    }
    list
}

/// A key of [`ISS`] with its certificate.
fn signer(ca: &DevCa) -> (SigningKey, Vec<u8>) {
    let leaf = ca.signer(ISS, SigningKey::generate().unwrap(), NOON).unwrap();
    (leaf.key, leaf.certificate.to_vec())
}

/// A list as JWT before it is signed.
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) key: SigningKey,
    pub(crate) write_header: Write,
    pub(crate) write_claims: Write,
}

impl Jwt {
    pub(crate) fn honest(ca: &DevCa) -> Self {
        let (key, certificate) = signer(ca);
        let mut token = Self {
            header: json!({"alg": "ES256", "typ": JWT_TYP}),
            claims: json!({"sub": URI, "iat": NOON.0, "exp": NOON.plus(3600).0, "ttl": 900}),
            key,
            write_header: super::as_it_is,
            write_claims: super::as_it_is,
        };
        token.certify(&[certificate]);
        token.hold(&honest().deflate());
        token
    }

    /// Carries this certificate path.
    pub(crate) fn certify(&mut self, chain: &[Vec<u8>]) {
        self.header["x5c"] = chain.iter().map(b64).collect();
    }

    /// Holds these bytes as its list.
    pub(crate) fn hold(&mut self, compressed: &[u8]) {
        self.claims["status_list"] = json!({"bits": 2, "lst": b64u(compressed)});
    }

    pub(crate) fn sign(self) -> String {
        let header = (self.write_header)(self.header.to_string());
        let claims = (self.write_claims)(self.claims.to_string());
        sign(&header, &claims, &self.key)
    }
}

/// A list as CWT before it is signed: pairs of CBOR, in their order.
pub(crate) struct Cwt {
    pub(crate) protected: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) unprotected: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) claims: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) key: SigningKey,
    /// The tags around the whole, the outermost first.
    pub(crate) tags: Vec<u64>,
}

impl Cwt {
    pub(crate) fn honest(ca: &DevCa) -> Self {
        let (key, certificate) = signer(ca);
        let seconds = |seconds: i64| cbor::uint(seconds.try_into().unwrap());
        let mut token = Self {
            protected: vec![(cbor::uint(1), cbor::negative(6)), (cbor::uint(16), cbor::text(CWT_MEDIA_TYPE))],
            unprotected: vec![(cbor::uint(33), cbor::bytes(&certificate))],
            claims: vec![
                (cbor::uint(2), cbor::text(URI)),
                (cbor::uint(6), seconds(NOON.0)),
                (cbor::uint(4), seconds(NOON.plus(3600).0)),
                (cbor::uint(65_534), cbor::uint(900)),
            ],
            key,
            tags: vec![18],
        };
        token.hold(&honest().deflate());
        token
    }

    /// Holds these bytes as its list.
    pub(crate) fn hold(&mut self, compressed: &[u8]) {
        let list = [(cbor::text("bits"), cbor::uint(2)), (cbor::text("lst"), cbor::bytes(compressed))];
        self.claims.retain(|(name, _)| *name != cbor::uint(65_533));
        self.claims.push((cbor::uint(65_533), cbor::map(&list)));
    }

    /// Carries these certificates.
    pub(crate) fn certify(&mut self, chain: &[Vec<u8>]) {
        let chain: Vec<_> = chain.iter().map(|der| cbor::bytes(der)).collect();
        self.unprotected[0].1 = cbor::array(&chain);
    }

    /// RFC 9052 section 4.4.
    pub(crate) fn sign(self) -> Vec<u8> {
        let (protected, payload) = (cbor::map(&self.protected), cbor::map(&self.claims));
        let input = cbor::array(&[
            cbor::text("Signature1"),
            cbor::bytes(&protected),
            cbor::bytes(&[]),
            cbor::bytes(&payload),
        ]);
        let signature = self.key.sign_now(&input).unwrap();
        let token = cbor::array(&[
            cbor::bytes(&protected),
            cbor::map(&self.unprotected),
            cbor::bytes(&payload),
            cbor::bytes(&signature),
        ]);
        self.tags.iter().rev().fold(token, |inner, tag| cbor::tagged(*tag, &inner))
    }
}

/// CBOR (RFC 8949), as much as a token needs.
pub(crate) mod cbor {
    fn head(major: u8, number: u64) -> Vec<u8> {
        let major = major << 5;
        let all = number.to_be_bytes();
        match number {
            0..24 => vec![major | all[7]],
            24..0x100 => vec![major | 24, all[7]],
            0x100..0x1_0000 => [&[major | 25], &all[6..]].concat(),
            0x1_0000..0x1_0000_0000 => [&[major | 26], &all[4..]].concat(),
            _ => [&[major | 27], &all[..]].concat(),
        }
    }

    pub(crate) fn uint(number: u64) -> Vec<u8> {
        head(0, number)
    }

    /// -1 - `number`.
    pub(crate) fn negative(number: u64) -> Vec<u8> {
        head(1, number)
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Vec<u8> {
        [head(2, bytes.len() as u64), bytes.to_vec()].concat()
    }

    pub(crate) fn text(text: &str) -> Vec<u8> {
        [head(3, text.len() as u64), text.into()].concat()
    }

    pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
        [head(4, items.len() as u64), items.concat()].concat()
    }

    pub(crate) fn map(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let members: Vec<_> = members.iter().flat_map(|(name, value)| [&name[..], &value[..]]).collect();
        [head(5, members.len() as u64 / 2), members.concat()].concat()
    }

    pub(crate) fn tagged(tag: u64, inner: &[u8]) -> Vec<u8> {
        [head(6, tag), inner.to_vec()].concat()
    }
}

/// A zlib stream of zeros in one block of fixed codes: 13 bits for each [`Bomb::STEP`] bytes.
pub(crate) struct Bomb {
    bytes: Vec<u8>,
    bits: usize,
    zeros: usize,
}

impl Bomb {
    /// What one repetition gives, the most that there is.
    pub(crate) const STEP: usize = 258;

    /// One zero, and the first bits of what will repeat it (RFC 1951, 3.2.6).
    fn open() -> Self {
        // RFC 1950: a window of 32 KiB, the best level.
        let mut stream = Self { bytes: vec![0x78, 0xda], bits: 16, zeros: 1 };
        stream.number(0b011, 3);
        stream.code(0b0011_0000, 8);
        stream
    }

    /// Bits of a number come lowest first.
    fn number(&mut self, number: u32, width: usize) {
        for at in 0..width {
            if self.bits.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::from((number >> at) & 1 == 1);
            *self.bytes.last_mut().unwrap() |= bit << (self.bits % 8);
            self.bits += 1;
        }
    }

    /// Bits of a code come highest first.
    fn code(&mut self, code: u32, width: usize) {
        (0..width).rev().for_each(|at| self.number((code >> at) & 1, 1));
    }

    fn to(mut self, zeros: usize) -> Self {
        while self.zeros + Self::STEP <= zeros {
            // Length 258, distance 1.
            self.code(0b1100_0101, 8);
            self.code(0, 5);
            self.zeros += Self::STEP;
        }
        self
    }

    /// A whole stream of at most `zeros`, less than [`Bomb::STEP`] short of it.
    pub(crate) fn of(zeros: usize) -> Vec<u8> {
        let mut stream = Self::open().to(zeros);
        stream.code(0, 7);
        // Adler-32 of zeros: the sum stays 1, the sum of sums counts them.
        let sums = (u32::try_from(stream.zeros % 65_521).unwrap() << 16) | 1;
        [stream.bytes, sums.to_be_bytes().to_vec()].concat()
    }

    /// A stream that is good up to `zeros`, and there has a code that means nothing; long enough to be read further.
    pub(crate) fn broken_after(zeros: usize) -> Vec<u8> {
        let mut stream = Self::open().to(zeros);
        stream.code(0b1100_0101, 8);
        stream.code(0b11110, 5);
        [stream.bytes, vec![0; 4096]].concat()
    }
}
