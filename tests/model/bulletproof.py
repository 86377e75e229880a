"""The aggregated range proof of the Bulletproofs paper, as the `bulletproofs` package puts it into bytes.

Generators, labels and layout are those of release 5.0.0. Names follow the package's notes on range proofs:
lower case scalars, upper case points; n bits, m values.
"""

import hashlib

import ristretto
from ristretto import B, H, L, Invalid, decode, encode, multi_sum, multiply


def inv(value):
    return ristretto.inverse(value % L, L)


def length(n, m):
    """specs/proofs: 32 * (9 + 2 * log2(n * m)) bytes."""
    return 32 * (9 + 2 * ((n * m).bit_length() - 1))


_CHAINS = {}


def chain(letter, party, count):
    """SHAKE256("GeneratorsChain" || letter || LE32(party)), each 64 bytes mapped to the group."""
    known = _CHAINS.setdefault((letter, party), [])
    if len(known) < count:
        label = b"GeneratorsChain" + letter + party.to_bytes(4, "little")
        stream = hashlib.shake_256(label).digest(64 * count)
        known[:] = [ristretto.from_uniform(stream[64 * i : 64 * i + 64]) for i in range(count)]
    return known[:count]


def generators(letter, n, m):
    return [point for party in range(m) for point in chain(letter, party, n)]


def powers(base, count):
    out = [1]
    for _ in range(count - 1):
        out.append(out[-1] * base % L)
    return out


def inner(a, b):
    return sum(x * y for x, y in zip(a, b)) % L


def scalar_challenge(transcript, label):
    return ristretto.scalar_from_wide(transcript.challenge(label, 64))


def append_scalar(transcript, label, value):
    transcript.append(label, ristretto.scalar_bytes(value))


def append_not_identity(transcript, label, data):
    if data == bytes(32):
        raise Invalid("the identity is refused in every message of the prover")
    transcript.append(label, data)


def begin(transcript, n, m, value_points):
    transcript.append(b"dom-sep", b"rangeproof v1")
    transcript.append_merlin_u64(b"n", n)
    transcript.append_merlin_u64(b"m", m)
    for data in value_points:
        transcript.append(b"V", data)


def begin_inner_product(transcript, count):
    transcript.append(b"dom-sep", b"ipp v1")
    transcript.append_merlin_u64(b"n", count)


# --- verifying ---------------------------------------------------------------------------------------------------


class Parsed:
    """The messages of a proof of the length that n and m demand, scalars canonical, points still bytes."""

    def __init__(self, data, n, m):
        if len(data) != length(n, m):
            raise Invalid("the length is the formula's")
        parts = [data[i : i + 32] for i in range(0, len(data), 32)]
        self.A, self.S, self.T1, self.T2 = parts[:4]
        self.t_x, self.t_x_blinding, self.e_blinding = map(ristretto.scalar_from_canonical, parts[4:7])
        self.L, self.R = parts[7:-2:2], parts[8:-2:2]
        self.a, self.b = map(ristretto.scalar_from_canonical, parts[-2:])


def challenges(transcript, proof, n, m, value_points):
    """Replays the conversation: y, z, x, w and the u of each round."""
    begin(transcript, n, m, value_points)
    append_not_identity(transcript, b"A", proof.A)
    append_not_identity(transcript, b"S", proof.S)
    y, z = scalar_challenge(transcript, b"y"), scalar_challenge(transcript, b"z")
    append_not_identity(transcript, b"T_1", proof.T1)
    append_not_identity(transcript, b"T_2", proof.T2)
    x = scalar_challenge(transcript, b"x")
    append_scalar(transcript, b"t_x", proof.t_x)
    append_scalar(transcript, b"t_x_blinding", proof.t_x_blinding)
    append_scalar(transcript, b"e_blinding", proof.e_blinding)
    w = scalar_challenge(transcript, b"w")
    begin_inner_product(transcript, n * m)
    rounds = []
    for left, right in zip(proof.L, proof.R):
        append_not_identity(transcript, b"L", left)
        append_not_identity(transcript, b"R", right)
        rounds.append(scalar_challenge(transcript, b"u"))
    return y, z, x, w, rounds


def verify(transcript, data, n, m, value_points):
    """Raises `Invalid` unless `data` proves that each committed value lies in [0, 2^n)."""
    proof = Parsed(data, n, m)
    y, z, x, w, rounds = challenges(transcript, proof, n, m, value_points)
    check_polynomial(proof, n, m, y, z, x, value_points)
    check_inner_product(proof, n, m, y, z, x, w, rounds)


def check_polynomial(proof, n, m, y, z, x, value_points):
    """t_x*B + t_x_blinding*H = sum z^(2+j)*V_j + delta(y,z)*B + x*T1 + x^2*T2."""
    delta = (z - z * z) * sum(powers(y, n * m)) - sum(z ** (3 + j) * (2**n - 1) for j in range(m))
    terms = [(delta - proof.t_x, B), (-proof.t_x_blinding, H), (x, decode(proof.T1)), (x * x, decode(proof.T2))]
    terms += [(z * z * power, decode(point)) for power, point in zip(powers(z, m), value_points)]
    require_identity(multi_sum(terms), "the polynomial does not open to the values")


