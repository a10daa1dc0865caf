"""Names: an unknown one lists the choices, also of arguments, so that nobody has to look them up."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from inspect import Parameter, isfunction, signature
from typing import Any, TypeVar, overload

from thalweg import absent
from thalweg.errors import ArgumentError, SignatureError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


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
    raise ArgumentError(f"unknown {what} {name!r}{nearest(str(name), names)}")


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence on an unknown name: the nearest of those that there are, and all."""
    import difflib

    near = difflib.get_close_matches(name, names := sorted(names), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} Choose from: {', '.join(names)}"


def suggesting(function: F) -> F:
    """The function, which refuses an argument that it doesn't know with the name of the nearest one.

    >>> @suggesting
    ... def half(x, rounded=False):
    ...     return x // 2 if rounded else x / 2
    >>> half(3, round=True)
    Traceback (most recent call last):
    thalweg.errors.SignatureError: half has no argument 'round'; did you mean 'rounded'? Choose from: rounded, x
    """

    if getattr(function, "suggests", None) is function:  # not what it wraps, whose attributes it has
        return function

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        try:
            return function(*given, **named)
        except TypeError as error:
            entered = error.__traceback__ is not None and error.__traceback__.tb_next is not None
            refuse_unknown(function, given[0] if function.__name__ == "__init__" else None, named, entered)
            raise

    vars(call)["suggests"] = call
    return call  # type: ignore[return-value]


def answer_for(module: str) -> None:
    """Lets a module answer for names that it lacks (`absent`), and its functions for arguments that they lack."""
    names = vars(sys.modules[module])
    names.update((n, suggesting(f)) for n, f in list(names.items()) if isfunction(f) and not n.startswith("_"))
    absent.answer_for(module)


def refuse_unknown(function: Callable[..., Any], made: Any, named: Iterable[str], entered: bool = True) -> None:
    """Raises if a call named an argument that the function doesn't take. made: of a constructor, what it makes.

    entered: whether the call began; one that passes arguments on, **more, then is the one to know them.
    """
    taken = signature(function).parameters
    passing_on = Parameter.VAR_KEYWORD in {p.kind for p in taken.values()}
    if passing_on and (entered or made is None):
        return
    names = taken.keys() - {"self"} if made is None else constructor_names(type(made))
    unknown = [name for name in named if name not in (names if passing_on else taken)]
    if unknown:
        what = function.__qualname__ if made is None else type(made).__name__
        hint = getattr(made, "earlier", {}).get(unknown[0]) or nearest(unknown[0], names)
        raise SignatureError(f"{what} has no argument {unknown[0]!r}{hint}") from None


def constructor_names(kind: type) -> set[str]:
    """The arguments that a class takes by name: those of its constructor, and of those to which this passes others."""
    found = set(getattr(kind, "of_all", ()))
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = signature(vars(base)["__init__"]).parameters.values()
            found |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
            if all(p.kind is not p.VAR_KEYWORD for p in parameters):
                break
    return found - {"self"}


def listed(things: Sequence[Any], most: int) -> str:
    """The first few, and how many more there are.

    >>> listed("abc", 3), listed("abcde", 3)
    ('a, b, c', 'a, b, c and 2 more')
    """
    more = len(things) - most
    return ", ".join(map(str, things[:most])) + (f" and {more:,} more" if more > 0 else "")
