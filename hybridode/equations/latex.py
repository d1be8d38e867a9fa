"""Expressions and models as LaTeX, for papers and reports. Written bottom-up: no depth of nesting is too much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from hybridode.declarations import Declarations, entry_names
from hybridode.equations.guards import unguarded
from hybridode.equations.latex_names import name_latex, text_latex
from hybridode.equations.names import is_velocity, two_sides, user_names
from hybridode.equations.system import EquationSystem, definition_expressions, entry_expressions
from hybridode.expr import Expr, Symbol, number_text, postorder
from hybridode.rolled import shown

_OR, _AND, _CMP, _SUM, _PRODUCT, _POWER, _ATOM = range(7)
_COMPARE = {"lt": "<", "le": r"\le", "gt": ">", "ge": r"\ge", "eq": "=", "ne": r"\ne"}
_NAMED = {
    **{op: f"\\{op}" for op in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "min", "max")},
    "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan", "log10": r"\log_{10}", "log2": r"\log_{2}", "gamma": r"\Gamma",
    "lgamma": r"\log\Gamma", "digamma": r"\psi", "exprel_slope": r"\operatorname{exprel}'",
}  # fmt: skip
_FENCED = {"abs": (r"\left|", r"\right|"), "floor": (r"\left\lfloor ", r" \right\rfloor"), "sqrt": (r"\sqrt{", "}")}
Text = tuple[str, int]  # LaTeX and how tightly it binds


def expr_latex(root: Expr, name: Callable[[Symbol], str] = str) -> str:
    """An expression as LaTeX; `name` gives the user's spelling of a symbol."""
    done: dict[Expr, Text] = {}
    for e in postorder((root,)):
        done[e] = _ARITHMETIC[e.op](e, done) if e.op in _ARITHMETIC else _node(e, [done[a] for a in e.args], name)
    return done[root][0]


def _at(text: Text, level: int) -> str:
    return text[0] if text[1] >= level else _fence(text[0])


def _fence(text: str) -> str:
    return rf"\left({text}\right)"


def _node(e: Expr, args: list[Text], name: Callable[[Symbol], str]) -> Text:
    op = e.op
    if op == "const":
        return _number(e.data)
    if op == "sym":
        return _symbol(e.data, name), _ATOM
    if op in _COMPARE:
        return f"{_at(args[0], _SUM)} {_COMPARE[op]} {_at(args[1], _SUM)}", _CMP
    if op in ("and", "or"):
        level = _AND if op == "and" else _OR
        return rf" \text{{ {op} }} ".join(_at(a, level + 1) for a in args), level
    if op == "not":
        return rf"\text{{not }} {_at(args[0], _ATOM)}", _CMP
    if op == "where":
        return _cases(args), _OR
    if op in _FENCED:
        left, right = _FENCED[op]
        return f"{left}{args[0][0]}{right}", _ATOM
    if op == "mm":
        return rf"\frac{{{args[0][0]}}}{{{_at(args[1], _SUM)} + {_at(args[0], _PRODUCT)}}}", _POWER
    if op == "hill":
        x, k, n = _at(args[0], _ATOM), _at(args[1], _ATOM), args[2][0]
        return rf"\frac{{{x}^{{{n}}}}}{{{k}^{{{n}}} + {x}^{{{n}}}}}", _POWER
    if op == "out":
        return _output(e, args[0]), _ATOM
    return rf"{_function(e)}\left({', '.join(a[0] for a in args)}\right)", _ATOM


def _number(value: float) -> Text:
    if value in (float("inf"), float("-inf")):
        return (r"\infty", _ATOM) if value > 0 else (r"-\infty", _SUM)
    mantissa, _, exponent = number_text(value).partition("e")
    if exponent:
        power = f"10^{{{int(exponent)}}}"
        text = power if mantissa == "1" else rf"-{power}" if mantissa == "-1" else rf"{mantissa} \cdot {power}"
        return text, _PRODUCT if value >= 0 else _SUM
    return mantissa, _ATOM if value >= 0 else _SUM


def _symbol(symbol: Symbol, name: Callable[[Symbol], str]) -> str:
    if symbol.kind == "derivative":
        written = name(symbol)
        return rf"\{'d' * min(written.count(chr(39)) + 1, 4)}ot{{{name_latex(written.replace(chr(39), ''))}}}"
    text = name_latex(name(symbol))
    if symbol.kind == "input_rate":
        return rf"\dot{{{text}}}"
    return f"{text}(0)" if symbol.kind == "start_input" else text


