"""Kernels for equations: numba code generated from their texts, one small module per kernel.

The code calls the functions in mathematics.py, so that it vectorises, inside the loops of activations and losses. A
kernel's name ends with a hash of its module's text, so that it is found in the cache of compiled kernels. Whatever a
user's formula is, only numbers and the names t0, t1, … can appear in the code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.code import Code
from thalweg.engine.native.passes.activated import ActivatedLoss
from thalweg.program.formula.equation import Equation
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint, ParameterGradient
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import Instruction

IMPORTS = """import numba
import numpy as np

from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.kernels.generated.loops import adjoint, any_of, each, scalar, value
from thalweg.engine.native.compiler.llvm import FLAGS, floats, select, unknown
from thalweg.engine.native.kernels.losses.loss_loops import elements, total, total_and_slopes
from thalweg.engine.native.layouts.state import ACCUMULATE, BATCH_ROWS, ROWS

F32, I32 = np.float32, np.int32
"""

FUNCTION = """

@{how}
def {name}({arguments}):
    {lines}
"""

PLAIN = """

@scalar
def run(function, o, c, s):
    {loop}(function, o, s, {k})
"""

# An activation's value or adjoint with trainable parameters, one number per unit. o: operands, positions, units.
UNITS = """

@scalar
def run(function, o, c, s):
    units = o[{last} + 2]
    {parameters}
    one = unknown(F32(1))
    for r in range(s[ROWS] * o[{last} + 1]):
        x, y = floats(o[0] + 4 * r * units, units), floats(o[{last}] + 4 * r * units, units)
        if o[{source}] == o[{last}]:
            for j in range(units):
                y[j] = {in_place}
        else:
            z = floats(o[{source}] + 4 * r * units, units)
            for j in range(units):
                y[j] = {apart}
"""

GRADIENT = """

@scalar
def run(function, o, c, s):
    units = o[{last} + 2]
    {parameters}
    y = floats(o[{last}], units)
    if not s[ACCUMULATE]:
        for j in range(units):
            y[j] = F32(0)
    for r in range(s[ROWS] * o[{last} + 1]):
        x, z = floats(o[0] + 4 * r * units, units), floats(o[{source}] + 4 * r * units, units)
        for j in range(units):
            y[j] += z[j] * {call}
"""

KERNEL = """

def {name}(o, c, s, f):
    run(function, o, c, s)
"""

# For an equation with functions that are faster where no argument is far from 0.
NEAR_OR_FAR = """

def {name}(o, c, s, f):
    if far_among(o, c, s):
        run(function, o, c, s)
    else:
        run(near, o, c, s)
"""

FAR_PLAIN = """

@scalar
def far_among(o, c, s):
    return any_of(far, o[0], o[{size}] * (s[ROWS] if o[{size} + 1] else 1), {k})
"""

FAR_UNITS = """

@scalar
def far_among(o, c, s):
    units, found = o[{last} + 2], I32(0)
    {parameters}
    for r in range(s[ROWS] * o[{last} + 1]):
        x = floats(o[0] + 4 * r * units, units)
        for j in range(units):
            found |= I32({far})
    return found != I32(0)
"""

LOSS = """

def {{name}}(o, c, s, f):
    {loop}(function, o, c, s)
"""

# The same, with the activation that it includes, if something reads it.
LOSS_OF_LOGITS = (
    LOSS
    + """    if o[5]:
        each(activation, o[0], o[5], s[ROWS] * o[6], ())
"""
)

ACTIVATED = """

def {{name}}(o, c, s, f):
    elements(function, {k}, o, o[4], o[5], o[8], c, s)
"""

FORCED = "numba.njit(forceinline=True, **FLAGS)"


def written(
    code: Code, results: Sequence[str], arguments: Sequence[str], how: str = "scalar", name: str = "function"
) -> str:
    """The text of a scalar function with these results."""
    lines = [*code.lines, f"return {', '.join(results)}"]
    return FUNCTION.format(how=how, name=name, arguments=", ".join(arguments), lines="\n    ".join(lines))


def places(names: Iterable[str], place: str, first: int = 0) -> dict[str, str]:
    """The code's names for arguments: k[0], k[1], … if place is k[{}]."""
    return {name: place.format(first + n) for n, name in enumerate(names)}


def tuple_of(count: int, first: int = 0) -> str:
    """A kernel's constants as a tuple."""
    return f"({''.join(f'F32(c[{first + n}]), ' for n in range(count))})"


def kernel_of_equation(i: Instruction) -> Kernel:
    """The kernel of an instruction whose computation is an equation, not yet compiled."""
    match i:
        case Elementwise() | ElementwiseAdjoint(of=Elementwise()) | ParameterGradient():
            return kernel_of_activation(i)
        case ElementwiseLoss() | LossAndGradient(of=ElementwiseLoss()):
            return kernel_of_loss(i)
        case ActivatedLoss():
            return kernel_of_activated(i)
    raise KeyError(f"there is no kernel for {i.kernel}")


