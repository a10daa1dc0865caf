"""What a report is about: one training, as plain values and arrays. A section shows what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words

if TYPE_CHECKING:
    from thalweg.doctor import Diagnosis

Array = NDArray[Any]
Text = str | dict[str, str]
Figure = dict[str, Any]


ROWS = {"held": words.text("held-out rows"), "trained": words.text("training rows"), "given": words.text("given rows")}
"""What the rows are that a training is judged by."""


def written(value: Any) -> str:
    """A number for people, in four digits; other things as they are.

    >>> [written(value) for value in (0.971043, 12345.6, 3, None, "red")]
    ['0.971', '12,346', '3', '', 'red']
    """
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return str(value)
    number = float(value)
    if not np.isfinite(number):
        return str(number)
    if isinstance(value, int | np.integer) or (1000 <= abs(number) < 1e9):
        return f"{number:,.0f}"
    return f"{number:.4g}"


def score_name(name: str) -> words.Said:
    """A score or metric for people, by its name in scores, in a history or in Keras."""
    return words.Said(name.replace("_", " "), context="score")


def setting_name(name: str) -> words.Said:
    """A setting for people: by the option's own name in English."""
    return words.Said(name, context="setting")


class Clock:
    """The seconds that a report may still take, and what was left out because they were gone."""

    def __init__(self, seconds: float, left_out: list[Text] | None = None) -> None:
        self.end = time.perf_counter() + seconds
        self.left_out: list[Text] = [] if left_out is None else left_out

    def part(self, share: float) -> Clock:
        """A clock for a share of what is left, that notes what it leaves out in the same place."""
        return Clock(share * self.left, self.left_out)

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.end - time.perf_counter())

    def has(self, seconds: float, what: Text) -> bool:
        """Whether so many seconds are left; if not, `what` is noted as left out."""
        if self.left >= seconds:
            return True
        self.left_out.append(what)
        return False


@dataclass(frozen=True, kw_only=True)
class Held:
    """Rows that the network did not learn from, with the truth and what it says.

    Attributes:
        rows: their numbers in the source, from 1; empty if they have none.
        truth: class numbers or numbers, (rows,).
        predicted: probabilities (rows, classes), or numbers (rows,).
        of: how many there were; more than there are here if only a part was kept.
    """

    rows: Array
    truth: Array
    predicted: Array
    of: int

    @property
    def guesses(self) -> Array:
        """The likeliest class of each row, or its number."""
        return self.predicted.argmax(axis=1) if self.predicted.ndim == 2 else self.predicted


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score with its 95 % interval, and those of simpler answers by what gives them; NaN: unknown."""

    name: str
    value: float
    low: float = np.nan
    high: float = np.nan
    others: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ColumnInputs:
    """Inputs in columns, of some of the held rows.

    Attributes:
        at: the places of these rows among the held rows, (rows,); first those drawn at random, then the worst.
        random: how many were drawn at random.
        names: of the columns.
        numeric: whether each holds numbers.
        cells: of each column, as the source has them: float64, or objects, (rows,).
        places: the columns of `x` that each becomes.
        x: the matrix, float32 (rows, features).
        predict: probabilities (rows, classes) or numbers (rows,) for a matrix.
    """

    at: Array
    random: int
    names: list[str]
    numeric: list[bool]
    cells: list[Array]
    places: list[slice]
    x: Array
    predict: Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class PictureInputs:
    """Pictures of some of the held rows: `at` and `random` as for columns, `x` as the network takes them."""

    at: Array
    random: int
    x: Array

    @property
    def bytes(self) -> Array:
        """The pictures as uint8 (rows, height, width, 1 or 3)."""
        return as_bytes(self.x)


def as_bytes(x: Array) -> Array:
    """Pictures (rows, height, width, channels) as uint8 with 1 or 3 channels; numbers are stretched to 0 … 255."""
    shown = x if x.shape[-1] in (1, 3) else x[..., :3] if x.shape[-1] > 3 else x[..., :1]
    if shown.dtype == np.uint8:
        return shown
    low, high = float(np.min(shown, initial=0.0)), float(np.max(shown, initial=1.0))
    if 1 < high <= 255 and low >= 0:
        low, high = 0.0, 255.0
    scaled: Array = np.rint((shown - low) * (255 / ((high - low) or 1.0))).astype(np.uint8)
    return scaled


@dataclass(kw_only=True)
class Network:
    """The network whose insides are shown.

    Attributes:
        model: a compiled model of its own, whose weights nobody else changes; None if there is none to show.
        nodes: its layers and operations in order: {"name", "kind", "shape", "params", "sources"}.
        batch: the rows of a step.
        others: weights of further solutions, vectors as the model's, by what they are.
        again: trains the same network from other initial weights on these rows, and returns its vector; None if that
            can't be.
        seconds: that the training took, if it is known.
    """

    model: Any
    nodes: list[dict[str, Any]]
    batch: int = 32
    others: dict[str, Array] = field(default_factory=dict)
    again: Callable[[int, Array, Array], Array] | None = None
    seconds: float = np.nan


@dataclass(kw_only=True)
class Subject:
    """One training. What isn't known is None or empty, and the report has no section on it.

    Attributes:
        name: for the title.
        facts: what was trained on what, in pairs.
        remarks: sentences that stand above everything: a failure, warnings.
        task: "binary", "multiclass", "regression", or "" if it is none of these.
        target: what is predicted.
        classes: their names.
        held, scores, inputs, network: see their classes.
        judged_by: what the rows of the scores and of `held` are: "held" out, "trained" on, or "given" with the model.
        inside: what the network is that is looked into, if it isn't all that predicts.
        x, y: rows as the network takes them, on which the loss is computed for the landscape.
        looked_up: rows that look-ups in front of the network have turned into ids, if there are no others.
        history: a record for each epoch (of each member).
        metric: what "held_out" in the history is.
        recording: what was measured while it trained (`thalweg.recordings`).
        diagnose: what the doctor says within some seconds, if he knows more than the recording, or has been asked
            already; None: he is asked about the recording.
        code: how to reproduce it: what it is, its language and its text.
        settings: by name, for comparisons.
        sizes: by name, for comparisons: parameters, seconds, …
        missing: what the report lacks, and why.
    """

    name: str
    facts: list[tuple[Text, Text]] = field(default_factory=list)
    remarks: list[Text] = field(default_factory=list)
    task: str = ""
    target: str = ""
    classes: Sequence[str] = ()
    held: Held | None = None
    judged_by: str = "held"
    scores: list[Score] = field(default_factory=list)
    inputs: ColumnInputs | PictureInputs | None = None
    network: Network | None = None
    inside: Text | None = None
    x: Any = None
    y: Any = None
    looked_up: Any = None
    history: list[dict[str, Any]] = field(default_factory=list)
    metric: str = ""
    recording: Any = None
    diagnose: Callable[[float], Diagnosis | None] | None = None
    code: list[tuple[Text, str, str]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)
    missing: list[Text] = field(default_factory=list)

    @property
    def rows_name(self) -> dict[str, str]:
        """What the rows are called that it is judged by."""
        return ROWS[self.judged_by]


def thinned(count: int, most: int) -> Array:
    """At most so many places of 0 … count-1, evenly spread, with the first and the last.

    >>> thinned(10, 4).tolist(), thinned(3, 4).tolist()
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if count <= most:
        return np.arange(count)
    return np.unique(np.rint(np.linspace(0, count - 1, most)).astype(int))
