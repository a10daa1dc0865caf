"""Healthy trainings: usual networks on many tables and images, kept if they predict as well as is known to be possible.

Healthy is defined without the doctor and without any loss: on rows that neither network nor validation has seen, the
accuracy (of numbers: R²) is within a margin of the best of scikit-learn's models of several kinds, or of the best
training here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import Sequential, layers
from thalweg.data.tables import read_table
from thalweg.errors import DivergedError
from thalweg.optimizers import SGD, Adam, AdamW, RMSprop
from thalweg.regularizers import L2
from thalweg.tabular.features import Features, Target

Array = NDArray[Any]

SHARED = Path(__file__).parents[3] / "shared" / "data"
"""A folder of tables and images that may be there."""
MOST = 2_500
"""Rows of a data set that are used."""
TABLES = ("penguins", "titanic", "abalone", "spambase", "telco_churn", "nursery", "reg_cpu_act")
"""The tables of the shared folder that are used."""
CLOSE = 0.02
"""How much lower than the best known an accuracy may be, besides a standard error; R² three times that."""


@dataclass(frozen=True)
class Data:
    """A data set, divided: rows to train on, to validate on, and to judge by."""

    name: str
    kind: str  # "table" or "images"
    parts: tuple[tuple[Array, Array], tuple[Array, Array], tuple[Array, Array]]
    classes: int  # 0: the target is a number


@dataclass(frozen=True)
class Course:
    """How a network is trained."""

    hidden: tuple[int, ...]
    activation: str
    optimizer: Callable[[], Any]
    told: str  # the optimizer in words
    epochs: int
    batch: int = 32
    dropout: float = 0.0
    normalised: bool = False
    l2: float = 0.0

    def __str__(self) -> str:
        return f"{self.hidden} {self.activation}, {self.told}, {self.epochs} epochs in batches of {self.batch}"


def standardised(rows: tuple[Array, Array], classes: int, kind: str, name: str, seed: int = 0) -> Data:
    """The data in three parts (60 : 20 : 20); columns, and numbers to predict, by the first part's mean and scale."""
    x, y = rows
    order = np.random.default_rng(seed).permutation(len(x))[:MOST]
    x, y = x[order].astype(np.float32), y[order]
    first, second = int(0.6 * len(x)), int(0.8 * len(x))
    if kind == "table":
        mean, scale = x[:first].mean(axis=0), x[:first].std(axis=0)
        x = (x - mean) / np.where(scale > 0, scale, 1)
    if not classes:
        y = ((y - y[:first].mean()) / y[:first].std()).astype(np.float32)[:, None]
    elif classes == 2:
        y = (y > 0).astype(np.float32)[:, None]
    cut = [slice(0, first), slice(first, second), slice(second, None)]
    return Data(name, kind, tuple((x[part], y[part]) for part in cut), classes)  # type: ignore[arg-type]


def toys() -> Iterator[Data]:
    """scikit-learn's tables."""
    from sklearn import datasets as toy

    for name, load in {
        "iris": toy.load_iris, "wine": toy.load_wine, "breast cancer": toy.load_breast_cancer, "digits": toy.load_digits
    }.items():  # fmt: skip
        x, y = load(return_X_y=True)
        yield standardised((x, y), len(np.unique(y)), "table", name)
    yield standardised(toy.load_diabetes(return_X_y=True), 0, "table", "diabetes")
    yield standardised(toy.make_moons(1000, noise=0.2, random_state=0), 2, "table", "moons")
    yield standardised(toy.make_circles(1000, noise=0.1, factor=0.5, random_state=0), 2, "table", "circles")
    yield standardised(toy.make_blobs(600, centers=4, cluster_std=1.8, random_state=3), 4, "table", "blobs")
    yield standardised(toy.make_friedman1(1500, noise=1.0, random_state=0), 0, "table", "friedman")
    made = toy.make_classification(2000, 12, n_informative=6, n_classes=3, class_sep=1.0, random_state=1)
    yield standardised(made, 3, "table", "made classes")
    rare = toy.make_classification(3000, 10, n_informative=5, weights=[0.9], class_sep=1.2, random_state=2)
    yield standardised(rare, 2, "table", "nine to one")
    x, y = toy.load_digits(return_X_y=True)
    yield standardised((x.reshape(-1, 8, 8, 1) / 16, y), 10, "images", "digits as images")


def table(name: str) -> Iterator[Data]:
    """A table in the shared folder, if it is there, its columns prepared as `thalweg train` does."""
    path = SHARED / f"{name}.parquet"
    if not path.exists():
        return
    table = read_table(path)
    rows = np.random.default_rng(0).permutation(table.rows)[:MOST]
    table = table.take(np.sort(rows))
    goal = Target.of(table, "target", None)
    features = Features.fit(table, goal)
    assert features.target is not None
    y = features.targets(table).ravel()
    classes = len(features.target.classes) if goal.task != "regression" else 0
    yield standardised((features.matrix(table), y), classes, "table", name)


def pictures() -> Iterator[Data]:
    """Digits of 28×28 pixels from the shared folder, as numbers from 0 to 1."""
    path = SHARED / "mnist.npz"
    if path.exists():
        with np.load(path) as file:
            x, y = file["X_train"][:MOST], file["y_train"][:MOST]
        yield standardised((x[..., None] / 255, y.astype(int)), 10, "images", "mnist")


