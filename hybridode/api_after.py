"""What a finished fit can be asked for: a part of `Run` (`api`). Nothing heavy is imported before something is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridode.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from hybridode.fit.inference.believed import Believed
    from hybridode.fit.inference.bootstrap import Bootstrap
    from hybridode.fit.inference.profiled import Profiled
    from hybridode.fit.run import Finished, FitRun


class AfterFit:
    """Profiles, bands and replicates of `fitted`."""

    fitted: FitRun
    status: str

    def profiles(self, *names: str, levels: int = 4) -> Profiled:
        """Profile likelihoods of all parameters, or those named: `table` (95 % intervals and verdicts in words), `curves`.
        levels: points from the optimum to the end of an interval.

        Raises UsageError E0781 where there are none (failed fits, more than 160 learnt numbers), E0783 for other names."""
        from hybridode.fit.inference.profiled import profiled
        from hybridode.fit.inference.profiles import ROOT95

        finished = self._finished("profiles")
        return profiled(finished.prepared.lanes, finished.theta, names=names or None, rise=ROOT95 / levels)

    def believed(self) -> Believed:
        """Profiles with verdicts, the spectrum of the Fisher information, bands of the curves, what to measure next: `profiled`,
        `spectrum`, `bands.table`, `advice` (docs/uncertainty.md). Raises UsageError E0781 where the fit has no optimum."""
        from hybridode.fit.inference.believed import believed

        finished = self._finished("profiles")
        return believed(finished.prepared, finished.theta, members=finished.members)

    def bootstrap(self, samples: int = 200, *, seed: int = 0) -> Bootstrap:
        """The fit repeated on data that it could have given: `table` (standard errors, biases, 95 % intervals), `estimates`.

        Raises UsageError E0781 (no optimum), E0785 (more than 160 learnt numbers)."""
        from hybridode.fit.inference.bootstrap import bootstrap

        finished = self._finished("replicates")
        return bootstrap(finished.prepared.lanes, finished.theta, samples, seed)

    def _finished(self, what: str) -> Finished:
        if self.fitted.finished is None:
            reason = "the fit is in pieces" if self.status != "failed" else "the fit failed"
            raise UsageError(Diagnostic("E0781", f"there are no {what}: {reason}"))
        return self.fitted.finished
