"""Nodes of an ONNX graph, and the tensors between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from thalweg.export.graph import ROWS
from thalweg.program.ir.instruction import Array, Buffer, Instruction, Shape

OF_ONE = ("Relu", "Sigmoid", "Tanh")


@dataclass(eq=False)
class Tensor:
    """A value of the graph.

    Attributes:
        name: that of an array of the network; others get one when all are there.
        node: what computes it; None for an input of the graph and for an initializer.
        array: the elements of an initializer.
        origin: the name of the array from which the elements are.
    """

    dtype: np.dtype[Any]
    name: str = ""
    node: Node | None = None
    array: Array | None = None
    origin: str = ""


@dataclass(eq=False)
class Node:
    """An operator on tensors. `instruction`: for which it is there."""

    operator: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]
    instruction: Instruction | None = None


class Nodes:
    """The nodes of a graph, each after those that it needs, in the forms that they have in an opset.

    Attributes:
        held: the tensor that an array is, by buffer.
        instruction: for which nodes are added.
    """

    def __init__(self, opset: int, inputs: Mapping[Buffer, Tensor], weights: Mapping[Buffer, Tensor]) -> None:
        self.opset, self.inputs = opset, list(inputs.values())
        self.held = {**inputs, **weights}
        self.instruction: Instruction | None = None
        self.all: list[Node] = []
        self.constants: dict[tuple[Any, ...], Tensor] = {}
        self.counted: dict[Shape, Tensor] = {}

    def add(self, operator: str, inputs: Iterable[Tensor], dtype: DTypeLike, **attributes: Any) -> Tensor:
        """The output of a new node. A function of one number goes before a transposition, so that two of these meet."""
        x, *more = inputs
        before = x.node
        if operator in OF_ONE and before is not None:
            if before.operator == operator == "Relu":
                return x
            if before.operator == "Transpose":
                return self.transpose(self.add(operator, before.inputs, dtype), before.attributes["perm"])
        return self.several(operator, [x, *more], [dtype], **attributes)[0]

    def several(
        self, operator: str, inputs: Iterable[Tensor], dtypes: Iterable[DTypeLike], **attributes: Any
    ) -> tuple[Tensor, ...]:
        """The outputs of a new node."""
        outputs = tuple(Tensor(np.dtype(dtype)) for dtype in dtypes)
        node = Node(operator, tuple(inputs), outputs, attributes, self.instruction)
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
        is_open = [n > 0 and n % ROWS == 0 for n in shape]
        if not any(is_open) or (follows and sum(is_open) == 1):
            return self.constant([-1 if o else n for n, o in zip(shape, is_open, strict=True)])
        parts = [
            self.times(self.rows((1,)), n // ROWS) if o else self.constant([n])
            for n, o in zip(shape, is_open, strict=True)
        ]
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, np.int64, axis=0)

    def times(self, count: Tensor, number: int) -> Tensor:
        return count if number == 1 else self.add("Mul", [count, self.constant(number)], np.int64)

    # --- what is done at once where the elements are known

    def cast(self, x: Tensor, dtype: np.dtype[Any]) -> Tensor:
        from onnx import helper

        if x.dtype == dtype:
            return x
        if x.array is not None:
            return self.moved(x, dtype, lambda array: array.astype(dtype))
        return self.add("Cast", [x], dtype, to=helper.np_dtype_to_tensor_dtype(dtype))

    def reshape(self, x: Tensor, shape: Shape, sizes: Callable[[], Tensor]) -> Tensor:
        if x.array is not None:
            return self.moved(x, shape, lambda array: array.reshape(shape))
        return self.add("Reshape", [x, sizes()], x.dtype)

    def transpose(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        """Two that follow each other become one, or none."""
        if x.array is not None:
            return self.moved(x, axes, lambda array: array.transpose(axes))
        if x.node is not None and x.node.operator == "Transpose":
            before = x.node.attributes["perm"]
            (x,), axes = x.node.inputs, tuple(before[a] for a in axes)
        return x if axes == tuple(range(len(axes))) else self.add("Transpose", [x], x.dtype, perm=axes)

    def moved(self, x: Tensor, how: Any, function: Callable[[Any], Array]) -> Tensor:
        """An initializer made of another, once."""
        key = (x, how)
        if key not in self.constants:
            array = np.asarray(function(x.array), order="C")
            self.constants[key] = Tensor(array.dtype, array=array, origin=x.name or x.origin)
        return self.constants[key]


def needed(outputs: Iterable[Tensor], nodes: Iterable[Node]) -> list[Node]:
    """The nodes without which there is no output."""
    wanted, kept = set(outputs), []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]
