"""Parameters between natural units (bounds, scales) and one flat unconstrained vector.

    space = parameter_space(declarations.parameters)        # what is fixed is left out
    z = space.unconstrain({"alpha": 0.5, "k": [1, 2]})      # (size,)
    values = space.natural(z)                               # {"alpha": 0.5, "k": array([1., 2.])}, NumPy
    values = space.natural(z, xp=jax.numpy)                 # the same, traced

Every entry has one row of TRANSFORMS. All bounds are open, so every finite z gives a value inside them:

    linear, both ends        x = a + (b - a) sigmoid(z)
    linear, one end          x = a + s softplus(z), x = b - s softplus(-z)
    linear, no end           x = s z                              (s: size of the declared value)
    log, both ends positive  log x = log a + (log b - log a) sigmoid(z)
    log, lower end only > 0  log x = log a + softplus(z)
    log, lower end 0         log x = z, below a soft-plus cap at the upper end if there is one: log b - softplus(log b - z)
    logit                    x = a + (b - a) sigmoid(z)

`model.module()` keeps z as its trainable leaf beside the networks' weights, which are unconstrained already;
`pack` and `unpack` lay both into one vector (parameters first, then per network W0, b0, W1, …).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridode.data.groups import nameable, said
from hybridode.declarations import Declarations, Network, Parameter, entry_names, group_entry, size
from hybridode.errors import Diagnostic, UsageError

_EDGE = 1e-3  # share of the range (of its logarithm for log scales) from which a value counts as being at its bound
_NEAREST = math.log(1e9)  # unconstrained distance of the last value before a bound
CONSTANTS = ("shift", "scale", "out_scale")  # of a network: saved with its weights, never trained


def _softplus(x: Any, xp: Any) -> Any:
    return xp.logaddexp(x, 0.0)


def _inverse_softplus(y: Any) -> Any:
    return y + np.log(-np.expm1(-y))


def _sigmoid(x: Any, xp: Any) -> Any:
    """Accurate towards both ends, where 1/(1 + exp(-x)) would meet them."""
    return xp.exp(-xp.logaddexp(0.0, -x))


def _logit(p: Any, q: Any) -> Any:
    return np.log(p) - np.log(q)


@dataclass(frozen=True)
class Transform:
    """forward(z, a, b, s, xp) -> x, inverse(x, a, b, s) -> z; `lowest`, `highest`: of z at a bound, None where there is none;
    `shifted`: the highest is counted from log b."""

    forward: Callable[..., Any]
    inverse: Callable[..., Any]
    lowest: bool = False
    highest: bool = False
    shifted: bool = False

    def ends(self, e: Entry) -> tuple[float, float]:
        """The range of z."""
        high = _NEAREST + (math.log(e.upper) if self.shifted else 0.0)
        return -_NEAREST if self.lowest else -math.inf, high if self.highest else math.inf


def _between(z: Any, a: Any, b: Any, s: Any, xp: Any) -> Any:
    return xp.where(z < 0, a + (b - a) * _sigmoid(z, xp), b - (b - a) * _sigmoid(-z, xp))


TRANSFORMS: dict[str, Transform] = {
    "free": Transform(lambda z, a, b, s, xp: s * z, lambda x, a, b, s: x / s),
    "between": Transform(_between, lambda x, a, b, s: _logit(x - a, b - x), True, True),
    "above": Transform(lambda z, a, b, s, xp: a + s * _softplus(z, xp), lambda x, a, b, s: _inverse_softplus((x - a) / s), True),
    "below": Transform(
        lambda z, a, b, s, xp: b - s * _softplus(-z, xp), lambda x, a, b, s: -_inverse_softplus((b - x) / s), False, True
    ),
    "log between": Transform(
        lambda z, a, b, s, xp: xp.exp(_between(z, np.log(a), np.log(b), s, xp)),
        lambda x, a, b, s: _logit(np.log(x / a), np.log(b / x)),
        True,
        True,
    ),
    "log above": Transform(
        lambda z, a, b, s, xp: a * xp.exp(_softplus(z, xp)),
        lambda x, a, b, s: _inverse_softplus(np.log(x / a)),
        True,
    ),
    "log": Transform(lambda z, a, b, s, xp: xp.exp(z), lambda x, a, b, s: np.log(x)),
    "log capped": Transform(
        lambda z, a, b, s, xp: b * xp.exp(-_softplus(np.log(b) - z, xp)),
        lambda x, a, b, s: np.log(b) - _inverse_softplus(np.log(b / x)),
        False,
        True,
        True,
    ),
}


def transform_of(lower: float | None, upper: float | None, scale: str) -> str:
    """The row of TRANSFORMS for bounds and a scale."""
    low = lower is not None and math.isfinite(lower)
    high = upper is not None and math.isfinite(upper)
    if scale == "log":
        if low and lower > 0:  # type: ignore[operator]
            return "log between" if high else "log above"
        return "log capped" if high else "log"
    if low and high:
        return "between"
    return "above" if low else "below" if high else "free"


@dataclass(frozen=True)
class Entry:
    """One trainable number. `name` is the user's (`k[2]`, `k[north]`), `parameter` its declaration's name, `place` its flat entry
    there, `group` the label that it belongs to."""

    name: str
    parameter: str
    place: int
    transform: str
    lower: float
    upper: float
    size: float
    declared: float
    log: bool
    group: str = ""
    entry: str = ""  # without the group: its name in the parameter vector

    @property
    def owner(self) -> str:
        """The parameter, or its value by group."""
        return group_entry(self.parameter, self.group) if self.group else self.parameter


@dataclass(frozen=True)
class ParameterSpace:
    """All trainable numbers in a fixed order, and what is needed to go to and fro."""

    entries: tuple[Entry, ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]  # of every parameter with a trainable entry
    declared: tuple[tuple[str, tuple[float, ...]], ...]

    @property
    def size(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(e.name for e in self.entries)

    def vector(self, z: Any, xp: Any = np) -> Any:
        """Natural values (size,) of an unconstrained vector (size,)."""
        z = xp.asarray(z)
        parts, order = [], []
        for kind in dict.fromkeys(e.transform for e in self.entries):
            places = np.array([i for i, e in enumerate(self.entries) if e.transform == kind])
            a, b, s = (np.array([getattr(self.entries[i], f) for i in places]) for f in ("lower", "upper", "size"))
            parts.append(TRANSFORMS[kind].forward(z[places], a, b, s, xp))
            order.append(places)
        if not parts:
            return xp.zeros((0,), z.dtype)
        return xp.concatenate(parts)[np.argsort(np.concatenate(order))].astype(z.dtype)

    def natural(self, z: Any, xp: Any = np) -> dict[str, Any]:
        """Natural values by parameter: a 0-d array for a scalar, else an array of its shape (entries that are not trained
        keep their declared values)."""
        x = self.vector(z, xp)
        out = {}
        for (name, shape), (_, declared) in zip(self.shapes, self.declared, strict=True):
            mine = [(i, e.place) for i, e in enumerate(self.entries) if e.owner == name]
            whole = xp.asarray(np.array(declared, float), dtype=x.dtype)
            index, places = np.array([i for i, _ in mine]), np.array([p for _, p in mine])
            if len(mine) == len(declared):
                whole = x[index[np.argsort(places)]]
            elif xp is np:
                whole[places] = x[index]
            else:
                whole = whole.at[places].set(x[index])
            out[name] = whole.reshape(shape)
        return out

    def unconstrain(self, values: Mapping[str, Any] | None = None) -> np.ndarray:
        """Unconstrained vector (size,) of natural values by parameter or entry name; missing ones are at their declared values.

        Raises UsageError E0851 for a value on or outside a bound.
        """
        values = values or {}
        x = np.array([self._value(e, values) for e in self.entries], float)
        for e, v in zip(self.entries, x, strict=True):
            if not (e.lower < v < e.upper):
                bounds = f"{_bound(e.lower)} and {_bound(e.upper)}"
                raise UsageError(Diagnostic("E0851", f"{e.name} = {v:g} is not between its bounds {bounds}",
                                            hint="bounds are open: give a value inside them"))  # fmt: skip
        return self.unconstrain_vector(x)

    def unconstrain_vector(self, x: np.ndarray) -> np.ndarray:
        """Unconstrained (size,) of natural values (size,) that lie inside the bounds."""
        z = [TRANSFORMS[e.transform].inverse(v, e.lower, e.upper, e.size) for e, v in zip(self.entries, x, strict=True)]
        return np.array(z, float)

    def _value(self, e: Entry, values: Mapping[str, Any]) -> float:
        found = said(values, e.parameter, e.entry, e.place, e.group)
        return e.declared if found is None else found

    def typical(self, z: np.ndarray) -> dict[str, float]:
        """Per entry with values by group the one in their middle (the mean on the unconstrained scale), natural."""
        found: dict[str, list[int]] = {}
        for i, e in enumerate(self.entries):
            if e.group:
                found.setdefault(e.entry, []).append(i)
        out = {}
        for name, places in found.items():
            e, middle = self.entries[places[0]], float(np.mean(np.asarray(z)[places]))
            out[name] = float(TRANSFORMS[e.transform].forward(middle, e.lower, e.upper, e.size, np))
        return out

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest unconstrained numbers (size,) that a search may try: at a billionth of the range from its ends, so
        that rounding never carries a value onto a bound. Infinite where there is no bound."""
        ends = [TRANSFORMS[e.transform].ends(e) for e in self.entries]
        return np.array([low for low, _ in ends], float), np.array([high for _, high in ends], float)

    def at_bound(self, x: np.ndarray) -> list[str]:
        """Per entry "lower", "upper" or "": whether a natural value lies within a thousandth of its range of a bound."""
        return [_at_bound(e, float(v)) for e, v in zip(self.entries, x, strict=True)]


