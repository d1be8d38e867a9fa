"""Laws with a name: what a learnt term is often found to be in biology, chemistry and mechanics.

Each is linear in its amplitudes once its shapes are known, so that a fit to samples searches the shapes only (variable
projection, G. H. Golub, V. Pereyra, SIAM J. Numer. Anal. 10 (1973) 413). `{u}` and `{v}` are the arguments, `{bare_u}` and
`{bare_v}` the same as pure numbers, which may have any power: divided by their unit. Other names in braces are the numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Basis = Callable[..., list[np.ndarray]]  # arguments (N,), then shapes -> one column (N,) for each amplitude


@dataclass(frozen=True)
class Amplitude:
    """A factor of either sign. `powers`: of the arguments in the column that it multiplies, for its unit."""

    name: str
    powers: tuple[float, ...] = ()


@dataclass(frozen=True)
class Shape:
    """A number inside. `of`: the argument whose unit it has, to a power, -1 of none, `over` that of another one; a `scale` is
    positive and about as large as that argument, a `power` positive and about 1 to 4, a `rate` of either sign, a `place` anywhere
    in the argument's range."""

    name: str
    role: str
    of: int = 0
    power: float = 1.0
    over: int = -1


@dataclass(frozen=True)
class Form:
    """`needs`: of the first argument "" (nothing), "above" (never negative), "positive", "signs" (both signs); the second one is
    never negative. `symmetric`: the same for both orders of the arguments. `multiplied`: what it is times its argument."""

    kind: str
    text: str
    amplitudes: tuple[Amplitude, ...]
    shapes: tuple[Shape, ...]
    basis: Basis
    needs: str = ""
    arguments: int = 1
    symmetric: bool = False
    multiplied: str = ""


def _hill(u: np.ndarray, k: float, n: float) -> np.ndarray:
    with np.errstate(divide="ignore", over="ignore"):
        return 1 / (1 + np.exp(np.clip(n * (np.log(k) - np.log(np.maximum(u, 1e-300))), -700, 700)))


