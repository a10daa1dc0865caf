"""Kernels for equations: code generated from their texts, one small module per kernel.

The code calls the functions in mathematics.py, so that it vectorises, inside the loops of activations and losses. A
kernel's name ends with a hash of its module's text, so that it is found in the cache of compiled kernels. Whatever a
user's formula is, only numbers and the names t0, t1, … can appear in the code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.code import Code
from thalweg.engine.native.kernels.names import name_of, underscored
from thalweg.engine.native.passes.activated import ActivatedLoss
from thalweg.program.formula.equation import Equation
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint, ParameterGradient
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import Instruction

HEAD = """import math

import numpy as np

from thalweg.engine.native.compiler.llvm import allocate, bits_float, bytes_of, doubles, float_bits, floats, integers
from thalweg.engine.native.compiler.llvm import load_f32, release, select, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.generated.loops import any_of, each, each_adjoint, each_gradient
from thalweg.engine.native.kernels.losses.loss_loops import elements, rows_of_classes
from thalweg.engine.native.kernels.rowwise import ordered
from thalweg.engine.native.kernels.updates.gradients import stretch
from thalweg.engine.native.language.callables import independent, inlined
from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.linalg.hashing import halves, uniform

F32, F64, I32, I64, U8, U32, U64 = np.float32, np.float64, np.int32, np.int64, np.uint8, np.uint32, np.uint64
"""

FUNCTION = """

@inlined
def {name}({arguments}):
    {lines}
"""

ELEMENT = ("x", "j", "k", "parameters")  # what the loops of activations give a function

# An activation's value, adjoint, or gradient of a trainable parameter; {reals} declares the equation's arguments.
ACTIVATION = """

@kernel
def {{name}}({operands}, {sizes}{reals}, *, rows{more}):
    given = {given}
    {run}
"""

# What a kernel reads and writes, and its loop.
LOOPS = {
    "value": (("h", "a"), "each({function}, h, a, *given)"),
    "adjoint": (("v", "da", "dh"), "each_adjoint({function}, v, da, dh, *given)"),
    "gradient": (("v", "da", "dp"), "each_gradient({function}, v, da, dp, *given, accumulate)"),
}

# For an equation with functions that are faster where no argument is far from 0.
NEAR_OR_FAR = """if any_of(far, {x}, *given):
        {run}
    else:
        {near}"""

# A loss with its slopes, if something reads them.
LOSS = """

@kernel
def {{name}}({p}, y, weight, sums, {given}size, total, coefficient: float{reals}, *, rows, batch_rows):
    elements(function, {k}, {p}, y, weight, sums, {slopes}, size, total, coefficient, rows, batch_rows)
"""

# The activation that it includes, if something reads it.
INCLUDED = """    if a:
        each(activation, p, a, 1, rows * size, (), ())
"""


def written(code: Code, results: Sequence[str], arguments: Sequence[str], name: str = "function") -> str:
    """The text of a function with these results."""
    lines = [*code.lines, f"return {', '.join(results)}"]
    return FUNCTION.format(name=name, arguments=", ".join(arguments), lines="\n    ".join(lines))


def places(names: Iterable[str], place: str, first: int = 0) -> dict[str, str]:
    """The code's names for arguments: k[0], k[1], … if place is k[{}]."""
    return {name: place.format(first + n) for n, name in enumerate(names)}


def reals(names: Iterable[str]) -> str:
    """The declaration of a kernel's real parameters."""
    return "".join(f", {name}: float" for name in names)


def tuple_of(names: Iterable[str]) -> str:
    """Real parameters as a tuple."""
    return f"({''.join(f'F32({name}), ' for name in names)})"


def kernel_of_equation(i: Instruction) -> Kernel:
    """The kernel of an instruction whose computation is an equation, not yet compiled."""
    name = name_of(i)
    match i:
        case Elementwise():
            return activation_kernel(name, "value", i.equation, i.equation.value, len(i.parameters))
        case ElementwiseAdjoint(of=Elementwise() as of):
            return activation_kernel(name, "adjoint", of.equation, of.equation.slope, len(of.parameters))
        case ParameterGradient():
            return activation_kernel(name, "gradient", i.of.equation, i.text, len(i.parameters))
        case ElementwiseLoss():
            return loss_kernel(name, i.equation, False)
        case LossAndGradient(of=ElementwiseLoss() as loss):
            return loss_kernel(name, loss.equation, True)
        case ActivatedLoss(loss=LossAndGradient(of=ElementwiseLoss() as loss)):
            return activated_kernel(i.activation.equation, loss.equation, i.v is i.activation.h)
    raise KeyError(f"there is no equation of {name}")


