"""`hybridode predict`: continues a fitted model."""

from __future__ import annotations

from dataclasses import replace

from hybridode.commands.output import Output
from hybridode.commands.simulate import SimulateOptions, simulate


def predict(run: str, options: SimulateOptions, output: Output) -> int:
    """Simulates the fitted model of a run directory. Raises DataError E0807 when it is none."""
    from hybridode.report.run_directory import read_run

    saved = read_run(run)
    if saved.result["status"] != "converged":
        output.note(f"note: this fit is not converged but {saved.result['status']}")
    return simulate(str(saved.model), replace(options, observed=True), output)
