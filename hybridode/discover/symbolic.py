"""Symbolic regression by PySR (M. Cranmer, arXiv:2305.01582), where it is installed: formulas of any shape for one slot.

PySR is asked for its front of accuracy against complexity; what it found is read from SymPy's form, every number in it becomes a
parameter of the model, and the whole model decides.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from hybridode.declarations import Declarations
from hybridode.discover.formula import Formula, Number
from hybridode.discover.ranking import form_structure
from hybridode.discover.regression import weights_of
from hybridode.discover.samples import Samples
from hybridode.discover.slots import Slot
from hybridode.discover.units import Unit, read_unit, times
from hybridode.discover.written import free_names
from hybridode.errors import Diagnostic, UsageError

_BEST = 4  # of the front that are refitted
_BINARY, _UNARY = ("+", "-", "*", "/", "^"), ("exp", "log", "tanh", "sin", "cos")
_KNOWN = {"exp": "exp", "log": "log", "tanh": "tanh", "sin": "sin", "cos": "cos", "Abs": "abs", "sqrt": "sqrt"}


def check_pysr() -> None:
    """Raises UsageError E0798 where PySR is not installed, or does not start: it fetches Julia when it is first imported."""
    if importlib.util.find_spec("pysr") is None:
        hint = '`pip install "hybridode[symbolic]"` (it fetches Julia when it is first used), or leave `--symbolic` away'
        raise UsageError(Diagnostic("E0798", "symbolic regression needs PySR, which is not installed", hint=hint))
    try:
        importlib.import_module("pysr")
    except Exception as error:  # whatever fetching or starting Julia ends with
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        hint = "Julia is fetched when PySR is first used: try again where there is a network, or leave `--symbolic` away"
        raise UsageError(Diagnostic("E0798", f"PySR is installed, but does not start: {reason}", hint=hint)) from error


def symbolic_formulas(d: Declarations, slot: Slot, samples: Samples, terms: int, seed: int) -> list[Formula]:
    """The best formulas of PySR's front for the samples of a slot."""
    from pysr import PySRRegressor  # pyright: ignore[reportMissingImports]

    search: Any = PySRRegressor(
        binary_operators=list(_BINARY), unary_operators=list(_UNARY), niterations=40, maxsize=20, random_state=seed,
        deterministic=True, parallelism="serial", progress=False, verbosity=0, temp_equation_file=True,
    )  # fmt: skip
    letters = [f"z{i}" for i in range(slot.inputs)]
    weights = weights_of(samples, slot.output) ** 2
    search.fit(samples.points, samples.values[:, slot.output], weights=weights, variable_names=letters)
    front = search.equations_.sort_values("score", ascending=False).head(_BEST)
    return [f for f in (from_sympy(d, slot, e, len(search.equations_), terms) for e in front["sympy_format"]) if f is not None]


def from_sympy(d: Declarations, slot: Slot, expression: Any, front: int, terms: int) -> Formula | None:
    """A formula from SymPy's expression over z0, z1, …: every floating-point number becomes a parameter. None for operations that
    the language does not have, and where units do not fit."""
    import sympy

    expression = _with_whole_powers(expression)
    nodes: list[Any] = list(dict.fromkeys(sympy.postorder_traversal(expression)))
    found: dict[Any, str] = {}
    values: list[float] = []
    columns: dict[Any, str] = {sympy.Symbol(f"z{i}"): a for i, a in enumerate(slot.arguments)}
    suffix = f"_{slot.label}" if slot.label else ""
    for e in nodes:
        if e.is_Float:
            values.append(float(e))
            found[e] = f"{{k{len(values)}}}"
        elif e.is_Integer or e.is_Rational:
            found[e] = f"({e.p}/{e.q})" if e.q != 1 else str(e.p) if e.p >= 0 else f"({e.p})"
        elif e.is_Symbol:
            if e not in columns:
                return None
            found[e] = columns[e]
        else:
            text = _operation(e, [found[a] for a in e.args])
            if text is None:
                return None
            found[e] = text
    if not consistent(slot, expression):
        return None
    names = list(free_names(d, [f"k{i + 1}{suffix}" for i in range(len(values))], slot.short).values())
    text = found[expression].format(**{f"k{i + 1}": n for i, n in enumerate(names)})
    numbers = tuple(Number(n, v) for n, v in zip(names, values, strict=True))
    return Formula(
        text, numbers, "symbolic regression", form_structure(front, max(len(values), 1), terms), _curve(expression, names)
    )


