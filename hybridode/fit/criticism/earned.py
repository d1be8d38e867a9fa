"""The verdict on a network: supported, not supported, or undecided, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridode.fit.criticism.scores import Scored

STRONG = 10.0  # difference in BIC that is very strong evidence (R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90 (1995) 773)
_MORE_TIME = "`hybridode compare RUN --baselines` takes the time that it needs"
_SAME, _BETTER = 0.99, 0.8  # shares of an error that are no improvement, and a clear one


@dataclass(frozen=True, eq=False)
class Judged:
    """One model of the data: negative log-likelihood of `count` fitted records, effective number of parameters, how it predicts
    what it has not seen. `reason`: why something is missing."""

    name: str
    nll: float = np.nan
    count: int = 0
    free: float = np.nan
    criteria: bool = True
    unseen: Scored | None = None
    early: bool = False
    reason: str = ""
    unfinished: bool = False  # its fit was cut short before an optimum

    @property
    def aic(self) -> float:
        return 2 * self.free + 2 * self.nll if self.criteria else np.nan

    @property
    def bic(self) -> float:
        return self.free * float(np.log(max(self.count, 1))) + 2 * self.nll if self.criteria else np.nan

    def row(self) -> list[Any]:
        """model, nll, n_data, n_free, aic, bic, log_score, rmse, crps, coverage95, n_hold_out, early, reason."""
        out = {} if self.unseen is None else self.unseen.entry()
        scores = [out.get(k) for k in ("log_score", "rmse", "crps", "coverage95", "n")]
        return [self.name, self.nll, self.count or None, self.free, self.aic, self.bic, *scores, self.early, self.reason or None]


@dataclass(frozen=True)
class Verdict:
    """`kind`: "supported", "not supported", "undecided". What the networks gain over the physics: log-likelihood of the fitted
    records, BIC; `relative`: their error in unseen records as a share of the physics' (NaN where it does not exist).
    `provisional`: what was cut short might change it."""

    kind: str
    sentences: tuple[str, ...]
    gain: float
    bic: float
    relative: float
    provisional: bool = False


def relative(a: Judged, b: Judged) -> float:
    """The mean loss of records that neither has seen under a as a share of that under b (see `Scored.losses`); NaN where they
    were not judged by the same records."""
    if a.unseen is None or b.unseen is None or a.unseen.count != b.unseen.count or not a.unseen.count:
        return np.nan
    of_b = {int(k): b.unseen.of_column(int(k)).entry()["crps"] for k in np.unique(b.unseen.column)}
    sizes = {k: size for k, size in of_b.items() if size > 0}
    first, second = a.unseen.losses(sizes), b.unseen.losses(sizes)
    lost, won = int(np.sum(~np.isfinite(first))), int(np.sum(~np.isfinite(second)))
    if lost != won:
        return np.inf if lost > won else 0.0
    both = np.isfinite(first) & np.isfinite(second)
    return float(first[both].mean() / second[both].mean()) if both.any() and second[both].mean() > 0 else np.nan


def earned(names: Sequence[str], judged: Mapping[str, Judged], missing: str = "") -> Verdict:
    """Whether the networks `names` earn their place in the hybrid. missing: what was not held out for want of time, in words."""
    hybrid, physics = judged["hybrid"], judged["physics"]
    who = _listed(names)
    if not np.isfinite(physics.nll):
        why = physics.reason or "it excludes some of the records"
        words = f"whether {who} {_is(names)} needed is not known: "
        if physics.early:
            words += f"the physics alone was not fitted, as {why}; {_MORE_TIME}"
        else:
            words += f"the model with {_its(names)} output at 0 gives no fit ({why})"
        return Verdict("undecided", (words, *_others(judged)), np.nan, np.nan, np.nan, physics.early)
    gain, bic = physics.nll - hybrid.nll, physics.bic - hybrid.bic
    share = relative(hybrid, physics)
    kind, why = _kind(gain, bic, share, hybrid, missing)
    if kind == "supported" and physics.unfinished:
        kind, why = "undecided", f"the fit of the physics alone was cut short before its optimum; so far {why}"
    sentences = (
        [f"{who} {_is(names)} {kind}: {why}"] if kind != "undecided" else [f"whether {who} {_is(names)} needed is open: {why}"]
    )
    doubts = _doubts(kind, bic, physics, missing)
    if doubts:
        sentences.append(f"this is provisional: {' and '.join(doubts)}; {_MORE_TIME}")
    return Verdict(kind, (*sentences, *_others(judged)), gain, bic, share, bool(doubts))


def _doubts(kind: str, bic: float, physics: Judged, missing: str) -> list[str]:
    """What was cut short and might have led to another verdict. A better fit of the physics would not help the networks, nor
    would held-out records without a better BIC."""
    out = [] if kind == "not supported" or not physics.early else ["the search for the physics alone was cut short"]
    return [*out, missing] if missing and (kind != "not supported" or not bic <= 0) else out


def _kind(gain: float, bic: float, share: float, hybrid: Judged, missing: str) -> tuple[str, str]:
    """supported, not supported or undecided, and why. share: of the physics' error in unseen records."""
    unseen = "" if missing and np.isnan(share) else _of_unseen(share)
    if not np.isfinite(bic):  # no likelihood was minimised, or weights count
        words = f"the fitted records gain {gain:.3g} in log-likelihood{unseen}"
        if np.isnan(share):
            return "undecided", words
        return ("supported", words) if share < _BETTER and gain > STRONG / 2 else ("not supported", words)
    words = (
        f"beside the physics alone {_gains(gain)} for {hybrid.free:.3g} effective parameters in all (BIC {_side(bic)}){unseen}"
    )
    if bic > STRONG:
        return ("undecided", words) if share >= _SAME else ("supported", words)
    if bic > 0 and share < _BETTER:
        return "undecided", words
    return "not supported", words


