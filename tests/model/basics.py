"""Checks that need no file: published constants, the rules of specs/profiles, and that the model refuses what it must."""

import copy
import hashlib
from datetime import date, timedelta

import answer
import bulletproof
import dates
import encoding
import es256
import make
import planner
import ristretto
import strobe
from fixed import scalars
from ristretto import Invalid

PENSION = [
    {"from": "1880-01-01", "to": "1960-04-05", "years": 66, "months": 0, "overflow": "last_day"},
    {"from": "1960-04-06", "to": "1960-05-05", "years": 66, "months": 1, "overflow": "last_day"},
    {"from": "1960-05-06", "to": "1960-06-05", "years": 66, "months": 2, "overflow": "last_day"},
    {"from": "1960-06-06", "to": "1960-07-05", "years": 66, "months": 3, "overflow": "last_day"},
    {"from": "1960-07-06", "to": "1960-08-05", "years": 66, "months": 4, "overflow": "last_day"},
    {"from": "1960-08-06", "to": "1960-09-05", "years": 66, "months": 5, "overflow": "last_day"},
    {"from": "1960-09-06", "to": "2050-12-31", "years": 67, "months": 0, "overflow": "last_day"},
]
LO, HI = date(1880, 1, 1), date(2050, 12, 31)


def check(count):
    primitives(count)
    signatures(count)
    civil_dates(count)
    leap_days(count)
    tables(count)
    plans(count)
    range_proofs(count)
    own_answers(count)


def primitives(count):
    count.equal("keccak against hashlib", sha3_512(b"abc" * 100), hashlib.sha3_512(b"abc" * 100).digest())
    transcript = strobe.Transcript(b"test protocol")
    transcript.append(b"some label", b"some data")
    expected = "d5a21972d0d5fe320c0d263fac7fffb8145aa640af6e9bca177c03c7efcf0615"
    count.equal("merlin's published challenge", transcript.challenge(b"challenge", 32).hex(), expected)
    blinding_base = "8c9240b456a9e6dc65c377a1048d745f94a08cdb7f44cbcd7b46f34048871134"
    count.equal("the blinding base", ristretto.encode(ristretto.H).hex(), blinding_base)
    count.equal("the group's order", ristretto.encode(ristretto.multiply(ristretto.L - 1, ristretto.B)),
                ristretto.encode(ristretto.negate(ristretto.B)))
    pairs = [(3**i, ristretto.multiply(i, ristretto.H)) for i in range(1, 9)]
    slow = ristretto.IDENTITY
    for scalar, point in pairs:
        slow = ristretto.add(slow, ristretto.multiply(scalar, point))
    encodings = [ristretto.encode(sum_of(slow, slow)) for sum_of in (ristretto.add, lambda p, _: ristretto.double(p))]
    count.equal("a point doubled", *encodings)
    for times in (1, 20, 125):
        found, expected = ristretto.multi_sum(times * pairs), ristretto.multiply(times, slow)
        count.equal(f"a sum of {8 * times} terms", ristretto.encode(found), ristretto.encode(expected))


def signatures(count):
    """RFC 6979 A.2.5, and one refusal."""
    key = es256.Key(b"")
    key.d = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    key.public = es256.multiply(key.d, es256.G)
    expected = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    count.equal("the deterministic nonce", key.sign(b"sample")[0], expected)
    jws = key.jws({"alg": "ES256"}, {"a": 1})
    count.true("a signature", es256.verify(jws, key.public))
    count.true("a signature over something else", not es256.verify("e30" + jws, key.public))


def sha3_512(data):
    rate = 72
    padded = bytearray(data + b"\x06" + bytes(-(len(data) + 1) % rate))
    padded[-1] ^= 0x80
    state = bytearray(200)
    for at in range(0, len(padded), rate):
        for i in range(rate):
            state[i] ^= padded[at + i]
        state = strobe.keccak_f(state)
    return bytes(state[:64])


