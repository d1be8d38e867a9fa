"""Networks in vector fields: Lotka and Volterra's interaction replaced (2-32-32-2), and DiffEqFlux's spiral (2-50-2).

Every contender gives `bind(weights, starts (B, 2)) -> call`: the arrays are put where the contender wants them, once, and a call
gives (loss, gradient by all weights in their layers) when it has been computed. The loss is the sum over trajectories of the
squares of all states at all points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import hybridode as ho

LOTKA_VOLTERRA = """model network
param alpha = 1.3 fixed
param delta = 1.8 fixed
state x = 0.44249296
state y = 4.6280594
nn U: 2 -> 2, hidden=[32, 32], act=tanh
[p, q] = U(x, y)
dx/dt = alpha*x + p
dy/dt = -delta*y + q
"""
SPIRAL = """model spiral
state x = 2
state y = 0
nn U: 2 -> 2, hidden=[50], act=tanh
[p, q] = U(x^3, y^3)
dx/dt = p
dy/dt = q
"""
RTOL, ATOL, MOST = 1e-6, 1e-6, 4096  # MOST steps: what Diffrax keeps for its gradient grows with it
Weights = list[tuple[np.ndarray, np.ndarray]]
Call = Callable[[], tuple[Any, Any]]
Bind = Callable[[Weights, np.ndarray], Call]


@dataclass(frozen=True)
class Problem:
    """y' = linear y + network(y^power), from around `start`, with the sizes of the layers and the points in time."""

    text: str
    sizes: tuple[int, ...]
    linear: tuple[float, float]
    power: int
    start: tuple[float, float]
    times: np.ndarray

    def weights(self, seed: int = 0) -> Weights:
        """Layers (out, in), (out,) of the size that Glorot's rule gives."""
        rng = np.random.default_rng(seed)
        return [(rng.normal(0, np.sqrt(2 / (a + b)), (b, a)), rng.normal(0, 0.1, b)) for a, b in pairwise(self.sizes)]

    def starts(self, count: int) -> np.ndarray:
        return np.array(self.start) * np.random.default_rng(1).uniform(0.8, 1.2, (count, 2))

    @property
    def layers(self) -> str:
        return "-".join(map(str, self.sizes))


PROBLEMS = {
    "Lotka–Volterra": Problem(LOTKA_VOLTERRA, (2, 32, 32, 2), (1.3, -1.8), 1, (0.44249296, 4.6280594), np.linspace(0, 3, 31)),
    "spiral": Problem(SPIRAL, (2, 50, 2), (0.0, 0.0), 3, (2.0, 0.0), np.linspace(0, 1.5, 30)),
}


def flat(loss: Any, layers: Any) -> np.ndarray:
    """[loss, W0, b0, W1, …], row by row."""
    return np.concatenate([np.ravel(loss), *(np.ravel(a) for layer in layers for a in layer)])


def ours(engine: str, problem: Problem) -> Bind:
    """By the public interface; batches by vmap."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    model = ho.parse(problem.text)
    solve = model.solver(at=problem.times, rtol=RTOL, atol=ATOL, method="tsit5", engine=engine, max_steps=MOST)

    def loss(layers: Any, y0: Any) -> Any:
        arrays = {f"{kind}{k}": layer[i] for k, layer in enumerate(layers) for i, kind in enumerate("Wb")}
        return jnp.sum(jax.vmap(lambda y: jnp.sum(solve({"U": arrays}, y).states ** 2))(y0))

    return _jitted(loss)


def diffrax(problem: Problem, solver: str = "Tsit5") -> Bind:
    """As Diffrax's own examples: an MLP in the vector field, gradients backwards through the steps."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    times, linear = jnp.array(problem.times), jnp.array(problem.linear)

    def rates(t: Any, y: Any, layers: Any) -> Any:
        z = y**problem.power
        for w, b in layers[:-1]:
            z = jnp.tanh(w @ z + b)
        w, b = layers[-1]
        return linear * y + w @ z + b

    def one(layers: Any, y0: Any) -> Any:
        controller, save = diffrax.PIDController(rtol=RTOL, atol=ATOL), diffrax.SaveAt(ts=times)
        found = diffrax.diffeqsolve(diffrax.ODETerm(rates), getattr(diffrax, solver)(), times[0], times[-1], None, y0, layers,
                                    saveat=save, stepsize_controller=controller, max_steps=MOST)  # fmt: skip
        return jnp.sum(found.ys**2)

    return _jitted(lambda layers, y0: jnp.sum(jax.vmap(lambda y: one(layers, y))(y0)))


def _jitted(loss: Callable[[Any, Any], Any]) -> Bind:
    import jax
    import jax.numpy as jnp

    both = jax.jit(jax.value_and_grad(loss))

    def bind(layers: Weights, y0: np.ndarray) -> Call:
        given = [(jnp.asarray(w), jnp.asarray(b)) for w, b in layers], jnp.asarray(y0)
        return lambda: jax.block_until_ready(both(*given))

    return bind


def torch_function(adjoint: bool, problem: Problem) -> Bind:
    """torchdiffeq: one solve for the whole batch, its trajectories sharing their steps."""
    import torch
    from torchdiffeq import odeint, odeint_adjoint

    torch.set_num_threads(1)
    times, linear = torch.tensor(problem.times), torch.tensor(problem.linear, dtype=torch.float64)

    class Field(torch.nn.Module):
        def __init__(self, layers: Weights) -> None:
            super().__init__()
            self.p = torch.nn.ParameterList([torch.tensor(a) for layer in layers for a in layer])

        def forward(self, t: Any, y: Any) -> Any:
            z = y**problem.power
            for k in range(0, len(self.p) - 2, 2):
                z = torch.tanh(z @ self.p[k].T + self.p[k + 1])
            return linear * y + z @ self.p[-2].T + self.p[-1]

    def bind(layers: Weights, y0: np.ndarray) -> Call:
        field, start = Field(layers), torch.tensor(y0)

        def call() -> tuple[Any, Any]:
            field.zero_grad()
            states = (odeint_adjoint if adjoint else odeint)(field, start, times, rtol=RTOL, atol=ATOL, method="dopri5")
            loss = (states**2).sum()
            loss.backward()
            return loss.detach().numpy(), [[q.grad.numpy()] for q in field.p]

        return call

    return bind


def contenders(problem: Problem) -> dict[str, Callable[[], Bind]]:
    made = {
        "hybridode": partial(ours, "native"),
        "hybridode, engine diffrax": partial(ours, "diffrax"),
        "Diffrax Tsit5": diffrax,
        "torchdiffeq dopri5": partial(torch_function, False),
        "torchdiffeq dopri5, adjoint": partial(torch_function, True),
    }
    return {name: partial(make, problem) for name, make in made.items()}
