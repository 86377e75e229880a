"""Keccak-f[1600], the part of STROBE-128 that merlin uses, and merlin's transcript."""

MASK = 2**64 - 1


def _rotate(word, count):
    return (word << count | word >> (64 - count)) & MASK


def _round_constants():
    # FIPS 202 3.2.5: the bits come from a linear feedback shift register.
    register, constants = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << (2**j - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return constants


ROUND_CONSTANTS = _round_constants()


def keccak_f(state):
    """FIPS 202 3.3 over 200 bytes, lane (x, y) at byte 8 * (x + 5 * y)."""
    a = [int.from_bytes(state[8 * i : 8 * i + 8], "little") for i in range(25)]
    for constant in ROUND_CONSTANTS:
        a = _chi(_rho_pi(_theta(a)))
        a[0] ^= constant
    return bytearray(b"".join(lane.to_bytes(8, "little") for lane in a))


def _theta(a):
    c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
    d = [c[(x - 1) % 5] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
    return [lane ^ other for lane, other in zip(a, 5 * d)]


def _moves():
    """For each lane: the one that moves there, and by how much it is turned."""
    moves, x, y = [(0, 0)] * 25, 1, 0
    for t in range(24):
        source, (x, y) = x + 5 * y, (y, (2 * x + 3 * y) % 5)
        moves[x + 5 * y] = source, (t + 1) * (t + 2) // 2 % 64
    return moves


MOVES = _moves()
NEIGHBOURS = [(x + 5 * y, (x + 1) % 5 + 5 * y, (x + 2) % 5 + 5 * y) for y in range(5) for x in range(5)]


def _rho_pi(a):
    return [(a[source] << count | a[source] >> 64 - count) & MASK for source, count in MOVES]


def _chi(b):
    return [b[here] ^ (~b[first] & b[second]) for here, first, second in NEIGHBOURS]


RATE = 166  # STROBE 1.0.2 at 128 bits of security, less the two bytes of padding
INBOUND, APPLICATION, CIPHER, META = 1, 2, 4, 16


class Strobe:
    """STROBE 1.0.2 with the operations AD, meta-AD and PRF alone."""

    def __init__(self, label):
        start = bytes([1, RATE + 2, 1, 0, 1, 96]) + b"STROBEv1.0.2"
        self.state = keccak_f(bytearray(start + bytes(200 - len(start))))
        self.position = self.begin = 0
        self.meta_ad(label)

    def meta_ad(self, data, more=False):
        self._operation(META | APPLICATION, more)
        self._absorb(data)

    def ad(self, data):
        self._operation(APPLICATION)
        self._absorb(data)

    def prf(self, count):
        self._operation(INBOUND | APPLICATION | CIPHER)
        out = bytearray()
        for _ in range(count):
            out.append(self.state[self.position])
            self.state[self.position] = 0
            self._moved(1)
        return bytes(out)

    def _absorb(self, data):
        while data:
            room = RATE - self.position
            for at, byte in enumerate(data[:room], self.position):
                self.state[at] ^= byte
            self._moved(min(room, len(data)))
            data = data[room:]

    def _moved(self, count):
        self.position += count
        if self.position == RATE:
            self._run()

    def _run(self):
        self.state[self.position] ^= self.begin
        self.state[self.position + 1] ^= 4
        self.state[RATE + 1] ^= 0x80
        self.state = keccak_f(self.state)
        self.position = self.begin = 0

    def _operation(self, flags, more=False):
        if more:
            return
        old, self.begin = self.begin, self.position + 1
        self._absorb(bytes([old, flags]))
        if flags & CIPHER and self.position:
            self._run()


class Transcript:
    """merlin 1.0: every message is framed by its label and a 32-bit little-endian length."""

    def __init__(self, label):
        self.strobe = Strobe(b"Merlin v1.0")
        self.append(b"dom-sep", label)

    def append(self, label, message):
        self.strobe.meta_ad(label)
        self.strobe.meta_ad(len(message).to_bytes(4, "little"), more=True)
        self.strobe.ad(message)

    def append_merlin_u64(self, label, value):
        """merlin's own integers are little-endian; only the range proof's messages use this."""
        self.append(label, value.to_bytes(8, "little"))

    def challenge(self, label, count):
        self.strobe.meta_ad(label)
        self.strobe.meta_ad(count.to_bytes(4, "little"), more=True)
        return self.strobe.prf(count)
