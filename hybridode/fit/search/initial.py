"""What networks start from: shifts and scales of their inputs and the size of their outputs, taken from the data (rules D3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hybridode.data.columns import symbols_of_constants
from hybridode.data.evaluate import evaluate
from hybridode.data.experiments import Dataset
from hybridode.declarations import Declarations, Network, entry_names
from hybridode.expr import Expr, Symbol, postorder, substitute, symbols
from hybridode.fit.search.smooth import Curve

_GRID = 101  # times per series at which smoothed states are looked at
_SMALL = 1e-3


class Scene:
    """Values of every symbol along the data: smoothed states, inputs, parameters as declared; all of one length."""

    def __init__(self, dataset: Dataset, curves: Sequence[Mapping[Symbol, Curve]], values: Mapping[str, float]) -> None:
        d = dataset.declarations
        self.declarations = d
        grids = [np.linspace(s.start, s.end, _GRID) for s in dataset.series]
        self.leaves: dict[Symbol, Any] = {**symbols_of_constants(d), Symbol("time", d.time): np.concatenate(grids)}
        for p in d.parameters:
            for i, name in enumerate(entry_names(p.name, p.shape)):
                self.leaves[Symbol("parameter", p.name, i if p.shape else -1)] = values.get(name, p.values[i])
        self.slopes: dict[Symbol, np.ndarray] = {}
        self.guessed: set[Symbol] = set()
        self.span = max((s.end - s.start for s in dataset.series), default=1.0) or 1.0
        for state in d.states:
            for i, start in enumerate(state.start):
                symbol = Symbol("state", state.name, i if state.shape else -1)
                self._curve(symbol, start, grids, curves)
                self.leaves[symbol._replace(kind="derivative")] = self.slopes.get(symbol, 0.0)
        for unknown in d.algebraics:
            for i, guess in enumerate(unknown.guess):
                self._curve(Symbol("algebraic", unknown.name, i if unknown.shape else -1), guess, grids, curves)
        for signal in d.inputs:
            for i, name in enumerate(entry_names(signal.name, signal.shape)):
                symbol = Symbol("input", signal.name, i if signal.shape else -1)
                pairs = [s.inputs[name] for s in dataset.series]
                self.leaves[symbol] = np.concatenate([np.interp(g, *pair) for g, pair in zip(grids, pairs, strict=True)])
        bodies: dict[Symbol, Expr] = {}
        for definition in d.definitions:
            for i, e in enumerate(definition.elements):
                bodies[Symbol("definition", definition.name, i if definition.shape else -1)] = e
        self.bodies = bodies

    def _curve(self, symbol: Symbol, start: Expr, grids: list[np.ndarray], curves: Sequence[Mapping[Symbol, Curve]]) -> None:
        if all(symbol in c for c in curves) and curves:
            held = [np.clip(g, c[symbol].start, c[symbol].end) for g, c in zip(grids, curves, strict=True)]
            self.leaves[symbol] = np.concatenate([c[symbol].value(g) for g, c in zip(held, curves, strict=True)])
            self.slopes[symbol] = np.concatenate([c[symbol].slope(g) for g, c in zip(held, curves, strict=True)])
            return
        self.guessed.add(symbol)
        value = evaluate(start, self.leaves)
        self.leaves[symbol] = float(np.mean(value)) if value is not None and np.all(np.isfinite(value)) else 0.0

    def expanded(self, e: Expr) -> Expr:
        """The expression with definitions put in, level by level (circles are impossible in a checked model)."""
        while True:
            read = {x.data for x in postorder((e,)) if x.op == "sym" and x.data.kind == "definition"}
            if not read:
                return e
            (e,) = substitute((e,), {s: self.bodies[s] for s in read})

    def network_nodes(self) -> dict[str, list[Expr]]:
        """Every evaluation of each network in the file."""
        roots: list[Expr] = []
        for state in self.declarations.states:
            roots += [*state.rate, *state.start]
        for equation in self.declarations.equations:
            roots += equation.residuals
        for definition in self.declarations.definitions:
            roots += definition.elements
        for o in self.declarations.observations:
            roots += [e for _, e in o.arguments]
        found: dict[str, list[Expr]] = {}
        for e in postorder(roots):
            if e.op == "net":
                found.setdefault(e.data, []).append(e)
        return found


def network_constants(scene: Scene, network: Network, nodes: Sequence[Expr]) -> dict[str, np.ndarray]:
    """shift (in,), scale (in,) and out_scale () of a network; what the text gives stays."""
    shift, scale = np.zeros(network.inputs), np.ones(network.inputs)
    for j in range(network.inputs):
        shift[j], scale[j] = _input_scale(scene, [n.args[j] for n in nodes if j < len(n.args)])
    if network.shift is not None:
        shift = np.array(network.shift, float)
    if network.symmetry:
        shift = np.zeros(network.inputs)
    if network.scale is not None:
        scale = np.array(network.scale, float)
    out = _output_scale(scene, network) if network.out_scale is None else network.out_scale
    return {"shift": shift, "scale": scale, "out_scale": np.array(float(out))}


def _input_scale(scene: Scene, arguments: Sequence[Expr]) -> tuple[float, float]:
    """Mean and standard deviation over the data; for what is not observed 0 and the size at the start."""
    values = []
    for e in arguments:
        e = scene.expanded(e)
        value = evaluate(e, scene.leaves)
        if value is None or not np.all(np.isfinite(value)):
            return 0.0, 1.0
        if any(x.op == "sym" and x.data in scene.guessed for x in postorder((e,))):
            return 0.0, float(np.max(np.abs(value))) or 1.0
        values.append(np.ravel(value))
    if not values:
        return 0.0, 1.0
    everything = np.concatenate(values)
    sd, mean = float(np.std(everything)), float(np.mean(everything))
    return (mean, sd) if sd > 1e-9 * abs(mean) and sd > 0 else (0.0, abs(mean) or 1.0)


def _output_scale(scene: Scene, network: Network) -> float:
    """Median over the states whose rate the network moves: spread of the state's slope / |d rate / d network|; in an equation
    that holds with others, the spread of what the network is named after stands in place of the slope."""
    found = []
    for state in scene.declarations.states:
        for i, rate in enumerate(state.rate):
            symbol = Symbol("state", state.name, i if state.shape else -1)
            rate = scene.expanded(rate)
            effect = _effect(scene, network, rate)
            if effect is None or effect == 0:
                continue
            if symbol in scene.slopes:
                size = float(np.std(scene.slopes[symbol]))
            else:
                size = abs(float(np.mean(scene.leaves[symbol]))) / scene.span
            if size > 0:
                found.append(size / effect)
    for equation in scene.declarations.equations:
        for residual in map(scene.expanded, equation.residuals):
            effect, size = _effect(scene, network, residual), _size_of_unknown(scene, network, residual)
            if effect and size > 0:
                found.append(size / effect)
    value = float(np.median(found)) if found else 1.0
    return value if np.isfinite(value) and value > 0 else 1.0


def _size_of_unknown(scene: Scene, network: Network, residual: Expr) -> float:
    """How much the unknown after which a network is named moves the residual of its equation; 0 where its size is not known."""
    sizes = [0.0]
    for symbol in (
        s for s in symbols(residual) if s.name.rstrip("'") == network.equation and s.kind in ("derivative", "algebraic")
    ):
        state = symbol._replace(kind="state")
        if symbol.kind == "derivative" and state not in scene.slopes:
            size = abs(float(np.mean(scene.leaves[state]))) / scene.span
        else:
            values = np.asarray(scene.leaves[symbol])
            size = float(np.std(values)) if values.ndim else abs(float(values))
        moved = {e: 0.0 for e in postorder((residual,)) if e.op == "out"}
        here = evaluate(residual, scene.leaves, moved)
        there = evaluate(residual, {**scene.leaves, symbol: scene.leaves[symbol] + _SMALL}, moved)
        if here is not None and there is not None:
            sizes.append(size * float(np.median(np.abs(np.asarray(there) - np.asarray(here)))) / _SMALL)
    return max((size for size in sizes if np.isfinite(size)), default=0.0)


def _effect(scene: Scene, network: Network, rate: Expr) -> float | None:
    """Median of |d rate / d output| along the data, by a small step of all outputs; None when it cannot be evaluated."""
    outputs = [e for e in postorder((rate,)) if e.op == "out"]
    mine = [e for e in outputs if e.args[0].data == network.name]
    if not mine:
        return None
    others = dict.fromkeys(outputs, 0.0)
    here = evaluate(rate, scene.leaves, others)
    effects = []
    for e in mine:
        there = evaluate(rate, scene.leaves, {**others, e: _SMALL})
        if here is None or there is None:
            return None
        slope = np.abs(np.asarray(there) - np.asarray(here)) / _SMALL
        if np.all(np.isfinite(slope)):
            effects.append(float(np.median(slope)))
    effects = [x for x in effects if x > 0]
    return float(np.median(effects)) if effects else None


def scale_networks(
    declarations: Declarations, dataset: Dataset, curves: Sequence[Mapping[Symbol, Curve]], values: Mapping[str, float],
    weights: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, dict[str, np.ndarray]]:  # fmt: skip
    """The networks' arrays with shifts and scales from the data. Networks with a weights file keep theirs."""
    scene = Scene(dataset, curves, values)
    nodes = scene.network_nodes()
    out = {name: dict(arrays) for name, arrays in weights.items()}
    for network in declarations.networks:
        if network.weights:
            continue
        out[network.name].update(network_constants(scene, network, nodes.get(network.name, [])))
    return out
