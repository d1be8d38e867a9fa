"""All tables, in the order of the page."""

from __future__ import annotations

from tests.benchmarks.tables.single import NONSTIFF_TABLE, STIFF_TABLE

TABLES = (STIFF_TABLE, NONSTIFF_TABLE)
