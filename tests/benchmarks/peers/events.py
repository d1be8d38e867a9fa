"""Solvers that locate events. Each stops at one, and is started again after its action: by hand in Python, in Diffrax by a scan.

Those that would find the event which has just happened again (torchdiffeq, Diffrax) get guards that are lower by `NUDGE`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

import hybridode as ho
from tests.benchmarks.peers import ours
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.problems.events import Arrays

NUDGE = 1e-10
NUMPY = Arrays(list, np.concatenate, math.cos, np.where, np.arange)


def numpy_functions(problem: Any) -> tuple[Any, Any, Any]:
    """rates(t, y), guards(t, y), act(k, y). Of many guards the largest alone: it is 0 where the first of them is."""
    p, many = problem.p, len(problem.y0) > 10
    if many:
        return (
            lambda t, y: problem.rates(NUMPY, t, y, p),
            lambda t, y: [np.max(problem.guards(NUMPY, t, y, p))],
            lambda k, y: problem.act(NUMPY, int(np.argmax(problem.guards(NUMPY, 0.0, y, p))), y, p),
        )
    return (
        lambda t, y: problem.rates(NUMPY, t, y.tolist(), p),
        lambda t, y: problem.guards(NUMPY, t, y, p),
        lambda k, y: np.array(problem.act(NUMPY, k, y, p)),
    )


def prepare_scipy(problem: Any, method: str) -> At:
    from scipy.integrate import solve_ivp

    rates, guards, act = numpy_functions(problem)
    count, events = len(guards(0.0, np.array(problem.y0))), []
    for k in range(count):

        def guard(t: float, y: np.ndarray, k: int = k) -> float:
            return guards(t, y)[k]

        guard.terminal, guard.direction = True, 1  # type: ignore[attr-defined]
        events.append(guard)

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            t, y = 0.0, np.array(problem.y0)
            while True:
                found = solve_ivp(rates, (t, problem.end), y, method, [problem.end], rtol=rtol, atol=atol, events=events)
                if found.status == 0:
                    return found.y[:, -1]
                if found.status < 0:
                    raise CannotSolve(found.message)
                k = next(k for k in range(count) if len(found.t_events[k]))
                t, y = found.t_events[k][-1], act(k, found.y_events[k][-1])

        return runner

    return at


def prepare_sundae(problem: Any) -> At:
    from sksundae.cvode import CVODE

    rates, guards, act = numpy_functions(problem)
    count = len(guards(0.0, np.array(problem.y0)))

    def right(t: float, y: Any, out: Any) -> None:
        out[:] = rates(t, y)

    def roots(t: float, y: Any, out: Any) -> None:
        out[:] = guards(t, y)

    roots.terminal, roots.direction = [True] * count, [1] * count  # type: ignore[attr-defined]

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            # A new one for each run: it collects the events of all its solves.
            solver = CVODE(right, method="Adams", rtol=rtol, atol=atol, max_num_steps=1_000_000, eventsfn=roots, num_events=count)
            t, y = 0.0, np.array(problem.y0)
            while True:
                found = solver.solve(np.array([t, problem.end]), y)
                if not found.success:
                    raise CannotSolve(found.message)
                if found.t[-1] >= problem.end:
                    return found.y[-1]
                k = int(np.flatnonzero(np.asarray(found.i_events[-1]))[0])
                t, y = float(found.t[-1]), act(k, np.asarray(found.y[-1]))

        return runner

    return at


# ---- torchdiffeq -------------------------------------------------------------------------------------------------------
def torch_solve(problem: Any, p: Any, rtol: float, atol: float) -> Any:
    """The state at the end. Guards and the end itself are one event function, positive before either."""
    import torch
    from torchdiffeq import odeint, odeint_event

    x = Arrays(torch.stack, torch.cat, torch.cos, torch.where, torch.arange)
    options = {"rtol": rtol, "atol": atol, "method": "dopri5"}
    t, y = torch.tensor(0.0, dtype=torch.float64), torch.tensor(problem.y0, dtype=torch.float64)

    def guards(t: Any, y: Any) -> Any:
        found = problem.guards(x, t, y, p)
        return found if torch.is_tensor(found) else torch.stack(found)

    def rates(t: Any, y: Any) -> Any:
        return problem.rates(x, t, y, p)

    def before(t: Any, y: Any) -> Any:
        return torch.minimum(NUDGE - guards(t, y).max(), problem.end - t)

    while True:
        t, path = odeint_event(rates, y, t, event_fn=before, odeint_interface=odeint, **options)
        y = path[-1]
        if float(t) >= problem.end - 10 * atol:  # the end is an event, found as accurately as others
            return y
        y = problem.act(x, int(guards(t, y).argmax()), y, p)


def prepare_torch(problem: Any, gradient: bool = False) -> At:
    import torch

    torch.set_num_threads(1)

    def at(rtol: float, atol: float) -> Runner:
        def value() -> np.ndarray:
            with torch.no_grad():
                return torch_solve(problem, torch.tensor(problem.p, dtype=torch.float64), rtol, atol).numpy()

        def both() -> np.ndarray:
            p = torch.tensor(problem.p, dtype=torch.float64, requires_grad=True)
            total = torch_solve(problem, p, rtol, atol).sum()
            total.backward()
            assert p.grad is not None
            return np.append(total.item(), p.grad.numpy())

        return both if gradient else value

    return at


# ---- Diffrax -----------------------------------------------------------------------------------------------------------
def diffrax_solve(problem: Any, solver: str, p: Any, rtol: float, atol: float) -> Any:
    """The state at the end: a scan over as many events as happen, and the rest."""
    import diffrax
    import jax
    import jax.numpy as jnp
    import optimistix

    x = Arrays(jnp.stack, jnp.concatenate, jnp.cos, jnp.where, jnp.arange)

    def largest(t: Any, y: Any, args: Any, **_: Any) -> Any:
        return jnp.max(jnp.asarray(problem.guards(x, t, y, args))) - NUDGE

    event = diffrax.Event(largest, optimistix.Newton(rtol, atol), direction=True)
    term = diffrax.ODETerm(lambda t, y, p: problem.rates(x, t, y, p))
    control = diffrax.PIDController(rtol=rtol, atol=atol)

    def stretch(carry: Any, _: Any) -> Any:
        t, y = carry
        found = diffrax.diffeqsolve(term, getattr(diffrax, solver)(), t, problem.end, None, y, p, event=event,
                                    stepsize_controller=control, max_steps=4096)  # fmt: skip
        t, y = found.ts[-1], found.ys[-1]
        k = jnp.argmax(jnp.asarray(problem.guards(x, t, y, p)))
        return (t, jnp.where(found.event_mask, problem.act(x, k, y, p), y)), None

    start = jnp.asarray(0.0), jnp.asarray(problem.y0)
    (t, y), _ = jax.lax.scan(stretch, start, None, length=problem.firings + 1)
    return jnp.where(t >= problem.end - 1e-9, y, jnp.nan)


def prepare_diffrax(problem: Any, solver: str, gradient: bool = False) -> At:
    """Compiled once for all tolerances."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    p, solve = jnp.array(problem.p), partial(diffrax_solve, problem, solver)
    run = jax.jit(solve)
    both = jax.jit(jax.value_and_grad(lambda p, rtol, atol: solve(p, rtol, atol).sum()))

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            if not gradient:
                return np.asarray(run(p, rtol, atol))
            value, slopes = both(p, rtol, atol)
            return np.append(value, slopes)

        return runner

    return at


