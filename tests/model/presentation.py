"""A whole presentation made from the profile alone: register, request, credential, proof, key binding.

The result must be accepted by an implementation that shares nothing with this one but the text. Section numbers are
those of specs/profiles.
"""

import base64
import json

import answer
import canonical
import certificate
import dates
import encoding
import ristretto
from encoding import b64u, sha256
from es256 import Key, payload_octets, verify
from fixed import derived, scalars

NOW = 1796040000  # 2026-11-30T12:00:00Z
DAY = 86400
AS_OF = "2026-11-30"
REGISTRAR, ISS = "https://register.larkfield.example", "https://council.larkfield.example"
PLAIN = "https://larkfield.example/types/residency/1"
PROOF = PLAIN + "/zk"
SERVICE, PURPOSE = REGISTRAR + "/services/buses", REGISTRAR + "/purposes/older-pass"
PENSION, WARDS = REGISTRAR + "/tables/pension-age", REGISTRAR + "/lists/wards"
ROUTE = {"en": "Call at the desk.", "cy": "Galwch wrth y ddesg."}
TIMES = {"iss": REGISTRAR, "iat": NOW - 3600, "exp": NOW + 6 * DAY, "reg_version": 7}
VALIDITY = ("260101000000Z", "361231235959Z")

REGISTRAR_KEY, ANCHOR_KEY, ISSUER_KEY = (Key(derived(f"key/{who}")) for who in ("registrar", "anchor", "issuer"))
HOLDER_KEY, ENCRYPTION_KEY = Key(derived("key/holder")), Key(derived("key/encryption"))

PENSION_ROWS = [
    {"from": "1880-01-01", "to": "1960-04-05", "years": 66, "months": 0, "overflow": "last_day"},
    {"from": "1960-04-06", "to": "1960-07-05", "years": 66, "months": 3, "overflow": "last_day"},
    {"from": "1960-07-06", "to": "1960-08-05", "years": 66, "months": 4, "overflow": "last_day"},
    {"from": "1960-08-06", "to": "2050-12-31", "years": 67, "months": 0, "overflow": "last_day"},
]
WARD_ROWS = [
    {"code": f"E050000{index:02}", "index": index, "name": {"en": f"Ward {index}", "cy": f"Ward {index}"}}
    for index in range(3, 15)
]


def registered(typ, **members):
    """1: a JWS of the registrar, header exactly {alg, typ, kid}."""
    header = {"alg": "ES256", "typ": f"vouchsafe-{typ}+jwt", "kid": "registrar-1"}
    return REGISTRAR_KEY.jws(header, {**TIMES, **members})


def tables():
    rows = ((PENSION, 4, PENSION_ROWS), (WARDS, 2, WARD_ROWS))
    return {name: registered("table", sub=name, version=version, rows=rows) for name, version, rows in rows}


def rule_hash(jws):
    """2: a table's hash is that of the JWS payload octets."""
    return sha256(payload_octets(jws))


POLICY = {
    "id": "older-pass",
    "version": 3,
    "purpose": PURPOSE,
    "subject": "same_person",
    "subject_binding": "none",
    "accept": [
        {"vct": PROOF, "iss": [ISS], "max_age_days": 30},
        {"vct": PLAIN, "iss": [ISS], "max_age_days": 30},
    ],
    "conditions": [
        {"id": "age", "pointer": "/birth_date", "op": "le", "rule": {"kind": "table", "id": PENSION, "version": 4}},
        {"id": "ward", "pointer": "/ward", "op": "in", "rule": {"kind": "codes", "id": WARDS, "version": 2}},
    ],
    "other_route": ROUTE,
}

TYPE = {
    "id": "residency",
    "vct": PLAIN,
    "name": {"en": "Residency", "cy": "Preswyliad"},
    "ttl_days": 60,
    "attributes": [
        {"pointer": "/birth_date", "column": "born", "label": {"en": "birth date", "cy": "dyddiad geni"},
         "kind": "date", "answer": ["show", "prove"], "lo": "1880-01-01", "hi": "2050-12-31"},
        {"pointer": "/ward", "column": "ward", "label": {"en": "ward", "cy": "ward"},
         "kind": "code", "answer": ["show", "prove"], "codes": f"{WARDS}/2", "lo": "0", "hi": "99"},
        {"pointer": "/uprn", "column": "uprn", "label": {"en": "property", "cy": "eiddo"},
         "kind": "text", "answer": ["show"]},
    ],
}


