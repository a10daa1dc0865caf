"""Kernels for equations: code generated from their texts, one small module per kernel.

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
from thalweg.engine.native.kernels.names import name_of, underscored
from thalweg.engine.native.passes.activated import ActivatedLoss
from thalweg.program.formula.equation import Equation
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint, ParameterGradient
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import Instruction

IMPORTS = """import numpy as np

from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.kernels.generated.loops import any_of, each, each_adjoint, scalar
from thalweg.engine.native.compiler.llvm import floats, select, unknown
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.losses.loss_loops import elements
from thalweg.engine.native.language.callables import inlined

F32, I32 = np.float32, np.int32
"""

FUNCTION = """

@{how}
def {name}({arguments}):
    {lines}
"""

# An activation's value, and its adjoint; {reals} declares the equation's arguments, {k} is their tuple.
VALUE = """

@kernel
def {{name}}(h, a, size, per_row{reals}, *, rows):
    n, k = size * (rows if per_row else 1), {k}
    {run}
"""

ADJOINT = """

@kernel
def {{name}}(v, da, dh, size, per_row{reals}, *, rows):
    n, k = size * (rows if per_row else 1), {k}
    {run}
"""

# The same with trainable parameters, one number per unit: z is f(h), or da·f'(v).
UNITS = """

@scalar
def run(function, x_at, z_at, y_at, lines, units, k, {parameters}):
    {views}
    one = unknown(F32(1))
    for r in range(lines):
        x, y = floats(x_at + 4 * r * units, units), floats(y_at + 4 * r * units, units)
        if z_at == y_at:
            for j in range(units):
                y[j] = {in_place}
        else:
            z = floats(z_at + 4 * r * units, units)
            for j in range(units):
                y[j] = {apart}
"""

GRADIENT = """

@scalar
def run(function, x_at, z_at, y_at, lines, units, k, {parameters}):
    {views}
    y = floats(y_at, units)
    for r in range(lines):
        x, z = floats(x_at + 4 * r * units, units), floats(z_at + 4 * r * units, units)
        for j in range(units):
            y[j] += z[j] * {call}
"""

CLEARED = """    if not accumulate:
        floats(dp, units)[:] = F32(0)
"""

OF_UNITS = """

@kernel
def {{name}}({operands}, positions, units{reals}, *, rows{more}):
    lines, k = rows * positions, {k}
{cleared}    {run}
"""

FAR_UNITS = """

@scalar
def far_among(x_at, lines, units, k, {parameters}):
    {views}
    found = I32(0)
    for r in range(lines):
        x = floats(x_at + 4 * r * units, units)
        for j in range(units):
            found |= I32({far})
    return found != I32(0)
"""

# For an equation with functions that are faster where no argument is far from 0.
NEAR_OR_FAR = """if {far}:
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
ACTIVATION = """    if a:
        each(activation, p, a, rows * size, ())
"""

FORCED = "inlined"


def written(
    code: Code, results: Sequence[str], arguments: Sequence[str], how: str = "scalar", name: str = "function"
) -> str:
    """The text of a scalar function with these results."""
    lines = [*code.lines, f"return {', '.join(results)}"]
    return FUNCTION.format(how=how, name=name, arguments=", ".join(arguments), lines="\n    ".join(lines))


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
    match i:
        case Elementwise() | ElementwiseAdjoint(of=Elementwise()) | ParameterGradient():
            return kernel_of_activation(i)
        case ElementwiseLoss() | LossAndGradient(of=ElementwiseLoss()):
            return kernel_of_loss(i)
        case ActivatedLoss():
            return kernel_of_activated(i)
    name = name_of(i)
    raise KeyError(f"there is no kernel for {name}: no lines `@kernel` and `def {name}(…):` in native/kernels/")


def kernel_of_activation(i: Instruction) -> Kernel:
    of: Any = i if isinstance(i, Elementwise) else getattr(i, "of")  # noqa: B009
    match i:
        case Elementwise():
            computes, text = "value", of.equation.value
        case ParameterGradient():
            computes, text = "gradient", i.text
        case _:
            computes, text = "adjoint", of.equation.slope
    return activation_kernel(name_of(i), computes, of.equation, text, len(of.parameters))


