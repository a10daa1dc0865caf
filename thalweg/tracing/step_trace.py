"""One step of gradient descent, instruction by instruction, with every number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thalweg.support.checks import whole
from thalweg.tracing.step import Step
from thalweg.tracing.trace_figure import figure
from thalweg.tracing.trace_html import as_html
from thalweg.tracing.trace_json import described
from thalweg.tracing.trace_text import written
from thalweg.tracing.tutorial import Line, lines


@dataclass(frozen=True, eq=False)
class Trace(Step):
    """Every number of one training step, as `model.trace` returns it: a mapping from names in the listing to arrays.

    Printed, it is the step as a tutorial writes it (where the network is a chain of dense layers), every instruction
    with its formula and its numbers, and weights and loss before and after.

    Attributes:
        setting: rows, learning rate, optimizer, loss, engine.
        steps: every instruction, with the arrays that it read and wrote, in the order of the listing.
        weights: every array of weights before and after the step, with its gradient.
        loss_before, loss_after: the mean loss of the rows, penalties included; `loss_after` is computed with the new
            weights in the same mode of training, so that dropout drops the same units.
        check: the gradients by central differences, if they were asked for.

    >>> import thalweg
    >>> from thalweg.losses import SumSquaredError
    >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, "sigmoid", use_bias=False)])
    >>> model.compile(thalweg.optimizers.SGD(0.5), SumSquaredError(half=True))
    >>> model.set_weights([[[1.0], [2.0]]])
    >>> trace = model.trace([[1.0, -0.5]], [1.0])
    >>> trace["dW"].ravel(), trace.loss_before > trace.loss_after
    (array([-0.125 ,  0.0625], dtype=float32), True)
    >>> for line in trace.tutorial():
    ...     print(line.code)
    h = np.dot(x, w)
    y_predict = sigmoid(h)
    error = y - y_predict
    error_term = error * sigmoid_prime(h)
    delta_w = learn_rate * error_term * x
    w += delta_w
    """

    def tutorial(self) -> list[Line]:
        """The step as lines of NumPy with the tutorial's names and their values; none unless it is a chain of dense
        layers with a squared error or a cross-entropy."""
        return lines(self)

    def to_json(self, most: int | None = 1_000) -> dict[str, Any]:
        """The trace as plain JSON; its schema is docs/trace.schema.json.

        most: of an array with more numbers only the first are written, and how many there are; None: all of them.
        """
        return described(self, None if most is None else whole("most", most, 0))

    def figure(self) -> dict[str, Any]:
        """The trace as a figure of a page, of the kind "steps"."""
        return figure(self)

    def text(self, width: int | None = None) -> str:
        """The trace as text for people, `width` columns wide; None: as wide as it is."""
        return written(self, None if width is None else whole("width", width))

    def __str__(self) -> str:
        from thalweg.support.terminal import columns

        return self.text(columns())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The same, for notebooks."""
        return as_html(self)
