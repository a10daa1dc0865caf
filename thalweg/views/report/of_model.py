"""What a report shows of a model by itself: rows given with it, or those that its recording kept."""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg import layers, losses, metrics, optimizers, words
from thalweg.errors import ArgumentError, DivergedError, ThalwegError
from thalweg.losses.traced import FunctionLoss
from thalweg.recordings.compiled_model import WholeModel
from thalweg.support.naming import snake_case
from thalweg.support.nested import leaves
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
    written,
)
from thalweg.views.report.worst_rows import worst_of

MOST_ROWS, MOST_INPUTS = 20_000, 2_000
"""Rows that are judged, and rows whose inputs are used."""
MOST_COLUMNS = 2_000
RETRAINED_STEPS = 2_000
"""A network of other initial weights is trained for so many steps at most."""


def subject_of(model: WholeModel, nodes: Sequence[Any], x: Any = None, y: Any = None) -> Subject:
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
    history = [] if model.history is None else model.history.records()
    subject = Subject(name=str(model.name), recording=recording, history=history)
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
        subject.remarks.append(words.text("The training failed: {error}", error=facts["diverged"]))
    if recording is None:
        subject.missing.append(
            words.text(
                "Nothing was recorded while it trained: fit(..., record=True) gives the layers' "
                "statistics, the loss by batch, the path of descent and the doctor's findings."
            )
        )
    elif looks_up(model):
        subject.looked_up = recording.sample.x
    elif recording.sample.x is not None:
        subject.x, subject.y = recording.sample.x, recording.sample.y
    given = rows_of(subject, model, recording, x, y)
    if given is not None:
        judged(subject, model, *given)
        if subject.scores and subject.judged_by == "trained":
            subject.remarks.append(
                words.text("Judged by rows that it was trained on, as no others were kept: new rows will fare worse.")
            )
        if subject.x is None:
            subject.x, subject.y = (taken(data, slice(MOST_INPUTS)) for data in given)
    return subject


def looks_up(model: WholeModel) -> bool:
    """Whether layers in front turn words or numbers into ids, before the network."""
    return any(feed.lookups for feed in model._compiled.graph.feeds)


def rows_of(subject: Subject, model: WholeModel, recording: Any, x: Any, y: Any) -> tuple[Any, Any] | None:
    """The rows to judge by: those given, those validated on, or those trained on; None if there are none."""
    if x is not None:
        subject.judged_by = "given"
        return plain(x), plain(y)
    sample = None if recording is None else recording.sample
    if looks_up(model):
        subject.missing.append(
            words.text("The recording kept what its look-ups made of the rows: give x and y to judge it by.")
        )
        return None
    if sample is None or (sample.held_x is None and sample.x is None):
        subject.missing.append(
            words.text("There are no rows to judge it by: give x and y, or validate while it trains.")
        )
        return None
    if sample.held_x is not None and sample.held_y is not None:
        return sample.held_x, sample.held_y
    subject.judged_by = "trained"
    return None if sample.y is None else (sample.x, sample.y)


def plain(data: Any) -> Any:
    """Rows as an array; several inputs or outputs as they are."""
    several = isinstance(data, list) and len(data) > 0 and isinstance(data[0], np.ndarray)
    return data if isinstance(data, dict | tuple) or several else np.asarray(data)


def taken(data: Any, rows: Any) -> Any:
    """These rows of an array, or of each of several."""
    if isinstance(data, dict):
        return {name: np.asarray(array)[rows] for name, array in data.items()}
    return [np.asarray(array)[rows] for array in data] if isinstance(data, list | tuple) else data[rows]


def described(model: WholeModel, facts: dict[str, Any]) -> list[tuple[Text, Text]]:
    """What was trained on what."""
    lines: list[tuple[Text, Text]] = [
        (
            words.text("model"),
            words.text(
                "{kind} {name}: {count:,} weights",
                kind=type(model).__name__,
                name=model.name,
                count=model.count_params(),
            ),
        ),
        (words.text("rows of shape"), str(model.row_in)),
        (words.text("loss", context="fact"), written(getattr(model.loss, "name", model.loss))),
        (words.text("optimizer"), type(model.optimizer).__name__),
    ]
    if facts.get("rows"):
        held = facts.get("held_rows") or 0
        lines.append((words.text("rows trained on, validated on"), f"{facts['rows']:,}, {held:,}"))
    if facts.get("steps") is not None:
        seconds = facts.get("seconds")
        took = "" if seconds is None else f", {seconds:.2f} s"
        done, asked = written(facts.get("epochs_done")), facts.get("epochs")
        lines.append(
            (
                words.text("training"),
                words.text(
                    "{steps:,} steps, {done} of {asked} epochs{took}",
                    steps=facts["steps"],
                    done=done,
                    asked=asked,
                    took=took,
                ),
            )
        )
    return lines


