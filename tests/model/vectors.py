"""Checks against the frozen vectors of `specs/vectors`."""

import json

import answer
import binding
import bulletproof
import cancelling
import dates
import encoding
import exchange
import link
import many
import planner
import presentation
import ristretto
import sigma
import strobe
import town
from ristretto import Invalid


def check(count, folder):
    group(count, load(folder / "rfc9496/ristretto255.json"))
    link.check_hash(count, load(folder / "rfc9497/ristretto255.json"))
    range_proofs(count, load(folder / "bulletproofs/range_proof.json"))
    ours = load(folder / "vouchsafe-1/proofs.json")
    count.equal("the profile", ours.pop("version"), "vouchsafe/v1")
    for part, check_part in PARTS.items():
        for index, one in enumerate(ours.pop(part)):
            check_part(count, f"{part}/{index}", one)
    kinds(count, load(folder / "vouchsafe-1/kinds.json"))
    count.equal("parts of proofs.json that the model does not know", list(ours), [])


def load(path):
    return json.loads(path.read_text())


def group(count, data):
    """RFC 9496 appendix A."""
    point = ristretto.IDENTITY
    for index, expected in enumerate(data["multiples"]):
        count.equal(f"{index} times the base", ristretto.encode(point).hex(), expected)
        count.equal(f"decoding of {index}", ristretto.encode(ristretto.decode(bytes.fromhex(expected))).hex(), expected)
        point = ristretto.add(point, ristretto.B)
    for bad in data["invalid"]:
        call = lambda: ristretto.decode(bytes.fromhex(bad["encoding"]))  # noqa: E731
        count.refused(f"encoding {bad['encoding']}: {bad['why']}", call, Invalid)
    for one in data["from_uniform_bytes"]:
        found = ristretto.encode(ristretto.from_uniform(bytes.fromhex(one["input"]))).hex()
        count.equal(f"uniform {one['input'][:16]}", found, one["output"])


def range_proofs(count, data):
    """The sixteen proofs of the package's own tests."""
    for one in data["proofs"]:
        n, m = one["n"], one["m"]
        points = [bytes.fromhex(text) for text in data["commitments"][:m]]
        proof = bytes.fromhex(one["proof"])
        transcript = strobe.Transcript(data["transcript_label"].encode())
        try:
            bulletproof.verify(transcript, proof, n, m, points)
            count.true(f"package's proof {n} by {m}", True)
        except Invalid as refusal:
            count.true(f"package's proof {n} by {m}: {refusal}", False)


def encoded(count, name, one):
    count.equal(name, encoding.encode(one["enc"], one["bits"], one["plain"]), one["v"])


def not_encoded(count, name, one):
    call = lambda: encoding.encode(one["enc"], one["bits"], one["plain"])  # noqa: E731
    count.refused(f"{name}: {one['plain']}", call, ValueError)


def text(count, name, one):
    scalar = encoding.encode_str(one["type_uri"], one["text"])
    count.equal(name, ristretto.scalar_bytes(scalar).hex(), one["scalar"])


def clamped(count, name, one):
    latest = dates.back(dates.parse(one["today"]), one["unit"], one["n"])
    count.equal(name, str(latest), one["latest"])


def birthday(count, name, one):
    born, months = dates.parse(one["born"]), 12 * one["years"] + one["months"]
    count.equal(f"{name} next day", str(dates.add_next_day(born, months)), one["next_day"])
    count.equal(f"{name} last day", str(dates.add_last_day(born, months)), one["last_day"])


def table(count, name, one):
    loaded = dates.Table(one["rows"], dates.date_of(one["lo"]), dates.date_of(one["hi"]))
    for at in one["cutoffs"]:
        cutoff = loaded.cutoff(dates.parse(at["today"]))
        count.equal(f"{name} on {at['today']}", None if cutoff is None else dates.day(cutoff), at["cutoff"])


