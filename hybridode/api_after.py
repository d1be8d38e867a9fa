"""What a finished fit can be asked for: a part of `Run` (`api`). Nothing heavy is imported before something is computed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from hybridode.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from hybridode.fit.inference.believed import Believed
    from hybridode.fit.inference.bootstrap import Bootstrap
    from hybridode.fit.inference.loo import Loo
    from hybridode.fit.inference.profiled import Profiled
    from hybridode.fit.inference.sample import Sample
    from hybridode.fit.inference.sampling import Sampler
    from hybridode.fit.run import Finished, FitRun


class AfterFit:
    """Profiles, bands, replicates and posterior draws of `fitted`."""

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

    def sample(self, *, chains: int = 4, draws: int = 1000, seed: int = 0, warmup: int = 500) -> Sample:
        """Draws from the posterior by NUTS, from the optimum of this fit: `table`, `natural` (chains, draws, k), `to_arviz()`.

        Raises UsageError E0780 (a parameter has neither prior nor bounds), E0781 (nothing to start from), E0782 (no blackjax),
        E0787 (too many numbers), NumericsError E0788 (no chain can start)."""
        from hybridode.fit.inference.sampling import Sampler

        finished = self._finished("samples")
        if chains not in self._samplers:
            self._samplers[chains] = Sampler(finished.prepared, finished.theta, chains)
        return self._samplers[chains].draw(draws, seed, warmup, others=finished.rivals)

    def loo(self, sample: Sample | None = None) -> Loo:
        """Leave-one-out cross-validation from the draws of one posterior (PSIS-LOO): `elpd`, `se`, `pointwise`, `unsure`.

        sample: of this fit; None: one is drawn. Raises what `sample` raises."""
        from hybridode.fit.inference.drawn import drawn
        from hybridode.fit.inference.loo import loo

        prepared = self._finished("samples").prepared
        found = drawn(prepared, (self.sample() if sample is None else sample).theta)
        return loo(found, [series.name for series in prepared.dataset.series])

    @cached_property
    def _samplers(self) -> dict[int, Sampler]:
        """What has been compiled, by number of chains."""
        return {}

    def _finished(self, what: str) -> Finished:
        if self.fitted.finished is None:
            reason = "the fit is in pieces" if self.status != "failed" else "the fit failed"
            raise UsageError(Diagnostic("E0781", f"there are no {what}: {reason}"))
        return self.fitted.finished
