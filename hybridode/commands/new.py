"""`hybridode new`: a commented model to start from."""

from __future__ import annotations

import re
from pathlib import Path

from hybridode.commands.output import Output
from hybridode.errors import Diagnostic, UsageError

TEMPLATE = Path(__file__).parent / "template.ode"


def new(name: str, output: Output) -> None:
    """Writes `NAME.ode`. Raises UsageError E0806 when it exists, E0809 when it cannot be written."""
    path = Path(name if name.endswith(".ode") else f"{name}.ode")
    text = TEMPLATE.read_text(encoding="utf-8").replace("MODEL_NAME", model_name(path.name.removesuffix(".ode")), 1)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        message = f"`{path}` exists and is not overwritten"
        raise UsageError(Diagnostic("E0806", message, hint="choose another name, or delete the file first")) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(Diagnostic("E0809", f"`{path}` cannot be written: {reason}", hint="does the folder exist?")) from None
    output.data({"ok": True, "file": str(path)})
    output.result(
        f"wrote {path}\n\nnext:  hybridode check {path}\n       hybridode simulate {path} --to 20 --plot {path.stem}.svg"
    )


def model_name(stem: str) -> str:
    """A file's name as a model's: letters, digits and `_`, not beginning with a digit."""
    name = re.sub(r"\W+", "_", stem).strip("_") or "model"
    return f"model_{name}" if name[0].isdigit() else name
