"""The rows of the conformance table for pointwise operations, reductions and scans, at shapes that broadcast."""

from collections.abc import Callable

import numpy as np
from conformance_activations import adjoint as adjoint_of
from conformance_activations import value as value_of
from harness import ACCUMULATE, ORDERED, TWICE, Array, Case, Memory

from thalweg.engine.native.kernels.names import underscored
from thalweg.program.formula import operations
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import evaluate
from thalweg.program.formula.operations import BINARY, UNARY, Operation
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.derived.derived_adjoint import DerivedAdjoint
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.scans import Argmax, CumulativeProduct, CumulativeSum
from thalweg.program.ir.instruction import Buffer, Instruction, StepState

Build = Callable[[Case], Instruction]
Shape = tuple[int, ...]

# Operations that are tried with every way to broadcast; the others, which share the loops, with two.
THOROUGH = ("multiply", "subtract", "divide", "maximum")


def shapes(c: Case, thorough: bool) -> tuple[tuple[Shape, bool], tuple[Shape, bool]]:
    """Two operands' shapes, and whether each is per row."""
    a, b, n = c.shape.units % 4 + 1, c.shape.positions, c.shape.width % 50 + 1
    whole, once = ((a, b, n), True), c.has(ORDERED)
    ways = [
        (whole, whole),
        (whole, ((n,), False)),
        (whole, ((a, b, n), False)),
        (whole, ((a, b, 1), True)),
        (whole, ((a, 1, n), True)),
        (whole, ((1, b, 1), True)),
        (whole, ((1, 1, 1), True)),
        (whole, ((), False)),
        (((a, 1, n), True), ((1, b, 1), True)),
        (((1, b, n), True), ((a, 1, 1), False)),
        (((n,), True), ((n,), True)),
        (((), True), ((), False)),
    ]
    x, y = ways[c.shape.seed % (len(ways) if thorough else 2)]
    if c.has(TWICE) and thorough:
        x, y = y, x
    return ((x[0], False), (y[0], False)) if once else (x, y)


def operand(c: Case, name: str, shape: Shape, per_row: bool, kind: str) -> Buffer:
    """Values at which the operation is defined and smooth."""
    b = c.normal(name, shape, per_row=per_row)
    values = c.values[b]
    if kind == "power":
        c.values[b] = abs(values) + np.float32(0.3) if name == "x" else np.clip(values, -3, 3)
        if name == "y" and c.shape.seed % 5 == 0 and not c.smooth:
            c.values[b] = np.round(c.values[b])
    elif kind in ("divide", "mod", "floor_divide") and name == "y":
        c.values[b] = values + np.sign(values) * np.float32(0.3)
    elif kind == "arctan2":
        c.values[b] = values + np.sign(values) * np.float32(0.2)
    elif not c.smooth and c.shape.seed % 3 == 0:
        c.values[b] = np.round(values)  # ties, zeros
    return b


def bounded(c: Case, i: Pointwise) -> Pointwise:
    """The instruction, with the size of the sum that makes each element."""

    def size(m: Memory) -> Array:
        values = tuple(m[b] for b in i.values)
        texts = dict(zip(i.operation.slopes, values, strict=True))
        numbers = dict(zip(i.operation.arguments, i.arguments, strict=True))
        with np.errstate(all="ignore"):
            summand = abs(np.asarray(evaluate(i.operation.value, texts | numbers, np)))
        for value in values:
            summand = summand * 1 + abs(value)
        leading = (c.shape.rows,) if i.per_row else ()
        summand = np.broadcast_to(summand, (*leading, *i.space))
        axes = (*range(len(i.reduces)), *(axis + i.per_row for axis in i.summed))
        total = summand.sum(axis=axes) if axes else summand
        return total.reshape(m[i.z].shape) + (abs(m[i.z]) if i.reduces and c.has(ACCUMULATE) else 0)

    c.magnitudes["z"] = size
    return i


def two(kind: str) -> Build:
    def build(c: Case) -> Instruction:
        (x, of_x), (y, of_y) = shapes(c, kind in THOROUGH)
        values = operand(c, "x", x, of_x, kind), operand(c, "y", y, of_y, kind)
        z = c.put("z", np.broadcast_shapes(x, y), np.nan, per_row=of_x or of_y)
        return bounded(c, Pointwise(BINARY[kind], values, z))

    return build


