"""Proofs that need no range (specs/proofs section 6.2): equal, not equal, one of a few, of many, of many intervals."""

import hashlib
import itertools

import ristretto
from ristretto import B, H, L, Invalid, add, commit, decode, encode, multi_sum, multiply

EQUALITY, INEQUALITY, ONE_OF, MEMBERSHIP, INTERVALS = 2, 3, 4, 5, 6


def number(n):
    """Integers and counts: u64 big-endian."""
    return n.to_bytes(8, "big")


def digest(elements):
    """SHA-256 of the count, then of each element's 32 bytes."""
    return hashlib.sha256(number(len(elements)) + b"".join(map(ristretto.scalar_bytes, elements))).digest()


def set_digest(intervals):
    """SHA-256 of the number of intervals, then of each one's ends."""
    return hashlib.sha256(number(len(intervals)) + b"".join(map(number, itertools.chain(*intervals)))).digest()


def begin(transcript, kind, index, points, value=None, listed=None):
    transcript.append(b"7.type", number(kind))
    transcript.append(b"7.index", number(index))
    for point in points:
        transcript.append(b"7.point", point)
    if value is not None:
        transcript.append(b"7.value", ristretto.scalar_bytes(value))
    if listed is not None:
        transcript.append(b"7.list", listed)


def announce(transcript, encodings):
    for data in encodings:
        transcript.append(b"7.announcement", data)


def challenge(transcript):
    return ristretto.scalar_from_wide(transcript.challenge(b"7.challenge", 64))


def finish(transcript, proof):
    transcript.append(b"7.proof", proof)
    return proof


def joined(*values):
    return b"".join(ristretto.scalar_bytes(value) for value in values)


def words(data, count):
    if len(data) != 32 * count:
        raise Invalid("the length is the formula's")
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def sent(data):
    if data == bytes(32):
        raise Invalid("the identity is refused in every message of the prover")
    return decode(data)


def minus(one, other):
    return add(one, multiply(L - 1, other))


def require(holds):
    if not holds:
        raise Invalid("the proof does not hold")


# --- two commitments hide the same value --------------------------------------------------------------------------


def prove_equal(transcript, index, points, difference, draw):
    _, d = difference
    begin(transcript, EQUALITY, index, points)
    k = draw()
    announce(transcript, [encode(multiply(k, H))])
    c = challenge(transcript)
    return finish(transcript, joined(c, k + c * d))


def verify_equal(transcript, index, points, proof):
    c, z = map(ristretto.scalar_from_canonical, words(proof, 2))
    begin(transcript, EQUALITY, index, points)
    difference = minus(*map(sent, points))
    announce(transcript, [encode(multi_sum([(z, H), (-c, difference)]))])
    require(challenge(transcript) == c)
    finish(transcript, proof)


# --- they hide different ones -------------------------------------------------------------------------------------


def difference_of(points, value):
    points = list(map(sent, points))
    return minus(*points) if value is None else minus(points[0], multiply(value, B))


def prove_different(transcript, index, points, value, opening, draw):
    d, r = opening[0] - (value or 0), opening[1]
    begin(transcript, INEQUALITY, index, points, value)
    w, k1, k2, k3 = (draw() for _ in range(4))
    u = encode(multiply(w * d % L, B))
    t2 = multi_sum([(k2, difference_of(points, value)), (k3, H)])
    announce(transcript, [u, encode(multiply(k1, B)), encode(t2)])
    c = challenge(transcript)
    return finish(transcript, u + joined(c, k1 + c * w * d, k2 + c * w, k3 - c * w * r))


def verify_different(transcript, index, points, value, proof):
    first, *rest = words(proof, 5)
    u, (c, z1, z2, z3) = sent(first), map(ristretto.scalar_from_canonical, rest)
    begin(transcript, INEQUALITY, index, points, value)
    t1 = multi_sum([(z1, B), (-c, u)])
    t2 = multi_sum([(z2, difference_of(points, value)), (z3, H), (-c, u)])
    announce(transcript, [first, encode(t1), encode(t2)])
    require(challenge(transcript) == c)
    finish(transcript, proof)


# --- one of a few -------------------------------------------------------------------------------------------------


def place_of(v, elements):
    """Whoever lies about a value that stands nowhere takes the first place."""
    return elements.index(v) if v in elements else 0


def prove_one_of(transcript, index, point, elements, opening, draw):
    v, r = opening
    place = place_of(v, elements)
    begin(transcript, ONE_OF, index, [point], listed=digest(elements))
    c, z = [draw() for _ in elements], [draw() for _ in elements]
    c[place] = 0
    announced = [
        multi_sum([(zj, H), (-cj, minus(decode(point), multiply(s, B)))]) for cj, zj, s in zip(c, z, elements)
    ]
    announce(transcript, map(encode, announced))
    c[place] = challenge(transcript) - sum(c)
    z[place] += c[place] * r
    return finish(transcript, joined(*(part for pair in zip(c, z) for part in pair)))


