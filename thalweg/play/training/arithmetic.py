"""One unit's arithmetic on one row, with the tutorial's names: h, y_predict, error, error_term, delta_w.

Everything is read from one training step that the engine executes instruction by instruction on that row alone:

    h = x·w + b,  y_predict = f(h),  error = −∂L/∂y_predict,  error_term = error·f′(h) = −∂L/∂h,
    delta_w = learning_rate·error_term·x

For the halved squared error, −∂L/∂y_predict is the tutorial's y − y_predict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.activations import FormulaFunction
from thalweg.engine import make_executor
from thalweg.layers import Conv2D
from thalweg.losses import SumSquaredError
from thalweg.play.requests.page_state import State
from thalweg.play.training.network import Network, activation_name
from thalweg.play.training.numpy_lines import factor_of, numpy_lines
from thalweg.program.formula.language import evaluate
from thalweg.support.once import making
from thalweg.words import Text

Array = NDArray[Any]
MOST_ROWS = 200
"""Rows whose sum is shown: it is computed anew for each frame."""


@dataclass(frozen=True)
class Choice:
    """Whose arithmetic is shown: a layer with weights, one of its units or filters, and a training row.

    said: a text or sentence that was typed, which is read instead of the row.
    """

    layer: int = -1
    unit: int = 0
    row: int = 0
    said: str = ""

    def within(self, network: Network) -> Choice:
        """The same, as far as the network has such a layer, unit and row."""
        kernels = network.kernels
        layer = self.layer if 0 <= self.layer < len(kernels) else len(kernels) - 1
        units = kernels[layer].output_shape[-1]
        return Choice(layer, min(max(self.unit, 0), units - 1), min(max(self.row, 0), len(network.exercise.x) - 1))


@dataclass(frozen=True)
class Step:
    """A step that was done: the weights and biases before it, and how it was done."""

    before: list[tuple[Array, Array | None]]
    rows: int
    iteration: int
    learning_rate: float


@dataclass(frozen=True)
class Values:
    """What a layer's forward instruction read and wrote for some rows, and all values of the step, by name.

    Without "inputs" and "terms", everything is the first row's.
    """

    inputs: Array
    outputs: Array
    all: dict[str, Array]
    name: str  # of what it wrote

    @property
    def x(self) -> Array:
        first: Array = self.inputs[0]
        return first

    @property
    def h(self) -> Array:
        first: Array = self.outputs[0]
        return first

    @property
    def of(self) -> dict[str, Array]:
        return {name: values[0] for name, values in self.all.items()}

    @property
    def terms(self) -> Array:
        """−∂L/∂h of every row, where L is the mean over the rows."""
        return -self.all[f"d{self.name}"].astype(np.float64)

    @property
    def error_term(self) -> Array:
        """−∂L/∂h."""
        first: Array = self.terms[0]
        return first


def kernel_of(layer: Any) -> tuple[Array, Array | None]:
    """Copies of a layer's weights and biases."""
    arrays = [np.array(a) for a in layer.get_weights()]
    return arrays[0], arrays[1] if layer.use_bias else None


def executed(network: Network, layer: Any, rows: slice) -> Values:
    """A step on some rows, executed one instruction at a time; the weights don't change."""
    model, x, y = network.model, network.exercise.x[rows], network.y[rows]
    compiled = model._compiled
    kernel = layer.parameters[0].buffer
    with making:  # no other thread compiles the model
        compiled.ready(x)
        data = compiled.data(x, y)
        if len(x) not in network.seen_steps:
            job = compiled.job("training", {name: array.copy() for name, array in data.items()}, len(x), visible=True)
            job.parameters, job.slots = model.vector.copy(), compiled.slots.copy()
            network.seen_steps[len(x)] = job, make_executor(compiled.engine, job)
    job, executor = network.seen_steps[len(x)]
    for own, given in (
        (job.parameters, model.vector),
        (job.slots, compiled.slots),
        *zip(job.data.values(), data.values(), strict=True),
    ):
        np.copyto(own, given)
    values: dict[str, Array] = {}
    read, written, name = np.zeros((1, 0)), np.zeros((1, 0)), ""
    for instruction, memory in executor.trace(compiled.next_step()):
        output = instruction.outputs[0]
        if not name and output.per_row and kernel in instruction.inputs:
            name, written = output.name, memory[output].copy()
            read = memory[next(b for b in instruction.inputs if b.per_row)].copy()
        values |= {b.name: memory[b].copy() for b in instruction.outputs if b.per_row}
    return Values(read, written, values, name)


