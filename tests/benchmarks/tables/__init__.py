"""All tables, in the order of the page."""

from __future__ import annotations

from tests.benchmarks.tables import dae, ensemble, events, fits, gradient, growth, limit, network, ragged, sampling, startup
from tests.benchmarks.tables.single import NONSTIFF_TABLE, STIFF_TABLE

TABLES = (
    STIFF_TABLE, NONSTIFF_TABLE, gradient.TABLE, ensemble.TABLE, ragged.TABLE, events.TABLE, limit.TABLE, network.TABLE,
    startup.TABLE, growth.TABLE, dae.TABLE, fits.TABLE, sampling.TABLE,
)  # fmt: skip
