"""The network of a state: built, compiled, and seen through."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import layers
from thalweg.engine.contract import Job
from thalweg.layers import Input, Layer
from thalweg.layers.recurrent.sequences import GRU, LSTM, SimpleRNN
from thalweg.models.bursts import Bursts, evaluation
from thalweg.models.functional import Functional
from thalweg.models.sequential import Sequential
from thalweg.play.exercises.exercise import Exercise
from thalweg.play.requests.bounds import PARAMETERS, STEP_WORK
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError, warned
from thalweg.play.training import knobs
from thalweg.regularizers import L1L2
from thalweg.words import Text

Array = NDArray[Any]

KERNELS = (layers.Dense, layers.Conv2D)
"""The layers whose weights are drawn."""
EQUATIONS = {
    "MaxPooling2D": "a = max over each window",
    "Flatten": "a = x in one row",
    "Dropout": "a = x·mask/(1 − rate)",
    "BatchNormalization": "a = γ·(x − μ)/σ + β",
    "Embedding": "x = E[number]",
    "SimpleRNN": "h = tanh(x·W + h·R + b)",
    "GRU": "h = z·h + (1 − z)·g",
    "LSTM": "c = f·c + i·g, h = o·tanh(c)",
    "MultiHeadAttention": "a = softmax(q·kᵀ/√d)·v",
    "GlobalAveragePooling1D": "a = mean over the steps",
}
building = threading.Lock()
"""Warnings are caught for the whole process: one network is built at a time."""


class Network:
    """A model for an exercise, its training in bursts, and the outputs of all its layers.

    Args:
        state, exercise: what it is made for.
        before: another network with the same layers, whose weights it goes on with.

    Raises:
        ThalwegError: the parts don't fit together, or are too much for a page.
    """

    def __init__(self, state: State, exercise: Exercise, before: Network | None = None) -> None:
        self.state, self.exercise = state, exercise
        if not len(exercise.x):
            raise RefusedError("all rows are held out to validate on: take more rows, or a smaller share of them")
        self.loss = knobs.loss(state, exercise)
        with building, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.layers: list[Layer] = made_layers(state, exercise)
            self.model = joined(exercise.x.shape[1:], self.layers, state.seed)
            self.model.build()
            self.check_size()
            recipe = knobs.recipe_of(exercise)
            ending = knobs.output_activation(state, exercise)
            metric: Any = recipe.metric_for(ending) if exercise.classes is not None else "mae"
            self.model.compile(knobs.optimizer(state), self.loss, metrics=[metric])
            self.seen = Functional(self.model.inputs, [layer.output for layer in self.layers])
            if before is not None:
                self.model.set_weights(before.model.get_weights())
            self.y, self.held_y = self.encoded(exercise.y), self.encoded(exercise.held_y)
            self.bursts = Bursts(self.model, exercise.x, self.y, state.batch, shuffle=state.shuffle)
            self.train = evaluation(self.model, exercise.x, self.y)
            self.held = evaluation(self.model, exercise.held_x, self.held_y) if exercise.held else None
            self.bursts.record(*((exercise.held_x, self.held_y) if exercise.held else ()))
        self.seen_steps: dict[int, tuple[Job, Any]] = {}
        """What executes a step on so many rows one instruction at a time, on copies of weights and rows."""
        self.notes: list[Text] = [warned(w.message) for w in caught]
        self.metric = next(key for key in self.model.metrics_names if key != "loss")

    @property
    def kernels(self) -> list[Any]:
        """The layers whose weights are drawn, in order."""
        return [layer for layer in self.layers if isinstance(layer, KERNELS)]

    def encoded(self, y: Array) -> Array:
        """Targets as the loss takes them."""
        exercise = self.exercise
        return y if exercise.classes is None else knobs.recipe_of(exercise).encode(y, exercise.outputs, self.loss)

    def check_size(self) -> None:
        """Raises if a page may not ask for this much."""
        count = self.model.count_params()
        if count > PARAMETERS:
            raise RefusedError(
                "this network has {count:,} weights; a page takes {parameters:,} at most: use fewer units or layers",
                count=count,
                parameters=PARAMETERS,
            )
        rows = min(self.state.batch, len(self.exercise.x))
        work = sum(row.flops for row in self.model.program("inference", batch_size=rows).rows)
        if work > STEP_WORK:
            raise RefusedError(
                "one step would take {work:,.0f} billion operations; {most:g} are the most: use a "
                "smaller batch or network",
                work=work / 1e9,
                most=STEP_WORK / 1e9,
            )

    def outputs(self, x: Array) -> list[Array]:
        """Every layer's output for rows of inputs."""
        found = self.seen.predict(x, verbose=0)
        return found if isinstance(found, list) else [found]

    def facts(self) -> dict[str, Any]:
        """What the page is told of a new network."""
        exercise, model = self.exercise, self.model
        return {
            "task": exercise.task,
            "rows": len(exercise.x),
            "held": exercise.held,
            "inputs": exercise.inputs,
            "targets": exercise.targets,
            "classes": exercise.classes,
            "parameters": model.count_params(),
            "steps_per_epoch": self.bursts.steps_per_epoch,
            "loss": self.loss.name if self.state.loss == "auto" else self.state.loss,
            "output_activation": activation_name(self.layers[-1]),
            "shape": list(exercise.x.shape[1:]),
            "target_scale": exercise.target_scale,
            "metric": self.metric,
            "layers": self.layer_facts(),
        }

    def layer_facts(self) -> list[dict[str, Any]]:
        """Each layer's name, kind, size and equation."""
        facts, kernels = [], self.kernels
        for layer in self.layers:
            shape: Any = layer.output_shape
            facts.append(
                {
                    "name": layer.name,
                    "kind": type(layer).__name__,
                    "units": shape[-1],
                    "activation": activation_name(layer),
                    "shape": list(shape),
                    "weights": kernels.index(layer) if layer in kernels else None,
                    "formula": equation(layer),
                }
            )
        return facts


