"""Kernels of activations that are pairs of Python functions: the user's function in the loop of built-in ones."""

from __future__ import annotations

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.formulas import looped
from thalweg.errors import ArgumentError
from thalweg.program.instructions.activations import ElementwiseAdjoint
from thalweg.program.instructions.custom_activation import CustomActivation
from thalweg.program.ir.instruction import Instruction
from thalweg.support.extras import need

OWN = """

{definition}


@inlined
def function(h, j, k, parameters):
    return own(h)
"""


def kernel_of_custom(i: Instruction) -> Kernel:
    """The kernel, compiled at once: a function that isn't in the kernels' language is refused in one sentence."""
    of = i.of if isinstance(i, ElementwiseAdjoint) else i
    assert isinstance(of, CustomActivation)
    need("llvmlite", "jit", f"the activation {of.pair.name}, a Python function,")
    own, what = (of.pair.value, "value") if of is i else (of.pair.derivative, "derivative")
    definition = own.text.replace("def own(", "@inlined\ndef own(", 1)
    kernel = looped("custom", OWN.replace("{definition}", definition), "value" if of is i else "adjoint")
    from thalweg.engine.native.compiler.compile import address_of  # which needs llvmlite, and the table doesn't
    from thalweg.engine.native.language.rules import LanguageError

    try:
        address_of(kernel)
    except LanguageError as error:
        (file, before), text = own.place, kernel.text
        line = error.line - text[: text.index("\ndef own(")].count("\n") - 2
        last = own.text[own.text.index("def own(") :].count("\n")  # of a function without a result, its caller is told
        said = f"{file}:{before + min(max(line, 1), last)}: {error.said}"
        raise ArgumentError(f"the {what} of the activation {of.pair.name} can't be compiled: {said}") from None
    return kernel
