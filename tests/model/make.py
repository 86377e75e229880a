"""Answers of the model's own, for another implementation to accept: `python3 tests/model/run.py make`.

Everything is derived from fixed labels, so that the file is the same each time. The policies, credentials and keys
are stand-ins: an answer is bound to their digests, whatever these are digests of.
"""

import answer
import binding
import canonical
import dates
import encoding
import link
import ristretto
from fixed import derived, scalars


BIRTH = {"pointer": "/birth_date", "enc": "day", "unit": "day", "b": 32, "lo": "1880-01-01", "hi": "2050-12-31"}
WARD = {"pointer": "/ward", "enc": "code", "unit": "urn:larkfield:wards:3", "b": 32, "lo": 0, "hi": 4095}
INCOME = {"pointer": "/income", "enc": "pence", "unit": "GBP-pence", "b": 32, "lo": 0, "hi": 2**32 - 1}


#: The resident's, the same in every copy.
LINK_SECRET = next(scalars("link-secret"))


def pseudonym(epoch):
    """What item 4 has of the resident's pseudonym at the service that asks."""
    parts = ("https://buses.example/service", "concession", epoch)
    value = ristretto.encode(ristretto.multiply(LINK_SECRET, link.base_of(*parts)))
    return {"context": link.context(*parts).decode(), "value": list(value)}


class Credential:
    """A proof copy: its signed commitments, and the openings that travelled beside it."""

    def __init__(self, name, query, vct, values, issuer_key=False, linked=False):
        self.iss, self.vct, self.query, self.seed = f"https://{name}.example", vct, query, derived(f"{name}/seed")
        digest = derived(f"{name}/issuer").hex()
        self.issuer = {"key": digest} if issuer_key else {"certificate": digest}
        self.name, self.attributes, self.openings, self.told = name, [], {}, {}
        for kind, plain in values:
            self._commit(kind, plain)
        self.link = (LINK_SECRET, next(scalars(f"{name}/link"))) if linked else None

    def _commit(self, kind, plain):
        pointer, enc, bits = kind["pointer"], kind["enc"], kind.get("b")
        text = enc == "str"
        v = encoding.encode_str(kind["unit"], plain) if text else encoding.encode(enc, bits, plain)
        r = encoding.blinding(self.seed, self.iss, self.vct, pointer)
        self.openings[self.query, pointer] = v, r
        self.told[pointer] = {"type_uri": kind["unit"], "text": plain} if text else v
        limits = None if text else {"b": bits, **{end: encoding.encode(enc, bits, kind[end]) for end in ("lo", "hi")}}
        c = ristretto.encode(ristretto.commit(v, r)).hex()
        self.attributes.append({"pointer": pointer, "enc": enc, "unit": kind["unit"], "range": limits, "c": c})

    def presented(self):
        told = {
            "query": self.query,
            "iss": self.iss,
            "issuer": self.issuer,
            "vct": self.vct,
            "jwt_sha256": derived(f"{self.name}/jwt").hex(),
            "holder_key": derived(f"{self.name}/holder").hex(),
            "attributes": self.attributes,
        }
        return told | {"link": ristretto.encode(ristretto.commit(*self.link)).hex()} if self.link else told


def statement(name, query, pointer, predicate):
    return {"id": name, "terms": [{"query": query, "pointer": pointer, "coeff": 1}], "predicate": predicate}


def digest_of(statements):
    """The digest of `statements[]` as sent; here the wire form without its rules."""
    return canonical.digest([as_sent(answer.flat(one)) for one in statements]).hex()


def as_sent(flat):
    bounds = {name: str(flat[name]) for name in ("k", "lo", "hi") if name in flat}
    return {"id": flat["id"], "op": flat["op"], "terms": flat["terms"], **bounds, "rule": {"kind": "fixed"}}


