"""Whole modules: the group functions with all they call, a driver over the groups of a batch, and the handler that XLA calls.

A module has one kind. Its entry `hode_KIND_HASH_run` works on a whole job (see `job`), in threads over groups of lanes; the
others take their steps from the record that the solve left. Where that is missing or too short (the forward pass bounds its
memory), they call the solve again, block by block, with a record of the right length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from hybridode.kernels.llvm.backward import adjoint_function
from hybridode.kernels.llvm.checkpoints import part_driver
from hybridode.kernels.llvm.driver import replay_driver, threads_over_groups
from hybridode.kernels.llvm.fused import fused
from hybridode.kernels.llvm.handler import handler_text
from hybridode.kernels.llvm.machine import QUICK
from hybridode.kernels.llvm.parts import Inputs, Module
from hybridode.kernels.llvm.refill import solve_function
from hybridode.kernels.llvm.replay_parts import adjoint_in_parts, tangent_in_parts
from hybridode.kernels.llvm.resume import entry_of_parts, solve_in_parts
from hybridode.kernels.llvm.rolled.adjoint import rolled_adjoint_function
from hybridode.kernels.llvm.rolled.solve import rolled_solve_function
from hybridode.kernels.llvm.rolled.tangent import rolled_tangent_function
from hybridode.kernels.llvm.tangent import tangent_function
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.kernels.mathlib import define, module_text
from hybridode.methods.ready import Method

PARTS = "_parts"  # kinds of modules that work on parts of a solve (see `resume`, `checkpoints`)
IN_PARTS: dict[str, Callable[[Method, Lanes, Inputs, str], Writer]] = {
    "solve_parts": solve_in_parts,
    "tangent_parts": tangent_in_parts,
    "adjoint_parts": adjoint_in_parts,
}
GROUP: dict[str, Callable[[Method, Lanes, Inputs, str], Writer]] = {
    "solve": solve_function,
    "tangent": tangent_function,
    "adjoint": adjoint_function,
}
ROLLED: dict[str, Callable[[Method, Lanes, Inputs, str], Writer]] = {
    "solve": rolled_solve_function,
    "tangent": rolled_tangent_function,
    "adjoint": rolled_adjoint_function,
}


def module_of(kind: str, method: Method, lanes: Lanes, inputs: Inputs, api: tuple[int, int] = (0, 0), solve: str = "",
              quick: bool = False) -> Module:  # fmt: skip
    """The module of a kind ("solve", "tangent", "adjoint", or one of IN_PARTS). `api` is the version of XLA's FFI that the
    handler answers with; `solve` names the entry of the solve's module, which the others call. `quick`: to be compiled without
    optimisation and without a handler; not where steps are loops, which would be many times slower. Names carry a hash of the
    text."""
    quick = quick and not method.rolled
    in_parts = kind in IN_PARTS
    write = IN_PARTS[kind] if in_parts else (ROLLED if method.rolled else GROUP)[kind]
    group = write(method, lanes, inputs, "part" if in_parts else "group")
    definitions = [define(op, beside, attrs=attrs) for op, beside, attrs in group.calls]
    parts = [*group.needs, module_text(definitions, group.needs), *group.lines]
    n, sizes = method.n, (lanes.number_bytes, lanes.width)
    if kind == "solve":
        parts.append("define void @{run}(ptr %job) {\n  call void @all(ptr %job)\n  ret void\n}")
    elif kind == "solve_parts":
        parts.append(entry_of_parts())
    elif in_parts:
        spare = 0 if method.events is None else method.events.count + 2  # rows of an instant
        parts.append(part_driver(kind.removesuffix(PARTS), n, solve, *sizes, spare))
    else:
        parts.append(replay_driver(n, solve, *sizes))
    if kind != "solve_parts":
        parts.append(threads_over_groups(lanes.width))
    if kind != "solve_parts" and not quick:
        parts.append(handler_text(kind.removesuffix(PARTS), n, inputs.parameters, inputs.weight_count, api, lanes))
    if group.data:
        parts.append(tables_text(group.data))
    text = QUICK * quick + _declared_once(fused("\n".join(parts)))
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    names = {entry: f"hode_{kind}_{digest}_{entry}" for entry in ("run", "xla", "tables")}
    for entry, name in {"run": names["run"], "handler": names["xla"], "tables": names["tables"]}.items():
        text = text.replace(f"@{{{entry}}}", f"@{name}")
    calls = (solve,) if solve else ()
    return Module(text, names["run"], "" if quick else names["xla"], calls, group.data, names["tables"] if group.data else "")


def tables_text(data: bytes) -> str:
    """Where the code finds its tables, and the entry that says where. The text holds their hash: other tables, other code."""
    return f"""; tables {hashlib.sha256(data).hexdigest()}
@tables = internal global ptr null, align 8
define void @{{tables}}(ptr %place) {{
  store ptr %place, ptr @tables, align 8
  ret void
}}"""


def _declared_once(text: str) -> str:
    """The text with every declaration once."""
    lines = text.split("\n")
    declarations = dict.fromkeys(line for line in lines if line.startswith("declare "))
    return "\n".join([*declarations, *(line for line in lines if not line.startswith("declare "))])
