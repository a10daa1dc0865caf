"""Weights, as what they are to a layer, and variables that are made by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import initializers
from thalweg.constraints import Constraint
from thalweg.errors import ArgumentError
from thalweg.initializers import FromArray
from thalweg.ops.variable import WeightBuffer, to_numbers
from thalweg.regularizers import Regularizer
from thalweg.support.naming import choose

Array = NDArray[Any]


@dataclass(eq=False)
class Parameter:
    """One array of weights: its place in the parameter vector, initializer, penalty and constraint."""

    key: str  # "W": its full name is layer/key
    buffer: Variable
    initializer: initializers.Initializer
    regularizer: Regularizer | None
    trainable: bool = True  # whether the loss has a gradient for it; a moving average is only stored with the weights
    constraint: Constraint | None = None
    array: Array | None = None  # the view of the parameter vector, once the model is built
    home: Any = None  # the vector that holds it, which models with common layers share
    number: int = 0  # of its layer, in the printed name
    own: bool = False  # whether its variable was made by itself …
    free: bool = False  # … and no layer has it yet


class Variable(WeightBuffer):
    """Numbers to keep: a layer's weights, as `add_weight` returns them, or a variable that is made by itself.

    v is what the initializer gives, until it is assigned. As an attribute of a layer it is one of the layer's weights:
    an operand in `call`, trained unless `trainable` is False, and saved. Where no network is written, operations on
    variables compute with their numbers, in NumPy.

    Args:
        initializer: numbers; or, with a shape, an initializer, its name, or a function of shape and dtype.
        shape: that of the numbers; needed unless they are given.
        dtype: NumPy's name; by default that of an array, float32 of Python's floats and initializers, int32 of its
            whole numbers. A layer takes float32.
        trainable: whether gradients change it, once a layer has it.
        autocast, aggregation, synchronization: they choose how Keras divides work among devices; only the defaults.
        name: in formulas and files; by default that of the attribute.

    Raises:
        ArgumentError: an initializer without a shape, or numbers of another shape.

    Source: Keras's `Variable`.

    >>> v = Variable([1.0, 2.0])
    >>> v.assign_add([1.0, 1.0])
    >>> v.numpy(), v * 10, v.shape
    (array([2., 3.], dtype=float32), array([20., 30.], dtype=float32), (2,))
    >>> float(Variable("ones", shape=()))
    1.0
    """

    __slots__ = ()

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
    ) -> None:
        if not autocast:
            raise ArgumentError("Variable's autocast is True: there is no mixed precision to keep it from")
        choose("Variable's aggregation", aggregation or "none", ("none",))
        choose("Variable's synchronization", synchronization or "auto", ("auto",))
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ArgumentError(f"a variable's name is a word without '/', got {name!r}")
        numbers = first_numbers(initializer, shape, dtype)
        super().__init__(name or "variable", numbers.shape)
        self.parameter = Parameter(
            name or "", self, FromArray(numbers), None, bool(trainable), None, numbers, own=True, free=True
        )

    @classmethod
    def declared(cls, name: str, shape: tuple[int, ...]) -> Variable:
        """A layer's weight, whose numbers are drawn when its model is built."""
        made = object.__new__(cls)
        WeightBuffer.__init__(made, name, shape)
        return made

    @property
    def trainable(self) -> bool:
        """Whether gradients change it."""
        return bool(self.parameter.trainable)


def first_numbers(initializer: Any, shape: Any, dtype: Any) -> Array:
    """What a variable begins with."""
    if isinstance(initializer, str) or callable(initializer):
        if shape is None:
            raise ArgumentError("a variable with an initializer needs a shape, such as shape=(3, 4)")
        sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        return np.array(initializers.get(initializer)(sizes), dtype or np.float32)
    numbers = to_numbers(initializer, "a variable")
    if not hasattr(initializer, "dtype"):  # Python's numbers
        numbers = numbers.astype({"f": np.float32, "i": np.int32}.get(numbers.dtype.kind, numbers.dtype))
    if shape is not None and tuple(shape) != numbers.shape:
        raise ArgumentError(f"a variable of shape {tuple(shape)} was given numbers of shape {numbers.shape}")
    return np.array(numbers, dtype)
