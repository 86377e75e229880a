"""Encodings of attributes, and the commitments made from a copy's seed (specs/proofs, specs/profiles/issuing.md)."""

import base64
import hashlib
import hmac

import dates
import ristretto

#: Bits b of each encoding; `str` is never range-proved and has none.
BITS = {"day": (32,), "pence": (32, 64), "int": (32,), "code": (32,), "bool": (8,)}


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64u_decode(text):
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64u(data) != text:
        raise ValueError("not canonical base64url")
    return data


def sha256(data):
    return hashlib.sha256(data).digest()


def lp(text):
    """LP(x) = 4-byte big-endian length || x."""
    data = text if isinstance(text, bytes) else text.encode()
    return len(data).to_bytes(4, "big") + data


def encode(enc, bits, value):
    """The integer v that stands for a JSON value: each encoding has one JSON form and no other."""
    if bits not in BITS[enc]:
        raise ValueError("no such width for this encoding")
    number = FORMS[enc](bits, value)
    if not 0 <= number < 2**bits:
        raise ValueError("outside [0, 2^b)")
    return number


def _day(_bits, value):
    return dates.day(dates.parse(value))


def _integer(bits, value):
    """An integer; a decimal string, without sign or leading zeros, where b = 64."""
    if bits == 64:
        if not isinstance(value, str) or not value.isascii() or not value.isdigit() or str(int(value)) != value:
            raise ValueError("64-bit values are decimal strings")
        return int(value)
    if type(value) is not int:
        raise ValueError("an integer")
    return value


def _flag(_bits, value):
    if type(value) is not bool:
        raise ValueError("true or false")
    return int(value)


FORMS = {"day": _day, "pence": _integer, "int": _integer, "code": _integer, "bool": _flag}


def encode_str(type_uri, text):
    """`str`: wide reduction of SHA-512("vouchsafe/v1/str" || LP(type URI) || LP(canonical UTF-8))."""
    digest = hashlib.sha512(b"vouchsafe/v1/str" + lp(type_uri) + lp(text)).digest()
    return ristretto.scalar_from_wide(digest)


def hkdf_sha512(salt, secret, info, length):
    """RFC 5869."""
    key = hmac.digest(salt, secret, "sha512")
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([counter]), "sha512")
        out, counter = out + block, counter + 1
    return out[:length]


def blinding(seed, iss, vct, pointer):
    """r of the attribute at `pointer`: one seed per copy."""
    info = lp(iss) + lp(vct) + lp(pointer)
    return ristretto.scalar_from_wide(hkdf_sha512(b"vouchsafe/v1/blind", seed, info, 64))


def commitment(seed, iss, vct, pointer, value):
    return ristretto.encode(ristretto.commit(value, blinding(seed, iss, vct, pointer)))