def slope(function: Any, h: Array) -> Array | None:
    """f′(h) number by number; None for a function of a whole row."""
    if function.rowwise:
        return None
    equation = function.of.equation if isinstance(function, FormulaFunction) else function.equation
    if equation is None:  # linear
        return np.ones_like(h)
    numbers = {} if isinstance(function, FormulaFunction) else function.numbers()
    with np.errstate(all="ignore"):
        found = evaluate(equation.slope, {"h": h, "a": function(h), **numbers}, np)
    return np.broadcast_to(np.asarray(found, np.float64), h.shape)


def arithmetic(network: Network, choice: Choice, step: Step | None = None) -> dict[str, Any]:
    """What the page shows for a unit and a row, at the weights now; with a step, what it really changed."""
    choice = choice.within(network)
    layer = network.kernels[choice.layer]
    values = executed(network, layer, slice(choice.row, choice.row + 1))
    kernel, bias = kernel_of(layer)
    convolution = isinstance(layer, Conv2D)
    place = largest(values.h, choice.unit) if convolution else ()
    x = patch(values.x, layer, place) if convolution else values.x.reshape(-1).astype(np.float64)
    at = (*place, choice.unit)
    h_all = values.h.astype(np.float64)
    error_term = float(values.error_term.reshape(h_all.shape)[at])
    rate = float(network.model.optimizer.learning_rate)
    slopes = slope(layer.activation, h_all)
    w = kernel[..., choice.unit].reshape(-1).astype(np.float64)
    delta_w = rate * error_term * x
    found: dict[str, Any] = {
        "layer": choice.layer,
        "unit": choice.unit,
        "row": choice.row,
        "layer_name": layer.name,
        "activation": activation_name(layer),
        "x": x,
        "x_names": input_names(network, layer, len(x), convolution),
        "w": w,
        "b": None if bias is None else float(bias[choice.unit]),
        "h": float(h_all[at]),
        "y_predict": float(np.asarray(layer.activation(h_all))[at]),
        "slope": None if slopes is None else float(slopes[at]),
        "error_term": error_term,
        "delta_w": delta_w,
        "delta_b": None if bias is None else rate * error_term,
        "w_after": w + delta_w,
        "learning_rate": rate,
        "loss": row_loss(network, choice.row),
    }
    found |= errors(network, choice, layer, values, found, at)
    found["difference"] = found["error"] if found["y"] is None else found["y"] - found["y_predict"]
    several = layer is network.layers[-1] and len(network.kernels[-1].output_shape) == 1 and layer.output_shape[-1] > 1
    found["code"] = numpy_lines(network, layer, found, "[i, j]" if convolution else "[k]" * several)
    if convolution:
        found["place"] = list(place)
    else:
        found |= over_rows(network, choice, layer, w, found["b"])
    if step is not None:
        found["step"] = change(network, choice, kernel, bias, step)
    notes = found.pop("notes") + reservations(network, convolution, place)
    if notes:
        found["note"] = {language: " ".join(note[language] for note in notes) for language in words.LANGUAGES}
    return found


