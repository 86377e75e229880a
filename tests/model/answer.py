"""The bytes of an answer: made, and checked against a context (specs/proofs and specs/profiles/presentation.md)."""

import binding
import bulletproof
import link
import planner
import ristretto
import sigma
from ristretto import B, L, Invalid

VERSION = 1
HEADER = 1 + 4


def flat(statement):
    """A statement of the vectors, in the shape of the wire: {id, op, terms, k | lo, hi | set}."""
    if "op" in statement:
        return statement
    ((op, given),) = statement["predicate"].items()
    if op in ("member", "not_member"):
        given = {"set": given}
    elif op != "in":
        given = {"k": given}
    return {"id": statement["id"], "op": op, "terms": statement["terms"], **given}


def attribute_of(context, name):
    """An attribute by its (query, pointer): it has to be there exactly once."""
    query, pointer = name
    attributes = [one for held in context["credentials"] if held["query"] == query for one in held["attributes"]]
    found = [one for one in attributes if one["pointer"] == pointer]
    planner.require(len(found) == 1, "an attribute that is not there exactly once")
    return found[0]


def plan_of(context, statements):
    shown = pseudonym_of(context, statements) is not None
    return planner.plan(statements, lambda name: attribute_of(context, name), shown)


def pseudonym_of(context, statements):
    """The credential whose link secret the pseudonym of item 4 is of: neither is there without the other."""
    linked = [held for held in context["credentials"] if held.get("link") is not None]
    asked = context.get("authorisation", {}).get("pseudonym") is not None
    planner.require(len(linked) == (1 if asked else 0), "a pseudonym and one commitment to its secret go together")
    queries = {query for query, _ in names_of(statements)}
    planner.require(all(held["query"] in queries for held in linked), "a credential that no statement names")
    return linked[0] if asked else None


def item4(context):
    """Base and value of the pseudonym."""
    shown = context["authorisation"]["pseudonym"]
    return link.read(shown["context"]), bytes(shown["value"])


def names_of(statements):
    """The attributes in use, each once."""
    return dict.fromkeys((term["query"], term["pointer"]) for one in statements for term in one["terms"])


def signed_points(context, statements):
    """C of each attribute in use."""
    encoded = {name: bytes.fromhex(attribute_of(context, name)["c"]) for name in names_of(statements)}
    return {name: sigma.sent(data) for name, data in encoded.items()}


def begin(context, statements, plan):
    transcript = binding.bound(context, statements)
    binding.sub_proofs(transcript, len(planner.lengths(plan)))
    return transcript


def combined(entry, points):
    """C_w of an entry."""
    return ristretto.multi_sum([(entry.constant, B), *((a, points[name]) for a, name in entry.form)])


def begin_aggregate(transcript, plan, points):
    """C_w of each entry, padded to m with the identity, which is Com(0; 0)."""
    made = [ristretto.encode(combined(entry, points)) for entry in plan.entries]
    made += [bytes(32)] * (plan.m - len(made))
    binding.aggregate(transcript, len(plan.parts) + plan.pseudonym, plan, made)
    return made


# --- checking -----------------------------------------------------------------------------------------------------


def types(plan):
    before = [link.PSEUDONYM] if plan.pseudonym else []
    return [sigma.TYPES[part.shows] for part in plan.parts] + before + [binding.RANGE_PROOF]


def sub_proofs_within(data, plan):
    """0x01, then type, length, bytes of each; the lengths are the formula's, nothing is missing and nothing trails."""
    lengths, found, at = planner.lengths(plan), [], 1
    for kind, length in zip(types(plan), lengths):
        if data[at : at + HEADER] != bytes([kind]) + length.to_bytes(4, "big"):
            raise Invalid("the layout of the answer")
        found.append(data[at + HEADER : at + HEADER + length])
        at += HEADER + length
    if data[:1] != bytes([VERSION]) or len(data) != at:
        raise Invalid("the layout of the answer")
    return found


