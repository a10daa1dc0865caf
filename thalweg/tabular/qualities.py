"""What "fast", "balanced" and "best" mean: the settings of an ensemble of networks for tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.support.checks import number, whole
from thalweg.support.naming import choose
from thalweg.tabular.holdouts import FOLDS

FEW = 256
"""Up to so many different rows are few: see `Settings.of_few_rows`."""
BATCH, LEAST_BATCH, STEPS = 256, 16, 16
LEAST_ROWS = 2000
OF_MEMBERS = (
    *("members", "layers", "activation", "initial_weights", "loss", "optimizer", "learning_rate", "batch_size"),
    *("epochs", "dropout", "l2"),
)
"""The settings that may be given in place of those of the quality."""


@dataclass(frozen=True)
class Settings:
    """The members of an ensemble, and how each is trained.

    Attributes:
        members: how many networks. members_of_few: of few rows; 0: as many as the folds, and twice `members` at least.
        together: whether all networks keep the same epoch, by all rows that are held out.
        trees: kinds of scikit-learn's models that may join them, by what they predict out of fold.
        tree_rows: of more rows no trees are grown.
        layers: units of the hidden layers.
        activation, initial_weights, loss, optimizer, learning_rate: as the estimators take them; None is the default.
        batch_size, epochs: of a training; None and 0: see `batch_of` and `epochs_of`. It ends early once
            `epoch ≥ 2.5·best + 4`.
        row_epochs: how often a row is learned from, in all, unless `epochs` are asked for.
        longer: with a time limit that allows fewer members, a training may have so many times the epochs; 1, if they
            are asked for.
        dropout: the share of hidden units; None: 0.15 for classes, 0 for numbers.
        l2: a penalty on the kernels.
        patience: epochs without a better one after which a training ends; 0: never; None: as said.
        held_share: of the rows, to choose the epoch on: 0: none, the last epoch is kept; None: an eighth.
        leaves: of the trees whose thresholds are the edges of a number's codes.
        numbers: at most so many numbers, the most telling ones, get codes and an embedding.
        batch_normalization: whether it stands before the activation of each hidden layer.
    """

    members: int = 4
    members_of_few: int = 0
    together: bool = False
    trees: tuple[str, ...] = ()
    tree_rows: int = 1_000_000
    layers: tuple[int, ...] = (128, 128, 128)
    activation: Any = "mish"
    initial_weights: Any = None
    loss: Any = None
    optimizer: Any = None
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int = 0
    row_epochs: int = 8_000_000
    longer: int = 2
    dropout: float | None = None
    l2: float = 0.0
    patience: int | None = None
    held_share: float | None = None
    leaves: int = 16
    numbers: int = 200
    batch_normalization: bool = False

    @property
    def folds(self) -> int:
        """Into how many parts the rows are divided, of which a member holds out one; 0: nothing is held out."""
        if self.held_share is None:
            return FOLDS
        return max(2, round(1 / self.held_share)) if self.held_share else 0

    def of_few_rows(self) -> Settings:
        """The settings for a table of few rows, of which each fold has a handful.

        They would choose each network's epoch by luck: so all networks keep one epoch, by the rows that any of them
        holds out, and they are enough for every row to be held out. A linear model joins those that may join;
        boosted trees don't, whose leaves need 20 rows.

        >>> few = QUALITIES["balanced"].of_few_rows()
        >>> few.members, few.together, few.trees
        (8, True, ('linear model', 'ExtraTrees'))
        """
        if not self.folds:
            return self
        members = self.members_of_few or max(FOLDS, 2 * self.members)
        trees = (LINEAR, *(kind for kind in self.trees if kind != KINDS[0])) if self.trees else ()
        return replace(self, members=members, together=True, trees=trees)

    def batch_of(self, rows: int) -> int:
        """Rows a step: as asked; otherwise 256, and of fewer than 4,096 rows 1/16, between 16 and 256, as a power of 2.

        >>> [Settings().batch_of(rows) for rows in (100, 1000, 5000)], Settings(batch_size=64).batch_of(10)
        ([16, 32, 256], 10)
        """
        asked = self.batch_size or max(LEAST_BATCH, min(BATCH, 1 << max(1, rows // STEPS).bit_length() - 1))
        return min(asked, rows)

    def epochs_of(self, rows: int, task: str) -> int:
        """Epochs: as asked; otherwise 16 for two classes from 2,000 rows on, else 32; of many rows fewer, 4 at least.

        >>> settings = QUALITIES["fast"]
        >>> [settings.epochs_of(rows, "binary") for rows in (500, 5000, 400_000, 10_000_000)]
        [32, 16, 10, 4]
        """
        few = 16 if task == "binary" and rows >= LEAST_ROWS else 32
        return self.epochs or max(4, min(few, self.row_epochs // rows))


LINEAR = "linear model"
KINDS = ("HistGradientBoosting", "ExtraTrees")

QUALITIES: Mapping[str, Settings] = {
    "fast": Settings(members=2, trees=KINDS[:1], tree_rows=100_000, row_epochs=4_000_000),
    "balanced": Settings(trees=KINDS),
    "best": Settings(members=8, layers=(256, 256, 256), trees=KINDS, row_epochs=16_000_000),
}


def settings_of(quality: str, **given: Any) -> Settings:
    """The settings of a quality, except what is given and not None, checked.

    >>> settings_of("balanced", members=2, layers=64).layers
    (64,)
    """
    chosen = choose("quality", quality, QUALITIES)
    changes = {name: value for name, value in given.items() if value is not None}
    if changes.get("members") == "networks":
        del changes["members"]
        chosen = replace(chosen, trees=())
    if "members" in changes:
        changes["members_of_few"] = changes["members"]
    if "held_share" in changes:
        changes["held_share"] = number("held_share", changes["held_share"], 0, 0.9)
    if "patience" in changes:
        changes["patience"] = whole("patience", changes["patience"], 0)
    if "l2" in changes:
        changes["l2"] = number("l2", changes["l2"])
    for name in ("members", "members_of_few", "batch_size", "epochs"):
        if name in changes:
            changes[name] = whole(name, changes[name])
    if "epochs" in changes:
        changes["longer"] = 1
    if "layers" in changes:
        changes["layers"] = _units(changes["layers"])
    if "dropout" in changes:
        changes["dropout"] = number("dropout", changes["dropout"], 0, 1)
    if "learning_rate" in changes and not number("learning_rate", changes["learning_rate"]):
        raise ArgumentError("learning_rate has to be positive, got 0")
    return replace(chosen, **changes)


def _units(layers: Any) -> tuple[int, ...]:
    listed = layers if isinstance(layers, Sequence) and not isinstance(layers, str) else [layers]
    return tuple(whole("units of a hidden layer", units) for units in listed)
