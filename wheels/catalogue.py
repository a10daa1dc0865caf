"""Which kernels a wheel brings: all handwritten ones, and those made for everything that thalweg names.

A formula, a Python function or a chain of operations has a kernel of its own, which nobody can know in advance; and the
adjoint of running products has one for each doubling of the steps, of which a wheel brings those of up to MOST. The
others are compiled on the user's machine (`thalweg[jit]`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from inspect import isclass
from itertools import chain, combinations, product
from math import prod
from typing import Any

from thalweg import activations, losses, optimizers
from thalweg.activations.function import BuiltInFunction
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.instructions.variants import native
from thalweg.engine.native.kernels.generated.pointwise import pointwise_kernel
from thalweg.engine.native.kernels.table import ACTIVITY, ALONE, ENTER, KERNELS, MACHINE, SUMMARISE, kernel_of
from thalweg.engine.native.passes.activated import FUSED, ActivatedLoss
from thalweg.errors import ThalwegError
from thalweg.optimizers.layout import Run
from thalweg.program.formula import operations
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.operations import Operation
from thalweg.program.instructions import metrics
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.derived.derived_adjoint import DerivedAdjoint
from thalweg.program.instructions.elementwise import Add, Copy, Rescale
from thalweg.program.instructions.images.augmentation import RandomBrightness, RandomContrast, RandomFlip
from thalweg.program.instructions.losses import centers, penalties, row_losses, row_value
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.instructions.noise import (
    AlphaDropout,
    RandomBernoulli,
    RandomUniform,
    SpatialDropout,
)
from thalweg.program.instructions.parametric import Prelu
from thalweg.program.instructions.scans import CumulativeProduct
from thalweg.program.instructions.shapes import Upsampling, enlarged
from thalweg.program.instructions.standardization import ChannelScale, ChannelScaleGradient
from thalweg.program.instructions.updates import constraints, gradients
from thalweg.program.instructions.updates.table_updates import of_rows
from thalweg.program.instructions.updates.updates import Statements, Update
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, SLOTS, TOTALS, Buffer, Instruction
from thalweg.program.loops.heavy import LONG
from thalweg.program.lowering import Weight

OTHER_OPTIONS = (0.0, 0.5)  # for every argument of an optimizer, besides its default: they may change its equation
SUMS = Buffer("sums", (1,), TOTALS, per_row=False)


def kernels() -> list[Kernel]:
    """Every kernel that is made before it is asked for; the families that they call are not among them."""
    by_name = [*KERNELS.values(), MACHINE, SUMMARISE, ACTIVITY, ALONE, ENTER]
    generated = [kernel_of(i) for i in (*of_activations(), *of_losses(), *of_penalties(), *of_updates())]
    return list(dict.fromkeys([*by_name, *generated, *of_operations(), *map(kernel_of, of_references())]))


def value(name: str, region: str = "workspace", per_row: bool = True) -> Buffer:
    return Buffer(name, (4,), region, per_row=per_row)


# --- Functions of one number -----------------------------------------------------------------------------------------


def equations() -> dict[str, Equation]:
    """Those of activations and of `thalweg.ops`, by their names as printed."""
    functions = [f for f in activations.catalogue.NAMES.values() if isinstance(f, BuiltInFunction)]
    found = [e for f in functions for e in (f.equation, f.general) if isinstance(e, Equation)]
    found += [
        *operations.UNARY.values(),
        *operations.ROOTS.values(),
        *map(operations.whole_power, operations.WHOLE_POWERS),
    ]
    found += [operations.with_number(kind, reverse) for kind in operations.BINARY for reverse in (False, True)]
    return {e.name: e for e in found}


def of_activations() -> Iterator[Instruction]:
    for equation in equations().values():
        of = elementwise(equation)
        yield of
        if equation.slope not in ("", "1"):
            yield ElementwiseAdjoint(of, of.source, value("da"), value("dh"))


def elementwise(equation: Equation) -> Elementwise:
    return Elementwise(value("h"), value("a"), equation, (0.5,) * len(equation.arguments))


# --- Losses ----------------------------------------------------------------------------------------------------------


def loss_equations() -> dict[str, Equation]:
    kinds = [kind for kind in vars(losses).values() if isclass(kind) and issubclass(kind, losses.Loss)]
    found = [e for kind in kinds for e in (kind.equation, kind.fused) if isinstance(e, Equation)]
    return {e.name: e for e in found}


def of_losses() -> Iterator[Instruction]:
    for equation in loss_equations().values():
        of = loss_of(equation, value("p"))
        yield of
        gradient = LossAndGradient(of, of.p, of.y, None, of.sums, value("dp"))
        yield gradient
        if equation.activation is None:
            for activation in FUSED:
                yield from activated(elementwise(activation), equation)

    for kind in vars(row_losses).values():
        if isclass(kind) and issubclass(kind, row_losses.RowLoss) and "name" in vars(kind):
            row_loss = kind(value("p"), value("y"), None, SUMS, 1.0)
            yield row_loss
            yield LossAndGradient(row_loss, row_loss.p, row_loss.y, None, SUMS, value("dp"))


def loss_of(equation: Equation, p: Buffer) -> ElementwiseLoss:
    numbers = (0.5,) * len(equation.arguments)
    return ElementwiseLoss(p, value("y"), None, SUMS, 1.0, equation=equation, arguments=numbers)


def activated(of: Elementwise, equation: Equation) -> Iterator[Instruction]:
    """A loss with the activation before it, whose own result something else may read, too."""
    loss = loss_of(equation, of.a)
    gradient = LossAndGradient(loss, loss.p, loss.y, None, loss.sums, value("dp"))
    back = ElementwiseAdjoint(of, of.source, gradient.dp, value("dh"))
    for v in (of.h, of.a):
        yield ActivatedLoss(of, gradient, back, v, loss.y, None, loss.sums, back.dh)


def of_penalties() -> Iterator[Instruction]:
    w = value("w", PARAMETERS, per_row=False)
    yield penalties.Penalty(w, 0.5, 0.5, SUMS)
    yield penalties.PenaltyGradient(w, 0.5, 0.5, value("dw", GRADIENTS, per_row=False))
    yield penalties.ActivityPenalty(value("a"), 0.5, 0.5, SUMS)
    yield penalties.ActivityPenaltyGradient(value("a"), 0.5, 0.5, value("da"))


# --- Of references ---------------------------------------------------------------------------------------------------

MOST = 32
STEPS = sorted({n for k in range(MOST.bit_length() - 1) for n in (2**k + 1, 2 ** (k + 1))})
"""As many are doubled as often; the last turn has one left, or more."""


def of_references() -> Iterator[Instruction]:
    """Those that nobody wrote: what is made of a reference depends on which axes count, and on which are alone."""
    shapes: tuple[tuple[int, ...], ...] = ((), (2,))
    for shape in shapes:
        h, a = placed("h", shape), placed("a", shape)
        yield Rescale(h, a, 0.5, 0.5)
        noise = AlphaDropout(h, a, 0.5, 1)
        yield from (noise, DerivedAdjoint(noise, 0, (a,), h))
        yield from (kind(a, 0.5, 0.5, 1) for kind in (RandomUniform, RandomBernoulli))
        for per_row in (True, False):
            x, y, z = (placed(name, shape, per_row) for name in "xyz")
            yield from (Add(x, y, z), Add(x, x, z), Copy(x, z))
    yield from of_losses_of_rows()
    for shape in chain.from_iterable(product((1, 2), repeat=axes) for axes in (1, 2, 3, 4)):
        yield from of_channels(shape)
        yield from of_metrics(shape)
    for per_row, shape in product((True, False), product((1, 2), repeat=3)):
        yield running_product(shape, 1, per_row)
    for before, after, n in product((1, 2), (1, 2), STEPS):
        of = running_product((before, n, after), 1)
        yield DerivedAdjoint(of, 0, (placed("dz", of.x.shape),), placed("dx", of.x.shape))


FEATURES = ((1,), (2,), (LONG + 1,), (1, 2), (2, 1), (2, 3), (1, LONG + 1), (LONG + 1, 1), (2, LONG), (LONG, 2))
"""Short rows and long ones, of as many places as there are classes, or of others."""


def of_losses_of_rows() -> Iterator[Instruction]:
    """Of one number a row, and of distances; with and without weights of the rows."""
    y, v, weights = placed("y", (1,)), placed("v", (1,)), placed("weight", (1,))
    for weight, total in product((None, weights), (False, True)):
        yield row_value.RowValue(v, weight, SUMS, total)
        yield row_value.RowValueGradient(weight, v, total)
        for shape, classes in product(FEATURES, (1, 2, 5)):
            x, of = placed("x", shape), placed("centers", (classes, prod(shape)), False)
            yield centers.CenterDistance(x, y, weight, of, SUMS, 0.5, total)
            yield centers.CenterDistanceGradient(x, y, weight, of, placed("dx", shape), 0.5, total)


def of_channels(shape: tuple[int, ...]) -> Iterator[Instruction]:
    """Of rows of a shape, with numbers for some of their axes, or for the last."""
    x, z, dx = placed("x", shape), placed("z", shape), placed("dx", shape)
    gamma, beta = (Buffer(name, shape[-1:], PARAMETERS, per_row=False) for name in ("gamma", "beta"))
    yield SpatialDropout(x, z, 0.5, 1)
    yield from (ChannelScale(x, g, b, z) for g, b in product((gamma, None), (beta, None)))
    yield ChannelScaleGradient(x, z, Buffer("dgamma", shape[-1:], GRADIENTS, per_row=False))
    for own in product(*({1, n} for n in shape)):
        of = Prelu(x, Buffer("alpha", own, PARAMETERS, per_row=False), z)
        yield from (of, DerivedAdjoint(of, 0, (z,), dx))
        yield DerivedAdjoint(of, 1, (z,), Buffer("dalpha", own, GRADIENTS, per_row=False))
    factors = (0.25, 0.5), (0.125, 0.75)
    if len(shape) == 3:
        yield from (RandomFlip(x, z, bool(way & 1), bool(way & 2), 1) for way in (1, 2, 3))
        yield from (kind(x, z, *factors, 1) for kind in (RandomContrast, RandomBrightness))
        for size in ((1, 1), (1, 2), (2, 1), (2, 2)):
            larger = Upsampling(x, placed("z", enlarged(x, size)), size)
            yield from (larger, DerivedAdjoint(larger, 0, (larger.z,), dx))


def of_metrics(shape: tuple[int, ...]) -> Iterator[Instruction]:
    p, y, sums = placed("p", shape), placed("y", shape), Buffer("sums", (3 * prod(shape),), TOTALS, per_row=False)
    yield metrics.RowCorrelations(p, y, SUMS)
    yield metrics.SquaresAndTargets(p, y, sums)


def running_product(shape: tuple[int, ...], axis: int, per_row: bool = True) -> CumulativeProduct:
    return CumulativeProduct(placed("x", shape, per_row), placed("z", shape, per_row), axis)


def placed(name: str, shape: tuple[int, ...], per_row: bool = True) -> Buffer:
    return Buffer(name, shape, per_row=per_row)


# --- Steps -----------------------------------------------------------------------------------------------------------


def of_updates() -> Iterator[Instruction]:
    w, dw, a = value("w", PARAMETERS, False), value("dw", GRADIENTS, False), value("a", SLOTS, False)
    yield gradients.accumulate(dw, a, 2)
    yield constraints.non_negative(w)
    for overwrite in (0, 1):
        yield gradients.average(w, a, 0.5, overwrite)
    on_rows = [gradients.clip_value(dw, 0.5), gradients.weight_decay(w, 0.5)]
    yield from on_rows
    for kind in optimizers.CLASSES.values():
        for optimizer in variants(kind):
            slots = {name: value(name, SLOTS, per_row=False) for name in optimizer.own_slots()}
            step = optimizer.update(Run([Weight("w", w)], w, dw, slots))
            if isinstance(step, Statements):
                yield step
            if isinstance(step, Update) and optimizer.by_rows:
                on_rows.append(step)
    for step in on_rows:
        table = of_rows(step, value("counts"), 4, 1)
        yield native(table, own=value("own"))


def variants(kind: Any) -> Iterator[Any]:
    """An optimizer as it is by default, and with one or two other arguments: as many as its equation depends on."""
    default = kind()
    names = dict.fromkeys((*default.arguments, "weight_decay"))
    others = [(name, other) for name in names for other in options(getattr(default, name))]
    for count in range(3):
        for chosen in combinations(others, count):
            with suppress(ThalwegError):  # a value that it doesn't accept
                yield kind(**dict(chosen))


def options(default: Any) -> tuple[Any, ...]:
    """Other values of an argument: those of its kind."""
    match default:
        case bool():
            return (not default,)
        case int():
            return (default + 2,)
        case float() | None:
            return OTHER_OPTIONS
    return ()


# --- Operations on several values ------------------------------------------------------------------------------------

WHOLE = (*operations.BINARY.values(), operations.WHERE, operations.LOGARITHM)
REDUCTIONS = (*operations.REDUCTIONS.values(), operations.EXPONENTIALS, operations.TIES, operations.ZEROS)


def of_operations() -> Iterator[Kernel]:
    """Each operation for all operands, the result last, that may vary along the last axis."""
    for of in WHOLE:
        for varies in choices(len(of.slopes)):
            if any(varies):
                yield pointwise_kernel(of, (*varies, True), True)
        for name in differentiable(of):
            yield from of_adjoint(operations.adjoint(of, name), name)
    yield pointwise_kernel(operations.SUM, (False, True), True)  # what is broadcast is a sum along no axis
    yield from of_adjoint(operations.adjoint(operations.SUM, "x"), "x")
    for of in (*REDUCTIONS, operations.OTHERS):
        yield pointwise_kernel(of, (True,) * (len(of.slopes) + 1), True)  # along axes of size 1
        for varies in choices(len(of.slopes)):
            yield pointwise_kernel(of, (True, *varies), False)
    repeating = [operations.adjoint(of, name) for of in REDUCTIONS for name in differentiable(of)]
    for of in (*repeating, operations.SHARES, operations.FACTORS):  # what lacks axes lacks the same
        for others in (False, True):
            yield pointwise_kernel(of, (*(name == "x" or others for name in of.slopes), True), True)


def of_adjoint(of: Operation, name: str) -> Iterator[Kernel]:
    """That of an operand, summed along the axes along which it was repeated; dz varies along every axis."""
    for varies in choices(len(of.slopes)):
        operands = dict(zip(of.slopes, varies, strict=True))
        for z in [operands[name]] if name in operands else (False, True):
            if operands["dz"]:
                yield pointwise_kernel(of, (*varies, z), False)
                if z:
                    yield pointwise_kernel(of, (*varies, z), True)


def differentiable(of: Operation) -> list[str]:
    return [name for name, slope in of.slopes.items() if slope is not None]


def choices(count: int) -> Iterator[tuple[bool, ...]]:
    return product((False, True), repeat=count)
