"""Statements as nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.exported_network import Network
from thalweg.export.identifiers import identifiers
from thalweg.export.onnx.decompositions import DECOMPOSED
from thalweg.export.onnx.instructions import DIRECT, Known
from thalweg.export.onnx.nodes import Nodes, Tensor, title
from thalweg.export.onnx.operators import OPERATORS, own
from thalweg.export.spellings import Listed
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Assignment, Statement
from thalweg.program.graphs.traced_values import Shape, Value, reshaped
from thalweg.program.graphs.value_functions import broadcast_to
from thalweg.program.ir.instruction import Buffer

NO_TEXTS: Mapping[Buffer, Listed] = {}
NO_NAMES: Mapping[Buffer, str] = {}


class Writer:
    """The nodes that compute a network, in the forms that they have in an opset.

    Attributes:
        names: those of all arrays.
        texts: of the inputs that are given as texts, what each text is, by array.
        given: the names of arrays that have one already, each of its own.
    """

    def __init__(
        self,
        network: Network,
        opset: int,
        texts: Mapping[Buffer, Listed] = NO_TEXTS,
        given: Mapping[Buffer, str] = NO_NAMES,
    ) -> None:
        self.arrays = Known(network.weights)
        assigned = (a.buffer for s in network.statements for a in s.assignments)
        every = [*network.inputs, *network.outputs, *network.weights, *assigned]
        self.names = {**given, **identifiers((b for b in every if b not in given), given.values())}
        inputs = {b: Tensor(self.arrays.kind(b), self.names[b], shape=shape_of(b)) for b in network.inputs}
        weights = {b: Tensor(array.dtype, self.names[b], array=array) for b, array in network.weights.items()}
        self.nodes, self.known = Nodes(opset, inputs, weights), dict[Value, Tensor]()
        for buffer, listed in texts.items():
            self.nodes.held[buffer] = self.read(inputs[buffer], buffer, listed)
        for statement in network.statements:
            self.state(statement)
        self.nodes.instruction = None
        self.outputs: list[Tensor] = []
        for buffer in network.outputs:
            self.outputs.append(self.output(buffer))

    def read(self, cells: Tensor, buffer: Buffer, listed: Listed) -> Tensor:
        """The numbers of texts, −1 for one that isn't listed and can't be one in another notation.

        For what can, a number is taken from a place that isn't there: ONNX has no other error.
        """
        dtype, cells.dtype, self.nodes.result = cells.dtype, np.dtype(object), cells.name
        table = {"keys_strings": list(listed.numbers), "values_floats": list(listed.numbers.values())}
        plain, constant = self.nodes.plain, self.nodes.constant
        found = plain("LabelEncoder", [cells], np.float32, default_float=-1.0, **table)
        refused = plain("RegexFullMatch", [cells], bool, pattern=listed.odd)
        if listed.sure:
            sure = plain("RegexFullMatch", [cells], bool, pattern=listed.sure)
            refused = plain("And", [refused, plain("Not", [sure], bool)], bool)
        refused = plain("And", [refused, plain("Equal", [found, constant(-1, np.float32)], bool)], bool)
        beyond = plain("Gather", [constant([0], np.float32), self.nodes.cast(refused, np.dtype(np.int64))], np.float32)
        beyond.name = f"{cells.name}: a text that may be a category in a notation that this file doesn't list"
        found = plain("Add", [found, beyond], np.float32)
        found.shape = shape_of(buffer)
        return self.nodes.cast(found, dtype)

    def state(self, statement: Statement) -> None:
        self.nodes.instruction = i = statement.instruction
        try:
            direct = DIRECT[type(i)](i, self.arrays) if type(i) in DIRECT else None
            for a in statement.assignments:
                self.nodes.result = self.names[a.buffer]
                self.assign(a, a.value if direct is None else direct)
        except ThalwegError as error:
            raise ThalwegError(f"onnx can't say {title(i)}: {error}; numpy can") from None

    def assign(self, a: Assignment, value: Value) -> None:
        buffer = a.buffer
        if a.adds:
            raise ThalwegError(f"ONNX doesn't keep {buffer} from one batch to the next")
        shape = shape_of(buffer)
        if any(n not in (1, whole) for n, whole in zip(value.shape[::-1], shape[::-1], strict=False)):
            raise ValueError(f"{buffer} has the shape {value.shape}: trace the network for any number of rows")
        whole = broadcast_to(value.astype(self.arrays.kind(buffer)), shape)
        self.named(self.write(whole), buffer)
        self.nodes.held[buffer.storage] = self.write(reshaped(whole, shape_of(buffer.storage)))

    def named(self, tensor: Tensor, buffer: Buffer) -> None:
        if tensor.node is not None and not tensor.name:
            tensor.name = self.names[buffer]

    def output(self, buffer: Buffer) -> Tensor:
        """A tensor of the output's name, or, where an input or another output has it, of one like it."""
        tensor, name = self.write(self.arrays[buffer]), self.names[buffer]
        self.named(tensor, buffer)
        if tensor.name == name and tensor not in (*self.nodes.inputs, *self.outputs):
            return tensor
        tensor = self.nodes.add("Identity", [tensor], tensor.dtype)
        ends = {t.name for t in (*self.nodes.inputs, *self.outputs)}
        if name in ends:
            while name in {*ends, *self.names.values()}:
                name += "_out"
        tensor.name = name
        return tensor

    def write(self, value: Value) -> Tensor:
        """The tensor that a value is, after all that it needs."""
        others: dict[Value, Value] = {}
        waiting = [value]
        while waiting:
            v = waiting[-1]
            if v not in others:
                other = DECOMPOSED[v.function](v, *v.operands) if v.function in DECOMPOSED else None
                others[v] = v if other is None else other
            needs = v.operands if others[v] is v else (others[v],)
            new = [o for o in needs if o not in self.known]
            waiting.extend(reversed(new))
            if not new and waiting.pop() not in self.known:
                self.known[v] = self.known[others[v]] if others[v] is not v else self.made(v)
        return self.known[value]

    def made(self, v: Value) -> Tensor:
        made: Tensor = OPERATORS.get(v.function, own)(self.nodes, v, [self.known[o] for o in v.operands])
        made.shape = v.shape
        return made


def shape_of(buffer: Buffer) -> Shape:
    return (*[ROWS] * buffer.per_row, *buffer.shape)


def name_all(tensors: Iterable[Tensor]) -> None:
    """Names those that have none by what they are part of; no two are alike."""
    different = dict.fromkeys(tensors)
    used = {t.name for t in different}
    for tensor in different:
        made = "constant" if tensor.node is None else f"{tensor.node.result}_{tensor.node.operator.lower()}"
        name, base, number = tensor.name, tensor.origin or made, 1
        while not name:
            name = base if number == 1 else f"{base}_{number}"
            name, number = "" if name in used else name, number + 1
        tensor.name = name
        used.add(name)
