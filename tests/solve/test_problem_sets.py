"""Published problems: the error at the end falls with the tolerance until the roundoff floor or the reference's own accuracy.

The Test Set's measure is scd = -log10(max relative error). Over every two decades of tolerance scd must grow, and the error must
stay within a factor of the tolerance: the condition of the problem, large for chaotic systems and close encounters.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import hybridode as ho
from hybridode.solve.settings import METHODS
from tests.problems import NONSTIFF, STIFF, problems

TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)
QUICK = ("pollu", "lotka_volterra")  # these are run always, for one method each
# Lorenz's errors grow by 1e4 over the solve, Arenstorf's and the Pleiades' by 1e5: close encounters.
GROWTH = {"lorenz": 1e4, "arenstorf": 3e5, "pleiades": 1e5, "ringmod": 1e5, "orego": 1e4}


def errors(name: str, engine: str, method: str, tolerances=TOLERANCES) -> list[float]:
    """The error at each tolerance; every solve must succeed."""
    problem, found = problems()[name], []
    model = ho.parse(problem.text)
    for rtol in tolerances:
        settings = {"rtol": rtol, "atol": rtol * problem.scale, "max_steps": 5_000_000}
        sol = model.simulate(at=[problem.end], engine=engine, method=method, **settings)
        assert sol.stats["engine"] == engine and sol.successful
        found.append(problem.error(np.asarray(sol.states)[-1]))
    return found


def check(name: str, found: list[float], tolerances=TOLERANCES) -> None:
    problem = problems()[name]
    scale, floor = GROWTH.get(name, 1e3), 30 * problem.digits
    scd = [-math.log10(max(e, 1e-16)) for e in found]
    for before, after, error in zip(scd, scd[1:], found[1:], strict=False):
        assert after > before + 0.5 or error < floor * scale, f"{name}: scd {scd} does not grow with the tolerance"
    for rtol, error in zip(tolerances, found, strict=True):
        assert error < scale * rtol + floor, f"{name}: error {error:.1e} at rtol {rtol:g}"


NATIVE = [m for m, method in METHODS.items() if "native" in method.engines]
HIGH = [m for m in NATIVE if METHODS[m].order >= 4]  # low orders take millions of steps at 1e-10


@pytest.mark.parametrize(("name", "method"), [("pollu", "rodas5p"), ("pollu", "rodas4"), ("lotka_volterra", "tsit5")])
def test_native_quick(name: str, method: str) -> None:
    check(name, errors(name, "native", method))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*STIFF, *NONSTIFF, "ringmod"])
@pytest.mark.parametrize("method", HIGH)
def test_native(name: str, method: str) -> None:
    if METHODS[method].implicit != problems()[name].stiff:
        pytest.skip("a method of the other kind")
    tolerances = TOLERANCES if name != "ringmod" else (1e-4, 1e-6, 1e-8)  # its reference has 6 digits
    check(name, errors(name, "native", method, tolerances), tolerances)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*STIFF, *NONSTIFF])
@pytest.mark.parametrize("method", [m for m, method in METHODS.items() if "diffrax" in method.engines])
def test_diffrax(name: str, method: str) -> None:
    if METHODS[method].implicit != problems()[name].stiff:
        pytest.skip("a method of the other kind")
    tolerances = TOLERANCES if METHODS[method].order >= 5 else TOLERANCES[:2]  # low orders take too long at fine tolerances
    check(name, errors(name, "diffrax", method, tolerances), tolerances)
