"""Whole answers that the model must refuse: others' and its own, with one thing changed.

Three ways of changing: a character of what was sent, which a signature refuses; a part of the request or the answer
alone, which the check of that part refuses; and everything made to fit, as if whoever signs had signed the change as
well, so that nothing but the proof can refuse it.
"""

import copy
import json

import answer
import canonical
import encoding
import exchange
import permission
import policy
import request
from encoding import b64u, sha256
from policy import Refused
from ristretto import Invalid

#: What reading something malformed raises.
MALFORMED = (Refused, Invalid, ValueError, KeyError, TypeError, IndexError)


def anybody(_jws, _public):
    """As if whoever signs had signed whatever is there."""
    return True


def opened(jws):
    return [request.strict(encoding.b64u_decode(part)) for part in jws.split(".")[:2]]


def rewritten(jws, change):
    """The JWS with its claims changed, under the old signature; the same octets where nothing is changed."""
    head, _, signature = jws.split(".")
    claims = opened(jws)[1]
    change(claims)
    text = json.dumps(claims, ensure_ascii=False, separators=(",", ":"))
    return f"{head}.{b64u(text.encode())}.{signature}"


def info(claims, name):
    """The elements of `verifier_info` of one format."""
    return [one for one in claims["verifier_info"] if one["format"] == f"urn:vouchsafe:{name}:1"]


def planned(claims):
    """Makes query, options and digest those of the policy and the lists that are there."""
    tables = policy.Tables([(one["data"], opened(one["data"])[1]) for one in info(claims, "table")])
    (rules,), (context,), (purpose,) = (info(claims, name) for name in ("policy", "context", "purpose"))
    claims["dcql_query"], options = policy.plan(rules["data"], tables, request.london(claims["iat"]))
    context["data"] |= {"options": options, "policy_digest": b64u(canonical.digest(rules["data"]))}
    allowed = [{"vct": vct, "pointer": term["pointer"], "how": one["op"], "rules": [one["rule"]]}
               for one in claims["dcql_query"]["statements"] for term in one["terms"]
               for query in claims["dcql_query"]["credentials"] if query["id"] == term["query"]
               for vct in query["meta"]["vct_values"]]
    purpose["data"] = rewritten(purpose["data"], lambda document: document["may_ask"].extend(allowed))


# --- changes of an exchange ---------------------------------------------------------------------------------------


def asking(change):
    """The claims of the request, changed and nothing made to fit."""
    return lambda told: told.update(request=rewritten(told["request"], change))


def ruling(change):
    """The policy, with all that follows from it."""

    def changed(claims):
        change(info(claims, "policy")[0]["data"])
        planned(claims)

    return asking(changed)


def relisted(one, change):
    one["data"] = rewritten(one["data"], lambda table: change(table["rows"]))


def listing(number, change):
    """The rows of a list, with all that follows from them."""

    def changed(claims):
        relisted(info(claims, "table")[number], change)
        planned(claims)

    return asking(changed)


def binding(query, change):
    """The claims of a key binding."""

    def changed(told):
        covered, _, bound = told["vp_token"][query][0].rpartition("~")
        told["vp_token"][query] = [covered + "~" + rewritten(bound, change)]

    return changed


def signing(query, change):
    """The claims of a credential, with a key binding that covers them."""

    def changed(told):
        jwt, _, bound = told["vp_token"][query][0].partition("~")
        covered = rewritten(jwt, change) + "~"
        digest = b64u(sha256(covered.encode()))
        told["vp_token"][query] = [covered + rewritten(bound, lambda claims: claims.update(sd_hash=digest))]

    return changed


def everywhere(name, value):
    """A member of the request that every key binding repeats."""

    def changed(told):
        asking(lambda claims: claims.update({name: value}))(told)
        for query in told["vp_token"]:
            binding(query, lambda claims: claims.update({name: value}))(told)

    return changed


def proof_of(told):
    """The bytes, and the query that carries them."""
    for query, (text,) in told["vp_token"].items():
        claims = opened(text.rpartition("~")[2])[1]
        if exchange.PROOF in claims:
            return query, encoding.b64u_decode(claims[exchange.PROOF])
    raise Refused("carriage")


def proving(change):
    """The bytes of the proof, with their hash beside the other credentials."""

    def changed(told):
        carrier, data = proof_of(told)
        data = change(data)
        for query in told["vp_token"]:
            carried = {exchange.PROOF: b64u(data)} if query == carrier else {exchange.HASH: b64u(sha256(data))}
            binding(query, lambda claims: claims.update(carried))(told)  # noqa: B023

    return changed