def committed(count, name, one):
    r = encoding.blinding(bytes.fromhex(one["seed"]), one["iss"], one["vct"], one["pointer"])
    count.equal(f"{name} blinding", ristretto.scalar_bytes(r).hex(), one["r"])
    v = one["v"] if "v" in one else ristretto.scalar_from_canonical(bytes.fromhex(one["scalar"]))
    count.equal(name, ristretto.encode(ristretto.commit(v, r)).hex(), one["c"])


def planned(count, name, one):
    """`plan` is null, or absent, where the statements do not load."""
    statements = [answer.flat(statement) for statement in one["statements"]]
    limits = one["range"]
    terms = [term for statement in statements for term in statement["terms"]]
    unit = {"enc": one["enc"], "unit": "", "range": limits}
    attributes = [{"pointer": p, **unit} for p in {t["pointer"] for t in terms}]
    context = {"credentials": [{"query": q, "attributes": attributes} for q in {t["query"] for t in terms}]}
    if isinstance(one.get("plan"), dict):
        count.equal(name, shown(answer.plan_of(context, statements)), one["plan"])
    else:
        count.refused(name, lambda: answer.plan_of(context, statements), planner.Refused)


def shown(plan):
    """A plan of bounds in the shape of the vectors."""
    entries = [{"side": entry.side, "statement": entry.statement} for entry in plan.entries]
    return {"entries": entries, "m": plan.m, "n": plan.n}


def whole(plan):
    """A plan in the shape of the vectors, with its sub-proofs without a range and the length of the answer."""
    shows = [part.shows if part.public is None else {part.shows: part.public} for part in plan.parts]
    parts = [{"shows": one, "statement": part.statement} for one, part in zip(shows, plan.parts)]
    told = shown(plan) | {"parts": parts, "length": planner.length(plan)}
    return told | {"pseudonym": True} if plan.pseudonym else told


#: The attributes of the plans of kinds.json, by pointer: `/a` and `/s` of two queries, `/w` of one.
DECLARED = {
    "/a": {"enc": "pence", "unit": "GBP-pence", "range": {"b": 32, "lo": 0, "hi": 4_000_000_000}},
    "/w": {"enc": "code", "unit": "wards/1", "range": {"b": 32, "lo": 0, "hi": 999}},
    "/s": {"enc": "str", "unit": "https://register.larkfield.example/text/person", "range": None},
}


def kinds(count, data):
    """Statements of every kind: what each is planned as, and whole answers."""
    for index, one in enumerate(data["plans"]):
        statements = [answer.flat(one["statement"])]
        call = lambda: planner.plan(statements, lambda name: DECLARED[name[1]])  # noqa: E731, B023
        if one["plan"] is None:
            count.refused(f"kinds/{index}", call, planner.Refused)
        else:
            count.equal(f"kinds/{index}", whole(call()), one["plan"])
    for index, one in enumerate(data["answers"]):
        answered(count, f"kinds/answers/{index}", one, whole)


def bound(count, name, one):
    statements = [answer.flat(statement) for statement in one["statements"]]
    found = []
    binding.bound(one["context"], statements, lambda _, t: found.append(binding.checkpoint(t).hex()))
    for item, (ours, theirs) in enumerate(zip(found, one["checkpoints"], strict=True), 1):
        count.equal(f"{name} after item {item}", ours, theirs)


