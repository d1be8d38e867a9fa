"""Derivatives of shapes in the store: a process that finds them need not import SymPy, which takes half a second."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from hybridode import store
from hybridode.equations.alpha import slot
from hybridode.expr import Expr, node, postorder


def key_of(shape: Expr, by: Sequence[int]) -> str:
    """The name of a shape's derivatives by some of its slots, "" where it holds what has no text."""
    text = as_rows([shape])
    return (
        "" if text is None else store.digest("derivatives", store.of_sources("equations", "expr"), json.dumps([text, list(by)]))
    )


def kept(key: str) -> dict[int, Expr] | None:
    """{slot: derivative} as it was kept."""
    found = store.read_json(key) if key else None
    if found is None:
        return None
    return dict(zip(found["slots"], of_rows(found["rows"]), strict=True))


def keep(key: str, partials: dict[int, Expr] | None) -> None:
    """Keeps what SymPy found (its having no answer is not kept)."""
    rows = None if partials is None or not key else as_rows(partials.values())
    if rows is not None:
        store.write_json(key, {"slots": list(partials or ()), "rows": rows})


def as_rows(exprs: Iterable[Expr]) -> Any:
    """[[operation, places of its arguments, datum] …, [places of the expressions]]; None where a datum has no text."""
    roots = list(exprs)
    place: dict[Expr, int] = {}
    rows: list[Any] = []
    for e in postorder(roots):
        if e.op == "const":
            datum = e.data.hex()
        elif e.op == "sym" and e.data.kind == "slot":
            datum = e.data.index
        elif e.op == "sym" or e.data is not None:
            return None
        else:
            datum = None
        place[e] = len(rows)
        rows.append([e.op, [place[a] for a in e.args], datum])
    return [*rows, [place[e] for e in roots]]


def of_rows(rows: Any) -> list[Expr]:
    """The expressions of `as_rows`."""
    *body, roots = rows
    made: list[Expr] = []
    for op, args, datum in body:
        if op == "const":
            made.append(node("const", (), float.fromhex(datum)))
        elif op == "sym":
            made.append(slot(datum))
        else:
            made.append(node(op, [made[a] for a in args]))
    return [made[k] for k in roots]
