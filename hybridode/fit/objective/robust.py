"""Losses that keep outliers from steering a fit: rho(r^2)/2 in the place of r^2/2, r a standardised residual.

    huber(c)    r^2 up to |r| = c, then 2 c |r| - c^2             (P. J. Huber, Ann. Math. Stat. 35 (1964) 73), c = 1.345
    soft_l1(c)  2 c^2 (sqrt(1 + r^2/c^2) - 1)                     (Charbonnier et al., IEEE Trans. Im. Proc. 6 (1997) 298), c = 1
    cauchy(c)   c^2 log(1 + r^2/c^2)                              (Holland & Welsch, Comm. Stat. A6 (1977) 813), c = 2.385

Scales are still estimated: exp(-rho/2) is a density, so neither scale nor location runs away, and its Fisher information stands
in for the normal's. A limit (`<0.5`) that is far from holding counts by rho as well, its r^2 being -2 log P.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.objective.noise import LOGNORMAL, NORMAL, Noise
from hybridode.types import Array


def _huber(s: Any, c: float, xp: Any) -> Any:
    far = s > c**2
    return xp.where(far, 2 * c * xp.sqrt(xp.where(far, s, 1.0)) - c**2, s)


def _soft_l1(s: Any, c: float, xp: Any) -> Any:
    return 2 * s / (xp.sqrt(1 + s / c**2) + 1)


def _cauchy(s: Any, c: float, xp: Any) -> Any:
    return c**2 * xp.log1p(s / c**2)


@dataclass(frozen=True)
class _Rho:
    value: Callable[[Any, float, Any], Any]
    threshold: float


LOSSES: dict[str, _Rho] = {"huber": _Rho(_huber, 1.345), "soft_l1": _Rho(_soft_l1, 1.0), "cauchy": _Rho(_cauchy, 2.385)}
ACTS_ON = {"normal": lambda x, mean, sd: (x - mean) / sd, "lognormal": lambda x, median, sd: jnp.log(x / median) / sd}
_ROWS = (NORMAL, LOGNORMAL)


@dataclass(frozen=True)
class Loss:
    """A row of LOSSES with its threshold, in standard deviations."""

    name: str
    threshold: float

    def __str__(self) -> str:
        return f"{self.name}({self.threshold:g})"

    def rho(self, s: Any, xp: Any = jnp) -> Any:
        """Of r^2; about r^2 for small ones."""
        return LOSSES[self.name].value(s, self.threshold, xp)

    @cached_property
    def information(self) -> tuple[float, float]:
        """Of location and scale, as shares of the normal's: E[psi^2], (E[(r psi)^2] - 1)/2 under the density exp(-rho/2)."""
        u = np.linspace(-16.0, 16.0, 20001)  # r = sinh(u) spreads the tails
        r, h = np.sinh(u), 1e-6
        density = np.exp(-0.5 * self.rho(r**2, np)) * np.cosh(u)
        density /= density.sum()
        slope = (self.rho((abs(r) + h) ** 2, np) - self.rho((abs(r) - h) ** 2, np)) / (4 * h)
        return float(density @ slope**2), float((density @ (slope * r) ** 2 - 1) / 2)


def read_loss(text: str) -> Loss | None:
    """`huber`, `cauchy(3)`; `likelihood` is None. Raises UsageError E0757."""
    name, bracket, rest = text.strip().partition("(")
    name = name.strip()
    if name == "likelihood" and not bracket:
        return None
    row = LOSSES.get(name)
    try:
        threshold = float(rest.removesuffix(")")) if bracket else (row.threshold if row else math.nan)
    except ValueError:
        threshold = math.nan
    if row is None or not 0 < threshold < math.inf or (bracket and not rest.endswith(")")):
        known = ", ".join(f"`{n}`" for n in LOSSES)
        hint = f"the losses are {known} and `likelihood` (what the model says); a threshold in standard deviations: `huber(2)`"
        raise UsageError(Diagnostic("E0757", f"there is no loss `{text}`", hint=hint))
    return Loss(name, threshold)


def check_loss(loss: Loss, rows: dict[str, Noise]) -> str:
    """On which columns a loss acts, in words. Raises UsageError E0758 where it acts on none."""
    acted = [column for column, row in rows.items() if row.name in ACTS_ON]
    if not acted:
        hint = "leave `loss` out, or choose a noise with heavy tails: `student`, `laplace`, `negbinomial`"
        message = f"the loss `{loss}` acts on normal and lognormal noise, and no column has it"
        raise UsageError(Diagnostic("E0758", message, hint=hint))
    others = [f"`{column}` ({row.name})" for column, row in rows.items() if row.name not in ACTS_ON]
    words = f"loss {loss} in place of the likelihood of the standardised residuals of " + ", ".join(f"`{c}`" for c in acted)
    return words + (f"; as the model says: {', '.join(others)}" if others else "")


def robust(noise: Noise, loss: Loss | None) -> Noise:
    """The noise model with the loss in it; others than normal and lognormal stay."""
    if loss is None or noise not in _ROWS:
        return noise
    residual, (of_location, of_scale) = ACTS_ON[noise.name], loss.information
    factors = jnp.array([of_location, of_scale])

    def log_density(x: Array, *arguments: Array) -> Array:
        s = residual(x, *arguments) ** 2
        return noise.log_density(x, *arguments) + 0.5 * (s - loss.rho(s))

    return replace(
        noise, log_density=log_density, original=noise,
        bent=lambda log_probability: -0.5 * loss.rho(-2 * jnp.minimum(log_probability, 0.0)),
        information=lambda *of: noise.information(*of) * jnp.diag(factors),
    )  # fmt: skip