@lru_cache(maxsize=256)
def activation_kernel(kernel: str, computes: str, equation: Equation, text: str, count: int) -> Kernel:
    parameters = [f"p{n}" for n in range(count)]
    symbols = {"h": "x", "a": "x"} | places(equation.arguments, "k[{}]") | {p: p for p in parameters}
    code, near = (Code(symbols, equation.arguments, near) for near in (False, True))
    for each in (code, near):
        each.lines += [f"{p} = load_f32(parameters[{n}], j)" for n, p in enumerate(parameters)]
    head, nearby = written(code, [code.of(text)], ELEMENT), near.of(text)
    if near.bounded:
        head += written(near, [nearby], ELEMENT, "near")
        head += written(near, [" | ".join(f"(abs({v}) > maths.NEAR)" for v in near.bounded)], ELEMENT, "far")
    return looped(kernel, head, computes, len(equation.arguments), parameters, bool(near.bounded))


def looped(
    kernel: str, head: str, computes: str, numbers: int = 0, parameters: Sequence[str] = (), bounded: bool = False
) -> Kernel:
    """The kernel that calls `function` for each element; or `near`, where no argument is `far` from 0."""
    k = [f"k{n}" for n in range(numbers)]
    (x, *others), loop = LOOPS[computes]
    lines, n = ("rows * positions", "units") if parameters else ("1", "size * (rows if per_row else 1)")
    run, near = (loop.format(function=function) for function in ("function", "near"))
    text = ACTIVATION.format(
        operands=", ".join((x, *parameters, *others)),
        sizes="positions, units" if parameters else "size, per_row",
        reals=reals(k),
        more=", accumulate" * (computes == "gradient"),
        given=f"{lines}, {n}, {tuple_of(k)}, ({''.join(f'{p}, ' for p in parameters)})",
        run=NEAR_OR_FAR.format(x=x, run=run, near=near) if bounded else run,
    )
    return generated(kernel, head + text)


@lru_cache(maxsize=256)
def loss_kernel(kernel: str, equation: Equation, gradient: bool) -> Kernel:
    """The kernel of a loss, or of the loss and its gradient."""
    own = places(equation.arguments, "k{}", 1)
    code = Code({"y": "y", "p": "p"} | own, equation.arguments)
    head = written(code, [code.of(equation.value), code.of(equation.slope)], ["y", "p", *own.values()])
    words = {"reals": reals(own.values()), "k": tuple_of(own.values())}
    if not gradient:
        return generated(kernel, head + LOSS.format(p="p", given="", slopes="0", **words))
    if equation.activation is None:
        return generated(kernel, head + LOSS.format(p="p", given="dp, ", slopes="dp", **words))
    code = Code({"h": "x"})
    head += written(code, [code.of(equation.activation.value)], ELEMENT, "activation")
    return generated(kernel, head + LOSS.format(p="p", given="dp, a, ", slopes="dp", **words) + INCLUDED)


@lru_cache(maxsize=256)
def activated_kernel(activation: Equation, loss: Equation, whole: bool) -> Kernel:
    """The kernel of a loss with the activation before it, both in one function."""
    code = Code({"h": "v", "a": "v"})
    a = code.of(activation.value) if whole else "v"
    code.symbols["a"] = a
    back = code.of(activation.slope)
    of_loss = places(loss.arguments, "k{}", 1)
    code.symbols, code.numbers = {"y": "y", "p": a} | of_loss, set(loss.arguments)
    results = [code.of(loss.value), f"{code.of(loss.slope)} * {back}"]
    numbers = of_loss.values()
    head = written(code, results, ["y", "v", *numbers])
    name = underscored(f"{activation.name}{'' if whole else ' adjoint'} {loss.name}")
    words = {"reals": reals(numbers), "k": tuple_of(numbers)}
    return generated(name, head + LOSS.format(p="v", given="dh, ", slopes="dh", **words))


def generated(name: str, text: str) -> Kernel:
    """The kernel from a module with this text behind its imports, in which {name} stands for its name."""
    text = HEAD + text
    name = f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return Kernel("generated", name, text.replace("def {name}", f"def {name}", 1))
