"""Mistakes that can stand in any statement: characters, then signs and values in the wrong place. See `mistakes.Row`."""

from __future__ import annotations

import re
import unicodedata

from hybridode.language.mistakes import OPERATORS, Row, Stuck, in_unit, kind_of

FIRST_ROWS = (
    Row("E0118", "the text ends at its second `\"`", "inside a text write `'`", found="NAME INT STRING UNCLOSED", before="STRING",
        when=lambda c: c.touching),
)  # fmt: skip

# ---- characters that no statement has ------------------------------------------------------------------------------------
_QUOTES = "“ ” „ « » ″"
_APOSTROPHES = "’ ‘ ′ `"

CHARACTER_ROWS = (
    Row("E0118", "the text is never closed", "a `\"` is missing at its end", found="UNCLOSED"),
    Row("E0137", "`{found}` is no name: a superscript cannot stand in one", "write `^2` for a square", found="BADNAME",
        when=lambda c: _has(c, "<super>")),
    Row("E0137", "`{found}` is no name: a combining accent cannot stand in one", "write a letter that has the accent, or none",
        found="BADNAME", when=lambda c: _has(c, "")),
    Row("E0137", "`{found}` is no name", "a name is made of letters, digits and `_`", found="BADNAME"),
    Row("E0140", "a null byte stands in the text", "the file is no text, or is damaged", found="\0"),
    Row("E0102", "`{found}` is the Unicode minus", "write `-`", found="− – — ‐ ‑"),
    Row("E0102", "`{found}` is no operator", "write `*`", found="· × ⋅ ∙ • ∗"),
    Row("E0102", "`{found}` is no operator", "write `/`", found="÷ ∕"),
    Row("E0102", "`{found}` is no operator", "write `<=`", found="≤ ⩽"),
    Row("E0102", "`{found}` is no operator", "write `>=`", found="≥ ⩾"),
    Row("E0102", "`{found}` is no operator", "write `!=`", found="≠"),
    Row("E0102", "`{found}` is no arrow", "write `->` or `<->`", found="→ ⇌ ↔ ⟶ ⇒"),
    Row("E0102", "`{found}` is no sign of this language", "write `sqrt(…)`, `sum(…)`, `inf`, `diff(…)` or the like",
        found="√ ∑ ∏ ∫ ∞ ∂ ∇ ±"),
    Row("E0102", "`{found}` is a typographic quote", "write `\"`", found=_QUOTES),
    Row("E0102", "`{found}` is not the sign `'`", "write `'` for a derivative", found=_APOSTROPHES),
    Row("E0102", "an invisible character stands here (U+{blank})", "delete it, or write an ordinary blank", found="BAD",
        when=lambda c: c.found.text.isspace() or not c.found.text.isprintable()),
    Row("E0124", "`%` is no unit", "write the unit `1` and the value as a fraction", found="%", when=in_unit),
    Row("E0104", "`%` is no operator", "write `mod(a, b)`", found="%"),
    Row("E0104", "`&` is no operator", "write `and`", found="&"),
    Row("E0104", "`|` is no operator", "write `or`, or `abs(x)` for an absolute value", found="|"),
    Row("E0104", "`!` is no operator", "write `not`", found="!"),
    Row("E0104", "`?` is no operator", "write `if a then b else c`", found="?"),
    Row("E0145", "`\\` continues a line and must be its last character", "break the line after it", found="\\"),
    Row("E0102", "unexpected character `{found}`", found="BAD"),
)  # fmt: skip


def _has(c: Stuck, decomposition: str) -> bool:
    if decomposition:
        return any(unicodedata.decomposition(ch).startswith(decomposition) for ch in c.found.text)
    return any(unicodedata.category(ch).startswith("M") for ch in c.found.text)


_FUNCTIONS = "sin cos tan exp log ln log10 sqrt abs tanh sinh cosh erf gamma"


# ---- predicates ------------------------------------------------------------------------------------------------------------
_UNIT_LIKE = re.compile(
    r"(?:[numkMGµμ]|da|c|d|h)?"
    r"(?:m|s|g|mol|M|V|A|K|h|min|d|day|yr|a|L|l|Hz|Pa|J|W|N|F|S|ohm|C|T|rad|degC|eV|bar)$"
)


def _chained(c: Stuck) -> bool:
    kinds = [kind_of(t) if t.text not in ("and", "or", "then", "else") else "|" for t in c.level]
    return "COMPARE" in kinds and "|" not in kinds[len(kinds) - kinds[::-1].index("COMPARE") :]


def _unit_meant(c: Stuck) -> bool:
    return not c.touching and bool(_UNIT_LIKE.match(c.found.text))


