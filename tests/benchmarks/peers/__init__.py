"""Every solver that is measured, ours first."""

from __future__ import annotations

from tests.benchmarks.peers import amici, casadi, diffrax, ours, pydiffsol, roadrunner, scipy, sundae, torchdiffeq
from tests.benchmarks.peers.peer import Peer

MODULES = (ours, roadrunner, pydiffsol, casadi, sundae, amici, diffrax, scipy, torchdiffeq)
PACKAGES = (
    "jax", "llvmlite", "diffrax", "scipy", "libroadrunner", "antimony", "pydiffsol", "casadi", "scikit-sundae", "torch",
    "torchdiffeq", "amici", "pypesto", "fides", "optimistix",
    "blackjax", "numpyro", "pystan",
)  # fmt: skip


def peers(stiff: bool) -> list[Peer]:
    """All solvers of a kind, also those that are not installed."""
    return [peer for module in MODULES for peer in module.peers(stiff)]