# ---- arithmetic -----------------------------------------------------------------------------------------------------
Done = Mapping[Expr, Text]


def _add(e: Expr, done: Done) -> Text:
    parts = [_at(done[e.args[0]], _SUM)]
    for a in e.args[1:]:
        text = done[a]
        minus = a.op in ("neg", "const", "div") and text[1] == _SUM and text[0].startswith("-")
        parts.append(f" - {text[0][1:]}" if minus else f" + {_at(text, _PRODUCT)}")
    return "".join(parts), _SUM


def _neg(e: Expr, done: Done) -> Text:
    return f"-{_at(done[e.args[0]], _PRODUCT)}", _SUM


def _mul(e: Expr, done: Done) -> Text:
    """Equal factors side by side as a power; numbers that would run together with a dot."""
    powers: list[tuple[Expr, int]] = []
    for factor in e.args:
        base, n = _as_power(factor)
        if powers and powers[-1][0] is base:
            n += powers.pop()[1]
        powers.append((base, n))
    parts: list[str] = []
    for base, n in powers:
        one = _at(done[base], _PRODUCT) if n == 1 else _raised(done[base], str(n))
        dot = parts and (one[0].isdigit() or one.startswith("."))
        parts.append((r" \cdot " if dot else r" \, " if parts else "") + one)
    return "".join(parts), _POWER if len(parts) == 1 else _PRODUCT


def _as_power(e: Expr) -> tuple[Expr, int]:
    """x*x, (x*x)*(x*x), …: what the rewrites make of whole powers."""
    n = 1
    while e.op == "mul" and all(a is e.args[0] for a in e.args):
        n *= len(e.args)
        e = e.args[0]
    return e, n


def _div(e: Expr, done: Done) -> Text:
    a, b = e.args
    if a.op == "neg":
        return rf"-\frac{{{done[a.args[0]][0]}}}{{{done[b][0]}}}", _SUM
    return rf"\frac{{{done[a][0]}}}{{{done[b][0]}}}", _POWER


def _pow(e: Expr, done: Done) -> Text:
    return _raised(done[e.args[0]], done[e.args[1]][0]), _POWER


def _raised(base: Text, exponent: str) -> str:
    return f"{_at(base, _ATOM)}^{{{exponent}}}"


_ARITHMETIC: dict[str, Callable[[Expr, Done], Text]] = {"add": _add, "neg": _neg, "mul": _mul, "div": _div, "pow": _pow}


# ---- functions ------------------------------------------------------------------------------------------------------
_CASES, _END = r"\begin{cases} ", r" \end{cases}"


def _cases(args: list[Text]) -> str:
    """`if … then … else if …` as one table of cases."""
    rest = args[2][0]
    if rest.startswith(_CASES) and rest.endswith(_END) and rest.count(_CASES) == 1:
        more = rest[len(_CASES) : -len(_END)]
    else:
        more = rf"{rest} & \text{{otherwise}}"
    return rf"{_CASES}{args[1][0]} & \text{{if }} {args[0][0]} \\ {more}{_END}"


def _function(e: Expr) -> str:
    if e.op in ("net", "table"):
        return name_latex(e.data)
    if e.op == "net_jacobian":
        return rf"\partial {name_latex(e.data)}"
    if e.op == "table_slope":
        return rf"\partial_{{{', '.join(str(j + 1) for j in e.data[1:])}}} {name_latex(e.data[0])}"
    return _NAMED.get(e.op) or rf"\operatorname{{{text_latex(e.op)}}}"


def _output(e: Expr, call: Text) -> str:
    net = e.args[0]
    if net.op == "net_jacobian":
        k, j = divmod(e.data, len(net.args))
        inner = call[0].removeprefix(r"\partial ")
        return rf"\partial_{{{j + 1}}} {inner}" if k == 0 else rf"\partial_{{{j + 1}}} \left[{inner}\right]_{{{k + 1}}}"
    return call[0] if e.data == 0 else rf"\left[{call[0]}\right]_{{{e.data + 1}}}"


_LEFT_OUT = ("", "", r"\vdots")  # members of a large family


