"""The layers of a model: how values pass through them, their names, and the shapes between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

import numpy as np

from thalweg.batches import arrays as batches
from thalweg.batches.arrays import Array
from thalweg.errors import ArgumentError, DataError, ThalwegError
from thalweg.layers import Input, Layer
from thalweg.layers.core import connect_all, shape_after
from thalweg.layers.keywords import fits
from thalweg.layers.layer import Shape, name_layers
from thalweg.layers.lookups.lookup import NUMBERS, TEXT, Lookup
from thalweg.layers.recurrent.stateful import keeping
from thalweg.models.steps.own_step import OwnStep
from thalweg.ops.any_length import merged, of_any_length
from thalweg.ops.masks import passed
from thalweg.ops.tensor import FUNCTIONS, Traced, writing
from thalweg.ops.variable import WeightBuffer
from thalweg.program.builder import Builder
from thalweg.program.instructions.batches import Gather
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.support.frames import as_texts, holds_text
from thalweg.support.naming import choose
from thalweg.support.nested import leaves

UNKNOWN_INPUT = "the input shape isn't known yet: begin with Input(shape), or give data"


@dataclass
class Feed:
    """An array that the network gets: an input of the model, converted by the look-up layers right behind it.

    Where the first of them joins columns, `columns` are what it takes, and `place` is that of the first.
    """

    place: int  # of the input among all
    lookups: list[Lookup]
    columns: Sequence[Feed] = ()

    def array(self, given: Sequence[Any], shapes: Sequence[Shape], dtype: Any, called: Sequence[str]) -> Array:
        """The array for what the caller gave for all inputs, which are `called` so."""
        what = called[self.place]
        if not self.lookups:
            return batches.input_rows(given[self.place], shapes[self.place], dtype, what)
        return batches.contiguous(self.converted(given, shapes, called), dtype, what)

    def converted(self, given: Sequence[Any], shapes: Sequence[Shape], called: Sequence[str]) -> Any:
        """What the look-ups make of it."""
        what = called[self.place]
        if self.columns:
            array: Any = [column.converted(given, shapes, called) for column in self.columns]
        else:
            x = given[self.place]
            text = not self.lookups and holds_text(x)  # of a crossing, which takes both as they are
            array = as_texts(x, what) if text else self.read(x, what)
            array = batches.fitted(array, shapes[self.place], what)
        for layer in self.lookups:
            array = layer.convert(array)
        return array

    def read(self, x: Any, what: str) -> Array:
        """What the caller gave, as an array of what the first layer takes."""
        array = self.lookups[0].read(x) if self.lookups else batches.to_array(x, what)
        if not array.ndim or not len(array):
            raise DataError(f"{what} needs rows, got an array of shape {array.shape}")
        return array

    def check(self, inputs: Sequence[Input], takes: tuple[str, ...] = (NUMBERS,)) -> None:
        """Raises unless the input holds what the first layer takes; a crossing takes columns of either kind."""
        for column in self.columns:
            column.check(inputs, self.lookups[0].takes)
        x = inputs[self.place]
        takes = self.lookups[0].takes if self.lookups else takes
        if x.kind == "string" and TEXT not in takes:
            raise ArgumentError("Input has dtype='string', but what follows takes numbers: put StringLookup before it")
        if x.kind != "string" and NUMBERS not in takes:
            raise ArgumentError(f"{self.lookups[0].spelled} takes text: give Input({x.row_shape}, dtype='string')")


class IdInput(NamedTuple):
    """An input that holds ids: its number, the layer that takes them, and how many ids it has."""

    number: int
    layer: str
    size: int

    def check(self, x: Array, what: str) -> None:
        """Raises unless all of x are ids."""
        with np.errstate(invalid="ignore"):
            wrong = ~((x >= 0) & (x < self.size) & (x == np.floor(x)))
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0].tolist())
            raise DataError(
                f"layer {self.layer!r} takes ids from 0 to {self.size - 1}, but {what} holds {x[place]:.8g} "
                f"in row {place[0]}"
            )


def id_inputs(forward: Sequence[Instruction], paths: Mapping[Buffer, str]) -> Iterator[IdInput]:
    """The inputs that are ids, from the instructions of a network and the names of its weights."""
    inputs = [i.outputs[0] for i in forward if isinstance(i, Gather)]
    for i in forward:
        if isinstance(i, Embedding) and i.ids.storage in inputs:
            yield IdInput(inputs.index(i.ids.storage), paths[i.W].rpartition("/")[0], i.W.shape[0])


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
    lengths: Sequence[int] = ()  # of sequences of any length: those that stand for all, for which the shapes are known
    shown_outputs: Sequence[Any] = ()  # then, the shapes with None for what depends on the length
    filled: Sequence[int] = ()  # of rows that are filled up: the inputs whose lengths are the last array

    @abstractmethod
    def run(self, program: Builder, values: list[Traced]) -> list[Traced]:
        """The outputs for the values of the inputs; appends the instructions of all layers."""

    @abstractmethod
    def building(self, input_shape: Any) -> Any:
        """A context that fixes the shapes; if the code inside fails, the graph is as before."""

    def lower(self, program: Builder, inputs: list[Buffer]) -> list[Buffer]:
        """The outputs' buffers for those of the inputs, and for the lengths of rows that are filled up."""
        values = [Traced(program, b) for b in inputs]
        if not self.filled:
            outputs = self.run(program, values)
            self.check_weights(program)
            return [v.buffer for v in outputs]
        *values, lengths = values
        masks = []
        for feed, x in zip(self.feeds, values, strict=True):
            if feed.place in self.filled:
                masks.append(self.mask_filled(program, x, lengths, self.filled.index(feed.place)))
        outputs = self.run(program, values)
        for y, shown in zip(outputs, self.shown_outputs, strict=True):
            stepwise = len(masks) == 1 and shown[:1] == (None,) and y.buffer.shape[:1] == masks[0].shape
            if stepwise and y.buffer not in program.masks:
                program.masks[y.buffer] = masks[0]
        return [v.buffer for v in outputs]

    def check_weights(self, program: Builder) -> None:
        """Raises if a layer's `call` reads weights of a layer that isn't in the network, where they have no place."""
        own = {id(parameter.buffer) for layer in self.layers for _, parameter in layer.all_parameters()}
        for b in (b.storage for i in program.instructions for b in i.inputs):
            if isinstance(b, WeightBuffer) and id(b) not in own:
                raise ThalwegError(
                    f"model {self.name!r} computes with {b}, of a layer that isn't in it: a layer that a call "
                    "uses is an attribute of its class"
                )

    def mask_filled(self, program: Builder, x: Traced, lengths: Traced, column: int) -> Buffer:
        """Gives an input its mask: the steps before its length, which is in a column of the lengths."""
        before = len(program.instructions)
        with writing(program):
            steps = np.arange(x.buffer.shape[0], dtype=np.float32)
            mask: Buffer = FUNCTIONS["less"](steps, lengths[:, column : column + 1]).buffer
        program.of_masks.update(program.instructions[before:])
        program.lengths.append(mask)
        program.masks[x.buffer] = mask
        return mask

    def step_of(self, kind: str) -> OwnStep | None:
        """What the model's class says of steps, if it defines those of a kind of program."""
        return self.own_step if self.own_step is not None and self.own_step.defines(kind) else None

    def refuse(self, what: str, alone: bool = False) -> None:
        """Raises for what looks at a training step as one program, if the model has a step of its own.

        alone: also if layers hand on states from batch to batch, for what needs steps by themselves.
        """
        layer = next(keeping(self.layers), None) if alone else None
        if layer is not None:
            raise ThalwegError(f"{what} needs batches that are by themselves, but {layer.owner} hands on states")
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
        standing = self.lengths[0] if self.lengths else None
        return [i.row_shape if standing is None else i.lengths.get(standing, (i.row_shape,))[0] for i in self.inputs]

    @property
    def feeds(self) -> list[Feed]:
        """The arrays that the network gets."""
        return [Feed(k, []) for k in range(len(self.inputs))]

    @property
    def fed_shapes(self) -> list[Shape]:
        """The shape of one row of each of them."""
        shapes = self.input_shapes
        fed = [f.lookups[-1].output_shape if f.lookups else shapes[f.place] for f in self.feeds]
        return [*fed, (len(self.filled),)] if self.filled else fed

    @property
    def input_shape(self) -> Any:
        """The shape of one row, or the list of those of all inputs."""
        shapes = self.shown_inputs
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def shown_inputs(self) -> list[Any]:
        """The shapes of one row of the inputs, with None for any length."""
        if not self.inputs:
            raise ThalwegError(UNKNOWN_INPUT)
        return [i.shape[1:] for i in self.inputs]

    def takes(self, shapes: Sequence[Shape]) -> bool:
        """Whether rows of the inputs may have these shapes."""
        return len(shapes) == len(self.inputs) and all(map(fits, shapes, self.shown_inputs))

    def widened(self, shapes: Sequence[Shape]) -> bool:
        """Whether it takes these from now on, as sequences of another length than the one that it was built for."""
        return False

    def output_shape_for(self, inputs: Sequence[Shape]) -> Any:
        """The shape of one row's output, or the list of all, for the shapes of one row of the inputs."""
        if not self.lengths:
            return self.output_shape
        shapes = self.shapes_for(inputs)
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def any_length(self) -> list[int]:
        """The numbers of the inputs with sequences of any length."""
        return [k for k, x in enumerate(self.inputs) if x.lengths] if self.lengths else []

    def sized(self, sizes: Sequence[int], filled: bool = False) -> Graph:
        """The graph for sequences of these lengths, one for each input of any length. filled: see `filled`."""
        other, places = copy(self), self.any_length
        lengths = dict(zip(places, sizes, strict=True))
        other.inputs = [x.sized(lengths[k]) if k in lengths else x for k, x in enumerate(self.inputs)]
        other.lengths = ()
        other.output_shapes = other.shapes_for(other.fed_shapes)
        other.filled = places if filled else ()
        return other

    def length_needed(self) -> ThalwegError:
        """The error for what is made for one length, of a model that takes sequences of any."""
        shape = tuple("N" if n is None else n for n in self.shown_inputs[self.any_length[0]])
        told = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        return ThalwegError(
            f"model {self.name!r} takes sequences of any length, and this is made for one: give length=N where it is "
            f"taken, or draw the model for that length, with the same weights: x = Input({told}); Model(x, model(x))"
        )

    def shapes_for(self, inputs: Sequence[Shape]) -> list[Shape]:
        """The shapes of one row of the outputs for those of the arrays that the network gets."""
        program = Builder(training=False)
        return [v.buffer.shape for v in self.run(program, [Traced(program, Buffer("x", s)) for s in inputs])]

    @property
    def output_shape(self) -> Any:
        """The shape of one row's output, or the list of all; None while it is unknown."""
        if not self.built:
            return None
        shapes = list(self.shown_outputs) if self.lengths else self.output_shapes
        return shapes[0] if len(shapes) == 1 else shapes

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
        self.found = False  # whether the shape of the input follows from its first use, not from an Input
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
                sorted([*self.layers, layer], key=lambda one: not one.connected)
            )  # those of others keep their names
            if not self.inputs and not self.layers and "input_shape" in layer.declared:
                self.inputs = [Input(layer.declared["input_shape"], batch_size=layer.declared.get("batch_size"))]
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
        self.found = not self.inputs
        text = bool(self.entry) and self.entry[0].takes == (TEXT,)
        front = self.inputs or [Input(tuple(input_shape or ()), dtype="string" if text else "float32")]
        self.feeds[0].check(front)
        new = [layer for layer in self.layers if not layer.connected]
        self.lengths = ()
        if front[0].lengths:
            output = self.connect_any_length(front[0], new)
        else:
            output = connect_all(self.layers, front[0].row_shape, shared=True)
        try:
            yield
        except BaseException:
            for layer in new:
                layer.release()
            raise
        self.inputs, self.output_shapes = front, [output]  # last: from now on, other threads see it as built

    def widened(self, shapes: Sequence[Shape]) -> bool:
        """For a model without an `Input`, whose first call said how long a sequence is: others have their length."""
        known = self.inputs[0].row_shape
        if not self.found or len(shapes) != 1 or len(known) < 2 or shapes[0][1:] != known[1:]:
            return False
        any_length: Any = (None, *known[1:])
        front = Input(any_length)
        try:
            output = self.connect_any_length(front, [])
        except ThalwegError:
            return False
        self.inputs, self.output_shapes = [front], [output]
        return True

    def connect_any_length(self, front: Input, new: Sequence[Layer]) -> Shape:
        """Builds the layers for the first length that they take; notes the shapes for all that they take."""
        found: dict[int, list[Shape]] = {}  # of a row, before and after each layer
        errors: list[ThalwegError] = []
        for length, (shape, _) in front.lengths.items():
            try:
                found[length] = list(self.shapes_inside(shape))
            except ThalwegError as error:
                errors.append(error)
        if len(found) < 2:
            for layer in new:
                layer.release()
            raise of_any_length(f"model {self.name!r}", errors)
        shown = [merged(shapes) for shapes in zip(*found.values(), strict=True)]
        for layer, (before, after) in zip(self.layers, pairwise(shown), strict=True):
            layer.input_shape, layer.output_shape = before, after
        self.lengths, self.shown_outputs = list(found), shown[-1:]
        return found[self.lengths[0]][-1]

    def shapes_inside(self, shape: Shape) -> Iterator[Shape]:
        """The shape of a row of the input, and of what each layer makes of it; builds those that aren't built."""
        yield shape
        for layer in self.layers:
            shape = shape_after(layer, shape) if layer.connected else connect_all([layer], shape)
            yield shape


def through(layers: Sequence[Layer], program: Builder, value: Buffer) -> Buffer:
    """A value after these layers; notes the input of the last one with weights."""
    for layer in layers:
        if layer.weighted:
            program.features = value
        value = passed(layer, program, value)
    return value