def _bound(value: float) -> str:
    return "-inf" if value == -math.inf else f"{value:g}"


def _at_bound(e: Entry, value: float) -> str:
    low, high = e.lower, e.upper
    if e.log and low == 0:  # the lower end is infinitely far; the upper one is the soft cap
        return "upper" if value > high * (1 - _EDGE) else ""
    if e.log:
        value, low, high = math.log(max(value, 5e-324)), math.log(low), math.log(high) if math.isfinite(high) else high
    reach = _EDGE * (high - low if math.isfinite(high - low) else e.size)
    return "lower" if value - low < reach else "upper" if high - value < reach else ""


def parameter_space(
    parameters: Sequence[Parameter],
    fixed: Collection[str] = (),
    given: Collection[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
) -> ParameterSpace:
    """The trainable numbers of parameters: neither declared `fixed`, nor in `fixed` (names of parameters, entries or groups), nor
    `given` by data (names of entries). `groups` has the labels of the columns after `by`; without it one value stands for all."""
    entries, shapes, declared = [], [], []
    for p in parameters:
        for group in (groups or {}).get(p.by, ("",)) if p.by else ("",):
            owner = group_entry(p.name, group) if group else p.name
            values = p.values_of(group)
            kept = 0
            for place, entry in enumerate(entry_names(p.name, p.shape)):
                name = group_entry(entry, group) if group else entry
                if p.fixed or not {p.name, owner, entry, name}.isdisjoint(fixed) or entry in given or name in given:
                    continue
                kept += 1
                entries.append(_entry(p, name, entry, place, group, values[place]))
            if kept:
                shapes.append((owner, p.shape))
                declared.append((owner, values))
    return ParameterSpace(tuple(entries), tuple(shapes), tuple(declared))


def _entry(p: Parameter, name: str, entry: str, place: int, group: str, value: float) -> Entry:
    lower = -math.inf if p.lower is None else p.lower
    if p.scale == "log":
        lower = max(lower, 0.0)
    upper = math.inf if p.upper is None else p.upper
    usual = p.values[place]  # the size is one for all groups
    offset = usual - lower if math.isfinite(lower) else upper - usual if math.isfinite(upper) else abs(usual)
    kind = transform_of(p.lower, p.upper, p.scale)
    return Entry(name, p.name, place, kind, lower, upper, offset or 1.0, value, p.scale == "log", group, entry)


# ---- networks in the same vector ------------------------------------------------------------------------------------------
def weight_names(network: Network) -> tuple[str, ...]:
    """Names of the arrays that a network may have, in order: W0, b0, W1, b1, … (an odd network has no last bias)."""
    return tuple(f"{kind}{i}" for i in range(len(network.hidden) + 1) for kind in ("W", "b"))


def trainable_weights(networks: Sequence[Network], weights: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(network, array) of all arrays that a fit moves, in the order of the flat vector."""
    return [(n.name, w) for n in networks if not n.freeze for w in weight_names(n) if w in weights[n.name]]


def pack(z: Any, networks: Sequence[Network], weights: Mapping[str, Mapping[str, Any]], xp: Any = np) -> Any:
    """One vector: unconstrained parameters, then all trainable weights."""
    return xp.concatenate(
        [xp.ravel(xp.asarray(z)), *(xp.ravel(xp.asarray(weights[n][w])) for n, w in trainable_weights(networks, weights))]
    )


def unpack(
    theta: Any, k: int, networks: Sequence[Network], weights: Mapping[str, Mapping[str, Any]]
) -> tuple[Any, dict[str, dict[str, Any]]]:
    """The inverse of `pack`: the first k numbers, and the weights with everything that is not trained as in `weights`."""
    out = {name: dict(arrays) for name, arrays in weights.items()}
    at = k
    for network, array in trainable_weights(networks, weights):
        shape = np.shape(weights[network][array])
        n = size(shape)
        out[network][array] = theta[at : at + n].reshape(shape)
        at += n
    return theta[:k], out


def check_names(
    declarations: Declarations, names: Collection[str], option: str, groups: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Raises UsageError E0850 for names that are neither params, consts, learnt starts nor entries or groups of them."""
    known = nameable(declarations, groups or {})
    for name in names:
        if name not in known:
            what = "start that is learnt" if name.endswith("(0)") else "parameter"
            raise UsageError(
                Diagnostic("E0850", f"{option}: the model has no {what} `{name}`", hint=_hint(declarations, name, known))
            )


def _hint(declarations: Declarations, name: str, known: Collection[str]) -> str:
    """What may have been meant by a name that is not known."""
    parts = [part.strip() for part in name.split(",")]
    state = next((s for s in declarations.states if name == f"{s.name}(0)"), None)
    if state is not None:
        return (
            f"the model says where `{state.name}` begins: change it there, or write `{state.name} = … in (…, …)` to have it "
            f"learnt; a column `{name}` of the data sets it for each series"
        )
    if len(parts) > 1 and all(part in known for part in parts):
        return "name one at a time: " + " ".join(f"`--fix {part}`" for part in parts)
    near = difflib.get_close_matches(name, sorted(known), 2)
    if near:
        return "did you mean " + " or ".join(f"`{n}`" for n in near) + "?"
    return "params, consts and learnt starts can be named: " + ", ".join(f"`{n}`" for n in sorted(known)[:12])
