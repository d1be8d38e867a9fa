"""What networks are functions of, as the model's text says it."""

from __future__ import annotations

from hybridode.declarations import Declarations, Network
from hybridode.language.edits import calls_of
from hybridode.language.reader import parse
from hybridode.report.words import counted

_MOST = 3  # places that are told, of a network that stands in several


def arguments_of(d: Declarations) -> dict[str, list[str]]:
    """By network the different lists of arguments that it is called with: `x, y`."""
    file, _ = parse(d.source)
    found: dict[str, list[str]] = {}
    for network in d.networks:
        if network.argument_texts:
            found[network.name] = [", ".join(network.argument_texts)]
        else:
            calls = (", ".join(d.source.text[a.start : a.end] for a in call.arguments) for call in calls_of(file, network.name))
            found[network.name] = list(dict.fromkeys(" ".join(text.split()) for text in calls))
    return found


def function_text(network: Network, texts: list[str]) -> str:
    """`U(x, y)`, the name alone where it stands in several places."""
    return f"{network.name}({texts[0]})" if len(texts) == 1 else network.name


def inputs_text(network: Network, texts: list[str]) -> str:
    """What it is of, for a cell: the arguments, of several places a few; how many numbers those are where they are vectors."""
    more = len(texts) - _MOST
    said = "; ".join(texts[:_MOST]) + (f"; and {counted(more, 'other place')}" if more > 0 else "")
    vectors = texts and texts[0].count(",") + 1 != network.inputs
    count = counted(network.inputs, "input")
    return f"{said} ({count})" if said and vectors else said or count
