"""Noise models and priors: one row per distribution.

Arguments follow rules F3: normal(mean, sd), lognormal(median, sd of the log), student(df, loc, scale), laplace(loc, b),
poisson(mean), negbinomial(mean, k) with variance mean + mean^2/k, bernoulli(p) or bernoulli(logit), categorical(logits).
Densities are complete, constants included. Fisher information: Lehmann & Casella, Theory of Point Estimation, ch. 2
(location-scale families); Student: Lange, Little, Taylor, JASA 84 (1989) 881, appendix B; negative binomial: Lawless,
Can. J. Stat. 15 (1987) 209.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betaln, gammaln, log_ndtr, xlog1py, xlogy

from hybridode.fit.objective import classes as cs
from hybridode.fit.objective import distributions as ds
from hybridode.fit.objective.quantiles import Lognormal, Normal
from hybridode.types import Array

_HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)
_TINY = np.finfo(float).tiny  # below it 1/x overflows


def _as_it_is(log_probability: Array) -> Array:
    return log_probability


@dataclass(frozen=True)
class Noise:
    """One distribution of observations. Functions take the value(s) first, then the arguments in order; they broadcast.

    log_sides(x, …) is (log P(X <= x), log P(X > x)); x is a whole number where the distribution `counts`. information(…) is the
    Fisher information of the arguments, (…, k, k). `neutral` are arguments at which everything is finite (used in the place of
    impossible ones), `valid` says whether arguments are possible (rules F6), `valid_at_limits` the same where only a limit is
    known (None: the same), `requirement` says it in words. `frozen` gives a distribution with quantiles (`ppf`) outside JAX.
    `original` is the distribution whose limits are `bent` (see `robust`), where that is another one. Of classes, `location` is
    the number of the most probable one.
    """

    name: str
    arguments: tuple[str, ...]
    log_density: Callable[..., Array]
    log_sides: Callable[..., tuple[Array, Array]]
    information: Callable[..., Array]
    location: Callable[..., Any]
    residual: Callable[..., Any]
    valid: Callable[..., Array]
    neutral: tuple[float, ...]
    requirement: str
    frozen: Callable[..., Any]
    counts: bool = False
    most: float = np.inf  # the largest count
    kinked: bool = False  # the density bends at its location
    valid_at_limits: Callable[..., Array] | None = None
    bent: Callable[[Array], Array] = _as_it_is
    original: Noise | None = None
    classes: int = 0  # how many there are, of what is no number

    def interval(self, *arguments: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles that hold `level` of the values in the middle (NumPy)."""
        distribution = self.frozen(*arguments)
        return distribution.ppf((1 - level) / 2), distribution.ppf((1 + level) / 2)


def _diagonal(*entries: Array) -> Array:
    """Diagonal matrices from their entries, (…, k, k)."""
    return jnp.stack(jnp.broadcast_arrays(*entries), axis=-1)[..., None] * jnp.eye(len(entries))


def _finite(*values: Array) -> Array:
    ok = jnp.isfinite(values[0])
    for v in values[1:]:
        ok = ok & jnp.isfinite(v)
    return ok


def _positive(x: Array) -> Array:
    return jnp.where(x > 0, x, 1.0)


def _normal_log_density(x: Array, mean: Array, sd: Array) -> Array:
    return -0.5 * ((x - mean) / sd) ** 2 - jnp.log(sd) - _HALF_LOG_2PI


def _mirrored(log_lower: Callable[[Array], Array], z: Array) -> tuple[Array, Array]:
    """Both sides of z for a distribution that is symmetric about 0, from the lesser one."""
    small = log_lower(jnp.where(z > 0, -z, z))
    large = jnp.log1p(-jnp.exp(small))
    return jnp.where(z > 0, large, small), jnp.where(z > 0, small, large)


def _lognormal_sides(x: Array, median: Array, sd: Array) -> tuple[Array, Array]:
    """A median of exactly 0 has all its mass at 0."""
    inside = (x > 0) & (median >= _TINY)
    z = jnp.log(jnp.where(inside, x, 1.0)) - jnp.log(jnp.where(inside, median, 1.0))
    lower, upper = _mirrored(log_ndtr, z / sd)
    nothing = jnp.zeros_like(lower)
    return (
        jnp.where(inside, lower, jnp.where(x > 0, nothing, -jnp.inf)),
        jnp.where(inside, upper, jnp.where(x > 0, -jnp.inf, nothing)),
    )


