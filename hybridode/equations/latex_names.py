"""Names as LaTeX: Greek letters, subscripts, upright words."""

from __future__ import annotations

import re

LOWER = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
    "varepsilon vartheta varphi varrho"
).split()  # fmt: skip
UPPER = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
WORDS = {word: f"\\{word}" for word in (*LOWER, *UPPER)} | {"inf": "\\infty"}
LETTERS = dict(zip("αβγδεζηθικλμνξπρστυφχψω", [f"\\{w}" for w in LOWER[:23]], strict=True)) | {
    "ς": "\\varsigma", "Γ": "\\Gamma", "Δ": "\\Delta", "Θ": "\\Theta", "Λ": "\\Lambda", "Ξ": "\\Xi", "Π": "\\Pi", "Σ": "\\Sigma",
    "Φ": "\\Phi", "Ψ": "\\Psi", "Ω": "\\Omega",
}  # fmt: skip
_SPECIAL = {c: "\\" + c for c in "_%&#${}"} | {"~": r"\sim ", "^": r"\wedge ", "\\": ""}
_INDEXED = re.compile(r"^(?P<name>.*?)(?P<primes>'*)(\[(?P<index>[^\]]*)\])?$", re.DOTALL)
_NUMBERED = re.compile(r"^(?P<word>[^\W\d_]+)(?P<number>\d+)$")


def name_latex(name: str) -> str:
    """`alpha_m` -> \\alpha_{m}, `Ca_i` -> \\mathrm{Ca}_{i}, `y12` -> y_{12}, `w[1, 2]` -> w_{1,2}, `x'` -> x'. What the
    reduction of equations names itself, in parentheses, stays as it is."""
    if name.startswith("("):
        return rf"\text{{{text_latex(name)}}}"
    parts = _INDEXED.match(name)
    assert parts is not None
    words = [w for w in parts["name"].split("_") if w] or [parts["name"]]
    numbered = _NUMBERED.match(words[0])
    if numbered:
        words[:1] = [numbered["word"], numbered["number"]]
    below = [_word(w) for w in words[1:]]
    if parts["index"] is not None:
        below.append(",".join(i.strip() for i in parts["index"].split(",")))
    head = _word(words[0]) + parts["primes"]
    return head + (f"_{{{','.join(below)}}}" if below else "")


def _word(word: str) -> str:
    if word in WORDS:
        return WORDS[word]
    if word.isascii() and len(word) == 1 and word.isalpha():
        return word
    if word in LETTERS:
        return LETTERS[word]
    if word.isdigit():
        return word
    numbered = _NUMBERED.match(word)
    if numbered:
        return f"{_word(numbered['word'])}{numbered['number']}"
    return f"\\mathrm{{{text_latex(word)}}}"


def text_latex(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    return "".join(_SPECIAL.get(c, c) for c in text)
