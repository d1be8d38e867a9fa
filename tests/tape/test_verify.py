"""Each kind of broken tape is refused with its reason."""

from __future__ import annotations

import pytest

from hybridode.declarations import Table
from hybridode.tape.tables import piecewise
from hybridode.tape.tape import Input, Instruction, Tape
from hybridode.tape.verify import BrokenTape, verify

Y = Input("y", (3,))
X = Input("x")
I = Instruction  # noqa: E741
G = piecewise(Table("g", ("x",), ((0.0, 1.0),), (0.0, 1.0)))

BROKEN = {
    "no such operation": ((X,), [I("sine", (0,), None, ())], [("f", 1)], "there is no such operation"),
    "operand later": ((X,), [I("sin", (2,), None, ()), I("cos", (1,), None, ())], [("f", 2)], "operand 2 is not computed before"),
    "operand itself": ((X,), [I("sin", (1,), None, ())], [("f", 1)], "operand 1 is not computed before"),
    "negative operand": ((X,), [I("sin", (-1,), None, ())], [("f", 1)], "operand -1 is not computed before"),
    "too few operands": ((X,), [I("add", (0,), None, ())], [("f", 1)], "takes 2 operands, has 1"),
    "no operand": ((X,), [I("concat", (), None, (1,))], [("f", 1)], "takes at least one operand"),
    "wrong shape": ((X,), [I("sin", (0,), None, (2,))], [("f", 1)], "has shape (2,), its operands give ()"),
    "shapes that differ": ((Y, Input("z", (2,))), [I("add", (0, 1), None, (3,))], [("f", 2)], "shapes (3,) and (2,)"),
    "gather outside": ((Y,), [I("gather", (0,), (0, 3), (2,))], [("f", 1)], "places 0 to 3 do not lie in 0 to 2"),
    "gather below": ((Y,), [I("gather", (0,), (-1, 0), (2,))], [("f", 1)], "places -1 to 0"),
    "gather of nothing": ((Y,), [I("gather", (0,), (), (0,))], [("f", 1)], "not empty"),
    "gather of another size": ((Y,), [I("gather", (0,), (0, 1), (3,))], [("f", 1)], "2 places do not fill"),
    "scatter of another size": ((Y,), [I("scatter_add", (0,), (0, 1), (3,))], [("f", 1)], "2 places for 3 elements"),
    "scatter outside": ((Y,), [I("scatter_add", (0,), (0, 1, 5), (3,))], [("f", 1)], "places 0 to 5"),
    "concat of another size": ((Y, X), [I("concat", (0, 1), None, (5,))], [("f", 2)], "4 elements do not fill the shape (5,)"),
    "constants of another size": ((), [I("const", (), (1.0, 2.0), (3,))], [("f", 0)], "2 constants do not fill"),
    "constants of two kinds": ((), [I("const", (), (1.0, True), (2,))], [("f", 0)], "all boolean or all real"),
    "broadcast of a vector": ((Y,), [I("broadcast", (0,), None, (3, 2))], [("f", 1)], "a scalar is spread"),
    "broadcast along no axis": ((Y,), [I("broadcast", (0,), 0, (3, 2))], [("f", 1)], "is not (3, 2) without axis 0"),
    "sum along no axis": ((Y,), [I("sum", (0,), 1, ())], [("f", 1)], "is of a matrix"),
    "matvec": ((Input("a", (2, 4)), Y), [I("matvec", (0, 1), None, (2,))], [("f", 2)], "a matrix (2, 4) times a vector (3,)"),
    "matvec_transposed": ((Input("a", (4, 3)), Y), [I("matvec_transposed", (0, 1), None, (3,))], [("f", 2)], "transposed matrix"),
    "outer": ((X, Y), [I("outer", (0, 1), None, (3,))], [("f", 2)], "of vectors"),
    "matmul": ((Input("a", (2, 3)),), [I("matmul", (0, 0), (False, False), (2, 3))], [("f", 1)], "(2, 3) times a matrix (2, 3)"),
    "order": ((X,), [I("polygamma", (0,), 0, ())], [("f", 1)], "order of a derivative is at least 1"),
    "table arguments": ((X,), [I("table", (0, 0), (G, (0, 0)), ())], [("f", 1)], "a table of 1 arguments takes 2"),
    "number as condition": ((X,), [I("select", (0, 0, 0), None, ())], [("f", 1)], "operand 0 is real"),
    "condition as number": ((X,), [I("lt", (0, 0), None, ()), I("sin", (1,), None, ())], [("f", 2)], "operand 0 is boolean"),
    "kinds mixed": (
        (X,), [I("lt", (0, 0), None, ()), I("concat", (0, 1), None, (2,))], [("f", 2)], "of one kind, not boolean and real",
    ),
    "boolean output": ((X,), [I("lt", (0, 0), None, ())], [("f", 1)], "output f is boolean"),
    "output from nowhere": ((X,), [I("sin", (0,), None, ())], [("f", 2)], "there is no value 2"),
    "outputs of one name": ((X,), [I("sin", (0,), None, ())], [("f", 1), ("f", 0)], "outputs of one name"),
    "inputs of one name": ((X, X), [I("add", (0, 1), None, ())], [("f", 2)], "inputs of one name"),
    "input unread": ((X, Y), [I("sin", (0,), None, ())], [("f", 2)], "value 1 is read by nothing"),
    "instruction unread": ((X,), [I("sin", (0,), None, ()), I("cos", (0,), None, ())], [("f", 1)], "value 2 is read by nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_tapes_are_refused(name: str):
    inputs, instructions, outputs, reason = BROKEN[name]
    with pytest.raises(BrokenTape) as caught:
        verify(Tape(tuple(inputs), tuple(instructions), tuple(outputs)))
    assert reason in str(caught.value)


def test_a_legal_tape_passes_through():
    tape = Tape(
        (X,), (I("sin", (0,), None, ()), I("lt", (0, 1), None, ()), I("select", (2, 0, 1), None, ())), (("f", 3), ("x", 0))
    )
    assert verify(tape) is tape
