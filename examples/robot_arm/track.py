"""Computes torques that lead the arm along a path, and tries them on the true arm: python track.py RUN tracking.svg

The torques at 41 times are optimised through the dynamics: the model is a function of JAX whose gradient by the torques goes to
SciPy's L-BFGS. Three models compute them: without friction, with viscous friction fitted to the same data, with what was learnt.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize

import hybridode as ho

jax.config.update("jax_enable_x64", True)

HERE = Path(__file__).parent
MADE: dict[str, Any] = runpy.run_path(str(HERE / "make_data.py"))
TIMES = np.linspace(0, 2, 41)  # s, of knots and of what is compared
GOAL = np.array([1.0, -1.2])  # rad: there in one second, and back
COLORS = {"no friction": "#8a8f98", "viscous friction": "#5f8f2f", "learnt friction": "#2763b5"}


def path() -> np.ndarray:
    """The angles that are wanted (times, 2): there and back with least jerk (T. Flash, N. Hogan, J. Neurosci. 5 (1985) 1688)."""
    s = 1 - np.abs(1 - TIMES)
    return np.multiply.outer(10 * s**3 - 15 * s**4 + 6 * s**5, GOAL)


def with_friction(law: str, *more: str) -> ho.Model:
    """The model of the example with a law in place of its networks."""
    lines = (HERE / "robot_arm.ode").read_text(encoding="utf-8").splitlines()
    known = [line for line in lines if not line.startswith("nn ")]
    laws = [f"func friction{j}(w) = {law.format(j=j)}" for j in (1, 2)]
    return ho.parse("\n".join([*known, *laws, *more]) + "\n", str(HERE / "robot_arm.ode"))


def models(run: Path) -> dict[str, ho.Model]:
    """By name; the viscous coefficients are fitted to the data that the networks were."""
    viscous = with_friction("b{j}*w", "param b1 = 0.3 in (0, 10)", "param b2 = 0.3 in (0, 10)")
    return {
        "no friction": with_friction("0*w"),
        "viscous friction": ho.fit(viscous, HERE / "data.csv").model,
        "learnt friction": ho.load(run / "fitted.ode"),
    }


def torques(model: ho.Model) -> np.ndarray:
    """(times, 2) for which the model follows the path."""
    solve, wanted = model.solver(at=TIMES, rtol=1e-6, atol=1e-8), jnp.asarray(path())

    @jax.jit
    @jax.value_and_grad
    def loss(flat: jax.Array) -> jax.Array:
        u = flat.reshape(-1, 2)
        sol = solve({}, inputs={"tau1": (TIMES, u[:, 0]), "tau2": (TIMES, u[:, 1])})
        missed = jnp.stack([sol["q1"], sol["q2"]], axis=1) - wanted
        return jnp.sum(missed**2) + 1e-5 * jnp.sum(jnp.diff(u, n=2, axis=0) ** 2)  # and no needless jerking

    numpy: Callable[[np.ndarray], Any] = lambda flat: [np.asarray(x, float) for x in loss(jnp.asarray(flat))]  # noqa: E731
    # Not from 0: an arm that nothing moves is solved in a few long steps, whose derivatives are poor.
    found = minimize(numpy, path().ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 1000, "maxfun": 2000})
    return found.x.reshape(-1, 2)


def tracked(run: Path) -> dict[str, np.ndarray]:
    """What the true arm does (times, 2) under the torques of each model."""
    at_rest = np.zeros(2)
    return {name: MADE["arm"](TIMES, at_rest, TIMES, torques(model)).T for name, model in models(run).items()}


def errors(found: dict[str, np.ndarray]) -> dict[str, float]:
    """Root mean square distance from the path, in degrees, by model."""
    return {name: float(np.degrees(np.sqrt(np.mean((angles - path()) ** 2)))) for name, angles in found.items()}


def learnt(run: Path, joint: int, speed: np.ndarray) -> np.ndarray:
    """Friction of a joint over speed: the networks of the fitted model along a speed that rises steadily."""
    lines = (run / "fitted.ode").read_text(encoding="utf-8").splitlines()
    (network,) = (line for line in lines if line.startswith(f"nn friction{joint}:"))
    text = f"model friction\ntime t\nstate w = {speed[0]}\n{network}\nw' = 1\nf = friction{joint}(w)\n"
    sol = ho.parse(text, str(run / "friction.ode")).simulate(at=speed - speed[0])
    return np.asarray(sol["f"])


def draw(run: Path, found: dict[str, np.ndarray]) -> Figure:
    """Left both frictions, learnt and true; right the angles that were wanted and those of the true arm."""
    figure = Figure(figsize=(8.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    speed = np.linspace(-4, 4, 401)
    truth = MADE["friction"](np.stack([speed, speed]))
    for joint, color in ((1, "#2763b5"), (2, "#c4570f")):
        left.plot(speed, learnt(run, joint, speed), color=color, linewidth=1.4, label=f"joint {joint}, learnt")
        left.plot(speed, truth[joint - 1], "--", color="#1b1f24", linewidth=1, label="truth" if joint == 2 else None)
    left.set(xlabel="speed, rad/s", ylabel="friction, N m")
    left.legend(frameon=False, fontsize=8)
    for joint in (0, 1):
        right.plot(TIMES, path()[:, joint], "--", color="#1b1f24", linewidth=1.2, label=None if joint else "wanted")
        for name, angles in found.items():
            right.plot(TIMES, angles[:, joint], color=COLORS[name], linewidth=1.3, label=None if joint else f"torques for {name}")
    right.set(xlabel="time, s", ylabel="angles of both joints, rad", ylim=(-1.35, 2.1))
    right.legend(frameon=False, fontsize=8, loc="upper left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    moved = tracked(Path(sys.argv[1]))
    for name, error in errors(moved).items():
        print(f"torques computed with {name}: the arm is {error:.2f} degrees off (rms)")
    draw(Path(sys.argv[1]), moved).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
