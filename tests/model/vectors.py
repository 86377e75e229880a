"""Checks against the frozen vectors of `specs/vectors`."""

import json

import answer
import binding
import bulletproof
import make
import ristretto
import strobe
from ristretto import Invalid


def check(count, folder, model):
    group(count, load(folder / "rfc9496/ristretto255.json"))
    range_proofs(count, load(folder / "bulletproofs/range_proof.json"))
    own(count, model)


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


def own(count, path):
    """The answers that the model made are still the ones it makes, and hold."""
    count.true("model.json is what `make` writes", path.exists() and load(path) == make.everything())
