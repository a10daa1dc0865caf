"""A training as the doctor sees it: the course of its loss, what the loss could be, and whether progress was poor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.doctor.budget import SECONDS, Budget, TooLongError
from thalweg.doctor.yardsticks import Yardsticks, constant_loss, seconds_of, yardsticks
from thalweg.recordings.recording import Recording
from thalweg.words import Text

Array = NDArray[Any]
Predict = Callable[[Array], Array]

LITTLE = 0.1
"""Progress is poor if less than this part of the constant answer's loss is gone …"""
LAG = 0.25
"""… or if it lags behind what simple models reach by this part of it, and by LITTLE at least."""
PARTS = 8
"""A training of one epoch is looked at in this many parts."""
NOT_FINITE = "the data holds"
"""What the sentence of an error says if data, not training, was to blame."""
ACCURACIES = ("accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy")


@cache
def reasons() -> dict[str, Text]:
    """Why something that a rule needs may be missing."""
    return {
        "recorded": words.text("only the losses are known: fit(record=True) records the rest"),
        "samples": words.text("it takes two steps that were recorded by layers"),
        "course": words.text("it takes two epochs, or one of many batches"),
        "validation": words.text("there were no validation rows: validation_split or validation_data"),
        "once": words.text("it takes two epochs that were validated"),
        "each": words.text("some epochs were not validated: validation_freq=1"),
        "plain": words.text("rows are weighted in the training loss, and not in that of the validation"),
        "classes": words.text("the target isn't one class of several"),
        "constant": words.text("the loss of a constant answer isn't known for this loss"),
        "weighted": words.text("the loss of a constant answer isn't known for weighted rows: validate on others"),
        "always": words.text("a constant answer is always right: the target has one value"),
        "rows": words.text("no rows of the data were recorded"),
        "inputs": words.text("of several inputs no rows are recorded"),
        "columns": words.text("the rows aren't columns of a table"),
        "yardsticks": words.text("no simple model could be fitted for comparison"),
        "predictions": words.text("it takes the network's predictions: model.diagnose()"),
        "accuracy": words.text("no accuracy was measured: compile(metrics=['accuracy'])"),
        "twins": words.text("rows of both parts were not compared"),
        "time": words.text("it takes too long while the network trains"),
    }


OF_LOSSES = ("course", "validation", "accuracy")
"""What may be known without a recording."""
WARM = 8
"""Rows that are predicted first, to know what the others will take."""