def condition(way, place, **given):
    return ruling(lambda rules: rules["ways"][way]["conditions"][place].update(given))


def term(way, place, which, **given):
    return ruling(lambda rules: rules["ways"][way]["conditions"][place]["terms"][which].update(given))


def turned(name, way=0, place=None):
    """The other way round: terms of a condition, conditions or needs of a way."""

    def change(rules):
        holder = rules["ways"][way] if place is None else rules["ways"][way]["conditions"][place]
        holder[name].reverse()

    return ruling(change)


def row(number, place, **given):
    return listing(number, lambda rows: rows[place].update(given))


def claim(query, **given):
    return signing(query, lambda claims: claims.update(given))


def hiding(query, pointer, **given):
    """A member of `zkc`."""
    return signing(query, lambda claims: claims["zkc"][pointer].update(given))


def exchanged(first, second):
    """The commitments of two attributes in each other's place."""

    def change(claims):
        one, other = claims["zkc"][first], claims["zkc"][second]
        one["c"], other["c"] = other["c"], one["c"]

    return change


def flipped(at):
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


# --- what refuses ---------------------------------------------------------------------------------------------------


def refused(count, name, told, change, signed, *errors, part=None):
    """`part`, where it is given, is the check that must refuse."""
    spoilt = copy.deepcopy(told)
    change(spoilt)
    count.true(f"{name}: something is changed", spoilt != told)
    try:
        exchange.check(spoilt, signed)
    except errors as refusal:
        found = refusal.args[0] if refusal.args else None
        count.true(f"{name}: refused by {part}, not by {found}", part is None or found == part)
    except MALFORMED as other:
        count.true(f"{name}: {other!r}", False)
    else:
        count.true(name, False)


def unspoilt(count, told):
    """With everything made to fit and nothing changed, nothing is refused."""
    same, nothing = copy.deepcopy(told), lambda _: None
    for change in (ruling(nothing), listing(0, nothing), proving(lambda data: data)):
        change(same)
    for query in told["vp_token"]:
        binding(query, nothing)(same)
        signing(query, nothing)(same)
    count.equal(f"{told['name']}, with nothing changed", exchange.check(same, anybody), told["outcome"])


def only_the_proof(count, told, changes):
    for name, change in changes.items():
        refused(count, f"{told['name']}, {name}", told, change, anybody, Invalid)


def by_their_part(count, told, changes):
    for name, (part, change) in changes.items():
        refused(count, f"{told['name']}, {name}", told, change, anybody, Refused, part=part)


def bits(count, told):
    """A bit of each part of each text."""
    places = [("request",), *(("vp_token", query, 0) for query in told["vp_token"])]
    for path in places:
        holder = told
        for step in path[:-1]:
            holder = holder[step]
        text, at = holder[path[-1]], 0
        for part in text.replace("~", ".").split("."):
            at += len(part) // 2

            def change(spoilt, at=at, path=path, text=text):
                inner = spoilt
                for step in path[:-1]:
                    inner = inner[step]
                inner[path[-1]] = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]

            refused(count, f"{told['name']}, {path} at {at}", told, change, request.es256.verify, *MALFORMED)
            at += len(part) - len(part) // 2 + 1


def parts(told):
    """A place in each sub-proof's type, length, first and last word, and the ends of the whole."""
    within, statements, _ = exchange.proved(*exchange.read(told))
    at, found = 1, {"version": flipped(0)}
    for index, length in enumerate(answer.planner.lengths(answer.plan_of(within, statements))):
        for name, place in (("type", 0), ("length", 4), ("first word", 6), ("last word", 5 + length - 20)):
            found[f"sub-proof {index}, {name}"] = flipped(at + place)
        at += 5 + length
    found |= {"cut": lambda data: data[:-1], "longer": lambda data: data + b"\0"}
    return {f"proof: {name}": proving(change) for name, change in found.items()}


def context(count, told):
    """What no request could change alone: the numbers beside it that the proof is bound to."""
    found = exchange.proved(*exchange.read(told))
    for name, item, change in (("option", "policy", {"option": 1}), ("day", "policy", {"as_of": 155_900}),
                               ("service", "request", {"service": "https://other.example"}),
                               ("purpose", "policy", {"purpose": "https://other.example"}),
                               ("client id", "request", {"client_id": "x509_hash:other"}),
                               ("transaction", "authorisation", {"transactions": ["00" * 32]})):
        spoilt, statements, proof = copy.deepcopy(found)
        spoilt[item] |= change
        call = lambda: answer.verify(spoilt, statements, proof)  # noqa: E731, B023
        count.refused(f"{told['name']}, bound to another {name}", call, Invalid)
    spoilt, statements, proof = copy.deepcopy(found)
    spoilt["credentials"].reverse()
    call = lambda: answer.verify(spoilt, statements, proof)  # noqa: E731
    count.refused(f"{told['name']}, credentials in another order", call, Invalid)


