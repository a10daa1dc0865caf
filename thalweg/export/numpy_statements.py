"""What instructions become in a NumPy file: lines made of their references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from thalweg.export.expressions import Expressions, one_line
from thalweg.export.traced_program import Statement
from thalweg.export.traced_values import Value
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.convolution import Convolution, KernelGradient, TransposedConvolution, Window
from thalweg.program.instructions.forest import Forest
from thalweg.program.instructions.images.pooling import MaxPooling, MaxPoolingAdjoint
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.ir.instruction import WORKSPACE, Array, Buffer, Instruction

Names = Mapping[Buffer, str]


def placed(window: Window, dilation: bool = True) -> str:
    """How a window moves, as arguments."""
    padding = tuple(zip(window.before, window.after, strict=True))
    return f"{window.strides}, {padding}" + f", {window.dilation}" * dilation


def bias(b: Buffer | None, names: Names) -> str:
    return "" if b is None else f" + {names[b]}"


def kernel(i: Any, names: Names) -> str:
    """A kernel, which an instruction may read under another shape."""
    shape = (*i.window.size, i.x.shape[-1], i.h.shape[-1])
    return names[i.W] if i.W.shape == shape else f"{names[i.W]}.reshape{shape}"


def convolution(i: Convolution, names: Names) -> str | None:
    if i.groups > 1:
        return None
    return f"convolve({names[i.x]}, {kernel(i, names)}, {placed(i.window)}){bias(i.b, names)}"


def kernel_gradient(i: KernelGradient, names: Names) -> str | None:
    if i.groups > 1:
        return None
    shaped = "" if i.dW.shape[:2] == i.window.size and len(i.dW.shape) == 4 else f".reshape{i.dW.shape}"
    return f"kernel_gradient({names[i.x]}, {names[i.dh]}, {i.window.size}, {placed(i.window)}){shaped}"


def transposed(i: TransposedConvolution, names: Names) -> str | None:
    if i.groups > 1 or i.W.shape != (*i.window.size, i.h.shape[-1], i.x.shape[-1]):
        return None
    return f"convolve_back({names[i.x]}, {names[i.W]}, {i.h.shape}, {placed(i.window)}){bias(i.b, names)}"


def max_pooling(i: MaxPooling, names: Names) -> str | None:
    if i.window.dilation != (1, 1):
        return None
    return f"max_pool({names[i.x]}, {i.window.size}, {placed(i.window, dilation=False)})"


def max_pooling_adjoint(i: MaxPoolingAdjoint, names: Names) -> str | None:
    if i.window.dilation != (1, 1):
        return None
    given = f"{names[i.x]}, {names[i.a]}, {names[i.da]}"
    return f"max_pool_back({given}, {i.window.size}, {placed(i.window, dilation=False)})"


def elementwise(i: Elementwise, names: Names) -> str | None:
    return f"sigmoid({names[i.h]})" if i.equation.value == "sigmoid(h)" else None


class NumpyExpressions(Expressions):
    """Writes values as expressions that call NumPy."""


def forest(i: Forest, names: Names) -> str:
    sets = "None" if i.sets is None else names[i.sets]
    given = ", ".join(names[b] for b in (i.x, i.nodes, i.trees, i.values, i.base))
    return f"forest({given}, {sets}, {i.depth})"


LINES: dict[type, Callable[..., str | None]] = {
    Convolution: convolution, KernelGradient: kernel_gradient, TransposedConvolution: transposed,
    Elementwise: elementwise, Softmax: lambda i, names: f"softmax({names[i.h]})",
    Forest: forest, MaxPooling: max_pooling, MaxPoolingAdjoint: max_pooling_adjoint,
}  # fmt: skip


def direct(i: Instruction, names: Names) -> str | None:
    """The expression of an instruction; None where its reference is written out."""
    own = LINES.get(type(i))
    return own and own(i, names)


def written(statement: Statement, names: Mapping[Buffer, str], kept: dict[str, Array]) -> Iterator[str]:
    """What an instruction computes: its formula as a comment, then lines."""
    yield f"# {one_line(statement.instruction.formula)}"
    own = direct(statement.instruction, names)
    if own is not None:
        (assignment,) = statement.assignments
        place = "" if assignment.buffer.region == WORKSPACE else "[...]"
        yield (
            f"{names[assignment.buffer]} += {own}" if assignment.adds else f"{names[assignment.buffer]}{place} = {own}"
        )
        return
    adds = {a.buffer: a.adds for a in statement.assignments}
    expressions = NumpyExpressions({b: name for b, name in names.items() if b.view_of is None or b not in adds}, kept)
    expressions.names = names
    for target, value in expressions.lines([(a.buffer, a.value) for a in statement.assignments]):
        if isinstance(target, str):
            yield f"{target} = {expressions.text(value)[0]}"
        else:
            yield assignment_of(target, adds[target], value, expressions)


def assignment_of(buffer: Buffer, adds: bool, value: Value, expressions: Expressions) -> str:
    """The line in which an array becomes a value; what lasts is changed in place, as others are views of it."""
    name, (text, _) = expressions.names[buffer], expressions.text(value)
    if buffer.region == WORKSPACE:
        return f"{name} {'+' * adds}= {text}"
    if adds:
        return f"{name} += {text}"
    if value.function in ("add", "subtract") and value not in expressions.known:
        one, other = value.operands
        if one.function == "name" and one.options["buffer"] is buffer:
            sign = "+" if value.function == "add" else "-"
            return f"{name} {sign}= {expressions.text(other)[0]}"
    return f"{name}[...] = {text}"
