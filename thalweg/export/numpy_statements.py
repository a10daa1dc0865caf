"""What instructions become in a NumPy file: lines made of their references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import isclose
from typing import Any

from thalweg.export.expressions import Expressions, Text, one_line
from thalweg.losses.probabilities import BinaryCrossentropy
from thalweg.program.graphs.simplified import is_number
from thalweg.program.graphs.traced_program import Statement
from thalweg.program.graphs.traced_values import Value
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.convolution import Convolution, KernelGradient, TransposedConvolution, Window
from thalweg.program.instructions.forest import Forest
from thalweg.program.instructions.images.pooling import MaxPooling, MaxPoolingAdjoint
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.instructions.losses.row_losses import CrossentropyOfLogits
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

    def binary(self, v: Value) -> Text:
        """x·[x > 0] is a product with a truth value."""
        one, other = v.operands
        if v.function == "multiply" and other not in self.known and is_truth(other) and one.dtype.kind == "f":
            v = replace(v, operands=(one, other.operands[0]))
        return super().binary(v)


def is_truth(v: Value) -> bool:
    """Whether a value is 1 where a condition holds, and otherwise 0."""
    return v.function == "where" and is_number(v.operands[1], 1) and is_number(v.operands[2], 0)


def forest(i: Forest, names: Names) -> str:
    sets = "None" if i.sets is None else names[i.sets]
    given = ", ".join(names[b] for b in (i.x, i.nodes, i.trees, i.values, i.base))
    return f"forest({given}, {sets}, {i.depth})"


def loss_of_logits(i: LossAndGradient, names: Names) -> list[str] | None:
    """A cross-entropy with its activation, as a tutorial has them: ŷ, L, dh = (ŷ − y)/rows.

    Of classes, the sum of y in a row is 1: `sums_to_one` tells where a file has to see to it.
    """
    of, h, y = i.of, names[i.p], names[i.y]
    share = of.coefficient * i.p.size if isinstance(of, ElementwiseLoss) else of.coefficient
    plain = i.weight is None and not of.total and isclose(share, 1) and not getattr(of, "label_smoothing", 0)
    rows = "rows" if of.coefficient == 1 else f"(rows * {i.p.size})"
    if isinstance(of, CrossentropyOfLogits):
        activation, y = "softmax", f"one_hot({y}, {i.p.shape[-1]})" if of.sparse else y
        loss = f"-({y} * log_softmax({h})).sum()"
    elif isinstance(of, ElementwiseLoss) and of.equation == BinaryCrossentropy.fused and not any(of.arguments):
        activation, loss = "sigmoid", f"(np.logaddexp(0, {h}) - {h} * {y}).sum()"
        loss += f" / {i.p.size}" * (of.coefficient != 1)
    else:
        return None
    if not plain:
        return None
    found = f"{activation}({h})"
    shown = [] if i.a is None else [f"{names[i.a]} = {found}"]
    gradient = f"{names[i.dp]} = ({names[i.a] if i.a is not None else found} - {y}) / {rows}"
    return [*shown, f"{names[i.sums]} += {loss}", gradient]


def sums_to_one(i: Any, names: Names) -> str:
    """The name of the targets whose rows have to be probabilities for the lines of an instruction; "" if none are."""
    of_rows = isinstance(i, LossAndGradient) and isinstance(i.of, CrossentropyOfLogits) and not i.of.sparse
    return names[i.y] if of_rows and loss_of_logits(i, names) else ""


LINES: dict[type, Callable[..., str | list[str] | None]] = {
    Convolution: convolution, KernelGradient: kernel_gradient, TransposedConvolution: transposed,
    Elementwise: elementwise, Softmax: lambda i, names: f"softmax({names[i.h]})",
    Forest: forest, LossAndGradient: loss_of_logits, MaxPooling: max_pooling, MaxPoolingAdjoint: max_pooling_adjoint,
}  # fmt: skip


def direct(i: Instruction, names: Names) -> str | list[str] | None:
    """The expression of an instruction, or its lines; None where its reference is written out."""
    own = LINES.get(type(i))
    return own and own(i, names)


def written(statement: Statement, names: Mapping[Buffer, str], kept: dict[str, Array]) -> Iterator[str]:
    """What an instruction computes: its formula as a comment, then lines."""
    yield f"# {one_line(statement.instruction.formula)}"
    own = direct(statement.instruction, names)
    if isinstance(own, list):
        yield from own
        return
    if own is not None:
        (assignment,) = statement.assignments
        place = "" if assignment.buffer.region == WORKSPACE or assignment.buffer.view_of else "[...]"
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
    if buffer.region == WORKSPACE or buffer.view_of is not None:
        return f"{name} {'+' * adds}= {text}"
    if adds:
        return f"{name} += {text}"
    if value.function in ("add", "subtract") and value not in expressions.known:
        one, other = value.operands
        if one.function == "name" and one.options["buffer"] is buffer:
            sign = "+" if value.function == "add" else "-"
            return f"{name} {sign}= {expressions.text(other)[0]}"
    return f"{name}[...] = {text}"
