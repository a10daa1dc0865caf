"""The base of all metrics: which sums they need, and how these become a score."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import initializers
from thalweg.errors import ShapeError
from thalweg.initializers import InitializerLike
from thalweg.ops.with_numpy import ArrayResult, FloatResult
from thalweg.program.builder import Builder
from thalweg.program.instructions import metrics as instructions
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.ir.instruction import DOUBLE, TOTALS, Buffer
from thalweg.support import hooks
from thalweg.support.arguments import Value, arguments
from thalweg.support.naming import snake_case

Shape = tuple[int, ...]
Array = NDArray[Any]


@arguments
class Metric(Value):
    """Base of all metrics: which sums it needs (`instruction`), and how they become a score (`score`).

    A metric may be given to `compile`, or called by itself: then it keeps the sums of all rows that it was given.

    One of your own overrides `update_state` and `result`, in NumPy or `thalweg.ops`, and keeps its numbers in what
    `add_variable` returns. In `compile`, it gets the targets and the predictions of each batch, one after the other, as
    the network made them; the engine waits for it meanwhile, where its own metrics cost next to nothing.
    """

    uncalled, lacking = hooks.METRIC, hooks.METRIC_LACKS
    called_with = {"score": ("sums", "rows", "output")}  # noqa: RUF012

    _: KW_ONLY
    name: str = ""  # the key in `History` and in the logs
    unshown = ("name",)

    instruction: ClassVar[type[instructions.Total]]
    short: ClassVar[str] = ""  # the default name, where it isn't the class's
    higher_is_better: ClassVar[bool] = False

    # Outside of a model, also of one whose constructor doesn't call this class's: they become attributes when set.
    running: ClassVar[tuple[Array, float, Shape] | None] = None  # sums, rows and output shape so far
    parts: ClassVar[tuple[Metric, ...]] = ()  # metrics of one threshold each, whose results are listed
    variables: ClassVar[tuple[State, ...]] = ()  # of a metric of the user's

    formula: ClassVar[str]  # from here on its entry in the reference pages
    range: ClassVar[str]
    use: ClassVar[str]

    def __init__(self, *, name: str = "") -> None:
        """What the `__init__` of a metric of one's own calls."""
        self.name = name
        self.__post_init__()

    def __post_init__(self) -> None:
        if not hasattr(self, "instruction") and type(self).lower is Metric.lower and not self.by_itself:
            raise hooks.unwritten(self, "update_state(self, y_true, y_pred)", hooks.BY_ITSELF)
        vars(self)["name"] = self.name or self.usual_name

    @property
    def usual_name(self) -> str:
        """The name of one that was given none."""
        return self.short or snake_case(type(self).__name__)

    @property
    def by_itself(self) -> bool:
        """Whether it is written in NumPy, for use outside of a model."""
        return type(self).update_state is not Metric.update_state or type(self).result is not Metric.result

    def unlogged(self) -> str | None:
        """Why `compile` can't take the metric, or None."""
        return "a history keeps one number: give one threshold for each metric" if self.parts else None

    def sums(self, output: Shape) -> int:
        """How many running sums it needs for predictions of shape (rows, *output)."""
        return 0 if self.by_itself else 1

    @property
    def by_element(self) -> bool:
        """Whether every output counts by itself, so that each may have a weight."""
        return False

    @property
    def between_rows(self) -> bool:
        """Whether the score needs several rows: then a one-dimensional input of `__call__` holds many rows."""
        return False

    def check(self, output: Shape, target: Shape) -> None:
        """Raises if the metric has no meaning for these shapes."""
        if output != target and not self.by_itself:
            raise ShapeError(
                f"metric {self.name!r} compares targets and predictions of one shape, got {target} and {output}"
            )

    def prepare(self, program: Builder, p: Buffer, y: Buffer) -> Buffer:
        """What the instruction compares with the targets: by default the predictions."""
        return p

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> instructions.Total | Loss:
        """The instruction that adds a batch to the sums."""
        self.check(p.shape, y.shape)
        return self.instruction(p, y, sums, **self.constants())

    def constants(self) -> dict[str, Any]:
        """The instruction's options: the fields of the same names."""
        return {name: getattr(self, name) for name in self.instruction.options()}

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        """The score from the sums over `rows` rows: by default the mean over rows and outputs."""
        if self.by_itself:
            found = np.asarray(self.result(), np.float64)
            if found.size != 1:
                raise ShapeError(f"metric {self.name!r}: a history keeps one number, and result() has {found.size}")
            return found.item()
        return float(sums[0] / (rows * math.prod(output)))

    # --- outside of a model --------------------------------------------------------------------------------------

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Adds a batch: from then on `result` is the score of all rows so far, each counted with its weight.

        A one-dimensional input is one row, as in Keras. sample_weight: a number for each row; for counts, `Precision`
        and `Recall` also one for each output, (1, outputs) or (rows, outputs).

        >>> from thalweg.metrics import MeanAbsoluteError
        >>> metric = MeanAbsoluteError()
        >>> metric.update_state([[0.0]], [[1.0]])
        >>> metric.update_state([[0.0]], [[3.0]], sample_weight=[3.0])
        >>> metric.result()
        2.5
        """
        y, p = self.operands(y_true, y_pred)
        output, given = p.shape[1:], None if sample_weight is None else np.asarray(sample_weight, np.float64)
        shapes = [(1, *output), p.shape, *([output] if np.ndim(y_pred) == 1 else [])]
        if self.by_element and given is not None and given.shape in shapes:
            self.check(output, y.shape[1:])
            given, y, p = np.broadcast_to(given, p.shape).reshape(-1), y.reshape(-1, 1), p.reshape(-1, 1)
        weights = row_weights(given, len(p))
        for metric in self.parts or (self,):
            metric.add(y, p, weights, output)

    def result(self) -> Any:
        """The score of the rows so far, 0 before the first; an array where there is a number for each threshold."""
        if self.parts:
            return ArrayResult.of([metric.result() for metric in self.parts])
        return FloatResult(0.0 if self.running is None else self.score(*self.running))

    def reset_state(self) -> None:
        """Forgets the rows so far, and sets the variables of a metric of your own to 0."""
        for metric in self.parts:
            metric.reset_state()
        for variable in self.variables:
            variable.assign(0)
        vars(self)["running"] = None

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Adds a batch, and returns the score of all rows so far: `update_state`, then `result`.

        >>> from thalweg.metrics import SparseCategoricalAccuracy
        >>> SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.2, 0.8]])
        0.5
        """
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def operands(self, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
        """Targets and predictions, (rows, …, outputs), in float64."""
        p, y = np.asarray(y_pred, dtype=np.float64), np.asarray(y_true, dtype=np.float64)
        if p.ndim == 1:
            p, y = (p[:, None], y[:, None]) if self.between_rows else (p[None], y[None])
        y = y[:, None] if y.ndim == 1 else y
        if len(y) != len(p):
            raise ShapeError(f"y_pred has {len(p)} rows but y_true has {len(y)}")
        return y, p

    def add(self, y: Array, p: Array, weights: Array | None, output: Shape) -> None:
        """Adds rows to the sums: those of equal weight at once, because the sums of a row are multiplied by it."""
        from thalweg.engine.reference import evaluate_metric

        instruction = self.instruction_for(y, p)
        if self.running is not None and self.running[2] != output:
            raise ShapeError(f"metric {self.name!r} was given outputs of shape {self.running[2]}, and now {output}")
        sums, rows = (np.zeros(instruction.sums.size), 0.0) if self.running is None else self.running[:2]
        for weight in [1.0] if weights is None else np.unique(weights):
            chosen = slice(None) if weights is None else weights == weight
            sums = sums + weight * evaluate_metric(instruction, p[chosen], y[chosen])
            rows += weight * len(p[chosen])
        vars(self)["running"] = (sums, rows, output)

    def instruction_for(self, y: Array, p: Array) -> instructions.Total | Loss:
        """The instruction for arrays of these shapes."""
        sums = Buffer(self.name, (self.sums(p.shape[1:]),), TOTALS, per_row=False, dtype=DOUBLE)
        return self.lower(Buffer("y_pred", p.shape[1:]), Buffer("y", y.shape[1:]), sums)

    def rows(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """What a metric is the mean of, in float64: a number for each row and position, or for each output."""
        y, p = self.operands(y_true, y_pred)
        value: Array = np.asarray(self.instruction_for(y, p).value(np, y, p), np.float64)
        return value[0] if np.ndim(y_pred) == 1 else value

    def add_variable(
        self, shape: Shape = (), initializer: InitializerLike = "zeros", dtype: Any = None, name: str | None = None
    ) -> State:
        """A number or an array that a metric of your own keeps between its calls of `update_state`.

        >>> class Largest(Metric):
        ...     def __init__(self, name="largest"):
        ...         super().__init__(name=name)
        ...         self.top = self.add_variable(name="top")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.top.assign(max(self.top, np.max(y_pred)))
        ...     def result(self):
        ...         return float(self.top)
        >>> Largest()([0.0, 0.0], [0.5, 2.0])
        2.0
        """
        start = np.asarray(initializers.get(initializer)(tuple(shape)), dtype or np.float64)
        variable = start.view(State)
        vars(self)["variables"] = (*self.variables, variable)
        return variable

    add_weight = add_variable


class State(np.ndarray):
    """An array that a metric keeps, with Keras's methods."""

    def assign(self, value: ArrayLike) -> None:
        """Replaces the numbers."""
        self[...] = value

    def assign_add(self, value: ArrayLike) -> None:
        """Adds to the numbers."""
        self[...] += np.asarray(value)

    def numpy(self) -> Array:
        """A copy of the numbers."""
        return np.array(self)

    value = property(numpy, doc="A copy of the numbers.")


def row_weights(given: ArrayLike | None, rows: int) -> Array | None:
    """A weight for each row, from one for all or one for each."""
    if given is None:
        return None
    weights = np.asarray(given, np.float64)
    if weights.size not in (1, rows) or weights.ndim > 2 or (weights.ndim == 2 and weights.shape[1] != 1):
        raise ShapeError(f"sample_weight is a number for each of the {rows} rows, got the shape {weights.shape}")
    return np.broadcast_to(weights.reshape(-1), (rows,))


def needs_class_numbers(metric: Metric, output: Shape, target: Shape) -> None:
    """Raises unless the targets are class numbers of the output's classes."""
    if target != (*output[:-1], 1):
        raise ShapeError(f"metric {metric.name!r} needs class numbers of shape {(*output[:-1], 1)}, got {target}")


def ratio(a: float, b: float) -> float:
    """a/b, 0 where b is: Keras's divide_no_nan."""
    return a / b if b else 0.0
