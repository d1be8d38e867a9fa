"""Whole modules: the group functions with all they call, a driver over the groups of a batch, and the handler that XLA calls.

A module has one kind. Its entry `hode_KIND_HASH_run` works on a whole job (see `job`), in threads over groups of lanes; the
others take their steps from the record that the solve left. Where that is missing or too short (the forward pass bounds its
memory), they call the solve again, block by block, with a record of the right length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from hybridode.kernels.llvm.backward import adjoint_function
from hybridode.kernels.llvm.driver import replay_driver, threads_over_groups
from hybridode.kernels.llvm.handler import handler_text
from hybridode.kernels.llvm.loop import solve_function
from hybridode.kernels.llvm.parts import Inputs, Module
from hybridode.kernels.llvm.tangent import tangent_function
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.kernels.mathlib import define, module_text
from hybridode.methods.ready import Method

GROUP: dict[str, Callable[[Method, Lanes, Inputs, str], Writer]] = {
    "solve": solve_function,
    "tangent": tangent_function,
    "adjoint": adjoint_function,
}


def module_of(kind: str, method: Method, lanes: Lanes, inputs: Inputs, api: tuple[int, int] = (0, 0), solve: str = "") -> Module:
    """The module of a kind ("solve", "tangent", "adjoint"). `api` is the version of XLA's FFI that the handler answers with;
    `solve` names the entry of the solve's module, which the other kinds call. Names carry a hash of the text."""
    group = GROUP[kind](method, lanes, inputs, "group")
    definitions = [define(op, beside, attrs=attrs) for op, beside, attrs in group.calls]
    parts = [*group.needs, module_text(definitions, group.needs), *group.lines]
    parts.append(threads_over_groups(lanes.width))
    n = method.n
    parts.append(
        "define void @{run}(ptr %job) {\n  call void @all(ptr %job)\n  ret void\n}"
        if kind == "solve"
        else replay_driver(n, solve)
    )
    parts.append(handler_text(kind, n, inputs.parameters, inputs.weight_count, api))
    text = _declared_once("\n".join(parts))
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    run, handler = f"hode_{kind}_{digest}_run", f"hode_{kind}_{digest}_xla"
    text = text.replace("@{run}", f"@{run}").replace("@{handler}", f"@{handler}")
    return Module(text, run, handler, (solve,) if solve else ())


def _declared_once(text: str) -> str:
    """The text with every declaration once."""
    lines = text.split("\n")
    declarations = dict.fromkeys(line for line in lines if line.startswith("declare "))
    return "\n".join([*declarations, *(line for line in lines if not line.startswith("declare "))])
