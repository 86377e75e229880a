"""The planner: statements to sub-proofs and the entries of one aggregate (specs/proofs section 4). Public input only."""

from dataclasses import dataclass, replace

import bulletproof
import encoding

#: The most intervals of a set, and the most elements of a list.
LISTED = 65_536
FEW, INEQUALITIES = 8, 16
#: Bytes of the sub-proof that shows a pseudonym.
PSEUDONYM = 128
LARGEST_ANSWER = 16_384
MOST_TERMS, LARGEST_COEFFICIENT = 16, 2**16


class Refused(ValueError):
    """Statements that must not load."""


@dataclass(frozen=True)
class Entry:
    """One w = constant + sum of coefficient * hidden, which has to lie in [0, 2^n).

    A hidden value is named (query, pointer) if it is an attribute, and (index of a sub-proof, "first" or "last") if it
    is an end of the interval of that sub-proof.
    """

    statement: int
    side: object
    constant: int
    form: tuple


@dataclass(frozen=True)
class Part:
    """A sub-proof without a range: what it shows of the attributes `names`, and the public value or list."""

    statement: int
    shows: str
    names: tuple
    public: object = None


@dataclass(frozen=True)
class Plan:
    parts: tuple
    entries: tuple
    n: int
    m: int
    pseudonym: bool = False


def require(holds, why):
    if not holds:
        raise Refused(why)


def plan(statements, declared, pseudonym=False):
    """`declared` gives {enc, unit, range} of an attribute by its name, or refuses; `pseudonym`: whether one is shown."""
    require(statements, "no statement applies")
    require(len({one["id"] for one in statements}) == len(statements), "two statements share an id")
    planner = Planner(declared)
    for index, statement in enumerate(statements):
        planner.add(index, statement)
    made = replace(planner.plan(), pseudonym=pseudonym)
    require(length(made) <= LARGEST_ANSWER, "longer than an answer may be")
    return made


class Planner:
    """What the statements so far have given."""

    def __init__(self, declared):
        self.declared, self.parts, self.found, self.ranged = declared, [], [], set()

    def plan(self):
        n, m = (width(self.found), padded(len(self.found))) if self.found else (0, 0)
        return Plan(tuple(self.parts), tuple(entry for entry, _ in self.found), n, m)

    def add(self, index, statement):
        names, coefficients = terms_of(statement)
        attributes = [self.declared(name) for name in names]
        require(len({(one["enc"], one["unit"]) for one in attributes}) == 1, "one encoding and one unit")
        if is_difference(statement, coefficients):
            self.hidden(index, statement, names, attributes)
            return
        ranges = list(map(signed_range, attributes))
        if coefficients == (1,):
            self.single(index, statement, names[0], ranges[0])
            return
        require(statement["op"] in ("le", "ge", "in"), "a sum is bounded")
        self.terms(index, statement["op"], coefficients, names, ranges)
        self.bound(index, statement, tuple(zip(coefficients, names)), extremes(coefficients, ranges))

    def hidden(self, index, statement, names, attributes):
        """Two hidden values are equal, or differ; there is no bound that could divide anything."""
        for one in attributes:
            if one["enc"] != "str" or one["range"] is not None:
                signed_range(one)
        self.parts.append(Part(index, {"eq": "equal", "ne": "differ"}[statement["op"]], names))

    def single(self, index, statement, name, limits):
        if statement["op"] in ("le", "ge", "in"):
            self.bound(index, statement, ((1, name),), limits)
            return
        divides(statement, limits)
        for shows, public in SHOWN[statement["op"]](statement, limits):
            self.parts.append(Part(index, shows, (name,), public))
            if shows == "within":
                self.ends(index, name, public)

    def terms(self, index, op, coefficients, names, ranges):
        """Each term by itself, from the ends of its signed range that count, each once in an answer."""
        for place, (a, name, (lo, hi)) in enumerate(zip(coefficients, names, ranges)):
            if op == "in" or (op == "le") == (a > 0):
                self.by_itself(index, (name, "lo"), {"term": place, "lo": lo}, -lo, ((1, name),), hi - lo)
            if op == "in" or (op == "ge") == (a > 0):
                self.by_itself(index, (name, "hi"), {"term": place, "hi": hi}, hi, ((-1, name),), hi - lo)

    def by_itself(self, index, end, *entry):
        if end not in self.ranged:
            self.ranged.add(end)
            self.entry(index, *entry)

    def bound(self, index, statement, form, limits):
        divides(statement, limits)
        least, greatest = limits
        op, first, last = statement["op"], *bounds(statement)
        if op in ("le", "in"):
            turned = tuple((-coefficient, name) for coefficient, name in form)
            self.entry(index, {"at_most": last}, last, turned, last - least)
        if op in ("ge", "in"):
            self.entry(index, {"at_least": first}, -first, form, greatest - first)

    def ends(self, index, name, intervals):
        """The two entries after the sub-proof that committed to the ends of the hidden interval."""
        part, longest = len(self.parts) - 1, max(last - first for first, last in intervals)
        self.entry(index, "from_first", 0, ((1, name), (-1, (part, "first"))), longest)
        self.entry(index, "to_last", 0, ((-1, name), (1, (part, "last"))), longest)

    def entry(self, statement, side, constant, form, most):
        self.found.append((Entry(statement, side, constant, form), most))


# --- the shape of a statement -------------------------------------------------------------------------------------


