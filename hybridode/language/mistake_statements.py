"""Mistakes that belong to one kind of statement, by its keyword. See `mistakes.Row`."""

from __future__ import annotations

from hybridode.language.mistakes import Row, Stuck, in_unit, kind_of

_VALUE = "INT REAL NAME MINUS DERIVATIVE"


def _after_word(c: Stuck) -> bool:
    return c.index == 1


def _after_name(c: Stuck) -> bool:
    return c.index == 2


def _in_exponent(c: Stuck) -> bool:
    return {"MINUS", "INT", "REAL"} <= c.expected and "NAME" not in c.expected


def _after_unit(c: Stuck) -> bool:
    return bool({"STAR", "_POW"} & c.expected) and "PLUS" not in c.expected and kind_of(c.before) in ("NAME", "INT", "_RPAR")


def _in_bounds(c: Stuck) -> bool:
    return bool(c.open) and c.open[-1] > 0 and c.tokens[c.open[-1] - 1].text == "in"


def _option_follows(c: Stuck) -> bool:
    return "_COMMA" in c.expected and kind_of(c.found) == "NAME" and c.after.kind in ("_EQUAL", "_COMMA", "")


_NAME_ROWS = (
    Row("E0119", "a name starts with a letter, not with `{found}`", "write `{word} k{found}`", found="INT REAL", expects="NAME",
        when=_after_word),
    Row("E0119", "`{found}` is reserved and cannot be a name", "write `` `{found}` `` in backquotes, or another name",
        found="RESERVED", expects="NAME"),
    Row("E0120", "one name in each `{word}` statement", "write a line `{word} …` for each", found="_COMMA", when=_after_name),
    Row("E0120", "one name in each `{word}` statement", "write a line `{word} …` for each", found="NAME", expects="_EQUAL",
        when=lambda c: _after_name(c) and c.after.kind in ("NAME", "_COMMA", "", "_EQUAL")),
    Row("E0121", "`=` is missing before the value", "write `{word} {name} = {rest}`", found=_VALUE, expects="_EQUAL"),
    Row("E0121", "a constant needs a value", "write `const {name} = …`", found="$END", expects="_EQUAL",
        when=lambda c: c.word == "const"),
    Row("E0109", "`:=` stands only inside events", "write `=`", found="_ASSIGN"),
    Row("E0124", "the unit is missing after `:`", "as in `{word} {name}: 1/h = …`", before="_COLON", when=in_unit),
)  # fmt: skip

_UNIT_ROWS = (
    Row("E0124", "a unit is missing after `{before}`", "as in `m/s^2`", before="STAR SLASH", when=in_unit),
    Row("E0124", "a unit's exponent is a number", "as in `m/s^2`, `s^-1`, `s^(1/2)`", when=_in_exponent),
    Row("E0124", "`{found}` cannot stand in a unit", "as in `1/(mM*s)`", when=in_unit),
    Row("E0124", "`{before}` and `{found}` stand side by side in a unit", "write `{before}*{found}`", found="NAME",
        when=_after_unit),
)  # fmt: skip

_BRACKETED_UNIT_ROWS = (
    Row("E0115", "the unit of a declaration stands after a colon", "write `{word} {name}: {within} …`", found="_LSQB",
        when=lambda c: not c.open),
)  # fmt: skip

_MODIFIER_ROWS = (
    Row("E0122", "bounds stand in round brackets", "write `in (low, high)`", before="in", when=lambda c: not c.open),
    Row("E0122", "bounds are two values", "write `in (low, high)`", found="_RPAR", expects="_COMMA", when=_in_bounds),
    Row("E0122", "bounds are two values", "write `in (low, high)`", found="_COMMA", expects="_RPAR", when=_in_bounds),
    Row("E0123", "`{found}` means nothing here",
        "after the value may stand `in (low, high)`, `log`, `logit`, `fixed` or `by GROUP`",
        found="NAME", expects="SCALE", when=lambda c: c.index > 2 and (c.touching is False)),
    Row("E0123", "`by` needs the name of a column that groups the data", "as in `by ID`", before="by", expects="NAME"),
)  # fmt: skip

_UNKNOWN_ROWS = (
    Row("E0123", "an algebraic unknown has no bounds and no scale", "its number is a guess: write `alg {name} = …` alone",
        found="in log logit fixed by", when=lambda c: c.index > 2 and not c.open),
    Row("E0123", "the number of an algebraic unknown is a guess, not a start", "write `alg {name} = …`", found="INT REAL",
        before="_LPAR", when=lambda c: c.index == 3),
)  # fmt: skip