@lru_cache(maxsize=256)
def activation_kernel(kernel: str, computes: str, equation: Equation, text: str, count: int) -> Kernel:
    forward = computes == "value"
    parameters = [f"p{n}" for n in range(count)]
    symbols = {"h": "x", "a": "x"} | places(equation.arguments, "k[{}]") | {p: p for p in parameters}
    arguments = ["x", "k", *parameters]
    code = Code(symbols, equation.arguments)
    head = IMPORTS + written(code, [code.of(text)], arguments)
    near = Code(symbols, equation.arguments, near=True)
    nearby = near.of(text)
    if near.bounded:
        head += written(near, [nearby], arguments, name="near")
        head += written(near, [" | ".join(f"(abs({v}) > maths.NEAR)" for v in near.bounded)], arguments, name="far")
    k = [f"k{n}" for n in range(len(equation.arguments))]
    words = {"reals": reals(k), "k": tuple_of(k)}
    if not count:
        kind, run = (VALUE, "each({}, h, a, n, k)") if forward else (ADJOINT, "each_adjoint({}, v, da, dh, n, k)")
        far = f"any_of(far, {'h' if forward else 'v'}, n, k)"
        return generated(kernel, head + kind.format(run=chosen(run, far, bool(near.bounded)), **words))
    given = f"k, {', '.join(f'u{n}[j]' for n in range(count))}"
    words["parameters"] = ", ".join(parameters)
    words["views"] = "\n    ".join(f"u{n} = floats({p}, units)" for n, p in enumerate(parameters))
    x, z, y = {"value": ("h", "h", "a"), "adjoint": ("v", "da", "dh"), "gradient": ("v", "da", "dp")}[computes]
    in_place, apart = (
        (f"function(y[j] * one, {given})", f"function(z[j], {given})")
        if forward
        else (f"y[j] * function(x[j], {given})", f"z[j] * function(x[j], {given})")
    )
    loop = GRADIENT if computes == "gradient" else UNITS
    head += loop.format(call=f"function(x[j], {given})", in_place=in_place, apart=apart, **words)
    if near.bounded:
        head += FAR_UNITS.format(far=f"far(x[j], {given})", **words)
    run = f"run({{}}, {x}, {z}, {y}, lines, units, k, {words['parameters']})"
    far = f"far_among({x}, lines, units, k, {words['parameters']})"
    words["operands"] = ", ".join(dict.fromkeys((x, *parameters, z, y)))
    gradient = {"more": ", accumulate", "cleared": CLEARED} if computes == "gradient" else {"more": "", "cleared": ""}
    return generated(kernel, head + OF_UNITS.format(run=chosen(run, far, bool(near.bounded)), **words, **gradient))


def chosen(run: str, far: str, bounded: bool) -> str:
    """The code that runs an equation, or its faster version where no argument is far from 0."""
    return (
        NEAR_OR_FAR.format(far=far, run=run.format("function"), near=run.format("near"))
        if bounded
        else run.format("function")
    )


def kernel_of_loss(i: Instruction) -> Kernel:
    """The kernel of a loss, or of the loss and its gradient."""
    loss = i.of if isinstance(i, LossAndGradient) else i
    assert isinstance(loss, ElementwiseLoss)
    return loss_kernel(name_of(i), loss.equation, i is not loss)


@lru_cache(maxsize=256)
def loss_kernel(kernel: str, equation: Equation, gradient: bool) -> Kernel:
    own = places(equation.arguments, "k{}", 1)
    code = Code({"y": "y", "p": "p"} | own, equation.arguments)
    results = [code.of(equation.value), code.of(equation.slope)]
    head = IMPORTS + written(code, results, ["y", "p", *own.values()], FORCED)
    words = {"reals": reals(own.values()), "k": tuple_of(own.values())}
    if not gradient:
        return generated(kernel, head + LOSS.format(p="p", given="", slopes="0", **words))
    if equation.activation is None:
        return generated(kernel, head + LOSS.format(p="p", given="dp, ", slopes="dp", **words))
    code = Code({"h": "x"})
    head += written(code, [code.of(equation.activation.value)], ["x", "k"], name="activation")
    return generated(kernel, head + LOSS.format(p="p", given="dp, a, ", slopes="dp", **words) + ACTIVATION)


def kernel_of_activated(i: ActivatedLoss) -> Kernel:
    """The kernel of a loss with the activation before it, both in one function."""
    assert isinstance(i.loss.of, ElementwiseLoss)
    return activated_kernel(i.activation.equation, i.loss.of.equation, i.v is i.activation.h)


@lru_cache(maxsize=256)
def activated_kernel(activation: Equation, loss: Equation, whole: bool) -> Kernel:
    code = Code({"h": "v", "a": "v"})
    a = code.of(activation.value) if whole else "v"
    code.symbols["a"] = a
    back = code.of(activation.slope)
    of_loss = places(loss.arguments, "k{}", 1)
    code.symbols, code.numbers = {"y": "y", "p": a} | of_loss, set(loss.arguments)
    results = [code.of(loss.value), f"{code.of(loss.slope)} * {back}"]
    numbers = of_loss.values()
    head = IMPORTS + written(code, results, ["y", "v", *numbers], FORCED)
    name = underscored(f"{activation.name}{'' if whole else ' adjoint'} {loss.name}")
    words = {"reals": reals(numbers), "k": tuple_of(numbers)}
    return generated(name, head + LOSS.format(p="v", given="dh, ", slopes="dh", **words))


def generated(name: str, text: str) -> Kernel:
    """The kernel from a module with this text, in which {name} stands for its name."""
    name = f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return Kernel("generated", name, text.replace("def {name}", f"def {name}", 1))