def adjoint_of_two(kind: str, name: str) -> Build:
    def build(c: Case) -> Instruction:
        (x, of_x), (y, of_y) = shapes(c, kind in THOROUGH)
        known = {"x": operand(c, "x", x, of_x, kind), "y": operand(c, "y", y, of_y, kind)}
        known["dz"] = c.normal("dz", np.broadcast_shapes(x, y), per_row=of_x or of_y)
        adjoint = operations.adjoint(BINARY[kind], name)
        shape, per_row = {"x": (x, of_x), "y": (y, of_y)}[name]
        result = output(c, f"d{name}", shape, per_row, known["dz"].per_row)
        return bounded(c, Pointwise(adjoint, tuple(known[n] for n in adjoint.slopes), result))

    return build


def output(c: Case, name: str, shape: Shape, per_row: bool, of_rows: bool) -> Buffer:
    """Numbers to be added to, where the instruction sums over rows."""
    return c.output(name, shape, per_row=per_row) if of_rows else c.put(name, shape, np.nan, per_row=per_row)


def choice(c: Case) -> tuple[Buffer, Buffer, Buffer]:
    (x, of_x), (y, of_y) = shapes(c, thorough=True)
    condition = c.put("p", np.broadcast_shapes(x, y), 0, per_row=of_x or of_y)
    c.values[condition] = c.random.integers(0, 2, c.values[condition].shape).astype(np.float32)
    return condition, c.normal("x", x, per_row=of_x), c.normal("y", y, per_row=of_y)


def where(c: Case) -> Instruction:
    condition, x, y = choice(c)
    z = c.put("z", condition.shape, np.nan, per_row=condition.per_row)
    return bounded(c, Pointwise(operations.WHERE, (condition, x, y), z))


def where_adjoint(name: str) -> Build:
    def build(c: Case) -> Instruction:
        condition, x, y = choice(c)
        dz = c.normal("dz", condition.shape, per_row=condition.per_row)
        of = x if name == "x" else y
        result = output(c, f"d{name}", of.shape, of.per_row, dz.per_row)
        return bounded(c, Pointwise(operations.adjoint(operations.WHERE, name), (dz, condition), result))

    return build


def along(c: Case) -> tuple[Buffer, Shape]:
    """A value, and its shape with some axes reduced to 1."""
    a, b, n = c.shape.units % 5 + 1, c.shape.positions, c.shape.width % (9 if c.smooth else 60) + 1
    x = c.normal("x", (a, b, n), per_row=not c.has(ORDERED))
    if c.shape.seed % 4 == 0 and not c.smooth:
        c.values[x] = np.round(c.values[x])
    reduced = c.shape.seed // 4 % 8
    return x, tuple(1 if reduced >> k & 1 else size for k, size in enumerate(x.shape))


def reduction(operation: Operation) -> Build:
    def build(c: Case) -> Instruction:
        x, shape = along(c)
        arguments = (float(np.prod(shape)) / x.size,) if operation.arguments else ()
        i = Pointwise(operation, (x,), c.put("z", shape, np.nan, per_row=x.per_row), arguments)
        if operation.combine == "prod":
            c.magnitudes["z"] = lambda m: 10 * np.maximum(i.reference(np, (abs(m[x]),), m.step), 1e-6)
            return i
        return bounded(c, i)

    return build


def reduction_adjoint(operation: Operation) -> Build:
    def build(c: Case) -> Instruction:
        x, shape = along(c)
        dz = c.normal("dz", shape, per_row=x.per_row)
        arguments = (0.25,) * len(operation.arguments)
        result = c.put("dx", x.shape, np.nan, per_row=x.per_row)
        return bounded(c, Pointwise(operations.adjoint(operation, "x"), (dz,), result, arguments))

    return build