def _log_or_never(p: Array) -> Array:
    """log p, -inf at 0, where its slope is 0 and not infinite."""
    return jnp.where(p > 0, jnp.log(_positive(p)), -jnp.inf)


def _log_of_rest(p: Array) -> Array:
    """log(1 - p), likewise."""
    return jnp.where(p < 1, jnp.log1p(-jnp.where(p < 1, p, 0.0)), -jnp.inf)


def _binary_sides(x: Array, log_zero: Array, log_one: Array) -> tuple[Array, Array]:
    return (
        jnp.where(x >= 1, 0.0, jnp.where(x >= 0, log_zero, -jnp.inf)),
        jnp.where(x < 0, 0.0, jnp.where(x < 1, log_one, -jnp.inf)),
    )


def _student_information(df: Array, loc: Array, scale: Array) -> Array:
    trigamma = ds.trigamma(df / 2) - ds.trigamma((df + 1) / 2)
    of_df = 0.25 * (trigamma - 2 * (df + 5) / (df * (df + 1) * (df + 3)))
    of_loc = (df + 1) / ((df + 3) * scale**2)
    of_scale = 2 * df / ((df + 3) * scale**2)
    cross = -2 / (scale * (df + 1) * (df + 3))
    zero = jnp.zeros_like(of_df * of_loc)
    entries = jnp.broadcast_arrays(of_df, zero, cross, zero, of_loc, zero, cross, zero, of_scale)
    stacked = jnp.stack(entries, axis=-1)
    return stacked.reshape((*stacked.shape[:-1], 3, 3))


def _student_sd(df: Any, scale: Any) -> Any:
    """Standard deviation where it exists, else the scale."""
    return scale * np.sqrt(np.where(df > 2, df / np.where(df > 2, df - 2, 1.0), 1.0))


def _scipy() -> Any:
    import scipy.stats  # half a second: only when intervals of other distributions are asked for

    return scipy.stats


NORMAL = Noise(
    "normal", ("mean", "sd"),
    log_density=_normal_log_density,
    log_sides=lambda x, m, s: _mirrored(log_ndtr, (x - m) / s),
    information=lambda m, s: _diagonal(s**-2 + 0 * m, 2 * s**-2),
    location=lambda m, s: m,
    residual=lambda x, m, s: (x - m) / s,
    valid=lambda m, s: _finite(m, s) & (s > 0),
    neutral=(0.0, 1.0),
    requirement="a finite mean and a positive standard deviation",
    frozen=Normal,
)  # fmt: skip

LOGNORMAL = Noise(
    "lognormal", ("median", "sd"),
    log_density=lambda x, m, s: _normal_log_density(jnp.log(x), jnp.log(m), s) - jnp.log(x),
    log_sides=_lognormal_sides,
    information=lambda m, s: _diagonal((m * s) ** -2, 2 * s**-2),
    location=lambda m, s: m,
    residual=lambda x, m, s: np.log(x / m) / s,
    valid=lambda m, s: _finite(m, s) & (m >= _TINY) & (s > 0),
    neutral=(1.0, 1.0),
    requirement="a positive median (0 only where the data say `<`) and a positive log-standard deviation",
    frozen=Lognormal,
    valid_at_limits=lambda m, s: _finite(m, s) & (m >= 0) & (s > 0),
)  # fmt: skip

STUDENT = Noise(
    "student", ("df", "loc", "scale"),
    log_density=lambda x, df, m, s: ds.student_log_density((x - m) / s, df) - jnp.log(s),
    log_sides=lambda x, df, m, s: _mirrored(lambda z: ds.student_log_tail(z, df), (x - m) / s),
    information=_student_information,
    location=lambda df, m, s: m,
    residual=lambda x, df, m, s: (x - m) / _student_sd(df, s),
    valid=lambda df, m, s: _finite(df, m, s) & (df > 0) & (s > 0),
    neutral=(5.0, 0.0, 1.0),
    requirement="positive degrees of freedom and a positive scale",
    frozen=lambda df, m, s: _scipy().t(df, m, s),
)  # fmt: skip

