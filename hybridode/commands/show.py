"""`hybridode show`: what was understood, and each stage of the compiler."""

from __future__ import annotations

from hybridode.commands.output import Output


def show(model: str, stage: str, latex: bool, simplify: bool, output: Output) -> None:
    """Prints one stage. Raises ModelError for a wrong model, UsageError E0810 for options that do not go together."""
    from hybridode.show import show as stage_text

    text = stage_text(model, stage, latex, simplify)
    output.data({"ok": True, "file": model, "stage": stage, "text": text})
    output.result(text)
