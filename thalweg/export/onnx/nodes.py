"""Nodes of an ONNX graph, and the tensors between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from thalweg.errors import ThalwegError
from thalweg.program.graphs.sizes import ROWS, Size, of_rows
from thalweg.program.graphs.traced_program import Prepared
from thalweg.program.graphs.traced_values import broadcast
from thalweg.program.ir.instruction import Array, Buffer, Instruction, Shape

ELEMENTWISE = frozenset({
    "Abs", "Add", "Div", "Erf", "Exp", "Greater", "LeakyRelu", "Less", "Log", "Max", "Min", "Mul", "Neg", "Relu",
    "Sigmoid", "Sqrt", "Sub", "Tanh", "Where",
})  # fmt: skip
"""The most usual operators that work element by element."""
LEARNED = "ai.onnx.ml"
"""The domain of these operators."""
OF_LEARNED = ("LabelEncoder", "TreeEnsembleRegressor")


@dataclass(eq=False)
class Tensor:
    """A value of the graph.

    Attributes:
        name: that of an array of the network; others get one when all are there.
        node: what computes it; None for an input of the graph and for an initializer.
        array: the elements of an initializer.
        origin: the name of the array from which the elements are.
        shape: with ROWS for the open number of rows; None where nobody asks.
    """

    dtype: np.dtype[Any]
    name: str = ""
    node: Node | None = None
    array: Array | None = None
    origin: str = ""
    shape: Shape | None = None


@dataclass(eq=False)
class Node:
    """An operator on tensors.

    Attributes:
        instruction: for which it is there.
        result: the name of the array that is computed so.
        domain: "" for ONNX itself.
    """

    operator: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]
    instruction: Instruction | None = None
    result: str = ""
    domain: str = ""


class Nodes:
    """The nodes of a graph, each after those that it needs, in the forms that they have in an opset.

    Attributes:
        held: the tensor that an array is, by buffer.
        instruction, result: for which nodes are added.
    """

    def __init__(self, opset: int, inputs: Mapping[Buffer, Tensor], weights: Mapping[Buffer, Tensor]) -> None:
        self.opset, self.inputs = opset, list(inputs.values())
        self.held = {**inputs, **weights}
        self.instruction: Instruction | None = None
        self.result = ""
        self.all: list[Node] = []
        self.constants: dict[tuple[Any, ...], Tensor] = {}
        self.counted: dict[Shape, Tensor] = {}
        self.turned: dict[tuple[Tensor, tuple[int, ...]], Tensor] = {}

    def add(self, operator: str, inputs: Iterable[Tensor], dtype: DTypeLike, **attributes: Any) -> Tensor:
        """The output of a new node; of an elementwise one before its operands are moved, so that two moves meet."""
        inputs = list(inputs)
        for move in (t.node for t in inputs if t.node is not None and operator in ELEMENTWISE):
            if move.operator in ("Transpose", "Reshape"):
                earlier = [self.before(move, t) for t in inputs]
                if None not in earlier:
                    return self.moved_later(move, operator, earlier, dtype, **attributes)  # type: ignore[arg-type]
        return self.plain(operator, inputs, dtype, **attributes)

    def before(self, move: Node, x: Tensor) -> Tensor | None:
        """What becomes x by such a move, if it is there; single numbers need none."""
        if x.array is not None and x.array.ndim == 0:
            return x
        if x.node is not None and x.node.operator == move.operator and kind(x.node) == kind(move):
            return x.node.inputs[0]
        return None if move.operator == "Reshape" else self.turned.get((x, inverse(move.attributes["perm"])))

    def moved_later(
        self, move: Node, operator: str, inputs: list[Tensor], dtype: DTypeLike, **attributes: Any
    ) -> Tensor:
        turned = move.operator == "Transpose"
        found = turned and any(t.node is not None and t.node.operator == "Transpose" for t in inputs)
        make = self.plain if found else self.add  # which might go the way back
        x = make(operator, inputs, dtype, **attributes)
        x.shape = broadcast(*(s.shape for s in inputs if s.shape is not None))
        if turned:
            return self.transpose(x, move.attributes["perm"])
        return self.plain("Reshape", [x, *move.inputs[1:]], x.dtype)

    def plain(self, operator: str, inputs: Iterable[Tensor], dtype: DTypeLike, **attributes: Any) -> Tensor:
        return self.several(operator, inputs, [dtype], **attributes)[0]

    def several(
        self, operator: str, inputs: Iterable[Tensor], dtypes: Iterable[DTypeLike], **attributes: Any
    ) -> tuple[Tensor, ...]:
        """The outputs of a new node."""
        outputs = tuple(Tensor(np.dtype(dtype)) for dtype in dtypes)
        domain = LEARNED if operator in OF_LEARNED else ""
        node = Node(operator, tuple(inputs), outputs, attributes, self.instruction, self.result, domain)
        for tensor in outputs:
            tensor.node = node
        self.all.append(node)
        return outputs

    def constant(self, elements: Any, dtype: DTypeLike = np.int64) -> Tensor:
        """An initializer; the same one for the same elements."""
        array = np.asarray(elements, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = Tensor(array.dtype, array=array)
        return self.constants[key]

    # --- the number of rows

    def rows(self, shape: Shape) -> Tensor:
        """The number of rows: alone, or as a vector of shape (1,)."""
        if shape not in self.counted:
            sizes = self.add("Shape", self.inputs[:1], np.int64)
            self.counted[shape] = self.add("Gather", [sizes, self.constant(np.zeros(shape))], np.int64, axis=0)
        return self.counted[shape]

    def sizes(self, shape: Shape, follows: bool = False) -> Tensor:
        """A shape as a vector. follows: an open number may be left to ONNX, since the others decide it."""
        is_open = [of_rows(n) for n in shape]
        if not any(is_open) or (follows and sum(is_open) == 1):
            return self.constant([-1 if o else n for n, o in zip(shape, is_open, strict=True)])
        parts = [
            self.times(self.rows((1,)), n // ROWS) if o else self.constant([n])
            for n, o in zip(shape, is_open, strict=True)
        ]
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, np.int64, axis=0)

    def times(self, count: Tensor, number: int) -> Tensor:
        if isinstance(number, Size):
            raise ThalwegError("an ONNX file counts the rows, or so many times the rows, and not others than these")
        return count if number == 1 else self.add("Mul", [count, self.constant(number)], np.int64)

    # --- what is done at once where the elements are known

    def cast(self, x: Tensor, dtype: np.dtype[Any]) -> Tensor:
        from onnx import helper

        if x.dtype == dtype:
            return x
        if x.array is not None:
            return self.moved(x, dtype, lambda array: array.astype(dtype))
        return self.add("Cast", [x], dtype, to=helper.np_dtype_to_tensor_dtype(dtype))

    def reshape(self, x: Tensor, shape: Shape) -> Tensor:
        """Two that follow each other become one, or none."""
        if x.array is not None:
            return self.moved(x, shape, lambda array: array.reshape(shape))
        if x.node is not None and x.node.operator == "Reshape":
            x = x.node.inputs[0]
        return x if x.shape == shape else self.add("Reshape", [x, self.sizes(shape, follows=True)], x.dtype)

    def transpose(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        """Two that follow each other become one, or none."""
        if x.array is not None:
            return self.moved(x, axes, lambda array: array.transpose(axes))
        if x.node is not None and x.node.operator == "Transpose":
            before = x.node.attributes["perm"]
            (x,), axes = x.node.inputs, tuple(before[a] for a in axes)
        if axes == tuple(range(len(axes))):
            return x
        if (x, axes) not in self.turned:
            self.turned[x, axes] = self.add("Transpose", [x], x.dtype, perm=axes)
        return self.turned[x, axes]

    def moved(self, x: Tensor, how: Any, function: Callable[[Any], Array]) -> Tensor:
        """An initializer made of another, once."""
        key = (x, how)
        if key not in self.constants:
            array = np.asarray(function(x.array), order="C")
            self.constants[key] = Tensor(array.dtype, array=array, origin=x.name or x.origin)
        return self.constants[key]


def title(i: Instruction) -> str:
    """What errors call it."""
    return i.formula if isinstance(i, Prepared) else f"{i.title} ({i.formula})"


def kind(move: Node) -> tuple[Any, ...]:
    """Of a transposition the order of the axes, of another move the shapes before and after it."""
    return (move.attributes["perm"],) if "perm" in move.attributes else (move.inputs[0].shape, move.outputs[0].shape)


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axes.index(a) for a in range(len(axes)))


def needed(outputs: Iterable[Tensor], nodes: Iterable[Node]) -> list[Node]:
    """The nodes without which there is no output."""
    wanted, kept = set(outputs), []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]
