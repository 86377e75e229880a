"""The request object, made as a verifier signs it and read as a wallet does (specs/profiles/{registrar,request}.md)."""

import base64
import datetime
import json
import re

import canonical
import certificate
import dates
import encoding
import es256
import permission
import policy
from encoding import b64u, sha256
from policy import Refused, require

FORMATS = [f"urn:vouchsafe:{name}:1" for name in ("service", "purpose", "table", "policy", "context")]
SKEW = 60


def opened(jws, public, typ, signed=es256.verify):
    """Header and claims of a JWS of that type, once its signature holds."""
    header, claims = (strict(encoding.b64u_decode(part)) for part in jws.split(".")[:2])
    require(jws.count(".") == 2 and (header.get("alg"), header.get("typ")) == ("ES256", typ), typ)
    require(signed(jws, public), typ + " signature")
    return header, claims


def strict(data):
    """JSON whose members come once each."""

    def members(pairs):
        require(len(dict(pairs)) == len(pairs), "a member that comes twice")
        return dict(pairs)

    return json.loads(data, object_pairs_hook=members)


def utc(now):
    return datetime.datetime.fromtimestamp(now, datetime.timezone.utc)


def london(now):
    """The civil date in Europe/London: an hour ahead from the last Sunday of March to that of October, 01:00 UTC."""

    def last_sunday(month):
        day = datetime.datetime(utc(now).year, month, 31, 1, tzinfo=datetime.timezone.utc)
        return day - datetime.timedelta(days=(day.weekday() + 1) % 7)

    ahead = last_sunday(3) <= utc(now) < last_sunday(10)
    return (utc(now) + datetime.timedelta(hours=int(ahead))).date()


# --- the registrar's documents ------------------------------------------------------------------------------------


class Registrar:
    """The pinned trust file."""

    def __init__(self, trust, now, signed=es256.verify):
        self.iss, self.now, self.signed = trust["iss"], now, signed
        self.keys = {jwk["kid"]: es256.public_of(jwk) for jwk in trust["jwks"]["keys"]}
        self.anchors = [base64.b64decode(text) for text in trust["anchors"]]

    def document(self, jws, kind):
        header = strict(encoding.b64u_decode(jws.split(".")[0]))
        require(set(header) == {"alg", "typ", "kid"} and header["kid"] in self.keys, f"{kind} header")
        _, claims = opened(jws, self.keys[header["kid"]], f"vouchsafe-{kind}+jwt", self.signed)
        require(claims["iss"] == self.iss, f"{kind} iss")
        require(0 < claims["exp"] - claims["iat"] <= 7 * 86400, f"{kind} validity")
        require(claims["iat"] - SKEW <= self.now < claims["exp"] + SKEW, f"{kind} validity")
        return claims

    def register(self, jws):
        """What a verifier loads: entries by kind and id."""
        whole, found = self.document(jws, "register"), {"table": []}
        for entry in whole["entries"]:
            typ = strict(encoding.b64u_decode(entry.split(".")[0]))["typ"]
            kind = typ.removeprefix("vouchsafe-").removesuffix("+jwt")
            claims = self.document(entry, kind)
            require(claims["reg_version"] == whole["reg_version"], "one register")
            if kind == "table":
                found["table"].append((entry, claims))
            else:
                require((kind, claims["sub"]) not in found, "an entry that comes twice")
                found[kind, claims["sub"]] = claims
        return found

    def path(self, header):
        """The leaf of `x5c` and the anchor that signed it."""
        leaf = base64.b64decode(header["x5c"][0], validate=True)
        try:
            return certificate.under(leaf, self.anchors, utc(self.now).strftime("%y%m%d%H%M%SZ"))
        except certificate.Unreadable as fault:
            raise Refused("certificate") from fault


# --- making -------------------------------------------------------------------------------------------------------


def made(party, rules, documents, tables, signer):
    """`party` says who asks, under which nonce, from when and where the answer goes, and with which salt and payment a
    permission is asked for; `documents` are service, purpose, tables."""
    as_of = london(party["iat"])
    query, options = policy.plan(rules, tables, as_of)
    context = {"as_of": as_of.isoformat(), "policy_digest": b64u(canonical.digest(rules)), "options": options}
    data = [*documents, rules, context]
    formats = FORMATS[:2] + FORMATS[2:3] * (len(documents) - 2) + FORMATS[3:]
    formats_taken = {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}}
    claims = {
        "aud": "https://self-issued.me/v2", "response_type": "vp_token", "response_mode": "direct_post.jwt",
        **{name: party[name] for name in ("client_id", "response_uri", "nonce", "state", "iat")},
        "exp": party["iat"] + 300, "dcql_query": query,
        "client_metadata": {"jwks": {"keys": [party["encryption_key"]]}, "vp_formats_supported": formats_taken,
                            "encrypted_response_enc_values_supported": ["A128GCM", "A256GCM"]},
        "verifier_info": [{"format": name, "data": one} for name, one in zip(formats, data, strict=True)],
    }
    if "permission" in rules:
        claims["transaction_data"] = [permission.entry(rules, query, as_of, *party["authorise"])]
    header = {"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": [base64.b64encode(signer.leaf).decode()]}
    return signer.key.jws(header, claims)


