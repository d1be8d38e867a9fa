"""The stable codes of all diagnostics: each is explained by one file `explain/CODE.md`.

The first line of a file is `# title`, the rest says what is wrong, with a wrong and a right example.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from hybridode.errors import Diagnostic, UsageError

FOLDER = Path(__file__).parent / "explain"
CODE = re.compile(r"[EW]\d{4}")
FAMILIES = {  # the first three characters of a code, in the order of the index
    "E01": "Syntax",
    "E02": "Names",
    "E03": "Structure",
    "E04": "Units",
    "E05": "Networks",
    "E06": "Data",
    "E07": "Numerics",
    "E08": "Commands and calls",
    "E09": "Not yet in this version",
    "W": "Warnings",
}


@dataclass(frozen=True)
class Explanation:
    """What a code means. `text` is Markdown without the title."""

    code: str
    title: str
    text: str

    @property
    def family(self) -> str:
        """The heading under which the code stands."""
        return FAMILIES[self.code[0] if self.code.startswith("W") else self.code[:3]]


def all_codes() -> tuple[str, ...]:
    """Every code that has an explanation, errors before warnings."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md") if CODE.fullmatch(path.stem)))


def explanation(code: str) -> Explanation:
    """The explanation of a code, in any case (`e0203`). Raises UsageError E0808 for a code that does not exist."""
    wanted = code.strip().upper()
    known = all_codes()
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else "`hybridode explain` lists all codes"
        raise UsageError(Diagnostic("E0808", f"there is no code `{code}`", hint=hint))
    title, _, text = (FOLDER / f"{wanted}.md").read_text(encoding="utf-8").partition("\n")
    return Explanation(wanted, title.lstrip("# ").strip(), text.strip())
