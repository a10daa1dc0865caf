"""Learning-rate schedules: functions of the step. Names, arguments and defaults are Keras's where Keras has them.

A schedule is called with a step, counted from 0, or with an array of steps. A plain function of one step, or
of nothing, also works wherever a learning rate is accepted, but can't be saved with a model.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError
from thalweg.support import hooks
from thalweg.support.arguments import Checked, arguments, configuration
from thalweg.support.checks import Amount, Count, Index, Share, least, number, optional, within
from thalweg.support.naming import answer_for, choose

AtLeast1 = Annotated[float, Checked(within(1.0))]
Numbers = Annotated[Sequence[float], Checked(lambda what, value: [number(what, v) for v in value])]
Rates = NDArray[np.float64]


class LearningRateSchedule(hooks.Configured):
    """Base of all schedules. Your own subclass needs `value(step)`, which takes and returns arrays.

    Instead of `value` it may define `__call__(step)`, as in Keras, which is called step by step.

    >>> class Halving(LearningRateSchedule):
    ...     def value(self, step):
    ...         return 0.1 * 0.5**step
    >>> Halving()(2), Halving()([0, 1]).tolist()
    (0.025, [0.1, 0.05])
    """

    uncalled = hooks.SCHEDULE

    formula: ClassVar[str]
    use: ClassVar[str]
    avoid: ClassVar[str]
    paper: ClassVar[str]

    def value(self, step: Rates) -> Any:
        """The learning rates of these steps."""
        raise hooks.unwritten(self, "value(self, step)", "it takes and returns an array")

    def __call__(self, step: ArrayLike) -> Any:
        """The learning rate of a step as a float, or of many as an array."""
        rates = self.value(np.asarray(step, np.float64))
        return float(rates) if np.ndim(step) == 0 else np.asarray(rates, np.float64)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        return configuration(self)


@arguments
class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate·decay_rate^(step/decay_steps); with `staircase` the exponent is rounded down.

    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    """

    initial_learning_rate: Amount
    decay_steps: Count
    decay_rate: Amount
    staircase: bool = False
    name: str = "ExponentialDecay"

    formula = "lr(t) = lr₀·r^(t/T), stepwise with ⌊t/T⌋"
    use = "a smooth decay without a planned end: the same factor every T steps"
    avoid = "the number of steps is known: a cosine ends at 0 exactly then"
    paper = "common practice; Keras"

    def value(self, step: Rates) -> Any:
        power = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (np.floor(power) if self.staircase else power)


@arguments
class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to step boundaries[0] (included), values[1] up to boundaries[1], …, then values[-1].

    >>> PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001])([10, 11, 21]).tolist()
    [0.1, 0.01, 0.001]
    """

    boundaries: Numbers
    values: Numbers
    name: str = "PiecewiseConstant"

    formula = "lr(t) = vᵢ for bᵢ₋₁ < t ≤ bᵢ"
    use = "repeating a published recipe that drops the rate at given epochs"
    avoid = "there is no recipe: the steps of the drops would have to be tuned"
    paper = "He et al., CVPR 2016"

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1:
            raise ArgumentError(
                f"PiecewiseConstantDecay needs one more value than boundaries, got {len(self.values)} values for "
                f"{len(self.boundaries)}"
            )
        if sorted(self.boundaries) != self.boundaries:
            raise ArgumentError(f"PiecewiseConstantDecay: the boundaries have to increase, got {self.boundaries}")

    def value(self, step: Rates) -> Any:
        return np.array(self.values)[np.searchsorted(self.boundaries, step, side="left")]


@arguments
class PolynomialDecay(LearningRateSchedule):
    """(initial_learning_rate − end_learning_rate)·(1 − step/decay_steps)^power + end_learning_rate, then constant.

    With `cycle`, decay_steps grows to its next multiple instead: the rate rises again and falls more slowly.

    >>> PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)([0, 5, 10, 99]).tolist()
    [0.1, 0.05, 0.0, 0.0]
    """

    initial_learning_rate: Amount
    decay_steps: Count
    end_learning_rate: Amount = 0.0001
    power: Amount = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    formula = "lr(t) = (lr₀ − lr₁)·(1 − t/T)^p + lr₁"
    use = "a straight line to a small rate (p = 1), as for transformers and in segmentation (p = 0.9)"
    avoid = "training may continue after T steps: the rate stays at its end"
    paper = "Liu et al., ParseNet, 2015"

    def value(self, step: Rates) -> Any:
        whole_steps = float(self.decay_steps)
        if self.cycle:
            done = step / (whole_steps * np.maximum(1.0, np.ceil(step / whole_steps)))
        else:
            done = np.minimum(step, whole_steps) / whole_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * (1 - done) ** self.power + self.end_learning_rate


@arguments
class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate/(1 + decay_rate·step/decay_steps); with `staircase` the fraction is rounded down.

    >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)([0, 10, 30]).tolist()
    [0.1, 0.05, 0.025]
    """

    initial_learning_rate: Amount
    decay_steps: Count
    decay_rate: Amount
    staircase: bool = False
    name: str = "InverseTimeDecay"

    formula = "lr(t) = lr₀/(1 + r·t/T)"
    use = "plain gradient descent on noisy gradients: Σ lr diverges and Σ lr² converges, as its theory requires"
    avoid = "few epochs: the rate falls fast first and hardly at all later"
    paper = "Robbins and Monro, 1951"

    def value(self, step: Rates) -> Any:
        done = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (np.floor(done) if self.staircase else done))


