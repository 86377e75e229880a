//! ristretto255 (RFC 9496), on which all our own arithmetic runs: the two bases, commitments, the points of a
//! range entry. Only 32-byte encodings cross to the range-proof package, which has a curve crate of its own.

use std::sync::LazyLock;

use curve25519_dalek::{
    RistrettoPoint, Scalar, constants,
    ristretto::{CompressedRistretto, RistrettoBasepointTable},
    traits::{Identity, IsIdentity},
};
use vouchsafe_mutants as mutants;

/// Encoding of the value base `B`, the group's generator (RFC 9496 A.1).
pub(crate) const B: [u8; 32] = [
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58,
    0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
];
/// Encoding of the blinding base `H`, the element derived from SHA3-512(B): nobody knows its logarithm.
pub(crate) const H: [u8; 32] = [
    0x8c, 0x92, 0x40, 0xb4, 0x56, 0xa9, 0xe6, 0xdc, 0x65, 0xc3, 0x77, 0xa1, 0x04, 0x8d, 0x74, 0x5f, 0x94,
    0xa0, 0x8c, 0xdb, 0x7f, 0x44, 0xcb, 0xcd, 0x7b, 0x46, 0xf3, 0x40, 0x48, 0x87, 0x11, 0x34,
];
/// Encoding of the identity, Com(0; 0): what an aggregate is padded with.
pub(crate) const IDENTITY: [u8; 32] = [0; 32];

static H_TABLE: LazyLock<RistrettoBasepointTable> = LazyLock::new(|| {
    let point =
        CompressedRistretto(H).decompress().expect("H is the encoding of a point, see the test below");
    RistrettoBasepointTable::create(&point)
});

/// v*B + r*H, in constant time.
pub(crate) fn commit(v: &Scalar, r: &Scalar) -> RistrettoPoint {
    RistrettoPoint::mul_base(v) + &*H_TABLE * r
}

/// r*H, in constant time.
pub(crate) fn blind(r: &Scalar) -> RistrettoPoint {
    &*H_TABLE * r
}

/// B as an element.
pub(crate) fn value_base() -> RistrettoPoint {
    constants::RISTRETTO_BASEPOINT_POINT
}

/// H as an element.
pub(crate) fn blinding_base() -> RistrettoPoint {
    H_TABLE.basepoint()
}

/// k*B of a public `k`, in variable time: a bound has some twenty bits, and only those cost anything.
#[expect(clippy::disallowed_methods, reason = "the bound is public, and the name says what it is")]
pub(crate) fn multiple_vartime(k: u64) -> RistrettoPoint {
    let none = RistrettoPoint::identity();
    RistrettoPoint::vartime_double_scalar_mul_basepoint(&Scalar::ZERO, &none, &Scalar::from(k))
}

/// k*P of a public point and a public `k`, in variable time.
#[expect(clippy::disallowed_methods, reason = "both are public, and the name says what it is")]
pub(crate) fn times_vartime(k: i64, point: &RistrettoPoint) -> RistrettoPoint {
    let size = Scalar::from(k.unsigned_abs());
    let multiple = if k.unsigned_abs() == 1 {
        *point
    } else {
        RistrettoPoint::vartime_double_scalar_mul_basepoint(&size, point, &Scalar::ZERO)
    };
    if k < 0 { -multiple } else { multiple }
}

/// A point an issuer signed: the canonical encoding (RFC 9496 4.3.1) of a point other than the identity.
pub(crate) fn decode_signed(encoding: &[u8; 32]) -> Option<RistrettoPoint> {
    let point = CompressedRistretto(*encoding).decompress()?;
    // Com(0; 0) hides nothing, and anybody can open it.
    let hides = !point.is_identity();
    if !(mutants::skips("zk-identity") || hides) {
        return None;
    }
    Some(point)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::hex::tests::unhex;

    fn rfc9496() -> Value {
        serde_json::from_str(include_str!("../../../specs/vectors/rfc9496/ristretto255.json")).unwrap()
    }

    fn encoding(value: &Value) -> [u8; 32] {
        unhex(value.as_str().unwrap()).try_into().unwrap()
    }

    #[test]
    fn multiples_of_the_generator() {
        for (i, multiple) in rfc9496()["multiples"].as_array().unwrap().iter().enumerate() {
            let expected = encoding(multiple);
            let point = RistrettoPoint::mul_base(&Scalar::from(i as u64));
            assert_eq!(point.compress().0, expected);
            assert_eq!(multiple_vartime(i as u64).compress().0, expected);
            // All but the identity may be signed.
            assert_eq!(decode_signed(&expected), (i != 0).then_some(point));
        }
    }

    #[test]
    fn invalid_encodings() {
        for bad in rfc9496()["invalid"].as_array().unwrap() {
            assert_eq!(decode_signed(&encoding(&bad["encoding"])), None, "{}", bad["why"]);
        }
    }

    #[test]
    fn elements_from_uniform_bytes() {
        for case in rfc9496()["from_uniform_bytes"].as_array().unwrap() {
            let input = unhex(case["input"].as_str().unwrap()).try_into().unwrap();
            let element = RistrettoPoint::from_uniform_bytes(&input);
            assert_eq!(element.compress().0, encoding(&case["output"]));
        }
    }

    #[test]
    fn bases_are_those_of_the_package() {
        let (b, h) = crate::range::bases();
        assert_eq!((B, H), (b, h));
        assert_eq!(RistrettoPoint::mul_base(&Scalar::ONE).compress().0, B);
        assert_eq!((&*H_TABLE * &Scalar::ONE).compress().0, H);
    }
}
