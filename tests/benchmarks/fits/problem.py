"""What a fit of the benchmark is: equations by hand for every contender, simulated data, bounds, and fifty starts.

A vector of parameters p (d,) is the model's parameters in the order of `names`, then a network's weights W0, b0, W1, b1 row
by row. All contenders minimise one number, the sum over all records of (r/s)^2/2 + log s + log(2 pi)/2 (r = record - output).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

STARTS = 50
NEAR = 0.1  # of log-likelihood: a start this near to the best objective known has reached it


@dataclass(frozen=True)
class Network:
    """A network with tanh inside, from inputs (x - shift)/scale to out_scale times its outputs; `sizes` of all layers."""

    sizes: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    out_scale: float

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of W0, b0, W1, b1, …"""
        return [shape for a, b in pairwise(self.sizes) for shape in ((b, a), (b,))]

    def arrays(self, flat: Any) -> list[Any]:
        """W0, b0, … out of the weights (w,) row by row."""
        found, at = [], 0
        for shape in self.shapes:
            size = math.prod(shape)
            found.append(flat[at : at + size].reshape(shape))
            at += size
        return found

    def value(self, xp: Any, x: Any, flat: Any) -> Any:
        """Outputs of inputs x in an arrays' library."""
        z = (xp.asarray(x) - np.array(self.shift)) / np.array(self.scale)
        arrays = self.arrays(flat)
        for w, b in zip(arrays[:-2:2], arrays[1:-2:2], strict=True):
            z = xp.tanh(w @ z + b)
        return self.out_scale * (arrays[-2] @ z + arrays[-1])

    def first(self, rng: np.random.Generator) -> np.ndarray:
        """Weights (w,) as Glorot and Bengio begin (2010), the last layer a tenth of that, zero biases."""
        parts = []
        for k, (a, b) in enumerate(pairwise(self.sizes)):
            size = math.sqrt(6 / (a + b)) * (0.1 if k == len(self.sizes) - 2 else 1.0)
            parts += [rng.uniform(-size, size, a * b), np.zeros(b)]
        return np.concatenate(parts)


@dataclass(frozen=True)
class Parameter:
    """Bounds are searched on a log scale. `truth` is what the data were simulated with."""

    name: str
    truth: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class FitProblem:
    """`equations`: rates of the states as text that hybridode and Antimony read alike (`definitions` come first); `rates(xp,
    t, y, p)` and `outputs(y, p)`: the same by hand for an arrays' library. `observed`: column, its expression, and the
    parameter (or number) that is its standard deviation. `truth`: rates where the data come from another model."""

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    states: tuple[tuple[str, float], ...]
    equations: tuple[str, ...]
    rates: Callable[[Any, Any, Any, Any], Any]
    outputs: Callable[[Any, Any], Sequence[Any]]
    observed: tuple[tuple[str, str, str | float], ...]
    times: np.ndarray
    definitions: tuple[tuple[str, str], ...] = ()
    network: Network | None = None
    truth: Callable[[float, Any], Any] | None = None
    stiff: bool = False
    seed: int = 1
    spread: float = 1.0  # share of the bounds (of their logarithms) that the starts fill
    options: dict[str, Any] = field(default_factory=dict)  # for contenders, by their name

    # ---- numbers ------------------------------------------------------------------------------------------------------
    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @property
    def y0(self) -> np.ndarray:
        return np.array([value for _, value in self.states])

    @property
    def count(self) -> int:
        """Of the model's parameters, without weights."""
        return len(self.parameters)

    @property
    def size(self) -> int:
        return self.count + (sum(map(math.prod, self.network.shapes)) if self.network else 0)

    @cached_property
    def noise_places(self) -> tuple[int | None, ...]:
        """Per observed column where its standard deviation stands in p; None: it is a number."""
        return tuple(None if not isinstance(s, str) else self.names.index(s) for *_, s in self.observed)

    @cached_property
    def scales(self) -> tuple[int, ...]:
        """Where the estimated standard deviations stand in p."""
        return tuple(dict.fromkeys(i for i in self.noise_places if i is not None))

    def noise(self, p: Any) -> list[Any]:
        """Standard deviation of each column."""
        return [s if i is None else p[i] for i, (*_, s) in zip(self.noise_places, self.observed, strict=True)]

    # ---- the scale that is searched -------------------------------------------------------------------------------------
    def to_log(self, p: np.ndarray) -> np.ndarray:
        """Logarithms of the parameters; weights as they are."""
        return np.concatenate([np.log(p[: self.count]), p[self.count :]])

    def from_log(self, z: Any, xp: Any = np) -> Any:
        return xp.concatenate([xp.exp(z[: self.count]), z[self.count :]])

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the vector that is searched."""
        free = np.full(self.size - self.count, np.inf)
        low, high = ([math.log(getattr(p, end)) for p in self.parameters] for end in ("low", "high"))
        return np.concatenate([low, -free]), np.concatenate([high, free])

    # ---- data and starts ------------------------------------------------------------------------------------------------
    @cached_property
    def true_p(self) -> np.ndarray:
        """Parameters behind the data (without weights)."""
        return np.array([p.truth for p in self.parameters])

    @cached_property
    def data(self) -> np.ndarray:
        """(columns, times): simulated by SciPy at tight tolerances, with noise of a fixed seed."""
        clean = self.clean
        sds = np.array(self.noise(self.true_p), float)
        return clean + sds[:, None] * np.random.default_rng(self.seed).normal(size=clean.shape)

    @cached_property
    def clean(self) -> np.ndarray:
        """What is observed without noise (columns, times)."""
        from scipy.integrate import solve_ivp

        p = self.true_p
        rates = self.truth or (lambda t, y: self.rates(np, t, y, p))
        found = solve_ivp(rates, (0.0, self.times[-1]), self.y0, "Radau", self.times, rtol=1e-10, atol=1e-13)
        assert found.success, f"{self.name}: {found.message}"
        return np.array([self.outputs(y, p) for y in found.y.T]).T

    def starts(self, count: int = STARTS) -> list[np.ndarray]:
        """The first `count` of the vectors p (d,) that all contenders begin at: evenly random in the logarithms of the bounds."""
        rng = np.random.default_rng(1000 + self.seed)
        low, high = (end[: self.count] for end in self.bounds)
        middle, half = (low + high) / 2, (high - low) / 2 * 0.98 * self.spread
        found = []
        for _ in range(count):
            z = middle + half * rng.uniform(-1, 1, self.count)
            weights = self.network.first(rng) if self.network else np.zeros(0)
            found.append(np.concatenate([np.exp(z), weights]))
        return found

    # ---- the objective --------------------------------------------------------------------------------------------------
    def objective(self, outputs: Any, p: Any, xp: Any = np) -> Any:
        """Negative log-likelihood of outputs (columns, times) at p."""
        total = 0.0
        for k, s in enumerate(self.noise(p)):
            r = (self.data[k] - outputs[k]) / s
            total = total + 0.5 * xp.sum(r**2) + len(self.times) * (xp.log(s) + 0.5 * math.log(2 * math.pi))
        return total

    @cached_property
    def at_truth(self) -> float:
        """The objective of what the data were simulated with."""
        return float(self.objective(self.clean, self.true_p))