# --- the changes ----------------------------------------------------------------------------------------------------


def of_request(claims_path, value):
    """One member of the request's claims."""

    def change(claims):
        *path, last = claims_path
        for step in path:
            claims = claims[step]
        claims[last] = value

    return asking(change)


def statement(place, change):
    return asking(lambda claims: change(claims["dcql_query"]["statements"][place]))


def moved(told):
    """The proof beside the second credential, its hash beside the first."""
    carrier, data = proof_of(told)
    other = next(query for query in told["vp_token"] if query != carrier)
    for query, gone, given in ((carrier, exchange.PROOF, {exchange.HASH: b64u(sha256(data))}),
                               (other, exchange.HASH, {exchange.PROOF: b64u(data)})):
        binding(query, lambda claims: (claims.pop(gone), claims.update(given)))(told)  # noqa: B023


#: Of the exchange "worker" of `ways.json`: refused by the proof and by nothing else.
WORKER = {
    "another bound": condition(0, 1, k="1000001"),
    "another interval": condition(0, 0, lo="99999"),
    "another end of an interval": condition(0, 0, hi="200001"),
    "the contrary of a comparison": condition(0, 3, op="ne"),
    "another public value": condition(0, 7, k="10"),
    "a value in place of others": condition(0, 7, op="eq", k="8"),
    "another coefficient": term(0, 1, 0, coeff=2),
    "another sign": term(0, 2, 1, coeff=-2),
    "terms in another order": turned("terms", 0, 1),
    "terms of a sum in another order": turned("terms", 0, 0),
    "conditions in another order": turned("conditions"),
    "a condition of another name": condition(0, 1, id="more"),
    "a condition left out": ruling(lambda rules: rules["ways"][0]["conditions"].pop()),
    "a way that was not chosen": condition(1, 2, k="4"),
    "another version of the policy": ruling(lambda rules: rules.update(version=2)),
    "other words of the policy": ruling(lambda rules: rules["other_route"].update(en="Ask.")),
    "a list with another value": row(1, 5, index=31),
    "a list with one value less": listing(1, lambda rows: rows.pop()),
    "a list with another name for a value": row(1, 0, name={"en": "Elsewhere", "cy": "Elsewhere"}),
    "a span that begins later": row(0, 3, lo="80001"),
    "two spans made one": listing(0, lambda rows: rows.append(rows.pop() | {"lo": rows.pop()["lo"]})),
    "another nonce": everywhere("nonce", "n" * 24),
    "another state": of_request(["state"], "s" * 24),
    "another address": of_request(["response_uri"], "https://verifier.example/a/2"),
    "another key for the answer": of_request(["client_metadata", "jwks", "keys", 0, "x"], b64u(bytes(32))),
    "a credential of other facts": claim("place", facts_as_of="2026-11-06"),
    "a credential of another day": signing("pay1", lambda claims: claims.update(iat=claims["iat"] - 86400)),
    "another entry of a list": signing("pay2", lambda claims: claims["status"]["status_list"].update(idx=42)),
    "another holder's key": signing("pay1", lambda claims: claims["cnf"]["jwk"].update(x=b64u(bytes(32)))),
    "commitments exchanged": signing("pay1", exchanged("/total", "/hours")),
    "commitments of texts exchanged": signing("pay2", exchanged("/person", "/source")),
    "a commitment that hides nothing": hiding("place", "/rooms", c=b64u(bytes(32))),
}

