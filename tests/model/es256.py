"""ES256 by plain integers: P-256, RFC 6979 nonces, compact JWS, JWK thumbprints. For vectors alone."""

import functools
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


INFINITY = (1, 1, 0)


def double(p):
    """2 p in Jacobian coordinates (x/z^2, y/z^3), with the curve's a = -3."""
    x, y, z = p
    delta, gamma = z * z % P, y * y % P
    beta, alpha = x * gamma % P, 3 * (x - delta) * (x + delta) % P
    u = (alpha * alpha - 8 * beta) % P
    return u, (alpha * (4 * beta - u) - 8 * gamma * gamma) % P, 2 * y * z % P


def add(p, q):
    """On y^2 = x^3 - 3x + b; the point at infinity has z = 0."""
    if not p[2] or not q[2]:
        return q if not p[2] else p
    zp, zq = p[2] * p[2] % P, q[2] * q[2] % P
    u, v = p[0] * zq % P, q[0] * zp % P
    s, t = p[1] * zq * q[2] % P, q[1] * zp * p[2] % P
    if u == v:
        return double(p) if s == t else INFINITY
    h, r = v - u, t - s
    hh = h * h % P
    hhh, x = h * hh % P, u * hh % P
    out = (r * r - hhh - 2 * x) % P
    return out, (r * (x - out) - s * hhh) % P, h * p[2] * q[2] % P


def sum_of(terms):
    """The sum of scalar * point over pairs, as (x, y), or None: two bits of every scalar at a time."""
    tables = []
    for scalar, (x, y) in terms:
        once = (x, y, 1)
        tables.append((scalar, (INFINITY, once, double(once), add(double(once), once))))
    out = INFINITY
    for shift in range(254, -2, -2):
        out = double(double(out))
        for scalar, multiples in tables:
            out = add(out, multiples[scalar >> shift & 3])
    if not out[2]:
        return None
    inverse = pow(out[2], -1, P)
    return out[0] * inverse**2 % P, out[1] * inverse**3 % P


def multiply(scalar, p):
    return sum_of([(scalar, p)])


def is_on_curve(p):
    x, y = p
    return 0 <= x < P and 0 <= y < P and (y * y - x**3 + 3 * x - B) % P == 0


class Key:
    """A signing key from 32 fixed bytes."""

    def __init__(self, seed):
        self.d = int.from_bytes(seed, "big") % (N - 1) + 1
        self.public = multiply(self.d, G)

    def jwk(self):
        x, y = (b64u(part.to_bytes(32, "big")) for part in self.public)
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    def thumbprint(self):
        return thumbprint(self.jwk())

    def sec1(self):
        return b"\x04" + b"".join(part.to_bytes(32, "big") for part in self.public)

    def sign(self, message):
        """r and s, with s in the lower half as some verifiers want it."""
        digest = sha256(message)
        for k in nonces(self.d, digest):
            r = multiply(k, G)[0] % N
            s = pow(k, -1, N) * (int.from_bytes(digest, "big") + r * self.d) % N
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
    return len(raw) == 64 and holds(signed.encode(), r, s, public)


@functools.lru_cache(4096)
def holds(message, r, s, public):
    """Whether (r, s) is the key's signature over the message."""
    if not (0 < r < N and 0 < s < N and is_on_curve(public)):
        return False
    inverse = pow(s, -1, N)
    digest = int.from_bytes(sha256(message), "big")
    point = sum_of([(digest * inverse % N, G), (r * inverse % N, public)])
    return point is not None and point[0] % N == r


def public_of(jwk):
    """The point of a bare public key."""
    if set(jwk) - {"kid", "alg", "use"} != {"crv", "kty", "x", "y"} or (jwk["crv"], jwk["kty"]) != ("P-256", "EC"):
        raise ValueError("a public P-256 key")
    return tuple(int.from_bytes(encoding.b64u_decode(jwk[name]), "big") for name in ("x", "y"))


def thumbprint(jwk):
    """RFC 7638: the required members in order, without white space."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return sha256(json.dumps(members, separators=(",", ":")).encode())


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
