"""Writes golden files: models and runs with the numbers that they give. Run: python tests/golden/make.py FOLDER

test_golden.py shows that every later version gives the same. So the files in the folders beside this one are never made
again: when a format changes, this program writes another folder, named for the version that writes it.

A model is NAME.safetensors, and NAME.npz: its data, and what it answers before and after two more epochs of training.
A run is the folder that `thalweg train` wrote, with the file it is asked about and its answers, RUN.npz.
"""

from __future__ import annotations

import csv
import datetime
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import thalweg as keras
from thalweg import Model, Sequential, activations, layers, losses, ops, optimizers
from thalweg.saving import register_keras_serializable

Data = dict[str, Any]
SHARED = {"batch_size": 8, "lanes": 1, "verbose": 0}  # of every training; sums on two lanes run in another order
ROWS = 24


@register_keras_serializable("golden")
class Attention(layers.Layer):
    """A layer of a user's: a weighted mean over a set."""

    def __init__(self, sharpness: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.sharpness = sharpness

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight(shape=(input_shape[-1], 1), name="w")

    def call(self, x: Any) -> Any:
        return ops.sum(ops.softmax(self.sharpness * ops.matmul(x, self.w), axis=1) * x, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sharpness": self.sharpness}


@register_keras_serializable("golden")
class Doubled(Model):
    """A model of a user's, that calls its layers itself."""

    def __init__(self, units: int = 5, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.hidden, self.out = layers.Dense(units, "mish"), layers.Dense(1)

    def call(self, x: Any) -> Any:
        h = self.hidden(x)
        return self.out(h * ops.sigmoid(h)) + 0.5

    def get_config(self) -> dict[str, Any]:
        return {"units": self.units}


# --- models ----------------------------------------------------------------------------------------------------------


def numbers(seed: int = 0) -> tuple[Any, Any]:
    """Rows of four numbers, and which of three classes they belong to."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, 4)).astype("float32")
    return x, np.digitize(x[:, 0] + x[:, 1] * x[:, 2], [-0.4, 0.5])


def dense() -> tuple[Model, Data]:
    """A chain with much that has a setting: regularizers, a formula with weights, dropout, penalties, clipping."""
    x, y = numbers()
    model = Sequential(
        [
            layers.Input((4,)),
            layers.Dense(7, "relu", kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(2.0)),
            layers.BatchNormalization(momentum=0.9),
            layers.Dropout(0.2),
            layers.Dense(6, activations.formula("max(x, 0) + a * min(x, 0)", parameters={"a": 0.25})),
            layers.GaussianNoise(0.1),
            layers.LayerNormalization(),
            layers.Dense(5, "gelu", kernel_initializer="he_normal"),
            layers.PReLU(),
            layers.Dense(3, "softmax"),
        ],
        seed=3,
    )
    rate = keras.schedules.CosineDecay(0.02, 40)
    loss = losses.SparseCategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.5), loss, ["accuracy"])
    return model, {"x": x, "y": y}


def images() -> tuple[Model, Data]:
    """Bytes through convolutions of every kind."""
    random = np.random.default_rng(1)
    x = random.integers(0, 256, (ROWS, 8, 8, 3)).astype("uint8")
    convolutions = [
        layers.Conv2D(4, 3, padding="same", activation="relu", use_bias=False),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Residual([layers.Conv2D(4, 3, padding="same"), layers.GroupNormalization(2), layers.ReLU()]),
        layers.DepthwiseConv2D(2, activation="silu"),
        layers.ZeroPadding2D(1),
        layers.SeparableConv2D(3, 2, strides=2, activation="tanh"),
        layers.Conv2DTranspose(2, 2, dilation_rate=1),
        layers.AveragePooling2D(2),
    ]
    parts = [layers.RandomFlip("horizontal", seed=2), layers.Rescaling(1 / 255, -0.5), *convolutions]
    model = Sequential([layers.Input((8, 8, 3)), *parts, layers.Flatten(), layers.Dense(2, "softmax")], seed=5)
    model.compile(optimizers.SGD(0.05, momentum=0.9, nesterov=True), "sparse_categorical_crossentropy", ["accuracy"])
    return model, {"x": x, "y": np.arange(ROWS) % 2}


def branched() -> tuple[Model, Data]:
    """A graph: words, columns and codes in; a number and a class out; a layer of a user's."""
    random = np.random.default_rng(2)
    x, kind = numbers(2)
    data = {"x_words": random.integers(0, 30, (ROWS, 5)), "x_columns": x}
    data |= {"y_price": x[:, :1] * 2 + 1, "y_kind": kind}
    words, columns = keras.Input((5,), dtype="int32", name="words"), keras.Input((4,), name="columns")
    embedded = layers.Embedding(30, 4, name="table")(words)
    codes = layers.PiecewiseLinearEncoding([[-1.0, 0.0, 1.0], [-2.0, 0.5]])(columns[:, :2])
    waves = layers.PeriodicEmbedding(4, 2, sigma=0.3)(columns[:, 2:])
    scaled = layers.ElementwiseScale()(columns)
    text = layers.Concatenate()([Attention(0.7)(embedded), layers.GlobalMaxPooling1D()(layers.Conv1D(3, 2)(embedded))])
    h = layers.Dense(6, "elu")(layers.Concatenate()([text, codes, waves, scaled]))
    h = layers.RMSNormalization()(h + layers.Dense(6, use_bias=False)(ops.tanh(h)))
    outputs = {
        "price": layers.Dense(1, name="price")(h),
        "kind": layers.Dense(3, activation="softmax", name="kind")(h),
    }
    model = Model([words, columns], outputs, seed=7)
    loss = {"price": losses.Huber(0.8), "kind": "sparse_categorical_crossentropy"}
    model.compile(
        optimizers.RMSprop(0.01, momentum=0.3), loss, loss_weights={"price": 0.3}, metrics={"kind": "accuracy"}
    )
    return model, data


def own() -> tuple[Model, Data]:
    """A model of a user's class, in float64 by the reference engine: its numbers are the same everywhere."""
    x, _ = numbers(3)
    model = Doubled(engine="reference", dtype="float64", seed=9)
    model.compile(optimizers.Nadam(0.01), "log(cosh(y_pred - y_true))", ["mae"])
    return model, {"x": x, "y": x[:, :1] - x[:, 1:2] ** 2}


def centred() -> tuple[Model, Data]:
    """A loss that keeps state from batch to batch."""
    x, y = numbers(4)
    model = Sequential([layers.Input((4,)), layers.Dense(6, "tanh"), layers.Dense(3, "softmax")], seed=2)
    model.compile(optimizers.SGD(0.1), losses.CenterLoss(0.1, alpha=0.4))
    return model, {"x": x, "y": y}


def optimized(name: str) -> Callable[[], tuple[Model, Data]]:
    """A small network trained by one of the optimizers as it is by default, with its averages."""

    def made() -> tuple[Model, Data]:
        x, y = numbers(5)
        model = Sequential([layers.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(3, "softmax")], seed=1)
        model.compile(name, "sparse_categorical_crossentropy")
        return model, {"x": x, "y": y}

    return made


MODELS = {function.__name__: function for function in (dense, images, branched, own, centred)}
MODELS |= {f"optimizer_{name}": optimized(name) for name in optimizers.NAMES}


def given(data: Data, letter: str) -> Any:
    """The arrays of x or of y, as a model takes them: one, or several by name."""
    found = {name.partition("_")[2]: array for name, array in data.items() if name.partition("_")[0] == letter}
    return found.get("", found)


def answers(model: Model, data: Data) -> Data:
    """What the model predicts, as arrays by name."""
    predicted = model.predict(given(data, "x"), verbose=0)
    found = predicted if isinstance(predicted, dict) else {"all": predicted}
    return {f"predicted_{name}": array for name, array in found.items()}


def trained_on(model: Model, data: Data) -> Data:
    """What it answers after two more epochs, and what those said of themselves."""
    history = model.fit(given(data, "x"), given(data, "y"), epochs=model.epochs_trained + 2,
                        initial_epoch=model.epochs_trained, **SHARED)  # fmt: skip
    said = {f"history_{name}": np.array(values) for name, values in history.history.items()}
    return {f"later_{name}": array for name, array in (answers(model, data) | said).items()}


def write_model(folder: Path, name: str) -> None:
    """One model, trained for two epochs, and its numbers."""
    model, data = MODELS[name]()
    model.fit(given(data, "x"), given(data, "y"), epochs=2, **SHARED)
    model.save(folder / f"{name}.safetensors")
    judged = {"loss": np.array(model.evaluate(given(data, "x"), given(data, "y"), verbose=0, return_dict=True)["loss"])}
    np.savez_compressed(folder / f"{name}.npz", **data, **answers(model, data), **judged, **trained_on(model, data))


# --- runs ------------------------------------------------------------------------------------------------------------


def write_rows(path: Path) -> None:
    """A table with numbers, a unit, categories, dates, truth values, and cells that are missing."""
    random = np.random.default_rng(6)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["height", "kind", "planted", "price", "felled", "grade"])
        for number in range(90):
            height, kind = random.normal(20, 5), random.choice(["oak", "ash", "elm"])
            planted = datetime.date(2020, 1, 1) + datetime.timedelta(days=int(random.integers(0, 365)))
            day = f"{planted.day}/{planted.month}/{planted.year}"
            grade = "high" if height + 3 * (kind == "oak") + random.normal() > 21 else "low"
            shown = "" if number % 17 == 3 else f"{height:.1f}"
            price, felled = f"NT${int(1000 + height * 90):,}", random.choice(["yes", "no"])
            rows.writerow([shown, "" if number % 11 == 5 else kind, day, price, felled, grade])


def write_pictures(path: Path) -> None:
    """Little pictures of two kinds, the layers for them, and a picture as a file."""
    from PIL import Image

    random = np.random.default_rng(7)
    x, y = random.integers(0, 256, (60, 6, 6, 1)).astype("uint8"), np.arange(60) % 2
    x[y == 1] //= 3
    np.savez_compressed(path, x=x, y=y)
    path.with_name("net.yaml").write_text("- Conv2D: {filters: 3, kernel_size: 3}\n- Flatten\n", encoding="utf-8")
    Image.fromarray(x[0, :, :, 0]).save(path.with_name("one.png"))


TABLE = ["--members", "2", "--no-trees", "--layers", "8"]
IMAGES = ["--model", "net.yaml", "--flip", "horizontal", "--batch-size", "16"]
RUNS: dict[str, tuple[str, str, list[str]]] = {  # name → what it is trained on, what it is asked about, options
    "classes": ("rows.csv", "rows.csv", ["--target", "grade", *TABLE]),
    "amounts": ("rows.csv", "rows.csv", ["--target", "price", *TABLE]),
    "pictures": ("little.npz", "one.png", IMAGES),
}


def run_answers(folder: Path, name: str) -> Data:
    """What a run predicts, and its scores."""
    run, (source, asked, _) = keras.load_run(folder / name), RUNS[name]
    predict = run.predict if name == "amounts" else run.predict_proba
    scores = {f"score_{score}": np.array(value) for score, value in run.evaluate(folder / source).items()}
    return scores | {"predicted": predict(folder / asked)}


def write_run(folder: Path, name: str) -> None:
    """One run folder, by the command line."""
    source, _, options = RUNS[name]
    shared = ["--epochs", "4", "--seed", "1", "--lanes", "1", "--no-report", "--out", name]
    command = [sys.executable, "-m", "thalweg", "train", source, *options, *shared]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    np.savez_compressed(folder / f"{name}.npz", **run_answers(folder, name))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir()
    for name in MODELS:
        write_model(folder, name)
    write_rows(folder / "rows.csv")
    write_pictures(folder / "little.npz")
    for name in RUNS:
        write_run(folder, name)


if __name__ == "__main__":
    main()
