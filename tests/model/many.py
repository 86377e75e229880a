"""Lists of many elements and intervals, up to the most that there may be, written short in the vector files: `count`
intervals of `span` values each, the first of which are `first`, `first` + `step`, and so on."""

import copy

import answer
import binding
import kinds
import planner
import sigma
from fixed import scalars
from make import Credential, context, opening, statement
from ristretto import Invalid, L

CODE = {"pointer": "/code", "enc": "code", "unit": "urn:larkfield:codes:1", "b": 32, "lo": 0, "hi": 140_000}
PLOT = {"pointer": "/plot", "enc": "int", "unit": "plots", "b": 32, "lo": 0, "hi": 700_000}
HOUSE = {"pointer": "/house", "enc": "int", "unit": "houses", "b": 32, "lo": 0, "hi": 240_000}


def listed(first, step, span, count):
    return {"first": first, "step": step, "span": span, "count": count}


#: As many as there may be; a list whose last element fills what is left of a power of two, and hides in it; spans;
#: what is left between the elements of a list, with as much again to fill.
ASKED = [
    statement("codes", "q0", "/code", {"member": listed(1, 2, 1, 65_536)}),
    statement("padded", "q0", "/code", {"member": listed(1, 2, 1, 40_000)}),
    statement("spans", "q0", "/plot", {"member": listed(7, 10, 3, 65_536)}),
    statement("gaps", "q0", "/house", {"not_member": listed(2, 7, 1, 33_000)}),
]
VALUES = {"/code": 79_999, "/plot": 655_358, "/house": 231_003}


def whole(asked):
    """A statement with its set written out."""
    ((op, short),) = asked["predicate"].items()
    starts = range(short["first"], short["first"] + short["step"] * short["count"], short["step"])
    return asked | {"predicate": {op: [[start, start + short["span"] - 1] for start in starts]}}


def flat(statements):
    return [answer.flat(whole(asked)) for asked in statements]


def held():
    values = [(kind, VALUES[kind["pointer"]]) for kind in (CODE, PLOT, HOUSE)]
    return Credential("larkfield", "q0", kinds.DWELLING, values)


def everything():
    """An answer over four long lists."""
    home = held()
    within, statements = context("many", [home], ASKED), flat(ASKED)
    data = answer.prove(within, statements, home.openings, scalars("many/prover").__next__)
    points = []
    binding.bound(within, statements, lambda _, transcript: points.append(binding.checkpoint(transcript).hex()))
    points.append(binding.checkpoint(answer.verify(within, statements, data)).hex())
    plan = answer.plan_of(within, statements)
    openings = [opening(home, pointer) for pointer in VALUES]
    told = {"name": "many", "context": within, "statements": ASKED, "openings": openings, "checkpoints": points}
    return {"profile": 1, "answers": [told | {"plan": {"n": plan.n, "m": plan.m}, "answer": data.hex()}]}


# --- checks -------------------------------------------------------------------------------------------------------


def accepted(count, name, told):
    """An answer of a file; its last challenge is that of whoever made it."""
    last = answer.verify(told["context"], flat(told["statements"]), bytes.fromhex(told["answer"]))
    expected = told["checkpoints"][-1] if "checkpoints" in told else told["checkpoint"]
    count.equal(f"{name}, {told['name']} holds", binding.checkpoint(last).hex(), expected)


def shows(count, told):
    """By which proof each list is answered, and how long."""
    plan = answer.plan_of(told["context"], flat(told["statements"]))
    found = [(part.shows, len(part.public)) for part in plan.parts]
    expected = [("element", 65_536), ("element", 40_000), ("within", 65_536), ("within", 33_001)]
    count.equal("the proofs of long lists", found, expected)
    element, within = 32 * (7 * 16 + 1), 32 * (7 * 16 + 3)
    count.equal("their lengths", planner.lengths(plan)[:4], [element, element, within, within])


#: One list a little different, by the place of its statement: all of one length.
CHANGES = [(0, {"first": 3}), (1, {"count": 39_999}), (1, {"count": 40_001}), (2, {"span": 2}), (3, {"step": 6})]


def refused(count, name, told):
    for place, change in CHANGES:
        spoilt = copy.deepcopy(told["statements"])
        (short,) = spoilt[place]["predicate"].values()
        short |= change
        call = lambda: answer.verify(told["context"], flat(spoilt), bytes.fromhex(told["answer"]))  # noqa: E731, B023
        count.refused(f"{name}: list {place} with {change}", call, Invalid)


def lies(count):
    """A value beyond the last element, with which the list is padded, and one in the list that it shall not be in: what
    a prover without scruples makes of them."""
    home, draw = held(), scalars("many/lie").__next__
    for name, asked in (
        ("beyond", statement("padded", "q0", "/code", {"member": listed(1, 2, 1, 39_999)})),
        ("in the list", statement("gaps", "q0", "/house", {"not_member": listed(3, 7, 1, 33_001)})),
    ):
        within, statements = context("many", [home], [asked]), flat([asked])
        made = answer.made(within, statements, answer.plan_of(within, statements), home.openings, draw)
        count.refused(f"a lie, {name}", lambda: answer.verify(within, statements, made), Invalid)  # noqa: B023


def definition(count):
    """Halving a list gives what multiplying every p_i out gives."""
    draw = scalars("many/definition").__next__
    for size in (1, 2, 5, 8):
        elements = [draw() for _ in range(size)]
        m = sigma.bits_of(size)
        factors = [([draw(), draw()], [draw(), draw()]) for _ in range(m)]
        expected = [0] * (m + 1)
        for i, s in enumerate(sigma.padded(elements)):
            p = [s]
            for j, pair in enumerate(factors):
                p = sigma.times(p, pair[i >> j & 1])
            expected = [(one + other) % L for one, other in zip(expected, p)]
        count.equal(f"the sum over {size} elements", sigma.summed(elements, factors), expected)


def check(count, ours, theirs):
    definition(count)
    # Making ours has checked it.
    for told in theirs:
        accepted(count, "many.json", told)
    shows(count, ours[0])
    refused(count, "many.json", theirs[0])
    lies(count)