def _with_whole_powers(expression: Any) -> Any:
    """`x^2.0` as `x^2`: PySR writes all numbers with a point, and a whole power is no number to be learnt."""
    import sympy

    whole = lambda e: e.is_Pow and e.exp.is_Float and float(e.exp).is_integer()  # noqa: E731
    return expression.replace(whole, lambda e: sympy.Pow(e.base, int(e.exp)))


def consistent(slot: Slot, expression: Any) -> bool:
    """Whether the units of the arguments can be right: no sum of different ones, no exponential, logarithm, sine or power of what
    has one. A number may have any unit that makes it right, so that what it stands with is not refused."""
    import sympy

    own = {sympy.Symbol(f"z{i}"): read_unit(u) for i, u in enumerate(slot.units or ("",) * slot.inputs)}
    done: dict[Any, Unit | None] = {}  # None: any unit, or one that is not known
    nodes: list[Any] = list(dict.fromkeys(sympy.postorder_traversal(expression)))
    for e in nodes:
        args = [done[a] for a in e.args]
        known = [a for a in args if a is not None]
        if e.is_Symbol:
            done[e] = own[e]
        elif e.is_Number:
            done[e] = {} if e.is_Rational else None
        elif e.is_Add:
            if any(a != known[0] for a in known):
                return False
            done[e] = known[0] if known else None
        elif e.is_Mul:
            done[e] = reduce(times, args) if len(known) == len(args) else None
        elif e.is_Pow and e.args[1].is_Rational:
            done[e] = times({}, args[0], Fraction(int(e.args[1].p), int(e.args[1].q)))
        else:
            if any(known) and type(e).__name__ != "Abs":
                return False
            done[e] = args[0] if type(e).__name__ == "Abs" else {}
    wanted, found = read_unit(slot.unit), done[expression]
    return wanted is None or found is None or wanted == found


def _operation(e: Any, args: list[str]) -> str | None:
    if e.is_Add:
        return f"({' + '.join(args)})"
    if e.is_Mul:
        return f"({'*'.join(args)})"
    if e.is_Pow:
        return f"({args[0]})^({args[1]})"
    name = _KNOWN.get(type(e).__name__)
    return None if name is None else f"{name}({', '.join(args)})"


def _curve(expression: Any, names: list[str]) -> Any:
    """The same in NumPy, evaluated node by node."""
    import sympy

    nodes: list[Any] = list(dict.fromkeys(sympy.postorder_traversal(expression)))
    operations: dict[str, Any] = {"Add": lambda a: np.sum(a, axis=0), "Mul": lambda a: np.prod(a, axis=0)}
    operations["Pow"] = lambda a: a[0] ** a[1]
    operations |= {k: lambda a, f=v: getattr(np, f)(a[0]) for k, v in _KNOWN.items()}

    def curve(points: np.ndarray, values: Mapping[str, float]) -> np.ndarray:
        done: dict[Any, np.ndarray] = {}
        count = 0
        for e in nodes:
            if e.is_Float:
                done[e] = np.full(len(points), values[names[count]])
                count += 1
            elif e.is_Number:
                done[e] = np.full(len(points), float(e))
            elif e.is_Symbol:
                done[e] = points[:, int(e.name[1:])]
            else:
                with np.errstate(all="ignore"):
                    done[e] = operations[type(e).__name__](np.array([done[a] for a in e.args]))
        return done[expression]

    return curve