def verify_one_of(transcript, index, point, elements, proof):
    require(len(elements) <= 8)
    parts = list(map(ristretto.scalar_from_canonical, words(proof, 2 * len(elements))))
    begin(transcript, ONE_OF, index, [point], listed=digest(elements))
    for c, z, s in zip(parts[::2], parts[1::2], elements):
        difference = minus(sent(point), multiply(s, B))
        announce(transcript, [encode(multi_sum([(z, H), (-c, difference)]))])
    require(challenge(transcript) == sum(parts[::2]) % L)
    finish(transcript, proof)


# --- one of many --------------------------------------------------------------------------------------------------


def bits_of(count):
    return max(1, (count - 1).bit_length())


def padded(elements):
    return elements + elements[-1:] * (2 ** bits_of(len(elements)) - len(elements))


def times(left, right):
    """The product of two polynomials, coefficients from the constant on."""
    out = [0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            out[i + j] = (out[i + j] + a * b) % L
    return out


def summed(elements, factors):
    """sum_i s_i p_i, where p_i is the product over j of the second of `factors[j]` if bit j of i is set, else of the
    first: all are polynomials of a degree of at most one. Halves the list bit by bit, since by the definition long ones
    would be too slow."""
    found = [[s] for s in padded(elements)]
    for pair in factors:
        (a, b), (c, d) = [(one + [0])[:2] for one in pair]
        grows = any(len(one) > 1 for one in pair)
        halved = []
        for even, odd in zip(found[::2], found[1::2]):
            if grows:
                quads = zip([*even, 0], [0, *even], [*odd, 0], [0, *odd])
                halved.append([(a * p + b * q + c * r + d * s) % L for p, q, r, s in quads])
            else:
                halved.append([(a * p + c * r) % L for p, r in zip(even, odd)])
        found = halved
    return found[0]


def prove_member(transcript, index, point, elements, opening, draw):
    v, r = opening
    place, m = place_of(v, elements), bits_of(len(elements))
    begin(transcript, MEMBERSHIP, index, [point], listed=digest(elements))
    bits = [place >> j & 1 for j in range(m)]
    a, rs, ss, ts, rho = ([draw() for _ in range(m)] for _ in range(5))
    q = summed(elements, [([-one, 1 - bit], [one, bit]) for one, bit in zip(a, bits)])
    messages = b""
    for j in range(m):
        pairs = [(bits[j], rs[j]), (a[j], ss[j]), (bits[j] * a[j], ts[j]), (-q[j], rho[j])]
        messages += b"".join(encode(commit(value % L, blinding)) for value, blinding in pairs)
    announce(transcript, words(messages, 4 * m))
    x = challenge(transcript)
    responses = []
    for j in range(m):
        f = bits[j] * x + a[j]
        responses += [f, rs[j] * x + ss[j], rs[j] * (x - f) + ts[j]]
    z = r * pow(x, m, L) - sum(one * pow(x, k, L) for k, one in enumerate(rho))
    return finish(transcript, messages + joined(*responses, z))


def verify_member(transcript, index, point, elements, proof):
    m = bits_of(len(elements))
    parts = words(proof, 7 * m + 1)
    points, scalars = parts[: 4 * m], list(map(ristretto.scalar_from_canonical, parts[4 * m :]))
    begin(transcript, MEMBERSHIP, index, [point], listed=digest(elements))
    announce(transcript, points)
    x = challenge(transcript)
    total, terms = [], [(pow(x, m, L), sent(point))]
    for j in range(m):
        left, first, second, coefficient = map(sent, points[4 * j : 4 * j + 4])
        f, u, w = scalars[3 * j : 3 * j + 3]
        require(is_nought([(x, left), (1, first), (-f, B), (-u, H)]))
        require(is_nought([(x - f, left), (1, second), (-w, H)]))
        total.append(f)
        terms.append((-pow(x, j, L), coefficient))
    (q,) = summed(elements, [([x - f], [f]) for f in total])
    require(is_nought([*terms, (-q, B), (-scalars[-1], H)]))
    finish(transcript, proof)


def is_nought(terms):
    return encode(multi_sum([(scalar % L, point) for scalar, point in terms])) == bytes(32)


# --- one of many intervals ----------------------------------------------------------------------------------------


def prove_within(transcript, index, point, intervals, ends, draw):
    """`ends` opens F and L; the two entries of the aggregate tie them to what `point` hides."""
    sent_ends = [encode(commit(*end)) for end in ends]
    begin(transcript, INTERVALS, index, [point], listed=set_digest(intervals))
    announce(transcript, sent_ends)
    x = challenge(transcript)
    opening = tuple((first + x * last) % L for first, last in zip(*ends))
    inner = prove_member(transcript, index, encode(commit(*opening)), folded(intervals, x), opening, draw)
    # No `7.proof` of its own: F and L are announced, the rest is the complete bytes of the proof within.
    return b"".join(sent_ends) + inner


def verify_within(transcript, index, point, intervals, proof):
    sent(point)
    first, last = ends_of(proof)
    begin(transcript, INTERVALS, index, [point], listed=set_digest(intervals))
    announce(transcript, [proof[:32], proof[32:64]])
    x = challenge(transcript)
    both = encode(multi_sum([(1, first), (x, last)]))
    verify_member(transcript, index, both, folded(intervals, x), proof[64:])


def ends_of(proof):
    """F and L, with which the proof begins."""
    return sent(proof[:32]), sent(proof[32:64])


def folded(intervals, x):
    return [(first + x * last) % L for first, last in intervals]


# --- by the name of what is shown ---------------------------------------------------------------------------------

TYPES = {
    "equal": EQUALITY,
    "differ": INEQUALITY,
    "differs_from": INEQUALITY,
    "one_of": ONE_OF,
    "element": MEMBERSHIP,
    "within": INTERVALS,
}


def verify_shown(transcript, shows, index, points, public, proof):
    """`public` is the value or the list that the sub-proof speaks of, if any; raises `Invalid` unless it holds."""
    if shows == "equal":
        verify_equal(transcript, index, points, proof)
    elif shows in ("differ", "differs_from"):
        verify_different(transcript, index, points, public, proof)
    else:
        check = {"one_of": verify_one_of, "element": verify_member, "within": verify_within}[shows]
        check(transcript, index, *points, public, proof)


def prove_shown(transcript, shows, index, points, public, opening, draw):
    """`opening` opens the only point, or the difference of the two, or is that of both ends of an interval."""
    if shows == "equal":
        return prove_equal(transcript, index, points, opening, draw)
    if shows in ("differ", "differs_from"):
        return prove_different(transcript, index, points, public, opening, draw)
    make = {"one_of": prove_one_of, "element": prove_member, "within": prove_within}[shows]
    return make(transcript, index, *points, public, opening, draw)


# --- vectors ------------------------------------------------------------------------------------------------------

LABEL = b"sigma"
#: What a vector file calls them, where it has another name.
NAMES = {"differs-from": "differs_from", "one-of": "one_of", "member": "element"}


def verify(transcript, one):
    """One entry of a vector file; raises `Invalid` unless it holds. Of intervals, the list has the ends flat."""
    points, proof = [bytes.fromhex(point) for point in one["points"]], bytes.fromhex(one["proof"])
    public = one["list"] or one["value"]
    if one["kind"] == "within":
        public = list(zip(public[::2], public[1::2]))
    verify_shown(transcript, NAMES.get(one["kind"], one["kind"]), one["index"], points, public, proof)


def everything(new_transcript, checkpoint, draw):
    """A true statement of each kind, proved by the model."""

    def made(kind, values, prove, value=None, elements=()):
        openings = [(v, draw()) for v in values]
        points = [encode(commit(*opening)) for opening in openings]
        opening = openings[0]
        if len(openings) == 2:
            opening = tuple((one - other) % L for one, other in zip(*openings))
        transcript = new_transcript(LABEL)
        proof = prove(transcript, points, opening)
        entry = {"kind": kind, "index": 2, "points": [point.hex() for point in points], "value": value}
        entry |= {"list": list(elements), "proof": proof.hex(), "checkpoint": checkpoint(transcript).hex()}
        return entry

    few, many, spans = [3, 1, 4], [20, 30, 40, 50, 60, 70], [(2, 9), (20, 29), (31, 39)]

    def within(transcript, points, _):
        return prove_within(transcript, 2, *points, spans, [(20, draw()), (29, draw())], draw)

    return [
        made("equal", [42, 42], lambda t, points, opening: prove_equal(t, 2, points, opening, draw)),
        made("differ", [42, 43], lambda t, points, opening: prove_different(t, 2, points, None, opening, draw)),
        made("differs-from", [42], lambda t, points, opening: prove_different(t, 2, points, 41, opening, draw), 41),
        made("one-of", [4], lambda t, points, opening: prove_one_of(t, 2, *points, few, opening, draw), None, few),
        made("member", [50], lambda t, points, opening: prove_member(t, 2, *points, many, opening, draw), None, many),
        made("within", [27], within, None, itertools.chain(*spans)),
    ]
