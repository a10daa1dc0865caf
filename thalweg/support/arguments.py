"""Arguments declared once: what stands annotated in a class are the arguments of its constructor, in that order.

From the declaration come the signature, for Python and for type checkers, the checks, and the configuration.

>>> from typing import Annotated
>>> @arguments
... class Ellipse:
...     axes: Annotated[tuple[float, ...], Checked(lambda what, value: tuple(map(float, value)), list)]
...     filled: bool = False
>>> configuration(Ellipse((1, 2), filled=1))
{'axes': [1.0, 2.0], 'filled': True}
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, InitVar, dataclass
from functools import cache
from inspect import Parameter, Signature
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    NamedTuple,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
)  # fmt: skip

T = TypeVar("T")
Given = TypeVar("Given", contravariant=True)
Kept = TypeVar("Kept", covariant=True)


class Taken(Generic[Given, Kept]):
    """The type of an argument that is given as one type and kept as another; only type checkers look into it."""

    if TYPE_CHECKING:

        def __get__(self, thing: object, kind: type | None = None) -> Kept: ...
        def __set__(self, thing: object, value: Given) -> None: ...


def default(value: Any) -> Any:
    """The default of an argument that is `Taken`, as one gives it: to a type checker it is none of what is kept."""
    return value


def same(value: Any) -> Any:
    return value


@dataclass(frozen=True, eq=False)
class Checked:
    """How an argument is checked, `check("Dense's units", value)`, which returns what is kept as an attribute; and how
    that is written in a configuration, `plain(value)`. With kept=False it is only checked."""

    check: Callable[[str, Any], Any]
    plain: Callable[[Any], Any] = same
    kept: bool = True


BOOL = Checked(lambda what, value: bool(value))
ANYTHING = Checked(lambda what, value: value)


class Argument(NamedTuple):
    """One argument of a class."""

    parameter: Parameter
    rule: Checked
    passed: bool  # to `__post_init__`


@dataclass_transform(eq_default=False)
def arguments(cls: type[T]) -> type[T]:
    """Makes a constructor of the class's annotated attributes, by the rules of `dataclasses`.

    Those of a base that has declared some come first; what follows `_: KW_ONLY` is given by name. What the constructor
    of the nearest base without declarations takes, is given to that; every other is checked and set, in order. Then
    `__post_init__`, if there is one, may look at them together; it gets those that are an `InitVar`.
    """
    taken: dict[str, Argument] = {}
    for base in reversed(cls.__mro__[1:]):
        taken |= vars(base).get("declared_arguments", {})
    taken |= {argument.parameter.name: argument for argument in declared(cls)}
    parameters = sorted((argument.parameter for argument in taken.values()), key=lambda p: p.kind)
    signature = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *parameters], return_annotation=None)
    base = next(b for b in cls.__mro__ if "__init__" in vars(b) and "declared_arguments" not in vars(b))
    initialise: Any = vars(base)["__init__"]

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        also = {name: named.pop(name) for name in getattr(cls, "every", ()) if name in named and name not in taken}
        try:
            bound = signature.bind(self, *given, **named)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        bound.apply_defaults()
        values = {name: value for name, value in bound.arguments.items() if name in taken}
        initialise(self, **{name: values.pop(name) for name in takes(base) if name in values}, **also)
        later = {}
        for name, value in values.items():
            _, rule, passed = taken[name]
            checked = rule.check(f"{type(self).__name__}'s {name}", value)
            if passed:
                later[name] = checked
            elif rule.kept:
                setattr(self, name, checked)
        if hasattr(self, "__post_init__"):
            self.__post_init__(**later)

    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    __init__.__signature__ = signature  # type: ignore[attr-defined]
    setattr(cls, "__init__", __init__)  # noqa: B010 — which a type checker takes from the declaration
    setattr(cls, "declared_arguments", taken)  # noqa: B010
    return cls


def declared(cls: type) -> Iterator[Argument]:
    """The arguments that a class itself declares; their defaults don't stay as its attributes."""
    kind: Any = Parameter.POSITIONAL_OR_KEYWORD
    for name, written in inspect.get_annotations(cls).items():
        annotation = meant(written, cls.__module__) if isinstance(written, str) else written
        if annotation is KW_ONLY:
            kind = Parameter.KEYWORD_ONLY
        elif ClassVar not in (annotation, get_origin(annotation)):
            held = annotation.type if isinstance(annotation, InitVar) else annotation
            shown, rule = read(held)
            start = vars(cls).get(name, Parameter.empty)
            if start is not Parameter.empty:
                delattr(cls, name)
            yield Argument(Parameter(name, kind, default=start, annotation=shown), rule, held is not annotation)


@cache
def meant(annotation: str, module: str) -> Any:
    """The type that a text stands for in a module."""
    return eval(annotation, vars(sys.modules[module]))


def read(annotation: Any) -> tuple[Any, Checked]:
    """The type that is given, and the rule."""
    rule = BOOL if annotation is bool else ANYTHING
    if get_origin(annotation) is Annotated:
        annotation, *notes = get_args(annotation)
        rule = next((note for note in notes if isinstance(note, Checked)), rule)
    if get_origin(annotation) is Taken:
        annotation = get_args(annotation)[0]
    return annotation, rule


@cache
def takes(base: type) -> tuple[str, ...]:
    """The arguments of a base's constructor."""
    return () if base is object else tuple(inspect.signature(base).parameters)


def configuration(thing: Any) -> dict[str, Any]:
    """The arguments that make an equal one, in plain values; none if its class declares none."""
    taken: dict[str, Argument] = getattr(type(thing), "declared_arguments", {})
    kept = [(name, a.rule) for name, a in taken.items() if a.rule.kept and not a.passed]
    return {name: rule.plain(getattr(thing, name)) for name, rule in kept}
