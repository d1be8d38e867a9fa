"""Random systems with events: the text of the language and the same in Python, from one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tests.solve.event_oracle import Event, Stretch

END = 8.0


@dataclass(frozen=True)
class Signal:
    """An input from a small table, held outside: its name, interpolation and records; what it adds to rates and thresholds."""

    name: str
    kind: str
    knots: np.ndarray
    values: np.ndarray
    push: np.ndarray
    shift: np.ndarray

    def at(self, t: float, within: float) -> float:
        """The value at t of the piece in which `within` lies."""
        j = int(np.searchsorted(self.knots, within, side="right")) - 1
        if j < 0 or j >= len(self.knots) - 1 or self.kind == "previous":
            return float(self.values[max(j, 0)])
        slope = (self.values[j + 1] - self.values[j]) / (self.knots[j + 1] - self.knots[j])
        return float(self.values[j] + slope * (t - self.knots[j]))


@dataclass(frozen=True)
class Schedule:
    """`at a [+ h/2] every h [until a + 3*h]` gives a dose to state `target`.

    `mix`: a second statement at the first time, `x := 0.8*x + 0.1*other`.
    """

    late: bool
    repeats: bool
    count: int | None
    target: int
    mix: bool
    p: np.ndarray  # a, h, dose

    def lines(self, n: int, signals: tuple[Signal, ...]) -> list[str]:
        x, other = f"x{self.target}", f"x{(self.target + 1) % n}"
        first = "a + h/2" if self.late else "a"
        every = " every h" if self.repeats else ""
        until = f" until {first} + {self.count - 1}*h" if self.count is not None and self.repeats else ""
        size = f"dose*(1 + 0.1*t{''.join(f' + 0.2*{s.name}' for s in signals)})"
        out = [f"at {first}{every}{until} {{ {x} := {x} + {size}; {other} := {other} + 0.1*{x}; hits := hits + 100 }}"]
        return [*out, f"at {first} {{ {x} := 0.8*{x} + 0.1*{other}; hits := 2*hits }}"] if self.mix else out

    def times(self, a: float, h: float) -> list[float]:
        first = a + h / 2 if self.late else a
        count = (self.count or 1000) if self.repeats else 1
        return [t for k in range(count) if (t := first + k * h) <= END]


@dataclass(frozen=True)
class System:
    """A damped rotation that is driven, with thresholds. States x and, last, the count `hits`.

    Each event puts its state back behind the threshold by a jump that is not small, so that no event follows by rounding alone.
    Parameters p: thresholds and jumps, damping, then those of the schedule.
    """

    text: str
    p: np.ndarray
    names: tuple[str, ...]
    n: int
    matrix: np.ndarray
    drive: np.ndarray
    watched: tuple[int, ...]
    signs: tuple[int, ...]
    schedule: Schedule | None
    signals: tuple[Signal, ...]

    @property
    def movable(self) -> np.ndarray:
        """1 for every parameter that solutions are differentiable by, 0 for a time on a knot."""
        on_knot = [k for k, name in enumerate(self.names) if name == "a" and any(self.p[k] in s.knots for s in self.signals)]
        return np.where(np.isin(np.arange(len(self.p)), on_knot), 0.0, 1.0)

    @property
    def records(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {s.name: (s.knots, s.values) for s in self.signals}

    def stretches(self, p: np.ndarray) -> list[Stretch]:
        """From one known time or knot to the next."""
        known = self._known(p)
        stops = sorted({*known, *(t for s in self.signals for t in s.knots if t > 0), END})
        return [
            Stretch(b, self._rates(p, (a + b) / 2), self._events(p, (a + b) / 2), known.get(b, []))
            for a, b in pairwise([0.0, *stops])
        ]

    def _rates(self, p, within):
        k = p[2 * len(self.watched)]

        def f(t, y):
            x = np.asarray(y)[: self.n]
            pushed = sum(s.push * s.at(t, within) for s in self.signals)
            return np.append(self.matrix @ x - k * x + self.drive * np.sin(t) + pushed, 0.0)

        return f

    def _events(self, p, within):
        out = []
        for e, (i, sign) in enumerate(zip(self.watched, self.signs, strict=True)):

            def guard(t, y, e=e, i=i, sign=sign):
                return sign * (y[i] - p[2 * e] - sum(s.shift[e] * s.at(t, within) for s in self.signals))

            def action(t, y, e=e, i=i, sign=sign):
                y, before, other = np.array(y), y[i], (i + 1) % self.n
                y[i] -= sign * p[2 * e + 1]
                y[other] += 0.1 * before + sum(0.1 * s.at(t, within) for s in self.signals)
                y[-1] += 1
                return y

            out.append(Event(guard, action))
        return out

    def _known(self, p):
        """The actions of every time of the schedule."""
        if self.schedule is None:
            return {}
        a, h, dose = p[2 * len(self.watched) + 1 :]
        target, other = self.schedule.target, (self.schedule.target + 1) % self.n

        def give(t, y):
            y, before = np.array(y), y[target]
            y[target] += dose * (1 + 0.1 * t + sum(0.2 * s.at(t, t) for s in self.signals))
            y[other] += 0.1 * before
            y[-1] += 100
            return y

        def mix(t, y):
            y = np.array(y)
            y[target], y[-1] = 0.8 * y[target] + 0.1 * y[other], 2 * y[-1]
            return y

        times = self.schedule.times(a, h)
        return {t: [give, mix] if k == 0 and self.schedule.mix else [give] for k, t in enumerate(times)}


def system(seed: int, kind: str = "plain") -> System:
    """kind: `plain` (thresholds alone), `at` (with known times), `inputs` (with signals), `both`, `meeting` (a on a knot)."""
    rng = np.random.default_rng(seed)
    n, count = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    skew = rng.normal(size=(n, n))
    matrix = np.round(skew - skew.T, 3)
    drive = np.round(rng.uniform(0.5, 2, n), 3)
    watched = tuple(int(k) for k in rng.integers(0, n, count))
    signs = tuple(int(k) for k in rng.choice([-1, 1], count))
    p = np.round(
        np.concatenate([*([s * rng.uniform(0.1, 0.6), rng.uniform(0.4, 1.0)] for s in signs), [rng.uniform(0.1, 0.5)]]), 3
    )
    names = (*(name for e in range(count) for name in (f"level{e}", f"jump{e}")), "k")
    written = rng.integers(0, 3, count)
    signals = _signals(rng, n, count) if kind in ("inputs", "both", "meeting") else ()
    schedule = _schedule(rng, watched[0], signs[0]) if kind in ("at", "both", "meeting") else None
    if kind == "meeting" and schedule is not None and signals:
        schedule = replace(schedule, late=False, p=np.array([signals[0].knots[2], *schedule.p[1:]]))
    if schedule is not None:
        p, names = np.concatenate([p, schedule.p]), (*names, "a", "h", "dose")
    lines = ["model random", *(f"param {name} = {value}" for name, value in zip(names, p, strict=True))]
    lines += [f"input {s.name} from data.{s.name}, interp={s.kind}" for s in signals]
    lines += [f"state x{i} = 0" for i in range(n)] + ["discrete hits = 0"]
    for i in range(n):
        terms = " + ".join(f"({matrix[i, j]})*x{j}" for j in range(n))
        pushed = "".join(f" + ({s.push[i]})*{s.name}" for s in signals)
        lines.append(f"x{i}' = {terms} - k*x{i} + {drive[i]}*sin(t){pushed}")
    for e, (i, sign) in enumerate(zip(watched, signs, strict=True)):
        level = f"(level{e}{''.join(f' + ({s.shift[e]})*{s.name}' for s in signals)})" if signals else f"level{e}"
        compare = ">" if sign > 0 else "<"
        condition = (f"x{i} {compare} {level}", f"x{i} - {level} {'rising' if sign > 0 else 'falling'}",
                     f"not (x{i} {'<=' if sign > 0 else '>='} {level})")[written[e]]  # fmt: skip
        other, more = f"x{(i + 1) % n}", "".join(f" + 0.1*{s.name}" for s in signals)
        change = f"x{i} := x{i} {'-' if sign > 0 else '+'} jump{e}; {other} := {other} + 0.1*x{i}{more}; hits := hits + 1"
        lines.append(f"event e{e} when {condition} {{ {change} }}")
    if schedule is not None:
        lines += schedule.lines(n, signals)
    return System("\n".join(lines) + "\n", p, names, n, matrix, drive, watched, signs, schedule, signals)


def _schedule(rng: np.random.Generator, target: int, sign: int) -> Schedule:
    """Doses push towards the first event's threshold, so that many of them turn its condition true."""
    count = int(rng.integers(2, 5)) if rng.random() < 0.5 else None
    p = np.round([rng.uniform(0.2, 2), rng.uniform(0.8, 2.2), sign * rng.uniform(0.3, 0.9)], 3)
    return Schedule(bool(rng.random() < 0.5), bool(rng.random() < 0.8), count, target, bool(rng.random() < 0.5), p)


def _signals(rng: np.random.Generator, n: int, events: int) -> tuple[Signal, ...]:
    """One that jumps, one that does not, or both."""
    chosen = ([("u", "previous")], [("w", "linear")], [("u", "previous"), ("w", "linear")])[int(rng.integers(0, 3))]
    return tuple(
        Signal(name, kind, np.round(np.cumsum(rng.uniform(0.4, 2, 6)) - 0.5, 3), np.round(rng.uniform(-1, 1, 6), 3),
               np.round(rng.uniform(-0.6, 0.6, n), 3), np.round(rng.uniform(-0.4, 0.4, events), 3))
        for name, kind in chosen
    )  # fmt: skip
