"""Who takes part."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from tests.benchmarks.fits.outcome import Contender


@dataclass(frozen=True)
class Entry:
    """`module` has `run`; `packages` are what it needs, as PyPI calls them."""

    title: str
    module: str
    packages: tuple[str, ...] = ()

    @property
    def missing(self) -> str:
        """Why it cannot run here, "" if it can."""
        gone = []
        for package in self.packages:
            try:
                version(package)
            except PackageNotFoundError:
                gone.append(package)
        return f"{' and '.join(gone)} not installed: pip install {' '.join(gone)}" if gone else ""

    def function(self) -> Contender:
        return import_module(f"tests.benchmarks.fits.{self.module}").run


CONTENDERS = {
    "hybridode": Entry("hybridode", "by_hybridode"),
    "amici": Entry("pyPESTO + AMICI", "by_amici", ("amici", "pypesto", "fides", "antimony", "petab")),
    "diffrax": Entry("Diffrax + Optimistix", "by_diffrax"),
    "scipy": Entry("SciPy", "by_scipy"),
}
