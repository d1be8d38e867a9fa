"""Expressions as MathML, which browsers typeset without fonts or scripts of ours.

Presentation MathML Core (W3C), written bottom-up: a sum of 20,000 terms and a nesting of 1,000 are ordinary.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from hybridode.expr import Expr, Symbol, number_text, postorder

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ",
    "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Sigma": "Σ", "Phi": "Φ",
    "Psi": "Ψ", "Omega": "Ω", "pi": "π",
}  # fmt: skip
_RELATION = {"lt": "&lt;", "le": "≤", "gt": "&gt;", "ge": "≥", "eq": "=", "ne": "≠"}
_FUNCTION = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lgamma": "ln Γ", "gamma": "Γ", "log": "ln", "sigmoid": "σ"}
# How tightly a piece holds together: it is put in parentheses where a tighter one is needed.
_LOWEST, _OR, _AND, _NOT, _RELATED, _SUM, _SIGN, _PRODUCT, _POWER, _ATOM = range(10)
_LONGEST = 2_000  # nodes of one expression that are typeset; functions that call functions can grow without end
_LETTERS_AND_DIGITS = re.compile(r"([^\W\d_]+)(\d+)")

_MINUS = "<mo>−</mo>"
_INFIX_MINUS, _INFIX_PLUS = "<mo form='infix'>−</mo>", "<mo form='infix'>+</mo>"  # spaced, even at the start of a row
_TALL = re.compile("<(mfrac|msup|msubsup|mtable|msqrt)")

Piece = tuple[str, int]  # markup, how tightly it holds together


@dataclass(frozen=True)
class Notation:
    """What the names mean: the time of `dx/dt`, and the networks whose outputs need a number."""

    time: str = "t"
    vector_networks: frozenset[str] = frozenset()


_PLAIN = Notation()


def row(*parts: str) -> str:
    """Parts side by side as one."""
    return f"<mrow>{''.join(parts)}</mrow>"


def name(text: str) -> str:
    """A user's name: Greek names as letters, `_` and trailing digits as subscripts, `'` as primes."""
    base, primes = text.rstrip("'"), len(text) - len(text.rstrip("'"))
    base, _, indices = base.partition("[")
    parts = base.split("_")
    match = _LETTERS_AND_DIGITS.fullmatch(parts[0])
    if match is not None:
        parts[:1] = [match[1], match[2]]
    letters = [GREEK.get(p, p) for p in parts if p] or [base]
    comma = ", " if len(letters) < 3 or max(map(len, letters[1:])) < 3 else NBSP  # `k_a_b`, but `rate_of_decay`
    below = [escape(comma.join(letters[1:]))] if len(letters) > 1 else []
    below += [escape(indices.rstrip("]"))] if indices else []
    head = f"<mi>{escape(letters[0])}</mi>"
    if below:
        lower = f"<mtext>{', '.join(below)}</mtext>"
        return f"<msubsup>{head}{lower}<mo>{'′' * primes}</mo></msubsup>" if primes else f"<msub>{head}{lower}</msub>"
    return f"<msup>{head}<mo>{'′' * primes}</mo></msup>" if primes else head


NBSP = "\N{NO-BREAK SPACE}"
_DIGITS = 12  # letters of a number that is shown as it is


def number(value: float) -> str:
    """A number, with a power of ten where the text has an exponent; of very many digits six are shown."""
    text = number_text(abs(value))
    text = text if len(text) <= _DIGITS or not math.isfinite(value) else f"{abs(value):.6g}"
    mantissa, _, exponent = text.partition("e")
    if abs(value) == math.pi:
        return "<mi>π</mi>"
    if mantissa == "inf":
        return "<mi>∞</mi>"
    if not exponent:
        return f"<mn>{mantissa}</mn>"
    power = f"<msup><mn>10</mn>{row(_MINUS if int(exponent) < 0 else '', f'<mn>{abs(int(exponent))}</mn>')}</msup>"
    return power if mantissa == "1" else row(f"<mn>{mantissa}</mn>", "<mo>×</mo>", power)


def parenthesised(text: str) -> str:
    """In parentheses, which grow only with what is tall: fonts round a subscript's depth up to the next larger sign."""
    stretchy = "" if _TALL.search(text) else " stretchy='false'"
    return row(f"<mo{stretchy}>(</mo>", text, f"<mo{stretchy}>)</mo>")


def expression(root: Expr, notation: Notation = _PLAIN) -> str:
    """An expression as the content of a `<math>` element."""
    done: dict[Expr, Piece] = {}
    sizes: dict[Expr, int] = {}  # as a tree: what is shared is written as often as it occurs
    for e in postorder((root,)):
        sizes[e] = 1 + sum(sizes[a] for a in e.args)
        done[e] = _piece(e, [done[a] for a in e.args], notation) if sizes[e] <= _LONGEST else ("<mo>…</mo>", _ATOM)
    return done[root][0]


def terms(root: Expr, notation: Notation = _PLAIN) -> list[str]:
    """The terms of a sum, each with its sign, for setting a long equation on several lines."""
    if root.op != "add":
        return [expression(root, notation)]
    first, *rest = root.args
    return [expression(first, notation), *(_signed(a, notation) for a in rest)]


def _signed(e: Expr, notation: Notation) -> str:
    inner = e.args[0] if e.op == "neg" else e
    text = expression(inner, notation)
    if e.op == "mul" and (e.args[0].op == "neg" or (e.args[0].op == "const" and e.args[0].data < 0)):
        return text.replace(_MINUS, _INFIX_MINUS, 1)
    return row(_INFIX_MINUS if e.op == "neg" else _INFIX_PLUS, parenthesised(text) if inner.op == "add" else text)


def _at(piece: Piece, level: int) -> str:
    return piece[0] if piece[1] >= level else parenthesised(piece[0])


def _call(function: str, args: list[Piece]) -> Piece:
    inner = "<mo>,</mo>".join(piece[0] for piece in args)
    return row(f"<mi>{function}</mi>", "<mo>⁡</mo>", parenthesised(inner)), _ATOM


def _symbol(symbol: Symbol, notation: Notation) -> Piece:
    text = name(str(symbol))
    if symbol.kind == "derivative" or symbol.kind == "input_rate":
        return derivative(str(symbol), notation.time), _ATOM
    return (row(text, "<mo>(</mo><mn>0</mn><mo>)</mo>") if symbol.kind == "start_input" else text), _ATOM


def derivative(state: str, time: str) -> str:
    """`dx/dt` as a fraction."""
    return f"<mfrac>{row('<mi>d</mi>', name(state))}{row('<mi>d</mi>', name(time))}</mfrac>"


def _sum(e: Expr, args: list[Piece]) -> Piece:
    parts = [_at(args[0], _SUM)]
    for a, piece in zip(e.args[1:], args[1:], strict=True):
        # A subtracted term was made as `−term`; here the sign is the sum's own operator.
        minus = a.op == "neg" or (a.op == "const" and a.data < 0) or (a.op == "mul" and piece[1] == _SIGN)
        parts.append(piece[0].replace(_MINUS, _INFIX_MINUS, 1) if minus else row(_INFIX_PLUS, _at(piece, _SIGN)))
    return row(*parts), _SUM


def _product(e: Expr, args: list[Piece]) -> Piece:
    parts: list[str] = []
    leads = args[0][1] == _SIGN  # `−k x` needs no parentheses
    for i, (a, piece) in enumerate(zip(e.args, args, strict=True)):
        if i:
            # Two numbers side by side need a sign between them; other factors stand close.
            parts.append("<mo>×</mo>" if a.op == "const" else "<mo>&#x2062;</mo><mspace width='0.17em'/>")
        parts.append(piece[0] if leads and not i else _at(piece, _PRODUCT))
    return row(*parts), _SIGN if leads else _PRODUCT


def _cases(e: Expr, args: list[Piece]) -> Piece:
    condition, then, otherwise = (piece[0] for piece in args)
    rows = (
        f"<mtr><mtd>{then}</mtd><mtd><mtext>if&#xA0;</mtext>{condition}</mtd></mtr>"
        f"<mtr><mtd>{otherwise}</mtd><mtd><mtext>otherwise</mtext></mtd></mtr>"
    )
    return row("<mo>{</mo>", f"<mtable class='cases'>{rows}</mtable>"), _LOWEST


def _fenced(opening: str, closing: str) -> Callable[[Expr, list[Piece]], Piece]:
    return lambda e, args: (row(f"<mo>{opening}</mo>", args[0][0], f"<mo>{closing}</mo>"), _ATOM)


def _infix(sign: str, level: int) -> Callable[[Expr, list[Piece]], Piece]:
    return lambda e, args: (row(f"<mo>{sign}</mo>".join(_at(piece, level + 1) for piece in args)), level)


def _output(e: Expr, args: list[Piece], notation: Notation) -> Piece:
    if e.args[0].op == "net" and e.args[0].data not in notation.vector_networks:
        return args[0]
    return f"<msub>{row(args[0][0])}<mn>{e.data + 1}</mn></msub>", _ATOM


_WRITERS: dict[str, Callable[[Expr, list[Piece]], Piece]] = {
    "add": _sum,
    "mul": _product,
    "neg": lambda e, args: (row(_MINUS, _at(args[0], _PRODUCT)), _SIGN),
    "div": lambda e, args: (f"<mfrac>{row(args[0][0])}{row(args[1][0])}</mfrac>", _POWER),
    "pow": lambda e, args: (f"<msup>{row(_at(args[0], _ATOM))}{row(args[1][0])}</msup>", _POWER),
    "exp": lambda e, args: (f"<msup><mi>e</mi>{row(args[0][0])}</msup>", _POWER),
    "sqrt": lambda e, args: (f"<msqrt>{args[0][0]}</msqrt>", _ATOM),
    "abs": _fenced("|", "|"),
    "floor": _fenced("⌊", "⌋"),
    "log10": lambda e, args: (row("<msub><mi>log</mi><mn>10</mn></msub>", parenthesised(args[0][0])), _ATOM),
    "log2": lambda e, args: (row("<msub><mi>log</mi><mn>2</mn></msub>", parenthesised(args[0][0])), _ATOM),
    "not": lambda e, args: (row("<mo>¬</mo>", _at(args[0], _SUM)), _NOT),
    "and": _infix("∧", _AND),
    "or": _infix("∨", _OR),
    "where": _cases,
    "net": lambda e, args: (f"<mrow class='learnt'>{_call_named(e.data, args)[0]}</mrow>", _ATOM),
    "table": lambda e, args: _call_named(e.data, args),
    **{op: _infix(sign, _RELATED) for op, sign in _RELATION.items()},
}


def _call_named(function: str, args: list[Piece]) -> Piece:
    inner = "<mo>,</mo>".join(piece[0] for piece in args)
    return row(name(function), "<mo>⁡</mo>", parenthesised(inner)), _ATOM


def _piece(e: Expr, args: list[Piece], notation: Notation) -> Piece:
    if e.op == "const":
        assert not math.isnan(e.data), "a model holds no NaN"
        return (number(e.data), _ATOM) if e.data >= 0 else (row(_MINUS, number(e.data)), _SIGN)
    if e.op == "sym":
        return _symbol(e.data, notation)
    if e.op == "out":
        return _output(e, args, notation)
    writer = _WRITERS.get(e.op)
    return writer(e, args) if writer is not None else _call(_FUNCTION.get(e.op, e.op), args)
