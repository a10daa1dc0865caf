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
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, Field, InitVar, dataclass
from functools import cache
from inspect import Parameter, Signature
from types import CodeType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
)  # fmt: skip

from thalweg.errors import ArgumentError
from thalweg.support.hooks import Configured
from thalweg.support.naming import choose, refuse_unknown

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


class Before(NamedTuple):
    """A note of an argument that stands before one which a base declares: Annotated[bool, Before("seed")]. (To a type
    checker it stands behind those of the bases, which matters to nobody who gives it by name.)"""

    name: str


class Argument(NamedTuple):
    """One argument of a class."""

    parameter: Parameter
    rule: Checked
    passed: bool  # to `__post_init__`
    before: str | None


@dataclass_transform(eq_default=False)
def arguments(cls: type[T]) -> type[T]:
    """Makes a constructor of the class's annotated attributes, in the order that `dataclasses` have.

    Those of a base that has declared some come first, down to the nearest base with a constructor of its own; what
    follows `_: KW_ONLY` is given by name. What that constructor takes, is given to it, by name if it isn't declared;
    every other is checked and set, in order. Then `__post_init__`, if there is one, may look at them together; it gets
    those that are an `InitVar`. A class may have both arguments and a constructor: it is for subclasses of one's own.

    Raises:
        ArgumentError: a default that all would share, such as a list; one before an argument without; a type that
            isn't known in the class's module.
    """
    base = next(b for b in cls.__mro__[1:] if "__init__" in vars(b) and "declared_arguments" not in vars(b))
    taken: dict[str, Argument] = {}
    for kind in reversed(cls.__mro__[1 : cls.__mro__.index(base)]):
        for argument in vars(kind).get("declared_arguments", {}).values():
            taken = placed(taken, argument)
    for argument in declared(cls):
        taken = placed(taken, argument)
    setattr(cls, "declared_arguments", taken)  # noqa: B010 — which a type checker takes from the declaration
    if "__init__" in vars(cls):
        return cls
    own = (p.replace(kind=Parameter.KEYWORD_ONLY) for name, p in takes(base).items() if name not in taken)
    parameters = sorted([*(argument.parameter for argument in taken.values()), *own], key=lambda p: p.kind)
    try:
        signature = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *parameters], return_annotation=None)
    except ValueError as error:
        raise ArgumentError(f"{cls.__name__}: {error}") from None
    initialise: Any = vars(base)["__init__"]

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        also = {name: named.pop(name) for name in getattr(cls, "of_all", ()) if name in named and name not in taken}
        try:
            bound = signature.bind(self, *given, **named)
        except TypeError as error:
            refuse_unknown(__init__, self, named)
            raise TypeError(f"{type(self).__name__}: {error}") from None
        bound.apply_defaults()
        values = {name: value for name, value in bound.arguments.items() if name != "self"}
        initialise(self, **{name: values.pop(name) for name in takes(base) if name in values}, **also)
        later = {}
        for name, value in values.items():
            _, rule, passed, _ = taken[name]
            checked = rule.check(f"{type(self).__name__}'s {name}", value)
            if passed:
                later[name] = checked
            elif rule.kept:
                setattr(self, name, checked)
        if hasattr(self, "__post_init__"):
            self.__post_init__(**later)

    __init__.__module__, __init__.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    __init__.__signature__ = signature  # type: ignore[attr-defined]
    setattr(cls, "__init__", __init__)  # noqa: B010
    return cls


def placed(taken: dict[str, Argument], argument: Argument) -> dict[str, Argument]:
    """The arguments with one more: in the place of one with its name, before the one that it names, or last."""
    name = argument.parameter.name
    if name in taken or argument.before not in taken:
        return taken | {name: argument}
    at = list(taken).index(argument.before)
    return dict([*list(taken.items())[:at], (name, argument), *list(taken.items())[at:]])


