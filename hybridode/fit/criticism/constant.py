"""The constant baseline: every column has one value at all times, with its noise model's own scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax
import numpy as np
from scipy.optimize import minimize

from hybridode.fit.criticism.records import Rows
from hybridode.fit.criticism.scores import Scored, log_densities, scored
from hybridode.fit.objective.noise import Noise

_POSITIVE = ("sd", "median", "df", "scale", "b", "k")  # arguments that are, and of counts the mean
_SIZES = ("sd", "scale", "b")


def constant_arguments(rows: Sequence[Rows]) -> tuple[float, ...] | None:
    """The most likely constant arguments of the noise for records of one column; None where the search finds none."""
    noise = rows[0].noise
    value = np.concatenate([r.value for r in rows])
    begin = np.array([_first(noise, name, value) for name in noise.arguments])
    upper, censored = (np.concatenate([getattr(r, n) for r in rows]) for n in ("upper", "censored"))

    def loss(x: np.ndarray) -> float:
        arguments = [np.full(len(value), a) for a in _natural(noise, x)]
        total = -float(np.sum(log_densities(noise, value, upper, censored, arguments)))
        return total if np.isfinite(total) else 1e300

    with np.errstate(all="ignore"):
        found = minimize(loss, begin, method="Nelder-Mead", options={"maxiter": 400 * len(begin), "xatol": 1e-6, "fatol": 1e-8})
    return tuple(_natural(noise, found.x)) if found.fun < 1e299 else None


def constant_score(fitted: Sequence[Rows], judged: Sequence[Rows]) -> tuple[Scored, int] | None:
    """How `judged` records are predicted by the constants of `fitted` ones, and how many numbers those are; None where there are
    none."""
    constants = constants_of(fitted)
    if constants is None:
        return None
    out = [
        replace(r, arguments=tuple(np.full(len(r.time), a) for a in constants[r.column])) for r in judged if r.column in constants
    ]
    with jax.enable_x64(True):
        return scored(out), sum(map(len, constants.values()))


def constants_of(fitted: Sequence[Rows]) -> dict[int, tuple[float, ...]] | None:
    """The arguments of the noise by column (of those with records); None where a column has none."""
    found: dict[int, tuple[float, ...]] = {}
    with jax.enable_x64(True):
        for k in sorted({r.column for r in fitted if len(r.time)}):
            arguments = constant_arguments([r for r in fitted if r.column == k and len(r.time)])
            if arguments is None:
                return None
            found[k] = arguments
    return found


def _transformed(noise: Noise, name: str) -> str:
    if name in _POSITIVE or (name == "mean" and noise.counts):
        return "log"
    return "logit" if name == "p" else "free"


def _natural(noise: Noise, x: np.ndarray) -> list[float]:
    ways = {"log": lambda v: float(np.exp(np.clip(v, -600, 600))), "logit": lambda v: float(1 / (1 + np.exp(-v))), "free": float}
    return [ways[_transformed(noise, name)](v) for name, v in zip(noise.arguments, x, strict=True)]


def _first(noise: Noise, name: str, value: np.ndarray) -> float:
    """Where the search begins, on its own scale."""
    lognormal = noise.name == "lognormal"
    y = np.log(np.maximum(value, 1e-300)) if lognormal else value
    middle, spread = float(np.mean(y)), float(np.std(y)) or 1e-3
    if name in _SIZES:
        return float(np.log(spread))
    if name == "median":
        return middle
    if name == "mean" and noise.counts:
        return float(np.log(max(middle, 1e-3)))
    if name == "p":
        p = float(np.clip(middle, 0.01, 0.99))
        return float(np.log(p / (1 - p)))
    return {"df": float(np.log(5.0)), "k": 0.0, "logit": 0.0}.get(name, 0.0 if noise.classes else middle)
