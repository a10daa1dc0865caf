"""What can be compared: the entries of every knob."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thalweg import activations, initializers, losses, optimizers
from thalweg.data.recipe import recipe
from thalweg.errors import ArgumentError
from thalweg.support.naming import snake_case

LEARNING_RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)

UNFIT_LOSSES = {
    "mean_squared_logarithmic_error": "needs targets above −1; here they are standardised, or classes",
    "gaussian_nll": "needs a second output, the variance",
}


def distinct(names: Mapping[str, Any]) -> dict[str, Any]:
    """One name for each value: the longest, since shorter ones are abbreviations."""
    kept: dict[int, str] = {}
    for name, thing in names.items():
        if name == snake_case(name) and len(name) > len(kept.get(id(thing), "")):
            kept[id(thing)] = name
    return {name: names[name] for name in names if name in kept.values()}


def catalogue(knob: str, task: str) -> tuple[list[str], dict[str, str]]:
    """All entries of a knob that fit the task, and the others with the reason why they don't."""
    if knob == "activation":
        names = distinct(activations.NAMES)
        incomplete = {name: f"needs {' and '.join(f.missing)}" for name, f in names.items() if f.missing}
        return [name for name in names if name not in incomplete], incomplete
    if knob == "optimizer":
        return list(distinct(optimizers.NAMES)), {}
    if knob == "initializer":
        return [*distinct(initializers.NAMES), "lsuv"], {}
    everything = {snake_case(name) for name in losses.CLASSES}
    fitting = [name for name in recipe(task).fitting if name in everything]
    other = f"doesn't fit a {task} target"
    return fitting, {name: UNFIT_LOSSES.get(name, other) for name in sorted(everything - set(fitting))}


def entries_of(
    knob: str, task: str, given: Sequence[Any] | Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values to try, by the name to show, and the entries left out, with the reason."""
    if given is None:
        if knob == "learning_rate":
            return {f"{rate:g}": rate for rate in LEARNING_RATES}, {}
        names, left_out = catalogue(knob, task)
        return {name: name for name in names}, left_out
    if isinstance(given, (str, bytes)) or not isinstance(given, (Sequence, Mapping)) or not given:
        raise ArgumentError(f"entries is a list of values, or a dict of values by name, got {given!r}")
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}, {}
    named = {name_of(value): value for value in given}
    if len(named) < len(given):
        raise ArgumentError("two entries have the same name: give a dict of values by name")
    return named, {}


def name_of(value: Any) -> str:
    """How an entry is shown."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return f"{value:g}"
    name = getattr(value, "name", None) or getattr(value, "__name__", None)
    return name if isinstance(name, str) else repr(value)
