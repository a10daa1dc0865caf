"""Losses: the distance between predictions and truth that training makes small. Names and defaults are Keras's.

Every loss takes (y_true, y_pred). For one row it is a number ℓ; for a batch, `reduction="sum_over_batch_size"` (the
default) takes the mean of ℓ over the rows, `"sum"` their sum. A sample weight w multiplies a row's ℓ (the mean still
divides by the number of rows, as in Keras). A cross-entropy after a sigmoid or softmax layer is computed from the
pre-activations h, stable for any size of h, without being asked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.naming import choose, snake_case
from thalweg.program import activations, rowwise
from thalweg.program import losses as instructions
from thalweg.program.instruction import TOTALS, Buffer, Instruction

Shape = tuple[int, ...]
Array = NDArray[Any]


@dataclass(frozen=True)
class Loss:
    """Base of all losses. A subclass says which instruction computes it and what targets it takes."""

    reduction: str = "sum_over_batch_size"

    instruction: ClassVar[type[instructions.Loss]]
    after: ClassVar[type[Instruction] | None] = None  # the activation this loss is fused with …
    fused: ClassVar[type[instructions.Loss] | None] = None  # … by this instruction on its pre-activations

    def __post_init__(self) -> None:
        if self.reduction is None or self.reduction == "none":
            raise ArgumentError(f"{self.name}: training needs one number a batch, so reduction can't be None")
        choose(f"reduction of {self.name}", self.reduction, ("sum_over_batch_size", "sum"))
        smoothing = getattr(self, "label_smoothing", 0.0)
        if not 0 <= smoothing <= 1:
            raise ArgumentError(f"{self.name}: label_smoothing has to be between 0 and 1, got {smoothing}")

    @property
    def name(self) -> str:
        """The loss's name in messages: Keras's."""
        return snake_case(type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return asdict(self)

    def target_shape(self, output: Shape) -> Shape:
        """The shape of one row's target for predictions of shape (rows, *output)."""
        return output

    def row_coefficient(self, output: Shape) -> float:
        """What a row's sum over its outputs is multiplied with: the mean over the last axis."""
        return 1 / output[-1]

    def lower(
        self, y_pred: Buffer, source: Instruction | None, y: Buffer, weight: Buffer | None, sums: Buffer
    ) -> instructions.Loss:
        """The instruction of this loss, on the pre-activations if `source`, which made y_pred, is fused with it."""
        kind, operand = self.instruction, y_pred
        if getattr(self, "from_logits", False):
            assert self.fused is not None
            kind = self.fused
        elif self.after is not None and isinstance(source, self.after):
            assert self.fused is not None
            kind, operand = self.fused, source.inputs[0]
        total = self.reduction == "sum"
        positions = 1 if total else y_pred.size // y_pred.shape[-1]
        coefficient = self.row_coefficient(y_pred.shape) / positions
        smoothing = getattr(self, "label_smoothing", 0.0)
        return kind(operand, y, weight, sums, coefficient, total, smoothing)

    def check_targets(self, y: Array, output: Shape) -> Array:
        """Targets as (rows, *target_shape) numbers; raises where they don't fit the network's output."""
        return fit_shape(y, self.target_shape(output), f"the network's output for {self.name}")

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The loss of a batch of predictions, in float64.

        >>> MeanSquaredError()([[0.0], [1.0]], [[1.0], [1.0]])
        0.5
        """
        from thalweg.engine.reference import evaluate_loss

        p = np.asarray(y_pred, dtype=np.float64)
        if p.ndim == 1:
            p = p[:, None]
        y = self.check_targets(np.asarray(y_true), p.shape[1:])
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64).reshape(-1, 1)
        for what, given in (("y_true", y), ("sample_weight", weight)):
            if given is not None and len(given) != len(p):
                raise ShapeError(f"y_pred has {len(p)} rows but {what} has {len(given)}")
        sums = Buffer("loss", (1,), TOTALS, per_row=False)
        operands = (
            Buffer("y_pred", p.shape[1:]),
            Buffer("y", y.shape[1:]),
            weight if weight is None else Buffer("weight", (1,)),
        )
        return evaluate_loss(self.lower(operands[0], None, operands[1], operands[2], sums), p, y, weight)


def fit_shape(y: Array, shape: Shape, owner: str) -> Array:
    """y as (rows, *shape), where at most an axis of size 1 has to be added or dropped."""
    if y.dtype.kind not in "buif":
        raise DataError(f"targets have to be numbers, got an array of {y.dtype}")
    if y.shape[1:] == shape:
        return y
    if y.ndim >= 1 and ((*y.shape[1:], 1) == shape or y.shape[1:] == (*shape, 1)):
        return y.reshape(len(y), *shape)
    raise ShapeError(
        f"the targets have the shape (rows, {', '.join(map(str, y.shape[1:]))}), but {owner} needs "
        f"(rows, {', '.join(map(str, shape))})".replace("(rows, )", "(rows,)")
    )


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """ℓ = mean (y − ŷ)² over the outputs."""

    instruction = instructions.SquaredError


@dataclass(frozen=True)
class SumSquaredError(Loss):
    """SSE: ℓ = Σ (y − ŷ)² over the outputs, with `half` ½ of it, whose derivative is the plain error ŷ − y.

    With the default reduction the batch takes the mean over its rows; with `reduction="sum"` the batch's loss is the
    sum over all rows and outputs. Not in Keras.

    >>> SumSquaredError(half=True)([[0.0, 2.0]], [[1.0, 0.0]])
    2.5
    """

    half: bool = False

    instruction = instructions.SquaredError

    def row_coefficient(self, output: Shape) -> float:
        return 0.5 if self.half else 1.0


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """ℓ = mean |y − ŷ| over the outputs."""

    instruction = instructions.AbsoluteError


@dataclass(frozen=True)
class BinaryCrossentropy(Loss):
    """ℓ = mean −y·log ŷ − (1 − y)·log(1 − ŷ) over the outputs, y in [0, 1], ŷ a probability.

    from_logits: ŷ is a pre-activation. label_smoothing s: y becomes y·(1 − s) + s/2.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0

    instruction = instructions.BinaryCrossentropy
    after = activations.Sigmoid
    fused = instructions.BinaryCrossentropyLogits

    def check_targets(self, y: Array, output: Shape) -> Array:
        y = super().check_targets(y, output)
        check_probabilities(y, self.name)
        return y