def activation_name(layer: Any) -> str | None:
    """The activation of a layer, by name or formula."""
    function = getattr(layer, "activation", None)
    return None if function is None else str(function.name)


def equation(layer: Any) -> str:
    """What a layer computes, in a line."""
    if isinstance(layer, KERNELS):
        product = "x·W" if isinstance(layer, layers.Dense) else "x∗W"
        name = activation_name(layer)
        return f"h = {product}{' + b' * bool(layer.use_bias)}, a = {'h' if name == 'linear' else f'{name}(h)'}"
    return EQUATIONS.get(type(layer).__name__, "")


def joined(shape: tuple[int, ...], parts: list[Any], seed: int) -> Any:
    """The model of these layers, one on the output of the other; attention looks at what it is on itself."""
    if not any(isinstance(layer, layers.MultiHeadAttention) for layer in parts):
        return Sequential([Input(shape), *parts], seed=seed)
    x: Any = Input(shape)
    h = x
    for layer in parts:
        h = layer(h, h) if isinstance(layer, layers.MultiHeadAttention) else layer(h)
    return Functional(x, h, seed=seed)


IMAGES, IDS, STEPS, FLAT = "images", "letters or words", "steps", ""
TAKES = {
    "conv2d": IMAGES, "max_pool": IMAGES, "embedding": IDS, "recurrent": STEPS, "attention": STEPS, "average": STEPS,
}  # fmt: skip
"""What those layers take that don't take any rows."""
EMBEDDED = 8
"""Numbers for each letter or word, unless the state says it."""


def misplaced(kind: str, place: int) -> RefusedError:
    """Why a layer can't stand there."""
    if TAKES[kind] == IMAGES:
        return RefusedError(
            "layer {place}, {kind}, takes images: use the digits, and put it before flatten and dense layers",
            place=place,
            kind=kind,
        )
    return RefusedError(
        "layer {place}, {kind}, is for a text or sentences: an embedding comes first, then what goes through the steps",
        place=place,
        kind=kind,
    )


