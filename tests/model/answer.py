"""The bytes of an answer: made, and checked against a context (specs/proofs and specs/profiles/presentation.md)."""

import bulletproof
import binding
import encoding
import planner
import ristretto
from ristretto import Invalid

VERSION = 1
HEADER = 1 + 1 + 4


def flat(statement):
    """A statement of the vectors, in the shape of the wire: {id, op, terms, k | lo, hi}."""
    if "op" in statement:
        return statement
    ((op, bounds),) = statement["predicate"].items()
    bounds = bounds if isinstance(bounds, dict) else {"k": bounds}
    return {"id": statement["id"], "op": op, "terms": statement["terms"], **bounds}


def attribute_of(context, term):
    (credential,) = [c for c in context["credentials"] if c["query"] == term["query"]]
    return binding.only(credential["attributes"], term["pointer"])


def plan_of(context, statements):
    ranges = {}
    for statement in statements:
        term = planner.only_term(statement)
        attribute = attribute_of(context, term)
        limits = attribute["range"]
        if limits is None or limits["b"] not in encoding.BITS[attribute["enc"]]:
            raise planner.Refused("no sound signed range")
        lo, hi = int(limits["lo"]), int(limits["hi"])
        if not lo <= hi < 2 ** limits["b"]:
            raise planner.Refused("no sound signed range")
        ranges[term["query"], term["pointer"]] = lo, hi
    if len({statement["id"] for statement in statements}) != len(statements):
        raise planner.Refused("two statements share an id")
    return planner.plan(statements, ranges)


def points_of(context, statements, plan):
    """C_w of each entry, padded to m with the identity, which is Com(0; 0)."""
    points = []
    for entry in plan.entries:
        attribute = attribute_of(context, statements[entry.statement]["terms"][0])
        signed = ristretto.decode(bytes.fromhex(attribute["c"]))
        if attribute["c"] == "00" * 32:
            raise Invalid("an issuer signs no identity")
        points.append(ristretto.encode(entry.point(signed)))
    return points + [bytes(32)] * (plan.m - len(points))


def transcript_of(context, statements, plan):
    points = points_of(context, statements, plan)
    transcript = binding.bound(context, statements)
    binding.sub_proof(transcript, plan, points)
    return transcript, points


def proof_within(data, plan):
    """0x01, then type, length, bytes; the length is the formula's and nothing trails."""
    length = bulletproof.length(plan.n, plan.m)
    expected = bytes([VERSION, binding.RANGE_PROOF]) + length.to_bytes(4, "big")
    if data[:HEADER] != expected or len(data) != HEADER + length:
        raise Invalid("the layout of the answer")
    return data[HEADER:]


def verify(context, statements, data):
    """Raises `Invalid` or `planner.Refused` unless the answer holds; returns the final transcript."""
    plan = plan_of(context, statements)
    proof = proof_within(data, plan)
    transcript, points = transcript_of(context, statements, plan)
    bulletproof.verify(transcript, proof, plan.n, plan.m, points)
    binding.proof_bytes(transcript, proof)
    return transcript


def prove(context, statements, openings, draw):
    """`openings` maps (query, pointer) to (v, r)."""
    plan = plan_of(context, statements)
    transcript, points = transcript_of(context, statements, plan)
    values, blindings = [], []
    for entry in plan.entries:
        term = statements[entry.statement]["terms"][0]
        v, r = openings[term["query"], term["pointer"]]
        values.append(entry.witness(v))
        blindings.append(entry.blinding(r))
    padding = plan.m - len(values)
    values, blindings = values + [0] * padding, blindings + [0] * padding
    if any(not 0 <= w < 2**plan.n for w in values):
        raise Invalid("the value does not meet the statement")
    made = [ristretto.encode(ristretto.commit(w, r)) for w, r in zip(values, blindings)]
    if made != points:
        raise Invalid("the openings do not open the commitments")
    proof = bulletproof.prove(transcript, plan.n, values, blindings, draw)
    return bytes([VERSION, binding.RANGE_PROOF]) + len(proof).to_bytes(4, "big") + proof
