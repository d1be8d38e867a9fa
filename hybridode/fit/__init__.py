"""Data, objectives, optimisers: `hybridode.fit` is this room, and calling it fits a model."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """`ho.fit(model, data)` is promised, but importing anything from here makes `hybridode.fit` this room: so it is callable."""

    def __call__(self, model: Any, data: Any, **options: Any) -> Any:
        return import_module("hybridode.api").fit(model, data, **options)


sys.modules[__name__].__class__ = _Room