_K, _N = Shape("K", "scale"), Shape("n", "power", -1)
FORMS: tuple[Form, ...] = (
    # ---- saturation and binding ----
    Form("Michaelis and Menten's law", "{v0}*{u}/({K} + {u})", (Amplitude("v0"),), (_K,), lambda u, k: [u / (k + u)], "above"),
    Form("Hill's law", "{v0}*hill({u}, {K}, {n})", (Amplitude("v0"),), (_K, _N), lambda u, k, n: [_hill(u, k, n)], "above"),
    Form("Hill's law of repression", "{v0}*(1 - hill({u}, {K}, {n}))", (Amplitude("v0"),), (_K, _N),
         lambda u, k, n: [1 - _hill(u, k, n)], "above"),
    Form("Hill's law with a basal rate", "{b} + {v0}*hill({u}, {K}, {n})", (Amplitude("b"), Amplitude("v0")), (_K, _N),
         lambda u, k, n: [np.ones_like(u), _hill(u, k, n)], "above"),
    Form("substrate inhibition (Haldane)", "{v0}*{u}/({K} + {u} + {u}^2/{Ki})", (Amplitude("v0"),), (_K, Shape("Ki", "scale")),
         lambda u, k, i: [u / (k + u + u**2 / i)], "above"),
    Form("hyperbola", "{v0}/({K} + {u})", (Amplitude("v0", (-1.0,)),), (_K,), lambda u, k: [1 / (k + u)], "above",
         multiplied="Michaelis and Menten's law"),
    Form("saturating exponential", "{v0}*(1 - exp(-{u}/{L}))", (Amplitude("v0"),), (Shape("L", "scale"),),
         lambda u, length: [-np.expm1(-u / length)], "above"),
    # ---- growth ----
    Form("exponential", "{v0}*exp({c}*{u})", (Amplitude("v0"),), (Shape("c", "rate", 0, -1.0),),
         lambda u, c: [np.exp(np.clip(c * u, -700, 700))]),
    Form("exponential through 0", "{v0}*(exp({c}*{u}) - 1)", (Amplitude("v0"),), (Shape("c", "rate", 0, -1.0),),
         lambda u, c: [np.expm1(np.clip(c * u, -700, 700))]),
    Form("power law", "{v0}*{bare_u}^{n}", (Amplitude("v0"),), (_N,), lambda u, n: [np.maximum(u, 1e-300) ** n], "positive"),
    Form("Gompertz's law", "{r}*{u}*log({K}/{u})", (Amplitude("r", (1.0,)),), (_K,),
         lambda u, k: [u * np.log(k / u)],
    "positive"), Form("theta-logistic law", "{r}*{u}*(1 - ({u}/{K})^{n})", (Amplitude("r", (1.0,)),), (_K, _N),
         lambda u, k, n: [u * (1 - (np.maximum(u, 1e-300) / k) ** n)], "positive"),
    Form("rational function", "({a0} + {a1}*{u})/(1 + {u}/{K})", (Amplitude("a0"), Amplitude("a1", (1.0,))), (_K,),
         lambda u, k: [1 / (1 + u / k), u / (1 + u / k)], "above"),
    # ---- steps and bells ----
    Form("sigmoid step", "{v0}*sigmoid(({u} - {m})/{w})", (Amplitude("v0"),), (Shape("m", "place"), Shape("w", "scale")),
         lambda u, m, w: [1 / (1 + np.exp(np.clip(-(u - m) / w, -700, 700)))]),
    Form("bell", "{v0}*exp(-(({u} - {m})/{w})^2)", (Amplitude("v0"),), (Shape("m", "place"), Shape("w", "scale")),
         lambda u, m, w: [np.exp(-(((u - m) / w) ** 2))]),
    # ---- friction and springs ----
    Form("Coulomb friction", "{F}*tanh({u}/{w0})", (Amplitude("F"),), (Shape("w0", "scale"),),
         lambda u, w: [np.tanh(u / w)], "signs"),
    Form("viscous and Coulomb friction", "{c}*{u} + {F}*tanh({u}/{w0})", (Amplitude("c", (1.0,)), Amplitude("F")),
         (Shape("w0", "scale"),), lambda u, w: [u, np.tanh(u / w)], "signs"),
    Form("Stribeck friction", "{c}*{u} + ({F} + {S}*exp(-({u}/{ws})^2))*tanh({u}/{w0})",
         (Amplitude("c", (1.0,)), Amplitude("F"), Amplitude("S")), (Shape("w0", "scale"), Shape("ws", "scale")),
         lambda u, w, s: [u, np.tanh(u / w), np.exp(-((u / s) ** 2)) * np.tanh(u / w)], "signs"),
    Form("saturation (arctangent)", "{F}*atan({u}/{w0})", (Amplitude("F"),), (Shape("w0", "scale"),),
         lambda u, w: [np.arctan(u / w)], "signs"),
    # ---- of two arguments ----
    Form("Michaelis and Menten's law (Holling II)", "{a}*{u}*{v}/({K} + {v})", (Amplitude("a", (1.0, 0.0)),),
         (Shape("K", "scale", 1),), lambda u, v, k: [u * v / (k + v)], arguments=2),
    Form("Hill's law (Holling III)", "{a}*{u}*hill({v}, {K}, {n})", (Amplitude("a", (1.0, 0.0)),), (Shape("K", "scale", 1), _N),
         lambda u, v, k, n: [u * _hill(v, k, n)], arguments=2),
    Form("Beddington and DeAngelis' law", "{a}*{u}*{v}/(1 + {u}/{K1} + {v}/{K2})", (Amplitude("a", (1.0, 1.0)),),
         (Shape("K1", "scale", 0), Shape("K2", "scale", 1)), lambda u, v, a, b: [u * v / (1 + u / a + v / b)], "above", 2, True),
    Form("ratio-dependent law", "{a}*{u}*{v}/({u} + {h}*{v})", (Amplitude("a", (0.0, 1.0)),),
         (Shape("h", "power", 0, 1.0, 1),),
         lambda u, v, h: [u * v / (u + h * v)], "positive", 2),
    Form("product with an exponential", "{a}*{u}*exp({c}*{v})", (Amplitude("a", (1.0, 0.0)),), (Shape("c", "rate", 1, -1.0),),
         lambda u, v, c: [u * np.exp(np.clip(c * v, -700, 700))], arguments=2),
    Form("product of powers", "{a}*{bare_u}^{p}*{bare_v}^{q}", (Amplitude("a"),),
         (Shape("p", "power", -1), Shape("q", "power", -1)),
         lambda u, v, p, q: [np.maximum(u, 1e-300) ** p * np.maximum(v, 1e-300) ** q], "positive", 2, True),
)  # fmt: skip
