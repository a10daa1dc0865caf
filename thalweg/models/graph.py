"""The layers of a model: how values pass through them, their names, and the shapes between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from thalweg.errors import ArgumentError, ThalwegError
from thalweg.layers import Input, Layer
from thalweg.layers.core import connect_all
from thalweg.layers.layer import Shape, name_layers
from thalweg.layers.lookups.lookup import TEXT, Lookup
from thalweg.models.inputs import Feed
from thalweg.models.steps.own_step import OwnStep
from thalweg.ops.masks import passed
from thalweg.ops.tensor import Traced
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.naming import choose
from thalweg.support.nested import leaves

UNKNOWN_INPUT = "the input shape isn't known yet: begin with Input(shape), or give data"


class Graph(ABC):
    """Base of all ways in which layers make up a model: a chain, a graph that was drawn, or a `call` of the user's."""

    name: str
    named_by_us: bool
    layers: list[Layer]  # without the inputs
    inputs: list[Input]  # empty while unknown
    own_loss: Any = None  # the model, if its class computes the loss in `compute_loss`
    own_step: OwnStep | None = None  # if its class has a `train_step` or `test_step`
    structure: Any = 0  # of the outputs, such as a dict, with 0 in the place of each
    output_shapes: list[Shape]  # known once it is built

    @abstractmethod
    def run(self, program: Builder, values: list[Traced]) -> list[Traced]:
        """The outputs for the values of the inputs; appends the instructions of all layers."""

    @abstractmethod
    def building(self, input_shape: Any) -> Any:
        """A context that fixes the shapes; if the code inside fails, the graph is as before."""

    def lower(self, program: Builder, inputs: list[Buffer]) -> list[Buffer]:
        """The outputs' buffers for those of the inputs."""
        return [v.buffer for v in self.run(program, [Traced(program, b) for b in inputs])]

    def step_of(self, kind: str) -> OwnStep | None:
        """What the model's class says of steps, if it defines those of a kind of program."""
        return self.own_step if self.own_step is not None and self.own_step.defines(kind) else None

    def refuse(self, what: str) -> None:
        """Raises for what looks at a training step as one program, if the model has a step of its own."""
        if self.step_of("training") is not None:
            raise ThalwegError(
                f"{what} needs a step that is one program, but {self.name!r} has a train_step of its own"
            )

    @property
    def computes(self) -> bool:
        """Whether something says what the outputs are."""
        return True

    def check_outputs(self) -> None:
        """Raises if nothing does."""
        if not self.computes:
            raise ThalwegError(f"{self.name!r} has no call(self, inputs), whose value its outputs would be")

    def row_of(self, x: Any) -> Shape:
        """The shape of a row of the caller's first data."""
        return Feed(0, []).read(x, "x").shape[1:] or (1,)

    def takes_structure(self, x: Any) -> bool:
        """Whether a list of arrays is several inputs, rather than rows."""
        return False

    def behind_inputs(self) -> list[list[Layer]]:
        """For each input the layers that take it, without look-ups; none where something else does, too."""
        return [[] for _ in self.inputs]

    @property
    def listed(self) -> list[Layer]:
        """The layers as Keras counts them."""
        return list(self.layers)

    @property
    def built(self) -> bool:
        """Whether the shapes are known."""
        return bool(self.output_shapes)

    def get(self, name: str | None, index: int | None) -> Layer:
        """The layer with this name, or at this index."""
        if (name is None) == (index is None):
            raise ArgumentError("get_layer takes either a name or an index")
        if index is not None:
            if not -len(self.listed) <= index < len(self.listed):
                raise ArgumentError(f"the model has {len(self.listed)} layers, none at index {index}")
            return self.listed[index]
        return choose("layer", name, {str(layer.name): layer for layer in self.listed})

    @property
    def input(self) -> Any:
        """The input, or the list of them; None while it is unknown."""
        return self.inputs[0] if len(self.inputs) == 1 else self.inputs or None

    @property
    def input_shapes(self) -> list[Shape]:
        """The shape of one row of each input."""
        if not self.inputs:
            raise ThalwegError(UNKNOWN_INPUT)
        return [i.row_shape for i in self.inputs]

    @property
    def feeds(self) -> list[Feed]:
        """The arrays that the network gets."""
        return [Feed(k, []) for k in range(len(self.inputs))]

    @property
    def fed_shapes(self) -> list[Shape]:
        """The shape of one row of each of them."""
        shapes = self.input_shapes
        return [f.lookups[-1].output_shape if f.lookups else shapes[f.place] for f in self.feeds]

    @property
    def input_shape(self) -> Any:
        """The shape of one row, or the list of those of all inputs."""
        shapes = self.input_shapes
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """The shape of one row's output, or the list of all; None while it is unknown."""
        if not self.built:
            return None
        return self.output_shapes[0] if len(self.output_shapes) == 1 else self.output_shapes

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: those of the layers that compute them."""
        return [self.name]

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, by which a dict of arrays is taken."""
        return [i.name for i in self.inputs]

    @property
    def features_shape(self) -> Shape | None:
        """The input shape of the last layer with weights; None if no layer with weights precedes it."""
        weighted = [layer for layer in self.layers if layer.weighted]
        return weighted[-1].row_in if len(weighted) > 1 else None


