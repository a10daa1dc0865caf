"""docs/keras-differences.md is complete: every class, argument and default that differs from Keras's has a row."""

import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest

from thalweg import (
    Sequential,
    absent,
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    load_model,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
)
from thalweg.optimizers.optimizer import Common, Optimizer

TEXT = (Path(__file__).parents[2] / "docs" / "keras-differences.md").read_text(encoding="utf-8")
OURS = {m.__name__.rpartition(".")[2]: m for m in (
    activations, callbacks, constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules,
)}  # fmt: skip
GROUPS = sorted(OURS.keys() - {"activations"})
ROWS = [  # (what Keras has, the names in it, what thalweg has)
    (first, set(re.findall(r"[A-Za-z_]\w*", " ".join(re.findall(r"`([^`]*)`", first)))), second.strip())
    for first, second in re.findall(r"^\|(.*?)\|(.*?)\|", TEXT, re.MULTILINE)
]
NAMED = set().union(*(words for _, words, _ in ROWS), *absent.INSTEAD.values())
# What isn't a class of its own: other names, and what only Keras's inside needs.
NOT_MEANT = {
    "initializers": {"IdentityInitializer", "OrthogonalInitializer", "STFTInitializer"},
}
METHODS = (
    "compile", "fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch", "summary", "add",
    "pop", "get_layer", "save", "save_weights", "load_weights",
)  # fmt: skip


def namespace(keras, group):
    return keras.optimizers.schedules if group == "schedules" else getattr(keras, group)


def classes(keras, group):
    """Keras's public classes of a group by their own names."""
    return {c.__name__: c for c in vars(namespace(keras, group)).values() if isinstance(c, type)}


def documented(owner, argument, group):
    """Whether a row names the argument together with its owner, or for every layer, loss, …"""
    every = f"every {group.removesuffix('s').removesuffix('se')}"
    every = {"losses": "every loss", "activations": "every activation"}.get(group, every)
    return any(argument in words and (owner in words or every in first) for first, words, _ in ROWS)


def arguments(function):
    """(name → default) of what a class or function takes; an optimizer's common arguments included."""
    result = {}
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.VAR_KEYWORD and isinstance(function, type) and issubclass(function, Optimizer):
            common = inspect.signature(Optimizer).parameters
            result = {name: common[name].default for name in get_type_hints(Common)} | result
        elif p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name != "self":
            result[p.name] = p.default
    return result


def plain(value):
    """Defaults that mean the same are equal: (2, 2) and 2, "GlorotUniform" and "glorot_uniform", 0 and 0.0."""
    if isinstance(value, (tuple, list)) and value and len(set(value)) == 1:
        return plain(value[0])
    if isinstance(value, str):
        return value.lower().replace("_", "")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def differences(owner, ours, theirs, group):
    """The arguments that are missing, or differ in their default or place, and are in no row."""
    ours_of, ours, theirs = ours, arguments(ours), arguments(theirs)
    both = [name for name in theirs if name in ours]
    found = [f"{owner} lacks {name}" for name in theirs if name not in ours and not documented(owner, name, group)]
    for name in both:
        default = theirs[name]
        same = plain(ours[name]) == plain(default) or default is inspect.Parameter.empty or name == "name"
        if not same and not documented(owner, name, group):
            found.append(f"{owner}({name}) is {ours[name]!r}, in Keras {default!r}")
    keyword = {p.name for p in inspect.signature(ours_of).parameters.values() if p.kind is p.KEYWORD_ONLY} | {"name"}
    places = [[n for n in names if n in both and n not in keyword] for names in (positional(ours_of), theirs)]
    if places[0] != [n for n in places[1] if n in places[0]]:
        found.append(f"{owner} has its arguments in another order: {places[0]}")
    return found


def positional(function):
    """The names of the arguments that have a place."""
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("group", GROUPS)
def test_what_keras_has_is_there_or_named(group, keras):
    names = classes(keras, group).keys() - NOT_MEANT.get(group, set())
    assert len(names) > 3
    held = {c.lower() for c in vars(OURS[group])}
    lacking = sorted(name for name in names if name.lower() not in held and name not in NAMED)
    assert not lacking, f"name these {group} in docs/keras-differences.md: {lacking}"


@pytest.mark.parametrize("group", GROUPS)
def test_arguments_are_kerass_or_a_row_says_so(group, keras):
    ours = {name.lower(): c for name, c in vars(OURS[group]).items() if isinstance(c, type)}
    theirs = classes(keras, group) | ({"Input": keras.layers.Input} if group == "layers" else {})
    found = []
    for name, c in theirs.items():
        if name.lower() in ours:
            found += differences(name, ours[name.lower()], c, group)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", METHODS)
def test_methods_take_kerass_arguments_or_a_row_says_so(name, keras):
    found = differences(name, getattr(Sequential, name), getattr(keras.Sequential, name), "models")
    assert not found, "\n".join(found)


def test_models_take_kerass_arguments_or_a_row_says_so(keras):
    found = differences("Sequential", Sequential, keras.Sequential, "models")
    found += differences("load_model", load_model, keras.models.load_model, "models")
    assert not found, "\n".join(found)


def test_activations_take_kerass_arguments(keras):
    theirs = {n: f for n, f in vars(keras.activations).items() if inspect.isfunction(f) and not n.startswith("_")}
    for name, function in theirs.items():
        if name in ("get", "serialize", "deserialize"):
            continue
        wanted = {key: plain(default) for key, default in arguments(function).items() if key != "x"}
        ours = getattr(activations, name)
        if ours.rowwise:
            assert wanted in ({}, {"axis": -1.0}), name
            ours.using(**({"axis": -1} if wanted else {}))
            continue
        assert list(wanted) == list(ours.argument_names()), name
        given = {key: default for key, default in wanted.items() if default is not inspect.Parameter.empty}
        assert ours.using(**given) == ours if given else True, name  # the same defaults


def test_an_undocumented_difference_is_found(monkeypatch):
    """The control."""

    def theirs(units, activation=None, lora_rank=None, new=1):
        pass

    found = differences("Dense", layers.Dense, theirs, "layers")
    assert found == ["Dense lacks new"]  # lora_rank has a row

    def other(units, activation="relu", use_bias=False):
        pass

    found = differences("Dense", layers.Dense, other, "layers")
    assert found == ["Dense(activation) is None, in Keras 'relu'", "Dense(use_bias) is True, in Keras False"]
