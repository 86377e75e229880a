"""The reference implementation of RFC 9901 reads credentials and presentations.

input: {anchor, issued: [text], presented: [{text, aud, nonce}]}
result: {issued: [claims], presented: [claims]}
"""

import base64
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier


def issuer_key(anchor: x509.Certificate):
    """Gives the key of the certificate in the header, once it has led to the anchor and names the issuer."""

    def key(iss: str, header: dict) -> JWK:
        (text,) = header["x5c"]
        leaf = x509.load_der_x509_certificate(base64.b64decode(text))
        leaf.verify_directly_issued_by(anchor)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if names.get_values_for_type(x509.UniformResourceIdentifier) != [iss]:
            raise ValueError("the certificate names somebody else")
        return JWK.from_pem(leaf.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    return key


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    key = issuer_key(x509.load_pem_x509_certificate(given["anchor"].encode()))
    issued = [SDJWTVerifier(text, key).get_verified_payload() for text in given.get("issued", [])]
    presented = [
        SDJWTVerifier(one["text"], key, one["aud"], one["nonce"]).get_verified_payload()
        for one in given.get("presented", [])
    ]
    print(json.dumps({"issued": issued, "presented": presented}))


main()
