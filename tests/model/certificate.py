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


# --- reading ------------------------------------------------------------------------------------------------------


class Unreadable(ValueError):
    """Not a certificate as this module reads them, or one that does not hold."""


def element(data, at=0):
    """Tag, content and end of the element at `at`."""
    if at + 2 > len(data):
        raise Unreadable("cut short")
    tag, size, start = data[at], data[at + 1], at + 2
    if size & 0x80:
        width = size & 0x7F
        size, start = int.from_bytes(data[start : start + width], "big"), start + width
    if start + size > len(data):
        raise Unreadable("cut short")
    return tag, data[start : start + size], start + size


def elements(data):
    found, at = [], 0
    while at < len(data):
        tag, content, end = element(data, at)
        found.append((tag, content, data[at:end]))
        at = end
    return found


class Certificate:
    """Names, key, validity and further names of a certificate; its signature is checked by whoever asks."""

    def __init__(self, der):
        self.der = der
        _, whole, end = element(der)
        (_, signed, self.signed), _, (_, signature, _) = elements(whole)
        fields = [one for one in elements(signed) if one[0] not in (0xA0,)]
        _, _, (_, _, self.issuer), (_, validity, _), (_, _, self.subject), (_, key, _), *rest = fields
        if end != len(der):
            raise Unreadable("trailing bytes")
        self.validity = [content.decode() for _, content, _ in elements(validity)]
        point = elements(key)[1][1][1:]
        self.public = tuple(int.from_bytes(point[at : at + 32], "big") for at in (1, 33))
        self.signature = [int.from_bytes(content, "big") for _, content, _ in elements(element(signature[1:])[1])]
        self.names = names_of([content for tag, content, _ in rest if tag == 0xA3])

    def signed_by(self, other):
        return self.issuer == other.subject and es256.holds(self.signed, *self.signature, other.public)

    def is_valid(self, when):
        """`when` as YYMMDDhhmmssZ; certificates of this century."""
        first, last = self.validity
        return first <= when <= last


def names_of(extensions):
    """The subject's further names: (tag, text), where 0x86 is a URI and 0x82 a DNS name."""
    wanted, found = oid(SUBJECT_ALT_NAME), []
    for one in extensions:
        for _, content, _ in elements(element(one)[1]):
            parts = elements(content)
            if parts[0][2] == wanted:
                found += [(tag, text.decode()) for tag, text, _ in elements(element(parts[-1][1])[1])]
    return found


def under(leaf_der, anchors, when):
    """The leaf and the anchor that signed it."""
    leaf = Certificate(leaf_der)
    for anchor in map(Certificate, anchors):
        if leaf.signed_by(anchor) and leaf.is_valid(when) and anchor.is_valid(when):
            return leaf, anchor
    raise Unreadable("no anchor signed it, or not for now")
