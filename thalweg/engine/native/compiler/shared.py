"""Functions that several kernels call, as object code of their own: compiled once, not once in each kernel."""

import inspect

from llvmlite import ir

from thalweg.engine.native.compiler.kernel import HOME, Kernel, symbol_of
from thalweg.engine.native.compiler.llvm import invoke
from thalweg.engine.native.language.callables import emitted


class Shared:
    """A function of int64 arguments that returns nothing. A module has it under a name in capitals, and kernels call
    its `stub`."""

    def __init__(self, name, function):
        self.kernel = Kernel(function.__module__.removeprefix(f"{HOME}."), name)
        self.function = function
        self.names = tuple(inspect.signature(function).parameters)

    def stub(self):
        """The function for compiled code, which calls the object code by its name."""
        symbol = symbol_of(self.kernel)

        @emitted(names=self.names)
        def call(builder, *arguments):
            invoke(builder, symbol, ir.VoidType(), *arguments)

        return call
