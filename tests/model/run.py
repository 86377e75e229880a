#!/usr/bin/env python3
"""The independent model's command: `run.py check` or `run.py make`.

`check` reads every frozen vector of `specs/vectors` that concerns proofs, computes it again and compares; the last
line is `N passed, N failed`. `make` writes the model's own answers for other implementations to accept, and
wrong proofs for them to refuse.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import basics  # noqa: E402
import binding  # noqa: E402
import cancelling  # noqa: E402
import kinds  # noqa: E402
import link  # noqa: E402
import make  # noqa: E402
import many  # noqa: E402
import presentation  # noqa: E402
import refusals  # noqa: E402
import sigma  # noqa: E402
import spoilt  # noqa: E402
import strobe  # noqa: E402
import town  # noqa: E402
import vectors  # noqa: E402
from fixed import scalars  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "specs/vectors/vouchsafe-1/model.json"
KINDS = ROOT / "specs/vectors/vouchsafe-1/model-kinds.json"
WAYS = ROOT / "specs/vectors/vouchsafe-1/model-ways.json"
MANY = ROOT / "specs/vectors/vouchsafe-1/model-many.json"
SIGMA = ROOT / "specs/vectors/vouchsafe-1/model-sigma.json"
LINK = ROOT / "specs/vectors/vouchsafe-1/model-link.json"
CANCELLING = ROOT / "specs/vectors/bulletproofs/cancelling.json"


class Count:
    """Counts checks and names those that fail."""

    def __init__(self):
        self.passed = self.failed = 0

    def true(self, name, holds):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}")

    def equal(self, name, found, expected):
        self.true(name, found == expected)
        if found != expected:
            print(f"  found    {found}\n  expected {expected}")

    def refused(self, name, call, *errors):
        """`call` must raise one of the errors: anything else is a failure of its own."""
        try:
            call()
        except errors:
            self.passed += 1
        else:
            self.true(name, False)


def own():
    """The model's own answers, and one whole presentation."""
    return {"profile": 1, "answers": make.answers(), "presentation": presentation.everything()}


def of_every_kind():
    """The model's own answers of every kind of statement, and what it plans or refuses."""
    return kinds.everything() | {"plans": refusals.told()}


def without_range():
    """Proofs of the model's own that need no range."""
    draw = scalars("sigma").__next__
    return {"proofs": sigma.everything(strobe.Transcript, binding.checkpoint, draw)}


def links():
    """Pseudonyms that the model shows, batches that it registers."""
    return link.everything(binding.checkpoint, scalars("link").__next__)


def main(command):
    if command == "make":
        files = {MODEL: own(), KINDS: of_every_kind(), WAYS: town.everything(), MANY: many.everything(),
                 SIGMA: without_range(), LINK: links()}
        files[CANCELLING] = cancelling.everything()
        for path, made in files.items():
            path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
            print(f"wrote {path.relative_to(ROOT)}")
        return 0
    if command != "check":
        print(__doc__)
        return 2
    count = Count()
    basics.check(count)
    vectors.check(count, ROOT / "specs/vectors")
    vectors.own(count, MODEL, own())
    every_kind = of_every_kind()
    vectors.same(count, KINDS, every_kind)
    refusals.check(count, every_kind["answers"])
    spoilt.check(count, *vectors.whole_answers(count, WAYS, town.everything()))
    vectors.long_lists(count, MANY, many.everything())
    vectors.without_range(count, SIGMA, without_range())
    vectors.links(count, LINK, links())
    vectors.wrong(count, CANCELLING, cancelling.everything())
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
