"""The operations of the tape: one table, a row each. Everything that knows operations is a table with the same keys.

A row says what an operation takes and gives ("r" real, "b" boolean, "=" as the first operand), how its shape follows,
what it means in NumPy, how it is differentiated and how it is printed. `docs/extend-op.md` says how to add one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.tape import linear, meaning, rules, systems
from hybridode.tape.meaning import plain, special
from hybridode.tape.shapes import (
    Indices,
    Shape,
    ShapeRule,
    broadcast_shape,
    concat_shape,
    constant_shape,
    elementwise_shape,
    gather_shape,
    indices,
    matmul_shape,
    matvec_shape,
    matvec_transposed_shape,
    outer_shape,
    polygamma_shape,
    scatter_add_shape,
    size,
    sum_shape,
    table_shape,
)

if TYPE_CHECKING:
    from hybridode.tape.tape import TapeBuilder

Node = int
Forward = Callable[["TapeBuilder", Node, Sequence["Node | None"]], "Node | None"]
Reverse = Callable[["TapeBuilder", Node, Node], "tuple[Node | None, ...]"]


@dataclass(frozen=True)
class Op:
    """`numpy(attrs, shape)` gives the function of the operands' values.

    `partials` is the derivative of an elementwise operation (see `rules`). `forward(builder, node, tangents)` gives the node's
    tangent (not yet of its shape where that is wider), `reverse(builder, node, cotangent)` what each operand gets
    (None: nothing). `safe` is a point where value and derivatives are finite, for operands that must not matter (see `guard`;
    None: leave this operand). `free_shape`: the operands do not determine the shape.
    """

    name: str
    arity: int  # -1: any number of operands, at least one
    takes: str  # a kind per operand, the last repeats; "*": any kind, all of one
    gives: str
    shape: ShapeRule
    numpy: Callable[[Any, Shape], Callable[..., Any]]
    text: str  # operands {0} {1} …, attributes {attrs}
    partials: rules.Rule | None = None
    forward: Forward | None = None
    reverse: Reverse | None = None
    safe: tuple[float | None, ...] = ()
    commutative: bool = False
    free_shape: bool = False

    @property
    def elementwise(self) -> bool:
        """True if each element of the result reads one element of each operand."""
        return self.shape is elementwise_shape or self.shape is polygamma_shape or self.shape is table_shape


def _function(
    name: str,
    numpy: Callable[..., Any],
    partials: rules.Rule,
    text: str = "",
    arity: int = 1,
    safe: Iterable[float | None] = (),
    swaps: bool = False,
) -> Op:
    """A real elementwise operation."""
    text = text or f"{name}({', '.join(f'{{{j}}}' for j in range(arity))})"
    forward, reverse = linear.chain_forward(partials), linear.chain_reverse(partials)
    return Op(name, arity, "r", "r", elementwise_shape, plain(numpy), text, partials, forward, reverse, tuple(safe), swaps)


def _condition(name: str, numpy: Callable[..., Any], text: str, takes: str = "r", arity: int = 2, swaps: bool = False) -> Op:
    """A boolean elementwise operation: it has no derivative."""
    return Op(name, arity, takes, "b", elementwise_shape, plain(numpy), text, commutative=swaps)


_ELEMENTWISE = (
    _function("add", operator.add, rules.add, "{0} + {1}", 2, swaps=True),
    _function("sub", operator.sub, rules.sub, "{0} - {1}", 2),
    _function("mul", operator.mul, rules.mul, "{0} * {1}", 2, swaps=True),
    _function("div", np.true_divide, rules.div, "{0} / {1}", 2, safe=(None, 1.0)),
    _function("neg", operator.neg, rules.neg, "-{0}"),
    _function("pow", np.power, rules.pow_, "{0} ^ {1}", 2, safe=(1.0, 1.0)),
    _function("atan2", np.arctan2, rules.atan2, arity=2, safe=(0.0, 1.0)),
    _function("mod", np.mod, rules.mod, arity=2, safe=(None, 1.0)),
    _function("min", np.minimum, rules.min_, arity=2, swaps=True),
    _function("max", np.maximum, rules.max_, arity=2, swaps=True),
    _function("hill", meaning.hill, rules.hill, arity=3, safe=(1.0, 1.0, 1.0)),
    _function("exp", np.exp, rules.exp, safe=(0.0,)),
    _function("expm1", np.expm1, rules.expm1, safe=(0.0,)),
    _function("exprel", special("exprel"), rules.exprel, safe=(0.0,)),
    _function("log", np.log, rules.log, safe=(1.0,)),
    _function("log1p", np.log1p, rules.log1p, safe=(0.0,)),
    _function("log10", np.log10, rules.log10, safe=(1.0,)),
    _function("log2", np.log2, rules.log2, safe=(1.0,)),
    _function("sqrt", np.sqrt, rules.sqrt, safe=(1.0,)),
    _function("sin", np.sin, rules.sin),
    _function("cos", np.cos, rules.cos),
    _function("tan", np.tan, rules.tan, safe=(0.0,)),
    _function("asin", np.arcsin, rules.asin, safe=(0.0,)),
    _function("acos", np.arccos, rules.acos, safe=(0.0,)),
    _function("atan", np.arctan, rules.atan),
    _function("sinh", np.sinh, rules.sinh, safe=(0.0,)),
    _function("cosh", np.cosh, rules.cosh, safe=(0.0,)),
    _function("tanh", np.tanh, rules.tanh),
    _function("asinh", np.arcsinh, rules.asinh),
    _function("acosh", np.arccosh, rules.acosh, safe=(2.0,)),
    _function("atanh", np.arctanh, rules.atanh, safe=(0.0,)),
    _function("abs", np.abs, rules.abs_),
    _function("sign", np.sign, rules.zero),
    _function("floor", np.floor, rules.zero),
    _function("heaviside", meaning.heaviside, rules.zero),
    _function("gamma", special("gamma"), rules.gamma, safe=(1.0,)),
    _function("lgamma", special("gammaln"), rules.lgamma, safe=(1.0,)),
    _function("digamma", special("digamma"), rules.digamma, safe=(1.0,)),
    _function("erf", special("erf"), rules.erf),
    _function("softplus", meaning.softplus, rules.softplus),
    _function("sigmoid", special("expit"), rules.sigmoid),
    _function("relu", meaning.relu, rules.relu),
    Op(
        "polygamma", 1, "r", "r", polygamma_shape, lambda k, shape: meaning.polygamma(k), "polygamma({attrs}, {0})",
        rules.polygamma, linear.chain_forward(rules.polygamma), linear.chain_reverse(rules.polygamma), (1.0,),
    ),
    Op(
        "exprel_slope", 1, "r", "r", polygamma_shape, lambda k, shape: meaning.exprel_slope(k), "exprel_slope({attrs}, {0})",
        rules.exprel_slope, linear.chain_forward(rules.exprel_slope), linear.chain_reverse(rules.exprel_slope), (0.0,),
    ),
    Op(
        "table", -1, "r", "r", table_shape, meaning.table, "table {attrs}({*})",
        rules.table, linear.chain_forward(rules.table), linear.chain_reverse(rules.table),
    ),
    _condition("lt", operator.lt, "{0} < {1}"),
    _condition("le", operator.le, "{0} <= {1}"),
    _condition("eq", operator.eq, "{0} == {1}", swaps=True),
    _condition("ne", operator.ne, "{0} != {1}", swaps=True),
    _condition("and", np.logical_and, "{0} and {1}", "b", swaps=True),
    _condition("or", np.logical_or, "{0} or {1}", "b", swaps=True),
    _condition("not", np.logical_not, "not {0}", "b", 1),
    Op(
        "select", 3, "brr", "r", elementwise_shape, plain(lambda c, a, b: np.where(c, a, b)[()]), "if {0} then {1} else {2}",
        forward=linear.select_forward, reverse=linear.select_reverse,
    ),
)  # fmt: skip

_STRUCTURAL = (
    Op("const", 0, "", "=", constant_shape, meaning.constant, "{attrs}", free_shape=True),
    Op(
        "gather", 1, "*", "=", gather_shape, meaning.gather, "{0}[{attrs}]",
        forward=linear.same_forward, reverse=linear.gather_reverse, free_shape=True,
    ),
    Op(
        "scatter_add", 1, "r", "r", scatter_add_shape, meaning.scatter_add, "scatter_add({0}, [{attrs}])",
        forward=linear.same_forward, reverse=linear.scatter_add_reverse, free_shape=True,
    ),
    Op(
        "concat", -1, "*", "=", concat_shape, meaning.concat, "concat({*})",
        forward=linear.concat_forward, reverse=linear.concat_reverse, free_shape=True,
    ),
    Op(
        "broadcast", 1, "*", "=", broadcast_shape, meaning.broadcast, "broadcast({0}{axis})",
        forward=linear.same_forward, reverse=linear.broadcast_reverse, free_shape=True,
    ),
    Op("sum", 1, "r", "r", sum_shape, meaning.total, "sum({0}{axis})", forward=linear.same_forward, reverse=linear.sum_reverse),
    Op(
        "matvec", 2, "r", "r", matvec_shape, plain(operator.matmul), "{0} @ {1}",
        forward=linear.bilinear_forward, reverse=linear.matvec_reverse,
    ),
    Op(
        "matvec_transposed", 2, "r", "r", matvec_transposed_shape, plain(lambda a, x: a.T @ x), "{0}' @ {1}",
        forward=linear.bilinear_forward, reverse=linear.matvec_transposed_reverse,
    ),
    Op(
        "outer", 2, "r", "r", outer_shape, plain(np.outer), "outer({0}, {1})",
        forward=linear.bilinear_forward, reverse=linear.outer_reverse,
    ),
    Op(
        "matmul", 2, "r", "r", matmul_shape, meaning.matmul, "matmul({0}, {1}; {attrs})",
        forward=linear.bilinear_forward, reverse=linear.matmul_reverse,
    ),
    # Linear systems of a fixed sparsity; attributes: the system, of a solve also whether it is transposed.
    Op(
        "factor", 1, "r", "r", systems.factor_shape, systems.factor, "factor({0}; {attrs})",
        forward=systems.held_forward, reverse=systems.held_reverse,
    ),
    Op(
        "solve", 3, "r", "r", systems.solve_shape, systems.solve, "solve({0}, {1}, {2}; {attrs})",
        forward=systems.solve_forward, reverse=systems.solve_reverse,
    ),
    Op(
        "pivots", 1, "r", "r", systems.pivots_shape, systems.pivots, "pivots({0}; {attrs})",
        forward=systems.held_forward, reverse=systems.held_reverse,
    ),
)  # fmt: skip

OPS: dict[str, Op] = {row.name: row for row in (*_ELEMENTWISE, *_STRUCTURAL)}

__all__ = ["OPS", "Indices", "Op", "Shape", "indices", "size"]