def errors(
    network: Network, choice: Choice, layer: Any, values: Values, found: dict[str, Any], at: tuple[int, ...]
) -> dict[str, Any]:
    """The error, where it comes from, and the equations of all quantities."""
    name = called(layer)
    equations = {
        "h": "h = x·w" + " + b" * bool(layer.use_bias),
        "y_predict": "y_predict = h" if name == "linear" else f"y_predict = {name}(h)",
        "error_term": "error_term = error" if name == "linear" else f"error_term = error·{name}′(h)",
        "delta_w": "delta_w = learning_rate·error_term·x",
    }
    result: dict[str, Any] = {"y": None, "error": None, "formulas": equations, "notes": [], "joined": False}
    last = layer is network.layers[-1]
    if last:
        y = wanted(network, choice.row, at)
        result["y"] = y
        derived = values.of.get("dy_pred")
        if derived is None or (values.name == "y_pred" and name != "linear"):
            result |= {"error": y - found["y_predict"], "joined": True}
            over = factor_of(network)
            shared = f"(y − y_predict)/{over.denominator}" if over and over.denominator > 1 else "y − y_predict"
            equations |= {"error": "error = y − y_predict", "error_term": f"error_term = {shared}"}
            result["notes"].append(
                words.text(
                    "{name} and this cross-entropy together: their derivatives cancel, and what is left is "
                    "y − y_predict.",
                    name=name,
                )
            )
            return result
        result["error"] = -float(derived.reshape(values.h.shape)[at])
        halved = isinstance(network.loss, SumSquaredError) and network.loss.half
        equations["error"] = "error = y − y_predict" if halved else "error = −∂L/∂y_predict"
    else:
        result |= from_next(network, layer, choice.unit, values)
        equations["error"] = "error = −∂L/∂y_predict"
        if "next" in result:
            equations["error"] = "error = Σ error_term·w (next layer)"
        elif found["slope"]:
            result["error"] = found["error_term"] / found["slope"]
    if found["slope"] is None and not last:
        equations["error_term"] = "error_term = −∂L/∂h"
    return result


def over_rows(network: Network, choice: Choice, layer: Any, w: Array, b: float | None) -> dict[str, Any]:
    """What all rows ask of a unit together, and the weights after the step that they make: the sum of the rows'
    error_term·x, of which the weights move by the mean. Nothing where a step takes some of the rows, as then it
    depends on which, or where the optimizer makes another step of it."""
    state, rows = network.state, len(network.exercise.x)
    if state.optimizer != "sgd" or state.l1 or state.l2 or state.batch < rows or rows > MOST_ROWS or random(state):
        return {}
    values = executed(network, layer, slice(0, rows))
    if len(values.inputs) != rows:  # they were computed in several blocks
        return {}
    terms = values.terms.reshape(rows, -1)[:, choice.unit] * rows  # of the rows' mean loss
    x = values.inputs.reshape(rows, -1).astype(np.float64)
    rate = float(network.model.optimizer.learning_rate)
    total: Array = terms @ x
    found: dict[str, Any] = {"del_w": total, "w_new": w + rate * total / rows}
    return found if b is None else found | {"del_b": terms.sum(), "b_new": b + rate * terms.sum() / rows}


def random(state: State) -> bool:
    """Whether rows are answered by chance, or together with the others."""
    return bool(state.dropout) or any(layer["kind"] in ("dropout", "batch_norm") for layer in state.layers)


def called(layer: Any) -> str:
    """The activation's name in equations: f for a formula."""
    name = str(activation_name(layer))
    return name if name.isidentifier() else "f"


def from_next(network: Network, layer: Any, unit: int, values: Values) -> dict[str, Any]:
    """The error of a unit right before a dense layer: what its weights carry back."""
    place = network.layers.index(layer)
    follower = network.layers[place + 1]
    if follower not in network.kernels or isinstance(follower, Conv2D) or isinstance(layer, Conv2D):
        return {}
    number = network.kernels.index(follower)
    names = adjoints(network, values)
    if number not in names:
        return {}
    w = kernel_of(follower)[0][unit].astype(np.float64)
    terms = -values.of[names[number]].reshape(-1).astype(np.float64)
    return {"error": float(w @ terms), "next": {"layer_name": follower.name, "w": w, "error_term": terms}}


