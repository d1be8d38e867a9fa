"""Which multiplications and additions are one instruction: decided here, in the text, and by nobody after.

The `contract` flag leaves it to the compiler, which decides by basic block: what it merges or leaves alone at one level of
optimisation and not at another changes the last bit. `llvm.fmuladd` is a fused instruction on every processor that has one
(elsewhere a product and a sum), at every level. So code that is compiled quickly and code that is optimised are the same bits.

A product is fused with the sum that alone reads it, within a basic block, as LLVM's own rule is; of two such products the first.
"""

from __future__ import annotations

import re
from collections import Counter

FLAG = " contract "
_NAMES = re.compile(r"%[\w.]+")
_END = "\n}\n"  # of a function
_ARITHMETIC = re.compile(r"  (\S+) = (f\w+)(?: contract)? (<[^>]*>|\w+) (<[^>]*>|[^,]+)(?:, (.+))?$")
_VECTOR = re.compile(r"<(\d+) x (\w+)>")
_SUFFIX = {"double": "f64", "float": "f32"}
ONCE = 2  # how often a name is seen that is made and read once


def fused(text: str) -> str:
    """A module's text with its `contract` flags carried out and taken away."""
    kinds: dict[str, None] = {}
    found = [_Function(part, kinds).text() if FLAG in part else part for part in text.split(_END)]
    return "\n".join([*(f"declare {kind} @{_intrinsic(kind)}({kind}, {kind}, {kind})" for kind in kinds), _END.join(found)])


def _intrinsic(kind: str) -> str:
    vector = _VECTOR.fullmatch(kind)
    return f"llvm.fmuladd.v{vector[1]}{_SUFFIX[vector[2]]}" if vector else f"llvm.fmuladd.{_SUFFIX[kind]}"


class _Function:
    """One function, and what stands before it. `products` and `negated` are those of the block that are read once: the line, and
    what is read there."""

    def __init__(self, text: str, kinds: dict[str, None]) -> None:
        self.lines, self.kinds = text.split("\n"), kinds
        self.uses = Counter(_NAMES.findall(text))
        self.products: dict[str, tuple[int, str, str]] = {}
        self.negated: dict[str, tuple[int, str]] = {}

    def text(self) -> str:
        for k, line in enumerate(self.lines):
            if line.endswith(":"):
                self.products, self.negated = {}, {}
            elif FLAG in line or " = fneg " in line:
                self._arithmetic(k, line)
        return "\n".join(filter(None, self.lines)).replace(FLAG, " ")

    def _arithmetic(self, k: int, line: str) -> None:
        found = _ARITHMETIC.match(line)
        assert found, line
        name, op, kind, a, b = found.groups()
        if op in ("fadd", "fsub"):
            self._sum(k, name, kind, (a, 1), (b, 1 if op == "fadd" else -1))
        elif self.uses[name] == ONCE and op == "fmul":
            self.products[name] = k, a, b
        elif self.uses[name] == ONCE and op == "fneg":
            self.negated[name] = k, a

    def _sum(self, k: int, name: str, kind: str, *terms: tuple[str, int]) -> None:
        """The line of a sum of two terms with signs: fused with the first of them that is a product."""
        for (one, sign), (other, its) in (terms, terms[::-1]):
            turned = self.negated.get(one)
            product = self.products.pop(turned[1] if turned else one, None)
            if product is None:
                continue
            place, a, b = product
            self.lines[place] = ""
            if turned:
                self.lines[turned[0]], sign = "", -sign
            before = []
            if sign < 0:
                before.append(f"  {name}.n = fneg {kind} {a}")
                a = f"{name}.n"
            if its < 0:
                before.append(f"  {name}.m = fneg {kind} {other}")
                other = f"{name}.m"
            self.kinds[kind] = None
            call = f"  {name} = call {kind} @{_intrinsic(kind)}({kind} {a}, {kind} {b}, {kind} {other})"
            self.lines[k] = "\n".join([*before, call])
            return
