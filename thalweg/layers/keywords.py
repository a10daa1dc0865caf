"""Keras's arguments of every layer, as keywords: input_shape, input_dim, dtype, trainable …, data_format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import wraps
from inspect import Parameter as Argument
from inspect import get_annotations, signature
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, ShapeError, SignatureError
from thalweg.support.checks import row_shape
from thalweg.support.naming import constructor_names
from thalweg.support.nested import for_json, of_json

SHAPES = ("input_shape", "input_dim", "batch_input_shape", "batch_shape")
DECLARED = (*SHAPES, "dtype")
EVERY = (*DECLARED, "trainable", "data_format")


def accept(kind: Any) -> None:
    """Lets a layer's constructor take these arguments besides its own, and `get_config` tell what it was made with."""
    if "__init__" in vars(kind):
        kind.__init__ = taking(kind.__init__, kind)
    if "get_config" in vars(kind):
        kind.get_config = telling(kind.get_config, kind)


def taking(init: Any, kind: Any) -> Any:
    """The constructor with the arguments of every layer; one that it takes itself stays its own.

    What the constructor of a user's class was called with is kept, as in Keras, for a class without a `get_config`.
    """
    common = set(kind.of_all) - signature(init).parameters.keys()
    ours = is_ours(kind)

    @wraps(init)
    def constructor(self: Any, *arguments: Any, **named: Any) -> None:
        given = {name: named.pop(name) for name in common & named.keys()}
        if not ours and "made_with" not in vars(self):
            vars(self)["made_with"] = (kind, *by_name(init, arguments, named))
        init(self, *arguments, **named)
        keep(self, given)

    return constructor


def by_name(init: Any, arguments: Sequence[Any], named: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Copies of a call's arguments by name; and which, if any, a file can't hold."""
    try:
        bound = signature(init).bind(None, *arguments, **named)
    except TypeError:  # which the constructor itself is about to raise
        return {}, ""
    given: dict[str, Any] = {}
    wrong = ""
    for name, value in list(bound.arguments.items())[1:]:
        kind = bound.signature.parameters[name].kind
        if kind is Argument.VAR_POSITIONAL:
            wrong = f"*{name}, whose values have no names"
        given |= value if kind is Argument.VAR_KEYWORD else {name: value}
    for name, value in given.items():
        try:
            given[name] = of_json(for_json(value))
        except ArgumentError:
            wrong = wrong or f"{name}, which is of the type {type(value).__name__}"
    return given, wrong


def hinting(kind: Any) -> None:
    """Lets the constructor of all layers ask, where it fails, for what a class without one of its own has forgotten."""
    init = kind.__init__

    @wraps(init)
    def constructor(self: Any, *arguments: Any, **named: Any) -> None:
        try:
            init(self, *arguments, **named)
        except (TypeError, ArgumentError) as error:
            alone = next(b for b in type(self).__mro__ if "__init__" in vars(b)) is kind
            if not alone or not (names := undeclared(type(self))):
                raise
            hint = f"if {' and '.join(names)} of {type(self).__name__} are arguments, the class needs @arguments"
            raise SignatureError(f"{error}; {hint}") from error

    kind.__init__ = constructor


def undeclared(kind: type) -> list[str]:
    """What stands annotated in a class, but for constants and what is its private matter."""
    noted = get_annotations(kind).items()
    return [name for name, written in noted if not name.startswith("_") and "ClassVar" not in str(written)]


def telling(get_config: Any, kind: Any) -> Any:
    """The configuration with `trainable` where it isn't the default. (That of a model is its layers'.)

    If the user's class below this one has a constructor and no `get_config`: the arguments of that constructor.
    """

    @wraps(get_config)
    def config(self: Any) -> dict[str, Any]:
        own: dict[str, Any] = get_config(self)
        maker, given, wrong = vars(self).get("made_with", (kind, {}, ""))
        below = type(self).__mro__[: type(self).__mro__.index(maker)]
        if type(self).get_config is config and kind not in (maker, *below):
            if wrong:
                raise ArgumentError(
                    f"{type(self).__name__} was made with {wrong}, and a file holds numbers, texts, None, and lists, "
                    "tuples and dicts of them: write a get_config, and a from_config that makes an equal one of it"
                )
            declared = {name for c in below for name in vars(c).get("declared_arguments", ())}
            named = {"name": self.name} if "name" in constructor_names(type(self)) else {}
            own = {name: own[name] for name in own.keys() & declared} | given | named
        return own if vars(self).get("trainable", True) else own | {"trainable": False}

    return config


def is_ours(kind: type) -> bool:
    """Whether a class is one of thalweg's, not the user's."""
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


def config_of(layer: Any) -> dict[str, Any]:
    """A layer's configuration; raises if its class, one of the user's, can't be made again from it."""
    config: dict[str, Any] = layer.get_config()
    kind = type(layer)
    if not is_ours(kind) and is_ours(next(c for c in kind.__mro__ if "from_config" in vars(c))):
        try:
            signature(kind).bind(**{name: value for name, value in config.items() if name not in kind.of_all})
        except TypeError as error:
            raise ArgumentError(
                f"{kind.__name__} can't be made again from what its get_config returns, {', '.join(config)}: {error}"
            ) from None
    return config


