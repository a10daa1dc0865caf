"""What a page gives away: its training as a program for thalweg or for Keras, the model, the state.

A program makes the same data, builds the same network, and trains it as the page has: with thalweg and the same number
of epochs, its loss is the page's, bit for bit. Keras draws other initial weights and another order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thalweg.layers import Dense
from thalweg.play.exercises.exercise import Exercise
from thalweg.play.exports.dialect import KERAS, THALWEG, Dialect
from thalweg.play.requests.page_state import State
from thalweg.play.training import knobs
from thalweg.play.training.journey import Course, Leg
from thalweg.play.training.network import CELLS, planned
from thalweg.support.files import own_folder, to_json


@dataclass(frozen=True)
class Export:
    """A kind of file that a page can ask for."""

    file: str
    type: str
    made: Callable[[Course], bytes]


def model_file(course: Course) -> bytes:
    """The model with its weights and its optimizer's state, as `load_model` reads it."""
    with own_folder("thalweg-play-") as folder:
        path = folder / "model.safetensors"
        course.network.model.save(path)
        return path.read_bytes()


PYTHON = "text/x-python; charset=utf-8"
EXPORTS = {
    "python": Export("network.py", PYTHON, lambda course: program(course, THALWEG).encode()),
    "keras": Export("network_keras.py", PYTHON, lambda course: program(course, KERAS).encode()),
    "model": Export("model.safetensors", "application/octet-stream", model_file),
    "state": Export(
        "state.json", "application/json", lambda course: to_json(course.state.to_json(), indent=1).encode()
    ),
}


def program(course: Course, to: Dialect) -> str:
    """The whole program."""
    exercise = course.network.exercise
    legs = [leg_lines(leg, place, exercise, to) for place, leg in enumerate(course.legs)]
    parts = [
        f"# The data.\n\n{exercise.code}",
        targets(course.state, exercise),
        "# The network and its training.",
        f"keras.utils.set_random_seed({course.state.seed})" if to.keras else "",
        *legs,
        ending(course),
    ]
    body = "\n\n".join(part for part in parts if part)
    return f'"""{title(course, to)}"""\n\n{imports(body, exercise, to)}\n\n{body}\n'


def imports(body: str, exercise: Exercise, to: Dialect) -> str:
    """The lines that import what a program uses."""
    used = [name for name in to.parts() if f"{name}." in body]
    packages = [f"import {to.name}", "import numpy as np", *exercise.imports]
    packages += [f"from {to.name} import {', '.join(sorted(used))}"] if used else []
    packages.sort(key=lambda line: (line.startswith("from"), line))
    lines = ["from __future__ import annotations", "", *packages]
    if "Array" in body:
        lines[2:2] = ["from typing import Any", ""]
        lines += ["", "Array = Any  # a NumPy array"]
    return "\n".join(lines)


def title(course: Course, to: Dialect) -> str:
    """What the program is, and what it should print."""
    loss = course.last.get("loss")
    text = f"A training of thalweg's live page, {course.epoch} epochs."
    if to.keras:
        return f"{text} Keras draws other initial weights, so its loss will be another."
    exact = course.bursts.batch == 0 and all(leg.whole for leg in course.legs)
    if loss is not None and exact:
        text += f"\n\nOn the page the loss of the last epoch was {loss!r}.\n"
    elif not exact:
        text += "\n\nThe page stopped or changed something within an epoch; here every epoch is whole.\n"
    return text


def targets(state: State, exercise: Exercise) -> str:
    """The targets as the loss takes them."""
    if exercise.classes is None:
        return ""
    if exercise.task == "binary":
        return "y, y_held = (part.reshape(-1, 1).astype(np.float32) for part in (y, y_held))"
    if knobs.loss(state, exercise).target_shape((exercise.outputs,)) == (1,):
        return ""
    return f"y, y_held = (np.eye({exercise.outputs}, dtype=np.float32)[part] for part in (y, y_held))"


def leg_lines(leg: Leg, place: int, exercise: Exercise, to: Dialect) -> str:
    """A network, and its training up to the next change of another knob than the learning rate."""
    state = leg.state
    indent = "    "
    lines = ["# then something was changed on the page: the weights go on"] if place else []
    if place:
        lines.append("weights = model.get_weights()")
    lines += model_lines(state, exercise, to)
    rate = to.changes(state.learning_rate, leg.rates) if leg.rates else to.rate(state)
    metric = '"mae"' if exercise.classes is None else metric_of(state, exercise, to)
    lines += [
        "model.compile(",
        f"{indent}optimizer={to.optimizer(state, rate)},",
        f"{indent}loss={to.loss(state, exercise)},",
        f"{indent}metrics=[{metric}],",
        ")",
    ]
    if place:
        lines.append("model.set_weights(weights)")
    if leg.epochs:
        options = [f"batch_size={state.batch}", f"epochs={leg.epochs}", f"shuffle={state.shuffle}", "verbose=0"]
        options += [] if to.keras else ["lanes=1"]
        options += ["validation_data=(x_held, y_held)"] if exercise.held else []
        lines.append(f"history = model.fit(x, y, {', '.join(options)})")
    return "\n".join(lines)


