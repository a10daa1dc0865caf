"""The knobs of a training by their names in a state: activation, loss, initial weights, optimizer, learning rate."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from thalweg import activations, initializers, losses, optimizers, schedules
from thalweg.data.recipe import RECIPES, Recipe
from thalweg.errors import ArgumentError
from thalweg.play.exercises.exercise import Exercise
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError
from thalweg.play.requests.typed_formulas import modest
from thalweg.support.naming import choose, snake_case

HALVED = ("halved_squared_error", "half_squared_error")
"""The tutorial's loss, ½·Σ(y − ŷ)², whose derivative is the plain error."""
RATES = ("initial_learning_rate", "max_learning_rate", "learning_rate")
"""What schedules call the learning rate that the page gives."""
SCHEDULES = {
    snake_case(name): kind
    for name, kind in schedules.CLASSES.items()
    if next(iter(inspect.signature(kind).parameters)) in RATES
}
STEPS = 1000
USUAL = {"decay_steps": STEPS, "first_decay_steps": STEPS, "total_steps": STEPS, "decay_rate": 0.5}
"""Of the arguments of schedules that have no default."""
MOST = {"ns_steps": 20, "warmup_steps": 10**6, "ema_overwrite_frequency": 10**6, "gradient_accumulation_steps": 10**4}
"""Counts in an optimizer: each costs time."""


def arguments(kind: Any, skip: tuple[str, ...]) -> dict[str, Any]:
    """A class's own arguments with their defaults."""
    own = inspect.signature(kind).parameters.values()
    return {
        p.name: USUAL.get(p.name) if p.default is p.empty else p.default
        for p in own
        if p.name not in (*skip, "name", "seed") and p.kind is not p.VAR_KEYWORD
    }


def activation(name: str) -> Any:
    """An activation by its name, or from its formula in x."""
    return activations.get(modest(name))


def split(given: str | dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A name and its arguments."""
    return (given, {}) if isinstance(given, str) else (given["name"], {k: v for k, v in given.items() if k != "name"})


def recipe_of(exercise: Exercise) -> Recipe:
    """How a network for this exercise ends by default."""
    return RECIPES.get(exercise.task, RECIPES["regression"])


def loss(state: State, exercise: Exercise) -> losses.Loss:
    """The loss: the task's usual one, one by its name, or a formula in y_true and y_pred."""
    if state.loss in HALVED:
        return losses.SumSquaredError(half=True)
    return losses.get(recipe_of(exercise).loss if state.loss == "auto" else modest(state.loss))


def output_activation(state: State, exercise: Exercise) -> str:
    """The activation of the output layer: the one that is asked for, or that the loss expects."""
    recipe = recipe_of(exercise)
    asked = "auto" if state.output is None else state.output["activation"]
    if asked != "auto":
        return str(asked)
    return recipe.fitting.get(loss(state, exercise).name, recipe.activation)


def initializer(given: str | dict[str, Any]) -> Any:
    """Initial weights by the name of their rule, or its name and arguments."""
    name, rest = split(given)
    kind = choose("initializer", initializers.ALIASES.get(name, name), initializers.NAMES)
    return made("initializer", kind, rest)


def array(values: Any) -> Any:
    """Given weights."""
    try:
        return np.array(values, np.float64)
    except ValueError:
        raise RefusedError("given weights have rows of different lengths") from None


def optimizer(state: State) -> optimizers.Optimizer:
    """The optimizer with its learning rate."""
    name, rest = split(state.optimizer)
    kind = choose("optimizer", name, optimizers.NAMES)
    if "learning_rate" in rest:
        raise RefusedError("the learning rate is the state's learning_rate, not the optimizer's")
    for key, most in MOST.items():
        if isinstance(rest.get(key), (int, float)) and rest[key] > most:
            raise RefusedError("the optimizer's {key} is {most:,} at most", key=key, most=most)
    result: optimizers.Optimizer = made("optimizer", kind, {"learning_rate": rate(state)} | rest)
    return result


def rate(state: State) -> Any:
    """The learning rate: a number, or a schedule that begins with it."""
    if state.schedule is None:
        return state.learning_rate
    name, rest = split(state.schedule)
    if name == "constant" and not rest:
        return state.learning_rate
    kind = choose("schedule", name, SCHEDULES)
    first, *others = inspect.signature(kind).parameters
    usual = {key: USUAL[key] for key in others if key in USUAL}
    return made("schedule", kind, {first: state.learning_rate} | usual | rest)


def made(what: str, kind: Any, given: dict[str, Any]) -> Any:
    """An object of a class of thalweg's with these arguments; unknown ones and wrong types are refused."""
    signature = inspect.signature(kind).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in signature.values()):
        for key in given:
            choose(f"argument of the {what} {kind.__name__}", key, list(signature))
    try:
        return kind(**given)
    except (TypeError, OverflowError) as error:
        raise ArgumentError(f"the {what} {kind.__name__} can't have these arguments: {error}") from None
