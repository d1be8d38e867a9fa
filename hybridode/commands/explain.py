"""`hybridode explain`: what a code means."""

from __future__ import annotations

import textwrap

from hybridode.codes import FAMILIES, all_codes, explanation
from hybridode.commands.output import Output


def explain(code: str | None, output: Output) -> None:
    """Shows one explanation, or the list of all codes."""
    if code is None:
        _list_codes(output)
        return
    found = explanation(code)
    output.data({"code": found.code, "family": found.family, "title": found.title, "text": found.text})
    output.result(f"{found.code}: {found.title}\n\n{_plain_markdown(found.text)}")


def _list_codes(output: Output) -> None:
    explanations = [explanation(code) for code in all_codes()]
    output.data({"codes": [{"code": e.code, "family": e.family, "title": e.title} for e in explanations]})
    for family in FAMILIES.values():
        rows = [e for e in explanations if e.family == family]
        if rows:
            output.result(family)
            for row in rows:
                output.result(f"  {row.code}  {row.title}")


def _plain_markdown(text: str) -> str:
    """Paragraphs filled to a terminal's width; fenced code indented and left as it is."""
    blocks: list[str] = []
    for i, part in enumerate(text.split("```")):
        if i % 2:
            code = part.partition("\n")[2].rstrip("\n")
            blocks.append(textwrap.indent(code, "    "))
            continue
        for paragraph in part.split("\n\n"):
            if paragraph.strip():
                indented = paragraph.lstrip("\n").startswith(("    ", "- ", "| "))
                blocks.append(paragraph.strip("\n") if indented else textwrap.fill(" ".join(paragraph.split()), 88))
    return "\n\n".join(blocks)
