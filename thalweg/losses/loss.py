"""What every loss has: a reduction, the targets it takes, and the instruction it becomes."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import ops
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.losses.by_step import weighted, weights_of
from thalweg.ops.masks import mask_of
from thalweg.ops.operation import row_value
from thalweg.ops.tensor import Operators, OverRows, Tensor, Traced, writing
from thalweg.ops.with_numpy import FloatResult
from thalweg.program.builder import Builder
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import evaluate
from thalweg.program.instructions.activations import is_activation
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import Loss as LossInstruction
from thalweg.program.instructions.losses.row_losses import RowLoss
from thalweg.program.instructions.losses.row_value import RowValue
from thalweg.program.ir.instruction import DOUBLE, TOTALS, Buffer, Instruction
from thalweg.support import hooks
from thalweg.support.arguments import Checked, Value, arguments
from thalweg.support.checks import owner
from thalweg.support.naming import choose, snake_case

Shape = tuple[int, ...]
Array = NDArray[Any]


def of_a_batch(what: str, reduction: Any) -> Any:
    """How the rows of a batch become one number."""
    if reduction is None or reduction in ("none", "mean_with_sample_weight"):
        raise ArgumentError(
            f"{owner(what)}: training needs one number per batch, a sum over its rows, "
            f"so reduction can't be {None if reduction == 'none' else reduction}"
        )
    return choose(what, reduction, ("sum_over_batch_size", "mean", "sum"))


@arguments
class Loss(Value):
    """Base of all losses. A subclass says which equation or instruction it is and what targets it takes.

    Those of its arguments that are arguments of the equation (`delta`, `label_smoothing`, …) are passed to it.

    The class attributes from `formula` on are its entry in the reference pages.
    """

    uncalled, lacking = hooks.LOSS, hooks.LOSS_LACKS

    _: KW_ONLY
    reduction: Annotated[str, Checked(of_a_batch)] = "sum_over_batch_size"

    equation: ClassVar[Equation | None] = None  # of each output by itself; or …
    instruction: ClassVar[type[RowLoss]]  # … that of all outputs of a row
    after: ClassVar[Equation | type[Instruction] | None] = None  # the activation this loss is fused with …
    fused: ClassVar[Equation | type[RowLoss] | None] = None  # … as this one of its pre-activations

    formula: ClassVar[str]
    derivative: ClassVar[str]  # of a row's ℓ by one output
    range: ClassVar[str]  # of ℓ
    targets: ClassVar[str]
    use: ClassVar[str]
    avoid: ClassVar[str]
    paper: ClassVar[str]

    def __init__(self, name: str | None = None, reduction: str = "sum_over_batch_size") -> None:
        """What the `__init__` of a loss of one's own calls; `name` stands in messages."""
        self.reduction = of_a_batch(f"{type(self).__name__}'s reduction", reduction)
        if name is not None:
            self.given_name = name
        self.__post_init__()

    def __post_init__(self) -> None:
        if self.equation is None and not hasattr(self, "instruction") and not self.own:
            raise hooks.unwritten(self, "instruction", hooks.FORMULA)

    @property
    def masks_itself(self) -> bool:
        """Whether it looks at masks by itself, so that none is merged into the weights."""
        return False

    @property
    def own(self) -> bool:
        """Whether its value is computed by `call(self, y_true, y_pred)`, written in `thalweg.ops`."""
        return hasattr(self, "call")

    @property
    def name(self) -> str:
        """The loss's name in messages: the one that it was given, or Keras's."""
        return str(vars(self).get("given_name") or snake_case(type(self).__name__))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return super().get_config() | ({"name": self.name} if "given_name" in vars(self) else {})

    def target_shape(self, output: Shape) -> Shape:
        """The shape of one row's target for predictions of shape (rows, *output)."""
        shape: Shape = vars(self).get("shape_of_targets", output)  # known to losses of one's own once there are some
        return shape

    @property
    def knows_targets(self) -> bool:
        """Whether `target_shape` is certain: a loss of one's own learns it from the first targets."""
        return not self.own or "shape_of_targets" in vars(self)

    def row_coefficient(self, output: Shape) -> float:
        """The factor of a row's sum: that of a mean over the last axis, or 1 if ℓ is one number for the row."""
        return 1.0 if self.equation is None else 1 / output[-1]

    @property
    def kind(self) -> Equation | type[RowLoss]:
        """The equation or instruction of the loss on the network's outputs."""
        if getattr(self, "from_logits", False):
            assert self.fused is not None
            return self.fused
        return self.equation or self.instruction

    def made(
        self,
        kind: Equation | type[RowLoss],
        p: Buffer,
        y: Buffer,
        weight: Buffer | None,
        sums: Buffer,
        coefficient: float,
        total: bool = False,
        metric: bool = False,
    ) -> LossInstruction:
        """An instruction of this kind on these operands."""
        names = kind.arguments if isinstance(kind, Equation) else kind.options()
        options: dict[str, Any] = {name: float(self.option(name)) for name in names}
        operands = (p, y, weight, sums, coefficient, total, metric)
        if isinstance(kind, Equation):
            return ElementwiseLoss(*operands, equation=kind, arguments=tuple(options.values()))
        return kind(*operands, **options)

    def option(self, name: str) -> float:
        """The value of an argument of the equation or instruction."""
        value: float = getattr(self, name)
        return value

    def prepare(self, program: Builder, y_pred: Buffer, y: Buffer) -> Buffer:
        """What the instruction gets besides the targets: the predictions; of a loss with a `call`, its value."""
        if not self.own:
            return y_pred
        result, total = row_value(program, self.called(Traced(program, y), Traced(program, y_pred)))
        if total:
            raise ArgumentError(f"{self.name} is a sum over the rows of the batch: take the mean, or reduction='sum'")
        return result

    def called(self, y: Traced, p: Traced) -> Tensor:
        """What the `call` of a loss of one's own returns."""
        with writing(p.program):
            value = self.call(y, p)  # type: ignore[attr-defined]
        if not isinstance(value, Tensor):
            raise ArgumentError(f"{self.name} returned {value!r}: compute it from y_true and y_pred, by thalweg.ops")
        return value

    def by_step(
        self,
        program: Builder,
        y_pred: Buffer,
        source: Instruction | None,
        y: Buffer,
        weight: Buffer | None,
        mask: Buffer | None,
        sums: Buffer,
    ) -> RowValue:
        """The same as `lower` where steps count differently, see `by_step.py`; appends what it computes."""
        total, t, p = self.reduction == "sum", Traced(program, y), Traced(program, y_pred)
        with writing(program):
            if self.own:
                values: Any = self.called(t, p)
            else:
                kind, operand = self.fused_with(source, y_pred)
                values = self.on_tensors(t, Traced(program, operand), kind)
            if isinstance(values, OverRows):
                raise ArgumentError(f"{self.name} is one number for all rows, so no step of a mask can be left out")
            if len(values.shape) == len(y_pred.shape) + 1 and values.shape[-1] == 1:
                values = ops.squeeze(values, -1)
            given = [None if b is None else Traced(program, b) for b in (mask, weight)]
            weights = weights_of(given[0], given[1], tuple(values.shape[1:]), total)
            value = row_value(program, weighted(values, weights, total))[0]
        return RowValue(value, None, sums, total)

    def fused_with(self, source: Instruction | None, y_pred: Buffer) -> tuple[Equation | type[RowLoss], Buffer]:
        """The kind of the loss and what it reads: the pre-activations, if it is fused with `source`, or y_pred."""
        if source is not None and self.after is not None and self.kind is not self.fused:
            assert self.fused is not None
            if is_activation(source, self.after):
                return self.fused, source.inputs[0]
        return self.kind, y_pred

    def lower(
        self, y_pred: Buffer, source: Instruction | None, y: Buffer, weight: Buffer | None, sums: Buffer
    ) -> LossInstruction | RowValue:
        """The instruction of this loss, on the pre-activations if it is fused with `source`, which made y_pred."""
        if self.own:
            return RowValue(y_pred, weight, sums, self.reduction == "sum")
        kind, operand = self.fused_with(source, y_pred)
        total = self.reduction == "sum"
        positions = 1 if total else y_pred.size // y_pred.shape[-1]
        coefficient = self.row_coefficient(y_pred.shape) / positions
        return self.made(kind, operand, y, weight, sums, coefficient, total)

    def state_shapes(self, output: Shape, features: Shape | None) -> dict[str, Shape]:
        """The loss's state, arrays that it carries from batch to batch: name → shape; most losses have none.

        features: the input shape of the last layer with weights; None if no layer with weights precedes it.
        """
        return {}

    def lower_state(
        self, features: Buffer, y: Buffer, weight: Buffer | None, sums: Buffer, state: dict[str, Buffer], training: bool
    ) -> list[Instruction]:
        """Further instructions, on the features and the state, for a loss that has one."""
        return []

    def check_targets(self, y: Array, output: Shape) -> Array:
        """Targets as (rows, *target_shape) numbers; raises if they don't fit the network's output.

        A loss with a `call` takes targets of any shape.
        """
        if self.own:
            y = y[:, None] if y.ndim == 1 else y
            self.shape_of_targets = y.shape[1:]
            return y
        return fit_shape(y, self.target_shape(output), f"the network's output for {self.name}")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: ArrayLike | None = None) -> Any:
        """The loss of a batch of predictions, in float64. A one-dimensional y_pred is one row, as in Keras.

        >>> from thalweg.losses import MeanSquaredError
        >>> MeanSquaredError()([[0.0], [1.0]], [[1.0], [1.0]])
        0.5
        """
        from thalweg.engine.reference import evaluate_loss

        if isinstance(y_true, Operators) or isinstance(y_pred, Operators):
            return self.of_tensors(y_true, y_pred, sample_weight)
        if self.own:
            values = np.asarray(self.call(np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)))  # type: ignore[attr-defined]
            if values.ndim and sample_weight is not None:
                values = values * np.asarray(sample_weight).reshape(-1, *[1] * (values.ndim - 1))
            return FloatResult(values.sum() if self.reduction == "sum" else values.mean())
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64).reshape(-1, 1)
        y, p = self.operands(y_true, y_pred, weight)
        return FloatResult(evaluate_loss(self.instruction_for(y, p, weight), p, y, weight))

    def rows(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """ℓ of each row, and of each position in it, in float64: (rows, …), without the last axis of y_pred.

        >>> from thalweg.losses import MeanSquaredError
        >>> MeanSquaredError().rows([[0.0], [1.0]], [[1.0], [1.0]])
        array([1., 0.])
        """
        y, p = self.operands(y_true, y_pred)
        instruction = self.instruction_for(y, p)
        with np.errstate(all="ignore"):
            value: Array = instruction.value(np, instruction.targets(np, y, p), p)
        value = value.sum(axis=-1) if value.ndim == p.ndim else value
        value = value * self.row_coefficient(p.shape[1:])
        return value[0] if np.ndim(y_pred) == 1 else value

    def of_tensors(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Any:
        """The loss of tensors of a network: without the steps that a mask of y_pred leaves out."""
        total = self.reduction == "sum"
        values = self.call(y_true, y_pred) if self.own else self.on_tensors(y_true, y_pred)  # type: ignore[attr-defined]
        mask = mask_of(y_pred)
        if mask is not None or sample_weight is not None:
            values = weighted(values, weights_of(mask, sample_weight, tuple(values.shape[1:]), total), total)
        return values if isinstance(values, OverRows) else (ops.sum if total else ops.mean)(values)

    def on_tensors(self, y_true: Any, y_pred: Any, kind: Equation | type[RowLoss] | None = None) -> Any:
        """`rows` in `thalweg.ops`, for tensors of a network: the same equation, written as instructions.

        kind: by default that of the loss; that of pre-activations, if y_pred are these.
        """
        kind, output = kind or self.kind, tuple(y_pred.shape[1:])
        if isinstance(kind, Equation):
            values = {"y": y_true, "p": y_pred} | {name: float(self.option(name)) for name in kind.arguments}
            return self.row_coefficient(output) * ops.sum(evaluate(kind.value, values, ops), axis=-1)
        y = y_true
        if kind.sparse:
            y = ops.one_hot(y, output[-1])
            y = y if tuple(y.shape[1:]) == output else ops.reshape(y, (-1, *output))
        smoothing = getattr(self, "label_smoothing", 0.0)
        y = y if smoothing == 0 else y * (1 - smoothing) + smoothing / output[-1]
        sums = Buffer("loss", (1,), TOTALS, per_row=False, dtype=DOUBLE)
        instruction = self.made(kind, Buffer("y_pred", output), Buffer("y", output), None, sums, 1.0)
        return self.row_coefficient(output) * instruction.value(ops, y, y_pred)

    def operands(self, y_true: ArrayLike, y_pred: ArrayLike, weight: Array | None = None) -> tuple[Array, Array]:
        """Targets and predictions as the instruction takes them; a one-dimensional y_pred is one row."""
        p, y = np.asarray(y_pred, dtype=np.float64), np.asarray(y_true)
        row = p.ndim == 1
        if row:
            p, y = p[None], y[None]
        y = self.check_targets(y, p.shape[1:])
        for what, given in (("y_true", y), ("sample_weight", weight)):
            if given is not None and len(given) != len(p):
                hint = ": one dimension is one row, so give (rows, 1) for rows of one output" if row else ""
                raise ShapeError(f"y_pred has {len(p)} rows but {what} has {len(given)}{hint}")
        return y, p

    def instruction_for(self, y: Array, p: Array, weight: Array | None = None) -> LossInstruction:
        """The instruction for arrays of these shapes."""
        sums = Buffer("loss", (1,), TOTALS, per_row=False, dtype=DOUBLE)
        w = None if weight is None else Buffer("weight", (1,))
        made = self.lower(Buffer("y_pred", p.shape[1:]), None, Buffer("y", y.shape[1:]), w, sums)
        assert isinstance(made, LossInstruction)  # a loss with a `call` is called instead
        return made


def fit_shape(y: Array, shape: Shape, owner: str) -> Array:
    """y as (rows, *shape); at most an axis of size 1 is added or dropped."""
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


def check_probabilities(y: Array, name: str, noise: float) -> None:
    """Raises if a target is `noise` or more away from 0 to 1; NaN is left to the training's own diagnosis."""
    far = ((y <= -noise) | (y >= 1 + noise)) & ((y < 0) | (y > 1))
    outside = np.flatnonzero(far.reshape(len(y), -1).any(axis=1))
    if outside.size:
        row, give = int(outside[0]), f", give or take less than {noise:g}" if noise else ""
        raise DataError(f"targets of {name} have to be between 0 and 1{give}, got {y[row].tolist()} in row {row}")


def last_axis(what: str, axis: Any) -> int:
    """The only axis that a loss may sum over."""
    if axis != -1 or isinstance(axis, bool):
        raise ArgumentError(
            f"{what} is -1, the last one, got {axis!r}: a loss belongs to one row; "
            "to take all axes of a row together, end the network with Flatten"
        )
    return -1


Axis = Annotated[int, Checked(last_axis)]