LAPLACE = Noise(
    "laplace", ("loc", "b"),
    log_density=lambda x, m, b: -jnp.abs(x - m) / b - jnp.log(2 * b),
    log_sides=lambda x, m, b: _mirrored(lambda z: z - jnp.log(2.0), (x - m) / b),
    information=lambda m, b: _diagonal(b**-2 + 0 * m, b**-2),
    location=lambda m, b: m,
    residual=lambda x, m, b: (x - m) / (np.sqrt(2) * b),
    valid=lambda m, b: _finite(m, b) & (b > 0),
    neutral=(0.0, 1.0),
    requirement="a finite location and a positive scale",
    frozen=lambda m, b: _scipy().laplace(m, b),
    kinked=True,
)  # fmt: skip

POISSON = Noise(
    "poisson", ("mean",),
    log_density=ds.poisson_log_density,
    log_sides=ds.poisson_log_sides,
    information=lambda m: _diagonal(1 / jnp.where(m > 0, m, jnp.inf)),
    location=lambda m: m,
    residual=lambda x, m: (x - m) / np.sqrt(np.where(m > 0, m, 1.0)),
    valid=lambda m: _finite(m) & (m >= 0),
    neutral=(1.0,),
    requirement="a mean that is not negative (0 only where nothing was counted)",
    frozen=lambda m: _scipy().poisson(m),
    counts=True,
)  # fmt: skip

NEGBINOMIAL = Noise(
    "negbinomial", ("mean", "k"),
    log_density=ds.negbinomial_log_density,
    log_sides=ds.negbinomial_log_sides,
    information=lambda m, k: _diagonal(k / (jnp.where(m > 0, m, jnp.inf) * (k + m)), ds.negbinomial_information_of_k(m, k)),
    location=lambda m, k: m,
    residual=lambda x, m, k: (x - m) / np.sqrt(np.where(m > 0, m + m**2 / k, 1.0)),
    valid=lambda m, k: _finite(m, k) & (m >= 0) & (k > 0),
    neutral=(1.0, 1.0),
    requirement="a mean that is not negative (0 only where nothing was counted) and a positive k",
    frozen=lambda m, k: _scipy().nbinom(k, k / (k + m)),
    counts=True,
)  # fmt: skip

BERNOULLI = Noise(
    "bernoulli", ("p",),
    log_density=lambda x, p: jnp.where(x > 0.5, _log_or_never(p), _log_of_rest(p)),
    log_sides=lambda x, p: _binary_sides(x, _log_of_rest(p), _log_or_never(p)),
    information=lambda p: _diagonal(1 / jnp.where(p * (1 - p) > 0, p * (1 - p), jnp.inf)),
    location=lambda p: p,
    residual=lambda x, p: (x - p) / np.sqrt(np.maximum(p * (1 - p), 1e-300)),
    valid=lambda p: _finite(p) & (p >= 0) & (p <= 1),
    neutral=(0.5,),
    requirement="a probability between 0 and 1 (0 and 1 only where the data agree)",
    frozen=lambda p: _scipy().bernoulli(p),
    counts=True,
    most=1.0,
)  # fmt: skip

BERNOULLI_LOGIT = Noise(
    "bernoulli", ("logit",),
    log_density=lambda x, a: -jnp.where(x > 0.5, jax.nn.softplus(-a), jax.nn.softplus(a)),
    log_sides=lambda x, a: _binary_sides(x, -jax.nn.softplus(a), -jax.nn.softplus(-a)),
    information=lambda a: _diagonal(jax.nn.sigmoid(a) * jax.nn.sigmoid(-a)),
    location=lambda a: 0.5 * (1 + np.tanh(a / 2)),
    residual=lambda x, a: np.where(x > 0.5, np.exp(-a / 2), -np.exp(a / 2)),
    valid=lambda a: _finite(a),
    neutral=(0.0,),
    requirement="a finite logit",
    frozen=lambda a: _scipy().bernoulli(0.5 * (1 + np.tanh(a / 2))),
    counts=True,
    most=1.0,
)  # fmt: skip