def answered(count, name, one, planned_as=shown):
    """The whole answer: plan, commitments, transcript, layout, every sub-proof."""
    context, statements = one["context"], [answer.flat(statement) for statement in one["statements"]]
    count.equal(f"{name} plan", planned_as(answer.plan_of(context, statements)), one["plan"])
    for opening in one["openings"]:
        r = ristretto.scalar_from_canonical(bytes.fromhex(opening["r"]))
        v = opening["v"] if isinstance(opening["v"], int) else encoding.encode_str(**opening["v"])
        named = answer.attribute_of(context, (opening["query"], opening["pointer"]))
        count.equal(f"{name} opens", named["c"], ristretto.encode(ristretto.commit(v, r)).hex())
    if "link" in one:
        x, t = (ristretto.scalar_from_canonical(bytes.fromhex(one["link"][part])) for part in ("secret", "blinding"))
        linked = answer.pseudonym_of(context, statements)
        count.equal(f"{name}, link", linked["link"], ristretto.encode(ristretto.commit(x, t)).hex())
        base, value = answer.item4(context)
        count.equal(f"{name}, pseudonym", value, ristretto.encode(ristretto.multiply(x, base)))
    last = answer.verify(context, statements, bytes.fromhex(one["answer"]))
    count.equal(f"{name} holds, up to item 7", binding.checkpoint(last).hex(), one["checkpoint"])


PARTS = {
    "encodings": encoded,
    "refused_encodings": not_encoded,
    "texts": text,
    "clamps": clamped,
    "birthdays": birthday,
    "tables": table,
    "commitments": committed,
    "plans": planned,
    "transcripts": bound,
    "answers": answered,
}


def same(count, path, made):
    """What the model made is still what it makes; making it checks it."""
    count.true(f"{path.name} is what `make` writes", path.exists() and load(path) == made)


def own(count, path, made):
    """The same of answers, and of a whole presentation."""
    same(count, path, made)
    count.true("the model accepts its own presentation", presentation.accepts(made["presentation"]))


def whole_answers(count, path, made):
    """Whole answers over several credentials: the model's own, which are still the same, and those that another
    implementation made. Gives both by name."""
    same(count, path, made)
    found = []
    for name, file in ((path.name, made), ("ways.json", load(path.with_name("ways.json")))):
        found.append({one["name"]: one for one in town.each(file)})
        for one in found[-1].values():
            count.equal(f"{name}, {one['name']}", exchange.check(one), one["outcome"])
    for one in town.each(made, "lies"):
        count.refused(f"{path.name}, {one['name']}", lambda: exchange.check(one), Invalid)  # noqa: B023
    return found


def long_lists(count, path, made):
    """Answers over lists of many elements: the model's own, which are still the same, and those of another."""
    same(count, path, made)
    many.check(count, made["answers"], load(path.with_name("many.json"))["answers"])


def without_range(count, path, made):
    """What the model proves without a range is still what it proves; it accepts the frozen proofs, and no change."""
    same(count, path, made)
    for one in load(path.with_name("sigma.json"))["proofs"] + made["proofs"]:
        transcript = strobe.Transcript(sigma.LABEL)
        try:
            sigma.verify(transcript, one)
            count.equal(f"after {one['kind']}", binding.checkpoint(transcript).hex(), one["checkpoint"])
        except Invalid as refusal:
            count.true(f"{one['kind']}: {refusal}", False)
        changed = one | {"proof": one["proof"][:-3] + ("0" if one["proof"][-3] != "0" else "1") + one["proof"][-2:]}
        count.refused(f"{one['kind']}, changed", lambda: sigma.verify(strobe.Transcript(sigma.LABEL), changed), Invalid)


def links(count, path, made):
    """What the model shows and registers is still the same; it accepts the frozen proofs, and no change."""
    same(count, path, made)
    for name, file in (("link.json", load(path.with_name("link.json"))), ("model-link.json", made)):
        for index, one in enumerate(file["pseudonyms"]):
            link.check_shown(count, f"{name}, pseudonym {index}", one)
        for index, one in enumerate(file["registrations"]):
            link.check_batch(count, f"{name}, registration {index}", one)


def wrong(count, path, made):
    """The wrong proofs are still what the model makes, and it refuses them."""
    same(count, path, made)
    count.true("the right proof is accepted", cancelling.accepts(made, made["right"]))
    for proof in (made["alone"], *made["together"]):
        count.true("a wrong proof is refused", not cancelling.accepts(made, proof))
