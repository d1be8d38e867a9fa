"""Have the chains mixed? The verdict on a sample, in words with a remedy each.

Limits: R-hat 1.01, 100 effective draws a chain (A. Vehtari et al., Bayesian Analysis 16 (2021) 667), E-BFMI 0.3 (M. Betancourt,
arXiv:1604.00695).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hybridode.fit.inference.sample import Sample, summarised

RHAT, ESS_EACH, BFMI, FULL = 1.01, 100, 0.3, 0.01
SETTLED = 1.1  # R-hat up to which chains are at one place
_APART = 3.0  # standard deviations within between the means of chains that are at different places


@dataclass(frozen=True)
class Mixing:
    """`good`: the draws can be used; `problems`: what is wrong, each with its remedy; `notes`: what is worth knowing."""

    good: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def sentences(self) -> list[str]:
        """The verdict first."""
        return [*self.problems, *self.notes]


def mixing(sample: Sample) -> Mixing:
    """The verdict on a sample."""
    found = [line for check in _CHECKS if (line := check(sample))]
    notes = [f"{sample.early}: {sample.energy.shape[1]} draws of each chain were made"] if sample.early else []
    if sample.failures:
        of = f"{sample.failures} of {sample.energy.size} trajectories"
        notes.append(f"{of} came where the model cannot be solved and were rejected there")
    if not found:
        least = min(sample.column("ess_bulk").min(), sample.column("ess_tail").min())
        mixed = f"the chains have mixed: R-hat is at most {sample.worst_rhat:.3f}, at least {least:.0f} effective draws"
        notes.insert(0, f"{mixed}, no divergences")
    return Mixing(not found, tuple(found), tuple(notes))


def _named(names: list[str]) -> str:
    listed = [f"`{name}`" for name in names[:4]]
    return ", ".join(listed) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def apart(sample: Sample) -> tuple[str, list[tuple[float, list[int]]]] | None:
    """A parameter at which chains stay at places of their own, and these (value, chains); None if there is none."""
    means, within = sample.natural.mean(axis=1), sample.natural.std(axis=1)
    best: tuple[float, str, list[tuple[float, list[int]]]] | None = None
    for i, name in enumerate(sample.names):
        order = np.argsort(means[:, i])
        groups = [[int(order[0])]]
        gaps = []
        for a, b in pairwise(order):
            gap = (means[b, i] - means[a, i]) / max(float(np.hypot(within[a, i], within[b, i])), 1e-300)
            if gap > _APART:
                groups.append([])
                gaps.append(float(gap))
            groups[-1].append(int(b))
        if gaps and (best is None or min(gaps) > best[0]):
            best = min(gaps), name, [(float(means[g, i].mean()), sorted(g)) for g in groups]
    return None if best is None else best[1:]


def _unmixed(sample: Sample) -> str:
    rhat = sample.column("rhat")
    bad = ~(rhat <= RHAT)
    if not bad.any():
        return ""
    if np.isnan(rhat[bad]).all():
        if np.any(np.ptp(sample.natural, axis=(0, 1)) == 0):
            return "the chains do not move: no step was accepted; is the model solved at all near its optimum?"
        return "there are too few draws to tell whether the chains have mixed: more `--draws`"
    worst = int(np.nanargmax(rhat))
    rest = _named([n for i, n in enumerate(sample.names) if bad[i] and i != worst])
    words = f"the chains have not mixed: R-hat of `{sample.names[worst]}` is {rhat[worst]:.3g}"
    words += f", and of {rest} above {RHAT}" if rest else ""
    split = apart(sample)
    if split is None:
        return f"{words} ({RHAT} is the limit): more `--warmup` and `--draws`, or priors for what the data do not determine"
    name, groups = split
    places = ", ".join(f"{_chains(g)} near {value:.3g}" for value, g in groups)
    if all(_settled(sample.natural[g][..., sample.names.index(name)]) for _, g in groups):
        return (
            f"{words}: the posterior has several separate modes (`{name}`: {places}). How much each weighs cannot be told "
            "from these draws: narrower bounds or priors that leave one of them, or measurements that tell them apart"
        )
    return f"{words} (`{name}`: {places}): more `--warmup` and `--draws`, or bounds and priors that keep chains from far off"


def _chains(numbers: list[int]) -> str:
    return f"{'chain' if len(numbers) == 1 else 'chains'} {', '.join(str(c + 1) for c in numbers)}"


def _settled(x: np.ndarray) -> bool:
    """Whether some chains (n, draws) agree among themselves, first halves with second halves."""
    half = x.shape[1] // 2
    halves = np.concatenate([x[:, :half], x[:, half : 2 * half]])
    return bool(summarised(("",), halves[..., None])["rhat"][0] < SETTLED)


def _few(sample: Sample) -> str:
    wanted = ESS_EACH * sample.energy.shape[0]
    least = np.minimum(sample.column("ess_bulk"), sample.column("ess_tail"))
    if not (least < wanted).any() or sample.worst_rhat > SETTLED:
        return ""
    worst, draws = int(np.nanargmin(least)), sample.energy.shape[1]
    more = int(np.ceil(1.2 * draws * wanted / max(float(least[worst]), 1.0) / 100) * 100)
    return (
        f"`{sample.names[worst]}` has {least[worst]:.0f} effective draws, {wanted} are wanted: its interval is rough; "
        f"`--draws {min(more, 100 * draws)}`"
    )


def _diverged(sample: Sample) -> str:
    if not sample.divergences:
        return ""
    where = _where(sample, sample.diverging & ~sample.failed)
    return (
        f"{sample.divergences} of {sample.energy.size} trajectories diverged{where}: the posterior has a place too narrow for "
        "the steps, and the draws may miss it; smaller steps (`--accept 0.95`), or tighter priors on what sets such a scale"
    )


def _where(sample: Sample, bad: np.ndarray) -> str:
    """At which end of which parameter divergences pile up, if they do."""
    if np.sum(bad) < 5:
        return ""
    all_, mine = sample.theta.reshape(-1, sample.theta.shape[-1]), sample.theta[bad]
    z = (mine.mean(axis=0) - all_.mean(axis=0)) / np.maximum(all_.std(axis=0), 1e-300)
    z = z[: len(sample.names)]
    i = int(np.argmax(np.abs(z)))
    return f", mostly where `{sample.names[i]}` is {'large' if z[i] > 0 else 'small'}" if abs(z[i]) > 0.5 else ""


def _energy(sample: Sample) -> str:
    low = [c for c, v in enumerate(sample.bfmi) if v < BFMI]
    if not low:
        return ""
    return (
        f"E-BFMI is {min(sample.bfmi):.2g} in {_chains(low)} (below {BFMI}): the tails are badly explored; more `--draws`, or "
        "priors with lighter tails"
    )


def _cut(sample: Sample) -> str:
    share = float(np.mean(sample.depth >= sample.most_depth))
    if share <= FULL:
        return ""
    return (
        f"{100 * share:.0f} % of the trajectories were cut at 2^{sample.most_depth} steps: the posterior is long and thin; "
        "more `--warmup`, or priors for what the data do not determine"
    )


_CHECKS: tuple[Callable[[Sample], str], ...] = (_unmixed, _few, _diverged, _energy, _cut)
