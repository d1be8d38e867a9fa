"""One step's tangent as a tape: how the new state and its dense output move with the old state and what the field reads."""

from __future__ import annotations

from hybridode.methods.constraints import Invariants, times_mass
from hybridode.methods.explicit import combination, explicit_step, interpolant
from hybridode.methods.rosenbrock import StiffField, end_of_step, guarded, start_of_step
from hybridode.methods.sparse_lu import solve
from hybridode.methods.tableau import ExplicitTableau, RosenbrockTableau
from hybridode.tape.derive import forward, tangents
from hybridode.tape.tape import Tape, TapeBuilder


def explicit_step_tangent(method: ExplicitTableau, field: Tape, n: int, invariants: Invariants | None = None) -> Tape:
    """The exact derivative of the step at fixed h, the stages recomputed.

    Inputs: those of `explicit_step` without k, and `NAME.dot` for the state and whatever else the field reads. Outputs: y.dot
    (n,) and the tangent of the interpolant.
    """
    step = explicit_step(method, field, n, first_given=False, complete=True, invariants=invariants)
    return forward(step, [i.name for i in step.inputs if i.name not in ("t", "h")], ("y", interpolant(method)), values=False)


def rosenbrock_step_tangent(method: RosenbrockTableau, model: StiffField, n: int) -> Tape:
    """The exact derivative of the step at fixed h, the step recomputed.

    From W u_i = r_i follows W u_i' = r_i' + J' u_i with the same factors: no elimination is differentiated. Inputs: those of
    `rosenbrock_step`, and `NAME.dot` for the state and whatever else the field reads. Outputs: y.dot (n,), dense.dot (r n,).
    """
    b = TapeBuilder()
    model = guarded(model)
    s = end_of_step(b, method, model, start_of_step(b, method, model, n))
    read = {i.attrs: node for node, i in enumerate(b.instructions) if i.op == "input" and i.attrs not in ("t", "h", "y")}
    y_dot = b.input("y.dot", (n,))
    seeds = {node: b.input(f"{name}.dot", b.shape(node)) for name, node in read.items()}
    by_start = {**seeds, s.y: y_dot}
    entries_dot = None if s.entries is None else tangents(b, by_start, [s.entries])[0]
    slope_dot = None if s.time_slope is None else tangents(b, by_start, [s.time_slope])[0]
    u_dot: list[int] = []
    for i in range(method.stages):
        change = combination(b, method.a[i], u_dot)
        stage_dot = y_dot if change is None else b.add(y_dot, change)
        (right,) = tangents(b, {**seeds, s.stages[i]: stage_dot}, [s.slopes[i]])
        right = b.broadcast(b.const(0.0), (n,)) if right is None else right
        memory = combination(b, method.C[i], u_dot)
        if memory is not None:
            right = b.add(right, times_mass(b, b.mul(memory, s.per_h), n, model.algebraic))
        if slope_dot is not None and method.d[i] != 0.0:
            right = b.add(right, b.mul(b.mul(b.const(method.d[i]), s.h), slope_dot))
        elements = [b.element(right, k) for k in range(n)]
        if entries_dot is not None:
            for e, (row, column) in enumerate(model.pattern):
                elements[row] = b.add(elements[row], b.mul(b.element(entries_dot, e), b.element(s.u[i], column)))
        u_dot.append(b.concat(solve(b, s.factors, elements)))
    total = combination(b, method.b, u_dot)
    rows = [combination(b, row, u_dot) for row in method.dense]
    assert total is not None
    new_dot = b.add(y_dot, total)
    if model.invariants is not None:
        new_dot = tangents(b, {**seeds, s.new: new_dot}, [s.end])[0]
        assert new_dot is not None
    return b.finish({"y.dot": new_dot, "dense.dot": b.concat([r for r in rows if r is not None])})
