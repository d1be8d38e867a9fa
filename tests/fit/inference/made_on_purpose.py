"""Ten models that are not identifiable on purpose, ten that are, and what must be said of each parameter.

Written down (and committed) before any verdict on them was looked at. Kinds are those of `verdicts.KINDS`; a text beside a kind
must stand in the sentence. The data are simulated from `truth` by SciPy, with the noise that the model says.

python -m tests.fit.inference.made_on_purpose [SEED]   # a line for each parameter, and how many verdicts are right

Seeds 1 to 4 were looked at while verdicts were mended; 11 to 20 are the test, judged as they came (docs/uncertainty.md).
Where a likelihood excludes what is infinite by chance, it closes the interval (`CLOSED`): there another verdict is right.
"""

from __future__ import annotations

import sys

import hybridode as ho
from tests.fit.inference.cases import Case
from tests.fit.inference.identifiable import IDENTIFIABLE
from tests.fit.inference.non_identifiable import NON_IDENTIFIABLE

UNSEEN = range(11, 21)
FAST, FAR = "a step too fast to see", "rate far from saturation"
CLOSED = {FAST: {11, 19}, FAR: {20}}  # of these seeds; SciPy's likelihood ratio says so in test_made_on_purpose.py
MEANT = {(FAST, "k2"), (FAR, "v"), (FAR, "K")}


def accident(case: str, name: str, seed: int) -> bool:
    """Whether the noise of this seed makes another verdict than the expected one the right one."""
    return (case, name) in MEANT and seed in CLOSED[case]


def judged(case: Case, seed: int) -> dict[str, tuple[str, str, bool]]:
    """Of each parameter: kind, sentence, whether it is what was expected."""
    run = ho.fit(ho.parse(case.text, f"{case.name}.ode"), case.data(seed), seed=0)
    found = run.profiles().verdicts
    out = {}
    for name, v in found.items():
        kind, *words = case.expected.get(name, ("identified",))
        out[name] = v.kind, v.sentence, v.kind == kind and all(w in v.sentence for w in words)
    assert set(case.expected) <= set(found)
    return out


def main(seed: int) -> int:
    right = total = 0
    for case in (*NON_IDENTIFIABLE, *IDENTIFIABLE):
        for name, (kind, sentence, ok) in judged(case, seed).items():
            word = "ok   " if ok else "noise" if accident(case.name, name, seed) else "WRONG"
            print(f"{word} {case.name:26} {name:6} {kind:16} {sentence}", flush=True)
            right, total = right + ok, total + 1
    print(f"{right} of {total} verdicts are right")
    return 0 if right == total else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else UNSEEN[0]))
