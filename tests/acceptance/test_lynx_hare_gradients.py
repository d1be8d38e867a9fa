"""Issue "the whole path": reverse, forward and adjoint gradients of lynx–hare agree to 1e-6 at tolerance 1e-10."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hybridode as ho

EXAMPLE = Path(__file__).parents[2] / "examples" / "lynx_hare"


@pytest.mark.slow
def test_gradients_of_the_three_modes_agree() -> None:
    import jax
    import jax.numpy as jnp

    pelts = pd.read_csv(EXAMPLE / "pelts.csv", comment="#")
    columns = {name.lower(): pelts[name].to_numpy(float) for name in pelts.columns}
    model = ho.load(EXAMPLE / "lynx_hare.ode")
    with jax.enable_x64(True):
        times = jnp.asarray(columns["year"])
        gradients = {}
        modes = {
            "reverse": {"engine": "diffrax", "gradient": "reverse", "method": "dopri8"},
            "forward": {"engine": "diffrax", "gradient": "forward", "method": "dopri8"},
            "adjoint": {"engine": "diffrax", "gradient": "adjoint", "method": "dopri8"},
            "native": {"engine": "native"},
        }
        for mode, how in modes.items():
            solve = model.solver(at=times, rtol=1e-10, atol=1e-10, **how)

            def loss(params, solve=solve):
                sol = solve(params, start=times[0])
                logs = [(jnp.log(sol[name]) - jnp.log(columns[name])) ** 2 for name in ("hare", "lynx")]
                return sum(jnp.sum(x) for x in logs)

            params = model.parameters()
            assert int(solve(params, start=times[0]).result) == 0  # a gradient means something only then
            gradients[mode] = (jax.jacfwd if mode == "forward" else jax.grad)(loss)(params)
    for name, reference in gradients["reverse"].items():
        for mode in ("forward", "adjoint", "native"):
            np.testing.assert_allclose(gradients[mode][name], reference, rtol=1e-6, atol=1e-9, err_msg=f"{mode} {name}")
