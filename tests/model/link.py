"""Pseudonyms of a link secret (specs/proofs section 6.4): contexts, showing one, registering a batch."""

import hashlib

import binding
import encoding
import ristretto
import sigma
import strobe
from fixed import derived
from ristretto import B, H, Invalid, commit, decode, encode, multi_sum, multiply

PSEUDONYM = 7
TAG = b"vouchsafe/v1-with-ristretto255_XMD:SHA-512_R255MAP_RO_"


# --- contexts -----------------------------------------------------------------------------------------------------


def expanded(tag, message, count=64):
    """RFC 9380 5.3.1 expand_message_xmd with SHA-512, block by block."""
    tag += bytes([len(tag)])
    blocks = -(-count // 64)
    first = hashlib.sha512(bytes(128) + message + count.to_bytes(2, "big") + b"\0" + tag).digest()
    out = block = b""
    for index in range(1, blocks + 1):
        mixed = bytes(a ^ b for a, b in zip(first, block)) if block else first
        block = hashlib.sha512(mixed + bytes([index]) + tag).digest()
        out += block
    return out[:count]


def hash_to_group(tag, message):
    return ristretto.from_uniform(expanded(tag, message))


def context(service, action, epoch):
    parts = [part.encode() for part in (service, action, epoch)]
    if not all(1 <= len(part) <= 127 for part in parts):
        raise Invalid("a part of a context has 1 to 127 bytes")
    return b"vouchsafe/v1/ctx" + b"".join(map(encoding.lp, parts))


def base_of(service, action, epoch):
    return hash_to_group(TAG, context(service, action, epoch))


def read(text):
    """P of a context in exactly the form of `context`."""
    data, parts = text.encode(), []
    head = len(b"vouchsafe/v1/ctx")
    rest = data[head:]
    while len(parts) < 3:
        length = int.from_bytes(rest[:4], "big")
        parts.append(rest[4 : 4 + length].decode())
        rest = rest[4 + length :]
    if context(*parts) != data:
        raise Invalid("a context of another form")
    return base_of(*parts)


def registration_base(issuer):
    return hash_to_group(TAG, b"vouchsafe/v1/registration" + encoding.lp(issuer))


# --- a pseudonym is shown -----------------------------------------------------------------------------------------


def begin(transcript, index, link, base, nym):
    sigma.begin(transcript, PSEUDONYM, index, [link])
    transcript.append(b"7.base", encode(base))
    transcript.append(b"7.pseudonym", nym)


def prove(transcript, index, base, x, t, draw):
    nym, k1, k2 = encode(multiply(x, base)), draw(), draw()
    begin(transcript, index, encode(commit(x, t)), base, nym)
    sigma.announce(transcript, [encode(commit(k1, k2)), encode(multiply(k1, base))])
    c = sigma.challenge(transcript)
    return sigma.finish(transcript, nym + sigma.joined(c, k1 + c * x, k2 + c * t))


def verify(transcript, index, link, base, nym, proof):
    shown, *rest = sigma.words(proof, 4)
    c, z1, z2 = map(ristretto.scalar_from_canonical, rest)
    sigma.require(shown == nym)
    begin(transcript, index, link, base, nym)
    first = multi_sum([(z1, B), (z2, H), (-c, sigma.sent(link))])
    second = multi_sum([(z1, base), (-c, sigma.sent(nym))])
    sigma.announce(transcript, [encode(first), encode(second)])
    sigma.require(sigma.challenge(transcript) == c)
    sigma.finish(transcript, proof)


# --- a batch is registered ----------------------------------------------------------------------------------------


def registration(asked, nym):
    """The transcript up to the announcements; `asked` in the shape of the vectors."""
    transcript = strobe.Transcript(b"vouchsafe/v1/link")
    for label, message in binding.protocol(None, None):
        transcript.append(label.encode(), message)
    for label, member in (("2.issuer", "issuer"), ("2.type", "type"), ("2.nonce", "c_nonce")):
        transcript.append(label.encode(), asked[member].encode())
    transcript.append(b"3.copies", sigma.number(len(asked["copies"])))
    for index, copy in enumerate(asked["copies"]):
        transcript.append(b"3.index", sigma.number(index))
        transcript.append(b"3.holder-key", bytes.fromhex(copy["holder_key"]))
        transcript.append(b"3.commitment", bytes.fromhex(copy["commitment"]))
    transcript.append(b"4.base", encode(registration_base(asked["issuer"])))
    transcript.append(b"4.pseudonym", nym)
    return transcript


def register(asked, x, blindings, draw):
    base = registration_base(asked["issuer"])
    nym = encode(multiply(x, base))
    transcript = registration(asked, nym)
    k, masks = draw(), [draw() for _ in blindings]
    sigma.announce(transcript, [encode(multiply(k, base)), *(encode(commit(k, mask)) for mask in masks)])
    c = sigma.challenge(transcript)
    return nym + sigma.joined(c, k + c * x, *(mask + c * t for mask, t in zip(masks, blindings)))


def registered(asked, proof):
    """The pseudonym that a batch registers; raises `Invalid` unless its proof holds."""
    links = [bytes.fromhex(copy["commitment"]) for copy in asked["copies"]]
    sigma.require(1 <= len(links) <= 30 and len(set(links)) == len(links))
    nym, *rest = sigma.words(proof, 3 + len(links))
    c, z, *masked = map(ristretto.scalar_from_canonical, rest)
    points = [multi_sum([(z, registration_base(asked["issuer"])), (-c, sigma.sent(nym))])]
    points += [multi_sum([(z, B), (z_i, H), (-c, sigma.sent(link))]) for z_i, link in zip(masked, links)]
    transcript = registration(asked, nym)
    sigma.announce(transcript, map(encode, points))
    sigma.require(sigma.challenge(transcript) == c)
    return nym


# --- vectors ------------------------------------------------------------------------------------------------------


def everything(checkpoint, draw):
    """Pseudonyms shown and batches registered by the model."""
    x, other = draw(), draw()
    asked = [("https://larkfield.example/cards", "library", "2026"), ("https://buses.example", "café", "2026-11")]
    return {
        "pseudonyms": [shown(index, one, x, checkpoint, draw) for index, one in enumerate(asked)],
        "registrations": [batch("one", x, 1, draw), batch("many", other, 4, draw)],
    }


def shown(index, parts, x, checkpoint, draw):
    t, base, transcript = draw(), base_of(*parts), strobe.Transcript(sigma.LABEL)
    proof = prove(transcript, index, base, x, t, draw)
    return {
        "index": index,
        **dict(zip(("service", "action", "epoch"), parts)),
        "context": context(*parts).decode(),
        "base": encode(base).hex(),
        "secret": ristretto.scalar_bytes(x).hex(),
        "blinding": ristretto.scalar_bytes(t).hex(),
        "commitment": encode(commit(x, t)).hex(),
        "pseudonym": encode(multiply(x, base)).hex(),
        "proof": proof.hex(),
        "checkpoint": checkpoint(transcript).hex(),
    }


def batch(name, x, count, draw):
    blindings = [draw() for _ in range(count)]
    copies = [
        {
            "holder_key": derived(f"{name}/{index}/holder").hex(),
            "blinding": ristretto.scalar_bytes(t).hex(),
            "commitment": encode(commit(x, t)).hex(),
        }
        for index, t in enumerate(blindings)
    ]
    asked = {
        "issuer": "https://larkfield.example",
        "type": "https://larkfield.example/types/residency/1/zk",
        "c_nonce": encoding.b64u(derived(f"{name}/nonce", 16)),
    }
    base = registration_base(asked["issuer"])
    asked |= {"base": encode(base).hex(), "secret": ristretto.scalar_bytes(x).hex(), "copies": copies}
    proof = register(asked, x, blindings, draw)
    return asked | {"pseudonym": encode(multiply(x, base)).hex(), "proof": proof.hex()}


def scalar(text):
    return ristretto.scalar_from_canonical(bytes.fromhex(text))


def check_shown(count, name, one):
    parts = [one[part] for part in ("service", "action", "epoch")]
    base, x = base_of(*parts), scalar(one["secret"])
    count.equal(f"{name}: the context", context(*parts).decode(), one["context"])
    count.equal(f"{name}: its point", encode(base).hex(), one["base"])
    count.equal(f"{name}: the commitment", encode(commit(x, scalar(one["blinding"]))).hex(), one["commitment"])
    count.equal(f"{name}: the pseudonym", encode(multiply(x, base)).hex(), one["pseudonym"])
    link, nym, proof = (bytes.fromhex(one[part]) for part in ("commitment", "pseudonym", "proof"))

    def verified(base=base, nym=nym, proof=proof):
        transcript = strobe.Transcript(sigma.LABEL)
        verify(transcript, one["index"], link, base, nym, proof)
        return transcript

    try:
        count.equal(f"{name}: the transcript after it", binding.checkpoint(verified()).hex(), one["checkpoint"])
    except Invalid as refusal:
        count.true(f"{name}: {refusal}", False)
    foreign, identity = encode(multiply(x + 1, base)), bytes(32)
    count.refused(f"{name}, changed", lambda: verified(proof=changed(proof)), Invalid)
    count.refused(f"{name}, another epoch", lambda: verified(base=base_of(*parts[:2], "other")), Invalid)
    count.refused(f"{name}, another's", lambda: verified(nym=foreign, proof=foreign + proof[32:]), Invalid)
    count.refused(f"{name}, the identity", lambda: verified(nym=identity, proof=identity + proof[32:]), Invalid)


def check_batch(count, name, one):
    base, x, proof = registration_base(one["issuer"]), scalar(one["secret"]), bytes.fromhex(one["proof"])
    count.equal(f"{name}: the point", encode(base).hex(), one["base"])
    links = [encode(commit(x, scalar(copy["blinding"]))).hex() for copy in one["copies"]]
    count.equal(f"{name}: the commitments", links, [copy["commitment"] for copy in one["copies"]])
    try:
        count.equal(f"{name}: the pseudonym", registered(one, proof).hex(), one["pseudonym"])
        count.equal(f"{name}: it is the secret's", encode(multiply(x, base)).hex(), one["pseudonym"])
    except Invalid as refusal:
        count.true(f"{name}: {refusal}", False)
    count.refused(f"{name}, changed", lambda: registered(one, changed(proof)), Invalid)
    # A long batch differs from a short one in length alone.
    for member in ("issuer", "type", "c_nonce") if len(links) < 10 else ():
        other = one | {member: one[member] + "x"}
        count.refused(f"{name}, another {member}", lambda: registered(other, proof), Invalid)
    if 1 < len(links) < 10:
        other = one | {"copies": one["copies"][1:] + one["copies"][:1]}
        count.refused(f"{name}, another order", lambda: registered(other, proof), Invalid)
    doubled = one | {"copies": one["copies"] * 2}
    count.refused(f"{name}, every copy twice", lambda: registered(doubled, proof), Invalid)


def changed(proof):
    return proof[:-1] + bytes([proof[-1] ^ 1])


def check_hash(count, published):
    """RFC 9497 A.1.1: blind * hash(input), under a tag of its own."""
    for one in published["vectors"]:
        point = hash_to_group(bytes.fromhex(published["tag"]), bytes.fromhex(one["input"]))
        found = encode(multiply(scalar(one["blind"]), point)).hex()
        count.equal(f"blinded {one['input']}", found, one["blinded_element"])