@cache
def categorical(count: int) -> Noise:
    """The row of so many classes."""
    return Noise(
        "categorical", tuple(f"logits[{i + 1}]" for i in range(count)),
        log_density=cs.log_density,
        log_sides=cs.log_sides,
        information=cs.information,
        location=cs.most_probable,
        residual=cs.residual,
        valid=_finite,
        neutral=(0.0,) * count,
        requirement="finite logits",
        frozen=lambda *logits: cs.ClassNumbers(logits),
        counts=True,
        most=float(count),
        classes=count,
    )  # fmt: skip


NOISES: dict[tuple[str, tuple[str, ...]], Noise] = {
    (n.name, n.arguments): n for n in (NORMAL, LOGNORMAL, STUDENT, LAPLACE, POISSON, NEGBINOMIAL, BERNOULLI, BERNOULLI_LOGIT)
}


def noise_of(distribution: str, arguments: Sequence[str]) -> Noise:
    """The row of a distribution as `observe` names its arguments (limits of censoring left out)."""
    names = tuple(a for a in arguments if not a.startswith("censored"))
    if distribution == "categorical":
        return categorical(len(names))
    assert (distribution, names) in NOISES, f"no noise model {distribution}({', '.join(names)})"
    return NOISES[distribution, names]


# ---- priors -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class PriorDensity:
    """A density of a natural value. Outside its support the log-density is -inf; no Jacobian is added (rules F4)."""

    name: str
    arguments: tuple[str, ...]
    log_density: Callable[..., Array]
    frozen: Callable[..., Any]


def _supported(inside: Array, value: Array) -> Array:
    return jnp.where(inside, value, -jnp.inf)


def _inner(x: Array) -> Array:
    return jnp.where((x > 0) & (x < 1), x, 0.5)


def _beta(x: Array, a: Array, b: Array) -> Array:
    return _supported((x > 0) & (x < 1), xlogy(a - 1, _inner(x)) + xlog1py(b - 1, -_inner(x)) - betaln(a, b))


def _gamma(x: Array, shape: Array, rate: Array) -> Array:
    value = shape * jnp.log(rate) - gammaln(shape) + xlogy(shape - 1, _positive(x)) - rate * x
    return _supported(x > 0, value)


def _lognormal(x: Array, median: Array, sd: Array) -> Array:
    return _supported(x > 0, LOGNORMAL.log_density(_positive(x), median, sd))


def _halfnormal(x: Array, sd: Array) -> Array:
    return _supported(x >= 0, np.log(2.0) + _normal_log_density(x, jnp.zeros_like(x), sd))


def _exponential(x: Array, rate: Array) -> Array:
    return _supported(x >= 0, jnp.log(rate) - rate * x)


def _uniform(x: Array, lower: Array, upper: Array) -> Array:
    return _supported((x >= lower) & (x <= upper), -jnp.log(upper - lower) + 0 * x)


PRIORS: dict[str, PriorDensity] = {
    p.name: p
    for p in (
        PriorDensity("normal", NORMAL.arguments, NORMAL.log_density, NORMAL.frozen),
        PriorDensity("lognormal", LOGNORMAL.arguments, _lognormal, LOGNORMAL.frozen),
        PriorDensity("student", STUDENT.arguments, STUDENT.log_density, STUDENT.frozen),
        PriorDensity("laplace", LAPLACE.arguments, LAPLACE.log_density, LAPLACE.frozen),
        PriorDensity("uniform", ("lower", "upper"), _uniform, lambda a, b: _scipy().uniform(a, b - a)),
        PriorDensity("beta", ("a", "b"), _beta, lambda a, b: _scipy().beta(a, b)),
        PriorDensity("gamma", ("shape", "rate"), _gamma, lambda a, r: _scipy().gamma(a, scale=1 / r)),
        PriorDensity("halfnormal", ("sd",), _halfnormal, lambda s: _scipy().halfnorm(scale=s)),
        PriorDensity("exponential", ("rate",), _exponential, lambda r: _scipy().expon(scale=1 / r)),
    )
}
