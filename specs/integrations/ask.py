#!/usr/bin/env python3
"""A service's system in Python: a token, a question, its events, the decision. Needs `cryptography` for ES256.

Set VERIFIER, CLIENT, SERVICE, KEY (PEM), POLICY and, for a private authority, CA (PEM). Prints the page for the
applicant's browser, each event, and at the end the outcome.
"""
import base64
import hashlib
import json
import os
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

VERIFIER, CLIENT, SERVICE = os.environ["VERIFIER"], os.environ["CLIENT"], os.environ["SERVICE"]
TLS = ssl.create_default_context(cafile=os.environ.get("CA"))


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64u(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def call(path, token=None, body=None, headers=None):
    """One call; a refusal is told with its problem, whose `reference` is what to quote."""
    request = urllib.request.Request(VERIFIER + path, data=body, headers=headers or {})
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        return urllib.request.urlopen(request, context=TLS, timeout=40)
    except urllib.error.HTTPError as refused:
        sys.exit(f"{path}: {refused.code} {refused.read().decode()}")


def thumbprint(key):
    """RFC 7638: the kid under which the operator registered the key."""
    n = key.public_key().public_numbers()
    x, y = b64u(n.x.to_bytes(32, "big")), b64u(n.y.to_bytes(32, "big"))
    return b64u(hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest())


def assertion(key):
    """RFC 7523, tightened: `aud` is the issuer identifier alone, `typ` says what it is, and it lives a minute."""
    header = {"alg": "ES256", "typ": "client-authentication+jwt", "kid": thumbprint(key)}
    now = int(time.time())
    claims = {"iss": CLIENT, "sub": CLIENT, "aud": VERIFIER, "iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(16)}
    text = b64u(json.dumps(header).encode()) + "." + b64u(json.dumps(claims).encode())
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return text + "." + b64u(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def obtain_token(key):
    form = {
        "grant_type": "client_credentials",
        "scope": "requests:write decisions:read",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(key),
    }
    reply = call("/oauth/token", body=urllib.parse.urlencode(form).encode())
    return json.load(reply)["access_token"]


def ask(token, policy, reference):
    """The key makes it safe to send the call again when its answer is lost."""
    question = {"policy": policy, "flow": "same_device", "reference": reference}
    headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{secrets.token_urlsafe(16)}"'}
    return json.load(call("/v1/requests", token, json.dumps(question).encode(), headers))


def follow(token, place):
    """Server-sent events; a stream ends after some seconds and goes on where it stopped."""
    last = None
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        for line in call(place + "/events", token, headers=headers):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                last = value
            elif name == "data":
                event = json.loads(value)
                print("event", event["status"], flush=True)
                if event["status"] == "decided":
                    return
        time.sleep(1)


def verify(decision, keys, asked, reference, salt):
    """Offline: the signature by a published key, then issuer, audience, request, environment and time."""
    text, _, signature = decision.rpartition(".")
    header, claims = (json.loads(from_b64u(part)) for part in text.split("."))
    assert header["alg"] == "ES256" and header["typ"] == "vouchsafe-decision+jwt", "not a decision"
    jwk = next(key for key in keys if key["kid"] == header["kid"])
    x, y = (int.from_bytes(from_b64u(jwk[name]), "big") for name in "xy")
    signature = from_b64u(signature)
    assert len(signature) == 64, "not an ES256 signature"
    der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    try:
        public.verify(der, text.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        sys.exit("the decision is not signed by this verifier")
    now = time.time()
    assert claims["iss"] == VERIFIER and claims["aud"] == SERVICE, "for somebody else"
    assert claims["request_id"] == asked, "about another request"
    assert claims["env"] == os.environ.get("ENVIRONMENT", "test"), "of another environment"
    assert claims["iat"] - 60 <= now < claims["exp"], "not about now"
    text = reference.encode()
    hashed = hashlib.sha256(b"vouchsafe/v1/ref" + from_b64u(salt) + len(text).to_bytes(4, "big") + text).digest()
    assert claims["ref"] == b64u(hashed), "about another reference"
    return claims


def main():
    with open(os.environ["KEY"], "rb") as file:
        key = serialization.load_pem_private_key(file.read(), password=None)
    reference = "PASS-2026-0042"
    token = obtain_token(key)
    asked = ask(token, os.environ["POLICY"], reference)
    print("page", asked["url"], flush=True)
    place = "/v1/requests/" + asked["id"]
    follow(token, place)
    # A token lives five minutes, and people take their time.
    told = json.load(call(place + "/decision", obtain_token(key)))
    keys = json.load(call("/.well-known/jwks.json"))["keys"]
    claims = verify(told["decision"], keys, asked["id"], reference, told["ref_salt"])
    print("outcome", claims["outcome"], flush=True)


main()