def _after_value(c: Stuck) -> bool:
    return kind_of(c.before) in ("NAME", "INT", "REAL", "DERIVATIVE", "PRIME", "_RPAR", "_RSQB")


def _half_conditional(c: Stuck) -> bool:
    texts = [t.text for t in c.level]
    return texts.count("if") > texts.count("else") and "_ELSE" in c.expected


def _one_line_if(c: Stuck) -> bool:
    return c.tokens[0].text == "if"


def _dangling(c: Stuck) -> bool:
    return kind_of(c.before) in OPERATORS or c.before.text in ("and", "or", "not")


def _equation_sides(c: Stuck) -> bool:
    """The statement has its `=` already, outside brackets."""
    return not c.open and any(t.kind == "_EQUAL" for t in c.level)


def _decimal_comma(c: Stuck) -> bool:
    return c.before.kind == c.after.kind == "INT" and c.before.end == c.found.start and c.found.end == c.after.start


# ---- signs and values in the wrong place -------------------------------------------------------------------------------------
GENERAL_ROWS = (
    # the start of a statement
    Row("E0133", "a family's range stands after its equation", "write `x[i]' = … for i in 1..n`", found="for",
        when=lambda c: c.index == 0),
    Row("E0144", "`if` chooses between values, not between statements", "write `y = if a then 1 else 2`", when=_one_line_if,
        place="first"),
    Row("E0110", "the left side is missing", "write `name = …`", found="_EQUAL", when=lambda c: c.index == 0),
    Row("E0119", "the name is missing", "write `{word} NAME …`", found="$END", expects="NAME", when=lambda c: c.index == 1),
    # assignment and comparison
    Row("E0133", "an index runs over a range", "write `for {before} in 1..n`", found="_EQUAL", expects="_IN"),
    Row("E0108", "`==` compares; it does not define", "write `=`", found="==", expects="_EQUAL", when=lambda c: c.word),
    Row("E0109", "`:=` stands only inside events", "write `=`", found="_ASSIGN"),
    Row("E0108", "`=` defines; it does not compare", "write `==`", found="_EQUAL", when=lambda c: c.in_condition),
    Row("E0104", "there is no `{before}=`", "write `x = x {before} …`, or `x' = …` for a rate of change", found="_EQUAL",
        when=lambda c: c.before.kind in ("PLUS", "MINUS", "STAR", "SLASH") and c.touching, place="both"),
    Row("E0108", "an equation has one `=`", "write two equations", found="_EQUAL", when=_equation_sides),
    Row("E0105", "comparisons cannot be chained", "write `a {comparison} b and b {found} c`", found="COMPARE", when=_chained),
    # conditionals
    Row("E0107", "a conditional begins with `if`", "write `if c then a else b`", found="if", when=lambda c: _after_value(c)),
    Row("E0106", "`if` needs its `else`", "write `if a then b else c`", when=_half_conditional),
    Row("E0106", "`if` needs its `then`", "write `if a then b else c`", found="$END _COMMA _RPAR _RSQB", expects="_THEN"),
    Row("E0107", "a conditional inside an expression stands in parentheses", "write `(if … then … else …)`", found="if",
        when=_dangling),
    Row("E0106", "`{found}` belongs to an `if`", "write `if a then b else c`", found="then else"),
    Row("E0119", "`{found}` is reserved and cannot be a name", "write `` `{found}` `` in backquotes, or another name",
        found="RESERVED", before="_DOT", expects="NAME"),
    # what is missing
    Row("E0110", "the right side is missing", "write a value after `{before}`", found="$END", before="_EQUAL _ASSIGN"),
    Row("E0113", "the line ends after `{before}`", "continue with `\\` at the end of the line, or inside ( )", found="$END",
        when=_dangling),
    Row("E0113", "an argument is missing before the comma", found="_COMMA", before="_LPAR _COMMA _LSQB"),
    Row("E0113", "a value is missing after the comma", "delete the comma, or write a value", found="_RPAR _RSQB",
        before="_COMMA"),
    Row("E0113", "a value is missing after `{before}`", found="_RPAR _RSQB _RBRACE _COMMA _SEMICOLON _NL", when=_dangling),
    Row("E0113", "nothing stands between the brackets", found="_RPAR _RSQB", before="_LPAR _LSQB"),
    Row("E0113", "a value is missing before `{found}`", found="STAR SLASH _POW COMPARE and or AT",
        when=lambda c: not _after_value(c)),
    # text
    Row("E0118", "a text stands in double quotes, and is no value", "texts are documentation, files and weights only",
        found="PRIME",
        when=lambda c: not _after_value(c)),
    Row("E0117", "a text cannot be a value", "texts are documentation, files and weights only", found="STRING",
        expects="REAL"),
    # commas, semicolons, colons, dots
    Row("E0114", "arguments are separated by commas", "write `,` instead of `;`", found="_SEMICOLON",
        when=lambda c: bool(c.open)),
    Row("E0114", "one statement in each line", "break the line here instead of `;`", found="_SEMICOLON"),
    Row("E0143", "numbers are written with a decimal point", "write `{before}.{after}`", found="_COMMA", when=_decimal_comma,
        place="both"),
    Row("E0120", "several names on the left stand in brackets", "write `[a, b] = …`", found="_COMMA", when=lambda c: not c.open
        and c.index == 1),
    Row("E0116", "ranges are written with two dots", "write `1..n`", found="_COLON",
        when=lambda c: c.inside == "index" or "_DOTS" in c.expected),
    Row("E0103", "two names stand side by side", "write `{before}*{found}` for a product", found="_COLON",
        when=lambda c: c.near(-2).text == "lambda"),
    Row("E0133", "an index runs over a range", "write `{index} in 1..n`", found="_DOTS",
        when=lambda c: c.near(-2).kind == "_EQUAL"
        and c.inside == "call"),
    Row("E0116", "a range is no value", "it may stand in `for`, `sum(i in 1..n, …)`, an index, or `grid`", found="_DOTS"),
    Row("E0143", "`{before}{found}` is no number", "a number has one decimal point", found="REAL", before="REAL INT",
        when=lambda c: c.touching, place="both"),
    # families
    Row("E0133", "an index runs over a range", "write `in 1..n`", found="$END _COMMA NAME _RPAR", expects="_DOTS"),
    Row("E0133", "`for` needs an index and a range", "write `for i in 1..n`", before="for"),
    # units
    Row("E0115", "a unit may only follow a number", "multiply by `1 {group}`", found="_LSQB", before="_RPAR _RSQB"),
    Row("E0115", "a unit after a number stands in brackets", "write `{before} [{found}]`", found="NAME", before="INT REAL",
        when=_unit_meant),
    Row("E0124", "a unit is missing after `{before}`", "as in `2 [m/s^2]`", before="STAR SLASH _LSQB", expects="NAME INT",
        when=lambda c: "REAL" not in c.expected),
    Row("E0124", "a unit's exponent is a number", "as in `2 [m/s^2]`", expects="MINUS INT",
        when=lambda c: "NAME" not in c.expected),
    # two values side by side
    Row("E0146", "a second derivative is written with two primes", "write `{found}''`", found="NAME",
        when=lambda c: c.near(-2).kind == "_POW" and c.near(-3).text == "d"),
    Row("E0143", "`{before}{found}` is no number", "numbers are decimal", found="NAME", before="0",
        when=lambda c: c.touching and c.found.text[0] in "xXbBoO", place="both"),
    Row("E0103", "the argument of `{before}` stands in parentheses", "write `{before}({found})`",
        found="NAME INT REAL DERIVATIVE",
        before=_FUNCTIONS),
    Row("E0103", "a sign is missing between `{before}` and `{found}`", "write `{product}` for a product",
        found="NAME _LPAR DERIVATIVE",
        before="INT REAL", place="found"),
    Row("E0103", "two numbers stand side by side", "an operator is missing", found="INT REAL", before="INT REAL"),
    Row("E0103", "two names stand side by side", "write `{before}*{found}` for a product", found="NAME DERIVATIVE",
        before="NAME DERIVATIVE"),
    Row("E0103", "a parenthesis cannot be called", "write `{product_of_groups}` for a product", found="_LPAR",
        before="_RPAR _RSQB"),
    Row("E0103", "a sign is missing before `{found}`", "write `*{found}` for a product", found="NAME INT REAL DERIVATIVE",
        when=_after_value),
    Row("E0118", "a text is no value", "texts are documentation, files and weights only", found="STRING"),
    # brackets and arrows in odd places
    Row("E0131", "after `at` stands a number or a name", "name the time first: `t0 = …`, then `at t0 {{ x := … }}`",
        found="_LBRACE",
        when=lambda c: c.tokens[0].text == "at", place="first"),
    Row("E0101", "`{found}` stands only in reactions and networks", "write `reaction A -> B, k`", found="ARROW ARROW_BOTH"),
    Row("E0101", "braces stand only after `event … when …` and `at …`", found="_LBRACE _RBRACE"),
    Row("E0108", "an equation has one `=`", "`==` compares; write `=`", found="$END", expects="_EQUAL", place="comparison",
        when=lambda c: any(t.text == "==" for t in c.level)),
    Row("E0110", "an equation needs `=`", "write `name = {line}`, or `0 = {line}`", found="$END", expects="_EQUAL"),
)  # fmt: skip
