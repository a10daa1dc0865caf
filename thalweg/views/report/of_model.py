"""What a report shows of a model by itself: rows given with it, or those that its recording kept."""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import optimizers
from thalweg.errors import ArgumentError, DivergedError
from thalweg.support.naming import snake_case
from thalweg.version import __version__
from thalweg.views.report.subject import (
    Array,
    ColumnInputs,
    Held,
    Network,
    PictureInputs,
    Score,
    Subject,
    Text,
    both,
    written,
)
from thalweg.views.report.worst_rows import worst_of

if TYPE_CHECKING:
    from thalweg.models.model import Model

MOST_ROWS, MOST_INPUTS = 20_000, 2_000
"""Rows that are judged, and rows whose inputs are used."""
MOST_COLUMNS = 2_000
RETRAINED_STEPS = 2_000
"""A network of other initial weights is trained for so many steps at most."""


def subject_of(model: Model, nodes: Sequence[Any], x: Any = None, y: Any = None) -> Subject:
    """What is known of a model.

    Args:
        model: compiled and built.
        nodes: its layers and operations, with name, kind, shape, params, sources.
        x, y: rows to judge it by; by default those that the recording kept of the validation, or of the training.
    """
    if (x is None) != (y is None):
        raise ArgumentError("report takes x and y together, or neither, for rows that the recording kept")
    if not model.built or not model.compiled:
        raise ArgumentError("a report is of a model that is compiled and whose shapes are known: compile and fit it")
    recording = getattr(model, "recording", None)
    facts = {} if recording is None else recording.facts
    subject = Subject(name=str(model.name), recording=recording, history=records_of(model))
    subject.facts = described(model, facts)
    subject.sizes = {"weights": float(model.count_params()), "seconds": float(facts.get("seconds") or np.nan)}
    subject.settings = settings_of(model, facts)
    subject.code = code_of(model, facts)
    batch, _, seconds = trained(model, facts)
    subject.network = Network(
        model=model,
        nodes=[vars(node) for node in nodes],
        batch=batch,
        again=retrained(model, batch, model.optimizer.iterations),
    )
    subject.network.seconds = seconds * retrained_share(model.optimizer.iterations)
    if facts.get("diverged"):
        subject.remarks.append(both(f"The training failed: {facts['diverged']}", f"訓練失敗：{facts['diverged']}"))
    if recording is None:
        subject.missing.append(
            both(
                "Nothing was recorded while it trained: fit(..., record=True) gives the layers' statistics, the loss "
                "by batch, the path of descent and the doctor's findings.",
                "訓練時沒有記錄：fit(..., record=True) 可得各層統計、逐批次損失、下降路徑與診斷。",
            )
        )
    elif recording.sample.x is not None:
        subject.x, subject.y = recording.sample.x, recording.sample.y
    given = rows_of(subject, recording, x, y)
    if given is not None:
        judged(subject, model, *given)
        if subject.scores and x is None and recording is not None and recording.sample.held_x is None:
            subject.remarks.append(
                both(
                    "Judged by rows that it was trained on, as no others were kept: new rows will fare worse.",
                    "以訓練過的資料列評判（沒有保留其他資料列）：新的資料列會表現得較差。",
                )
            )
        if subject.x is None and isinstance(given[0], np.ndarray):
            subject.x, subject.y = given[0][:MOST_INPUTS], given[1][:MOST_INPUTS]
    return subject


def rows_of(subject: Subject, recording: Any, x: Any, y: Any) -> tuple[Any, Any] | None:
    """The rows to judge by: those given, those validated on, or those trained on; None if there are none."""
    if x is not None:
        return plain(x), plain(y)
    sample = None if recording is None else recording.sample
    if sample is None or (sample.held_x is None and sample.x is None):
        subject.missing.append(
            both(
                "There are no rows to judge it by: give x and y, or validate while it trains.",
                "沒有可用來評判的資料列：請給 x 與 y，或在訓練時驗證。",
            )
        )
        return None
    if sample.held_x is not None and sample.held_y is not None:
        return sample.held_x, sample.held_y
    return None if sample.y is None else (sample.x, sample.y)


def plain(data: Any) -> Any:
    """Rows as an array; several inputs or outputs as they are."""
    return data if isinstance(data, dict | tuple) or _nested(data) else np.asarray(data)


def _nested(data: Any) -> bool:
    """Whether it is a list of arrays."""
    return isinstance(data, list) and len(data) > 0 and isinstance(data[0], np.ndarray)


def records_of(model: Model) -> list[dict[str, Any]]:
    """The history's records; none if it was never trained."""
    return [] if model.history is None else model.history.records()


