"""What all judgements of discovery share: the row of one seed, and a fit followed by a discovery, both by default."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import hybridode.api as ho
from hybridode.discover.discovery import Discovery

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Judged:
    """One seed: what was found, whether its form is exactly the true one, the largest relative error of its numbers, and a
    note."""

    seed: int
    formula: str
    exact: bool
    error: float
    note: str
    seconds: float

    def row(self) -> str:
        exact = "yes" if self.exact else "no"
        return f"| {self.seed} | {self.formula} | {exact} | {100 * self.error:.2f} % | {self.note} | {self.seconds:.0f} |"


def discovered(model: Path | str, text: str) -> tuple[Discovery, float]:
    """A hybrid model (a file, or its text) fitted to data by default and discovered, and the processor time of discovery."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.csv"
        data.write_text(text, encoding="utf-8")
        run = ho.fit(model if isinstance(model, Path) else ho.parse(model), data)
        began = time.process_time()
        found = run.discover()
        return found, time.process_time() - began


def numbers_of(found: Discovery) -> dict[str, float]:
    assert found.fit is not None and found.winner is not None
    names = [n.name for f in found.winner.formulas.values() for n in f.numbers]
    return {n: float(found.fit.shared[n]) for n in names}
