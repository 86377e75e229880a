"""What the model must refuse of statements of every kind: plans, changed answers, and lies told by its own prover."""

import copy

import answer
import kinds
import make
import planner
import ristretto
import sigma
import strobe
import vectors
from fixed import scalars
from ristretto import Invalid

PENCE = {"enc": "pence", "unit": "GBP-pence", "range": {"b": 32, "lo": 10, "hi": 1000}}
WIDE = {"enc": "pence", "unit": "GBP-pence", "range": {"b": 64, "lo": 0, "hi": 2**64 - 1}}
TEXT = {"enc": "str", "unit": "https://larkfield.example/text", "range": None}


def check(count, answers):
    told = {one["name"]: one for one in answers}
    plans(count)
    sizes(count)
    for one in answers:
        changed_bytes(count, one)
    exchanged(count, told["lists"])
    for name, spoils in CHANGES.items():
        for index, spoil in enumerate(spoils):
            changed(count, f"{name}: change {index}", told[name], spoil)
    lies(count)
    two_intervals(count)


# --- plans --------------------------------------------------------------------------------------------------------


def planned(statements, **attributes):
    """Attributes by pointer; `a`, `b` are amounts unless they are given."""
    known = {"a": PENCE, "b": PENCE} | attributes

    def declared(name):
        planner.require(name[1] in known, "an attribute that is not there")
        return known[name[1]]

    return planner.plan([answer.flat(one) for one in statements], declared)


def one(predicate, *terms):
    """Terms are (coefficient, pointer)."""
    return kinds.combination("s", [(coeff, "q", pointer) for coeff, pointer in terms or [(1, "a")]], predicate)


def with_range(**limits):
    return PENCE | {"range": PENCE["range"] | limits}


A, PAIR = (1, "a"), ((1, "a"), (-1, "b"))
GOOD = {
    "two amounts are equal": (one({"eq": 0}, *PAIR), {}),
    "two texts differ": (one({"ne": 0}, *PAIR), {"a": TEXT, "b": TEXT}),
    "two amounts whose ranges are apart": (one({"eq": 0}, *PAIR), {"b": with_range(lo=2000, hi=3000)}),
    "the least bound of a sum": (one({"le": 20}, A, (1, "b")), {}),
    "a bound just above the least difference": (one({"ge": 0}, *PAIR), {}),
    "a set up to the ends": (one({"member": [[10, 11], [13, 1000]]}), {}),
}
BAD = {
    "no terms": (one({"le": 20}) | {"terms": []}, {}),
    "seventeen terms": (one({"le": 200}, *[(1, f"p{i}") for i in range(17)]), {f"p{i}": PENCE for i in range(17)}),
    "one attribute twice": (one({"le": 30}, A, A), {}),
    "a coefficient of nought": (one({"le": 30}, A, (0, "b")), {}),
    "a coefficient too large": (one({"ge": 30}, (-(2**16) - 1, "a"), (2, "b")), {}),
    "a sum that equals": (one({"eq": 30}, A, (1, "b")), {}),
    "a sum that does not equal": (one({"ne": 30}, (2, "a")), {}),
    "a sum in a set": (one({"member": [[30, 40]]}, A, (1, "b")), {}),
    "a difference other than nought": (one({"eq": 1}, *PAIR), {}),
    "a difference turned round": (one({"eq": 0}, (-1, "a"), (1, "b")), {}),
    "a difference of three": (one({"eq": 0}, *PAIR, (1, "c")), {"c": PENCE}),
    "an attribute that is not there": (one({"le": 30}, (1, "c")), {}),
    "two encodings": (one({"eq": 0}, *PAIR), {"b": PENCE | {"enc": "int"}}),
    "two units": (one({"le": 30}, A, (1, "b")), {"b": PENCE | {"unit": "EUR-cent"}}),
    "two types of text": (one({"eq": 0}, *PAIR), {"a": TEXT, "b": TEXT | {"unit": "other"}}),
    "a text with a bound": (one({"le": 30}), {"a": TEXT}),
    "a text with a public value": (one({"ne": 30}), {"a": TEXT}),
    "a text with a range": (one({"eq": 0}, *PAIR), {"a": TEXT, "b": TEXT | {"range": PENCE["range"]}}),
    "an amount without a range": (one({"eq": 0}, *PAIR), {"b": PENCE | {"range": None}}),
    "a width of another encoding": (one({"le": 30}), {"a": with_range(b=8)}),
    "an empty range": (one({"le": 30}, A, (1, "b")), {"b": with_range(lo=31, hi=30)}),
    "a range that leaves the width": (one({"le": 30}), {"a": with_range(hi=2**32)}),
    "an equal bound outside": (one({"eq": 9}), {}),
    "an equal bound of one value": (one({"eq": 10}), {"a": with_range(hi=10)}),
    "a sum's bound that all meet": (one({"le": 2000}, A, (1, "b")), {}),
    "a sum's bound that nobody meets": (one({"ge": 991}, *PAIR), {}),
    "a bound below nought": (one({"ge": -1}, *PAIR), {}),
    "a bound of more than 64 bits": (one({"le": 2**64}, A, (1, "b")), {"a": WIDE, "b": WIDE}),
    "a w of more than 64 bits": (one({"ge": 1}, A, (1, "b")), {"a": WIDE, "b": WIDE}),
    "no interval": (one({"member": []}), {}),
    "the whole range": (one({"not_member": [[10, 1000]]}), {}),
    "a set that begins outside": (one({"member": [[9, 30]]}), {}),
    "a set that ends outside": (one({"not_member": [[30, 1001]]}), {}),
    "intervals that touch": (one({"member": [[20, 30], [31, 40]]}), {}),
    "intervals that fall": (one({"member": [[30, 40], [20, 22]]}), {}),
    "an interval that runs backwards": (one({"member": [[30, 29]]}), {}),
    "too many gaps": (one({"not_member": [[2 * i, 2 * i] for i in range(1, 65537)]}), {"a": WIDE}),
}


