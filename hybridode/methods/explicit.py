"""One explicit Runge–Kutta step as a tape, its dense output, and its reverse."""

from __future__ import annotations

from collections.abc import Sequence

from hybridode.methods.constraints import Invariants, evaluate, projected
from hybridode.methods.tableau import ExplicitTableau
from hybridode.tape.derive import reverse
from hybridode.tape.tape import Tape, TapeBuilder


def combination(t: TapeBuilder, weights: Sequence[float], terms: Sequence[int]) -> int | None:
    """sum of weights times terms, zeros left out; None if nothing is left."""
    total = None
    for weight, term in zip(weights, terms, strict=True):
        if weight != 0.0:
            product = term if weight == 1.0 else t.mul(t.const(weight), term)
            total = product if total is None else t.add(total, product)
    return total


def moved(t: TapeBuilder, start: int | None, h: int, weights: Sequence[float], slopes: Sequence[int]) -> int:
    """start + sum of (h weight) slope, zeros left out, in the order of the slopes: the last one, for which all the others wait,
    costs a single fused operation."""
    total = start
    for weight, slope in zip(weights, slopes, strict=True):
        if weight != 0.0:
            product = t.mul(t.mul(t.const(weight), h), slope)
            total = product if total is None else t.add(total, product)
    assert total is not None, "neither a start nor a weight"
    return total


def interpolant(method: ExplicitTableau) -> str:
    """The output that dense output is made of: the slopes of the stages, or what `explicit_dense` makes of them."""
    return "dense" if method.hermite else "stages"


def explicit_step(method: ExplicitTableau, field: Tape, n: int, first_given: bool = True, complete: bool = False,
                  invariants: Invariants | None = None) -> Tape:  # fmt: skip
    """The tape of one step of size `h` from (`t`, `y`); the new state is projected onto the invariants before its slope is taken.

    Inputs: t (), h (), y (n,), what the field reads, and its signals per stage; with `first_given` also k (n,), the slope at
    the start (first same as last). Outputs: y (n,) new state, error (n,) estimate (with `error_third` for DOP853), k (n,)
    slope at the end, stages (s n,); with `complete` also dense (r n,) of methods whose dense output takes more stages.
    """
    b = TapeBuilder()
    time, h, y = b.input("t"), b.input("h"), b.input("y", (n,))
    slopes = [b.input("k", (n,)) if first_given else evaluate(b, field, y, time, 0)]
    stage = y
    for i in range(1, method.stages):
        stage, at = moved(b, y, h, method.a[i], slopes), b.add(time, b.mul(b.const(method.c[i]), h))
        if invariants is not None and i == method.stages - 1:
            stage = projected(b, invariants, stage, at, i, n)
        slopes.append(evaluate(b, field, stage, at, i))
    assert method.a[-1] == method.b[:-1] and method.b[-1] == 0.0, "the last stage must stand at the new point"
    outputs = {"y": stage, "error": moved(b, None, h, method.error, slopes)}
    if method.error_third:
        outputs["error_third"] = moved(b, None, h, method.error_third, slopes)
    outputs |= {"k": slopes[-1], "stages": b.concat(slopes)}
    if complete and method.hermite:
        outputs["dense"] = _dense(b, method, field, (time, h, y), stage, slopes)
    return b.finish(outputs)


def explicit_dense(method: ExplicitTableau, field: Tape, n: int) -> Tape:
    """The further stages of a step and the rows of its dense output, for steps that need them.

    Inputs: t (), h (), y (n,), new (n,) and stages (s n,) as the step gave them, what the field reads, its signals per stage.
    Output: dense (r n,), see `RowsOfDense`.
    """
    b = TapeBuilder()
    start, new, stages = (
        (b.input("t"), b.input("h"), b.input("y", (n,))),
        b.input("new", (n,)),
        b.input("stages", (method.stages * n,)),
    )
    slopes = [b.gather(stages, range(i * n, (i + 1) * n)) for i in range(method.stages)]
    return b.finish({"dense": _dense(b, method, field, start, new, slopes)})


def _dense(
    b: TapeBuilder, method: ExplicitTableau, field: Tape, start: tuple[int, int, int], new: int, slopes: Sequence[int]
) -> int:
    """Rows F1, F2, … of Hairer, Norsett & Wanner's y0 + th (F0 + (1-th) (F1 + th (F2 + (1-th) …))), F0 = new - y0 left out."""
    time, h, y = start
    k = list(slopes)
    for i, (weights, c) in enumerate(zip(method.extra, method.extra_c, strict=True)):
        stage = moved(b, y, h, weights, k)
        k.append(evaluate(b, field, stage, b.add(time, b.mul(b.const(c), h)), method.stages + i))
    change = b.sub(new, y)
    first = b.sub(b.mul(h, k[0]), change)
    second = b.sub(b.mul(b.const(2.0), change), b.mul(h, b.add(k[method.stages - 1], k[0])))
    return b.concat([first, second, *(moved(b, None, h, weights, k) for weights in method.hermite)])


def explicit_step_reverse(method: ExplicitTableau, field: Tape, n: int, invariants: Invariants | None = None) -> Tape:
    """The exact transpose of the step at fixed h, the stages recomputed.

    Inputs: those of `explicit_step` without k, y.bar (n,) and the cotangent of the interpolant. Outputs: `NAME.bar` for the
    state and whatever else the field reads (parameters, signals per stage, network weights).
    """
    step = explicit_step(method, field, n, first_given=False, complete=True, invariants=invariants)
    wrt = [i.name for i in step.inputs if i.name not in ("t", "h")]
    return reverse(step, wrt, ("y", interpolant(method)))
