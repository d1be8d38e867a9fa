"""A tape at many points at once gives what the interpreter gives at each."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from hybridode.tape import many
from hybridode.tape.interpret import Interpreter
from hybridode.tape.tape import Tape, TapeBuilder

SHAPES = {"t": (), "y": (4,), "p": (3,), "A": (2, 3)}


def tape() -> Tape:
    """Every structural operation, those of the table and others, on operands of which any may move."""
    b = TapeBuilder()
    t, y, p, a = (b.input(name, shape) for name, shape in SHAPES.items())
    rate = b.node("hill", (b.element(y, 1), b.element(p, 0), b.element(p, 1)))
    wide = b.node("broadcast", (b.gather(p, [1, 0]),), 1, (2, 3))
    product_ = b.node("mul", (wide, a))
    outputs = {
        "scalar": b.mul(rate, t),
        "concat": b.node("concat", (y, t, p), None, (8,)),
        "gather": b.gather(y, [2, 0, 2]),
        "backwards": b.gather(y, [3, 2, 1]),
        "scalars": b.node("broadcast", (t,), None, (2, 2)),
        "columns": b.node("sum", (product_,), 0),
        "spread": b.node("add", (y, t)),
        "matvec": b.node("matvec", (a, p)),
        "outer": b.node("outer", (p, y)),
        "sum": b.node("sum", (product_,)),
        "scatter": b.node("scatter_add", (p,), (1, 1, 0), (4,)),
        "product": product_,
    }
    return b.finish(outputs)


@pytest.mark.parametrize("moving", [c for c in product((False, True), repeat=4) if any(c)])
def test_every_output_with_any_inputs_moving(moving: tuple[bool, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    rng, made = np.random.default_rng(0), tape()
    names = [name for name, moves in zip(SHAPES, moving, strict=True) if moves]
    fixed = {name: rng.uniform(0.5, 2, shape) for name, shape in SHAPES.items() if name not in names}
    given = {name: rng.uniform(0.5, 2, (*SHAPES[name], 7)) for name in names}
    monkeypatch.setattr(many, "_NUMBERS", 60)  # several parts
    for output, _ in made.outputs:
        found = many.at_many(made, fixed, [*names, "not read"], output)(*given.values(), np.zeros(7))
        each = [Interpreter(made)(fixed | {n: v[..., j] for n, v in given.items()})[output] for j in range(7)]
        np.testing.assert_allclose(found, np.stack(each, axis=-1), rtol=1e-15)
