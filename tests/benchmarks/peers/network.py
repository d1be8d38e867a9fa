"""A neural ODE in place of an interaction: Lotka and Volterra's growth and death, and a network 2-32-32-2, tanh; 31 points.

Every adapter gives `run(weights, starts (B, 2)) -> [loss, gradient…]` where the loss is the sum over trajectories of the squares
of all states at the 31 points, and the gradient is by all weights, flat: W0, b0, W1, b1, W2, b2, row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import hybridode as ho

TEXT = """model network
param alpha = 1.3 fixed
param delta = 1.8 fixed
state x = 0.44249296
state y = 4.6280594
nn U: 2 -> 2, hidden=[32, 32], act=tanh
[p, q] = U(x, y)
dx/dt = alpha*x + p
dy/dt = -delta*y + q
"""
SIZES = (2, 32, 32, 2)
TIMES = np.linspace(0.0, 3.0, 31)
RTOL, ATOL, MOST = 1e-6, 1e-6, 4096  # MOST steps: what Diffrax keeps for its gradient grows with it
Weights = list[tuple[np.ndarray, np.ndarray]]
Run = Callable[[Weights, np.ndarray], np.ndarray]


def weights(seed: int = 0) -> Weights:
    """Layers (out, in), (out,) of the size that Glorot's rule gives."""
    rng = np.random.default_rng(seed)
    return [(rng.normal(0, np.sqrt(2 / (a + b)), (b, a)), rng.normal(0, 0.1, b)) for a, b in pairwise(SIZES)]


def starts(count: int) -> np.ndarray:
    return np.array([0.44249296, 4.6280594]) * np.random.default_rng(1).uniform(0.8, 1.2, (count, 2))


def flat(loss: Any, layers: Any) -> np.ndarray:
    return np.concatenate([np.ravel(loss), *(np.ravel(a) for layer in layers for a in layer)])


def ours(engine: str) -> Run:
    """By the public interface; batches by vmap."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    solve = ho.parse(TEXT).solver(at=TIMES, rtol=RTOL, atol=ATOL, method="tsit5", engine=engine, max_steps=MOST)

    def loss(layers: Any, y0: Any) -> Any:
        arrays = {f"{kind}{k}": layer[i] for k, layer in enumerate(layers) for i, kind in enumerate("Wb")}
        return jnp.sum(jax.vmap(lambda y: jnp.sum(solve({"U": arrays}, y).states ** 2))(y0))

    return _jitted(loss)


def diffrax(solver: str = "Tsit5") -> Run:
    """As Diffrax's own examples: an MLP in the vector field, gradients backwards through the steps."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    times = jnp.array(TIMES)

    def rates(t: Any, y: Any, layers: Any) -> Any:
        z = y
        for w, b in layers[:-1]:
            z = jnp.tanh(w @ z + b)
        w, b = layers[-1]
        return jnp.array([1.3, -1.8]) * y + w @ z + b

    def one(layers: Any, y0: Any) -> Any:
        controller, save = diffrax.PIDController(rtol=RTOL, atol=ATOL), diffrax.SaveAt(ts=times)
        found = diffrax.diffeqsolve(diffrax.ODETerm(rates), getattr(diffrax, solver)(), times[0], times[-1], None, y0, layers,
                                    saveat=save, stepsize_controller=controller, max_steps=MOST)  # fmt: skip
        return jnp.sum(found.ys**2)

    return _jitted(lambda layers, y0: jnp.sum(jax.vmap(lambda y: one(layers, y))(y0)))


def _jitted(loss: Callable[[Any, Any], Any]) -> Run:
    import jax
    import jax.numpy as jnp

    both = jax.jit(jax.value_and_grad(loss))

    def run(layers: Weights, y0: np.ndarray) -> np.ndarray:
        return flat(*both([(jnp.asarray(w), jnp.asarray(b)) for w, b in layers], jnp.asarray(y0)))

    return run


def torch_function(adjoint: bool) -> Run:
    """torchdiffeq: one solve for the whole batch, its trajectories sharing their steps."""
    import torch
    from torchdiffeq import odeint, odeint_adjoint

    torch.set_num_threads(1)
    times, linear = torch.tensor(TIMES), torch.tensor([1.3, -1.8], dtype=torch.float64)

    class Field(torch.nn.Module):
        def __init__(self, layers: Weights) -> None:
            super().__init__()
            self.p = torch.nn.ParameterList([torch.tensor(a) for layer in layers for a in layer])

        def forward(self, t: Any, y: Any) -> Any:
            z = y
            for k in range(0, len(self.p) - 2, 2):
                z = torch.tanh(z @ self.p[k].T + self.p[k + 1])
            return linear * y + z @ self.p[-2].T + self.p[-1]

    def run(layers: Weights, y0: np.ndarray) -> np.ndarray:
        field = Field(layers)
        states = (odeint_adjoint if adjoint else odeint)(field, torch.tensor(y0), times, rtol=RTOL, atol=ATOL, method="dopri5")
        loss = (states**2).sum()
        loss.backward()
        return flat(loss.detach().numpy(), [[q.grad.numpy()] for q in field.p])

    return run


def contenders() -> dict[str, Callable[[], Run]]:
    return {
        "hybridode": lambda: ours("native"),
        "hybridode, engine diffrax": lambda: ours("diffrax"),
        "Diffrax Tsit5": diffrax,
        "torchdiffeq dopri5": lambda: torch_function(False),
        "torchdiffeq dopri5, adjoint": lambda: torch_function(True),
    }
