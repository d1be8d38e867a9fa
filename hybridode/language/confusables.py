"""Two names of a file that look the same and are not: Latin `a` and Cyrillic `а`, Latin `A` and Greek `Α` (rule A5).

The letters are those of Unicode's confusables (UTS 39) that are printed alike in common fonts; `ν` and `v`, which a
reader can tell apart, are not among them.
"""

from __future__ import annotations

from hybridode.errors import Diagnostic, Source
from hybridode.language.lexer import Token

_GREEK = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo"
_CYRILLIC = "АВЕЅІЈКМНОРСТХаеорсухѕіј", "ABESIJKMHOPCTXaeopcyxsij"
_LATIN = str.maketrans(_GREEK[0] + _CYRILLIC[0], _GREEK[1] + _CYRILLIC[1])


def lookalikes(source: Source, tokens: list[Token]) -> list[Diagnostic]:
    """A warning for each name that is printed like another one of the file."""
    if source.text.isascii():
        return []
    first: dict[str, Token] = {}
    for token in tokens:
        if token.kind == "NAME":
            first.setdefault(token.text, token)
    by_looks: dict[str, str] = {}
    found = []
    for name, token in first.items():
        other = by_looks.setdefault(name.translate(_LATIN), name)
        if other != name:
            related = ((source.span(first[other].start, first[other].end), "the other name"),)
            letters = [c for c in name if c.translate(_LATIN) != c] or [c for c in other if c.translate(_LATIN) != c]
            hint = f"`{letters[0]}` is U+{ord(letters[0]):04X}; use one of the two names everywhere"
            message = f"`{name}` looks like another name of this file and is not the same"
            found.append(Diagnostic("W0101", message, source.span(token.start, token.end), hint, "warning", related))
    return found