def terms_of(statement):
    names = tuple((term["query"], term["pointer"]) for term in statement["terms"])
    coefficients = tuple(term["coeff"] for term in statement["terms"])
    require(1 <= len(names) <= MOST_TERMS and len(set(names)) == len(names), "1 to 16 different attributes")
    require(all(1 <= abs(a) <= LARGEST_COEFFICIENT for a in coefficients), "1 <= |a| <= 2^16")
    return names, coefficients


def is_difference(statement, coefficients):
    return statement["op"] in ("eq", "ne") and coefficients == (1, -1) and statement["k"] == 0


def signed_range(attribute):
    limits = attribute["range"]
    require(attribute["enc"] != "str" and limits is not None, "a number is needed")
    lo, hi, bits = (int(limits[name]) for name in ("lo", "hi", "b"))
    require(bits in encoding.BITS[attribute["enc"]], "no such width for this encoding")
    require(0 <= lo <= hi < 2**bits, "an empty range, or one that leaves [0, 2^b)")
    return lo, hi


def extremes(coefficients, ranges):
    """The least and the greatest S that the signed ranges give."""
    ends = [sorted((a * lo, a * hi)) for a, (lo, hi) in zip(coefficients, ranges)]
    return sum(least for least, _ in ends), sum(greatest for _, greatest in ends)


# --- bounds and sets ----------------------------------------------------------------------------------------------


def bounds(statement):
    """The ends of a predicate's interval; one bound is both of them."""
    found = [statement[name] for name in ("lo", "hi")] if "lo" in statement else 2 * [statement["k"]]
    return tuple(map(int, found))


def divides(statement, limits):
    """A bound or a set must divide what S may be: somebody in the range meets it, and somebody does not."""
    op, (lo, hi) = statement["op"], limits
    if op in ("member", "not_member"):
        intervals = canonical(statement["set"])
        require(lo <= intervals[0][0] and intervals[-1][1] <= hi, "a set inside the range")
        require(gaps(intervals, lo, hi), "a set that is not the whole range")
        return
    first, last = bounds(statement)
    require(0 <= first <= last < 2**64, "bounds in [0, 2^64)")
    good = {
        "le": lo <= last < hi,
        "ge": lo < first <= hi,
        "in": lo <= first and last <= hi and (first, last) != (lo, hi),
        "eq": lo <= first <= hi and lo < hi,
        "ne": lo <= first <= hi and lo < hi,
    }
    require(good[op], "a bound that divides the range")


def canonical(intervals):
    """The one form of a set: closed intervals that rise and do not touch."""
    require(1 <= len(intervals) <= LISTED, "1 to 65,536 intervals, of a set and of its gaps")
    require(all(0 <= first <= last < 2**64 for first, last in intervals), "intervals in [0, 2^64)")
    pairs = zip(intervals, intervals[1:])
    require(all(last + 1 < first for (_, last), (first, _) in pairs), "intervals that rise and do not touch")
    return intervals


def gaps(intervals, lo, hi):
    """What a set leaves of the range."""
    starts = [lo] + [last + 1 for _, last in intervals]
    stops = [first - 1 for first, _ in intervals] + [hi]
    return [[start, stop] for start, stop in zip(starts, stops) if start <= stop]


def count(intervals):
    return sum(last - first + 1 for first, last in intervals)


def elements(intervals):
    return [value for first, last in intervals for value in range(first, last + 1)]


def bits(size):
    return max(1, (size - 1).bit_length())


def member(statement, _limits):
    intervals = statement["set"]
    size = count(intervals)
    if size <= FEW:
        return [("one_of", elements(intervals))]
    if size <= LISTED and bits(size) < bits(len(intervals)) + 4:
        return [("element", elements(intervals))]
    return [("within", intervals)]


def not_member(statement, limits):
    intervals = statement["set"]
    if count(intervals) <= INEQUALITIES:
        return [("differs_from", value) for value in elements(intervals)]
    return [("within", canonical(gaps(intervals, *limits)))]


SHOWN = {
    "eq": lambda statement, _: [("one_of", [int(statement["k"])])],
    "ne": lambda statement, _: [("differs_from", int(statement["k"]))],
    "member": member,
    "not_member": not_member,
}

# --- sizes --------------------------------------------------------------------------------------------------------


def width(found):
    largest = max(most for _, most in found)
    for n in (16, 32, 64):
        if largest < 2**n:
            return n
    raise Refused("wider than 64 bits")


def padded(size):
    m = 1
    while m < size:
        m *= 2
    require(m <= 32, "more than 32 entries")
    return m


#: Bytes of the sub-proofs (specs/proofs section 6.2).
LENGTHS = {
    "equal": lambda _: 64,
    "differ": lambda _: 160,
    "differs_from": lambda _: 160,
    "one_of": lambda few: 64 * len(few),
    "element": lambda many: 32 * (7 * bits(len(many)) + 1),
    "within": lambda intervals: 32 * (7 * bits(len(intervals)) + 3),
}


def lengths(made):
    """Bytes of each sub-proof, the aggregate last."""
    of_parts = [LENGTHS[part.shows](part.public) for part in made.parts]
    of_parts += [PSEUDONYM] if made.pseudonym else []
    return of_parts + ([bulletproof.length(made.n, made.m)] if made.entries else [])


def length(made):
    """Bytes of the answer: the version, then each sub-proof with its type and length."""
    return 1 + sum(5 + size for size in lengths(made))