# ---- ours --------------------------------------------------------------------------------------------------------------
def prepare_ours(problem: Any, method: str = "auto") -> At:
    """Value and gradient."""
    import jax

    jax.config.update("jax_enable_x64", True)
    model = ho.parse(problem.text)
    names, p = ours.parameter_names(model), jax.numpy.array(problem.p)

    def at(rtol: float, atol: float) -> Runner:
        solve = ours.solver(model, problem.end, rtol, atol, method)
        both = jax.jit(jax.value_and_grad(lambda p: solve(dict(zip(names, p, strict=True))).states[-1].sum()))

        def runner() -> np.ndarray:
            value, slopes = both(p)
            return np.append(value, slopes)

        return runner

    return at


def peers() -> list[Peer]:
    """Of values."""
    own = [("auto", "auto"), ("Tsit5", "tsit5"), ("DOP853", "dop853")]
    return [
        *(Peer(f"hybridode {title}", "hybridode", "hybridode", partial(ours.prepare, method=m)) for title, m in own),
        Peer("CVODE with roots (scikit-sundae)", "CVODE", "scikit-sundae", prepare_sundae),
        Peer("SciPy DOP853", "SciPy", "scipy", partial(prepare_scipy, method="DOP853")),
        *(Peer(f"Diffrax {s}", "Diffrax", "diffrax", partial(prepare_diffrax, solver=s)) for s in ("Tsit5", "Dopri8")),
        Peer("torchdiffeq dopri5", "torchdiffeq", "torchdiffeq", prepare_torch),
    ]


def gradient_peers() -> list[Peer]:
    """Of values and gradients by all parameters."""
    return [
        Peer("hybridode auto", "hybridode", "hybridode", prepare_ours),
        *(Peer(f"Diffrax {s}", "Diffrax", "diffrax", partial(prepare_diffrax, solver=s, gradient=True))
          for s in ("Tsit5", "Dopri8")),
        Peer("torchdiffeq dopri5", "torchdiffeq", "torchdiffeq", partial(prepare_torch, gradient=True)),
    ]  # fmt: skip
