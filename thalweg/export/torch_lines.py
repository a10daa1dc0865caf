"""What instructions become in a torch file: lines made of their references, and a few of torch's own functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.expressions import ATOM, Expressions, Text, number, one_line, sliced
from thalweg.program.graphs.traced_program import Statement
from thalweg.program.graphs.traced_values import Value
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.convolution import Convolution, TransposedConvolution, Window
from thalweg.program.instructions.images.pooling import AveragePooling, MaxPooling
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.ir.instruction import FLOAT, Array, Buffer, Instruction

Names = Mapping[Buffer, str]
SAME = [
    "sign", "floor", "ceil", "trunc", "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos",
    "tan", "tanh", "sinh", "cosh", "erf", "isfinite", "isnan", "isinf", "where", "logical_and", "logical_or",
    "logical_not", "logical_xor", "maximum", "minimum", "square",
]  # fmt: skip
CALLED = {name: name for name in SAME} | {
    "absolute": "abs", "rint": "round", "ndtr": "special.ndtr", "arctan": "atan", "arctan2": "atan2",
}  # fmt: skip
"""torch's names of NumPy's functions."""
BOUNDS = {"maximum": "min", "minimum": "max"}  # the argument of clamp
REDUCED = {"max": "amax", "min": "amin"}


class TorchExpressions(Expressions):
    """Writes values as expressions that call torch."""

    instruction: Instruction  # whose values they are

    def _erf(self, v: Value, options: Mapping[str, Any]) -> str:
        return self.call(v)

    _ndtr = _erf

    def call(self, v: Value) -> str:
        """A function of tensors; one number beside a tensor is a bound."""
        if v.function not in CALLED:
            raise ThalwegError(
                f"{self.instruction.name} needs {v.function}, which a torch file can't say; the target numpy can"
            )
        if v.function in BOUNDS:
            one, other = v.operands
            x, bound = (other, one) if scalar(one) else (one, other)
            if scalar(bound) and not scalar(x):
                return f"{self.inner(x, ATOM)}.clamp({BOUNDS[v.function]}={self.text(bound)[0]})"
        given = [self.text(o)[0] if k and v.function == "where" else self.tensor(o) for k, o in enumerate(v.operands)]
        return f"torch.{CALLED[v.function]}({', '.join(given)})"

    def tensor(self, v: Value) -> str:
        """An operand of a function that takes no number."""
        text = self.text(v)[0]
        return f"torch.tensor({text})" if scalar(v) and v not in self.known else text

    def reduction(self, v: Value) -> str:
        axes: Any = v.options["axis"]
        x, name = self.inner(v.operands[0], ATOM), REDUCED.get(v.function, v.function)
        if name == "prod" and len(axes) > 1:  # which takes one axis at a time
            kept = ", keepdim=True" if v.options["keepdims"] else ""
            return x + "".join(f".prod(dim={axis}{kept})" for axis in sorted(axes, reverse=True))
        every = len(axis_of := tuple(axes)) == v.operands[0].ndim and not v.options["keepdims"]
        told = [] if every else [f"dim={axis_of[0] if len(axis_of) == 1 else axis_of}"]
        told += ["keepdim=True"] * v.options["keepdims"]
        return f"{x}.{name}({', '.join(told)})"

    def _constant(self, v: Value, options: Mapping[str, Any]) -> Text:
        elements = options["elements"]
        if elements.ndim:
            for name, other in self.kept.items():
                if other.dtype == elements.dtype and np.array_equal(other, elements, equal_nan=v.dtype.kind == "f"):
                    return f"self.{name}", ATOM
            name = f"constant{len(self.kept) + 1}"
            self.kept[name] = elements
            return f"self.{name}", ATOM
        return spoken(elements[()])

    def _step(self, v: Value, options: Mapping[str, Any]) -> str:
        raise ThalwegError("a torch file predicts: it has no number of a step")

    _drawn = _step

    def _arange(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"torch.arange({v.shape[0]})"

    def _astype(self, v: Value, options: Mapping[str, Any]) -> Text:
        (x,) = v.operands
        if "weak" in x.options or scalar(x):
            return self.text(x)
        return f"{self.inner(x, ATOM)}.to(torch.{v.dtype.name})", ATOM

    def _transpose(self, v: Value, options: Mapping[str, Any]) -> str:
        axes, x = options["axes"], self.inner(v.operands[0], ATOM)
        return f"{x}.T" if axes == (1, 0) else f"{x}.permute{axes}"

    def _slice(self, v: Value, options: Mapping[str, Any]) -> str:
        (x,) = v.operands
        text, starts, steps = self.inner(x, ATOM), list(options["starts"]), list(options["steps"])
        turned = [a for a, step in enumerate(steps) if step < 0]
        for a in turned:  # torch takes no step backwards
            starts[a], steps[a] = x.shape[a] - 1 - starts[a], -steps[a]
        text += f".flip({', '.join(map(str, turned))})" * bool(turned)
        parts = [sliced(*of) for of in zip(starts, steps, v.shape, x.shape, strict=True)]
        while parts and parts[-1] == ":":
            parts.pop()
        return f"{text}[{', '.join(parts)}]" if parts else text

    def _pad(self, v: Value, options: Mapping[str, Any]) -> str:
        widths = [n for pair in reversed(options["widths"]) for n in pair]
        while widths[-2:] == [0, 0]:
            del widths[-2:]
        told = f", value={spoken(options['value'])[0]}" if options["value"] else ""
        return f"F.pad({self.tensor(v.operands[0])}, {tuple(widths)}{told})"

    def _concatenate(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"torch.cat([{', '.join(self.tensor(o) for o in v.operands)}], dim={options['axis']})"

    def _take(self, v: Value, options: Mapping[str, Any]) -> str:
        x, places = v.operands
        before = ":, " * options["axis"]
        return f"{self.inner(x, ATOM)}[{before}{self.whole(places)}]"

    def whole(self, v: Value) -> str:
        """Places, as torch wants them."""
        return self.text(v)[0] if v.dtype == np.int64 else f"{self.inner(v, ATOM)}.long()"

    def _take_along_axis(self, v: Value, options: Mapping[str, Any]) -> str:
        x, places = v.operands
        return f"torch.take_along_dim({self.text(x)[0]}, {self.whole(places)}, dim={options['axis']})"

    def _broadcast_to(self, v: Value, options: Mapping[str, Any]) -> str:
        (x,) = v.operands
        if scalar(x):
            return f"torch.full({self.shape(v.shape)}, {self.text(x)[0]}, dtype=torch.{v.dtype.name})"
        return f"torch.broadcast_to({self.text(x)[0]}, {self.shape(v.shape)})"

    def _along(self, v: Value, options: Mapping[str, Any]) -> str:
        text = f"torch.{v.function}({self.text(v.operands[0])[0]}, dim={options['axis']}"
        return {"sort": f"{text}).values", "argsort": f"{text}, stable=True)"}.get(v.function, f"{text})")

    _cumsum = _cumprod = _sort = _argsort = _along

    def _lexsort(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"lexsort({self.text(v.operands[0])[0]})"

    def _bincount(self, v: Value, options: Mapping[str, Any]) -> str:
        places, weights = (self.text(o)[0] for o in v.operands)
        return f"torch.bincount({places}, {weights}, minlength={v.shape[0]})"


def spoken(x: Any) -> Text:
    """A number."""
    text, binding = number(x)
    return re.sub(r"np\.(nan|inf)", r'float("\1")', text), binding


def scalar(v: Value) -> bool:
    """Whether a value is a number of Python's where it stands."""
    if v.function == "astype":
        return scalar(v.operands[0])
    return "weak" in v.options or (v.function == "constant" and not v.shape) or v.function == "rows"


