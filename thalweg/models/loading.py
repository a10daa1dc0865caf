"""Models from disk: a file that `Sequential.save` wrote becomes the same model again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thalweg import layers, losses, metrics, optimizers
from thalweg.errors import ArgumentError, DataError, MissingPackageError, ModelFileError, ThalwegError
from thalweg.models.functional import Functional
from thalweg.models.model import Model
from thalweg.models.model_file import STATE, ZIP, Arrays, compare, existing, kind_of, put, read, set_state, take_state
from thalweg.models.sequential import Sequential
from thalweg.support.checks import whole
from thalweg.support.naming import suggesting
from thalweg.support.registry import custom_object_scope
from thalweg.support.untrusted import reason


@suggesting
def load_model(filepath: str | Path, custom_objects: layers.CustomObjects | None = None, compile: bool = True) -> Model:
    """The model in a file that `Sequential.save` wrote: it predicts and continues training exactly as before.

    A file of Keras's, .keras or .h5, becomes the same network with the same weights, to the bit; its optimizer starts
    over. What a file is, its content says, not its name. Keras's own code, and code in the file, is never run; a layer
    or an argument that isn't here is named in the error. Of what it was compiled with, something that isn't here leaves
    the model uncompiled, with a warning: it predicts all the same. This needs the extra `keras`.

    A file that `FeatureSpace.save` wrote becomes the FeatureSpace again.

    Args:
        filepath: the file.
        custom_objects: your own layer classes, and activations made by `activations.custom`, by name.
        compile: whether the model gets the optimizer, the loss and the metrics that the file names.

    >>> import os, tempfile
    >>> from thalweg import Sequential
    >>> model = Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "model.safetensors"))
    ...     again = load_model(os.path.join(folder, "model.safetensors"))
    >>> bool((again.get_weights()[0] == model.get_weights()[0]).all())
    True
    """
    with custom_object_scope(custom_objects):
        return load(filepath, custom_objects, compile)


@suggesting
def save_model(model: Model, filepath: str | Path, overwrite: bool = True) -> None:
    """Saves a model to one file: `model.save(filepath, overwrite)`."""
    model.save(filepath, overwrite)


def load(filepath: str | Path, custom_objects: layers.CustomObjects | None, compiled: bool = True) -> Model:
    """The model in a file."""
    path = existing(filepath)
    if (kind := kind_of(path)) is not None:
        from thalweg.exchange.keras_reading import read_h5, read_keras

        with telling(filepath):
            return (read_keras if kind == ZIP else read_h5)(path, custom_objects, compiled)
    arrays, description = read(filepath)
    if "feature_space" in description:
        with telling(filepath, "; give your own layers in custom_objects"):
            space: Any = layers.class_named("class", "FeatureSpace", custom_objects)
            return space.from_config(description["feature_space"])  # type: ignore[no-any-return]
    if "layers" not in description and "own" not in description:
        raise ModelFileError(f"{filepath} holds weights only; make the model, then model.load_weights(path)")
    if not compiled:
        description.pop("compile", None)
        arrays = {name: array for name, array in arrays.items() if not name.startswith(STATE)}
    with telling(filepath, "; give your own layers in custom_objects"):
        model = from_description(description, arrays, filepath, custom_objects)
    made = model._compiled
    if made.complete:
        set_state(made, take_state(made, arrays, f"{filepath} contradicts itself"))
    put(made, arrays, filepath)
    return model


@contextmanager
def telling(path: str | Path, remedy: str = "") -> Iterator[None]:
    """Turns what may go wrong with a file's description into one sentence: a constructor may raise anything.

    remedy: for an unknown name.
    """
    try:
        yield
    except (ModelFileError, DataError):
        raise
    except ThalwegError as error:
        own = isinstance(error, ArgumentError) and "custom_objects" not in str(error)
        hint = remedy if own else ""
        said = str(error).partition("\n")[0]  # a formula's error shows the place on further lines
        kind = MissingPackageError if isinstance(error, MissingPackageError) else ModelFileError
        raise kind(f"{path} can't be turned into a model: {said}{hint}") from None
    except Exception as error:
        raise ModelFileError(
            f"{path} can't be turned into a model: its description is incomplete or damaged ({reason(error)})"
        ) from error


def from_description(
    description: dict[str, Any], arrays: Arrays, path: str | Path, custom_objects: layers.CustomObjects | None
) -> Model:
    """The model of a description, its weights 0. They get no memory until their shapes match the arrays'."""
    stored = {name: array for name, array in arrays.items() if not name.startswith(STATE)}
    model = model_of(description, custom_objects)
    model._weights.build(description.get("own"), check=lambda shapes: compare(shapes, stored, path))
    model.epochs_trained = whole("epochs_trained", description["epochs_trained"], 0)
    compiled = description.get("compile")
    if compiled is not None:
        loss = described(compiled["loss"], losses.get)
        names = described(compiled["metrics"], metric_of)
        model.compile(optimizers.get(compiled["optimizer"]), loss, names, loss_weights=compiled.get("loss_weights"))
        model.optimizer.iterations = whole("iterations", compiled["iterations"], 0)
    return model


def described(given: Any, get: Callable[[Any], Any]) -> Any:
    """A structure of descriptions, each a dict with a class_name, turned into what they describe."""
    if isinstance(given, dict) and "class_name" in given:
        return get(given)
    if isinstance(given, dict):
        return {key: described(inner, get) for key, inner in given.items()}
    return [described(inner, get) for inner in given] if isinstance(given, list) else given


def metric_of(description: dict[str, Any]) -> Any:
    """A metric that is Python code, found while the user's names are known; another one's description as it is."""
    found = metrics.get(description, (1,), (1,)).metric
    return found if found.by_itself or isinstance(found, metrics.FunctionMetric) else description


def model_of(description: dict[str, Any], custom_objects: layers.CustomObjects | None) -> Model:
    """The model that a description is of, without weights."""
    if "own" in description:
        return own_model(description, custom_objects)
    kind: type[Functional | Sequential] = Functional if "calls" in description else Sequential
    return kind.from_config(description, custom_objects)


def own_model(description: dict[str, Any], custom_objects: layers.CustomObjects | None) -> Model:
    """A model of a user's class."""
    kind = layers.class_named("class", description["class_name"], custom_objects)
    model: Model = kind.from_config(description["config"])
    model._compiled.seed, model._compiled.engine = description["seed"], description["engine"]
    weights = model._weights
    if description["dtype"] != weights.dtype.name:
        if weights.placed:
            raise ModelFileError(
                f"{description['class_name']} builds itself in {weights.dtype.name} where it is made, and was saved in "
                f"{description['dtype']}: let its constructor take the dtype"
            )
        weights.compute_in(description["dtype"])
    return model