# ---- models ---------------------------------------------------------------------------------------------------------
def model_latex(declarations: Declarations) -> str:
    """What the file says, with the user's names and constants: dynamics, starts, definitions, observations; an `align*`."""
    d, name = declarations, user_names(declarations)
    return _aligned(_model_lines(d, name))


def _model_lines(d: Declarations, name: Callable[[Symbol], str]) -> Iterator[tuple[str, str, str]]:
    for state in d.states:
        names = entry_names(state.name, state.shape)
        for x in shown(state.rate):
            if x.hidden:
                yield _LEFT_OUT
            elif not is_velocity(x.expr, state.name):
                yield _derivative(names[x.place], d.time), "=", expr_latex(x.expr, name)
    for e in d.equations:
        for x in shown(e.residuals):
            left, right = (expr_latex(side, name) for side in two_sides(x.expr))
            yield _LEFT_OUT if x.hidden else (left, "=", right)
    for definition in d.definitions:
        names = entry_names(definition.name, definition.shape)
        for x in shown(definition.elements):
            yield _LEFT_OUT if x.hidden else (name_latex(names[x.place]), "=", expr_latex(x.expr, name))
    for state in (s for s in d.states if s.start_given or not d.equations):  # the others are computed
        names = entry_names(state.name, state.shape)
        for x in shown(state.start):
            if x.hidden:
                yield _LEFT_OUT
            elif not (x.expr.op == "sym" and x.expr.data.name == f"{state.name}(0)"):  # a learnt start is a parameter
                yield f"{name_latex(names[x.place])}(0)", "=", expr_latex(x.expr, name)
    for o in d.observations:
        arguments = ", ".join(expr_latex(e, name) for _, e in o.arguments)
        yield rf"\mathrm{{{text_latex(o.column)}}}", r"\sim", rf"\operatorname{{{o.distribution}}}\left({arguments}\right)"


def _derivative(state: str, time: str) -> str:
    """The left side dx/dt; for the velocity x' it is d^2 x/dt^2."""
    order = state.count("'") + 1
    raised = f"^{{{order}}}" if order > 1 else ""
    position = state.replace("'", "")
    return rf"\frac{{\mathrm{{d}}{raised} {name_latex(position)}}}{{\mathrm{{d}} {name_latex(time)}{raised}}}"


def system_latex(system: EquationSystem) -> str:
    """The equations after the passes, as they are computed."""
    name, time = user_names(system.declarations), system.declarations.time
    states, defined = system.states, system.definitions
    unknowns = set(system.unknowns)
    lines = [
        _LEFT_OUT
        if x.hidden
        else ("0" if x.place in unknowns else _derivative(name(states[x.place]), time), "=", expr_latex(x.expr, name))
        for x in shown(system.rates)
        if x.hidden or not _says_nothing(x.expr, states[x.place])
    ]
    lines += [
        _LEFT_OUT if x.hidden else (_symbol(defined[x.place].symbol, name), "=", expr_latex(x.expr, name))
        for x in shown(definition_expressions(defined))
    ]
    lines += [("0", "=", expr_latex(x.expr, name)) for x in system.invariants]
    lines += [
        _LEFT_OUT if x.hidden else (f"{_symbol(states[x.place], name)}(0)", "=", expr_latex(x.expr, name))
        for x in shown(system.starts)
    ]
    return _aligned(lines)


def _says_nothing(rate: Expr, state: Symbol) -> bool:
    """A rate that is the state `x'`, or a derivative that is defined elsewhere."""
    return is_velocity(rate, state.name) or (rate.op == "sym" and rate.data == state._replace(kind="derivative"))


def jacobian_latex(system: EquationSystem) -> str:
    """The entries of the Jacobian that are not zero, one a line."""
    name = user_names(system.declarations)
    states = [_symbol(s, name) for s in system.states]
    entries = system.jacobian or ()
    told = list(shown(entry_expressions(entries)))
    lines = []
    for x, value in zip(told, unguarded(x.expr for x in told), strict=True):
        if x.hidden:
            lines.append(_LEFT_OUT)
            continue
        row, column = entries[x.place].row, entries[x.place].column
        lines.append((rf"\frac{{\partial \dot{{{states[row]}}}}}{{\partial {states[column]}}}", "=", expr_latex(value, name)))
    return _aligned(lines)


def _aligned(lines: Iterable[tuple[str, str, str]]) -> str:
    body = " \\\\\n".join(f"  {left} &{relation} {right}" for left, relation, right in lines)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
