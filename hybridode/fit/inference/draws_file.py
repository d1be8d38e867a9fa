"""Draws in files: NetCDF as ArviZ reads it, and what a longer run goes on from."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hybridode.errors import DataError, Diagnostic
from hybridode.fit.inference.drawn import simulated
from hybridode.fit.inference.explored import Explored
from hybridode.fit.inference.sample import Sample
from hybridode.fit.inference.sampling import Chains
from hybridode.version import __version__

PER_DRAW = ("theta", "natural", "log_density", "energy", "diverging", "failed", "depth", "steps", "acceptance")


def netcdf_possible() -> bool:
    """Whether the packages for it are installed."""
    return all(find_spec(name) is not None for name in ("xarray", "h5netcdf"))


def inference_data(explored: Explored, seed: int = 0) -> Any:
    """xarray's DataTree with the groups that ArviZ knows: posterior, sample_stats, log_likelihood, posterior_predictive,
    observed_data. The records of a column stand along `COLUMN_record`, with their time and series."""
    import xarray

    s, found = explored.sample, explored.drawn
    chains, draws = s.energy.shape
    coordinates = {"chain": np.arange(chains), "draw": np.arange(draws)}
    picked = {"chain": np.arange(chains), "draw": found.picked[0]}
    groups: dict[str, dict[str, Any]] = {
        "posterior": {n: (("chain", "draw"), a) for n, a in s.posterior_arrays().items()},
        "sample_stats": {n: (("chain", "draw"), a) for n, a in s.statistics_arrays().items()},
        "log_likelihood": {}, "posterior_predictive": {}, "observed_data": {},
    }  # fmt: skip
    records: dict[str, Any] = {}
    random = np.random.default_rng(seed)
    for column, density in zip(found.observed, explored.log_likelihood, strict=True):
        along, fitted = f"{column.column}_record", column.fitted
        shape, many = (chains, -1, int(fitted.sum())), ("chain", "draw", along)
        records[along] = column.line[fitted]
        records[f"{column.column}_time"] = ((along,), column.time[fitted])
        records[f"{column.column}_series"] = ((along,), column.series[fitted])
        new = simulated(column.noise, column.eta, random)[:, fitted]
        groups["log_likelihood"][column.column] = (many, density[:, fitted].reshape(shape))
        groups["posterior_predictive"][column.column] = (many, new.reshape(shape))
        groups["observed_data"][column.column] = ((along,), column.value[fitted])
    of = {"posterior": coordinates, "sample_stats": coordinates, "log_likelihood": picked | records,
          "posterior_predictive": picked | records, "observed_data": records}  # fmt: skip
    attributes = {"inference_library": "hybridode", "inference_library_version": __version__}
    return xarray.DataTree.from_dict({n: xarray.Dataset(v, coords=of[n], attrs=attributes) for n, v in groups.items()})


def netcdf_bytes(explored: Explored, seed: int = 0) -> bytes:
    """The same as the content of a file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posterior.nc"
        inference_data(explored, seed).to_netcdf(path, engine="h5netcdf")
        return path.read_bytes()


# ---- going on ----------------------------------------------------------------------------------------------------------------
def kept_bytes(sample: Sample, options: Mapping[str, float]) -> bytes:
    """All draws and where the chains stand. options: numbers that a longer run must be given again."""
    assert sample.chains is not None, "a sample knows where its chains ended"
    c = sample.chains
    arrays = {name: getattr(sample, name) for name in (*PER_DRAW, "step_size")}
    arrays |= {f"chains_{name}": getattr(c, name) for name in ("u", "density", "slope", "axes", "centre")}
    arrays |= {f"averages_{i}": np.asarray(a) for i, a in enumerate(c.averages)}
    arrays |= {"seed": np.array(c.seed), "done": np.array(c.done), "names": np.array(sample.names)}
    arrays |= {f"option_{name}": np.array(value) for name, value in options.items()}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def read_kept(path: Path, most_depth: int, priors: tuple[str, ...]) -> tuple[Sample, dict[str, float]]:
    """A sample as `kept_bytes` wrote it, and its options. Raises DataError E0789 where there is none."""
    from blackjax.adaptation.step_size import dual_averaging_adaptation

    try:
        with np.load(path, allow_pickle=False) as file:
            a = {name: file[name] for name in file.files}
        state = dual_averaging_adaptation(0.8)[0](1.0)
        averages = type(state)(*(a[f"averages_{i}"] for i in range(len(state))))
        u, density, slope = (a[f"chains_{n}"] for n in ("u", "density", "slope"))
        chains = Chains(u, density, slope, averages, a["chains_axes"], a["chains_centre"],
                        int(a["seed"]), int(a["done"]))  # fmt: skip
        sample = Sample(tuple(map(str, a["names"])), **{name: a[name] for name in (*PER_DRAW, "step_size")},
                        most_depth=most_depth, priors=priors, chains=chains)  # fmt: skip
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(Diagnostic("E0789", f"there are no draws to go on from: `{path}` cannot be read",
                                   hint="sample without `--resume`")) from error  # fmt: skip
    return sample, {name.removeprefix("option_"): float(v) for name, v in a.items() if name.startswith("option_")}