def statements(signed):
    """2 and 3: the statements that the policy means on the day of asking, with the complements of its first entry."""
    def one(condition, query, op, **bounds):
        rule = {**condition["rule"], "hash": b64u(rule_hash(signed[condition["rule"]["id"]]))}
        terms = [{"query": query, "pointer": condition["pointer"], "coeff": 1}]
        return {"id": f"{condition['id']}-{query}", "op": op, "terms": terms, "rule": rule,
                **{name: str(value) for name, value in bounds.items()}}

    age, ward = POLICY["conditions"]
    lo, hi = (dates.parse(TYPE["attributes"][0][end]) for end in ("lo", "hi"))
    cutoff = dates.day(dates.Table(PENSION_ROWS, lo, hi).cutoff(dates.parse(AS_OF)))
    first, last = WARD_ROWS[0]["index"], WARD_ROWS[-1]["index"]
    return [
        one(age, "q0", "le", k=cutoff),
        one(ward, "q0", "in", lo=first, hi=last),
        one(age, "n0", "ge", k=cutoff + 1),
        one(ward, "n1a", "le", k=first - 1),
        one(ward, "n1b", "ge", k=last + 1),
    ]


def query(signed):
    """2: ordinary DCQL queries, one credential set, and the statements."""
    def ask(name, vct, claims=None):
        wanted = {} if claims is None else {"claims": [{"path": [claim]} for claim in claims]}
        return {"id": name, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, **wanted}

    queries = [ask("q0", PROOF), ask("q1", PLAIN, ["birth_date", "ward"]), ask("n0", PROOF), ask("n1a", PROOF),
               ask("n1b", PROOF)]
    options = [[one["id"]] for one in queries]
    return {"credentials": queries, "credential_sets": [{"options": options}], "statements": statements(signed)}


def options():
    outcomes = ("met", "met", "not_met", "not_met", "not_met")
    names = ("q0", "q1", "n0", "n1a", "n1b")
    return [{"queries": [name], "outcome": outcome} for name, outcome in zip(names, outcomes)]


class Copy:
    """5: a proof copy, its issuer-signed JWT, and the openings that travelled beside it."""

    def __init__(self, born, ward):
        self.seed = derived("presentation/seed")
        values = {"/birth_date": ("day", "day", born, "1880-01-01", "2050-12-31"),
                  "/ward": ("code", f"{WARDS}/2", ward, 0, 99)}
        self.attributes, self.openings, zkc = [], {}, {}
        for pointer, (enc, unit, plain, lo, hi) in values.items():
            v, lo, hi = (encoding.encode(enc, 32, value) for value in (plain, lo, hi))
            r = encoding.blinding(self.seed, ISS, PROOF, pointer)
            c = ristretto.encode(ristretto.commit(v, r))
            self.openings["q0", pointer] = v, r
            limits = {"b": 32, "lo": lo, "hi": hi}
            self.attributes.append({"pointer": pointer, "enc": enc, "unit": unit, "range": limits, "c": c.hex()})
            zkc[pointer] = {"c": b64u(c), "enc": enc, "u": unit, "b": 32, "lo": str(lo), "hi": str(hi)}
        self.issued(zkc)

    def issued(self, zkc):
        validity = VALIDITY
        self.anchor = certificate.anchor("Larkfield anchor", ANCHOR_KEY, validity)
        self.leaf = certificate.leaf("Larkfield anchor", ANCHOR_KEY, "Larkfield council", ISSUER_KEY, validity, ISS)
        # Disclosures of attributes that may be shown, and a decoy: none is sent with a proof.
        digests = [b64u(sha256(self.disclosure(name).encode())) for name in ("birth_date", "ward", "uprn")]
        claims = {
            "iss": ISS, "vct": PROOF, "iat": NOW // DAY * DAY, "exp": (NOW // DAY + 60) * DAY,
            "facts_as_of": "2026-11-20", "zkc": zkc, "cnf": {"jwk": HOLDER_KEY.jwk()},
            "_sd": sorted(digests + [b64u(derived("presentation/decoy"))]), "_sd_alg": "sha-256",
        }
        header = {"alg": "ES256", "typ": "dc+sd-jwt", "x5c": [base64.b64encode(self.leaf).decode()]}
        self.jwt = ISSUER_KEY.jws(header, claims)

    @staticmethod
    def disclosure(name):
        salt = b64u(derived(f"presentation/salt/{name}", 16))
        value = {"birth_date": "1960-02-29", "ward": "E05000007", "uprn": "100000000042"}[name]
        return b64u(json.dumps([salt, name, value]).encode())

    def presented(self):
        return {"query": "q0", "iss": ISS, "issuer": {"certificate": sha256(self.leaf).hex()}, "vct": PROOF,
                "jwt_sha256": sha256(self.jwt.encode()).hex(), "holder_key": HOLDER_KEY.thumbprint().hex(),
                "attributes": self.attributes}


def party():
    return {"service": SERVICE, "client_id": "x509_hash:" + b64u(derived("presentation/certificate")),
            "nonce": b64u(derived("presentation/nonce", 16)), "state": b64u(derived("presentation/state", 16)),
            "response_uri": "https://buses.larkfield.example/a/1"}


