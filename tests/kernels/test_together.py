"""A solve's machine code is made while its derivative's is written and made, in two threads."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hybridode import store
from hybridode.kernels import cache
from hybridode.kernels.llvm.machine import object_code
from hybridode.kernels.llvm.parts import Module
from hybridode.solve import native
from hybridode.solve.settings import Settings
from tests.solve.native_models import FORCED, compiled

TIMES = "define double @{name}(double %x) {{\n  %y = fmul double %x, {number}\n  ret double %y\n}}\n"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing on disk, float64."""
    monkeypatch.setenv(store.VARIABLE, "off")
    with jax.enable_x64(True):
        yield


def test_the_second_may_call_the_first() -> None:
    first = Module(TIMES.format(name="together_first", number=2.0), "together_first", "")
    text = """declare double @together_first(double)
define double @together_second(double %x) {
  %y = call double @together_first(double %x)
  %z = fadd double %y, 1.0
  ret double %z
}
"""
    second = cache.loaded_together(first, lambda: Module(text, "together_second", "", ("together_first",)))
    assert cache.loaded(second).function(second.run, ctypes.c_double, ctypes.c_double)(3.0) == 7.0


def test_what_goes_wrong_in_either_is_told() -> None:
    bad, good = (
        Module("define nonsense", "together_bad", ""),
        Module(TIMES.format(name="together_c", number=2.0), "together_c", ""),
    )
    for first, second in ((bad, good), (good, bad)):
        with pytest.raises(RuntimeError, match="parsing"):
            cache.loaded_together(first, lambda second=second: second)


def test_many_threads_make_the_same_code() -> None:
    texts = ["\n".join(TIMES.format(name=f"f{k}_{j}", number=j + 0.5) for j in range(60)) for k in range(6)]
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(object_code, texts)) == [object_code(text) for text in texts]


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("batch", [1, 9])
def test_a_derivative_is_made_with_its_solve(mode: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call makes both; the derivatives are right."""
    makers: list[int] = []
    compile_ = cache.object_code

    def counted(text: str) -> bytes:
        makers.append(threading.get_ident())
        return compile_(text)

    monkeypatch.setattr(cache, "object_code", counted)
    model = compiled(FORCED.replace("0.1*sin(t)", f"0.0{batch}{len(mode)}*sin(t)"))  # code that nobody has made before
    args = model.arguments()

    def total(scale: jax.Array) -> jax.Array:
        own = eqx.tree_at(lambda a: a.parameters, args, jnp.asarray(args.parameters) * scale)
        return jnp.sum(native.integrate(model, own, 0.0, jnp.arange(3.0), "tsit5", Settings(rtol=1e-10, atol=1e-10)).ys ** 2)

    derivative = jax.grad(total) if mode == "reverse" else jax.jacfwd(total)
    scales = jnp.linspace(1.0, 1.1, batch)
    found = jax.jit(jax.vmap(derivative) if batch > 1 else lambda s: derivative(s[0])[None])(scales)
    assert len(set(makers)) == 2, "two threads"
    every, e = jax.jit(jax.vmap(total)), 1e-5
    np.testing.assert_allclose(found, (every(scales + e) - every(scales - e)) / (2 * e), rtol=1e-5)
