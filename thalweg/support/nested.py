"""Lists, tuples and dicts of values, nested in each other: what Keras calls a structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(structure: Any) -> Iterator[Any]:
    """Every value that is no list, tuple or dict, in order; None is left out.

    >>> list(leaves([1, {"b": (2, 3)}, None]))
    [1, 2, 3]
    """
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for inner in structure:
            yield from leaves(inner)
    elif structure is not None:
        yield structure


def mapped(structure: Any, change: Callable[[Any], Any]) -> Any:
    """The same structure with every value changed; None stays.

    >>> mapped([1, {"b": (2, 3)}], lambda n: n * 10)
    [10, {'b': (20, 30)}]
    """
    if isinstance(structure, dict):
        return {key: mapped(inner, change) for key, inner in structure.items()}
    if isinstance(structure, (list, tuple)):
        changed = [mapped(inner, change) for inner in structure]
        return changed if isinstance(structure, list) else tuple(changed)
    return structure if structure is None else change(structure)
