"""How much XLA does to the programs of a fit.

Beside the native solves, what it makes faster takes tenths of a millisecond, and all that it can do took longer than most fits.
Of 11 parameters and 6 observations: all 1.5 s to compile and 1.7 ms for a block of 16 starts, some 0.7 s and 2.3 ms, little 0.2 s
and 5 ms. Of the network of tests/benchmarks/fits one vector with all and with some takes as long, and some saves 1.1 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax

SOME: Mapping[str, Any] = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
LITTLE: Mapping[str, Any] = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


@cache
def _understood(name: str) -> bool:
    """Whether this version of XLA has an option: they come and go."""
    try:
        jax.jit(lambda x: x, compiler_options={name: SOME[name]}).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def compiler_options(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those options that this version of XLA understands."""
    return {name: value for name, value in wanted.items() if _understood(name)}