def context(label, credentials, statements, **changes):
    policy = {
        "purpose": "larkfield-bus-pass",
        "id": label,
        "version": 2,
        "digest": derived(f"{label}/policy").hex(),
        "statements": digest_of(statements),
        "option": changes.pop("option", 0),
        "as_of": dates.day(dates.parse("2026-11-30")),
        "tables": changes.pop("tables", []),
    }
    request = {
        "service": "https://buses.example/service",
        "client_id": "x509_hash:" + encoding.b64u(derived(f"{label}/certificate")),
        "nonce": encoding.b64u(derived(f"{label}/nonce", 16)),
        "state_sha256": encoding.sha256(encoding.b64u(derived(f"{label}/state", 16)).encode()).hex(),
        "reply_to": changes.pop("reply_to", {"response_uri": "https://buses.example/a/1"}),
        "encryption_key": changes.pop("encryption_key", derived(f"{label}/encryption").hex()),
    }
    given = {"transactions": [], "pseudonym": None, "permission_key": None, **changes.pop("authorisation", {})}
    presented = [credential.presented() for credential in credentials]
    return {"request": request, "policy": policy, "authorisation": given, "credentials": presented}


def bus_pass():
    """Old enough by a pension table and living in one of twenty wards: three entries, padded to four."""
    vct = "https://larkfield.example/types/residency/1/zk"
    copy = Credential("larkfield", "q0", vct, [(BIRTH, "1960-02-29"), (WARD, 107)])
    asked = [
        statement("age-q0", "q0", "/birth_date", {"le": dates.day(dates.parse("1960-07-31"))}),
        statement("ward-q0", "q0", "/ward", {"in": {"lo": 100, "hi": 119}}),
    ]
    tables = [
        {"id": "pension-age", "version": 4, "hash": derived("pension-age").hex()},
        {"id": "larkfield-wards", "version": 3, "hash": derived("wards").hex()},
    ]
    return "bus-pass", context("bus-pass", [copy], asked, tables=tables), asked, [copy]


def too_young():
    """The complement, which a resident may choose to send: one entry, the boundary value itself."""
    vct = "https://larkfield.example/types/residency/1/zk"
    copy = Credential("larkfield-young", "n0", vct, [(BIRTH, "1960-08-01"), (WARD, 4095)])
    asked = [statement("age-n0", "n0", "/birth_date", {"ge": dates.day(dates.parse("1960-08-01"))})]
    return "too-young", context("too-young", [copy], asked, option=1), asked, [copy]


def two_payers():
    """Two credentials, every optional item present, 32 bits."""
    vct = "https://payers.example/types/income/1/zk"
    copies = [
        Credential("payer-one", "q0", vct, [(INCOME, 0)], issuer_key=True, linked=True),
        Credential("payer-two", "q1", vct, [(INCOME, 123_456)]),
        Credential("bystander", "q2", vct, [(INCOME, 5)]),
    ]
    asked = [
        statement("first", "q0", "/income", {"le": 2_000_000}),
        statement("second", "q1", "/income", {"in": {"lo": 1, "hi": 2**32 - 2}}),
        statement("third", "q0", "/income", {"le": 1_999_999}),
    ]
    given = {
        "transactions": [derived("transaction-1").hex(), derived("transaction-2").hex()],
        "pseudonym": pseudonym("2026"),
        "permission_key": derived("permission").hex(),
    }
    changes = {"reply_to": {"origin": "https://buses.example"}, "encryption_key": None, "authorisation": given}
    return "two-payers", context("two-payers", copies, asked, **changes), asked, copies


def made(name, within, asked, copies):
    statements = [answer.flat(one) for one in asked]
    openings = {key: opening for copy in copies for key, opening in copy.openings.items()}
    openings |= {(copy.query, "/_link"): copy.link for copy in copies if copy.link}
    draw = scalars(f"{name}/prover").__next__
    data = answer.prove(within, statements, openings, draw)
    points = []
    binding.bound(within, statements, lambda _, transcript: points.append(binding.checkpoint(transcript).hex()))
    points.append(binding.checkpoint(answer.verify(within, statements, data)).hex())
    plan = answer.plan_of(within, statements)
    told = {
        "name": name,
        "context": within,
        "statements": asked,
        "openings": [opening(copy, pointer) for copy in copies for _, pointer in copy.openings],
        "plan": {"n": plan.n, "m": plan.m},
        "checkpoints": points,
        "answer": data.hex(),
    }
    secrets = [
        {"query": copy.query, **dict(zip(("secret", "blinding"), (ristretto.scalar_bytes(s).hex() for s in copy.link)))}
        for copy in copies
        if copy.link
    ]
    return told | {"link": secrets[0]} if secrets else told


def opening(copy, pointer):
    return {"query": copy.query, "pointer": pointer, "seed": copy.seed.hex(), "v": copy.told[pointer]}


def answers():
    return [made(*story()) for story in (bus_pass, too_young, two_payers)]
