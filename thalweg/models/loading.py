"""Models from disk: a file that `Sequential.save` wrote becomes the same model again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thalweg import layers, losses, optimizers
from thalweg.errors import ArgumentError, ModelFileError, ThalwegError
from thalweg.models.model_file import STATE, Arrays, compare, put, read, set_state, take_state
from thalweg.models.sequential import Sequential
from thalweg.support.checks import whole
from thalweg.support.untrusted import reason


def load_model(filepath: str | Path, custom_objects: layers.CustomObjects | None = None) -> Sequential:
    """The model in a file that `Sequential.save` wrote: it predicts and continues training exactly as before.

    Args:
        filepath: the file.
        custom_objects: your own layer classes, and activations made by `activations.custom`, by name.

    >>> import os, tempfile
    >>> from thalweg import Sequential
    >>> model = Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "model.safetensors"))
    ...     again = load_model(os.path.join(folder, "model.safetensors"))
    >>> bool((again.get_weights()[0] == model.get_weights()[0]).all())
    True
    """
    arrays, description = read(filepath)
    if "layers" not in description:
        raise ModelFileError(f"{filepath} holds weights only; make the model, then model.load_weights(path)")
    try:
        model = from_description(description, arrays, filepath, custom_objects)
    except ModelFileError:
        raise
    except ThalwegError as error:
        own = isinstance(error, ArgumentError) and "custom_objects" not in str(error)
        hint = "; give your own layers in custom_objects" if own else ""
        said = str(error).partition("\n")[0]  # a formula's error shows the place on further lines
        raise ModelFileError(f"{filepath} can't be turned into a model: {said}{hint}") from None
    except Exception as error:  # a description is data: a constructor may raise anything
        raise ModelFileError(
            f"{filepath} can't be turned into a model: its description is incomplete or damaged ({reason(error)})"
        ) from error
    compiled = model._compiled
    if compiled.complete:
        set_state(compiled, take_state(compiled, arrays, f"{filepath} contradicts itself"))
    put(compiled, arrays, filepath)
    return model


def from_description(
    description: dict[str, Any], arrays: Arrays, path: str | Path, custom_objects: layers.CustomObjects | None
) -> Sequential:
    """The model of a description, its weights 0. They get no memory until their shapes match the arrays'."""
    stored = {name: array for name, array in arrays.items() if not name.startswith(STATE)}
    model = Sequential(
        [layers.Input(description["input_shape"], dtype=description.get("input_dtype", "float32"))]
        + [layers.deserialize(d, custom_objects) for d in description["layers"]],
        name=description["name"],
        seed=description["seed"],
        engine=description["engine"],
        dtype=description["dtype"],
    )
    model._weights.build(check=lambda shapes: compare(shapes, stored, path))
    model.epochs_trained = whole("epochs_trained", description["epochs_trained"], 0)
    compiled = description.get("compile")
    if compiled is not None:
        model.compile(optimizers.get(compiled["optimizer"]), losses.get(compiled["loss"]), compiled["metrics"])
        model.optimizer.iterations = whole("iterations", compiled["iterations"], 0)
    return model
