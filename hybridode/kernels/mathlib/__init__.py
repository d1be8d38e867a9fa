"""Elementary and special functions as LLVM IR, lane by lane, without calls of a C library: see docs/mathlib.md."""

from hybridode.kernels.mathlib.code import Definition
from hybridode.kernels.mathlib.library import FUNCTIONS, Function, arity_of, define, module_text, name_of

__all__ = ["FUNCTIONS", "Definition", "Function", "arity_of", "define", "module_text", "name_of"]
