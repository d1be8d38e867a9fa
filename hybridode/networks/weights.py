"""Weights from a file: `nn U: 2 -> 1, weights="weights.safetensors"`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hybridode.declarations import Declarations, Network
from hybridode.errors import DataError, Diagnostic
from hybridode.networks.initialise import constants, initialise
from hybridode.networks.lower import weight_shapes


def first_weights(declarations: Declarations, seed: int = 0, dtype: Any = np.float64) -> dict[str, dict[str, Any]]:
    """Per network its trainable arrays and its constants: from its file where it has one, else initialised.

    A `shift=`, `scale=` or `out_scale=` in the text wins over the file's. Raises DataError E0590 when a file does not fit.
    """
    folder = Path(declarations.source.name).parent
    files: dict[str, dict[str, np.ndarray]] = {}
    weights = {}
    for network in declarations.networks:
        own = constants(network, dtype)
        if not network.weights:
            weights[network.name] = initialise(network, seed, dtype) | own
            continue
        if network.weights not in files:
            files[network.weights] = _read(folder / network.weights, network)
        weights[network.name] = _of(network, files[network.weights], own, dtype)
    return weights


def _read(path: Path, network: Network) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(path.read_bytes())
    except OSError as error:
        message = f"the weights of `{network.name}` cannot be read: {path}: {error.strerror}"
        raise DataError(Diagnostic("E0590", message, network.span, "the file is looked for beside the model")) from error
    except SafetensorError as error:
        raise DataError(Diagnostic("E0590", f"{path} is no safetensors file: {error}", network.span)) from error


def _of(network: Network, file: dict[str, np.ndarray], own: dict[str, Any], dtype: Any) -> dict[str, Any]:
    shapes: dict[str, tuple[int, ...]] = weight_shapes(network)
    arrays: dict[str, Any] = {}
    for name, shape in shapes.items():
        found = file.get(f"{network.name}.{name}")
        if found is None:
            message = f"{network.weights} holds no `{network.name}.{name}`"
            hint = "it holds " + (", ".join(f"`{n}`" for n in sorted(file)[:8]) or "nothing")
            raise DataError(Diagnostic("E0590", message, network.span, hint))
        if found.shape != shape:
            message = f"`{network.name}.{name}` in {network.weights} has shape {found.shape}, the model needs {shape}"
            hint = "the file belongs to a network of another size"
            raise DataError(Diagnostic("E0590", message, network.span, hint))
        arrays[name] = found.astype(dtype)
    written = {"shift": network.shift, "scale": network.scale, "out_scale": network.out_scale}
    for name, value in own.items():
        found = file.get(f"{network.name}.{name}")
        if found is None or written[name] is not None or found.size != np.size(value):
            arrays[name] = value
        else:
            arrays[name] = found.reshape(np.shape(value)).astype(dtype)
    return arrays
