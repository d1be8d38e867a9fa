"""The verdicts on models made on purpose, on seeds that nothing was made with: ten that are not identifiable, ten that are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import lambertw
from scipy.stats import chi2

from tests.fit.inference.cases import Case
from tests.fit.inference.identifiable import IDENTIFIABLE
from tests.fit.inference.made_on_purpose import CLOSED, FAR, FAST, UNSEEN, accident, judged
from tests.fit.inference.non_identifiable import NON_IDENTIFIABLE

ALL = {case.name: case for case in (*NON_IDENTIFIABLE, *IDENTIFIABLE)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", UNSEEN)
@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_verdict(case: Case, seed: int) -> None:
    said = judged(case, seed)
    wrong = {name for name, (_, _, right) in said.items() if not right}
    assert wrong == {name for name in said if accident(case.name, name, seed)}, said


def test_there_are_ten_of_each() -> None:
    assert len(NON_IDENTIFIABLE) == len(IDENTIFIABLE) == 10 and len(ALL) == 20


def step(t: np.ndarray, k1: float, delay: float) -> np.ndarray:
    """A and C of FAST by hand; `delay` is 1/k2."""
    e, k2 = np.exp(-k1 * t), 1 / max(delay, 1e-9)
    return np.concatenate([2 * e, 2 - 2 * (k2 * e - k1 * np.exp(-np.minimum(k2 * t, 700))) / (k2 - k1)])


def saturating(t: np.ndarray, rate: float, inverse: float) -> np.ndarray:
    """x of FAR by hand (Lambert's W); `rate` is v/K, `inverse` is 1/K."""
    if inverse < 1e-9:
        return np.exp(-rate * t)
    return lambertw(inverse * np.exp(inverse - rate * t)).real / inverse


ORACLES = {FAST: (step, ("A", "C"), (0.4, 0.6), 0.2), FAR: (saturating, ("x",), (0.3, 3.0), 3.0)}


def excludes_infinity(case: Case, seed: int) -> bool:
    """Whether the likelihood ratio of k2 or K = infinity is above the 95 % quantile of chi2: by SciPy alone."""
    curve, columns, bounds, most = ORACLES[case.name]
    data = case.data(seed)
    t, y = data["t"].to_numpy(), np.concatenate([data[name].to_numpy() for name in columns])

    def best(inverse: float) -> float:
        squares = lambda other: np.sum((y - curve(t, other, inverse)) ** 2)  # noqa: E731
        found: Any = minimize_scalar(squares, bounds=bounds, method="bounded", options={"xatol": 1e-7})
        return found.fun

    least: Any = minimize_scalar(best, bounds=(1e-6, most), method="bounded", options={"xatol": 1e-5})
    return len(y) * np.log(best(0.0) / least.fun) > chi2.ppf(0.95, 1)


@pytest.mark.parametrize("name", CLOSED)
def test_which_noise_closes_the_interval_of_what_may_be_infinite(name: str) -> None:
    """Of 600 seeds this happens to FAST in 7.8 %: a mean delay of 1/80 is not nothing."""
    assert {seed for seed in UNSEEN if excludes_infinity(ALL[name], seed)} == CLOSED[name]
