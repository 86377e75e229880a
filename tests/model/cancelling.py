"""Wrong proofs whose faults cancel where a verifier adds equations up without weights.

`alone`: one proof, both of its equations wrong by opposite multiples of H. `together`: two proofs of one statement, the
same equation wrong by opposite multiples. A verifier that folds its equations with the weight 1 accepts them; every
other one refuses.
"""

import bulletproof
import ristretto
import strobe
from fixed import scalars
from ristretto import Invalid

LABEL = "cancelling"
N, VALUE = 8, 42


def everything():
    draw = scalars("cancelling").__next__
    blinding, fault = draw(), draw()

    def proof(on_polynomial, on_inner_product):
        transcript = strobe.Transcript(LABEL.encode())
        return bulletproof.prove(transcript, N, [VALUE], [blinding], draw, (on_polynomial, on_inner_product)).hex()

    return {
        "transcript_label": LABEL,
        "n": N,
        "commitment": ristretto.encode(ristretto.commit(VALUE, blinding)).hex(),
        "right": proof(0, 0),
        "alone": proof(fault, -fault),
        "together": [proof(0, fault), proof(0, -fault)],
    }


def accepts(made, proof):
    transcript = strobe.Transcript(made["transcript_label"].encode())
    try:
        bulletproof.verify(transcript, bytes.fromhex(proof), made["n"], 1, [bytes.fromhex(made["commitment"])])
    except Invalid:
        return False
    return True
