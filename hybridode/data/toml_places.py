"""Where the keys of a TOML text stand: `tomllib` gives values without places, and a message should name the line.

The text is known to be valid TOML; nothing is checked again. Keys inside inline tables have no place of their own: theirs is
that of the statement.
"""

from __future__ import annotations

import re

from hybridode.errors import Source, Span

_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_OPENERS = ('"""', "'''", '"', "'")
Path = tuple[str, ...]


def places_of(source: Source) -> dict[Path, Span]:
    """Path of a key (`("conditions", "WT", "k")`) or of a section (`("conditions", "WT")`) -> its place."""
    text, found, section, at = source.text, {}, (), 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
        elif text[at] == "#":
            at = _end_of_line(text, at)
        elif text[at] == "[":
            inner = at + 2 if text.startswith("[[", at) else at + 1
            section, end = _key(text, inner)
            found.setdefault(section, source.span(at, end + inner - at))
            at = _end_of_line(text, end)
        else:
            key, end = _key(text, at)
            found.setdefault(section + key, source.span(at, at + len(text[at:end].rstrip())))
            at = _after_value(text, end)
    return found


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _key(text: str, at: int) -> tuple[Path, int]:
    """A dotted key that begins at `at`, and where it ends."""
    parts: list[str] = []
    while match := _PART.match(text, at):
        parts.append(next(g for g in match.groups() if g is not None))
        at = match.end()
        if text[at : at + 1] != ".":
            break
        at += 1
    return tuple(parts), max(at, 1)


def _after_value(text: str, at: int) -> int:
    """The end of the line on which a value ends; lists and long strings run over lines."""
    depth = 0
    while at < len(text):
        c = text[at]
        if c == "#":
            at = _end_of_line(text, at)
            continue
        if c == "\n" and depth <= 0:
            return at
        opener = next((o for o in _OPENERS if text.startswith(o, at)), "")
        if opener:
            at = _after_string(text, at, opener)
            continue
        depth += (c in "[{") - (c in "]}")
        at += 1
    return at


def _after_string(text: str, at: int, opener: str) -> int:
    at += len(opener)
    while at < len(text) and not text.startswith(opener, at):
        at += 2 if text[at] == "\\" and opener[0] == '"' else 1
    return at + len(opener)
