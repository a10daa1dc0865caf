"""References to native functions: a module of this engine and a name in it, or a text that defines the function."""

from __future__ import annotations

import importlib
import linecache
from collections.abc import Callable
from typing import Any, NamedTuple

Function = Callable[..., Any]

HOME = __name__.removesuffix(".compiler.kernel")  # the package that contains the kernels' modules
SYMBOL = "thalweg."  # prefix of the names of kernels and families of micro-kernels in object code
WHOLE = "whole"  # a family with all its micro-kernels, as in a library of ready kernels


class Kernel(NamedTuple):
    """A native function by name. Its definition is imported only if it has to be compiled."""

    module: str  # of the native engine
    name: str
    text: str = ""  # of the module, if it isn't a file
    method: bool = False  # whether Python calls it as a method of an object; see `entrance.py`
    member: str = ""  # of a family: the key of a micro-kernel, or WHOLE

    def function(self) -> Function:
        """The Python function to compile, or a family."""
        if self.text:
            names: dict[str, Any] = {"__name__": f"thalweg_{self.module}"}
            place = f"<{self.name}>"
            exec(compile(self.text, place, "exec", dont_inherit=True), names)
            linecache.cache[place] = (len(self.text), None, self.text.splitlines(keepends=True), place)
            made: Function = names[self.name]
            return made
        defined: Function = getattr(importlib.import_module(f"{HOME}.{self.module}"), self.name)
        return defined


def symbol_of(kernel: Kernel) -> str:
    """The name of a kernel, a family of micro-kernels, or one of these in object code; kernels call families by it."""
    member = "" if kernel.member in ("", WHOLE) else f".{kernel.member}"
    return f"{SYMBOL}{kernel.module}.{kernel.name}{member}"


def family_of(symbol: str) -> Kernel:
    """The family with this name."""
    module, _, name = symbol.removeprefix(SYMBOL).rpartition(".")
    return Kernel(module, name)