def settings_of(model: WholeModel, facts: dict[str, Any]) -> dict[str, str]:
    """The four knobs and the others."""
    loss = getattr(model.loss, "name", model.loss)
    optimizer = described_or_none(lambda: optimizers.serialize(model.optimizer)["config"]) or {}
    return {
        "loss": written(loss),
        "optimizer": type(model.optimizer).__name__,
        "learning_rate": json.dumps(optimizer["learning_rate"]) if "learning_rate" in optimizer else "",
        "batch_size": written(facts.get("batch")),
        "epochs": written(facts.get("epochs")),
        "seed": str(model.seed),
        "engine": model.engine,
    }


def trained(model: WholeModel, facts: dict[str, Any]) -> tuple[int, int, float]:
    """Rows of a step, epochs, and seconds of the last training, as far as they are known."""
    history = model.history
    seconds = float(facts.get("seconds") or (history.seconds if history is not None else 0.0))
    epochs = facts.get("epochs") or (len(history.epoch) if history is not None else 0)
    return int(facts.get("batch") or 32), max(1, int(epochs)), seconds


# --- rows ------------------------------------------------------------------------------------------------------------


def task_of(model: WholeModel, y: Any) -> tuple[str, int]:
    """ "binary", "multiclass" or "regression" and the number of classes; "" for anything else."""
    shape = model.row_out
    if not isinstance(shape, tuple) or len(shape) != 1 or not isinstance(y, np.ndarray):
        return "", 0
    loss = str(getattr(model.loss, "name", ""))
    if shape[0] > 1 and "categorical" in loss:
        return "multiclass", shape[0]
    if shape[0] == 1 and ("binary" in loss or "bce" in loss):
        return "binary", 2
    known = y.size == len(y) and y.dtype.kind in "fiub"
    return ("regression", 0) if shape[0] == 1 and known else ("", 0)


def judged(subject: Subject, model: WholeModel, x: Any, y: Any) -> None:
    """Adds scores, predictions and inputs."""
    try:
        values = model.evaluate(x, y, verbose=0, return_dict=True)
        subject.scores = [Score(name=name, value=float(value)) for name, value in values.items()]
    except DivergedError as error:
        subject.missing.append(words.text("There are no scores: {error}", error=words.Said.of(error)))
        return
    subject.task, classes = task_of(model, y)
    if not subject.task:
        subject.missing.append(
            words.text(
                "What it answers to a row is neither one class nor one number: beside the scores, nothing "
                "tells how good the predictions are, or what they depend on."
            )
        )
        return
    subject.classes, subject.target = [str(k) for k in range(classes)], "y"
    count = len(y)
    rows = np.arange(count)
    if count > MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(count, MOST_ROWS, replace=False))
        x, y = taken(x, rows), y[rows]
    truth = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))
    if subject.task == "binary":
        truth = (truth >= 0.5).astype(np.int64)  # smoothed labels, too
    numbers = rows + 1 if subject.judged_by == "given" else np.zeros(0, int)  # a sample's numbers say nothing
    subject.held = Held(rows=numbers, truth=truth, predicted=answers(model, subject.task, x), of=count)
    subject.inputs = inputs_of(subject.held, model, subject.task, x) if isinstance(x, np.ndarray) else None


def answers(model: WholeModel, task: str, x: Array) -> Array:
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


def inputs_of(held: Held, model: WholeModel, task: str, x: Array) -> ColumnInputs | PictureInputs | None:
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