SECOND = ["dcql_query", "credentials", 1]
#: The same exchange: what a check of its own refuses.
PARTS = {
    "a statement of the query alone": ("statements", statement(1, lambda one: one.update(k="1000001"))),
    "terms of the query alone": ("statements", statement(1, lambda one: one["terms"].reverse())),
    "statements of the query in another order": (
        "statements", asking(lambda claims: claims["dcql_query"]["statements"].reverse())),
    "a statement left out": ("statements", asking(lambda claims: claims["dcql_query"]["statements"].pop())),
    "a type of the query alone": ("query", of_request([*SECOND, "meta", "vct_values"], ["x/zk"])),
    "a period of the query alone": ("query", of_request([*SECOND, "claims", 0, "values"], ["2026-09"])),
    "a policy alone": ("digest", asking(lambda claims: info(claims, "policy")[0]["data"].update(version=2))),
    "a list alone": ("statements", asking(lambda claims: relisted(info(claims, "table")[0], lambda rows: rows.pop()))),
    "a list left out": ("table", asking(lambda claims: claims["verifier_info"].pop(2))),
    "options alone": ("options", asking(lambda claims: info(claims, "context")[0]["data"]["options"].reverse())),
    "a day alone": ("as_of", asking(lambda claims: info(claims, "context")[0]["data"].update(as_of="2026-11-20"))),
    "a nonce of the request alone": ("nonce", of_request(["nonce"], "n" * 24)),
    "a nonce of the answer alone": ("nonce", binding("pay1", lambda claims: claims.update(nonce="n" * 24))),
    "an answer for somebody else": ("aud", binding("place", lambda claims: claims.update(aud="x509_hash:other"))),
    "an answer from before": ("iat", binding("place", lambda claims: claims.update(iat=claims["iat"] - 301))),
    "a key binding of another credential": (
        "sd_hash", binding("pay2", lambda claims: claims.update(sd_hash=b64u(bytes(32))))),
    "a credential left out": ("option", lambda told: told["vp_token"].pop("pay2")),
    "a credential of the other way": ("option", lambda told: told["vp_token"].update(alone=told["vp_token"]["place"])),
    "credentials exchanged": ("issuer", lambda told: told["vp_token"].update(
        pay1=told["vp_token"]["pay2"], pay2=told["vp_token"]["pay1"])),
    "a credential in another's place": ("vct", lambda told: told["vp_token"].update(pay1=told["vp_token"]["place"])),
    "another month": ("period", claim("pay1", period="2026-09")),
    "no month": ("period", signing("pay1", lambda claims: claims.pop("period"))),
    "no status": ("status", signing("pay1", lambda claims: claims.pop("status"))),
    "a status elsewhere": ("status", claim("pay1", status={"status_list": {"idx": 1, "uri": "https://other.example"}})),
    "a credential that ran out": ("expired", claim("place", exp=1)),
    "another issuer": ("x5c", claim("pay1", iss="https://two.example")),
    "another range": ("zkc", hiding("place", "/rooms", hi="39")),
    "another encoding": ("zkc", hiding("place", "/rooms", enc="code")),
    "another unit": ("zkc", hiding("place", "/rooms", u="doors")),
    "an attribute left out": ("zkc", signing("place", lambda claims: claims["zkc"].pop("/plot"))),
    "a text with a width": ("zkc", hiding("place", "/person", b=32)),
    "the hash of another proof": (
        "carriage", binding("pay2", lambda claims: claims.update({exchange.HASH: b64u(bytes(32))}))),
    "needs in another order": ("carriage", turned("needs")),
    "no hash": ("carriage", binding("pay2", lambda claims: claims.pop(exchange.HASH))),
    "the proof beside another": ("carriage", moved),
}


def entering(change):
    """The entry of the request, as another text."""

    def changed(claims):
        members = request.strict(encoding.b64u_decode(claims["transaction_data"][0]))
        change(members)
        claims["transaction_data"] = [b64u(canonical.canonical(members))]

    return asking(changed)


def authorising(change):
    """The entry, with the hash and the grant that fit."""

    def changed(told):
        entering(change)(told)
        text = opened(told["request"])[1]["transaction_data"][0]
        digest = b64u(permission.digest(text))
        binding("pay1", lambda claims: claims.update({permission.HASHES: [digest]}))(told)
        granting(transaction=digest)(told)

    return changed


def granting(**given):
    return lambda told: told.update(grant=rewritten(told["grant"], lambda claims: claims.update(given)))


def by_another_key(told):
    """A grant that another key signed."""
    key = request.es256.Key(b"\7" * 32)
    told["grant"] = key.jws(opened(told["grant"])[0] | {"jwk": key.jwk()}, opened(told["grant"])[1])


def named_otherwise(told):
    """The same, named in the key binding as well."""
    by_another_key(told)
    jwk = opened(told["grant"])[0]["jwk"]
    thumbprint = b64u(request.es256.thumbprint(jwk))
    binding("pay1", lambda claims: claims.update({permission.KEY: thumbprint}))(told)


def passed_on(told):
    """The permission's key beside the other credential."""
    key = opened(told["vp_token"]["pay1"][0].rpartition("~")[2])[1][permission.KEY]
    binding("pay1", lambda claims: claims.pop(permission.KEY))(told)
    binding("pay2", lambda claims: claims.update({permission.KEY: key}))(told)


