"""A run that is looked at: what its networks have learnt, and the terms that may say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybridode.declarations import Declarations
from hybridode.discover.library import Term, library
from hybridode.discover.refitted import options_of, records_of
from hybridode.discover.regression import Proposal, proposals
from hybridode.discover.samples import Samples, samples_of
from hybridode.discover.slots import Slot, slots_of
from hybridode.discover.units import with_units
from hybridode.discover.whole import Whole, whole_model
from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.progress import Recorder

if TYPE_CHECKING:
    from hybridode.fit.prepare import Options
    from hybridode.fit.run import FitRun


@dataclass(frozen=True, eq=False)
class Begun:
    """Of each slot its terms (`libraries`); `samples` by the name of the network."""

    run: FitRun
    declarations: Declarations
    slots: tuple[Slot, ...]
    samples: Mapping[str, Samples]
    libraries: tuple[tuple[Term, ...], ...]
    options: Options
    recorder: Recorder
    seed: int

    @property
    def records(self) -> int:
        assert self.run.finished is not None
        return records_of(self.run.finished.prepared)

    def proposals(self) -> list[list[Proposal]]:
        """What the regression proposes for each slot."""
        return [proposals(lib, self.samples[s.network.name], s.output) for lib, s in zip(self.libraries, self.slots, strict=True)]

    def whole(self) -> Whole:
        """The model with all terms in it, compiled."""
        return whole_model(self.declarations, self.run.dataset, self.slots, self.libraries, self.options, self.recorder)


def begun(run: FitRun, declarations: Declarations, seed: int, recorder: Recorder) -> Begun:
    """Raises UsageError E0795 (no network), E0796 (a network of vectors), E0797 (nothing to start from)."""
    slots = with_units(declarations, slots_of(declarations))
    if run.finished is None:
        reason = "the fit failed" if run.result["status"] == "failed" else "its solution is in pieces"
        raise UsageError(Diagnostic("E0797", f"there is nothing to discover from: {reason}"))
    prepared, theta = run.finished.prepared, run.finished.theta
    names = dict.fromkeys(slot.network.name for slot in slots)
    networks = {n.name: n for n in declarations.networks}
    samples = {name: samples_of(prepared, theta, networks[name], seed) for name in names}
    libraries = tuple(library(slot, samples[slot.network.name].points) for slot in slots)
    return Begun(run, declarations, slots, samples, libraries, options_of(run), recorder, seed)