@arguments
class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial (or warmed-up) rate to alpha of it, over decay_steps.

    With a `warmup_target` the rate first rises linearly from initial_learning_rate to it, over warmup_steps.

    >>> CosineDecay(0.1, decay_steps=10)([0, 5, 10]).round(3).tolist()
    [0.1, 0.05, 0.0]
    >>> CosineDecay(0.0, decay_steps=10, warmup_target=0.1, warmup_steps=4)([0, 2, 4, 14]).round(3).tolist()
    [0.0, 0.05, 0.1, 0.0]
    """

    initial_learning_rate: Amount
    decay_steps: Count
    alpha: Amount = 0.0
    name: str = "CosineDecay"
    warmup_target: Annotated[float | None, Checked(optional(number))] = None
    warmup_steps: Index = 0

    formula = "lr(t) = lr₀·((1 − α)·½(1 + cos(π·t/T)) + α)"
    use = "the default when the number of steps is known; with a warm-up for large batches and Adam"
    avoid = "training may be stopped early or prolonged: the best weights come only at the end"
    paper = "Loshchilov and Hutter, SGDR, ICLR 2017"

    def __post_init__(self) -> None:
        if self.warmup_steps and self.warmup_target is None:
            raise ArgumentError("CosineDecay: warmup_steps needs a warmup_target, the rate to rise to")

    def value(self, step: Rates) -> Any:
        start, warm = self.initial_learning_rate, 0
        if self.warmup_target is not None:
            start, warm = self.warmup_target, self.warmup_steps
        done = np.minimum(step - warm, self.decay_steps) / self.decay_steps
        falling = start * ((1 - self.alpha) * 0.5 * (1 + np.cos(math.pi * done)) + self.alpha)
        if not warm:
            return falling
        rising = self.initial_learning_rate + (start - self.initial_learning_rate) * step / warm
        return np.where(step < warm, rising, falling)


@arguments
class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine over first_decay_steps, then again over t_mul times as many from m_mul times the rate, and so on.

    >>> CosineDecayRestarts(0.1, first_decay_steps=10)([0, 5, 10, 30]).round(3).tolist()
    [0.1, 0.05, 0.1, 0.1]
    """

    initial_learning_rate: Amount
    first_decay_steps: Count
    t_mul: AtLeast1 = 2.0
    m_mul: Amount = 1.0
    alpha: Amount = 0.0
    name: str = "SGDRDecay"

    formula = "lr(t) = lr₀·((1 − α)·mⁱ·½(1 + cos(π·t/Tᵢ)) + α), Tᵢ = T₀·kⁱ"
    use = "good weights are wanted at several times, as for an ensemble of snapshots"
    avoid = "one result is wanted: a single cosine over all steps is simpler and as good"
    paper = "Loshchilov and Hutter, SGDR, ICLR 2017"

    def value(self, step: Rates) -> Any:
        done = step / self.first_decay_steps
        k = self.t_mul
        if k == 1:
            restarts = np.floor(done)
            done = done - restarts
        else:  # the i-th period begins after (1 − kⁱ)/(1 − k) first periods; rounding must not end it early
            restarts = np.floor(np.log(1 - done * (1 - k)) / math.log(k) + 1e-12)
            done = (done - (1 - k**restarts) / (1 - k)) / k**restarts
        wave = 0.5 * self.m_mul**restarts * (1 + np.cos(math.pi * done))
        return self.initial_learning_rate * ((1 - self.alpha) * wave + self.alpha)


