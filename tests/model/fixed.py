"""Fixed stand-ins for chance, so that the model's own vectors are the same each time. Never for real values."""

import hashlib

import ristretto


def derived(label, count=32):
    return hashlib.sha512(b"vouchsafe/v1/model/" + label.encode()).digest()[:count]


def scalars(label):
    """A source of scalars."""
    counter = 0
    while True:
        counter += 1
        yield ristretto.scalar_from_wide(derived(f"{label}/{counter}", 64))