#: Of the exchange "grant" of `ways.json`: refused by the proof and by nothing else.
PERMITTED = {
    "another amount": authorising(lambda entry: entry["amount"].update(pence="12001")),
    "another payee": authorising(lambda entry: entry.update(payee="Larkfield Lettings")),
    "another reference": authorising(lambda entry: entry.update(reference="RENT 0043")),
    "another salt": authorising(lambda entry: entry.update(salt=b64u(bytes(16)))),
    "another key of the permission": named_otherwise,
}

#: The same exchange: what a check of its own refuses.
PERMITTED_PARTS = {
    "an amount after it was authorised": ("hash", entering(lambda entry: entry["amount"].update(pence="12001"))),
    "an amount beyond the policy": ("entry", authorising(lambda entry: entry["amount"].update(pence="20001"))),
    "an amount written otherwise": ("entry", authorising(lambda entry: entry["amount"].update(pence="012000"))),
    "another currency": ("entry", authorising(lambda entry: entry["amount"].update(currency="EUR"))),
    "a payee of another script": ("entry", authorising(lambda entry: entry.update(payee="L\u0430rkfield"))),
    "a longer permission": ("entry", authorising(lambda entry: entry.update(until="2027-12-21"))),
    "more uses": ("entry", authorising(lambda entry: entry.update(uses=2))),
    "a member more": ("entry", authorising(lambda entry: entry.update(note="x"))),
    "a short salt": ("entry", authorising(lambda entry: entry.update(salt=b64u(bytes(15))))),
    "fewer credentials": ("entry", authorising(lambda entry: entry["credential_ids"].pop())),
    "another type": ("entry", authorising(lambda entry: entry.update(type="urn:vouchsafe:standing:1"))),
    "a second entry": ("entry", asking(lambda claims: claims["transaction_data"].append("e30"))),
    "no entry": ("entry", asking(lambda claims: claims.pop("transaction_data"))),
    "an entry that no policy asks for": (
        "entry", ruling(lambda rules: rules.pop("permission"))),
    "a kind that the purpose does not have": (
        "covers", asking(lambda claims: info(claims, "purpose")[0].update(data=rewritten(
            info(claims, "purpose")[0]["data"], lambda purpose: purpose["permissions"].remove("payment"))))),
    "the key beside another credential": ("key", passed_on),
    "no key": ("key", binding("pay1", lambda claims: claims.pop(permission.KEY))),
    "no hash": ("key", binding("pay1", lambda claims: claims.pop(permission.HASHES))),
    "another algorithm": ("hash", binding("pay1", lambda claims: claims.update({permission.HASHES_ALG: "sha-512"}))),
    "no grant": ("grant", lambda told: told.pop("grant")),
    "a grant of another key": ("grant", by_another_key),
    "a grant for another service": ("grant", granting(aud="https://other.example")),
    "a grant of another day": ("grant", granting(iat=0)),
    "a grant of another payment": ("grant", granting(transaction=b64u(bytes(32)))),
    "a grant of another policy": ("grant", granting(policy=b64u(bytes(32)))),
    "a grant of another purpose": ("grant", granting(purpose="https://other.example")),
    "a grant of another version": ("grant", granting(purpose_version=2)),
    "a grant that says more": ("grant", granting(nonce="n")),
}


def check(count, ours, theirs):
    """`theirs`: the exchanges that another implementation made, by name; `ours`: the model's."""
    unspoilt(count, theirs["worker"])
    only_the_proof(count, theirs["worker"], WORKER)
    by_their_part(count, theirs["worker"], PARTS)
    context(count, theirs["worker"])
    for told in (theirs["dweller"], theirs["household"]):
        only_the_proof(count, told, parts(told))
    for told in (theirs["worker"], theirs["sources"], ours["household"]):
        bits(count, told)
    only_the_proof(count, theirs["grant"], PERMITTED)
    by_their_part(count, theirs["grant"], PERMITTED_PARTS)
    only_the_proof(count, theirs["sources"], {
        "the two in each other's place": swapped,
        "another payer's name": ruling(lambda rules: rules["ways"][0]["needs"][0]["iss"].reverse()),
    })


def swapped(told):
    """Two credentials that would answer either query, each with the proof claims of its new place."""
    (one, (first,)), (other, (second,)) = told["vp_token"].items()
    names = (exchange.PROOF, exchange.HASH)
    for query, text, place in ((one, second, first), (other, first, second)):
        covered, _, bound = text.rpartition("~")
        carried = {name: value for name, value in opened(place.rpartition("~")[2])[1].items() if name in names}

        def change(claims, carried=carried):
            for name in set(names) & set(claims):
                claims.pop(name)
            claims.update(carried)

        told["vp_token"][query] = [covered + "~" + rewritten(bound, change)]
