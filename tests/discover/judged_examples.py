"""Discovery judged on examples whose networks have a known law in a unit or a family, and on real data."""

from __future__ import annotations

import runpy

import numpy as np

from hybridode.discover.discovery import Discovery
from tests.discover.judging import EXAMPLES, Judged, discovered, numbers_of


def _row(seed: int, found: Discovery, seconds: float, kinds: tuple[str, ...], truth: tuple[float, ...], note: str = "") -> Judged:
    """A row of a law that is exact when it is of one of `kinds`; `truth` are its numbers as they stand in it."""
    text = "nothing" if found.winner is None else found.winner.text()
    if found.fit is None or found.winner is None:
        return Judged(seed, f"{found.verdict} ({text})", False, np.nan, note, seconds)
    right = found.winner.kind in kinds and len(numbers_of(found)) == len(truth)
    pairs = zip(numbers_of(found).values(), truth, strict=True) if right else ()
    return Judged(seed, text, right, max((abs(v / t - 1) for v, t in pairs), default=np.nan), note, seconds)


def elimination(seed: int) -> Judged:
    """Clearance 30/(4 + C), so that the elimination clearance(C)*C is Michaelis and Menten's law; noise of 8 %."""
    made = runpy.run_path(str(EXAMPLES / "pk_elimination" / "make_data.py"))
    found, seconds = discovered(EXAMPLES / "pk_elimination" / "pk_elimination.ode", made["text"](seed))
    named = any("Michaelis" in s for s in found.sentences)
    kinds = ("hyperbola",)
    return _row(seed, found, seconds, kinds, (made["VMAX"], made["KM"]), "said to be Michaelis and Menten's law" if named else "")


def growth(seed: int) -> Judged:
    """The growth rho*(1 - rho) of a population on a ring, noise 0.001."""
    made = runpy.run_path(str(EXAMPLES / "fisher_kpp" / "make_data.py"))
    found, seconds = discovered(EXAMPLES / "fisher_kpp" / "fisher_kpp.ode", made["text"](seed))
    row = _row(seed, found, seconds, ("sum of terms",), (1.0, -1.0))
    points = next(iter(found.samples.values())).points
    if found.winner is None:
        return row
    (formula,) = found.winner.formulas.values()
    off = np.max(np.abs(formula.curve(points, formula.values) - points[:, 0] * (1 - points[:, 0]))) / 0.25
    return Judged(seed, row.formula, row.exact, row.error, f"curve off by {100 * off:.2f} %", seconds)


def pelts(seed: int) -> Judged:
    """Lynx and hare: real data, so no truth; Lotka and Volterra's products (rates that are proportional) count as exact."""
    folder = EXAMPLES / "lynx_hare"
    found, seconds = discovered(folder / "lynx_hare_hybrid.ode", (folder / "pelts.csv").read_text(encoding="utf-8"))
    text = "nothing" if found.winner is None else found.winner.text()
    lotka = found.winner is not None and [f.text.count("*") for f in found.winner.formulas.values()] == [1, 1]
    return Judged(seed, f"{found.verdict}: {text}", lotka, np.nan, " ".join(found.sentences[1:]), seconds)
