"""Encodings of attributes, and the commitments made from a copy's seed (PROOFS 2.1, PROFILE 5)."""

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


def encode(enc, value):
    """The integer v that stands for a JSON value."""
    if enc == "day":
        return dates.day(dates.parse(value))
    if enc == "bool":
        return {True: 1, False: 0}[value]
    number = int(value)
    if number < 0:
        raise ValueError("encoded integers are not negative")
    return number


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
