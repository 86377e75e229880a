"""An answer over several credentials, whole: issued, presented, and checked as a verifier does
(specs/profiles/{issuing,presentation}.md)."""

import base64
import json

import answer
import dates
import encoding
import es256
import permission
import policy
import request
import ristretto
from encoding import b64u, sha256
from fixed import derived
from policy import require

PROOF, HASH = "urn:vouchsafe:proof:1", "urn:vouchsafe:proof-hash:1"
DAY = 86400
#: Encoding and unit of each kind of attribute; the unit is the type's own where it is None.
KINDS = {"date": ("day", "day"), "money": ("pence", "GBP-pence"), "number": ("int", None), "text": ("str", None)}


def form(attribute):
    """Encoding, unit and signed range, as the type declares them."""
    if attribute["kind"] == "code":
        enc, unit = "code", attribute["codes"]
    else:
        enc, unit = KINDS[attribute["kind"]]
    if enc == "str":
        return {"enc": enc, "unit": attribute["unit"], "range": None}
    ends = {end: attribute[end] if enc == "day" else int(attribute[end]) for end in ("lo", "hi")}
    ends = {end: encoding.encode(enc, 32, value) for end, value in ends.items()}
    return {"enc": enc, "unit": unit or attribute["unit"], "range": {"b": 32, **ends}}


def forms(described):
    return {one["pointer"]: form(one) for one in described["attributes"] if "prove" in one["answer"]}


# --- a copy -------------------------------------------------------------------------------------------------------


class Copy:
    """A proof copy, its key and the openings that travelled beside it."""

    def __init__(self, label, issuer, described, values, now, **visible):
        self.label, self.iss, self.vct, self.leaf = label, issuer.iss, described["vct"] + "/zk", issuer.leaf
        self.key, self.seed, self.values = es256.Key(derived(f"{label}/holder")), derived(f"{label}/seed"), values
        self.openings, zkc = {}, {}
        for pointer, declared in forms(described).items():
            zkc[pointer] = self.committed(pointer, values[pointer], **declared)
        start = now // DAY * DAY
        claims = {"iss": self.iss, "vct": self.vct, "iat": start, "exp": start + described["ttl_days"] * DAY,
                  "zkc": zkc, "cnf": {"jwk": self.key.jwk()}, **self.withheld(described), **visible}
        header = {"alg": "ES256", "typ": "dc+sd-jwt", "x5c": [base64.b64encode(self.leaf).decode()]}
        self.jwt = issuer.key.jws(header, claims)

    def committed(self, pointer, value, **declared):
        enc, unit, limits = declared["enc"], declared["unit"], declared["range"]
        v = encoding.encode_str(unit, value) if enc == "str" else encoding.encode(enc, 32, value)
        r = encoding.blinding(self.seed, self.iss, self.vct, pointer)
        self.openings[pointer] = v, r
        member = {"c": b64u(ristretto.encode(ristretto.commit(v, r))), "enc": enc, "u": unit}
        return member | ({} if limits is None else {"b": 32, "lo": str(limits["lo"]), "hi": str(limits["hi"])})

    def withheld(self, described):
        """Digests of what could be shown, and a decoy: no Disclosure is sent with these proofs."""
        names = [one["pointer"][1:] for one in described["attributes"] if "show" in one["answer"]]
        salts = [b64u(derived(f"{self.label}/salt/{name}", 16)) for name in names]
        texts = [json.dumps([salt, name, self.values["/" + name]]) for salt, name in zip(salts, names)]
        digests = [b64u(sha256(b64u(text.encode()).encode())) for text in texts]
        return {"_sd": sorted([*digests, b64u(derived(f"{self.label}/decoy"))]), "_sd_alg": "sha-256"}


def bound_as(query, leaf, jwt, claims):
    """Item 5 of what a proof is bound to: from the credential alone."""
    attributes = []
    for pointer, member in claims["zkc"].items():
        limits = None if member["enc"] == "str" else {name: int(member[name]) for name in ("b", "lo", "hi")}
        attributes.append({"pointer": pointer, "enc": member["enc"], "unit": member["u"], "range": limits,
                           "c": encoding.b64u_decode(member["c"]).hex()})
    return {"query": query, "iss": claims["iss"], "issuer": {"certificate": sha256(leaf).hex()}, "vct": claims["vct"],
            "jwt_sha256": sha256(jwt.encode()).hex(), "holder_key": es256.thumbprint(claims["cnf"]["jwk"]).hex(),
            "attributes": attributes}


