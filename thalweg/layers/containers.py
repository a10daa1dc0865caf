"""Containers: layers inside a layer, for networks that branch and rejoin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.core import connect_all
from thalweg.layers.kinds import owner
from thalweg.layers.layer import Layer, Shape, name_layers, serialize
from thalweg.ops.masks import either, joined, mask_of, passed, set_mask
from thalweg.ops.tensor import Traced
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.hooks import unwritten

__all__ = ["Parallel", "Residual", "Wrapper"]

Branch = list[Layer]


def one_layer(what: str, layer: Any) -> Layer:
    """A layer."""
    if not isinstance(layer, Layer):
        raise ArgumentError(f"{what} is a layer, got {layer!r}")
    return layer


@arguments
class Wrapper(Layer):
    """Base of layers around another one, which is the attribute `layer`; a subclass says in `call` what it computes.

    Args:
        layer: the layer inside.

    >>> from thalweg.layers import Dense, Input
    >>> class Twice(Wrapper):
    ...     def call(self, x):
    ...         return self.layer(self.layer(x))
    >>> Twice(Dense(4))(Input((4,))).shape
    (None, 4)
    """

    layer: Annotated[Layer, Checked(one_layer, serialize)]
    name: str | None = None

    def build(self, input_shape: Any) -> None:
        """Builds the layer inside for the wrapper's own input."""
        if not self.layer.connected:
            self.layer.build(input_shape)


class Container(Layer):
    """Base of layers that hold branches of other layers, each of which gets the container's input."""

    branches: Any  # lists of layers
    masks_inside = True

    @property
    def inside(self) -> list[Layer]:
        """Every layer inside, in order."""
        return [layer for branch in self.branches for layer in branch]

    def connect_branches(self, input_shape: Shape) -> list[Shape]:
        """Builds every branch for the same input; returns their output shapes. If one can't be built, none is."""
        name_layers(self.inside)
        shapes: list[Shape] = []
        for branch in self.branches:
            if self._kept is not None:  # for another length
                x = Builder(training=False), Buffer("x", input_shape)
                shapes.append(self.through(branch, *x).shape)
                continue
            try:
                shapes.append(connect_all(branch, input_shape))
            except BaseException:
                for done in self.branches[: len(shapes)]:
                    for layer in done:
                        layer.release()
                raise
        return shapes

    def release(self) -> None:
        super().release()
        for layer in self.inside:
            layer.release()

    def through(self, branch: Branch, program: Builder, x: Buffer) -> Buffer:
        """The output of a branch."""
        for layer in branch:
            x = passed(layer, program, x)
        return x

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        outside = program.frozen
        program.frozen = outside or not self.trainable
        value = self.join(program, x)
        program.frozen = outside
        return value

    def join(self, program: Builder, x: Buffer) -> Buffer:
        """Appends the instructions of all branches and those that combine their outputs."""
        raise unwritten(self, "join(self, program, x)", "it combines the outputs of the branches")


def branch_of(what: str, layers: Any) -> Branch:
    """A layer, or a list of layers, as a list."""
    branch = [layers] if isinstance(layers, Layer) else layers
    if not isinstance(branch, (list, tuple)):
        raise ArgumentError(f"{what} takes a list of layers, got {layers!r}")
    for layer in branch:
        if not isinstance(layer, Layer):
            raise ArgumentError(f"{what} takes a list of layers, got {layer!r} in it")
        layer.check_free()
    return list(branch)


def some_layers(what: str, layers: Any) -> Branch:
    """The same, of one layer or more."""
    branch = branch_of(owner(what), layers)
    if not branch:
        raise ArgumentError("Residual needs at least one layer: z = layers(x) + x")
    return branch


def some_branches(what: str, branches: Any) -> list[Branch]:
    """One branch or more."""
    if not isinstance(branches, (list, tuple)) or not branches:
        raise ArgumentError(f"Parallel takes a list of branches, each a list of layers, got {branches!r}")
    return [branch_of("Parallel's branch", branch) for branch in branches]


def described(branch: Branch) -> list[dict[str, Any]]:
    """The layers of a branch as `deserialize` takes them."""
    return [serialize(layer) for layer in branch]


@arguments
class Residual(Container):
    """z = layers(x) + shortcut(x): a residual connection (He et al., CVPR 2016) around the layers inside.

    In Keras this needs the functional interface. Both summands need the same shape; if the layers change it, so must
    the shortcut, such as a convolution of size 1 with the same strides.

    Args:
        layers: the layers of the residual.
        shortcut: a layer or a list of layers for the other path; None: x itself.

    >>> from thalweg import Sequential
    >>> from thalweg.layers import Dense, Input
    >>> model = Sequential([Input((4,)), Residual([Dense(8, activation="relu"), Dense(4)])])
    >>> model.build()
    >>> [name for name, _ in model.named_parameters()]
    ['residual/dense/W', 'residual/dense/b', 'residual/dense_1/W', 'residual/dense_1/b']
    """

    layers: Annotated[Taken[Sequence[Layer], Branch], Checked(some_layers, described)]
    shortcut: Annotated[
        Taken[Layer | Sequence[Layer] | None, Branch],
        Checked(
            lambda what, value: branch_of(what, [] if value is None else value), lambda kept: described(kept) or None
        ),
    ] = default(None)
    name: str | None = None

    def __post_init__(self) -> None:
        self.branches = [self.layers, self.shortcut]

    def build(self, input_shape: Shape) -> None:
        one, other = self.connect_branches(input_shape)
        if one != other:
            for layer in self.inside:
                layer.release()
            way = "its shortcut" if self.shortcut else "the identity"
            raise ShapeError(
                f"the layers inside {self.shown_name} turn {input_shape} into {one}, {way} into {other}: "
                "a sum needs both shapes equal, so end with a layer of that size, or give a shortcut"
            )

    def join(self, program: Builder, x: Buffer) -> Buffer:
        value, other = self.through(self.layers, program, x), self.through(self.shortcut, program, x)
        result = program.add(value, other)
        set_mask(Traced(program, result), either([mask_of(Traced(program, v)) for v in (value, other)]))
        return result


@arguments
class Parallel(Container):
    """z = the outputs of several branches, joined along the last axis; in Keras this needs the functional interface.

    Args:
        branches: a list of branches, each a layer or a list of layers; an empty list is x itself.

    >>> from thalweg import Sequential
    >>> from thalweg.layers import Conv2D, Input
    >>> model = Sequential([Input((8, 8, 3)), Parallel([Conv2D(4, 1), Conv2D(6, 3, padding="same"), []])])
    >>> model.build()
    >>> model.output_shape
    (None, 8, 8, 13)
    """

    branches: Annotated[
        Taken[Sequence[Layer | Sequence[Layer]], list[Branch]],
        Checked(some_branches, lambda kept: [described(branch) for branch in kept]),
    ]
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        shapes = self.connect_branches(input_shape)
        if len({shape[:-1] for shape in shapes}) > 1:
            for layer in self.inside:
                layer.release()
            raise ShapeError(f"the branches of {self.shown_name} end in {shapes}: only the last axis may differ")

    def join(self, program: Builder, x: Buffer) -> Buffer:
        values = [self.through(branch, program, x) for branch in self.branches]
        result = program.concatenate(values)
        traced = [Traced(program, v) for v in values]
        set_mask(Traced(program, result), joined(traced, [mask_of(v) for v in traced], -1))
        return result
