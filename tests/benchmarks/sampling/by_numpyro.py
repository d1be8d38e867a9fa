"""NumPyro's NUTS on Diffrax's Tsit5, as its own documentation would have it for 8 numbers and a solve of 30 steps: derivatives
forwards (2 times as quick as the checkpointed adjoint for one chain, 5 times for four side by side), a full mass matrix, all
chains side by side in one program. They begin at the published means: from the priors' medians one chain in four
stayed elsewhere."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.sampling.clock import Clock
from tests.benchmarks.sampling.problem import ATOL, CHAINS, DRAWS, MEANS, RTOL, records

TITLE, NEEDS = "NumPyro + Diffrax", ("numpyro", "diffrax")
WARMUP = 300  # less than its default, which is in its favour


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
        theta = [numpyro.sample(n, dist.TruncatedNormal(m, s, low=0.0))
                 for n, m, s in (("alpha", 1, 0.5), ("beta", 0.05, 0.05), ("gamma", 1, 0.5), ("delta", 0.05, 0.05))]  # fmt: skip
        start = numpyro.sample("start", dist.LogNormal(jnp.log(10), 1).expand([2]))
        sigma = numpyro.sample("sigma", dist.LogNormal(-1, 1).expand([2]))
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(rates), diffrax.Tsit5(), 0.0, 20.0, None, start, jnp.stack(theta),
            saveat=diffrax.SaveAt(ts=jnp.arange(21.0)), stepsize_controller=diffrax.PIDController(rtol=RTOL, atol=ATOL),
            max_steps=1000, throw=False, adjoint=diffrax.ForwardMode(),
        )  # fmt: skip
        numpyro.sample("y", dist.LogNormal(jnp.log(jnp.maximum(jnp.asarray(found.ys), 1e-12)), sigma), obs=y)

    near = dict(zip(("alpha", "beta", "gamma", "delta"), MEANS[:4], strict=True)) | {"start": MEANS[4:6], "sigma": MEANS[6:]}
    kernel = numpyro.infer.NUTS(model, init_strategy=numpyro.infer.init_to_value(values=near), forward_mode_differentiation=True,
                                dense_mass=True)  # fmt: skip
    mcmc = numpyro.infer.MCMC(kernel, num_warmup=WARMUP, num_samples=draws, num_chains=CHAINS, chain_method="vectorized",
                              progress_bar=False)  # fmt: skip

    def run() -> dict[str, jax.Array]:
        mcmc.run(jax.random.key(1))
        return jax.block_until_ready(mcmc.get_samples(group_by_chain=True))

    with clock("first"):
        run()
    with clock("sample"):  # the same draws by programs that are there: what the first took longer was compiling
        found = run()
    clock.seconds["compile"] = max(clock.seconds.pop("first") - clock.seconds["sample"], 0.0)
    parts = [found[n][..., None] for n in ("alpha", "beta", "gamma", "delta")] + [found["start"], found["sigma"]]
    return np.concatenate([np.asarray(p) for p in parts], axis=-1)