def kernel_of_activation(i: Instruction) -> Kernel:
    of: Any = i if isinstance(i, Elementwise) else getattr(i, "of")  # noqa: B009
    match i:
        case Elementwise():
            computes, text = "value", of.equation.value
        case ParameterGradient():
            computes, text = "gradient", i.text
        case _:
            computes, text = "adjoint", of.equation.slope
    return activation_kernel(i.kernel, computes, of.equation, text, len(of.parameters))


@lru_cache(maxsize=256)
def activation_kernel(kernel: str, computes: str, equation: Equation, text: str, count: int) -> Kernel:
    forward = computes == "value"
    parameters = [f"p{n}" for n in range(count)]
    symbols = {"h": "x", "a": "x"} | places(equation.arguments, "k[{}]") | {p: p for p in parameters}
    arguments = ["x", "k", *parameters]
    code = Code(symbols, equation.arguments)
    head, entry = IMPORTS + written(code, [code.of(text)], arguments), KERNEL
    near = Code(symbols, equation.arguments, near=True)
    nearby = near.of(text)
    if near.bounded:
        head += written(near, [nearby], arguments, name="near")
        head += written(near, [" | ".join(f"(abs({v}) > maths.NEAR)" for v in near.bounded)], arguments, name="far")
        entry = NEAR_OR_FAR
    k = tuple_of(len(equation.arguments))
    if not count:
        loop, size = ("value", 2) if forward else ("adjoint", 3)
        far = FAR_PLAIN.format(size=size, k=k) if near.bounded else ""
        return generated(kernel, head + PLAIN.format(loop=loop, k=k) + far + entry)
    given = f"{k}, {', '.join(f'{p}[j]' for p in parameters)}"
    call = f"function({{}}, {given})"
    last, source = (count + 1, 0) if forward else (count + 2, count + 1)
    words: dict[str, str | int] = {"last": last, "source": source}
    words["parameters"] = "\n    ".join(f"{p} = floats(o[{n + 1}], units)" for n, p in enumerate(parameters))
    far = FAR_UNITS.format(far=f"far(x[j], {given})", **words) if near.bounded else ""
    if computes == "gradient":
        return generated(kernel, head + GRADIENT.format(call=call.format("x[j]"), **words) + far + entry)
    in_place, apart = (
        (call.format("y[j] * one"), call.format("z[j]"))
        if forward
        else (f"y[j] * {call.format('x[j]')}", f"z[j] * {call.format('x[j]')}")
    )
    return generated(kernel, head + UNITS.format(in_place=in_place, apart=apart, **words) + far + entry)


def kernel_of_loss(i: Instruction) -> Kernel:
    """The kernel of a loss, or of the loss and its gradient."""
    loss = i.of if isinstance(i, LossAndGradient) else i
    assert isinstance(loss, ElementwiseLoss)
    return loss_kernel(i.kernel, loss.equation, i is not loss)


@lru_cache(maxsize=256)
def loss_kernel(kernel: str, equation: Equation, gradient: bool) -> Kernel:
    code = Code({"y": "y", "p": "p"} | places(equation.arguments, "k{}", 1), equation.arguments)
    results = [code.of(equation.value), code.of(equation.slope)]
    head = IMPORTS + written(code, results, ["y", "p", "k1", "k2", "k3"], FORCED)
    if not gradient:
        return generated(kernel, head + LOSS.format(loop="total"))
    if equation.activation is None:
        return generated(kernel, head + LOSS.format(loop="total_and_slopes"))
    code = Code({"h": "x"})
    head += written(code, [code.of(equation.activation.value)], ["x", "k"], name="activation")
    return generated(kernel, head + LOSS_OF_LOGITS.format(loop="total_and_slopes"))


def kernel_of_activated(i: ActivatedLoss) -> Kernel:
    """The kernel of a loss with the activation before it, both in one function."""
    assert isinstance(i.loss.of, ElementwiseLoss)
    return activated_kernel(i.activation.equation, i.loss.of.equation, i.v is i.activation.h)


@lru_cache(maxsize=256)
def activated_kernel(activation: Equation, loss: Equation, whole: bool) -> Kernel:
    own = places(activation.arguments, "j{}")
    code = Code({"h": "v", "a": "v"} | own, activation.arguments)
    a = code.of(activation.value) if whole else "v"
    code.symbols["a"] = a
    back = code.of(activation.slope)
    code.symbols, code.numbers = {"y": "y", "p": a} | places(loss.arguments, "k{}", 1), set(loss.arguments)
    results = [code.of(loss.value), f"{code.of(loss.slope)} * {back}"]
    head = IMPORTS + written(code, results, ["y", "v", "k1", "k2", "k3", *own.values()], FORCED)
    name = f"{activation.kernel}{'' if whole else '_adjoint'}_{loss.kernel}"
    return generated(name, head + ACTIVATED.format(k=tuple_of(len(own), 4)))


def generated(name: str, text: str) -> Kernel:
    """The kernel from a module with this text, in which {name} stands for its name."""
    name = f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return Kernel("generated", name, text.replace("def {name}", f"def {name}", 1))