def _gains(gain: float) -> str:
    return f"{gain:.3g} is gained in log-likelihood" if gain > 0 else f"nothing is gained in log-likelihood ({gain:.2g})"


def _side(bic: float) -> str:
    return f"{abs(bic):.3g} better" if bic > 0 else f"{abs(bic):.3g} worse"


def _of_unseen(share: float) -> str:
    if np.isnan(share):
        return "; no records were held out to check it"
    if np.isinf(share) or share == 0:
        return f"; {'the physics alone' if share == 0 else 'the hybrid'} has no prediction of some records that were held out"
    return f"; the error of held-out records is {share:.2g} of that of the physics"


def _others(judged: Mapping[str, Judged]) -> list[str]:
    """How the hybrid stands beside a network alone and beside a constant."""
    hybrid, constant = judged["hybrid"], judged.get("constant")
    out = _beside_network(judged["network"], hybrid) if "network" in judged else []
    if constant is not None and (share := relative(constant, hybrid)) <= 1:
        out.append(f"a constant for each column predicts held-out records better than the hybrid ({share:.2g} of its error)")
    return out


def _beside_network(network: Judged, hybrid: Judged) -> list[str]:
    if not np.isfinite(network.nll):
        return [f"no network alone, without the physics, was fitted{', as ' if network.early else ': '}{network.reason}"]
    share, ahead = relative(network, hybrid), hybrid.bic - network.bic
    if not np.isnan(share):
        side = "worse than" if share > 1 / _SAME else "better than" if share < _SAME else "as well as"
        words = f"predicts held-out records {side} the hybrid ({share:.2g} of its error)"
    elif np.isfinite(ahead):
        words = f"is {'better' if ahead > 0 else 'worse'} by BIC ({abs(ahead):.3g})"
    else:
        return []
    return [f"a network alone, without the physics, {words}" + (f"; {network.reason}" if network.early else "")]


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{n}`" for n in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted) or "the network"


def _is(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _its(names: Sequence[str]) -> str:
    return "their" if len(names) > 1 else "its"
