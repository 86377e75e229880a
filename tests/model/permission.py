"""What a resident permits beside an answer: the entry of the request, the key, the grant
(specs/profiles/permission.md)."""

import datetime

import canonical
import encoding
import es256
import request
from encoding import b64u, sha256
from policy import require

KEY = "urn:vouchsafe:permission-jkt:1"
HASHES, HASHES_ALG = "transaction_data_hashes", "transaction_data_hashes_alg"
GRANT = "vouchsafe-grant+jwt"
#: What a policy says of a kind and its entry repeats; of a payment the service says the rest.
REPEATED = {"standing": "every_days", "sharing": "with", "action": "action"}


# --- the entry ----------------------------------------------------------------------------------------------------


def entry(rules, query, as_of, salt, payment=None):
    """The text of the one entry. `payment` is pence, payee and reference."""
    said = rules["permission"]
    kind, until = said["kind"], as_of + datetime.timedelta(days=said["for_days"])
    uses = 1 if kind == "payment" else said.get("uses")
    members = {"type": f"urn:vouchsafe:{kind}:1", "credential_ids": [one["id"] for one in query["credentials"]],
               HASHES_ALG: ["sha-256"], "salt": b64u(salt), "until": until.isoformat()}
    members |= {} if uses is None else {"uses": uses}
    if kind == "payment":
        pence, payee, reference = payment
        require(1 <= pence <= said["at_most_pence"], "entry")
        members |= {"amount": {"currency": "GBP", "pence": str(pence)}, "payee": payee, "reference": reference}
    else:
        members[REPEATED[kind]] = said[REPEATED[kind]]
    return b64u(canonical.canonical(members))


def asked_for(sent, rules, query, as_of):
    """The entry of a request by these rules, made again and compared; None where they ask for no permission."""
    if "permission" not in rules:
        require(sent is None, "entry")
        return None
    require(isinstance(sent, list) and len(sent) == 1, "entry")
    came = request.strict(encoding.b64u_decode(sent[0]))
    salt, payment = encoding.b64u_decode(came["salt"]), None
    require(len(salt) == 16, "entry")
    if rules["permission"]["kind"] == "payment":
        payment = int(came["amount"]["pence"]), came["payee"], came["reference"]
        require(all(line(text, most) for text, most in zip(payment[1:], (140, 35))), "entry")
    require(sent[0] == entry(rules, query, as_of, salt, payment), "entry")
    return sent[0]


def line(text, most):
    """One line of what is printed in English and Welsh."""
    shown = [(0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x17F), (0x2013, 0x2013), (0x2019, 0x2019)]
    printed = all(any(first <= ord(sign) <= last for first, last in shown) for sign in text)
    return 1 <= len(text) <= most and printed and text == text.strip(" ") and "  " not in text


def covers(purpose, rules):
    """Whether the purpose lets a policy ask for its permission."""
    said = rules.get("permission")
    if said is None:
        return True
    named = {"sharing": [one["id"] for one in purpose.get("sharing", [])],
             "action": [one["id"] for one in purpose.get("actions", [])]}
    kind = said["kind"]
    return (kind in purpose.get("permissions", []) and (kind not in named or said[REPEATED[kind]] in named[kind])
            and (kind != "standing" or said["every_days"] >= purpose["recheck_days"]))


# --- key and grant ------------------------------------------------------------------------------------------------


def digest(text):
    return sha256(text.encode())


def binding(asked, key):
    """What the key binding that covers the entry says of it."""
    return {HASHES: [b64u(digest(asked.entry))], HASHES_ALG: "sha-256", KEY: b64u(key.thumbprint())}


def granted(asked):
    """What a grant says."""
    midnight = datetime.datetime(*asked.as_of.timetuple()[:3], tzinfo=datetime.timezone.utc)
    return {"aud": asked.service, "iat": int(midnight.timestamp()), "transaction": b64u(digest(asked.entry)),
            "policy": b64u(canonical.digest(asked.policy)), "purpose": asked.policy["purpose"],
            "purpose_version": asked.purpose_version}


def grant(asked, key):
    return key.jws({"alg": "ES256", "typ": GRANT, "jwk": key.jwk()}, granted(asked))


def given(asked, bindings, sent, signed):
    """The thumbprint of the permission's key, once bindings and grant agree on it; None where none was asked for."""
    for one in bindings:
        require((KEY in one) == (HASHES in one), "key")
    covering = [one for one in bindings if HASHES in one]
    if asked.entry is None:
        require(not covering and sent is None, "unasked")
        return None
    require(len(covering) == 1, "key")
    (one,) = covering
    require((one[HASHES], one.get(HASHES_ALG)) == ([b64u(digest(asked.entry))], "sha-256"), "hash")
    require(sent is not None, "grant")
    header = request.strict(encoding.b64u_decode(sent.split(".")[0]))
    require(set(header) == {"alg", "typ", "jwk"} and set(header["jwk"]) == {"crv", "kty", "x", "y"}, "grant")
    thumbprint = es256.thumbprint(header["jwk"])
    require(one[KEY] == b64u(thumbprint), "grant")
    _, claims = request.opened(sent, es256.public_of(header["jwk"]), GRANT, signed)
    require(claims == granted(asked), "grant")
    return thumbprint
