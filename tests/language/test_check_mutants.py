"""Files with words lost, added or exchanged: checked or refused in words, never a traceback."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from hybridode.errors import ModelError, Source, render
from hybridode.language.check import declare

HERE = Path(__file__).parent
FILES = [p.read_text(encoding="utf-8") for p in (HERE / "models" / "everything.ode", *sorted((HERE / "samples").glob("*.ode")))]
WORDS = re.compile(r"\w+|\s+|.")
STRANGE = [
    "inf",
    "0",
    "-1",
    "1e400",
    "0/0",
    "NN(x)",
    "x(0)",
    "[1, 2]",
    "[]",
    "x''",
    "'",
    "t",
    "x > 1",
    "x[0]",
    "x[99]",
    "1e300",
    "fixed",
]


@pytest.mark.parametrize("seed", range(8))
def test_mutants(seed: int) -> None:
    rng = random.Random(seed)
    words = [w for text in FILES for w in WORDS.findall(text) if not w.isspace()]
    for _ in range(20):
        tokens = WORDS.findall(FILES[0] if rng.random() < 0.5 else rng.choice(FILES))
        for _ in range(rng.choice([1, 1, 2, 3])):
            at = rng.randrange(len(tokens))
            new = [] if rng.random() < 0.2 else [rng.choice(words if rng.random() < 0.5 else STRANGE)]
            tokens[at : at + rng.choice([0, 1])] = new
        try:
            declare(Source("mutant.ode", "".join(tokens)))
        except ModelError as wrong:
            assert all(d.hint for d in wrong.diagnostics if d.code[:3] != "E01")
            assert render(wrong.diagnostics)
