"""Layers that join several tensors into one: sums, products, extremes, concatenation, scalar products."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from thalweg import ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Layer
from thalweg.ops.masks import either, flat, joined, mask_of
from thalweg.support.arguments import Checked, Taken, arguments
from thalweg.support.checks import whole

__all__ = [
    "Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract", "add", "average",
    "concatenate", "dot", "maximum", "minimum", "multiply", "subtract",
]  # fmt: skip


class Merge(Layer):
    """Base of layers that take a list of tensors."""

    supports_masking = True

    least: ClassVar[int] = 2
    most: ClassVar[int | None] = None

    def call(self, inputs: Any) -> Any:
        """One tensor, from a list of them."""
        if not isinstance(inputs, (list, tuple)) or len(inputs) < self.least:
            raise ArgumentError(f"layer {self.shown_name} takes a list of {self.least} or more tensors, got {inputs!r}")
        if self.most is not None and len(inputs) > self.most:
            raise ArgumentError(f"layer {self.shown_name} takes a list of {self.most} tensors, got {len(inputs)}")
        return self.merge(list(inputs))

    def merge(self, inputs: list[Any]) -> Any:
        """The joined tensor."""
        raise NotImplementedError

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """A step counts if it does in any of the tensors; there is no mask if one of them has none."""
        return None if previous_mask is None else either(flat(previous_mask))


class Elementwise(Merge):
    """Base of layers that join numbers at the same place; sizes of 1 are broadcast."""

    def merge(self, inputs: list[Any]) -> Any:
        result = inputs[0]
        for other in inputs[1:]:
            try:
                result = self.pair(result, other)
            except ShapeError:
                shapes = " and ".join(str(x.shape) for x in inputs)
                raise ShapeError(f"layer {self.shown_name} can't join tensors of shapes {shapes}") from None
        return result

    def merge_counted(self, inputs: list[Any]) -> Any:
        """The same, where steps that a mask leaves out are those of the other tensors."""
        result, known = inputs[0], mask_of(inputs[0])
        for x in inputs[1:]:
            mask = mask_of(x)
            if mask is not None:
                x = ops.where(ops.expand_dims(mask, -1), x, result)
            if known is not None:
                result = ops.where(ops.expand_dims(known, -1), result, x)
            known = either([known, mask])
            result = Elementwise.merge(self, [result, x])
        return result

    def pair(self, x: Any, y: Any) -> Any:
        """What two of them become."""
        raise NotImplementedError


class Add(Elementwise):
    """z = x₁ + x₂ + …

    >>> from thalweg.layers import Input
    >>> Add()([Input((3,)), Input((3,))]).shape
    (None, 3)
    """

    def pair(self, x: Any, y: Any) -> Any:
        return ops.add(x, y)


class Subtract(Elementwise):
    """z = x₁ − x₂

    >>> from thalweg.layers import Input
    >>> Subtract()([Input((3,)), Input((3,))]).shape
    (None, 3)
    """

    most = 2

    def pair(self, x: Any, y: Any) -> Any:
        return ops.subtract(x, y)


class Multiply(Elementwise):
    """z = x₁·x₂·…, place by place; a step that the mask of a tensor leaves out is 1 there.

    >>> from thalweg.layers import Input
    >>> Multiply()([Input((3,)), Input((1,))]).shape
    (None, 3)
    """

    def merge(self, inputs: list[Any]) -> Any:
        masks = [mask_of(x) for x in inputs]
        ones = [
            x if m is None else ops.where(ops.expand_dims(m, -1), x, 1.0) for x, m in zip(inputs, masks, strict=True)
        ]
        product = super().merge(ones)
        counts = either(masks)
        return product if counts is None else ops.where(ops.expand_dims(counts, -1), product, 0.0)

    def pair(self, x: Any, y: Any) -> Any:
        return ops.multiply(x, y)


class Average(Elementwise):
    """z = (x₁ + x₂ + … + xₙ)/n

    >>> from thalweg.layers import Input
    >>> Average()([Input((3,)), Input((3,))]).shape
    (None, 3)
    """

    def merge(self, inputs: list[Any]) -> Any:
        return super().merge(inputs) * (1 / len(inputs))

    def pair(self, x: Any, y: Any) -> Any:
        return ops.add(x, y)


class Maximum(Elementwise):
    """z = max(x₁, x₂, …)

    >>> from thalweg.layers import Input
    >>> Maximum()([Input((3,)), Input((3,))]).shape
    (None, 3)
    """

    def merge(self, inputs: list[Any]) -> Any:
        return self.merge_counted(inputs)

    def pair(self, x: Any, y: Any) -> Any:
        return ops.maximum(x, y)


class Minimum(Elementwise):
    """z = min(x₁, x₂, …)

    >>> from thalweg.layers import Input
    >>> Minimum()([Input((3,)), Input((3,))]).shape
    (None, 3)
    """

    def merge(self, inputs: list[Any]) -> Any:
        return self.merge_counted(inputs)

    def pair(self, x: Any, y: Any) -> Any:
        return ops.minimum(x, y)


def axis_of(what: str, axis: Any) -> int:
    """An axis besides the rows."""
    if isinstance(axis, (list, tuple)):
        raise ArgumentError("Concatenate takes an axis; branches of layers are joined by Parallel(branches)")
    if whole(what, axis, least=-99) == 0:
        raise ArgumentError("Concatenate's axis 0 are the rows of the batch, which stay by themselves")
    return int(axis)


def axes_of(what: str, axes: Any) -> list[int]:
    """An axis of each of two tensors, from two or one."""
    both = [axes, axes] if isinstance(axes, int) else list(axes)
    if len(both) != 2:
        raise ArgumentError(f"Dot's axes are one, or one for each of two tensors, got {axes!r}")
    return [whole("Dot's axis", axis, least=-99) for axis in both]


@arguments
class Concatenate(Merge):
    """z = the tensors one after the other along an axis; their shapes differ only there.

    Branches of a Sequential are joined by `Parallel`.

    Args:
        axis: the axis, counted with the rows, which are axis 0; by default the last one.

    >>> from thalweg.layers import Input
    >>> Concatenate()([Input((3,)), Input((4,))]).shape
    (None, 7)
    """

    least = 1

    axis: Annotated[int, Checked(axis_of)] = -1
    name: str | None = None

    def merge(self, inputs: list[Any]) -> Any:
        return ops.concatenate(inputs, self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The masks one after the other along the axis; what has none counts."""
        return None if previous_mask is None else joined(list(inputs), flat(previous_mask), self.axis)


