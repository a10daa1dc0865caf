"""The user's classes and functions that model files name: registered, or given for a while as `custom_objects`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from thalweg.errors import ArgumentError

REGISTERED: dict[str, Any] = {}
T = TypeVar("T")


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """A decorator: files that name this class or function are read without `custom_objects`.

    Args:
        package: a prefix that tells apart equal names, as in Keras.
        name: by default the class's or function's own.

    >>> @register_keras_serializable()
    ... def doubled(y_true, y_pred):
    ...     return 2 * (y_true - y_pred)
    >>> REGISTERED["doubled"] is doubled
    True
    """

    def register(thing: T) -> T:
        if not callable(thing):
            raise ArgumentError(f"register_keras_serializable registers classes and functions, got {thing!r}")
        own = name or str(thing.__name__)  # type: ignore[attr-defined]
        before = REGISTERED.get(own, thing)
        if before is not thing and home(before) != home(thing):  # a definition that is repeated replaces the first
            raise ArgumentError(
                f"{own!r} is already the name of {'.'.join(home(before))}, and files name it so: register "
                f"{'.'.join(home(thing))} under another, with name=…"
            )
        REGISTERED[own] = REGISTERED[f"{package}>{own}"] = thing
        return thing

    return register


def home(thing: Any) -> tuple[str, str]:
    """Where a class or function is defined: its module, and its name there."""
    return str(getattr(thing, "__module__", "")), str(getattr(thing, "__qualname__", repr(thing)))


@contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Within it, files may name these classes and functions.

    >>> with custom_object_scope({"half": 0.5}):
    ...     REGISTERED["half"]
    0.5
    """
    before = dict(REGISTERED)
    REGISTERED.update(custom_objects or {})
    try:
        yield
    finally:
        REGISTERED.clear()
        REGISTERED.update(before)