def beside(operation: Operation, *others: str, of: Operation | None = None) -> Build:
    """An operation on x and values that stand for results along axes; its result is of x's shape unless it sums."""

    def build(c: Case) -> Instruction:
        x, shape = along(c)
        known = {"x": x, **{name: c.normal(name, shape, per_row=x.per_row) for name in others}}
        if "zeros" in known:
            c.values[known["zeros"]] = c.random.integers(0, 3, c.values[known["zeros"]].shape).astype(np.float32)
        if "z" in known:  # the largest
            z = known["z"]
            c.values[z] = Pointwise(operations.LARGEST, (x,), z).reference(
                np, (c.values[x],), StepState(rows=c.shape.rows)
            )
        if "ties" in known:
            c.values[known["ties"]] = abs(c.values[known["ties"]]) + np.float32(1)
        whole = operation in (operations.SHARES, operations.FACTORS) or of is not None
        result = c.put("r", x.shape if whole else shape, np.nan, per_row=x.per_row)
        return bounded(c, Pointwise(operation, tuple(known[n] for n in operation.slopes), result))

    return build


def logarithm(c: Case) -> Instruction:
    x, _ = along(c)
    c.values[x] = abs(c.values[x]) + np.float32(0.1)
    top = c.normal("top", x.shape, per_row=x.per_row)
    return bounded(c, Pointwise(operations.LOGARITHM, (x, top), c.put("z", x.shape, np.nan, per_row=x.per_row)))


def logarithm_adjoint(c: Case) -> Instruction:
    x, _ = along(c)
    c.values[x] = abs(c.values[x]) + np.float32(0.1)
    dz = c.normal("dz", x.shape, per_row=x.per_row)
    adjoint = operations.adjoint(operations.LOGARITHM, "x")
    return bounded(c, Pointwise(adjoint, (dz, x), c.put("dx", x.shape, np.nan, per_row=x.per_row)))