@arguments
class Dot(Merge):
    """z = Σ x₁·x₂ over an axis of each.

    Args:
        axes: the axis of both, or one for each; counted with the rows, which are axis 0.
        normalize: whether both are divided by their norms along the axis first: the cosine of their angle.

    >>> from thalweg.layers import Input
    >>> Dot(axes=1)([Input((3,)), Input((3,))]).shape
    (None, 1)
    """

    most = 2

    axes: Annotated[Taken[kinds.Sizes, list[int]], Checked(axes_of)]
    normalize: bool = False
    name: str | None = None

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: places of the product are no steps."""
        return None

    def merge(self, inputs: list[Any]) -> Any:
        x, y = inputs
        one, other = (a % len(t.shape) for a, t in zip(self.axes, inputs, strict=True))
        if 0 in (one, other):
            raise ArgumentError(f"layer {self.shown_name}: axis 0 are the rows of the batch, which stay by themselves")
        if x.shape[one] != y.shape[other]:
            raise ShapeError(
                f"layer {self.shown_name} can't multiply {x.shape} and {y.shape} along the axes {self.axes}"
            )
        if self.normalize:
            x, y = ops.normalize(x, one), ops.normalize(y, other)
        if len(x.shape) == len(y.shape) == 2:
            return ops.sum(x * y, axis=1, keepdims=True)
        x, y = ops.moveaxis(x, one, -1), ops.moveaxis(y, other, 1)
        return vectors(x, y)


def vectors(x: Any, y: Any) -> Any:
    """x·y over the last axis of x and the first after the rows of y, of any number of axes each."""
    left, right = x.shape[1:-1], y.shape[2:]
    size = x.shape[-1]
    x = ops.reshape(x, (-1, prod(left), size))
    y = ops.reshape(y, (-1, size, prod(right)))
    return ops.reshape(ops.matmul(x, y), (-1, *left, *right))


def function_of(kind: type[Merge]) -> Any:
    """A class of layers as a function of its inputs."""

    def merged(inputs: list[Any], **named: Any) -> Any:
        return kind(**named)(inputs)

    merged.__name__ = merged.__qualname__ = kind.__name__.lower()
    merged.__doc__ = f"`{kind.__name__}()(inputs)`"
    return merged


add, subtract, multiply = function_of(Add), function_of(Subtract), function_of(Multiply)
average, maximum, minimum = function_of(Average), function_of(Maximum), function_of(Minimum)


def concatenate(inputs: list[Any], axis: int = -1, **named: Any) -> Any:
    """`Concatenate(axis)(inputs)`"""
    return Concatenate(axis, **named)(inputs)


def dot(inputs: list[Any], axes: Any, normalize: bool = False, **named: Any) -> Any:
    """`Dot(axes, normalize)(inputs)`"""
    return Dot(axes, normalize, **named)(inputs)