@dataclass(frozen=True)
class CategoricalCrossentropy(Loss):
    """ℓ = −Σ y·log ŷ over the classes, y one-hot or probabilities, ŷ probabilities (divided by their sum).

    from_logits: ŷ is a pre-activation. label_smoothing s: y becomes y·(1 − s) + s/classes.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0

    instruction = instructions.CategoricalCrossentropy
    after = rowwise.Softmax
    fused = instructions.CategoricalCrossentropyLogits

    def row_coefficient(self, output: Shape) -> float:
        return 1.0

    def check_targets(self, y: Array, output: Shape) -> Array:
        if y.shape[1:] != output and (y.ndim == 1 or y.shape[1:] == (1,)) and output[-1] > 1:
            raise ShapeError(
                f"categorical_crossentropy needs one-hot targets of shape (rows, {output[-1]}), got {y.shape}: "
                "use sparse_categorical_crossentropy for class numbers, or thalweg.utils.to_categorical"
            )
        y = super().check_targets(y, output)
        check_probabilities(y, self.name)
        return y


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(Loss):
    """ℓ = −log ŷ[y], y a class number from 0, ŷ probabilities (divided by their sum). from_logits: pre-activations."""

    from_logits: bool = False

    instruction = instructions.SparseCategoricalCrossentropy
    after = rowwise.Softmax
    fused = instructions.SparseCategoricalCrossentropyLogits

    def row_coefficient(self, output: Shape) -> float:
        return 1.0

    def target_shape(self, output: Shape) -> Shape:
        return (*output[:-1], 1)

    def check_targets(self, y: Array, output: Shape) -> Array:
        if y.shape[1:] == output and output[-1] > 1:
            raise ShapeError(
                f"sparse_categorical_crossentropy needs class numbers, got targets of shape {y.shape}: "
                "use categorical_crossentropy for one-hot targets"
            )
        y = super().check_targets(y, output)
        outside = np.flatnonzero(((y < 0) | (y >= output[-1]) | (y != np.floor(y))).reshape(len(y), -1).any(axis=1))
        if outside.size:
            row = int(outside[0])
            raise DataError(
                f"labels have to be whole numbers from 0 to {output[-1] - 1} for a network with {output[-1]} outputs, "
                f"got {y[row].ravel()[0]:g} in row {row}"
            )
        return y


def check_probabilities(y: Array, name: str) -> None:
    """Raises where a target is outside [0, 1]; NaN is left to the training's own diagnosis."""
    outside = np.flatnonzero(((y < 0) | (y > 1)).reshape(len(y), -1).any(axis=1))
    if outside.size:
        row = int(outside[0])
        raise DataError(f"targets of {name} have to be between 0 and 1, got {y[row].tolist()} in row {row}")


CLASSES: dict[str, type[Loss]] = {
    c.__name__: c
    for c in (
        MeanSquaredError, SumSquaredError, MeanAbsoluteError,
        BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy,
    )
}  # fmt: skip
SHORT: dict[str, type[Loss]] = {
    "mse": MeanSquaredError, "MSE": MeanSquaredError, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError,
    "sse": SumSquaredError, "SSE": SumSquaredError, "bce": BinaryCrossentropy,
}  # fmt: skip
NAMES = {snake_case(name): c for name, c in CLASSES.items()} | SHORT


def get(identifier: str | Loss | dict[str, Any]) -> Loss:
    """A loss from its name, from what `serialize` returned, or itself.

    >>> get("mse")
    MeanSquaredError(reduction='sum_over_batch_size')
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, dict):
        return choose("loss", identifier["class_name"], CLASSES)(**identifier["config"])
    return choose("loss", identifier, NAMES | CLASSES)()


def serialize(loss: Loss) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal loss."""
    return {"class_name": type(loss).__name__, "config": loss.get_config()}