def told():
    """The same for another implementation: `plan` is null where the statement is refused."""
    cases = [(name, True, *case) for name, case in GOOD.items()] + [(name, False, *case) for name, case in BAD.items()]
    made = []
    for name, good, asked, attributes in cases:
        if len(asked["predicate"].get("not_member", [])) > 1000:  # too long for a file
            continue
        plan = vectors.whole(planned([asked], **attributes)) if good else None
        declared = {"a": PENCE, "b": PENCE} | attributes
        made.append({"name": name, "statement": asked, "attributes": declared, "plan": plan})
    return made


def plans(count):
    for name, (asked, attributes) in GOOD.items():
        count.true(f"plan: {name}", planned([asked], **attributes).parts or planned([asked], **attributes).entries)
    for name, (asked, attributes) in BAD.items():
        count.refused(f"plan: {name}", lambda: planned([asked], **attributes), planner.Refused)
    count.refused("plan: nothing asked", lambda: planned([]), planner.Refused)
    twins = [one({"le": 30}), one({"ge": 30})]
    count.refused("plan: two with one id", lambda: planned(twins), planner.Refused)
    held = {"query": "q", "attributes": [PENCE | {"pointer": "a"}]}
    for name, credentials in (("twice", [held, held]), ("nowhere", [])):
        context = {"credentials": credentials}
        call = lambda: answer.plan_of(context, [answer.flat(twins[0])])  # noqa: E731, B023
        count.refused(f"plan: an attribute that is there {name}", call, planner.Refused)


def numbered(statements):
    return [asked | {"id": f"s{index}"} for index, asked in enumerate(statements)]


def sizes(count):
    """32 entries and 16,384 bytes are the most; each term of sums has one entry in an answer."""
    full = numbered([one({"in": {"lo": 20, "hi": 30}})] * 16)
    count.equal("32 entries", planned(full).m, 32)
    more = numbered([one({"in": {"lo": 20, "hi": 30}})] * 16 + [one({"le": 30})])
    count.refused("33 entries", lambda: planned(more), planner.Refused)
    sums = numbered([one({"le": 30}, A, (1, "b")), one({"ge": 30}, (2, "a"), (-1, "b"))])
    sides = [next(iter(entry.side)) for entry in planned(sums).entries]
    count.equal("two sums of two terms", sides, ["term", "term", "at_most", "term", "at_least"])
    known = {f"p{i}": PENCE for i in range(16)}
    within = [one({"in": {"lo": 200, "hi": 300}}, *[(1, f"p{i}") for i in range(terms)]) for terms in (15, 16)]
    count.equal("both ends of 15 terms", len(planned(within[:1], **known).entries), 32)
    count.refused("both ends of 16 terms", lambda: planned(within[1:], **known), planner.Refused)
    many = [[2 * i, 2 * i] for i in range(5, 500)]
    longest = [one({"member": many})] * 7 + [one({"ne": 30})] * 12
    count.equal("16,352 bytes", planner.length(planned(numbered(longest))), 1 + 7 * (5 + 32 * 64) + 12 * (5 + 160))
    over = numbered([*longest, one({"eq": 30})])
    count.refused("16,421 bytes", lambda: planned(over), planner.Refused)
    choices = {  # N elements in K intervals: which proof
        "one_of": [[20, 27]],
        "element": [[20, 28]],
        "within": [[20, 36]],
    }
    for shows, intervals in choices.items():
        count.equal(f"a set by {shows}", planned([one({"member": intervals})]).parts[0].shows, shows)