def described(model: Model, facts: dict[str, Any]) -> list[tuple[Text, Text]]:
    """What was trained on what."""
    lines: list[tuple[Text, Text]] = [
        (both("model", "模型"), f"{type(model).__name__} {model.name}: {model.count_params():,} weights"),
        (both("rows of shape", "資料列的形狀"), str(model.input_shape)),
        (both("loss", "損失函數"), written(getattr(model.loss, "name", model.loss))),
        (both("optimizer", "最佳化方法"), type(model.optimizer).__name__),
    ]
    if facts.get("rows"):
        held = facts.get("held_rows") or 0
        lines.append((both("rows trained on, validated on", "訓練與驗證的列數"), f"{facts['rows']:,}, {held:,}"))
    if facts.get("steps") is not None:
        seconds = facts.get("seconds")
        took = "" if seconds is None else f", {seconds:.2f} s"
        done, asked = written(facts.get("epochs_done")), facts.get("epochs")
        lines.append(
            (
                both("training", "訓練"),
                both(
                    f"{facts['steps']:,} steps, {done} of {asked} epochs{took}",
                    f"{facts['steps']:,} 步，{asked} 輪中的 {done} 輪{took}",
                ),
            )
        )
    return lines


def settings_of(model: Model, facts: dict[str, Any]) -> dict[str, str]:
    """The four knobs and the others."""
    loss = getattr(model.loss, "name", model.loss)
    optimizer = optimizers.serialize(model.optimizer)["config"]
    return {
        "loss": written(loss),
        "optimizer": type(model.optimizer).__name__,
        "learning rate": json.dumps(optimizer.get("learning_rate")),
        "batch size": written(facts.get("batch")),
        "epochs": written(facts.get("epochs")),
        "seed": str(model.seed),
        "engine": model.engine,
    }


def trained(model: Model, facts: dict[str, Any]) -> tuple[int, int, float]:
    """Rows of a step, epochs, and seconds of the last training, as far as they are known."""
    history = model.history
    seconds = float(facts.get("seconds") or (history.seconds if history is not None else 0.0))
    epochs = facts.get("epochs") or (len(history.epoch) if history is not None else 0)
    return int(facts.get("batch") or 32), max(1, int(epochs)), seconds


# --- rows ------------------------------------------------------------------------------------------------------------


def task_of(model: Model, y: Any) -> tuple[str, int]:
    """ "binary", "multiclass" or "regression" and the number of classes; "" for anything else."""
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 1 or not isinstance(y, np.ndarray):
        return "", 0
    loss = str(getattr(model.loss, "name", ""))
    if shape[0] > 1 and "categorical" in loss:
        return "multiclass", shape[0]
    if shape[0] == 1 and ("binary" in loss or "bce" in loss):
        return "binary", 2
    known = y.size == len(y) and y.dtype.kind in "fiub"
    return ("regression", 0) if shape[0] == 1 and known else ("", 0)


def judged(subject: Subject, model: Model, x: Any, y: Any) -> None:
    """Adds scores, predictions and inputs."""
    try:
        values = model.evaluate(x, y, verbose=0, return_dict=True)
        subject.scores = [Score(name=name, value=float(value)) for name, value in values.items()]
    except DivergedError as error:
        subject.missing.append(both(f"There are no scores: {error}", f"沒有分數：{error}"))
        return
    subject.task, classes = task_of(model, y)
    if not subject.task or not isinstance(x, np.ndarray):
        return
    subject.classes, subject.target = [str(k) for k in range(classes)], "y"
    count = len(x)
    rows = np.arange(count)
    if count > MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(count, MOST_ROWS, replace=False))
        x, y = x[rows], y[rows]
    truth = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))
    subject.held = Held(rows=rows + 1, truth=truth, predicted=answers(model, subject.task, x), of=count)
    subject.inputs = inputs_of(subject.held, model, subject.task, x)


def answers(model: Model, task: str, x: Array) -> Array:
    """Probabilities (rows, classes), or numbers (rows,)."""
    y_pred = np.asarray(model.predict(x, verbose=0), np.float64)
    if task == "regression":
        return y_pred[:, 0]
    logits = bool(getattr(model.loss, "from_logits", False))
    if task == "binary":
        share = 1 / (1 + np.exp(-np.clip(y_pred[:, 0], -700, 700))) if logits else y_pred[:, 0]
        return np.stack([1 - share, share], axis=1)
    if logits:
        y_pred = np.exp(y_pred - y_pred.max(axis=1, keepdims=True))
    shares: Array = y_pred / np.maximum(y_pred.sum(axis=1, keepdims=True), 1e-30)
    return shares


