"""One mistake, one error: what follows from a mistake is not reported again."""

from __future__ import annotations

import pytest

from hybridode.errors import Diagnostic, ModelError, Source
from hybridode.language.check import declare


def found(text: str) -> list[Diagnostic]:
    with pytest.raises(ModelError) as caught:
        declare(Source("m.ode", text))
    return [d for d in caught.value.diagnostics if d.severity == "error"]


def codes(text: str) -> list[str]:
    return [d.code for d in found(text)]


def test_a_broken_declaration_is_not_reported_where_it_is_read() -> None:
    assert [c[:3] for c in codes("model m\nparam k = 1 in (0)\nstate x = 1\nx' = -k*x\ny = k\n")] == ["E01"]


def test_a_broken_equation_is_not_a_missing_one() -> None:
    assert [c[:3] for c in codes("model m\nstate x = 1\nx' = 2x\n")] == ["E01"]
    assert [c[:3] for c in codes("model m\nstate x = 1\ndx/dt = 2x\n")] == ["E01"]
    assert [c[:3] for c in codes("model m\nstate x = 1\nx' = y\ny = 2x\n")] == ["E01"]


def test_a_misspelt_derivative_is_not_a_missing_one() -> None:
    (only,) = found("model m\nstate prey = 1\ndpray/dt = -prey\n")
    assert only.code == "E0203" and "`prey` (state, line 2)" in only.hint


def test_all_errors_in_order_of_place() -> None:
    text = "model m\nstate x = 1\nx' = -q*x + r\ny = 2x\nz = s\nparam p = 5 in (0, 1)\nobserve w ~ gauss(x, 1)\n"
    errors = found(text)
    assert [d.code for d in errors if d.code[:3] != "E01"] == ["E0203", "E0203", "E0203", "E0310", "E0319"]
    lines = [d.span.line for d in errors if d.span]
    assert lines == sorted(lines)


def test_two_mistakes_in_one_expression() -> None:
    assert codes("model m\nstate x = 1\nx' = a*x + sin(b) + foo(c)\n") == ["E0203", "E0203", "E0204"]


def test_a_wrong_definition_silences_its_readers() -> None:
    assert codes("model m\nstate x = 1\nx' = a + b\na = x[1]\nb = a*2 + a\n") == ["E0314"]
    assert codes("model m\nstate x = 1\nx' = a\na = b\nb = a\nc = a + b\n") == ["E0305"]


def test_a_wrong_network_silences_its_callers() -> None:
    assert codes("model m\nnn U: q -> 1\nstate x = 1\nx' = U(x)\n") == ["E0203"]


def test_wrong_shapes_silence_their_readers() -> None:
    assert codes("model m\nparam v[x] = 1\nstate x = 1\nx' = -v[1]\ny = sum(v)\n") == ["E0318"]
    assert codes("model m\nconst n = m1\nparam v[n] = 1\nstate x[n] = 1\nx' = -v\n") == ["E0203"]


def test_a_mistake_in_a_function_is_said_once() -> None:
    text = "model m\nstate x = 1\nfunc f(a) = a*qq\nx' = f(x) + f(2*x) + f(3)\n"
    assert codes(text) == ["E0203"]
    (only,) = found("model m\nstate x[2] = 1\nfunc f(a) = a[3]\nx[1]' = f(x)\nx[2]' = f(x)\n")
    assert only.code == "E0314" and [m for _, m in only.related] == ["called here"]


def test_what_waits_is_said_where_it_stands() -> None:
    text = "model m\nnoise W\nalg z = 0\nhistory x = 2\nstate x = 1\nx' = -x + W' + z\ny = z\nat 5 { x := z }\n"
    assert codes(text) == ["E0902", "E0904"]


def test_a_family_hides_nothing_else() -> None:
    text = "model m\nconst n = 3\nstate x[n] = 1\nx[i]' = -x[i] for i in 1..n\nq[i] = x[i] for i in 1..n\ny = q[1] + qq\n"
    assert codes(text) == ["E0203"]
    wrong = (
        "model m\nconst n = 3\nstate x[n] = 1\nx[i]' = -x[j] for i in 1..n\nq[i] = x[i+1] for i in 1..n\ny = q[1] + x[1] + z\n"
    )
    assert codes(wrong) == ["E0203", "E0314", "E0203"]


def test_without_a_model_statement() -> None:
    (only,) = found("state x = 1\nx' = -x\n")
    assert only.code == "E0150" and "model my_model" in only.hint
    assert codes("model a\nmodel b\nstate x = 1\nx' = 0\n") == ["E0151"]
    assert codes("") == ["E0150"]
    assert codes("model m\n") == ["E0917"]
    assert codes("model 3\nstate x = 1\nx' = -x\n")[0][:3] == "E01"


def test_another_dialect_is_all_that_is_said() -> None:
    assert set(codes("par a=1,b=2\ndx/dt=a\ndone\n")) == {"E0138"}


def test_deep_and_wide_files_are_quick_and_do_not_recurse() -> None:
    wide = "model w\nstate x = 1\nx' = " + " + ".join(["x"] * 15_000) + "\n"
    assert len(declare(Source("w", wide)).states[0].rate[0].args) == 15_000
    deep = "model w\nstate x = 1\nx' = " + "(" * 900 + "x" + "*2)" * 900 + "\n"
    declare(Source("d", deep))
    branches = "model w\nstate x = 1\nx' = " + "".join(f"if x < {i} then {i} else " for i in range(900)) + "0\n"
    declare(Source("b", branches))
    chain = "model w\nstate x = 1\nd0 = x\n" + "".join(f"d{i} = d{i - 1} + x\n" for i in range(1, 3000)) + "x' = d2999\n"
    assert len(declare(Source("c", chain)).definitions) == 3000


def test_functions_that_double_are_stopped() -> None:
    text = "model w\nstate x = 1\nfunc f0(x) = x\n" + "".join(
        f"func f{i}(x) = f{i - 1}(2*x) + f{i - 1}(3*x)\n" for i in range(1, 60)
    )
    (only,) = found(text + "x' = f59(x)\n")
    assert only.code == "E0317" and "20,000 calls" in only.message


def test_vectors_have_a_largest_size() -> None:
    assert codes("model m\nparam v[1000, 1000] = 1\nstate x = 1\nx' = sum(v)\n") == ["E0313"]
