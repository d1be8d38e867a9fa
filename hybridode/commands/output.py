"""Where a command writes: results to standard output, remarks and errors to standard error, `--json` as data."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybridode.errors import Diagnostic, render


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: NaN and infinities become null, arrays nested lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy and JAX numbers and arrays, without importing either
        return plain(value.tolist())
    return str(value)


@dataclass(frozen=True)
class Output:
    """How much a command says and in what form (`--json`, `-v`, `-q`)."""

    json: bool = False
    verbose: bool = False
    quiet: bool = False

    def result(self, text: str) -> None:
        """A result for a reader (silent under `--json` and `--quiet`)."""
        if not (self.json or self.quiet):
            print(text)

    def note(self, text: str) -> None:
        """A remark beside the result, to standard error (silent under `--quiet`)."""
        if not self.quiet:
            print(text, file=sys.stderr)

    def detail(self, text: str) -> None:
        """A remark that only `--verbose` shows."""
        if self.verbose:
            print(text, file=sys.stderr)

    def data(self, value: Mapping[str, Any]) -> None:
        """The result as JSON (only under `--json`)."""
        if self.json:
            print(json.dumps(plain(value), indent=2, ensure_ascii=False))

    def diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Errors and warnings; warnings are left out under `--quiet`. With `--json` they are part of the data."""
        shown = [d for d in diagnostics if d.severity == "error" or not self.quiet]
        if shown and not self.json:
            print(render(shown), file=sys.stderr)