# --- changes ------------------------------------------------------------------------------------------------------


def statements_of(told):
    return [answer.flat(asked) for asked in told["statements"]]


def starts(told):
    """Where each sub-proof's type stands."""
    at, found = 1, []
    for length in planner.lengths(answer.plan_of(told["context"], statements_of(told))):
        found.append((at, length))
        at += 5 + length
    return found


def changed_bytes(count, told):
    """Each sub-proof with another type, another length, another bit in its first and in its last word."""
    data, statements = bytes.fromhex(told["answer"]), statements_of(told)
    places = [place for at, length in starts(told) for place in (at, at + 4, at + 6, at + 5 + length - 20)]
    for at in places:
        spoilt = bytearray(data)
        spoilt[at] ^= 1
        call = lambda: answer.verify(told["context"], statements, bytes(spoilt))  # noqa: E731, B023
        count.refused(f"{told['name']}: byte {at} changed", call, Invalid)
    for name, cut in (("short", data[:-1]), ("long", data + b"\0"), ("other version", b"\2" + data[1:])):
        call = lambda: answer.verify(told["context"], statements, cut)  # noqa: E731, B023
        count.refused(f"{told['name']}: {name}", call, Invalid)


def exchanged(count, told):
    """Two sub-proofs of one type and length in each other's place."""
    data, found = bytearray.fromhex(told["answer"]), starts(told)
    (one_at, length), (other_at, other_length) = found[-2:]
    one_end, other_end = one_at + 5 + length, other_at + 5 + other_length
    data[one_at:one_end], data[other_at:other_end] = data[other_at:other_end], data[one_at:one_end]
    call = lambda: answer.verify(told["context"], statements_of(told), bytes(data))  # noqa: E731
    count.refused("sub-proofs exchanged", call, Invalid)


def changed(count, name, told, spoil):
    spoilt = copy.deepcopy(told)
    spoil(spoilt)
    call = lambda: answer.verify(spoilt["context"], statements_of(spoilt), bytes.fromhex(told["answer"]))  # noqa: E731
    count.refused(name, call, Invalid, planner.Refused)


def predicate(index, **given):
    return lambda told: told["statements"][index].update(predicate=given)


def term(index, place, **given):
    return lambda told: told["statements"][index]["terms"][place].update(given)


def attribute(query, pointer, **given):
    return lambda told: answer.attribute_of(told["context"], (query, pointer)).update(given)


def item4(shown):
    return lambda told: told["context"]["authorisation"].update(pseudonym=shown)


def turned(index):
    return lambda told: told["statements"][index]["terms"].reverse()


def swapped(told):
    first, second, *_ = told["statements"]
    first["predicate"], second["predicate"] = second["predicate"], first["predicate"]


#: Changes that leave the plan's lengths as they are, by the name of the answer.
CHANGES = {
    "total": [
        predicate(0, le=30_001),
        predicate(1, le=40_001),
        term(0, 0, coeff=2),
        term(1, 1, coeff=1),
        turned(0),
        attribute("q2", "/wage", range={"b": 32, "lo": 99, "hi": 20_100}),
        lambda told: told["statements"].reverse(),
    ],
    "twice": [predicate(0, **{"in": {"lo": 10, "hi": 91}}), term(0, 0, coeff=3)],
    "mixture": [
        predicate(0, ge=10_001),
        term(0, 0, coeff=-2),
        turned(0),
        item4(None),
        item4(make.pseudonym("2026-12")),
        item4(make.pseudonym("2026-11") | {"value": make.pseudonym("2026-12")["value"]}),
        item4(make.pseudonym("2026-11") | {"value": [0] * 32}),
        item4(make.pseudonym("2026-11") | {"context": "larkfield/2026"}),
        lambda told: told["context"]["credentials"][0].pop("link"),
        lambda told: told["context"]["credentials"][0].update(link=ristretto.encode(ristretto.commit(7, 8)).hex()),
        lambda told: told["context"]["credentials"][1].update(link=told["context"]["credentials"][0]["link"]),
    ],
    "persons": [
        term(0, 1, query="q2"),
        term(3, 0, pointer="/wage"),
        predicate(2, eq=0),
        lambda told: told["statements"][1].update(id="person-3"),
        *(attribute(query, "/person", unit=kinds.TEXTS + "people") for query in ("q0", "q1", "q2")),
        attribute("q1", "/person", c=ristretto.encode(ristretto.commit(7, 8)).hex()),
        attribute("q1", "/person", c=bytes(32).hex()),
        lambda told: told["statements"].pop(),
    ],
    "lists": [
        predicate(0, eq=5),
        predicate(1, member=[[5, 6], [58, 58]]),
        predicate(2, ne=39),
        predicate(3, member=kinds.apart(*range(1, 25, 2), 59)),
        predicate(4, not_member=[[3, 4], [59, 59]]),
        predicate(1, member=[[57, 59]]),
        swapped,
    ],
    "intervals": [
        predicate(0, member=[[10, 28], [40, 57]]),
        predicate(0, member=[[10, 29], [40, 58]]),
        predicate(1, not_member=[[0, 9], [11, 12], [31, 40]]),
        predicate(0, not_member=[[0, 9], [30, 39], [58, 99]]),
        attribute("q0", "/ward", range={"b": 32, "lo": 0, "hi": 98}),
    ],
}