def keep(layer: Any, given: Mapping[str, Any]) -> None:
    """Sets what was given: `trainable`, and in `declared` the input's shape and the type."""
    if "trainable" in given:
        layer.trainable = bool(given["trainable"])
    kind = type(layer).__name__
    if given.get("data_format") not in (None, "channels_last"):
        raise ArgumentError(
            f"{kind} has the channels last, (rows, height, width, channels): put Permute((2, 3, 1)) in front, got "
            f"data_format={given['data_format']!r}"
        )
    declared = {key: given[key] for key in DECLARED if given.get(key) is not None}
    if not declared:
        return
    named = [key for key in SHAPES if key in declared]
    if len(named) > 1:
        raise ArgumentError(f"{kind}: only one of {' and '.join(named)} can be given")
    if named:
        shape: Any = declared.pop(named[0])
        if named[0].startswith("batch"):
            declared["batch_size"] = shape[0] if isinstance(shape, (list, tuple)) and shape else None
        declared = {"input_shape": shape_of(kind, named[0], shape)} | declared
    if "dtype" in declared:
        declared["dtype"] = type_of(kind, declared["dtype"])
    layer.declared = dict(layer.declared) | declared


def shape_of(kind: str, argument: str, value: Any) -> tuple[int | None, ...]:
    """The shape of a row: batch_input_shape has the number of rows in front."""
    sizes = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
    if argument.startswith("batch"):
        sizes = sizes[1:]
    if not sizes:
        raise ArgumentError(f"{kind}: {argument} can't be empty: give (1,) for one number a row")
    return row_shape(f"{kind}'s {argument}", sizes)


def type_of(kind: str, dtype: Any) -> str:
    """The name of a type in which a model computes."""
    name: str = getattr(dtype, "__name__", None) or getattr(dtype, "name", None) or str(dtype)
    if name not in ("float32", "float64"):
        raise ArgumentError(
            f"{kind}: a layer computes in the type of its model, float32 or float64, got dtype={name!r}"
        )
    return name


def check_shape(layer: Any, shape: Any) -> None:
    """Raises if the layer gets inputs of another shape than it was said to, or numbers where it needs an axis."""
    if shape == () and layer.composes and not layer.takes_numbers:
        raise ShapeError(
            f"{type(layer).__name__} {layer.shown_name} needs an axis besides the rows, but its "
            "input is one number a row: give Input((1,)), or ops.expand_dims(x, -1)"
        )
    said = layer.declared.get("input_shape")
    if said is not None and not (isinstance(shape, tuple) and fits(shape, said)):
        raise ShapeError(
            f"{type(layer).__name__} {layer.shown_name} was given input_shape={said}, but its input is {shape}"
        )


def fits(shape: tuple[int, ...], known: tuple[int | None, ...]) -> bool:
    """Whether a shape is one of those meant by another, in which None stands for any number.

    >>> fits((5, 8), (None, 8)), fits((5, 8), (4, 8))
    (True, False)
    """
    return len(shape) == len(known) and all(m in (n, None) for n, m in zip(shape, known, strict=True))


def check_types(layers: Iterable[Any], dtype: str) -> None:
    """Raises if a layer, or one inside it, was given another type than the model's."""
    for layer in layers:
        if layer.declared.get("dtype", dtype) != dtype:
            raise ArgumentError(
                f"{type(layer).__name__} {layer.shown_name} was given dtype={layer.declared['dtype']!r}, but its model "
                f"computes in {dtype}: Sequential(…, dtype=…) is the type of all its layers"
            )
        check_types(layer.inside, dtype)
