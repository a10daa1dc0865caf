"""What every loss has: a reduction, the targets it takes, and the instruction it becomes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.program.instructions.losses import loss_instruction as instructions
from thalweg.program.ir.instruction import TOTALS, Buffer, Instruction
from thalweg.support import hooks
from thalweg.support.naming import choose, snake_case

Shape = tuple[int, ...]
Array = NDArray[Any]


@dataclass(frozen=True)
class Loss(hooks.Hooked):
    """Base of all losses. A subclass says which instruction computes it and what targets it takes.

    Its fields that the instruction has too (`delta`, `label_smoothing`, …) are handed to it.

    The class attributes from `formula` on are its entry in the reference pages.
    """

    unheard = hooks.LOSS

    reduction: str = field(default="sum_over_batch_size", kw_only=True)

    instruction: ClassVar[type[instructions.Loss]]
    after: ClassVar[type[Instruction] | None] = None  # the activation this loss is fused with …
    fused: ClassVar[type[instructions.Loss] | None] = None  # … by this instruction on its pre-activations

    formula: ClassVar[str]
    derivative: ClassVar[str]  # of a row's ℓ by one output
    range: ClassVar[str]  # of ℓ
    targets: ClassVar[str]
    use: ClassVar[str]
    avoid: ClassVar[str]
    paper: ClassVar[str]
    title_zh: ClassVar[str]
    summary_zh: ClassVar[str]

    def __post_init__(self) -> None:
        if not hasattr(self, "instruction"):
            raise hooks.unwritten(self, "instruction", hooks.FORMULA)
        if self.reduction is None or self.reduction in ("none", "mean_with_sample_weight"):
            raise ArgumentError(
                f"{self.name}: training needs one number a batch that is a sum over its rows, "
                f"so reduction can't be {None if self.reduction == 'none' else self.reduction}"
            )
        choose(f"reduction of {self.name}", self.reduction, ("sum_over_batch_size", "mean", "sum"))
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
        """What a row's sum is multiplied with: the mean over the last axis, 1 where ℓ is one number for the row."""
        return 1.0 if self.instruction.whole_rows else 1 / output[-1]

    @property
    def kind(self) -> type[instructions.Loss]:
        """The instruction of the loss on the network's outputs."""
        if getattr(self, "from_logits", False):
            assert self.fused is not None
            return self.fused
        return self.instruction

    def lower(
        self, y_pred: Buffer, source: Instruction | None, y: Buffer, weight: Buffer | None, sums: Buffer
    ) -> instructions.Loss:
        """The instruction of this loss, on the pre-activations if `source`, which made y_pred, is fused with it."""
        kind, operand = self.kind, y_pred
        if self.after is not None and kind is not self.fused and isinstance(source, self.after):
            assert self.fused is not None
            kind, operand = self.fused, source.inputs[0]
        total = self.reduction == "sum"
        positions = 1 if total else y_pred.size // y_pred.shape[-1]
        coefficient = self.row_coefficient(y_pred.shape) / positions
        return kind(operand, y, weight, sums, coefficient, total, **self.options(kind))

    def state_shapes(self, output: Shape, features: Shape | None) -> dict[str, Shape]:
        """The arrays that the loss carries from batch to batch, its state: name → shape; for most there are none.

        features: the shape of what the last layer with weights reads, None if no layer with weights stands before it.
        """
        return {}

    def lower_state(
        self,
        features: Buffer,
        y: Buffer,
        weight: Buffer | None,
        sums: Buffer,
        state: dict[str, Buffer],
        training: bool,
    ) -> list[Instruction]:
        """What is done beside `lower` with the features and the state, where there is one."""
        return []

    def options(self, kind: type[instructions.Loss]) -> dict[str, Any]:
        """The values of the fields that the instruction adds."""
        return {name: float(getattr(self, name)) for name in kind.options()}

    def check_targets(self, y: Array, output: Shape) -> Array:
        """Targets as (rows, *target_shape) numbers; raises where they don't fit the network's output."""
        return fit_shape(y, self.target_shape(output), f"the network's output for {self.name}")

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The loss of a batch of predictions, in float64. A one-dimensional y_pred is one row, as in Keras.

        >>> from thalweg.losses import MeanSquaredError
        >>> MeanSquaredError()([[0.0], [1.0]], [[1.0], [1.0]])
        0.5
        """
        from thalweg.engine.reference import evaluate_loss

        p, y = np.asarray(y_pred, dtype=np.float64), np.asarray(y_true)
        row = p.ndim == 1
        if row:
            p, y = p[None], y[None]
        y = self.check_targets(y, p.shape[1:])
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64).reshape(-1, 1)
        for what, given in (("y_true", y), ("sample_weight", weight)):
            if given is not None and len(given) != len(p):
                hint = ": one dimension is one row, so give (rows, 1) for rows of one output" if row else ""
                raise ShapeError(f"y_pred has {len(p)} rows but {what} has {len(given)}{hint}")
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


def check_probabilities(y: Array, name: str) -> None:
    """Raises where a target is outside [0, 1]; NaN is left to the training's own diagnosis."""
    outside = np.flatnonzero(((y < 0) | (y > 1)).reshape(len(y), -1).any(axis=1))
    if outside.size:
        row = int(outside[0])
        raise DataError(f"targets of {name} have to be between 0 and 1, got {y[row].tolist()} in row {row}")


def last_axis(owner: str, axis: object) -> None:
    """Raises where a loss is asked to sum over anything but the last axis."""
    if axis != -1 or isinstance(axis, bool):
        raise ArgumentError(
            f"{owner}'s axis is -1, the last one, got {axis!r}: a loss belongs to one row; "
            "to take all axes of a row together, end the network with Flatten"
        )
