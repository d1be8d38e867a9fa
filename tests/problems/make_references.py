"""End values of Lorenz's system and of Lotka and Volterra's, by Taylor series with 40 digits: `python make_references.py`."""

from __future__ import annotations

import mpmath as mp

END = 10


def lorenz(_: mp.mpf, y: list[mp.mpf]) -> list[mp.mpf]:
    beta = mp.mpf(2.6666666666666665)  # the float64 that the model has
    return [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - beta * y[2]]


def lotka_volterra(_: mp.mpf, y: list[mp.mpf]) -> list[mp.mpf]:
    return [mp.mpf(1.5) * y[0] - y[0] * y[1], y[0] * y[1] - 3 * y[1]]


def main() -> None:
    mp.mp.dps = 40
    for rates, start in ((lorenz, [1, 1, 1]), (lotka_volterra, [1, 1])):
        values = [float(v) for v in mp.odefun(rates, 0, start)(END)]
        print(rates.__name__, values)


if __name__ == "__main__":
    main()