def context(signed, asked, copy):
    """6, items 2 to 5, from the request and the credential."""
    who = party()
    state = sha256(who.pop("state").encode()).hex()
    reply_to = {"response_uri": who.pop("response_uri")}
    used = [{"id": name, "version": version, "hash": rule_hash(signed[name]).hex()}
            for name, version in ((PENSION, 4), (WARDS, 2))]
    return {
        "request": {**who, "state_sha256": state, "reply_to": reply_to,
                    "encryption_key": ENCRYPTION_KEY.thumbprint().hex()},
        "policy": {"purpose": PURPOSE, "id": POLICY["id"], "version": POLICY["version"],
                   "digest": canonical.digest(POLICY).hex(), "statements": canonical.digest(asked).hex(),
                   "option": 0, "as_of": dates.day(dates.parse(AS_OF)), "tables": used},
        "authorisation": {"transactions": [], "pseudonym": None, "permission_key": None},
        "credentials": [copy.presented()],
    }


def presented(signed, copy):
    """6: `<issuer JWT>~` with no Disclosure, and a KB-JWT that carries the proof."""
    asked = statements(signed)
    apply = [one for one in asked if one["terms"][0]["query"] == "q0"]
    within = context(signed, asked, copy)
    proof = answer.prove(within, apply, copy.openings, scalars("presentation/prover").__next__)
    covered = copy.jwt + "~"
    claims = {"iat": NOW, "aud": party()["client_id"], "nonce": party()["nonce"],
              "sd_hash": b64u(sha256(covered.encode())), "urn:vouchsafe:proof:1": b64u(proof)}
    return covered + HOLDER_KEY.jws({"alg": "ES256", "typ": "kb+jwt"}, claims)


def register(signed, copy):
    """1: what a verifier loads."""
    wards = {**POLICY["conditions"][1]["rule"], "hash": b64u(rule_hash(signed[WARDS]))}
    pension = {**POLICY["conditions"][0]["rule"], "hash": b64u(rule_hash(signed[PENSION]))}
    may_ask = [{"vct": PROOF, "pointer": "/birth_date", "how": "le", "rules": [pension]},
               {"vct": PROOF, "pointer": "/ward", "how": "in", "rules": [wards]},
               {"vct": PLAIN, "pointer": "/birth_date", "how": "le", "rules": [pension]},
               {"vct": PLAIN, "pointer": "/ward", "how": "in", "rules": [wards]}]
    entries = [
        registered("service", sub=SERVICE, env="test", name={"en": "Larkfield buses", "cy": "Bysiau Larkfield"},
                   client_ids=[party()["client_id"]], purposes=[PURPOSE]),
        registered("issuer", sub=ISS, env="test", name={"en": "Larkfield council", "cy": "Cyngor Larkfield"},
                   anchors=[b64u(sha256(copy.anchor))], types=[PLAIN, PROOF]),
        registered("purpose", sub=PURPOSE, version=1, text={"en": "A bus pass.", "cy": "Tocyn bws."},
                   basis="public_task", retention_days=30, recipients=[{"en": "Nobody else", "cy": "Neb arall"}],
                   may_ask=may_ask, other_route=ROUTE),
        *signed.values(),
    ]
    return registered("register", entries=entries)


def everything():
    signed, copy = tables(), Copy("1960-02-29", 7)
    return {
        "now": NOW,
        "as_of": AS_OF,
        "trust": {"iss": REGISTRAR, "jwks": {"keys": [{**REGISTRAR_KEY.jwk(), "kid": "registrar-1"}]},
                  "anchors": [base64.b64encode(copy.anchor).decode()]},
        "register": register(signed, copy),
        "type": TYPE,
        "policy": POLICY,
        "policy_digest": canonical.digest(POLICY).hex(),
        "party": {**party(), "encryption_key": ENCRYPTION_KEY.jwk()},
        "dcql_query": query(signed),
        "options": options(),
        "vp_token": {"q0": [presented(signed, copy)]},
        "outcome": "met",
    }


def accepts(told):
    """What a verifier would do with the presentation, from the file and by the profile."""
    (text,) = told["vp_token"]["q0"]
    jwt, binding_jwt = text.split("~")
    claims, bound = (json.loads(payload_octets(one)) for one in (jwt, binding_jwt))
    holder = HOLDER_KEY.public
    good = verify(jwt, ISSUER_KEY.public) and verify(binding_jwt, holder) and claims["cnf"]["jwk"] == HOLDER_KEY.jwk()
    good = good and bound["sd_hash"] == b64u(sha256((jwt + "~").encode()))
    good = good and (bound["aud"], bound["nonce"]) == (told["party"]["client_id"], told["party"]["nonce"])
    signed, copy = tables(), Copy("1960-02-29", 7)
    asked = statements(signed)
    apply = [one for one in asked if one["terms"][0]["query"] == "q0"]
    answer.verify(context(signed, asked, copy), apply, encoding.b64u_decode(bound["urn:vouchsafe:proof:1"]))
    return good and asked == told["dcql_query"]["statements"]
