"""Random differential-algebraic systems of index 1, each made twice at once from one seed: as text and as a residual for IDA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.solve.dae_oracle import Dae

Row = Callable[[float, np.ndarray, np.ndarray, np.ndarray], complex]


@dataclass
class Writer:
    """What is collected: unknowns (do their derivatives occur, are their starts given), equations, parameters."""

    rng: np.random.Generator
    names: list[str] = field(default_factory=list)
    differential: list[bool] = field(default_factory=list)
    given: list[bool] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    p: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def parameter(self, name: str, low: float, high: float) -> int:
        """Its place."""
        self.p.append(float(np.round(self.rng.uniform(low, high), 3)))
        self.parameters.append(name)
        self.lines.append(f"param {name} = {self.p[-1]}")
        return len(self.p) - 1

    def unknown(self, name: str, start: float, differential: bool = True, given: bool = True) -> int:
        """Its place. An algebraic one's `start` is a guess; a state that is not `given` has none."""
        kind = "state" if differential else "alg"
        self.lines.append(f"{kind} {name} = {start}" if given or not differential else f"state {name}")
        self.names.append(name)
        self.differential.append(differential)
        self.given.append(differential and given)
        self.start.append(start if given else 0.0)
        return len(self.names) - 1

    def equation(self, left: str, right: str, row: Row) -> None:
        """left = right, in one of the ways to write it; `row` is left - right or its opposite."""
        ways = [f"0 = {right} - ({left})", f"{left} - ({right}) = 0", f"({right}) = {left}", f"{left} = {right}"]
        self.lines.append(f"0 = {right}" if left == "0" else ways[int(self.rng.choice([0, 1, 3] if right in self.names else 4))])
        self.rows.append(row)

    def made(self) -> RandomDae:
        order = self.rng.permutation(len(self.lines))
        text = "\n".join(["model random", *(self.lines[k] for k in order)]) + "\n"
        rows, start = tuple(self.rows), np.array(self.start)
        dae = Dae(
            lambda t, y, yp, p: np.array([row(t, y, yp, p) for row in rows]),
            np.array(self.differential),
            np.array(self.given),
            lambda p: start + 0 * p[0],
        )
        return RandomDae(text, tuple(self.names), tuple(self.parameters), np.array(self.p), dae)


@dataclass(frozen=True)
class RandomDae:
    """A model's text, its unknowns and parameters in order, and the same for the oracle."""

    text: str
    unknowns: tuple[str, ...]
    parameters: tuple[str, ...]
    p: np.ndarray
    dae: Dae


def equilibria(rng: np.random.Generator) -> RandomDae:
    """Slow exchange of total amounts T, whose parts bind each other at once: K z = F_a F_b, F + sum z = T."""
    w, n, m = Writer(rng), int(rng.integers(2, 5)), int(rng.integers(1, 4))
    total = [w.unknown(f"T{i}", float(np.round(rng.uniform(0.5, 2), 3))) for i in range(n)]
    free = [w.unknown(f"F{i}", 0.5, differential=False) for i in range(n)]
    bound = [w.unknown(f"z{j}", 0.1, differential=False) for j in range(m)]
    pairs = [tuple(int(k) for k in rng.choice(n, 2, replace=False)) for _ in range(m)]
    for j, (a, b) in enumerate(pairs):
        k = w.parameter(f"K{j}", 0.2, 2)
        w.equation(f"K{j}*z{j}", f"F{a}*F{b}",
                   lambda t, y, yp, p, z=bound[j], a=free[a], b=free[b], k=k: p[k] * y[z] - y[a] * y[b])  # fmt: skip
    for i in range(n):
        parts = tuple(j for j in range(m) if i in pairs[j])

        def whole(t, y, yp, p, i=i, parts=parts):
            return y[free[i]] + sum(y[bound[j]] for j in parts) - y[total[i]]

        w.equation(" + ".join([f"F{i}", *(f"z{j}" for j in parts)]), f"T{i}", whole)
        d, c, other = w.parameter(f"d{i}", 0.2, 1), w.parameter(f"c{i}", 0.2, 1), int(rng.integers(0, m))
        w.equation(f"T{i}'", f"c{i}*(1 + 0.5*sin(2*t)) - d{i}*F{i} + 0.3*z{other}",
                   lambda t, y, yp, p, i=i, d=d, c=c, z=bound[other]:
                   yp[total[i]] - p[c] * (1 + 0.5 * np.sin(2 * t)) + p[d] * y[free[i]] - 0.3 * y[z])  # fmt: skip
    return w.made()


BRANCHES: tuple[tuple[str, Callable], ...] = (
    ("{g}*({v})", lambda g, v: g * v),
    ("{g}*(exp(({v})/0.4) - 1)/5", lambda g, v: g * (np.exp(v / 0.4) - 1) / 5),
    ("{g}*(({v}) + tanh(3*({v})))", lambda g, v: g * (v + np.tanh(3 * v))),
)


def _roles(rng: np.random.Generator, n: int) -> list[str]:
    """What stands between a node and ground: a capacitor (always at the first), nothing, or (float, end) one to the next node."""
    roles = ["ground", *(str(role) for role in rng.choice(["ground", "none", "none", "float"], n - 1))]
    for i in range(1, n):
        if roles[i] == "float":
            roles[i] = "none" if i + 1 == n else "float"
            roles[i + 1 : i + 2] = ["end"] * len(roles[i + 1 : i + 2])
    return roles


