"""Initial weights. Names, arguments and defaults are Keras's.

An initializer is called with a shape and a NumPy generator and returns the weights. `fan_in` and `fan_out` of a dense
kernel (inputs, units) are its two sizes; for a convolution kernel they are multiplied by the kernel's pixels.

Where a layer takes an initializer it also takes a NumPy array, a function f(shape, generator), or `FromFile`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ArgumentError
from thalweg.initializers.drawn import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)
from thalweg.initializers.given import FromArray, FromFile, Function
from thalweg.initializers.initializer import Initializer
from thalweg.support.naming import answer_for, choose, snake_case

__all__ = [
    "Constant", "FromArray", "FromFile", "Function", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform",
    "Identity", "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform",
    "TruncatedNormal", "VarianceScaling", "Zeros", "get", "serialize",
]  # fmt: skip

# Keras's other names: each is the same class.
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros
IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal
__all__ += [
    "IdentityInitializer", "OrthogonalInitializer", "constant", "glorot_normal", "glorot_uniform", "he_normal",
    "he_uniform", "identity", "lecun_normal", "lecun_uniform", "ones", "orthogonal", "random_normal",
    "random_uniform", "truncated_normal", "variance_scaling", "zeros",
]  # fmt: skip

NAMED: tuple[type[Initializer], ...] = (  # those that need no argument
    Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
    GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal,
)  # fmt: skip
CLASSES: tuple[type[Initializer], ...] = (*NAMED, FromArray, FromFile, Function)
NAMES = {snake_case(c.__name__): c for c in NAMED} | {"normal": RandomNormal, "uniform": RandomUniform}
ALIASES = {  # Keras's
    "zero": "zeros", "one": "ones", "IdentityInitializer": "identity", "OrthogonalInitializer": "orthogonal",
}  # fmt: skip

InitializerLike = str | Initializer | dict[str, Any] | NDArray[Any] | Callable[..., Any] | None  # what `get` takes


def get(identifier: InitializerLike) -> Initializer:
    """An initializer from its name, from what `serialize` returned, from an array or a function, or itself.

    None is Glorot's uniform, as in Keras.

    >>> get("he_normal")
    HeNormal(seed=None)
    """
    if isinstance(identifier, Initializer):
        return identifier
    if identifier is None:
        return GlorotUniform()
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if isinstance(identifier, dict):
        return choose("initializer", identifier["class_name"], {c.__name__: c for c in CLASSES})(**identifier["config"])
    if isinstance(identifier, str):
        name = ALIASES.get(identifier, identifier)
        return choose("initializer", name, NAMES | {c.__name__: c for c in NAMED})()
    if isinstance(identifier, np.ndarray):
        return FromArray(identifier)
    if callable(identifier):
        return Function(getattr(identifier, "__name__", type(identifier).__name__), identifier)
    raise ArgumentError(
        f"an initializer is a name, an Initializer, a NumPy array or a function f(shape, generator), got {identifier!r}"
    )


def serialize(initializer: Initializer) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal initializer."""
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


answer_for(__name__)
