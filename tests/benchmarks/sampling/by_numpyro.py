"""NumPyro's NUTS on Diffrax's Tsit5 with its recursive checkpointed adjoint; all chains side by side."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.sampling.clock import Clock
from tests.benchmarks.sampling.problem import ATOL, CHAINS, DRAWS, RTOL, records

TITLE, NEEDS = "NumPyro + Diffrax", ("numpyro", "diffrax")
WARMUP = 300  # less than its default, which is in its favour: it is slow


def sample(clock: Clock, draws: int = DRAWS) -> np.ndarray:
    """(chains, draws, 8)."""
    import diffrax
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist

    numpyro.enable_x64()
    y = jnp.asarray(records())

    def rates(t, z, theta):
        hare, lynx = z
        alpha, beta, gamma, delta = theta
        return jnp.stack([(alpha - beta * lynx) * hare, (-gamma + delta * hare) * lynx])

    def model():
        low = {"low": 0.0}
        theta = [numpyro.sample(n, dist.TruncatedNormal(m, s, **low))
                 for n, m, s in (("alpha", 1, 0.5), ("beta", 0.05, 0.05), ("gamma", 1, 0.5), ("delta", 0.05, 0.05))]  # fmt: skip
        start = numpyro.sample("start", dist.LogNormal(jnp.log(10), 1).expand([2]))
        sigma = numpyro.sample("sigma", dist.LogNormal(-1, 1).expand([2]))
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(rates), diffrax.Tsit5(), 0.0, 20.0, None, start, jnp.stack(theta),
            saveat=diffrax.SaveAt(ts=jnp.arange(21.0)), stepsize_controller=diffrax.PIDController(rtol=RTOL, atol=ATOL),
            max_steps=1000, throw=False,
        )  # fmt: skip
        numpyro.sample("y", dist.LogNormal(jnp.log(jnp.maximum(found.ys, 1e-12)), sigma), obs=y)

    def chains(count: int, warmup: int) -> numpyro.infer.MCMC:
        kernel = numpyro.infer.NUTS(model, init_strategy=numpyro.infer.init_to_median())
        return numpyro.infer.MCMC(kernel, num_warmup=warmup, num_samples=count, num_chains=CHAINS, chain_method="vectorized",
                                  progress_bar=False)  # fmt: skip

    mcmc = chains(draws, WARMUP)
    with clock("compile"):  # the same program, stopped by no draws: warm-up of one step
        first = chains(1, 1)
        first.run(jax.random.key(0))
        jax.block_until_ready(first.get_samples()["alpha"])
    with clock("sample"):
        mcmc.run(jax.random.key(1))
        found = jax.block_until_ready(mcmc.get_samples(group_by_chain=True))
    parts = [found[n][..., None] for n in ("alpha", "beta", "gamma", "delta")] + [found["start"], found["sigma"]]
    return np.concatenate([np.asarray(p) for p in parts], axis=-1)
