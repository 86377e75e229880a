"""ES256 by plain integers: P-256, RFC 6979 nonces, compact JWS, JWK thumbprints. For vectors alone."""

import hmac
import json

import encoding
from encoding import b64u, sha256

# FIPS 186-4 D.1.2.3.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(p, q):
    """Affine addition on y^2 = x^3 - 3x + b; None is the point at infinity."""
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % P == 0:
        return None
    if p == q:
        slope = (3 * p[0] * p[0] - 3) * pow(2 * p[1], P - 2, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], P - 2, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def multiply(scalar, p):
    out = None
    for bit in bin(scalar)[2:]:
        out = add(out, out)
        if bit == "1":
            out = add(out, p)
    return out


class Key:
    """A signing key from 32 fixed bytes."""

    def __init__(self, seed):
        self.d = int.from_bytes(seed, "big") % (N - 1) + 1
        self.public = multiply(self.d, G)

    def jwk(self):
        x, y = (b64u(part.to_bytes(32, "big")) for part in self.public)
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    def thumbprint(self):
        """RFC 7638: the required members in order, without white space."""
        return sha256(json.dumps(self.jwk(), separators=(",", ":")).encode())

    def sec1(self):
        return b"\x04" + b"".join(part.to_bytes(32, "big") for part in self.public)

    def sign(self, message):
        """r and s, with s in the lower half as some verifiers want it."""
        digest = sha256(message)
        for k in nonces(self.d, digest):
            r = multiply(k, G)[0] % N
            s = pow(k, N - 2, N) * (int.from_bytes(digest, "big") + r * self.d) % N
            if r and s:
                return r, min(s, N - s)

    def jws(self, header, claims):
        head, body = (b64u(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        signature = b"".join(part.to_bytes(32, "big") for part in self.sign(f"{head}.{body}".encode()))
        return f"{head}.{body}.{b64u(signature)}"


def verify(jws, public):
    """Whether the key signed the text before the last dot."""
    signed, _, signature = jws.rpartition(".")
    raw = encoding.b64u_decode(signature)
    r, s = (int.from_bytes(raw[at : at + 32], "big") for at in (0, 32))
    if len(raw) != 64 or not (0 < r < N and 0 < s < N):
        return False
    inverse = pow(s, N - 2, N)
    digest = int.from_bytes(sha256(signed.encode()), "big")
    point = add(multiply(digest * inverse % N, G), multiply(r * inverse % N, public))
    return point is not None and point[0] % N == r


def nonces(d, digest):
    """RFC 6979 3.2 with HMAC-SHA256."""
    seed = d.to_bytes(32, "big") + (int.from_bytes(digest, "big") % N).to_bytes(32, "big")
    key, value = bytes(32), b"\1" * 32
    for step in (b"\0", b"\1"):
        key = hmac.digest(key, value + step + seed, "sha256")
        value = hmac.digest(key, value, "sha256")
    while True:
        value = hmac.digest(key, value, "sha256")
        k = int.from_bytes(value, "big")
        if 0 < k < N:
            yield k
        key = hmac.digest(key, value + b"\0", "sha256")
        value = hmac.digest(key, value, "sha256")


def payload_octets(jws):
    """The octets that were signed as payload; a table's hash is theirs (specs/profiles/request.md)."""
    return encoding.b64u_decode(jws.split(".")[1])
