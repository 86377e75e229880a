"""X.509 certificates, just enough for a trust anchor and a leaf: DER by hand (RFC 5280)."""

import es256
from encoding import sha256

EC_PUBLIC_KEY = "1.2.840.10045.2.1"
PRIME256V1 = "1.2.840.10045.3.1.7"
ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
COMMON_NAME = "2.5.4.3"
BASIC_CONSTRAINTS, KEY_USAGE, SUBJECT_ALT_NAME = "2.5.29.19", "2.5.29.15", "2.5.29.17"


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def sequence(*parts):
    return tlv(0x30, *parts)


def integer(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def bits(data, unused=0):
    return tlv(3, bytes([unused]), data)


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([40 * first + second])
    for part in rest:
        groups = [part & 127]
        while part := part >> 7:
            groups.append(part & 127 | 128)
        out += bytes(reversed(groups))
    return tlv(6, out)


def name(text):
    return sequence(tlv(0x31, sequence(oid(COMMON_NAME), tlv(0x0C, text.encode()))))


def extension(kind, critical, value):
    return sequence(oid(kind), tlv(1, b"\xff") if critical else b"", tlv(4, value))


def certificate(issuer_name, issuer_key, subject, key, validity, extensions):
    algorithm = sequence(oid(ECDSA_WITH_SHA256))
    public = sequence(sequence(oid(EC_PUBLIC_KEY), oid(PRIME256V1)), bits(key.sec1()))
    serial = int.from_bytes(sha256(subject.encode())[:8], "big")
    dates = sequence(*(tlv(0x17, text.encode()) for text in validity))
    signed = sequence(
        tlv(0xA0, integer(2)), integer(serial), algorithm, name(issuer_name), dates, name(subject), public,
        tlv(0xA3, sequence(*extensions)),
    )
    r, s = issuer_key.sign(signed)
    return sequence(signed, algorithm, bits(sequence(integer(r), integer(s))))


def anchor(subject, key, validity):
    """Self-signed; may sign certificates."""
    extensions = [
        extension(BASIC_CONSTRAINTS, True, sequence(tlv(1, b"\xff"))),
        extension(KEY_USAGE, True, bits(b"\x04", 2)),
    ]
    return certificate(subject, key, subject, key, validity, extensions)


def leaf(anchor_name, anchor_key, subject, key, validity, uri):
    """May sign; its URI name is the issuer identifier, which binds `x5c` to `iss`."""
    extensions = [
        extension(KEY_USAGE, True, bits(b"\x80", 7)),
        extension(SUBJECT_ALT_NAME, False, sequence(tlv(0x86, uri.encode()))),
    ]
    return certificate(anchor_name, anchor_key, subject, key, validity, extensions)
