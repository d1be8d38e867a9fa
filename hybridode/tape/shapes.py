"""How the shape of a result follows from the operands. A rule raises `ShapeError` with a sentence if they do not fit.

A rule takes (shapes of the operands, attributes, the shape given or None) and gives the shape of the result; an operation
whose operands do not determine it (a gather, a constant) checks the given one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Shape = tuple[int, ...]
Indices = range | tuple[int, ...]
ShapeRule = Callable[[Sequence[Shape], Any, Shape | None], Shape]


class ShapeError(AssertionError):
    """Operands, attributes and shape do not fit together (a programmer's error)."""


def size(shape: Shape) -> int:
    """Number of elements."""
    n = 1
    for d in shape:
        n *= d
    return n


def indices(at: Iterable[int]) -> Indices:
    """Places in their one form: a range where they have a constant step, else a tuple."""
    if isinstance(at, range):
        # Equal ranges hash alike, so the stop may be any; slices want it exact.
        return range(at[0], at[-1] + (1 if at.step > 0 else -1), at.step) if len(at) > 1 else at
    places = tuple(at)
    if len(places) == 1:
        return range(places[0], places[0] + 1)
    step = places[1] - places[0] if places else 0
    if step == 0 or places[-1] - places[0] != step * (len(places) - 1):
        return places
    regular = range(places[0], places[-1] + (1 if step > 0 else -1), step)
    return regular if places == tuple(regular) else places


def extent(at: Indices) -> tuple[int, int]:
    """Lowest and highest place."""
    return (min(at[0], at[-1]), max(at[0], at[-1])) if isinstance(at, range) else (min(at), max(at))


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ShapeError(sentence)


def _places(attrs: Any, bound: int) -> None:
    _require(isinstance(attrs, range | tuple) and len(attrs) > 0, "places are a range or a tuple, not empty")
    low, high = extent(attrs)
    _require(0 <= low and high < bound, f"places {low} to {high} do not lie in 0 to {bound - 1}")


def elementwise_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    found: Shape = ()
    for s in shapes:
        if s and s != found:
            if found:
                raise ShapeError(f"elementwise operands have the shapes {found} and {s}")
            found = s
    return found


def polygamma_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    _require(isinstance(attrs, int) and attrs >= 1, f"the order of a derivative is at least 1, not {attrs}")
    return shapes[0]


def table_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    piecewise, orders = attrs
    arguments = len(piecewise.knots)
    _require(arguments == len(orders) == len(shapes), f"a table of {arguments} arguments takes {len(shapes)} operands")
    return elementwise_shape(shapes, None, shape)


def constant_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    _require(shape is not None and size(shape) == len(attrs), f"{len(attrs)} constants do not fill the shape {shape}")
    _require(len({isinstance(v, bool) for v in attrs}) == 1, "constants are all boolean or all real")
    return shape or ()


def gather_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    _places(attrs, size(shapes[0]))
    _require(shape is not None and size(shape) == len(attrs), f"{len(attrs)} places do not fill the shape {shape}")
    return shape or ()


def scatter_add_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    _require(shape is not None and len(attrs) == size(shapes[0]), f"{len(attrs)} places for {size(shapes[0])} elements")
    _places(attrs, size(shape or ()))
    return shape or ()


def concat_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    total = sum(size(s) for s in shapes)
    _require(bool(shape) and size(shape or ()) == total, f"{total} elements do not fill the shape {shape}")
    return shape or ()


def broadcast_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    if attrs is None:
        _require(shapes[0] == () and bool(shape), f"a scalar is spread over a shape, not {shapes[0]} over {shape}")
    else:
        fits = shape is not None and len(shape) == 2 and attrs in (0, 1) and shapes[0] == (shape[1 - attrs],)
        _require(fits, f"{shapes[0]} is not {shape} without axis {attrs}")
    return shape or ()


def sum_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    if attrs is None:
        return ()
    _require(len(shapes[0]) == 2 and attrs in (0, 1), f"the sum along axis {attrs} is of a matrix, not of {shapes[0]}")
    return (shapes[0][1 - attrs],)


def matvec_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    a, x = shapes
    _require(len(a) == 2 and x == a[1:], f"a matrix {a} times a vector {x}")
    return a[:1]


def matvec_transposed_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    a, x = shapes
    _require(len(a) == 2 and x == a[:1], f"a transposed matrix {a} times a vector {x}")
    return a[1:]


def outer_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    x, y = shapes
    _require(len(x) == len(y) == 1, f"the outer product is of vectors, not of {x} and {y}")
    return (*x, *y)


def matmul_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    a, b = (s[::-1] if transposed else s for s, transposed in zip(shapes, attrs, strict=True))
    _require(len(a) == len(b) == 2 and a[1] == b[0], f"a matrix {a} times a matrix {b}")
    return (a[0], b[1])