def adjoints(network: Network, values: Values) -> dict[int, str]:
    """Each dense layer's −error terms: the name of its dh, by the layer's place among those with weights."""
    found = {}
    for number, layer in enumerate(network.kernels):
        printed = layer.parameters[0].number
        for name in (f"dh{printed or ''}", "dh", "dy_pred"):
            fits = name in values.of and values.of[name].size == layer.output_shape[-1]
            if fits and (name != "dy_pred" or layer is network.layers[-1]):
                found[number] = name
                break
    return found


def wanted(network: Network, row: int, at: tuple[int, ...]) -> float:
    """The target of an output; of class numbers, 1 for the class and 0 for the others."""
    y = np.asarray(network.y[row])
    if network.exercise.task == "multiclass" and y.size == 1:
        return float(int(y.reshape(-1)[0]) == at[-1])
    return float(y.reshape(-1)[0]) if y.size == 1 else float(y.reshape(network.layers[-1].output_shape)[at])


def row_loss(network: Network, row: int) -> float:
    """The loss of one row, without penalties."""
    y_pred = network.model.predict(network.exercise.x[row : row + 1], verbose=0)
    return float(np.asarray(network.loss(network.y[row : row + 1], y_pred)).mean())


def largest(h: Array, unit: int) -> tuple[int, int]:
    """The place of a map where a filter answers most."""
    size = np.abs(h[..., unit])
    row, column = np.unravel_index(int(size.argmax()), size.shape)
    return int(row), int(column)


def patch(image: Array, layer: Any, place: tuple[int, ...]) -> Array:
    """The pixels that a filter sees at a place of its map: (height·width·channels,)."""
    height, width = layer.kernel_size
    if layer.padding == "same":
        before = [((size - 1) // 2, size // 2) for size in (height, width)]
        image = np.pad(image, [*before, (0, 0)])
    top, left = place
    return image[top : top + height, left : left + width].reshape(-1).astype(np.float64)


def input_names(network: Network, layer: Any, count: int, convolution: bool) -> list[str]:
    """What enters a layer."""
    place = network.layers.index(layer)
    if convolution:
        return [f"x{n}" for n in range(1, count + 1)]
    if place == 0 and len(network.exercise.inputs) == count:
        return network.exercise.inputs
    before = "x" if place == 0 else network.layers[place - 1].name
    return [f"{before} {n}" for n in range(1, count + 1)]


def change(network: Network, choice: Choice, kernel: Array, bias: Array | None, step: Step) -> dict[str, Any]:
    """What the last step really did to a unit's weights: all rows of its batch, and the optimizer at work."""
    old, old_bias = step.before[choice.layer]
    delta = (kernel - old)[..., choice.unit].reshape(-1).astype(np.float64)
    found: dict[str, Any] = {
        "delta_w": delta,
        "delta_b": None if bias is None or old_bias is None else float(bias[choice.unit] - old_bias[choice.unit]),
        "iteration": step.iteration,
        "rows": step.rows,
    }
    optimizer = network.state.optimizer
    if optimizer == "sgd" and not (network.state.l1 or network.state.l2):  # delta_w = learning_rate·del_w/rows
        found["del_w"] = delta * step.rows / step.learning_rate
    return found


def reservations(network: Network, convolution: bool, place: tuple[int, ...]) -> list[Text]:
    """What these numbers leave out."""
    notes = []
    if convolution:
        notes.append(
            words.text(
                "A kernel is used at every place; this is its arithmetic at row {row}, column {column} "
                "of the map, where it answers most.",
                row=place[0],
                column=place[1],
            )
        )
    kinds = {given["kind"] for given in network.state.layers}
    if "batch_norm" in kinds:
        notes.append(words.text("Batch normalisation has no other row to compare with here."))
    if network.state.dropout or "dropout" in kinds:
        notes.append(words.text("Dropout has drawn which units take part."))
    if network.state.optimizer != "sgd":
        notes.append(words.text("This is plain gradient descent; the optimizer makes its own step of it."))
    if network.state.l1 or network.state.l2:
        notes.append(words.text("The penalty on large weights comes on top."))
    return notes