def planned(state: State, exercise: Exercise) -> list[dict[str, Any]]:
    """The hidden layers of a state, with what it implies: an embedding in front, flattening and dropout in between."""
    found: list[dict[str, Any]] = []
    rows = IMAGES if exercise.x.ndim == 4 else FLAT if exercise.vocabulary is None else IDS
    kinds = [given["kind"] for given in state.layers]
    if rows == IDS and kinds[:1] != ["embedding"]:
        found.append({"kind": "embedding", "units": EMBEDDED})
        rows = STEPS
    for place, given in enumerate(state.layers, start=1):
        kind = given["kind"]
        if TAKES.get(kind, rows) != rows:
            raise misplaced(kind, place)
        if kind == "dense" and rows != FLAT:
            found.append({"kind": "flatten"})
        if kind == "recurrent":
            given = given | {"sequences": any(TAKES.get(later) == STEPS for later in kinds[place:])}
        found.append(given)
        if kind in ("dense", "flatten", "average") or given.get("sequences") is False:
            rows = FLAT
        elif kind == "embedding":
            rows = STEPS
        if kind == "dense" and state.dropout:
            found.append({"kind": "dropout", "rate": state.dropout})
    return [*found, {"kind": "flatten"}] if state.output is not None and rows != FLAT else found


def made_layers(state: State, exercise: Exercise) -> list[Any]:
    """The layers of a state."""
    found = [hidden(given, state, exercise) for given in planned(state, exercise)]
    if state.output is not None:
        ending = knobs.activation(knobs.output_activation(state, exercise))
        found.append(layers.Dense(exercise.outputs, ending, **weights(state.output, state)))
    if not any(isinstance(layer, KERNELS) for layer in found):
        raise RefusedError("there is no layer with weights to train")
    return found


CELLS: dict[str, Any] = {"simple_rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}


def hidden(given: dict[str, Any], state: State, exercise: Exercise) -> Any:
    """One hidden layer."""
    match given["kind"]:
        case "dense":
            return layers.Dense(given["units"], knobs.activation(given["activation"]), **weights(given, state))
        case "conv2d":
            size, padding = given["kernel_size"], given["padding"]
            how = {"padding": padding, "activation": knobs.activation(given["activation"])}
            return layers.Conv2D(given["filters"], size, **how, **weights(given, state))
        case "max_pool":
            return layers.MaxPooling2D(given["pool_size"])
        case "flatten":
            return layers.Flatten()
        case "dropout":
            return layers.Dropout(given["rate"])
        case "embedding":
            return layers.Embedding(len(exercise.vocabulary or ()), given["units"])
        case "recurrent":
            return CELLS[given["cell"]](given["units"], return_sequences=given["sequences"], **start(state))
        case "attention":
            return layers.MultiHeadAttention(given["heads"], given["units"], **start(state))
        case "average":
            return layers.GlobalAveragePooling1D()
        case _:
            return layers.BatchNormalization()


def start(state: State) -> dict[str, Any]:
    """How a layer's kernels begin, and what is held against large ones, as the state has it for all."""
    found: dict[str, Any] = {"kernel_initializer": knobs.initializer(state.initializer)}
    return found | ({"kernel_regularizer": L1L2(state.l1, state.l2)} if state.l1 or state.l2 else {})


def weights(given: dict[str, Any], state: State) -> dict[str, Any]:
    """The arguments of a layer with weights: how they begin, and what is held against large ones."""
    start = given["initializer"] or state.initializer
    found: dict[str, Any] = {
        "use_bias": given["use_bias"],
        "kernel_initializer": knobs.initializer(start) if given["weights"] is None else knobs.array(given["weights"]),
    }
    if given["bias"] is not None:
        if not given["use_bias"]:
            raise RefusedError("a layer has given biases and use_bias false")
        found["bias_initializer"] = knobs.array(given["bias"])
    if state.l1 or state.l2:
        found["kernel_regularizer"] = L1L2(state.l1, state.l2)
    return found


def finite(value: Any) -> float | None:
    """A number for JSON; None if it isn't finite."""
    number = float(value)
    return number if np.isfinite(number) else None