@cache
def everything() -> list[Data]:
    return [*toys(), *(data for name in TABLES for data in table(name)), *pictures()]


def known(data: Data) -> float:
    """The best score on the judging rows of several kinds of models that learn from the training rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.svm import SVC, SVR

    (x, y), _, (new_x, new_y) = data.parts
    x, new_x = x.reshape(len(x), -1), new_x.reshape(len(new_x), -1)
    models: list[Any] = [Ridge(), SVR(), RandomForestRegressor(n_jobs=1), HistGradientBoostingRegressor()]
    if data.classes:
        models = [LogisticRegression(max_iter=1000), SVC(), RandomForestClassifier(n_jobs=1)]
    return max(float(model.fit(x, y.ravel()).score(new_x, new_y.ravel())) for model in models)


def score(data: Data, outputs: Array) -> float:
    """Accuracy, or R², of a network's outputs for the judging rows."""
    y = data.parts[2][1].astype(np.float64)
    if not data.classes:
        return float(1 - np.square(outputs - y).mean() / y.var())
    guesses = outputs[:, 0] > 0.5 if data.classes == 2 else outputs.argmax(axis=1)
    return float((guesses == y.ravel()).mean())


def margin(data: Data, best: float) -> float:
    """How far below the best a healthy score may be."""
    if not data.classes:
        return 3 * CLOSE
    rows = len(data.parts[2][1])
    share = (best * rows + 1) / (rows + 2)
    return CLOSE + float(np.sqrt(share * (1 - share) / rows))


def courses(data: Data, seed: int) -> Course:
    """A sensible way to train on these rows, drawn by the seed: epochs neither few nor many for their number."""
    random = np.random.default_rng([seed, len(data.parts[0][0])])
    optimizers: list[tuple[str, Callable[[], Any]]] = [
        ("Adam(0.001)", lambda: Adam(0.001)), ("Adam(0.003)", lambda: Adam(0.003)), ("Adam(0.01)", lambda: Adam(0.01)),
        ("SGD(0.05, momentum 0.9)", lambda: SGD(0.05, momentum=0.9)), ("SGD(0.1)", lambda: SGD(0.1)),
        ("RMSprop(0.001)", lambda: RMSprop(0.001)), ("AdamW(0.002)", lambda: AdamW(0.002)),
    ]  # fmt: skip
    told, optimizer = optimizers[random.integers(len(optimizers))]
    hidden = [(16,), (64,), (32, 32), (128, 64), (64, 64, 32)][random.integers(5)]
    activation = str(random.choice(["relu", "relu", "tanh", "elu", "gelu", "leaky_relu", "sigmoid", "selu"]))
    steps = int(random.choice([600, 1500, 4000]))
    batch = int(random.choice([16, 32, 64]))
    if data.kind == "images":
        steps = min(steps, 1500)
    epochs = int(np.clip(steps * batch / len(data.parts[0][0]), 5, 200))
    dropout = float(random.choice([0.0, 0.0, 0.2]))
    if activation == "sigmoid":
        hidden = hidden[:1]
    special = random.random()  # one of both, or neither
    l2 = 1e-3 if special > 0.85 else 0.0
    return Course(hidden, activation, optimizer, told, epochs, batch, dropout, bool(special < 0.15), l2)


def network(data: Data, course: Course, seed: int) -> Sequential:
    """The network of a course for these rows; of images, every second one has convolutions."""
    stack: list[Any] = [layers.Input(data.parts[0][0].shape[1:])]
    if data.kind == "images":
        if seed % 2:
            stack += [layers.Conv2D(8, 3, activation=course.activation), layers.MaxPooling2D()]
        stack.append(layers.Flatten())
    for units in course.hidden:
        if course.normalised:
            stack += [layers.Dense(units), layers.BatchNormalization(), layers.Activation(course.activation)]
        else:
            stack.append(
                layers.Dense(units, course.activation, kernel_regularizer=L2(course.l2) if course.l2 else None)
            )
        if course.dropout:
            stack.append(layers.Dropout(course.dropout))
    if data.classes > 2:
        stack.append(layers.Dense(data.classes, "softmax"))
    else:
        stack.append(layers.Dense(1, "sigmoid" if data.classes else "linear"))
    return Sequential(stack, seed=seed)


def trained(data: Data, course: Course, seed: int) -> Sequential:
    """The model after a recorded fit."""
    model = network(data, course, seed)
    loss = {0: "mean_squared_error", 2: "binary_crossentropy"}.get(data.classes, "sparse_categorical_crossentropy")
    model.compile(course.optimizer(), loss, metrics=["accuracy"] if data.classes else None)
    (x, y), validation, _ = data.parts
    how: dict[str, Any] = {"batch_size": course.batch, "epochs": course.epochs, "lanes": 1, "verbose": 0}
    with suppress(DivergedError):  # its sentence is in the recording
        model.fit(x, y, validation_data=validation, record=True, **how)
    return model


def train(data: Data, seed: int) -> tuple[str, Sequential]:
    """The course that the seed draws, in words, and the model after it."""
    course = courses(data, seed)
    return f"{course}, seed {seed}", trained(data, course, seed)