# --- lies ---------------------------------------------------------------------------------------------------------


class Falsely(kinds.Credential):
    """Signed commitments to numbers that their encoding does not have."""

    def holds(self, pointer, v):
        _, r = self.openings[self.query, pointer]
        self.openings[self.query, pointer] = v, r
        (found,) = [one for one in self.attributes if one["pointer"] == pointer]
        found["c"] = ristretto.encode(ristretto.commit(v, r)).hex()
        return self


def paid(query, wage, person="resident-0042"):
    values = [(kinds.PERSON, person), (kinds.WAGE, 200), (kinds.HOURS, 5)]
    return Falsely(f"payer-{query}", query, kinds.PAY, values).holds("/wage", wage)


def lived(ward):
    return Falsely("larkfield", "q0", kinds.DWELLING, [(kinds.WARD, 1)]).holds("/ward", ward)


SUM = kinds.combination("total", [(1, "q1", "/wage"), (1, "q2", "/wage")], {"le": 30_000})
UP = SUM | {"predicate": {"ge": 30_000}}
LIES = {
    "a sum above its bound": ([paid("q1", 20_000), paid("q2", 10_001)], SUM),
    "a sum that a negative wage pulls down": ([paid("q1", 20_000), paid("q2", -10_000)], SUM),
    "a sum that a wage beyond its range pushes up": ([paid("q1", 200), paid("q2", 30_000)], UP),
    "one person": (
        [paid("q1", 200), paid("q2", 200, "resident-0043")],
        kinds.compared("person", "/person", "q1", "q2"),
    ),
    "two persons": ([paid("q1", 200), paid("q2", 200)], kinds.compared("person", "/person", "q1", "q2", "ne")),
    "another ward": ([lived(57)], kinds.statement("ward", "q0", "/ward", {"eq": 56})),
    "not this ward": ([lived(57)], kinds.statement("ward", "q0", "/ward", {"ne": 57})),
    "one of few": ([lived(57)], kinds.statement("ward", "q0", "/ward", {"member": [[50, 56]]})),
    "one of many": ([lived(57)], kinds.statement("ward", "q0", "/ward", {"member": kinds.apart(*range(2, 30, 2))})),
    "none of few": ([lived(57)], kinds.statement("ward", "q0", "/ward", {"not_member": [[50, 57]]})),
    "above the interval": ([lived(57)], kinds.statement("ward", "q0", "/ward", {"member": [[20, 56]]})),
    "below the gap": ([lived(57)], kinds.statement("ward", "q0", "/ward", {"not_member": [[0, 57]]})),
}


def lies(count):
    """The prover refuses to make them; what a prover without scruples makes is refused."""
    for name, (copies, asked) in LIES.items():
        _, context, _, _ = kinds.story("lie", copies, [asked])
        statements = [answer.flat(asked)]
        openings = {key: opening for held in copies for key, opening in held.openings.items()}
        plan, draw = answer.plan_of(context, statements), scalars(f"lie/{name}").__next__
        count.refused(f"lie, proved: {name}", lambda: answer.prove(context, statements, openings, draw), Invalid)
        told = answer.made(context, statements, plan, openings, draw)
        count.refused(f"lie: {name}", lambda: answer.verify(context, statements, told), Invalid)


def two_intervals(count):
    """The least first and the greatest last are ends of two intervals: together they are in no place of the list."""
    draw, spans = scalars("two intervals").__next__, [(2, 9), (20, 29), (31, 39)]
    point = ristretto.encode(ristretto.commit(15, draw()))
    for name, ends, holds in (("one", (20, 29), True), ("two", (2, 39), False)):
        opened = [(end, draw()) for end in ends]
        proof = sigma.prove_within(strobe.Transcript(b"lie"), 0, point, spans, opened, draw)
        call = lambda: sigma.verify_within(strobe.Transcript(b"lie"), 0, point, spans, proof)  # noqa: E731, B023
        if holds:
            call()
        else:
            count.refused(f"the ends of {name} intervals", call, Invalid)