def civil_dates(count):
    for text, number in (("1600-01-01", 0), ("1970-01-01", 135140), ("2026-11-21", 155918)):
        count.equal(f"day({text})", dates.day(dates.parse(text)), number)
        count.equal(f"date_of({number})", dates.date_of(number), dates.parse(text))
    for text in ("2026-02-29", "2026-13-01", "26-01-01", "2026-1-1", "2026-01-01 ", "1599-12-31"):
        count.refused(f"date {text!r}", lambda: dates.day(dates.parse(text)), ValueError)


def leap_days(count):
    """specs/proofs: d <= clamp(T - k) if and only if add_next_day(d, k) <= T, around 29 February and month ends."""
    for unit, spans in (("years", (1, 4, 18, 66)), ("months", (1, 11, 12, 13)), ("days", (1, 365))):
        for span in spans:
            holds = True
            for when in days_around("2024-02-29", "2025-02-28", "2026-03-01", "2028-02-29", "2100-02-28"):
                bound = dates.age_at_least(when, unit, span)
                for offset in range(-4, 5):
                    born = dates.date_of(bound + offset)
                    holds &= (dates.day(born) <= bound) == dates.reached(born, when, unit, span)
                    older = dates.reached(born, when, unit, span + 1)
                    holds &= (dates.day(born) >= dates.age_at_most(when, unit, span)) == (not older)
            count.true(f"age of {span} {unit}", holds)
    born = date(2008, 2, 29)
    count.equal("18 on 1 March, not on 28 February", [dates.reached(born, date(2026, 2, 28), "years", 18),
                dates.reached(born, date(2026, 3, 1), "years", 18)], [False, True])


def days_around(*texts):
    return [dates.parse(text) + timedelta(days=offset) for text in texts for offset in range(-3, 4)]


def tables(count):
    table = dates.Table(PENSION, LO, HI)
    for text, born, number in (("2026-11-30", "1960-07-31", 131699), ("2026-12-20", "1960-08-05", 131704)):
        cutoff = table.cutoff(dates.parse(text))
        count.equal(f"cutoff({text})", (str(cutoff), dates.day(cutoff)), (born, number))
    count.equal("nobody reached it", table.cutoff(date(1900, 1, 1)), None)
    count.equal("everybody reached it", table.cutoff(date(2200, 1, 1)), None)
    gap = copy.deepcopy(PENSION)
    gap[2]["to"] = "1960-06-04"
    falls = [dict(PENSION[0], to="1960-04-05"), {"from": "1960-04-06", "to": "2050-12-31", "date": "2020-01-01"}]
    for name, rows in (("a gap", gap), ("a late start", PENSION[1:]), ("an early end", PENSION[:-1]),
                       ("a fall", falls), ("no rows", [])):
        count.refused(f"table with {name}", lambda: dates.Table(rows, LO, HI), dates.BadTable)


def plans(count):
    def plan(predicate, lo=10, hi=20, coeff=1):
        asked = answer.flat(make.statement("s", "q", "/p", predicate))
        asked["terms"][0]["coeff"] = coeff
        attribute = {"enc": "pence", "unit": "", "range": {"b": 64, "lo": lo, "hi": hi}}
        return planner.plan([asked], {("q", "/p"): attribute}.__getitem__)

    for good in ({"le": 10}, {"le": 19}, {"ge": 11}, {"ge": 20}, {"in": {"lo": 10, "hi": 19}}):
        count.true(f"plan {good}", plan(good).n == 16)
    for bad in ({"le": 9}, {"le": 20}, {"ge": 10}, {"ge": 21}, {"in": {"lo": 10, "hi": 20}},
                {"in": {"lo": 15, "hi": 14}}, {"in": {"lo": 9, "hi": 12}}):
        count.refused(f"plan {bad}", lambda: plan(bad), planner.Refused)
    widths = [plan({"le": k}, 0, 2**64 - 1).n for k in (2**16 - 1, 2**16, 2**32 - 1, 2**32)]
    count.equal("widths", widths, [16, 32, 32, 64])
    birth = [encoding.encode("day", 32, make.BIRTH[end]) for end in ("lo", "hi")]
    count.equal("birth dates need 16 bits", (birth[1] - birth[0], plan({"le": 131699}, *birth).n), (62456, 16))


