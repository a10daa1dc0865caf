"""Models from their configuration: the same layers, with new weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.layers import CustomObjects, Layer, class_named
from thalweg.models.description import own_things, settings
from thalweg.models.model import Model
from thalweg.models.sequential import Sequential
from thalweg.support.naming import suggesting
from thalweg.support.nested import of_json
from thalweg.support.registry import custom_object_scope


@suggesting
def clone_model(
    model: Model, input_tensors: Any = None, clone_function: Callable[[Layer], Layer] | None = None
) -> Model:
    """A model of the same layers, with new weights, not compiled. (`copy.deepcopy` copies weights and all.)

    If the model was given a seed, the new one has the same, and with it the same initial weights.

    Args:
        model: the model.
        input_tensors: None: the new model has inputs of its own.
        clone_function: makes a layer of the new model from one of the old; only for a `Sequential`.

    >>> from thalweg.layers import Dense
    >>> model = Sequential([Dense(2, input_dim=3, name="hidden")])
    >>> again = clone_model(model)
    >>> again.layers[0].name, again.layers[0] is model.layers[0], again.input_shape
    ('hidden', False, (None, 3))
    >>> frozen = clone_model(model, clone_function=lambda layer: Dense.from_config({**layer.get_config(), "units": 4}))
    >>> frozen.output_shape
    (None, 4)
    """
    if not isinstance(model, Model):
        raise ArgumentError(f"clone_model takes a model, got {model!r}")
    if input_tensors is not None:
        raise ArgumentError("clone_model: a clone has inputs of its own: call it on the tensors, clone_model(model)(x)")
    if clone_function is None:
        with custom_object_scope(own_things(model._graph.layers)):
            same: Model = type(model).from_config(model.get_config())
            return same
    if not isinstance(model, Sequential):
        raise ArgumentError(
            "clone_model: clone_function is for a Sequential; the layers of other models are cloned as they are"
        )
    front = [] if model.input is None else [model.input]
    made = [clone_function(layer) for layer in model.layers]
    return type(model)([*front, *made], name=model.name, **settings(model._compiled))


@suggesting
def model_from_json(json_string: str, custom_objects: CustomObjects | None = None) -> Model:
    """A model from what `model.to_json()` returned, with new weights.

    Args:
        json_string: the text.
        custom_objects: your own classes, and activations made by `activations.custom`, by name.

    >>> from thalweg.layers import Dense
    >>> text = Sequential([Dense(2, input_dim=3)]).to_json()
    >>> model_from_json(text).count_params()
    8
    """
    try:
        description = json.loads(json_string)
        name, config = description["class_name"], description["config"]
    except (TypeError, ValueError, KeyError) as error:
        raise ArgumentError(f"model_from_json takes what model.to_json() returned: {error!r}") from None
    with custom_object_scope(custom_objects):
        model: Any = class_named("class of model", name, custom_objects)
        made: Model = model.from_config(of_json(config))
    return made


def take_over(model: Model, trained: Model, x: Any) -> None:
    """Gives a model what a copy of it has learned from x: weights, optimizer, counts, history. No array is replaced."""
    here, there = model._compiled, trained._compiled
    here.ready(x)
    here.weights.vector[...] = there.weights.vector
    here.slots[...] = there.slots
    here.epochs_trained, here.optimizer.iterations = there.epochs_trained, there.optimizer.iterations
    if here.optimizer.schedule is None:
        here.optimizer.learning_rate = there.optimizer.learning_rate
    model.history, model.initial_epoch = trained.history, trained.initial_epoch
