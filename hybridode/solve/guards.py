"""The wrong kind of derivative raises our error, in our words, also under jit.

Diffrax's reverse mode cannot be differentiated forwards, nor its forward mode backwards, and JAX's messages about it name
neither the solver nor the remedy. So the numbers that go into a solve and come out of it pass through an identity of ours
whose derivative knows what may become of it (forward mode meets it on the way in, reverse mode on the way back from the end):

* `gradient="reverse"` (and "adjoint"): the tangent goes through a linear primitive that can only be transposed. Reverse mode
  transposes it and never evaluates it; forward mode has to evaluate or lower it, and gets the error.
* `gradient="forward"`: the tangent goes through one that is an identity when evaluated, and gives the error when transposed.

JAX, "How JAX primitives work" (docs.jax.dev/en/latest/jax-primitives.html), on the rules used here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from hybridode.errors import Diagnostic, UsageError


def _misused_reverse(*_: Any, **__: Any) -> NoReturn:
    raise UsageError(
        Diagnostic("E0826", 'this solve was made with gradient="reverse": it can be differentiated by grad, vjp and jacrev only',
                   hint='make the solver with gradient="forward" for jvp and jacfwd')
    )  # fmt: skip


def _misused_forward(*_: Any, **__: Any) -> NoReturn:
    raise UsageError(
        Diagnostic("E0827", 'this solve was made with gradient="forward": it can be differentiated by jvp and jacfwd only',
                   hint='make the solver with gradient="reverse" for grad, vjp and jacrev')
    )  # fmt: skip


def _pass(x: Any) -> Any:
    return x


def _linear(name: str, evaluate: Callable[..., Any], transpose: Callable[..., Any]) -> Primitive:
    """A linear identity with these two rules; its own derivative is itself."""
    primitive = Primitive(name)
    primitive.def_impl(evaluate)
    primitive.def_abstract_eval(_pass)
    ad.deflinear2(primitive, lambda cotangent, x: [transpose(cotangent)])
    # Reverse mode maps only what it has transposed: a tangent that is mapped belongs to forward mode (jacfwd).
    mapped = (lambda args, dims: (primitive.bind(*args), dims[0])) if evaluate is _pass else evaluate
    batching.primitive_batchers[primitive] = mapped
    mlir.register_lowering(primitive, (lambda ctx, x: [x]) if evaluate is _pass else evaluate)
    return primitive


def _identity(name: str, tangent: Primitive) -> Primitive:
    """The identity whose tangent goes through this primitive."""
    primitive = Primitive(name)
    primitive.def_impl(_pass)
    primitive.def_abstract_eval(_pass)

    def jvp(primals: Any, tangents: Any) -> Any:
        (x,), (change,) = primals, tangents
        moved = change if isinstance(change, ad.Zero) else tangent.bind(change)
        return primitive.bind(x), moved

    ad.primitive_jvps[primitive] = jvp
    batching.primitive_batchers[primitive] = lambda args, dims: (primitive.bind(*args), dims[0])
    mlir.register_lowering(primitive, lambda ctx, x: [x])
    return primitive


_REVERSE = _identity("hybridode_reverse", _linear("hybridode_reverse_tangent", _misused_reverse, _pass))
_FORWARD = _identity("hybridode_forward", _linear("hybridode_forward_tangent", _pass, _misused_forward))
_GUARDS = {"reverse": _REVERSE, "adjoint": _REVERSE, "forward": _FORWARD}


def guarded(tree: Any, gradient: str) -> Any:
    """The same pytree, whose numbers can only be differentiated in this mode. Integers and None are left alone."""
    primitive = _GUARDS[gradient]

    def guard(leaf: Any) -> Any:
        array = jnp.asarray(leaf)
        return primitive.bind(array) if jnp.issubdtype(array.dtype, jnp.floating) else leaf

    return jax.tree_util.tree_map(guard, tree)
