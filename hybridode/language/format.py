"""Syntax tree → text. What is printed parses to an equal tree; comments and spacing are not kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hybridode.language import syntax as s
from hybridode.language.lexer import RESERVED, Token, is_statement_word
from hybridode.language.tables import load_table

# How tightly a node holds together: an operand that binds less than its place asks for is put in parentheses.
_CONDITIONAL, _NOT, _COMPARE, _SUM, _PRODUCT, _UNARY, _POWER, _ATOM = 0, 3, 4, 5, 6, 7, 8, 9
_LEVELS = {"or": (1, " or "), "and": (2, " and "), "sum": (_SUM, " {} "), "product": (_PRODUCT, "{}")}

_Work = tuple[Any, int]  # a node and how tightly it must bind, or a finished piece of text


def unparse(node: s.Node | s.File, time: str = "t") -> str:
    """The text of an expression, a part of a statement, a statement or a file. `time` is the independent variable's
    name (it only matters for a quotient that would otherwise read as a derivative)."""
    if isinstance(node, s.File):
        return "".join(unparse(statement, time) + "\n" for statement in node.statements)
    printer = _STATEMENTS.get(type(node))
    return printer(node, lambda part: _expression(part, time)) if printer else _expression(node, time)


def name_text(name: str) -> str:
    """A name (dotted, perhaps) as it is written: reserved words stand in backquotes."""
    return ".".join(f"`{part}`" if part in RESERVED else part for part in name.split("."))


# ---- expressions ----------------------------------------------------------------------------------------------------------
def _tightness(node: Any) -> int:
    match node:
        case s.IfElse():
            return _CONDITIONAL
        case s.Chain(level=level):
            return _LEVELS[level][0]
        case s.Not():
            return _NOT
        case s.Compare():
            return _COMPARE
        case s.Sign():
            return _UNARY
        case s.Power():
            return _POWER
    return _ATOM


def _expression(root: Any, time: str) -> str:
    """Iterative: `work` holds what is still to be printed, the next piece last."""
    out: list[str] = []
    work: list[_Work] = [(root, 0)]
    while work:
        node, least = work.pop()
        if isinstance(node, str):
            out.append(node)
        elif _tightness(node) < least:
            work += [(")", 0), (node, 0), ("(", 0)]
        elif isinstance(node, s.Ref):
            text = name_text(node.name)
            if text == "d" + time and out[-1:] == ["/"] and re.fullmatch(r"d[^\W\d][\w\u0300-\u036f]*", out[-2]):
                out[-2] = f"({out[-2]})"  # a quotient of two names that is no derivative
            out.append(text)
        else:
            work += reversed(_pieces(node))
    return "".join(out)


def _pieces(node: Any) -> list[_Work]:
    """One level of a node: texts, and operands with how tightly they must bind."""
    match node:
        case s.Number(text=text, unit=unit):
            return [(text if unit is None else f"{text} [{unit.text}]", 0)]
        case s.Text(value=value):
            return [(f'"{value}"', 0)]
        case s.Chain(level=level, first=first, rest=rest):
            tightness, form = _LEVELS[level]
            pieces: list[_Work] = [(first, tightness + 1)]
            for operator, operand in rest:
                pieces += [(" @ " if operator == "@" else form.format(operator), 0), (operand, tightness + 1)]
            return pieces
        case s.Compare(operator=operator, left=left, right=right):
            return [(left, _SUM), (f" {operator} ", 0), (right, _SUM)]
        case s.Not(operand=operand):
            return [("not ", 0), (operand, _NOT)]
        case s.IfElse(condition=condition, then=then, otherwise=otherwise):
            return [("if ", 0), (condition, 1), (" then ", 0), (then, 1), (" else ", 0), (otherwise, 0)]
        case s.Sign(operator=operator, operand=operand):
            return [(operator, 0), (operand, _UNARY)]
        case s.Power(base=base, exponent=exponent):
            return [(base, _ATOM), ("^", 0), (exponent, _UNARY)]
        case s.Prime(operand=operand):
            return [(operand, _ATOM), ("'", 0)]
        case s.Call(function=function, arguments=arguments):
            return [(function, _ATOM), ("(", 0), *_listed(arguments), (")", 0)]
        case s.Index(operand=operand, indices=indices):
            return [(operand, _ATOM), ("[", 0), *_listed(indices), ("]", 0)]
        case s.ListLiteral(items=items):
            return [("[", 0), *_listed(items), ("]", 0)]
    return _part_pieces(node)


def _part_pieces(node: Any) -> list[_Work]:
    """The same for what stands inside calls and statements."""
    match node:
        case s.Range(first=first, last=last):
            return [(first, _SUM), (_dots(first, last), 0), (last, _SUM)]
        case s.Iterator(name=name, range=range_, condition=condition):
            condition_pieces: list[_Work] = [] if condition is None else [(" if ", 0), (condition, 0)]
            return [(f"{name_text(name)} in ", 0), (range_, 0), *condition_pieces]
        case s.Option(name=name, value=None):
            return [(name_text(name), 0)]
        case s.Option(name=name, value=value):
            return [(f"{name_text(name)}=", 0), (value, 0)]
        case s.Distribution(name=name, arguments=arguments):
            return [(f"{name_text(name)}(", 0), *_listed(arguments), (")", 0)]
        case s.Target(name=name, indices=indices, primes=primes):
            brackets = [("[", 0), *_listed(indices), ("]", 0)] if indices else []
            return [(name_text(name), 0), *brackets, ("'" * primes, 0)]
        case s.Assign(target=target, value=value, iterators=iterators):
            return [(target, 0), (" := ", 0), (value, 0), *_families(iterators)]
        case s.Stop():
            return [("stop", 0)]
        case s.Name(text=text):
            return [(name_text(text), 0)]
        case s.Unit(text=text):
            return [(text, 0)]
        case s.GroupValue(label=label, value=value):
            return [(f'"{label}" = ', 0), (value, 0)]
        case s.Group(name=name, values=values):
            return [("by ", 0), (name, 0), *([(" (", 0), *_listed(values), (")", 0)] if values else [])]
        case s.Bounds(lower=lower, upper=upper):
            return [("in (", 0), (lower, 0), (", ", 0), (upper, 0), (")", 0)]
        case s.Species(target=target, count=count):
            return [("" if count == 1 else f"{count:g} ", 0), (target, 0)]
        case s.Censoring(side=side, limit=limit):
            return [(f"censored {side} ", 0), (limit, 0)]
    raise AssertionError(f"no text for {type(node).__name__}")


def _listed(nodes: tuple[Any, ...]) -> list[_Work]:
    pieces: list[_Work] = []
    for i, node in enumerate(nodes):
        pieces += [(", ", 0), (node, 0)] if i else [(node, 0)]
    return pieces


def _families(iterators: tuple[s.Iterator, ...]) -> list[_Work]:
    return [(" for ", 0), *_listed(iterators)] if iterators else []


def _dots(first: Any, last: Any) -> str:
    plain = all(not isinstance(x, s.Number) or (x.text.isdigit() and x.unit is None) for x in (first, last))
    return ".." if plain and isinstance(first, s.Number | s.Ref) else " .. "


# ---- statements: each printer gets the node and a function that prints its parts --------------------------------------------
_Print = Callable[[Any], str]


def _list(nodes: tuple[Any, ...], show: _Print) -> str:
    return ", ".join(show(node) for node in nodes)


def _doc(text: str) -> str:
    return f' "{text}"' if text else ""


def _options(options: tuple[s.Option, ...], show: _Print) -> str:
    return "".join(f", {show(option)}" for option in options)


def _for(iterators: tuple[s.Iterator, ...], show: _Print) -> str:
    return f" for {_list(iterators, show)}" if iterators else ""


def _of_unit(unit: s.Unit | None) -> str:
    return f": {unit.text}" if unit else ""


def _head(n: Any, show: _Print) -> str:
    shape = f"[{_list(n.shape, show)}]" if n.shape else ""
    fields = f"({_list(n.fields, show)})" if getattr(n, "fields", ()) else ""
    return f"{show(n.name)}{shape}{fields}{_of_unit(n.unit)}"


def _value(n: s.ValueStatement, show: _Print) -> str:
    value = "" if n.value is None else f" = {show(n.value)}"
    modifiers = ""
    if n.modifiers is not None:
        parts = [*(show(b) for b in n.modifiers.bounds), *(w.text for w in n.modifiers.scales)]
        modifiers = "".join(f" {part}" for part in [*parts, *(show(g) for g in n.modifiers.groups)])
    return f"{n.kind} {_head(n, show)}{value}{modifiers}{_doc(n.doc)}"


def _time(n: s.TimeStatement, show: _Print) -> str:
    origin = "" if n.origin is None else f" from {show(n.origin)}"
    return f"time {show(n.name)}{_of_unit(n.unit)}{origin}{_doc(n.doc)}"


def _prior(n: s.PriorStatement, show: _Print) -> str:
    at = "" if n.at is None else f"({show(n.at)})"
    return f"prior {show(n.target)}{at} ~ {show(n.distribution)}{_for(n.iterators, show)}"


def _function(n: s.FunctionStatement, show: _Print) -> str:
    return f"func {show(n.name)}({_list(n.parameters, show)}) = {show(n.body)}{_doc(n.doc)}"


def _table(n: s.TableStatement, show: _Print) -> str:
    arguments = ", ".join(f"{show(name)}{_of_unit(unit)}" for name, unit in n.arguments)
    source = "" if isinstance(n.points, s.ListLiteral) else "from "
    head = f"table {show(n.name)}({arguments}){_of_unit(n.unit)}"
    return f"{head} = {source}{show(n.points)}{_options(n.options, show)}{_doc(n.doc)}"


def _event(n: s.EventStatement, show: _Print) -> str:
    direction = f" {n.direction}" if n.direction else ""
    start = " at start" if n.at_start else ""
    head = f"event {show(n.target)} when {show(n.condition)}{direction}{start}"
    return f"{head} {_block(n.actions, show)}{_for(n.iterators, show)}"


def _block(actions: tuple[Any, ...], show: _Print) -> str:
    return "{ " + "; ".join(show(action) for action in actions) + " }"


def _at(n: s.AtStatement, show: _Print) -> str:
    every = "" if n.every is None else f" every {show(n.every)}"
    until = "" if n.until is None else f" until {show(n.until)}"
    return f"at {show(n.time)}{every}{until} {_block(n.actions, show)}"


def _observe(n: s.ObserveStatement, show: _Print) -> str:
    at = f" at {n.at}" if n.at else ""
    censored = "".join(f" {show(c)}" for c in n.censored)
    return f"observe {show(n.target)} ~ {show(n.distribution)}{at}{censored}{_for(n.iterators, show)}{_doc(n.doc)}"


def _reaction(n: s.ReactionStatement, show: _Print) -> str:
    name = "" if n.name is None else f"{show(n.name)}: "
    sides = (" + ".join(show(species) for species in side) for side in (n.left, n.right))
    rate = f" @ {show(n.law)}" if n.law is not None else "".join(f", {show(rate)}" for rate in n.rates)
    return f"reaction {name}{f' {n.arrow} '.join(sides)}{rate}{_for(n.iterators, show)}{_doc(n.doc)}"


def _equation(n: s.Equation, show: _Print) -> str:
    text = f"{show(n.left)} = {show(n.right)}{_for(n.iterators, show)}{_doc(n.doc)}"
    word = re.match(r"\w+", text)
    if word and word[0] in load_table().words and is_statement_word(Token("WORD", word[0], 0, word.end()), None, text):
        return f"`{word[0]}`{text[word.end() :]}"  # a name that would read as the statement's keyword
    return text


_STATEMENTS: dict[type, Callable[[Any, _Print], str]] = {
    s.ModelStatement: lambda n, show: f"model {show(n.name)}{_doc(n.doc)}",
    s.UnitsStatement: lambda n, show: f"units {n.mode}",
    s.TimeStatement: _time,
    s.ImportStatement: lambda n, show: f'import "{n.path}" as {show(n.alias)}',
    s.UseStatement: lambda n, show: f"use {show(n.name)} = {show(n.module)}({_list(n.options, show)})",
    s.ValueStatement: _value,
    s.InputStatement: lambda n, show: f"input {_head(n, show)} from {show(n.source)}{_options(n.options, show)}{_doc(n.doc)}",
    s.NoiseStatement: lambda n, show: f"noise {_head(n, show)}{_options(n.options, show)}{_doc(n.doc)}",
    s.RandomStatement: lambda n, show: f"random {_head(n, show)} ~ {show(n.distribution)} by {show(n.group)}",
    s.PriorStatement: _prior,
    s.NetworkStatement: lambda n, show: (
        f"nn {show(n.name)}: {show(n.inputs)} -> {show(n.outputs)}{_options(n.options, show)}{_doc(n.doc)}"
    ),
    s.FunctionStatement: _function,
    s.GridStatement: lambda n, show: (
        f"grid {show(n.name)}{_of_unit(n.unit)} = {show(n.range)}{_options(n.options, show)}{_doc(n.doc)}"
    ),
    s.TableStatement: _table,
    s.HistoryStatement: lambda n, show: f"history {show(n.target)} = {show(n.value)}{_for(n.iterators, show)}",
    s.BoundaryStatement: lambda n, show: (
        f"bc {show(n.grid)} = {show(n.place)}: {show(n.left)} = {show(n.right)}{_for(n.iterators, show)}"
    ),
    s.EventStatement: _event,
    s.AtStatement: _at,
    s.DoseStatement: lambda n, show: f"dose {show(n.target)}{_options(n.options, show)}",
    s.ReactionStatement: _reaction,
    s.ObserveStatement: _observe,
    s.Equation: _equation,
}
