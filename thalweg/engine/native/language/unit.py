"""A module of LLVM's, with a function for each combination of types that one of kernels' functions is called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from thalweg.engine.native.language.rules import Broken
from thalweg.engine.native.language.things import Thing, key
from thalweg.engine.native.language.types import Type

Made = tuple[ir.Function, Type]


class Unit:
    """The code of a kernel and of all that it calls. `translate` makes that of one function."""

    def __init__(self, triple: str, layout: str, translate: Callable[..., Made]) -> None:
        self.module, self.translate = ir.Module(), translate
        self.module.triple, self.module.data_layout = triple, layout
        self.made: dict[Any, Made | None] = {}  # None: it is being made
        self.count = 0

    def function(self, function: Callable[..., Any], arguments: tuple[Thing, ...], inline: bool) -> Made:
        """The function for these arguments, whose parts it takes, and the type of its result."""
        held = [cell.cell_contents for cell in function.__closure__ or ()]
        about = tuple(id(each) if callable(each) else repr(each) for each in held)
        wanted = (function.__code__, id(function.__globals__), about, tuple(map(key, arguments)))
        if wanted not in self.made:
            self.made[wanted] = None
            self.made[wanted] = self.translate(self, function, arguments, inline)
        found = self.made[wanted]
        if found is None:
            raise Broken("recursion", function=function.__name__)
        return found

    def name(self, function: Callable[..., Any]) -> str:
        """A name of its own for a function's code."""
        self.count += 1
        return f"{function.__name__}.{self.count}"

    def forget(self, function: ir.Function) -> None:
        """Takes out a function that is made once more."""
        self.module.globals.pop(function.name)
        self.module.scope._useset.discard(function.name)
