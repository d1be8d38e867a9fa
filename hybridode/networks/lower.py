"""Networks as tape nodes: `lower(network)` gives the function that writes a network's evaluation into a builder.

With z = (x - shift)/scale (shift 0 under a symmetry, rule D6) the value is

    out_scale * S(F)(z),   F(z) = positive(final(W_L a_(L-1) + b_L)),   a_l = act(W_l a_(l-1) + b_l),   a_0 = z

where S is the identity, or (F(z) - F(-z))/2 for odd, (F(z) + F(-z))/2 for even, and positive(v) = softplus(v + log(e - 1)),
which is 1 at v = 0 (rule D4). With `zero_at` the value at x0 is subtracted, x with the given numbers in their places (conditions
by construction: Lagaris, Likas, Fotiadis, IEEE Trans. Neural Netw. 9 (1998) 987). A monotone network has |W_l| for W_l in every
layer after the first, and in the first +|W| or -|W| in the columns of inputs that are "up" or "down" (rule D7; Sill, NIPS 1997:
increasing activations, weights of one sign).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from hybridode.declarations import Network, size
from hybridode.tape.tape import TapeBuilder

Node = int
Activation = Callable[[TapeBuilder, Node], Node]


def _swish(b: TapeBuilder, x: Node) -> Node:
    return b.mul(x, b.make("sigmoid", x))


def _gelu(b: TapeBuilder, x: Node) -> Node:
    """x times the normal distribution function (Hendrycks and Gimpel 2016, exact form)."""
    return b.mul(b.mul(b.const(0.5), x), b.add(b.const(1.0), b.make("erf", b.mul(b.const(math.sqrt(0.5)), x))))


def _rbf(b: TapeBuilder, x: Node) -> Node:
    return b.make("exp", b.neg(b.mul(x, x)))


ACTIVATIONS: dict[str, Activation] = {
    "linear": lambda b, x: x,
    "tanh": lambda b, x: b.make("tanh", x),
    "softplus": lambda b, x: b.make("softplus", x),
    "sigmoid": lambda b, x: b.make("sigmoid", x),
    "relu": lambda b, x: b.make("relu", x),
    "sin": lambda b, x: b.make("sin", x),
    "swish": _swish,
    "gelu": _gelu,
    "rbf": _rbf,
}
POSITIVE_SHIFT = math.log(math.expm1(1.0))  # softplus of it is 1


def widths(network: Network) -> list[int]:
    """Numbers of values between the layers, inputs first, outputs last."""
    return [network.inputs, *network.hidden, size(network.outputs)]


def weight_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the trainable arrays: W0 (out, in), b0 (out,), …; an odd network has no last bias (it would cancel)."""
    layers = widths(network)
    shapes: dict[str, tuple[int, ...]] = {}
    for k, (n, m) in enumerate(pairwise(layers)):
        shapes[f"W{k}"] = (m, n)
        if not (network.symmetry == "odd" and k == len(layers) - 2):
            shapes[f"b{k}"] = (m,)
    return shapes


def lower(network: Network) -> Callable[[TapeBuilder, Node], Node]:
    """The function (builder, node of x) -> node of the outputs, flat: x (inputs,) -> (outputs,), x (inputs, k) -> (outputs, k).

    Reads the tape inputs `NAME.W0` …, `NAME.b0` …, `NAME.shift`, `NAME.scale` (inputs,), `NAME.out_scale` ().
    """

    def evaluate(b: TapeBuilder, x: Node) -> Node:
        weights = _weights(b, network)
        value = symmetric(b, weights, x)
        if network.zero_at:
            value = b.sub(value, symmetric(b, weights, _anchored(b, network, x)))
        return b.mul(b.input(f"{network.name}.out_scale"), value)

    def symmetric(b: TapeBuilder, weights: dict[str, Node], x: Node) -> Node:
        z = x
        if not network.symmetry:
            z = b.sub(z, _along(b, b.input(f"{network.name}.shift", (network.inputs,)), b.shape(x)))
        z = b.div(z, _along(b, b.input(f"{network.name}.scale", (network.inputs,)), b.shape(x)))
        value = _layers(b, network, weights, z)
        if network.symmetry:
            mirrored = _layers(b, network, weights, b.neg(z))
            both = b.sub(value, mirrored) if network.symmetry == "odd" else b.add(value, mirrored)
            value = b.mul(b.const(0.5), both)
        return value

    return evaluate


def _anchored(b: TapeBuilder, network: Network, x: Node) -> Node:
    """x with the numbers of `zero_at` in their places. In x's own shape, so that the same operations give the same value: the
    difference at the point is exactly 0."""
    shape = b.shape(x)
    numbers = _along(b, b.constant([0.0 if a is None else a for a in network.zero_at]), shape)
    if None not in network.zero_at:
        return numbers
    return b.select(_along(b, b.constant([a is None for a in network.zero_at]), shape), x, numbers)


def _along(b: TapeBuilder, vector: Node, shape: tuple[int, ...]) -> Node:
    """A vector beside one evaluation, or repeated for each of several."""
    rows = b.shape(vector)[0]
    return vector if len(shape) == 1 else b.broadcast(vector, (rows, shape[1]), axis=1)


def _weights(b: TapeBuilder, network: Network) -> dict[str, Node]:
    nodes = {name: b.input(f"{network.name}.{name}", shape) for name, shape in weight_shapes(network).items()}
    if network.monotone and any(word != "none" for word in network.monotone):
        for name in nodes:
            if name[0] == "W":
                nodes[name] = _signed(b, network, nodes[name]) if name == "W0" else b.make("abs", nodes[name])
    return nodes


def _signed(b: TapeBuilder, network: Network, w: Node) -> Node:
    """First layer: the columns of inputs with a direction get its sign, the others stay as they are."""
    words = monotone_words(network)
    if set(words) == {"up"}:
        return b.make("abs", w)
    shape = b.shape(w)
    up = b.constant([[word == "up" for word in words]] * shape[0])
    free = b.constant([[word == "none" for word in words]] * shape[0])
    magnitude = b.make("abs", w)
    return b.select(free, w, b.select(up, magnitude, b.neg(magnitude)))


def monotone_words(network: Network) -> tuple[str, ...]:
    """One word per input; one word given stands for all (rule D7)."""
    return network.monotone * network.inputs if len(network.monotone) == 1 else network.monotone


def _layers(b: TapeBuilder, network: Network, weights: dict[str, Node], x: Node) -> Node:
    last = len(network.hidden)
    for k in range(last + 1):
        several = len(b.shape(x)) == 2
        x = b.make("matmul", weights[f"W{k}"], x, attrs=(False, False)) if several else b.make("matvec", weights[f"W{k}"], x)
        if f"b{k}" in weights:
            x = b.add(x, _along(b, weights[f"b{k}"], b.shape(x)))
        x = ACTIVATIONS[network.act if k < last else network.final](b, x)
    return b.make("softplus", b.add(x, b.const(POSITIVE_SHIFT))) if network.positive else x
