"""What a model of Keras's was compiled with, and back: optimizer, loss and metrics."""

from __future__ import annotations

import warnings
from typing import Any

from thalweg import losses, optimizers
from thalweg.errors import ArgumentError, ThalwegError, ThalwegWarning
from thalweg.exchange.keras_parts import described, part, plain
from thalweg.support.nested import mapped
from thalweg.support.untrusted import reason


def compile_as(model: Any, config: Any, path: Any) -> None:
    """Compiles the model as it was in Keras, with a fresh optimizer; where something isn't known here, it stays
    uncompiled, and a warning says why: it predicts all the same."""
    if not isinstance(config, dict) or not config.get("optimizer", config.get("optimizer_config")):
        return
    try:
        given = part("optimizer", config.get("optimizer", config.get("optimizer_config")), "optimizer")
        if config.get("weighted_metrics"):
            raise ArgumentError("metrics aren't weighted here")
        model.compile(
            optimizers.get(given),
            each(config.get("loss"), "loss", losses.get),
            alone(each(config.get("metrics"), "metric", lambda found: found)),
            loss_weights=plain_weights(config.get("loss_weights")),
        )
    except Exception as error:
        said = str(error).partition("\n")[0] if isinstance(error, ThalwegError) else f"damaged ({reason(error)})"
        warnings.warn(
            f"{path} isn't compiled as it was in Keras: {said}; it predicts, and to train it call model.compile",
            ThalwegWarning,
            stacklevel=2,
        )


def each(given: Any, family: str, get: Any) -> Any:
    """The parts in a structure of lists and dicts by output."""
    if isinstance(given, dict) and "class_name" not in given:
        return {key: each(inner, family, get) for key, inner in given.items()}
    if isinstance(given, list):
        return [each(inner, family, get) for inner in given]
    found = part(family, given, f"one {family}")
    return None if found is None else get(found)


def alone(given: Any) -> Any:
    """Keras's older files have a list in a list for one output."""
    return given[0] if isinstance(given, list) and len(given) == 1 and isinstance(given[0], list) else given


def plain_weights(given: Any) -> Any:
    """Factors of losses: a number for each, in a list or by name."""
    if isinstance(given, dict):
        return {key: plain(value, "loss_weights") for key, value in given.items()}
    return plain(given, "loss_weights")


def compile_config(model: Any) -> dict[str, Any] | None:
    """The same of a compiled model, for Keras; None if it isn't compiled.

    Raises:
        ArgumentError: Keras hasn't one of its parts.
    """
    compiled = model._compiled
    if not compiled.complete:
        return None
    optimizer = optimizers.serialize(compiled.optimizer)
    config = {key: value for key, value in optimizer["config"].items() if key != "learning_rate_factors"}
    if optimizer["config"].get("learning_rate_factors"):
        raise ArgumentError("Keras has no learning_rate_factors")
    goals = compiled.goals
    return {
        "optimizer": described("optimizer", optimizer | {"config": config}),
        "loss": mapped(goals.loss, lambda loss: described("loss", losses.serialize(loss))),
        "loss_weights": goals.loss_weights,
        "metrics": mapped_metrics(goals.described(compiled.graph)),
        "weighted_metrics": None,
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": "auto",
    }


def mapped_metrics(given: Any) -> Any:
    """Metrics in a structure, each with the name under which it is logged."""
    if isinstance(given, dict) and "class_name" in given:
        config = dict(given["config"]) | {"name": given["key"]}
        return described("metric", given | {"config": config})
    if isinstance(given, dict):
        return {key: mapped_metrics(inner) for key, inner in given.items()}
    return [mapped_metrics(inner) for inner in given] if isinstance(given, list) else given
