"""Discovery judged on made data of which the truth is known: python -m tests.discover.judge NAME [FIRST LAST] (minutes).

NAME: a row of JUDGES. A row is printed for each seed of the data; docs/discovery.md keeps tables.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

import hybridode.api as ho
from hybridode.discover.discovery import Discovery
from tests.discover import judged_examples, judged_nothing
from tests.discover.judging import EXAMPLES, Judged, discovered, numbers_of


# ---- scenario 1 of the paper on universal differential equations --------------------------------------------------------------
def ude(seed: int, noise: float = 0.005) -> Judged:
    made = runpy.run_path(str(EXAMPLES / "lotka_volterra_ude" / "make_data.py"))
    exact = made["truth"]()
    scatter = np.random.default_rng(seed).normal(size=exact.shape) * noise * exact.mean(axis=1, keepdims=True)
    rows = [f"{t:.1f},{x:.6f},{y:.6f}" for t, x, y in zip(made["TIMES"], *(exact + scatter), strict=True)]
    found, seconds = discovered(EXAMPLES / "lotka_volterra_ude" / "lotka_volterra_ude.ode", "\n".join(["t,x,y", *rows]) + "\n")
    text = "nothing" if found.winner is None else found.winner.text()
    if found.fit is None:
        return Judged(seed, f"{found.verdict} ({text})", False, np.nan, "", seconds)
    values = numbers_of(found)
    right = [f.text for f in found.winner.formulas.values()] == ["kx_xy*x*y", "ky_xy*x*y"] if found.winner else False
    error = max(abs(values["kx_xy"] / -0.9 - 1), abs(values["ky_xy"] / 0.8 - 1)) if right else np.nan
    return Judged(seed, text, right, error, f"to t = 50: {100 * extrapolation(found):.1f} %", seconds)


def extrapolation(found: Discovery) -> float:
    """The largest root mean square error of both over 0 to 50, as a share of the amplitude of the truth."""
    assert found.fit is not None
    sol = ho.Run(ho.Model(found.fit.declarations), found.fit).model.simulate(to=50, points=1001, check=False)
    rates = lambda _, u: [1.3 * u[0] - 0.9 * u[0] * u[1], 0.8 * u[0] * u[1] - 1.8 * u[1]]  # noqa: E731
    truth = solve_ivp(rates, (0, 50), (0.44249296, 4.6280594), "DOP853", sol.t, rtol=1e-10, atol=1e-12).y
    errors = [np.sqrt(np.mean((np.asarray(sol[n]) - y) ** 2)) / np.ptp(y) for n, y in zip("xy", truth, strict=True)]
    return float(max(errors))


# ---- a gene that switches itself on -------------------------------------------------------------------------------------------
def hill(seed: int) -> Judged:
    made = runpy.run_path(str(EXAMPLES / "hill_gene" / "make_data.py"))
    found, seconds = discovered(EXAMPLES / "hill_gene" / "hill_gene_hybrid.ode", made["text"](seed))
    text = "nothing" if found.winner is None else found.winner.text()
    if found.fit is None or found.winner is None:
        return Judged(seed, f"{found.verdict} ({text})", False, np.nan, "", seconds)
    right = found.winner.kind == "Hill's law"
    values = list(numbers_of(found).values())
    error = max(abs(v / truth - 1) for v, truth in zip(values, made["TRUTH"].values(), strict=True)) if right else np.nan
    return Judged(seed, text, right, error, "", seconds)


# ---- friction in the joints of a double pendulum ------------------------------------------------------------------------------
def friction(seed: int) -> Judged:
    made = runpy.run_path(str(EXAMPLES / "double_pendulum" / "make_data.py"))
    found, seconds = discovered(EXAMPLES / "double_pendulum" / "double_pendulum.ode", made["text"](seed))
    text = "nothing" if found.winner is None else found.winner.text()
    if found.fit is None or found.winner is None:
        return Judged(seed, f"{found.verdict} ({text})", False, np.nan, "", seconds)
    (formula,) = found.winner.formulas.values()
    points = next(iter(found.samples.values())).points
    truth = made["friction"](points[:, 0])
    curve = formula.curve(points, numbers_of(found))
    off = float(np.max(np.abs(curve - truth)) / np.max(np.abs(truth)))
    right = formula.kind == "viscous and Coulomb friction"
    known = (0.02, 0.1, 1.0)
    error = max(abs(v / t - 1) for v, t in zip(numbers_of(found).values(), known, strict=True)) if right else np.nan
    return Judged(seed, text, right, error, f"curve off by {100 * off:.2f} %", seconds)


JUDGES: dict[str, Callable[[int], Judged]] = {
    "ude": ude,
    "ude-noisy": lambda seed: ude(seed, 0.025),
    "hill": hill,
    "friction": friction,
    "elimination": judged_examples.elimination,
    "growth": judged_examples.growth,
    "pelts": judged_examples.pelts,
    "strange": judged_nothing.strange,
    "nothing": judged_nothing.nothing,
}


def judged(name: str, seeds: range) -> Iterator[Judged]:
    """One row for each seed."""
    for seed in seeds:
        yield JUDGES[name](seed)


def main(arguments: list[str]) -> None:
    name = arguments[0]
    first, last = (int(a) for a in arguments[1:3]) if len(arguments) > 2 else (1, 10)
    print("| seed | discovered | exact | error of numbers | | processor time, s |\n|---|---|---|---|---|---|", flush=True)
    rows: list[Any] = []
    for row in judged(name, range(first, last + 1)):
        rows.append(row)
        print(row.row(), flush=True)
    print(f"\n{name}: form exact in {sum(r.exact for r in rows)} of {len(rows)}")


if __name__ == "__main__":
    main(sys.argv[1:])