# --- reading ------------------------------------------------------------------------------------------------------


class Asked:
    """What a request asks: the record from which both sides fill what a proof is bound to."""

    def __init__(self, claims, rules, tables, as_of, service, purpose_version):
        self.claims, self.policy, self.tables, self.as_of, self.service = claims, rules, tables, as_of, service
        self.query, self.options = policy.plan(rules, tables, as_of)
        self.purpose_version = purpose_version
        self.entry = permission.asked_for(claims.get("transaction_data"), rules, self.query, as_of)
        #: The thumbprint of the permission's key, once an answer names one.
        self.permission_key = None

    def statements(self, option):
        """Those that apply, as they were sent."""
        queries = self.options[option]["queries"]
        return [one for one in self.query["statements"] if all(term["query"] in queries for term in one["terms"])]

    def context(self, option, credentials):
        """Items 2 to 5 of what a proof is bound to."""
        claims, rules = self.claims, self.policy
        used = [{"id": rule["id"], "version": rule["version"], "hash": self.tables.hash_of(rule).hex()}
                for rule in policy.tables_named(rules)]
        (key,) = claims["client_metadata"]["jwks"]["keys"]
        return {
            "request": {"service": self.service, "client_id": claims["client_id"], "nonce": claims["nonce"],
                        "state_sha256": sha256(claims["state"].encode()).hex(),
                        "reply_to": {"response_uri": claims["response_uri"]},
                        "encryption_key": es256.thumbprint(key).hex()},
            "policy": {"purpose": rules["purpose"], "id": rules["id"], "version": rules["version"],
                       "digest": canonical.digest(rules).hex(),
                       "statements": canonical.digest(self.query["statements"]).hex(),
                       "option": option, "as_of": dates.day(self.as_of), "tables": used},
            "authorisation": {"transactions": [] if self.entry is None else [permission.digest(self.entry).hex()],
                              "pseudonym": None,
                              "permission_key": self.permission_key and self.permission_key.hex()},
            "credentials": credentials,
        }


def read(text, client_id, registrar):
    """Steps 1 to 10 of a wallet, for a request by a policy with ways."""
    header, claims = (strict(encoding.b64u_decode(part)) for part in text.split(".")[:2])
    require(set(header) == {"alg", "typ", "x5c"}, "header")
    require(not {"redirect_uri", "wallet_nonce"} & set(claims), "members")
    for name in ("nonce", "state"):
        require(re.fullmatch(r"[A-Za-z0-9_~.-]{22,256}", claims[name]), name)
    leaf, _ = registrar.path(header)
    require(claims["client_id"] == client_id == "x509_hash:" + b64u(sha256(leaf.der)), "client_id")
    opened(text, leaf.public, "oauth-authz-req+jwt", registrar.signed)
    require((claims["aud"], claims["response_type"]) == ("https://self-issued.me/v2", "vp_token"), "aud")
    require(0 < claims["exp"] - claims["iat"] <= 3600, "times")
    require(claims["iat"] - SKEW <= registrar.now < claims["exp"] + SKEW, "times")
    require(claims["response_mode"] == "direct_post.jwt" and claims["response_uri"].startswith("https://"), "response")
    return vouched(claims, registrar)


def vouched(claims, registrar):
    """Steps 7 to 10."""
    known = [one for one in claims["verifier_info"] if one["format"] in FORMATS]
    places = [FORMATS.index(one["format"]) for one in known]
    require(places == sorted(places) and sorted(set(places)) in ([0, 1, 3, 4], [0, 1, 2, 3, 4]), "verifier_info")
    require(all(places.count(place) == 1 for place in (0, 1, 3, 4)), "verifier_info")
    service, purpose, *tables, rules, context = [one["data"] for one in known]
    service, purpose = registrar.document(service, "service"), registrar.document(purpose, "purpose")
    require(claims["client_id"] in service["client_ids"] and service["env"] == "test", "service")
    require(purpose["sub"] in service["purposes"] and purpose["sub"] == rules["purpose"], "purpose")
    documents = [(jws, registrar.document(jws, "table")) for jws in tables]
    versions = {one["reg_version"] for one in (service, purpose, *(claims for _, claims in documents))}
    require(len(versions) == 1, "one register")
    require(set(context) == {"as_of", "policy_digest", "options"}, "context")
    require(context["policy_digest"] == b64u(canonical.digest(rules)), "digest")
    as_of = dates.parse(context["as_of"])
    require(as_of == london(claims["iat"]), "as_of")
    asked = Asked(claims, rules, policy.Tables(documents), as_of, service["sub"], purpose["version"])
    sent = claims["dcql_query"]
    require(sent["statements"] == asked.query["statements"], "statements")
    require([known_members(one) for one in sent["credentials"]] == asked.query["credentials"], "query")
    sets = [{"options": one["options"]} for one in sent["credential_sets"] if one.get("required", True)]
    require(sets == asked.query["credential_sets"] and len(sent["credential_sets"]) == 1, "query")
    require(context["options"] == asked.options, "options")
    require(policy.covers(purpose["may_ask"], asked.query), "may_ask")
    require(permission.covers(purpose, rules), "covers")
    return asked


def known_members(query):
    return {name: query[name] for name in ("id", "format", "meta", "claims") if name in query}
