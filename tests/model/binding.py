"""The one list of what a proof is bound to (specs/proofs, specs/profiles/presentation.md), item by item.

A context is a plain dictionary in the shape of the frozen vectors; hashes and thumbprints are hexadecimal there and
32 raw bytes in the transcript. Every label is written out once, here.
"""

import copy

import dates
import ristretto
import sigma
from sigma import number
from strobe import Transcript

SUITE = b"ristretto255-merlin-bp1"
GENERATORS = b"bp5-default"
TIER = 1
RANGE_PROOF = 1


def signed(value):
    """Coefficients: i64 big-endian."""
    return value.to_bytes(8, "big", signed=True)


def raw(text):
    """A hash as 32 bytes; absent = empty."""
    return b"" if text is None else bytes.fromhex(text)


def bound(context, statements, after_item=lambda item, transcript: None):
    """Items 1 to 6, absorbed before any challenge."""
    transcript = Transcript(b"vouchsafe/v1")
    items = (protocol, request, policy, authorisation, credentials, asked)
    for index, item in enumerate(items, 1):
        for label, message in item(context, statements):
            transcript.append(label.encode(), message)
        after_item(index, transcript)
    return transcript


def checkpoint(transcript):
    """The challenge "vector" of a copy: two implementations that disagree learn at which item."""
    return copy.deepcopy(transcript).challenge(b"vector", 64)


def protocol(_context, _statements):
    """Item 1: suite, tier, generator set, encodings of the bases."""
    yield "1.suite", SUITE
    yield "1.tier", number(TIER)
    yield "1.generators", GENERATORS
    yield "1.base", ristretto.encode(ristretto.B)
    yield "1.blinding-base", ristretto.encode(ristretto.H)


def tagged(choice, *names):
    """A tag byte before its value, in one append; `choice` has exactly one of the names."""
    ((name, value),) = choice.items()
    return bytes([names.index(name)]), value


def request(context, _statements):
    """Item 2: who asks, where the answer goes."""
    asked_by = context["request"]
    yield "2.service", asked_by["service"].encode()
    yield "2.client-id", asked_by["client_id"].encode()
    yield "2.nonce", asked_by["nonce"].encode()
    yield "2.state", raw(asked_by["state_sha256"])
    tag, uri = tagged(asked_by["reply_to"], "response_uri", "origin")
    yield "2.reply-to", tag + uri.encode()
    yield "2.encryption-key", raw(asked_by["encryption_key"])


def policy(context, _statements):
    """Item 3: what is asked, by which rule, on which day, over which lists."""
    rule = context["policy"]
    yield "3.purpose", rule["purpose"].encode()
    yield "3.policy", rule["id"].encode()
    yield "3.policy-version", number(rule["version"])
    yield "3.policy-digest", raw(rule["digest"])
    yield "3.statements-digest", raw(rule["statements"])
    yield "3.option", number(rule["option"])
    yield "3.as-of", number(as_of(rule))
    tables = sorted(rule["tables"], key=lambda table: (table["id"], table["version"], table["hash"]))
    yield "3.tables", number(len(tables))
    for table in tables:
        yield "3.table", raw(table["hash"])


def as_of(rule):
    """Vectors may write the day of asking as a date or by its encoding."""
    day = rule["as_of"]
    return day if isinstance(day, int) else dates.day(dates.parse(day))


def authorisation(context, _statements):
    """Item 4: transaction_data, pseudonym, permission."""
    given = context["authorisation"]
    yield "4.transactions", number(len(given["transactions"]))
    for digest in given["transactions"]:
        yield "4.transaction", raw(digest)
    shown = given["pseudonym"] or {"context": "", "value": []}
    yield "4.pseudonym-context", shown["context"].encode()
    yield "4.pseudonym", bytes(shown["value"])
    yield "4.permission-key", raw(given["permission_key"])


def credentials(context, statements):
    """Item 5: those that a statement names, attributes each once in order of first use."""
    terms = [term for statement in statements for term in statement["terms"]]
    named = [c for c in context["credentials"] if any(t["query"] == c["query"] for t in terms)]
    yield "5.credentials", number(len(named))
    for credential in named:
        yield from one_credential(credential)
        pointers = dict.fromkeys(t["pointer"] for t in terms if t["query"] == credential["query"])
        yield "5.attributes", number(len(pointers))
        for pointer in pointers:
            yield from one_attribute(only(credential["attributes"], pointer))


def only(attributes, pointer):
    (found,) = [attribute for attribute in attributes if attribute["pointer"] == pointer]
    return found


def one_credential(credential):
    yield "5.query", credential["query"].encode()
    yield "5.issuer", credential["iss"].encode()
    tag, digest = tagged(credential["issuer"], "certificate", "key")
    yield "5.issuer-key", tag + raw(digest)
    yield "5.type", credential["vct"].encode()
    yield "5.jwt", raw(credential["jwt_sha256"])
    yield "5.holder-key", raw(credential["holder_key"])


def one_attribute(attribute):
    signed_range = attribute["range"]
    yield "5.pointer", attribute["pointer"].encode()
    yield "5.encoding", attribute["enc"].encode()
    yield "5.unit", attribute["unit"].encode()
    for label, field in (("5.bits", "b"), ("5.lo", "lo"), ("5.hi", "hi")):
        yield label, b"" if signed_range is None else number(int(signed_range[field]))
    yield "5.commitment", raw(attribute["c"])


def asked(_context, statements):
    """Item 6: the statements that apply."""
    yield "6.statements", number(len(statements))
    for statement in statements:
        yield "6.id", statement["id"].encode()
        yield "6.op", statement["op"].encode()
        yield "6.terms", number(len(statement["terms"]))
        for term in statement["terms"]:
            yield "6.term-query", term["query"].encode()
            yield "6.term-pointer", term["pointer"].encode()
            yield "6.coefficient", signed(term["coeff"])
        if "set" in statement:
            yield "6.set", sigma.set_digest(statement["set"])
        for bound_name in ("k", "lo", "hi"):
            if bound_name in statement:
                yield f"6.{bound_name}", number(int(statement[bound_name]))


def sub_proofs(transcript, count):
    """Item 7: the count; each that is not the aggregate has its own appends (`sigma`)."""
    transcript.append(b"7.sub-proofs", number(count))


def aggregate(transcript, index, plan, points):
    """Item 7, before the messages of the range proof: type, index, n, m, every point, padding included."""
    for label, value in (("type", RANGE_PROOF), ("index", index), ("n", plan.n), ("m", plan.m)):
        transcript.append(f"7.{label}".encode(), number(value))
    for point in points:
        transcript.append(b"7.point", point)


def proof_bytes(transcript, proof):
    """Item 7, after the messages: the complete bytes."""
    transcript.append(b"7.proof", proof)