def array(buffer: Buffer, names: Names) -> str:
    """An array, or a view of one."""
    if buffer in names:
        return names[buffer]
    shape = ", ".join(map(str, (*[-1] * buffer.per_row, *buffer.shape)))
    return f"{names[buffer.storage]}.reshape({shape})"


def moved(window: Window, groups: int) -> str:
    """How a window moves, as arguments."""
    padding = (window.before[1], window.after[1], window.before[0], window.after[0])
    options = {"stride": (window.strides, (1, 1)), "padding": (padding, (0, 0, 0, 0)),
               "dilation": (window.dilation, (1, 1)), "groups": (groups, 1)}  # fmt: skip
    return "".join(f", {name}={value}" for name, (value, usual) in options.items() if value != usual)


def convolution(i: Convolution, names: Names) -> str | None:
    shape = (*i.window.size, i.x.shape[-1] // i.groups, i.h.shape[-1])
    W = array(i.W, names) if i.W.shape == shape else f"{array(i.W, names)}.reshape{shape}"
    bias = "None" if i.b is None else array(i.b, names)
    return f"convolve({array(i.x, names)}, {W}, {bias}{moved(i.window, i.groups)})"


def transposed(i: TransposedConvolution, names: Names) -> str | None:
    if i.groups > 1 or i.W.shape != (*i.window.size, i.h.shape[-1], i.x.shape[-1]):
        return None
    window, edges = i.window, []
    for k in (1, 0):
        whole = (i.x.shape[k] - 1) * window.strides[k] + window.span[k]
        edges += [-window.before[k], i.h.shape[k] + window.before[k] - whole]
    bias = "None" if i.b is None else array(i.b, names)
    told = f", stride={window.strides}" * (window.strides != (1, 1))
    told += f", dilation={window.dilation}" * (window.dilation != (1, 1))
    return f"convolve_back({array(i.x, names)}, {array(i.W, names)}, {bias}, edges={tuple(edges)}{told})"


def max_pooling(i: MaxPooling, names: Names) -> str | None:
    return f"max_pool({array(i.x, names)}, {i.window.size}{moved(i.window, 1)})"


def average_pooling(i: AveragePooling, names: Names) -> str | None:
    window = i.window
    if any((*window.before, *window.after)) or window.dilation != (1, 1):
        return None  # what is outside of the image doesn't count
    return f"average_pool({array(i.x, names)}, {window.size}, {window.strides})"


ACTIVATIONS = {"sigmoid(h)": "torch.sigmoid", "tanh(h)": "torch.tanh", "max(h, 0)": "F.relu"}


def elementwise(i: Elementwise, names: Names) -> str | None:
    function = ACTIVATIONS.get(i.equation.value)
    return function and f"{function}({array(i.h, names)})"


LINES: dict[type, Callable[..., str | None]] = {
    Convolution: convolution, TransposedConvolution: transposed, MaxPooling: max_pooling,
    AveragePooling: average_pooling, Elementwise: elementwise,
    Softmax: lambda i, names: f"torch.softmax({array(i.h, names)}, dim=-1)",
}  # fmt: skip


def direct(i: Instruction, names: Names) -> str | None:
    """The expression of an instruction; None where its reference is written out."""
    own = LINES.get(type(i))
    return own and own(i, names)


def written(statement: Statement, names: Names, kept: dict[str, Array], real: str = "float32") -> Iterator[str]:
    """What an instruction computes: its formula as a comment, then lines.

    real: the type of arrays of real numbers, which what is assigned to them becomes.

    Raises:
        ThalwegError: it can't be said in torch's functions.
    """
    yield f"# {one_line(statement.instruction.formula)}"
    own = direct(statement.instruction, names)
    if own is not None:
        (assignment,) = statement.assignments
        yield f"{names[assignment.buffer]} = {own}"
        return
    read = statement.instruction.inputs  # another view of the same shape may be written later
    expressions = TorchExpressions({b: n for b, n in names.items() if b.view_of is None or b in read}, kept)
    expressions.names, expressions.instruction = names, statement.instruction
    for target, value in expressions.lines([(a.buffer, a.value) for a in statement.assignments]):
        if isinstance(target, str):
            yield f"{target} = {expressions.text(value)[0]}"
            continue
        text, kind = expressions.tensor(value), real if target.dtype == FLOAT else None
        if kind not in (None, value.dtype.name) and "weak" not in value.options:
            text = f"{expressions.inner(value, ATOM)}.to(torch.{kind})"
        yield f"{names[target]} = {text}"
