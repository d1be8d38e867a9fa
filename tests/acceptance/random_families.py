"""Random families with an oracle of their own: text of the language and the same as a Python function of values and indices."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from random_models import _Writer

Values = dict[str, Any]  # vectors as lists, scalars and indices as numbers
Oracle = Callable[[Values], float]


@dataclass
class RandomFamilies:
    """A model of vectors x, z (states), p (parameters), q (intermediate), and what each entry must be at a point."""

    text: str
    time: float
    size: int
    states: dict[str, list[float]]
    parameters: list[float]
    rates: dict[str, list[float]]
    definition: list[float]


class _FamilyWriter(_Writer):
    """Expressions of entries chosen by indices."""

    def __init__(self, rng: random.Random, vectors: list[str], size: int) -> None:
        super().__init__(rng)
        self.vectors, self.size, self.indices = vectors, size, ["i"]

    def _place(self) -> tuple[str, Callable[[Values], int]]:
        n, i = self.size, self.rng.choice(self.indices)
        return self.rng.choice(
            [
                (i, lambda v: v[i]),
                (f"mod({i}, n) + 1", lambda v: v[i] % n + 1),
                (f"mod({i} - 2, n) + 1", lambda v: (v[i] - 2) % n + 1),
                (f"n + 1 - {i}", lambda v: n + 1 - v[i]),
                (f"mod(2*{i} + 1, n) + 1", lambda v: (2 * v[i] + 1) % n + 1),
                ("n", lambda v: n),
            ]
        )

    def leaf(self) -> tuple[str, Oracle]:
        kind = self.rng.random()
        if kind < 0.65:
            name = self.rng.choice(self.vectors)
            text, place = self._place()
            return f"{name}[{text}]", lambda v: v[name][place(v) - 1]
        if kind < 0.8:
            i = self.rng.choice(self.indices)
            return f"({i}/n)", lambda v: v[i] / self.size
        if kind < 0.9:
            return self.rng.choice([("k", lambda v: v["k"]), ("t", lambda v: v["t"])])
        return super().leaf() if self.names else ("0.5", lambda v: 0.5)

    def expression(self, depth: int) -> tuple[str, Oracle]:
        kind = self.rng.random()
        if depth > 1 and kind < 0.2 and len(self.indices) < 3:
            return self._over(depth)
        if depth > 0 and kind < 0.3:
            return self._by_index(depth)
        return super().expression(depth)

    def _over(self, depth: int) -> tuple[str, Oracle]:
        j = "jm"[len(self.indices) - 1]
        i = self.rng.choice(self.indices)
        ranges: list[tuple[str, Callable[[Values], list[int]]]] = [
            (f"{j} in 1..4", lambda v: [1, 2, 3, 4]),
            (f"{j} in 1..4 if {j} != {i}", lambda v: [m for m in (1, 2, 3, 4) if m != v[i]]),
            (f"{j} in max({i} - 2, 1)..{i}", lambda v: list(range(max(v[i] - 2, 1), v[i] + 1))),
        ]
        text, members = self.rng.choice(ranges)
        self.indices.append(j)
        body, inner = self.expression(depth - 1)
        self.indices.pop()
        name, reduce = self.rng.choice(
            [
                ("sum", math.fsum),
                ("sum", math.fsum),
                ("prod", lambda xs: math.prod(math.sin(x) for x in xs)),
                ("max", max),
                ("min", min),
            ]
        )
        if name == "prod":
            body = f"sin({body})"
        return f"{name}({text}, {body})", lambda v: reduce([inner({**v, j: m}) for m in members(v)])

    def _by_index(self, depth: int) -> tuple[str, Oracle]:
        i = self.rng.choice(self.indices)
        a, fa = self.expression(depth - 1)
        b, fb = self.expression(0)
        return f"(if {i} > 2 then {a} else {b})", lambda v: fa(v) if v[i] > 2 else fb(v)


def random_families(seed: int) -> RandomFamilies:
    """Sizes below and above the bound from which families stay rolled."""
    rng = random.Random(seed)
    n = rng.choice([4, 5, 7, 33, 40])
    q, q_value = _FamilyWriter(rng, ["x", "z", "p"], n).expression(2)
    writer = _FamilyWriter(rng, ["x", "z", "p", "q"], n)
    parts = [writer.expression(rng.choice([2, 3])) for _ in range(3)]
    cut = rng.randrange(1, n)
    lines = [
        f"model random_{seed}", f"const n = {n}", "param k = 0.7", "param p[n] = 1",
        "state x[n] = 0.5", "state z[n] = 0.5",
        f"x[i]' = {parts[0][0]} for i in 1..{cut}", f"x[i]' = {parts[1][0]} for i in {cut + 1}..n",
        f"z[n + 1 - i]' = {parts[2][0]} for i in 1..n", f"q[i] = {q} for i in 1..n",
    ]  # fmt: skip
    vectors = {name: [rng.uniform(-1.5, 1.5) for _ in range(n)] for name in ("x", "z", "p")}
    values: Values = {**vectors, "k": rng.uniform(0.2, 1.5), "t": rng.uniform(0, 3), "n": n}
    values["q"] = [q_value({**values, "i": i}) for i in range(1, n + 1)]
    every = [{**values, "i": i} for i in range(1, n + 1)]
    x = [parts[0 if i <= cut else 1][1](v) for i, v in enumerate(every, 1)]
    z = [parts[2][1](v) for v in every][::-1]
    return RandomFamilies(
        "\n".join(lines) + "\n", values["t"], n, {"x": vectors["x"], "z": vectors["z"]}, [values["k"], *vectors["p"]],
        {"x": x, "z": z}, values["q"],
    )  # fmt: skip