def inputs_of(held: Held, model: Model, task: str, x: Array) -> ColumnInputs | PictureInputs | None:
    """The inputs of some rows drawn at random, and of the worst."""
    drawn = np.random.default_rng(0).permutation(len(x))[:MOST_INPUTS]
    worst = np.setdiff1d(worst_of(held), drawn)
    at = np.concatenate([drawn, worst])
    if x.ndim == 4:
        return PictureInputs(at=at, random=len(drawn), x=x[at])
    if x.ndim != 2 or x.shape[1] > MOST_COLUMNS or x.dtype.kind not in "fiub":
        return None
    kept = np.ascontiguousarray(x[at])
    columns = kept.shape[1]
    return ColumnInputs(
        at=at,
        random=len(drawn),
        names=[f"x{k}" for k in range(columns)],
        numeric=[True] * columns,
        cells=[kept[:, k].astype(np.float64) for k in range(columns)],
        places=[slice(k, k + 1) for k in range(columns)],
        x=kept,
        predict=lambda rows: answers(model, task, rows),
    )


# --- other seeds, and code -------------------------------------------------------------------------------------------


def retrained(model: Model, batch: int, steps: int) -> Callable[[int, Array, Array], Array] | None:
    """What trains the same network from other initial weights for about so many steps, `RETRAINED_STEPS` at most.

    None if it can't be made again from its description.
    """
    if "layers" not in model.get_config() and "calls" not in model.get_config():
        return None
    steps = min(RETRAINED_STEPS, steps)

    def again(seed: int, x: Array, y: Array) -> Array:
        other = type(model).from_config(model.get_config() | {"seed": model.seed + seed})
        other.compile(optimizers.get(optimizers.serialize(model.optimizer)), model.loss)
        epochs = max(1, steps // -(-len(x) // batch))
        other.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
        return np.concatenate([array.ravel() for array in other.get_weights()])

    return again


def retrained_share(steps: int) -> float:
    """The part of a training of so many steps that such a training takes."""
    return min(1.0, RETRAINED_STEPS / max(1, steps))


def code_of(model: Model, facts: dict[str, Any]) -> list[tuple[Text, str, str]]:
    """Python that makes and trains the same model, and the versions."""
    config = model.get_config()
    optimizer = optimizers.serialize(model.optimizer)
    loss = getattr(model.loss, "name", None)
    if "layers" in config and "calls" not in config:
        shape = [f"    Input({tuple(config['input_shape'])!r})," if "input_shape" in config else ""]
        body = [line for line in [*shape, *(f"    {layer_code(one)}," for one in model.layers)] if line]
        made = [
            "from thalweg import Input, Sequential, layers",
            "",
            "model = Sequential([",
            *body,
            f"], seed={model.seed})",
        ]
    elif "calls" in config:
        text = model.to_json()
        made = ["from thalweg.models import model_from_json", "", f"model = model_from_json({text!r})"]
    else:
        made = [f"model = {type(model).__name__}()  # your own class"]
    rate = optimizer["config"].get("learning_rate")
    given = f"{optimizer['class_name']}({rate!r})" if isinstance(rate, float) else repr(optimizer)
    imported = f"from thalweg.optimizers import {optimizer['class_name']}" if isinstance(rate, float) else ""
    lines = [*([imported] if imported else []), *made]
    if loss is not None:
        lines.append(f"model.compile({given}, {loss!r}, metrics={[str(m) for m in names_of(model)]!r})")
    batch, epochs, _ = trained(model, facts)
    lines.append(f"model.fit(x, y, batch_size={batch}, epochs={epochs}, record=True)")
    versions = f"thalweg {__version__}\npython {platform.python_version()}\nnumpy {np.__version__}\n"
    return [
        (both("In Python", "以 Python"), "python", "\n".join(lines) + "\n"),
        (both("Versions", "版本"), "text", versions),
    ]


def names_of(model: Model) -> list[str]:
    """The metrics as compile takes them, those that have names."""
    return [name for name in model.metrics_names if name != "loss"]


def layer_code(layer: Any) -> str:
    """A layer as it is written in Python: the arguments that aren't the default."""
    signature = inspect.signature(type(layer).__init__)
    usual = {name: p.default for name, p in signature.parameters.items()}
    given = []
    for name, value in layer.get_config().items():
        shown = short(value)
        default = usual.get(name, inspect.Parameter.empty)
        if name == "name" or shown == default or (isinstance(default, tuple) and shown == list(default)):
            continue
        given.append(f"{name}={tuple(shown) if isinstance(shown, list) else shown!r}")
    return f"layers.{type(layer).__name__}({', '.join(given)})"


def short(value: Any) -> Any:
    """A description without arguments by its name: {"class_name": "Zeros", "config": {}} → "zeros"."""
    described = isinstance(value, dict) and value.keys() == {"class_name", "config"}
    if described and all(argument is None for argument in value["config"].values()):
        return snake_case(value["class_name"])
    return value