@arguments
class OneCycle(LearningRateSchedule):
    """Up to max_learning_rate over the first share `pct_start` of the steps, then down, both as half a cosine.

    It starts at max_learning_rate/div_factor and ends at that divided by final_div_factor: PyTorch's OneCycleLR with
    three_phase=False (its cycled momentum is left out).

    >>> OneCycle(1.0, total_steps=101, pct_start=0.5)([0, 49.5, 100]).round(4).tolist()
    [0.04, 1.0, 0.0]
    """

    max_learning_rate: Amount
    total_steps: Annotated[int, Checked(least(2))]
    pct_start: Share = 0.3
    div_factor: AtLeast1 = 25.0
    final_div_factor: AtLeast1 = 1e4

    formula = "cosine from lr/25 up to lr over 30 % of the steps, then down to lr/250,000"
    use = "few epochs with a high rate, found by find_learning_rate"
    avoid = "the number of steps isn't known beforehand"
    paper = "Smith and Topin, super-convergence, 2018"

    def value(self, step: Rates) -> Any:
        start = self.max_learning_rate / self.div_factor
        end = start / self.final_div_factor
        last = self.total_steps - 1
        top = max(self.pct_start * self.total_steps - 1, 0.0)
        up = between(start, self.max_learning_rate, step / max(top, 1e-9))
        down = between(self.max_learning_rate, end, np.minimum((step - top) / max(last - top, 1e-9), 1.0))
        return np.where(step < top, up, down)


def between(start: float, end: float, done: Any) -> Any:
    """Half a cosine from `start` to `end`."""
    return end + (start - end) / 2 * (1 + np.cos(math.pi * done))


@arguments
class Coslog4(LearningRateSchedule):
    """learning_rate·½(1 − cos(2π·log₂(1 + 15·step/total_steps))): four cycles, each twice as long as the one before.

    It starts and ends at 0 and returns to it three times in between. RealMLP's schedule.

    >>> Coslog4(0.1, total_steps=150)([0, 10, 30, 150]).round(3).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """

    learning_rate: Amount
    total_steps: Count

    formula = "lr(t) = lr·½(1 − cos(2π·log₂(1 + 15·t/T)))"
    use = "networks for tables whose best epoch is kept: there are good weights at several times"
    avoid = "the number of steps isn't known beforehand"
    paper = "Holzmüller et al., RealMLP, NeurIPS 2024"

    def value(self, step: Rates) -> Any:
        done = np.minimum(step / self.total_steps, 1.0)
        return self.learning_rate * 0.5 * (1 - np.cos(2 * math.pi * np.log2(1 + 15 * done)))


@arguments
class FlatCos(LearningRateSchedule):
    """learning_rate for the first share `flat` of the steps, then half a cosine down to `alpha` of it.

    >>> FlatCos(0.1, total_steps=100, flat=0.5)([0, 50, 75, 100]).round(3).tolist()
    [0.1, 0.1, 0.05, 0.0]
    """

    learning_rate: Amount
    total_steps: Count
    flat: Share = 0.75
    alpha: Amount = 0.0

    formula = "lr(t) = lr up to f·T, then half a cosine to α·lr"
    use = "most of the training at a good constant rate, with a calm end"
    avoid = "the number of steps isn't known beforehand"
    paper = "Wright, Ranger, 2019; fastai's fit_flat_cos"

    def value(self, step: Rates) -> Any:
        done = np.clip((step / self.total_steps - self.flat) / (1 - self.flat), 0.0, 1.0)
        return between(self.learning_rate, self.alpha * self.learning_rate, done)


CLASSES: dict[str, Callable[..., LearningRateSchedule]] = {
    c.__name__: c
    for c in (
        ExponentialDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
        InverseTimeDecay,
        CosineDecay,
        CosineDecayRestarts,
        OneCycle,
        Coslog4,
        FlatCos,
    )
}


def evaluate(schedule: Any, first: int, steps: int) -> Rates:
    """The learning rates of the steps from `first` on; raises unless all are finite and at least 0."""
    if isinstance(schedule, LearningRateSchedule) and type(schedule).__call__ is LearningRateSchedule.__call__:
        rates = np.asarray(schedule(np.arange(first, first + steps)), np.float64)
    else:
        try:
            given = takes_step(schedule)
            rates = np.array([float(schedule(*[step][:given])) for step in range(first, first + steps)])
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"the learning rate's function of the step failed: {error}") from None
    bad = ~(np.isfinite(rates) & (rates >= 0))
    if bad.any():
        place = int(np.argmax(bad))
        raise ArgumentError(f"the learning rate of step {first + place} would be {rates[place]}")
    return rates


def takes_step(function: Any) -> bool:
    """Whether a learning rate's function is called with a step; Keras's have no argument."""
    try:
        inspect.signature(function).bind(0)
    except TypeError:
        return False
    except ValueError:  # a built-in function, which doesn't tell
        return True
    return True


def serialize(schedule: Any) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal schedule; a plain function has none and raises."""
    name = type(schedule).__name__
    known: Any = CLASSES.get(name)
    if known is not type(schedule):
        raise ArgumentError(f"a model whose learning rate is {schedule!r} can't be saved: use one of thalweg.schedules")
    return {"class_name": name, "config": schedule.get_config()}


def get(description: dict[str, Any]) -> LearningRateSchedule:
    """A schedule from what `serialize` returned.

    >>> get(serialize(CosineDecay(0.1, 50)))(25)
    0.05
    """
    return choose("schedule", description.get("class_name"), CLASSES)(**description["config"])


answer_for(__name__)
