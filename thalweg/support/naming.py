"""Names: an unknown one lists the choices, so that nobody has to look them up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, overload

from thalweg.errors import ArgumentError

T = TypeVar("T")


def snake_case(name: str) -> str:
    """ "MeanSquaredError" → "mean_squared_error", by Keras's rule.

    >>> snake_case("TopKCategoricalAccuracy"), snake_case("KLDivergence"), snake_case("LeakyReLU"), snake_case("Conv2D")
    ('top_k_categorical_accuracy', 'kl_divergence', 'leaky_re_lu', 'conv2d')
    """
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


@overload
def choose(what: str, name: object, choices: Mapping[str, T]) -> T: ...
@overload
def choose(what: str, name: object, choices: Sequence[str]) -> str: ...
def choose(what: str, name: object, choices: Mapping[str, T] | Sequence[str]) -> T | str:
    """The entry called `name`; an unknown name raises and lists the nearest names, then all of them.

    >>> choose("loss", "mae", {"mae": 1})
    1
    >>> choose("activation", "rleu", ["relu", "tanh"])
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: unknown activation 'rleu'; did you mean 'relu'? Choose from: relu, tanh
    """
    names = list(choices)
    if isinstance(name, str) and name in names:
        return choices[name] if isinstance(choices, Mapping) else name
    plain = set(names)  # of two spellings, such as Adam and adam, the plain one is enough
    names = [n for n in names if not ({n.lower(), snake_case(n)} - {n}) & plain]
    if isinstance(name, type) and name.__name__ in choices:
        raise ArgumentError(f"the {what} {name.__name__} is a class: make one, {name.__name__}(…), or give its name")
    import difflib

    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ArgumentError(f"unknown {what} {name!r}{hint} Choose from: {', '.join(sorted(names))}")


def listed(things: Sequence[Any], most: int) -> str:
    """The first few, and how many more there are.

    >>> listed("abc", 3), listed("abcde", 3)
    ('a, b, c', 'a, b, c and 2 more')
    """
    more = len(things) - most
    return ", ".join(map(str, things[:most])) + (f" and {more:,} more" if more > 0 else "")