def named(statements, queries):
    """Those of the queries, in DCQL order, that a statement names."""
    return [query for query in queries if any(term["query"] == query for one in statements for term in one["terms"])]


# --- a wallet's answer --------------------------------------------------------------------------------------------


def unscrupulous(context, statements, openings, draw):
    """The bytes that a wallet sends which does not care whether they hold."""
    return answer.made(context, statements, answer.plan_of(context, statements), openings, draw)


def answered(asked, option, copies, now, draw, prove=answer.prove, key=None):
    """`vp_token` of an option, with the copies by query; `key` is the permission's where one is asked for."""
    asked.permission_key = key and key.thumbprint()
    queries = [one["id"] for one in asked.query["credentials"] if one["id"] in copies]
    held = [bound_as(query, copies[query].leaf, copies[query].jwt, claims_of(copies[query].jwt)) for query in queries]
    context, statements = asked.context(option, held), in_figures(asked, option)
    for one in statements:
        if len(one["terms"]) == 1:
            term = one["terms"][0]
            attribute = answer.attribute_of(context, (term["query"], term["pointer"]))
            require(policy.crowded(one, attribute), "crowd")
    openings = {(query, pointer): opened for query in queries for pointer, opened in copies[query].openings.items()}
    proof = prove(context, statements, openings, draw)
    first, *_ = named(statements, queries)
    carried = {query: {PROOF: b64u(proof)} if query == first else {HASH: b64u(sha256(proof))}
               for query in named(statements, queries)}
    if key:
        carried.setdefault(queries[0], {}).update(permission.binding(asked, key))
    return {query: [presented(asked, copies[query], carried.get(query, {}), now)] for query in queries}


def presented(asked, copy, carried, now):
    covered = copy.jwt + "~"
    claims = {"iat": now, "aud": asked.claims["client_id"], "nonce": asked.claims["nonce"],
              "sd_hash": b64u(sha256(covered.encode())), **carried}
    return covered + copy.key.jws({"alg": "ES256", "typ": "kb+jwt"}, claims)


def claims_of(jwt):
    return request.strict(es256.payload_octets(jwt))


def in_figures(asked, option):
    return [policy.in_figures(one, asked.tables) for one in asked.statements(option)]


# --- a verifier's checks ------------------------------------------------------------------------------------------


