"""The planner: statements to the entries of one aggregate (specs/proofs). Public input only, never the witness."""

from dataclasses import dataclass

import ristretto


class Refused(ValueError):
    """A statement that must not load."""


@dataclass(frozen=True)
class Entry:
    """One committed w = constant + sign * v that has to lie in [0, 2^n)."""

    statement: int
    sign: int
    constant: int

    def witness(self, value):
        return self.constant + self.sign * value

    def point(self, commitment):
        """C_w = K*B - C, or C - K*B (specs/proofs)."""
        own = commitment if self.sign == 1 else ristretto.negate(commitment)
        return ristretto.add(ristretto.multiply(self.constant, ristretto.B), own)

    def blinding(self, blinding):
        return self.sign * blinding % ristretto.L


@dataclass(frozen=True)
class Plan:
    entries: tuple
    n: int
    m: int


def entries_of(index, statement, lo, hi):
    """Entries of one statement, and the largest w of each over the signed [lo, hi]."""
    op = statement["op"]
    if op == "le":
        k = int(statement["k"])
        if not lo <= k < hi:
            raise Refused("le needs lo <= K < hi")
        return [(Entry(index, -1, k), k - lo)]
    if op == "ge":
        k = int(statement["k"])
        if not lo < k <= hi:
            raise Refused("ge needs lo < K <= hi")
        return [(Entry(index, 1, -k), hi - k)]
    if op != "in":
        raise Refused("an unknown op")
    first, last = int(statement["lo"]), int(statement["hi"])
    if not lo <= first <= last <= hi or (first, last) == (lo, hi):
        raise Refused("an interval lies within the range and is not all of it")
    return [(Entry(index, -1, last), last - lo), (Entry(index, 1, -first), hi - first)]


def plan(statements, ranges):
    """`ranges` maps (query, pointer) to the signed (lo, hi)."""
    found = []
    for index, statement in enumerate(statements):
        term = only_term(statement)
        found += entries_of(index, statement, *ranges[term["query"], term["pointer"]])
    if not found:
        raise Refused("no statement applies")
    return Plan(tuple(entry for entry, _ in found), width(found), padded(len(found)))


def only_term(statement):
    """specs/profiles/request.md: one term, coefficient 1."""
    if len(statement["terms"]) != 1 or statement["terms"][0]["coeff"] != 1:
        raise Refused("one term with coefficient 1")
    return statement["terms"][0]


def width(found):
    largest = max(most for _, most in found)
    for n in (16, 32, 64):
        if largest < 2**n:
            return n
    raise Refused("wider than 64 bits")


def padded(count):
    m = 1
    while m < count:
        m *= 2
    if m > 32:
        raise Refused("more than 32 entries")
    return m
