"""Packages whose parts are imported when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def lazily(package: str, homes: Mapping[str, str]) -> None:
    """Gives a package a `__getattr__` that imports: a name in `homes` from that module, any other as one of its own.

    `dir` tells the names of its `__all__`, imported or not.
    """
    namespace = vars(sys.modules[package])

    def found(name: str) -> Any:
        if name in namespace["__all__"]:  # threads that import several parts of NumPy at once wait for each other
            import_module("numpy.typing")
        if name in homes:
            value = getattr(import_module(homes[name]), name)
        elif not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            value = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        namespace[name] = value
        return value

    namespace["__getattr__"] = found
    namespace["__dir__"] = lambda: sorted(namespace["__all__"])