class Presentation:
    """One presentation, by the steps of the page up to its claims."""

    def __init__(self, query, text, asked, registrar, register):
        self.query, self.asked, self.now = query, asked, registrar.now
        self.jwt, *self.shown, self.binding = text.split("~")
        require(not self.shown, "disclosures")
        header = request.strict(encoding.b64u_decode(self.jwt.split(".")[0]))
        require(set(header) == {"alg", "typ", "x5c"}, "header")
        self.bind(registrar.signed)
        self.leaf, self.anchor = registrar.path(header)
        _, self.claims = request.opened(self.jwt, self.leaf.public, "dc+sd-jwt", registrar.signed)
        require((0x86, self.claims["iss"]) in self.leaf.names, "x5c")
        self.trusted(register)

    def bind(self, signed):
        """5 and 6: what the key binding covers, whom it is for, and by whose key."""
        holder = es256.public_of(claims_of(self.jwt)["cnf"]["jwk"])
        _, self.bound = request.opened(self.binding, holder, "kb+jwt", signed)
        require(self.bound["sd_hash"] == b64u(sha256((self.jwt + "~").encode())), "sd_hash")
        require(self.bound["aud"] == self.asked.claims["client_id"], "aud")
        require(self.bound["nonce"] == self.asked.claims["nonce"], "nonce")
        require(-300 <= self.bound["iat"] - self.now <= request.SKEW, "iat")

    def trusted(self, register):
        """7: times; policy, register and anchor."""
        claims, need = self.claims, policy.needs_of(self.asked.policy)[self.query]
        require(claims["iat"] - request.SKEW <= self.now < claims["exp"] + request.SKEW, "expired")
        require(claims["vct"] == need["vct"], "vct")
        require(claims["iss"] in need["iss"] and ("issuer", claims["iss"]) in register, "issuer")
        entry = register["issuer", claims["iss"]]
        require(entry["env"] == "test" and claims["vct"] in entry["types"], "issuer")
        require(b64u(sha256(self.anchor.der)) in entry["anchors"], "anchor")

    def complete(self, described):
        """8 to 10: the period, a status as described, and commitments in the forms of the type."""
        need, claims = policy.needs_of(self.asked.policy)[self.query], self.claims
        period = policy.period_of(need, self.asked.as_of)
        require(period is None or claims.get("period") == period, "period")
        require(("status" in claims) == described.get("status", False), "status")
        if "status" in claims:
            (place,) = claims["status"].values()
            require(set(claims["status"]) == {"status_list"} and set(place) == {"idx", "uri"}, "status")
            require(place["uri"].startswith(claims["iss"] + "/status/"), "status")
        attributes = bound_as(self.query, self.leaf.der, self.jwt, claims)["attributes"]
        found = {one["pointer"]: {name: one[name] for name in ("enc", "unit", "range")} for one in attributes}
        require(found == forms(described), "zkc")
        for one in claims["zkc"].values():
            require(set(one) == {"c", "enc", "u"} | (set() if one["enc"] == "str" else {"b", "lo", "hi"}), "zkc")

    def fresh(self):
        need, facts = policy.needs_of(self.asked.policy)[self.query], dates.parse(self.claims["facts_as_of"])
        if self.claims.get("period") and facts.isoformat()[:7] <= self.claims["period"]:
            return False
        return (self.asked.as_of - facts).days <= need["max_age_days"]


def option_of(asked, token):
    """Exactly the queries of one option."""
    found = [index for index, one in enumerate(asked.options) if set(one["queries"]) == set(token)]
    require(len(found) == 1 and all(isinstance(one, list) and len(one) == 1 for one in token.values()), "option")
    return found[0]


def carried(presentations, statements):
    """The proof on the first presentation that a statement names, its hash on the others, neither anywhere else."""
    order, proof = named(statements, [one.query for one in presentations]), None
    for one in presentations:
        has = {name: one.bound[name] for name in (PROOF, HASH) if name in one.bound}
        if one.query not in order:
            require(not has, "carriage")
        elif proof is None:
            require(set(has) == {PROOF}, "carriage")
            proof = encoding.b64u_decode(has[PROOF])
        else:
            require(has == {HASH: b64u(sha256(proof))}, "carriage")
    return proof


def read(told, signed=es256.verify):
    """What was asked, by which option it is answered, and the presentations, each checked but for its proof."""
    registrar = request.Registrar(told["trust"], told["now"], signed)
    register = registrar.register(told["register"])
    asked = request.read(told["request"], told["client_id"], registrar)
    option = option_of(asked, told["vp_token"])
    queries = [one["id"] for one in asked.query["credentials"] if one["id"] in told["vp_token"]]
    presentations = [Presentation(query, *told["vp_token"][query], asked, registrar, register) for query in queries]
    bindings = [one.bound for one in presentations]
    asked.permission_key = permission.given(asked, bindings, told.get("grant"), signed)
    described = {one["vct"] + "/zk": one for one in told["types"]}
    for one in presentations:
        require(one.claims["vct"] in described, "type")
        one.complete(described[one.claims["vct"]])
    return asked, option, presentations


def proved(asked, option, presentations):
    """What the proof is bound to, the statements that it must show, and its bytes."""
    statements = in_figures(asked, option)
    held = [bound_as(one.query, one.leaf.der, one.jwt, one.claims) for one in presentations]
    return asked.context(option, held), statements, carried(presentations, statements)


def check(told, signed=es256.verify):
    """Request and answer of one exchange; raises `Refused`, or `Invalid` where it is the proof that fails. Gives the
    outcome. `signed` judges every signature but those of certificates."""
    asked, option, presentations = read(told, signed)
    answer.verify(*proved(asked, option, presentations))
    return asked.options[option]["outcome"] if all(one.fresh() for one in presentations) else "undetermined"