def cumulative_sum(c: Case) -> Instruction:
    x, _ = along(c)
    c.magnitudes["z"] = lambda m: np.full((), 1 + abs(m[x]).sum())
    z = c.put("z", x.shape, np.nan, per_row=x.per_row)
    return CumulativeSum(x, z, c.shape.seed // 4 % 3, c.has(TWICE))


def cumulative_product(c: Case) -> CumulativeProduct:
    x, _ = along(c)
    c.values[x] = np.clip(c.values[x], -2, 2)
    if c.shape.seed % 3 == 0:  # no element may be divided by
        c.values[x].flat[:: 2 + c.shape.seed % 5] = 0
    axis = c.shape.seed // 4 % 3
    c.magnitudes["z"] = lambda m: np.cumprod(abs(m[x]), axis + x.per_row)
    return CumulativeProduct(x, c.put("z", x.shape, np.nan, per_row=x.per_row), axis)


def cumulative_product_adjoint(c: Case) -> Instruction:
    of = cumulative_product(c)
    x = of.x
    dz = c.normal("dz", x.shape, per_row=x.per_row)
    i = DerivedAdjoint(of, 0, (dz,), c.put("dx", x.shape, np.nan, per_row=x.per_row))
    c.magnitudes = {"dx": lambda m: i.reference(np, (abs(m[x]),), (abs(m[dz]),), m.step)}
    return i


def argmax(c: Case) -> Instruction:
    x, _ = along(c)
    axis = c.shape.seed // 4 % 3
    shape = tuple(n for k, n in enumerate(x.shape) if k != axis)
    if c.shape.seed % 7 == 0 and not c.smooth:
        c.values[x][..., -1] = np.nan
    return Argmax(x, c.put("z", shape, np.nan, per_row=x.per_row), axis, c.has(TWICE))


# --- of one number ----------------------------------------------------------------------------------------------------

POSITIVE = {"log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "power_from_number"}
WITHIN_1 = {"arcsin", "arccos"}


def tame(c: Case, equation: Equation, h: Buffer) -> None:
    """Values at which the function is defined, and its result known to a small part."""
    values = np.clip(c.values[h], -20, 20)
    name = underscored(equation.name)
    if name in POSITIVE or name == "power_with_number" or name.endswith("from_number"):
        values = abs(values) + np.float32(0.3)
    if name in WITHIN_1:
        values = np.clip(values / 20, -0.9, 0.9)
    if name == "tan":
        values = np.clip(values, -1.3, 1.3)
    c.values[h] = values.astype(np.float32)


def once(c: Case, b: Buffer) -> None:
    """Some values aren't per row: those of the first row."""
    if c.has(ORDERED):
        b.per_row = False
        c.values[b] = c.values[b][0]


def one(equation: Equation, arguments: tuple[float, ...]) -> Build:
    plain = value_of(lambda h, a: Elementwise(h, a, equation, arguments))

    def build(c: Case) -> Instruction:
        i = plain(c)
        assert isinstance(i, Elementwise)
        tame(c, equation, i.h)
        for b in (i.h, i.a):
            once(c, b)
        c.magnitudes["a"] = lambda m: 2 + 2 * abs(m[i.h]) + abs(i.value(np, m[i.h]))
        return i

    return build


def adjoint_of_one(equation: Equation, arguments: tuple[float, ...]) -> Build:
    plain = adjoint_of(lambda h, a: Elementwise(h, a, equation, arguments))

    def build(c: Case) -> Instruction:
        i = plain(c)
        assert isinstance(i, ElementwiseAdjoint)
        of = i.of
        tame(c, equation, of.h)
        with np.errstate(all="ignore"):
            c.values[of.a] = of.value(np, c.values[of.h].astype(np.float64)).astype(np.float32)
        for b in (of.h, of.a, i.da, i.dh):
            once(c, b)
        c.magnitudes["dh"] = lambda m: abs(m[i.da]) * (1 + abs(of.slope(np, m[i.v])))
        return i

    return build


def kernel(operation: Operation) -> str:
    return underscored(operation.name)


def adjoint_kernel(operation: Operation, name: str) -> str:
    return kernel(operations.adjoint(operation, name))


NEW = {e: tuple(e.arguments.values()) for e in UNARY.values()} | {
    operations.whole_power(3): (),
    operations.whole_power(8): (),
}
NEW |= {operations.with_number(kind, reverse): (1.5,) for kind in BINARY for reverse in (False, True)}
ROWS: dict[str, Build] = {kernel(operation): two(kind) for kind, operation in BINARY.items()}
ROWS |= {
    adjoint_kernel(operation, name): adjoint_of_two(kind, name)
    for kind, operation in BINARY.items()
    for name, slope in operation.slopes.items()
    if slope is not None
}
ROWS |= {"where": where} | {adjoint_kernel(operations.WHERE, name): where_adjoint(name) for name in ("x", "y")}
ROWS |= {kernel(operation): reduction(operation) for operation in operations.REDUCTIONS.values()}
ROWS |= {adjoint_kernel(o, "x"): reduction_adjoint(o) for o in (operations.SUM, operations.MEAN)}
ROWS |= {
    kernel(operations.ZEROS): reduction(operations.ZEROS),
    kernel(operations.OTHERS): reduction(operations.OTHERS),
    kernel(operations.TIES): beside(operations.TIES, "z"),
    kernel(operations.SHARES): beside(operations.SHARES, "dz", "ties", "z"),
    kernel(operations.FACTORS): beside(operations.FACTORS, "dz", "zeros", "others"),
    kernel(operations.EXPONENTIALS): beside(operations.EXPONENTIALS, "top"),
    adjoint_kernel(operations.EXPONENTIALS, "x"): beside(
        operations.adjoint(operations.EXPONENTIALS, "x"), "dz", "top", of=operations.EXPONENTIALS
    ),
    kernel(operations.LOGARITHM): logarithm,
    adjoint_kernel(operations.LOGARITHM, "x"): logarithm_adjoint,
}
ROWS |= {underscored(equation.name): one(equation, arguments) for equation, arguments in NEW.items()}
ROWS |= {
    underscored(f"{equation.name} adjoint"): adjoint_of_one(equation, arguments)
    for equation, arguments in NEW.items()
    if equation.slope
}
# Their kernels are made for each, so they are not among KERNELS.
GENERATED = tuple(ROWS)
ROWS |= {"cumulative_sum": cumulative_sum, "argmax": argmax}
ROWS |= {"cumulative_product": cumulative_product, "cumulative_product_adjoint": cumulative_product_adjoint}
