"""The range test: the loss as the learning rate grows from step to step, and the rate at which it falls fastest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.engine import make_executor
from thalweg.engine.contract import Array, Chunk, Job, mean_loss
from thalweg.errors import ArgumentError
from thalweg.models.diagnosis import all_finite
from thalweg.support.checks import number, whole
from thalweg.support.interrupts import Held
from thalweg.support.naming import suggesting
from thalweg.support.once import making
from thalweg.views.chart import Chart, Curve
from thalweg.views.figures import draw_chart, new_figure, write_figure
from thalweg.views.web.html_parts import block
from thalweg.views.web.svg import inline

if TYPE_CHECKING:
    from thalweg.models.sequential import Sequential

LEAST_LOSSES = 3  # a curve with fewer points has no steepest point
SMOOTHING = 0.03  # standard deviation of the smoothing window, as a share of the steps asked for


@dataclass(frozen=True)
class LearningRateTest:
    """What `find_learning_rate` measured.

    Attributes:
        learning_rates: of each completed step.
        losses: of its batch, before the step.
        smoothed: their moving average with Gaussian weights.
        suggestion: the learning rate where `smoothed` falls fastest against log(learning rate), or None if it falls
            nowhere.
        ended: why the sweep ended, "end", "loss rose", or "not finite".
    """

    learning_rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    suggestion: float | None
    ended: str

    def plot(self, path: str | Path) -> None:
        """Writes losses and suggestion over the learning rate as a picture, PNG or SVG by the ending of the path."""
        figure = new_figure(7, 4.2)
        draw_chart(figure.subplots(), self.chart())
        write_figure(figure, Path(path))

    def chart(self) -> Chart:
        """The losses of the steps and their moving average over the learning rate, with the suggestion."""
        curves = [
            Curve("loss of a step", self.learning_rates, self.losses, dots=True, faint=True),
            Curve("smoothed", self.learning_rates, self.smoothed),
        ]
        marks = [] if self.suggestion is None else [(self.suggestion, f"steepest: {self.suggestion:.2g}")]
        return Chart("loss", curves, "learning rate", log_x=True, marks=marks)

    def _repr_html_(self) -> str:
        """The chart, for notebooks."""
        return block(inline([self.chart()]))


@suggesting
def find_learning_rate(
    model: Sequential,
    x: ArrayLike,
    y: ArrayLike,
    *,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    batch_size: int | None = None,
    stop_factor: float = 4.0,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: ArrayLike | None = None,
    lanes: int | None = None,
) -> LearningRateTest:
    """The learning rate range test (Smith, WACV 2017): trains while the learning rate grows exponentially.

    Step k of `steps` has the learning rate start·(end/start)^(k/(steps − 1)). The sweep starts from
    copies of the model's weights and the optimizer's vectors: the model, its optimizer, step count and history stay as
    they are. Too small a rate changes nothing, too large a one makes the loss rise; the suggestion lies between.

    Args:
        model: compiled; built for the shape of x if it isn't built yet.
        x, y: the training data, as in `Sequential.fit`; shuffled, and reused from the beginning when they run out.
        start, end: the first and the last learning rate. steps: how many updates; each gives one loss.
        batch_size: rows in a batch; 32 if None. With gradient_accumulation_steps, a step takes as many batches.
        stop_factor: the sweep ends when the loss exceeds this times its least value so far, and the first loss.
        class_weight, sample_weight, lanes: as in `Sequential.fit`.

    Returns:
        a LearningRateTest: learning_rates, losses, suggestion, …; a step that isn't finite ends it without an error.

    >>> import thalweg
    >>> model = thalweg.Sequential([thalweg.Input((1,)), thalweg.layers.Dense(1)], seed=0)
    >>> model.compile("sgd", "mse")
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> test = find_learning_rate(model, x, 3 * x[:, 0] + 1, batch_size=64)
    >>> 0.01 < test.suggestion < 1, test.ended
    (True, 'loss rose')
    """
    if not 0 < number("find_learning_rate's start", start) < number("find_learning_rate's end", end):
        raise ArgumentError(f"find_learning_rate's start has to lie above 0 and below end, got {start!r} and {end!r}")
    count = whole("find_learning_rate's steps", steps, LEAST_LOSSES)
    batch = 32 if batch_size is None else whole("batch_size", batch_size)
    number("find_learning_rate's stop_factor", stop_factor, 1)
    compiled = model._compiled
    with making:  # no other thread compiles the model
        compiled.ready(x)
        job = compiled.training_job(compiled.data(x, y, sample_weight, class_weight), batch, lanes, shuffle=True)
    rates = np.geomspace(start, end, count)
    losses: list[float] = []
    limit, ended = np.inf, "end"
    for loss in sweep(model, job, rates):
        if loss is None:
            ended = "not finite"
            break
        losses.append(loss)
        least = min(losses)
        limit = max(losses[0], least + (stop_factor - 1) * abs(least))  # a loss may be negative
        if loss > limit:
            ended = "loss rose"
            break
    rates, found = rates[: len(losses)], np.array(losses)
    # An explosion in the last step must not hide what came before it.
    smoothed = moving_average(np.minimum(found, limit), SMOOTHING * count)
    return LearningRateTest(rates, found, smoothed, steepest(rates, smoothed), ended)


def sweep(model: Sequential, job: Job, rates: NDArray[np.float64]) -> Iterator[float | None]:
    """Runs the steps on copies of weights and vectors; yields the loss of each, None if it isn't finite."""
    job.parameters, job.slots = job.parameters.copy(), job.slots.copy()
    executor = make_executor(model.engine, job)
    epoch, batch, iteration = model.epochs_trained, 0, model.optimizer.iterations
    before: Array = np.zeros(job.totals)  # the running sums of the epoch so far
    for rate in rates:
        sums: Array = np.zeros(job.totals)
        while True:
            with Held():  # no thread is left alone in the engine
                outcome = executor.run(Chunk(epoch, batch, 1, iteration, np.array([rate])))
            if not all_finite(job, outcome):
                yield None
                return
            last = len(outcome.records) == 1  # step of its epoch
            sums += (outcome.records[0] if last else outcome.totals) - before
            before = np.zeros(job.totals) if last else outcome.totals.copy()
            epoch, batch = (epoch + 1, 0) if last else (epoch, batch + 1)
            iteration += 1
            if iteration % job.program.every == 0:
                break
        yield float(mean_loss(sums))


def moving_average(values: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """The mean around each value, weighted by a normal distribution; at the ends, over fewer values."""
    places = np.arange(len(values))
    weights = np.exp(-0.5 * ((places[:, None] - places) / deviation) ** 2)
    return np.asarray(weights @ values / weights.sum(axis=1))


def steepest(rates: NDArray[np.float64], losses: NDArray[np.float64]) -> float | None:
    """The rate where the loss falls fastest against log(rate); None if it falls nowhere."""
    if len(losses) < LEAST_LOSSES:
        return None
    slopes = np.gradient(losses, np.log(rates))
    place = int(np.argmin(slopes))
    return float(rates[place]) if slopes[place] < 0 else None
