"""What the physics knows of a solution: `S + I + R` equals 763, `x` is at least 0; softly, with a standard deviation.

A constraint is observed like a column of data that always reads "no deviation". Its expression is read by the grammar of models,
in the scope of the model, and joins the observables; its records lie at the times of the data and on a grid. So it has its part
in value, gradient and Fisher matrix without code of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from hybridode.declarations import Declarations, Observation, entry_names
from hybridode.errors import Diagnostic, Source, UsageError
from hybridode.expr import Expr, const, node
from hybridode.fit.objective.bounds import range_of
from hybridode.fit.objective.noise import Noise
from hybridode.language.queries import elaborate_expression
from hybridode.types import Array

KINDS = ("equals", "at_least", "at_most")
_ARGUMENT = "deviation"


@dataclass(frozen=True)
class Constraint:
    """`text` `kind` `target`, up to `sd`. `index` tells the two sides of one range apart."""

    text: str
    kind: str
    target: float
    sd: float
    index: int = 0

    def __str__(self) -> str:
        words = {"equals": "=", "at_least": ">=", "at_most": "<="}[self.kind]
        return f"{self.text} {words} {self.target:g}, up to {self.sd:g}"

    @property
    def column(self) -> str:
        """The name of its hidden observation: no column of data can have it."""
        return f"constraint {self.index + 1}: {self.text}"

    @property
    def row(self) -> Noise:
        """The noise model of its hidden observation."""
        return EQUALS if self.kind == "equals" else AT_LEAST


def _row(name: str, log_density: Any, information: Any) -> Noise:
    """A penalty dressed as a noise model: no constants, nothing censored."""
    never = lambda v, d: (jnp.zeros_like(d), jnp.zeros_like(d))  # noqa: E731
    return Noise(
        name, (_ARGUMENT,), log_density, never, information,
        location=lambda d: d, residual=lambda x, d: d, valid=jnp.isfinite, neutral=(0.0,), requirement="a finite value",
        frozen=lambda d: None,
    )  # fmt: skip


def _of_shape(d: Array) -> Array:
    return d[..., None, None]


EQUALS = _row("equals", lambda x, d: -0.5 * d**2, lambda d: _of_shape(jnp.ones_like(d)))
AT_LEAST = _row(
    "at_least", lambda x, d: -0.5 * jnp.minimum(d, 0.0) ** 2, lambda d: _of_shape(jnp.where(d < 0, 1.0, 0.0) + jnp.zeros_like(d))
)


# ---- reading ------------------------------------------------------------------------------------------------------------
def read_constraints(
    declarations: Declarations, given: Mapping[str, Mapping[str, float]]
) -> tuple[tuple[Constraint, ...], tuple[Expr, ...]]:
    """The constraints of a fit and, for each, its expression in the names of the model.

    given: expression -> {"equals" or "at_least" and/or "at_most": number, "sd": number}. Raises UsageError for what is no
    expression of the model, E0755 for a wrong target or sd, E0756 for what the bounds of the parameters exclude.
    """
    found: list[Constraint] = []
    expressions: list[Expr] = []
    for text, says in given.items():
        _check(text, says)
        elements, shape = elaborate_expression(declarations, Source("constraint", text))
        for name, element in zip(entry_names(text, shape), elements, strict=True):
            for kind in (k for k in KINDS if k in says):
                one = Constraint(name, kind, float(says[kind]), float(says["sd"]), len(found))
                _check_bounds(declarations, one, element)
                found.append(one)
                expressions.append(element)
    return tuple(found), tuple(expressions)


def _check(text: str, says: Mapping[str, Any]) -> None:
    hint = f'write `"{text}" = {{ equals = 1, sd = 0.1 }}`, or `at_least`, `at_most`'
    problem = ""
    if not isinstance(says, Mapping):
        problem = "needs a target and a standard deviation"
    elif unknown := [key for key in says if key not in (*KINDS, "sd")]:
        problem = f"has no `{unknown[0]}`"
    elif not any(kind in says for kind in KINDS):
        problem = "says neither `equals` nor `at_least` nor `at_most`"
    elif "equals" in says and len(says) > 2:
        problem = "says `equals` and a limit"
    elif "sd" not in says:
        problem = "has no standard deviation: how far off may it be?"
    elif not all(isinstance(v, int | float) and math.isfinite(v) for v in says.values()) or not says["sd"] > 0:
        problem = "is made of finite numbers, its `sd` above 0"
    elif says.get("at_least", -math.inf) > says.get("at_most", math.inf):
        problem = f"cannot hold: at least {says['at_least']:g} and at most {says['at_most']:g}"
    if problem:
        raise UsageError(Diagnostic("E0755", f"the constraint on `{text}` {problem}", hint=hint))


def _check_bounds(declarations: Declarations, one: Constraint, e: Expr) -> None:
    low, high = range_of(e, declarations)
    low_wanted = -math.inf if one.kind == "at_most" else one.target
    high_wanted = math.inf if one.kind == "at_least" else one.target
    if high < low_wanted or low > high_wanted:
        words = {"equals": "equal to", "at_least": "at least", "at_most": "at most"}[one.kind]
        raise UsageError(
            Diagnostic(
                "E0756", f"the constraint that `{one.text}` is {words} {one.target:g} contradicts the bounds of the parameters: "
                f"it lies between {low:g} and {high:g}", None, "change the constraint, or the bounds in the model",
            )
        )  # fmt: skip


def with_constraints(declarations: Declarations, constraints: Sequence[Constraint], expressions: Sequence[Expr]) -> Declarations:
    """The model that observes its constraints too, behind its own observations: each its deviation in units of `sd`."""
    hidden = []
    for c, e in zip(constraints, expressions, strict=True):
        away = node("add", (e, const(-c.target))) if c.kind != "at_most" else node("add", (const(c.target), node("neg", (e,))))
        hidden.append(Observation(c.column, c.row.name, ((_ARGUMENT, node("div", (away, const(c.sd)))),)))
    return replace(declarations, observations=(*declarations.observations, *hidden))


# ---- how well they hold ---------------------------------------------------------------------------------------------------
def constraint_entries(
    constraints: Sequence[Constraint], observed: np.ndarray, places: Sequence[int], ts: np.ndarray
) -> list[dict[str, Any]]:
    """For result.json: how far each constraint is off, from deviations `observed` (S, T, q) at times ts (S, T)."""
    out = []
    for c, place in zip(constraints, places, strict=True):
        deviation = observed[:, :, place] * c.sd
        off = np.abs(deviation) if c.kind == "equals" else np.maximum(-deviation, 0.0)
        worst = np.unravel_index(int(np.argmax(np.where(np.isfinite(off), off, -1.0))), off.shape)
        largest = float(off[worst])
        entry: dict[str, Any] = {"expression": c.text, "kind": c.kind, "target": c.target, "sd": c.sd}
        if np.isfinite(largest):
            entry |= {"largest": largest, "at_time": float(ts[worst]), "rms": float(np.sqrt(np.nanmean(off**2))),
                      "holds": largest <= 2 * c.sd}  # fmt: skip
        else:
            nothing = dict.fromkeys(("largest", "at_time", "rms", "holds"))
            entry |= nothing | {f"{k}_reason": "the model could not be solved" for k in nothing}
        out.append(entry)
    return out
