"""The values of reference.toml that are not published: `python -m tests.problems.make_references`.

End values of Lorenz's system and of Lotka and Volterra's by Taylor series with 40 digits; the gradient of the sum of POLLU's
states by its variational equations (directions by complex steps), each with SciPy's Radau at rtol = 1e-11.
"""

from __future__ import annotations

import mpmath as mp
import numpy as np
from scipy.integrate import solve_ivp

from tests.benchmarks.peers.generated import function, values
from tests.problems import HERE, problems

END = 10


def lorenz(_: mp.mpf, y: list[mp.mpf]) -> list[mp.mpf]:
    beta = mp.mpf(2.6666666666666665)  # the float64 that the model has
    return [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - beta * y[2]]


def lotka_volterra(_: mp.mpf, y: list[mp.mpf]) -> list[mp.mpf]:
    return [mp.mpf(1.5) * y[0] - y[0] * y[1], y[0] * y[1] - 3 * y[1]]


def pollu_gradient() -> list[float]:
    """d (sum of the states at the end) by the 25 parameters, then by the 20 initial values."""
    problem = problems()["pollu"]
    rates, (p, y0) = function(problem.text), (np.array(v) for v in values(problem.text))
    n, tiny, slopes = len(y0), 1e-40, []
    for direction in np.eye(len(p) + n):
        dp, dy0 = direction[: len(p)], direction[len(p) :]
        # A parameter moves by its own size, so that the tolerances mean the same for all.
        size = p[np.argmax(dp)] if dp.any() else 1.0

        def right(t: float, z: np.ndarray, dp: np.ndarray = dp * size) -> np.ndarray:
            f = np.array(rates(z[:n] + 1j * tiny * z[n:], p + 1j * tiny * dp, t))
            return np.concatenate([f.real, f.imag / tiny])

        z = solve_ivp(right, (0, problem.end), np.concatenate([y0, dy0]), "Radau", rtol=1e-11, atol=1e-15).y[:, -1]
        slopes.append(float(z[n:].sum() / size))
    return slopes


def main() -> None:
    mp.mp.dps = 40
    for rates, start in ((lorenz, [1, 1, 1]), (lotka_volterra, [1, 1])):
        print(rates.__name__, [float(v) for v in mp.odefun(rates, 0, start)(END)])
    body = "\n".join(f"  {v!r}," for v in pollu_gradient())
    (HERE / "pollu_gradient.toml").write_text(f"# Made by make_references.py.\nvalues = [\n{body}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
