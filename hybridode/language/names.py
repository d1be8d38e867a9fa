"""Names as people mistype them: nearest names and letters that look alike."""

from __future__ import annotations

from collections.abc import Iterable

# Greek and Cyrillic letters that look like Latin ones (Unicode confusables, the letters of words only).
_LOOK_ALIKE = str.maketrans(
    "АВСЕНІЈКМОРЅТХУасеһіјкорѕхуԁΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲ",
    "ABCEHIJKMOPSTXYacehijkopsxydABEZHIKMNOPTYXoc",
)


def distance(a: str, b: str, most: int) -> int:
    """Edit distance with neighbouring letters swapped counted once (Damerau); more than `most` is `most + 1`."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i] + [0] * len(b)
        for j, y in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if older and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], older[j - 2] + 1)
        if min(row) > most:
            return most + 1
    return row[-1]


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The candidate a user most likely meant, or "". The same letters in another case or alphabet come first."""
    pool = [c for c in dict.fromkeys(candidates) if c and c != name]
    folded = skeleton(name).casefold()
    for candidate in pool:
        if skeleton(candidate).casefold() == folded:
            return candidate
    most = 0 if len(name) < 2 else 1 if len(name) < 5 else 2 if len(name) < 9 else 3
    best, least = "", most + 1
    for candidate in pool:
        d = distance(name, candidate, most)
        if d < least and d < len(name):
            best, least = candidate, d
    return best


def skeleton(name: str) -> str:
    """The name with every look-alike letter replaced by the Latin one."""
    return name.translate(_LOOK_ALIKE)


def listing(items: Iterable[str], last: str = "and", most: int = 8) -> str:
    """`a`, `b` and `c` (with "…" after `most`)."""
    quoted = [f"`{item}`" for item in items]
    if len(quoted) > most:
        quoted = [*quoted[: most - 1], f"{len(quoted) - most + 1} more"]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def count(n: int, word: str, words: str = "") -> str:
    """1 argument, 2 arguments."""
    return f"{n} {word}" if n == 1 else f"{n} {words or word + 's'}"