def _currents(w: Writer, nodes: list[int]) -> list[list[tuple[str, Row]]]:
    """The currents into every node, as text and as functions: through random branches, to ground and from a source."""
    rng, n = w.rng, len(nodes)
    into: list[list[tuple[str, Row]]] = [[] for _ in nodes]
    joined = [(int(rng.integers(0, i)), i) for i in range(1, n)]
    joined += [(int(a), int(b)) for a, b in (rng.choice(n, 2, replace=False) for _ in range(int(rng.integers(0, 3))))]
    for k, (a, b) in enumerate(joined):
        text, law = BRANCHES[int(rng.integers(0, 3))]
        g = w.parameter(f"g{k}", 0.3, 2)
        shown = text.format(g=f"g{k}", v=f"v{a} - v{b}")

        def through(t, y, yp, p, law=law, g=g, a=nodes[a], b=nodes[b]):
            return law(p[g], y[a] - y[b])

        current: Row = through
        if rng.random() < 0.4:  # as an unknown of its own
            place = w.unknown(f"i{k}", 0.0, differential=False)
            w.equation(f"i{k}", shown, lambda *z, place=place, through=through: z[1][place] - through(*z))
            shown, current = f"i{k}", lambda t, y, yp, p, place=place: y[place]
        into[b].append((shown, current))
        into[a].append((f"(-{shown})", lambda *z, current=current: -current(*z)))
    into[0].append(("(sin(3*t) - v0)", lambda t, y, yp, p: np.sin(3 * t) - y[nodes[0]]))
    for i in range(n):
        leak = w.parameter(f"r{i}", 0.1, 0.5)
        into[i].append((f"(-r{i}*v{i})", lambda t, y, yp, p, leak=leak, v=nodes[i]: -p[leak] * y[v]))
    return into


def network(rng: np.random.Generator) -> RandomDae:
    """Nodes joined by resistors, diodes and saturating conductors, one driven; capacitors to ground or between two nodes.

    Capacitors that float make the mass matrix singular: the start of one of their nodes is not given, but computed.
    """
    w = Writer(rng)
    roles = _roles(rng, int(rng.integers(3, 7)))
    starts = [0.0 if role == "none" else float(np.round(rng.uniform(-0.5, 0.5), 3)) for role in roles]
    nodes = [w.unknown(f"v{i}", starts[i], role != "none", role != "end") for i, role in enumerate(roles)]
    for i, currents in enumerate(_currents(w, nodes)):
        first = i - 1 if roles[i] == "end" else i
        right, rows = " + ".join(s for s, _ in currents), tuple(row for _, row in currents)
        left, moving = {
            "none": ("0", ()),
            "ground": (f"C{i}*v{i}'", ((i, 1),)),
            "float": (f"C{i}*(v{i}' - v{i + 1}')", ((i, 1), (i + 1, -1))),
            "end": (f"-C{first}*(v{first}' - v{i}')", ((first, -1), (i, 1))),
        }[roles[i]]
        c = 0
        if moving:
            c = w.parameters.index(f"C{first}") if roles[i] == "end" else w.parameter(f"C{i}", 0.3, 2)

        def row(t, y, yp, p, c=c, moving=moving, rows=rows):
            return p[c] * sum(sign * yp[nodes[v]] for v, sign in moving) - sum(row(t, y, yp, p) for row in rows)

        w.equation(left, right, row)
    return w.made()


def implicit(rng: np.random.Generator) -> RandomDae:
    """Combinations of derivatives on the left, with factors that are constant or depend on a state, and algebraic unknowns that
    read states, each other and derivatives."""
    w, n, m = Writer(rng), int(rng.integers(2, 5)), int(rng.integers(0, 3))
    x = [w.unknown(f"x{i}", float(np.round(rng.uniform(-1, 1), 3))) for i in range(n)]
    z = [w.unknown(f"z{j}", 0.0, differential=False) for j in range(m)]
    for i in range(n):
        other, third = (i + 1) % n, int(rng.integers(0, n))
        a, b = w.parameter(f"a{i}", 0.8, 2), w.parameter(f"b{i}", -0.5, 0.5)
        bent = rng.random() < 0.4
        read = int(rng.integers(0, m)) if m else -1
        left = f"a{i}{f'*(1 + x{i}^2)' if bent else ''}*x{i}' + b{i}*x{other}'"
        right = f"-x{i} + 0.5*tanh(x{third}) + sin({i + 1}*t)" + (f" + 0.4*z{read}" if m else "")

        def row(t, y, yp, p, i=i, other=other, third=third, a=a, b=b, bent=bent, read=read):
            mass = p[a] * (1 + y[x[i]] ** 2 if bent else 1)
            force = -y[x[i]] + 0.5 * np.tanh(y[x[third]]) + np.sin((i + 1) * t) + (0.4 * y[z[read]] if m else 0)
            return mass * yp[x[i]] + p[b] * yp[x[other]] - force

        w.equation(left, right, row)
    for j in range(m):
        s, slope, k = int(rng.integers(0, n)), rng.random() < 0.5, w.parameter(f"k{j}", 0.1, 0.5)
        left = f"z{j} + k{j}*tanh(z{j} + x{s})" + (f" + 0.2*z{(j + 1) % m}" if m > 1 else "")
        right = f"cos(t) + 0.3*x{s}'" if slope else f"cos(t)*x{s}"

        def law(t, y, yp, p, j=j, s=s, slope=slope, k=k):
            value = y[z[j]] + p[k] * np.tanh(y[z[j]] + y[x[s]]) + (0.2 * y[z[(j + 1) % m]] if m > 1 else 0)
            return value - (np.cos(t) + 0.3 * yp[x[s]] if slope else np.cos(t) * y[x[s]])

        w.equation(left, right, law)
    return w.made()


def random_dae(seed: int) -> RandomDae:
    """One of the three kinds by turns."""
    return (equilibria, network, implicit)[seed % 3](np.random.default_rng(seed))