_OPTION_ROWS = (
    Row("E0127", "a comma is missing before `{found}`", "write `, {rest}`", when=_option_follows),
)  # fmt: skip

_NETWORK_ROWS = (
    Row("E0126", "a colon is missing after the network's name", "write `nn {name}: 2 -> 1`", found="INT NAME _LSQB",
        when=_after_name),
    Row("E0126", "`>` is no arrow", "write `nn {name}: 2 -> 1`", found="COMPARE", expects="ARROW"),
    Row("E0126", "a network is declared by its numbers of inputs and outputs", "write `nn {name}: 2 -> 1`",
        found="_LPAR _EQUAL $END", when=_after_name),
    Row("E0126", "the number of outputs is missing", "write `nn {name}: 2 -> 1`", expects="ARROW"),
    Row("E0126", "a network's size is a whole number, a constant's name or a list", "write `nn {name}: 2 -> 1`",
        before="ARROW _COLON"),
)  # fmt: skip

_INPUT_ROWS = (
    Row("E0128", "an input comes from data", "write `input {name} from {after}…`", found="_EQUAL", expects="_FROM"),
    Row("E0128", "it is not said where the input comes from", "write `input {name} from data.COLUMN`", expects="_FROM"),
    Row("E0128", "a source is a column `data.NAME`, a list of columns or a file \"name.csv\"", found="$END INT REAL",
        before="from"),
)  # fmt: skip

_DISTRIBUTION_ROWS = (
    Row("E0129", "an observation says with `~` how a column of the data is distributed",
        "write `observe {name} ~ normal({after}, sigma)`", found="_EQUAL", expects="_TILDE",
        when=lambda c: c.word == "observe"),
    Row("E0129", "`~ DISTRIBUTION(…)` is missing", "write `{word} {name} ~ normal(…, …)`", expects="_TILDE"),
    Row("E0129", "a distribution is expected after `~`", "write `normal({before}, sigma)`", expects="_LPAR", before="NAME",
        when=lambda c: c.near(-2).kind == "_TILDE"),
    Row("E0129", "a distribution is expected after `~`", "as in `normal({found}, sigma)`", before="_TILDE"),
    Row("E0129", "only `at end` or `at start` may stand here", "observed times come from the data", before="at"),
    Row("E0129", "only `below LIMIT` or `above LIMIT` may stand here", before="censored"),
    Row("E0129", "`by GROUP` is missing", "as in `random {name} ~ normal(0, omega) by ID`", expects="_BY"),
)  # fmt: skip

_EVENT_ROWS = (
    Row("E0130", "the event needs a name", "write `event NAME when …`", when=lambda c: c.word == "event"
        and c.tokens[1].text == "when"),
    Row("E0130", "`when` is missing", "write `event {name} when CONDITION {{ x := … }}`", expects="_WHEN"),
    Row("E0130", "the event has no action", "write `{{ x := … }}` after the condition", found="$END", expects="_LBRACE"),
    Row("E0130", "the event has no action", "write `{{ x := … }}`", found="_RBRACE", before="_LBRACE"),
    Row("E0131", "`every` needs a period", "as in `every 24`", before="every"),
    Row("E0131", "`until` needs a time", "as in `until 96`", before="until"),
    Row("E0109", "inside events values are assigned with `:=`", "write `:=`", found="_EQUAL COMPARE", expects="_ASSIGN"),
    Row("E0130", "assignments are separated by `;` or a new line", "write `; {found}`", found="NAME",
        when=lambda c: c.inside == "block" and c.after.kind in ("_ASSIGN", "PRIME")),
    Row("E0130", "only assignments `x := …` and `stop` may stand in an event", found="RESERVED INT REAL STRING",
        when=lambda c: c.inside == "block"
        and c.before.kind in ("_LBRACE", "_SEMICOLON", "_NL")),
)  # fmt: skip

_REACTION_ROWS = (
    Row("E0132", "`{found}` is no arrow", "write `->` or `<->`", found="COMPARE _EQUAL MINUS", expects="ARROW"),
    Row("E0132", "a rate is missing", "write `, k` for mass action or `@ law`", found="$END", expects="_COMMA AT"),
    Row("E0132", "nothing is written `null`", "write `null` for `0`", before="0", expects="NAME", place="before"),
    Row("E0132", "at most two rate constants, forward and backward", "any other law stands after `@`", found="_COMMA"),
    Row("E0132", "the arrow is missing", "write `A + B -> C, k`", found="$END", expects="ARROW"),
)  # fmt: skip

