"""`show`: one function per stage, each importing only what its stage needs (a tree and a model need no SymPy and no JAX)."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic, ModelError, Source, UsageError

Model = str | Path | Declarations


def show(model: Model, stage: str = "model", latex: bool = False, simplify: bool = False) -> str:
    """One stage of a model as text, in the user's names.

    `model`: a path or checked declarations. `stage`: tree, model, equations, jacobian, tape or jax. `latex` (model, equations,
    jacobian) gives an `align*` environment. `simplify` (equations) lets SymPy simplify what is shown, and only that.
    Raises ModelError for a wrong file, UsageError for options that do not go together.
    """
    if stage not in STAGES:
        near = difflib.get_close_matches(stage, STAGES, 1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(STAGES)}"
        raise UsageError(Diagnostic("E0810", f"there is no stage `{stage}`", hint=hint))
    if latex and stage not in LATEX:
        raise UsageError(Diagnostic("E0810", f"the stage `{stage}` has no LaTeX form", hint=f"one of {', '.join(LATEX)}"))
    if simplify and stage != "equations":
        message = f"the stage `{stage}` is not simplified"
        raise UsageError(Diagnostic("E0810", message, hint="`--simplify` goes with `--stage equations`"))
    if stage == "tree":
        return _tree(_source(model))
    declarations = model if isinstance(model, Declarations) else _declare(_source(model))
    if stage == "equations":
        return _equations(declarations, latex, simplify)
    return (LATEX if latex else STAGES)[stage](declarations)


def _source(model: Model) -> Source:
    if isinstance(model, Declarations):
        return model.source
    from hybridode.language.reader import load

    return load(model)


def _declare(source: Source) -> Declarations:
    from hybridode.language.check import declare

    return declare(source)


def _tree(source: Source) -> str:
    from hybridode.language.reader import parse
    from hybridode.show.tree import tree_text

    tree, errors = parse(source)
    if errors:
        raise ModelError(errors)
    return tree_text(tree, source)


def _model(d: Declarations) -> str:
    from hybridode.show.model import model_text

    return model_text(d)


def _model_latex(d: Declarations) -> str:
    from hybridode.equations.latex import model_latex

    return model_latex(d)


def _equations(d: Declarations, latex: bool, simplify: bool) -> str:
    from hybridode.equations.latex import system_latex
    from hybridode.equations.pipeline import equations_of
    from hybridode.show.equations import equations_text, simplified

    system = equations_of(d)
    if simplify:
        system = simplified(system)
    return system_latex(system) if latex else equations_text(system)


def _jacobian(d: Declarations) -> str:
    from hybridode.equations.pipeline import equations_of
    from hybridode.show.equations import jacobian_text

    return jacobian_text(equations_of(d))


def _jacobian_latex(d: Declarations) -> str:
    from hybridode.equations.latex import jacobian_latex
    from hybridode.equations.pipeline import equations_of

    return jacobian_latex(equations_of(d))


def _tape(d: Declarations) -> str:
    from hybridode.compile import tapes_of
    from hybridode.equations.pipeline import equations_of
    from hybridode.tape.print import print_tape

    return "\n".join(f"tape {name}\n{print_tape(tape)}" for name, tape in tapes_of(equations_of(d)).items())


def _jax(d: Declarations) -> str:
    from hybridode.compile import compile_model

    parts: list[tuple[str, Any]] = []
    compile_model(d, dump=lambda stage, value: parts.append((stage, value)))
    return "\n".join(f"{stage}\n{value}\n" for stage, value in parts if stage.startswith("jax "))


STAGES: dict[str, Callable[[Declarations], str]] = {
    "tree": lambda d: _tree(d.source),
    "model": _model,
    "equations": lambda d: _equations(d, False, False),
    "jacobian": _jacobian,
    "tape": _tape,
    "jax": _jax,
}
LATEX: dict[str, Callable[[Declarations], str]] = {
    "model": _model_latex,
    "equations": lambda d: _equations(d, True, False),
    "jacobian": _jacobian_latex,
}
