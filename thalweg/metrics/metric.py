"""The base of all metrics: which sums they need, and how these become a score."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ShapeError
from thalweg.program.builder import Builder
from thalweg.program.instructions import metrics as instructions
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.ir.instruction import TOTALS, Buffer
from thalweg.support import hooks
from thalweg.support.naming import snake_case

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Metric(hooks.Hooked):
    """Base of all metrics: which sums it needs (`instruction`), and how they become a score (`result`)."""

    uncalled = hooks.METRIC
    called_with = {"result": ("sums", "rows", "output")}  # noqa: RUF012

    name: str = field(default="", kw_only=True, repr=False)  # the key in `History` and in the logs

    instruction: ClassVar[type[instructions.Total]]
    short: ClassVar[str] = ""  # the default name, where it isn't the class's
    higher_is_better: ClassVar[bool] = False

    formula: ClassVar[str]  # from here on its entry in the reference pages
    range: ClassVar[str]
    use: ClassVar[str]
    title_zh: ClassVar[str]
    summary_zh: ClassVar[str]

    def __post_init__(self) -> None:
        if not hasattr(self, "instruction") and type(self).lower is Metric.lower:
            raise hooks.unwritten(self, "instruction", hooks.METRIC["update_state"])
        object.__setattr__(self, "name", self.name or self.short or snake_case(type(self).__name__))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return asdict(self)

    def sums(self, output: Shape) -> int:
        """How many running sums it needs for predictions of shape (rows, *output)."""
        return 1

    @property
    def between_rows(self) -> bool:
        """Whether the score needs several rows: then a one-dimensional input of `__call__` holds many rows."""
        return False

    def check(self, output: Shape, target: Shape) -> None:
        """Raises if the metric has no meaning for these shapes."""
        if output != target:
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

    def result(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        """The score from the sums over `rows` rows: by default the mean over rows and outputs."""
        return float(sums[0] / (rows * math.prod(output)))

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> float:
        """The score of a batch of predictions. A one-dimensional input is one row, as in Keras.

        >>> from thalweg.metrics import SparseCategoricalAccuracy
        >>> SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.2, 0.8]])
        0.5
        """
        from thalweg.engine.reference import evaluate_metric

        p, y = np.asarray(y_pred, dtype=np.float64), np.asarray(y_true, dtype=np.float64)
        if p.ndim == 1:
            p, y = (p[:, None], y[:, None]) if self.between_rows else (p[None], y[None])
        y = y[:, None] if y.ndim == 1 else y
        if len(y) != len(p):
            raise ShapeError(f"y_pred has {len(p)} rows but y_true has {len(y)}")
        sums = Buffer(self.name, (self.sums(p.shape[1:]),), TOTALS, per_row=False)
        instruction = self.lower(Buffer("y_pred", p.shape[1:]), Buffer("y", y.shape[1:]), sums)
        return self.result(evaluate_metric(instruction, p, y), len(p), p.shape[1:])


def needs_class_numbers(metric: Metric, output: Shape, target: Shape) -> None:
    """Raises unless the targets are class numbers of the output's classes."""
    if target != (*output[:-1], 1):
        raise ShapeError(f"metric {metric.name!r} needs class numbers of shape {(*output[:-1], 1)}, got {target}")


def ratio(a: float, b: float) -> float:
    """a/b, 0 where b is: Keras's divide_no_nan."""
    return a / b if b else 0.0