def range_proofs(count):
    draw = scalars("basics").__next__
    for n, values in ((8, [255]), (16, [0, 65535])):
        blindings = [draw() for _ in values]
        points = [ristretto.encode(ristretto.commit(v, r)) for v, r in zip(values, blindings)]
        proof = bulletproof.prove(strobe.Transcript(b"basics"), n, values, blindings, draw)
        bulletproof.verify(strobe.Transcript(b"basics"), proof, n, len(values), points)
        count.equal(f"{n} bits, {len(values)} values", len(proof), bulletproof.length(n, len(values)))
    other = strobe.Transcript(b"other")
    count.refused("another transcript", lambda: bulletproof.verify(other, proof, 16, 2, points), Invalid)
    outside = bulletproof.prove(strobe.Transcript(b"basics"), 8, [256], [7], draw)
    point = ristretto.encode(ristretto.commit(256, 7))
    same = strobe.Transcript(b"basics")
    count.refused("a value out of range", lambda: bulletproof.verify(same, outside, 8, 1, [point]), Invalid)


def own_answers(count):
    """The model refuses its own answer as soon as one bound field, one byte or the length differs."""
    _, within, asked, copies = make.too_young()
    statements = [answer.flat(one) for one in asked]
    openings = {key: opening for held in copies for key, opening in held.openings.items()}
    data = answer.prove(within, statements, openings, scalars("own").__next__)
    answer.verify(within, statements, data)
    for at in (0, 1, 2, 5, 6, 100, 200, 300, len(data) - 1):
        spoilt = bytearray(data)
        spoilt[at] ^= 1
        count.refused(f"byte {at} changed", lambda: answer.verify(within, statements, bytes(spoilt)), Invalid)
    for name, cut in (("empty", b""), ("short", data[:-1]), ("long", data + b"\0")):
        count.refused(f"{name} answer", lambda: answer.verify(within, statements, cut), Invalid)
    for name, spoil in CHANGES.items():
        changed = copy.deepcopy(within)
        spoil(changed)
        call = lambda: answer.verify(changed, statements, data)  # noqa: E731, B023
        count.refused(f"{name} changed", call, Invalid, planner.Refused)
    low = {("n0", "/birth_date"): (dates.day(date(1960, 7, 31)), 5)}
    count.refused("not met", lambda: answer.prove(within, statements, low, scalars("x").__next__), Invalid)


def assign(*path):
    """Replaces the member at a path; the value stays of its kind."""

    def spoil(context):
        holder = context
        for step in path[:-1]:
            holder = holder[step]
        old = holder[path[-1]]
        holder[path[-1]] = old + 1 if isinstance(old, int) else ("11" * 32 if len(old) == 64 else old + "x")

    return spoil


CHANGES = {
    "/".join(map(str, path)): assign(*path)
    for path in (
        *(("request", name) for name in ("service", "client_id", "nonce", "state_sha256", "encryption_key")),
        ("request", "reply_to", "response_uri"),
        *(("policy", name) for name in ("purpose", "id", "version", "digest", "statements", "option", "as_of")),
        *(("credentials", 0, name) for name in ("iss", "vct", "jwt_sha256", "holder_key")),
        ("credentials", 0, "issuer", "certificate"),
        ("credentials", 0, "attributes", 0, "unit"),
        ("credentials", 0, "attributes", 0, "range", "lo"),
    )
} | {
    "a table": lambda c: c["policy"]["tables"].append({"id": "t", "version": 1, "hash": "22" * 32}),
    "a transaction": lambda c: c["authorisation"]["transactions"].append("22" * 32),
    "a permission": lambda c: c["authorisation"].update(permission_key="22" * 32),
    "a pseudonym": lambda c: c["authorisation"].update(pseudonym={"context": "c", "value": [1]}),
}