class Chain(Graph):
    """Layers one after the other, from one input to one output."""

    def __init__(self, layers: Sequence[Layer | Input] | None, name: str | None) -> None:
        self.name, self.named_by_us = name or "sequential", name is None
        self.inputs: list[Input] = []
        self.layers: list[Layer] = []
        self.output_shapes: list[Shape] = []
        self.build: Callable[[], Any] | None = None  # builds the model
        for layer in layers or []:
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Appends a layer."""
        if isinstance(layer, type) or not isinstance(layer, (Layer, Input)):
            raise ArgumentError(f"a model is made of layers, got {layer!r}")
        layer = getattr(layer, "tensor", layer)  # of an InputLayer
        if isinstance(layer, Input):
            if self.inputs or self.layers:
                raise ArgumentError("Input comes first, and only once")
            self.inputs = [layer]
        else:
            if any(layer is other for other in self.layers):
                raise ArgumentError(
                    f"layer {layer.shown_name} is already in the model; make a new one for a second place"
                )
            layer.check_made()
            if isinstance(layer, Lookup) and len(self.entry) < len(self.layers):
                raise layer.misplaced()
            name_layers(
                sorted([*self.layers, layer], key=lambda one: not one.built)
            )  # those of others keep their names
            if not self.inputs and not self.layers and "input_shape" in layer.declared:
                self.inputs = [Input(layer.declared["input_shape"])]
            self.layers.append(layer)
            vars(layer)["_sequential"] = self

    def make(self) -> None:
        """Builds the model if its input is known."""
        if self.build is not None and self.inputs:
            self.build()

    def draw(self) -> Any:
        """Calls the layers on the input, one on the output of the other; returns the last tensor."""
        self.make()
        if not self.inputs:
            raise ThalwegError(UNKNOWN_INPUT)
        value: Any = self.inputs[0]
        for layer in self.layers:
            known = [r for r in vars(layer).get("results", []) if next(leaves(r)).node.arguments[0] is value]
            value = known[0] if known else layer(value)
        return value

    def pop(self) -> Layer:
        """Removes the last layer and returns it."""
        if not self.layers:
            raise ArgumentError("the model has no layers")
        return self.layers.pop()

    @property
    def entry(self) -> list[Lookup]:
        """The look-up layers in front."""
        return list(takewhile(lambda layer: isinstance(layer, Lookup), self.layers))  # type: ignore[arg-type]

    def behind_inputs(self) -> list[list[Layer]]:
        return [self.layers[:1] if not self.entry else []]

    @property
    def feeds(self) -> list[Feed]:
        return [Feed(0, self.entry)]

    def row_of(self, x: Any) -> Shape:
        return self.feeds[0].read(x, "x").shape[1:] or (1,)

    def run(self, program: Builder, values: list[Traced]) -> list[Traced]:
        return [Traced(program, through(self.layers[len(self.entry) :], program, values[0].buffer))]

    @contextmanager
    def building(self, input_shape: Sequence[int] | None) -> Iterator[None]:
        if not self.layers:
            raise ThalwegError("the model has no layers: add some first")
        if not self.inputs and input_shape is None:
            raise ThalwegError(UNKNOWN_INPUT)
        text = bool(self.entry) and self.entry[0].takes == (TEXT,)
        front = self.inputs or [Input(tuple(input_shape or ()), dtype="string" if text else "float32")]
        self.feeds[0].check(front[0])
        new = [layer for layer in self.layers if not layer.built]
        output = connect_all(self.layers, front[0].row_shape, shared=True)
        try:
            yield
        except BaseException:
            for layer in new:
                layer.release()
            raise
        self.inputs, self.output_shapes = front, [output]  # last: from now on, other threads see it as built


def through(layers: Sequence[Layer], program: Builder, value: Buffer) -> Buffer:
    """A value after these layers; notes the input of the last one with weights."""
    for layer in layers:
        if layer.weighted:
            program.features = value
        value = passed(layer, program, value)
    return value
