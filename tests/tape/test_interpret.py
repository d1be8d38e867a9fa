"""The interpreter with some inputs fixed: what it gives is what the whole one gives."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.tape.interpret import Interpreter
from hybridode.tape.tape import TapeBuilder

GIVEN = {"p": np.array([0.5, -2.0]), "y": np.array([1.5, 0.25, 4.0]), "t": np.array(0.75)}


def interpreter() -> Interpreter:
    b = TapeBuilder()
    p, y, t = b.input("p", (2,)), b.input("y", (3,)), b.input("t")
    rate = b.node("exp", (b.element(p, 0),))
    fixed = b.mul(rate, b.element(p, 1))
    return Interpreter(b.finish({"a": b.mul(b.add(y, fixed), t), "b": fixed, "c": b.gather(y, [2, 0])}))


@pytest.mark.parametrize("output", ["a", "b", "c"])
@pytest.mark.parametrize("moving", [("t", "y"), ("y",), ("p", "t", "y"), ("t", "y", "not read"), ()])
def test_fixed_and_moving(output: str, moving: tuple[str, ...]) -> None:
    run = interpreter()
    bound = run.at({name: value for name, value in GIVEN.items() if name not in moving}, moving, output)
    for factor in (1.0, -3.0):
        moved = {name: factor * GIVEN[name] if name in moving else GIVEN[name] for name in GIVEN}
        np.testing.assert_array_equal(bound(*(moved.get(name, 0.0) for name in moving)), run(moved)[output])
