"""Functions of tensors in a functional model, `x + y` or `ops.mean(x, axis=1)`: Keras's operations, and back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.exchange.keras_parts import neutral, plain, shortly
from thalweg.ops.arrangement import ROWS
from thalweg.ops.tensor import FUNCTIONS
from thalweg.support.naming import snake_case

NN = ["relu", "sigmoid", "silu", "softplus", "elu", "gelu", "leaky_relu", "log_softmax", "softmax"]
"""Those that Keras has in keras.src.ops.nn; the others are in keras.src.ops.numpy."""
ELEMENTWISE = [
    "abs", "add", "arccos", "arcsin", "arctan", "arctan2", "ceil", "cos", "cosh", "divide", "equal", "exp", "expm1",
    "floor", "floor_divide", "get_item", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less",
    "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or",
    "logical_xor", "matmul", "maximum", "minimum", "mod", "multiply", "negative", "not_equal", "power", "reciprocal",
    "relu", "sigmoid", "sign", "silu", "sin", "sinh", "softplus", "sqrt", "square", "subtract", "tan", "tanh", "where",
]  # fmt: skip
OPTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(ELEMENTWISE, ()),
    **dict.fromkeys(("argmax", "argmin", "max", "mean", "min", "prod", "sum"), ("axis", "keepdims")),
    **dict.fromkeys(
        ("concatenate", "cumprod", "cumsum", "expand_dims", "log_softmax", "softmax", "squeeze", "stack"), ("axis",)
    ),
    "elu": ("alpha",), "gelu": ("approximate",), "leaky_relu": ("negative_slope",), "reshape": ("newshape",),
    "transpose": ("axes",),
}  # fmt: skip
"""The functions that both have, and what an operation of Keras's keeps of its arguments: the others are its call's."""
SAME = {"true_divide": "divide", "absolute": "abs", "amax": "max", "amin": "min"}


def is_operation(description: Mapping[str, Any]) -> bool:
    """Whether it is a function rather than a layer; .h5 files don't say where a class is from, but layers say more."""
    module = description.get("module")
    if module is None:
        return set(description["config"]) <= {"name", *OPTIONS.get(snake_case(str(description["class_name"])), ())}
    return str(module).startswith(("keras.src.ops.", "keras.ops."))


def operation_of(description: Mapping[str, Any]) -> Callable[..., Any]:
    """The function of tensors that a configuration is of."""
    kind, config = description["class_name"], description["config"]
    name = snake_case(str(kind))
    name = SAME.get(name, name)
    if name not in OPTIONS:
        raise ArgumentError(f"the operation {shortly(config.get('name'))} is {shortly(kind)}, which isn't known here")
    named = {}
    for key, value in config.items():
        if key in OPTIONS[name]:
            named[key] = plain(value, f"{key} of {kind}")
        elif key != "name" and not neutral(key, value):
            raise ArgumentError(f"the operation {shortly(config.get('name'))} has {key}={shortly(value)}")
    for key in ("newshape", "axes"):
        if isinstance(named.get(key), list):
            named[key] = tuple(-1 if size is None else size for size in named[key])
    return partial(FUNCTIONS[name], **named) if name != "get_item" else picked


def picked(x: Any, key: Any) -> Any:
    """x[key]; what Keras calls a tuple is a list in its files."""
    return FUNCTIONS["get_item"](x, tuple(key) if isinstance(key, list) else key)


def describe_operation(
    name: str, arguments: Any, named: Mapping[str, Any], shown: str
) -> tuple[dict[str, Any], list[Any]]:
    """An operation as Keras describes it, and what it is called with.

    Raises:
        ArgumentError: Keras hasn't such an operation, or it isn't known how it keeps its arguments.
    """
    if name not in OPTIONS:
        raise ArgumentError(f"the function {name} of tensors has no counterpart in Keras's files")
    given = inspect.signature(FUNCTIONS[name]).bind(*arguments, **named)
    given.apply_defaults()
    config: dict[str, Any] = {"name": shown}
    called = []
    for key, value in given.arguments.items():
        if key in OPTIONS[name]:
            config[key] = value
        else:
            called.append(value)
    if name == "reshape":
        config["newshape"] = [-1 if size is ROWS else size for size in config["newshape"]]
    kind = "".join(word.capitalize() for word in name.split("_"))
    module = f"keras.src.ops.{'nn' if name in NN else 'numpy'}"
    return {"module": module, "class_name": kind, "config": config, "registered_name": kind}, called
