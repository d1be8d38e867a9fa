"""All profiles of a fit with their verdicts, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np
import pandas as pd

from hybridode.data.hints import near_names
from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.inference.profiles import GOAL, RISE, Profile, profiles
from hybridode.fit.inference.verdicts import Verdict, verdict_of
from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Point
from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.pool import Pool, Snapshot
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import fisher_scoring

_POLISH = 60  # iterations from where networks were trained to


@dataclass(frozen=True, eq=False)
class Profiled:
    """`profiles` of the parameters, `verdicts` by name, `early`: why they were cut short, "" if they were not; `left`: names that
    there was no time for; `better`: a vector with a lower objective than the fit's, where a profile met one."""

    space: ParameterSpace
    best: Point
    profiles: tuple[Profile, ...]
    verdicts: dict[str, Verdict]
    early: str
    left: tuple[str, ...]
    better: np.ndarray | None

    @cached_property
    def table(self) -> pd.DataFrame:
        """name, value, lower95, upper95 (natural units, NaN on an open side), kind, verdict in words."""
        rows = []
        for p in self.profiles:
            v = self.verdicts[p.name]
            value = float(p.natural(self.space)[len(p.below.levels)])
            rows.append((p.name, value, *v.interval, v.kind, v.sentence))
        return pd.DataFrame(rows, columns=["name", "value", "lower95", "upper95", "kind", "verdict"])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """name, value (natural units), rise (of the objective over its minimum), and all parameters there by name."""
        frames = []
        for p in self.profiles:
            natural = np.array([self.space.vector(level.theta[: self.space.size]) for level in p.levels])
            frame = pd.DataFrame(natural, columns=list(self.space.names))
            frame.insert(0, "profile", p.name)
            frame.insert(1, "value", natural[:, p.index])
            frame.insert(2, "rise", [level.value - p.best.value for level in p.levels])
            frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["profile", "value", "rise"])

    def __repr__(self) -> str:
        width = max((len(n) for n in self.verdicts), default=0)
        return "\n".join(f"{name:{width}}  {v.sentence}" for name, v in self.verdicts.items())


def profiled(
    lanes: Lanes,
    theta: np.ndarray,
    recorder: Recorder | None = None,
    names: Sequence[str] | None = None,
    rise: float = RISE,
) -> Profiled:
    """Profiles of all parameters (or of those named) round the optimum theta (d,), in the lanes of its fit. So many at a time as
    fill the lanes: what there is no time for has no profile at all.

    Raises UsageError E0781 with more numbers than the Fisher matrix is computed for, E0783 for names that are not learnt."""
    space = lanes.objective.space
    if len(theta) > FISHER_MOST:
        raise UsageError(Diagnostic("E0781", f"profiles need the Fisher matrix, and {len(theta)} numbers are learnt: "
                                    f"more than {FISHER_MOST}", hint="make the networks smaller, or freeze them"))  # fmt: skip
    recorder = Recorder() if recorder is None else recorder
    wanted = range(space.size) if names is None else entries_named(space, names)
    found: list[Profile] = []
    early = ""
    with jax.enable_x64(True):
        low, high = space.box()
        free = np.full(len(theta) - space.size, np.inf)
        box = Box(np.concatenate([low, -free]), np.concatenate([high, free]))
        best = lanes.point(theta if len(theta) == space.size else _polished(lanes, theta, box, recorder))
        together = max(lanes.width // 2, 1)
        for at in range(0, len(wanted), together):
            some, early = profiles(space, best, lanes, recorder, box, wanted[at : at + together], rise)
            found += some
            if early:
                break
    better = [side.better for p in found for side in (p.below, p.above) if side.better is not None]
    left = tuple(space.names[i] for i in wanted[len(found) :])
    verdicts = {p.name: verdict_of(space, p) for p in found}
    return Profiled(space, best, tuple(found), verdicts, early, left, better[0] if better else None)


def _polished(lanes: Lanes, theta: np.ndarray, box: Box, recorder: Recorder) -> np.ndarray:
    """Training ends where little is gained, not at the optimum that profiles are measured against: what is left to gain."""
    start = Snapshot(1, theta, None, Track(recorder, 1, "polish"))
    pool = Pool([start], lambda s: fisher_scoring(s.theta, s.track, _POLISH, box=box, goal=GOAL), lanes, recorder).run()
    track, ended = start.track, pool.ended.get(1)
    found = track.best if ended is None else ended.optimum.theta
    return theta if found is None else found


def entries_named(space: ParameterSpace, names: Sequence[str]) -> list[int]:
    """The places of the entries that names stand for: entries (`k[2]`, `k[north]`) or whole parameters."""
    found: list[int] = []
    for name in names:
        mine = [i for i, e in enumerate(space.entries) if name in (e.name, e.parameter, e.owner)]
        if not mine:
            known = list(dict.fromkeys(n for e in space.entries for n in (e.parameter, e.name)))
            hint = near_names(name, known) or f"learnt are {', '.join(f'`{n}`' for n in known[:12])}"
            raise UsageError(Diagnostic("E0783", f"`{name}` is not learnt in this fit, so it has no profile", hint=hint))
        found += [i for i in mine if i not in found]
    return found