def declared(cls: type) -> Iterator[Argument]:
    """The arguments that a class itself declares; their defaults don't stay as its attributes."""
    kind: Any = Parameter.POSITIONAL_OR_KEYWORD
    for name, written in inspect.get_annotations(cls).items():
        if isinstance(written, str) and re.match(r"(typing\.)?ClassVar\b", written):
            continue  # it may name what only type checkers import
        annotation = meant(written, cls, name) if isinstance(written, str) else written
        if annotation is KW_ONLY:
            kind = Parameter.KEYWORD_ONLY
        elif ClassVar not in (annotation, get_origin(annotation)):
            held = annotation.type if isinstance(annotation, InitVar) else annotation
            shown, rule, before = read(held)
            start = vars(cls).get(name, Parameter.empty)
            if start is not Parameter.empty:
                if "__init__" not in vars(cls):  # which may be called by no subclass
                    delattr(cls, name)
                refuse_shared(f"{cls.__name__}'s {name}", start)
            yield Argument(Parameter(name, kind, default=start, annotation=shown), rule, held is not annotation, before)


@cache
def compiled(annotation: str) -> CodeType:
    """The same few stand in many classes."""
    return compile(annotation, "<annotation>", "eval")


def meant(annotation: str, cls: type, name: str) -> Any:
    """The type that a text stands for in the class's module."""
    try:
        return eval(compiled(annotation), vars(sys.modules[cls.__module__]))
    except NameError as error:
        raise ArgumentError(
            f"{cls.__name__}'s {name}: {error} in {cls.__module__}, where the type of an argument has to be known"
        ) from None


def refuse_shared(what: str, start: Any) -> None:
    """Raises for a default that every instance would share, or that `dataclasses` make."""
    if isinstance(start, Field) or type(start).__hash__ is None:
        raise ArgumentError(f"{what}: all would share this default; take None, and make it in __post_init__")


def read(annotation: Any) -> tuple[Any, Checked, str | None]:
    """The type that is given, the rule, and before what it stands; `Literal` names are checked as they stand."""
    before = None
    rule = BOOL if annotation is bool else ANYTHING
    if get_origin(annotation) is Literal:
        rule = Checked(lambda what, value: choose(what, value, get_args(annotation)))
    if get_origin(annotation) is Annotated:
        annotation, *notes = get_args(annotation)
        rule = next((note for note in notes if isinstance(note, Checked)), rule)
        before = next((note.name for note in notes if isinstance(note, Before)), None)
    if get_origin(annotation) is Taken:
        annotation = get_args(annotation)[0]
    return annotation, rule, before


@cache
def takes(base: type) -> dict[str, Parameter]:
    """The arguments of a base's constructor, by name."""
    if base is object:
        return {}
    several = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return {name: p for name, p in inspect.signature(base).parameters.items() if p.kind not in several}


def configuration(thing: Any) -> dict[str, Any]:
    """The arguments that make an equal one, in plain values; none if its class declares none."""
    taken: dict[str, Argument] = getattr(type(thing), "declared_arguments", {})
    kept = [(name, a.rule) for name, a in taken.items() if a.rule.kept and not a.passed]
    return {name: rule.plain(getattr(thing, name)) for name, rule in kept}


class Value(Configured):
    """Base of what keeps its arguments for good, and equals another of its class with the same ones."""

    unshown: ClassVar[tuple[str, ...]] = ()  # arguments that aren't printed

    @property
    def given(self) -> dict[str, Any]:
        """The arguments by their names."""
        return {name: getattr(self, name) for name in getattr(type(self), "declared_arguments", ())}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return configuration(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self) and name in getattr(type(self), "declared_arguments", ()):
            raise AttributeError(f"{type(self).__name__}'s {name} can't be changed: make another {type(self).__name__}")
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Value) and self.given == other.given

    def __hash__(self) -> int:
        return hash(tuple(self.given.values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.given.items() if name not in self.unshown)
        return f"{type(self).__qualname__}({shown})"