def verify(context, statements, data):
    """Raises `Invalid` or `planner.Refused` unless the answer holds; returns the final transcript."""
    plan = plan_of(context, statements)
    proofs = sub_proofs_within(data, plan)
    points = signed_points(context, statements)
    transcript = begin(context, statements, plan)
    for index, (part, proof) in enumerate(zip(plan.parts, proofs)):
        of_part = [ristretto.encode(points[name]) for name in part.names]
        sigma.verify_shown(transcript, part.shows, index, of_part, part.public, proof)
        if part.shows == "within":
            points[index, "first"], points[index, "last"] = sigma.ends_of(proof)
    if plan.pseudonym:
        signed = bytes.fromhex(pseudonym_of(context, statements)["link"])
        link.verify(transcript, len(plan.parts), signed, *item4(context), proofs[len(plan.parts)])
    if plan.entries:
        committed = begin_aggregate(transcript, plan, points)
        bulletproof.verify(transcript, proofs[-1], plan.n, plan.m, committed)
        binding.proof_bytes(transcript, proofs[-1])
    return transcript


# --- making -------------------------------------------------------------------------------------------------------


def value_of(statement, openings):
    """S: an integer, or for texts a difference modulo l."""
    return sum(term["coeff"] * openings[term["query"], term["pointer"]][0] for term in statement["terms"])


def met(statement, value):
    """What the statement says, in plain integers."""
    op = statement["op"]
    if op in ("member", "not_member"):
        inside = any(first <= value <= last for first, last in statement["set"])
        return inside == (op == "member")
    first, last = planner.bounds(statement)
    holds = {"le": value <= last, "ge": value >= first, "in": first <= value <= last}
    return (holds | {"eq": value == last, "ne": value != last})[op]


def prove(context, statements, openings, draw):
    """`openings` maps (query, pointer) to (v, r), and (query, "/_link") to (x, t)."""
    plan = plan_of(context, statements)
    for name, point in signed_points(context, statements).items():
        if ristretto.encode(ristretto.commit(*openings[name])) != ristretto.encode(point):
            raise Invalid("the openings do not open the commitments")
    if not all(met(statement, value_of(statement, openings)) for statement in statements):
        raise Invalid("the value does not meet the statement")
    known = [entry for entry in plan.entries if all(name in openings for _, name in entry.form)]
    if not all(0 <= witness(entry, openings) < 2**plan.n for entry in known):
        raise Invalid("a value beyond what its issuer may sign")
    return made(context, statements, plan, openings, draw)


def made(context, statements, plan, openings, draw):
    """Of a statement that is not met, the bytes that a liar would send."""
    openings = dict(openings)
    points = signed_points(context, statements)
    transcript = begin(context, statements, plan)
    proofs = []
    for index, part in enumerate(plan.parts):
        of_part = [ristretto.encode(points[name]) for name in part.names]
        opening = opening_of(index, part, openings, draw)
        proofs.append(sigma.prove_shown(transcript, part.shows, index, of_part, part.public, opening, draw))
        if part.shows == "within":
            points[index, "first"], points[index, "last"] = sigma.ends_of(proofs[-1])
    if plan.pseudonym:
        x, t = openings[pseudonym_of(context, statements)["query"], "/_link"]
        proofs.append(link.prove(transcript, len(plan.parts), item4(context)[0], x, t, draw))
    if plan.entries:
        begin_aggregate(transcript, plan, points)
        proofs.append(proved_aggregate(transcript, plan, openings, draw))
    headers = [bytes([kind]) + len(proof).to_bytes(4, "big") for kind, proof in zip(types(plan), proofs)]
    return bytes([VERSION]) + b"".join(header + proof for header, proof in zip(headers, proofs))


def witness(entry, openings):
    """w, a plain integer."""
    return entry.constant + sum(a * openings[name][0] for a, name in entry.form)


def opening_of(index, part, openings, draw):
    """Of the point, of the difference of both, or of the ends of the interval that has the value."""
    (v, r), *others = [openings[name] for name in part.names]
    if part.shows == "within":
        interval = next((one for one in part.public if one[0] <= v <= one[1]), part.public[0])
        ends = [(end, draw()) for end in interval]
        openings[index, "first"], openings[index, "last"] = ends
        return ends
    return ((v - others[0][0]) % L, (r - others[0][1]) % L) if others else (v, r)


def proved_aggregate(transcript, plan, openings, draw):
    values = [witness(entry, openings) for entry in plan.entries]
    blindings = [sum(a * openings[name][1] for a, name in entry.form) % L for entry in plan.entries]
    padding = [0] * (plan.m - len(values))
    return bulletproof.prove(transcript, plan.n, values + padding, blindings + padding, draw)