def model_lines(state: State, exercise: Exercise, to: Dialect) -> list[str]:
    """The lines that make the model, as `network.joined` does."""
    indent, shape = "    ", tuple(exercise.x.shape[1:])
    made = layer_lines(state, exercise, to)
    if any(layer.startswith("layers.MultiHeadAttention") for layer in made):
        lines = [f"inputs = h = {to.name}.Input({shape})"]
        lines += [f"h = {layer}(h{', h' * layer.startswith('layers.MultiHeadAttention')})" for layer in made]
        return [*lines, f"model = {to.name}.Model(inputs, h{'' if to.keras else f', seed={state.seed}'})"]
    lines = [f"model = {to.name}.Sequential(", f"{indent}[", f"{indent * 2}{to.name}.Input({shape}),"]
    lines += [f"{indent * 2}{layer}," for layer in made]
    lines += [f"{indent}]"] if to.keras else [f"{indent}],", f"{indent}seed={state.seed},"]
    return [*lines, ")"]


def metric_of(state: State, exercise: Exercise, to: Dialect) -> str:
    """The metric of a classification: of margins, yes is above 0."""
    if exercise.task == "binary" and knobs.output_activation(state, exercise) == "linear":
        return f"{to.name}.metrics.BinaryAccuracy(threshold=0.0)"
    return '"accuracy"'


def layer_lines(state: State, exercise: Exercise, to: Dialect) -> list[str]:
    """The layers, as `network.made_layers` makes them."""
    lines = [hidden_line(given, state, exercise, to) for given in planned(state, exercise)]
    if state.output is not None:
        ending = to.activation(knobs.output_activation(state, exercise))
        lines.append(call(Dense.__name__, [str(exercise.outputs), f"activation={ending}"], state.output, state, to))
    return lines


def hidden_line(given: dict[str, Any], state: State, exercise: Exercise, to: Dialect) -> str:
    """One hidden layer."""
    match given["kind"]:
        case "dense":
            size = [str(given["units"]), f"activation={to.activation(given['activation'])}"]
            return call("Dense", size, given, state, to)
        case "conv2d":
            size = [str(given["filters"]), str(given["kernel_size"]), f"padding={given['padding']!r}"]
            size.append(f"activation={to.activation(given['activation'])}")
            return call("Conv2D", size, given, state, to)
        case "max_pool":
            return f"layers.MaxPooling2D({given['pool_size']})"
        case "flatten":
            return "layers.Flatten()"
        case "dropout":
            return f"layers.Dropout({given['rate']})"
        case "embedding":
            return f"layers.Embedding({len(exercise.vocabulary or ())}, {given['units']})"
        case "recurrent":
            size = [str(given["units"]), *["return_sequences=True"] * given["sequences"], *start_lines(state, to)]
            return f"layers.{CELLS[given['cell']].__name__}({', '.join(size)})"
        case "attention":
            size = [str(given["heads"]), str(given["units"]), *start_lines(state, to)]
            return f"layers.MultiHeadAttention({', '.join(size)})"
        case "average":
            return "layers.GlobalAveragePooling1D()"
        case _:
            return "layers.BatchNormalization()"


def start_lines(state: State, to: Dialect) -> list[str]:
    """The arguments of `network.start`, as far as they aren't the layers' own."""
    usual = state.initializer == "glorot_uniform"
    found = [] if usual else [f"kernel_initializer={to.initializer(state.initializer)}"]
    return found + [f"kernel_regularizer=regularizers.L1L2({state.l1}, {state.l2})"] * bool(state.l1 or state.l2)


def call(kind: str, arguments: list[str], given: dict[str, Any], state: State, to: Dialect) -> str:
    """A layer with weights."""
    start = given["initializer"] or state.initializer
    if not given["use_bias"]:
        arguments.append("use_bias=False")
    if given["weights"] is not None:
        arguments.append(f"kernel_initializer={to.array(given['weights'])}")
    elif start != "glorot_uniform":
        arguments.append(f"kernel_initializer={to.initializer(start)}")
    if given["bias"] is not None:
        arguments.append(f"bias_initializer={to.array(given['bias'])}")
    if state.l1 or state.l2:
        arguments.append(f"kernel_regularizer=regularizers.L1L2({state.l1}, {state.l2})")
    return f"layers.{kind}({', '.join(arguments)})"


def ending(course: Course) -> str:
    """The lines that say what has come of it."""
    if not course.legs[-1].epochs:
        return 'print("loss", float(model.evaluate(x, y, verbose=0, return_dict=True)["loss"]))'
    return 'print("loss", float(history.history["loss"][-1]))'
