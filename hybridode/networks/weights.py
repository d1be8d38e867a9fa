"""Weights files: safetensors with the names `U.W0` (out, in), `U.b0` (out,), …, `U.shift`, `U.scale` (inputs,), `U.out_scale` ().

Weights, shifts and scales travel together. What the model's text says (`shift=`, `scale=`, `out_scale=`) wins over the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hybridode.declarations import Declarations, Network
from hybridode.errors import Diagnostic, ModelError
from hybridode.files import write_whole
from hybridode.networks.initialise import constants, initialise
from hybridode.networks.lower import weight_shapes

LARGEST_FILE = 1 << 30  # bytes


def first_weights(declarations: Declarations, seed: int = 0, dtype: Any = np.float64) -> dict[str, dict[str, Any]]:
    """Per network its trainable arrays and its constants: from its file (beside the model) where it has one, else initialised.

    Raises ModelError E0550 to E0554 where a file does not fit.
    """
    folder = Path(declarations.source.name).parent
    weights = {}
    for network in declarations.networks:
        if network.weights:
            found = load_weights(folder / network.weights, network)
            weights[network.name] = {key: array.astype(dtype) for key, array in found.items()}
        else:
            weights[network.name] = initialise(network, seed, dtype) | constants(network, dtype)
    return weights


def save_weights(path: Path, weights: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes {network: {array name: array}} (see `write_whole`)."""
    arrays = {f"{net}.{name}": np.array(array, order="C") for net, group in weights.items() for name, array in group.items()}
    write_whole(path, save(arrays))


def load_weights(path: Path, network: Network) -> dict[str, np.ndarray]:
    """The arrays of one network (float64) with its constants; a `ModelError` at the network's declaration if they do not fit."""
    arrays = _read(path, network)
    prefix = f"{network.name}."
    own = {name.removeprefix(prefix): np.asarray(a, np.float64) for name, a in arrays.items() if name.startswith(prefix)}
    if not own:
        others = sorted({name.split(".")[0] for name in arrays})
        raise _error(
            network, "E0552", f"`{path.name}` has no weights of the network `{network.name}`",
            f"it holds the networks {', '.join(f'`{o}`' for o in others)}" if others else "it holds no arrays",
        )  # fmt: skip
    declared = constants(network)
    fixed = {key: own.pop(key, value) for key, value in declared.items()}
    for key, written in (("shift", network.shift), ("scale", network.scale), ("out_scale", network.out_scale)):
        if written is not None:
            fixed[key] = declared[key]
    expected = {**weight_shapes(network), **{key: np.shape(value) for key, value in declared.items()}}
    found = {**own, **fixed}
    _check_shapes(path, network, expected, found)
    return found


def _check_shapes(path: Path, network: Network, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, np.ndarray]) -> None:
    missing = [name for name in expected if name not in found]
    surplus = [name for name in found if name not in expected]
    if missing or surplus:
        what = (
            f"no array `{network.name}.{missing[0]}`"
            if missing
            else f"an array `{network.name}.{surplus[0]}` that the network does not have"
        )
        raise _error(
            network, "E0553", f"`{path.name}` has {what}", "the file was written for a network with other layers or options"
        )
    for name, shape in expected.items():
        if found[name].shape != shape:
            has, wants = (" x ".join(map(str, s)) or "one number" for s in (found[name].shape, shape))
            hint = "the number of inputs differs" if name == "W0" and found[name].shape[:1] == shape[:1] else "the layers differ"
            raise _error(network, "E0553", f"`{network.name}.{name}` in `{path.name}` is {has}, the network needs {wants}", hint)
        if not np.isfinite(found[name]).all():
            raise _error(
                network,
                "E0554",
                f"`{network.name}.{name}` in `{path.name}` has values that are not finite",
                "fit the network again",
            )


def _read(path: Path, network: Network) -> dict[str, np.ndarray]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise _error(network, "E0551", f"`{path.name}` is larger than 1 GB", "give the weights file of this network")
        return load(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise _error(
            network, "E0550", f"the weights file `{path}` cannot be read: {reason}", "the path is relative to the model file"
        ) from error
    except (SafetensorError, KeyError, ValueError) as error:
        raise _error(
            network,
            "E0551",
            f"`{path.name}` is not a safetensors file of numbers: {error}",
            "give the weights file of this network",
        ) from error


def _error(network: Network, code: str, message: str, hint: str) -> ModelError:
    return ModelError(Diagnostic(code, message, network.span, hint))
