"""Names for arrays, given once.

jaxtyping is imported by type checkers only: at run time the names cost nothing and need neither JAX nor NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from jax import Array
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]
    # A JAX array (traced or not) or a NumPy one: no checker follows code that is written once for both.
    AnyArray = Any
else:
    Array = FloatArray = AnyArray = Any

__all__ = ["AnyArray", "Array", "FloatArray"]
