"""Published problems: the error at the end falls with the tolerance until the roundoff floor or the reference's own accuracy.

The Test Set's measure is scd = -log10(max relative error). Over every two decades of tolerance scd must grow, and the error must
stay within a factor of the tolerance: the condition of the problem.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import hybridode as ho
from hybridode.solve.settings import METHODS
from tests.problems import NONSTIFF, STIFF, problems

TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
# How much larger than its tolerance an error may be: Lorenz's errors grow by 1e4 over the solve, those of Arenstorf's orbit and
# of the Pleiades in close encounters, the ring modulator's over thousands of oscillations, the Oregonator's in its spikes.
GROWTH = {"lorenz": 1e4, "arenstorf": 1e5, "pleiades": 1e5, "ringmod": 1e4, "orego": 1e3, "lotka_volterra": 1e2}
NATIVE = [m for m, method in METHODS.items() if "native" in method.engines and method.order >= 4]
DIFFRAX = [m for m, method in METHODS.items() if "diffrax" in method.engines]


def pairs(methods: list[str], names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Every problem with the methods of its kind."""
    return [(name, m) for name in names for m in methods if METHODS[m].implicit == problems()[name].stiff]


def check(name: str, engine: str, method: str, tolerances: tuple[float, ...] = TOLERANCES) -> None:
    """Every solve succeeds, scd grows, and no error is far from its tolerance."""
    problem, model = problems()[name], ho.parse(problems()[name].text)
    factor, floor = GROWTH.get(name, 30.0), 10 * problem.digits
    errors: list[float] = []
    for rtol in tolerances:
        settings = {"rtol": rtol, "atol": rtol * problem.scale, "max_steps": 20_000_000}
        sol = model.simulate(at=[problem.end], engine=engine, method=method, **settings)
        assert sol.successful and sol.stats["engine"] == engine
        errors.append(problem.error(np.asarray(sol.states)[-1]))
        assert errors[-1] < factor * rtol + floor, f"rtol {rtol:g} gives an error of {errors[-1]:.1e}"
    for coarse, fine in pairwise(errors):
        assert fine < coarse / 3 or fine < floor, f"errors at {tolerances}: {errors}"


@pytest.mark.parametrize(("name", "method"), pairs(NATIVE, (*STIFF, *NONSTIFF)))
def test_native(name: str, method: str) -> None:
    check(name, "native", method)


@pytest.mark.slow
@pytest.mark.parametrize("method", [m for m in NATIVE if METHODS[m].implicit])
def test_native_ring_modulator(method: str) -> None:
    """Up to 10 million steps."""
    check("ringmod", "native", method)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), pairs(DIFFRAX, (*STIFF, *NONSTIFF)))
def test_diffrax(name: str, method: str) -> None:
    """Low orders only to where they need not take minutes."""
    check(name, "diffrax", method, TOLERANCES[:4] if METHODS[method].order >= 5 else TOLERANCES[:2])
