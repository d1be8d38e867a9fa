"""One explicit Runge–Kutta step as a tape, and its reverse."""

from __future__ import annotations

from collections.abc import Sequence

from hybridode.methods.tableau import ExplicitTableau
from hybridode.tape.derive import reverse
from hybridode.tape.tape import Tape, TapeBuilder

PER_STAGE = ("u", "du", "ddu")  # signals and their derivatives: the driver gives their values at every stage's time


def stage_input(name: str, stage: int) -> str:
    """The input that holds a signal's values at a stage: `u@3`."""
    return f"{name}@{stage}"


def evaluate(t: TapeBuilder, field: Tape, y: int, time: int, stage: int) -> int:
    """The vector field (a tape with the single output y') at a stage."""
    given = {"y": y, "t": time}
    given |= {i.name: t.input(stage_input(i.name, stage), i.shape) for i in field.inputs if i.name in PER_STAGE}
    nodes = t.inline(field, {name: node for name, node in given.items() if any(i.name == name for i in field.inputs)})
    return nodes[field.outputs[0][1]]


def combination(t: TapeBuilder, weights: Sequence[float], terms: Sequence[int]) -> int | None:
    """sum of weights times terms, zeros left out; None if nothing is left."""
    total = None
    for weight, term in zip(weights, terms, strict=True):
        if weight != 0.0:
            product = term if weight == 1.0 else t.mul(t.const(weight), term)
            total = product if total is None else t.add(total, product)
    return total


def explicit_step(method: ExplicitTableau, field: Tape, n: int, first_given: bool = True) -> Tape:
    """The tape of one step of size `h` from (`t`, `y`).

    Inputs: t (), h (), y (n,), what the field reads, and its signals per stage; with `first_given` also k (n,), the slope at
    the start (first same as last). Outputs: y (n,) new state, error (n,) estimate (with `error_third` for DOP853), k (n,)
    slope at the end, stages (s n,) for dense output.
    """
    b = TapeBuilder()
    time, h, y = b.input("t"), b.input("h"), b.input("y", (n,))
    slopes = [b.input("k", (n,)) if first_given else evaluate(b, field, y, time, 0)]
    stage = y
    for i in range(1, method.stages):
        change = combination(b, method.a[i], slopes)
        stage = y if change is None else b.add(y, b.mul(h, change))
        slopes.append(evaluate(b, field, stage, b.add(time, b.mul(b.const(method.c[i]), h)), i))
    assert method.a[-1] == method.b[:-1] and method.b[-1] == 0.0, "the last stage must stand at the new point"
    outputs = {"y": stage, "error": _scaled(b, h, method.error, slopes)}
    if method.error_third:
        outputs["error_third"] = _scaled(b, h, method.error_third, slopes)
    return b.finish({**outputs, "k": slopes[-1], "stages": b.concat(slopes)})


def explicit_step_reverse(method: ExplicitTableau, field: Tape, n: int) -> Tape:
    """The exact transpose of the step at fixed h, the stages recomputed.

    Inputs: those of `explicit_step` without k, y.bar (n,) and stages.bar (s n,). Outputs: `NAME.bar` for the state and
    whatever else the field reads (parameters, signals per stage, network weights).
    """
    step = explicit_step(method, field, n, first_given=False)
    wrt = [i.name for i in step.inputs if i.name not in ("t", "h")]
    return reverse(step, wrt, ("y", "stages"))


def _scaled(b: TapeBuilder, h: int, weights: Sequence[float], slopes: Sequence[int]) -> int:
    total = combination(b, weights, slopes)
    assert total is not None
    return b.mul(h, total)
