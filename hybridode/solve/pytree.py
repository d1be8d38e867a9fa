"""Frozen dataclasses that JAX maps over and differentiates: Equinox modules without importing Equinox (a tenth of a second)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

import jax
from jax.core import Tracer

Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True)
def pytree(cls: Class) -> Class:
    """The class as a frozen dataclass whose fields are JAX's leaves and subtrees, `static` ones apart. Compared by identity."""
    return jax.tree_util.register_dataclass(dataclass(frozen=True, eq=False)(cls))


def static() -> Any:
    """A field that is no leaf: it must be hashable."""
    return field(metadata={"static": True})


def is_traced(*trees: Any) -> bool:
    """True if any leaf is being traced by JAX."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree_util.tree_leaves(trees))