def check_inner_product(proof, n, m, y, z, x, w, rounds):
    """P + sum u^2*L + u^-2*R = a*<s, G> + b*<1/s, H'> + a*b*w*B, with H'_i = y^-i * H_i."""
    y_powers, two_powers = powers(inv(y), n * m), powers(2, n)
    z_and_two = [z * z * zj * two for zj in powers(z, m) for two in two_powers]
    s = fold_exponents(rounds, n * m)
    terms = [(1, decode(proof.A)), (x, decode(proof.S)), (-proof.e_blinding, H)]
    terms.append((w * (proof.t_x - proof.a * proof.b), B))
    terms += [(u * u, decode(point)) for u, point in zip(rounds, proof.L)]
    terms += [(inv(u * u), decode(point)) for u, point in zip(rounds, proof.R)]
    terms += [(-z - proof.a * si, point) for si, point in zip(s, generators(b"G", n, m))]
    for si, y_inv, zt, point in zip(reversed(s), y_powers, z_and_two, generators(b"H", n, m)):
        terms.append((z + y_inv * (zt - proof.b * si), point))
    require_identity(multi_sum(terms), "the inner product does not hold")


def fold_exponents(rounds, count):
    """s_i = product over rounds of u or 1/u, by the bits of i, most significant bit first; 1/s_i = s_(count-1-i)."""
    out, pairs = [], [(inv(u), u) for u in rounds]
    for i in range(count):
        product = 1
        for k, pair in enumerate(pairs):
            bit = i >> (len(rounds) - 1 - k) & 1
            product = product * pair[bit] % L
        out.append(product)
    return out


def require_identity(point, why):
    # Every point of the coset of the identity encodes as zero.
    if encode(point) != bytes(32):
        raise Invalid(why)


# --- proving -----------------------------------------------------------------------------------------------------


def prove(transcript, n, values, blindings, draw, faults=(0, 0)):
    """The proof's bytes. `draw()` gives a fresh uniform scalar; a fixed one is for vectors alone.

    `faults` are added to t_x_blinding and e_blinding before they are sent: each makes its equation miss the identity
    by that multiple of H and nothing else.
    """
    m, count = len(values), n * len(values)
    points = [encode(ristretto.commit(v, r)) for v, r in zip(values, blindings)]
    begin(transcript, n, m, points)
    G, Hs = generators(b"G", n, m), generators(b"H", n, m)
    a_left = [v >> i & 1 for v in values for i in range(n)]
    a_right = [bit - 1 for bit in a_left]
    s_left, s_right = [draw() for _ in range(count)], [draw() for _ in range(count)]
    alpha, rho = draw(), draw()
    A = vector_commit(alpha, a_left, a_right, G, Hs)
    S = vector_commit(rho, s_left, s_right, G, Hs)
    transcript.append(b"A", A)
    transcript.append(b"S", S)
    y, z = scalar_challenge(transcript, b"y"), scalar_challenge(transcript, b"z")

    # l(X) = l0 + l1*X and r(X) = r0 + r1*X; their product is t(X).
    y_powers = powers(y, count)
    z_and_two = [z * z * zj * 2**i for zj in powers(z, m) for i in range(n)]
    l0 = [bit - z for bit in a_left]
    r0 = [yi * (bit + z) + zt for yi, bit, zt in zip(y_powers, a_right, z_and_two)]
    r1 = [yi * s for yi, s in zip(y_powers, s_right)]
    t1, t2 = (inner(l0, r1) + inner(s_left, r0)) % L, inner(s_left, r1)
    tau1, tau2 = draw(), draw()
    T1, T2 = encode(ristretto.commit(t1, tau1)), encode(ristretto.commit(t2, tau2))
    transcript.append(b"T_1", T1)
    transcript.append(b"T_2", T2)
    x = scalar_challenge(transcript, b"x")

    left = [(a + x * s) % L for a, s in zip(l0, s_left)]
    right = [(a + x * s) % L for a, s in zip(r0, r1)]
    t_x = inner(left, right)
    t_x_blinding = tau1 * x + tau2 * x * x + sum(z ** (2 + j) * r for j, r in enumerate(blindings))
    e_blinding = alpha + rho * x
    t_x_blinding, e_blinding = t_x_blinding + faults[0], e_blinding + faults[1]
    append_scalar(transcript, b"t_x", t_x)
    append_scalar(transcript, b"t_x_blinding", t_x_blinding)
    append_scalar(transcript, b"e_blinding", e_blinding)
    Q = multiply(scalar_challenge(transcript, b"w"), B)
    scalars = b"".join(map(ristretto.scalar_bytes, (t_x, t_x_blinding, e_blinding)))
    primed = [multiply(yi, point) for yi, point in zip(powers(inv(y), count), Hs)]
    return A + S + T1 + T2 + scalars + prove_inner_product(transcript, Q, G, primed, left, right)


def vector_commit(blinding, left, right, G, Hs):
    return encode(multi_sum([(blinding, H), *zip(left, G), *zip(right, Hs)]))


def prove_inner_product(transcript, Q, G, Hs, a, b):
    begin_inner_product(transcript, len(a))
    out = b""
    while len(a) > 1:
        half = len(a) // 2
        (a0, a1), (b0, b1) = (a[:half], a[half:]), (b[:half], b[half:])
        (G0, G1), (H0, H1) = (G[:half], G[half:]), (Hs[:half], Hs[half:])
        left = encode(multi_sum([*zip(a0, G1), *zip(b1, H0), (inner(a0, b1), Q)]))
        right = encode(multi_sum([*zip(a1, G0), *zip(b0, H1), (inner(a1, b0), Q)]))
        transcript.append(b"L", left)
        transcript.append(b"R", right)
        u = scalar_challenge(transcript, b"u")
        u_inv = inv(u)
        a = [(x * u + y * u_inv) % L for x, y in zip(a0, a1)]
        b = [(x * u_inv + y * u) % L for x, y in zip(b0, b1)]
        G = [multi_sum([(u_inv, p), (u, q)]) for p, q in zip(G0, G1)]
        Hs = [multi_sum([(u, p), (u_inv, q)]) for p, q in zip(H0, H1)]
        out += left + right
    return out + ristretto.scalar_bytes(a[0]) + ristretto.scalar_bytes(b[0])