class Case:
    """A recording, and what follows from it; everything is computed once, when a rule asks for it.

    Args:
        recording: of the training.
        predict: the outputs of the network, as it was left, for rows of inputs; None if they can't be had.
        thorough: whether simple models may be fitted, to know what can be reached.
        seconds: that all of it may take.
    """

    def __init__(
        self, recording: Recording, predict: Predict | None = None, thorough: bool = True, seconds: float = SECONDS
    ) -> None:
        self.recording, self.facts, self.predict, self.thorough = recording, recording.facts, predict, thorough
        self.budget = Budget(seconds)
        self.late: dict[str, Text] = {}
        """What there was no time for, and how much it would take."""

    def missing(self, needs: tuple[str, ...]) -> Text | None:
        """Why a rule that needs these can't be checked; None if it can."""
        if "loss" not in self.facts and not set(needs) <= set(OF_LOSSES):
            return reasons()["recorded"]
        has: dict[str, Callable[[], bool]] = {
            "samples": lambda: len(self.recording) >= 2,
            "course": lambda: len(self.loss) >= 2 or self.blown_up,
            "validation": lambda: len(self.held_loss) >= 2,
            "each": lambda: len(self.held_loss) == len(self.loss),
            "plain": lambda: not self.facts.get("weighted"),
            "classes": lambda: self.shares is not None,
            "constant": lambda: self.constant is not None,
            "rows": lambda: self.recording.sample.x is not None and self.recording.sample.y is not None,
            "columns": lambda: self.recording.sample.x is not None and self.recording.sample.x.ndim == 2,
            "yardsticks": lambda: self.yardsticks is not None,
            "predictions": lambda: self.outputs is not None,
            "accuracy": lambda: self.accuracy is not None,
            "twins": lambda: bool(self.facts.get("twins")),
        }
        return next((self.why(need) for need in needs if not has[need]()), None)

    def why(self, need: str) -> Text:
        """Why there isn't what a rule needs."""
        if need in self.late:
            return self.late[need]
        weighted = bool(self.facts.get("weighted")) and len(self.held_loss) < 2
        other = {
            "validation": "once" if len(self.held_loss) else need,
            "constant": "weighted" if weighted else "always" if self.one_value else need,
            "rows": "inputs" if self.facts.get("inputs", 1) > 1 else need,
        }
        return reasons()[other.get(need, need)]

    # --- the course of the loss ----------------------------------------------------------------------------------

    @cached_property
    def loss(self) -> Array:
        """The training loss by epoch, (epochs,), without penalties; of a single epoch, the means of eight parts of it.

        If rows are weighted, it is the validation loss, which is one of plain rows, where there is one.
        """
        if self.facts.get("weighted") and len(self.held_loss) >= 2:
            return self.held_loss
        by_epoch = self.logged("loss")
        if len(by_epoch) == len(self.penalties):
            by_epoch = by_epoch - self.penalties
        batches = self.recording.batch_losses
        if len(by_epoch) < 2 and len(batches) >= 2 * PARTS:
            return np.array([part.mean() for part in np.array_split(batches, PARTS)])
        return by_epoch

    @cached_property
    def held_loss(self) -> Array:
        """The validation loss of the epochs that were validated, without penalties."""
        held = self.logged("val_loss")
        penalised = self.facts.get("held_penalised", True) and len(held) == len(self.penalties)
        return held - self.penalties if penalised else held

    @cached_property
    def penalties(self) -> Array:
        """The penalties in the loss by epoch, estimated: they grow with the squared norm of the weights, as L2's do."""
        first = self.facts.get("initial_penalty")
        norms = np.square(self.statistic("weight_norm")).sum(axis=1)
        epochs = np.array((self.facts.get("history") or {}).get("epoch", []), np.float64)
        if not first or not len(norms) or not norms[0] > 0:
            return np.zeros(len(epochs))
        ends = epochs - epochs.min(initial=0) + 1
        return np.asarray(first * np.interp(ends, self.recording.epochs, norms) / norms[0])

    def logged(self, name: str) -> Array:
        """What the history has by this name, without the epochs in which it is missing."""
        history = self.facts.get("history") or {}
        values = history.get(name, []) if isinstance(history, dict) else [log.get(name) for log in history]
        return np.array([value for value in values if value is not None], np.float64)

    @cached_property
    def accuracy(self) -> Array | None:
        """The training accuracy by epoch, if one was measured."""
        return self.first_logged(ACCURACIES)

    @cached_property
    def held_accuracy(self) -> Array | None:
        """The accuracy on the validation rows, if it was measured."""
        return self.first_logged([f"val_{name}" for name in ACCURACIES])

    def first_logged(self, names: Sequence[str]) -> Array | None:
        found: list[Array] = [values for name in names if len(values := self.logged(name)) >= 2]
        return found[0] if found else None

    @property
    def diverged(self) -> str | None:
        """The sentence of the error that ended the training."""
        sentence = self.facts.get("diverged")
        return sentence if sentence is None or isinstance(sentence, str) else str(sentence)

    @property
    def blown_up(self) -> bool:
        """Whether the training has led to numbers that aren't finite; it isn't to blame if the data holds some."""
        return self.diverged is not None and NOT_FINITE not in self.diverged

    # --- what the loss could be ----------------------------------------------------------------------------------

    @cached_property
    def shares(self) -> Array | None:
        """The share of each class in the rows trained on."""
        counts = self.facts.get("class_counts")
        if self.facts.get("target_kind") == "multilabel" or not counts or sum(counts) == 0:
            return None
        return np.asarray(np.array(counts, np.float64) / sum(counts))

    @property
    def one_value(self) -> bool:
        """Whether all rows trained on have the same target."""
        spread = self.facts.get("target_std")
        return bool((self.shares is not None and self.shares.max() == 1) or (spread and not any(spread)))

    @cached_property
    def constant(self) -> float | None:
        """The loss of the best constant answer; None if it isn't known, as with weighted rows and no others."""
        if self.facts.get("weighted") and len(self.held_loss) < 2:
            return None
        return constant_loss(self.facts, self.recording.sample)

    @cached_property
    def gone(self) -> Array:
        """The part of the constant answer's loss that is gone, by epoch: 1 is all, 0 none, below 0 it is worse.

        Of the training and the validation loss, the better one: dropout makes the first look worse than it is.
        """
        assert self.constant is not None
        gone = 1 - self.loss / self.constant
        if len(self.held_loss) == len(self.loss):
            gone = np.maximum(gone, 1 - self.held_loss / self.constant)
        return np.asarray(gone)

    @cached_property
    def yardsticks(self) -> Yardsticks | None:
        """What simple models reach on rows that they haven't seen; None if that can't be said, or not in the time."""
        if not self.thorough or self.constant is None:
            return None
        try:
            self.budget.allow(seconds_of(self.recording.sample))
        except TooLongError as error:
            self.late["yardsticks"] = error.why
            return None
        return yardsticks(self.facts, self.recording.sample, self.constant)

    @cached_property
    def poor(self) -> bool:
        """Harm: the loss of the last two epochs is nearly a constant answer's, or far from what is reached easily.

        Where a simple model does no better, little progress isn't poor.
        """
        if self.diverged:
            return self.blown_up
        if self.constant is None or len(self.loss) < 2:
            return False
        reached = float(self.gone[-2:].max())
        if self.yardsticks is None:
            return reached < LITTLE
        best = self.yardsticks.best
        return reached < best - max(LITTLE, LAG * best)

    @property
    def nothing_learned(self) -> bool:
        """Harm: progress is poor, and the last two epochs are hardly better than a constant answer."""
        if self.diverged or self.constant is None:
            return self.poor
        return self.poor and bool((self.gone[-2:] < LITTLE).all())

    @property
    def harm(self) -> dict[str, Any]:
        """What the texts say of poor progress."""
        values: dict[str, Any] = {"loss": float(self.loss[-1]) if len(self.loss) else np.nan}
        if self.blown_up:
            return values | {"harm": words.text("the training failed")}
        if self.constant is None:
            return values | {"harm": words.text("the loss is {loss:.4g}", loss=values["loss"])}
        constant, loss = self.constant, values["loss"]
        harm = words.text(
            "the loss is {loss:.4g}, and a constant answer has {constant:.4g}", loss=loss, constant=constant
        )
        if self.yardsticks is not None:
            harm = words.text(
                "{harm}; {model} reaches {reached:.4g} on rows it hasn't seen",
                harm=harm,
                model=self.yardsticks.name,
                reached=(1 - self.yardsticks.best) * constant,
            )
        return values | {"harm": harm}

    # --- layers --------------------------------------------------------------------------------------------------

    def statistic(self, name: str) -> Array:
        """(samples, layers)."""
        return self.recording.statistics[name]

    @property
    def rates(self) -> Array:
        """The learning rates, as far as they were recorded."""
        return self.recording.course_of_rates[1]

    def ever_twice(self, flags: Array) -> Array:
        """By layer, whether something holds in two consecutive samples: (samples, layers) → (layers,).

        Of a training that failed within two samples one has to do: the step that failed has no gradient.
        """
        if self.blown_up and len(flags) <= 2:
            return np.asarray(flags.any(axis=0))
        return np.asarray((flags[1:] & flags[:-1]).any(axis=0))

    @property
    def hidden(self) -> list[int]:
        """The places of the layers with weights, except for the last one."""
        return list(range(len(self.recording.layers) - 1))

    def kind_of(self, layer: str) -> dict[str, Any]:
        """What the facts say of a layer."""
        return next((entry for entry in self.facts.get("architecture") or [] if entry["name"] == layer), {})

    # --- predictions ---------------------------------------------------------------------------------------------

    @property
    def judged(self) -> tuple[Array, Array] | None:
        """Rows with their targets to judge the network by: held-out ones, or if there are none, those trained on."""
        sample = self.recording.sample
        if sample.held_x is not None and sample.held_y is not None:
            return sample.held_x, sample.held_y
        return None if sample.x is None or sample.y is None else (sample.x, sample.y)

    @cached_property
    def outputs(self) -> Array | None:
        """The network's outputs for the rows it is judged by, (rows, outputs); None if they can't be had in time."""
        if self.predict is None or self.judged is None:
            return None
        try:
            return self.answers(self.judged[0])
        except TooLongError as error:
            self.late["predictions"] = error.why
            return None

    def answers(self, x: Array) -> Array:
        """The network's outputs, (rows, outputs); raises TooLongError if there isn't the time."""
        assert self.predict is not None
        self.predict(x[:WARM])  # what is done once isn't counted
        begin = time.perf_counter()
        self.predict(x[:WARM])
        self.budget.allow((time.perf_counter() - begin) * len(x) / WARM)
        return np.asarray(self.predict(x)).reshape(len(x), -1)


def last_two(flags: Array) -> Array:
    """By layer, whether something holds in the last two samples: (samples, layers) → (layers,)."""
    return np.asarray(flags[-2:].all(axis=0)) if len(flags) >= 2 else np.zeros(flags.shape[1:], bool)
