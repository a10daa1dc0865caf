"""The course of one side's training since it began anew: its networks, what changed on the way, its curves and path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.callbacks import Logs
from thalweg.errors import DivergedError
from thalweg.models.bursts import Bursts
from thalweg.models.evaluator import Evaluation
from thalweg.play.exercises.exercise import GENERATED, Exercise, digits, edge_maps, generated, written
from thalweg.play.exercises.passages import letters, sentences
from thalweg.play.exercises.table_exercise import tabular
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.requests.page_state import State
from thalweg.play.training.arithmetic import Step, kernel_of
from thalweg.play.training.ball import PATH, REMEMBERED
from thalweg.play.training.checkup import Checkup
from thalweg.play.training.curves import Curves
from thalweg.play.training.network import Network
from thalweg.play.training.readings import Reading
from thalweg.play.training.responses import Responses

Array = NDArray[Any]

SCORED_ROWS = 5_000
"""Up to here the loss of all rows is computed for each picture."""


def posed(state: State, uploads: Uploads) -> Exercise:
    """The exercise of a state."""
    name = state.data["name"]
    if name in GENERATED:
        return generated(state)
    if name == "given":
        return written(state)
    if name == "table":
        return tabular(state, uploads.find(state.data["source"]))
    return {"digits": digits, "edges": edge_maps, "text": letters, "sentences": sentences}[name](state)


@dataclass
class Leg:
    """A part of the course without other changes than of the learning rate.

    rates: (steps done before, learning rate) of each change. whole: whether it ended with an epoch, so that `fit`
    repeats it.
    """

    state: State
    epochs: int = 0
    whole: bool = True
    rates: list[tuple[int, float]] = field(default_factory=list)


class Course:
    """A training from its initial weights on. Its methods are called by one thread.

    Raises:
        ThalwegError: the state can't be: its data, its network, or what belongs together and doesn't fit.
    """

    def __init__(self, state: State, uploads: Uploads) -> None:
        self.uploads = uploads
        self.network = Network(state, posed(state, uploads))
        self.legs = [Leg(state)]
        self.curves = Curves(self.network.metric)
        self.responses, self.reading = Responses(self.network), Reading(self.network)
        self.epochs_before = self.iterations_before = 0  # of earlier legs
        self.last: dict[str, Any] = {}  # the scores of the epoch that ended last
        self.step: Step | None = None  # the last single step
        self.path: list[Array] = []
        self.diverged: str | None = None  # what went wrong in the last steps
        self.checkup = Checkup()
        self.initial = scores(self.network.train) or {}
        self.note_point(0, self.initial)

    @property
    def state(self) -> State:
        """As it is now."""
        return self.network.state

    @property
    def bursts(self) -> Bursts:
        """What trains the network."""
        return self.network.bursts

    @property
    def epoch(self) -> int:
        """Epochs that have ended."""
        return self.epochs_before + self.bursts.epochs

    @property
    def iteration(self) -> int:
        """Steps done."""
        return self.iterations_before + self.bursts.epochs * self.bursts.steps_per_epoch + self.bursts.batch

    def change(self, state: State) -> bool:
        """Goes on under another state, if its network can keep the weights; returns whether anything is new.

        Raises:
            ThalwegError: the state can't be; then nothing has changed.
        """
        differs = state.differs_in(self.state)
        if not differs:
            return False
        if differs == {"learning_rate"} and state.schedule is None:
            self.network.model.optimizer.learning_rate = state.learning_rate
            self.network.state = state
            self.legs[-1].rates.append((self.bursts_steps, state.learning_rate))
            return True
        if differs == {"plane"}:
            exercise = posed(state, self.uploads)
            self.network.exercise, self.network.state = exercise, state
            self.responses = Responses(self.network)
            return True
        exercise = posed(state, self.uploads) if "plane" in differs else self.network.exercise
        network = Network(state, exercise, before=self.network)
        leg = self.legs[-1]
        leg.epochs, leg.whole = self.bursts.epochs, self.bursts.batch == 0
        self.epochs_before, self.iterations_before = self.epoch, self.iteration
        self.network, self.step = network, None
        self.responses, self.reading, self.checkup = Responses(network), Reading(network), Checkup()
        self.legs.append(Leg(state))
        return True

    @property
    def bursts_steps(self) -> int:
        """Steps of this leg."""
        return self.bursts.epochs * self.bursts.steps_per_epoch + self.bursts.batch

    def run(self, steps: int) -> None:
        """Trains; notes the scores of the epoch that ended last.

        Raises:
            DivergedError: a value wasn't finite; the last finite weights are kept.
        """
        self.step = None
        bursts = self.bursts
        sampled = self.checkup.due(bursts.steps)
        after = (bursts.batch + steps) % bursts.steps_per_epoch  # steps after the last epoch that ends
        parts = (steps - after, after) if after < steps else (steps,)
        try:
            for part in parts:
                records = bursts.run(part, sampled) if part else []
                sampled = False
                if records:  # validated right at the epoch's end
                    self.note_point(self.epoch, records[-1])
        except DivergedError as error:
            self.diverged = words.Said.of(error)
            raise
        else:
            self.diverged = None
        finally:
            self.legs[-1].epochs, self.legs[-1].whole = bursts.epochs, bursts.batch == 0

    def one_step(self) -> None:
        """Trains on one batch, and keeps what the weights were before."""
        network, bursts = self.network, self.bursts
        before = [kernel_of(layer) for layer in network.kernels]
        rows = len(network.exercise.x) - bursts.batch * bursts.job.batch
        rate = float(network.model.optimizer.learning_rate)
        self.run(1)
        self.step = Step(before, min(rows, bursts.job.batch), self.iteration, rate)

    def note_point(self, epoch: int, train: Logs) -> None:
        """A point of the curves, with the scores of validation now, and of the path."""
        held = None if self.network.held is None else scores(self.network.held)
        self.last = {**train, **{f"val_{key}": value for key, value in (held or {}).items()}}
        self.curves.add(epoch, train, held)
        vector = self.network.model.vector
        if vector.size <= REMEMBERED:
            self.path.append(vector.copy())
            if len(self.path) > PATH:
                self.path = self.path[::2]

    def findings(self) -> list[dict[str, Any]]:
        """What the doctor says of this leg so far."""
        return self.checkup.findings(self.network, self.curves, self.epochs_before, self.diverged)

    def loss_now(self) -> float | None:
        """The loss of all training rows at the weights now; None for many rows, or if it isn't finite."""
        if len(self.network.exercise.x) > SCORED_ROWS:
            return None
        found = scores(self.network.train)
        return None if found is None else found["loss"]


def scores(evaluation: Evaluation) -> dict[str, Any] | None:
    """Loss and metrics; None if they aren't finite."""
    try:
        found = evaluation()
    except DivergedError:
        return None
    return found if np.isfinite(found["loss"]) else None
