"""Models on disk: one safetensors file with the arrays, and the description as JSON in its header. Never pickle.

safetensors checks the layout of the file; a SHA-256 over description and arrays reveals any other change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import losses, optimizers
from thalweg.errors import ModelFileError
from thalweg.layers.layer import name_layers
from thalweg.models.compiled import Compiled
from thalweg.models.description import describe as graph_of
from thalweg.program.ir.alignment import align
from thalweg.support.checks import model_path, whole
from thalweg.support.files import writing
from thalweg.support.nested import for_json, mapped, of_json
from thalweg.support.untrusted import readable
from thalweg.version import __version__

Arrays = dict[str, NDArray[Any]]
FORMAT = "1"
ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n"  # how Keras's files begin: .keras, .h5
STATE = "/"  # the prefix of the training state's names; no layer's name begins with it


def describe(model: Compiled) -> dict[str, Any]:
    """Everything about a model except its arrays, as plain JSON."""
    model.build()
    name_layers(model.graph.layers)
    description: dict[str, Any] = {
        "format": FORMAT,
        "thalweg": __version__,
        "name": model.graph.name,
        "seed": model.seed,
        "engine": model.engine,
        "dtype": model.weights.dtype.name,
        "epochs_trained": model.epochs_trained,
    } | graph_of(model.graph)
    if resumes(model):
        description["compile"] = {
            "optimizer": optimizers.serialize(model.optimizer),
            "iterations": model.optimizer.iterations,
        } | goals_of(model)
    return description


def resumes(model: Compiled) -> bool:
    """Whether a file has what training needs to go on: of a step of one's own it hasn't, whose optimizers are its."""
    return model.complete and model.graph.step_of("training") is None


def goals_of(model: Compiled) -> dict[str, Any]:
    """The arguments of `compile`, as JSON."""
    goals = model.goals
    described: dict[str, Any] = {"loss": mapped(goals.loss, losses.serialize), "metrics": goals.described(model.graph)}
    return described if goals.loss_weights is None else described | {"loss_weights": goals.loss_weights}


def save_model(model: Compiled, path: str | Path, overwrite: bool = True) -> None:
    """Writes description, weights and the optimizer's vectors."""
    path = model_path(path)
    description = describe(model)
    arrays: Arrays = {name: np.array(p.array) for name, p in model.weights.named()}
    if resumes(model):
        arrays |= {STATE + name: packed(model, name, view) for name, view in model.training_state().items()}
    write(path, arrays, description, overwrite)


def save_weights(model: Compiled, path: str | Path, overwrite: bool = True) -> None:
    """Writes the weights alone."""
    path = model_path(path)
    model.build()
    write(path, {name: np.array(p.array) for name, p in model.weights.named()}, {"format": FORMAT}, overwrite)


OPTIMIZER = "optimizer/"  # vectors with an element for every weight


def places(model: Compiled) -> tuple[list[tuple[slice, slice]], int]:
    """Where each of the model's weights is in the optimizer's vectors, and in those of a file; the size of the latter.

    A file holds the model's own weights alone, as it had a vector for itself.
    """
    found, end = [], 0
    for _, p in model.weights.named():
        start, size = align(end), p.buffer.size
        end = start + size
        found.append((slice(p.buffer.offset, p.buffer.offset + size), slice(start, end)))
    return found, align(end)


def packed(model: Compiled, name: str, view: NDArray[Any]) -> NDArray[Any]:
    """A part of the training state, as a file has it."""
    if not name.startswith(OPTIMIZER):
        return view.copy()
    found, size = places(model)
    array = np.zeros(size, view.dtype)
    for here, there in found:
        array[there] = view[here]
    return array


def write(path: Path, arrays: Arrays, description: dict[str, Any], overwrite: bool) -> None:
    """Writes the whole file, or leaves the old one as it was."""
    from safetensors.numpy import save

    if os.path.isdir(path):
        raise ModelFileError(f"{path} is a folder; a model is saved to a file")
    if os.path.exists(path) and not overwrite:
        raise ModelFileError(f"{path} exists and is not overwritten")
    if not os.path.isdir(path.parent):
        raise ModelFileError(f"the folder {path.parent} does not exist")
    text = json.dumps(for_json(description), sort_keys=True)
    # One entry, because safetensors writes several in no fixed order, and equal models should give equal files.
    content = save(arrays, {"thalweg": f"{digest(text, arrays)} {text}"})
    with writing(path, ModelFileError) as new:
        new.write_bytes(content)


def digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of the description and of every array with its name and shape."""
    import hashlib

    total = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"\0{name}\0{array.dtype}\0{array.shape}\0".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def read(path: str | Path) -> tuple[Arrays, dict[str, Any]]:
    """The arrays and the description of a file that `write` made; anything else raises."""
    from safetensors import safe_open

    path = existing(path)
    if kind_of(path) is not None:
        raise ModelFileError(f"{path} is a file of Keras's, which has no state of a training here: load_model reads it")
    with readable(ModelFileError, f"{path} is not a model file, or it is damaged"):
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a dict
        if "thalweg" not in metadata:
            raise ModelFileError(f"{path} is a safetensors file, but not one that thalweg wrote")
        checksum, _, text = metadata["thalweg"].partition(" ")
        if digest(text, arrays) != checksum:
            raise ModelFileError(f"{path} was changed after it was saved: its checksum doesn't match")
        description = of_json(json.loads(text))
        if description["format"] != FORMAT:
            raise ModelFileError(f"{path} has the format {description['format']!r}, this version reads {FORMAT!r}")
    return arrays, description


def existing(path: str | Path) -> Path:
    """The path of a file."""
    path = Path(path)
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder, not a model file")
    if not path.is_file():
        raise ModelFileError(f"there is no model file {path}")
    return path


def kind_of(path: Path) -> bytes | None:
    """How a file of Keras's begins, ZIP or HDF5; None for one that is none."""
    with readable(ModelFileError, f"{path} can't be read"), path.open("rb") as file:
        start = file.read(8)
    return next((kind for kind in (ZIP, HDF5) if start.startswith(kind)), None)


def load_weights(model: Compiled, path: str | Path) -> None:
    """Replaces the weights; unless all names and shapes match, nothing changes."""
    model.build()
    if kind_of(existing(path)) is not None:
        from thalweg.exchange.keras_weights import load_keras_weights

        load_keras_weights(model.graph, Path(path))
        return
    arrays, _ = read(path)
    put(model, {n: a for n, a in arrays.items() if not n.startswith(STATE)}, path)


def load_state(model: Compiled, path: str | Path) -> None:
    """Restores weights, training state, learning rate and counts: training continues where the file was saved."""
    arrays, description = read(path)
    compiled = description.get("compile")
    if compiled is None:
        raise ModelFileError(f"{path} holds no compiled model")
    own = of_json(for_json(optimizers.serialize(model.optimizer)))
    with readable(ModelFileError, f"{path} has a damaged description"):
        wanted = compiled["optimizer"]
        rate = wanted["config"]["learning_rate"]
        epochs = whole("epochs_trained", description["epochs_trained"], 0)
        steps = whole("iterations", compiled["iterations"], 0)
    own["config"]["learning_rate"] = rate  # callbacks may have changed it
    if own != wanted:
        raise ModelFileError(f"{path} doesn't fit the model: it was trained by another optimizer")
    state = take_state(model, arrays, f"{path} doesn't fit the model")
    put(model, arrays, path)
    set_state(model, state)
    model.epochs_trained, model.optimizer.iterations = epochs, steps
    if model.optimizer.schedule is None:
        model.optimizer.learning_rate = rate


def take_state(model: Compiled, arrays: Arrays, misfit: str) -> Arrays:
    """Takes the training state out of a file's arrays; an array that is missing or has another shape raises."""
    state = {}
    for name, buffer in model.state_buffers().items():
        array = arrays.pop(STATE + name, None)
        shape = (places(model)[1],) if name.startswith(OPTIMIZER) else buffer.shape
        if array is None or array.shape != shape:
            there = "isn't there" if array is None else f"has the shape {array.shape}"
            raise ModelFileError(f"{misfit}: {name} has the shape {shape}, in the file it {there}")
        state[name] = array
    return state


def set_state(model: Compiled, state: Arrays) -> None:
    """Copies what `take_state` returned into the model."""
    for name, view in model.training_state().items():
        if name.startswith(OPTIMIZER):
            for here, there in places(model)[0]:
                view[here] = state[name][there]
        else:
            view[...] = state[name]


def put(model: Compiled, arrays: Arrays, path: str | Path) -> None:
    """Checks names and shapes, then copies."""
    named = dict(model.weights.named())
    compare({name: parameter.buffer.shape for name, parameter in named.items()}, arrays, path)
    for name, parameter in named.items():
        assert parameter.array is not None
        parameter.array[...] = arrays[name]


def compare(shapes: Mapping[str, tuple[int, ...]], arrays: Arrays, path: str | Path) -> None:
    """Raises unless the arrays have the names and shapes of the weights."""
    missing, extra = sorted(shapes.keys() - arrays.keys()), sorted(arrays.keys() - shapes.keys())
    if missing or extra:
        raise ModelFileError(
            f"{path} doesn't fit the model: missing {missing or 'nothing'}, unexpected {extra or 'nothing'}"
        )
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ModelFileError(
                f"{path} doesn't fit the model: {name} has the shape {shape}, in the file {arrays[name].shape}"
            )