_RANGE_ROWS = (
    Row("E0116", "a grid's range is written with two dots", "write `0 .. 1`", found="NAME _COLON _COMMA", expects="_DOTS"),
    Row("E0136", "the grid's range is missing", "write `grid {name} = 0 .. 1, cells=100`", expects="_EQUAL"),
    Row("E0136", "the grid's range is missing", "write `grid {name} = 0 .. 1, cells=100`", expects="_DOTS"),
)  # fmt: skip

_BOUNDARY_ROWS = (
    Row("E0136", "the condition stands after a colon", "write `bc {name} = PLACE: LEFT = RIGHT`", found="_COMMA NAME",
        expects="_COLON"),
    Row("E0136", "a boundary condition says where and what", "write `bc {name} = PLACE: LEFT = RIGHT`", found="_COLON $END"),
)  # fmt: skip

_TABLE_ROWS = (
    Row("E0136", "the points of a table stand in brackets", "write `[[0, {found}], …]`", found="INT REAL MINUS",
        before="_EQUAL"),
    Row("E0136", "a table names its argument", "write `table {name}(x) = [[0, 1], [1, 3]]`", when=_after_name),
)  # fmt: skip

_IMPORT_ROWS = (
    Row("E0134", "the file stands in quotes", "write `import \"{until_as}\" as NAME`", expects="STRING"),
    Row("E0134", "`as NAME` is missing", "write `import \"FILE\" as NAME`", expects="_AS"),
    Row("E0134", "round brackets are missing after the module", "write `use {name} = {before}()`", expects="_LPAR"),
    Row("E0134", "a module is used with `use NAME = MODULE(…)`", expects="_EQUAL"),
)  # fmt: skip

_HISTORY_ROWS = (
    Row("E0136", "a history is written without an argument", "write `history {name} = …`; the time may stand on the right",
        found="_LPAR", expects="_EQUAL"),
)  # fmt: skip

_UNITS_ROWS = (
    Row("E0135", "`units` knows `strict`, `warn` and `off`", "write one of the three", expects="UNITS_MODE"),
)  # fmt: skip

_TIME_ROWS = (
    Row("E0136", "the start is given after `from`", "write `time {name} from {after}`", found="_EQUAL", when=_after_name),
)  # fmt: skip

_MODEL_ROWS = (
    Row("E0119", "a model's name is one word", "write `model {name}_{found}`, or a text in quotes after the name",
        found="NAME INT"),
)  # fmt: skip

_FUNC_ROWS = (
    Row("E0136", "a function names its arguments", "write `func {name}(x) = …`", found="_EQUAL $END", when=_after_name),
    Row("E0136", "a function's arguments are plain names", before="_LPAR _COMMA", expects="NAME",
        when=lambda c: "REAL" not in c.expected),
)  # fmt: skip

_DECLARED = _UNIT_ROWS + _NAME_ROWS + _MODIFIER_ROWS + _BRACKETED_UNIT_ROWS + _OPTION_ROWS

STATEMENT_ROWS: dict[str, tuple[Row, ...]] = {
    "model": _MODEL_ROWS,
    "units": _UNITS_ROWS,
    "time": _TIME_ROWS + _NAME_ROWS + _BRACKETED_UNIT_ROWS + _UNIT_ROWS,
    "import": _IMPORT_ROWS,
    "use": _IMPORT_ROWS,
    "param": _DECLARED,
    "const": _DECLARED,
    "state": _DECLARED,
    "alg": _UNKNOWN_ROWS + _DECLARED,
    "discrete": _DECLARED,
    "input": _INPUT_ROWS + _DECLARED,
    "noise": _OPTION_ROWS + _UNIT_ROWS + _NAME_ROWS,
    "random": _DISTRIBUTION_ROWS + _UNIT_ROWS,
    "prior": _DISTRIBUTION_ROWS,
    "observe": _DISTRIBUTION_ROWS,
    "nn": _OPTION_ROWS + _NETWORK_ROWS,
    "func": _FUNC_ROWS,
    "grid": _OPTION_ROWS + _UNIT_ROWS + _RANGE_ROWS,
    "table": _OPTION_ROWS + _UNIT_ROWS + _TABLE_ROWS,
    "history": _HISTORY_ROWS,
    "bc": _BOUNDARY_ROWS,
    "event": _EVENT_ROWS,
    "at": _EVENT_ROWS,
    "dose": _OPTION_ROWS,
    "reaction": _REACTION_ROWS,
}