def retrained(model: WholeModel, batch: int, steps: int) -> Callable[[int, Array, Array], Array] | None:
    """What trains the same network from other initial weights for about so many steps, `RETRAINED_STEPS` at most.

    None if it can't be made again from its description.
    """
    config = described_or_none(model.get_config)
    optimizer = described_or_none(lambda: optimizers.serialize(model.optimizer))
    if config is None or optimizer is None or not {"layers", "calls"} & config.keys():
        return None
    steps = min(RETRAINED_STEPS, steps)
    own = {type(layer).__name__: type(layer) for layer in model.inside}

    def again(seed: int, x: Any, y: Any) -> Array:
        other: Any = type(model).from_config(config | {"seed": model.seed + seed}, custom_objects=own)
        other.compile(optimizers.get(optimizer), model.loss)
        epochs = max(1, steps // -(-len(next(leaves(x))) // batch))
        other.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
        return np.concatenate([array.ravel() for array in other.get_weights()])

    return again


def described_or_none(describe: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """A description; None of what has none, such as a lambda or an own schedule, and so can't be made again."""
    try:
        return describe()
    except ThalwegError:
        return None


def retrained_share(steps: int) -> float:
    """The part of a training of so many steps that such a training takes."""
    return min(1.0, RETRAINED_STEPS / max(1, steps))


def code_of(model: WholeModel, facts: dict[str, Any]) -> list[tuple[Text, str, str]]:
    """Python that makes and trains the same model, and the versions."""
    imported, optimizer = optimizer_code(model)
    lines = [*imported, *model_code(model)]
    lines.append(f"model.compile({optimizer}, {loss_code(model.loss)}, metrics={names_of(model)!r})")
    lines.append(fit_code(*trained(model, facts)[:2], facts))
    versions = f"thalweg {__version__}\npython {platform.python_version()}\nnumpy {np.__version__}\n"
    return [(words.text("In Python"), "python", "\n".join(lines) + "\n"), (words.text("Versions"), "text", versions)]


def model_code(model: WholeModel) -> list[str]:
    """The lines that make the model."""
    config = described_or_none(model.get_config) or {}
    made = [layer_code(one) for one in model.inside] if "layers" in config and "calls" not in config else []
    if made and all(made):
        shape = [f"Input({tuple(config['input_shape'])!r})"] if "input_shape" in config else []
        body = [f"    {line}," for line in [*shape, *made]]
        return [
            "from thalweg import Input, Sequential, layers",
            "",
            "model = Sequential([",
            *body,
            f"], seed={model.seed})",
        ]
    if not {"layers", "calls"} & config.keys():
        return [f"model = {type(model).__name__}(...)  # as in your program: it can't be told from its description"]
    own = sorted({type(one).__name__ for one in model.inside if not (known_layer(one) or hasattr(one, "layers"))})
    objects = f", custom_objects={{{', '.join(f'{name!r}: {name}' for name in own)}}}" if own else ""
    return ["from thalweg.models import model_from_json", "", f"model = model_from_json({model.to_json()!r}{objects})"]


def optimizer_code(model: WholeModel) -> tuple[list[str], str]:
    """What has to be imported for the optimizer, and how it is written."""
    described = described_or_none(lambda: optimizers.serialize(model.optimizer))
    if described is None:
        return [], f"{type(model.optimizer).__name__}(...)"
    name, config = described["class_name"], dict(described["config"])
    rate = config.pop("learning_rate", None)
    if not config.get("use_ema"):
        config.pop("ema_momentum", None)
    given = [] if rate is None else [f"learning_rate={rate!r}"]
    called = ", ".join([*given, *filter(None, [call_of(type(model.optimizer), config)])])
    return [f"from thalweg.optimizers import {name}"], f"{name}({called})"


def loss_code(loss: Any) -> str:
    """A loss, or several, as compile takes them."""
    if loss is None or isinstance(loss, str):
        return repr(loss)
    if isinstance(loss, list | tuple):
        return f"[{', '.join(map(loss_code, loss))}]"
    if isinstance(loss, dict):
        return f"{{{', '.join(f'{name!r}: {loss_code(one)}' for name, one in loss.items())}}}"
    if type(loss) not in losses.CLASSES.values():
        name = loss.name if isinstance(loss, FunctionLoss) else f"{type(loss).__name__}()"  # one's own
        return "loss" if name == "<lambda>" else name
    described: Any = losses.serialize(loss)
    return repr(loss.name) if call_of(type(loss), described["config"]) == "" else repr(described)


def fit_code(batch: int, epochs: int, facts: dict[str, Any]) -> str:
    """The call of fit; the rows that it validated on, and weights, have to be given by whoever knows them."""
    more = ", validation_data=(x_validation, y_validation)" if facts.get("held_rows") else ""
    more += ", shuffle=False" if facts.get("shuffle") is False else ""
    more += ", sample_weight=weights" if facts.get("weighted") else ""
    return f"model.fit(x, y, batch_size={batch}, epochs={epochs}{more}, record=True)"


def names_of(model: WholeModel) -> list[str]:
    """The metrics as compile takes them, those that have names."""
    known = {"accuracy", "acc", *metrics.NAMES}
    return [name for name in model.metrics_names if name in known or name.lower() in known]


def layer_code(layer: Any) -> str:
    """A layer as it is written in Python; "" for one of one's own, or one that holds others."""
    if not known_layer(layer):
        return ""
    called = call_of(type(layer), layer.get_config())
    return "" if called is None else f"layers.{type(layer).__name__}({called})"


def known_layer(layer: Any) -> bool:
    """Whether it is one of thalweg's layers."""
    return getattr(layers, type(layer).__name__, None) is type(layer)


def call_of(kind: type, config: dict[str, Any]) -> str | None:
    """The arguments that aren't the default; None if there are layers among them."""
    usual = {name: p.default for name, p in inspect.signature(kind).parameters.items()}
    given = []
    for name, value in config.items():
        shown = short(value)
        default = usual.get(name, inspect.Parameter.empty)
        if name == "name" or shown == default or (isinstance(default, tuple) and shown == list(default)):
            continue
        if default is inspect.Parameter.empty and not shown:  # what every layer or optimizer takes, as it usually is
            continue
        if holds_layers(shown):
            return None
        given.append(f"{name}={tuple(shown) if isinstance(shown, list) else shown!r}")
    return ", ".join(given)


def holds_layers(value: Any) -> bool:
    """Whether there are layers in it, described by class_name and config."""
    if isinstance(value, dict):
        return hasattr(layers, str(value.get("class_name"))) or any(map(holds_layers, value.values()))
    return isinstance(value, list | tuple) and any(map(holds_layers, value))


def short(value: Any) -> Any:
    """A description without arguments by its name: {"class_name": "Zeros", "config": {}} → "zeros"."""
    described = isinstance(value, dict) and value.keys() == {"class_name", "config"}
    if described and all(argument is None for argument in value["config"].values()):
        return snake_case(value["class_name"])
    return value
