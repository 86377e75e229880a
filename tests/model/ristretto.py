"""ristretto255 (RFC 9496) with plain integers: slow, variable time, for checking public vectors only.

A point is a quadruple (x, y, z, t) of extended coordinates on the twisted Edwards curve
-x^2 + y^2 = 1 + d x^2 y^2 over the integers mod p. Its encodings are the only thing that leaves this module
in tests: two quadruples of one coset encode alike.
"""

import hashlib

P = 2**255 - 19
#: The order of the group, written l in specs/proofs.
L = 2**252 + 27742317777372353535851937790883648493

D = (-121665 * pow(121666, P - 2, P)) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


class Invalid(ValueError):
    """Bytes that encode no point or no scalar."""


def inverse(value, modulus):
    return pow(value, -1, modulus)


def is_negative(value):
    """RFC 9496 4.1: a field element is negative if its least representative is odd."""
    return value % P & 1 == 1


def absolute(value):
    value %= P
    return P - value if is_negative(value) else value


def sqrt_ratio(u, v):
    """RFC 9496 4.2: (True, +sqrt(u/v)), or (False, +sqrt(i*u/v))."""
    r = u * v**3 % P * pow(u * v**7 % P, (P - 5) // 8, P) % P
    check = v * r * r % P
    u %= P
    if check in ((-u) % P, (-u * SQRT_M1) % P):
        r = r * SQRT_M1 % P
    return check in (u, (-u) % P), absolute(r)


# Constants of RFC 9496 4.1, derived rather than typed in.
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P
INVSQRT_A_MINUS_D = sqrt_ratio(1, (-1 - D) % P)[1]
# The RFC fixes which of the two roots of a*d - 1 is meant: this one is odd.
SQRT_AD_MINUS_ONE = P - sqrt_ratio((-D - 1) % P, 1)[1]

IDENTITY = (0, 1, 1, 0)


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * D * p[3] % P * q[3] % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(p):
    """add(p, p), by fewer multiplications."""
    x, y, z, _ = p
    xx, yy = x * x, y * y
    h, g = (xx + yy) % P, (xx - yy) % P
    e, f = (h - (x + y) ** 2) % P, (2 * z * z + g) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(p):
    return (-p[0] % P, p[1], p[2], -p[3] % P)


def multiply(scalar, p):
    scalar %= L
    out = IDENTITY
    for bit in bin(scalar)[2:]:
        out = double(out)
        if bit == "1":
            out = add(out, p)
    return out


def multi_sum(terms):
    """The sum of scalar * point over pairs (all inputs are public): four bits at a time, or by buckets where many."""
    terms = [(scalar % L, point) for scalar, point in terms]
    return _by_tables(terms) if len(terms) < 150 else _by_buckets(terms, 6 if len(terms) < 1000 else 8)


def _by_tables(terms):
    tables = []
    for _, point in terms:
        multiples = [IDENTITY]
        for _ in range(15):
            multiples.append(add(multiples[-1], point))
        tables.append(multiples)
    out = IDENTITY
    for shift in range(252, -4, -4):
        for _ in range(4):
            out = double(out)
        for (scalar, _), multiples in zip(terms, tables):
            digit = scalar >> shift & 15
            if digit:
                out = add(out, multiples[digit])
    return out


def _by_buckets(terms, width):
    out = IDENTITY
    for shift in reversed(range(0, 253, width)):
        for _ in range(width):
            out = double(out)
        out = add(out, _bucket_sum(terms, shift, width))
    return out


def _bucket_sum(terms, shift, width):
    buckets = [IDENTITY] * 2**width
    for scalar, point in terms:
        digit = scalar >> shift & 2**width - 1
        if digit:
            buckets[digit] = add(buckets[digit], point)
    running, total = IDENTITY, IDENTITY
    for bucket in reversed(buckets[1:]):
        running = add(running, bucket)
        total = add(total, running)
    return total


def encode(p):
    """RFC 9496 4.3.2."""
    x0, y0, z0, t0 = p
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    _, invsqrt = sqrt_ratio(1, u1 * u2 * u2 % P)
    den1, den2 = invsqrt * u1 % P, invsqrt * u2 % P
    z_inv = den1 * den2 * t0 % P
    x, y, den_inv = x0, y0, den2
    if is_negative(t0 * z_inv):
        x, y = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P
        den_inv = den1 * INVSQRT_A_MINUS_D % P
    if is_negative(x * z_inv):
        y = -y % P
    return absolute(den_inv * (z0 - y)).to_bytes(32, "little")


def decode(data):
    """RFC 9496 4.3.1. Refuses what is not the one canonical encoding of a point."""
    if len(data) != 32:
        raise Invalid("a point is 32 bytes")
    s = int.from_bytes(data, "little")
    if s >= P or is_negative(s):
        raise Invalid("not a canonical field element")
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    v = (-(D * u1 * u1) - u2 * u2) % P
    was_square, invsqrt = sqrt_ratio(1, v * u2 * u2 % P)
    den_x = invsqrt * u2 % P
    den_y = invsqrt * den_x * v % P
    x = absolute(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    if not was_square or is_negative(t) or y == 0:
        raise Invalid("no point has this encoding")
    return x, y, 1, t


def from_uniform(data):
    """RFC 9496 4.3.4: 64 uniform bytes to a point."""
    if len(data) != 64:
        raise Invalid("64 uniform bytes are needed")
    return add(_map(data[:32]), _map(data[32:]))


def _map(half):
    t = int.from_bytes(half, "little") % 2**255 % P
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio(u, v)
    s, c = (s, P - 1) if was_square else (-absolute(s * t) % P, r)
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def scalar_from_wide(data):
    """specs/profiles/issuing.md: wide reductions take 64 bytes little-endian mod l."""
    if len(data) != 64:
        raise Invalid("a wide reduction takes 64 bytes")
    return int.from_bytes(data, "little") % L


def scalar_from_canonical(data):
    value = int.from_bytes(data, "little")
    if len(data) != 32 or value >= L:
        raise Invalid("not a canonical scalar")
    return value


def scalar_bytes(value):
    return (value % L).to_bytes(32, "little")


def _base():
    # RFC 9496 4: the base point is that of edwards25519, y = 4/5 with even x.
    y = 4 * inverse(5, P) % P
    _, x = sqrt_ratio((y * y - 1) % P, (D * y * y + 1) % P)
    return x, y, 1, x * y % P


#: specs/proofs: B is the base point, H = from_uniform(SHA3-512(encoding(B))).
B = _base()
H = from_uniform(hashlib.sha3_512(encode(B)).digest())


def commit(value, blinding):
    """specs/proofs, notation: Com(v; r) = v*B + r*H."""
    return multi_sum([(value, B), (blinding, H)])
